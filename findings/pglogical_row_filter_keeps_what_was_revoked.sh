#!/bin/bash
#
# pglogical 2.4.2 (Debian 12) with PostgreSQL 15: a table that is replicated with a
# row_filter on a column that changes drifts away from its source.  A permit that is
# revoked stays published in the copy, one that is published later never arrives, and
# one that is deleted stays for good.
#
# One would expect in the copy what the filter is true for.  The documentation (Row
# Filtering on Provider) promises that only rows for which it is true are replicated, warns
# of functions that write and of CURRENT_USER, and has no word about a row that changes
# sides.  But of an UPDATE only the new row is looked at: if that does not match, nothing
# is sent, and the copy keeps the old row; if it does, an UPDATE is sent for a row that the
# copy does not have, and is skipped.  Of a DELETE there is the key alone, unless REPLICA
# IDENTITY is FULL: a filter on another column is not true, and no DELETE is ever sent.
# The status of the subscription is "replicating" all the time; of the skipped rows there
# is a line in the log of the copy, of the others nothing.  PostgreSQL's own publications,
# from 15 on, make an INSERT or a DELETE of such an UPDATE.
#
# An office gives the public server, where citizens look their permit up, those that are
# published and no other.  A licence that was withdrawn is confirmed there to everybody who
# asks, a citizen who has been told that his permit is ready does not find it, and what had
# to be deleted for reasons of privacy is still there.
#
# Use PostgreSQL's publication with WHERE and REPLICA IDENTITY FULL, or filter in a
# view of the copy.
#
# Seen: one server, two databases.  Fails if that changes.  Needs Debian 12 with its
# package postgresql-15 (any minor release) and apt's lists; the server listens on a socket
# in its folder only.
#
set -euo pipefail

package=postgresql-15-pglogical=2.4.2-3
dir=$(mktemp -d)
bin=$dir/usr/lib/postgresql/15/bin

as_user()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups "$@"
	else
		"$@"
	fi
}

finish()
{
	as_user "$bin/pg_ctl" -D "$dir/data/main" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

cd "$dir"
mkdir -p usr/lib/postgresql usr/share/postgresql download data
cp -a /usr/lib/postgresql/15 usr/lib/postgresql/
cp -a /usr/share/postgresql/15 usr/share/postgresql/
(cd download && apt-get -qq download "$package" 2>/dev/null) || { echo "$package cannot be had here"; exit 1; }
dpkg-deb -x download/*.deb .
chmod 755 "$dir"
[ "$(id -u)" != 0 ] || chown postgres: data

unset PGPORT PGSERVICE PGOPTIONS
export PGUSER=office PGHOST="$dir/data" PGDATABASE=postgres
as_user "$bin/initdb" -D data/main -U office -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
cat >> data/main/postgresql.conf <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$dir/data'
	fsync = off
	wal_level = logical
	shared_preload_libraries = 'pglogical'
CONF
# newer minor releases want output plugins to be named
if as_user "$bin/postgres" -D data/main -C output_plugin_libraries >/dev/null 2>&1; then
	echo "output_plugin_libraries = 'pgoutput, test_decoding, pglogical_output'" >> data/main/postgresql.conf
fi
as_user "$bin/pg_ctl" -D data/main -l data/log -w start >/dev/null

run() { "$bin/psql" -qXAt -v ON_ERROR_STOP=1 "$@"; }
office() { run -d office "$@"; }
copy() { run -d copy "$@"; }
until_copy()
{
	for _ in $(seq 120); do
		if [ "$(copy -c "SELECT count(*) FROM permit WHERE id = $1")" = 1 ]; then return; fi
		sleep 0.5
	done
	echo "the copy does not get permit $1"
	return 1
}

run -c 'CREATE DATABASE office' -c 'CREATE DATABASE copy'
for database in office copy; do
	run -d "$database" -o /dev/null <<-SQL
		CREATE EXTENSION pglogical;
		CREATE TABLE permit (id int PRIMARY KEY, status text);
		SELECT pglogical.create_node('$database', 'host=$dir/data user=office dbname=$database');
	SQL
done
office -o /dev/null <<'SQL'
INSERT INTO permit VALUES (1, 'published'), (2, 'published'), (3, 'published'), (4, 'draft');
SELECT pglogical.replication_set_add_table('default', 'permit', row_filter := $$status = 'published'$$);
SQL
copy -o /dev/null -c "SELECT pglogical.create_subscription('copy', 'host=$dir/data user=office dbname=office')"
until_copy 1
echo "$package, $("$bin/postgres" --version)"

published() { "$1" -c "SELECT string_agg(id::text, ' ' ORDER BY id) FROM permit WHERE status = 'published'"; }

answer="at first: office $(published office), copy $(published copy)"
office <<'SQL'
INSERT INTO permit VALUES (5, 'published');
SQL
until_copy 5
office <<'SQL'
UPDATE permit SET status = 'revoked' WHERE id = 2;
DELETE FROM permit WHERE id = 3;
UPDATE permit SET status = 'published' WHERE id = 4;
INSERT INTO permit VALUES (6, 'published');
SQL
until_copy 6
answer="$answer
2 revoked, 3 deleted, 4 published; 5, 6 new: office $(published office), copy $(published copy)
subscription: $(copy -c 'SELECT status FROM pglogical.show_subscription_status()')"
office -c 'ALTER TABLE permit REPLICA IDENTITY FULL' -c "UPDATE permit SET status = 'revoked' WHERE id = 5" \
	-c 'DELETE FROM permit WHERE id = 6' -c "INSERT INTO permit VALUES (7, 'published')"
until_copy 7
answer="$answer
with REPLICA IDENTITY FULL, 5 revoked, 6 deleted: office $(published office), copy $(published copy)"
echo "$answer"
[ "$answer" = 'at first: office 1 2 3, copy 1 2 3
2 revoked, 3 deleted, 4 published; 5, 6 new: office 1 4 5 6, copy 1 2 3 5 6
subscription: replicating
with REPLICA IDENTITY FULL, 5 revoked, 6 deleted: office 1 4 7, copy 1 2 3 5 7' ]

#!/bin/bash
#
# pgcopydb 0.10 (Debian 12) with PostgreSQL 15: "pgcopydb clone" creates unlogged tables in
# the copy and leaves them empty, counts their sequences from 1 again, and ends with success.
#
# One would expect all rows: "copy an entire PostgreSQL database" it says of itself, and
# pg_dump, by which it makes the tables, takes the rows of unlogged ones along unless
# --no-unlogged-table-data is said.  But in its own list of what is to be copied there are
# ordinary tables alone.  Neither an option nor its manual pages (pgcopydb clone, pgcopydb
# copy) has the word unlogged, there is no warning, the table is not in the summary, and
# the exit status is 0.
#
# Offices move to a new server or a new release with it, as it copies and makes indexes on all
# cores.  Unlogged is what an import is read into before it is looked through, or what
# somebody made of a big table for one long night's work and did not set back.  Odoo
# starts, the applications that had been handed in are gone, and when it is found out the
# old server has been switched off.
#
# Before: SELECT oid::regclass FROM pg_class WHERE relpersistence = 'u', and
# ALTER TABLE ... SET LOGGED for each table, or take their rows by pg_dump -t.
#
# Seen: one server, a database with a table of each kind, copied by pgcopydb and by
# pg_dump.  Fails if that changes.  Needs Debian 12 with its package postgresql-15 (any minor
# release) and apt's lists; the server listens on a socket in its folder only.
#
set -euo pipefail

package=pgcopydb=0.10-1
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
CONF
as_user "$bin/pg_ctl" -D data/main -l data/log -w start >/dev/null

run() { "$bin/psql" -qXAt -v ON_ERROR_STOP=1 "$@"; }

run -c 'CREATE DATABASE office' -c 'CREATE DATABASE copied' -c 'CREATE DATABASE dumped'
run -d office <<'SQL'
CREATE TABLE permit (id serial PRIMARY KEY, number text);
INSERT INTO permit (number) SELECT '503/' || i FROM generate_series(1, 1000) i;
CREATE UNLOGGED TABLE application (id serial PRIMARY KEY, number text);
INSERT INTO application (number) SELECT '503/' || i FROM generate_series(1, 1000) i;
SQL
echo "$package, $("$bin/postgres" --version)"

status=0
(
	LD_LIBRARY_PATH=$(echo "$dir"/usr/lib/*-linux-gnu)
	PATH=$bin:/usr/sbin:/usr/bin:/sbin:/bin
	export LD_LIBRARY_PATH PATH
	cd data
	as_user env -u PGHOST -u PGDATABASE -u PGUSER ../usr/bin/pgcopydb clone --dir "$dir/data/work" \
		--source "host=$dir/data user=office dbname=office" --target "host=$dir/data user=office dbname=copied"
) >copy.log 2>&1 || status=$?
"$bin/pg_dump" -d office | run -d dumped -o /dev/null

rows()
{
	for table in permit application; do
		run -d "$1" -c "SELECT '$table ' || count(*) || ', next id ' || nextval('${table}_id_seq') FROM $table"
	done | paste -sd ';'
}

answer="pgcopydb: status $status
lines with WARN, ERROR or FATAL: $(grep -cE 'WARN|ERROR|FATAL' copy.log || true)
lines with permit: $(($(grep -c permit copy.log || true) > 0)), application: $(grep -c application copy.log || true)
office: $(rows office)
dumped: $(rows dumped)
copied: $(rows copied)"
echo "$answer"
[ "$answer" = 'pgcopydb: status 0
lines with WARN, ERROR or FATAL: 0
lines with permit: 1, application: 0
office: permit 1000, next id 1001;application 1000, next id 1001
dumped: permit 1000, next id 1001;application 1000, next id 1001
copied: permit 1000, next id 1001;application 0, next id 1' ]

#!/bin/sh
#
# pg_repack 1.4.8 (Debian 12) with PostgreSQL 15: to a REPEATABLE READ
# transaction that began while a table was being copied, the table is empty
# afterwards: SELECT finds no row, UPDATE changes none, no error is raised.
#
# One would expect what VACUUM FULL and CLUSTER do, which keep the rows'
# transaction ids, or a serialization failure, or that pg_repack waits: it does
# wait for transactions older than its copy, but not for those that began during
# it.  The rows of the copy are pg_repack's own, newer than such a snapshot.
# Its documentation does not say so.
#
# All transactions of Odoo are REPEATABLE READ.  One that runs while pg_repack
# works at a big table, and comes to that table late, counts zero permits, or
# marks none of those that expired, and commits.  Nothing is tried again, as it
# would be after an error.  Run pg_repack while no long transaction runs: no
# scheduled action, no backup, no import.
#
# Seen: 500,000 rows, of which the transaction sees 0, and whose UPDATE of ten
# changes 0, after pg_repack has ended with success.  Fails if that changes.
# Needs Debian 12 with its package postgresql-15 (any minor release) and apt's
# lists; the server listens on a socket in its folder only.
#
set -eu

package=postgresql-15-repack=1.4.8-1+deb12u1
dir=$(mktemp -d)
bin=$dir/usr/lib/postgresql/15/bin

# PostgreSQL refuses to run as root.
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
	wait
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# The server of the machine, and pg_repack, in a tree of their own.
cd "$dir"
mkdir -p usr/lib/postgresql usr/share/postgresql download data
cp -a /usr/lib/postgresql/15 usr/lib/postgresql/
cp -a /usr/share/postgresql/15 usr/share/postgresql/
(cd download && apt-get -qq download "$package" 2>/dev/null) || { echo "$package cannot be had here"; exit 1; }
dpkg-deb -x download/*.deb .
chmod 755 "$dir"
[ "$(id -u)" != 0 ] || chown postgres: data

unset PGPORT PGSERVICE PGOPTIONS
export PGUSER=office PGHOST="$dir/data" PGDATABASE=office
as_user "$bin/initdb" -D data/main -U office -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
cat >> data/main/postgresql.conf <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$dir/data'
	fsync = off
	max_wal_size = 4GB
CONF
as_user "$bin/pg_ctl" -D data/main -l data/log -w start >/dev/null

run() { "$bin/psql" -qXAt -v ON_ERROR_STOP=1 "$@"; }

"$bin/createdb" office
run <<'SQL'
CREATE EXTENSION pg_repack;
CREATE TABLE permit (id int PRIMARY KEY, status text, note text);
INSERT INTO permit SELECT i, 'active', repeat('x', 200) FROM generate_series(1, 500000) i;
CREATE TABLE job (id int);
SQL
echo "$("$bin/pg_repack" --version), $("$bin/postgres" --version)"

# The transaction looks at another table first: that is when its snapshot is
# taken.  It must be while the copy is being made, else it is all done again.
copying="SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'INSERT INTO repack.table%'"
cat > transaction.sql <<SQL
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM job \\g /dev/null
SELECT 'during the copy: ' || ($copying);
\\! i=0; while [ ! -e ended ] && [ \$i -lt 1800 ]; do i=\$((i + 1)); sleep 0.1; done
SELECT 'rows: ' || count(*) FROM permit;
WITH expired AS (UPDATE permit SET status = 'expired' WHERE id <= 10 RETURNING id)
SELECT 'changed: ' || count(*) FROM expired;
COMMIT;
SELECT 'rows after COMMIT: ' || count(*) FROM permit;
SQL
for _ in 1 2 3 4 5; do
	rm -f ended
	{
		"$bin/pg_repack" --table=permit >repack.log 2>&1 && echo well >how || echo failed >how
		touch ended
	} &
	until [ -e ended ] || [ "$(run -c "$copying")" = 1 ]; do :; done
	answer=$(run -f transaction.sql)
	wait
	case $answer in *'during the copy: 1'*) break ;; esac
done
echo "$answer"
[ "$(cat how)" = well ] || { cat repack.log; exit 1; }
[ "$answer" = 'during the copy: 1
rows: 0
changed: 0
rows after COMMIT: 500000' ]

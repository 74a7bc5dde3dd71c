#!/bin/bash
#
# jsquery 1.1.1 (Debian 12) with PostgreSQL 15: a query with NOT twice has other
# answers with jsquery's own GIN index than without: documents that do not have the
# key at all are lost.
#
# One would expect that an index changes how long it takes and not what is found.
# "NOT error(NOT code = 131026)" means: there is no error but that the number is
# not on WhatsApp; a report without any error is one of these, and without an index
# it is found.  The index takes the two NOT for none and looks for documents that
# have error.code = 131026; what it has not found is not looked at.  Its
# documentation says itself that "every" can be put as NOT (NOT ...), and has no
# word about a difference.
#
# Whoever keeps the reports of a provider as jsonb and asks which messages went
# well, or failed for a reason that is no fault of the office, gets the failed ones
# alone as soon as somebody makes the index, or the table has grown enough for the
# planner to use it; the same query in a test with few rows is right.  The other
# operator class, jsonb_value_path_ops, does the same.  Say it without the second
# NOT: "NOT error.code = * OR error.code = 131026".
#
# Seen: 3,000 reports, of which a third is of each kind.  Fails if that changes.
# Needs Debian 12 with its package postgresql-15 (any minor release) and apt's
# lists; the server listens on a socket in its folder only.
#
set -euo pipefail

package=postgresql-15-jsquery=1.1.1-6+b1
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

run <<'SQL'
CREATE EXTENSION jsquery;
CREATE TABLE report (id int, body jsonb);
INSERT INTO report
SELECT i, CASE i % 3
	WHEN 0 THEN jsonb_build_object('id', i, 'status', 'delivered')
	WHEN 1 THEN jsonb_build_object('id', i, 'status', 'failed', 'error', jsonb_build_object('code', 131026))
	ELSE jsonb_build_object('id', i, 'status', 'failed', 'error', jsonb_build_object('code', 131047)) END
  FROM generate_series(1, 3000) i;
SQL
echo "$package, $("$bin/postgres" --version)"

count() { run -c "SELECT count(*) FROM report WHERE body @@ '$1'::jsquery"; }
uses() { run -c "EXPLAIN (COSTS OFF) SELECT 1 FROM report WHERE body @@ '$1'::jsquery" | grep -o 'Index Scan\|Seq Scan'; }
twice='NOT error(NOT code = 131026)'
once='NOT error.code = * OR error.code = 131026'

answer="without an index: $(count "$twice"), $(count "$once")"
for class in jsonb_path_value_ops jsonb_value_path_ops; do
	run -c "CREATE INDEX by_body ON report USING gin (body $class)" -c 'ANALYZE report'
	answer="$answer
$class ($(uses "$twice")): $(count "$twice"), $(count "$once")"
	run -c 'DROP INDEX by_body'
done
echo "$answer"
[ "$answer" = 'without an index: 2000, 2000
jsonb_path_value_ops (Index Scan): 1000, 2000
jsonb_value_path_ops (Index Scan): 1000, 2000' ]

#!/bin/sh
#
# pg_cron 1.4.2 (Debian 12) with PostgreSQL 15: the jobs of a copy, restored
# from a dump into another server of the same machine, are carried out in the
# original database, a second time.
#
# One would expect that a job runs in the server whose pg_cron started it.  But
# by default pg_cron reaches its database as a client, through host and port in
# cron.job, and the port is written down when the job is made.  cron.job is in
# the dump.  So the test copy beside production, on port 5433, starts
# production's jobs as soon as it is restored, and they connect to 5432: a
# reminder or a cleaning that must happen once happens twice, and the log
# (cron.job_run_details) of the copy says that it succeeded there.
#
# After a restore: UPDATE cron.job SET nodeport = ..., active = false, before
# anything else, or cron.use_background_workers = on in every server.
#
# Seen: the first server's only job is taken out after the dump, so that what
# is counted comes from the copy: its row is in the first server.  Fails if that
# changes.  Takes up to two minutes.  Needs Debian 12 with its package
# postgresql-15 (any minor release) and apt's lists; the servers listen on
# 127.0.0.1 only.
#
set -eu

package=postgresql-15-cron=1.4.2-2+b1
first=$((20000 + $$ % 20000))
second=$((first + 1))
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
	for port in $first $second; do
		as_user "$bin/pg_ctl" -D "$dir/data/$port" -m immediate stop >/dev/null 2>&1 || true
	done
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# The server of the machine, and pg_cron, in a tree of their own.
cd "$dir"
mkdir -p usr/lib/postgresql usr/share/postgresql download data
cp -a /usr/lib/postgresql/15 usr/lib/postgresql/
cp -a /usr/share/postgresql/15 usr/share/postgresql/
(cd download && apt-get -qq download "$package" 2>/dev/null) || { echo "$package cannot be had here"; exit 1; }
dpkg-deb -x download/*.deb .
chmod 755 "$dir"
[ "$(id -u)" != 0 ] || chown postgres: data

unset PGHOST PGPORT PGDATABASE PGSERVICE PGOPTIONS
export PGUSER=office PGHOST="$dir/data"
for port in $first $second; do
	as_user "$bin/initdb" -D "data/$port" -U office -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
	cat >> "data/$port/postgresql.conf" <<-CONF
		listen_addresses = '127.0.0.1'
		unix_socket_directories = '$dir/data'
		port = $port
		fsync = off
		shared_preload_libraries = 'pg_cron'
		cron.database_name = 'office'
	CONF
	as_user "$bin/pg_ctl" -D "data/$port" -l "data/$port.log" -w start >/dev/null
done
echo "$package, $("$bin/postgres" --version)"

run() { "$bin/psql" -qXAt -v ON_ERROR_STOP=1 -p "$@"; }

"$bin/createdb" -p $first office
run $first office >/dev/null <<'SQL'
CREATE EXTENSION pg_cron;
CREATE TABLE reminded (at timestamptz DEFAULT now());
SELECT cron.schedule('remind', '* * * * *', 'INSERT INTO reminded DEFAULT VALUES');
SQL
"$bin/pg_dump" -p $first office > dump.sql
run $first office -c "SELECT cron.unschedule('remind')" -c 'TRUNCATE reminded' >/dev/null
"$bin/createdb" -p $second office
run $second office < dump.sql >/dev/null

for _ in $(seq 100); do
	said=$(run $second office -c 'SELECT status FROM cron.job_run_details WHERE end_time IS NOT NULL LIMIT 1')
	[ -z "$said" ] || break
	sleep 1
done
run $second office -c 'SELECT cron.unschedule(jobid) FROM cron.job' >/dev/null
count="SELECT count(*) > 0 FROM reminded"
answer="the copy says: $said
a row in the copy: $(run $second office -c "$count")
a row in the original: $(run $first office -c "$count")"
echo "$answer"
[ "$answer" = 'the copy says: succeeded
a row in the copy: f
a row in the original: t' ]

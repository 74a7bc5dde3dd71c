#!/bin/sh
#
# check_postgres 2.25.0 (Debian 12): the age of the oldest message in a queue,
# asked as "SELECT max(now() - created) AS result" with --valtype=time,
# --warning='10 minutes' and --critical='1 hour', is OK at three hours, and OK
# where there is no answer at all.
#
# One would expect that a check of times understands PostgreSQL's type for
# them, or says UNKNOWN to what it does not understand.  But "time" is about the
# thresholds only: they become seconds, the result stays text, and Perl reads
# "03:00:00" as the number 3, and "2 days 01:00:00" as 2: the warning would come
# after 600 days.  NULL (an empty queue, a join that finds nothing) arrives as
# "" and is 0.  The only sign is a line of Perl's on standard error, which
# monitoring throws away.
#
# Another watcher of the same value, postgres_exporter 0.11.1, leaves the metric
# out, with usage DURATION as with GAUGE, while pg_exporter_last_scrape_error
# stays 0: an alert on it has nothing to compare and is silent, too.
#
# For both: extract(epoch FROM ...), and coalesce(..., 0) where nothing is good.
#
# Fails if that changes.  Needs Debian 12 with its packages postgresql-15 (any
# minor release) and curl, and apt's lists; it listens on a socket in its folder
# and, the exporter, on 127.0.0.1.
#
set -eu

packages='check-postgres=2.25.0-5 prometheus-postgres-exporter=0.11.1-3+b5'
port=$((20000 + $$ % 20000))
dir=$(mktemp -d)
bin=/usr/lib/postgresql/15/bin
exporter=

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
	[ -z "$exporter" ] || kill "$exporter" 2>/dev/null || true
	as_user "$bin/pg_ctl" -D "$dir/data/main" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

cd "$dir"
mkdir download data
# shellcheck disable=SC2086
(cd download && apt-get -qq download $packages 2>/dev/null) || { echo "$packages: cannot be had here"; exit 1; }
for deb in download/*.deb; do dpkg-deb -x "$deb" .; done
chmod 755 "$dir"
[ "$(id -u)" != 0 ] || chown postgres: data

unset PGPORT PGSERVICE PGOPTIONS
export PGUSER=office PGHOST="$dir/data" PGDATABASE=postgres PATH="$bin:$PATH"
as_user "$bin/initdb" -D data/main -U office -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
cat >> data/main/postgresql.conf <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$dir/data'
	fsync = off
CONF
as_user "$bin/pg_ctl" -D data/main -l data/log -w start >/dev/null
psql -qX -c 'CREATE TABLE queue (created timestamptz)' -c "INSERT INTO queue VALUES (now() - interval '3 hours')"
echo "$packages, $("$bin/postgres" --version)"

check()
{
	perl usr/bin/check_postgres --action=custom_query --dbname=postgres --dbuser=office --host="$dir/data" \
		--valtype=time --warning='10 minutes' --critical='1 hour' --query="$1" >out 2>/dev/null && code=0 || code=$?
	echo "$code $(cut -d ' ' -f 2 out | tr -d :)"
}

answer="three hours, as interval: $(check 'SELECT max(now() - created) AS result FROM queue')
two days, as interval: $(check "SELECT max(now() - created) + interval '2 days' AS result FROM queue")
three hours, in seconds: $(check 'SELECT extract(epoch FROM max(now() - created)) AS result FROM queue')
NULL: $(check 'SELECT max(now() - created) AS result FROM queue WHERE false')"
echo "$answer"
[ "$answer" = 'three hours, as interval: 0 OK
two days, as interval: 0 OK
three hours, in seconds: 2 CRITICAL
NULL: 0 OK' ]

cat > queries.yaml <<'YAML'
queue:
  query: "SELECT max(now() - created) AS age, max(now() - created) AS gauge, floor(extract(epoch FROM max(now() - created)) / 60) AS minutes FROM queue"
  metrics:
    - age: {usage: "DURATION", description: "age of the oldest"}
    - gauge: {usage: "GAUGE", description: "the same"}
    - minutes: {usage: "GAUGE", description: "the same, as a number"}
YAML
DATA_SOURCE_NAME="host=$dir/data user=office dbname=postgres sslmode=disable" usr/bin/prometheus-postgres-exporter \
	--web.listen-address=127.0.0.1:$port --extend.query-path=queries.yaml \
	--disable-default-metrics --disable-settings-metrics >exporter.log 2>&1 &
exporter=$!
for _ in $(seq 60); do
	if curl -sf "http://127.0.0.1:$port/metrics" >metrics; then break; fi
	sleep 0.5
done
answer=$(sed -n 's/{.*}//; /^queue_/p; /^pg_exporter_last_scrape_error/p' metrics | sort)
echo "$answer"
[ "$answer" = 'pg_exporter_last_scrape_error 0
queue_minutes 180' ]

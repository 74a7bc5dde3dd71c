#!/bin/bash
#
# databases.sh: from a change to the wire, in one of many databases.
#
# A server of its own has one database in which 15,000 messages are made by one
# UPDATE and sent, and 1, 20 and 200 others, copies of a template.  Beside that
# drain a permit is changed here and there; there are at most 8 workers, so most
# of these changes find their database without one.  For each number of databases
# it says
#
#	databases NUMBER MEDIAN 99TH
#
# in milliseconds, from the UPDATE (not its COMMIT) to the arrival of the request
# at a local HTTP server; and what each of the idle databases costs:
#
#	visit MILLISECONDS	of CPU, when the server starts
#	slot BYTES			of shared memory
#	worker KB			of private memory, of a worker that is idle
#
# Run alone, or sourced by run.sh.
#
# Environment: BIN, the programs of a PostgreSQL that has the extension (built if
# not set), NUMBERS (1 20 200), EVENTS for each (40), PERMITS (15000).
#
set -euo pipefail

# What run.sh calls: the lines above, as points and figures.
stage_databases()
{
	local number p50 p99

	say "databases: changes beside a drain, 8 workers"
	BIN=$bin_new run bash "$here/databases.sh" > "$work/databases"
	sed 's/^/   /' "$work/databases"
	while read -r number p50 p99; do
		point databases median "$number" "$p50"
		point databases "99 %" "$number" "$p99"
	done < <(sed -n 's/^databases //p' "$work/databases")
	read -r number p50 p99 < <(sed -n 's/^databases //p' "$work/databases" | tail -n 1)
	figure "change to wire in one of $number databases, 99 %" "$p99 ms" "<= 2000"
	note "an idle database, visited at the server's start" "$(sed -n 's/^visit //p' "$work/databases") ms of CPU, once"
}
if [ "${BASH_SOURCE[0]}" != "$0" ]; then
	return 0
fi

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
numbers=${NUMBERS:-1 20 200}
events=${EVENTS:-40}
permits=${PERMITS:-15000}
work=$(mktemp -d /tmp/sicantik_wa_databases.XXXXXX)
chmod 755 "$work"
simulator=

finish()
{
	[ -z "$simulator" ] || kill "$simulator" 2>/dev/null || true
	[ ! -d "$work/data" ] || as_postgres "$bin/pg_ctl" -D "$work/data" stop -m immediate >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# PostgreSQL does not run as root
as_postgres()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid postgres --regid postgres --clear-groups env HOME="$work" "$@"
	else
		"$@"
	fi
}
q() { "$bin/psql" -XqAt -v ON_ERROR_STOP=1 "$@"; }
percentile() { sort -g | awk -v p="$1" '{ v[NR] = $1 } END { i = int(NR * p / 100 + 0.999); printf "%.0f", v[i < 1 ? 1 : i] }'; }

# until_is VALUE COMMAND...: for a minute
until_is()
{
	local value=$1 i
	shift
	for ((i = 0; i < 600; i++)); do
		[ "$("$@")" != "$value" ] || return 0
		sleep 0.1
	done
	echo "still not $value: $*" >&2
	tail -5 "$work/log" >&2
	return 1
}

bin=${BIN:-$("$checkout/test/private-pg.sh" "$work/build")}
gcc -O2 -std=c11 -o "$work/static_server" "$here/static_server.c"
"$work/static_server" -s fonnte -m 'N-' > "$work/simulator.out" 2>/dev/null &
simulator=$!
disown
until grep -q '^ready' "$work/simulator.out"; do kill -0 "$simulator"; done
port=$(awk '{print $2}' "$work/simulator.out")

mkdir "$work/data"
[ "$(id -u)" != 0 ] || chown postgres "$work" "$work/data"
as_postgres "$bin/initdb" -D "$work/data" -U postgres -A trust --no-sync >/dev/null
cat >> "$work/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$work'
shared_preload_libraries = 'sicantik_wa'
sicantik_wa.allowed_hosts = 'fonnte=127.0.0.1:$port'
sicantik_wa.max_workers = 8
max_worker_processes = 16
shared_buffers = 256MB
max_wal_size = 8GB
checkpoint_timeout = 1h
fsync = off
log_min_messages = debug1
CONF
as_postgres "$bin/pg_ctl" -D "$work/data" -l "$work/log" -w start >/dev/null
export PGHOST=$work PGUSER=odoo PGDATABASE=postgres
q -U postgres -c "CREATE ROLE odoo LOGIN CREATEDB" -c "CREATE DATABASE office OWNER odoo"
q -d office -f "$checkout/test/odoo/fixture.sql" >/dev/null
q -d office -v permits=$((events * 2)) -f "$checkout/test/odoo/fixture_many.sql" >/dev/null
q -d office >/dev/null 2>"$work/setup" <<SQL || { cat "$work/setup" >&2; exit 1; }
CREATE EXTENSION sicantik_wa;
SELECT * FROM wa_setup();
SELECT wa_configure('fonnte', '{"base_url": "http://127.0.0.1:$port", "token": "bench", "is_default": true,
	"state": "configured", "min_gap": 0, "gap_jitter": 0, "daily_cap": null, "max_in_flight": 100}');
UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL,
	max_per_transaction = NULL, max_per_hour = NULL, max_per_day_and_number = NULL;
SQL
# make_database NAME: it sends nothing until it is armed
make_database() { q -c "CREATE DATABASE $1 TEMPLATE office STRATEGY file_copy"; }
arm() { q -d "$1" -c "SELECT wa_arm('$1')" >/dev/null 2>&1; }
make_database busy
q -d busy -v permits="$permits" -f "$checkout/test/odoo/fixture_many.sql" >/dev/null
arm busy

dump()
{
	python3 - "$port" <<'PY'
import sys, urllib.request
print(urllib.request.urlopen('http://127.0.0.1:%s/dump' % sys.argv[1]).read().decode(), end='')
PY
}
arrived() { dump | grep -c -e "-$1	" || true; }

# beside NUMBER: changes in the databases that are armed, beside a drain
beside()
{
	local tag=T$RANDOM i drain
	for ((i = 0; i < events; i++)); do
		shuf -n 1 "$work/armed"
	done | while read -r name; do
		# the number says when
		cat <<SQL
\\c $name
UPDATE sicantik_permit SET status = 'active', permit_number = 'N-' || (extract(epoch FROM clock_timestamp()) * 1000000)::bigint || '-$tag'
 WHERE id = (SELECT min(id) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' AND status = 'draft');
SELECT pg_sleep(0.05);
SQL
	done > "$work/changes.sql"
	q -d busy >/dev/null 2>&1 -c "SET sicantik_wa.capture = off" \
		-c "UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%'"
	q -d busy -c "UPDATE sicantik_permit SET status = 'active', permit_number = '$tag-' || id WHERE registration_id LIKE 'MANY-%'" &
	drain=$!
	q -f "$work/changes.sql" >/dev/null
	wait "$drain"
	until_is "$events" arrived "$tag"
	until_is 0 q -d busy -c "SELECT count(*) FROM wa.message WHERE state <> 'sent'"
	dump | awk -v tag="-$tag" 'substr($1, length($1) - length(tag) + 1) == tag { print ($2 - $1) / 1000 }' > "$work/latencies"
	echo "databases $1 $(percentile 50 < "$work/latencies") $(percentile 99 < "$work/latencies")"
}

made=0
: > "$work/armed"
for number in $numbers; do
	while [ "$made" -lt "$number" ]; do
		made=$((made + 1))
		make_database "d$made"
	done
	# as many as there are changes: it takes a moment each
	seq "$number" | shuf -n "$events" | sed 's/^/d/' > "$work/armed"
	while read -r name; do arm "$name"; done < "$work/armed"
	beside "$number"
done

# ---- what an idle one costs -----------------------------------------------------
as_postgres "$bin/pg_ctl" -D "$work/data" stop -m fast >/dev/null
: > "$work/log"
as_postgres "$bin/pg_ctl" -D "$work/data" -l "$work/log" -w start >/dev/null
postmaster=$(head -1 "$work/data/postmaster.pid")
children() { awk '{ print ($16 + $17) * 10 }' "/proc/$postmaster/stat"; }
visited() { grep -c 'sicantik_wa worker for database [0-9]* started' "$work/log" || true; }
before=$(children)
# what one costs some tell; all of them take a minute, or two
enough=$((made + 2 < 60 ? made + 2 : 60))
have_visited() { [ "$(visited)" -lt "$enough" ] || echo enough; }
until_is enough have_visited
# its processor time is known when a process has ended; the last few are idle
ended() { grep -c 'unregistering background worker "sicantik_wa worker' "$work/log" || true; }
awk -v cpu=$(($(children) - before)) -v n="$(ended)" 'BEGIN { printf "visit %.0f\n", n ? cpu / n : 0 }'
q -U postgres -c "SELECT 'slot ' || (allocated_size / 1024) FROM pg_shmem_allocations WHERE name = 'sicantik_wa'"
worker=$(q -U postgres -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' LIMIT 1")
[ -z "$worker" ] || awk '/^Private_/ { kb += $2 } END { print "worker", kb }' "/proc/$worker/smaps_rollup"

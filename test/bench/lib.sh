# lib.sh: what the stages of the bench share.  Sourced by run.sh, which has set
# $here, $checkout and $work.
#
# A stage is a file NAME.sh with a function stage_NAME; it measures, and tells
# what it found:
#
#	figure NAME VALUE [TEST]	a line of the table.  TEST is what awk takes for a
#							condition on VALUE's first word: "<= 1.15"
#	note NAME VALUE			the same, without a target
#	point CURVE SERIES X Y	a point of test/bench/CURVE.svg
#
# A target counts as missed below 0.85 of it, for what is to be small above
# 1/0.85 of it: the same machine is not always as fast.

say() { printf '\n== %s\n' "$*"; }

median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }
percentile() { sort -g | awk -v p="$1" '{ v[NR] = $1 } END { i = int(NR * p / 100); print v[i < 1 ? 1 : i] }'; }
calculate() { awk "BEGIN { printf \"$1\", $2 }"; }

figure()
{
	local verdict= t=${3:-}
	if [ -n "$t" ]; then
		verdict=$(awk -v is="${2%% *}" -v target="$t" 'BEGIN {
			split(target, t, " ")
			least = t[1] == ">="
			base = t[3] == "over" ? t[4] : 0
			floor = least ? t[2] * 0.85 : base + (t[2] - base) / 0.85
			met = least ? is + 0 >= t[2] : is + 0 <= t[2]
			above = least ? is + 0 >= floor : is + 0 <= floor
			# a figure that is not one has not been measured
			print(is !~ /^[0-9.-]+$/ ? "MISSED" : met ? "met" : above ? "floor met" : "MISSED") }')
	fi
	printf '%s|%s|%s|%s\n' "$1" "$2" "${t%% over*}" "$verdict" >> "$work/table"
	printf '   %s: %s %s\n' "$1" "$2" "$verdict"
}
note() { figure "$1" "$2"; }
point() { printf '%s\t%s\t%s\n' "$2" "$3" "$4" >> "$work/curve.$1"; }

# ---- processes ----------------------------------------------------------------
# Everything that runs is noted in $work, each process with a group of its own, so
# that an end by whatever way ends it: an exit, a signal, and (guard) also one
# that cannot be caught.

background()	# COMMAND...: its process id is in $last
{
	setsid "$@" &
	last=$!
	echo "$last" >> "$work/processes"
}
# run COMMAND...: in the foreground, but a signal does not wait for its end
run()
{
	background "$@"
	wait "$last"
}

# PostgreSQL does not run as root
as_postgres()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid postgres --regid postgres --clear-groups env HOME="$work" "$@"
	else
		"$@"
	fi
}

clean()
{
	local pid bin data
	while read -r pid; do
		kill -- "-$pid" 2>/dev/null || true
	done < <(cat "$work/processes" 2>/dev/null)
	while read -r bin data; do
		as_postgres "$bin/pg_ctl" -D "$data" stop -m immediate >/dev/null 2>&1 || true
	done < <(cat "$work/clusters" 2>/dev/null)
	rm -rf "$work"
}
guard()	# PID: clean up when that is gone, unless it has done so
{
	trap '' INT TERM HUP
	while kill -0 "$1" 2>/dev/null; do sleep 0.5; done
	[ ! -d "$work" ] || clean
}
catch_signals()
{
	trap clean EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	work=$work setsid bash -c '. "$1"; guard "$2"' guard "$here/lib.sh" $$ >/dev/null 2>&1 </dev/null &
}

# ---- servers ------------------------------------------------------------------
# start_simulator NAME [OPTION...]: sets port_NAME
start_simulator()
{
	local name=$1
	shift
	[ -x "$work/static_server" ] || gcc -O2 -std=c11 -o "$work/static_server" "$here/static_server.c"
	background "$work/static_server" -s fonnte -m 'N-' "$@" > "$work/$name.out" 2>"$work/$name.counts"
	until grep -q '^ready' "$work/$name.out"; do kill -0 "$last"; done
	printf -v "port_$name" %s "$(awk '{print $2}' "$work/$name.out")"
}

# start_cluster BUILD BIN: a server for this build; use BUILD speaks to it
start_cluster()
{
	local build=$1 bin=$2 data=$work/$1/data

	mkdir -p "$work/$build"
	[ "$(id -u)" = 0 ] && chown postgres "$work/$build"
	as_postgres "$bin/initdb" -D "$data" -U postgres -A trust --no-sync >/dev/null
	as_postgres tee -a "$data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
unix_socket_directories = '$work/$build'
shared_preload_libraries = '${3:-sicantik_wa}'
sicantik_wa.allowed_hosts = '$(hosts)'
sicantik_wa.request_timeout = '3s'
sicantik_wa.max_in_flight = 1000
max_connections = 300
max_worker_processes = 16
max_wal_size = 8GB
min_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = on
CONF
	echo "$bin $data" >> "$work/clusters"
	as_postgres env LD_PRELOAD="$work/slow_dns.so" "$bin/pg_ctl" -D "$data" -l "$work/$build/log" -w start >/dev/null
}

# A server that has run for some time writes its log into files of before, and does not
# have to make any, which is up to a tenth of what an UPDATE of many rows takes.
# spare_log SEGMENTS (of 16 MB): so much of it
spare_log()
{
	{
		for ((i = 0; i < $1; i++)); do
			echo "SELECT FROM pg_logical_emit_message(false, '', ''), pg_switch_wal();"
		done
		echo "CHECKPOINT;"
	} | q -U postgres >/dev/null
}
# what the stages send to
hosts()
{
	echo "fonnte=127.0.0.1:$port_fast,fonnte=127.0.0.1:$port_slow,watzap=127.0.0.1:$port_hang,watzap=127.0.0.1:1,watzap=a.slow.test"
}

use()	# BUILD
{
	local path=bin_$1
	build=$1
	bin=${!path}
	export PGHOST=$work/$1 PGDATABASE=odoo PGUSER=odoo
}
q() { "$bin/psql" -XqAt -v ON_ERROR_STOP=1 "$@"; }

# provider NAME KIND URL [MORE]: the words that make one which is as fast as can be
provider()
{
	echo "SELECT wa_configure('$1', '{\"kind\": \"$2\", \"base_url\": \"$3\", \"token\": \"bench\", \"api_key\": \"bench\", \"number_key\": \"bench\",
	\"state\": \"configured\", \"min_gap\": 0, \"gap_jitter\": 0, \"daily_cap\": null, \"max_in_flight\": 100 ${4:-}}');" |
		if [ "$2" = fonnte ]; then sed 's/"api_key.*"number_key": "bench",//'; else sed 's/"token": "bench",//'; fi
}

# load BUILD: the office's database, with $permits permits of Odoo's real columns,
# indexes and foreign keys
load()
{
	use "$1"
	q -U postgres -d postgres -c "CREATE ROLE odoo LOGIN CREATEDB" -c "CREATE DATABASE odoo OWNER odoo"
	q -f "$checkout/test/odoo/fixture.sql" >/dev/null
	q -v permits="$permits" -f "$checkout/test/odoo/fixture_many.sql" >/dev/null
	q >/dev/null 2>"$work/$1/setup" <<SQL || { cat "$work/$1/setup" >&2; return 1; }
CREATE EXTENSION sicantik_wa;
SELECT * FROM wa_setup();
$(provider fonnte fonnte "http://127.0.0.1:$port_fast" ', "is_default": true')
UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL,
	max_per_transaction = NULL, max_per_hour = NULL, max_per_day_and_number = NULL;
SELECT wa_arm('odoo');
SQL
}

# ---- messages -----------------------------------------------------------------
top() { q -c "SELECT coalesce(max(id), 0) FROM wa.message"; }

# wait_sent CONDITION NUMBER [BUSY].  One session asks, again and again: a new one for
# each time would take half a core from what is measured.  While BUSY is true there is
# no need to count, which takes some of it, too.
wait_sent()
{
	local sent=0 i poll
	coproc poll { "$bin/psql" -XqAt; }
	for ((i = 0; i < 600 && sent < $2; i++)); do
		[ "$i" = 0 ] || sleep 0.2
		echo "SELECT CASE WHEN ${3:-false} THEN 0 ELSE (SELECT count(*) FROM wa.message WHERE state = 'sent' AND $1) END;" >&"${poll[1]}"
		read -r sent <&"${poll[0]}"
	done
	eval "exec ${poll[1]}>&-"
	wait "$poll_PID" 2>/dev/null || true
	[ "$sent" -lt "$2" ] || return 0
	echo "only $sent of $2 messages were sent:" >&2
	q -c "SELECT state, reason, detail, count(*) FROM wa.message WHERE $1 GROUP BY 1, 2, 3" >&2
	tail -5 "$work/$build/log" >&2
	return 1
}

# warm BUILD: a process pays for each page of shared memory that it touches for the
# first time; a worker has done so long ago
warm()
{
	use "$1"
	drain >/dev/null
}

# drain [NUMBER]: one UPDATE makes as many messages; says messages per second,
# from its COMMIT to the last result that was recorded
drain()
{
	local number=${1:-$permits} mark start
	q -c "SET client_min_messages = error" -c "SET sicantik_wa.capture = off" \
		-c "UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%' AND status <> 'draft'"
	mark=$(top)
	start=$(q -c "UPDATE sicantik_permit SET status = 'active', permit_number = '$RANDOM-' || id
		WHERE id IN (SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id LIMIT $number)" \
		-c "SELECT clock_timestamp()")
	wait_sent "id > $mark" "$number" "EXISTS (SELECT FROM wa.ready WHERE message_id > $mark)"
	q -c "SELECT round($number / extract(epoch FROM max(sent_at) - '$start')) FROM wa.message WHERE id > $mark AND state = 'sent'"
}

# send_text NUMBER TEXT [PROVIDER [FIRST]]: to the numbers from there on
send_text()
{
	q -c "SELECT count(wa_send_text('62' || (${4:-85300000000} + n), '$2', '${3:-fonnte}')) FROM generate_series(1, $1) AS n" >/dev/null
}

# rate_of MARK CONDITION: messages per second from the first to the last sent
rate_of()
{
	q -c "SELECT round(count(*) / extract(epoch FROM max(sent_at) - min(sent_at))) FROM wa.message WHERE id > $1 AND $2"
}

# the builds to compare: new, and old where there is one
builds() { echo new ${bin_old:+old}; }

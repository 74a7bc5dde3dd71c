#!/bin/bash
#
# run.sh: the figures (make bench).
#
#	capture		an UPDATE of 20,000 rows of a table with Odoo's own columns,
#				indexes and foreign keys, without and with our triggers
#	latency		from the creation of a message's event to its request's arrival
#				at a local HTTP server, one permit at a time
#	isolation	the same beside a provider that hangs, is dead, or whose name
#				cannot be looked up
#	feedback	the same beside 1,000 webhooks a second, one status each
#	drain		messages per second to that server, composed from one UPDATE,
#				with a durable ledger (fsync on), pacing switched off; alone, and
#				while another session holds an old snapshot
#
# Ratios within one run mean something; absolute times depend on the machine.
# Exits non-zero if a floor is missed: capture ratio 1.5, median latency 10 ms,
# 3,000 messages a second, 95 % of 1,000 beside a provider in trouble, 90 % of
# them beside 1,000 webhooks a second.
#
# Environment: PERMITS (20000), ROUNDS of the capture measurement (7).
#
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
permits=${PERMITS:-20000}
rounds=${ROUNDS:-7}
tap=$checkout/test

"$tap/install-packages.sh"
work=$(mktemp -d /tmp/sicantik_wa_bench.XXXXXX)
chmod 755 "$work"
server=
holder=
hanger=
finish()
{
	[ -n "$holder" ] && kill "$holder" 2>/dev/null || true
	[ -n "$hanger" ] && kill "$hanger" 2>/dev/null || true
	[ -n "$server" ] && kill "$server" 2>/dev/null || true
	[ -n "${bin:-}" ] && as_postgres "$bin/pg_ctl" -D "$work/data" stop -m immediate >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT

# PostgreSQL does not run as root
as_postgres()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid postgres --regid postgres --clear-groups env HOME="$work" "$@"
	else
		"$@"
	fi
}

say() { printf '\n== %s\n' "$*"; }

say "building"
bin=$("$tap/private-pg.sh" "$work/build")
gcc -O2 -std=c11 -o "$work/static_server" "$here/static_server.c"
mkdir "$work/data"
[ "$(id -u)" = 0 ] && chown postgres "$work" "$work/data"

"$work/static_server" -s fonnte -m 'N-' > "$work/server.out" &
server=$!
until grep -q '^ready' "$work/server.out"; do kill -0 "$server"; done
port=$(awk '{print $2}' "$work/server.out")

as_postgres "$bin/initdb" -D "$work/data" -U postgres -A trust --no-sync >/dev/null
cat >> "$work/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$work'
shared_preload_libraries = 'sicantik_wa'
sicantik_wa.allowed_hosts = 'fonnte=127.0.0.1:$port'
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = on
CONF
gcc -shared -fPIC -O2 -o "$work/slow_dns.so" "$tap/unit/slow_dns.c" -ldl
as_postgres LD_PRELOAD="$work/slow_dns.so" "$bin/pg_ctl" -D "$work/data" -l "$work/log" -w start >/dev/null
export PGHOST=$work PGDATABASE=odoo PGUSER=odoo
q() { "$bin/psql" -XqAt -v ON_ERROR_STOP=1 "$@"; }

q -U postgres -d postgres -c "CREATE ROLE odoo LOGIN CREATEDB" -c "CREATE DATABASE odoo OWNER odoo"
q -f "$tap/odoo/fixture.sql" >/dev/null
q -v permits="$permits" -f "$tap/odoo/fixture_many.sql" >/dev/null
q >/dev/null 2>&1 <<SQL
CREATE EXTENSION sicantik_wa;
SELECT * FROM wa_setup();
SELECT wa_configure('fonnte', '{"base_url": "http://127.0.0.1:$port", "token": "bench", "is_default": true,
	"state": "configured", "min_gap": 0, "gap_jitter": 0, "daily_cap": null, "max_in_flight": 100}');
UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL,
	max_per_transaction = NULL, max_per_hour = NULL, max_per_day_and_number = NULL;
SELECT wa_arm('odoo');
SQL

median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
percentile() { sort -g | awk -v p="$1" '{ v[NR] = $1 } END { i = int(NR * p / 100); print v[i < 1 ? 1 : i] }'; }

# ---- capture ----------------------------------------------------------------
say "capture: UPDATE of $permits rows, $rounds rounds of both kinds"
measure()
{
	q <<SQL | awk '/^Time:/ { print $2; exit }'
VACUUM sicantik_permit;
BEGIN;
\timing on
UPDATE sicantik_permit SET status = 'active', permit_number = 'N-' || id,
	write_date = now() AT TIME ZONE 'UTC', write_uid = 2 WHERE registration_id LIKE 'MANY-%';
\timing off
ROLLBACK;
SQL
}
triggers() { q -c "ALTER TABLE sicantik_permit $1 TRIGGER \"00_sicantik_wa_row\", $1 TRIGGER \"00_sicantik_wa_statement\""; }
for ((i = 1; i <= rounds; i++)); do
	triggers DISABLE
	measure >> "$work/bare"
	triggers ENABLE
	measure >> "$work/with"
	printf '   round %d: %s ms bare, %s ms with triggers\n' "$i" "$(tail -1 "$work/bare")" "$(tail -1 "$work/with")"
done
bare=$(median < "$work/bare")
with=$(median < "$work/with")
capture_ratio=$(awk "BEGIN { printf \"%.2f\", $with / $bare }")

# ---- latency ----------------------------------------------------------------
say "latency: 300 permits, one at a time"
q -c "SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id LIMIT 300" > "$work/ids"
while read -r id; do
	echo "UPDATE sicantik_permit SET status = 'active', permit_number = 'N-$id' WHERE id = $id;"
	echo "SELECT pg_sleep(0.005);"
done < "$work/ids" > "$work/latency.sql"
q -f "$work/latency.sql" >/dev/null
wait_sent()
{
	local sent
	for ((i = 0; i < 1200; i++)); do
		sent=$(q -c "SELECT count(*) FROM wa.message WHERE state = 'sent' AND $1")
		[ "$sent" -ge "$2" ] && return 0
		q -c "SELECT pg_sleep(0.1)" >/dev/null
	done
	echo "only $sent of $2 messages were sent:" >&2
	q -c "SELECT state, reason, detail, count(*) FROM wa.message GROUP BY 1, 2, 3" >&2
	tail -5 "$work/log" >&2
	return 1
}
wait_sent true 300
python3 - "$port" > "$work/dump" <<'PY'
import sys, urllib.request
print(urllib.request.urlopen('http://127.0.0.1:%s/dump' % sys.argv[1]).read().decode(), end='')
PY
q -F ' ' -c "SELECT record_id, (extract(epoch FROM at) * 1000000)::bigint FROM wa.event" > "$work/events"
awk 'NR == FNR { at[$1] = $2; next } { id = $1; sub(/^N-/, "", id); sub(/[^0-9].*/, "", id);
	if (id in at) print ($2 - at[id]) / 1000 }' "$work/events" "$work/dump" > "$work/latencies"
[ "$(wc -l < "$work/latencies")" -ge 300 ]
latency_median=$(median < "$work/latencies")
latency_p95=$(percentile 95 < "$work/latencies")

# ---- drain ------------------------------------------------------------------
drain()
{
	local mark
	q -c "SET sicantik_wa.capture = off" \
		-c "UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%'"
	mark=$(q -c "SELECT coalesce(max(id), 0) FROM wa.message")
	q -c "UPDATE sicantik_permit SET status = 'active', permit_number = '$1-' || id WHERE registration_id LIKE 'MANY-%'"
	wait_sent "id > $mark" "$permits"
	q -c "SELECT round(count(*) / extract(epoch FROM max(sent_at) - min(sent_at))) FROM wa.message WHERE id > $mark"
}
say "drain: $permits messages, three times"
for i in 1 2 3; do
	drain "A$i" | tee -a "$work/drain" | sed 's/^/   messages per second: /'
done
rate=$(median < "$work/drain")

say "drain while another session holds an old snapshot, three times"
"$bin/psql" -XqAt -c "BEGIN ISOLATION LEVEL REPEATABLE READ" -c "SELECT count(*) FROM res_partner" \
	-c "SELECT pg_sleep(600)" >/dev/null 2>&1 &
holder=$!
until [ "$(q -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND backend_xmin IS NOT NULL")" -ge 1 ]; do :; done
for i in 1 2 3; do
	drain "B$i" | tee -a "$work/held" | sed 's/^/   messages per second: /'
done
held=$(median < "$work/held")
kill "$holder"

# ---- isolation --------------------------------------------------------------
# A provider in trouble has 2,000 messages of its own to send; the other one must
# not get slower by it.  That one takes 1,000 messages a second, the most that
# Meta grants to a number: at the worker's own limit (drain, above) every message
# of the other provider would count, in trouble or not.  Rounds with and without
# trouble alternate.
say "isolation: 4000 messages, 1000 a second, beside a provider that hangs, that is dead, whose name is never found"
python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1024)
print(s.getsockname()[1], flush=True); time.sleep(3600)' > "$work/hang.out" &
hanger=$!
until [ -s "$work/hang.out" ]; do kill -0 "$hanger"; done
hang=$(cat "$work/hang.out")
q -U postgres -c "ALTER SYSTEM SET sicantik_wa.allowed_hosts = 'fonnte=127.0.0.1:$port,watzap=127.0.0.1:$hang,watzap=127.0.0.1:1,watzap=a.slow.test'" \
	-c "ALTER SYSTEM SET sicantik_wa.request_timeout = '3s'" -c "SELECT pg_reload_conf()" >/dev/null
q -c "UPDATE wa.provider SET rate_per_second = 1000 WHERE name = 'fonnte'"
beside()
{
	local mark
	q >/dev/null <<SQL
DELETE FROM wa.provider WHERE name = 'bad';
$2
SQL
	mark=$(q -c "SELECT coalesce(max(id), 0) FROM wa.message")
	[ -z "$2" ] || q -c "SELECT count(wa_send_text('62853' || to_char(n, 'FM00000000'), 'bad', 'bad')) FROM generate_series(1, 2000) AS n" >/dev/null
	q -c "SELECT count(wa_send_text('62854' || to_char(n, 'FM00000000'), 'good', 'fonnte')) FROM generate_series(1, 4000) AS n" >/dev/null
	wait_sent "id > $mark AND body = 'good'" 4000
	q -c "SELECT round(count(*) / extract(epoch FROM max(sent_at) - min(sent_at))) FROM wa.message WHERE id > $mark AND body = 'good'" | tee -a "$work/$1"
	q -c "SELECT wa_cancel(NULL::text, provider => 'bad')" >/dev/null 2>&1
	until [ "$(q -c "SELECT count(*) FROM wa.message WHERE body = 'bad' AND state IN ('queued', 'sending')")" = 0 ]; do
		q -c "SELECT pg_sleep(0.1)" >/dev/null
	done
}
bad() { echo "SELECT wa_configure('bad', '{\"kind\": \"watzap\", \"base_url\": \"$1\", \"api_key\": \"a\", \"number_key\": \"b\", \"state\": \"configured\", \"min_gap\": 0, \"gap_jitter\": 0, \"daily_cap\": null, \"max_in_flight\": 100}');"; }
for ((i = 1; i <= 3; i++)); do
	printf '   alone %s, hanging %s, dead %s, no name %s\n' "$(beside alone '')" "$(beside hanging "$(bad "http://127.0.0.1:$hang")")" \
		"$(beside dead "$(bad http://127.0.0.1:1)")" "$(beside noname "$(bad https://a.slow.test)")"
done
kill "$hanger"

# ---- feedback ---------------------------------------------------------------
# What is told of messages is stored by the calls and applied by the process that
# sends.  The calls come on sixteen connections, each a transaction of its own.
say "feedback: 4000 messages, 1000 a second, beside 1000 webhooks a second"
q -c "SELECT wa_configure('fonnte', '{\"webhook_secret\": \"a-secret-of-the-bench\"}')" >/dev/null 2>&1
# (an id that looks like a telephone's number is not kept whole)
read -r first last < <(q -F ' ' -c "SELECT min(provider_message_id::bigint), max(provider_message_id::bigint) FROM wa.message WHERE provider = 'fonnte' AND provider_message_id ~ '^[0-9]+\$'")
cat > "$work/told.sql" <<SQL
\set id random($first, $last)
\set read random(0, 1)
SELECT wa_webhook('fonnte', convert_to('{"id": "' || :id || '", "stateid": "S' || :id || '", "state": "'
	|| CASE :read WHEN 1 THEN 'read' ELSE 'delivered' END || '"}', 'UTF8'), NULL, 'a-secret-of-the-bench');
SQL
for ((i = 1; i <= 3; i++)); do
	printf '   alone %s, ' "$(beside before '')"
	"$bin/pgbench" -n -f "$work/told.sql" -c 16 -R 1000 -T 6 > "$work/pgbench" 2>&1 &
	teller=$!
	printf 'with webhooks %s, ' "$(beside told '')"
	wait "$teller"
	awk '/^tps/ { printf "%.0f\n", $3 }' "$work/pgbench" | tee -a "$work/webhooks" | sed 's/$/ webhooks a second/'
	# what fits no message comes again later
	until [ "$(q -c "SELECT count(*) FROM wa.feedback WHERE due_at < clock_timestamp()")" = 0 ]; do q -c "SELECT pg_sleep(0.1)" >/dev/null; done
done
webhooks=$(median < "$work/webhooks")
told=$(awk "BEGIN { printf \"%.0f\", 100 * $(median < "$work/told") / $(median < "$work/before") }")

# ---- result -----------------------------------------------------------------
say "result (PostgreSQL $("$bin/pg_config" --version | awk '{print $2}'), $(nproc) cores)"
verdict() { awk "BEGIN { exit !($1) }" && echo met || { echo MISSED; missed=1; }; }
missed=0
{
	printf '%s|%s|%s|%s\n' figure value floor ""
	printf '%s|%s|%s|%s\n' "capture, UPDATE of $permits rows" "$capture_ratio times ($with ms / $bare ms)" "at most 1.5 times" "$(verdict "$capture_ratio <= 1.5")"
	printf '%s|%s|%s|%s\n' "change to wire, median" "$latency_median ms" "under 10 ms" "$(verdict "$latency_median < 10")"
	printf '%s|%s|%s|%s\n' "change to wire, 95 %" "$latency_p95 ms" "-" ""
	printf '%s|%s|%s|%s\n' "drain" "$rate messages/s" "3000 messages/s" "$(verdict "$rate >= 3000")"
	printf '%s|%s|%s|%s\n' "drain, old snapshot held" "$held messages/s" "3000 messages/s" "$(verdict "$held >= 3000")"
	alone=$(median < "$work/alone")
	for trouble in hanging dead noname; do
		share=$(awk "BEGIN { printf \"%.0f\", 100 * $(median < "$work/$trouble") / $alone }")
		printf '%s|%s|%s|%s\n' "drain beside a provider: $trouble" "$share % of $alone messages/s" "95 %" "$(verdict "$share >= 95")"
	done
	printf '%s|%s|%s|%s\n' "drain beside webhooks" "$told % of $(median < "$work/before") messages/s" "90 %" "$(verdict "$told >= 90")"
	printf '%s|%s|%s|%s\n' "webhooks beside it" "$webhooks a second" "950 a second" "$(verdict "$webhooks >= 950")"
} > "$work/table"
awk -F'|' '{ printf "  %-32s %-36s %-18s %s\n", $1, $2, $3, $4 }' "$work/table"
! grep -q MISSED "$work/table"

# latency.sh: from a change to the arrival of its request.

# changes NAME: 150 permits, one at a time; milliseconds go to $work/latency.NAME
changes()
{
	local mark
	mark=$RANDOM
	# what the status was before does not count: a number is new each time
	q -c "SET client_min_messages = error" -c "SET sicantik_wa.capture = off" \
		-c "UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%' AND status <> 'draft'"
	q -c "SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id LIMIT 150" |
		while read -r id; do
			echo "UPDATE sicantik_permit SET status = 'active', permit_number = 'N-$id-$mark' WHERE id = $id;"
			echo "SELECT pg_sleep(0.005);"
		done > "$work/changes.sql"
	before=$(top)
	q -f "$work/changes.sql" >/dev/null
	wait_sent "id > $before AND res_id IS NOT NULL" 150
	python3 - "$port_fast" <<'PY' | grep -e "-$mark" > "$work/dump"
import sys, urllib.request
print(urllib.request.urlopen('http://127.0.0.1:%s/dump' % sys.argv[1]).read().decode(), end='')
PY
	q -F ' ' -c "SELECT record_id, (extract(epoch FROM max(at)) * 1000000)::bigint FROM wa.event GROUP BY 1" > "$work/events"
	awk 'NR == FNR { at[$1] = $2; next } { id = $1; sub(/^N-/, "", id); sub(/[^0-9].*/, "", id);
		if (id in at) print ($2 - at[id]) / 1000 }' "$work/events" "$work/dump" >> "$work/latency.$1"
}

stage_latency()
{
	local each i old_words=
	say "latency: 150 permits, one at a time, $rounds rounds"
	for ((i = 0; i < rounds; i++)); do
		for each in $(builds); do
			use "$each"
			changes "$each"
		done
	done
	[ -z "$bin_old" ] || old_words=", old $(median < "$work/latency.old") ms"
	figure "change to wire, median" "$(median < "$work/latency.new") ms$old_words" "<= 2"
	[ -z "$bin_old" ] || old_words=", old $(percentile 99 < "$work/latency.old") ms"
	figure "change to wire, 99 %" "$(percentile 99 < "$work/latency.new") ms$old_words" "<= 10"
	use new
	q >/dev/null 2>&1 <<SQL
$(provider bulk fonnte "http://127.0.0.1:$port_fast" ', "rate_per_second": 1000')
SQL
	send_text 4000 beside bulk
	changes beside
	q -c "SELECT wa_cancel(NULL::text, provider => 'bulk')" >/dev/null 2>&1
	figure "change to wire beside 1000 messages/s, median" "$(median < "$work/latency.beside") ms" "<= 20"
}

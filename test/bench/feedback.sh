# feedback.sh: what is told of messages, beside sending.
#
# It is stored by the calls and applied by the process that sends.  The calls come
# on sixteen connections, each a transaction of its own.

stage_feedback()
{
	local i first last_id teller mark
	say "feedback: 4000 messages, 1000 a second, beside 1000 webhooks a second"
	q -c "SELECT wa_configure('fonnte', '{\"webhook_secret\": \"a-secret-of-the-bench\"}')" >/dev/null 2>&1
	q -c "UPDATE wa.provider SET rate_per_second = 1000 WHERE name = 'fonnte'"
	mark=$(top)
	send_text 4000 told
	wait_sent "id > $mark AND body = 'told'" 4000
	# (an id that looks like a telephone's number is not kept whole)
	read -r first last_id < <(q -F ' ' -c "SELECT min(provider_message_id::bigint), max(provider_message_id::bigint) FROM wa.message WHERE provider = 'fonnte' AND provider_message_id ~ '^[0-9]+\$'")
	cat > "$work/told.sql" <<SQL
\set id random($first, $last_id)
\set read random(0, 1)
SELECT wa_webhook('fonnte', convert_to('{"id": "' || :id || '", "stateid": "S' || :id || '", "state": "'
	|| CASE :read WHEN 1 THEN 'read' ELSE 'delivered' END || '"}', 'UTF8'), NULL, 'a-secret-of-the-bench');
SQL
	for ((i = 0; i < rounds && i < 2; i++)); do
		for what in alone beside; do
			if [ "$what" = beside ]; then
				background "$bin/pgbench" -n -f "$work/told.sql" -c 16 -R 1000 -T 6 > "$work/pgbench" 2>&1
				teller=$last
			fi
			mark=$(top)
			send_text 4000 good
			wait_sent "id > $mark AND body = 'good'" 4000
			rate_of "$mark" "body = 'good'" >> "$work/told.$what"
		done
		wait "$teller"
		awk '/^tps/ { printf "%.0f\n", $3 }' "$work/pgbench" >> "$work/webhooks"
		printf '   alone %s, with webhooks %s; %s webhooks/s\n' "$(tail -n 1 "$work/told.alone")" "$(tail -n 1 "$work/told.beside")" "$(tail -n 1 "$work/webhooks")"
		# what fits no message comes again later
		until [ "$(q -c "SELECT count(*) FROM wa.feedback WHERE due_at < clock_timestamp()")" = 0 ]; do q -c "SELECT pg_sleep(0.1)" >/dev/null; done
	done
	figure "drain beside 1000 webhooks/s" "$(calculate %.0f "100 * $(median < "$work/told.beside") / $(median < "$work/told.alone")") % of $(median < "$work/told.alone") messages/s" ">= 90"
	figure "webhooks beside it" "$(median < "$work/webhooks") a second" ">= 950"
	q -c "UPDATE wa.provider SET rate_per_second = NULL WHERE name = 'fonnte'"
}

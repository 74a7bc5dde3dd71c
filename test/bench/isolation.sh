# isolation.sh: a provider in trouble beside another.
#
# It has 2,000 messages of its own to send; the other one must not get slower by
# it.  That one takes 1,000 messages a second, the most that Meta grants to a
# number: at the worker's own limit (drain) every message of the other provider
# would count, in trouble or not.  Rounds with and without trouble alternate.

beside()	# NAME WORDS-THAT-MAKE-THE-OTHER
{
	local mark
	q >/dev/null 2>&1 <<SQL
DELETE FROM wa.provider WHERE name = 'bad';
$2
SQL
	mark=$(top)
	# numbers of its own: to one number the later message waits for the earlier one
	[ -z "$2" ] || send_text 2000 bad bad 85600000000
	send_text 4000 good
	wait_sent "id > $mark AND body = 'good'" 4000
	rate_of "$mark" "body = 'good'" | tee -a "$work/beside.$1"
	q -c "SELECT wa_cancel(NULL::text, provider => 'bad')" >/dev/null 2>&1
	until [ "$(q -c "SELECT count(*) FROM wa.message WHERE body = 'bad' AND state IN ('queued', 'sending')")" = 0 ]; do
		q -c "SELECT pg_sleep(0.1)" >/dev/null
	done
}

stage_isolation()
{
	local i trouble share
	say "isolation: 4000 messages, 1000 a second, beside a provider that hangs, that is dead, whose name is never found"
	q -c "UPDATE wa.provider SET rate_per_second = 1000 WHERE name = 'fonnte'"
	for ((i = 0; i < rounds && i < 2; i++)); do
		printf '   alone %s, hanging %s, dead %s, no name %s\n' "$(beside alone '')" \
			"$(beside hanging "$(provider bad watzap "http://127.0.0.1:$port_hang")")" \
			"$(beside dead "$(provider bad watzap http://127.0.0.1:1)")" \
			"$(beside noname "$(provider bad watzap https://a.slow.test)")"
	done
	for trouble in hanging dead noname; do
		share=$(calculate %.0f "100 * $(median < "$work/beside.$trouble") / $(median < "$work/beside.alone")")
		figure "drain beside a provider: $trouble" "$share % of $(median < "$work/beside.alone") messages/s" ">= 90"
	done
	q -c "UPDATE wa.provider SET rate_per_second = NULL WHERE name = 'fonnte'"
}

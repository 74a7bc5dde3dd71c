# isolation.sh: a provider in trouble beside another.
#
# It has 2,000 messages of its own to send; the other one, which takes what it gets,
# must not get slower by it.  Rounds with and without trouble alternate.

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
	send_text 10000 good
	wait_sent "id > $mark AND body = 'good'" 10000
	rate_of "$mark" "body = 'good'" | tee -a "$work/beside.$1"
	# one that is on the wire cannot be cancelled, and comes back
	until [ "$(q -c "SELECT count(*) FROM wa.message WHERE body = 'bad' AND state IN ('queued', 'sending')")" = 0 ]; do
		q -c "SELECT wa_cancel(NULL::text, provider => 'bad')" >/dev/null 2>&1
		q -c "SELECT pg_sleep(0.1)" >/dev/null
	done
}

stage_isolation()
{
	local i trouble share
	say "isolation: 10000 messages beside a provider that hangs, that is dead, whose name is never found"
	for ((i = 0; i < rounds; i++)); do
		printf '   alone %s, hanging %s, dead %s, no name %s\n' "$(beside alone '')" \
			"$(beside hanging "$(provider bad watzap "http://127.0.0.1:$port_hang")")" \
			"$(beside dead "$(provider bad watzap http://127.0.0.1:1)")" \
			"$(beside noname "$(provider bad watzap https://a.slow.test)")"
	done
	# by that of its own round: the machine is not always as fast
	for trouble in hanging dead noname; do
		share=$(paste "$work/beside.$trouble" "$work/beside.alone" | awk '{ print 100 * $1 / $2 }' | median)
		figure "drain beside a provider: $trouble" "$(calculate %.0f "$share") % of $(median < "$work/beside.alone") messages/s" ">= 90"
	done
}

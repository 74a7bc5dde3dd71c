# backlog.sh: the rate while much else is there.
#
# What waits are messages for a provider that nobody answers for; what is over are
# rows of the ledger that look like those that were sent.

# waiting NUMBER: as many more wait for the provider "dead"
waiting()
{
	[ "$1" -le 0 ] || q -c "SELECT count(wa_send_text('62' || (85400000000 + n), 'waits', 'dead')) FROM generate_series(1, $1) AS n" >/dev/null
}

# finished NUMBER: the ledger has as many more
finished()
{
	[ "$1" -le 0 ] || q -U postgres >/dev/null <<SQL
CREATE TEMP TABLE one AS SELECT * FROM wa.message WHERE state = 'sent' AND body = 'pattern' LIMIT 1;
DO \$\$
DECLARE
	names text = (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
				   WHERE attrelid = 'wa.message'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('id', 'number'));
BEGIN
	EXECUTE format('INSERT INTO wa.message (number, %s) SELECT ''62'' || (85500000000 + n), %s FROM one, generate_series(1, $1) AS n', names, names);
	INSERT INTO wa.attempt (message_id, attempt, provider, started_at, finished_at, http_status, outcome)
		SELECT id, 1, provider, created_at, finished_at, 200, 'accepted' FROM wa.message ORDER BY id DESC LIMIT $1;
END
\$\$;
SQL
}

measure_backlog()	# CURVE X: three times, the median
{
	local i
	: > "$work/some"
	for i in 1 2 3; do drain "$few" >> "$work/some"; done
	rate=$(median < "$work/some")
	point "$1" new "$2" "$rate"
	printf '   %s %s: %s messages/s\n' "$1" "$2" "$rate"
}

stage_backlog()
{
	local few=$((permits < 3000 ? permits : 3000)) n before=0 mark first least backlogs='0 10000 60000'
	say "backlog: $few messages beside others that are over"
	mark=$(top)
	send_text 1 pattern
	wait_sent "id > $mark" 1
	for n in ${LEDGERS:-0 100000 300000}; do
		finished $((n - before))
		before=$n
		measure_backlog ledger "$n"
		[ "$n" != 0 ] || first=$rate
	done
	q -c "VACUUM wa.message"
	figure "drain with $n messages in the ledger" "$(calculate %.2f "$rate / $first") of $first messages/s" ">= 0.9"

	say "backlog: $few messages beside others that wait for a dead provider"
	q -c "$(provider dead watzap http://127.0.0.1:1)" >/dev/null 2>&1
	before=0
	# at least as many wait everywhere
	least=$(echo "${BACKLOGS:-$backlogs}" | awk '{ print $2 }')
	for n in ${BACKLOGS:-$backlogs}; do
		waiting $((n - before))
		before=$n
		measure_backlog backlog "$n"
		[ "$n" != "$least" ] || first=$rate
	done
	figure "drain with $n waiting for a dead provider" "$(calculate %.2f "$rate / $first") of $first messages/s" ">= 0.9"
	q -c "SELECT wa_cancel(NULL::text, provider => 'dead')" >/dev/null 2>&1
}

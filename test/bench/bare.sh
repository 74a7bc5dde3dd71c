# bare.sh: messages to bare numbers, of which contacts may know something.
#
# 200,000 contacts; half of the numbers are one's.  Rounds with the indexes that
# wa_setup() makes of their numbers and without alternate.

bare_round()	# with | without
{
	local mark
	if [ "$1" = with ]; then
		q -c "SELECT FROM wa_setup()" >/dev/null 2>&1
	else
		q -c "DROP INDEX sicantik_wa_phone_sanitized, sicantik_wa_whatsapp_number"
	fi
	mark=$(top)
	q -c "SELECT count(wa_send_text('62' || (81200000000 + 40 * n - n % 2), 'bare', 'fonnte')) FROM generate_series(1, 10000) AS n" >/dev/null
	wait_sent "id > $mark" 10000
	rate_of "$mark" "body = 'bare'" >> "$work/bare.$1"
	printf '   %s: %s messages/s\n' "$1 indexes" "$(tail -n 1 "$work/bare.$1")"
}

stage_bare()
{
	local i with without
	say "bare numbers: 10000 messages, 200,000 contacts"
	q -c "INSERT INTO res_partner (name, type, active, phone_sanitized, whatsapp_number, whatsapp_opt_in, whatsapp_opt_in_date)
		SELECT 'Bare', 'contact', true, '+62' || (81200000000 + 2 * n), CASE WHEN n % 3 = 0 THEN '0' || (81200000000 + 2 * n) END,
		n % 4 = 0, CASE WHEN n % 4 = 0 THEN now() END FROM generate_series(1, 200000) AS n" -c "ANALYZE res_partner"
	bare_round with >/dev/null
	: > "$work/bare.with"
	for ((i = 0; i < rounds; i++)); do
		bare_round without
		bare_round with
	done
	with=$(median < "$work/bare.with")
	without=$(median < "$work/bare.without")
	figure "bare numbers, 200,000 contacts, no index" "$(calculate %.2f "$without / $with") of the rate with one ($without to $with/s)" ">= 0.8"
}

# instructions.sh: what a message costs in instructions, which other machines can
# be compared by, and a busy one does not change.
#
# The server runs under valgrind and sends a few messages, and then, started anew,
# more: what the second time costs above the first is what these messages cost.

instructions_few=50
instructions_more=250
# and once more, when each permit has had so many messages before
instructions_earlier=50

# a past: of each permit messages that are over
earlier()
{
	q >/dev/null <<SQL
INSERT INTO wa.message (scenario, state, number, res_model, res_id, event_id, partner_id, body, params, attempts,
		created_at, finished_at, sent_at)
	SELECT 'permit_ready', 'sent', ltrim(c.phone_sanitized, '+'), 'sicantik.permit', p.id, 0, p.partner_id, 'oke', '{}', 1, t.at, t.at, t.at
	FROM (SELECT id, partner_id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id LIMIT $instructions_more) AS p
	JOIN res_partner AS c ON c.id = p.partner_id,
	generate_series(1, $instructions_earlier) AS n, LATERAL (SELECT now() - interval '1 day' * (n + 30) AS at) AS t
	ORDER BY n, p.id;
SQL
}

# under_valgrind BUILD NUMBER PAST: drains so many messages.  $work/BUILD/parts.PAST.NUMBER has
# a line for each part: its name and its instructions.  "worker" is all that the
# worker did; so few messages it composes by itself.
under_valgrind()
{
	local each=$1 number=$2 past=$3 out=$work/$1/callgrind.$2

	use "$each"
	mkdir -p "$out"
	cat > "$out/postgres" <<SH
#!/bin/sh
unset LD_PRELOAD
exec valgrind -q --tool=callgrind --callgrind-out-file=$out/%p.out "$bin/postgres" "\$@"
SH
	chmod 755 "$out/postgres"
	[ "$(id -u)" = 0 ] && chown postgres "$out"
	as_postgres "$bin/pg_ctl" -D "$work/$each/data" stop -m fast >/dev/null
	as_postgres "$bin/pg_ctl" -D "$work/$each/data" -l "$work/$each/log" -p "$out/postgres" -t 120 -w \
		-o "-c autovacuum=off -c sicantik_wa.request_timeout=30s" start >/dev/null
	drain "$number" >/dev/null
	as_postgres "$bin/pg_ctl" -D "$work/$each/data" -t 120 stop -m fast >/dev/null
	as_postgres env LD_PRELOAD="$work/slow_dns.so" "$bin/pg_ctl" -D "$work/$each/data" -l "$work/$each/log" -w start >/dev/null
	for file in $(grep -lE '\) wa_(compose_run|sql_capture)$' "$out"/*.out); do
		! grep -q ') wa_compose_run$' "$file" || awk '/^totals:/ { print "worker", $2 }' "$file"
		callgrind_annotate --inclusive=yes --auto=no --show-percs=no "$file" 2>/dev/null |
			awk '{ n = $1; gsub(",", "", n); n += 0 }
				# a function stands there once for each file that its text comes from
				match($0, /:wa_(sql_capture|compose_run|deliver_choose) /) {
					name = substr($0, RSTART + 1, RLENGTH - 2)
					if (n > most[name]) most[name] = n
				}
				END { for (name in most) print name, most[name] }'
	done > "$work/$each/parts.$past.$number"
	rm -rf "$out"
}

# instructions_of BUILD NAME PAST: thousands for each message
instructions_of()
{
	awk -v name="$2" -v n=$((instructions_more - instructions_few)) '
		$1 == name { sum += FNR == NR ? -$2 : $2 }
		END { printf "%.0f", sum / n / 1000 }' "$work/$1/parts.$3.$instructions_few" "$work/$1/parts.$3.$instructions_more"
}

stage_instructions()
{
	local each past pid pids=()

	if ! command -v valgrind >/dev/null; then
		note "instructions for each message" "valgrind is not installed"
		return
	fi
	say "instructions, by valgrind: $instructions_few and $instructions_more messages"
	# beside each other: that costs time, and no instructions
	for each in $(builds); do
		(
			under_valgrind "$each" "$instructions_few" none
			under_valgrind "$each" "$instructions_more" none
			earlier
			under_valgrind "$each" "$instructions_few" long
			under_valgrind "$each" "$instructions_more" long
		) &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
	for past in none long; do
		for each in $(builds); do
			note "instructions for each message, $each build$([ $past = none ] || echo ", $instructions_earlier earlier ones")" \
				"$(instructions_of "$each" worker $past) thousand, $(instructions_of "$each" wa_compose_run $past) to compose; capture $(instructions_of "$each" wa_sql_capture $past)"
		done
	done
}

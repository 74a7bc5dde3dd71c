# capture.sh: what our triggers cost the application.
#
# The columns, indexes and foreign keys are Odoo's.  What an UPDATE costs without
# us depends on what it writes: where a foreign key is looked up for each row, or
# many indexes are, we are a smaller part of it.  So what Odoo's write() does to a
# permit that becomes active is measured (two columns of its own, write_date, and
# write_uid, as it was before), and beside it the cheapest that is watched.
#
# Workers are held off meanwhile (sicantik_wa.enabled), so that no composing takes
# the CPU from what is measured.  A loss stands beside what the same statement
# without triggers loses to itself: a loss that is not larger than that, of either
# sign, says nothing, whatever the verdict behind it.

capture_rounds=$((rounds * 5))
single_rounds=$((rounds * 2))

triggers() { q -c "ALTER TABLE sicantik_permit $1 TRIGGER \"00_sicantik_wa_row\", $1 TRIGGER \"00_sicantik_wa_statement\""; }

workers() { q -U postgres -c "ALTER SYSTEM SET sicantik_wa.enabled = $1" -c "SELECT pg_reload_conf()" >/dev/null; }

# milliseconds of an UPDATE of all permits that is rolled back
time_update()	# SET-CLAUSE
{
	q <<SQL | awk '/^Time:/ { print $2; exit }'
VACUUM sicantik_permit;
BEGIN;
\timing on
UPDATE sicantik_permit SET $1, write_date = now() AT TIME ZONE 'UTC', write_uid = 1 WHERE registration_id LIKE 'MANY-%';
\timing off
ROLLBACK;
SQL
}

# compare_update NAME SET-CLAUSE BUILDS: alternating rounds without and with
# triggers, of these builds; the ratio is in $ratio_new and $ratio_old
compare_update()
{
	local i each what
	ratio_old=
	for ((i = 0; i < capture_rounds; i++)); do
		for each in $3; do
			use "$each"
			for what in DISABLE ENABLE; do
				triggers "$what"
				time_update "$2" >> "$work/capture.$1.$each.$what"
			done
		done
	done
	for each in $3; do
		bare=$(median < "$work/capture.$1.$each.DISABLE")
		with=$(median < "$work/capture.$1.$each.ENABLE")
		printf -v "ratio_$each" %s "$(calculate %.3f "$with / $bare")"
	done
	use new
	bare=$(median < "$work/capture.$1.new.DISABLE")
	with=$(median < "$work/capture.$1.new.ENABLE")
}

# transactions per second of single-row UPDATEs, alternating.  Of each statement
# without our triggers, with them, and without them again; what is not watched
# writes other columns, and so is compared with itself.
# compare_single NAME CLIENTS FIRST-STATEMENT KINDS
compare_single()
{
	local i each statement kinds=($4)
	# a permit of its own for each client: they wait for no row
	for statement in watched unwatched; do
		{
			echo "\\set n random(0, $((permits / $2 - 1)))"
			[ -z "$3" ] || echo "$3"
			if [ "$statement" = unwatched ]; then
				echo "UPDATE sicantik_permit SET notes = 'n' || :n, write_date = now() AT TIME ZONE 'UTC' WHERE registration_id = (SELECT registration_id FROM bench_permit WHERE n = :client_id * $((permits / $2)) + :n);"
			else
				echo "UPDATE sicantik_permit SET status = CASE status WHEN 'draft' THEN 'active' ELSE 'draft' END, write_date = now() AT TIME ZONE 'UTC' WHERE registration_id = (SELECT registration_id FROM bench_permit WHERE n = :client_id * $((permits / $2)) + :n);"
			fi
		} > "$work/single.$statement.sql"
	done
	for ((i = 0; i < single_rounds; i++)); do
		# another one is the first in each round: nothing is always behind the same
		for each in "${kinds[@]:i % ${#kinds[@]}}" "${kinds[@]:0:i % ${#kinds[@]}}"; do
			triggers "$([ "${each#*-}" = with ] && echo ENABLE || echo DISABLE)"
			PGOPTIONS='-c synchronous_commit=off' "$bin/pgbench" -n -f "$work/single.${each%-*}.sql" -c "$2" -j "$2" -T 1 2>/dev/null |
				awk '/^tps/ { printf "%.0f\n", $3 }' >> "$work/single.$1.$each"
		done
	done
	bare=$(median < "$work/single.$1.watched-bare")
	loss_watched=$(loss "$1" watched-with watched-bare)
	loss_itself=$(loss "$1" watched-again watched-bare)
}

# loss NAME KIND BARE: percent of the transactions
loss()
{
	calculate %.1f "100 - 100 * $(median < "$work/single.$1.$2") / $(median < "$work/single.$1.$3")"
}

stage_capture()
{
	local each
	say "capture: UPDATE of $permits rows, $capture_rounds rounds of each kind"
	for each in $(builds); do
		use "$each"
		# nothing is to be composed beside the measurement
		workers off
		q -c "CREATE TABLE IF NOT EXISTS bench_permit AS SELECT row_number() OVER (ORDER BY id) - 1 AS n, registration_id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'" \
			-c "CREATE INDEX ON bench_permit (n)" -c "VACUUM ANALYZE bench_permit"
	done
	compare_update odoo "status = 'active', permit_number = 'N-' || id" "$(builds)"
	figure "capture, what Odoo writes to $permits rows" "$ratio_new times ($with ms / $bare ms)${ratio_old:+, old $ratio_old}" "<= 1.15 over 1"
	compare_update status "status = 'active'" new
	figure "capture, the status alone" "$ratio_new times ($with ms / $bare ms)${ratio_old:+, old $ratio_old}" "<= 1.15 over 1"
	compare_update notes "notes = 'x'" new
	figure "capture, nothing that is watched" "$ratio_new times ($with ms / $bare ms)${ratio_old:+, old $ratio_old}" "<= 1.02 over 1"
	use new
	compare_single plain 1 '' "watched-bare watched-with watched-again unwatched-bare unwatched-with unwatched-again"
	figure "single rows by pgbench, watched" "$loss_watched % of $bare/s lost, itself $loss_itself" "<= 6"
	figure "single rows by pgbench, not watched" "$(loss plain unwatched-with unwatched-bare) % lost, itself $(loss plain unwatched-again unwatched-bare)" "<= 1"
	compare_single discard 1 'DISCARD ALL;' "watched-bare watched-with watched-again"
	figure "the same after DISCARD ALL, watched" "$loss_watched % of $bare/s lost, itself $loss_itself" "<= 6"
	compare_single eight 8 '' "watched-bare watched-with watched-again"
	figure "the same on 8 connections, watched" "$loss_watched % of $bare/s lost, itself $loss_itself" "<= 6"
	for each in $(builds); do
		use "$each"
		triggers ENABLE
		q -U postgres -c "DELETE FROM wa.event" -c "DROP TABLE bench_permit" -c "VACUUM wa.event, sicantik_permit"
		workers on
	done
}

# capture.sh: what our triggers cost the application.
#
# The columns, indexes and foreign keys are Odoo's.  What an UPDATE costs without
# us depends on what it writes: where a foreign key is looked up for each row, or
# many indexes are, we are a smaller part of it.  So what Odoo's write() does to a
# permit that becomes active is measured (two columns of its own, write_date, and
# write_uid, as it was before), and beside it the cheapest that is watched.
#
# Workers are held off meanwhile (sicantik_wa.enabled), so that no composing takes
# the CPU from what is measured.  The loss of a single row stands beside what one of
# two tables without triggers loses to the other: a loss that is not larger than that,
# of either sign, says nothing, whatever the verdict behind it.

capture_rounds=$((rounds * 5))
single_rounds=$((rounds * 2))

triggers() { q -c "ALTER TABLE sicantik_permit $1 TRIGGER USER"; }

workers() { q -U postgres -c "ALTER SYSTEM SET sicantik_wa.enabled = $1" -c "SELECT pg_reload_conf()" >/dev/null; }

# milliseconds of an UPDATE of all permits that is rolled back
time_update()	# SET-CLAUSE
{
	q <<SQL | awk '/^Time:/ { print $2; exit }'
VACUUM sicantik_permit, wa.event;
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

# Two tables like sicantik_permit, which nobody watches: with its foreign keys, and with
# those that refer to it, whose triggers are looked at for each row, too.
unwatched_tables()
{
	local schema
	for schema in bare again; do
		q <<SQL | q
SELECT 'CREATE SCHEMA $schema;';
SELECT DISTINCT format('CREATE TABLE $schema.%1\$I (LIKE public.%1\$I INCLUDING ALL);', c.relname)
	FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
	WHERE 'public.sicantik_permit'::regclass IN (k.conrelid, k.confrelid);
SELECT 'INSERT INTO $schema.sicantik_permit SELECT * FROM public.sicantik_permit;';
SELECT format('ALTER TABLE $schema.%I ADD %s;', c.relname,
		replace(pg_get_constraintdef(k.oid), 'REFERENCES sicantik_permit(', 'REFERENCES $schema.sicantik_permit('))
	FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
	WHERE k.contype = 'f' AND 'public.sicantik_permit'::regclass IN (k.conrelid, k.confrelid);
SQL
	done
	# what was updated before has room on its pages for more
	q -c "VACUUM (FULL, ANALYZE) public.sicantik_permit, bare.sicantik_permit, again.sicantik_permit"
}

# update SCHEMA SET-CLAUSE CLIENTS [FIRST-STATEMENT]: a script for pgbench that changes
# one row; each client has rows of its own
update()
{
	printf '\\set n %s + :client_id * %s + random(0, %s)\n%s\n' "$lowest" $((permits / $3)) $((permits / $3 - 1)) "${4:-}"
	echo "UPDATE $1.sicantik_permit SET $2, write_date = now() AT TIME ZONE 'UTC' WHERE id = :n;"
}

# with a COMMIT that waits for the disk, as a server does that nobody has told otherwise,
# unless $commit says "off"
run_pgbench() { PGOPTIONS="-c synchronous_commit=${commit:-on}" "$bin/pgbench" -n "$@" 2>/dev/null; }

# loss KIND NAME [TARGET]: the figure of what is in $work/single.KIND, a line for each
# round: watched, not watched, not watched again; milliseconds
loss()
{
	figure "$2" "$(awk '{ print 100 - 50 * ($2 + $3) / $1 }' "$work/single.$1" | median | awk '{ printf "%.1f", $1 }') % of $(
		awk '{ print 2000 / ($2 + $3) }' "$work/single.$1" | median | awk '{ printf "%.0f", $1 }')/s lost, itself $(
		awk '{ print 100 - 100 * $2 / $3 }' "$work/single.$1" | median | awk '{ printf "%.1f", $1 }')" "${3:-}"
}

# Single rows on one connection: the three tables take turns within one run, so that
# whatever else the machine does meets all of them alike; another one is the first in
# each round.
# single KIND SET-CLAUSE [FIRST-STATEMENT]
single()
{
	local i order orders=("public bare again" "bare again public" "again public bare")
	for ((i = 0; i < single_rounds; i++)); do
		for order in ${orders[i % 3]}; do
			update "$order" "$2" 1 "${3:-}"
		done > "$work/single.sql"
		run_pgbench -r -f "$work/single.sql" -c 1 -T 1 |
			awk '$1 ~ /^[0-9.]+$/ { ms += $1 } / UPDATE / { split($0, word, /UPDATE |[.]sicantik/); of[word[2]] = ms; ms = 0 }
				END { print of["public"], of["bare"], of["again"] }' >> "$work/single.$1"
	done
}

# The same on 8 connections, which wait for each other, so that what a statement takes
# says little: the time of a transaction, in short runs that take turns
# single_of_eight KIND SET-CLAUSE
single_of_eight()
{
	local i each
	for each in public bare again; do
		update "$each" "$2" 8 > "$work/single.$each.sql"
	done
	for ((i = 0; i < single_rounds; i++)); do
		for each in public bare again; do
			run_pgbench -f "$work/single.$each.sql" -c 8 -j 8 -T 1 | awk '/^tps/ { printf "%f ", 1000 / $3 }'
		done
		echo
	done >> "$work/single.$1"
}

stage_capture()
{
	local each lowest turn commit=
	say "capture: UPDATE of $permits rows, $capture_rounds rounds of each kind"
	for each in $(builds); do
		use "$each"
		# nothing is to be composed beside the measurement
		workers off
		q -c "SET client_min_messages = error" -c "SET sicantik_wa.capture = off" \
			-c "UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%' AND status <> 'draft'"
	done
	compare_update odoo "status = 'active', permit_number = 'N-' || id" "$(builds)"
	figure "capture, what Odoo writes to $permits rows" "$ratio_new times ($with ms / $bare ms)${ratio_old:+, old $ratio_old}" "<= 1.15 over 1"
	compare_update status "status = 'active'" new
	figure "capture, the status alone" "$ratio_new times ($with ms / $bare ms)${ratio_old:+, old $ratio_old}" "<= 1.15 over 1"
	compare_update notes "notes = 'x'" new
	figure "capture, nothing that is watched" "$ratio_new times ($with ms / $bare ms)${ratio_old:+, old $ratio_old}" "<= 1.02 over 1"
	use new
	triggers ENABLE
	unwatched_tables
	lowest=$(q -c "SELECT min(id) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'")
	turn="status = CASE status WHEN 'draft' THEN 'active' ELSE 'draft' END"
	single plain "$turn"
	loss plain "single rows by pgbench, watched" "<= 6"
	single notes "notes = 'n' || :n"
	loss notes "single rows by pgbench, not watched" "<= 1"
	single discard "$turn" "DISCARD ALL;"
	loss discard "the same after DISCARD ALL, watched" "<= 6"
	single_of_eight eight "$turn"
	loss eight "the same on 8 connections, watched" "<= 6"
	commit=off
	single bare_cost "$turn"
	loss bare_cost "single rows, no COMMIT waits for the disk"
	single_of_eight bare_cost_eight "$turn"
	loss bare_cost_eight "the same on 8 connections"
	commit=
	q -c "SET client_min_messages = error" -c "DROP SCHEMA bare, again CASCADE"
	for each in $(builds); do
		use "$each"
		triggers ENABLE
		q -U postgres -c "DELETE FROM wa.event" -c "VACUUM wa.event, sicantik_permit"
		workers on
	done
}

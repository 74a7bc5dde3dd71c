# mass.sh: much at once: one transaction that changes 100,000 permits, the daily run
# over a million, 100,000 held messages that are released by one call.
#
# Environment: MASS (100000), SCAN (1000000).

mass=${MASS:-100000}
scan=${SCAN:-1000000}

# Private memory, in MB, of the processes that work for this database: the most there has been.
memory_peak()
{
	local pid
	for pid in $(q -c "SELECT pid FROM pg_stat_activity WHERE datname = 'odoo' AND backend_type LIKE 'sicantik_wa%'"); do
		awk '/^RssAnon/ { printf "%.0f\n", $2 / 1024 }' "/proc/$pid/status" 2>/dev/null
	done | sort -g | tail -n 1
}

# until_true CONDITION: asks again and again in one session, so it is one that costs
# nothing until it is nearly true; the most memory meanwhile is in $peak
until_true()
{
	local answer=f memory poll poll_PID
	peak=0
	coproc poll { "$bin/psql" -XqAt; }
	while [ "$answer" != t ]; do
		echo "SELECT $1;" >&"${poll[1]}"
		read -r answer <&"${poll[0]}"
		memory=$(memory_peak)
		[ "${memory:-0}" -le "$peak" ] || peak=$memory
		sleep 0.1
	done
	eval "exec ${poll[1]}>&-"
	wait "$poll_PID" 2>/dev/null || true
}

more_permits()	# NUMBER OF ALL
{
	local there
	there=$(q -c "SELECT count(*) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'")
	[ "$there" -ge "$1" ] || q -v permits="$(($1 - there))" -f "$checkout/test/odoo/fixture_many.sql" >/dev/null
}

# change NAME: all of them in one transaction; $mark and $start are set
change()
{
	q -c "SET client_min_messages = error" -c "SET sicantik_wa.capture = off" \
		-c "UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%' AND status <> 'draft'"
	q -U postgres -c "VACUUM ANALYZE sicantik_permit" -c "CHECKPOINT"
	mark=$(top)
	start=$(q -c "UPDATE sicantik_permit SET status = 'active', permit_number = '$1-' || id
			WHERE id IN (SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id LIMIT $mass)" \
		-c "SELECT clock_timestamp()")
	until_true "CASE WHEN (SELECT max(id) FROM wa.message) >= $mark + $mass THEN (SELECT count(*) >= $mass FROM wa.message WHERE id > $mark) ELSE false END"
}

# Has all above $mark been sent?
all_sent() { echo "CASE WHEN EXISTS (SELECT FROM wa.ready) THEN false ELSE NOT EXISTS (SELECT FROM wa.message WHERE id > $mark AND state <> 'sent') END"; }

# since_start AGGREGATE: seconds from $start to that of the messages above $mark, but for what was sent before
since_start()
{
	q -c "SELECT round((extract(epoch FROM $1 - '$start'))::numeric, 3) FROM wa.message
		WHERE id > $mark AND coalesce(sent_at, created_at) > '$start'"
}

stage_mass()
{
	local mark start released each seconds

	say "mass: $mass permits change in one transaction; their provider is paused"
	more_permits "$mass"
	q -c "SELECT wa_pause()" >/dev/null 2>&1
	change MASS
	figure "$mass permits of one transaction, composed" "$(calculate %.0f "$mass / $(since_start "max(created_at)")") messages/s" ">= 20000"
	figure "private memory meanwhile" "$peak MB" "<= 64"
	q -c "SELECT wa_resume()" -c "SELECT 1" >/dev/null 2>&1
	until_true "$(all_sent)"

	say "mass: wa_release() of $mass held messages"
	q -c "UPDATE wa.scenario SET max_per_transaction = 10"
	change HELD
	q -c "UPDATE wa.scenario SET max_per_transaction = NULL"
	{
		read -r start
		read -r _
		read -r released
	} < <(q -c "SELECT clock_timestamp()" -c "SELECT wa_release(reason => 'bulk')" -c "SELECT clock_timestamp()" 2>/dev/null)
	seconds=$(q -c "SELECT round(extract(epoch FROM timestamptz '$released' - '$start'), 3)")
	note "the call of wa_release() for $mass messages" "$seconds s"
	start=$released
	until_true "$(all_sent)"
	figure "from its COMMIT to the first one sent" "$(since_start "min(sent_at)") s" "<= 1"
	note "$mass released, sent" "$(calculate %.0f "$mass / $(since_start "max(sent_at)")") messages/s"
	figure "private memory while they go" "$peak MB" "<= 64"

	say "mass: the daily run over $scan permits"
	q >/dev/null <<SQL
SET sicantik_wa.capture = off;
INSERT INTO sicantik_permit (permit_type_id, partner_id, registration_id, applicant_name, permit_type_name, permit_number,
		status, issue_date, expiry_date, received_date, is_renewal, create_uid, write_uid, create_date, write_date)
	SELECT p.permit_type_id, p.partner_id, 'SCAN-' || n, p.applicant_name, p.permit_type_name, 'SCAN-' || n,
		'active', p.issue_date, current_date + n % 1826, p.received_date, false, 1, 1, p.create_date, p.write_date
	FROM generate_series(1, $scan) AS n JOIN (SELECT row_number() OVER () AS k, * FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' LIMIT 1000) AS p
		ON p.k = 1 + n % 1000;
SQL
	q -U postgres -c "VACUUM ANALYZE sicantik_permit"
	# the first one ever only notes what there is
	for each in first next; do
		start=$(q -c "SELECT clock_timestamp()")
		q -c "SELECT wa_run_scenario('permit_expiry_warning')" >/dev/null 2>&1
		seconds=$(q -c "SELECT round(extract(epoch FROM clock_timestamp() - '$start'), 2)")
		[ "$each" = first ] && note "the first daily run" "$seconds s"
	done
	figure "a daily run over $scan permits" "$seconds s" "<= 5"
}

# Daily scenarios: when they are due, once a day whatever happens, what the
# two of them say and to whom.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $node = new_cluster('main', conf => join("\n",
		'restart_after_crash = on',
		'sicantik_wa.worker_idle_timeout = 1'));

sub sql
{
	return $node->safe_psql('odoo', $_[0]);
}

# Run a scenario by hand: what it returned, and its notice.
sub run_by_hand
{
	my ($key) = @_;
	my ($code, $out, $err) = $node->psql('odoo', "SELECT wa_run_scenario('$key')");

	return $code == 0 ? "$out, " . ($err =~ /NOTICE:  (.*)/ ? $1 : '') : $err;
}

# Make a scenario due now, as if it had not run today.
sub make_due
{
	my ($key) = @_;

	sql("DELETE FROM wa.daily_run WHERE scenario = '$key';"
		  . " UPDATE wa.scenario SET created_at = now() - interval '2 days', active = true,"
		  . " weekdays = NULL, daily_at = '00:00' WHERE key = '$key'");
	return;
}

sub wait_ran
{
	my ($key) = @_;

	return wait_sql($node, 'odoo', "SELECT count(*) FROM wa.daily_run WHERE scenario = '$key'", '1');
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');

# The due computation, at any time of any clock

sub due
{
	my ($clock, %o) = @_;

	return sql(sprintf(
			q{SELECT concat_ws(' ', day, due, to_char(next AT TIME ZONE '%s', 'Dy DD HH24:MI'))}
			  . q{ FROM wa._daily_run_due('%s', '%s', '%s', %s, '%s', '{%s}')},
			$o{zone} || 'Asia/Jakarta', $clock, $o{zone} || 'Asia/Jakarta', $o{at} || '10:00',
			$o{weekdays} ? "'{$o{weekdays}}'" : 'NULL', $o{since} || '2026-01-01 00:00+00', $o{done} || ''));
}

# 20 November 2026 is a Friday
is(due('2026-11-20 09:59:59+07'), '2026-11-20 f Fri 20 10:00', 'not before its time');
is(due('2026-11-20 10:00:00+07'), '2026-11-20 t Sat 21 10:00', 'due at its time');
is(due('2026-11-20 23:59:59+07'), '2026-11-20 t Sat 21 10:00', 'due until the end of the day');
is(due('2026-11-20 10:00:00+07', done => '2026-11-20'), '2026-11-20 f Sat 21 10:00', 'not twice');
is(due('2026-11-21 00:30:00+07', done => '2026-11-20'), '2026-11-21 f Sat 21 10:00',
	'the day is the office\'s, not that of UTC');
is(due('2026-11-20 10:00:00+07', zone => 'Asia/Jayapura', done => '2026-11-20'), '2026-11-20 f Sat 21 10:00',
	'two hours further east');
is(due('2026-11-20 08:00:00+07', zone => 'Asia/Jayapura'), '2026-11-20 t Sat 21 10:00', 'it is ten there already');
is(due('2026-11-21 12:00:00+07', weekdays => '1,2,3,4,5'), '2026-11-21 f Mon 23 10:00', 'not on a Saturday');
is(due('2026-11-20 09:00:00+07', done => '2026-11-20'), '2026-11-20 f Sat 21 10:00',
	'a clock that steps back an hour repeats nothing');
is(due('2026-11-19 12:00:00+07', done => '2026-11-19,2026-11-20'), '2026-11-19 f Sat 21 10:00',
	'nor one that steps back a day');
is(due('2026-11-20 10:00:00+07', done => '2031-05-05'), '2026-11-20 t Sat 21 10:00',
	'a clock that was years ahead for a while silences nothing');
is(due('2026-11-20 15:00:00+07', since => '2026-11-20 11:00:00+07'), '2026-11-20 f Sat 21 10:00',
	'what was installed after its time begins with the next day');
is(due('2026-11-20 15:00:00+07', since => '2026-11-20 11:00:00+07', at => '14:00'), '2026-11-20 t Sat 21 14:00',
	'unless it is given a later time');

# The defaults

sql("SELECT * FROM wa_setup(); UPDATE wa.scenario SET active = daily_at IS NULL;"
	  . " SELECT wa_set('link_dashboard', 'https://izin.example.go.id/dashboard');"
	  . " SELECT wa_set('renewal_link', 'https://izin.example.go.id/renewal/{registration_id}')");
is( sql(q{SELECT string_agg(concat_ws(' ', key, daily_at, weekdays, thresholds, time_to_live, unknown_policy, priority,
		requires_opt_in), E'\n' ORDER BY key) FROM wa.scenario WHERE daily_at IS NOT NULL}),
	"permit_expiry_warning 09:00:00 {90,60,30,7} 3 days resend normal t\n"
	  . "reminder 10:00:00 {1,2,3,4,5} {90,60,30,7} 08:00:00 give up low f",
	'policies');
like(run_by_hand('permit_ready'), qr/is not a daily one.*HINT:  Daily scenarios: permit_expiry_warning, reminder/s,
	'a scenario that is not a daily one');
like(run_by_hand('remainder'), qr/scenario "remainder" does not exist.*HINT:/s, 'and one that does not exist');

# Reminder: document 3 waits for user 6 since two days

is(run_by_hand('reminder'), '1, scenario "reminder": 1 queued; 1 documents waiting for more than 24 hours',
	'a reminder by hand');
is( sql(q{SELECT concat_ws('|', partner_id, params->>'jumlah', params->>'jenis_izin', params->>'nama_pemohon',
		params->>'waktu_pending', params->>'link_dashboard', priority, unknown_policy, requires_opt_in, res_model, res_id,
		expires_at - created_at < interval '8 hours 1 minute')
	FROM wa.message WHERE scenario = 'reminder'}),
	'21|1|Izin Mendirikan Bangunan|Siti Aminah|2 hari|https://izin.example.go.id/dashboard|low|give up|f|sicantik.document|3|t',
	'it says what waits, to the approver');

# Documents of every kind of responsible person, each waiting for some hours
my @cases = (
	[ 'approver', 'approver_id', 5 ], [ 'signer', 'signer_id', 5 ], [ 'uploader', 'uploaded_by', 5 ],
	[ 'follower', 'follower', 20 ], [ 'staff group', 'group', undef ], [ 'nobody', undef, undef ]);
sql("DELETE FROM wa.message WHERE scenario = 'reminder'; DELETE FROM mail_followers; DELETE FROM signature_workflow;"
	  . " UPDATE sicantik_document SET state = 'signed'; UPDATE res_partner SET phone = '0812-7777-0007' WHERE id = 3");

sub reminded
{
	my ($changes) = @_;

	sql("DELETE FROM signature_workflow; DELETE FROM mail_followers; UPDATE wa.scenario SET staff_group = NULL;"
		  . " UPDATE sicantik_document SET state = 'pending_signature', signer_id = NULL, uploaded_by = 8,"
		  . " write_date = now() AT TIME ZONE 'UTC' - interval '26 hours 10 minutes' WHERE id = 2;"
		  . " DELETE FROM wa.event; $changes");
	run_by_hand('reminder');
	return sql(q{WITH d AS (DELETE FROM wa.message WHERE scenario = 'reminder' RETURNING *)
		SELECT string_agg(concat_ws(' ', partner_id, params->>'jumlah', params->>'waktu_pending'), ', ' ORDER BY partner_id) FROM d});
}

my $pending = 'INSERT INTO signature_workflow (document_id, approver_id, state, create_date) VALUES';
is(reminded("$pending (2, 6, 'pending', now() AT TIME ZONE 'UTC' - interval '50 hours')"
	  . "; UPDATE sicantik_document SET signer_id = 5, uploaded_by = 2 WHERE id = 2; DELETE FROM wa.event"),
	'21 1 2 hari', 'the approver first, since the request');
is(reminded("UPDATE sicantik_document SET signer_id = 6, uploaded_by = 5 WHERE id = 2"), '21 1 26 jam', 'then the signer');
is(reminded("UPDATE sicantik_document SET uploaded_by = 5 WHERE id = 2"), '20 1 26 jam', 'then who uploaded it');
is(reminded("INSERT INTO mail_followers (res_model, res_id, partner_id) VALUES ('sicantik.document', 2, 21), ('sicantik.document', 2, 23)"),
	'21 1 26 jam', 'a portal user has uploaded it: internal followers');
is(reminded("UPDATE wa.scenario SET staff_group = 'base.group_system'"),
	sql(q{SELECT string_agg(u.partner_id || ' 1 26 jam', ', ' ORDER BY u.partner_id) FROM res_users AS u
		WHERE u.active AND NOT u.share AND EXISTS (SELECT FROM res_groups_users_rel AS r, ir_model_data AS d
		WHERE r.uid = u.id AND r.gid = d.res_id AND d.model = 'res.groups' AND d.module = 'base' AND d.name = 'group_system')}),
	'then the group');
is(reminded(''), '3 1 26 jam, 20 1 26 jam, 21 1 26 jam', 'else three internal users with a number');
is(reminded("UPDATE sicantik_document SET signer_id = 6, state = 'pending_signature',"
	  . " write_date = now() AT TIME ZONE 'UTC' - interval '75 hours' WHERE id IN (2, 3)"
	  . "; DELETE FROM wa.event; UPDATE sicantik_document SET write_date = now() AT TIME ZONE 'UTC' - interval '30 hours' WHERE id = 2"),
	'21 2 3 hari', 'one message a person, about the oldest');
sql("UPDATE sicantik_document SET state = 'signed' WHERE id = 3");
is(reminded("$pending (2, 6, 'pending', now() AT TIME ZONE 'UTC' - interval '23 hours')"), '', 'not within a day');
is(reminded("DELETE FROM wa.event; UPDATE sicantik_document SET state = 'signed' WHERE id = 2;"
	  . " UPDATE sicantik_document SET state = 'pending_signature' WHERE id = 2"), '',
	'without a request what we saw counts, not write_date');
sql("UPDATE sicantik_document SET state = 'signed'");

# Permits that expire

is(run_by_hand('permit_expiry_warning'),
	'0, scenario "permit_expiry_warning": 0 queued; first run: 4 permits had reached a threshold before; they count as announced until the next one',
	'the first run takes a baseline');
is(sql("SELECT outcome || ': ' || detail FROM wa.event_outcome WHERE outcome = 'baseline'"),
	'baseline: first run: 4 permits had reached a threshold before; they count as announced until the next one',
	'and says so in the ledger');
ok(slurp_file($node->logfile) =~ /LOG: .*first run: 4 permits/, 'and in the log');
is(run_by_hand('permit_expiry_warning'), '0, scenario "permit_expiry_warning": 0 queued', 'the second has nothing new');

my $today = "(now() AT TIME ZONE 'Asia/Jakarta')::date";
sub warned
{
	run_by_hand('permit_expiry_warning');
	return sql(q{WITH d AS (DELETE FROM wa.message WHERE scenario = 'permit_expiry_warning' RETURNING *)
		SELECT string_agg(concat_ws(' ', res_id, partner_id, params->>'remaining_days'), ', ' ORDER BY res_id) FROM d});
}
sub set_left
{
	my ($days, $ids) = @_;

	sql("UPDATE sicantik_permit SET expiry_date = $today + $days WHERE id IN ($ids)");
	return warned();
}

is(set_left(91, '2'), '', 'not yet');
is(set_left(90, '2'), '2 10 90', 'ninety days');
is(warned(), '', 'once');
is(set_left(61, '3'), '3 11 61', 'a new date is news: 90 is due until 60');
sql("UPDATE wa.announced SET key = replace(key, ($today + 61)::text, ($today + 58)::text) WHERE key LIKE 'expiry:sicantik.permit:3:%'");
is(set_left(58, '3'), '3 11 58', 'a day that was missed is made up for');
is(set_left(0, '3'), '3 11 0', 'the last day');
is(set_left(-1, '3'), '', 'what is over is no warning');
sql("UPDATE sicantik_permit SET status = 'renewed' WHERE id = 6");
is(set_left(5, '6'), '', 'only active permits');
sql("INSERT INTO sicantik_permit (registration_id, permit_number, applicant_name, status, partner_id, permit_type_id, issue_date, expiry_date)"
	  . " VALUES ('REG-NEW', '503/NEW', 'Budi Santoso', 'active', 10, 1, $today - 330, $today + 20)");
like(warned(), qr/^\d+ 10 20$/, 'a permit that is imported late: the threshold of now, no earlier one');
sql("UPDATE sicantik_permit SET partner_id = NULL, expiry_date = $today + 27 WHERE id = 5");
is(warned() . warned(), '', 'no contact');
is(sql("SELECT count(*) FROM wa.event_outcome WHERE scenario = 'permit_expiry_warning' AND record_id = 5 AND outcome = 'no recipient'"),
	'1', 'is noted once');
sql('UPDATE sicantik_permit SET partner_id = 18 WHERE id = 5');
is(warned(), '5 18 27', 'one that is linked later');
sql("UPDATE wa.scenario SET thresholds = '{14}' WHERE key = 'permit_expiry_warning'");
is(set_left(60, '4'), '', 'thresholds of the office');
is(set_left(14, '4'), '4 16 14', 'are used');
my ($code, $out, $err) = $node->psql('odoo', "UPDATE wa.scenario SET thresholds = '{-1}' WHERE key = 'reminder'");
like($err, qr/scenario_thresholds_check/, 'nonsense is refused');
sql("UPDATE wa.scenario SET thresholds = DEFAULT");
sql("SELECT wa_set('contact_dpmptsp', '0628-20001'); UPDATE sicantik_permit SET expiry_date = $today + 7 WHERE id = 2");
run_by_hand('permit_expiry_warning');
is( sql(q{SELECT concat_ws('|', params->>'partner_name', params->>'permit_type', params->>'permit_number',
		params->>'expiry_date' = to_char(} . $today . q{ + 7, 'DD-MM-YYYY'), params->>'remaining_days', params->>'renewal_link',
		params->>'contact_dpmptsp', event_id IS NULL, res_model) FROM wa.message WHERE scenario = 'permit_expiry_warning' AND res_id = 2}),
	'Budi Santoso|Surat Izin Usaha Perdagangan|503/0002/SIUP/2026|t|7|https://izin.example.go.id/renewal/REG-2026-0002|0628-20001|t|sicantik.permit',
	'what it says');
is(sql("SELECT count(*) FROM sicantik_permit WHERE expiry_notified_7 OR expiry_notified_90"), '0', 'Odoo\'s flags are left alone');

# A table that is locked, by hand

my $locker = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
$locker->do('BEGIN; LOCK TABLE sicantik_permit');
like(run_by_hand('permit_expiry_warning'), qr/table "sicantik_permit" is locked at the moment.*HINT/s, 'a locked table is an error by hand');

# The worker

sql('DELETE FROM wa.message');
make_due('permit_expiry_warning');
is(sql("SELECT count(*) FROM wa.daily_run WHERE scenario = 'permit_expiry_warning'"), '0', 'nothing is noted while the table is locked');
$locker->do('COMMIT');
sql("UPDATE sicantik_permit SET expiry_date = $today + 5 WHERE id = 4");
ok(wait_ran('permit_expiry_warning'), 'the worker runs it when it is free');
ok(wait_sql($node, 'odoo', "SELECT error IS NULL AND detail IS NOT NULL FROM wa.daily_run WHERE scenario = 'permit_expiry_warning'"), 'and notes the run');

# a table of ours that is locked is no failed run either
my $logged = -s $node->logfile;
$locker->do('BEGIN; LOCK TABLE wa.announced');
sql("UPDATE sicantik_permit SET expiry_date = $today + 6 WHERE id = 4");
make_due('permit_expiry_warning');
$node->wait_for_log(qr/sicantik_wa waits: table "wa.announced" is locked/, $logged);
is(sql("SELECT count(*) FROM wa.daily_run WHERE scenario = 'permit_expiry_warning'"), '0', 'nothing is noted while a table of ours is locked');
$locker->do('COMMIT');
ok(wait_ran('permit_expiry_warning'), 'the worker runs it when that is free');
ok(wait_sql($node, 'odoo', "SELECT error IS NULL FROM wa.daily_run WHERE scenario = 'permit_expiry_warning'"), 'and not as a failure');

# by hand and by the worker: one of them waits for the other
sql("DELETE FROM wa.message; UPDATE sicantik_permit SET expiry_date = $today + 4 WHERE id = 4");
my $hand = SicantikWa::Session->new($node, 'odoo');
sql("UPDATE wa.scenario SET active = false WHERE key = 'permit_expiry_warning'; DELETE FROM wa.daily_run");
$hand->do("BEGIN; SELECT wa_run_scenario('permit_expiry_warning')");
sql("UPDATE wa.scenario SET active = true WHERE key = 'permit_expiry_warning'");
$hand->do('COMMIT');
ok(wait_ran('permit_expiry_warning'), 'a run by hand at the same time');
is(sql("SELECT count(*) FROM wa.message WHERE res_id = 4"), '1', 'and nobody is warned twice');

# A crash between the run and its commit leaves nothing, or everything
sql("DELETE FROM wa.message; UPDATE sicantik_document SET state = 'pending_signature', signer_id = 6,"
	  . " write_date = now() AT TIME ZONE 'UTC' - interval '2 days' WHERE id = 3; DELETE FROM wa.event");
sql('UPDATE wa.scenario SET active = false WHERE daily_at IS NOT NULL');
make_due('reminder');
$node->stop('immediate');
$node->start;
ok(wait_ran('reminder'), 'after a crash');
$node->restart;
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo'", '0'),
	'and a restart the worker looks and leaves');
is(sql("SELECT count(*) FROM wa.message WHERE scenario = 'reminder'"), '1', 'there is one reminder');

# The launcher starts a worker for the next due time.  The time is near, the
# worker has gone by then.
sql("DELETE FROM wa.daily_run; UPDATE wa.scenario SET weekdays = NULL,"
	  . " daily_at = ((now() + interval '4 seconds') AT TIME ZONE 'Asia/Jakarta')::time WHERE key = 'reminder'");
ok(wait_ran('reminder'), 'the time comes');
is(sql("SELECT ran_at >= (day + daily_at) AT TIME ZONE 'Asia/Jakarta' FROM wa.daily_run JOIN wa.scenario ON key = scenario"),
	't', 'not before it');

# A run that fails
sql("DELETE FROM wa.message; UPDATE wa.template SET active = false WHERE key = 'reminder'");
make_due('reminder');
ok(wait_ran('reminder'), 'a broken template');
like(sql("SELECT queued || error FROM wa.daily_run WHERE scenario = 'reminder'"), qr/^0template "reminder" of scenario/,
	'is noted, and not tried for ever');
ok(slurp_file($node->logfile) =~ /could not run the scenario "reminder"/, 'the log says so');
sql("UPDATE wa.template SET active = true WHERE key = 'reminder'");
like(run_by_hand('reminder'), qr/^1, /, 'once it is mended it is run by hand');

# Not every role may
sql('CREATE ROLE clerk LOGIN');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_run_scenario('reminder')", extra_params => [ '-U', 'clerk' ]);
like($err, qr/permission denied for sicantik_wa/, 'a role without a level');

# A module that is not there
sql('DROP TABLE sicantik_document CASCADE; DROP TABLE sicantik_permit CASCADE');
is(run_by_hand('reminder') . run_by_hand('permit_expiry_warning'),
	'0, scenario "reminder": 0 queued; there is no table sicantik_document with a column state'
	  . '0, scenario "permit_expiry_warning": 0 queued; there is no table sicantik_permit with a column expiry_date',
	'an Odoo without the module');

done_testing();

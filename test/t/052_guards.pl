# Guards against talking nonsense to citizens: too much at once, too much for
# one person, old news, the wrong person, silence when it is wished for, no
# message at night, and none that is not true any more.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }

# The messages about permits: how many of which scenario, state and reason.
sub ledger
{
	my ($where) = @_;

	wait_read($node, 'odoo');
	return sql("SELECT string_agg(concat_ws(' ', n, scenario, state, reason), ', ' ORDER BY scenario, state, reason) FROM"
		  . " (SELECT count(*) AS n, scenario, CASE WHEN state IN ('queued', 'sending', 'sent') THEN 'passed' ELSE state END AS state,"
		  . " CASE WHEN state IN ('queued', 'sending', 'sent') THEN NULL ELSE reason END AS reason"
		  . " FROM wa.message WHERE res_id IN (SELECT id FROM sicantik_permit WHERE $where) GROUP BY 2, 3, 4) AS m");
}

my @ids;
sub drafts
{
	my ($n) = @_;
	my @taken = splice(@ids, 0, $n);

	return join(',', @taken);
}

# Make these permits ready in one transaction.
sub make_ready
{
	my ($ids) = @_;

	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'G/' || id WHERE id IN ($ids)");
	return;
}

sub policy
{
	my ($set, $key) = @_;

	sql("UPDATE wa.scenario SET $set WHERE key = '" . ($key || 'permit_ready') . "'");
	return;
}

load_odoo($node, 'odoo');
load_many($node, 'odoo', 400);
sql('CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
is( sql("SELECT hours_from, hours_to, max_per_transaction, max_per_hour, max_per_day_and_number, news_days FROM wa.scenario WHERE key = 'permit_ready'"),
	'07:00:00|20:00:00|25|60|10|30',
	'the policy that wa_setup() leaves');
is( sql("SELECT hours_to, weekdays FROM wa.scenario WHERE key = 'document_pending'"),
	'18:00:00|{1,2,3,4,5}', 'and for staff');
foreach my $nonsense (
	"hours_from = '20:00', hours_to = '07:00'", 'hours_to = NULL',
	"weekdays = '{0}'", "weekdays = '{}'", 'max_per_hour = -1',
	'max_per_day_and_number = 0', 'news_days = -1')
{
	my ($code) = $node->psql('odoo', "UPDATE wa.scenario SET $nonsense");
	isnt($code, 0, "a CHECK refuses $nonsense");
}
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
is(sql("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'a provider');
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 50; SELECT wa_arm('odoo')");
@ids = split(/\n/, sql("SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id"));

# Bulk

policy('max_per_transaction = 25');
my $bulk = drafts(40);
make_ready($bulk);
is( ledger("id IN ($bulk)"),
	'15 permit_ready held bulk, 25 permit_ready passed',
	'of 40 in one transaction 15 are held');
like(sql("SELECT detail FROM wa.message WHERE reason = 'bulk' LIMIT 1"),
	qr/more than 25 messages of this scenario from one transaction/,
	'a sentence says why');
my $more = drafts(26);
make_ready($more);
is( ledger("id IN ($more)"),
	'1 permit_ready held bulk, 25 permit_ready passed',
	'the next transaction counts for itself');
my @warnings = slurp_file($node->logfile) =~ /holds messages of scenario "permit_ready"/g;
is(scalar @warnings, 1, 'one warning in the log');
is(sql("SELECT wa_release('permit_ready', 4)"), '4', 'wa_release() with a maximum');
ok( wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE reason = 'bulk' AND state = 'held'", '12'),
	'four went');
my ($code, $out, $err) = $node->psql('odoo',
	"SELECT wa_cancel('permit_ready', until => now() - interval '1 day')");
is($out, '0', 'wa_cancel() of another time');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_cancel('permit_ready', now() - interval '1 hour')");
is($out, '12', 'wa_cancel() by scenario and time');
like($err, qr/NOTICE:  54 messages of scenario "permit_ready" made in that time are left alone: /,
	'the others are left alone, and why');
ok( wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE state = 'cancelled'", '12'),
	'cancelled');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_cancel('permit_redy')");
isnt($code, 0, 'a scenario that does not exist is an error');
like($err, qr/scenario "permit_redy" does not exist/, 'and named');

# An hour's limit, over several transactions; what passed before counts only
# where there was a limit.
policy('max_per_transaction = NULL, max_per_hour = 5');
my $first = drafts(3);
make_ready($first);
my $second = drafts(4);
make_ready($second);
is( ledger("id IN ($first, $second)"),
	'2 permit_ready held bulk, 5 permit_ready passed', 'five in an hour');
sql("UPDATE wa.scenario_rate SET minute = minute - interval '61 minutes'");
my $third = drafts(1);
make_ready($third);
is(ledger("id IN ($third)"), '1 permit_ready passed', 'an hour later one passes');
policy('max_per_hour = NULL');

# A batch that spans several reads of the stream
policy('max_per_transaction = 7');
my $large = drafts(120);
make_ready($large);
is( ledger("id IN ($large)"),
	'113 permit_ready held bulk, 7 permit_ready passed',
	'a large transaction is one');
policy('max_per_transaction = NULL');

# wa_retry() by scenario
sql("UPDATE wa.message SET state = 'failed', reason = 'recipient' WHERE id IN"
	  . " (SELECT id FROM wa.message WHERE state = 'held' AND reason = 'bulk' ORDER BY id DESC LIMIT 3)");
is(sql("SELECT wa_retry('permit_ready')"), '3', 'wa_retry() by scenario');
ok( wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE state = 'failed'", '0'),
	'they go again');

# Per number and day

policy('max_per_day_and_number = 3', 'status_update');
my $one = drafts(1);
foreach my $status ('active', 'expired', 'active', 'cancelled', 'active')
{
	sql("UPDATE sicantik_permit SET status = '$status', expiry_date = current_date WHERE id = $one");
	wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE res_id = $one AND state IN ('queued', 'sending')", '0')
	  if wait_read($node, 'odoo');
}
is( ledger("id = $one"),
	'1 status_update held daily_limit, 3 status_update passed, 1 status_update superseded newer_status',
	'the fourth of a day to one number is held, and superseded by the fifth');
policy('max_per_day_and_number = NULL', 'status_update');

# News only

my ($old, $received, $expired, $fresh) = (drafts(1), drafts(1), drafts(1), drafts(1));
sql("UPDATE sicantik_permit SET issue_date = current_date - 40 WHERE id = $old;"
	  . "UPDATE sicantik_permit SET issue_date = NULL, received_date = current_date - 40 WHERE id = $received");
make_ready("$old, $received, $fresh");
is( ledger("id IN ($old, $received)"),
	'2 permit_ready skipped not_news',
	'a permit of last month is no news');
like(sql("SELECT detail FROM wa.message WHERE res_id = $old"),
	qr/was issued on .* more than 30 days ago/, 'and why');
is(ledger("id = $fresh"), '1 permit_ready passed', 'a new one is');
sql("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'active', permit_number = 'x' WHERE id = $expired");
sql("UPDATE sicantik_permit SET status = 'expired', expiry_date = current_date - 40 WHERE id = $expired");
is( ledger("id = $expired"),
	'1 status_update skipped not_news',
	'that it expired long ago is no news');
my $again = drafts(1);
sql("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'active', permit_number = 'x', issue_date = current_date - 40 WHERE id = $again");
foreach my $status ('cancelled', 'active')
{
	sql("UPDATE sicantik_permit SET status = '$status' WHERE id = $again");
	wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE res_id = $again AND state IN ('queued', 'sending')", '0')
	  if wait_read($node, 'odoo');
}
is( sql("SELECT string_agg(concat_ws(' ', scenario, reason, params ->> 'status_lama', params ->> 'status_baru'), ', ' ORDER BY id)"
	  . " FROM wa.message WHERE res_id = $again"),
	'status_update Aktif Dibatalkan, permit_ready not_news, status_update Dibatalkan Aktif',
	'that it is valid again, after it was cancelled, is news');
policy('news_days = NULL');
my $wanted = drafts(1);
sql("UPDATE sicantik_permit SET issue_date = current_date - 400 WHERE id = $wanted");
make_ready($wanted);
is(ledger("id = $wanted"), '1 permit_ready passed', 'unless the policy wants it');

# The wrong person

my $mistaken = drafts(1);
sql("UPDATE sicantik_permit SET applicant_name = ' warga ' WHERE id = $mistaken");
make_ready($mistaken);
is( ledger("id = $mistaken"),
	'1 permit_ready held name_mismatch',
	'a contact that only contains the name is doubtful');
my $same = drafts(1);
sql("UPDATE sicantik_permit SET applicant_name = upper(applicant_name) || ' ' WHERE id = $same");
make_ready($same);
is(ledger("id = $same"), '1 permit_ready passed',
	'capitals and blanks make no difference');

# Mute

is(sql("SELECT wa_mute('permit_ready', now() + interval '1 hour')"), '1', 'wa_mute()');
my $muted = drafts(2);
make_ready($muted);
is(ledger("id IN ($muted)"), '', 'a muted scenario makes no message');
is( sql("SELECT count(*) FROM wa.event_outcome WHERE record_id IN ($muted) AND scenario = 'permit_ready' AND outcome = 'muted'"),
	'2',
	'but an outcome for each');
sql("SELECT wa_mute('permit_ready', NULL)");
my $heard = drafts(1);
make_ready($heard);
is(ledger("id = $heard"), '1 permit_ready passed', 'and speaks again');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_mute('permit_redy', now())");
like($err, qr/scenario "permit_redy" does not exist/, 'wa_mute() of nothing');

# Sending hours: a zone in which it is noon now makes the test independent of
# the time of day.

my $noon = sql("SELECT name FROM pg_timezone_names WHERE name ~ '^(Africa|America|Asia|Atlantic|Europe|Pacific)/[A-Za-z_]+\$'"
	  . " AND extract(hour FROM now() AT TIME ZONE name) = 12 ORDER BY name LIMIT 1");
sql("SELECT wa_set('time_zone', '$noon')");
policy("hours_from = '02:00', hours_to = '03:00'");
my $night = drafts(1);
make_ready($night);
ledger("id = $night");
is( sql("SELECT state, reason, to_char(due_at AT TIME ZONE '$noon', 'HH24:MI'), due_at > now(), expires_at >= due_at + interval '7 days' FROM wa.message WHERE res_id = $night"),
	'queued|outside_hours|02:00|t|t',
	'outside the hours a message waits for the opening');
my $byhand = sql("SELECT wa_send_text('081299990001', 'Halo')");
ok(wait_state($node, 'odoo', $byhand, 'sent'), 'by hand at any time');
is(sql("SELECT state FROM wa.message WHERE res_id = $night"), 'queued', 'it still waits');
policy("hours_from = '11:00', hours_to = '14:00'");
ok( wait_sql($node, 'odoo', "SELECT state FROM wa.message WHERE res_id = $night", 'sent'),
	'changed hours are picked up at once');

# past closing: made in time, but a closed office when its time comes
my $weekday = sql("SELECT extract(isodow FROM now() AT TIME ZONE '$noon')");
sql("UPDATE wa.provider SET active = false");
my $late = drafts(1);
make_ready($late);
ok( wait_sql($node, 'odoo', "SELECT reason FROM wa.message WHERE res_id = $late", 'no_provider'),
	'a message that cannot go');
policy("hours_from = NULL, hours_to = NULL, weekdays = '{" . ($weekday % 7 + 1) . "}'");
sql("UPDATE wa.provider SET active = true");
ok( wait_sql($node, 'odoo', "SELECT reason FROM wa.message WHERE res_id = $late", 'outside_hours'),
	'past closing it waits for the next opening');
is( sql("SELECT extract(isodow FROM due_at AT TIME ZONE '$noon'), due_at > now(), attempts FROM wa.message WHERE res_id = $late"),
	($weekday % 7 + 1) . '|t|0',
	'which is on the next day that is open');
is(sql("SELECT count(*) FROM wa.due"), '1', 'and nothing else is due');
policy('weekdays = NULL');
ok( wait_sql($node, 'odoo', "SELECT state FROM wa.message WHERE res_id = $late", 'sent'),
	'and goes');

# holidays: the same, and no waiting at all for a scenario without hours
my @days = map { sql("SELECT to_char(now() AT TIME ZONE '$noon' + interval '$_ days', 'YYYY-MM-DD')") } 0 .. 2;
sql(qq(SELECT wa_set_holidays('{"$days[0]": "Nyepi", "$days[1]": "Cuti Bersama Nyepi"}')));
policy("hours_from = '11:00', hours_to = '14:00'");
my $holiday = drafts(1);
make_ready($holiday);
ledger("id = $holiday");
is(sql("SELECT reason || to_char(due_at AT TIME ZONE '$noon', ' YYYY-MM-DD HH24:MI') FROM wa.message WHERE res_id = $holiday"),
	"outside_hours $days[2] 11:00", 'on holidays a message waits for the next day that is none');
like(sql("SELECT detail FROM wa.message WHERE res_id = $holiday"), qr/^today is a holiday \(Nyepi\): waits until /, '... and says for what');
like(sql("SELECT string_agg(told::text, chr(32)) FROM wa_why((SELECT id FROM wa.message WHERE res_id = $holiday)) AS told"),
	qr/hari ini hari libur \(Nyepi\): menunggu sampai/, '... in both languages');
like(sql("SELECT state || ' ' || what_to_do FROM wa_check() WHERE item = 'holidays'"), qr/^ok .*\(Nyepi\)/, 'wa_check() names the next one');
is(sql(qq(SELECT wa_set_holidays('{"$days[0]": null}'))), qq({"$days[1]": "Cuti Bersama Nyepi"}), 'a holiday is taken back');
ok( wait_sql($node, 'odoo', "SELECT state FROM wa.message WHERE res_id = $holiday", 'sent'), 'and what waited for its end goes at once');
policy("hours_from = NULL, hours_to = NULL");
sql(qq(SELECT wa_set_holidays('{"$days[0]": "Nyepi", "$days[1]": null}')));
my $any_time = drafts(1);
make_ready($any_time);
ok( wait_sql($node, 'odoo', "SELECT state FROM wa.message WHERE res_id = $any_time", 'sent'), 'a scenario without hours sends on a holiday');
sql('TRUNCATE wa.holiday');
sql("SELECT wa_set('time_zone', 'Asia/Jakarta')");

# Recheck right before sending

sql('UPDATE wa.provider SET active = false');
my ($undone, $renumbered, $true, $gone) = (drafts(1), drafts(1), drafts(1), drafts(1));
make_ready("$undone, $renumbered, $true, $gone");
ok( wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE res_id IN ($undone, $renumbered, $true, $gone) AND reason = 'no_provider'", '4'),
	'four wait');
sql("SET sicantik_wa.capture = off;"
	  . "UPDATE sicantik_permit SET status = 'draft' WHERE id = $undone;"
	  . "UPDATE sicantik_permit SET permit_number = 'other' WHERE id = $renumbered;"
	  . "DELETE FROM sicantik_permit WHERE id = $gone");
my $odoo = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
$odoo->do('BEGIN; LOCK TABLE sicantik_permit IN ACCESS EXCLUSIVE MODE');
sql('UPDATE wa.provider SET active = true');
$byhand = sql("SELECT wa_send_text('081299990002', 'Halo')");
ok(wait_state($node, 'odoo', $byhand, 'sent'),
	'while the table is locked others go');
is( sql("SELECT count(*) FROM wa.message WHERE res_id IN ($undone, $renumbered, $true, $gone) AND state = 'queued'"),
	'4',
	'and these wait');
$odoo->do('COMMIT');
ok( wait_sql($node, 'odoo', "SELECT state FROM wa.message WHERE res_id = $true", 'sent'),
	'what is still true goes');
ok( wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE res_id IN ($undone, $gone) AND state = 'cancelled' AND reason = 'no_longer_true'", '2'),
	'what was undone or deleted is cancelled');
like(sql("SELECT detail FROM wa.message WHERE res_id = $undone"),
	qr/no longer true: status is draft, the message says active/, 'and why');

# The same for documents
sql('UPDATE wa.provider SET active = false');
sql("UPDATE sicantik_document SET state = 'pending_signature' WHERE id = 1");
ok( wait_sql($node, 'odoo',
		"SELECT count(*) > 0 AND bool_and(reason = 'no_provider') FROM wa.message WHERE res_model = 'sicantik.document' AND state <> 'skipped'"),
	'staff are to be told of a document');
sql("UPDATE sicantik_document SET state = 'signed'");
sql('UPDATE wa.provider SET active = true');
ok( wait_sql($node, 'odoo',
		"SELECT bool_and(state = 'cancelled' AND reason = 'no_longer_true') FROM wa.message WHERE res_model = 'sicantik.document' AND state <> 'skipped'"),
	'but it was signed in time');

# Superseding

sql('UPDATE wa.provider SET active = false');
my $changing = drafts(1);
sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $changing");
ok( wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $changing", '1'),
	'an update waits');
sql("UPDATE sicantik_permit SET status = 'expired' WHERE id = $changing");
ok( wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $changing", '2'),
	'a newer one comes');
sql('UPDATE wa.provider SET active = true');
ok( wait_sql($node, 'odoo',
		"SELECT string_agg(state || coalesce(' ' || (params->>'status_baru'), ''), ', ' ORDER BY id) FROM wa.message WHERE res_id = $changing",
		'superseded Dibatalkan, sent Kedaluwarsa'),
	'only the newer one goes');

is(sql("SELECT count(*) FROM wa.message WHERE state IN ('queued', 'sending')"), '0',
	'nothing is left over');
unlike(slurp_file($node->logfile), qr/\[\d+\] (?:ERROR|FATAL|PANIC):.*\n.*sicantik/,
	'no worker had an error');
$node->stop('fast');
done_testing();

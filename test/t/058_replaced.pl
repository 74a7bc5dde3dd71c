# What changes while a message waits.  A message that is out of date is
# replaced: another permit number, another contact, another telephone, another
# document that waits.  One that is not true any more is cancelled, and is news
# again when it becomes true again.  The ledger tells which.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => 'sicantik_wa.worker_idle_timeout = 3600');

sub sql { return $node->safe_psql('odoo', $_[0]); }

# Nothing can go, then all that waits does, after it has been looked at again.
sub closed { sql('UPDATE wa.provider SET active = false'); return; }

sub waits
{
	my ($where, $n) = @_;

	return wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE state = 'queued' AND reason = 'no_provider' AND $where", $n);
}

sub open_again
{
	sql('UPDATE wa.provider SET active = true');
	ok( wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state IN ('queued', 'sending')", '0'),
		'everything is over');
	return;
}

sub told
{
	my ($where) = @_;

	return sql("SELECT string_agg(concat_ws(' ', state, reason), ', ' ORDER BY id) FROM wa.message WHERE $where");
}

load_odoo($node, 'odoo');
load_many($node, 'odoo', 40);
sql('CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT wa_set('language', 'en')");
is(sql("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'a provider');
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 50; SELECT wa_arm('odoo')");
my @ids = split(/\n/, sql("SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id"));

sub make_ready
{
	my (@permits) = @_;

	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'R/' || id WHERE id = $_") foreach @permits;
	return;
}

# Permits: another number, another contact, another telephone

my ($number, $contact, $phone, $nobody, $merged, $mute) = @ids[0 .. 5];
closed();
make_ready($number, $contact, $phone, $nobody, $merged, $mute);
ok(waits("res_id IN ($number, $contact, $phone, $nobody, $merged, $mute)", '6'), 'six wait');
sql("UPDATE sicantik_permit SET permit_number = 'R/corrected' WHERE id = $number;"
	  . " UPDATE sicantik_permit SET partner_id = 10 WHERE id = $contact;"
	  . " UPDATE res_partner SET whatsapp_number = '0812-5555-0001' WHERE id = (SELECT partner_id FROM sicantik_permit WHERE id = $phone);"
	  . " UPDATE sicantik_permit SET partner_id = NULL WHERE id = $nobody;"
	  . " UPDATE res_partner SET whatsapp_number = NULL, phone = NULL, phone_sanitized = NULL"
	  . " WHERE id = (SELECT partner_id FROM sicantik_permit WHERE id = $mute)");
# Odoo's merge: references are pointed at the contact that stays, the other is deleted
sql("CREATE TEMP TABLE m AS SELECT partner_id FROM sicantik_permit WHERE id = $merged;"
	  . " UPDATE sicantik_permit SET partner_id = 11 WHERE id = $merged; DELETE FROM res_partner WHERE id = (SELECT partner_id FROM m)");
open_again();
is(told("res_id = $number"), 'superseded replaced, sent', 'another permit number: the message is replaced');
like(sql("SELECT body FROM wa.message WHERE res_id = $number AND state = 'sent'"), qr{R/corrected}, 'by one that says it');
like(sql("SELECT detail FROM wa.message WHERE res_id = $number AND state = 'superseded'"),
	qr{^message \d+ took its place: permit_number is R/corrected now, it was R/$number$}, 'and the ledger says why');
is( sql("SELECT count(DISTINCT expires_at), count(DISTINCT event_id), count(DISTINCT change ->> 'at') FROM wa.message WHERE res_id = $number"),
	'1|1|1', 'of the same event, to go by the same time');
is(told("res_id = $contact"), 'superseded replaced, sent', 'another contact');
is(sql("SELECT number FROM wa.message WHERE res_id = $contact AND state = 'sent'"), '6281200000010', 'gets it');
is(told("res_id = $phone"), 'superseded replaced, sent', 'another telephone');
is(sql("SELECT number FROM wa.message WHERE res_id = $phone AND state = 'sent'"), '6281255550001', 'is the one that rings');
like(sql("SELECT string_agg(what, E'\\n') FROM wa_why((SELECT id FROM wa.message WHERE res_id = $phone AND state = 'superseded'))"),
	qr/replaced by a newer message .*\n.*a new message took its place: message \d+ took its place: the contact has another number now \(res_partner.whatsapp_number\)/s,
	'wa_why() tells it, without numbers that would outlive the retention');
is(told("res_id = $merged"), 'superseded replaced, sent', 'a contact that was merged');
is(told("res_id = $nobody"), 'cancelled no_longer_true', 'no contact any more');
is(told("res_id = $mute"), 'skipped no_number', 'no number any more: it waits for one');
is(scalar(grep { $_->{to} eq '6281255550001' } $sim->accepted), 1, 'it rings once');

# A follower of the permit has another telephone

my ($followed) = $ids[10];
sql("UPDATE sicantik_permit SET partner_id = NULL WHERE id = $followed; INSERT INTO mail_followers (res_model, res_id, partner_id) VALUES ('sicantik.permit', $followed, 20)");
wait_read($node, 'odoo');
closed();
sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $followed");
ok(waits("res_id = $followed AND partner_id = 20", '1'), 'a follower is to be told');
sql("UPDATE res_partner SET whatsapp_number = '0812-5555-0020' WHERE id = 20");
open_again();
is(told("res_id = $followed AND partner_id = 20"), 'superseded replaced, sent', 'and is told on the new telephone');
is(sql("SELECT count(DISTINCT number), count(DISTINCT params), count(DISTINCT body), max(number) FROM wa.message WHERE res_id = $followed AND partner_id = 20"),
	'2|1|1|6281255550020', 'the same text');

# What was cancelled was never told: it is news when it is true again

my ($undone) = $ids[6];
closed();
make_ready($undone);
ok(waits("res_id = $undone", '1'), 'ready');
sql("UPDATE sicantik_permit SET status = 'draft' WHERE id = $undone");
open_again();
like(told("res_id = $undone AND scenario = 'permit_ready'"), qr/^cancelled no_longer_true$/, 'a wrong click that was taken back');
make_ready($undone);
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $undone AND scenario = 'permit_ready' AND state = 'sent'", '1'),
	'the right click is told');
sql("UPDATE sicantik_permit SET status = 'expired', expiry_date = current_date WHERE id = $number");
sql("UPDATE sicantik_permit SET status = 'active' WHERE id = $number");
wait_read($node, 'odoo');
is(told("res_id = $number AND scenario = 'permit_ready'"), 'superseded replaced, sent',
	'what was told with its corrected number is told for ever');
sql("UPDATE sicantik_permit SET partner_id = 10 WHERE id = $nobody");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $nobody AND state = 'sent'", '1'),
	'the contact comes later');

# A permit that loses its contact before the composer has seen it
my ($late) = $ids[7];
my $partner = sql("SELECT partner_id FROM sicantik_permit WHERE id = $late");
my $locker = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
sub two_before_composing
{
	my (@statements) = @_;

	# events of two transactions, none of them read before both are there: a table of
	# ours that is locked keeps the worker from beginning
	my $holder = SicantikWa::Session->new($node, 'odoo');

	$holder->do('BEGIN; LOCK TABLE wa.read_position');
	sql($_) foreach @statements;
	$holder->do('COMMIT');
	$holder->close;
	wait_read($node, 'odoo');
	return;
}
two_before_composing("UPDATE sicantik_permit SET status = 'active', permit_number = 'L/1' WHERE id = $late",
	"UPDATE sicantik_permit SET partner_id = NULL WHERE id = $late");
is(sql("SELECT count(*) FROM wa.message WHERE res_id = $late AND scenario = 'permit_ready'"), '0', 'nobody to tell');
is(sql("SELECT outcome FROM wa.event_outcome WHERE record_id = $late AND scenario = 'permit_ready'"), 'waiting for recipient', 'it waits');
sql("UPDATE sicantik_permit SET partner_id = $partner WHERE id = $late");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $late AND scenario = 'permit_ready' AND state = 'sent'", '1'),
	'and the contact is told when it is linked');

# Two changes of status, each in its transaction, before the first was read
my ($twice) = $ids[8];
two_before_composing("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $twice",
	"UPDATE sicantik_permit SET status = 'expired', expiry_date = current_date WHERE id = $twice");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $twice AND state = 'sent'", '1'), 'the last status is told');
is( sql("SELECT outcome || ': ' || detail FROM wa.event_outcome WHERE record_id = $twice AND scenario = 'status_update'"),
	'no longer true: the status has changed again since', 'the other one ends with an outcome');
is(sql("SELECT params->>'status_lama', params->>'status_baru' FROM wa.message WHERE res_id = $twice"), 'Dibatalkan|Kedaluwarsa',
	'each transaction is a change of its own');
my $history = sql("SELECT string_agg(what, E'\\n') FROM wa_history((SELECT registration_id FROM sicantik_permit WHERE id = $twice))");
like($history, qr/the status has changed again since.*status_update.*sent/s, 'wa_history() tells both');
closed();
sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $twice");
ok(waits("res_id = $twice", '1'), 'one waits');
sql("UPDATE sicantik_permit SET status = 'draft' WHERE id = $twice");
wait_read($node, 'odoo');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $twice AND state = 'superseded'", '1'), 'a newer one takes its place');
open_again();
is(told("res_id = $twice"), 'sent, superseded newer_status, sent', 'nothing is lost');

# Documents: one message stands for all that wait

sql("UPDATE sicantik_document SET state = 'signed'; UPDATE wa.announced SET announced_at = announced_at - interval '1 hour' WHERE key LIKE 'told:%'");
wait_read($node, 'odoo');
my $pending = "scenario = 'document_pending' AND state <> 'skipped'";
sql("DELETE FROM wa.message WHERE scenario = 'document_pending'");
closed();
sql("UPDATE sicantik_document SET state = 'pending_signature', requires_approval = false WHERE id IN (1, 2)");
wait_read($node, 'odoo');
my $staff = sql("SELECT count(*) FROM wa.message WHERE $pending");
cmp_ok($staff, '>', 0, 'staff are to be told of two documents');
ok(waits($pending, $staff), 'and wait');
my $named = sql("SELECT DISTINCT res_id FROM wa.message WHERE $pending");
my $other = 3 - $named;
sql("UPDATE sicantik_document SET state = 'signed' WHERE id = $named");
open_again();
is( sql("SELECT string_agg(DISTINCT concat_ws(' ', state, res_id, params->>'jumlah'), ', ' ORDER BY concat_ws(' ', state, res_id, params->>'jumlah')) FROM wa.message WHERE $pending"),
	"sent $other 1, superseded $named 2", 'the named one is signed: they hear of the other');
is(sql("SELECT count(*) FROM wa.message WHERE $pending AND state = 'sent'"), $staff, 'each of them');
sql("UPDATE sicantik_document SET state = 'signed'");
sql("UPDATE wa.announced SET announced_at = announced_at - interval '1 hour' WHERE key LIKE 'told:%'; DELETE FROM wa.message WHERE scenario = 'document_pending'");
wait_read($node, 'odoo');
closed();
sql("UPDATE sicantik_document SET state = 'pending_signature' WHERE id = 1");
wait_read($node, 'odoo');
ok(waits($pending, $staff), 'one document');
sql("UPDATE sicantik_document SET state = 'signed' WHERE id = 1");
open_again();
is(sql("SELECT string_agg(DISTINCT concat_ws(' ', state, reason), ', ') FROM wa.message WHERE $pending"), 'cancelled no_longer_true',
	'none waits any more');
sql("UPDATE sicantik_document SET state = 'pending_signature' WHERE id = 2");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE $pending AND state = 'sent'", $staff),
	'who was told nothing does not wait 10 minutes for the next');

# What a workflow made no message of belongs to the story of its permit

my $about = sql('SELECT p.registration_id FROM sicantik_document AS d JOIN sicantik_permit AS p ON p.id = d.permit_id WHERE d.id = 1');
sql("INSERT INTO signature_workflow (document_id, approver_id, state) VALUES (1, 5, 'pending')");
wait_read($node, 'odoo');
like(sql("SELECT string_agg(what, E'\\n') FROM wa_history('$about')"), qr/approval_required: not yet.*signature_workflow/,
	'wa_history() tells of an approver who is not asked yet');

# While a table is locked nothing is replaced, and nothing is lost

my ($locked) = $ids[9];
closed();
make_ready($locked);
ok(waits("res_id = $locked", '1'), 'one waits');
sql("UPDATE sicantik_permit SET permit_number = 'L/2' WHERE id = $locked");
wait_read($node, 'odoo');
$locker->do('BEGIN; LOCK TABLE sicantik_permit_type');
sql('UPDATE wa.provider SET active = true');
my $hand = sql("SELECT wa_send_text('081299990009', 'Halo')");
ok(wait_state($node, 'odoo', $hand, 'sent'), 'others go');
is(told("res_id = $locked"), 'queued no_provider', 'it waits for the table');
$locker->do('COMMIT');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $locked AND state = 'sent' AND body LIKE '%L/2%'", '1'),
	'and goes');

is(sql("SELECT count(*) FROM wa.dead_letter"), '0', 'no dead letter');
unlike(slurp_file($node->logfile), qr/\[\d+\] (?:ERROR|FATAL|PANIC):.*\n.*sicantik/, 'no worker had an error');
$node->stop('fast');
done_testing();

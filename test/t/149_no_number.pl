# Who has no usable number is told once when it comes, whoever brings the message out
# by then, and of nothing that is not so any more: the daily run, another change, or
# wa_retry(), as wa_why() advises.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

load_odoo($node, 'odoo');
my $session = SicantikWa::Session->new($node, 'odoo');
sub sql { return $session->sql($_[0]); }

sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");
sql("SELECT wa_set_template('$_->[0]', '{\"body\": \"$_->[1]\"}')")
  foreach [ permit_ready => 'ready {{permit_number}}' ], [ permit_expiry_warning => 'expires {{remaining_days}}' ], [ approval_required => 'approve {{permit_number}}' ];
sql('UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL');

sub wait_for { return $session->wait_for($_[0]); }
my $over = "$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))";
my $last = 0;

# What was made of this scenario since the last call, when it is over.
my $scenario = 'permit_expiry_warning';
sub told
{
	wait_for($over);
	my $told = sql("SELECT string_agg(concat_ws(' ', state, reason), ', ' ORDER BY id) FROM wa.message WHERE id > $last AND scenario = '$scenario'");
	$last = sql('SELECT coalesce(max(id), 0) FROM wa.message');
	return $told;
}

my $n = 9600;
sub contact
{
	sql('INSERT INTO res_partner (id, name, type, active) VALUES (' . ++$n . ", 'Warga', 'contact', true)");
	return $n;
}
sub permit
{
	my ($partner, $more) = @_;

	return sql("SET sicantik_wa.capture = off; INSERT INTO sicantik_permit (registration_id, applicant_name, status, partner_id, permit_number, expiry_date)"
		  . " VALUES ('NN-$n', 'Warga', '$more', $partner, 'N-$n', current_date + 200) RETURNING id; RESET sicantik_wa.capture");
}
sub status { sql("UPDATE sicantik_permit SET status = '$_[1]' WHERE id = $_[0]"); }
sub number_comes
{
	sql("UPDATE res_partner SET whatsapp_number = '+6285700" . sprintf('%06d', $_[0]) . "' WHERE id = $_[0]");
}
# the look that is every ten minutes
sub look
{
	sql('UPDATE wa.setting SET value = value');
	wait_for('NOT EXISTS (SELECT FROM wa.unreached)');
	return told();
}
sub daily { sql("SELECT FROM wa_run_scenario('permit_expiry_warning')"); return told(); }
sub expires { sql("UPDATE sicantik_permit SET expiry_date = current_date + $_[1] WHERE id = $_[0]"); }

# The daily run

daily();
my $partner = contact();
my $permit = permit($partner, 'active');
expires($permit, 25);
is(daily(), 'skipped no_number', 'a warning for nobody');
is(daily(), '', 'the next day it waits yet');
is(daily(), '', 'and the day after');
number_comes($partner);
is(look(), 'sent', 'the number comes: it is told once');
is(daily(), '', 'and no more');

$permit = permit($partner = contact(), 'active');
expires($permit, 25);
is(daily(), 'skipped no_number', 'another one');
sql("UPDATE wa.message SET expires_at = now() WHERE id = (SELECT max(id) FROM wa.message); UPDATE wa.unreached SET until = now()");
is(daily(), 'skipped no_number', 'which has lived: the run warns anew');
expires($permit, 300);
number_comes($partner);
is(look(), '', 'of a date that is another one by then nobody is warned');

$permit = permit($partner = contact(), 'active');
number_comes($partner);
expires($permit, 6);
sql('SELECT wa_pause()');
sql("SELECT FROM wa_run_scenario('permit_expiry_warning')");
status($permit, 'cancelled');
sql('SELECT wa_resume(NULL)');
is(told(), 'cancelled no_longer_true', 'cancelled while it waits');
status($permit, 'active');
wait_for($over);
is(daily(), 'sent', 'valid again: it is warned of');

# wa_retry()

$scenario = 'permit_ready';
$permit = permit($partner = contact(), 'draft');
told();
status($permit, 'active');
is(told(), 'skipped no_number', 'a permit that is ready');
number_comes($partner);
is(sql("SELECT wa_retry('permit_ready')"), '1', 'and asked for again');
wait_for("EXISTS (SELECT FROM wa.message WHERE res_id = $permit AND scenario = 'permit_ready' AND state = 'sent')");
$last = sql('SELECT max(id) FROM wa.message');
status($permit, $_) foreach 'draft', 'active';
is(told(), '', 'and announced');

$permit = permit($partner = contact(), 'draft');
status($permit, 'active');
is(told(), 'skipped no_number', 'another one');
sql('SELECT wa_pause()');
number_comes($partner);
foreach my $status ('draft', 'active')
{
	status($permit, $status);
	wait_for($ALL_READ);
}
sql("SELECT wa_retry('permit_ready')");
sql('SELECT wa_resume(NULL)');
wait_for("EXISTS (SELECT FROM wa.message WHERE res_id = $permit AND scenario = 'permit_ready' AND state = 'sent') AND $over");
is(sql("SELECT count(*) FROM wa.message WHERE res_id = $permit AND scenario = 'permit_ready' AND state = 'sent'"),
	'1', 'asked for again while a later change says it: once');

# Whoever is to approve

$scenario = 'approval_required';
my $approver = sql('SELECT w.approver_id FROM signature_workflow AS w LIMIT 1');
$partner = sql("SELECT partner_id FROM res_users WHERE id = $approver");
sql("UPDATE res_partner SET whatsapp_number = NULL, phone = NULL, phone_sanitized = NULL WHERE id = $partner");
my $document = sql("SET sicantik_wa.capture = off; INSERT INTO sicantik_document (permit_id, document_number, name, state, requires_approval)"
	  . " VALUES (1, 'D', 'SK', 'draft', true) RETURNING id; RESET sicantik_wa.capture");
sql("SET sicantik_wa.capture = off; INSERT INTO signature_workflow (document_id, approver_id, state) VALUES ($document, $approver, 'pending'); RESET sicantik_wa.capture");
told();
sql("UPDATE wa.scenario SET active = false WHERE key = 'document_pending'");
sql("UPDATE sicantik_document SET state = 'pending_signature' WHERE id = $document");
is(told(), 'skipped no_number', 'an approver');
is(sql('SELECT count(*) FROM wa.unreached'), '1', 'is looked for again');
number_comes($partner);
is(look(), 'sent', 'the number comes: he is asked');

$node->stop;
done_testing();

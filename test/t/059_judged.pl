# Patterns of writing that are plausible and easily told wrong: numbers that
# are yet to be drawn, several requests to one approver, and an approver who
# is replaced while his message waits.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => 'sicantik_wa.worker_idle_timeout = 3600');
my $last = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }

# What was made since the last call, once it is over: scenario, last digits of
# the number, and what became of it if it was not sent.
sub told
{
	wait_read($node, 'odoo');
	wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state IN ('queued', 'sending')", '0');
	my $told = sql("SELECT string_agg(concat_ws(' ', scenario, right(number, 2), nullif(state, 'sent'), reason), ', '"
		  . " ORDER BY scenario, number, id) FROM wa.message WHERE id > $last");
	$last = sql('SELECT coalesce(max(id), 0) FROM wa.message');
	return $told;
}

sub asked
{
	my ($what, $expected, $name) = @_;

	sql($what);
	return is(told(), $expected, $name);
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
is(sql("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'a provider');
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");

# A permit whose number is Odoo's word for one that is yet to be drawn

asked("UPDATE sicantik_permit SET status = 'active', permit_number = 'New', partner_id = 11,"
	  . " applicant_name = 'Siti Aminah' WHERE id = 10",
	'status_update 11', 'a permit with the number New is not ready');
asked("UPDATE sicantik_permit SET permit_number = '503/0010/IPP/2026' WHERE id = 10",
	'permit_ready 11', 'it is when the number has been drawn');
is(sql("SELECT params ->> 'permit_number' FROM wa.message WHERE scenario = 'permit_ready'"),
	'503/0010/IPP/2026', 'and the message has that number');
asked("INSERT INTO sicantik_permit (registration_id, applicant_name, partner_id, status, permit_number)"
	  . " VALUES ('REG-NEW', 'Siti Aminah', 11, 'active', '/')",
	'', 'nor is one that is born active with the number /');

# One approver, two requests about one document

sql("UPDATE wa.scenario SET active = false WHERE key = 'document_pending'");
sql("INSERT INTO sicantik_document (id, permit_id, document_number, name, state, requires_approval)"
	  . " SELECT n, 10, 'DOC-' || n, 'SK', 'draft', true FROM generate_series(101, 110) AS n");
asked(q{
BEGIN;
INSERT INTO signature_workflow (document_id, approver_id, state) VALUES (101, 6, 'pending'), (101, 6, 'pending');
UPDATE sicantik_document SET state = 'pending_signature' WHERE id = 101;
COMMIT},
	'approval_required 21', 'two requests of one transaction to one approver are one message');
asked(q{
BEGIN;
INSERT INTO signature_workflow (document_id, approver_id, state) VALUES (102, 6, 'pending'), (102, 5, 'pending');
UPDATE sicantik_document SET state = 'pending_signature' WHERE id = 102;
COMMIT},
	'approval_required 20, approval_required 21', 'those to two approvers are two');
asked(q{
BEGIN;
INSERT INTO signature_workflow (document_id, approver_id, state) VALUES (103, 6, 'pending'), (104, 6, 'pending');
UPDATE sicantik_document SET state = 'pending_signature' WHERE id IN (103, 104);
COMMIT},
	'approval_required 21', 'those about two documents, which wait together, are one');
like(sql("SELECT body FROM wa.message WHERE id = $last"), qr/ \(dan 1 dokumen lain\) /, 'that says how many');

# The request is taken back while the message waits for a provider

sub closed { sql('UPDATE wa.provider SET active = false'); return; }

sub waits
{
	my ($n) = @_;

	return wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE state = 'queued' AND reason = 'no_provider'", $n);
}

sub pending
{
	my ($document, $approvers) = @_;

	sql("BEGIN; INSERT INTO signature_workflow (document_id, approver_id, state)"
		  . " SELECT $document, a, 'pending' FROM unnest('$approvers'::int[]) AS a;"
		  . " UPDATE sicantik_document SET state = 'pending_signature' WHERE id = $document; COMMIT");
	return;
}

closed();
pending(105, '{6}');
ok(waits(1), 'the approver will be asked');
sql('UPDATE signature_workflow SET approver_id = 5 WHERE document_id = 105');
wait_read($node, 'odoo');
sql('UPDATE wa.provider SET active = true');
is(told(), 'approval_required 20, approval_required 21 cancelled no_longer_true',
	'who is not to approve any more is not asked, his successor is');
like(sql("SELECT detail FROM wa.message WHERE scenario = 'approval_required' AND state = 'cancelled'"),
	qr/not asked of this person any more/, 'and the ledger says why');

closed();
pending(106, '{6}');
ok(waits(1), 'the approver will be asked');
sql("UPDATE signature_workflow SET state = 'approved' WHERE document_id = 106");
wait_read($node, 'odoo');
sql('UPDATE wa.provider SET active = true');
is(told(), 'approval_required 21 cancelled no_longer_true', 'nor is one who has approved');

closed();
pending(107, '{6, 6}');
ok(waits(1), 'the approver will be asked twice');
sql("UPDATE signature_workflow SET state = 'approved'"
	  . ' WHERE id = (SELECT min(id) FROM signature_workflow WHERE document_id = 107)');
wait_read($node, 'odoo');
sql('UPDATE wa.provider SET active = true');
is(told(), 'approval_required 21', 'who has approved one of two requests is still asked for the other');

closed();
pending(110, '{6}');
ok(waits(1), 'the approver will be asked');
sql('UPDATE sicantik_document SET requires_approval = NULL WHERE id = 110');
wait_read($node, 'odoo');
sql('UPDATE wa.provider SET active = true');
is(told(), 'approval_required 21 cancelled no_longer_true', 'a document that requires no approval any more asks nobody');
asked('UPDATE sicantik_document SET requires_approval = true WHERE id = 110',
	'approval_required 21', 'but does when it requires it again');

# The reminder counts documents, not requests

sql(q{
DELETE FROM signature_workflow;
UPDATE sicantik_document SET state = 'signed' WHERE state = 'pending_signature';
UPDATE sicantik_document SET state = 'pending_signature' WHERE id IN (108, 109);
INSERT INTO signature_workflow (document_id, approver_id, state, create_date)
SELECT d, 6, 'pending', (now() AT TIME ZONE 'UTC') - make_interval(hours => h)
  FROM (VALUES (108, 40), (109, 30), (109, 29)) AS w (d, h)});
told();
sql("SELECT wa_run_scenario('reminder')");
is(told(), 'reminder 21', 'one reminder');
is( sql("SELECT concat_ws(', ', params ->> 'jumlah', params ->> 'waktu_pending') FROM wa.message WHERE scenario = 'reminder'"),
	'2, 40 jam', 'a document with two requests to one approver counts once');

$node->stop;
done_testing();

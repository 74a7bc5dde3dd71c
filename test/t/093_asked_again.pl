# What waits, or is composed late, says what is so when it goes: a scenario is
# asked again before its message goes out, with the record, the people and what
# was said as they are by then.  Each history is one that went wrong once.

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
my $session;
my $locker;
my $last = 0;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }

my $over = "$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))";

# What was made since the last call, once it is over: what was sent, with the
# last digits of the number, and what became of the rest.
sub told
{
	wait_for($over);
	my $told = sql("SELECT string_agg(CASE WHEN state = 'sent' THEN concat_ws(' ', body, right(number, 2))"
		  . " ELSE concat_ws(' ', scenario, state, reason) END, ', ' ORDER BY state = 'sent' DESC, scenario, id)"
		  . " FROM wa.message WHERE id > $last");
	$last = sql('SELECT coalesce(max(id), 0) FROM wa.message');
	return $told;
}

# Transactions that are composed at once and wait; then what waits goes.
sub waiting
{
	sql('SELECT wa_pause()');
	$last = sql('SELECT coalesce(max(id), 0) FROM wa.message');
	foreach my $statement (@_)
	{
		sql($statement);
		# what it made was picked, and found no provider
		wait_for("$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE id > $last AND state = 'queued' AND reason IS NULL)");
	}
	sql('SELECT wa_resume(NULL)');
	return told();
}

# Transactions that are all there before the first is composed.
sub late
{
	$locker->do('BEGIN; LOCK TABLE sicantik_permit_type');
	sql($_) foreach @_;
	$session->wait_begun_since;
	$locker->do('COMMIT');
	return told();
}

my $registration = 0;

# A new permit, made without a trace.
sub permit
{
	my (%values) = (status => "'draft'", applicant_name => "'Warga'", partner_id => 101, @_);

	$values{registration_id} = "'A-" . ++$registration . "'";
	my @names = sort keys %values;
	return sql('SET sicantik_wa.capture = off; INSERT INTO sicantik_permit (' . join(', ', @names) . ') VALUES ('
		  . join(', ', map { $values{$_} } @names) . ') RETURNING id; RESET sicantik_wa.capture');
}

sub document
{
	my ($approval) = @_;

	return sql('SET sicantik_wa.capture = off; INSERT INTO sicantik_document (permit_id, document_number, name, state, requires_approval)'
		  . " VALUES (1, 'D', 'SK', 'draft', $approval) RETURNING id; RESET sicantik_wa.capture");
}

# UPDATEs of one record, a transaction each.
sub changes
{
	my ($table, $id, @sets) = @_;
	return map { "UPDATE $table SET $_ WHERE id = $id" } @sets;
}
sub permit_changes { return changes('sicantik_permit', @_); }

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
$locker = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_set_template('$_->[0]', '{\"body\": \"$_->[1] oke.\"}')")
  foreach [ permit_ready => 'ready {{permit_number}}' ], [ permit_renewal_approved => 'renewed {{permit_number_new}}' ],
  [ status_update => 'status {{status_lama}} {{status_baru}}' ], [ document_pending => 'pending {{jumlah}}' ],
  [ approval_required => 'approve {{permit_number}}' ], [ permit_expiry_warning => 'expires {{remaining_days}}' ],
  [ reminder => 'remind {{jumlah}}' ];
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("INSERT INTO res_partner (id, name, type, active, whatsapp_number) SELECT n, 'Warga', 'contact', true, '62857000001' || right(n::text, 2)"
	  . ' FROM generate_series(101, 130) AS n');
sql("UPDATE wa.scenario SET active = false WHERE key IN ('document_pending', 'reminder'); SELECT wa_arm('odoo')");

# Permits

my $id = permit(permit_number => "'N1'", is_renewal => 'true');
is(waiting(permit_changes($id, "status = 'active'", 'is_renewal = false')),
	'ready N1 oke. 01, permit_renewal_approved superseded replaced', 'no renewal any more, but ready');
like(sql("SELECT string_agg(detail, ' ') FROM wa.message WHERE res_id = $id AND state = 'superseded'"),
	qr/^message \d+ took its place: permit_ready says it now$/, 'which the ledger says, and nothing about values of the other text');
$id = permit(is_renewal => 'true');
is(waiting(permit_changes($id, "status = 'active'", "permit_number = 'N1'")),
	'renewed N1 oke. 01, permit_renewal_approved superseded replaced, permit_renewal_approved cancelled no_longer_true',
	'a renewal that waits is told with its number, once');
$id = permit(permit_number => "'N1'");
is(waiting(permit_changes($id, "status = 'active'", "permit_number = 'New'")),
	'status Draf Aktif oke. 01, permit_ready superseded replaced',
	'not ready any more; what had given way to that is news again');
$id = permit(is_renewal => 'true');
is(waiting(permit_changes($id, "status = 'active'", "status = 'renewed'", "is_renewal = false, permit_number = 'N1'",
			"status = 'active', partner_id = 102")) =~ s/, .*//r,
	'ready N1 oke. 02', 'a number is announced once, to whoever is the contact');
$id = permit(status => "'renewed'");
is(waiting(permit_changes($id, "status = 'expired'"),
		"UPDATE res_partner SET whatsapp_number = '6285700000199' WHERE id = 101",
		permit_changes($id, "status = 'active'", "status = 'expired'")) =~ s/, .*//r,
	'status Aktif Kedaluwarsa oke. 99', 'only the newest status, whatever the telephone was');
sql("UPDATE res_partner SET whatsapp_number = '6285700000101' WHERE id = 101");
$id = permit();
is(late(permit_changes($id, "status = 'active'", "status = 'expired'", "status = 'active', permit_number = 'N1'")),
	'ready N1 oke. 01', 'composed late as one by one');

# Any text may tell the time of the change, which stays the same when it is asked again.
sql("SELECT wa_set_template('permit_ready', '{\"body\": \"ready {{permit_number}} {{timestamp}} oke.\"}')");
$id = permit(permit_number => "'N1'", partner_id => 119);
is(waiting(permit_changes($id, "status = 'active'")) =~ s/\d\d-\d\d-\d{4} \d\d:\d\d/(time)/r, 'ready N1 (time) oke. 19', 'the time of the change');
sql("SELECT wa_set_template('permit_ready', '{\"body\": \"ready {{permit_number}} oke.\"}')");

# A change that said nothing, because what waits was about to say it
$id = permit(permit_number => "'N1'");
is(waiting(permit_changes($id, "status = 'active'", 'is_renewal = true', "permit_number = 'New'")),
	'renewed - oke. 01, status Draf Aktif oke. 01, permit_ready superseded replaced',
	'the number is taken back: a later change that it had said as well is news');

# The same histories, composed late, say the same.

$id = permit(permit_number => "'N1'", is_renewal => 'true');
is(late(permit_changes($id, "status = 'active'", 'is_renewal = false')), 'ready N1 oke. 01', 'late: ready');
$id = permit(is_renewal => 'true');
is(late(permit_changes($id, "status = 'active'", "permit_number = 'N1'")), 'renewed N1 oke. 01', 'late: once');
$id = permit(permit_number => "'N1'");
is(late(permit_changes($id, "status = 'active'", "permit_number = 'New'")), 'status Draf Aktif oke. 01', 'late: the status');

# A renewal without number

$id = permit(is_renewal => 'true');
sql($_) foreach permit_changes($id, "status = 'active'");
is(told(), 'renewed - oke. 01', 'a renewal without number');
sql($_) foreach permit_changes($id, "is_renewal = false, permit_number = 'N1'");
is(told(), 'ready N1 oke. 01', 'its number comes with what it is by then');

# Nothing was announced where nobody was told

$id = permit(permit_number => "'N1'", partner_id => 103);
sql('UPDATE res_partner SET whatsapp_number = NULL WHERE id = 103');
sql($_) foreach permit_changes($id, "status = 'active'");
is(told(), 'permit_ready skipped no_number', 'a contact without number');
sql($_) foreach permit_changes($id, 'partner_id = 104');
is(told(), 'ready N1 oke. 04', 'one with a number is linked: it is news');
$id = permit(permit_number => "'N1'", partner_id => 103);
sql($_) foreach permit_changes($id, "status = 'active'");
is(told(), 'permit_ready skipped no_number', 'again none');
sql("UPDATE res_partner SET whatsapp_number = '6285700000103' WHERE id = 103; UPDATE wa.setting SET value = value");
wait_for("NOT EXISTS (SELECT FROM wa.unreached)");
is(told(), 'ready N1 oke. 03', 'the number comes: it is news');
is(sql("SELECT string_agg(state || coalesce(' ' || reason, ''), ', ' ORDER BY id) FROM wa.message WHERE res_id = $id"),
	'superseded replaced, sent', 'the ledger tells which message went');
$id = permit(permit_number => "'N1'", partner_id => 105);
is(waiting(permit_changes($id, "status = 'active'"), 'UPDATE res_partner SET whatsapp_number = NULL WHERE id = 105'),
	'permit_ready skipped no_number', 'the number is lost while it waits');
is(sql('SELECT count(*) FROM wa.unreached WHERE until > now()'), '1', 'it is not forgotten');
sql("UPDATE res_partner SET whatsapp_number = '6285700000105' WHERE id = 105; UPDATE wa.setting SET value = value");
wait_for('NOT EXISTS (SELECT FROM wa.unreached)');
is(told(), 'ready N1 oke. 05', 'the same number comes back');
$id = permit(permit_number => "'N1'", partner_id => 117);
sql('UPDATE res_partner SET whatsapp_number = NULL WHERE id = 118');
is(waiting(permit_changes($id, "status = 'active'"), permit_changes($id, 'partner_id = 118')) =~ s/,.*//r,
	'permit_ready skipped no_number', 'a contact without number is linked while it waits');
sql($_) foreach permit_changes($id, 'partner_id = 117');
is(told(), 'ready N1 oke. 17', 'the first one again: is told');
$id = permit(status => "'active'", partner_id => 118);
foreach my $set ('is_renewal = true', "permit_number = 'N2'")
{
	sql($_) foreach permit_changes($id, $set);
	is(told(), 'permit_renewal_approved skipped no_number', 'a renewal whose contact has no number');
}
sql("UPDATE res_partner SET whatsapp_number = '6285700000118' WHERE id = 118");
sql($_) foreach permit_changes($id, 'is_renewal = false');
is(told(), 'ready N2 oke. 18', 'no renewal any more when the number comes: ready');
sql('UPDATE res_partner SET whatsapp_number = NULL WHERE id = 118');
$id = permit(status => "'active'", partner_id => 118);
like(late(permit_changes($id, 'is_renewal = true', "permit_number = 'N3'")), qr/^permit_renewal_approved skipped no_number/, 'the same, late');
sql($_) foreach permit_changes($id, "permit_number = 'N4'");
told();
sql("UPDATE res_partner SET whatsapp_number = '6285700000118' WHERE id = 118");
sql($_) foreach permit_changes($id, 'is_renewal = false');
is(told(), 'ready N4 oke. 18', 'ready as well, with the number of now');
$id = permit(permit_number => "'N1'", partner_id => 119);
is(waiting(permit_changes($id, "status = 'active'", 'is_renewal = true'), 'UPDATE res_partner SET whatsapp_number = NULL WHERE id = 119'),
	'permit_ready skipped no_number, permit_renewal_approved skipped no_number', 'what had been said already by what waits is not forgotten with it');
sql($_) foreach permit_changes($id, "permit_number = 'New'");
sql("UPDATE res_partner SET whatsapp_number = '6285700000119' WHERE id = 119; UPDATE wa.setting SET value = value");
wait_for('NOT EXISTS (SELECT FROM wa.unreached)');
like(told(), qr/^renewed - oke. 19\b/, 'the number comes: it is told');
$id = permit(permit_number => "'N1'", partner_id => 106);
sql('SELECT wa_pause(NULL)');
sql($_) foreach permit_changes($id, "status = 'active'");
wait_for("$ALL_READ AND EXISTS (SELECT FROM wa.message WHERE id > $last)");
sql("SELECT wa_cancel(id) FROM wa.message WHERE id > $last");
sql('SELECT wa_resume(NULL)');
is(told(), 'permit_ready cancelled cancelled', 'cancelled by a person');
sql($_) foreach permit_changes($id, "status = 'draft'", "status = 'active'");
like(told(), qr/ready N1 oke. 06/, 'was not announced either: when it is true again, it is news');

# ... and while the clerk is yet to be told of the same change
$id = permit(permit_number => "'N1'", partner_id => 120);
sql("INSERT INTO mail_followers (res_model, res_id, partner_id) VALUES ('sicantik.permit', $id, 20)");
sql('SELECT wa_pause()');
$last = sql('SELECT max(id) FROM wa.message');
sql($_) foreach permit_changes($id, "status = 'active'");
wait_for("$ALL_READ AND EXISTS (SELECT FROM wa.message WHERE id > $last AND scenario = 'permit_ready')");
sql("SELECT wa_cancel(id) FROM wa.message WHERE id > $last AND scenario = 'permit_ready'");
wait_for("EXISTS (SELECT FROM wa.message WHERE id > $last AND state = 'cancelled')");
sql($_) foreach permit_changes($id, 'partner_id = NULL', 'partner_id = 121');
wait_for("$ALL_READ AND EXISTS (SELECT FROM wa.message WHERE id > $last AND partner_id = 121)");
sql('SELECT wa_resume(NULL)');
is(told(), 'ready N1 oke. 21, status Draf Aktif oke. 20, permit_ready cancelled cancelled',
	'what nobody is told keeps nobody else from being told');

# ... and once, where a change of a moment ago says the same
$id = permit(is_renewal => 'true', partner_id => 120);
sql('UPDATE res_partner SET whatsapp_number = NULL WHERE id = 120');
sql($_) foreach permit_changes($id, "status = 'active'", 'is_renewal = false');
told();
is(late(permit_changes($id, 'is_renewal = true', 'partner_id = 121')), 'renewed - oke. 21, permit_renewal_approved cancelled no_longer_true',
	'another contact is told once');

# Contacts that are gone

$id = permit(permit_number => "'N1'", partner_id => 107);
is(waiting(permit_changes($id, "status = 'active'"), 'UPDATE res_partner SET active = false WHERE id = 107'),
	'ready N1 oke. 07', 'an archived contact is told');
$id = permit(permit_number => "'N1'", partner_id => 108);
is(waiting(permit_changes($id, "status = 'active'"),
		"BEGIN; UPDATE sicantik_permit SET partner_id = 109 WHERE partner_id = 108; DELETE FROM res_partner WHERE id = 108; COMMIT"),
	'ready N1 oke. 09, permit_ready superseded replaced', 'a merged one is told under the other');

# ... a moment after the message was composed, when its record is not read
# again: whoever is gone may have taken his refusal along.
$id = permit(permit_number => "'N1'", partner_id => 110);
sql("UPDATE res_partner SET whatsapp_opt_in = false, whatsapp_opt_in_date = now() WHERE id = 110");
sql('CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN'
	  . ' DELETE FROM public.res_partner WHERE id = NEW.partner_id; RETURN NULL; END $$;'
	  . ' CREATE TRIGGER gone AFTER INSERT ON wa.message FOR EACH ROW WHEN (NEW.partner_id IN (110, 112)) EXECUTE FUNCTION gone()');
sql('ALTER FUNCTION gone() SECURITY DEFINER; ALTER FUNCTION gone() OWNER TO odoo');
sql($_) foreach permit_changes($id, "status = 'active'");
is(told(), 'permit_ready cancelled no_longer_true', 'the contact is deleted between composing and routing');
sql("SELECT wa_send('permit_ready', 112, permit_id => $id)");
is(told(), 'permit_ready skipped no_recipient' =~ s/permit_ready //r, 'by hand: so is nobody told');
sql('DROP TRIGGER gone ON wa.message');
is(scalar(grep { $_->{to} =~ /1[02]$/ } $sim->accepted), 0, 'and the provider has not heard of them');

# Documents

my $doc = document('true');
is(waiting("BEGIN; INSERT INTO signature_workflow (document_id, approver_id, state) VALUES ($doc, 6, 'pending');"
		  . " UPDATE sicantik_document SET state = 'pending_signature' WHERE id = $doc; COMMIT",
		"DELETE FROM signature_workflow WHERE document_id = $doc"),
	'approval_required cancelled no_longer_true', 'whose workflow is deleted is not asked');
sql("UPDATE sicantik_document SET state = 'signed'");
my @three = map { document('true') } 1 .. 3;
is(waiting(map {
			"BEGIN; INSERT INTO signature_workflow (document_id, approver_id, state) VALUES ($_, 6, 'pending');"
			  . " UPDATE sicantik_document SET state = 'pending_signature' WHERE id = $_; COMMIT" } @three) =~ s/, .*//r,
	'approve - (dan 2 dokumen lain) oke. 21', 'three requests that wait for one approver are one message');
is(sql("SELECT count(*) FROM wa.announced WHERE key LIKE 'asked:%' AND message_id = (SELECT max(id) FROM wa.message WHERE state = 'sent')"), '3',
	'that stands for all of them');
sql("UPDATE sicantik_document SET state = 'signed'");
told();
my @two = map { document('true') } 1 .. 2;
is(waiting((map {
				"BEGIN; INSERT INTO signature_workflow (document_id, approver_id, state) VALUES ($_, 6, 'pending');"
				  . " UPDATE sicantik_document SET state = 'pending_signature' WHERE id = $_; COMMIT" } @two),
		"UPDATE signature_workflow SET state = 'approved' WHERE document_id = $two[0]") =~ s/, .*//r,
	'approve - oke. 21', 'one of two is approved meanwhile: the other is asked');

sql("UPDATE sicantik_document SET state = 'signed'; UPDATE wa.scenario SET active = true WHERE key = 'document_pending'");
told();
$doc = document('true');
is(waiting("BEGIN; INSERT INTO signature_workflow (document_id, approver_id, state) VALUES ($doc, 6, 'pending');"
		  . " UPDATE sicantik_document SET state = 'pending_signature' WHERE id = $doc; COMMIT",
		"UPDATE signature_workflow SET approver_id = 7 WHERE document_id = $doc"),
	'pending 1 oke. 20, pending 1 oke. 21, approval_required superseded replaced, approval_required skipped no_number',
	'who is not asked any more hears that the document waits, like the others');
sql("UPDATE sicantik_document SET state = 'signed'; DELETE FROM signature_workflow; UPDATE wa.announced SET announced_at = announced_at - interval '11 minutes' WHERE key LIKE 'told:%'");
told();
$doc = document('false');
sql("UPDATE sicantik_document SET state = 'pending_signature' WHERE id = $doc");
is(told(), 'pending 1 oke. 20, pending 1 oke. 21', 'staff hear of a document');
sql("UPDATE res_partner SET whatsapp_number = '6285700000188' WHERE id = 20");
$doc = document('false');
sql("UPDATE sicantik_document SET state = 'pending_signature' WHERE id = $doc");
is(told(), '', 'once in ten minutes, a person and not a telephone');
sql("UPDATE sicantik_document SET state = 'signed'; UPDATE wa.announced SET announced_at = announced_at - interval '11 minutes' WHERE key LIKE 'told:%'");
told();
@two = map { document('false') } 1 .. 2;
is(waiting((map { "UPDATE sicantik_document SET state = 'pending_signature' WHERE id = $_" } @two),
		'UPDATE res_users SET active = false WHERE id = 5') =~ s/, .*//r,
	'pending 2 oke. 21', 'who was deactivated is not told, the others of both');
is(sql("SELECT detail FROM wa.message WHERE scenario = 'document_pending' AND state = 'cancelled' ORDER BY id DESC LIMIT 1"),
	'no longer true: this person is no active internal user any more', 'and the ledger says why');
sql("UPDATE res_users SET active = true WHERE id = 5; UPDATE sicantik_document SET state = 'signed'; UPDATE wa.scenario SET active = false WHERE key = 'document_pending'");
told();

# What the calendar made is asked about as well

sql("UPDATE wa.scenario SET active = true WHERE key = 'reminder'; UPDATE wa.scenario SET daily_at = '00:00' WHERE daily_at IS NOT NULL");
@two = map { document('false') } 1 .. 2;
sql("SET sicantik_wa.capture = off; UPDATE sicantik_document SET state = 'pending_signature', signer_id = 6, write_date = now() - interval '3 days'"
	  . " WHERE id = ANY ('{$two[0], $two[1]}'); RESET sicantik_wa.capture");
told();
$last = sql('SELECT coalesce(max(id), 0) FROM wa.message');
is(waiting("SELECT wa_run_scenario('reminder')", "UPDATE sicantik_document SET state = 'signed' WHERE id = $two[0]"),
	'remind 1 oke. 21, reminder superseded replaced', 'a reminder says how many there are by then');
is(waiting("SELECT wa_run_scenario('reminder')", "UPDATE sicantik_document SET state = 'signed' WHERE id = $two[1]"),
	'reminder cancelled no_longer_true', 'and none is sent for what is signed');
sql("SELECT wa_set('contact_dpmptsp', '0628-20001'); SELECT wa_run_scenario('permit_expiry_warning')");
$id = permit(status => "'active'", permit_number => "'E1'", expiry_date => "(now() AT TIME ZONE 'Asia/Jakarta')::date + 30", partner_id => 115);
is(waiting("SELECT wa_run_scenario('permit_expiry_warning')",
		"UPDATE sicantik_permit SET partner_id = 116 WHERE id = $id") =~ s/, .*//r,
	'expires 30 oke. 16', 'a warning goes to the contact of now');
$id = permit(status => "'active'", permit_number => "'E2'", expiry_date => "(now() AT TIME ZONE 'Asia/Jakarta')::date + 30", partner_id => 115);
is(waiting("SELECT wa_run_scenario('permit_expiry_warning')",
		"UPDATE sicantik_permit SET expiry_date = expiry_date + 365 WHERE id = $id"),
	'permit_expiry_warning cancelled no_longer_true', 'and none for a permit that was prolonged');

is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'no dead letter');
unlike(slurp_file($node->logfile), qr/\[\d+\] (?:ERROR|FATAL|PANIC):.*\n.*sicantik_wa/, 'no worker had an error');
$node->stop('fast');
done_testing();

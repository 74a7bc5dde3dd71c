# The scenarios that listen to changes: when each fires and when not, whom it
# tells, and with which values; in one transaction or several, by one writer
# or two, with columns that this Odoo has or lacks.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $node = new_cluster('main', conf => 'sicantik_wa.worker_idle_timeout = 3600');
my ($last_message, $last_outcome) = (0, 0);

sub sql { return $node->safe_psql('odoo', $_[0]); }

# Each argument is one transaction of Odoo's.
sub odoo
{
	foreach my $statements (@_)
	{
		my ($code, $out, $err) = $node->psql(
			'odoo',
			"BEGIN ISOLATION LEVEL REPEATABLE READ;\n$statements;\nCOMMIT",
			extra_params => [ '-U', 'odoo', '-v', 'ON_ERROR_STOP=1' ]);

		die "$statements: $err" if $code != 0;
	}
	return;
}

# Forget what was there.
sub from_now
{
	wait_read($node, 'odoo');
	$last_message = sql('SELECT coalesce(max(id), 0) FROM wa.message');
	$last_outcome = sql('SELECT coalesce(max(id), 0) FROM wa.event_outcome');
	return;
}

# Messages since then, "scenario>partner", sorted.
sub messages
{
	wait_read($node, 'odoo');
	return sql(
			"SELECT string_agg(scenario || '>' || partner_id, ' ' ORDER BY scenario, partner_id)"
		  . " FROM wa.message WHERE id > $last_message");
}

# Outcomes of a scenario since then.
sub outcomes
{
	my ($scenario) = @_;

	wait_read($node, 'odoo');
	return sql(
			"SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome)"
		  . " FROM wa.event_outcome WHERE id > $last_outcome AND scenario = '$scenario'");
}

# Run transactions and return the messages that they made.
sub told
{
	from_now();
	odoo(@_);
	return messages();
}

my $registration = 0;

# A new permit, made without a trace; returns its id.
sub permit
{
	my (%values) = (
		partner_id => 10,
		status => "'draft'",
		applicant_name => "'Budi Santoso'",
		permit_type_id => 1,
		permit_type_name => "'Izin'",
		issue_date => 'current_date',
		expiry_date => "(current_date + interval '2 years')::date",
		received_date => 'current_date',
		@_);
	$values{registration_id} = "'S-" . ++$registration . "'";
	my @names = sort keys %values;

	return sql(
			'SET sicantik_wa.capture = off; INSERT INTO sicantik_permit ('
		  . join(', ', @names)
		  . ') VALUES ('
		  . join(', ', map { $values{$_} } @names)
		  . ') RETURNING id');
}

sub document
{
	my ($permit, $approval, $state) = @_;

	return sql(
			'SET sicantik_wa.capture = off; INSERT INTO sicantik_document'
		  . ' (permit_id, document_number, name, state, requires_approval, upload_date)'
		  . " VALUES ($permit, 'DOC-' || $permit, 'SK', '"
		  . ($state || 'draft')
		  . "', $approval, now() AT TIME ZONE 'UTC') RETURNING id");
}

sub change
{
	my ($permit, $what) = @_;
	return "UPDATE sicantik_permit SET $what WHERE id = $permit";
}

sub document_is
{
	my ($document, $state) = @_;
	return "UPDATE sicantik_document SET state = '$state' WHERE id = $document";
}

sub workflow
{
	my ($document, $approver, $state) = @_;
	return
		'INSERT INTO signature_workflow (document_id, approver_id, state)'
	  . " VALUES ($document, $approver, '"
	  . ($state || 'pending') . "')";
}

# What was said recently does not count any more.
sub forget_pause
{
	sql("UPDATE wa.announced SET announced_at = announced_at - interval '11 minutes' WHERE key LIKE 'told:%'");
	return;
}

my ($id, $doc);

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
sql("SELECT wa_set('contact_dpmptsp', '0628-20001')");

is( sql(
		'SELECT string_agg(concat_ws(\'/\', key, on_insert, time_to_live, unknown_policy, priority, requires_opt_in), E\'\n\' ORDER BY key)'
		  . " FROM wa.scenario WHERE key IN ('permit_ready', 'permit_renewal_approved', 'status_update', 'document_pending', 'approval_required')"
	),
	'approval_required/t/2 days/resend/high/f
document_pending/t/12:00:00/give up/low/f
permit_ready/t/7 days/resend/high/t
permit_renewal_approved/t/7 days/resend/high/t
status_update/f/2 days/resend/normal/t',
	'policies that wa_setup() gives');

# permit_ready: any of the three may come last

$id = permit();
is( told(change($id, "status = 'active', permit_number = 'A'")),
	'permit_ready>10', 'status and number at once: one message, no status update');
$id = permit();
is( told(change($id, "status = 'active'") . ';' . change($id, "permit_number = 'A'")),
	'permit_ready>10', 'status, then number, in one transaction');
$id = permit();
is( told(change($id, "permit_number = 'A'") . ';' . change($id, "status = 'active'")),
	'permit_ready>10', 'number, then status, in one transaction');
$id = permit();
is( told(change($id, "permit_number = 'A'"), change($id, "status = 'active'")),
	'permit_ready>10', 'number, then status, in two');
$id = permit();
is(told(change($id, "status = 'active'")), 'status_update>10', 'status without number');
is(told(change($id, "permit_number = 'A'")), 'permit_ready>10', '... and the number later');
$id = permit(partner_id => 'NULL');
is( told(
		change($id, "status = 'active'"), change($id, "permit_number = 'A'"),
		change($id, 'partner_id = 16')),
	'permit_ready>16', 'the contact last, in three transactions');
$id = permit(partner_id => 'NULL');
is( told(change($id, "status = 'active', permit_number = 'A'") . ';' . change($id, 'partner_id = 16')),
	'permit_ready>16', 'the contact last, in one transaction');

$id = permit(partner_id => 'NULL');
is(told(change($id, "status = 'active', permit_number = 'A'")), '', 'without a contact nothing is sent');
is(outcomes('permit_ready'), 'waiting for recipient', '... and it waits for one');
sql("UPDATE wa.event_outcome SET at = at - interval '6 days' WHERE record_id = $id");
is(told(change($id, 'partner_id = 10')), 'permit_ready>10', 'a contact linked after 6 days is told');
is(told(change($id, 'partner_id = 16')), '', 'a contact that is merged into another is no news');
$id = permit(partner_id => 'NULL');
odoo(change($id, "status = 'active', permit_number = 'A'"));
wait_read($node, 'odoo');
sql("UPDATE wa.event_outcome SET at = at - interval '8 days' WHERE record_id = $id");
is(told(change($id, 'partner_id = 10')), '', 'a contact linked after 8 days is not');
is(outcomes('permit_ready'), 'not news', '... since it is no news any more');

$id = permit(status => "'active'", permit_number => "'A'");
is( told(change($id, "status = 'draft'") . ';SAVEPOINT a;' . change($id, "status = 'active'")),
	'', 'there and back again is no change');
$id = permit();
is( told('SAVEPOINT a;' . change($id, "status = 'active', permit_number = 'A'") . ';ROLLBACK TO a'),
	'', 'nor is what was rolled back');
is( told(
		"INSERT INTO sicantik_permit (registration_id, applicant_name, status, permit_number, partner_id)"
		  . " VALUES ('N-1', 'Budi Santoso', 'active', 'N', 10)"),
	'permit_ready>10', 'a permit that is born active with a number');
is( told(
		"INSERT INTO sicantik_permit (registration_id, applicant_name, status, partner_id)"
		  . " VALUES ('N-2', 'Budi Santoso', 'active', 10)"),
	'', 'and one without number');
is( told("UPDATE sicantik_permit SET permit_number = 'N2' WHERE registration_id = 'N-2'"),
	'permit_ready>10', '... is told when the number comes');
is( told("UPDATE sicantik_permit SET status = 'expired' WHERE registration_id = 'N-2'"),
	'status_update>10', 'it expires');
is( told("UPDATE sicantik_permit SET status = 'active' WHERE registration_id = 'N-2'"),
	'status_update>10', 'expired and active again: changed, but not ready anew');
is(outcomes('permit_ready'), 'already announced', '... and the ledger says why');

# Staff who follow the permit still get the change.
$id = permit();
odoo("INSERT INTO mail_followers (res_model, res_id, partner_id) VALUES"
	  . " ('sicantik.permit', $id, 20), ('sicantik.permit', $id, 10), ('sicantik.permit', $id, 23)");
is( told(change($id, "status = 'active', permit_number = 'A'")),
	'permit_ready>10 status_update>20',
	'the applicant gets ready, internal followers the change, portal users nothing');

# permit_renewal_approved

$id = permit(is_renewal => 'true', permit_type_id => 2);
is( told(change($id, "status = 'active', permit_number = 'R'")),
	'permit_renewal_approved>10', 'a renewal is announced as such, and only as such');
is( sql("SELECT params - 'download_link' = jsonb_build_object('partner_name', 'Budi Santoso', 'permit_type', 'Surat Izin Usaha Perdagangan',"
		  . " 'permit_number_new', 'R', 'start_date', to_char(issue_date, 'DD-MM-YYYY'), 'expiry_date', to_char(expiry_date, 'DD-MM-YYYY'),"
		  . " 'validity_period', '2 tahun') AND params->>'download_link' LIKE 'https://%/download/' || registration_id"
		  . " FROM wa.message AS m JOIN sicantik_permit AS p ON p.id = m.res_id WHERE m.id > $last_message"),
	't', '... with its values');
$id = permit(is_renewal => 'true');
is(told(change($id, "status = 'active'")), 'permit_renewal_approved>10', 'a renewal without number');
like(sql("SELECT body FROM wa.message WHERE id > $last_message"), qr/nomor izin baru - /, '... says so');
is(told(change($id, "permit_number = 'R'")), 'permit_renewal_approved>10', '... and is followed by its number when that comes');
is(told(change($id, "is_renewal = false"), change($id, "is_renewal = true")), '', '... once');
$id = permit(is_renewal => 'true');
odoo(change($id, "status = 'active'"));
wait_read($node, 'odoo');
is(told(change($id, "is_renewal = false, permit_number = 'R'")), 'permit_ready>10', 'its number comes with what it is by then');
$id = permit(status => "'active'", permit_number => "'A'");
is(told(change($id, 'is_renewal = true')), 'permit_renewal_approved>10', 'marked as a renewal afterwards');
sql("UPDATE wa.scenario SET active = false WHERE key = 'permit_renewal_approved'");
$id = permit(is_renewal => 'true');
is( told(change($id, "status = 'active', permit_number = 'R'")),
	'permit_ready>10', 'without that scenario a renewal is ready like others');
sql("UPDATE wa.scenario SET active = true WHERE key = 'permit_renewal_approved'");

# document_pending

sql("UPDATE wa.scenario SET active = false WHERE key = 'approval_required'");
$doc = document(permit(applicant_name => "'Siti'", permit_type_id => 3), 'false');
is( told(document_is($doc, 'pending_signature')),
	'document_pending>20 document_pending>21',
	'all internal users with a number, no portal user, none that is inactive');
is( sql("SELECT DISTINCT params - 'pendaftaran_id' FROM wa.message WHERE id > $last_message"),
	'{"jumlah": "2", "jenis_izin": "Izin Praktik Perawat", "nama_pemohon": "Siti", "link_dashboard": "https://sicantik.example.go.id/dashboard"}',
	'... with the values, and the number of documents that wait');
$doc = document(permit(), 'false');
is(told(document_is($doc, 'pending_signature')), '', 'another one within ten minutes');
is(outcomes('document_pending'), 'suppressed', '... is suppressed, and the outcome says so');
forget_pause();
$doc = document(permit(), 'false');
is( told(document_is($doc, 'pending_signature')),
	'document_pending>20 document_pending>21', 'ten minutes later they are told again');
forget_pause();
is( told('UPDATE sicantik_document SET write_date = now()', document_is($doc, 'pending_signature')),
	'', 'what waited before is no news');
is( told(
		"INSERT INTO sicantik_document (permit_id, document_number, name, state) SELECT 1, 'B-' || i, 'SK', 'pending_signature' FROM generate_series(1, 700) AS i"
	),
	'document_pending>20 document_pending>21',
	'700 documents in one transaction: one message a person');
forget_pause();
sql("UPDATE wa.scenario SET staff_group = 'base.group_system' WHERE key = 'document_pending'");
$doc = document(permit(), 'false');
is(told(document_is($doc, 'pending_signature')), '', 'a group whose members have no number');
is(outcomes('document_pending'), 'no recipient', '... leaves an outcome');
sql("UPDATE wa.scenario SET staff_group = 'base.no_such_group' WHERE key = 'document_pending'");
$doc = document(permit(), 'false');
is(told(document_is($doc, 'pending_signature')), '', 'a group that does not exist');
is(sql('SELECT detail FROM wa.event_outcome ORDER BY id DESC LIMIT 1'), 'the group base.no_such_group does not exist in Odoo', '... is named');
sql("UPDATE wa.scenario SET staff_group = NULL WHERE key = 'document_pending'");

# approval_required

sql("UPDATE wa.scenario SET active = true WHERE key = 'approval_required'");
forget_pause();
$doc = document(permit(permit_number => "'P'"), 'true');
is( told(workflow($doc, 6) . ';' . document_is($doc, 'pending_signature')),
	'approval_required>21 document_pending>20',
	'the approver is asked, and not told that it waits as well');
is( sql("SELECT res_model, res_id = $doc, params->>'nama_pejabat', params->>'permit_number', params->>'approval_link' LIKE 'https://%/approval/DOC-%'"
		  . " FROM wa.message WHERE id > $last_message AND scenario = 'approval_required'"),
	'sicantik.document|t|Pejabat Contoh|P|t', '... with the values');
is( told("UPDATE signature_workflow SET state = 'approved' WHERE document_id = $doc;"
		  . document_is($doc, 'signed')), '', 'signed: nobody is told');
is( told("UPDATE signature_workflow SET state = 'pending' WHERE document_id = $doc;"
		  . document_is($doc, 'pending_signature')),
	'approval_required>21', 'when it comes back, it asks again');
$doc = document(permit(), 'true');
is( told(document_is($doc, 'pending_signature') . ';' . workflow($doc, 6)),
	'approval_required>21', 'the workflow after the state, in one transaction');
$doc = document(permit(), 'true');
is( told(document_is($doc, 'pending_signature')),
	'document_pending>21', 'no approver yet: one of the staff like others');
is(outcomes('approval_required'), 'waiting for recipient', '... it waits for one');
is(told(workflow($doc, 'NULL')), '', 'a workflow without approver');
is( told("UPDATE signature_workflow SET approver_id = 6 WHERE document_id = $doc"),
	'approval_required>21', 'an approver set later is asked');
is( told("UPDATE signature_workflow SET approver_id = 5 WHERE document_id = $doc"),
	'approval_required>20', 'and another one who takes over');
$doc = document(permit(), 'true');
is(told(workflow($doc, 6)), '', 'a workflow of a draft');
is( told(document_is($doc, 'pending_signature')),
	'approval_required>21', '... asks when the document waits');
$doc = document(permit(), 'NULL');
is(told(workflow($doc, 6) . ';' . document_is($doc, 'pending_signature')), '',
	'a document that requires no approval (NULL)');
is( told("UPDATE sicantik_document SET requires_approval = true WHERE id = $doc"),
	'approval_required>21', '... until it does');
$doc = document(permit(), 'true');
is(told(workflow($doc, 8) . ';' . document_is($doc, 'pending_signature')), '',
	'a portal user is not asked to approve');
is(outcomes('approval_required'), 'no recipient', '... and the outcome says so');
$doc = document(permit(), 'true');
is(told(workflow($doc, 7) . ';' . document_is($doc, 'pending_signature')),
	'approval_required>22', 'an approver without number');
is( sql("SELECT state, reason, detail FROM wa.message WHERE id > $last_message"),
	'skipped|no_number|no usable number in whatsapp_number (empty), phone (empty), phone_sanitized (empty)',
	'... is a skipped row that names the columns tried');
sql("SET sicantik_wa.capture = off; UPDATE sicantik_document SET document_number = 'New' WHERE id = $doc;"
	  . "UPDATE signature_workflow SET state = 'cancel' WHERE document_id = $doc");
from_now();
odoo(workflow($doc, 6));
messages();
is( sql("SELECT params->>'approval_link' = 'https://sicantik.example.go.id/approval/' || registration_id"
		  . " FROM wa.message AS m, sicantik_permit AS p JOIN sicantik_document AS d ON d.permit_id = p.id"
		  . " WHERE m.id > $last_message AND d.id = $doc"),
	't', 'a document that is still called New goes by its registration');

# Nobody is named within an hour: the group

odoo("INSERT INTO res_groups (id, name) VALUES (900, '{\"en_US\": \"Approvers\"}');"
	  . "INSERT INTO ir_model_data (module, name, model, res_id) VALUES ('test', 'approvers', 'res.groups', 900);"
	  . 'INSERT INTO res_groups_users_rel (gid, uid) VALUES (900, 5), (900, 6), (900, 8)');
sql("UPDATE wa.scenario SET approver_group = 'test.approvers' WHERE key = 'approval_required'");
$doc = document(permit(), 'true');
my $named = document(permit(), 'true');
is(told(document_is($doc, 'pending_signature'), document_is($named, 'pending_signature')),
	'', 'nobody to approve: not yet');
is(sql("SELECT bool_and(due_at BETWEEN now() + '50 minutes' AND now() + '1 hour') FROM wa.unassigned"),
	't', '... the group has to wait for an hour');
odoo(workflow($named, 7));
from_now();
sql("UPDATE wa.unassigned SET due_at = now() - interval '1 minute';"
	  . 'UPDATE wa.scenario SET active = active');
ok(wait_sql($node, 'odoo', 'SELECT NOT EXISTS (SELECT FROM wa.unassigned)'), 'an hour later');
is(messages(), 'approval_required>20 approval_required>21', '... its internal members are asked');
is(sql("SELECT DISTINCT res_id = $doc FROM wa.message WHERE id > $last_message"),
	't', '... not about the document that has got an approver');

# Two writers at a time, each blind to the other

{
	my $one = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
	my $two = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
	my $other;

	$id = permit();
	$doc = document($id, 'true');
	$other = permit();
	from_now();
	$_->do('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM sicantik_permit LIMIT 1')
	  foreach $one, $two;
	$one->do(document_is($doc, 'pending_signature'));
	$two->do(workflow($doc, 6));
	$one->do(change($id, "status = 'active', permit_number = 'A'"));
	$two->do(change($other, "status = 'active', permit_number = 'B'"));
	$_->do('COMMIT') foreach $two, $one;
	is(messages(), 'approval_required>21 permit_ready>10 permit_ready>10',
		'two REPEATABLE READ writers: each thing once');
	is($one->err . $two->err, '', '... and neither failed');

	# the same permit: the second fails in Odoo and is tried again
	$id = permit();
	from_now();
	$_->do('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM sicantik_permit LIMIT 1')
	  foreach $one, $two;
	$one->do(change($id, "permit_number = 'A'"));
	$one->do('COMMIT');
	$two->do(change($id, "status = 'active'"));
	like($two->err, qr/could not serialize/, 'a conflict in Odoo');
	$two->do('ROLLBACK');
	odoo(change($id, "status = 'active'"));
	is(messages(), 'permit_ready>10', '... and the retried transaction: one message');
	$_->close foreach $one, $two;
}

# One write of 500 records in statements of 100

load_many($node, 'odoo', 500);
from_now();
odoo(join(';',
		map {
			"UPDATE sicantik_permit SET status = 'active', permit_number = 'M' || id"
			  . " WHERE registration_id LIKE 'MANY-%' AND id % 5 = $_"
		} 0 .. 4));
wait_read($node, 'odoo');
is( sql("SELECT count(*), count(DISTINCT res_id), string_agg(DISTINCT scenario, ',') FROM wa.message WHERE id > $last_message"),
	'500|500|permit_ready', '500 records in statements of 100: one message each');

# Another Odoo: columns that are missing, names that are translated

odoo('ALTER TABLE sicantik_document DROP COLUMN requires_approval CASCADE');
odoo('ALTER TABLE sicantik_permit DROP COLUMN permit_type_id CASCADE');
odoo('ALTER TABLE res_partner DROP COLUMN whatsapp_number, DROP COLUMN phone_sanitized, ADD COLUMN mobile varchar');
$id = sql("SET sicantik_wa.capture = off; INSERT INTO sicantik_permit (registration_id, applicant_name, permit_type_name, status, partner_id)"
	  . " VALUES ('Z-1', 'Dewi Lestari', 'Izin Lama', 'draft', 13) RETURNING id");
is(told(change($id, "status = 'active', permit_number = 'Z'")),
	'permit_ready>13', 'without permit_type_id and whatsapp_number');
is( sql("SELECT params->>'permit_type', number_source FROM wa.message WHERE id > $last_message"),
	'Izin Lama|res_partner.phone of an archived contact',
	'... the type by its name, the number from phone, and a note that the contact is archived');
forget_pause();
$doc = sql("SET sicantik_wa.capture = off; INSERT INTO sicantik_document (permit_id, document_number, name, state)"
	  . " VALUES ($id, 'Z', 'SK', 'draft') RETURNING id");
is( told(document_is($doc, 'pending_signature')),
	'document_pending>20 document_pending>21', 'without requires_approval, no workflow');
is(told(workflow($doc, 6)), 'approval_required>21', '... a pending workflow asks for approval');
odoo('DROP TABLE signature_workflow');
forget_pause();
$doc = sql("SET sicantik_wa.capture = off; INSERT INTO sicantik_document (permit_id, document_number, name, state)"
	  . " VALUES ($id, 'Y', 'SK', 'draft') RETURNING id");
is( told(document_is($doc, 'pending_signature')),
	'document_pending>20 document_pending>21', 'and without workflows at all');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'no event failed');

$node->stop;
done_testing();

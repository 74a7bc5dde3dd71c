# A citizen asks for what is stored of him, and to be forgotten: afterwards no
# row of any table in wa has his number, name or texts, the figures are what
# they were, and nothing brings him back.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "sicantik_wa.worker_idle_timeout = 3600\nlog_min_messages = notice");
my $inbox = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub fails { my ($code, $out, $err) = $node->psql('odoo', $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]); return $code == 0 ? "no error: $out" : $err; }
sub told { return sql("SELECT wa_webhook('fonnte', convert_to('$_[0]', 'UTF8'), NULL, 'SURATMASUK') ->> 'accepted'"); }

# Rows of any table of ours that say this, as text.
sub found
{
	my $pattern = shift;
	my @tables = split /\n/, sql("SELECT oid::regclass FROM pg_class WHERE relnamespace = 'wa'::regnamespace AND relkind IN ('r', 'p')");

	return join ', ', grep { $_ } map { my $n = sql("SELECT count(*) FROM ONLY $_ AS t WHERE t::text ~* '$pattern'"); $n ? "$_ ($n)" : '' } @tables;
}
my $figures = "SELECT string_agg(f::text, chr(10) ORDER BY f::text) FROM (SELECT state, reason, scenario, provider, created_at, sent_at, delivered_at, read_at, pricing FROM wa.message) AS f";

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'), wa_configure('fonnte', '{\"webhook_secret\": \"SURATMASUK\"}'); SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, requires_opt_in = false; SELECT wa_set('language', 'en'), wa_set('contact_dpmptsp', '0274-1'); SELECT wa_arm('odoo')");

# What he has been told, wrote and said, and what concerns others
sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/RAHASIA/2026', issue_date = current_date, expiry_date = current_date + 300 WHERE id = 1");
ok(wait_read($node, 'odoo'), 'events are read');
ok(wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM wa.message WHERE partner_id = 10 AND state = 'sent'"), 'his permit is announced to him');
my $text = sql("SELECT wa_send_text('0812-0000-0010', 'Kepada Budi Santoso: rumah dijual', dedupe_key => 'untuk 081200000010')");
my $other = sql("SELECT wa_send_text('0813 0000 0011', 'Kepada Siti')");
ok(wait_state($node, 'odoo', $_, 'sent'), "message $_ is sent") foreach $text, $other;
my $later = sql("SELECT wa_send_text(10, 'Besok, Pak Budi', send_at => now() + interval '1 year')");
is(told(sprintf('{"device": "628110000000", "sender": "6281200000010", "message": "STOP", "name": "Budi", "timestamp": %d, "inboxid": 1}', time)), '1', 'he writes');
ok(wait_sql($node, 'odoo', "SELECT opted_out_at IS NOT NULL FROM wa.contact WHERE number = '6281200000010'"), 'and has opted out');
ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS (SELECT FROM wa.feedback WHERE due_at IS NOT NULL)"), 'which is applied');
sql("SELECT wa_identify('ID.134912345678', '081200000010')");
sql("INSERT INTO wa.dead_letter (event_id, relation, record_id, columns, new, event_at, error) VALUES (777, 'public.x', 1, '{a}', '{\"+62 812-0000-0010\"}', now(), 'x'), (778, 'public.x', 1, '{a}', '{\"62812000000109\"}', now(), 'x')");
sql("INSERT INTO wa.announced (key, message_id) VALUES ('undangan 081200000010', $text)");
sql("UPDATE wa.provider SET last_error = 'no device for 081200000010' WHERE name = 'fonnte'");
my $provider_id = sql("SELECT provider_message_id FROM wa.message WHERE id = $text");

# He asks what is stored
my $export = decode_json(sql("SELECT wa_export('0812.0000.0010')"));
is_deeply($export->{partners}, [10], 'the export: his contact is found by his number');
is_deeply([ sort @{ $export->{numbers} } ], [ '6281200000010', 'ID.134912345678' ], '  his number and his id');
my ($mine) = grep { $_->{id} == $text } @{ $export->{messages} };
is($mine->{body}, 'Kepada Budi Santoso: rumah dijual', '  his messages with their text');
is($mine->{attempts}[0]{outcome}, 'accepted', '  and attempts');
like($mine->{created_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/, '  with times in ISO 8601');
ok(!grep({ $_->{id} == $other } @{ $export->{messages} }), '  not those of others');
is($export->{inbound}[0]{text}, 'STOP', '  what he wrote');
is($export->{consent}[0]{change}, 'opt_out', '  what he said of consent');
ok(@{ $export->{contact} } && @{ $export->{ids} } && @{ $export->{events} }, '  contact, ids and changes of his permits');
is_deeply(decode_json(sql('SELECT wa_export(10)'))->{messages}, $export->{messages}, 'the same by the id of the contact');
like(sql("SET enable_seqscan = off; EXPLAIN SELECT id FROM wa.message WHERE number = ANY ('{1}') UNION SELECT id FROM wa.message WHERE partner_id = ANY ('{1}') AND partner_id IS NOT NULL"),
	qr/message_number_idx.*message_partner_idx/s, 'by indexes');

# Who may
sql("CREATE ROLE clerk LOGIN; SELECT wa_grant('clerk', 'send')");
foreach my $call ("wa_forget('081200000010')", 'wa_forget(10)', "wa_export('081200000010')", 'wa_export(10)')
{
	my ($code, $out, $err) = $node->psql('odoo', "SELECT $call", extra_params => [ '-U', 'clerk' ]);
	like($err, qr/level "admin"/, "$call needs level admin");
}
like(fails("SELECT wa_forget('Budi')"), qr/22023.*no number/s, 'a name is no number');
like(fails("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT wa_forget('081200000010')"), qr/25000.*READ COMMITTED/s, 'one snapshot for all is not enough');

# A message is on the wire: it is waited for, and nothing is half done
sql('DELETE FROM wa.contact; DELETE FROM wa.consent');
my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => '6281200000010' } });
my $wire = sql("SELECT wa_send_text('081200000010', 'Lagi, Budi')");
ok(wait_sql($node, 'odoo', "SELECT claimed_at IS NOT NULL FROM wa.ready WHERE message_id = $wire"), 'a message is on the wire');
my $before = sql($figures);
like(fails("SET lock_timeout = '300ms'; SELECT wa_forget('081200000010')"), qr/55006.*1 message of this person is on the wire.*Nothing was erased/s, 'who waits no longer is told');
is(sql($figures), $before, '  and nothing was erased');
my $session = SicantikWa::Session->new($node, 'odoo');
$session->begin("SELECT wa_forget('081200000010')");
ok(wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'SELECT wa_forget%' AND state = 'active'"), 'who waits, waits');
is(sql("SELECT body FROM wa.message WHERE id = $wire"), 'Lagi, Budi', '  with nothing erased meanwhile');
$sim->release($hold);
ok(wait_sql($node, 'odoo', 'SELECT count(*) = 1 FROM wa.forgotten'), 'until the answer is recorded');
$session->close;
is(sql("SELECT state FROM wa.message WHERE id = $wire"), 'sent', '  with which the message is sent');
is(sql("SELECT state, reason FROM wa.message WHERE id = $later"), 'cancelled|cancelled', 'what waited is cancelled');

is(found('81200000010(?![0-9])'), '', 'his number is nowhere');
is(found('(?<![0-9])(\\+?62[- ]?|0)812[-. ]?0000[-. ]?0010(?![0-9])'), '', 'in no spelling');
is(found('Budi'), '', 'nor his name');
is(found('RAHASIA'), 'wa.announced (1)', 'nor the number of his permit, but in what keeps it from being announced again');
is(found('rumah dijual'), '', 'nor his text');
is(found('ID\\.134912345678'), '', 'nor his id');
is(found('"partner_id": ?10[,}]'), '', 'nor the id of his contact');
is(sql("SELECT string_agg(body, ',') FROM wa.message WHERE id = $other"), 'Kepada Siti', 'what others have stays');
is(sql('SELECT count(*) FROM wa.dead_letter'), '1', '  and what has a longer number');
is(sql("SELECT by || ' ' || (counts ->> 'wa.message')::int || ' ' || (counts ->> 'cancelled') FROM wa.forgotten"),
	sql("SELECT current_user || ' ' || count(*) || ' 1' FROM wa.message WHERE number IS NULL"), 'that it was done is kept, with how much');
unlike(slurp_file($node->logfile) =~ s/^.*(?:statement|STATEMENT):.*$//mgr, qr/audit: .*forget\([^)]*0010/, 'the log does not say whom');
like(slurp_file($node->logfile), qr/audit: role "\w+" calls wa_forget\(person => \.\.\.\)/, '  but that it was done');

my $left = sql($figures);
foreach my $line (split /\n/, $before)
{
	next unless $line =~ /^\((?:sent|delivered)/;
	ok(index($left, $line) >= 0, 'figures stay');
}

# What is told later brings nothing back
told(qq({"device": "628110000000", "id": "$provider_id", "target": "6281200000010", "status": "read"}));
ok(wait_sql($node, 'odoo', 'SELECT NOT EXISTS (SELECT FROM wa.feedback)'), 'a later word on his message is dropped');
is(found('81200000010(?![0-9])'), '', 'his number is not back');
sql("INSERT INTO wa.feedback (provider, kind, progress, callback, provider_message_id, due_at) SELECT 'fonnte', 'status', 'delivered', mark || ':$text:1', 'wamid.81200000010', clock_timestamp() FROM wa.identity");
told(qq({"device": "628110000000", "id": "$provider_id", "status": "read"}));
ok(wait_sql($node, 'odoo', 'SELECT NOT EXISTS (SELECT FROM wa.feedback)'), '  nor one that names the message by our mark');
is(found('81200000010(?![0-9])'), '', '  brings it back');
is(sql("SELECT wa_retry($text)"), '0', 'nobody sends it again');

# Again: nothing is left to erase, and that is no error
is(sql("SELECT sum(rows) FROM wa_forget('+62 812 0000 0010') WHERE what <> 'wa.event'"), '0', 'erased again, there is nothing');
is(sql("SELECT sum(rows) FROM wa_forget(10) WHERE what <> 'wa.event'"), '0', '  nor by his contact');
is(sql('SELECT count(*) FROM wa_forget(4711) WHERE rows > 0'), '0', 'nor of somebody who never was');

# A number of two contacts
sql("UPDATE res_partner SET phone = '0812 0000 0016', phone_sanitized = NULL WHERE id = 17");
my @two = map { sql("SELECT wa_send_text($_, 'Kepada $_')") } 16, 17;
ok(wait_state($node, 'odoo', $_, 'sent'), 'sent') foreach @two;
my ($code, $out, $err) = $node->psql('odoo', 'SELECT * FROM wa_forget(17)');
like($err, qr/NOTICE:  1 number is of more than one contact/, 'a number that two have: that is said');
is(sql("SELECT string_agg(coalesce(body, '-'), ',' ORDER BY id) FROM wa.message WHERE id IN ($two[0], $two[1])"), 'Kepada 16,-', '  and the other one keeps his');
sql("SELECT * FROM wa_forget('081200000016')");
is(sql("SELECT string_agg(coalesce(body, '-'), ',' ORDER BY id) FROM wa.message WHERE id IN ($two[0], $two[1])"), '-,-', '  until the number itself is erased');

# Somebody of whom only an id is known
sql("INSERT INTO wa.message (number, body, state) VALUES ('ID.999912345678', 'Kepada entah', 'sent'), ('ID.9999123456789', 'Kepada lain', 'sent')");
sql("SELECT wa_forget('ID.999912345678')");
is(found('ID\\.999912345678(?![0-9])|Kepada entah'), '', 'an id is erased');
isnt(found('Kepada lain'), '', '  and not a longer one');

# What Odoo does not have any more, the contact or not, but changes and dead letters tell of
sub now_is { my ($permit, $what) = @_; sql("UPDATE sicantik_permit SET $what WHERE id = $permit"); return ok(wait_read($node, 'odoo'), "permit $permit: $what"); }
sub permit_of
{
	my ($id, $partner, $name) = @_;
	sql("INSERT INTO res_partner (id, name, phone, type, active) VALUES ($partner, '$name', '0812-4444-0$partner', 'contact', true);"
		  . " INSERT INTO sicantik_permit (id, partner_id, registration_id, applicant_name, permit_type_name, status, permit_type_id)"
		  . " SELECT $id, $partner, 'REG-$id', '$name', permit_type_name, 'draft', permit_type_id FROM sicantik_permit WHERE id = 2");
	return;
}
permit_of($_, $_, "Mahesa $_") foreach 900, 901;
sql("UPDATE wa.template SET active = false WHERE key = 'permit_ready'");
now_is($_, "status = 'active', permit_number = '503/MAHESA/$_', issue_date = current_date") foreach 900, 901;
sql("UPDATE wa.template SET active = true WHERE key = 'permit_ready'");
is(sql("SELECT count(*) FROM wa.dead_letter WHERE new::text LIKE '%MAHESA%'"), '2', 'two changes could not be told');
sql('DELETE FROM sicantik_permit WHERE id IN (900, 901); DELETE FROM res_partner WHERE id = 900');
is(sql("SELECT string_agg(jsonb_array_length(wa_export(id) -> 'dead_letters') || ' ' || jsonb_array_length(wa_export(id) -> 'events'), ', ') FROM (VALUES (900::bigint), (901)) AS i(id)"),
	'1 2, 1 2', 'their permits are gone, and the export has them');
sql("SELECT wa_forget($_)") foreach 900, 901;
is(found('MAHESA|Mahesa'), '', 'as wa_forget() does');

# Staff were told of a document that Odoo does not have any more
permit_of(920, 920, 'Yulius');
now_is(920, "status = 'active', permit_number = 'PQNUM/920', issue_date = current_date");
sql("INSERT INTO sicantik_document (id, permit_id, document_number, name, state, requires_approval) VALUES (1000, 920, 'DOC-920', 'x', 'pending_signature', true);"
	  . " INSERT INTO signature_workflow (id, document_id, approver_id, state) VALUES (1001, 1000, 6, 'pending')");
ok(wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM wa.message WHERE scenario = 'approval_required' AND params::text LIKE '%PQNUM%' AND state = 'sent'"), 'the approver is told of his document');
sql('DELETE FROM signature_workflow WHERE id = 1001; DELETE FROM sicantik_document WHERE id = 1000');
is(sql("SELECT jsonb_path_query_array(wa_export(920), '\$.to_staff[*].scenario') \@> '[\"approval_required\"]'"), 't', 'what that said is in his export');
is(sql("SELECT wa_export(920) ->> 'to_staff' LIKE '%' || (SELECT number FROM wa.message WHERE scenario = 'approval_required' AND params::text LIKE '%PQNUM%' LIMIT 1) || '%'"), 'f', '  and not whom it went to');
sql('SELECT wa_forget(920)');
is(found('Yulius'), '', 'and it is erased with him');
is(found('PQNUM'), 'wa.announced (1)', '  with the number of his permit');

# A permit that another one had before: what that one was told stays his; and what the office is to be told of others
permit_of(910, 911, 'Ratna');
now_is(910, "status = 'active', permit_number = '503/RATNA', issue_date = current_date");
my $hers = sql("SELECT id FROM wa.message WHERE partner_id = 911");
ok(wait_state($node, 'odoo', $hers, 'sent'), 'she is told of her permit');
sql("INSERT INTO res_partner (id, name, phone, type, active) VALUES (912, 'Surya', '0812-4444-0912', 'contact', true)");
now_is(910, 'partner_id = 912');
sql("DELETE FROM wa.announced WHERE key LIKE 'told:%'; SELECT wa_pause()");
sub document_of { my $permit = shift; sql("INSERT INTO sicantik_document (permit_id, document_number, name, state) VALUES ($permit, 'B-$permit', 'SK $permit', 'draft'); UPDATE sicantik_document SET state = 'pending_signature' WHERE permit_id = $permit"); return wait_read($node, 'odoo'); }
document_of(910);
my $to_staff = "FROM wa.message WHERE scenario = 'document_pending' AND state = 'queued'";
cmp_ok(sql("SELECT count(*) $to_staff"), '>', 0, 'staff are to hear of his document');
sql('SELECT wa_forget(912)');
is(sql("SELECT state || ' ' || (body IS NOT NULL) || ' ' || partner_id FROM wa.message WHERE id = $hers"), 'sent true 911', 'what she was told is hers');
is(sql("SELECT count(*) > 0 FROM wa.event WHERE record_id = 910 AND new::text LIKE '%911%'"), 't', '  as the change of then');
is(sql("SELECT count(*) $to_staff"), '0', 'staff are not to hear of his document any more');
is(found('SK 910|Surya'), '', '  and nothing is left of it');
document_of(3);
cmp_ok(sql("SELECT count(*) $to_staff"), '>', 0, 'and of another one they hear at once');
sql('SELECT wa_resume()');

# A test number gets it in his place
sql("SELECT wa_set('test_number', '6281299990000')");
sql("SELECT wa_set('mode', 'test')");
my $diverted = sql("SELECT wa_send_text('0812-4444-0911', 'Kepada Ratna')");
ok(wait_state($node, 'odoo', $diverted, 'sent'), 'a message to her goes to the test number');
sql("SELECT wa_forget(911)");
is(found('81244440911|Kepada Ratna'), '', 'she is erased from it, too');
sql("SELECT wa_arm('odoo')");

# In a copy nobody ends what says to be on the wire
$node->end_sessions;
$node->safe_psql('postgres', 'CREATE DATABASE salinan TEMPLATE odoo');
$node->safe_psql('salinan', "SET session_replication_role = replica; UPDATE wa.message SET state = 'sending' WHERE id = $other; INSERT INTO wa.ready (message_id, claimed_at) VALUES ($other, now())");
like($node->safe_psql('salinan', "SET lock_timeout = '60s'; SELECT string_agg(what || ' ' || rows, ',') FROM wa_forget('081300000011')"), qr/wa\.message [1-9]/, 'in a copy nothing is waited for');
is($node->safe_psql('salinan', "SELECT count(*) FROM wa.message AS m WHERE m::text ~ '81300000011|Siti'"), '0', '  and it is erased');

# Sent while it is being erased: before or after, never half
my @at_once = map { SicantikWa::Session->new($node, 'odoo') } 1 .. 2;
$at_once[0]->begin("DO \$\$ BEGIN FOR i IN 1 .. 60 LOOP PERFORM wa_send_text('081200000019', 'Kepada Bambang ' || i); COMMIT; END LOOP; END \$\$");
$at_once[1]->begin("DO \$\$ BEGIN FOR i IN 1 .. 5 LOOP PERFORM wa_forget('081200000019'); COMMIT; END LOOP; END \$\$");
$_->close foreach @at_once;
ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))"), 'sent and erased at once: all end');
sql("SELECT wa_forget('081200000019')");
is(found('81200000019(?![0-9])|Bambang'), '', '  and erased, nothing is left');
is(sql("SELECT count(*) FROM wa.message WHERE attempts > 0 AND state = 'cancelled'"), '0', '  nothing that was sent counts as cancelled');

$node->stop;
done_testing();

# What people, and providers afterwards, ask for: cancel, retry, settle.  The
# message that they mean may be on the wire, its row may be held, its contact
# may have changed or be locked; the ledger stays right, and nothing is sent
# that somebody has cancelled in time.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
my $numbers = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub notices { my ($code, $out, $err) = $node->psql('odoo', $_[0]); return "$out|$err"; }
sub col { return sql("SELECT $_[1] FROM wa.message WHERE id = $_[0]"); }
sub number { return sprintf('62812888%05d', ++$numbers); }

# Requests that a number got.
sub requests_to
{
	my ($number) = @_;
	return scalar grep { ($_->{to} || '') eq $number } $sim->sends;
}

sub becomes
{
	my ($id, $state, $name) = @_;
	return ok(wait_state($node, 'odoo', $id, $state), $name);
}

sub comes_true
{
	my ($query, $name) = @_;
	return ok(wait_sql($node, 'odoo', "SELECT $query"), $name);
}

sub nothing_left
{
	return comes_true('NOT EXISTS (SELECT FROM wa.request)', $_[0] || 'the worker has done what was asked for');
}

# A fault for one number.
sub fault
{
	my ($number, $kind, %more) = @_;
	return $sim->fault({ kind => $kind, provider => 'fonnte', times => 1,
			match => { number => $number }, %more });
}

# A message whose only attempt has an unknown outcome, and waits for its repeat.
sub doubtful
{
	my ($number) = @_;
	fault($number, 'cut_after_read');
	my $id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
	wait_sql($node, 'odoo', "SELECT state = 'unknown' AND due_at IS NOT NULL FROM wa.message WHERE id = $id")
	  or diag('not in doubt');
	return $id;
}

# The time for its repeat has come; the change of a setting wakes the worker.
sub end_wait
{
	sql("UPDATE wa.due SET due_at = now() WHERE message_id = $_[0]; SELECT wa_set('office_name', 'DPMPTSP $_[0]')");
	return;
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
foreach my $name ('fonnte', 'cadangan')
{
	my $settings = decode_json(provider_settings($sim, 'fonnte'));
	$settings->{active} = $name eq 'fonnte' ? JSON::PP::true : JSON::PP::false;
	$settings->{kind} = 'fonnte';
	sql("SELECT wa_configure('$name', '" . encode_json($settings) . "')");
	sql("SELECT FROM wa_test_connection('$name')");
}
no_pacing($node, 'odoo');
sql('UPDATE wa.provider SET max_in_flight = 20');
sql("SELECT wa_arm('odoo')");

# On the wire

my $number = number();
my $hold = fault($number, 'hold');
my $id = sql("SELECT wa_send_text('$number', 'on the wire')");
$sim->wait_for_sends(1, to => $number);
like(notices("SELECT wa_cancel($id)"), qr/^0\|.*its state is sending/s, 'wa_cancel() of a message on the wire: 0, and why');
like(notices("SELECT wa_retry($id)"), qr/^0\|.*its state is sending/s, 'wa_retry() likewise');

# a wish from before the message was claimed, which the worker reads only now
sql("INSERT INTO wa.request (action, message_id, requested_by) VALUES ('cancel', $id, 'early bird')");
my $other = sql("SELECT wa_send_text('" . number() . "', 'others go on')");
becomes($other, 'sent', 'a wish about a message on the wire stops nobody');
is(sql("SELECT count(*) FROM wa.request WHERE message_id = $id"), '1', 'it stays until the answer is there');
$sim->release($hold);
becomes($id, 'sent', 'what was on the wire is sent');
nothing_left();
like(col($id, 'detail'), qr/the cancel asked for by early bird came too late/, 'the ledger says that the cancel came too late');
like(sql("SELECT string_agg(what, '; ') FROM wa_why($id)"), qr/pembatalan yang diminta early bird terlambat/, 'wa_why() says so');
ok($node->log_contains(qr/could not cancel 1 message: it had been sent/), 'and the log');

# an attempt that is refused for now goes no further
$number = number();
fault($number, 'fonnte_reason', reason => 'url unreachable');
$id = sql("SELECT wa_send_text('$number', 'refused for now')");
comes_true("state = 'queued' AND attempts = 1 AND due_at IS NOT NULL FROM wa.message WHERE id = $id", 'it waits for another attempt');
is(sql("SELECT wa_cancel($id)"), '1', 'wa_cancel() between two attempts');
becomes($id, 'cancelled', 'ends it');
$number = number();
fault($number, 'fonnte_reason', reason => 'url unreachable');
my $waiting = sql("SELECT wa_send_text('$number', 'refused for now')");
comes_true("state = 'queued' AND attempts = 1 AND due_at IS NOT NULL FROM wa.message WHERE id = $waiting", 'another one waits');
sql("UPDATE wa.due SET due_at = now() + interval '1 hour' WHERE message_id = $waiting");
is(sql("SELECT wa_retry($waiting)"), '1', 'wa_retry() of a message that waits for another attempt');
becomes($waiting, 'sent', 'sends it at once');
is(col($waiting, "backoffs || ' ' || (refused_by IS NULL)::text"), '0 true', 'afresh');

# The number is looked up again

sub failed_to_partner
{
	my ($partner, $old) = @_;
	sql("UPDATE res_partner SET whatsapp_number = '$old' WHERE id = $partner");
	$sim->config({ fonnte => { invalid_targets => [$old] } });
	my $failed = sql("SELECT wa_send_text($partner, 'Yth. Budi')");
	wait_state($node, 'odoo', $failed, 'failed') or diag('did not fail');
	$sim->config({ fonnte => { invalid_targets => [] } });
	return $failed;
}

my ($old, $new) = (number(), number());
$id = failed_to_partner(10, $old);
sql("UPDATE res_partner SET whatsapp_number = '$new' WHERE id = 10");
is(sql("SELECT wa_retry($id)"), '1', 'wa_retry() after the contact was corrected');
becomes($id, 'sent', 'sends it');
is(col($id, "number || ' ' || number_source"), "$new res_partner.whatsapp_number", 'to the new number, which the ledger shows');
is(requests_to($old) . requests_to($new), '11', 'one request to each');

($old, $new) = (number(), number());
$sim->config({ fonnte => { invalid_targets => [$old] } });
$id = sql("SELECT wa_send_text('$old', 'by hand')");
becomes($id, 'failed', 'a number given by hand fails');
sql("UPDATE wa.message SET partner_id = 10 WHERE id = $id");
$sim->config({ fonnte => { invalid_targets => [] } });
sql("SELECT wa_retry($id)");
becomes($id, 'sent', 'tried again');
is(col($id, 'number'), $old, 'a number given by hand stays');

$id = failed_to_partner(10, number());
sql("UPDATE res_partner SET whatsapp_number = 'none', phone = NULL, phone_sanitized = NULL WHERE id = 10");
sql("SELECT wa_retry($id)");
becomes($id, 'skipped', 'no usable number any more: skipped');
like(col($id, "reason || ': ' || detail"), qr/^no_number: no usable number in whatsapp_number \(empty\), .*phone \(empty\)/,
	'with what was looked at');
$new = number();
sql("UPDATE res_partner SET whatsapp_number = '$new' WHERE id = 10");
is(sql("SELECT wa_retry($id)"), '1', 'a skipped message whose contact has a number now');
becomes($id, 'sent', 'goes');
is(col($id, 'number'), $new, 'to that number');

my ($code, $skipped) = $node->psql('odoo', "SELECT wa_send_text(14, 'no number')");
is(col($skipped, "state || ' ' || (number IS NULL)::text"), 'skipped true', 'made without a number');
my $session = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
$new = number();
$session->do("BEGIN; ALTER TABLE res_partner ADD COLUMN wa_test integer; UPDATE res_partner SET whatsapp_number = '$new' WHERE id = 14");
is(sql("SELECT wa_retry($skipped)"), '1', 'wa_retry() while Odoo upgrades the table of contacts');
is(col($skipped, 'state'), 'skipped', 'waits for it');
is(sql("SELECT wa_cancel($skipped)"), '1', 'can be taken back');
comes_true("NOT EXISTS (SELECT FROM wa.request WHERE message_id = $skipped)", 'and is');
is(sql("SELECT wa_retry($skipped)"), '1', 'once more');
$session->do('COMMIT');
is($session->err, '', 'Odoo is not disturbed');
becomes($skipped, 'sent', 'and goes when the upgrade is over');
is(col($skipped, 'number'), $new, 'to the number that the upgrade wrote');

sql('DELETE FROM mail_followers WHERE partner_id = 19; UPDATE sicantik_permit SET partner_id = NULL WHERE partner_id = 19');
$id = failed_to_partner(19, number());
sql('DELETE FROM res_partner WHERE id = 19');
sql("SELECT wa_retry($id)");
becomes($id, 'skipped', 'the contact is gone');
is(col($id, 'reason'), 'no_recipient', 'and that is the reason');

# A provider demanded by hand
$number = number();
$sim->config({ fonnte => { invalid_targets => [$number] } });
$id = sql("SELECT wa_send_text('$number', 'demanded', 'fonnte')");
becomes($id, 'failed', 'a demanded provider refuses it');
$sim->config({ fonnte => { invalid_targets => [] } });
sql("UPDATE wa.provider SET active = false WHERE name = 'fonnte'; UPDATE wa.provider SET active = true WHERE name = 'cadangan'");
sql("SELECT wa_retry($id)");
comes_true("state = 'queued' AND reason = 'no_provider' FROM wa.message WHERE id = $id", 'tried again, it waits for that one');
sql("UPDATE wa.provider SET active = (name = 'fonnte')");
becomes($id, 'sent', 'and goes when that one can be used');
is(col($id, 'provider'), 'fonnte', 'through that one');

# Many

sql('UPDATE wa.provider SET daily_cap = 0');
my $before = sql('SELECT max(id) FROM wa.message');
sql("SELECT wa_send_text('" . number() . "', 'many', 'fonnte')") foreach 1 .. 3;
sql("SELECT wa_send_text('" . number() . "', 'many', 'cadangan')") foreach 1 .. 2;
foreach my $call ('wa_cancel()', 'wa_retry()', 'wa_cancel(NULL, now())', "wa_retry(until => now())")
{
	like(notices("SELECT $call"), qr/ERROR:  scenario, provider and reason are all null/, "$call is an error");
}
like(notices("SELECT wa_cancel(provider => 'fontne')"), qr/ERROR:  provider "fontne" does not exist/, 'a provider that does not exist is an error');
like(notices("SELECT wa_cancel(provider => 'fonnte', since => now() + interval '1 hour')"), qr/^0\|.*NOTICE:  no message of provider "fonnte" made in that time waits$/, 'another time');
like(notices("SELECT wa_cancel(provider => 'fonnte')"),
	qr/^3\|.*NOTICE:  \d+ messages of provider "fonnte" are left alone: 1 cancelled, .*\d+ sent, 1 skipped/s,
	'wa_cancel() by provider: how many, and how many of which state are left alone');
nothing_left();
is(sql("SELECT string_agg(state, ' ' ORDER BY id) FROM wa.message WHERE id > $before"),
	'cancelled cancelled cancelled queued queued', 'those of the provider are cancelled');
sql("UPDATE wa.message SET state = 'failed', reason = 'retries_exhausted' WHERE id IN (SELECT id FROM wa.message WHERE id > $before ORDER BY id LIMIT 2)");
sql("SELECT wa_cancel(provider => 'cadangan')");
nothing_left();
sql('UPDATE wa.provider SET daily_cap = NULL');
is(sql("SELECT wa_retry(NULL, now() - interval '1 hour', provider => 'fonnte')"), '2', 'wa_retry() by provider');
comes_true("array_agg(state ORDER BY id) = '{sent,sent,cancelled,cancelled,cancelled}' FROM wa.message WHERE id > $before", 'those that had failed go');

# Settled by the provider.  Messages in doubt whose repeat is carried out come
# first: after a few more, the provider's messages would be held.

sub settle { return sql("SELECT wa._settle(" . join(', ', map { defined $_ ? $_ : 'NULL' } @_) . ')'); }

# a repeat that waits
$id = doubtful($number = number());
sql('UPDATE wa.provider SET daily_cap = 0');
end_wait($id);
comes_true("state = 'queued' AND repeats = 1 FROM wa.message WHERE id = $id", 'its repeat waits for a provider');
settle($id, 1, "'wamid.2'", 'true', undef);
becomes($id, 'sent', 'settled meanwhile: sent');
sql('UPDATE wa.provider SET daily_cap = NULL');
my $marker = sql("SELECT wa_send_text('" . number() . "', 'marker')");
becomes($marker, 'sent', 'the next message goes');
is(requests_to($number), 1, 'the repeat is dropped');

# a repeat on the wire
$id = doubtful($number = number());
fault($number, 'hold');
end_wait($id);
$sim->wait_for_sends(2, to => $number);
comes_true("state = 'sending' FROM wa.message WHERE id = $id", 'its repeat is on the wire');
settle($id, 1, "'wamid.3'", 'true', undef);
$marker = sql("SELECT wa_send_text('" . number() . "', 'marker')");
becomes($marker, 'sent', 'another message goes');
is(col($id, 'state'), 'sending', 'the settlement waits for the answer');
$sim->clear_faults;
becomes($id, 'sent', 'sent by the repeat');
nothing_left();
isnt(col($id, 'provider_message_id'), 'wamid.3', 'under the id of the repeat');

# a later attempt in doubt, the earlier one accepted
$id = doubtful($number = number());
fault($number, 'cut_after_read');
end_wait($id);
comes_true("state = 'unknown' AND attempts = 2 FROM wa.message WHERE id = $id", 'two attempts in doubt');
settle($id, 1, undef, 'false', undef);
nothing_left();
is(col($id, 'state'), 'unknown', 'that the first was refused does not end it');
settle($id, 1, "'wamid.4'", 'true', undef);
becomes($id, 'sent', 'that the first was accepted does');

# before it is repeated
$id = doubtful($number = number());
is(settle($id, 1, "'wamid.1'", 'true', undef), 't', 'settled as accepted');
becomes($id, 'sent', 'it is sent');
is(col($id, "provider_message_id || ' ' || reason || ' ' || (sent_at IS NOT NULL)::text || ' ' || coalesce(due_at::text, 'never')"),
	'wamid.1 settled true never', 'with the id of the provider');
is(sql("SELECT count(*) FROM wa.due WHERE message_id = $id"), '0', 'and not repeated');
is(settle($id, 1, "'wamid.1'", 'true', undef), 'f', 'once only');
is(sql("SELECT count(*) FROM wa.attempt WHERE message_id = $id AND outcome = 'unknown'"), '1', 'the attempt stays what it was');

$id = doubtful($number = number());
settle($id, 1, undef, 'false', "'not on WhatsApp'");
becomes($id, 'failed', 'settled as not accepted: failed');
is(col($id, 'detail'), 'the provider reported later that it had not accepted attempt 1: not on WhatsApp', 'in words');

# nonsense stops nobody
sql("INSERT INTO wa.request (action, message_id, requested_by, detail) VALUES ('settle', $id, 'x', NULL), ('settle', $id, 'x', '[]'),"
	  . " ('settle', $id, 'x', '{\"attempt\": \"one\", \"accepted\": 1}'), ('settle', $id, 'x', '{\"attempt\": 1e40, \"accepted\": true}'),"
	  . " ('retry', 987654321, 'x', NULL), ('cancel', 987654321, 'x', NULL)");
$marker = sql("SELECT wa_send_text('" . number() . "', 'marker')");
becomes($marker, 'sent', 'odd requests stop nobody');
nothing_left('and go');
is(settle(987654321, 1, undef, 'true', undef), 'f', 'nothing to settle of a message that is not there');

# In doubt

$number = number();
$id = doubtful($number);
is(sql("SELECT wa_cancel($id)"), '1', 'wa_cancel() of a message in doubt that is to be repeated');
nothing_left();
is(col($id, "state || ' ' || reason || ' ' || coalesce(due_at::text, 'never')"), 'unknown cancelled never', 'it stays unknown');
is(sql("SELECT count(*) FROM wa.due WHERE message_id = $id"), '0', 'and is not repeated');
is(sql("SELECT wa_cancel($id)"), '0', 'once only');
is(sql("SELECT wa_retry($id)"), '1', 'wa_retry() all the same');
becomes($id, 'sent', 'sends it');
is(col($id, 'repeats'), '1', 'and the ledger shows that it may have gone twice');
is(requests_to($number), 2, 'which it has');

# A row that somebody holds

sql('UPDATE wa.provider SET daily_cap = 0');
my @ids = map { sql("SELECT wa_send_text('" . number() . "', 'held row')") } 1 .. 2;
$session->do("BEGIN; SELECT FROM wa.message WHERE id = $ids[0] FOR UPDATE");
sql("SELECT wa_cancel($_)") foreach @ids;
becomes($ids[1], 'cancelled', 'a row that somebody holds does not keep the others');
is(col($ids[0], 'state'), 'queued', 'it waits');
$session->do('COMMIT');
becomes($ids[0], 'cancelled', 'until it is let go');
sql('UPDATE wa.provider SET daily_cap = NULL');

# Under stricter isolation levels: a snapshot from before the message was sent

foreach my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	sql('UPDATE wa.provider SET daily_cap = 0');
	$id = sql("SELECT wa_send_text('" . ($number = number()) . "', 'old snapshot')");
	$session->do("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM wa.message");
	sql('UPDATE wa.provider SET daily_cap = NULL');
	becomes($id, 'sent', "$level: sent meanwhile");
	is($session->do("SELECT wa_cancel($id)"), '1', "$level: wa_cancel() sees the message as it was");
	$session->do('COMMIT');
	is($session->err, '', "$level: and does not fail");
	comes_true("detail LIKE '%came too late' FROM wa.message WHERE id = $id", "$level: the ledger says that it came too late");
}

# Cancel and claim at the same moment, by several people at once

my @people = map { SicantikWa::Session->new($node, 'odoo', user => 'odoo') } 1 .. 3;
$people[0]->do("SET client_min_messages = warning") && $people[1]->do("SET client_min_messages = warning");
my ($from, $to) = ($numbers + 1, $numbers + 300);
$numbers = $to;
my $first = sql('SELECT max(id) FROM wa.message');
sql("SELECT count(wa_send_text('62812888' || lpad(i::text, 5, '0'), 'race', CASE WHEN i % 2 = 0 THEN 'fonnte' END)) FROM generate_series($from, $to) AS i");
$people[0]->begin("SELECT sum(wa_cancel(id)) FROM (SELECT id FROM wa.message WHERE id > $first ORDER BY id DESC) AS m");
$people[1]->begin("SELECT sum(wa_cancel(id)) FROM (SELECT id FROM wa.message WHERE id > $first AND id % 3 = 0 ORDER BY id DESC) AS m");
$people[2]->begin("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT wa_cancel(provider => 'fonnte'); COMMIT");
$_->do('SELECT 1') foreach @people;
comes_true("NOT EXISTS (SELECT FROM wa.message WHERE id > $first AND state IN ('queued', 'sending')) AND NOT EXISTS (SELECT FROM wa.request)",
	'cancelled while they are sent: all have ended');
my %ledger = map { split /\|/ } split /\n/, sql("SELECT number, state FROM wa.message WHERE id > $first");
my %journal;
$journal{ $_->{to} }++ foreach grep { exists $ledger{ $_->{to} || '' } } $sim->sends;
my @wrong = grep { ($journal{$_} || 0) != ($ledger{$_} eq 'sent' ? 1 : 0) } keys %ledger;
is(scalar(@wrong), 0, 'what is sent was sent once, what is cancelled never');
note(join ', ', map { my $s = $_; "$s " . grep { $_ eq $s } values %ledger } ('sent', 'cancelled'));
$_->close foreach @people;

# A row that somebody has made anew while its message is on the wire: what its
# answer says is no change that can be made of it, and keeps no other one back.
{
	my ($lost, $beside) = (number(), number());
	my $held = fault($lost, 'fonnte_reason', reason => 'target invalid', held => JSON::PP::true);
	my $anew = sql("SELECT wa_send_text('$lost', 'x')");
	becomes($anew, 'sending', 'a message is on the wire');
	sql("BEGIN; DELETE FROM wa.message WHERE id = $anew; INSERT INTO wa.message (id, number, state, body) VALUES ($anew, '$lost', 'queued', 'x'); COMMIT");
	my $other = sql("SELECT wa_send_text('$beside', 'x')");
	becomes($other, 'sent', 'and its row is made anew: another message is sent and recorded');
	$sim->release($held);
	comes_true("EXISTS (SELECT FROM wa.adrift WHERE id = $anew)", 'that one is said to be carried out by nobody');
	is(sql("SELECT count(*) FROM wa.attempt WHERE message_id = $anew"), 1, 'and what its provider answered is kept');
}

# Work whose message is gone

sql("INSERT INTO wa.ready (message_id) VALUES (987654321); INSERT INTO wa.due (message_id, due_at) VALUES (987654322, now() + interval '1 day')");
sql('UPDATE wa.provider SET daily_cap = 0');
$id = sql("SELECT wa_send_text('" . ($number = number()) . "', 'ended by hand')");
comes_true("reason = 'no_provider' FROM wa.message WHERE id = $id", 'a message waits');
sql("UPDATE wa.message SET state = 'cancelled' WHERE id = $id");
$marker = sql("SELECT wa_send_text('" . number() . "', 'waits as well')");
sql("UPDATE wa.provider SET active = false WHERE name = 'fonnte'");
comes_true("reason = 'no_provider' AND detail LIKE '%fonnte: not active%' FROM wa.message WHERE id = $marker", 'the worker looks at what waits once more');
is(col($id, 'state'), 'cancelled', 'one that was ended by hand stays so');
$session->close;
my $deadlocks = sql('SELECT sum(deadlocks) FROM pg_stat_database');
$node->restart;
comes_true("NOT EXISTS (SELECT FROM wa.ready WHERE message_id IN (987654321, $id)) AND NOT EXISTS (SELECT FROM wa.due WHERE message_id = 987654322)",
	'a new worker cleans up what has no message, or one that was ended by hand');
is(col($id, 'state'), 'cancelled', 'which stays as it was ended, after a restart too');
is(requests_to($number), 0, 'and unsent');
is($deadlocks, '0', 'nothing was deadlocked');

done_testing();

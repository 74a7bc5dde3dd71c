# A row that somebody holds, or fills with something odd, concerns that row
# alone: everybody else's messages go on, and no answer is lost over it.

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

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub comes_true
{
	my ($query, $expected, $name) = @_;
	return ok(wait_sql($node, 'odoo', $query, $expected), $name);
}

sub becomes
{
	my ($id, $state, $name) = @_;
	return ok(wait_state($node, 'odoo', $id, $state), $name);
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 20");

# Mode observe: what was composed in it is concluded in it, however many of
# them go to one number, and wa_arm() sends nothing of it.
sql("UPDATE sicantik_permit SET partner_id = 10, status = 'draft', issue_date = NULL, received_date = NULL");
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'OBSERVE/' || id");
comes_true("SELECT count(*) > 5 AND bool_and(state NOT IN ('queued', 'sending', 'sent')) FROM wa.message", 't', 'the ledger shows it');
is(sql("SELECT count(*) FROM wa.message WHERE state = 'skipped' AND reason <> 'observe'"), '0',
	'observe: every message ends as observed, also those to one number');
sql("SELECT wa_arm('odoo')");
my $marker = sql("SELECT wa_send_text('0812-3456-7801', 'after arming')");
becomes($marker, 'sent', 'message is sent');
is(scalar $sim->sends, 1, 'arming sends nothing of what was made in observe');

# A queued message whose row a person holds.
sql("UPDATE wa.provider SET daily_cap = 0");
my $held = sql("SELECT wa_send_text('0812-3456-7802', 'held')");
my $free = sql("SELECT wa_send_text('0812-3456-7803', 'free')");
comes_true("SELECT count(*) FROM wa.message WHERE reason = 'no_provider'", '2', 'the ledger shows it');
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'log: messages waiting'"), qr/bukan fonnte: batas hariannya tercapai/,
	'wa_check() says what messages wait for');
my $person = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
$person->do("BEGIN; UPDATE wa.message SET priority = 'normal' WHERE id = $held");
sql('UPDATE wa.provider SET daily_cap = NULL');
becomes($free, 'sent', 'message is sent');
is(sql("SELECT state FROM wa.message WHERE id = $held"), 'queued',
	'a held row waits, the others go');
$person->do('COMMIT');
becomes($held, 'sent', 'it goes when the row is let go');

# A message on the wire whose row a person holds when the answer comes.
my $worker = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
my $fault = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => '6281234567804' } });
my $flying = sql("SELECT wa_send_text('0812-3456-7804', 'flying')");
becomes($flying, 'sending', 'message is sending');
$person->do("BEGIN; SELECT FROM wa.message WHERE id = $flying FOR UPDATE");
$sim->release($fault);
$sim->wait_for_sends(4);
my $next = sql("SELECT wa_send_text('0812-3456-7805', 'next')");
becomes($next, 'sent', 'message is sent');
is(sql("SELECT state FROM wa.message WHERE id = $flying"), 'sending',
	'an answer to a held row waits, other messages go on');
$person->do('COMMIT');
becomes($flying, 'sent', 'message is sent');
is(sql("SELECT outcome FROM wa.attempt WHERE message_id = $flying"), 'accepted',
	'and is recorded when the row is let go');
is(sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'"), $worker,
	'by the same worker');

# The worker is to leave meanwhile: the answer that it has is not lost with it.
$fault = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => '6281234567811' } });
$flying = sql("SELECT wa_send_text('0812-3456-7811', 'flying')");
becomes($flying, 'sending', 'message is sending');
$person->do("BEGIN; SELECT FROM wa.message WHERE id = $flying FOR UPDATE");
$sim->release($fault);
$sim->wait_for_sends(6);
my $behind = sql("SELECT wa_send_text('0812-3456-7812', 'next')");
becomes($behind, 'sent', 'message is sent');
$node->safe_psql('odoo', "ALTER SYSTEM SET sicantik_wa.shutdown_grace = '30s'");
$node->safe_psql('odoo', 'SELECT pg_reload_conf()');
ok(wait_sql($node, 'odoo', 'SHOW sicantik_wa.shutdown_grace', '30s'), 'some time to leave');
is(sql("SELECT pg_terminate_backend($worker, 1000)"), 'f', 'it stays with its answer');
$person->do('COMMIT');
becomes($flying, 'sent', 'message is sent');
is(sql("SELECT outcome FROM wa.attempt WHERE message_id = $flying"), 'accepted', 'and the answer is recorded');
$node->poll_query_until('odoo', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $worker)") or die 'it does not leave';
$node->safe_psql('odoo', 'ALTER SYSTEM RESET sicantik_wa.shutdown_grace');
$node->safe_psql('odoo', 'SELECT pg_reload_conf()');

# A message in doubt whose row a person holds when its policy is to be carried out.
my $warm = sql("SELECT wa_send_text('0812-3456-7813', 'another worker')");
becomes($warm, 'sent', 'message is sent');
$worker = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
$sim->fault({ kind => 'cut_after_read', provider => 'fonnte', times => 1, match => { number => '6281234567809' } });
my $doubt = sql("SELECT wa_send_text('0812-3456-7809', 'doubt')");
becomes($doubt, 'unknown', 'message is in doubt');
$person->do("BEGIN; SELECT FROM wa.message WHERE id = $doubt FOR UPDATE");
sql("UPDATE wa.due SET due_at = now() WHERE message_id = $doubt");
$next = sql("SELECT wa_send_text('0812-3456-7810', 'next')");
becomes($next, 'sent', 'a held row in doubt does not stop the others');
is(sql("SELECT state FROM wa.message WHERE id = $doubt"), 'unknown', 'it waits');
$person->do('COMMIT');
becomes($doubt, 'sent', 'it is repeated when the row is let go');
is(sql("SELECT repeats FROM wa.message WHERE id = $doubt"), '1', 'once');
is(sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'"), $worker,
	'by the same worker');

# A table of ours locked as VACUUM FULL does it: nothing becomes a dead letter.
$person->do('BEGIN; LOCK wa.message');
$node->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'expired' WHERE id = 1");
$node->poll_query_until('odoo', "SELECT count(*) > 0 FROM wa.event WHERE record_id = 1 AND new[1] = 'expired'");
$node->wait_for_log(qr/sicantik_wa waits: table "wa.message" is locked/);
$person->do('COMMIT');
comes_true("SELECT bool_and(state = 'sent') FROM wa.message WHERE scenario = 'status_update' AND res_id = 1 AND params ->> 'status_baru' = 'Kedaluwarsa'", 't', 'the ledger shows it');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'a lock on our tables makes no dead letter');
$person->close;

# Keys too long for an index entry.
my $first = sql("SELECT wa_send_text('0812-3456-7806', 'long', dedupe_key => (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) AS i))");
becomes($first, 'sent', 'message is sent');
my $again = sql("SELECT wa_send_text('0812-3456-7806', 'long', dedupe_key => (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) AS i))");
becomes($again, 'skipped', 'a very long dedupe_key works and stops nothing');
my @without = map { sql("SELECT wa_send_text('0812-3456-7807', 'no key $_', dedupe_key => '')") } 1 .. 2;
becomes($_, 'sent', 'an empty dedupe_key is none') for @without;

# Nonsense in rows that a person may write.
sql("UPDATE wa.watch SET columns = array_fill('status'::text, ARRAY[5000]) WHERE relation LIKE '%sicantik_permit'");
$node->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'draft' WHERE id = 2");
sql("SELECT FROM wa_setup()");
sql("INSERT INTO wa.event (xact, command, at, relation, record_id, columns, old, new)"
	  . " VALUES (pg_current_xact_id(), 0, now(), 'a..b', 1, '{status}', '{a}', '{b}'),"
	  . " (pg_current_xact_id(), 1, now(), 'a..b', 1, '{NULL}', '{a}', '{b}')");
my $alive = sql("SELECT wa_send_text('0812-3456-7808', 'alive')");
becomes($alive, 'sent', 'message is sent');
is(sql("SELECT count(*) FROM wa.event AS e, wa.read_position AS p WHERE NOT pg_visible_in_snapshot(e.xact, p.snapshot)"),
	'0', 'odd rows in wa.watch and wa.event stop nobody');

# An opt-out that Odoo knows holds for the bare number too.
my $bare = sql("SELECT wa_send_text((SELECT phone FROM res_partner WHERE id = 12), 'halo')");
becomes($bare, 'skipped', 'message to the bare number is skipped');
is(sql("SELECT reason FROM wa.message WHERE id = $bare"), 'opted_out',
	'a number whose contact has opted out gets nothing, also without the contact');

done_testing();

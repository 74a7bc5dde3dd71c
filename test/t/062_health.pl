# wa_status() and wa_check() answer wherever they are asked: on a standby,
# without wa_setup(), without the module or its tables, without preload, for a
# role that may only look.  And what a prepared transaction leaves is seen as
# soon as it is committed.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	init => { allows_streaming => 1 },
	conf => "sicantik_wa.worker_idle_timeout = 3600\nmax_prepared_transactions = 5");

# All rows of a function, as a role; dies if it fails.
sub rows
{
	my ($server, $dbname, $call, $role) = @_;
	my ($code, $out, $err) = $server->psql($dbname, "SELECT * FROM $call",
		extra_params => [ '-v', 'ON_ERROR_STOP=1', $role ? ('-U', $role) : () ]);

	is($code, 0, "$dbname: $call answers" . ($role ? " $role" : '')) or diag($err);
	return $out;
}

# A database without any of Odoo's tables, and one where wa_setup() was not run

$node->safe_psql('postgres', 'CREATE ROLE clerk LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE empty');
$node->safe_psql('empty', "CREATE EXTENSION sicantik_wa; SELECT wa_grant('clerk', 'view'), wa_set('language', 'en')");
foreach my $role (undef, 'clerk')
{
	like(rows($node, 'empty', 'wa_status()', $role), qr/^next\|SELECT \* FROM wa_setup\(\)/m, 'what comes next');
	my $check = rows($node, 'empty', 'wa_check()', $role);
	like($check, qr/^mode\|error\|wa_setup\(\) has not been run in this database/m, 'what is missing');
	like($check, qr/^reach\|warning\|there is no table sicantik_permit/m, 'no table of permits');
}
load_odoo($node, 'odoo');
$node->safe_psql('odoo', "CREATE EXTENSION sicantik_wa; SELECT wa_grant('clerk', 'view'), wa_set('language', 'en')");
like(rows($node, 'odoo', 'wa_check()', 'clerk'), qr/^watched\|error\|no table is watched/m, 'nothing is watched yet');
like(rows($node, 'odoo', 'wa_check()', 'clerk'), qr/^reach\|\w+\|\D+\d+\D+\d+/m, 'how many could be told is known all the same');
my ($code, $out, $err) = $node->psql('odoo', 'SELECT * FROM wa_check()', extra_params => [ '-U', 'odoo' ]);
is($code, 0, 'the owner of the database may');
$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN');
foreach my $call ('wa_check()', 'wa_status()')
{
	($code, $out, $err) = $node->psql('odoo', "SELECT * FROM $call", extra_params => [ '-U', 'stranger' ]);
	like($err, qr/permission denied for sicantik_wa/, "a stranger may not: $call");
}

# Complete

$node->safe_psql('odoo', "SELECT * FROM wa_setup(); SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "');"
	  . " SELECT wa_test_connection('fonnte'); SELECT wa_arm('odoo')");
no_pacing($node, 'odoo');

# Two-phase commit: nothing before, at once after, wherever it is committed

$node->safe_psql('odoo', "BEGIN; UPDATE sicantik_permit SET status = 'active', permit_number = '2PC/1', issue_date = current_date WHERE id = 1;"
	  . " PREPARE TRANSACTION 'one'");
my $hand = $node->safe_psql('odoo', "SELECT wa_send_text('081299990001', 'Halo')");
ok(wait_state($node, 'odoo', $hand, 'sent'), 'the worker has looked');
is($node->safe_psql('odoo', 'SELECT count(*) FROM wa.message WHERE res_id = 1'), '0', 'a prepared transaction has not happened yet');
$node->safe_psql('odoo', "COMMIT PREPARED 'one'");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = 1 AND scenario = 'permit_ready' AND state = 'sent'", '1'),
	'COMMIT PREPARED wakes the worker');
$node->safe_psql('odoo', "BEGIN; UPDATE sicantik_permit SET status = 'expired' WHERE id = 1; PREPARE TRANSACTION 'two'");
$node->safe_psql('odoo', "ROLLBACK PREPARED 'two'");

# A standby

$node->backup('base');
my $standby = SicantikWa::Node->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
my $message = $node->safe_psql('odoo', "SELECT id FROM wa.message WHERE res_id = 1 AND scenario = 'permit_ready'");
$node->wait_for_catchup($standby);
foreach my $role (undef, 'clerk')
{
	my $status = rows($standby, 'odoo', 'wa_status()', $role);
	my $check = rows($standby, 'odoo', 'wa_check()', $role);

	like($status, qr/^server\|standby\|nothing is composed or sent here/m, 'wa_status() says that it is a standby');
	like($status, qr/^next\|nothing: ask the primary/m, 'and that there is nothing to do');
	like($check, qr/^worker\|ok\|this is a standby/m, 'wa_check() too');
	like($check, qr/^mode\|ok\|this server is a standby/m, 'which is no error');
	like($check, qr/^reach\|\w+\|\D+\d+\D+\d+/m, 'tables are read there');
	like(rows($standby, 'odoo', "wa_why($message)", $role), qr/Fonnte/, 'wa_why()');
	like(rows($standby, 'odoo', "wa_history('2PC/1')", $role), qr/permit_ready/, 'wa_history()');
}
like(rows($standby, 'odoo', "wa_export('081299990001')"), qr/Halo/, 'wa_export()');
like(rows($standby, 'odoo', 'wa_set_holidays()'), qr/^\{/, 'wa_set_holidays() that sets none');
like(rows($standby, 'odoo', "wa_set_scenario('permit_ready', '{}')"), qr/"permit_ready"/, 'wa_set_scenario() that sets nothing');

# What writes says so by its own name: every function, as everybody calls it

my @writes = (
	"wa_arm('odoo')", 'wa_cancel(1)', "wa_cancel('permit_ready')", "wa_configure('fonnte', '{}')", 'wa_disarm()', "wa_forget('081299990001')",
	"wa_grant('clerk', 'send')", "wa_identify('ID.1', '081299990001')", 'wa_import_odoo()', 'wa_invite(10)',
	"wa_map_template('permit_ready', 'fonnte', '{}')", "wa_mute('permit_ready', now())", "wa_opt_in('081299990001')", "wa_opt_out('081299990001')",
	'wa_pause()', 'wa_recount()', 'wa_release(1)', "wa_release('permit_ready')", 'wa_replay(1)', 'wa_resume()', 'wa_retry(1)',
	"wa_retry('permit_ready')", "wa_revoke('clerk')", "wa_run_scenario('permit_expiry')", "wa_send('permit_ready', 10, permit_id => 2)",
	"wa_send('permit_ready', '081299990001', permit_id => 2)", "wa_send_text(10, 'Halo')", "wa_send_text('081299990001', 'Halo')",
	"wa_set('office_name', 'x')", q{wa_set_holidays('{"2027-12-25": "Natal"}')}, q{wa_set_scenario('permit_ready', '{"active": true}')},
	"wa_set_template('permit_ready', '{}')", 'wa_setup()', 'wa_stat_reset()', "wa_submit_template('permit_ready', 'fonnte')",
	"wa_sync_templates('fonnte')", 'wa_teardown()', "wa_test_connection('fonnte')", "wa_webhook('fonnte', '')");
foreach my $call (@writes)
{
	my ($name) = $call =~ /^(\w+)/;

	($code, $out, $err) = $standby->psql('odoo', "\\set VERBOSITY verbose\nSELECT $call");
	like($err, qr/ERROR:  25006: cannot execute $name\(\) during recovery/, "$call does not run there");
}
($code, $out, $err) = $standby->psql('odoo', "\\set VERBOSITY verbose\nCALL wa_try('081299990001')");
like($err, qr/ERROR:  25006: cannot execute wa_try\(\) during recovery/, 'nor does wa_try()');
($code, $out, $err) = $standby->psql('odoo', "SELECT wa_send_text(10, 'Halo')", extra_params => [ '-U', 'clerk' ]);
like($err, qr/needs the level "send"/, 'who may not learns that first');
$standby->stop('immediate');

# Without the contacts

$node->safe_psql('odoo', 'ALTER TABLE res_partner RENAME TO away');
like(rows($node, 'odoo', 'wa_check()', 'clerk'), qr/^reach\|warning\|there is no table res_partner /m, 'no table of contacts');
rows($node, 'odoo', 'wa_status()', 'clerk');
$node->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 1");
ok( wait_sql($node, 'odoo',
		"SELECT count(*) > 0 FROM wa.message WHERE res_id = 1 AND state = 'skipped' AND reason = 'no_recipient' AND detail = 'there is no table res_partner'"),
	'and the ledger says so');
$node->safe_psql('odoo', 'ALTER TABLE away RENAME TO res_partner');

# A table that was written anew looks empty to an older snapshot

my $old = SicantikWa::Session->new($node, 'odoo');
$old->do('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$node->safe_psql('odoo', 'ALTER TABLE sicantik_permit ALTER COLUMN applicant_name TYPE text USING applicant_name || $$$$');
is($old->do('SELECT count(*) FROM sicantik_permit'), '0', 'such a table, to such a snapshot');
like($old->do('SELECT * FROM wa_check()'), qr/^reach\|warning\|table sicantik_permit is locked at the moment/m, 'it is not said that there are no permits');
$old->do(q{SELECT wa_send('permit_ready', 10, permit_id => 2)});
like($old->err, qr/table "sicantik_permit" is locked at the moment/, 'nor that this one does not exist');
$old->do('ROLLBACK');
ok($old->do(q{SELECT wa_send('permit_ready', 10, permit_id => 2)}), 'the next transaction sees it');
$old->close;

# Tables that raise errors, and what can never work

$node->safe_psql('odoo', q{
	CREATE FUNCTION refuse() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'not today; come back'; END$$;
	CREATE POLICY refuse ON sicantik_permit USING (refuse());
	ALTER TABLE sicantik_permit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY refuse ON ir_module_module USING (refuse());
	ALTER TABLE ir_module_module ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE TABLE nameless (code text, state text);
	ALTER TABLE nameless OWNER TO odoo;
	INSERT INTO wa.watch (relation, owner, columns) VALUES ('public.nameless', 'odoo', '{state}');
	INSERT INTO wa.scenario (key, name, template_key, composer, daily_at) VALUES ('typo', 'Typo', 'reminder', 'remainder', '10:00')});
like($node->safe_psql('odoo', 'SELECT * FROM wa_setup()'), qr/^other sender\|error\|could not be looked at: reading table public\.ir_module_module failed: not today; come back; see /m,
	'a policy that raises does not stop wa_setup()');
my $raised = rows($node, 'odoo', 'wa_check()', 'clerk');
like($raised, qr/^reach\|error\|could not be looked at: reading table public\.sicantik_permit failed: not today; come back; see /m, 'a policy that raises is a row of wa_check()');
like($raised, qr/^log: .*^other sender\|error\|could not be looked at: /ms, 'another is a row too, and all others are there');
like($raised, qr/^watched public\.nameless\|error\|it has no column id of an integer type/m, 'a table whose changes concern no scenario');
like($raised, qr/^scenario typo\|error\|composer of scenario "typo" does not exist/m, 'a built-in composer that there is not');
$node->safe_psql('odoo', q{
	DROP POLICY refuse ON sicantik_permit;
	DROP POLICY refuse ON ir_module_module;
	ALTER TABLE sicantik_permit DISABLE ROW LEVEL SECURITY;
	ALTER TABLE ir_module_module DISABLE ROW LEVEL SECURITY;
	DELETE FROM wa.scenario WHERE key = 'typo';
	DELETE FROM wa.watch WHERE relation = 'public.nameless'});

# Without preload

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
like(rows($node, 'odoo', 'wa_status()', 'clerk'), qr/^library\|not preloaded\|.*\n.*^next\|preload the library/ms, 'wa_status() says what to do');
like(rows($node, 'odoo', 'wa_check()', 'clerk'), qr/^library\|error\|not preloaded/m, 'so does wa_check()');
$node->stop('fast');
done_testing();

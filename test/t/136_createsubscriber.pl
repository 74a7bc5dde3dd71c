# A standby that pg_createsubscriber promotes, and makes a subscriber a moment
# later: what it has not read yet is not composed there, since the same rows will
# come from the publisher.  (The program itself: test/field/replication.sh.)

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $main = new_cluster('main', simulator => $sim, init => { allows_streaming => 1 });

load_odoo($main, 'odoo');
$main->safe_psql('odoo', 'CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
$main->safe_psql('odoo', "SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
$main->safe_psql('odoo', "SELECT * FROM wa_test_connection('fonnte')");
no_pacing($main, 'odoo');
$main->safe_psql('odoo', "SELECT wa_arm('odoo')");
$main->append_conf('postgresql.conf', 'sicantik_wa.enabled = off');
$main->reload;
ok( wait_sql($main, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0'),
	'no worker');
$main->backup('backup');

my $standby = SicantikWa::Node->new('standby');
$standby->init_from_backup($main, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'sicantik_wa.enabled = on');
$main->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'expired' WHERE id = 2");
$main->safe_psql('odoo', "SELECT wa_send_text('0812-0000-0020', 'Yth. petugas, ini percobaan.')");
my $place = $main->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
$main->safe_psql('postgres', 'CREATE TABLE something_later (a int)');

# as pg_createsubscriber of each version starts it
$standby->append_conf('postgresql.conf', <<"CONF");
recovery_target_timeline = 'latest'
recovery_target_inclusive = false
recovery_target_action = promote
recovery_target_lsn = '$place'
max_logical_replication_workers = 0
CONF
$standby->start;
ok(wait_sql($standby, 'postgres', 'SELECT NOT pg_is_in_recovery()'), 'it is promoted');
$standby->stop;
my $log = slurp_file($standby->logfile);
like($log, qr/LOG:  sicantik_wa does nothing before the next start of the server/, 'one line says that nothing is done');
unlike($log, qr/sicantik_wa launcher started/, 'there is no launcher');

$standby->append_conf('postgresql.conf', 'max_logical_replication_workers = 4');
$standby->start;
ok( wait_sql($standby, 'odoo', "SELECT count(*) > 1 AND bool_and(state = 'held' AND reason = 'copy') FROM wa.message"),
	'with the next start there is one, and a copy holds what it has');
like($standby->safe_psql('odoo', "SELECT detail FROM wa_status() WHERE item = 'mode'"),
	qr/dipulihkan ke waktu lampau/, 'since it was recovered up to a place');
is(scalar $sim->sends, 0, 'nobody was told');

# What a subscriber of everything has when it takes over: changes of transactions of
# the publisher, some of which are higher than its own, and a position that is not

$standby->append_conf('postgresql.conf', 'sicantik_wa.enabled = off');
$standby->reload;
ok( wait_sql($standby, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0'),
	'no worker');
$standby->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 3");
is( $standby->safe_psql('odoo',
		"WITH u AS (UPDATE wa.event SET xact = ((pg_current_xact_id()::text)::bigint + 1)::text::xid8 WHERE record_id = 3 RETURNING 1) SELECT count(*), setval('wa.message_id_seq', 1) FROM u"),
	'1|1', 'a change of a transaction that is to come: the very one that arms');
$standby->safe_psql('odoo', "SELECT wa_arm('odoo')");
my $release = "SELECT wa_release('permit_ready', reason => 'copy')";
my ($code, $out, $err) = $standby->psql('odoo', $release);
like($err, qr/NOTICE:  not all that was here when this database was armed is held yet.*HINT:  Call wa_release\(\) again/s,
	'a notice says that not all is held yet');
$standby->safe_psql('odoo', 'DO $$ BEGIN FOR i IN 1 .. 10 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
$standby->append_conf('postgresql.conf', 'sicantik_wa.enabled = on');
$standby->reload;
ok(wait_sql($standby, 'odoo', 'SELECT count(*) > 0 FROM wa.message WHERE res_id = 3'), 'is composed');
is($standby->safe_psql('odoo', "SELECT DISTINCT concat_ws(' ', state, reason) FROM wa.message WHERE res_id = 3"),
	'held copy', 'and held, since it was there when the copy was armed');
is(scalar $sim->sends, 0, 'nobody was told of it');
ok(wait_read($standby, 'odoo') && wait_sql($standby, 'odoo', 'SELECT hold_message_id = 0 FROM wa.identity'),
	'when all is read and held');
($code, $out, $err) = $standby->psql('odoo', $release);
unlike($err, qr/held yet/, 'there is no such notice');

# Its sequences have stayed where they were, and nobody has armed it yet

$standby->append_conf('postgresql.conf', 'sicantik_wa.enabled = off');
$standby->reload;
ok( wait_sql($standby, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0'),
	'no worker');
$standby->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 4");
$standby->safe_psql('odoo', "UPDATE wa.identity SET system_identifier = '1'; SELECT setval('wa.message_id_seq', 1), setval('wa.event_outcome_id_seq', 1), setval('wa.unattended_id_seq', 1)");
$standby->append_conf('postgresql.conf', 'sicantik_wa.enabled = on');
$standby->reload;
ok(wait_read($standby, 'odoo'), 'what was not read is read');
is($standby->safe_psql('odoo', "SELECT DISTINCT concat_ws(' ', state, reason) FROM wa.message WHERE res_id = 4"),
	'held copy', 'and held');
is($standby->safe_psql('odoo', 'SELECT count(*) FROM wa.dead_letter'), '0', 'no number was given twice');

# Its own transaction ids are lower than those of the publisher: what the position
# says was read is not new with the next one

$standby->append_conf('postgresql.conf', 'sicantik_wa.enabled = off');
$standby->reload;
ok( wait_sql($standby, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0'),
	'no worker');
$standby->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'cancelled' WHERE id IN (8, 9)");
$standby->safe_psql('odoo', <<'SQL');
WITH now AS (SELECT pg_current_xact_id()::text::bigint AS n), e AS (
	UPDATE wa.event SET xact = (n + 50 + 10 * record_id)::text::xid8 FROM now WHERE record_id IN (8, 9))
UPDATE wa.read_position SET snapshot = format('%1$s:%1$s:', n + 135)::pg_snapshot FROM now
SQL
$standby->append_conf('postgresql.conf', 'sicantik_wa.enabled = on');
$standby->reload;
ok(wait_sql($standby, 'odoo', 'SELECT count(*) > 0 FROM wa.message WHERE res_id = 9'), 'what the publisher had not read is composed');
$standby->safe_psql('odoo', 'DO $$ BEGIN FOR i IN 1 .. 150 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
$standby->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 7");
ok(wait_sql($standby, 'odoo', 'SELECT count(*) > 0 FROM wa.message WHERE res_id = 7'), 'and what comes then');
is($standby->safe_psql('odoo', 'SELECT count(*) FROM (SELECT number FROM wa.message WHERE res_id = 9 GROUP BY number HAVING count(*) > 1) AS m'),
	'0', 'once');
is($standby->safe_psql('odoo', 'SELECT count(*) FROM wa.message WHERE res_id = 8'), '0', 'and not what the publisher had read');

# Armed while its worker composes what it took for a copy's

my $session = SicantikWa::Session->new($standby, 'odoo');
my $arming = SicantikWa::Session->new($standby, 'odoo');
$standby->safe_psql('odoo', q{CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(136); RETURN NEW; END';}
	  . ' CREATE TRIGGER waits BEFORE INSERT ON wa.message FOR EACH ROW EXECUTE FUNCTION waits()');
$session->sql('SELECT pg_advisory_lock(136)');
my $before = scalar $sim->sends;
$session->sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 5");
ok(wait_sql($standby, 'odoo', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 136 AND NOT granted"),
	'the worker is about to write a message');
$session->sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 6");
$session->sql('UPDATE wa.event SET xact = ((pg_current_xact_id()::text)::bigint + 100)::text::xid8 WHERE record_id = 6');
$arming->begin("SELECT wa_arm('odoo')");
ok(wait_sql($standby, 'odoo', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT wa_arm%'"
	  . " AND (state = 'idle' OR wait_event_type = 'Lock')"), 'somebody arms it meanwhile');
$session->sql('SELECT pg_advisory_unlock(136)');
$arming->close;
$standby->safe_psql('odoo', 'DROP TRIGGER waits ON wa.message; DO $$ BEGIN FOR i IN 1 .. 200 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
ok(wait_sql($standby, 'odoo', 'SELECT count(DISTINCT res_id) = 2 FROM wa.message WHERE res_id IN (5, 6)'), 'both changes are composed');
is($standby->safe_psql('odoo', "SELECT DISTINCT concat_ws(' ', state, reason) FROM wa.message WHERE res_id IN (5, 6)"),
	'held copy', 'and held, since both were there when it was armed');
is(scalar $sim->sends, $before, 'nobody was told of them');

$session->close;
$standby->stop;
$main->stop;
done_testing();

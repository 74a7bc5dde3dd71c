# Tables of Odoo's that cannot be read: a policy that raises an error, one that
# sleeps, one that does not let itself be canceled.  What it hits waits and says
# why; everything else, and every other database, goes on.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster(
	'main',
	simulator => $sim,
	conf => join "\n", 'log_min_messages = debug1',
	'sicantik_wa.worker_idle_timeout = 3600', 'sicantik_wa.max_workers = 1',
	'sicantik_wa.read_timeout = 400', 'sicantik_wa.worker_patience = 2', 'sicantik_wa.shutdown_grace = 3s');

sub sql { return $node->safe_psql('odoo', $_[0]); }

# Wait inside the server until the condition is true: that takes no psql for
# each look, and misses nothing that lasts for a moment only.
sub becomes
{
	my ($dbname, $condition) = @_;

	return $node->psql($dbname,
			"SET client_min_messages = error; DO \$wait\$ BEGIN FOR i IN 1..3600 LOOP IF ($condition) THEN RETURN; END IF;"
		  . " PERFORM pg_sleep(0.05); END LOOP; RAISE 'it does not become true'; END \$wait\$") == 0;
}

sub prepare_database
{
	my ($dbname) = @_;

	load_odoo($node, $dbname);
	$node->safe_psql($dbname, "CREATE EXTENSION sicantik_wa; SELECT wa_set('language', 'en'); SELECT count(*) FROM wa_setup();"
		  . " SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
	$node->safe_psql($dbname, "SELECT wa_test_connection('fonnte')");
	no_pacing($node, $dbname);
	$node->safe_psql($dbname, "UPDATE wa.scenario SET requires_opt_in = false; SELECT wa_set('contact_dpmptsp', 'telepon 1'); SELECT wa_arm('$dbname')");
	return;
}

# A policy on the contacts; its function has this body.
sub policy
{
	my ($body) = @_;

	sql("SET ROLE odoo; CREATE OR REPLACE FUNCTION public.look(partner integer) RETURNS boolean LANGUAGE plpgsql AS \$\$ $body \$\$;"
		  . ' DROP POLICY IF EXISTS look ON res_partner; CREATE POLICY look ON res_partner USING (public.look(id));'
		  . ' ALTER TABLE res_partner ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY');
	return;
}

# Without it; a change of the configuration has what waits looked at again.
sub no_policy
{
	sql('ALTER TABLE res_partner DISABLE ROW LEVEL SECURITY; UPDATE wa.provider SET tested_at = now()');
	return;
}

sub log_lines
{
	my ($pattern) = @_;

	return scalar grep { /$pattern/ } split /\n/, slurp_file($node->logfile);
}

# Messages that wait already, by hand: wa_send() itself would raise the error.
sub waits
{
	my ($first, $n, $partner) = @_;

	sql("INSERT INTO wa.message (id, state, number, partner_id, body) SELECT i, 'queued', '62812555' || i, $partner, 'x' FROM generate_series($first, $first + $n - 1) AS i;"
		  . " INSERT INTO wa.ready (message_id) SELECT generate_series($first, $first + $n - 1); UPDATE wa.provider SET tested_at = now()");
	return;
}

prepare_database('odoo');
my ($partner, $other) = split /\n/, sql("SELECT id FROM res_partner WHERE phone_sanitized IS NOT NULL AND whatsapp_opt_in ORDER BY id LIMIT 2");
my $phone = sql("SELECT phone_sanitized FROM res_partner WHERE id = $other");

# An error for one of them, whose messages fill the first round

policy("BEGIN IF partner = $partner THEN RAISE 'no such luck'; END IF; RETURN true; END");
sql("SELECT wa_pause('fonnte')");
waits(910000, 40, $partner);
waits(910100, 1, $other);
sql("SELECT wa_resume('fonnte')");
ok(becomes('odoo', "EXISTS (SELECT FROM wa.message WHERE id = 910100 AND state = 'sent')"), 'an error for one row does not keep the others');
ok( becomes('odoo', "(SELECT count(*) = 40 FROM wa.message WHERE id < 910100 AND (state, reason, detail) = ('queued', 'facts_unreadable', 'reading table public.res_partner failed: no such luck'))"),
	'  its messages wait, and each says why');
is( sql("SELECT value || ' / ' || detail FROM wa_status() WHERE item = 'next'"),
	"mend what messages wait for: reading table public.res_partner failed: no such luck / log: Odoo's tables: 40 messages wait until a table of Odoo's can be read: reading table public.res_partner failed: no such luck",
	'  wa_status() has it as the next thing');
like(sql("SELECT string_agg(w::text, ' ') FROM wa_why(910000) AS w"), qr/cannot be read: reading table/, '  wa_why() tells it');

# For all of them, looked at again and again: one line in the log

policy("BEGIN RAISE 'all is broken'; END");
foreach my $n (1 .. 4)
{
	waits(910100 + $n, 1, $other);
	ok(becomes('odoo', "(SELECT count(*) = $n FROM wa.message WHERE state = 'queued' AND detail LIKE '%all is broken' AND id > 910100)"), "a broken table: look $n");
}
is(log_lines(qr/WARNING:  sicantik_wa cannot read what must be known before messages go/), 2, '  one line in the log for each reason');
is(log_lines(qr/ERROR:  .*(all is broken|no such luck)/), 0, '  and no error');
no_policy();
ok(becomes('odoo', "NOT EXISTS (SELECT FROM wa.message WHERE state <> 'sent')"), 'when it is mended all are sent');

# What says whether this is the right database

is( sql("ALTER TABLE ir_config_parameter OWNER TO odoo; SET ROLE odoo; CREATE FUNCTION public.fail() RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN RAISE 'not for you'; END \$\$;"
		  . ' CREATE POLICY fail ON ir_config_parameter USING (public.fail()); ALTER TABLE ir_config_parameter ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; RESET ROLE;'
		  . " SELECT value || ': ' || detail FROM wa_status() WHERE item = 'mode'; ALTER TABLE ir_config_parameter DISABLE ROW LEVEL SECURITY"),
	"stopped: Odoo's table ir_config_parameter cannot be read: reading table public.ir_config_parameter failed: not for you", 'an unreadable parameter stops, and wa_status() says why');

# A policy that sleeps: the table counts as locked

my $locked = 'table public.res_partner counts as locked: reading it took longer than 0.4 s (sicantik_wa.read_timeout)';
policy('BEGIN PERFORM pg_sleep(600); RETURN true; END');
waits(910200, 1, $other);
ok(becomes('odoo', "EXISTS (SELECT FROM wa.message WHERE id = 910200 AND (reason, detail) = ('facts_unreadable', '$locked'))"), 'a table that takes too long counts as locked');
is(log_lines(qr/LOG:  sicantik_wa could not read table public\.res_partner/), 1, '  the log says it once');
sql("UPDATE sicantik_permit SET status = 'renewed' WHERE id = 2");
my $rounds = sql('SELECT rounds FROM wa.stat_worker');
ok(becomes('odoo', "(SELECT rounds > $rounds + 2 FROM wa.stat_worker)"), '  the worker is not held');

# A session neither

is( sql("SET statement_timeout = '60s'; SELECT value FROM wa_status() WHERE item = 'next';"
		  . " SELECT state, what_to_do FROM wa_check() WHERE item = 'reach'; SELECT DISTINCT what FROM wa_history('$phone') WHERE what LIKE '%res_partner%'"),
	"mend what messages wait for: $locked\n"
	  . "error|could not be looked at: $locked; see what hangs on Odoo's tables, such as a policy (row level security)\n"
	  . "note: res_partner: could not be searched: $locked", 'wa_status(), wa_check() and wa_history() answer');
my ($code, $out, $err) = $node->psql('odoo', "SET statement_timeout = '60s'; SELECT wa_send('status_update', $other, '{}')");
like($err, qr/ERROR:  \Q$locked\E/, '  wa_send() says why it cannot');

# Nor another database, though there is one place only

prepare_database('desa');
sub send_there
{
	$node->safe_psql('desa', "SELECT wa_send('status_update', $partner, '{\"pendaftaran_id\": \"x\", \"status_lama\": \"a\", \"status_baru\": \"b\", \"timestamp\": \"c\", \"detail_link\": \"https://x.example\"}')");
	return;
}

send_there();
ok(becomes('desa', "EXISTS (SELECT FROM wa.message WHERE state = 'sent')"), 'another database has its turn');
no_policy();
ok(becomes('odoo', "EXISTS (SELECT FROM wa.message WHERE id = 910200 AND state = 'sent') AND EXISTS (SELECT FROM wa.message WHERE scenario = 'status_update' AND state = 'sent')"),
	'when it is quick again all goes on');

# A worker that is told to leave while its last message is on the wire looks once
# more; nobody has to come after it.

my $oid = sql("SELECT oid FROM pg_database WHERE datname = 'odoo'");
my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', times => 1 });
waits(910250, 1, $other);
ok($sim->wait_for_sends(1, provider => 'fonnte', fault_id => $hold), 'a message on the wire');
my $since = sql('SELECT clock_timestamp()');
my $offset = -s $node->logfile;
send_there();
ok( wait_sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo' AND state = 'idle' AND state_change > '$since'", '1'),
	'its worker is told that another database waits');
$sim->release;
ok(becomes('desa', "(SELECT count(*) = 2 FROM wa.message WHERE state = 'sent')"), 'that has its turn');
is(sql('SELECT state FROM wa.message WHERE id = 910250'), 'sent', 'the message was sent');
$since = sql('SELECT clock_timestamp()');
sql('ALTER ROLE odoo CREATEDB');
ok( wait_sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa launcher' AND state = 'idle' AND state_change > '$since'", '1'),
	'the launcher looks');
send_there();
ok(becomes('desa', "(SELECT count(*) = 3 FROM wa.message WHERE state = 'sent')"), 'one more there');
is(scalar(() = substr(slurp_file($node->logfile), $offset) =~ /sicantik_wa worker for database $oid started/g), 0, 'no worker came where nothing is left to do');

# One that does not let itself be canceled

policy('BEGIN LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END');
waits(910300, 1, $other);
# (asked anew each time: within a transaction pg_stat_activity stays as it was)
ok(wait_sql($node, 'postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo' AND wait_event = 'PgSleep' AND xact_start < clock_timestamp() - interval '3 s')"),
	'a worker that is stuck');
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo'");
like(sql("SELECT string_agg(value || ' / ' || coalesce(detail, '-'), ' ' ORDER BY item) FROM wa_status() WHERE item IN ('worker', 'next')"),
	qr{^SELECT \* FROM pg_stat_activity WHERE pid = $pid / worker: the worker \(PID $pid\) has made no progress for \d+ s: .* running / PID $pid has made no progress for \d+ s$},
	'  wa_status() does not follow it there');
send_there();
ok( becomes('desa', "(SELECT count(*) = 2 FROM wa_status() WHERE (item, value) = ('worker', 'waiting') AND detail LIKE 'waits for a place for %'"
		  . " OR item = 'next' AND detail LIKE 'worker: this database has waited for a worker for % s: all 1 (sicantik_wa.max_workers) serve other databases;%')"),
	'  another database, which waits for the place, says so');
ok(becomes('desa', "(SELECT count(*) = 4 FROM wa.message WHERE state = 'sent')"), '  and gets it');
is(log_lines(qr/sicantik_wa worker for database \d+ \(PID $pid\) has made no progress for 2 s and must leave, since other databases wait for its place: 1/), 1, '  the log says why');
is(log_lines(qr/sicantik_wa worker for database \d+ \(PID $pid\) does not leave and is ended/), 1, '  in two steps');
no_policy();
like(sql("SELECT detail FROM wa_status() WHERE item = 'worker'"), qr/^stays away until/, '  the one that was ended comes back after a while');

$node->stop('fast');
$sim->stop;
done_testing();

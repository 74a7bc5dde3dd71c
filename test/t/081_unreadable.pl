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
	conf => join "\n",
	'sicantik_wa.worker_idle_timeout = 3600', 'sicantik_wa.max_workers = 1',
	'sicantik_wa.read_timeout = 400', 'sicantik_wa.worker_patience = 2', 'sicantik_wa.shutdown_grace = 500');

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub comes_true
{
	my ($query, $what, $expected) = @_;

	return ok(wait_sql($node, 'odoo', "SELECT $query", $expected), $what);
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

prepare_database('odoo');
my $send = sub { return sql("SELECT wa_send('status_update', $_[0]::bigint, '{\"pendaftaran_id\": \"x\", \"status_lama\": \"a\", \"status_baru\": \"b\", \"timestamp\": \"c\", \"detail_link\": \"https://x.example\"}')"); };
my @people = split /\n/, sql("SELECT id FROM res_partner WHERE phone_sanitized IS NOT NULL AND whatsapp_opt_in ORDER BY id LIMIT 6");

# A message that waits already, by hand: wa_send() itself would raise the error.
my $last = 900000;

sub waits
{
	my ($partner) = @_;

	$last++;
	sql("INSERT INTO wa.message (id, state, number, partner_id, body) VALUES ($last, 'queued', '6281255550000', $partner, 'x');"
		  . " INSERT INTO wa.ready (message_id) VALUES ($last); UPDATE wa.provider SET tested_at = now()");
	return $last;
}

# An error for one of them

sql('SELECT wa_pause(\'fonnte\')');
my ($good, $bad) = map { $send->($people[$_]) } 0, 1;
comes_true("count(*) FROM wa.message WHERE id IN ($good, $bad) AND reason = 'no_provider'", 'two messages wait', '2');
policy("BEGIN IF partner = $people[1] THEN RAISE 'no such luck'; END IF; RETURN true; END");
sql("SELECT wa_resume('fonnte')");
wait_state($node, 'odoo', $good, 'sent');
comes_true("state || ' ' || reason || ' ' || detail FROM wa.message WHERE id = $bad", 'an error for one row makes that message wait, and it says why',
	'queued facts_unreadable reading table public.res_partner failed: no such luck');
is(sql("SELECT state FROM wa.message WHERE id = $good"), 'sent', '  the other one is sent');
like(sql("SELECT value FROM wa_status() WHERE item = 'next'"), qr/reading table public\.res_partner failed: no such luck/, '  wa_status() has it as the next thing');
like(sql("SELECT string_agg(w::text, ' ') FROM wa_why($bad) AS w"), qr/cannot be read: reading table/, '  wa_why() tells it');

# For all of them, looked at again and again: one line in the log

policy("BEGIN RAISE 'all is broken'; END");
waits($people[$_]) foreach 2 .. 5;
comes_true("count(*) FROM wa.message WHERE state = 'queued' AND reason = 'facts_unreadable' AND detail LIKE '%all is broken'", 'all wait', '5');
foreach my $n (1 .. 3)
{
	waits($people[0]);
	comes_true("count(*) FROM wa.message WHERE detail LIKE '%all is broken'", '  and again', 5 + $n);
}
is(log_lines(qr/WARNING:  sicantik_wa cannot read what must be known before \d+ of its messages go/), 2, 'one line in the log for each reason');
is(log_lines(qr/ERROR:  .*all is broken/), 0, '  and no error');
no_policy();
comes_true("count(*) FROM wa.message WHERE state <> 'sent'", 'when it is mended all are sent', '0');

# What says whether this is the right database

sql("ALTER TABLE ir_config_parameter OWNER TO odoo; SET ROLE odoo; CREATE FUNCTION public.fail() RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN RAISE 'not for you'; END \$\$;"
	  . ' CREATE POLICY fail ON ir_config_parameter USING (public.fail()); ALTER TABLE ir_config_parameter ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY');
is(sql("SELECT value || ': ' || detail FROM wa_status() WHERE item = 'mode'"),
	"stopped: Odoo's table ir_config_parameter cannot be read: reading table public.ir_config_parameter failed: not for you", 'an unreadable parameter stops, and wa_status() says why');
sql('ALTER TABLE ir_config_parameter DISABLE ROW LEVEL SECURITY');

# A policy that sleeps: the table counts as locked

policy("BEGIN PERFORM pg_sleep(60); RETURN true; END");
my $id = waits($people[0]);
comes_true("reason || ' ' || detail FROM wa.message WHERE id = $id", 'a table that takes too long counts as locked',
	'facts_unreadable table public.res_partner counts as locked: reading it took longer than 0.4 s (sicantik_wa.read_timeout)');
is(log_lines(qr/LOG:  sicantik_wa could not read table public\.res_partner/), 1, '  the log says it once');
sql("UPDATE sicantik_permit SET status = 'renewed' WHERE id = 2");
comes_true("EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo' AND state = 'idle')", '  the worker is not held');
no_policy();
wait_state($node, 'odoo', $id, 'sent');
comes_true("count(*) > 0 FROM wa.message WHERE scenario = 'status_update' AND state = 'sent'", '  when it is quick again all goes on');

# One that does not let itself be canceled, and another database wants the place

policy("BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END");
my $held = waits($people[0]);
comes_true("EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo' AND wait_event = 'PgSleep')", 'the worker sits in it');
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo'");
$node->safe_psql('postgres', "CREATE ROLE desa LOGIN; CREATE DATABASE desa OWNER desa");
$node->safe_psql('desa', 'CREATE EXTENSION sicantik_wa');
ok( wait_sql($node, 'desa', "SELECT value || ' ' || detail ~ 'for a place: .* sicantik_wa.max_workers' FROM wa_status() WHERE item = 'worker'", 'waiting true')
	  || log_lines(qr/does not leave and is ended/) > 0, 'another database waits for the place, and wa_status() says so');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), '  which it gets: the worker is ended');
is(log_lines(qr/sicantik_wa worker for database \d+ \(PID $pid\) has made no progress for 2 s and must leave, since other databases wait for its place: 1/), 1, '  the log says why');
is(log_lines(qr/sicantik_wa worker for database \d+ \(PID $pid\) does not leave and is ended/), 1, '  in two steps');
ok(wait_sql($node, 'desa', "SELECT value <> 'waiting' FROM wa_status() WHERE item = 'worker'"), '  the other one is looked after');
no_policy();
wait_state($node, 'odoo', $held, 'sent');

$node->stop('fast');
done_testing();

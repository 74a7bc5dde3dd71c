# wa.stat_progress: a drain, a set that is composed, wishes by the thousand, a daily run
# and an import are seen while they last, and nothing is left of them when they are
# over, fail, are rolled back, or their process is killed.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use IPC::Run ();
use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "sicantik_wa.worker_idle_timeout = 3600\nsicantik_wa.compose_batch = 4\nrestart_after_crash = on");

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub ok_wait { return ok(wait_sql($node, 'odoo', "SELECT $_[0]"), $_[1]) || diag(sql('SELECT * FROM wa.stat_progress')); }
my $progress = 'FROM wa.stat_progress WHERE command =';
my $over = "NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))";

load_odoo($node, 'odoo');
load_many($node, 'odoo', 200);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");
ok_wait('EXISTS (SELECT FROM wa.read_position)', 'the worker has looked');
is(sql('SELECT count(*) FROM wa.stat_progress'), 0, 'nothing is going on');

# A set of changes, each message of which takes a moment.
sql('CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.02); RETURN NEW; END $$;'
	  . ' CREATE TRIGGER slow BEFORE INSERT ON wa.message FOR EACH ROW EXECUTE FUNCTION public.slow()');
sql(q(SELECT wa_configure('fonnte', '{"max_in_flight": 1}')));
my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => '6281200008888' } });
sql("SELECT wa_send_text('6281200008888', 'in the way')");
ok_wait("EXISTS (SELECT FROM wa.message WHERE number = '6281200008888' AND state = 'sending')", 'the only place is taken');
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'B/' || id WHERE registration_id LIKE 'MANY-%'");
ok_wait("EXISTS (SELECT $progress 'compose' AND done BETWEEN 4 AND 199 AND total BETWEEN done AND 200 AND started_at <= clock_timestamp() AND pid IN"
	  . " (SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa composer'))", 'how far the process beside the worker is');
wait_read($node, 'odoo');
ok_wait("NOT EXISTS (SELECT $progress 'compose')", 'all is composed');
sql('DROP TRIGGER slow ON wa.message');

# What waits behind the one on the wire is a drain.
ok_wait("EXISTS (SELECT $progress 'drain' AND phase = 'sending' AND total = done + 201 AND pid = (SELECT pid FROM wa.stat_worker))", 'a drain is seen, with all that waits');

# A step of the worker's ends in an error: what it tells begins again with the work.
my $before = sql("SELECT started_at $progress 'drain'");
sql(q{CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
	CREATE TRIGGER no BEFORE UPDATE ON wa.read_position FOR EACH ROW EXECUTE FUNCTION public.no()});
sql("UPDATE sicantik_permit SET permit_number = 'C/' || id WHERE registration_id LIKE 'MANY-%'");
ok_wait('(SELECT failed_rounds > 0 FROM wa.stat_worker)', 'a round ends in an error');
ok_wait("(SELECT started_at > '$before' $progress 'drain')", 'the drain begins again');
sql('DROP TRIGGER no ON wa.read_position');
wait_read($node, 'odoo');
ok_wait("NOT EXISTS (SELECT $progress 'compose')", 'nothing is left of what was composed');

# The worker is killed: the server starts anew, and tells of what it does then only.
my $pid = sql('SELECT pid FROM wa.stat_worker');
my $began = sql("SELECT started_at $progress 'drain'");
my $next = $sim->fault({ kind => 'hold', provider => 'fonnte' });
$node->end_sessions;
my $crashed = -s $node->logfile;
kill 'KILL', $pid;
$node->wait_for_log('database system is ready to accept connections', $crashed);
ok($node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)"), 'the server is there again');
ok_wait("NOT EXISTS (SELECT FROM wa.stat_progress WHERE pid = $pid)", 'the killed one tells nothing');
ok_wait("(SELECT started_at > '$began' AND pid <> $pid $progress 'drain')", 'another worker drains');
$sim->release($_) foreach $hold, $next;
sql(q(SELECT wa_configure('fonnte', '{"max_in_flight": 100}')));
ok_wait($over, 'all is sent') or diag(sql('SELECT state, reason, count(*) FROM wa.message GROUP BY 1, 2'));
ok_wait("NOT EXISTS (SELECT $progress 'drain')", 'the drain is over');

# Wishes: more than are carried out at once, while somebody holds a row of a message.
sql(q(SELECT wa_pause('fonnte')));
sql("SELECT count(wa_send_text('62813' || (10000000 + n), 'Halo')) FROM generate_series(1, 2200) AS n");
sql('CREATE FUNCTION public.slow_wish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN OLD; END $$;'
	  . ' CREATE TRIGGER slow_wish BEFORE DELETE ON wa.request FOR EACH ROW EXECUTE FUNCTION public.slow_wish()');
sql("SELECT count(wa_cancel(id)) FROM wa.message WHERE number LIKE '62813%'");
ok_wait("EXISTS (SELECT $progress 'requests' AND total = 2200 AND done < total)", 'many wishes are seen');
ok_wait('NOT EXISTS (SELECT FROM wa.request)', 'they are carried out');
ok_wait("NOT EXISTS (SELECT $progress 'requests')", 'and gone');
ok_wait('NOT EXISTS (SELECT FROM wa.stat_progress)', 'with what waited');
sql('DROP TRIGGER slow_wish ON wa.request');

# In a session: until the end of the transaction, or of the part of it.
my $import = 'SELECT count(*) FROM wa_import_odoo()';
is(sql("BEGIN; $import; COMMIT; SELECT count(*) $progress 'import'") =~ s/^\d+\n//r, 0, 'an import that is over');
my $locker = SicantikWa::Session->new($node, 'odoo');
$locker->sql('BEGIN; LOCK TABLE wa.announced IN ACCESS EXCLUSIVE MODE');
my ($in, $out, $err);
sub run_daily { return IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('odoo'), '-c', "SELECT wa_run_scenario('permit_expiry_warning')" ], \$in, \$out, \$err); }
my $other = run_daily();
ok_wait("EXISTS (SELECT $progress 'daily run')", 'a daily run by hand is seen');
sql("SELECT pg_cancel_backend(pid) $progress 'daily run'");
ok_wait("NOT EXISTS (SELECT $progress 'daily run')", 'and not after its error');
$other->finish;
$other = run_daily();
ok_wait("EXISTS (SELECT $progress 'daily run')", 'once more');
sql("SELECT pg_terminate_backend(pid) $progress 'daily run'");
ok_wait("NOT EXISTS (SELECT $progress 'daily run')", 'and not after the end of its session');
$other->finish;
$locker->sql('ROLLBACK');

# A purge: a worker that starts looks for one.
sql("UPDATE wa.message SET created_at = created_at - interval '1 year', finished_at = finished_at - interval '1 year'");
sql('CREATE FUNCTION public.slow_purge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.001); RETURN NEW; END $$;'
	  . ' CREATE TRIGGER slow_purge BEFORE UPDATE ON wa.message FOR EACH ROW EXECUTE FUNCTION public.slow_purge()');
sql('SELECT pg_terminate_backend(pid, 60000) FROM wa.stat_worker');
ok_wait("EXISTS (SELECT $progress 'purge' AND done >= 500 AND total >= done)", 'a purge is seen, and about how much there is');
ok_wait("NOT EXISTS (SELECT $progress 'purge')", 'and is over');
is(sql('SELECT count(*) FROM wa.message WHERE number IS NOT NULL'), 0, 'when all is purged');

# Rights.
sql("CREATE ROLE monitor LOGIN; CREATE ROLE nobody LOGIN; SELECT wa_grant('monitor', 'view')");
my $code;
($code, $out, $err) = $node->psql('odoo', 'SELECT count(*) >= 0 FROM wa.stat_progress', extra_params => [ '-U', 'monitor' ]);
is($out, 't', 'for level view');
($code, $out, $err) = $node->psql('odoo', 'SELECT count(*) FROM wa.stat_progress', extra_params => [ '-U', 'nobody' ]);
like($err, qr/needs the level "view"/, 'and not for others');

$node->stop;
done_testing();

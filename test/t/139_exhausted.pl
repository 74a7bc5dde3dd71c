# The worker's process gets no more memory, or no more descriptors: what it was
# about is undone, said by wa_check() and in the log, and done when there is some
# again; nothing goes twice, and the server runs on.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

# Limits of a process that runs are set by util-linux's program.
plan skip_all => 'prlimit is not here' if system('prlimit --version >/dev/null 2>&1') != 0;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => "sicantik_wa.worker_idle_timeout = 3600\nrestart_after_crash = off\nsicantik_wa.compose_batch = 10000\n"
		# no place for a process that composes beside the worker
		. "max_worker_processes = 3");
my $worker = "backend_type = 'sicantik_wa worker'";
my $permits = 1500;

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub comes_true { my ($query, $name) = @_; return ok(wait_sql($node, 'odoo', "SELECT ($query)", 't'), $name); }
sub pid { wait_sql($node, 'odoo', "SELECT count(*) FROM pg_stat_activity WHERE $worker", 1); return sql("SELECT pid FROM pg_stat_activity WHERE $worker"); }

# limit($pid, $what, $value): the soft limit, which can be raised again
sub limit
{
	my ($pid, $what, $value) = @_;
	return system("prlimit --pid $pid --$what=$value: >/dev/null 2>&1") == 0;
}

# The first descriptor that is free, or a connection's, which soon will be: of those
# below it, the server's own files can give theirs to each other, and to nobody else.
sub all_taken
{
	my ($pid) = @_;
	my $n = 0;

	while (defined(my $is = readlink "/proc/$pid/fd/$n")) { last if $is =~ /^socket:/; $n++; }
	return $n;
}

sub size_of { my ($pid) = @_; my ($pages) = slurp_file("/proc/$pid/statm") =~ /^(\d+)/; return $pages * 4096; }

$sim->config({ fonnte => { quota => 100_000 } });
load_odoo($node, 'odoo');
load_many($node, 'odoo', $permits);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 20; SELECT wa_set('language', 'en'); SELECT wa_arm('odoo')");
my $first = sql("SELECT wa_send_text('6281270000001', 'Halo')");
ok(wait_state($node, 'odoo', $first, 'sent'), 'everything works');

# Memory: a mass event that does not fit.
my $pid = pid();
my $offset = -s $node->logfile;
ok(limit($pid, 'as', size_of($pid) + 512 * 1024), 'no more memory');
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'B/' || id WHERE registration_id LIKE 'MANY-%'");
comes_true("SELECT state = 'error' AND what_to_do ~ 'its work has ended in an error [0-9]+ times since .*, see the server.s log: out of memory' FROM wa_check() WHERE item = 'worker'", 'wa_check() says that there is no memory');
ok($node->wait_for_log(qr/ERROR:  out of memory/, $offset), 'and the log');
is(sql("SELECT count(*) FROM wa.message WHERE scenario IS NOT NULL AND state <> 'queued'"), 0, 'nothing is done by halves');
my $by_hand = sql("SELECT wa_send_text('6281270000002', 'Halo')");
limit($_, 'as', 'unlimited') foreach $pid;
ok(wait_state($node, 'odoo', $by_hand, 'sent'), 'with memory a text goes');
comes_true("SELECT count(*) = $permits FROM wa.message WHERE scenario = 'permit_ready'", 'each permit has its message');

comes_true("SELECT NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))", 'and all have gone');

# A function of the DBA's fails at length: there is room for the error, but for no copy
# of it.  With ever more memory, up to where he is told.
sql(q{SET ROLE odoo;
	CREATE FUNCTION long_error(record_id bigint, old jsonb, new jsonb) RETURNS TABLE (partner_id bigint, number text, params jsonb)
	LANGUAGE plpgsql STABLE AS $$ DECLARE long text := repeat('x', 1000000);
	BEGIN RAISE EXCEPTION USING message = 'long', detail = long, hint = long, column = long, constraint = long, datatype = long, table = long, schema = long; END $$;
	RESET ROLE;
	SELECT wa_set_template('long', '{"name": "x", "body": "Yth. Warga, tagihan {{invoice}} jatuh tempo. Terima kasih.", "parameters": ["invoice"]}');
	INSERT INTO wa.scenario (key, name, template_key, composer, daily_at) VALUES ('long', 'x', 'long', 'public.long_error', '08:00')});
my $session = SicantikWa::Session->new($node, 'odoo');
my $backend = $session->sql('SET log_min_messages = fatal; SELECT pg_backend_pid()');
my ($said, $steps) = ('', 0);
my $room;
for (;;)
{
	$session->do("SELECT wa_run_scenario('long')");
	($said) = $session->err =~ /^ERROR:  (.*)$/m;
	last if $steps > 0 && $said ne 'out of memory';
	limit($backend, 'as', 'unlimited');
	last if $session->do('SELECT pg_backend_pid()') ne $backend;
	$room //= size_of($backend);
	limit($backend, 'as', $room + 200_000 * ++$steps);
}
cmp_ok($steps, '>', 30, 'an error that takes room');
is($said, 'long', 'with enough it is told');
is($session->do('SELECT pg_backend_pid()'), $backend, 'until then the session goes on');
$session->close;

# Descriptors: none for another connection, where the one that was there is lost.
$pid = pid();
$offset = -s $node->logfile;
$sim->crash;
ok(limit($pid, 'nofile', all_taken($pid)), 'no more descriptors');
$sim->restart;
$sim->config({ fonnte => { quota => 100_000 } });
# should the server close a file of its own just then, a connection takes its place:
# it is held, and the next message finds none
$sim->fault({ kind => 'hold', provider => 'fonnte' }) foreach 1 .. 3;
sql("SELECT wa_send_text('628127000000' || n, 'Halo') FROM generate_series(3, 6) AS n");
my $waits = "FROM wa.message WHERE detail ~ 'the request was not sent: this server could open no connection .Too many open files.: raise its limit'";
comes_true("SELECT EXISTS (SELECT $waits)", 'it waits, and says for what');
like(sql("SELECT string_agg(what, E'\\n') FROM wa_why((SELECT min(id) $waits))"), qr/raise its limit of open files/, 'so does wa_why()');
limit($pid, 'nofile', 1000);
$sim->release;
comes_true("SELECT count(*) = 4 FROM wa.message WHERE id > $by_hand AND scenario IS NULL AND state = 'sent'", 'with descriptors a text goes');
comes_true("SELECT NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))", 'everything has gone');
comes_true("SELECT state = 'ok' FROM wa_check() WHERE item = 'worker'", 'and all is well');

is(sql("SELECT string_agg(DISTINCT state, ',') FROM wa.message"), 'sent', 'nothing is lost, and nothing in doubt');
my %times;
$times{ $_->{to} }++ foreach $sim->accepted;
is_deeply([ grep { $times{$_} != 1 } sort keys %times ], [], 'nothing went twice');
unlike(slurp_file($node->logfile), qr/terminated by signal/, 'nobody has crashed');

$node->stop;
done_testing();

# wa.stat_worker says what the ledger does: what was rolled back is not counted, what
# the process beside the worker does is, a worker's end takes nothing away; rights,
# and wa_stat_reset().

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $permits = 60;
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "sicantik_wa.worker_idle_timeout = 3600\nsicantik_wa.compose_batch = 4\nlog_min_messages = debug1");
my $n = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub stat_of { return sql("SELECT $_[0] FROM wa.stat_worker"); }

# All permits get ready in one transaction: each is a message.
sub all_ready
{
	$n++;
	sql("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%'; RESET sicantik_wa.capture");
	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'B$n/' || id WHERE registration_id LIKE 'MANY-%'");
	return;
}

# Counted in the ledger, as the view has it.
my $ledger = q{SELECT concat_ws(' ', (SELECT count(*) FROM wa.message WHERE scenario IS NOT NULL), (SELECT sum(attempts) FROM wa.message),
	(SELECT count(*) FROM wa.attempt), (SELECT count(*) FROM wa.attempt WHERE outcome = 'accepted'))};
my $counted = "SELECT concat_ws(' ', messages_made, claims, attempts, accepted) FROM wa.stat_worker";
sub as_the_ledger
{
	my ($what) = @_;

	ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))"), "$what: nothing waits");
	ok(wait_sql($node, 'odoo', "SELECT ($ledger) = ($counted)"), "$what: as the ledger says") or diag(sql($ledger) . ' is not ' . sql($counted));
	return;
}

load_odoo($node, 'odoo');
load_many($node, 'odoo', $permits);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");
ok(wait_sql($node, 'odoo', 'SELECT EXISTS (SELECT FROM wa.read_position)'), 'the worker has looked');

# A part of it by a process beside the worker.
sql('CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.01); RETURN NEW; END $$;'
	  . ' CREATE TRIGGER slow BEFORE INSERT ON wa.message FOR EACH ROW EXECUTE FUNCTION public.slow()');
my $events = stat_of('events_read');
all_ready();
ok(wait_sql($node, 'odoo', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa composer')"), 'a process composes beside the worker');
wait_read($node, 'odoo');
as_the_ledger('a mass event');
sql('DROP TRIGGER slow ON wa.message');
is(stat_of('events_read') - $events, $permits, 'each change was read once');
is(stat_of("messages_made >= $permits"), 't', 'and made a message');
is(stat_of('compose_time > 0 AND choose_time > 0 AND send_time > 0 AND record_time > 0 AND commit_time > 0 AND wire_time > 0'), 't', 'it took time');
is(stat_of('rounds >= 2 AND commits >= 3 AND failed_rounds = 0'), 't', 'in rounds and commits');

# A change alone is a round that makes and sends its message, and one that records it;
# now and then the clock wants another.
my @alone = split /\n/, sql("SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id LIMIT 30");
sql("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%'");
my $rounds = stat_of('rounds');
foreach my $id (@alone)
{
	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'S/$id' WHERE id = $id");
	wait_sql($node, 'odoo', "SELECT EXISTS (SELECT FROM wa.message WHERE res_id = $id AND params ->> 'permit_number' = 'S/$id' AND state = 'sent')");
}
cmp_ok(stat_of('rounds') - $rounds, '<', 2.5 * @alone, 'a change alone takes two rounds');

# A message that cannot be made: the piece is rolled back, and halved.
my $last = sql('SELECT max(id) FROM sicantik_permit');
sql("CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN IF NEW.res_id = $last THEN RAISE 'no'; END IF; RETURN NEW; END \$\$;"
	  . ' CREATE TRIGGER no BEFORE INSERT ON wa.message FOR EACH ROW EXECUTE FUNCTION public.no()');
all_ready();
wait_read($node, 'odoo');
ok(wait_sql($node, 'odoo', 'SELECT count(*) FROM wa.dead_letter', 1), 'one change makes no message');
as_the_ledger('a piece that was rolled back');
sql('DROP TRIGGER no ON wa.message');

# Refused ones, and those by hand.
my $made = stat_of('messages_made');
my $by_hand = sql("SELECT wa_send_text('6281100000010', 'Halo')");
ok(wait_state($node, 'odoo', $by_hand, 'sent'), 'one by hand is sent');
as_the_ledger('one by hand');
is(stat_of('messages_made'), $made, 'which no worker has made');

# The latency: each accepted message is in one step.
is(sql('SELECT sum(messages) = (SELECT accepted FROM wa.stat_worker) FROM wa.stat_worker_latency'), 't', 'the latency is of all accepted messages');
is(sql("SELECT max(cumulative) = sum(messages) AND count(*) = 16 AND max(upper_bound) = 'Infinity' FROM wa.stat_worker_latency"), 't', 'added up, in steps to infinity');
is(sql('SELECT latency_time > 0 AND latency_time <= accepted * 60000 FROM wa.stat_worker'), 't', 'and it is no time of another kind');


# Another worker goes on counting.
my $before = sql($counted);
my $pid = stat_of('pid');
sql("SELECT pg_terminate_backend($pid, 60000)");
ok(wait_sql($node, 'odoo', "SELECT pid <> $pid FROM wa.stat_worker"), 'another worker comes') or diag(stat_of('pid'));
is(sql($counted), $before, 'and nothing is lost');
sql("SELECT wa_send_text('6281100000011', 'Halo')");
as_the_ledger('another worker');

# Rights.
sql("CREATE ROLE monitor LOGIN; CREATE ROLE nobody LOGIN; SELECT wa_grant('monitor', 'view')");
foreach my $view (qw(stat_worker stat_worker_latency))
{
	my ($code, $out, $err) = $node->psql('odoo', "SELECT count(*) > 0 FROM wa.$view", extra_params => [ '-U', 'monitor' ]);
	is($out, 't', "wa.$view is for level view");
	($code, $out, $err) = $node->psql('odoo', "SELECT count(*) FROM wa.$view", extra_params => [ '-U', 'nobody' ]);
	like($err, qr/needs the level "view"/, "wa.$view is not for others");
}
my ($code, $out, $err) = $node->psql('odoo', 'SELECT wa_stat_reset()', extra_params => [ '-U', 'monitor' ]);
like($err, qr/admin/, 'wa_stat_reset() is for level admin');
($code, $out, $err) = $node->psql('odoo', 'SELECT wa._stat_worker()', extra_params => [ '-U', 'nobody' ]);
like($err, qr/level|permission/, 'the function below the view asks, too');

# From zero.
my $since = stat_of('stats_reset');
is(sql("SELECT stats_reset > pg_postmaster_start_time() FROM wa.stat_worker"), 't', 'counted since the server has known the database');
sql('SELECT wa_stat_reset()');
is(sql('SELECT messages_made + claims + attempts + accepted FROM wa.stat_worker'), 0, 'wa_stat_reset() begins with zero');
is(sql('SELECT sum(messages) FROM wa.stat_worker_latency'), 0, 'the latency, too');
is(sql("SELECT stats_reset > '$since' FROM wa.stat_worker"), 't', 'from now on');
my $next = sql("SELECT wa_send_text('6281100000012', 'Halo')");
ok(wait_state($node, 'odoo', $next, 'sent'), 'one more');
ok(wait_sql($node, 'odoo', $counted, '0 1 1 1'), 'is counted alone');

$node->stop;
done_testing();

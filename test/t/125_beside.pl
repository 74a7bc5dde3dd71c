# A large set of changes is composed in pieces by a process beside the worker,
# which sends meanwhile; whoever ends that process loses nothing.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use SicantikWa::Session;
use SicantikWa::Test;

my $permits = 120;
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => "sicantik_wa.worker_idle_timeout = 3600\nsicantik_wa.compose_batch = 4\nlog_min_messages = debug1");
my $session;
my $n = 0;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }

my $composer = "FROM pg_stat_activity WHERE backend_type = 'sicantik_wa composer'";
my $reading = 'EXISTS (SELECT FROM wa.read_position WHERE reading IS NOT NULL)';
my $all_sent = "$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))";

load_odoo($node, 'odoo');
load_many($node, 'odoo', $permits);
$session = SicantikWa::Session->new($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");
# each message takes a moment; and while the gate is shut, the process beside the worker stops behind its second piece
sql(q(CREATE SEQUENCE public.made;
	CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
	BEGIN
		PERFORM pg_catalog.pg_sleep(0.01);
		IF (SELECT backend_type FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()) = 'sicantik_wa composer'
			AND pg_catalog.nextval('public.made') > 8 THEN
			WHILE NOT pg_catalog.pg_try_advisory_xact_lock_shared(125) LOOP
				PERFORM pg_catalog.pg_sleep(0.01);
			END LOOP;
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER slow BEFORE INSERT ON wa.message FOR EACH ROW EXECUTE FUNCTION public.slow()));
sub shut_gate { return sql("SELECT setval('public.made', 1, false), pg_advisory_lock(125)"); }
sub open_gate { return sql('SELECT pg_advisory_unlock(125)'); }

# All permits get ready in one transaction: each is a message.
sub all_ready
{
	$n++;
	sql("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%';"
		  . ' RESET sicantik_wa.capture');
	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'B$n/' || id WHERE registration_id LIKE 'MANY-%'");
	return;
}

sub told { return sql("SELECT count(DISTINCT res_id) || ' ' || string_agg(DISTINCT state, ' ') || ' ' || count(*) FROM wa.message WHERE params->>'permit_number' LIKE 'B$n/%'"); }

# what is there before the first look is read as one set
ok(wait_for('EXISTS (SELECT FROM wa.read_position)'), 'the worker has looked');

# What a person sends does not wait for it, nor does what is composed already.
shut_gate();
all_ready();
ok(wait_for("EXISTS (SELECT $composer) AND $reading"), 'more than a piece is composed beside the worker');
my $by_hand = sql("SELECT wa_send_text('6281200009999', 'meanwhile')");
ok(wait_for("EXISTS (SELECT FROM wa.message WHERE id = $by_hand AND state = 'sent')"), 'a message by hand goes');
cmp_ok(sql("SELECT count(*) FROM wa.message WHERE id > $by_hand") + 0, '<', $permits, 'while it is being composed');
ok(wait_for("EXISTS (SELECT FROM wa.message WHERE res_id IS NOT NULL AND state = 'sent')"), 'and so do the first that are composed');
open_gate();
ok(wait_for($all_sent), 'all is read, and sent');
is(told(), "$permits sent $permits", 'each permit is told once');
ok(sql("SELECT (SELECT min(sent_at) FROM wa.message WHERE res_id IS NOT NULL) < (SELECT max(created_at) FROM wa.message WHERE res_id IS NOT NULL)") eq 't',
	'the first were sent before the last were made');
ok(wait_for("NOT EXISTS (SELECT $composer)"), 'then nobody composes beside it');

# Nor does the worker keep the changes that it would have gone on with.
sub kept
{
	my $from = -s $node->logfile;
	my $worker = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
	my $log = '';

	sql("SELECT pg_log_backend_memory_contexts($worker)");
	usleep(10_000) until ($log = substr(slurp_file($node->logfile), $from)) =~ /\[$worker\] .*Grand total/;
	return $log =~ /\[$worker\] .*PortalHoldContext/;
}
my $until = time + 60;
usleep(50_000) while kept() && time < $until;
ok(!kept(), 'the worker has given back what it read of them');

# What it composed the worker knows as if it had done so itself: it asks about
# those whose person has changed since, and of no others.
my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => '6281200008888' } });
sql(q(SELECT wa_configure('fonnte', '{"max_in_flight": 1}')));
sql("SELECT wa_send_text('6281200008888', 'in the way')");
ok(wait_for("EXISTS (SELECT FROM wa.message WHERE number = '6281200008888' AND state = 'sending')"), 'the only place is taken');
all_ready();
ok(wait_for($ALL_READ), 'all is composed');
my $one = sql("SELECT max(id) FROM wa.message WHERE params->>'permit_number' LIKE 'B$n/%'");
sql("SET session_replication_role = replica; UPDATE res_partner SET whatsapp_number = '6285711112222'"
	  . " WHERE id = (SELECT partner_id FROM wa.message WHERE id = $one); RESET session_replication_role");
ok(wait_for("clock_timestamp() - (SELECT created_at FROM wa.message WHERE id = $one) > interval '260 milliseconds'"), 'none of it is fresh');
my $from = -s $node->logfile;
$sim->release($hold);
ok(wait_for($all_sent), 'it goes');
is(sql("SELECT string_agg(number, ' ') FROM wa.message WHERE state = 'sent' AND res_id = (SELECT res_id FROM wa.message WHERE id = $one)"
	  . " AND params->>'permit_number' LIKE 'B$n/%'"), '6285711112222', 'the one whose number has changed, to that');
my $log = substr(slurp_file($node->logfile), $from);
my ($asked, $known) = (0, 0);
($asked, $known) = ($asked + $1, $known + $2) while $log =~ /of (\d+) messages (\d+) are as they were made/g;
# and perhaps the new one that took its place
cmp_ok($asked - $known, '<=', 2, "and of $asked no other was composed again");
cmp_ok($known, '>=', $permits - 1, 'for they are known');
sql(q(SELECT wa_configure('fonnte', '{"max_in_flight": 100}')));

# Ended in the middle: the worker goes on, and counts on.
my $before = scalar $sim->sends;
sql('UPDATE wa.scenario SET max_per_transaction = 25');
shut_gate();
all_ready();
ok(wait_for("EXISTS (SELECT $composer) AND $reading AND (SELECT count(*) >= 8 FROM wa.message WHERE params->>'permit_number' LIKE 'B$n/%')"),
	'it has composed some');
is($node->safe_psql('postgres', "SELECT count(pg_terminate_backend(pid)) $composer"), '1', 'and is ended');
open_gate();
ok(wait_for($all_sent), 'the rest is read after its end');
is(told(), "$permits held sent $permits", 'each permit has one message');
is(sql("SELECT count(*) FROM wa.message WHERE state = 'sent' AND params->>'permit_number' LIKE 'B$n/%'"), '25', 'no more than may go of one transaction');
is(scalar($sim->sends) - $before, 25, 'and the provider got as many');
sql('UPDATE wa.scenario SET max_per_transaction = NULL');

# The server is crashed in the middle.
shut_gate();
all_ready();
ok(wait_for("$reading"), 'a set is begun');
$node->stop('immediate');
$node->start;
$session = SicantikWa::Session->new($node, 'odoo');
ok(wait_for($all_sent), 'it is read to its end after a crash');
# one that was on the wire is in doubt
like(told(), qr/^$permits .*sent.* $permits$/, 'each permit has one message then, too');

# Somebody wants the database for himself.
shut_gate();
all_ready();
ok(wait_for("EXISTS (SELECT $composer) AND $reading"), 'it is composed beside the worker again');
$session->close;
$node->end_sessions;
is($node->psql('postgres', 'DROP DATABASE odoo'), 0, 'the database can be dropped meanwhile');

done_testing();

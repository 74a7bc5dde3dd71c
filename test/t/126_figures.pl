# The figures say what counting the ledger would say: whoever writes it, whatever
# is rolled back or killed, in the days of the office, after the retention, and
# in a database that was restored.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Audit;
use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "restart_after_crash = on\nwal_level = logical\nmax_worker_processes = 20");
my $db = 'odoo';

sub sql { return $node->safe_psql($db, $_[0]); }

sub right
{
	my ($what) = @_;
	return is_deeply([ miscounts($node, $db) ], [], "the figures are right: $what");
}
sub folded { return wait_sql($node, $db, 'SELECT NOT EXISTS (SELECT FROM wa.figure_change) AND EXISTS (SELECT FROM wa.figure_zone)'); }

load_odoo($node, $db);
sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT count(*) FROM wa_test_connection('fonnte')");
no_pacing($node, $db);
sql("SELECT wa_arm('odoo')");
ok(folded(), 'the worker takes up the days of the office');
is(sql('SELECT time_zone FROM wa.figure_zone'), 'Asia/Jakarta', 'as the setting says');

# What is sent, refused, put off, held, delivered, read and priced.

my @numbers = map { sprintf '62811%08d', $_ } 1 .. 6;
my @ids = map { sql("SELECT wa_send_text('$_', 'Halo $_')") } @numbers[ 0 .. 3 ];
my $later = sql("SELECT wa_send_text('$numbers[4]', 'Besok', send_at => now() + interval '1 day')");
ok(wait_sql($node, $db, "SELECT count(*) FROM wa.message WHERE state NOT IN ('queued', 'sending') AND id IN (" . join(',', @ids) . ')', '4'), 'four messages are over');
right('what the worker has concluded');
sql("UPDATE wa.message SET delivered_at = sent_at + interval '3 s', pricing = '{\"category\": \"utility\", \"type\": \"regular\", \"billable\": true}' WHERE id = $ids[0]");
sql("UPDATE wa.message SET sent_at = coalesce(sent_at, now()), read_at = now() + interval '2 hours' WHERE id = $ids[1]");
right('what comes later');
sql("INSERT INTO wa.message (scenario, provider, state, delivered_at, read_at, pricing) VALUES ('untold', 'meta', 'delivered', now(), NULL, '{\"category\": \"a/b\", \"type\": \"c/d\", \"billable\": false}'),"
	  . " ('untold', 'meta', 'read', NULL, now(), '{\"category\": \"" . 'k' x 50 . "\", \"type\": \"" . 't' x 50 . "\", \"billable\": true}'), ('untold', 'meta', 'sent', NULL, NULL, NULL)");
right('who is known to have a message, though not when it went');
is(sql("SELECT made, sent, delivered, read, delivery_rate, sent_after_median FROM wa.stat_delivery WHERE scenario = 'untold'"), '3|3|2|1|66.7|',
	'was sent it: no rate is above 100 %');
is(sql("SELECT category, type, billable FROM wa.stat_cost WHERE scenario = 'untold' ORDER BY category"), "a-b|c-d|false\n" . 'k' x 36 . '|' . 't' x 36 . '|true',
	'what a price is called is told apart, whatever it is called');
sql("DELETE FROM wa.message WHERE scenario = 'untold'");

# Whoever writes.

my $session = SicantikWa::Session->new($node, $db);
$session->sql('BEGIN');
$session->sql("INSERT INTO wa.message (scenario, state, created_at) SELECT 'a' || g % 3, 'sent', now() - g * interval '7 hours' FROM generate_series(1, 100) AS g");
$session->sql('SAVEPOINT s');
$session->sql("INSERT INTO wa.message (scenario, state) VALUES ('rolled back', 'failed')");
$session->sql('ROLLBACK TO s');
$session->sql("INSERT INTO wa.message (scenario, state) VALUES (E'tab\\tbed', 'failed'), (repeat('panjang', 20), 'failed')");
$session->sql('COMMIT');
is(sql("SELECT count(*) FROM wa.figures WHERE scenario = 'rolled back'"), '0', 'what a savepoint takes back is not counted');
is(sql("SELECT string_agg(messages::text, ',') FROM wa.figures WHERE scenario ~ '^(tab|panjang)'"), '1,1', 'whatever a scenario is called');
sql("DELETE FROM wa.message WHERE scenario ~ '^(tab|panjang)'");
right('rows that a person writes');
sql("DO \$\$ BEGIN BEGIN INSERT INTO wa.message (state) SELECT 'sent' FROM generate_series(1, 3); PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;"
	  . " INSERT INTO wa.message (state) VALUES ('failed'); END \$\$");
right('an error that is caught');
sql("SET session_replication_role = replica; INSERT INTO wa.message (state, created_at) VALUES ('skipped', '2026-01-31 23:30+07')");
right('a session without ordinary triggers');
is(sql("SELECT day FROM wa.figures WHERE state = 'skipped'"), '2026-01-31', 'a day is one of the office');
sql("BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM wa.message; TRUNCATE wa.message; INSERT INTO wa.message SELECT * FROM kept; COMMIT");
right('a table that is written anew');

# What the views say, against the rows; of some nothing but the state is known.
sql("INSERT INTO wa.message (scenario, provider, state) SELECT 'untimed', 'fonnte', s FROM unnest('{sent,sent,delivered,read}'::text[]) AS s");
is(sql("SELECT made, sent, delivered, read, sent_after_median, delivery_rate FROM wa.stat_delivery WHERE scenario = 'untimed'"), '4|4|2|1||50.0', 'a state without a time');
right('then');

my $raw = q{SELECT count(*), count(*) FILTER (WHERE coalesce(sent_at, delivered_at, read_at) IS NOT NULL OR state IN ('sent', 'delivered', 'read')),
	count(*) FILTER (WHERE coalesce(delivered_at, read_at) IS NOT NULL OR state IN ('delivered', 'read')), count(*) FILTER (WHERE read_at IS NOT NULL OR state = 'read'), count(*) FILTER (WHERE state = 'failed') FROM wa.message};
is(sql('SELECT sum(made), sum(sent), sum(delivered), sum(read), sum(failed) FROM wa.stat_delivery'), sql($raw), 'wa.stat_delivery counts what the ledger has');
is(sql("SELECT category, type, billable, messages FROM wa.stat_cost"), 'utility|regular|true|1', 'wa.stat_cost, what the provider says of the price');
is(sql("SELECT scenario IS NULL, state, messages, oldest = (SELECT created_at FROM wa.message WHERE id = $later), next_due_at > now() FROM wa.stat_queue"),
	't|queued|1|t|t', 'wa.stat_queue, what waits');
is(sql("SELECT accepted_today, attempts_today >= 4, circuit_open FROM wa.stat_provider WHERE provider = 'fonnte'"),
	sql("SELECT count(*) FILTER (WHERE outcome = 'accepted'), true, false FROM wa.attempt"), 'wa.stat_provider, the attempts of today');
# Each scenario a number of messages of random times from a millisecond to weeks.
sql("SELECT setseed(0.5); INSERT INTO wa.message (scenario, provider, state, created_at, event_at, sent_at, delivered_at)"
	  . " SELECT 'times' || n, 'meta', 'sent', e + interval '1 s', e, e + exp(random() * spread) * interval '1 ms', CASE WHEN g % 2 = 1 THEN e + exp(random() * 21) * interval '1 ms' END"
	  . " FROM (VALUES (1, 21), (2, 21), (3, 10), (7, 1), (20, 5), (99, 21), (1000, 21), (400, 0.2)) AS k (n, spread), LATERAL generate_series(1, n) AS g, (SELECT timestamptz '2026-03-03 10:00+07') AS t (e)");
is( sql(q{SELECT string_agg(format('%s %s: %s, %s', d.scenario, v.what, v.told, v.counted), '; ') FROM wa.stat_delivery AS d JOIN
	(SELECT scenario, percentile_disc('{0.5, 0.95}'::float8[]) WITHIN GROUP (ORDER BY sent_at - event_at) AS sent, percentile_disc('{0.5, 0.95}'::float8[]) WITHIN GROUP (ORDER BY delivered_at - event_at) AS delivered
	FROM wa.message WHERE scenario ~ '^times' GROUP BY scenario) AS r USING (scenario),
	LATERAL (VALUES ('sent', sent_after_median, r.sent[1]), ('sent, 95', sent_after_p95, r.sent[2]), ('delivered', delivered_after_median, r.delivered[1]), ('delivered, 95', delivered_after_p95, r.delivered[2]))
	AS v (what, told, counted) WHERE abs(ln(extract(epoch FROM v.told)::float8 / extract(epoch FROM v.counted)::float8)) > ln(2) / 8 + 1e-6}),
	'', 'no time is further off than half a step, which is less than a tenth');
is(sql(q{SELECT sent_after_median = sent_after_p95, delivered_after_median = delivered_after_p95 FROM wa.stat_delivery WHERE scenario = 'times1'}), 't|t',
	'of one message, half and 95 of 100 took the same time');
is(sql("SELECT delivery_rate FROM wa.stat_delivery WHERE scenario = 'times1000'"), '50.0', 'and the rate');
sql("SELECT wa_set('language', 'en')");
sql("INSERT INTO wa.message (state, reason, provider) VALUES ('failed', 'recipient', 'meta')");
like(sql("SELECT messages, advice FROM wa.stat_failure WHERE reason = 'recipient'"), qr/^1\|.*[a-z]{4}/, 'wa.stat_failure gives advice');
sql("DELETE FROM wa.message WHERE scenario ~ '^times' OR state = 'failed' AND reason = 'recipient' AND number IS NULL");
right('rows that are gone');

# Rights.

sql('CREATE ROLE nobody LOGIN; CREATE ROLE viewer LOGIN');
sql("SELECT wa_grant('viewer', 'view')");
foreach my $view (qw(figures stat_delivery stat_failure stat_queue stat_provider stat_cost))
{
	my ($code, $out, $err) = $node->psql($db, "SELECT count(*) FROM wa.$view", extra_params => [ '-U', 'nobody' ]);
	like($err, qr/permission denied|level/, "wa.$view is not for everybody");
	($code, $out, $err) = $node->psql($db, "SELECT count(*) FROM wa.$view", extra_params => [ '-U', 'viewer' ]);
	is($code, 0, 'but for every level');
}

# Everything is killed in the middle of it.

sql("INSERT INTO wa.message (state) SELECT 'skipped' FROM generate_series(1, 1000)");
my $killed = SicantikWa::Session->new($node, $db);
$killed->sql('BEGIN');
$killed->sql("UPDATE wa.message SET reason = 'observe' WHERE state = 'skipped'");
my $pid = $killed->sql('SELECT pg_backend_pid()');
sql("CHECKPOINT");
kill 'KILL', $pid;
ok(wait_sql($node, $db, "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", '0'), 'a session is killed, and the server with it');
right('after a crash');
ok(folded(), 'the worker adds up');
right('and again');

# Another zone: other days.

sql("INSERT INTO wa.message (state, created_at) VALUES ('cancelled', '2026-02-01 23:30+07')");
is(sql("SELECT day FROM wa.figures WHERE day < '2026-02-03' AND state = 'cancelled'"), '2026-02-01', 'half past eleven in Jakarta');
sql("SELECT wa_set('time_zone', 'Asia/Jayapura')");
ok(wait_sql($node, $db, "SELECT time_zone = 'Asia/Jayapura' FROM wa.figure_zone"), 'the office moves');
is(sql("SELECT day FROM wa.figures WHERE day < '2026-02-03' AND state = 'cancelled'"), '2026-02-02', 'is the day after in Jayapura');
right('in other days');

# What a savepoint takes back has locked nothing: the zone is another one then.
my $later_one = SicantikWa::Session->new($node, $db);
$later_one->sql('BEGIN');
$later_one->sql('SAVEPOINT s');
$later_one->sql("INSERT INTO wa.message (state) VALUES ('failed')");
$later_one->sql('ROLLBACK TO s');
sql("SELECT wa_set('time_zone', 'Asia/Jakarta')");
ok(wait_sql($node, $db, "SELECT time_zone = 'Asia/Jakarta' FROM wa.figure_zone"), 'the office moves back meanwhile');
$later_one->sql("INSERT INTO wa.message (state, created_at) VALUES ('cancelled', '2026-02-05 23:30+07')");
$later_one->sql('COMMIT');
is(sql("SELECT string_agg(day::text, ',') FROM wa.figures WHERE day BETWEEN '2026-02-04' AND '2026-02-08' AND state = 'cancelled'"), '2026-02-05', 'and its days are counted in');
right('after a savepoint');

# Where triggers were off, one counts anew.

sql("ALTER TABLE wa.message DISABLE TRIGGER count; INSERT INTO wa.message (state) VALUES ('failed'); ALTER TABLE wa.message ENABLE ALWAYS TRIGGER count");
isnt(scalar(() = miscounts($node, $db)), 0, 'who disables triggers is not counted');
is(sql('SELECT wa_recount() = (SELECT count(*) FROM wa.message)'), 't', 'wa_recount() counts anew');
right('then');
my ($code, $out, $err) = $node->psql($db, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT wa_recount()');
like($err, qr/READ COMMITTED/, 'not in a transaction that sees what was');

# A ledger that somebody fills by hand is added up, though there is nothing else to do.
# (what the recount left is few, for which nobody is woken)
sql("SELECT wa_send_text('081200000010', 'Halo')");
ok(wait_sql($node, $db, 'SELECT NOT EXISTS (SELECT FROM wa.figure_change)'), 'after the last work all is added up');
sql("INSERT INTO wa.message (state, scenario, created_at) SELECT 'sent', scenario, now() - n * interval '1 day' FROM generate_series(1, 600) AS n, unnest('{permit_ready,reminder}'::text[]) AS scenario");
ok(wait_sql($node, $db, 'SELECT NOT EXISTS (SELECT FROM wa.figure_change)'), 'and so is what is written by hand');
right('then');

# A backup has no figures, and needs none.

my $dump = PostgreSQL::Test::Utils::tempdir('dump') . '/odoo.dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr($db) ], 'a backup');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('copy'), $dump ], 'is restored');
$db = 'copy';
right('in the copy');
cmp_ok(sql('SELECT sum(messages) FROM wa.figures'), '>', 1000, 'which has them');

$node->stop;
done_testing();

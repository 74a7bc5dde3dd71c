# Dead letters: one bad event among a thousand is found quickly and holds
# nobody up; wa_replay() makes one message however often and beside whatever it
# runs.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use SicantikWa::Session;
use SicantikWa::Test;

my $node = new_cluster('main', conf => 'sicantik_wa.worker_idle_timeout = 3600');

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
load_many($node, 'odoo', 1000);
sql('CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
no_pacing($node, 'odoo');
my @ids = split(/\n/, sql("SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id"));

# A table that cannot be read where one permit is among those asked for

my $culprit = $ids[617];
sql(<<"SQL");
CREATE FUNCTION public.readable(id bigint) RETURNS boolean LANGUAGE plpgsql AS \$\$
BEGIN
	IF id = $culprit THEN
		RAISE EXCEPTION 'permit % is broken', id;
	END IF;
	RETURN true;
END \$\$;
ALTER FUNCTION public.readable(bigint) OWNER TO odoo;
CREATE POLICY readable ON sicantik_permit USING (public.readable(id));
ALTER TABLE sicantik_permit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SQL
my $started = time;
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'D/' || id, issue_date = current_date WHERE registration_id LIKE 'MANY-%'");
ok(wait_read($node, 'odoo'), 'a thousand events, one of them bad');
my $took = time - $started;
note(sprintf('composed in %.1f s', $took));
cmp_ok($took, '<', 15, 'are composed in reasonable time');
is(sql("SELECT string_agg(record_id || ' ' || error, ',') FROM wa.dead_letter"), "$culprit reading table public.sicantik_permit failed: permit $culprit is broken", 'the bad one alone is a dead letter');
is( sql("SELECT count(*), count(DISTINCT res_id), count(*) FILTER (WHERE res_id = $culprit) FROM wa.message WHERE scenario = 'permit_ready'"),
	'999|999|0', 'the others have their message, once');
my $event = sql('SELECT event_id FROM wa.dead_letter');

# Two at the same time

sql('ALTER TABLE sicantik_permit DISABLE ROW LEVEL SECURITY; DROP POLICY readable ON sicantik_permit');
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'log: dead letters'"), qr/permit $culprit is broken/, 'wa_check() tells it');
my $one = SicantikWa::Session->new($node, 'odoo');
my $two = SicantikWa::Session->new($node, 'odoo');
my $three = SicantikWa::Session->new($node, 'odoo');
is($one->do("BEGIN; SELECT wa_replay($event)"), '1', 'one replays');
$three->do('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$two->begin("SELECT wa_replay($event)");
$three->begin("SELECT wa_replay($event)");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%wa_replay($event)%'", '2'),
	'two others wait for it');
$one->do('COMMIT');
$two->do('SELECT 1');
like($two->err, qr/event $event is no dead letter/, 'the second finds none');
$three->do('ROLLBACK');
like($three->err, qr/could not serialize access/, 'the third, which may not see it, says so');
is(sql("SELECT count(*) FROM wa.message WHERE res_id = $culprit"), '1', 'one message');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'no dead letter');

# Beside the worker: the same announcement from an event of today

sub die_of_template
{
	my ($permit) = @_;

	sql('SELECT wa_set_template(\'permit_ready\', \'{"active": false}\')');
	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'W/$permit', issue_date = current_date WHERE id = $permit");
	ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.dead_letter WHERE record_id = $permit", '1'), 'a broken template');
	sql('SELECT wa_set_template(\'permit_ready\', \'{"active": true}\')');
	return sql("SELECT event_id FROM wa.dead_letter WHERE record_id = $permit");
}

sql("UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE id IN ($ids[0], $ids[1])");
wait_read($node, 'odoo');
foreach my $end ('COMMIT', 'ROLLBACK')
{
	my $permit = $end eq 'COMMIT' ? $ids[0] : $ids[1];
	my $letter = die_of_template($permit);
	my $logged = -s $node->logfile;

	sql("UPDATE sicantik_permit SET status = 'draft' WHERE id = $permit");
	ok(wait_read($node, 'odoo'), 'the permit is taken back');
	sql("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'active' WHERE id = $permit");
	is($one->do("BEGIN; SELECT wa_replay($letter)"), '1', "$end: a replay is open");
	sql("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'draft' WHERE id = $permit");
	sql("UPDATE sicantik_permit SET status = 'active' WHERE id = $permit");
	$node->wait_for_log(qr/canceling statement due to lock timeout/, $logged);
	is(sql("SELECT count(*) FROM wa.message WHERE res_id = $permit AND scenario = 'permit_ready' AND params->>'permit_number' = 'W/$permit'"),
		'0', 'the worker does not wait, and tries again');
	$one->do($end);
	ok(wait_read($node, 'odoo'), 'when it is over the worker goes on');
	is(sql("SELECT count(*) FROM wa.message WHERE res_id = $permit AND scenario = 'permit_ready' AND params->>'permit_number' = 'W/$permit'"),
		'1', "$end: one message");
	is(sql('SELECT count(*) FROM wa.dead_letter'), $end eq 'COMMIT' ? '0' : '1', 'the dead letter is gone, or there');
	sql("SELECT wa_replay($letter)") if $end eq 'ROLLBACK';
	is(sql("SELECT string_agg(outcome, ',') FROM wa.event_outcome WHERE record_id = $permit AND scenario = 'permit_ready' AND outcome = 'already announced'"),
		'already announced', 'and an outcome says why there is no second one');
}
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'no dead letter is left');
# (after the ROLLBACK the status update, which gave way to the first, goes)
is(sql("SELECT count(*) FROM (SELECT FROM wa.message WHERE scenario = 'permit_ready' GROUP BY res_id, params->>'permit_number' HAVING count(*) > 1) AS d"),
	'0', 'nobody was told twice');

# A change of status that has been followed by others, although the status is the
# same again: the later one tells it, so the replay has nothing to say

my $permit = $ids[2];

sub change_status
{
	my ($status) = @_;

	sql("UPDATE sicantik_permit SET status = '$status' WHERE id = $permit");
	ok(wait_read($node, 'odoo'), "the status is $status");
	return sql("SELECT max(id) FROM wa.event WHERE record_id = $permit");
}

sql('SELECT wa_set_template(\'status_update\', \'{"active": false}\')');
my $first = change_status('expired');
is(sql("SELECT record_id FROM wa.dead_letter WHERE event_id = $first"), $permit, 'its event is a dead letter');
sql('SELECT wa_set_template(\'status_update\', \'{"active": true}\')');
change_status('draft');
my $last = change_status('expired');
is(sql("SELECT wa_replay($first)"), '0', 'a status that has changed since is not told late');
is(sql("SELECT outcome FROM wa.event_outcome WHERE event_id = $first AND scenario = 'status_update'"), 'no longer true', 'and says why');
is(sql("SELECT string_agg(DISTINCT event_id::text, ',') FROM wa.message WHERE res_id = $permit AND scenario = 'status_update' AND event_id IN ($first, $last)"),
	$last, 'the last change alone is told');
$_->close foreach ($one, $two, $three);
$node->stop('fast');
done_testing();

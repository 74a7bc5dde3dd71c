# Limits and silence over time: a restart and a crash neither forget what has
# passed nor count it twice; a muted scenario announces nothing and loses
# nothing; a daily run has no limit but the one that it is given.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $node = new_cluster('main', fsync => 1, conf => "sicantik_wa.worker_idle_timeout = 3600\nrestart_after_crash = on");

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub run_by_hand
{
	my ($key) = @_;
	my ($code, $out, $err) = $node->psql('odoo', "SELECT wa_run_scenario('$key')");

	return $code == 0 ? "$out, " . ($err =~ /NOTICE:  (.*)/ ? $1 : '') : $err;
}

my @ids;
sub make_ready
{
	my ($n) = @_;
	my $taken = join(',', splice(@ids, 0, $n));

	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'G/' || id, issue_date = current_date WHERE id IN ($taken)");
	wait_read($node, 'odoo');
	return $taken;
}

# passed and held ones of these permits
sub split_up
{
	my ($taken) = @_;

	return sql("SELECT count(*) FILTER (WHERE reason IS DISTINCT FROM 'bulk' AND reason IS DISTINCT FROM 'daily_limit') || ' passed, '"
		  . " || count(*) FILTER (WHERE state = 'held') || ' held' FROM wa.message WHERE scenario = 'permit_ready' AND res_id IN ($taken)");
}

load_odoo($node, 'odoo');
load_many($node, 'odoo', 400);
sql('CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup(); SELECT wa_set(\'renewal_link\', \'https://izin.example.go.id/{id}\')');
sql("SELECT wa_set('contact_dpmptsp', '0628-20001'); UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL, active = key = 'permit_ready'");
is( sql("SELECT key || ' ' || coalesce(max_per_transaction::text, '-') || ' ' || coalesce(max_per_hour::text, '-') FROM wa.scenario"
		  . " WHERE key IN ('permit_ready', 'permit_expiry_warning', 'reminder') ORDER BY key"),
	"permit_expiry_warning - -\npermit_ready 25 60\nreminder - -", 'the limits that wa_setup() leaves');
@ids = split(/\n/, sql("SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id"));

# An hour has room for 60; 50 pass, then the worker, then the server goes

is(split_up(make_ready(25)), '25 passed, 0 held', 'a transaction');
is(split_up(make_ready(25)), '25 passed, 0 held', 'another one');
$node->restart;
is(sql("SELECT sum(messages) FROM wa.scenario_rate WHERE scenario = 'permit_ready'"), '50', 'a restart forgets nothing');
is(split_up(make_ready(4)), '4 passed, 0 held', 'a few more');

# a crash right after the commit: composed before it, or after it, but once
my $taken = join(',', splice(@ids, 0, 4));
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'G/' || id, issue_date = current_date WHERE id IN ($taken)");
$node->stop('immediate');
$node->start;
wait_read($node, 'odoo');
is(split_up($taken), '4 passed, 0 held', 'a crash');
is(sql("SELECT count(*) FROM wa.message WHERE res_id IN ($taken)"), '4', 'makes each message once');
is(sql("SELECT sum(messages) FROM wa.scenario_rate WHERE scenario = 'permit_ready'"), '58', 'and counts it once');
# the worker alone is killed, and with it the server's memory
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
is(split_up(make_ready(6)), '2 passed, 4 held', 'so two are left for this hour');
is(sql("SELECT sum(messages) FROM wa.scenario_rate WHERE scenario = 'permit_ready'"), '60', 'sixty passed');

# per transaction: read in two runs of the reader, or after a crash in between
sql("UPDATE wa.scenario SET max_per_hour = NULL");
$taken = join(',', splice(@ids, 0, 40));
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'G/' || id, issue_date = current_date WHERE id IN ($taken)");
$node->stop('immediate');
$node->start;
wait_read($node, 'odoo');
is(split_up($taken), '25 passed, 15 held', 'a transaction that a crash follows has its limit once');

# the day of a number is counted from the ledger
sql("UPDATE wa.scenario SET max_per_transaction = NULL");
my @busy = splice(@ids, 0, 12);
sql("UPDATE sicantik_permit SET partner_id = 10 WHERE id IN (" . join(',', @busy) . "); DELETE FROM wa.message WHERE number = '6281200000010'");
sub announce
{
	my (@permits) = @_;

	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'B/' || id, issue_date = current_date WHERE id IN ("
		  . join(',', @permits) . ')');
	return;
}
announce(@busy[0 .. 8]);
wait_read($node, 'odoo');
# (observe: what was not sent does not count; these are taken as sent)
wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE number = '6281200000010' AND state = 'queued'", '0');
sql("UPDATE wa.message SET state = 'sent', reason = NULL WHERE number = '6281200000010'");
announce(@busy[9 .. 11]);
$node->stop('immediate');
$node->start;
wait_read($node, 'odoo');
is(sql("SELECT count(*) FROM wa.message WHERE number = '6281200000010' AND state = 'held' AND reason = 'daily_limit'"), '2',
	'ten a day to a number, restart or not');
sql("SELECT wa_set('language', 'en')");
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'log: messages held' AND what_to_do LIKE '%daily_limit%'"),
	qr/^2, reason too many messages .*\(daily_limit\); .*SELECT wa_release\(reason => 'daily_limit'\) or SELECT wa_cancel\(reason => 'daily_limit'\)/, 'wa_check() tells it');
like(sql("SELECT string_agg(what, E'\\n') FROM wa_why((SELECT min(id) FROM wa.message WHERE reason = 'daily_limit'))"),
	qr/too many messages to this number in one day.*max_per_day_and_number/s, 'wa_why() what to do');

# A muted daily scenario

my $today = "(now() AT TIME ZONE 'Asia/Jakarta')::date";
my @expiring = splice(@ids, 0, 10);
my $list = join(',', @expiring);
sql("DELETE FROM wa.message; UPDATE sicantik_permit SET status = 'draft' WHERE id NOT IN ($list); SET sicantik_wa.capture = off;"
	  . " UPDATE sicantik_permit SET status = 'active', permit_number = 'E/' || id, expiry_date = $today + 200 WHERE id IN ($list)");
sub left
{
	my ($days, @permits) = @_;

	sql("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET expiry_date = $today + $days WHERE id IN (" . join(',', @permits) . ')');
	return;
}
left(30, $expiring[0]);
sql("SELECT wa_mute('permit_expiry_warning', now() + interval '3 days')");
like(run_by_hand('permit_expiry_warning'), qr/^0, .*0 queued; muted until .*; the first run is made after that$/,
	'the first run waits for the end of the silence');
left(60, $expiring[1]);
sql("SELECT wa_mute('permit_expiry_warning', NULL)");
like(run_by_hand('permit_expiry_warning'), qr/^0, .*first run: 2 permits had reached a threshold before/,
	'and what a planned import has brought belongs to the time before');
sql("SELECT wa_mute('permit_expiry_warning', now() + interval '3 days')");
left(7, $expiring[2]);
left(90, $expiring[3]);
like(run_by_hand('permit_expiry_warning'), qr/^0, .*0 queued, 2 not made: muted until/, 'what falls into the silence is not announced');
is(sql("SELECT string_agg(DISTINCT outcome, ',') || count(*) FROM wa.event_outcome WHERE scenario = 'permit_expiry_warning' AND record_id IN ($list)"),
	'muted2', 'each with an outcome');
run_by_hand('permit_expiry_warning');
left(55, $expiring[3]);
sql("SELECT wa_mute('permit_expiry_warning', NULL)");
like(run_by_hand('permit_expiry_warning'), qr/^2, .*2 queued$/, 'what is still due afterwards comes then');
is(sql("SELECT string_agg(params->>'remaining_days', ',' ORDER BY res_id) FROM wa.message WHERE scenario = 'permit_expiry_warning'"),
	'7,55', 'with the days that are left then');
like(run_by_hand('permit_expiry_warning'), qr/^0, .*0 queued$/, 'once');

# Many at once: all are true, and told once; a limit that is given holds

sql("DELETE FROM wa.message");
my @crowd = (splice(@ids, 0, 150));
sql("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'active', permit_number = 'C/' || id WHERE id IN (" . join(',', @crowd) . ')');
left(60, @crowd);
like(run_by_hand('permit_expiry_warning'), qr/^150, .*150 queued$/, 'a daily run has no limit of its own');
sql("DELETE FROM wa.message; UPDATE wa.scenario SET max_per_transaction = 100, max_per_hour = 120 WHERE key = 'permit_expiry_warning'");
left(30, @crowd);
like(run_by_hand('permit_expiry_warning'), qr/^100, .*100 queued, 50 held$/, 'with one the rest is held');
like(run_by_hand('permit_expiry_warning'), qr/^0, .*0 queued$/, 'and announced: it is not made again');
left(7, @crowd);
like(run_by_hand('permit_expiry_warning'), qr/^20, .*20 queued, 130 held$/, 'the hour counts over runs');
is(sql("SELECT wa_release('permit_expiry_warning', 1000)"), '180', 'a person lets them go');

unlike(slurp_file($node->logfile), qr/\[\d+\] (?:ERROR|PANIC):.*\n.*sicantik/, 'no worker had an error');
$node->stop('fast');
done_testing();

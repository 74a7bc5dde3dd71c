# Times are told as the clock of the office shows them, to the second, whatever
# the time zone of the server and of the session: in every row and sentence that
# a person reads, and in those that the ledger keeps.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "timezone = 'UTC'\nlog_timezone = 'UTC'");

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
sql("CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup(); SELECT wa_set('time_zone', 'Asia/Makassar'); SELECT wa_set('language', 'en')");
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT FROM wa_test_connection('fonnte')");
sql("SELECT wa_configure('watzap', '" . provider_settings($sim, 'watzap') . "'); SELECT wa_pause('watzap')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");

# Every kind of sentence with a time in it: outside the hours, muted, a daily run
# that is muted, a message for later, one that was sent and one that failed, held,
# a provider in trouble, changes that were not recorded.
# Hours that are over: nothing begins before the next day.
sql("UPDATE wa.scenario SET hours_from = '00:00', hours_to = '00:00:01' WHERE key = 'permit_ready';
	 UPDATE wa.scenario SET news_days = NULL;
	 SELECT wa_mute('status_update', now() + interval '3 days'); SELECT wa_mute('permit_expiry_warning', now() + interval '4 days')");
sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/1/2026' WHERE id = 1");
ok(wait_sql($node, 'odoo', "SELECT EXISTS (SELECT FROM wa.message WHERE reason = 'outside_hours') AND EXISTS (SELECT FROM wa.event_outcome WHERE outcome = 'muted')"),
	'a message that waits for the hours, and one that is muted');
my ($sent, $later) = split /\n/, sql("SELECT wa_send_text('081255550001', 'Halo'); SELECT wa_send_text('081255550002', 'Nanti', send_at => now() + interval '2 days')");
wait_state($node, 'odoo', $sent, 'sent');
sql("SELECT wa_run_scenario('permit_expiry_warning')");
sql("UPDATE wa.provider SET state = 'error', last_error = 'no', last_error_at = now() - interval '5 hours', probe_at = now() + interval '2 hours', quota_left = 7, quota_at = now() - interval '26 hours' WHERE name = 'fonnte';
	 INSERT INTO wa.message (scenario, template_key, number, body, state, reason, created_at, expires_at)
	 VALUES ('permit_ready', 'permit_ready', '6281255550003', 'x', 'held', 'bulk', now() - interval '9 days', now() + interval '5 days');
	 INSERT INTO wa.message (scenario, template_key, number, body, state, reason, detail, due_at, created_at)
	 VALUES ('permit_ready', 'permit_ready', '6281255550003', 'x', 'unknown', 'no_answer', 'no answer', now() + interval '1 day', now() - interval '9 days');
	 INSERT INTO wa.capture_gap (first_at, last_at, events, reason) VALUES (now() - interval '50 hours', now() - interval '49 hours', 5, 'locked'),
	 (now() - interval '8 hours', now() - interval '7 hours', 5, 'off');
	 INSERT INTO wa.contact (number, opted_in_at, last_inbound_at) VALUES ('6281255550003', now() - interval '33 hours', now() - interval '32 hours');
	 INSERT INTO wa.dead_letter (event_id, relation, record_id, columns, new, event_at, error) VALUES (1, 'public.sicantik_permit', 3, '{}', '{}', now(), 'no')");
sql("SELECT wa_send_text('081255550004', 'Menunggu')");

# All that is said to a person, with the session in one zone and the office in
# another.
my %told;
my $all = q{SELECT concat_ws(E'\t', 'wa_status', item, value, detail) FROM wa_status()
	UNION ALL SELECT concat_ws(E'\t', 'wa_check', item, state, what_to_do) FROM wa_check()
	UNION ALL SELECT concat_ws(E'\t', 'wa_why', m.id, w.at, w.what) FROM wa.message AS m, LATERAL wa_why(m.id) AS w
	UNION ALL SELECT concat_ws(E'\t', 'wa_history', h.at, h.what) FROM unnest(ARRAY['partner 10', '503/1/2026', '081255550003', '081255550004']) AS a, LATERAL wa_history(a) AS h
	UNION ALL SELECT concat_ws(E'\t', 'wa_explain', x.at, x.what) FROM wa_explain('permit_ready', 10, permit_id => 3) AS x
	UNION ALL SELECT concat_ws(E'\t', 'message', id, detail, route) FROM wa.message
	UNION ALL SELECT concat_ws(E'\t', 'outcome', detail) FROM wa.event_outcome
	UNION ALL SELECT concat_ws(E'\t', 'calendar', detail, error) FROM wa.daily_run};
my ($code, $out, $err) = $node->psql('odoo', "$all; SELECT wa_pause('watzap')");
is($code, 0, 'everything is told');
my @lines = split /\n/, $out;
push @lines, "notice\t$err";

# What stands in the tables, in seconds; what is computed from it.
my %known = map { $_ => 1 } split /\n/, sql(q{
	SELECT floor(extract(epoch FROM t))::bigint FROM wa.message, unnest(ARRAY[created_at, due_at, send_at, expires_at, sent_at, finished_at, created_at + interval '90 days']) AS t
	UNION SELECT floor(extract(epoch FROM t))::bigint FROM wa.attempt, unnest(ARRAY[started_at, finished_at]) AS t
	UNION SELECT floor(extract(epoch FROM t))::bigint FROM wa.provider, unnest(ARRAY[last_error_at, tested_at, paused_at, probe_at, quota_at]) AS t
	UNION SELECT floor(extract(epoch FROM t))::bigint FROM wa.capture_gap, unnest(ARRAY[first_at, last_at]) AS t
	UNION SELECT floor(extract(epoch FROM t))::bigint FROM wa.contact, unnest(ARRAY[opted_in_at, last_inbound_at]) AS t
	UNION SELECT floor(extract(epoch FROM muted_until))::bigint FROM wa.scenario
	UNION SELECT floor(extract(epoch FROM at))::bigint FROM wa.event_outcome
	UNION SELECT floor(extract(epoch FROM at))::bigint FROM wa.dead_letter
	UNION SELECT floor(extract(epoch FROM at))::bigint FROM wa.event});
my @times = map { my $line = $_; map { [ $_, $line ] } $line =~ /(\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?)/g } @lines;
my %distinct = map { $_->[0] => 1 } @times;
my %epoch = map { my ($time, $epoch) = split /\t/, $_; $time => $epoch }
  split /\n/, sql("SELECT t || E'\\t' || floor(extract(epoch FROM t::timestamp AT TIME ZONE 'Asia/Makassar'))::bigint FROM unnest(ARRAY['" . join("', '", sort keys %distinct) . "']) AS t");
my %where = map { (split /\t/, $_->[1])[0] => 1 } @times;

is(join(' ', sort keys %where), 'calendar message notice outcome wa_check wa_explain wa_history wa_status wa_why', 'each of them tells a time');
is(join("\n", map { "$_->[0] in: $_->[1]" } grep { length $_->[0] > 16 && !$known{ $epoch{ $_->[0] } } } @times), '',
	'every time is one that the tables have, as the office reads it');
is(join("\n", grep { /\d:\d\d\.\d/ } @lines), '', 'none has a fraction of a second');
is(join("\n", grep { /\d:\d\d *[+-]\d\d|\bUTC\b|\bGMT\b|\bWI(?:B|TA|T)\b/ } @lines), '', 'none has the sign of a zone');
is(join("\n", grep { /\d{4}-\d\d-\d\d \d\d:\d\d(?!:\d\d)/ && !/where it is \d{4}-\d\d-\d\d \d\d:\d\d now/ } @lines), '', 'all are told to the second');
is(join("\n", grep { /^wa_.*\b\d\d-\d\d-\d{4}\b/ } @lines), '', 'dates are written in one way');
foreach my $some ([ 'message', 'until \d{4}-\d\d-\d\d 00:00:00' ], [ 'outcome', 'muted until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d' ], [ 'calendar', 'muted until \d{4}' ],
  [ 'wa_check', 'paused by \w+ since \d{4}' ], [ 'wa_check', 'tested again at \d{4}' ], [ 'wa_check', 'changes between \d{4}' ], [ 'wa_status', 'quota 7 as of \d{4}' ],
  [ 'notice', '.*paused already, by \w+ since \d{4}' ])
{
	ok(scalar(grep { /^$some->[0]\t.*$some->[1]/ } @lines), "$some->[0]: $some->[1]")
	  or diag(join "\n", grep { /^$some->[0]\t/ } @lines);
}

# No function hands out a time that the session's zone would change, and no
# source writes one in the zone of the statement.
is(sql(q{SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sicantik_wa') AND p.pronamespace = 'pg_catalog'::regnamespace
	AND (p.prorettype = 'timestamptz'::regtype OR EXISTS (SELECT FROM unnest(p.proallargtypes, p.proargmodes) AS a (type, mode) WHERE a.type = 'timestamptz'::regtype AND a.mode IN ('o', 't')))}),
	'', 'no public function returns timestamptz');
my @strays;
foreach my $file (split /\n/, `find '${\ dirname(__FILE__)}/../../src' -name '*.c'`)
{
	my $text = slurp_file($file);

	push @strays, "$file: $1" while $text =~ /(to_char\([^\n]*(?:HH24|TZ)[^\n]*|\btimestamptz_to_str\b[^\n]*)/g;
}
is(join("\n", @strays), '', 'the sources write times with wa_office_time_words() and WA_SQL_TIME() only');

$node->stop;
$sim->stop;
done_testing();

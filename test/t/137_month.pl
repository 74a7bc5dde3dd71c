# A month and more of an office, day by day, by a clock that is set: what runs
# once a day does, and nobody is told twice of the same expiry, or never, over the
# end of a month, a leap day, holidays, days on which nothing ran, a clock that
# goes back, a change of time zone at noon, the turn of the year, and summer time.
#
# Beside it a model of a few lines: of each permit the nearest threshold, once.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::Local qw(timegm);

use SicantikWa::Clock;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, start => 0,
	conf => "timezone = 'UTC'\nsicantik_wa.worker_idle_timeout = 3600");
my $clock = SicantikWa::Clock->new;
my @thresholds = (7, 30, 60, 90);

sub sql { return $node->safe_psql('odoo', $_[0]); }

# Seconds since 1970 of "2028-02-29 09:00", so many hours east of Greenwich.
sub at
{
	my ($words, $east) = @_;
	my ($year, $month, $day, $hour, $minute) = $words =~ /^(\d+)-(\d+)-(\d+) (\d+):(\d+)$/;

	return timegm(0, $minute, $hour, $day, $month - 1, $year) - 3600 * $east;
}

sub day_number { my ($day) = @_; return at("$day 00:00", 0) / 86400; }

sub day_of
{
	my ($number) = @_;
	my @t = gmtime(86400 * $number);

	return sprintf('%04d-%02d-%02d', $t[5] + 1900, $t[4] + 1, $t[3]);
}

# The office's clock shows that; whoever writes anything wakes the worker, who
# looks at his clock then.
my $east = 7;
my $text = 0;
sub set_clock
{
	my ($words) = @_;

	$clock->set_to(at($words, $east));
	sql("SELECT wa_send_text('628136660000" . $text++ % 10 . "', 'Halo')");
	return wait_sql($node, 'odoo', q{SELECT NOT EXISTS (SELECT FROM wa.ready) AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending') AND due_at IS NULL)});
}

sub wait_run
{
	my ($key, $day) = @_;

	return wait_sql($node, 'odoo', "SELECT EXISTS (SELECT FROM wa.daily_run WHERE scenario = '$key' AND day = '$day')")
	  && wait_sql($node, 'odoo', q{SELECT NOT EXISTS (SELECT FROM wa.ready) AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending') AND due_at IS NULL)});
}

# When the scenario ran, as the row of the day says.
sub ran_at { my ($key, $day) = @_; return sql("SELECT ran_at FROM wa.daily_run WHERE scenario = '$key' AND day = '$day'"); }

# ---- what is to be told, and what was

my (%permits, %said, $waiting);		# number => expiry, as a day; "number expiry threshold"; told on the next open day
my $seen = 0;

sub threshold
{
	my ($left) = @_;

	return if $left < 0;
	my ($found) = grep { $_ >= $left } @thresholds;
	return $found;
}

# A run on this day: lines "number days left".
sub expected
{
	my ($day) = @_;
	my @told;

	foreach my $number (sort keys %permits)
	{
		my $left = $permits{$number} - day_number($day);
		my $threshold = threshold($left);

		next if !defined $threshold || $said{"$number $permits{$number} $threshold"}++;
		push @told, "$number $left";
	}
	return @told;
}

# What the provider has taken since the last look, of warnings: the same lines.
sub told
{
	my @all = $sim->accepted;
	my @new = @all[ $seen .. $#all ];

	$seen = @all;
	return sort map { $_->{message} =~ /berlaku .* (-?\d+) hari lagi/ ? "$_->{to} $1" : () } @new;
}

# A day on which the office is open: its run, and who was told.
my $days = 0;
my @wrong;
sub day
{
	my ($day, $time) = @_;

	set_clock("$day " . ($time || '09:01')) && wait_run('permit_expiry_warning', $day) or push @wrong, "$day: no run";
	my $expected = join(', ', sort(expected($day)));
	my $told = join(', ', told());

	push @wrong, "$day: expected $expected; told $told" if $expected ne $told;
	$days++;
	return;
}

sub days_are_right
{
	my ($name) = @_;

	is(join("\n", splice @wrong), '', $name);
	return;
}

# ---- the office opens on Monday, the 14th of February 2028

$clock->set_to(at('2028-02-14 08:00', 7));
$clock->start($node);
load_odoo($node, 'odoo');
load_many($node, 'odoo', 120);
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT FROM wa_test_connection('fonnte')");
sql("UPDATE wa.provider SET min_gap = '0', gap_jitter = '0', daily_cap = NULL, rate_per_second = NULL, recipient_gap = '0', max_in_flight = 50");
sql("SELECT wa_set('renewal_link', 'https://izin.example.go.id/renewal/{registration_id}'); SELECT wa_set('contact_dpmptsp', '0628-20001');"
	  . " SELECT wa_set('link_dashboard', 'https://izin.example.go.id/dashboard'); SELECT wa_set('time_zone', 'WIB')");
sql("UPDATE wa.scenario SET active = daily_at IS NOT NULL; UPDATE wa.scenario SET daily_at = '08:30' WHERE key = 'reminder'; UPDATE sicantik_permit SET expiry_date = NULL; UPDATE sicantik_document SET state = 'signed'");
# permits that expire within three months, in every distance from a threshold
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'M/' || id, expiry_date = date '2028-02-14' + (row_number - 1)::int"
	  . " FROM (SELECT id AS permit, row_number() OVER (ORDER BY id) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%') AS n WHERE permit = id");
sql("SELECT wa_arm('odoo')");
%permits = map { my ($number, $expiry) = split /\|/, $_; $number => day_number($expiry) }
  split /\n/, sql("SELECT ltrim(p.phone_sanitized, '+'), s.expiry_date FROM sicantik_permit AS s JOIN res_partner AS p ON p.id = s.partner_id WHERE s.expiry_date IS NOT NULL");
is(scalar keys %permits, 120, 'permits with a number each');

# the first run takes what has been reached as told
set_clock('2028-02-14 09:01');
ok(wait_run('permit_expiry_warning', '2028-02-14'), 'the first run');
expected('2028-02-14');
is(join(', ', told()), '', 'tells nothing');

day(day_of($_)) foreach day_number('2028-02-15') .. day_number('2028-02-28');
days_are_right('two weeks: each permit once, when it reaches a threshold');

# ---- a leap day and the first of March are holidays

sql(q{SELECT wa_set_holidays('{"2028-02-29": "Hari Kabisat", "2028-03-01": "Cuti Bersama"}')});
set_clock('2028-02-29 09:01');
ok(wait_run('permit_expiry_warning', '2028-02-29'), 'on a holiday it runs');
my %late = map { (split / /)[0] => 1 } expected('2028-02-29');
is(join(', ', told()), '', 'and what it makes waits');
set_clock('2028-03-01 09:01');
wait_run('permit_expiry_warning', '2028-03-01');
$late{ (split / /)[0] } = 1 foreach expected('2028-03-01');
is(sql("SELECT string_agg(DISTINCT reason || to_char(due_at AT TIME ZONE 'Asia/Jakarta', ' YYYY-MM-DD HH24:MI'), ', ') FROM wa.message WHERE state = 'queued'"),
	'outside_hours 2028-03-02 07:00', 'for the day after both, the second of March');
set_clock('2028-03-02 07:01');
is(join(', ', told()), join(', ', sort map { "$_ " . ($permits{$_} - day_number('2028-03-02')) } keys %late),
	'then it goes, and says how many days are left by then');
day('2028-03-02');
day(day_of($_)) foreach day_number('2028-03-03') .. day_number('2028-03-05');
days_are_right('the days after');

# ---- a clock that goes back

set_clock('2028-03-06 09:01');
wait_run('permit_expiry_warning', '2028-03-06');
my $ran = ran_at('permit_expiry_warning', '2028-03-06');
is(join(', ', told()), join(', ', sort(expected('2028-03-06'))), 'a Monday');
set_clock('2028-03-06 08:05');
set_clock('2028-03-06 09:05');
is(ran_at('permit_expiry_warning', '2028-03-06'), $ran, 'an hour back, and nine o\'clock again: no second run');
set_clock('2028-03-05 09:30');
set_clock('2028-03-06 09:30');
is(ran_at('permit_expiry_warning', '2028-03-06'), $ran, 'nor when it is Sunday again, and then Monday');
is(join(', ', told()), '', 'nobody is told twice');
day('2028-03-07');
days_are_right('the next day is a day like others');

# ---- days on which nothing ran

$node->stop;
$clock->set_to(at('2028-03-12 10:00', 7));
$clock->start($node);
day('2028-03-12', '10:00');
days_are_right('five days were left out: who reached a threshold meanwhile is told');

# ---- the office moves its clock at noon, and messages that wait for the morning with it

sub zone
{
	my ($zone, $hours) = @_;

	sql("SELECT wa_set('time_zone', '$zone')");
	$east = $hours;
	return;
}

# When the office opens for what waits for this number, in UTC.
sub opening
{
	my ($number, $when) = @_;

	return wait_sql($node, 'odoo', "SELECT to_char(d.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM wa.due AS d JOIN wa.message AS m ON m.id = d.message_id WHERE m.number = '$number'", $when);
}

day('2028-03-13');
set_clock('2028-03-13 12:00');
zone('WIT', 9);
set_clock('2028-03-13 14:01');
is(sql("SELECT string_agg(day::text, ' ' ORDER BY day) FROM wa.daily_run WHERE scenario = 'permit_expiry_warning' AND day >= '2028-03-13'"), '2028-03-13',
	'WIB, at noon WIT: the day has had its run');
is(join(', ', told()), '', 'and nobody is told again');
day('2028-03-14');
is(sql("SELECT to_char(ran_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM wa.daily_run WHERE scenario = 'permit_expiry_warning' AND day = '2028-03-14'"), '2028-03-14 00:01',
	'the next run is at nine in the east');
set_clock('2028-03-14 12:00');
zone('WITA', 8);
set_clock('2028-03-14 12:01');
day('2028-03-15');
is(sql("SELECT to_char(ran_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM wa.daily_run WHERE scenario = 'permit_expiry_warning' AND day = '2028-03-15'"), '2028-03-15 01:01',
	'WITA: at nine in the middle');
days_are_right('each day once while the zone changes');

# a run late in the evening, the zone then puts it beyond midnight
sql("UPDATE wa.scenario SET daily_at = '23:30' WHERE key = 'permit_expiry_warning'");
set_clock('2028-03-16 23:31');
wait_run('permit_expiry_warning', '2028-03-16');
my @late = map { (split / /)[0] } expected('2028-03-16');
zone('WIT', 9);
set_clock('2028-03-17 00:33');
zone('WIB', 7);
set_clock('2028-03-16 22:35');
set_clock('2028-03-16 23:35');
is(sql("SELECT string_agg(day::text, ' ' ORDER BY day) FROM wa.daily_run WHERE scenario = 'permit_expiry_warning' AND day >= '2028-03-16'"), '2028-03-16',
	'over midnight and back: one run');
sql("UPDATE wa.scenario SET daily_at = '09:00' WHERE key = 'permit_expiry_warning'");

# the sending hours of what waits follow the zone
if (ok(@late > 0, 'what the late run has made waits for the morning'))
{
	ok(opening($late[0], '2028-03-17 00:00'), 'at seven in the west');
	zone('WIT', 9);
	ok(opening($late[0], '2028-03-16 22:00'), 'at seven in the east');
	zone('WITA', 8);
	ok(opening($late[0], '2028-03-16 23:00'), 'at seven in the middle');
	zone('WIB', 7);
	ok(opening($late[0], '2028-03-17 00:00'), 'and back');
	set_clock('2028-03-17 06:00');
	is(join(', ', told()), '', 'at six it waits');
	zone('WIT', 9);
	$sim->wait_for_sends($seen + @late, accepted => 1);
	is(join(', ', told()), join(', ', sort map { "$_ " . ($permits{$_} - day_number('2028-03-17')) } @late),
		'the zone in which it is eight opens the office at once');
	zone('WIB', 7);
}
day(day_of($_)) foreach day_number('2028-03-17') .. day_number('2028-04-02');
days_are_right('the end of the month');
is(sql("SELECT string_agg(day::text, ' ' ORDER BY day) FROM wa.daily_run WHERE scenario = 'permit_expiry_warning'"),
	join(' ', map { day_of($_) } grep { my $n = $_; !grep { $n == day_number($_) } map { "2028-03-$_" } qw(08 09 10 11) } day_number('2028-02-14') .. day_number('2028-04-02')),
	'each day has its run, but for those on which there was no server');
is(sql("SELECT count(*) FROM wa.daily_run WHERE attempts <> 1 OR error IS NOT NULL"), '0', 'one');
is(sql("SELECT string_agg(DISTINCT extract(isodow FROM day)::text, ' ') FROM wa.daily_run WHERE scenario = 'reminder'"), '1 2 3 4 5',
	'the reminder ran from Monday to Friday');

# ---- the retention, by that calendar

# what becomes too old just now may have its numbers or not
sub purged
{
	return sql("SELECT string_agg(DISTINCT CASE WHEN created_at > clock_timestamp() - interval '20 days' THEN 'young '"
		  . " WHEN created_at < clock_timestamp() - interval '20 days 1 hour' THEN 'old ' END || (number IS NOT NULL), ', ')"
		  . " FROM wa.message WHERE finished_at IS NOT NULL");
}
sql("SELECT wa_set('retention', '20 days')");
set_clock('2028-04-02 12:00');
ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS (SELECT FROM wa.message WHERE number IS NOT NULL AND created_at < clock_timestamp() - interval '20 days 1 hour')"), 'what is past the retention loses its numbers');
is(purged(), 'old false, young true', 'and nothing else');
sql("SELECT wa_set('retention', '90 days')");

# ---- a clock that was two months ahead for a while, and counted messages there

sql("UPDATE wa.scenario SET active = true, max_per_hour = 3, max_per_day_and_number = 3, news_days = NULL WHERE key = 'permit_ready'; SELECT wa_set('download_link', 'https://contoh.go.id/{registration_id}')");
sub ready
{
	my @ids = @_;

	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'R' || id WHERE id = $_") foreach @ids;
	wait_read($node, 'odoo');
	return sql("SELECT string_agg(DISTINCT CASE WHEN state = 'held' THEN reason ELSE 'goes' END, ', ') FROM wa.message WHERE scenario = 'permit_ready' AND res_id IN (" . join(', ', @ids) . ')');
}
sub drafts
{
	my ($n, $partner) = @_;

	return split /\n/, sql("INSERT INTO sicantik_permit (registration_id, applicant_name, status, partner_id, permit_type_id)"
		  . " SELECT 'DRAFT-' || nextval('sicantik_permit_id_seq'), p.name, 'draft', p.id, 1 FROM (SELECT id, name FROM res_partner WHERE name LIKE 'Warga %'"
		  . ($partner ? " AND id = $partner" : '') . " ORDER BY id LIMIT " . ($partner ? 1 : $n) . ') AS p, generate_series(1, ' . ($partner ? $n : 1) . ') RETURNING id');
}
my $partner = sql("SELECT min(id) FROM res_partner WHERE name LIKE 'Warga %'");
set_clock('2028-06-05 12:00');
is(ready(drafts(3)), 'goes', 'three messages in an hour');
set_clock('2028-06-05 13:30');
is(ready(drafts(2, $partner)), 'goes', 'and more to one number of them');
set_clock('2028-04-03 09:01');
is(ready(drafts(3)), 'goes', 'back again: what was made in what is the future now does not count for this hour');
set_clock('2028-04-03 11:01');
is(ready(drafts(1, $partner)), 'goes', 'nor for the day of a number');
sql("UPDATE wa.scenario SET active = false WHERE key = 'permit_ready'");
told();

# ---- the turn of the year

sql("UPDATE sicantik_permit SET expiry_date = date '2028-12-29' + (row_number - 1)::int"
	  . " FROM (SELECT id AS permit, row_number() OVER (ORDER BY id) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%') AS n WHERE permit = id");
%permits = map { my ($number, $expiry) = split /\|/, $_; $number => day_number($expiry) }
  split /\n/, sql("SELECT ltrim(p.phone_sanitized, '+'), s.expiry_date FROM sicantik_permit AS s JOIN res_partner AS p ON p.id = s.partner_id WHERE s.registration_id LIKE 'MANY-%'");
sql(q{SELECT wa_set_holidays('{"2029-01-01": "Tahun Baru"}')});
set_clock('2028-12-28 09:01');
day(day_of($_)) foreach day_number('2028-12-28') .. day_number('2028-12-31');
days_are_right('the last days of the year, each permit with its new date');
set_clock('2029-01-01 09:01');
wait_run('permit_expiry_warning', '2029-01-01');
my @new_year = map { (split / /)[0] } expected('2029-01-01');
is(join(', ', told()), '', 'on New Year\'s Day nobody is written to');
set_clock('2029-01-02 07:01');
is(join(', ', told()), join(', ', sort map { "$_ " . ($permits{$_} - day_number('2029-01-02')) } grep { $permits{$_} >= day_number('2029-01-02') } @new_year),
	'but on the day after, unless it is over by then');
day(day_of($_)) foreach day_number('2029-01-02') .. day_number('2029-01-04');
days_are_right('and January goes on');

# ---- an office where clocks are changed

sql("UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, daily_at = '02:30' WHERE key = 'permit_expiry_warning'");
zone('America/New_York', -5);
set_clock('2029-03-10 02:31');
wait_run('permit_expiry_warning', '2029-03-10');
set_clock('2029-03-11 01:59');
is(ran_at('permit_expiry_warning', '2029-03-11'), '', 'half past two is not to be on that day');
set_clock('2029-03-11 02:31');
ok(wait_run('permit_expiry_warning', '2029-03-11'), 'it runs all the same');
$ran = ran_at('permit_expiry_warning', '2029-03-11');
$east = -4;
set_clock('2029-03-11 23:59');
is(ran_at('permit_expiry_warning', '2029-03-11'), $ran, 'once');
sql("UPDATE wa.scenario SET daily_at = '01:30' WHERE key = 'permit_expiry_warning'");
set_clock('2029-11-04 01:35');
$east = -5;
set_clock('2029-11-04 01:35');
ok(wait_run('permit_expiry_warning', '2029-11-04'), 'half past one comes twice');
$ran = ran_at('permit_expiry_warning', '2029-11-04');
set_clock('2029-11-04 23:59');
is(ran_at('permit_expiry_warning', '2029-11-04'), $ran, 'it runs once');
is(sql("SELECT count(*) FROM wa.daily_run WHERE day > '2029-11-04'"), '0', 'and no day of its own is made');

$node->stop;
$sim->stop;
done_testing();

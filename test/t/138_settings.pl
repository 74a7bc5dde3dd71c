# Settings of the office, and the policy of scenarios, with whatever somebody
# types: refused with a sentence, or stored in a form that is read as it was
# meant, by whomever and whatever his session is set to.  And rows that somebody
# wrote himself, with anything in them: whoever reads them goes on.
#
# The values are the same every time; SETTINGS_SEED makes others, SETTINGS_EACH
# more of them.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $each = $ENV{SETTINGS_EACH} || 60;
my $seed = $ENV{SETTINGS_SEED} || 20281201;
srand($seed);
note("SETTINGS_SEED=$seed");

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub any { return $_[ int rand @_ ]; }
sub quoted { my ($text) = @_; $text =~ s/'/''/g; return "'$text'"; }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");

# ---- texts that look like what is wanted, and then are not

my @pieces = (
	'WIB', 'wita', 'WIT', 'Asia/Jakarta', 'Jakarta', 'UTC', 'GMT', 'Etc/GMT', 'EST5EDT', 'posixrules', 'localtime', 'Factory', 'America/New_York', 'right/Asia/Jakarta',
	'+7', '-7', '+07:00', '+8', '+9.5', '7', '08', '99999999999999999999', '0', '-1', '1.5', '1e9', 'NaN', 'infinity', '-infinity',
	'day', 'days', 'hari', 'hours', 'minutes', 'min', 'month', 'mons', 'year', 'weeks', 'ago', 'P', 'P1Y2M3DT4H5M6S', 'PT', '@', '10:00', '24:00', '-00:00:01', '12:60',
	'on', 'off', 'ya', 'true', '0', 'no', 'id', 'en', 'STOP', 'BERHENTI', ',', ',,', ' ', "\t", '+62', '0812', '8123456', '-', '.', '/', '\\\\', '{', '}', '{id}', '{registration_id}', '{}',
	'https://', 'http://', 'contoh.go.id', 'localhost', '127.0.0.1', '@x', '#', '?a=b&c=%20', '%', ':443', 'base.', 'base.group_user', 'public', 'pg_catalog', '"', "'", ';', '--', '$$',
	"\xc3\xa9", "\xf0\x9f\x98\x80", "\xe2\x80\x8b", "\xd9\xa1", 'x' x 70, '9' x 300, 'y' x 3000);

sub random_text
{
	return join(any('', '', ' '), map { any(@pieces) } 0 .. int(rand(4)));
}

# what is right most of the time, so that it is not only refused
my %right = (
	time_zone => sub { return any('WIB', 'wita', 'WIT', 'utc+7', 'GMT+08:00', '+9', 'Asia/Makassar', 'jayapura', 'America/New_York', ' Asia/Jakarta ', 'Europe/London'); },
	intervals => sub { return any(1 .. 40) . any(' days', ' day', 'd', ' weeks', ' months', ' days 3 hours', ' year 2 mons', ' days -1 hour', ' days 00:00:01.5'); },
	iso => sub { return 'P' . any(1 .. 20) . any('D', 'M', 'Y', 'W', 'DT3H', 'Y2M', 'DT-1H'); },
	waits => sub { return any(0 .. 59) . any(' min', ' minutes', ' s', ' seconds', ' ms', ':00', ':30:15', ' minutes 3 seconds'); },
);
my @styles = ("intervalstyle = postgres", "intervalstyle = postgres_verbose", "intervalstyle = sql_standard", "intervalstyle = iso_8601",
	"datestyle = 'SQL, DMY'", "datestyle = 'German, DMY'", "timezone = 'America/New_York'", "standard_conforming_strings = off", "lc_messages = 'C'",
	"search_path = ''", "bytea_output = escape", "extra_float_digits = -15", "timezone_abbreviations = 'India'");
my @names = sort +slurp_file(dirname(__FILE__) . '/../../src/office/setting.c') =~ /^\t\{"(\w+)", WA_SETTING_/mg;
cmp_ok(scalar @names, '>', 20, 'settings to set');

my $session = SicantikWa::Session->new($node, 'odoo');
$session->do("\\set VERBOSITY verbose");
my (%accepted, @bad);
my ($calls, $refused) = (0, 0);

# What is an error that says something?
sub is_wrong { return $_[0] =~ /(?:ERROR|FATAL|PANIC):  (?:XX|53|54001|57|58|F0)/ || $_[0] =~ /server closed|terminat/; }

foreach my $name (@names)
{
	next if $name eq 'mode';
	foreach my $round (1 .. $each)
	{
		my $right = rand() < 0.5 && ($name eq 'time_zone' ? $right{time_zone} : $name eq 'unknown_wait' ? $right{waits}
			: $name =~ /retention|interval/ ? any($right{intervals}, $right{iso}) : undef);
		my $value = $right ? $right->() : random_text();
		my $style = any(@styles);

		$calls++;
		$session->do("SET $style");
		my $first = $session->do("SELECT wa_set('$name', " . quoted($value) . ')');
		my $error = $session->err;
		push @bad, "$name = $value ($style): $error" if is_wrong($error);
		if ($error ne '') { $refused++; $session->do('RESET ALL'); next; }
		my $stored = $session->do("SELECT coalesce((SELECT value FROM wa.setting WHERE name = '$name'), 'nothing')");

		# what is stored says the same when it is typed by somebody else
		$session->do('RESET ALL');
		$session->do("SELECT wa_set('$name', " . quoted($stored) . ')') if $stored ne 'nothing';
		my $again = $session->do("SELECT coalesce((SELECT value FROM wa.setting WHERE name = '$name'), 'nothing')");
		push @bad, "$name = $value ($style): stored as '$stored', which is '$again' then " . $session->err if $again ne $stored || $session->err ne '';
		$accepted{$name}++ if $stored ne 'nothing';

		# an interval is the one that was typed; a zone one that the server has, without a number in it
		if ($name =~ /retention|interval|unknown_wait/ && $stored ne 'nothing')
		{
			my ($least, $most) = $name eq 'unknown_wait' ? (0, 86400) : (86400, 100 * 366 * 86400);

			push @bad, "$name = $value ($style): $stored is no time that is meant"
			  if $session->do("SELECT extract(epoch FROM " . quoted($stored) . "::interval) BETWEEN $least AND $most") ne 't';
			push @bad, "$name = $value ($style): stored as $stored"
			  if $session->do('SELECT justify_interval(' . quoted($value) . '::interval) = justify_interval(' . quoted($stored) . '::interval)') ne 't' || $stored =~ /^[P@]/;
		}
		if ($name eq 'time_zone' && $stored ne 'nothing')
		{
			push @bad, "time_zone = $value: stored as $stored"
			  if $stored =~ /\d/ && $stored !~ m{^[A-Z]} || $session->do("SELECT count(now() AT TIME ZONE " . quoted($stored) . ')') ne '1';
		}
	}
}
is(join("\n", @bad), '', "$calls values of settings: each refused with a sentence, or kept as it was meant");
cmp_ok($refused, '>', $calls / 10, 'some are refused');
is(join(' ', grep { !$accepted{$_} } qw(time_zone retention unknown_wait invite_interval feedback_retention office_name)), '', 'and some of each kind are not');
sql("DELETE FROM wa.setting WHERE name NOT IN ('mode')");

# ---- the policy of a scenario

my %policy = (
	time_to_live => sub { return any($right{intervals}, $right{waits}, $right{iso})->(); },
	time_limit => sub { return any($right{waits}, $right{intervals})->(); },
	hours_from => sub { return any('07:00', '00:00', '7', '24:00', '23:59:59.999999', 'noon', '07:00+07', 'allballs', '25:00'); },
	hours_to => sub { return any('20:00', '24:00', '06:00', '8 pm', '20:00:00.5'); },
	daily_at => sub { return any('09:00', '24:00', '00:00', 'now', '9am'); },
	weekdays => sub { return any('[1,2,3]', '[]', '[8]', '[1,1]', 'null', '[null]', '"1"', '{}'); },
	max_per_hour => sub { return any('0', '-1', '2147483648', '1.5', 'null', '"7"', '1e3', '"x"'); },
	thresholds => sub { return any('[90]', '[-1]', '[]', '[3651]', '[7,7,7]', 'null', '[1e9]'); },
	muted_until => sub { return any('infinity', '-infinity', '2026-02-30', 'now', 'tomorrow'); });
@bad = ();
foreach my $round (1 .. 4 * $each)
{
	my @keys = map { any(sort keys %policy) } 0 .. int(rand(2));
	my $json = join(', ', map {
		my $value = rand() < 0.8 ? $policy{$_}->() : random_text();
		qq("$_": ) . (/weekdays|max_|thresholds/ && $value =~ /^[\[\-\d"n{]/ && $value !~ /^-?\d*[^\d\]\[,.e"-]/ ? $value : '"' . ($value =~ s/(["\\])/\\$1/gr =~ s/\t/ /gr) . '"');
	} @keys);

	$session->do('SET ' . any(@styles));
	$session->do("BEGIN; SELECT wa_set_scenario('" . any('permit_ready', 'permit_expiry_warning') . "', " . quoted("{$json}") . '::jsonb)');
	push @bad, "$json: " . $session->err if is_wrong($session->err);
	$session->do('ROLLBACK; RESET ALL');
}
is(join("\n", @bad), '', 'policies of scenarios');

# ---- rows that somebody wrote himself

# a time zone that nobody can mean counts as none: times are told as without it
my $one = sql("SELECT wa_send_text('628125550000', 'Halo')");
my $at = "SELECT min(at) FROM wa_why($one)";
ok(wait_state($node, 'odoo', $one, 'sent'), 'a message has a story');
my $usual = sql($at);
my @others = grep { sql("INSERT INTO wa.setting (name, value) VALUES ('time_zone', " . quoted($_) . ") ON CONFLICT (name) DO UPDATE SET value = excluded.value; $at") ne $usual }
  'XYZ+5', 'Kota-9', 'posix/nowhere', '<+03>-3:30', 'Asia/Nowhere-4', '99', '', ' ';
is(join(', ', @others), '', 'its times are those of Jakarta, whatever else stands in the row');
is(sql("UPDATE wa.setting SET value = 'WIT' WHERE name = 'time_zone'; SELECT ($at) - timestamp " . quoted($usual)), '02:00:00', 'but for a zone');

sql(q{SELECT wa_configure('fonnte', '{"webhook_secret": "FONNTEDEMOWEBHOOK"}')});
my $stop = q{SELECT wa_webhook('fonnte', convert_to('{"device": "6281100000001", "sender": "62812666%05d", "message": "STOP", "timestamp": %d, "inboxid": %d}', 'UTF8'), NULL, 'FONNTEDEMOWEBHOOK')};
my $sent = 0;
foreach my $round (1 .. ($each + 9) / 10)
{
	$session->do('TRUNCATE wa.setting');
	$session->do("INSERT INTO wa.setting (name, value) VALUES ('mode', 'live')" . join('', map { ', (' . quoted($_) . ', ' . (rand() < 0.05 ? 'NULL' : quoted(random_text())) . ')' }
		  grep { $_ ne 'mode' && rand() < 0.8 } @names));
	push @bad, $session->err if $session->err ne '' && $session->err !~ /not-null/;
	$session->do("UPDATE sicantik_permit SET status = CASE status WHEN 'active' THEN 'cancelled' ELSE 'active' END, permit_number = 'S/$round' WHERE id = 1");
	foreach my $call ('count(*) FROM wa_status()', 'count(*) FROM wa_check()', "count(*) FROM wa_explain('permit_ready', 10, permit_id => 3)",
		"count(*) FROM wa_history('permit 1')", 'count(*) FROM wa.setting_view', "wa_send_text('62812555" . sprintf('%05d', $round) . "', 'Halo')")
	{
		my $answer = $session->do("SELECT $call");

		push @bad, "$call: " . $session->err if is_wrong($session->err);
	}
	$session->do(sprintf($stop, $round, time, $round));
	push @bad, "wa_webhook(): " . $session->err if $session->err ne '';
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	my $number = '62812555' . sprintf('%05d', $round);
	1 until $session->do("SELECT count(*) > 0 FROM wa.message WHERE number = '$number' AND state NOT IN ('queued', 'sending')") eq 't' || time > $until;
	$sent++ if $session->do("SELECT count(*) FROM wa.message WHERE number = '$number' AND state = 'sent'") eq '1';
}
is(join("\n", @bad), '', 'rows of settings with anything in them: everything answers');
cmp_ok($sent, '>=', int(($each + 9) / 10), 'and what is sent is sent');
$session->do("TRUNCATE wa.setting; INSERT INTO wa.setting (name, value) VALUES ('mode', 'live')");
ok(wait_read($node, 'odoo'), 'all changes are read');
ok(wait_sql($node, 'odoo', 'SELECT NOT EXISTS (SELECT FROM wa.feedback)'), 'and what people wrote');
my $log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal|PANIC|TRAP:/, 'no process has crashed');
unlike($log, qr/sicantik_wa worker.*ERROR/, 'and the worker had no error');

$node->stop;
done_testing();

# What 100,000 messages leave in the memory of those who handle them: the worker that
# composes, sends and takes what is told; a session of Odoo's that makes changes; one
# that sends by hand; one that hands over what the provider tells; and one of a person
# who reads what became of them.  All of them stay from the first to the last.
#
# Looked at when nothing waits: the contexts of PostgreSQL, and what the kernel has given
# to the process for itself (libcurl and json-c use no context).  The first messages
# fill caches.  MESSAGES is how many there are (make test-valgrind).

use strict;
use warnings;

use File::Basename qw(dirname);
use IO::Select;
use List::Util qw(max min);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use SicantikWa::Session;
use SicantikWa::Test;

my $messages = $ENV{MESSAGES} || 100_000;
my $rounds = 10;
my $warm = 2;					# rounds before the first look that counts
my $each = $messages / $rounds;
# What may be more at the end: kilobytes, in contexts and in all
my %most = (contexts => 512, private => 2048);

# A provider that says yes as fast as it is asked.
my $dir = PostgreSQL::Test::Utils::tempdir('provider');
system_or_bail('gcc', '-O2', '-std=c11', '-o', "$dir/static_server", dirname(__FILE__) . '/../bench/static_server.c');
my $provider_pid = open(my $provider, '-|', "$dir/static_server", '-s', 'fonnte') or die $!;
my $ready = IO::Select->new($provider)->can_read(60) ? <$provider> : '';
my ($port) = $ready =~ /^ready (?:\w+=)?(\d+)/ or die "no provider: $ready";

my $node = new_cluster(
	'main',
	conf => join("\n",
		"sicantik_wa.allowed_hosts = 'fonnte=127.0.0.1:$port'",
		'sicantik_wa.max_in_flight = 200',
		'max_wal_size = 4GB',
		"log_line_prefix = '[%p] '"));

END
{
	kill 'TERM', $provider_pid if $provider_pid;
}

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
load_many($node, 'odoo', $each / 2);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql(qq(SELECT wa_configure('fonnte', '{"base_url": "http://127.0.0.1:$port", "token": "growth", "state": "configured",
	"is_default": true, "webhook_secret": "a-secret-of-this-test", "max_in_flight": 100}')));
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");

my %session = map { $_ => SicantikWa::Session->new($node, 'odoo') } qw(odoo sender teller reader);
my %pid = map { $_ => $session{$_}->sql('SELECT pg_backend_pid()') } keys %session;

sub worker { return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'"); }

# Kilobytes of a process that are nobody else's.
sub private_kb
{
	my ($kb) = slurp_file("/proc/$_[0]/status") =~ /^RssAnon:\s+(\d+) kB/m;
	return $kb;
}

# Kilobytes of its contexts; it tells them in the log.
my $told = 0;

sub contexts_kb
{
	my ($pid) = @_;
	my $until = time + 180;

	$told = -s $node->logfile;
	sql("SELECT pg_log_backend_memory_contexts($pid)");
	while (time < $until)
	{
		my $log = slurp_file($node->logfile, $told);

		return int($1 / 1024) if $log =~ /^\[$pid\] .*Grand total: (\d+) bytes/m;
		usleep(20_000);
	}
	die "process $pid does not tell its memory";
}

# each of so many in a transaction of its own, all in one session
sub one_by_one
{
	my ($name, $rows, $statement) = @_;

	$session{$name}->begin(
		"DO \$\$ DECLARE r record; BEGIN FOR r IN $rows LOOP $statement; COMMIT; END LOOP; END \$\$");
	return;
}

my (%first, %last, $worker);

foreach my $round (1 .. $rounds)
{
	my $mark = sql('SELECT coalesce(max(id), 0) FROM wa.message');

	# half of them a change in Odoo has made
	$session{odoo}->sql('SET sicantik_wa.capture = off;'
		  . " UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE registration_id LIKE 'MANY-%';"
		  . ' RESET sicantik_wa.capture');
	one_by_one('odoo', "SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'",
		"UPDATE sicantik_permit SET status = 'active', permit_number = '$round/' || id WHERE id = r.id");
	# each of the others goes to a number of its own
	one_by_one('sender', "SELECT 6285200000000 + $round * $each + n AS number FROM generate_series(1, $each / 2) AS n",
		"PERFORM wa_send_text(r.number::text, 'Yth. Warga ' || r.number)");
	$session{$_}->sql('SELECT 1') foreach qw(odoo sender);
	ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE id > $mark AND state = 'sent'", $each),
		"round $round: $each messages are sent");

	# what becomes of each is told
	one_by_one('teller', "SELECT provider_message_id AS id FROM wa.message WHERE id > $mark", <<'SQL');
PERFORM wa_webhook('fonnte', convert_to(json_build_object('id', r.id, 'stateid', 'S' || r.id, 'state', 'delivered')::text, 'UTF8'),
	NULL, 'a-secret-of-this-test')
SQL
	one_by_one('reader', "SELECT id FROM wa.message WHERE id > $mark ORDER BY id LIMIT $each / 10",
		'PERFORM count(*) FROM wa_why(r.id); PERFORM wa_result(r.id)');
	$session{$_}->sql('SELECT 1') foreach qw(teller reader);
	ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS (SELECT FROM wa.feedback) AND NOT EXISTS (SELECT FROM wa.request)"
			  . " AND (SELECT count(*) FROM wa.message WHERE id > $mark AND state = 'delivered') > 0.9 * $each"),
		"round $round: what was told is applied");

	# the worker is the same one
	$worker //= worker();
	is(worker(), $worker, "round $round: by the same worker");
	foreach my $name ('worker', sort keys %session)
	{
		my $pid = $name eq 'worker' ? $worker : $pid{$name};
		my %now = (contexts => contexts_kb($pid), private => private_kb($pid));

		note(sprintf '%-7d %-7s contexts %6d kB, private %6d kB', $round * $each, $name, @now{qw(contexts private)});
		$first{$name} = \%now if $round == $warm;
		$last{$name} = \%now;
	}
}

foreach my $name ('worker', sort keys %session)
{
	foreach my $what (sort keys %most)
	{
		my ($from, $to) = ($first{$name}{$what}, $last{$name}{$what});

		my $figures = "$name: $what $from kB after " . $warm * $each . " messages, $to kB after $messages";

		cmp_ok($to - $from, '<=', $most{$what}, $figures);
		diag($figures);
	}
}

unlike(slurp_file($node->logfile), qr/ERROR: /, 'nothing went wrong');
$_->close foreach values %session;
$node->stop;
done_testing();

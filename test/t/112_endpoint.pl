# The endpoint of docs/webhook/, as it stands there: Meta's verification, what
# is refused, what comes through to the ledger, and a database that is gone for
# a while.  The providers are the simulator's, which post to it like real ones.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $program = abs_path(dirname(__FILE__) . '/../../docs/webhook/webhook.py');
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $log = PostgreSQL::Test::Utils::tempdir('endpoint') . '/log';
my $url = "http://127.0.0.1:$port";
my $http = HTTP::Tiny->new(timeout => 60, proxy => undef, http_proxy => undef, keep_alive => 0);
my $pid;

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub start_endpoint
{
	local %ENV = (
		%ENV,
		PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'odoo', PGUSER => 'wa_webhook',
		WEBHOOK_PORT => $port);

	$pid = fork();
	die "cannot fork: $!" unless defined $pid;
	return if $pid;
	open(STDOUT, '>', '/dev/null');
	open(STDERR, '>>', $log);
	exec('python3', '-B', $program) or POSIX::_exit(1);
}

END
{
	local $?;
	if ($pid) { kill 'KILL', $pid; waitpid $pid, 0; }
}

# The status of a request, and what it says.
sub get
{
	my $answer = $http->get("$url/$_[0]");

	return "$answer->{status} $answer->{content}";
}

sub post
{
	my ($path, $body, $signature) = @_;
	my $answer = $http->post("$url/$path",
		{ content => $body, headers => { defined $signature ? ('X-Hub-Signature-256' => $signature) : () } });

	return "$answer->{status} $answer->{content}";
}

# What a bare request is answered with, whose end is not awaited.
sub bare
{
	my ($head) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 60);

	print $socket "POST /meta HTTP/1.1\r\nHost: x\r\n$head\r\n";
	my ($status) = (<$socket> || '') =~ /^HTTP\S+ (\d+)/;
	return $status;
}

# A body of the simulator's that nobody posts, and its signature.
sub body
{
	my ($wish) = @_;
	my $seq = $sim->tell($wish)->[0]{seq};
	my ($body) = $sim->webhooks(since => $seq - 1);

	return ($body->{body}, $body->{signature});
}

is(system('python3', '-c', 'import psycopg2'), 0, 'python3-psycopg2 is installed')
  or BAIL_OUT('apt-get install python3-psycopg2');
cmp_ok(scalar(split /\n/, slurp_file($program)), '<', 80, 'a page of code');

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
foreach my $kind (qw(meta fonnte watzap))
{
	my $settings = decode_json(provider_settings($sim, $kind));

	$settings->{is_default} = JSON::PP::true if $kind eq 'meta';
	if ($kind eq 'meta')
	{
		$settings->{app_secret} = 'old METADEMOWEBHOOK';
		$settings->{verify_token} = 'token of ours';
	}
	else
	{
		$settings->{webhook_secret} = uc($kind) . 'DEMOWEBHOOK';
	}
	sql("SELECT wa_configure('$kind', '" . encode_json($settings) . "')");
	sql("SELECT * FROM wa_test_connection('$kind')");
}
no_pacing($node, 'odoo');
sql('CREATE ROLE wa_webhook LOGIN');
sql("SELECT wa_grant('wa_webhook', 'webhook')");
start_endpoint();
for (1 .. 600)
{
	last if get('') !~ /^599/;
	select(undef, undef, undef, 0.1);
}

# Meta verifies the address

like(get('meta?hub.mode=subscribe&hub.verify_token=token%20of%20ours&hub.challenge=1158201444'),
	qr/^200 1158201444$/, 'verified');
like(get('meta?hub.mode=subscribe&hub.verify_token=another&hub.challenge=1'), qr/^403 $/, 'another token');
like(get('meta?hub.mode=unsubscribe&hub.verify_token=token%20of%20ours&hub.challenge=1'), qr/^403 $/, 'another mode');
like(get('meta'), qr/^403 $/, 'nothing asked');
like(get('nobody?hub.mode=subscribe'), qr/^404 $/, 'no such provider');

# What is refused, and by what

my ($body, $signature) = body({ provider => 'meta', from => '6281234567890', text => 'Halo' });
like(post('meta', $body), qr/^403 /, 'no signature');
like(post('meta', "$body ", $signature), qr/^403 /, 'signature of another body');
like(post('meta', $body, $signature =~ s/..$/zz/r), qr/^403 /, 'signature that is none');
like(post('nobody', $body, $signature), qr/^404 /, 'no such provider');
like(post('meta%00', $body, $signature), qr/^404 /, 'a NUL in the address');
like(post('fonnte', '{}'), qr/^403 /, 'an address without its secret');
like(post('fonnte/wrong', '{}'), qr/^403 /, 'with a wrong one');
like(post('fonnte/FONNTEDEMOWEBHOOK', '{}'), qr/^200 .*"unknown": 1/, 'with the right one');
is(bare("Content-Length: 3145729\r\n"), 413, 'too large');
is(bare(''), 411, 'no length');
is(sql('SELECT count(*) FROM wa.inbound'), 0, 'nothing of it has come in');
like(post('meta', $body, $signature), qr/^200 .*"accepted": 1/, 'signed: taken');
like(post('meta', $body, $signature), qr/^200 /, 'and once more');

# What the providers tell of themselves reaches the ledger

sub listening
{
	my ($kind, %more) = @_;
	my $address = $kind eq 'meta' ? 'meta' : "$kind/" . uc($kind) . 'DEMOWEBHOOK';

	$sim->config({ $kind => { webhook_url => "$url/$address", webhook_repeat_ms => 100, %more } });
	return;
}

listening('meta', webhook_statuses => [qw(sent delivered read)], webhook_copies => 2,
	webhook_shuffle => JSON::PP::true, webhook_delay_ms => 50);
# until the database is back, however long that takes
listening('fonnte', webhook_repeats => 1_000_000);
listening('watzap');
$sim->config({ meta => { open_windows => 'any' } });
ok(wait_sql($node, 'odoo', "SELECT count(*) = 1 FROM wa.inbound WHERE number = '6281234567890' AND text = 'Halo'"),
	'a message that came twice is there once');
my $id = sql(q{SELECT wa_send_text('6281234567890', 'Yth. Budi', provider => 'meta')});
ok(wait_sql($node, 'odoo', "SELECT delivered_at IS NOT NULL AND read_at IS NOT NULL FROM wa.message WHERE id = $id"),
	'a message is delivered and read')
  or diag(sql('SELECT kind, problem FROM wa.feedback'));
$sim->tell({ provider => 'fonnte', from => '6281234567891', text => 'STOP', inboxid => 7 });
$sim->tell({ provider => 'watzap', from => '6281234567892', text => 'Terima kasih' });
ok(wait_sql($node, 'odoo', "SELECT string_agg(provider || ':' || text, ' ' ORDER BY provider) = 'fonnte:STOP watzap:Terima kasih'"
	  . " FROM wa.inbound WHERE number IN ('6281234567891', '6281234567892')"), 'and what people write comes in');
is($sim->control('idle')->{left}, 0, 'each was answered');
is(join(' ', map { map { $_ } @{ $_->{answers} } } grep { @{ $_->{answers} } } @{ $sim->control('told') }),
	join(' ', (200) x 8), 'by 200');

# A database that is gone, and comes back

$node->restart;
like(post('meta', $body, $signature), qr/^200 /, 'a connection that has died is opened anew');
$node->stop;
like(post('meta', $body, $signature), qr/^503 /, 'no database: told again later');
$sim->tell({ provider => 'fonnte', from => '6281234567893', text => 'Masih ada?', inboxid => 8 });
ok($sim->control('told')->[-1], 'somebody writes meanwhile');
for (1 .. 600)
{
	last if @{ $sim->control('told')->[-1]{answers} };
	select(undef, undef, undef, 0.1);
}
$node->start;
is($sim->control('idle')->{left}, 0, 'it was told until it was taken');
like(join(' ', @{ $sim->control('told')->[-1]{answers} }), qr/^503( 503)* 200$/, 'by the database that is back');
ok(wait_sql($node, 'odoo', "SELECT count(*) = 1 FROM wa.inbound WHERE number = '6281234567893'"), 'and nothing is lost');

# A database that takes no writes, as a standby does; a role without the right

sub new_connection
{
	sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'webhook'});
	return;
}

sql('ALTER ROLE wa_webhook SET default_transaction_read_only = on');
new_connection();
like(post('meta', $body, $signature), qr/^503 /, 'read only: told again later');
sql('ALTER ROLE wa_webhook RESET default_transaction_read_only');
sql("SELECT wa_revoke('wa_webhook')");
new_connection();
like(post('meta', $body, $signature), qr/^403 /, 'no right');
sql("SELECT wa_grant('wa_webhook', 'webhook')");
like(post('meta', $body, $signature), qr/^200 /, 'with the right, on the same connection');

my $said = slurp_file($log);
like($said, qr/^POST 403 \S/m, 'what is refused is in the log, with its reason');
unlike($said, qr/DEMOWEBHOOK|Traceback|token%20of|Halo/, 'and no secret, and nothing that somebody wrote');

done_testing();

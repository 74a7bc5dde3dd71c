# What providers tell of messages, in any order, several times, many in one
# body: the end is always the same, that of an oracle of five lines.

use strict;
use warnings;

use JSON::PP;
use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
my $seed = $ENV{WA_SEED} || int(rand(1_000_000));
my %rank = (sent => 1, delivered => 2, read => 3);

sub sql { return $node->safe_psql('odoo', $_[0]); }

# What is told of a message, by the provider; failed: of the recipient.
my @stories = (
	[], ['sent'], [qw(sent delivered)], [qw(sent delivered read)], ['read'], [qw(delivered read)],
	['failed'], [qw(sent failed)], [qw(failed delivered)], [qw(sent failed read)]);

# What comes of it.  Fonnte's delivered and read name a message by an id that
# only its "sent" connects with it.
sub outcome
{
	my ($provider, @told) = @_;

	@told = grep { !/delivered|read/ } @told if $provider eq 'fonnte' && !grep { $_ eq 'sent' } @told;
	my $reached = max(0, map { $rank{$_} || 0 } @told);
	return 'failed' if $reached < 2 && grep { $_ eq 'failed' } @told;
	return (qw(sent sent delivered read))[$reached];
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
foreach my $kind (qw(meta fonnte))
{
	my $settings = decode_json(provider_settings($sim, $kind));

	$settings->{ $kind eq 'meta' ? 'app_secret' : 'webhook_secret' } = uc($kind) . 'DEMOWEBHOOK';
	sql("SELECT wa_configure('$kind', '" . encode_json($settings) . "')");
	sql("SELECT * FROM wa_test_connection('$kind')");
}
no_pacing($node, 'odoo');
$sim->config({ meta => { open_windows => 'any' } });
sql("INSERT INTO wa.contact (number, last_inbound_at) SELECT '62812777' || n, now() FROM generate_series(10000, 10059) AS n");

# Sixty messages, each with a story

sql("SELECT wa_send_text('62812777' || n, 'Yth. Budi', provider => CASE WHEN n % 3 = 0 THEN 'fonnte' ELSE 'meta' END)"
	  . ' FROM generate_series(10000, 10059) AS n');
ok(wait_sql($node, 'odoo', "SELECT count(*) = 60 FROM wa.message WHERE state = 'sent'"), 'sixty messages are sent');
my @expected;
my $told = 0;
foreach my $row (split /\n/, sql('SELECT id, provider, number, provider_message_id FROM wa.message ORDER BY id'))
{
	my ($id, $provider, $number, $key) = split /\|/, $row;
	my @story = @{ $stories[ ($id * 7) % @stories ] };

	foreach my $status (@story)
	{
		$told++;
		$sim->tell({
			provider => $provider, kind => 'status', message_id => $key, to => $number,
			status => $provider eq 'fonnte' && $status eq 'failed' ? 'invalid' : $status });
	}
	push @expected, [ $id, outcome($provider, @story), join(' ', $provider, @story) ];
}
my $want = join(', ', map { "($_->[0], '$_->[1]')" } @expected);
my $differ = "SELECT id, m.state, w.state FROM wa.message AS m JOIN (VALUES $want) AS w(id, state) USING (id) WHERE m.state <> w.state";

# Mixed, thrice, up to seven in one body

my @counts = play_webhooks($node, 'odoo', $sim->webhooks(shuffle => $seed, copies => 3, batch => 7));
my %sum;
foreach my $count (@counts) { $sum{$_} += $count->{$_} foreach keys %$count; }
is($sum{accepted}, 3 * $told, 'each is taken, as often as it comes');
is($sum{unknown}, 0, 'and known');
ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS ($differ)"), "each message ends as its story says (seed $seed)")
  or diag(sql($differ));
is(sql("SELECT count(*) FROM wa.message WHERE (state IN ('delivered', 'read')) <> (delivered_at IS NOT NULL OR read_at IS NOT NULL)"
	  . " OR (state = 'failed') <> (failed_at IS NOT NULL) OR least(delivered_at, read_at, failed_at) < sent_at"
	  . ' OR greatest(delivered_at, read_at, failed_at) > clock_timestamp()'), 0, 'with the times of it');
is(sql("SELECT string_agg(DISTINCT state, ' ' ORDER BY state) FROM wa.message"), 'delivered failed read sent', 'all ends are there');

# Again, otherwise mixed: days later, for all that the ledger knows

my $look = "SELECT md5(string_agg(m::text, ',' ORDER BY id)) FROM wa.message AS m";
my $before = sql($look);
play_webhooks($node, 'odoo', $sim->webhooks(shuffle => $seed + 1, copies => 2, batch => 3));
ok(wait_sql($node, 'odoo', 'SELECT NOT EXISTS (SELECT FROM wa.feedback WHERE due_at <= clock_timestamp())'), 'all of it told again');
is(sql($look), $before, 'nothing has changed');
is(sql('SELECT count(*) FROM wa.attempt'), 60, 'and nothing was sent again');

done_testing();

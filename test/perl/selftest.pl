# Do the helpers of the TAP tests themselves work?  Needs no extension.
#
#	prove -I test/perl test/perl/selftest.pl	(with PGXS's environment)

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator(undef, tls => 1);
my $http = HTTP::Tiny->new(timeout => 30);

sub send_fonnte
{
	my ($number) = @_;

	return $http->post_form(
		'http://127.0.0.1:' . $sim->port . '/send',
		{ target => $number, message => "Yth. Budi \x{c3}\x{a9}" },
		{ headers => { Authorization => 'FONNTEDEMOTOKEN' } });
}

# The simulator and its journal

ok($sim->port && $sim->tls_port && $sim->bad_tls_port && $sim->bad_ca_port,
	'all ports are open');
ok(-s $sim->ca_file, 'the authority is there');
is(scalar $sim->journal, 0, 'the journal is empty');
ok(decode_json(send_fonnte('6281234567890')->{content})->{status},
	'a message is accepted');
ok($sim->wait_for_sends(1, provider => 'fonnte'), 'wait_for_sends');
is(($sim->sends('fonnte'))[0]{to}, '6281234567890', 'sends');
is(scalar $sim->sends('meta'), 0, 'sends of one provider only');

my $fault = $sim->fault(
	{ provider => 'fonnte', kind => 'fonnte_reason', reason => 'x' });
is(decode_json(send_fonnte('6281234567891')->{content})->{reason},
	'x', 'a fault strikes');
is($sim->fired($fault), 1, 'and is counted');
is(scalar $sim->accepted, 1, 'a refused message is not accepted');
$sim->config({ fonnte => { connected => JSON::PP::false } });
like(send_fonnte('6281234567892')->{content},
	qr/disconnected/, 'config changes the provider');
$sim->reset;
is($sim->config->{fonnte}{connected}, JSON::PP::true, 'reset');
ok(!eval { $sim->fault({ kind => 'nonsense' }); 1 },
	'an unknown fault is an error');

like(allowed_hosts($sim), qr/^meta=127\.0\.0\.1:\d+,/, 'allowed_hosts');
is( decode_json(provider_settings($sim, 'watzap'))->{number_key},
	'WATZAPDEMONUMBER', 'provider_settings');

# Clusters and databases

my $node = new_cluster('main', simulator => $sim, preload => '');
is($node->safe_psql('postgres', 'SHOW sicantik_wa.allowed_hosts'),
	allowed_hosts($sim), 'the cluster may reach the simulator');
is($node->safe_psql('postgres', 'SHOW fsync'), 'off', 'fsync is off');

load_odoo($node, 'odoo');
load_many($node, 'odoo', 500);
is( $node->safe_psql('odoo',
		"SELECT count(*) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'"),
	500,
	'load_many');
is( $node->safe_psql(
		'odoo', "SELECT DISTINCT tableowner FROM pg_tables "
		  . "WHERE schemaname = 'public'"),
	'odoo',
	'the tables belong to odoo');
is( $node->safe_psql('odoo',
		"SELECT rolsuper FROM pg_roles WHERE rolname = 'odoo'"),
	'f',
	'who is no superuser');

load_odoo($node, 'other', owner => 'office', tables => 'odoo');
is( $node->safe_psql(
		'other',
		"SELECT pg_get_userbyid(datdba) || ' ' || tableowner "
		  . "FROM pg_database, pg_tables WHERE datname = 'other' "
		  . "AND tablename = 'sicantik_permit'"),
	'office odoo',
	'another owner of the database');

# Waiting, on tables that look like the ledger

$node->safe_psql(
	'odoo', q{
	CREATE SCHEMA wa;
	CREATE TABLE wa.message (id bigint, state text);
	CREATE TABLE wa.attempt (message_id bigint);
	CREATE TABLE wa.provider (min_gap interval, gap_jitter interval,
		daily_cap int, rate_per_second int, recipient_gap interval);
	CREATE TABLE wa.scenario (hours_from time, hours_to time, weekdays int[],
		max_per_transaction int, max_per_hour int, max_per_day_and_number int);
	INSERT INTO wa.scenario VALUES ('07:00', '20:00', '{1}', 25, 60, 10);
	INSERT INTO wa.message VALUES (7, 'sent');
	INSERT INTO wa.provider VALUES ('8 s', '4 s', 400, 20, '6 s');
});
no_pacing($node, 'odoo');
is($node->safe_psql('odoo', 'SELECT * FROM wa.provider'),
	'00:00:00|00:00:00|||00:00:00', 'no_pacing');
is($node->safe_psql('odoo', 'SELECT * FROM wa.scenario'),
	'|||||', 'no_pacing: no guards either');
ok(wait_state($node, 'odoo', 7, 'sent'), 'wait_state');
ok(wait_sql($node, 'odoo', 'SELECT 1 + 1', '2'), 'wait_sql');

# The end

my $pid = $sim->pid;
$sim->stop;
is(kill(0, $pid), 0, 'the simulator is gone');
is(scalar $sim->sends, 3, 'its journal is not');
$node->stop;

done_testing();

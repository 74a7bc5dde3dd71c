# Each answer belongs to its own message: a provider that says something on an
# idle connection, a second acceptance or a 408 before it closes, must not
# answer the next message with it, in plain text or under TLS.  And a request
# that did not arrive in time is made again, whoever says so.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator(undef, tls => 1);
my $node = new_cluster('main', simulator => $sim,
	conf => "timezone = 'UTC'\nsicantik_wa.ca_file = '" . $sim->ca_file . "'");
my $last_number = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub number { return sprintf('62855%08d', ++$last_number); }

# One text, and the number it went to.
sub text
{
	my ($provider) = @_;
	my $number = number();
	return (sql("SELECT wa_send_text('$number', 'Yth. Budi', '$provider')"), $number);
}

# What the simulator told each number, and what the ledger has of it.
sub check_ledger
{
	my ($name) = @_;
	my %told = map { $_->{to} => $_->{message_id} } $sim->accepted;
	my %kept = map { split /\|/ } split /\n/,
	  sql("SELECT number, provider_message_id FROM wa.message WHERE state = 'sent'");

	is_deeply(\%kept, \%told, "$name: each message has its own id");
	return;
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
foreach my $kind ('fonnte', 'meta')
{
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "')");
	sql("SELECT * FROM wa_test_connection('$kind')");
}
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 1");
sql("SELECT wa_arm('odoo')");

my %extra = (
	'a second acceptance' => "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 58\r\n\r\n"
	  . '{"status":true,"id":["999"],"requestid":1,"process":"pen"}',
	'a refusal' => "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 43\r\n\r\n"
	  . '{"status":false,"reason":"target invalid"} ',
	'a 408' => "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

foreach my $wire ('plain', 'tls')
{
	sql("UPDATE wa.provider SET base_url = 'https://localhost:" . $sim->tls_port . "' WHERE name = 'fonnte'") if $wire eq 'tls';
	foreach my $what (sort keys %extra)
	{
		my $fault = $sim->fault({ kind => 'overrun', provider => 'fonnte', extra => $extra{$what} });
		my ($first) = text('fonnte');

		ok(wait_state($node, 'odoo', $first, 'sent'), "$wire, $what behind a good answer: that one is sent");
		is($sim->fired($fault), 1, 'with the words behind it');
		foreach (1 .. 2)
		{
			my ($id) = text('fonnte');
			ok(wait_state($node, 'odoo', $id, 'sent'), 'the next one is, too');
		}
		check_ledger("$wire, $what");
	}
}
is(sql("SELECT count(*) FROM wa.attempt WHERE outcome <> 'accepted'"), '0', 'nothing was taken for another thing');
is(scalar($sim->sends), scalar($sim->accepted), 'and nothing was sent twice');

# What did not arrive in time is sent again, by Meta's word too.
sql("INSERT INTO wa.contact (number, last_inbound_at) VALUES ('" . sprintf('62855%08d', $last_number + 1) . "', now())");
$sim->config({ meta => { open_windows => 'any' } });
$sim->fault({ kind => 'status', provider => 'meta', status => 408, body => '', match => { endpoint => 'send' } });
my ($id) = text('meta');
ok(wait_sql($node, 'odoo', "SELECT state || ' ' || reason FROM wa.message WHERE id = $id", 'queued retry'),
	'HTTP status 408 of Meta: the message waits for another attempt');
sql("UPDATE wa.due SET due_at = now() WHERE message_id = $id");
text('fonnte');
ok(wait_state($node, 'odoo', $id, 'sent'), 'and is sent');
is(sql("SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM wa.attempt WHERE message_id = $id"), 'retry accepted', 'the second time');

$sim->stop;
$node->stop;
done_testing();

# What is made in mode observe is skipped at once, also where its provider has no room
# and its number no turn: it must not go when somebody arms the database.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET min_gap = '1 hour', recipient_gap = '1 hour'");
my $number = '6281200000010';	# the applicant's, too
my $by_hand = sql("SELECT wa_send_text('$number', 'Halo')");
ok(wait_state($node, 'odoo', $by_hand, 'sent'), 'by hand a message goes, and its provider has no room for an hour');
my $waits = sql("SELECT wa_send_text('$number', 'Halo')");
sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/1', issue_date = current_date WHERE id = 1");
ok(wait_sql($node, 'odoo', "SELECT string_agg(DISTINCT state || ' ' || reason, ',') FROM wa.message WHERE scenario IS NOT NULL", 'skipped observe'),
	'a permit is not told in mode observe');
is(sql("SELECT state FROM wa.message WHERE id = $waits"), 'queued', 'another one by hand waits for its turn');
sql("SELECT wa_arm('odoo')");
is(sql("SELECT wa_cancel($waits)"), 1, 'the database is armed, and that one cancelled');
ok(wait_state($node, 'odoo', $waits, 'cancelled'), 'which the worker does');
is(sql("SELECT string_agg(DISTINCT state, ',') FROM wa.message WHERE scenario IS NOT NULL"), 'skipped', 'what was observed stays so');
is(scalar $sim->sends('fonnte'), 1, 'nothing else was sent');

$node->stop;
done_testing();

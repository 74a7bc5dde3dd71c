# Messages are looked at when there is room for them: nearly all go where the one
# before them went, and to find that out of each again costs as much as sending it.
# One that goes elsewhere is found all the same, behind many that have no room.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $permits = 300;
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "log_min_messages = debug1\nsicantik_wa.max_in_flight = 1000");

$sim->config({ meta => { open_windows => 'any' }});

sub sql { return $node->safe_psql('odoo', $_[0]); }

# The place of fonnte, whose only one it is, is taken.
sub in_the_way
{
	my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => '6281200009999' } });

	sql("SELECT wa_send_text('6281200009999', 'in the way')");
	wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE number = '6281200009999' AND state = 'sending'", 1);
	return $hold;
}

load_odoo($node, 'odoo');
load_many($node, 'odoo', $permits);
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_set('office_name', 'Kantor')");
foreach my $kind (qw(meta fonnte))
{
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "'); SELECT * FROM wa_test_connection('$kind')");
}
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 20 WHERE name = 'fonnte'; SELECT wa_arm('odoo')");

# many that go the same way, and have waited a while
sql("UPDATE wa.provider SET active = false WHERE name = 'meta'; UPDATE wa.provider SET max_in_flight = 1 WHERE name = 'fonnte'");
my $hold = in_the_way();
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'G/' || id WHERE registration_id LIKE 'MANY-%'");
wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state = 'queued' AND created_at < clock_timestamp() - interval '0.3 seconds'", $permits);
my $from = -s $node->logfile;
sql("UPDATE wa.provider SET max_in_flight = 20 WHERE name = 'fonnte'");
$sim->release($hold);
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state = 'sent'", $permits + 1), 'all are sent');
my $log = substr(slurp_file($node->logfile), $from);
my $asked = 0;
$asked += $1 while $log =~ /of (\d+) messages \d+ are as they were made/g;
cmp_ok($asked, '<', $permits * 1.5, "of $permits messages $asked were asked about: each once, and a few for which there was no room");

# one that goes another way than those before it
sql("UPDATE wa.provider SET active = true WHERE name = 'meta'; UPDATE wa.provider SET max_in_flight = 1 WHERE name = 'fonnte'");
$hold = in_the_way();
my $first = sql("SELECT min(id) FROM (SELECT wa_send_text('62853' || (10000000 + n), 'waits') AS id FROM generate_series(1, 500) AS n) AS m");
sql("INSERT INTO wa.contact (number, last_inbound_at) VALUES ('6281200008888', now())");
my $other = sql("SELECT wa_send_text('6281200008888', 'goes by Meta')");
ok(wait_state($node, 'odoo', $other, 'sent'), 'one behind many for whose provider there is no room');
is(sql("SELECT provider FROM wa.message WHERE id = $other"), 'meta', 'goes by the other one');
is(sql("SELECT count(*) FROM wa.message WHERE id >= $first AND id < $other AND state = 'queued'"), '500', 'which wait');

sql("UPDATE wa.provider SET max_in_flight = 20 WHERE name = 'fonnte'");
$sim->release($hold);
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE body = 'waits' AND state = 'sent'", 500), 'then these go, too');

$node->stop;
done_testing();

# The way of a few notifications while no cache of the server's outlives what may
# invalidate it: whoever keeps a pointer into one finds nothing there.  A server without
# assertions does not know the setting, and there is nothing to see.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
# a round of the worker's lasts minutes
my $node = new_cluster('main', simulator => $sim, conf => 'sicantik_wa.request_timeout = 300s');

sub sql { return $node->safe_psql('odoo', $_[0]); }

plan skip_all => 'the server has no assertions' if $node->safe_psql('postgres', 'SHOW debug_assertions') ne 'on';
load_odoo($node, 'odoo');
load_many($node, 'odoo', 3);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql(q(SELECT wa_configure('fonnte', '{"webhook_secret": "a-secret-of-this-test"}')));
no_pacing($node, 'odoo');

$node->safe_psql('postgres', 'ALTER SYSTEM SET debug_discard_caches = 1');
$node->reload;
is($node->safe_psql('postgres', 'SHOW debug_discard_caches'), '1', 'caches are discarded');
is(sql("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'a provider is tested');
sql("SELECT wa_arm('odoo')");

# changes, of which one is rolled back and one in a part that is; and by hand
sql("BEGIN; UPDATE sicantik_permit SET status = 'active', permit_number = 'D/' || id WHERE registration_id LIKE 'MANY-%'; SAVEPOINT a;"
	  . " UPDATE sicantik_permit SET permit_number = 'E/' || id WHERE registration_id LIKE 'MANY-%'; ROLLBACK TO a; COMMIT");
sql("BEGIN; UPDATE sicantik_permit SET status = 'draft' WHERE registration_id LIKE 'MANY-%'; ROLLBACK");
my $by_hand = sql("SELECT wa_send_text('081299990001', 'Yth. Budi')");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state = 'sent'", 4), 'what was changed and sent by hand is sent');
$sim->config({ fonnte => { invalid_targets => ['6281299990002'] } });
my $refused = sql("SELECT wa_send_text('081299990002', 'Yth. Ani')");
ok(wait_state($node, 'odoo', $refused, 'failed'), 'one that is refused has failed');

# what is told of it, and what people ask
sql("SELECT wa_webhook('fonnte', convert_to(json_build_object('id', provider_message_id, 'stateid', 'S', 'state', 'delivered')::text, 'UTF8'),"
	  . " NULL, 'a-secret-of-this-test') FROM wa.message WHERE id = $by_hand");
ok(wait_state($node, 'odoo', $by_hand, 'delivered'), 'that it has arrived is told');
cmp_ok(sql("SELECT count(*) FROM wa_why($refused)"), '>', 0, 'why it failed');
cmp_ok(sql("SELECT count(*) FROM wa_history('081299990001')"), '>', 0, 'the story of a person');
cmp_ok(sql('SELECT count(*) FROM wa_check()'), '>', 0, 'what is amiss');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'no dead letter');
unlike(slurp_file($node->logfile), qr/TRAP|terminated by signal|XX000/, 'and nothing has failed');

$node->stop;
done_testing();

# Citizens' data do not stay for ever: after the retention a message loses
# whatever tells who was told what, and one that still waits does not keep the
# data of those that were made after it.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }

# What is left of a message, its attempts included.
my $left = q{concat_ws(' ', CASE WHEN number IS NOT NULL THEN 'number' END, CASE WHEN params IS NOT NULL THEN 'params' END,
	CASE WHEN body IS NOT NULL THEN 'body' END, CASE WHEN detail IS NOT NULL THEN 'detail' END,
	CASE WHEN route IS NOT NULL THEN 'route' END, CASE WHEN precondition IS NOT NULL THEN 'precondition' END,
	CASE WHEN provider_message_id IS NOT NULL THEN 'provider_message_id' END, CASE WHEN change IS NOT NULL THEN 'change' END,
	(SELECT 'response' FROM wa.attempt AS a WHERE a.message_id = m.id AND response IS NOT NULL LIMIT 1))};

# A worker that starts purges first.
sub purge
{
	$node->restart;
	return wait_sql($node, 'odoo', $_[0]);
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT count(*) FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");

my $waits = sql("SELECT wa_send_text('0812-9000-0001', 'Besok', send_at => now() + interval '1 year')");
my $sent = sql("SELECT wa_send_text('0812-9000-0002', 'Halo')");
my $young = sql("SELECT wa_send_text('0812-9000-0003', 'Halo')");
ok(wait_state($node, 'odoo', $_, 'sent'), "message $_ is sent") foreach $sent, $young;
like(sql("SELECT $left FROM wa.message AS m WHERE id = $sent"), qr/^number .*body .*route .*provider_message_id response$/, 'a message holds who was told what');

sql("UPDATE wa.message SET created_at = created_at - interval '91 days', finished_at = finished_at - interval '91 days' WHERE id IN ($waits, $sent)");
ok(purge("SELECT number IS NULL FROM wa.message WHERE id = $sent"), 'after the retention it does not');
is(sql("SELECT $left FROM wa.message AS m WHERE id = $sent"), '', 'nothing of it');
is(sql("SELECT state, count(a) FROM wa.message AS m LEFT JOIN wa.attempt AS a ON a.message_id = m.id WHERE m.id = $sent GROUP BY state"), 'sent|1', 'but the figures');
like(sql("SELECT $left FROM wa.message AS m WHERE id = $young"), qr/^number .*response$/, 'a younger one keeps all');
is(sql("SELECT state, number, body FROM wa.message WHERE id = $waits"), 'queued|6281290000001|Besok', 'one that waits keeps what it needs');
is(sql('SELECT purged_message_id, unpurged FROM wa.read_position'), "$sent|{$waits}", 'and is noted');

is(sql("SELECT wa_cancel($waits)"), '1', 'it ends');
ok(wait_state($node, 'odoo', $waits, 'cancelled'), 'now');
sql("UPDATE wa.message SET created_at = created_at - interval '91 days', finished_at = finished_at - interval '91 days' WHERE id = $young");
ok(purge("SELECT number IS NULL FROM wa.message WHERE id = $young"), 'the next purge');
like(sql("SELECT $left FROM wa.message AS m WHERE id = $waits"), qr/^number /, 'the retention begins with its end');
sql("UPDATE wa.message SET finished_at = finished_at - interval '91 days' WHERE id = $waits");
ok(purge("SELECT number IS NULL FROM wa.message WHERE id = $waits"), 'after that it loses its data as well');
is(sql('SELECT purged_message_id, unpurged FROM wa.read_position'), "$young|{}", 'and is forgotten');

# A row that somebody has written himself: what wa_set() refuses does not erase
# what has just been said.  '90' are 90 seconds to PostgreSQL.
foreach my $retention ('90', '-5 days', '0', '1000 years')
{
	my $old = sql("SELECT wa_send_text('0812-9000-0004', 'Halo')");
	my $new = sql("SELECT wa_send_text('0812-9000-0005', 'Halo')");

	ok(wait_state($node, 'odoo', $_, 'sent'), "message $_ is sent") foreach $old, $new;
	sql("UPDATE wa.message SET created_at = created_at - interval '91 days', finished_at = finished_at - interval '91 days' WHERE id = $old");
	sql("UPDATE wa.message SET created_at = created_at - interval '2 hours', finished_at = finished_at - interval '2 hours' WHERE id = $new");
	sql("INSERT INTO wa.setting (name, value) VALUES ('retention', '$retention'), ('feedback_retention', '$retention') ON CONFLICT (name) DO UPDATE SET value = excluded.value");
	ok(purge("SELECT number IS NULL FROM wa.message WHERE id = $old"), "a retention of '$retention' counts as none: what is older than the usual one is purged");
	like(sql("SELECT $left FROM wa.message AS m WHERE id = $new"), qr/^number .*response$/, 'and what is younger is not');
	# the next ones are behind it
	sql("DELETE FROM wa.message WHERE id = $new");
}
sql("UPDATE wa.setting SET value = 'P60D' WHERE name = 'retention'");
my $iso = sql("SELECT wa_send_text('0812-9000-0006', 'Halo')");
ok(wait_state($node, 'odoo', $iso, 'sent'), 'one more');
sql("UPDATE wa.message SET created_at = created_at - interval '61 days', finished_at = finished_at - interval '61 days' WHERE id = $iso");
ok(purge("SELECT number IS NULL FROM wa.message WHERE id = $iso"), 'one that can be read counts, in whatever form');
sql("DELETE FROM wa.setting WHERE name IN ('retention', 'feedback_retention')");

# A row goes two years after its message was over, not while nobody can have seen
# what became of it: it waited since the clock was wrong, say.
sql('SELECT wa_pause()');
my $since = sql("SELECT wa_send_text('0812-9000-0007', 'Halo')");
my $over = sql("SELECT wa_send_text('0812-9000-0008', 'Halo')");
sql("SELECT wa_cancel($over)");
ok(wait_state($node, 'odoo', $over, 'cancelled'), 'one is over');
sql("UPDATE wa.message SET created_at = created_at - interval '3 years', expires_at = expires_at - interval '3 years',"
	  . " finished_at = finished_at - interval '3 years' WHERE id IN ($since, $over)");
# the first ones go first
sql("DELETE FROM wa.message WHERE id NOT IN ($since, $over)");
$node->restart;					# the worker has read that it waits
sql('SELECT wa_resume()');
ok(wait_state($node, 'odoo', $since, 'expired'), 'another one has just ended');
ok(purge("SELECT NOT EXISTS (SELECT FROM wa.message WHERE id = $over)"), 'the one that was over three years ago goes');
is(sql("SELECT state, reason FROM wa.message WHERE id = $since"), 'expired|time_to_live', 'the other one stays, and says why');

# What was said of consent stays, but for the words
sql("INSERT INTO wa.consent (number, change, said_at, noted_at, source, words) VALUES ('628571', 'opt_out', '2026-01-01', '2026-01-01', 'keyword', 'STOP'), ('628572', 'opt_out', now(), now(), 'keyword', 'STOP')");
ok(purge("SELECT count(*) = 1 FROM wa.consent WHERE words IS NOT NULL"), 'what somebody has said of consent');
is(sql('SELECT string_agg(number || words, \',\') || count(*) FROM wa.consent'), '628572STOP2', 'loses its words, and stays');

$node->stop;
done_testing();

# To ask about a message costs as much as to send it, and so does loading it: each
# is asked about when its turn comes, and hardly before, however long it waits for
# its provider, and is loaded once.  What is composed first of many changes are
# whole records.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, preload => 'sicantik_wa,pg_stat_statements',
	conf => "sicantik_wa.worker_idle_timeout = 3600\npg_stat_statements.track = all");
my $permits = 400;
my $session;

sub sql { return $session->sql($_[0]); }
# the rows that all statements with these words have read
sub rows_of { return sql("SELECT coalesce(sum(rows), 0) FROM pg_stat_statements WHERE query LIKE '%$_[0]%'"); }
sub at_most { my ($is, $most, $name) = @_; return ok($is <= $most, $name) || diag("$is are more than $most"); }

load_odoo($node, 'odoo');
load_many($node, 'odoo', $permits);
$session = SicantikWa::Session->new($node, 'odoo');
sql('CREATE EXTENSION pg_stat_statements; CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 5; SELECT wa_arm('odoo')");

# The first tells where its line goes.
foreach my $those ("id = (SELECT min(id) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%')", "registration_id LIKE 'MANY-%' AND status = 'draft'")
{
	sql('SELECT pg_stat_statements_reset()');
	sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'N' || id WHERE $those");
	$session->wait_for("$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))");
}
is(sql("SELECT count(*) FROM wa.message WHERE state = 'sent'"), $permits, 'all are sent');
my $contacts = rows_of('t.whatsapp_opt_in::text%FROM public.res_partner%t.id = ANY');
at_most($contacts, 1.25 * $permits, 'hardly any was asked about twice');
cmp_ok($contacts, '>=', $permits - 1, 'and none was forgotten');
my $loaded = rows_of('r.claimed_at, r.provider, r.attempt%JOIN wa.message AS m');
at_most($loaded, 1.25 * $permits, 'each was loaded once');
cmp_ok($loaded, '>=', $permits - 1, 'and all');

# While nothing is read, the first of many permits changes twice more.
sub enable
{
	my ($on) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET sicantik_wa.enabled = $on; SELECT pg_reload_conf()");
	$session->wait_for("current_setting('sicantik_wa.enabled') = '$on'");
	return;
}

enable('off');
$session->wait_for("NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker')");
my ($mark, $first) = (sql('SELECT max(id) FROM wa.message'), sql("SELECT min(id) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'"));
sql("UPDATE sicantik_permit SET status = 'expired' WHERE registration_id LIKE 'MANY-%'");
sql("UPDATE sicantik_permit SET status = 'active' WHERE id = $first");
sql("UPDATE sicantik_permit SET status = 'expired' WHERE id IN ($first, $first + 399)");
enable('on');
$session->wait_for("$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))");
is(sql("SELECT string_agg(n::text, ' ') FROM (SELECT count(*) AS n FROM wa.message WHERE id > $mark AND state = 'sent' GROUP BY res_id) AS m"),
	join(' ', (1) x $permits), 'each permit has one message, that of its last status, also the first');
is(sql("SELECT count(*) FROM wa.event_outcome WHERE record_id = $first AND event_id > (SELECT max(event_id) FROM wa.message WHERE id <= $mark)"),
	sql("SELECT count(*) FROM wa.event WHERE record_id = $first AND id > (SELECT max(event_id) FROM wa.message WHERE id <= $mark)"),
	'and each of its changes an outcome');

$session->close;
$node->stop;
done_testing();

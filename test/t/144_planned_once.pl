# People send by the thousand with one statement (SELECT wa_send(...) FROM ...), and a
# statement of ours that the server plans anew in each of these calls costs more than
# all of the call.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $calls = 40;
my $node = new_cluster('main');

load_odoo($node, 'odoo');
load_many($node, 'odoo', $calls);
$node->safe_psql('odoo', q{
	CREATE EXTENSION sicantik_wa;
	SELECT FROM wa_setup();
	SELECT wa_set('office_name', 'Kantor');
	SELECT wa_configure('fonnte', '{"token": "a-token-of-a-test"}');
	CREATE TABLE public.asked AS SELECT id, partner_id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%';
});

# How often does the server plan while a session runs this again?
sub planned
{
	my ($statement) = @_;
	my ($stdout, $stderr);

	$node->psql('odoo', "$statement; SET client_min_messages = log; SET log_planner_stats = on; $statement;",
		stdout => \$stdout, stderr => \$stderr, on_error_stop => 1);
	is($stdout, "$calls\n$calls", '  all are queued, twice');
	return scalar(() = $stderr =~ /PLANNER STATISTICS/g);
}

my $later = "send_at => now() + interval '1 day'";

foreach my $case (
	[ 'wa_send_text() to a number', "SELECT count(wa_send_text('0812900' || (10000 + id), 'Halo', $later)) FROM public.asked" ],
	[ 'with a provider', "SELECT count(wa_send_text('0812900' || (10000 + id), 'Halo', 'fonnte', $later)) FROM public.asked" ],
	[ 'to a contact', "SELECT count(wa_send_text(partner_id, 'Halo', $later)) FROM public.asked" ],
	[ 'wa_send() with a permit', "SELECT count(wa_send('permit_ready', partner_id, permit_id => id, $later)) FROM public.asked" ])
{
	my ($name, $statement) = @$case;

	# the statement itself, and what is planned without parameters after a change
	cmp_ok(planned($statement), '<', 10, "$name: $calls calls plan hardly anything");
}

done_testing();

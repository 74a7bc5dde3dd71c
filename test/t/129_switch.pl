# Switching to another provider: docs/providers.md's statements, typed, and those
# that go back.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
my ($page) = slurp_file(dirname(__FILE__) . '/../../docs/providers.md') =~ /^## Switching to another one\n(.*?)^## /ms;
my ($seen) = $page =~ /`(SELECT name, state,.*?);`/s;
my $sent = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }

# By which provider a message of now goes.
sub goes_by
{
	my $id = sql(sprintf("SELECT wa_send_text('0812345%05d', 'Halo')", ++$sent));

	ok(wait_state($node, 'odoo', $id, 'sent'), "message $sent goes") or return 'nobody';
	return sql("SELECT provider FROM wa.message WHERE id = $id");
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
foreach my $kind (qw(fonnte watzap))
{
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "')");
	sql("SELECT * FROM wa_test_connection('$kind')");
}
sql("UPDATE wa.provider SET min_gap = '0', gap_jitter = '0', recipient_gap = '0', daily_cap = NULL");
sql("SELECT wa_set('office_name', 'DPMPTSP'); SELECT wa_arm('odoo')");
is(goes_by(), 'fonnte', 'Fonnte comes first');

my @rows = $page =~ /^\| ([^|]*SELECT|[^|]+ \| `SELECT.*) \|$/mg;
is(scalar(@rows), 4, 'there are four ways');
foreach (@rows)
{
	my ($what, $switch, $back) = split / \| /;
	my ($to) = $switch =~ /`(SELECT .*?;)`/;
	my ($from) = $back =~ /`(SELECT .*?;)`/;

	sql($to);
	is(goes_by(), 'watzap', "$what: $to");
	like(sql($seen), $to =~ /fonnte/ ? qr/^fonnte\|/m : qr/^watzap\|/, '  it is seen');
	sql($from);
	is(goes_by(), 'fonnte', "  and back: $from");
}

# what waits goes by the other one, too
sql("SELECT wa_pause()");
my $waiting = sql("SELECT wa_send_text('081234599999', 'Halo')");
ok(wait_sql($node, 'odoo', "SELECT count(*) = 1 FROM wa.message WHERE id = $waiting AND reason = 'no_provider'"), 'a message waits');
sql("SELECT wa_resume('watzap')");
ok(wait_state($node, 'odoo', $waiting, 'sent'), 'it goes when one is back');
is(sql("SELECT provider FROM wa.message WHERE id = $waiting"), 'watzap', 'by that one');

$node->stop;
done_testing();

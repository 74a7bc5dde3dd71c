# A new user who types what "next" says, and fills in what stands there as dots,
# comes to where nothing is left to do, with each of the providers; wa_setup()
# says the same first.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $conf = PostgreSQL::Test::Utils::tempdir('conf') . '/office.conf';
append_to_file($conf, '');
my $node = new_cluster('main', simulator => $sim, conf => "include = '$conf'\nsicantik_wa.max_workers = 10");

# what is made there counts at once
$sim->config({ meta => { new_template_status => 'APPROVED' } });
foreach my $kind (qw(fonnte watzap meta))
{
	my $sql = sub { return $node->safe_psql($kind, $_[0]); };
	my @typed;

	load_odoo($node, $kind);
	$sql->('CREATE EXTENSION sicantik_wa');
	my ($next) = $sql->("SELECT detail FROM wa_setup() WHERE item = 'next'");
	$sql->("SELECT wa_set('language', 'en')");
	like($next, qr/^SELECT wa_configure\('fonnte', '\{"token_file": "\.\.\."\}'\)  -- providers: /, "$kind: wa_setup() says what comes next");
	$sql->("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "')");
	foreach (1 .. 25)
	{
		my $why;

		($next, $why) = split /\|/, $sql->("SELECT value, detail FROM wa_status() WHERE item = 'next'");
		last if $next eq 'nothing';
		push @typed, "$next  -- $why";
		if ($next =~ /^sicantik_wa\.instance = '\.\.\.' in a file/)
		{
			append_to_file($conf, "sicantik_wa.instance = 'office'\n");
			$node->reload;
		}
		my ($statement) = $next =~ /(SELECT .*)/;
		last if !$statement;
		$statement =~ s/'\.\.\.'/'081234567890'/g;
		my ($code, $out, $err) = $node->psql($kind, $statement);
		next if $code == 0;
		push @typed, "= $err";
		last if $err !~ /(SELECT wa_map_template\(.*?\)), then (SELECT .*)\./;
		$sql->($_) foreach $1, $2;
	}
	is($next, 'nothing', "$kind: in the end nothing is left to do") or diag(join "\n", @typed);
	note(join "\n", @typed);
}

$node->stop;
done_testing();

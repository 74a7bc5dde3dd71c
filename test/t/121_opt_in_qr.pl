# The code to be scanned says what the link says: it is read here as a telephone
# reads it, but for the correction of errors (ISO/IEC 18004).

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $node = new_cluster('main');
load_odoo($node, 'odoo');
my $session = SicantikWa::Session->new($node, 'odoo');
sub sql { return $session->sql($_[0]); }
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_configure('meta', '{\"own_number\": \"0812-3456-7001\"}')");

# Of each version, for medium correction: data in how many blocks of how many
# codewords.
my %blocks = (2 => [ 1, 28 ], 3 => [ 1, 44 ], 4 => [ 2, 32 ], 5 => [ 2, 43 ], 6 => [ 4, 27 ]);

sub masks
{
	my ($mask, $x, $y) = @_;

	return ( ($x + $y) % 2, $y % 2, $x % 3, ($x + $y) % 3, (int($x / 3) + int($y / 2)) % 2,
		$x * $y % 2 + $x * $y % 3, ($x * $y % 2 + $x * $y % 3) % 2, (($x + $y) % 2 + $x * $y % 3) % 2)[$mask] == 0;
}

sub decode
{
	my ($svg) = @_;
	my ($size) = $svg =~ /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^>]*viewBox="0 0 (\d+) \1"[^>]*><rect [^>]*\/><path d="[^"]*"\/><\/svg>$/ or return 'no SVG';
	my $n = $size - 8;
	my $last = $n - 1;
	my $blocks = $blocks{ ($n - 17) / 4 } or return "a code of $n modules";
	my @black;

	while ($svg =~ /M(\d+),(\d+)h(\d+)v1h-(\d+)z/g)
	{
		return 'a box that is not closed' if $3 != $4;
		$black[ $2 - 4 ][$_] = 1 foreach $1 - 4 .. $1 - 5 + $3;
	}
	my $bit = sub { return $black[ $_[1] ][ $_[0] ] // 0; };

	# its format, beside the eye at the top on the left
	my $format = oct('0b' . join '', map { $bit->(@$_) } (map { [ $_, 8 ] } 0 .. 5), [ 7, 8 ], [ 8, 8 ], [ 8, 7 ], map { [ 8, $_ ] } reverse 0 .. 5);
	$format ^= 0x5412;
	return 'another correction' if $format >> 13 != 0;

	# pairs of columns, up and down
	my $bits = '';
	for (my $right = $last; $right > 0; $right -= 2)
	{
		$right-- if $right == 6;
		foreach my $step (0 .. $last)
		{
			foreach my $x ($right, $right - 1)
			{
				my $y = (($right + 1) & 2) == 0 ? $last - $step : $step;

				next if $x == 6 || $y == 6 || $x < 9 && ($y < 9 || $y > $n - 9) || $x > $n - 9 && $y < 9;
				next if abs($x - $n + 7) < 3 && abs($y - $n + 7) < 3;
				$bits .= $bit->($x, $y) ^ (masks($format >> 10 & 7, $x, $y) ? 1 : 0);
			}
		}
	}
	my @codewords = unpack 'C*', pack 'B*', $bits;
	my $data = '';
	foreach my $block (0 .. $blocks->[0] - 1)
	{
		$data .= unpack 'B*', pack 'C*', map { $codewords[ $block + $_ * $blocks->[0] ] } 0 .. $blocks->[1] - 1;
	}
	my ($mode, $length) = map { oct "0b$_" } $data =~ /^(.{4})(.{8})/;
	return "mode $mode" if $mode != 4;
	return pack 'B*', substr $data, 12, 8 * $length;
}

my ($libraries) = run_command([ 'pg_config', '--pkglibdir' ]);
foreach my $module ('sicantik_wa', 'sicantik_wa_worker')
{
	unlike((run_command([ 'readelf', '-d', "$libraries/$module.so" ]))[0], qr/qrencode/, "$module loads without the library");
}
foreach my $more ('', ", 'START'", ", number => '+65 9123 4567'", ", ' Mulai! '", ", 'Saya setuju: 50% &c'")
{
	is(decode(sql("SELECT wa_opt_in_qr('meta'$more)")), sql("SELECT wa_opt_in_link('meta'$more)"), "the code is the link: 'meta'$more");
}
my ($result, $out, $err) = $node->psql('odoo', q(\set VERBOSITY verbose) . "\nSELECT wa_opt_in_qr('meta', repeat('\x{c3}\x{a9}', 500))");
like($err, qr/^psql.*ERROR:  54000: a text of 3\d\d\d bytes is too long for a code/m, 'what is too long is said so');

# What is wrong with the link is wrong with the code
like(($node->psql('odoo', "SELECT wa_opt_in_qr('wawa')"))[2], qr/ERROR:  provider "wawa" does not exist/, 'an unknown provider');
like(($node->psql('odoo', "SELECT wa_opt_in_qr('fonnte')"))[2], qr/ERROR:  the number that people write to is not known/, 'a number that is not known');

$session->close;
$node->stop;
done_testing();

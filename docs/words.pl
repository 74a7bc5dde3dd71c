# words.pl: the part of docs/reference.md with the words of states and reasons,
# from the catalogue (make reference; compared in the tests).

use strict;
use warnings;

use File::Basename qw(dirname);

my $catalogue = dirname(__FILE__) . '/../src/text/words_reasons.def';
my %title = (STATE => 'state', REASON => 'reason');

open my $handle, '<', $catalogue or die "could not read $catalogue: $!";
my $text = do { local $/; <$handle> };
close $handle;

print "<!-- begin words: make reference writes this from src/text/words_reasons.def -->\n";
foreach my $kind ('STATE', 'REASON')
{
	my $string = qr/"(?:\\.|[^"\\])*"|NULL/;

	print "\n| $title{$kind} | in words | in Indonesian | what one can do |\n|---|---|---|---|\n";
	while ($text =~ /^$kind\((\w+),\n\t($string),\n\t($string),\n\t($string),\n\t$string\)$/mg)
	{
		my ($name, @cells) = (lc $1, $2, $3, $4);

		foreach my $cell (@cells)
		{
			$cell = $cell eq 'NULL' ? '' : substr($cell, 1, -1);
			$cell =~ s/\\(["\\])/$1/g;
			$cell =~ s/\{1\}/id/g;
			$cell =~ s/((?:SELECT \* FROM )?\w+\([^)]*\))/`$1`/g;
			$cell =~ s/\|/\\|/g;
		}
		print '| ', join(' | ', "`$name`", @cells), " |\n";
	}
}
print "\n<!-- end words -->\n";

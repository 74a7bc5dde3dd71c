# The house: the sources are as the table in docs/architecture.md, section
# Floors, says.  No folder includes one that stands below it there, the name of
# what other files use begins with a prefix of its folder, what one file uses is
# static, no header declares too much, and the pure core is pure.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use PostgreSQL::Test::Utils;
use Test::More;

my $top = dirname(__FILE__) . '/../..';
my $most = 25;    # functions and variables that a header declares

# The table.

my ($floors) = slurp_file("$top/docs/architecture.md") =~ /^## Floors\n(.*?)^## /ms;
my %floor;
my %prefixes;
my %owner;
while ($floors =~ /^\| `src\/(\w+)\/` \|[^|]*\|([^|\n]*)\|$/mg)
{
	my ($folder, $cell) = ($1, $2);
	my @all = $cell =~ /`(\w+)`/g;

	$floor{$folder} = keys %floor;
	$prefixes{$folder} = join('|', @all);
	push @{ $owner{$_} }, $folder foreach @all;
}
is(join(' ', sort keys %floor), join(' ', sort keys %{ { map { basename(dirname($_)) => 1 } glob("$top/src/*/*.c") } }), 'every folder with C files is in the table')
  or diag('docs/architecture.md, section Floors');
is(join(' ', grep { @{ $owner{$_} } > 1 } sort keys %owner), '', 'no prefix belongs to two folders');

# The sources, without comments and strings; lines keep their numbers.

my %source;
my %words;
my %bare;
foreach my $file (glob("$top/src/*.[ch] $top/src/*/*.[ch]"))
{
	my $name = $file =~ s/^\Q$top\E\/src\///r;
	my $text = slurp_file($file);

	$source{$name} = $text;
	$text =~ s{("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(/\*.*?\*/)}{ defined $2 ? $2 =~ s/[^\n]//gr : '""' }gse;
	$bare{$name} = $text;
	$words{$name} = { map { $_ => 1 } $text =~ /(\w+)/g };
}
sub folder_of { return $_[0] =~ m{^(\w+)/} ? $1 : ''; }

# No climbs.

my @climbs;
foreach my $file (sort keys %source)
{
	my $from = folder_of($file);

	foreach my $header ($source{$file} =~ /^#include "([a-z_]+\/[a-z_0-9]+\.h)"/mg)
	{
		my $to = folder_of($header);

		next unless exists $floor{$to} && $from ne '' && exists $source{$header};
		push @climbs, "src/$file includes $header, which stands below it" if $floor{$to} > $floor{$from};
	}
}
is(join("\n", @climbs), '', 'no folder includes one that stands below it in the table');

# What is defined: PostgreSQL's style has the name of a function at the
# beginning of a line, and what it returns on the line before.

my %defined;
foreach my $file (grep { /\.c$/ } sort keys %bare)
{
	my $text = $bare{$file} =~ s/^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$//mgr;

	while ($text =~ /^([A-Za-z][\w \t\*]*)\n(\w+)\([^;{]*\)\s*\n\{/mg)
	{
		$defined{$2} = $file unless $1 =~ /\bstatic\b/;
	}
	while ($text =~ /^((?!return|typedef|extern|else|case|goto)[A-Za-z_][\w \t\*]*?[ \t\*])(\w+)(?:\[[^\]\n]*\])*(?: = [^;]*)?;/mg)
	{
		$defined{$2} = $file unless $1 =~ /\bstatic\b/;
	}
}
cmp_ok(scalar keys %defined, '>', 500, 'definitions are found');

my %of_sql = map { $_ => 1 } map { /PG_FUNCTION_INFO_V1\((\w+)\)/g } values %bare;
my @misnamed;
my @lonely;
foreach my $name (sort keys %defined)
{
	my $file = $defined{$name};
	my $folder = folder_of($file);

	if ($of_sql{$name})
	{
		push @misnamed, "src/$file: $name" unless $name =~ /^wa_sql_/;
		next;
	}
	next if $folder eq '' && $name =~ /^(?:_PG_init$|wa_guc_)/;
	push @misnamed, "src/$file: $name" unless $folder ne '' && $name =~ /^(?:$prefixes{$folder})/;
	push @lonely, "src/$file: $name"
	  unless (grep { /\.c$/ && $_ ne $file && $words{$_}{$name} } keys %words) || called_by_name($name);
}
is(join("\n", @misnamed), '', 'the name of what other files use begins with a prefix of its folder');
is(join("\n", @lonely), '', 'what only its own file uses is static');

# by the server, by a macro, or by a test
sub called_by_name
{
	my ($name) = @_;

	return 1 if grep { /"\Q$name\E"/ } values %source;
	return 1 if grep { $bare{$_} =~ /^#define\b(?:[^\n]*\\\n)*[^\n]*\b\Q$name\E\b/m } grep { /\.h$/ } keys %bare;
	return 1 if $name =~ /^wa_gateway_(\w+)$/ && $source{'gateway/provider.h'} =~ /^\tGATEWAY\($1\)/m;
	return scalar grep { slurp_file($_) =~ /\b\Q$name\E\b/ } glob("$top/test/unit/*.[ch]");
}

# Headers.

my @too_much;
my @undefined;
foreach my $file (grep { /\.h$/ } sort keys %bare)
{
	my @declared = $bare{$file} =~ /^extern\b[^;]*?(\w+)(?:\[[^\]]*\])?(?:\([^;]*\)[^;]*)?;/mg;

	push @too_much, "src/$file: " . @declared if @declared > $most;
	foreach my $name (@declared)
	{
		next if !exists $defined{$name};
		push @undefined, "src/$file: $name is defined in src/$defined{$name}" if folder_of($defined{$name}) ne folder_of($file);
	}
}
is(join("\n", @too_much), '', "no header declares more than $most functions and variables");
is(join("\n", @undefined), '', 'a header declares what its folder defines');

# The pure core, and differences of versions.

is(join(' ', grep { $source{$_} =~ /"(?:postgres|pg)[\w\/]*\.h"|<sys\/socket\.h>|\bpalloc|\bereport/ } grep { m{^(?:text|gateway)/} } sort keys %bare),
	'', 'text/ and gateway/ know neither PostgreSQL nor sockets');
is(join(' ', grep { $bare{$_} =~ /PG_VERSION_NUM/ } grep { !m{^pg/} } sort keys %bare), '', 'versions of PostgreSQL are told apart in pg/ only');

done_testing();

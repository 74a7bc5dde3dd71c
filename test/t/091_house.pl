# The house: the sources are as the table in docs/architecture.md, section
# Floors, says.  No folder includes one that stands below it there, the name of
# what other files use begins with a prefix of its folder, what one file uses is
# static, no header declares too much, includes are spelled in one way, and the pure core is pure.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use File::Find qw(find);
use PostgreSQL::Test::Utils;
use Test::More;

my $top = dirname(__FILE__) . '/../..';
my $most = 25;    # functions and variables that a header declares

my @roots = qw(export.h sicantik_wa.h);    # headers that belong to no folder

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
is(join(' ', grep { my $p = $_; grep { $_ ne $p && index($_, $p) == 0 && $owner{$_}[0] ne $owner{$p}[0] } keys %owner } sort keys %owner),
	'', 'and none begins another folder\'s');

# The sources, without comments and strings; lines keep their numbers.

my %source;
my %words;
my %bare;
my %top;
my @elsewhere;
find({ no_chdir => 1, wanted => sub { add_source($File::Find::name) if /\.[ch]$/ } }, "$top/src");
is(join(' ', sort @elsewhere), '', 'each source is in a folder of src/, and the headers beside them are these');

sub add_source
{
	my ($file) = @_;
	my $name = $file =~ s/^\Q$top\E\/src\///r;
	my $text = slurp_file($file);

	push @elsewhere, $name unless $name =~ m{^\w+/\w+\.[ch]$} || $name eq 'sicantik_wa.c' || grep { $name eq $_ } @roots;
	$source{$name} = $text;
	$text =~ s{("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(/\*.*?\*/)}{ defined $2 ? $2 =~ s/[^\n]//gr : '""' }gse;
	$bare{$name} = $text;
	$words{$name} = { map { $_ => 1 } $text =~ /(\w+)/g };
	$top{$name} = [ declarations($text) ];
	return;
}

# What stands at the top of a file: [ words before the names, names ] of each
# function and variable.  What is in brackets of any kind is left out first.
sub declarations
{
	my ($text) = @_;
	my @found;

	$text =~ s/^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$//mg;
	1 while $text =~ s/\[[^\[\]]*\]//g;
	1 while $text =~ s/\{[^{}]*\}/\x01/g;
	$text =~ s/\(\*\s*(\w+)\)\s*\([^()]*\)/$1/g;    # a pointer to a function
	1 while $text =~ s/\([^()]*\)/\x02/g;
	$text =~ s/=\s*\x01//g;
	foreach my $one (map { s/^\s+|\s+$//gr } $text =~ /((?:\b(?:struct|union|enum)\b\s*\w*\s*\x01|[^;\x01])*(?:;|\x01))/g)
	{
		next if $one =~ /^(?:typedef|PG_|WA_|_Static_assert|StaticAssert)/ && $one !~ /^WA_EXPORT/;
		my $function = $one =~ s/\s*\x02.*//sr;

		if ($function ne $one && $function !~ /=/)
		{
			push @found, [ $1, $2 ] if $function =~ /^(.*?)(\w+)$/s && $1 ne '';
			next;
		}
		next if $one =~ /^(?:struct|union|enum)\s+\w+;$/;
		$one =~ s/\s*=[^,;]*//g;
		push @found, [ $1, split(/\s*,[\s*]*/, $2) ] if $one =~ /^(\S.*?[\s*\x01])(\w+(?:\s*,[\s*]*\w+)*)\s*;$/s;
	}
	return @found;
}
sub folder_of { return $_[0] =~ m{^(\w+)/} ? $1 : ''; }

# No climbs, and each include is spelled in the one way in which it is seen.

my @climbs;
my @odd;
foreach my $file (sort keys %source)
{
	my $from = folder_of($file);

	while ($bare{$file} =~ /^([ \t]*#[ \t]*include\b)/mg)
	{
		my ($line) = substr($source{$file}, 0) =~ /^(?:.*\n){${\ (substr($bare{$file}, 0, $-[1]) =~ tr|\n||)}}(.*)/;
		my ($mark, $header) = $line =~ m{^#include (["<])([\w./-]+)[">](?:\s*/\*.*)?$} or push @odd, "src/$file: $line" and next;
		my $ours = exists $source{$header} || $header =~ /\.(?:c|def)$/ || $header =~ /\.\./ || $header !~ m{/} && -e "$top/src/$from/$header";

		next unless $ours;
		push @odd, "src/$file: $line"
		  if $mark eq '<' || !(exists $source{$header} || -e "$top/src/$header") || $header =~ /\.c$|\.\./;
		my $to = folder_of($header);

		push @climbs, "src/$file includes $header, which stands below it"
		  if $from ne '' && exists $floor{$to} && $floor{$to} > $floor{$from};
	}
}
is(join("\n", @odd), '', 'includes are "folder/name.h"');
is(join("\n", @climbs), '', 'no folder includes one that stands below it in the table');

# What is defined, and what a source says is defined elsewhere.

my %defined;
foreach my $file (grep { /\.c$/ } sort keys %bare)
{
	foreach my $one (@{ $top{$file} })
	{
		my ($before, @names) = @$one;

		$defined{$_} = $file foreach grep { $before !~ /\b(?:static|extern)\b/ } @names;
	}
}
is(join("\n", map { my $file = $_; map { my ($before, @names) = @$_;
				map { "src/$file: $_" } grep { $before =~ /\bextern\b/ && ($defined{$_} || '') ne $file && !/^wa_sql_/ } @names } @{ $top{$file} } }
		  grep { /\.c$/ } sort keys %top), '', 'what another file defines is declared in a header');
cmp_ok(scalar keys %defined, '>', 700, 'definitions are found');

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
	return 1 if $name =~ /^wa_compose_(\w+)$/ && $source{'compose/scenario.h'} =~ /^\tCOMPOSER\($1\)/m;
	return scalar grep { slurp_file($_) =~ /\b\Q$name\E\b/ } glob("$top/test/unit/*.[ch] $top/test/fuzz/*.c");
}

# Headers.

my @too_much;
my @undefined;
foreach my $file (grep { /\.h$/ } sort keys %bare)
{
	my @declared = map { my ($before, @names) = @$_; $before =~ /\bextern\b/ ? @names : () } @{ $top{$file} };

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

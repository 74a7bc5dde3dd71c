#!/usr/bin/perl
#
# format.pl [--check] [FILE ...]: our C files as PostgreSQL's pgindent would have
# them.  Without files: all.  With --check nothing is written; names those that
# are not so and fails.
#
# The work is done by pg_bsd_indent (Debian: pg-bsd-indent, or since PostgreSQL 17
# the package with the server's headers); pgindent is a script around it, whose
# steps are here, with one more: see continue_declarations().
#
# It has to be told what is a type.  Ours are read from the sources; others stand
# in typedefs.list beside this file, one a line, sorted.
#
use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp;

my $here = dirname(abs_path($0));
chdir "$here/../..";
my $check = @ARGV && $ARGV[0] eq '--check' ? shift : '';
my $indent = find_indent() or die "pg_bsd_indent is not there: apt-get install pg-bsd-indent, or a newer postgresql-server-dev\n";
my @options = qw(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79 -lp -lpl -nip -npro -sac -tpg -ts4);
my @all = sort glob('src/*.[ch] src/*/*.[ch] test/*/*.[ch]');
my $folder = File::Temp->newdir;
my @wrong;

write_file("$folder/typedefs", join('', map { "$_\n" } types()));
foreach my $file (@ARGV ? @ARGV : @all)
{
	my $source = read_file($file);
	my $result = format_source($source, $file);

	next if $result eq $source;
	push @wrong, $file;
	write_file($file, $result) unless $check;
}
if ($check)
{
	print "$_ is not as make format would have it\n" foreach @wrong;
	printf "%d files, %d to be formatted\n", scalar @all, scalar @wrong;
	exit(@wrong ? 1 : 0);
}

sub find_indent
{
	foreach my $program (map({ "$_/pg_bsd_indent" } split /:/, $ENV{PATH}), reverse glob('/usr/lib/postgresql/*/bin/pg_bsd_indent'))
	{
		return $program if -x $program;
	}
	return;
}

sub read_file
{
	my ($name) = @_;

	open(my $file, '<', $name) or die "$name: $!\n";
	local $/;
	return <$file>;
}

sub write_file
{
	my ($name, $text) = @_;

	open(my $file, '>', $name) or die "$name: $!\n";
	print $file $text;
	close($file) or die "$name: $!\n";
	return;
}

# Names of types: those of the list, and what our sources define.
sub types
{
	my %type = map { $_ => 1 } grep { /^\w+$/ } split /\n/, read_file("$here/typedefs.list");

	foreach my $file (@all)
	{
		my $source = read_file($file) =~ s{/\*.*?\*/}{}gsr;

		$type{$1} = 1 while $source =~ /^typedef\s[^;{(]*?\b(\w+)(?:\[\w+\])?;/mg;
		$type{$1} = 1 while $source =~ /^\}\s*(\w+);/mg;
		$type{$1} = 1 while $source =~ /^typedef\s[^;({]*?\(\*(\w+)\)\s*\(/mg;
		$type{$1} = 1 while $source =~ /^typedef\s+(?:struct|enum|union)\s+(\w+)/mg;
	}
	return sort keys %type;
}

sub format_source
{
	my ($source, $file) = @_;

	# comments with a line of dashes stay as they are
	$source =~ s!/\* +---!/*---X_X!g;
	write_file("$folder/file.c", $source);
	my $said = `cd $folder && $indent @options -Utypedefs file.c 2>&1`;
	die "$file: $said\n" if $? || $said ne '';
	$source = read_file("$folder/file.c");
	$source =~ s!/\*---X_X!/* ---!g;
	# run-together comments
	$source =~ s!\*/(/\*.*\*/)$!*/\t$1!gm;
	# a single space before the star of a function's result
	$source =~ s!^([A-Za-z_]\S*)[ \t]+\*$!$1 *!gm;
	# no empty line between a table's type and its rows
	$source =~ s!^(\}\t+\w+(?:\[\w*\])+ =\n)\n\{!$1\{!gm;
	return continue_declarations($source);
}

# The lines with which a declaration's value goes on stand as far left as the
# declaration; we give them a tab.
sub continue_declarations
{
	my @lines = split /^/, $_[0];

	for (my $i = 0; $i < $#lines; $i++)
	{
		my ($tabs) = $lines[$i] =~ /^(\t+)(?!return\b)\w[\w \t*]*?[ \t*]\w+(?:\[\w*\])* =(?: .*[^;,{}\s])?$/ or next;

		next unless $lines[ $i + 1 ] =~ /^$tabs[^\t{}]/;
		while (++$i < $#lines)
		{
			$lines[$i] = "\t$lines[$i]" if $lines[$i] =~ /\S/ && $lines[$i] !~ /^#/;
			last if $lines[$i] =~ /;(?:\s*\/\*.*)?$/;
		}
	}
	return join('', @lines);
}

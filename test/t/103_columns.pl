# Rows as structs: each table of columns (src/pg/columns.h) fits the tables of the
# extension, in names and types.  A statement that reads is checked when it is
# run; here those are checked that nothing happens to run, and those that write,
# where PostgreSQL would convert without a word.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $top = dirname(__FILE__) . '/../..';
my $src = "$top/src";

# What is called so in the sources is of this type.
my %type = (
	text => 'text', words => 'text', texts => 'text[]', json => 'jsonb', said => 'jsonb', int8 => 'bigint', id => 'bigint', int4 => 'integer',
	boolean => 'boolean', float8 => 'double precision', time => 'timestamp with time zone',
	state => 'text', reason => 'text', tried => 'integer');

my $node = new_cluster('main');
$node->safe_psql('postgres', 'CREATE EXTENSION sicantik_wa');
my %column = map { split /\|/ } split /\n/, $node->safe_psql('postgres', qq{
	SELECT c.relname || '.' || a.attname, format_type(a.atttypid, -1) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
	WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped});

# Columns by the name of their row type: [type, member, SQL].
my %rows;
my %text;

sub without_comments { return $_[0] =~ s{/\*.*?\*/}{}gsr; }
foreach my $file (glob("$src/*/*.c"))
{
	my $c = without_comments(slurp_file($file));

	# strings that are joined, and macros that stand for SQL
	$text{$file} = $c =~ s/"\s*\n\s*"//gr;
	while ($c =~ /^\t?static const WaColumn (\w+)\[\] = \{\n(.*?)^\t?\};\n\t?(?:static )?const WaRowType (\w+) = WA_ROW_TYPE\(\w+, \1\);/msg)
	{
		my ($name, $lines) = ($3, $2);

		if ($lines =~ /#include "(\w+\/\w+\.def)"/)
		{
			my $def = without_comments(slurp_file("$src/$1"));
			$rows{$name} = [ map { [ @$_[ 0, 1 ], $_->[2] // $_->[1] ] } map { [/^(?:KEPT|OWN)(?:_AS)?\((\w+), (\w+)(?:, "(.*)")?\)/] } grep { /^(?:KEPT|OWN)/ } split /\n/, $def ];
		}
		else
		{
			push @{ $rows{$name} }, [ $1, $2, $3 ] while $lines =~ /WA_COLUMN\(\w+, (\w+), ([\w.]+), (.*)\)/g;
		}
	}
	while ($c =~ /^WA_DEFINE_ROW\(\w+, (\w+), (\w+)\);/mg)
	{
		my ($name, $list) = ($1, $2);
		my ($lines) = $c =~ /^#define $list\(X, row\) \\\n((?:.*\\\n)*.*\n)/m;
		push @{ $rows{$name} }, [ $1, $2, $3 ] while $lines =~ /X\(row, (\w+), (\w+), (.*)\)/g;
	}
}
cmp_ok(scalar keys %rows, '>', 4, 'tables of columns are found: ' . join(', ', sort keys %rows));

sub misfit
{
	my ($what, $table, $name, $type) = @_;

	return "$what: no column wa.$table.$name" unless exists $column{"$table.$name"};
	return if $column{"$table.$name"} eq ($type{$type} // "unknown type $type");
	return "$what: wa.$table.$name is of type " . $column{"$table.$name"} . ", not $type";
}

my @misfits;
my $compared = 0;
my %used;
foreach my $file (sort keys %text)
{
	while ($text{$file} =~ /WA_STATEMENT_OF\(&(\w+),\s*"(.*?)\);\n/sg)
	{
		my ($row, $sql) = ($1, $2);
		my $what = ($file =~ s/^\Q$src\E\///r) . ", $row";
		my %alias = reverse $sql =~ /\bwa\.(\w+) AS (\w+)/g;
		my ($written) = $sql =~ /INSERT INTO wa\.(\w+) \(\{members\}/;
		my ($only) = $sql =~ /\{columns\} FROM wa\.(\w+)(?! AS)\b/;

		$used{$row} = 1;
		foreach my $c (@{ $rows{$row} })
		{
			my ($type, $name, $from) = @$c;
			my @misfit;

			if ($written)
			{
				# what is stored of it, where that is not the member, SQL says
				@misfit = $from =~ /^"?\w+"?$/ ? misfit($what, $written, $name, $type) : exists $column{"$written.$name"} ? () : "$what: no column $name";
			}
			elsif ($from =~ /^"(\w+)\.(\w+)"$/ && exists $alias{$1})
			{
				@misfit = misfit($what, $alias{$1}, $2, $type);
			}
			elsif ($from =~ /^"(\w+)"$/ && $only)
			{
				@misfit = misfit($what, $only, $1, $type);
			}
			else
			{
				next;
			}
			$compared++;
			push @misfits, grep { defined } @misfit;
		}
	}
}
is(join("\n", @misfits), '', 'each column is there, of the type that the sources say');
cmp_ok($compared, '>', 60, "so many were compared: $compared");
is(join(' ', grep { !$used{$_} } sort keys %rows), '', 'each table of columns has a statement');

# A column of wa.message is one line in SQL and one in C, unless it comes later.
my @later = qw(provider provider_message_id route route_said backoffs repeats attempts created_at sent_at delivered_at read_at failed_at pricing finished_at);
my %new = map { $_->[1] => 1 } @{ $rows{message_row} };
is(join(' ', grep { !$new{$_} } map { /^message\.(\w+)$/ && !grep({ $_ eq $1 } @later) ? $1 : () } sort keys %column), '',
	'each column of wa.message is in src/queue/message.def, or in the list here of those that come later');

$node->stop;
done_testing();

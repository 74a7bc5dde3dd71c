# The papers: what docs/reference.md says of functions, settings, views and
# tables is what a fresh database says, links lead somewhere, lines of prose are
# not too long, and README.md stays short.

use strict;
use warnings;

use Encode qw(decode);
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = dirname(__FILE__) . '/../..';

# parts($text): what stands between marks, by name
sub parts
{
	my ($text) = @_;
	my %part;

	while ($text =~ /^<!-- begin (\w+): .*? -->\n(.*?)^<!-- end (\w+) -->$/msg)
	{
		is($3, $1, "marks of $1");
		$part{$1} = $2;
	}
	return %part;
}

# The reference

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION sicantik_wa');
my ($code, $out, $err) = $node->psql('postgres', slurp_file("$top/docs/reference.sql"));
is($code, 0, 'docs/reference.sql runs') or diag($err);
my %said = (parts("$out\n"), parts(scalar `"$^X" "$top/docs/words.pl"`));
my %written = parts(slurp_file("$top/docs/reference.md"));
is(join(' ', sort keys %said), 'functions settings tables views words', 'there are five parts');
foreach my $part (sort keys %said)
{
	is($written{$part}, $said{$part}, "$part in docs/reference.md are those of the database, or the catalogue; else: make reference");
}
is( $node->safe_psql('postgres', q{SELECT string_agg(format('%s.%s', c.oid::regclass, a.attname), ' ' ORDER BY c.oid::regclass::text, a.attname)
	  FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	 WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind = 'r' AND col_description(c.oid, a.attnum) IS NULL}),
	'', 'each column of a table has a comment');

# what stands below a level is what somebody of that level, or of none, may call
$node->safe_psql('postgres', 'CREATE ROLE nobody_of_ours');
my ($for_all) = $written{functions} =~ /^### For everybody\n(.*?)^### /ms;
foreach my $name ($for_all =~ /^- `(\w+)\(/mg)
{
	my $arguments = $node->safe_psql('postgres', "SELECT string_agg('NULL::' || t::regtype, ', ' ORDER BY n) FROM pg_proc, unnest(proargtypes) WITH ORDINALITY AS a (t, n) WHERE proname = '$name'");

	unlike(($node->psql('postgres', "SET ROLE nobody_of_ours; SELECT $name($arguments)"))[2], qr/permission|must have level|level/, "$name() is for everybody");
}
unlike($written{views}, qr/^### wa\._/m, 'views of ours alone are not shown');
unlike($written{functions}, qr{https://`}, 'an address is none of our names');

# lists that are written by hand are complete
my ($settings) = ($node->psql('postgres', "SELECT wa_set('no such', 'x')"))[2] =~ /Settings are: (.*)\./;
my ($table) = slurp_file("$top/docs/reference.md") =~ /^## Office settings\n(.*?)^## /ms;
cmp_ok(scalar(split /, /, $settings), '>', 20, 'wa_set() names the settings');
is(join(' ', grep { $table !~ /^\|[^|]*`$_`[^|]*\|/m } split /, /, $settings), '', 'the reference has each setting of the office');
my $held = $node->safe_psql('postgres', q{SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_extension AS e, unnest(e.extconfig) AS t, pg_class AS c
	 WHERE e.extname = 'sicantik_wa' AND c.oid = t AND c.relkind = 'r'});
my ($dump) = slurp_file("$top/docs/operating.md") =~ /^What a dump holds:\n(.*?)^Not:/ms;
is(join(' ', sort($dump =~ /`(wa\.\w+)`/g)), join(' ', sort(split ' ', $held)), 'operating.md has each table that a dump holds');
$node->stop;

# The pages

my %page = map { s!^\Q$top\E/!!r => slurp_file($_) } glob("$top/docs/*.md"), map { "$top/$_.md" } qw(README SECURITY CONTRIBUTING);
my %anchor;
cmp_ok(length $page{'README.md'}, '<=', 15_000, 'README.md stays short');
foreach my $name (sort keys %page)
{
	my $prose = $page{$name} =~ s/^```.*?^```$//msgr;
	my %times;

	foreach my $heading ($prose =~ /^#+ (.*)$/mg)
	{
		my $slug = lc($heading) =~ s/[^\w\- ]//gr =~ tr/ /-/r;

		$anchor{"$name#$slug"} = 1;
		$times{$slug}++;
	}
	is(join(', ', grep { $times{$_} > 1 } sort keys %times), '', "$name: each heading stands once");
	is(join("\n", grep { length(decode('UTF-8', $_)) > 120 && !/^\|/ } split /\n/, $prose), '', "$name: lines of prose have at most 120 columns");
	like($page{$name}, qr/\A# \S.*\n\n\S.*\n\S.*\n/, "$name begins with what it is for");
	like($page{'README.md'}, qr/\]\(\Q$name\E\)/, "README.md leads to $name") unless $name eq 'README.md';
}
foreach my $name (sort keys %page)
{
	my @lost;

	foreach my $link ($page{$name} =~ /\]\(([^)\s]+)\)/g)
	{
		next if $link =~ /^https?:/;
		my ($path, $heading) = $link =~ /^([^#]*)#?(.*)$/;
		my $target = $path eq '' ? $name : dirname($name) eq '.' ? $path : dirname($name) . "/$path";

		$target =~ s!^docs/\.\./!!;
		push @lost, $link unless -e "$top/$target" && ($heading eq '' || $anchor{"$target#$heading"});
	}
	is(join(' ', @lost), '', "$name: all links lead somewhere");
}

done_testing();

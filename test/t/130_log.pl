# What a DBA must know is one line of the log with a SQLSTATE of its kind, by
# which pgBadger or a filter can count; of the same trouble a hundred times there
# is one line, and then how many more.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

# Each line that a process of ours writes by itself, in the sources.

my $src = dirname(__FILE__) . '/../../src';
my @without;
my $lines = 0;

foreach my $file (glob("$src/{capture,compose,deliver,feedback,pg,queue,route,worker}/*.c"))
{
	my $c = slurp_file($file);

	while ($c =~ /ereport\(WARNING,\s*((?:[^;"]|"(?:[^"\\]|\\.)*")*);/g)
	{
		my $said = $1;

		next unless $said =~ /"(sicantik_wa [^"]*)|flood\.line/;
		$lines++;
		push @without, basename($file) . ": $1" if $said !~ /errcode\(/;
	}
}
cmp_ok($lines, '>', 10, 'there are such lines');
is(join("\n", @without), '', 'each warning of a process of ours has a SQLSTATE');

# A flood.

my $node = new_cluster('main', conf => "log_line_prefix = '%e '\nlog_statement = none");
load_odoo($node, 'odoo');
load_many($node, 'odoo', 100);
$node->safe_psql('odoo', 'CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
$node->safe_psql('odoo', "SELECT wa_arm('odoo')");
$node->safe_psql('odoo', "UPDATE wa.template SET body = 'Yth. {{nobody_has_this}}' WHERE key = 'permit_ready'");
$node->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'active', permit_number = 'F/' || id WHERE registration_id LIKE 'MANY-%'");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.dead_letter ", '100'), 'of a hundred changes none can be composed');
$node->stop;
my @said = grep { /could not compose the messages of an event/ } split /\n/, slurp_file($node->logfile);
my ($more) = map { /: (\d+) more$/ } @said;
my @whole = grep { !/more$/ } @said;
is(@whole + $more, 100, 'the log tells of a hundred');
is(scalar(@said), 2, 'in two lines');
is((grep { !/^22000 WARNING:  / } @said), 0, 'which can be counted by their SQLSTATE');

done_testing();

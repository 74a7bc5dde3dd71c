# A database that is being restored: a dump fills one table after the other, and
# pg_restore --jobs in any order.  Nothing is composed before all of it is there:
# not with half of the configuration, nor without the ledger; and what was not
# read yet does not count as read, because it comes last.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
my $dir = $node->basedir;
my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f');

sub workers
{
	my ($value) = @_;

	$node->append_conf('postgresql.conf', "sicantik_wa.enabled = $value");
	$node->reload;
	return $value eq 'on' || wait_sql($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0');
}

load_odoo($node, 'odoo');
$node->safe_psql('odoo', 'CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
$node->safe_psql('odoo', "SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
$node->safe_psql('odoo', "SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
$node->safe_psql('odoo', "SELECT wa_arm('odoo')");
my $old = $node->safe_psql('odoo', "SELECT wa_send_text('0812-0000-0020', 'Yth. petugas, ini percobaan.')");
ok(wait_state($node, 'odoo', $old, 'sent'), 'a ledger with something in it');
ok(workers('off'), 'no worker');
$node->safe_psql('odoo', "UPDATE sicantik_permit SET status = 'expired' WHERE id = 2");
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", $node->connstr('odoo') ], 'a dump with a change that is not read');

# what docs/operating.md says of a dump of some schemas
foreach my $case ([ 'a schema alone has nothing of ours', qr/^(?!.*TABLE DATA wa )/s, '-n', 'wa' ],
	[ 'it has with the extension', qr/TABLE DATA wa message .*TRIGGER public sicantik_permit/s, '-n', 'public', '-e', 'sicantik_wa' ],
	[ 'and it is ours alone', qr/^(?!.*TABLE DATA public ).*TABLE DATA wa message /s, '-n', 'wa', '-e', 'sicantik_wa' ])
{
	my ($what, $wanted, @options) = @$case;

	system_or_bail('pg_dump', '-Fc', @options, '-f', "$dir/part", $node->connstr('odoo'));
	my ($part) = run_command([ 'pg_restore', '-l', "$dir/part" ]);
	like($part, $wanted, "pg_dump @options: $what");
}

# in pieces, as scripts: whoever runs them is not called pg_restore
my ($list) = run_command([ 'pg_restore', '-l', "$dir/dump" ]);
my %piece = (
	event => join("\n", grep { / TABLE DATA wa event / } split /\n/, $list),
	rest => join("\n", grep { / TABLE DATA / && !/ TABLE DATA wa event / } split /\n/, $list),
	numbers => join("\n", grep { / SEQUENCE SET / } split /\n/, $list));
foreach my $name (sort keys %piece)
{
	append_to_file("$dir/$name.list", "$piece{$name}\n");
	system_or_bail('pg_restore', '-L', "$dir/$name.list", '-f', "$dir/$name.sql", "$dir/dump");
}
system_or_bail('pg_restore', "--section=$_", '-f', "$dir/$_.sql", "$dir/dump") foreach qw(pre-data post-data);

sub restored
{
	my ($copy, @names) = @_;

	$node->command_ok([ @psql, "$dir/$_.sql", $node->connstr($copy) ], "$copy: $_ is restored") foreach @names;
	return;
}

# refused(COPY): a worker has been there, and has done nothing
sub refused
{
	my ($copy, $what) = @_;

	wait_sql($node, $copy, 'SELECT EXISTS (SELECT FROM wa.read_position) OR '
		  . "pg_read_file('" . $node->logfile . "') ~ 'sicantik_wa does nothing in this database before it is restored'");
	return is($node->safe_psql($copy, 'SELECT (SELECT count(*) FROM wa.read_position), (SELECT count(*) FROM wa.dead_letter), (SELECT count(*) FROM wa.message)'),
		'0|0|1', $what);
}

sub whole
{
	my ($copy) = @_;

	ok(wait_sql($node, $copy, "SELECT string_agg(concat_ws(' ', scenario, state, reason), ', ') FROM wa.message WHERE id <> $old", join(', ', ('status_update held copy') x 2)),
		"$copy: what was not read is composed and held");
	my $new = $node->safe_psql($copy, "SELECT wa_send_text('0812-0000-0021', 'Yth. petugas, ini percobaan.')");
	ok(wait_state($node, $copy, $new, 'held'), "$copy: no number is given twice");
	is($node->safe_psql($copy, 'SELECT (SELECT count(*) FROM wa.dead_letter), (SELECT count(*) FROM wa.event), (SELECT count(*) FROM wa.message)'), '0|0|4',
		"$copy: nothing else");
	return;
}

# pg_restore --jobs: triggers may be there before the last table

$node->safe_psql('postgres', 'CREATE DATABASE jobs TEMPLATE template0');
my $restore = SicantikWa::Session->new($node, 'jobs');
$restore->sql("SET application_name = 'pg_restore'");
workers('on');
restored('jobs', 'pre-data', 'rest', 'post-data');
refused('jobs', 'jobs: while pg_restore is connected, nothing is read');
restored('jobs', 'event', 'numbers');
is($node->safe_psql('jobs', 'SELECT count(*) FROM wa.read_position'), '0', 'jobs: until its end');
$restore->sql("SET application_name = 'psql'");
whole('jobs');

# A script: the triggers come after all data

$node->stop;
unlink $node->logfile;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE script TEMPLATE template0');
restored('script', 'pre-data', 'event', 'rest');
refused('script', 'script: before the triggers are there, nothing is composed');
restored('script', 'numbers', 'post-data');
whole('script');
is(scalar $sim->sends, 3, 'applicant and staff were told by the original alone');

done_testing();

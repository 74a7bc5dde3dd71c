# The life of launcher and workers: they start without a restart of the
# server, are in nobody's way, come back after a crash, share the pool, and
# leave when told to.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use SicantikWa::Test;

my $worker = "backend_type = 'sicantik_wa worker'";
my $launcher = "backend_type = 'sicantik_wa launcher'";

my $node = new_cluster(
	'main',
	init => { allows_streaming => 1 },
	conf => join("\n",
		'restart_after_crash = on',
		'log_min_messages = debug1',
		'sicantik_wa.worker_idle_timeout = 3600',
		'sicantik_wa.max_workers = 12'));

# Wait until a database has exactly one worker; its pid.
sub wait_worker
{
	my ($dbname) = @_;

	return undef
	  unless wait_sql($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE $worker AND datname = '$dbname'",
		'1');
	return worker_pid($dbname);
}

sub worker_pid
{
	my ($dbname) = @_;

	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE $worker AND datname = '$dbname'");
}

sub wait_no_worker
{
	my ($dbname) = @_;

	return wait_sql($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE $worker AND datname = '$dbname'",
		'0');
}

# One statement of a role; its exit code.
sub as_role
{
	my ($role, $sql) = @_;
	my ($code, $out, $err) =
	  $node->psql('postgres', $sql, extra_params => [ '-U', $role ]);

	diag("$sql: $err") if $code != 0 && $role ne 'stranger';
	return $code;
}

# What Odoo does before it copies, renames or drops a database.
sub terminate_all
{
	my ($dbname) = @_;

	return as_role('odoo',
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		  . "WHERE datname = '$dbname' AND pid <> pg_backend_pid()");
}

sub change_setting
{
	my ($name, $value) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET $name = $value");
	$node->reload;
	return;
}

sub create_served
{
	my ($dbname) = @_;

	$node->safe_psql('postgres',
		"CREATE DATABASE $dbname OWNER odoo TEMPLATE template0");
	$node->safe_psql($dbname, 'CREATE EXTENSION sicantik_wa');
	return;
}

# Let the launcher make one more pass (a change of any role wakes it), and
# wait for its end.
sub wait_launcher_pass
{
	my $from = $node->safe_psql('postgres', 'SELECT clock_timestamp()');

	$node->safe_psql('postgres', 'ALTER ROLE stranger CREATEDB');
	return wait_sql(
		$node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE $launcher "
		  . "AND state = 'idle' AND state_change > '$from'",
		'1');
}

# In which databases workers have started, in the order of the log.
sub started_databases
{
	my ($from) = @_;
	my $log = substr(slurp_file($node->logfile), $from);

	return map {
		$node->safe_psql('postgres',
			"SELECT datname FROM pg_database WHERE oid = $_")
	} $log =~ /sicantik_wa worker for database (\d+) started/g;
}

sub log_count
{
	my ($pattern, $from) = @_;
	my $log = substr(slurp_file($node->logfile), $from || 0);
	my @found = $log =~ /$pattern/g;

	return scalar @found;
}

$node->safe_psql('postgres', 'CREATE ROLE odoo LOGIN CREATEDB');
$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN CREATEDB');

# Start

ok( wait_sql(
		$node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE $launcher", '1'),
	'the launcher runs');
is( $node->safe_psql('postgres',
		"SELECT datname IS NULL FROM pg_stat_activity WHERE $launcher"),
	't',
	'it is connected to no database');

create_served('a');
ok(wait_worker('a'), 'CREATE EXTENSION brings a worker without restart');
create_served('b');
ok(wait_worker('b'), 'another database has its own');
ok($node->safe_psql('a', 'SELECT count(*) > 0 FROM wa_setup()') eq 't',
	'wa_setup() beside a running worker');
is( $node->safe_psql('postgres',
		"SELECT string_agg(DISTINCT usename, ',') FROM pg_stat_activity WHERE $worker"),
	'odoo',
	'workers are connected as the owner of their database');
ok(wait_sql($node, 'postgres',
		"SELECT count(*) FROM pg_locks l JOIN pg_stat_activity s USING (pid) "
		  . "WHERE $worker AND locktype = 'relation'",
		'0'),
	'an idle worker holds no lock on a relation');

# A rolled back CREATE EXTENSION is none.

$node->safe_psql('postgres', 'CREATE DATABASE r OWNER odoo');
$node->safe_psql('r', 'BEGIN; CREATE EXTENSION sicantik_wa; ROLLBACK');
ok(wait_no_worker('r'), 'no worker stays where the extension is not');

# DROP, RENAME, copy, move while a worker is connected

is(as_role('odoo', 'CREATE DATABASE copy TEMPLATE a'),
	0, 'copy a database with a worker inside');
ok(wait_worker('copy'), 'the copy gets a worker');
is(as_role('odoo', 'ALTER DATABASE copy RENAME TO renamed'), 0, 'rename');
is(as_role('odoo', 'DROP DATABASE renamed'), 0, 'drop right after');
ok(wait_worker('a'), 'the worker comes back after the copy');
is(as_role('odoo', 'ALTER DATABASE a RENAME TO a2'), 0, 'rename it');
ok(wait_worker('a2'), 'the worker comes back under the new name');

is(terminate_all('a2'), 0, "the owner may end its database's worker");
is(as_role('odoo', 'CREATE DATABASE copy TEMPLATE a2'), 0,
	'copy after pg_terminate_backend');
ok(wait_worker('a2'), 'the worker comes back');
is(terminate_all('a2'), 0, 'end it again');
is(as_role('odoo', 'ALTER DATABASE a2 RENAME TO a'), 0,
	'rename after pg_terminate_backend');
ok(wait_worker('copy'), 'the copy has a worker');
is(terminate_all('copy'), 0, 'end it');
is(as_role('odoo', 'DROP DATABASE copy'), 0,
	'drop after pg_terminate_backend');

ok(wait_worker('a'), 'the worker comes back');
my $space = PostgreSQL::Test::Utils::tempdir('space');
$node->safe_psql('postgres', "CREATE TABLESPACE moved LOCATION '$space'");
is(as_role($node->safe_psql('postgres', 'SELECT current_user'),
		'ALTER DATABASE a SET TABLESPACE moved'),
	0, 'move a database with a worker inside');
ok(wait_worker('a'), 'the worker comes back');
is(as_role($node->safe_psql('postgres', 'SELECT current_user'),
		'ALTER DATABASE a SET TABLESPACE pg_default'),
	0, 'move it back');
$node->safe_psql('postgres', 'DROP TABLESPACE moved');
is(as_role($node->safe_psql('postgres', 'SELECT current_user'),
		'DROP DATABASE b WITH (FORCE)'),
	0, 'DROP DATABASE with FORCE');

my $failed = 0;
for my $i (1 .. 8)
{
	$node->safe_psql('postgres', 'CREATE DATABASE young OWNER odoo');
	$node->safe_psql('young', 'CREATE EXTENSION sicantik_wa');
	$failed++
	  if as_role('odoo',
		$i % 2
		? 'DROP DATABASE young'
		: 'ALTER DATABASE young RENAME TO older') != 0;
	as_role('odoo', 'DROP DATABASE IF EXISTS older');
}
is($failed, 0, 'drop and rename while the worker is just starting');

# Only who owns the database may send its worker away.

my $pid = wait_worker('a');
ok(as_role('stranger', 'DROP DATABASE a') != 0, 'a stranger may not drop');
ok(as_role('stranger', 'CREATE DATABASE mine TEMPLATE a') != 0, 'nor copy');
is(worker_pid('a'), $pid, 'and the worker is still the same');

# The extension goes and comes

$node->safe_psql('a', 'SELECT * FROM wa_setup(); DROP EXTENSION sicantik_wa CASCADE');
ok(wait_no_worker('a'), 'DROP EXTENSION sends the worker away');
$node->safe_psql('a', 'CREATE EXTENSION sicantik_wa');
ok(wait_worker('a'), 'CREATE EXTENSION brings it back');

# Settings

my $pid_before = worker_pid('a');
change_setting('sicantik_wa.enabled', 'off');
ok(wait_no_worker('a'), 'enabled = off: it leaves');
change_setting('sicantik_wa.enabled', 'on');
ok(wait_worker('a'), 'enabled = on: it comes back');
isnt(worker_pid('a'), $pid_before, 'as another process');

$node->safe_psql('postgres', $_)
  foreach (
	'ALTER DATABASE a SET default_transaction_read_only = on',
	"ALTER DATABASE a SET default_transaction_isolation = 'serializable'",
	"ALTER ROLE odoo IN DATABASE a SET search_path = 'nowhere'");
my $offset = -s $node->logfile;
change_setting('sicantik_wa.enabled', 'off');
ok(wait_no_worker('a'), 'away');
change_setting('sicantik_wa.enabled', 'on');
ok(wait_worker('a'), 'it works in a read-only, serializable database');
is(log_count(qr/sicantik_wa worker.*ERROR:/, $offset), 0, 'without an error');
$node->safe_psql('postgres', $_)
  foreach (
	'ALTER DATABASE a RESET ALL',
	'ALTER ROLE odoo IN DATABASE a RESET ALL');

# An owner who may not log in

$node->safe_psql('postgres', 'CREATE ROLE boss NOLOGIN');
$offset = -s $node->logfile;
$node->safe_psql('postgres', 'ALTER DATABASE a OWNER TO boss');
ok( $node->wait_for_log(
		qr/cannot serve database "a": its owner "boss" is not permitted to log in/,
		$offset),
	'an owner without LOGIN is one line in the log');
ok(wait_no_worker('a'), 'and the worker of the former owner has left');
ok(wait_launcher_pass(), 'the launcher looks again');
is(log_count(qr/is not permitted to log in/, $offset), 1, 'one line only');
$node->safe_psql('postgres', 'ALTER ROLE boss LOGIN');
ok( wait_sql(
		$node, 'postgres',
		"SELECT usename FROM pg_stat_activity WHERE $worker AND datname = 'a'",
		'boss'),
	'ALTER ROLE LOGIN brings a worker');
$node->safe_psql('postgres', 'ALTER DATABASE a OWNER TO odoo');
ok( wait_sql(
		$node, 'postgres',
		"SELECT usename FROM pg_stat_activity WHERE $worker AND datname = 'a'",
		'odoo'),
	'a new owner: the worker reconnects as that role');

# Signals

$pid = worker_pid('a');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
my $launcher_pid = $node->safe_psql('postgres',
	"SELECT pid FROM pg_stat_activity WHERE $launcher");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher_pid)");
ok( wait_sql(
		$node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE $launcher AND pid <> $launcher_pid",
		'1'),
	'the launcher is restarted');
is(worker_pid('a'), $pid, 'its worker has lived through both');
create_served('b');
ok(wait_worker('b'), 'and the new launcher works');

# The pool

create_served('c');
ok(wait_worker('c'), 'a third database');
change_setting('sicantik_wa.max_workers', '1');
$offset = -s $node->logfile;
$node->restart;
foreach my $dbname ('a', 'b', 'c')
{
	my $oid = $node->safe_psql('postgres',
		"SELECT oid FROM pg_database WHERE datname = '$dbname'");

	ok( $node->wait_for_log(
			qr/sicantik_wa worker for database $oid started/, $offset),
		"a pool of one serves database $dbname");
}
ok( wait_sql(
		$node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE $worker", '1'),
	'and is a pool of one');

# Where something was committed goes before those that are only to be visited,
# even if it was the last one that was served.

my @served = started_databases($offset);
change_setting('sicantik_wa.enabled', 'off');
ok(wait_no_worker($_), "disabled: no worker in $_") foreach ('a', 'b', 'c');
$node->safe_psql($served[-1], 'UPDATE wa.setting SET value = value');
$offset = -s $node->logfile;
change_setting('sicantik_wa.enabled', 'on');
$node->wait_for_log(qr/(?:sicantik_wa worker for database \d+ started.*){3}/s, $offset);
is_deeply([ (started_databases($offset))[ 0 .. 2 ] ],
	[ @served[ 2, 0, 1 ] ],
	'enabled: where something waits is served first, then who has been longest without');

# No background worker slots: the launcher's own and the one of logical
# replication take all there are.

change_setting('sicantik_wa.max_workers', '12');
$node->safe_psql('postgres', 'ALTER SYSTEM SET max_worker_processes = 2');
$offset = -s $node->logfile;
$node->restart;
ok( $node->wait_for_log(
		qr/could not register a sicantik_wa worker for database \d+/, $offset),
	'exhausted worker slots are told');
ok(wait_launcher_pass(), 'the launcher looks again');
is(log_count(qr/could not register a sicantik_wa worker/, $offset),
	1, 'in one line');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET max_worker_processes');
$node->restart;
ok(wait_worker('a'), 'with slots the workers are back');

# A crash

$pid = wait_worker('c');
$offset = -s $node->logfile;
kill 'KILL', $pid;
ok($node->wait_for_log(qr/was terminated by signal 9/, $offset),
	'a worker is killed');
ok( $node->wait_for_log(
		qr/sicantik_wa launcher started; workers wait/, $offset),
	'after a crash the server gets a moment without workers');
ok( $node->poll_query_until(
		'postgres',
		"SELECT count(DISTINCT datname) FROM pg_stat_activity WHERE $worker",
		'3'),
	'then all are there again');

# Shutdown

my $begun = time();
$node->stop('fast');
# (by one that sleeps: up to a minute)
cmp_ok(time() - $begun, '<', 30, 'a fast shutdown is not held up');

# A standby

$node->start;
my $standby = SicantikWa::Node->new('standby');
$node->backup('base');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is( $standby->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sicantik%'"),
	'0',
	'nothing runs on a standby');
$standby->promote;
ok( wait_sql(
		$standby, 'postgres',
		"SELECT count(DISTINCT datname) FROM pg_stat_activity WHERE $worker",
		'3'),
	'promotion starts launcher and workers');
$standby->stop('fast');

# Not preloaded

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$node->safe_psql('postgres', 'CREATE DATABASE plain OWNER odoo');
$node->safe_psql('plain', 'CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sicantik%'"),
	'0',
	'without preload the extension works, and nothing runs');
is(as_role('odoo', 'DROP DATABASE plain'), 0, 'and nothing is in the way');
$node->stop('fast');

done_testing();

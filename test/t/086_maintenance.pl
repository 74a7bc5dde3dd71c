# Tables that are written anew under the worker's eyes: to a snapshot of before
# they look empty.  Nothing is told twice, and nothing is lost.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => 'log_min_messages = debug1');

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub logged_since
{
	my ($offset, $pattern) = @_;
	return slurp_file($node->logfile, $offset) =~ $pattern;
}

# A session of Odoo's that has just come: it does not know what is watched.
sub as_new_odoo
{
	my ($statements) = @_;
	my ($code, undef, $err) = $node->psql('odoo', $statements,
		connstr => $node->connstr('odoo') . ' user=odoo', on_error_stop => 1);

	diag($err) if $code != 0;
	return $code;
}

my $read = "SELECT $ALL_READ";

load_odoo($node, 'odoo');
load_many($node, 'odoo', 60);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 20");
sql("SELECT wa_arm('odoo')");
my @permits = split /\n/, sql("SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id");
my $told = 0;
my $logfile = $node->logfile;

# The position is the one on which a week of events hangs.  (Changes of status:
# nothing else keeps them from being told again.)
foreach (1 .. 5)
{
	my $permit = shift @permits;

	sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $permit");
	$told++;
}
ok(wait_sql($node, 'odoo', $read), 'five changes are read');

# Every table, the same way: locked, emptied and filled again in one
# transaction, while the worker has something to do.
my $dba = SicantikWa::Session->new($node, 'odoo');
my $odoo = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
my @tables = split /\n/,
  sql("SELECT relname FROM pg_class WHERE relnamespace = 'wa'::regnamespace AND relkind = 'r'"
	  . " ORDER BY relname <> 'position', relname");
cmp_ok(scalar @tables, '>', 20, 'there are many');
foreach my $table (@tables)
{
	my $permit = shift @permits;
	my $offset = -s $logfile;
	my $update = "UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $permit";

	$dba->do("BEGIN; LOCK TABLE ONLY wa.$table IN ACCESS EXCLUSIVE MODE;"
		  . " CREATE TEMP TABLE copy ON COMMIT DROP AS TABLE ONLY wa.$table");
	if ($table =~ /^watch/)
	{
		is(as_new_odoo($update), 0, "wa.$table is being written anew: a new session's write goes on");
	}
	else
	{
		$odoo->do($update);
		is($odoo->err, '', "wa.$table is being written anew: Odoo's write goes on");
	}
	# until the worker has met the lock, or waits for it with its snapshot in its
	# hand, which lasts 0.2 s
	$dba->do("DO 'BEGIN FOR i IN 1 .. 18000 LOOP"
		  . " IF EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = ''wa.$table''::regclass)"
		  . " OR pg_read_file(''$logfile'', $offset, 10000000) LIKE ''%table wa.$table is locked, coming back%''"
		  . " THEN RETURN; END IF; PERFORM pg_sleep(0.01); END LOOP; RAISE ''the worker does not look at it''; END';"
		  . " TRUNCATE ONLY wa.$table; INSERT INTO wa.$table OVERRIDING SYSTEM VALUE TABLE copy; COMMIT");
	is($dba->err, '', 'the table is written anew');
	$told++;
}
$odoo->close;
ok(wait_sql($node, 'odoo', $read), 'all of it is read');
ok(wait_sql($node, 'odoo', "SELECT count(*) >= $told FROM wa.message WHERE scenario IS NOT NULL AND state = 'sent'"), 'and sent');
is(sql("SELECT count(*) || ' ' || count(DISTINCT res_id) FROM wa.message WHERE scenario IS NOT NULL"),
	"$told $told", 'one message for each permit');
is(scalar $sim->accepted, $told, 'and the provider got each once');
is(sql('SELECT count(*) FROM wa.capture_gap'), '0', 'no change was dropped');
ok(!logged_since(0, qr/lock timeout|deadlock detected/), 'nobody has waited for a lock');

# A lock that stays is told once.
my $offset = -s $node->logfile;
my $permit = shift @permits;
$dba->do('BEGIN; LOCK TABLE wa.announced IN ACCESS EXCLUSIVE MODE');
sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $permit");
ok($node->wait_for_log(qr/LOG:  sicantik_wa waits: table "wa.announced" is locked/, $offset), 'a lock that stays is told in the log');
$dba->do('ROLLBACK');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $permit", '1'), 'then it goes on');
my @said = slurp_file($node->logfile, $offset) =~ /sicantik_wa waits: table/g;
is(scalar @said, 1, 'once');

# Most locks last some milliseconds (VACUUM gives pages back): it comes again
# soon, and later not so often.
$dba->do(<<'SQL');
CREATE FUNCTION pg_temp.rounds() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT rounds FROM wa.stat_worker';
-- seconds from one round to the n-th after it
CREATE FUNCTION pg_temp.took(one bigint, n int) RETURNS double precision LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	began timestamptz;
BEGIN
	FOR i IN 1 .. 60000 LOOP
		IF began IS NULL AND pg_temp.rounds() >= one THEN
			began := clock_timestamp();
		END IF;
		IF pg_temp.rounds() >= one + n THEN
			RETURN extract(epoch FROM clock_timestamp() - began);
		END IF;
		PERFORM pg_sleep(0.001);
	END LOOP;
	RAISE 'the worker does not come again';
END $$;
SQL
$offset = -s $node->logfile;
$permit = shift @permits;
$dba->do('BEGIN; LOCK TABLE wa.announced IN ACCESS EXCLUSIVE MODE');
my $rounds = $dba->do('SELECT pg_temp.rounds()');
sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $permit");
my $first = $dba->do("SELECT pg_temp.took($rounds + 1, 5)");
ok($node->wait_for_log(qr/sicantik_wa waits: table "wa.announced" is locked/, $offset), 'the lock stays');
my $later = $dba->do('SELECT pg_temp.took(pg_temp.rounds() + 1, 8)');
$dba->do('ROLLBACK');
cmp_ok($first * 4, '<', $later, "five tries soon after one another ($first s), later eight do not come so soon ($later s)");
cmp_ok($later, '>', 1, 'nothing is tried all the time');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $permit", '1'), 'and then it goes on');

# What a person calls in a transaction with one snapshot for all (Odoo's are
# such) must not believe an empty table either.
my $person = SicantikWa::Session->new($node, 'odoo');
foreach my $case (
	[ 'identity', "SELECT wa_arm('odoo')" ],
	[ 'template', "SELECT wa_explain('permit_ready', 10)" ],
	[ 'setting', 'SELECT FROM wa_setup()' ],
	[ 'access', "SELECT wa_send_text('0812-3456-7801', 'halo')" ])
{
	my ($table, $call) = @$case;

	$person->do('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	sql("BEGIN; CREATE TEMP TABLE copy ON COMMIT DROP AS TABLE wa.$table; TRUNCATE wa.$table; INSERT INTO wa.$table TABLE copy; COMMIT");
	$person->do($call);
	like($person->err, qr/could not serialize access because table "wa\.$table" was rewritten/, "$call: wa.$table was written anew");
	$person->do("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ; $call; COMMIT");
	is($person->err =~ /ERROR/ ? $person->err : '', '', 'the next transaction succeeds');
}
is(sql("SELECT count(*) FROM wa.message WHERE state = 'held'"), '0', 'nobody takes this database for a copy');

# The sequence of events at its end: Odoo's write goes on, and is told.
$offset = -s $node->logfile;
$permit = shift @permits;
$node->safe_psql('odoo', "SELECT setval('wa.event_id_seq', 9223372036854775807)",
	connstr => $node->connstr('odoo') . ' user=odoo');
is(as_new_odoo("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $permit"),
	0, 'the sequence is at its end: the write succeeds');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $permit AND state = 'sent'", '1'), 'and is told');
ok(logged_since($offset, qr/numbers events by the clock/), 'the log says so');
my $finding = "SELECT what_to_do FROM wa_check() WHERE item = 'log: event numbers' AND state <> 'ok'";
my ($cure) = slurp_file($node->logfile, $offset) =~ /HINT:  (SELECT setval\(.*\));/;
like(sql($finding), qr/\Q$cure\E/, 'and so does wa_check()');
sql($cure);
is(sql($finding), '', 'until it is mended');
$permit = shift @permits;
sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $permit");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $permit AND event_id < 1000000", '1'), 'the hint mends it');
is(sql('SELECT count(*) FROM wa.capture_gap'), '0', 'no change was dropped');

# Events put aside travel with a backup, each once.
$dba->do('BEGIN; LOCK TABLE ONLY wa.event IN ACCESS EXCLUSIVE MODE');
as_new_odoo("UPDATE sicantik_permit SET status = 'expired' WHERE id = " . shift @permits);
$dba->do('COMMIT');
ok(wait_sql($node, 'odoo', $read), 'an event of the other table is read');
is(sql('SELECT count(*) > 0 FROM ONLY wa.event_aside'), 't', 'it is there');
sql("UPDATE wa.event SET at = now() - interval '8 days'");
$node->append_conf('postgresql.conf', 'sicantik_wa.enabled = off');
$node->reload;
ok(wait_sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0'), 'the worker rests');
$dba->do('BEGIN; LOCK TABLE ONLY wa.event IN ACCESS EXCLUSIVE MODE');
as_new_odoo("UPDATE sicantik_permit SET status = 'expired' WHERE id = " . shift @permits);
$dba->do('COMMIT');
sql("UPDATE sicantik_permit SET status = 'expired' WHERE id = " . shift @permits);
foreach my $form ([], ['--inserts'])
{
	my $copy = 'copy' . scalar @$form;
	my $file = $node->basedir . "/$copy.sql";

	command_ok([ 'pg_dump', '-d', $node->connstr('odoo'), '-f', $file, @$form ], "pg_dump @$form");
	$node->safe_psql('postgres', "CREATE DATABASE $copy OWNER odoo TEMPLATE template0");
	command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', File::Spec->devnull, '-d', $node->connstr($copy), '-f', $file ], 'restored');
	is($node->safe_psql($copy, 'SELECT (SELECT count(*) FROM ONLY wa.event), (SELECT count(*) FROM wa.event_aside)'),
		'1|1', 'unread events travel with it, each in its table');
	is($node->safe_psql($copy, 'SELECT count(*) = (SELECT count(*) FROM wa.watch) FROM wa.watch_copy'), 't',
		'what is watched is known twice');
}

# Both tables are purged.
$node->append_conf('postgresql.conf', 'sicantik_wa.enabled = on');
$node->reload;
ok(wait_sql($node, 'odoo', $read), 'the worker goes on');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.event WHERE at < now() - interval '7 days'", '0'), 'old events go, from both tables');

# Somebody goes from one table to the other all the time, and never has both.
$node->append_conf('postgresql.conf', 'sicantik_wa.enabled = off');
$node->reload;
ok(wait_sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0'), 'the worker rests once more');
my $changes = 20_000;
my $events = 'SELECT count(*) FROM wa.event';
my $before = sql($events);
sql('CREATE TABLE over (a int)');
$dba->begin("DO \$\$ BEGIN WHILE NOT EXISTS (SELECT FROM over) LOOP LOCK TABLE ONLY wa.event IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(0.0002); COMMIT;"
	  . " LOCK TABLE wa.event_aside IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(0.0002); COMMIT; END LOOP; END \$\$");
ok(wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM pg_locks WHERE relation::regclass::text LIKE 'wa.event%' AND mode = 'AccessExclusiveLock'"), 'he is at it');
is(as_new_odoo("DO \$\$ BEGIN FOR i IN 1 .. $changes LOOP UPDATE sicantik_permit SET status = CASE i % 2 WHEN 0 THEN 'draft' ELSE 'submitted' END"
	  . " WHERE id = $permits[0]; COMMIT; END LOOP; END \$\$"), 0, 'and one permit is changed, again and again');
sql('INSERT INTO over VALUES (1)');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %LOCK TABLE%' AND state = 'active' AND pid <> pg_backend_pid()", '0'), 'both are done');
is(sql($events) - $before, $changes, 'each change is recorded');

# What a long wait has left behind goes back to the disk, in the tables of work.
foreach my $table ([ ready => 'message_id' ], [ due => 'message_id, due_at' ])
{
	my ($name, $columns) = @$table;
	my $size = "SELECT pg_relation_size('wa.$name')";
	my $at = $columns =~ /due_at/ ? ', now()' : '';

	sql("BEGIN; INSERT INTO wa.$name ($columns) SELECT 1000000000 + n$at FROM generate_series(1, 20000) AS n; ROLLBACK");
	cmp_ok(sql($size), '>', 500_000, "wa.$name has grown");
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	# a snapshot of autovacuum's may be older
	sql("VACUUM wa.$name") while sql($size) > 100_000 && time < $until;
	cmp_ok(sql($size), '<=', 100_000, 'and is as small as before after VACUUM');
}

$person->close;
$dba->close;
$node->stop('fast');
done_testing();

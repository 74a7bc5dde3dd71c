# Capture and its reader: whatever an application does to a watched table
# becomes, once its transaction is committed, exactly the right messages; and
# whatever happens to us, the application's write succeeds.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster(
	'main',
	simulator => $sim,
	conf => join("\n",
		'restart_after_crash = on',
		'max_prepared_transactions = 5',
		'sicantik_wa.worker_idle_timeout = 3600'));

my $worker = "backend_type = 'sicantik_wa worker'";

sub as_odoo
{
	my ($sql) = @_;
	my ($code, $out, $err) = $node->psql('odoo', $sql,
		extra_params => [ '-U', 'odoo', '-v', 'ON_ERROR_STOP=1' ]);

	diag("$sql: $err") if $code != 0;
	return $code;
}

# Wait until every committed event has been read.
# The messages about a permit: scenario, and for a change of status from what
# to what.
sub messages
{
	my ($where) = @_;

	wait_read($node, 'odoo');
	return $node->safe_psql('odoo',
			"SELECT string_agg(concat_ws(' ', scenario, params->>'status_lama', params->>'status_baru'), ', ' ORDER BY id)"
		  . " FROM wa.message WHERE res_id IN (SELECT id FROM sicantik_permit WHERE $where)");
}

sub events
{
	my ($where) = @_;

	return $node->safe_psql('odoo',
		"SELECT count(*) FROM wa.event WHERE record_id IN (SELECT id FROM sicantik_permit WHERE $where)");
}

# A fresh draft permit of its own applicant; its id.
my @drafts;
sub draft
{
	@drafts = split(/\n/, $node->safe_psql('odoo',
		"SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'"
		  . " AND status = 'draft' AND permit_number IS NULL AND write_uid = 1 ORDER BY id LIMIT 100"))
	  unless @drafts;
	return shift @drafts;
}

sub log_count
{
	my ($pattern, $from) = @_;
	my $log = substr(slurp_file($node->logfile), $from);
	my @found = $log =~ /$pattern/g;

	return scalar @found;
}

load_odoo($node, 'odoo');
load_many($node, 'odoo', 5200);
$node->safe_psql('odoo', "CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup(); SELECT wa_set('language', 'en')");
$node->safe_psql('odoo',
	"SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
is($node->safe_psql('odoo', "SELECT ok FROM wa_test_connection('fonnte')"),
	't', 'the provider is there');
no_pacing($node, 'odoo');
$node->safe_psql('odoo',
	"UPDATE wa.provider SET max_in_flight = 50; SELECT wa_arm('odoo')");

# Transactions side by side

my $odoo = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
my ($slow, $fast) = (draft(), draft());
$odoo->do("BEGIN; UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $slow");
as_odoo("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $fast");
is(messages("id = $fast"), 'status_update Draf Dibatalkan',
	'a fast transaction does not wait for a slow one');
is(messages("id = $slow"), '', 'what is not committed makes no message');
$odoo->do('COMMIT');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE res_id = $slow", '1'),
	'the slow one is not missed');
is( $node->safe_psql('odoo',
		"SELECT s.xact < f.xact FROM wa.event AS s, wa.event AS f"
		  . " WHERE s.record_id = $slow AND f.record_id = $fast"),
	't',
	'although its transaction is older than what had been read');

my $id = draft();
foreach my $status ('cancelled', 'draft', 'expired')
{
	as_odoo("UPDATE sicantik_permit SET status = '$status' WHERE id = $id");
	wait_read($node, 'odoo');
}
is( messages("id = $id"),
	'status_update Draf Dibatalkan, status_update Dibatalkan Draf, status_update Draf Kedaluwarsa',
	'one message for each transaction, in their order');

# The net change of a transaction

$id = draft();
as_odoo("BEGIN; UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id;"
	  . " UPDATE sicantik_permit SET status = 'expired' WHERE id = $id; COMMIT");
is(messages("id = $id"), 'status_update Draf Kedaluwarsa',
	'several changes in one transaction are one');
$id = draft();
as_odoo("BEGIN; UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id;"
	  . " UPDATE sicantik_permit SET status = 'draft' WHERE id = $id; COMMIT");
is(messages("id = $id") . events("id = $id"), '2', 'there and back is no news');

$id = draft();
as_odoo("UPDATE sicantik_permit SET status = 'active' WHERE id = $id");
is(messages("id = $id"), 'status_update Draf Aktif', 'a status without a number');
as_odoo("UPDATE sicantik_permit SET permit_number = '503/$id' WHERE id = $id");
is(messages("id = $id"), 'status_update Draf Aktif, permit_ready',
	'the number in a later transaction');
$id = draft();
as_odoo("UPDATE sicantik_permit SET permit_number = '503/$id' WHERE id = $id");
is(messages("id = $id"), '', 'a number without the status');
as_odoo("UPDATE sicantik_permit SET status = 'active' WHERE id = $id");
is(messages("id = $id"), 'permit_ready', 'the status in a later transaction');
$id = draft();
as_odoo("UPDATE sicantik_permit SET notes = 'x', write_date = now() WHERE id = $id;"
	  . " UPDATE sicantik_permit SET status = status, permit_number = permit_number WHERE id = $id");
is(events("id = $id"), '0', 'what is not watched or not changed makes no event');

# Triggers of others that update the same row.  "000_..." fires before ours,
# "zzz_..." after.

$node->safe_psql('odoo', q{
	SET ROLE odoo;
	CREATE FUNCTION number_it() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		UPDATE sicantik_permit SET permit_number = 'AUTO/' || NEW.id WHERE id = NEW.id;
		RETURN NULL;
	END $$;
	CREATE FUNCTION turn_it() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		UPDATE sicantik_permit SET status = 'renewed' WHERE id = NEW.id;
		RETURN NULL;
	END $$});
foreach my $name ('000_other', 'zzz_other')
{
	$node->safe_psql('odoo', qq{
		SET ROLE odoo;
		CREATE TRIGGER "$name" AFTER UPDATE ON sicantik_permit FOR EACH ROW
			WHEN (NEW.status = 'active' AND NEW.permit_number IS NULL)
			EXECUTE FUNCTION number_it();
		CREATE TRIGGER "${name}_too" AFTER UPDATE ON sicantik_permit FOR EACH ROW
			WHEN (NEW.status = 'expired') EXECUTE FUNCTION turn_it()});
	my @three = (draft(), draft(), draft());
	as_odoo("UPDATE sicantik_permit SET status = 'active' WHERE id IN (" . join(',', @three) . ')');
	is( messages('id IN (' . join(',', @three) . ')'),
		'permit_ready, permit_ready, permit_ready',
		"trigger $name sets the number");
	$id = draft();
	as_odoo("UPDATE sicantik_permit SET status = 'expired' WHERE id = $id");
	is(messages("id = $id"), 'status_update Draf Diperpanjang',
		"trigger $name changes the status again");
	is( $node->safe_psql('odoo',
			"SELECT string_agg(new[array_position(columns, 'status')], ' ' ORDER BY command) FROM wa.event WHERE record_id = $id"),
		'expired renewed',
		'command ids tell the order');
	$node->safe_psql('odoo',
		qq{DROP TRIGGER "$name" ON sicantik_permit; DROP TRIGGER "${name}_too" ON sicantik_permit});
}

# Subtransactions

$id = draft();
my $other = draft();
as_odoo("BEGIN; SAVEPOINT a; UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id; ROLLBACK TO a;"
	  . " UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $other; RELEASE a; COMMIT");
is(messages("id = $id"), '', 'a savepoint that was rolled back');
is(messages("id = $other"), 'status_update Draf Dibatalkan', 'and one that was released');

($id, $other) = (draft(), draft());
as_odoo(qq{DO \$\$ BEGIN
		BEGIN
			UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id;
			RAISE EXCEPTION 'no';
		EXCEPTION WHEN raise_exception THEN
			UPDATE sicantik_permit SET status = 'expired' WHERE id = $other;
		END;
		BEGIN
			UPDATE sicantik_permit SET status = 'active' WHERE id = $other;
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
	END \$\$});
is(messages("id = $id"), '', 'an EXCEPTION block that failed');
is(messages("id = $other"), 'status_update Draf Aktif', 'and what came after it');

# A statement that fails halfway inside a savepoint leaves gathered rows
# behind, which no later statement may write.
($id, $other) = (draft(), draft());
as_odoo(qq{BEGIN;
	CREATE FUNCTION fail_at_$other() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN
		IF NEW.id = $other THEN RAISE EXCEPTION 'no'; END IF;
		RETURN NULL;
	END \$\$;
	CREATE TRIGGER zzz_fail AFTER UPDATE ON sicantik_permit FOR EACH ROW
		EXECUTE FUNCTION fail_at_$other();
	DO \$\$ BEGIN
		UPDATE sicantik_permit SET status = 'cancelled' WHERE id IN ($id, $other);
	EXCEPTION WHEN raise_exception THEN NULL; END \$\$;
	DROP TRIGGER zzz_fail ON sicantik_permit;
	UPDATE sicantik_permit SET status = 'expired' WHERE id = $id;
	COMMIT});
is(messages("id IN ($id, $other)") . ' ' . events("id IN ($id, $other)"),
	'status_update Draf Kedaluwarsa 1', 'rows of a statement that failed are forgotten');

# More than is kept in memory, most of it in subtransactions of its own: what was rolled
# back is not written, the rest is, and memory is not eaten up meanwhile.
is($node->safe_psql('odoo', q{
	BEGIN;
	INSERT INTO sicantik_permit (registration_id, applicant_name, status, permit_number) SELECT 'OUTER-' || n, 'Warga', 'draft', 'OUTER-' || n FROM generate_series(1, 1300) AS n;
	DO $$
	DECLARE
		which integer = (SELECT max(id) FROM sicantik_permit WHERE registration_id LIKE 'OUTER-%');
	BEGIN
		FOR i IN 1 .. 6000 LOOP
			BEGIN
				UPDATE sicantik_permit SET permit_number = 'INNER-' || i || '-' || repeat('x', 400) WHERE id = which;
				IF i % 3 = 0 THEN
					RAISE EXCEPTION 'no';
				END IF;
			EXCEPTION WHEN raise_exception THEN
				NULL;
			END;
		END LOOP;
	END $$;
	SELECT max(used_bytes) BETWEEN 1 AND 2 * 1024 * 1024 FROM pg_backend_memory_contexts WHERE name = 'sicantik_wa gathered changes';
	COMMIT}), 't', 'many savepoints take little memory');
is($node->safe_psql('odoo', q{
	WITH e AS (SELECT record_id, command, old[n.o] AS old, new[n.o] AS new FROM wa.event, LATERAL (SELECT array_position(columns, 'permit_number') AS o) AS n
		WHERE relation = 'public.sicantik_permit')
	SELECT (SELECT count(*) FROM e WHERE new LIKE 'OUTER-%'), count(*), count(DISTINCT new), count(*) FILTER (WHERE split_part(new, '-', 2)::integer % 3 = 0),
		bool_and(old = former OR former IS NULL) FROM (SELECT *, lag(new) OVER (ORDER BY command) AS former FROM e WHERE new LIKE 'INNER-%') AS i}),
	'1300|4000|4000|0|t', 'and each change of those that were released is recorded');

# As many as are kept, in savepoints that are released by their end or by the transaction's
my $several = "INSERT INTO sicantik_permit (registration_id, applicant_name, status) SELECT 'SEVERAL-' || n, 'Warga', 'draft' FROM generate_series";
as_odoo("BEGIN; SAVEPOINT a; $several(1, 1000) AS n; RELEASE a; SAVEPOINT b; $several(1001, 1999) AS n; SAVEPOINT c; $several(2000, 2010) AS n; COMMIT");
is(events("registration_id LIKE 'SEVERAL-%'"), '2010', 'released savepoints');

# What a deferred trigger does at the commit
($id, $other) = (draft(), draft());
as_odoo(qq{CREATE FUNCTION last_minute() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE sicantik_permit SET status = ''expired'' WHERE id = $other; RETURN NULL; END';
	CREATE CONSTRAINT TRIGGER last_minute AFTER UPDATE ON sicantik_permit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
		WHEN (NEW.status = 'cancelled') EXECUTE FUNCTION last_minute();
	UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id;
	DROP TRIGGER last_minute ON sicantik_permit});
is(messages("id IN ($id, $other)"), 'status_update Draf Dibatalkan, status_update Draf Kedaluwarsa', 'what a deferred trigger changes is seen');

# A change in the very transaction that sets the database up is one like any other.
load_odoo($node, 'fresh');
$node->safe_psql('fresh', q{
	BEGIN;
	CREATE EXTENSION sicantik_wa;
	SELECT FROM wa_setup();
	UPDATE sicantik_permit SET status = 'active', permit_number = '503/1', issue_date = current_date WHERE id = 1;
	COMMIT});
ok(wait_sql($node, 'fresh', "SELECT string_agg(DISTINCT state || ' ' || reason, ', ') FROM wa.message WHERE res_id = 1", 'skipped observe'), 'a change beside wa_setup() is told');
is($node->safe_psql('fresh', 'SELECT DISTINCT e.record_id FROM wa.message AS m JOIN wa.event AS e ON e.id = m.event_id'), '1', 'and kept like any other');

# Other ways to write

my $columns = 'registration_id, applicant_name, partner_id, status, permit_number, issue_date';
my $partner = $node->safe_psql('odoo',
	"SELECT partner_id FROM sicantik_permit WHERE id = " . draft());
as_odoo("INSERT INTO sicantik_permit ($columns) VALUES ('NEW-1', 'Warga', $partner, 'active', '503/NEW-1', current_date)");
is(messages("registration_id = 'NEW-1'"), 'permit_ready', 'born active with a number');
as_odoo("COPY sicantik_permit ($columns) FROM stdin;\n"
	  . join('', map { "NEW-$_\tWarga\t$partner\tactive\t503/NEW-$_\t2026-01-02\n" } 2 .. 3)
	  . "NEW-4\tWarga\t$partner\tdraft\t\\N\t\\N\n\\.\n");
is(messages("registration_id IN ('NEW-2', 'NEW-3', 'NEW-4')"),
	'permit_ready, permit_ready', 'COPY');
as_odoo("INSERT INTO sicantik_permit ($columns) VALUES ('NEW-4', 'Warga', $partner, 'active', '503/NEW-4', current_date),"
	  . " ('NEW-5', 'Warga', $partner, 'active', '503/NEW-5', current_date)"
	  . " ON CONFLICT (registration_id) DO UPDATE SET status = excluded.status, permit_number = excluded.permit_number");
is(messages("registration_id IN ('NEW-4', 'NEW-5')"),
	'permit_ready, permit_ready', 'INSERT ... ON CONFLICT DO UPDATE');
as_odoo("INSERT INTO sicantik_permit ($columns) VALUES ('NEW-6', 'Warga', $partner, 'draft', NULL, NULL);"
	  . " MERGE INTO sicantik_permit AS p USING (VALUES ('NEW-6'), ('NEW-7')) AS v (reg) ON p.registration_id = v.reg"
	  . " WHEN MATCHED THEN UPDATE SET status = 'active', permit_number = '503/NEW-6'"
	  . " WHEN NOT MATCHED THEN INSERT ($columns) VALUES (v.reg, 'Warga', $partner, 'active', '503/NEW-7', current_date)");
is(messages("registration_id IN ('NEW-6', 'NEW-7')"),
	'permit_ready, permit_ready', 'MERGE');
$id = draft();
as_odoo("SET sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id");
is(events("id = $id"), '0', 'sicantik_wa.capture = off');
($id, $other) = (draft(), draft());
as_odoo("SET default_transaction_isolation = 'serializable';"
	  . " SET search_path = nowhere; SET DateStyle = 'SQL, DMY';"
	  . " BEGIN; UPDATE public.sicantik_permit SET status = 'cancelled' WHERE id = $id; DISCARD SEQUENCES; COMMIT; DISCARD ALL;"
	  . " UPDATE public.sicantik_permit SET status = 'cancelled' WHERE id = $other");
is(messages("id IN ($id, $other)"),
	'status_update Draf Dibatalkan, status_update Draf Dibatalkan',
	'whatever the session has set');

# A prepared transaction: its commit wakes nobody, but the next wake finds it.

$id = draft();
$other = draft();
as_odoo("BEGIN; UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id; PREPARE TRANSACTION 'slow'");
as_odoo("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $other");
is(messages("id = $other"), 'status_update Draf Dibatalkan', 'beside a prepared transaction');
is(messages("id = $id"), '', 'which makes no message');
as_odoo("COMMIT PREPARED 'slow'");
as_odoo('UPDATE sicantik_permit SET status = \'cancelled\' WHERE id = ' . draft());
is(messages("id = $id"), 'status_update Draf Dibatalkan', 'until it is committed');

# A big transaction.  Observed, not sent: this is about the reader.

$node->safe_psql('odoo', 'SELECT wa_disarm()');
@drafts = ();
$id = draft();
my $many = "registration_id LIKE 'MANY-%' AND status = 'draft' AND id > $id + 100";
my $big = $node->safe_psql('odoo', "SELECT count(*) FROM sicantik_permit WHERE $many");
cmp_ok($big, '>=', 5000, 'there are enough permits');
as_odoo("BEGIN; UPDATE sicantik_permit SET permit_number = 'BIG/' || id WHERE $many;"
	  . " UPDATE sicantik_permit SET status = 'active' WHERE $many; COMMIT");
wait_read($node, 'odoo');
is( $node->safe_psql('odoo',
		"SELECT count(*) || ' ' || count(DISTINCT res_id) || ' ' || string_agg(DISTINCT scenario, ',')"
		  . " FROM wa.message WHERE res_id IN (SELECT id FROM sicantik_permit WHERE permit_number LIKE 'BIG/%')"),
	"$big $big permit_ready",
	'thousands of changes in one transaction: one message each');
ok( wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE state = 'queued'", '0'),
	'all of them are observed');
$node->safe_psql('odoo', "SELECT wa_arm('odoo')");

# We are in trouble, the application is not.

sub gaps
{
	return $node->safe_psql('odoo',
		"SELECT value || ' ' || detail FROM wa_status() WHERE item = 'capture gaps'");
}

sub gap_is_known
{
	my ($reason, $events) = @_;

	return wait_sql($node, 'odoo',
			"SELECT sum(events) || ' ' || bool_and(first_at <= last_at AND last_at <= now()"
		  . " AND first_at > now() - interval '5 minutes') FROM wa.capture_gap WHERE reason = '$reason'",
		"$events true");
}

is(gaps(), '', 'no gaps so far');
my $log = -s $node->logfile;
$id = draft();
my $dba = SicantikWa::Session->new($node, 'odoo');
# locks wa.event_aside, too, which takes the events otherwise
$dba->do('BEGIN; LOCK TABLE wa.event IN SHARE MODE');
# more than are kept: most of them cannot be recorded before the transaction is rolled back, and none is missing then
as_odoo("BEGIN; $several(3001, 4200) AS n; ROLLBACK");
is(as_odoo("SET statement_timeout = '20s'; UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id"),
	0, 'wa.event is locked: the write does not wait');
is(as_odoo("SET statement_timeout = '20s'; UPDATE sicantik_permit SET status = 'expired' WHERE id IN ($id, " . draft() . ')'),
	0, 'nor does the next one');
like(gaps(), qr/^3 events were dropped /, 'wa_status() counts what was dropped');
like($node->safe_psql('odoo', "SELECT state || ': ' || what_to_do FROM wa_check() WHERE item = 'log: capture gaps'"),
	qr/^warning: 3 /, 'so does wa_check(), before any of it is written down');
$dba->do('ROLLBACK');
ok(gap_is_known('locked', 3), 'the span of time is kept');
like(gaps(), qr/^3 events were dropped between \S+ \S+ and \S+ \S+: scan/,
	'and shown');
is(log_count(qr/could not record changes of a watched table/, $log), 1,
	'one line in the log');
is(events("id = $id"), '0', 'there is no event');
$id = draft();
as_odoo("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id");
is(messages("id = $id"), 'status_update Draf Dibatalkan', 'afterwards all is well again');

# What tells which tables are watched, to a session that does not know yet
$odoo->do('DISCARD ALL');
$node->end_sessions;
$dba->do('BEGIN; LOCK TABLE wa.watch, wa.watch_copy IN ACCESS EXCLUSIVE MODE');
is(as_odoo("SET statement_timeout = '20s'; UPDATE sicantik_permit SET status = 'expired' WHERE id = $id"),
	0, 'wa.watch is locked: the write does not wait');
$dba->do('ROLLBACK');
ok(gap_is_known('locked', 4), 'and is counted');

$log = -s $node->logfile;
$node->safe_psql('odoo', 'ALTER TABLE wa.event RENAME TO elsewhere; ALTER TABLE wa.event_aside RENAME TO aside');
$id = draft();
is(as_odoo("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id"),
	0, 'wa.event is missing: the write succeeds');
$odoo->do("UPDATE sicantik_permit SET status = 'expired' WHERE id = $id");
is($odoo->err, '', 'in an old session too');
$node->safe_psql('odoo', 'ALTER TABLE wa.elsewhere RENAME TO event; ALTER TABLE wa.aside RENAME TO event_aside');
ok(gap_is_known('missing', 2), 'and is counted');
is(log_count(qr/could not record changes of a watched table/, $log), 1,
	'one line in the log');
$odoo->do("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id");
is(messages("id = $id"), 'status_update Kedaluwarsa Dibatalkan',
	'the table is back, the session goes on');

# A module upgrade of the application, under a session that has its tables open

$id = draft();
$odoo->do("UPDATE sicantik_permit SET notes = 'x' WHERE id = $id");
$odoo->do($_) or is($odoo->err, '', $_)
  foreach (
	"BEGIN; ALTER TABLE sicantik_permit ALTER COLUMN status TYPE varchar(40), ALTER COLUMN permit_number TYPE text,"
	  . " ALTER COLUMN partner_id TYPE bigint, ADD COLUMN sla integer DEFAULT 7",
	"UPDATE sicantik_permit SET status = 'active' WHERE id = $id",
	'COMMIT');
is(messages("id = $id"), 'status_update Draf Aktif', 'retyped columns, in the same transaction');
$odoo->do('ALTER TABLE sicantik_permit DROP COLUMN permit_number CASCADE');
is($odoo->err, '', 'DROP COLUMN ... CASCADE of a watched column');
$odoo->do("UPDATE sicantik_permit SET status = 'expired' WHERE id = $id");
is(messages("id = $id"), 'status_update Draf Aktif, status_update Aktif Kedaluwarsa',
	'the triggers are still there');
$odoo->do('ALTER TABLE sicantik_permit ADD COLUMN permit_number varchar');
$odoo->do("UPDATE sicantik_permit SET status = 'active', permit_number = '503/$id' WHERE id = $id");
like(messages("id = $id"), qr/Kedaluwarsa, permit_ready$/, 'the column comes back');
$odoo->do('ALTER TABLE sicantik_permit RENAME COLUMN status TO state');
$odoo->do("UPDATE sicantik_permit SET state = 'expired', partner_id = NULL WHERE id = $id");
is($odoo->err, '', 'renamed columns');
$odoo->do('ALTER TABLE sicantik_permit RENAME COLUMN state TO status');
wait_read($node, 'odoo');
is($node->safe_psql('odoo', 'SELECT count(*) FROM wa.dead_letter'), '0', 'nothing of it is a dead letter');

$odoo->do('SET client_min_messages = warning; CREATE TABLE permit_copy (LIKE sicantik_permit INCLUDING ALL);'
	  . ' INSERT INTO permit_copy SELECT * FROM sicantik_permit;'
	  . ' DROP TABLE sicantik_permit CASCADE; ALTER TABLE permit_copy RENAME TO sicantik_permit');
is($odoo->err, '', 'the table is replaced by a new one');
$id = draft();
$odoo->do("UPDATE sicantik_permit SET status = 'expired' WHERE id = $id");
is(events("id = $id") . $odoo->err, '0', 'which has no triggers');
is($node->safe_psql('odoo', "SELECT value FROM wa_status() WHERE item = 'watched public.sicantik_permit'"),
	'trigger missing', 'wa_status() sees it');
as_odoo('SELECT * FROM wa_setup()');
$odoo->do("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id");
is(messages("id = $id"), 'status_update Kedaluwarsa Dibatalkan', 'until wa_setup() puts them on again');

# Exactly once, though the worker is killed in the middle

my @killed = map { draft() } 1 .. 40;
my $killed = join(',', @killed);
my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { nth => 11 }, times => 1000 });
as_odoo("UPDATE sicantik_permit SET status = 'active', permit_number = 'KILL/' || id WHERE id IN ($killed)");
wait_read($node, 'odoo');
ok($sim->wait_for_sends(1, fault_id => $hold), 'some are on the wire');
my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $worker AND datname = 'odoo'");
$odoo->close;
$dba->close;
kill 'KILL', $pid;
ok($node->wait_for_log(qr/all server processes terminated; reinitializing.*ready to accept connections/s, $log),
	'the worker is killed, the server restarts');
$sim->release($hold);
$node->poll_query_until('postgres', 'SELECT true');
ok( wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE res_id IN ($killed) AND state IN ('sent', 'unknown')", '40'),
	'every message comes to an end');
is( $node->safe_psql('odoo',
		"SELECT count(DISTINCT res_id) FROM wa.message WHERE res_id IN ($killed)"),
	'40', 'there is one for each permit');
my %numbers;
$numbers{$_->{to}}++ foreach grep { ($_->{body} // '') =~ m{KILL(/|%2F)} } $sim->accepted;
cmp_ok(scalar keys %numbers, '>=', 11, 'those that the provider took');
is((grep { $_ > 1 } values %numbers), 0, 'nobody gets it twice');

# A shape of our tables that we do not know

$node->safe_psql('odoo', 'ALTER TABLE wa.event DROP COLUMN old');
is(as_odoo("UPDATE sicantik_permit SET status = 'expired' WHERE id = $id"),
	0, 'wa.event lacks a column: the write succeeds');
like(gaps(), qr/^\d+ events were dropped/, 'and is counted');
is( $node->psql('odoo', "DROP EXTENSION sicantik_wa CASCADE; UPDATE sicantik_permit SET status = 'draft' WHERE id = $id;"
		  . " CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup();"
		  . " UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $id"),
	0, 'one session loses the extension and gets it again');
is(messages("id = $id"), 'status_update Draf Dibatalkan', 'and is watched again');

$node->stop('fast');
done_testing();

# Triggers that are in their places and did not fire: wa_check() compares the
# rows that Odoo says it has written lately with what was recorded of them.  It
# tells what proves that triggers did not fire, and nothing else: most writes
# change no watched column.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use SicantikWa::Clock;
use SicantikWa::Session;
use SicantikWa::Test;

my $clock = SicantikWa::Clock->new;
my $node = new_cluster('main', start => 0);

sub set_clock { return $clock->set($_[0]); }

$clock->start($node);
load_odoo($node, 'odoo');
my $dba = SicantikWa::Session->new($node, 'odoo');
my $odoo = SicantikWa::Session->new($node, 'odoo', user => 'odoo');

sub run_in
{
	my ($session, $sql) = @_;
	my $answer = $session->do($sql);

	die "$sql: " . $session->err if $session->err =~ /ERROR/;
	return $answer;
}

sub sql { return run_in($dba, $_[0]); }
sub as_odoo { return run_in($odoo, $_[0]); }

sub check_once
{
	my ($session) = @_;

	return run_in($session || $dba,
		"SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = 'recorded public.sicantik_permit'");
}

# A table that is locked for a moment, by autovacuum, is left out.
sub check
{
	my ($session) = @_;
	my $found = '';

	for (my $i = 0; $found eq '' && $i < 10 * $PostgreSQL::Test::Utils::timeout_default; $i++)
	{
		usleep(100_000) if $i > 0;
		$found = check_once($session);
	}
	return $found;
}

# As far back as can be told; then everything counts.
sub look_back
{
	sql("UPDATE wa.watch SET attached_at = now() - interval '3 days'; UPDATE wa.identity SET stamped_at = now() - interval '4 days'");
	return;
}

my $now = "now() AT TIME ZONE 'UTC'";
my $columns = '(registration_id, applicant_name, status, create_date, write_date)';
my $new = 'gen_random_uuid()';
my $values = "($new, 'Warga', 'draft', $now, $now)";

# silent($name, $sql): nothing is told about what Odoo's role does.
# told($n, $name, $sql): the superuser does it, and so many more are told.
my $told = 0;

sub silent
{
	my ($name, $sql) = @_;

	as_odoo($sql);
	is(check(), 'ok', $name);
	return;
}

sub told
{
	my ($n, $name, $sql) = @_;

	$told += $n;
	sql($sql);
	like(check(), qr/^warning: $told records, written between \S+ \S+ and \S+ \S+, are not as they were last recorded: the triggers did not fire/, $name);
	return;
}

# What was there before wa_setup()
as_odoo("INSERT INTO sicantik_permit $columns SELECT $new, 'Warga', 'draft', $now, $now FROM generate_series(1, 30)");
sql("CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup(); SELECT wa_set('language', 'en'); SELECT wa_arm('odoo')");
# what has come until then is read as one set, and cleared
ok(wait_sql($node, 'odoo', "SELECT EXISTS (SELECT FROM wa.read_position) AND $ALL_READ", 't'), 'the worker has read for the first time');
is(check(), 'ok', 'what was imported before wa_setup()');
sql("ALTER TABLE sicantik_permit DISABLE TRIGGER USER; UPDATE sicantik_permit SET create_date = $now - interval '5 days', write_date = $now - interval '5 days';"
	  . ' ALTER TABLE sicantik_permit ENABLE TRIGGER USER');
look_back();

# What need not be told
silent('changes that were recorded', "UPDATE sicantik_permit SET status = 'cancelled', is_renewal = true, write_date = $now WHERE id = 2;"
	  . "UPDATE sicantik_permit SET is_renewal = false, permit_number = repeat('pa\xc3\xa9njang ', 3000), write_date = $now WHERE id = 3;"
	  . "UPDATE sicantik_permit SET permit_number = NULL, partner_id = NULL, write_date = $now WHERE id = 4;"
	  . "INSERT INTO sicantik_permit $columns VALUES $values");
silent('columns that are not watched, of records with and without an event', "UPDATE sicantik_permit SET notes = 'x', write_date = $now WHERE id BETWEEN 2 AND 30");
silent('times of a clock that goes wrong', "INSERT INTO sicantik_permit $columns VALUES ($new, 'Warga', 'draft', $now - interval '1 day', $now - interval '1 day'), ($new, 'Warga', 'draft', $now + interval '1 day', $now + interval '1 day');"
	  . "UPDATE sicantik_permit SET notes = 'y', write_date = $now + interval '1 day' WHERE id = 5");
silent('what was rolled back', "BEGIN; UPDATE sicantik_permit SET status = 'active', write_date = $now WHERE id = 2; ROLLBACK;"
	  . "BEGIN; SAVEPOINT s; UPDATE sicantik_permit SET status = 'expired', write_date = $now WHERE id = 2; ROLLBACK TO s; UPDATE sicantik_permit SET status = 'active', write_date = $now WHERE id = 2; COMMIT");
as_odoo("BEGIN; UPDATE sicantik_permit SET status = 'draft' WHERE id = 6");
sql("SET ROLE odoo; UPDATE sicantik_permit SET status = 'active', write_date = $now WHERE id = 7; RESET ROLE");
silent('the older transaction writes last', "UPDATE sicantik_permit SET status = 'expired', write_date = $now WHERE id = 7; COMMIT");
silent('a value of its own for each command', "BEGIN; UPDATE sicantik_permit SET status = 'a', write_date = $now WHERE id = 8; UPDATE sicantik_permit SET status = 'b' WHERE id = 8; COMMIT");
silent('another type of the same', 'ALTER TABLE sicantik_permit ALTER COLUMN is_renewal TYPE text, ALTER COLUMN status TYPE text; ALTER TABLE sicantik_permit ALTER COLUMN is_renewal TYPE boolean USING is_renewal::boolean');
silent('a bulk import that nobody is to hear of', "BEGIN; SET LOCAL sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'cancelled', write_date = $now WHERE id = 8;"
	  . "INSERT INTO sicantik_permit $columns VALUES $values; COMMIT");
$node->poll_query_until('odoo', "SELECT count(*) = 1 FROM wa.capture_gap");
is(check(), 'ok', 'also when its gap is written down');
sql("UPDATE wa.capture_gap SET reason = 'known', last_at = now()");
is(check(), 'ok', 'and known');

# The ways past the triggers
as_odoo("UPDATE sicantik_permit SET status = 'rejected', write_date = $now WHERE id IN (2, 3, 4, 9)");
sql('CREATE TABLE kept AS TABLE sicantik_permit');
as_odoo("UPDATE sicantik_permit SET status = 'expired', write_date = $now WHERE id = 9");
is(check(), 'ok', 'all is well');
sql('ALTER ROLE odoo SET session_replication_role = replica');
my $replica = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
run_in($replica, "UPDATE sicantik_permit SET status = 'draft', write_date = $now WHERE id = 2");
$replica->close;
told(1, 'a role with a setting, for a while', 'ALTER ROLE odoo RESET session_replication_role');
my $said = check();
like($said, qr/; look at them: SELECT \* FROM public\.sicantik_permit WHERE id IN \(2\); send by hand what is missing; then INSERT INTO wa\.capture_gap /, 'which, and what to do');
is( sql("SELECT value || ' <- ' || split_part(detail, ',', 1) FROM wa_status() WHERE item = 'next'"),
	sql("SELECT CASE WHEN bool_or(state = 'error') THEN (SELECT value || ' <- ' || split_part(detail, ',', 1) FROM wa_status() WHERE item = 'next')"
		  . " ELSE 'SELECT * FROM public.sicantik_permit WHERE id IN (2) <- recorded public.sicantik_permit: 1 records' END FROM wa_check()"),
	'wa_status() says the same, when it is the most serious');
told(1, 'triggers that were off for a while', "ALTER TABLE sicantik_permit DISABLE TRIGGER USER; INSERT INTO sicantik_permit $columns VALUES $values; ALTER TABLE sicantik_permit ENABLE TRIGGER USER");
told(2, 'rows that a replica copies', "ALTER TABLE sicantik_permit ALTER COLUMN create_date SET DEFAULT $now, ALTER COLUMN write_date SET DEFAULT $now; SET session_replication_role = replica;"
	  . q{COPY sicantik_permit (registration_id, applicant_name, status) FROM PROGRAM 'for i in 1 2; do echo "COPY $i,Warga,draft"; done' WITH (FORMAT csv); RESET session_replication_role});
told(1, 'a row that was copied back', 'SET session_replication_role = replica; DELETE FROM sicantik_permit WHERE id = 9; INSERT INTO sicantik_permit SELECT * FROM kept WHERE id = 9; RESET session_replication_role');
as_odoo("UPDATE sicantik_permit SET status = 'expired', write_date = $now WHERE id = 9");
told(-1, 'with its next change a record is known again', 'SELECT');
check() =~ /; then (INSERT INTO .*)$/ or die;
sql($1);
is(check(), 'ok', 'until somebody says that he knows');
$told = 0;
told(1, 'which goes for what was before', "SET session_replication_role = replica; UPDATE sicantik_permit SET permit_number = '503/1', write_date = $now WHERE id = (SELECT max(id) FROM sicantik_permit WHERE registration_id = 'LATE'); RESET session_replication_role")
  if as_odoo("INSERT INTO sicantik_permit $columns VALUES ('LATE', 'Warga', 'draft', $now, $now) RETURNING 1");
sql("INSERT INTO wa.capture_gap (first_at, last_at, events, reason) VALUES (now(), now(), 1, 'known')");
$told = 0;

# Triggers that do not fire any more: then no write is seen, whatever column it
# changes
set_clock(600);
is(check(), 'ok', 'nobody writes');
silent('columns that are not watched', "UPDATE sicantik_permit SET notes = 'z', write_date = $now WHERE id IN (10, 11, 12)");
set_clock(1200);
told(2, 'the same from one for whom they do not fire', "SET session_replication_role = replica; UPDATE sicantik_permit SET notes = 'z', write_date = $now WHERE id IN (10, 11); RESET session_replication_role");
silent('what cannot be told from other columns, when they fire again', "UPDATE sicantik_permit SET notes = 'z', write_date = $now WHERE id = 12");

# A column that came later, and one of the office's own
sql("UPDATE wa.watch SET optional = '{is_renewal}', columns = columns || '{later}' WHERE relation = 'public.sicantik_permit'");
as_odoo("INSERT INTO sicantik_permit $columns VALUES $values");
silent('a column that was not there, with a default', "ALTER TABLE sicantik_permit DROP COLUMN is_renewal, ADD COLUMN is_renewal boolean DEFAULT true, ADD COLUMN later text DEFAULT 'x'");

# Somebody is erased, and with him what was recorded of his permit
as_odoo("INSERT INTO res_partner (id, name, complete_name, type, phone, active) VALUES (7001, 'Baru', 'Baru', 'contact', '081377770001', true);"
	  . "INSERT INTO sicantik_permit (registration_id, applicant_name, partner_id, status, create_date, write_date) VALUES ('HIS', 'Baru', 7001, 'draft', $now, $now)");
$node->poll_query_until('odoo', "SELECT $ALL_READ");
cmp_ok(sql("SELECT count(*) FROM wa.event WHERE record_id = (SELECT id FROM sicantik_permit WHERE registration_id = 'HIS')"), '>', 0, 'his permit is recorded');
sql('SELECT count(*) FROM wa_forget(7001)');
is(sql("SELECT count(*) FROM wa.event WHERE record_id = (SELECT id FROM sicantik_permit WHERE registration_id = 'HIS')"), 0, 'and is not any more');
silent('what was recorded of somebody who was erased', 'SELECT');

# A large table
sql("CREATE TABLE big (id integer PRIMARY KEY, state text, create_date timestamp, write_date timestamp) WITH (fillfactor = 10, autovacuum_enabled = off);"
	  . "ALTER TABLE big OWNER TO odoo; INSERT INTO big SELECT i, repeat('x', 700), $now - interval '9 days', $now - interval '9 days' FROM generate_series(1, 2500) AS i;"
	  . "INSERT INTO wa.watch (relation, owner, columns) VALUES ('public.big', 'odoo', '{state}'); SELECT count(*) FROM wa_setup()");
look_back();
sql("SET session_replication_role = replica; INSERT INTO big VALUES (9999, 'y', $now, $now); RESET session_replication_role");
my $big = "SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = 'recorded public.big'";
like(sql($big), qr/^warning: 1 records, .*, are not as they were last recorded: .*; there may be more; look at them: /, 'of a large table the end is looked at');
as_odoo("UPDATE big SET state = 'z' WHERE id = 9999");
like(sql($big), qr/^ok: it is large, .*: to have more compared, CREATE INDEX ON public\.big \(write_date\)$/, 'which is said');
as_odoo('CREATE INDEX ON public.big (write_date)');
is(sql($big), 'ok', 'with an index all of it is');
sql("SET session_replication_role = replica; UPDATE big SET create_date = $now, write_date = $now WHERE id = 1; RESET session_replication_role");
like(sql($big), qr/^warning: 1 records, .* WHERE id IN \(1\);/, 'wherever a row stands');

# More events than are compared, and transaction ids that have got a digit more
# among them: as texts the ids would have another order
sub spend_ids
{
	my ($until) = @_;

	sql("DO 'BEGIN WHILE pg_current_xact_id() < xid8 ''$until'' LOOP COMMIT; END LOOP; END'");
	return;
}

my $more = 10**length(sql('SELECT pg_current_xact_id()'));
my $marked = sql("SELECT max(id) FROM sicantik_permit WHERE registration_id = 'LATE'");
spend_ids($more - 20);
as_odoo("INSERT INTO sicantik_permit $columns SELECT $new, 'Warga', 'draft', $now, $now FROM generate_series(1, 100)");
cmp_ok(sql('SELECT max(xact) FROM wa.event'), '<', $more, 'there are some before');
spend_ids($more);
as_odoo("UPDATE sicantik_permit SET status = 'expired', write_date = $now WHERE id = $marked");
as_odoo("INSERT INTO sicantik_permit $columns SELECT $new, 'Warga', 'draft', $now, $now FROM generate_series(1, 9950)");
$told = 0;
told(1, 'of the last 10,000 events the first', "SET session_replication_role = replica; UPDATE sicantik_permit SET status = 'cancelled', write_date = $now WHERE id = $marked; RESET session_replication_role");

# Other kinds of tables
sql('ALTER TABLE sicantik_permit DROP COLUMN write_date');
is(check_once(), '', 'a table without write_date is not compared');
sql('ALTER TABLE sicantik_permit ADD COLUMN write_date text');
is(check_once(), '', 'nor one where it is something else');

# Tables of a role whose rights the database's owner has not
load_odoo($node, 'split', owner => 'dbo', tables => 'odoo');
my $split = SicantikWa::Session->new($node, 'split');
run_in($split, "CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup(); SELECT wa_set('language', 'en'); SELECT wa_arm('split');"
	  . join('', map { "UPDATE $_ SET create_date = $now - interval '5 days', write_date = $now - interval '5 days';" } qw(sicantik_permit sicantik_document signature_workflow))
	  . "UPDATE wa.watch SET attached_at = now() - interval '3 days', columns = CASE relation WHEN 'public.sicantik_permit' THEN columns || '{notes}' ELSE columns END; UPDATE wa.identity SET stamped_at = now() - interval '4 days'");
like(run_in($split, q{SELECT string_agg(concat_ws(' ', item, state), ', ' ORDER BY item) FROM wa_check() WHERE item LIKE 'recorded %'}),
	qr/^recorded public\.sicantik_document ok, recorded public\.signature_workflow ok$/, 'a table of which a column is refused is not compared');
run_in($split, "UPDATE wa.watch SET columns = array_remove(columns, 'notes');"
	  . "SET session_replication_role = replica; INSERT INTO sicantik_permit $columns VALUES $values; RESET session_replication_role");
like(check($split), qr/^warning: 1 records/, 'the others are');

$_->close foreach $dba, $odoo, $split;
$node->stop('fast');
done_testing();

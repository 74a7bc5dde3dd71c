# Numbers of events: each once and in order, whoever draws beside us and whatever
# crashes; the application's lastval() stays its own; and where the sequence can
# give none, the write succeeds.  And what a session remembers of the table of
# events: whatever somebody does to it between two writes, they are recorded.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $node = new_cluster('main', conf => "sicantik_wa.enabled = off\nautovacuum = off\nfsync = on\nmax_prepared_transactions = 2");

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub highest { return sql('SELECT coalesce(max(id), 0) FROM wa.event WHERE id < 100000000000000'); }
sub session { return SicantikWa::Session->new($node, 'odoo', user => 'odoo'); }

load_odoo($node, 'odoo');
load_many($node, 'odoo', 400);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
my @permits = split /\n/, sql("SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id");

# change($session, $id): changes it; the number of its event, of which there is one more
my $changes = 0;
sub change
{
	my ($session, $id) = @_;

	$changes++;
	$session->sql("UPDATE sicantik_permit SET status = 'state $changes' WHERE id = $id");
	return sql("SELECT id FROM wa.event WHERE record_id = $id AND new[1] = 'state $changes'");
}

# lastval() is the application's
my $odoo = session();
$odoo->sql('CREATE TABLE own (id serial, name text); ALTER SEQUENCE own_id_seq RESTART 4242');
$odoo->sql("INSERT INTO own (name) VALUES ('a')");
$odoo->sql("UPDATE sicantik_permit SET notes = 'x', status = 'many' WHERE registration_id LIKE 'MANY-%'");
is($odoo->sql('SELECT lastval()'), 4242, "the application's lastval() is its own");
is(sql("SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || (max(id) - min(id) + 1) FROM wa.event WHERE new[1] = 'many'"), '400 400 400', 'a mass event has numbers without a gap');

# several at once, nextval() beside them
sql('CREATE TABLE drawn (id bigint); GRANT ALL ON drawn TO odoo');
my %script = (
	update => "\\set n random(0, 49)\nUPDATE sicantik_permit SET status = 'b' || random() WHERE id = (SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id OFFSET :client_id * 50 + :n LIMIT 1);\n",
	few => "UPDATE sicantik_permit SET status = 'c' || random() WHERE id IN (SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id OFFSET :client_id * 50 LIMIT 40);\n",
	nextval => "INSERT INTO drawn SELECT nextval('wa.event_id_seq') FROM generate_series(1, 3);\n");
my $folder = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::append_to_file("$folder/$_.sql", $script{$_}) foreach keys %script;
$node->command_ok([ 'pgbench', '-n', '-c', 4, '-j', 2, '-t', 150, '-U', 'odoo', '-h', $node->host, '-p', $node->port, (map { ('-f', "$folder/$_.sql") } qw(update few nextval)), 'odoo' ], 'several at once');
is(sql('SELECT count(*) - count(DISTINCT id) FROM (SELECT id FROM wa.event UNION ALL SELECT id FROM drawn) AS n'), 0, 'each number is given once');
cmp_ok(sql("SELECT count(*) FROM wa.event WHERE new[1] LIKE 'b%'"), '>', 100, 'there were many');

# what was given is not given again: rolled back, crashed, crashed after a checkpoint
my $before = change($odoo, $permits[0]);
$odoo->sql("BEGIN; INSERT INTO sicantik_permit (registration_id, applicant_name, status) SELECT 'UNDONE-' || n, 'Warga', 'draft' FROM generate_series(1, 1000) AS n; ROLLBACK");
cmp_ok(change($odoo, $permits[0]), '==', $before + 1001, 'a number that was rolled back is gone');
foreach my $checkpoint (0, 1)
{
	change($odoo, $permits[0]);
	sql('CHECKPOINT') if $checkpoint;
	$before = change($odoo, $permits[$_]) foreach 1 .. 5;
	$node->stop('immediate');
	$node->start;
	$node->end_sessions;
	is(highest(), $before, 'the server crashes' . ($checkpoint ? ' after a checkpoint' : ''));
	$odoo = session();
	cmp_ok(change($odoo, $permits[0]), '>', $before, 'the next number is a higher one');
	cmp_ok(highest() - $before, '<=', 66, 'and not much so');
}

# as its owner has made it
sql("ALTER SEQUENCE wa.event_id_seq INCREMENT 10");
$before = change($odoo, $permits[0]);
cmp_ok(change($odoo, $permits[0]), '==', $before + 10, 'another increment');
sql('ALTER SEQUENCE wa.event_id_seq INCREMENT 1 CACHE 5');
$before = change($odoo, $permits[0]);
cmp_ok(change($odoo, $permits[0]), '==', $before + 1, 'a cache');
sql('ALTER SEQUENCE wa.event_id_seq CACHE 1 RESTART 5000000');
cmp_ok(change($odoo, $permits[0]), '==', 5000000, 'a new start');
is(sql("SELECT nextval('wa.event_id_seq')"), 5000001, 'for others, too');
sql("SELECT setval('wa.event_id_seq', 6000000, false)");
cmp_ok(change($odoo, $permits[0]), '==', 6000000, 'set, and not given yet');
$before = -s $node->logfile;
sql('ALTER SEQUENCE wa.event_id_seq MAXVALUE 6000002');
cmp_ok(change($odoo, $permits[0]), '==', 6000001, 'nearly at its end');
$odoo->sql("UPDATE sicantik_permit SET status = 'two' WHERE id IN ($permits[1], $permits[2])");
is(sql("SELECT bool_and(id > 100000000000000) FROM wa.event WHERE new[1] = 'two'"), 't', 'two more do not fit: they come from the clock');
is(sql("SELECT nextval('wa.event_id_seq')"), 6000002, 'and take nothing from it');
ok($node->wait_for_log(qr/numbers events by the clock, since wa\.event_id_seq gives no numbers: it is at its end/, $before), 'the log says so');
sql('ALTER SEQUENCE wa.event_id_seq CYCLE');
cmp_ok(change($odoo, $permits[0]), '>', 100000000000000, 'nor does it begin again');
sql('ALTER SEQUENCE wa.event_id_seq NO CYCLE INCREMENT -1');
cmp_ok(change($odoo, $permits[0]), '>', 100000000000000, 'nor go down');
sql('ALTER SEQUENCE wa.event_id_seq INCREMENT 1 NO MAXVALUE');
cmp_ok(change($odoo, $permits[0]), '==', 6000003, 'it is mended');
my $other = SicantikWa::Session->new($node, 'odoo');
$other->sql('BEGIN; ALTER SEQUENCE wa.event_id_seq RESTART 7000000');
cmp_ok(change($odoo, $permits[0]), '>', 100000000000000, 'locked: from the clock');
$other->sql('COMMIT');
cmp_ok(change($odoo, $permits[0]), '==', 7000000, 'and then from where it is');

# its file is damaged
my $file = $node->data_dir . '/' . sql("SELECT pg_relation_filepath('wa.event_id_seq')");
sql('CHECKPOINT');
$odoo->close;
$other->close;
$node->end_sessions;
$node->stop;
my $whole = slurp_file($file);
# (with checksums the server itself finds the first kind)
foreach my $damage (
	[ 'its page is damaged|invalid page in block 0', substr($whole, 0, 8184) . "\xFF" x 8 ],
	[ 'its page is damaged', "\0" x 8192 ],
	[ 'invalid page in block 0', "\xFF" x 8192 ],
	[ 'could not read block', '' ])
{
	my ($why, $bytes) = @$damage;

	open(my $to, '>:raw', $file) or die $!;
	print $to $bytes;
	close($to);
	$before = -s $node->logfile;
	$node->start;
	$odoo = session();
	cmp_ok(change($odoo, $permits[0]), '>', 100000000000000, "a damaged file ($why): the write succeeds");
	$odoo->sql("BEGIN; UPDATE sicantik_permit SET status = 'x' WHERE id = $permits[1]; COMMIT");
	is($odoo->err, '', 'and nobody is told of it');
	ok($node->wait_for_log(qr/by the clock, since wa\.event_id_seq gives no numbers: (?:$why)/, $before), 'but the log');
	unlike(slurp_file($node->logfile, $before), qr/leak|PANIC|TRAP/, 'nothing is left behind');
	$odoo->close;
	$node->end_sessions;
	$node->stop('immediate');
}
{
	open(my $to, '>:raw', $file) or die $!;
	print $to $whole;
	close($to);
}
$node->start;
$odoo = session();
$before = change($odoo, $permits[0]);
cmp_ok($before, '<', 100000000000000, 'mended');

# What is remembered of the table.  Each change is found by the index, and in wa.event.
sub recorded
{
	my ($what, $table) = @_;
	my $id = change($odoo, $permits[3]);

	is(sql("SET enable_seqscan = off; SELECT string_agg(tableoid::regclass::text, ',') FROM wa.event WHERE id = $id AND xact >= (SELECT min(xact) FROM wa.event) AND xact <= (SELECT max(xact) FROM wa.event)"),
		$table || 'wa.event', $what);
	return;
}
recorded('an event');
sql('TRUNCATE wa.event');
recorded('the table has been emptied');
sql('VACUUM FULL wa.event');
recorded('written anew');
sql('REINDEX INDEX wa.event_xact_idx');
recorded('its index, too');
sql('REINDEX INDEX CONCURRENTLY wa.event_xact_idx');
recorded('beside our writes');
sql('CREATE INDEX more ON wa.event (record_id)');
recorded('another index');
is(sql("SET enable_seqscan = off; SELECT count(*) FROM ONLY wa.event WHERE record_id = $permits[3]"), 5, 'which has it');
sql('CREATE INDEX gin_more ON wa.event USING gin (new)');
recorded('one of another kind') foreach 1, 2;
is(sql("SET enable_seqscan = off; SELECT count(*) FROM ONLY wa.event WHERE new @> ARRAY['state $changes']"), 1, 'which has it, too');
sql('DROP INDEX wa.more; DROP INDEX wa.gin_more');
recorded('they have gone');
sql('ALTER TABLE wa.event RENAME TO elsewhere');
$odoo->sql("UPDATE sicantik_permit SET status = 'aside' WHERE id = $permits[3]");
sql('ALTER TABLE wa.elsewhere RENAME TO event');
is(sql("SELECT string_agg(tableoid::regclass::text, ',') FROM wa.event WHERE new[1] = 'aside'"), 'wa.event_aside', 'the table has another name');
recorded('and its own again');
sql('BEGIN; ALTER TABLE wa.event ADD COLUMN more text NOT NULL DEFAULT 7; COMMIT');
recorded('a column more');
sql('ALTER TABLE wa.event ALTER COLUMN more DROP DEFAULT');
$changes++;
$odoo->sql("UPDATE sicantik_permit SET status = 'state $changes' WHERE id = $permits[3]");
is(sql("SELECT count(*) FROM wa.event WHERE new[1] = 'state $changes'"), 0, 'one that we cannot fill: the write succeeds, and is not recorded');
sql('ALTER TABLE wa.event DROP COLUMN more');
recorded('without it');
sql('CREATE UNIQUE INDEX more ON wa.event (id)');
recorded('a unique index', 'wa.event_aside');
sql('DROP INDEX wa.more');
recorded('without it');
sql('ALTER SCHEMA wa RENAME TO elsewhere');
$odoo->sql("UPDATE sicantik_permit SET status = 'nowhere' WHERE id = $permits[3]");
sql('ALTER SCHEMA elsewhere RENAME TO wa');
is(sql("SELECT count(*) FROM wa.event WHERE new[1] = 'nowhere'"), 0, 'the schema has another name: nothing is recorded');
recorded('and its own again');
$odoo->sql('BEGIN');
recorded_in_transaction() foreach 1, 2;
sub recorded_in_transaction
{
	$changes++;
	$odoo->sql("SAVEPOINT a; UPDATE sicantik_permit SET status = 'state $changes' WHERE id = $permits[3]; ROLLBACK TO a; UPDATE sicantik_permit SET status = 'state $changes' WHERE id = $permits[4]");
	return;
}
$odoo->sql('COMMIT');
is(sql("SELECT count(*) FROM wa.event WHERE new[1] IN ('state $changes', 'state " . ($changes - 1) . "')"), 2, 'savepoints');
$odoo->close;
$node->stop;
done_testing();

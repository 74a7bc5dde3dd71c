# Every way in which changes of a watched table are not seen, though the
# the trigger may be in its place: wa_setup(), wa_status() and wa_check() find
# the same, and say what to do.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub as_odoo
{
	my ($sql, $db) = @_;
	my ($code, $out, $err) = $node->psql($db || 'odoo', $sql,
		extra_params => [ '-U', 'odoo', '-v', 'ON_ERROR_STOP=1' ]);

	die "$sql: $err" if $code != 0;
	return $out;
}

sub status
{
	my ($table, $db) = @_;

	return $node->safe_psql($db || 'odoo', "SELECT value FROM wa_status() WHERE item = 'watched public.$table'");
}

sub check
{
	my ($item, $db) = @_;

	return $node->safe_psql($db || 'odoo',
		"SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = '$item'");
}

sub setup
{
	my ($table, $db) = @_;

	return $node->safe_psql($db || 'odoo',
		"SELECT concat_ws(': ', action, detail) FROM wa_setup() WHERE item = 'table public.$table'");
}

# finds($what, $table, $value, $sentence): after $sql all three say so; then
# the statement that the sentence ends with is run, if it is told to be, and all
# is well again.
sub finds
{
	my ($name, $table, $value, $sentence, %options) = @_;
	my $said;

	is(status($table), $value, "$name: wa_status()");
	like($said = check("watched public.$table"), qr/^error: $sentence/, "$name: wa_check()");
	like(setup($table), $sentence, "$name: wa_setup()") unless $options{setup_mends};
	if (my $mend = $options{mend})
	{
		$said =~ $mend or die "no statement in: $said";
		sql($1);
	}
	sql($options{undo}) if $options{undo};
	is(status($table), 'present', "$name: mended");
	return;
}

sub events
{
	my ($where) = @_;

	return sql("SELECT count(*) FROM wa.event WHERE $where");
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql("SELECT wa_set('language', 'en')");
is(check('watched public.sicantik_permit'), 'ok', 'all is well');
is(check('capture'), 'ok', 'in general too');

# The trigger

foreach my $how ('DISABLE', 'ENABLE REPLICA')
{
	sql("ALTER TABLE sicantik_document $how TRIGGER \"00_sicantik_wa_row\"");
	finds("trigger: $how", 'sicantik_document', 'trigger disabled', qr/its trigger is disabled, so changes are not seen/,
		mend => qr/(ALTER TABLE .*)$/);
}
sql('DROP TRIGGER "00_sicantik_wa_row" ON sicantik_document');
finds('the trigger is gone', 'sicantik_document', 'trigger missing', qr/its trigger is missing/,
	setup_mends => 1, mend => qr/(SELECT \* FROM wa_setup\(\))$/);
sql('DROP TRIGGER "00_sicantik_wa_row" ON sicantik_document;
	CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON sicantik_document FOR EACH ROW WHEN (false) EXECUTE FUNCTION wa.capture()');
finds('a trigger with a condition', 'sicantik_document', 'trigger replaced', qr/it has a trigger with the name of ours that is not ours/,
	mend => qr/(DROP TRIGGER .*), then/, undo => 'SELECT * FROM wa_setup()');

# Owner and kind

sql('CREATE ROLE somebody; ALTER TABLE sicantik_document OWNER TO somebody');
finds('another owner', 'sicantik_document', 'owner changed', qr/it belongs to role somebody now, and not to odoo/,
	setup_mends => 1, undo => 'ALTER TABLE sicantik_document OWNER TO odoo; SELECT * FROM wa_setup()');
sql('ALTER TABLE signature_workflow RENAME TO kept;
	CREATE TABLE signature_workflow (id integer, state varchar, approver_id integer) PARTITION BY RANGE (id)');
finds('a partitioned table', 'signature_workflow', 'refused', qr/it is a partitioned table, and only changes of an ordinary table/,
	undo => 'DROP TABLE signature_workflow; ALTER TABLE kept RENAME TO signature_workflow');
sql('ALTER TABLE signature_workflow RENAME TO kept');
finds('no table', 'signature_workflow', 'missing', qr/there is no such table/,
	setup_mends => 1, undo => 'ALTER TABLE kept RENAME TO signature_workflow');

# Columns

sql('ALTER TABLE sicantik_permit RENAME COLUMN status TO state');
finds('a renamed column', 'sicantik_permit', 'column missing', qr/it has no column status any more/,
	undo => 'ALTER TABLE sicantik_permit RENAME COLUMN state TO status');
sql('ALTER TABLE sicantik_permit RENAME COLUMN is_renewal TO renewal');
finds('a column that not every Odoo has, and this one had', 'sicantik_permit', 'column missing', qr/it has no column is_renewal any more/,
	mend => qr/(UPDATE wa\.watch .*)$/);
like(check('watched public.sicantik_permit'), qr/^ok: this Odoo has no column is_renewal/, 'after that it is not missed, but told');
sql("ALTER TABLE sicantik_permit RENAME COLUMN renewal TO is_renewal; UPDATE wa.watch SET optional = '{}'");
sql(q{UPDATE wa.watch SET columns = '{status}' WHERE relation = 'public.sicantik_permit'});
finds('a column that is not watched', 'sicantik_permit', 'column not watched', qr/wa\.watch does not name its column permit_number/,
	setup_mends => 1, mend => qr/(SELECT \* FROM wa_setup\(\))$/);
sql(q{DELETE FROM wa.watch WHERE relation = 'public.sicantik_permit'});
like(check('watched public.sicantik_permit'), qr/^error: wa\.watch does not name it, so changes are not seen: SELECT \* FROM wa_setup\(\)$/,
	'a table that wa.watch does not name');
sql('SELECT * FROM wa_setup()');
is(check('watched public.sicantik_permit'), 'ok', 'wa_setup() writes it again');
sql('ALTER TABLE sicantik_permit RENAME COLUMN id TO number');
finds('no id', 'sicantik_permit', 'no id', qr/it has no column id of an integer type/,
	undo => 'ALTER TABLE sicantik_permit RENAME COLUMN number TO id');

# Types
sql(q{CREATE TYPE pair AS (a integer, b text);
	CREATE TABLE things (id integer PRIMARY KEY, a pair, b text);
	ALTER TABLE things OWNER TO odoo;
	INSERT INTO wa.watch (relation, owner, columns) VALUES ('public.things', 'odoo', '{a,b}')});
like(setup('things'), qr/^attached: .*; column a is of type public\.pair, which is neither/, 'a composite type: wa_setup()');
is(status('things'), 'column of a foreign type', 'wa_status()');
like(check('watched public.things'), qr/^error: column a is of type public\.pair/, 'wa_check()');
sql("CREATE TYPE colour AS ENUM ('red', 'blue'); ALTER TABLE things DROP COLUMN a, ADD COLUMN a colour");
is(status('things'), 'present', 'an enum is well');
sql("INSERT INTO things VALUES (1, 'x', 'red'); UPDATE things SET a = 'blue'");
is(sql(q{SELECT string_agg(concat(old[1], '>', new[1]), ' ' ORDER BY command, xact) FROM wa.event WHERE relation = 'public.things'}),
	'>red red>blue', 'and captured as its label');

# Rows that fire no trigger of the table
sql('CREATE TABLE old_things () INHERITS (things)');
finds('an inheritance child', 'things', 'inherited', qr/table public\.old_things inherits from it, and changes of its rows are not seen/,
	mend => qr/(ALTER TABLE .*)$/);

# Who may write wa.watch may not read other columns of the tables of somebody
# else: only those that the built-in scenarios need.
load_odoo($node, 'split', owner => 'dbo', tables => 'odoo');
$node->safe_psql('split', 'CREATE EXTENSION sicantik_wa');
$node->safe_psql('split', 'SELECT count(*) FROM wa_setup()');
$node->safe_psql('split', "SELECT wa_set('language', 'en')");
$node->safe_psql('split', q{ALTER TABLE sicantik_permit ADD COLUMN salary text DEFAULT 'secret'});
my $dbo = SicantikWa::Session->new($node, 'split', user => 'dbo');
$dbo->do(q{UPDATE wa.watch SET columns = columns || '{salary,notes}' WHERE relation = 'public.sicantik_permit'});
is($dbo->err, '', 'the owner of the database names a column of somebody else in wa.watch');
as_odoo("UPDATE sicantik_permit SET salary = 'more', status = 'cancelled' WHERE id = 2", 'split');
as_odoo("UPDATE sicantik_permit SET salary = 'even more' WHERE id = 2", 'split');
is($dbo->do("SELECT count(*) || ' ' || bool_and(new[1] = 'cancelled') || ' ' || bool_and(new[5] IS NULL) || ' ' || bool_and(old[5] IS NULL) FROM wa.event"),
	'1 true true true', 'it is not recorded, the built-in ones are');
is(status('sicantik_permit', 'split'), 'column refused', 'wa_status()');
like(check('watched public.sicantik_permit', 'split'),
	qr/^error: column salary is not recorded, because the owner of this database has no rights of role odoo, which owns the table: GRANT odoo TO dbo;/,
	'wa_check()');
my $odoo = SicantikWa::Session->new($node, 'split', user => 'odoo');
$odoo->do("UPDATE sicantik_permit SET salary = 'yet more' WHERE id = 2");
$node->safe_psql('split', 'GRANT odoo TO dbo');
$odoo->do("UPDATE sicantik_permit SET salary = 'all' WHERE id = 2");
is($dbo->do("SELECT count(*) || ' ' || max(new[5]) FROM wa.event"), '2 all',
	'with the rights of that role it is, in a session that had decided otherwise before');
is(status('sicantik_permit', 'split'), 'present', 'and all is well');
$node->safe_psql('split', 'REVOKE odoo FROM dbo');
$odoo->do("UPDATE sicantik_permit SET salary = 'less' WHERE id = 2");
is($dbo->do('SELECT count(*) FROM wa.event'), '2', 'until they are taken back');
$dbo->do(q{UPDATE wa.watch SET columns = '{status,permit_number,partner_id,is_renewal}' WHERE relation = 'public.sicantik_permit';
	INSERT INTO wa.watch (relation, owner, columns) VALUES ('public.res_users', 'odoo', '{login}')});
like(setup('res_users', 'split'), qr/^refused: wa\.watch names it, but the owner of this database has no rights of role odoo, which owns the table: GRANT odoo TO dbo$/,
	'another table of his: wa_setup()');
is(status('res_users', 'split'), 'refused', 'wa_status()');
like(check('watched public.res_users', 'split'), qr/^error: wa\.watch names it, but/, 'wa_check()');
# its owner may hang our triggers on it: that is no right of the other one
$odoo->do(q{CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON res_users FOR EACH ROW EXECUTE FUNCTION wa.capture();
	UPDATE res_users SET login = login || '.' WHERE id = 5});
is($dbo->do("SELECT count(*) FROM wa.event WHERE relation = 'public.res_users'"), '0', 'nothing of it is recorded');
$_->close foreach $dbo, $odoo;

# Settings that switch capture off where nobody looks

sub surroundings
{
	my ($name, $sql, $sentence, $mend) = @_;
	my $said;

	$node->safe_psql('odoo', $sql);
	like($said = check('capture'), qr/^error: $sentence/, "$name: wa_check()");
	like(sql("SELECT string_agg(value || ' ' || detail, '; ') FROM wa_status() WHERE item = 'capture'"), qr/^off $sentence/, "$name: wa_status()");
	like(sql("SELECT string_agg(action || ' ' || detail, '; ') FROM wa_setup() WHERE item = 'capture'"), qr/^warning $sentence/, "$name: wa_setup()");
	$said =~ $mend or die "no statement in: $said";
	sql($1);
	is(check('capture'), 'ok', "$name: mended by what wa_check() says");
	return;
}

surroundings('a role', 'ALTER ROLE odoo SET sicantik_wa.capture = off',
	qr/role odoo has the setting sicantik_wa\.capture=off, so changes that it makes are not recorded/, qr/: (ALTER ROLE odoo RESET .*)$/);
surroundings('a role in this database', 'ALTER ROLE odoo IN DATABASE odoo SET sicantik_wa.capture = 0',
	qr/role odoo has the setting sicantik_wa\.capture=0/, qr/: (ALTER ROLE odoo IN DATABASE odoo RESET .*)$/);
surroundings('the database', 'ALTER DATABASE odoo SET sicantik_wa.capture = no',
	qr/this database has the setting/, qr/: (ALTER DATABASE odoo RESET .*)$/);
surroundings('every role', 'ALTER ROLE ALL SET sicantik_wa.capture = off',
	qr/every role has the setting/, qr/: (ALTER ROLE ALL RESET .*)$/);
surroundings('a replica\'s role', 'ALTER ROLE odoo SET session_replication_role = replica',
	qr/role odoo has the setting session_replication_role=replica/, qr/: (ALTER ROLE odoo RESET .*)$/);
sql('ALTER ROLE somebody SET sicantik_wa.capture = off; ALTER ROLE odoo IN DATABASE split SET sicantik_wa.capture = off;
	ALTER ROLE odoo SET session_replication_role = origin');
is(check('capture'), 'ok', 'not a role that cannot write, another database, or a setting that does no harm');
sql('ALTER SYSTEM SET sicantik_wa.capture = off');
sql('SELECT pg_reload_conf()');
ok(wait_sql($node, 'odoo', "SELECT state || ': ' || what_to_do FROM wa_check() WHERE item = 'capture'",
		'error: the configuration of the server says sicantik_wa.capture = off, so changes are not recorded: take it out and reload the configuration'),
	'the server');
sql("ALTER SYSTEM RESET sicantik_wa.capture");
sql('SELECT pg_reload_conf()');
ok(wait_sql($node, 'odoo', "SELECT state FROM wa_check() WHERE item = 'capture'", 'ok'), 'and no more');
sql(q{ALTER FUNCTION wa.capture() SET sicantik_wa.capture = off});
like(check('capture'), qr/^error: function wa\.capture\(\) is not ours any more/, 'the function itself');
sql('ALTER FUNCTION wa.capture() RESET ALL');
is(check('capture'), 'ok', 'all is well again');
sql(q{CREATE OR REPLACE FUNCTION wa.capture() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'});
like(check('capture'), qr/a superuser says CREATE OR REPLACE FUNCTION wa\.capture\(\) RETURNS trigger/, 'and where it was replaced');
sql(check('capture') =~ s/.*a superuser says //r);
is(check('capture'), 'ok', 'what is said mends it');

sql(q{CREATE FUNCTION quiet(integer) RETURNS void LANGUAGE sql SET session_replication_role = replica AS 'SELECT'});
is(check('capture'), 'ok: changes that function public.quiet(integer) makes are not recorded, because it has the setting session_replication_role=replica', 'a function of somebody\'s is told');
sql('DROP FUNCTION quiet');

# wa_teardown() and wa_setup() keep what a scenario of the DBA's own listens to

sql(q{CREATE FUNCTION told(record_id bigint, old jsonb, new jsonb) RETURNS TABLE (partner_id bigint, number text, params jsonb)
		LANGUAGE sql STABLE AS $$SELECT 10::bigint, NULL, '{}'::jsonb$$;
	INSERT INTO wa.scenario (key, name, watch, template_key, composer) VALUES ('things', 'Things', 'public.things', 'reminder', 'public.told')});
unlike(check('scenario things'), qr/is not watched/, 'a scenario of its own listens to its table');
like(sql('SELECT string_agg(item, E\'\n\') FROM wa_teardown() WHERE action = \'detached\''), qr/^table public\.things$/m, 'wa_teardown() takes the trigger off');
is(status('things'), 'trigger missing', 'wa_status() says so');
sql("UPDATE things SET a = 'red'");
like(setup('things'), qr/^attached/, 'wa_setup() puts them on again');
sql("UPDATE things SET a = 'blue'");
is(events(q{relation = 'public.things' AND new[1] = 'red' AND old IS NOT NULL}), '0', 'what happened in between is not recorded');
is(events(q{relation = 'public.things' AND new[1] = 'blue' AND old IS NOT NULL}), '2', 'what happens then is');
sql("DELETE FROM wa.watch WHERE relation = 'public.things'");
like(check('scenario things'), qr/^error: its table public\.things is not watched: INSERT INTO wa\.watch/, 'a scenario without its watch');
sql("UPDATE wa.scenario SET watch = NULL WHERE key = 'things'");
like(check('scenario things'), qr/^error: it listens to no table/, 'and without a table');
sql("UPDATE wa.scenario SET watch = 'public.things', active = false WHERE key = 'things'");
is(check('scenario things'), 'ok: not active', 'if it is active');

$node->stop('fast');
done_testing();

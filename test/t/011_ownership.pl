# Who owns what: the database and Odoo's tables may belong to the same role or
# to different ones, superusers or not.  In every layout the messages arrive,
# and whatever one of them plants, nobody gets rights that he did not have.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster(
	'main',
	simulator => $sim,
	instance => 'test-1',
	conf => "sicantik_wa.worker_idle_timeout = 3600\nsicantik_wa.max_workers = 10");
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');
my $worker = "backend_type = 'sicantik_wa worker'";

# Statements as some role; without the place in front of a message.
sub as
{
	my ($role, $dbname, $sql) = @_;
	my ($code, $out, $err) = $node->psql($dbname, $sql,
		extra_params => [ '-U', $role, '-v', 'ON_ERROR_STOP=1' ]);

	return ($code, $out, $err);
}

sub works
{
	my ($role, $dbname, $sql, $what) = @_;
	my ($code, $out, $err) = as($role, $dbname, $sql);

	is($code, 0, $what) or diag("$sql: $err");
	return $out;
}

sub events
{
	my ($dbname) = @_;

	return $node->safe_psql($dbname, "SELECT last_value || ' ' || is_called FROM wa.event_id_seq");
}

my @layouts = (
	{ db => 'plain', owner => 'odoo', tables => 'odoo' },
	{ db => 'image', owner => 'boss', tables => 'boss', superuser => 1 },
	{ db => 'split', owner => $superuser, tables => 'odoo' },
	{ db => 'office', owner => 'office', tables => 'odoo' });

load_odoo($node, $_->{db}, owner => $_->{owner}, tables => $_->{tables},
	superuser => $_->{superuser})
  foreach @layouts;
is( $node->safe_psql('postgres',
		"SELECT string_agg(rolname || ' ' || rolsuper, ', ' ORDER BY rolname) FROM pg_roles WHERE rolname IN ('odoo', 'boss', 'office')"),
	'boss true, odoo false, office false', 'the roles are what they should be');

# Whoever owns the database creates the extension; whoever owns the tables, or
# is a superuser, attaches the triggers.

my $attached = "SELECT count(*) FROM wa_setup() WHERE item LIKE 'table %' AND action IN ('attached', 'present')";
foreach my $layout (@layouts)
{
	works($layout->{owner}, $layout->{db}, 'CREATE EXTENSION sicantik_wa',
		"$layout->{db}: CREATE EXTENSION by $layout->{owner}");
	my $done = works($layout->{owner}, $layout->{db}, $attached,
		"$layout->{db}: wa_setup() by $layout->{owner}");
	is($done, $layout->{db} eq 'office' ? '0' : '3', "$layout->{db}: attaches what he may");
}
my $out = works('office', 'office',
	"SELECT action || ' ' || detail FROM wa_setup() WHERE item = 'table public.sicantik_permit'", 'office: again');
is($out, 'refused role office is not a member of odoo, which owns the table; run wa_setup() as that role or as a superuser',
	'office: wa_setup() says who may');
like((as('odoo', 'office', $attached))[2], qr/permission denied for sicantik_wa/,
	'office: the owner of the tables needs leave');
works('office', 'office', "SELECT wa_grant('odoo', 'admin')", 'office: which the owner of the database gives');
is(works('odoo', 'office', $attached, 'office: wa_setup() by odoo'), '3', 'office: attaches all');
works('office', 'office', "SELECT wa_revoke('odoo')", 'office: and takes back');
like($node->safe_psql('image', "SELECT detail FROM wa_setup() WHERE item = 'database owner'"),
	qr/role boss is a superuser/, 'image: a superuser as owner gives a warning');
like($node->safe_psql('split', "SELECT detail FROM wa_setup() WHERE item = 'backup'") // '',
	qr/role odoo owns Odoo's tables but not this database/, 'split: odoo cannot make backups, says wa_setup()');

# An UPDATE as Odoo arrives at the citizen

my $fonnte = provider_settings($sim, 'fonnte');
my $count = 0;
foreach my $layout (@layouts)
{
	my ($db, $tables) = ($layout->{db}, $layout->{tables});

	works($layout->{owner}, $db, "SELECT wa_configure('fonnte', '$fonnte'); SELECT wa_test_connection('fonnte'); SELECT wa_set('contact_dpmptsp', '0812-0000-9999'); SELECT wa_arm('$db')",
		"$db: the owner configures and arms");
	no_pacing($node, $db);
	works($tables, $db, "UPDATE sicantik_permit SET status = 'active', permit_number = '$db/1', issue_date = current_date WHERE id = 1",
		"$db: UPDATE as $tables");
	$count++;
	ok($sim->wait_for_sends($count, to => '6281200000010', accepted => 1), "$db: arrives at the citizen");
	is( $node->safe_psql('postgres', "SELECT usename FROM pg_stat_activity WHERE $worker AND datname = '$db'"),
		$layout->{owner}, "$db: the worker is a session of $layout->{owner}");
}

# The doctor and the state at a glance, for whoever may look

foreach my $layout (@layouts)
{
	my $db = $layout->{db};

	works($layout->{owner}, $db, "SELECT wa_grant('odoo', 'view')", "$db: odoo may look") if $layout->{owner} ne 'odoo';
	foreach my $role ($layout->{owner}, $layout->{tables}, $superuser, 'odoo')
	{
		is(works($role, $db, "SELECT state FROM wa_check() WHERE item = 'mode'", "$db: wa_check() by $role"), 'ok', "$db: it is live");
		is(works($role, $db, "SELECT count(*) FROM wa_check() WHERE item = 'reach' AND what_to_do ~ '[0-9]+.* [0-9]+ ' OR item LIKE 'watched %' AND state = 'ok'",
				"$db: again"), '4', "$db: triggers and the reach are seen by $role");
		is(works($role, $db, "SELECT value FROM wa_status() WHERE item = 'next'", "$db: wa_status() by $role"), 'nothing', "$db: nothing to do, says it");
	}
	works($layout->{owner}, $db, "SELECT wa_revoke('odoo')", "$db: odoo may no longer") if $layout->{owner} ne 'odoo';
}

# Planted code.  It notes who it runs as, and tries what it could want.

my $spy = q{
	CREATE TABLE public.loot (who name, session name, what text);
	GRANT ALL ON public.loot TO PUBLIC;
	CREATE FUNCTION public.spy() RETURNS boolean LANGUAGE plpgsql AS $$
	DECLARE
		try text;
	BEGIN
		INSERT INTO public.loot VALUES (current_user, session_user, 'ran');
		FOREACH try IN ARRAY ARRAY[
			'CREATE ROLE evil SUPERUSER', 'ALTER ROLE odoo SUPERUSER', 'RESET ROLE', 'SET ROLE NONE',
			'RESET SESSION AUTHORIZATION', 'SET SESSION AUTHORIZATION DEFAULT',
			'UPDATE wa.message SET number = ''6281299999999''',
			'INSERT INTO public.loot SELECT current_user, session_user, value FROM wa.secret',
			'COPY (SELECT 1) TO PROGRAM ''true''', 'SET sicantik_wa.allowed_hosts = ''''']
		LOOP
			BEGIN
				EXECUTE try;
				INSERT INTO public.loot VALUES (current_user, session_user, try);
			EXCEPTION WHEN OTHERS THEN
				NULL;
			END;
		END LOOP;
		RETURN true;
	END $$};

# Everything that reads Odoo's tables, called by the worker and by a superuser.
sub use_everything
{
	my ($layout, $status) = @_;
	my ($db, $tables) = ($layout->{db}, $layout->{tables});

	works($tables, $db, "SET sicantik_wa.capture = on; UPDATE sicantik_permit SET status = '$status' WHERE id = 2",
		"$db: UPDATE to $status");
	ok(wait_read($node, $db), "$db: composing goes on");
	as($superuser, $db, $_)
	  foreach ('SELECT * FROM wa_setup()', 'SELECT * FROM wa_status()',
		"SELECT wa_send('permit_ready', 10, permit_id => 2)",
		"SELECT wa_determine_provider(10, 'permit_ready')");
	ok( wait_sql($node, $db,
			"SELECT count(*) FROM wa.message WHERE state IN ('queued', 'sending')", '0'),
		"$db: so does sending");
	return;
}

foreach my $layout (@layouts)
{
	my ($db, $tables) = ($layout->{db}, $layout->{tables});

	# a policy on a table that is read; its owner is subject to it if forced
	works($tables, $db, $spy, "$db: planted code");
	works($tables, $db, "ALTER TABLE res_partner ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
		  . " CREATE POLICY spy ON res_partner USING (spy())", "$db: a policy on res_partner");
	use_everything($layout, 'expired');
	if (!$layout->{superuser})
	{
		is( $node->safe_psql($db, 'SELECT string_agg(DISTINCT who::text, \',\') FROM loot'),
			$tables, "$db: it runs as the owner of the table");
		is( $node->safe_psql($db, "SELECT string_agg(DISTINCT what, ',') FROM loot"),
			$layout->{owner} eq $tables ? 'UPDATE wa.message SET number = \'6281299999999\',ran' : 'ran',
			"$db: and can do nothing that he could not do anyway");
	}
	works($tables, $db, 'ALTER TABLE res_partner DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;'
		  . ' TRUNCATE loot; DROP POLICY spy ON res_partner', "$db: away with it");
	works($layout->{owner}, $db, "DELETE FROM wa.message WHERE number = '6281299999999'", "$db: and with its work")
	  if $layout->{owner} eq $tables;

	# a view in place of the table
	works($tables, $db, 'ALTER TABLE res_partner RENAME TO res_partner_real;'
		  . ' CREATE VIEW res_partner AS SELECT * FROM res_partner_real WHERE spy()', "$db: a view in place of res_partner");
	use_everything($layout, 'cancelled');
	is($node->safe_psql($db, 'SELECT count(*) FROM loot'), '0', "$db: is not read at all");
	works($tables, $db, 'DROP VIEW res_partner; ALTER TABLE res_partner_real RENAME TO res_partner', "$db: the table again");
	my $before = scalar $sim->sends;
	works($tables, $db, "UPDATE sicantik_permit SET status = 'expired' WHERE id = 2", "$db: UPDATE");
	ok($sim->wait_for_sends($before + 1), "$db: and messages go out again");
}
is($node->safe_psql('postgres', "SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper AND rolname NOT IN ('boss', '$superuser')"),
	'', 'no new superuser');

# A view in place of a watched table

works('odoo', 'split', 'ALTER TABLE signature_workflow RENAME TO real_workflow;'
	  . ' CREATE VIEW signature_workflow AS SELECT * FROM real_workflow WHERE spy()', 'split: a view in place of a watched table');
like($node->safe_psql('split', "SELECT action || ' ' || detail FROM wa_setup() WHERE item = 'table public.signature_workflow'"),
	qr/^refused .*is a view, /, 'split: wa_setup() leaves it alone');
is($node->safe_psql('split', 'SELECT count(*) FROM loot'), '0', 'split: and does not read it');

# The owner of the database can end the worker; others cannot.

my $pid_of = sub {
	return $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $worker AND datname = '$_[0]'");
};
my $pid = $pid_of->('plain');
is(works('odoo', 'plain', "SELECT pg_terminate_backend($pid)", 'the owner ends the worker'), 't', 'and it obeys');
ok(wait_sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", '0'), 'it is gone');
foreach my $db ('office', 'split', 'image')
{
	$pid = $pid_of->($db);
	like((as('odoo', $db, "SELECT pg_terminate_backend($pid)"))[2], qr/must be a|[Pp]ermission denied/,
		"$db: odoo may not end it");
}

# The owner cannot hang anything on our objects, nor read a secret.

foreach my $try (
	'CREATE TRIGGER t AFTER INSERT ON wa.message FOR EACH ROW EXECUTE FUNCTION nothing()',
	'CREATE TRIGGER t AFTER INSERT ON wa.event FOR EACH ROW EXECUTE FUNCTION nothing()',
	'CREATE RULE r AS ON INSERT TO wa.message DO ALSO SELECT spy()',
	'CREATE POLICY p ON wa.message USING (spy())',
	'ALTER TABLE wa.message ENABLE ROW LEVEL SECURITY',
	'ALTER TABLE wa.message ADD CHECK (spy())',
	'ALTER TABLE wa.message ALTER COLUMN state SET DEFAULT spy()',
	'ALTER TABLE wa.message OWNER TO odoo',
	'CREATE INDEX ON wa.event ((spy()))',
	'CREATE STATISTICS s ON (spy()), id FROM wa.event',
	'CREATE FUNCTION wa.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
	'CREATE TABLE wa.t (a int)',
	'CREATE VIEW wa.v AS SELECT 1',
	'CREATE OR REPLACE FUNCTION wa.capture() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
	'ALTER FUNCTION wa.capture() SECURITY DEFINER',
	'ALTER FUNCTION pg_catalog.wa_setup(boolean) SET search_path = public',
	'DROP TABLE wa.secret', 'TRUNCATE wa.message', 'DROP SCHEMA wa CASCADE', 'ALTER SCHEMA wa RENAME TO wb',
	'DROP TRIGGER changed ON wa.provider', 'ALTER TABLE wa.provider DISABLE TRIGGER ALL',
	'SELECT * FROM wa.secret', 'COPY wa.secret TO STDOUT', 'UPDATE wa.secret SET value = NULL',
	'ALTER EXTENSION sicantik_wa DROP TABLE wa.secret',
	'GRANT SELECT ON wa.secret TO odoo')
{
	my ($code, $found, $err) = as('odoo', 'plain',
		"CREATE FUNCTION pg_temp.x() RETURNS int LANGUAGE sql AS 'SELECT 1';"
		  . " CREATE OR REPLACE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; $try");

	# a GRANT without the right to give is only a warning
	like($err, $try =~ /^GRANT/ ? qr/no privileges were granted|permission denied/ : qr/must be owner|permission denied/,
		"the owner may not: $try");
}
is($node->safe_psql('plain', "SELECT has_table_privilege('odoo', 'wa.secret', 'SELECT')"), 'f', 'secrets stay unread');

# Somebody else

$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN');
works('stranger', 'plain', "SELECT wa_normalize_number('0812-0000-0010')", 'anybody may use a pure function');
foreach my $call (
	"wa_send('permit_ready', 10)", "wa_send('permit_ready', '081200000010')", "wa_send_text(10, 'x')",
	"wa_send_text('081200000010', 'x')", 'wa_result(1)', 'wa_cancel(1)', 'wa_retry(1)', 'wa_release(1)', "wa_release('permit_ready')",
	"wa_render('permit_ready', '{}')", "wa_convert_params('permit_ready', 'fonnte', '{}')",
	'wa_setup()', 'wa_teardown()', "wa_configure('fonnte', '{}')", "wa_set('office_name', 'x')",
	"wa_set_template('permit_ready', '{}')", "wa_map_template('permit_ready', 'fonnte', '{}')",
	"wa_test_connection('fonnte')", "wa_grant('stranger', 'admin')", "wa_revoke('odoo')", 'wa_status()',
	"wa_determine_provider(10, 'permit_ready')", 'wa_check()', "wa_arm('plain')", 'wa_disarm()')
{
	like((as('stranger', 'plain', "SELECT * FROM $call"))[2], qr/permission denied for sicantik_wa/, "a stranger may not: $call");
}
like((as('stranger', 'plain', "CALL wa_try('081200000010')"))[2], qr/permission denied for sicantik_wa/, 'a stranger may not: wa_try');
is( $node->safe_psql('plain',
		"SELECT count(*) FROM pg_class WHERE relnamespace = 'wa'::regnamespace AND relkind = 'r'"
		  . " AND (has_table_privilege('stranger', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"
		  . " OR has_any_column_privilege('stranger', oid, 'SELECT, INSERT, UPDATE, REFERENCES'))"),
	'0', 'nor touch any table of schema wa');
like((as('stranger', 'plain', "SELECT count(*) FROM wa.$_"))[2], qr/permission denied for sicantik_wa/, "nor look through a view: $_")
  foreach split /\n/, $node->safe_psql('plain',
	"SELECT relname FROM pg_class WHERE relnamespace = 'wa'::regnamespace AND relkind = 'v' AND has_table_privilege('stranger', oid, 'SELECT')");

# Forged events

my $forge = q{
	CREATE TABLE %1$s (id integer, status varchar, permit_number varchar, partner_id integer, is_renewal boolean);
	CREATE TRIGGER "00_sicantik_wa_row" AFTER INSERT OR UPDATE ON %1$s FOR EACH ROW EXECUTE FUNCTION wa.capture();
	INSERT INTO %1$s VALUES (1, 'active', '503/forged', 10, false);
	UPDATE %1$s SET status = 'cancelled'};
$node->safe_psql('plain', 'CREATE SCHEMA fake AUTHORIZATION stranger; CREATE SCHEMA "public.sicantik_permit" AUTHORIZATION stranger');
my $before = events('plain');
works('stranger', 'plain', sprintf($forge, 'fake.sicantik_permit'), 'a table of that name elsewhere');
works('stranger', 'plain', 'SET search_path = fake, public; ' . sprintf($forge, 'sicantik_document'), 'found by search_path');
works('stranger', 'plain', sprintf($forge, 'pg_temp.sicantik_permit'), 'as a temporary table');
works('stranger', 'plain', sprintf($forge, 'public."sicantik_permit "'), 'with a name that looks like it');
works('stranger', 'plain', sprintf($forge, '"public.sicantik_permit".sicantik_permit'), 'in a schema that looks like it');
is(events('plain'), $before, 'makes no event');
like((as('stranger', 'plain', 'SELECT wa.capture()'))[2], qr/can only be called as a trigger/, 'nor does a call');
like((as('stranger', 'plain', 'CREATE TRIGGER t AFTER UPDATE ON sicantik_permit FOR EACH ROW EXECUTE FUNCTION wa.capture()'))[2],
	qr/permission denied|must be owner/, 'nor can he hang it on the real table');
works('odoo', 'plain', 'ALTER TABLE sicantik_permit RENAME TO away', 'the real table is away for a moment');
works('stranger', 'plain', sprintf($forge, 'public.sicantik_permit'), 'and he takes its place');
is(events('plain'), $before, 'which makes no event either');
is($node->safe_psql('plain', "SELECT value FROM wa_status() WHERE item = 'watched public.sicantik_permit'"),
	'owner changed', 'wa_status() sees it');

$node->stop('fast');
done_testing();

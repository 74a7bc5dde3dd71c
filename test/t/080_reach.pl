# What the rows of wa.* can reach.  The owner of the database may write nearly
# all of them; Odoo's tables belong to somebody else here, whose rights he has
# not.  Every column of wa.* is gone through: what names a table, a column, a
# function, a role, a host or a file shows what it can at most reach.

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
	conf => "sicantik_wa.worker_idle_timeout = 3600\nsicantik_wa.max_workers = 10");

sub sql { return $node->safe_psql('office', $_[0]); }

sub as
{
	my ($role, $sql) = @_;
	my ($code, $out, $err) = $node->psql('office', $sql, extra_params => [ '-U', $role, '-v', 'ON_ERROR_STOP=1' ]);

	return $out . $err;
}

sub comes_true
{
	my ($query, $what, $expected) = @_;

	return ok(wait_sql($node, 'office', "SELECT $query", $expected), $what);
}

load_odoo($node, 'office', owner => 'office', tables => 'odoo');
sql('CREATE ROLE hr LOGIN; CREATE ROLE clerk LOGIN; GRANT CREATE ON DATABASE office TO clerk');
as('office', 'CREATE EXTENSION sicantik_wa');
as('office', "SELECT wa_set('language', 'en')");

# Before the owner of Odoo's tables has let us in, nothing is read in his name.

as('office', 'SELECT * FROM wa_setup()');
like(as('office', "SELECT detail FROM wa_status() WHERE item = 'mode'"),
	qr/ir_config_parameter belongs to role odoo, which has not let us read it: SELECT \* FROM wa_setup\(\) as that role/,
	'without a word of their owner Odoo\'s tables are not read, and wa_status() says so');
like(as('office', "SELECT wa_arm('office')"), qr/has not let us read it/, 'nor is the database armed');
like(as('office', "SELECT what_to_do FROM wa_check() WHERE item = 'reach'"), qr/sicantik_permit belongs to role odoo/,
	'the doctor says so too');
like(as('office', "SELECT * FROM wa_history('081200000010')"), qr/could not be searched: table public\.res_partner belongs to role odoo/,
	'and so does wa_history()');
is(sql("SELECT count(*) FROM wa.setting WHERE value LIKE '%http%'"), '0', 'nothing was taken from there');

# His word are our triggers on his tables: then what the built-in scenarios
# need can be read, all of it.

as('office', "SELECT wa_grant('odoo', 'admin')");
as('odoo', q(SELECT wa_set_holidays('{"2001-12-25": "Natal"}')));
is(as('odoo', 'SELECT name FROM wa.holiday_view'), 'Natal', 'level admin sees the holidays that it entered, those that have passed too');
is(as('hr', 'SELECT name FROM wa.holiday_view') =~ s/^.*(must have|permission|level).*$/refused/sr, 'refused', 'nobody without a level does');
as('odoo', 'SELECT * FROM wa_setup()');
as('office', "SELECT wa_revoke('odoo')");
like(as('office', "SELECT string_agg(item || ' ' || action, ',') FROM wa_setup() WHERE item ~ 'sicantik_permit|download_link'"),
	qr/table public\.sicantik_permit present,setting download_link (?:added|present)/, 'with it they are');
as('office', "SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
as('office', "SELECT wa_test_connection('fonnte')");
as('office', "SELECT wa_arm('office')");
as('office', "SELECT wa_set('contact_dpmptsp', 'telepon 0274-1'), wa_set('staff_group', 'base.group_user')");
no_pacing($node, 'office');
as('office', "UPDATE wa.scenario SET requires_opt_in = false, approver_group = CASE WHEN key = 'approval_required' THEN 'base.group_user' END");
as('odoo', "UPDATE sicantik_permit SET status = 'active', permit_number = '080/1', issue_date = current_date, expiry_date = current_date + 30 WHERE id = 1");
as('odoo', "UPDATE sicantik_permit SET status = 'renewed' WHERE id = 2");
as('odoo', "UPDATE sicantik_document SET state = 'draft'");
as('odoo', "UPDATE sicantik_document SET state = 'pending_signature', write_date = now() - interval '3 days'");
ok(wait_read($node, 'office'), 'events are read');
is(as('office', "SELECT wa_run_scenario('reminder') IS NULL, wa_run_scenario('permit_expiry_warning') IS NULL") =~ /f\|f/, 1,
	'daily scenarios run');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'nothing failed');
is(sql("SELECT string_agg(DISTINCT scenario, ',' ORDER BY scenario) FROM wa.message"),
	'approval_required,document_pending,permit_ready,reminder,status_update',
	'all that the built-in scenarios need can be read');
comes_true("count(*) > 0 FROM wa.message WHERE scenario = 'permit_ready' AND state = 'sent'", 'and messages go out');
like(as('office', "SELECT string_agg(what, ' ') FROM wa_history('081200000010') AS h(at, what)"), qr/res_partner 10/, 'wa_history() finds the contact');
unlike(as('office', 'SELECT * FROM wa_check()'), qr/belongs to role|none of those that are read/, 'the doctor misses nothing');
like(as('office', 'SELECT * FROM wa_import_odoo()'), qr/whatsapp_account|sicantik_whatsapp/, 'Odoo\'s credentials');
unlike(as('office', 'SELECT * FROM wa_import_odoo()'), qr/\|added|\|changed/, '  are not taken over by one who may not read them');

# Every column that holds words: what it names, and the probe further down.

my %names = (
	# tables and columns
	'message.res_model' => 'table', 'message.precondition' => 'columns', 'message.change' => 'columns', 'scenario.watch' => 'table',
	'watch.relation' => 'table', 'watch.columns' => 'columns', 'watch.optional' => 'columns', 'setting.value' => 'schema',
	'event.relation' => 'table', 'event.columns' => 'columns', 'dead_letter.relation' => 'table',
	'dead_letter.columns' => 'columns', 'unassigned.relation' => 'table', 'event_outcome.relation' => 'table',
	'event_aside.relation' => 'table', 'event_aside.columns' => 'columns',
	'watch_copy.relation' => 'table', 'watch_copy.columns' => 'columns',
	# functions
	'scenario.composer' => 'function',
	# roles: words to compare with, and to show
	'watch.owner' => 'role', 'watch_copy.owner' => 'role', 'access.role' => 'role',
	# hosts
	'provider.base_url' => 'host', 'provider.settings' => 'host');
my %words = map { $_ => 1 } qw(
	message.detail_said message.route_said message.number_source_said attempt.response_said provider.last_error_said template_mapping.last_error_said
	event_outcome.detail_said dead_letter.error_said daily_run.error_said
	access.system_identifier attempt.unlisted event_aside.new event_aside.old setting.base_url unwritten.setting
	access.level attempt.outcome attempt.provider attempt.provider_code attempt.response
	daily_run.detail daily_run.error daily_run.scenario capture_gap.reason contact.number contact.source contact_window.number contact_window.sender_id
	dead_letter.error dead_letter.new dead_letter.old dead_letter.scenario event.new event.old
	event_outcome.detail event_outcome.outcome event_outcome.scenario identity.instance identity.mark identity.odoo_uuid identity.restoration
	figure.scenario figure.provider figure.figure figure.detail figure_change.scenario figure_change.provider figure_change.figure
	figure_change.detail figure_zone.time_zone forgotten.by forgotten.counts forgotten.digests holiday.name identity.stamped_by identity.system_identifier message.body message.created_by message.dedupe_key
	message.detail message.number message.number_source message.params message.priority message.provider
	message.provider_message_id message.reason message.route message.scenario message.state
	message.template_key message.refused_by message.unknown_policy message.wanted_provider announced.key scenario_rate.scenario
	provider.kind provider.last_error provider.name provider.paused_by provider.state ready.only_by ready.provider
	request.action request.detail request.requested_by scenario.approver_group scenario.key scenario.name
	scenario.priority scenario.staff_group scenario.template_key scenario.unknown_policy secret.name
	secret.provider secret.value setting.name template.body template.category template.key template.language
	template.name template.parameters template_mapping.format template_mapping.language
	template_mapping.last_error template_mapping.mode template_mapping.name template_mapping.parameters
	template_mapping.provider template_mapping.status template_mapping.template_key unassigned.scenario
	account_news.about account_news.effect account_news.event account_news.provider account_news.words account_news.words_said
	attempt.provider_message_id consent.by consent.change consent.number consent.scope consent.source consent.user_id consent.words
	feedback.account_id feedback.answers feedback.body feedback.callback feedback.code feedback.detail feedback.event feedback.excerpt
	feedback.keyword feedback.kind feedback.language feedback.name feedback.number feedback.pair_id feedback.parent_user_id
	feedback.previous_number feedback.previous_user_id feedback.pricing feedback.problem feedback.progress feedback.provider
	feedback.provider_message_id feedback.sender_id feedback.template_name feedback.user_id feedback.words
	identity_of.number identity_of.provider identity_of.user_id inbound.kind inbound.name inbound.number inbound.provider
	inbound.provider_message_id inbound.sender_id inbound.text inbound.user_id message.pricing status_pair.pair_id status_pair.provider
	status_pair.provider_message_id template_mapping.provider_category template_mapping.provider_note template_mapping.provider_note_said
	template_mapping.provider_status template_mapping.quality template_sync.last_error template_sync.last_error_said template_sync.provider);
my @columns = split /\n/, sql(q{SELECT c.relname || '.' || a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
	AND a.atttypid IN ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype, 'json'::regtype, 'name'::regtype) ORDER BY 1});
my @unknown = grep { !$names{$_} && !$words{$_} } @columns;
is("@unknown", '', 'each column with words is known: as a name of something, or as words only');

# What nobody but its owner may know: the word stands in tables of Odoo's and
# of somebody else's, under names that we read elsewhere.

my $word = 'rahasia';
sql(qq{
	UPDATE res_users SET password = '$word' WHERE id = 2;
	INSERT INTO ir_config_parameter (key, value) VALUES ('database.secret', '$word');
	CREATE SCHEMA hr AUTHORIZATION hr;
	SET ROLE hr;
	CREATE TABLE hr.salary (id int PRIMARY KEY, name text, partner_id int, status text, amount text);
	INSERT INTO hr.salary VALUES (1, '$word', 10, '$word', '$word');
	CREATE TABLE hr.res_partner (id int PRIMARY KEY, name text, active boolean, phone text, mobile text);
	INSERT INTO hr.res_partner VALUES (1, '$word', true, '081255550001', '081255550001');
	CREATE TABLE hr.sicantik_permit (id int PRIMARY KEY, registration_id text, status text, permit_number text, applicant_name text,
		partner_id int, permit_type_name text, is_renewal boolean, issue_date date);
	INSERT INTO hr.sicantik_permit VALUES (1, '$word', 'active', '$word', '$word', 1, '$word', false, current_date);
	CREATE TABLE hr.ir_config_parameter (key text, value text);
	INSERT INTO hr.ir_config_parameter VALUES ('web.base.url', 'https://$word.example');
});

# Everything that the owner of the database can see.
sub seen
{
	my $all = join ' UNION ALL ', map { "SELECT t::text FROM wa.$_ AS t" }
	  grep { $_ ne 'secret' } split /\n/, sql(q{SELECT relname FROM pg_class WHERE relnamespace = 'wa'::regnamespace AND relkind = 'r'});

	return as('office', $all)
	  . as('office', 'SELECT * FROM wa_status()') . as('office', 'SELECT * FROM wa_check()')
	  . as('office', "SELECT * FROM wa_history('081255550001')") . as('office', "SELECT * FROM wa_history('$_[0]')");
}

# Put a message there that waits, and have the worker look at it.
my $message = 900000;

# What a message of a built-in scenario was made for.
my $became_x = '{"relation": "public.sicantik_permit", "record": "1", "at": "0", "to": "applicant", "old": {"status": "draft"}, "new": {"status": "x"}}';

sub waits
{
	my (%row) = @_;

	$message++;
	as('office', "INSERT INTO wa.message (id, state, scenario, number, template_key, body, params, created_at, res_model, res_id, precondition, change, partner_id, number_source)"
		  . " VALUES ($message, 'queued', '$row{scenario}', '6281200000010', 'status_update', 'x', '{}', now() - interval '1 minute',"
		  . " '$row{model}', $row{id}, " . (defined $row{still} ? "'$row{still}'" : 'NULL') . ', ' . (defined $row{change} ? "'$row{change}'" : 'NULL') . ', ' . ($row{partner} // 'NULL') . ", 'res_partner.phone');"
		  . " INSERT INTO wa.ready (message_id) VALUES ($message); UPDATE wa.provider SET tested_at = now()");
	return $message;
}

my $id = waits(scenario => 'status_update', model => 'res.users', id => 2, still => '{"password": "?"}');
comes_true("reason FROM wa.message WHERE id = $id",
	'message: another column than those of the built-in scenario', 'facts_unreadable');
like(sql("SELECT detail FROM wa.message WHERE id = $id"),
	qr/^table public\.res_users belongs to role odoo, and the owner of this database may not read it: GRANT SELECT ON public\.res_users TO office$/,
	'  is read as the owner of the database, who may not');
like(sql("SELECT string_agg(w::text, ' ') FROM wa_why($id) AS w"), qr/Odoo's table .* cannot be read/, '  wa_why() has the words');
$id = waits(scenario => 'status_update', model => 'ir.config.parameter', id => sql("SELECT id FROM ir_config_parameter WHERE key = 'database.secret'"), still => '{"value": "?"}');
comes_true("reason FROM wa.message WHERE id = $id", 'message: a parameter of Odoo\'s', 'facts_unreadable');
$id = waits(scenario => 'nobody', model => 'hr.salary', id => 1, still => '{"amount": "?"}');
comes_true("reason FROM wa.message WHERE id = $id", 'message: a table of another schema, without scenario', 'facts_unreadable');
as('office', "INSERT INTO wa.scenario (key, name, watch, template_key, composer) VALUES ('mine', 'x', 'hr.salary', 'status_update', 'public.mine')");
$id = waits(scenario => 'mine', model => 'hr.salary', id => 1, still => '{"amount": "?"}');
comes_true("reason FROM wa.message WHERE id = $id", 'message: the table of an own scenario', 'facts_unreadable');
$id = waits(scenario => 'status_update', model => 'sicantik.permit', id => 1, change => $became_x);
comes_true("detail FROM wa.message WHERE id = $id", 'message: what the built-in scenario names is compared',
	'no longer true: status is active, the message says x');

# Events, waiting documents, outcomes and dead letters name tables
as('office', "INSERT INTO wa.event (xact, at, command, relation, record_id, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, 'hr.sicantik_permit', 1, '{status}', '{draft}', '{active}'),"
	  . " (pg_current_xact_id(), now(), 2, 'hr.salary', 1, '{amount}', '{1}', '{2}'); UPDATE wa.provider SET tested_at = now()");
as('office', "INSERT INTO wa.event_outcome (event_id, relation, record_id, outcome) VALUES (1, 'hr.salary', 1, 'x')");
as('office', "INSERT INTO wa.dead_letter (event_id, relation, record_id, columns, new, event_at, error) VALUES (777, 'hr.salary', 1, '{amount}', '{2}', now(), 'x')");
as('office', 'SELECT wa_replay(777)');
as('office', "INSERT INTO wa.unassigned (document_id, scenario, event_id, relation, due_at) VALUES (1, 'approval_required', 1, 'hr.salary', now())");
as('office', "INSERT INTO wa.watch (relation, owner, columns) VALUES ('hr.salary', 'hr', '{amount,name,status}')");
like(sql("SELECT action || ' ' || detail FROM wa_setup() WHERE item = 'table hr.salary'"), qr/^refused .*no rights of role hr/,
	'watch: a table of somebody else is not attached, even if a superuser runs wa_setup()');
ok(wait_read($node, 'office'), 'events are read');
like(as('office', "SELECT * FROM wa_history('$word')"), qr/hr\.salary: could not be searched: table hr\.salary belongs to role hr/,
	'wa_history() says what it may not search');

# The schema of Odoo's tables
as('office', "SELECT wa_set('odoo_schema', 'hr')");
my $answers = join "\n", map { as('office', $_) } (
	"SELECT wa_send('permit_ready', 1, permit_id => 1)", "SELECT * FROM wa_explain('permit_ready', 1, '{}')", "SELECT * FROM wa_explain_text(1, 'x')",
	"SELECT * FROM wa_determine_provider(1, 'permit_ready')", 'SELECT * FROM wa_setup()', 'SELECT * FROM wa_import_odoo()',
	"SELECT * FROM wa_history('081255550001')", "SELECT * FROM wa_history('$word')", "SELECT wa_run_scenario('permit_expiry_warning')",
	"SELECT wa_send_text(1, 'x')");
unlike($answers, qr/081255550001.*$word|$word\.example|name.*$word/, 'setting odoo_schema: tables of somebody else are not read');
like($answers, qr/table hr\.res_partner belongs to role hr/, '  which is said');
as('office', "INSERT INTO wa.event (xact, at, command, relation, record_id, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, 'hr.sicantik_permit', 1,"
	  . " '{status,permit_number,partner_id,is_renewal}', '{draft,N,1,f}', '{active,N,1,f}'); UPDATE wa.provider SET tested_at = now()");
ok(wait_read($node, 'office'), 'events are read');
like(sql('SELECT string_agg(error, chr(10)) FROM wa.dead_letter'), qr/table hr\.\w+ belongs to role hr/, '  the event that asked for it is a dead letter');
my $everything = seen($word);
$everything =~ s/(?:could not be searched|wa_history|"$word").*//g;
is(join("\n", grep { /$word|6281255550001/ } split /\n/, $everything), '', 'nothing of all that can be seen anywhere');
as('office', "SELECT wa_set('odoo_schema', 'public')");
as('office', "DELETE FROM wa.watch WHERE relation = 'hr.salary'; DELETE FROM wa.dead_letter");
as('office', "SELECT wa_cancel(id) FROM wa.message WHERE state = 'queued'");

# What may be granted to the owner of the database he may read; but not what
# would then run with his rights.

sql('GRANT USAGE ON SCHEMA hr TO office; GRANT SELECT ON hr.salary TO office');
$id = waits(scenario => 'mine', model => 'hr.salary', id => 1, still => '{"amount": "?"}');
comes_true("state || ' ' || detail FROM wa.message WHERE id = $id", 'what the owner of the database may read himself is compared',
	"cancelled no longer true: amount is $word, the message says ?");
sql(q{
	CREATE TABLE public.loot (who name, what text);
	GRANT ALL ON public.loot TO PUBLIC;
	SET ROLE hr;
	CREATE FUNCTION hr.spy() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.loot VALUES (current_user, 'policy'); RETURN true; END $$;
	GRANT EXECUTE ON FUNCTION hr.spy() TO PUBLIC;
	ALTER TABLE hr.salary ENABLE ROW LEVEL SECURITY;
	CREATE POLICY p ON hr.salary USING (hr.spy());
});
$id = waits(scenario => 'mine', model => 'hr.salary', id => 1, still => '{"amount": "?"}');
comes_true("detail FROM wa.message WHERE id = $id", 'a policy of somebody else does not run with his rights',
	'table hr.salary has policies of role hr, which would run with the rights of the owner of this database: GRANT hr TO office');
as('office', "SELECT wa_cancel($id)");
is(sql('SELECT count(*) FROM loot'), '0', '  nobody ran it');

# Nor does what the planner computes: it calls the function of an index

sql(q{
	SET ROLE hr;
	DROP POLICY p ON hr.salary;
	ALTER TABLE hr.salary DISABLE ROW LEVEL SECURITY;
	CREATE FUNCTION hr.constant(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM hr.spy(); RETURN true; END $$;
	GRANT EXECUTE ON FUNCTION hr.constant(integer) TO PUBLIC;
	CREATE INDEX ON hr.salary (id) WHERE hr.constant(1);
	RESET ROLE;
	TRUNCATE loot;
});
$id = waits(scenario => 'mine', model => 'hr.salary', id => 1, still => '{"amount": "?"}');
comes_true("state FROM wa.message WHERE id = $id", 'the function of an index of somebody else', 'cancelled');
is(sql("SELECT string_agg(DISTINCT who, ',') FROM loot"), 'hr', '  runs with no other rights than his');
sql('TRUNCATE loot');

# A cast of somebody else's type: its function does not run

sql(q{
	CREATE TYPE clerk_status AS ENUM ('draft', 'active', 'renewed', 'expired', 'cancelled');
	ALTER TYPE clerk_status OWNER TO clerk;
	GRANT CREATE ON SCHEMA public TO clerk;
	SET ROLE clerk;
	CREATE FUNCTION public.clerk_text(clerk_status) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.loot VALUES (current_user, 'cast'); RETURN 'active'; END $$;
	CREATE CAST (clerk_status AS text) WITH FUNCTION public.clerk_text(clerk_status);
	RESET ROLE;
	ALTER TABLE sicantik_permit ALTER status DROP DEFAULT, ALTER status TYPE clerk_status USING status::text::clerk_status;
});
$id = waits(scenario => 'status_update', model => 'sicantik.permit', id => 1, change => $became_x);
comes_true("detail FROM wa.message WHERE id = $id", 'a column of a type that somebody has made is read by its output function',
	'no longer true: status is active, the message says x');
is(sql('SELECT count(*) FROM loot'), '0', '  its cast did not run');
sql("ALTER TABLE sicantik_permit ALTER status TYPE varchar USING format('%s', status); TRUNCATE loot");

# Functions: whoever owns one can replace it

sub compose
{
	my ($options, $what) = @_;

	sql("CREATE OR REPLACE FUNCTION public.mine(bigint, jsonb, jsonb) RETURNS TABLE (partner_id bigint, number text, params jsonb)"
		  . " LANGUAGE plpgsql $options AS \$\$ BEGIN INSERT INTO public.loot VALUES (current_user, 'composer'); RETURN; END \$\$;"
		  . ' ALTER FUNCTION public.mine OWNER TO clerk;'
		  . ' TRUNCATE loot; TRUNCATE wa.dead_letter');
	as('odoo', "UPDATE sicantik_permit SET permit_number = coalesce(permit_number, '') || 'x' WHERE id = 3");
	return ok(wait_read($node, 'office'), 'events are read');
}
sql("UPDATE wa.scenario SET watch = 'public.sicantik_permit' WHERE key = 'mine'");
compose('SECURITY INVOKER');
is(sql('SELECT count(*) FROM loot'), '0', 'the function of a lesser role is not called');
my $refusal = qr/composer of scenario "mine" belongs to role clerk, which has not all rights of the owner of this database: ALTER FUNCTION public\.mine\(bigint, jsonb, jsonb\) OWNER TO office/;
like(sql("SELECT error FROM wa.dead_letter WHERE scenario = 'mine'"), $refusal, '  a dead letter says so');
like(as('office', "SELECT state || ' ' || what_to_do FROM wa_check() WHERE item = 'scenario mine'"), qr/^error $refusal/, '  and wa_check()');
compose('SECURITY DEFINER');
is(sql("SELECT string_agg(who, ',') FROM loot"), 'clerk', 'unless it asks to be called as its owner, and then it is');
sql("ALTER FUNCTION public.mine SECURITY INVOKER; ALTER FUNCTION public.mine OWNER TO office; TRUNCATE loot; UPDATE sicantik_permit SET permit_number = coalesce(permit_number, '') || 'x' WHERE id = 3");
ok(wait_read($node, 'office'), 'events are read');
is(sql("SELECT string_agg(who, ',') FROM loot"), 'office', 'one of the owner of the database runs as him');
sql("GRANT office TO clerk; ALTER FUNCTION public.mine OWNER TO clerk; TRUNCATE loot; UPDATE sicantik_permit SET permit_number = coalesce(permit_number, '') || 'x' WHERE id = 3");
ok(wait_read($node, 'office'), 'events are read');
is(sql("SELECT string_agg(who, ',') FROM loot"), 'office', 'so does one of a role that has all his rights');

# The case that was met: postgres owns the database, odoo the function
$node->safe_psql('postgres', 'CREATE DATABASE split');
load_odoo($node, 'split', owner => $node->safe_psql('postgres', 'SELECT current_user'), tables => 'odoo');
$node->safe_psql('split', q{
	CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup();
	CREATE SCHEMA office AUTHORIZATION odoo;
	SET ROLE odoo;
	CREATE FUNCTION office.mine(bigint, jsonb, jsonb) RETURNS TABLE (partner_id bigint, number text, params jsonb)
		LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE odoo SUPERUSER; RETURN; END $$;
	RESET ROLE;
	INSERT INTO wa.scenario (key, name, watch, template_key, composer) VALUES ('mine', 'x', 'public.sicantik_permit', 'status_update', 'office.mine');
	UPDATE sicantik_permit SET is_renewal = true WHERE id = 3});
ok(wait_sql($node, 'split', "SELECT error LIKE '%belongs to role odoo, which has not all rights%' FROM wa.dead_letter WHERE scenario = 'mine'"),
	'a function of odoo does not run as the superuser who owns the database');
is($node->safe_psql('split', "SELECT rolsuper FROM pg_roles WHERE rolname = 'odoo'"), 'f', '  so he did not become one');

# What was judged is what is read: the schema gets another meaning in between,
# and a view of clerk's stands where a table of odoo's was.

$node->safe_psql('postgres', 'CREATE DATABASE swap');
my $tables = join ' ', map { "CREATE TABLE sch.$_;" } (
	'res_partner (id int PRIMARY KEY, phone_sanitized text, whatsapp_opt_in boolean, whatsapp_opt_in_date timestamp)',
	'phone_blacklist (number text, active boolean)', 'whatsapp_message (mobile_number_formatted text, message_type text, create_date timestamp)');
$node->safe_psql('swap', qq{
	CREATE EXTENSION sicantik_wa;
	SELECT count(*) FROM wa_setup();
	SELECT wa_set('odoo_schema', 'sch');
	GRANT CREATE ON DATABASE swap TO clerk;
	GRANT ALL ON SCHEMA public TO clerk, odoo;
	CREATE SCHEMA sch AUTHORIZATION clerk;
	GRANT ALL ON SCHEMA sch TO odoo;
	SET ROLE odoo;
	$tables
	INSERT INTO sch.res_partner VALUES (10, '+6281200000010', true, now());
	RESET ROLE;
	DROP TABLE sch.phone_blacklist;
	SET ROLE clerk;
	CREATE FUNCTION public.spy() RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN RAISE LOG 'spy runs as %', current_user; RETURN true; END \$\$;
	CREATE SCHEMA evil;
	CREATE VIEW evil.res_partner AS SELECT 10 AS id, ''::text AS phone_sanitized, true AS whatsapp_opt_in, now()::timestamp AS whatsapp_opt_in_date WHERE public.spy();
	CREATE VIEW evil.phone_blacklist AS SELECT ''::text AS number, true AS active WHERE public.spy();
	CREATE VIEW evil.whatsapp_message AS SELECT ''::text AS mobile_number_formatted, ''::text AS message_type, now()::timestamp AS create_date WHERE public.spy();
	GRANT USAGE ON SCHEMA evil TO odoo;
	GRANT SELECT ON ALL TABLES IN SCHEMA evil TO odoo;
	CREATE TABLE sch.phone_blacklist (number text, active boolean);
	INSERT INTO sch.phone_blacklist VALUES ('+6281200000010', false);
	CREATE FUNCTION public.swap() RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN
		ALTER SCHEMA sch RENAME TO gone; ALTER SCHEMA evil RENAME TO sch; RETURN true; END \$\$;
	ALTER TABLE sch.phone_blacklist ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY p ON sch.phone_blacklist USING (public.swap());
});
my ($code, $out, $err) = $node->psql('swap', "SELECT * FROM wa_determine_provider(10, 'permit_ready')");
like($err, qr/table "whatsapp_message" was replaced by another one at this moment/, 'a policy puts a view in the place of the table that is read next: an error');
unlike(slurp_file($node->logfile), qr/LOG:  spy runs as/, '  its function did not run');

# two sessions swap the schemas until the reader has met both often enough
$node->safe_psql('swap', 'ALTER TABLE sch.phone_blacklist DISABLE ROW LEVEL SECURITY');
my $rename = join "\n", map { "BEGIN ALTER SCHEMA sch RENAME TO gone; ALTER SCHEMA evil RENAME TO sch; EXCEPTION WHEN OTHERS THEN NULL; END; COMMIT;"
	  . " BEGIN ALTER SCHEMA sch RENAME TO evil; ALTER SCHEMA gone RENAME TO sch; EXCEPTION WHEN OTHERS THEN NULL; END; COMMIT;" } 1;
my @swapping = map { SicantikWa::Session->new($node, 'swap', user => 'clerk') } 1 .. 2;
$node->safe_psql('swap', 'CREATE TABLE public.enough (); GRANT SELECT ON public.enough TO clerk');
$_->begin("DO \$\$ BEGIN WHILE NOT EXISTS (SELECT FROM public.enough) LOOP $rename END LOOP; END \$\$") foreach @swapping;
my $read = $node->safe_psql('swap', q{
	CREATE TABLE public.reads (n int, ok boolean);
	DO $$ DECLARE n int := 0; met int[] := '{0,0}'; ok boolean; ends timestamptz := clock_timestamp() + interval '150 s';
	BEGIN LOOP
		n := n + 1;
		ok := true;
		BEGIN PERFORM * FROM wa_determine_provider(10, 'permit_ready'); EXCEPTION WHEN OTHERS THEN ok := false; END;
		INSERT INTO public.reads VALUES (n, ok);
		COMMIT;
		met[1 + ok::int] := met[1 + ok::int] + 1;
		EXIT WHEN n >= 400 AND met[1] >= 50 AND met[2] >= 50 OR clock_timestamp() > ends;
	END LOOP; END $$;
	INSERT INTO public.enough DEFAULT VALUES;
	SELECT count(*) FILTER (WHERE ok) >= 50 AND count(*) FILTER (WHERE NOT ok) >= 50 FROM public.reads});
$_->close foreach @swapping;
is($read, 't', 'two sessions swap schemas in a loop: the tables are read in between, and refused while others stand there')
  or diag($node->safe_psql('swap', 'SELECT ok, count(*), min(n), max(n) FROM public.reads GROUP BY 1'));
unlike(slurp_file($node->logfile), qr/LOG:  spy runs as/, '  and nobody else\'s view ever');

# Roles are words only, hosts are the superuser's
as('office', "INSERT INTO wa.access VALUES ('hr', 'admin')");
is(sql("SELECT pg_has_role('hr', 'office', 'USAGE') OR has_table_privilege('hr', 'wa.message', 'SELECT')"), 'f', 'access: a level is no right on tables');
my $before = scalar $sim->sends;
as('office', "UPDATE wa.provider SET base_url = 'https://evil.example', settings = settings || '{\"base_url\": \"https://evil.example\"}' WHERE name = 'fonnte'");
like(as('office', "SELECT what_to_do FROM wa_check() WHERE item = 'provider fonnte'"), qr/evil\.example.*allowed|allowed.*evil\.example/, 'provider: a host that is not allowed is not asked');
like(as('office', "SELECT wa_configure('fonnte', '{\"token_file\": \"../../postgresql.conf\"}')"), qr/ERROR/, 'and a file outside the folder not read');

$node->stop('fast');
done_testing();

# Scenarios of the DBA's own, the rest: a table that Odoo's accounting brings,
# daily ones, the time limit, what fails and for whom, replay,
# explanations, and a backup.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $node = new_cluster('main');
load_odoo($node, 'odoo');

# Everything is done as the owner of the database, who is no superuser.
sub sql
{
	my ($sql, $db) = @_;
	my ($code, $out, $err) = $node->psql($db || 'odoo', $sql,
		extra_params => [ '-U', 'odoo', '-v', 'ON_ERROR_STOP=1' ]);

	die "$sql: $err" if $code != 0;
	return $out;
}

sub error_of
{
	my ($sql) = @_;
	my ($code, $out, $err) = $node->psql('odoo', $sql, extra_params => [ '-U', 'odoo' ]);

	return $err;
}

# What an own scenario has made of records, oldest first.
sub made
{
	my ($scenario) = @_;

	wait_read($node, 'odoo');
	return sql("SELECT string_agg(concat_ws(' ', res_id, partner_id), ', ' ORDER BY id) FROM wa.message WHERE scenario = '$scenario'");
}

# Let the worker run a daily scenario now, as if it had not run today.
sub run_daily
{
	my ($key) = @_;

	sql("DELETE FROM wa.daily_run WHERE scenario = '$key'; UPDATE wa.scenario SET weekdays = NULL, daily_at = '00:00',"
		  . " created_at = now() - interval '2 days' WHERE key = '$key'");
	wait_sql($node, 'odoo', "SELECT count(*) FROM wa.daily_run WHERE scenario = '$key'", '1');
	return sql("SELECT concat_ws(' ', detail, error) FROM wa.daily_run WHERE scenario = '$key'");
}

sub define
{
	my ($name, $columns, $body) = @_;

	sql("BEGIN; DROP FUNCTION IF EXISTS office.$name; CREATE FUNCTION office.$name(record_id bigint, old jsonb, new jsonb)"
		  . " RETURNS TABLE (partner_id bigint, number text, params jsonb$columns) LANGUAGE plpgsql AS \$\$ $body \$\$; COMMIT");
	return;
}

# A scenario that listens to a table, and a daily one

my @examples = (<<'END_OF_FIRST', <<'END_OF_SECOND');
CREATE SCHEMA office;
CREATE FUNCTION office.invoice_overdue(record_id bigint, old jsonb, new jsonb)
RETURNS TABLE (partner_id bigint, number text, params jsonb)
LANGUAGE sql STABLE AS $$
    SELECT i.partner_id, NULL, jsonb_build_object('invoice', i.name, 'amount', i.amount_total)
      FROM public.account_move AS i
     WHERE i.id = record_id AND new ->> 'payment_state' = 'overdue'
       AND old ->> 'payment_state' IS DISTINCT FROM 'overdue'
$$;
SELECT wa_set_template('invoice_overdue', '{"name": "Tagihan jatuh tempo",
    "body": "Yth. {{partner_name}}, tagihan {{invoice}} sebesar {{amount}} telah jatuh tempo. Terima kasih.",
    "parameters": ["partner_name", "invoice", "amount"]}');
INSERT INTO wa.scenario (key, name, watch, template_key, composer)
VALUES ('invoice_overdue', 'Tagihan jatuh tempo', 'public.account_move', 'invoice_overdue', 'office.invoice_overdue');
INSERT INTO wa.watch (relation, owner, columns) VALUES ('public.account_move', 'odoo', '{payment_state}');
SELECT * FROM wa_setup();                        -- attaches the table; owner: the role that owns it
END_OF_FIRST
CREATE FUNCTION office.invoice_reminder(record_id bigint, old jsonb, new jsonb)
RETURNS TABLE (partner_id bigint, number text, params jsonb, res_id bigint, once text, precondition jsonb)
LANGUAGE sql STABLE AS $$
    SELECT i.partner_id, NULL, jsonb_build_object('invoice', i.name, 'amount', i.amount_total), i.id,
           i.id || ', due ' || i.invoice_date_due,          -- once for each date
           '{"payment_state": "overdue"}'::jsonb
      FROM public.account_move AS i
     WHERE i.payment_state = 'overdue' AND i.invoice_date_due < (new ->> 'day')::date - 14
$$;
INSERT INTO wa.scenario (key, name, watch, template_key, composer, daily_at, weekdays)
VALUES ('invoice_reminder', 'Pengingat tagihan', 'public.account_move', 'invoice_overdue',
        'office.invoice_reminder', '10:00', '{1,2,3,4,5}');
END_OF_SECOND

sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql('CREATE TABLE account_move (id bigint PRIMARY KEY, partner_id integer, name text, payment_state text,'
	  . ' amount_total numeric, invoice_date_due date)');
sql($_) foreach @examples;
no_pacing($node, 'odoo');
sql("UPDATE wa.scenario SET active = key LIKE 'invoice%'; SELECT wa_set('language', 'en')");
sql("INSERT INTO account_move SELECT n, 18, 'INV/' || n, 'not_paid', 1000 * n, '2026-01-01' FROM generate_series(1, 30) AS n");
sql("UPDATE account_move SET payment_state = 'overdue' WHERE id = 1");
is(made('invoice_overdue'), '1 18', 'the first one works as it stands');

is(run_daily('invoice_reminder'), '1 queued', 'the second one is run by the calendar');
is(made('invoice_reminder'), '1 18', 'and tells whom the function returned');
is( sql("SELECT concat_ws(' ', res_model, precondition, event_id IS NULL, params ->> 'invoice') FROM wa.message WHERE scenario = 'invoice_reminder'"),
	'public.account_move {"payment_state": "overdue"} t INV/1', 'about that record, with what must still be so');
run_daily('invoice_reminder');
is(made('invoice_reminder'), '1 18', 'once for each key, on whatever day');
sql("UPDATE account_move SET invoice_date_due = '2026-02-02' WHERE id = 1");
is(sql("SELECT wa_run_scenario('invoice_reminder')") . '; ' . made('invoice_reminder'), '1; 1 18, 1 18', 'a new key is news, by hand too');

# Once a day to each person about each record, without a key
define('daily', ', res_id bigint', "BEGIN RETURN QUERY SELECT v.partner, NULL::text,"
	  . " jsonb_build_object('invoice', new ->> 'day', 'amount', 1), v.id FROM (VALUES (18::bigint, 7::bigint), (10, 7), (18, 8)) AS v(partner, id)"
	  . " WHERE record_id IS NULL AND old IS NULL; END");
sql("INSERT INTO wa.scenario (key, name, template_key, composer, daily_at, hours_from, hours_to) VALUES"
	  . " ('every_day', 'x', 'invoice_overdue', 'office.daily', '00:00', NULL, NULL)");
run_daily('every_day');
is(made('every_day'), '7 18, 7 10, 8 18', 'a daily scenario without a table');
is(sql("SELECT DISTINCT params ->> 'invoice' = ((now() AT TIME ZONE 'Asia/Jakarta')::date)::text FROM wa.message WHERE scenario = 'every_day'"),
	't', 'gets the day of the office');
run_daily('every_day');
sql("SELECT wa_run_scenario('every_day')");
is(made('every_day'), '7 18, 7 10, 8 18', 'tells nobody twice on one day');
sql("UPDATE wa.announced SET key = regexp_replace(key, '^day:every_day:....-..-..', 'day:every_day:2026-01-01')");
sql("SELECT wa_run_scenario('every_day')");
is(made('every_day'), '7 18, 7 10, 8 18, 7 18, 7 10, 8 18', 'but on the next one');
is(sql("SELECT count(*) FROM wa.announced WHERE key LIKE 'day:every_day:2026-01-01:%'"), '0', 'and forgets the days that are over');
$node->restart;
wait_sql($node, 'odoo', "SELECT count(*) FROM wa.daily_run WHERE scenario = 'every_day'", '1');
is(made('every_day'), '7 18, 7 10, 8 18, 7 18, 7 10, 8 18', 'a restart repeats nothing');

# Its guards
sql("UPDATE wa.scenario SET max_per_transaction = 2 WHERE key = 'every_day'; DELETE FROM wa.announced; DELETE FROM wa.message WHERE scenario = 'every_day'");
sql("SELECT wa_run_scenario('every_day')");
is(sql("SELECT string_agg(coalesce(reason, 'observe'), ', ' ORDER BY id) FROM wa.message WHERE scenario = 'every_day'"),
	'observe, observe, bulk', 'limits hold');
sql("DELETE FROM wa.announced; DELETE FROM wa.message WHERE scenario = 'every_day'; SELECT wa_mute('every_day', now() + interval '1 day')");
is(sql("SELECT wa_run_scenario('every_day')") . made('every_day'), '0', 'muted, it tells nobody');
is(sql("SELECT DISTINCT outcome FROM wa.event_outcome WHERE scenario = 'every_day' AND outcome <> 'already announced'"), 'muted', 'and says so');
sql("SELECT wa_mute('every_day', NULL)");

# What fails

define('daily', ', res_id bigint', "BEGIN RETURN QUERY VALUES (18::bigint, NULL::text, '{\"invoice\": 1}'::jsonb, 7::bigint),"
	  . " (18, NULL, '{\"invoice\": 1, \"amount\": 2}', 8); END");
sql("DELETE FROM wa.announced");
like(run_daily('every_day'), qr/; 1 of 2 rows failed: template .* asks for values .*amount/, 'a row that cannot be composed is noted');
is(made('every_day'), '8 18', 'and costs no other row');
is(sql("SELECT record_id || detail FROM wa.event_outcome WHERE outcome = 'error' AND scenario = 'every_day'") =~ /^7template/, 1, 'the outcome names it');
define('daily', ', res_id bigint', "BEGIN RAISE 'no such luck'; END");
is(run_daily('every_day'), 'no such luck', 'a run that fails is noted with its error');
is(sql("SELECT attempts || ' ' || (retry_at > now() + interval '9 minutes') FROM wa.daily_run WHERE scenario = 'every_day'"),
	'1 true', 'and is to be tried again in ten minutes');
foreach my $attempt (2, 3)
{
	sql("UPDATE wa.daily_run SET retry_at = now() WHERE scenario = 'every_day'; UPDATE wa.scenario SET name = name || '.'");
	wait_sql($node, 'odoo', "SELECT attempts FROM wa.daily_run WHERE scenario = 'every_day'", $attempt);
}
is(sql("SELECT retry_at IS NULL AND error IS NOT NULL FROM wa.daily_run WHERE scenario = 'every_day'"), 't', 'but not for ever');
like(error_of("SELECT wa_run_scenario('every_day')"), qr/ERROR:  no such luck/, 'by hand it is raised');
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'log: calendar'"), qr/every_day .*no such luck.*wa_run_scenario\('every_day'\)/, 'wa_check() tells it');
sql("UPDATE wa.daily_run SET attempts = 1, retry_at = now() + interval '1 hour' WHERE scenario = 'every_day'; DELETE FROM wa.announced");
define('daily', ', res_id bigint', "BEGIN RETURN QUERY SELECT 18::bigint, NULL::text, '{\"invoice\": 1, \"amount\": 2}'::jsonb, 9::bigint; END");
sql("SELECT wa_run_scenario('every_day')");
is(made('every_day') . sql("SELECT retry_at FROM wa.daily_run WHERE scenario = 'every_day'"), '8 18, 9 18', 'once it is mended, a person makes up for it');
is(sql("SELECT state FROM wa_check() WHERE item = 'log: calendar'"), 'ok', 'and wa_check() is content');
define('odd', ', colour text', 'BEGIN RETURN; END');
sql("UPDATE wa.scenario SET composer = 'office.odd' WHERE key = 'every_day'");
like(run_daily('every_day'), qr/returns a column "colour" that is none of res_model text, res_id bigint/, 'a column that it does not know');
sql("ALTER FUNCTION office.odd STRICT");
like(run_daily('every_day'), qr/must not be STRICT/, 'a function that would not be called');
sql("UPDATE wa.scenario SET composer = 'office.gone' WHERE key = 'every_day'");
like(run_daily('every_day'), qr/does not exist: office\.gone\(bigint, jsonb, jsonb\)/, 'one that is gone');
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'scenario every_day'"), qr/does not exist: office\.gone/, 'which wa_check() says as well');
sql("UPDATE wa.scenario SET active = false WHERE key = 'every_day'");

# The time limit; others go on

sql("UPDATE wa.scenario SET time_limit = '500 milliseconds' WHERE key = 'invoice_overdue';"
	  . " INSERT INTO wa.scenario (key, name, watch, template_key, composer) VALUES"
	  . " ('invoice_also', 'x', 'public.account_move', 'invoice_overdue', 'office.also')");
define('also', '', "BEGIN RETURN QUERY SELECT 10::bigint, NULL::text, '{\"invoice\": 1, \"amount\": 2}'::jsonb WHERE new ->> 'payment_state' = 'overdue'; END");
define('invoice_overdue', '', "BEGIN IF record_id = 2 THEN PERFORM pg_sleep(600); END IF;"
	  . " RETURN QUERY SELECT 18::bigint, NULL::text, '{\"invoice\": 1, \"amount\": 2}'::jsonb; END");
sql("UPDATE account_move SET payment_state = 'overdue' WHERE id IN (2, 3)");
is(made('invoice_overdue'), '1 18, 3 18', 'a function that sleeps does not hang the worker');
is(made('invoice_also'), '2 10, 3 10', 'another scenario about the same event has its say');
is(sql("SELECT record_id || ' ' || scenario || ': ' || error FROM wa.dead_letter"),
	'2 invoice_overdue: composer of scenario "invoice_overdue" took longer than its time limit of 500 ms', 'the dead letter says why');
define('invoice_overdue', '', "BEGIN BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; PERFORM pg_sleep(600); END");
sql("UPDATE account_move SET payment_state = 'overdue' WHERE id BETWEEN 4 AND 20");
is(sql("SELECT count(*) FROM wa.event WHERE record_id = 20 AND old IS NOT NULL"), '1', 'many slow ones');
is(made('invoice_also') =~ /20 10$/, 1, 'hold nothing up for long');
is(sql("SELECT count(*) || ' ' || count(*) FILTER (WHERE error LIKE '%was not called, because of what happened shortly before: composer%') FROM wa.dead_letter WHERE record_id > 3"),
	'17 15', 'after two of them the function is left alone');
like(error_of('SELECT wa_replay(event_id) FROM wa.dead_letter WHERE record_id = 2'), qr/took longer than its time limit/, 'a replay has the same limit');

# Replay: only what failed

define('invoice_overdue', ', once text', "BEGIN RETURN QUERY SELECT 18::bigint, NULL::text, '{\"invoice\": 1, \"amount\": 2}'::jsonb, record_id::text; END");
my $also = made('invoice_also');
is(sql('SELECT sum(wa_replay(event_id)) FROM wa.dead_letter'), '18', 'mended, all are replayed');
is(made('invoice_also'), $also, 'and what others made of the events is not made again');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'no dead letter is left');
sql("UPDATE account_move SET payment_state = 'paid' WHERE id = 2; UPDATE account_move SET payment_state = 'overdue' WHERE id = 2");
wait_read($node, 'odoo');
is(sql("SELECT count(*) FROM wa.message WHERE scenario = 'invoice_overdue' AND res_id = 2"), '1', '"once" holds for a scenario with a table too');

# A lock is no failure at once, and does not end the worker
my $locker = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
sql('CREATE TABLE office.rates (rate integer)');
define('invoice_overdue', '', "BEGIN PERFORM FROM office.rates; RETURN QUERY SELECT 18::bigint, NULL::text, '{\"invoice\": 1, \"amount\": 2}'::jsonb; END");
sql("UPDATE wa.scenario SET time_limit = '5 seconds' WHERE key = 'invoice_overdue'");
$locker->do('BEGIN; LOCK TABLE office.rates');
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
sql("UPDATE account_move SET payment_state = 'overdue' WHERE id = 21");
ok(wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
	  . " WHERE NOT l.granted AND l.relation = 'office.rates'::regclass AND a.backend_type = 'sicantik_wa worker'"), 'it meets a lock');
$locker->do('COMMIT');
is(made('invoice_overdue') =~ /21 18$/ . sql('SELECT count(*) FROM wa.dead_letter'), '10', 'and is called again when that is gone');
is(sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'"), $pid, 'by the same worker');

# Explanations

like(sql(q{SELECT string_agg(what, ' | ') FROM wa_explain('invoice_overdue', 18, '{"invoice": "INV/1", "amount": 1000}')}),
	qr/tagihan INV\/1 sebesar 1000 telah jatuh tempo/, 'wa_explain() shows the text');
like(sql(q{SELECT string_agg(what, ' | ') FROM wa_explain('invoice_overdue', 18, '{"invoice": "INV/1"}')}),
	qr/amount/, 'and names a value that is missing');
like(sql("SELECT string_agg(what, ' | ') FROM wa_why((SELECT min(id) FROM wa.message WHERE scenario = 'invoice_overdue'))"),
	qr/invoice_overdue.*public\.account_move 1/, 'wa_why() names scenario and record');
define('invoice_overdue', '', "BEGIN RAISE 'no such luck'; END");
sql("UPDATE account_move SET payment_state = 'overdue' WHERE id = 22");
wait_read($node, 'odoo');
foreach my $about ('INV/22', 'partner 18', 'account.move 22', 'account_move 22', 'public.account_move 22')
{
	like(sql("SELECT string_agg(what, ' | ') FROM wa_history('$about')"), qr/no such luck/, "wa_history('$about') finds an event without message");
}
unlike(sql("SELECT string_agg(what, ' | ') FROM wa_history('INV/23')"), qr/no such luck/, 'and not those of others');

# A STABLE function that waited for its table to be written anew would find it empty
sql("UPDATE account_move SET payment_state = 'overdue' WHERE id = 24");
wait_read($node, 'odoo');
define('invoice_overdue', '', "BEGIN RETURN QUERY SELECT 18::bigint, NULL::text, '{\"invoice\": 1, \"amount\": 2}'::jsonb FROM public.account_move WHERE id = record_id; END");
sql('ALTER FUNCTION office.invoice_overdue STABLE; ALTER TABLE account_move ADD COLUMN note integer');
$locker->do('BEGIN; ALTER TABLE account_move ALTER COLUMN note TYPE bigint');
like(error_of("SELECT wa_replay(event_id) FROM wa.dead_letter WHERE record_id = 24 AND scenario = 'invoice_overdue'"),
	qr/table "public.account_move" is locked at the moment/, 'its function is not called meanwhile');
$locker->do('COMMIT');
is(sql("SELECT wa_replay(event_id) FROM wa.dead_letter WHERE record_id = 24 AND scenario = 'invoice_overdue'"), '1', 'but when that is over');

# A backup

my $dump = $node->backup_dir . '/odoo.dump';
$node->command_ok([ 'pg_dump', '-U', 'odoo', '-Fc', '-f', $dump, 'odoo' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy OWNER odoo TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-U', 'odoo', '--no-owner', '-d', 'copy', $dump ], 'pg_restore');
is( sql("SELECT string_agg(key || ' ' || composer || ' ' || time_limit, ', ' ORDER BY key COLLATE \"C\") FROM wa.scenario WHERE composer LIKE '%.%'", 'copy'),
	sql("SELECT string_agg(key || ' ' || composer || ' ' || time_limit, ', ' ORDER BY key COLLATE \"C\") FROM wa.scenario WHERE composer LIKE '%.%'"),
	'own scenarios are in the copy');
is(sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'account_move'::regclass", 'copy'), '1', 'with the trigger');
is(sql("SELECT scenario FROM wa.dead_letter", 'copy'), 'invoice_overdue', 'and the dead letter');
define('invoice_overdue', '', 'BEGIN RETURN; END');
$node->safe_psql('copy', "CREATE OR REPLACE FUNCTION office.invoice_overdue(record_id bigint, old jsonb, new jsonb)"
	  . " RETURNS TABLE (partner_id bigint, number text, params jsonb) LANGUAGE sql"
	  . " AS \$\$ SELECT 18::bigint, NULL::text, '{\"invoice\": 1, \"amount\": 2}'::jsonb \$\$");
sql("SELECT wa_arm('copy')", 'copy');
is(sql('SELECT wa_replay(event_id) FROM wa.dead_letter', 'copy'), '1', 'which can be replayed there');
sql("UPDATE account_move SET payment_state = 'overdue' WHERE id = 23", 'copy');
ok(wait_sql($node, 'copy', "SELECT count(*) FROM wa.message WHERE scenario = 'invoice_overdue' AND res_id = 23", '1'),
	'and a change makes a message');

done_testing();

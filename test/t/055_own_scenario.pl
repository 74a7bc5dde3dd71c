# Scenarios of the DBA's own: one SQL function and one row of wa.scenario make
# a notification out of any table, with everything that the built-in ones have.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
load_odoo($node, 'odoo');

# Everything is done as the owner of the database, who is no superuser.
sub as_odoo
{
	my ($sql) = @_;
	my ($code, $out, $err) = $node->psql('odoo', $sql,
		extra_params => [ '-U', 'odoo', '-v', 'ON_ERROR_STOP=1' ]);

	die "$sql: $err" if $code != 0;
	return $out;
}

sub messages
{
	my ($where) = @_;

	wait_read($node, 'odoo');
	return as_odoo(
		"SELECT count(*) FROM wa.message WHERE scenario LIKE 'invoice%' AND $where");
}

as_odoo('CREATE EXTENSION sicantik_wa');
as_odoo('SELECT count(*) FROM wa_setup()');
as_odoo("SELECT wa_configure('fonnte', '"
	  . provider_settings($sim, 'fonnte') . "')");
no_pacing($node, 'odoo');
as_odoo("SELECT count(*) FROM wa_test_connection('fonnte')");
as_odoo("SELECT wa_arm('odoo')");

# One like that of docs/scenarios.md
as_odoo(<<'SQL');
CREATE TABLE account_invoice (id bigint PRIMARY KEY, partner_id integer, name text,
    state text, amount numeric, phone text);

CREATE SCHEMA office;
CREATE FUNCTION office.invoice_overdue(record_id bigint, old jsonb, new jsonb)
RETURNS TABLE (partner_id bigint, number text, params jsonb)
LANGUAGE sql STABLE AS $$
    SELECT i.partner_id, i.phone, jsonb_build_object('invoice', i.name, 'amount', i.amount)
      FROM public.account_invoice AS i
     WHERE i.id = record_id AND new ->> 'state' = 'overdue'
       AND old ->> 'state' IS DISTINCT FROM 'overdue'
$$;

SELECT wa_set_template('invoice_overdue', '{"name": "Tagihan",
    "body": "Yth. {{partner_name}}, tagihan {{invoice}} sebesar {{amount}} telah jatuh tempo. Terima kasih.",
    "parameters": ["partner_name", "invoice", "amount"]}');
INSERT INTO wa.scenario (key, name, watch, template_key, composer, hours_from, hours_to)
    VALUES ('invoice_overdue', 'Tagihan jatuh tempo', 'public.account_invoice', 'invoice_overdue',
            'office.invoice_overdue', NULL, NULL);
INSERT INTO wa.watch (relation, owner, columns)
    VALUES ('public.account_invoice', 'odoo', '{state}');
SELECT count(*) FROM wa_setup();
INSERT INTO account_invoice SELECT n, 18, 'INV/' || n, 'open', 1000 * n FROM generate_series(1, 9) AS n;
SQL
is(as_odoo('SELECT count(*) FROM pg_trigger WHERE tgrelid = '
		  . "'account_invoice'::regclass"),
	'1', 'wa_setup() attaches a table that wa.watch names');
is(messages('true'), '0', 'a function that returns no row sends nothing');

as_odoo("UPDATE account_invoice SET state = 'overdue' WHERE id = 1");
wait_read($node, 'odoo');
my $name = as_odoo('SELECT name FROM res_partner WHERE id = 18');
my $id = as_odoo("SELECT id FROM wa.message WHERE scenario = 'invoice_overdue'");
wait_state($node, 'odoo', $id, 'sent');
my ($sent) = $sim->accepted('fonnte');
is( $sent->{message},
	"Yth. $name, tagihan INV/1 sebesar 1000 telah jatuh tempo. Terima kasih.",
	'the contact that the function names gets the template with its values');
is( as_odoo("SELECT concat_ws(' ', partner_id, res_model, res_id, expires_at IS NOT NULL) "
		  . "FROM wa.message WHERE id = $id"),
	'18 public.account_invoice 1 t',
	'the ledger names contact and record, and it has a time-to-live');

as_odoo("UPDATE account_invoice SET amount = 5 WHERE id = 1");
as_odoo("BEGIN; UPDATE account_invoice SET state = 'overdue' WHERE id = 2; ROLLBACK");
is(messages('true'), '1', 'other columns and what is rolled back send nothing');

as_odoo("UPDATE account_invoice SET state = 'overdue', partner_id = NULL, phone = '0812-1111-2222' WHERE id = 3");
is(messages("res_id = 3 AND number = '6281211112222' AND state IN ('queued', 'sending', 'skipped', 'held', 'sent')"),
	'0', 'without a contact the template lacks a name: no message');
like(as_odoo('SELECT error FROM wa.dead_letter WHERE record_id = 3'),
	qr/asks for values .* partner_name/, '  but a dead letter says so');
as_odoo("UPDATE account_invoice SET state = 'overdue', phone = '0812-1111-2222' WHERE id = 4");
is(messages("res_id = 4 AND number = '6281211112222' AND number_source = 'composer'"),
	'1', 'the number that the function gives wins over the contact\'s');

# What goes wrong stays with its event
sub redefine
{
	my ($body) = @_;

	as_odoo('CREATE OR REPLACE FUNCTION office.invoice_overdue(record_id bigint, old jsonb, new jsonb)'
		  . ' RETURNS TABLE (partner_id bigint, number text, params jsonb) LANGUAGE plpgsql AS $$ '
		  . $body . ' $$');
	return;
}
redefine("BEGIN IF record_id = 5 THEN RAISE 'no such luck'; END IF;"
	  . " RETURN QUERY SELECT 18::bigint, NULL::text, jsonb_build_object('invoice', current_user, 'amount', 1); END");
as_odoo("UPDATE account_invoice SET state = 'overdue' WHERE id IN (5, 6)");
is(messages("res_id = 6 AND params ->> 'invoice' = 'odoo'"),
	'1', 'it runs as the owner of the database');
is(as_odoo('SELECT error FROM wa.dead_letter WHERE record_id = 5'),
	'no such luck', 'an error of the function is a dead letter; other events go on');

redefine("BEGIN CREATE TEMPORARY TABLE t (); RETURN; END");
as_odoo("UPDATE account_invoice SET state = 'overdue' WHERE id = 7");
wait_read($node, 'odoo');
like(as_odoo('SELECT error FROM wa.dead_letter WHERE record_id = 7'),
	qr/within security-restricted operation/, 'it runs in a restricted context');

$node->safe_psql('odoo',
	"CREATE SCHEMA secret; GRANT USAGE ON SCHEMA secret TO PUBLIC; CREATE FUNCTION secret.f(bigint, jsonb, jsonb)"
	  . " RETURNS TABLE (partner_id bigint, number text, params jsonb)"
	  . " SECURITY DEFINER LANGUAGE sql AS 'SELECT 18::bigint, null::text, null::jsonb';"
	  . " REVOKE EXECUTE ON FUNCTION secret.f FROM PUBLIC");
as_odoo("UPDATE wa.scenario SET composer = 'secret.f' WHERE key = 'invoice_overdue'");
as_odoo("UPDATE account_invoice SET state = 'overdue' WHERE id = 8");
wait_read($node, 'odoo');
like(as_odoo('SELECT error FROM wa.dead_letter WHERE record_id = 8'),
	qr/may not execute the composer/,
	'a function that the owner may not execute is not called');
is(messages('res_id IN (5, 7, 8)'), '0', 'none of these has sent anything');

as_odoo("UPDATE wa.scenario SET composer = 'office.gone' WHERE key = 'invoice_overdue'");
as_odoo("UPDATE account_invoice SET state = 'overdue' WHERE id = 9");
wait_read($node, 'odoo');
like(as_odoo('SELECT error FROM wa.dead_letter WHERE record_id = 9'),
	qr/does not exist: office\.gone/, 'a function that is gone is named');

# What it returns is told before anything happens, too
foreach my $wrong ([ 'TABLE (partner_id bigint, number text)', 'tidak mengembalikan (partner_id bigint, number text, params jsonb)' ],
	[ 'TABLE (partner_id integer, number text, params jsonb)', 'tidak mengembalikan (partner_id bigint, number text, params jsonb)' ],
	[ 'jsonb', 'tidak mengembalikan (partner_id bigint, number text, params jsonb)' ],
	[ 'TABLE (partner_id bigint, number text, params jsonb, subject text)', 'kolom "subject"' ],
	[ 'TABLE (partner_id bigint, number text, params jsonb, once text)', '' ])
{
	my $told = as_odoo("BEGIN; CREATE FUNCTION office.gone(record_id bigint, old jsonb, new jsonb) RETURNS $wrong->[0] LANGUAGE plpgsql AS 'BEGIN END';"
		  . " SELECT state || coalesce(' ' || what_to_do, '') FROM wa_check() WHERE item = 'scenario invoice_overdue'; ROLLBACK");

	like($told, $wrong->[1] eq '' ? qr/^ok$/ : qr/^error .*\Q$wrong->[1]\E/, "wa_check() of a function that returns $wrong->[0]");
}

# So is a text that asks a built-in scenario for a value that it does not have.
foreach my $asks ([ 'remaining_days', 'error template "permit_ready" meminta nilai yang tidak dimiliki skenario "permit_ready": remaining_days' ],
	[ 'timestamp', 'ok' ], [ 'validity_period', 'ok' ])
{
	is(as_odoo(qq(BEGIN; DO \$\$ BEGIN PERFORM wa_set_template('permit_ready', '{"body": "Halo {{$asks->[0]}} dan seterusnya.", "parameters": ["$asks->[0]"]}'); END \$\$;)
			  . " SELECT state || coalesce(' ' || what_to_do, '') FROM wa_check() WHERE item = 'scenario permit_ready'; ROLLBACK"),
		$asks->[1], "wa_check() of a text with {{$asks->[0]}}");
}

# What must still be so when the message goes out
as_odoo(<<'SQL');
CREATE FUNCTION office.still(record_id bigint, old jsonb, new jsonb)
RETURNS TABLE (partner_id bigint, number text, params jsonb, precondition jsonb)
LANGUAGE sql STABLE AS $$
    SELECT 18, NULL, '{"invoice": 1, "amount": 2}'::jsonb, '{"state": "overdue", "phone": null}'::jsonb
     WHERE new ->> 'state' = 'overdue'
$$;
UPDATE wa.scenario SET composer = 'office.still' WHERE key = 'invoice_overdue';
UPDATE wa.provider SET active = false;
INSERT INTO account_invoice SELECT n, 18, 'INV/' || n, 'overdue', 1 FROM generate_series(100, 102) AS n;
SQL
wait_state($node, 'odoo', $_, 'queued')
  foreach split(/\n/, as_odoo('SELECT id FROM wa.message WHERE res_id >= 100'));
is(messages("res_id >= 100 AND state = 'queued'"), '3', 'three messages wait');
as_odoo("UPDATE account_invoice SET state = 'paid' WHERE id = 100;"
	  . " UPDATE account_invoice SET phone = '1' WHERE id = 101; UPDATE wa.provider SET active = true WHERE name = 'fonnte'");
ok(wait_sql($node, 'odoo', "SELECT bool_and(finished_at IS NOT NULL OR state = 'sent') FROM wa.message WHERE res_id >= 100"),
	'and go, or not');
is( as_odoo("SELECT string_agg(concat_ws(' ', res_id, state, reason, detail), '; ' ORDER BY res_id) FROM wa.message WHERE res_id IN (100, 101)"),
	'100 cancelled no_longer_true no longer true: state is paid, the message says overdue; '
	  . '101 cancelled no_longer_true no longer true: phone is 1, the message says empty',
	'what is not so any more is not told');
is(as_odoo('SELECT state FROM wa.message WHERE res_id = 102'), 'sent', 'what still is so, is');

done_testing();

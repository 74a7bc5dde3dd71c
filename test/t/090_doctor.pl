# wa_check() and the row "next" of wa_status() rest on the same findings: the
# recommended state is entirely green and there is nothing to do; whatever is
# amiss is named by both, the most serious thing first.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, instance => 'test-1');

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub next_step { return sql("SELECT concat_ws(' <- ', value, detail) FROM wa_status() WHERE item = 'next'"); }

# Rows of wa_check() that are not ok.
sub amiss
{
	return sql("SELECT item || ': ' || state || ': ' || coalesce(what_to_do, '') FROM wa_check() WHERE state <> 'ok'");
}

# Something is done, both see it and say it like this; undone, all is green.
sub seen
{
	my ($what, $do, $undo, $check, $next) = @_;

	sql($do);
	like(amiss(), $check, "$what: wa_check()");
	like(next_step(), $next, "$what: wa_status()");
	sql($undo);
	is(amiss(), '', "$what: green again");
	is(next_step(), 'nothing', "$what: nothing to do");
	return;
}

# What README.md and docs/operating.md recommend

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
like(next_step(), qr/^SELECT \* FROM wa_setup\(\) <- mode: /, 'first wa_setup()');
sql("SELECT FROM wa_setup(); SELECT wa_set('language', 'en')");
like(next_step(), qr/^SELECT wa_configure\('fonnte', .* <- providers: no provider can be used/, 'then a provider');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
like(next_step(), qr/^SELECT \* FROM wa_test_connection\('fonnte'\) <- providers: /, 'which is tested');
sql("SELECT FROM wa_test_connection('fonnte')");
like(next_step(), qr/^SELECT wa_set\('contact_dpmptsp', .* <- scenario permit_expiry_warning: /, 'then what the texts need');
sql("SELECT wa_set('contact_dpmptsp', '0812-0000-9999')");
like(next_step(), qr/^SELECT wa_arm\('odoo'\) <- mode: mode observe/, 'then arming');
sql("SELECT wa_arm('odoo')");
no_pacing($node, 'odoo');
is(amiss(), '', 'armed: every row of wa_check() is ok');
is(next_step(), 'nothing', 'and there is nothing to do');

# With Meta beside the gateway too, where consent chooses
sql("SELECT wa_configure('meta', '" . provider_settings($sim, 'meta') . "'); SELECT FROM wa_test_connection('meta')");
is(amiss(), '', 'Meta and a gateway, none of them the default: green');
is(next_step(), 'nothing', 'and there is nothing to do');

# What ordinary days bring is no warning
sql("INSERT INTO wa.message (template_key, state, reason) VALUES ('permit_ready', 'failed', 'recipient'), ('permit_ready', 'skipped', 'opted_out')");
is(amiss(), '', 'a number without WhatsApp is no fault');
seen('most numbers are refused',
	"INSERT INTO wa.message (template_key, state, reason) SELECT 'permit_ready', 'failed', 'recipient' FROM generate_series(1, 10)",
	'DELETE FROM wa.message', qr/^log: messages failed: warning: 11, reason /m, qr/^SELECT \* FROM wa_why\(\d+\) <- log: messages failed: 11/);

# One thing amiss

seen('a gateway as default where Meta is asked by consent',
	q{SELECT wa_configure('fonnte', '{"is_default": true}')}, q{SELECT wa_configure('fonnte', '{"is_default": false}')},
	qr/^default provider: warning: fonnte is the default .* meta is not asked/,
	qr/^SELECT wa_configure\('fonnte', '\{"is_default": false\}'\) <- default provider: /);
seen('a disabled trigger',
	'ALTER TABLE sicantik_permit DISABLE TRIGGER "00_sicantik_wa_row"', 'ALTER TABLE sicantik_permit ENABLE TRIGGER "00_sicantik_wa_row"',
	qr/^watched public\.sicantik_permit: error: /, qr/ <- watched public\.sicantik_permit: /);
seen('a template that Meta has refused',
	q{SELECT wa_map_template('permit_ready', 'meta', '{"name": "izin_selesai_diproses"}');
	  UPDATE wa.template_mapping SET status = 'error', last_error = 'The template is paused for its quality (Meta''s error 132015: Template is Paused).'},
	q{SELECT wa_map_template('permit_ready', 'meta', '{"status": "configured"}')},
	qr/^mappings: error: meta has refused template "permit_ready", so its notices go by others, or wait: The template is paused .*132015.*wa_map_template\('permit_ready', 'meta'/,
	qr/^SELECT wa_map_template\('permit_ready', 'meta', .*<- mappings: /);
seen('a group that Odoo has not', "SELECT wa_set('staff_group', 'sicantik.group_nobody')", "SELECT wa_set('staff_group', NULL)",
	qr/^groups: error: the group sicantik\.group_nobody does not exist in Odoo, so nobody of it is told/, qr/^SELECT wa_set\('staff_group', .*<- groups: /);
seen('a group of approvers that Odoo has not', "UPDATE wa.scenario SET approver_group = 'sicantik.heads' WHERE key = 'approval_required'",
	"UPDATE wa.scenario SET approver_group = 'sicantik_connector.group_head' WHERE key = 'approval_required'",
	qr/^groups: error: the group sicantik\.heads does not exist/, qr/^UPDATE wa\.scenario SET approver_group = .*<- groups: /);
seen('held messages',
	"INSERT INTO wa.message (template_key, state, reason) SELECT 'permit_ready', 'held', 'bulk' FROM generate_series(1, 26)",
	"DELETE FROM wa.message", qr/^log: messages held: warning: 26, reason .*\(bulk\)/, qr/ <- log: messages held: 26, /);
seen('a paused provider', "SELECT wa_pause('fonnte')", "SELECT wa_resume('fonnte')",
	qr/^provider fonnte: warning: paused by /, qr/^SELECT wa_resume\('fonnte'\) <- provider fonnte: paused by /);
seen('a dead letter',
	"INSERT INTO wa.dead_letter (event_id, relation, columns, new, event_at, error) VALUES (1, 'public.sicantik_permit', '{}', '{}', now(), 'no')",
	'DELETE FROM wa.dead_letter', qr/^log: dead letters: error: /, qr/^SELECT \* FROM wa\.dead_letter_view .*<- log: dead letters: /);
seen('a capture gap',
	"INSERT INTO wa.capture_gap (first_at, last_at, events, reason) VALUES (now(), now(), 3, 'locked')",
	'DELETE FROM wa.capture_gap', qr/^log: capture gaps: warning: 3 events/, qr/ <- log: capture gaps: /);
seen('another sender',
	"UPDATE ir_module_module SET state = 'installed' WHERE name = 'sicantik_whatsapp'",
	"UPDATE ir_module_module SET state = 'uninstalled' WHERE name = 'sicantik_whatsapp'",
	qr/^other sender: warning: module sicantik_whatsapp/, qr/^SELECT \* FROM wa_check\(\) <- other sender: /);
seen('mode observe', 'SELECT wa_disarm()', "SELECT wa_arm('odoo')", qr/^mode: warning: /, qr/wa_arm\('odoo'\) <- mode: /);

# What is over in a moment is no error

my $dba = SicantikWa::Session->new($node, 'odoo');
$dba->do('BEGIN; LOCK TABLE ir_config_parameter');
like(amiss(), qr/^mode: warning: Odoo's table ir_config_parameter is locked at the moment$/m, 'a table of Odoo\'s is locked');
unlike(amiss(), qr/: error: /, 'that is no error');
$dba->close;

# Where every gateway is paused, the words are true: not "not configured"

sql(q{SELECT wa_configure('meta', '{"is_default": true}')});
sql("UPDATE wa.template_mapping SET status = 'error', last_error = 'It is paused.'; SELECT wa_pause('fonnte')");
my $waits = sql("SELECT wa_send('permit_ready', 10, permit_id => 2)");
ok(wait_sql($node, 'odoo', "SELECT reason FROM wa.message WHERE id = $waits", 'no_provider'), 'it waits');
like(sql("SELECT detail FROM wa.message WHERE id = $waits"),
	qr/not meta: it has refused this template: It is paused\..*; not fonnte: paused by /, 'and says what it waits for');
like(amiss(), qr/^scenario permit_ready: warning: its messages wait, since fonnte is paused/m, 'as wa_check() does');
like(sql("SELECT detail FROM wa_status() WHERE item = 'waiting now'"), qr/^the oldest since \d{4}-.* \(\d\d:\d\d:\d\d\)$/, 'how long the oldest one has waited');
sql("SELECT wa_resume('fonnte')");
ok(wait_state($node, 'odoo', $waits, 'sent'), 'it goes when that is over');
sql("SELECT wa_configure('meta', '{\"is_default\": false}'); SELECT wa_map_template('permit_ready', 'meta', '{\"status\": \"configured\"}')");
is(next_step(), 'nothing', 'nothing to do');

# A worker that is there and does not answer

my $worker = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo'";

# stop_idle($backend_type): while it waits for work, for elsewhere it may hold what
# everybody else waits for
sub stop_idle
{
	my ($backend_type) = @_;
	my $idle = "SELECT pid FROM pg_stat_activity WHERE backend_type = '$backend_type' AND wait_event_type = 'Extension'";

	while ($node->poll_query_until('odoo', "SELECT count(*) = 1 FROM ($idle) AS i"))
	{
		my $pid = sql($idle) || next;

		kill 'STOP', $pid;
		return $pid if sql($idle) eq $pid;
		kill 'CONT', $pid;
	}
	die "no $backend_type is idle";
}
ok(wait_state($node, 'odoo', sql("SELECT wa_send_text('081299990001', 'Halo')"), 'sent'), 'a worker');
my $pid = stop_idle('sicantik_wa worker');
sql("SELECT wa_send_text('081299990002', 'Halo')");
ok( $node->poll_query_until('odoo', "SELECT what_to_do LIKE 'process $pid has given no sign of life for % s, though it is waited for: %kill -CONT $pid%' FROM wa_check() WHERE item = 'worker' AND state = 'error'"),
	'a worker that is stopped is named');
like(next_step(), qr/^ps .* $pid <- worker: process $pid /, 'by wa_status() as the first thing');
kill 'CONT', $pid;
ok($node->poll_query_until('odoo', "SELECT count(*) = 0 FROM wa_check() WHERE state <> 'ok'"), 'it comes round again');

# The same of the launcher, which is to start one
$node->safe_psql('odoo', "ALTER SYSTEM SET sicantik_wa.worker_idle_timeout = '1s'");
$node->reload;
ok($node->poll_query_until('odoo', "SELECT count(*) = 0 FROM ($worker) AS w"), 'the worker leaves');
$pid = stop_idle('sicantik_wa launcher');
sql("SELECT wa_send_text('081299990003', 'Halo')");
ok($node->poll_query_until('odoo', "SELECT what_to_do LIKE 'process $pid has given no sign of life%' FROM wa_check() WHERE item = 'worker'"),
	'a launcher that is stopped is named');
kill 'CONT', $pid;
ok($node->poll_query_until('odoo', "SELECT count(*) = 0 FROM wa_check() WHERE state <> 'ok'"), 'it goes on as well');

# Several: the most serious one

sql("INSERT INTO wa.message (template_key, state, reason) VALUES ('permit_ready', 'held', 'bulk')");
like(next_step(), qr/<- log: messages held: /, 'a held message');
sql("SELECT wa_pause('fonnte')");
like(next_step(), qr/<- provider fonnte: /, 'a paused provider is worse');
sql("INSERT INTO wa.dead_letter (event_id, relation, columns, new, event_at, error) VALUES (1, 'public.sicantik_permit', '{}', '{}', now(), 'no')");
like(next_step(), qr/<- log: dead letters: /, 'an event that cannot be composed is worse');
sql("UPDATE wa.provider SET state = 'error', last_error = 'gone' WHERE name = 'meta'");
like(next_step(), qr/<- providers: no provider can be used/, 'that no provider can be used is worse');
sql('ALTER TABLE sicantik_permit DISABLE TRIGGER "00_sicantik_wa_row"');
like(next_step(), qr/<- watched public\.sicantik_permit: /, 'changes that are not recorded are worse');
$node->append_conf('postgresql.conf', 'sicantik_wa.enabled = off');
$node->reload;
ok($node->poll_query_until('odoo', "SELECT value LIKE 'set sicantik\\_wa.enabled to on%' FROM wa_status() WHERE item = 'next'"),
	'and worst of all is what is switched off');
sql("SELECT wa_set('language', 'id')");
like(next_step(), qr/^ubah sicantik_wa\.enabled menjadi on .* <- library: sicantik_wa\.enabled bernilai off/, 'in the language of the office');

$node->stop;
$sim->stop;
done_testing();

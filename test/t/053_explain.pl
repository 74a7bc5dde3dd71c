# Why did this citizen not get the message?  wa_why(), wa_history(),
# wa_explain() and wa_check() answer in words; wa_replay() composes what could
# not be composed.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => 'sicantik_wa.worker_idle_timeout = 3600');

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub told
{
	my ($call, $role) = @_;
	my ($code, $out, $err) = $node->psql('odoo',
		"SELECT string_agg(what, E'\\n') FROM $call",
		extra_params => $role ? [ '-U', $role ] : []);

	diag($err) if $code != 0;
	return $out;
}

sub checked
{
	my ($item) = @_;

	return sql("SELECT string_agg(concat_ws(': ', state, what_to_do), E'\\n') FROM wa_check() WHERE item = '$item'");
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql("SELECT wa_set('language', 'en')");
like(checked('watched'), qr/^error: no table is watched: SELECT \* FROM wa_setup\(\)/,
	'before wa_setup() the doctor says what is missing');
sql('SELECT * FROM wa_setup()');
like(checked('providers'), qr/^error: no provider can be used/, 'no provider yet');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
like(checked('provider fonnte'), qr/^warning: not tested yet: .*wa_test_connection\('fonnte'\)/,
	'an untested provider');
sql("SELECT wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
is(checked('provider fonnte'), 'ok', 'a usable provider');
like(checked('mode'), qr/^warning: mode observe: .*wa_arm\('odoo'\)/, 'mode observe');
like(checked('instance'), qr/^warning: sicantik_wa.instance is not set/,
	'a physical copy could not be told apart');
sql("SELECT wa_set('download_link', NULL)");
like(checked('scenario permit_ready'), qr/^error: .*setting download_link.*wa_set\('download_link'/,
	'a scenario whose text needs a setting');
is(checked('other sender'), 'ok', 'no other sender in this Odoo');

# Other senders.
sql("UPDATE ir_module_module SET state = 'installed' WHERE name = 'sicantik_whatsapp';
	 INSERT INTO ir_module_module (name, state) VALUES ('sicantik_notification_automation', 'installed');
	 INSERT INTO ir_config_parameter (key, value) VALUES ('sicantik_whatsapp.default_provider_id', '1');
	 INSERT INTO ir_cron (ir_actions_server_id, user_id, interval_number, interval_type, cron_name, active, nextcall)
	 VALUES (160, 1, 1, 'days', 'SICANTIK: Check Expiring Permits', true, now()),
			(161, 1, 1, 'minutes', 'SICANTIK: Process Notification Queue', false, now())");
my $senders = checked('other sender');
like($senders, qr/module sicantik_whatsapp .*empty "Default WhatsApp Provider"/, 'module sicantik_whatsapp');
like($senders, qr/sicantik_notification_automation .*archive its notification rules/, 'the automation module');
like($senders, qr/"SICANTIK: Check Expiring Permits" is active.*switch Active off/, 'an active job that sends');
unlike($senders, qr/Process Notification Queue|Sync Permits/, 'neither a stopped job nor the synchronisation');
like($senders, qr/default_provider_id is 1/, 'the default provider');
is(sql("SELECT count(*) FROM wa_setup() WHERE item = 'other sender'"), '4', 'wa_setup() names the same ones');

# The reach: the rows of the fixture, counted by hand.
sql("UPDATE sicantik_permit SET status = 'draft';
	 UPDATE sicantik_permit SET status = 'active', partner_id = 10, applicant_name = ' Budi SANTOSO' WHERE id = 1;
	 UPDATE sicantik_permit SET status = 'active', partner_id = 10, applicant_name = 'Budi' WHERE id = 2;
	 UPDATE sicantik_permit SET status = 'active', partner_id = NULL WHERE id = 3;
	 UPDATE sicantik_permit SET status = 'active', partner_id = 14 WHERE id = 4;
	 UPDATE sicantik_permit SET status = 'active', partner_id = 12 WHERE id = 5");
like(checked('reach'),
	qr/^ok: of 5 active permits 1 can be notified: 1 without partner, 1 without number, 1 name mismatch, 1 opted out or blacklisted/,
	'how many citizens can be told');
wait_read($node, 'odoo');

# Explain: sends nothing.
sql("SELECT wa_set('download_link', NULL)");
my $told = told("wa_explain('permit_ready', 10, permit_id => 2)");
like($told, qr/number 6281200000010, the first usable one, from res_partner.whatsapp_number/, 'the number and its column');
like($told, qr/route: fonnte: first usable gateway/, 'the route');
like($told, qr/\nnothing: values are missing: download_link.*wa_set\('download_link', '\.\.\.'\)$/, 'the setting that is missing');
sql("SELECT wa_set('download_link', 'https://izin.example.go.id/{registration_id}')");
$told = told("wa_explain('permit_ready', 10, permit_id => 2)");
like($told, qr/the text: .*503\/0002\/SIUP\/2026/s, 'the text');
like($told, qr/as plain text\nmode observe/, 'how and whether it would go');
sql("SELECT wa_map_template('permit_ready', 'fonnte', '{\"name\": \"izin_siap\", \"mode\": \"template\", \"parameters\": [\"permit_number\", \"partner_name\"]}')");
like(told("wa_explain('permit_ready', 10, permit_id => 2)"),
	qr/as template izin_siap, with the parameters \{"var1": ?"503\/0002\/SIUP\/2026", ?"var2": ?"Budi"\}/,
	'the parameters in the form and order of the provider');
sql("DELETE FROM wa.template_mapping WHERE provider = 'fonnte'");
like(told("wa_explain('permit_ready', 14)"), qr/nothing: no usable number; looked at: /, 'a contact without a number');
like(told("wa_explain('permit_ready', 12)"), qr/nothing: the contact has opted out/, 'a contact who opted out');
like(told("wa_explain('nonsense', 10)"), qr/no template "nonsense"; there are: .*permit_ready/, 'no such template');
# One verdict, in the last row.
my $verdict = qr/^(?:nothing(?: now)?:|it would wait|mode \w+:)/;
foreach my $case (
	[ "'permit_ready', 10, permit_id => 2", qr/^mode observe: by hand it would be sent/ ],
	[ "'permit_ready', 12, permit_id => 2", qr/^nothing: the contact has opted out in Odoo$/ ],
	[ "'permit_ready', 12", qr/^nothing: the contact has opted out in Odoo$/ ],
	[ "'permit_ready', 14", qr/^nothing: no usable number/ ],
	[ "'permit_ready', 10", qr/^nothing: values are missing: / ],
	[ "'permit_ready', 10, permit_id => -1", qr/^nothing: there is no permit -1$/ ],
	[ "'permit_ready', -1", qr/^nothing: there is no partner -1$/ ],
	[ "'nonsense', 10", qr/^nothing: there is no template "nonsense"/ ])
{
	my @lines = split /\n/, told("wa_explain($case->[0])");

	like($lines[-1], $case->[1], "the verdict on $case->[0]");
	is(scalar(grep { /$verdict/ } @lines), 1, '... and no other');
}
sql("SELECT wa_pause('fonnte')");
like(told("wa_explain('permit_ready', 10, permit_id => 2)"), qr/\nit would wait, until a provider can take it: [^\n]*$/,
	'nobody can take it now');
sql("SELECT wa_resume('fonnte')");

# To a number, and free text.
$told = told("wa_explain('permit_ready', '0812-9999-0001', permit_id => 2)");
like($told, qr/^number 6281299990001, what the sender gave\n/, 'the number that was given');
like($told, qr/route: fonnte.*the text: .*503\/0002\/SIUP\/2026.*as plain text\nmode observe/s, '... its route, the text of the permit, the verdict');
like(told("wa_explain_text(10, 'Berkas kurang satu.')"),
	qr/^number 6281200000010, the first .*route: fonnte: .*\nthe text: Berkas kurang satu\.\nas plain text\nmode observe: by hand it would be sent/s,
	'a free text to a contact');
like(told("wa_explain_text('0812 9999 0001', 'Halo')"), qr/^number 6281299990001, what .*\nthe text: Halo\n/s, '... and to a number');
like(told("wa_explain_text('12', 'Halo')"), qr/\nnothing: no usable number; looked at: 12$/, 'what is no number');
like(told("wa_explain_text(-1, 'Halo')"), qr/^nothing: there is no partner -1$/, 'no such contact');
sql("SELECT wa_opt_out('0812-9999-0002')");
like(told("wa_explain_text('0812-9999-0002', 'Halo')"), qr/\nnothing: [^\n]*opted out[^\n]*/, 'a number that wants nothing');
foreach my $case ([ "10, ' '", qr/the text is empty/ ], [ "10, repeat('x', 4097)", qr/the text is too long: 4097/ ], [ "NULL::bigint, 'x'", qr/partner_id and body must not be null/ ])
{
	my ($code, $out, $err) = $node->psql('odoo', "SELECT * FROM wa_explain_text($case->[0])");

	like($err, $case->[1], "wa_explain_text($case->[0]) is refused");
}
is(sql("SELECT count(*) FROM wa.message WHERE scenario IS NULL"), '0', 'nothing was queued');

# Why: a message with two attempts.
sql("SELECT wa_arm('odoo')");
$sim->fault({ provider => 'fonnte', kind => 'status', status => 500, times => 1 });
my $id = sql("SELECT wa_send('permit_ready', 10, permit_id => 2)");
wait_sql($node, 'odoo', "SELECT attempts >= 1 FROM wa.message WHERE id = $id");
sql("UPDATE wa.due SET due_at = now() WHERE message_id = $id");
wait_sql($node, 'odoo', "SELECT count(*) >= 1 FROM wa.attempt WHERE message_id = $id");
$told = told("wa_why($id)");
like($told, qr/^sent by hand by role \S+ \(template permit_ready\)\nabout sicantik.permit 2\nto partner 10\n/, 'who made it, for whom');
like($told, qr/to number 6281200000010, taken from res_partner.whatsapp_number/, 'the number and its source');
like($told, qr/\nroute: fonnte: .*\nattempt 1 through fonnte: [\w ]+ \(\w+\), HTTP 500/, 'route and attempt');
like($told, qr/\nstate now: /, 'the state');
sql("CREATE ROLE viewer LOGIN; SELECT wa_grant('viewer', 'view')");
$told = told("wa_why($id)", 'viewer');
like($told, qr/to number 6281\*+010,/, 'level view: the middle of the number is masked');
unlike($told, qr/6281200000010/, 'everywhere');
my $refused = sql("INSERT INTO wa.message (template_key, number, state, reason, detail) VALUES ('permit_ready', '6281200000099', 'failed',"
	  . " 'recipient', 'the number 6281200000099 is not on WhatsApp') RETURNING id");
is($node->safe_psql('odoo', "SELECT wa_result($refused) ->> 'error'", extra_params => [ '-U', 'viewer' ]),
	'the number 6281******099 is not on WhatsApp', 'in what a provider said, too');
is(sql("SELECT wa_result($refused) ->> 'error'"), 'the number 6281200000099 is not on WhatsApp', 'level admin sees it');
sql("UPDATE wa.message SET state = 'skipped', reason = 'observe', detail = 'mode observe: nothing is sent automatically before wa_arm()' WHERE id = $refused");
like(told("wa_why($refused)"), qr/^because: mode observe: nothing is sent automatically before wa_arm\(\)$/m, 'nothing is said twice');
my ($code, undef, $err) = $node->psql('odoo', 'SELECT * FROM wa_why(-1)');
like($err, qr/message -1 does not exist/, 'no such message');
sql("SELECT wa_set('language', 'id')");
like(told("wa_why($id)"), qr/^dikirim manual oleh peran .*\nkeadaan sekarang: /s, 'in Indonesian');
my $skipped = sql("SELECT wa_send('permit_ready', 14, permit_id => 2)");
like(told("wa_why($skipped)"), qr/sebab: kontak tidak mempunyai nomor .*\nyang dapat dilakukan: perbaiki nomor/s, 'a reason and what one can do');
sql("SELECT wa_set('language', 'en')");

# History, in any spelling.
foreach my $spelling ('0812-0000-0010', '+62 812 0000 0010', '6281200000010', 'partner 10', '10')
{
	like(told("wa_history('$spelling')"), qr/message $id: permit_ready, 6281200000010: /, "history of $spelling");
}
like(told("wa_history('503/0002/SIUP/2026')"), qr/found in Odoo: sicantik_permit 2 .*message $id: /s, 'history of a permit number');
like(told("wa_history('REG-2026-0002')"), qr/message $id: /, 'history of a registration id');
like(told("wa_history('0899-1234-5678')"), qr/^nothing is known about "0899-1234-5678"$/, 'an unknown number');

# Dead letters: a broken template; others go on.
sql("UPDATE sicantik_permit SET status = 'draft', permit_number = NULL WHERE id IN (2, 6)");
wait_read($node, 'odoo');
sql("UPDATE wa.template SET body = 'Kepada {{tidak_ada}}' WHERE key = 'permit_ready'");
sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/9002' WHERE id = 2");
wait_sql($node, 'odoo', 'SELECT count(*) = 1 FROM wa.dead_letter');
my $event = sql('SELECT event_id FROM wa.dead_letter');
like(checked('log: dead letters'), qr/^error: 1 events .*tidak_ada.*wa_replay/, 'the doctor names the dead letter');
like(told("wa_history('503/9002')"), qr/event $event could not be composed: .*tidak_ada.*wa_replay\($event\)/, 'and so does the history');
($code, undef, $err) = $node->psql('odoo', "SELECT wa_replay($event)");
like($err, qr/tidak_ada/, 'replay without mending raises the error');
is(sql('SELECT count(*) FROM wa.dead_letter'), '1', 'and keeps the dead letter');
sql("SELECT wa_set_template('permit_ready', '{\"body\": \"Kepada {{partner_name}}, izin {{permit_number}} siap.\", \"parameters\": [\"partner_name\", \"permit_number\"]}')");
my $made = sql("SELECT wa_replay($event)");
is(sql("SELECT count(*) FILTER (WHERE scenario = 'permit_ready') || ' of ' || count(*) FROM wa.message WHERE event_id = $event"),
	"1 of $made", 'after mending it makes the messages, and says how many');
is(sql("SELECT count(*) FROM wa.dead_letter"), '0', 'and the dead letter is gone');
like(sql("SELECT body FROM wa.message WHERE event_id = $event AND scenario = 'permit_ready'"), qr/503\/9002 siap/, 'with the mended text');
($code, undef, $err) = $node->psql('odoo', "SELECT wa_replay($event)");
like($err, qr/event $event is no dead letter/, 'a second time there is none');
($code, undef, $err) = $node->psql('odoo', "SELECT wa_replay($event)", extra_params => [ '-U', 'viewer' ]);
like($err, qr/permission denied/, 'replay needs level admin');

# What gives way to another message is not even written.
my $mended = sql("SELECT body FROM wa.template WHERE key = 'status_update'");
sql("UPDATE wa.template SET body = 'Kepada {{tidak_ada}}' WHERE key = 'status_update'");
sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/9006' WHERE id = 6");
wait_read($node, 'odoo');
is(sql("SELECT (SELECT string_agg(scenario, ',') FROM wa.message WHERE params ->> 'permit_number' = '503/9006')"
		  . " || (SELECT count(*) FROM wa.dead_letter)"), 'permit_ready0', 'a text that nobody would get may be broken');
$node->safe_psql('odoo', "UPDATE wa.template SET body = \$text\$$mended\$text\$ WHERE key = 'status_update'");

# A locked table is told, nobody waits.
my $session = SicantikWa::Session->new($node, 'odoo');
$session->do('BEGIN; LOCK TABLE sicantik_permit IN ACCESS EXCLUSIVE MODE');
like(checked('reach'), qr/^warning: table sicantik_permit is locked/, 'the doctor does not wait for a lock');
like(told("wa_history('0812-0000-0010')"), qr/sicantik_permit: locked, not searched.*message $id/s, 'nor does the history');
$session->do('ROLLBACK');
$session->close;

# A table that raises an error is told as well.
sql("CREATE FUNCTION refuse() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''not for you''; END';
	 ALTER TABLE sicantik_permit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	 CREATE POLICY refuse ON sicantik_permit USING (refuse())");
like(told("wa_history('0812-0000-0010')"), qr/^note: sicantik_permit: could not be searched: reading table public\.sicantik_permit failed: not for you\n.*message $id: /ms,
	'a policy does not end the history');
sql('DROP POLICY refuse ON sicantik_permit; ALTER TABLE sicantik_permit DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY');

$node->stop;
$sim->stop;
done_testing();

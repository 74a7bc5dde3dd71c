# What an office sets and reads: a setting that comes late, a daily run by
# hand, the policy of a scenario by a role of level admin, and the views for
# every level.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
my $today = "(now() AT TIME ZONE 'Asia/Jakarta')::date";

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub as { my ($role, $sql) = @_; my ($code, $out, $err) = $node->psql('odoo', $sql, connstr => $node->connstr('odoo') . " user=$role"); return "$out|$err"; }
sub col { return sql("SELECT $_[1] FROM wa.message WHERE id = $_[0]"); }
sub why { return sql("SELECT string_agg(what, E'\\n') FROM wa_why($_[0])"); }
sub comes_true { return ok(wait_sql($node, 'odoo', "SELECT $_[0]"), $_[1]); }
sub becomes { return ok(wait_state($node, 'odoo', $_[0], $_[1]), $_[2]); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
my $setup = sql("SELECT item || ': ' || action || ': ' || detail FROM wa_setup() WHERE item LIKE 'setting %' AND action <> 'added'");
like($setup, qr/^setting contact_dpmptsp: not set: needed by .*permit_expiry_warning.*SELECT wa_set\('contact_dpmptsp', '\.\.\.'\)$/m,
	'wa_setup() names the settings that texts need and lack');
sql("SELECT wa_set('language', 'en')");
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
like(as('postgres', "SELECT wa_arm('odoo')"), qr/contact_dpmptsp/, 'so does wa_arm()');

# What was held for a setting is written when the setting comes

sub last_id { return sql('SELECT coalesce(max(id), 0) FROM wa.message'); }

# the baseline, then one permit that has reached a threshold
sql("SELECT wa_run_scenario('permit_expiry_warning')");
sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/7', expiry_date = $today + 30 WHERE id = 2;"
	  . " UPDATE sicantik_permit SET status = 'draft', expiry_date = NULL WHERE id <> 2");
is(sql("SELECT partner_id IS NOT NULL FROM sicantik_permit WHERE id = 2"), 't', 'a permit with a contact');
comes_true($ALL_READ, 'all is read');
my $before = last_id();
sql("SELECT wa_run_scenario('permit_expiry_warning')");
my $held = sql("SELECT id FROM wa.message WHERE id > $before AND scenario = 'permit_expiry_warning'");
is(col($held, "state || ' ' || reason || ' ' || (body IS NULL)"), 'held setting_missing true', 'an expiry warning is held for a setting');
like(why($held), qr/if the setting is set before this time, the text is written/, 'wa_why() says what comes');
like(why($held), qr/what one can do: set it with wa_set\(\)/, 'and what one can do');
like(as('postgres', "SELECT wa_retry($held)"), qr/^0\|.*state is held.*SELECT wa_set\('contact_dpmptsp', '\.\.\.'\); its text is written then/s, 'wa_retry() says what to do');
like(as('postgres', "SELECT wa_release($held)"), qr/^0\|.*without the setting contact_dpmptsp/s, 'wa_release() likewise');
like(as('postgres', "SELECT wa_release('permit_expiry_warning')"), qr/^0\|.*without the setting contact_dpmptsp.*without a setting goes by itself when wa_set\(\) has set it/s,
	'and of many it says the same');
# another one that will be too late
my $late = sql("INSERT INTO wa.message SELECT (jsonb_populate_record(m, jsonb_build_object('id', nextval('wa.message_id_seq'), 'expires_at', now() - interval '1 minute'))).*"
	  . " FROM wa.message AS m WHERE id = $held RETURNING id");
sql("INSERT INTO wa.unwritten VALUES ($late, 'contact_dpmptsp')");
# the values are those of then
sql("UPDATE sicantik_permit SET permit_number = '503/8' WHERE id = 2");
sql("SELECT wa_set('contact_dpmptsp', '0651-22334')");
becomes($held, 'superseded', 'the setting comes: another message takes its place');
like(col($held, 'detail'), qr/^message \d+ took its place: the setting "contact_dpmptsp" is set now$/, 'the ledger says so');
my ($new) = col($held, 'detail') =~ /^message (\d+)/;
comes_true("count(*) > 0 FROM wa.message WHERE id >= $new AND scenario = 'permit_expiry_warning' AND state = 'sent'", 'and it goes');
like(sql("SELECT string_agg(body, E'\\n') FROM wa.message WHERE id >= $new"), qr/0651-22334/, 'with the contact');
like(sql("SELECT string_agg(body, E'\\n') FROM wa.message WHERE id >= $new"), qr/503\/8/, 'and the number of the permit as it is then');
is(sql("SELECT event_id IS NOT DISTINCT FROM (SELECT event_id FROM wa.message WHERE id = $held) AND partner_id = (SELECT partner_id FROM wa.message WHERE id = $held)"
	  . " AND expires_at = (SELECT expires_at FROM wa.message WHERE id = $held) FROM wa.message WHERE id = $new"), 't', 'it is the same notification');
becomes($late, 'expired', 'what is past its time-to-live is not written');
like(col($late, 'detail'), qr/the setting "contact_dpmptsp" was set after the time-to-live had ended/, 'and says why');
is(sql('SELECT count(*) FROM wa.unwritten'), '0', 'nothing waits for a setting');

# many at once are as doubtful as ever; one that a person asks for is written
sql("SELECT wa_set('download_link', NULL); UPDATE wa.scenario SET max_per_transaction = 2 WHERE key = 'permit_ready'");
$before = last_id();
foreach my $permit (1, 3, 4)
{
	sql("UPDATE sicantik_permit SET partner_id = 10, applicant_name = (SELECT name FROM res_partner WHERE id = 10), status = 'active', permit_number = '503/1$permit', issue_date = $today, received_date = $today WHERE id = $permit");
}
comes_true("count(*) = 3 FROM wa.message WHERE id > $before AND scenario = 'permit_ready' AND state = 'held' AND reason = 'setting_missing'", 'three are held');
sql("SELECT wa_set('download_link', 'https://izin.contoh.go.id/{registration_id}')");
comes_true("count(*) = 3 FROM wa.message WHERE id > $before AND scenario = 'permit_ready' AND state = 'superseded'", 'the link comes');
is(sql("SELECT count(*) FROM wa.message WHERE id > $before AND scenario = 'permit_ready' AND state = 'held' AND reason = 'bulk' AND body LIKE '%izin.contoh.go.id%'"), '1',
	'one more than the limit stays held, with its text');
my $bulk = sql("SELECT id FROM wa.message WHERE id > $before AND scenario = 'permit_ready' AND reason = 'bulk'");
is(sql("SELECT wa_release('permit_ready', reason => 'bulk')"), '1', 'and is released');
becomes($bulk, 'sent', 'it goes');

# A run by hand is the run of its day

sql("DELETE FROM wa.daily_run; UPDATE wa.scenario SET active = true, weekdays = NULL, created_at = now() - interval '2 days', daily_at = NULL WHERE key = 'none'");
sql("UPDATE sicantik_document SET state = 'pending_signature', signer_id = 6, write_date = now() AT TIME ZONE 'UTC' - interval '3 days' WHERE id = 3");
sql("SELECT wa_run_scenario('reminder')");
is(sql("SELECT day = $today AND detail LIKE 'by hand: %' AND error IS NULL AND retry_at IS NULL FROM wa.daily_run WHERE scenario = 'reminder'"), 't',
	'a run by hand leaves its row in wa.daily_run');
my $reminded = sql("SELECT count(*) FROM wa.message WHERE scenario = 'reminder'");
cmp_ok($reminded, '>', 0, 'somebody was reminded');
sql("UPDATE wa.scenario SET weekdays = NULL, created_at = now() - interval '2 days', daily_at = '00:00' WHERE key IN ('reminder', 'permit_expiry_warning')");
comes_true("count(*) = 1 FROM wa.daily_run WHERE scenario = 'permit_expiry_warning' AND detail NOT LIKE 'by hand%'", 'the worker runs what is due');
is(sql("SELECT count(*) FROM wa.message WHERE scenario = 'reminder'"), $reminded, 'the reminder is not: nobody is told again');
is(sql("SELECT count(*) FROM wa.daily_run WHERE scenario = 'reminder' AND detail LIKE 'by hand%'"), '1', 'its day has been');
sql("UPDATE wa.daily_run SET error = 'broken', retry_at = now() + interval '1 hour' WHERE scenario = 'reminder'; SELECT wa_run_scenario('reminder')");
is(sql("SELECT error IS NULL AND retry_at IS NULL FROM wa.daily_run WHERE scenario = 'reminder'"), 't', 'a run by hand makes up for one that has failed on the same day');

# The policy of a scenario, by a role of level admin

sql("CREATE ROLE boss LOGIN; CREATE ROLE reporting LOGIN; CREATE ROLE stranger LOGIN; SELECT wa_grant('boss', 'admin'), wa_grant('reporting', 'view')");
sub set_scenario { my ($json, $key) = @_; return as('boss', "SELECT wa_set_scenario('" . ($key // 'status_update') . "', '$json')"); }
my ($row) = split /\|/, set_scenario('{"hours_from": "08:30", "hours_to": "16:00", "weekdays": [1, 2, 3], "max_per_hour": null, "news_days": 5, "time_to_live": "12 hours",'
	  . ' "staff_group": "base.group_user", "template_key": "permit_ready", "priority": "low", "active": false, "thresholds": [60, 10], "muted_until": "2099-01-01 08:00"}');
$row = decode_json($row);
is(join(' ', map { $row->{$_} // 'null' } qw(hours_from hours_to max_per_hour news_days time_to_live staff_group template_key priority)),
	'08:30:00 16:00:00 null 5 12:00:00 base.group_user permit_ready low', 'wa_set_scenario() answers with the row');
is(sql("SELECT concat_ws(' ', hours_from, weekdays, max_per_hour, active, thresholds, muted_until = '2099-01-01 08:00+07') FROM wa.scenario WHERE key = 'status_update'"),
	'08:30:00 {1,2,3} f {60,10} t', 'and has written it, times as the office reads them');
is(sql("SELECT concat_ws(' ', unknown_policy, fallback, exclusive, composer) FROM wa.scenario WHERE key = 'status_update'"), 'resend t t status_update', 'nothing else');
is(decode_json((split /\|/, set_scenario('{}'))[0])->{key}, 'status_update', 'with {} it shows the row');
my %refused = (
	'{"hour_from": "08:00"}' => qr/unknown setting "hour_from" of a scenario.*hours_from/s,
	'{"composer": "evil.f"}' => qr/"composer" is not a setting of a scenario/,
	'{"watch": "res_users"}' => qr/"watch" is not a setting of a scenario/,
	'{"hours_from": "25:00"}' => qr/setting "hours_from" must be a time of day/,
	'{"hours_from": "18:00"}' => qr/hours_from and hours_to must be set both or neither/,
	'{"hours_from": null}' => qr/hours_from and hours_to must be set both or neither/,
	'{"weekdays": [0]}' => qr/setting "weekdays" must be a list of integers between 1 and 7/,
	'{"weekdays": []}' => qr/setting "weekdays" must be a list of 1 to 7 integers/,
	'{"weekdays": "1"}' => qr/setting "weekdays" must be a list of integers/,
	'{"max_per_hour": -1}' => qr/setting "max_per_hour" must be an integer/,
	'{"max_per_day_and_number": 0}' => qr/setting "max_per_day_and_number" must be an integer/,
	'{"time_to_live": "31 days"}' => qr/setting "time_to_live" must be an interval of more than 0 and at most 30 days/,
	'{"time_to_live": "-1 day"}' => qr/setting "time_to_live" must be an interval of more than 0 and at most 30 days/,
	'{"time_to_live": null}' => qr/setting "time_to_live" must be set/,
	'{"template_key": "nope"}' => qr/template "nope" does not exist/,
	'{"priority": "urgent"}' => qr/setting "priority" must be one of high, normal, low/,
	'{"staff_group": "x"}' => qr/setting "staff_group" must be the external id of an Odoo group/,
	'{"muted_until": "soon"}' => qr/setting "muted_until" must be a time/,
	'{"daily_at": "09:00"}' => qr/scenario "status_update" is not a daily one/,
	'{"active": "yes"}' => qr/setting "active" must be true or false/,
	'[1]' => qr/settings must be a JSON object/);
like(set_scenario($_), $refused{$_}, "refused: $_") foreach sort keys %refused;
like(set_scenario('{}', 'nope'), qr/scenario "nope" does not exist.*status_update/s, 'an unknown scenario is an error that names the others');
like(set_scenario('{"daily_at": "09:30"}', 'reminder'), qr/"daily_at": "09:30:00"/, 'a daily one has its time');
like(set_scenario('{"daily_at": "24:00"}', 'reminder'), qr/setting "daily_at" must be a time of day before 24:00/, 'which is on its day');
like(as('reporting', "SELECT wa_set_scenario('reminder', '{}')"), qr/permission denied for sicantik_wa/, 'level view may not');

# The views

my @views = split /\n/, sql("SELECT c.oid::regclass FROM pg_class AS c WHERE relnamespace = 'wa'::regnamespace AND relkind = 'v' AND relname NOT LIKE '\\_%' ORDER BY 1");
cmp_ok(scalar @views, '>=', 12, 'the views are there');
foreach my $view (@views)
{
	like(as('stranger', "SELECT * FROM $view"), qr/^\|.*permission denied for sicantik_wa/s, "$view: not for a stranger");
	unlike(as('reporting', "SELECT * FROM $view"), qr/ERROR/, "$view: for level view");
	unlike(as('boss', "SELECT * FROM $view"), qr/ERROR/, "$view: for level admin");
}
my $sent = sql("SELECT id FROM wa.message WHERE state = 'sent' LIMIT 1");
my $partner = col($sent, 'partner_id');
my $number = col($sent, 'number');
foreach my $where ("id = $sent", 'id = 999999', "partner_id = $partner", 'partner_id = 999999')
{
	like(as('stranger', "SELECT state FROM wa.message_view WHERE $where"), qr/^\|.*permission denied/s, "a stranger does not learn whether $where");
}
like(as('reporting', "SELECT number FROM wa.message_view WHERE id = $sent"), qr/^\d{4}\*+\d{3}\|/, 'level view reads masked numbers');
like(as('boss', "SELECT number FROM wa.message_view WHERE id = $sent"), qr/^$number\|/, 'level admin reads them whole');
is(as('reporting', "SELECT count(*) FROM wa.message_view WHERE number = '$number'"), '0|', 'nor can level view ask for one');
like(as('reporting', "SELECT 1 FROM wa.message"), qr/permission denied for table message/, 'the table itself is the owner\'s');
sql("INSERT INTO wa.message (number, state, detail) VALUES ('6281299999999', 'failed', 'number 6281299999999 is unknown'); SELECT wa_set('alert_number', '6281299999999')");
# what people wrote, and what became of messages
sql("INSERT INTO wa.inbound (provider, received_at, said_at, number, name, kind, text) VALUES ('meta', now(), now(), '6281299999999', 'Budi 6281299999999', 'text', 'my number is 6281299999999')");
like(as('boss', 'SELECT number, name, kind, text FROM wa.inbound_view'), qr/^6281299999999\|Budi 6281299999999\|text\|my number is 6281299999999\|/, 'level admin reads what people wrote');
like(as('reporting', 'SELECT number, name, kind, text FROM wa.inbound_view'), qr/^6281\*+999\|Budi 6281\*+999\|text\|my number is 6281\*+999\|/, 'level view without their numbers');
sql("INSERT INTO wa.message (number, state, sent_at, delivered_at, read_at, failed_at, pricing) VALUES ('6281299999998', 'read', '2026-11-27 01:00Z', '2026-11-27 02:00Z', '2026-11-27 03:00Z', '2026-11-27 04:00Z', '{\"category\": \"utility\"}')");
is(as('reporting', "SELECT delivered_at - sent_at, read_at - sent_at, failed_at - sent_at, pricing ->> 'category' FROM wa.message_view WHERE pricing IS NOT NULL"),
	'01:00:00|02:00:00|03:00:00|utility|', 'and when messages arrived, and what they cost');
unlike(as('reporting', "SELECT * FROM $_"), qr/6281299999999/, "$_: no whole number") foreach @views;
# Meta's ids contain the recipient's number
my $wamid = 'wamid.HBgNNjI4MTI5OTk5OTk5ORUCABEYEjVGNDI1QTc0RjEzMDMzNDkyQQA=';
my $accepted = sql("INSERT INTO wa.message (number, state, provider, provider_message_id) VALUES ('6281299999999', 'sent', 'meta', '$wamid') RETURNING id");
sql("INSERT INTO wa.attempt (message_id, attempt, provider, started_at, outcome, response) VALUES ($accepted, 1, 'meta', now(), 'accepted', '{\"messages\":[{\"id\":\"$wamid\"}]}')");
foreach my $from ("wa.message_view WHERE id = $accepted", "wa.attempt_view WHERE message_id = $accepted", "wa_result($accepted)", "wa_why($accepted)")
{
	like(as('boss', "SELECT * FROM $from"), qr/\Q$wamid\E/, "level admin reads Meta's id: $from");
	like(as('reporting', "SELECT * FROM $from"), qr/^(?!.*NjI4MTI5OTk5OTk5O).*wamid\.\*+MDMzNDkyQQA=/s, "level view reads its end only: $from");
}
is(as('reporting', "SELECT sum(messages) = (SELECT count(*) FROM wa.message_view) FROM wa.figures WHERE day >= '2020-01-01'"), 't|', 'the figures are complete');
is(as('reporting', "SELECT sum(messages) > 0 FROM wa.figures WHERE day = $today AND scenario = 'permit_ready' AND state = 'sent'"), 't|', 'by day, scenario and state');
is(as('reporting', "SELECT min(sent_after_median) > '0' FROM wa.stat_delivery WHERE day = $today AND scenario = 'permit_ready'"), 't|', 'with the time to send');
like(as($_, 'SELECT * FROM wa._figure'), qr/permission denied for view _figure/, "what they read is nothing for $_") foreach qw(stranger reporting);
my $adrift = sql("INSERT INTO wa.message (number, number_source, body, state) VALUES ('6281288888888', 'given', 'hanyut', 'queued') RETURNING id");
is(as('reporting', 'SELECT id FROM wa.adrift'), "$adrift|", 'wa.adrift lists what nobody carries out');
is(as('boss', 'SELECT wa_retry(id) FROM wa.adrift'), '1|', 'for wa_retry()');
becomes($adrift, 'sent', 'and it goes');
is(as('reporting', 'SELECT count(*) FROM wa.adrift'), '0|', 'nothing is left');

# As odoo, the owner without a superuser's rights: backup and restore in one
# transaction into a server that has none of the roles
my $dir = PostgreSQL::Test::Utils::tempdir('dump');
my @connection = ('-h', $node->host, '-p', $node->port, '-U', 'odoo');
command_ok([ 'pg_dump', @connection, '--no-owner', '-Fc', '-f', "$dir/custom", 'odoo' ], 'pg_dump as odoo');
$node->safe_psql('postgres', 'CREATE DATABASE copy OWNER odoo TEMPLATE template0; ');
sql('REVOKE ALL ON SCHEMA public FROM boss, reporting; DROP ROLE boss, reporting');
command_ok([ 'pg_restore', @connection, '--no-owner', '-1', '-d', 'copy', "$dir/custom" ], 'pg_restore -1 as odoo');
is($node->safe_psql('copy', "SELECT count(*) = (SELECT count(*) FROM wa.message) FROM wa.message_view"), 't', 'and the views read what is there');

$node->stop;
$sim->stop;
done_testing();

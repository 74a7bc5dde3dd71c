# The worker plans each statement once, often while its tables have a few rows
# of which statistics have just been taken, and goes on with that plan when
# 20,000 messages wait.  What it reads must not depend on how many they are.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $many = 20_000;
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => "autovacuum = off\nsicantik_wa.worker_idle_timeout = 3600\nsicantik_wa.max_in_flight = 200");
my ($device, $secret) = @{ $sim->config->{fonnte} }{qw(device webhook_secret)};
my $session;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }

my $behind = '6281299999999';	# its first message has no answer

# What a worker does: sends, cancels and tries again, supersedes, replaces,
# announces, keeps later changes, skips, and hears of what it has sent.
sub traffic
{
	my ($first) = @_;
	my $number = "'62857' || to_char($first, 'FM00000000')";
	my $waits = "state IN ('queued', 'sending') AND (res_id BETWEEN $first AND $first + 9 OR number IN ($number, '62857' || to_char($first + 1, 'FM00000000')))";
	my $permit = sub {
		my ($id, $more) = @_;
		sql('SET sicantik_wa.capture = off; INSERT INTO sicantik_permit (id, registration_id, applicant_name, partner_id, status, is_renewal, permit_number)'
			  . " VALUES ($id, 'P-$id', 'Warga', $id, 'draft', $more); RESET sicantik_wa.capture");
	};
	my $over = sub { wait_for("$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE $waits)"); };

	sql("INSERT INTO res_partner (id, name, type, active, whatsapp_number) SELECT n, 'Warga', 'contact', true, '62857' || to_char(n, 'FM00000000')"
		  . " FROM generate_series($first, $first + 8) AS n; INSERT INTO res_partner (id, name, type, active) VALUES ($first + 9, 'Warga', 'contact', true)");
	$permit->($first + $_, 'false, NULL') foreach 0 .. 5, 9;
	$permit->($first + $_, 'true, NULL') foreach 6 .. 8;

	foreach my $id ($first .. $first + 1)
	{
		sql("SELECT wa_send_text('62857' || to_char($id, 'FM00000000'), 'oke')");
		$over->();
		sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'N' WHERE id = $id");
		$over->();
	}
	sql('SELECT wa_pause()');
	my $cancelled = sql("SELECT wa_send_text($number, 'oke')");
	foreach my $change ("status = 'active', permit_number = 'N'", "status = 'expired'", "status = 'active'", "permit_number = 'M'")
	{
		foreach my $id ($first + 2 .. $first + 9)
		{
			sql("UPDATE sicantik_permit SET $change WHERE id = $id");
		}
		wait_for("$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE $waits AND reason IS NULL)");
	}
	sql("UPDATE res_partner SET whatsapp_number = '62858' || to_char(id, 'FM00000000') WHERE id BETWEEN $first + 2 AND $first + 9");
	sql("SELECT wa_cancel($cancelled)");
	wait_for("(SELECT state FROM wa.message WHERE id = $cancelled) = 'cancelled'");
	sql('SELECT wa_resume(NULL)');
	$over->();
	sql("SELECT wa_retry($cancelled)");
	wait_for("(SELECT state FROM wa.message WHERE id = $cancelled) = 'sent'");
	$over->();
	my ($id, $message_number) = split /\|/, sql("SELECT provider_message_id, number FROM wa.message WHERE id = $cancelled");
	my $oldest = "SELECT provider_message_id FROM wa.message WHERE state = 'sent' ORDER BY id LIMIT 6";
	foreach my $told ((map { qq({"device": "$device", "id": "$_", "status": "sent"}) } split /\n/, sql($oldest)),
		qq({"device": "$device", "id": "$id", "stateid": "S$first", "status": "sent"}),
		qq({"device": "$device", "stateid": "S$first", "state": "read"}),
		qq({"device": "$device", "sender": "$message_number", "message": "ya", "inboxid": $first}),
		qq({"device": "$device", "sender": "$message_number", "message": "stop", "inboxid": 9$first}))
	{
		sql("SELECT wa_webhook('fonnte', convert_to('$told', 'UTF8'), NULL, '$secret')");
	}
	wait_for("(SELECT state FROM wa.message WHERE id = $cancelled) = 'read'"
		  . " AND EXISTS (SELECT FROM wa.contact WHERE number = '$message_number' AND opted_out_at IS NOT NULL)"
		  . ' AND NOT EXISTS (SELECT FROM wa.feedback WHERE due_at IS NOT NULL)');
	$over->();
	return;
}

# The worker leaves, so that what it counted is there, and another one begins.
sub stop_workers
{
	sql('ALTER SYSTEM SET sicantik_wa.enabled = off');
	sql('SELECT pg_reload_conf()');
	wait_for("NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker')");
	return;
}

sub start_worker
{
	sql('ALTER SYSTEM RESET sicantik_wa.enabled');
	sql('SELECT pg_reload_conf()');
	return;
}

sub end_worker
{
	stop_workers();
	start_worker();
	return;
}

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
# this session is not to read much, either
sql('SET enable_seqscan = off');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT wa_configure('fonnte', '{\"webhook_secret\": \"$secret\"}'); SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 10; UPDATE wa.scenario SET max_per_hour = NULL, max_per_transaction = NULL,"
	  . " max_per_day_and_number = NULL; SELECT wa_arm('odoo')");

sql("SELECT wa_send_text('6285711111111', 'oke')");
wait_for("(SELECT count(*) = 1 FROM wa.message WHERE state = 'sent')");
sql('VACUUM ANALYZE');
# all statements are planned in this one
end_worker();
traffic(3000);

# Not every contact is looked at for a bare number.
sql("INSERT INTO res_partner (id, name, type, active, phone_sanitized, whatsapp_number)"
	  . " SELECT 100000 + n, 'Warga', 'contact', true, '+62813' || to_char(n, 'FM00000000'), '62814' || to_char(n, 'FM00000000')"
	  . " FROM generate_series(1, $many) AS n; ANALYZE res_partner; SELECT pg_stat_reset()");
foreach my $n (1 .. 12)
{
	my $ids = sql("SELECT string_agg(wa_send_text('081' || 3 + i % 2 || to_char($n * 100 + i, 'FM00000000'), 'oke')::text, ', ') FROM generate_series(1, $n) AS i");
	wait_for("NOT EXISTS (SELECT FROM wa.message WHERE id IN ($ids) AND state <> 'sent')");
}
end_worker();
cmp_ok(sql("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'res_partner'::regclass"), '<', $many,
	'the contacts of a bare number are found without a look at all');
# And now there is much that waits, or has been said; of what may go now as much
# as is held in memory (25 for each request at one time), so that it is all known.
my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => $behind } });
sql("SELECT wa_send_text('$behind', 'oke')");
wait_for("EXISTS (SELECT FROM wa.message WHERE number = '$behind' AND state = 'sending')");
sql("CREATE TEMP TABLE filled AS SELECT nextval('wa.message_id_seq') AS id, n FROM generate_series(1, $many) AS n;"
	  . " INSERT INTO wa.message (id, scenario, state, number, res_model, res_id, event_id, partner_id, body, change, due_at)"
	  . " SELECT id, CASE WHEN n % 5 > 0 THEN 'status_update' END, 'queued', CASE WHEN n % 5 > 0 THEN '62859' || to_char(n, 'FM00000000') ELSE '$behind' END,"
	  . " 'sicantik.permit', 1000000 + n, n, 1000000 + n, 'oke', '{}', CASE WHEN n % 5 > 0 THEN now() + interval '1 year' END FROM filled;"
	  . " INSERT INTO wa.attempt (message_id, attempt, provider, started_at, outcome, provider_message_id)"
	  . " SELECT id, 1, 'fonnte', now(), 'accepted', 'F' || n FROM filled;"
	  . " INSERT INTO wa.status_pair (provider, pair_id, provider_message_id) SELECT 'fonnte', 'P' || n, 'F' || n FROM filled;"
	  . " INSERT INTO wa.inbound (provider, received_at, said_at, number, kind, provider_message_id) SELECT 'fonnte', now(), now(), '62859' || to_char(n, 'FM00000000'), 'text', 'I' || n FROM filled;"
	  . " INSERT INTO wa.contact (number, last_inbound_at) SELECT '62859' || to_char(n, 'FM00000000'), now() FROM filled;"
	  . " INSERT INTO wa.contact_window (number, sender_id, last_inbound_at) SELECT '62859' || to_char(n, 'FM00000000'), '1', now() FROM filled;"
	  . " INSERT INTO wa.consent (number, change, words) SELECT '62859' || to_char(n, 'FM00000000'), 'opt_in', 'ya' FROM filled;"
	  . " INSERT INTO wa.feedback (provider, kind) SELECT 'fonnte', 'kept' FROM filled;"
	  . " INSERT INTO wa.announced (key, message_id) SELECT 'announced:sicantik.permit:' || n || ':', id FROM filled;"
	  . " INSERT INTO wa.event_outcome (event_id, relation, record_id, scenario, outcome)"
	  . " SELECT n, 'public.sicantik_permit', 1000000 + n, 'status_update', 'suppressed' FROM filled;"
	  . " INSERT INTO wa.due (message_id, due_at) SELECT id, now() + interval '1 year' FROM filled WHERE n % 5 > 0;"
	  . " INSERT INTO wa.ready (message_id) SELECT id FROM filled WHERE n % 5 = 0");
traffic(4000);
sql('SELECT wa_pause()');
$sim->release($hold);
wait_for("NOT EXISTS (SELECT FROM wa.message WHERE number = '$behind' AND state = 'sending')");
stop_workers();

# Once read into memory they are read no more, however many rounds there are.  (The
# launcher may hear later than the worker that none is to run, and start one more, which
# reads the newest attempts twice for each of three providers.)
my $looked = sql("SELECT string_agg(relname || ' ' || n, ', ' ORDER BY relname) FROM (SELECT relname, sum(idx_tup_read) AS n"
	  . " FROM pg_stat_user_indexes WHERE schemaname = 'wa' GROUP BY relname HAVING sum(idx_tup_read) > $many * 10) AS t");
is($looked, '', 'what waits is not read in each round');

# Nor by who looks for what is old.
my $kept = "relname IN ('consent', 'contact_window', 'feedback', 'inbound', 'status_pair')";
sql('SELECT pg_stat_reset()');
start_worker();
wait_for("(SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE indexrelname = 'inbound_received_idx') > 0");
stop_workers();
is(sql("SELECT string_agg(relname || ' ' || n, ', ' ORDER BY relname) FROM (SELECT relname, idx_tup_fetch + seq_tup_read AS n"
	  . " FROM pg_stat_user_tables WHERE schemaname = 'wa' AND $kept) AS t WHERE n > 100"), '', 'what is not old is not read to find what is');
start_worker();

# Nor what is asked for: each wish is read a few times, however many rounds it
# takes, and not once in each.
my $wishes = 16_000;
sql('UPDATE wa.message SET state = \'held\', reason = \'bulk\', due_at = NULL WHERE id IN (SELECT id FROM filled);'
	  . ' DELETE FROM wa.ready; DELETE FROM wa.due; SELECT pg_stat_reset()');
sql("SELECT wa_release(reason => 'bulk', maximum => $wishes)");
wait_for('NOT EXISTS (SELECT FROM wa.request)');
end_worker();
my $read_of = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid = 'wa.request'::regclass";
cmp_ok(sql("SELECT ($read_of) + seq_tup_read FROM pg_stat_user_tables WHERE relid = 'wa.request'::regclass"), '<', $wishes * 20,
	'wishes of one kind are not read for each of the others');

# What is over is not read by who asks how things are, and for the story of a
# number, a contact or a permit.  (What a worker reads when it comes would count, too.)
stop_workers();
sql("INSERT INTO wa.message (scenario, state, number, res_model, res_id, event_id, partner_id, body, params, created_at, finished_at)"
	  . " SELECT 'permit_ready', 'sent', '62859' || to_char(n, 'FM00000000'), 'sicantik.permit', 2000000 + n, n, 2000000 + n, 'oke', '{}',"
	  . " now() - interval '10 days', now() - interval '10 days' FROM generate_series(1, $many) AS n; DELETE FROM wa.message WHERE id IN (SELECT id FROM filled);"
	  . " DELETE FROM wa.ready; DELETE FROM wa.due; DELETE FROM wa.unattended; UPDATE sicantik_permit SET permit_number = '503/1' WHERE id = 4002;"
	  . " UPDATE wa.message SET created_at = created_at - interval '10 days' WHERE number = '6285700004002'; VACUUM ANALYZE");
sql('SELECT pg_stat_force_next_flush()');
my $ledger_read = sub {
	return sql("SELECT pg_stat_clear_snapshot(); SELECT sum(n) FROM (SELECT seq_tup_read AS n FROM pg_stat_user_tables WHERE schemaname = 'wa' AND relname IN ('message', 'attempt', 'announced', 'event_outcome')"
		  . " UNION ALL SELECT idx_tup_read FROM pg_stat_user_indexes WHERE schemaname = 'wa' AND relname IN ('message', 'attempt', 'announced', 'event_outcome')) AS t") =~ s/^\n//r;
};
sql('RESET enable_seqscan');
foreach my $asked ('wa_status()', 'wa_check()', "wa_history('6285900000007')", "wa_history('partner 4002')", "wa_history('503/1')")
{
	my $before = $ledger_read->();

	cmp_ok(sql("SELECT count(*) FROM $asked"), '>', 0, "$asked answers");
	sql('SELECT pg_stat_force_next_flush()');
	cmp_ok($ledger_read->() - $before, '<', 1000, "$asked: what is over is not read");
}
$session->close;
$node->stop;
done_testing();

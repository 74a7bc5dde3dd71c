# What people type does not read the whole ledger, which holds years: what is held or
# waits is found where it is noted, and the last rows of a view by its key.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

# more than wa_cancel() looks at, and of what else grows enough to tell
my $over = 110_000;
my $many = 20_000;
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => 'autovacuum = off');

load_odoo($node, 'odoo');
$node->safe_psql('odoo', 'CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
$node->safe_psql('odoo', "SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');

sub sql { return $node->safe_psql('odoo', $_[0]); }

# Three that wait, each in another table, and one that is over, before all others
my $ready = sql("SELECT wa_arm('odoo'); SELECT wa_pause(); SELECT wa_send_text('081290000001', 'siap')");
$ready = (split /\n/, $ready)[-1];
my $due = sql("SELECT wa_send_text('081290000002', 'nanti', send_at => now() + interval '1 day')");
my $held = sql("SELECT wa_send_text('081290000003', 'ditahan', send_at => now() + interval '1 day')");
sql("UPDATE wa.message SET state = 'held', reason = 'bulk', due_at = NULL WHERE id = $held; DELETE FROM wa.due WHERE message_id = $held");
my $sent = sql("INSERT INTO wa.message (number, provider, state, sent_at, finished_at) VALUES ('6281290000004', 'fonnte', 'sent', now(), now()) RETURNING id");

sql(qq{
	INSERT INTO wa.message (scenario, number, provider, state, sent_at, finished_at, created_at)
		SELECT 'permit_ready', '6281' || n, 'fonnte', 'sent', now(), now(), now() - interval '1 year'
		FROM generate_series(1, $over) AS n;
	INSERT INTO wa.attempt (message_id, attempt, provider, started_at, outcome)
		SELECT id, 1, 'fonnte', now(), 'accepted' FROM wa.message WHERE scenario IS NOT NULL LIMIT $many;
	INSERT INTO wa.event_outcome (event_id, relation, scenario, outcome)
		SELECT n, 'public.sicantik_permit', 'permit_ready', 'excluded' FROM generate_series(1, $many) AS n;
	INSERT INTO wa.inbound (provider, received_at, said_at, kind) SELECT 'fonnte', now(), now(), 'text' FROM generate_series(1, $many);
});
sql('VACUUM ANALYZE');

# How many rows of the large tables does a new session read for this?
sub reads
{
	my ($statement) = @_;

	return sql("SET client_min_messages = error; DO \$do\$BEGIN EXECUTE \$\$$statement\$\$; END\$do\$;"
		  . ' SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables'
		  . " WHERE schemaname = 'wa' AND relname IN ('message', 'attempt', 'event_outcome', 'inbound')");
}

cmp_ok(reads('SELECT count(body) FROM wa.message'), '>', $over, 'who reads the whole ledger is counted so');
foreach my $case (
	[ 'the last messages', 'SELECT * FROM wa.message_view ORDER BY id DESC LIMIT 50' ],
	[ 'of a scenario', q{SELECT * FROM wa.message_view WHERE scenario = 'permit_ready' ORDER BY id DESC LIMIT 50} ],
	[ 'one of them', "SELECT * FROM wa.message_view WHERE id = $ready" ],
	[ 'the last attempts', 'SELECT * FROM wa.attempt_view ORDER BY message_id DESC, attempt DESC LIMIT 50' ],
	[ 'the last outcomes', 'SELECT * FROM wa.event_outcome_view ORDER BY id DESC LIMIT 50' ],
	[ 'the last that came in', 'SELECT * FROM wa.inbound_view ORDER BY id DESC LIMIT 50' ],
	[ 'a release', q{SELECT wa_release(reason => 'bulk')} ],
	[ 'of a scenario without messages', q{SELECT wa_release('document_pending')} ],
	[ 'a retry of those of an hour', q{SELECT wa_retry('document_pending', since => now() - interval '1 hour')} ],
	[ 'of a provider that has sent nothing', q{SELECT wa_retry(provider => 'meta', since => now() - interval '1 hour')} ],
	[ 'what is in the way', 'SELECT * FROM wa_check()', 12_000 ],	# with the last 10,000 messages
	[ 'what would be done', q{SELECT * FROM wa_explain_text('081290000005', 'Halo')} ],
	[ 'which provider', q{SELECT wa_determine_provider(1, 'permit_ready')} ])
{
	my ($name, $statement, $most) = @$case;

	cmp_ok(reads($statement), '<', $most || 2000, "$name: few rows are read");
}

# Cancelled is all that waits, however old; what is over is told of the last ones.
my ($n, $notice);
$node->psql('odoo', "SELECT wa_cancel(provider => 'meta')", stdout => \$n, stderr => \$notice);
is($n, 0, 'nothing is to be cancelled');
like($notice, qr/NOTICE:  no message of provider "meta" waits$/m, '  which is said');
$node->psql('odoo', "SELECT wa_cancel('permit_ready')", stdout => \$n, stderr => \$notice);
is($n, 0, 'of what is over nothing is');
like($notice, qr/100000 messages of scenario "permit_ready" are left alone: 100000 sent$/m, '  the last of it are counted');
like($notice, qr/^DETAIL: .* Of what is over only the last 100000 messages were looked at\.$/m, '  as is said');

sql("UPDATE wa.message SET wanted_provider = 'fonnte' WHERE id IN ($due, $held); UPDATE wa.message SET wanted_provider = 'fonnte' WHERE id = $ready");
is(sql(q{SET client_min_messages = error; SELECT wa_cancel(provider => 'fonnte')}), 3, 'what waits is, wherever it waits');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state = 'cancelled' AND id IN ($ready, $due, $held)", 3), '  all of it');
is(sql("SELECT state FROM wa.message WHERE id = $sent"), 'sent', '  and nothing else');

# What the triggers have not noted is, when the ledger is counted anew
sql(q{ALTER TABLE wa.message DISABLE TRIGGER USER; INSERT INTO wa.message (number, body, state, reason) VALUES ('6281290000006', 'ditahan', 'held', 'daily_limit'); ALTER TABLE wa.message ENABLE TRIGGER USER});
is(sql(q{SET client_min_messages = error; SELECT wa_release(reason => 'daily_limit')}), 0, 'where triggers were off nobody knows of what is held');
sql('SELECT wa_recount()');
is(sql(q{BEGIN; SELECT wa_release(reason => 'daily_limit'); ROLLBACK}), 1, '  until wa_recount()');

# A copy that nobody has armed: what came with a backup may be noted nowhere
sql("INSERT INTO wa.message (number, state, wanted_provider, id) VALUES ('6281290000007', 'held', 'fonnte', 0); UPDATE wa.message SET reason = 'daily_limit' WHERE id = 0");
$node->safe_psql('postgres', 'ALTER SYSTEM SET sicantik_wa.enabled = off; SELECT pg_reload_conf()');
ok(wait_sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = 'odoo'", 0), 'the worker has left');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE odoo');
$node->safe_psql('restored', 'DELETE FROM wa.unattended');
is($node->safe_psql('restored', q{BEGIN; SELECT wa_release(reason => 'daily_limit'); ROLLBACK}), 2, 'in a copy what is held is released');
is($node->safe_psql('restored', q{SET client_min_messages = error; SELECT wa_cancel(provider => 'fonnte')}), 1, 'and cancelled, however old');

$node->stop('fast');
done_testing();

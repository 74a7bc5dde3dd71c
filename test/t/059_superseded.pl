# A change of status ends what waits to be told of older ones: exactly that, and
# at the same cost however much the record has been told of before.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "autovacuum = off\nsicantik_wa.worker_idle_timeout = 3600");
my $session;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }

# The worker leaves, so that what it counted is there; the next one begins.
sub end_worker
{
	sql('ALTER SYSTEM SET sicantik_wa.enabled = off');
	sql('SELECT pg_reload_conf()');
	wait_for("NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker')");
	sql('ALTER SYSTEM RESET sicantik_wa.enabled');
	sql('SELECT pg_reload_conf()');
	return;
}

sub permit
{
	my ($id) = @_;

	sql("SET sicantik_wa.capture = off; INSERT INTO res_partner (id, name, type, active, whatsapp_number)"
		  . " VALUES ($id, 'Warga', 'contact', true, '62857' || to_char($id, 'FM00000000'));"
		  . ' INSERT INTO sicantik_permit (id, registration_id, applicant_name, partner_id, status, is_renewal, permit_number)'
		  . " VALUES ($id, 'P-$id', 'Warga', $id, 'active', false, 'N'); RESET sicantik_wa.capture");
	return;
}

# Of one record: messages of each state, of other scenarios, models, records and
# later changes.  Some have what the worker carries them out by, some do not.
my @lines = (
	# what it is, columns, what becomes of it
	[ 'queued', {}, 'superseded newer_status' ],
	[ 'queued, ready', { work => 'ready' }, 'superseded newer_status' ],
	[ 'queued, due', { due_at => "now() + interval '1 day'", work => 'due' }, 'superseded newer_status' ],
	[ 'queued again although in doubt', { repeats => 1, work => 'ready' }, 'unknown newer_status' ],
	[ 'held', { state => "'held'", reason => "'bulk'" }, 'superseded newer_status' ],
	[ 'held, of a change before all', { state => "'held'", reason => "'bulk'", event_id => -1 }, 'superseded newer_status' ],
	[ 'in doubt', { state => "'unknown'", reason => "'no_answer'", due_at => "now() + interval '1 day'", work => 'due' }, 'unknown newer_status' ],
	[ 'unknown for ever', { state => "'unknown'", reason => "'gave_up'" }, 'unknown gave_up' ],
	(map { [ $_, { state => "'$_'" }, $_ ] } qw(sending sent delivered read failed skipped cancelled superseded expired)),
	[ 'of a later change', { event_id => 1_000_000_000 }, 'queued' ],
	[ 'of no change', { event_id => 'NULL' }, 'queued' ],
	[ 'of another scenario', { scenario => "'permit_ready'" }, 'queued' ],
	[ 'sent by hand', { scenario => 'NULL' }, 'queued' ],
	[ 'of another model', { res_model => "'sicantik.document'" }, 'queued' ],
	[ 'of another record', { res_id => 5001 }, 'queued' ],);

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql('UPDATE wa.scenario SET max_per_hour = NULL, max_per_transaction = NULL, max_per_day_and_number = NULL; SELECT wa_arm(\'odoo\')');
sql('SELECT wa_pause()');
permit($_) foreach 5000 .. 5001;

# What the first reading of a database finds on the wire is of before a restore.
wait_for('EXISTS (SELECT FROM wa.read_position)');

foreach my $line (@lines)
{
	my ($name, $columns) = @$line;
	my %row = (scenario => "'status_update'", state => "'queued'", res_model => "'sicantik.permit'", res_id => 5000,
		event_id => 0, number => "'6285700005000'", body => "'oke'", created_at => "now() - interval '1 day'", %$columns);
	my $work = delete $row{work};
	my @names = sort keys %row;

	$line->[3] = sql('INSERT INTO wa.message (' . join(', ', @names) . ') VALUES (' . join(', ', @row{@names}) . ') RETURNING id');
	sql('INSERT INTO wa.' . ($work eq 'due' ? "due (message_id, due_at) VALUES ($line->[3], now() + interval '1 day')" : "ready (message_id) VALUES ($line->[3])"))
	  if $work;
}
sql("UPDATE sicantik_permit SET status = 'expired' WHERE id = 5000");
wait_for("EXISTS (SELECT FROM wa.message WHERE res_id = 5000 AND scenario = 'status_update' AND event_id BETWEEN 1 AND 999999)");
foreach my $line (@lines)
{
	my ($name, $columns, $becomes, $id) = @$line;

	is(sql("SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = $id"), $becomes, $name);
}
is(sql('SELECT count(*) FROM (SELECT message_id FROM wa.ready UNION ALL SELECT message_id FROM wa.due) AS w'
	  . ' WHERE message_id IN (' . join(', ', map { $_->[3] } @lines) . ')'), '0', 'what has ended is in no work table');

# What was said of it before, by other scenarios, is not read.
my $many = 2000;
permit(5002);
sql('INSERT INTO wa.message (scenario, state, number, res_model, res_id, event_id, partner_id, body, params, created_at, finished_at)'
	  . " SELECT 'permit_ready', 'sent', '6285700005002', 'sicantik.permit', 5002, 0, 5002, 'oke', '{}',"
	  . " now() - interval '10 days', now() - interval '10 days' FROM generate_series(1, $many) AS n");
end_worker();
# by its key the purge reads it, too
my $read = "SELECT seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes AS i WHERE i.relid = t.relid AND indexrelname <> 'message_pkey')"
  . " FROM pg_stat_user_tables AS t WHERE relid = 'wa.message'::regclass";
my $before = sql($read);
sql("UPDATE sicantik_permit SET status = 'expired' WHERE id = 5002");
wait_for('EXISTS (SELECT FROM wa.event WHERE record_id = 5002) AND ' . $ALL_READ);
end_worker();
cmp_ok(sql($read) - $before, '<', $many / 10, 'a record with a long past costs no more than another one');
is(sql("SELECT string_agg(state, ' ') FROM wa.message WHERE res_id = 5002 AND scenario = 'status_update'"), 'queued', 'and is told');
$session->close;
$node->stop;
done_testing();

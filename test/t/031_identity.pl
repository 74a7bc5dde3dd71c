# Which database may send: modes, arming, and every way in which a database
# can turn into a copy of itself.  A copy sends nothing, says why, and the
# original goes on.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $main = new_cluster(
	'main',
	simulator => $sim,
	init => { allows_streaming => 1 },
	conf => "sicantik_wa.worker_idle_timeout = 3600\nsicantik_wa.max_workers = 10");

sub as_odoo
{
	my ($node, $dbname, $sql) = @_;
	my ($code, $out, $err) = $node->psql($dbname, $sql,
		extra_params => [ '-U', 'odoo', '-v', 'ON_ERROR_STOP=1' ]);

	is($code, 0, $sql) or diag($err);
	return wantarray ? ($out, $err) : $out;
}

sub status
{
	my ($node, $dbname, $item) = @_;

	return $node->safe_psql($dbname,
		"SELECT concat_ws(': ', value, detail) FROM wa_status() WHERE item = '$item'");
}

sub log_count
{
	my ($node, $pattern, $from) = @_;
	my $log = substr(slurp_file($node->logfile), $from || 0);
	my @found = $log =~ /$pattern/g;

	return scalar @found;
}

sub change_setting
{
	my ($node, $name, $value) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET $name = $value");
	$node->reload;
	return;
}

sub wait_no_worker
{
	return wait_sql($main, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0');
}

# All events read, all messages at rest.
sub wait_rest
{
	my ($node, $dbname) = @_;

	return wait_sql($node, $dbname,
		"SELECT $ALL_READ"
		  . " AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending')) AND NOT EXISTS (SELECT FROM wa.request)");
}

# State and reason of the messages that were made since one, by number of each.
sub states
{
	my ($node, $dbname, $since) = @_;

	return $node->safe_psql($dbname,
			"SELECT string_agg(what || ' ' || n, ', ' ORDER BY what) FROM"
		  . " (SELECT concat_ws(' ', state, reason), count(*) FROM wa.message WHERE id > $since GROUP BY 1) AS s (what, n)");
}

sub last_message
{
	my ($node, $dbname) = @_;

	return $node->safe_psql($dbname, 'SELECT coalesce(max(id), 0) FROM wa.message');
}

# A change that makes one message, and one message by hand; to whom.
my $next = 1;
sub change
{
	my ($node, $dbname) = @_;
	my $permit = $node->safe_psql($dbname,
		"SELECT min(id) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' AND status = 'draft'");

	as_odoo($node, $dbname, "UPDATE sicantik_permit SET status = 'cancelled' WHERE id = $permit");
	return $node->safe_psql($dbname,
		"SELECT wa_normalize_number(phone) FROM res_partner WHERE id = (SELECT partner_id FROM sicantik_permit WHERE id = $permit)");
}

sub by_hand
{
	my ($node, $dbname) = @_;
	my $number = sprintf('62811000%05d', $next++);

	as_odoo($node, $dbname, "SELECT wa_send_text('$number', 'Yth. petugas, ini percobaan.')");
	return $number;
}

sub arrives
{
	my ($number, $what) = @_;

	return ok($sim->wait_for_sends(1, to => $number, accepted => 1), $what);
}

sub sent_to
{
	my ($number) = @_;

	return scalar grep { ($_->{to} // '') eq $number } $sim->sends;
}

# A database that may not send: neither by itself nor by hand, and it says why.
sub sends_nothing
{
	my ($node, $dbname, $why, $what) = @_;
	my $since = last_message($node, $dbname);
	my $before = scalar $sim->sends;

	change($node, $dbname);
	by_hand($node, $dbname);
	ok(wait_rest($node, $dbname), "$what: at rest");
	is(states($node, $dbname, $since), 'held copy 2', "$what: what is new is held");
	is(scalar $sim->sends, $before, "$what: nothing is sent, by hand neither");
	like(status($node, $dbname, 'mode'), qr/^stopped: .*$why/, "$what: wa_status() says why");
	return;
}

sub sends
{
	my ($node, $dbname, $what) = @_;

	arrives(change($node, $dbname), "$what: a change arrives");
	arrives(by_hand($node, $dbname), "$what: a message by hand arrives");
	return;
}

# Modes

load_odoo($main, 'odoo');
load_many($main, 'odoo', 100);
as_odoo($main, 'odoo', "CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup(); SELECT wa_set('language', 'en')");
as_odoo($main, 'odoo', "SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
as_odoo($main, 'odoo', "SELECT wa_test_connection('fonnte')");
no_pacing($main, 'odoo');

like(status($main, 'odoo', 'mode'), qr/^observe: only messages by hand go out$/, 'a new database observes');
my $number = change($main, 'odoo');
ok(wait_rest($main, 'odoo'), 'at rest');
is( $main->safe_psql('odoo', 'SELECT state, reason, provider, route IS NOT NULL, body IS NOT NULL FROM wa.message'),
	'skipped|observe|fonnte|t|t', 'observe: everything is composed and routed');
is(sent_to($number), 0, 'observe: and not sent');
arrives(by_hand($main, 'odoo'), 'observe: messages by hand go out');

my ($code, $out, $err) = $main->psql('odoo', "SELECT wa_arm('odoo_prod')");
like($err, qr/database name "odoo_prod" does not match.*connected to database "odoo"/s, 'wa_arm() wants the right name');
like(status($main, 'odoo', 'mode'), qr/^observe/, 'and does nothing without');
($code, $out, $err) = $main->psql('odoo', "SELECT wa_set('mode', 'live')");
isnt($code, 0, 'there is no other way to mode live');
as_odoo($main, 'odoo', "SELECT wa_set('test_number', '0811-9999-0001'); SELECT wa_set('mode', 'test')");
like(status($main, 'odoo', 'mode'), qr/^test: everything goes to 6281199990001$/, 'mode test');
$number = change($main, 'odoo');
arrives('6281199990001', 'test: arrives at the test number');
my $hand = by_hand($main, 'odoo');
ok($sim->wait_for_sends(2, to => '6281199990001', accepted => 1), 'test: by hand too');
is(sent_to($number) + sent_to($hand), 0, 'test: and nowhere else');
sub mark { my ($node, $database) = @_; return $node->safe_psql($database, 'SELECT mark FROM wa.identity'); }
my $called = mark($main, 'odoo');
like($called, qr/^[0-9a-f]{16}$/, 'it has a name for the marks on its requests');
as_odoo($main, 'odoo', "SELECT wa_arm('odoo')");
is(mark($main, 'odoo'), $called, 'which stays when it is armed');
is(status($main, 'odoo', 'mode'), 'live', 'wa_arm() makes it live');
sends($main, 'odoo', 'live');
as_odoo($main, 'odoo', 'SELECT wa_disarm()');
like(status($main, 'odoo', 'mode'), qr/^observe/, 'wa_disarm()');
my $since = last_message($main, 'odoo');
change($main, 'odoo');
ok(wait_rest($main, 'odoo'), 'at rest');
is(states($main, 'odoo', $since), 'skipped observe 1', 'it observes again');
as_odoo($main, 'odoo', "SELECT wa_arm('odoo')");

# Odoo says that this is another database, or not for production

my $log = -s $main->logfile;
as_odoo($main, 'odoo', "INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true')");
sends_nothing($main, 'odoo', 'Odoo has neutralized this database', 'neutralized');
sends_nothing($main, 'odoo', 'Odoo has neutralized this database', 'still neutralized');
as_odoo($main, 'odoo', "UPDATE ir_config_parameter SET value = 'False' WHERE key = 'database.is_neutralized'");
sends($main, 'odoo', 'no longer neutralized');
is(log_count($main, qr/Reason: Odoo has neutralized/, $log), 1, 'neutralized: one line in the log');

# What is in doubt when it stops: only the original can hear what became of it,
# so here it is not repeated, neither by its policy nor with what a person releases.

$sim->fault({ provider => 'fonnte', kind => 'cut_after_read', times => 1 });
my $doubtful = by_hand($main, 'odoo');
ok(wait_sql($main, 'odoo', "SELECT state = 'unknown' AND due_at IS NOT NULL FROM wa.message WHERE number = '$doubtful'"), 'one is in doubt');
as_odoo($main, 'odoo', "UPDATE ir_config_parameter SET value = 'true' WHERE key = 'database.is_neutralized'");
$main->safe_psql('odoo', "UPDATE wa.due SET due_at = now() WHERE message_id = (SELECT id FROM wa.message WHERE number = '$doubtful');"
	  . ' UPDATE wa.setting SET value = value');
ok( wait_sql($main, 'odoo', "SELECT concat_ws(' ', state, reason, due_at, repeats) FROM wa.message WHERE number = '$doubtful'",
		'unknown copy 0'), 'in a stopped database a doubt stays one');
as_odoo($main, 'odoo', "UPDATE ir_config_parameter SET value = 'False' WHERE key = 'database.is_neutralized'");
as_odoo($main, 'odoo', "SELECT wa_release(reason => 'copy')");
sends($main, 'odoo', 'released after a doubt');
is(sent_to($doubtful), 1, 'and it is not sent again with what is released');
like($main->safe_psql('odoo', "SELECT string_agg(what, E'\n') FROM wa_why((SELECT id FROM wa.message WHERE number = '$doubtful'))"),
	qr/wa_retry\(/, 'wa_why() says how a person sends it again');
as_odoo($main, 'odoo', "UPDATE ir_config_parameter SET value = 'other' WHERE key = 'database.uuid'");
sends_nothing($main, 'odoo', 'another database\.uuid', 'another database.uuid');
as_odoo($main, 'odoo', "UPDATE ir_config_parameter SET value = '5f1c8e1e-c0de-11f1-9a6b-0242ac120002' WHERE key = 'database.uuid'");
sends($main, 'odoo', 'its own database.uuid again');

# The server says that it is another one

change_setting($main, 'sicantik_wa.instance', "'a'");
sends($main, 'odoo', 'armed without instance: not compared');
as_odoo($main, 'odoo', "SELECT wa_arm('odoo')");
sends($main, 'odoo', 'armed on instance a');
change_setting($main, 'sicantik_wa.instance', "'b'");
sends_nothing($main, 'odoo', 'armed on instance "a", and this is instance "b"', 'another instance');
change_setting($main, 'sicantik_wa.instance', "'a'");
sends($main, 'odoo', 'instance a again');

# Copies of a database that has work: events unread, a message that may go,
# one that may go tomorrow.

as_odoo($main, 'odoo', "SELECT wa_release(reason => 'copy')");
ok(wait_rest($main, 'odoo'), 'at rest');
change_setting($main, 'sicantik_wa.enabled', 'off');
ok(wait_no_worker(), 'no worker');
my @waiting = (change($main, 'odoo'), by_hand($main, 'odoo'));
as_odoo($main, 'odoo', "SELECT wa_send_text('62811999900002', 'Besok', send_at => now() + interval '1 day')");
my $last = last_message($main, 'odoo');
as_odoo($main, 'postgres', 'CREATE DATABASE duplicate TEMPLATE odoo');
as_odoo($main, 'postgres', 'CREATE DATABASE swap TEMPLATE odoo');
as_odoo($main, 'postgres', 'ALTER DATABASE odoo RENAME TO odoo_prod; ALTER DATABASE swap RENAME TO odoo');

# A backup of it, restored, its transaction ids far ahead of ours
as_odoo($main, 'odoo_prod', "BEGIN; UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 2; UPDATE sicantik_permit SET status = 'expired' WHERE id = 2; COMMIT");
my $dir = PostgreSQL::Test::Utils::tempdir('dump');
my @connection = ('-h', $main->host, '-p', $main->port, '-U', 'odoo');
command_ok([ 'pg_dump', @connection, '--no-owner', '-f', "$dir/dump.sql", 'odoo_prod' ], 'pg_dump');
as_odoo($main, 'postgres', 'CREATE DATABASE restored TEMPLATE template0');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connection, '-d', 'restored', '-f', "$dir/dump.sql" ], 'psql');
$main->safe_psql('restored', "UPDATE wa.event SET xact = '99999999'");
as_odoo($main, 'restored', "SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
as_odoo($main, 'restored', "SELECT wa_test_connection('fonnte')");
as_odoo($main, 'restored', "SELECT wa_arm('restored')");

$log = -s $main->logfile;
$main->safe_psql('postgres', 'ALTER SYSTEM SET sicantik_wa.enabled = on');
$main->restart;
arrives($_, 'renamed: the original goes on with its queue') foreach @waiting;
sends($main, 'odoo_prod', 'renamed: the original');
is(status($main, 'odoo_prod', 'mode'), 'live', 'renamed: it is live');

# In a copy the message of tomorrow still waits for its time.
sub sends_nothing_in_copy
{
	my ($copy) = @_;
	my $before = scalar $sim->sends;

	change($main, $copy);
	by_hand($main, $copy);
	ok( wait_sql($main, $copy,
			"SELECT $ALL_READ"
			  . " AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending') AND due_at IS NULL)"),
		"$copy: at rest");
	is( $main->safe_psql($copy,
			"SELECT string_agg(DISTINCT concat_ws(' ', state, reason), ',') FROM wa.message WHERE id >= $last - 1 AND due_at IS NULL"),
		'held copy', "$copy: what was waiting and what is new is held");
	is(scalar $sim->sends, $before, "$copy: nothing is sent, by hand neither");
	like(status($main, $copy, 'mode'), qr/^stopped: .*it is a copy of the database that was armed/, "$copy: wa_status() says why");
	return;
}
sends_nothing_in_copy($_) foreach ('duplicate', 'odoo');
is((grep { sent_to($_) != 1 } @waiting), 0, 'nobody got anything twice');

# Workers come and go; the log is not filled
change_setting($main, 'sicantik_wa.enabled', 'off');
ok(wait_no_worker(), 'no worker');
change_setting($main, 'sicantik_wa.enabled', 'on');
sends_nothing_in_copy($_) foreach ('duplicate', 'odoo');
is(log_count($main, qr/Reason: [^\n]*it is a copy of the database/, $log), 2, 'one line for each copy');

# A person arms the copy after all

$called = mark($main, 'duplicate');
($out, $err) = as_odoo($main, 'duplicate', "SELECT wa_arm('duplicate')");
isnt(mark($main, 'duplicate'), $called, 'a copy that is armed has another name on its requests');
like($err, qr/WARNING:  this database was a copy until now/, 'wa_arm() in a copy warns');
sends($main, 'duplicate', 'armed copy: what is new');
my $held = $main->safe_psql('duplicate', "SELECT count(*) FROM wa.message WHERE state = 'held' AND reason = 'copy'");
is($held, '7', 'armed copy: what was there before is held, that of tomorrow too');
is(sent_to('62811999900002'), 0, 'it has not been sent');
is((grep { sent_to($_) != 1 } @waiting), 0, 'nor anything else twice');
as_odoo($main, 'duplicate', "SELECT wa_release(reason => 'copy')");
ok($sim->wait_for_sends(2, to => $waiting[1], accepted => 1), 'until a person releases it');

# The restored backup, armed before its events were read: they are held, each
# once, and what is new goes out.

ok( wait_sql($main, 'restored', 'SELECT count(*) FROM wa.event WHERE xact = \'99999999\'', '0'),
	'restored: the events of the backup are handled');
is( $main->safe_psql('restored', "SELECT string_agg(concat_ws(' ', res_id, state, reason), ', ' ORDER BY id) FROM wa.message WHERE res_id = 2 AND id > $last"),
	'2 held copy, 2 held copy', 'restored: and held, one message for each person');
sends($main, 'restored', 'restored and armed: what is new');
is( $main->safe_psql('restored', "SELECT count(*) FROM wa.message WHERE res_id = 2 AND id > $last"),
	'2', 'restored: nothing is made twice');
is( $main->safe_psql('restored', "SELECT state || ' ' || reason FROM wa.message WHERE id = $last - 1"),
	'held copy', 'restored: what was queued in the backup is held');

# A physical copy: a failover goes on, a recovery to the past does not.

$main->backup('base');
my $past = SicantikWa::Node->new('past');
$past->init_from_backup($main, 'base');
$past->append_conf('postgresql.conf',
	"recovery_target = 'immediate'\nrecovery_target_action = 'promote'\nrestore_command = 'false'");
$past->set_recovery_mode;
$past->start;
ok(wait_sql($past, 'postgres', 'SELECT NOT pg_is_in_recovery()'), 'a recovery to a point in the past');
sends_nothing($past, 'restored', 'recovered to a point in the past', 'recovered');
is(log_count($past, qr/Reason: [^\n]*recovered to a point in the past/), 3, 'recovered: one line for each database that was armed');
$called = mark($past, 'restored');
as_odoo($past, 'restored', "SELECT wa_arm('restored')");
isnt(mark($past, 'restored'), $called, 'recovered: the ids that come again are marked otherwise');
sends($past, 'restored', 'recovered and armed');
$past->stop('fast');

# A base backup that is started: on the same timeline, and after a recovery to
# the end of the WAL, whose timeline tells it from a failover in nothing.

foreach my $recovery (0, 1)
{
	my $what = $recovery ? 'restored to the latest' : 'base backup';
	my $copy = SicantikWa::Node->new("copy$recovery");

	$copy->init_from_backup($main, 'base');
	if ($recovery)
	{
		$copy->append_conf('postgresql.conf', "restore_command = 'false'");
		$copy->set_recovery_mode;
	}
	$copy->start;
	ok(wait_sql($copy, 'postgres', 'SELECT NOT pg_is_in_recovery()'), "$what: started");
	sends_nothing($copy, 'restored', 'its server was started from a base backup after it was armed', $what);
	$copy->restart;
	sends_nothing($copy, 'restored', 'its server was started from a base backup after it was armed', "$what, restarted");
	my $second;
	if ($recovery)
	{
		$copy->backup('stopped', backup_options => [ '--checkpoint', 'fast' ]);
		$second = SicantikWa::Node->new('second');
		$second->init_from_backup($copy, 'stopped', has_streaming => 1);
		$second->start;
		$copy->wait_for_catchup($second);
		$copy->stop('fast');
		$second->promote;
		sends_nothing($second, 'restored', 'its server was started from a base backup after it was armed', "a standby of it, promoted");
		$second->stop('fast');
		$copy->start;
	}
	as_odoo($copy, 'restored', "SELECT wa_arm('restored')");
	sends($copy, 'restored', "$what, and armed");
	$copy->restart;
	sends($copy, 'restored', "$what, armed and restarted");
	if ($recovery)
	{
		$copy->backup('armed', backup_options => [ '--checkpoint', 'fast' ]);
		$second = SicantikWa::Node->new('third');
		$second->init_from_backup($copy, 'armed', has_streaming => 1);
		$second->start;
		$copy->wait_for_catchup($second);
		$copy->stop('fast');
		$second->promote;
		sends($second, 'restored', "$what, and armed, then a failover");
		$second->stop('fast');
		next;
	}
	$copy->stop('fast');
}

# Where that cannot be written down it holds until a restart, and the log says so.

my $full = SicantikWa::Node->new('full');
$full->init_from_backup($main, 'base');
mkdir $full->data_dir . '/sicantik_wa.restored.new' or die "mkdir: $!";
$full->start;
sends_nothing($full, 'restored', 'its server was started from a base backup after it was armed', 'not written down');
is(log_count($full, qr/WARNING: +could not write file "sicantik_wa.restored"/), 1, 'not written down: the log tells it');
$full->stop('fast');

my $standby = SicantikWa::Node->new('standby');
$standby->init_from_backup($main, 'base', has_streaming => 1);
$standby->start;
$main->wait_for_catchup($standby);
like(status($standby, 'odoo_prod', 'mode'), qr/^stopped: this server is a standby$/, 'a standby');
$main->stop('fast');
$standby->promote;
sends($standby, 'odoo_prod', 'a failover');
is(status($standby, 'odoo_prod', 'mode'), 'live', 'it is live');

$standby->stop('fast');
done_testing();

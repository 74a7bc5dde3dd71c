# Who may connect to the database, and how many at a time, goes for its worker,
# too, which connects as the owner.  What keeps it out is said by wa_check(),
# with what to type; nothing is lost meanwhile, and nothing goes twice.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "max_connections = 14\nsicantik_wa.worker_idle_timeout = 3600\nwal_level = replica\nmax_wal_senders = 2");
my $worker = "backend_type = 'sicantik_wa worker' AND datname = 'odoo'";
my $sent = 0;

# In another database than the one that cannot be connected to.
sub elsewhere { return $node->safe_psql('other', $_[0]); }
sub sql { return $node->safe_psql('odoo', $_[0]); }
sub worker_comes { return $node->poll_query_until('other', "SELECT count(*) FROM pg_stat_activity WHERE $worker", 1); }
sub comes_true { my ($query, $name) = @_; return ok(wait_sql($node, 'odoo', "SELECT ($query)", 't'), $name); }

sub worker_goes
{
	foreach my $value ('off', 'on')
	{
		elsewhere("ALTER SYSTEM SET sicantik_wa.enabled = $value");
		$node->reload;
		$node->poll_query_until('other', "SELECT count(*) FROM pg_stat_activity WHERE $worker", 0) if $value eq 'off';
	}
	return;
}

sub text { return sql(sprintf("SELECT wa_send_text('62812700000%02d', 'Halo')", ++$sent)); }

# Since something keeps it out a message waits, wa_check() and "next" say what to
# type, and that works.
sub shut_out
{
	my ($what, $do, $sentence, $undo) = @_;
	elsewhere("ALTER SYSTEM SET sicantik_wa.enabled = off");
	$node->reload;
	$node->poll_query_until('other', "SELECT count(*) FROM pg_stat_activity WHERE $worker", 0);
	elsewhere($do);
	my $id = text();
	elsewhere("ALTER SYSTEM SET sicantik_wa.enabled = on");
	$node->reload;
	comes_true("SELECT state = 'error' AND what_to_do ~ '$sentence' FROM wa_check() WHERE item = 'worker'", "$what: wa_check() says why there is no worker")
	  or diag(sql("SELECT state, what_to_do FROM wa_check() WHERE item = 'worker'"));
	my ($typed) = grep { /^(?:ALTER|GRANT)/ } sql("SELECT value FROM wa_status() WHERE item = 'next'"), $undo;
	is($typed, $undo, "$what: and what to type");
	is(sql("SELECT state FROM wa.message WHERE id = $id"), 'queued', "$what: the message waits");
	elsewhere($typed);
	ok(wait_state($node, 'odoo', $id, 'sent'), "$what: it goes when that is typed");
	comes_true("SELECT state = 'ok' FROM wa_check() WHERE item = 'worker'", "$what: and all is well");
	return;
}

$node->safe_psql('postgres', 'CREATE DATABASE other');
load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_set('language', 'en'); SELECT wa_arm('odoo')");
ok(wait_state($node, 'odoo', text(), 'sent'), 'everything works');

# The owner
shut_out('an owner without LOGIN', 'ALTER ROLE odoo NOLOGIN', 'may not log in: ALTER ROLE odoo LOGIN', 'ALTER ROLE odoo LOGIN');
shut_out('an owner without CONNECT', 'REVOKE CONNECT ON DATABASE odoo FROM PUBLIC, odoo', 'has not the right to: GRANT CONNECT ON DATABASE odoo TO odoo',
	'GRANT CONNECT ON DATABASE odoo TO odoo');
elsewhere('GRANT CONNECT ON DATABASE odoo TO PUBLIC');

# Limits that are not reached
elsewhere('ALTER ROLE odoo CONNECTION LIMIT 0; ALTER DATABASE odoo CONNECTION LIMIT 1');
worker_goes();
ok(worker_comes(), 'limits that are not reached are in nobody\'s way');
elsewhere('ALTER ROLE odoo CONNECTION LIMIT -1; ALTER DATABASE odoo CONNECTION LIMIT -1');

# Whatever else it is: the server's own words.
my $version = $node->data_dir . '/' . sql("SELECT 'base/' || oid || '/PG_VERSION' FROM pg_database WHERE datname = 'odoo'");
my $inside = SicantikWa::Session->new($node, 'odoo');
$inside->do('SELECT 1');
rename $version, "$version.away" or die $!;
worker_goes();
ok($inside->wait_for(q{(SELECT state = 'error' AND what_to_do ~ 'no worker could connect, [1-9] times since .*: .*valid data directory; it is tried again' FROM wa_check() WHERE item = 'worker')}),
	'a damaged database: wa_check() says what the server says');
is($inside->do("SELECT value FROM wa_status() WHERE item = 'next'"), "see the server's log", 'and next sends people to the log');
rename "$version.away", $version or die $!;
ok($inside->wait_for(q{(SELECT state = 'ok' FROM wa_check() WHERE item = 'worker')}), 'mended, all is well');
$inside->close;

# The owner has another name, or is another one, while a message is on the wire.
foreach my $do ('ALTER ROLE odoo RENAME TO pemilik', 'ALTER ROLE pemilik RENAME TO odoo', 'ALTER DATABASE odoo OWNER TO boss', 'ALTER ROLE boss SUPERUSER',
	'ALTER ROLE boss NOSUPERUSER', 'ALTER DATABASE odoo OWNER TO odoo')
{
	elsewhere('CREATE ROLE boss LOGIN') if $do =~ /OWNER TO boss/;
	my $fault = $sim->fault({ kind => 'hold', provider => 'fonnte' });
	my $flying = text();
	ok(wait_state($node, 'odoo', $flying, 'sending'), "$do: a message is on the wire");
	elsewhere($do);
	$sim->release($fault);
	$sim->clear_faults;
	ok(wait_state($node, 'odoo', $flying, 'sent'), "$do: its answer is recorded");
	ok(wait_state($node, 'odoo', text(), 'sent'), "$do: and the next one goes");
}

# Nobody may connect any more, as in a database that is being dropped, or was not.
foreach my $how ([ 'ALTER DATABASE odoo ALLOW_CONNECTIONS false', 'ALTER DATABASE odoo ALLOW_CONNECTIONS true' ],
	[ 'UPDATE pg_database SET datconnlimit = -2 WHERE datname = \'odoo\'', 'UPDATE pg_database SET datconnlimit = -1 WHERE datname = \'odoo\'' ])
{
	my ($do, $undo) = @$how;
	my $id = sql("SELECT wa_send_text('628127000098" . $sent++ . "', 'later', NULL, now() + interval '1 hour')");
	elsewhere($do);
	elsewhere('ALTER ROLE odoo CREATEDB');		# the launcher looks
	ok($node->poll_query_until('other', "SELECT count(*) FROM pg_stat_activity WHERE $worker", 0), "$do: the worker leaves");
	elsewhere($undo);
	elsewhere('ALTER ROLE odoo CREATEDB');
	ok(worker_comes(), "$undo: it comes back");
	ok(wait_state($node, 'odoo', text(), 'sent'), 'and works');
	is(sql("SELECT state FROM wa.message WHERE id = $id"), 'queued', 'what waited waits');
}

# No database postgres, all connections taken, no place for background workers: none of ours needs the first two.
elsewhere('DROP DATABASE postgres');
worker_goes();
ok(worker_comes(), 'without a database postgres');
my @taken = map { my ($in, $out) = ("SELECT 1;\n", ''); my $run = IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('other') . ' user=odoo' ], '<', \$in, '>', \$out);
	IPC::Run::pump($run) until $out =~ /1/ || !IPC::Run::pumpable($run); $run } 1 .. 10;
my ($code, undef, $err) = $node->psql('other', 'SELECT 1', connstr => $node->connstr('other') . ' user=odoo', timeout => 60);
like($err, qr/slots are reserved|too many clients/, 'all connections are taken');
worker_goes();
ok(worker_comes(), 'a worker comes all the same');
ok(wait_state($node, 'odoo', text(), 'sent'), 'and sends');
IPC::Run::finish($_) foreach @taken;
elsewhere('CREATE DATABASE postgres');

# No standby confirms what the worker commits: that it is, and not Odoo's tables.
elsewhere("ALTER SYSTEM SET sicantik_wa.worker_patience = '1s'");
elsewhere("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->restart;
my $unconfirmed = sql('SET synchronous_commit = local; ' . sprintf("SELECT wa_send_text('62812700000%02d', 'Halo')", ++$sent));
comes_true("SELECT state = 'error' AND what_to_do ~ 'has waited for [0-9]+ s until a standby confirms a commit' FROM wa_check() WHERE item = 'worker'",
	'no standby: wa_check() says what the worker waits for')
  or diag(sql("SELECT state, what_to_do FROM wa_check() WHERE item = 'worker'"));
is(sql("SELECT value FROM wa_status() WHERE item = 'next'"), 'SELECT * FROM pg_stat_replication', 'and where to look');
elsewhere('SET synchronous_commit = local; ' . $_) foreach 'ALTER SYSTEM RESET synchronous_standby_names', 'ALTER SYSTEM RESET sicantik_wa.worker_patience';
$node->reload;
ok(wait_state($node, 'odoo', $unconfirmed, 'sent'), 'without it the message goes');

# The database has another name, and is the same.
elsewhere('ALTER DATABASE odoo RENAME TO produksi');
$node->safe_psql('produksi', "SELECT wa_send_text('6281270000097', 'Halo')");
ok($node->poll_query_until('produksi', "SELECT count(*) FROM wa.message WHERE number = '6281270000097' AND state = 'sent'", 1), 'renamed: the same database, which sends')
  or diag($node->safe_psql('produksi', "SELECT what_to_do FROM wa_check() WHERE state <> 'ok'"));

# Each message that somebody wrote was sent once.
my %times;
$times{ $_->{to} }++ foreach $sim->accepted;
is_deeply([ grep { $times{$_} != 1 } sort keys %times ], [], 'nothing went twice');
is($node->safe_psql('produksi', "SELECT count(*) FROM wa.message WHERE state NOT IN ('sent', 'queued')"), 0, 'and nothing is lost');

$node->stop;
done_testing();

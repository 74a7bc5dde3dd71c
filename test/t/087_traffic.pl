# Maintenance of the whole database and of single tables while Odoo writes,
# people send by hand and the provider tells what became of it: every change is
# told, and none twice.
#
# VACUUM FULL, CLUSTER and REINDEX always; pg_repack, pg_squeeze and REPACK
# (CONCURRENTLY) where this server has them (make test-field has a Debian for
# each).  MAINTENANCE_SECONDS: how long each of them, and then at every table.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use SicantikWa::Audit;
use SicantikWa::Session;
use SicantikWa::Test;

my $seconds = $ENV{MAINTENANCE_SECONDS} || 1;
my $span = 100 + 20 * $seconds;		# for so long there is something to change
my %rate = (change => 40, send => 8);	# transactions a second, half of them each in a session of its own

my $bindir = `pg_config --bindir`;
chomp $bindir;

my $sim = start_simulator();
my $port = PostgreSQL::Test::Cluster::get_free_port();
$sim->config({ fonnte => {
	quota => 1000000, webhook_url => "http://127.0.0.1:$port/fonnte/FONNTEDEMOWEBHOOK",
	webhook_statuses => [ 'sent', 'read' ], webhook_repeats => 3000 } });
my $node = new_cluster('main', simulator => $sim, instance => 'main', start => 0);
$node->start;
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');
my %there = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', 'SELECT name FROM pg_available_extensions');
my $repack = $there{pg_repack} && -x "$bindir/pg_repack";
my $squeeze = $there{pg_squeeze};
my $concurrently = $version >= 190000;

# what logical decoding needs
if ($squeeze || $concurrently)
{
	my @conf = ("wal_level = logical", 'max_replication_slots = 20');

	push @conf, "shared_preload_libraries = 'sicantik_wa, pg_squeeze'" if $squeeze;
	push @conf, "output_plugin_libraries = 'pgoutput, test_decoding, pg_squeeze'"
	  if $squeeze && $node->safe_psql('postgres', "SELECT count(*) FROM pg_settings WHERE name = 'output_plugin_libraries'");
	$node->append_conf('postgresql.conf', join("\n", @conf) . "\n");
	$node->restart;
}

sub sql { return $node->safe_psql('odoo', $_[0]); }

# Each change is another record's, and its only one, and each makes one message,
# to a number of its own: for most of them nothing but the reader's position keeps
# it from being told again.
my %ahead = (status => 16 * $span, ready => 8 * $span, contact => 4 * $span, document => 4 * $span, workflow => 4 * $span, send => 0);
my $approvers = $ahead{document} + $ahead{workflow};

load_odoo($node, 'odoo');
load_many($node, 'odoo', $ahead{status} + $ahead{ready} + $ahead{contact});
sql(qq(
	CREATE TABLE committed (number text PRIMARY KEY);
	CREATE TABLE subject (kind text, n int, id int, number text, PRIMARY KEY (kind, n));
	INSERT INTO subject SELECT kind, row_number() OVER (PARTITION BY kind ORDER BY id), id, number FROM (
		SELECT p.id, substr(r.phone_sanitized, 2) AS number, CASE WHEN n <= $ahead{status} THEN 'status'
			WHEN n <= $ahead{status} + $ahead{ready} THEN 'ready' ELSE 'contact' END AS kind
		FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM sicantik_permit WHERE registration_id LIKE 'MANY-%') AS p
		JOIN res_partner AS r ON r.id = p.partner_id
		UNION ALL
		SELECT 1000000 + n, '62853' || to_char(n, 'FM00000000'), CASE WHEN n <= $ahead{document} THEN 'document' ELSE 'workflow' END
		FROM generate_series(1, $approvers) AS n) AS s;
	UPDATE sicantik_permit AS p SET status = 'active', permit_number = 'MANY/' || p.id, partner_id = NULL
		FROM subject AS s WHERE s.id = p.id AND s.kind = 'contact';
	CREATE TEMP TABLE approver AS SELECT id, kind, number FROM subject WHERE kind IN ('document', 'workflow');
	INSERT INTO res_partner (id, name, complete_name, type, country_id, lang, phone, phone_sanitized, active)
		SELECT id, 'Pejabat ' || id, 'Pejabat ' || id, 'contact', 100, 'id_ID', '+' || number, '+' || number, true FROM approver;
	INSERT INTO res_users (id, company_id, partner_id, active, login, share, notification_type)
		SELECT id, 1, id, true, 'approver ' || id, false, 'email' FROM approver;
	INSERT INTO sicantik_document (id, permit_id, document_number, name, state, requires_approval)
		SELECT id, 1, 'MANY-' || id, 'SK', CASE kind WHEN 'document' THEN 'draft' ELSE 'pending_signature' END, true FROM approver;
	INSERT INTO signature_workflow (id, document_id, approver_id, state)
		SELECT id, id, CASE kind WHEN 'document' THEN id END, 'pending' FROM approver;
	GRANT ALL ON committed, subject TO odoo;

	-- refused while a table of Odoo's that it reads is locked
	CREATE FUNCTION send(number text) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		PERFORM wa_send_text(number, 'Yth. ' || number);
		INSERT INTO committed VALUES (number);
	EXCEPTION WHEN lock_not_available THEN
	END \$\$;

	-- what monitoring sees meanwhile
	CREATE TABLE alarm (item text, state text, what_to_do text);
	CREATE FUNCTION look() RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		INSERT INTO alarm SELECT item, state, what_to_do FROM wa_check() WHERE state <> 'ok';
	END \$\$));
sql("CREATE SEQUENCE next_$_; GRANT ALL ON SEQUENCE next_$_ TO odoo") foreach keys %ahead;
sql('ANALYZE');

sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
my $settings = decode_json(provider_settings($sim, 'fonnte'));
$settings->{webhook_secret} = 'FONNTEDEMOWEBHOOK';
sql("SELECT wa_configure('fonnte', '" . encode_json($settings) . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql('UPDATE wa.provider SET max_in_flight = 50');
# those that tell everybody, or by the clock
sql("UPDATE wa.scenario SET active = false WHERE key IN ('document_pending', 'reminder', 'permit_expiry_warning')");
sql("SELECT wa_set('$_', 'https://contoh.go.id/{registration_id}')") foreach qw(download_link detail_link);
sql("SELECT wa_set('office_name', 'DPMPTSP')");
sql("SELECT wa_arm('odoo')");
sql('CREATE EXTENSION pg_repack') if $repack;
sql('CREATE EXTENSION pg_squeeze') if $squeeze;
sql('CREATE ROLE wa_webhook LOGIN');
sql("SELECT wa_grant('wa_webhook', 'webhook')");

# What Odoo's sessions do.  Its transactions have one snapshot, taken before they
# come to the table.  To such a one a table that is rewritten online meanwhile is
# empty: it changes nothing, and there is nothing to tell.  A foreign key would
# be checked against it, too, and fail; so what has one is READ COMMITTED here.
my %change = (
	status => "UPDATE sicantik_permit SET status = 'cancelled'",
	ready => "UPDATE sicantik_permit SET status = 'active', permit_number = 'MANY/' || id",
	contact => 'UPDATE sicantik_permit SET partner_id = substr(registration_id, 6)::int',
	document => "UPDATE sicantik_document SET state = 'pending_signature'",
	workflow => 'UPDATE signature_workflow SET approver_id = id');
my %weight = (status => 4, ready => 2);
my (@changes, @sends);

sub script
{
	my ($name, $subject, $isolation, $change) = @_;
	my $file = $node->basedir . "/$name.sql";

	append_to_file($file, <<"SQL");
$subject \\gset
\\set undo random(1, 8)
BEGIN ISOLATION LEVEL $isolation;
SELECT count(*) FROM res_company;
$change;
\\if :undo = 1
ROLLBACK;
\\else
COMMIT;
\\endif
SQL
	return $file;
}

foreach my $kind (sort keys %change)
{
	push @changes, '-f', script($kind,
		"SELECT coalesce(max(id), 0) AS id, max(number) AS number FROM subject WHERE kind = '$kind' AND n = (SELECT nextval('next_$kind'))",
		$change{$kind} =~ /(partner|approver)_id/ ? 'READ COMMITTED' : 'REPEATABLE READ',
		"WITH changed AS ($change{$kind} WHERE id = :id RETURNING id) INSERT INTO committed SELECT ':number' FROM changed")
	  . '@' . ($weight{$kind} || 1);
}
append_to_file($node->basedir . '/nothing.sql', "UPDATE res_partner SET street = 'Jalan ' || random() WHERE id = 10;\n");
push @changes, '-f', $node->basedir . '/nothing.sql';
append_to_file($node->basedir . '/look.sql', "SELECT look();\n");
my @looks = ('-f', $node->basedir . '/look.sql');
push @sends, '-f', script('send', "SELECT '62856' || to_char(nextval('next_send'), 'FM00000000') AS number", 'REPEATABLE READ',
	"SELECT send(':number')");

# The provider tells of each message that it was read, and what people answer.
my $answers = 0;
my @traffic;

sub answer
{
	$answers++;
	$sim->tell({ provider => 'fonnte', from => sprintf('62857%08d', $answers), text => "Terima kasih $answers", inboxid => $answers });
	return;
}

sub start
{
	my ($name, @command) = @_;
	my ($out, $err) = ('', '');
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'odoo', PGUSER => $name, WEBHOOK_PORT => $port);

	return { out => \$out, err => \$err, run => IPC::Run::start(\@command, '<', \undef, '>', \$out, '2>', \$err) };
}

sub start_traffic
{
	foreach my $how ([ '-c', '4' ], [ '-c', '1', '-C' ])
	{
		my @pgbench = ("$bindir/pgbench", '-n', '-T', 36000, @$how);

		push @traffic, start('odoo', @pgbench, '-R', $rate{change} / 2, '--verbose-errors', @changes),
		  # our functions do not believe an old snapshot: to be repeated
		  start('odoo', @pgbench, '-R', $rate{send} / 2, '--max-tries=0', @sends);
	}
	push @traffic, start('postgres', "$bindir/pgbench", '-n', '-T', 36000, '-R', 5, @looks);
	return;
}

sub end_traffic
{
	foreach my $one (splice @traffic)
	{
		ok($one->{run}->pumpable, 'the application has not met an error')
		  or diag(${ $one->{err} });
		# a shell may have told its background jobs to ignore SIGINT
		$one->{run}->signal('TERM');
		eval { IPC::Run::finish($one->{run}) };
		unlike(${ $one->{err} }, qr/ERROR|aborted/, 'nor said one');
	}
	# what its sessions were at is carried out all the same
	ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgbench')"), 'all of it is over');
	return;
}

# table => the file that it is in
sub files
{
	return map { split /\|/ } split /\n/, sql("SELECT oid::regclass, pg_relation_filenode(oid) FROM pg_class WHERE relkind = 'r'"
		  . " AND relnamespace IN ('wa'::regnamespace, 'public'::regnamespace) AND relname NOT IN ('committed', 'subject')");
}

# As often as it goes within the time, at least once; and under traffic.  Which
# of "tables" are then where they were.
sub maintain
{
	my ($name, $tables, @steps) = @_;
	my $before = sql('SELECT count(*) FROM committed');
	my %before = files();
	my $began = time;
	my $rounds = 0;

	do
	{
		foreach my $step (@steps)
		{
			answer();
			$step->();
		}
		$rounds++;
	} while (time < $began + $seconds);
	$node->poll_query_until('odoo', "SELECT count(*) > $before + 20 FROM committed");
	note(sprintf('%s: %d rounds, %d s', $name, $rounds, time - $began));
	my %after = files();
	return join(' ', grep { $before{$_} eq $after{$_} } @$tables);
}

sub statements { return map { my $text = $_; sub { sql($text) } } @_; }

sub program
{
	my @command = @_;

	return sub {
		my ($out, $err);

		IPC::Run::run(\@command, '>', \$out, '2>', \$err) or fail("@command: $err");
	};
}

my @connection = ('-h', $node->host, '-p', $node->port, '-d', 'odoo');
my @wa = split /\n/, sql("SELECT oid::regclass FROM pg_class WHERE relnamespace = 'wa'::regnamespace AND relkind = 'r' ORDER BY relname");
my @watched = split /\n/, sql("SELECT regexp_replace(relation, '^public.', '') FROM wa.watch ORDER BY relation");
# that the worker reads
my @read = qw(res_partner res_users);
# a copy of these looks empty to older snapshots: such tools must not touch them
my @refused = qw(wa.event wa.event_aside wa.figure_change wa.secret);
my %refused = map { $_ => 1 } @refused;
# those of which a decision hangs first
my @some = $ENV{MAINTENANCE_SECONDS} ? (grep { !$refused{$_} } @wa) : map { "wa.$_" } qw(read_position watch identity announced message);
my @rewritten = (@watched, @read, @some);

my $endpoint = start('wa_webhook', 'python3', '-B', abs_path(dirname(__FILE__) . '/../../docs/webhook/webhook.py'));
start_traffic();
is(maintain('VACUUM FULL', [ @rewritten, @refused ], statements('VACUUM (FULL)')), '', 'VACUUM FULL: of all tables');
maintain('REINDEX', [], statements('REINDEX SCHEMA wa', map { "REINDEX TABLE $_" } @watched, @read));
is(maintain('CLUSTER', \@rewritten, statements(map { my ($index) = /(?:wa\.)?(.*)/; "CLUSTER $_ USING ${index}_pkey" } @rewritten)),
	'', 'CLUSTER: of all that have a key');
maintain('REINDEX CONCURRENTLY', [], statements('REINDEX SCHEMA CONCURRENTLY wa', map { "REINDEX TABLE CONCURRENTLY $_" } @watched, @read));
if ($repack)
{
	my @command = ("$bindir/pg_repack", @connection);

	is(maintain('pg_repack', \@rewritten, map { program(@command, '--no-kill-backend', '-t', $_) } @rewritten), '', 'pg_repack: each table');
	is(maintain('pg_repack of the database', [ @rewritten, @refused ], program(@command)), "@refused", 'pg_repack: all of them, but for four');
	maintain('pg_repack of indexes', [], map { program(@command, '--only-indexes', '-t', $_) } @rewritten);
}
if ($squeeze)
{
	is(maintain('pg_squeeze', \@rewritten, statements(map { my ($schema, $table) = /^(?:(\w+)\.)?(\w+)$/;
			"SELECT squeeze.squeeze_table('" . ($schema || 'public') . "', '$table')" } @rewritten)), '', 'pg_squeeze: each table');
}
if ($concurrently)
{
	is(maintain('REPACK', [ @rewritten, @refused ], statements('REPACK')), '', 'REPACK: all tables');
	is(maintain('REPACK (CONCURRENTLY)', \@rewritten, statements(map { "REPACK (CONCURRENTLY) $_" } @rewritten)), '',
		'REPACK (CONCURRENTLY): each table');
}
end_traffic();
# (on a busy machine the worker may well be late)
is(sql("SELECT DISTINCT item, what_to_do FROM alarm WHERE state = 'error' AND item NOT IN ('worker', 'sender')"), '', 'wa_check() has met no error');

foreach my $table (@refused)
{
	my ($out, $err);
	my ($name) = $table =~ /^wa\.(.*)/;

	if ($repack)
	{
		IPC::Run::run([ "$bindir/pg_repack", @connection, '-t', $table ], '>', \$out, '2>', \$err);
		like($err, qr/must have a primary key or not-null unique keys/, "pg_repack refuses $table");
	}
	if ($squeeze)
	{
		(undef, undef, $err) = $node->psql('odoo', "SELECT squeeze.squeeze_table('wa', '$name')");
		like($err, qr/identity index|replica identity/i, "pg_squeeze refuses $table");
	}
	if ($concurrently)
	{
		(undef, undef, $err) = $node->psql('odoo', "REPACK (CONCURRENTLY) $table");
		like($err, qr/replica identity/i, "REPACK (CONCURRENTLY) refuses $table");
	}
}

# The three lists: what was committed, the ledger, what the provider took.
my @committed = split /\n/, sql('SELECT number FROM committed');
my @rolled_back = split /\n/, sql('SELECT number FROM subject EXCEPT SELECT number FROM committed');
my $n = @committed;
cmp_ok($n, '>', 100, "$n changes and messages by hand under maintenance");
ok(wait_read($node, 'odoo'), 'all of them are read');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state IN ('queued', 'sending')", '0'), 'nothing waits');
is($sim->control('idle?timeout=180')->{left}, 0, 'all webhooks are taken');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state = 'read'", $n), 'each is sent, and read')
  or diag(sql('SELECT scenario, state, reason, detail, count(*) FROM wa.message GROUP BY 1, 2, 3, 4'));
is(sql('SELECT count(DISTINCT text), count(*) FROM wa.inbound'), "$answers|$answers", 'each answer is there once');
is(sql('SELECT coalesce(sum(events), 0) FROM wa.capture_gap'), '0', 'no change was dropped');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'none is a dead letter');
is(sql('SELECT count(*) || \' \' || count(DISTINCT number) FROM wa.message'), "$n $n", 'one message for each');
my $audit = audit($node, 'odoo', $sim, \@committed, \@rolled_back);
is_deeply($audit->{$_}, [], "the audit: nothing is $_") foreach qw(lost phantom duplicate untrue unrecorded miscounted);
is($audit->{accepted}, $n, 'the provider got one for each');

# pg_repack that was killed leaves its trigger on our table.  It writes into pg_repack's
# own table whatever the worker does; the extension goes with it.
if ($repack)
{
	my $reader = SicantikWa::Session->new($node, 'odoo');
	my @command = ("$bindir/pg_repack", @connection);
	my $triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'wa.message'::regclass AND tgname = 'repack_trigger'";
	my $log = $node->basedir . '/killed';

	# it waits for transactions that are older than its copy
	$reader->do('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
	my $run = IPC::Run::start([ @command, '-t', 'wa.message' ], '<', \undef, '>', "$log.out", '2>', "$log.err");
	ok(wait_sql($node, 'odoo', $triggers, '1'), 'pg_repack is at wa.message');
	$run->signal('KILL');
	eval { IPC::Run::finish($run) };
	ok(wait_sql($node, 'odoo', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_repack'", '0'), 'and is killed');
	$reader->close;
	foreach my $left (1, 0)
	{
		is(sql($triggers), $left, 'its trigger is ' . ($left ? 'left' : 'gone'));
		wait_state($node, 'odoo', sql("SELECT wa_send_text('62812345600$left', 'Yth.')"), 'read');
		sql('DROP EXTENSION pg_repack CASCADE; CREATE EXTENSION pg_repack') if $left;
	}
}

# Several tables at one time may be both that take events: what is changed then is a
# gap, and nothing else is missing.
if ($ENV{MAINTENANCE_SECONDS})
{
	my $untold = 'SELECT count(*) FROM committed WHERE number NOT IN (SELECT number FROM wa.message)';
	my $gap = 'SELECT coalesce(sum(events), 0) FROM wa.capture_gap';

	start_traffic();
	maintain('vacuumdb --full --jobs', [], program("$bindir/vacuumdb", @connection, '--full', '--jobs=4', map { ('-t', $_) } @wa));
	end_traffic();
	ok(wait_read($node, 'odoo'), 'what was changed meanwhile is read');
	ok(wait_sql($node, 'odoo', "SELECT ($untold) <= ($gap)"), 'what is not told is a gap')
	  or diag(sql("SELECT ($untold), ($gap)"));
	note(sql("SELECT ($untold) || ' not told, gaps of ' || ($gap)"));
	is(sql('SELECT count(*) - count(DISTINCT number) FROM wa.message'), '0', 'nothing is twice');
}

$endpoint->{run}->kill_kill;
$node->stop('fast');
done_testing();

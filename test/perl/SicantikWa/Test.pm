# Helpers for the TAP tests: a provider simulator, clusters that send to it,
# an Odoo-shaped database, and waiting for conditions instead of time.
#
# Tests run as an unprivileged user with PostgreSQL's own test modules in the
# search path (PGXS's prove_installcheck does that):
#
#	use SicantikWa::Test;
#	my $sim  = start_simulator();
#	my $node = new_cluster('main', simulator => $sim);
#	load_odoo($node, 'odoo');
#	...
#	wait_state($node, 'odoo', $id, 'sent');
#	is(scalar $sim->sends('fonnte'), 1, 'one request to Fonnte');
package SicantikWa::Test;

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use File::Spec;
use JSON::PP ();
use SicantikWa::Node;
use PostgreSQL::Test::Utils ();
use Test::More;

our @EXPORT = qw(
  start_simulator
  new_cluster
  load_odoo
  load_many
  no_pacing
  function_answers
  $ALL_READ
  wait_sql
  wait_read
  wait_state
  allowed_hosts
  provider_settings
  play_webhooks
);

# The test folder, found from this file so that the working directory of
# prove does not matter.
my $test_dir =
  File::Spec->rel2abs(File::Spec->catdir(dirname(__FILE__), '..', '..'));

# start_simulator($dir, %options): a running SicantikWa::Simulator.
# $dir: its folder; without one a temporary folder is made.
# Options: tls => 1 also opens the three TLS ports; brief => 1 writes journal.tsv
# instead of the journal (test/simulator/journal.py), for long runs.
sub start_simulator
{
	my ($dir, %options) = @_;

	$dir = PostgreSQL::Test::Utils::tempdir('simulator')
	  unless defined $dir;
	return SicantikWa::Simulator->start(
		"$test_dir/simulator/simulator.py", $dir, %options);
}

# allowed_hosts($simulator): the value of sicantik_wa.allowed_hosts that lets
# every kind of provider reach this simulator, and nothing else.
sub allowed_hosts
{
	my ($simulator) = @_;
	my @ports = ([ '127.0.0.1', $simulator->port ]);

	foreach my $port ($simulator->tls_port, $simulator->bad_tls_port,
		$simulator->bad_ca_port)
	{
		push @ports, [ '127.0.0.1', $port ], [ 'localhost', $port ] if $port;
	}
	return join(
		',',
		map {
			my $kind = $_;
			map { "$kind=$_->[0]:$_->[1]" } @ports
		} sort keys %{ $simulator->config });
}

# provider_settings($simulator, $kind): settings for wa_configure(), as JSON
# text, that fit the simulator's default credentials.
sub provider_settings
{
	my ($simulator, $kind) = @_;
	my $url = 'http://127.0.0.1:' . $simulator->port;
	my $settings = $simulator->config;
	my %values = (
		meta => sub {
			return (
				base_url => $url,
				api_version => 'v26.0',
				phone_number_id => $settings->{meta}{phone_number_id},
				waba_id => $settings->{meta}{waba_id},
				access_token => $settings->{meta}{tokens}[0]);
		},
		fonnte => sub {
			return (
				base_url => $url,
				token => $settings->{fonnte}{tokens}[0]);
		},
		watzap => sub {
			return (
				base_url => "$url/v1",
				api_key => $settings->{watzap}{api_keys}[0],
				number_key => $settings->{watzap}{number_keys}[0]);
		});

	die "no such kind of provider: $kind" unless $values{$kind};
	return JSON::PP->new->canonical->encode(
		{ kind => $kind, active => JSON::PP::true, $values{$kind}->() });
}

# new_cluster($name, %options): a PostgreSQL::Test::Cluster, started.
# Options:
#	simulator	SicantikWa::Simulator that its providers may reach
#	fsync		1: leave fsync on (crash tests that cut the power)
#	preload		what to preload; 'sicantik_wa' unless given, '' for nothing
#	init		reference to a hash of options for init()
#	instance	sicantik_wa.instance, from a file outside the data directory
#	conf		more lines for postgresql.conf, last word
#	start		0: leave it stopped
sub new_cluster
{
	my ($name, %options) = @_;
	my $node = SicantikWa::Node->new($name);
	my $preload =
	  defined $options{preload} ? $options{preload} : 'sicantik_wa';
	my @conf = (
		"shared_preload_libraries = '$preload'",
		'max_worker_processes = 16',
		'max_connections = 50',
		'fsync = ' . ($options{fsync} ? 'on' : 'off'));

	push @conf,
	  "sicantik_wa.allowed_hosts = '" . allowed_hosts($options{simulator}) . "'"
	  if $options{simulator};
	push @conf,
	  "sicantik_wa.ca_file = '" . $options{simulator}->ca_file . "'"
	  if $options{simulator} && $options{simulator}->tls_port;
	if (defined $options{instance})
	{
		my $file = PostgreSQL::Test::Utils::tempdir('instance') . '/instance.conf';

		PostgreSQL::Test::Utils::append_to_file($file, "sicantik_wa.instance = '$options{instance}'\n");
		push @conf, "include = '$file'";
	}
	push @conf, $options{conf} if defined $options{conf};

	$node->init(%{ $options{init} || {} });
	$node->append_conf('postgresql.conf', join("\n", @conf) . "\n");
	$node->start unless defined $options{start} && !$options{start};
	return $node;
}

# load_odoo($node, $dbname, %options): create the database if it is missing
# and load the Odoo-shaped tables and rows.
# Options: owner => role that owns the database ('odoo'; made if missing, an
# unprivileged role with LOGIN CREATEDB, as Odoo's), tables => role that owns
# the tables (the owner), superuser => 1 makes the owner one, as the official
# container image does.
sub load_odoo
{
	my ($node, $dbname, %options) = @_;
	my $owner = $options{owner} || 'odoo';
	my $tables = $options{tables} || $owner;

	foreach my $role ($owner, $tables)
	{
		my $known = $node->safe_psql('postgres',
			"SELECT 1 FROM pg_roles WHERE rolname = '$role'");
		$node->safe_psql('postgres', qq(CREATE ROLE "$role" LOGIN CREATEDB))
		  unless $known;
	}
	$node->safe_psql('postgres', qq(ALTER ROLE "$owner" SUPERUSER))
	  if $options{superuser};
	$node->safe_psql('postgres',
		qq(CREATE DATABASE "$dbname" OWNER "$owner" TEMPLATE template0))
	  unless $node->safe_psql('postgres',
		"SELECT 1 FROM pg_database WHERE datname = '$dbname'");

	# Odoo's own restore does this as well.
	$node->safe_psql($dbname, 'GRANT CREATE ON SCHEMA public TO PUBLIC');
	run_file($node, $dbname, $tables, 'fixture.sql');
	return;
}

# load_many($node, $dbname, $permits, $role): add draft permits, each with a
# partner of its own.
sub load_many
{
	my ($node, $dbname, $permits, $role) = @_;

	run_file($node, $dbname, $role || 'odoo', 'fixture_many.sql',
		'-v', "permits=$permits");
	return;
}

# Run a file of test/odoo as a role; dies on any error.
sub run_file
{
	my ($node, $dbname, $role, $file, @more) = @_;

	PostgreSQL::Test::Utils::system_or_bail(
		$node->installed_command('psql'), '-X', '-q',
		'-v', 'ON_ERROR_STOP=1', @more,
		'-d', $node->connstr($dbname) . " user=$role",
		'-f', "$test_dir/odoo/$file");
	return;
}

# no_pacing($node, $dbname): send as fast as the provider answers, as much as
# there is, and at any time of any day.
sub no_pacing
{
	my ($node, $dbname) = @_;

	$node->safe_psql($dbname,
			"UPDATE wa.provider SET min_gap = '0', gap_jitter = '0', "
		  . "daily_cap = NULL, rate_per_second = NULL, recipient_gap = '0'; "
		  . 'UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, '
		  . 'weekdays = NULL, max_per_transaction = NULL, '
		  . 'max_per_hour = NULL, max_per_day_and_number = NULL');
	return;
}

# function_answers($node, $dbname, $nulls): what a call of each function of ours
# in pg_catalog comes to, one a line: its name, and "done" or the error.  It is
# given something of each type; with $nulls nothing, where it takes that.
sub function_answers
{
	my ($node, $dbname, $nulls) = @_;

	return $node->safe_psql($dbname, q{
		CREATE FUNCTION pg_temp.said(call text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN
			EXECUTE call;
			RETURN 'done';
		EXCEPTION WHEN OTHERS THEN
			RETURN sqlerrm;
		END $$;
		SELECT string_agg(proname || ' ' || said, E'\n' ORDER BY proname) FROM (SELECT DISTINCT p.proname, pg_temp.said(
				CASE p.prokind WHEN 'p' THEN 'CALL ' ELSE 'SELECT * FROM ' END || p.proname || '('
				|| coalesce((SELECT string_agg(CASE WHEN } . ($nulls ? 'true' : 'false') . q{ THEN 'NULL' ELSE
					CASE t.oid WHEN 'jsonb'::regtype THEN '''{}''' WHEN 'timestamptz'::regtype THEN 'now()'
					WHEN 'date'::regtype THEN 'current_date' WHEN 'boolean'::regtype THEN 'false' WHEN 'text'::regtype THEN '''x''' WHEN 'bytea'::regtype THEN '''x'''
					WHEN 'interval'::regtype THEN '''1 day''' ELSE '1' END END || '::' || format_type(t.oid, NULL), ', ' ORDER BY a.n)
					FROM unnest(p.proargtypes) WITH ORDINALITY AS a (oid, n) JOIN pg_type AS t ON t.oid = a.oid), '') || ')') AS said
			FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
			JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'sicantik_wa'
			WHERE p.pronamespace = 'pg_catalog'::regnamespace AND NOT (p.proisstrict AND p.pronargs > 0 AND } . ($nulls ? 'true' : 'false') . q{)) AS s});
}

# wait_sql($node, $dbname, $query, $expected): wait until the query answers
# what is expected ('t' unless given).  Returns true; on timeout prints what
# it answered last and returns false.
sub wait_sql
{
	my ($node, $dbname, $query, $expected) = @_;

	$expected = 't' unless defined $expected;
	return 1 if $node->poll_query_until($dbname, $query, $expected);
	diag("still not '$expected': $query");
	return 0;
}

# Every event has been read; so too where there is none.
our $ALL_READ = 'NOT EXISTS (SELECT FROM wa.event AS e WHERE NOT EXISTS'
  . ' (SELECT FROM wa.read_position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot)))';

# wait_read($node, $dbname): wait until every event has been composed.
sub wait_read
{
	my ($node, $dbname) = @_;

	return wait_sql($node, $dbname, "SELECT $ALL_READ");
}

# wait_state($node, $dbname, $message_id, $state): wait until a message has
# the state.  On timeout prints the message and its attempts.
sub wait_state
{
	my ($node, $dbname, $id, $state) = @_;

	return 1
	  if $node->poll_query_until($dbname,
		"SELECT state FROM wa.message WHERE id = $id", $state);
	my ($code, $out) = $node->psql($dbname,
			"SELECT to_jsonb(m) FROM wa.message m WHERE id = $id;\n"
		  . "SELECT to_jsonb(a) FROM wa.attempt a WHERE message_id = $id");
	diag("message $id is not '$state':\n" . (defined $out ? $out : ''));
	return 0;
}

# play_webhooks($node, $dbname, @bodies): have wa_webhook() take these bodies of
# $simulator->webhooks, each for itself; what it returned.
sub play_webhooks
{
	my ($node, $dbname, @bodies) = @_;
	my $json = JSON::PP->new->ascii->encode(\@bodies);

	return map { JSON::PP::decode_json($_) } split /\n/, $node->safe_psql($dbname, <<"SQL");
SELECT wa_webhook(b.provider, decode(b.body_hex, 'hex'), b.signature, b.secret)
  FROM json_to_recordset(\$body\$$json\$body\$) AS b(provider text, body_hex text, signature text, secret text)
SQL
}

# A simulator that runs.  It ends with stop(), with the test, or by itself
# when the test is gone.
package SicantikWa::Simulator;

use strict;
use warnings;

use HTTP::Tiny;
use IO::Select;
use JSON::PP;
use Test::More;

my @running;

sub start
{
	my ($class, $program, $dir, %options) = @_;
	my $self = bless {
		program => $program,
		dir => $dir,
		options => \%options,
	}, $class;

	push @running, $self;
	$self->launch(0);
	return $self;
}

sub launch
{
	my ($self, $port) = @_;
	my @command = ('python3', $self->{program}, '--port', $port,
		'--state-dir', $self->{dir});
	my $line;

	push @command, '--tls-port', '0', '--bad-tls-port', '0',
	  '--bad-ca-port', '0'
	  if $self->{options}{tls};
	push @command, '--brief' if $self->{options}{brief};
	my $pid = open(my $out, '-|', @command)
	  or die "cannot start the simulator: $!";
	$self->{pid} = $pid;
	$self->{out} = $out;
	$self->{owner} = $$;

	$line = <$out> if IO::Select->new($out)->can_read(60);
	die 'the simulator did not start'
	  unless defined $line && $line =~ /^ready /;
	while ($line =~ /(\w+)=(\d+)/g)
	{
		$self->{ports}{$1} = $2;
	}
	return;
}

# End it without warning, connections and all; its journal stays.
sub crash
{
	my ($self) = @_;

	kill 'KILL', $self->{pid};
	local ($?, $!);
	close($self->{out});
	$self->{pid} = undef;
	return;
}

# Start it again behind crash(), at the same port (of plain HTTP), with its
# defaults and without faults.
sub restart
{
	my ($self) = @_;

	$self->launch($self->port);
	return;
}

sub dir { return $_[0]->{dir}; }
sub pid { return $_[0]->{pid}; }
sub port { return $_[0]->{ports}{http}; }

# Ports of TLS: a good certificate, another name, another issuer; 0 if not
# asked for.
sub tls_port { return $_[0]->{ports}{tls} || 0; }
sub bad_tls_port { return $_[0]->{ports}{bad_tls} || 0; }
sub bad_ca_port { return $_[0]->{ports}{bad_ca} || 0; }
sub ca_file { return "$_[0]->{dir}/ca.pem"; }

# One call of the control endpoint; dies on an error answer.
sub control
{
	my ($self, $name, $value, $timeout) = @_;
	my $url = 'http://127.0.0.1:' . $self->port . "/_control/$name";
	my $http = HTTP::Tiny->new(timeout => $timeout || 60, proxy => undef,
		http_proxy => undef, keep_alive => 0);
	my $answer =
	  defined $value
	  ? $http->post($url, { content => encode_json($value) })
	  : $http->get($url);

	die "simulator: $name: $answer->{status} $answer->{content}"
	  unless $answer->{success};
	return decode_json($answer->{content});
}

# config() reads the configuration; config({fonnte => {connected => 0}})
# changes it.  Booleans must be JSON::PP::true or JSON::PP::false.
sub config
{
	my ($self, $wanted) = @_;

	return $self->control('config', $wanted);
}

# fault({kind => 'cut_after_read', provider => 'fonnte', ...}): its number.
sub fault
{
	my ($self, $wanted) = @_;

	return $self->control('fault', $wanted)->{id};
}

# How often a fault has struck.
sub fired
{
	my ($self, $id) = @_;
	my ($found) = grep { $_->{id} == $id } @{ $self->control('fault') };

	return $found ? $found->{fired} : undef;
}

sub clear_faults { return $_[0]->control('clear', {}); }
sub reset { return $_[0]->control('reset', {}); }

# Let answers go that a fault of kind "hold" keeps back.
sub release
{
	my ($self, $id) = @_;

	return $self->control('release', defined $id ? { id => $id } : {})
	  ->{released};
}

# tell({provider => 'meta', from => '628...', text => 'STOP'}): have a provider
# tell something by its webhook.
sub tell { return $_[0]->control('webhook', $_[1]); }

# webhooks(since => SEQ, shuffle => SEED, copies => N, batch => N): what the
# providers told, as bodies for play_webhooks().
sub webhooks
{
	my ($self, %how) = @_;

	return @{ $self->control('webhooks?' . join('&', map { "$_=$how{$_}" } sort keys %how)) };
}

# All requests, read from the file: it outlives the simulator.
sub journal
{
	my ($self) = @_;
	my @entries;

	open(my $file, '<:raw', "$self->{dir}/journal.jsonl")
	  or die "no journal: $!";
	while (my $line = <$file>)
	{
		push @entries, decode_json($line);
	}
	close($file);
	return @entries;
}

# The send requests, of one provider if it is named: refused ones too.
sub sends
{
	my ($self, $provider) = @_;

	return grep {
		($_->{endpoint} || '') eq 'send'
		  && (!defined $provider || ($_->{provider} || '') eq $provider)
	} $self->journal;
}

# The messages that a provider took, whether or not the answer arrived.
sub accepted
{
	my ($self, $provider) = @_;

	return grep { $_->{accepted} } $self->sends($provider);
}

# wait_for_sends($n, %filter): wait until that many send requests have come
# since the start.  Filters: provider, accepted => 1, to, fault_id, since (a
# seq), timeout in seconds (180).  True if they came.
sub wait_for_sends
{
	my ($self, $n, %filter) = @_;
	my $timeout =
	     delete $filter{timeout}
	  || $ENV{PG_TEST_TIMEOUT_DEFAULT}
	  || 180;
	my $query = join('&',
		"count=$n", "timeout=$timeout",
		map { "$_=$filter{$_}" } sort keys %filter);
	my $answer = $self->control("wait?$query", undef, $timeout + 30);

	diag("only $answer->{count} of $n send requests came")
	  unless $answer->{reached};
	return $answer->{reached} ? 1 : 0;
}

sub stop
{
	my ($self) = @_;

	return unless $self->{pid} && $self->{owner} == $$;
	kill 'TERM', $self->{pid};
	local ($?, $!);
	close($self->{out});		# waits for the process
	$self->{pid} = undef;
	return;
}

END
{
	my $status = $?;

	$_->stop foreach @running;
	$? = $status;
}

1;

# A long run: messages by changes and by hand, at a steady rate, webhooks about
# what was sent, faults of the providers all the time, and in the middle third
# kills.  Then what is measured in the last third is compared with the first, and
# four lists with each other: what was committed, the ledger, what the providers
# took, what they told.
#
# SOAK_SECONDS: how long (1800).  SOAK_RATE: messages a second (500; with the
# server and the providers on the same machine that is two quiet cores).
# SOAK_SEED: the same faults and kills again.

use strict;
use warnings;

use JSON::PP;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

use SicantikWa::Audit;
use SicantikWa::Test;

my $seconds = $ENV{SOAK_SECONDS} || 1800;
my $rate = $ENV{SOAK_RATE} || 500;
my $seed = $ENV{SOAK_SEED} || (CORE::time ^ $$) & 0x7fffffff;

# What comes before the first third: tables that are vacuumed for the first
# time, memory that grows to what it needs.
my $warm = $seconds / 10;
my $third = ($seconds - $warm) / 3;
# A crash makes the server forget what there is to vacuum: autovacuum comes within
# two of its naps, and gives back one later what had piled up.
my $nap = $seconds < 150 ? 5 : $seconds > 1800 ? 60 : int($seconds / 30);

# From the first third to the last one nothing may grow beyond these.
my %most = (
	memory => [ 1.25, 4096 ],		# times, and so many kB more
	descriptors => [ 1.3, 32 ],
	'tables of work' => [ 1.5, 16384 ],
	'of it indexes' => [ 1.5, 8192 ],
	'ledger per message' => [ 1.25, 0.3 ],	# kB
	'latency, median' => [ 1.5, 100 ],	# ms
	'latency, 90 %' => [ 2.0, 2000 ],
);

my $sim = start_simulator(undef, brief => 1);
my $node = new_cluster(
	'main',
	simulator => $sim,
	conf => join("\n",
		'restart_after_crash = on',
		'autovacuum = on',
		"autovacuum_naptime = $nap",
		'shared_buffers = 256MB',
		'max_wal_size = 512MB',
		'log_statement = none',
		'log_line_prefix = \'%m [%p] %b %e \'',
		# so that mass changes are read in pieces, beside the worker
		'sicantik_wa.compose_batch = 20',
		'sicantik_wa.request_timeout = 2s',
		'sicantik_wa.shutdown_grace = 300ms'));
my $bindir = `pg_config --bindir`;
chomp $bindir;
my $dir = PostgreSQL::Test::Utils::tempdir('soak');
my $logs = $PostgreSQL::Test::Utils::log_path;
my @children;

diag("soak: $seconds seconds, $rate messages a second, SOAK_SEED=$seed");
srand($seed);

sub sql { return $node->safe_psql('odoo', $_[0]); }

# What the database answers, or nothing while it is not there.
sub ask
{
	my ($code, $out, $err) = $node->psql('odoo', $_[0]);

	return defined $code && $code == 0 && $err eq '' ? $out : undef;
}

# ---- the office

my $mass = int($rate / 2) || 1;		# permits that one statement changes, once in ten seconds
my $permits = int($seconds * $rate / 2 * 1.1) + 1000;
my $in_masses = $mass * int($seconds / 5 + 10);

load_odoo($node, 'odoo');
load_many($node, 'odoo', $permits + $in_masses);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
$sim->config({ fonnte => { quota => 1_000_000_000 } });
foreach my $kind (qw(fonnte watzap))
{
	my $settings = decode_json(provider_settings($sim, $kind));

	$settings->{webhook_secret} = uc($kind) . 'DEMOWEBHOOK';
	sql("SELECT wa_configure('$kind', '" . encode_json($settings) . "')");
	sql("SELECT FROM wa_test_connection('$kind')");
}
no_pacing($node, 'odoo');
sql('UPDATE wa.provider SET max_in_flight = 50');
sql("SELECT wa_set('unknown_wait', '2 seconds')");
sql("SELECT wa_set('$_->[0]', '$_->[1]')")
  foreach [ download_link => 'https://contoh.go.id/{registration_id}' ], [ detail_link => 'https://contoh.go.id/{registration_id}' ],
  [ office_name => 'DPMPTSP' ];
sql("SELECT wa_arm('odoo')");
sql('CREATE TABLE soak_committed (number text PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp());'
	  . ' CREATE TABLE soak_told (key text, what text, PRIMARY KEY (key, what));'
	  . ' CREATE SEQUENCE soak_change; CREATE SEQUENCE soak_mass; CREATE SEQUENCE soak_hand;'
	  . ' GRANT ALL ON soak_committed, soak_told TO odoo; GRANT ALL ON SEQUENCE soak_change, soak_mass, soak_hand TO odoo');
my $first = sql("SELECT min(id) - 1 FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'");

# ---- the traffic: transactions with a number of their own each, which a list
# has that commits with them; one in ten is rolled back

append_to_file("$dir/change.sql", <<"SQL");
\\set dice random(1, 10)
SELECT $first + nextval('soak_change') AS permit \\gset
BEGIN;
UPDATE sicantik_permit SET status = 'active', permit_number = 'SOAK/' || id WHERE id = :permit;
INSERT INTO soak_committed (number) SELECT ltrim(p.phone_sanitized, '+')
	FROM sicantik_permit AS s JOIN res_partner AS p ON p.id = s.partner_id WHERE s.id = :permit;
\\if :dice = 1
ROLLBACK;
\\else
COMMIT;
\\endif
SQL
append_to_file("$dir/mass.sql", <<"SQL");
SELECT $first + $permits + $mass * (nextval('soak_mass') - 1) AS permit \\gset
BEGIN;
UPDATE sicantik_permit SET status = 'active', permit_number = 'SOAK/' || id WHERE id > :permit AND id <= :permit + $mass;
INSERT INTO soak_committed (number) SELECT ltrim(p.phone_sanitized, '+')
	FROM sicantik_permit AS s JOIN res_partner AS p ON p.id = s.partner_id WHERE s.id > :permit AND s.id <= :permit + $mass;
COMMIT;
SQL
append_to_file("$dir/hand.sql", <<'SQL');
\set dice random(1, 10)
SELECT '62853' || to_char(nextval('soak_hand'), 'FM00000000') AS number \gset
BEGIN;
SELECT wa_send_text(':number', 'Yth. warga, berkas Anda kami terima.');
INSERT INTO soak_committed (number) VALUES (':number');
\if :dice = 1
ROLLBACK;
\else
COMMIT;
\endif
SQL

sub child
{
	my ($work) = @_;
	my $pid = fork();

	die "fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		my $stop = 0;

		$SIG{TERM} = sub { $stop = 1; };
		srand($seed + 1 + @children);
		$work->(\$stop);
		POSIX::_exit(0);
	}
	push @children, $pid;
	return;
}

sub end_children
{
	local $?;

	kill 'TERM', @children;
	waitpid $_, 0 foreach splice @children;
	return;
}

END
{
	my $status = $?;

	end_children();
	$? = $status;
}

# pgbench for as long as its sessions live, and then again.
sub traffic
{
	my ($script, $per_second, @how) = @_;

	child(sub {
		my ($stop) = @_;
		my $run;

		$SIG{TERM} = sub { ${$stop} = 1; kill 'TERM', $run if $run; };
		until (${$stop})
		{
			$run = fork();
			if (defined $run && $run == 0)
			{
				open(STDOUT, '>', '/dev/null');
				open(STDERR, '>>', "$logs/pgbench");
				exec("$bindir/pgbench", '-n', @how, '-R', $per_second / 0.9, '-T', 100000, '-f', "$dir/$script",
					'-U', 'odoo', '-h', $node->host, '-p', $node->port, 'odoo') or POSIX::_exit(1);
			}
			waitpid $run, 0;
			usleep(200_000);
		}
	});
	return;
}

# ---- what the providers tell: of three messages in ten that they took, in any
# order and sometimes twice, until the database has taken it; some people
# answer, and some of these want no more

sub status
{
	my ($key, $state) = @_;

	return encode_json({ device => '6281100000001', timestamp => int(time), id => $key, stateid => "3EB0$key", state => $state });
}

sub inbound
{
	my ($number, $text) = @_;

	return encode_json({ device => '6281100000001', sender => $number, message => $text, text => '', member => '', name => 'Warga',
			location => '', pollname => '', choices => '', timestamp => int(time), inboxid => 0 });
}

sub tell
{
	my ($stop) = @_;
	my $journal = $sim->dir . '/journal.tsv';
	my (@waiting, $file);
	my $round = 0;

	until (${$stop} && !@waiting)
	{
		open($file, '<', $journal) or die "journal: $!" unless $file;
		seek($file, 0, 1);
		while (!${$stop} && defined(my $line = <$file>))
		{
			my (undef, $provider, $number, $key, $accepted) = split /\t/, $line;

			next unless $accepted eq 'True' && $provider eq 'fonnte' && rand() < 0.3;
			my $at = time + rand(5);

			push @waiting, [ $at, $key, 'delivered', status($key, 'delivered') ];
			push @waiting, [ $at - 1 + rand(3), $key, 'read', status($key, 'read') ] if rand() < 0.6;
			push @waiting, [ $at + rand(5), $key, 'delivered', status($key, 'delivered') ] if rand() < 0.05;
			push @waiting, [ $at + rand(5), $number, 'reply', inbound($number, 'Terima kasih') ] if rand() < 0.03;
			push @waiting, [ $at + rand(5), $number, 'stop', inbound($number, 'STOP') ] if rand() < 0.01;
		}
		my $now = time;
		my @due = ${$stop} ? @waiting : grep { $_->[0] <= $now } @waiting;
		splice(@due, 2000) if @due > 2000;
		if (@due)
		{
			my $script = "$dir/told.sql";
			my %due = map { $_ => 1 } @due;

			unlink $script;
			append_to_file($script, "BEGIN;\n"
				  . join('', map { "SELECT wa_webhook('fonnte', convert_to('$_->[3]', 'UTF8'), NULL, 'FONNTEDEMOWEBHOOK');\n" } @due)
				  . 'INSERT INTO soak_told VALUES ' . join(', ', map { "('$_->[1]', '$_->[2]')" } @due) . " ON CONFLICT DO NOTHING;\nCOMMIT;\n");
			my $status = system('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-L', "$logs/webhooks", '-f', $script,
				'-d', $node->connstr('odoo') . ' user=wa_webhook connect_timeout=5 application_name=webhook');

			@waiting = grep { !$due{$_} } @waiting if $status == 0;
			rename $script, "$dir/told.failed" if $status != 0;
		}
		usleep(${$stop} ? 50_000 : 500_000);
	}
	return;
}

sql('CREATE ROLE wa_webhook LOGIN; GRANT ALL ON soak_told TO wa_webhook');
sql("SELECT wa_grant('wa_webhook', 'webhook')");

# ---- processes and what they use

my @kinds = ('worker', 'composer', 'launcher');

sub pid_of
{
	my ($type) = @_;
	my $pid = ask("SELECT pid FROM pg_stat_activity WHERE backend_type = '$type' LIMIT 1");

	return $pid && $pid =~ /^\d+$/ ? $pid : undef;
}

# Memory of its own in kB, without what it shares, and file descriptors.
sub usage
{
	my ($pid) = @_;
	my $memory;

	open(my $file, '<', "/proc/$pid/status") or return;
	while (<$file>) { $memory = $1 if /^RssAnon:\s+(\d+)/; }
	my @descriptors = glob "/proc/$pid/fd/*";
	return defined $memory && @descriptors ? ($memory, scalar @descriptors) : ();
}

# Tables of the ledger, which has a row more for each message, for each thing
# that is told and for each person who says something, and wa.event, which keeps
# what was read for some days; the others are for work.
my $ledger = "'{" . join(',', map { "wa.$_" } qw(message attempt event event_outcome announced contact contact_window consent identity_of status_pair inbound)) . "}'::regclass[]";

my @samples;

sub sample
{
	my ($began) = @_;
	my $row = ask(qq{SELECT (SELECT count(*) FROM soak_committed),
			(SELECT last_value FROM wa.message_id_seq),
			sum(pg_total_relation_size(oid)) FILTER (WHERE oid <> ALL ($ledger)) / 1024,
			sum(pg_indexes_size(oid)) FILTER (WHERE oid <> ALL ($ledger)) / 1024,
			sum(pg_total_relation_size(oid)) FILTER (WHERE oid = ANY ($ledger)) / 1024,
			(SELECT count(*) FROM wa.ready), (SELECT count(*) FROM wa.due)
		FROM pg_class WHERE relnamespace = 'wa'::regnamespace AND relkind = 'r'});
	my %sample = (at => time - $began);

	return unless defined $row;
	@sample{qw(committed messages work indexes ledger ready due)} = split /\|/, $row;
	foreach my $kind (@kinds)
	{
		my $pid = pid_of("sicantik_wa $kind") or next;
		my ($memory, $descriptors) = usage($pid) or next;

		$sample{"$kind pid"} = $pid;
		@sample{ "$kind memory", "$kind descriptors" } = ($memory, $descriptors);
	}
	push @samples, \%sample;
	return \%sample;
}

# ---- what goes wrong

my @refusals = (
	sub { return { kind => 'status', status => (500, 502, 503)[ int(rand(3)) ], times => 1 + int(rand(5)) }; },
	sub { return { kind => 'too_many', retry_after => 1, times => 1 + int(rand(5)) }; },
	sub { return { kind => 'cut_before_read', times => 1 + int(rand(5)) }; });
my @doubts = (
	sub { return { kind => 'hang', times => 1 }; },
	sub { return { kind => 'cut_after_read', rst => rand() < 0.5 ? JSON::PP::true : JSON::PP::false, times => 1 }; },
	map { my $kind = $_; sub { return { kind => $kind, times => 1 }; } } qw(half_head truncated garbage invalid_utf8 nul empty overrun));
my @harmless = (
	sub { return { kind => 'delay', ms => 50 + int(rand(300)), times => 1 + int(rand(100)) }; },
	sub { return { kind => 'close_after', times => 1 + int(rand(20)) }; });

sub go_wrong
{
	my $dice = rand();
	my $kinds = $dice < 0.3 ? \@refusals : $dice < 0.55 ? \@doubts : \@harmless;
	my $fault = $kinds->[ int(rand(@$kinds)) ]->();

	$fault->{provider} = rand() < 0.8 ? 'fonnte' : 'watzap';
	$sim->fault($fault);
	return $fault->{kind};
}

sub signal_to
{
	my ($signal, $type) = @_;

	return sub { my $pid = pid_of($type); return $pid && kill $signal, $pid; };
}

my @kills = (
	[ 'kill -9 worker' => signal_to('KILL', 'sicantik_wa worker') ],
	[ 'kill -9 composer' => signal_to('KILL', 'sicantik_wa composer') ],
	[ 'kill -9 backend' => signal_to('KILL', 'client backend') ],
	[ 'kill -9 launcher' => signal_to('KILL', 'sicantik_wa launcher') ],
	[ 'SIGTERM worker' => signal_to('TERM', 'sicantik_wa worker') ],
	[ 'SIGTERM composer' => signal_to('TERM', 'sicantik_wa composer') ],
	[ 'fast restart' => sub { $node->stop('fast'); $node->start; return 1; } ],
	[ 'immediate restart' => sub { $node->stop('immediate'); $node->start; return 1; } ]);

# An operator as there must be one: mended providers are tested at once, what is
# held because too many answers were lost is let go.  The figures say whether
# there is any: searching a ledger that grows for it takes the processors from what
# is measured.
sub operate
{
	ask("UPDATE wa.provider SET probe_at = now() WHERE state = 'error' AND probe_at > now()");
	ask("SELECT CASE WHEN (SELECT sum(messages) FROM wa.figures WHERE state = 'held') > 0"
		  . " THEN (SELECT count(wa_release(id)) FROM wa.message WHERE state = 'held') END");
	return;
}

# ---- the run

my $began = time;
my %next = map { $_ => $began } qw(sample fault operate progress);
my $every = $seconds / 300 < 1 ? 1 : $seconds / 300;
my (%struck, %killed);
my $kills = 0;

$next{kill} = $began + $warm + $third;
$next{progress} += 30;
traffic('change.sql', $rate * 0.45, '-c', 4);
traffic('mass.sql', 0.09, '-c', 1);
traffic('hand.sql', $rate / 2 - $rate / 50, '-c', 4);
# with a session of its own each
traffic('hand.sql', $rate / 50, '-c', 1, '-C');
child(\&tell);

while (time - $began < $seconds)
{
	my $now = time;
	my $since = $now - $began;

	if ($now >= $next{sample})
	{
		sample($began);
		$next{sample} = $now + $every;
	}
	if ($now >= $next{fault})
	{
		$struck{ go_wrong() }++;
		$next{fault} = $now + 0.5 + rand(3);
	}
	if ($now >= $next{operate})
	{
		operate();
		$next{operate} = $now + 2;
	}
	# the rest of the middle third is for recovering: three naps
	if ($now >= $next{kill} && $since < $warm + 1.7 * $third)
	{
		# each kind once before the dice
		my ($name, $kill) = @{ $kills[ $kills < @kills ? $kills : int(rand(@kills)) ] };

		$kills++;
		$killed{$name}++ if $kill->();
		$node->poll_query_until('postgres', 'SELECT true') or BAIL_OUT("the server did not come back after: $name");
		$next{kill} = time + $third / 30 + rand($third / 20);
	}
	if ($now >= $next{progress} && @samples)
	{
		my $s = $samples[-1];

		diag(sprintf('%4d s: %d messages, %d ready, %d due; worker %s kB, %s descriptors; tables of work %d kB, ledger %d MB; %d faults, %d kills',
				$since, @$s{qw(messages ready due)}, $s->{'worker memory'} // '?', $s->{'worker descriptors'} // '?',
				$s->{work}, $s->{ledger} / 1024, eval(join '+', 0, values %struck), $kills));
		$next{progress} += 30;
	}
	usleep(100_000);
}
$sim->clear_faults;

# what is being told goes on until it is taken
end_children();
my $over = "SELECT $ALL_READ" . q(
	AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending', 'held') OR due_at IS NOT NULL)
	AND NOT EXISTS (SELECT FROM wa.request) AND NOT EXISTS (SELECT FROM wa.feedback WHERE due_at < now() + interval '1 second'));
my $settled = 0;
my $until = time + $PostgreSQL::Test::Utils::timeout_default + $seconds / 10;
while (!$settled && time < $until)
{
	operate();
	$settled = (ask($over) || '') eq 't';
	usleep(500_000);
}
ok($settled, 'everything comes to an end')
  or diag(sql('SELECT state, reason, provider, count(*) FROM wa.message GROUP BY 1, 2, 3'),
	sql('SELECT name, state, last_error FROM wa.provider'));

# ---- four lists

sql('CREATE UNLOGGED TABLE soak_taken (at float, provider text, number text, key text, accepted boolean, fault text)');
my $journal = $sim->dir . '/journal.tsv';
system_or_bail('psql', '-X', '-q', '-d', $node->connstr('odoo'), '-c', "\\copy soak_taken FROM '$journal'");
sql(q{
	CREATE UNLOGGED TABLE soak_requests AS SELECT number, count(*) AS requests, count(*) FILTER (WHERE accepted) AS taken, min(at) AS at
		FROM soak_taken WHERE number IS NOT NULL GROUP BY 1;
	CREATE UNLOGGED TABLE soak_ledger AS SELECT m.number, count(*) AS messages,
		bool_and(m.due_at IS NULL AND m.state NOT IN ('queued', 'sending', 'held')) AS over,
		count(*) FILTER (WHERE m.state IN ('sent', 'delivered', 'read')) AS sent,
		count(*) FILTER (WHERE m.state = 'unknown') AS unknown,
		count(*) FILTER (WHERE m.state IN ('failed', 'cancelled', 'expired', 'skipped')) AS failed,
		sum(m.repeats) AS repeats, sum(a.attempts) AS attempts, sum(a.doubts) AS doubts
		FROM wa.message AS m, LATERAL (SELECT count(*) AS attempts, count(*) FILTER (WHERE outcome = 'unknown') AS doubts
			FROM wa.attempt WHERE message_id = m.id) AS a
		WHERE m.number IS NOT NULL GROUP BY 1;
	ANALYZE soak_requests, soak_ledger, soak_committed, soak_told, soak_taken});

# The first of what should not be.
sub none
{
	my ($name, $what) = @_;

	is(sql("SELECT count(*) FROM ($what) AS x"), '0', $name) or diag(sql("SELECT x.* FROM ($what) AS x LIMIT 10"));
	return;
}

none('nothing that was committed is lost',
	'SELECT c.number, l.* FROM soak_committed AS c LEFT JOIN soak_ledger AS l USING (number) WHERE l.over IS NOT TRUE');
none('nothing is in the ledger, or sent, for work that was rolled back',
	'SELECT number FROM (SELECT number FROM soak_ledger UNION SELECT number FROM soak_requests) AS n LEFT JOIN soak_committed AS c USING (number) WHERE c.number IS NULL');
none('each repetition is one that the ledger shows as such',
	'SELECT number, r.taken, l.* FROM soak_requests AS r JOIN soak_ledger AS l USING (number) WHERE r.taken > l.sent + l.doubts OR r.taken > l.messages + l.repeats');
none('what the ledger says was sent, a provider has; what it says failed, none',
	'SELECT number, r.taken, l.* FROM soak_ledger AS l LEFT JOIN soak_requests AS r USING (number)'
	  . ' WHERE coalesce(r.taken, 0) < l.sent OR (l.failed = l.messages AND r.taken > 0)');
none('each request is an attempt in the ledger',
	'SELECT number, r.requests, l.attempts FROM soak_requests AS r JOIN soak_ledger AS l USING (number) WHERE r.requests > l.attempts');
none('each committed change is one message, and whoever says STOP gets another one',
	'SELECT number, despite_opt_out, count(*), string_agg(concat_ws(\' \', id, scenario, event_id, created_at, state, repeats), \', \') FROM wa.message GROUP BY 1, 2 HAVING count(*) > 1');
# of an answer that was lost the ledger does not know the id
none('what was told of a message is in the ledger',
	"SELECT t.*, l.* FROM soak_told AS t JOIN soak_taken AS k USING (key) JOIN soak_ledger AS l USING (number)"
	  . " LEFT JOIN wa.message AS m ON m.provider_message_id = t.key"
	  . " WHERE t.what IN ('delivered', 'read') AND (m.id IS NULL AND l.doubts = 0"
	  . " OR m.delivered_at IS NULL AND m.id IS NOT NULL OR t.what = 'read' AND m.read_at IS NULL AND m.id IS NOT NULL)");
none('who said STOP has opted out',
	"SELECT t.* FROM soak_told AS t LEFT JOIN wa.contact AS c ON c.number = t.key WHERE t.what = 'stop' AND c.opted_out_at IS NULL");
is_deeply([ miscounts($node, 'odoo') ], [], 'the figures are those of the ledger');
foreach my $table (qw(ready due dead_letter))
{
	is(sql("SELECT count(*) FROM wa.$table"), '0', "no row is left in wa.$table");
}
is(sql('SELECT coalesce(sum(events), 0) FROM wa.capture_gap'), '0', 'no change was missed');

my $figures = sql('SELECT concat_ws(\', \', (SELECT count(*) || \' committed\' FROM soak_committed), count(*) || \' messages\', sum(sent) || \' sent\', sum(unknown) || \' unknown\','
	  . ' sum(repeats) || \' repeated\', (SELECT sum(taken) || \' taken\' FROM soak_requests), (SELECT count(*) || \' told\' FROM soak_told)) FROM soak_ledger');
diag("soak: $figures");
diag('faults: ' . join(', ', map { "$struck{$_} $_" } sort keys %struck));
diag('kills: ' . join(', ', map { "$killed{$_} $_" } sort keys %killed));

# the faults of providers are no reason for a process to end, and nothing here is one for an internal error
my $log = slurp_file($node->logfile);
my @internal = $log =~ /^(.* XX\d\d\d .*)$/mg;
is(scalar @internal, 0, 'no internal error') or diag(join("\n", @internal[ 0 .. ($#internal < 9 ? $#internal : 9) ]));

# ---- flat

sub in_phase { my ($from, $to) = @_; return grep { $_->{at} >= $from && $_->{at} < $to } @samples; }

my @phases = ([ $warm, $warm + $third ], [ $warm + 2 * $third, $seconds ]);
my @in = map { [ in_phase(@$_) ] } @phases;

sub middle { my @v = sort { $a <=> $b } grep { defined } @_; return $v[ int(@v / 2) ]; }
sub largest { my @v = sort { $a <=> $b } grep { defined } @_; return $v[-1]; }

# what $of makes of the first third, and of the last one
sub flat
{
	my ($name, $bound, $unit, @values) = @_;
	my ($times, $more) = @{ $most{$bound} };

	return fail("$name: nothing was measured") if grep { !defined } @values;
	diag(sprintf('  %-32s %10.1f, then %10.1f %s', $name, @values, $unit));
	cmp_ok($values[1], '<=', $values[0] * $times + $more, "$name is flat");
	return;
}

diag('first third, last third:');
foreach my $p (0, 1)
{
	my ($from, $to) = ($in[$p][0], $in[$p][-1]);
	my $reached = $from && $to->{at} > $from->{at} ? ($to->{committed} - $from->{committed}) / ($to->{at} - $from->{at}) : 0;

	diag(sprintf('  %-32s %10.1f a second', 'messages', $reached));
	cmp_ok($reached, '>=', 0.9 * $rate, ('first', 'last')[$p] . ' third: there is the traffic (SOAK_RATE: less of it)');
}
foreach my $p (0, 1)
{
	cmp_ok(middle(map { $_->{ready} } @{ $in[$p] }), '<=', 5 * $rate, ('first', 'last')[$p] . ' third: what is to be sent is sent (SOAK_RATE: less of it)');
}
foreach my $kind (qw(worker launcher))
{
	foreach my $p (0, 1)
	{
		my %pids = map { $_->{"$kind pid"} => 1 } grep { $_->{"$kind pid"} } @{ $in[$p] };

		is(scalar keys %pids, 1, ('first', 'last')[$p] . " third: the $kind is one process");
	}
}
# the worker of the first third is another one than that of the last: as old as
# each other, and each for itself
my $last = $#{ $in[1] };
foreach my $kind (@kinds)
{
	# the one that composes is there when there is much to compose
	next if $kind eq 'composer' && grep { 4 > grep { defined $_->{"composer memory"} } @$_ } @in;
	flat("$kind, memory", 'memory', 'kB', map { largest(map { $_->{"$kind memory"} } @$_) } @in);
	flat("$kind, memory, its own growth", 'memory', 'kB',
		map { middle(map { $_->{"$kind memory"} } @$_) } [ @{ $in[1] }[ 0 .. $last / 2 ] ], [ @{ $in[1] }[ $last / 2 .. $last ] ]);
	flat("$kind, file descriptors", 'descriptors', '', map { middle(map { $_->{"$kind descriptors"} } @$_) } @in);
}
flat('tables of work', 'tables of work', 'kB', map { largest(map { $_->{work} } @$_) } @in);
diag('    between these, with no autovacuum for as long as there are crashes, at most '
	  . largest(map { $_->{work} } in_phase($warm + $third, $warm + 2 * $third)) . ' kB');
flat('their indexes', 'of it indexes', 'kB', map { largest(map { $_->{indexes} } @$_) } @in);
my $largest = sql("SELECT string_agg(relname || ' ' || kb || ' kB', ', ' ORDER BY kb DESC) FROM (SELECT relname, pg_total_relation_size(oid) / 1024 AS kb FROM pg_class"
	  . " WHERE relnamespace = 'wa'::regnamespace AND relkind = 'r' AND oid <> ALL ($ledger) ORDER BY 2 DESC LIMIT 5) AS t");
diag("    of these at the end $largest");
flat('ledger per message', 'ledger per message', 'kB',
	map { ($_->[-1]{ledger} - $_->[0]{ledger}) / ($_->[-1]{committed} - $_->[0]{committed} || 1) } @in);
my @latency = map {
	my ($from, $to) = map { $began + $_ } @$_;

	[ split /\|/, sql('SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms), percentile_cont(0.9) WITHIN GROUP (ORDER BY ms), percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)'
		  . ' FROM (SELECT 1000 * (r.at - extract(epoch FROM c.at)) AS ms FROM soak_committed AS c JOIN soak_requests AS r USING (number)'
		  . " WHERE extract(epoch FROM c.at) BETWEEN $from AND $to) AS l") ]
} @phases;
flat('from change to wire, median', 'latency, median', 'ms', map { $_->[0] } @latency);
flat('from change to wire, 90 %', 'latency, 90 %', 'ms', map { $_->[1] } @latency);
diag(sprintf('  %-32s %10.1f, then %10.1f ms', 'from change to wire, 99 %', map { $_->[2] } @latency));

$node->stop('fast');
$sim->stop;
done_testing();

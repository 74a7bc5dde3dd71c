# Random histories of changes, with messages that wait and changes that are
# composed late, against a model made from docs/scenarios.md
# (test/oracle/Model.pm): what reaches the provider must be what the model says.
#
# Many small worlds go through the same schedule side by side, each with a
# history of its own.  A history that fails is made as short as it goes.
#
# ORACLE_SECONDS: how long (make test-oracle: 600).  ORACLE_SEED: the same again.

use strict;
use warnings;

use File::Basename qw(dirname);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

use lib dirname(__FILE__) . '/../oracle';
use Model;
use SicantikWa::Session;
use SicantikWa::Test;

my $seconds = $ENV{ORACLE_SECONDS} || 12;
# the same histories each time in "make test"; others each time in "make test-oracle"
my $seed = $ENV{ORACLE_SEED} || ($ENV{ORACLE_SECONDS} ? (time ^ $$) & 0x7fffffff : 5042);
my $side_by_side = $ENV{ORACLE_WORLDS} || 30;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => "sicantik_wa.worker_idle_timeout = 3600\nmax_connections = 20\nsicantik_wa.compose_batch = 2");
my $session;
my $locker;
my $worlds = 0;
my %whose;				# telephone -> [world, who]
my %heard;				# world -> what was heard since the last look
my $journal;

diag("oracle: $seconds seconds, ORACLE_SEED=$seed");

sub sql { return $session->sql($_[0]); }

sub wait_for
{
	my ($condition) = @_;
	my $until = time + ($ENV{ORACLE_PATIENCE} || 180);

	while (sql("SELECT $condition") ne 't')
	{
		if (time > $until)
		{
			diag("still not: $condition\n" . sql("SELECT string_agg(concat_ws(' ', id, scenario, state, reason, detail), E'\n') FROM (SELECT * FROM wa.message"
				  . " WHERE state IN ('queued', 'sending') ORDER BY id LIMIT 5) AS m"));
			return 0;
		}
		usleep(10_000);
	}
	return 1;
}

my $all_sent = "$ALL_READ AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))";

# Everything is told, also to those who have been given a telephone, for whom
# the worker looks at each change of the configuration.
sub all_told
{
	my $reached = 'NOT EXISTS (SELECT FROM wa.unreached AS u JOIN wa.message AS m ON m.id = u.message_id'
	  . ' JOIN sicantik_permit AS s ON s.id = m.res_id JOIN res_partner AS p ON p.id = s.partner_id'
	  . ' WHERE p.whatsapp_number IS NOT NULL)';

	wait_for($all_sent) or return 0;
	return 1 if sql("SELECT $reached") eq 't';
	sql('UPDATE wa.setting SET value = value');
	return wait_for("$reached AND $all_sent");
}

# What the provider has taken since the last look.
sub take_heard
{
	open($journal, '<:raw', $sim->dir . '/journal.jsonl') or die "no journal: $!" unless $journal;
	seek($journal, 0, 1);
	while (my $line = <$journal>)
	{
		my $entry = decode_json($line);

		next unless ($entry->{endpoint} || '') eq 'send' && $entry->{accepted};
		my ($world, $who) = @{ $whose{ $entry->{to} } || [ 0, "somebody ($entry->{to})" ] };
		my ($text) = $entry->{message} =~ /^(.*) untuk /;

		push @{ $heard{$world} }, "$who $text";
	}
	return;
}

sub telephone
{
	my ($world, $who, $which) = @_;
	my $number = sprintf('62857%08d', 10 + scalar keys %whose);

	$whose{$number} = [ $world, $who ];
	return $number;
}

# The rows of a new world; returns its ids, and telephones.
sub make_world
{
	my ($kind) = @_;
	my $world = ++$worlds;
	my $base = 100_000 + 20 * $world;
	my %ids = (world => $world);
	my @partners;

	if ($kind eq 'Model::Permit')
	{
		@ids{qw(permit c1 c2 f)} = ($base, $base + 1, $base + 2, $base + 3);
		foreach my $c (qw(c1 c2))
		{
			$ids{"${c}_$_"} = telephone($world, "${c}_$_") foreach 1, 2;
			push @partners, [ $ids{$c}, "Orang$world$c", $ids{"${c}_1"} ];
		}
		push @partners, [ $ids{f}, "Petugas$world", telephone($world, 'f') ];
	}
	else
	{
		@ids{qw(permit d1 d2 u1 u2)} = ($base, $base + 4, $base + 5, $base + 6, $base + 7);
		push @partners, map { [ $ids{$_} + 4, "Pejabat$world$_", telephone($world, $_) ] } qw(u1 u2);
	}
	my @statements = map {
		"INSERT INTO res_partner (id, name, type, active, whatsapp_number) VALUES ($_->[0], '$_->[1]', 'contact', true, '$_->[2]')"
	} @partners;
	push @statements, "INSERT INTO sicantik_permit (id, registration_id, applicant_name, status, partner_id, is_renewal)"
	  . " VALUES ($ids{permit}, 'ORACLE-$world', 'Orang${world}c1', 'draft', " . ($ids{c1} || 10) . ', false)';
	my $user = sub {
		my ($id, $partner) = @_;
		return "INSERT INTO res_users (id, company_id, partner_id, active, login, share, notification_type)"
		  . " VALUES ($id, 1, $partner, true, 'oracle$id', false, 'email')";
	};
	if ($kind eq 'Model::Permit')
	{
		push @statements, $user->($ids{f}, $ids{f}),
		  "INSERT INTO mail_followers (res_model, res_id, partner_id) VALUES ('sicantik.permit', $ids{permit}, $ids{f})";
	}
	else
	{
		push @statements, map { $user->($ids{$_}, $ids{$_} + 4) } qw(u1 u2);
		push @statements, map {
			"INSERT INTO sicantik_document (id, permit_id, document_number, name, state, requires_approval)"
			  . " VALUES ($ids{$_}, $ids{permit}, 'D$ids{$_}', 'SK', 'draft', true)" } qw(d1 d2);
		push @statements, "INSERT INTO oracle_workflow SELECT $world, n, 0 FROM unnest('{w1,w2,w3}'::text[]) AS n";
	}
	sql('BEGIN; SET LOCAL sicantik_wa.capture = off; ' . join('; ', @statements) . '; COMMIT');
	return \%ids;
}

# ---- a schedule: segments of how what happens is read and sent, and how many
# transactions there are in each

my @modes = qw(prompt prompt wait wait late wait_late);

sub random_schedule
{
	return [ map { [ Model::pick(@modes), 1 + int(rand(4)) ] } 1 .. 3 + int(rand(3)) ];
}

sub random_history
{
	my ($kind, $schedule) = @_;
	my $model = $kind->new;

	return [ map { [ map { $model->random } 1 .. $_->[1] ] } @$schedule ];
}

sub switch
{
	my ($from, $to) = @_;

	return if $from eq $to;
	if ($from =~ /late/)
	{
		$session->wait_begun_since;
		$locker->do('COMMIT');
	}
	if ($from eq 'wait_late')
	{
		# composed, and then it waits on
		wait_for($ALL_READ);
	}
	sql('SELECT wa_resume(NULL)') if $from =~ /wait/;
	sql('SELECT wa_pause()') if $to =~ /wait/;
	$locker->do('BEGIN; LOCK TABLE sicantik_permit_type') if $to =~ /late/;
	return;
}

# Run histories side by side; returns for each what went wrong first, or undef.
sub run
{
	my ($kind, $schedule, @histories) = @_;
	my @worlds = map { { ids => make_world($kind), model => $kind->new } } @histories;
	my @wrong;

	for my $s (0 .. $#$schedule)
	{
		my ($mode, $n) = @{ $schedule->[$s] };
		my @expected;

		switch('prompt', $mode);
		for my $t (0 .. $n - 1)
		{
			my @transactions;

			for my $h (0 .. $#histories)
			{
				my $tx = $histories[$h][$s][$t] or next;

				push @transactions, 'BEGIN; ' . join('; ', $worlds[$h]{model}->sql($tx, $worlds[$h]{ids})) . '; COMMIT';
				$worlds[$h]{model}->do($tx);
			}
			sql(join(";\n", @transactions)) if @transactions;
			if ($mode eq 'prompt')
			{
				all_told() or return map { 'nothing goes on' } @histories;
				push @{ $expected[$_] }, $worlds[$_]{model}->go foreach 0 .. $#histories;
			}
			elsif ($mode eq 'wait')
			{
				wait_for($ALL_READ);
				$_->{model}->composed foreach @worlds;
			}
		}
		switch($mode, 'prompt');
		all_told() or return map { 'nothing goes on' } @histories;
		take_heard();
		for my $h (0 .. $#histories)
		{
			my $world = $worlds[$h]{ids}{world};
			my $expected = join(', ', sort(@{ $expected[$h] || [] }, $worlds[$h]{model}->go));
			my $heard = join(', ', sort @{ delete $heard{$world} || [] });

			next if $wrong[$h] || $expected eq $heard;
			my $records = join(', ', grep { defined } @{ $worlds[$h]{ids} }{qw(permit d1 d2)});

			$wrong[$h] = "segment " . ($s + 1) . " ($mode)\n  expected: $expected\n  heard:    $heard\n"
			  . sql("SELECT string_agg(format('  message %s of event %s: %s to %s, %s %s: %s | %s', id, event_id, scenario, partner_id, state, reason, body, detail), E'\\n' ORDER BY id) FROM wa.message WHERE res_id IN ($records)")
			  . "\n"
			  . sql("SELECT string_agg(format('  outcome of event %s: %s: %s %s', event_id, scenario, outcome, detail), E'\\n' ORDER BY id) FROM wa.event_outcome WHERE record_id IN ($records)");
		}
	}
	return @wrong[ 0 .. $#histories ];
}

# All that is a little shorter than this history, of the same schedule.
sub shorter
{
	my ($history) = @_;
	my @all;

	for my $s (0 .. $#$history)
	{
		for my $t (0 .. $#{ $history->[$s] })
		{
			my $tx = $history->[$s][$t] or next;

			for my $drop (-1, (@$tx > 1 ? 0 .. $#$tx : ()))
			{
				my @copy = map { [@$_] } @$history;

				$copy[$s][$t] = $drop < 0 ? undef : [ @$tx[ grep { $_ != $drop } 0 .. $#$tx ] ];
				push @all, \@copy;
			}
		}
	}
	return @all;
}

sub as_text
{
	my ($kind, $schedule, $history) = @_;
	my $text = '';
	my %ids = (world => 1, map { ($_ => $_, "${_}_1" => "$_ tel 1", "${_}_2" => "$_ tel 2") } qw(permit c1 c2 f d1 d2 u1 u2));

	for my $s (0 .. $#$schedule)
	{
		$text .= "$schedule->[$s][0]:\n";
		$text .= '  ' . join('; ', $kind->new->sql($_, \%ids)) . "\n" foreach grep { defined } @{ $history->[$s] };
	}
	return $text;
}

sub shrink
{
	my ($kind, $schedule, $history, $why) = @_;

	for (1 .. 15)
	{
		my @shorter = shorter($history);
		my @wrong = @shorter ? run($kind, $schedule, @shorter) : ();
		my ($first) = grep { $wrong[$_] } 0 .. $#wrong;

		last unless defined $first;
		($history, $why) = ($shorter[$first], $wrong[$first]);
	}
	return (as_text($kind, $schedule, $history), $why);
}

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
$locker = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql('CREATE TABLE oracle_workflow (world integer, name text, id integer)');
sql("SELECT wa_set_template('$_->[0]', '{\"body\": \"$_->[1] untuk oracle.\"}')")
  foreach [ permit_ready => 'ready {{permit_number}}' ], [ permit_renewal_approved => 'renewed {{permit_number_new}}' ],
  [ status_update => 'status {{status_lama}} {{status_baru}}' ], [ approval_required => 'approve {{jumlah}}' ];
sql("UPDATE wa.template SET parameters = '{jumlah}' WHERE key = 'approval_required'");
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
$sim->config({ fonnte => { quota => 1_000_000_000 } });
sql("UPDATE wa.provider SET max_in_flight = 50; UPDATE wa.scenario SET active = false WHERE key = 'document_pending'");
sql("SELECT wa_arm('odoo')");

my $until = time + $seconds;
my $histories = 0;
my $round = 0;

while (time < $until)
{
	my $kind = $ENV{ORACLE_KIND} ? "Model::$ENV{ORACLE_KIND}" : (qw(Model::Permit Model::Approval))[ $round % 2 ];

	srand($seed + $round++);
	my $schedule = random_schedule();
	my @histories = map { random_history($kind, $schedule) } 1 .. $side_by_side;
	my @wrong = run($kind, $schedule, @histories);
	my ($first) = grep { $wrong[$_] } 0 .. $#wrong;

	$histories += @histories;
	if (defined $first)
	{
		my $n = grep { defined } @wrong;
		my ($history, $why) = shrink($kind, $schedule, $histories[$first], $wrong[$first]);

		fail("$n of $side_by_side histories, round $round of ORACLE_SEED=$seed");
		diag("$kind\n$history$why");
		last;
	}
}
diag("$histories histories");
cmp_ok($histories, '>', 0, 'histories were compared with the model');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'no dead letter');
$node->stop('fast');
done_testing();

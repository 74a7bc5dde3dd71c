# A cluster of PostgreSQL::Test::Cluster whose psql() and poll_query_until()
# do not start a psql and a session each time.  On a small machine that costs a
# tenth of a second, and a run of all tests asks many thousands of times.
#
# A psql stays per role and database.  Between two calls its session is made
# new (DISCARD ALL), which leaves only what a library keeps in memory, as
# Odoo's pool of connections does.  Where a session of its own is what matters
# (a script that leaves a transaction open, settings of roles and databases,
# databases that are to be dropped, an extension that comes or goes) all of
# them end first.  What cannot be done alike (other arguments, psql's own
# commands, a setting of libpq's in the environment) goes the way of the parent
# class, and so does a call for which there is no session.
package SicantikWa::Node;

use strict;
use warnings;

use parent 'PostgreSQL::Test::Cluster';

use IPC::Run ();
use PostgreSQL::Test::Utils ();
use Test::More;
use Time::HiRes qw(time usleep);

# What the tests themselves may have set for libpq, apart from where to find
# the server, which PostgreSQL's own module sets.
my @libpq = qw(PGUSER PGOPTIONS PGPASSWORD PGPASSFILE PGSERVICE PGSSLMODE);

# Words of a script that no session of before may see run, or survive.
my $own_session = qr/\b(?:DATABASE|ROLE|USER|EXTENSION|SYSTEM|BEGIN|START|TRANSACTION|LOAD|pg_reload_conf)\b/i;

# So many sessions stay at a time.
my $most = 6;

# psql($dbname, $script, %parameters): as the parent's.
sub psql
{
	my ($self, $dbname, $script, %params) = @_;
	my ($conninfo, $stop) = _session($self, $dbname, $script, %params);
	my $alone = $script =~ $own_session;
	my $answer;

	end_sessions() if $alone;
	# a session that has ended since is found out by asking
	$answer = _ask($self, $conninfo, $script, $stop) || _ask($self, $conninfo, $script, $stop) if defined $conninfo;
	end_sessions() if $alone;
	return _parents_psql($self, $dbname, $script, %params) unless $answer;
	my ($code, $out, $err) = @$answer;
	chomp($out, $err);
	${ $params{stdout} } = $out if defined $params{stdout};
	${ $params{stderr} } = $err if defined $params{stderr};
	print STDERR "$err\n" if $err ne '' && !wantarray && !defined $params{stderr};
	die "psql returns $code: '$err'\nwhile running '$script'" if $code && $params{on_error_die};
	return wantarray ? ($code, $out, $err) : $code;
}

# The parent's.  A psql that finds no server has ended before it has read its script,
# which that takes for an error of the test's own.
sub _parents_psql
{
	my ($self, $dbname, $script, %params) = @_;
	my $list = wantarray;
	my @result;
	my $done = eval {
		if ($list) { @result = $self->SUPER::psql($dbname, $script, %params); }
		else { $result[0] = $self->SUPER::psql($dbname, $script, %params); }
		1;
	};

	if (!$done)
	{
		die $@ if $params{on_error_die} || $@ !~ /Broken pipe/;
		@result = (2, '', "psql has ended: $@");
	}
	return $list ? @result : $result[0];
}

# poll_query_until($dbname, $query, $expected): as the parent's, but for the
# time that PG_TEST_TIMEOUT_DEFAULT names, and not for a number of attempts.
sub poll_query_until
{
	my ($self, $dbname, $query, $expected) = @_;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	my ($code, $out, $err);

	$expected = 't' unless defined $expected;
	for (;;)
	{
		($code, $out, $err) = $self->psql($dbname, $query);
		return 1 if $out eq $expected && $err eq '';
		last if time > $end;
		usleep(50_000);
	}
	diag("timed out executing this query:\n$query\nexpecting this output:\n$expected\n"
		  . "last actual query output:\n$out\nwith stderr:\n$err");
	return 0;
}

# The connection that a call asks for, and whether an error ends its script;
# nothing if the call is not for us.
sub _session
{
	my ($self, $dbname, $script, %params) = @_;
	my $conninfo = defined $params{connstr} ? $params{connstr} : $self->connstr($dbname);
	my $stop = defined $params{on_error_stop} ? $params{on_error_stop} : 1;
	my @more = @{ $params{extra_params} || [] };

	return if !defined $script || $script =~ /^\s*\\/m || $script =~ /\bFROM\s+stdin\b/i;
	return if grep { defined $ENV{$_} } @libpq;
	return if grep { defined $params{$_} } qw(timeout timed_out replication);
	while (@more)
	{
		my ($option, $value) = splice(@more, 0, 2);

		if ($option eq '-U')
		{
			$value =~ s/([\\'])/\\$1/g;
			$conninfo .= " user='$value'";
		}
		elsif ($option eq '-v' && $value eq 'ON_ERROR_STOP=1')
		{
			$stop = 1;
		}
		else
		{
			return;
		}
	}
	return ($conninfo, $stop);
}

# end_sessions(): for a test that needs new ones; what this process keeps open, of all clusters, closes.
my @open;

sub end_sessions
{
	_end($_) foreach grep { $_->{owner} == $$ } @open;
	@open = ();
	return;
}

# Has a cluster of this test been copied?
my $copied;

# init(%parameters): as the parent's.  CLUSTER_TEMPLATE names a data directory as
# initdb makes it: the first cluster of a test that asks for nothing else is a
# copy of it, in a tenth of the time.  Only the first, for two that are there
# together need system identifiers of their own.
sub init
{
	my ($self, %params) = @_;
	my $template = $ENV{CLUSTER_TEMPLATE};
	my $run = \&PostgreSQL::Test::Utils::system_or_bail;

	no warnings 'redefine';
	local *PostgreSQL::Test::Utils::system_or_bail = sub {
		return $run->(@_) if $_[0] ne 'initdb' || $copied++;
		return $run->('cp', '-RPp', $template, $self->data_dir);
	  }
	  if defined $template && !$params{extra};
	return $self->SUPER::init(%params);
}

# What stops or starts a server has nobody connected.
foreach my $name (qw(stop start restart reload promote teardown_node))
{
	my $parent = "SUPER::$name";

	no strict 'refs';
	*$name = sub {
		my ($self, @more) = @_;

		end_sessions();
		return $self->$parent(@more);
	};
}

# End one psql; returns its exit code.
sub _end
{
	my ($psql) = @_;
	my $result;

	$psql->{in} .= "\\q\n";
	eval { IPC::Run::finish($psql->{run}); 1 } or eval { IPC::Run::kill_kill($psql->{run}) };
	$result = $psql->{run}->full_result // 0;
	return $result & 127 ? 128 + ($result & 127) : $result >> 8;
}

# The psql that stays for a connection, started when there is none.
sub _psql
{
	my ($self, $conninfo) = @_;
	my ($psql) = grep { $_->{owner} == $$ && $_->{conninfo} eq $conninfo } @open;

	@open = grep { $_->{owner} == $$ && (!$psql || $_ != $psql) } @open;
	if (!$psql)
	{
		local %ENV = $self->_get_env();

		_end(shift @open) while @open >= $most;
		$psql = { owner => $$, conninfo => $conninfo, in => '', out => '', err => '', number => 0 };
		$psql->{timer} = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
		$psql->{run} = IPC::Run::start(
			[ $self->installed_command('psql'), '-XAtq', '-d', $conninfo, '-f', '-' ],
			'<', \$psql->{in}, '>', \$psql->{out}, '2>', \$psql->{err}, $psql->{timer});
	}
	push @open, $psql;
	return $psql;
}

# Run a script in a session that is as new.  Returns [ exit code, output,
# errors ], or nothing if there was no session.
sub _ask
{
	my ($self, $conninfo, $script, $stop) = @_;
	my $psql = _psql($self, $conninfo);
	my $mark = 'psql of the tests ' . ++$psql->{number};
	my ($begins, $ends, $rests) = map { "$mark $_\n" } qw(begins ends rests);
	my $code = 0;

	@$psql{qw(out err)} = ('', '');
	# The first statement finds out whether the session is there still.
	$psql->{in} = "\\set ON_ERROR_STOP 1\nSELECT 1;\n"
	  . "\\echo $begins\\warn $begins"
	  . ($stop ? '' : "\\unset ON_ERROR_STOP\n")
	  . "$script\n;\n\\echo $ends\\warn $ends\\unset ON_ERROR_STOP\nDISCARD ALL;\n\\echo $rests";
	$psql->{timer}->start;
	eval {
		while (IPC::Run::pumpable($psql->{run}))
		{
			IPC::Run::pump($psql->{run});
			last if $psql->{out} =~ /\Q$rests\E/ && $psql->{err} =~ /\Q$ends\E/;
		}
		1;
	} or $psql->{err} .= $@;
	$psql->{timer}->reset;
	if ($psql->{out} !~ s/\Q$ends\E.*//s || $psql->{err} !~ s/\Q$ends\E.*//s)
	{
		@open = grep { $_ != $psql } @open;
		$code = _end($psql);
	}
	return unless $psql->{out} =~ s/.*?\Q$begins\E//s;
	$psql->{err} =~ s/.*?\Q$begins\E//s;
	return [ $code, $psql->{out}, $psql->{err} ];
}

# They end with the test.
END
{
	my $status = $?;

	end_sessions();
	$? = $status;
}

1;

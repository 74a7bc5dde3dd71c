# A psql session that stays open, for tests that need two at a time.
#
#	my $odoo = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
#	$odoo->do('BEGIN; UPDATE ...');		# returns what psql printed
#	$odoo->do('COMMIT');
#	$odoo->close;
#
# PostgreSQL's own module has such a thing, but not the same one in every
# version.
package SicantikWa::Session;

use strict;
use warnings;

use IPC::Run;
use Test::More;
use Time::HiRes qw(usleep);

# new($node, $dbname, %options).  Options: user => role.
sub new
{
	my ($class, $node, $dbname, %options) = @_;
	my $connstr = $node->connstr($dbname);

	$connstr .= " user=$options{user}" if defined $options{user};
	my $self = bless {
		in => '',
		out => '',
		err => '',
		number => 0,
		timer => IPC::Run::timeout($ENV{PG_TEST_TIMEOUT_DEFAULT} || 180),
	}, $class;
	$self->{run} = IPC::Run::start(
		[
			$node->installed_command('psql'), '-X', '-q', '-A', '-t',
			'-v', 'VERBOSITY=terse', '-d', $connstr
		],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err},
		$self->{timer});
	return $self;
}

# Run statements and return what they answered; errors are in err().
sub do
{
	my ($self, $sql) = @_;
	my $end = 'end of answer ' . ++$self->{number};
	my $answer;

	$self->{out} = '';
	$self->{err} = '';
	$self->{timer}->reset;
	$self->{timer}->start;
	$self->{in} .= "$sql\n;\n\\echo '$end'\n\\warn '$end'\n";
	IPC::Run::pump($self->{run})
	  until $self->{out} =~ /\Q$end\E\n/ && $self->{err} =~ /\Q$end\E\n/;
	$self->{timer}->reset;
	($answer = $self->{out}) =~ s/\Q$end\E\n.*//s;
	$self->{err} =~ s/\Q$end\E\n.*//s;
	chomp($answer);
	return $answer;
}

# What went wrong in the last do(); empty if nothing.
sub err { return $_[0]->{err}; }

# sql($statements): as do(), but dies where one of them fails.
sub sql
{
	my ($self, $statements) = @_;
	my $answer = $self->do($statements);

	die "$statements: $self->{err}" if $self->{err} =~ /ERROR|FATAL/;
	return $answer;
}

# wait_for($condition, $seconds): wait until it holds.  On timeout prints it
# and returns false.
sub wait_for
{
	my ($self, $condition, $seconds) = @_;
	my $until = time + ($seconds || $ENV{PG_TEST_TIMEOUT_DEFAULT} || 180);

	while ($self->sql("SELECT $condition") ne 't')
	{
		return diag("still not: $condition") if time > $until;
		usleep(10_000);
	}
	return 1;
}

# wait_begun_since(): the worker has begun no transaction before now that it is
# still in: what it reads from here on is as it is now.
sub wait_begun_since
{
	my ($self) = @_;
	my $now = $self->sql('SELECT clock_timestamp()');

	return $self->wait_for("NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND xact_start < '$now')");
}

# Start statements that may have to wait, without waiting for them.
sub begin
{
	my ($self, $sql) = @_;

	$self->{in} .= "$sql\n;\n";
	IPC::Run::pump_nb($self->{run}) while length $self->{in};
	return;
}

sub close
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	IPC::Run::finish($self->{run});
	return;
}

1;

# A server whose wall clock a test sets (test/clock/shift_clock.c); its monotonic
# clock goes as always.
#
#	my $clock = SicantikWa::Clock->new;
#	$clock->start($node);				# of new_cluster(..., start => 0)
#	$clock->set(-86400);				# yesterday, at once, for all its processes
#	$clock->set_to($epoch);
package SicantikWa::Clock;

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Spec;
use PostgreSQL::Test::Utils ();

sub new
{
	my ($class) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir('clock');
	my $self = bless { library => "$dir/shift_clock.so", file => "$dir/clock" }, $class;

	PostgreSQL::Test::Utils::system_or_bail('cc', '-shared', '-fPIC', '-O1', '-o', $self->{library},
		File::Spec->catfile(dirname(__FILE__), '..', '..', 'clock', 'shift_clock.c'));
	$self->set(0);
	return $self;
}

# set($seconds): it is off by so many seconds.
sub set
{
	my ($self, $seconds) = @_;

	# written in place: the server has mapped the file
	open(my $file, -e $self->{file} ? '+<:raw' : '>:raw', $self->{file}) or die "open: $!";
	print $file pack('q', $seconds);
	close($file) or die "close: $!";
	$self->{seconds} = $seconds;
	return;
}

# set_to($epoch): it shows that moment, in seconds since 1970, from now on.
sub set_to
{
	my ($self, $epoch) = @_;

	return $self->set($epoch - time);
}

sub seconds { return $_[0]->{seconds}; }

# start($node): the server, with that clock.
sub start
{
	my ($self, $node) = @_;

	local $ENV{LD_PRELOAD} = $self->{library};
	local $ENV{WA_TEST_CLOCK_FILE} = $self->{file};

	$node->start;
	return;
}

1;

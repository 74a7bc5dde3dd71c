# What another library writes when a transaction is about to commit, behind our own
# callback, is recorded like everything else: by itself, beside what was gathered
# before, and where it cannot be.

use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $library = PostgreSQL::Test::Utils::tempdir('library') . '/late_writer';
my $headers = `pg_config --includedir-server`;
chomp $headers;
system_or_bail('gcc', '-shared', '-fPIC', '-Wall', "-I$headers", '-o', "$library.so",
	dirname(__FILE__) . '/../unit/late_writer.c');

my $node = new_cluster('main', preload => "$library, sicantik_wa");

load_odoo($node, 'odoo');
sub sql { return $node->safe_psql('odoo', $_[0]); }

sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');

# Numbers of the permits that were recorded as active by the last transaction.
my $seen = 0;
sub recorded
{
	my ($where) = @_;
	my $rows = sql("SELECT string_agg(record_id::text, ' ' ORDER BY id) FROM wa.event"
		  . " WHERE id > $seen AND relation = 'public.sicantik_permit' AND new[array_position(columns, 'permit_number')] = '$where'");

	$seen = sql('SELECT max(id) FROM wa.event');
	return $rows;
}
my @permits = split /\n/, sql('SELECT id FROM sicantik_permit ORDER BY id LIMIT 3');
sub number
{
	my ($id, $number) = @_;

	return "UPDATE sicantik_permit SET permit_number = '$number' WHERE id = $id";
}
# A transaction that does this, and before whose end the library does that.
sub transaction
{
	my ($sql, $late) = @_;

	$late =~ s/'/''/g;
	return $node->psql('odoo', "BEGIN; SET LOCAL late_writer.statement = '$late'; $sql; COMMIT",
		extra_params => [ '-v', 'ON_ERROR_STOP=1' ]);
}

# our library is new to the session, and its first change comes that late
transaction('SELECT', number($permits[0], 'ALONE'));
is(recorded('ALONE'), $permits[0], 'what it writes by itself');

transaction(number($permits[1], 'TOO'), number($permits[0], 'TOO'));
is(recorded('TOO'), "$permits[1] $permits[0]", 'and behind what the transaction wrote');

transaction('SAVEPOINT a; ' . number($permits[1], 'NEVER') . '; ROLLBACK TO a', "UPDATE sicantik_permit SET permit_number = 'ALL'");
is(recorded('NEVER'), '', 'what was rolled back is not');
is(sql("SELECT count(*) = (SELECT count(*) FROM sicantik_permit) FROM wa.event"
	  . " WHERE new[array_position(columns, 'permit_number')] = 'ALL'"), 't', 'many rows at once');

# where the tables cannot be had, its writes are counted before the transaction ends
my $locker = $node->background_psql('odoo');
$locker->query_safe('BEGIN; LOCK TABLE wa.event, wa.event_aside');
is(transaction(number($permits[1], 'LOST'), number($permits[0], 'LOST')), 0, 'the transaction commits');
$locker->query_safe('COMMIT');
$locker->quit;
is(sql("SELECT count(*) FROM sicantik_permit WHERE permit_number = 'LOST'"), '2', 'with all that it wrote');
$node->poll_query_until('odoo', "SELECT sum(events) = 2 FROM wa.capture_gap WHERE reason = 'locked'")
  or die 'the gap is not told';
is(recorded('LOST'), '', 'what could not be recorded is counted');

# where ours is loaded by that very change
$node->append_conf('postgresql.conf', "shared_preload_libraries = '$library'");
$node->restart;
transaction('SELECT', number($permits[2], 'LOADED'));
is(recorded('LOADED'), $permits[2], 'not preloaded');

$node->stop;
done_testing();

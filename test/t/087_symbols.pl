# What our modules take from the server is there in every minor release of it.
#
# A preloaded library that lacks one function keeps the whole server from
# starting, and headers of a newer minor release may bring one in without a
# word: heap_getattr() is inline, and since the minor releases of November 2026
# calls heap_datum_check().  So of what we take, each name is said in our own
# source, or listed in test/symbols.txt.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use File::Basename qw(dirname);

my $libraries = `pg_config --pkglibdir`;
chomp $libraries;

# symbols($library, $which): names of the dynamic symbols, without those of
# libraries that version theirs (libc, json-c, curl) and of the compiler.
sub symbols
{
	my ($library, $which) = @_;
	my ($out, $err) = run_command([ 'nm', '-D', $which, "$libraries/$library" ]);

	is($err, '', "nm $which $library");
	return grep { !/[@]/ && !/^(_ITM_|__gmon_start__|__cxa_|_init$|_fini$)/ } map { (split)[-1] } split /\n/, $out;
}

my $top = dirname(__FILE__) . '/../..';
my %said = map { $_ => 1 } map { slurp_file($_) =~ /\w+/g } glob("$top/src/*.[ch] $top/src/*/*.[ch]");
my %allowed = map { chomp; $_ => 1 } grep { !/^#/ }
  split /^/, slurp_file("$top/test/symbols.txt");
# a server built with assertions has modules built so, and its headers look at buffers
@allowed{qw(ExceptionalCondition NBuffers NLocBuffer)} = (1) x 3 if `pg_config --configure` =~ /--enable-cassert/;
my %ours = map { $_ => 1 } symbols('sicantik_wa.so', '--defined-only');

foreach my $library ('sicantik_wa.so', 'sicantik_wa_worker.so')
{
	my @undefined = symbols($library, '--undefined-only');
	my @new = grep { !$said{$_} && !$allowed{$_} && !$ours{$_} } @undefined;

	cmp_ok(scalar @undefined, '>', 50, "$library takes something from the server");
	is(join(' ', @new), '', "headers make $library take nothing that test/symbols.txt does not list");
	is(join(' ', grep { /^wa_/ && !$ours{$_} } @undefined), '', "and the preloaded module has what $library takes from it");
}
# PostgreSQL 15 shows each module all of the other one's names, later ones only
# what is marked.
my %marked = map { $_ => 1 } map { slurp_file($_) =~ /^(?:extern )?(?:PGDLLEXPORT|WA_EXPORT)\b[^;]*?\b(wa_\w+)(?=\(|;|\[)/mg } glob("$top/src/*.h $top/src/*/*.h");
my @taken = grep { $ours{$_} } symbols('sicantik_wa_worker.so', '--undefined-only');
cmp_ok(scalar @taken, '>', 50, 'the worker\'s module takes something from the preloaded one');
is(join(' ', grep { !$marked{$_} } @taken), '', 'all of which the headers export');

ok(!$said{heap_datum_check} && !$allowed{heap_datum_check}, 'nothing of a later minor release is allowed');

done_testing();

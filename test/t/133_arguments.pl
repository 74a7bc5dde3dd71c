# Every function that people call, with whatever anybody may type: NULLs, extremes
# and nonsense, in all positions.  There is an answer or an error that says
# something; never an internal error, never silence, and the server goes on.
#
# The combinations are the same every time; ARGUMENTS_SEED makes others, and
# ARGUMENTS_EACH more of them for each function.

use strict;
use warnings;

use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $each = $ENV{ARGUMENTS_EACH} || 12;
my $seed = $ENV{ARGUMENTS_SEED} || 20261128;
srand($seed);
note("ARGUMENTS_SEED=$seed");

# Values as they are typed, by type; NULL is tried everywhere.
my @texts = (
	"''", "' '", "'permit_ready'", "'status_update'", "'fonnte'", "'meta'", "'watzap'", "'nobody'",
	"'0812-0000-0010'", "'+62 812 0000 0010'", "'ID.134912345678'", "'permit 1'", "'partner 10'", "'document -1'",
	"'permit 99999999999999999999'", "'id'", "'en'", "'odoo'", "'public'", "'wa.message'", "'live'", "'observe'", "'test'",
	"'view'", "'admin'", "'postgres'", "'time_zone'", "'language'", "'Asia/Jayapura'", "'25:00'", "'1 fortnight'",
	"E'a\\x01\\n\\t'", "'%s%n%'", "'''; SELECT 1; --'", "'\"\\'", "'{\"a\": 1}'", "'{{1}} {{nama}} {{'", "'-1'", "'1e400'", "'NaN'",
	"'infinity'", "'2026-02-30'", "'Yth. Bapak/Ibu " . chr(0xe9) . chr(0x1f600) . "'", "repeat('x', 100000)", "repeat('9', 1000)",
	"repeat('{', 3000)");
my @integers = (0, 1, -1, 42, 2147483647, -2147483648);
my @times = ("'-infinity'", "'infinity'", "'4713-01-01 BC'", "'294276-12-31'", "now()", "'epoch'", "now() - interval '1 day'");
my @json = (
	"'null'", "'{}'", "'[]'", "'1'", "'\"x\"'", "'{\"\": null}'", "'{\"a\": {\"b\": [1, null]}}'", "'{\"token\": 5}'", "'{\"state\": \"live\"}'",
	"'{\"min_gap\": -1, \"daily_cap\": 1e30}'", "'{\"kind\": null}'", "'{\"priority\": 99999999999}'", "'{\"thresholds\": [0, -1, null, \"x\"]}'",
	"'{\"hours_from\": \"25:99\", \"weekdays\": [8]}'", "'{\"active\": \"perhaps\"}'", "'{\"template_key\": {}}'", "'{\"nama\": \"Budi\", \"permit_number\": 1e300}'",
	"('{\"a\": ' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb", "jsonb_build_object('body', repeat('x', 70000))");
my %values = (
	'text' => \@texts, 'character varying' => \@texts, 'name' => \@texts,
	'bigint' => [ @integers, '9223372036854775807', '(-9223372036854775808)' ], 'integer' => \@integers, 'smallint' => [ 0, 1, -1, 32767 ],
	'boolean' => [ 'true', 'false' ], 'jsonb' => \@json, 'json' => \@json,
	'timestamp with time zone' => \@times,
	'interval' => [ "'0'", "'-1 day'", "'178000000 years'", "'1 microsecond'", "'1 month -31 days'" ],
	'date' => [ "'infinity'", "'-infinity'", "'2026-02-28'", "'4713-01-01 BC'", "'5874897-12-31'" ],
	'time without time zone' => [ "'24:00'", "'00:00'" ],
	'bytea' => [ "''", "'\\x00ff'", "convert_to('{\"entry\": [{}]}', 'UTF8')", "convert_to(repeat('[', 100000), 'UTF8')" ],
	'numeric' => [ 0, "'NaN'", '1e300', -1 ], 'double precision' => [ 0, "'NaN'", "'infinity'", -1 ],
	'text[]' => [ "'{}'", "'{NULL}'", "'{permit_ready,NULL,\"\"}'", "'{{a},{b}}'", "'[5:6]={a,b}'" ],
	'date[]' => [ "'{}'", "'{NULL}'", "'{2026-12-25,infinity}'", "'{{2026-12-25},{2026-12-26}}'" ],
	'bigint[]' => [ "'{}'", "'{NULL}'", "'{1,-1}'", "'{{1},{2}}'" ], 'integer[]' => [ "'{}'", "'{NULL}'", "'{1,8}'" ],
);

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
load_odoo($node, 'odoo');

sub sql { return $node->safe_psql('odoo', $_[0]); }

sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
sql("SELECT wa_arm('odoo')");
sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/1', issue_date = current_date WHERE id = 1");
ok(wait_read($node, 'odoo'), 'there is something in the ledger');

# What has no argument to make wrong is called, too.
my @functions = map { [ split /\|/, $_, -1 ] } split /\n/, sql(q{
	SELECT p.pronamespace::regnamespace || '.' || p.proname, p.prokind, array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS a(t, n) ORDER BY n), ';')
	FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'sicantik_wa'
	WHERE p.pronamespace IN ('pg_catalog'::regnamespace, 'wa'::regnamespace) AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype)
	ORDER BY p.proname, p.oid});
cmp_ok(scalar @functions, '>', 60, 'functions to call');

my @unknown = grep { $_ ne '' && !$values{$_} } map { split /;/, $_->[2] } @functions;
is(join(' ', @unknown), '', 'each type of an argument has values to try');

# The text of a call, of the values that have been chosen
sub call_of
{
	my ($function, @chosen) = @_;
	my ($name, $kind, $types) = @$function;
	my @types = split /;/, $types;
	my $arguments = join ', ', map { defined $chosen[$_] ? "$chosen[$_]::$types[$_]" : "NULL::$types[$_]" } 0 .. $#types;

	return $kind eq 'p' ? "CALL $name($arguments)" : "SELECT * FROM $name($arguments)";
}

sub any { my $list = shift; return $list->[ int rand @$list ]; }

my @calls;
foreach my $function (@functions)
{
	my @types = split /;/, $function->[2];
	my %seen;
	my @of_this = (call_of($function));

	# one argument at a time, then all of them
	foreach my $n (0 .. $#types)
	{
		foreach my $value (map { any($values{ $types[$n] }) } 1 .. 3)
		{
			my @chosen = map { any($values{$_}) } @types;
			$chosen[$n] = $value;
			push @of_this, call_of($function, map { $_ == $n || rand() < 0.5 ? $chosen[$_] : undef } 0 .. $#types);
		}
	}
	push @of_this, call_of($function, map { rand() < 0.15 ? undef : any($values{$_}) } @types) foreach @types ? 1 .. $each : ();
	push @calls, grep { !$seen{$_}++ } @of_this;
}

# Each is rolled back, so that none spoils it for the next; a procedure that
# commits on its own is called as it is.
my @script = ("SET client_min_messages = error", "SET statement_timeout = '30s'");
foreach my $call (@calls)
{
	my $shown = substr($call =~ s/\s+/ /gr, 0, 500) =~ tr{'\\}{"/}r;

	push @script, "\\echo '=== $shown'", $call =~ /^CALL/ ? "$call" : ("BEGIN", "$call", "ROLLBACK");
}
my $file = File::Spec->catfile(PostgreSQL::Test::Utils::tempdir('arguments'), 'calls.sql');
open my $out, '>:encoding(UTF-8)', $file or die "could not write $file: $!";
print $out map { /^\\/ ? "$_\n" : "$_;\n" } @script;
close $out;

my ($said, $errors);
IPC::Run::run([ 'psql', '-X', '-q', '-A', '-t', '-v', 'VERBOSITY=verbose', '-v', 'ON_ERROR_STOP=0', '-d', $node->connstr('odoo'), '-f', $file ],
	'>', \$said, '2>&1') or diag('psql ended with an error');

my ($current, $calls, $answered, %bad) = ('', 0, 0);
foreach my $line (split /\n/, $said)
{
	if ($line =~ /^=== (.*)/) { $current = $1; $calls++; next; }
	if ($line =~ /(?:ERROR|FATAL|PANIC):  ([0-9A-Z]{5}): (.*)/)
	{
		my ($state, $message) = ($1, $2);

		$answered++;
		# internal, out of resources, hung, shut down
		$bad{"$state $message"} //= $current if $state =~ /^(XX|53|54001|57|58|F0)/;
	}
	$bad{$line} //= $current if $line =~ /connection to server|server closed|terminat/;
}
is($calls, scalar @calls, "$calls calls were made, to the last one");
cmp_ok($answered, '>', $calls / 10, '  some of them are errors');
is(join("\n", map { "$_: $bad{$_}" } sort keys %bad), '', '  and none of them an internal one, or a wait without end');
# The functions of triggers, on tables that anybody has made: with no column that
# they look for, with some of them, and with other types.
$node->psql('odoo', <<'SQL', connstr => $node->connstr('odoo') . ' user=odoo');
DO $$
DECLARE
	f text; t text; w text; l text;
BEGIN
	CREATE TABLE public.t1 (x integer);
	CREATE TABLE public.t2 (x integer, state text DEFAULT 'failed', reason text);
	CREATE TABLE public.t3 (x integer, id text DEFAULT 'one', state text DEFAULT 'sent', reason text DEFAULT '', due_at text DEFAULT 'now',
		created_at integer DEFAULT 1, number integer DEFAULT 1, provider integer DEFAULT 1, outcome integer DEFAULT 1);
	FOR f IN SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'wa'::regnamespace AND p.prorettype = 'trigger'::regtype LOOP
		FOREACH t IN ARRAY ARRAY['t1', 't2', 't3'] LOOP
			FOREACH w IN ARRAY ARRAY['BEFORE', 'AFTER'] LOOP
				FOREACH l IN ARRAY ARRAY['ROW', 'STATEMENT'] LOOP
					FOR s IN 1 .. 3 LOOP
						BEGIN
							EXECUTE format('INSERT INTO public.%I (x) VALUES (1)', t);
							EXECUTE format('CREATE TRIGGER hung %s INSERT OR UPDATE OR DELETE ON public.%I FOR EACH %s EXECUTE FUNCTION wa.%I()',
								w, t, l, f);
							EXECUTE format((ARRAY['INSERT INTO public.%I (x) VALUES (2)', 'DELETE FROM public.%I',
								CASE t WHEN 't1' THEN 'UPDATE public.%I SET x = 2' ELSE 'UPDATE public.%I SET state = ''queued''' END])[s], t);
							RAISE EXCEPTION 'nothing was wrong';
						EXCEPTION WHEN OTHERS THEN
							RAISE LOG 'trigger % on % % %: % %', f, t, w, l, sqlstate, sqlerrm;
						END;
					END LOOP;
				END LOOP;
			END LOOP;
		END LOOP;
	END LOOP;
	DROP TABLE public.t1, public.t2, public.t3;
END $$;
SQL
my @hung = slurp_file($node->logfile) =~ /LOG:  (trigger \w+ on t\d.*)/g;
is(scalar @hung, 36 * sql("SELECT count(*) FROM pg_proc WHERE pronamespace = 'wa'::regnamespace AND prorettype = 'trigger'::regtype"),
	'functions of triggers, on tables of others');
is(join("\n", grep { /: XX000/ } @hung), '', '  say no internal error');

is(sql('SELECT count(*) > 0 FROM wa_status()'), 't', 'the server goes on');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP:/, '  and none of its processes has crashed');

done_testing();

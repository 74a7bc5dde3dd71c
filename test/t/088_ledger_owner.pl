# The ledger has one owner: only src/queue/ writes its tables, names of states
# and reasons stand in src/queue/state.h alone, and the database refuses every
# change of state that is not in the table of src/queue/state.c.  (The table
# itself is held by test/unit/state_test.c.)

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $src = dirname(__FILE__) . '/../../src';
my $header = slurp_file("$src/queue/state.h");
my @states = $header =~ /^#define\s+WA_STATE_NAME_\w+\s+"(\w+)"/mg;
my @reasons = $header =~ /^#define\s+WA_REASON_NAME_\w+\s+"(\w+)"/mg;

is(scalar @states, 12, 'states are found in state.h');
cmp_ok(scalar @reasons, '>', 40, 'and reasons');

# The sources

# source($file): without comments; lines keep their numbers
sub source
{
	my ($file) = @_;
	my $source = slurp_file($file);

	$source =~ s{("(?:\\.|[^"\\\n])*")|(/\*.*?\*/)}{
		my ($string, $comment) = ($1, $2);
		$comment =~ s/[^\n]//g if defined $comment;
		defined $string ? $string : $comment }gse;
	return $source;
}

my @files = glob("$src/*.[ch] $src/*/*.[ch]");

cmp_ok(scalar @files, '>', 200, 'the sources are found');
my @writers;
foreach my $file (grep { !m{/(?:queue|upgrade)/} } @files, glob("$src/*.sql $src/*/*.sql"))
{
	my $source = source($file) =~ s/"\s*"//gr;	# a statement in several strings

	push @writers, "$file: $1"
	  while $source =~ /((?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE|COPY)\s+(?:ONLY\s+)?wa\s*\.\s*"?(?:message|attempt|ready|due|announced|request))\b/gi;
}
is(join("\n", @writers), '', 'only src/queue/ writes the tables of the ledger');

# A state where something is compared with it, or set to it; words that are
# also outcomes, statuses of permits and the like are told apart by what stands
# before them.
my $states = join('|', @states);
my $reasons = join('|', @reasons);
my @literals;
foreach my $file (@files)
{
	my ($number, $source) = (0, source($file));

	next if $file =~ m{/queue/state\.h$|/words/};	# what they are called, and what is said of them
	foreach my $line (split /\n/, $source)
	{
		$number++;
		# statements that people are to type are prose
		next if $line =~ /SELECT (?:\*|id, detail|wa_\w+\([^)]*\)) FROM wa\.message(?:_view)? WHERE|SELECT wa_\w+\(reason => '/;
		push @literals, "$file:$number: $line"
		  if $line =~ /\bstate\b[^"']{0,12}["'](?:$states)["']/
		  || $line =~ /\bstate\b.{0,30}\bIN \([^)]*'(?:$states)'/
		  || $line =~ /(?<!capture_gap SET )\breason\b[^"',]{0,20}["'](?:$reasons)["']/
		  && $line !~ /capture_gap/
		  || $line =~ /["'](?:queued|held|skipped|superseded)["']/;
	}
}
is(join("\n", @literals), '', 'names of states and reasons stand in src/queue/state.h alone');
my @pieces;
foreach my $file (grep { !m{/(?:queue|upgrade)/} } glob("$src/*.sql $src/*/*.sql"))
{
	push @pieces, $file if slurp_file($file) =~ s/^COMMENT ON .*?;$//msgr =~ /\bstate\b.{0,30}'(?:$states)'|'(?:queued|held|skipped|superseded)'/;
}
is(join("\n", @pieces), '', 'of the pieces of SQL only those of src/queue/ name states');
my ($check) = slurp_file("$src/queue/queue.sql") =~ /CHECK \(state IN \(([^)]*)\)/;
is(join(' ', sort $check =~ /'(\w+)'/g), join(' ', sort @states), 'wa.message takes all of them and no other');

# The database: by hand, every pair

my $node = new_cluster('main');

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql("SELECT FROM wa_setup(); SELECT wa_arm('odoo')");
my $list = join(', ', map { "('$_', false)" } @states) . ", ('unknown', true)";
is( sql(qq{
	CREATE FUNCTION pg_temp.tried(before text, was_due boolean, after text, is_due boolean) RETURNS boolean LANGUAGE plpgsql AS \$\$
	DECLARE
		made bigint;
	BEGIN
		INSERT INTO wa.message (number, state, due_at) VALUES ('6281200000001', before, CASE WHEN was_due THEN now() END)
			RETURNING id INTO made;
		UPDATE wa.message SET state = after, reason = 'bulk', due_at = CASE WHEN is_due THEN now() END WHERE id = made;
		DELETE FROM wa.message WHERE id = made;
		RETURN true;
	EXCEPTION WHEN object_not_in_prerequisite_state THEN
		RETURN false;
	END \$\$;
	WITH s (name, due) AS (VALUES $list)
	SELECT count(*) FROM s AS b, s AS a
	 WHERE pg_temp.tried(b.name, b.due, a.name, a.due)
		IS DISTINCT FROM (b.name = a.name OR a.name NOT IN ('queued', 'sending') AND NOT a.due)}),
	0, 'a person writes ends, and held, into any message, and nothing that only the worker can carry out');
my ($code, $out, $err) = $node->psql('odoo', q{INSERT INTO wa.message (id, number, state) VALUES (1, '6281200000001', 'held');
	UPDATE wa.message SET state = 'nonsense' WHERE id = 1});
like($err, qr/violates check constraint "message_state_check"/, 'what is no state is refused by the table itself');

# By the worker, whose statement a superuser's trigger makes an illegal one

foreach my $case ([ 'state', 'superseded', 'from state "held" to "superseded", reason "cancelled"' ],
	[ 'reason', 'nonsense', 'from state "held" to "cancelled", reason ""' ])
{
	my ($column, $value, $said) = @$case;
	my $from = -s $node->logfile;

	sql("CREATE FUNCTION public.diverts() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.$column := ''$value''; RETURN NEW; END';"
		  . ' CREATE TRIGGER a BEFORE UPDATE ON wa.message FOR EACH ROW EXECUTE FUNCTION public.diverts()');
	my $id = sql("INSERT INTO wa.message (number, state, reason) VALUES ('6281200000001', 'held', 'bulk') RETURNING id");
	is(sql("SELECT wa_cancel($id)"), 1, "$column $value: asked for");
	ok($node->wait_for_log(qr/message $id cannot go \Q$said\E: no such change by "cancel"/, $from), 'the database refuses it');
	is(sql("SELECT state, reason FROM wa.message WHERE id = $id"), 'held|bulk', 'and nothing is changed');
	sql('DROP TRIGGER a ON wa.message; DROP FUNCTION public.diverts()');
	ok(wait_state($node, 'odoo', $id, 'cancelled'), 'what was asked for is carried out when it can be');
}

done_testing();

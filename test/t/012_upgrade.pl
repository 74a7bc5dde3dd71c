# ALTER EXTENSION sicantik_wa UPDATE, from version 1.0: what the catalogues say
# afterwards is what they say of an extension that was made new, and the tables
# hold what they held.  Before it, with the library of this version already there,
# each function names the update, nothing is sent, and capture goes on; after it
# everything goes on from where it was.
#
# The database is filled by a script with what version 1.0 has written
# (test/upgrade/filled_1.0.sql): its library is not here.

use strict;
use warnings;

use File::Basename qw(basename dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

# Tables and columns of 1.0 that have another name now, or (undef) have gone, or
# whose values the update changes: their content is compared under the old name.
my %table = ('wa.calendar' => 'wa.daily_run', 'wa.once' => 'wa.announced', 'wa.passed' => 'wa.scenario_rate',
	'wa.position' => 'wa.read_position', 'wa.waiting' => 'wa.unassigned');
my %column = ('wa.once' => { made_at => 'announced_at' }, 'wa.message' => { tried => 'refused_by', waits => 'backoffs', still => 'precondition' },
	'wa.ready' => { xact => undef });
my %changed = ('wa.contact' => { number => 1 });

my $top = dirname(__FILE__) . '/../..';
my ($version) = slurp_file("$top/sicantik_wa.control") =~ /^default_version = '(.*)'$/m;
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => "sicantik_wa.worker_idle_timeout = 3600\nlog_statement = none");

sub sql { return $node->safe_psql('odoo', $_[0]); }

# differences(): lines that one text has and the other one has not
sub differences
{
	my ($before, $after, @names) = @_;
	my (%before, %after);

	$before{$_}++ foreach split /\n/, $before;
	$after{$_}++ foreach split /\n/, $after;
	return join("\n",
		map({ "$names[0]  $_" } grep { !$after{$_} } sort keys %before),
		map({ "$names[1]  $_" } grep { !$before{$_} } sort keys %after));
}

# A library has each symbol that objects of an earlier version name

chomp(my $libraries = `pg_config --pkglibdir`);
my %symbol = map { (split)[-1] => 1 } grep { / T / } split /\n/, `nm -D --defined-only $libraries/sicantik_wa.so`;
foreach my $script (sort glob("$top/src/upgrade/sicantik_wa--*.sql"))
{
	my %named = map { $_ => 1 } slurp_file($script) =~ /'(wa_sql_\w+)'/g;

	is(join(' ', grep { !$symbol{$_} } sort keys %named), '',
		basename($script) . ': the library has the functions that it names; else a line in src/pg/retired.c for each');
}

# A database of version 1.0 under the library of this one

load_odoo($node, 'odoo');
$node->safe_psql('postgres', 'CREATE ROLE petugas LOGIN');
my ($code, $out, $err) = $node->psql('odoo', "CREATE EXTENSION sicantik_wa VERSION '1.0'", extra_params => [ '-U', 'odoo' ]);
like($err, qr/NOTICE:  sicantik_wa is installed; next: ALTER EXTENSION sicantik_wa UPDATE$/m, 'objects of version 1.0, and what to do next');
my $filled = slurp_file("$top/test/upgrade/filled_1.0.sql");
my ($url) = provider_settings($sim, 'fonnte') =~ /"base_url":"([^"]*)"/;
my ($token) = provider_settings($sim, 'fonnte') =~ /"token":"([^"]*)"/;
$filled =~ s/\@BASE_URL\@/$url/;
$filled =~ s/\@TOKEN\@/$token/;
($code, $out, $err) = $node->psql('odoo', $filled);
is("$code$err", '0', 'filled as version 1.0 has filled it');

my $refusal = qr/the library is newer than this database: ALTER EXTENSION sicantik_wa UPDATE/;
foreach my $nulls (0, 1)
{
	my @wrong = grep { !/^(?:wa_normalize_number|wa_status|wa_check) done$|^wa_try / && !/ $refusal$/ && !($nulls && / must not be null$/) }
	  split /\n/, function_answers($node, 'odoo', $nulls);
	is(join("\n", @wrong), '', 'each function of 1.0 names the update' . ($nulls ? ', whatever it is given' : ''));
}
like(sql("SELECT string_agg(item || ': ' || value, '; ') FROM wa_status()"), qr/^library: other build; next: .*ALTER EXTENSION sicantik_wa UPDATE/, 'so does wa_status()');
like(sql("SELECT item || ' ' || state || ': ' || what_to_do FROM wa_check()"), qr/^library error: .*ALTER EXTENSION sicantik_wa UPDATE/, 'and wa_check()');
my $odoo = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
$odoo->do("UPDATE sicantik_permit SET status = 'active', permit_number = '503/1', issue_date = current_date WHERE id = 1");
is($odoo->err . sql('SELECT count(*) FROM wa.event'), '1', 'the application goes on, and so does capture');
ok($node->wait_for_log(qr/does not serve database \d+: $refusal$/m), 'the log says it');
$odoo->do("UPDATE wa.setting SET value = 'Kantor' WHERE name = 'office_name'; UPDATE wa.watch SET attached_at = attached_at");
is($odoo->err, '', 'rows of the configuration can be written');

# A dump of it, for below
my $dump = PostgreSQL::Test::Utils::tempdir('dump') . '/odoo.sql';
command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-U', 'odoo', '--no-owner', '-f', $dump, 'odoo' ], 'pg_dump by the owner');

# The update, while the application has a transaction open

# rows of each table of 1.0, one a line, under the names of 1.0
my @columns = split /\n/, sql(q{SELECT 'wa.' || c.relname || ' ' || string_agg(a.attname, ' ' ORDER BY a.attnum)
	FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
	WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind = 'r' GROUP BY c.relname ORDER BY 1});

sub content
{
	my ($psql, $updated) = @_;
	my @lines;

	foreach (@columns)
	{
		my ($table, @names) = split / /;
		my $from = $updated && exists $table{$table} ? $table{$table} : $table;
		my %now = map { $_ => $updated && exists $column{$table}{$_} ? $column{$table}{$_} : $_ } @names;
		my @kept = grep { defined $now{$_} && !(exists $column{$table}{$_} && !defined $column{$table}{$_}) && !$changed{$table}{$_} } @names;

		next if exists $table{$table} && !defined $table{$table};
		push @lines, split /\n/, $psql->do("SELECT '$table ' || jsonb_build_object("
			  . join(', ', map { "'$_', t." . $now{$_} } @kept) . ")::text FROM $from AS t");
		push @lines, "$table: " . $psql->err if $psql->err ne '';
	}
	return join("\n", sort @lines);
}

$odoo->do("BEGIN; UPDATE sicantik_permit SET status = 'suspended' WHERE id = 2");
my $admin = SicantikWa::Session->new($node, 'odoo');
$admin->do('BEGIN');
my $before = content($admin, 0);
cmp_ok(scalar(split /\n/, $before), '>', 70, 'there is something to be kept');
$admin->do('SET ROLE odoo; ALTER EXTENSION sicantik_wa UPDATE; RESET ROLE');
is($admin->err =~ s/^psql:.*NOTICE.*\n//mr, '', 'ALTER EXTENSION ... UPDATE, by the owner of the database');
like(differences($before, content($admin, 1), '1.0:', 'now:'), qr/^now:  wa\.secret \{"name": "folder", [^\n]*$/, 'each row is as it was; the key of its folder of credentials is new');
is($admin->do(q{SELECT string_agg(mode || ' on ' || relation::regclass, ', ') FROM pg_locks
		WHERE pid = pg_backend_pid() AND locktype = 'relation' AND mode ~ '^(Access|Share|ShareRow)?Exclusive|^ShareLock|^ShareRow'
		AND relation IN (SELECT oid FROM pg_class WHERE relnamespace = 'wa'::regnamespace AND relname IN ('event', 'event_id_seq', 'event_xact_idx'))}),
	'', 'what capture needs is not locked');
$admin->do('COMMIT');
like($admin->err, qr/NOTICE:  sicantik_wa is installed; next: SELECT \* FROM wa_setup\(\)/, 'what to do next');
is(sql("SELECT extversion FROM pg_extension WHERE extname = 'sicantik_wa'"), $version, "it is of version $version now")
  or die 'there is nothing more to look at';
$odoo->do('COMMIT');

# The catalogues

my $catalogue = slurp_file("$top/test/upgrade/catalogue.sql");
$node->safe_psql('postgres', 'CREATE DATABASE fresh TEMPLATE template0');
$node->safe_psql('fresh', 'CREATE EXTENSION sicantik_wa');
($code, my $fresh, $err) = $node->psql('fresh', $catalogue);
is("$code$err", '0', 'the catalogues answer');
cmp_ok(scalar(split /\n/, $fresh), '>', 800, 'at length');
($code, my $updated, $err) = $node->psql('odoo', $catalogue);
is(differences($fresh, $updated, 'CREATE EXTENSION:', 'update:          '), '',
	'after the update the catalogues say what they say after CREATE EXTENSION; else see CONTRIBUTING.md, An upgrade step');

# The worker goes on

ok(wait_sql($node, 'odoo', "SELECT $ALL_READ"),
	'what was captured is read');
ok(wait_sql($node, 'odoo', "SELECT string_agg(scenario || ' ' || state, ', ' ORDER BY scenario) FROM wa.message WHERE event_id > 0 AND id > 18 AND res_id = 1",
		'permit_ready sent, status_update sent'), 'and sent');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE id > 18 AND res_id = 2 AND state = 'sent' AND scenario = 'status_update'", '2'),
	'so is what was committed after the update');
ok(wait_state($node, 'odoo', 11, 'sent'), 'what was ready goes out');
ok(wait_state($node, 'odoo', 12, 'unknown'), 'what was on the wire is in doubt');
ok(wait_state($node, 'odoo', 18, 'cancelled'), 'what somebody had asked for is done');
is(sql("SELECT string_agg(id || ' ' || state, ', ' ORDER BY id) FROM wa.message WHERE id IN (13, 14, 15, 16, 17)"),
	'13 queued, 14 queued, 15 unknown, 16 held, 17 held', 'what waits or is held stays');
is(sql('SELECT count(*) FROM wa.message WHERE id = 13 AND send_at = due_at'), '1', 'what a person has put off has its time as such');
$odoo->do("SELECT wa_set('contact_dpmptsp', 'telepon 0274-123456')");
ok(wait_sql($node, 'odoo', "SELECT state || ' ' || reason FROM wa.message WHERE id = 17", 'superseded replaced'), 'a text that waited for a setting is written');
is(sql("SELECT string_agg(number || ' ' || source, ', ' ORDER BY number) FROM wa.contact WHERE opted_out_at IS NOT NULL"),
	'6281200000040 surat, 6281200000041 dicatat tangan', 'numbers in another form are found');
my $clerk = SicantikWa::Session->new($node, 'odoo', user => 'petugas');
like($clerk->do("SELECT wa_send_text('0812-0000-0060', 'dari petugas')"), qr/^\d+$/, 'a grant is still one') or diag($clerk->err);
is(sql("SELECT count(*) FROM wa_setup() WHERE item ~ '^(table|scenario)' AND action IN ('added', 'attached', 'missing', 'refused', 'failed')"), '0',
	'the triggers are in place, and no scenario is missing');
is(sql("SELECT string_agg(item || ': ' || what_to_do, E'\n') FROM wa_check() WHERE state = 'error' AND item ~ '^(library|worker|watched|mode|provider fonnte)'"), '', 'wa_check() finds no error');
$_->close foreach $odoo, $admin, $clerk;
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE id > 18 AND state IN ('queued', 'sending')", '0'), 'everything comes to an end');
is(scalar $sim->accepted, sql("SELECT count(*) FROM wa.message WHERE state = 'sent' AND id > 10"), 'and nothing went out twice');

# The dump of 1.0 can be restored, and updated

$node->safe_psql('postgres', 'CREATE DATABASE restored OWNER odoo TEMPLATE template0');
$node->psql('restored', "CREATE EXTENSION sicantik_wa VERSION '1.0'", extra_params => [ '-U', 'odoo' ]);
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-U', 'odoo', '-d', 'restored', '-f', $dump, '-o', '/dev/null' ],
	'a dump of 1.0 is restored over objects of 1.0');
($code, $out, $err) = $node->psql('restored', 'ALTER EXTENSION sicantik_wa UPDATE', extra_params => [ '-U', 'odoo' ]);
is($code, 0, 'and updated') or diag($err);
is($node->safe_psql('restored', 'SELECT count(*) FROM wa.message WHERE id <= 18'), '15', 'with its ledger');
is(differences($fresh, $node->safe_psql('restored', $catalogue), 'CREATE EXTENSION:', 'update:          '), '', 'the catalogues agree');

# A script for another library changes nothing

($code, $out, $err) = $node->psql('odoo', "SELECT wa._needs_library('99.0', '1')");
like($err, qr/ERROR:  the library that is loaded is not the one of this script: restart the server, then try again/, 'a later script needs a later library');
($code, $out, $err) = $node->psql('odoo', "SELECT wa._needs_library('$version', '1')");
like($err, qr/ERROR:  the library that is loaded is not the one of this script/, 'another build of this one, too');
is(sql("SELECT wa._needs_library('1.0', '1')"), '', 'an earlier one does not');

$node->stop('fast');
done_testing();

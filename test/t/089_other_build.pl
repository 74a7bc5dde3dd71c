# The library is of another build than the SQL objects of a database: both
# compare themselves.  It is said in one sentence wherever somebody looks,
# nothing is sent, capture goes on, and afterwards nothing is missing.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $version = slurp_file(dirname(__FILE__) . '/../../sicantik_wa.control') =~ /^default_version = '(.*)'$/m ? $1 : '';
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => 'sicantik_wa.worker_idle_timeout = 3600');

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub log_count
{
	my ($pattern, $from) = @_;
	my $log = substr(slurp_file($node->logfile), $from);

	return scalar(() = $log =~ /$pattern/g);
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
no_pacing($node, 'odoo');
sql('UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL');
sql("SELECT count(*) FROM wa_test_connection('fonnte')");
sql("SELECT wa_arm('odoo')");

my $worker = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'";
my $odoo = SicantikWa::Session->new($node, 'odoo', user => 'odoo');

like(sql("SELECT value || ' ' || detail FROM wa_status() WHERE item = 'library'"), qr/^preloaded build 1\.\d+-\d+$/, 'wa_status() names the build');
$odoo->do("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 2");
ok(wait_sql($node, 'odoo', "SELECT count(*) FILTER (WHERE state = 'sent') > 0 AND count(*) FILTER (WHERE state <> 'sent') = 0 FROM wa.message"), 'all is well');
is(sql($worker), '1', 'the worker lives');

# Those that read no table, those that tell what is wrong, and one that is
# called by itself.
my $silent = qr/^(?:(?:wa_normalize_number|wa_status|wa_check) done$|wa_try )/;

sub other_build
{
	my ($name, $make, $sentence, $unmake) = @_;
	my $sends = $sim->sends;
	my $log = -s $node->logfile;
	my $events = sql('SELECT count(*) FROM wa.event');

	# another shape, too: a statement of ours would fail
	sql("BEGIN; $make; ALTER TABLE wa.message RENAME COLUMN detail TO other; ALTER TABLE wa.setting RENAME COLUMN value TO other; COMMIT");
	# wakes it
	$odoo->do("UPDATE sicantik_permit SET notes = 'x', is_renewal = NOT coalesce(is_renewal, false) WHERE id = 11");
	ok($node->wait_for_log(qr/does not serve database/, $log), "$name: the worker says so");
	ok(wait_sql($node, 'odoo', $worker, '0'), "$name: and leaves");
	foreach (1 .. 3)
	{
		$odoo->do("UPDATE sicantik_permit SET status = CASE status WHEN 'draft' THEN 'cancelled' ELSE 'draft' END WHERE id IN (1, 11)");
		is($odoo->err, '', "$name: the application goes on");
	}
	is(sql('SELECT count(*) FROM wa.event'), $events + 7, "$name: so does capture");
	my @wrong = grep { !/$silent/ && !/ $sentence/ } split /\n/, function_answers($node, 'odoo', 0);
	is(join("\n", @wrong), '', "$name: each function says so");
	like(($node->psql('odoo', "CALL wa_try('0812-0000-0077')"))[2], qr/ERROR:  the library /, "$name: so does wa_try()");
	like(sql("SELECT string_agg(item || ': ' || value, '; ') FROM wa_status()"), qr/^library: other build; next: \S/, "$name: wa_status()");
	like(sql("SELECT value || ' ' || detail FROM wa_status() WHERE item = 'next'") . '|' . sql("SELECT detail FROM wa_status() WHERE item = 'library'"),
		qr/^\S.*\|The library is of version \S+ \(SQL \d+, build \S+\), the SQL objects of this database are of version \S+ \(SQL \w+\)\.$/,
		"$name: what to do, and both builds");
	like(sql("SELECT item || ' ' || state || ': ' || what_to_do FROM wa_check()"), qr/^library error: pustaka /, "$name: wa_check(), in Indonesian");
	is(log_count(qr/does not serve database/, $log), 1, "$name: one line in the log");
	is(log_count(qr/sicantik_wa worker.*\n?.*ERROR|ERROR:.*does not exist/, $log), 0, "$name: and no error of the worker's");
	is(scalar $sim->sends, $sends, "$name: nothing is sent");

	sql("BEGIN; $unmake; ALTER TABLE wa.message RENAME COLUMN other TO detail; ALTER TABLE wa.setting RENAME COLUMN other TO value; COMMIT");
	sql('ALTER EXTENSION sicantik_wa UPDATE');
	$odoo->do("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 1; UPDATE sicantik_permit SET status = 'draft' WHERE id = 11");
	ok( wait_sql($node, 'odoo', "SELECT $ALL_READ"),
		"$name: afterwards everything is read");
	my $id = sql("SELECT wa_send_text('0812-0000-0077', '$name')");
	unlike($id, qr/\D/, "$name: and the functions work");
	ok(wait_state($node, 'odoo', $id, 'sent'), "$name: it is sent");
	return;
}

other_build('an older database', "UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'sicantik_wa'",
	qr/the library is newer than this database: ALTER EXTENSION sicantik_wa UPDATE$/,
	"UPDATE pg_extension SET extversion = '$version' WHERE extname = 'sicantik_wa'");
other_build('a newer database', "UPDATE pg_extension SET extversion = '1.10' WHERE extname = 'sicantik_wa'",
	qr/the library is older than this database: install the package that this database needs, and restart the server$/,
	"UPDATE pg_extension SET extversion = '$version' WHERE extname = 'sicantik_wa'");
my $stamp = sql('SELECT wa._build()');
other_build('another build of the same version', q{CREATE OR REPLACE FUNCTION wa._build() RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT '1'$$},
	qr/the library and this database are of different builds: restart the server, if a package was installed since it was started; else/,
	qq{CREATE OR REPLACE FUNCTION wa._build() RETURNS text LANGUAGE sql IMMUTABLE AS \$\$SELECT '$stamp'\$\$});
$odoo->close;

ok( wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE state IN ('queued', 'sending')", '0'), 'everything comes to an end');
is(scalar $sim->accepted, sql("SELECT count(*) FROM wa.message WHERE state = 'sent'"), 'nothing went out twice');

$node->stop('fast');
done_testing();

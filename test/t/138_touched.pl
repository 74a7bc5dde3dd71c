# A database administrator has laid hands on what the extension is made of, or
# on Odoo's tables: nobody crashes, Odoo goes on, wa_check() says what it is and
# what to do, and when it is undone everything that waited goes, once.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "sicantik_wa.worker_idle_timeout = 3600\nrestart_after_crash = off");
my $sent = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub as_odoo
{
	my ($script) = @_;
	my ($code, $out, $err) = $node->psql('odoo', $script, connstr => $node->connstr('odoo') . ' user=odoo');
	return $err eq '' ? $code : $err;
}

load_odoo($node, 'odoo');
load_many($node, 'odoo', 60);
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_set('language', 'en'); SELECT wa_arm('odoo')");
my @permits = split /\n/, sql("SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id");
my $told = "SELECT string_agg(state, ',') FROM wa.message WHERE scenario = 'permit_ready' AND res_id =";

sub ready { return as_odoo("UPDATE sicantik_permit SET status = 'active', permit_number = 'P-$_[0]' WHERE id = $_[0]"); }

# Done, Odoo goes on and wa_check() says it; undone, the permit that was ready
# meanwhile is told.  With lost the change is one that capture could not record,
# which is told and found again.
sub touched
{
	my ($what, $do, $sentence, $undo, %so) = @_;
	my $permit = shift @permits;
	my $item = $so{item} || 'library';
	sql($do);
	is(ready($permit), 0, "$what: Odoo goes on");
	ok(wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM wa_check() WHERE item = '$item' AND state IN ('error', 'warning') AND what_to_do ~ \$re\$$sentence\$re\$"), "$what: wa_check() says so")
	  or diag(sql("SELECT string_agg(item || ': ' || what_to_do, E'\\n') FROM wa_check() WHERE state <> 'ok'"));
	sql($undo);
	if ($so{lost})
	{
		sql("SELECT * FROM wa_setup()");
		ok(wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM wa_check() WHERE state <> 'ok' AND what_to_do ~ '$so{lost}'"), "$what: what was not recorded is told")
		  or diag(sql("SELECT string_agg(item || ': ' || what_to_do, E'\\n') FROM wa_check() WHERE state <> 'ok'"));
		$permit = shift @permits;
		is(ready($permit), 0, "$what: the next one");
	}
	sql($so{then}) if $so{then};
	ok(wait_sql($node, 'odoo', "$told $permit", $so{state} || 'sent'), "$what: undone, the permit is told" . ($so{state} ? ', or why not' : ''));
	return;
}

# Ours
foreach my $table (qw(message ready announced setting provider figure_zone))
{
	touched("table $table has another name", "ALTER TABLE wa.$table RENAME TO gone",
		# its language is a setting
		$table eq 'setting' ? 'tabel wa.setting tidak ada, .*: batalkan yang telah diubah' :
		"table wa.$table is not there, so nothing is composed or sent: undo what somebody has done by hand", "ALTER TABLE wa.gone RENAME TO $table");
}
my $offset = -s $node->logfile;
sql('ALTER TABLE wa.message RENAME TO gone');
ok($node->wait_for_log(qr/does not serve database \d+: table wa\.message is not there, so nothing is composed or sent: undo what/, $offset), 'the log says it, too');
my ($code, $out, $err) = $node->psql('odoo', "SELECT wa_send_text('6281270000001', 'Halo')");
like($err, qr/table wa\.message is not there.*undo what somebody has done by hand/, 'and who calls a function');
like(sql("SELECT detail || ': ' || value FROM wa_status() WHERE item = 'next'"), qr/table wa\.message is not there.*undo what/, 'wa_status() as what is next');
sql('ALTER TABLE wa.gone RENAME TO message');

touched('a table is dropped', 'ALTER EXTENSION sicantik_wa DROP TABLE wa.unattended; CREATE TABLE kept AS TABLE wa.unattended; ALTER TABLE wa.unattended SET SCHEMA public',
	'table wa.unattended is not there', 'ALTER TABLE public.unattended SET SCHEMA wa; ALTER EXTENSION sicantik_wa ADD TABLE wa.unattended');
touched('the schema has another name', 'ALTER SCHEMA wa RENAME TO wb', 'skema wa tidak ada, atau bukan yang dibuat extension, jadi tidak ada yang disusun atau dikirim: batalkan', 'ALTER SCHEMA wb RENAME TO wa',
	lost => 'events were dropped');
touched('a column has another name', 'ALTER TABLE wa.message RENAME COLUMN precondition TO gone', 'could not be composed, the last with: column "precondition" of relation "message" does not exist; mend the cause, then SELECT wa_replay',
	'ALTER TABLE wa.message RENAME COLUMN gone TO precondition', item => 'log: dead letters', then => 'SELECT wa_replay(event_id) FROM wa.dead_letter');
touched('the function of the triggers has another name', 'ALTER FUNCTION wa.capture() RENAME TO gone', 'function wa.capture\(\) is not ours any more', 'ALTER FUNCTION wa.gone() RENAME TO capture',
	item => 'capture', lost => 'events were dropped|were not recorded');

# What makes rows disappear without an error is named, and what does not is not.
sub hung { return sql("SELECT string_agg(state || ': ' || coalesce(what_to_do, ''), E'\\n' ORDER BY what_to_do) FROM wa_check() WHERE item = 'own tables'"); }
is(hung(), 'ok: ', 'nothing of somebody\'s hangs on our tables');
sql("CREATE FUNCTION forgetful() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER after_it AFTER UPDATE ON wa.message FOR EACH ROW EXECUTE FUNCTION forgetful()");
is(hung(), 'ok: ', 'a trigger that runs afterwards does no harm');
sql('CREATE TRIGGER "before It" BEFORE UPDATE ON wa.unattended FOR EACH ROW EXECUTE FUNCTION forgetful()');
like(hung(), qr/^warning: table wa\.unattended has a trigger of your own, "before It", that runs before/, 'one that runs before it may');
sql('CREATE RULE lost AS ON INSERT TO wa.forgotten DO INSTEAD NOTHING; ALTER TABLE wa.holiday ENABLE ROW LEVEL SECURITY');
like(hung(), qr/row security is on for table wa\.holiday.*\n.*wa\.forgotten has a rule of your own, lost, .*\n.*wa\.unattended/s, 'a rule may, and so may row security');
# pg_restore --disable-triggers ends with ENABLE TRIGGER ALL
sql('ALTER TABLE wa.holiday DISABLE ROW LEVEL SECURITY; DROP RULE lost ON wa.forgotten; DROP TRIGGER "before It" ON wa.unattended');
sql("ALTER TABLE wa.$_ DISABLE TRIGGER ALL; ALTER TABLE wa.$_ ENABLE TRIGGER ALL") foreach qw(message attempt ready due watch setting contact);
sql('ALTER TABLE wa.message DISABLE TRIGGER law; ALTER TABLE wa.contact ENABLE REPLICA TRIGGER number');
my $off = sql("SELECT string_agg(substring(what_to_do FROM 'ALTER TABLE [^;]*'), '; ' ORDER BY what_to_do) FROM wa_check() WHERE item = 'own tables' AND state = 'warning'");
is($off, join('; ', map { "ALTER TABLE wa.$_->[1] ENABLE" . ($_->[2] ? ' ALWAYS' : '') . " TRIGGER $_->[0]" }
	  sort { "@$a" cmp "@$b" } (map({ my $t = $_; map { [ $_, $t, 1 ] } qw(count count_all count_write) } qw(message attempt)), [ 'unattended', 'message', 1 ],
		map({ my $t = $_; map { [ $_, $t, 1 ] } qw(unattended unattended_all) } qw(ready due)), [ 'changed', 'watch', 1 ], [ 'law', 'message', 0 ], [ 'number', 'contact', 0 ])),
	'a trigger of ours that does not fire as it was made');
sql($off);
is(hung(), 'ok: ', 'what is said mends it');
sql('DROP FUNCTION forgetful() CASCADE');
is(hung(), 'ok: ', 'and they are gone');

# A sequence is set back.
my $behind = "SELECT string_agg(state || ': ' || coalesce(what_to_do, ''), E'\n') FROM wa_check() WHERE item = 'own numbers'";
my $set_back = "SELECT setval('wa.message_id_seq', (SELECT min(id) FROM wa.message), false)";
is(sql($behind), 'ok: ', 'no number is given twice');
sql($set_back);
my ($mend) = sql($behind) =~ /^error: wa\.message_id_seq has been set back and gives numbers that are taken, .*: (SELECT setval\(.*\))$/;
like(($node->psql('odoo', "SELECT wa_send_text('6281270000001', 'Halo')"))[2], qr/duplicate key/, 'a sequence is set back: who sends by hand gets an error');
is(sql($behind . " AND state = 'ok'"), '', 'wa_check() says why');
sql($mend // 'SELECT');
is(sql($behind), 'ok: ', 'and what mends it');
$offset = -s $node->logfile;
sql($set_back);
my $mended = shift @permits;
is(ready($mended), 0, 'a permit is ready');
ok(wait_sql($node, 'odoo', "$told $mended", 'sent'), 'and told: the worker mends it, too');
ok($node->log_contains('has put a sequence of its own forward', $offset), 'and says so');
is(sql("$behind"), 'ok: ', 'no number is given twice any more');

# Odoo's
touched('Odoo\'s table of contacts has another name', 'ALTER TABLE res_partner RENAME TO gone', 'there is no table res_partner in the schema of the setting odoo_schema, so nobody can be notified',
	'ALTER TABLE gone RENAME TO res_partner', item => 'reach', state => 'skipped');
is(as_odoo('BEGIN; CREATE TABLE permit_copy (LIKE sicantik_permit INCLUDING ALL); INSERT INTO permit_copy SELECT * FROM sicantik_permit; DROP TABLE sicantik_permit CASCADE;'
	  . ' ALTER TABLE permit_copy RENAME TO sicantik_permit; COMMIT') =~ /ERROR/ ? 1 : 0, 0, 'Odoo\'s table of permits is dropped and made anew');
ok(wait_sql($node, 'odoo', "SELECT state FROM wa_check() WHERE item = 'watched public.sicantik_permit'", 'error'), 'wa_check() says that it is not watched');
my ($next) = sql("SELECT what_to_do FROM wa_check() WHERE item = 'watched public.sicantik_permit'") =~ /(SELECT \* FROM wa_setup\(\))/;
is($next, 'SELECT * FROM wa_setup()', 'and what to type');
sql($next // 'SELECT');
my $permit = shift @permits;
is(ready($permit), 0, 'a permit is ready');
ok(wait_sql($node, 'odoo', "$told $permit", 'sent'), 'and told');
is(as_odoo('ALTER TABLE sicantik_permit ALTER COLUMN permit_number TYPE varchar(200), DROP COLUMN IF EXISTS notes'), 0, 'a column has another type, another one goes');
$permit = shift @permits;
is(ready($permit), 0, 'a permit is ready');
ok(wait_sql($node, 'odoo', "$told $permit", 'sent'), 'and told');

# Nothing went twice, nothing has ended a server process.
my %times;
$times{ $_->{to} }++ foreach $sim->accepted;
is_deeply([ grep { $times{$_} != 1 } sort keys %times ], [], 'nothing went twice');
unlike(slurp_file($node->logfile), qr/terminated by signal|XX000/, 'nobody has crashed');

$node->stop;
done_testing();

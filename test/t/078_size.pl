# A ledger that has grown for years: identifiers beyond 2^31, and no step of
# sending that reads the whole of it.  And texts of every kind, end to end.

use strict;
use warnings;
use utf8;

use Encode qw(decode encode);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $old_rows = 200_000;
my $first = 3_000_000_000;
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_set('language', 'en')");

# Years of work that is done, a quarter of it today; the first 5,000 have failed.
sql(<<"SQL");
INSERT INTO wa.message (id, scenario, template_key, partner_id, number, body, res_model, res_id, provider, state,
	reason, params, attempts, created_at, sent_at, finished_at)
SELECT $first + n, 'permit_ready', 'permit_ready', 1000 + n % 5000, '62899' || to_char(n % 5000, 'FM00000000'),
	'Yth.', 'sicantik.permit', 100000 + n % 5000, 'fonnte', CASE WHEN n > 5000 THEN 'sent' ELSE 'failed' END,
	CASE WHEN n <= 5000 THEN 'recipient' END,
	jsonb_build_object('permit_number', '078/' || n % 5000, 'pendaftaran_id', 'REG-' || n % 5000), 1, at, at, at
  FROM generate_series(1, $old_rows) AS n,
	LATERAL (SELECT now() - CASE WHEN n % 4 = 0 THEN interval '0' ELSE interval '30 days' END AS at) AS t;
INSERT INTO wa.attempt (message_id, attempt, provider, started_at, finished_at, http_status, outcome)
SELECT id, 1, 'fonnte', sent_at, sent_at, 200, 'accepted' FROM wa.message;
SELECT setval('wa.message_id_seq', $first + $old_rows);
SELECT setval('wa.event_id_seq', $first) FROM pg_class WHERE oid = to_regclass('wa.event_id_seq');
ANALYZE wa.message, wa.attempt;
SQL
sql("SELECT wa_arm('odoo')");

# How often a table was read as a whole, by anybody.
sub whole_reads
{
	my ($table) = @_;
	return sql("SELECT seq_scan FROM pg_stat_user_tables WHERE schemaname = 'wa' AND relname = '$table'");
}

# The worker's figures arrive with its end, at the latest.
sub let_worker_go
{
	$node->restart;
	return;
}

# once it has counted all that was there when it came
ok(wait_sql($node, 'odoo', 'SELECT EXISTS (SELECT FROM wa.figure_zone)'), 'the ledger is counted');
let_worker_go();
my %before = map { $_ => whole_reads($_) } qw(message attempt);

# From an event, by hand to a contact, by hand to a number, refused and tried
# again, cancelled before its time, and a history.
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'N/1', issue_date = current_date WHERE id = 1");
ok(wait_sql($node, 'odoo', "SELECT count(*) > 0 AND bool_and(state NOT IN ('queued', 'sending')) FROM wa.message"
		. " WHERE res_id = 1 AND res_model = 'sicantik.permit'"), 'a change of a permit is composed');
my $id = sql("SELECT wa_send_text('6281277700001', 'halo')");
cmp_ok($id, '>', 2**31, 'identifiers are beyond 2^31');
ok(wait_state($node, 'odoo', $id, 'sent'), 'a message by hand goes');
$sim->config({ fonnte => { invalid_targets => ['6281277700002'] } });
my $again = sql("SELECT wa_send_text('6281277700002', 'halo')");
ok(wait_state($node, 'odoo', $again, 'failed'), 'one is refused');
$sim->config({ fonnte => { invalid_targets => [] } });
is(sql("SELECT wa_retry($again)"), '1', 'tried again');
ok(wait_state($node, 'odoo', $again, 'sent'), 'it goes');
my $later = sql("SELECT wa_send_text('6281277700003', 'halo', send_at => now() + interval '1 day')");
is(sql("SELECT wa_cancel($later)"), '1', 'one that waits is cancelled');
ok(wait_state($node, 'odoo', $later, 'cancelled'), 'at once');
cmp_ok(sql("SELECT count(*) FROM wa_why($id)"), '>', 0, 'wa_why()');
is(sql("SELECT wa_result($id) ->> 'success'"), 'true', 'wa_result()');
let_worker_go();
foreach my $table (qw(message attempt))
{
	is(whole_reads($table), $before{$table}, "none of this reads all of wa.$table");
}

# What somebody asks, and what it reads of the ledger's rows; the figures know the rest.
sub rows_read
{
	my ($query) = @_;
	return (split /\n/, sql("BEGIN; $query; SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables"
			  . " WHERE schemaname = 'wa' AND relname IN ('message', 'attempt'); COMMIT"))[-1];
}

ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS (SELECT FROM wa.figure_change) AND EXISTS (SELECT FROM wa.figure)"),
	'the figures are added up');
my $month = "wa.stat_delivery WHERE day > current_date - 32";
my $failed = quotemeta('1250, reason the provider says that this number cannot be reached (recipient); the latest: SELECT * FROM wa_why(' . ($first + 5000) . ')');
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'log: messages failed'"), qr/^$failed/, 'wa_check() says how many failed today, and names one');
cmp_ok(rows_read('SELECT count(*) FROM wa_check()'), '<', 100, 'it does not count the ledger for that');
cmp_ok(rows_read('SELECT count(*) FROM wa_status()'), '<', 100, 'nor does wa_status()');
is(sql("SELECT sum(made) FROM $month"), sql('SELECT count(*) FROM wa.message'), 'nor a month of figures, which are right');
is(rows_read("SELECT * FROM $month"), 0, 'and read nothing of it');
foreach my $asked ('6289900000001', '078/1', 'REG-1', 'partner 1001')
{
	is(sql("SELECT count(*) FROM wa_history('$asked') AS h(at, what) WHERE what LIKE 'message %'"), $old_rows / 5000,
		"wa_history() of $asked, which Odoo does not know");
	cmp_ok(rows_read("SELECT count(*) FROM wa_history('$asked')"), '<', 500, 'reads little more');
}
# the last one that failed did so no more
sql("UPDATE wa.message SET state = 'delivered', reason = NULL WHERE id = $first + 5000");
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'log: messages failed'"), qr/^1249, .*wa_why\(@{[$first + 4996]}\)/, 'the one before it is named');
# 20,000 after it, so it is not looked for that far
sql("UPDATE wa.message SET state = 'failed', reason = 'recipient' WHERE id = $first + 60000");
sql("UPDATE wa.message SET state = 'sent', reason = NULL WHERE id = $first + 60000");
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'log: messages failed'"),
	qr/^1249, [^;]*: SELECT \* FROM wa\.message_view WHERE state = 'failed' ORDER BY id DESC LIMIT 20/, 'where none is near, it says where to look');

# Texts
foreach my $case (
	[ 'emoji and other scripts' => "Yth. Bapak/Ibu \x{1F64F}\x{1F3FD} \x{A98F}\x{A9AE} \x{0633}\x{0644}\x{0627}\x{0645} e\x{301}" ],
	[ '4096 characters' => "\x{1F4C4}" . ('é' x 4095) ])
{
	my ($name, $text) = @$case;
	my $number = '62812777' . (length($text) == 4096 ? '10002' : '10001');
	my $message = sql(encode('UTF-8', "SELECT wa_send_text('$number', '$text')"));

	ok(wait_state($node, 'odoo', $message, 'sent'), "$name: sent");
	my ($sent) = grep { ($_->{to} || '') eq $number } $sim->sends;
	my ($arrived) = $sent->{body} =~ /(?:^|&)message=([^&]*)/;
	$arrived =~ tr/+/ /;
	$arrived =~ s/%([0-9A-Fa-f]{2})/chr(hex($1))/ge;
	ok(decode('UTF-8', $arrived) eq $text, "$name: arrives as written");
}

# Answers that are no text
foreach my $kind (qw(nul invalid_utf8))
{
	$sim->fault({ provider => 'fonnte', kind => $kind, times => 1 });
	my $message = sql("SELECT wa_send_text('6281277720001', 'jawaban $kind')");

	ok(wait_sql($node, 'odoo',
			"SELECT count(*) = 1 FROM wa.attempt WHERE message_id = $message AND finished_at IS NOT NULL AND response IS NOT NULL"),
		"an answer of the kind $kind is recorded");
	ok(wait_sql($node, 'odoo', "SELECT state <> 'sending' FROM wa.message WHERE id = $message"), 'and the message goes on');
}
my $after = sql("SELECT wa_send_text('6281277720002', 'sesudahnya')");
ok(wait_state($node, 'odoo', $after, 'sent'), 'and so do the others');

# 30,000 permits: all are counted in the time that wa_check() takes for this.
load_many($node, 'odoo', 30000);
sql("ALTER TABLE sicantik_permit DISABLE TRIGGER USER;
	 UPDATE sicantik_permit SET status = 'active' WHERE registration_id LIKE 'MANY-%';
	 ALTER TABLE sicantik_permit ENABLE TRIGGER USER");
my $ms = sql("SELECT clock_timestamp() AS t0 \\gset
	SELECT count(*) AS n FROM wa_check() \\gset
	SELECT round(extract(epoch FROM clock_timestamp() - :'t0'::timestamptz) * 1000)");
note("wa_check() over 30,000 permits: $ms ms");
like(sql("SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = 'reach'"),
	qr/^ok: of 300\d\d active permits 300\d\d can be notified/, 'the reach of 30,000 permits');

$node->stop;
done_testing();

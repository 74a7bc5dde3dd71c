# Who says no gets nothing any more, by any provider, whatever was on its way to
# him: what waits for its turn, a time, another attempt, a person or a
# provider's word, and what has been claimed and is not on the wire yet.  Nobody
# who holds the row of a contact keeps his "no" from being heard.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => 'sicantik_wa.worker_idle_timeout = 3600');
my $last_number = 0;
my $session;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }
sub number { return sprintf('62858%08d', ++$last_number); }
sub story { return sql("SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = $_[0]"); }
sub ends { return wait_for("(SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = $_[0]) = '$_[1]'"); }

# Providers that were asked to send to this number.
sub asked
{
	my ($number) = @_;
	return join ' ', map { $_->{provider} } grep { ($_->{to} // '') eq $number } $sim->sends;
}

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
my $other = SicantikWa::Session->new($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
foreach my $kind ('fonnte', 'meta')
{
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "'); SELECT FROM wa_test_connection('$kind')");
}
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET active = false WHERE name = 'watzap'; UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL");
sql("SELECT wa_set('language', 'en'), wa_set('unknown_wait', '1 day')");
sql("SELECT wa_arm('odoo')");

# Nothing has been said: it goes

my $number = number();
my $id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
ok(ends($id, 'sent'), 'who has said nothing gets his message');

# Waiting in every way

my %waits;
my %to;
sub waits
{
	my ($how, $state) = @_;
	ok(wait_for("(SELECT state FROM wa.message WHERE id = $waits{$how}) = '$state'"), "$how: waits");
	return;
}

$sim->fault({ provider => 'fonnte', kind => 'cut_after_read', times => 1 });
$to{'in doubt'} = number();
$waits{'in doubt'} = sql("SELECT wa_send_text('$to{'in doubt'}', 'Yth. Budi', 'fonnte')");
waits('in doubt', 'unknown');
sql("SELECT wa_opt_out('$to{'in doubt'}')");

$sim->fault({ provider => 'fonnte', kind => 'fonnte_reason', reason => 'url unreachable', times => 1 });
$to{'refused'} = number();
$waits{'refused'} = sql("SELECT wa_send_text('$to{'refused'}', 'Yth. Budi', 'fonnte')");
ok(wait_for("(SELECT attempts = 1 AND state = 'queued' FROM wa.message WHERE id = $waits{'refused'})"), 'refused: waits');
# nothing goes until all of them have said no
sql('SELECT wa_pause()');
$to{'delayed'} = number();
$waits{'delayed'} = sql("SELECT wa_send_text('$to{'delayed'}', 'Yth. Budi', send_at => now() + interval '1 day')");
$to{'held'} = number();
$waits{'held'} = sql("INSERT INTO wa.message (number, body, state, reason) VALUES ('$to{'held'}', 'Yth. Budi', 'held', 'bulk') RETURNING id");
$to{'queued'} = number();
$waits{'queued'} = sql("SELECT wa_send_text('$to{'queued'}', 'Yth. Budi')");
ok(wait_for("(SELECT reason FROM wa.message WHERE id = $waits{'queued'}) = 'no_provider'"), 'queued: waits');
sql("SELECT wa_opt_out(number) FROM wa.message WHERE id IN ($waits{'refused'}, $waits{'delayed'}, $waits{'held'}, $waits{'queued'})");
# the time comes of those that wait for one; the worker looks, since something new is due
sql("BEGIN; UPDATE wa.due SET due_at = clock_timestamp() WHERE message_id IN ($waits{'in doubt'}, $waits{'delayed'});"
	  . " SELECT wa_send_text('$to{'held'}', 'Yth. Budi', send_at => clock_timestamp() + interval '1 ms'); COMMIT");
sql("SELECT wa_resume(); SELECT wa_release($waits{'held'}); SELECT wa_retry($waits{'refused'})");
ok(ends($waits{$_}, 'skipped opted_out'), "$_: does not go") foreach 'refused', 'delayed', 'held', 'queued';
ok(ends($waits{'in doubt'}, 'unknown opted_out'), 'in doubt: is not repeated, and not said to have been skipped');
is(join(', ', map { "$_: " . asked($to{$_}) } sort keys %to), 'delayed: , held: , in doubt: fonnte, queued: , refused: fonnte', 'nobody was asked after that');

# While one provider thinks about it: the next one does not get it

$number = number();
sql("INSERT INTO wa.contact (number, last_inbound_at) VALUES ('$number', now())");
my $fault = $sim->fault({ provider => 'meta', kind => 'meta_error', code => 131008, times => 1, held => JSON::PP::true });
$id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
ok($sim->wait_for_sends(1, to => $number), 'on the wire');
sql("SELECT wa_opt_out('$number')");
$sim->release($fault);
ok(ends($id, 'skipped opted_out'), 'refused by the one, it is not given to the other');
is(asked($number), 'meta', 'it was not');

# Between the claim and the wire: the commit of the claim takes its time

sql('CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN'
	  . ' WHILE NOT pg_try_advisory_xact_lock(110) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN NULL; END $$;'
	  . " CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON wa.message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'sending')"
	  . ' EXECUTE FUNCTION slow_commit()');
foreach my $wanted ('', ", 'fonnte'")
{
	$number = number();
	$other->sql('BEGIN; SELECT pg_advisory_xact_lock(110)');
	$id = sql("SELECT wa_send_text('$number', 'Yth. Budi'$wanted)");
	ok(wait_for("EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND wait_event = 'PgSleep')"), 'claimed, and not committed');
	sql("SELECT wa_opt_out('$number')");
	$other->sql('COMMIT');
	ok(wait_for("EXISTS (SELECT FROM wa.attempt WHERE message_id = $id)"), 'the attempt is over');
	is(sql("SELECT concat_ws(' ', outcome, provider_code, response) FROM wa.attempt WHERE message_id = $id"),
		'retry withheld the request was not sent: the recipient has just opted out', 'nothing left');
	sql("SELECT wa_retry($id)") if $wanted;
	ok(ends($id, 'skipped opted_out'), 'and nothing will');
	is(asked($number), '', 'no provider was asked');
}
sql('DROP TRIGGER slow ON wa.message; DROP FUNCTION slow_commit()');
is(sql("SELECT string_agg(DISTINCT state, ' ') FROM wa.provider WHERE name IN ('meta', 'fonnte')"), 'configured', 'no provider is blamed for it');

# The row of the contact is held

$number = number();
sql("INSERT INTO wa.contact (number, opted_in_at) VALUES ('$number', '2026-01-01')");
$other->sql("BEGIN; SELECT FROM wa.contact WHERE number = '$number' FOR UPDATE");
is(sql("SELECT wa_opt_out('$number')"), "written down for $number", 'said while somebody holds the contact');
$id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
ok(ends($id, 'skipped opted_out'), 'it counts at once');
is(sql("SELECT pending FROM wa.consent WHERE number = '$number'"), 't', 'and is pending');
$other->sql('COMMIT');
ok(wait_for("(SELECT c.opted_out_at = h.said_at AND NOT h.pending FROM wa.contact AS c JOIN wa.consent AS h USING (number) WHERE number = '$number')"),
	'it is carried over by the worker');

# The same where somebody writes the number for the first time
$number = number();
$other->sql("BEGIN; INSERT INTO wa.contact (number, opted_in_at) VALUES ('$number', '2026-01-01')");
is(sql("SELECT wa_opt_out('$number')"), "written down for $number", 'said while somebody writes the contact');
$id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
ok(ends($id, 'skipped opted_out'), 'it counts at once');
$other->sql('COMMIT');
ok(wait_for("(SELECT c.opted_out_at = h.said_at AND c.opted_in_at = '2026-01-01' AND NOT h.pending FROM wa.contact AS c JOIN wa.consent AS h USING (number) WHERE number = '$number')"),
	'it is carried over, and what the other one wrote stays');

# What goes although he has opted out

$id = sql("INSERT INTO wa.message (number, body, state, wanted_provider, despite_opt_out) VALUES ('$number', 'Anda tidak akan menerima pesan lagi', 'held', 'fonnte', true) RETURNING id");
sql("SELECT wa_release($id)");
ok(ends($id, 'sent'), 'that he has opted out is told him');
$id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
ok(ends($id, 'skipped opted_out'), 'and nothing else');

# He comes back

sql("SELECT wa_opt_in('$number')");
$id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
ok(ends($id, 'sent'), 'who comes back gets messages again');

# It is told

sub told { return join "\n", split /\n/, sql("SELECT what FROM $_[0]"); }
sql("INSERT INTO wa.consent (number, scope, change, said_at, source, words) VALUES ('$number', 'all', 'opt_out', '2026-01-02', 'keyword', 'STOP'), ('$number', 'marketing', 'opt_out', '2026-01-03', 'preference', 'stop')");
like(join("\n", grep { /opted|marketing/ } grep { !/^message/ } split /\n/, told("wa_history('$number')")), qr/\Anumber $number opted out \(he wrote it: "STOP"\): it gets nothing
number $number wants no messages of marketing \(said to the provider: "stop"\)
number $number opted out \(written down by \S+\): it gets nothing
number $number opted in \(written down by \S+\)$/m, 'wa_history() tells each word');
my $skipped = sql("SELECT max(id) FROM wa.message WHERE number = '$number' AND state = 'skipped'");
my $why = told("wa_why($skipped)");
like($why, qr/^number $number opted out \(written down by \S+\): it gets nothing$/m, 'wa_why() tells the last "no"');
unlike($why, qr/STOP|opted in/, 'and that alone');

# Who writes STOP is answered, the way he wrote, and once a day

sql("SELECT wa_configure('fonnte', '{\"webhook_secret\": \"SURATMASUK\"}'); SELECT FROM wa_test_connection('fonnte'); SELECT wa_set('office_name', 'DPMPTSP Karo')");
my $inbox = 0;
sub writes
{
	my ($from, $text, $ago) = @_;    # a webhook knows seconds only
	my $body = sprintf('{"device": "628110000000", "sender": "%s", "message": "%s", "name": "Budi", "timestamp": %d, "inboxid": %d}',
		$from, $text, sql('SELECT floor(extract(epoch FROM clock_timestamp()))::bigint') - ($ago // 0), ++$inbox);

	is(sql("SELECT wa_webhook('fonnte', convert_to('$body', 'UTF8'), NULL, 'SURATMASUK') ->> 'accepted'"), '1', "he writes $text");
	return wait_for("NOT EXISTS (SELECT FROM wa.feedback WHERE due_at <= clock_timestamp())");
}
sub answers { return sql("SELECT count(*) FROM wa.message WHERE number = '$_[0]' AND despite_opt_out"); }

$number = number();
writes($number, 'jangan stop kirim');
is(sql("SELECT count(*) FROM wa.consent WHERE number = '$number'"), '0', 'a sentence with the word is none');
writes($number, ' *Stop*. ', 20);
$id = sql("SELECT id FROM wa.message WHERE number = '$number' AND despite_opt_out");
ok(ends($id, 'sent'), 'the answer goes');
is(sql("SELECT provider || ': ' || body FROM wa.message WHERE id = $id"),
	"fonnte: Anda tidak akan menerima pesan dari kami lagi. Balas MULAI untuk menerimanya kembali.\n\nDPMPTSP Karo", 'and says how he comes back');
is(sql("SELECT change || ' ' || source || ' ' || words FROM wa.consent WHERE number = '$number'"), 'opt_out keyword *Stop*.', 'the word is kept');
$id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
ok(ends($id, 'skipped opted_out'), 'nothing else goes');
writes($number, 'mulai', 10);
$id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
ok(ends($id, 'sent'), 'until he comes back');
writes($number, 'BERHENTI');
is(answers($number), '1', 'a second time on the same day he is not answered');
$number = number();
sql("SELECT wa_set('confirm_opt_out', 'off')");
writes($number, 'STOP');
is(sql("SELECT count(*) FROM wa.consent WHERE number = '$number'") . answers($number), '10', 'nor where the office does not want it');

$session->close;
$other->close;
$node->stop;
done_testing();

# A provider in trouble: it is left out at once, said once, told to a person
# through another provider, probed by its status call alone, and tried with one
# message when it answers again.  And the switches of a person: pause, resume,
# and plain UPDATEs.  Probes are made due by SQL, never waited for.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "timezone = 'UTC'");
my $alert = '628129990000';
my $numbers = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub row
{
	my ($provider, $columns) = @_;
	return sql("SELECT $columns FROM wa.provider WHERE name = '$provider'");
}

# A text by hand to a new number; a provider may be demanded.
sub text
{
	my ($provider) = @_;
	my $number = sprintf('62812888%05d', ++$numbers);
	my $wanted = $provider ? ", provider => '$provider'" : '';

	return sql("SELECT wa_send_text('$number', 'Yth. Budi'$wanted)");
}

# Where a message went, once it was sent.
sub went_by
{
	my ($id) = @_;
	return 'not sent' unless wait_state($node, 'odoo', $id, 'sent');
	return sql("SELECT provider FROM wa.message WHERE id = $id");
}

sub wait_row
{
	my ($provider, $columns, $expected) = @_;
	return wait_sql($node, 'odoo', "SELECT $columns FROM wa.provider WHERE name = '$provider'", $expected);
}

# Seconds from the error to the first probe.
sub first_probe
{
	my ($provider) = @_;
	return row($provider, 'extract(epoch FROM probe_at - last_error_at)::int');
}

sub probe_now
{
	my ($provider) = @_;
	return sql("UPDATE wa.provider SET probe_at = now() WHERE name = '$provider'");
}

# Status calls and send requests that a provider has got.
sub calls
{
	my ($provider, $endpoint) = @_;
	return scalar grep {
		($_->{provider} || '') eq $provider && ($_->{endpoint} || '') eq $endpoint
	} $sim->journal;
}

sub alerts
{
	my ($state) = @_;
	return sql("SELECT count(*) FROM wa.message WHERE created_by = 'sicantik_wa' AND state = '$state'");
}

sub warnings
{
	my ($text) = @_;
	my $log = slurp_file($node->logfile);
	return scalar(() = $log =~ /WARNING:[^\n]*$text/g);
}

sub in_state
{
	my ($what) = @_;
	return "SELECT count(*) FROM wa.message WHERE state = '$what'";
}

sub mend
{
	my ($provider) = @_;

	probe_now($provider);
	return wait_row($provider, 'state', 'configured');
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
foreach my $kind (qw(fonnte watzap))
{
	my $settings = decode_json(provider_settings($sim, $kind));

	$settings->{is_default} = $kind eq 'fonnte' ? JSON::PP::true : JSON::PP::false;
	$settings->{max_in_flight} = 5;
	sql("SELECT wa_configure('$kind', '" . encode_json($settings) . "')");
	is(sql("SELECT state FROM wa_test_connection('$kind')"), 'configured', "$kind is ready");
}
no_pacing($node, 'odoo');
sql("SELECT wa_set('alert_number', '$alert')");
is(row('fonnte', 'quota_left'), '1000', 'a connection test keeps the quota');
is(went_by(text()), 'fonnte', 'the default provider');
my $token = $sim->config->{fonnte}{tokens}[0];

# A bad token

$sim->config({ fonnte => { tokens => ['another'] } });
is(went_by(text()), 'watzap', 'token refused: the other provider takes the message over');
is( row('fonnte', 'state, failed_probes'), 'error|0', 'the circuit is open');
like(row('fonnte', 'last_error'), qr/token/, 'with its reason');
is(first_probe('fonnte'), '30', 'the first probe is 30 seconds later');
ok(wait_sql($node, 'odoo', "SELECT provider, number FROM wa.message WHERE created_by = 'sicantik_wa' AND state = 'sent'",
		"watzap|$alert"), 'a person is told, through the other provider');
like(sql("SELECT body FROM wa.message WHERE created_by = 'sicantik_wa'"),
	qr/penyedia WhatsApp "fonnte" bermasalah.*token.*wa_check/s, 'in words of the office');
is(sql("SELECT priority, fallback, unknown_policy, requires_opt_in, scenario IS NULL FROM wa.message WHERE created_by = 'sicantik_wa'"),
	'high|t|give up|f|t', 'as an urgent message by hand');
my $sends = calls('fonnte', 'send');
is(went_by(text()), 'watzap', 'the next message does not try it') foreach 1 .. 2;
is(calls('fonnte', 'send'), $sends, 'no request goes to an open circuit');
is(warnings('stops using provider "fonnte"'), 1, 'one warning in the log');

like(sql("SELECT detail FROM wa_status() WHERE item = 'provider fonnte'"),
	qr/oken.*diuji lagi \d{4}-/, 'wa_status() tells it');
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'provider fonnte'"),
	qr/token.*wa_test_connection\('fonnte'\)/, 'wa_check() tells what to do');

# Probes

my $tests = calls('fonnte', 'test');
probe_now('fonnte');
ok(wait_row('fonnte', 'failed_probes', '1'), 'a probe that fails');
is(calls('fonnte', 'test'), $tests + 1, 'is one status call');
is(row('fonnte', "state, round(extract(epoch FROM probe_at - tested_at))::int"), 'error|60', 'the next one waits twice as long');
like(row('fonnte', 'last_error'), qr/^.*token/, 'the reason stays');
sql("UPDATE wa.provider SET failed_probes = 30 WHERE name = 'fonnte'");
probe_now('fonnte');
ok(wait_row('fonnte', 'failed_probes', '31'), 'after many');
is(row('fonnte', "round(extract(epoch FROM probe_at - tested_at))::int"), '900', 'one comes every 15 minutes');
$sim->config({ fonnte => { tokens => [$token] } });
ok(mend('fonnte'), 'a probe that succeeds closes the circuit');
is(row('fonnte', 'failed_probes, probe_at IS NULL, last_error IS NULL, tested_at > now() - interval \'1 minute\''),
	'0|t|t|t', 'and leaves nothing behind');
is(calls('fonnte', 'send'), $sends, 'no message was risked for it');

# One message at a time until one is accepted

my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', times => 1 });
my @waiting = map { text() } 1 .. 3;
ok($sim->wait_for_sends(1, provider => 'fonnte', fault_id => $hold), 'one message tries it');
is(went_by(text('watzap')), 'watzap', 'while others have their way');
is(sql(in_state('sending')), '1', 'the rest waits for the first one');
$sim->release;
is(went_by($_), 'fonnte', 'accepted: the rest follows') foreach @waiting;
$hold = $sim->fault({ kind => 'hold', provider => 'fonnte', times => 3 });
@waiting = map { text() } 1 .. 3;
ok($sim->wait_for_sends(3, provider => 'fonnte', fault_id => $hold), 'now several at one time');
$sim->release;
is(went_by($_), 'fonnte', 'all accepted') foreach @waiting;

# A circuit that opens again and again

sub refuse_one
{
	$sim->fault({ kind => 'fonnte_reason', provider => 'fonnte', reason => 'token invalid', times => 1 });
	return went_by(text());
}

is(refuse_one(), 'watzap', 'it opens again');
is(first_probe('fonnte'), '30', 'the first time after an accepted message: 30 seconds');
foreach my $wait (60, 120)
{
	ok(mend('fonnte'), 'its test succeeds');
	is(refuse_one(), 'watzap', 'its first message does not');
	is(first_probe('fonnte'), $wait, "$wait seconds until the next test");
}
is(alerts('sent'), 1, 'no second alert of the same cause within the hour');
is(warnings('stops using provider "fonnte"'), 4, 'one warning for each opening');
ok(mend('fonnte'), 'its test succeeds');
sql("UPDATE wa.announced SET announced_at = announced_at - interval '61 minutes' WHERE key LIKE 'alert:%'");
is(refuse_one(), 'watzap', 'once more, an hour later');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE created_by = 'sicantik_wa' AND state = 'sent'", '2'),
	'an alert again');
ok(mend('fonnte'), 'its test succeeds');
is(went_by(text()), 'fonnte', 'and a message');

# Five failures in a row

my $fault = $sim->fault({ kind => 'watzap_status', status => '1005', provider => 'watzap', times => 5 });
text('watzap') foreach 1 .. 5;
ok(wait_row('watzap', 'state', 'error'), 'five failures in a row open a circuit');
like(row('watzap', 'last_error'), qr/^5 attempts in a row have failed, the last one so: .*1005/, 'and it is said so');
ok(mend('watzap'), 'until it answers');
is(went_by(text('watzap')), 'watzap', 'and takes a message');

# Outcomes that nobody knows

$sim->clear_faults;
foreach (1 .. 6)
{
	$sim->fault({ kind => 'cut_after_read', provider => 'watzap', times => 1 });
	ok(wait_state($node, 'odoo', text('watzap'), 'unknown'), 'an unknown outcome');
	is(went_by(text('watzap')), 'watzap', 'and a message that is accepted') if $_ % 3 == 0;
}
ok( $node->wait_for_log(qr/holds messages in doubt of provider "watzap" .* 6 have an unknown outcome/),
	'more than 5 of 100: said');
is(warnings('holds messages in doubt'), 1, 'once');
is(row('watzap', 'state'), 'configured', 'it is used all the same');

# Pause and resume

is(sql("SELECT wa_pause('fonnte')"), '1', 'wa_pause()');
my ($result, $out, $err) = $node->psql('odoo', "SELECT wa_pause('fonnte')");
is($out, '0', 'a second time changes nothing');
like($err, qr/NOTICE:  provider "fonnte" is paused already, by \S+ since \d{4}-/, 'and says so');
is(row('fonnte', "state, paused_by = current_user, paused_at IS NOT NULL"), 'configured|t|t', 'its state is another matter');
my $id = text();
is(went_by($id), 'watzap', 'messages go by another provider');
like(sql("SELECT route FROM wa.message WHERE id = $id"), qr/not fonnte: paused by \S+ since \d{4}-/, 'with the reason');
like(sql("SELECT value, detail FROM wa_status() WHERE item = 'provider fonnte'"),
	qr/^configured, paused, default\|dihentikan sementara oleh .*wa_resume\('fonnte'\)/, 'wa_status() tells it');
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'provider fonnte'"), qr/dihentikan sementara oleh .*wa_resume\('fonnte'\)/, 'wa_check() too');
like(sql("SELECT wa_configure('fonnte', '{}') ->> 'paused_by'"), qr/\S/, 'wa_configure() too');
is(sql('SELECT wa_pause(NULL)'), '2', 'null stands for all that are not paused');
$id = text();
ok(wait_sql($node, 'odoo', "SELECT reason FROM wa.message WHERE id = $id", 'no_provider'), 'a message waits');
sql("UPDATE wa.provider SET state = 'error', last_error = 'sakit', probe_at = now() WHERE name = 'watzap'");
$tests = calls('watzap', 'test');
($result, $out, $err) = $node->psql('odoo', "SELECT wa_resume('fonnte')");
is("$out|$err", '1|', 'wa_resume()');
is(went_by($id), 'fonnte', 'the message goes at once');
is(calls('watzap', 'test'), $tests, 'a paused provider is not probed');
($result, $out, $err) = $node->psql('odoo', 'SELECT wa_resume(NULL)');
is($out, '2', 'all that are paused');
like($err, qr/provider "fonnte" is not paused.*provider "watzap" is not paused any more, but in state error: sakit.*wa_test_connection\('watzap'\)/s,
	'and what else stands in the way');
ok(wait_row('watzap', 'state', 'configured'), 'a resumed provider is probed');
($result, $out, $err) = $node->psql('odoo', "SELECT wa_pause('fonte')");
like($err, qr/provider "fonte" does not exist.*Providers: .*fonnte/s, 'an unknown provider is an error');

# A message that is younger than a pause never goes, whatever the worker was
# doing meanwhile: here it composes, and looks for messages right after that.

sql(<<'SQL');
SET ROLE odoo;
CREATE TABLE slow (id bigint PRIMARY KEY, state text);
CREATE FUNCTION slow(record_id bigint, old jsonb, new jsonb) RETURNS TABLE (partner_id bigint, number text, params jsonb)
LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(71); END $$;
SELECT wa_set_template('slow', '{"name": "Pelan", "body": "Yth. Budi", "parameters": []}');
INSERT INTO wa.scenario (key, name, watch, template_key, composer) VALUES ('slow', 'Pelan', 'public.slow', 'slow', 'public.slow');
INSERT INTO wa.watch (relation, owner, columns) VALUES ('public.slow', 'odoo', '{state}');
SELECT count(*) FROM wa_setup();
SQL
my $holder = SicantikWa::Session->new($node, 'odoo');
$holder->do('SELECT pg_advisory_lock(71)');
sql("SET ROLE odoo; INSERT INTO slow VALUES (1, 'new')");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", '1'), 'the worker composes');
sql('SELECT wa_pause(NULL)');
$id = text();
$holder->close;
ok(wait_sql($node, 'odoo', "SELECT coalesce(reason, state) FROM wa.message WHERE id = $id AND (reason IS NOT NULL OR state <> 'queued')", 'no_provider'),
	'a message of after the pause waits');
sql('SELECT wa_resume(NULL)');
isnt(went_by($id), 'not sent', 'until it is over');
sql("DELETE FROM wa.watch WHERE relation = 'public.slow'; DELETE FROM wa.scenario WHERE key = 'slow'; DROP TABLE slow; SELECT count(*) FROM wa_setup()");

# What a DBA writes himself, and a worker that ends

sql("UPDATE wa.provider SET state = 'error', last_error = 'dimatikan' WHERE name = 'fonnte'");
is(went_by(text()), 'watzap', 'state error by hand counts at once');
ok(wait_row('fonnte', 'probe_at > now()', 't'), 'and a probe is planned');
sql("UPDATE wa.provider SET probe_at = now() + interval '1 hour' WHERE name = 'fonnte'");
$tests = calls('fonnte', 'test');
$node->restart;
is(went_by(text()), 'watzap', 'another worker knows the open circuit');
is(calls('fonnte', 'test'), $tests, 'and does not probe before its time');
ok(mend('fonnte'), 'a probe by UPDATE');
is(calls('fonnte', 'test'), $tests + 1, 'is one status call');
is(went_by(text()), 'fonnte', 'used again');

# The quota

$sim->config({ fonnte => { quota => 2 } });
is(sql("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'two messages are left');
is(row('fonnte', 'quota_left'), '2', 'as it told');
is(went_by(text()), 'fonnte', 'the first');
is(row('fonnte', 'quota_left'), '2', 'nothing is written per message');
$hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { endpoint => 'test' }, times => 1 });
is(went_by(text()), 'fonnte', 'the second');
$id = text();
is(went_by($id), 'watzap', 'the third goes another way');
like(sql("SELECT route FROM wa.message WHERE id = $id"), qr/not fonnte: its quota is used up/, 'with the reason');
$sim->release;
ok(wait_row('fonnte', 'state, last_error', 'error|The quota of the Fonnte device is used up.'),
	'asked again, it has none left: its circuit opens');
is(row('fonnte', 'quota_left'), '0', 'and the figure is kept');
$sim->config({ fonnte => { quota => 50 } });
ok(mend('fonnte'), 'refilled');
is(row('fonnte', 'quota_left'), '50', 'the new figure');
is(went_by(text()), 'fonnte', 'used again');

# A base URL that leads nowhere

$sim->fault({ kind => 'status', status => 404, provider => 'fonnte', times => 1 });
is(went_by(text()), 'watzap', '404: the other provider');
like(row('fonnte', 'state, last_error'), qr/^error\|.*404.*base URL/, 'it is the provider that is misconfigured');

# A restriction of the whole number

sql("SELECT wa_configure('meta', '" . provider_settings($sim, 'meta') . "')");
sql("SELECT * FROM wa_test_connection('meta')");
no_pacing($node, 'odoo');
$sim->config({ meta => { open_windows => 'any' } });
$sim->fault({ kind => 'meta_error', provider => 'meta', code => 131048, times => 1 });
sql("INSERT INTO wa.contact (number, last_inbound_at) VALUES ('628128889999', now())");
$id = sql("SELECT wa_send_text('628128889999', 'Yth. Budi', provider => 'meta')");
ok(wait_row('meta', 'state', 'error'), 'Meta 131048: the circuit opens');
is(first_probe('meta'), '3600', 'for an hour');
ok(mend('meta'), 'a person may have it tested sooner');
is(went_by($id), 'meta', 'and the message goes');

# More for one provider than the worker has in memory (25 of a line for each
# request at one time) keeps nobody else waiting, and is come back for in order.

sql("UPDATE wa.provider SET active = false WHERE name = 'meta'");
sql('ALTER SYSTEM SET sicantik_wa.max_in_flight = 1');
sql("SELECT pg_reload_conf(); SELECT wa_pause('watzap')");
my $before = sql('SELECT max(id) FROM wa.message');
sql("SELECT count(wa_send_text('62813' || to_char(n, 'FM00000000'), 'Yth. Budi', 'watzap')) FROM generate_series(1, 60) AS n");
my $last = sql('SELECT max(id) FROM wa.message');
is(went_by(text('fonnte')), 'fonnte', 'a message for another provider goes at once');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE id > $before AND reason = 'no_provider'", '25'),
	'the first ones say what they wait for');
is(went_by(text('fonnte')), 'fonnte', 'again');
is(sql("SELECT count(*) FROM wa.message WHERE id > $before AND reason = 'no_provider'"), '25', 'the others are left in the table');
like(sql("SELECT string_agg(what, E'\n') FROM wa_why($last)"),
	qr/menunggu di belakang 59 pesan yang lebih dahulu dan lewat jalur yang sama; yang pertama: .*bukan watzap: dihentikan sementara/,
	'wa_why() tells what is before one of those');
my $cancelled = $last - 1;
sql("SELECT wa_cancel($cancelled)");
ok(wait_sql($node, 'odoo', "SELECT state FROM wa.message WHERE id = $cancelled", 'cancelled'), 'and it can be cancelled');
my $high = sql("SELECT wa_send_text('6281300000061', 'Yth. Budi', provider => 'watzap')");
sql("UPDATE wa.provider SET min_gap = '30 ms' WHERE name = 'watzap'");
my $behind = sql("SELECT wa_resume('watzap'); SELECT wa_send_text('6281300000060', 'Yth. Budi', provider => 'fonnte')");
$behind =~ s/.*\n//s;
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE id > $before AND state = 'queued'", '0'), 'resumed: they all go');
is(sql(<<SQL), '60|t', 'in the order of their ids');
SELECT count(*), bool_and(at >= before) FROM (SELECT started_at AS at, lag(started_at) OVER (ORDER BY message_id) AS before
  FROM wa.attempt WHERE message_id > $before AND provider = 'watzap') AS a WHERE at >= coalesce(before, at)
SQL
is(sql("SELECT b.started_at > a.finished_at FROM wa.attempt AS a, wa.attempt AS b WHERE a.message_id = $last AND b.message_id = $behind"),
	't', 'and none to the same number overtakes one that was left');
no_pacing($node, 'odoo');

# What waits for a provider that cannot be used is looked at beside the others'
# messages, not before them, though it came first.

# 20 for watzap and two behind them for fonnte, of which the first stays on the wire.
sub send_behind_20
{
	my ($numbers) = @_;

	$before = sql('SELECT max(id) FROM wa.message');
	$hold = $sim->fault({ kind => 'hold', provider => 'fonnte', times => 1 });
	sql("SELECT count(wa_send_text('$numbers' || to_char(n, 'FM00000000'), 'Yth. Budi', provider => CASE WHEN n <= 20 THEN 'watzap' ELSE 'fonnte' END))"
		  . ' FROM generate_series(1, 22) AS n');
	return;
}

sql("SELECT wa_pause('watzap')");
send_behind_20(62814);
my $looked_at = "SELECT count(*) FROM wa.message WHERE id > $before AND reason = 'no_provider'";
ok($sim->wait_for_sends(1, provider => 'fonnte', fault_id => $hold), 'of 20 for a paused provider and two behind them one of these goes');
cmp_ok(sql($looked_at), '<=', 1, 'before the 20 have been looked at');
$sim->release;
ok(wait_sql($node, 'odoo', $looked_at, '20'), 'when nothing else is to be done they are');
is(sql("SELECT count(*) FROM wa.message WHERE id > $before AND state = 'queued' AND reason IS NULL"), '0', 'and none is forgotten');
sql("SELECT wa_resume('watzap')");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE id > $before AND state = 'sent'", '22'), 'resumed: all go');

# Nor where there is room for all of them, because the other provider takes one at a
# time: what the claim of that one was written with tells.
sql('ALTER SYSTEM SET sicantik_wa.max_in_flight = 32');
sql('SELECT pg_reload_conf()');
sql("SELECT wa_pause('watzap'); UPDATE wa.provider SET max_in_flight = 1 WHERE name = 'fonnte'");
send_behind_20(62815);
ok($sim->wait_for_sends(1, provider => 'fonnte', fault_id => $hold), 'one of two goes, with room for more');
cmp_ok(sql("SELECT count(*) FROM wa.message WHERE id > $before AND reason = 'no_provider' AND xmin = (SELECT xmin FROM wa.message WHERE id > $before AND state = 'sending')"),
	'<=', 2, 'and at most two of the 20 have been looked at with it');
$sim->release;
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE id > $before AND reason = 'no_provider'", '20'), 'all are when nothing else goes');
sql("SELECT wa_resume('watzap')");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE id > $before AND state = 'sent'", '22'), 'resumed: all go');
sql('ALTER SYSTEM RESET sicantik_wa.max_in_flight');
sql('SELECT pg_reload_conf()');

is(sql(in_state('failed')), '0', 'no message failed in all of this');
$node->stop;
done_testing();

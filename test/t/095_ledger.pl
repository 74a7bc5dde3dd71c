# A person and the ledger: what is held is let go by id, by reason, by scenario
# and time, and never everything at once; the time that a sender asked for is
# kept whatever happens to the message; a state that nobody carries out is
# refused or named; stopping for a while loses nothing.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);
my $numbers = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub notices { my ($code, $out, $err) = $node->psql('odoo', $_[0]); return "$out|$err"; }
sub col { return sql("SELECT $_[1] FROM wa.message WHERE id = $_[0]"); }
sub number { return sprintf('62812777%05d', ++$numbers); }
sub why { return sql("SELECT string_agg(what, E'\\n') FROM wa_why($_[0])"); }
sub becomes { return ok(wait_state($node, 'odoo', $_[0], $_[1]), $_[2]); }
sub comes_true { return ok(wait_sql($node, 'odoo', "SELECT $_[0]"), $_[1]); }
sub requests_to { my ($to) = @_; return scalar grep { ($_->{to} || '') eq $to } $sim->sends; }

# A message of a scenario that is held.
sub held
{
	my ($reason, %more) = @_;
	my $made = $more{made} || 'now()';
	my $scenario = $more{scenario} || 'permit_ready';

	return sql("INSERT INTO wa.message (scenario, template_key, number, number_source, body, state, reason, created_at, expires_at)"
		  . " VALUES ('$scenario', 'permit_ready', '" . number() . "', 'given', 'Yth. Budi', 'held', '$reason', $made, $made + interval '7 days') RETURNING id");
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql("SELECT FROM wa_setup(); SELECT wa_set('language', 'en')");
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql('UPDATE wa.provider SET max_in_flight = 20');
sql("SELECT wa_arm('odoo')");

# Release: what was asked for and nothing else

my @bulk = map { held('bulk') } 1 .. 3;
my @old = map { held('bulk', made => "now() - interval '3 days'") } 1 .. 2;
my $other = held('bulk', scenario => 'status_update');
my $limit = held('daily_limit');
my @mismatch = map { held('name_mismatch') } 1 .. 2;

foreach my $call ('wa_release()', 'wa_release(NULL)', 'wa_release(maximum => 5)', 'wa_release(since => now())')
{
	like(notices("SELECT $call"), qr/^\|.*ERROR:  scenario and reason are both null/s, "$call is refused");
}
like(notices("SELECT wa_release('nope')"), qr/ERROR:  scenario "nope" does not exist/, 'an unknown scenario is an error');
like(notices("SELECT wa_release(reason => 'nope')"), qr/ERROR:  reason "nope" does not exist/, 'an unknown reason too');
like(notices("SELECT wa_$_(reason => 'nope')"), qr/ERROR:  reason "nope" does not exist/, "of wa_$_() as well") foreach qw(cancel retry);
like(notices("SELECT wa_release(reason => 'name_mismatch')"), qr/ERROR:  messages held for name_mismatch are released one at a time/,
	'a mismatch of names is not released in bulk');
is(sql('SELECT count(*) FROM wa.request'), '0', 'nothing was asked for');
is(sql("SELECT wa_release('permit_ready', reason => 'bulk', until => now() - interval '1 day')"), '2', 'by scenario, reason and time');
becomes($_, 'sent', 'an old one is sent') foreach @old;
is(sql("SELECT count(*) FROM wa.message WHERE state = 'held'"), '7', 'the others are held');
is(sql("SELECT wa_release(reason => 'bulk', maximum => 1)"), '1', 'at most one');
becomes($bulk[0], 'sent', 'the oldest');
like(notices("SELECT wa_release('permit_ready')"), qr/^3\|.*2 messages of scenario "permit_ready" are left alone: 2 held for name_mismatch/s,
	'by scenario: all but the mismatches, which are counted');
becomes($_, 'sent', 'released with its scenario') foreach @bulk[ 1, 2 ], $limit;
is(sql("SELECT wa_release(reason => 'bulk')"), '1', 'by reason: of whatever scenario');
becomes($other, 'sent', 'that of the other scenario');
is(sql("SELECT wa_release($mismatch[0])"), '1', 'a mismatch by its id');
becomes($mismatch[0], 'sent', 'it goes');
is(col($mismatch[1], 'state'), 'held', 'the other one does not');
like(notices("SELECT wa_release($mismatch[0])"), qr/^0\|.*its state is sent/s, 'one that is sent: 0, and why');
like(notices('SELECT wa_release(999999)'), qr/^0\|.*message 999999 does not exist/s, 'one that does not exist likewise');
like(notices("SELECT wa_retry($mismatch[1])"), qr/^0\|.*state is held.*SELECT wa_release\($mismatch[1]\)/s, 'wa_retry() of a held one names the statement');
is(sql("SELECT wa_cancel(reason => 'name_mismatch')"), '1', 'wa_cancel() by reason');
becomes($mismatch[1], 'cancelled', 'ends it');

# A held message does not expire, and is not said to

my $waits = held('bulk', made => "now() - interval '2 days'");
my $story = why($waits);
unlike($story, qr/expires at this time/, 'wa_why() of a held message names no expiry');
like($story, qr/stays until somebody decides; if nobody has by this time, it ends/, 'but when it ends');
like($story, qr/what one can do: look at them, then wa_release\($waits\) or wa_cancel\($waits\)/, 'and the statements for this one');
is(sql("SELECT at FROM wa_why($waits) WHERE what LIKE 'stays until%'"),
	sql("SELECT date_trunc('second', (created_at + interval '90 days') AT TIME ZONE 'Asia/Jakarta') FROM wa.message WHERE id = $waits"), 'with the time of the retention');
sql("SELECT wa_cancel($waits)");

# The time that the sender asked for

my $number = number();
my $later = sql("SELECT wa_send_text('$number', 'Besok', send_at => '2099-12-31 10:00+07')");
my $wish = "SELECT send_at = '2099-12-31 10:00+07' AND due_at = send_at AND expires_at = send_at + interval '1 day' AND state = 'queued'"
  . " AND EXISTS (SELECT FROM wa.due AS d WHERE d.message_id = m.id AND d.due_at = m.send_at)"
  . " AND NOT EXISTS (SELECT FROM wa.ready AS r WHERE r.message_id = m.id) FROM wa.message AS m WHERE id = $later";
is(sql($wish), 't', 'a message for later waits for its time');
sql("SELECT wa_cancel($later)");
becomes($later, 'cancelled', 'it is cancelled');
sql("SELECT wa_retry($later)");
comes_true("state = 'queued' FROM wa.message WHERE id = $later", 'and wanted after all');
is(sql($wish), 't', 'then it waits for its time again');

# (after pg_upgrade, and in a copy, the stamp does not fit)
sql("UPDATE wa.identity SET system_identifier = '1'; UPDATE wa.setting SET value = value");
comes_true("item = 'mode' AND value = 'stopped' FROM wa_status() WHERE item = 'mode'", 'another cluster: stopped');
sql("SELECT wa_arm('odoo')");
becomes($later, 'held', 'armed: it is held');
is(sql("SELECT wa_release($later)"), '1', 'and released');
comes_true("state = 'queued' FROM wa.message WHERE id = $later", 'it waits');
is(sql($wish), 't', 'for its time');
my $marker = sql("SELECT wa_send_text('" . number() . "', 'marker')");
becomes($marker, 'sent', 'others go');
is(requests_to($number), 0, 'it has not gone at once');
like(why($later), qr/waits: not before this time/, 'wa_why() says so');
sql("UPDATE wa.message SET send_at = now() - interval '1 s' WHERE id = $later; SELECT wa_cancel($later)");
becomes($later, 'cancelled', 'cancelled once more');
sql("SELECT wa_retry($later)");
becomes($later, 'sent', 'when its time is over, it goes at once');

# A state that nobody carries out

$sim->config({ fonnte => { invalid_targets => [ $number = number() ] } });
my $failed = sql("SELECT wa_send_text('$number', 'gagal')");
becomes($failed, 'failed', 'a message fails');
$sim->config({ fonnte => { invalid_targets => [] } });
foreach my $state ('queued', 'sending')
{
	like(notices("UPDATE wa.message SET state = '$state' WHERE id = $failed"),
		qr/ERROR:  state "$state" of message $failed cannot be written by hand.*HINT:  SELECT wa_retry\($failed\) sends it again/s,
		"state $state is not written by hand");
}
my ($code, $out, $err) = $node->psql('odoo', "UPDATE wa.message SET state = 'unknown', due_at = now() WHERE id = $failed", connstr => $node->connstr('odoo') . ' user=odoo');
like($err, qr/state "unknown" of message $failed cannot be written by hand/, 'nor one that is to be decided later, by the owner either');
# where a column stands is kept from row to row, and looked at
($code, $out, $err) = $node->psql('odoo', "BEGIN; UPDATE wa.message SET reason = NULL WHERE id = $failed; DROP TRIGGER law ON wa.message;
	ALTER TABLE wa.message RENAME COLUMN state TO state_before;
	ALTER TABLE wa.message ADD COLUMN state text DEFAULT 'failed';
	CREATE TRIGGER law BEFORE UPDATE ON wa.message FOR EACH ROW EXECUTE FUNCTION wa._law();
	UPDATE wa.message SET state = 'queued' WHERE id = $failed", on_error_die => 0);
like($err, qr/state "queued" of message $failed cannot be written by hand/, 'nor in a column that is another one since');
sql("UPDATE wa.message SET state = 'cancelled' WHERE id = $failed; UPDATE wa.message SET state = 'failed', detail = 'mine' WHERE id = $failed");
is(col($failed, 'state'), 'failed', 'an end may be written');

# what escapes all the same is named, and taken
my %adrift;
foreach my $state ('queued', 'sending', 'unknown')
{
	$adrift{$state} = sql("INSERT INTO wa.message (number, number_source, body, state, due_at, created_by) VALUES ('" . number()
		  . "', 'given', 'hanyut', '$state', " . ($state eq 'unknown' ? 'now()' : 'NULL') . ", 'somebody') RETURNING id");
}
$number = number();
$sim->fault({ kind => 'fonnte_reason', provider => 'fonnte', times => 1, match => { number => $number }, reason => 'url unreachable' });
$adrift{emptied} = sql("SELECT wa_send_text('$number', 'hanyut')");
comes_true("state = 'queued' AND attempts = 1 AND due_at IS NOT NULL FROM wa.message WHERE id = $adrift{emptied}", 'one waits for another attempt');
sql("DELETE FROM wa.due WHERE message_id = $adrift{emptied}");
foreach my $kind (sort keys %adrift)
{
	$story = why($adrift{$kind});
	like($story, qr/nobody carries this out: the message is in no queue.*what one can do: wa_retry\($adrift{$kind}\) sends it/s, "$kind: wa_why() names it");
	unlike($story, qr/expires at this time|not before this time/, "$kind: and no time that does not come");
}

# wa_check() counts them, and what is held, without reading the ledger; old ones too
my $count = sub { return sql("SELECT coalesce(sum(substring(what_to_do FROM '^([0-9]+)')::int), 0) FROM wa_check() WHERE item = 'log: messages $_[0]'"); };
sql("UPDATE wa.message SET created_at = created_at - interval '10 days' WHERE id IN ($adrift{queued}, $adrift{emptied})");
sql("SET session_replication_role = replica; UPDATE wa.message SET state = 'held', reason = 'bulk' WHERE id = $failed; RESET session_replication_role");
$adrift{replica} = sql("SET session_replication_role = replica; INSERT INTO wa.message (number, number_source, body, state, created_at) VALUES ('" . number()
	  . "', 'given', 'hanyut', 'queued', now() - interval '10 days') RETURNING id");
$adrift{truncated} = sql("SELECT wa_send_text('" . number() . "', 'hanyut', send_at => now() + interval '1 hour')");
sql("UPDATE wa.message SET created_at = created_at - interval '10 days' WHERE id = $adrift{truncated}; TRUNCATE wa.due");
cmp_ok(sql('SELECT count(*) FROM wa.adrift'), '>=', scalar keys %adrift, 'several are adrift');
is($count->('adrift'), sql('SELECT count(*) FROM wa.adrift'), 'wa_check() counts what is adrift, whoever has left it so');
cmp_ok(sql("SELECT count(*) FROM wa.message WHERE state = 'held'"), '>', 0, 'something is held');
is($count->('held'), sql("SELECT count(*) FROM wa.message WHERE state = 'held'"), 'and what is held');
is(sql("SELECT string_agg(item || ' ' || value, ', ' ORDER BY item) FROM wa_status() WHERE item LIKE 'messages %'"),
	sql("SELECT string_agg('messages ' || state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM wa.message WHERE created_at > now() - interval '24 hours' GROUP BY state) AS t"),
	'wa_status() what was made within a day');
sql("UPDATE wa.message SET state = 'failed', reason = NULL WHERE id = $failed; DELETE FROM wa.message WHERE id IN ($adrift{replica}, $adrift{truncated})");
delete @adrift{qw(replica truncated)};
like(notices("SELECT wa_cancel($adrift{sending})"), qr/^1\|/, 'what claims to be on the wire can be cancelled');
becomes($adrift{sending}, 'unknown', 'it may have arrived');
foreach my $kind (sort keys %adrift)
{
	is(sql("SELECT wa_retry($adrift{$kind})"), '1', "$kind: wa_retry() takes it");
	becomes($adrift{$kind}, 'sent', "$kind: and it is sent");
	is(sql("SELECT count(*) FROM wa.attempt WHERE message_id = $adrift{$kind} AND outcome = 'accepted'"), '1', "$kind: once");
}
is(sql("SELECT string_agg(repeats::text, ' ' ORDER BY state, id) FROM wa.message WHERE id IN ($adrift{sending}, $adrift{unknown})"), '1 1',
	'those that may have arrived before count as repeated');
comes_true('NOT EXISTS (SELECT FROM wa.request)', 'no wish is left');
is($count->('adrift'), '0', 'wa_check() says so');

# Stop for a while, and lose nothing

sql("SELECT wa_configure('cadangan', '" . provider_settings($sim, 'fonnte') . "')");
is(sql('SELECT wa_pause()'), sql('SELECT count(*) FROM wa.provider'), 'wa_pause() without argument means all');
is(sql('SELECT count(*) FROM wa.provider WHERE paused_at IS NULL'), '0', 'all are paused');
my @waiting;
sub change
{
	my ($permit) = @_;
	my $last = sql("SELECT coalesce(max(id), 0) FROM wa.message");

	sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/$permit', issue_date = current_date WHERE id = $permit");
	comes_true("count(*) = 1 FROM wa.message WHERE id > $last AND scenario = 'permit_ready'", "permit $permit is announced");
	return sql("SELECT id FROM wa.message WHERE id > $last AND scenario = 'permit_ready'");
}
push @waiting, change(1);
comes_true("reason = 'no_provider' FROM wa.message WHERE id = $waiting[0]", 'it waits');
my $told = sql('SELECT wa_disarm()');
like($told, qr/^mode observe: only messages by hand go out; messages that wait now: \d+\. Each is skipped \(reason observe\)/,
	'wa_disarm() says what it does to what waits');
like($told, qr/SELECT wa_retry\(reason => 'observe'\) brings back.*SELECT wa_pause\(\)/, 'and what would have been better');
becomes($waiting[0], 'skipped', 'it is skipped');
is(col($waiting[0], 'reason'), 'observe', 'for mode observe');
is(sql('SELECT wa_disarm()'), 'mode observe: only messages by hand go out', 'where nothing waits there is nothing to say');
my $old = sql("INSERT INTO wa.message (scenario, number, number_source, body, state, reason, created_at, expires_at) VALUES ('permit_ready', '"
	  . number() . "', 'given', 'lama', 'skipped', 'observe', now() - interval '20 days', now() - interval '13 days') RETURNING id");
sql("SELECT wa_arm('odoo')");
is(sql('SELECT wa_resume()'), sql('SELECT count(*) FROM wa.provider'), 'wa_resume() without argument means all');
like(notices("SELECT wa_retry('permit_ready')"), qr/^1\|.*of mode observe and too old/s, 'wa_retry() by scenario brings back what was skipped, within its time-to-live');
becomes($waiting[0], 'sent', 'it is sent');
is(col($old, 'state'), 'skipped', 'what is old stays');

$node->stop;
$sim->stop;
done_testing();

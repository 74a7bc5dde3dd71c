# A provider that refuses everybody for a reason that nobody has documented:
# one refusal is final, several recipients in a row are the provider's trouble.
# They wait or go to the next provider, those refused before it was understood
# are not lost, a person is told in the provider's words, and a few wrong
# numbers do not stop the others.  Also a template that Meta has paused, a
# server in front of a provider that cannot reach it, and many providers.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "timezone = 'UTC'");
my $last_number = 0;
my $unknown = 'it refuses everybody for a reason that sicantik_wa does not know';

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub number { return sprintf('62856%08d', ++$last_number); }

sub text
{
	my ($number) = @_;
	$number ||= number();
	return sql("SELECT wa_send_text('$number', 'Yth. Budi')");
}

# Messages by hand to so many new numbers, in one transaction.
sub texts
{
	my ($n) = @_;
	my $first = $last_number + 1;

	$last_number += $n;
	return split /\n/,
	  sql("SELECT wa_send_text('62856' || to_char(n, 'FM00000000'), 'Yth. Budi') FROM generate_series($first, $last_number) AS n");
}

sub col { return sql("SELECT $_[1] FROM wa.message WHERE id = $_[0]"); }

sub provider { return sql("SELECT $_[1] FROM wa.provider WHERE name = '$_[0]'"); }

sub wait_state_of_all
{
	my ($state, @ids) = @_;
	my $list = join ',', @ids;
	return wait_sql($node, 'odoo',
		"SELECT count(*) = " . @ids . " FROM wa.message WHERE id IN ($list) AND state = '$state'");
}

sub refuse_everybody
{
	my ($reason) = @_;
	$sim->fault({ kind => 'fonnte_reason', provider => 'fonnte', reason => $reason, times => undef,
		match => { endpoint => 'send' } });
	return;
}

# Reopen the circuit as soon as it is open.
sub probe_now
{
	my ($provider) = @_;
	return sql("UPDATE wa.provider SET probe_at = now() WHERE name = '$provider' AND state = 'error'");
}

# Until a condition holds, probe again and again.
sub probe_until
{
	my ($provider, $condition) = @_;
	for (my $i = 0; $i < 40; $i++)
	{
		probe_now($provider);
		return 1 if sql("SELECT $condition") eq 't';
		$node->poll_query_until('odoo',
			"SELECT ($condition) OR EXISTS (SELECT FROM wa.provider WHERE name = '$provider' AND state = 'error' AND probe_at > now())");
	}
	return 0;
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
sql("SELECT wa_set('alert_number', '628129990000')");
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");

# One refusal is final, and so is a second one to the same person.
$sim->fault({ kind => 'fonnte_reason', provider => 'fonnte', reason => 'number barred', times => 4 });
my $barred = number();
my @single = map { text($barred) } 1 .. 4;
ok(wait_state_of_all('failed', @single), 'one person refused four times: final each time');
is(col($single[0], 'reason'), 'request', 'as a refusal of the message');
is(provider('fonnte', 'state'), 'configured', 'the provider is not in trouble');
is(sql("SELECT DISTINCT unlisted FROM wa.attempt WHERE message_id = $single[0]"), 'number barred',
	'the ledger keeps the words');

# Different words to different people are different matters.
foreach my $reason ('odd thing', 'another thing', 'third thing')
{
	$sim->fault({ kind => 'fonnte_reason', provider => 'fonnte', reason => $reason });
	ok(wait_state($node, 'odoo', text(), 'failed'), "refused for $reason: final");
}
is(provider('fonnte', 'state'), 'configured', 'three reasons are not one');
ok(wait_state($node, 'odoo', text(), 'sent'), 'and others are sent');

# Everybody: one after the other, as a gateway sends.
sql("UPDATE wa.provider SET max_in_flight = 1 WHERE name = 'fonnte'");
refuse_everybody('device banned');
my @banned = texts(8);
ok(wait_sql($node, 'odoo', "SELECT state FROM wa.provider WHERE name = 'fonnte'", 'error'),
	'eight people refused for the same reason: the circuit opens');
like(provider('fonnte', 'last_error'), qr/^\Q$unknown\E: .*device banned/, 'with the words of the provider');
ok(wait_state_of_all('queued', @banned), 'all eight wait, also those that had failed');
my $tried = scalar($sim->sends) - 8;
ok($tried >= 3 && $tried < 6, 'some of them were tried') or diag($tried);
ok(wait_sql($node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE created_by = 'sicantik_wa' AND body ~ 'device banned'", '1'),
	'somebody is told');
# an alert that goes by the same provider a moment later would be in the way here
sql("SELECT wa_set('alert_number', NULL)");
sql("SELECT wa_cancel(id) FROM wa.message WHERE created_by = 'sicantik_wa'");
ok(wait_sql($node, 'odoo', "SELECT state FROM wa.message WHERE created_by = 'sicantik_wa'", 'cancelled'), '(no alerts for now)');
like(slurp_file($node->logfile), qr/stops using provider "fonnte": \Q$unknown\E/, 'and the log says it');
# one or two: a quick gateway's second and third answer are recorded together
like(slurp_file($node->logfile), qr/tries (?:1 message|2 messages) again/, 'also that the first are tried again');
unlike(sql("SELECT string_agg(concat_ws(' ', w), E'\\n') FROM wa_why($banned[0]) AS w"),
	qr/refused others/, 'the story is told in the language of the office');

# It survives a restart of the worker, and one message at a time finds out
# whether it is over.
$node->restart;
my $before = scalar $sim->sends;
ok(wait_sql($node, 'odoo', "SELECT probe_at > now() FROM wa.provider WHERE name = 'fonnte'", 't'), 'a probe is planned');
probe_now('fonnte');
ok(wait_sql($node, 'odoo', "SELECT state = 'error' AND failed_probes = 0 AND probe_at > now() + interval '20 s'"
			. " AND (SELECT count(*) FROM wa.attempt WHERE unlisted = 'device banned') > 3 FROM wa.provider WHERE name = 'fonnte'"),
	'its test succeeds, its message does not: open again');
is(scalar($sim->sends) - $before, 1, 'after one message');
ok(wait_state_of_all('queued', @banned), 'which waits like the others');

# Mended: all of them are sent.
$sim->clear_faults;
ok(probe_until('fonnte', "(SELECT count(*) FROM wa.message WHERE id IN (" . join(',', @banned) . ") AND state = 'sent') = 8"),
	'mended: all eight are sent');
is(sql("SELECT count(*) FROM wa.message WHERE id IN (" . join(',', @banned) . ") AND attempts > 3"), '0', 'with few attempts');

# Three wrong numbers in a row look the same, but do not stop the others: when
# somebody else is taken, they were refused for themselves.
my @wrong = map { number() } 1 .. 3;
$sim->fault({ kind => 'fonnte_reason', provider => 'fonnte', reason => 'nobody there', times => undef,
	match => { number => $_ } }) foreach @wrong;
my @to_wrong = map { text($_) } @wrong;
ok(wait_sql($node, 'odoo', "SELECT state FROM wa.provider WHERE name = 'fonnte'", 'error'), 'three wrong numbers: open');
my @good = texts(2);
ok(probe_until('fonnte', "(SELECT count(*) FROM wa.message WHERE id IN ($good[0], $good[1]) AND state = 'sent') = 2"),
	'the others are sent');
ok(probe_until('fonnte', "(SELECT count(*) FROM wa.message WHERE id IN (" . join(',', @to_wrong) . ") AND state = 'failed') = 3"),
	'and the three end as refused');
is(sql("SELECT count(DISTINCT reason) || max(reason) FROM wa.message WHERE id IN (" . join(',', @to_wrong) . ')'), '1request',
	'for themselves');
ok(probe_until('fonnte', "(SELECT state = 'configured' FROM wa.provider WHERE name = 'fonnte')"), 'the provider is in use');
$sim->clear_faults;
ok(wait_state($node, 'odoo', text(), 'sent'), 'and sends');

# Many at a time, an HTML page, and another provider to go to.
sql("SELECT wa_configure('watzap', '" . provider_settings($sim, 'watzap') . "')");
sql("SELECT * FROM wa_test_connection('watzap')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 8 WHERE name = 'fonnte'");
$sim->fault({ kind => 'status', provider => 'fonnte', status => 402, content_type => 'text/html',
	body => '<html>Payment Required</html>', times => undef, match => { endpoint => 'send' } });
my @paid = texts(8);
ok(wait_state_of_all('sent', @paid), 'HTTP status 402 for everybody: all are sent');
is(sql("SELECT DISTINCT provider FROM wa.message WHERE id IN (" . join(',', @paid) . ')'), 'watzap', 'by the next provider');
is(provider('fonnte', "state || (last_error ~ '402')"), 'errortrue', 'the first one is in state error');
$sim->clear_faults;
ok(probe_until('fonnte', "(SELECT state = 'configured' FROM wa.provider WHERE name = 'fonnte')"), 'mended');
ok(wait_state($node, 'odoo', text(), 'sent'), 'and in use');

# A server in front that cannot reach the provider: nothing was accepted.
sql("UPDATE wa.provider SET active = false WHERE name = 'watzap'");
foreach my $status (521, 523, 525, 526, 530)
{
	$sim->fault({ kind => 'status', provider => 'fonnte', status => $status, content_type => 'text/html',
		body => '<html>Web server is down</html>' });
	my $id = text();
	ok(wait_sql($node, 'odoo', "SELECT state || ' ' || reason FROM wa.message WHERE id = $id", 'queued unreachable'),
		"HTTP status $status: nobody was reached");
	sql("UPDATE wa.due SET due_at = now() WHERE message_id = $id");
	# which has gone before the next fault is there
	my $other = text();
	ok(wait_state($node, 'odoo', $id, 'sent'), 'sent a moment later');
	ok(wait_state($node, 'odoo', $other, 'sent'), 'and so is what came meanwhile');
	is(sql("SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM wa.attempt WHERE message_id = $id"), 'retry accepted',
		'once');
}

# Meta takes a message and says that its template is paused: the next provider,
# and the mapping is not used any more.
sql("SELECT wa_set('alert_number', '628129990000')");
sql("SELECT wa_configure('meta', '" . provider_settings($sim, 'meta') . "')");
sql("SELECT * FROM wa_test_connection('meta')");
sql("SELECT wa_map_template('permit_ready', 'meta', '{\"name\": \"permit_ready\"}')");
no_pacing($node, 'odoo');
$sim->config({ meta => { templates => { permit_ready => { count => 5, message_status => 'paused' } } } });
my $params = '{"partner_name": "Budi", "permit_type": "SIUP", "permit_number": "1", "issue_date": "01-11-2026", "download_link": "https://x.id/1"}';
my $numbers = number();
sql("INSERT INTO wa.contact (number, opted_in_at) VALUES ('$numbers', now())");
my $id = sql("SELECT wa_send('permit_ready', '$numbers', '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'a paused template: sent all the same');
is(col($id, 'provider'), 'fonnte', 'by the next provider');
is(sql("SELECT string_agg(provider || ' ' || outcome || coalesce(' ' || provider_code, ''), ', ' ORDER BY attempt) FROM wa.attempt WHERE message_id = $id"),
	'meta template paused, fonnte accepted', 'both attempts are told');
is(sql("SELECT status, last_error FROM wa.template_mapping WHERE provider = 'meta'"),
	'error|Meta took the message but does not send it: the template is paused.', 'the mapping is in error, with the reason');
is(provider('meta', 'state'), 'configured', 'the provider is not');
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE created_by = 'sicantik_wa' AND body ~ '\"permit_ready\"'", '1'),
	'somebody is told');
like(sql("SELECT body FROM wa.message WHERE created_by = 'sicantik_wa' AND body ~ '\"permit_ready\"'"),
	qr/template "permit_ready" tidak dipakai lagi dengan penyedia ini: .*dihentikan|template "permit_ready" tidak dipakai lagi/,
	'in his language');
$before = scalar grep { $_->{provider} eq 'meta' } $sim->sends;
$id = sql("SELECT wa_send('permit_ready', '$numbers', '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'the next one is sent');
is(scalar(grep { $_->{provider} eq 'meta' } $sim->sends), $before, 'without asking Meta again');

# Held for a while is taken, and said.
$sim->config({ meta => { templates => { permit_ready => { count => 5, message_status => 'held_for_quality_assessment' } } } });
sql("SELECT wa_map_template('permit_ready', 'meta', '{\"status\": \"configured\"}')");
sql("SELECT wa_set('language', 'en')");
$id = sql("SELECT wa_send('permit_ready', '$numbers', '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'held for quality assessment: sent');
is(col($id, 'provider'), 'meta', 'by Meta');
like(sql("SELECT string_agg(w::text, ' ') FROM wa_why($id) AS w"), qr/holds it until the quality of the template is assessed/,
	'wa_why() says that Meta holds it');

# The hundredth provider is as good as the first.
sql("UPDATE wa.provider SET active = false");
my $settings = decode_json(provider_settings($sim, 'fonnte'));
sql("SELECT wa_configure('p' || n, '" . encode_json({ %$settings, active => JSON::PP::false }) . "') FROM generate_series(1, 100) AS n");
sql("UPDATE wa.provider SET state = 'configured', active = true WHERE name = 'p100'");
no_pacing($node, 'odoo');
$id = sql("SELECT wa_send_text('" . number() . "', 'Yth. Budi', 'p100')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'by the hundredth provider, while the worker lives');

$sim->stop;
$node->stop;
done_testing();

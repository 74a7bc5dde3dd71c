# What the wire and the providers can do to a message, and what becomes of it:
# never sent twice by itself, tried again only when it provably was not
# accepted, explained in every case, and no provider is asked for more than it
# allows.  And the worker's own ends: killed, terminated, in the way of DDL.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use SicantikWa::Test;

my $sim = start_simulator(undef, tls => 1);
my $dead_port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_cluster(
	'main',
	simulator => $sim,
	conf => join("\n",
		"sicantik_wa.allowed_hosts = '"
		  . allowed_hosts($sim)
		  . ",fonnte=127.0.0.1:$dead_port'",
		'sicantik_wa.request_timeout = 1500',
		'sicantik_wa.shutdown_grace = 1000',
		'restart_after_crash = on'));
my $port = $sim->port;

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub col
{
	my ($id, $column) = @_;
	return sql("SELECT $column FROM wa.message WHERE id = $id");
}

# Numbers that no test has used before.
my $last_number = 0;
sub number { return sprintf('62857%08d', ++$last_number); }

# Queue one text and return its id and number.
sub text
{
	my ($provider, $number) = @_;

	$number ||= number();
	return (
		sql("SELECT wa_send_text('$number', 'Halo', '$provider')"),
		$number);
}

sub requests_to
{
	my ($number) = @_;
	return grep { ($_->{to} || '') eq $number } $sim->sends;
}

# Let what waits for a time go now; any new message makes the worker look.
sub hurry
{
	my ($id) = @_;

	sql("UPDATE wa.due SET due_at = now() WHERE message_id = $id");
	my $number = number();
	sql("SELECT wa_send_text('$number', 'x', send_at => now() + interval '1 day')"
	);
	return;
}

# All providers usable again, nothing wrong with them.
sub mend
{
	$sim->reset;
	$sim->config({ meta => { open_windows => 'any' } });
	sql("UPDATE wa.provider SET state = 'configured', last_error = NULL, last_error_at = NULL WHERE name <> 'mati'"
	);
	sql("UPDATE wa.template_mapping SET status = 'configured', last_error = NULL"
	);
	return;
}

# A provider that accepts a message has nothing held against it.
sub works
{
	my ($provider) = @_;
	my ($id) = text($provider);

	ok(wait_state($node, 'odoo', $id, 'sent'), "$provider works");
	return;
}

# The worker forgets waits that a provider has asked for when its circuit is
# closed; it has seen the open one when it plans a probe.
sub reopen
{
	my ($provider) = @_;

	sql("UPDATE wa.provider SET state = 'error', probe_at = NULL WHERE name = '$provider'");
	ok(wait_sql($node, 'odoo', "SELECT probe_at IS NOT NULL FROM wa.provider WHERE name = '$provider'"),
		"$provider: its circuit is open");
	mend();
	works($provider);
	return;
}

# The story of a message in one line.
sub story
{
	my ($id) = @_;

	return sql(
		"SELECT state || coalesce(' ' || reason, '') FROM wa.message WHERE id = $id"
	);
}

sub attempts
{
	my ($id) = @_;

	return sql(
		"SELECT string_agg(outcome || coalesce(' ' || http_status, '') || coalesce(' ' || provider_code, ''), ', ' ORDER BY attempt) FROM wa.attempt WHERE message_id = $id"
	);
}

sub wait_reason
{
	my ($id, $reason) = @_;

	return wait_sql($node, 'odoo',
		"SELECT reason FROM wa.message WHERE id = $id", $reason);
}

sub due_in
{
	my ($id) = @_;

	return sql(
		"SELECT extract(epoch FROM d.due_at - a.finished_at) FROM wa.due d JOIN wa.attempt a USING (message_id) WHERE message_id = $id ORDER BY attempt DESC LIMIT 1"
	);
}

sub between
{
	my ($value, $from, $to, $name) = @_;

	ok($value ne '' && $value >= $from && $value <= $to,
		"$name: between $from and $to s")
	  or diag("it is $value");
	return;
}

sub worker_pid
{
	my ($dbname) = @_;

	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = '$dbname'"
	);
}

# A database that can send.
sub prepare
{
	my ($dbname) = @_;

	load_odoo($node, $dbname);
	$node->safe_psql($dbname, 'CREATE EXTENSION sicantik_wa');
	$node->safe_psql($dbname, 'SELECT * FROM wa_setup()');
	foreach my $kind ('fonnte', 'watzap', 'meta')
	{
		my $settings = provider_settings($sim, $kind);

		$node->safe_psql($dbname,
				"SELECT wa_configure('$kind', '$settings'); "
			  . "SELECT wa_configure('$kind', '{\"state\": \"configured\", \"max_in_flight\": 100}')"
		);
	}
	no_pacing($node, $dbname);
	return;
}

prepare('odoo');
sql("SELECT wa_map_template('permit_ready', 'meta', '{\"name\": \"permit_ready\"}')"
);
sql("INSERT INTO wa.contact (number, opted_in_at, last_inbound_at) SELECT '62857' || to_char(n, 'FM00000000'), now(), now() FROM generate_series(1, 2000) AS n"
);
mend();

# No POST is repeated

my ($id, $number) = text('fonnte');
ok(wait_state($node, 'odoo', $id, 'sent'), 'a first message is sent');
foreach my $provider ('fonnte', 'watzap', 'meta')
{
	($id) = text($provider);
	ok(wait_state($node, 'odoo', $id, 'sent'), "$provider: connection open");
	my $fault = $sim->fault(
		{
			kind => 'cut_after_read', provider => $provider,
			match => { reused => JSON::PP::true } });
	($id, $number) = text($provider);
	ok(wait_state($node, 'odoo', $id, 'unknown'),
		"$provider reads and cuts a reused connection: unknown");
	is($sim->fired($fault), 1, "$provider: the connection was a reused one");
	is(story($id), 'unknown no_answer', "$provider: the reason");
	is(attempts($id), 'unknown no_answer', "$provider: the attempt");
	like(
		col($id, 'detail'),
		qr/no answer came, the provider may have accepted it/,
		"$provider: in words");
	my ($after) = text($provider);
	ok(wait_state($node, 'odoo', $after, 'sent'),
		"$provider: a later message is sent");
	is(scalar requests_to($number), 1, "$provider: exactly one request");
}
$sim->fault({ kind => 'cut_after_read', provider => 'fonnte', rst => JSON::PP::true });
($id, $number) = text('fonnte');
ok(wait_state($node, 'odoo', $id, 'unknown'), 'read and reset: unknown');
is(scalar requests_to($number), 1, 'exactly one request');
$sim->fault({ kind => 'half_head', provider => 'fonnte' });
($id, $number) = text('fonnte');
ok(wait_state($node, 'odoo', $id, 'unknown'), 'half an answer: unknown');
is(scalar requests_to($number), 1, 'exactly one request');

# A person may try an unknown one again, and the ledger shows it.
is(sql("SELECT wa_retry($id)"), '1', 'wa_retry() of an unknown message');
ok(wait_state($node, 'odoo', $id, 'sent'), 'sends it');
is(scalar requests_to($number), 2, 'a second time');
is(attempts($id), 'unknown 200, accepted 200', 'both attempts are told');

# Cut before the body was read: whether it goes again depends on what had
# left, but the ledger tells the truth.
foreach my $n (1 .. 4)
{
	$sim->fault({ kind => 'cut_before_read', provider => 'fonnte',
			rst => $n % 2 ? JSON::PP::true : JSON::PP::false });
	($id, $number) = text('fonnte');
	ok(wait_sql($node, 'odoo',
			"SELECT state IN ('sent', 'unknown') OR reason = 'unreachable' FROM wa.message WHERE id = $id"),
		"cut before reading, $n: it has ended");
	is( scalar(grep { $_->{accepted} } requests_to($number)),
		col($id, 'state') eq 'sent' ? 1 : 0,
		"cut before reading, $n: the ledger is right");
	sql("SELECT wa_cancel($id)");
}
works('fonnte');

# Nobody there

sql("SELECT wa_configure('mati', '{\"kind\": \"fonnte\", \"base_url\": \"http://127.0.0.1:$dead_port\", \"token\": \"FONNTEDEMOTOKEN\", \"state\": \"configured\", \"sequence\": 90, \"min_gap\": 0, \"gap_jitter\": 0}')"
);
($id, $number) = text('mati');
ok(wait_reason($id, 'unreachable'), 'connection refused: tried again later');
is(col($id, 'state'), 'queued', 'it is queued');
is(attempts($id), 'retry not_sent', 'the attempt says that nothing was sent');
like(col($id, 'detail'), qr/the request was not sent: .+/, 'and why');
unlike(col($id, 'detail'), qr/FONNTEDEMOTOKEN|127\.0\.0\.1:\d+\/send/,
	'without secrets');
between(due_in($id), 3.9, 7, 'first step of the backoff');
hurry($id);
ok( wait_sql(
		$node, 'odoo', "SELECT attempts, state FROM wa.message WHERE id = $id",
		'2|queued'),
	'a second attempt');
between(due_in($id), 7.9, 14, 'second step of the backoff');

# A provider that cannot be reached does not use up a message's attempts.
sql("UPDATE wa.message SET attempts = 20, backoffs = 20 WHERE id = $id");
hurry($id);
ok( wait_sql(
		$node, 'odoo', "SELECT attempts, state FROM wa.message WHERE id = $id",
		'21|queued'),
	'it goes on until the time-to-live ends');
my ($late) = text('mati');
ok(wait_reason($late, 'unreachable'), 'another one');
sql("UPDATE wa.provider SET base_url = 'http://127.0.0.1:$port' WHERE name = 'mati'"
);
hurry($id);
ok(wait_state($node, 'odoo', $id, 'sent'), 'then it is sent');
is(scalar requests_to($number), 1, 'once');
sql("UPDATE wa.message SET expires_at = now() - interval '1 s' WHERE id = $late"
);
hurry($late);
ok(wait_state($node, 'odoo', $late, 'expired'),
	'one whose time-to-live is over expires');
is(story($late), 'expired time_to_live', 'with its reason');
is(col($late, 'attempts'), '1', 'and is not sent');
sql("UPDATE wa.provider SET state = 'error' WHERE name = 'mati'");
$id = sql(
	"BEGIN; SELECT wa_send_text('6285799990000', 'x', 'mati'); UPDATE wa.message SET expires_at = now() + interval '1 s' WHERE number = '6285799990000'; COMMIT"
);
ok(wait_state($node, 'odoo', $id, 'expired'),
	'one without provider expires in time');
is(sql('SELECT count(*) FROM wa.ready'), '0', 'no work is left');

# No answer in time

my $fault = $sim->fault({ kind => 'hang', provider => 'fonnte' });
($id, $number) = text('fonnte');
ok(wait_state($node, 'odoo', $id, 'unknown'), 'no answer in time: unknown');
is(scalar requests_to($number), 1, 'exactly one request');
between(
	sql("SELECT extract(epoch FROM finished_at - started_at) FROM wa.attempt WHERE message_id = $id"
	),
	1.4, 10, 'request_timeout');
$sim->fault({ kind => 'drip', provider => 'fonnte', ms => 40 });
($id, $number) = text('fonnte');
ok(wait_state($node, 'odoo', $id, 'unknown'), 'an answer in drops: unknown');
is(scalar requests_to($number), 1, 'exactly one request');
$sim->fault({ kind => 'drip', provider => 'fonnte', ms => 0 });
($id, $number) = text('fonnte');
ok(wait_state($node, 'odoo', $id, 'sent'), 'small drops in time: sent');

# Rubbish

foreach my $case (
	[ 'garbage', {}, 'unknown' ],
	[ 'invalid_utf8', {}, 'unknown' ],
	[ 'nul', {}, 'unknown' ],
	[ 'empty', {}, 'unknown' ],
	[ 'huge', { megabytes => 2 }, 'unknown' ],
	[ 'truncated', {}, 'unknown' ],
	[ 'overrun', {}, 'sent' ],
	[ 'close_after', {}, 'sent' ],
	[ 'redirect', { location => "http://127.0.0.1:$port/send", status => 307 },
		'unknown' ],
	[ 'status', { status => 503, body => '<html>busy</html>',
			content_type => 'text/html' }, 'unknown' ],
	[ 'status', { status => 410, body => 'nothing here' }, 'failed' ],
	[ 'status', { status => 400, body => '{"status":false,"reason":"input invalid"}' },
		'failed' ])
{
	my ($kind, $more, $state) = @$case;
	my $name = "$kind " . ($more->{status} || '');
	my $after;

	$sim->fault({ kind => $kind, provider => 'fonnte', %$more });
	($id, $number) = text('fonnte');
	ok(wait_state($node, 'odoo', $id, $state), "$name: $state");
	is(scalar requests_to($number), 1, "$name: exactly one request");
	is( sql(
			"SELECT count(*), bool_and(response <> '' AND length(response) <= 2000), bool_and(http_status IS NOT NULL) FROM wa.attempt WHERE message_id = $id"
		),
		'1|t|t',
		"$name: the attempt keeps what came");
	isnt(col($id, 'coalesce(detail, state)'), '', "$name: in words");
	($after) = text('fonnte');
	ok(wait_state($node, 'odoo', $after, 'sent'), "$name: the next one is sent");
}

# What Meta answers

foreach my $case (
	[ 131000, 'queued retry', 'retry 500 131000', 23, 40 ],
	[ 131016, 'queued retry', 'retry 503 131016', 23, 40 ],
	[ 131056, 'queued throttled', 'throttle 429 131056', 0.9, 3 ],
	[ 131026, 'failed recipient', 'recipient 400 131026' ],
	[ 131050, 'failed policy', 'policy 400 131050' ],
	[ 131047, 'failed policy', 'policy 429 131047' ],
	[ 130472, 'failed policy', 'policy 400 130472' ],
	[ 131008, 'failed request', 'caller 400 131008' ],
	[ 100, 'failed request', 'caller 400 100' ],
	[ 777777, 'failed request', 'caller 400 777777' ],
	[ 131057, 'queued retry', 'retry 503 131057', 89, 95 ])
{
	my ($error, $story, $attempt, $from, $to) = @$case;

	$sim->fault({ kind => 'meta_error', provider => 'meta', code => $error });
	($id, $number) = text('meta');
	ok( wait_sql(
			$node, 'odoo',
			"SELECT state || ' ' || reason FROM wa.message WHERE id = $id",
			$story),
		"Meta $error: $story");
	is(attempts($id), $attempt, "Meta $error: the attempt");
	between(due_in($id), $from, $to, "Meta $error: the wait") if defined $from;
	isnt(col($id, 'detail'), '', "Meta $error: in words");
	sql("SELECT wa_cancel($id)");
	is( sql(
			"SELECT concat(marketing_out_at IS NOT NULL, ' ', opted_out_at IS NOT NULL) FROM wa.contact WHERE number = '$number'"
		),
		$error == 131050 ? 't f' : 'f f',
		"Meta $error: consent");
}

reopen('meta');			# it asked for 90 seconds of peace

# Trouble of the provider: it is stopped, another takes over.
$sim->fault({ kind => 'meta_error', provider => 'meta', code => 190, times => undef });
$number = number();
my $params =
  '{"partner_name": "Ani", "permit_type": "SIUP", "permit_number": "1", "issue_date": "01-02-2026", "download_link": "https://x.example/1"}';
$id = sql("SELECT wa_send('permit_ready', '$number', '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'Meta 190: sent all the same');
is(attempts($id), 'provider 401 190, accepted 200', 'both attempts are told');
is(join(' ', map { $_->{provider} } requests_to($number)),
	'meta fonnte', 'another provider has taken over');
is(sql("SELECT state, last_error ~ 'access token', last_error_at IS NOT NULL FROM wa.provider WHERE name = 'meta'"),
	'error|t|t', 'the provider is in state error, with its reason');
like(slurp_file($node->logfile),
	qr/WARNING:  sicantik_wa stops using provider "meta"/,
	'and the log says so');
mend();

# Trouble of the template: the mapping is stopped, not the provider.
$sim->fault({ kind => 'meta_error', provider => 'meta', code => 132001, times => undef });
sql("UPDATE wa.contact SET last_inbound_at = NULL");
$number = number();
$id = sql("SELECT wa_send('permit_ready', '$number', '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'Meta 132001: sent all the same');
is(attempts($id), 'template 400 132001, accepted 200', 'both attempts are told');
is(sql("SELECT status, last_error <> '' FROM wa.template_mapping WHERE provider = 'meta'"),
	'error|t', 'the mapping is in state error');
is(sql("SELECT state FROM wa.provider WHERE name = 'meta'"),
	'configured', 'the provider is not');
mend();
sql("UPDATE wa.contact SET last_inbound_at = now()");

# After trouble was noted nothing else is given to that provider: of a queue
# of ten the first finds out.
$sim->config({ fonnte => { tokens => ['ANOTHER'] } });
sql("UPDATE wa.provider SET active = false WHERE name = 'meta'");
sql("UPDATE wa.provider SET max_in_flight = 1 WHERE name = 'fonnte'");
my $first = $last_number + 1;
sql("SELECT wa_send_text('62857' || to_char(n, 'FM00000000'), 'Halo') FROM generate_series($first, $first + 9) AS n"
);
$last_number += 10;
ok( wait_sql(
		$node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE state = 'sent' AND provider = 'watzap' AND number >= '62857'||to_char($first, 'FM00000000')",
		'10'),
	'Fonnte, token invalid: Watzap takes over');
# an answer that comes while the next one is chosen is noted behind that
cmp_ok(
	scalar(grep { $_->{provider} eq 'fonnte' && $_->{to} ge sprintf('62857%08d', $first) } $sim->sends),
	'<=', 2, 'one request has found it out');
is(sql("SELECT state, last_error ~ 'token' FROM wa.provider WHERE name = 'fonnte'"),
	'error|t', 'the provider is in state error');
sql("UPDATE wa.provider SET max_in_flight = 100, active = true");
mend();

foreach my $case (
	[ fonnte => { connected => JSON::PP::false }, qr/not connected/ ],
	[ fonnte => { quota => 0 }, qr/quota/ ],
	[ watzap => { number_keys => ['ANOTHER'] }, qr/number key/ ],
	[ watzap => { connected => JSON::PP::false }, qr/not paired/ ])
{
	my ($provider, $config, $words) = @$case;
	my $name = "$provider " . join(' ', keys %$config);

	$sim->config({ $provider => $config });
	($id, $number) = text($provider);
	ok(wait_sql($node, 'odoo',
			"SELECT state FROM wa.provider WHERE name = '$provider'", 'error'),
		"$name: the provider is stopped");
	like(sql("SELECT last_error FROM wa.provider WHERE name = '$provider'"),
		$words, "$name: and why");
	like(attempts($id), qr/^provider 200 /, "$name: refused with HTTP 200");
	ok(wait_reason($id, 'no_provider'),
		"$name: a message for this provider only waits");
	mend();
	ok(wait_state($node, 'odoo', $id, 'sent'), "$name: until it is mended");
}
$sim->fault({ kind => 'watzap_status', provider => 'watzap', status => '1005' });
($id, $number) = text('watzap');
ok(wait_reason($id, 'retry'), 'Watzap 1005: tried again');
between(due_in($id), 59, 65, 'Watzap 1005: in a minute');
$sim->fault({ kind => 'watzap_status', provider => 'watzap', status => '1005' });
hurry($id);
ok(wait_state($node, 'odoo', $id, 'failed'), 'Watzap 1005: but once');
is(story($id), 'failed retries_exhausted', 'with its reason');
like(col($id, 'detail'), qr/fatal error/, 'in words');

# Exhausted retries of Meta
works('meta');
$sim->fault({ kind => 'meta_error', provider => 'meta', code => 131000, times => 2 });
($id, $number) = text('meta');
ok(wait_reason($id, 'retry'), 'Meta 131000: tried again');
sql("UPDATE wa.message SET attempts = 7, backoffs = 7 WHERE id = $id");
hurry($id);
ok(wait_state($node, 'odoo', $id, 'failed'), 'Meta 131000: for the last time');
is(story($id), 'failed retries_exhausted', 'with its reason');

# Throttled

foreach my $provider ('fonnte', 'meta')
{
	$sim->fault({ kind => 'too_many', provider => $provider, retry_after => 1 });
	($id, $number) = text($provider);
	ok(wait_reason($id, 'throttled'), "$provider, 429: throttled");
	between(due_in($id), 0.9, 3, "$provider, 429: Retry-After is honored");
	my ($other, $other_number) = text($provider);
	ok(wait_state($node, 'odoo', $_, 'sent'), "$provider, 429: sent later")
	  foreach ($id, $other);
	my @times = map { $_->{time} } requests_to($number), requests_to($other_number);
	is(scalar @times, 3, "$provider, 429: two and one requests");
	between($times[1] - $times[0], 0.95, 20, "$provider, 429: its pause");
	between($times[2] - $times[0], 0.95, 20,
		"$provider, 429: nobody else goes meanwhile");
}

# TLS

my %tls = (
	right => [ 'localhost', $sim->tls_port ],
	address => [ '127.0.0.1', $sim->tls_port ],
	name => [ 'localhost', $sim->bad_tls_port ],
	issuer => [ 'localhost', $sim->bad_ca_port ]);
foreach my $case (sort keys %tls)
{
	my ($host, $tls_port) = @{ $tls{$case} };

	sql("UPDATE wa.provider SET base_url = 'https://$host:$tls_port', state = 'configured' WHERE name = 'fonnte'"
	);
	($id, $number) = text('fonnte');
	if ($case eq 'right' || $case eq 'address')
	{
		ok(wait_state($node, 'odoo', $id, 'sent'), "TLS, $case: sent");
		is(join(' ', map { $_->{tls} ? 1 : 0 } requests_to($number)),
			'1', "TLS, $case: by TLS");
		next;
	}
	ok(wait_reason($id, 'unreachable'), "TLS, wrong $case: the message waits");
	is(attempts($id), 'retry tls', "TLS, wrong $case: nothing was sent");
	like(col($id, 'detail'), qr/certificate/i, "TLS, wrong $case: and why");
	is(scalar requests_to($number), 0, "TLS, wrong $case: no request");
	is(sql("SELECT ok, state FROM wa_test_connection('fonnte')"),
		'f|error', "TLS, wrong $case: wa_test_connection()");
	sql("UPDATE wa.provider SET base_url = 'https://localhost:$tls{right}[1]', state = 'configured' WHERE name = 'fonnte'"
	);
	hurry($id);
	ok(wait_state($node, 'odoo', $id, 'sent'),
		"TLS, wrong $case: sent with the right one");
}

# Another authority, told to a running worker by a reload
$node->safe_psql('postgres',
	"ALTER SYSTEM SET sicantik_wa.ca_file = '" . $sim->dir . "/other_ca.pem'");
$node->reload;
sql("UPDATE wa.provider SET base_url = 'https://localhost:$tls{issuer}[1]' WHERE name = 'fonnte'"
);
($id, $number) = text('fonnte');
ok(wait_state($node, 'odoo', $id, 'sent'), 'ca_file takes effect by a reload');
is(scalar requests_to($number), 1, 'one request');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET sicantik_wa.ca_file');
$node->reload;
($id, $number) = text('fonnte');
ok(wait_reason($id, 'unreachable'), 'and back');
is(attempts($id), 'retry tls', 'nothing was sent');
sql("SELECT wa_cancel($id)");
sql("UPDATE wa.provider SET base_url = 'http://127.0.0.1:$port' WHERE name = 'fonnte'"
);

# One provider hangs, with hundreds of messages behind it.

$node->safe_psql('postgres',
	'ALTER SYSTEM SET sicantik_wa.request_timeout = 60000');
$node->reload;
sql("UPDATE wa.provider SET max_in_flight = 3 WHERE name = 'fonnte'");
my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', times => undef });
my $seq = (sort { $b <=> $a } map { $_->{seq} } $sim->journal)[0];
$first = $last_number + 1;
sql("SELECT wa_send_text('62857' || to_char(n, 'FM00000000'), 'Halo', 'fonnte') FROM generate_series($first, $first + 599) AS n"
);
$last_number += 600;
ok($sim->wait_for_sends(3, provider => 'fonnte', since => $seq),
	'as many as max_in_flight are on the wire');
($id) = text('watzap');
ok(wait_state($node, 'odoo', $id, 'sent'),
	'a hanging provider does not stall another');
is(sql("SELECT count(*) FROM wa.message WHERE state = 'sending'"),
	'3', 'no more than max_in_flight are claimed');
is(scalar(grep { $_->{seq} > $seq } $sim->sends('fonnte')),
	3, 'nor on the wire');
sql("UPDATE wa.provider SET max_in_flight = 100 WHERE name = 'fonnte'");
ok($sim->wait_for_sends(100, provider => 'fonnte', since => $seq),
	'a larger max_in_flight takes effect at once');
$sim->release($hold);
ok( wait_sql(
		$node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE state = 'sent' AND number >= '62857'||to_char($first, 'FM00000000') AND provider = 'fonnte'",
		'600'),
	'all are sent');
my %count;
$count{ $_->{to} }++ foreach grep { $_->{seq} > $seq } $sim->accepted('fonnte');
is(scalar(keys %count), 600, 'each of them');
is(scalar(grep { $_ != 1 } values %count), 0, 'once');
mend();

# Two to one number are never on the wire at once, whatever the provider,
# and go in their order.

$number = number();
$hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => $number } });
my ($one) = text('fonnte', $number);
ok($sim->wait_for_sends(1, to => $number), 'one to a number is on the wire');
my ($two) = text('watzap', $number);
my ($three) = text('fonnte', $number);
my ($other) = text('watzap');
ok(wait_state($node, 'odoo', $other, 'sent'), 'one to another number passes');
is(scalar requests_to($number), 1, 'a second to the same number waits');
$sim->release($hold);
ok(wait_state($node, 'odoo', $_, 'sent'), 'all go') foreach ($one, $two, $three);
is(join(' ', map { $_->{provider} } requests_to($number)),
	'fonnte watzap fonnte', 'in their order');

# Pacing

sub pace
{
	my ($set, $n, $one_number) = @_;
	my $from = $last_number + 1;

	sql("UPDATE wa.provider SET $set WHERE name = 'fonnte'");
	sql("SELECT wa_send_text('62857' || to_char("
		  . ($one_number ? $from : 'n')
		  . ", 'FM00000000'), 'Halo', 'fonnte') FROM generate_series($from, $from + $n - 1) AS n"
	);
	$last_number += $n;
	ok( wait_sql(
			$node, 'odoo',
			"SELECT count(*) FROM wa.message WHERE state = 'sent' AND number >= '62857'||to_char($from, 'FM00000000')",
			$n),
		"$set: all are sent");
	no_pacing($node, 'odoo');
	sql("UPDATE wa.provider SET max_in_flight = 100 WHERE name = 'fonnte'");
	# when they went on the wire: a simulator that gets no time sees them closer together
	my @times = split /\n/, sql("SELECT extract(epoch FROM a.started_at) FROM wa.attempt AS a JOIN wa.message AS m ON m.id = a.message_id"
		  . " WHERE m.number >= '62857' || to_char($from, 'FM00000000') ORDER BY 1");
	my @arrived = sort { $a <=> $b } map { $_->{time} } grep { $_->{to} ge sprintf('62857%08d', $from) } $sim->sends;
	is(scalar(grep { $arrived[$_] < $times[$_] - 0.01 } 0 .. $#arrived) . ' ' . @arrived, '0 ' . @times, "$set: none came before it went");
	return @times;
}

sub least_gap
{
	my ($step, @times) = @_;
	my $least = 1e9;

	for my $i ($step .. $#times)
	{
		my $gap = $times[$i] - $times[ $i - $step ];
		$least = $gap if $gap < $least;
	}
	return $least;
}

between(least_gap(1, pace("min_gap = '200 ms'", 5)), 0.15, 5, 'min_gap');
between(
	least_gap(1, pace("min_gap = '200 ms', gap_jitter = '100 ms'", 6)),
	0.06, 5, 'gap_jitter');
between(least_gap(1, pace("recipient_gap = '200 ms'", 4, 1)),
	0.15, 5, 'recipient_gap');
$sim->fault({ kind => 'delay', provider => 'fonnte', ms => 100, times => 8 });
between(least_gap(2, pace('max_in_flight = 2', 8)), 0.09, 5,
	'max_in_flight');
{
	# at most a second's worth at once, then at the rate
	my @times = pace('rate_per_second = 10', 20);
	between($times[-1] - $times[0], 0.85, 10, 'rate_per_second');
	between(least_gap(11, @times), 0.05, 10, 'rate_per_second, eleven');
}
my $today = sql(
	"SELECT count(*) FROM wa.attempt WHERE provider = 'fonnte' AND outcome IN ('accepted', 'unknown')"
);
sql("UPDATE wa.provider SET daily_cap = $today + 2 WHERE name = 'fonnte'");
my @capped = map { (text('fonnte'))[0] } (1 .. 4);
my $ids = join(',', @capped);
ok( wait_sql(
		$node, 'odoo',
		"SELECT string_agg(coalesce(reason, state), ' ' ORDER BY id) FROM wa.message WHERE id IN ($ids)",
		'sent sent no_provider no_provider'),
	'daily_cap: what is over it waits');
like(col($capped[3], 'detail'), qr/daily cap is reached/, 'daily_cap: and why');
($id) = (sql("SELECT wa_send_text('" . number() . "', 'Halo')"));
ok(wait_state($node, 'odoo', $id, 'sent'), 'daily_cap: without demand');
isnt(col($id, 'provider'), 'fonnte', 'daily_cap: another provider takes it');

# What an earlier worker has sent counts.
my $pid = worker_pid('odoo');
$node->safe_psql('postgres', 'ALTER SYSTEM SET sicantik_wa.enabled = off');
$node->reload;
ok(wait_sql($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", '0'),
	'the worker leaves');
$node->safe_psql('postgres', 'ALTER SYSTEM SET sicantik_wa.enabled = on');
$node->reload;
ok(wait_sql($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo'",
		'1'),
	'and comes back');
($id) = text('fonnte');
ok(wait_reason($id, 'no_provider'), 'daily_cap: a new worker knows it');
no_pacing($node, 'odoo');
ok(wait_state($node, 'odoo', $_, 'sent'), 'daily_cap: raised, they go')
  foreach (@capped, $id);

# The worker is ended with requests in flight

mend();
$sim->fault({ kind => 'hold', provider => 'fonnte' });
$hold = $sim->fault({ kind => 'hold', provider => 'watzap' });
my ($never, $never_number) = text('fonnte');
my ($soon, $soon_number) = text('watzap');
ok($sim->wait_for_sends(1, to => $_), 'on the wire')
  foreach ($never_number, $soon_number);
$pid = worker_pid('odoo');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$sim->release($hold);
ok(wait_sql($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", '0'),
	'pg_terminate_backend(): the worker ends');
is(col($soon, 'state'), 'sent', 'what was answered in the grace is recorded');
is(story($never), 'unknown interrupted', 'the rest is unknown');
is(attempts($never), 'unknown interrupted', 'with an attempt');
is(scalar requests_to($_), 1, 'exactly one request')
  foreach ($never_number, $soon_number);
is(sql('SELECT count(*) FROM wa.ready'), '0', 'nothing is left as claimed');

# A fast shutdown with fifty in flight

$node->restart;
mend();
$seq = (sort { $b <=> $a } map { $_->{seq} } $sim->journal)[0];
$sim->fault({ kind => 'hold', provider => 'fonnte', times => undef });
$first = $last_number + 1;
sql("SELECT wa_send_text('62857' || to_char(n, 'FM00000000'), 'Halo', 'fonnte') FROM generate_series($first, $first + 49) AS n"
);
$last_number += 50;
ok($sim->wait_for_sends(50, provider => 'fonnte', since => $seq),
	'fifty are on the wire');
my $begun = time();
$node->stop('fast');
# (for a minute, sicantik_wa.request_timeout)
cmp_ok(time() - $begun, '<', 30, 'a fast shutdown does not wait for them');
$sim->reset;
$node->start;
is( sql(
		"SELECT count(*) FROM wa.message WHERE state = 'unknown' AND number >= '62857'||to_char($first, 'FM00000000')"
	),
	'50',
	'all are unknown');
is( sql(
		"SELECT count(*) FROM wa.attempt a JOIN wa.message m ON m.id = a.message_id WHERE a.outcome = 'unknown' AND number >= '62857'||to_char($first, 'FM00000000')"
	),
	'50',
	'each with an attempt');
mend();
($id) = text('watzap');
ok(wait_state($node, 'odoo', $id, 'sent'), 'a later message is sent');
is(scalar(grep { $_->{seq} > $seq } $sim->sends('fonnte')),
	50, 'none was sent again');

# Killed

$sim->fault({ kind => 'hold', provider => 'fonnte' });
($id, $number) = text('fonnte');
ok($sim->wait_for_sends(1, to => $number), 'one is on the wire');
$pid = worker_pid('odoo');
my $offset = -s $node->logfile;
kill 'KILL', $pid;
ok($node->wait_for_log(qr/sicantik_wa launcher started/, $offset),
	'the worker is killed, the server recovers');
is(col($id, 'state'), 'sending', 'the claim was durable before the request');
$sim->clear_faults;

# ...without the moment that workers wait after a crash
$node->restart;
ok(wait_state($node, 'odoo', $id, 'unknown'),
	'its successor does not know what became of the message');
is(story($id), 'unknown interrupted', 'and says so');
is( sql(
		"SELECT outcome, provider, provider_code, started_at <= finished_at, response ~ 'may have accepted' FROM wa.attempt WHERE message_id = $id"
	),
	'unknown|fonnte|interrupted|t|t',
	'with an attempt');
my ($after) = text('fonnte');
ok(wait_state($node, 'odoo', $after, 'sent'), 'a later message is sent');
is(scalar requests_to($number), 1, 'exactly one request');
is( sql("SELECT count(*) FROM wa.message WHERE state = 'sending'")
	  . sql('SELECT count(*) FROM wa.ready'),
	'00',
	'nothing is left as sending');

# DDL with requests in flight

foreach my $case (
	[ 'DROP EXTENSION', 'odoo_a', 'DROP EXTENSION sicantik_wa CASCADE' ],
	[ 'RENAME', 'odoo_b', 'ALTER DATABASE odoo_b RENAME TO odoo_renamed' ],
	[ 'DROP DATABASE', 'odoo_c', 'DROP DATABASE odoo_c' ])
{
	my ($name, $dbname, $statement) = @$case;

	prepare($dbname);
	$number = number();
	$hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => $number } });
	$id = $node->safe_psql($dbname,
		"SELECT wa_send_text('$number', 'Halo', 'fonnte')");
	ok($sim->wait_for_sends(1, to => $number), "$name: on the wire");
	$begun = time();
	my ($code, $out, $err) =
	  $node->psql($name eq 'DROP EXTENSION' ? $dbname : 'postgres', $statement);
	is($code, 0, "$name with a request in flight") or diag($err);
	cmp_ok(time() - $begun, '<', 30, "$name: before the request is over");
	$sim->release($hold);
	is(scalar requests_to($number), 1, "$name: exactly one request");
	is( $node->safe_psql('odoo_renamed',
			"SELECT state, reason FROM wa.message WHERE id = $id"),
		'unknown|interrupted',
		"$name: the message is unknown")
	  if $name eq 'RENAME';
}

# a background process has no application name in its log lines
unlike(slurp_file($node->logfile), qr/\[\d+\] (?:ERROR|PANIC):/,
	'no worker had an error of its own');
$node->stop('fast');
done_testing();

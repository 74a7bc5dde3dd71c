# From a change in Odoo, or a call of wa_send(), to the request that the
# provider reads and the story that the ledger tells: routing with reasons,
# requests of each provider, what people do by hand, settings that take effect
# at once, and credentials that show up nowhere.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $secrets = PostgreSQL::Test::Utils::tempdir('secrets');
my $node = new_cluster(
	'main',
	simulator => $sim,
	conf => join("\n",
		"sicantik_wa.secrets_directory = '$secrets'",
		"log_line_prefix = '%m [%p] %q%a '",
		'track_activity_query_size = 16384'));

# Credentials that occur nowhere else, so that a leak can be searched for.
my %secret = (
	fonnte => 'FONNTEhushhush1',
	meta => 'EAAhushhush2',
	api => 'WATZAPhushhush3',
	number => 'WATZAPhushhush4');
my $leak = qr/hushhush/;

$sim->config({
	fonnte => { tokens => [ $secret{fonnte} ] },
	meta => { tokens => [ $secret{meta} ] },
	watzap => {
		api_keys => [ $secret{api} ],
		number_keys => [ $secret{number} ] }});

sub sql { return $node->safe_psql('odoo', $_[0]); }

# Column of a message.
sub col
{
	my ($id, $column) = @_;
	return sql("SELECT $column FROM wa.message WHERE id = $id");
}

# Queue one message and return its id.
sub call
{
	my ($expression) = @_;
	return sql("SELECT $expression");
}

# The one request that was sent to a number since the last look.
my $seen = 0;

sub only_send
{
	my ($name) = @_;
	my @new = grep { $_->{seq} > $seen } $sim->sends;

	is(scalar @new, 1, $name);
	$seen = $new[-1]{seq} if @new;
	return $new[0] || {};
}

sub no_send
{
	my ($name) = @_;
	my @new = grep { $_->{seq} > $seen } $sim->sends;

	is(scalar @new, 0, $name);
	return;
}

# name=value&name=value
sub form
{
	my ($body) = @_;
	my %fields;

	foreach my $pair (split /&/, $body)
	{
		my ($name, $value) = split /=/, $pair, 2;

		$value =~ tr/+/ /;
		$value =~ s/%([0-9A-Fa-f]{2})/chr(hex($1))/ge;
		utf8::decode($value);
		$fields{$name} = $value;
	}
	return \%fields;
}

sub provider_state
{
	my ($name, $state) = @_;
	return sql("UPDATE wa.provider SET state = '$state' WHERE name = '$name'");
}

# The way from nothing to a provider, by SQL alone

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
mkdir "$secrets/odoo" or die $!;
append_to_file("$secrets/odoo/fonnte.token", "$secret{fonnte}\n");
append_to_file("$secrets/odoo/watzap.key", $secret{api});
append_to_file("$secrets/odoo/meta.token", $secret{meta});
chmod 0600, glob("$secrets/odoo/*");

# From here on each statement is logged, but for those that hold a token:
# with files there is none.
$node->safe_psql('postgres', "ALTER SYSTEM SET log_statement = 'all'");
$node->safe_psql('postgres', 'ALTER SYSTEM SET log_min_duration_statement = 0');
$node->reload;

my $id = call("wa_send_text('0812-9999-0001', 'Yth. Budi')");
ok( wait_sql(
		$node, 'odoo',
		"SELECT state, reason FROM wa.message WHERE id = $id",
		'queued|no_provider'),
	'without a provider a message waits');
like(col($id, 'detail'),
	qr/not fonnte: its base_url may not be used: https:.*allowed_hosts/,
	'and says why');
is(call("wa_result($id) ->> 'success'"), '', 'success is not known yet');

my $port = $sim->port;
my $configured = call(
	"wa_configure('fonnte', '{\"base_url\": \"http://127.0.0.1:$port\", \"token_file\": \"fonnte.token\"}')"
);
unlike($configured, $leak, 'wa_configure() masks the token');
no_send('a provider that was not tested sends nothing');
is(sql("SELECT ok, state FROM wa_test_connection('fonnte')"),
	't|configured', 'wa_test_connection()');
ok(wait_state($node, 'odoo', $id, 'sent'),
	'the message goes as soon as a provider can be used');
my $entry = only_send('one request');

# Fonnte's request

is($entry->{method}, 'POST', 'Fonnte: method');
is($entry->{path}, '/send', 'Fonnte: path');
is($entry->{headers}{authorization}, $secret{fonnte},
	'Fonnte: the token from the file, without a scheme');
like($entry->{headers}{'content-type'},
	qr{^application/x-www-form-urlencoded}, 'Fonnte: a form');
is_deeply(
	form($entry->{body}),
	{
		target => '6281299990001',
		message => 'Yth. Budi',
		countryCode => '62',
		connectOnly => 'true',
		preview => 'false' },
	'Fonnte: the fields');
is( sql(
		"SELECT state, provider, attempts, sent_at IS NOT NULL, finished_at IS NOT NULL, provider_message_id, reason, number, number_source, created_by FROM wa.message WHERE id = $id"
	),
	"sent|fonnte|1|t|t|$entry->{message_id}||6281299990001|given|"
	  . sql('SELECT session_user'),
	'the ledger row is complete');
like(col($id, 'route'), qr/^fonnte: first usable gateway by sequence/,
	'with the reason of the route');
is( sql(
		"SELECT attempt, provider, http_status, outcome, finished_at >= started_at, response::jsonb ->> 'status' FROM wa.attempt WHERE message_id = $id"
	),
	'1|fonnte|200|accepted|t|true',
	'the attempt is complete');
is( call("wa_result($id)"),
	encode_json_like(
		error => 'null',
		state => '"sent"',
		success => 'true',
		provider => '"fonnte"',
		message_id => "\"$entry->{message_id}\""),
	'wa_result()');
is(sql('SELECT count(*) FROM wa.ready') . sql('SELECT count(*) FROM wa.due'),
	'00', 'nothing is left to do');

# jsonb as PostgreSQL prints it: shorter keys first.
sub encode_json_like
{
	my %value = @_;
	return '{'
	  . join(', ',
		map { "\"$_\": $value{$_}" }
		sort { length $a <=> length $b || $a cmp $b } keys %value)
	  . '}';
}

# Capture to wire

no_pacing($node, 'odoo');
sql("SELECT wa_set('download_link', 'https://izin.example/d/{registration_id}')");
sql("SELECT wa_set('detail_link', 'https://izin.example/p/{id}')");
like(sql("SELECT wa_arm('odoo')"), qr/^database odoo sends now \(mode live\)$/m,
	'wa_arm()');
sql(
	"UPDATE sicantik_permit SET status = 'active', permit_number = '503/0001/IMB/2026', issue_date = current_date WHERE id = 1"
);
ok( wait_sql(
		$node, 'odoo',
		"SELECT state FROM wa.message WHERE scenario = 'permit_ready' AND res_id = 1",
		'sent'),
	'an UPDATE of a permit is sent');
ok($sim->wait_for_sends(2, since => $seen), 'the applicant, and the staff');
is( sql(
		"SELECT string_agg(scenario || ' ' || number, ', ' ORDER BY scenario) FROM wa.message WHERE scenario IS NOT NULL"
	),
	'permit_ready 6281200000010, status_update 6281200000020',
	'one message for the applicant, one for the follower of the permit');
ok( wait_sql(
		$node, 'odoo',
		"SELECT count(*) FROM wa.message WHERE scenario IS NOT NULL AND state = 'sent'",
		'2'),
	'both are sent');
($entry) = grep { $_->{to} eq '6281200000010' && $_->{seq} > $seen } $sim->sends;
$seen += 2;
my $issued = sql("SELECT to_char(current_date, 'DD-MM-YYYY')");
my $text = form($entry->{body})->{message};
like($text, qr/^Yth\. Budi Santoso,/, 'the text greets');
like($text, qr{503/0001/IMB/2026}, 'names the permit');
like($text, qr/\Q$issued\E/, 'the date of issue');
like($text, qr{https://izin\.example/d/REG-2026-0001}, 'and the link');
is( sql(
		"SELECT body FROM wa.message WHERE scenario = 'permit_ready' AND res_id = 1"
	),
	$text,
	'the ledger has the text as the citizen reads it');

# Watzap

call(
	"wa_configure('watzap', '{\"base_url\": \"http://127.0.0.1:$port/v1\", \"api_key_file\": \"watzap.key\"}')"
);
{
	# no file: the one statement of this test that must not be logged
	my $result = $node->safe_psql('odoo',
		"SET log_statement = 'none'; SET log_min_duration_statement = -1; "
		  . "SELECT wa_configure('watzap', '{\"number_key\": \"$secret{number}\", \"state\": \"configured\"}')"
	);
	unlike($result, $leak, 'number_key is masked');
}
$id = call(
	"wa_send_text('081299990002', E'Baris satu\\nBaris \"dua\" \\\\ {name} \x{c3}\x{a9}', 'watzap')"
);
ok(wait_state($node, 'odoo', $id, 'sent'), 'Watzap: sent');
$entry = only_send('Watzap: one request');
is($entry->{path}, '/v1/send_message', 'Watzap: path');
like($entry->{headers}{'content-type'}, qr{^application/json},
	'Watzap: JSON');
is_deeply(
	decode_json(encode_utf8($entry->{body})),
	{
		api_key => $secret{api},
		number_key => $secret{number},
		phone_no => '6281299990002',
		message => "Baris satu\nBaris \"dua\" \\ {name} \x{e9}" },
	'Watzap: the members');
is(col($id, 'provider_message_id'), '', 'Watzap gives no message id');
like(col($id, 'route'), qr/^watzap: demanded by the sender/,
	'a provider can be demanded');

sub encode_utf8
{
	my ($bytes) = @_;
	utf8::encode($bytes) if utf8::is_utf8($bytes);
	return $bytes;
}

# Meta: positional, named, text

call(
	"wa_configure('meta', '{\"base_url\": \"http://127.0.0.1:$port\", \"phone_number_id\": \"106540352242922\", \"waba_id\": \"102290129340398\", \"api_version\": \"v23.0\", \"token_file\": \"meta.token\"}')"
);
is(sql("SELECT ok, state FROM wa_test_connection('meta')"),
	't|configured', 'Meta: connection test');
sql("UPDATE wa.provider SET recipient_gap = '0', min_gap = '0' WHERE name = 'meta'");
call("wa_map_template('permit_ready', 'meta', '{\"name\": \"permit_ready\"}')");
my $params =
  '{"permit_type": "SIUP", "permit_number": "503/9", "issue_date": "01-02-2026", "download_link": "https://x.example/9"}';
$id = call("wa_send('permit_ready', 10, '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'Meta: sent');
$entry = only_send('Meta: one request');
is($entry->{provider}, 'meta', 'Meta for a partner who opted in');
is($entry->{path}, '/v23.0/106540352242922/messages', 'Meta: path');
is($entry->{headers}{authorization}, "Bearer $secret{meta}",
	'Meta: bearer token');
my $body = decode_json(encode_utf8($entry->{body}));
my $mark = delete $body->{biz_opaque_callback_data};
is($mark, 'swa:1:' . sql('SELECT mark FROM wa.identity') . ":$id:1", 'Meta: our mark names the database, the message and the attempt');
is_deeply(
	$body,
	{
		messaging_product => 'whatsapp',
		recipient_type => 'individual',
		to => '+6281200000010',
		type => 'template',
		template => {
			name => 'permit_ready',
			language => { code => 'id' },
			components => [
				{
					type => 'body',
					parameters => [
						map { { type => 'text', text => $_ } } (
							'Budi Santoso', 'SIUP', '503/9', '01-02-2026',
							'https://x.example/9') ] } ] } },
	'Meta: a positional template, parameters in order');
is(col($id, 'provider_message_id'), $entry->{message_id},
	'Meta: the message id is kept');
like(col($id, 'route'), qr/^meta: official provider for this person/,
	'Meta: the reason');

# With "+" and without; what is not the documented form may call a stranger.
foreach my $case (
	[ 'true', 'full', '628129900001', '628129900001' ],
	[ 'true', 'local', '628129900002', '628129900002' ],
	[ 'false', 'full', '628129900003', '628129900003' ],
	[ 'false', 'local', '628129900004', '62628129900004' ])
{
	my ($plus, $bare, $number, $dialled) = @$case;

	$sim->config({ meta => { bare_numbers => $bare, open_windows => 'any' } });
	call("wa_configure('meta', '{\"number_with_plus\": $plus}')");
	call("ok FROM wa_test_connection('meta')");
	sql("INSERT INTO wa.contact (number, last_inbound_at) VALUES ('$number', now())");
	$id = call("wa_send_text('$number', 'Yth. Budi', 'meta')");
	ok(wait_state($node, 'odoo', $id, 'sent'), "number_with_plus $plus, bare numbers $bare: sent");
	is(only_send("number_with_plus $plus, bare numbers $bare: one request")->{to}, $dialled, 'to this number');
}
$sim->config({ meta => { bare_numbers => 'full', open_windows => [] } });
call("wa_configure('meta', '{\"number_with_plus\": null}')");
call("ok FROM wa_test_connection('meta')");

# A changed mapping takes effect without a restart.
call(
	"wa_map_template('permit_ready', 'meta', '{\"name\": \"izin_selesai_bernama\", \"format\": \"named\", \"parameters\": [\"permit_type\", \"partner_name\"]}')"
);
$id = call("wa_send('permit_ready', 10, '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'Meta, named: sent');
$body = decode_json(encode_utf8(only_send('Meta, named: one request')->{body}));
is_deeply(
	$body->{template},
	{
		name => 'izin_selesai_bernama',
		language => { code => 'id' },
		components => [
			{
				type => 'body',
				parameters => [
					{
						type => 'text',
						parameter_name => 'permit_type',
						text => 'SIUP' },
					{
						type => 'text',
						parameter_name => 'partner_name',
						text => 'Budi Santoso' } ] } ] },
	'Meta, named: the order and names of the changed mapping');

# So does a plain UPDATE of a DBA.
sql(
	"UPDATE wa.template_mapping SET name = 'permit_ready', format = 'positional', parameters = NULL WHERE provider = 'meta'"
);
$id = call("wa_send('permit_ready', 10, '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'after an UPDATE: sent');
is(only_send('after an UPDATE: one request')->{template},
	'permit_ready', 'a mapping that is changed by UPDATE takes effect');

# Text in the 24-hour window
sql(
	"INSERT INTO wa.contact (number, last_inbound_at) VALUES ('6281300000011', now() - interval '1 hour')"
);
$sim->config({ meta => { open_windows => ['6281300000011'] } });
is( sql("SELECT provider, kind, use_24h_window FROM wa_determine_provider(11, 'permit_ready')"),
	'meta|meta|t',
	'wa_determine_provider(): Meta inside the window');
$id = call("wa_send_text(11, 'Balasan')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'Meta, text: sent');
$body = decode_json(encode_utf8(only_send('Meta, text: one request')->{body}));
is($body->{type}, 'text', 'inside the window text goes to Meta');
is($body->{text}{body}, 'Balasan', 'as it is');
like(col($id, 'route'), qr/inside the 24-hour window/, 'with its reason');
sql("UPDATE wa.contact SET last_inbound_at = now() - interval '25 hours'");
$id = call("wa_send_text(11, 'Balasan')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'outside the window: sent');
is(only_send('outside the window: one request')->{provider},
	'fonnte', 'by a gateway');
like(
	col($id, 'route'),
	qr/^fonnte: .*; not meta: free text only within 24 hours/,
	'who was refused is told');

# Routing

$id = call("wa_send('permit_ready', 11, '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'no opt-in: sent');
is(only_send('no opt-in: one request')->{provider},
	'fonnte', 'without opt-in a template goes by a gateway');
like(col($id, 'route'), qr/not meta: no opt-in/, 'and why');

call("wa_configure('watzap', '{\"is_default\": true}')");
$id = call("wa_send('permit_ready', 10, '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'default provider: sent');
is(only_send('default provider: one request')->{provider},
	'watzap', 'the default provider comes first');
like(col($id, 'route'), qr/^watzap: default provider/, 'and why');
provider_state('watzap', 'error');
$id = call("wa_send('permit_ready', 10, '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'default in error: sent');
is(only_send('default in error: one request')->{provider},
	'meta', 'the next one if the default one is in error');
like(col($id, 'route'), qr/not watzap: in state error/, 'and why');
call("wa_configure('watzap', '{\"is_default\": false, \"state\": \"configured\"}')");
sql("UPDATE wa.provider SET sequence = 5 WHERE name = 'watzap'");
$id = call("wa_send_text('081299990003', 'Halo')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'by sequence: sent');
is(only_send('by sequence: one request')->{provider},
	'watzap', 'a lower sequence goes first');
sql("UPDATE wa.provider SET active = false WHERE name = 'watzap'");
$id = call("wa_send_text('081299990003', 'Halo')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'inactive: sent');
is(only_send('inactive: one request')->{provider},
	'fonnte', 'a provider that is not active is left out');

# People who want nothing

foreach my $case (
	[ 12, 'opted_out', qr/opted out in Odoo/ ],
	[ 17, 'blacklisted', qr/blacklist/ ],
	[ 14, 'no_number', qr/no usable number/ ])
{
	my ($partner, $reason, $words) = @$case;
	my ($code, $out, $err) =
	  $node->psql('odoo', "SELECT wa_send('permit_ready', $partner, '$params')");

	is($code, 0, "$reason: no error");
	like($err, qr/WARNING:  the message is not sent/, "$reason: a warning");
	is(col($out, 'state') . ' ' . col($out, 'reason'),
		"skipped $reason", "$reason: a skipped row");
	like(col($out, 'detail'), $words, "$reason: in words");
}
$id = call("wa_send('permit_ready', 19, '$params')");
ok(wait_state($node, 'odoo', $id, 'sent'),
	'a number that is off the blacklist again gets it');
only_send('off the blacklist: one request');

# Someone who opts out while the message waits.
provider_state($_, 'error') foreach ('fonnte', 'meta');
$id = call("wa_send_text('081299990004', 'Halo')");
ok( wait_sql($node, 'odoo', "SELECT reason FROM wa.message WHERE id = $id",
		'no_provider'),
	'no provider: waits');
sql("INSERT INTO wa.contact (number, opted_out_at) VALUES ('6281299990004', now())");
my $waiting = call("wa_send_text('081299990005', 'Halo')");
ok( wait_sql(
		$node, 'odoo', "SELECT reason FROM wa.message WHERE id = $waiting",
		'no_provider'),
	'another one waits');
like(col($waiting, 'detail'),
	qr/no provider can be used; .*not fonnte: in state error/,
	'the reason names each provider');

# Waiting messages can be canceled.
is(call("wa_cancel($waiting)"), '1', 'wa_cancel() of a waiting message');
ok(wait_state($node, 'odoo', $waiting, 'cancelled'), 'it is cancelled');
like(col($waiting, 'detail'), qr/cancelled by/, 'by whom is told');
is(sql("SELECT count(*) FROM wa.ready WHERE message_id = $waiting"),
	'0', 'it is out of the queue');
is(call("wa_result($waiting) ->> 'success'"), 'false', 'that is no success');
provider_state($_, 'configured') foreach ('fonnte', 'meta');
ok(wait_state($node, 'odoo', $id, 'skipped'),
	'who opts out while a message waits does not get it');
no_send('neither message was sent');

# By hand: transactions

my $before = sql('SELECT max(id) FROM wa.message');
sql("BEGIN; SELECT wa_send_text('081299990006', 'Halo'); ROLLBACK");
$id = call("wa_send_text('081299990007', 'Halo')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'a later message is sent');
only_send('a message that was rolled back is not');
is( sql("SELECT count(*) FROM wa.message WHERE number = '6281299990006'"),
	'0',
	'and has no row');

# A second message with the same key: concurrent, under REPEATABLE READ.
my $one = $node->background_psql('odoo');
my $two = $node->background_psql('odoo');
$_->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ') foreach ($one, $two);
$_->query_safe('SELECT count(*) FROM wa.message') foreach ($one, $two);
my $first = $one->query_safe(
	"SELECT wa_send_text('081299990008', 'Satu', dedupe_key => 'k-1')");
my $second = $two->query_safe(
	"SELECT wa_send_text('081299990008', 'Dua', dedupe_key => 'k-1')");
$_->query_safe('COMMIT') foreach ($two, $one);
$_->quit foreach ($one, $two);
ok( wait_sql(
		$node, 'odoo',
		"SELECT string_agg(state, ' ' ORDER BY state) FROM wa.message WHERE id IN ($first, $second)",
		'sent skipped'),
	'of two messages with one dedupe_key one is sent');
is( sql("SELECT reason FROM wa.message WHERE id IN ($first, $second) AND state = 'skipped'"),
	'duplicate',
	'the other is skipped as a duplicate');
only_send('one request for one key');
my $third =
  call("wa_send_text('081299990008', 'Tiga', dedupe_key => 'k-1')");
ok(wait_state($node, 'odoo', $third, 'skipped'), 'the key stays used');
is(col($third, 'reason'), 'duplicate', 'for ever');

# A time in the future, told to a worker that is there already.
$id = call(
	"wa_send_text('081299990009', 'Nanti', send_at => clock_timestamp() + interval '1.5 s')"
);
is(col($id, "(state = 'queued' AND due_at = send_at OR clock_timestamp() >= send_at)::text"), 'true',
	'send_at: it waits');
ok(wait_state($node, 'odoo', $id, 'sent'), 'send_at: it goes');
cmp_ok(
	only_send('send_at: one request')->{time},
	'>=',
	sql("SELECT extract(epoch FROM send_at) - 0.1 FROM wa.message WHERE id = $id"),
	'send_at: not before its time');

is(call("wa_retry($id)"), '0', 'what was sent is not tried again');
is(call("wa_cancel($id)"), '0', 'nor cancelled');

# One far in the future can be canceled; a retry keeps its time.
$id = call(
	"wa_send_text('081299990010', 'Besok', send_at => now() + interval '1 day')");
is(call("wa_cancel($id)"), '1', 'wa_cancel() before send_at');
ok(wait_state($node, 'odoo', $id, 'cancelled'), 'is cancelled');
is(sql("SELECT count(*) FROM wa.due WHERE message_id = $id"), '0',
	'and is not due any more');
is(call("wa_cancel($id)"), '0', 'once only');
is(call("wa_retry($id)"), '1', 'wa_retry() of a cancelled message');
ok( wait_sql(
		$node, 'odoo',
		"SELECT state = 'queued' AND due_at = send_at AND due_at > now() + interval '23 hours' FROM wa.message WHERE id = $id"),
	'lets it wait for its time again');
is(call("wa_cancel($id)"), '1', 'and it can be cancelled again');
ok(wait_state($node, 'odoo', $id, 'cancelled'), 'until when it has not gone');
is(call('wa_result(999999999)'), '', 'wa_result() of an unknown message');

# A failed one
$sim->config({ fonnte => { invalid_targets => ['6281299990011'] } });
$id = call("wa_send_text('081299990011', 'Halo', 'fonnte')");
ok(wait_state($node, 'odoo', $id, 'failed'),
	'a number that the provider refuses: failed');
is(col($id, 'reason'), 'recipient', 'because of the recipient');
like(call("wa_result($id) ->> 'error'"), qr/does not accept the number/,
	'wa_result() says why');
is( sql(
		"SELECT outcome, provider_code FROM wa.attempt WHERE message_id = $id"
	),
	'recipient|target invalid',
	'the attempt has the code');
$sim->config({ fonnte => { invalid_targets => [] } });
is(call("wa_retry($id)"), '1', 'wa_retry() of a failed message');
ok(wait_state($node, 'odoo', $id, 'sent'), 'sends it');
is(sql("SELECT array_agg(outcome ORDER BY attempt) FROM wa.attempt WHERE message_id = $id"),
	'{recipient,accepted}', 'the ledger shows both attempts');
$seen += 2;

# CALL wa_try()
my ($code, $out, $err) =
  $node->psql('odoo', "CALL wa_try('0812-9999-0012', 'fonnte')");
is($code, 0, 'wa_try()');
like($err, qr/NOTICE:  message \d+ is queued/, 'wa_try(): queued');
like($err, qr/NOTICE:  route: fonnte: demanded by the sender/,
	'wa_try(): the route');
like($err, qr/NOTICE:  answer of fonnte: HTTP 200, accepted/,
	'wa_try(): the answer');
like($err, qr/NOTICE:  result: sent/, 'wa_try(): the result');
like(form(only_send('wa_try(): one request')->{body})->{message},
	qr/UJI COBA/, 'wa_try(): a marked message');
$sim->fault({ provider => 'fonnte', kind => 'fonnte_reason',
	reason => 'target invalid' });
($code, $out, $err) =
  $node->psql('odoo', "CALL wa_try('0812-9999-0012', 'fonnte')");
like($err, qr/result: failed: .*does not accept the number/,
	'wa_try(): a failure is told');
only_send('wa_try(): one request');
($code, $out, $err) =
  $node->psql('odoo', "BEGIN; CALL wa_try('0812-9999-0012')");
isnt($code, 0, 'wa_try() in a transaction block is refused');

# A text that is no more what it was: a template changed by a DBA
sql("UPDATE wa.template SET body = 'Yth. {{partner_name}}, versi dua.', parameters = '{partner_name}' WHERE key = 'permit_ready'");
$id = call("wa_send('permit_ready', '081299990013', '{\"partner_name\": \"Ani\"}')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'changed template: sent');
is(form(only_send('changed template: one request')->{body})->{message},
	'Yth. Ani, versi dua.', 'a changed template takes effect');

# A changed credential
append_to_file("$secrets/odoo/fonnte_new", "FONNTEhushhush5");
chmod 0600, "$secrets/odoo/fonnte_new";
$sim->config({ fonnte => { tokens => ['FONNTEhushhush5'] } });
call("wa_configure('fonnte', '{\"token_file\": \"fonnte_new\", \"state\": \"configured\"}')");
$id = call("wa_send_text('081299990014', 'Halo')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'changed token: sent');
is(only_send('changed token: one request')->{headers}{authorization},
	'FONNTEhushhush5', 'a changed token takes effect');

# An answer that quotes the credential

$sim->fault({
	provider => 'watzap', kind => 'status', status => 400,
	body => "{\"status\":\"1002\",\"message\":\"bad key $secret{api} of $secret{number}\"}" });
sql("UPDATE wa.provider SET active = true WHERE name = 'watzap'");
$id = call("wa_send_text('081299990015', 'Halo', 'watzap')");
ok( wait_sql(
		$node, 'odoo', "SELECT state FROM wa.provider WHERE name = 'watzap'",
		'error'),
	'a refused key stops the provider');
only_send('a refused key: one request');
is(call("wa_cancel($id)"), '1', 'cancel it');
ok(wait_state($node, 'odoo', $id, 'cancelled'), 'cancelled');
isnt(sql("SELECT response FROM wa.attempt WHERE message_id = $id"), '',
	'the answer is kept');

# Hosts

($code, $out, $err) = $node->psql('odoo',
	"SELECT wa_configure('fonnte', '{\"base_url\": \"http://127.0.0.1:9\"}')");
isnt($code, 0, 'wa_configure() refuses a host that is not allowed');
like($err, qr/127\.0\.0\.1:9.*not|not.*127\.0\.0\.1/s, 'and names it');
($code, $out, $err) = $node->psql('odoo',
	"SELECT wa_configure('fonnte', '{\"base_url\": \"https://graph.facebook.com\"}')"
);
isnt($code, 0, 'and one of another kind');

# A host that only another kind may reach, put into the row itself.
$node->safe_psql('postgres',
	"ALTER SYSTEM SET sicantik_wa.allowed_hosts = 'fonnte=127.0.0.1:$port, meta=127.0.0.1:$port'"
);
$node->reload;
sql("UPDATE wa.provider SET state = 'configured' WHERE name = 'watzap'");
$id = call("wa_send_text('081299990016', 'Halo', 'watzap')");
ok( wait_sql(
		$node, 'odoo', "SELECT reason FROM wa.message WHERE id = $id",
		'no_provider'),
	'a host of another kind is not used');
like(col($id, 'detail'), qr/base_url may not be used.*allowed_hosts/,
	'and why');
sql("UPDATE wa.provider SET base_url = 'http://127.0.0.1:9' WHERE name = 'fonnte'");
my $id2 = call("wa_send_text('081299990017', 'Halo', 'fonnte')");
ok( wait_sql(
		$node, 'odoo', "SELECT reason FROM wa.message WHERE id = $id2",
		'no_provider'),
	'nor one that is not on the list');
sql("UPDATE wa.provider SET base_url = 'https://api.fonnte.com\@127.0.0.1:$port' WHERE name = 'fonnte'");
ok( wait_sql(
		$node, 'odoo',
		"SELECT detail ~ 'base_url may not be used' FROM wa.message WHERE id = $id2"),
	'nor one that hides behind another');
no_send('nothing has left');
sql("UPDATE wa.provider SET base_url = 'http://127.0.0.1:$port' WHERE name = 'fonnte'");
ok(wait_state($node, 'odoo', $id2, 'sent'),
	'with the right host the message goes');
only_send('once');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET sicantik_wa.allowed_hosts');
$node->reload;
ok(wait_state($node, 'odoo', $id, 'sent'),
	'a host that is allowed by a reload is used');
only_send('once, too');

# No role reads a credential

$node->safe_psql('postgres',
	'CREATE ROLE petugas LOGIN; CREATE ROLE orang LOGIN');
sql("SELECT wa_grant('petugas', 'admin')");
foreach my $role ('petugas', 'orang', 'odoo')
{
	foreach my $statement (
		'SELECT * FROM wa.secret',
		'COPY wa.secret TO STDOUT',
		"SELECT query_to_xml('TABLE wa.secret', true, false, '')",
		"UPDATE wa.secret SET value = 'x'",
		'CREATE TRIGGER t BEFORE UPDATE ON wa.secret EXECUTE FUNCTION suppress_redundant_updates_trigger()')
	{
		($code, $out, $err) = $node->psql('odoo', $statement,
			extra_params => [ '-U', $role ]);
		isnt($code, 0, "$role: $statement");
		unlike($out . $err, $leak, "$role: shows nothing");
	}
}
foreach my $statement (
	"SELECT pg_read_file('$secrets/odoo/fonnte.token')",
	"SELECT wa_configure('fonnte', '{\"token_file\": \"../odoo/fonnte.token\"}')")
{
	($code, $out, $err) =
	  $node->psql('odoo', $statement, extra_params => [ '-U', 'petugas' ]);
	isnt($code, 0, "petugas: $statement");
	unlike($out . $err, $leak, 'petugas: shows nothing');
}

# Nothing in any table, view, statistic, process list or log

my $everything = join("\n",
	map { sql("SELECT coalesce(string_agg(t::text, ' '), '') FROM $_ AS t") }
	  split /\n/,
	sql(
		"SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'wa'::regnamespace AND relkind IN ('r', 'v', 'm') AND relname <> 'secret'"
	));
like($everything, qr/6281299990001/, 'all relations of wa were read');
unlike($everything, $leak, 'no relation but wa.secret has a credential');
unlike(
	sql('SELECT * FROM wa_status()')
	  . sql('SELECT * FROM pg_stat_activity')
	  . sql('SELECT * FROM pg_stats')
	  . sql("SELECT wa_configure(name, '{}') FROM wa.provider"),
	$leak,
	'nor has a view, a statistic or a process');
my $log = slurp_file($node->logfile);
like($log, qr/wa_send_text\('081299990001'|wa_send_text\('0812-9999-0001'/,
	'statements were logged');
unlike($log, $leak, 'the log has no credential');
# a background process has no application name in its log lines
unlike($log, qr/\[\d+\] (?:ERROR|FATAL|PANIC):/,
	'no worker had an error of its own');
is(sql("SELECT count(*) FROM wa.message WHERE state IN ('sending', 'queued')"),
	'0', 'every message has ended');

$node->stop('fast');
done_testing();

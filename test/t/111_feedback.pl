# What providers tell by webhooks: who may tell it, what is kept of it, and what
# becomes of messages, contacts and consent.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $folders = PostgreSQL::Test::Utils::tempdir('secrets');
my $node = new_cluster('main', simulator => $sim,
	conf => "sicantik_wa.worker_idle_timeout = 3600\nsicantik_wa.secrets_directory = '$folders'");
my $session;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0], $ENV{QUICK}); }

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
$sim->config({ meta => { open_windows => 'any' }});
my $config = $sim->config;
foreach my $kind (qw(meta fonnte watzap))
{
	my $secret = $config->{$kind}{webhook_secret};
	my $name = $kind eq 'meta' ? 'app_secret' : 'webhook_secret';
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "');"
		  . "SELECT wa_configure('$kind', '{\"$name\": \"former0 $secret\"}'); SELECT * FROM wa_test_connection('$kind')");
}
sql("SELECT wa_configure('meta', '{\"verify_token\": \"mimi\"}')");
is(sql("SELECT state FROM wa.provider WHERE name = 'meta'"), 'configured', 'what webhooks are known by is no reason to test the connection again');
no_pacing($node, 'odoo');
sql("UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL; SELECT wa_set('language', 'en'); SELECT wa_arm('odoo')");
my $start = sql("SELECT floor(extract(epoch FROM clock_timestamp()))");

# who may call
$node->safe_psql('odoo', 'CREATE ROLE endpoint LOGIN; CREATE ROLE nobody LOGIN');
sql("SELECT wa_grant('endpoint', 'webhook')");
my $endpoint = SicantikWa::Session->new($node, 'odoo', user => 'endpoint');

sub literal { my $text = shift; return 'NULL' unless defined $text; $text =~ s/'/''/g; return "'$text'"; }
# webhook($provider, $body, %how): through the endpoint's role; counts or the error
sub webhook
{
	my ($provider, $body, %how) = @_;
	my $secret = $config->{$provider}{webhook_secret};
	my $data = ref $body ? JSON::PP->new->utf8->canonical->encode($body) : $body;
	my $signature = exists $how{signature} ? $how{signature} : $provider eq 'meta' ? 'sha256=' . hmac_sha256_hex($data, $secret) : undef;
	my $given = exists $how{secret} ? $how{secret} : $provider eq 'meta' ? undef : $secret;
	my ($code, $out, $err) = $node->psql('odoo', sprintf("\\set VERBOSITY verbose\nSELECT r ->> 'accepted' || ' ' || (r ->> 'ignored') || ' ' || (r ->> 'unknown') FROM wa_webhook(%s, decode('%s', 'hex'), %s, %s) AS r",
		literal($provider), unpack('H*', $data), literal($signature), literal($given)), extra_params => ['-U', 'endpoint']);
	return $code == 0 ? $out : $err =~ /ERROR:  (\w{5}):/ ? $1 : $err;
}
sub change { my ($field, $value) = @_; return { object => 'whatsapp_business_account', entry => [ { id => '1', changes => [ { field => $field, value => $value } ] } ] }; }
my $metadata = { phone_number_id => $config->{meta}{phone_number_id}, display_phone_number => '15550001' };
sub status { my ($id, $status, %more) = @_; return change('messages', { metadata => $metadata, statuses => [ { id => $id, status => $status, timestamp => "$start", recipient_id => '6281', %more } ] }); }
sub inbound { my ($from, $id, %more) = @_; return change('messages', { metadata => $metadata, contacts => [ { wa_id => $from } ], messages => [ { from => $from, id => $id, timestamp => "$start", %more } ] }); }
my $applied = 'NOT EXISTS (SELECT FROM wa.feedback WHERE due_at < clock_timestamp()) AND NOT EXISTS (SELECT FROM wa.request)';

# the secret
is(webhook('meta', status('wamid.x', 'sent')), '1 0 0', 'a signed body is taken, by the second of two secrets');
is(webhook('meta', status('wamid.x', 'sent'), signature => undef), '28000', 'one without a signature is not');
is(webhook('meta', status('wamid.x', 'sent'), signature => 'sha256=' . ('0' x 64)), '28000', 'nor with a wrong one');
is(webhook('meta', status('wamid.x', 'sent'), signature => 'sha256=zz'), '28000', 'nor with something else');
is(webhook('meta', status('wamid.x', 'sent'), signature => 'sha256=' . hmac_sha256_hex('other', $config->{meta}{webhook_secret})), '28000', 'nor with the signature of another body');
is(webhook('fonnte', {device => 'x'}, secret => 'wrong'), '28000', 'a gateway needs the secret of its address');
is(webhook('fonnte', {device => 'x'}, secret => undef), '28000', 'which must be there');
is(webhook('nowhere', '{}'), '42704', 'a provider that is not there');
is(sql('SELECT count(*) FROM wa.feedback'), '1', 'nothing of these is kept');
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'webhooks'"), qr/^6 webhooks since/, 'wa_check() has their number');
# nothing is read that it does not need: each credential that is looked for is a scan
my $light = '{"object": "whatsapp_business_account", "entry": []}';
my $proof = hmac_sha256_hex($light, $config->{meta}{webhook_secret});
my $scans = "SELECT pg_stat_get_xact_numscans('wa.secret'::regclass)";
my ($before, undef, $after) = split /\n/, sql("BEGIN; $scans; SELECT wa_webhook('meta', '$light', 'sha256=$proof'); $scans; ROLLBACK");
is($after - $before, 1, 'of all credentials only the one is read that a webhook is known by');
my ($code, $out, $err) = $node->psql('odoo', "SELECT wa_webhook('meta', '')", extra_params => ['-U', 'nobody']);
like($err, qr/permission denied for sicantik_wa\nDETAIL:  This function needs the level "webhook"/, 'without the right it is refused');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_history('0811')", extra_params => ['-U', 'endpoint']);
like($err, qr/permission denied/, 'and the right is for nothing else');
is($node->safe_psql('odoo', "SELECT wa_webhook_verify('meta', 'subscribe', 'mimi', '42')", extra_params => ['-U', 'endpoint']), '42', 'the address is verified');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_webhook_verify('meta', 'subscribe', 'mimo', '42')", extra_params => ['-U', 'endpoint']);
like($err, qr/is not from provider "meta"/, 'with the right token only');
my $log = slurp_file($node->logfile);
unlike(join("\n", grep { /refused a webhook|is not from/ } split /\n/, $log), qr/mimo|wamid/, 'the log has nothing of what was sent');
cmp_ok(scalar(() = $log =~ /has refused a webhook/g), '<=', 2, 'and one line a minute');

# several secrets, one a line of a file
mkdir "$folders/odoo", 0700 or die $!;
append_to_file("$folders/odoo/fonnte_webhook", "former\n$config->{fonnte}{webhook_secret}\r\n\n");
chmod 0600, "$folders/odoo/fonnte_webhook" or die $!;
sql("SELECT wa_configure('fonnte', '{\"webhook_secret_file\": \"fonnte_webhook\"}')");
like(webhook('fonnte', {device => 'x'}), qr/^0 \d \d$/, 'the second line of a file');
is(webhook('fonnte', {device => 'x'}, secret => "former $config->{fonnte}{webhook_secret}"), '28000', 'not both in one');

# what a body may hold
foreach my $odd ('', '{', '[]', 'null', '{"object": "whatsapp_business_account"}', "\xff\xfe\x00", '[' x 5000,
	'{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"messages":[{"from":"6281255500099","id":"wamid.nul","type":"text","timestamp":"99999999999999999999","text":{"body":"a\u0000b\ud800"}}]}}]}]}')
{
	like(webhook('meta', $odd), qr/^\d+ \d+ \d+$/, 'taken: ' . substr($odd, 0, 40) =~ s/[^ -~]/?/gr);
}
wait_for($applied);
is(sql("SELECT text IS NOT NULL AND said_at <= received_at FROM wa.inbound WHERE provider_message_id = 'wamid.nul'"), 't', 'the odd text is kept, with a time that is not to come');

# ---- statuses ----
sub sent_by { my ($provider, $number) = @_; my $id = sql("SELECT wa_send_text('$number', 'hello', '$provider')"); wait_for("(SELECT state <> 'queued' AND state <> 'sending' FROM wa.message WHERE id = $id)"); is(state($id), 'sent', 'sent by ' . $provider) or diag(sql("SELECT to_jsonb(m) FROM wa.message AS m WHERE id = $id")); return $id; }
sub provider_id { return sql("SELECT provider_message_id FROM wa.message WHERE id = $_[0]"); }
sub state { return sql("SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = $_[0]"); }
sub told { is(webhook(@_), '1 0 0', 'told'); wait_for($applied); }

# Meta takes free text within 24 hours: he writes first
webhook('meta', inbound("628125550000$_", "wamid.open$_", type => 'text', text => { body => 'Halo' })) foreach (1 .. 6);
wait_for($applied);
is(sql("SELECT count(*) FROM wa.contact WHERE last_inbound_at = to_timestamp($start)"), '6', 'who writes opens the window, by the time of his message');
my $m = sent_by('meta', '6281255500001');
is(sql("SELECT provider_message_id = (SELECT provider_message_id FROM wa.message WHERE id = $m) FROM wa.attempt WHERE message_id = $m"), 't', 'the attempt has the provider\'s id');
told('meta', status(provider_id($m), 'read'));
is(state($m), 'read', 'read, before anything else was told');
told('meta', status(provider_id($m), 'delivered', pricing => { category => 'utility', type => 'regular', billable => JSON::PP::true }));
told('meta', status(provider_id($m), 'sent'));
told('meta', status(provider_id($m), 'failed', errors => [ { code => 131026, title => 'x' } ]));
is(state($m), 'read', 'and what comes later does not take it back');
is(sql("SELECT delivered_at >= sent_at AND read_at >= sent_at AND failed_at IS NULL AND pricing ->> 'category' = 'utility' FROM wa.message WHERE id = $m"), 't', 'with times that are not before it was sent, and the price');
is(webhook('meta', status(provider_id($m), 'warped')), '0 1 0', 'a status that nobody knows is kept');
is(state($m), 'read', 'and changes nothing');

# one that overtakes the answer: it is matched when the id is known
my $n = sent_by('meta', '6281255500002');
my $early = provider_id($n);
sql("UPDATE wa.attempt SET provider_message_id = NULL WHERE message_id = $n");
is(webhook('meta', status($early, 'delivered')), '1 0 0', 'a status whose id is not known yet');
wait_for("(SELECT problem IS NULL AND due_at > received_at FROM wa.feedback WHERE provider_message_id = '$early')");
is(state($n), 'sent', 'waits');
sql("UPDATE wa.attempt SET provider_message_id = '$early' WHERE message_id = $n");
ok(wait_for("(SELECT state = 'delivered' FROM wa.message WHERE id = $n)"), 'and is applied when it is');
# by our mark
$n = sent_by('meta', '6281255500003');
my $mark = 'swa:1:' . sql('SELECT mark FROM wa.identity');
foreach my $foreign ("swa:1:$n:1", "swa:1:" . ('0' x 16) . ":$n:1", "$mark:$n", "$mark:$n:1:1", "$mark:$n:0", "$mark$n:1", 'order 7')
{
	told('meta', status('wamid.other', 'delivered', biz_opaque_callback_data => $foreign));
	is(state($n), 'sent', "a mark that is not of this database: $foreign");
}
is(sql("SELECT count(*) FROM wa.feedback WHERE provider_message_id = 'wamid.other'"), '0', 'and nothing is kept of it');
told('meta', status('wamid.other', 'delivered', biz_opaque_callback_data => "$mark:$n:1"));
is(state($n), 'delivered', 'our mark will do');

# failed
$n = sent_by('meta', '6281255500004');
told('meta', status(provider_id($n), 'failed', errors => [ { code => 131026, title => 'Message undeliverable' } ]));
is(state($n), 'failed recipient', 'a failure is classed like an answer: the recipient');
is(sql("SELECT failed_at IS NOT NULL FROM wa.message WHERE id = $n"), 't', 'and has its time');
told('meta', status(provider_id($n), 'delivered'));
is(state($n), 'delivered', 'it was delivered all the same');
is(sql("SELECT failed_at IS NULL FROM wa.message WHERE id = $n"), 't', 'and has not failed then');
# fallback: by another provider, where one may take it over
$n = sql("SELECT wa_send_text('6281255500005', 'hello')");
wait_for("(SELECT state = 'sent' FROM wa.message WHERE id = $n)");
my $first = sql("SELECT provider FROM wa.message WHERE id = $n");
SKIP:
{
	skip "went by $first", 4 unless $first eq 'meta';
	told('meta', status(provider_id($n), 'failed', errors => [ { code => 130472, title => 'experiment' } ]));
	ok(wait_for("(SELECT state = 'sent' AND provider <> 'meta' FROM wa.message WHERE id = $n)"), 'a failure that another provider can mend goes to one');
	is(sql("SELECT attempts, failed_at IS NULL FROM wa.message WHERE id = $n"), '2|t', 'once, and it has not failed then');
	like(sql("SELECT string_agg(outcome || ' ' || coalesce(provider_code, '-') || ' ' || response, ' / ' ORDER BY attempt) FROM wa.attempt WHERE message_id = $n"),
		qr{^accepted 130472 taken, but by what was told at \S+ \S+ it was not delivered: .+ / accepted - }, 'the first attempt tells why');
	like(sql("SELECT string_agg(what, ' ') FROM wa_why($n)"), qr/it was not delivered: /, 'and so does wa_why()');
}

# in doubt: what is told settles it

# in doubt: what is told says what became of it, and nothing waits any more
$sim->fault({ provider => 'meta', kind => 'cut_after_read', match => { number => '6281255500007' }, times => undef });
sql("INSERT INTO wa.contact (number, last_inbound_at) VALUES ('6281255500007', now())");
foreach (['failed', 'failed recipient', errors => [ { code => 131026, title => 'x' } ]], ['delivered', 'delivered settled'])
{
	my ($what, $becomes, %more) = @$_;
	$n = sql("SELECT wa_send_text('6281255500007', 'hello', 'meta')");
	ok(wait_for("(SELECT state = 'unknown' AND due_at IS NOT NULL FROM wa.message WHERE id = $n)"), 'in doubt');
	is(webhook('meta', status("wamid.doubt$n", $what, biz_opaque_callback_data => "$mark:$n:1", %more)), '1 0 0', "told $what");
	ok(wait_for("(SELECT concat_ws(' ', state, reason) = '$becomes' FROM wa.message WHERE id = $n)"), "it is $becomes")
	  or diag(state($n));
	is(sql("SELECT count(*) FROM wa.due WHERE message_id = $n"), '0', 'and waits for nothing');
}
$sim->clear_faults;

# Fonnte: three shapes
my $f = sent_by('fonnte', '6281255500011');
my $fid = provider_id($f);
told('fonnte', { device => $config->{fonnte}{device}, id => $fid, stateid => 'ABC', status => 'Sent', state => '' });
is(state($f), 'sent', 'Fonnte: id and stateid');
told('fonnte', { device => $config->{fonnte}{device}, stateid => 'ABC', state => 'Delivered' });
is(state($f), 'delivered', 'then the stateid alone');
told('fonnte', { device => $config->{fonnte}{device}, stateid => 'ABC', state => 'READ' });
is(state($f), 'read', 'in any case');

# ---- people ----
is(webhook('meta', inbound('6281255500001', 'wamid.r', type => 'text', text => { body => 'Terima kasih' }, context => { id => provider_id($m) })), '1 0 0', 'a reply');
webhook('meta', inbound('6281255500001', 'wamid.r', type => 'text', text => { body => 'Terima kasih' }, context => { id => provider_id($m) })) foreach (1 .. 3);
wait_for($applied);
is(sql("SELECT count(*) || ' ' || min(text) || ' ' || min(message_id) FROM wa.inbound WHERE provider_message_id = 'wamid.r'"), "1 Terima kasih $m", 'is kept once, with the message that it answers');
told('meta', inbound('6281255500006', 'wamid.s', type => 'text', text => { body => ' "Stop!" ' }));
is(sql("SELECT opted_out_at = to_timestamp($start) FROM wa.contact WHERE number = '6281255500006'"), 't', 'STOP');
wait_for("(SELECT count(*) = 1 FROM wa.message WHERE number = '6281255500006' AND state = 'sent' AND provider = 'meta')");
like(sql("SELECT body FROM wa.message WHERE number = '6281255500006' AND state = 'sent'"), qr/MULAI|START/, 'he is told that he was heard, and how to come back');
told('meta', inbound('6281255500006', 'wamid.s2', type => 'text', text => { body => 'STOP' }));
is(sql("SELECT count(*) FROM wa.message WHERE number = '6281255500006'"), '1', 'once a day');
my $s = sql("SELECT wa_send_text('6281255500006', 'hello')");
ok(wait_for("(SELECT state = 'skipped' AND reason = 'opted_out' FROM wa.message WHERE id = $s)"), 'he gets nothing more');
told('meta', inbound('6281255500005', 'wamid.t', type => 'text', text => { body => 'jangan stop kirim' }));
is(sql("SELECT opted_out_at IS NULL FROM wa.contact WHERE number = '6281255500005'"), 't', 'a sentence with the word is none');
is(webhook('meta', change('smb_message_echoes', { metadata => $metadata, message_echoes => [ { from => '15550001', to => '6281255500005', id => 'wamid.e', timestamp => "$start", type => 'text', text => { body => 'STOP' } } ] })), '0 1 0', 'an officer\'s STOP is kept');
is(sql("SELECT opted_out_at IS NULL FROM wa.contact WHERE number = '6281255500005'"), 't', 'and opts nobody out');

# a button: what it stands for, or what is written on it
told('meta', inbound('6281255500007', 'wamid.b', type => 'button', button => { payload => 'no', text => 'Berhenti' }));
is(sql("SELECT opted_out_at IS NOT NULL FROM wa.contact WHERE number = '6281255500007'"), 't', 'a button with the word');
# a sample of somebody else's number
is(webhook('meta', change('messages', { metadata => { phone_number_id => '123456123' }, contacts => [ { wa_id => '16315551181' } ], messages => [ { from => '16315551181', id => 'ABGG', timestamp => "$start", type => 'text', text => { body => 'STOP' } } ] })), '0 1 0',
	'what is of a number that is not ours is kept');
is(sql("SELECT count(*) FROM wa.contact WHERE number = '16315551181'"), '0', 'and does nothing');

# somebody holds the contact's row: the others do not wait, and nothing is lost
my $holder = SicantikWa::Session->new($node, 'odoo');
$holder->sql("BEGIN; SELECT FROM wa.contact WHERE number = '6281255500003' FOR UPDATE");
is(webhook('meta', inbound('6281255500003', 'wamid.h', type => 'text', text => { body => 'STOP' })), '1 0 0', 'of one whose row is held');
told('meta', inbound('6281255500030', 'wamid.h2', type => 'text', text => { body => 'Halo' }));
ok(wait_for("EXISTS (SELECT FROM wa.contact WHERE number = '6281255500030')"), 'another is heard');
ok(wait_for("EXISTS (SELECT FROM wa.consent WHERE number = '6281255500003' AND change = 'opt_out')"), 'and what he wrote counts');
$holder->sql('COMMIT');
$holder->close;
ok(wait_for("(SELECT opted_out_at IS NOT NULL FROM wa.contact WHERE number = '6281255500003') AND NOT EXISTS (SELECT FROM wa.feedback WHERE provider_message_id = 'wamid.h')"), 'his row follows');

# an id without a number, which becomes known later
told('meta', change('messages', { metadata => $metadata, contacts => [ { user_id => 'ID.900' } ], messages => [ { from_user_id => 'ID.900', id => 'wamid.u', timestamp => "$start", type => 'text', text => { body => 'BERHENTI' } } ] }));
is(sql("SELECT number IS NULL FROM wa.consent WHERE user_id = 'ID.900'"), 't', 'STOP with an id alone is kept for the id');
told('meta', change('messages', { metadata => $metadata, contacts => [ { wa_id => '6281255500021', user_id => 'ID.900' } ], messages => [ { from => '6281255500021', from_user_id => 'ID.900', id => 'wamid.v', timestamp => "$start", type => 'image', image => { id => '1' } } ] }));
is(sql("SELECT opted_out_at IS NOT NULL FROM wa.contact WHERE number = '6281255500021'"), 't', 'and counts when the number is known');
# another number: an opt-out moves along
told('meta', change('messages', { metadata => $metadata, messages => [ { from => '6281255500006', id => 'wamid.w', timestamp => "$start", type => 'system',
	system => { type => 'user_changed_number', wa_id => '6281255500022', body => 'x' } } ] }));
is(sql("SELECT opted_out_at IS NOT NULL FROM wa.contact WHERE number = '6281255500022'"), 't', 'who changes his number has opted out there, too');
# marketing
told('meta', change('user_preferences', { metadata => $metadata, contacts => [ { wa_id => '6281255500001' } ], user_preferences => [ { wa_id => '6281255500001', category => 'marketing_messages', value => 'stop', timestamp => $start } ] }));
is(sql("SELECT marketing_out_at IS NOT NULL AND opted_out_at IS NULL FROM wa.contact WHERE number = '6281255500001'"), 't', 'who stops marketing still gets notices');
# a hidden number of a gateway
told('fonnte', { device => $config->{fonnte}{device}, sender => '123456789012345@lid', message => 'STOP', name => 'x', timestamp => $start, inboxid => 0 });
is(sql("SELECT number IS NULL FROM wa.consent WHERE user_id = '123456789012345\@lid'"), 't', 'a hidden number is none');

# the clock that a time is compared with is as exact as the provider's: what is
# told in the first moment of a second keeps that second, or else it would count
# as later than a STOP of the same one
foreach my $nth (1 .. 3)
{
	my $body = encode_json({ device => $config->{fonnte}{device}, sender => '6281255500031', message => "tepat $nth", name => 'x', timestamp => 0, inboxid => $nth });

	sql("DO \$\$ DECLARE second bigint := floor(extract(epoch FROM clock_timestamp())) + 1; BEGIN"
		  . " PERFORM pg_sleep(second - extract(epoch FROM clock_timestamp()) - 0.005); WHILE clock_timestamp() < to_timestamp(second) LOOP END LOOP;"
		  . " PERFORM wa_webhook('fonnte', convert_to(replace(\$body\$$body\$body\$, '\"timestamp\":0', '\"timestamp\":' || second), 'UTF8'), NULL, '$config->{fonnte}{webhook_secret}'); END \$\$");
}
ok(wait_for("(SELECT count(*) = 3 FROM wa.inbound WHERE text LIKE 'tepat _')"), 'told at the beginning of a second');
is(sql("SELECT count(*) FROM wa.inbound WHERE text LIKE 'tepat _' AND said_at = date_trunc('second', received_at)"), '3', 'and kept with that time');

# the office hears that citizens write
my $written = sql('SELECT count(*) FROM wa.inbound');
sql("SELECT wa_set('alert_number', '0812-9000-0009'); SELECT wa_set('inbound', 'notify')");
ok(wait_for("(SELECT count(*) = 1 FROM wa.message WHERE number = '6281290000009' AND state = 'sent')"), 'a text to the office');
like(sql("SELECT body FROM wa.message WHERE number = '6281290000009'"), qr/: $written messages from citizens/, 'the office is told how many have come in');
told('meta', inbound('6281255500002', 'wamid.n2', type => 'text', text => { body => 'Halo?' }));
is(sql("SELECT count(*) FROM wa.message WHERE number = '6281290000009'"), '1', 'once a day');
# the worker is kept out until the second one is there: or it tells of the first alone
sql("BEGIN; LOCK TABLE wa.announced IN ACCESS EXCLUSIVE MODE; UPDATE wa.announced SET announced_at = announced_at - interval '1 day' WHERE key = 'inbound:waiting'; UPDATE wa.inbound SET received_at = received_at - interval '1 day 1 hour' WHERE provider_message_id <> 'wamid.n2'");
is(webhook('meta', inbound('6281255500002', 'wamid.n3', type => 'text', text => { body => 'Pak?' })), '1 0 0', 'told');
sql('COMMIT');
ok(wait_for("(SELECT count(*) = 2 FROM wa.message WHERE number = '6281290000009')"), 'a text on the next day');
like(sql("SELECT body FROM wa.message WHERE number = '6281290000009' ORDER BY id DESC LIMIT 1"), qr/: 2 messages from citizens/, 'and the next day of those since');

$endpoint->close;
$session->close;
$node->stop;
done_testing();

# What providers tell of our accounts: what stops a provider, what ends that, and
# what is only told to people; in whatever order it comes.

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
my $node = new_cluster('main', simulator => $sim);
my $session;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
# what its role may have asked for is nothing to the worker
sql("ALTER ROLE odoo SET sicantik_wa.language = 'id'; ALTER ROLE odoo SET sicantik_wa.level = 'none'");
sql("CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup(); SELECT wa_set('language', 'en')");
foreach my $kind (qw(meta fonnte))
{
	my $name = $kind eq 'meta' ? 'app_secret' : 'webhook_secret';
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "');"
		  . "SELECT wa_configure('$kind', '{\"$name\": \"ACCOUNTSECRET\"}'); SELECT * FROM wa_test_connection('$kind')");
}
sql("SELECT wa_set('alert_number', '6281299990001')");
my $account = sql("SELECT settings ->> 'waba_id' FROM wa.provider WHERE name = 'meta'");
my $last = 0;
# a test is newer than a webhook of the same moment
my $now = sql('SELECT extract(epoch FROM clock_timestamp())::bigint');

# hear($provider, $body): through wa_webhook(), and until it is applied
sub hear
{
	my ($provider, $body) = @_;
	my $data = JSON::PP->new->utf8->canonical->encode($body);
	my $proof = $provider eq 'meta' ? "'sha256=" . hmac_sha256_hex($data, 'ACCOUNTSECRET') . "'" : "NULL, 'ACCOUNTSECRET'";

	is(sql("SELECT wa_webhook('$provider', decode('" . unpack('H*', $data) . "', 'hex'), $proof) ->> 'accepted'"), 1, 'taken');
	ok(wait_for('NOT EXISTS (SELECT FROM wa.feedback WHERE due_at IS NOT NULL)'), 'and applied');
}

# event($seconds, $event, %value): Meta's, of our account, so many seconds ago
sub event
{
	my ($ago, $event, %value) = @_;
	my $of = delete $value{account} || $account;

	hear('meta', { object => 'whatsapp_business_account', entry => [ { id => $of, time => $now - $ago,
		changes => [ { field => 'account_update', value => { event => $event, %value } } ] } ] });
}

sub device
{
	my ($ago, $status) = @_;

	hear('fonnte', { device => '6281255500000', status => $status, timestamp => $now - $ago, reason => 'logged out' });
}

sub state { return sql("SELECT state FROM wa.provider WHERE name = '$_[0]'"); }

sub told { return sql("SELECT coalesce(string_agg(state || ': ' || what_to_do, '|' ORDER BY what_to_do), '') FROM wa_check() WHERE item = 'account $_[0]'"); }

# alerts since the last look: which provider, and what of it
sub alerts
{
	my $all = sql("SELECT coalesce(string_agg(substring(body FROM 'WhatsApp provider \"(\\w+)\"') || ': ' || substring(body FROM E'\\n\\n([^\\n]{0,40})'), '|' ORDER BY id), '') FROM wa.message WHERE created_by = 'sicantik_wa' AND id > $last");

	$last = sql('SELECT coalesce(max(id), 0) FROM wa.message');
	return $all;
}

my %restricted = (restriction_info => [ { restriction_type => 'RESTRICTED_BIZ_INITIATED_MESSAGING', expiration => $now + 86400 } ]);

is(told('meta') . alerts(), '', 'nothing is told');

# stop, and good news under the name of bad ones
event(50, 'ACCOUNT_RESTRICTION', %restricted);
is(state('meta'), 'error', 'a restriction stops the provider');
is(sql("SELECT probe_at = to_timestamp($now + 86400) FROM wa.provider WHERE name = 'meta'"), 't', 'until its end');
like(told('meta'), qr/^warning: Meta lets the account begin no conversations.* until /, 'wa_check() says so');
like(sql("SELECT value || ' ' || detail FROM wa_status() WHERE item = 'account meta'"), qr/^stop Meta lets the account begin no conversations.* until /, 'and wa_status()');
like(alerts(), qr/^meta: Meta lets the account begin no [^|]*$/, 'and alert_number');
event(60, 'ACCOUNT_RESTRICTION', violation_info => { violation_type => 'SPAM_UNBAN' });
is(state('meta'), 'error', 'what happened before ends nothing');
event(40, 'ACCOUNT_RESTRICTION', violation_info => { violation_type => 'SPAM_UNBAN' });
is(state('meta'), 'configured', 'the same event with good news ends it');
is(told('meta'), '', 'and wa_check() is quiet');
like(alerts(), qr/^meta: [^|]+$/, 'good news go to alert_number, once');
event(50, 'ACCOUNT_RESTRICTION', %restricted);
is(state('meta'), 'configured', 'told again, it is old');
event(45, 'DISABLED_UPDATE', ban_info => { waba_ban_state => ['DISABLE'] });
is(state('meta'), 'configured', 'and so is what comes late');
event(39, 'ACCOUNT_RESTRICTION', violation_info => { violation_type => 'SPAM_UNBAN' });
is(alerts(), '', 'nor does anybody get a text about that, or about good news of nothing');

# of another account, for another cause, over already
event(30, 'DISABLED_UPDATE', ban_info => { waba_ban_state => 'DISABLE' }, account => '999');
is(state('meta'), 'configured', 'another account is none of ours');
event(30, 'ACCOUNT_RESTRICTION', restriction_info => [ { restriction_type => 'RESTRICTED_BIZ_INITIATED_MESSAGING', expiration => $now - 5 } ]);
is(state('meta'), 'configured', 'nor does what is over stop anything');
event(25, 'DISABLED_UPDATE', ban_info => { waba_ban_state => 'SCHEDULE_FOR_DISABLE', waba_ban_date => 'July 3' });
is(state('meta'), 'configured', 'an announcement stops nothing');
like(told('meta'), qr/^warning: Meta is going to disable the account \(SCHEDULE_FOR_DISABLE, July 3\)/, 'but is told');
like(alerts(), qr/^meta: Meta is going to disable the [^|]*$/, 'to alert_number, too');
sql("UPDATE wa.provider SET state = 'error', last_error = 'unpaid', last_error_at = now(), probe_at = now() + interval '1 hour' WHERE name = 'meta'");
event(20, 'DISABLED_UPDATE', ban_info => { waba_ban_state => 'REINSTATE' });
is(state('meta'), 'error', 'good news do not end what has another cause');
sql("SELECT * FROM wa_test_connection('meta')");
event(15, 'ACCOUNT_OFFBOARDED');
is(state('meta'), 'error', 'the link is gone');
event(14, 'ACCOUNT_VIOLATION', violation_info => { violation_type => 'SPAM_RECOVERY' });
is(state('meta'), 'error', 'a violation that is forgiven does not bring it back');
sql("SELECT wa_pause('meta')");
event(10, 'ACCOUNT_RECONNECTED');
is(sql("SELECT state || ' ' || (paused_at IS NOT NULL) FROM wa.provider WHERE name = 'meta'"), 'configured true', 'the account is back, the pause stays');
sql("SELECT wa_resume('meta')");
alerts();

# slower: one message in 6 seconds, until its end, or good news
sub slow { return sql("SELECT coalesce(string_agg(value || ': ' || detail, '|'), '') FROM wa_status() WHERE item = 'account meta'"); }
event(9, 'ACCOUNT_RESTRICTION', restriction_info => [ { restriction_type => 'RATE_LIMITED_UTILITY_TEMPLATE_MESSAGING', expiration => $now + 86400 } ]);
is(state('meta'), 'configured', 'a rate limit stops nothing');
like(slow(), qr/^slower: .*, until /, 'wa_status() has it');
like(alerts(), qr/^meta: [^|]+$/, 'alert_number is told');
sql("UPDATE wa.provider SET recipient_gap = '0' WHERE name = 'meta'; SELECT wa_opt_in('628125559000' || n) FROM generate_series(1, 4) AS n; SELECT wa_map_template('permit_ready', 'meta', '{\"name\": \"permit_ready\"}')");
sub two
{
	my ($first) = @_;
	my $params = '{"partner_name": "Ani", "permit_type": "SIUP", "permit_number": "503/9", "issue_date": "01-02-2026", "download_link": "https://x.example/9"}';
	my @ids = map { sql("SELECT wa_send('permit_ready', '628125559000$_', '$params', provider => 'meta')") } ($first, $first + 1);

	ok(wait_for("(SELECT count(*) = 2 FROM wa.message WHERE id IN ($ids[0], $ids[1]) AND state = 'sent')"), 'both are sent') or diag(sql("SELECT string_agg(to_jsonb(m)::text, E'\\n') FROM wa.message AS m WHERE id IN ($ids[0], $ids[1])"));
	return sql("SELECT max(started_at) - min(started_at) >= interval '5.9 s' FROM wa.attempt WHERE message_id IN ($ids[0], $ids[1])");
}
is(two(1), 't', 'messages go, the second one 6 seconds later');
event(8, 'ACCOUNT_RESTRICTION', violation_info => { violation_type => 'UTILITY_TEMPLATE_RECOVERY' });
is(slow(), '', 'it is over');
is(two(3), 'f', 'and they go as before');
alerts();

# a row that somebody holds
my $other = SicantikWa::Session->new($node, 'odoo');
$other->sql("BEGIN; SELECT FROM wa.provider WHERE name = 'meta' FOR UPDATE");
my $data = JSON::PP->new->canonical->encode({ object => 'whatsapp_business_account', entry => [ { id => $account, time => $now - 5,
	changes => [ { field => 'account_update', value => { event => 'X', ban_info => { waba_ban_state => 'DISABLE' } } } ] } ] });
sql("SELECT wa_webhook('meta', decode('" . unpack('H*', $data) . "', 'hex'), 'sha256=" . hmac_sha256_hex($data, 'ACCOUNTSECRET') . "')");
ok(wait_for('(SELECT due_at > received_at FROM wa.feedback WHERE due_at IS NOT NULL)'), 'a row that is held is not waited for');
$other->sql('COMMIT');
ok(wait_for("(SELECT state = 'error' FROM wa.provider WHERE name = 'meta')"), 'but is written later');
like(alerts(), qr/^meta: [^|]+$/, 'and told once');

# devices: the newest time decides
device(20, 'disconnect');
is(state('fonnte'), 'configured', 'a device that has lost its link may come back');
like(told('fonnte'), qr/^warning: Fonnte says that the device has lost its link \(reason: logged out\)/, 'it is told');
is(alerts() =~ tr/|//, 0, 'once');
device(10, 'connect');
is(told('fonnte'), '', 'it is back');
device(15, 'disconnect');
is(told('fonnte'), '', 'what was overtaken is old');
device(5, 'disconnect');
like(told('fonnte'), qr/^warning/, 'and lost again');
like(alerts(), qr/^fonnte: Fonnte says that the device is linked[^|]*$/, 'what is lost again within the hour is not told again');

done_testing();

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
sql("CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup(); SELECT wa_set('language', 'en')");
foreach my $kind (qw(meta fonnte))
{
	my $name = $kind eq 'meta' ? 'app_secret' : 'webhook_secret';
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "');"
		  . "SELECT wa_configure('$kind', '{\"$name\": \"ACCOUNTSECRET\"}'); SELECT * FROM wa_test_connection('$kind')");
}
my $account = sql("SELECT settings ->> 'waba_id' FROM wa.provider WHERE name = 'meta'");
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

my %restricted = (restriction_info => [ { restriction_type => 'RESTRICTED_BIZ_INITIATED_MESSAGING', expiration => $now + 86400 } ]);

is(told('meta'), '', 'nothing is told');

# stop, and good news under the name of bad ones
event(50, 'ACCOUNT_RESTRICTION', %restricted);
is(state('meta'), 'error', 'a restriction stops the provider');
is(sql("SELECT probe_at = to_timestamp($now + 86400) FROM wa.provider WHERE name = 'meta'"), 't', 'until its end');
like(told('meta'), qr/^warning: Meta lets the account begin no conversations.* until /, 'wa_check() says so');
event(60, 'ACCOUNT_RESTRICTION', violation_info => { violation_type => 'SPAM_UNBAN' });
is(state('meta'), 'error', 'what happened before ends nothing');
event(40, 'ACCOUNT_RESTRICTION', violation_info => { violation_type => 'SPAM_UNBAN' });
is(state('meta'), 'configured', 'the same event with good news ends it');
is(told('meta'), '', 'and wa_check() is quiet');
event(50, 'ACCOUNT_RESTRICTION', %restricted);
is(state('meta'), 'configured', 'told again, it is old');
event(45, 'DISABLED_UPDATE', ban_info => { waba_ban_state => ['DISABLE'] });
is(state('meta'), 'configured', 'and so is what comes late');

# of another account, for another cause, over already
event(30, 'DISABLED_UPDATE', ban_info => { waba_ban_state => 'DISABLE' }, account => '999');
is(state('meta'), 'configured', 'another account is none of ours');
event(30, 'ACCOUNT_RESTRICTION', restriction_info => [ { restriction_type => 'RESTRICTED_BIZ_INITIATED_MESSAGING', expiration => $now - 5 } ]);
is(state('meta'), 'configured', 'nor does what is over stop anything');
event(25, 'DISABLED_UPDATE', ban_info => { waba_ban_state => 'SCHEDULE_FOR_DISABLE', waba_ban_date => 'July 3' });
is(state('meta'), 'configured', 'an announcement stops nothing');
like(told('meta'), qr/^warning: Meta is going to disable the account \(SCHEDULE_FOR_DISABLE, July 3\)/, 'but is told');
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

# a row that somebody holds
my $other = SicantikWa::Session->new($node, 'odoo');
$other->sql("BEGIN; SELECT FROM wa.provider WHERE name = 'meta' FOR UPDATE");
my $data = JSON::PP->new->canonical->encode({ object => 'whatsapp_business_account', entry => [ { id => $account, time => $now - 5,
	changes => [ { field => 'account_update', value => { event => 'X', ban_info => { waba_ban_state => 'DISABLE' } } } ] } ] });
sql("SELECT wa_webhook('meta', decode('" . unpack('H*', $data) . "', 'hex'), 'sha256=" . hmac_sha256_hex($data, 'ACCOUNTSECRET') . "')");
ok(wait_for('(SELECT due_at > received_at FROM wa.feedback WHERE due_at IS NOT NULL)'), 'a row that is held is not waited for');
$other->sql('COMMIT');
ok(wait_for("(SELECT state = 'error' FROM wa.provider WHERE name = 'meta')"), 'but is written later');

# devices: the newest time decides
device(20, 'disconnect');
is(state('fonnte'), 'configured', 'a device that has lost its link may come back');
like(told('fonnte'), qr/^warning: Fonnte says that the device has lost its link \(reason: logged out\)/, 'it is told');
device(10, 'connect');
is(told('fonnte'), '', 'it is back');
device(15, 'disconnect');
is(told('fonnte'), '', 'what was overtaken is old');
device(5, 'disconnect');
like(told('fonnte'), qr/^warning/, 'and lost again');

done_testing();

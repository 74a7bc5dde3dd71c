# What people wrote and said, shown: wa_history() and wa_why() in the order of
# time, by record and by person; who they are; which of our numbers may answer.

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
my $node = new_cluster('main', simulator => $sim, conf => 'sicantik_wa.worker_idle_timeout = 3600');
my $session;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0], $ENV{QUICK}); }
sub told { return sql("SELECT what FROM $_[0]"); }

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
$sim->config({ meta => { open_windows => 'any' }});
my $meta = $sim->config->{meta};
my $secret = $meta->{webhook_secret};
sql("SELECT wa_configure('meta', '" . provider_settings($sim, 'meta') . "'); SELECT wa_configure('meta', '{\"app_secret\": \"$secret\"}'); SELECT FROM wa_test_connection('meta')");
no_pacing($node, 'odoo');
sql("UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL; SELECT wa_set('language', 'en'), wa_set('confirm_opt_out', 'off'); SELECT wa_arm('odoo')");

# webhook($field, $value): told by Meta, and applied
my $last_id = 0;
sub webhook
{
	my ($field, $value) = @_;
	my $body = JSON::PP->new->utf8->canonical->encode({ object => 'whatsapp_business_account', entry => [ { id => '1', changes => [ { field => $field, value => $value } ] } ] });

	is(sql("SELECT wa_webhook('meta', decode('" . unpack('H*', $body) . "', 'hex'), 'sha256=" . hmac_sha256_hex($body, $secret) . "') ->> 'accepted'"), '1', 'told');
	return ok(wait_for('NOT EXISTS (SELECT FROM wa.feedback WHERE due_at IS NOT NULL)'), 'and applied');
}
# writes(from => NUMBER, user => ID, to => PHONE_NUMBER_ID, ...): somebody writes, after all that was sent
sub writes
{
	my (%how) = @_;
	my ($from, $user, $to, $text) = delete @how{qw(from user to text)};
	my $contact = { $from ? (wa_id => $from) : (), $user ? (user_id => $user) : () };

	return webhook('messages', { metadata => { phone_number_id => $to // $meta->{phone_number_id}, display_phone_number => '15550001' }, contacts => [$contact],
		messages => [ { $from ? (from => $from) : (), $user ? (from_user_id => $user) : (), id => 'wamid.in' . ++$last_id,
			timestamp => sql('SELECT floor(extract(epoch FROM clock_timestamp()))'), defined $text ? (type => 'text', text => { body => $text }) : (), %how } ] });
}
sub sent
{
	my ($id) = @_;
	ok(wait_for("(SELECT state = 'sent' FROM wa.message WHERE id = $id)"), "message $id is sent") or diag(told("wa_why($id)"));
	# what is told in seconds comes after it
	sql("UPDATE wa.message SET created_at = created_at - interval '1 hour', sent_at = sent_at - interval '59 min' WHERE id = $id");
	return $id;
}

# In the order of time, whoever is asked about

my $number = '6281200000010';    # contact 10, of permit 2
writes(from => $number, text => 'Selamat pagi');
my $permit = sent(sql("SELECT wa_send_text('$number', 'Izin Anda selesai', 'meta')"));
sql("UPDATE wa.message SET res_model = 'sicantik.permit', res_id = 2, partner_id = 10 WHERE id = $permit;
	 UPDATE wa.inbound SET said_at = said_at - interval '2 hours'; UPDATE wa.contact SET last_inbound_at = last_inbound_at - interval '2 hours'");
writes(from => $number, type => 'image', image => { caption => 'Ini fotonya' });
sql("UPDATE wa.inbound SET said_at = said_at - interval '50 min' WHERE kind = 'image'");
my $other = sent(sql("SELECT wa_send_text('$number', 'Hal lain', 'meta')"));
sql("UPDATE wa.message SET created_at = created_at + interval '30 min', sent_at = sent_at + interval '30 min' WHERE id = $other");
writes(from => $number, text => 'Terima kasih', context => { id => sql("SELECT provider_message_id FROM wa.message WHERE id = $permit") });
sql("UPDATE wa.inbound SET said_at = said_at - interval '5 min' WHERE text = 'Terima kasih'");
writes(from => $number, text => 'STOP');
my @story = (
	[ 'p', "number $number wrote by meta: \"Selamat pagi\"" ],
	[ 'pr', "message $permit: -, $number: accepted by the provider (sent), Meta accepted the message." ],
	[ 'pr', "number $number wrote by meta: (image) \"Ini fotonya\"" ],
	[ 'n', "message $other: -, $number: accepted by the provider (sent), Meta accepted the message." ],
	[ 'pr', "number $number wrote by meta in answer to message $permit: \"Terima kasih\"" ],
	[ 'p', "number $number wrote by meta: \"STOP\"" ],
	[ 'pr', "number $number opted out (he wrote it: \"STOP\"): it gets nothing" ]);
sub story { my ($of) = @_; return join "\n", map { $_->[1] } grep { $_->[0] =~ /$of/ } @story; }
sub heard { return join "\n", grep { /^(?:message|number \S+ (?!gets))/ } split /\n/, told("wa_history('$_[0]')"); }
is(heard('0812-0000-0010'), story('[pn]'), 'wa_history() of a number: what was sent, written and said');
is(heard('partner 10'), story('p'), 'of a contact');
is(heard('permit 2'), story('r'), 'of a permit: what was written in answer to its messages, or after them, and a "no" of whom they went to');
is(sql("SELECT count(*) FROM wa_history('partner 10') AS h JOIN wa.inbound AS i ON h.what LIKE '% wrote by %\"' || i.text || '\"%' AND h.at = i.said_at AT TIME ZONE wa._time_zone()"), '4', 'each at its time');
like(told("wa_why($permit)"), qr/^accepted by meta.*\n\Q$story[2][1]\E\n\Q$story[4][1]\E\nstate now/m, 'wa_why() of the message tells the answers');
unlike(told("wa_why($other)"), qr/fotonya|Terima/, 'and no others');
sql("SELECT wa_set('language', 'id')");
like(heard_in('partner 10'), qr/^nomor $number menulis lewat meta menjawab pesan $permit: "Terima kasih"$/m, 'in Indonesian');
sub heard_in { return told("wa_history('$_[0]')"); }
sql("SELECT wa_set('language', 'en')");

# What was written is removed, that he wrote stays; an id that is his
sql("DELETE FROM wa.inbound");
like(heard('0812-0000-0010'), qr/^number $number wrote to us$/m, 'of what was removed it is told that he wrote');
writes(user => 'ID.900', text => 'Ada kabar?');
unlike(heard($number), qr/Ada kabar/, 'what a hidden number wrote is nobody\'s');
sql("SELECT wa_identify('ID.900', '$number')");
like(heard($number), qr/^number $number wrote by meta: "Ada kabar\?"$/m, 'until it is known whose id it is');
$node->safe_psql('odoo', "CREATE ROLE viewer LOGIN; SELECT wa_grant('viewer', 'view')");
unlike($node->safe_psql('odoo', "SELECT what FROM wa_history('$number')", extra_params => [ '-U', 'viewer' ]), qr/$number/, 'level view sees no number');

# Somebody wants nothing, and nobody knows whose id it is

sub checked { return sql("SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = 'consent'"); }
is(checked(), 'ok', 'wa_check() knows of nobody');
writes(user => 'ID.901', text => 'STOP');
my $since = sql("SELECT to_char(said_at AT TIME ZONE wa._time_zone(), 'YYYY-MM-DD HH24:MI:SS') FROM wa.consent WHERE user_id = 'ID.901'");
like(checked(), qr/^warning: somebody said STOP, number unknown: 1 since \Q$since\E.* then SELECT wa_identify\('ID.901', '08\.\.\.'\); all of them: SELECT user_id/, 'an id that said STOP is told, with the statement to type');
sql("SELECT wa_set('language', 'id')");
like(checked(), qr/^warning: ada yang berkata STOP, nomornya tidak diketahui: 1 orang sejak/, 'in Indonesian');
sql("SELECT wa_set('language', 'en')");
writes(user => 'ID.902', text => 'Berhenti');
like(checked(), qr/unknown: 2 since \Q$since\E.*'ID\.902'/, 'two of them');
sql("SELECT wa_identify('ID.901', '0812-5551-0001')");
like(checked(), qr/unknown: 1 since .*'ID\.902'/, 'one is known');
is(sql("SELECT opted_out_at IS NOT NULL FROM wa.contact WHERE number = '6281255510001'"), 't', 'and heard');
sql("UPDATE wa.consent SET noted_at = noted_at - interval '31 days' WHERE user_id = 'ID.902'");
like(checked(), qr/^ok: somebody said STOP/, 'what nobody has found out in a month is told, and no fault');
sql("INSERT INTO wa.consent (user_id, change, said_at) VALUES ('ID.902', 'opt_in', clock_timestamp())");
is(checked(), 'ok', 'nor is it there when he has come back');

# Who shares his number when asked for it proves whose the id is; a card of somebody proves nothing

sub card { my ($origin, $number) = @_; return (type => 'contacts', contacts => [ { origin => $origin, name => { formatted_name => 'Budi' }, phones => [ { phone => "+$number", wa_id => $number } ] } ]); }
sub bound { return sql("SELECT coalesce(string_agg(number, ' ' ORDER BY number), '-') FROM wa.identity_of WHERE user_id = '$_[0]'"); }
writes(user => 'ID.903', card('other', '6281255510003'));
is(bound('ID.903'), '-', 'a card of somebody binds nothing');
writes(user => 'ID.903', text => 'STOP');
sql("SELECT wa_identify('ID.903', '0812-5551-0009')");
writes(user => 'ID.903', card('contact_request', '6281255510003'));
is(bound('ID.903'), '6281255510003', 'a number that he has shared does, and what somebody has typed falls');
is(sql("SELECT opted_out_at IS NOT NULL FROM wa.contact WHERE number = '6281255510003'"), 't', 'what he said counts for it');
writes(user => 'ID.903', card('other', '6281255510004'));
is(bound('ID.903'), '6281255510003', 'another card changes nothing');

# Meta's 24 hours are those of one number of ours.  (The simulator has one; the other is there to be chosen.)

my $second = '999000111222333';
sql("SELECT wa_configure('meta_2', '" . provider_settings($sim, 'meta') =~ s/$meta->{phone_number_id}/$second/r . "');
	 UPDATE wa.provider SET state = 'configured', sequence = 90 WHERE name = 'meta_2'; UPDATE wa.provider SET sequence = 10 WHERE name = 'meta'");
sub chosen { my ($of) = @_; return sql("SELECT coalesce(provider, '-') FROM wa_determine_provider($of, 'permit_ready')"); }
sub explained { return join "\n", grep { /window/ } split /\n/, told("wa_explain('permit_ready', 10, permit_id => 2)"); }
my $window = '6281255519999';
sql("UPDATE res_partner SET whatsapp_number = '$window', whatsapp_opt_in = false, whatsapp_opt_in_date = NULL WHERE id = 10");
is(chosen(10), '-', 'nobody may write');
writes(from => $window, to => $second, text => 'Halo');
is(sql("SELECT string_agg(sender_id, ' ') FROM wa.contact_window WHERE number = '$window'"), $second, 'he has written to the second number');
is(chosen(10), 'meta_2', 'the second number may answer, though the first comes first');
like(explained(), qr/^the person wrote to meta_2 within the last 24 hours: that window is open$/m, 'wa_explain() says which');
my $text = sql("SELECT wa_send_text('$window', 'Halo juga', 'meta')");
ok(wait_for("(SELECT detail LIKE '%free text only within 24 hours%' AND state = 'queued' FROM wa.message WHERE id = $text)"), 'the first does not send free text') or diag(told("wa_why($text)"));
writes(from => $window, text => 'Halo di sini');
is(chosen(10), 'meta', 'when he has written to the first one that one may');
# what waits for a provider is looked at every two minutes, and when one changes
sql("SELECT wa_pause('meta_2'); SELECT wa_resume('meta_2')");
ok(wait_for("(SELECT state = 'sent' AND provider = 'meta' FROM wa.message WHERE id = $text)"), 'and does') or diag(told("wa_why($text)"));
is(sql("SELECT windows ? '$second' AND windows ? '$meta->{phone_number_id}' FROM wa.contact_view WHERE number = '$window'"), 't', 'both are shown');
is(sql("SELECT c.last_inbound_at = max(w.last_inbound_at) FROM wa.contact AS c JOIN wa.contact_window AS w USING (number) WHERE number = '$window' GROUP BY c.last_inbound_at"), 't', 'wa.contact has the last of them');
sql("DELETE FROM wa.contact_window");
is(chosen(10), 'meta', 'what somebody has noted in wa.contact opens every one');
like(explained(), qr/^the person wrote within the last 24 hours: the window is open$/m, 'wa_explain() says so');
# an id that is known
sql("UPDATE res_partner SET whatsapp_number = '6281255510003' WHERE id = 10; SELECT wa_opt_in('6281255510003'); UPDATE wa.contact SET opted_in_at = NULL, opted_out_at = NULL, last_inbound_at = NULL WHERE number = '6281255510003'");
is(chosen(10), '-', 'nobody may write to another');
writes(user => 'ID.903', to => $second, text => 'Halo');
is(chosen(10), 'meta_2', 'until he writes, whose number is hidden and known');

$session->close;
$node->stop;
$sim->stop;
done_testing();

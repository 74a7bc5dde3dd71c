# Who has not agreed is asked by a gateway, with the link by which he agrees: once
# in a while, and nobody who has refused.

use strict;
use warnings;

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
sub invite { return sql("SELECT concat_ws(': ', CASE WHEN message_id IS NOT NULL THEN 'made' END, what) FROM wa_invite($_[0])"); }
sub error { return ($node->psql('odoo', $_[0]))[2]; }
sub partner
{
	my ($id, $number, $more) = @_;

	sql("INSERT INTO res_partner (id, name, phone, active) VALUES ($id, 'Budi', '$number', true)");
	sql("UPDATE res_partner SET $more WHERE id = $id") if $more;
	return;
}
sub asked
{
	my ($number) = @_;
	return join ' ', map { $_->{provider} } grep { ($_->{to} // '') eq $number } $sim->sends;
}
my $agrees = 'the contact has agreed to messages already';
my $made = 'made: the invitation is queued, by provider fonnte';

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_set('language', 'en'), wa_set('office_name', 'DPMPTSP Karo')");
partner(9101, '0812-9000-0001');

# What is missing is said

like(error('SELECT wa_invite(9101)'), qr/number that people write to is not known of provider "meta"/, 'the official number is to be known');
sql("SELECT wa_configure('meta', '" . provider_settings($sim, 'meta') . "'), wa_configure('meta', '{\"own_number\": \"0812-3456-7001\"}')");
is(invite(9101), 'no gateway can be used now, and an official provider may not write first', 'without a gateway nobody is invited');
sql("SELECT FROM wa_test_connection('meta')");
is(invite(9101), 'no gateway can be used now, and an official provider may not write first', 'nor by Meta');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");
like(error("SELECT wa_invite(9101, 'meta')"), qr/ERROR:  provider "meta" is no gateway/, 'Meta is no gateway');
like(error("SELECT wa_invite(9101, 'wawa')"), qr/ERROR:  provider "wawa" does not exist/, 'an unknown one');
like(error('SELECT wa_invite(123)'), qr/ERROR:  partner 123 does not exist/, 'an unknown contact');
is(sql('SELECT count(*) FROM wa.message'), '0', 'nobody has got anything so far');

# It goes by the gateway, though the person may be written to at Meta's number now

sql("INSERT INTO wa.contact (number, last_inbound_at) VALUES ('6281290000001', now())");
is(invite(9101), $made, 'a contact is invited');
my $id = sql('SELECT max(id) FROM wa.message');
ok(wait_for("(SELECT state FROM wa.message WHERE id = $id) = 'sent'"), 'it goes');
is(asked('6281290000001'), 'fonnte', 'by the gateway');
my $link = sql("SELECT wa_opt_in_link('meta')");
like(sql("SELECT body FROM wa.message WHERE id = $id"), qr/\AKami dapat mengabarkan .*\n\n\Q$link\E\n\nDPMPTSP Karo\z/, 'with the link');
is(sql("SELECT priority || ' ' || partner_id || ' ' || created_by FROM wa.message WHERE id = $id"), 'low 9101 ' . sql('SELECT session_user'), 'in the ledger it is a message by hand');

# Once in a while, for the number

like(invite(9101), qr/^the number was invited already: message $id, \d{4}-/, 'not twice');
partner(9102, '+62 812 9000 0001');
like(invite(9102), qr/^the number was invited already: message $id, /, 'nor is another contact with the number');
sql("UPDATE wa.message SET created_at = created_at - interval '20 days' WHERE id = $id");
like(invite(9101), qr/^the number was invited already/, 'nor after 20 days');
sql("SELECT wa_set('invite_interval', '19 days'), wa_set('invite_text', 'Ikut kami:')");
is(invite(9101), $made, 'when the time is over, once more');
is(sql("SELECT body FROM wa.message WHERE id = (SELECT max(id) FROM wa.message)"), "Ikut kami:\n\n$link\n\nDPMPTSP Karo", 'in the words of the office');

# Two who do not see each other

my $other = SicantikWa::Session->new($node, 'odoo');
partner(9103, '0812-9000-0003');
$other->sql('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM res_partner LIMIT 1');
is(invite(9103), $made, 'one');
is($other->sql('SELECT message_id IS NOT NULL FROM wa_invite(9103)'), 't', 'and another one that has not seen it');
$other->sql('COMMIT');
ok(wait_for("(SELECT string_agg(concat_ws(' ', state, reason), ', ' ORDER BY id) FROM wa.message WHERE partner_id = 9103) = 'sent, skipped duplicate'"), 'one goes')
  or diag(sql("SELECT state, reason, dedupe_key FROM wa.message WHERE partner_id = 9103"));
$other->close;

# One that came to nothing is no invitation

partner(9104, '0812-9000-0004');
sql("SELECT wa_pause()");
is(invite(9104), 'no gateway can be used now, and an official provider may not write first', 'a paused gateway is none');
is(sql("SELECT count(message_id) FROM wa_invite(9104, 'fonnte')"), '1', 'unless it is asked for by its name');
like(invite(9104), qr/^the number was invited already/, 'that counts');
sql("SELECT wa_cancel(max(id)) FROM wa.message");
ok(wait_for("(SELECT state FROM wa.message WHERE partner_id = 9104) = 'cancelled'"), 'until it is cancelled');
sql('SELECT wa_resume()');
is(invite(9104), $made, 'then there may be another one');
ok(wait_for("(SELECT state FROM wa.message WHERE partner_id = 9104 ORDER BY id DESC LIMIT 1) = 'sent'"), 'which goes');

# Not who has agreed, or refused, in whatever way

partner(9105, '0812-9000-0005', 'whatsapp_opt_in = true');
is(invite(9105), $agrees, 'agreed in Odoo');
partner(9106, '0812-9000-0006');
sql("SELECT wa_opt_in('081290000006')");
is(invite(9106), $agrees, 'agreed by word');
sql("SELECT wa_opt_out('081290000006')");
is(invite(9106), 'the number has opted out', 'said STOP after that');
partner(9107, '0812-9000-0007', "whatsapp_opt_in_date = '2026-01-01'");
is(invite(9107), 'the contact has opted out in Odoo', 'refused in Odoo');
partner(9108, '0812-9000-0007');
is(invite(9108), 'another contact with this number has opted out in Odoo', 'another contact has');
partner(9109, '0812-9000-0009');
sql("INSERT INTO phone_blacklist (id, number, active) VALUES (91, '+6281290000009', true)");
is(invite(9109), 'the number is on Odoo\'s blacklist', 'on the blacklist');
partner(9110, 'tidak ada');
is(invite(9110), 'no usable number in whatsapp_number (empty), phone (empty), phone_sanitized (empty)', 'without a number');
is(sql("SELECT count(*) FROM wa.message WHERE partner_id BETWEEN 9105 AND 9110"), '0', 'nothing of that is in the ledger');

# He says STOP before it goes
partner(9111, '0812-9000-0011');
sql('SELECT wa_pause()');
sql("SELECT FROM wa_invite(9111, 'fonnte')");
sql("SELECT wa_opt_out('081290000011'); SELECT wa_resume()");
ok(wait_for("(SELECT concat_ws(' ', state, reason) FROM wa.message WHERE partner_id = 9111) = 'skipped opted_out'"), 'who refuses before it goes gets none');

$session->close;
$node->stop;
done_testing();

# Messages to people of whom only an id is known: off, then by Meta alone, never
# where the number is known, and to nobody who has said no.

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
sub error { return ($node->psql('odoo', $_[0]))[2]; }
sub told { return sql("SELECT what FROM $_[0]"); }
sub ends { return ok(wait_for("(SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = $_[0]) = '$_[1]'"), $_[2]) || diag(told("wa_why($_[0])")); }

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
my $other = SicantikWa::Session->new($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
$sim->config({ meta => { open_windows => 'any' }});
my $meta = $sim->config->{meta};
foreach my $kind (qw(fonnte watzap meta))
{
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "'); SELECT FROM wa_test_connection('$kind')");
}
sql("SELECT wa_configure('meta', '{\"app_secret\": \"$meta->{webhook_secret}\"}'); SELECT wa_map_template('permit_ready', 'meta', '{\"name\": \"permit_ready\"}')");
no_pacing($node, 'odoo');
sql("SELECT wa_set('language', 'en'), wa_set('confirm_opt_out', 'off'), wa_arm('odoo')");

# writes($id, $text, %more): somebody who hides his number writes to Meta's.  Each
# time a second later: in one second a STOP beats a START.
my $last = 0;
my $start = sql('SELECT floor(extract(epoch FROM clock_timestamp()))') - 60;
sub writes
{
	my ($user, $text, %more) = @_;
	my $body = JSON::PP->new->utf8->canonical->encode({ object => 'whatsapp_business_account', entry => [ { id => '1', changes => [ { field => 'messages', value => {
		metadata => { phone_number_id => $meta->{phone_number_id}, display_phone_number => '15550001' }, contacts => [ { user_id => $user, %more } ],
		messages => [ { from_user_id => $user, id => 'wamid.in' . ++$last, timestamp => $start + $last, type => 'text', text => { body => $text } } ] } } ] } ] });

	is(sql("SELECT wa_webhook('meta', decode('" . unpack('H*', $body) . "', 'hex'), 'sha256=" . hmac_sha256_hex($body, $meta->{webhook_secret}) . "') ->> 'accepted'"), '1', "$user: $text");
	return ok(wait_for('NOT EXISTS (SELECT FROM wa.feedback WHERE due_at IS NOT NULL)'), 'and heard');
}
# What went out for this recipient: provider, and the request's body.
sub went { my ($to) = @_; return map { [ $_->{provider}, $_->{body} ] } grep { ($_->{to} // '') eq $to } $sim->sends; }
sub providers { return join ' ', map { $_->[0] } went($_[0]); }
my $params = '{"permit_type": "SIUP", "permit_number": "503/9", "issue_date": "01-02-2026", "download_link": "https://x.example/9", "partner_name": "Budi"}';

# Off

like(error("SELECT wa_send_text('ID.100', 'Yth. Budi')"), qr/ERROR:  no provider writes to somebody of whom only an id is known\n.*"ID\.100".*\nHINT:  .*wa_identify\('ID\.100'.*send_to_ids/s, 'off: an error that says what to do');
like(error("SELECT wa_send('permit_ready', 'ID.100', '$params')"), qr/ERROR:  no provider writes/, 'for a template too');
is(sql('SELECT count(*) FROM wa.message'), '0', 'nothing is queued');
sql("SELECT wa_configure('meta', '{\"send_to_ids\": true}'); SELECT FROM wa_test_connection('meta')");
like(error("SELECT wa_send_text('ID.100', 'Yth. Budi', 'fonnte')"), qr/ERROR:  provider "fonnte" does not write to somebody/, 'on: a gateway never does');
like(error("SELECT wa_send_text('ID.100-1', 'Yth. Budi')"), qr/cannot be a mobile number/, 'what is no id is no number either');

# On: who has never written gets nothing, who has is answered, and by nobody else

my $id = sql("SELECT wa_send_text('ID.100', 'Yth. Budi')");
ok(wait_for("(SELECT reason = 'no_provider' FROM wa.message WHERE id = $id)"), 'who has not written within 24 hours gets no free text');
my $why = sql("SELECT detail FROM wa.message WHERE id = $id");
like($why, qr/not meta: free text only within 24 hours/, 'the reason: Meta\'s window');
like($why, qr/not $_: it cannot write to somebody of whom only an id is known/, "and what $_ cannot") foreach qw(fonnte watzap);
my $template = sql("SELECT wa_send('permit_ready', 'ID.100', '$params')");
ok(wait_for("(SELECT detail LIKE '%not meta: no opt-in%' FROM wa.message WHERE id = $template)"), 'nor a template, without having agreed');
writes('ID.100', 'Halo');
# what waits for a provider is looked at every two minutes, and when one changes
sql("SELECT wa_pause('watzap'); SELECT wa_resume('watzap')");
ends($id, 'sent', 'when he has written, it goes');
ends($template, 'sent', 'the template as well');
is(providers('ID.100'), 'meta meta', 'both by Meta');
my ($text) = map { decode_json($_->[1]) } (went('ID.100'))[0];
my ($filled) = map { decode_json($_->[1]) } (went('ID.100'))[1];
($text, $filled) = ($filled, $text) if $text->{type} ne 'text';
is_deeply([ $text->{recipient}, $text->{to}, $text->{recipient_type}, $text->{type} ], [ 'ID.100', undef, 'individual', 'text' ], 'the wire has recipient, and no to');
is_deeply([ $filled->{recipient}, exists $filled->{to}, $filled->{template}{name} ], [ 'ID.100', !!0, 'permit_ready' ], 'for the template too');
is(sql("SELECT number || ' ' || number_source FROM wa.message WHERE id = $id"), 'ID.100 given', 'the ledger has the id');
like(told("wa_history('ID.100')"), qr/^somebody with the id ID\.100, whose number is hidden, wrote by meta: "Halo"$/m, 'wa_history() of the id: what he wrote');
like(told("wa_history('ID.100')"), qr/^message $id: -, ID\.100: accepted/m, 'and what he got');

# 131062: it ends, and nobody else is asked

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131062, times => 1 });
$id = sql("SELECT wa_send_text('ID.100', 'Yth. Budi')");
ends($id, 'failed recipient', 'what Meta does not send to ids has failed');
is(sql("SELECT string_agg(provider || ' ' || provider_code, ', ') FROM wa.attempt WHERE message_id = $id"), 'meta 131062', 'at once, and by nobody else');
$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131008, times => 1 });
$id = sql("SELECT wa_send_text('ID.100', 'Yth. Budi')");
ends($id, 'failed request', 'another refusal ends it as well');
is(sql("SELECT string_agg(provider, ', ') FROM wa.attempt WHERE message_id = $id"), 'meta', 'since the id is no other\'s');

# STOP by the id: what waits, and what is claimed, does not go

sql('SELECT wa_pause()');
$id = sql("SELECT wa_send_text('ID.100', 'Yth. Budi')");
ok(wait_for("(SELECT reason = 'no_provider' FROM wa.message WHERE id = $id)"), 'it waits');
writes('ID.100', 'STOP');
sql('SELECT wa_resume()');
ends($id, 'skipped opted_out', 'STOP stops it');
like(told("wa_why($id)"), qr/ID\.100 opted out \(he wrote it: "STOP"\)/, 'wa_why() tells who said it');
$id = sql("SELECT wa_send_text('ID.100', 'Yth. Budi')");
is(sql("SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = $id"), 'skipped opted_out', 'nor is a new one queued');
writes('ID.100', 'START');
$id = sql("SELECT wa_send_text('ID.100', 'Yth. Budi')");
ends($id, 'sent', 'START returns');

sql('CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN'
	  . ' WHILE NOT pg_try_advisory_xact_lock(110) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN NULL; END $$;'
	  . " CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON wa.message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'sending')"
	  . ' EXECUTE FUNCTION slow_commit()');
my $sends = scalar went('ID.100');
$other->sql('BEGIN; SELECT pg_advisory_xact_lock(110)');
$id = sql("SELECT wa_send_text('ID.100', 'Yth. Budi')");
ok(wait_for("EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND wait_event = 'PgSleep')"), 'claimed, and not committed');
is(sql("SELECT wa_opt_out('ID.100')"), 'written down for ID.100', 'he says it by telephone');
$other->sql('COMMIT');
ends($id, 'skipped opted_out', 'between the claim and the wire it is heard');
is(scalar went('ID.100'), $sends, 'nothing left');
sql('DROP TRIGGER slow ON wa.message; DROP FUNCTION slow_commit()');

# Whose number is known gets it there; of one that becomes known while a message waits, the number's "no" counts

writes('ID.200', 'Halo', wa_id => '6281255570200');
$id = sql("SELECT wa_send_text('ID.200', 'Yth. Budi', 'fonnte')");
ends($id, 'sent', 'an id whose number is known');
is(sql("SELECT number || ' ' || number_source FROM wa.message WHERE id = $id"), '6281255570200 identity_of', 'goes to the number');
is(providers('6281255570200') . '/' . providers('ID.200'), 'fonnte/', 'by any provider');
writes('ID.300', 'Halo');
sql('SELECT wa_pause()');
$id = sql("SELECT wa_send_text('ID.300', 'Yth. Budi')");
ok(wait_for("(SELECT reason = 'no_provider' FROM wa.message WHERE id = $id)"), 'one waits for an id');
sql("SELECT wa_opt_out('0812-5557-0300'); SELECT wa_identify('ID.300', '0812-5557-0300'); SELECT wa_resume()");
ends($id, 'skipped opted_out', 'which turns out to be a number that wants nothing');
is(providers('ID.300'), '', 'nothing went there');
is(join(' ', grep { /\./ } map { $_->{to} // '' } ($sim->sends('fonnte'), $sim->sends('watzap'))), '', 'no gateway has ever been given an id');

# Switched off while it waits

writes('ID.400', 'Halo');
sql('SELECT wa_pause()');
$id = sql("SELECT wa_send_text('ID.400', 'Yth. Budi')");
sql("SELECT wa_configure('meta', '{\"send_to_ids\": null}'); SELECT FROM wa_test_connection('meta'); SELECT wa_resume()");
ok(wait_for("(SELECT detail LIKE '%not meta: it writes to somebody of whom only an id is known if its setting \"send_to_ids\" is true%' FROM wa.message WHERE id = $id)"), 'switched off again, it waits and says why');

$_->close foreach $session, $other;
$node->stop;
$sim->stop;
done_testing();

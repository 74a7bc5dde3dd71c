# Templates at Meta: the list read page by page, by hand and by the worker; what
# it says of mappings; one made there; what cannot be read.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub mapping { return sql("SELECT $_[1] FROM wa.template_mapping WHERE template_key = '$_[0]' AND provider = 'meta'"); }
sub check { return sql("SELECT coalesce(string_agg(state || ' ' || coalesce(what_to_do, ''), E'\\n'), '') FROM wa_check() WHERE item IN ('mappings', 'templates of meta')"); }
sub template { my ($name, %settings) = @_; return $sim->config({ meta => { templates => { $name => \%settings } } }); }
sub synced { return sql("SELECT coalesce(status, '-') || ' ' || coalesce(provider_status, '-') || ' ' || coalesce(detail, '') FROM wa_sync_templates('meta') WHERE template_key = '$_[0]'"); }
sub list_calls { return scalar grep { ($_->{path} // '') =~ /message_templates/ } $sim->journal; }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
sql("SELECT wa_set('language', 'en')");
sql("SELECT wa_configure('meta', '" . provider_settings($sim, 'meta') . "')");
is(sql("SELECT state FROM wa_test_connection('meta')"), 'configured', 'Meta is ready');
sql("SELECT wa_map_template(key, 'meta', jsonb_build_object('name', key)) FROM wa.template");
is(sql('SELECT count(*) FROM wa.template_mapping'), '7', 'the seven templates are mapped');
sql("UPDATE res_partner SET whatsapp_number = '081234567890', whatsapp_opt_in = true, whatsapp_opt_in_date = now() WHERE id = 1");
is(list_calls(), 0, 'no list is read at once');

# By hand, over several pages

$sim->config({ meta => { template_page => 3 } });
is(sql("SELECT count(*) FROM wa_sync_templates() WHERE template_key IS NOT NULL AND status = 'approved' AND provider_status = 'APPROVED' AND detail IS NULL"),
	'7', 'all that fit are approved');
cmp_ok(list_calls(), '>=', 5, 'page by page');
is(sql("SELECT count(*) FROM wa_sync_templates('meta') WHERE template_key IS NULL AND status IS NULL AND name = 'hello_world'"), '2',
	'what is not mapped is told too, one row a language');
is(mapping('permit_ready', "provider_status || ' ' || provider_category || ' ' || quality || ' ' || (synced_at > now() - interval '1 minute')"),
	'APPROVED UTILITY UNKNOWN true', 'and what the provider says is kept');
is(sql('SELECT due_at > now() + interval \'23 hours\' AND last_error IS NULL FROM wa.template_sync'), 't', 'the next time tomorrow');
is(check(), "ok \nok ", 'nothing to say of them');

# What does not fit

template('permit_ready', count => 4);
like(synced('permit_ready'), qr/^error APPROVED The template takes 4 parameters at Meta, and the mapping has 5\.$/, 'another number of parameters');
like(check(), qr/^error template "permit_ready" is not used with meta.*takes 4 parameters at Meta/m, 'wa_check() says so');
like(sql("SELECT reason FROM wa_determine_provider(1, 'permit_ready')"), qr/not meta: it has refused this template: The template takes 4 parameters/, 'and the route');
unlike(check(), qr/^ok [^\n]*permit_ready/m, 'never ok');
template('permit_ready', count => 5);
like(synced('permit_ready'), qr/^approved APPROVED $/, 'well again by itself');

template('permit_ready', parameter_format => 'NAMED', parameters => [qw(permit_number permit_type partner_name issue_date)]);
like(synced('permit_ready'), qr/^approved APPROVED $/, 'names are taken over');
is(mapping('permit_ready', "format || ' ' || array_to_string(parameters, ',')"), 'named permit_number,permit_type,partner_name,issue_date', 'as the provider has them');
template('permit_ready', parameter_format => 'NAMED', parameters => [qw(partner_name nomor)]);
like(synced('permit_ready'), qr/^error APPROVED The template at Meta takes parameter "nomor", which the mapping does not have\.$/, 'a name that is none of ours');
template('permit_ready', count => 4);
like(synced('permit_ready'), qr/^error APPROVED The template at Meta takes its parameters by position/, 'positions are not guessed');
sql("SELECT wa_map_template('permit_ready', 'meta', '{\"format\": \"positional\", \"parameters\": null}')");
template('permit_ready', count => 5, header => 'document');
like(synced('permit_ready'), qr/^error APPROVED The template at Meta has a variable in its HEADER/, 'a header that nobody fills');
template('permit_ready', count => 5, language => [ 'en_US', 'ms' ]);
like(synced('permit_ready'), qr/^error - Meta has template "permit_ready" not in language id, but in en_US, ms\.$/, 'another language');
template('permit_ready', count => 5, status => 'REJECTED', rejected_reason => 'TAG_CONTENT_MISMATCH');
like(synced('permit_ready'), qr/^error REJECTED Meta has the template in state REJECTED \(TAG_CONTENT_MISMATCH\)\.$/, 'rejected, with the reason');
template('permit_ready', count => 5, status => 'ARCHIVED');
like(synced('permit_ready'), qr/^error ARCHIVED Meta has archived the template.*28 days later/, 'archived');
template('permit_ready', count => 5, status => 'SOMETHING_NEW');
like(synced('permit_ready'), qr/^error SOMETHING_NEW/, 'what nobody knows is no approval');
$sim->config({ meta => { templates => { permit_ready => undef } } });
like(synced('permit_ready'), qr/^error - Meta has no template "permit_ready"\.$/, 'not there');
template('permit_ready', count => 5, category => 'MARKETING', quality => 'RED', correct_category => 'AUTHENTICATION');
like(synced('permit_ready'), qr/^approved APPROVED Meta announces that its category becomes AUTHENTICATION$/, 'there again');
my $check = check();
like($check, qr/^warning template "permit_ready" is UTILITY here and MARKETING at Meta/m, 'approved as MARKETING');
like($check, qr/^warning template "permit_ready": Meta announces that its category becomes AUTHENTICATION/m, 'an announced category');
like($check, qr/^warning template "permit_ready" is rated RED by Meta/m, 'a bad rating');
unlike($check, qr/^error/m, 'no error');
sql("INSERT INTO wa.contact (number, marketing_out_at) VALUES ('6281234567890', now() - interval '1 day') ON CONFLICT (number) DO UPDATE SET marketing_out_at = excluded.marketing_out_at, opted_in_at = now()");
like(sql("SELECT provider || ' ' || reason FROM wa_determine_provider(1, 'reminder')"), qr/^meta /, 'who wants no marketing gets what is none');
like(sql("SELECT reason FROM wa_determine_provider(1, 'permit_ready')"), qr/not meta: it takes this template for marketing/, 'and nothing by a template that Meta takes for marketing');
sql("DELETE FROM wa.contact WHERE number = '6281234567890'");
template('permit_ready', count => 5);

# A draft is nobody's promise
sql("SELECT wa_map_template('reminder', 'meta', '{\"status\": \"draft\"}')");
like(synced('reminder'), qr/^draft APPROVED/, 'a draft stays one');

# What a message has met, and the list does not explain
sql("UPDATE wa.template_mapping SET status = 'error', last_error = 'refused' WHERE template_key = 'status_update'");

# By the worker

sub due { sql("UPDATE wa.template_sync SET due_at = now(), synced_at = NULL; UPDATE wa.provider SET name = name WHERE name = 'meta'"); }
template('document_pending', count => 5, status => 'PAUSED');
sql("SELECT wa_set('alert_number', '081299990000')");
sql("SELECT wa_arm('odoo')");
is(sql('SELECT due_at > now() + interval \'23 hours\' FROM wa.template_sync'), 't', 'not due yet');
due();
ok(wait_sql($node, 'odoo', "SELECT synced_at IS NOT NULL AND due_at > now() + interval '23 hours' FROM wa.template_sync"), 'the worker reads the list when it is due');
is(mapping('document_pending', "status || ' ' || provider_status"), 'error PAUSED', 'and stops what is paused');
is(mapping('status_update', 'status'), 'error', 'an error that a message has met stays');
is(sql("SELECT count(*) FROM wa.message WHERE created_by = 'sicantik_wa' AND body LIKE '%document_pending%'"), '1', 'somebody is told');
like(synced('status_update'), qr/^approved APPROVED/, 'until a person asks');
template('document_pending', count => 5);
due();
ok(wait_sql($node, 'odoo', "SELECT status = 'approved' FROM wa.template_mapping WHERE template_key = 'document_pending'"), 'the end of a pause is seen');

# A list that cannot be read

{
	$sim->config({ meta => { tokens => ['another'] } });
	like(sql("SELECT status || ': ' || detail FROM wa_sync_templates('meta')"), qr/^error: .*190/, 'no right to read it');
	like(check(), qr/^warning the list of meta could not be read: .*190/m, 'wa_check() says so');
	is(mapping('permit_ready', 'status'), 'approved', 'that changes no mapping');
	is(sql("SELECT failures || ' ' || (due_at BETWEEN now() AND now() + interval '6 minutes') FROM wa.template_sync"), '1 true', 'it is tried again in a while');
	$sim->config({ meta => { tokens => ['EAADEMOMETATOKEN'] } });
	$sim->fault({ provider => 'meta', kind => 'status', status => 400, times => 1, match => { endpoint => 'test' },
		body => '{"error":{"message":"no EAADEMOMETATOKEN here","code":80008}}' });
	like(sql("SELECT status || ': ' || detail FROM wa_sync_templates('meta')"), qr/^error: .*too many calls.*80008: no \*\*\* here/, 'the rate limit is said, the token is not');
	$sim->fault({ provider => 'meta', kind => 'status', status => 200, times => 1, match => { endpoint => 'test' },
		body => '{"data":[{"name":"permit_ready","language":"id","status":"REJECTED","rejected_reason":"of EAADEMOMETATOKEN"}]}' });
	like(synced('permit_ready'), qr/^error REJECTED .*of \*\*\*/, 'nor as a reason');
	unlike(slurp_file($node->logfile) =~ s/STATEMENT:.*|statement:.*//gr, qr/EAADEMOMETATOKEN here|of EAADEMO/, 'nor in the log');
	is(sql("SELECT count(*) FROM wa_sync_templates('meta') WHERE status = 'error'"), '0', 'readable again');
	unlike(check(), qr/could not be read/, 'and nothing is said any more');
}

# One that is made there

sql("SELECT wa_set_template('sapaan', '{\"body\": \"Yth. {{partner_name}}, permohonan {{pendaftaran_id}} telah kami terima dengan baik. Terima kasih.\"}')");
is(sql("SELECT wa_submit_template('sapaan') ->> 'status'"), 'draft', 'submitted');
is(mapping('sapaan', "name || ' ' || format || ' ' || provider_status || ' ' || provider_category"), 'sapaan named PENDING UTILITY', 'it waits for approval');
like(check(), qr/^ok template "sapaan" waits for approval \(PENDING\)/m, 'wa_check() knows');
like(sql("SELECT reason FROM wa_determine_provider(1, 'sapaan')"), qr/not meta: its template is not approved yet: PENDING/, 'and the route');
like(synced('sapaan'), qr/^draft PENDING/, 'a list that says so changes nothing');
my ($code, $out, $err) = $node->psql('odoo', "SELECT wa_submit_template('sapaan')");
like($err, qr/did not take template "sapaan": .*100\/2388024.*already content/, 'it is there already');
is(mapping('sapaan', 'status'), 'draft', 'that changes nothing');
template('sapaan', parameter_format => 'NAMED', parameters => [qw(partner_name pendaftaran_id)]);
like(synced('sapaan'), qr/^approved APPROVED/, 'approved: it is used by itself');
$sim->config({ meta => { new_template_status => 'APPROVED', new_template_category => 'MARKETING' } });
sql("SELECT wa_set_template('iklan', '{\"body\": \"Yth. {{partner_name}}, layanan kami buka hari Sabtu ini. Terima kasih.\"}')");
($code, $out, $err) = $node->psql('odoo', "SELECT wa_submit_template('iklan') ->> 'status'");
is($out, 'approved', 'approved at once');
like($err, qr/WARNING:.*takes template "iklan" as MARKETING, not as UTILITY/, 'in another category');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_set_template('awal', '{\"body\": \"{{partner_name}}, permohonan Saudara telah kami terima dengan baik.\"}'); SELECT wa_submit_template('awal')");
like($err, qr/would not approve.*begins with a variable.*did not take template "awal": .*100\/2388299/s, 'what breaks a rule');
is(sql("SELECT count(*) FROM wa.template_mapping WHERE template_key = 'awal'"), '0', 'is not noted');
like(decode_json(sql("SELECT wa_template_export('sapaan')"))->{components}[0]{example}{body_text_named_params}[0]{example}, qr/^\w/, 'the JSON to paste has examples');

# Told by webhooks: it holds at once, and the list is read again

sql("SELECT wa_configure('meta', '{\"app_secret\": \"rahasia\"}')");
is(sql("SELECT state FROM wa_test_connection('meta')"), 'configured', 'Meta is ready again');
my $clock = time;

# A webhook about a template: the event, seconds from now, what else it says.
sub told
{
	my ($field, $later, %value) = @_;
	my $body = encode_json({ object => 'whatsapp_business_account', entry => [ { id => '102290129340398', time => $clock + $later,
		changes => [ { field => $field, value => { message_template_id => 5, message_template_name => 'permit_ready', message_template_language => 'id', %value } } ] } ] });
	my $hex = unpack('H*', $body);
	return sql("SELECT wa_webhook('meta', '\\x$hex', 'sha256=" . hmac_sha256_hex($body, 'rahasia') . "') ->> 'accepted'");
}
sub becomes { return ok(wait_sql($node, 'odoo', "SELECT $_[0] FROM wa.template_mapping WHERE template_key = 'permit_ready'"), $_[1]); }
sub applied { return wait_sql($node, 'odoo', 'SELECT count(*) = 0 FROM wa.feedback'); }

# the list cannot be read meanwhile: events alone
$sim->config({ meta => { tokens => ['another'] } });
sql("UPDATE wa.template_mapping SET status = 'approved', synced_at = NULL, told_at = NULL WHERE template_key = 'permit_ready'; UPDATE wa.template_sync SET due_at = now() + interval '1 day'");
is(told('message_template_status_update', -90, event => 'PAUSED', reason => 'NONE', other_info => { title => 'FIRST_PAUSE' }), '1', 'a webhook about a template');
becomes("status || provider_status = 'errorPAUSED' AND last_error = 'Meta has the template in state PAUSED.'", 'a paused template is not used');
ok(wait_sql($node, 'odoo', "SELECT due_at < now() + interval '5 minutes' OR failures > 0 FROM wa.template_sync"), 'the list is wanted');
told('message_template_status_update', -95, event => 'APPROVED');
ok(applied(), 'what had happened before');
is(mapping('permit_ready', 'status'), 'error', 'is no news');
told('message_template_status_update', -80, event => 'PAUSED', other_info => { title => 'UNPAUSE' });
becomes("status = 'approved' AND last_error IS NULL", 'the end of a pause');
foreach my $word (qw(REJECTED DISABLED IN_APPEAL LOCKED LIMIT_EXCEEDED ARCHIVED PENDING PENDING_DELETION DELETED))
{
	told('message_template_status_update', -70, event => $word);
	told('message_template_status_update', -70, event => 'REINSTATED') if $word eq 'LOCKED';
	applied();
	is(mapping('permit_ready', "status || ' ' || provider_status"), $word eq 'LOCKED' ? 'approved REINSTATED' : "error $word", $word);
}
like(check(), qr/^error template "permit_ready" is not used with meta.*deleted/m, 'wa_check() says so');
told('message_template_status_update', -60, event => 'FLAGGED', disable_info => { disable_date => 'DATE-X' });
becomes("status = 'approved' AND provider_note LIKE '%flagged%DATE-X%'", 'a flagged one can be used');
like(check(), qr/^warning template "permit_ready": Meta has flagged it.*DATE-X/m, 'with a warning');
told('message_template_status_update', -50, event => 'UNPAUSED');
becomes("provider_status = 'UNPAUSED'", 'an unknown word');
is(mapping('permit_ready', 'status'), 'approved', 'changes nothing');
told('template_category_update', -40, correct_category => 'MARKETING', new_category => 'UTILITY');
becomes("provider_category = 'UTILITY' AND provider_note LIKE '%becomes MARKETING'", 'an announced category');
told('template_category_update', -30, previous_category => 'UTILITY', new_category => 'MARKETING');
becomes("provider_category = 'MARKETING' AND provider_note IS NULL", 'and when it has happened');
told('message_template_quality_update', -20, previous_quality_score => 'GREEN', new_quality_score => 'YELLOW');
becomes("quality = 'YELLOW'", 'a rating');
like(check(), qr/^warning .*MARKETING at Meta.*^warning .*rated YELLOW/ms, 'both are told');
told('message_template_status_update', -10, event => 'DISABLED', message_template_language => 'en-US');
ok(applied(), 'of another language');
is(mapping('permit_ready', 'status'), 'approved', 'it is not about ours');

# and the list, when it can be read again
$sim->config({ meta => { tokens => ['EAADEMOMETATOKEN'] } });
template('permit_ready', count => 4);
told('message_template_components_update', 0, message_template_element => 'text');
becomes("status = 'error' AND last_error LIKE '%takes 4 parameters%'", 'after an event the list is read: other parameters');
template('permit_ready', count => 5);

# Other rights
sql("CREATE ROLE petugas LOGIN; SELECT wa_grant('petugas', 'view')");
($code, $out, $err) = $node->psql('odoo', 'SELECT * FROM wa_sync_templates()', connstr => $node->connstr('odoo') . ' user=petugas');
like($err, qr/permission denied/, 'reading the list needs level admin');
($code, $out, $err) = $node->psql('odoo', "SELECT provider_status FROM wa.template_mapping_view WHERE template_key = 'sapaan'", connstr => $node->connstr('odoo') . ' user=petugas');
is($out, 'APPROVED', 'what it said can be seen by every level');

$node->stop;
done_testing();

# Templates at Meta: the list read page by page, by hand and by the worker; what
# it says of mappings; one made there; what cannot be read.

use strict;
use warnings;

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

sub faults { return $sim->fault({ provider => 'meta', endpoint => 'test', @_ }); }
SKIP:
{
	$sim->config({ meta => { tokens => ['another'] } });
	like(sql("SELECT status || ': ' || detail FROM wa_sync_templates('meta')"), qr/^error: .*190/, 'no right to read it');
	like(check(), qr/^warning the list of meta could not be read: .*190/m, 'wa_check() says so');
	is(mapping('permit_ready', 'status'), 'approved', 'that changes no mapping');
	is(sql("SELECT failures || ' ' || (due_at BETWEEN now() AND now() + interval '6 minutes') FROM wa.template_sync"), '1 true', 'it is tried again in a while');
	$sim->config({ meta => { tokens => ['EAADEMOMETATOKEN'] } });
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

# Other rights
sql("CREATE ROLE petugas LOGIN; SELECT wa_grant('petugas', 'view')");
($code, $out, $err) = $node->psql('odoo', 'SELECT * FROM wa_sync_templates()', connstr => $node->connstr('odoo') . ' user=petugas');
like($err, qr/permission denied/, 'reading the list needs level admin');
($code, $out, $err) = $node->psql('odoo', "SELECT provider_status FROM wa.template_mapping_view WHERE template_key = 'sapaan'", connstr => $node->connstr('odoo') . ' user=petugas');
is($out, 'APPROVED', 'what it said can be seen by every level');

$node->stop;
done_testing();

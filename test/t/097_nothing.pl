# The words by which programs say "nothing" are no value: Odoo's False, and
# what imports and synchronisations make of it.  A permit whose number is such
# a word has none, and nobody is called so.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $node = new_cluster('main');

sub sql { return $node->safe_psql('odoo', $_[0]); }

# A new draft permit of partner 10, made without a trace, with these values.
my $registration = 0;

sub permit
{
	my (%values) = (
		partner_id => 10,
		status => "'draft'",
		applicant_name => "'Budi Santoso'",
		permit_type_name => "'Izin Usaha'",
		issue_date => 'current_date',
		registration_id => "'NOTHING-" . ++$registration . "'",
		@_);
	my @names = sort keys %values;

	return sql('SET sicantik_wa.capture = off; INSERT INTO sicantik_permit ('
		  . join(', ', @names) . ') VALUES (' . join(', ', map { $values{$_} } @names) . ') RETURNING id');
}

# What the only message about a permit says.
sub body
{
	my ($id) = @_;

	wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM wa.message WHERE res_id = $id");
	return sql("SELECT string_agg(scenario || ': ' || body, '; ') FROM wa.message WHERE res_id = $id");
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()');
sql('UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, max_per_hour = NULL, max_per_day_and_number = NULL');
sql('UPDATE res_partner SET name = \'Budi Santoso\' WHERE id = 10');
sql("SELECT wa_set_template('permit_ready', '{\"body\": \"Yth. {{partner_name}}: {{permit_type}} no. {{permit_number}}"
	  . " ({{registration_id}}) selesai.\", \"parameters\": [\"partner_name\", \"permit_type\", \"permit_number\", \"registration_id\"]}')");

# A number that is a word for nothing is none: neither before nor after.
foreach my $word ('False', 'NONE', 'null', 'undefined', '-', ' nan ', 'Tidak ada')
{
	my $id = permit(permit_number => 'NULL');

	sql("UPDATE sicantik_permit SET status = 'active', permit_number = '$word' WHERE id = $id");
	wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM wa.message WHERE res_id = $id");
	is(sql("SELECT string_agg(scenario, ' ') FROM wa.message WHERE res_id = $id"),
		'status_update', "a permit with number \"$word\" is active, but not ready");
	sql("UPDATE sicantik_permit SET permit_number = '503/$id' WHERE id = $id");
	ok( wait_sql(
			$node, 'odoo',
			"SELECT count(*) = 1 FROM wa.message WHERE res_id = $id AND scenario = 'permit_ready' AND body LIKE '%no. 503/$id %'"),
		"... and is when the number comes");
}

# Names and everything else that is told.
my $id = permit(applicant_name => "'False'", permit_type_name => "'None'", registration_id => "'null'");

sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/1' WHERE id = $id");
is(body($id), 'permit_ready: Yth. Budi Santoso: - no. 503/1 (-) selesai.',
	'applicant "False": the contact\'s name; type and registration are empty');
sql("UPDATE res_partner SET name = 'False' WHERE id = 10");
$id = permit(applicant_name => "'None'");
sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/2' WHERE id = $id");
like(body($id), qr/^permit_ready: Yth\. -: Izin Usaha no\. 503\/2 /, 'nor is the contact called so');

# A telephone number, and what is given by hand.
sql("UPDATE res_partner SET name = 'Budi Santoso', whatsapp_number = 'False', phone_sanitized = 'null', phone = 'None' WHERE id = 10");
$id = permit();
sql("UPDATE sicantik_permit SET status = 'active', permit_number = '503/3' WHERE id = $id");
wait_sql($node, 'odoo', "SELECT count(*) > 0 FROM wa.message WHERE res_id = $id");
like(
	sql("SELECT state || ' ' || reason || ' ' || detail FROM wa.message WHERE res_id = $id"),
	qr/^skipped no_number .*whatsapp_number \(empty\).*phone \(empty\), phone_sanitized \(empty\)/,
	'fields for numbers are empty');
is( sql("SELECT wa_render('permit_ready', '{\"partner_name\": \"None\", \"permit_type\": false, \"permit_number\": \"null\", \"registration_id\": \"R 1\"}')"),
	'Yth. -: - no. - (R 1) selesai.',
	'the same given by hand');

# A setting of the office: not set.
my ($code, $out, $err) = $node->psql('odoo', "SELECT wa_set('contact_dpmptsp', 'None')");

isnt($code, 0, 'a setting cannot be one of these words');
like($err, qr/That is a word for nothing; NULL or an empty text resets the setting/, '... and the error says so');
sql("INSERT INTO wa.setting (name, value) VALUES ('contact_dpmptsp', 'False') ON CONFLICT (name) DO UPDATE SET value = 'False'");
like(
	($node->psql('odoo', "SELECT wa_send('permit_expiry_warning', 10, '{\"permit_type\": \"x\", \"permit_number\": \"1\", \"expiry_date\": \"1\", \"remaining_days\": 1, \"renewal_link\": \"x\"}')"))[2],
	qr/contact_dpmptsp/, 'written into the table, it is not set either');

done_testing();

# What a synchronisation and a nightly job do to thousands of permits: none of
# it floods citizens, none of it is lost, and each has an outcome.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub comes_true
{
	my ($query, $name) = @_;
	return ok(wait_sql($node, 'odoo', $query), $name);
}

my $all_read = "SELECT $ALL_READ";

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
# the guards as wa_setup() makes them
sql('UPDATE wa.scenario SET max_per_transaction = 25, max_per_hour = 60');
sql("SELECT wa_arm('odoo')");

# 30,000 permits arrive in batches, active and numbered, without a contact.
my $batch = "INSERT INTO sicantik_permit (registration_id, permit_number, applicant_name, status, issue_date, expiry_date)"
  . " SELECT 'SYNC-' || n, '503/' || n, 'Warga ' || n, 'active', current_date - 400, current_date - 35"
  . " FROM generate_series(%d, %d) AS n";
$node->safe_psql('odoo', join(";\n", map { sprintf($batch, $_ * 500 + 1, $_ * 500 + 500) } 0 .. 59));
comes_true($all_read, '30,000 permits of a synchronisation are read');
is(sql("SELECT count(*) FROM wa.message"), '0', 'nobody to tell: no message');
is(sql("SELECT count(*) FROM wa.event_outcome WHERE scenario = 'permit_ready'"), '30000',
	'each has an outcome');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'no dead letter');

# Contacts are linked to some of them: permits of last year are no news.
sql("INSERT INTO res_partner (name, complete_name, type, phone, active)"
	  . " SELECT 'Warga ' || n, 'Warga ' || n, 'contact', '0852' || to_char(n, 'FM00000000'), true"
	  . " FROM generate_series(1, 4000) AS n");
sql("UPDATE sicantik_permit AS p SET partner_id = r.id FROM res_partner AS r"
	  . " WHERE p.applicant_name = r.name AND p.registration_id LIKE 'SYNC-%'");
comes_true($all_read, 'so are the contacts that are linked to 4,000 of them');
is(sql("SELECT string_agg(DISTINCT state || ' ' || reason, ', ') FROM wa.message WHERE scenario = 'permit_ready'"),
	'skipped not_news', 'an old permit is no news');

# The nightly job expires them in one write.
sql("UPDATE sicantik_permit SET status = 'expired' WHERE registration_id LIKE 'SYNC-%' AND partner_id IS NOT NULL");
comes_true($all_read, 'the nightly write of 4,000 is read');
is(sql("SELECT count(*) FILTER (WHERE state = 'skipped' AND reason = 'not_news') || ' of ' || count(*)"
	  . " FROM wa.message WHERE scenario = 'status_update'"),
	'4000 of 4000', 'nobody hears that a permit has long expired');

# Young permits in bulk: the first ones go, the rest is held.
sql("UPDATE sicantik_permit SET status = 'active', issue_date = current_date, received_date = NULL,"
	  . " expiry_date = current_date + 365, permit_number = 'NEW/' || id"
	  . " WHERE registration_id LIKE 'SYNC-%' AND partner_id IS NOT NULL AND id % 40 = 0");
comes_true("$all_read AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))",
	'a bulk of young ones is read and sent');
is(sql("SELECT count(*) FILTER (WHERE state = 'sent') || ' sent, ' || count(*) FILTER (WHERE state = 'held' AND reason = 'bulk') || ' held'"
	  . " FROM wa.message WHERE scenario = 'permit_ready' AND reason IS DISTINCT FROM 'not_news'"),
	'25 sent, 75 held', '25 go, the rest is held');
is(scalar $sim->sends, 25, 'and the provider got as many');

# Contacts are merged: Odoo points the permits at the other one.
my $before = sql('SELECT count(*) FROM wa.message');
sql("UPDATE sicantik_permit SET partner_id = 11 WHERE registration_id LIKE 'SYNC-%' AND status = 'active' AND partner_id IS NOT NULL");
comes_true($all_read, 'a merge of contacts is read');
is(sql('SELECT count(*) FROM wa.message'), $before, 'and is no news');

done_testing();

# Triggers that are in their places and did not fire: wa_check() compares the
# rows that Odoo wrote lately with what was recorded of them.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

load_odoo($node, 'odoo');
my $dba = SicantikWa::Session->new($node, 'odoo');

sub sql
{
	my ($sql) = @_;
	my $answer = $dba->do($sql);

	die "$sql: " . $dba->err if $dba->err =~ /ERROR/;
	return $answer;
}

sub check
{
	return sql("SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = 'recorded public.sicantik_permit'");
}

my $now = "now() AT TIME ZONE 'UTC'";

# as of a few hours ago
sql("UPDATE sicantik_permit SET create_date = $now - interval '5 days', write_date = $now - interval '5 days'");
sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql("SELECT wa_set('language', 'en')");
sql("SELECT wa_arm('odoo')");
sql("UPDATE wa.watch SET attached_at = now() - interval '3 hours'; UPDATE wa.identity SET stamped_at = now() - interval '4 hours'");
is(check(), 'ok', 'nothing has happened yet');

# Odoo writes
sql("UPDATE sicantik_permit SET status = 'cancelled', is_renewal = true, write_date = $now WHERE id = 2");
sql("UPDATE sicantik_permit SET is_renewal = false, permit_number = repeat('long ', 3000), write_date = $now WHERE id = 3");
sql("UPDATE sicantik_permit SET partner_id = NULL, write_date = $now WHERE id = 4");
sql("INSERT INTO sicantik_permit (registration_id, applicant_name, status, create_date, write_date) VALUES ('NEW', 'Warga', 'draft', $now, $now)");
is(check(), 'ok', 'what was recorded is as it was recorded');
sql("UPDATE wa.event SET at = at - interval '1 hour'");
sql("UPDATE sicantik_permit SET notes = 'x', write_date = $now WHERE id IN (2, 5, 6)");
like(check(), qr/^ok: 2 records were written after the last change that was recorded \(.*\): changes of what is not watched, or not recorded$/,
	'what need not have been recorded is told');

# Others write
sql("SET session_replication_role = replica; UPDATE sicantik_permit SET status = 'active', write_date = $now WHERE id = 2; RESET session_replication_role");
like(check(), qr/^error: changes of 1 records since .* were not recorded, such as that of id 2: whoever made them had session_replication_role = replica/,
	'a change of a record, made by a replica');
is(sql("SELECT value FROM wa_status() WHERE item = 'watched public.sicantik_permit'"), 'present', 'the triggers are in their places');
sql("UPDATE sicantik_permit SET status = 'expired', write_date = $now WHERE id = 2");
like(check(), qr/^ok/, 'with its next change it is known again');
sql("ALTER TABLE sicantik_permit DISABLE TRIGGER ALL;"
	  . " INSERT INTO sicantik_permit (registration_id, applicant_name, status, create_date, write_date) VALUES ('LATER', 'Warga', 'draft', $now, $now);"
	  . ' ALTER TABLE sicantik_permit ENABLE TRIGGER ALL');
like(check(), qr/^error: changes of 1 records since/, 'a record that came while the triggers were off');
my $log = sql("SELECT value || '; ' || detail FROM wa_status() WHERE item = 'next'");
like($log, qr/recorded public\.sicantik_permit: changes of 1 records/, 'wa_status() puts it first');
sql("INSERT INTO wa.capture_gap (first_at, last_at, events, reason) VALUES (now(), now(), 1, 'off')");
like(check(), qr/^warning: changes of 1 records since/, 'a warning where it is known that something is missing');
check() =~ /; then (UPDATE wa\.watch .*)$/ or die;
sql($1);
is(check(), 'ok', 'until somebody says that he knows');

# Only other columns, for days
sql("DELETE FROM wa.capture_gap; UPDATE wa.watch SET attached_at = now() - interval '5 days'; UPDATE wa.identity SET stamped_at = now() - interval '5 days'; DELETE FROM wa.event");
sql("UPDATE sicantik_permit SET create_date = $now - interval '9 days', write_date = $now - interval '9 days'");
load_many($node, 'odoo', 30);
sql("UPDATE sicantik_permit SET create_date = $now - interval '9 days', write_date = $now - interval '1 hour' * (id % 30) WHERE write_date > $now - interval '8 days' OR write_date IS NULL");
like(check(), qr/^(?:ok|warning): \d+ records were written after the last change/, 'records, written at many moments');
sql("DELETE FROM wa.event");
like(check(), qr/^warning: 30 records were written after the last change that was recorded \(none yet\)/, 'for more than a day, and none of them recorded: not plausible');
sql("UPDATE sicantik_permit SET write_date = $now - interval '1 day' WHERE create_date < $now - interval '8 days' AND write_date > $now - interval '6 days'");
like(check(), qr/^ok: 30 records were written/, 'at one moment, as by a nightly job: plausible');

# A policy that raises, and a table without Odoo's dates
sql('ALTER TABLE sicantik_permit DROP COLUMN write_date');
is(check(), '', 'a table without write_date is not compared');

$dba->close;
$node->stop('fast');
done_testing();

# A message is judged by what Odoo says when it is taken in, not by what it said when
# the round of sending began that takes it: what was written before the message came
# counts, a "yes", a "no", and a contact itself.

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
my $session = SicantikWa::Session->new($node, 'odoo');
sub sql { return $session->sql($_[0]); }

sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");

my $utc = "clock_timestamp() AT TIME ZONE 'UTC'";
my $last = 9400;

sub contact
{
	my $number = sprintf('+62812900%05d', ++$last);

	sql("INSERT INTO res_partner (id, name, phone, phone_sanitized, active) VALUES ($last, 'Budi', '$number', '$number', true)");
	return $last;
}
sub says
{
	my ($id, $yes) = @_;

	return sql("UPDATE res_partner SET write_date = $utc, whatsapp_opt_in = $yes, whatsapp_opt_in_date = $utc WHERE id = $id");
}
sub becomes
{
	my ($message) = @_;

	$session->wait_for("(SELECT state FROM wa.message WHERE id = $message) IN ('sent', 'skipped')");
	return sql("SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = $message");
}

# A round stays in its beginning, where it records what was answered, while we have
# the lock; what is done meanwhile returns a message.
sql(q{
	CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		WHILE NOT pg_try_advisory_lock_shared(147) LOOP
			PERFORM pg_sleep(0.01);
		END LOOP;
		PERFORM pg_advisory_unlock_shared(147);
		RETURN NULL;
	END $$;
	CREATE TRIGGER wait_for_test AFTER INSERT ON wa.attempt EXECUTE FUNCTION wait_for_test();
	ALTER TABLE wa.attempt ENABLE ALWAYS TRIGGER wait_for_test;
});

sub within_round
{
	my ($do) = @_;
	my $message;

	sql('SELECT pg_advisory_lock(147)');
	sql("SELECT wa_send_text('6281200000099', 'Halo')");
	ok($session->wait_for("EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND wait_event = 'PgSleep')"),
		'a round has begun');
	$message = $do->();
	sql('SELECT pg_advisory_unlock(147)');
	return becomes($message);
}

is(within_round(sub { return sql('SELECT wa_send_text(' . contact() . ", 'Yth. Budi')") }), 'sent', 'to a contact who was not there');

my $one = contact();
says($one, 'false');
my $refused = sql("SELECT wa_send_text($one, 'Yth. Budi')");
is(becomes($refused), 'skipped opted_out', 'one says no');
is(within_round(sub { says($one, 'true'); return sql("SELECT wa_send_text($one, 'Yth. Budi')") }), 'sent', 'agrees');
within_round(sub { says($one, 'false'); sql("SELECT wa_retry($refused)"); return $refused });
$session->wait_for("NOT EXISTS (SELECT FROM wa.request)");
is(becomes($refused), 'skipped opted_out', 'and says no again, before his message is tried again');

$session->close;
$node->stop;
done_testing();

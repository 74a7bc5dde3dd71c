# Between what Odoo says of a contact and what he said by STOP and START the
# later word counts, and the "no" where nobody knows which that is.

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
my $last = 9200;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }
sub number { return sprintf('62812900%05d', $_[0] // $last); }
sub utc { return "(clock_timestamp() - interval '$_[0] min') AT TIME ZONE 'UTC'"; }

# What becomes of a message to whom $to says
sub becomes
{
	my ($to) = @_;
	my $id = sql("SELECT wa_send_text($to, 'Yth. Budi')");

	return 'lost' unless wait_for("(SELECT state FROM wa.message WHERE id = $id) IN ('sent', 'skipped')");
	return sql("SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = $id");
}

# A contact, with so many minutes since the row was written, and what happens to him.
sub contact
{
	$last++;
	sql(sprintf("INSERT INTO res_partner (id, name, phone, phone_sanitized, active) VALUES ($last, 'Budi', '+%s', '+%s', true)", number(), number()));
	return $last;
}
sub odoo
{
	my ($ago, $values) = @_;

	return sql("UPDATE res_partner SET write_date = " . utc($ago) . ", $values WHERE id = $last");
}
sub agrees { return odoo($_[0], 'whatsapp_opt_in = true, whatsapp_opt_in_date = ' . utc($_[1] // $_[0])); }
sub refuses { return odoo($_[0], 'whatsapp_opt_in = false, whatsapp_opt_in_date = ' . utc($_[1] // $_[0])); }
sub stop { return sql("SELECT wa_opt_out('+" . number() . "', said_at => now() - interval '$_[0] min')"); }
sub start { return sql("SELECT wa_opt_in('+" . number() . "', said_at => now() - interval '$_[0] min')"); }
sub blacklist
{
	return sql("INSERT INTO phone_blacklist (id, number, active, write_date) VALUES ($last, '+" . number() . "', true, " . utc($_[0])
		  . ') ON CONFLICT (id) DO UPDATE SET write_date = excluded.write_date');
}

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'), wa_configure('fonnte', '{\"webhook_secret\": \"SURATMASUK\"}'); SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_arm('odoo')");
sql('SET client_min_messages = error');

# STOP, and the clerk ticks the contact

my $one = contact();
stop(20);
is(becomes($one), 'skipped opted_out', 'STOP');
agrees(10);
is(becomes($one), 'sent', 'then ticked in Odoo: the later word counts');
is(becomes("'+" . number() . "'"), 'sent', 'for the number too');
sql(sprintf("INSERT INTO res_partner (id, name, phone, active) VALUES (9999, 'Ani', '+%s', true)", number()));
is(becomes(9999), 'skipped opted_out', 'another contact with it has not agreed');
stop(5);
is(becomes($one), 'skipped opted_out', 'then STOP again');
is(becomes("'+" . number() . "'"), 'skipped opted_out', 'for the number too');
odoo(1, "name = 'Budi Karo'");
is(becomes($one), 'skipped opted_out', 'another change of the contact says nothing');

contact();
agrees(20);
stop(10);
is(becomes($last), 'skipped opted_out', 'ticked, then STOP');

contact();
stop(20);
odoo(10, 'whatsapp_opt_in = true');
is(becomes($last), 'skipped opted_out', 'ticked without a date: nobody knows when');
agrees(10, -30);
is(becomes($last), 'skipped opted_out', 'with a date to come: nobody knows when');
agrees(10);
is(becomes($last), 'sent', 'with a date');
sql("SELECT wa_opt_out('+" . number() . "', 'marketing')");
is(becomes($last), 'sent', 'who wants no marketing gets it');
sql("SELECT wa_set('marketing_stop_stops_all', 'on')");
is(becomes($last), 'skipped opted_out', 'unless the office takes that for all');
sql("SELECT wa_set('marketing_stop_stops_all', 'off')");

contact();
sql('INSERT INTO wa.contact (number, opted_out_at) VALUES (' . "'" . number() . "', now() - interval '20 min')");
agrees(20, 20);
sql("UPDATE res_partner SET whatsapp_opt_in_date = (SELECT opted_out_at AT TIME ZONE 'UTC' FROM wa.contact WHERE number = '" . number() . "') WHERE id = $last");
is(becomes($last), 'skipped opted_out', 'of the same time: the "no"');

# Refused in Odoo, and START

$one = contact();
refuses(20);
is(becomes($one), 'skipped opted_out', 'refused in Odoo');
start(30);
is(becomes($one), 'skipped opted_out', 'START before it');
start(10);
is(becomes($one), 'sent', 'START after it');
is(becomes("'+" . number() . "'"), 'sent', 'for the number too');
is(becomes(9998), 'sent', 'and for another contact with it') if sql(sprintf("INSERT INTO res_partner (id, name, phone, active) VALUES (9998, 'Ani', '+%s', true) RETURNING 1", number()));
refuses(5, 20);
is(becomes($one), 'skipped opted_out', 'the contact is written again: that may have been the "no"');
is(becomes(9998), 'skipped opted_out', 'for another contact with the number too');
start(2);
is(becomes($one), 'sent', 'START once more');

contact();
sql("UPDATE res_partner SET write_date = NULL, whatsapp_opt_in_date = '2026-01-01' WHERE id = $last");
start(1);
is(becomes($last), 'skipped opted_out', 'a row that does not say when it was written may have been at any time');
sql("UPDATE res_partner SET write_date = '2026-01-01', whatsapp_opt_in_date = '2200-01-01' WHERE id = $last");
is(becomes($last), 'skipped opted_out', 'a "no" of a time to come is no older');

# The blacklist, and START as he writes it

contact();
blacklist(20);
is(becomes($last), 'skipped blacklisted', 'on the blacklist');
my $body = sprintf('{"device": "628110000000", "sender": "%s", "message": "MULAI", "name": "Budi", "timestamp": %d, "inboxid": 1}',
	number(), sql('SELECT floor(extract(epoch FROM clock_timestamp()))::bigint') - 60);
sql("SELECT wa_webhook('fonnte', convert_to('$body', 'UTF8'), NULL, 'SURATMASUK')");
ok(wait_for("EXISTS (SELECT FROM wa.contact WHERE number = '" . number() . "' AND opted_in_at IS NOT NULL)"), 'he writes MULAI');
is(becomes($last), 'sent', 'then he gets messages');
is(becomes("'+" . number() . "'"), 'sent', 'by his number as well');
blacklist(0);
is(becomes($last), 'skipped blacklisted', 'put on it again');
sql("SELECT wa_opt_in('+" . number() . "', 'marketing')");
is(becomes($last), 'skipped blacklisted', 'a word about marketing lifts nothing');

$session->close;
$node->stop;
done_testing();

# What people say of consent is written to their contacts in Odoo, where the
# office wants that: by the table's owner, waiting for nobody, and as no news.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => 'sicantik_wa.worker_idle_timeout = 3600');
my $session;
my $inbox = 0;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }
sub number { return "62812930000$_[0]"; }
sub writes
{
	my ($who, $text) = @_;
	my $body = sprintf('{"device": "628110000000", "sender": "%s", "message": "%s", "name": "Budi", "timestamp": %d, "inboxid": %d}',
		number($who), $text, sql('SELECT floor(extract(epoch FROM clock_timestamp()))::bigint'), ++$inbox);

	return is(sql("SELECT wa_webhook('fonnte', convert_to('$body', 'UTF8'), NULL, 'SURATMASUK') ->> 'accepted'"), '1', "he writes $text");
}
sub nothing_left { return wait_for('NOT EXISTS (SELECT FROM wa.consent WHERE write_at IS NOT NULL OR pending)'); }
# What Odoo says of a contact: flag, is its date that of the word, is write_date as it was.
sub flag { return sql("SELECT concat_ws(' ', coalesce(whatsapp_opt_in::text, '-'), whatsapp_opt_in_date IS NOT NULL, write_date = '2026-01-01') FROM res_partner WHERE id = 930$_[0]"); }

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
my $odoo = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'), wa_configure('fonnte', '{\"webhook_secret\": \"SURATMASUK\"}'); SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("SELECT wa_set('confirm_opt_out', 'off'); SELECT wa_arm('odoo')");
sql("INSERT INTO res_partner (id, name, phone, phone_sanitized, active, write_date) SELECT 9300 + n, 'Budi', '0812-9300-00' || n || n, '+62812930000' || n, true, '2026-01-01' FROM generate_series(1, 9) AS n");
sql("UPDATE res_partner SET phone = whatsapp_number, whatsapp_number = '0812930000' || (id - 9300) WHERE id BETWEEN 9301 AND 9309");
# somebody watches contacts; his trigger sees in whose name they are written
sql('CREATE TABLE seen (id bigint, who text); GRANT ALL ON seen TO odoo');
$odoo->sql('CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (NEW.id, current_user); RETURN NULL; END $$;'
	  . ' CREATE TRIGGER see AFTER UPDATE ON res_partner FOR EACH ROW EXECUTE FUNCTION see()');
sql("INSERT INTO wa.watch (relation, owner, columns) VALUES ('public.res_partner', 'odoo', '{whatsapp_opt_in,name}'); SELECT FROM wa_setup()");
sub events { return sql("SELECT count(*) FROM wa.event WHERE relation = 'public.res_partner'"); }
$odoo->sql("UPDATE res_partner SET name = 'Budi K.' WHERE id = 9301");
is(events(), '1', 'what Odoo writes is an event');
sql('TRUNCATE seen');

# Not unless it is wanted

writes(1, 'STOP');
ok(wait_for("(SELECT opted_out_at IS NOT NULL FROM wa.contact WHERE number = '" . number(1) . "')"), 'it is noted');
is(sql('SELECT count(*) FROM wa.consent WHERE write_at IS NOT NULL'), '0', 'off: nothing is to be written');
is(flag(1), '- f t', 'nor is it');

# STOP, START, by the owner, and no news

sql("SELECT wa_set('write_back', 'on')");
writes(2, 'STOP');
ok(wait_for('(SELECT whatsapp_opt_in_date IS NOT NULL FROM res_partner WHERE id = 9302)'), 'it is written');
is(flag(2), 'false t t', 'the flag with a date; write_date stays');
is(sql("SELECT whatsapp_opt_in_date = date_trunc('second', opted_out_at) AT TIME ZONE 'UTC' FROM res_partner, wa.contact WHERE id = 9302 AND number = '" . number(2) . "'"), 't', 'the date is when he said it');
is(sql('SELECT * FROM seen'), '9302|odoo', 'in the name of the owner of the table');
is(events(), '1', 'it is no event');
is(sql('SELECT coalesce(sum(events), 0) FROM wa.capture_gap'), '0', 'and no gap');
ok(nothing_left(), 'it is done');
sql("SELECT wa_opt_in('" . number(2) . "')");
ok(wait_for('(SELECT whatsapp_opt_in FROM res_partner WHERE id = 9302)'), 'he comes back');
is(flag(2), 'true t t', 'the flag is set');
$odoo->sql("UPDATE res_partner SET name = 'Budi B.' WHERE id = 9302");
is(events(), '2', 'what Odoo writes is an event again');

# Somebody holds the row: nobody waits, and it is not dropped

$odoo->sql('BEGIN; SELECT FROM res_partner WHERE id = 9303 FOR UPDATE');
writes(3, 'BERHENTI');
writes(4, 'STOP');
ok(wait_for('(SELECT whatsapp_opt_in_date IS NOT NULL FROM res_partner WHERE id = 9304)'), 'others are written meanwhile');
my $id = sql("SELECT wa_send_text(9303, 'Yth. Budi')");
ok(wait_for("(SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = $id) = 'skipped opted_out'"), 'it counts at once');
ok(wait_for("(SELECT write_at > clock_timestamp() FROM wa.consent WHERE number = '" . number(3) . "')"), 'and is to be tried again');
is(flag(3), '- f t', 'nothing is written yet');
$odoo->sql('COMMIT');
ok(wait_for('(SELECT whatsapp_opt_in_date IS NOT NULL FROM res_partner WHERE id = 9303)'), 'when the row is free, it is written');
is(flag(3), 'false t t', 'as it was said');

# The table is locked
$odoo->sql('BEGIN; LOCK TABLE res_partner IN ACCESS EXCLUSIVE MODE');
writes(5, 'STOP');
ok(wait_for("EXISTS (SELECT FROM wa.consent WHERE number = '" . number(5) . "' AND write_at > clock_timestamp())"), 'a locked table is waited for by nobody');
$odoo->sql('COMMIT');
ok(wait_for('(SELECT whatsapp_opt_in_date IS NOT NULL FROM res_partner WHERE id = 9305)'), 'it is written afterwards');

# What somebody has written in Odoo since stays

$odoo->sql("UPDATE res_partner SET whatsapp_opt_in = true, whatsapp_opt_in_date = now() AT TIME ZONE 'UTC' WHERE id = 9306");
sql("SELECT wa_opt_out('" . number(6) . "', said_at => now() - interval '1 day')");
ok(nothing_left(), 'an older word');
is(flag(6), 'true t t', 'changes nothing');

# Marketing is not what the flag says
sql("SELECT wa_opt_out('" . number(7) . "', 'marketing')");
is(sql('SELECT count(*) FROM wa.consent WHERE write_at IS NOT NULL'), '0', 'a word about marketing is not written');

# A table that refuses

$odoo->sql('CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 9308 THEN RAISE \'not this one\'; END IF; RETURN NEW; END $$;'
	  . ' CREATE TRIGGER refuse BEFORE UPDATE ON res_partner FOR EACH ROW EXECUTE FUNCTION refuse()');
my $logged = -s $node->logfile;
sql("SELECT wa_opt_out('" . number(8) . "'), wa_opt_out('" . number(9) . "')");
ok($node->wait_for_log(qr/could not write consent to contacts: not this one/, $logged), 'a refusal is in the log');
ok(wait_for("(SELECT write_at > clock_timestamp() + interval '1 min' FROM wa.consent WHERE number = '" . number(8) . "')"), 'and tried again much later');
ok(wait_for('(SELECT whatsapp_opt_in_date IS NOT NULL FROM res_partner WHERE id = 9309)'), 'others are written');

$session->close;
$odoo->close;
$node->stop;
done_testing();

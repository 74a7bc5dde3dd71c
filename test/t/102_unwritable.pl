# What the server refuses to write (a trigger of the DBA's, a damaged index):
# it concerns those rows alone, no answer is lost, and wa_check() says so.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub comes_true { my ($query, $name) = @_; return ok(wait_sql($node, 'odoo', "SELECT ($query)", 't'), $name); }
sub state_of { my ($id) = @_; return sql("SELECT state FROM wa.message WHERE id = $id"); }
sub worker_says { return sql("SELECT what_to_do FROM wa_check() WHERE item = 'worker'"); }

# Rows of this table for which the condition holds are refused.
sub refuse
{
	my ($when, $table, $condition) = @_;
	sql("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$BEGIN RAISE 'the auditor says no'; END\$\$");
	sql("CREATE TRIGGER refuse $when ON wa.$table FOR EACH ROW WHEN ($condition) EXECUTE FUNCTION refuse()");
	return;
}

# Nobody refuses any more, and somebody says that something has been mended.
sub allow
{
	my ($table) = @_;
	sql("DROP TRIGGER refuse ON wa.$table");
	sql("SELECT wa_set('time_zone', 'Asia/Jakarta')");
	return;
}

my $number = 0;
sub next_number { return sprintf('62812700000%02d', $number + 1); }
sub send_one { return sql("SELECT wa_send_text('0812-7000-" . sprintf('%04d', ++$number) . "', 'text')"); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 20");
sql("SELECT wa_arm('odoo')");
my $first = send_one();
ok(wait_state($node, 'odoo', $first, 'sent'), 'everything works');

# An answer that cannot be written: those beside it are, and it is not lost.
my @fault = map { $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => sprintf('62812700000%02d', $number + $_) } }) } 1 .. 4;
my @flying = map { send_one() } 1 .. 4;
ok(wait_state($node, 'odoo', $_, 'sending'), "message $_ is on the wire") foreach @flying;
refuse('BEFORE INSERT', 'attempt', "NEW.message_id = $flying[1]");
$sim->release($_) foreach @fault;
ok(wait_state($node, 'odoo', $_, 'sent'), "message $_ is recorded") foreach @flying[0, 2, 3];
is(state_of($flying[1]), 'sending', 'the one that is refused is not');
comes_true("SELECT state = 'error' FROM wa_check() WHERE item = 'worker'", 'wa_check() calls that an error');
like(worker_says(), qr/^sejak .* server menolak yang ditulis worker, kini 1 kali.*: message $flying[1]: the auditor says no$/, 'and says which one, and why');
sql("SELECT wa_set('language', 'en')");
like(worker_says(), qr/refuses what the worker writes, 1 times now.*: message $flying[1]: the auditor says no$/, 'in both languages');
my $later = send_one();
ok(wait_state($node, 'odoo', $later, 'sent'), 'later ones are sent meanwhile');
like(slurp_file($node->logfile), qr/cannot write message $flying[1]: the auditor says no/, 'the log says it');
allow('attempt');
ok(wait_state($node, 'odoo', $flying[1], 'sent'), 'it is recorded when that is over');
is(sql("SELECT count(*) FROM wa.attempt WHERE message_id = $flying[1] AND outcome = 'accepted'"), '1', 'by the answer that it has had');
comes_true("SELECT state = 'ok' FROM wa_check() WHERE item = 'worker'", 'and all is well');

# A person has written that attempt himself: his row stays, and the message goes on.
@fault = map { $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => sprintf('62812700000%02d', $number + $_) } }) } 1 .. 2;
@flying = map { send_one() } 1 .. 2;
ok(wait_state($node, 'odoo', $_, 'sending'), "message $_ is on the wire") foreach @flying;
sql("INSERT INTO wa.attempt (message_id, attempt, provider, started_at, outcome, response) VALUES ($flying[0], 1, 'fonnte', now(), 'accepted', 'his')");
$sim->release($_) foreach @fault;
ok(wait_state($node, 'odoo', $_, 'sent'), "message $_ is recorded") foreach @flying;
is(sql("SELECT string_agg((response = 'his') || ' ' || attempt, ', ' ORDER BY message_id) FROM wa.attempt WHERE message_id IN ($flying[0], $flying[1])"),
	'true 1, false 1', 'his row stays');
comes_true("SELECT state = 'ok' FROM wa_check() WHERE item = 'worker'", 'and all is well');

# A message that cannot be claimed: the others go.
refuse('BEFORE UPDATE', 'message', "NEW.state = 'sending' AND NEW.body = 'text'");
my $stays = send_one();
my $goes = sql("SELECT wa_send_text('0812-7100-0001', 'another text')");
ok(wait_state($node, 'odoo', $goes, 'sent'), 'what can be claimed goes');
is(state_of($stays), 'queued', 'what cannot waits');
is(scalar(grep { ($_->{to} // '') eq sprintf('62812700000%02d', $number) } $sim->sends), 0, 'and has not been on the wire');
like(worker_says(), qr/: message $stays: the auditor says no$/, 'wa_check() says which one');
allow('message');
ok(wait_state($node, 'odoo', $stays, 'sent'), 'it goes when that is over');
comes_true("SELECT state = 'ok' FROM wa_check() WHERE item = 'worker'", 'and all is well');

# The worker leaves while what an answer came to cannot be written: the answer is
# in the ledger, and the next worker reads it there.
my $fault = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => sprintf('62812700000%02d', $number + 1) } });
my $answered = send_one();
ok(wait_state($node, 'odoo', $answered, 'sending'), 'a message is on the wire');
refuse('BEFORE UPDATE', 'message', "NEW.id = $answered AND NEW.state <> OLD.state");
$sim->release($fault);
comes_true("SELECT count(*) = 1 FROM wa.attempt WHERE message_id = $answered AND outcome = 'accepted'", 'its answer is in the ledger');
my $before = scalar $sim->sends;
my $log = -s $node->logfile;
$node->restart;
comes_true("SELECT state = 'error' FROM wa_check() WHERE item = 'worker'", 'the next worker cannot write it either, and says so');
$goes = send_one();
ok(wait_state($node, 'odoo', $goes, 'sent'), 'others go');
allow('message');
ok(wait_state($node, 'odoo', $answered, 'sent'), 'it is known that it was sent');
is(scalar($sim->sends) - $before, 1, 'and nothing is sent twice');
unlike(slurp_file($node->logfile, $log), qr/duplicate key/, 'nor written twice');

# One that is deleted is not spoken of any more.
refuse('BEFORE UPDATE', 'message', "NEW.state = 'sending'");
$stays = send_one();
comes_true("SELECT state = 'error' FROM wa_check() WHERE item = 'worker'", 'set aside');
sql("SELECT wa_cancel($stays)");
ok(wait_state($node, 'odoo', $stays, 'cancelled'), 'it is cancelled');
allow('message');
comes_true("SELECT state = 'ok' FROM wa_check() WHERE item = 'worker'", 'and all is well');

# What was refused stands in the ledger as well, and is not called in doubt.
$sim->fault({ kind => 'fonnte_reason', provider => 'fonnte', reason => 'target invalid', times => 2, match => { number => next_number() } });
refuse('BEFORE UPDATE', 'message', "NEW.state = 'failed'");
my $refused = send_one();
comes_true("SELECT count(*) = 1 FROM wa.attempt WHERE message_id = $refused", 'a refusal is in the ledger');
$node->restart;
comes_true("SELECT count(*) = 2 FROM wa.attempt WHERE message_id = $refused", 'the next worker tries it again, as what was refused');
allow('message');
ok(wait_state($node, 'odoo', $refused, 'failed'), 'and it is refused');
is(sql("SELECT repeats FROM wa.message WHERE id = $refused"), '0', 'it was never in doubt');

# One in doubt whose repeat is refused.
sql("SELECT wa_set('unknown_wait', '1 s')");
$sim->fault({ kind => 'cut_after_read', provider => 'fonnte', times => 1, match => { number => next_number() } });
refuse('BEFORE UPDATE', 'message', 'NEW.repeats > OLD.repeats');
my $doubt = send_one();
comes_true("SELECT state = 'error' FROM wa_check() WHERE item = 'worker'", 'the repeat of one in doubt is refused');
allow('message');
ok(wait_state($node, 'odoo', $doubt, 'sent'), 'it is repeated when that is over');
is(sql("SELECT repeats FROM wa.message WHERE id = $doubt"), '1', 'once');

# What a person asks for, and what is due.
my $tomorrow = sql("SELECT wa_send_text('0812-7100-0002', 'tomorrow', send_at => now() + interval '1 day')");
refuse('BEFORE UPDATE', 'message', "NEW.state = 'cancelled'");
sql("SELECT wa_cancel($tomorrow)");
comes_true("SELECT state = 'error' FROM wa_check() WHERE item = 'worker'", 'a wish cannot be carried out');
$goes = send_one();
ok(wait_state($node, 'odoo', $goes, 'sent'), 'messages go');
allow('message');
ok(wait_state($node, 'odoo', $tomorrow, 'cancelled'), 'it is carried out when that is over');
my $soon = sql("SELECT wa_send_text('0812-7100-0003', 'soon', send_at => now() + interval '1 day')");
refuse('BEFORE INSERT', 'ready', "NEW.message_id = $soon");
# its time comes: the worker looks, since something else is due before it
sql("BEGIN; UPDATE wa.due SET due_at = clock_timestamp() WHERE message_id = $soon;"
	  . " SELECT wa_send_text('0812-7100-0004', 'beside it', send_at => clock_timestamp() + interval '1 ms'); COMMIT");
comes_true("SELECT state = 'error' FROM wa_check() WHERE item = 'worker'", 'what is due cannot be made ready');
$goes = send_one();
ok(wait_state($node, 'odoo', $goes, 'sent'), 'messages go');
allow('ready');
ok(wait_state($node, 'odoo', $soon, 'sent'), 'it goes when that is over');

# Trouble that cannot be noted with the provider: the answers beside it are.
@fault = map { $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => sprintf('62812700000%02d', $number + $_) } }) } 1 .. 2;
@flying = map { send_one() } 1 .. 2;
ok(wait_state($node, 'odoo', $_, 'sending'), "message $_ is on the wire") foreach @flying;
refuse('BEFORE UPDATE', 'provider', "NEW.state = 'error'");
$sim->fault({ kind => 'fonnte_reason', provider => 'fonnte', reason => 'token invalid', times => 1, match => { number => next_number() } });
my $token = send_one();
$sim->release($_) foreach @fault;
ok(wait_state($node, 'odoo', $_, 'sent'), "message $_ is recorded") foreach @flying;
allow('provider');
ok(wait_state($node, 'odoo', $token, 'sent'), 'the one that brought it goes as well');

# What a deferred trigger refuses at the commit.
@fault = map { $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => sprintf('62812700000%02d', $number + $_) } }) } 1 .. 2;
@flying = map { send_one() } 1 .. 2;
ok(wait_state($node, 'odoo', $_, 'sending'), "message $_ is on the wire") foreach @flying;
sql("CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON wa.message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
	  . " WHEN (NEW.state = 'sent' AND NEW.id = $flying[0]) EXECUTE FUNCTION refuse()");
$sim->release($_) foreach @fault;
ok(wait_state($node, 'odoo', $flying[1], 'sent'), 'a deferred trigger: the other one is recorded');
allow('message');
ok(wait_state($node, 'odoo', $flying[0], 'sent'), 'and this one when that is over');

# And a claim: what was not committed is not put on the wire.
sql("CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON wa.message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
	  . " WHEN (NEW.state = 'sending' AND NEW.body = 'unclaimed') EXECUTE FUNCTION refuse()");
my @both = split /\n/, sql("SELECT wa_send_text('0812-7300-000' || i, CASE i WHEN 2 THEN 'another text' ELSE 'unclaimed' END) FROM generate_series(1, 3) AS i");
ok(wait_state($node, 'odoo', $both[1], 'sent'), 'a deferred trigger: what can be claimed goes');
is(state_of($_), 'queued', "message $_ waits") foreach @both[0, 2];
is(scalar(grep { ($_->{to} // '') =~ /^628127300000[13]$/ } $sim->sends), 0, 'and has not been on the wire');
allow('message');
ok(wait_state($node, 'odoo', $_, 'sent'), "message $_ goes when that is over") foreach @both[0, 2];

# One that is set aside takes nobody's turn.
sql("UPDATE wa.provider SET max_in_flight = 1, min_gap = '0.5 s', gap_jitter = '0' WHERE name = 'fonnte'");
refuse('BEFORE UPDATE', 'message', "NEW.state = 'sending' AND NEW.body = 'text'");
$stays = send_one();
comes_true("SELECT state = 'error' FROM wa_check() WHERE item = 'worker'", 'one is set aside');
my @others = map { sql("SELECT wa_send_text('0812-7200-000$_', 'another text')") } 1 .. 4;
ok(wait_state($node, 'odoo', $_, 'sent'), "message $_ goes at the provider's pace") foreach @others;
is(state_of($stays), 'queued', 'before the one that is set aside');
allow('message');
ok(wait_state($node, 'odoo', $stays, 'sent'), 'it goes when that is over');

# Where making messages fails, what is made is sent all the same.
refuse('BEFORE INSERT OR UPDATE', 'read_position', 'true');
sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'U/' || id WHERE id = 1");
comes_true("SELECT state = 'error' FROM wa_check() WHERE item = 'worker'", 'wa_check() names a worker whose rounds fail');
like(worker_says(), qr/^its work has ended in an error \d+ times since .*: the auditor says no$/, 'with the error');
$goes = send_one();
ok(wait_state($node, 'odoo', $goes, 'sent'), 'a message is sent meanwhile');
allow('read_position');
comes_true("SELECT state = 'ok' FROM wa_check() WHERE item = 'worker'", 'and all is well when that is over');
comes_true("SELECT count(*) > 0 FROM wa.message WHERE res_id = 1 AND scenario = 'permit_ready'", 'also for the permit');
done_testing();

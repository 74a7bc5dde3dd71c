# The server's clock is set, back and forward: waits of ours go on as if it had
# not been, and what was asked for at a time of day follows the clock.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Clock;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster(
	'main',
	simulator => $sim,
	start => 0,
	conf => 'sicantik_wa.worker_idle_timeout = 3600');
my $clock = SicantikWa::Clock->new;
sub set_clock { return $clock->set($_[0]); }

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub text
{
	my ($number, $more) = @_;

	return sql("SELECT wa_send_text('$number', 'Halo'" . ($more || '') . ')');
}

sub sent_to
{
	my ($number) = @_;

	return scalar grep { $_->{to} eq $number } $sim->sends;
}

# Seconds until a message is due, by the server's clock.
sub due_in
{
	my ($id) = @_;

	return sql("SELECT extract(epoch FROM due_at - clock_timestamp())::int FROM wa.due WHERE message_id = $id");
}

# Commits wake the worker: it looks at its clock then, not only once a minute.
sub followed
{
	my ($log, $what) = @_;

	text('6281355500000');
	return ok($node->wait_for_log(qr/follows the server's clock, which was set $what/, $log), "the worker sees it: $what");
}

$clock->start($node);
load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT wa_test_connection('fonnte')");
sql("SELECT wa_set('unknown_wait', '1 hour')");
no_pacing($node, 'odoo');

sub wait_due
{
	my ($id, $reason) = @_;

	return ok(
		wait_sql($node, 'odoo', "SELECT reason FROM wa.message WHERE id = $id AND due_at IS NOT NULL", $reason),
		"a message waits: $reason");
}

# One that is in doubt, one that is tried again, one for a time of day

$sim->fault({ provider => 'fonnte', kind => 'cut_after_read', match => { number => '6281355500001' } });
my $doubt = text('6281355500001');
wait_due($doubt, 'no_answer');
$sim->fault({ provider => 'fonnte', kind => 'fonnte_reason', reason => 'url unreachable', match => { number => '6281355500002' }, times => undef });
my $retry = text('6281355500002');
ok(wait_sql($node, 'odoo', "SELECT reason IN ('retry', 'unreachable') AND due_at IS NOT NULL FROM wa.message WHERE id = $retry"),
	'a message waits to be tried again');
my $later = text('6281355500003', ", send_at => clock_timestamp() + interval '2 hours'");

# a provider in trouble, which is tested again in ten minutes, and whose templates are read in an hour
sql("SELECT wa_configure('watzap', '" . provider_settings($sim, 'watzap') . "'); UPDATE wa.provider SET min_gap = '0', gap_jitter = '0' WHERE name = 'watzap'");
sql("UPDATE wa.provider SET state = 'error', probe_at = clock_timestamp() + interval '10 minutes' WHERE name = 'watzap';"
	  . " INSERT INTO wa.template_sync (provider, due_at) VALUES ('watzap', clock_timestamp() + interval '1 hour')");

my $log = -s $node->logfile;
set_clock(-86400);
cmp_ok(sql('SELECT extract(epoch FROM clock_timestamp())'), '<', time - 86000, 'the clock is set back by a day');
$sim->clear_faults;
followed($log, 'back by 86400 seconds');
cmp_ok(due_in($retry), '<=', 360, 'back: what is tried again is not frozen');
cmp_ok(due_in($doubt), '>', 3000, 'back: what is in doubt waits for its hour');
cmp_ok(due_in($doubt), '<=', 3600, 'back: and no longer');
is(sql("SELECT m.due_at = d.due_at FROM wa.message AS m JOIN wa.due AS d ON d.message_id = m.id WHERE m.id = $doubt"), 't', 'back: the message shows it');
cmp_ok(due_in($later), '>', 86400, 'back: a time of day is that time of day');
is(sql("SELECT probe_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '10 minutes' FROM wa.provider WHERE name = 'watzap'"), 't',
	'back: a provider in trouble is tested as soon as before');
is(sql("SELECT due_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 hour' FROM wa.template_sync WHERE provider = 'watzap'"), 't',
	'back: and so are its templates');

$log = -s $node->logfile;
set_clock(5 * 60);
followed($log, 'forward by 86700 seconds');
cmp_ok(due_in($doubt), '>', 3000, 'forward: what is in doubt has its hour all the same');
sql("UPDATE wa.due SET due_at = clock_timestamp() WHERE message_id = $retry");
text('6281355500000');
ok(wait_state($node, 'odoo', $retry, 'sent'), 'what is tried again goes when its wait is over');
$log = -s $node->logfile;
set_clock(3 * 3600);
ok($sim->wait_for_sends(1, to => '6281355500003'), 'forward: what was for a time of day goes at that time')
  if followed($log, 'forward by 10500 seconds');
cmp_ok(due_in($doubt), '>', 3000, 'forward: what is in doubt still waits');
is(sent_to('6281355500001'), 1, 'and has not been sent again');

# While no worker runs the launcher sees it

$node->safe_psql('postgres', "ALTER SYSTEM SET sicantik_wa.worker_idle_timeout = 1");
$node->reload;
ok(wait_sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'", '0'), 'no worker');
$log = -s $node->logfile;
set_clock(-7200);
$node->reload;					# the launcher looks
ok($node->wait_for_log(qr/follows the server's clock, which was set back by 18000 seconds/, $log), 'a worker comes and sees it');
cmp_ok(due_in($doubt), '<=', 3600, 'what is in doubt waits for its hour');

# A start of the server with another clock than before

$node->stop;
set_clock(-86400 * 30);
$clock->start($node);
ok(wait_sql($node, 'odoo', "SELECT due_at <= clock_timestamp() + interval '1 hour' FROM wa.due WHERE message_id = $doubt"),
	'a start with a clock that is a month behind: it waits for an hour, not for a month');

# A clock that is years ahead for a moment erases nothing

my ($offset) = $clock->seconds;
my $ledger = "SELECT count(*), count(number), count(body) FROM wa.message WHERE id <= (SELECT max(id) FROM wa.message WHERE number = '6281355500004')";
ok(wait_state($node, 'odoo', text('6281355500004'), 'sent'), 'a message is sent');
my $before = sql($ledger);
$log = -s $node->logfile;
set_clock($offset + 3 * 365 * 86400);
followed($log, 'forward by 94608000 seconds');
like(slurp_file($node->logfile, $log), qr/DETAIL:  For a day nothing is erased/, 'and says that it erases nothing');
ok(wait_state($node, 'odoo', text('6281355500005'), 'sent'), 'it works on');
# so does a worker that comes now
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
ok(wait_state($node, 'odoo', text('6281355500006'), 'sent'), 'another one, too');
set_clock($offset);
ok(wait_state($node, 'odoo', text('6281355500007'), 'sent'), 'back again');
is(sql($ledger), $before, 'everything is there, texts and numbers as well');

# In December next year's holidays are missing, in November not yet

my $december = sql("SELECT extract(epoch FROM make_timestamptz(extract(year FROM now())::int, 12, 1, 0, 30, 0, 'Asia/Jakarta') - clock_timestamp())::int");
my $year = sql('SELECT extract(year FROM now())::int + 1');
sub holidays { return sql("SELECT coalesce((SELECT state || ': ' || what_to_do FROM wa_check() WHERE item = 'holidays'), 'nothing')"); }
sql("SELECT wa_set('language', 'en'); UPDATE wa.scenario SET hours_from = '07:00', hours_to = '20:00' WHERE key = 'permit_ready'");
set_clock(-86400 * 30 + $december - 3600);
is(holidays(), 'nothing', 'on the last of November nobody is told of holidays');
set_clock(-86400 * 30 + $december + 60);
like(holidays(), qr/^warning: .*no holiday of $year .*wa_set_holidays\('\{"$year-01-01": "Tahun Baru"\}'\)/s, 'in December that next year has none');
sql(qq(SELECT wa_set_holidays('{"$year-01-01": "Tahun Baru"}')));
is(holidays(), "ok: the next is 01-01-$year (Tahun Baru)", 'and no more when they are entered');

done_testing();

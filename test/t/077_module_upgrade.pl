# A module upgrade of Odoo's changes the tables that we read, in one long
# transaction, while messages are composed and sent: it waits for nobody, is
# never the one that loses, and no message goes twice.  Neither does one when
# the launcher is replaced while a message is on the wire: a second worker does
# not run beside the first.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => "deadlock_timeout = 10ms\nlog_lock_waits = on\nrestart_after_crash = on");

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub comes_true { return ok(wait_sql($node, 'odoo', "SELECT $_[0]"), $_[1]); }

# Every table of Odoo's that anything of ours reads, where this Odoo has it.
my @tables = qw(
  res_partner sicantik_permit sicantik_permit_type sicantik_document
  signature_workflow phone_blacklist whatsapp_message ir_config_parameter
  res_users mail_followers ir_model_data ir_model_fields
  ir_model_fields_selection res_groups_users_rel res_groups_implied_rel
  ir_module_module ir_cron base_automation ir_act_server);

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 20");
sql("UPDATE wa.scenario SET requires_opt_in = false, active = (key = 'permit_ready')");
sql("SELECT wa_arm('odoo')");
load_many($node, 'odoo', 600);
my @permits = split /\n/, sql('SELECT id FROM sicantik_permit WHERE id > 11 ORDER BY id');
@tables = grep { sql("SELECT to_regclass('public.$_') IS NOT NULL") eq 't' } @tables;
cmp_ok(scalar @tables, '>=', 8, 'tables to change: ' . join(' ', @tables));

# Odoo's users at work, in a session that does not hold on to anything.
sub make_ready
{
	my ($n) = @_;
	my @some = splice @permits, 0, $n;
	return "UPDATE sicantik_permit SET status = 'active', permit_number = 'UP/' || id WHERE id IN ("
	  . join(',', @some) . ");";
}

my $user = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
my $upgrade = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
my $slowest = 0;
my @errors;

# A statement of the upgrade.
sub step
{
	my ($statement) = @_;
	my $start = time;

	$upgrade->do($statement);
	my $took = time - $start;
	$slowest = $took if $took > $slowest;
	push @errors, $upgrade->err if $upgrade->err;
	return;
}

sql(make_ready(50));
$sim->wait_for_sends(5);
foreach my $round (1 .. 3)
{
	my @order = $round == 2 ? reverse @tables : @tables;

	# work of every kind while the upgrade goes from table to table
	step('BEGIN');
	sql(make_ready(60));
	foreach my $table (@order)
	{
		step("ALTER TABLE $table ADD COLUMN wa_up_$round integer DEFAULT 1");
		step("ALTER TABLE $table ALTER COLUMN wa_up_$round TYPE text");
		step("ALTER TABLE $table DROP COLUMN wa_up_" . ($round - 1)) if $round > 1;
		step("UPDATE $table SET wa_up_$round = 'x'") unless $table =~ /permit$/;
		# a message to a bare number, and a wish: neither may wait for us
		$user->do("SET statement_timeout = '5s'; SELECT count(wa_cancel(id)) FROM (SELECT id FROM wa.message WHERE state = 'queued' LIMIT 1) AS m");
		push @errors, $user->err if $user->err && $user->err !~ /NOTICE/;
	}
	# the upgrade changes watched rows as well, under its own locks
	step(make_ready(20));
	step($round == 3 ? 'ROLLBACK' : 'COMMIT');
	sql(make_ready(20));
	comes_true("NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending')) AND NOT EXISTS (SELECT FROM wa.request)"
		  . " AND $ALL_READ",
		"upgrade $round: everything has ended");
}
is(join('', @errors), '', 'no statement of the upgrade failed');
my $pid = $upgrade->do('SELECT pg_backend_pid()');
my @waits = sort { $b <=> $a } slurp_file($node->logfile) =~ /process $pid acquired \w+ on .* after ([\d.]+) ms/g;
is(scalar(grep { $_ >= 1000 } @waits), 0, 'none waited: the longest for ' . ($waits[0] // 0) . ' ms of ' . @waits . " waits; the slowest took $slowest s");
is(sql('SELECT sum(deadlocks) FROM pg_stat_database'), '0', 'nothing was deadlocked');
is(sql("SELECT count(*) FROM pg_trigger WHERE tgname LIKE '00_sicantik_wa%' AND tgrelid = 'sicantik_permit'::regclass"),
	'1', 'the trigger is in its place');
is(sql('SELECT count(*) FROM wa.dead_letter'), '0', 'no event was given up');

# ledger against journal: each committed change told once, none of the
# rolled-back ones, none twice
is(sql("SELECT count(*) FROM sicantik_permit AS p WHERE permit_number LIKE 'UP/%' AND NOT EXISTS"
		. " (SELECT FROM wa.message AS m WHERE m.scenario = 'permit_ready' AND m.res_id = p.id)"), '0',
	'every change has its message');
is(sql("SELECT count(*) FROM wa.message AS m WHERE m.scenario = 'permit_ready' AND NOT EXISTS"
		. " (SELECT FROM sicantik_permit AS p WHERE p.id = m.res_id AND permit_number LIKE 'UP/%')"), '0',
	'nothing was told that was rolled back');
is(sql("SELECT count(*) FROM (SELECT FROM wa.message GROUP BY scenario, res_id HAVING count(*) > 1) AS twice"), '0',
	'none was told twice');
my %journal;
$journal{ $_->{to} }++ foreach $sim->accepted;
my %ledger = map { split /\|/ } split /\n/, sql("SELECT number, count(*) FROM wa.message WHERE state = 'sent' GROUP BY number");
is_deeply(\%journal, \%ledger, 'the provider has got what the ledger says');
note(sql("SELECT string_agg(n || ' ' || state, ', ') FROM (SELECT state, count(*) AS n FROM wa.message GROUP BY state) AS s"));

# A second launcher, while a message is on the wire
my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', times => 1, match => { number => '6281277700001' } });
my $id = sql("SELECT wa_send_text('081277700001', 'on the wire')");
$sim->wait_for_sends(1, to => '6281277700001');
my $launcher = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa launcher'");
my $worker = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
sql("SELECT pg_terminate_backend($launcher)");
comes_true("EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sicantik_wa launcher' AND pid <> $launcher)", 'there is a new launcher');
my $next = sql("SELECT wa_send_text('081277700002', 'next')");
comes_true("state = 'sent' FROM wa.message WHERE id = $next", 'messages go on');
is(sql("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'"), $worker,
	'by the worker that was there, and no other');
$sim->release($hold);
comes_true("state = 'sent' FROM wa.message WHERE id = $id", 'the message on the wire is recorded');
is(scalar(grep { ($_->{to} || '') =~ /^6281277700/ } $sim->sends), 2, 'each was sent once');
$_->close foreach ($user, $upgrade);

done_testing();

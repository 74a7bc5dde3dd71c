# Settings that somebody has made for the owner of the database, for the
# database, or for him in it, go for our worker as for anybody else's session:
# whatever they are, the same is sent, once, and wa_check() finds nothing.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, instance => 'test-1');
my $worker = "backend_type = 'sicantik_wa worker'";
my $number = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }

# Rows of wa_check() that are not ok, but for what is so with usual settings, too.
my $usual = '';
sub amiss { return join "\n", grep { index("\n$usual\n", "\n$_\n") < 0 } split /\n/, sql("SELECT item || ': ' || state || ': ' || coalesce(what_to_do, '') FROM wa_check() WHERE state <> 'ok'"); }

# A session with usual settings, of somebody whom they do not concern: this
# permit is ready, with a number and a day of its own.
sub ready
{
	my ($id) = @_;
	return sql("UPDATE sicantik_permit SET status = 'active', permit_number = 'P-$id', expiry_date = date '2027-03-04', partner_id = 10 WHERE id = $id");
}

sub set_enabled
{
	my ($value) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET sicantik_wa.enabled = $value");
	return $node->reload;
}

# Its message, without what is its own.
sub told
{
	my ($id) = @_;
	return '' unless wait_sql($node, 'odoo', "SELECT string_agg(state, ',') FROM wa.message WHERE res_id = $id AND scenario = 'permit_ready'", 'sent');
	return sql("SELECT regexp_replace(number || E'\n' || body || params::text, 'P-$id|(Warga|MANY-)[ 0-9]*', '\\1', 'g') FROM wa.message WHERE res_id = $id AND scenario = 'permit_ready'");
}

load_odoo($node, 'odoo');
load_many($node, 'odoo', 90);
$node->safe_psql('postgres', 'CREATE ROLE dba SUPERUSER LOGIN');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
sql("SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.scenario SET max_per_day_and_number = NULL; SELECT wa_set('language', 'en')");
sql("SELECT wa_arm('odoo')");
my @permits = split /\n/, sql("SELECT id FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' AND permit_type_name ="
	  . " (SELECT permit_type_name FROM sicantik_permit WHERE registration_id LIKE 'MANY-%' ORDER BY id LIMIT 1) ORDER BY id");
my $first = shift @permits;
ready($first);
my $wanted = told($first);
like($wanted, qr/^62\d+\nYth\. .*nomor izin/s, 'a message as it should be');
wait_sql($node, 'odoo', "SELECT count(*) FROM wa_check() WHERE item = 'worker' AND state = 'ok'", 1);
$usual = amiss();

# Each list goes for one of the three, and for the worker that comes then.
my %lists = (
	timeouts => {
		statement_timeout => 1, lock_timeout => 1, idle_in_transaction_session_timeout => 1,
		idle_session_timeout => 1, transaction_timeout => 1, deadlock_timeout => 1,
	},
	transactions => {
		default_transaction_read_only => 'on', default_transaction_isolation => "'serializable'",
		default_transaction_deferrable => 'on', synchronous_commit => 'off', commit_delay => 100, exit_on_error => 'on',
	},
	names => {
		search_path => "'nowhere'", role => "'stranger'", row_security => 'off', session_replication_role => 'replica',
		default_tablespace => "'nowhere'", temp_tablespaces => "'nowhere'", default_table_access_method => "'heap'",
		check_function_bodies => 'on', quote_all_identifiers => 'on', lo_compat_privileges => 'on',
	},
	forms => {
		bytea_output => "'escape'", DateStyle => "'German, DMY'", IntervalStyle => "'iso_8601'", extra_float_digits => '-15',
		standard_conforming_strings => 'off', backslash_quote => "'on'", escape_string_warning => 'off', array_nulls => 'off',
		transform_null_equals => 'on', xmloption => "'document'", xmlbinary => "'hex'", TimeZone => "'America/St_Johns'",
		lc_messages => "'C'", lc_numeric => "'C.UTF-8'", client_encoding => "'LATIN1'", client_min_messages => "'debug5'",
	},
	plans => {
		(map { ("enable_$_" => 'off') } qw(seqscan indexscan indexonlyscan bitmapscan tidscan nestloop hashjoin mergejoin hashagg sort material memoize
			incremental_sort gathermerge parallel_append partition_pruning async_append)),
		plan_cache_mode => "'force_custom_plan'", work_mem => "'64kB'", from_collapse_limit => 1, join_collapse_limit => 1, geqo_threshold => 2,
		cursor_tuple_fraction => 0, jit => 'on', jit_above_cost => 0, jit_optimize_above_cost => 0, max_parallel_workers_per_gather => 4,
		parallel_setup_cost => 0, parallel_tuple_cost => 0, min_parallel_table_scan_size => 0, random_page_cost => 1000, track_activities => 'off',
		constraint_exclusion => 'on', debug_print_plan => 'on',
	});
my %only_user = map { $_ => 1 } qw(role);
my @for = ('ROLE odoo', 'DATABASE odoo', 'ROLE odoo IN DATABASE odoo');
# 19 takes no other one
delete $lists{forms}{standard_conforming_strings} if sql('SHOW server_version_num') >= 190000;
my $known = $node->safe_psql('postgres', "SELECT string_agg(lower(name), ' ') FROM pg_settings");

$node->safe_psql('postgres', 'CREATE ROLE stranger; GRANT stranger TO odoo');
foreach my $name (sort keys %lists)
{
	goes_on($name, $_) foreach @for;
}

sub goes_on
{
	my ($name, $for) = @_;
	my $set = '';
	my $permit = shift @permits;

	foreach my $setting (sort keys %{ $lists{$name} })
	{
		next unless " $known " =~ / \L$setting\E / || $only_user{$setting};
		$set .= "ALTER $for SET $setting = $lists{$name}{$setting};\n";
	}
	# this one's own sessions have them as well, where they are the database's
	my $offset = -s $node->logfile;
	my $pid = sql("SELECT pid FROM pg_stat_activity WHERE $worker");
	set_enabled('off');
	wait_sql($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE $worker", 0);
	$node->safe_psql('postgres', $set);
	set_enabled('on');
	ok($node->poll_query_until('postgres', "SELECT count(*) FROM pg_stat_activity WHERE $worker AND datname = 'odoo' AND pid <> " . ($pid || 0), 1),
		"$name of $for: a worker comes");
	# with the settings of the server only
	my $plain = $node->connstr('odoo') . " user=dba options='"
	  . join(' ', '-c session_replication_role=origin -c default_transaction_read_only=off -c transform_null_equals=off -c search_path=public',
		'-c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0 -c DateStyle=ISO -c client_min_messages=warning',
		" $known " =~ / transaction_timeout / ? '-c transaction_timeout=0' : '') . "'";
	my ($code, $out, $err) = $node->psql('odoo',
		"SET role = none; UPDATE sicantik_permit SET status = 'active', permit_number = 'P-$permit', expiry_date = date '2027-03-04', partner_id = 10 WHERE id = $permit;"
		  . " SELECT wa_send_text('0812-7000-00" . sprintf('%02d', ++$number) . "', 'Halo')", connstr => $plain);
	is($code, 0, "$name of $for: a permit is ready, and somebody sends a text") or diag($err);
	my $by_hand = $out;
	# in Odoo's own session, where that may work
	if ($name eq 'transactions' || $name eq 'forms' || $name eq 'plans')
	{
		($code, $out, $err) = $node->psql('odoo', "SELECT item || ': ' || state || ': ' || coalesce(what_to_do, '') FROM wa_check() WHERE state <> 'ok'",
			connstr => $node->connstr('odoo') . ' user=odoo');
		is($out, $usual, "$name of $for: wa_check() finds nothing in such a session") or diag($err);
		($code, $out, $err) = $node->psql('odoo', "SELECT count(*) FROM wa_why($by_hand)", connstr => $node->connstr('odoo') . ' user=odoo');
		is($code, 0, "$name of $for: wa_why() works there") or diag($err);
	}
	$node->safe_psql('postgres', "ALTER $for RESET ALL");
	is(told($permit), $wanted, "$name of $for: the same is told as ever");
	ok(wait_state($node, 'odoo', $by_hand, 'sent'), "$name of $for: the text has gone");
	is(scalar(grep { ($_->{to} // '') =~ sprintf('627000?00%02d$|62812700000%02d$', $number, $number) } $sim->accepted), 1, "$name of $for: once");
	is(sql("SELECT count(*) FROM pg_stat_activity WHERE $worker AND pid <> " . ($pid || 0)), 1, "$name of $for: by that worker");
	is(amiss(), '', "$name of $for: wa_check() finds nothing");
	unlike(substr(slurp_file($node->logfile), $offset), qr/sicantik_wa (?:worker|launcher|composer).*(?:ERROR|FATAL|PANIC):(?!  terminating)/, "$name of $for: no error in the log");
}

$node->stop;
done_testing();

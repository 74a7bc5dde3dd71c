# What a monitoring system reads: wa_metrics() is Prometheus' text format, says what the
# ledger does, and whatever a provider or scenario is called; check_sicantik_wa ends as
# wa_check() finds; the queries for postgres_exporter run with level view.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $docs = dirname(__FILE__) . '/../../docs/monitoring';
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }

# The samples of the text, by name and labels, each line read as the format has it.
sub samples
{
	my ($text) = @_;
	my (%type, %sample, $current);
	my $bad = '';

	foreach my $line (split /\n/, $text)
	{
		if ($line =~ /^# HELP ([a-z_]+) \S.*$/) { $current = $1; $bad .= "twice: $1\n" if $type{$1}; }
		elsif ($line =~ /^# TYPE ([a-z_]+_total) (counter)$/ || $line =~ /^# TYPE ([a-z_]+(?<!_total)) (gauge|histogram)$/)
		{
			$bad .= "$line\n" if $1 ne $current;
			$type{$1} = $2;
		}
		elsif ($line =~ /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\]|\\["\\n])*",?)+\})? (-?[0-9.e+-]+)$/)
		{
			my ($name, $labels, $value) = ($1, $2 // '', $3);
			my %of = map { $current . $_ => 1 } ($type{$current} // '') eq 'histogram' ? qw(_bucket _sum _count) : ('');

			$bad .= "$line\n" unless $type{$current} && $of{$name};
			$bad .= "twice: $line\n" if exists $sample{"$name$labels"};
			$sample{"$name$labels"} = $value;
		}
		else { $bad .= "$line\n"; }
	}
	is($bad, '', 'each line is one of the format');
	return %sample;
}
sub metrics { return samples(sql("SELECT wa_metrics($_[0])") ); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
my %before = metrics('true');
is($before{'sicantik_wa_check_items{state="error"}'} > 0, 1, 'before wa_setup() there is an error');
sql("SELECT count(*) FROM wa_setup()");
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT count(*) FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
my @ids = map { sql("SELECT wa_send_text('62811000000$_', 'Halo')") } 10 .. 14;
ok(wait_state($node, 'odoo', $_, 'sent'), "message $_ is sent") foreach @ids;
sql("SELECT wa_send_text('6281100000020', 'Besok', send_at => now() + interval '1 day')");
sql("INSERT INTO wa.message (scenario, provider, state, reason) VALUES (E'a\\\\b\"c\\nd', 'meta', 'held', 'bulk')");

my %now = metrics('true');
is($now{'sicantik_wa_today_sent{provider="fonnte",scenario=""}'}, 5, 'sent');
is($now{'sicantik_wa_today_attempts{provider="fonnte",scenario=""}'}, 5, 'with so many attempts');
is($now{'sicantik_wa_provider_accepted_today{provider="fonnte",kind="fonnte"}'}, 5, 'of this provider');
is($now{'sicantik_wa_provider_usable{provider="fonnte",kind="fonnte"}'}, 1, 'which can be used');
is($now{'sicantik_wa_provider_usable{provider="meta",kind="meta"}'}, 0, 'as others cannot');
is($now{'sicantik_wa_waiting_messages{provider="",scenario="",state="queued"}'}, 1, 'one waits');
is($now{'sicantik_wa_waiting_messages{provider="meta",scenario="a\\\\b\\"c\\nd",state="held"}'}, 1, 'one is held, of a scenario with a strange name');
is($now{'sicantik_wa_oldest_ready_seconds'}, 0, 'nothing that could go has not');
is($now{"sicantik_wa_worker_${_}_total"}, 5, "workers: $_") foreach qw(claims attempts accepted);
is($now{'sicantik_wa_worker_latency_seconds_bucket{le="+Inf"}'}, 5, 'the latency of each is known');
is($now{'sicantik_wa_worker_latency_seconds_count'}, 5, 'and counted');
cmp_ok($now{'sicantik_wa_worker_latency_seconds_bucket{le="60"}'}, '>=', $now{'sicantik_wa_worker_latency_seconds_bucket{le="0.005"}'}, 'added up');
cmp_ok($now{'sicantik_wa_today_sent_within_seconds{share="0.95"}'}, '<', 60, 'it was quick');
is($now{'sicantik_wa_check_items{state="' . $_ . '"}'}, sql("SELECT count(*) FROM wa_check() WHERE state = '$_'"), "as many findings: $_") foreach qw(error warning);
is((grep { /^sicantik_wa_check/ } keys %{ { metrics('false') } }), 0, 'without checks none');
unlike(sql('SELECT wa_metrics()'), qr/628110000/, 'no number is in it');

# Rights, and what comes with the documentation.

sql("CREATE ROLE monitor LOGIN; CREATE ROLE nobody LOGIN; SELECT wa_grant('monitor', 'view')");
my ($code, $out, $err) = $node->psql('odoo', 'SELECT wa_metrics()', extra_params => [ '-U', 'nobody' ]);
like($err, qr/level|permission/, 'it is not for everybody');
foreach my $query (slurp_file("$docs/postgres_exporter.yml") =~ /^  query: "(.*)"$/mg)
{
	($code, $out, $err) = $node->psql('odoo', $query, extra_params => [ '-U', 'monitor' ]);
	is($code, 0, 'a query for postgres_exporter: ' . substr($query, 0, 60)) or diag($err);
}
my %named = map { $_ => 1 } map { s/\{.*//r } keys %now;
my ($family, %exported);
foreach my $line (split /\n/, slurp_file("$docs/postgres_exporter.yml"))
{
	$family = $1 if $line =~ /^(\w+):/;
	next unless $line =~ /^    - (\w+): \{usage: "(GAUGE|COUNTER|HISTOGRAM)"/;
	$exported{$_} = 1 foreach $2 eq 'HISTOGRAM' ? map { "${family}_$1$_" } qw(_bucket _sum _count) : "${family}_$1";
}
# no provider of these has said what is left
$named{sicantik_wa_provider_quota_left} = 1;
is(join(' ', sort keys %exported), join(' ', sort keys %named), 'postgres_exporter is given all that wa_metrics() has, by the same names');
my $rules = slurp_file("$docs/sicantik_wa.rules.yml");
ok($named{$_}, "$_ of a rule is there") foreach map { /(\bsicantik_wa_\w+)/g } $rules =~ /^ +expr: (.*)$/mg;
my $tried = join '', map { slurp_file(dirname(__FILE__) . "/../monitoring/$_") } qw(rules_test.yml run.sh);
ok($tried =~ /\b$_\b/, "$_ is tried in test/monitoring") foreach $rules =~ /- alert: (\w+)/g;

sub check
{
	my ($stdout, $stderr);
	my $status = IPC::Run::run([ "$docs/check_sicantik_wa", '-d', $node->connstr('odoo'), '-U', $_[0] ], '>', \$stdout, '2>', \$stderr) ? 0 : $? >> 8;
	return "$status $stdout";
}
like(check('monitor'), qr/^2 SICANTIK_WA CRITICAL - .+ \| errors=[1-9]\d* warnings=\d+$/, 'check_sicantik_wa tells of errors');
{
	my ($stdout, $stderr);
	IPC::Run::run([ "$docs/check_sicantik_wa", '-d', 'odoo', '--help' ], '>', \$stdout, '2>', \$stderr);
	is($? >> 8, 3, 'asked for help it knows nothing of the database');
	like($stdout, qr/^check_sicantik_wa \[PSQL_ARGUMENT \.\.\.\]: one line and an exit status/, 'and says how it is used');
	unlike($stdout, qr/psql is|^#/m, 'itself, and not psql');
}
like(check('nobody'), qr/^3 SICANTIK_WA UNKNOWN - /, 'and of what it may not know');
sql("CREATE SCHEMA fake; CREATE FUNCTION fake.wa_check() RETURNS TABLE (item text, state text) LANGUAGE sql AS \$\$ VALUES ('mode', 'ok') \$\$;"
	  . " GRANT USAGE ON SCHEMA fake TO monitor; ALTER ROLE monitor SET search_path = fake, pg_catalog");
like(check('monitor'), qr/^0 SICANTIK_WA OK - nothing to do \| errors=0 warnings=0$/, 'all is well');
sql("CREATE OR REPLACE FUNCTION fake.wa_check() RETURNS TABLE (item text, state text) LANGUAGE sql AS \$\$ VALUES ('mode', 'warning') \$\$");
like(check('monitor'), qr/^1 SICANTIK_WA WARNING - mode \| errors=0 warnings=1$/, 'a warning');

$node->stop;
done_testing();

# The scenario of one's own that docs/scenarios.md shows, word for word, on
# SICANTIK's own tables: it fires, whoever owns the database and the tables and
# whoever types it.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my ($section) = slurp_file(dirname(__FILE__) . '/../../docs/scenarios.md') =~ /^## A scenario of your own\n(.*?)^## /ms;
my @statements = $section =~ /^```sql\n(.*?)^```$/msg;
is(scalar @statements, 2, 'docs/scenarios.md shows one that is told of changes, and one that runs daily');

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => 'sicantik_wa.max_workers = 8');
my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

# Who owns the database, who owns Odoo's tables, who types.
my @layouts = (
	{ db => 'plain', owner => 'odoo', tables => 'odoo', by => 'odoo' },
	{ db => 'byroot', owner => 'odoo', tables => 'odoo', by => $superuser },
	{ db => 'image', owner => 'boss', tables => 'boss', by => 'boss', superuser => 1 },
	{ db => 'split', owner => $superuser, tables => 'odoo', by => $superuser },
	{ db => 'office', owner => 'office', tables => 'odoo', by => $superuser });
my $count = 0;

foreach my $layout (@layouts)
{
	my ($db, $by, $tables) = ($layout->{db}, $layout->{by}, $layout->{tables});
	my $as = sub
	{
		my ($role, $sql, $what) = @_;
		my ($code, $out, $err) = $node->psql($db, $sql, extra_params => [ '-U', $role, '-v', 'ON_ERROR_STOP=1' ]);

		is($code, 0, "$db: $what") or diag($err);
		return $out;
	};

	load_odoo($node, $db, owner => $layout->{owner}, tables => $tables, superuser => $layout->{superuser});
	$as->($superuser, "CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup(); SELECT wa_set('language', 'en'); SELECT wa_configure('fonnte', '"
		  . provider_settings($sim, 'fonnte') . "'); SELECT FROM wa_test_connection('fonnte'); SELECT wa_arm('$db')", 'live');
	no_pacing($node, $db);
	like($as->($by, $statements[0], "what docs/scenarios.md says, by $by"), qr/^scenario document_rejected\|ok\|$/m, "$db: wa_check() is content");
	$as->($superuser, 'UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL', 'at any time');
	$as->($tables, "UPDATE sicantik_document SET state = 'rejected' WHERE id = 3", 'Odoo rejects a document');
	ok(wait_sql($node, $db, "SELECT string_agg(state || ' ' || scenario, ', ') FROM wa.message WHERE scenario = 'document_rejected'", 'sent document_rejected'),
		"$db: the applicant is told");
	like($node->safe_psql($db, "SELECT body FROM wa.message WHERE scenario = 'document_rejected'"),
		qr/^Yth\. .+, dokumen SK REG-\S+ pada permohonan REG-\S+ perlu diperbaiki\./, "$db: in the words of the template");
	$count++;
	is(scalar $sim->sends, $count * 1, "$db: one request");

	# the same daily, by hand
	$as->($by, $statements[1] =~ s/'\{1,2,3,4,5\}'/NULL/r, 'the daily one');
	$as->($superuser, "UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL WHERE key = 'rejected_reminder'", 'at any time');
	$as->($tables, "UPDATE sicantik_document SET upload_date = now() - interval '20 days' WHERE id = 3", 'two weeks later');
	$as->($superuser, "SELECT wa_run_scenario('rejected_reminder')", 'a run');
	ok(wait_sql($node, $db, "SELECT string_agg(state, ', ') FROM wa.message WHERE scenario = 'rejected_reminder'", 'sent'), "$db: he is reminded");
	$as->($superuser, "SELECT wa_run_scenario('rejected_reminder')", 'another one');
	is($node->safe_psql($db, "SELECT count(*) FROM wa.message WHERE scenario = 'rejected_reminder'"), '1', "$db: once");
	is($node->safe_psql($db, 'SELECT count(*) FROM wa.dead_letter'), '0', "$db: no dead letter");
	$count++;
}

$node->stop;
$sim->stop;
done_testing();

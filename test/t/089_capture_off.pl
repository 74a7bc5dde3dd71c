# sicantik_wa.capture = off: meant for one transaction.  What is not recorded
# because of it is counted and shown, and a session that has it from before its
# transaction, which a pool may have given to another client, is told.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim);

sub sql { return $node->safe_psql('odoo', $_[0]); }

my $passed = 0;

# changes($n, $name): $n more changes are counted, wherever they are now.
sub changes
{
	my ($n, $name) = @_;

	$passed += $n;
	ok(wait_sql($node, 'odoo', "SELECT coalesce(sum(events), 0) FROM wa.capture_gap WHERE reason = 'off'", $passed), $name);
	return;
}

sub events { return sql('SELECT count(*) FROM wa.event'); }

my $warning = qr/^WARNING:  sicantik_wa\.capture is off in this session$/m;

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql("SELECT wa_set('language', 'en')");
is(sql("SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = 'capture'"), 'ok', 'all is well');

my $client = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
my $before = events();

# As it is meant
$client->do("BEGIN; SET LOCAL sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'cancelled' WHERE id IN (1, 2);"
	  . " UPDATE sicantik_permit SET notes = 'x'; INSERT INTO sicantik_permit_type (name) SELECT name FROM sicantik_permit_type LIMIT 1; COMMIT");
unlike($client->err, $warning, 'SET LOCAL: no warning');
changes(2, 'what would have been recorded is counted');
like(sql("SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = 'capture'"),
	qr/^warning: 2 changes between \S+ \S+ and \S+ \S+ were not recorded, because sicantik_wa\.capture was off/, 'wa_check()');
like(sql("SELECT value || ' ' || detail FROM wa_status() WHERE item = 'capture'"), qr/^was off 2 changes /, 'wa_status()');
is(sql("SELECT value FROM wa_status() WHERE item = 'capture gaps'"), '0', 'that is no fault of capture');
ok($node->log_contains(qr/sicantik_wa did not record changes of a watched table.*\n.*DETAIL:  sicantik_wa\.capture is off in a session of role "odoo"/),
	'one line in the log');
$client->do("BEGIN; SET LOCAL sicantik_wa.capture = off; UPDATE sicantik_permit SET status = 'draft' WHERE id = 2; ROLLBACK");
$client->do("UPDATE sicantik_permit SET status = 'draft' WHERE id = 2");
is(events(), $before + 1, 'the next transaction is recorded');
changes(0, 'what is rolled back does not count');

# For the session
$client->do("SET sicantik_wa.capture = off");
like($client->err, $warning, 'a plain SET is warned about');
$client->do("UPDATE sicantik_permit SET status = 'active' WHERE id = 2");
is($client->err, '', 'once');
changes(1, 'and counted');
$client->do('RESET sicantik_wa.capture');
is($client->err, '', 'taking it back is well');

# In ways that are seen at work only: as the next client of a pool
$client->do("BEGIN; SELECT set_config('sicantik_wa.capture', 'off', false); UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 2; COMMIT");
is($client->err, '', 'in its own transaction it may be meant');
$client->do("BEGIN; UPDATE sicantik_permit SET status = 'active' WHERE id = 2; UPDATE sicantik_permit SET status = 'draft' WHERE id = 2; COMMIT");
my $said = () = $client->err =~ /$warning/g;
is($said, 1, 'the next transaction is told, once');
unlike($client->err, qr/UPDATE/, 'without the statement');
changes(3, 'all are counted');
$client->do('DISCARD ALL');
$before = events();
$client->do("UPDATE sicantik_permit SET status = 'active' WHERE id = 2");
is($client->err . events(), $before + 1, 'DISCARD ALL ends it');
$client->close;

sql('ALTER ROLE odoo SET sicantik_wa.capture = off');
$client = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
$client->do("UPDATE sicantik_permit SET status = 'draft' WHERE id = 2");
like($client->err, $warning, 'a setting of the role is told to the session that has it');
changes(1, 'and counted');
$client->close;

# A function that switches it off for itself
sql('ALTER ROLE odoo RESET sicantik_wa.capture');
$client = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
$client->do(q{CREATE FUNCTION quietly() RETURNS void LANGUAGE sql SET sicantik_wa.capture = off AS
	$$UPDATE sicantik_permit SET status = 'active' WHERE id = 2$$; SELECT quietly()});
is($client->err, '', 'a function with the setting: no warning');
changes(1, 'but counted');
$before = events();
$client->do("UPDATE sicantik_permit SET status = 'draft' WHERE id = 2");
is($client->err . events(), $before + 1, 'and over when it ends');
like(sql("SELECT what_to_do FROM wa_check() WHERE item = 'capture'"),
	qr/^changes that function public\.quietly\(\) makes are not recorded, because it has the setting sicantik_wa\.capture=off; /, 'wa_check() names it');
$client->do('DROP FUNCTION quietly()');
$client->close;

is(sql("SELECT count(*) FROM wa.capture_gap"), '1', 'what follows soon is one row');
sql("UPDATE wa.capture_gap SET first_at = first_at - interval '2 days', last_at = last_at - interval '2 days'");
like(sql("SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = 'capture'"), qr/^ok: 8 changes between/, 'after a day it is a note');
sql("UPDATE wa.capture_gap SET reason = 'known' WHERE reason IN ('off')");
is(sql("SELECT concat_ws(': ', state, what_to_do) FROM wa_check() WHERE item = 'capture'"), 'ok', 'until somebody says that he knows');

$node->stop('fast');
done_testing();

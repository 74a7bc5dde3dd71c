# A message about a permit whose turn comes late is not asked about again while
# all that it was made from is the same (known.c).  What may change meanwhile,
# each by itself: it is asked about then, and says what is so.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => "sicantik_wa.worker_idle_timeout = 3600\nlog_min_messages = debug1");
my $session;
my $locker;

sub sql { return $session->sql($_[0]); }
sub wait_for { return $session->wait_for($_[0]); }

# Not seen by the triggers, neither ours nor those that tell of a configuration.
sub unseen { return sql("SET session_replication_role = replica; $_[0]; RESET session_replication_role"); }

my $n = 0;

# A permit that gets ready, or another status, while the provider's only place
# is taken; $change->($permit, $partner, $message) happens; then it goes.
# Returns what was told, and whether it was known to be as it was made.
sub told
{
	my ($change, %with) = @_;
	my $partner = 1000 + ++$n;
	my $number = sprintf('62857000%05d', $n);

	sql("INSERT INTO res_partner (id, name, type, active, whatsapp_number) VALUES ($partner, 'Warga', 'contact', true, '$number')");
	my $permit = sql('SET sicantik_wa.capture = off; INSERT INTO sicantik_permit (registration_id, applicant_name, partner_id, status, permit_type_id)'
		  . " VALUES ('K-$n', 'Warga', $partner, 'draft', 1) RETURNING id; RESET sicantik_wa.capture");
	my $hold = $sim->fault({ kind => 'hold', provider => 'fonnte', match => { number => '6281200009999' } });

	sql("SELECT wa_send_text('6281200009999', 'in the way')");
	wait_for("EXISTS (SELECT FROM wa.message WHERE number = '6281200009999' AND state = 'sending')");
	sql('UPDATE sicantik_permit SET ' . ($with{set} // "status = 'active', permit_number = 'N$n'") . " WHERE id = $permit");
	wait_for("EXISTS (SELECT FROM wa.message WHERE res_id = $permit AND state = 'queued')");
	my $message = sql("SELECT max(id) FROM wa.message WHERE res_id = $permit AND state = 'queued'");
	# it has been looked at, and found no room: not fresh any more
	wait_for("clock_timestamp() - (SELECT created_at FROM wa.message WHERE id = $message) > interval '260 milliseconds'");
	$change->($permit, $partner, $message) if $change;
	my $from = -s $node->logfile;
	$sim->release($hold);
	$with{meanwhile}->() if $with{meanwhile};
	wait_for("NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending'))");
	my $log = substr(slurp_file($node->logfile), $from);
	my $known = $log =~ /of 1 messages 1 are as they were made/ ? 'known' : $log =~ /of \d+ messages 0 are/ ? 'asked' : 'neither';
	my $told = sql("SELECT string_agg(CASE WHEN state = 'sent' THEN body || ' ' || right(number, 1) ELSE concat_ws(' ', state, reason) END, ', '"
		  . " ORDER BY id) FROM wa.message WHERE id >= $message AND number IS DISTINCT FROM '6281200009999'");
	$told =~ s/N$n/N/g;
	return "$known: $told";
}

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
$locker = SicantikWa::Session->new($node, 'odoo', user => 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
sql("SELECT wa_set('office_name', 'Kantor'), wa_set_template('permit_ready', '{\"body\": \"{{permit_number}} {{jenis_izin}} {{nama_pemohon}} {{office_name}}.\"}'),"
	  . " wa_set_template('status_update', '{\"body\": \"{{status_baru}} {{nama_pemohon}} {{partner_name}}.\"}')");
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT * FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
sql("UPDATE wa.provider SET max_in_flight = 1; UPDATE wa.scenario SET max_per_hour = NULL; SELECT wa_arm('odoo')");
my $type = sql('SELECT name FROM sicantik_permit_type WHERE id = 1');
my $cancelled = "status = 'cancelled'";
my $with = sub { my ($text) = @_; return sub { my ($permit, $partner, $message) = @_; my $sql = $text;
	$sql =~ s/:permit/$permit/g; $sql =~ s/:partner/$partner/g; $sql =~ s/:message/$message/g; unseen($sql); } };

# The last figure of each number is that of the case.
sub figure { return $n % 10; }

is(told(), "known: N $type Warga Kantor. " . figure(), 'nothing has changed');
is(told(undef, set => $cancelled), 'known: Dibatalkan Warga Warga. ' . figure(), 'a status as well');
is(told($with->('UPDATE wa.message SET priority = priority WHERE id <> :message; UPDATE sicantik_permit SET write_date = now() WHERE id = :permit')),
	"known: N $type Warga Kantor. " . figure(), 'what it was not made from may change');

# the permit
is(told($with->("UPDATE sicantik_permit SET applicant_name = 'Budi' WHERE id = :permit")),
	"asked: superseded replaced, N $type Budi Kantor. " . figure(), 'the applicant');
is(told($with->("UPDATE sicantik_permit SET permit_number = 'M' WHERE id = :permit")),
	"asked: superseded replaced, M $type Warga Kantor. " . figure(), 'its number');
is(told($with->("UPDATE sicantik_permit SET status = 'draft' WHERE id = :permit")), 'asked: cancelled no_longer_true', 'its status');
is(told($with->('DELETE FROM sicantik_permit WHERE id = :permit')), 'asked: cancelled no_longer_true', 'it is gone');
is(told($with->('UPDATE sicantik_permit SET partner_id = 1001 WHERE id = :permit')), "asked: superseded replaced, N $type Warga Kantor. 1", 'its contact');
is(told($with->("UPDATE sicantik_permit SET permit_type_id = NULL, permit_type_name = 'Izin' WHERE id = :permit")),
	'asked: superseded replaced, N Izin Warga Kantor. ' . figure(), 'its type');
is(told($with->("UPDATE sicantik_permit_type SET name = 'Lain' WHERE id = 1")),
	'asked: superseded replaced, N Lain Warga Kantor. ' . figure(), 'the name of the type');

# its people
is(told($with->("UPDATE res_partner SET whatsapp_number = '6285700009990' WHERE id = :partner")) =~ s/N.*\. +/N /r,
	'asked: superseded replaced, N 0', "the contact's number");
is(told($with->('DELETE FROM res_partner WHERE id = :partner')), 'asked: cancelled no_longer_true', 'he is gone');
is(told($with->("UPDATE sicantik_permit SET applicant_name = '' WHERE id = :permit; UPDATE res_partner SET name = 'Siti' WHERE id = :partner"), set => $cancelled),
	'asked: superseded replaced, Dibatalkan - Siti. ' . figure(), 'and what he is called');
is(told($with->("INSERT INTO mail_followers (res_model, res_id, partner_id) SELECT 'sicantik.permit', :permit, partner_id FROM res_users"
			  . ' WHERE active AND NOT share LIMIT 1'), set => $cancelled),
	'asked: Dibatalkan Warga Warga. ' . figure(), 'who else is told');

# the words
is(told($with->("UPDATE ir_model_fields_selection SET name = jsonb_build_object('en_US', 'X', 'id_ID', 'Dicabut') WHERE value = 'cancelled'"
			  . " AND field_id IN (SELECT id FROM ir_model_fields WHERE model = 'sicantik.permit' AND name = 'status')"), set => $cancelled),
	'asked: superseded replaced, Dicabut Warga Warga. ' . figure(), 'how its status is called');

# our own tables
is(told($with->("UPDATE wa.setting SET value = 'Dinas' WHERE name = 'office_name'")),
	'asked: superseded replaced, N Lain Warga Dinas. ' . figure(), 'a setting');
like(told($with->("UPDATE wa.template SET body = body || ' ' WHERE key = 'permit_ready'")), qr/^asked: N/, 'a text');
is(told($with->("UPDATE wa.scenario SET staff_group = 'base.group_user' WHERE key = 'permit_ready'")) =~ s/N.*\. +/N /r,
	'asked: N ' . figure(), 'a scenario');
is(told($with->("UPDATE wa.message SET params = '{}' WHERE id = :message")) =~ s/N.*\. +/N /r,
	'asked: superseded replaced, N ' . figure(), 'the message itself');
is(told($with->('UPDATE wa.announced SET message_id = 0 WHERE message_id = :message')),
	'asked: superseded replaced, Aktif Warga Warga. ' . figure(), 'it was announced by another one');

# another change, which is composed meanwhile
is(told(sub { my ($permit) = @_; sql("UPDATE sicantik_permit SET permit_number = 'K' WHERE id = $permit");
			wait_for($ALL_READ); })
	  =~ s/K .*\. +/K /r, 'asked: superseded replaced, K ' . figure(), 'a change that was recorded');

# a table that is locked keeps it, and then it goes
is( told(sub { $locker->do('BEGIN; LOCK TABLE sicantik_permit'); },
		meanwhile => sub {
			my $from = -s $node->logfile;
			$node->wait_for_log(qr/of 1 messages 0 are as they were made/, $from);
			$locker->do('COMMIT');
		}) =~ s/N.*\. +/N /r,
	'known: N ' . figure(), 'a table that is locked');

# other columns, while no row has changed
is(told($with->('ALTER TABLE res_partner RENAME COLUMN whatsapp_number TO wa_number; ALTER TABLE res_partner ADD COLUMN whatsapp_number text'
			  . " DEFAULT '6285700009991'")) =~ s/N.*\. +/N /r, 'asked: superseded replaced, skipped opted_out', 'a column with another value');

$session->close;
$locker->close;
$node->stop;
done_testing();

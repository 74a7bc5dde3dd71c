# A message about a permit whose turn comes late is not asked about again while
# all that it was made from is the same (known.c).  What may change meanwhile,
# each by itself: it is asked about then, and says what is so.  Rows that are the
# very versions that they were are not even read (app_version.c): what might be
# taken for one and is another.

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
my $same;		# were the rows of the last one the very versions that they were?

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
	my $set = $with{set} // "status = 'active', permit_number = 'N$n'";

	# others that are written by the same transaction, and are no news
	my $beside = $with{beside} ? "SET LOCAL session_replication_role = replica; INSERT INTO sicantik_permit (registration_id, applicant_name, partner_id, status,"
	  . " permit_type_id) SELECT 'K-$n-' || i, 'Lain', 1001, 'draft', 1 FROM generate_series(1, $with{beside}) AS i" : 'SELECT';
	sql("BEGIN; UPDATE sicantik_permit SET $set WHERE id = $permit; $beside; COMMIT");
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
	$same = $log =~ /of \d+ permits 1 are of the versions that were read/;
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
ok($same, 'and nothing was read again');
is(told(undef, set => $cancelled), 'known: Dibatalkan Warga Warga. ' . figure(), 'a status as well');
is(told($with->('UPDATE wa.message SET priority = priority WHERE id <> :message; UPDATE sicantik_permit SET write_date = now() WHERE id = :permit')),
	"known: N $type Warga Kantor. " . figure(), 'what it was not made from may change');
ok(!$same, 'which is seen by reading it');

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

# versions: where the row of a permit lies, and by whom it was made
sub place { return sql("SELECT ctid || ' ' || xmin FROM sicantik_permit WHERE id = $_[0]"); }
my $place;

sql('UPDATE res_partner SET whatsapp_number = wa_number; VACUUM FULL sicantik_permit; VACUUM FULL res_partner');
is(told($with->('UPDATE sicantik_permit SET write_date = now() WHERE id <> :permit; UPDATE res_partner SET write_date = now() WHERE id <> :partner'))
	  =~ s/N.*\. +/N /r, 'known: N ' . figure(), 'other rows of theirs are written');
ok($same, 'nothing was read again');
is(told(sub { sql('VACUUM FREEZE sicantik_permit; VACUUM FREEZE res_partner'); }) =~ s/N.*\. +/N /r, 'known: N ' . figure(), 'they are frozen');
ok($same, 'which changes nothing');
is(told(sub { my ($permit) = @_;
			$locker->do("BEGIN; SELECT FROM sicantik_permit WHERE id = $permit FOR UPDATE"); },
		meanwhile => sub { wait_for("EXISTS (SELECT FROM wa.message WHERE id = (SELECT max(id) FROM wa.message WHERE res_id IS NOT NULL) AND state = 'sent')");
			$locker->do('ROLLBACK'); }) =~ s/N.*\. +/N /r,
	'known: N ' . figure(), 'somebody has the row locked');
ok($same, 'which changes nothing either');
is(told(sub { sql('VACUUM FULL sicantik_permit'); }) =~ s/N.*\. +/N /r, 'known: N ' . figure(), 'another file');
ok(!$same, 'is read again');

# another row at the same place
is(told(sub {
			my ($permit) = @_;

			$place = place($permit);
			sql("CREATE TEMP TABLE kept AS SELECT * FROM sicantik_permit WHERE id = $permit; UPDATE kept SET applicant_name = 'Budi'");
			unseen("DELETE FROM sicantik_permit WHERE id = $permit");
			sql('VACUUM sicantik_permit');
			# where it was a draft
			unseen("INSERT INTO sicantik_permit (registration_id, applicant_name, partner_id, status, permit_type_id) VALUES ('F-$n', 'Lain', 1001, 'draft', 1); INSERT INTO sicantik_permit SELECT * FROM kept");
			sql('DROP TABLE kept');
			my $now = place($permit);
			is($now =~ s/ .*//r, $place =~ s/ .*//r, 'the next row comes to the place');
			isnt($now, $place, 'but by another transaction');
		}) =~ s/ Lain Budi/ Budi/r =~ s/\. +/. /r, 'asked: superseded replaced, N Budi Dinas. ' . figure(), 'a row made anew');
ok(!$same, 'is read');

# another row of the same transaction at the same place, in another file
is(told(sub {
			my ($permit) = @_;
			my ($ctid, $xmin) = split / /, place($permit);
			my $there;

			unseen("UPDATE sicantik_permit SET applicant_name = 'Budi' WHERE id = $permit");
			sql('VACUUM FULL sicantik_permit');
			$there = sql("SELECT id FROM sicantik_permit WHERE ctid = '$ctid' AND xmin = '$xmin'");
			ok($there ne '' && $there != $permit, 'where it lay is another one of the same transaction');
		}, beside => 60) =~ s/ Lain Budi/ Budi/r =~ s/\. +/. /r, 'asked: superseded replaced, N Budi Dinas. ' . figure(), 'and it is read all the same');
ok(!$same, 'for the file is another one');

# columns, while no row is written
is(told(sub { sql('ALTER TABLE sicantik_permit ALTER COLUMN applicant_name TYPE text'); }) =~ s/N.*\. +/N /r, 'known: N ' . figure(), 'another type');
ok(!$same, 'is read');
sql("CREATE TYPE tanggal AS ENUM ('a'); ALTER TABLE sicantik_permit DROP COLUMN received_date; ALTER TABLE sicantik_permit ADD COLUMN received_date tanggal DEFAULT 'a'");
is(told(sub { sql("ALTER TYPE tanggal RENAME VALUE 'a' TO 'b'"); }) =~ s/N.*\. +/N /r, 'asked: N ' . figure(), 'a value of a type that has another name');
sql("ALTER TABLE sicantik_permit DROP COLUMN received_date; ALTER TABLE sicantik_permit ADD COLUMN received_date date");
is(told() =~ s/N.*\. +/N /r, 'known: N ' . figure(), 'types whose values have none');
ok($same, 'are told by their versions');

# who may read it
is(told(sub { sql("CREATE POLICY none ON sicantik_permit USING (false); ALTER TABLE sicantik_permit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"); }),
	'asked: cancelled no_longer_true', 'a policy');
sql('ALTER TABLE sicantik_permit DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY; DROP POLICY none ON sicantik_permit');
is(told(sub { sql('REVOKE SELECT ON sicantik_permit FROM odoo'); },
		meanwhile => sub {
			wait_for("EXISTS (SELECT FROM wa.message WHERE state = 'queued' AND reason = 'facts_unreadable')");
			sql("GRANT SELECT ON sicantik_permit TO odoo; SELECT wa_set('office_name', 'Dinas')");
		}) =~ s/N.*\. +/N /r, 'asked: N ' . figure(), 'a right that is taken away');

# more rows with its id
is(told(sub { my ($permit) = @_;
			sql("CREATE TABLE more () INHERITS (sicantik_permit)"); }) =~ s/N.*\. +/N /r, 'known: N ' . figure(), 'a table that inherits');
ok(!$same, 'is read with it');
sql('DROP TABLE more');

$session->close;
$locker->close;
$node->stop;
done_testing();

# Every change of a permit or a document that makes no message has its words in
# wa_history(), and so has a record of which nothing was recorded at all; whoever
# knows only a name finds the person.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => 'sicantik_wa.worker_idle_timeout = 3600');
my $id = 9000;

# One session for all: the many calls are most of what this costs.
my $session;

sub sql { return $session->sql($_[0]); }

my $all = '';
sub history { my $told = sql("SELECT what FROM wa_history('$_[0]')"); $all .= "$told\n"; return $told; }

# Changes are made, one call each, and read.
my $read = "SELECT $ALL_READ";
sub is_read
{
	for (my $tries = 0; sql($read) ne 't'; $tries++)
	{
		die 'the changes are not read' if $tries > 10 * $PostgreSQL::Test::Utils::timeout_default;
		select undef, undef, undef, 0.1;
	}
	return;
}

sub change { sql($_[0]); is_read(); return; }

sub permit
{
	my (%with) = @_;
	my %row = (id => ++$id, registration_id => "'W-$id'", applicant_name => "'Wati'", status => "'draft'", partner_id => 10, permit_type_id => 1, %with);

	change('INSERT INTO sicantik_permit (' . join(', ', sort keys %row) . ') VALUES (' . join(', ', map { $row{$_} } sort keys %row) . ')');
	return $row{id};
}

load_odoo($node, 'odoo');
$session = SicantikWa::Session->new($node, 'odoo');
sql("CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup(); SELECT wa_set('language', 'en'); CREATE ROLE viewer LOGIN; SELECT wa_grant('viewer', 'view')");
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT FROM wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
# what the first reading of a database finds is of before, and is not kept
die 'the database is not read' unless wait_sql($node, 'odoo', 'SELECT EXISTS (SELECT FROM wa.read_position)');

# A table of what is done to a permit, and the words for it.
sub said
{
	my ($permit, $words, $name) = @_;
	my $told = history("permit $permit");

	return like($told, $words, $name) && unlike($told, qr/\bmessage \d+:/, "$name: no message");
}

my $p = permit();
said($p, qr/no message from event \d+: permit_ready: the status is draft, not active \(public\.sicantik_permit $p\)/, 'a draft');
like(history("permit $p"), qr/permit_renewal_approved: the permit is no renewal/, 'and that it is no renewal');
like(history("permit $p"), qr/status_update: the permit is new, so its status has not changed/, 'and has no status before');
change("UPDATE sicantik_permit SET partner_id = 11 WHERE id = $p");
like(history("permit $p"), qr/status_update: the status has not changed/, 'another contact');
$p = permit(status => "'active'", permit_number => "'New'");
said($p, qr/permit_ready: the permit has no number yet \(permit_number is New\); with one, the message is made/, 'active, but the number is New');
$p = permit(status => "'active'");
said($p, qr/permit_ready: the permit has no number yet \(permit_number is empty\)/, 'active without a number');

# which is told beside a message about something else
$p = permit(status => "'submitted'", permit_number => "'New'");
change("UPDATE sicantik_permit SET status = 'active' WHERE id = $p");
like(history("permit $p"), qr/permit_ready: the permit has no number yet \(permit_number is New\).*\nmessage \d+: status_update/s, 'the number is lacking while the status is told');

sql("UPDATE wa.scenario SET active = false WHERE key IN ('permit_ready', 'status_update')");
$p = permit(status => "'active'", permit_number => "'503/900/2026'");
said($p, qr/permit_ready: the scenario is not active: SELECT wa_set_scenario\('permit_ready', '\{"active": true\}'\)/, 'a scenario that is switched off');
sql("SELECT wa_set_scenario('permit_ready', '{\"active\": true}'); SELECT wa_set_scenario('status_update', '{\"active\": true}')");
like(history("permit $p"), qr/permit_ready: it would make a message now: the scenario was changed since/, 'and on again');
sql("UPDATE wa.scenario SET on_insert = false WHERE key = 'permit_ready'");
$p = permit(status => "'active'", permit_number => "'503/901/2026'");
said($p, qr/permit_ready: the record was created like this, and on_insert of the scenario is off/, 'on_insert off');
sql("UPDATE wa.scenario SET on_insert = true WHERE key = 'permit_ready'");
$p = permit(status => "'active'", permit_number => "'503/902/2026'", partner_id => 'NULL');
said($p, qr/permit_ready: waiting for recipient, the permit has no contact yet; linking one within 7 days/, 'no contact');
sql("SELECT wa_mute('permit_ready', now() + interval '1 hour')");
$p = permit(status => "'active'", permit_number => "'503/903/2026'");
said($p, qr/permit_ready: muted, the scenario is muted until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'muted');
sql("SELECT wa_mute('permit_ready', NULL)");

# documents
foreach my $case ([ "state = 'uploaded'", qr/document_pending: the state is uploaded, not pending_signature/, 'a document that does not wait' ],
	[ "state = 'pending_signature', requires_approval = false", qr/approval_required: the document requires no approval|document_pending: /, 'one without approval' ])
{
	sql("INSERT INTO sicantik_document (id, permit_id, document_number, name, state, requires_approval) VALUES (" . ++$id . ", 2, 'D-$id', 'SK', 'draft', true)");
	change("UPDATE sicantik_document SET $case->[0] WHERE id = $id");
	like(history("document $id"), $case->[1], $case->[2]);
}
change("UPDATE sicantik_document SET requires_approval = NOT requires_approval WHERE id = $id");
change("UPDATE sicantik_document SET requires_approval = NOT requires_approval WHERE id = $id");
like(history("document $id"), qr/document_pending: it was so before this change/, 'it had been waiting');
change("INSERT INTO signature_workflow (id, document_id, state) VALUES (" . ++$id . ", " . ($id - 1) . ", 'pending')");
like(history('document ' . ($id - 1)), qr/approval_required: no approver is named yet; naming one sends the message \(public\.signature_workflow $id\)/, 'a workflow without an approver');
change("UPDATE signature_workflow SET state = 'approved' WHERE id = $id");
like(history('document ' . ($id - 1)), qr/approval_required: the state of the workflow is approved, not pending/, 'one that is over');

# a scenario of the office's own
change("CREATE FUNCTION public.nobody(record_id bigint, old jsonb, new jsonb) RETURNS TABLE (partner_id bigint, number text, params jsonb) LANGUAGE sql AS 'SELECT 1::bigint, NULL::text, NULL::jsonb WHERE false';
	INSERT INTO wa.scenario (key, name, watch, template_key, composer) VALUES ('own', 'Own', 'public.sicantik_document', 'reminder', 'public.nobody');
	UPDATE sicantik_document SET state = 'signed' WHERE id = " . ($id - 1));
like(history('document ' . ($id - 1)), qr/own: its function public\.nobody did not ask for a message/, 'a function that asks for nothing');

like(history('REG-2026-0001'), qr/^as it is now, scenario status_update says nothing of it: it tells changes of the status, and none is recorded$/m, 'a permit of which nothing is recorded: nobody knows whether it is new');

# Every sentence with which a scenario can say that a change is none of its own
# has been seen here: the catalogue has them in one place.
my $src = dirname(__FILE__) . '/../../src';
my ($silent) = slurp_file("$src/text/words_compose.def") =~ m{^/\* why a change is none of a scenario's \*/\n(.*?)^/\*}ms;
my @unseen;
my $sentences = 0;
while ($silent =~ /^SAY\((\w+), \d,\n\t"((?:\\.|[^"\\])*)",\n/mg)
{
	my ($key, $like) = ($1, join '.*', map { quotemeta } split /\{\d\}/, $2 =~ s/\\(.)/$1/gr);

	$sentences++;
	push @unseen, $key unless $all =~ /$like/;
}
cmp_ok($sentences, '>', 10, 'the sentences are found');
is(join("\n", @unseen), '', 'each of them was seen');

# What was never recorded: before wa_setup(), past the triggers, with capture off
my $none = history('REG-2026-0001');
like($none, qr/^no change of sicantik_permit 1 is recorded: none was made within 7 days, .*before wa_setup\(\), or with the triggers switched off$/m, 'a permit that was there before');
like($none, qr/^as it is now, scenario permit_ready says nothing of it: the status is draft, not active$/m, 'and what its scenario says of it');
like(history('REG-2026-0003'), qr/^as it is now, scenario permit_ready would say so, had it become so in a change that was recorded; by hand: SELECT wa_send\('permit_ready', \.\.\.\)$/m, 'of one that is ready');
sql("ALTER TABLE sicantik_permit DISABLE TRIGGER \"00_sicantik_wa_row\"; UPDATE sicantik_permit SET status = 'active', permit_number = 'New' WHERE id = 1");
like(history('REG-2026-0001'), qr/^no change of sicantik_permit 1 is recorded: its trigger is disabled, so changes are not seen: ALTER TABLE .*\n.*permit_ready says nothing of it: the permit has no number yet \(permit_number is New\)/m, 'a trigger is switched off');
sql("ALTER TABLE sicantik_permit ENABLE TRIGGER \"00_sicantik_wa_row\"; SET sicantik_wa.capture = off; UPDATE sicantik_permit SET permit_number = '503/1' WHERE id = 1; RESET sicantik_wa.capture");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.capture_gap WHERE reason = 'off'", '1'), 'the worker has noted what was not recorded');
like(history('REG-2026-0001'), qr/^no change of sicantik_permit 1 is recorded: 1 changes between \S+ \S+ and \S+ \S+ were not recorded, because sicantik_wa\.capture was off in their sessions/m, 'capture was off');
sql("ALTER ROLE odoo SET sicantik_wa.capture = off");
like(history('REG-2026-0001'), qr/^no change of sicantik_permit 1 is recorded: role odoo has the setting sicantik_wa\.capture=off, so changes that it makes are not recorded: ALTER ROLE odoo RESET/m, 'it is off for Odoo');
sql("ALTER ROLE odoo RESET sicantik_wa.capture; INSERT INTO wa.capture_gap (first_at, last_at, events, reason) VALUES (now(), now(), 7, 'locked')");
like(history('REG-2026-0001'), qr/; 7 changes between \S+ \S+ and \S+ \S+ were dropped so as not to disturb Odoo/, 'changes that were dropped');
sql("UPDATE wa.capture_gap SET reason = 'known' WHERE reason = 'locked'");
like(history('REG-2026-0001'), qr/; 7 changes between \S+ \S+ and \S+ \S+ are known not to have been recorded$/m, 'and somebody knows');
sql("UPDATE sicantik_permit SET status = 'expired' WHERE id = 1");
is_read();
unlike(history('REG-2026-0001'), qr/no change of sicantik_permit 1/, 'one that is recorded ends it');

# In Indonesian, nothing of it is left in English
sql("SELECT wa_set('language', 'id')");
my $told = join "\n", map { history($_) } 'partner 10', 'REG-2026-0003', map { "permit $_" } 9001 .. $id;
unlike($told, qr/\b(?:the|was|were|not|because|would|scenario [a-z_]+ says|with|so|is)\b/, 'in Indonesian: no English');
like($told, qr/permit_ready: izin belum bernomor \(permit_number New\); setelah bernomor, pesan dibuat/, 'the words for a number');
sql("SELECT wa_set('language', 'en')");

# Names

sql(q{INSERT INTO res_partner (id, name) SELECT 700 + n, 'Sri Rahayu ' || n FROM generate_series(1, 30) AS n;
	INSERT INTO res_partner (id, name) VALUES (800, '100%_Jaya'), (801, '100 Jaya');
	INSERT INTO sicantik_permit (id, registration_id, applicant_name, status) VALUES (8888, 'W-8888', 'Tri Handoko', 'draft')});
my $named = history('budi sant');
like($named, qr/^contact 10: Budi Santoso; SELECT \* FROM wa_history\('partner 10'\)$/m, 'a contact by a part of the name, in any case');
like($named, qr/^permit 1 \(REG-2026-0001\), applicant Budi Santoso; SELECT \* FROM wa_history\('permit 1'\)$/m, 'an applicant');
is(sql(sql("SELECT regexp_replace(what, '.*; SELECT \\*', 'SELECT count(*) > 0') FROM wa_history('Tri Hand') LIMIT 1")), 't', 'the statement finds it');
my @many = split /\n/, history('Rahayu');
is(scalar @many, 21, 'twenty of many');
like($many[-1], qr/^there are more: give more of the name$/, 'and that there are more');
is(history('100%_j'), "contact 800: 100%_Jaya; SELECT * FROM wa_history('partner 800')", 'no pattern');
like(history('Bu'), qr/^nothing is known about "Bu"$/, 'two letters are too few');
like(history('Nobody Has This Name'), qr/^nothing is known about/, 'nobody');
is(sql("SET ROLE viewer; SELECT what FROM wa_history('budi sant'); RESET ROLE"), $named, 'a name is for every level that may ask');
$session->do("CREATE ROLE stranger; SET ROLE stranger; SELECT * FROM wa_history('budi sant')");
like($session->err, qr/permission denied/, 'and for nobody else');
sql('RESET ROLE');

# What one can do, for every reason of every state in the documentation

my $stop = join '|', map { ($_, ucfirst) } qw(the is are was were not of and to has have had with from it its this that by or
  may be will can cannot could does did which when than only before after until because must another without ago more days no any out);
my $english = qr/(?<![\w.'-])(?:$stop)(?![\w-])/;

my ($table) = slurp_file("$src/../docs/reference.md") =~ /^## States and reasons\n(.*?)^Events that made/ms;
my ($state, @pairs);
foreach my $line (split /\n/, $table)
{
	my (undef, $first, $second) = split / *\| */, $line;

	$state = $1 if ($first // '') =~ /^`(\w+)`/;
	push @pairs, map { [ $state, $_ ] } ($second // '') =~ /`([a-z_]+)`/g;
}
cmp_ok(scalar @pairs, '>', 35, 'the reasons are found');
my $made = 3000000;
sql('INSERT INTO wa.message (id, template_key, number, body, state, reason, due_at) VALUES '
	  . join(', ', map { '(' . ++$made . ", 'permit_ready', '6281299999998', 'x', '$_->[0]', '$_->[1]', " . ($_->[0] eq 'queued' ? "now() + interval '1 day'" : 'NULL') . ')' } @pairs)
	  . "; INSERT INTO wa.due (message_id, due_at) SELECT id, due_at FROM wa.message WHERE number = '6281299999998' AND state = 'queued'");
foreach my $language (qw(id en))
{
	sql("SELECT wa_set('language', '$language')");
	my $what = $language eq 'id' ? 'yang dapat dilakukan: ' : 'what one can do: ';
	my %advice = map { split /\t/, $_, 2 }
	  split /\n/, sql("SELECT m.state || ' ' || m.reason || E'\\t' || w.what FROM wa.message AS m, LATERAL wa_why(m.id) AS w WHERE m.number = '6281299999998' AND w.what LIKE '$what%'");

	is(join(', ', grep { !$advice{$_} } map { "$_->[0] $_->[1]" } @pairs), '', "$language: an advice for each");
	is(join("\n", grep { $advice{$_} =~ $english } sort keys %advice), '', 'none is English') if $language eq 'id';
	my %call = map { $_ => 1 } join(' ', values %advice) =~ /\b(wa_\w+)\(/g;
	is(sql("SELECT string_agg(f, ' ') FROM unnest(ARRAY['" . join("', '", sort keys %call) . "']) AS f WHERE NOT EXISTS (SELECT FROM pg_proc WHERE proname = f AND pronamespace = 'pg_catalog'::regnamespace)"),
		'', 'and names functions that there are');
}
sql("DELETE FROM wa.due; DELETE FROM wa.message WHERE number = '6281299999998'");

# as that for old news does what it says
$p = permit(status => "'active'", permit_number => "'503/904/2026'", issue_date => "current_date - 400");
my $old = sql("SELECT id FROM wa.message WHERE res_id = $p AND reason = 'not_news'");
like(sql("SELECT what FROM wa_why($old)"), qr/what one can do: .*wa_retry\($old\)/, 'old news: what one can do');
sql("SELECT wa_arm('odoo'); SELECT wa_retry($old)");
ok(wait_state($node, 'odoo', $old, 'sent'), 'and it is sent');

$session->close;
$node->stop;
$sim->stop;
done_testing();

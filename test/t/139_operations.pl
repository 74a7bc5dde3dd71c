# What people can do, in random order by several sessions, whose transactions
# overlap and are rolled back now and then: sending, changes with and without
# capture, cancelling, trying again, releasing, pausing, erasing a person, what
# providers and people tell, arming and disarming, other settings of a provider.
# In the end everything is let go, and each number is held against a model of the
# ledger's rules.
#
# OPERATIONS_SEED: other histories.  OPERATIONS: how many operations.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

use SicantikWa::Audit;
use SicantikWa::Session;
use SicantikWa::Test;

my $operations = $ENV{OPERATIONS} || 600;
my $seed = $ENV{OPERATIONS_SEED} || 139139;
my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => "log_line_prefix = '%m [%p] %b %e '\nmax_connections = 30");

srand($seed);
note("OPERATIONS_SEED=$seed");

sub sql { return $node->safe_psql('odoo', $_[0]); }
sub any { return $_[ int rand @_ ]; }

load_odoo($node, 'odoo');
load_many($node, 'odoo', $operations);
sql('CREATE EXTENSION sicantik_wa; SELECT FROM wa_setup()');
foreach my $kind (qw(fonnte watzap))
{
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "'); SELECT FROM wa_test_connection('$kind')");
}
sql(q{SELECT wa_configure('fonnte', '{"webhook_secret": "FONNTEDEMOWEBHOOK"}')});
$sim->config({ fonnte => { quota => 1_000_000 } });
no_pacing($node, 'odoo');
sql("SELECT wa_set('unknown_wait', '100 ms'); SELECT wa_set('download_link', 'https://contoh.go.id/{registration_id}'); SELECT wa_arm('odoo')");

my @permits = split /\n/, sql("SELECT s.id || ' ' || ltrim(p.phone_sanitized, '+') FROM sicantik_permit AS s JOIN res_partner AS p ON p.id = s.partner_id WHERE s.registration_id LIKE 'MANY-%' ORDER BY s.id");
my $fresh = 0;
my (%numbers, %errors, %done);		# number => what is known of it
my @sessions = map { { sql => SicantikWa::Session->new($node, 'odoo'), open => 0, made => [], gone => [] } } 1 .. 4;

$_->{sql}->do("SET statement_timeout = '20s'") foreach @sessions;

sub in_transaction
{
	my ($s, $statement) = @_;

	$s->{sql}->do($statement);
	my $error = $s->{sql}->err;
	return 1 unless $error =~ /ERROR:  (.*)/;
	my $message = $1;
	$errors{ $message =~ s/\d+/N/gr }++;
	# the whole transaction is over
	finish($s, 0) if $s->{open};
	return 0;
}

sub finish
{
	my ($s, $commit) = @_;

	$s->{sql}->do($commit ? 'COMMIT' : 'ROLLBACK');
	$commit = 0 if $s->{sql}->err =~ /ERROR/;
	$numbers{$_}{committed} = $commit foreach @{ $s->{made} };
	$numbers{$_}{forgotten} = 1 foreach $commit ? @{ $s->{gone} } : ();
	@$s{qw(open made gone)} = (0, [], []);
	return;
}

# a message that there is, of any session's
sub some_id { my $id = sql('SELECT id FROM wa.message ORDER BY random() LIMIT 1'); return $id eq '' ? 1 : $id; }
sub some_number { return any(grep { $numbers{$_}{committed} && !$numbers{$_}{forgotten} } sort keys %numbers); }

my @kinds = (
	[ 30, send => sub {
		my ($s) = @_;
		my $number = sprintf('62853%08d', ++$fresh);
		my $key = rand() < 0.3 ? 'key ' . int(rand($operations / 60)) : undef;
		my $more = any('', '', ", provider => 'fonnte'", ", provider => 'watzap'", ", send_at => clock_timestamp() + interval '300 ms'")
		  . ($key ? ", dedupe_key => '$key'" : '');

		$numbers{$number} = { committed => 0, one => 1, key => $key };
		push @{ $s->{made} }, $number if in_transaction($s, "SELECT wa_send_text('$number', 'Yth. $number'$more)");
	} ],
	[ 25, change => sub {
		my ($s) = @_;
		my ($id, $number) = split / /, shift @permits;
		my $off = !$s->{open} && rand() < 0.2;

		# composed later, so that the mode of then counts: none of it, or one
		$numbers{$number} = { committed => 0, one => 0, none => $off };
		push @{ $s->{made} }, $number
		  if in_transaction($s, ($off ? 'SET sicantik_wa.capture = off; ' : '') . "UPDATE sicantik_permit SET status = 'active', permit_number = 'OP/' || id WHERE id = $id"
			  . ($off ? '; RESET sicantik_wa.capture' : ''));
	} ],
	[ 12, cancel => sub { in_transaction($_[0], 'SELECT wa_cancel(' . some_id() . ')'); } ],
	[ 12, retry => sub { in_transaction($_[0], 'SELECT wa_retry(' . some_id() . ')'); } ],
	[ 8, release => sub { in_transaction($_[0], any('SELECT wa_release(' . some_id() . ')', "SELECT wa_release(reason => 'copy')", "SELECT wa_release('permit_ready')")); } ],
	[ 3, several => sub { in_transaction($_[0], any("SELECT wa_cancel(provider => 'watzap')", "SELECT wa_retry(provider => 'fonnte')", "SELECT wa_retry('permit_ready')", "SELECT wa_cancel('permit_ready')")); } ],
	[ 6, pause => sub { in_transaction($_[0], any('SELECT wa_pause()', "SELECT wa_pause('fonnte')", "SELECT wa_pause('watzap')")); } ],
	[ 9, resume => sub { in_transaction($_[0], any('SELECT wa_resume()', "SELECT wa_resume('fonnte')")); } ],
	[ 3, forget => sub {
		my ($s) = @_;
		# it waits for transactions that have events to be erased
		finish($_, rand() < 0.8) foreach grep { $_->{open} } @sessions;
		my $number = some_number() or return;

		push @{ $s->{gone} }, $number if in_transaction($s, "SELECT FROM wa_forget('$number')");
	} ],
	[ 12, told => sub {
		my ($s) = @_;
		my $key = sql("SELECT provider_message_id FROM wa.message WHERE provider = 'fonnte' AND provider_message_id IS NOT NULL ORDER BY random() LIMIT 1");
		my $state = any('delivered', 'read', 'sent');

		in_transaction($s, "SELECT wa_webhook('fonnte', convert_to('{\"id\": \"$key\", \"stateid\": \"S$key\", \"state\": \"$state\"}', 'UTF8'), NULL, 'FONNTEDEMOWEBHOOK')") if $key ne '';
	} ],
	[ 4, stop => sub {
		my ($s) = @_;
		my $number = some_number() or return;

		$numbers{$number}{spoke} = 1;
		in_transaction($s, "SELECT wa_webhook('fonnte', convert_to('{\"device\": \"6281100000001\", \"sender\": \"$number\", \"message\": \"" . any('STOP', 'MULAI', 'Terima kasih')
			  . "\", \"timestamp\": ' || extract(epoch FROM now())::bigint || ', \"inboxid\": 0}', 'UTF8'), NULL, 'FONNTEDEMOWEBHOOK')");
	} ],
	[ 2, disarm => sub { in_transaction($_[0], any('SELECT wa_disarm()', "SELECT wa_set('mode', 'observe')")); } ],
	[ 4, arm => sub { in_transaction($_[0], "SELECT wa_arm('odoo')"); } ],
	[ 5, provider => sub {
		in_transaction($_[0], any("SELECT wa_configure('watzap', '{\"active\": false}')", "SELECT wa_configure('watzap', '{\"active\": true}')",
				"SELECT wa_configure('watzap', '{\"is_default\": true}')", "SELECT wa_configure('watzap', '{\"is_default\": false}')", "SELECT wa_configure('fonnte', '{\"max_in_flight\": " . any(1, 5, 50) . '}\')'));
	} ]);
my $weights = 0;
$weights += $_->[0] foreach @kinds;

foreach my $n (1 .. $operations)
{
	my $s = any(@sessions);
	my $dice = rand($weights);
	my $kind;

	foreach (@kinds) { $kind = $_; last if ($dice -= $_->[0]) < 0; }
	# what locks a row is over soon: only what makes messages stays open
	my $stays = $kind->[1] =~ /send|change/;
	finish($s, rand() < 0.8) if $s->{open} && (!$stays || rand() < 0.5);
	if (!$s->{open} && $stays && rand() < 0.4)
	{
		$s->{sql}->do('BEGIN');
		$s->{open} = 1;
	}
	$done{ $kind->[1] }++;
	$kind->[2]->($s);
	finish($s, 1) if !$s->{open} && (@{ $s->{made} } || @{ $s->{gone} });
	$sim->fault({ kind => any('cut_after_read', 'status', 'delay', 'garbage'), times => 1 }) if rand() < 0.03;
}
finish($_, 1) foreach @sessions;
note(join(', ', map { "$done{$_} $_" } sort keys %done));
note(join("\n", map { "$errors{$_} times: $_" } sort keys %errors));

# ---- everything is let go

$sim->clear_faults;
sql(q{SELECT wa_arm('odoo'); SELECT wa_resume(); SELECT wa_configure('watzap', '{"active": true}')});
my $over = "SELECT $ALL_READ" . q(
	AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending', 'held') OR due_at IS NOT NULL)
	AND NOT EXISTS (SELECT FROM wa.request) AND NOT EXISTS (SELECT FROM wa.feedback WHERE due_at < now() + interval '1 second'));
my $settled = 0;
my $until = time + $PostgreSQL::Test::Utils::timeout_default;
while (!$settled && time < $until)
{
	sql("UPDATE wa.provider SET probe_at = now() WHERE state = 'error' AND probe_at > now(); SELECT count(wa_release(id)) FROM wa.message WHERE state = 'held'");
	$settled = sql($over) eq 't';
	usleep(100_000);
}
ok($settled, 'everything comes to an end') or diag(sql('SELECT state, reason, provider, count(*) FROM wa.message GROUP BY 1, 2, 3'));

# ---- the model

my (%requests, %taken, %ledger);
foreach my $request (grep { defined $_->{to} } $sim->sends)
{
	$requests{ $request->{to} }++;
	$taken{ $request->{to} }++ if $request->{accepted};
}
# by hand what answers a STOP is another message
foreach my $row (split /\n/, sql(q{SELECT m.number, m.despite_opt_out, m.id, m.state, m.reason, m.repeats, (SELECT count(*) FROM wa.attempt AS a WHERE a.message_id = m.id),
	(SELECT count(*) FROM wa.attempt AS a WHERE a.message_id = m.id AND a.outcome = 'unknown') FROM wa.message AS m WHERE m.number IS NOT NULL}))
{
	my ($number, $answer, @rest) = split /\|/, $row, -1;
	my %message;

	@message{qw(id state reason repeats attempts doubts)} = @rest;
	push @{ $ledger{$number} }, { %message, answer => $answer eq 't' };
}
my @wrong;
my %said;							# by key
foreach my $number (sort keys %numbers)
{
	my $known = $numbers{$number};
	my @messages = @{ $ledger{$number} || [] };
	my @own = grep { !$_->{answer} } @messages;
	my $taken = $taken{$number} || 0;
	my $told = "$number: taken $taken times; " . join(', ', map { join(' ', map { $_ // '' } @$_{qw(id state reason repeats attempts doubts)}) } @messages);
	my ($doubts, $repeats, $sent, $attempts) = (0, 0, 0, 0);

	foreach (@messages)
	{
		$doubts += $_->{doubts};
		$repeats += $_->{repeats};
		$attempts += $_->{attempts};
		$sent++ if $_->{state} =~ /^(sent|delivered|read)$/;
	}
	if (!$known->{committed}) { push @wrong, "rolled back, and there: $told" if @messages || $requests{$number}; next; }
	if ($known->{none}) { push @wrong, "not captured, and there: $told" if @own; next; }
	if ($known->{forgotten})
	{
		push @wrong, "erased, and there: $told" if grep { !$_->{answer} } @own and !$known->{spoke};
		next;
	}
	push @{ $said{ $known->{key} } }, $told if $known->{key} && ($sent || $taken);
	push @wrong, "lost: $told" if $known->{one} && !@own;
	push @wrong, "more than one message: $told" if @own > 1;
	push @wrong, "taken too often: $told" if $taken > @messages + $repeats || $taken > $sent + $doubts;
	push @wrong, "sent, it says: $told" if $taken < $sent;
	push @wrong, "not sent, it says: $told" if !$doubts && !$sent && $taken;
	push @wrong, "a request without an attempt: $told" if ($requests{$number} || 0) > $attempts;
}
push @wrong, map { "one key, said several times: " . join('; ', @$_) } grep { @$_ > 1 } values %said;
cmp_ok(scalar keys %said, '>', 1, 'some were said with a key that others had, too');
my ($committed, $back) = map { my $c = $_; scalar grep { !!$numbers{$_}{committed} == $c } keys %numbers } 1, 0;
cmp_ok($committed, '>', $operations / 10, "$committed numbers whose transactions have committed");
cmp_ok($back, '>', 0, "$back whose have not");
is(join("\n", @wrong), '', 'each number is what the model says');
is_deeply([ miscounts($node, 'odoo') ], [], 'the figures are those of the ledger');
is(sql("SELECT (SELECT count(*) FROM wa.ready) + (SELECT count(*) FROM wa.due) + (SELECT count(*) FROM wa.dead_letter)"), '0', 'no work is left');
my $log = slurp_file($node->logfile);
unlike($log, qr/ XX\d\d\d /, 'no internal error');
unlike($log, qr/terminated by signal|PANIC|TRAP:/, 'no process has crashed');

$node->stop;
$sim->stop;
done_testing();

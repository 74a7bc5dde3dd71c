# What becomes of a refusal and of an answer that never comes: the chain of
# providers, back-off between its rounds, and the policy for outcomes that
# nobody knows.  A wait is ended by moving its due time, never by waiting.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Session;
use SicantikWa::Test;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim, conf => 'restart_after_crash = on');
my $numbers = 0;

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub col
{
	my ($id, $column) = @_;
	return sql("SELECT $column FROM wa.message WHERE id = $id");
}

# A free text to a new number that wrote to us today, so that any provider
# may take it.
sub text
{
	my (%column) = @_;
	my $number = sprintf('62812777%05d', ++$numbers);

	sql("INSERT INTO wa.contact (number, last_inbound_at) VALUES ('$number', now())");
	# columns that no caller may set are set before the worker can see the row
	my $id = sql(
		"BEGIN; SELECT wa_send_text('$number', 'Yth. Budi');\n"
		  . join('', map {
				"UPDATE wa.message SET $_ = '$column{$_}' WHERE number = '$number';\n"
			} keys %column)
		  . 'COMMIT');
	$id =~ s/\s.*//s;
	return ($id, $number);
}

# The providers that a number's requests went to, in order.
sub chain
{
	my ($number) = @_;
	return join(' ', map { $_->{provider} } grep { ($_->{to} || '') eq $number } $sim->sends);
}

# Wait until a message waits for a time, for this reason, and end the wait.
sub end_wait
{
	my ($id, $reason) = @_;
	my $ok = wait_sql($node, 'odoo',
		"SELECT reason = '$reason' AND due_at IS NOT NULL FROM wa.message WHERE id = $id");

	sql("UPDATE wa.due SET due_at = now() WHERE message_id = $id");
	sql("SELECT wa_set('office_name', 'DPMPTSP $id')");		# wakes the worker
	return $ok;
}

sub attempts
{
	my ($id) = @_;
	return sql("SELECT string_agg(provider || ':' || outcome, ' ' ORDER BY attempt)"
		  . " FROM wa.attempt WHERE message_id = $id");
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
foreach my $kind (qw(meta fonnte watzap))
{
	my $settings = decode_json(provider_settings($sim, $kind));

	$settings->{is_default} = JSON::PP::true if $kind eq 'meta';
	$settings->{sequence} = $kind eq 'fonnte' ? 10 : 20;
	sql("SELECT wa_configure('$kind', '" . encode_json($settings) . "')");
	sql("SELECT * FROM wa_test_connection('$kind')");
}
no_pacing($node, 'odoo');
$sim->config({ meta => { open_windows => 'any' }});
is(sql("SELECT wa_set('unknown_wait', '1 day')"), '1 day', 'unknown_wait is set');

my ($id, $number);

# The chain

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131000, times => 1 });
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'sent'), 'refused once: sent');
is(chain($number), 'meta fonnte', 'the next provider takes over at once');
is(attempts($id), 'meta:retry fonnte:accepted', 'both are on the ledger');
is(col($id, 'provider'), 'fonnte', 'the message names who took it');
like(col($id, 'route'), qr/^fonnte: .*not meta: has refused it just now/, 'and why');
is(col($id, 'refused_by, backoffs'), '{meta}|0', 'no back-off wait');

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131000, times => 1 });
$sim->fault({ provider => 'fonnte', kind => 'fonnte_reason', reason => 'url unreachable', times => 1 });
$sim->fault({ provider => 'watzap', kind => 'watzap_status', status => '1005', times => 1 });
($id, $number) = text();
ok(end_wait($id, 'retry'), 'refused by all: waits');
ok(wait_state($node, 'odoo', $id, 'sent'), 'and is sent in the end');
is(chain($number), 'meta fonnte watzap meta', 'each is tried once between two waits');
is(col($id, 'refused_by, backoffs, attempts'), '|1|4', 'the list begins anew behind the wait');

# One says "later", and nobody can use the other one: that is no refusal.
sql("UPDATE wa.provider SET active = false WHERE name = 'watzap'");
$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131000, times => 1 });
$sim->fault({ provider => 'fonnte', kind => 'fonnte_reason', reason => 'token invalid', times => 1 });
($id, $number) = text();
ok(end_wait($id, 'retry'), 'refused by one, the other one out of order: waits');
ok(wait_state($node, 'odoo', $id, 'sent'), 'and is sent in the end');
is(chain($number), 'meta fonnte meta', 'by the one that had said so');
sql("UPDATE wa.provider SET active = true, state = 'configured'");

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131000, times => 1 });
($id, $number) = text(fallback => 'false');
ok(end_wait($id, 'retry'), 'fallback switched off: waits');
ok(wait_state($node, 'odoo', $id, 'sent'), 'fallback switched off: sent');
is(chain($number), 'meta meta', 'by the same provider');

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131026, times => 1 });
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'failed'), 'trouble with the recipient is final');
is(chain($number), 'meta', 'no other provider gets it');
is(col($id, 'reason'), 'recipient', 'its reason');

# An opt-out that the provider tells, while a person holds the contact.
$number = sprintf('62812777%05d', ++$numbers);
sql("INSERT INTO wa.contact (number, last_inbound_at) VALUES ('$number', now())");
my $person = SicantikWa::Session->new($node, 'odoo');
$person->do("BEGIN; SELECT FROM wa.contact WHERE number = '$number' FOR UPDATE");
$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131050, times => 1 });
$id = sql("SELECT wa_send_text('$number', 'Yth. Budi')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'what is no marketing goes by another provider, and nobody waits for him');
is(chain($number), 'meta fonnte', 'which is asked next');
is(sql("SELECT scope || ' ' || change || ' ' || pending FROM wa.consent WHERE number = '$number'"), 'marketing opt_out true', 'nor is it lost');
$person->do('COMMIT');
$person->close;
ok( wait_sql($node, 'odoo', "SELECT concat(c.marketing_out_at = h.said_at, ' ', c.opted_out_at IS NULL, ' ', h.pending)"
		  . " FROM wa.contact AS c JOIN wa.consent AS h USING (number) WHERE number = '$number'", 't t f'),
	'afterwards it is with the contact, and is about marketing');

# A notice that Meta takes for marketing: what the office says decides.
sub notice
{
	my ($name) = @_;

	$number = sprintf('62812777%05d', ++$numbers);
	sql("SELECT wa_opt_in('$number'); UPDATE wa.template_mapping SET provider_category = 'UTILITY' WHERE template_key = 'permit_ready' AND provider = 'meta'");
	$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131050, times => 1 });
	$id = sql("SELECT wa_send('permit_ready', '$number', '{\"partner_name\": \"Ani\", \"permit_type\": \"SIUP\", \"permit_number\": \"1\", \"issue_date\": \"01-02-2026\", \"download_link\": \"https://x.example/1\"}')");
	ok(wait_sql($node, 'odoo', "SELECT state IN ('sent', 'skipped', 'failed') FROM wa.message WHERE id = $id"), "$name: it ends");
	is(sql("SELECT provider_category FROM wa.template_mapping WHERE template_key = 'permit_ready' AND provider = 'meta'"), 'MARKETING', "$name: what Meta takes it for is known");
	return col($id, "concat_ws(' ', state, reason)") . ': ' . chain($number);
}
sql("SELECT wa_map_template('permit_ready', 'meta', '{\"name\": \"permit_ready\"}')");
is(notice('off'), 'sent: meta fonnte', 'marketing_stop_stops_all off: by a gateway');
$id = sql("SELECT wa_send('permit_ready', '$number', '{\"partner_name\": \"Ani\", \"permit_type\": \"SIUP\", \"permit_number\": \"2\", \"issue_date\": \"01-02-2026\", \"download_link\": \"https://x.example/1\"}')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'the next one is sent');
is(chain($number), 'meta fonnte fonnte', 'and is not given to Meta for him again');
sql("SELECT wa_set('marketing_stop_stops_all', 'on')");
is(notice('on'), 'skipped opted_out: meta', 'on: it is skipped');
sql("SELECT wa_set('marketing_stop_stops_all', 'off')");
sql("UPDATE wa.template SET category = 'MARKETING' WHERE key = 'permit_ready'");
is(notice('ours'), 'skipped opted_out: meta', 'what is marketing for us, too, goes by nobody');
sql("UPDATE wa.template SET category = 'UTILITY' WHERE key = 'permit_ready'; DELETE FROM wa.template_mapping WHERE template_key = 'permit_ready'");

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131008, times => 1 });
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'sent'), 'a request that one provider cannot use: sent');
is(chain($number), 'meta fonnte', 'by the next one');

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131008, times => 1 });
$sim->fault({ provider => 'fonnte', kind => 'fonnte_reason', reason => 'input invalid', times => 1 });
$sim->fault({ provider => 'watzap', kind => 'watzap_status', status => '7777', times => 1 });
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'failed'), 'no provider can use it: failed');
is(chain($number), 'meta fonnte watzap', 'each was asked once');
is(col($id, 'reason'), 'request', 'its reason');

# Bounds

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131000, times => 1 });
$sim->fault({ provider => 'fonnte', kind => 'fonnte_reason', reason => 'url unreachable', times => 1 });
$sim->fault({ provider => 'watzap', kind => 'watzap_status', status => '1005', times => 1 });
($id, $number) = text(backoffs => 7);
ok(wait_state($node, 'odoo', $id, 'failed'), 'after the last wait it ends');
is(col($id, 'reason'), 'retries_exhausted', 'its reason');
is(chain($number), 'meta fonnte watzap', 'after one more round');

# Nobody knows

my $lost = $sim->fault({ provider => 'meta', kind => 'cut_after_read', times => 1 });
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'unknown'), 'no answer: unknown');
is(col($id, 'reason, due_at > now(), finished_at IS NULL'), 'no_answer|t|t', 'for a while');
is(chain($number), 'meta', 'nothing goes to another provider');
ok(end_wait($id, 'no_answer'), 'the wait for the provider ends');
ok(wait_state($node, 'odoo', $id, 'sent'), 'policy resend: sent');
is(chain($number), 'meta meta', 'once more, by the same provider');
is(attempts($id), 'meta:unknown meta:accepted', 'the ledger shows both');
is(col($id, 'repeats'), '1', 'and that it is a repeat');
is(scalar(grep { $_->{to} eq $number } $sim->accepted), 2,
	'the provider had taken both, which is what the policy accepts');

$sim->fault({ provider => 'meta', kind => 'cut_after_read', times => 2 });
($id, $number) = text();
ok(end_wait($id, 'no_answer'), 'no answer again');
ok(wait_sql($node, 'odoo',
		"SELECT state = 'unknown' AND finished_at IS NOT NULL AND due_at IS NULL"
		  . " FROM wa.message WHERE id = $id"), 'the repeat without answer: unknown for good');
is(chain($number), 'meta meta', 'it is repeated only once');
is(sql("SELECT count(*) FROM wa.due WHERE message_id = $id"), '0', 'and waits for nothing');

$sim->fault({ provider => 'meta', kind => 'cut_after_read', times => 1 });
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'unknown'), 'no answer: unknown');
$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131026,
		match => { number => $number }, times => 1 });
end_wait($id, 'no_answer');
ok(wait_sql($node, 'odoo',
		"SELECT state = 'unknown' AND reason = 'recipient' AND finished_at IS NOT NULL"
		  . " FROM wa.message WHERE id = $id"),
	'a repeat that is refused does not say that the first one failed');
like(col($id, 'detail'), qr/the first attempt may have been accepted/, 'in words');

$sim->fault({ provider => 'meta', kind => 'cut_after_read', times => 1 });
($id, $number) = text(unknown_policy => 'give up');
ok(end_wait($id, 'no_answer'), 'policy give up: waits for the provider, too');
ok(wait_sql($node, 'odoo',
		"SELECT state = 'unknown' AND reason = 'gave_up' AND finished_at IS NOT NULL"
		  . " FROM wa.message WHERE id = $id"), 'then it is over');
is(chain($number), 'meta', 'nothing is repeated');

# (a provider is judged by its own attempts: the next one has none yet)
sql(q(SELECT wa_configure('watzap', '{"is_default": true}')));
$sim->fault({ provider => 'watzap', kind => 'cut_after_read', times => 1 });
($id, $number) = text(unknown_policy => 'hold');
end_wait($id, 'no_answer');
ok(wait_sql($node, 'odoo',
		"SELECT state = 'held' AND reason = 'unknown_outcome' FROM wa.message WHERE id = $id"),
	'policy hold: held');
is(sql("SELECT wa_release(reason => 'unknown_outcome')"), '1', 'a person lets it go');
ok(wait_state($node, 'odoo', $id, 'sent'), 'it goes');
is(chain($number), 'watzap watzap', 'by the same provider');
is(col($id, 'repeats'), '1', 'and counts as a repeat');

$sim->fault({ provider => 'watzap', kind => 'cut_after_read', times => 1 });
($id, $number) = text(expires_at => '2100-01-01');
ok(wait_state($node, 'odoo', $id, 'unknown'), 'no answer: unknown');
sql("UPDATE wa.message SET expires_at = now() WHERE id = $id");
end_wait($id, 'no_answer');
ok(wait_sql($node, 'odoo',
		"SELECT state = 'unknown' AND reason = 'time_to_live' FROM wa.message WHERE id = $id"),
	'past its time-to-live nothing is repeated');

# A provider that leaves too many without an answer

$sim->fault({ provider => 'watzap', kind => 'cut_after_read', times => 4 });
my @many;
foreach (1 .. 4)
{
	($id, $number) = text(unknown_policy => ('resend', 'give up', 'hold', 'resend')[ $_ - 1 ]);
	ok(wait_state($node, 'odoo', $id, 'unknown'), "no answer, $_ of 4");
	push @many, [ $id, $number ];
}
foreach (@many)
{
	($id, $number) = @$_;
	end_wait($id, 'no_answer');
	ok(wait_sql($node, 'odoo',
			"SELECT state = 'held' AND reason = 'many_unknown' FROM wa.message WHERE id = $id"),
		'held instead of repeated');
	is(chain($number), 'watzap', 'nothing went out again');
}
sql(q(SELECT wa_configure('meta', '{"is_default": true}')));

# Templates: a mapping that the provider refuses, and values that it refuses

$sim->config({ meta => { open_windows => [] }});
sql(q(SELECT wa_set_template('uji', '{"name": "Uji", "body": "Yth. {{nama}}, izin selesai. Terima kasih.", "parameters": ["nama"]}')));
sql(q(SELECT wa_map_template('uji', 'meta', '{"name": "uji_1", "status": "approved"}')));
sub template
{
	my $to = sprintf('62812777%05d', ++$numbers);

	sql("INSERT INTO wa.contact (number, opted_in_at) VALUES ('$to', now())");
	return (sql("SELECT wa_send('uji', '$to', '{\"nama\": \"Budi\"}'::jsonb)"), $to);
}

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 132005, times => 1 });
($id, $number) = template();
ok(wait_state($node, 'odoo', $id, 'sent'), 'values too long for the template: sent');
is(chain($number), 'meta fonnte', 'as text by the next provider');
is(sql("SELECT status FROM wa.template_mapping WHERE provider = 'meta'"), 'approved',
	'which says nothing about the mapping');
$sim->fault({ provider => 'meta', kind => 'meta_error', code => 132001, times => 1 });
my $log = -s $node->logfile;
($id, $number) = template();
ok(wait_state($node, 'odoo', $id, 'sent'), 'template unknown at the provider: sent');
is(chain($number), 'meta fonnte', 'as text by the next provider');
like((grep { $_->{to} eq $number } $sim->accepted)[0]{message}, qr/^Yth. Budi, izin selesai/,
	'rendered for it');
is(sql("SELECT status, last_error IS NOT NULL FROM wa.template_mapping WHERE provider = 'meta'"),
	'error|t', 'the mapping is marked');
like(slurp_file($node->logfile, $log), qr/WARNING:.*stops using template "uji" with provider "meta"/,
	'and a person is told');
($id, $number) = template();
ok(wait_state($node, 'odoo', $id, 'sent'), 'the next message of that template: sent');
is(chain($number), 'fonnte', 'without asking that provider again');
$sim->config({ meta => { open_windows => 'any' }});

# Being told to wait

sql("UPDATE wa.provider SET state = 'configured' WHERE name = 'meta'");
$sim->fault({ provider => 'meta', kind => 'meta_error', code => 130429, times => 1 });
($id, $number) = text();
# (on a slow machine the wait may be over before anybody looks)
ok(wait_sql($node, 'odoo', "SELECT reason = 'throttled' OR state = 'sent' AND attempts = 2"
		  . " FROM wa.message WHERE id = $id"),
	'throttled: waits');
ok(wait_state($node, 'odoo', $id, 'sent'), 'and is sent');
is(chain($number), 'meta meta', 'by the provider that asked to wait');
is(col($id, 'backoffs, refused_by'), '0|', 'which is no failure');

# many at one time tell it once: the wait must not double with each of them
$sim->fault({ provider => 'meta', kind => 'meta_error', code => 130429, times => 15 });
sql("INSERT INTO wa.contact (number, last_inbound_at) SELECT '62812776' || 10000 + i, now() FROM generate_series(1, 15) AS i");
sql("SELECT wa_send_text('62812776' || 10000 + i, 'Yth. semua') FROM generate_series(1, 15) AS i");
ok(wait_sql($node, 'odoo', "SELECT count(*) FROM wa.message WHERE body = 'Yth. semua' AND state = 'sent'", '15'),
	'fifteen throttled at one time go on after a moment');

$sim->fault({ provider => 'meta', kind => 'meta_error', code => 130429, times => 1 });
($id, $number) = text(fallback_when_paced => 'true');
ok(wait_state($node, 'odoo', $id, 'sent'), 'fallback_when_paced: sent');
is(chain($number), 'meta fonnte', 'by the one that has room');

# meta has room again in an hour, fonnte in a second
sql("UPDATE wa.provider SET min_gap = CASE name WHEN 'meta' THEN interval '1 hour' ELSE '1 second' END");
ok(wait_sql($node, 'odoo', "SELECT NOT EXISTS (SELECT FROM wa.ready)"), 'nothing waits');
my @paced = map { [ text(fallback_when_paced => 'true') ] } 1 .. 4;
ok(wait_state($node, 'odoo', $_->[0], 'sent'), 'fallback_when_paced: sent') foreach @paced;
cmp_ok(scalar(grep { chain($_->[1]) eq 'meta' } @paced), '<=', 1,
	'the one that lets nothing more go gets one at most');
sql("UPDATE wa.provider SET min_gap = '0'");

# What may have been taken counts as taken

sql("UPDATE wa.provider SET daily_cap = 1 + (SELECT count(*) FROM wa.attempt WHERE provider = 'meta'"
	  . " AND outcome IN ('accepted', 'unknown')) WHERE name = 'meta'");
$sim->fault({ provider => 'meta', kind => 'cut_after_read', times => 1 });
($id, $number) = text(unknown_policy => 'give up');
ok(wait_state($node, 'odoo', $id, 'unknown'), 'the last one of the day is in doubt');
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'sent'), 'the next one: sent');
is(chain($number), 'fonnte', 'by another provider');
like(col($id, 'route'), qr/not meta: its daily cap is reached/, 'because the cap is reached');
# as after a failover, and 100,000 that wait for tomorrow
sql("SELECT setval('wa.message_id_seq', (SELECT max(id) FROM wa.message) + 1000000)");
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'sent'), 'with a number far ahead: sent');
sql("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'");
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'sent'), 'by the next worker: sent');
is(chain($number), 'fonnte', 'which knows of the cap, too');
sql("UPDATE wa.provider SET daily_cap = NULL WHERE name = 'meta'");

# Mode test: what the owner of test_number does not want concerns him alone

sql("SELECT wa_set('test_number', '628129998888'); SELECT wa_set('mode', 'test')");
$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131050, times => 1 });
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'sent'), 'mode test: test_number wants no marketing');
is(sql("SELECT concat(opted_out_at IS NULL, ' ', marketing_out_at IS NULL) FROM wa.contact WHERE number = '$number'"), 't t',
	'the citizen has not opted out');
sql("SELECT wa_set('mode', 'observe')");

# Order within a record

sql("SELECT wa_arm('odoo')");
$sim->fault({ provider => 'meta', kind => 'meta_error', code => 131000, times => 1 });
my %record = (scenario => 'status_update', res_model => 'sicantik.permit', res_id => 900001,
	fallback => 'false');
($id, $number) = text(%record);
ok(wait_sql($node, 'odoo', "SELECT reason = 'retry' FROM wa.message WHERE id = $id"),
	'the first one of a record waits for its next attempt');
sql("UPDATE wa.due SET due_at = now() + interval '1 day' WHERE message_id = $id");
sql("UPDATE wa.message SET due_at = now() + interval '1 day' WHERE id = $id");
my %ids;
foreach my $res (900001, 900002)
{
	$ids{$res} = sql("BEGIN; SELECT wa_send_text('$number', 'Yth. $res');"
		  . " UPDATE wa.message SET scenario = 'permit_ready', res_model = 'sicantik.permit',"
		  . " res_id = $res WHERE body = 'Yth. $res'; COMMIT");
	$ids{$res} =~ s/\s.*//s;
}
ok(wait_state($node, 'odoo', $ids{900002}, 'sent'), 'another record does not wait for it');
is(col($ids{900001}, 'state, attempts'), 'queued|0', 'the next one of that record does');
ok(end_wait($id, 'retry'), 'the wait ends');
ok(wait_state($node, 'odoo', $id, 'sent'), 'the first one is sent');
sql("SELECT wa_set('office_name', 'DPMPTSP')");
ok(wait_state($node, 'odoo', $ids{900001}, 'sent'), 'then the second one');
is(join(' ', map { $_->{message} } grep { $_->{to} eq $number } $sim->accepted),
	'Yth. 900002 Yth. Budi Yth. 900001', 'in order');

# Never sent for certain: another one may take it

sql("UPDATE wa.provider SET base_url = 'http://127.0.0.1:1' WHERE name = 'meta'");
$node->safe_psql('postgres', "ALTER SYSTEM SET sicantik_wa.allowed_hosts = '"
	  . allowed_hosts($sim) . ",meta=127.0.0.1:1'");
$node->reload;
($id, $number) = text();
ok(wait_state($node, 'odoo', $id, 'sent'), 'nobody listens there: sent');
is(chain($number), 'fonnte', 'by the next provider');
is(attempts($id), 'meta:retry fonnte:accepted', 'the attempt is on the ledger');

# A doubt whose wait is over in the round that records it

sql("SELECT wa_set('unknown_wait', '0')");
$sim->fault({ provider => 'fonnte', kind => 'cut_after_read', times => 1 });
($id, $number) = text(wanted_provider => 'fonnte');
ok(wait_state($node, 'odoo', $id, 'sent'), 'no time to wait for news: sent');
is(chain($number), 'fonnte fonnte', 'repeated at once');
sql("SELECT wa_set('unknown_wait', '1 day')");

# Recovery after a crash goes the same way

sql("UPDATE wa.provider SET active = false WHERE name = 'meta'");
my $hold = $sim->fault({ provider => 'fonnte', kind => 'hold', times => 1 });
($id, $number) = text();
ok($sim->wait_for_sends(1, to => $number), 'on the wire');
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo'");
kill 'KILL', $pid;
$node->poll_query_until('postgres', 'SELECT true');
ok(wait_sql($node, 'odoo',
		"SELECT state = 'unknown' AND reason = 'interrupted' AND due_at > now() FROM wa.message WHERE id = $id"),
	'the worker was killed: unknown, for a while');
$sim->release;
ok(end_wait($id, 'interrupted'), 'its wait ends');
ok(wait_state($node, 'odoo', $id, 'sent'), 'repeated by its policy');
is(attempts($id), 'fonnte:unknown fonnte:accepted', 'and the ledger shows it');

is(sql("SELECT count(*) FROM wa.message WHERE state = 'sending'"), '0', 'nothing is left sending');

$node->stop;
done_testing();

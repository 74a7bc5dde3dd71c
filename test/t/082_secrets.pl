# Where a credential must not come to light, and who must not use it: another
# kind's host, another database of the same name, streams of logical decoding
# and who subscribes to them, what a provider echoes, files with keys of TLS.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator(undef, tls => 1);
my $keys = PostgreSQL::Test::Utils::tempdir('keys') . '/keys';
$ENV{SSLKEYLOGFILE} = $keys;
my $folders = PostgreSQL::Test::Utils::tempdir('secrets');
my $node = new_cluster(
	'main',
	simulator => $sim,
	init => { allows_streaming => 'logical' },
	conf => "log_statement = none\nsicantik_wa.secrets_directory = '$folders'");
my %token = (fonnte => 'FONNTEhushhush1', meta => 'METAhushhush2');
my $leak = qr/hushhush/;
my $url = 'http://127.0.0.1:' . $sim->port;

sub sql { return $node->safe_psql('odoo', $_[0]); }

sub put_file
{
	my ($path, $content) = @_;

	append_to_file("$folders/$path", $content);
	chmod 0600, "$folders/$path";
	return;
}

# What the simulator was asked since the last call.
my $seen = 0;
sub asked
{
	my @all = $sim->journal;
	my @new = @all[ $seen .. $#all ];

	$seen = @all;
	return @new;
}

delete $ENV{SSLKEYLOGFILE};

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');
sql('SELECT * FROM wa_setup()');
$sim->config({ fonnte => { tokens => [ $token{fonnte} ] }, meta => { tokens => [ $token{meta} ] } });
mkdir "$folders/odoo" or die $!;
put_file('odoo/fonnte_token', $token{fonnte});
put_file('odoo/meta_token', $token{meta});

# A file is for one kind of provider

sql("SELECT wa_configure('fonnte', '{\"base_url\": \"$url\", \"token_file\": \"fonnte_token\"}')");
is(sql("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'a file of the kind is used');
asked();
sql("UPDATE wa.provider SET settings = '{\"token_file\": \"meta_token\"}' WHERE name = 'fonnte'");
my ($code, $out, $err) = $node->psql('odoo', "SELECT ok FROM wa_test_connection('fonnte')");
is($out, 'f', 'a row that names the file of another kind: refused when it is used');
like(
	sql("SELECT wa_configure('fonnte', '{}') ->> 'problem'"),
	qr/meta_token.*not for this kind of provider/,
	'and told');
is(scalar asked(), 0, 'and nobody is asked with that credential');
sql("UPDATE wa.provider SET settings = '{\"token_file\": \"fonnte_token\"}' WHERE name = 'fonnte'");

# A folder is for one database, and not for the next one of its name

sub in_gone
{
	my ($statement, $role) = @_;
	my ($exit, $output, $errors) = $node->psql('gone', $statement, extra_params => [ '-U', $role || 'maker' ]);

	return $output . $errors;
}

sub make_gone
{
	my ($options) = @_;

	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS gone', timeout => 60);
	$node->safe_psql('postgres', "CREATE DATABASE gone TEMPLATE template0 $options", extra_params => [ '-U', 'maker' ]);
	in_gone("CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup()");
	return in_gone("SELECT wa_configure('fonnte', '{\"base_url\": \"$url\", \"token_file\": \"fonnte_token\"}') ->> 'problem'");
}

$node->safe_psql('postgres', 'CREATE ROLE maker LOGIN CREATEDB');
mkdir "$folders/gone" or die $!;
put_file('gone/fonnte_token', $token{fonnte});
chmod 0500, "$folders/gone";
my $problem = make_gone('');
my ($oid) = $problem =~ /could not be written there: .*; let the server write in the folder, or: echo (\d+) > \Q$folders\E\/gone\/\.database/;
ok($oid, 'a folder that the server cannot mark: what to do') or diag($problem);
put_file('by_hand', "$oid\n");
chmod 0700, "$folders/gone";
# also over the mark of a worker that has been quicker
rename "$folders/by_hand", "$folders/gone/.database" or die $!;
chmod 0500, "$folders/gone";
is(in_gone("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'is marked by hand');
chmod 0700, "$folders/gone";
unlink "$folders/gone/.database";
is(in_gone("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'another one is marked by its first use');
like(slurp_file("$folders/gone/.database"), qr/^$oid [0-9a-f]{32}$/, 'with database and key');
is((stat("$folders/gone/.database"))[2] & 0777, 0600, 'for the server only');
$node->safe_psql('postgres', 'ALTER DATABASE gone RENAME TO former');
$node->safe_psql('postgres', 'ALTER DATABASE former RENAME TO gone');
is(in_gone("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'the mark is the same after a renaming');
asked();
like(make_gone(''), qr/gone" was marked by another database.*rm \Q$folders\E\/gone\/\.database/, 'the next database of this name is refused');
like(in_gone("SELECT ok FROM wa_test_connection('fonnte')"), qr/^f/, 'also for a connection test');
like(make_gone("OID $oid"), qr/was marked by another database/, 'and with the same oid, too');
is($node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = 'gone'"), $oid, 'which it has');
like(in_gone("SELECT ok FROM wa_test_connection('fonnte')"), qr/^f/, 'it uses nothing');
is(scalar asked(), 0, 'and nobody is asked with that credential');
unlink "$folders/gone/.database";
is(in_gone("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'until somebody takes the mark away');
asked();

# Streams

$node->safe_psql('odoo', q(SELECT pg_create_logical_replication_slot('decoder', 'test_decoding')));
$node->safe_psql('odoo', 'CREATE PUBLICATION everything FOR ALL TABLES');
$node->safe_psql('odoo', q(SELECT pg_create_logical_replication_slot('published', 'pgoutput')));
sql("SELECT wa_configure('other', '{\"kind\": \"fonnte\", \"token\": \"$_\"}')")
  foreach ('FONNTEhushhush3', 'FONNTEhushhush4', 'FONNTEhushhush5' . 'x' x 3000);
sql("SELECT wa_configure('other', '{\"token\": null}')");
sql("SELECT wa_configure('other', '{\"token\": \"FONNTEhushhush6\"}')");
sql("DELETE FROM wa.provider WHERE name = 'other'");
sql("SELECT wa_configure('other', '{\"kind\": \"fonnte\"}')");
sql("UPDATE res_partner SET name = 'Stream' WHERE id = 10");
my $decoded = sql(q(SELECT string_agg(data, E'\n') FROM pg_logical_slot_get_changes('decoder', NULL, NULL)));
like($decoded, qr/table public\.res_partner: UPDATE.*Stream/, 'test_decoding: the stream is there');
like($decoded, qr/table wa\.provider: INSERT.*other/, 'with tables of wa');
unlike($decoded, $leak, 'but nothing of a credential, new or old');
unlike($decoded, qr/table wa\.secret: INSERT/, 'no row of wa.secret');
my $published = sql(
	q{SELECT string_agg(encode(data, 'escape'), E'\n') FROM pg_logical_slot_get_binary_changes('published', NULL, NULL,}
	  . q{ 'proto_version', '1', 'publication_names', 'everything')});
like($published, qr/Stream/, 'a publication of all tables: the stream is there');
unlike($published, $leak, 'without a credential');
sql("SELECT wa_configure('other', '{\"token\": \"FONNTEhushhush7\"}')");
is(sql("SELECT value FROM wa.secret WHERE provider = 'other'"), 'FONNTEhushhush7', 'and yet it is stored');

# who gives every table without a key a replica identity forgets this one
$node->safe_psql('odoo', 'ALTER TABLE wa.secret REPLICA IDENTITY FULL');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_configure('other', '{\"token\": \"FONNTEhushhush8\"}')");
like($err, qr/credentials would enter the streams.*REPLICA IDENTITY NOTHING/s, 'a replica identity is refused');
unlike($err, $leak, 'without repeating the credential');
$node->safe_psql('odoo', 'ALTER TABLE wa.secret REPLICA IDENTITY NOTHING');
$node->safe_psql('odoo', "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");

# A subscriber of everything: our tables are filled there, so nothing is done,
# until they are taken out of the publication

# transaction ids of the publisher lie in the subscriber's future
$node->safe_psql('odoo', 'DO $$ BEGIN FOR i IN 1 .. 3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
my $other = new_cluster('subscriber', simulator => $sim, conf => "wal_level = logical\nwal_retrieve_retry_interval = 100ms\nlog_statement = none");
sub other { return $other->safe_psql('odoo', $_[0]); }
sub caught_up
{
	my ($what) = @_;

	$node->wait_for_catchup('everything');
	return ok(wait_sql($other, 'odoo', "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", '0'), $what);
}
$other->safe_psql('postgres', 'CREATE ROLE odoo LOGIN CREATEDB');
$other->safe_psql('postgres', 'CREATE DATABASE odoo OWNER odoo TEMPLATE template0');
my $schema = PostgreSQL::Test::Utils::tempdir('schema') . '/odoo.sql';
command_ok([ 'pg_dump', '-d', $node->connstr('odoo'), '--schema-only', '--no-publications', '-f', $schema ], 'the tables of the subscriber');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $other->connstr('odoo'), '-f', $schema ], 'are made');
ok(wait_sql($other, 'odoo', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo' AND state = 'idle'"),
	'a worker looks, and finds nothing set up');
other('CREATE SUBSCRIPTION everything CONNECTION $$' . $node->connstr('odoo') . '$$ PUBLICATION everything');
caught_up('all tables are copied');
is(other("SELECT (SELECT sum(value::bigint) FROM jsonb_each_text(to_jsonb(s)) WHERE key LIKE '%error_count') FROM pg_stat_subscription_stats AS s"), '0', 'without an error');
ok(wait_sql($other, 'odoo', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker' AND datname = 'odoo'"),
	'the worker of the subscriber leaves');
sql("SELECT wa_configure('other', '{\"token\": \"FONNTEhushhush9\"}')");
my $hand = sql("SELECT wa_send_text('081299990009', 'Halo')");
caught_up('changes come');
is(other("SELECT count(*) FROM wa.message WHERE id = $hand"), '1', 'those of the ledger, too');
is(other("SELECT count(*) FROM wa.secret WHERE value = 'FONNTEhushhush9'"), '0', 'but no new credential');
sql("SELECT wa_opt_out('081299990013')");
# what triggers have noted of it comes along, and is not noted once more
my $later = sql("SELECT wa_send_text('081299990012', 'Halo', send_at => now() + interval '1 day')");
sql("DELETE FROM wa.due WHERE message_id = $later");
caught_up('notes come');
is(other("SELECT (SELECT count(*) FROM wa.unattended WHERE message_id = $later), apply_error_count FROM pg_stat_subscription_stats"),
	'1|0', 'once, and without an error');
($code, $out, $err) = $other->psql('odoo', "SELECT wa_arm('odoo')");
like($err, qr/filled by subscription "everything"/, 'arming the subscriber is refused');
($code, $out, $err) = $other->psql('odoo', "SELECT wa_send_text('081299990010', 'Halo')");
like($err, qr/filled by subscription "everything".*HINT:.*REFRESH PUBLICATION/s, 'so is sending there');
like(other("SELECT detail FROM wa_status() WHERE item = 'mode'"), qr/subscription|langganan/, 'and wa_status() says why');
is(other("SELECT string_agg(value, ',') FROM wa_status() WHERE item LIKE 'watched%'"), 'elsewhere',
	'and that changes are recorded elsewhere: no trigger is missed here');
is(other("SELECT count(*) FROM wa_check() WHERE item LIKE 'watched %'"), '0',
	'wa_check() wants no triggers there, which would record every change twice');

# the publisher has the statement that takes them out
($code, $out, $err) = $node->psql('odoo', 'SELECT * FROM wa_setup()');
like($err, qr/publication "everything" publishes the tables of this extension.*(?:CREATE PUBLICATION everything FOR TABLES IN SCHEMA public|ALTER PUBLICATION everything SET ALL TABLES EXCEPT \(TABLE wa\.access, )/s,
	'wa_setup() is refused, with the statement that mends it');
sql("SELECT wa_set('language', 'en')");
my $advice = sql("SELECT what_to_do FROM wa_check() WHERE item = 'publication'");
like($advice, qr/"everything" publishes/, 'wa_check() names the publication');
$node->safe_psql('odoo', $advice =~ /among them: (.*); then on each subscriber/);
is(sql("SELECT count(*) FROM wa_check() WHERE item = 'publication'"), '0', 'which is well after its statement');
sql("UPDATE res_partner SET name = 'Streaming' WHERE id = 10");
other('ALTER SUBSCRIPTION everything REFRESH PUBLICATION');
sql("UPDATE res_partner SET name = 'Streamed' WHERE id = 10");
caught_up('the subscriber refreshes');
is(other('SELECT name FROM res_partner WHERE id = 10'), 'Streamed', "Odoo's tables go on");
is(other("SELECT count(*) FROM pg_subscription_rel WHERE srrelid::regclass::text LIKE 'wa.%'"), '0', 'ours do not');
like($other->safe_psql('odoo', "SELECT wa_arm('odoo')"), qr/is armed \(mode live\)/, 'now it can be armed');
cmp_ok(other("SELECT wa_send_text('081299990011', 'Halo')"), '>', $hand, 'and gives out ids of its own');
is(other('SELECT ' . join(" || ' ' || ", map { my ($table) = /^(.*)_id_seq$/; "CASE WHEN nextval('wa.$_') <= (SELECT coalesce(max(id), 0) FROM wa.$table) THEN '$table' ELSE '' END" }
		  split(/\n/, other("SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'wa'::regnamespace")))) =~ s/ //gr,
	'', 'in all tables');
other("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 3");
ok(wait_sql($other, 'odoo', "SELECT count(*) > 0 FROM wa.message WHERE scenario = 'status_update' AND res_id = 3"),
	'and tells of changes');
other('DROP SUBSCRIPTION everything');
$other->stop;

# What a provider echoes

is(sql("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'the provider is tested');
no_pacing($node, 'odoo');
$sim->fault({
	provider => 'fonnte', kind => 'status', status => 200, match => { number => '6281299990001' },
	body => "{\"status\":true,\"id\":[\"$token{fonnte}\"],\"request\":\"" . encode_base64("POST token=$token{fonnte}", '') . '"}' });
my $id = sql("SELECT wa_send_text('081299990001', 'Halo', 'fonnte')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'an answer that echoes the token');
my $kept = sql("SELECT m.provider_message_id, a.response FROM wa.message AS m JOIN wa.attempt AS a ON a.message_id = m.id WHERE m.id = $id");
like($kept, qr/\*\*\*/, 'the answer is kept');
unlike($kept, $leak, 'without the token as message id');
unlike($kept, qr/\Q@{[substr(encode_base64($token{fonnte}, ''), 0, 12)]}\E|\Q@{[substr(encode_base64("n=$token{fonnte}", ''), 4, 12)]}\E/,
	'nor in base64');

# Keys of TLS connections

sql("SELECT wa_configure('fonnte', '{\"base_url\": \"https://localhost:" . $sim->tls_port . "\"}')");
is(sql("SELECT ok FROM wa_test_connection('fonnte')"), 't', 'a provider over TLS');
$id = sql("SELECT wa_send_text('081299990002', 'Halo', 'fonnte')");
ok(wait_state($node, 'odoo', $id, 'sent'), 'and a message');
is(-s $keys || 0, 0, "nobody's SSLKEYLOGFILE gets the keys");

unlike(slurp_file($node->logfile), $leak, 'nothing in the log');

$node->stop;
done_testing();

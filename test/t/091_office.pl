# What an office is told about its own configuration before citizens find out:
# time zone, links, credential files, groups; in wa_set(), wa_setup(),
# wa_check(), wa_test_connection() and wa_arm().

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $secrets = PostgreSQL::Test::Utils::tempdir('secrets');
my $node = new_cluster('main', simulator => $sim,
	instance => 'test-1', conf => "sicantik_wa.secrets_directory = '$secrets'");

sub sql { return $node->safe_psql('odoo', $_[0]); }

# A statement with its errors and warnings.
sub all_of
{
	my ($code, $out, $err) = $node->psql('odoo', $_[0]);
	return ($out // '') . "\n$err";
}

sub checked
{
	my ($item) = @_;
	return sql("SELECT string_agg(concat_ws(': ', state, what_to_do), E'\\n') FROM wa_check() WHERE item = '$item'");
}

# What is said of Meta with a version of its API, which a person has set.
sub checked_as_user
{
	sql(qq{UPDATE wa.provider SET settings = settings || '{"api_version": "$_[0]"}' WHERE name = 'meta'});
	return checked('provider meta');
}

sub next_step { return sql("SELECT concat_ws(' <- ', value, detail) FROM wa_status() WHERE item = 'next'"); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');

# Armed before anything is there

my $armed = sql("SELECT wa_arm('odoo')");
like($armed, qr/^database odoo is armed \(mode live\), but sends nothing yet$/m, 'armed before wa_setup(): it does not say that it sends');
like($armed, qr/^scenarios: there are none: SELECT \* FROM wa_setup\(\)$/m, 'but what is missing');
like($armed, qr/^providers: no provider can be used/m, 'and that no provider can be used');
sql('SELECT wa_disarm()');

# An address that only the server knows makes no links

sql("UPDATE ir_config_parameter SET value = 'http://localhost:8069' WHERE key = 'web.base.url'");
my $setup = sql("SELECT action || ': ' || detail FROM wa_setup() WHERE item = 'setting download_link'");
like($setup, qr/^not set: Odoo's web\.base\.url \(http:\/\/localhost:8069\) makes no usable link\. A telephone cannot open it: /, 'localhost: wa_setup() takes no links from it');
sql("SELECT wa_set('language', 'en')");
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "'); SELECT FROM wa_test_connection('fonnte')");
like(sql("SELECT wa_arm('odoo')"), qr/^database odoo sends now \(mode live\)\n(?:.*\n)*scenario permit_ready: its text needs the setting download_link/,
	'wa_arm() names the settings that are missing');
foreach my $address ('http://localhost:8069', 'https://127.0.0.1', 'https://192.168.1.5:8069', 'https://odoo', 'https://erp.lan', 'http://izin.kab.go.id')
{
	like(all_of("SELECT wa_set('detail_link', '$address/{id}')"), qr/invalid value .*\n.*A telephone cannot open it: /, "$address: wa_set() refuses it");
	sql("INSERT INTO wa.setting (name, value) VALUES ('detail_link', '$address/{id}') ON CONFLICT (name) DO UPDATE SET value = excluded.value");
	like(checked('links'), qr/^error: a telephone cannot open \Q$address\E\/\{id\}, the setting detail_link: /, "$address: as a row, wa_check() names it");
	like(sql("SELECT wa_arm('odoo')"), qr/^links: a telephone cannot open \Q$address\E/m, "$address: so does wa_arm()");
	like(sql("SELECT action || ': ' || detail FROM wa_setup() WHERE item = 'setting detail_link'"), qr/^warning: \Q$address\E.*A telephone cannot open it/, "$address: and wa_setup()");
}
sql("SELECT wa_set('detail_link', NULL)");
sql("UPDATE ir_config_parameter SET value = 'https://izin.kab.go.id/' WHERE key = 'web.base.url'");
is(sql("SELECT DISTINCT action FROM wa_setup() WHERE item LIKE 'setting %link%'"), 'added', 'a public address makes links');
sql("SELECT wa_set('contact_dpmptsp', '0812-0000-9999')");
is(checked('links'), 'ok', 'and they are fine');
is(sql("SELECT wa_arm('odoo')"), 'database odoo sends now (mode live)', 'all is ready: nothing else is said');
is(next_step(), 'nothing', 'nothing to do');

# Odoo moves

sql("UPDATE ir_config_parameter SET value = 'http://localhost:8069' WHERE key = 'web.base.url'");
is(checked('links'), 'ok', 'an administrator who logs in by a tunnel has not moved it');
sql("UPDATE ir_config_parameter SET value = 'https://perizinan.kab.go.id' WHERE key = 'web.base.url'");
like(checked('links'), qr/^warning: Odoo's address \(web\.base\.url\) was https:\/\/izin\.kab\.go\.id and is https:\/\/perizinan\.kab\.go\.id now, and the setting approval_link is still /, 'a move is told');
like(next_step(), qr{^SELECT wa_set\('approval_link', 'https://perizinan\.kab\.go\.id/approval/\{document_number\}'\) <- links: }, 'with the statement that follows it');
sql("SELECT wa_set(name, value) FROM wa.setting WHERE name LIKE '%link%'");
is(checked('links'), 'ok', 'an office that keeps its own address says so once');
sql("SELECT wa_set(name, replace(value, 'izin.kab', 'perizinan.kab')) FROM wa.setting WHERE name LIKE '%link%'");
sql("UPDATE ir_config_parameter SET value = 'https://izin.kab.go.id' WHERE key = 'web.base.url'");
is(scalar(() = checked('links') =~ /^warning: /mg), 5, 'the way back is told for each link');
sql("SELECT wa_set(name, replace(value, 'perizinan.kab', 'izin.kab')) FROM wa.setting WHERE name LIKE '%link%'");
is(next_step(), 'nothing', 'and done');

# The time zone, as a row and as citizens read it

like(sql("SELECT wa_set('time_zone', 'UTC+8')"), qr/^Asia\/Makassar, where it is (\d{4}-\d\d-\d\d \d\d:\d\d) now$/, 'the answer has the time there');
my $wita = sub { return sql("SELECT to_char(now() AT TIME ZONE 'Asia/Makassar', 'DD-MM-YYYY HH24:MI')"); };
my $told = sub
{
	sql("SELECT wa_set_template('jam', '{\"name\": \"Jam\", \"body\": \"Yth. pemohon, sekarang pukul {{timestamp}} di kantor.\", \"parameters\": [\"timestamp\"]}')");
	return sql("SELECT wa_send('jam', '081200000010') AS id \\gset\nSELECT body FROM wa.message WHERE id = :id") =~ s/.*pukul (.*) di.*/$1/sr;
};
foreach my $row ('UTC+8', 'WITA', 'Asia/Makassar')
{
	sql("UPDATE wa.setting SET value = '$row' WHERE name = 'time_zone'");
	my ($before, $time, $after) = ($wita->(), $told->(), $wita->());
	ok($time eq $before || $time eq $after, "a row that says $row is understood as in wa_set()") or diag("$before $time");
	like(checked('time zone'), qr/^ok: Asia\/Makassar, where it is /, 'wa_check() tells the time');
}
foreach my $row ('UTC-8', 'Etc/GMT+8', 'Makassar8', '')
{
	sql("UPDATE wa.setting SET value = '$row' WHERE name = 'time_zone'");
	like(checked('time zone'), qr/^error: "\Q$row\E" is no time zone that can be understood, so Asia\/Jakarta is taken, /, "a row that says '$row' is named");
	like(next_step(), qr/^SELECT wa_set\('time_zone', 'Asia\/Jakarta'\) <- time zone: /, 'by wa_status() as well');
}
sql("UPDATE wa.setting SET value = 'UTC-7' WHERE name = 'time_zone'");
my $wib = sql("SELECT to_char(now() AT TIME ZONE 'Asia/Jakarta', 'DD-MM-YYYY HH24')");
like($told->(), qr/^\Q$wib\E:|:00$/, 'and does not mean seven hours to the west');
sql("SELECT wa_set('time_zone', NULL)");

# Credential files

mkdir "$secrets/odoo" or die $!;
my $base_url = 'http://127.0.0.1:' . $sim->port;
my $answer = all_of(qq{SELECT wa_configure('meta', '{"token_file": "meta_token", "phone_number_id": "106540352242922", "base_url": "$base_url", "api_version": "v26.0"}')});
like($answer, qr/WARNING: +credential file ".*meta_token" could not be opened: No such file/, 'a file that is missing');
unlike($answer, qr/still needs|"missing"/, 'is one thing, and not a missing setting too');
like(sql("SELECT detail ->> 'reason' FROM wa_test_connection('meta')"), qr/credential file ".*meta_token" could not be opened/, 'the connection test gives its reason in its answer');
like(checked('provider meta'), qr/^error: credential file .*meta_token" could not be opened/, 'wa_check() as well');
my $token = $sim->config->{meta}{tokens}[0];
append_to_file("$secrets/odoo/meta_token", $token);
chmod 0600, "$secrets/odoo/meta_token";
is(sql("SELECT ok, detail ->> 'reason' IS NULL, detail ? 'exposed_file' FROM wa_test_connection('meta')"), 't|t|f', 'a good one has none');
is(checked('provider meta'), 'ok', 'and is fine');
foreach my $mode (0644, 0640, 0602)
{
	my $name = sprintf '%o', $mode;

	chmod $mode, "$secrets/odoo/meta_token";
	like(all_of("SELECT * FROM wa_test_connection('meta')"), qr/"exposed_file": "meta_token".*WARNING: +credential file "meta_token" may be read or written by others/s, "mode $name: the connection test warns");
	like(checked('provider meta'), qr/^warning: its credential file "meta_token" may be read or written by others .*chmod/m, "mode $name: so does wa_check()");
}
chmod 0600, "$secrets/odoo/meta_token";

# The version of Meta's API: 90 days before its end, and after it

my %ends = ('v17.0' => '2026-01-26', 'v20.0' => '2026-09-24', 'v21.0' => '2027-01-21', 'v22.0' => '2027-05-20',
	'v25.0' => '2028-07-29');
foreach my $version (sort keys %ends)
{
	my $left = sql("SELECT date '$ends{$version}' - (now() AT TIME ZONE 'UTC')::date");
	my $told = checked_as_user($version);
	my $want = $left > 90 ? qr/^ok$/
	  : $left > 0 ? qr/^warning: version \Q$version\E of Meta's API is served until $ends{$version}: /m
	  : qr/^warning: version \Q$version\E of Meta's API has not been served since $ends{$version}, or longer, /m;

	like($told, $want, "$version, which ends in $left days");
	like(next_step(), $left > 90 ? qr/^nothing$/ : qr/^SELECT wa_configure\('meta', '\{"api_version": "v26\.0"\}'\) <- provider meta: version /,
		"$version: what is next");
}
like(checked_as_user('v99.0'), qr/^ok: how long version v99\.0 of Meta's API is served is not known here/m, 'one that is not known');
is(next_step(), 'nothing', 'is no trouble');
sql("SELECT wa_configure('meta', '{\"api_version\": null}'); SELECT FROM wa_test_connection('meta')");
is(checked('provider meta'), 'ok', 'and the default is fine');

$sim->fault({ provider => 'meta', kind => 'status', status => 500, match => { endpoint => 'test' }, times => 1 });
like(sql("SELECT state || ': ' || (detail ->> 'reason') FROM wa_test_connection('meta')"), qr/^error: .*500/, 'what the provider answered is in the answer too');
sql("SELECT wa_configure('meta', '{\"active\": false}')");
is(next_step(), 'nothing', 'nothing to do');

# In Indonesian, no English

sql("SELECT wa_set('language', 'id')");
sql("UPDATE wa.setting SET value = 'https://odoo/{id}' WHERE name = 'detail_link'");
sql("UPDATE ir_config_parameter SET value = 'https://perizinan.kab.go.id' WHERE key = 'web.base.url'");
unlike(checked('links') . checked('time zone') . next_step(), qr/\b(?:the|is|was|now|where|it|host|which)\b/, 'all of it is said in Indonesian');

$node->stop;
$sim->stop;
done_testing();

# A new user who types what "next" says, and fills in what stands there as dots,
# comes to where nothing is left to do, with each of the providers, wherever he
# has begun; wa_setup() says the same first.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $sim = start_simulator();
my $conf = PostgreSQL::Test::Utils::tempdir('conf') . '/office.conf';
my $secrets = PostgreSQL::Test::Utils::tempdir('secrets');
append_to_file($conf, '');
my $node = new_cluster('main', simulator => $sim,
	conf => "include = '$conf'\nsicantik_wa.max_workers = 20\nmax_worker_processes = 40\nsicantik_wa.secrets_directory = '$secrets'");
my $settings = $sim->config;
my $url = 'http://127.0.0.1:' . $sim->port;
my $database;

sub sql { return $node->safe_psql($database, $_[0]); }
sub next_is { return sql("SELECT value FROM wa_status() WHERE item = 'next'"); }
sub why_is { return sql("SELECT detail FROM wa_status() WHERE item = 'next'"); }
sub check_of { return sql("SELECT state || ': ' || coalesce(what_to_do, '') FROM wa_check() WHERE item = '$_[0]'"); }

# A database with Odoo's tables, a folder of credentials, and the default rows.
sub office
{
	$database = shift;
	load_odoo($node, $database);
	mkdir "$secrets/$database" or die $!;
	my %credentials = (fonnte_token => $settings->{fonnte}{tokens}[0], watzap_key => $settings->{watzap}{api_keys}[0],
		watzap_number => $settings->{watzap}{number_keys}[0], meta_token => $settings->{meta}{tokens}[0]);
	foreach (keys %credentials)
	{
		append_to_file("$secrets/$database/$_", $credentials{$_});
		chmod 0600, "$secrets/$database/$_" or die $!;
	}
	sql('CREATE EXTENSION sicantik_wa');
	my $next = sql("SELECT detail FROM wa_setup() WHERE item = 'next'");
	sql("SELECT wa_set('language', 'en')");
	return $next;
}

# What a person puts in the place of dots.
sub filled_in
{
	my $statement = shift;
	my ($kind) = $statement =~ /wa_configure\('(\w+)'/;
	my %value = (
		token_file => { fonnte => 'fonnte_token', watzap => 'watzap_key', meta => 'meta_token' }->{ $kind || '' },
		number_key_file => 'watzap_number', phone_number_id => $settings->{meta}{phone_number_id},
		waba_id => $settings->{meta}{waba_id}, base_url => $kind && $kind eq 'watzap' ? "$url/v1" : $url);

	$statement =~ s/"(\w+)": "\.\.\."/'"' . $1 . '": "' . ($value{$1} || die "no value for $1") . '"'/ge;
	$statement =~ s/'\.\.\.'/'081234567890'/g;
	return $statement;
}

# Types what is next until nothing is; returns the statements.
sub follow
{
	my ($name) = @_;
	my @typed;
	my $next = '';

	foreach (1 .. 40)
	{
		$next = next_is();
		last if $next eq 'nothing';
		push @typed, "$next  -- " . why_is();
		if ($next =~ /^sicantik_wa\.instance = '\.\.\.' in a file/)
		{
			append_to_file($conf, "sicantik_wa.instance = 'office'\n");
			$node->reload;
		}
		my ($statement) = $next =~ /(SELECT .*)/ or last;
		my ($code, $out, $err) = $node->psql($database, filled_in($statement));
		push @typed, "= $err" if $code != 0;
		last if $code != 0;
	}
	is($next, 'nothing', "$name: in the end nothing is left to do") or diag(join "\n", @typed);
	note(join "\n", @typed);
	return @typed;
}

# what is made there counts at once
$sim->config({ meta => { new_template_status => 'APPROVED' } });

# All given at once

foreach my $kind (qw(fonnte watzap meta))
{
	like(office($kind), qr/^SELECT wa_configure\('fonnte', '\{"token_file": "\.\.\."\}'\)  -- providers: /, "$kind: wa_setup() says what comes next");
	sql("SELECT wa_configure('$kind', '" . provider_settings($sim, $kind) . "')");
	follow($kind);
}

# Step by step: what is lacking now is named

office('step');
sql(qq(SELECT wa_configure('watzap', '{"base_url": "$url/v1", "token_file": "watzap_key"}')));
is(next_is(), q(SELECT wa_configure('watzap', '{"number_key_file": "..."}')), 'what Watzap lacks is next');
like(why_is(), qr/^providers: no provider can be used; watzap: settings are missing: number_key$/, 'and why');
like(check_of('provider watzap'), qr/^error: settings are missing: number_key; SELECT wa_configure\('watzap', '\{"number_key_file": "\.\.\."\}'\), or SELECT/, 'wa_check() says the same');
sql(qq(SELECT wa_configure('watzap', '{"number_key_file": "watzap_numer"}')));
is(next_is(), q(SELECT wa_configure('watzap', '{"number_key_file": "..."}')), 'a file that is not there: which of the settings it is');
like(why_is(), qr{credential file "\S+/step/watzap_numer" could not be opened}, 'and what is wrong with it');
ok(!grep(/token_file/, follow('Watzap, step by step')), 'what is there is not asked for');

# With another one that can be used

sql(qq(SELECT wa_configure('fonnte', '{"base_url": "$url", "token_file": "fonnte_tokn"}')));
is(next_is(), q(SELECT wa_configure('fonnte', '{"token_file": "..."}')), 'beside a usable one');
like(why_is(), qr{^provider fonnte: credential file "\S+/fonnte_tokn" could not be opened}, 'and why');
follow('Fonnte beside Watzap');
sql(qq(UPDATE wa.provider SET base_url = 'http://stranger.example' WHERE name = 'fonnte'));
is(next_is(), q(SELECT wa_configure('fonnte', '{"base_url": "..."}')), 'an address that is not allowed');
sql(filled_in(next_is()));
sql(next_is());
sql(qq(UPDATE wa.provider SET settings = settings || '{"wait_until_send": "perhaps"}' WHERE name = 'watzap'));
is(next_is(), q(SELECT wa_configure('watzap', '{"wait_until_send": "..."}')), 'a setting that makes no request');
sql(q(SELECT wa_configure('watzap', '{"wait_until_send": false}')));
follow('what was wrong with both');

# A kind that there is not: wa_configure() does not know it either

sql("INSERT INTO wa.provider (name, kind, base_url, active) VALUES ('post', 'pigeon', '$url', true)");
is(next_is(), q(UPDATE wa.provider SET active = false WHERE name = 'post'), 'an unknown kind');
sql(next_is());
follow('without it');

# An address where nobody is

sql(qq(SELECT wa_configure('watzap', '{"base_url": "$url"}'); SELECT wa_test_connection('watzap')));
is(next_is(), q(SELECT wa_configure('watzap', '{"base_url": "..."}')), 'an address where Watzap is not');
like(why_is(), qr/^provider watzap: Watzap is not there at this address \(HTTP status 404\): see base_url/, 'and why');
follow('Watzap at its address again');

# Meta, whose templates are there already, some of them not as ours

office('there');
sql(qq(SELECT wa_configure('meta', '{"base_url": "$url", "token_file": "meta_token"}')));
is(next_is(), q(SELECT wa_configure('meta', '{"phone_number_id": "...", "waba_id": "..."}')), 'Meta: all that it lacks, at once');
my @typed = follow('Meta');
ok(!grep(/^= /, @typed), 'no statement fails');
is(scalar(grep(/wa_test_connection/, @typed)), 1, 'it is tested once');
ok(grep(/wa_map_template\('permit_ready', 'meta', '\{"status": "configured"\}'\)  -- scenario permit_ready: its template "permit_ready" is at meta already/, @typed), 'a template that is there is used when somebody has compared it');
is(sql("SELECT DISTINCT format || ' ' || provider_status FROM wa.template_mapping"), 'positional APPROVED', 'its form is taken over from there');
sql("DELETE FROM wa.template_mapping WHERE template_key = 'permit_ready'");
is(sql("SELECT wa_submit_template('permit_ready')->>'status'"), 'draft', 'and nothing is sent with it before');
is(sql("SELECT count(*) FROM wa_sync_templates('meta') WHERE status = 'approved' AND template_key = 'permit_ready'"), '0', 'nor after the list was read');
like(check_of('scenario permit_ready'), qr/^error: .*SELECT wa_template_export\('permit_ready', 'meta'\), then SELECT wa_map_template\('permit_ready', 'meta', '\{"status": "configured"\}'\)$/, 'wa_check() says the same as next');
sql(q(SELECT wa_map_template('permit_ready', 'meta', '{"status": "configured", "format": "named"}')));
sql("SELECT * FROM wa_sync_templates('meta')");
is(next_is(), q(SELECT wa_map_template('permit_ready', 'meta', '{"format": "positional"}')), 'one that does not fit in its form');
follow('Meta, another form');
sql(q(SELECT wa_map_template('permit_ready', 'meta', '{"name": "not_there"}')));
sql("SELECT * FROM wa_sync_templates('meta')");
is(next_is(), q(SELECT wa_submit_template('permit_ready', 'meta')), 'one that is not there is made');
follow('Meta, another name');
sql(q(SELECT wa_map_template('permit_ready', 'meta', '{"name": "permit_ready", "format": "positional", "parameters": ["permit_number"]}')));
sql("SELECT * FROM wa_sync_templates('meta')");
is(next_is(), q(SELECT wa_map_template('permit_ready', 'meta', '{"parameters": ["..."]}')), 'other parameters');
sql(q(SELECT wa_map_template('permit_ready', 'meta', '{"parameters": null}')));
sql("SELECT * FROM wa_sync_templates('meta')");

# The id of the account later: nothing that messages depend on

sql(q(SELECT wa_configure('meta', '{"waba_id": null}'); DELETE FROM wa.template_mapping));
is(next_is(), q(SELECT wa_configure('meta', '{"waba_id": "..."}')), 'first what the templates are read with');
like(check_of('scenario permit_ready'), qr/^error: .*: SELECT wa_configure\('meta', '\{"waba_id": "\.\.\."\}'\)$/, 'wa_check() says the same');
ok(!grep(/wa_test_connection/, follow('Meta, account later')), 'no test anew');

# The default provider

sql(q(SELECT wa_configure('meta', '{"is_default": true}')));
like(check_of('default provider'), qr/^ok/, 'a default that takes all');
sql("DELETE FROM wa.template_mapping WHERE template_key = 'permit_ready'");
sql(qq(SELECT wa_configure('fonnte', '{"base_url": "$url", "token_file": "fonnte_token"}')));
sql("SELECT * FROM wa_test_connection('fonnte')");
like(check_of('default provider'), qr/^warning: meta is the default and does not take permit_ready, so others send these: .*SELECT wa_submit_template\('permit_ready', 'meta'\)/, 'one that does not know a template');
is(next_is(), q(SELECT wa_submit_template('permit_ready', 'meta')), 'next makes it known');
follow('a default that knows all again');
sql(q(SELECT wa_configure('meta', '{"active": false}')));
like(check_of('default provider'), qr/^warning: meta is the default and switched off, so others take its messages: SELECT wa_configure\('meta', '\{"is_default": false\}'\)/, 'one that is switched off');
follow('no default any more');
sql(qq(UPDATE wa.provider SET state = 'draft', settings = '{}', base_url = '$url/v1' WHERE name = 'watzap'; SELECT wa_configure('watzap', '{"is_default": true}')));
like(check_of('default provider'), qr/^warning: watzap is the default and cannot be used now, so others take its messages: SELECT wa_configure\('watzap', '\{"token_file": "\.\.\.", "number_key_file": "\.\.\."\}'\)/, 'one that nobody has configured');
follow('a default that can be used');

# What waits says what to do

sql("SELECT wa_pause('fonnte'); SELECT wa_pause('watzap')");
sql("SELECT wa_send_text('081234567899', 'Halo')");
ok(wait_sql($node, $database, "SELECT count(*) = 1 FROM wa.message WHERE reason = 'no_provider' AND detail IS NOT NULL"), 'a message waits');
like(check_of('log: messages waiting'), qr/^warning: 1 messages wait for a provider, .*; mend what it says there: .*SELECT \* FROM wa_why\(\d+\)/, 'and what to do is said');
sql("SELECT wa_resume('fonnte'); SELECT wa_resume('watzap')");

# Details are in the office's language, items and values are not

{
	ok(wait_sql($node, $database, 'SELECT NOT EXISTS (SELECT FROM wa.ready)'), 'nothing is under way');
	my $english = sql('SELECT item, value, detail FROM wa_status()');
	my %same;

	sql("SELECT wa_set('language', 'id')");
	my %indonesian = map { my ($item, $value, $detail) = split /\|/, $_, 3; ("$item|$value" => $detail) } split /\n/, sql('SELECT item, value, detail FROM wa_status()');
	foreach (split /\n/, $english)
	{
		my ($item, $value, $detail) = split /\|/, $_, 3;

		next if $item eq 'next';
		ok(exists $indonesian{"$item|$value"}, "$item, $value: the same in both languages");
		$same{$item} = $detail if ($indonesian{"$item|$value"} // '') eq $detail && $detail =~ /[a-z]/ && $detail !~ /^build /;
	}
	is(join(', ', %same), '', 'and every detail is in words of its own');
	ok(grep(/./, values %indonesian), 'there are details');
}

$node->stop;
done_testing();

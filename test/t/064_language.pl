# What people read comes in the language of the office: every sentence that the
# ledger may keep is told in Indonesian, from its key and values, and in English
# by its words; and only by these where the two differ, or there is no key.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $src = dirname(__FILE__) . '/../../src';

# Words that no Indonesian sentence has.
my $words = join '|', map { ($_, ucfirst) } qw(the is are was were not of and to has have had
  with from it its this that by or may be will can cannot could does did which when than only
  before after until because must another without);
my $english = qr/(?<![\w.'-])(?:$words)(?![\w-])/;

my $sim = start_simulator();
my $node = new_cluster('main', simulator => $sim,
	conf => 'sicantik_wa.worker_idle_timeout = 3600');

sub sql { return $node->safe_psql('odoo', $_[0]); }

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa');

# The doctor before and after wa_setup(), with everything amiss, then the same
# rows in English: items and states agree, the sentences do not.
sub doctor
{
	my ($name) = @_;
	my %rows;
	my $all = q{SELECT n || E'\t' || item || E'\t' || state || E'\t' || coalesce(what_to_do, '')
		FROM ROWS FROM (wa_check()) WITH ORDINALITY AS c(item, state, what_to_do, n)};

	foreach my $language ('id', 'en')
	{
		sql("SELECT wa_set('language', '$language')");
		$rows{$language} = [ map { [ split /\t/, $_, -1 ] } split /\n/, sql($all) ];
	}
	sql("SELECT wa_set('language', NULL)");
	is_deeply([ map { join '|', @$_[ 0 .. 2 ] } @{ $rows{id} } ],
		[ map { join '|', @$_[ 0 .. 2 ] } @{ $rows{en} } ],
		"wa_check(), $name: items and states are the same in both languages");
	is(join("\n", map { $_->[3] } grep { $_->[3] =~ $english } @{ $rows{id} }), '',
		"wa_check(), $name: no English in Indonesian");
	is(join("\n", map { $rows{id}[$_][3] }
			grep { $rows{id}[$_][3] ne '' && $rows{id}[$_][3] eq $rows{en}[$_][3] } 0 .. $#{ $rows{id} }), '',
		"wa_check(), $name: every sentence is translated");
	return join "\n", map { "$_->[1]: $_->[3]" } @{ $rows{id} };
}

doctor('before wa_setup()');
sql('SELECT * FROM wa_setup()');
sql("SELECT wa_configure('fonnte', '" . provider_settings($sim, 'fonnte') . "')");
my $quota = '{"say": "fonnte_says", "of": [{"say": "fonnte_quota_used_up"}, "insufficient quota"]}';
my $template = '{"say": "template_of_scenario_unusable", "of": ["x", "y"]}';
sql("UPDATE wa.template SET active = false WHERE key = 'reminder';
	 UPDATE wa.scenario SET template_key = 'nonsense' WHERE key = 'status_update';
	 UPDATE wa.provider SET state = 'error', probe_at = now() + interval '1 hour', last_error = 'The quota of the Fonnte device is used up (Fonnte: insufficient quota).', last_error_said = '$quota' WHERE name = 'fonnte';
	 UPDATE wa.provider SET active = true WHERE name = 'meta';
	 UPDATE ir_module_module SET state = 'installed' WHERE name = 'sicantik_whatsapp';
	 INSERT INTO ir_module_module (name, state) VALUES ('sicantik_notification_automation', 'installed');
	 INSERT INTO ir_config_parameter (key, value) VALUES ('sicantik_whatsapp.default_provider_id', '1');
	 INSERT INTO ir_cron (ir_actions_server_id, user_id, interval_number, interval_type, cron_name, active, nextcall)
	 VALUES (160, 1, 1, 'days', 'SICANTIK: Check Expiring Permits', true, now());
	 INSERT INTO wa.message (template_key, state, reason) VALUES ('permit_ready', 'held', 'bulk'), ('permit_ready', 'failed', 'recipient');
	 INSERT INTO wa.dead_letter (event_id, relation, columns, new, event_at, error, error_said)
	 VALUES (1, 'public.sicantik_permit', '{}', '{}', now(), 'template \"x\" of scenario \"y\" does not exist or is not active', '$template');
	 INSERT INTO wa.daily_run (scenario, day, error, error_said) VALUES ('permit_expiry_warning', '2026-11-01', 'template \"x\" of scenario \"y\" does not exist or is not active', '$template');
	 INSERT INTO wa.watch (relation, owner, columns) VALUES ('public.no_such_table', 'postgres', '{id}')");
my $amiss = doctor('with everything amiss');
like($amiss, qr/provider fonnte: Kuota perangkat Fonnte habis \(Fonnte: insufficient quota\)\.; perbaiki: diuji lagi pada [\d-]+ [\d:]+, atau sekarang dengan SELECT \* FROM wa_test_connection\('fonnte'\)/,
	'the error of a provider and what to do about it');
like($amiss, qr/log: messages held: 1, sebab: terlalu banyak pesan .* \(bulk\); yang terakhir: .*; periksa dulu, lalu SELECT wa_release\(reason => 'bulk'\) atau SELECT wa_cancel\(reason => 'bulk'\)/, 'held messages');
like($amiss, qr/karena: template "x" dari skenario "y" tidak ada atau tidak aktif; perbaiki/, 'the error of a dead letter');
like($amiss, qr/log: calendar: skenario permit_expiry_warning gagal pada 2026-11-01: template "x" dari skenario "y" tidak ada atau tidak aktif; perbaiki/, 'a daily run that failed');
sql("DELETE FROM wa.message; DELETE FROM wa.dead_letter; DELETE FROM wa.daily_run; DELETE FROM wa.watch WHERE relation = 'public.no_such_table';
	 UPDATE wa.scenario SET template_key = key WHERE key = 'status_update'");

# Every sentence of the catalogue that is kept, as the detail of a message; and
# every reason.
my %sample;		# id => [English, key, values] or [undef, reason]
my $id = 1000000;

foreach my $file (glob("$src/text/words_{ledger,compose,provider,meta}.def"))
{
	my $catalogue = slurp_file($file);

	while ($catalogue =~ /^SAY\((\w+), (\d),\n\t"((?:\\.|[^"\\])*)",\n/mg)
	{
		my ($key, $n, $form) = ($1, $2, $3);

		$form =~ s/\\(["\\])/$1/g;
		$form =~ s/\{(\d)\}/Zx$1/g;
		$sample{ ++$id } = [ $form, lc $key, $n ];
	}
}
cmp_ok(scalar keys %sample, '>', 300, 'the catalogue has sentences');
$sample{ ++$id } = [ undef, lc $_ ] foreach slurp_file("$src/text/words_reasons.def") =~ /^REASON\((\w+),/mg;

# That each reason code has words, once, is seen to by the compiler; so has each
# that is documented.
my %times;
$times{ lc $_ }++ foreach slurp_file("$src/text/words_reasons.def") =~ /^REASON\((\w+),/mg;
my ($states) = slurp_file("$src/../docs/reference.md") =~ /^## States and reasons\n(.*?)^Events that made/ms;
my (%documented, $state);
foreach my $line (split /\n/, $states)
{
	my (undef, $first, $second) = split / *\| */, $line;

	$state = $first if ($first // '') =~ /^`/;
	$documented{"$state $_"}++ foreach ($second // '') =~ /`([a-z_]+)`/g;
}
cmp_ok(scalar keys %documented, '>', 30, 'the reasons are found in docs/reference.md');
is(join(', ', grep { $documented{$_} > 1 } sort keys %documented), '', 'docs/reference.md tells each reason of a state once');
is(join(', ', grep { !$times{ s/.* //r } } sort keys %documented), '', 'each of them has words');
is(join(', ', grep { my $code = $_; !grep { / \Q$code\E$/ } keys %documented } sort keys %times), '',
	'and each that has words is in docs/reference.md');

sub said { return "{\"say\": \"$_[0]\", \"of\": [" . join(', ', map { "\"Zx$_\"" } 1 .. $_[1]) . ']}'; }

$node->safe_psql('odoo', join '', map
	{
		my ($text, $key, $n) = @{ $sample{$_} };

		"INSERT INTO wa.message (id, template_key, number, state, reason, detail, detail_said) VALUES ($_, 'x', '6281299999999', 'failed', "
		  . (defined $text ? "NULL, \$q\$$text\$q\$, '" . said($key, $n) . "'" : "'$key', NULL, NULL") . ");\n";
	} sort keys %sample);

sub told
{
	my ($language) = @_;
	my $told = sql("SELECT wa_set('language', '$language'); SELECT what FROM wa_history('6281299999999')");

	sql("SELECT wa_set('language', NULL)");
	return map { /^(?:pesan|message) (\d+): x, 6281299999999: \w+ \(failed\), (.*)$/ ? ($1 => $2) : () } split /\n/, $told;
}

my %id = told('id');
my %en = told('en');
my @missing;
is(scalar keys %id, scalar keys %sample, 'each is told');
foreach my $sample (sort keys %sample)
{
	my ($text, $key, $n) = @{ $sample{$sample} };
	my ($told, $english_words) = map { $_ // '' } $id{$sample}, $en{$sample};

	# names of providers, with what they say themselves
	push @missing, "$key: $told" if $told =~ $english || ($told eq $english_words && $told !~ /^[^a-z]*(?:Zx\d[^a-z]*)+$|^Zx1 \(Fonnte: Zx2\)\.$/);
	next unless defined $text;
	push @missing, "$key in English: $english_words" if $english_words ne $text;
	push @missing, "$key: values: $told" if join(' ', sort $told =~ /Zx\d+/g) ne join(' ', sort $text =~ /Zx\d+/g);
}
is(join("\n", @missing), '', 'every sentence and reason is told in both languages');
sql("DELETE FROM wa.message WHERE number = '6281299999999'");

# One within another, several in a row, and what others have said.
my $route = 'fonnte: first usable gateway by sequence; not meta: its base_url may not be used: https://graph.facebook.com:443 is not among'
  . ' the allowed hosts for meta (setting sicantik_wa.allowed_hosts); mode test: sent to test_number';
my $route_said = '[{"say": "route_by", "of": ["fonnte", {"say": "route_first_gateway"}]},'
  . ' {"say": "not_this_provider", "of": ["meta", {"say": "base_url_not_allowed", "of": [{"say": "not_among_allowed_hosts_for", "of": ["https", "graph.facebook.com", "443", "meta"]}]}]},'
  . ' {"say": "sent_to_test_number"}]';
my $names = 'the contact is called "Budi; is empty", the applicant "Not active": is it the same person?';
my $names_said = '{"say": "names_differ", "of": ["Budi; is empty", "Not active"]}';
my $names_told = 'kontak bernama "Budi; is empty", pemohon bernama "Not active": apakah orangnya sama?';
foreach my $case (
	[ $route, $route_said, 'fonnte: gateway pertama yang dapat dipakai menurut urutan; bukan meta: base_url tidak boleh dipakai:'
		  . ' https://graph.facebook.com:443 tidak termasuk host yang diizinkan untuk meta (pengaturan sicantik_wa.allowed_hosts);'
		  . ' mode test: dikirim ke test_number', 'a route' ],
	[ $names, $names_said, $names_told, 'names that look like sentences' ],
	[ 'no longer true: status is empty, the message says active', '{"say": "untrue_value", "of": ["status", {"say": "empty"}, "active"]}',
		'tidak berlaku lagi: status sekarang kosong, sedangkan pesan menyebut active', 'a value that is a sentence' ],
	[ "so I said; $names", "[\"so I said\", $names_said]", "so I said; $names_told", 'what somebody else said, in front' ],
	# the words are what counts
	[ 'somebody has written this', $names_said, 'somebody has written this', 'words that were changed' ],
	[ $names, undef, $names, 'words alone' ],
	[ $names, '{"say": "not_of_this_version", "of": ["a"]}', $names, 'a key that nobody knows' ],
	[ $names, '{"say": "names_differ", "of": ["Budi"]}', $names, 'a value too few' ],
	[ $names, '{"say": "names_differ", "of": "Budi"}', $names, 'no values' ],
	[ $names, '{"say": "names_differ", "of": [1, null]}', $names, 'other values' ],
	[ $names, '{"say": ["names_differ"]}', $names, 'no key' ],
	[ $names, '[[[[]]]]', $names, 'lists of lists' ],
	[ $names, '"x"', $names, 'a text' ],
	[ $names, 'null', $names, 'null' ],
	[ 'x' x 5000, '[' x 2000 . ']' x 2000, 'x' x 5000, 'a deep nest' ])
{
	my ($text, $said, $told, $name) = @$case;

	$node->safe_psql('odoo', "INSERT INTO wa.message (id, template_key, number, state, detail, detail_said) VALUES (1, 'x', '6281299999999', 'failed', \$q\$$text\$q\$, "
		  . (defined $said ? "\$q\$$said\$q\$" : 'NULL') . ")");
	is(sql("SELECT what FROM wa_why(1) WHERE what LIKE 'sebab: %'"), "sebab: $told", $name);
	sql("DELETE FROM wa.message WHERE id = 1");
}

# The ledger itself stays English, and the office may read English.
sql("UPDATE wa.provider SET state = 'draft', active = name = 'fonnte', last_error = NULL; SELECT wa_test_connection('fonnte')");
no_pacing($node, 'odoo');
my $silent = sql("SELECT wa_send('permit_ready', 14, permit_id => 2)");
$sim->fault({ provider => 'fonnte', kind => 'status', status => 500, times => 1 });
my $sent = sql("SELECT wa_send_text('0812-0000-0010', 'Halo')");
wait_sql($node, 'odoo', "SELECT attempts >= 1 AND state <> 'sending' FROM wa.message WHERE id = $sent");
my $told = sql("SELECT what FROM wa_why($silent) UNION ALL SELECT what FROM wa_why($sent)");
unlike($told, $english, 'two real stories in Indonesian');
like($told, qr/^sebab: kontak tidak mempunyai nomor .*: tidak ada nomor yang dapat dipakai di whatsapp_number \(kosong\)/m, 'a number that is missing');
like($told, qr/^rute: fonnte: gateway pertama/m, 'the route');
like($told, qr/^percobaan 1 lewat fonnte: .* \(\w+\), HTTP 500/m, 'an attempt');

# A message in doubt: what happened, what comes next, and what one can do.
$sim->fault({ provider => 'fonnte', kind => 'cut_after_read', times => 1 });
my $doubt = sql("SELECT wa_set('unknown_wait', '1 day'); SELECT wa_send_text('0812-0000-0011', 'Halo')") =~ s/.*\n//sr;
wait_state($node, 'odoo', $doubt, 'unknown');
$told = sql("SELECT what FROM wa_why($doubt)");
unlike($told, $english, 'a message in doubt in Indonesian');
like($told, qr/^percobaan 1 lewat fonnte: .*\(unknown\).*: sambungan terputus sebelum ada jawaban$/m, 'why nobody knows');
like($told, qr/^bila sampai waktu ini belum ada kabar .*: dikirim sekali lagi$/m, 'what comes next');
like($told, qr/^yang dapat dilakukan: .* wa_cancel\($doubt\)/m, 'what one can do');
like(sql("SELECT detail FROM wa.message WHERE id = $silent"), qr/^no usable number in whatsapp_number \(empty\)/, 'the ledger keeps the English sentence');
sql("SELECT wa_set('language', 'en')");
like(sql("SELECT what FROM wa_why($silent)"), qr/no usable number in whatsapp_number \(empty\)/, 'which is shown when the office reads English');

$node->stop;
$sim->stop;
done_testing();

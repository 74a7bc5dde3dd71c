# What people read comes in the language of the office: every sentence that the
# sources can store in the ledger has its Indonesian form.
# The sentences are read from the sources, so a new one without it fails here:
# add a line to src/words/phrase_*.c (or to the list of what nobody is shown).

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Sentences;
use SicantikWa::Test;

my $src = dirname(__FILE__) . '/../../src';

# Words that no Indonesian sentence has.
my $words = join '|', map { ($_, ucfirst) } qw(the is are was were not of and to has have had
  with from it its this that by or may be will can cannot could does did which when than only
  before after until because must another without);
my $english = qr/(?<![\w.'-])(?:$words)(?![\w-])/;

# Literals of several words that the ledger does not show in words of ours.
my %not_shown = map { $_ => 1 } (
	# names of records
	'sicantik_permit %s (%s)', 'sicantik_document %s (%s)', 'res_partner %s (%s)', 'approver group %s', '%s:no contact',
	'(bigint, jsonb, jsonb)',
	# facts that a message was made from, to be compared
	'no contacts', 'the group is known',
	# texts for citizens and staff, Indonesian already
	'%s jam', '%s hari', '%s tahun', '%s bulan',
	'[UJI COBA] Pesan percobaan dari SICANTIK, %s. Tidak perlu dibalas.',
	# the note of a daily run, in wa.daily_run
	'by hand: %s', '%s queued', '%s, %s held', '%s, %s skipped', '%s, %s not made: muted until %s',
	# errors of calls and of the start of the HTTP engine
	'none yet, see wa_setup()', 'could not initialize libcurl', 'could not set up libcurl: %s',
	'could not open a descriptor for HTTP: %s', 'could not watch a timer for HTTP: %s',
	'(built-in default)',
	# errors and warnings of wa_set_template() and wa_map_template()
	'Such names have lower-case letters, digits and "_" only.',
	'it begins with a variable (error 2388299)', 'it ends with a variable (error 2388299)',
	'two variables stand side by side', 'it is longer than 1024 characters',
	'it has too many variables for the length of its text (error 2388293)',
	'the name of a variable is longer than 20 characters, which the named format does not allow',
	# a policy, and the causes that alerts are counted by
	'give up', 'http %s', 'template %s',
	# a line of a request
	'Accept-Encoding: identity',
	# where PostgreSQL has a setting from (pg_settings.source)
	'configuration file', 'command line', 'environment variable',
	# answers of wa_arm() and wa_disarm()
	'database %s sends now (mode live)', 'mode observe: only messages by hand go out',
	'%s; messages that wait now: %s. Each is skipped (reason observe) when its turn comes.'
	  . " After wa_arm(), SELECT wa_retry(reason => 'observe') brings back those still within their time-to-live."
	  . ' To stop for a while and lose nothing: SELECT wa_pause(), then SELECT wa_resume()',
	# the same in both languages
	'%s (Fonnte: %s).',
	# the name of a scenario
	'Dokumen Baru untuk Tandatangan',
	# Fonnte's own word for a reason
	'JSON format invalid');

# Where errors become the reason of a dead letter.
my $composing = qr{/compose/(?:draft|own|own_call|json_values)\.c$};

sub shown_as
{
	my ($text) = @_;
	my $n = 0;

	# parts of a sentence, as they stand in one
	$text =~ s/^; //;
	$text = "%s$text" if $text =~ /^[ ,]/;
	$text = "$text%s" if $text =~ / $/;
	# several values in a row: details that may be missing
	$text =~ s/%s(?:%s)+/%s/g;
	$text =~ s/(?<=[\w).])%s//g;
	$text =~ s/%s/'Zx' . ++$n/ge;
	return $text;
}

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
sql("UPDATE wa.template SET active = false WHERE key = 'reminder';
	 UPDATE wa.scenario SET template_key = 'nonsense' WHERE key = 'status_update';
	 UPDATE wa.provider SET state = 'error', probe_at = now() + interval '1 hour', last_error = 'The quota of the Fonnte device is used up (Fonnte: insufficient quota).' WHERE name = 'fonnte';
	 UPDATE wa.provider SET active = true WHERE name = 'meta';
	 UPDATE ir_module_module SET state = 'installed' WHERE name = 'sicantik_whatsapp';
	 INSERT INTO ir_module_module (name, state) VALUES ('sicantik_notification_automation', 'installed');
	 INSERT INTO ir_config_parameter (key, value) VALUES ('sicantik_whatsapp.default_provider_id', '1');
	 INSERT INTO ir_cron (ir_actions_server_id, user_id, interval_number, interval_type, cron_name, active, nextcall)
	 VALUES (160, 1, 1, 'days', 'SICANTIK: Check Expiring Permits', true, now());
	 INSERT INTO wa.message (template_key, state, reason) VALUES ('permit_ready', 'held', 'bulk'), ('permit_ready', 'failed', 'recipient');
	 INSERT INTO wa.dead_letter (event_id, relation, columns, new, event_at, error)
	 VALUES (1, 'public.sicantik_permit', '{}', '{}', now(), 'template \"x\" of scenario \"y\" does not exist or is not active');
	 INSERT INTO wa.daily_run (scenario, day, error) VALUES ('permit_expiry_warning', '2026-11-01', 'template \"x\" of scenario \"y\" does not exist or is not active');
	 INSERT INTO wa.watch (relation, owner, columns) VALUES ('public.no_such_table', 'postgres', '{id}')");
my $amiss = doctor('with everything amiss');
like($amiss, qr/provider fonnte: Kuota perangkat Fonnte habis \(Fonnte: insufficient quota\)\.; perbaiki: diuji lagi pada [\d-]+ [\d:]+, atau sekarang dengan SELECT \* FROM wa_test_connection\('fonnte'\)/,
	'the error of a provider and what to do about it');
like($amiss, qr/log: messages held: 1, sebab: terlalu banyak pesan .* \(bulk\); yang terakhir: .*; periksa dulu, lalu SELECT wa_release\(reason => 'bulk'\) atau SELECT wa_cancel\(reason => 'bulk'\)/, 'held messages');
like($amiss, qr/karena: template "x" dari skenario "y" tidak ada atau tidak aktif; perbaiki/, 'the error of a dead letter');
like($amiss, qr/log: calendar: skenario permit_expiry_warning gagal pada 2026-11-01: template "x" dari skenario "y" tidak ada atau tidak aktif; perbaiki/, 'a daily run that failed');
sql("DELETE FROM wa.message; DELETE FROM wa.dead_letter; DELETE FROM wa.daily_run; DELETE FROM wa.watch WHERE relation = 'public.no_such_table';
	 UPDATE wa.scenario SET template_key = key WHERE key = 'status_update'");

# Every sentence of the sources as the detail of a message.
my %sample;		# id => [text, where]
my %seen;
my @rows;
my $id = 1000000;

foreach my $file (glob("$src/compose/*.c $src/odoo/*.c $src/route/*.c"
	  . " $src/queue/state.h $src/queue/*.c $src/deliver/*.c $src/feedback/*.c $src/gateway/*.c $src/text/link.c $src/{identity/identity,worker/failover,admin/arm}.c"))
{
	my %codes = $file =~ m{/gateway/} ? () : reasons_in($file);

	next if $file =~ m{/queue/state\.c$};	# speaks in docs/architecture.md
	next if $file =~ m{/queue/operator\.c$};	# notices of calls, English like all errors
	foreach my $found (sentences_in($file, errors => scalar($file =~ $composing)),
		map { { text => $_, line => 0 } } grep { $codes{$_} eq 'outcome' } sort keys %codes)
	{
		my $text = $found->{text};

		next if $not_shown{$text} || $seen{$text}++;
		next if $text =~ /\{\{/;	# the text of a scenario's messages
		next if $file =~ /fonnte_reasons/ && $text =~ /^[a-z]/;	# Fonnte's own words
		$sample{ ++$id } = [ shown_as($text), "$file:$found->{line}", undef ];
	}
	foreach my $code (grep { $codes{$_} eq 'reason' } sort keys %codes)
	{
		next if $seen{"reason $code"}++;
		$sample{ ++$id } = [ undef, $file, $code ];
	}
}

# What gateways and links say is a key of the catalogue, but the ledger keeps its words.
foreach my $file (glob("$src/text/words_{ledger,provider,meta}.def"))
{
	my $catalogue = slurp_file($file);

	while ($catalogue =~ /^SAY\((\w+), \d,\n\t"((?:\\.|[^"\\])*)",\n/mg)
	{
		my $key = $1;
		my $text = $2 =~ s/\{\d\}/%s/gr =~ s/\\(["\\])/$1/gr;

		next if $not_shown{$text} || $key =~ /^(?:WITH_DETAILS|ROUTE_BY)$/ || $seen{$text}++;
		$sample{ ++$id } = [ shown_as($text), "$file: $key", undef ];
	}
}
cmp_ok(scalar keys %sample, '>', 300, 'the sentences are found in the sources');

# That each reason code has words, once, is seen to by the compiler; so has each
# that is documented.
my %times;
$times{ lc $_ }++ foreach slurp_file("$src/text/words_reasons.def") =~ /^REASON\((\w+),/mg;
my ($states) = slurp_file("$src/../docs/reference.md") =~ /^## States and reasons\n(.*?)^## /ms;
my (%documented, $state);
foreach my $line (split /\n/, $states =~ s/\n`delivered` and.*//sr)
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

$node->safe_psql('odoo', join '', map
	{
		my ($text, undef, $code) = @{ $sample{$_} };

		"INSERT INTO wa.message (id, template_key, number, state, reason, detail) VALUES ($_, 'x', '6281299999999', 'failed', "
		  . (defined $code ? "'$code', NULL" : "NULL, \$q\$$text\$q\$") . ");\n";
	} sort keys %sample);

my %shown;
foreach my $line (split /\n/, sql("SELECT what FROM wa_history('6281299999999')"))
{
	$shown{$1} = $2 if $line =~ /^pesan (\d+): x, 6281299999999: gagal \(failed\), (.*)$/;
}
is(scalar keys %shown, scalar keys %sample, 'each is told');
my @missing;
foreach my $sample (sort keys %sample)
{
	my ($text, $where, $code) = @{ $sample{$sample} };
	my $told = $shown{$sample} // '';

	if (defined $code)
	{
		push @missing, "$where: reason $code" if $told eq $code || $told =~ $english;
	}
	elsif ($told eq $text || $told =~ $english)
	{
		push @missing, "$where: $text ... $told";
	}
	elsif (join(' ', sort $told =~ /Zx\d+/g) ne join(' ', sort $text =~ /Zx\d+/g))
	{
		push @missing, "$where: values of $text ... $told";
	}
}
is(join("\n", @missing), '', 'every sentence and reason code has its Indonesian form');

# Several parts, parts within parts, quoted words.
my %composed = (
	'fonnte: first usable gateway by sequence; not meta: no opt-in, and no message from the person within 24 hours; not watzap: credential file "key" cannot be read: sicantik_wa.secrets_directory is not set; mode test: sent to test_number' =>
	  'fonnte: gateway pertama yang dapat dipakai menurut urutan; bukan meta: orang ini belum memberi persetujuan, dan tidak menulis dalam 24 jam terakhir; bukan watzap: berkas kredensial "key" tidak dapat dibaca: sicantik_wa.secrets_directory belum diisi; mode test: dikirim ke test_number',
	'fonnte: first usable gateway by sequence; not meta: its base_url may not be used: https://graph.facebook.com:443 is not among the allowed hosts for meta (setting sicantik_wa.allowed_hosts)' =>
	  'fonnte: gateway pertama yang dapat dipakai menurut urutan; bukan meta: base_url tidak boleh dipakai: https://graph.facebook.com:443 tidak termasuk host yang diizinkan untuk meta (pengaturan sicantik_wa.allowed_hosts)',
	'meta: official provider for this person, inside the 24-hour window; not fonnte: not active' =>
	  'meta: penyedia resmi untuk orang ini, dalam jendela 24 jam; bukan fonnte: tidak aktif',
	'no usable number in whatsapp_number (empty), mobile (not a mobile number), phone (empty)' =>
	  'tidak ada nomor yang dapat dipakai di whatsapp_number (kosong), mobile (bukan nomor ponsel), phone (kosong)',
	'the contact is called "Budi; is empty", the applicant "Not active": is it the same person?' =>
	  'kontak bernama "Budi; is empty", pemohon bernama "Not active": apakah orangnya sama?',
	q{Meta refused the request with an unknown error (Meta's error 4711: Go away; now. (really)).} =>
	  'Meta menolak permintaan dengan kesalahan tak dikenal (kesalahan Meta 4711: Go away; now. (really)).',
	'the request was not sent: Could not connect to server' =>
	  'permintaan tidak sempat dikirim: Could not connect to server',
	'no longer true: status is empty, the message says active' =>
	  'tidak berlaku lagi: status sekarang kosong, sedangkan pesan menyebut active',
	'something that a function of the office said; and more' =>
	  'something that a function of the office said; and more',
	': ' x 1500 => ': ' x 1500,
	'; ' x 1500 => '; ' x 1500,
	'a' x 5000 => 'a' x 5000);
sql("DELETE FROM wa.message WHERE number = '6281299999999'");
foreach my $text (sort keys %composed)
{
	my $quoted = $text =~ s/'/''/gr;

	sql("INSERT INTO wa.message (id, template_key, number, state, detail) VALUES (1, 'x', '6281299999999', 'failed', '$quoted')");
	is(sql("SELECT what FROM wa_why(1) WHERE what LIKE 'sebab: %'"), "sebab: $composed{$text}",
		'composed: ' . substr($text, 0, 60));
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

# wa_report(): one page that stands alone, with the figures of the ledger, in the
# office's language, and nothing of a person in it, whatever a scenario is called.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use SicantikWa::Test;

my $node = new_cluster('main');

sub sql { return $node->safe_psql('odoo', $_[0]); }

# The rows of the table below a heading, cells joined by "|", as an XML parser
# reads them: a page that is not well-formed has none.
my $parse = <<'PYTHON';
import sys, xml.etree.ElementTree as ET
page = ET.fromstring(sys.stdin.read().replace('<!DOCTYPE html>', '', 1))
wanted = sys.argv[1]
def words(e): return ' '.join(''.join(e.itertext()).split())
for section in page.iter('section'):
    heading = section.find('h2')
    if heading is not None and words(heading).startswith(wanted):
        for row in section.iter('tr'):
            cells = [words(c) for c in row if c.tag == 'td']
            if cells: print('|'.join(cells))
for tile in page.iter('div'):
    if tile.get('class') == 'tile' and wanted == 'tiles': print('|'.join(words(c) for c in tile))
if wanted == 'order': print(' '.join(e.get('class') or e.get('id') for e in page.iter() if e.tag in ('aside', 'p', 'div', 'section')
    and ((e.get('class') or e.get('id') or '').split() or [''])[0] in ('lead', 'now', 'tiles', 'untold', 'pair', 'attention')))
if wanted == 'now':
    for aside in page.iter('aside'):
        for e in aside.iter():
            if e.tag in ('li', 'a') or e.tag == 'b' and e in list(aside): print(words(e))
if wanted.startswith('bars of '):
    for section in page.iter('section'):
        heading = section.find('h2')
        if heading is None or not words(heading).startswith(wanted[8:]): continue
        for row in section.iter('tr'):
            for bar in row.iter('svg'):
                print('|'.join([words(row.find('td')), bar.get('aria-label')] + [f"{r.get('width')} {r.get('fill') or 'plain'}" for r in bar.iter('rect')]))
if wanted == 'untold': print('\n'.join(words(p) for p in page.iter('p') if p.get('class') == 'untold'))
if wanted.startswith('text of '):
    for section in page.iter('section'):
        heading = section.find('h2')
        if heading is not None and words(heading).startswith(wanted[8:]): print(words(section))
if wanted.startswith('heads of '):
    for section in page.iter('section'):
        heading = section.find('h2')
        if heading is not None and words(heading).startswith(wanted[9:]): print('\n'.join(words(e) for e in section.iter('th')))
if wanted == 'lead': print('\n'.join(words(p) for p in page.iter('p') if p.get('class') == 'lead'))
PYTHON

sub rows
{
	my ($page, $wanted) = @_;
	my ($out, $err);

	IPC::Run::run([ 'python3', '-c', $parse, $wanted ], '<', \$page, '>', \$out, '2>', \$err) or diag($err);
	return split /\n/, $out;
}

sub stands_alone
{
	my ($page, $what) = @_;

	unlike($page, qr/<script|<link|<img|\bsrc=|\bhref="(?!#)|\@import|url\((?!#)|https?:|\bon\w+=/i, "$what: it loads nothing and runs nothing");
	is((grep { /./ } $page =~ /628110/) ? 'a number' : '', '', "$what: no number is in it");
}

load_odoo($node, 'odoo');
sql('CREATE EXTENSION sicantik_wa; SELECT count(*) FROM wa_setup()');
sql("SELECT wa_set('language', 'en')");

my $page = sql("SELECT wa_report('2026-11-01', '2026-11-30')");
like((rows($page, 'lead'))[0], qr/^No message was made/, 'an empty ledger');
is(scalar(rows($page, 'tiles')), 4, 'has its four figures');
stands_alone($page, 'empty');

# November, and as many days of October before it.

sql(q{INSERT INTO wa.message (scenario, provider, state, reason, number, body, created_at, event_at, sent_at, delivered_at, read_at, pricing)
	SELECT CASE g % 3 WHEN 0 THEN '<b>&"x' WHEN 1 THEN 'permit_ready' END, CASE g % 2 WHEN 0 THEN 'meta' ELSE 'fonnte' END,
	CASE WHEN g % 10 = 0 THEN 'failed' WHEN g % 10 = 1 THEN 'held' WHEN g % 10 < 6 THEN 'delivered' ELSE 'sent' END,
	CASE WHEN g % 10 = 0 THEN 'recipient' WHEN g % 10 = 1 THEN 'bulk' END, '628110' || g, 'Yth. Budi', t, t,
	CASE WHEN g % 10 > 1 THEN t + interval '4 s' END, CASE WHEN g % 10 BETWEEN 2 AND 5 THEN t + interval '9 s' END, NULL,
	CASE WHEN g % 10 = 2 THEN '{"category": "utility", "type": "regular", "billable": true}'::jsonb END
	FROM generate_series(1, 2400) AS g, LATERAL (SELECT timestamptz '2026-11-01 08:00+07' + (g % 30) * interval '1 day' - CASE WHEN g > 1600 THEN interval '30 days' ELSE interval '0' END) AS x (t)});
my $within = "created_at AT TIME ZONE 'Asia/Jakarta' BETWEEN '2026-11-01' AND '2026-11-30 23:59'";
$page = sql("SELECT wa_report('2026-11-01', '2026-11-30')");
stands_alone($page, 'a month');
my ($made, $sent, $arrived, $failed) = split /\|/, sql("SELECT count(*), count(sent_at), count(delivered_at), count(*) FILTER (WHERE state = 'failed') FROM wa.message WHERE $within");
my $n = sub { return scalar reverse((reverse $_[0]) =~ s/(\d{3})(?=\d)/$1,/gr); };
is_deeply([ map { (split /\|/)[1] } rows($page, 'tiles') ], [ $n->($sent), $n->($arrived), '3.8 s', $n->($failed) ], 'four figures, as the ledger has them');
like((rows($page, 'tiles'))[0], qr/^Sent\|1,280\|640 before \(\+100 %\)$/, 'and what they were before');
like((rows($page, 'lead'))[0], qr/^1,600 messages were made, 1,280 of them were sent, and 640 are known to have come to the phone\. Half .* within 3\.8 s\. Half of those that came to the phone were there within 8\.9 s\.$/, 'in words');
is_deeply([ rows($page, 'By scenario') ], [ map { my @f = split /\|/; join '|', $f[0], $n->($f[1]), $n->($f[2]), $n->($f[3]), $f[4], $f[5], $f[6], '3.8 s', '3.8 s' }
	  split /\n/, sql("SELECT coalesce(scenario, 'by hand'), count(*), count(sent_at), count(delivered_at), round(100.0 * count(delivered_at) / count(sent_at), 1) || ' %',"
			. " count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state = 'held') FROM wa.message WHERE $within GROUP BY scenario ORDER BY 2 DESC, coalesce(scenario, '') COLLATE \"C\"") ],
	'by scenario, one of which has a name of markup');
is(scalar(rows($page, 'By provider')), 2, 'by provider');
is_deeply([ map { [ split /\|/ ]->[1] } rows($page, 'What did not arrive') ], [ $n->($failed) ], 'what failed');
like((rows($page, 'What did not arrive'))[0], qr/^failed: [^()]*\|160\|.*[a-z]{4}/, 'with its reason and what to do');
like((rows($page, 'Held'))[0], qr/\|160\|/, 'what is held');
is_deeply([ rows($page, 'Prices') ], [ 'meta|utility|regular|yes|160' ], 'prices');
is_deeply([ map { s/\|.*//r } rows($page, 'Messages by day') ], [ map { "$_ Nov" } 1 .. 30 ], 'a row for each day');
is(eval { my $sum = 0; $sum += s/.*\|//r foreach map { join '|', (split /\|/)[ 0 .. 1 ] } rows($page, 'Messages by day'); $sum }, 640, 'of which those that came to the phone are as many');
is((rows($page, 'How quickly'))[1], 'up to about 10 s|1,280', 'how quickly');
is((rows($page, 'What changed'))[0], 'Made|1,600|800|+100 %', 'against the period before');
ok((grep { /^\x{e2}/ } rows($page, 'Needs attention')) > 0, 'what needs attention');

unlike($page, qr/<rect [^>]*(?:width|height)="0(?:\.0)?"/, 'no bar is drawn of nothing');
is((rows($page, 'untold'))[0] // '', '', 'both providers have told of deliveries');
like((rows($page, 'tiles'))[1], qr/\|50\.0 % of those sent$/, 'so the rate is of all that were sent');

# Of all that can become of messages, and a provider without webhooks.

my $long = 'a_scenario_with_a_name_that_is_longer_than_a_phone_is_wide_' . 'x' x 40;
$long = substr($long, 0, 63);
sql(qq{INSERT INTO wa.message (scenario, provider, state, reason, number, body, created_at, event_at, sent_at, delivered_at)
	SELECT CASE WHEN state = 'superseded' THEN '$long' ELSE 'permit_ready' END, provider, state, reason, '628110' || g, '', t, t,
	CASE WHEN state IN ('sent', 'delivered') THEN t + interval '4 s' END, CASE WHEN state = 'delivered' THEN t + interval '9 s' END
	FROM (VALUES ('meta', 'delivered', NULL, 100), ('meta', 'sent', NULL, 20), ('fonnte', 'sent', NULL, 60), ('meta', 'failed', 'recipient', 8), (NULL, 'held', 'bulk', 4),
		(NULL, 'skipped', 'no_number', 30), (NULL, 'cancelled', 'no_longer_true', 10), ('meta', 'superseded', 'newer_status', 5), ('meta', 'unknown', 'gave_up', 1)) AS k (provider, state, reason, n),
	generate_series(1, n) AS g, (VALUES (timestamptz '2026-02-10 08:00+07')) AS x (t)});
$page = sql("SELECT wa_report('2026-02-10', '2026-02-10')");
stands_alone($page, 'a day of everything');
is_deeply([ rows($page, 'Messages by day') ], [ '10 Feb|100|80|9|4|45' ], 'the parts of a column are all that was made');
like((rows($page, 'text of Messages by day'))[0], qr/A column is all messages that were made then, by the state that they have now\..*delivered or read.*not sent, taken back, overtaken/, 'and say so');
is(scalar(() = $page =~ /<title>10 Feb, /g), 5 + 2 + 2, 'each of them is drawn, and each time');
is_deeply([ rows($page, 'Time from the change to the phone') ], [ '10 Feb|8.9 s|8.9 s' ], 'the time to the phone has its chart');
like((rows($page, 'What changed'))[-1], qr/^Time to the phone, 95 of 100\|8\.9 s\|/, 'and its last in the figures');
is((rows($page, 'untold'))[0], '60 of the 180 sent went through a provider that has reported no delivery in this period (fonnte). Of the others 83.3 % came to the phone.',
	'a provider that tells of no delivery is named');
like((rows($page, 'tiles'))[1], qr/\|100\|83\.3 % of those with reports$/, 'and is not in the rate');
is_deeply([ map { (split /\|/)[ 0, 4 ] } rows($page, 'By provider') ], [ 'meta', '83.3 %', 'fonnte', 'not reported', 'none yet', '–' ], 'nor has it one');
is_deeply([ map { (split /\|/)[4] } rows($page, 'By scenario') ], [ '83.3 %', '–' ], 'nor is it in that of a scenario');
is_deeply([ rows($page, 'bars of By provider') ],
	[ 'meta|delivered or read: 100, sent, no more is told: 20, failed, expired, unknown: 9, waiting or held: 0, not sent, taken back, overtaken: 5|119.4 plain|23.9 url(#p1)|10.7 url(#p2)|6.0 url(#p4)',
	  'fonnte|delivered or read: 0, sent, no more is told: 60, failed, expired, unknown: 0, waiting or held: 0, not sent, taken back, overtaken: 0|71.6 url(#p1)',
	  'none yet|delivered or read: 0, sent, no more is told: 0, failed, expired, unknown: 0, waiting or held: 4, not sent, taken back, overtaken: 40|4.8 url(#p3)|47.8 url(#p4)' ],
	'bars in the table, of the parts that there are, each with its pattern');
is(join(' ', grep { $page !~ /<pattern id="\Q$_\E"/ } $page =~ /url\(#(\w+)\)/g), '', 'every pattern is there');
is((rows($page, 'By scenario'))[1] =~ s/\|.*//r, $long, 'a long name stands in full');
like($page, qr/<td data-label="Half within">3\.8 s</, 'and on a phone, a row is a card whose figures have their heads');
is_deeply([ map { s/\|.*//r } rows($page, 'What did not arrive'), rows($page, 'Held or left out') ],
	[ 'failed: the provider says that this number cannot be reached', 'it is not known whether it arrived, and it is not sent again', 'not sent: the contact has no usable mobile number', 'held back: too many messages of this scenario at once' ],
	'states in words, and nothing twice');
is(scalar(() = $page =~ /<rect x="150"/g), 1, 'of how quickly, a bar where there was any');

# Each figure by the name that it has, against the rows.

sql(q{INSERT INTO wa.message (scenario, provider, state, number, body, created_at, event_at, sent_at, delivered_at, read_at)
	SELECT CASE WHEN row_number() OVER () % 2 = 0 THEN 'permit_ready' END, provider, state, '62811', '', t, t, t + sent, t + delivered, t + read
	FROM (VALUES ('meta', 'delivered', NULL::interval, interval '5 s', NULL::interval), ('meta', 'read', NULL, NULL, interval '1 h'), ('meta', 'read', '1 s', '2 s', '3 s'),
		('meta', 'failed', '1 s', NULL, NULL), ('meta', 'expired', NULL, NULL, NULL), ('fonnte', 'expired', NULL, NULL, NULL), ('fonnte', 'unknown', NULL, NULL, NULL),
		('fonnte', 'sent', '1 s', NULL, NULL), ('fonnte', 'queued', NULL, NULL, NULL), ('meta', 'sending', NULL, NULL, NULL), ('meta', 'held', NULL, NULL, NULL),
		(NULL, 'skipped', NULL, NULL, NULL), (NULL, 'cancelled', NULL, NULL, NULL), ('meta', 'superseded', NULL, '7 s', NULL)) AS k (provider, state, sent, delivered, read),
	generate_series(1, 3), (VALUES (timestamptz '2026-02-16 08:00+07')) AS x (t)});
$page = sql("SELECT wa_report('2026-02-16', '2026-02-16')");
my %of_rows = (
	'Made' => 'true', 'Sent' => "(coalesce(sent_at, delivered_at, read_at) IS NOT NULL OR state IN ('sent', 'delivered', 'read'))",
	'Came to the phone' => "(coalesce(delivered_at, read_at) IS NOT NULL OR state IN ('delivered', 'read'))", 'Read' => "(read_at IS NOT NULL OR state = 'read')",
	'Held' => "state = 'held'", 'Held for a person' => "state = 'held'", 'Waiting' => "state IN ('queued', 'sending')",
	'Left out, taken back or overtaken' => "state IN ('skipped', 'cancelled', 'superseded')",
	map { $_ => "state IN ('failed', 'expired', 'unknown')" } 'Failed, expired, unknown', 'Failed, expired or unknown');
my %of_parts = (
	'delivered or read' => "state IN ('delivered', 'read')", 'sent, no more is told' => "state = 'sent'", 'failed, expired, unknown' => "state IN ('failed', 'expired', 'unknown')",
	'waiting or held' => "state IN ('queued', 'sending', 'held')", 'not sent, taken back, overtaken' => "state IN ('skipped', 'cancelled', 'superseded')");
sub counted { return sql("SELECT count(*) FROM wa.message WHERE created_at = '2026-02-16 08:00+07' AND $_[0]"); }

foreach my $by (qw(scenario provider))
{
	my @heads = rows($page, "heads of By $by");

	foreach my $row (rows($page, "By $by"))
	{
		my @cells = split /\|/, $row;
		my $these = "coalesce($by, '" . ($by eq 'scenario' ? 'by hand' : 'none yet') . "') = '$cells[0]'";
		my @told = map { "$heads[$_]: $cells[$_]" } grep { $cells[$_] =~ /^[\d,]+$/ } 1 .. $#heads;

		is_deeply(\@told, [ map { /^(.*): /; "$1: " . counted("$these AND ($of_rows{$1})") } @told ], "by $by, $cells[0]");
		is(scalar(@told), 5, 'all of its figures');
	}
	foreach my $bar (rows($page, "bars of By $by"))
	{
		my ($name, $parts) = split /\|/, $bar;
		my $these = "coalesce($by, '" . ($by eq 'scenario' ? 'by hand' : 'none yet') . "') = '$name'";

		is($parts, join(', ', map { "$_: " . counted("$these AND $of_parts{$_}") } 'delivered or read', 'sent, no more is told', 'failed, expired, unknown', 'waiting or held', 'not sent, taken back, overtaken'),
			"the bar of $name");
	}
}
foreach my $row (grep { !/^Time/ } rows($page, 'What changed'))
{
	my ($what, $now) = split /\|/, $row;

	is($now, counted($of_rows{$what}), "what changed: $what");
}
foreach my $tile (grep { !/^Time/ } rows($page, 'tiles'))
{
	my ($what, $now) = split /\|/, $tile;

	is($now, counted($of_rows{$what}), "the figure: $what");
}
unlike($page, qr/>(?!100\.0)1\d\d\.\d %/, 'no rate is above 100 %');
like($page, qr/>permit_<wbr\/>ready</, 'a long name goes on in another line behind a "_"');
like($page, qr{<div class="end"><section>.*<footer>.*</footer></div></main>}s, 'on paper the foot stays with the last table');

sql(q{UPDATE wa.message SET pricing = '{"category": "marketing", "type": "regular", "billable": true}' WHERE created_at = '2026-02-16 08:00+07' AND provider = 'meta' AND state IN ('read', 'delivered', 'superseded')});
sql(q{UPDATE wa.message SET pricing = jsonb_build_object('category', coalesce(scenario, 'a/b'), 'type', 'x') WHERE created_at = '2026-02-16 08:00+07' AND (provider = 'fonnte' OR provider = 'meta' AND state = 'held')});
is_deeply([ map { s/\|.*//r } rows(sql("SELECT wa_report('2026-02-16', '2026-02-16')"), 'Prices') ], [qw(fonnte fonnte meta meta)], 'prices by provider');

# What needs attention is on the first screen, the most serious first.

my ($errors, $warnings) = split /\|/, sql("SELECT count(*) FILTER (WHERE state = 'error'), count(*) FILTER (WHERE state = 'warning') FROM wa_check()");
is((rows($page, 'order'))[0], 'lead now error tiles untold pair attention', 'what needs attention stands before the figures');
my @now = rows($page, 'now');
is($now[0], "Needs attention now: errors $errors, warnings $warnings", 'how much it is');
is(scalar(grep { /^\x{e2}\S* Error: \w+.* / } @now), ($errors > 3 ? 3 : $errors), 'the errors first, by a word');
is($now[-1], 'All ' . ($errors + $warnings) . ', and what to do', 'and where the rest is');
is(scalar(grep { /^\x{e2}\S* Error: / } rows($page, 'Needs attention')), $errors, 'all errors, further down');
is(scalar(grep { /^\x{e2}\S* Warning: / } rows($page, 'Needs attention')), $warnings, 'and all warnings');

# None tells of deliveries.

sql(q{INSERT INTO wa.message (provider, state, number, body, created_at, event_at, sent_at)
	SELECT 'fonnte', 'sent', '62811', '', t, t, t + interval '4 s' FROM (VALUES (timestamptz '2026-02-12 08:00+07')) AS x (t)});
$page = sql("SELECT wa_report('2026-02-12', '2026-02-12')");
like((rows($page, 'text of Time from the change to the phone'))[0], qr/^Time from the change to the phone *No provider has reported a delivery in this period\.$/, 'no chart of no deliveries');
like((rows($page, 'tiles'))[1], qr/\|not reported$/, 'and no rate');

# Other periods, and the other language.

is(scalar(rows(sql("SELECT wa_report('2026-11-03', '2026-11-03')"), 'Messages by day')), 1, 'one day');
like((rows(sql("SELECT wa_report('2026-06-01', '2026-11-30')"), 'Messages by week'))[0], qr/^1 Jun\|0/, 'half a year, by week');
is(scalar(rows(sql("SELECT wa_report('2025-01-01', '2026-12-31')"), 'Messages by month')), 24, 'two years, by month');
is((rows(sql("SELECT wa_report('2025-01-01', '2026-12-31')"), 'Messages by month'))[12] =~ s/\|.*//r, 'Jan 26', 'each of which has its year');
my $one_day = sql("SELECT wa_report('2026-11-03', '2026-11-03')");
my ($middle) = $one_day =~ /<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">3 Nov</;
my ($left, $wide) = $one_day =~ /<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="[\d.]+" style="fill:var\(--a\)"><title>/;
cmp_ok($middle, '>', 0, 'one day has its label');
cmp_ok(abs($left + $wide / 2 - $middle), '<', 0.2, 'a column stands above its day');
{
	local $ENV{PGCLIENTENCODING} = 'LATIN1';
	unlike(sql("SELECT wa_report('2026-11-01', '2026-11-30')"), qr/[^\x00-\x7f]/, 'whatever encoding the client has');
}
sql("SELECT wa_set('language', 'id')");
$page = sql("SELECT wa_report('2026-11-01', '2026-11-30')");
like($page, qr/<html lang="id">.*1 November 2026 sampai 30 November 2026/s, 'in Indonesian');
is(scalar(grep { /^\x{e2}\S* (?:Kesalahan|Peringatan): / } rows($page, 'Perlu perhatian')), $errors + $warnings, 'with its words for an error and a warning');
is((rows($page, 'Yang tidak sampai'))[0] =~ s/\|.*//r, 'gagal: menurut penyedia nomor ini tidak dapat dihubungi', 'and a state');
like((rows($page, 'tiles'))[0], qr/^Terkirim\|1\.280\|/, 'with its figures');
is(sql("SELECT wa_report() = wa_report(date_trunc('month', d)::date, d) FROM (SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date - 1) AS y (d)"), 't', 'by itself the month to yesterday');
is(sql("SELECT wa_report(d) = wa_report(d, d) FROM (SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date) AS t (d)"), 't', 'of today, to today');
is(sql("SELECT wa_report(d) = wa_report(d, d) FROM (SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date - 1) AS t (d)"), 't', 'of yesterday, to yesterday');
my ($code, $out, $err) = $node->psql('odoo', "SELECT wa_report('2026-11-02', '2026-11-01')");
like($err, qr/ERROR:  the report's first day, 2026-11-02, is after its last, 2026-11-01\nHINT:/, 'not backwards');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_report((now() AT TIME ZONE 'Asia/Jakarta')::date + 1)");
like($err, qr/ERROR:  the report's first day, [-\d]+, is after its last, [-\d]+\nDETAIL:  Without until, a report is to yesterday\.\nHINT:/, 'nor of what is to come');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_report('-infinity', 'infinity')");
like($err, qr/ERROR:  a report is of a day to ten years\nHINT:/, 'nor for ever');
sql('CREATE ROLE nobody LOGIN');
($code, $out, $err) = $node->psql('odoo', 'SELECT wa_report()', extra_params => [ '-U', 'nobody' ]);
like($err, qr/level "view"/, 'and not for everybody');

$node->stop;
done_testing();

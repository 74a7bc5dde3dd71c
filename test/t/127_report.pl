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

	unlike($page, qr/<script|<link|<img|\bsrc=|\bhref=|\@import|url\((?!#)|https?:|\bon\w+=/i, "$what: it loads nothing and runs nothing");
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
like((rows($page, 'lead'))[0], qr/^1,600 messages were made, 1,280 of them were sent, and 640 are known to have come to the phone\. Half .* within 3\.8 s\.$/, 'in words');
is_deeply([ rows($page, 'By scenario') ], [ map { my @f = split /\|/; join '|', $f[0], $n->($f[1]), $n->($f[2]), $n->($f[3]), $f[4], $f[5], $f[6], '3.8 s', '4.1 s' }
	  split /\n/, sql("SELECT coalesce(scenario, 'by hand'), count(*), count(sent_at), count(delivered_at), round(100.0 * count(delivered_at) / count(sent_at), 1) || ' %',"
			. " count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state = 'held') FROM wa.message WHERE $within GROUP BY scenario ORDER BY 2 DESC, coalesce(scenario, '') COLLATE \"C\"") ],
	'by scenario, one of which has a name of markup');
is(scalar(rows($page, 'By provider')), 2, 'by provider');
is_deeply([ map { [ split /\|/ ]->[1] } rows($page, 'What did not arrive') ], [ $n->($failed) ], 'what failed');
like((rows($page, 'What did not arrive'))[0], qr/^failed \(failed\): .*\|160\|.*[a-z]{4}/, 'with its reason and what to do');
like((rows($page, 'Held'))[0], qr/\|160\|/, 'what is held');
is_deeply([ rows($page, 'Prices') ], [ 'meta|utility|regular|true|160' ], 'prices');
is_deeply([ map { s/\|.*//r } rows($page, 'Messages by day') ], [ map { "$_ Nov" } 1 .. 30 ], 'a row for each day');
is(eval { my $sum = 0; $sum += s/.*\|//r foreach map { join '|', (split /\|/)[ 0 .. 1 ] } rows($page, 'Messages by day'); $sum }, 640, 'of which those that came to the phone are as many');
is((rows($page, 'How quickly'))[1], 'up to 10 s|1,280', 'how quickly');
is((rows($page, 'What changed'))[0], 'Made|1,600|800|+100 %', 'against the period before');
ok((grep { /^\x{e2}/ } rows($page, 'Needs attention')) > 0, 'what needs attention');

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
like((rows($page, 'tiles'))[0], qr/^Terkirim\|1\.280\|/, 'with its figures');
is(sql("SELECT wa_report() = wa_report(date_trunc('month', d)::date, d) FROM (SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date - 1) AS y (d)"), 't', 'by itself the month to yesterday');
my ($code, $out, $err) = $node->psql('odoo', "SELECT wa_report('2026-11-02', '2026-11-01')");
like($err, qr/ERROR:  a report is of a day to ten years\nHINT:/, 'not backwards');
($code, $out, $err) = $node->psql('odoo', "SELECT wa_report('-infinity', 'infinity')");
like($err, qr/ERROR:  a report is of a day to ten years\nHINT:/, 'nor for ever');
sql('CREATE ROLE nobody LOGIN');
($code, $out, $err) = $node->psql('odoo', 'SELECT wa_report()', extra_params => [ '-U', 'nobody' ]);
like($err, qr/level "view"/, 'and not for everybody');

$node->stop;
done_testing();

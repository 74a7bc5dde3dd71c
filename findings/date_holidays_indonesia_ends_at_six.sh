#!/bin/sh
#
# date-holidays 3.37.0 (npm): Indonesia's Islamic holidays begin at 18:00 of the
# day before and end at 18:00, while the others are whole days; and Isra Mikraj
# is called "Maulid Nabi Muhammad", so that a year has two of these and no Isra Mikraj.
#
# In Indonesia each is a calendar day, by the yearly decree of three ministers (for
# 2026: 1497/2025, 2/2025 and 5/2025: 16 January Isra Mikraj, 27 May Idul Adha, 25
# August Maulid).  Who asks isHoliday() whether to write to a citizen now is told no
# holiday at seven in the evening of Idul Adha, and a holiday at seven the evening
# before, when the office has been open; and who takes the list over by names writes
# the wrong one into the office's calendar.  (That Islamic dates may be a day off its
# documentation says; that Idul Fitri 2026 is one, 20 March for 21, is shown, too.)
#
# Seen with node 20.  Fails if that changes.  Needs node, npm and the npm registry.
#
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" date-holidays@3.37.0 >/dev/null

cat > asked.js <<'JS'
const Holidays = require('date-holidays');
const indonesia = new Holidays('ID');
for (const at of ['2026-05-26T19:00+07:00', '2026-05-27T09:00+07:00', '2026-05-27T19:00+07:00', '2026-08-17T19:00+07:00']) {
	const found = indonesia.isHoliday(new Date(at));
	console.log(at, found ? found.map(({ name }) => name).join(', ') : 'no holiday');
}
for (const { date, name } of indonesia.getHolidays(2026))
	if (/Maulid|Isra|Idul Fitri/.test(name))
		console.log(date.slice(0, 10), name);
JS
node asked.js | tee said

cat > expected <<'END'
2026-05-26T19:00+07:00 Hari Raya Idul Adha
2026-05-27T09:00+07:00 Hari Raya Idul Adha
2026-05-27T19:00+07:00 no holiday
2026-08-17T19:00+07:00 Hari Ulang Tahun Kemerdekaan Republik Indonesia
2026-01-16 Maulid Nabi Muhammad
2026-03-20 Hari Raya Idul Fitri
2026-03-21 Hari Raya Idul Fitri
2026-08-25 Maulid Nabi Muhammad
END
cmp said expected

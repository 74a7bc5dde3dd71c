#!/bin/bash
#
# terbilang-ts 2.1.0 (npm, numbers in Indonesian words): from one trillion to just below
# ten, the hundreds and tens of billions are left out.  1,500,000,000,000 is "Satu Triliun".
#
# One would expect "Satu Triliun Lima Ratus Milyar".  Below one trillion and from ten on it
# is right; between them the code (index.ts) takes ten billion for one trillion, both to
# divide by and for what is left over, of which the first digit is said and the next two
# are not.  No error is raised, and the result is a good number in words, only another one.
# And 0 becomes "".
#
# A permit names the investment ("nilai investasi") in digits and in words: 9.9 trillion is
# granted as nine, and nobody knows which of the two holds.  A receipt for a fee of nothing
# reads "Terbilang:  rupiah".
#
# Seen: numbers around the limits, and each ninth from 1,009 to 9,991 billion, compared with
# its two halves put together.  Fails if that changes.  Needs node, npm and the npm registry.
#
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" terbilang-ts@2.1.0 >/dev/null

cat > words.js <<'JS'
const words = require('terbilang-ts').default;

const billion = 1e9;
for (const number of [0, 999 * billion, 1000 * billion, 1005 * billion, 1500 * billion, 9900 * billion, 10500 * billion])
	console.log(`${number}: "${words(number)}"`);

let right = 0, wrong = 0;
for (let n = 1009; n < 10000; n += 9) {
	const rest = n % 1000;
	const good = `${words(Math.floor(n / 1000))} Triliun${rest ? ` ${words(rest * billion)}` : ''}`;
	if (words(n * billion) === good) right++; else wrong++;
}
console.log(`between 1 and 10 trillion: ${right} right, ${wrong} wrong`);
JS

echo "terbilang-ts $(node -p 'require("./node_modules/terbilang-ts/package.json").version'), node $(node --version)"
answer=$(node words.js)
echo "$answer"
[ "$answer" = '0: ""
999000000000: "Sembilan Ratus Sembilan Puluh Sembilan Milyar"
1000000000000: "Satu Triliun"
1005000000000: "Satu Triliun Lima Milyar"
1500000000000: "Satu Triliun"
9900000000000: "Sembilan Triliun"
10500000000000: "Sepuluh Triliun Lima Ratus Milyar"
between 1 and 10 trillion: 9 right, 990 wrong' ]

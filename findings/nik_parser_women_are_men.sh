#!/bin/bash
#
# nik-parser 1.0.1 (npm): kelamin(), the sex that a NIK (the number of an Indonesian
# identity card) tells, is "pria" (man) for every woman, and lahir(), the birthday,
# is forty days late for every woman.
#
# In a NIK, digits 7 to 12 are the day of birth, and for women 40 is added to the
# day: 46-06-97 is a woman born on 6 June 1997.  Its documentation promises both
# values, and the code does ask whether the day is above 40, but of a Date made of
# 46 June, which JavaScript takes for 16 July.  So the day is never above 31.
# isValid() says true.
#
# And the year has two digits, which Date() takes for 19xx: who was born in 2004
# was born in 1904.
#
# An office that writes "Yth. Bapak" or "Yth. Ibu" by it calls all women Bapak, and
# one that compares the birthday with what the applicant typed refuses all women
# and everybody born since 2000.  Read digits 7 and 8 yourself.
#
# The numbers below are of nobody: the last four digits, 0000, are not given out.
# Fails if that changes.  Needs node 20 or newer, npm, and the npm registry.
#
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" nik-parser@1.0.1 >/dev/null

cat > read.js <<'JS'
const { nikParser } = require('nik-parser');

const people = [
	['man,   6 June 1997', '3204110606970000'],
	['woman, 6 June 1997', '3204114606970000'],
	['woman, 28 February 1990', '3204116802900000'],
	['man,   6 June 2004', '3204110606040000']
];
const two = (number) => String(number).padStart(2, '0');
for (const [who, nik] of people) {
	const read = nikParser(nik);
	const born = read.lahir();
	const day = `${born.getFullYear()}-${two(born.getMonth() + 1)}-${two(born.getDate())}`;
	console.log(`${who}: valid ${read.isValid()}, ${read.kelamin()}, ${day}`);
}

let women = 0;
for (let day = 41; day <= 71; day++)
	for (let month = 1; month <= 12; month++)
		if (nikParser(`320411${day}${two(month)}970000`).kelamin() === 'wanita') women++;
console.log(`women among all birthdays of women: ${women}`);
JS

echo "nik-parser $(node -p 'require("./node_modules/nik-parser/package.json").version'), node $(node --version)"
answer=$(node read.js)
echo "$answer"
[ "$answer" = 'man,   6 June 1997: valid true, pria, 1997-06-06
woman, 6 June 1997: valid true, pria, 1997-07-16
woman, 28 February 1990: valid true, pria, 1990-04-09
man,   6 June 2004: valid true, pria, 1904-06-06
women among all birthdays of women: 0' ]

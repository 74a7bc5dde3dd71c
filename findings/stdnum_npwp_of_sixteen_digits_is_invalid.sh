#!/bin/bash
#
# stdnum 1.12.0 (npm, "Standard Number Validation"): every NPWP (the number of an Indonesian
# tax payer) in the form that has been in force since July 2022 is invalid, and of the form
# before it all those whose first two digits are not in a list of 31, as "03", which
# is a company.
#
# One would expect both to be valid.  By the regulation 112/PMK.03/2022 a person who lives
# in Indonesia has the NIK of the identity card for an NPWP, and everybody else the old number
# with a 0 in front: 16 digits.  The library says "InvalidLength" to whatever has not 15.
# Of the old form it names Business::ID::NPWP as a source, where the first digit may be any
# and the second tells companies (1 to 3) from persons; the library has a list of both
# digits instead, without 03 and without 12, and says "InvalidComponent".
#
# An office's form asks the applicant for the NPWP.  With such a check it refuses persons and
# companies who type what stands on their card, and cannot know what is wrong with it; it
# takes those who still have the old card, so that what is compared with the tax office's
# numbers later has another form.
#
# Take 16 digits as they are: of those that begin with 0 check the Luhn digit behind it
# (digits 2 to 10), of the others the date in the NIK.
#
# The numbers below are of nobody: a row of zeros, with the check digit that belongs to it.
# Fails if that changes.  Needs node, npm and the npm registry.
#
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" stdnum@1.12.0 >/dev/null

cat > valid.js <<'JS'
const { npwp } = require('stdnum').stdnum.ID;

// the check digit behind eight digits, after Luhn
const checked = (digits) => {
	let sum = 0;
	for (let i = 0; i < digits.length; i++) {
		const n = Number(digits[i]) * (i % 2 + 1);
		sum += n > 9 ? n - 9 : n;
	}
	return digits + (10 - sum % 10) % 10;
};
const old = (type) => `${checked(`${type}000000`)}000000`;
const told = (number) => {
	const { isValid, error } = npwp.validate(number);
	return isValid ? 'valid' : error.name;
};

for (const [what, number] of [
	['company, 15 digits, 01', old('01')],
	['company, 15 digits, 02', old('02')],
	['company, 15 digits, 03', old('03')],
	['person, 15 digits, 09', old('09')],
	['company, 16 digits, 01', `0${old('01')}`],
	['person, 16 digits, a NIK', '3171010101900000']
]) console.log(`${what}: ${told(number)}`);

const types = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'));
console.log(`of 100 beginnings, valid: ${types.filter((type) => npwp.validate(old(type)).isValid).length}`);
JS

echo "stdnum $(node -p 'require("./node_modules/stdnum/package.json").version'), node $(node --version)"
answer=$(node valid.js)
echo "$answer"
[ "$answer" = 'company, 15 digits, 01: valid
company, 15 digits, 02: valid
company, 15 digits, 03: InvalidComponent
person, 15 digits, 09: valid
company, 16 digits, 01: InvalidLength
person, 16 digits, a NIK: InvalidLength
of 100 beginnings, valid: 31' ]

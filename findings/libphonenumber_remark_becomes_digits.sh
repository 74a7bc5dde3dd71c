#!/bin/sh
#
# google-libphonenumber 3.2.47 (npm): what people write behind an Indonesian
# mobile number becomes part of it, and the result is "valid" and "mobile".
# "0811-000-123 (Ibu)", his mother's, is read as +62811000123428, letters as on a
# keypad; "0811-0001-234 (2)" and "0811-0001-234/5" (two numbers with a common
# beginning) get a digit more.  libphonenumber-js 1.13.16 leaves letters alone
# and does the same with the other two.
#
# One would expect the number without the remark, or isValidNumber() to say no.
# Where all numbers of a country have one length, it does: they are too long.  In
# Indonesia a mobile number has ten to thirteen digits, so one to three more fit,
# and the library that is asked to keep wrong numbers out makes a right one of
# them: a stranger's.
#
# Odoo does the same: the phone_format() of odoo-19 (Debian, 19.0.0, with
# python3-phonenumbers 8.12.57) gives the same three numbers.  phone_sanitized is
# made by it, and the form of a contact replaces what was typed by it.  Who sends
# to such a field tells a stranger about a citizen's permit.  Cut at brackets,
# letters and slashes before parsing, and where both are there, believe phone
# before phone_sanitized.
#
# Fails if that changes.  Needs node 20 or newer, npm, and the npm registry.
#
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$dir" \
	google-libphonenumber@3.2.47 libphonenumber-js@1.13.16 >/dev/null

cat > read.js <<'JS'
const { PhoneNumberUtil, PhoneNumberFormat, PhoneNumberType } = require('google-libphonenumber');
const { parsePhoneNumberFromString } = require('libphonenumber-js/max');

const util = PhoneNumberUtil.getInstance();
const nameOf = (type) => Object.keys(PhoneNumberType).find((name) => PhoneNumberType[name] === type);

for (const written of ['0811-000-123', '0811-000-123 (Ibu)', '0811-0001-234', '0811-0001-234 (2)', '0811-0001-234/5']) {
	const a = util.parse(written, 'ID');
	const b = parsePhoneNumberFromString(written, 'ID');
	console.log(`${written}:`,
		util.format(a, PhoneNumberFormat.E164), util.isValidNumber(a), nameOf(util.getNumberType(a)),
		b.number, b.isValid(), b.getType());
}
JS

version() { node -p "require('./node_modules/$1/package.json').version"; }
echo "google-libphonenumber $(version google-libphonenumber), libphonenumber-js $(version libphonenumber-js), node $(node --version)"
answer=$(node read.js)
echo "$answer"
[ "$answer" = '0811-000-123: +62811000123 true MOBILE +62811000123 true MOBILE
0811-000-123 (Ibu): +62811000123428 true MOBILE +62811000123 true MOBILE
0811-0001-234: +628110001234 true MOBILE +628110001234 true MOBILE
0811-0001-234 (2): +6281100012342 true MOBILE +6281100012342 true MOBILE
0811-0001-234/5: +6281100012345 true MOBILE +6281100012345 true MOBILE' ]

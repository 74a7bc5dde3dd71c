#!/bin/sh
#
# google-libphonenumber 3.2.47 and libphonenumber-js 1.13.16 (npm): an
# Indonesian mobile number of ten digits (0811-000-123), written without plus
# as WhatsApp writes numbers (62811000123), becomes +6262811000123: "valid", a
# landline in area 0628.
#
# One would expect that with region ID the 62 in front is known for the country
# code, as it is in longer numbers (628110001234), and that isValidNumber()
# would find what went wrong.  But 62811000123 is also possible as an area code
# with a number, and what is possible as it stands is left as it stands.
#
# Who reads wa_id of Meta's webhooks, or numbers of Fonnte and Watzap, this way
# writes to nobody, and an opt-out is stored for a number that no message will
# ever go to.  It meets the owners of the oldest and shortest numbers only.
# Odoo, too: the phone_format() of odoo-19 (Debian, 19.0.0, with
# python3-phonenumbers 8.12.57), which makes phone_sanitized and the numbers of
# phone_blacklist, answers the same, since it puts a plus before a number only
# if that is too long without.  Put the plus there before parsing.
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

for (const written of ['0811000123', '+62811000123', '62811000123', '628110001234']) {
	const a = util.parse(written, 'ID');
	const b = parsePhoneNumberFromString(written, 'ID');
	console.log(written,
		util.format(a, PhoneNumberFormat.E164), util.isValidNumber(a), nameOf(util.getNumberType(a)),
		b.number, b.isValid(), b.getType());
}
JS

version() { node -p "require('./node_modules/$1/package.json').version"; }
echo "google-libphonenumber $(version google-libphonenumber), libphonenumber-js $(version libphonenumber-js), node $(node --version)"
answer=$(node read.js)
echo "$answer"
[ "$answer" = '0811000123 +62811000123 true MOBILE +62811000123 true MOBILE
+62811000123 +62811000123 true MOBILE +62811000123 true MOBILE
62811000123 +6262811000123 true FIXED_LINE +6262811000123 true FIXED_LINE
628110001234 +628110001234 true MOBILE +628110001234 true MOBILE' ]

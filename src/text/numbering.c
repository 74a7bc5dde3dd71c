/*-------------------------------------------------------------------------
 *
 * numbering.c
 *		The numbering plan: which digits are a number that can be messaged.
 *
 * The plan is that of Indonesia's regulator as published by ITU: a mobile
 * number is 8 followed by 1-3 or 5-9, nine to twelve digits without the
 * trunk prefix 0.  Blocks are handed to operators faster than any table
 * follows, so operators are not checked.  Numbers of other countries are
 * taken as they are if the country code exists and the length fits: whether
 * one is on WhatsApp only the provider can tell.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "text/numbering.h"

#define E164_MIN		7
#define E164_MAX		15

#define lengthof(a)		((int) (sizeof(a) / sizeof((a)[0])))

/*
 * Country codes (ITU-T E.164 annex) whose national number length is worth
 * checking: the ones likely here, and all that begin with 8, because those
 * look like an Indonesian number with the plus typed instead of the zero.
 */
typedef struct Country
{
	short		code;
	unsigned char min;			/* digits after the country code */
	unsigned char max;
	char		trunk;			/* '0' if people write +CC (0) ..., or 0 */
} Country;

static const Country countries[] = {
	{1, 10, 10, 0}, {7, 10, 10, 0}, {20, 8, 10, '0'}, {27, 9, 9, '0'},
	{31, 9, 9, '0'}, {32, 8, 9, '0'}, {33, 9, 9, '0'}, {34, 9, 9, 0},
	{41, 9, 9, '0'}, {43, 7, 13, '0'}, {44, 9, 10, '0'}, {45, 8, 8, 0},
	{46, 7, 10, '0'}, {47, 8, 8, 0}, {48, 9, 9, 0}, {49, 6, 13, '0'},
	{60, 8, 10, '0'}, {61, 9, 9, '0'}, {63, 8, 10, '0'}, {64, 8, 10, '0'},
	{65, 8, 8, 0}, {66, 8, 9, '0'}, {81, 9, 10, '0'}, {82, 8, 10, '0'},
	{84, 9, 10, '0'}, {86, 10, 11, '0'}, {90, 10, 10, '0'},
	{91, 10, 10, '0'}, {92, 9, 10, '0'}, {94, 9, 9, '0'}, {95, 7, 10, '0'},
	{98, 10, 10, '0'}, {212, 9, 9, '0'}, {216, 8, 8, 0}, {249, 9, 9, '0'},
	{254, 9, 9, '0'}, {255, 9, 9, '0'}, {256, 9, 9, '0'}, {670, 7, 8, 0},
	{673, 7, 7, 0}, {675, 7, 8, 0}, {850, 8, 10, '0'}, {852, 8, 8, 0},
	{853, 8, 8, 0}, {855, 8, 9, '0'}, {856, 8, 10, '0'}, {880, 8, 10, '0'},
	{886, 8, 9, '0'}, {961, 7, 8, '0'}, {962, 8, 9, '0'}, {965, 8, 8, 0},
	{966, 9, 9, '0'}, {967, 7, 9, '0'}, {968, 8, 8, 0}, {970, 8, 9, '0'},
	{971, 8, 9, '0'}, {972, 8, 9, '0'}, {973, 8, 8, 0}, {974, 8, 8, 0},
	{977, 8, 10, '0'}
};

/*
 * The assigned geographic country codes, by their first two digits: which
 * third digits exist.  "*" means that the two digits are the whole code.
 * Codes 1 and 7 have one digit and are not listed.
 */
static const struct
{
	char		prefix[3];
	const char *third;
}			country_codes[] = {
	{"20", "*"}, {"21", "12368"}, {"22", "0123456789"}, {"23", "0123456789"},
	{"24", "0123456789"}, {"25", "012345678"}, {"26", "0123456789"},
	{"27", "*"}, {"29", "01789"}, {"30", "*"}, {"31", "*"}, {"32", "*"},
	{"33", "*"}, {"34", "*"}, {"35", "0123456789"}, {"36", "*"},
	{"37", "012345678"}, {"38", "01235679"}, {"39", "*"}, {"40", "*"},
	{"41", "*"}, {"42", "013"}, {"43", "*"}, {"44", "*"}, {"45", "*"},
	{"46", "*"}, {"47", "*"}, {"48", "*"}, {"49", "*"}, {"50", "0123456789"},
	{"51", "*"}, {"52", "*"}, {"53", "*"}, {"54", "*"}, {"55", "*"},
	{"56", "*"}, {"57", "*"}, {"58", "*"}, {"59", "0123456789"}, {"60", "*"},
	{"61", "*"}, {"62", "*"}, {"63", "*"}, {"64", "*"}, {"65", "*"},
	{"66", "*"}, {"67", "023456789"}, {"68", "012356789"}, {"69", "012"},
	{"81", "*"}, {"82", "*"}, {"84", "*"}, {"85", "02356"}, {"86", "*"},
	{"88", "06"}, {"90", "*"}, {"91", "*"}, {"92", "*"}, {"93", "*"},
	{"94", "*"}, {"95", "*"}, {"96", "012345678"}, {"97", "01234567"},
	{"98", "*"}, {"99", "234568"}
};

/* Are all n characters of s equal? */
static bool
all_same(const char *s, int n)
{
	int			i;

	for (i = 1; i < n; i++)
		if (s[i] != s[0])
			return false;
	return true;
}

/*
 * Is s (n digits, without trunk prefix and country code) an Indonesian
 * mobile number?  Entries such as 0812-0000-0000 or 08888888888 are what
 * people type to get past a mandatory field.
 */
static bool
is_mobile(const char *s, int n)
{
	if (n < WA_TEXT_NSN_MIN || n > WA_TEXT_NSN_MAX)
		return false;
	if (s[0] != '8' || s[1] == '0' || s[1] == '4')
		return false;
	if (all_same(s + 1, n - 1))
		return false;
	if (s[3] == '0' && all_same(s + 3, n - 3))
		return false;
	return true;
}

/* Is s (n digits, as above) some other Indonesian number, with area code? */
static bool
is_other_national(const char *s, int n)
{
	if (n >= 7 && n <= 11 && s[0] >= '2' && s[0] <= '9' && s[0] != '8')
		return true;
	return n >= 8 && n <= 11 && s[0] == '8' && s[1] == '0';
}

/* Compose 62 and the n digits at s into out. */
static WaTextNumberKind
put_mobile(const char *s, int n, char *out)
{
	memcpy(out, "62", 2);
	memcpy(out + 2, s, (size_t) n);
	out[n + 2] = '\0';
	return WA_TEXT_MOBILE;
}

/*
 * Digits behind the country code 62, or in national form.  The trunk prefix
 * is often left in, and the country code often written twice or behind the
 * trunk prefix.  So written it must leave at least ten digits: with nine, 62
 * could as well be the area code 062x of a landline (0628 is one).
 */
static WaTextNumberKind
read_indonesian(const char *s, int n, char *out)
{
	bool		repeated = false;
	const char *rest;
	int			len;

	if (n > 0 && s[0] == '0')
		s++, n--;
	rest = s;
	len = n;
	if (len > 2 && rest[0] == '6' && rest[1] == '2')
	{
		repeated = true;
		rest += 2, len -= 2;
		if (len > 0 && rest[0] == '0')
			rest++, len--;
	}
	if (is_mobile(rest, len) && !(repeated && len == WA_TEXT_NSN_MIN))
		return put_mobile(rest, len, out);
	return is_other_national(s, n) ? WA_TEXT_LANDLINE : WA_TEXT_NOT_A_NUMBER;
}

/*
 * wa_text_country_code_length
 *		How many digits of s (at least four) are a country code?  0: none.
 */
int
wa_text_country_code_length(const char *s)
{
	int			i;

	if (s[0] == '1' || s[0] == '7')
		return 1;
	for (i = 0; i < lengthof(country_codes); i++)
	{
		if (memcmp(s, country_codes[i].prefix, 2) != 0)
			continue;
		if (country_codes[i].third[0] == '*')
			return 2;
		return strchr(country_codes[i].third, s[2]) != NULL ? 3 : 0;
	}
	return 0;
}

/* Digits in international form, but not of Indonesia. */
static WaTextNumberKind
read_foreign(const char *s, int n, char *out)
{
	int			min = 0;
	int			max = E164_MAX;
	char		trunk = 0;
	int			code = 0;
	int			cc;
	int			i;

	if (n < E164_MIN || (cc = wa_text_country_code_length(s)) == 0)
		return WA_TEXT_NOT_A_NUMBER;
	for (i = 0; i < cc; i++)
		code = code * 10 + (s[i] - '0');
	for (i = 0; i < lengthof(countries); i++)
	{
		if (countries[i].code == code)
		{
			min = countries[i].min;
			max = countries[i].max;
			trunk = countries[i].trunk;
		}
	}
	memcpy(out, s, (size_t) cc);
	s += cc;
	n -= cc;
	if (trunk != 0 && n > 0 && s[0] == trunk)
		s++, n--;

	/*
	 * A few countries have numbers that begin with 0: Italy, San Marino,
	 * Ivory Coast, Benin, Gabon, Congo.
	 */
	if (n > 0 && s[0] == '0' && code != 39 && code != 378 && code != 225 &&
		code != 229 && code != 241 && code != 242)
		return WA_TEXT_NOT_A_NUMBER;
	if (n < min || n > max || cc + n < E164_MIN || cc + n > E164_MAX)
		return WA_TEXT_NOT_A_NUMBER;
	if (all_same(s, n))
		return WA_TEXT_NOT_A_NUMBER;
	if (code == 1 && s[0] == '1')
		return WA_TEXT_NOT_A_NUMBER;
	/* Japan: ten digits are mobile or internet numbers, x0. */
	if (code == 81 && n == 10 && s[1] != '0')
		return WA_TEXT_NOT_A_NUMBER;
	memcpy(out + cc, s, (size_t) n);
	out[cc + n] = '\0';
	return WA_TEXT_MOBILE;
}

/*
 * wa_text_read_number
 *		What are these digits, taken as one number?
 *
 * s: n ASCII digits as dialed or written, not NUL-terminated.  plus: a plus
 * sign stood before them.  For WA_TEXT_MOBILE the international form goes to
 * out; else out is undefined.
 */
WaTextNumberKind
wa_text_read_number(const char *s, int n, bool plus,
					char out[WA_NUMBER_SIZE])
{
	if (n < E164_MIN || n > WA_TEXT_DIAL_MAX)
		return WA_TEXT_NOT_A_NUMBER;
	if (s[0] == '0' && s[1] == '0')
	{
		char		unused[WA_NUMBER_SIZE];

		s += 2;
		n -= 2;
		if (n < E164_MIN)
			return WA_TEXT_NOT_A_NUMBER;
		if (s[0] == '6' && s[1] == '2')
			return read_indonesian(s + 2, n - 2, out);
		/* 00812...: a slip for 0812, or a call to Japan?  Nobody knows. */
		if (read_indonesian(s, n, unused) == WA_TEXT_MOBILE)
			return WA_TEXT_NOT_A_NUMBER;
		return read_foreign(s, n, out);
	}
	if (s[0] == '6' && s[1] == '2')
		return read_indonesian(s + 2, n - 2, out);
	if (s[0] == '0')
		return read_indonesian(s, n, out);
	if (plus)
		return read_foreign(s, n, out);
	if (is_mobile(s, n))
		return put_mobile(s, n, out);	/* a spreadsheet ate the zero */
	return WA_TEXT_NOT_A_NUMBER;
}

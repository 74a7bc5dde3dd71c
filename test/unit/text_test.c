/*-------------------------------------------------------------------------
 *
 * text_test.c
 *		Unit tests of the text core: numbers, templates, parameters.
 *
 * Usage: text_test [numbers.tsv].  Exit status 0 if everything passed.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "text/text.h"

#include "check.h"
#include "said.h"

#ifndef NUMBERS_FILE
#define NUMBERS_FILE "numbers.tsv"
#endif

/* A corpus cut short by accident must not pass. */
#define NUMBERS_MIN_ROWS	500

#define lengthof(a)		(sizeof(a) / sizeof((a)[0]))

static const char *numbers_file = NUMBERS_FILE;

/* Write cp as UTF-8; returns the end. */
static char *
put_utf8(char *to, unsigned long cp)
{
	if (cp < 0x80)
		*to++ = (char) cp;
	else if (cp < 0x800)
	{
		*to++ = (char) (0xc0 | cp >> 6);
		*to++ = (char) (0x80 | (cp & 0x3f));
	}
	else if (cp < 0x10000)
	{
		*to++ = (char) (0xe0 | cp >> 12);
		*to++ = (char) (0x80 | (cp >> 6 & 0x3f));
		*to++ = (char) (0x80 | (cp & 0x3f));
	}
	else
	{
		*to++ = (char) (0xf0 | cp >> 18);
		*to++ = (char) (0x80 | (cp >> 12 & 0x3f));
		*to++ = (char) (0x80 | (cp >> 6 & 0x3f));
		*to++ = (char) (0x80 | (cp & 0x3f));
	}
	return to;
}

/* Resolve the escapes of numbers.tsv in place.  False: unknown escape. */
static bool
unescape(char *s)
{
	char	   *to = s;

	while (*s != '\0')
	{
		char		hex[9];
		size_t		n;

		if (*s != '\\')
		{
			*to++ = *s++;
			continue;
		}
		s++;
		switch (*s)
		{
			case 'n':
				*to++ = '\n';
				s++;
				continue;
			case 'r':
				*to++ = '\r';
				s++;
				continue;
			case 't':
				*to++ = '\t';
				s++;
				continue;
			case '\\':
				*to++ = '\\';
				s++;
				continue;
			case 'x':
				n = 2;
				break;
			case 'u':
				n = 4;
				break;
			case 'U':
				n = 8;
				break;
			default:
				return false;
		}
		if (strspn(s + 1, "0123456789abcdefABCDEF") < n)
			return false;
		memcpy(hex, s + 1, n);
		hex[n] = '\0';
		if (*s == 'x')
			*to++ = (char) strtoul(hex, NULL, 16);
		else
			to = put_utf8(to, strtoul(hex, NULL, 16));
		s += 1 + n;
	}
	*to = '\0';
	return true;
}

static const char *
masked(const char *text)
{
	static char copy[1024];
	size_t		at = 0;

	strcpy(copy, text);
	while (copy[at])
		at += wa_text_mask_number(copy, at);
	return copy;
}

/*
 * Is this number still to be read in the text when its numbers are masked?  The
 * two that may: an amount, or an address, and what is as short as an id.
 */
static bool
shows(const char *text, const char *number)
{
	char		out[WA_NUMBER_SIZE];

	return wa_text_normalize_number(masked(text), out) && strcmp(out, number) == 0 &&
		strcmp(text, "81.234.567.890") != 0 && strspn(text, "0123456789") != 9;
}

static void
test_number_corpus(void)
{
	FILE	   *f = fopen(numbers_file, "r");
	char		line[1024];
	int			lineno = 0;
	int			rows = 0;

	if (!CHECK(f != NULL))
		return;
	while (fgets(line, sizeof(line), f) != NULL)
	{
		char	   *want;
		char		out[WA_NUMBER_SIZE + 1];
		char		again[WA_NUMBER_SIZE];
		char		with_plus[WA_NUMBER_SIZE + 8];
		bool		ok;

		lineno++;
		if (!CHECK_AT(numbers_file, lineno, strchr(line, '\n') != NULL))
			break;
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' && (line[1] == ' ' || line[1] == '\0'))
			continue;
		want = strchr(line, '\t');
		if (!CHECK_AT(numbers_file, lineno, want != NULL))
			continue;
		*want++ = '\0';
		want[strcspn(want, "\t")] = '\0';
		if (!CHECK_AT(numbers_file, lineno, unescape(line)))
			continue;
		rows++;

		memset(out, 'z', sizeof(out));
		ok = wa_text_normalize_number(line, out);
		CHECK_STR_AT(numbers_file, lineno, ok ? out : "-", want);
		CHECK_AT(numbers_file, lineno, out[WA_NUMBER_SIZE] == 'z');
		CHECK_AT(numbers_file, lineno, ok || out[0] == '\0');
		if (!ok)
			continue;
		CHECK_AT(numbers_file, lineno, !shows(line, out));
		snprintf(with_plus, sizeof(with_plus), "+%s", out);
		CHECK_AT(numbers_file, lineno,
				 wa_text_normalize_number(with_plus, again));
		CHECK_STR_AT(numbers_file, lineno, again, out);
		if (strncmp(out, "62", 2) == 0)
		{
			CHECK_AT(numbers_file, lineno,
					 wa_text_normalize_number(out, again));
			CHECK_STR_AT(numbers_file, lineno, again, out);
		}
	}
	fclose(f);
	CHECK(rows >= NUMBERS_MIN_ROWS);
}

/*
 * Every operator prefix in every common spelling, at every length: the
 * numbering plan, independent of how the file above was written.
 */
static void
test_number_spellings(void)
{
	static const char *const formats[] = {
		"0%s", "%s", "62%s", "+62%s", "+62 %s", "0062%s", "620%s", "+62 0%s",
		"+62 (0) %s", "(+62)%s", "HP: 0%s", "0%s (istri)", "'0%s",
		"021-5550000 / 0%s", "0%s / 021-5550000", "\xe2\x80\xaa+62 %s\xe2\x80\xac"
	};
	static const char subscriber[] = "234567890123";
	int			second;
	int			third;
	size_t		n;
	size_t		f;

	for (second = '0'; second <= '9'; second++)
		for (third = '0'; third <= '9'; third++)
			for (n = 7; n <= 14; n++)
			{
				char		nsn[16];
				bool		valid = n >= 9 && n <= 12 &&
					second != '0' && second != '4';

				nsn[0] = '8';
				nsn[1] = (char) second;
				nsn[2] = (char) third;
				memcpy(nsn + 3, subscriber, n - 3);
				nsn[n] = '\0';
				for (f = 0; f < lengthof(formats); f++)
				{
					char		input[64];
					char		want[20];
					char		out[WA_NUMBER_SIZE];
					bool		ok;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
					snprintf(input, sizeof(input), formats[f], nsn);
#pragma GCC diagnostic pop
					snprintf(want, sizeof(want), "62%s", nsn);
					ok = wa_text_normalize_number(input, out);
					if (!CHECK_STR(ok ? out : "-", valid ? want : "-") || !CHECK(!ok || !shows(input, out)))
						fprintf(stderr, "\tinput    %s\n", input);
				}
			}
}

static void
test_number_edges(void)
{
	char		out[WA_NUMBER_SIZE];
	char	   *big;
	size_t		i;
	size_t		size = 1000000;

	CHECK(!wa_text_normalize_number(NULL, out));
	CHECK_STR(out, "");

	/* More digits or groups than are kept: refused, and what follows reads. */
	big = malloc(size + 64);
	if (!CHECK(big != NULL))
		return;
	for (i = 0; i < size; i++)
		big[i] = (i % 3 == 2) ? ' ' : '8';
	big[size] = '\0';
	CHECK(!wa_text_normalize_number(big, out));
	strcpy(big + size, ", 081234567890");
	CHECK(wa_text_normalize_number(big, out));
	CHECK_STR(out, "6281234567890");
	memset(big, '8', size);
	CHECK(wa_text_normalize_number(big, out));
	CHECK_STR(out, "6281234567890");
	for (i = 0; i < size; i++)
		big[i] = (i % 2 == 0) ? '(' : '8';
	CHECK(wa_text_normalize_number(big, out));
	CHECK_STR(out, "6281234567890");
	free(big);
}

/* Collects numbers as "a b c". */
static void
collect_number(const char *number, void *arg)
{
	char	   *list = arg;

	if (list[0] != '\0')
		strcat(list, " ");
	strcat(list, number);
}

/* All numbers of a field, where a "no" counts for each. */
static void
test_each_number(void)
{
	static const struct
	{
		const char *field;
		const char *numbers;
	}			cases[] = {
		{"", ""},
		{"081234567890", "6281234567890"},
		{"0812-3456-7890 / 0813 9876 5432", "6281234567890 6281398765432"},
		{"081234567890 081398765432", "6281234567890 6281398765432"},
		{"WA 081234567890 atau +44 7911 123456", "6281234567890 447911123456"},
		{"(021) 555-1234, HP 081234567890 (rumah)", "6281234567890"},
		{"NIK 081234567890 (KTP)", ""},
		{"fax 081234567890 (kantor), 0813-9876-5432", "6281398765432"},
		{"0812 3456 xx, 081398765432", "6281398765432"},
		{"fax 081234567890", ""},
	};
	char		list[256];
	size_t		i;

	for (i = 0; i < lengthof(cases); i++)
	{
		list[0] = '\0';
		CHECK(wa_text_each_number(cases[i].field, collect_number, list) == (cases[i].numbers[0] != '\0'));
		CHECK_STR(list, cases[i].numbers);
	}
	CHECK(!wa_text_each_number(NULL, collect_number, list));
}

/* Collects names as "a|b|c". */
static void
collect(const char *name, size_t len, void *arg)
{
	char	   *list = arg;

	if (list[0] != '\0')
		strcat(list, "|");
	strncat(list, name, len);
}

static void
test_placeholders(void)
{
	static const struct
	{
		const char *body;
		bool		ok;
		const char *names;
	}			table[] = {
		{"", true, ""},
		{"Izin Anda selesai.", true, ""},
		{"Yth. {{partner_name}}, izin {{permit_type}} Anda", true,
		"partner_name|permit_type"},
		{"{{a}}{{b}}{{a}}", true, "a|b|a"},
		{"{{ a }}{{\tb2_ }}", true, "a|b2_"},
		{"{{1}}, izin {{2}}", true, "1|2"},
		{"{a} } }} {", true, ""},
		{"{ {{a}} }", true, "a"},
		{"{{a}}}", true, "a"},
		{"{{a}} {{", false, "a"},
		{"{{a", false, ""},
		{"{{a}", false, ""},
		{"{{a} }", false, ""},
		{"{{}}", false, ""},
		{"{{ }}", false, ""},
		{"{{a b}}", false, ""},
		{"{{A}}", false, ""},
		{"{{a-b}}", false, ""},
		{"{{{a}}}", false, ""},
		{"{{a\n}}", false, ""},
		{"{{n\xc3\xa4me}}", false, ""},
		{"{{a}} {{b {{c}}", false, "a"},
	};
	size_t		i;

	for (i = 0; i < lengthof(table); i++)
	{
		char		names[128] = "";

		CHECK_INT(wa_text_placeholders(table[i].body, collect, names),
				  table[i].ok);
		CHECK_STR(names, table[i].names);
		CHECK_INT(wa_text_placeholders(table[i].body, NULL, NULL),
				  table[i].ok);
	}
}

static void
test_render(void)
{
	static const WaPair values[] = {
		{"a", "Budi"}, {"b", "{{a}}"}, {"empty", ""}, {"nothing", NULL},
		{NULL, "lost"}, {"a", "second"}, {"percent", "100%s\\n\""},
		{"ab", "longer"}
	};
	static const struct
	{
		const char *body;
		const char *text;
		const char *missing;
		int			error;
	}			table[] = {
		{"", "", NULL, 0},
		{"plain }} text { }", "plain }} text { }", NULL, 0},
		{"Yth. {{a}}, izin {{ab}}.", "Yth. Budi, izin longer.", NULL, 0},
		{"{{a}}{{a}}", "BudiBudi", NULL, 0},
		{"{{ a }}!", "Budi!", NULL, 0},
		/* never scanned again */
		{"{{b}}", "{{a}}", NULL, 0},
		{"{{b}}}", "{{a}}}", NULL, 0},
		{"<{{empty}}>", "<>", NULL, 0},
		{"{{percent}}", "100%s\\n\"", NULL, 0},
		{"{{nothing}}", NULL, "nothing", 0},
		{"{{a}} {{z}} {{nothing}} {{y}} {{z}} {{zz}}", NULL,
		"z, nothing, y, zz", 0},
		{"{{abc}}", NULL, "abc", 0},
		{"{{em}}", NULL, "em", 0},
		{"{{zz}}{{z}}{{zz}}", NULL, "zz, z", 0},
		{"{{a", NULL, NULL, EINVAL},
		{"{{z}} {{", NULL, NULL, EINVAL},
		{"{{}}", NULL, NULL, EINVAL},
	};
	size_t		i;
	char	   *text;

	for (i = 0; i < lengthof(table); i++)
	{
		char		mark;
		char	   *missing = &mark;

		errno = 0;
		text = wa_text_render(table[i].body, values, lengthof(values),
							  &missing);
		CHECK_STR(text, table[i].text);
		CHECK_STR(missing, table[i].missing);
		if (table[i].error != 0)
			CHECK_INT(errno, table[i].error);
		free(text);
		free(missing);
	}

	/* The caller need not want to know, nor have values. */
	text = wa_text_render("{{z}}", values, lengthof(values), NULL);
	CHECK(text == NULL);
	text = wa_text_render("x", NULL, 0, NULL);
	CHECK_STR(text, "x");
	free(text);
}

static void
test_clean_value(void)
{
	static const struct
	{
		const char *value;
		const char *clean;
	}			table[] = {
		{NULL, "-"},
		{"", "-"},
		{"   ", "-"},
		{"\t\r\n", "-"},
		{"\xc2\xa0", "-"},
		{"\xe2\x80\x8b\xef\xbb\xbf", "-"},	/* zero width, byte order mark */
		{"-", "-"},
		{"Budi", "Budi"},
		{"  Budi  Santoso\t", "Budi Santoso"},
		{"Jl. Merdeka\r\nNo. 12\n\nKabanjahe", "Jl. Merdeka No. 12 Kabanjahe"},
		{"a\x01\x1f\x7f" "b", "a b"},
		{"a\xc2\x85" "b\xe2\x80\xa8" "c\xe3\x80\x80" "d", "a b c d"},
		{"a\xc2\xa0\xc2\xa0 \xe2\x80\x83" "b", "a b"},
		{"a          b", "a b"},
		{"Caf\xc3\xa9 \xf0\x9f\x93\x84", "Caf\xc3\xa9 \xf0\x9f\x93\x84"},
		/* a family of emoji keeps its joiner */
		{"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9",
		"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9"},
		{"a\xff" "b", "a\xef\xbf\xbd" "b"},
		{"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},	/* cut off */
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"{{a}}", "{{a}}"},
	};
	size_t		i;

	for (i = 0; i < lengthof(table); i++)
	{
		char	   *clean = wa_text_clean_value(table[i].value);
		char	   *again;

		CHECK_STR(clean, table[i].clean);
		again = wa_text_clean_value(clean);
		CHECK_STR(again, table[i].clean);
		free(clean);
		free(again);
	}
}

static void
test_nothing(void)
{
	static const char *const nothing[] = {
		"", " ", "\t\r\n", "-", "--", "\"\"", "False", "FALSE", "false", " False ", "'None'", "none",
		"NULL", "null", "nil", "undefined", "NaN", "NaT", "N/A", "#N/A", "<NA>", "(null)", "Tidak ada",
		"KOSONG", "Salah", "False.", "-None-", "n.a.", "<null>", "(none)", "[NULL]", "#null!", "#VALUE!", "#ref!",
		"#name?", "nihil", "belum ada"
	};
	static const char *const something[] = {
		"0", "New", "a", "Budi", "Falsafah", "Nilawati", "None Such", "503/None/2026", "Nur Kosong",
		"tidak ada.tidak", "true", "N", "#", "/"
	};

	CHECK(wa_text_is_nothing(NULL));
	for (size_t i = 0; i < lengthof(nothing); i++)
		CHECK_STR(wa_text_is_nothing(nothing[i]) ? "" : nothing[i], "");
	for (size_t i = 0; i < lengthof(something); i++)
		CHECK_STR(!wa_text_is_nothing(something[i]) ? "" : something[i], "");
}

static void
test_person_id(void)
{
	static const char *const is[] = {"ID.1", "ID.13491208655302741918", "US.aZ9", "ID.ENT.11815799212886844830"};
	static const char *const is_not[] = {
		"", "ID", "ID.", "I.1", "id.1", "IDN.1", "ID 1", "ID.1 ", " ID.1", "ID.1\n", "ID.1-2", "ID.\xc3\xa9", "6281234567890", "+62.812"
	};
	char		longest[WA_RECIPIENT_SIZE + 1] = "ID.";

	CHECK(!wa_text_is_person_id(NULL));
	for (size_t i = 0; i < lengthof(is); i++)
		CHECK_STR(wa_text_is_person_id(is[i]) ? is[i] : "", is[i]);
	for (size_t i = 0; i < lengthof(is_not); i++)
		CHECK_STR(!wa_text_is_person_id(is_not[i]) ? is_not[i] : "?", is_not[i]);
	memset(longest + 3, '1', 128);
	CHECK(wa_text_is_person_id(longest));
	longest[3 + 128] = '1';
	CHECK(!wa_text_is_person_id(longest));
}

static void
test_keyword(void)
{
	static const char *const out = "STOP,BERHENTI,UNSUB, Unsubscribe ,,jangan kirim";
	static const char *const is[] = {
		"STOP", "stop", "Stop.", "  sToP !!", "*STOP*", "_Stop_", "\"stop\"", "'stop'", "(STOP)", "stop\r\n", "#STOP", "STOP,",
		"berhenti", "BERHENTI\xf0\x9f\x99\x8f", "unsub", "UNSUBSCRIBE", "\xf0\x9f\x9b\x91 STOP \xe2\x9d\x8c\xef\xb8\x8f",
		"\xe2\x80\x8bST\xe2\x80\x8eOP\xef\xbb\xbf", "\xc2\xa0STOP\xe3\x80\x80", "S\xc2\xadTOP", "\xe2\x80\x9cStop\xe2\x80\x9d",
		"\xef\xbc\xb3\xef\xbd\x94\xef\xbc\xaf\xef\xbc\xb0", "\xf0\x9d\x90\x92\xf0\x9d\x90\x93\xf0\x9d\x90\x8e\xf0\x9d\x90\x8f", "\x01STOP\x1b", "Jangan  Kirim", "jangan\nkirim.",
		"stop!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
		"..........................................................................................stop"
	};
	static const char *const is_not[] = {
		"", " ", "...", "\xf0\x9f\x99\x8f", "jangan stop kirim", "stop kirim", "STOP 1", "1 STOP", "non-stop", "stop-stop",
		"STOPP", "STO", "S.T.O.P", "S T O P", "UNSUB SCRIBE", "\xd1\x81top", "top", "STOP\xff", "STO\xcc\x81P", "BATAL", "tidak", "jangan", "kirim",
		"stop                                                                                a",
		"stop!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!a"
	};

	for (size_t i = 0; i < lengthof(is); i++)
		CHECK_STR(wa_text_is_keyword(is[i], out) ? "" : is[i], "");
	for (size_t i = 0; i < lengthof(is_not); i++)
		CHECK_STR(wa_text_is_keyword(is_not[i], out) ? is_not[i] : "", "");

	CHECK(wa_text_is_keyword("mulai", "START,MULAI"));
	CHECK(wa_text_is_keyword("\xd8\xaa\xd9\x88\xd9\x82\xd9\x81!", "STOP,\xd8\xaa\xd9\x88\xd9\x82\xd9\x81"));
	CHECK(wa_text_is_keyword("\xc3\x89t\xc3\x89", "\xc3\xa9t\xc3\xa9"));
	CHECK(!wa_text_is_keyword("STOP", ""));
	CHECK(!wa_text_is_keyword("", ""));
	CHECK(!wa_text_is_keyword(".", ".,,"));
	CHECK(!wa_text_is_keyword(NULL, "STOP"));
	CHECK(!wa_text_is_keyword("STOP", NULL));
}

static void
test_length(void)
{
	CHECK_INT(wa_text_length(NULL), 0);
	CHECK_INT(wa_text_length(""), 0);
	CHECK_INT(wa_text_length("Budi"), 4);
	CHECK_INT(wa_text_length("Caf\xc3\xa9"), 4);
	CHECK_INT(wa_text_length("\xe2\x82\xac\xf0\x9f\x93\x84"), 2);
	CHECK_INT(wa_text_length("\xff\xfe"), 2);
	CHECK_INT(wa_text_length("\xe2\x82"), 2);	/* cut off */
	CHECK_INT(wa_text_length("\xc0\xaf"), 2);	/* overlong */
	CHECK_INT(wa_text_length("\xe0\x80\xaf"), 3);
	CHECK_INT(wa_text_length("\xf0\x80\x80\x80"), 4);
	CHECK_INT(wa_text_length("\xed\xa0\x80"), 3);	/* surrogate */
	CHECK_INT(wa_text_length("\xed\x9f\xbf\xee\x80\x80"), 2);
	CHECK_INT(wa_text_length("\xf4\x8f\xbf\xbf"), 1);
	CHECK_INT(wa_text_length("\xf4\x90\x80\x80"), 4);	/* too high */
	CHECK_INT(wa_text_length("a\nb"), 3);
}

/*
 * Links: what a telephone can open, and what it cannot.
 */
static void
test_links(void)
{
	static const char *const good[] = {
		"https://izin.kab.go.id", "https://izin.kab.go.id/d/{id}?n={permit_number}#x", "HTTPS://Izin.Kab.Go.Id:8443/",
		"https://izin.kab.go.id./", "https://8.8.8.8/d", "https://172.32.0.1/", "https://100.128.0.1/",
		"https://localhost.kab.go.id/", "https://10.kab.go.id/", "https://arpanet.example.go.id/"
	};
	static const char *const bad[] = {
		"", "https://", "https:///d", "https://.go.id/", "https://:8069/", "izin.kab.go.id", "http://izin.kab.go.id/",
		"ftp://izin.kab.go.id/", "https://localhost", "https://LOCALHOST:8069/", "https://odoo.localhost/",
		"https://127.0.0.1:8069/", "https://127.8.9.1/", "https://0.0.0.0:8069/d", "https://10.0.0.5/",
		"https://172.16.0.1/", "https://172.31.255.254/", "https://192.168.1.10:8069/", "https://169.254.1.1/",
		"https://100.64.0.1/", "https://[::1]/", "https://[fd00::1]:8069/", "https://odoo/", "https://odoo:8069/",
		"https://server.local/", "https://server.lan/x", "https://erp.internal", "https://erp.home.arpa/",
		"https://ERP.LocalDomain./", "https://1.2.3/", "https://127.1/", "https://1.2.3.4.5/", "https://256.1.1.1/",
		"https://user@izin.kab.go.id/", "https://izin.kab.go.id@localhost/", "https://{id}/", "https://{id}.go.id/"
	};
	char		longest[600] = "https://";

	for (size_t i = 0; i < lengthof(good); i++)
		CHECK_AT(good[i], 0, wa_text_link_problem(good[i]) == NULL);
	for (size_t i = 0; i < lengthof(bad); i++)
		CHECK_AT(bad[i], 0, wa_text_link_problem(bad[i]) != NULL);
	memset(longest + 8, 'a', 500);
	strcpy(longest + 508, ".go.id/");
	CHECK(wa_text_link_problem(longest) != NULL);
}

/*
 * The catalogue of sentences, and what is said.
 */

/* Which placeholders a form has, a bit for each; -1: one that is none. */
static int
placeholders(const char *form)
{
	int			bits = 0;

	for (const char *p = form; *p; p++)
		if (p[0] == '{' && p[1] >= '1' && p[1] <= '9')
		{
			if (p[2] != '}')
				return -1;
			bits |= 1 << (p[1] - '1');
		}
	return bits;
}

/* Does a form have a word that no Indonesian sentence has? */
static bool
is_english(const char *form)
{
	static const char *const words[] = {
		"the", "is", "are", "was", "were", "not", "of", "and", "to", "has", "have", "with", "from", "it", "its",
		"this", "that", "by", "or", "may", "will", "cannot", "could", "which", "when", "only", "before", "after",
		"until", "because", "another", "without"
	};

	for (const char *p = form; *p; p += *p != '\0')
	{
		size_t		len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.'-");

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (len == strlen(words[i]) && strncmp(p, words[i], len) == 0)
				return true;
		p += len;
	}
	return false;
}

static void
test_say_catalogue(void)
{
	for (int key = 0; key < WA_SAY_END; key++)
	{
		const char *name = wa_text_say_name((WaSay) key);
		WaSay		found = WA_SAY_END;
		int			n = -1;

		if (!wa_text_say_find(name, strlen(name), &found, &n) || (int) found != key)
			fprintf(stderr, "%s\n", name);
		CHECK_INT((int) found, key);
		for (int language = WA_ENGLISH; language <= WA_INDONESIAN; language++)
		{
			const char *form = wa_text_say_form((WaSay) key, (WaLanguage) language);

			if (placeholders(form) != (1 << n) - 1 || *form == '\0')
				fprintf(stderr, "%s: %s\n", name, form);
			CHECK_INT(placeholders(form), (1 << n) - 1);
			CHECK(*form != '\0');
			if (language == WA_INDONESIAN && is_english(form))
				fprintf(stderr, "%s: %s\n", name, form);
			CHECK(language == WA_ENGLISH || !is_english(form));
		}
	}
}

static void
test_say(void)
{
	WaSaidText	said;
	WaSaidText	inner;
	char		words[100];
	char		many[4 * WA_SAID_SIZE];

	wa_say_into(&said, WA_SAY_QUOTE, "it; {1}");
	CHECK_STR(english(&said), "it; {1}");
	wa_say_into(&inner, WA_SAY_PROVIDER_NOT_ACTIVE);
	wa_say_into(&said, WA_SAY_NOT_THIS_PROVIDER, "meta", &inner);
	CHECK_STR(english(&said), "not meta: not active");
	CHECK_INT((int) wa_text_say_words(words, sizeof(words), WA_SAID_IN(&said), WA_INDONESIAN), 23);
	CHECK_STR(words, "bukan meta: tidak aktif");
	CHECK_INT((int) wa_text_say_words(words, 9, WA_SAID_IN(&said), WA_ENGLISH), 20);
	CHECK_STR(words, "not meta");
	/* cut at a character, whatever was in the room before */
	wa_say_into(&said, WA_SAY_QUOTE, "a\xc3\xa9\xc3\xa9");
	for (int before = 0; before < 256; before += 0x80)
	{
		static const char *const cut[] = {"", "a", "a", "a\xc3\xa9", "a\xc3\xa9", "a\xc3\xa9\xc3\xa9"};

		for (size_t size = 1; size <= lengthof(cut); size++)
		{
			memset(words, before, sizeof(words));
			CHECK_INT((int) wa_text_say_words(words, size, WA_SAID_IN(&said), WA_ENGLISH), 5);
			CHECK_STR(words, cut[size - 1]);
		}
	}
	/* what anybody wrote stays text, and keeps no sentence from being read */
	wa_say_into(&said, WA_SAY_NOT_THIS_PROVIDER, "a\002b\003c", "\001QUOTE\002a\003\002");
	CHECK_STR(english(&said), "not a b c:  QUOTE a  ");
	wa_say_into(&said, WA_SAY_NOT_THIS_PROVIDER, "\001QUOTE\002\001QUOTE\002x\003", "\001");
	CHECK_STR(english(&said), "not  QUOTE  QUOTE x :  ");

	wa_say_into(&said, WA_SAY_NOT_THIS_PROVIDER, NULL, WA_NUMBER(-42));
	CHECK_STR(english(&said), "not -: -42");

	{
		WaSaidPart	part;
		const char *end = said.bytes + strlen(said.bytes);

		CHECK(wa_text_say_next(said.bytes, end, &part) == end);
		CHECK_INT(part.key, WA_SAY_NOT_THIS_PROVIDER);
		CHECK_INT(part.n, 2);
		CHECK_INT((int) part.lengths[1], 3);
		CHECK(wa_text_say_next(end, end, &part) == NULL);
	}

	/* several in a row, also as a value */
	snprintf(many, sizeof(many), "%s; %s", inner.bytes, inner.bytes);
	wa_say_into(&said, WA_SAY_NOT_THIS_PROVIDER, "a", many);
	CHECK_STR(english(&said), "not a: not active; not active");

	/* what is too long is cut in its values, at a character */
	for (size_t i = 0; i + 2 < sizeof(many); i += 2)
		memcpy(many + i, "\xc3\xa9\0", 3);
	wa_say_into(&said, WA_SAY_NOT_THIS_PROVIDER, many, "b");
	CHECK(strlen(said.bytes) >= sizeof(said.bytes) - 3);
	CHECK(strncmp(english(&said), "not \xc3\xa9", 6) == 0);
	CHECK(strcmp(english(&said) + strlen(english(&said)) - 4, "\xc3\xa9: ") == 0);
	wa_say_into(&said, WA_SAY_NOT_THIS_PROVIDER, "b", "\001X\003");
	CHECK_STR(english(&said), "not b: ");

	/* anything else stays within its bounds */
	CHECK_INT((int) wa_text_say_words(words, sizeof(words), (WaSaid) (const void *) "\001QUOTE\002a\001", WA_ENGLISH), 2);
	CHECK_INT((int) wa_text_say_words(words, sizeof(words), (WaSaid) (const void *) "\001QUOTE\002a\002b\003", WA_ENGLISH), 0);
	CHECK_INT((int) wa_text_say_words(words, sizeof(words), (WaSaid) (const void *) "\001QUOTE\002a", WA_ENGLISH), 1);
	CHECK_INT((int) wa_text_say_words(words, sizeof(words), NULL, WA_ENGLISH), 0);
}

/* What could be a number is masked, once and for all; what is none is whole. */
static void
test_mask(void)
{
	static const char *const numbers[][2] = {
		{"0812 7777 0099", "0812 **** *099"},
		{"0812-7777-0097", "0812-****-*097"},
		{"+62 812 7777 0097", "+62 81* **** *097"},
		{"(0812) 7777.0099", "(0812) ****.*099"},
		{"hub. wa0812 - 7777 - 0099!", "hub. wa0812 - **** - *099!"},
		{"0812\xc2\xa0" "7777\xe2\x80\x93" "0099", "0812\xc2\xa0" "****\xe2\x80\x93" "*099"},
		{"812 7777 0099", "812 7*** *099"},
		{"62.812.7777.0099", "62.81*.****.*099"},
		{"0812/7777/0099", "0812/****/*099"},
		{"08 12 77 77 00 99", "08 12 ** ** *0 99"},
		{"\xef\xbc\x90\xef\xbc\x98" "1277770099", "\xef\xbc\x90\xef\xbc\x98" "12*****099"},
		{"081277770099 2", "0812******99 2"},
		{"6281277770099.0", "6281*******99.0"},
		{"0812 7777 0099 0813 1111 2222", "0812 **** *099 0813 **** *222"},
		{"0274-512345/0812-3456-7890", "027*-***345/0812-****-*890"},
		{"081277770099/081311112222", "0812*****099/0813*****222"},
		{"2026-11-30 08:15:00+07 0812 7777 0099", "2026-11-30 08:15:00+07 0812 **** *099"},
		{"0812 7777 0099 30-11-2026", "0812 **** *099 30-11-2026"},
		{"(021) 555-1234", "(021) ***-*234"},
		{"021/5551234", "021/****234"},
		{"55281 0274 512345", "55281 027* ***345"},
		{"447911123456", "4479*****456"},
		{"12025550143", "1202****143"},
		{"919876543210", "9198*****210"},
		{"https://wa.me/447911123456", "https://wa.me/4479*****456"},
		{"0812_7777_0099", "0812_****_*099"},
		{"0628 20123 0812 3456 7890", "06** **123 0812 **** *890"},
		{"manual:447911123456", "manual:4479*****456"},
		{"{\"target\":[\"6282227097005\"]}", "{\"target\":[\"6282******005\"]}"},
		{"+44 (0) 7911 123456", "+44 (0) 7*** ***456"},
		{"0044 7911 123456", "0044 **** ***456"},
		{"44 7911 123456", "44 79** ***456"},
		{"+1 (202) 555-0143", "+1 (202) ***-*143"},
		{"1-202-555-0143", "1-202-***-*143"},
		{"(+62) 812-7777-0099", "(+62) 81*-****-*099"},
		{"+ 62 21 555 1234", "+ 62 21 *** *234"},

		/* behind a plus, of any country and length */
		{"+6834123", "+****123"},
		{"+67712345", "+6****345"},
		{"+123456789012345", "+1234********345"},

		/* as before: mistyped, or somebody's NIK with a digit lost */
		{"620123456789012", "6201********012"},
		{"a6281277770099b", "a6281******099b"},
	};
	static const char *const others[] = {
		"2026-11-30", "30-11-2026", "30/11/2026 08:15", "30.11.2026 08.15", "1/2/2026 - 28/2/2026",
		"2026-11-30 08:15:00+07", "7 2026-11-30 08:15", "30-11-26 08.15 7", "Jam 08.30-12.00, 13.00-16.00",
		"Jam 08.00 - 16.00 30/11/2026", "0730 - 1600", "20/XI/2026",
		"503/0002/SIUP/2026", "503/0002/2026/117", "503/0812/0003/2026", "0812/0003/2026/SIUP", "021/503/2026",
		"010/BA-03/2026", "N-1234", "NIB 9120001234567", "NPWP 09.254.294.3-407.000",
		"Rp 1.250.000", "Rp 812.500.000", "Rp 12.500.000.000", "Rp 1.250.000,00",
		"3201234567890123", "6201234567890123", "3201 2345 6789 0123", "106540352242922", "80367170",
		"1764460800", "447911123456AB", "08127777009908131111222208127777", "3.141592653589793",
		"192.168.100.200", "62.128.100.200", "85.117.200.200", "kode pos 55281",
		"0812-****-*099", "6281******890 2026-11-30", "", "+", "0812", "0812\n7777",
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
	{
		CHECK_STR(masked(numbers[i][0]), numbers[i][1]);
		CHECK_STR(masked(numbers[i][1]), numbers[i][1]);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK_STR(masked(others[i]), others[i]);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		numbers_file = argv[1];

	CHECK_RUN(test_say_catalogue);
	CHECK_RUN(test_say);
	CHECK_RUN(test_number_corpus);
	CHECK_RUN(test_number_spellings);
	CHECK_RUN(test_number_edges);
	CHECK_RUN(test_each_number);
	CHECK_RUN(test_mask);
	CHECK_RUN(test_placeholders);
	CHECK_RUN(test_render);
	CHECK_RUN(test_clean_value);
	CHECK_RUN(test_nothing);
	CHECK_RUN(test_person_id);
	CHECK_RUN(test_keyword);
	CHECK_RUN(test_length);
	CHECK_RUN(test_links);
	return check_finish("text");
}

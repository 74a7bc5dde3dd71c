/*-------------------------------------------------------------------------
 *
 * fuzz_text.c
 *		Fuzz the text core: no bytes may break it or its promises.
 *
 * Two programs in one file.  With clang -fsanitize=fuzzer it is a libFuzzer
 * target.  With -DSTANDALONE it is an ordinary program that mutates a list of
 * seeds with a fixed random sequence, so that a normal test run does the same
 * work each time: fuzz_text [iterations [seed]]; or writes the seeds into a
 * folder: fuzz_text seeds FOLDER.
 *
 * A broken promise calls abort(); in both forms the input is shown.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/text.h"

#define MAX_INPUT	4096
#define MAX_VALUES	16

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is being tested, for the message when a promise is broken. */
static const char *current = "";

static void
broken(const char *promise, int line)
{
	const unsigned char *p;

	fprintf(stderr, "fuzz_text.c:%d: broken promise: %s\n\tinput \"", line,
			promise);
	for (p = (const unsigned char *) current; *p != '\0'; p++)
		fprintf(stderr, (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\') ?
				"%c" : "\\x%02x", *p);
	fputs("\"\n", stderr);
	abort();
}

#define PROMISE(cond) \
	do { \
		if (!(cond)) \
			broken(#cond, __LINE__); \
	} while (0)

/* Is the character part of a number, as far as ASCII goes? */
static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The first of all numbers of a field. */
static void
keep_first(const char *number, void *arg)
{
	char	   *first = arg;

	PROMISE(strlen(number) < WA_NUMBER_SIZE);
	if (first[0] == '\0')
		strcpy(first, number);
}

static void
try_number(const char *input)
{
	char		first[WA_NUMBER_SIZE] = "";
	char		out[WA_NUMBER_SIZE + 1];
	char		again[WA_NUMBER_SIZE];
	char		text[WA_NUMBER_SIZE + 16];
	size_t		len;
	bool		ok;

	memset(out, '#', sizeof(out));
	ok = wa_text_normalize_number(input, out);
	PROMISE(out[WA_NUMBER_SIZE] == '#');
	PROMISE(ok || out[0] == '\0');
	PROMISE(wa_text_each_number(input, keep_first, first) == ok);
	PROMISE(strcmp(first, out) == 0);
	if (!ok)
		return;

	len = strlen(out);
	PROMISE(len >= 7 && len <= 15);
	PROMISE(strspn(out, "0123456789") == len);
	PROMISE(out[0] != '0');

	/* The result is a number, and no other than itself. */
	snprintf(text, sizeof(text), "+%s", out);
	PROMISE(wa_text_normalize_number(text, again));
	PROMISE(strcmp(again, out) == 0);
	snprintf(text, sizeof(text), "00%s", out);
	if (wa_text_normalize_number(text, again))
		PROMISE(strcmp(again, out) == 0);

	if (strncmp(out, "62", 2) == 0)
	{
		PROMISE(out[2] == '8' && out[3] != '0' && out[3] != '4');
		PROMISE(len >= 11 && len <= 14);
		PROMISE(wa_text_normalize_number(out, again));
		PROMISE(strcmp(again, out) == 0);
		snprintf(text, sizeof(text), "0%s", out + 2);
		PROMISE(wa_text_normalize_number(text, again));
		PROMISE(strcmp(again, out) == 0);
	}
}

/*
 * In plain ASCII, the last eight digits of a result must stand in the input
 * in this order with nothing but the marks of one number between them: a
 * number glued from the parts of a list does not.
 */
static void
try_not_glued(const char *input)
{
	char		out[WA_NUMBER_SIZE];
	const char *start;
	const char *tail;

	for (start = input; *start != '\0'; start++)
		if ((unsigned char) *start >= 0x80)
			return;
	if (!wa_text_normalize_number(input, out))
		return;
	tail = out + strlen(out) - 6;
	for (start = input; *start != '\0'; start++)
	{
		const char *p = start;
		const char *want = tail;

		while (*want != '\0' && *p != '\0')
		{
			if (is_digit(*p))
			{
				if (*p != *want)
					break;
				want++;
			}
			else if (want == tail || strchr(" -._~()[]{}/\\", *p) == NULL)
				break;
			p++;
		}
		if (*want == '\0')
			return;
	}
	broken("the digits of the number stand together", __LINE__);
}

/*
 * Masking changes digits into stars and nothing else; in plain ASCII no run of
 * digits is left that begins as Indonesian numbers do.
 */
static void
try_mask(const char *input)
{
	char		copy[MAX_INPUT + 1];
	bool		ascii = true;
	size_t		at = 0;
	size_t		run = 0;

	strcpy(copy, input);
	while (copy[at] != '\0')
	{
		size_t		used = wa_text_mask_number(copy, at);

		PROMISE(used > 0 && used <= strlen(copy + at));
		at += used;
	}
	PROMISE(strlen(copy) == strlen(input));
	for (at = 0; input[at] != '\0'; at++)
	{
		PROMISE(copy[at] == input[at] || (copy[at] == '*' && (is_digit(input[at]) || (unsigned char) input[at] >= 0x80)));
		ascii = ascii && (unsigned char) input[at] < 0x80;
	}
	for (at = 0; ascii && copy[at] != '\0'; at += run > 0 ? run : 1)
	{
		run = strspn(copy + at, "0123456789");
		PROMISE(run < 10 || run > 15 || strchr("068", copy[at]) == NULL);
	}
}

/* Whatever stands behind a separator and a complete number is no matter. */
static void
try_first_wins(const char *input)
{
	char		buf[MAX_INPUT + 32];
	char		out[WA_NUMBER_SIZE];

	snprintf(buf, sizeof(buf), "0812-3456-7891, %s", input);
	PROMISE(wa_text_normalize_number(buf, out));
	PROMISE(strcmp(out, "6281234567891") == 0);
}

typedef struct Names
{
	char		name[MAX_VALUES][64];
	size_t		count;
	bool		all;			/* every name found room */
} Names;

static void
collect(const char *name, size_t len, void *arg)
{
	Names	   *names = arg;
	size_t		i;

	PROMISE(len > 0);
	for (i = 0; i < len; i++)
		PROMISE(is_digit(name[i]) || name[i] == '_' ||
				(name[i] >= 'a' && name[i] <= 'z'));
	if (names->count == MAX_VALUES || len >= sizeof(names->name[0]))
	{
		names->all = false;
		return;
	}
	memcpy(names->name[names->count], name, len);
	names->name[names->count][len] = '\0';
	names->count++;
}

static void
try_template(const char *body)
{
	static const WaPair none[] = {{"a", NULL}};
	WaPair		values[MAX_VALUES];
	Names		names;
	char	   *text;
	char	   *missing;
	size_t		i;
	bool		ok;

	memset(&names, 0, sizeof(names));
	names.all = true;
	ok = wa_text_placeholders(body, collect, &names);
	PROMISE(wa_text_placeholders(body, NULL, NULL) == ok);

	/* Without values: all are missing, or there was nothing to fill in. */
	errno = 0;
	missing = NULL;
	text = wa_text_render(body, none, 1, &missing);
	if (!ok)
		PROMISE(text == NULL && missing == NULL && errno == EINVAL);
	else if (names.count == 0 && names.all)
		PROMISE(text != NULL && missing == NULL && strcmp(text, body) == 0);
	else
		PROMISE(text == NULL && missing != NULL && missing[0] != '\0');
	free(text);
	free(missing);

	/* With all values: never NULL, and the values stay text. */
	if (!ok || !names.all)
		return;
	for (i = 0; i < names.count; i++)
	{
		values[i].name = names.name[i];
		values[i].value = (i % 2 == 0) ? "{{a}}" : body;
	}
	text = wa_text_render(body, values, names.count, &missing);
	PROMISE(text != NULL && missing == NULL);
	if (names.count > 0)
		PROMISE(strstr(text, "{{a}}") != NULL);
	free(text);
}

static void
try_value(const char *value)
{
	char	   *clean = wa_text_clean_value(value);
	bool		nothing = wa_text_is_nothing(value);
	char	   *again;
	size_t		i;

	PROMISE(clean != NULL);
	PROMISE(clean[0] != '\0' && clean[0] != ' ');
	PROMISE(clean[strlen(clean) - 1] != ' ');
	PROMISE(strstr(clean, "  ") == NULL);
	for (i = 0; clean[i] != '\0'; i++)
		PROMISE((unsigned char) clean[i] >= 0x20 && clean[i] != 0x7f);
	/* blank before the cleaning is blank after it; a word stays one */
	PROMISE(!nothing || wa_text_is_nothing(clean));
	again = wa_text_clean_value(clean);
	PROMISE(again != NULL && strcmp(again, clean) == 0);
	free(again);

	PROMISE(wa_text_length(value) <= strlen(value));
	PROMISE(wa_text_length(value) * 4 >= strlen(value));
	if (strcmp(clean, "-") != 0)
		PROMISE(wa_text_length(clean) <= wa_text_length(value));
	free(clean);
}

/* Marks around a message change nothing of what it says, nor does its case. */
static void
try_keyword(const char *text)
{
	static const char *const words = "STOP,Budi Santoso, caf\xc3\xa9,\xef\xbc\x8b" "1";
	bool		is = wa_text_is_keyword(text, words);
	char	   *around = malloc(strlen(text) + 16);
	size_t		n;

	PROMISE(around != NULL);
	n = (size_t) sprintf(around, "\xe2\x80\x8b*%s!\n\xc2\xa0", text);
	PROMISE(wa_text_is_keyword(around, words) == is);
	for (size_t i = 0; i < n; i++)
	{
		if (around[i] >= 'a' && around[i] <= 'z')
			around[i] = (char) (around[i] - 'a' + 'A');
	}
	PROMISE(wa_text_is_keyword(around, words) == is);
	free(around);

	/* any list of words, the message itself among them */
	(void) wa_text_is_keyword("stop", text);
	(void) wa_text_is_keyword(text, text);
}

/* libFuzzer's entry.  Takes any bytes; what follows a NUL does not count. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *input;

	if (size > MAX_INPUT)
		size = MAX_INPUT;

	/* A block of its own size, so that ASan sees the first byte too far. */
	input = malloc(size + 1);
	if (input == NULL)
		return 0;
	if (size > 0)
		memcpy(input, data, size);
	input[size] = '\0';
	current = input;

	try_number(input);
	try_not_glued(input);
	try_mask(input);
	try_first_wins(input);
	try_template(input);
	try_value(input);
	try_keyword(input);

	current = "";
	free(input);
	return 0;
}

#ifdef STANDALONE

static const char *const seeds[] = {
	"0812-3456-7890", "+62 812-3456-7890", "62812345678.0", "8.12E+11",
	"HP: 0812 3456 7890 (istri)", "021-5550000 / 081234567890",
	"0628-20123 081234567890", "(+62) 0812.3456.7890", "+626281234567890",
	"081234567890 atau 081398765432", "+44 (0)7911 123456", "0065 9123 4567",
	"\xe2\x80\xaa+62\xc2\xa0" "812\xe2\x80\x91" "3456\xe2\x80\x91" "7890\xe2\x80\xac",
	"\xef\xbc\x8b\xef\xbc\x96\xef\xbc\x92 81234567890", "0812/3456/7890",
	"0812345678xx", "6281234567890@c.us", "1. 081234567890\n2. 081398765432",
	"Yth. {{partner_name}}, izin {{permit_type}} nomor {{permit_number}}",
	"{{a}}{{ b }}{{a}}", "{{a} {{", "{{{a}}}", "{{1}}, {{2}}",
	"  Budi\t\r\nSantoso  ", "\"quoted\" \\ / \x01", "\xf0\x9f\x93\x84 Caf\xc3\xa9",
	"STOP", "\"Stop.\" ", "jangan stop", "\xf0\x9f\x9b\x91 \xef\xbc\xb3TOP", ""
};

static const char *const pieces[] = {
	"0", "8", "62", "+62", "0812", "34567890", "021", " ", "-", ".", "(", ")",
	"/", ",", "\n", "x", "WA", "+", "@", "{{", "}}", "{{a}}", "a", "\t", "...",
	"\xc2\xa0", "\xe2\x80\x8b", "\xe2\x80\x91", "\xff", "\xed\xa0\x80", "\xf0\x9f",
	"*", "(0)", " dan ", "E+11", "\xef\xbc\x90", "\\", "00"
};

#define lengthof(a)		(sizeof(a) / sizeof((a)[0]))

/* splitmix64: the same sequence on every machine */
static uint64_t random_state;

static size_t
below(size_t n)
{
	uint64_t	z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (size_t) ((z ^ (z >> 31)) % n);
}

/* Change the size bytes of buf a little; returns the new size. */
static size_t
mutate(uint8_t *buf, size_t size)
{
	const char *piece = NULL;
	size_t		at = below(size + 1);
	size_t		len;

	switch (below(6))
	{
		case 0:					/* one byte becomes any other */
			if (at < size)
				buf[at] = (uint8_t) (1 + below(255));
			return size;
		case 1:					/* one digit becomes another */
			if (at < size)
				buf[at] = (uint8_t) ('0' + below(10));
			return size;
		case 2:					/* cut some out */
			len = below(size - at + 1);
			if (len > 4)
				len = 1 + below(4);
			memmove(buf + at, buf + at + len, size - at - len);
			return size - len;
		case 3:					/* append a seed */
			piece = seeds[below(lengthof(seeds))];
			at = size;
			break;
		default:				/* insert a piece */
			piece = pieces[below(lengthof(pieces))];
			break;
	}
	len = strlen(piece);
	if (size + len > MAX_INPUT)
		return size;
	memmove(buf + at + len, buf + at, size - at);
	memcpy(buf + at, piece, len);
	return size + len;
}

/* Each into a file of this folder. */
static int
write_seeds(const char *folder)
{
	for (size_t i = 0; i < lengthof(seeds); i++)
	{
		char		path[4096];
		FILE	   *file;

		snprintf(path, sizeof(path), "%s/seed-%zu", folder, i);
		file = fopen(path, "wb");
		if (file == NULL || fputs(seeds[i], file) == EOF || fclose(file) != 0)
		{
			perror(path);
			return 1;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static uint8_t buf[MAX_INPUT];
	unsigned long iterations = 100000;
	unsigned long i;
	unsigned long usable = 0;

	if (argc > 2 && strcmp(argv[1], "seeds") == 0)
		return write_seeds(argv[2]);
	if (argc > 1)
		iterations = strtoul(argv[1], NULL, 10);
	random_state = argc > 2 ? strtoul(argv[2], NULL, 10) : 20251128;

	for (i = 0; i < iterations; i++)
	{
		const char *seed = seeds[i % lengthof(seeds)];
		size_t		size = strlen(seed);
		size_t		changes = i < lengthof(seeds) ? 0 : 1 + below(12);
		char		copy[MAX_INPUT + 1];
		char		out[WA_NUMBER_SIZE];

		memcpy(buf, seed, size);
		while (changes-- > 0)
			size = mutate(buf, size);
		LLVMFuzzerTestOneInput(buf, size);

		memcpy(copy, buf, size);
		copy[size] = '\0';
		if (wa_text_normalize_number(copy, out))
			usable++;
	}

	/* A run that never found a number has tested nothing. */
	printf("fuzz text: %lu inputs, %lu with a usable number\n", iterations,
		   usable);
	return (iterations > 0 && usable > 0) ? 0 : 1;
}

#endif							/* STANDALONE */

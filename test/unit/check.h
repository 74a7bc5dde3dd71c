/*-------------------------------------------------------------------------
 *
 * check.h
 *		A very small harness for the unit test programs.
 *
 * Everything is static so that a test program is a single source file plus
 * the files under test; no library is needed on the machine that runs them.
 * A failing check prints where and what, and the run goes on: one run shows
 * all failures.  Use it so:
 *
 *		static void
 *		test_something(void)
 *		{
 *			CHECK(1 + 1 == 2);
 *			CHECK_STR(get(), "expected");
 *			CHECK_INT(count(), 3);
 *		}
 *
 *		int
 *		main(void)
 *		{
 *			CHECK_RUN(test_something);
 *			return check_finish("something");
 *		}
 *
 * check_finish() prints the one line "unit something: N passed, N failed"
 * and returns the program's exit status: 0 only if at least one check ran
 * and none failed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CHECK_H
#define SICANTIK_WA_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if defined(__GNUC__)
#define CHECK_UNUSED	__attribute__((unused))
#else
#define CHECK_UNUSED
#endif

static long check_passed = 0;
static long check_failed = 0;
static const char *check_test = "(no test)";

/*
 * Print s in double quotes with everything unprintable escaped, so that a
 * failure about an invisible character can be understood.
 */
static CHECK_UNUSED void
check_print_quoted(const char *s)
{
	const unsigned char *p;

	if (s == NULL)
	{
		fputs("NULL", stderr);
		return;
	}
	fputc('"', stderr);
	for (p = (const unsigned char *) s; *p != '\0'; p++)
	{
		if (*p == '"' || *p == '\\')
			fprintf(stderr, "\\%c", *p);
		else if (*p >= 0x20 && *p < 0x7f)
			fputc(*p, stderr);
		else
			fprintf(stderr, "\\x%02x", *p);
	}
	fputc('"', stderr);
}

/* Count one check; on failure say where.  Returns ok. */
static CHECK_UNUSED bool
check_note(bool ok, const char *file, int line, const char *what)
{
	if (ok)
	{
		check_passed++;
		return true;
	}
	check_failed++;
	fprintf(stderr, "%s:%d: %s: failed: %s\n", file, line, check_test, what);
	return false;
}

/* Compare two strings; NULL equals only NULL.  Returns whether equal. */
static CHECK_UNUSED bool
check_strings(const char *got, const char *want, const char *file, int line,
			  const char *what)
{
	bool		ok;

	if (got == NULL || want == NULL)
		ok = (got == want);
	else
		ok = (strcmp(got, want) == 0);
	if (!check_note(ok, file, line, what))
	{
		fputs("\tgot      ", stderr);
		check_print_quoted(got);
		fputs("\n\texpected ", stderr);
		check_print_quoted(want);
		fputc('\n', stderr);
	}
	return ok;
}

/* Compare two integers.  Returns whether equal. */
static CHECK_UNUSED bool
check_ints(long long got, long long want, const char *file, int line,
		   const char *what)
{
	bool		ok = (got == want);

	if (!check_note(ok, file, line, what))
		fprintf(stderr, "\tgot      %lld\n\texpected %lld\n", got, want);
	return ok;
}

/* Begin a named test; the name appears in every failure message. */
static CHECK_UNUSED void
check_begin(const char *name)
{
	check_test = name;
}

/* Print the summary line; returns the exit status for main(). */
static CHECK_UNUSED int
check_finish(const char *program)
{
	fflush(stderr);
	printf("unit %s: %ld passed, %ld failed\n", program, check_passed,
		   check_failed);
	fflush(stdout);
	return (check_failed == 0 && check_passed > 0) ? 0 : 1;
}

/* Each evaluates its arguments once and yields whether the check held. */
#define CHECK(cond) \
	check_note((cond) ? true : false, __FILE__, __LINE__, #cond)
#define CHECK_STR(got, want) \
	check_strings((got), (want), __FILE__, __LINE__, #got " is " #want)
#define CHECK_INT(got, want) \
	check_ints((long long) (got), (long long) (want), __FILE__, __LINE__, \
			   #got " is " #want)

/* As the above, but reported at a place of the caller's (a table, a file). */
#define CHECK_AT(file, line, cond) \
	check_note((cond) ? true : false, (file), (line), #cond)
#define CHECK_STR_AT(file, line, got, want) \
	check_strings((got), (want), (file), (line), #got " is " #want)

/* Run one test function under its own name. */
#define CHECK_RUN(fn) \
	do { \
		check_begin(#fn); \
		fn(); \
	} while (0)

#endif							/* SICANTIK_WA_CHECK_H */

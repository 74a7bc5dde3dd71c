/*-------------------------------------------------------------------------
 *
 * failing.h
 *		Memory that runs out at a chosen moment.
 *
 * The program's own malloc() and the like stand before those of the C library
 * (or of the address sanitizer), so what libraries ask for is seen as well.
 * Only what a thread asks for between failing_on() and failing_off() counts.
 * There are three ways to run out of it:
 *
 *	FAILING_OURS	the n-th time that our own code asks, whatever its size;
 *	FAILING_ANY		the n-th time that anybody asks;
 *	FAILING_HEAP	there are n bytes in all.
 *
 * With failing_all each request behind the n-th is refused, too.
 *
 * One program is one source file that includes this.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TEST_FAILING_H
#define SICANTIK_WA_TEST_FAILING_H

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAILING_UNDER_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FAILING_UNDER_ASAN
#endif

#ifdef FAILING_UNDER_ASAN
#define FAILING_REAL(name)	__interceptor_##name
#else
#define FAILING_REAL(name)	__libc_##name
#endif

/* The loader asks for memory before the sanitizers are ready to look at what is read. */
#define FAILING_EARLY __attribute__((no_sanitize("address", "undefined")))

extern void *FAILING_REAL(malloc) (size_t size);
extern void *FAILING_REAL(calloc) (size_t n, size_t size);
extern void *FAILING_REAL(realloc) (void *old, size_t size);
extern void FAILING_REAL(free) (void *block);

/* The program's own code, by the linker. */
extern char __executable_start;
extern char etext;

typedef enum FailingWay
{
	FAILING_NOT,
	FAILING_OURS,
	FAILING_ANY,
	FAILING_HEAP
} FailingWay;

static __thread FailingWay failing_way = FAILING_NOT;
static __thread long failing_limit = 0;
static __thread bool failing_all = false;
static __thread bool failing_counts = false;
static __thread long failing_used = 0;	/* requests, or bytes */
static __thread long failing_refused = 0;

/* Is this request, by the code at "caller", to be refused? */
FAILING_EARLY static bool
failing_refuses(size_t size, const void *caller)
{
	bool		refuse;

	if (!failing_counts || failing_way == FAILING_NOT)
		return false;
	if (failing_way == FAILING_HEAP)
		refuse = (size_t) failing_limit < size || failing_used > failing_limit - (long) size;
	else
	{
		if (failing_way == FAILING_OURS &&
			((const char *) caller < &__executable_start || (const char *) caller >= &etext))
			return false;
		failing_used++;
		refuse = failing_used == failing_limit || (failing_all && failing_used > failing_limit);
	}
	if (refuse)
	{
		failing_refused++;
		errno = ENOMEM;
	}
	return refuse;
}

/* What is held changes by the size of this block. */
FAILING_EARLY static void *
failing_holds(void *block)
{
	if (failing_counts && failing_way == FAILING_HEAP && block != NULL)
		failing_used += (long) malloc_usable_size(block);
	return block;
}

FAILING_EARLY static void
failing_releases(void *block)
{
	if (failing_way == FAILING_HEAP && block != NULL)
		failing_used -= (long) malloc_usable_size(block);
}

FAILING_EARLY void *
malloc(size_t size)
{
	if (failing_refuses(size, __builtin_return_address(0)))
		return NULL;
	return failing_holds(FAILING_REAL(malloc) (size));
}

FAILING_EARLY void *
calloc(size_t n, size_t size)
{
	if (failing_refuses(n * size, __builtin_return_address(0)))
		return NULL;
	return failing_holds(FAILING_REAL(calloc) (n, size));
}

FAILING_EARLY void *
realloc(void *old, size_t size)
{
	if (failing_refuses(size, __builtin_return_address(0)))
		return NULL;
	failing_releases(old);
	return failing_holds(FAILING_REAL(realloc) (old, size));
}

FAILING_EARLY void
free(void *block)
{
	failing_releases(block);
	FAILING_REAL(free) (block);
}

FAILING_EARLY char *
strndup(const char *text, size_t size)
{
	size_t		len = strnlen(text, size);
	char	   *copy;

	if (failing_refuses(len + 1, __builtin_return_address(0)))
		return NULL;
	copy = failing_holds(FAILING_REAL(malloc) (len + 1));
	copy[len] = '\0';
	return memcpy(copy, text, len);
}

FAILING_EARLY char *
strdup(const char *text)
{
	size_t		size = strlen(text) + 1;

	if (failing_refuses(size, __builtin_return_address(0)))
		return NULL;
	return memcpy(failing_holds(FAILING_REAL(malloc) (size)), text, size);
}

/* From now on memory runs out so. */
static void
failing_begin(FailingWay way, long limit, bool all)
{
	failing_way = way;
	failing_limit = limit;
	failing_all = all;
	failing_used = 0;
	failing_refused = 0;
}

static void
failing_on(void)
{
	failing_counts = true;
}

static void
failing_off(void)
{
	failing_counts = false;
}

/* Has anything been refused since failing_begin()? */
static bool
failing_has(void)
{
	return failing_refused > 0;
}

#endif							/* SICANTIK_WA_TEST_FAILING_H */

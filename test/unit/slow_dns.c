/*-------------------------------------------------------------------------
 *
 * slow_dns.c
 *		A name server that hangs, for one family of names.
 *
 * Preloaded in front of libc by http_test: a lookup of a name that ends in
 * ".slow.test" takes SLOW_SECONDS and then fails; all others are answered by
 * libc.  A program cannot make its own resolver hang in any other way that
 * works on every machine.
 *
 *		cc -shared -fPIC -o slow_dns.so slow_dns.c -ldl
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define SLOW_SECONDS	6

typedef int (*LookupFn) (const char *, const char *, const struct addrinfo *,
						 struct addrinfo **);

/* Takes the place of libc's function of this name. */
int
getaddrinfo(const char *restrict name, const char *restrict service,
			const struct addrinfo *restrict hints,
			struct addrinfo **restrict found)
{
	static const char ending[] = ".slow.test";
	LookupFn	next;
	size_t		len = name ? strlen(name) : 0;

	if (len >= sizeof(ending) &&
		strcmp(name + len - (sizeof(ending) - 1), ending) == 0)
	{
		sleep(SLOW_SECONDS);
		return EAI_AGAIN;
	}
	*(void **) &next = dlsym(RTLD_NEXT, "getaddrinfo");
	return next ? next(name, service, hints, found) : EAI_FAIL;
}

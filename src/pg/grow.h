/*-------------------------------------------------------------------------
 *
 * grow.h
 *		Lists and strings that grow.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GROW_H
#define SICANTIK_WA_GROW_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

/*
 * The palloc()ed list of n elements with room for "more" further ones.  A list
 * that is NULL begins in the current context; it stays in the one in which it
 * began.  How much room there is follows from n, which must not be changed but
 * by what was made room for.
 */
static inline void *
wa_pg_grow(void *list, size_t element, int n, int more)
{
	uint32		before = pg_nextpower2_32(Max(n, 8));
	uint32		after = pg_nextpower2_32(Max(n + more, 8));

	if (list == NULL)
		return MemoryContextAllocHuge(CurrentMemoryContext, element * after);
	return after > before ? repalloc_huge(list, element * after) : list;
}

#define WA_ROOM_FOR(list, n, more)	((list) = wa_pg_grow((list), sizeof(*(list)), (n), (more)))

/*
 * What has been written, in as much memory as it needs, for strings of which
 * there are many: the buffer, 1 kB at the least, is given back.
 */
static inline char *
wa_pg_fitted(StringInfo buffer)
{
	char	   *string = pnstrdup(buffer->data, buffer->len);

	pfree(buffer->data);
	buffer->data = NULL;
	return string;
}

#endif							/* SICANTIK_WA_GROW_H */

/*-------------------------------------------------------------------------
 *
 * memory.c
 *		What a worker's allocator keeps of the memory that was freed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "worker/process.h"

/*
 * A batch's memory contexts are deleted at its end, and glibc would give most
 * of that back to the kernel (mallopt(3): freed blocks of 128 kB and more are
 * unmapped, the heap is trimmed above 128 kB), only to ask for it again, page
 * fault by page fault, a moment later.  That was a fifth of what a message
 * costs.  So a worker keeps up to KEPT_BYTES; only a single block of
 * UNMAPPED_BYTES, twice the largest one of a memory context (AllocSet's
 * maxBlockSize is 8 MB), is returned at once.  An idle worker leaves after
 * sicantik_wa.worker_idle_timeout, and takes all of it along.
 */
#define KEPT_BYTES		(32 * 1024 * 1024)
#define UNMAPPED_BYTES	(16 * 1024 * 1024)

void
wa_worker_keep_memory(void)
{
#ifdef __GLIBC__
	(void) mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	(void) mallopt(M_MMAP_THRESHOLD, UNMAPPED_BYTES);
	(void) mallopt(M_TOP_PAD, 1024 * 1024);
#endif
}

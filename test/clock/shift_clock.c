/*-------------------------------------------------------------------------
 *
 * shift_clock.c
 *		Preloaded (LD_PRELOAD) into a server whose clock a test sets.
 *
 * The wall clock is off by the seconds that the file named by
 * WA_TEST_CLOCK_FILE holds: one int64 in the machine's byte order, mapped into
 * memory, so that a test changes it at once for all processes.  The monotonic
 * clock is left alone.  No locks: PostgreSQL asks for the time in signal
 * handlers, too.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_s = NULL;

__attribute__((constructor))
static void
map_offset(void)
{
	const char *name = getenv("WA_TEST_CLOCK_FILE");
	int			fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	void	   *page;

	if (fd < 0)
		return;
	page = mmap(NULL, sizeof(*offset_s), PROT_READ, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED)
		offset_s = page;
	close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	int			rc = (int) syscall(SYS_clock_gettime, clock, ts);

	if (rc == 0 && offset_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += (time_t) *offset_s;
	return rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void) zone;
	if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
		return -1;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *result)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
		return (time_t) -1;
	if (result)
		*result = ts.tv_sec;
	return ts.tv_sec;
}

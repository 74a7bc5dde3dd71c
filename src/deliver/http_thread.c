/*-------------------------------------------------------------------------
 *
 * http_thread.c
 *		The HTTP engine in a thread of its own.
 *
 * To write a request, to read its answer, and what the kernel does for both, is
 * a third of what a message costs its worker.  The engine and its libcurl touch
 * nothing of PostgreSQL, so a thread can do that while the worker writes the
 * results of other messages: the thread has the engine for itself, from
 * wa_http_thread_open() to wa_http_thread_close(), and the two share nothing but
 * what lies in WaHttpThread under its lock: a list of requests, a list of
 * answers, and what is wanted of the thread.
 *
 * All signals are blocked in the thread, or the server's handlers, which are
 * not made for it, would run there.  It never raises errors and never calls the
 * server.  The process must not exit() while it runs, because a TLS library
 * tidies up at exit: its owner closes it before.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "deliver/http_thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/*
 * Requests that the engine is given at once.  The answers to the first of them
 * are for the owner to work on while the others are written.
 */
#define BEGIN_BATCH		16

/*
 * A few answers cost their owner nearly as much as many.  So they are kept until
 * there are so many, or as many as still run, but not for longer than this, in
 * milliseconds.
 */
#define KEEP_MS			2
#define KEEP_BATCH		24

/* One request on its way to the engine, or its answer on the way back. */
typedef struct Job
{
	struct Job *next;
	uint64_t	tag;
	WaRequest	request;		/* empty, once the engine has it */
	long		timeout_ms;
	bool		may_be_plain;
	WaHttpAnswer answer;
} Job;

/* Jobs, oldest first. */
typedef struct Jobs
{
	Job		   *first;
	Job		  **end;
} Jobs;

struct WaHttpThread
{
	WaHttp	   *http;			/* the thread's, once it has started */
	WaHttpRead	read;			/* or NULL */
	pthread_t	thread;
	bool		started;
	int			wanted_fd;		/* eventfd: the thread has something to do */
	int			answered_fd;	/* eventfd: answers is not empty */

	/* the owner's */
	Jobs		prepared;		/* submitted, and not yet shown to the thread */
	Jobs		taken;			/* answers that it took from the thread */
	size_t		in_flight;

	/* shared, under lock */
	pthread_mutex_t lock;
	pthread_cond_t aborted;
	Jobs		wanted;
	Jobs		answers;
	bool		abort;			/* end all that runs */
	bool		stop;			/* end the thread */
};

static void
empty(Jobs *jobs)
{
	jobs->first = NULL;
	jobs->end = &jobs->first;
}

static void
append(Jobs *jobs, Job *job)
{
	job->next = NULL;
	*jobs->end = job;
	jobs->end = &job->next;
}

static Job *
take(Jobs *jobs)
{
	Job		   *job = jobs->first;

	if (job == NULL)
		return NULL;
	jobs->first = job->next;
	if (jobs->first == NULL)
		jobs->end = &jobs->first;
	return job;
}

/* Put all of from behind those of to; from is empty then. */
static void
move_all(Jobs *to, Jobs *from)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	empty(from);
}

static void
free_job(Job *job)
{
	wa_gateway_request_free(&job->request);
	wa_http_answer_free(&job->answer);
	free(job);
}

static void
free_all(Jobs *jobs)
{
	Job		   *job;

	while ((job = take(jobs)) != NULL)
		free_job(job);
}

/* An eventfd is a counter: neither call can have to wait. */
static void
signal_fd(int fd)
{
	uint64_t	one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void
clear_fd(int fd)
{
	uint64_t	count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

/* ---- the thread ---------------------------------------------------------- */

/* What the thread knows. */
typedef struct Run
{
	WaHttp	   *http;
	WaHttpRead	read;
	Jobs		waiting;		/* for the engine */
	size_t		nrunning;		/* in it */
	Jobs		over;			/* answered, and kept for a moment */
	size_t		nover;
	int64_t		kept_since;		/* the oldest of them, milliseconds */
} Run;

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* It is over. */
static void
keep(Run *run, Job *job)
{
	job->answer.tag = job->tag;
	if (run->read)
		run->read(job->tag, &job->answer);
	if (run->nover++ == 0)
		run->kept_since = now_ms();
	append(&run->over, job);
}

/* Give the next ones to the engine; what that does not take has not been sent. */
static void
begin_jobs(Run *run, bool all)
{
	Job		   *job;

	for (int i = 0; (all || i < BEGIN_BATCH) && (job = take(&run->waiting)) != NULL; i++)
	{
		WaSaidText	why;

		if (wa_http_submit(run->http, (uint64_t) (uintptr_t) job, &job->request, job->timeout_ms,
						   job->may_be_plain, &why))
		{
			run->nrunning++;
			continue;
		}
		job->answer.result = WA_HTTP_NOT_SENT;
		job->answer.retry_after_s = -1;
		job->answer.error = why;
		keep(run, job);
	}
}

static void
collect(Run *run)
{
	WaHttpAnswer answer;

	while (wa_http_next(run->http, &answer))
	{
		Job		   *job = (Job *) (uintptr_t) answer.tag;

		job->answer = answer;
		run->nrunning--;
		keep(run, job);
	}
}

/* How long the thread may sleep; -1: until something happens. */
static int
sleep_ms(const Run *run)
{
	int64_t		left;

	if (run->waiting.first != NULL)
		return 0;
	if (run->nover == 0)
		return -1;
	left = run->kept_since + KEEP_MS - now_ms();
	return left > 0 ? (int) left : 0;
}

static bool
is_time(const Run *run)
{
	return run->nover >= KEEP_BATCH ||
		(run->nover > 0 && ((run->nover >= run->nrunning && run->waiting.first == NULL) ||
							now_ms() - run->kept_since >= KEEP_MS));
}

static void *
run_thread(void *argument)
{
	WaHttpThread *self = argument;
	Run			run = {.http = self->http,.read = self->read};
	struct pollfd fds[2] = {
		{.fd = self->wanted_fd,.events = POLLIN},
		{.fd = wa_http_fd(self->http),.events = POLLIN},
	};
	bool		stop = false;

	empty(&run.waiting);
	empty(&run.over);
	while (!stop)
	{
		bool		abort_all;

		if (poll(fds, 2, sleep_ms(&run)) < 0)
			fds[0].revents = POLLIN;

		pthread_mutex_lock(&self->lock);
		if (fds[0].revents != 0)
			clear_fd(self->wanted_fd);
		move_all(&run.waiting, &self->wanted);
		abort_all = self->abort;
		stop = self->stop;
		pthread_mutex_unlock(&self->lock);

		begin_jobs(&run, abort_all);
		if (abort_all)
			wa_http_abort_all(self->http);
		else
			wa_http_drive(self->http);
		collect(&run);
		if (!abort_all && !stop && !is_time(&run))
			continue;

		pthread_mutex_lock(&self->lock);
		if (run.over.first != NULL && self->answers.first == NULL)
			signal_fd(self->answered_fd);
		move_all(&self->answers, &run.over);
		run.nover = 0;
		if (abort_all)
		{
			self->abort = false;
			pthread_cond_signal(&self->aborted);
		}
		pthread_mutex_unlock(&self->lock);
	}

	/*
	 * whoever stops it wants no answers; what libcurl may still point to goes
	 * last
	 */
	wa_http_abort_all(self->http);
	collect(&run);
	wa_http_close(self->http);
	free_all(&run.waiting);
	free_all(&run.over);
	return NULL;
}

/* ---- its owner ----------------------------------------------------------- */

/*
 * Open an engine in a thread of its own.  As wa_http_open(); two descriptors
 * and one thread more.  read: see its type; NULL: nothing is done there.
 */
WaHttpThread *
wa_http_thread_open(const WaHttpOptions *options, WaHttpRead read, char *err, size_t err_size)
{
	WaHttpThread *self = calloc(1, sizeof(WaHttpThread));
	WaHttpOptions masked = *options;
	sigset_t	all;
	sigset_t	mask;
	int			rc;

	if (self == NULL)
	{
		snprintf(err, err_size, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->aborted, NULL);
	empty(&self->prepared);
	empty(&self->taken);
	empty(&self->wanted);
	empty(&self->answers);
	self->read = read;
	self->answered_fd = -1;
	self->wanted_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (self->wanted_fd >= 0)
		self->answered_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (self->answered_fd < 0)
	{
		snprintf(err, err_size, "could not open a descriptor for HTTP: %s", strerror(errno));
		wa_http_thread_close(self);
		return NULL;
	}
	/* the thread inherits the mask, and its engine relies on it */
	masked.signals_blocked = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	self->http = wa_http_open(&masked, err, err_size);
	if (self->http)
	{
		rc = pthread_create(&self->thread, NULL, run_thread, self);
		self->started = rc == 0;
		if (!self->started)
			snprintf(err, err_size, "could not start a thread for HTTP: %s", strerror(rc));
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (!self->started)
	{
		wa_http_thread_close(self);
		return NULL;
	}
	return self;
}

/*
 * End the thread and its engine, NULL allowed.  What still runs is cut off, and
 * its answers, like those not taken yet, are lost: as wa_http_close().
 */
void
wa_http_thread_close(WaHttpThread *self)
{
	if (self == NULL)
		return;
	if (self->started)
	{
		pthread_mutex_lock(&self->lock);
		self->stop = true;
		pthread_mutex_unlock(&self->lock);
		signal_fd(self->wanted_fd);
		pthread_join(self->thread, NULL);
	}
	else
		wa_http_close(self->http);
	free_all(&self->prepared);
	free_all(&self->taken);
	free_all(&self->wanted);
	free_all(&self->answers);
	if (self->wanted_fd >= 0)
		close(self->wanted_fd);
	if (self->answered_fd >= 0)
		close(self->answered_fd);
	pthread_cond_destroy(&self->aborted);
	pthread_mutex_destroy(&self->lock);
	free(self);
}

/*
 * The descriptor to wait for: readable while the thread has answers that were
 * not taken.  It stays the same until wa_http_thread_close().
 */
int
wa_http_thread_fd(const WaHttpThread *self)
{
	return self->answered_fd;
}

/*
 * Prepare a transfer, with what wa_http_submit() takes; wa_http_thread_begin()
 * begins it, and those prepared before.  On success *req is emptied, and an
 * answer will come, in any case: also where the engine does not accept the
 * request, which has not been sent then.  On failure, want of memory, *req is
 * untouched, and a sentence is in err.
 */
bool
wa_http_thread_submit(WaHttpThread *self, uint64_t tag, WaRequest *req,
					  long timeout_ms, bool may_be_plain, WaSaidText *err)
{
	Job		   *job = calloc(1, sizeof(Job));

	if (job == NULL)
	{
		wa_say_into(err, WA_SAY_OUT_OF_MEMORY);
		return false;
	}
	job->tag = tag;
	job->request = *req;
	memset(req, 0, sizeof(*req));
	job->timeout_ms = timeout_ms;
	job->may_be_plain = may_be_plain;
	append(&self->prepared, job);
	self->in_flight++;
	return true;
}

/* Show the thread what was prepared. */
void
wa_http_thread_begin(WaHttpThread *self)
{
	if (self->prepared.first == NULL)
		return;
	pthread_mutex_lock(&self->lock);
	move_all(&self->wanted, &self->prepared);
	pthread_mutex_unlock(&self->lock);
	signal_fd(self->wanted_fd);
}

/*
 * Take the oldest answer; does not wait.  Returns false if there is none.  On
 * true the strings in *answer are the caller's: wa_http_answer_free().
 */
bool
wa_http_thread_next(WaHttpThread *self, WaHttpAnswer *answer)
{
	Job		   *job;

	if (self->taken.first == NULL)
	{
		pthread_mutex_lock(&self->lock);
		if (self->answers.first != NULL)
			clear_fd(self->answered_fd);
		move_all(&self->taken, &self->answers);
		pthread_mutex_unlock(&self->lock);
	}
	job = take(&self->taken);
	if (job == NULL)
		return false;
	*answer = job->answer;
	memset(&job->answer, 0, sizeof(job->answer));
	free_job(job);
	self->in_flight--;
	return true;
}

/* How many were submitted whose answers were not taken yet. */
size_t
wa_http_thread_in_flight(const WaHttpThread *self)
{
	return self->in_flight;
}

/*
 * End every transfer now, also those that have not begun; returns when their
 * answers can be taken (wa_http_abort_all()).
 */
void
wa_http_thread_abort_all(WaHttpThread *self)
{
	wa_http_thread_begin(self);
	pthread_mutex_lock(&self->lock);
	self->abort = true;
	signal_fd(self->wanted_fd);
	while (self->abort)
		pthread_cond_wait(&self->aborted, &self->lock);
	pthread_mutex_unlock(&self->lock);
}

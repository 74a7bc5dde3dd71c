/*-------------------------------------------------------------------------
 *
 * static_server.c
 *		A provider that always says yes, fast, and remembers when.
 *
 * One thread, epoll, HTTP/1.1 with keep-alive, loopback only.  It exists so
 * that a benchmark measures the sender and not the simulator: it reads whole
 * requests, answers a fixed success body (with an id of its own for each
 * request) and keeps, per request, a marker found in the request and the
 * time of arrival.  A benchmark that puts the marker into the message text
 * gets the time from COMMIT to wire by joining the two.
 *
 * The time is taken when the last byte of a request has been read, with
 * CLOCK_REALTIME, the clock of PostgreSQL's clock_timestamp().
 *
 * It allocates only at the start and per connection; the table of arrivals
 * has a fixed size, and keeps the last ones.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARRIVALS	200000
#define MARKER_SIZE		32
#define REQUEST_SIZE	65536	/* head and body of one request at most */
#define MAX_EVENTS		256

/* One request that came. */
typedef struct Arrival
{
	char		marker[MARKER_SIZE];
	int64_t		time_us;
} Arrival;

/* One client.  Slots are never freed; their buffers go to the next client. */
typedef struct Client
{
	int			fd;				/* -1: slot unused */
	uint32_t	generation;		/* tells a reused slot from the old client */
	bool		waiting;		/* its answer is delayed */
	bool		close_after;	/* asked for Connection: close */
	size_t		length;			/* bytes in the buffer */
	char	   *buffer;			/* REQUEST_SIZE + 1, NUL-terminated */
	char	   *out;			/* what the socket did not take yet */
	size_t		out_length;
} Client;

/* A delayed answer; all have the same delay, so the queue is in order. */
typedef struct Delayed
{
	int			slot;
	uint32_t	generation;
	uint64_t	serial;
	int64_t		due_us;			/* CLOCK_MONOTONIC */
} Delayed;

typedef enum Style
{
	STYLE_FONNTE,
	STYLE_WATZAP,
	STYLE_META
} Style;

static Style style = STYLE_FONNTE;
static const char *marker_prefix = "id=";
static int64_t delay_us = 0;

static Arrival *arrivals;
static uint64_t count = 0;
static int64_t first_us = 0;
static int64_t last_us = 0;

static Client *clients;
static int	nslots;
static Delayed *delayed;		/* ring of nslots entries */
static int	delayed_first = 0;
static int	delayed_count = 0;
static int	epoll_fd;
static int	timer_fd;

static void serve_buffer(int slot);

static void
fail(const char *what)
{
	fprintf(stderr, "static_server: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *
must_alloc(size_t number, size_t size)
{
	void	   *made = calloc(number, size);

	if (made == NULL)
		fail("out of memory");
	return made;
}

static int64_t
now_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
drop_client(int slot)
{
	Client	   *client = &clients[slot];

	close(client->fd);
	client->fd = -1;
	client->generation++;
	client->waiting = false;
	client->length = 0;
	free(client->out);
	client->out = NULL;
	client->out_length = 0;
}

/* Ask epoll for readability, and for room to write if bytes are waiting. */
static void
watch(int slot, int operation)
{
	struct epoll_event event = {0};

	event.events = EPOLLIN | (clients[slot].out ? EPOLLOUT : 0);
	event.data.u32 = (uint32_t) slot;
	if (epoll_ctl(epoll_fd, operation, clients[slot].fd, &event) < 0)
		fail("epoll_ctl");
}

/*
 * Send bytes; keeps what the socket does not take.  Returns false if the
 * client is gone (the slot is free then).
 */
static bool
push(int slot, const char *data, size_t length)
{
	Client	   *client = &clients[slot];
	ssize_t		sent = 0;

	if (client->out == NULL)
	{
		sent = send(client->fd, data, length, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
		{
			drop_client(slot);
			return false;
		}
		if (sent < 0)
			sent = 0;
		if ((size_t) sent == length)
			return true;
	}
	client->out = realloc(client->out,
						  client->out_length + length - (size_t) sent);
	if (client->out == NULL)
		fail("out of memory");
	memcpy(client->out + client->out_length, data + sent,
		   length - (size_t) sent);
	client->out_length += length - (size_t) sent;
	watch(slot, EPOLL_CTL_MOD);
	return true;
}

/* Send what is left over.  Returns false if the client is gone. */
static bool
flush(int slot)
{
	Client	   *client = &clients[slot];
	ssize_t		sent;

	sent = send(client->fd, client->out, client->out_length, MSG_NOSIGNAL);
	if (sent < 0)
	{
		if (errno == EAGAIN || errno == EINTR)
			return true;
		drop_client(slot);
		return false;
	}
	client->out_length -= (size_t) sent;
	memmove(client->out, client->out + sent, client->out_length);
	if (client->out_length == 0)
	{
		free(client->out);
		client->out = NULL;
		watch(slot, EPOLL_CTL_MOD);
	}
	return true;
}

/* Answer with a body; closes if the client asked for that. */
static void
answer(int slot, const char *type, const char *body, size_t length)
{
	bool		close_after = clients[slot].close_after;
	char		head[256];
	int			head_length;
	char	   *all;

	head_length = snprintf(head, sizeof(head),
						   "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
						   "Content-Length: %zu\r\n%s\r\n", type, length,
						   close_after ? "Connection: close\r\n" : "");
	all = must_alloc(1, (size_t) head_length + length);
	memcpy(all, head, (size_t) head_length);
	memcpy(all + head_length, body, length);
	if (push(slot, all, (size_t) head_length + length) && close_after
		&& clients[slot].out == NULL)
		drop_client(slot);
	free(all);
}

static void
answer_success(int slot, uint64_t serial)
{
	char		body[256];
	int			length;

	if (style == STYLE_FONNTE)
		length = snprintf(body, sizeof(body),
						  "{\"detail\":\"success! message in queue\","
						  "\"id\":[\"%" PRIu64 "\"],\"process\":\"pending\","
						  "\"requestid\":%" PRIu64 ",\"status\":true,"
						  "\"target\":[\"6281234567890\"]}",
						  80000000 + serial, 2900000 + serial);
	else if (style == STYLE_WATZAP)
		length = snprintf(body, sizeof(body),
						  "{\"status\":\"200\",\"message\":\"Successfully\","
						  "\"ack\":\"successfully\"}");
	else
		length = snprintf(body, sizeof(body),
						  "{\"messaging_product\":\"whatsapp\",\"contacts\":"
						  "[{\"input\":\"6281234567890\",\"wa_id\":"
						  "\"6281234567890\"}],\"messages\":[{\"id\":"
						  "\"wamid.%" PRIu64 "\",\"message_status\":"
						  "\"accepted\"}]}", serial);
	answer(slot, "application/json", body, (size_t) length);
}

/* GET /stats: count and span, one "name<TAB>value" a line. */
static void
answer_stats(int slot)
{
	char		body[256];
	int			length;

	length = snprintf(body, sizeof(body),
					  "count\t%" PRIu64 "\nfirst_us\t%" PRId64
					  "\nlast_us\t%" PRId64 "\nkept\t%" PRIu64 "\n",
					  count, first_us, last_us,
					  count < MAX_ARRIVALS ? count : MAX_ARRIVALS);
	answer(slot, "text/tab-separated-values", body, (size_t) length);
}

/* Every kept arrival as "marker<TAB>microseconds".  Release with free(). */
static char *
dump(size_t *length)
{
	uint64_t	kept = count < MAX_ARRIVALS ? count : MAX_ARRIVALS;
	char	   *made;
	FILE	   *out = open_memstream(&made, length);

	if (out == NULL)
		fail("open_memstream");
	for (uint64_t i = count - kept; i < count; i++)
		fprintf(out, "%s\t%" PRId64 "\n", arrivals[i % MAX_ARRIVALS].marker,
				arrivals[i % MAX_ARRIVALS].time_us);
	if (fclose(out) != 0)
		fail("out of memory");
	return made;
}

static void
answer_dump(int slot)
{
	size_t		length;
	char	   *made = dump(&length);

	answer(slot, "text/tab-separated-values", made, length);
	free(made);
}

/* The characters behind the prefix, up to the first that is no name's. */
static void
find_marker(const char *text, size_t length, char *marker)
{
	const char *at = memmem(text, length, marker_prefix,
							strlen(marker_prefix));
	const char *end = text + length;
	size_t		size = 0;

	if (at != NULL)
	{
		for (at += strlen(marker_prefix); at < end; at++)
		{
			bool		fits = (*at >= '0' && *at <= '9') ||
				(*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
				*at == '_' || *at == '-';

			if (!fits || size == MARKER_SIZE - 1)
				break;
			marker[size++] = *at;
		}
	}
	marker[size] = '\0';
}

/* Count a complete request, note when it came; returns its number. */
static uint64_t
note_arrival(const char *text, size_t length)
{
	last_us = now_us(CLOCK_REALTIME);
	if (count == 0)
		first_us = last_us;
	find_marker(text, length, arrivals[count % MAX_ARRIVALS].marker);
	arrivals[count % MAX_ARRIVALS].time_us = last_us;
	return ++count;
}

static void
arm_timer(void)
{
	struct itimerspec when = {0};

	if (delayed_count > 0)
	{
		int64_t		due = delayed[delayed_first].due_us;

		when.it_value.tv_sec = due / 1000000;
		when.it_value.tv_nsec = (due % 1000000) * 1000;
	}
	if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		fail("timerfd_settime");
}

/*
 * A client has at most one answer waiting, but clients that left may have
 * entries too, until they are due: then the oldest entry is given up.
 */
static void
delay_answer(int slot, uint64_t serial)
{
	Delayed    *entry;

	if (delayed_count == nslots)
	{
		delayed_first = (delayed_first + 1) % nslots;
		delayed_count--;
	}
	entry = &delayed[(delayed_first + delayed_count) % nslots];
	entry->slot = slot;
	entry->generation = clients[slot].generation;
	entry->serial = serial;
	entry->due_us = now_us(CLOCK_MONOTONIC) + delay_us;
	clients[slot].waiting = true;
	if (delayed_count++ == 0)
		arm_timer();
}

static void
answer_delayed(void)
{
	uint64_t	ticks;

	if (read(timer_fd, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
		fail("timerfd read");
	while (delayed_count > 0 &&
		   delayed[delayed_first].due_us <= now_us(CLOCK_MONOTONIC))
	{
		Delayed		entry = delayed[delayed_first];

		delayed_first = (delayed_first + 1) % nslots;
		delayed_count--;
		if (clients[entry.slot].fd < 0 ||
			clients[entry.slot].generation != entry.generation)
			continue;
		clients[entry.slot].waiting = false;
		answer_success(entry.slot, entry.serial);
		serve_buffer(entry.slot);
	}
	arm_timer();
}

/*
 * The value of a header as a number; fallback if it is missing, -1 if it is
 * none.  head is NUL-terminated behind its last line.
 */
static long
header_number(const char *head, const char *name, long fallback)
{
	size_t		length = strlen(name);

	for (const char *line = strchr(head, '\n'); line != NULL;
		 line = strchr(line, '\n'))
	{
		line++;
		if (strncasecmp(line, name, length) == 0 && line[length] == ':')
		{
			char	   *end;
			long		value = strtol(line + length + 1, &end, 10);

			return *end == '\r' && value >= 0 ? value : -1;
		}
	}
	return fallback;
}

/*
 * Serve the requests that the buffer holds completely.  A client that sends
 * what we cannot read is dropped.
 */
static void
serve_buffer(int slot)
{
	Client	   *client = &clients[slot];
	size_t		start = 0;

	while (client->fd >= 0 && !client->waiting && client->length > start)
	{
		char	   *request = client->buffer + start;
		size_t		length = client->length - start;
		char	   *gap = memmem(request, length, "\r\n\r\n", 4);
		size_t		head_size;
		long		body_size;

		if (gap == NULL)
			break;
		head_size = (size_t) (gap - request) + 4;
		gap[2] = '\0';			/* ends the head after its last line's CRLF */
		body_size = header_number(request, "content-length", 0);
		client->close_after =
			strcasestr(request, "\r\nconnection: close\r\n") != NULL;
		gap[2] = '\r';
		if (body_size < 0 || head_size + (size_t) body_size > REQUEST_SIZE)
		{
			drop_client(slot);
			return;
		}
		if (head_size + (size_t) body_size > length)
			break;
		start += head_size + (size_t) body_size;
		if (strncmp(request, "GET /stats ", 11) == 0)
			answer_stats(slot);
		else if (strncmp(request, "GET /dump ", 10) == 0)
			answer_dump(slot);
		else
		{
			uint64_t	serial = note_arrival(request,
											  head_size + (size_t) body_size);

			if (delay_us > 0)
				delay_answer(slot, serial);
			else
				answer_success(slot, serial);
		}
	}
	if (client->fd < 0)
		return;
	memmove(client->buffer, client->buffer + start, client->length - start);
	client->length -= start;
	client->buffer[client->length] = '\0';
	if (client->length == REQUEST_SIZE && !client->waiting)
		drop_client(slot);
}

static void
read_client(int slot)
{
	Client	   *client = &clients[slot];
	ssize_t		got;

	if (client->length == REQUEST_SIZE)
	{
		/* pipelined far ahead of a delayed answer */
		drop_client(slot);
		return;
	}
	got = read(client->fd, client->buffer + client->length,
			   REQUEST_SIZE - client->length);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
	{
		drop_client(slot);
		return;
	}
	client->length += (size_t) got;
	client->buffer[client->length] = '\0';
	serve_buffer(slot);
}

static void
accept_clients(int listener)
{
	int			on = 1;

	for (;;)
	{
		int			fd = accept4(listener, NULL, NULL,
								 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (fd >= nslots)
		{
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		/* slots are numbered like descriptors: no search, no free list */
		clients[fd].fd = fd;
		if (clients[fd].buffer == NULL)
			clients[fd].buffer = must_alloc(REQUEST_SIZE + 1, 1);
		watch(fd, EPOLL_CTL_ADD);
	}
}

static int
open_listener(uint16_t port)
{
	struct sockaddr_in address = {0};
	socklen_t	size = sizeof(address);
	int			on = 1;
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
							0);

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	address.sin_family = AF_INET;
	address.sin_port = htons(port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
		fail("bind");
	if (listen(fd, 4096) < 0)
		fail("listen");
	if (getsockname(fd, (struct sockaddr *) &address, &size) < 0)
		fail("getsockname");
	printf("ready %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* A descriptor for SIGUSR1, SIGTERM and SIGINT. */
static int
open_signals(void)
{
	sigset_t	set;
	int			fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		fail("signalfd");
	return fd;
}

/* SIGUSR1 prints the count on standard error; the others end the server. */
static bool
take_signal(int signal_fd)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != (ssize_t) sizeof(info))
		return true;
	fprintf(stderr, "count %" PRIu64 "\n", count);
	return info.ssi_signo == SIGUSR1;
}

static void
add_descriptor(int fd, uint32_t name)
{
	struct epoll_event event = {0};

	event.events = EPOLLIN;
	event.data.u32 = name;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

static void
usage(void)
{
	fprintf(stderr,
			"usage: static_server [options] [port]\n"
			"  -s fonnte|watzap|meta  whose success to answer (fonnte)\n"
			"  -d MS                  answer MS milliseconds late (0)\n"
			"  -m PREFIX              marker = what follows PREFIX (id=);\n"
			"                         in a form's text write id%%3D\n"
			"  -p                     stay when the starting process ends\n"
			"GET /stats, GET /dump (marker, microseconds); SIGUSR1: count\n");
	exit(2);
}

static int
parse_arguments(int argc, char **argv, bool *stay)
{
	int			option;

	while ((option = getopt(argc, argv, "s:d:m:p")) != -1)
	{
		switch (option)
		{
			case 's':
				if (strcmp(optarg, "fonnte") == 0)
					style = STYLE_FONNTE;
				else if (strcmp(optarg, "watzap") == 0)
					style = STYLE_WATZAP;
				else if (strcmp(optarg, "meta") == 0)
					style = STYLE_META;
				else
					usage();
				break;
			case 'd':
				delay_us = atol(optarg) * INT64_C(1000);
				break;
			case 'm':
				marker_prefix = optarg;
				break;
			case 'p':
				*stay = true;
				break;
			default:
				usage();
		}
	}
	return optind < argc ? atoi(argv[optind]) : 0;
}

int
main(int argc, char **argv)
{
	struct epoll_event events[MAX_EVENTS];
	struct rlimit limit;
	bool		stay = false;
	bool		running = true;
	int			port = parse_arguments(argc, argv, &stay);
	int			signal_fd;
	int			listener;

	if (port < 0 || port > 65535)
		usage();
	if (!stay)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	getrlimit(RLIMIT_NOFILE, &limit);
	nslots = limit.rlim_cur > 65536 ? 65536 : (int) limit.rlim_cur;
	clients = must_alloc((size_t) nslots, sizeof(Client));
	delayed = must_alloc((size_t) nslots, sizeof(Delayed));
	arrivals = must_alloc(MAX_ARRIVALS, sizeof(Arrival));
	for (int i = 0; i < nslots; i++)
		clients[i].fd = -1;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (epoll_fd < 0 || timer_fd < 0)
		fail("epoll or timer");
	signal_fd = open_signals();
	listener = open_listener((uint16_t) port);
	add_descriptor(listener, (uint32_t) listener);
	add_descriptor(timer_fd, (uint32_t) timer_fd);
	add_descriptor(signal_fd, (uint32_t) signal_fd);

	while (running)
	{
		int			n = epoll_wait(epoll_fd, events, MAX_EVENTS, -1);

		if (n < 0 && errno != EINTR)
			fail("epoll_wait");
		for (int i = 0; i < n; i++)
		{
			int			fd = (int) events[i].data.u32;

			if (fd == listener)
				accept_clients(listener);
			else if (fd == timer_fd)
				answer_delayed();
			else if (fd == signal_fd)
				running = take_signal(signal_fd);
			else if (clients[fd].fd < 0)
				continue;		/* dropped earlier in this round */
			else if ((events[i].events & EPOLLOUT) && !flush(fd))
				continue;
			else if (clients[fd].close_after && clients[fd].out == NULL &&
					 (events[i].events & EPOLLOUT))
				drop_client(fd);
			else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				read_client(fd);
		}
	}
	return 0;
}

/*-------------------------------------------------------------------------
 *
 * http_socket.c
 *		Our sockets: does an answer on this one belong to our request?
 *
 * HTTP/1.1 has nothing that ties an answer to its request but the order on
 * the connection.  If a server says something on an idle connection (a second
 * answer, a 408 before it closes), the next request would take that for its
 * own answer, and every later one the answer of the request before it: what
 * was refused is booked as sent.  libcurl looks only whether an idle
 * connection was closed; before 8.x it takes words that are waiting on it for
 * a sign of life, and from 8.22 on it looks once a second.  So we look
 * ourselves, at the last moment, in the callback before a request is written:
 * whatever can be read from a connection that was used before is not ours,
 * and the connection is lost.
 *
 * libcurl does not say which socket the request is about to go to
 * (CURLINFO_ACTIVESOCKET knows it in newer versions only, and older ones may
 * name that of the request before).  But it tells the addresses of both ends,
 * and all sockets are opened here, so the kernel can be asked which of them
 * it is; where that is not certain, the connection is not used.
 *
 * Under TLS the socket shows encrypted records, which may be of no interest
 * (session tickets) or a goodbye; what cannot be told apart counts as words.
 * And a record may have been taken from the socket and not read to its end:
 * that only the TLS library knows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "deliver/http_private.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* CURLOPT_OPENSOCKETFUNCTION: open a socket and remember it. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	WaHttp	   *http = arg;
	WaHttpSocket *s;
	int			fd;

	(void) purpose;
	if (http->nsockets == http->sockets_size)
	{
		size_t		n = http->sockets_size > 0 ? 2 * http->sockets_size : 16;

		s = realloc(http->sockets, n * sizeof(WaHttpSocket));
		if (s == NULL)
			return CURL_SOCKET_BAD;
		http->sockets = s;
		http->sockets_size = n;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
				address->protocol);
	if (fd < 0)
	{
		http->no_socket = errno;
		return CURL_SOCKET_BAD;
	}
	s = &http->sockets[http->nsockets++];
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	return fd;
}

/* CURLOPT_CLOSESOCKETFUNCTION: forget it. */
static int
close_socket(void *arg, curl_socket_t fd)
{
	WaHttp	   *http = arg;
	size_t		i;

	if (fd == http->corked_fd)
		http->corked_fd = -1;
	for (i = 0; i < http->nsockets; i++)
	{
		if (http->sockets[i].fd == fd)
		{
			http->sockets[i] = http->sockets[--http->nsockets];
			break;
		}
	}
	return close(fd);
}

/*
 * Have libcurl open and close the sockets of this easy handle's connections
 * here.  A connection keeps the functions with which it was made, and their
 * argument: that is the engine, which outlives it, not the transfer.
 */
CURLcode
wa_http_own_sockets(WaHttpTransfer *t)
{
	CURL	   *e = t->easy;
	CURLcode	rc;

	rc = curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, (void *) t->http);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, (void *) t->http);
	return rc;
}

/* The address of one end of a socket; false if it has none. */
static bool
address_of(int fd, bool remote, struct sockaddr_storage *address, int *port)
{
	socklen_t	len = sizeof(*address);
	int			rc;

	memset(address, 0, sizeof(*address));
	rc = remote ? getpeername(fd, (struct sockaddr *) address, &len) :
		getsockname(fd, (struct sockaddr *) address, &len);
	if (rc < 0)
		return false;
	if (address->ss_family == AF_INET)
		*port = ntohs(((struct sockaddr_in *) address)->sin_port);
	else if (address->ss_family == AF_INET6)
		*port = ntohs(((struct sockaddr_in6 *) address)->sin6_port);
	else
		return false;
	return true;
}

/* Is this the address, as libcurl writes it? */
static bool
is_address(const struct sockaddr_storage *address, const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	if (text == NULL || inet_pton(address->ss_family, text, bytes) != 1)
		return false;
	if (address->ss_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *) address)->sin_addr,
					  bytes, sizeof(struct in_addr)) == 0;
	return memcmp(&((const struct sockaddr_in6 *) address)->sin6_addr,
				  bytes, sizeof(struct in6_addr)) == 0;
}

/*
 * The socket of the connection between these two ends, or NULL if that is
 * none of ours, or more than one.  The port of the other end is not compared:
 * with a proxy, versions of libcurl differ on which one they tell.
 */
static WaHttpSocket *
find_socket(WaHttp *http, const char *remote_ip, const char *local_ip,
			int local_port)
{
	WaHttpSocket *found = NULL;
	size_t		i;

	for (i = 0; i < http->nsockets; i++)
	{
		WaHttpSocket *s = &http->sockets[i];
		int			port;

		/* what has a port keeps it: only new sockets cost a call here */
		if (s->local_port != 0 && s->local_port != local_port)
			continue;
		if (!s->connected)
			s->connected = address_of(s->fd, false, &s->local, &s->local_port) &&
				address_of(s->fd, true, &s->remote, &port);
		if (!s->connected || s->local_port != local_port ||
			!is_address(&s->local, local_ip) || !is_address(&s->remote, remote_ip))
			continue;
		if (found != NULL)
			return NULL;
		found = s;
	}
	return found;
}

/* Is there anything to read, its end included? */
static bool
is_readable(int fd)
{
	char		byte;
	ssize_t		n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n >= 0 ||
		(errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/*
 * Has the TLS library taken something from the socket that nobody has read?
 * libcurl reads the body of an answer to its last byte and not further; what
 * follows in the same record stays inside.  The library is the one that
 * libcurl uses, so its function is looked up there; one that we cannot ask
 * gets no connection twice.
 */
static bool
tls_has_more(CURL *easy)
{
	struct curl_tlssessioninfo *info = NULL;
	const char *name;
	void	   *symbol;
	int			(*pending) (const void *session);

	if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK ||
		info == NULL || info->internals == NULL)
		return true;
	if (info->backend == CURLSSLBACKEND_OPENSSL)
		name = "SSL_has_pending";
	else if (info->backend == CURLSSLBACKEND_GNUTLS)
		name = "gnutls_record_check_pending";
	else
		return true;
	symbol = dlsym(RTLD_DEFAULT, name);
	if (symbol == NULL)
		return true;
	memcpy(&pending, &symbol, sizeof(pending));
	return pending(info->internals) != 0;
}

/*
 * The request of t is about to be written to the connection between these two
 * ends.  Must it not be?  Of a connection that was used before: because there
 * is something on it that is not the answer to this request.  Of a new one:
 * because the other end has closed it, or speaks without being asked; under
 * TLS it may, so there only the answer can tell.  Where it is not certain
 * which socket it is, the request begins again on a new connection, once.
 */
bool
wa_http_connection_lost(WaHttpTransfer *t, const char *remote_ip,
						const char *local_ip, int local_port)
{
	WaHttpSocket *s = find_socket(t->http, remote_ip, local_ip, local_port);

	t->fd = -1;
	if (s == NULL)
		return !t->afresh;
	if ((s->used || t->direct) && is_readable(s->fd))
		return true;
	if (s->used && !t->direct && tls_has_more(t->easy))
		return true;
	s->used = true;
	t->fd = s->fd;
	return false;
}

/*
 * Have bytes of the request not been acknowledged by the other end's kernel?
 * An answer that was written after the whole request had been received brings
 * the acknowledgement with it or behind it, never before it: if there is an
 * answer while this is so, it is not the answer to this request.
 */
bool
wa_http_unacknowledged(const WaHttpTransfer *t)
{
	int			bytes = 0;

	return t->fd >= 0 && ioctl(t->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

/*
 * libcurl is about to write the head of this request, and then, by another call,
 * its body (see the top of http.c for why): have them leave in one packet, which
 * costs half as much on either end.  Ended by wa_http_uncork(), when the next
 * request begins or libcurl has done what it could; should both be forgotten,
 * the kernel sends after 200 ms (tcp(7)).
 */
void
wa_http_cork(WaHttpTransfer *t)
{
	int			on = 1;

	wa_http_uncork(t->http);
	if (t->fd >= 0 && t->req.body_len > 0 &&
		setsockopt(t->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0)
		t->http->corked_fd = t->fd;
}

/* Send what wa_http_cork() has kept back. */
void
wa_http_uncork(WaHttp *http)
{
	int			off = 0;

	if (http->corked_fd >= 0)
		(void) setsockopt(http->corked_fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	http->corked_fd = -1;
}

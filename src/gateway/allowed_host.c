/*-------------------------------------------------------------------------
 *
 * allowed_host.c
 *		May a provider of this kind be reached at this URL?
 *
 * The base URL of a provider is a row that a database owner can edit, and the
 * request carries a token.  The superuser's list says which hosts each kind
 * may reach.  Two programs that read one URL differently are the classic way
 * around such a list (user names, backslashes, escapes, other spellings of an
 * address); therefore this reader knows one plain spelling and refuses every
 * other, instead of understanding them all.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/provider.h"

#define MAX_URL_BYTES	2048
#define MAX_HOST_BYTES	253		/* RFC 1035, without the final dot */
#define MAX_LABEL_BYTES	63
#define MAX_LIST_BYTES	8192

#define HTTPS_PORT		443
#define HTTP_PORT		80

/* A host and port, as read from a URL or from an entry of the list. */
typedef struct Place
{
	char		host[MAX_HOST_BYTES + 1];	/* lower case */
	long		port;			/* -1: none was given */
	bool		loopback;
} Place;

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Read a decimal number without leading zeros, at most max.  Returns how many
 * bytes it has, 0 if there is none.
 */
static size_t
read_decimal(const char *text, size_t len, long max, long *value)
{
	size_t		i;

	*value = 0;
	for (i = 0; i < len && is_digit(text[i]); i++)
	{
		*value = *value * 10 + (text[i] - '0');
		if (*value > max)
			return 0;
	}
	if (i > 1 && text[0] == '0')
		return 0;
	return i;
}

/* Four decimal numbers with dots and nothing else: 127.0.0.1. */
static bool
read_ipv4(const char *host, long parts[4])
{
	size_t		left = strlen(host);
	int			i;

	for (i = 0; i < 4; i++)
	{
		size_t		n = read_decimal(host, left, 255, &parts[i]);

		if (n == 0)
			return false;
		host += n;
		left -= n;
		if (i < 3)
		{
			if (left == 0 || *host != '.')
				return false;
			host++;
			left--;
		}
	}
	return left == 0;
}

/*
 * Check the labels of a host name in lower case: letters, digits and inner
 * hyphens, no empty label, so no final dot either.  A name whose last label
 * is a number, or looks like a hexadecimal one, is read as an IPv4 address by
 * many programs: it must be one in its plain spelling.
 */
static bool
host_ok(const char *host, bool *loopback)
{
	const char *label = host;
	long		parts[4];
	size_t		n;

	*loopback = false;
	for (;;)
	{
		n = strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-");
		if (n == 0 || n > MAX_LABEL_BYTES ||
			label[0] == '-' || label[n - 1] == '-')
			return false;
		if (label[n] == '\0')
			break;
		if (label[n] != '.')
			return false;
		label += n + 1;
	}

	if (strspn(label, "0123456789") == n ||
		(label[0] == '0' && label[1] == 'x'))
	{
		if (!read_ipv4(host, parts))
			return false;
		*loopback = (parts[0] == 127);
	}
	else
		*loopback = (strcmp(host, "localhost") == 0);
	return true;
}

/*
 * Read "host" or "host:port", all len bytes of it.  Of IPv6 only "[::1]" is
 * known: providers have names, and its many spellings are not worth it.
 */
static bool
read_place(const char *text, size_t len, Place *place)
{
	size_t		host_len;
	size_t		i;

	place->port = -1;
	if (len >= 5 && memcmp(text, "[::1]", 5) == 0)
	{
		host_len = 5;
		memcpy(place->host, text, host_len);
		place->host[host_len] = '\0';
		place->loopback = true;
	}
	else
	{
		const char *colon = len > 0 ? memchr(text, ':', len) : NULL;

		host_len = colon != NULL ? (size_t) (colon - text) : len;
		if (host_len == 0 || host_len > MAX_HOST_BYTES)
			return false;
		for (i = 0; i < host_len; i++)
		{
			char		c = text[i];

			if (c == '\0')
				return false;
			if (c >= 'A' && c <= 'Z')
				c = (char) (c - 'A' + 'a');
			place->host[i] = c;
		}
		place->host[host_len] = '\0';
		if (!host_ok(place->host, &place->loopback))
			return false;
	}

	if (host_len == len)
		return true;
	if (text[host_len] != ':')
		return false;
	text += host_len + 1;
	len -= host_len + 1;
	return read_decimal(text, len, 65535, &place->port) == len &&
		len > 0 && place->port > 0;
}

/* Take blanks off both ends of a piece of text. */
static void
trim(const char **text, size_t *len)
{
	while (*len > 0 && is_blank((*text)[0]))
	{
		(*text)++;
		(*len)--;
	}
	while (*len > 0 && is_blank((*text)[*len - 1]))
		(*len)--;
}

/*
 * Read the next entry of the list and move *list behind it.  Returns false
 * with err if it is not valid.  *gateway is the provider it is for.
 */
static bool
read_entry(const char **list, const WaGateway **gateway, Place *place,
		   WaSaidText *err)
{
	const char *entry = *list;
	size_t		entry_len = strcspn(entry, ",");
	const char *equals;
	const char *host;
	size_t		host_len;
	size_t		kind_len;
	char		kind[32];

	*list = entry + entry_len;
	equals = memchr(entry, '=', entry_len);
	if (equals == NULL)
	{
		wa_gateway_say(err, WA_SAY_ENTRY_ALLOWED_HOSTS_NOT_FORM_KIND);
		return false;
	}

	host = equals + 1;
	host_len = entry_len - (size_t) (host - entry);
	kind_len = (size_t) (equals - entry);
	trim(&entry, &kind_len);
	trim(&host, &host_len);
	if (kind_len >= sizeof(kind))
		kind_len = 0;
	memcpy(kind, entry, kind_len);
	kind[kind_len] = '\0';
	*gateway = wa_gateway_find(kind);
	if (*gateway == NULL)
	{
		wa_gateway_say(err, WA_SAY_ENTRY_ALLOWED_HOSTS_NAMES_UNKNOWN);
		return false;
	}
	if (!read_place(host, host_len, place))
	{
		wa_gateway_say(err, WA_SAY_ALLOWED_HOST_FOR_NOT_PLAIN_HOST, (*gateway)->kind);
		return false;
	}
	if (!place->loopback && place->port != -1 && place->port != HTTPS_PORT)
	{
		wa_gateway_say(err, WA_SAY_ALLOWED_HOST_FOR_HAS_PORT_BUT_ONLY, place->host, (*gateway)->kind,
					   WA_NUMBER(place->port), WA_NUMBER(HTTPS_PORT));
		return false;
	}
	return true;
}

/*
 * Walk through the list.  If want is not NULL, *found says whether an entry
 * of this kind allows it.  Returns false with err if any entry is not valid,
 * wherever it stands: a list that is half understood allows nothing.
 */
static bool
walk_list(const char *list, const char *kind, const Place *want, bool plain,
		  bool *found, WaSaidText *err)
{
	*found = false;
	if (list == NULL || list[strspn(list, " \t")] == '\0')
		return true;
	if (strlen(list) > MAX_LIST_BYTES)
	{
		wa_gateway_say(err, WA_SAY_LIST_ALLOWED_HOSTS_LONGER_THAN, WA_NUMBER(MAX_LIST_BYTES));
		return false;
	}
	for (;;)
	{
		const WaGateway *gateway;
		Place		place = {0};

		if (!read_entry(&list, &gateway, &place, err))
			return false;
		if (want != NULL && strcmp(gateway->kind, kind) == 0 &&
			strcmp(place.host, want->host) == 0 &&
			want->port == (place.port == -1 ? HTTPS_PORT : place.port) &&
			(!plain || (place.loopback && place.port != -1)))
			*found = true;
		if (*list == '\0')
			return true;
		list++;					/* the comma */
	}
}

/*
 * Is this a list for the setting: entries "kind=host[:port]" separated by
 * commas, blanks around them?  Empty is valid and allows nothing.  If not,
 * err says what is wrong.
 */
bool
wa_gateway_allowed_list_valid(const char *allowed, WaSaidText *err)
{
	bool		found;

	return walk_list(allowed, NULL, NULL, false, &found, err);
}

/*
 * May a provider of this kind be reached at this URL?  The host must be on
 * the list for the kind.  https on port 443 only; an entry with a loopback
 * host (127.0.0.0/8, [::1], localhost) and a port allows that port, and http
 * as well.  The URL must be in its plain spelling.  If the answer is no, err
 * says why; it never repeats the URL.
 */
bool
wa_gateway_url_allowed(const char *kind, const char *url, const char *allowed,
					   WaSaidText *err)
{
	Place		want = {0};
	const char *authority;
	const char *p;
	size_t		len;
	bool		plain;
	bool		found;

	if (wa_gateway_find(kind) == NULL)
	{
		wa_gateway_say(err, WA_SAY_UNKNOWN_KIND_PROVIDER);
		return false;
	}
	if (url == NULL)
		url = "";
	for (p = url; *p != '\0'; p++)
	{
		if (*p < 0x21 || *p > 0x7e || strchr("\\#\"<>^`{|}", *p) != NULL ||
			p - url >= MAX_URL_BYTES)
		{
			wa_gateway_say(err, WA_SAY_URL_TOO_LONG_OR_HAS_CHARACTERS_URL);
			return false;
		}
	}

	if (strncmp(url, "https://", 8) == 0)
	{
		plain = false;
		authority = url + 8;
	}
	else if (strncmp(url, "http://", 7) == 0)
	{
		plain = true;
		authority = url + 7;
	}
	else
	{
		wa_gateway_say(err, WA_SAY_URL_DOES_NOT_BEGIN_HTTPS);
		return false;
	}

	len = strcspn(authority, "/");
	if (!read_place(authority, len, &want))
	{
		wa_gateway_say(err, WA_SAY_URL_DOES_NOT_NAME_HOST_IN_PLAIN);
		return false;
	}
	if (want.port == -1)
		want.port = plain ? HTTP_PORT : HTTPS_PORT;

	if (!walk_list(allowed, kind, &want, plain, &found, err))
		return false;
	if (!found)
	{
		wa_gateway_say(err, WA_SAY_NOT_AMONG_ALLOWED_HOSTS_FOR, plain ? "http" : "https", want.host,
					   WA_NUMBER(want.port), kind);
		return false;
	}
	return true;
}

/*-------------------------------------------------------------------------
 *
 * link.c
 *		Can a telephone open this link?
 *
 * Odoo's web.base.url is whatever address its administrator used last, such
 * as http://localhost:8069 or that of the server in the office's network.
 * Citizens have neither.  Only the text is looked at; nothing is resolved.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "text/text.h"

#define MAX_HOST	253			/* RFC 1035, without the final dot */

#define lengthof(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * Last labels of names that exist inside one network or nowhere: RFC 6761,
 * 6762, 8375, the one that ICANN reserved for this purpose, and those that
 * ICANN will not delegate because so many networks use them.
 */
static const char *const local_labels[] = {
	"localhost", "local", "internal", "test", "invalid", "arpa",
	"lan", "localdomain", "home", "corp", "mail", "intranet", "private"
};

/* Networks that are not reached from outside: RFC 6890. */
static const struct
{
	uint32_t	network;
	int			bits;
	WaSay		problem;
}			networks[] = {
	{0x7f000000, 8, WA_SAY_LINK_HOST_IS_SERVER},
	{0x00000000, 8, WA_SAY_LINK_HOST_IS_SERVER},
	{0x0a000000, 8, WA_SAY_LINK_HOST_IS_PRIVATE},
	{0xac100000, 12, WA_SAY_LINK_HOST_IS_PRIVATE},
	{0xc0a80000, 16, WA_SAY_LINK_HOST_IS_PRIVATE},
	{0xa9fe0000, 16, WA_SAY_LINK_HOST_IS_PRIVATE},
	{0x64400000, 10, WA_SAY_LINK_HOST_IS_PRIVATE},
};

/* Four decimal numbers; false if it is not written like that. */
static bool
read_ipv4(const char *host, uint32_t *address)
{
	const char *p = host;

	*address = 0;
	for (int i = 0; i < 4; i++)
	{
		unsigned	part = 0;
		int			digits = 0;

		for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
			part = part * 10 + (unsigned) (*p - '0');
		if (digits == 0 || part > 255 || (i < 3 && *p++ != '.'))
			return false;
		*address = *address << 8 | part;
	}
	return *p == '\0';
}

static WaSaid
judge_ipv4(uint32_t address)
{
	for (size_t i = 0; i < lengthof(networks); i++)
		if ((address ^ networks[i].network) >> (32 - networks[i].bits) == 0)
			return wa_text_say_plain(networks[i].problem);
	return NULL;
}

static WaSaid
judge_name(const char *host)
{
	const char *last = strrchr(host, '.');
	uint32_t	address;

	if (strcasecmp(host, "localhost") == 0)
		return wa_text_say_plain(WA_SAY_LINK_HOST_IS_SERVER);
	if (last == NULL)
		return wa_text_say_plain(WA_SAY_LINK_HOST_WITHOUT_DOT);
	if (last[1] >= '0' && last[1] <= '9')
		return read_ipv4(host, &address) ? judge_ipv4(address) :
			wa_text_say_plain(WA_SAY_LINK_HOST_NO_ADDRESS);
	for (size_t i = 0; i < lengthof(local_labels); i++)
		if (strcasecmp(last + 1, local_labels[i]) == 0)
			return wa_text_say_plain(WA_SAY_LINK_HOST_IS_LOCAL);
	return NULL;
}

/*
 * Why a telephone outside the office cannot open a link , or NULL.  The pattern of a link will do.
 */
WaSaid
wa_text_link_problem(const char *link)
{
	char		host[MAX_HOST + 1];
	const char *begin;
	size_t		len;
	const char *at;

	/* plain http: browsers warn of it, or refuse */
	if (strncasecmp(link, "https://", 8) != 0)
		return wa_text_say_plain(WA_SAY_LINK_NOT_HTTPS);
	begin = link + 8;
	len = strcspn(begin, "/?#\\");
	at = memchr(begin, '@', len);
	if (at)
		return wa_text_say_plain(WA_SAY_LINK_HAS_USER);
	if (begin[0] == '[')
		return wa_text_say_plain(WA_SAY_LINK_HOST_IS_ADDRESS);	/* IPv6 */
	len = strcspn(begin, ":/?#\\");
	if (len > 0 && begin[len - 1] == '.')
		len--;
	if (len == 0 || begin[0] == '.')
		return wa_text_say_plain(WA_SAY_LINK_WITHOUT_HOST);
	if (len > MAX_HOST || memchr(begin, '{', len))
		return wa_text_say_plain(WA_SAY_LINK_HOST_NO_NAME);
	memcpy(host, begin, len);
	host[len] = '\0';
	return judge_name(host);
}

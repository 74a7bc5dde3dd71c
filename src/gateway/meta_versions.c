/*-------------------------------------------------------------------------
 *
 * meta_versions.c
 *		Versions of Meta's Graph API, and how long each is served.
 *
 * From the tables "Available Graph API Versions" of Meta's changelog, as of
 * 2026-10-29.  A version lives for two years after the next one has come, so
 * that the youngest have no end yet.  One that has ended is answered by the
 * oldest that lives, and nothing in the answer's body says so.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/meta.h"

/* In ascending order; "": the end has not been announced. */
static const struct
{
	int			major;
	int			minor;
	const char *ends;
}			versions[] = {
	{18, 0, "2026-01-26"},
	{19, 0, "2026-05-21"},
	{20, 0, "2026-09-24"},
	{21, 0, "2027-01-21"},
	{22, 0, "2027-05-20"},
	{23, 0, "2027-10-08"},
	{24, 0, "2028-02-18"},
	{25, 0, "2028-07-29"},
	{26, 0, ""},
	{27, 0, ""},
};

/* "v" digits "." digits */
static bool
read_version(const char *text, int *major, int *minor)
{
	int		   *parts[] = {major, minor};
	size_t		i;

	for (i = 0; i < 2; i++)
	{
		size_t		n;

		if (*text++ != (i == 0 ? 'v' : '.'))
			return false;
		n = strspn(text, "0123456789");
		if (n == 0 || n > 3)
			return false;
		*parts[i] = atoi(text);
		text += n;
	}
	return *text == '\0';
}

/*
 * The day on which a version ends ("v21.0": "2027-01-21"); "" if none is
 * announced; of one that is older than the table, a day by which it had ended.
 * NULL: there is no such version, or it is younger than the table.
 */
const char *
wa_gateway_meta_version_ends(const char *version)
{
	int			major = 0;
	int			minor = 0;
	size_t		i;

	if (version == NULL || !read_version(version, &major, &minor))
		return NULL;
	if (major < versions[0].major)
		return versions[0].ends;
	for (i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
	{
		if (versions[i].major == major && versions[i].minor == minor)
			return versions[i].ends;
	}
	return NULL;
}

/*
 * See WaGateway.
 */
void
wa_gateway_meta_version(const WaPair *settings, size_t nsettings, WaGatewayVersion *version)
{
	version->setting = "api_version";
	version->version = wa_gateway_value(&wa_gateway_meta, settings, nsettings, version->setting);
	version->proposed = wa_gateway_value(&wa_gateway_meta, NULL, 0, version->setting);
	version->ends = wa_gateway_meta_version_ends(version->version);
}

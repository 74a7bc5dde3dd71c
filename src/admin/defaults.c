/*-------------------------------------------------------------------------
 *
 * defaults.c
 *		What wa_setup() adds besides the scenarios: links, the end of texts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "admin/defaults.h"

/* What the text ends with where the office has not given its name. */
#define ANY_OFFICE			"DPMPTSP"

const WaDefaultLink wa_admin_default_links[] = {
	{"download_link", "/download/{registration_id}"},
	{"detail_link", "/detail/{registration_id}"},
	{"renewal_link", "/renewal/{registration_id}"},
	{"approval_link", "/approval/{document_number}"},
	{"link_dashboard", "/dashboard"},
	{NULL}
};

/*
 * The body with the office's name at its end, palloc()ed.  The name is fixed
 * text: a template must not end with a variable.
 */
char *
wa_admin_default_body(const char *body, const char *office_name)
{
	return psprintf("%s\n%s", body,
					office_name && office_name[0] != '\0' &&
					strpbrk(office_name, "{}\n\r\t") == NULL ?
					office_name : ANY_OFFICE);
}

/*-------------------------------------------------------------------------
 *
 * supplied.c
 *		Which values the built-in scenarios have for a text.
 *
 * A text that asks for another one cannot be written, and each event becomes a
 * dead letter; so that is said before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "compose/record_values.h"
#include "route/providers.h"
#include "text/text.h"

typedef struct Look
{
	WaValues	supplied;
	char	   *lacking;
} Look;

static void
look(const char *name, size_t len, void *arg)
{
	Look	   *looking = arg;
	char	   *asked = pnstrdup(name, len);

	if (wa_compose_values_find(&looking->supplied, asked) == NULL)
		looking->lacking = looking->lacking ? psprintf("%s, %s", looking->lacking, asked) : asked;
}

/*
 * What the text of this template asks for and the built-in scenario does not
 * have, "a, b", palloc()ed; NULL: nothing.
 */
char *
wa_admin_unsupplied(const WaComposer *composer, const WaTemplate *template)
{
	Look		looking = {0};

	wa_compose_supplied(composer, &looking.supplied);
	(void) wa_text_placeholders(template->body, look, &looking);
	return looking.lacking;
}

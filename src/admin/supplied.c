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

/*
 * Those of these names that a message by the template "key" has no value for, "a,
 * b", palloc()ed: the built-in scenario of that name has none, and the text does not
 * ask for it.  NULL: there is none.
 */
char *
wa_admin_unsupplied_names(const char *key, const char *const *names, int n)
{
	WaTemplate *template = wa_route_load_template(key);
	WaValues	supplied = {0};
	char	   *lacking = NULL;

	wa_compose_supplied(wa_compose_composer(key), &supplied);
	for (int i = 0; i < n; i++)
		if (wa_compose_values_find(&supplied, names[i]) == NULL &&
			!(template && strstr(template->body, psprintf("{{%s}}", names[i]))))
			lacking = lacking ? psprintf("%s, %s", lacking, names[i]) : pstrdup(names[i]);
	return lacking;
}

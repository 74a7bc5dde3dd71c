/*-------------------------------------------------------------------------
 *
 * named.c
 *		wa_history() of a name: contacts and applicants to choose from.
 *
 * Names are nothing to tell people apart by, so none is chosen here: each is
 * told with the statement that asks for him.  A name is what every level may
 * see with a contact that it asks for; so that nobody reads the whole address
 * book with it, a search takes a few letters and tells a few names.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"

#include "admin/history.h"

/* Characters that a name must have, and how many are told. */
#define LEAST_CHARACTERS	3
#define MOST_NAMES			20

typedef struct Named
{
	const char *table;
	const char *key;			/* column with the name */
	const char *second;			/* another one to be told, or NULL */
} Named;

static const Named places[] = {
	{"res_partner", "name", NULL},
	{"sicantik_permit", "applicant_name", "registration_id"},
};

static void
tell_named(WaSearch *search, const void *argument)
{
	const Named *place = argument;
	const char *columns[3] = {"id", place->key, place->second};
	int			ncolumns = place->second ? 3 : 2;
	WaAppTable	table;
	WaAppRows	rows;

	if (!wa_admin_history_open(search, &table, place->table))
		return;
	wa_app_read_by_part(&rows, &table, columns, ncolumns, place->key, search->wanted, MOST_NAMES + 1);
	for (uint64 r = 0; r < Min(rows.n, MOST_NAMES); r++)
	{
		char	  **row = rows.values[r];

		wa_story_tell(&search->story, 0,
					  place->second ? wa_say(WA_SAY_NAMED_APPLICANT, row[0], row[1], row[2]) :
					  wa_say(WA_SAY_NAMED_CONTACT, row[0], row[1]));
	}
	if (rows.n > MOST_NAMES)
		wa_story_tell(&search->story, 0,
					  wa_say(WA_SAY_NAMED_MORE));
}

/*
 * Tell who has these words in his name.  Returns whether anything was told.
 */
bool
wa_admin_named_tell(WaSearch *search)
{
	int			before = search->story.rows;
	bool		letter = false;

	for (const char *p = search->wanted; *p; p++)
		letter = letter || IS_HIGHBIT_SET(*p) || isalpha((unsigned char) *p);
	if (!letter || pg_mbstrlen(search->wanted) < LEAST_CHARACTERS)
		return false;
	for (size_t i = 0; i < lengthof(places); i++)
		wa_admin_history_look(search, places[i].table, tell_named, &places[i]);
	return search->story.rows > before;
}

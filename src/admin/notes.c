/*-------------------------------------------------------------------------
 *
 * notes.c
 *		wa_history(), wa_why(): what is told at its time, whoever has found it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/history.h"

/*
 * Add what is to be told of this time; of equal times, in the order in which
 * it is added.
 */
void
wa_admin_note(List **notes, TimestampTz at, WaSaid what)
{
	WaNote	   *note = palloc(sizeof(WaNote));

	*note = (WaNote)
	{
		.at = at,
			.place = list_length(*notes),
			.what = what
	};
	*notes = lappend(*notes, note);
}

static int
by_time(const ListCell *a, const ListCell *b)
{
	const WaNote *left = lfirst(a);
	const WaNote *right = lfirst(b);

	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place ? 1 : 0;
}

/*
 * Put them into the order of time, to be told.
 */
void
wa_admin_notes_sort(List *notes)
{
	list_sort(notes, by_time);
}

/*
 * Tell those up to this time, from place "next" on.  Returns where it ends.
 */
int
wa_admin_notes_tell(WaStory *story, List *notes, int next, TimestampTz until)
{
	for (; next < list_length(notes); next++)
	{
		const WaNote *note = list_nth(notes, next);

		if (note->at > until)
			break;
		wa_story_tell(story, note->at, note->what);
	}
	return next;
}

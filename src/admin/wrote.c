/*-------------------------------------------------------------------------
 *
 * wrote.c
 *		What people wrote to us, told.
 *
 * Most people answer without quoting.  What somebody writes without naming a
 * message of ours is about the last one that had gone to him.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/history.h"
#include "pg/columns.h"
#include "pg/query.h"
#include "route/route.h"

#define WROTE_COLUMNS(X, row) \
	X(row, time, said_at, "said_at") \
	X(row, text, number, "number") \
	X(row, text, user_id, "user_id") \
	X(row, text, provider, "provider") \
	X(row, text, kind, "kind") \
	X(row, text, words, "text") \
	X(row, text, message, "message_id::text")
WA_DEFINE_ROW(Wrote, wrote_row, WROTE_COLUMNS);

static WaSaid
sentence(const WaStory *story, const Wrote * wrote)
{
	WaSaid		who = wrote->number ? wa_say(WA_SAY_WROTE_NUMBER, wa_story_number(story, wrote->number)) :
		wa_say(WA_SAY_WROTE_HIDDEN, wrote->user_id ? wrote->user_id : "-");
	char	   *what = wrote->words ? psprintf("\"%s\"", wrote->words) : pstrdup("");

	if (wrote->words == NULL || strcmp(wrote->kind, "text") != 0)
		what = psprintf("(%s)%s%s", wrote->kind, wrote->words ? " " : "", what);
	return wrote->message ? wa_say(WA_SAY_WROTE_ANSWER, who, wrote->provider, wrote->message, what) :
		wa_say(WA_SAY_WROTE, who, wrote->provider, what);
}

/*
 * Add to the notes whatever came from these numbers, or from ids that are
 * theirs; and what was written about these messages, which went to the
 * recipients.
 */
void
wa_admin_wrote_note(List **notes, const WaStory *story, const WaNumbers *numbers,
					const WaIds *messages, const WaNumbers *recipients)
{
	/* a provider tells the time in seconds */
	static WaStatement read =
		WA_STATEMENT_OF(&wrote_row,
						"SELECT {columns} FROM (SELECT i.id, i.said_at, coalesce(i.number, (SELECT o.number FROM wa.identity_of AS o"
						" WHERE o.user_id = i.user_id ORDER BY " WA_ROUTE_LAST_SEEN("o") " LIMIT 1)) AS number,"
						" i.user_id, i.provider, i.kind, i.text, i.message_id FROM wa.inbound AS i WHERE i.number = ANY ($1)"
						" OR i.number IS NULL AND i.user_id IN (SELECT user_id FROM wa.identity_of WHERE number = ANY ($1))"
						" OR i.user_id = ANY ($1) OR i.message_id = ANY ($2)"
						" OR i.message_id IS NULL AND i.number = ANY ($3) AND (SELECT w.id FROM wa.message AS w WHERE w.number = i.number"
						" AND date_trunc('second', w.sent_at) <= i.said_at ORDER BY date_trunc('second', w.sent_at) DESC, w.id DESC LIMIT 1) = ANY ($2)) AS i ORDER BY said_at, id");
	WaArgs		args = {0};
	Wrote	   *wrote;
	int			n;

	wa_arg_text_array(&args, numbers->list, numbers->n);
	wa_arg_int8_array(&args, messages->list, messages->n);
	wa_arg_text_array(&args, recipients->list, recipients->n);
	wrote = wa_rows_read(wa_query(&read, &args), &wrote_row, &n);
	for (int i = 0; i < n; i++)
		wa_admin_note(notes, wrote[i].said_at, sentence(story, &wrote[i]));
}

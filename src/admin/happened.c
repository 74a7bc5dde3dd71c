/*-------------------------------------------------------------------------
 *
 * happened.c
 *		wa_history(): what happened to whom or what was found.
 *
 * The ledger, and what people wrote and said, in the order of time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/qunique.h"

#include "admin/history.h"
#include "compose/compose.h"
#include "pg/grow.h"
#include "pg/query.h"

/*
 * Add the id, where there is one that is not among them.
 */
void
wa_admin_ids_add(WaIds *ids, const char *text)
{
	int64		id = text ? strtoll(text, NULL, 10) : 0;

	if (id == 0)
		return;
	for (int i = 0; i < ids->n; i++)
		if (ids->list[i] == id)
			return;
	WA_ROOM_FOR(ids->list, ids->n, 1);
	ids->list[ids->n++] = id;
}

/*
 * The same with a number.
 */
void
wa_admin_numbers_add(WaNumbers *numbers, const char *number)
{
	if (number == NULL)
		return;
	for (int i = 0; i < numbers->n; i++)
		if (strcmp(numbers->list[i], number) == 0)
			return;
	WA_ROOM_FOR(numbers->list, numbers->n, 1);
	numbers->list[numbers->n++] = number;
}

/*
 * That somebody wrote, where it is not known what: it was removed, or a person
 * has noted it.
 */
static void
note_last_inbound(WaSearch *search)
{
	static WaStatement read =
		WA_STATEMENT("SELECT c.number, c.last_inbound_at FROM wa.contact AS c WHERE c.number = ANY ($1)"
					 " AND c.last_inbound_at IS NOT NULL"
					 " AND NOT EXISTS (SELECT FROM wa.inbound AS i WHERE i.number = c.number AND i.said_at = c.last_inbound_at)");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text_array(&args, search->numbers.list, search->numbers.n);
	rows = wa_query(&read, &args);
	for (uint64 i = 0; i < rows.n; i++)
		wa_admin_note(&search->notes, wa_row_timestamptz(rows, i, 2), wa_say(WA_SAY_INBOUND, wa_story_number(&search->story, wa_row_text(rows, i, 1))));
}

/*
 * What the ledger has.  The number of a permit is looked for in what messages
 * say, too: another permit may have it now, or none.
 */
static WaRows
read_happenings(WaSearch *search)
{
	static WaStatement read =
		WA_STATEMENT("WITH records AS (SELECT 'sicantik.permit' AS model, format('%I.%I', $6, 'sicantik_permit') AS relation,"
					 " unnest($3::bigint[]) AS id"
					 " UNION ALL SELECT 'sicantik.document', format('%I.%I', $6, 'sicantik_document'), unnest($4::bigint[])"
					 " UNION ALL SELECT 'signature.workflow', format('%I.%I', $6, 'signature_workflow'), unnest($9::bigint[])"
					 " UNION ALL SELECT replace((parse_ident(o.relation))[2], '_', '.'), o.relation, o.id"
					 " FROM unnest($7::text[], $8::bigint[]) AS o(relation, id))"
					 " SELECT m.created_at AS at, 'm' AS kind, m.id::text AS id, m.state AS first, m.reason AS second,"
					 " coalesce(m.scenario, m.template_key, '-') AS third, m.number AS fourth, m.detail AS fifth, m.detail_said AS said"
					 " FROM wa.message AS m WHERE m.id IN (SELECT id FROM wa.message WHERE number = $1"
					 " UNION ALL SELECT id FROM wa.message WHERE partner_id = ANY ($2) AND partner_id IS NOT NULL"
					 " UNION ALL SELECT a.id FROM records AS r JOIN wa.message AS a ON a.res_id = r.id AND a.res_model IN (r.model, r.relation)"
					 " UNION ALL SELECT id FROM wa.message WHERE (params->>'permit_number') COLLATE \"C\" = $5"
					 " UNION ALL SELECT id FROM wa.message WHERE (params->>'pendaftaran_id') COLLATE \"C\" = $5)"
					 " UNION ALL SELECT o.at, 'o', o.event_id::text, o.outcome, o.scenario, o.relation, o.record_id::text, o.detail, o.detail_said"
					 " FROM wa.event_outcome AS o JOIN records AS r ON r.id = o.record_id"
					 " AND r.relation = o.relation"
					 " UNION ALL SELECT d.at, 'd', d.event_id::text, NULL, NULL, d.relation, d.record_id::text, d.error, d.error_said"
					 " FROM wa.dead_letter AS d JOIN records AS r ON r.id = d.record_id"
					 " AND r.relation = d.relation"
					 " UNION ALL SELECT e.at, 'u', e.id::text, NULL, NULL, e.relation, e.record_id::text, NULL, NULL"
					 " FROM wa.event AS e JOIN records AS r ON r.id = e.record_id"
					 " AND r.relation = e.relation"
					 " WHERE " WA_SQL_UNREAD("e")
					 " ORDER BY at, id");
	WaArgs		args = {0};

	wa_arg_text(&args, search->number);
	wa_arg_int8_array(&args, search->partners.list, search->partners.n);
	wa_arg_int8_array(&args, search->permits.list, search->permits.n);
	wa_arg_int8_array(&args, search->documents.list, search->documents.n);
	wa_arg_text(&args, search->wanted);
	wa_arg_text(&args, search->schema);
	wa_arg_text_array(&args, (const char *const *) search->own_relations, search->own.n);
	wa_arg_int8_array(&args, search->own.list, search->own.n);
	wa_arg_int8_array(&args, search->workflows.list, search->workflows.n);
	return wa_query(&read, &args);
}

static int
by_number(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/*
 * What people wrote and said of consent: those that were asked for; else those
 * whom these messages went to, of which there may be many.
 */
static void
note_people(WaSearch *search, WaRows happenings)
{
	WaIds		messages = {.list = palloc(sizeof(int64) * Max(happenings.n, 1))};
	WaNumbers	recipients = {.list = palloc(sizeof(char *) * Max(happenings.n, 1))};

	for (uint64 i = 0; i < happenings.n; i++)
	{
		if (wa_row_text(happenings, i, 2)[0] != 'm')
			continue;
		messages.list[messages.n++] = strtoll(wa_row_text(happenings, i, 3), NULL, 10);
		if (!wa_row_isnull(happenings, i, 7))
			recipients.list[recipients.n++] = wa_row_text(happenings, i, 7);
	}
	qsort(recipients.list, recipients.n, sizeof(char *), by_number);
	recipients.n = qunique(recipients.list, recipients.n, sizeof(char *), by_number);
	wa_admin_wrote_note(&search->notes, &search->story, &search->numbers, &messages, &recipients);
	note_last_inbound(search);
	wa_admin_consent_note(&search->notes, &search->story, search->numbers.n > 0 ? &search->numbers : &recipients, false);
}

static WaSaid
happening(WaSearch *search, WaRows rows, uint64 i)
{
	WaStory    *story = &search->story;
	char	   *id = wa_row_text(rows, i, 3);
	char	   *first = wa_row_text(rows, i, 4);
	char	   *second = wa_row_text(rows, i, 5);
	const char *fifth = wa_story_words(story, wa_row_said(rows, i, 8));
	const char *cause;

	switch (wa_row_text(rows, i, 2)[0])
	{
		case 'm':
			cause = wa_story_cause(story, second, fifth, ", ");
			return wa_say(WA_SAY_MESSAGE, id,
						  psprintf("%s, %s: %s%s%s", wa_row_text(rows, i, 6),
								   wa_row_isnull(rows, i, 7) ? "-" : wa_story_number(story, wa_row_text(rows, i, 7)),
								   wa_story_state(story, first), cause ? ", " : "", cause ? cause : ""));
		case 'o':
			return wa_say(WA_SAY_OUTCOME, id,
						  psprintf("%s%s%s%s%s (%s %s)", second ? second : "", second ? ": " : "",
								   wa_story_became(story, first),
								   fifth ? ", " : "", fifth ? fifth : "", wa_row_text(rows, i, 6), wa_row_text(rows, i, 7)));
		case 'd':
			return wa_say(WA_SAY_DEAD_LETTER, id, fifth);
		default:
			return wa_say(WA_SAY_UNREAD, id, psprintf("%s %s", wa_row_text(rows, i, 6), wa_row_text(rows, i, 7)));
	}
}

/*
 * Tell everything that happened, in the order of time.
 */
void
wa_admin_happenings_tell(WaSearch *search)
{
	WaRows		rows = read_happenings(search);
	int			next = 0;

	wa_admin_unsaid_changes(search);
	note_people(search, rows);
	wa_admin_notes_sort(search->notes);
	for (uint64 i = 0; i < rows.n; i++)
	{
		TimestampTz at = wa_row_timestamptz(rows, i, 1);

		next = wa_admin_notes_tell(&search->story, search->notes, next, at);
		wa_story_tell(&search->story, at, happening(search, rows, i));
	}
	(void) wa_admin_notes_tell(&search->story, search->notes, next, DT_NOEND);
}

/*-------------------------------------------------------------------------
 *
 * unsaid.c
 *		wa_history(): why there is no message.
 *
 * What a scenario decided when it was asked is in the ledger.  Here is told
 * what is not: why a change was none of a scenario's (each says so itself, see
 * WaComposer), which it would have been but for its being switched off, and of
 * a record of which nothing was ever recorded, why that may be and what the
 * scenarios would say of it as it is.
 *
 * Changes that were read stay for seven days.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "admin/history.h"
#include "admin/watched.h"
#include "compose/compose.h"
#include "compose/scenario.h"
#include "office/setting.h"
#include "pg/query.h"

/* Records that are told of, of those of which nothing is recorded. */
#define MOST_RECORDS	10

/* What the scenarios are asked. */
typedef struct Asking
{
	WaSearch   *search;
	WaScenario *scenarios;
	int			n;
} Asking;

static bool
is_among(const char *key, char **keys, int n)
{
	for (int i = 0; i < n; i++)
		if (keys[i] && strcmp(keys[i], key) == 0)
			return true;
	return false;
}

/* Why this scenario says nothing, in a sentence; NULL: it would. */
static WaSaid
silent(const WaStory *story, const WaScenario *scenario, const WaEvent *event, bool *nearly)
{
	WaSaid		why = NULL;

	*nearly = false;
	if (scenario->composer->silent)
		why = scenario->composer->silent(scenario, event, nearly);
	if (why)
		return why;
	if (!scenario->active)
	{
		*nearly = true;
		return wa_say(WA_SAY_SCENARIO_SWITCHED_OFF, quote_literal_cstr(scenario->key));
	}
	return wa_compose_is_built_in(scenario) ? NULL : wa_say(WA_SAY_FUNCTION_WAS_SILENT, scenario->composer_name);
}

static void
add(WaSearch *search, const WaEvent *event, const WaScenario *scenario, WaSaid why)
{
	char	   *what = psprintf("%s: %s (%s " INT64_FORMAT ")", scenario->key,
								wa_story_words(&search->story, why), event->relation, event->record_id);

	wa_admin_note(&search->notes, event->at, wa_say(WA_SAY_OUTCOME, psprintf(INT64_FORMAT, event->id), what));
}

/*
 * What each scenario did not say of a change of which these have spoken: if
 * none has, why; else only what was not said for want of one thing.
 */
static void
ask_about(const Asking *asking, const WaEvent *event, char **spoke, int nspoke)
{
	bool		any = nspoke > 0;

	for (int pass = 0; pass < 2 && (pass == 0 || !any); pass++)
		for (int i = 0; i < asking->n; i++)
		{
			const WaScenario *scenario = &asking->scenarios[i];
			bool		nearly;
			WaSaid		why;

			if (!wa_compose_listens(scenario, event) || is_among(scenario->key, spoke, nspoke))
				continue;
			why = silent(&asking->search->story, scenario, event, &nearly);
			if (why && (nearly || pass == 1))
			{
				add(asking->search, event, scenario, why);
				any = true;
			}
			else if (why == NULL && pass == 1)
				add(asking->search, event, scenario, wa_say(WA_SAY_WOULD_SAY_NOW));
		}
}

static bool
any_custom(const Asking *asking)
{
	for (int i = 0; i < asking->n; i++)
		if (!wa_compose_is_built_in(&asking->scenarios[i]))
			return true;
	return false;
}

/*
 * What was not said of the changes of these records that have been read, into
 * search->notes.  What a built-in scenario says of one of them is about it, or
 * about the document of a workflow, so it is found by these records; what one of
 * the DBA's says may be about anything, and was made later than the change.
 */
void
wa_admin_unsaid_changes(WaSearch *search)
{
	static WaStatement read =
		WA_STATEMENT_OF(&wa_compose_event_row, "WITH records AS (SELECT format('%I.%I', $1, 'sicantik_permit') AS relation, unnest($2::bigint[]) AS id"
						" UNION ALL SELECT format('%I.%I', $1, 'sicantik_document'), unnest($3::bigint[])"
						" UNION ALL SELECT format('%I.%I', $1, 'signature_workflow'), unnest($4::bigint[])"
						" UNION ALL SELECT o.relation, o.id FROM unnest($5::text[], $6::bigint[]) AS o(relation, id)),"
						" changes AS (SELECT min(e.id) OVER w AS id, max(e.at) OVER w AS at, e.relation, e.record_id,"
						" first_value(e.columns) OVER w AS old_columns, first_value(e.old) OVER w AS old,"
						" last_value(e.columns) OVER w AS columns, last_value(e.new) OVER w AS new,"
						" row_number() OVER w AS place"
						" FROM wa.event AS e JOIN records AS r ON r.id = e.record_id AND r.relation = e.relation"
						" WHERE " WA_SQL_READ("e")
						" WINDOW w AS (PARTITION BY e.xact, e.relation, e.record_id ORDER BY e.command, e.id"
						" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)),"
						" spoke AS (SELECT s.event_id, array_agg(DISTINCT s.scenario) AS scenarios FROM"
						" (SELECT m.event_id, m.scenario FROM (SELECT 'sicantik.permit' AS model, unnest($2::bigint[]) AS id"
						" UNION ALL SELECT 'sicantik.document', unnest($3::bigint[])) AS r"
						" JOIN wa.message AS m ON m.res_id = r.id AND m.res_model = r.model WHERE m.event_id IN (SELECT id FROM changes)"
						" UNION ALL SELECT m.event_id, m.scenario FROM wa.message AS m WHERE $7 AND m.created_at >= (SELECT min(at) FROM changes)"
						" AND m.created_at <= 'infinity' AND m.event_id IN (SELECT id FROM changes)"
						" UNION ALL SELECT o.event_id, o.scenario FROM changes AS c JOIN wa.event_outcome AS o"
						" ON o.record_id = c.record_id AND o.event_id = c.id"
						" UNION ALL SELECT d.event_id, coalesce(d.scenario, '-') FROM wa.dead_letter AS d WHERE d.event_id IN (SELECT id FROM changes))"
						" AS s WHERE s.scenario IS NOT NULL GROUP BY s.event_id)"
						" SELECT {columns}, scenarios FROM (SELECT c.*, NULL::text AS xact, false AS hold, false AS in_doubt, c.id AS first_id, true AS is_last,"
						" coalesce(s.scenarios, '{}') AS scenarios FROM changes AS c LEFT JOIN spoke AS s ON s.event_id = c.id"
						" WHERE c.place = 1) AS c ORDER BY id");
	Asking		asking = {search};
	WaArgs		args = {0};
	WaRows		rows;

	if (search->permits.n + search->documents.n + search->workflows.n + search->own.n == 0)
		return;
	asking.scenarios = wa_compose_load_scenarios(&asking.n);
	wa_arg_text(&args, search->schema);
	wa_arg_int8_array(&args, search->permits.list, search->permits.n);
	wa_arg_int8_array(&args, search->documents.list, search->documents.n);
	wa_arg_int8_array(&args, search->workflows.list, search->workflows.n);
	wa_arg_text_array(&args, (const char *const *) search->own_relations, search->own.n);
	wa_arg_int8_array(&args, search->own.list, search->own.n);
	wa_arg_bool(&args, any_custom(&asking));
	rows = wa_query(&read, &args);
	for (uint64 i = 0; i < rows.n; i++)
	{
		WaEvent		event;
		int			nspoke;
		char	  **spoke = wa_row_text_array(rows, i, wa_compose_event_row.n + 1, &nspoke);

		wa_compose_event_read(&event, rows, i);
		ask_about(&asking, &event, spoke, nspoke);
	}
}

/* ---- records of which nothing is recorded ---- */

/* What may have kept changes of this table from being recorded, or NULL. */
static WaSaid
why_unseen(WaSearch *search, const char *relation)
{
	static WaStatement gaps =
		WA_STATEMENT("SELECT sum(events)::text, " WA_SQL_TIME("min(first_at)", "$1") ", " WA_SQL_TIME("max(last_at)", "$1")
					 ", reason = ANY ('{known}') FROM wa.capture_gap WHERE reason <> 'off' GROUP BY 4 ORDER BY 4");
	int			n;
	WaWatched  *watched = wa_admin_watched_look(&n);
	List	   *surroundings = wa_admin_watched_surroundings(watched, n);
	WaSaid		why = wa_admin_watched_sentences(surroundings);
	WaArgs		args = {0};
	WaRows		rows;

	for (int i = 0; i < n; i++)
	{
		const WaFound *worst;

		if (strcmp(watched[i].relation, relation) != 0)
			continue;
		worst = wa_admin_watched_worst(watched[i].found);
		if (worst && worst->grade != WA_FOUND_NOTE)
			why = wa_said_and(worst->what, why);
	}
	wa_arg_text(&args, search->story.time_zone);
	rows = wa_query(&gaps, &args);
	for (uint64 i = 0; i < rows.n; i++)
		why = wa_said_and(why, wa_row_bool(rows, i, 4) ?
						  wa_say(WA_SAY_CHANGES_KNOWN_LOST, wa_row_text(rows, i, 1), wa_row_text(rows, i, 2), wa_row_text(rows, i, 3)) :
						  wa_say(WA_SAY_CHANGES_DROPPED, wa_row_text(rows, i, 1), wa_row_text(rows, i, 2), wa_row_text(rows, i, 3)));
	return why;
}

/* What the scenarios say of the record as it is, as if it were made now. */
static void
tell_as_it_is(const Asking *asking, const WaEvent *event)
{
	WaStory    *story = &asking->search->story;
	bool		any = false;

	for (int pass = 0; pass < 2 && !any; pass++)
		for (int i = 0; i < asking->n; i++)
		{
			WaScenario	scenario = asking->scenarios[i];
			bool		nearly;
			WaSaid		why;

			if (!wa_compose_listens(&scenario, event) || !wa_compose_is_built_in(&scenario))
				continue;
			scenario.on_insert = true;
			why = silent(story, &scenario, event, &nearly);
			if (why == NULL && strcmp(event->table, "sicantik_permit") == 0 &&
				!wa_odoo_filled(wa_compose_event_new(event, "partner_id")))
				why = wa_say(WA_SAY_PERMIT_WITHOUT_CONTACT);
			else if (why && !nearly && pass == 0)
				continue;
			any = true;
			wa_story_tell(story, 0, why ?
						  wa_say(WA_SAY_AS_IT_IS, scenario.key, why) :
						  wa_say(WA_SAY_WOULD_SAY, scenario.key, scenario.template_key));
		}
}

/* Read such records, all of one table. */
typedef struct Unseen
{
	const Asking *asking;
	const char *table;
	const char *relation;
	const char *const *columns; /* the first is id */
	int			ncolumns;
	const int64 *ids;
	int			n;
} Unseen;

static void
tell_unseen(WaSearch *search, const void *argument)
{
	const Unseen *unseen = argument;
	WaAppTable	table;
	WaAppRows	rows;

	if (!wa_admin_history_open(search, &table, unseen->table))
		return;
	wa_app_read_by_id(&rows, &table, unseen->columns, unseen->ncolumns, "id", unseen->ids, unseen->n);
	for (uint64 r = 0; r < rows.n; r++)
	{
		WaEvent		event = {0};
		WaSaid		why = why_unseen(search, unseen->relation);

		event.relation = unconstify(char *, unseen->relation);
		event.table = unconstify(char *, unseen->table);
		event.insert = true;
		event.columns = (char **) unseen->columns;
		event.ncolumns = unseen->ncolumns;
		event.new = rows.values[r];
		for (int c = 0; c < event.ncolumns; c++)
			if (event.new[c] && strcmp(event.new[c], "true") == 0)
				event.new[c] = "t";
			else if (event.new[c] && strcmp(event.new[c], "false") == 0)
				event.new[c] = "f";
		wa_story_tell(&search->story, 0,
					  wa_say(WA_SAY_UNSEEN,
							 psprintf("%s %s", unseen->table, rows.values[r][0] ? rows.values[r][0] : "-"),
							 why ? why : wa_say(WA_SAY_NO_CHANGE_KNOWN)));
		tell_as_it_is(unseen->asking, &event);
	}
}

/* Its id, and what the scenarios judge a change of such a record by. */
static const char **
columns_of(const char *table, int *n)
{
	const WaBuiltInWatch *judged = wa_capture_find_built_in(table);
	const char **columns = palloc(sizeof(char *) * (judged->ncolumns + 1));

	columns[0] = "id";
	memcpy(&columns[1], judged->columns, sizeof(char *) * judged->ncolumns);
	*n = judged->ncolumns + 1;
	return columns;
}

/*
 * Permits and documents of which there is neither a message nor a change.
 */
void
wa_admin_unsaid_records(WaSearch *search)
{
	static WaStatement unseen =
		WA_STATEMENT("SELECT r.id FROM unnest($1::bigint[]) AS r(id)"
					 " WHERE NOT EXISTS (SELECT FROM wa.message AS m WHERE m.res_model IN ($2, $3) AND m.res_id = r.id)"
					 " AND NOT EXISTS (SELECT FROM wa.event_outcome AS o WHERE o.relation = $3 AND o.record_id = r.id)"
					 " AND NOT EXISTS (SELECT FROM wa.dead_letter AS d WHERE d.relation = $3 AND d.record_id = r.id)"
					 " AND NOT EXISTS (SELECT FROM wa.event AS e WHERE e.relation = $3 AND e.record_id = r.id)"
					 " ORDER BY r.id DESC LIMIT $4");
	const struct
	{
		const char *table;
		const char *model;
		const WaIds *ids;
	}			kinds[] = {
		{"sicantik_permit", "sicantik.permit", &search->permits},
		{"sicantik_document", "sicantik.document", &search->documents},
	};
	Asking		asking = {search};

	for (size_t k = 0; k < lengthof(kinds); k++)
	{
		Unseen		what = {&asking, kinds[k].table};
		WaArgs		args = {0};
		WaRows		rows;
		int64	   *ids;

		if (kinds[k].ids->n == 0)
			continue;
		if (asking.scenarios == NULL)
			asking.scenarios = wa_compose_load_scenarios(&asking.n);
		what.relation = quote_qualified_identifier(search->schema, kinds[k].table);
		what.columns = columns_of(kinds[k].table, &what.ncolumns);
		wa_arg_int8_array(&args, kinds[k].ids->list, kinds[k].ids->n);
		wa_arg_text(&args, kinds[k].model);
		wa_arg_text(&args, what.relation);
		wa_arg_int4(&args, MOST_RECORDS);
		rows = wa_query(&unseen, &args);
		what.ids = ids = palloc(sizeof(int64) * Max(rows.n, 1));
		what.n = (int) rows.n;
		for (uint64 i = 0; i < rows.n; i++)
			ids[i] = wa_row_int8(rows, i, 1);
		if (rows.n > 0)
			wa_admin_history_look(search, what.table, tell_unseen, &what);
	}
}

/*-------------------------------------------------------------------------
 *
 * erase.c
 *		Messages of a person who is to be forgotten.
 *
 * Their rows stay, for the figures and for what may yet come of them at a
 * provider; whatever tells who was told what goes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/query.h"
#include "queue/erase.h"
#include "queue/state.h"

static int64
rows_of(WaStatement *statement, WaArgs *args)
{
	WaRows		rows = wa_query(statement, args);
	int64		n = (int64) rows.n;

	wa_rows_free(rows);
	return n;
}

/*
 * Empty these messages, the first nown of which were to the person, and the
 * others to somebody about his records; none of them may wait or be on the wire.
 * pattern: a regular expression that finds him in keys of what was announced.
 * Nobody may write the ledger meanwhile.
 */
WaErased
wa_queue_erase(const int64 *ids, int n, int nown, const char *pattern)
{
	static WaStatement attempts =
		WA_STATEMENT("UPDATE wa.attempt SET " WA_QUEUE_BLANK_ATTEMPT ", unlisted = NULL WHERE message_id = ANY ($1) RETURNING 1");

	/*
	 * A message to somebody else about his records stays with that one.  None
	 * is asked about again, or found by the record that it was about.
	 */
	static WaStatement messages =
		WA_STATEMENT("UPDATE wa.message SET " WA_QUEUE_BLANK_MESSAGE ", number_source = NULL, number_source_said = NULL,"
					 " partner_id = CASE WHEN id = ANY ($2) THEN NULL ELSE partner_id END, dedupe_key = NULL,"
					 " res_model = NULL, res_id = NULL, event_id = NULL WHERE id = ANY ($1) RETURNING 1");
	static WaStatement requests =
		WA_STATEMENT("DELETE FROM wa.request WHERE message_id = ANY ($1) RETURNING 1");
	static WaStatement work =
		WA_STATEMENT("WITH y AS (DELETE FROM wa.ready WHERE message_id = ANY ($1)), d AS (DELETE FROM wa.due WHERE message_id = ANY ($1)),"
					 " w AS (DELETE FROM wa.unwritten WHERE message_id = ANY ($1)), u AS (DELETE FROM wa.unreached WHERE message_id = ANY ($1))"
					 " DELETE FROM wa.unattended WHERE message_id = ANY ($1)");
	static WaStatement keys =
		WA_STATEMENT("DELETE FROM wa.announced WHERE (message_id = ANY ($1) OR message_id = 0) AND key ~ $2 RETURNING 1");

	/*
	 * What he was to be told counts as announced.  What the office was to be
	 * told, and was not, is news still: the next one is not held back for it.
	 */
	static WaStatement untold =
		WA_STATEMENT("DELETE FROM wa.announced WHERE message_id IN (SELECT id FROM wa.message WHERE id = ANY ($1) AND id <> ALL ($2)"
					 " AND state IN " WA_SQL_STATES(WA_SAYS_NOTHING) ") RETURNING 1");
	static WaStatement unbind =
		WA_STATEMENT("UPDATE wa.announced SET message_id = 0 WHERE message_id = ANY ($1) RETURNING 1");
	WaArgs		of_ids = {0};
	WaArgs		of_keys = {0};
	WaArgs		of_own = {0};
	WaErased	erased;

	wa_arg_int8_array(&of_ids, ids, n);
	erased.attempts = rows_of(&attempts, &of_ids);
	erased.requests = rows_of(&requests, &of_ids);
	wa_query(&work, &of_ids);
	wa_arg_int8_array(&of_keys, ids, n);
	wa_arg_text(&of_keys, pattern);
	erased.keys = rows_of(&keys, &of_keys);
	wa_arg_int8_array(&of_own, ids, n);
	wa_arg_int8_array(&of_own, ids, nown);
	erased.keys += rows_of(&untold, &of_own);
	wa_query(&unbind, &of_ids);
	wa_arg_int8_array(&of_ids, ids, nown);
	erased.messages = rows_of(&messages, &of_ids);
	return erased;
}

/*-------------------------------------------------------------------------
 *
 * export.c
 *		wa_export(): what is stored of a citizen, for him to read.
 *
 * The person is found as wa_forget() finds him, and each kind is what that
 * would erase.  Of messages to the office about him he gets what they say, not
 * whom they went to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "admin/person.h"
#include "pg/call.h"
#include "pg/query.h"

PG_FUNCTION_INFO_V1(wa_sql_export_number);
PG_FUNCTION_INFO_V1(wa_sql_export_partner);

/* SQL: rows as an array of objects, in an order; without what is not set. */
#define LIST(rows, from_where, order) \
	"(SELECT coalesce(jsonb_agg(jsonb_strip_nulls(" rows ") ORDER BY " order "), '[]') FROM " from_where ")"

static Datum
export_person(FunctionCallInfo fcinfo, const char *given, int64 partner_id)
{
	/* sentences are in it as such, not as the keys that they come from */
	static WaStatement read =
		WA_STATEMENT("WITH " WA_ADMIN_PERSON_RECORDS ", own AS MATERIALIZED (" WA_ADMIN_PERSON_MESSAGES ")"
					 " SELECT jsonb_build_object('exported_at', now(), 'numbers', coalesce(to_jsonb($1::text[]), '[]'),"
					 " 'partners', coalesce(to_jsonb($2::bigint[]), '[]'),"
					 " 'messages', "
					 LIST("to_jsonb(m) - 'detail_said' - 'route_said' - 'number_source_said' || jsonb_build_object('attempts',"
						  LIST("to_jsonb(a) - 'message_id' - 'response_said'", "wa.attempt AS a WHERE a.message_id = m.id", "a.attempt") ")",
						  "wa.message AS m WHERE m.id IN (SELECT id FROM own)", "m.id") ","
					 " 'to_staff', " LIST("jsonb_build_object('created_at', s.created_at, 'scenario', s.scenario, 'state', s.state, 'params', s.params, 'body', s.body)",
										  "wa.message AS s WHERE s.id IN (" WA_ADMIN_PERSON_RELATED " EXCEPT SELECT id FROM own)", "s.id") ","
					 " 'contact', " LIST("to_jsonb(c)", "wa.contact AS c WHERE c.number = ANY ($1)", "c.number") ","
					 " 'windows', " LIST("to_jsonb(w)", "wa.contact_window AS w WHERE w.number = ANY ($1)", "w.number, w.sender_id") ","
					 " 'consent', " LIST("to_jsonb(s)", "wa.consent AS s WHERE s.number = ANY ($1) OR s.user_id = ANY ($1)", "s.id") ","
					 " 'ids', " LIST("to_jsonb(i)", "wa.identity_of AS i WHERE i.number = ANY ($1) OR i.user_id = ANY ($1)", "i.user_id, i.number") ","
					 " 'inbound', " LIST("to_jsonb(n)", "wa.inbound AS n WHERE n.number = ANY ($1) OR n.user_id = ANY ($1)", "n.id") ","
					 " 'feedback', " LIST("to_jsonb(f)", "wa.feedback AS f WHERE f.number = ANY ($1) OR f.previous_number = ANY ($1)"
										  " OR f.user_id = ANY ($1) OR f.parent_user_id = ANY ($1) OR f.previous_user_id = ANY ($1) OR f::text ~ $3", "f.id") ","
					 " 'events', " LIST("to_jsonb(e) - 'xact'", "wa.event AS e WHERE " WA_ADMIN_PERSON_CHANGE("e")
										" OR e::text ~ $3 OR e.id IN (SELECT o.event_id FROM wa.message AS o WHERE o.id IN (SELECT id FROM own))", "e.id") ","
					 " 'outcomes', " LIST("to_jsonb(o) - 'detail_said'", "wa.event_outcome AS o WHERE EXISTS (SELECT FROM records AS r WHERE r.id = o.record_id AND r.relation = o.relation)"
										  " OR o.event_id IN (SELECT e.id FROM wa.event AS e WHERE " WA_ADMIN_PERSON_CHANGE("e") ")", "o.id") ","
					 " 'dead_letters', " LIST("to_jsonb(d) - 'error_said'", "wa.dead_letter AS d WHERE d::text ~ $3 OR " WA_ADMIN_PERSON_CHANGE("d"), "d.id") ","
					 " 'announced', " LIST("jsonb_build_object('key', y.key, 'announced_at', y.announced_at)",
										   "wa.announced AS y WHERE y.message_id IN (SELECT id FROM own)", "y.key") ")");
	WaPerson	person;
	WaCall		call;
	WaArgs		args;
	WaRows		rows;
	Datum		result;

	wa_call_begin_reading(&call, WA_LEVEL_ADMIN);
	wa_admin_person_find(&person, given, partner_id);
	wa_admin_person_bind(&person, &args);
	rows = wa_query(&read, &args);
	result = wa_call_datum(&call, wa_row_datum(rows, 0, 1), false, -1);
	wa_call_end(&call);
	return result;
}

/*
 * wa_export(): see privacy.sql.
 */
Datum
wa_sql_export_number(PG_FUNCTION_ARGS)
{
	return export_person(fcinfo, wa_call_arg_text(fcinfo, 0), 0);
}

Datum
wa_sql_export_partner(PG_FUNCTION_ARGS)
{
	return export_person(fcinfo, NULL, PG_GETARG_INT64(0));
}

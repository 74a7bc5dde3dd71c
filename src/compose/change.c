/*-------------------------------------------------------------------------
 *
 * change.c
 *		The change that a message was made for, as it is kept with it.
 *
 * A JSON object in wa.message.change: of the columns of the record what the
 * built-in scenarios judge a change by, before and after, so that the scenario
 * can be asked about it again.  "old" names only what was another value then:
 * the row of a message is written three times, and most columns stay.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <json-c/json.h>

#include "lib/stringinfo.h"
#include "utils/json.h"

#include "capture/capture.h"
#include "compose/waiting.h"
#include "pg/grow.h"
#include "pg/json_text.h"

static void
add_text(StringInfo json, const char *name, const char *value)
{
	if (json->data[json->len - 1] != '{')
		appendStringInfoString(json, ", ");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
	if (value)
		escape_json(json, value);
	else
		appendStringInfoString(json, "null");
}

static bool
is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/*
 * Of one side of the change what the built-in scenarios judge it by; without
 * what the other side, if there is one, has as well.
 */
static void
add_values(StringInfo json, const char *name, const WaEvent *event, char *const *values, char *const *others)
{
	const WaBuiltInWatch *judged = wa_capture_find_built_in(event->table);

	appendStringInfo(json, ", \"%s\": {", name);
	for (int c = 0; judged && c < judged->ncolumns; c++)
		for (int i = 0; i < event->ncolumns; i++)
			if (wa_odoo_is(event->columns[i], judged->columns[c]) &&
				!(others && is_same(values[i], others[i])))
				add_text(json, event->columns[i], values[i]);
	appendStringInfoChar(json, '}');
}

/*
 * The change that a draft is made for, to be kept with its message: the text
 * of a JSON object, palloc()ed.
 */
char *
wa_compose_change_write(const WaDraft *draft)
{
	const WaEvent *event = draft->event;
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	add_text(&json, "relation", event->relation);
	add_text(&json, "record", psprintf(INT64_FORMAT, event->record_id));
	add_text(&json, "at", psprintf(INT64_FORMAT, (int64) event->at));
	add_text(&json, "to", draft->is_staff ? "staff" : "applicant");
	if (event->old)
		add_values(&json, "old", event, event->old, event->new);
	if (event->new)
		add_values(&json, "new", event, event->new, NULL);
	appendStringInfoChar(&json, '}');
	return wa_pg_fitted(&json);
}

static const char *
member(struct json_object *object, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, name, &value) ||
		!json_object_is_type(value, json_type_string))
		return NULL;
	return pstrdup(json_object_get_string(value));
}

static void
read_columns(WaEvent *event, struct json_object *new, struct json_object *old)
{
	int			size = Max(json_object_object_length(new), 1);

	event->columns = palloc(sizeof(char *) * size);
	event->new = palloc(sizeof(char *) * size);
	event->old = event->insert ? NULL : palloc(sizeof(char *) * size);
	{
		json_object_object_foreach(new, name, value)
		{
			(void) value;
			event->columns[event->ncolumns] = pstrdup(name);
			event->new[event->ncolumns] = unconstify(char *, member(new, name));
			if (event->old)
				event->old[event->ncolumns] = json_object_object_get_ex(old, name, NULL) ?
					unconstify(char *, member(old, name)) : event->new[event->ncolumns];
			event->ncolumns++;
		}
	}
}

/*
 * The row is untrusted: whatever stands in it, what is read is a change, if not
 * one that a scenario knows.
 */
static WaEvent *
read_change(struct json_object *object, int64 event_id)
{
	const char *relation = member(object, "relation");
	const char *record = member(object, "record");
	const char *at = member(object, "at");
	struct json_object *old;
	struct json_object *new;
	WaEvent    *event;

	if (relation == NULL || record == NULL || at == NULL)
		return NULL;
	event = palloc0(sizeof(WaEvent));
	event->id = event_id;
	event->at = (TimestampTz) strtoll(at, NULL, 10);
	event->xact = "0";
	event->relation = unconstify(char *, relation);
	event->table = wa_compose_event_table(relation);
	event->record_id = strtoll(record, NULL, 10);
	event->has_record = true;
	event->insert = !json_object_object_get_ex(object, "old", &old) || !json_object_is_type(old, json_type_object);
	if (!json_object_object_get_ex(object, "new", &new) || !json_object_is_type(new, json_type_object))
		return event;
	read_columns(event, new, old);
	return event;
}

/*
 * The change again, palloc()ed; NULL if the text is none.
 */
WaEvent *
wa_compose_change_read(const char *text, int64 event_id, bool *to_applicant)
{
	struct json_object *object = wa_pg_json_read(text);
	WaEvent    *event = NULL;

	if (json_object_is_type(object, json_type_object))
	{
		event = read_change(object, event_id);
		*to_applicant = wa_odoo_is(member(object, "to"), "applicant");
	}
	if (object)
		json_object_put(object);
	return event;
}

/*
 * The later changes that are kept with it, palloc()ed.
 */
WaEvent   **
wa_compose_change_read_later(const char *text, int *n)
{
	struct json_object *object = wa_pg_json_read(text);
	struct json_object *later;
	WaEvent   **list = NULL;

	*n = 0;
	if (json_object_is_type(object, json_type_object) &&
		json_object_object_get_ex(object, "later", &later) &&
		json_object_is_type(later, json_type_array))
	{
		list = palloc(sizeof(WaEvent *) * Max(json_object_array_length(later), 1));
		for (size_t i = 0; i < json_object_array_length(later); i++)
		{
			struct json_object *change = json_object_array_get_idx(later, i);
			const char *id = json_object_is_type(change, json_type_object) ? member(change, "event") : NULL;
			WaEvent    *event = id ? read_change(change, strtoll(id, NULL, 10)) : NULL;

			if (event)
				list[(*n)++] = event;
		}
	}
	if (object)
		json_object_put(object);
	return list;
}

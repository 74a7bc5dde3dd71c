/*-------------------------------------------------------------------------
 *
 * stored.c
 *		States and reasons in columns: by name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "queue/stored.h"

static Datum
make(const char *name, bool *isnull)
{
	*isnull = name == NULL;
	return name ? CStringGetTextDatum(name) : (Datum) 0;
}

static Datum
make_state(const void *member, bool *isnull)
{
	return make(wa_queue_state_name(*(const WaState *) member), isnull);
}

/* Of WA_SQL_STATE_OF(), which tells in doubt apart. */
static void
read_state(Datum value, bool isnull, void *member)
{
	char	   *name = isnull ? NULL : TextDatumGetCString(value);

	*(WaState *) member = name && strcmp(name, WA_STATE_NAME_DOUBT) == 0 ?
		WA_STATE_DOUBT : wa_queue_state_read(name, false);
}

static Datum
make_reason(const void *member, bool *isnull)
{
	return make(wa_queue_reason_name(*(const WaReason *) member), isnull);
}

static void
read_reason(Datum value, bool isnull, void *member)
{
	*(WaReason *) member = wa_queue_reason_read(isnull ? NULL : TextDatumGetCString(value));
}

const WaType wa_queue_type_state = {TEXTOID, TEXTARRAYOID, make_state, read_state, NULL};
const WaType wa_queue_type_reason = {TEXTOID, TEXTARRAYOID, make_reason, read_reason, NULL};

/*-------------------------------------------------------------------------
 *
 * custom_call.c
 *		Calls the function of a scenario of the DBA's own.
 *
 * A row of wa.scenario is untrusted input: the name is resolved, and the
 * function that it means judged, each time it is used, and that function is
 * called and no other.  It runs as the owner of the database, in a
 * security-restricted context, and only if its owner has all rights of that
 * role.
 *
 * Everything else waits while it runs, so it has a time limit, and one that
 * keeps running out of it, or into locks, is left alone for a minute, or until
 * it is replaced: its events are kept as dead letters, which loses nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "compose/custom.h"
#include "compose/json_values.h"
#include "pg/acting.h"
#include "pg/app_limit.h"
#include "pg/app_table.h"
#include "pg/call.h"
#include "pg/judged.h"
#include "pg/query.h"
#include "pg/subtransaction.h"

/* More rows than this are a mistake in the function. */
#define MOST_ANSWERS	10000

/* A function that ignores its cancellation is canceled again. */
#define CANCEL_AGAIN_MS	1000

/* Out of time so often in a row, and it is not called for a while. */
#define SLOW_CALLS		2
#define PAUSE_US		(60 * USECS_PER_SEC)

/* So long it may meet locks and the like, before that is its failure. */
#define PATIENCE_US		(60 * USECS_PER_SEC)

/* How the function of a scenario has fared in this process. */
typedef struct Health
{
	char		key[NAMEDATALEN];	/* hash key */
	int			slow;			/* calls in a row that ran out of time */
	TimestampTz troubled_since; /* by locks and the like; 0: not */
	TimestampTz paused_at;		/* 0: not */
	char		version[64];	/* of the function then */
	WaSaidText	why;
} Health;

static volatile sig_atomic_t expired = false;

/* Runs in a signal handler, which has set the latch. */
static void
limit_passed(void)
{
	expired = true;
	QueryCancelPending = true;
	InterruptPending = true;
}

static Health *
health_of(const WaScenario *scenario)
{
	static HTAB *table = NULL;
	char		key[NAMEDATALEN];
	Health	   *health;
	bool		found;

	if (table == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = NAMEDATALEN;
		ctl.entrysize = sizeof(Health);
		table = hash_create("sicantik_wa own composers", 16, &ctl, HASH_ELEM | HASH_STRINGS);
	}
	strlcpy(key, scenario->key, sizeof(key));
	health = hash_search(table, key, HASH_ENTER, &found);
	if (!found)
		memset((char *) health + NAMEDATALEN, 0, sizeof(*health) - NAMEDATALEN);
	return health;
}

/* The optional columns of what it returns, known by their names. */
enum
{
	O_RES_MODEL, O_RES_ID, O_ONCE, O_STILL, O_COUNT
};

static const struct
{
	const char *name;
	Oid			type;
}			optional[O_COUNT] =
{
	[O_RES_MODEL] = {"res_model", TEXTOID},
	[O_RES_ID] = {"res_id", INT8OID},
	[O_ONCE] = {"once", TEXTOID},
	[O_STILL] = {"precondition", JSONBOID}
};

/* A call in the making. */
typedef struct Call
{
	const WaScenario *scenario;
	const WaEvent *event;		/* NULL: a daily run */
	const char *day;			/* of that */
	WaCustomAnswer *answers;
	int			n;
} Call;

/* The function of a scenario, as it was judged. */
typedef struct Function
{
	Oid			oid;
	char	   *name;			/* quoted */
	Oid			role;			/* whom it is called as */
} Function;

/*
 * As whom may a function of this owner be called?  Whoever owns a function can
 * replace it at any time, so it never runs with rights that its owner does not
 * have: as the owner of the database only if its owner has all his rights, else
 * as its own owner, which is what SECURITY DEFINER asks for.  InvalidOid if it
 * may not be called at all.
 */
static Oid
called_as(Oid function_owner, bool security_definer)
{
	Oid			database_owner = wa_pg_database_owner();

	if (function_owner == ROLE_PG_DATABASE_OWNER || has_privs_of_role(function_owner, database_owner))
		return database_owner;
	return security_definer ? function_owner : InvalidOid;
}

/*
 * Find the function of a scenario and judge it.  False with *problem, a
 * sentence, if there is no such function or it may not be called.
 */
static bool
find_function(const WaScenario *scenario, Function *function, WaSaid *problem)
{
	static WaStatement find =
		WA_STATEMENT("SELECT format('%I.%I', n.nspname, p.proname),"
					 " has_function_privilege(current_user, p.oid, 'EXECUTE')"
					 " AND has_schema_privilege(current_user, n.oid, 'USAGE'), p.proisstrict,"
					 " p.oid::bigint, p.proowner::bigint, p.prosecdef"
					 " FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace"
					 " WHERE p.oid = to_regprocedure($1 || '(bigint, jsonb, jsonb)') AND p.prokind = 'f'");
	WaArgs		args = {0};
	WaRows		rows = {0};
	Oid			owner;

	*problem = NULL;
	memset(function, 0, sizeof(*function));
	wa_arg_text(&args, scenario->composer_name);
	if (strchr(scenario->composer_name, '.'))
		rows = wa_query(&find, &args);
	if (rows.n == 0)
		*problem = wa_say(WA_SAY_COMPOSER_UNKNOWN, scenario->key, scenario->composer_name);
	else if (!wa_row_bool(rows, 0, 2))
		*problem = wa_say(WA_SAY_COMPOSER_NOT_EXECUTABLE, scenario->key);
	else if (scenario->daily && wa_row_bool(rows, 0, 3))
		*problem = wa_say(WA_SAY_COMPOSER_STRICT, scenario->key);
	if (*problem)
		return false;
	function->name = wa_row_text(rows, 0, 1);
	function->oid = (Oid) wa_row_int8(rows, 0, 4);
	owner = (Oid) wa_row_int8(rows, 0, 5);
	function->role = called_as(owner, wa_row_bool(rows, 0, 6));
	if (OidIsValid(function->role))
		return true;
	*problem = wa_say(WA_SAY_COMPOSER_OF_OTHER_ROLE, scenario->key, GetUserNameFromId(owner, false), function->name, quote_identifier(GetUserNameFromId(wa_pg_database_owner(), false)));
	return false;
}

/* Where the optional columns are; 0: not there.  No desc: there is none at all. */
static void
find_columns(const WaScenario *scenario, TupleDesc desc, int *places)
{
	static const Oid types[] = {INT8OID, TEXTOID, JSONBOID};
	bool		right = desc && desc->natts >= (int) lengthof(types);

	for (int i = 0; right && i < (int) lengthof(types); i++)
		right = SPI_gettypeid(desc, i + 1) == types[i];
	if (!right)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 wa_said_errmsg(wa_say(WA_SAY_COMPOSER_WRONG_RESULT, scenario->key))));
	memset(places, 0, sizeof(int) * O_COUNT);
	for (int i = lengthof(types); i < desc->natts; i++)
	{
		const char *name = NameStr(TupleDescAttr(desc, i)->attname);
		bool		known = false;

		for (int o = 0; o < O_COUNT; o++)
			if (strcmp(name, optional[o].name) == 0 &&
				SPI_gettypeid(desc, i + 1) == optional[o].type)
			{
				places[o] = i + 1;
				known = true;
			}
		if (!known)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 wa_said_errmsg(wa_say(WA_SAY_COMPOSER_WRONG_COLUMN, scenario->key, name))));
	}
}

typedef struct Look
{
	const WaScenario *scenario;
	WaSaid		problem;
} Look;

static bool
look(void *argument)
{
	Look	   *looking = argument;
	Function	function;
	TupleDesc	desc = NULL;
	bool		dropped = false;
	int			places[O_COUNT];

	if (!find_function(looking->scenario, &function, &looking->problem))
		return true;
	/* a single value has no columns, nor has a record of whatever */
	(void) get_func_result_type(function.oid, NULL, &desc);
	/* rows of a table that lost one come without it: the call will tell */
	for (int i = 0; desc && i < desc->natts; i++)
		dropped = dropped || TupleDescAttr(desc, i)->attisdropped;
	if (!dropped)
		find_columns(looking->scenario, desc, places);
	return true;
}

/*
 * What is wrong with the function of a scenario as it is declared, palloc()ed;
 * NULL if nothing is.  SPI connected, acting as the owner of the database.
 */
WaSaid
wa_compose_custom_problem(const WaScenario *scenario)
{
	Look		looking = {scenario, NULL};

	/*
	 * a text that can be no name at all raises an error, and so do wrong
	 * columns
	 */
	ErrorData  *error = wa_pg_subtransaction(look, &looking);

	return error ? wa_said_of_error(error) : looking.problem;
}

static Jsonb *
jsonb_of(WaRows rows, uint64 row, int column)
{
	return wa_row_isnull(rows, row, column) ? NULL : DatumGetJsonbPCopy(wa_row_datum(rows, row, column));
}

/* Columns with their values as text: as wa.message.precondition has them. */
static char *
still_of(Jsonb *given)
{
	WaValues	values = {0};
	StringInfoData json;

	if (given == NULL)
		return NULL;
	wa_compose_values_from_json(&values, given);
	if (values.n == 0)
		return NULL;
	initStringInfo(&json);
	for (int i = 0; i < values.n; i++)
	{
		appendStringInfoString(&json, i == 0 ? "{" : ", ");
		escape_json(&json, values.list[i].name);
		appendStringInfoString(&json, ": ");
		escape_json(&json, values.list[i].value);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

static void
read_answers(Call *call, WaRows rows)
{
	int			places[O_COUNT];

	if (rows.n > MOST_ANSWERS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 wa_said_errmsg(wa_say(WA_SAY_COMPOSER_TOO_MANY_ROWS, call->scenario->key, WA_NUMBER(MOST_ANSWERS)))));
	find_columns(call->scenario, rows.table->tupdesc, places);
	call->n = (int) rows.n;
	call->answers = palloc0(sizeof(WaCustomAnswer) * Max(call->n, 1));
	for (int i = 0; i < call->n; i++)
	{
		WaCustomAnswer *answer = &call->answers[i];

		answer->partner_id = wa_row_int8(rows, i, 1);
		answer->number = wa_row_text(rows, i, 2);
		answer->params = jsonb_of(rows, i, 3);
		if (places[O_RES_MODEL])
			answer->res_model = wa_row_text(rows, i, places[O_RES_MODEL]);
		if (places[O_RES_ID])
			answer->res_id = wa_row_int8(rows, i, places[O_RES_ID]);
		if (places[O_ONCE])
			answer->once = wa_row_text(rows, i, places[O_ONCE]);
		if (places[O_STILL])
			answer->still = still_of(jsonb_of(rows, i, places[O_STILL]));
	}
}

/* The arguments of a call for an event, as $1 to $4. */
static void
bind_event(WaArgs *args, const WaEvent *event)
{
	const char **columns = palloc(sizeof(char *) * Max(event->ncolumns, 1));
	const char **old = palloc(sizeof(char *) * Max(event->ncolumns, 1));
	const char **new = palloc(sizeof(char *) * Max(event->ncolumns, 1));
	int			n = 0;

	for (int i = 0; i < event->ncolumns; i++)
		if (event->columns[i])
		{
			columns[n] = event->columns[i];
			old[n] = event->old ? event->old[i] : NULL;
			new[n++] = event->new[i];
		}
	wa_arg_int8(args, event->record_id);
	wa_arg_text_array(args, columns, n);
	wa_arg_text_array(args, event->old ? old : NULL, event->old ? n : 0);
	wa_arg_text_array(args, new, n);
}

/*
 * The scenario's table must not be written anew while its function reads it:
 * a STABLE one would wait for that and then find the table empty, since its
 * snapshot is older, and nobody would be told.  So it is locked first.
 */
static void
require_table(const WaScenario *scenario)
{
	WaAppTable	table;
	List	   *names;

	if (scenario->watch == NULL ||
		!SplitIdentifierString(pstrdup(scenario->watch), '.', &names) || list_length(names) != 2)
		return;
	if (wa_app_open(&table, linitial(names), lsecond(names)) == WA_APP_LOCKED)
		wa_call_table_locked(scenario->watch);
}

/* Call the function, and undo nothing of what it did. */
static bool
call_function(void *argument)
{
	Call	   *call = argument;
	MemoryContext context = CurrentMemoryContext;
	WaArgs		args = {0};
	WaActing	acting;
	WaJudged	judged;
	Function	function;
	WaSaid		problem;
	char	   *sql;
	WaRows		rows;
	int			result;

	if (!find_function(call->scenario, &function, &problem))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 wa_said_errmsg(problem)));
	require_table(call->scenario);
	if (call->event)
	{
		bind_event(&args, call->event);
		sql = psprintf("SELECT r.* FROM %s($1, CASE WHEN $3 IS NOT NULL THEN pg_catalog.jsonb_object($2, $3) END,"
					   " pg_catalog.jsonb_object($2, $4)) AS r", function.name);
	}
	else
	{
		wa_arg_text(&args, call->day);
		sql = psprintf("SELECT r.* FROM %s(NULL::pg_catalog.int8, NULL::pg_catalog.jsonb,"
					   " pg_catalog.jsonb_build_object('day', $1)) AS r", function.name);
	}

	wa_pg_judged_init(&judged, InvalidOid, function.oid, &args);
	wa_pg_act_as_role(&acting, function.role);
	result = wa_pg_judged_execute(sql, &judged, &args, false, MOST_ANSWERS + 1);
	/* SPI leaves its own context current */
	MemoryContextSwitchTo(context);
	wa_pg_act_end(&acting);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "could not call a composer: %s", SPI_result_code_string(result));
	rows = wa_rows_of_spi();
	read_answers(call, rows);
	wa_rows_free(rows);
	return true;
}

/* The call within its time; sets "expired". */
static ErrorData *
call_in_time(Call *call)
{
	static TimeoutId timeout = MAX_TIMEOUTS;
	int			limit = call->scenario->time_limit_ms;
	ErrorData  *error;

	if (timeout == MAX_TIMEOUTS)
		timeout = RegisterTimeout(USER_TIMEOUT, limit_passed);
	expired = false;
	enable_timeout_every(timeout, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), limit),
						 CANCEL_AGAIN_MS);
	error = wa_pg_subtransaction(call_function, call);
	disable_timeout(timeout, false);
	/* what a call takes is limited, so each of them is progress */
	if (wa_app_has_read)
		wa_app_has_read();
	/* it may have come too late to hit the call */
	if (expired)
		QueryCancelPending = false;
	return error;
}

/* The version of a scenario's function. */
typedef struct Version
{
	const WaScenario *scenario;
	char		text[64];
} Version;

static bool
read_version(void *argument)
{
	static WaStatement read =
		WA_STATEMENT("SELECT p.oid || ' ' || p.xmin FROM pg_proc AS p"
					 " WHERE p.oid = to_regprocedure($1 || '(bigint, jsonb, jsonb)')");
	Version    *version = argument;
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, version->scenario->composer_name);
	rows = wa_query(&read, &args);
	if (rows.n > 0)
		strlcpy(version->text, wa_row_text(rows, 0, 1), sizeof(version->text));
	return true;
}

/* Is this function, as it is now, to be left alone? */
static bool
is_paused(const Health *health, const WaScenario *scenario, TimestampTz now)
{
	Version		version = {scenario, ""};

	if (health->paused_at == 0 || now < health->paused_at || now - health->paused_at >= PAUSE_US)
		return false;
	/* a text that can be no name at all raises an error: let the call do that */
	return wa_pg_subtransaction(read_version, &version) == NULL &&
		strcmp(version.text, health->version) == 0;
}

static void
pause_calls(Health *health, const WaScenario *scenario, WaSaid why)
{
	Version		version = {scenario, ""};

	(void) wa_pg_subtransaction(read_version, &version);
	strlcpy(health->version, version.text, sizeof(health->version));
	health->paused_at = GetCurrentTimestamp();
	wa_text_say_copy(&health->why, why);
}

/*
 * Call the function of a scenario for an event, or (event NULL) for its run of
 * a day (YYYY-MM-DD), in a subtransaction.  Returns WA_OWN_ANSWERED with its rows, palloc()ed
 * in the current context; WA_OWN_LATER if a lock or the like was in its way,
 * which is believed for a minute; WA_OWN_FAILED with the error in words.
 * strict: a person waits, and every failure is raised as an error.
 */
WaCustomResult
wa_compose_custom_call(const WaScenario *scenario, const WaEvent *event, const char *day, bool strict,
					   WaCustomAnswer **answers, int *n, WaSaid *error)
{
	Health	   *health = health_of(scenario);
	Call		call = {scenario, event, day, NULL, 0};
	TimestampTz now = GetCurrentTimestamp();
	ErrorData  *raised;
	bool		late;

	if (!strict && is_paused(health, scenario, now))
	{
		*error = wa_say(WA_SAY_COMPOSER_NOT_CALLED, WA_SAID_IN(&health->why));
		return WA_OWN_FAILED;
	}
	raised = call_in_time(&call);
	late = expired;
	if (raised == NULL && !late)
	{
		health->slow = 0;
		health->troubled_since = 0;
		health->paused_at = 0;
		*answers = call.answers;
		*n = call.n;
		return WA_OWN_ANSWERED;
	}
	if (late)
		*error = wa_say(WA_SAY_COMPOSER_TOO_SLOW, scenario->key, WA_NUMBER(scenario->time_limit_ms));
	else
		*error = wa_said_of_error(raised);
	if (strict && !late)
		ReThrowError(raised);
	if (strict)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 wa_said_errmsg(*error),
				 errhint("Everything else waits while it runs: an index may help, or a higher time_limit in wa.scenario.")));
	if (late)
	{
		if (++health->slow >= SLOW_CALLS)
			pause_calls(health, scenario, *error);
		return WA_OWN_FAILED;
	}
	if (!wa_pg_is_passing(raised->sqlerrcode))
		return WA_OWN_FAILED;
	if (health->troubled_since == 0 || now < health->troubled_since)
		health->troubled_since = now;
	if (now - health->troubled_since < PATIENCE_US)
		return WA_OWN_LATER;
	pause_calls(health, scenario, *error);
	return WA_OWN_FAILED;
}

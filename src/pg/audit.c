/*-------------------------------------------------------------------------
 *
 * audit.c
 *		A line in the server's log for whatever an administrator or sender does.
 *
 * Auditing modules pass over functions in pg_catalog, where ours live, so this
 * is the only trace of who armed the database or changed a provider.  It is
 * written when the function begins, whatever becomes of it then, and cannot be
 * switched off by whoever calls.
 *
 * Arguments can be credentials, citizens' numbers, texts and names.  So a
 * value is shown only where it is known to be none of these: by its type, by
 * the name of the argument or, inside the settings of wa_configure() and its
 * like, by the name of the setting.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "gateway/gateway.h"
#include "pg/audit.h"
#include "text/text.h"

/* A statement may call a function for each row of a table. */
#define LINES_OF_A_STATEMENT	10

#define MAX_VALUE_BYTES			200

/* Arguments of type text that hold neither secrets nor texts. */
static const char *const open_arguments[] = {
	"provider", "key", "template_key", "scenario", "role", "level", "name", "value",
	"database_name", "number", "state", "reason", "scope"
};

/*
 * The same for members of settings, besides those of the kinds of provider;
 * names of credential files are open, too.
 */
static const char *const open_settings[] = {
	"kind", "base_url", "active", "sequence", "is_default", "state", "max_in_flight",
	"min_gap", "gap_jitter", "rate_per_second", "daily_cap", "recipient_gap",
	"name", "id", "language", "mode", "format", "status", "category",
	"template_key", "on_insert", "exclusive", "requires_opt_in", "time_to_live", "unknown_policy", "priority",
	"fallback", "fallback_when_paced", "staff_group", "approver_group", "hours_from", "hours_to", "weekdays",
	"max_per_transaction", "max_per_hour", "max_per_day_and_number", "news_days", "muted_until", "daily_at",
	"thresholds", "time_limit"
};

/* The statement that is being logged, and how many calls it has made. */
static TimestampTz statement = 0;
static uint64 calls = 0;
static char more_by[NAMEDATALEN];

static bool
among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Append a value: quoted, on one line, not too long. */
static void
append_value(StringInfo line, const char *value, char quote)
{
	size_t		len = strlen(value);
	char	   *shown;

	if (len > MAX_VALUE_BYTES)
		len = pg_mbcliplen(value, (int) len, MAX_VALUE_BYTES);
	shown = pnstrdup(value, len);
	appendStringInfoChar(line, quote);
	for (char *p = shown; *p; p++)
		appendStringInfoChar(line, (unsigned char) *p < ' ' || *p == 0x7f ? ' ' : *p);
	appendStringInfo(line, "%s%c", value[len] ? "..." : "", quote);
}

/*
 * The name of a credential file begins with a kind of provider.  What does not
 * may be the credential itself, put there by mistake.
 */
static bool
names_file(const char *setting, const char *value)
{
	size_t		len = strlen(setting);
	const WaGateway *gateway;

	if (len <= 5 || strcmp(setting + len - 5, "_file") != 0)
		return false;
	for (int n = 0; (gateway = wa_gateway_at(n)) != NULL; n++)
	{
		len = strlen(gateway->kind);
		if (strncmp(value, gateway->kind, len) == 0 && value[len] == '_')
			return true;
	}
	return false;
}

static bool
is_open(const char *setting)
{
	return among(setting, open_settings, lengthof(open_settings)) || wa_gateway_open_setting(setting);
}

/* A member of settings; what is not known to be open is not shown. */
static void
append_member(StringInfo line, const char *name, JsonbValue *value)
{
	appendStringInfo(line, "%s\"", line->data[line->len - 1] == '{' ? "" : ", ");
	if (pg_mbstrlen(name) <= 40 && name[strcspn(name, "\"\\\n\r\t")] == '\0')
		appendStringInfoString(line, name);
	else
		appendStringInfoString(line, "...");
	appendStringInfoString(line, "\": ");
	if (value->type == jbvNull)
		appendStringInfoString(line, "null");
	else if (value->type == jbvString)
	{
		char	   *text = pnstrdup(value->val.string.val, value->val.string.len);

		/* a user and a password have no place in a URL, and are refused later */
		if (strchr(text, '@') || (!is_open(name) && !names_file(name, text)))
			appendStringInfoString(line, "\"***\"");
		else
			append_value(line, text, '"');
	}
	else if (!is_open(name))
		appendStringInfoString(line, "\"***\"");
	else if (value->type == jbvBool)
		appendStringInfoString(line, value->val.boolean ? "true" : "false");
	else if (value->type == jbvNumeric)
		appendStringInfoString(line, DatumGetCString(DirectFunctionCall1(numeric_out,
																		 NumericGetDatum(value->val.numeric))));
	else
		appendStringInfoString(line, "...");
}

static void
append_settings(StringInfo line, Jsonb *settings)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	const char *name = "";

	if (!JB_ROOT_IS_OBJECT(settings))
	{
		appendStringInfoString(line, "...");
		return;
	}
	appendStringInfoString(line, "'{");
	it = JsonbIteratorInit(&settings->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
			append_member(line, name, &value);
	}
	appendStringInfoString(line, "}'");
}

static void
append_argument(StringInfo line, const char *name, Oid type, Datum value)
{
	Oid			output;
	bool		varlena;

	switch (type)
	{
		case BOOLOID:
		case INT4OID:
		case INT8OID:
		case TIMESTAMPTZOID:
			/* who is to be forgotten is not to stand in the log */
			if (strcmp(name, "person") == 0)
			{
				appendStringInfoString(line, "...");
				break;
			}
			getTypeOutputInfo(type, &output, &varlena);
			append_value(line, OidOutputFunctionCall(output, value), '\'');
			break;
		case TEXTOID:
			if (among(name, open_arguments, lengthof(open_arguments)))
			{
				/* what is behind a plus is a number, of any country */
				size_t		at = strcmp(name, "number") == 0 ? 1 : 0;
				char	   *shown = psprintf("%s%s", at ? "+" : "", TextDatumGetCString(value));
				size_t		begin = at;

				while (shown[at])
					at += wa_text_mask_number(shown, at);
				append_value(line, shown + begin, '\'');
			}
			else
				appendStringInfoString(line, "...");
			break;
		case JSONBOID:
			if (strcmp(name, "settings") == 0)
				append_settings(line, DatumGetJsonbP(value));
			else
				appendStringInfoString(line, "...");
			break;
		default:
			appendStringInfoString(line, "...");
			break;
	}
}

/* name(argument => value, ...), without those that are NULL. */
static char *
describe_call(FunctionCallInfo fcinfo)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	StringInfoData line;
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			n;
	int			argument = 0;
	bool		first = true;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
	initStringInfo(&line);
	appendStringInfo(&line, "%s(", NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname));
	n = get_func_arg_info(tuple, &types, &names, &modes);
	for (int i = 0; i < n; i++)
	{
		const char *name = names && names[i] ? names[i] : "";

		if (modes && modes[i] != PROARGMODE_IN && modes[i] != PROARGMODE_INOUT)
			continue;
		if (argument < PG_NARGS() && !PG_ARGISNULL(argument))
		{
			appendStringInfo(&line, "%s%s => ", first ? "" : ", ", name);
			append_argument(&line, name, types[i], PG_GETARG_DATUM(argument));
			first = false;
		}
		argument++;
	}
	appendStringInfoChar(&line, ')');
	ReleaseSysCache(tuple);
	return line.data;
}

/* The statement is over: say how often it called beyond what was logged. */
static void
say_more(void)
{
	if (calls > LINES_OF_A_STATEMENT)
		ereport(LOG_SERVER_ONLY,
				(errmsg("sicantik_wa audit: role \"%s\" made " UINT64_FORMAT " more calls in the same statement",
						more_by, calls - LINES_OF_A_STATEMENT),
				 errhidestmt(true),
				 errhidecontext(true)));
	calls = 0;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
		case XACT_EVENT_ABORT:
			say_more();
			break;
		default:
			break;
	}
}

/*
 * Log that "caller" calls the function of ours that fcinfo is for.  Nothing is
 * logged for a function that another one of ours calls.
 */
void
wa_pg_audit_call(FunctionCallInfo fcinfo, Oid caller)
{
	static bool registered = false;
	char	   *role;

	if (fcinfo == NULL || fcinfo->flinfo == NULL || !OidIsValid(fcinfo->flinfo->fn_oid))
		return;
	if (!registered)
	{
		RegisterXactCallback(at_transaction_end, NULL);
		registered = true;
	}
	role = GetUserNameFromId(caller, false);
	if (statement != GetCurrentStatementStartTimestamp())
	{
		say_more();
		statement = GetCurrentStatementStartTimestamp();
	}
	if (++calls > LINES_OF_A_STATEMENT)
	{
		strlcpy(more_by, role, sizeof(more_by));
		return;
	}
	ereport(LOG_SERVER_ONLY,
			(errmsg("sicantik_wa audit: role \"%s\"%s calls %s", role,
					caller == GetSessionUserId() ? "" :
					psprintf(" (session of \"%s\")", GetUserNameFromId(GetSessionUserId(), false)),
					describe_call(fcinfo)),
			 errhidestmt(true),
			 errhidecontext(true)));
}

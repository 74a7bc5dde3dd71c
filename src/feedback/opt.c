/*-------------------------------------------------------------------------
 *
 * opt.c
 *		wa_opt_out(), wa_opt_in(), wa_identify(): a person writes down what
 *		somebody said, or who he is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "feedback/consent.h"
#include "pg/call.h"
#include "pg/query.h"
#include "queue/queue.h"
#include "text/text.h"
#include "wake/wake.h"

PG_FUNCTION_INFO_V1(wa_sql_opt_out);
PG_FUNCTION_INFO_V1(wa_sql_opt_in);
PG_FUNCTION_INFO_V1(wa_sql_identify);

#define MAX_WORDS_BYTES		4096
#define MAX_ID_BYTES		1000	/* it stands in an index */

/*
 * The number in international form.  Bare digits of another country are that
 * form already.
 */
static char *
read_number(const char *given)
{
	char		number[WA_NUMBER_SIZE];

	if (given == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("number must not be null")));
	if (wa_text_normalize_number(given, number) ||
		wa_text_normalize_number(psprintf("+%s", given), number))
	{
		wa_queue_refuse_ambiguous(given, number);
		return pstrdup(number);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is not a usable mobile number", given),
			 errhint("Numbers are written like 081234567890, +62 812-3456-7890 or, of another country, with the plus: +65 9123 4567.")));
	return NULL;
}

static bool
is_of_marketing(const char *scope)
{
	if (scope == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("scope must not be null"),
				 errhint("Scopes are all and marketing.")));
	if (strcmp(scope, "all") != 0 && strcmp(scope, "marketing") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scope \"%s\" does not exist", scope),
				 errhint("Scopes are all and marketing.")));
	return strcmp(scope, "marketing") == 0;
}

/* What holds for the number now, in words. */
static char *
what_holds(const char *number, bool marketing)
{
	static WaStatement read =
		WA_STATEMENT("SELECT CASE WHEN $2 THEN marketing_out_at IS NOT NULL ELSE opted_out_at >= coalesce(opted_in_at, '-infinity') END"
					 " FROM wa.contact WHERE number = $1 AND NOT EXISTS (SELECT FROM wa.consent AS c WHERE c.number = $1 AND c.pending)");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, number);
	wa_arg_bool(&args, marketing);
	rows = wa_query(&read, &args);
	if (rows.n == 0)
		return psprintf("written down for %s", number);
	if (!wa_row_isnull(rows, 0, 1) && wa_row_bool(rows, 0, 1))
		return psprintf("%s gets no messages%s", number, marketing ? " of marketing" : "");
	return psprintf("%s may get messages%s", number, marketing ? " of marketing" : "");
}

static Datum
opt(FunctionCallInfo fcinfo, bool out)
{
	char	   *given = wa_call_arg_text(fcinfo, 0);
	char	   *scope = wa_call_arg_text(fcinfo, 1);
	WaConsentChange change = {
		.out = out,
		.said_at = PG_ARGISNULL(3) ? 0 : PG_GETARG_TIMESTAMPTZ(3),
		.source = WA_CONSENT_HAND,
		.words = wa_call_arg_text(fcinfo, 2)
	};
	WaCall		call;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_SEND);
	if (wa_text_is_person_id(given))
		change.user_id = given;
	else
		change.number = read_number(given);
	change.marketing = is_of_marketing(scope);
	if (change.words && strlen(change.words) > MAX_WORDS_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("words are longer than %d bytes", MAX_WORDS_BYTES)));
	if (change.said_at > GetCurrentTimestamp() || TIMESTAMP_IS_NOBEGIN(change.said_at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("said_at must be a time in the past")));
	change.by = wa_call_role();
	wa_feedback_consent_note(&change, 1);
	/* should somebody hold the row, the worker carries it over */
	wa_wake_feedback_at_commit();
	result = wa_call_text(&call, change.number ? what_holds(change.number, change.marketing) :
						  psprintf("written down for %s", given));
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

/*
 * wa_opt_out(): see feedback.sql.
 */
Datum
wa_sql_opt_out(PG_FUNCTION_ARGS)
{
	return opt(fcinfo, true);
}

/*
 * wa_opt_in(): see feedback.sql.
 */
Datum
wa_sql_opt_in(PG_FUNCTION_ARGS)
{
	return opt(fcinfo, false);
}

/*
 * wa_identify(): see feedback.sql.
 */
Datum
wa_sql_identify(PG_FUNCTION_ARGS)
{
	static WaStatement bind =
		WA_STATEMENT("INSERT INTO wa.identity_of (user_id, number) VALUES ($1, $2)"
					 " ON CONFLICT (user_id, number) DO UPDATE SET seen_at = clock_timestamp()");
	char	   *user_id = wa_call_arg_text(fcinfo, 0);
	char	   *given = wa_call_arg_text(fcinfo, 1);
	char	   *number;
	WaArgs		args = {0};
	WaCall		call;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_SEND);
	number = read_number(given);
	if (user_id == NULL || user_id[0] == '\0' || strlen(user_id) > MAX_ID_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("user_id must be an id of 1 to %d bytes", MAX_ID_BYTES),
				 errhint("SELECT user_id FROM wa.consent_view WHERE number IS NULL lists those who have said something and are not known.")));
	wa_arg_text(&args, user_id);
	wa_arg_text(&args, number);
	wa_query(&bind, &args);
	wa_feedback_consent_bind((const char *const *) &user_id, 1, false);
	wa_wake_feedback_at_commit();
	result = wa_call_text(&call, psprintf("%s is %s", user_id, number));
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

/*-------------------------------------------------------------------------
 *
 * link.c
 *		wa_opt_in_link(): a link that a citizen opens to agree.
 *
 * It opens WhatsApp with a chat to the office's number and a text that is ready
 * to be sent: by sending it he agrees, where a webhook brings it (word by
 * word: a keyword is the whole message).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "feedback/consent.h"
#include "gateway/gateway.h"
#include "office/setting.h"
#include "pg/call.h"
#include "route/providers.h"
#include "text/text.h"

PG_FUNCTION_INFO_V1(wa_sql_opt_in_link);

#define MAX_BODY_BYTES	1000

/* Every byte of its UTF-8 but letters, figures and "-._~". */
static void
append_encoded(StringInfo link, const char *text)
{
	const char *utf8 = pg_server_to_any(text, (int) strlen(text), PG_UTF8);

	for (const unsigned char *p = (const unsigned char *) utf8; *p; p++)
		if ((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || strchr("-._~", *p))
			appendStringInfoChar(link, (char) *p);
		else
			appendStringInfo(link, "%%%02X", *p);
}

/*
 * The number of an office, which may be written without its plus, as it is stored:
 * "number" has WA_NUMBER_SIZE bytes.  False: it is no mobile number.
 */
bool
wa_feedback_own_number(const char *given, char *number)
{
	return wa_text_normalize_number(given, number) || wa_text_normalize_number(psprintf("+%s", given), number);
}

/* The number that people write to: given, or the provider's setting. */
static char *
own_number(const char *name, const char *given)
{
	WaProviders providers;
	WaProvider *provider;
	char		number[WA_NUMBER_SIZE];

	wa_route_load_providers(&providers, false);
	provider = name ? wa_route_find_provider(&providers, name) : NULL;
	if (provider == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("provider \"%s\" does not exist", name ? name : ""),
				 errhint("SELECT name FROM wa.provider_view lists the providers.")));
	if (given == NULL)
		given = wa_gateway_setting(provider->settings, provider->nsettings, WA_GATEWAY_OWN_NUMBER);
	if (given == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the number that people write to is not known of provider \"%s\"", name),
				 errhint("SELECT wa_configure('%s', '{\"own_number\": \"0812...\"}'); or give it: SELECT wa_opt_in_link('%s', number => '0812...').",
						 name, name)));
	if (!wa_feedback_own_number(given, number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a usable mobile number", given),
				 errhint("It is the office's own, such as 081234567890.")));
	return pstrdup(number);
}

/*
 * The link, palloc()ed: see wa_opt_in_link() in feedback.sql, whose arguments,
 * errors and notice these are.
 */
char *
wa_feedback_consent_link(const char *provider, const char *body, const char *given)
{
	StringInfoData link;

	if (body == NULL)
		body = wa_feedback_consent_word_in();
	if (body[0] == '\0' || strlen(body) > MAX_BODY_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("body must be a text of 1 to %d bytes", MAX_BODY_BYTES)));
	initStringInfo(&link);
	appendStringInfo(&link, "https://wa.me/%s?text=", own_number(provider, given));
	append_encoded(&link, body);
	if (wa_feedback_consent_of_words(body, false) != WA_CONSENT_IN)
		ereport(NOTICE,
				(errmsg("who sends this text has not agreed by that"),
				 errdetail("It is none of the words of the setting opt_in_words: %s.", wa_office_get("opt_in_words"))));
	return link.data;
}

/*
 * wa_opt_in_link(): see feedback.sql.
 */
Datum
wa_sql_opt_in_link(PG_FUNCTION_ARGS)
{
	char	   *provider = wa_call_arg_text(fcinfo, 0);
	char	   *body = wa_call_arg_text(fcinfo, 1);
	char	   *given = wa_call_arg_text(fcinfo, 2);
	WaCall		call;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	result = wa_call_text(&call, wa_feedback_consent_link(provider, body, given));
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

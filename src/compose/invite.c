/*-------------------------------------------------------------------------
 *
 * invite.c
 *		wa_invite(): a contact is asked whether it wants messages.
 *
 * Meta's number may write first only to who has agreed; a gateway's may ask.
 * The invitation is a message by hand, low in priority, with the link by which
 * people agree.  Which one it is its dedupe key says: it names the invitation
 * before it, so that of two made in sessions that do not see each other only one
 * goes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compose/draft.h"
#include "feedback/consent.h"
#include "gateway/gateway.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/call.h"
#include "route/route.h"

PG_FUNCTION_INFO_V1(wa_sql_invite);

#define KEY	"invite:"

/* Many are invited at once, and a gateway takes so many a day only. */
#define TIME_TO_LIVE_US		(7 * USECS_PER_DAY)

/* What is known, and what comes of it. */
typedef struct Invitation
{
	WaProviders providers;
	const WaProvider *gateway;	/* that it goes by */
	const WaRecipient *recipient;
	int64		last;			/* the last one to this number, 0: none */
	int64		before;			/* the last one that may arrive, or has */
	TimestampTz before_at;		/* when that was made */
} Invitation;

/*
 * The gateway that it goes by: the one of this name, else the first that can
 * be used, or NULL.  Raises an error for a name that is no gateway's.
 */
static const WaProvider *
choose_gateway(const WaProviders *providers, const char *name)
{
	for (int i = 0; i < providers->n; i++)
	{
		const WaProvider *provider = &providers->list[i];

		if (name ? strcmp(provider->name, name) != 0 : !wa_route_is_usable(provider))
			continue;
		if (provider->gateway && !provider->gateway->official)
			return provider;
		if (name)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("provider \"%s\" is no gateway", name),
					 errdetail("An official provider may not write first to somebody who has not agreed."),
					 errhint("SELECT name, kind FROM wa.provider_view lists the providers.")));
	}
	return NULL;
}

/* The official number that people agree at. */
static const char *
find_official(const WaProviders *providers)
{
	const WaProvider *found = NULL;

	for (int i = 0; i < providers->n; i++)
	{
		const WaProvider *provider = &providers->list[i];
		bool		better = found == NULL || (!found->active && provider->active);

		if (provider->gateway && provider->gateway->official && better)
			found = provider;
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no official provider that somebody could agree with"),
				 errhint("wa_configure() creates one of kind meta.")));
	return found->name;
}

static char *
compose_body(const char *link)
{
	char	   *text = wa_office_get("invite_text");
	char	   *office = wa_office_get("office_name");

	if (text == NULL)
		text = wa_said_words(wa_say(WA_SAY_YOU_ARE_INVITED), WA_INDONESIAN);
	return psprintf("%s\n\n%s%s%s", text, link, office ? "\n\n" : "", office ? office : "");
}

/* Earlier invitations to this number that the ledger knows. */
static void
look_before(Invitation *invitation)
{
	static WaStatement look =
		WA_STATEMENT("SELECT max(id), max(id) FILTER (WHERE arrived), max(created_at) FILTER (WHERE arrived)"
					 " FROM (SELECT id, created_at, state NOT IN " WA_SQL_STATES(WA_NEVER_SENT) " AS arrived FROM wa.message"
					 " WHERE number = $1 AND starts_with(dedupe_key, '" KEY "')) AS m");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, invitation->recipient->number);
	rows = wa_query(&look, &args);
	if (wa_row_isnull(rows, 0, 1))
		return;
	invitation->last = wa_row_int8(rows, 0, 1);
	if (wa_row_isnull(rows, 0, 2))
		return;
	invitation->before = wa_row_int8(rows, 0, 2);
	invitation->before_at = wa_row_timestamptz(rows, 0, 3);
}

/* Why nobody is invited, or NULL. */
static WaSaid
refuse(Invitation *invitation, const char *schema)
{
	const WaRecipient *recipient = invitation->recipient;
	WaRoute		route = {.number = recipient->number,.partner_id = recipient->partner_id};
	const char *locked = NULL;

	if (recipient->number == NULL)
		return wa_say(WA_SAY_NO_USABLE_NUMBER, recipient->tried ? recipient->tried : wa_said_quote(""));
	if (!wa_route_load_facts(&route, 1, schema, &locked, NULL))
		wa_call_table_locked(locked);
	if (route.refusal)
		return route.refusal;
	if (route.opted_in)
		return wa_say(WA_SAY_HAS_AGREED_ALREADY);
	look_before(invitation);
	if (invitation->before != 0 &&
		GetCurrentTimestamp() - invitation->before_at < wa_office_get_interval("invite_interval"))
		return wa_say(WA_SAY_INVITED_BEFORE, WA_NUMBER(invitation->before),
					  wa_office_time_words(invitation->before_at, wa_office_get("time_zone")));
	if (invitation->gateway == NULL)
		return wa_say(WA_SAY_NO_GATEWAY_TO_INVITE);
	return NULL;
}

static int64
queue(const Invitation *invitation, const char *link)
{
	WaNewMessage message = {0};

	message.partner_id = invitation->recipient->partner_id;
	message.number = invitation->recipient->number;
	message.number_source = invitation->recipient->number_source;
	message.body = compose_body(link);
	message.wanted_provider = invitation->gateway->name;
	message.state = WA_STATE_QUEUED;
	message.priority = "low";
	message.unknown_policy = "give up";
	message.expires_at = GetCurrentTimestamp() + TIME_TO_LIVE_US;
	message.created_by = wa_call_role();
	message.dedupe_key = psprintf(KEY INT64_FORMAT ":" INT64_FORMAT, message.partner_id, invitation->last);
	wa_queue_insert(&message, 1);
	return message.id;
}

/*
 * wa_invite(): see send.sql.
 */
Datum
wa_sql_invite(PG_FUNCTION_ARGS)
{
	char	   *provider = wa_call_arg_text(fcinfo, 1);
	WaOdoo		odoo = {0};
	Invitation	invitation = {0};
	const char *link;
	WaSaid		why;
	int64		id;
	WaCall		call;
	Datum		values[2] = {0};
	bool		nulls[2] = {false, false};

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("partner_id must not be null")));
	wa_call_begin(&call, WA_LEVEL_SEND);
	odoo.schema = wa_office_get("odoo_schema");
	wa_compose_check_provider(provider);
	wa_route_load_providers(&invitation.providers, false);
	invitation.gateway = choose_gateway(&invitation.providers, provider);
	link = wa_feedback_consent_link(find_official(&invitation.providers), NULL, NULL);
	invitation.recipient = wa_compose_find_partner(&odoo, PG_GETARG_INT64(0));
	why = refuse(&invitation, odoo.schema);
	nulls[0] = why != NULL;
	if (why == NULL)
	{
		id = queue(&invitation, link);
		values[0] = Int64GetDatum(id);
		why = wa_say(WA_SAY_INVITATION_WAITS, invitation.gateway->name);
	}
	values[1] = wa_call_text(&call, wa_said_words(why, wa_office_language()));
	wa_call_end(&call);
	PG_RETURN_DATUM(wa_call_record(fcinfo, values, nulls));
}

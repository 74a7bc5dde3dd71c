/*-------------------------------------------------------------------------
 *
 * meta_recipient.c
 *		Whom a message to Meta is for: a number, or an id.
 *
 * Meta's page for sending wants numbers with "+": without it the country code
 * of the business' own number would be put in front.  Its samples, and many
 * clients, have none, and arrive.
 *
 * Somebody who hides his number has an id, which goes in a member of its own,
 * "recipient" (since July 2026; with both, "to" counts).  It is good for one
 * business portfolio, and not for every kind of message (code 131062).
 *
 *-------------------------------------------------------------------------
 */
#include "gateway/meta.h"

/* Read a setting that is true or false; false with err if it is neither. */
static bool
read_boolean(const WaPair *settings, size_t nsettings, const char *name, bool *value,
			 WaSaidText *err)
{
	if (wa_gateway_boolean(wa_gateway_value(&wa_gateway_meta, settings, nsettings, name), value))
		return true;
	wa_gateway_say(err, WA_SAY_SETTING_MUST_BE_BOOLEAN, name);
	return false;
}

/*
 * Append the recipient to the body of a message.  Returns false with err if a
 * setting is no boolean, or does not let messages go to ids.
 */
bool
wa_gateway_meta_recipient(WaBuf *body, const WaPair *settings, size_t nsettings,
						  const char *number, WaSaidText *err)
{
	WaBuf		to = {0};
	bool		plus;
	bool		ids;

	if (!read_boolean(settings, nsettings, META_NUMBER_WITH_PLUS, &plus, err) ||
		!read_boolean(settings, nsettings, META_SEND_TO_IDS, &ids, err))
		return false;
	if (wa_text_is_person_id(number))
	{
		if (!ids)
		{
			wa_gateway_say(err, WA_SAY_PROVIDER_SETTING_IS_OFF, META_SEND_TO_IDS);
			return false;
		}
		wa_gateway_buf_str(body, "\"recipient\":");
		wa_gateway_buf_json(body, number);
		return true;
	}
	wa_gateway_buf_str(&to, plus ? "+" : "");
	wa_gateway_buf_str(&to, number);
	wa_gateway_buf_str(body, "\"to\":");
	if (to.failed)
		body->failed = true;
	else
		wa_gateway_buf_json(body, to.data);
	wa_gateway_buf_free(&to);
	return true;
}

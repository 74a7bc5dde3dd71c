/*-------------------------------------------------------------------------
 *
 * mapping_state.c
 *		Why a mapping is in error, and what lifts that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "route/catalogue.h"

/*
 * What is said of a template in a state in which it cannot be used.  status is
 * the provider's word, reason too, or NULL.
 */
WaSaid
wa_route_standing_said(const WaGateway *gateway, WaTemplateStanding standing,
					   const char *status, const char *reason)
{
	if (standing == WA_TEMPLATE_ARCHIVED)
		return wa_say(WA_SAY_TEMPLATE_ARCHIVED, gateway->name);
	if (standing == WA_TEMPLATE_GONE)
		return wa_say(WA_SAY_TEMPLATE_IS_DELETED, gateway->name, status);
	return reason ? wa_say(WA_SAY_TEMPLATE_STATE_AND_WHY, gateway->name, status, reason) :
		wa_say(WA_SAY_TEMPLATE_STATE, gateway->name, status);
}

/* Does a sentence of this key stand in it, at any depth? */
static bool
says(WaSaid said, WaSay key)
{
	char		begin[64];
	WaSaid		plain = wa_text_say_plain(key);
	size_t		len = strlen((const char *) plain) - 1;

	Assert(len < sizeof(begin));
	memcpy(begin, (const char *) plain, len);
	begin[len] = '\0';
	for (const char *at = (const char *) said; (at = strstr(at, begin)) != NULL; at += len)
		if (at[len] == '\002' || at[len] == '\003')
			return true;
	return false;
}

/*
 * In what a mapping in error does not fit the provider's list.
 */
WaMisfit
wa_route_misfit(const WaMapping *mapping)
{
	static const struct
	{
		WaSay		key;
		WaMisfit	misfit;
	}			known[] = {
		{WA_SAY_TEMPLATE_NOT_THERE, WA_MAPPING_NOT_THERE},
		{WA_SAY_TEMPLATE_OTHER_LANGUAGE, WA_MAPPING_NOT_THERE},
		{WA_SAY_TEMPLATE_BY_POSITION, WA_MAPPING_BY_POSITION},
		{WA_SAY_TEMPLATE_OTHER_COUNT, WA_MAPPING_OTHER_PARAMETERS},
		{WA_SAY_TEMPLATE_OTHER_NAME, WA_MAPPING_OTHER_PARAMETERS},
	};

	if (mapping->last_error)
		for (size_t i = 0; i < lengthof(known); i++)
			if (says(mapping->last_error, known[i].key))
				return known[i].misfit;
	return WA_MAPPING_OTHERWISE;
}

/*
 * Is the error of a mapping one that the provider's list, or an event, has
 * told, or a pause?  Then it is over when that says so.  Any other one, which a
 * message has met, may be there all the same.
 */
bool
wa_route_lifts(const WaMapping *mapping, const WaGateway *gateway)
{
	static const WaSay told[] = {
		WA_SAY_TEMPLATE_NOT_THERE, WA_SAY_TEMPLATE_OTHER_LANGUAGE, WA_SAY_TEMPLATE_NEEDS_MORE,
		WA_SAY_TEMPLATE_OTHER_COUNT, WA_SAY_TEMPLATE_OTHER_NAME, WA_SAY_TEMPLATE_BY_POSITION,
		WA_SAY_TEMPLATE_ARCHIVED, WA_SAY_TEMPLATE_IS_DELETED, WA_SAY_TEMPLATE_STATE,
		WA_SAY_TEMPLATE_STATE_AND_WHY, WA_SAY_META_TEMPLATE_PAUSED_FOR_LOW
	};

	if (mapping->last_error)
		for (size_t i = 0; i < lengthof(told); i++)
			if (says(mapping->last_error, told[i]))
				return true;
	/* it could not be used, and now it can */
	return mapping->provider_status && gateway->template_standing(mapping->provider_status) > WA_TEMPLATE_WARNED;
}

/*-------------------------------------------------------------------------
 *
 * feedback.c
 *		What all readers of webhooks share.
 *
 *-------------------------------------------------------------------------
 */
#include "gateway/provider.h"

static const char *const kind_names[WA_UPDATE_KIND_COUNT] = {
	[WA_UPDATE_STATUS] = "status",
	[WA_UPDATE_INBOUND] = "inbound",
	[WA_UPDATE_PERSON] = "person",
	[WA_UPDATE_PREFERENCE] = "preference",
	[WA_UPDATE_TEMPLATE] = "template",
	[WA_UPDATE_ACCOUNT] = "account",
	[WA_UPDATE_KEPT] = "kept",
	[WA_UPDATE_UNKNOWN] = "unknown"
};

static const char *const progress_names[] = {
	[WA_PROGRESS_NONE] = NULL,
	[WA_PROGRESS_SENT] = "sent",
	[WA_PROGRESS_DELIVERED] = "delivered",
	[WA_PROGRESS_READ] = "read",
	[WA_PROGRESS_FAILED] = "failed"
};

static const char *const effect_names[] = {
	[WA_ACCOUNT_KEPT] = "kept",
	[WA_ACCOUNT_RESUME] = "resume",
	[WA_ACCOUNT_WARN] = "warn",
	[WA_ACCOUNT_SLOWER] = "slower",
	[WA_ACCOUNT_STOP] = "stop"
};

static const char *const about_names[] = {
	[WA_ABOUT_RULES] = "rules",
	[WA_ABOUT_LINK] = "link",
	[WA_ABOUT_ELSE] = "else"
};

/*
 * As it is stored.
 */
const char *
wa_gateway_update_kind_name(WaUpdateKind kind)
{
	return kind_names[kind];
}

/*
 * As it is stored; NULL for WA_PROGRESS_NONE.
 */
const char *
wa_gateway_progress_name(WaProgress progress)
{
	return progress_names[progress];
}

/*
 * As it is stored.
 */
const char *
wa_gateway_effect_name(WaAccountEffect effect)
{
	return effect_names[effect];
}

/*
 * As it is stored.
 */
const char *
wa_gateway_about_name(WaAccountAbout about)
{
	return about_names[about];
}

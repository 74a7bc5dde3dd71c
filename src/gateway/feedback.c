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

/*-------------------------------------------------------------------------
 *
 * erase.h
 *		What of the ledger tells who was told what.
 *
 * The purge empties it after the retention, wa_forget() at once.  What is left
 * are figures.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ERASE_H
#define SICANTIK_WA_ERASE_H

#include "postgres.h"

#include "pg/said.h"

/* SQL, for SET: of a message, and of its attempts. */
#define WA_QUEUE_BLANK_MESSAGE \
	"number = NULL, params = NULL, body = NULL, change = NULL, detail = NULL, detail_said = NULL," \
	" route = NULL, route_said = NULL, precondition = NULL, provider_message_id = NULL"
#define WA_QUEUE_BLANK_ATTEMPT \
	"response = NULL, response_said = NULL, provider_message_id = NULL"

/*
 * SQL: what wa.forgotten keeps of a provider's id of a message.  Such an id may
 * contain the number, and the digest does not give it back.
 */
#define WA_QUEUE_DIGEST(id)	"encode(sha256(convert_to(" id ", 'UTF8')), 'hex')"

/* So long it is known of an erased message that it is one of ours. */
#define WA_QUEUE_DIGESTS_STAY	"30 days"

/* How many rows were emptied, or taken out. */
typedef struct WaErased
{
	int64		attempts;
	int64		requests;
	int64		keys;			/* of wa.announced */
	int64		messages;
} WaErased;

extern WaErased wa_queue_erase(const int64 *ids, int n, int nown, const char *pattern);
extern int	wa_queue_cancel(const int64 *ids, const WaSaid *details, const WaSaid *doubts, int n, int64 **ended);

#endif							/* SICANTIK_WA_ERASE_H */

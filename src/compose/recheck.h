/*-------------------------------------------------------------------------
 *
 * recheck.h
 *		What the sender asks of a scenario before a message goes out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_RECHECK_H
#define SICANTIK_WA_RECHECK_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "queue/queue.h"

/* What became of the condition of a message. */
typedef enum WaStill
{
	WA_STILL_TRUE,
	WA_STILL_FALSE,
	WA_STILL_UNREACHED,			/* but its person has no usable number */
	WA_STILL_LOCKED,			/* its table cannot be had now */
	WA_STILL_ENDED				/* the message is not waiting any more */
} WaStill;

/* recheck.c */
extern PGDLLEXPORT void wa_compose_recheck(const char *schema, const int64 *ids, int n,
								   WaStill *results, const char **details);
extern void wa_compose_recheck_skipped(const char *schema, const int64 *ids, int n,
							   WaStill *results, const char **details);
extern PGDLLEXPORT void wa_compose_recheck_keep_unreached(const int64 *ids, int n);

/* unwritten.c */
extern PGDLLEXPORT void wa_compose_unwritten_look(void);

/* reader.c */
extern PGDLLEXPORT TimestampTz wa_compose_last_run(void);

/* contact_now.c */
extern PGDLLEXPORT bool wa_compose_look_up_contacts(const char *schema, WaContactNow *contacts, int n);

#endif							/* SICANTIK_WA_RECHECK_H */

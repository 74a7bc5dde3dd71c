/*-------------------------------------------------------------------------
 *
 * send.h
 *		The send round, and what its files share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SEND_H
#define SICANTIK_WA_SEND_H

#include "postgres.h"

#include "compose/compose.h"
#include "deliver/schedule.h"
#include "deliver/transfer.h"
#include "identity/identity.h"
#include "office/hours.h"
#include "queue/work.h"
#include "route/route.h"

/* When messages of a scenario may go. */
typedef struct WaScenarioHours
{
	char	   *scenario;
	WaHours		hours;
} WaScenarioHours;

/* Configuration as of the last load; replaced as a whole. */
typedef struct WaSendConfig
{
	MemoryContext context;
	WaProviders providers;
	WaMapping  *mappings;
	int			nmappings;
	char	   *schema;
	char	   *time_zone;
	int64		unknown_wait_us;
	WaScenarioHours *hours;
	int			nhours;
	WaHolidays *holidays;
	int			ntemplates;
	WaTemplate **templates;		/* read so far */
} WaSendConfig;

/* Conclusions of a round, written together. */
typedef struct WaConclusions
{
	WaVerdictRow *rows;
	int			n;
	WaSaid		copy;			/* in a copy why nothing goes; else NULL */
} WaConclusions;

/* intake.c */
extern void wa_deliver_read_again(void);
extern bool wa_deliver_take_ready(const WaSendConfig *config, WaConclusions *conclusions);
extern bool wa_deliver_take_due(const WaSendConfig *config, WaConclusions *conclusions,
								TimestampTz *next_due);
extern void wa_deliver_take_again(const WaSendConfig *config, WaConclusions *conclusions,
								  const int64 *revived, int nrevived);
extern void wa_deliver_put_off(const int64 *ids, int n);
extern bool wa_deliver_any_put_off(void);

/* claim.c */
extern void wa_deliver_choose(WaSendConfig *config, const WaIdentity *identity, int room, bool any_due,
							  WaConclusions *conclusions, WaTransfer **transfers, int *ntransfers,
							  int64 *again);
extern WaVerdictRow *wa_deliver_conclude(WaConclusions *conclusions, int64 id,
										 WaState state, WaReason reason, WaSaid detail);

/* withhold.c */
extern void wa_deliver_withhold_begin(void);
extern void wa_deliver_withhold(WaTransfer **transfers, int n);

/* build.c */
extern bool wa_deliver_build(WaSendConfig *config, const WaIdentity *identity, const WaRoute *route,
							 const WaClaimed *claimed, WaTransfer *transfer, WaSaidText *err);

#endif							/* SICANTIK_WA_SEND_H */

/*-------------------------------------------------------------------------
 *
 * people.h
 *		Partners, staff, and their numbers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PEOPLE_H
#define SICANTIK_WA_PEOPLE_H

#include "postgres.h"

#include "compose/batch.h"

extern bool wa_compose_people_load_partners(WaBatch *batch, const int64 *ids, int n);
extern bool wa_compose_people_load_staff(WaBatch *batch, const char *model, const int64 *ids, int n,
										 const char *group);
extern bool wa_compose_people_load_group(WaBatch *batch, const char *group);
extern bool wa_compose_people_load_users(WaBatch *batch, const int64 *ids, int n);
extern WaRecipient *wa_compose_people_user(WaBatch *batch, int64 user_id);
extern List *wa_compose_people_group(WaBatch *batch, const char *group);
extern bool wa_compose_people_group_known(WaBatch *batch, const char *group);
extern WaRecipient *wa_compose_people_partner(WaBatch *batch, int64 partner_id);
extern List *wa_compose_people_staff(WaBatch *batch, const char *model, int64 id, const char *group);

#endif							/* SICANTIK_WA_PEOPLE_H */

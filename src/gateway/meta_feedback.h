/*-------------------------------------------------------------------------
 *
 * meta_feedback.h
 *		What the readers of Meta's webhooks share among themselves.
 *
 * The envelope is entry[].changes[], and each change has a field and a value.
 * The field alone says what the value is about: a value of another field may
 * have members of the same names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GATEWAY_META_FEEDBACK_H
#define SICANTIK_WA_GATEWAY_META_FEEDBACK_H

#include "gateway/reading.h"

/* A body while it is read: who takes the updates, and the change at hand. */
typedef struct WaMetaReader
{
	WaTakeUpdate take;
	void	   *argument;
	int64_t		now;
	bool		no_memory;		/* nothing is given any more */
	size_t		given;
	WaStrings	strings;		/* of the update at hand */

	/* of the change; borrowed */
	const char *field;
	json_object *account;		/* id of the business account */
	json_object *entry_time;
	json_object *metadata;
	json_object *contacts;
	json_object *people;		/* contacts by number and by id; ours */
	bool		single;			/* it has one element: the only contact is of
								 * it */
	bool		standby;		/* somebody else owns the chats */
} WaMetaReader;

/* meta_feedback.c */
extern void wa_gateway_meta_begin(WaMetaReader *reader, WaUpdate *update, WaUpdateKind kind);
extern void wa_gateway_meta_give(WaMetaReader *reader, WaUpdate *update);
extern void wa_gateway_meta_set_aside(WaMetaReader *reader, WaUpdate *update, WaUpdateKind kind,
									  const char *word, json_object * element);
extern void wa_gateway_meta_aside(WaMetaReader *reader, WaUpdateKind kind, const char *word,
								  json_object * element);
extern const char *wa_gateway_meta_event(WaMetaReader *reader, const char *word);
extern void wa_gateway_meta_add(WaMetaReader *reader, json_object * *object, const char *name,
								json_object * value);
extern const char *wa_gateway_meta_json(WaMetaReader *reader, json_object * object);
extern void wa_gateway_meta_error(WaMetaReader *reader, WaUpdate *update, json_object * errors);

/* meta_person.c */
extern void wa_gateway_meta_people(WaMetaReader *reader, json_object * contacts);
extern json_object * wa_gateway_meta_person(WaMetaReader *reader, WaUpdate *update, json_object * number,
											json_object * user_id, json_object * parent_user_id);
extern const char *wa_gateway_meta_number(WaMetaReader *reader, json_object * value);
extern void wa_gateway_meta_system(WaMetaReader *reader, json_object * message);
extern void wa_gateway_meta_new_id(WaMetaReader *reader, json_object * element);
extern void wa_gateway_meta_preference(WaMetaReader *reader, json_object * element);

/* meta_status.c */
extern void wa_gateway_meta_status(WaMetaReader *reader, json_object * status);

/* meta_inbound.c */
extern void wa_gateway_meta_message(WaMetaReader *reader, json_object * message);
extern void wa_gateway_meta_call(WaMetaReader *reader, json_object * call);
extern void wa_gateway_meta_call_status(WaMetaReader *reader, json_object * status);

/* meta_account.c */
extern void wa_gateway_meta_template(WaMetaReader *reader, json_object * value);
extern void wa_gateway_meta_account(WaMetaReader *reader, json_object * value);
extern void wa_gateway_meta_value_error(WaMetaReader *reader, json_object * error);

#endif							/* SICANTIK_WA_GATEWAY_META_FEEDBACK_H */

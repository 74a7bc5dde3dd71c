/*-------------------------------------------------------------------------
 *
 * person.h
 *		Whom wa_forget() and wa_export() are about.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_PERSON_H
#define SICANTIK_WA_PERSON_H

#include "postgres.h"

#include "admin/history.h"
#include "pg/query.h"

typedef struct WaPerson
{
	WaSearch	search;			/* his partners, and their records */
	WaNumbers	numbers;		/* his alone, and his ids with providers */
	WaNumbers	shared;			/* another contact has these as well */
	WaNumbers	permit_numbers; /* by which messages name his permits */
	WaIds		others;			/* contacts of nobody in the office: what they
								 * were told of his records is theirs */
	const char *pattern;		/* regular expression: a text that has one of
								 * his numbers or ids; matches nothing if
								 * there are none */
} WaPerson;

/*
 * SQL that takes the arguments of wa_admin_person_bind() beside it: his records,
 * as wa.event names them and as wa.message does.
 */
#define WA_ADMIN_PERSON_RECORDS \
	"records AS MATERIALIZED (SELECT 'sicantik.permit' AS model, format('%I.%I', $4, 'sicantik_permit') AS relation, unnest($5::bigint[]) AS id" \
	" UNION ALL SELECT 'sicantik.document', format('%I.%I', $4, 'sicantik_document'), unnest($6::bigint[])" \
	" UNION ALL SELECT 'signature.workflow', format('%I.%I', $4, 'signature_workflow'), unnest($7::bigint[])" \
	" UNION ALL SELECT 'res.partner', format('%I.%I', $4, 'res_partner'), unnest($2::bigint[])" \
	" UNION ALL SELECT replace((parse_ident(o.relation))[2], '_', '.'), o.relation, o.id" \
	" FROM unnest($8::text[], $9::bigint[]) AS o(relation, id))"

/* SQL: the ids of the messages to him. */
#define WA_ADMIN_PERSON_MESSAGES \
	"SELECT id FROM wa.message WHERE number = ANY ($1)" \
	" UNION SELECT id FROM wa.message WHERE partner_id = ANY ($2) AND partner_id IS NOT NULL"

/*
 * SQL: messages m about his records, or that name one of his permits: Odoo may
 * not have a document any more that is known by its permit only.
 */
#define WA_ADMIN_PERSON_ABOUT \
	"(SELECT m.id, m.partner_id FROM records AS r JOIN wa.message AS m ON m.res_id = r.id AND m.res_model IN (r.model, r.relation)" \
	" UNION SELECT id, partner_id FROM wa.message WHERE (params->>'permit_number') COLLATE \"C\" = ANY ($11)" \
	" UNION SELECT id, partner_id FROM wa.message WHERE (params->>'pendaftaran_id') COLLATE \"C\" = ANY ($11)) AS m"

/* SQL: the ids of those of them that went to the office. */
#define WA_ADMIN_PERSON_RELATED \
	"SELECT m.id FROM " WA_ADMIN_PERSON_ABOUT " WHERE m.partner_id IS NULL OR m.partner_id <> ALL ($10)"

/*
 * SQL: is the change t his?  As a change of a permit says whose that was, it is
 * his who is named, whoever has the permit now; else whose the record is.
 */
#define WA_ADMIN_PERSON_SIDE(t, side) \
	"(" t "." side ")[array_position(" t ".columns, 'partner_id')]"
#define WA_ADMIN_PERSON_CHANGE(t) \
	"CASE WHEN coalesce(" WA_ADMIN_PERSON_SIDE(t, "new") ", " WA_ADMIN_PERSON_SIDE(t, "old") ") IS NOT NULL" \
	" THEN ARRAY[" WA_ADMIN_PERSON_SIDE(t, "new") ", " WA_ADMIN_PERSON_SIDE(t, "old") "] && $2::text[]" \
	" ELSE EXISTS (SELECT FROM records AS r WHERE r.id = " t ".record_id AND r.relation = " t ".relation) END"

/* belongings.c */
extern void wa_admin_person_belongings(WaPerson *person);

/* person.c */
extern void wa_admin_person_find(WaPerson *person, const char *given, int64 partner_id);
extern void wa_admin_person_bind(const WaPerson *person, WaArgs *args);

#endif							/* SICANTIK_WA_PERSON_H */

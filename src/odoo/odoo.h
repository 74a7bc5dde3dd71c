/*-------------------------------------------------------------------------
 *
 * odoo.h
 *		Face of odoo: what Odoo says of permits, documents and people, now.
 *
 * Odoo's tables may be locked, missing, of another version, or somebody's trap
 * (pg/app_table.h), and its texts may say nothing in several ways.  All of that
 * ends here: who asks for a permit, a document, a partner or a parameter gets a
 * fact, or NULL where there is none.  Nothing is written, nobody is waited for.
 *
 * What is asked about at one time is read into a WaOdoo, set-based, and found
 * there then; it is a snapshot and lives as long as the context that it was
 * read in.  A reader (wa_odoo_load_*) returns false if a table could not be had
 * now: WaOdoo says which, and the caller comes back later.  Whom it concerns
 * and what is said about it is for compose to know.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ODOO_H
#define SICANTIK_WA_ODOO_H

#include "postgres.h"

#include "pg/app_table.h"

/* What is read at one time; {.schema = ...} is one of which nothing is read yet. */
typedef struct WaOdoo
{
	const char *schema;			/* of Odoo's tables */
	struct WaPermits *permits;
	struct WaDocuments *documents;
	struct WaPeople *people;
	bool		no_contacts;	/* there is no table res_partner */
	bool		locked;			/* a table could not be had: try later */
	const char *locked_table;
	WaSaid		locked_why;		/* a sentence, if it only counts as locked */
} WaOdoo;

/* fact.c: tables, and what may be asked of a value */
extern bool wa_odoo_open(WaOdoo *odoo, WaAppTable *table, const char *name);
extern bool wa_odoo_filled(const char *given);
extern bool wa_odoo_is(const char *given, const char *value);
extern bool wa_odoo_is_true(const char *given);
extern const void *wa_odoo_shown(const char *given);
extern bool wa_odoo_numbered(const char *number);
extern int64 wa_odoo_id(const char *given);
extern int	wa_odoo_by_id(const void *a, const void *b);
extern uint64 wa_odoo_add_fact(uint64 facts, const char *text);

/* translation.c */
extern char *wa_odoo_translated(const char *text, bool is_jsonb);
extern char **wa_odoo_translations(const WaAppTable *translations, const char *column,
								   const int64 *ids, int n);

/* parameter.c */
extern WaAppState wa_odoo_parameters(WaAppTable *table, const char *schema,
									 const char *const *keys, int n, char **values);
extern char *wa_odoo_parameter(const char *schema, const char *key);

#endif							/* SICANTIK_WA_ODOO_H */

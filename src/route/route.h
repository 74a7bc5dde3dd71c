/*-------------------------------------------------------------------------
 *
 * route.h
 *		Face of routing: which provider, and why.
 *
 * Reads wa.provider, wa.template, wa.template_mapping, the credentials,
 * wa.contact and Odoo's res_partner; writes only what a provider told of its
 * quota and of templates (catalogue.h), and what wa_pause() does.  providers.c reads a provider as configured,
 * and checks each row, for anybody may have written it: what is wrong is its
 * "problem", not an error.  facts.c asks whether the person wants messages,
 * decide.c chooses and says why, which the ledger keeps.
 * Credentials are in secret.c only.  Begin with decide.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ROUTE_H
#define SICANTIK_WA_ROUTE_H

#include "postgres.h"

#include "pg/columns.h"
#include "route/providers.h"

/* Why a person gets nothing from any provider. */
typedef enum WaNobody
{
	WA_SOMEBODY,				/* he does */
	WA_OPTED_OUT,
	WA_BLACKLISTED,
	WA_CONTACT_IS_GONE
} WaNobody;

/* One message to be routed: the question, what is known, and the answer. */
typedef struct WaRoute
{
	/* question */
	const char *number;			/* E.164 digits, or what user_id is; NULL: not
								 * known */
	bool		despite_opt_out;	/* it tells somebody that he has opted out */
	int64		partner_id;		/* 0: none */
	bool		of_contact;		/* the number is that contact's: without him
								 * nobody is told */
	const char *template_key;	/* NULL: free text */
	const char *wanted_provider;	/* NULL: choose */
	bool		requires_opt_in;
	const char *bound_provider; /* no other one, for this reason; or NULL */
	WaSaid		bound_why;
	char	  **tried;			/* have refused it just now */
	int			ntried;
	bool		later;			/* it is asked once more before it goes: who
								 * else has the number need not be found out
								 * now */
	TimestampTz seen_at;		/* the message was first seen then; 0: there
								 * is none, somebody asks */

	/* what is known of the person (wa_route_load_facts) */
	const char *user_id;		/* the message goes to this id; number is what
								 * is bound to it by now, if anything is */
	bool		opted_in;
	TimestampTz yes_at;			/* when he agreed last, by our own tables; 0 */
	TimestampTz no_at;			/* when what they refuse was said; 0 */
	TimestampTz odoo_yes_at;	/* when he agreed in Odoo, as far as that is
								 * certain; 0 */
	bool		in_window;		/* wrote to us within 24 hours, to whichever
								 * number of ours: all windows are open */
	WaTexts		windows;		/* else to these alone (sender_setting) */
	bool		no_marketing;	/* wants none: nothing by a template that the
								 * provider takes for marketing */
	bool		other_number;	/* the contact does not have this number any
								 * more */
	WaSaid		refusal;		/* gets nothing from any provider, and why */
	WaNobody	nobody;			/* the same as a code */

	/* answer (wa_route_decide) */
	const WaProvider *provider; /* NULL: none can be used now */
	const WaMapping *mapping;	/* NULL: rendered text */
	bool		as_template;	/* the provider's own template */
	bool		use_window;		/* possible only inside the 24-hour window */
	bool		exhausted;		/* none, but only because all have refused */
	WaSaid		reason;			/* why this one, and who was refused,
								 * palloc()ed */
} WaRoute;

/* Why a provider is to be left out for now; NULL: it is not. */
typedef WaSaid (*WaWhyNot) (const WaProvider *provider);

extern PGDLLEXPORT bool wa_route_load_facts(WaRoute *routes, int n, const char *schema,
											const char **locked_table, WaSaid *why);
extern PGDLLEXPORT void wa_route_bare_ahead(int (*tells) (const char **numbers, int most));
extern PGDLLEXPORT void wa_route_load_own_facts(WaRoute *routes, int n);
extern PGDLLEXPORT char *wa_route_number_of(const char *user_id);

/* SQL, the order: of several numbers that an id was seen with the first counts. */
#define WA_ROUTE_LAST_SEEN(i) i ".seen_at DESC, " i ".number"
extern bool wa_route_in_window(const WaRoute *route, const WaProvider *provider);
extern PGDLLEXPORT void wa_route_decide(WaRoute *route, const WaProviders *providers,
										const WaMapping *mappings, int nmappings,
										WaWhyNot why_not);

#endif							/* SICANTIK_WA_ROUTE_H */

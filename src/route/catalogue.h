/*-------------------------------------------------------------------------
 *
 * catalogue.h
 *		Mappings, and the provider's own list of templates.
 *
 * Who has read a list, page by page (the worker, or wa_sync_templates()), has
 * it compared here: catalogue.c says what each mapping is then, by the same
 * rules for a list and for an event of a webhook.  When a list is read is in
 * template_sync.c.
 *
 * All need SPI connected and the database's owner acting.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ROUTE_CATALOGUE_H
#define SICANTIK_WA_ROUTE_CATALOGUE_H

#include "postgres.h"

#include "gateway/gateway.h"
#include "pg/said.h"
#include "route/providers.h"

/* One template in one language, kept. */
typedef struct WaListed
{
	char	   *name;
	char	   *language;
	char	   *status;
	WaTemplateStanding standing;
	char	   *category;
	char	   *announced_category;
	char	   *quality;
	char	   *reason;
	bool		counted;
	bool		named;
	int			nparameters;
	char	  **parameters;
	const char *lacks;
	bool		mapped;			/* wa_route_catalogue_apply(): is one of ours */
} WaListed;

/* A list in the making; zeroed, but for the context that holds it. */
typedef struct WaCatalogue
{
	MemoryContext context;
	int			n;
	WaListed   *list;
} WaCatalogue;

/* What became of a mapping. */
typedef struct WaMappingNews
{
	char	   *template_key;
	char	   *name;
	char	   *language;
	WaMappingState status;
	char	   *provider_status;
	WaSaid		said;			/* what is to be said of it, or NULL */
	bool		stopped;		/* it could be used until now */
} WaMappingNews;

/* In what a mapping does not fit the list. */
typedef enum WaMisfit
{
	WA_MAPPING_OTHERWISE,		/* in nothing that a mapping can mend */
	WA_MAPPING_NOT_THERE,		/* by its name, or in its language */
	WA_MAPPING_BY_POSITION,		/* there the parameters have no names */
	WA_MAPPING_OTHER_PARAMETERS
} WaMisfit;

/* catalogue.c */
extern PGDLLEXPORT void wa_route_catalogue_add(const WaTemplateFacts *facts, void *catalogue);
extern PGDLLEXPORT WaMappingNews *wa_route_catalogue_apply(const WaProvider *provider, WaCatalogue *catalogue,
														   bool asked, int *n, bool *changed);

/* mapping_state.c */
extern WaSaid wa_route_standing_said(const WaGateway *gateway, WaTemplateStanding standing,
									 const char *status, const char *reason);
extern WaMisfit wa_route_misfit(const WaMapping *mapping);
extern bool wa_route_lifts(const WaMapping *mapping, const WaGateway *gateway);

/* template_sync.c */
extern PGDLLEXPORT TimestampTz wa_route_templates_due(const char *provider);
extern PGDLLEXPORT void wa_route_templates_wanted(const char *provider, int in_seconds);
extern void wa_route_templates_shift(int64 by_us);
extern PGDLLEXPORT bool wa_route_templates_look(void);
extern PGDLLEXPORT void wa_route_templates_read(const char *provider, WaSaid problem, long wait_s);

/* Can its list be read: is it of such a kind, and is the account told? */
static inline bool
wa_route_has_catalogue(const WaProvider *provider)
{
	const WaGateway *gateway = provider->gateway;
	const char *account = gateway && gateway->build_templates ?
		wa_gateway_setting(provider->settings, provider->nsettings, gateway->account_setting) : NULL;

	return account != NULL && account[0] != '\0';
}

/* Seconds until a list is read of which nobody knows yet. */
#define WA_TEMPLATES_FIRST_S	300

#endif							/* SICANTIK_WA_ROUTE_CATALOGUE_H */

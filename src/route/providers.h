/*-------------------------------------------------------------------------
 *
 * providers.h
 *		Providers as configured: rows of wa.provider with their credentials.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ROUTE_PROVIDERS_H
#define SICANTIK_WA_ROUTE_PROVIDERS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "gateway/gateway.h"
#include "pg/said.h"

typedef enum WaProviderState
{
	WA_PROVIDER_DRAFT,			/* not tested yet */
	WA_PROVIDER_CONFIGURED,		/* its connection test has succeeded */
	WA_PROVIDER_ERROR			/* the circuit is open, see last_error */
} WaProviderState;

#define WA_PROVIDER_STATES	(WA_PROVIDER_ERROR + 1)

/* One provider; everything lives in the context of the WaProviders. */
typedef struct WaProvider
{
	char	   *name;
	const WaGateway *gateway;	/* NULL: unknown kind */
	char	   *kind;
	char	   *base_url;		/* never NULL if the gateway is known */
	bool		active;
	int			sequence;
	bool		is_default;
	WaProviderState state;
	int			max_in_flight;
	int64		min_gap_us;
	int64		gap_jitter_us;
	double		rate_per_second;	/* 0: no limit */
	int			daily_cap;		/* -1: no limit */
	int64		recipient_gap_us;
	WaSaid		paused;			/* by whom and since when, or NULL */
	TimestampTz probe_at;		/* state error: next connection test; or 0 */
	int			failed_probes;
	int64		quota_left;		/* as the provider said last; -1: no limit */
	TimestampTz quota_at;		/* when it said so */
	TimestampTz slow_until;		/* it has told that less may go until then; 0:
								 * it has not */
	WaPair	   *settings;		/* open settings and credentials */
	size_t		nsettings;
	WaPair	   *secrets;		/* the credentials among them */
	size_t		nsecrets;
	const char **missing;		/* required settings that nobody has given */
	int			nmissing;
	char	   *exposed;		/* a credential file that others may read */
	bool		untouched;		/* as wa_setup() left it: nobody has begun to
								 * configure it */
	WaSaid		problem;		/* why it cannot be used, or NULL */
	bool		unfit;			/* that is so because no request can be made
								 * of its settings */
	const char *wrong;			/* the setting that this is about, if it is
								 * one and is there; or NULL */
} WaProvider;

typedef struct WaProviders
{
	int			n;
	WaProvider *list;			/* by sequence, then name */
	char	   *allowed_hosts;	/* sicantik_wa.allowed_hosts, by which their
								 * URLs were judged */
} WaProviders;

typedef enum WaMappingState
{
	WA_MAPPING_DRAFT,
	WA_MAPPING_CONFIGURED,
	WA_MAPPING_APPROVED,
	WA_MAPPING_ERROR			/* the provider has refused the template */
} WaMappingState;

#define WA_MAPPING_STATES	(WA_MAPPING_ERROR + 1)

/* One row of wa.template_mapping. */
typedef struct WaMapping
{
	char	   *template_key;
	char	   *provider;
	bool		is_text;
	char	   *name;
	char	   *language;
	bool		named;
	char	  **parameters;		/* NULL: the template's own order */
	int			nparameters;
	WaMappingState status;
	WaSaid		last_error;		/* why the provider refused it, or NULL */
	char	   *provider_status;	/* its own words, or NULL */
	char	   *provider_category;
	char	   *quality;
	WaSaid		note;			/* what it announces, or NULL */
} WaMapping;

/* One row of wa.template with its mappings. */
typedef struct WaTemplate
{
	char	   *key;
	char	   *body;
	char	   *category;
	char	   *language;
	bool		active;
	char	  **parameters;
	int			nparameters;
} WaTemplate;

/* providers.c: the states as rows have them; any other word is a draft. */
extern const char *const wa_route_state_names[WA_PROVIDER_STATES];
extern WaProviderState wa_route_state(const char *name);

/* Could messages go by it, as far as its row tells, if nobody had paused it? */
static inline bool
wa_route_is_ready(const WaProvider *provider)
{
	return provider->active && provider->problem == NULL &&
		provider->state == WA_PROVIDER_CONFIGURED;
}

/* Can messages go by this provider, as far as its row tells? */
static inline bool
wa_route_is_usable(const WaProvider *provider)
{
	return wa_route_is_ready(provider) && provider->paused == NULL;
}

/* template.c: likewise */
extern const char *const wa_route_mapping_states[WA_MAPPING_STATES];
extern WaMappingState wa_route_mapping_state(const char *name);

static inline bool
wa_route_mapping_is_usable(const WaMapping *mapping)
{
	return mapping->status == WA_MAPPING_CONFIGURED || mapping->status == WA_MAPPING_APPROVED;
}

/*
 * All of them need SPI connected and the database's owner acting; results are
 * palloc()ed in the current context.
 */
extern PGDLLEXPORT void wa_route_load_providers(WaProviders *providers, bool with_secrets);
extern PGDLLEXPORT WaProvider *wa_route_find_provider(const WaProviders *providers, const char *name);
extern WaProvider *wa_route_load_kind_of(WaProviders *providers, const char *name);
extern char *wa_route_load_proof(WaProvider *provider, const char *secret);
extern PGDLLEXPORT WaTemplate *wa_route_load_template(const char *key);
extern PGDLLEXPORT WaMapping *wa_route_load_mappings(int *n);

extern PGDLLEXPORT WaSaid wa_route_takes_no_ids(const WaProvider *provider);

/* quota.c: keep what a connection test has told, unless the row is locked. */
extern PGDLLEXPORT void wa_route_note_quota(const char *provider, const WaHealth *health);

/* News of an account that has no end counts for so long. */
#define WA_NEWS_LAST	"7 days"

/* Seconds from the first error to the first probe; each next waits longer. */
#define WA_FIRST_PROBE_S	30

/*
 * secret.c: heap access only, so that no plan, log or statistic ever holds a
 * credential.  Write needs no SPI.  value NULL removes.
 */
extern void wa_route_write_secret(const char *provider, const char *name, const char *value);
extern char *wa_route_read_secret(const char *provider, const char *name);

#endif							/* SICANTIK_WA_ROUTE_PROVIDERS_H */

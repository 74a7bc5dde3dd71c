/*-------------------------------------------------------------------------
 *
 * template_list.c
 *		Lists of templates, read by the worker beside the messages.
 *
 * Like a connection test (probe.c): on the same engine, without waiting for it,
 * one page after the other.  When one is due stands in wa.template_sync; a list
 * that was not read to its end is nothing lost: it is still due.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "deliver/http.h"
#include "deliver/template_list.h"
#include "deliver/transfer.h"
#include "pg/query.h"
#include "queue/alert.h"
#include "route/catalogue.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

/* Where the engine is not ready. */
#define SOON_US			(250 * 1000)

/* A time that somebody has changed by hand is seen after this time. */
#define LOOK_US			(60 * 60 * USECS_PER_SEC)

#define MAX_PAGES		200
#define PAGE_ROWS		100

typedef enum ListingState
{
	LISTING_READY,				/* a page is to be asked for, after the commit */
	LISTING_ON_WIRE,
	LISTING_OVER				/* to its end, or it failed */
} ListingState;

/* One list that is being read. */
typedef struct Listing
{
	WaWire		wire;
	struct Listing *next;
	MemoryContext context;		/* holds all of it */
	ListingState state;
	char	   *provider;
	const WaGateway *gateway;
	WaRequest	request;		/* until it is on the wire */
	bool		plain;
	int			rows;			/* of a page */
	int			pages;
	char		after[WA_TEMPLATE_CURSOR_SIZE]; /* "": the first page */
	WaCatalogue catalogue;
	WaTemplatePage page;		/* the last one */
	WaSaidText	why;			/* it failed; or "" */
} Listing;

static Listing *listings = NULL;

/* When to look into the table next; 0: now. */
static TimestampTz next_look = 0;

static void
forget(Listing *listing)
{
	Listing   **link = &listings;

	while (*link != listing)
		link = &(*link)->next;
	*link = listing->next;
	wa_gateway_request_free(&listing->request);
	MemoryContextDelete(listing->context);
}

/* A page has come: what is next? */
static void
go_on(Listing *listing)
{
	WaTemplatePage *page = &listing->page;

	listing->state = LISTING_READY;
	if (page->too_large && listing->rows > 1)
		listing->rows /= 2;
	else if (!page->ok)
	{
		listing->why = page->said;
		listing->state = LISTING_OVER;
	}
	else if (page->after[0] == '\0')
		listing->state = LISTING_OVER;
	else if (++listing->pages >= MAX_PAGES || strcmp(page->after, listing->after) == 0)
	{
		wa_say_into(&listing->why, WA_SAY_TEMPLATES_NOT_IN_TIME);
		listing->state = LISTING_OVER;
	}
	else
		strlcpy(listing->after, page->after, sizeof(listing->after));
}

/* See WaWire. */
static void
page_over(WaWire *wire, const WaHttpAnswer *answer, bool interrupted)
{
	Listing    *listing = (Listing *) wire;
	WaReply		reply;

	if (interrupted)
	{
		forget(listing);
		return;
	}
	listing->page.wait_s = -1;
	if (answer->result != WA_HTTP_ANSWERED)
	{
		wa_say_into(&listing->why, WA_SAY_TEST_NO_ANSWER, WA_SAID_IN(&answer->error));
		listing->state = LISTING_OVER;
		return;
	}
	wa_deliver_transfer_reply(answer, &reply);
	listing->gateway->read_templates(&reply, wa_route_catalogue_add, &listing->catalogue, &listing->page);
	go_on(listing);
}

/* The request for the next page; without one it is over. */
static void
prepare_page(Listing *listing, const WaProvider *p)
{
	if (listing->request.url)
		return;
	if (!wa_gateway_url_allowed(p->kind, p->base_url, wa_guc_allowed_hosts, &listing->why) ||
		!p->gateway->build_templates(p->base_url, p->settings, p->nsettings, listing->after, listing->rows,
									 &listing->request, &listing->why))
		listing->state = LISTING_OVER;
}

static void
begin(const WaProvider *p)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "sicantik_wa templates",
												  ALLOCSET_DEFAULT_SIZES);
	Listing    *listing = MemoryContextAllocZero(context, sizeof(Listing));

	listing->wire.over = page_over;
	listing->context = context;
	listing->catalogue.context = context;
	listing->provider = MemoryContextStrdup(context, p->name);
	listing->gateway = p->gateway;
	listing->plain = strncmp(p->base_url, "http://", 7) == 0;
	listing->rows = PAGE_ROWS;
	listing->next = listings;
	listings = listing;
	prepare_page(listing, p);
}

/*
 * It is over: compare, or note why not.  True if a mapping has changed.
 */
static bool
conclude(Listing *listing, const WaProvider *p)
{
	WaMappingNews *news;
	bool		changed;
	int			n;

	if (listing->why.bytes[0])
	{
		WaSaid		why = WA_SAID_IN(&listing->why);

		/* it may quote the answer */
		wa_gateway_redact_said(&listing->why, p->secrets, p->nsecrets);
		ereport(LOG,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("sicantik_wa could not read the templates of provider \"%s\": %s", p->name,
						wa_said_english(why))));
		wa_route_templates_read(p->name, why, listing->page.wait_s);
		return false;
	}
	news = wa_route_catalogue_apply(p, &listing->catalogue, false, &n, &changed);
	for (int i = 0; i < n; i++)
		if (news[i].stopped)
			wa_queue_alert(p->name, psprintf("template %s", news[i].template_key),
						   wa_say(WA_SAY_TEMPLATE_NOT_USED_ANY_MORE, news[i].template_key, news[i].said));
	return changed;
}

static const Listing *
find_listing(const char *provider)
{
	for (const Listing *listing = listings; listing; listing = listing->next)
		if (strcmp(listing->provider, provider) == 0)
			return listing;
	return NULL;
}

/*
 * Look again whether one is due: the configuration has changed.
 */
void
wa_deliver_templates_look(void)
{
	next_look = 0;
}

/* Those that are due, and when the next ones are. */
static void
look_at_due(const WaProviders *providers)
{
	TimestampTz now = GetCurrentTimestamp();

	next_look = now + LOOK_US;
	for (int i = 0; i < providers->n; i++)
	{
		const WaProvider *p = &providers->list[i];
		TimestampTz due;

		if (!wa_route_is_usable(p) || !wa_route_has_catalogue(p) || find_listing(p->name))
			continue;
		due = wa_route_templates_due(p->name);
		if (due != 0 && due <= now)
			begin(p);
		else if (due != 0)
			next_look = Min(next_look, due);
	}
}

/*
 * In the round's transaction: conclude lists that are over, get the next page
 * of others ready, begin those that are due.  *next_due is made sooner where
 * one is due later.  Returns true if a mapping has changed.  Not to be called
 * where nothing may be sent from.
 */
bool
wa_deliver_templates_run(const WaProviders *providers, TimestampTz *next_due)
{
	bool		changed = false;
	Listing    *next;

	for (Listing *listing = listings; listing; listing = next)
	{
		const WaProvider *p = wa_route_find_provider(providers, listing->provider);

		next = listing->next;
		if (listing->state != LISTING_ON_WIRE && (p == NULL || p->gateway != listing->gateway))
			forget(listing);
		else if (listing->state == LISTING_READY)
			prepare_page(listing, p);
		else if (listing->state == LISTING_OVER)
		{
			changed = conclude(listing, p) || changed;
			forget(listing);
		}
	}
	if (wa_route_templates_look() || next_look <= GetCurrentTimestamp())
		look_at_due(providers);
	wa_wake_sooner(next_due, next_look);
	for (Listing *listing = listings; listing; listing = listing->next)
		wa_wake_sooner(next_due, GetCurrentTimestamp() +
					   (listing->state == LISTING_ON_WIRE ? wa_guc_request_timeout * INT64CONST(1000) : SOON_US));
	return changed;
}

/*
 * After the commit: ask for the pages that are ready.
 */
void
wa_deliver_templates_ask(void)
{
	bool		any = false;

	if (listings == NULL || !wa_deliver_transfer_ready())
		return;
	for (Listing *listing = listings; listing; listing = listing->next)
	{
		if (listing->state != LISTING_READY || listing->request.url == NULL)
			continue;
		any = true;
		if (wa_deliver_transfer_put(&listing->wire, &listing->request, listing->plain, wa_guc_request_timeout,
									&listing->why))
		{
			memset(&listing->request, 0, sizeof(listing->request));
			listing->state = LISTING_ON_WIRE;
		}
		else
			listing->state = LISTING_OVER;
	}
	if (any)
		wa_deliver_transfer_drive();
}

/*
 * Returns how many are being read.
 */
int
wa_deliver_templates_reading(void)
{
	int			n = 0;

	for (Listing *listing = listings; listing; listing = listing->next)
		n++;
	return n;
}

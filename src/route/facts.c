/*-------------------------------------------------------------------------
 *
 * facts.c
 *		What is known of the people that messages go to: consent, blacklist,
 *		the 24-hour window.
 *
 * An opt-out holds against every provider.  It is recorded in wa.contact, in
 * Odoo's phone_blacklist (numbers with "+"; un-blacklisting keeps the row with
 * active = false), or on a contact: whatsapp_opt_in false with a date.  It
 * belongs to the number: messages to another contact with it do not go either,
 * and nobody is told whose "no" it is.  An opt-in is a contact's own.
 *
 * Between Odoo and our own tables the later word counts, and the "no" where it
 * is not certain which that is.  Of Odoo's "no" it is known that it is no later
 * than the row's last write, of its "yes" that it is of the date beside it.
 *
 * Of somebody known by an id only there is what he himself has said and written;
 * when a number is bound to the id, all that is known of the number counts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "office/setting.h"
#include "pg/app_table.h"
#include "pg/columns.h"
#include "pg/query.h"
#include "route/bare.h"
#include "route/route.h"
#include "route/said_no.h"
#include "text/text.h"

static bool
is_true(const char *text)
{
	return text && text[0] == 't';
}

/* What tells somebody that he has opted out is for whoever has done so. */
static void
refuse(WaRoute *route, WaNobody why_nobody, WaSaid why)
{
	if (route->refusal || route->despite_opt_out)
		return;
	route->nobody = why_nobody;
	route->refusal = why;
}

/*
 * What Odoo refuses, unless he has agreed since; at: when that was said, at the
 * latest.
 */
static void
refuse_by_odoo(WaRoute *route, WaNobody why_nobody, WaSaid why, TimestampTz at)
{
	if (route->yes_at <= at)
		refuse(route, why_nobody, why);
}

/* A contact with the number has agreed, at this time; 0: who knows when. */
static void
agree_by_odoo(WaRoute *route, TimestampTz at)
{
	route->opted_in = true;
	if (at <= GetCurrentTimestamp())
		route->odoo_yes_at = Max(route->odoo_yes_at, at);
}

/* Is this number in one of the columns? */
static bool
has_number(char *const *values, int n, const char *number)
{
	for (int i = 0; i < n; i++)
	{
		char		normal[WA_NUMBER_SIZE];

		if (values[i] && number && wa_text_normalize_number(values[i], normal) && strcmp(normal, number) == 0)
			return true;
	}
	return false;
}

/*
 * Consent of contacts.  One that is gone (deleted, or merged into another) took
 * his refusal with him, so nobody is told in his place.
 */
static void
apply_partners(WaRoute *routes, int n, const WaAppTable *table)
{
	static const char *const columns[] = {
		"id", "whatsapp_opt_in", "whatsapp_opt_in_date",
		"whatsapp_number", "mobile", "phone_sanitized", "phone", "write_date"
	};
	int64	   *ids = palloc(sizeof(int64) * n);
	bool	   *found = palloc0(sizeof(bool) * n);
	int			nids = 0;
	WaAppRows	rows;

	for (int i = 0; i < n; i++)
		if (routes[i].partner_id != 0)
			ids[nids++] = routes[i].partner_id;
	if (table->state != WA_APP_READY || nids == 0)
		return;
	wa_app_read_by_id(&rows, table, columns, lengthof(columns), "id", ids, nids);
	for (uint64 r = 0; r < rows.n; r++)
	{
		int64		id = strtoll(rows.values[r][0], NULL, 10);
		const char *date = rows.values[r][2];

		for (int i = 0; i < n; i++)
		{
			if (routes[i].partner_id != id)
				continue;
			found[i] = true;
			routes[i].other_number = routes[i].of_contact && !has_number(&rows.values[r][3], 4, routes[i].number);
			if (is_true(rows.values[r][1]))
				agree_by_odoo(&routes[i], has_number(&rows.values[r][3], 4, routes[i].number) ? wa_route_odoo_time(date) : 0);
			else if (date && wa_app_has_column(table, "whatsapp_opt_in"))
				refuse_by_odoo(&routes[i], WA_OPTED_OUT, wa_say(WA_SAY_CONTACT_OPTED_OUT),
							   wa_route_odoo_no_at(rows.values[r][7], date));
		}
	}
	for (int i = 0; i < n; i++)
		if (!found[i] && routes[i].of_contact && routes[i].partner_id != 0 &&
			wa_app_has_column(table, "id"))
			refuse(&routes[i], WA_CONTACT_IS_GONE, wa_say(WA_SAY_CONTACT_GONE));
}

/* Is it a bare number, of which its contacts are asked? */
static bool
is_bare(const WaRoute *route)
{
	/* one that waits is asked about again, one that is refused is not */
	return route->partner_id == 0 && route->number && !(route->later && route->no_at == 0);
}

/*
 * A bare number may be a contact's all the same, with an opt-in or opt-out on
 * it: what that says of consent goes to all messages to its number.
 */
static void
apply_numbers(WaRoute *routes, int n, const WaAppTable *table)
{
	const char **numbers = palloc(sizeof(char *) * n);
	int			nnumbers = 0;
	bool		by_person = false;
	TimestampTz since = 0;

	for (int i = 0; i < n; i++)
	{
		if (!is_bare(&routes[i]))
			continue;
		numbers[nnumbers++] = routes[i].number;
		by_person = by_person || routes[i].seen_at == 0;
		since = Max(since, routes[i].seen_at);
	}
	if (table->state != WA_APP_READY || nnumbers == 0 ||
		!wa_app_has_column(table, "whatsapp_opt_in"))
		return;
	wa_route_bare_load(table, numbers, nnumbers, by_person ? 0 : since);
	for (int i = 0; i < n; i++)
	{
		const WaBareWord *words;
		int			nwords;

		if (!is_bare(&routes[i]))
			continue;
		words = wa_route_bare_words(routes[i].number, &nwords);
		for (int w = 0; w < nwords; w++)
			if (words[w].agrees)
				agree_by_odoo(&routes[i], words[w].at);
			else
				refuse_by_odoo(&routes[i], WA_OPTED_OUT, wa_say(WA_SAY_CONTACT_OF_NUMBER_OPTED_OUT), words[w].at);
	}
}

static void
apply_blacklist(WaRoute *routes, int n, const WaAppTable *table)
{
	static const char *const columns[] = {"number", "active", "write_date"};
	const char **numbers = palloc(sizeof(char *) * n);
	int			nnumbers = 0;
	WaAppRows	rows;

	for (int i = 0; i < n; i++)
		if (routes[i].number)
			numbers[nnumbers++] = psprintf("+%s", routes[i].number);
	if (table->state != WA_APP_READY || nnumbers == 0)
		return;
	wa_app_read_by_text(&rows, table, columns, lengthof(columns), "number", numbers, nnumbers);
	for (uint64 r = 0; r < rows.n; r++)
	{
		/* NULL is false in Odoo, but a missing column is no pardon */
		if (wa_app_has_column(table, "active") && !is_true(rows.values[r][1]))
			continue;
		for (int i = 0; i < n; i++)
			if (routes[i].number && rows.values[r][0] &&
				strcmp(rows.values[r][0] + 1, routes[i].number) == 0)
				refuse_by_odoo(&routes[i], WA_BLACKLISTED, wa_say(WA_SAY_NUMBER_BLACKLISTED),
							   wa_route_odoo_no_at(rows.values[r][2], NULL));
	}
}

/*
 * The numbers of everybody who said no, however they are spelled.
 */
static void
apply_said_no(WaRoute *routes, int n, const WaAppTable *contacts, const WaAppTable *blacklist)
{
	TimestampTz since = 0;
	bool		needed = false;
	bool		by_person = false;

	for (int i = 0; i < n; i++)
	{
		if (routes[i].number == NULL || routes[i].later)
			continue;
		needed = true;
		by_person = by_person || routes[i].seen_at == 0;
		since = Max(since, routes[i].seen_at);
	}
	if (!needed)
		return;
	wa_route_said_no_load(contacts, blacklist, by_person ? 0 : since);
	for (int i = 0; i < n; i++)
	{
		TimestampTz at;

		if (routes[i].number == NULL || routes[i].later)
			continue;
		at = wa_route_said_no_in_odoo(routes[i].number);
		if (at != 0)
			refuse_by_odoo(&routes[i], WA_OPTED_OUT, routes[i].partner_id != 0 ?
						   wa_say(WA_SAY_OTHER_CONTACT_OPTED_OUT) :
						   wa_say(WA_SAY_CONTACT_OF_NUMBER_OPTED_OUT), at);
		at = wa_route_said_no_by_blacklist(routes[i].number);
		if (at != 0)
			refuse_by_odoo(&routes[i], WA_BLACKLISTED, wa_say(WA_SAY_NUMBER_BLACKLISTED), at);
	}
}

/*
 * Bare "812..." in wa.contact may be Japan's or an Indonesian number without
 * its code: as a "no" it counts for both.  NULL if that is no way to write it.
 */
static const char *
without_code(const char *number)
{
	return strncmp(number, "628", 3) == 0 ? number + 2 : NULL;
}

/* What wa.contact has of a number, and what is pending for it (wa.consent). */
#define CONTACT_COLUMNS(X, row) \
	X(row, text, number, "number") \
	X(row, boolean, opted_out, "opted_out") \
	X(row, boolean, opted_in, "opted_in") \
	X(row, time, out_at, "out_at") \
	X(row, time, in_at, "in_at") \
	X(row, boolean, no_marketing, "no_marketing") \
	X(row, boolean, no_marketing_since, "no_marketing_since") \
	X(row, boolean, in_window, "in_window") \
	X(row, texts, windows, "windows") \
	X(row, boolean, wrote, "wrote")
WA_DEFINE_ROW(Contact, contact_row, CONTACT_COLUMNS);

/* SQL */
#define DAY_AGO		"clock_timestamp() - interval '24 hours'"

/* A setting that is on or off, asked for once in a reading. */
typedef struct Switch
{
	const char *name;
	int			is_on;			/* -1: not asked for yet */
} Switch;

static bool
is_on(Switch *setting)
{
	if (setting->is_on < 0)
		setting->is_on = wa_office_is_on(setting->name);
	return setting->is_on > 0;
}

/* Is this what Meta calls marketing? */
static bool
is_marketing(const char *template_key)
{
	static WaStatement find =
		WA_STATEMENT("SELECT FROM wa.template WHERE key = $1 AND upper(category) = 'MARKETING'");
	WaArgs		args = {0};

	wa_arg_text(&args, template_key);
	return template_key && wa_query(&find, &args).n > 0;
}

/* no_marketing_since: after the last opt-in, if there is one. */
static void
apply_own(WaRoute *route, const Contact * contact, Switch *stops_all, Switch *by_inbound)
{
	if (contact->opted_out && route->odoo_yes_at <= contact->out_at)
	{
		refuse(route, WA_OPTED_OUT, wa_say(WA_SAY_NUMBER_OPTED_OUT));
		route->no_at = Max(route->no_at, contact->out_at);
	}
	else if (contact->no_marketing &&
			 ((contact->no_marketing_since && is_on(stops_all)) || is_marketing(route->template_key)))
		refuse(route, WA_OPTED_OUT, wa_say(WA_SAY_NUMBER_WANTS_NO_MARKETING));
	route->no_marketing = route->no_marketing || contact->no_marketing;
	if (contact->opted_in)
		route->yes_at = contact->in_at;
	route->opted_in = route->opted_in || contact->opted_in || (contact->wrote && is_on(by_inbound));
	route->in_window = route->in_window || contact->in_window;
	if (contact->windows.n > 0)
		route->windows = contact->windows;
}

/*
 * The number that is bound to an id by what was seen last, palloc()ed; NULL: none.
 */
char *
wa_route_number_of(const char *user_id)
{
	static WaStatement read =
		WA_STATEMENT("SELECT i.number FROM wa.identity_of AS i WHERE i.user_id = $1 ORDER BY " WA_ROUTE_LAST_SEEN("i") " LIMIT 1");
	WaArgs		args = {0};
	WaRows		rows;

	wa_arg_text(&args, user_id);
	rows = wa_query(&read, &args);
	return rows.n > 0 ? wa_row_text(rows, 0, 1) : NULL;
}

/*
 * Of those that messages go to by an id: the number, if it has become known, or
 * what is kept for the id until then.
 */
static void
load_facts_of_ids(WaRoute *routes, int n, Switch *stops_all, Switch *by_inbound)
{
	/* who writes is kept to be applied again when his number is known */
	static WaStatement read =
		WA_STATEMENT_OF(&contact_row,
						"SELECT {columns} FROM (SELECT u.user_id AS number, coalesce(k.out_at >= coalesce(k.in_at, '-infinity'), false) AS opted_out,"
						" coalesce(k.in_at > coalesce(k.out_at, '-infinity'), false) AS opted_in, k.out_at, k.in_at,"
						" coalesce(k.marketing_out_at >= coalesce(k.marketing_in_at, '-infinity'), false) AS no_marketing,"
						" coalesce(k.marketing_out_at >= greatest(k.marketing_in_at, k.in_at, '-infinity'), false) AS no_marketing_since,"
						" false AS in_window, ARRAY (SELECT f.sender_id FROM wa.feedback AS f WHERE f.user_id = u.user_id AND f.due_at IS NULL"
						" AND f.kind = 'inbound' AND f.opens_window AND coalesce(least(f.said_at, f.received_at), f.received_at) > " DAY_AGO ") AS windows,"
						" EXISTS (SELECT FROM wa.feedback AS f WHERE f.user_id = u.user_id AND f.due_at IS NULL AND f.kind = 'inbound'"
						" AND f.opens_window) AS wrote FROM unnest($1::text[]) AS u (user_id), LATERAL (SELECT"
						" max(c.said_at) FILTER (WHERE c.scope = 'all' AND c.change = 'opt_in') AS in_at,"
						" max(c.said_at) FILTER (WHERE c.scope = 'all' AND c.change = 'opt_out') AS out_at,"
						" max(c.said_at) FILTER (WHERE c.scope = 'marketing' AND c.change = 'opt_in') AS marketing_in_at,"
						" max(c.said_at) FILTER (WHERE c.scope = 'marketing' AND c.change = 'opt_out') AS marketing_out_at"
						" FROM wa.consent AS c WHERE c.number IS NULL AND c.user_id = u.user_id) AS k) AS i");

	for (int i = 0; i < n; i++)
	{
		WaArgs		args = {0};
		Contact    *said;
		int			nsaid;

		if (routes[i].user_id == NULL && wa_text_is_person_id(routes[i].number))
		{
			routes[i].user_id = routes[i].number;
			routes[i].number = wa_route_number_of(routes[i].user_id);
		}
		if (routes[i].user_id == NULL)
			continue;
		wa_arg_text_array(&args, &routes[i].user_id, 1);
		said = wa_rows_read(wa_query(&read, &args), &contact_row, &nsaid);
		if (nsaid > 0)
			apply_own(&routes[i], &said[0], stops_all, by_inbound);
	}
}

/*
 * Fill in what our own tables know of each person: nothing of Odoo's is asked,
 * but what was learnt of it before counts (odoo_yes_at).  As wa_route_load_facts().
 */
void
wa_route_load_own_facts(WaRoute *routes, int n)
{
	/* an opt-out that is pending counts, an opt-in does not yet */
	static WaStatement read =
		WA_STATEMENT_OF(&contact_row,
						"SELECT {columns} FROM (SELECT number,"
						" coalesce(opted_out_at >= coalesce(opted_in_at, '-infinity'), false) AS opted_out,"
						" coalesce(opted_in_at > coalesce(opted_out_at, '-infinity'), false) AS opted_in,"
						" opted_out_at AS out_at, opted_in_at AS in_at,"
						" marketing_out_at IS NOT NULL AS no_marketing,"
						" coalesce(marketing_out_at >= coalesce(opted_in_at, '-infinity'), false) AS no_marketing_since,"
						" coalesce(last_inbound_at > " DAY_AGO ", false) AND NOT EXISTS (SELECT FROM wa.contact_window AS w"
						" WHERE w.number = c.number AND w.last_inbound_at >= c.last_inbound_at) AS in_window,"
						" CASE WHEN last_inbound_at > " DAY_AGO " THEN ARRAY (SELECT w.sender_id FROM wa.contact_window AS w"
						" WHERE w.number = c.number AND w.last_inbound_at > " DAY_AGO ") END AS windows,"
						" last_inbound_at IS NOT NULL AS wrote"
						" FROM wa.contact AS c WHERE number = ANY ($1)"
						" UNION ALL SELECT p.number, p.scope = 'all', false, p.said_at, NULL, p.scope = 'marketing', p.scope = 'marketing', false, NULL, false"
						" FROM wa.consent AS p WHERE p.pending AND p.number = ANY ($1) AND p.change = 'opt_out'"
						" AND NOT EXISTS (SELECT FROM wa.contact AS c WHERE c.number = p.number"
						" AND CASE WHEN p.scope = 'all' THEN c.opted_in_at ELSE c.marketing_in_at END > p.said_at)) AS k");
	const char **numbers = palloc(sizeof(char *) * n * 2);
	int			nnumbers = 0;
	Switch		stops_all = {"marketing_stop_stops_all", -1};
	Switch		by_inbound = {"opt_in_by_inbound", -1};
	WaArgs		args = {0};
	Contact    *contacts;
	int			ncontacts;

	load_facts_of_ids(routes, n, &stops_all, &by_inbound);
	for (int i = 0; i < n; i++)
	{
		if (routes[i].number == NULL)
			continue;
		numbers[nnumbers++] = routes[i].number;
		if (without_code(routes[i].number))
			numbers[nnumbers++] = without_code(routes[i].number);
	}
	wa_arg_text_set(&args, numbers, nnumbers);
	contacts = wa_rows_read(wa_query_planned(&read, &args), &contact_row, &ncontacts);
	for (int c = 0; c < ncontacts; c++)
	{
		const char *number = contacts[c].number;

		for (int i = 0; i < n; i++)
		{
			if (routes[i].number == NULL)
				continue;
			if (strcmp(routes[i].number, number) == 0)
				apply_own(&routes[i], &contacts[c], &stops_all, &by_inbound);
			else if (contacts[c].opted_out && without_code(routes[i].number) &&
					 strcmp(without_code(routes[i].number), number) == 0)
			{
				refuse(&routes[i], WA_OPTED_OUT, wa_say(WA_SAY_NUMBER_OPTED_OUT));
				routes[i].no_at = DT_NOEND;
			}
		}
	}
}

/* Who has agreed in Odoo since he refused: what else our tables say of him. */
static void
lift(WaRoute *routes, int n)
{
	bool		lifted = false;

	for (int i = 0; i < n; i++)
	{
		if (routes[i].no_at == 0 || routes[i].odoo_yes_at <= routes[i].no_at)
			continue;
		routes[i].refusal = NULL;
		routes[i].no_at = 0;
		lifted = true;
	}
	if (lifted)
		wa_route_load_own_facts(routes, n);
}

/* A day ago as Odoo writes a time, in UTC; such texts sort like the times. */
static char *
day_ago(void)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(GetCurrentTimestamp() - USECS_PER_DAY, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "could not convert the present time");
	return psprintf("%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year, tm.tm_mon, tm.tm_mday,
					tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/*
 * Odoo Enterprise keeps inbound messages in whatsapp_message; times are UTC
 * without a zone; the settings pinned while we act read them so.
 */
static void
apply_odoo_inbound(WaRoute *routes, int n, const WaAppTable *table)
{
	static const char *const columns[] = {
		"mobile_number_formatted", "message_type", "create_date"
	};
	const char **numbers = palloc(sizeof(char *) * n);
	int			nnumbers = 0;
	WaAppRows	rows;
	char	   *since = day_ago();

	for (int i = 0; i < n; i++)
		if (routes[i].number)
			numbers[nnumbers++] = routes[i].number;
	if (table->state != WA_APP_READY || nnumbers == 0)
		return;
	wa_app_read_by_text(&rows, table, columns, lengthof(columns),
						"mobile_number_formatted", numbers, nnumbers);
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];

		if (row[0] == NULL || row[1] == NULL || row[2] == NULL ||
			strcmp(row[1], "inbound") != 0 || strcmp(row[2], since) < 0)
			continue;
		for (int i = 0; i < n; i++)
			if (routes[i].number && strcmp(routes[i].number, row[0]) == 0)
				routes[i].in_window = true;
	}
}

/*
 * Fill in what is known of each person.  All tables are locked before the
 * first is read; returns false, naming the table, if one cannot be had now
 * (*why: the reason, if it is none that passes by itself, else NULL),
 * and raises an error if one may not be read.
 */
bool
wa_route_load_facts(WaRoute *routes, int n, const char *schema,
					const char **locked_table, WaSaid *why)
{
	static const char *const names[] = {"res_partner", "phone_blacklist", "whatsapp_message"};
	WaAppTable	tables[lengthof(names)];

	if (n == 0)
		return true;
	for (size_t i = 0; i < lengthof(names); i++)
	{
		if (wa_app_open(&tables[i], schema, names[i]) == WA_APP_LOCKED)
		{
			*locked_table = names[i];
			if (why)
				*why = tables[i].why;
			return false;
		}
		/* without it nobody knows who wants no messages */
		wa_app_require(&tables[i]);
	}
	wa_route_load_own_facts(routes, n);
	apply_partners(routes, n, &tables[0]);
	apply_numbers(routes, n, &tables[0]);
	lift(routes, n);
	apply_blacklist(routes, n, &tables[1]);
	apply_odoo_inbound(routes, n, &tables[2]);
	apply_said_no(routes, n, &tables[0], &tables[1]);
	return true;
}

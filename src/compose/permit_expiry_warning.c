/*-------------------------------------------------------------------------
 *
 * permit_expiry_warning.c
 *		permit_expiry_warning: active permits that are about to expire.
 *
 * A threshold (90, 60, 30, 7 days left) stays due until the next one, so days
 * on which nothing ran are made up for.  A key per permit, date and threshold
 * in wa.announced says what has been announced; the flags that Odoo keeps are set
 * there even when nothing was sent, and are not looked at.
 *
 * The first run ever announces nothing: what has been reached by then belongs
 * to the time before us.
 *
 * While the scenario is muted nothing is announced and nothing counts as
 * announced: what is still due when the silence is over comes then.  The first
 * run waits for that too, so that what a planned import brings belongs to the
 * time before us.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

#include "compose/guards.h"
#include "compose/scenario.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/query.h"
#include "queue/once.h"
#include "wake/progress.h"

#define CHUNK			500

/* Permits that are read at one time. */
#define PAGE			20000
#define MODEL			"sicantik.permit"

/* A permit whose date has reached a threshold. */
typedef struct Candidate
{
	int64		id;
	bool		has_partner;
	int			remaining;		/* days */
	const char *key;			/* in wa.announced */
} Candidate;

static int
load_thresholds(const WaScenario *scenario, int **thresholds)
{
	static WaStatement load =
		WA_STATEMENT("SELECT t FROM wa.scenario AS s, unnest(s.thresholds) AS t WHERE s.key = $1 AND t IS NOT NULL"
					 " ORDER BY t");
	WaArgs		args = {0};
	WaRows		rows;
	int			n;

	wa_arg_text(&args, scenario->key);
	rows = wa_query(&load, &args);
	n = (int) rows.n;
	*thresholds = palloc(sizeof(int) * Max(n, 1));
	for (int i = 0; i < n; i++)
		(*thresholds)[i] = wa_row_int4(rows, i, 1);
	return n;
}

/*
 * Active permits that have reached a threshold, each with the nearest one, in
 * the order of ids: of the next page of those with an expiry date that is near,
 * behind the id *after, which is moved on.  What lies in the past is no warning
 * any more; the day itself still is one.  Returns false if it was the last
 * page.
 */
static bool
find_candidates(const WaDaily *daily, const WaAppTable *table, const int *thresholds, int nthresholds,
				int64 *after, Candidate **list, int *n)
{
	static const char *const columns[] = {"id", "status", "expiry_date", "partner_id"};
	DateADT		today = daily->today_julian - POSTGRES_EPOCH_JDATE;
	WaAppRows	rows;

	wa_app_read_between(&rows, table, columns, lengthof(columns), "expiry_date", DATEOID,
						DateADTGetDatum(today), DateADTGetDatum(today + thresholds[nthresholds - 1]), *after, PAGE);
	wa_wake_progress_add(WA_COMMAND_DAILY, rows.n);
	*list = palloc(sizeof(Candidate) * Max(rows.n, 1));
	*n = 0;
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		Candidate  *c = &(*list)[*n];
		int			year;
		int			month;
		int			day;
		int			t = 0;

		*after = strtoll(row[0], NULL, 10);
		if (row[1] == NULL || strcmp(row[1], "active") != 0 ||
			row[2] == NULL || sscanf(row[2], "%d-%d-%d", &year, &month, &day) != 3)
			continue;
		c->id = *after;
		c->has_partner = row[3] != NULL;
		c->remaining = date2j(year, month, day) - daily->today_julian;
		while (t < nthresholds && thresholds[t] < c->remaining)
			t++;
		if (c->remaining < 0 || t == nthresholds)
			continue;
		c->key = psprintf("expiry:" MODEL ":" INT64_FORMAT ":%04d-%02d-%02d:%d",
						  c->id, year, month, day, thresholds[t]);
		(*n)++;
	}
	return rows.n == PAGE;
}

/* What says that a permit's lack of a contact has been noted. */
static const char *
lack_key(const Candidate *c)
{
	return c->has_partner ? NULL : psprintf("%s:no contact", c->key);
}

/*
 * Leave only those that have not been announced, or, without a contact, whose
 * lack of one has not been noted.  Returns how many are left.  A warning that was
 * not true for a while, or that nobody could be told as long as it lived, has
 * announced nothing.
 */
static int
drop_done(Candidate *list, int n)
{
	static WaStatement fresh =
		WA_STATEMENT("SELECT k.place FROM unnest($1, $2) WITH ORDINALITY AS k(key, lack, place)"
					 " WHERE NOT EXISTS (SELECT FROM wa.announced AS o WHERE o.key = k.key AND NOT EXISTS"
					 " (SELECT FROM wa.message AS m WHERE m.id = o.message_id"
					 " AND (m.state = " WA_SQL_STATE(CANCELLED) " AND m.reason = " WA_SQL_REASON(NO_LONGER_TRUE)
					 " OR m.state = " WA_SQL_STATE(SKIPPED) " AND m.reason = " WA_SQL_REASON(NO_NUMBER)
					 " AND m.expires_at <= clock_timestamp())))"
					 " AND NOT EXISTS (SELECT FROM wa.announced AS o WHERE o.key = k.lack) ORDER BY k.place");
	const char **keys = palloc(sizeof(char *) * Max(n, 1));
	const char **lacks = palloc(sizeof(char *) * Max(n, 1));
	WaArgs		args = {0};
	WaRows		rows;

	for (int i = 0; i < n; i++)
	{
		keys[i] = list[i].key;
		lacks[i] = lack_key(&list[i]);
	}
	wa_arg_text_array(&args, keys, n);
	wa_arg_text_array(&args, lacks, n);
	rows = wa_query(&fresh, &args);
	/* in order, so none is overwritten before it has been moved */
	for (uint64 i = 0; i < rows.n; i++)
		list[i] = list[wa_row_int8(rows, i, 1) - 1];
	return (int) rows.n;
}

/* Has the first run been? */
static bool
has_baseline(const char *key)
{
	static WaStatement find =
		WA_STATEMENT("SELECT FROM wa.announced WHERE key = $1");
	WaArgs		args = {0};

	wa_arg_text(&args, key);
	return wa_query(&find, &args).n > 0;
}

/* Everything that has been reached counts as announced. */
static void
count_as_announced(const Candidate *list, int n)
{
	const char **keys = palloc(sizeof(char *) * Max(n, 1));

	for (int i = 0; i < n; i++)
		keys[i] = list[i].key;
	if (n > 0)
		wa_queue_count_as_announced(keys, n);
}

/* That was the first run; so many had been reached. */
static void
note_baseline(WaDaily *daily, const char *relation, const char *key, int reached)
{
	static WaStatement tell =
		WA_STATEMENT("INSERT INTO wa.event_outcome (event_id, relation, scenario, outcome, detail, detail_said)"
					 " VALUES (0, $1, $2, 'baseline', $3, $4)");
	WaArgs		args = {0};

	wa_queue_count_as_announced(&key, 1);
	daily->note = wa_say(WA_SAY_FIRST_RUN_BASELINE, WA_NUMBER(reached));
	wa_arg_text(&args, relation);
	wa_arg_text(&args, daily->scenario->key);
	wa_arg_said(&args, daily->note);
	wa_query(&tell, &args);
	ereport(LOG,
			(errmsg("sicantik_wa: %s: %s", daily->scenario->key, wa_said_english(daily->note))));
}

static void
add_remaining(WaValues *values, int days)
{
	const char *remaining = psprintf("%d", days);

	wa_compose_values_add(values, "remaining_days", remaining);
	wa_compose_values_add(values, "days_remaining", remaining);
}

/* The warning, with so many days left; NULL: the permit is not active any more. */
static WaDraft *
warn(WaBatch *batch, const WaScenario *scenario, const WaEvent *event, int64 id,
	 int remaining_days, const char *key)
{
	WaPermit   *permit = wa_odoo_permit(&batch->odoo, id);
	WaRecipient *recipient;
	WaValues	values = {0};

	if (permit == NULL || !wa_odoo_is(permit->status, "active"))
		return NULL;
	recipient = wa_odoo_partner(&batch->odoo, permit->partner_id);
	add_remaining(&values, remaining_days);
	return wa_compose_message(batch, event, scenario, recipient, permit, &values, key);
}

/* Permits without a contact: told once for each threshold. */
static void
note_no_contact(WaDaily *daily, WaBatch *batch, const char *relation,
				const Candidate *list, int n)
{
	const char **keys = palloc(sizeof(char *) * n);
	int			count = 0;

	for (int i = 0; i < n; i++)
	{
		if (list[i].has_partner)
			continue;
		keys[count++] = lack_key(&list[i]);
		wa_compose_outcome(batch, wa_compose_calendar_event(daily, relation, list[i].id), daily->scenario,
						   "no recipient",
						   wa_say(WA_SAY_NO_CONTACT_BEFORE_THRESHOLD));
	}
	if (count > 0)
		wa_queue_count_as_announced(keys, count);
}

static bool
compose_chunk(WaDaily *daily, const char *relation, const Candidate *list, int n)
{
	WaBatch		batch = *daily->common;
	int64	   *permits = palloc(sizeof(int64) * n);
	int			npermits = 0;
	bool		loaded;

	for (int i = 0; i < n; i++)
		if (list[i].has_partner)
			permits[npermits++] = list[i].id;
	loaded = wa_odoo_load_permits(&batch.odoo, permits, npermits) &&
		wa_compose_load_contacts(&batch, permits, npermits);
	daily->common->odoo.locked_table = batch.odoo.locked_table;
	if (!loaded)
		return false;
	for (int i = 0; i < n; i++)
		if (list[i].has_partner)
			(void) warn(&batch, daily->scenario, wa_compose_calendar_event(daily, relation, list[i].id),
						list[i].id, list[i].remaining, list[i].key);
	note_no_contact(daily, &batch, relation, list, n);
	wa_compose_calendar_write(daily, &batch);
	return true;
}

/*
 * The next page: counted, where it is the first run, else composed, in chunks.
 * *more: there is another one.  Returns false if a table could not be had now.
 */
static bool
run_page(WaDaily *daily, const WaAppTable *table, const int *thresholds, int nthresholds,
		 int64 *after, int *reached, bool first_run, bool *more)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext chunk_context;
	Candidate  *list;
	int			n;
	bool		complete = true;

	*more = find_candidates(daily, table, thresholds, nthresholds, after, &list, &n);
	if (first_run)
	{
		*reached += n;
		count_as_announced(list, n);
		return true;
	}
	n = drop_done(list, n);
	chunk_context = AllocSetContextCreate(outer, "sicantik_wa expiring permits",
										  ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; complete && i < n; i += CHUNK)
	{
		MemoryContextSwitchTo(chunk_context);
		complete = compose_chunk(daily, table->relation, &list[i], Min(CHUNK, n - i));
		MemoryContextSwitchTo(outer);
		MemoryContextReset(chunk_context);
	}
	return complete;
}

/*
 * In pages: however many permits are about to expire, no more of them are in
 * memory than of one.
 */
static bool
run(WaDaily *daily)
{
	const char *baseline = psprintf("baseline:%s", daily->scenario->key);
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext page_context;
	WaAppTable	table;
	int		   *thresholds;
	int			nthresholds;
	int64		after = PG_INT64_MIN;
	int			reached = 0;
	bool		first_run;
	bool		more;
	bool		complete = true;

	if (!wa_odoo_open(&daily->common->odoo, &table, "sicantik_permit"))
		return false;
	if (!wa_app_has_column(&table, "expiry_date"))
	{
		daily->note = wa_say(WA_SAY_NO_TABLE_PERMIT);
		return true;
	}
	daily->counted = true;
	first_run = !has_baseline(baseline);
	if (first_run && wa_compose_calendar_muted(daily))
	{
		daily->note = wa_say(WA_SAY_MUTED_BEFORE_FIRST_RUN, wa_office_time_words(daily->scenario->muted_until, daily->common->time_zone));
		return true;
	}
	nthresholds = load_thresholds(daily->scenario, &thresholds);
	page_context = AllocSetContextCreate(outer, "sicantik_wa permits with a near date",
										 ALLOCSET_DEFAULT_SIZES);
	for (more = nthresholds > 0; complete && more;)
	{
		MemoryContextSwitchTo(page_context);
		complete = run_page(daily, &table, thresholds, nthresholds, &after, &reached, first_run, &more);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(page_context);
	}
	if (first_run)
		note_baseline(daily, table.relation, baseline, reached);
	return complete;
}

/* ---- asked again ---- */

/* The date that a message warns of, as its key says; NULL: it is not known. */
static const char *
date_of(const WaWaiting *waiting)
{
	for (int k = 0; k < waiting->nkeys; k++)
	{
		char		date[11];

		if (sscanf(waiting->keys[k], "expiry:" MODEL ":%*[0-9]:%10[0-9-]:", date) == 1)
			return pstrdup(date);
	}
	return NULL;
}

/*
 * What is to be said now of permits that are about to expire?  The same date,
 * in as many days as are left by now.
 */
static bool
again(WaBatch *batch, WaWaiting **list, int n)
{
	int64	   *permits = palloc(sizeof(int64) * Max(n, 1));

	for (int i = 0; i < n; i++)
		permits[i] = list[i]->record_id;
	if (!wa_odoo_load_permits(&batch->odoo, permits, n) || !wa_compose_load_contacts(batch, permits, n))
		return false;
	for (int i = 0; i < n; i++)
	{
		WaWaiting  *waiting = list[i];
		const WaPermit *permit = wa_odoo_permit(&batch->odoo, permits[i]);
		const char *then = date_of(waiting);
		const char *now = permit && permit->expiry_date ? permit->expiry_date : "";

		waiting->keeps_keys = true;
		if (permit == NULL)
			waiting->why = wa_say(WA_SAY_UNTRUE_RECORD_GONE);
		else if (!wa_odoo_is(permit->status, "active"))
			waiting->why = wa_say(WA_SAY_UNTRUE_VALUE, "status", wa_odoo_shown(permit->status), "active");
		else if (then && strcmp(now, then) != 0)
			waiting->why = wa_say(WA_SAY_UNTRUE_VALUE, "expiry_date", wa_odoo_shown(now), then);
		else if (permit->partner_id == 0)
			waiting->why = wa_say(WA_SAY_UNTRUE_NO_CONTACT);
		else if (wa_compose_guard_days_since(batch, now) > 0)
			waiting->why = wa_say(WA_SAY_UNTRUE_EXPIRED_ON, now);
		else
			waiting->now = warn(batch, waiting->scenario, waiting->event, permit->id,
								-wa_compose_guard_days_since(batch, now), NULL);
	}
	return true;
}

static void
count_now(WaBatch *batch, WaValues *values, int64 record_id)
{
	const WaPermit *permit = wa_odoo_permit(&batch->odoo, record_id);
	int			year;
	int			month;
	int			day;

	if (permit && permit->expiry_date && wa_compose_value_read_date(permit->expiry_date, &year, &month, &day))
		add_remaining(values, -wa_compose_guard_days_since(batch, permit->expiry_date));
}

const WaComposer wa_compose_permit_expiry_warning = {
	.name = "permit_expiry_warning",
	.model = MODEL,
	.rank = 40,
	.daily = run,
	.again = again,
	.count_now = count_now,
	.values = {{"remaining_days", "remaining_days"}, {"days_remaining"}},
	.odoo_keys = {"permit_reminder", "izin_peringatan_berlaku"},
	.defaults = {
		.name = "Peringatan Masa Berlaku Izin",
		.body = "Yth. {{partner_name}},\n\n"
		"Masa berlaku {{permit_type}} Saudara dengan nomor {{permit_number}} berakhir pada tanggal {{expiry_date}} "
		"atau {{remaining_days}} hari lagi.\n\n"
		"Permohonan perpanjangan dapat diajukan melalui tautan {{renewal_link}} sebelum masa berlaku izin berakhir. "
		"Keterangan lebih lanjut dapat diperoleh di {{contact_dpmptsp}} pada jam pelayanan.\n\n"
		"Terima kasih.",
		.parameters = {"partner_name", "permit_type", "permit_number", "expiry_date", "remaining_days", "renewal_link", "contact_dpmptsp"},
		.requires_opt_in = true,
		.time_to_live = "3 days",
		.unknown_policy = "resend",
		.priority = "normal",
		.daily_at = "09:00",
		.no_limits = true
	}
};

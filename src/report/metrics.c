/*-------------------------------------------------------------------------
 *
 * metrics.c
 *		wa_metrics(): the state, as Prometheus reads it.
 *
 * Whatever counts messages is a gauge of what is now, or of the office's
 * day: the ledger is a book in which a message may yet change its state, and not
 * a counter that only grows.  What workers have done are counters.  What the statements read is as large as a day, so
 * that it can be asked every few seconds.
 *
 * The format is the one of
 * https://prometheus.io/docs/instrumenting/exposition_formats/ (text, 0.0.4).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "admin/findings.h"
#include "compose/compose.h"
#include "office/setting.h"
#include "pg/call.h"
#include "pg/query.h"
#include "queue/state.h"
#include "wake/stat.h"
#include "wake/wake.h"
#include "words/story.h"

PG_FUNCTION_INFO_V1(wa_sql_metrics);

#define PREFIX		"sicantik_wa_"
#define MAX_LABELS	3
#define MAX_METRICS	16

/*
 * What one statement tells: its columns are the labels, then the metrics.  A
 * metric is called PREFIX, the name, "_" and its own; docs/monitoring has the
 * same names for postgres_exporter.
 */
typedef struct Family
{
	const char *name;
	const char *labels[MAX_LABELS];
	struct
	{
		const char *name;
		const char *help;
	}			metrics[MAX_METRICS];
	WaStatement statement;
} Family;

/* SQL: the office's day. */
#define TODAY	"day = (SELECT (now() AT TIME ZONE wa._time_zone())::date)"

/* SQL: seconds within which this part of today's messages was sent. */
#define SENT_WITHIN(part) \
	"SELECT '" part "', extract(epoch FROM wa._quantile(array_agg(detail), array_agg(n), " part "))::float8::text" \
	" FROM wa._figure WHERE " TODAY " AND figure = 'sent_after' HAVING sum(n) > 0"

static Family families[] = {
	{
		"waiting", {"provider", "scenario", "state"},
		{{"messages", "Messages that are queued, on the wire (sending), or held for a person; by the provider that had them last, empty where none had."}},
		WA_STATEMENT("SELECT provider, scenario, state, sum(messages)::text FROM wa.figures"
					 " WHERE state IN (" WA_SQL_STATE(QUEUED) ", " WA_SQL_STATE(SENDING) ", " WA_SQL_STATE(HELD) ")"
					 " GROUP BY provider, scenario, state ORDER BY provider, scenario, state")
	},
	{
		"oldest_ready", {NULL},
		{{"seconds", "Age of the oldest message that could go now and has not; 0 if there is none."}},
		WA_STATEMENT("SELECT coalesce((SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM wa.message"
					 " WHERE id = (SELECT min(message_id) FROM wa.ready WHERE claimed_at IS NULL)), 0)::text")
	},
	{
		"today", {"provider", "scenario"},
		{
			{"made", "Messages made on the office's day."},
			{"waiting", "Of those, queued or on the wire."},
			{"sent", "Of those, accepted by a provider."},
			{"delivered", "Of those, came to the phone, as the provider says."},
			{"read", "Of those, read."},
			{"failed", "Of those, failed."},
			{"unknown", "Of those, not known to have been accepted."},
			{WA_STATE_NAME_HELD, "Of those, held for a person."},
			{WA_STATE_NAME_SKIPPED, "Of those, not sent for a reason."},
			{"cancelled", "Of those, taken back."},
			{WA_STATE_NAME_SUPERSEDED, "Of those, overtaken by another one."},
			{"expired", "Of those, not sent in time."},
			{"attempts", "HTTP requests made for those."},
			{"repeats", "Of those requests, repeated though an earlier one may have been accepted."}
		},
		WA_STATEMENT("SELECT provider, scenario, made::text, waiting::text, sent::text, delivered::text, read::text, failed::text, unknown::text,"
					 " held::text, skipped::text, cancelled::text, superseded::text, expired::text, attempts::text, repeats::text"
					 " FROM wa.stat_delivery WHERE " TODAY " ORDER BY provider, scenario")
	},
	{
		"today_sent_within", {"share"},
		{{"seconds", "Time in which this part of the day's sent messages was accepted, from the change that they tell of."}},
		WA_STATEMENT(SENT_WITHIN("0.5") " UNION ALL " SENT_WITHIN("0.95") " ORDER BY 1")
	},
	{
		"provider", {"provider", "kind"},
		{
			{"usable", "1: it is switched on, was tested, is not paused, and its circuit is closed."},
			{"circuit_open", "1: it gets nothing until a test succeeds."},
			{"quota_left", "Messages that it says are left."},
			{"attempts_today", "HTTP requests of the office's day that are over."},
			{"accepted_today", "Of those, accepted."},
			{"unknown_today", "Of those, not known to have been accepted."}
		},
		WA_STATEMENT("SELECT provider, kind, (active AND state = 'configured' AND paused_at IS NULL)::int::text, circuit_open::int::text,"
					 " quota_left::text, attempts_today::text, accepted_today::text, unknown_today::text FROM wa.stat_provider ORDER BY provider")
	},
	{
		"events", {NULL},
		{
			{"unread", "Changes that were recorded and that nobody has read yet."},
			{"dead", "Changes whose messages could not be composed."},
			{"dropped", "Changes that could not be recorded, and that nobody has seen to yet."}
		},
		WA_STATEMENT("SELECT (SELECT count(*) FROM wa.event AS e WHERE " WA_SQL_UNREAD("e") ")::text,"
					 " (SELECT count(*) FROM wa.dead_letter)::text,"
					 " (SELECT coalesce(sum(events), 0) FROM wa.capture_gap WHERE reason <> ALL ('{off,known}'))::text")
	}
};

/* A metric begins. */
static void
describe(StringInfo out, const char *family, const char *metric, const char *help)
{
	appendStringInfo(out, "# HELP " PREFIX "%s_%s %s\n# TYPE " PREFIX "%s_%s gauge\n", family, metric, help, family, metric);
}

/* A value of a label is anybody's text. */
static void
add_label(StringInfo out, bool first, const char *name, const char *value)
{
	appendStringInfo(out, "%s%s=\"", first ? "{" : ",", name);
	for (const char *p = value ? value : ""; *p; p++)
	{
		if (*p == '\n')
			appendStringInfoString(out, "\\n");
		else
		{
			if (*p == '"' || *p == '\\')
				appendStringInfoChar(out, '\\');
			appendStringInfoChar(out, *p);
		}
	}
	appendStringInfoChar(out, '"');
}

static void
add_family(StringInfo out, Family *family)
{
	WaRows		rows = wa_query(&family->statement, NULL);
	int			nlabels = 0;

	while (nlabels < MAX_LABELS && family->labels[nlabels])
		nlabels++;
	for (int m = 0; m < MAX_METRICS && family->metrics[m].name; m++)
	{
		describe(out, family->name, family->metrics[m].name, family->metrics[m].help);
		for (uint64 i = 0; i < rows.n; i++)
		{
			const char *value = wa_row_text(rows, i, nlabels + m + 1);

			if (value == NULL)
				continue;
			appendStringInfo(out, PREFIX "%s_%s", family->name, family->metrics[m].name);
			for (int n = 0; n < nlabels; n++)
				add_label(out, n == 0, family->labels[n], wa_row_text(rows, i, n + 1));
			appendStringInfo(out, "%s %s\n", nlabels > 0 ? "}" : "", value);
		}
	}
}

/* What is not in a table. */
static void
add_server(StringInfo out)
{
	char	   *mode = wa_office_get("mode");
	WaSlotInfo	slot;

	appendStringInfoString(out, "# HELP " PREFIX "info The installation.\n# TYPE " PREFIX "info gauge\n" PREFIX "info");
	add_label(out, true, "version", WA_VERSION);
	add_label(out, false, "mode", mode ? mode : "none");
	appendStringInfoString(out, "} 1\n");
	describe(out, "launcher", "running", "1: the process that starts workers is running.");
	appendStringInfo(out, PREFIX "launcher_running %d\n", wa_wake_launcher_running());
	describe(out, "worker", "running", "1: a worker is in this database; without work it leaves, and comes when there is some.");
	appendStringInfo(out, PREFIX "worker_running %d\n", wa_wake_slot_info(MyDatabaseId, &slot) && slot.pid != 0);
}

/* A counter begins. */
static void
describe_counter(StringInfo out, const char *metric, const char *type, const char *help)
{
	appendStringInfo(out, "# HELP " PREFIX "worker_%s %s\n# TYPE " PREFIX "worker_%s %s\n", metric, help, metric, type);
}

/* What the workers have done. */
static void
add_worker(StringInfo out)
{
	static const struct
	{
		WaStat		stat;
		const char *name;
		const char *help;
	}			counts[] = {
		{WA_STAT_ROUNDS, "rounds_total", "Passes of the worker."},
		{WA_STAT_FAILED_ROUNDS, "failed_rounds_total", "What ended in an error."},
		{WA_STAT_COMMITS, "commits_total", "Transactions that wrote something."},
		{WA_STAT_EVENTS, "events_read_total", "Changes of records that were read."},
		{WA_STAT_MESSAGES, "messages_made_total", "Messages that workers have made."},
		{WA_STAT_CLAIMS, "claims_total", "Messages taken to be put on the wire."},
		{WA_STAT_ATTEMPTS, "attempts_total", "HTTP requests that are over."},
		{WA_STAT_ACCEPTED, "accepted_total", "Answers by which the provider took the message."}
	};
	static const struct
	{
		WaStat		stat;
		const char *stage;
	}			times[] = {
		{WA_STAT_COMPOSE_TIME, "compose"},
		{WA_STAT_CHOOSE_TIME, "choose"},
		{WA_STAT_SEND_TIME, "send"},
		{WA_STAT_RECORD_TIME, "record"},
		{WA_STAT_COMMIT_TIME, "commit"},
		{WA_STAT_MAINTENANCE_TIME, "maintenance"},
		{WA_STAT_OTHER_TIME, "other"},
		{WA_STAT_WAIT_TIME, "wait"},
		{WA_STAT_IDLE_TIME, "idle"}
	};
	uint64		n[WA_STAT_COUNT];
	TimestampTz since;
	uint64		messages = 0;

	if (!wa_wake_stat_read(n, &since))
		return;
	for (size_t i = 0; i < lengthof(counts); i++)
	{
		describe_counter(out, counts[i].name, "counter", counts[i].help);
		appendStringInfo(out, PREFIX "worker_%s " UINT64_FORMAT "\n", counts[i].name, n[counts[i].stat]);
	}
	describe_counter(out, "stage_seconds_total", "counter", "Where the time of workers goes.");
	for (size_t i = 0; i < lengthof(times); i++)
		appendStringInfo(out, PREFIX "worker_stage_seconds_total{stage=\"%s\"} %.6f\n", times[i].stage, n[times[i].stat] / 1e6);
	describe_counter(out, "wire_seconds_total", "counter", "From request to answer, of all attempts together.");
	appendStringInfo(out, PREFIX "worker_wire_seconds_total %.6f\n", n[WA_STAT_WIRE_TIME] / 1e6);
	describe_counter(out, "latency_seconds", "histogram", "Of accepted messages, from when the worker had taken them in to the answer.");
	for (int i = 0; i < WA_LATENCY_STEPS; i++)
	{
		messages += n[WA_STAT_LATENCY + i];
		if (i < WA_LATENCY_STEPS - 1)
			appendStringInfo(out, PREFIX "worker_latency_seconds_bucket{le=\"%g\"} " UINT64_FORMAT "\n", wa_wake_latency_ends[i] / 1000.0, messages);
		else
			appendStringInfo(out, PREFIX "worker_latency_seconds_bucket{le=\"+Inf\"} " UINT64_FORMAT "\n", messages);
	}
	appendStringInfo(out, PREFIX "worker_latency_seconds_sum %.6f\n" PREFIX "worker_latency_seconds_count " UINT64_FORMAT "\n",
					 n[WA_STAT_LATENCY_TIME] / 1e6, messages);
}

static void
add_findings(StringInfo out, WaStory *story)
{
	WaFindings	findings;
	int			errors = 0;
	int			warnings = 0;

	wa_admin_findings_look(&findings, story);
	describe(out, "check", "item", "What wa_check() finds that is not ok; each item is told once for a state.");
	for (int i = 0; i < findings.n; i++)
	{
		const WaFinding *finding = &findings.list[i];
		bool		told = finding->rank == WA_FINE;

		for (int j = 0; j < i && !told; j++)
			told = strcmp(findings.list[j].item, finding->item) == 0 &&
				strcmp(wa_admin_finding_state(&findings.list[j]), wa_admin_finding_state(finding)) == 0;
		if (finding->rank != WA_FINE)
			*(finding->rank <= WA_LAST_ERROR ? &errors : &warnings) += 1;
		if (told)
			continue;
		appendStringInfoString(out, PREFIX "check_item");
		add_label(out, true, "item", wa_story_masked(story, finding->item));
		add_label(out, false, "state", wa_admin_finding_state(finding));
		appendStringInfoString(out, "} 1\n");
	}
	describe(out, "check", "items", "How many findings there are.");
	appendStringInfo(out, PREFIX "check_items{state=\"error\"} %d\n" PREFIX "check_items{state=\"warning\"} %d\n", errors, warnings);
}

/*
 * wa_metrics(): see metrics.sql.
 */
Datum
wa_sql_metrics(PG_FUNCTION_ARGS)
{
	WaCall		call;
	WaStory		story;
	StringInfoData out;
	Datum		result;

	wa_call_begin(&call, WA_LEVEL_VIEW);
	wa_story_begin(&story, fcinfo, call.acting.user);
	initStringInfo(&out);
	add_server(&out);
	add_worker(&out);
	for (size_t i = 0; i < lengthof(families); i++)
		add_family(&out, &families[i]);
	if (PG_ARGISNULL(0) || PG_GETARG_BOOL(0))
		add_findings(&out, &story);
	result = wa_call_text(&call, out.data);
	wa_call_end(&call);
	PG_RETURN_DATUM(result);
}

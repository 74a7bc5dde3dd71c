/*-------------------------------------------------------------------------
 *
 * unwritten.c
 *		Messages whose text waits for a setting of the office.
 *
 * A text that needs a contact or a link that the office has not set is not
 * written, and its message is held.  When the setting comes, the text is
 * written from the values as they are then and the message goes on, within its
 * time-to-live: nobody has to find those who were left out.  A new message
 * takes the place of the one without text, so that the ledger keeps both.
 *
 * Many that waited together are as doubtful as many that are made together:
 * those beyond the scenario's limit stay held, for a person to look at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compose/compose.h"
#include "compose/document_scenario.h"
#include "compose/json_values.h"
#include "compose/record_values.h"
#include "odoo/people.h"
#include "office/setting.h"
#include "pg/app_limit.h"
#include "pg/frame.h"
#include "pg/columns.h"
#include "pg/subtransaction.h"

#define ROWS_AT_ONCE	200

/* However a setting has come, look this often. */
#define LOOK_AGAIN_US	(60 * USECS_PER_SEC)

/* After an error of the application's tables. */
#define ERROR_RETRY_US	(10 * 60 * USECS_PER_SEC)

/* One message. */
typedef struct Unwritten
{
	int64		id;
	char	   *scenario;
	char	   *template_key;
	int64		partner_id;
	char	   *params;
	char	   *model;
	int64		record_id;
	int64		event_id;
	bool		expired;
	char	   *setting;		/* that has come; "": somebody wants it now */

	WaTextRow	answer;
} Unwritten;

/* What is done in one transaction. */
typedef struct Run
{
	const WaIdentity *identity;
	bool		locked;			/* a table could not be had now */
	bool		more;
} Run;

static TimestampTz next_look = 0;	/* 0: look now */
static bool again_by_itself = false;	/* then, without being woken */

/* How many of each scenario have been written in this run, over its batches. */
typedef struct Count
{
	char		scenario[NAMEDATALEN];
	int			messages;
} Count;

static Count *counts = NULL;
static int	ncounts = 0;

/*
 * Settings may have changed, or somebody wants such a message now: look.
 */
void
wa_compose_unwritten_look(void)
{
	next_look = 0;
}

/*
 * Is there something to look at, at once?
 */
bool
wa_compose_unwritten_wanted(void)
{
	return next_look == 0;
}

/* Is it one more than the scenario may make at once? */
static bool
too_many(const WaScenario *scenario)
{
	int			i = 0;

	if (scenario == NULL || scenario->max_per_transaction == PG_INT32_MAX)
		return false;
	while (i < ncounts && strncmp(counts[i].scenario, scenario->key, NAMEDATALEN - 1) != 0)
		i++;
	if (i == ncounts)
	{
		if (counts == NULL)
			counts = MemoryContextAlloc(TopMemoryContext, sizeof(Count));
		else
			counts = repalloc(counts, sizeof(Count) * (ncounts + 1));
		strlcpy(counts[i].scenario, scenario->key, NAMEDATALEN);
		counts[ncounts++].messages = 0;
	}
	return ++counts[i].messages > scenario->max_per_transaction;
}

static const WaColumn unwritten_columns[] = {
	WA_COLUMN(Unwritten, int8, id, "m.id"),
	WA_COLUMN(Unwritten, text, scenario, "m.scenario"),
	WA_COLUMN(Unwritten, text, template_key, "m.template_key"),
	WA_COLUMN(Unwritten, int8, partner_id, "m.partner_id"),
	WA_COLUMN(Unwritten, json, params, "m.params"),
	WA_COLUMN(Unwritten, text, model, "m.res_model"),
	WA_COLUMN(Unwritten, int8, record_id, "m.res_id"),
	WA_COLUMN(Unwritten, int8, event_id, "m.event_id"),
	WA_COLUMN(Unwritten, boolean, expired, "m.expires_at <= clock_timestamp()"),
	WA_COLUMN(Unwritten, text, setting, "u.setting"),
};
static const WaRowType unwritten_row = WA_ROW_TYPE(Unwritten, unwritten_columns);

static int
read_unwritten(Unwritten **list)
{
	static WaStatement read =
		WA_STATEMENT_OF(&unwritten_row, "SELECT {columns}"
						" FROM wa.unwritten AS u JOIN wa.message AS m ON m.id = u.message_id"
						" WHERE m.state = " WA_SQL_STATE(HELD) " AND m.body IS NULL"
						" AND (u.setting = '' OR EXISTS (SELECT FROM wa.setting AS s WHERE s.name = u.setting))"
						" ORDER BY m.id LIMIT $1 FOR NO KEY UPDATE OF m SKIP LOCKED");
	WaArgs		args = {0};
	int			n;

	wa_arg_int8(&args, ROWS_AT_ONCE);
	*list = wa_rows_read(wa_query(&read, &args), &unwritten_row, &n);
	return n;
}

static bool
is_about(const Unwritten *u, const char *model)
{
	return u->model && u->record_id != 0 && strcmp(u->model, model) == 0;
}

/* Read what the values come from.  False: a table could not be had now. */
static bool
load(WaBatch *batch, const Unwritten *list, int n)
{
	int64	   *documents = palloc(sizeof(int64) * n);
	int64	   *permits = palloc(sizeof(int64) * n);
	int64	   *partners = palloc(sizeof(int64) * n);
	WaRecords	records = {.documents = documents,.permits = permits};
	int			npartners = 0;

	for (int i = 0; i < n; i++)
	{
		if (is_about(&list[i], "sicantik.document"))
			documents[records.ndocuments++] = list[i].record_id;
		else if (is_about(&list[i], "sicantik.permit"))
			permits[records.npermits++] = list[i].record_id;
		if (list[i].partner_id != 0)
			partners[npartners++] = list[i].partner_id;
	}
	return wa_odoo_load_records(&batch->odoo, &records) && wa_compose_load_approvers(batch) &&
		wa_odoo_load_partners(&batch->odoo, partners, npartners);
}

/* The request that the person is asked to approve; NULL: nobody is named. */
static WaWorkflow *
workflow_of(WaBatch *batch, const WaDocument *document, int64 partner_id)
{
	WaWorkflow *workflows;
	WaWorkflow *any = NULL;
	int			n = wa_odoo_workflows(&batch->odoo, &workflows);

	for (int i = 0; i < n; i++)
	{
		WaRecipient *approver;

		if (!workflows[i].pending || workflows[i].document_id != document->id)
			continue;
		approver = workflows[i].approver_id != 0 ? wa_odoo_user(&batch->odoo, workflows[i].approver_id) : NULL;
		if (approver && approver->partner_id == partner_id)
			return &workflows[i];
		if (any == NULL)
			any = &workflows[i];
	}
	return any;
}

/*
 * The values as they are now; what only the event knew comes from the message
 * itself.  False: the record is gone.
 */
static bool
gather(WaBatch *batch, const Unwritten *u, const WaScenario *scenario, WaValues *values)
{
	WaRecipient *recipient = u->partner_id != 0 ? wa_odoo_partner(&batch->odoo, u->partner_id) : NULL;

	if (scenario && scenario->composer->count_now && is_about(u, scenario->composer->model))
		scenario->composer->count_now(batch, values, u->record_id);
	if (is_about(u, "sicantik.document"))
	{
		WaDocument *document = wa_odoo_document(&batch->odoo, u->record_id);

		if (document == NULL)
			return false;
		wa_compose_document_values(batch, values, document, workflow_of(batch, document, u->partner_id), recipient);
	}
	else if (is_about(u, "sicantik.permit"))
	{
		WaPermit   *permit = wa_odoo_permit(&batch->odoo, u->record_id);

		if (permit == NULL)
			return false;
		wa_compose_permit_values(batch, values, permit, recipient);
	}
	else
		wa_compose_office_values(batch, values);
	if (u->params)
		wa_compose_values_from_json(values, DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(u->params))));
	if (recipient && recipient->name)
		wa_compose_values_add(values, "partner_name", recipient->name);
	return true;
}

static void
answer(Unwritten *u, WaState state, WaReason reason, WaSaid detail)
{
	u->answer.id = u->id;
	u->answer.state = state;
	u->answer.reason = reason;
	u->answer.detail = detail;
}

/* What becomes of one message. */
static void
judge(WaBatch *batch, const WaIdentity *identity, Unwritten *u)
{
	const WaScenario *scenario = wa_compose_find_scenario(batch, u->scenario);
	WaTemplate *template = u->template_key ? wa_route_load_template(u->template_key) : NULL;
	WaValues	values = {0};
	char	   *missing;

	if (u->expired)
	{
		answer(u, WA_STATE_EXPIRED, WA_REASON_TIME_TO_LIVE,
			   wa_say(WA_SAY_SETTING_SET_TOO_LATE, u->setting));
		return;
	}
	if (!gather(batch, u, scenario, &values))
	{
		answer(u, WA_STATE_CANCELLED, WA_REASON_NO_LONGER_TRUE, wa_say(WA_SAY_UNTRUE_RECORD_GONE));
		return;
	}
	if (template)
	{
		u->answer.params = wa_compose_template_params(template, batch->mappings, batch->nmappings, &values);
		u->answer.body = wa_compose_template_render(template, &values, &missing, &u->answer.lacks);
	}
	if (u->answer.body == NULL && u->answer.lacks)
		answer(u, WA_STATE_HELD, WA_REASON_SETTING_MISSING,
			   wa_say(WA_SAY_SETTING_NOT_SET, u->answer.lacks));
	else if (u->answer.body == NULL)
		answer(u, WA_STATE_FAILED, WA_REASON_REQUEST, template ?
			   wa_say(WA_SAY_NOT_WRITTEN_ANEW, missing) :
			   wa_say(WA_SAY_TEMPLATE_UNUSABLE, u->template_key ? u->template_key : ""));
	else if (u->setting[0] != '\0' && u->event_id != 0 && u->event_id <= identity->hold_event_id)
		answer(u, WA_STATE_HELD, WA_REASON_COPY, wa_say(WA_SAY_MADE_BEFORE_COPY_ARMED));
	else if (u->setting[0] != '\0' && too_many(scenario))
		answer(u, WA_STATE_HELD, WA_REASON_BULK,
			   wa_say(WA_SAY_TOO_MANY_WAITED, WA_NUMBER(scenario->max_per_transaction)));
	else
		answer(u, WA_STATE_QUEUED, WA_REASON_NONE, NULL);
	u->answer.why = u->setting[0] == '\0' ? wa_say(WA_SAY_WRITING_WANTED) :
		wa_say(WA_SAY_SETTING_SET_NOW, u->setting);
}

/* What becomes of them, for the ledger. */
static void
write_answers(const Unwritten *list, int n)
{
	WaTextRow  *rows = palloc0(sizeof(WaTextRow) * n);

	for (int i = 0; i < n; i++)
		rows[i] = list[i].answer;
	wa_queue_write_texts(rows, n);
}

static bool
run_batch(void *argument)
{
	Run		   *run = argument;
	WaBatch		batch;
	Unwritten  *list;
	int			n = read_unwritten(&list);

	if (n == 0)
		return true;
	wa_compose_init_batch(&batch, run->identity);
	if (!load(&batch, list, n))
	{
		run->locked = true;
		return false;
	}
	for (int i = 0; i < n; i++)
		judge(&batch, run->identity, &list[i]);
	write_answers(list, n);
	run->more = n == ROWS_AT_ONCE;
	return true;
}

/* Whose message has gone, or has ended otherwise. */
static void
forget_ended(void)
{
	static WaStatement forget =
		WA_STATEMENT("DELETE FROM wa.unwritten AS u WHERE NOT EXISTS (SELECT FROM wa.message AS m"
					 " WHERE m.id = u.message_id AND m.state = " WA_SQL_STATE(HELD) " AND m.body IS NULL AND m.number IS NOT NULL)");

	wa_query(&forget, NULL);
}

/*
 * Write what waits for a setting that is set by now, in a transaction of its
 * own; costs nothing while nothing waits.  Returns false if a table that is
 * needed was locked, and it is to be tried again soon; *next_due: when to come
 * again, or 0.
 */
bool
wa_compose_unwritten_run(TimestampTz *next_due)
{
	static WaStatement any = WA_STATEMENT("SELECT FROM wa.unwritten LIMIT 1");
	TimestampTz now = GetCurrentTimestamp();
	WaIdentity	identity;
	Run			run = {0};
	ErrorData  *error = NULL;

	*next_due = 0;
	if (next_look != 0 && now < next_look && next_look <= now + ERROR_RETRY_US)
	{
		if (again_by_itself)
			*next_due = next_look;
		return true;
	}
	if (!wa_frame_begin("writing what waited for a setting"))
		return false;
	next_look = now + LOOK_AGAIN_US;
	again_by_itself = false;
	if (wa_query(&any, NULL).n > 0)
	{
		wa_identity_check(&identity);
		run.identity = &identity;
		if (identity.mode != WA_MODE_STOPPED)
		{
			forget_ended();
			error = wa_pg_subtransaction(run_batch, &run);
		}
	}
	if (error && wa_app_limit_raised(error))
	{
		/* a table that takes too long counts as locked */
		run.locked = true;
		error = NULL;
	}
	if (error && wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	if (error)
	{
		/* whatever hangs on Odoo's tables must not stop the other messages */
		next_look = *next_due = now + ERROR_RETRY_US;
		again_by_itself = true;
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("sicantik_wa could not write messages that waited for a setting: %s", error->message),
				 errhint("They stay held, and are tried again in ten minutes.")));
	}
	else if (run.locked || run.more)
		next_look = 0;
	if (!run.more)
		ncounts = 0;
	/* not durable: what a crash loses is written again */
	wa_frame_commit(false);
	if (run.more)
		*next_due = now;
	return !run.locked;
}

/*-------------------------------------------------------------------------
 *
 * senders.c
 *		Who else in this Odoo sends WhatsApp messages, and how to silence it.
 *
 * The advice stops the messages and keeps the synchronisation: scheduled
 * actions of other names, which fetch permits, are not named.  Nothing of
 * Odoo's is changed from here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/findings.h"
#include "odoo/odoo.h"
#include "office/setting.h"
#include "pg/app_table.h"

typedef struct Job
{
	const char *name;			/* as installed, of ir_cron.cron_name */
	WaSay		sends;			/* what it does, and what is lost by stopping
								 * it */
} Job;

/*
 * Scheduled actions of the known modules that send.  The check of expiring
 * permits belongs to the connector, and sicantik_whatsapp makes it send.
 */
static const Job jobs[] = {
	{"SICANTIK: Check Expiring Permits", WA_SAY_ACTION_WARNS_OF_EXPIRY},
	{"SICANTIK: Reminder Dokumen Pending", WA_SAY_ACTION_REMINDS_STAFF},
	{"SICANTIK: Process Notification Queue", WA_SAY_ACTION_SENDS_QUEUE},
	{"SICANTIK: Process Campaign Batch", WA_SAY_ACTION_SENDS_CAMPAIGNS},
	{NULL}
};

/* What one look needs. */
typedef struct Look
{
	WaFindings *findings;
	const char *schema;
} Look;

static void
found(Look *look, WaSaid sentence)
{
	wa_admin_find(look->findings, WA_WARNING_SENDER, "other sender", NULL, sentence);
}

static bool
is_true(const char *text)
{
	return text && text[0] == 't';
}

/* What to click for a module, or NULL if it is not known to send. */
static WaSaid
advice_for(const char *module)
{
	if (strcmp(module, "sicantik_whatsapp") == 0)
		return wa_say(WA_SAY_SENDER_MODULE_WHATSAPP);
	if (strcmp(module, "sicantik_notification_automation") == 0)
		return wa_say(WA_SAY_SENDER_MODULE_AUTOMATION);
	if (strcmp(module, "whatsapp") == 0)
		return wa_say(WA_SAY_SENDER_ENTERPRISE);
	return NULL;
}

static bool
say_modules(void *argument)
{
	Look	   *look = argument;
	static const char *const columns[] = {"name", "state"};
	static const char *const modules[] = {
		"sicantik_whatsapp", "sicantik_notification_automation", "whatsapp"
	};
	WaAppTable	table;
	WaAppRows	rows;

	if (wa_app_open(&table, look->schema, "ir_module_module") != WA_APP_READY)
		return true;
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "name",
						modules, lengthof(modules));
	for (uint64 i = 0; i < rows.n; i++)
	{
		const char *state = rows.values[i][1];

		if (rows.values[i][0] == NULL || state == NULL ||
			(strcmp(state, "installed") != 0 && strcmp(state, "to upgrade") != 0))
			continue;
		found(look, advice_for(rows.values[i][0]));
	}
	return true;
}

static bool
say_jobs(void *argument)
{
	Look	   *look = argument;
	static const char *const columns[] = {"cron_name", "active"};
	const char *names[lengthof(jobs)];
	int			nnames = 0;
	WaAppTable	table;
	WaAppRows	rows;

	if (wa_app_open(&table, look->schema, "ir_cron") != WA_APP_READY)
		return true;
	for (const Job *job = jobs; job->name; job++)
		names[nnames++] = job->name;
	wa_app_read_by_text(&rows, &table, columns, lengthof(columns), "cron_name", names, nnames);
	for (uint64 i = 0; i < rows.n; i++)
	{
		if (!is_true(rows.values[i][1]))
			continue;
		for (const Job *job = jobs; job->name; job++)
		{
			if (strcmp(job->name, rows.values[i][0]) != 0)
				continue;
			found(look, wa_say(WA_SAY_SENDER_ACTION, job->name, wa_text_say_plain(job->sends)));
		}
	}
	return true;
}

static bool
say_default_provider(void *argument)
{
	Look	   *look = argument;
	const char *value = wa_odoo_parameter(look->schema, "sicantik_whatsapp.default_provider_id");

	if (value == NULL || strcmp(value, "0") == 0)
		return true;
	found(look, wa_say(WA_SAY_SENDER_DEFAULT_PROVIDER, value));
	return true;
}

/*
 * A finding for each sender.  Tables that are locked or missing are passed
 * over; one that raises an error is a finding that says so.
 */
void
wa_admin_find_other_senders(WaFindings *findings)
{
	static const WaSubtransaction looks[] = {say_modules, say_jobs, say_default_provider};
	Look		look = {findings, wa_office_get("odoo_schema")};
	int			before = findings->n;

	for (size_t i = 0; i < lengthof(looks); i++)
		(void) wa_admin_find_look(findings, WA_ERROR_ODOO, "other sender", looks[i], &look);
	if (findings->n == before)
		wa_admin_find(findings, WA_FINE, "other sender", NULL, NULL);
}

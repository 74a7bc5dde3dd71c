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
	const char *sends;			/* what it does, and what is lost by stopping
								 * it */
} Job;

/*
 * Scheduled actions of the known modules that send.  The check of expiring
 * permits belongs to the connector, and sicantik_whatsapp makes it send.
 */
static const Job jobs[] = {
	{"SICANTIK: Check Expiring Permits", "it sends the expiry warnings, which permit_expiry_warning does here"},
	{"SICANTIK: Reminder Dokumen Pending", "it sends the reminders to staff, which reminder does here"},
	{"SICANTIK: Process Notification Queue", "it sends what sicantik_notification_automation has queued"},
	{"SICANTIK: Process Campaign Batch", "it sends the campaigns of sicantik_notification_automation"},
	{NULL, NULL}
};

/* What one look needs. */
typedef struct Look
{
	WaFindings *findings;
	const char *schema;
} Look;

static void
found(Look *look, const char *sentence)
{
	wa_admin_find(look->findings, WA_WARNING_SENDER, "other sender", NULL, sentence);
}

static bool
is_true(const char *text)
{
	return text && text[0] == 't';
}

/* What to click for a module, or NULL if it is not known to send. */
static const char *
advice_for(const char *module)
{
	if (strcmp(module, "sicantik_whatsapp") == 0)
		return "module sicantik_whatsapp sends by itself: in Odoo, Settings > General Settings > WhatsApp Notifications, empty \"Default WhatsApp Provider\" and save; then no message leaves, and the synchronisation of permits goes on. Do not uninstall it before its data are taken over";
	if (strcmp(module, "sicantik_notification_automation") == 0)
		return "module sicantik_notification_automation sends by rules of its own: in Odoo, archive its notification rules and campaigns (list, select all, Action > Archive); the synchronisation is not part of it";
	if (strcmp(module, "whatsapp") == 0)
		return "Odoo Enterprise's module whatsapp is installed: it sends what people and automation rules start. In Odoo, Settings > Technical > Automation Rules, archive those that send WhatsApp messages about permits";
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
			found(look, psprintf("scheduled action \"%s\" is active: %s. In Odoo (developer mode), Settings > Technical > Scheduled Actions, open it and switch Active off; leave the other SICANTIK actions, which synchronise, as they are",
								 job->name, job->sends));
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
	found(look, psprintf("Odoo's parameter sicantik_whatsapp.default_provider_id is %s, so its dispatcher sends: Settings > General Settings > WhatsApp Notifications, empty \"Default WhatsApp Provider\" and save",
						 value));
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

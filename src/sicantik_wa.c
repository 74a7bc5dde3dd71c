/*-------------------------------------------------------------------------
 *
 * sicantik_wa.c
 *		Module entry: the server's settings, and each folder's init.
 *
 * This module is preloaded into the whole server, so it links nothing but
 * libc and json-c; what needs libcurl is in the module sicantik_wa_worker.
 * It also works without being preloaded: capture and the SQL functions queue,
 * only nothing is sent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "utils/guc.h"

#include "capture/capture.h"
#include "gateway/gateway.h"
#include "identity/identity.h"
#include "pg/acting.h"
#include "pg/said.h"
#include "pg/pg_compat.h"
#include "sicantik_wa.h"
#include "worker/worker.h"

WA_MODULE_MAGIC("sicantik_wa");

char	   *wa_guc_allowed_hosts = NULL;
char	   *wa_guc_ca_file = NULL;
char	   *wa_guc_proxy = NULL;
char	   *wa_guc_secrets_directory = NULL;
char	   *wa_guc_instance = NULL;
bool		wa_guc_enabled = true;
int			wa_guc_max_workers = 4;
int			wa_guc_worker_idle_timeout = 60;
int			wa_guc_request_timeout = 30000;
int			wa_guc_max_in_flight = 200;
int			wa_guc_shutdown_grace = 2000;
int			wa_guc_read_timeout = 5000;
int			wa_guc_worker_patience = 75;
int			wa_guc_compose_batch = 500;
int			wa_guc_max_unread = 100000;
bool		wa_guc_capture = true;
int			wa_guc_level = WA_LEVEL_ADMIN;
int			wa_guc_language = WA_OFFICE_LANGUAGE;

static const struct config_enum_entry level_options[] = {
	{"none", WA_LEVEL_NONE, false},
	{"webhook", WA_LEVEL_WEBHOOK, false},
	{"view", WA_LEVEL_VIEW, false},
	{"send", WA_LEVEL_SEND, false},
	{"admin", WA_LEVEL_ADMIN, false},
	{NULL, 0, false}
};

static const struct config_enum_entry language_options[] = {
	{"office", WA_OFFICE_LANGUAGE, false},
	{"en", WA_ENGLISH, false},
	{"id", WA_INDONESIAN, false},
	{NULL, 0, false}
};

extern PGDLLEXPORT void _PG_init(void);

static bool
check_allowed_hosts(char **newval, void **extra, GucSource source)
{
	WaSaidText	why;

	if (wa_gateway_allowed_list_valid(*newval, &why))
		return true;
	GUC_check_errdetail("%s", wa_said_english(WA_SAID_IN(&why)));
	GUC_check_errhint("Entries are kind=host[:port], separated by commas; a port other than 443 is for loopback hosts only.");
	return false;
}

static bool
check_absolute_path(char **newval, void **extra, GucSource source)
{
	if (**newval == '\0' || is_absolute_path(*newval))
		return true;
	GUC_check_errdetail("The path must be absolute.");
	return false;
}

static void
define_settings(void)
{
	static char usual_hosts[1024];

	wa_gateway_usual_hosts(usual_hosts, sizeof(usual_hosts));
	DefineCustomStringVariable("sicantik_wa.allowed_hosts",
							   "Hosts that providers of each kind may be reached at.",
							   "Entries kind=host[:port], separated by commas. Only https on port 443, except on loopback hosts, which must name a port.",
							   &wa_guc_allowed_hosts,
							   usual_hosts,
							   PGC_SUSET, 0, check_allowed_hosts, NULL, NULL);
	DefineCustomStringVariable("sicantik_wa.ca_file",
							   "File of certificate authorities for TLS; empty means libcurl's own.",
							   NULL, &wa_guc_ca_file, "",
							   PGC_SUSET, 0, check_absolute_path, NULL, NULL);
	DefineCustomStringVariable("sicantik_wa.proxy",
							   "HTTP proxy for requests to providers; empty means none.",
							   NULL, &wa_guc_proxy, "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("sicantik_wa.secrets_directory",
							   "Directory with one folder per database for credential files.",
							   NULL, &wa_guc_secrets_directory, "",
							   PGC_SUSET, 0, check_absolute_path, NULL, NULL);
	DefineCustomStringVariable("sicantik_wa.instance",
							   "Name of this server, to tell it from a physical clone; empty means not compared.",
							   "Set it outside the data directory, not with ALTER SYSTEM, whose file a copy takes along: wa_check() tells.",
							   &wa_guc_instance, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("sicantik_wa.enabled",
							 "Run the workers that compose and send messages.",
							 NULL, &wa_guc_enabled, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("sicantik_wa.max_workers",
							"Most workers at one time, one per database.",
							"Databases take turns.", &wa_guc_max_workers, 4, 1, 256,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("sicantik_wa.worker_idle_timeout",
							"Time after which a worker without work leaves.",
							NULL, &wa_guc_worker_idle_timeout, 60, 1, 3600,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("sicantik_wa.request_timeout",
							"Longest time for one request to a provider.",
							NULL, &wa_guc_request_timeout, 30000, 100, 300000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("sicantik_wa.max_in_flight",
							"Most requests of one worker at one time.",
							NULL, &wa_guc_max_in_flight, 200, 1, 1000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("sicantik_wa.shutdown_grace",
							"Time for requests in flight to be answered when a worker is told to end.",
							NULL, &wa_guc_shutdown_grace, 2000, 0, 30000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("sicantik_wa.read_timeout",
							"Longest time for one read of a table of the application.",
							"A table that takes longer, because of a policy that sleeps for example, counts as locked: "
							"in a worker for a minute, in a session to the end of the statement. "
							"What needs it waits and says so, everything else goes on. Functions that need it raise an error; "
							"wa_status(), wa_check() and wa_history() answer, and say so.",
							&wa_guc_read_timeout, 5000, 100, 600000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("sicantik_wa.worker_patience",
							"Time without progress after which a worker is told to leave, then ended, when other databases wait for its place.",
							"A worker makes progress whenever it begins a step, or has read a table of the application in good time. "
							"The log and wa_status() tell of one that was told to leave.",
							&wa_guc_worker_patience, 75, 1, 3600,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("sicantik_wa.compose_batch",
							"Most changes that are composed in one transaction.",
							"More at once are composed in pieces of so many, by a process beside the worker, which sends meanwhile, "
							"if the server has room for one more background worker. Other messages wait for one piece at most.",
							&wa_guc_compose_batch, 500, 1, 10000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("sicantik_wa.max_unread",
							"Events recorded at most while the library is not preloaded and nobody reads them.",
							NULL, &wa_guc_max_unread, 100000, 0, INT_MAX,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("sicantik_wa.capture",
							 "Record changes that this session makes to watched tables.",
							 "Off for a bulk import that nobody is to hear of: BEGIN; SET LOCAL sicantik_wa.capture = off; ... "
							 "Always SET LOCAL: behind PgBouncer in transaction mode a plain SET stays with the server's session, "
							 "and the next client is not heard of either. What is not recorded is counted "
							 "(row capture of wa_check(); wa.capture_gap, reason off), "
							 "and a session that has it from before its transaction gets a WARNING.",
							 &wa_guc_capture, true,
							 PGC_USERSET, 0, NULL, wa_capture_assign, NULL);
	DefineCustomEnumVariable("sicantik_wa.level",
							 "The highest level (wa_grant()) that functions and views let this session have.",
							 "For a program that acts for several people with one role, as Odoo does: SET LOCAL sicantik_wa.level = view; "
							 "it masks and refuses as for a role of that level. It lowers and never raises, "
							 "and keeps out nobody who can type SQL.",
							 &wa_guc_level, WA_LEVEL_ADMIN, level_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("sicantik_wa.language",
							 "Language in which this session is told what people are told.",
							 "office: as the office's setting language says.",
							 &wa_guc_language, WA_OFFICE_LANGUAGE, language_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("sicantik_wa");
}

void
_PG_init(void)
{
	define_settings();
	wa_identity_restored_init();
	wa_capture_init();
	wa_worker_init();
}

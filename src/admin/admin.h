/*-------------------------------------------------------------------------
 *
 * admin.h
 *		What the files of src/admin share.
 *
 * All functions need SPI connected and the database's owner acting, unless
 * they say otherwise.  Results are palloc()ed in the current context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_ADMIN_H
#define SICANTIK_WA_ADMIN_H

#include "postgres.h"

#include "fmgr.h"
#include "storage/lockdefs.h"

#include "admin/options.h"
#include "gateway/gateway.h"
#include "office/setting.h"

/* One template that wa_setup() adds where it is missing. */
typedef struct WaDefaultTemplate
{
	const char *key;
	const char *name;
	const char *body;			/* without the office's name at its end */
	const char *const *parameters;	/* the order is that of the templates that
									 * exist at Meta: it is part of the
									 * interface */
	int			nparameters;
} WaDefaultTemplate;

typedef struct WaDefaultScenario
{
	const char *key;
	const char *name;
	const char *watch;
	bool		on_insert;
	const char *time_to_live;
	const char *unknown_policy;
	const char *priority;
	bool		requires_opt_in;
	bool		office_hours;	/* for staff: Monday to Friday, 07:00 to 18:00 */
	const char *daily_at;		/* NULL: listens to its table */
} WaDefaultScenario;

/* One of the links that wa_setup() proposes from the base URL of Odoo. */
typedef struct WaDefaultLink
{
	const char *setting;
	const char *path;
} WaDefaultLink;

#define WA_MAX_LINKS	16		/* entries of wa_admin_default_links[] */

/* defaults.c; each list ends with an entry whose first member is NULL */
extern const WaDefaultTemplate wa_admin_default_templates[];
extern const WaDefaultScenario wa_admin_default_scenarios[];
extern const WaDefaultLink wa_admin_default_links[];
extern char *wa_admin_default_body(const WaDefaultTemplate *template,
							 const char *office_name);

/* More than common settings, settings of a kind and names of their files. */
#define WA_MAX_KNOWN_SETTINGS	64

/* What one call of wa_configure() changes. */
typedef struct WaProviderChange
{
	const char *name;
	const WaGateway *gateway;
	const WaOptions *options;
	bool		is_new;
	bool		access_changed; /* must be tested again */
	bool		literal_secret;
	bool		names_file;		/* a file for a credential was given */
	const char *put_names[WA_MAX_KNOWN_SETTINGS];	/* open settings to be stored */
	const char *put_values[WA_MAX_KNOWN_SETTINGS];
	int			nput;
	const char *drop_names[WA_MAX_KNOWN_SETTINGS];	/* and to be removed */
	int			ndrop;
} WaProviderChange;

/* provider_settings.c */
extern char *wa_admin_file_setting(const char *secret);
extern void wa_admin_change_settings(WaProviderChange *change);

/* configure.c */
extern void wa_admin_insert_provider(const char *name, const WaGateway *gateway,
									 int sequence);

/* arm.c */
extern bool wa_admin_stamp_first(void);

/* publications.c */
extern int	wa_admin_publications(char ***names, char ***cures);

/* set.c */
extern char *wa_admin_check_setting(const WaSetting *setting, const char *value,
									char **problem);
extern void wa_admin_put_setting(const char *name, const char *value);

/* base_url.c */
extern char *wa_admin_odoo_base_url(void);
extern bool wa_admin_lies_below(const char *link, const char *address);

/* needs.c: a setting that texts need and the office has not set */
typedef struct WaMissingSetting
{
	const char *name;
	const char *scenarios;		/* that need it, "a, b" */
} WaMissingSetting;

struct WaTemplate;
extern const char *wa_admin_missing_setting(const struct WaTemplate *template);
extern int	wa_admin_missing_settings(WaMissingSetting **list);

/* supplied.c */
extern bool wa_admin_supplied(const char *scenario, const char *name);
extern char *wa_admin_unsupplied(const char *scenario, const struct WaTemplate *template);

/* template_rules.c: no SPI needed */
extern bool wa_admin_key_valid(const char *key);
extern bool wa_admin_parameter_valid(const char *name);
extern bool wa_admin_language_valid(const char *language);

/* One table that carries our triggers, or is to carry them. */
typedef enum WaTriggerState
{
	WA_TRIGGERS_MISSING,		/* at least one of the two */
	WA_TRIGGERS_PRESENT,
	WA_TRIGGERS_DISABLED,
	WA_TRIGGERS_FOREIGN			/* somebody else's trigger has our name */
} WaTriggerState;

typedef struct WaTarget
{
	Oid			relid;			/* InvalidOid: there is no such table */
	char	   *schema;
	char	   *table;
	char	   *relation;		/* schema-qualified, quoted */
	char		relkind;
	Oid			owner;
	WaTriggerState triggers;
	const char *foreign_trigger;	/* name of ours that is not ours, or NULL */
	bool		always;			/* ours fire in every session */
	bool		locked;			/* by us, until the end of the transaction */
} WaTarget;

/* More tables than these are not dealt with. */
#define WA_MAX_TARGETS	100

/* setup_tables.c */
extern void wa_admin_setup_tables(FunctionCallInfo fcinfo, Oid caller);

/* attach.c */
extern void wa_admin_find_target(WaTarget *target, const char *schema,
								 const char *table);
extern void wa_admin_find_target_by_oid(WaTarget *target, Oid relid);
extern bool wa_admin_may_alter(Oid caller, const WaTarget *target);
extern void wa_admin_lock_targets(WaTarget **targets, int n, LOCKMODE lockmode);
extern bool wa_admin_attach(WaTarget *target, char **problem);
extern bool wa_admin_detach(WaTarget *target, char **problem);

#endif							/* SICANTIK_WA_ADMIN_H */

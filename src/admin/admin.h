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

#include "admin/setting.h"
#include "gateway/gateway.h"
#include "storage/lockdefs.h"

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
} WaDefaultScenario;

typedef struct WaDefaultProvider
{
	const char *name;			/* and kind */
	int			sequence;
} WaDefaultProvider;

typedef struct WaDefaultWatch
{
	const char *table;
	const char *const *columns;
	int			ncolumns;
} WaDefaultWatch;

/* One of the links that wa_setup() proposes from the base URL of Odoo. */
typedef struct WaDefaultLink
{
	const char *setting;
	const char *path;
} WaDefaultLink;

/* defaults.c; each list ends with an entry whose first member is NULL */
extern const WaDefaultTemplate wa_default_templates[];
extern const WaDefaultScenario wa_default_scenarios[];
extern const WaDefaultProvider wa_default_providers[];
extern const WaDefaultWatch wa_default_watches[];
extern const WaDefaultLink wa_default_links[];
extern char *wa_default_body(const WaDefaultTemplate *template,
							 const char *office_name);

/* configure.c */
extern void wa_admin_insert_provider(const char *name, const WaGateway *gateway,
									 int sequence);

/* set.c */
extern char *wa_admin_check_setting(const WaSetting *setting, const char *value,
									char **problem);
extern void wa_admin_put_setting(const char *name, const char *value);

/* template_rules.c: no SPI needed */
extern bool wa_admin_key_valid(const char *key);
extern bool wa_admin_parameter_valid(const char *name);
extern bool wa_admin_language_valid(const char *language);
#define WA_MAX_OBJECTIONS	8
extern int	wa_admin_meta_objections(const char *body,
									 const char *objections[WA_MAX_OBJECTIONS]);

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
	bool		locked;			/* by us, until the end of the transaction */
} WaTarget;

/* attach.c */
extern void wa_admin_find_target(WaTarget *target, const char *schema,
								 const char *table);
extern void wa_admin_find_target_by_oid(WaTarget *target, Oid relid);
extern bool wa_admin_may_alter(Oid caller, const WaTarget *target);
extern void wa_admin_lock_targets(WaTarget **targets, int n, LOCKMODE lockmode);
extern bool wa_admin_attach(WaTarget *target, char **problem);
extern bool wa_admin_detach(WaTarget *target, char **problem);

#endif							/* SICANTIK_WA_ADMIN_H */

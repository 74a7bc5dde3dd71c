/*-------------------------------------------------------------------------
 *
 * admin.h
 *		What the files of src/admin share.
 *
 * The functions with which people set the extension up, configure it and ask
 * it: it is above all other folders, and none calls it.  setup.c and attach.c
 * put triggers on Odoo's tables, arm.c lets the database send, configure.c,
 * set.c, templates.c and set_scenario.c write configuration after checking it,
 * import.c takes over Odoo's; findings.c asks everybody who looks at something
 * (find_*.c) what is amiss, for wa_status(), wa_check() and wa_arm(); why.c,
 * history.c and explain.c tell.  Begin with findings.h and the SQL pieces
 * (admin.sql, explain.sql).
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

#include "admin/options.h"
#include "gateway/gateway.h"
#include "office/setting.h"

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
	const char *literal_secret; /* a credential was given as such: the setting
								 * that names a file for it */
	bool		names_file;		/* a file for a credential was given */
	const char *put_names[WA_MAX_KNOWN_SETTINGS];	/* open settings to be
													 * stored */
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

/* qr.c */
extern char *wa_admin_qr(const char *text);

/* base_url.c */
extern char *wa_admin_odoo_base_url(void);
extern bool wa_admin_lies_below(const char *link, const char *address);

/* needs.c: a setting that texts need and the office has not set */
typedef struct WaMissingSetting
{
	const char *name;
	const char *scenarios;		/* that need it, "a, b" */
} WaMissingSetting;

struct WaComposer;
struct WaTemplate;
extern const char *wa_admin_missing_setting(const struct WaTemplate *template);
extern int	wa_admin_missing_settings(WaMissingSetting **list);

/* supplied.c */
extern char *wa_admin_unsupplied(const struct WaComposer *composer, const struct WaTemplate *template);
extern char *wa_admin_unsupplied_names(const char *key, const char *const *names, int n);

/* template_rules.c: no SPI needed */
extern bool wa_admin_key_valid(const char *key);
extern bool wa_admin_parameter_valid(const char *name);
extern bool wa_admin_language_valid(const char *language);

/* setup_tables.c */
extern void wa_admin_setup_tables(FunctionCallInfo fcinfo, Oid caller);

#endif							/* SICANTIK_WA_ADMIN_H */

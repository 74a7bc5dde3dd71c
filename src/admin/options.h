/*-------------------------------------------------------------------------
 *
 * options.h
 *		A JSON object of named options, as the configuring functions take it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_OPTIONS_H
#define SICANTIK_WA_OPTIONS_H

#include "postgres.h"

#include "utils/jsonb.h"

typedef enum WaOptionType
{
	WA_OPTION_NULL,
	WA_OPTION_STRING,
	WA_OPTION_NUMBER,
	WA_OPTION_BOOLEAN,
	WA_OPTION_LIST,				/* array of strings; an empty one */
	WA_OPTION_NUMBERS,			/* array of numbers, as they were written */
	WA_OPTION_OTHER				/* object, or array of something else */
} WaOptionType;

typedef struct WaOption
{
	char	   *name;
	WaOptionType type;
	char	   *text;			/* string, or the number as it was written */
	bool		boolean;
	const char **list;
	int			nlist;
} WaOption;

typedef struct WaOptions
{
	int			n;
	WaOption   *list;
} WaOptions;

/* Results are palloc()ed in the current context. */
extern void wa_admin_options_read(WaOptions *options, Jsonb *settings);
extern const WaOption *wa_admin_options_find(const WaOptions *options,
											 const char *name);
extern void wa_admin_options_check_known(const WaOptions *options,
										 const char *const *known, int nknown,
										 const char *of);

/* What an option says; an error that names it if it is of another type. */
extern bool wa_admin_option_is_null(const WaOption *option);
extern const char *wa_admin_option_string(const WaOption *option);
extern bool wa_admin_option_boolean(const WaOption *option);
extern int	wa_admin_option_integer(const WaOption *option, int low, int high);
extern double wa_admin_option_number(const WaOption *option);
extern int	wa_admin_option_integers(const WaOption *option, int low, int high, int **values);
extern int64 wa_admin_option_duration(const WaOption *option);
extern void wa_admin_option_refuse(const WaOption *option, const char *expected, const char *hint);
extern const char *wa_admin_option_word(const WaOption *option,
										const char *const *words, int nwords);

/* '"a", "b", "c"' */
extern char *wa_admin_options_enumerate(const char *const *names, int n);

#endif							/* SICANTIK_WA_OPTIONS_H */

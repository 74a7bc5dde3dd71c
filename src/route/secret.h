/*-------------------------------------------------------------------------
 *
 * secret.h
 *		Credentials, for those who configure and load providers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_SECRET_H
#define SICANTIK_WA_SECRET_H

#include "postgres.h"

#include "gateway/gateway.h"

/* Longest credential, in bytes, in the table and in a file. */
#define WA_SECRET_BYTES			8192

/* Key of the open setting that names the file of a secret setting. */
#define WA_SECRET_FILE_SUFFIX	"_file"

/* The same for the most important secret of a provider, whatever its kind. */
#define WA_SECRET_TOKEN_FILE	"token_file"

extern bool wa_route_secret_valid(const char *value, WaSaid *why);

/* May this setting hold several of them? */
static inline bool
wa_route_secret_several(const WaGateway *gateway, const char *name)
{
	return gateway->feedback_secret && strcmp(name, gateway->feedback_secret) == 0;
}

extern bool wa_route_secret_is_mask(const char *value);
extern bool wa_route_secret_file_name_valid(const char *file);
extern bool wa_route_secret_file_of_kind(const char *file, const char *kind);
extern char *wa_route_try_secret_file(const char *file, const char *kind, bool several,
									  WaSaid *why, bool *exposed);
extern void wa_route_forget_secrets(const char *provider);

/* secret_folder.c */
extern void wa_route_make_folder_key(void);
extern bool wa_route_folder_is_ours(const char *folder, WaSaid *why);
extern const char *wa_route_primary_secret(const WaGateway *gateway);

#endif							/* SICANTIK_WA_SECRET_H */

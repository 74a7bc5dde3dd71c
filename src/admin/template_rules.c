/*-------------------------------------------------------------------------
 *
 * template_rules.c
 *		What names of ours must look like.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"

/* Key of a template, name of a provider. */
bool
wa_admin_key_valid(const char *key)
{
	return key[0] >= 'a' && key[0] <= 'z' && strlen(key) < NAMEDATALEN &&
		key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

/* What can stand in a placeholder. */
bool
wa_admin_parameter_valid(const char *name)
{
	return name[0] != '\0' && strlen(name) < NAMEDATALEN &&
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* Meta's language codes: "id", "en_US". */
bool
wa_admin_language_valid(const char *language)
{
	size_t		n = strspn(language, "abcdefghijklmnopqrstuvwxyz");

	if (n < 2 || n > 3)
		return false;
	if (language[n] == '\0')
		return true;
	return language[n] == '_' && strlen(language + n + 1) >= 2 &&
		strlen(language + n + 1) <= 3 &&
		language[n + 1 + strspn(language + n + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

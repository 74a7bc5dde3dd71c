/*-------------------------------------------------------------------------
 *
 * languages.c
 *		The languages that Meta's templates may have.
 *
 * A message names the language of its template, and only the very code under
 * which the template was approved will do; anything else ends in error 132001.
 * From Meta's page "Supported Languages" (2026), which also grows: what it
 * does not have yet can be written into the mapping's row.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/provider.h"

static const char *const languages[] = {
	"af", "ar", "ar_AE", "ar_EG", "ar_LB", "ar_MA", "ar_QA", "ar_SA", "az",
	"be_BY", "bg", "bn", "bn_IN", "ca", "cs", "da", "de", "de_AT", "de_CH",
	"el", "en", "en_AE", "en_AU", "en_CA", "en_GB", "en_GH", "en_IE", "en_IN",
	"en_JM", "en_MY", "en_NZ", "en_QA", "en_SG", "en_UG", "en_US", "en_ZA",
	"es", "es_AR", "es_CL", "es_CO", "es_CR", "es_DO", "es_EC", "es_ES",
	"es_HN", "es_MX", "es_PA", "es_PE", "es_UY", "es_VE", "et", "fa", "fi",
	"fil", "fr", "fr_BE", "fr_CA", "fr_CH", "fr_CI", "fr_MA", "ga", "gu", "ha",
	"he", "hi", "hr", "hu", "id", "it", "ja", "ka", "kk", "kn", "ko", "ky_KG",
	"lo", "lt", "lv", "mk", "ml", "mr", "ms", "nb", "nl", "nl_BE", "pa", "pl",
	"prs_AF", "ps_AF", "pt_BR", "pt_PT", "ro", "ru", "rw_RW", "si_LK", "sk",
	"sl", "sq", "sr", "sv", "sw", "ta", "te", "th", "tr", "uk", "ur", "uz",
	"vi", "zh_CN", "zh_HK", "zh_TW", "zu",
};

#define LANGUAGE_COUNT	(sizeof(languages) / sizeof(languages[0]))

/* Codes that a language had before, and Odoo or the system still knows. */
static const char *const renamed[][2] = {
	{"in", "id"},
	{"iw", "he"},
	{"no", "nb"},
	{"tl", "fil"},
};

/* Is this a code of the language (of n bytes) with a region? */
static bool
is_regional(const char *code, const char *language, size_t n)
{
	return strncmp(code, language, n) == 0 && code[n] == '_';
}

/*
 * Meta's code for a language as it was given, "id" for "id_ID" and for "in";
 * static.  A region is left out where Meta has none for this language.  NULL
 * if Meta has no such language, or has it for other regions only.
 */
const char *
wa_gateway_language(const char *given)
{
	size_t		n = strcspn(given, "_");
	const char *language = given;
	const char *plain = NULL;
	bool		has_regions = false;
	size_t		i;

	for (i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
	{
		if (strlen(renamed[i][0]) == n && strncmp(renamed[i][0], given, n) == 0)
		{
			language = renamed[i][1];
			n = strlen(language);
		}
	}
	for (i = 0; i < LANGUAGE_COUNT; i++)
	{
		if (strcmp(languages[i], given) == 0)
			return languages[i];
		if (is_regional(languages[i], language, n))
			has_regions = true;
		else if (strlen(languages[i]) == n &&
				 strncmp(languages[i], language, n) == 0)
			plain = languages[i];
	}

	/* a language alone, or with a region where Meta has none */
	return strchr(given, '_') == NULL || !has_regions ? plain : NULL;
}

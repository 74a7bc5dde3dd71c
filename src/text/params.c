/*-------------------------------------------------------------------------
 *
 * params.c
 *		Template parameters in the form each provider wants to see.
 *
 * The constraint: order is meaning.  Meta, Watzap and Fonnte all take the
 * n-th value as the n-th variable of the template, so the caller gives the
 * values in the template's order and this order is kept; Meta's named form
 * also carries the names.
 *
 * Every value is cleaned as by wa_text_clean_value(): what one provider
 * accepts as a parameter, all accept, and the result is valid JSON whatever
 * bytes come in.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "text.h"

/* Add key: text to an object.  False if out of memory. */
static bool
add_string(struct json_object *object, const char *key, const char *text)
{
	struct json_object *string = json_object_new_string(text);

	if (string == NULL)
		return false;
	if (json_object_object_add(object, key, string) != 0)
	{
		json_object_put(string);
		return false;
	}
	return true;
}

/* Append {"type":"text","text":V} to Meta's list; name may be NULL. */
static bool
add_meta(struct json_object *list, const char *name, const char *text)
{
	struct json_object *object = json_object_new_object();

	if (object == NULL)
		return false;
	if (!add_string(object, "type", "text") ||
		(name != NULL && !add_string(object, "parameter_name", name)) ||
		!add_string(object, "text", text) ||
		json_object_array_add(list, object) != 0)
	{
		json_object_put(object);
		return false;
	}
	return true;
}

/* Add the n-th value (from 1) to what will be the result. */
static bool
add_param(struct json_object *result, WaParamForm form, size_t n,
		  const char *name, const char *text)
{
	char		key[32];

	switch (form)
	{
		case WA_PARAMS_META_POSITIONAL:
			return add_meta(result, NULL, text);
		case WA_PARAMS_META_NAMED:
			return add_meta(result, name, text);
		case WA_PARAMS_WATZAP:
			snprintf(key, sizeof(key), "%zu", n);
			return add_string(result, key, text);
		case WA_PARAMS_FONNTE:
			snprintf(key, sizeof(key), "var%zu", n);
			return add_string(result, key, text);
	}
	return false;
}

/*
 * wa_text_convert_params
 *		Give the values as JSON text in a provider's form.
 *
 * values are in the template's order.  A NULL or blank value appears as "-".
 * Names matter to WA_PARAMS_META_NAMED only, where each must be given.
 *
 * Returns malloc()ed compact JSON: a list for the Meta forms, an object for
 * the others, "[]" or "{}" without values.  NULL with errno ENOMEM, or EINVAL
 * if a name is needed and missing.
 */
char *
wa_text_convert_params(WaParamForm form, const WaPair *values, size_t nvalues)
{
	struct json_object *result;
	const char *json;
	char	   *copy = NULL;
	size_t		i;

	if (form == WA_PARAMS_META_POSITIONAL || form == WA_PARAMS_META_NAMED)
		result = json_object_new_array();
	else
		result = json_object_new_object();
	if (result == NULL)
	{
		errno = ENOMEM;
		return NULL;
	}

	for (i = 0; i < nvalues; i++)
	{
		const char *name = values[i].name;
		char	   *text;
		bool		added;

		if (form == WA_PARAMS_META_NAMED && (name == NULL || name[0] == '\0'))
		{
			json_object_put(result);
			errno = EINVAL;
			return NULL;
		}
		text = wa_text_clean_value(values[i].value);
		added = text != NULL && add_param(result, form, i + 1, name, text);
		free(text);
		if (!added)
		{
			json_object_put(result);
			errno = ENOMEM;
			return NULL;
		}
	}

	json = json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN |
										  JSON_C_TO_STRING_NOSLASHESCAPE);
	if (json != NULL)
	{
		size_t		size = strlen(json) + 1;

		copy = malloc(size);
		if (copy != NULL)
			memcpy(copy, json, size);
	}
	json_object_put(result);
	if (copy == NULL)
		errno = ENOMEM;
	return copy;
}

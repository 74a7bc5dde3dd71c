/*-------------------------------------------------------------------------
 *
 * options.c
 *		A JSON object of named options, as the configuring functions take it.
 *
 * The object is taken apart here and not by SQL, because some of its values
 * are credentials: they must not pass through the executor, and no message
 * may repeat a value of the wrong type.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "admin/options.h"

#define MICROSECONDS_PER_DAY	INT64CONST(86400000000)

static char *
string_of(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* Read an array of strings, or of numbers; anything else is WA_OPTION_OTHER. */
static void
read_list(WaOption *option, JsonbContainer *array)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbIteratorToken token;
	JsonbValue	value;

	option->type = WA_OPTION_LIST;
	option->list = palloc(sizeof(char *) * Max(JsonContainerSize(array), 1));
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		WaOptionType type = value.type == jbvNumeric ? WA_OPTION_NUMBERS : WA_OPTION_LIST;

		if (token != WJB_ELEM)
			continue;
		if ((value.type != jbvString && value.type != jbvNumeric) ||
			(option->nlist > 0 && option->type != type))
		{
			option->type = WA_OPTION_OTHER;
			return;
		}
		option->type = type;
		option->list[option->nlist++] = value.type == jbvString ? string_of(&value) :
			DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric)));
	}
}

static void
read_value(WaOption *option, JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			option->type = WA_OPTION_NULL;
			break;
		case jbvString:
			option->type = WA_OPTION_STRING;
			option->text = string_of(value);
			break;
		case jbvNumeric:
			option->type = WA_OPTION_NUMBER;
			option->text = DatumGetCString(DirectFunctionCall1(numeric_out,
															   NumericGetDatum(value->val.numeric)));
			break;
		case jbvBool:
			option->type = WA_OPTION_BOOLEAN;
			option->boolean = value->val.boolean;
			break;
		default:
			option->type = WA_OPTION_OTHER;
			if (value->type == jbvBinary &&
				JsonContainerIsArray(value->val.binary.data) &&
				!JsonContainerIsScalar(value->val.binary.data))
				read_list(option, value->val.binary.data);
			break;
	}
}

/*
 * Take the object apart; NULL is an empty one.  Raises an error if it is no
 * object.
 */
void
wa_admin_options_read(WaOptions *options, Jsonb *settings)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;

	options->n = 0;
	options->list = NULL;
	if (settings == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(settings))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("settings must be a JSON object"),
				 errhint("For example: {\"active\": true}")));
	options->list = palloc0(sizeof(WaOption) * Max(JB_ROOT_COUNT(settings), 1));
	it = JsonbIteratorInit(&settings->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			options->list[options->n].name = string_of(&value);
		else if (token == WJB_VALUE)
			read_value(&options->list[options->n++], &value);
	}
}

/* The option of this name, or NULL. */
const WaOption *
wa_admin_options_find(const WaOptions *options, const char *name)
{
	for (int i = 0; i < options->n; i++)
		if (strcmp(options->list[i].name, name) == 0)
			return &options->list[i];
	return NULL;
}

char *
wa_admin_options_enumerate(const char *const *names, int n)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < n; i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", names[i]);
	return list.data;
}

/*
 * Raise an error for the first option that is not among the known ones; "of"
 * says what has them, such as "a provider of kind meta".
 */
void
wa_admin_options_check_known(const WaOptions *options, const char *const *known,
							 int nknown, const char *of)
{
	for (int i = 0; i < options->n; i++)
	{
		bool		found = false;

		for (int k = 0; !found && k < nknown; k++)
			found = strcmp(options->list[i].name, known[k]) == 0;
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unknown setting \"%s\" of %s",
							options->list[i].name, of),
					 errhint("Known settings: %s.",
							 wa_admin_options_enumerate(known, nknown))));
	}
}

static void
wrong_type(const WaOption *option, const char *expected, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("setting \"%s\" must be %s", option->name, expected),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * Raise an error that this option must be something else; hint may be NULL.
 */
void
wa_admin_option_refuse(const WaOption *option, const char *expected, const char *hint)
{
	wrong_type(option, expected, hint);
}

bool
wa_admin_option_is_null(const WaOption *option)
{
	return option->type == WA_OPTION_NULL;
}

const char *
wa_admin_option_string(const WaOption *option)
{
	if (option->type != WA_OPTION_STRING)
		wrong_type(option, "a JSON string",
				   option->type == WA_OPTION_NUMBER ?
				   "Put the number in double quotes." : NULL);
	return option->text;
}

bool
wa_admin_option_boolean(const WaOption *option)
{
	if (option->type != WA_OPTION_BOOLEAN)
		wrong_type(option, "true or false",
				   option->type == WA_OPTION_STRING ?
				   "Write it without quotes." : NULL);
	return option->boolean;
}

/* An integer between low and high. */
int
wa_admin_option_integer(const WaOption *option, int low, int high)
{
	char	   *end;
	long		value;

	if (option->type != WA_OPTION_NUMBER)
		wrong_type(option, "a JSON number",
				   option->type == WA_OPTION_STRING ?
				   "Write it without quotes." : NULL);
	errno = 0;
	value = strtol(option->text, &end, 10);
	if (errno != 0 || *end != '\0' || value < low || value > high)
		wrong_type(option, psprintf("an integer between %d and %d", low, high), NULL);
	return (int) value;
}

/*
 * A list of integers between low and high; how many, *values palloc()ed.
 */
int
wa_admin_option_integers(const WaOption *option, int low, int high, int **values)
{
	char	   *expected = psprintf("a list of integers between %d and %d", low, high);

	if (option->type != WA_OPTION_NUMBERS && (option->type != WA_OPTION_LIST || option->nlist > 0))
		wrong_type(option, expected, "For example: [1, 2, 3].");
	*values = palloc(sizeof(int) * Max(option->nlist, 1));
	for (int i = 0; i < option->nlist; i++)
	{
		char	   *end;
		long		value;

		errno = 0;
		value = strtol(option->list[i], &end, 10);
		if (errno != 0 || *end != '\0' || value < low || value > high)
			wrong_type(option, expected, NULL);
		(*values)[i] = (int) value;
	}
	return option->nlist;
}

/* A number above 0. */
double
wa_admin_option_number(const WaOption *option)
{
	double		value;

	if (option->type != WA_OPTION_NUMBER)
		wrong_type(option, "a JSON number",
				   option->type == WA_OPTION_STRING ?
				   "Write it without quotes." : NULL);
	errno = 0;
	value = strtod(option->text, NULL);
	if (errno != 0 || !(value > 0))
		wrong_type(option, "a number greater than 0", NULL);
	return value;
}

/*
 * Microseconds of an interval such as "8 seconds"; false if it is none, or
 * not between 0 and a day.
 */
static bool
read_interval(char *written, int64 *microseconds)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool ok = false;
	double		total;

	/* The error of the type's own input function would not name the option. */
	PG_TRY();
	{
		Interval   *interval = DatumGetIntervalP(DirectFunctionCall3(interval_in,
																	 CStringGetDatum(written),
																	 ObjectIdGetDatum(InvalidOid),
																	 Int32GetDatum(-1)));

		total = (double) interval->time +
			((double) interval->day + 30.0 * interval->month) * MICROSECONDS_PER_DAY;
		if (total >= 0 && total <= (double) MICROSECONDS_PER_DAY)
		{
			*microseconds = (int64) total;
			ok = true;
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		if (geterrcode() != ERRCODE_INVALID_DATETIME_FORMAT &&
			geterrcode() != ERRCODE_DATETIME_VALUE_OUT_OF_RANGE &&
			geterrcode() != ERRCODE_INTERVAL_FIELD_OVERFLOW)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return ok;
}

/*
 * A duration in microseconds, at most a day: an interval as text, or a number
 * of seconds.
 */
int64
wa_admin_option_duration(const WaOption *option)
{
	static const char *const expected = "a duration between 0 and 1 day";
	static const char *const hint =
		"Write an interval such as \"8 seconds\", or a number of seconds.";
	int64		microseconds = 0;

	if (option->type == WA_OPTION_NUMBER)
	{
		double		seconds = strtod(option->text, NULL);

		if (!(seconds >= 0 && seconds <= 86400))
			wrong_type(option, expected, hint);
		return (int64) (seconds * 1000000);
	}
	if (option->type != WA_OPTION_STRING ||
		!read_interval(option->text, &microseconds))
		wrong_type(option, expected, hint);
	return microseconds;
}

/* One of these words. */
const char *
wa_admin_option_word(const WaOption *option, const char *const *words, int nwords)
{
	const char *given = wa_admin_option_string(option);

	for (int i = 0; i < nwords; i++)
		if (strcmp(given, words[i]) == 0)
			return words[i];
	wrong_type(option, psprintf("one of %s", wa_admin_options_enumerate(words, nwords)),
			   NULL);
	return NULL;				/* keep the compiler quiet */
}

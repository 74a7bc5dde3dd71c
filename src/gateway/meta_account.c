/*-------------------------------------------------------------------------
 *
 * meta_account.c
 *		Meta's webhooks: templates, the account, its numbers.
 *
 * What an event means cannot be read from its name alone, so its value comes
 * along whole.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "gateway/meta_feedback.h"
#include "gateway/provider.h"

/* When it happened: the value has seldom a time of its own. */
static int64_t
time_of(WaMetaReader *reader, json_object * value)
{
	int64_t		time = wa_gateway_read_time(wa_gateway_member(value, "timestamp"), reader->now);

	return time != 0 ? time : wa_gateway_read_time(reader->entry_time, reader->now);
}

/* The word for what happened, where the value has one. */
static const char *
word_of(WaMetaReader *reader, json_object * value)
{
	static const char *const keys[] = {"event", "alert_type", "decision", "new_quality_score"};
	const char *word = NULL;
	size_t		i;

	for (i = 0; word == NULL && i < sizeof(keys) / sizeof(keys[0]); i++)
		word = wa_gateway_keep_word(&reader->strings, wa_gateway_member(value, keys[i]));
	return word;
}

/*
 * A template's state, category, quality or text.  The language is written with
 * a hyphen here, and with an underscore wherever else Meta writes it.
 */
void
wa_gateway_meta_template(WaMetaReader *reader, json_object * value)
{
	WaUpdate	update;
	char		language[64];
	char	   *p;

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_TEMPLATE);
	update.event = wa_gateway_meta_event(reader, word_of(reader, value));
	update.said_at = time_of(reader, value);
	update.template_name = wa_gateway_keep_word(&reader->strings, wa_gateway_member(value, "message_template_name"));
	if (wa_gateway_text(wa_gateway_member(value, "message_template_language"), language, sizeof(language)))
	{
		for (p = language; *p != '\0'; p++)
		{
			if (*p == '-')
				*p = '_';
		}
		update.language = wa_gateway_keep(&reader->strings, language, strlen(language));
	}
	update.detail = wa_gateway_meta_json(reader, value);
	if (update.template_name == NULL)
		wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_UNKNOWN, NULL, value);
	else
		wa_gateway_meta_give(reader, &update);
}

/*
 * Our account, or one of its numbers.  Where a partner or an advertising
 * account is concerned, the entry is the portfolio, and the account stands in
 * the value.
 */
void
wa_gateway_meta_account(WaMetaReader *reader, json_object * value)
{
	static const char partner[] = "PARTNER_";
	WaUpdate	update;
	const char *word;

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_ACCOUNT);
	word = word_of(reader, value);
	if (word != NULL &&
		(strncmp(word, partner, strlen(partner)) == 0 || strcmp(word, "AD_ACCOUNT_LINKED") == 0))
		update.account_id = wa_gateway_keep_id(&reader->strings,
											   wa_gateway_member(wa_gateway_member(value, "waba_info"), "waba_id"));
	update.event = wa_gateway_meta_event(reader, word);
	update.said_at = time_of(reader, value);
	update.detail = wa_gateway_meta_json(reader, value);
	wa_gateway_meta_give(reader, &update);
}

/*
 * An element of a value's own errors[], which are about the account.
 */
void
wa_gateway_meta_value_error(WaMetaReader *reader, json_object * error)
{
	WaUpdate	update;

	wa_gateway_meta_begin(reader, &update, WA_UPDATE_ACCOUNT);
	update.event = "errors";
	update.said_at = wa_gateway_read_time(reader->entry_time, reader->now);
	wa_gateway_meta_error(reader, &update, error);
	update.detail = wa_gateway_meta_json(reader, error);
	if (update.code == NULL && update.words == NULL)
		wa_gateway_meta_set_aside(reader, &update, WA_UPDATE_UNKNOWN, NULL, error);
	else
		wa_gateway_meta_give(reader, &update);
}

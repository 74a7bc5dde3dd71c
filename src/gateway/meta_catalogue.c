/*-------------------------------------------------------------------------
 *
 * meta_catalogue.c
 *		Meta's list of an account's templates, and what its events tell of them.
 *
 * GET /{waba_id}/message_templates, page by page: one row for each language of
 * a template.  Without "fields" Meta leaves out what we need; of parameters it
 * documents these, limit, after and before, and no filter, so nothing else is
 * asked for.  A status that we do not know is not taken for approval, nor for
 * a refusal.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/meta.h"

#define FIELDS \
	"name,language,status,category,correct_category,parameter_format,components,quality_score,rejected_reason"

/* A body has 1024 characters, six bytes each as \uXXXX, and there are buttons. */
#define PAGE_BYTES			(4 * 1024 * 1024)

#define MAX_NAME			513
#define MAX_WORD			64
#define MAX_REASON			256

/*
 * A word of Meta's for the state of a template: in lists, and as the event of
 * a webhook, which has some more.
 */
static const struct
{
	const char *word;
	WaTemplateStanding standing;
}			standings[] = {
	{"APPROVED", WA_TEMPLATE_USABLE},
	{"REINSTATED", WA_TEMPLATE_USABLE},
	{"FLAGGED", WA_TEMPLATE_WARNED},
	{"PENDING", WA_TEMPLATE_PENDING},
	{"REJECTED", WA_TEMPLATE_UNUSABLE},
	{"PAUSED", WA_TEMPLATE_UNUSABLE},
	{"DISABLED", WA_TEMPLATE_UNUSABLE},
	{"IN_APPEAL", WA_TEMPLATE_PENDING},
	{"LOCKED", WA_TEMPLATE_UNUSABLE},
	{"LIMIT_EXCEEDED", WA_TEMPLATE_UNUSABLE},
	{"ARCHIVED", WA_TEMPLATE_ARCHIVED},
	{"PENDING_DELETION", WA_TEMPLATE_GONE},
	{"DELETED", WA_TEMPLATE_GONE},
	/* back to what it was before, which is not said */
	{"UNARCHIVED", WA_TEMPLATE_UNCLEAR},
};

#define STANDING_COUNT	(sizeof(standings) / sizeof(standings[0]))

/* WaGateway's template_standing. */
WaTemplateStanding
wa_gateway_meta_standing(const char *word)
{
	size_t		i;

	for (i = 0; i < STANDING_COUNT; i++)
		if (wa_gateway_same_word(standings[i].word, word))
			return standings[i].standing;
	return WA_TEMPLATE_UNCLEAR;
}

/* "en-US" as "en_US". */
static void
read_language(json_object * value, char *dst, size_t size)
{
	char	   *p;

	wa_gateway_text(value, dst, size);
	for (p = dst; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
}

/* Meta's word for none. */
static const char *
unless_none(const char *word)
{
	return word[0] == '\0' || wa_gateway_same_word(word, "NONE") ? NULL : word;
}

/* WaGateway's build_templates. */
bool
wa_gateway_meta_build_templates(const char *base_url, const WaPair *settings,
								size_t nsettings, const char *after, int limit,
								WaRequest *req, WaSaidText *err)
{
	WaBuf		path = {0};
	char		digits[32];

	memset(req, 0, sizeof(*req));
	if (!wa_gateway_meta_account_path(settings, nsettings, &path, err))
		return false;
	snprintf(digits, sizeof(digits), "&limit=%d", limit);
	wa_gateway_buf_str(&path, "/message_templates?fields=" FIELDS);
	wa_gateway_buf_str(&path, digits);
	if (after != NULL && *after != '\0')
	{
		wa_gateway_buf_str(&path, "&after=");
		wa_gateway_buf_form(&path, after);
	}
	if (!wa_gateway_meta_finish(req, "GET", base_url, &path, NULL, settings,
								nsettings, err))
		return false;
	req->reply_bytes = PAGE_BYTES;
	return true;
}

/* The names in a text, each once; they live in a list of their own. */
typedef struct Names
{
	WaTemplateFacts *facts;
	char	   *copies[WA_TEMPLATE_MAX_PARAMETERS];
	bool		figures;		/* all are figures */
	bool		failed;
} Names;

static void
note_name(const char *name, size_t len, void *argument)
{
	Names	   *names = argument;
	WaTemplateFacts *facts = names->facts;
	char	   *copy;
	int			i;

	for (i = 0; i < facts->nparameters; i++)
		if (strlen(facts->parameters[i]) == len &&
			memcmp(facts->parameters[i], name, len) == 0)
			return;
	copy = facts->nparameters < WA_TEMPLATE_MAX_PARAMETERS ? malloc(len + 1) : NULL;
	if (copy == NULL)
	{
		names->failed = true;
		return;
	}
	memcpy(copy, name, len);
	copy[len] = '\0';
	if (strspn(copy, "0123456789") < len)
		names->figures = false;
	names->copies[facts->nparameters] = copy;
	facts->parameters[facts->nparameters++] = copy;
}

/* Has a text of another part a variable? */
static bool
has_variable(json_object * text)
{
	return json_object_is_type(text, json_type_string) &&
		strstr(json_object_get_string(text), "{{") != NULL;
}

/* Has a button a variable? */
static bool
is_variable_button(json_object * button)
{
	char		type[MAX_WORD];

	wa_gateway_text(wa_gateway_member(button, "type"), type, sizeof(type));
	return wa_gateway_same_word(type, "OTP") ||
		wa_gateway_same_word(type, "COPY_CODE") ||
		has_variable(wa_gateway_member(button, "url"));
}

/*
 * The parts of a template: count the parameters of its body, and see whether
 * another part needs some.
 */
static void
read_components(json_object * components, Names *names)
{
	WaTemplateFacts *facts = names->facts;
	json_object *part;
	size_t		i;

	for (i = 0; (part = wa_gateway_element(components, i)) != NULL; i++)
	{
		json_object *text = wa_gateway_member(part, "text");
		json_object *button;
		char		type[MAX_WORD];
		char		format[MAX_WORD];
		size_t		b;

		wa_gateway_text(wa_gateway_member(part, "type"), type, sizeof(type));
		wa_gateway_text(wa_gateway_member(part, "format"), format, sizeof(format));
		if (wa_gateway_same_word(type, "BODY"))
			facts->counted = json_object_is_type(text, json_type_string) &&
				wa_text_placeholders(json_object_get_string(text), note_name, names) &&
				!names->failed;
		else if (wa_gateway_same_word(type, "HEADER"))
		{
			if (format[0] != '\0' && !wa_gateway_same_word(format, "TEXT"))
				facts->lacks = "HEADER";
			else if (has_variable(text))
				facts->lacks = "HEADER";
		}
		else if (wa_gateway_same_word(type, "CAROUSEL"))
			facts->lacks = "CAROUSEL";
		for (b = 0; (button = wa_gateway_element(wa_gateway_member(part, "buttons"), b)) != NULL; b++)
			if (is_variable_button(button) && facts->lacks == NULL)
				facts->lacks = "BUTTONS";
	}
}

/* Text, or {"score": ...}. */
static void
read_quality(json_object * value, char *dst, size_t size)
{
	if (json_object_is_type(value, json_type_object))
		value = wa_gateway_member(value, "score");
	wa_gateway_text(value, dst, size);
}

/* One row of the list. */
static void
read_row(json_object * row, WaTakeTemplate take, void *argument)
{
	WaTemplateFacts facts = {0};
	Names		names = {.facts = &facts,.figures = true};
	char		name[MAX_NAME];
	char		language[MAX_WORD];
	char		status[MAX_WORD];
	char		category[MAX_WORD];
	char		announced[MAX_WORD];
	char		quality[MAX_WORD];
	char		format[MAX_WORD];
	char		reason[MAX_REASON];
	int			i;

	if (!wa_gateway_text(wa_gateway_member(row, "name"), name, sizeof(name)))
		return;
	read_language(wa_gateway_member(row, "language"), language, sizeof(language));
	wa_gateway_text(wa_gateway_member(row, "status"), status, sizeof(status));
	wa_gateway_text(wa_gateway_member(row, "category"), category, sizeof(category));
	wa_gateway_text(wa_gateway_member(row, "correct_category"), announced, sizeof(announced));
	wa_gateway_text(wa_gateway_member(row, "parameter_format"), format, sizeof(format));
	wa_gateway_text(wa_gateway_member(row, "rejected_reason"), reason, sizeof(reason));
	read_quality(wa_gateway_member(row, "quality_score"), quality, sizeof(quality));
	read_components(wa_gateway_member(row, "components"), &names);

	facts.name = name;
	facts.language = language;
	facts.status = status;
	facts.standing = wa_gateway_meta_standing(status);
	facts.category = category[0] != '\0' ? category : NULL;
	facts.announced_category = announced[0] != '\0' && !wa_gateway_same_word(announced, category) ?
		announced : NULL;
	facts.quality = quality[0] != '\0' ? quality : NULL;
	facts.reason = unless_none(reason);
	facts.named = format[0] != '\0' ? wa_gateway_same_word(format, "NAMED") : !names.figures;
	take(&facts, argument);
	for (i = 0; i < facts.nparameters; i++)
		free(names.copies[i]);
}

/* What an answer without a list says. */
static void
explain(const WaReply *reply, json_object * root, WaSaidText *said, long *wait_s)
{
	json_object *error = wa_gateway_member(root, "error");
	WaVerdict	verdict;

	if (json_object_is_type(error, json_type_object))
		wa_gateway_meta_judge_error(reply, error, &verdict);
	else
		wa_gateway_judge_status(wa_gateway_meta.name, reply, NULL, &verdict);
	*said = verdict.said;
	*wait_s = verdict.wait_s;
}

/* WaGateway's read_templates. */
void
wa_gateway_meta_read_templates(const WaReply *reply, WaTakeTemplate take,
							   void *argument, WaTemplatePage *page)
{
	json_object *root = wa_gateway_parse(reply);
	json_object *data = wa_gateway_member(root, "data");
	json_object *paging = wa_gateway_member(root, "paging");
	json_object *row;
	size_t		i;

	memset(page, 0, sizeof(*page));
	page->wait_s = -1;
	page->too_large = reply->truncated;
	if (!wa_gateway_is_2xx(reply) || !json_object_is_type(data, json_type_array))
	{
		if (reply->truncated || wa_gateway_is_2xx(reply))
			wa_gateway_say(&page->said, WA_SAY_META_NO_LIST_OF_TEMPLATES);
		else
			explain(reply, root, &page->said, &page->wait_s);
		json_object_put(root);
		return;
	}
	page->ok = true;
	if (wa_gateway_member(paging, "next") != NULL &&
		!wa_gateway_id(wa_gateway_member(wa_gateway_member(paging, "cursors"), "after"),
					   page->after, sizeof(page->after)))
	{
		/* half a list would make templates look deleted */
		page->ok = false;
		wa_gateway_say(&page->said, WA_SAY_META_NO_LIST_OF_TEMPLATES);
	}
	else if (wa_gateway_member(paging, "next") == NULL)
		page->after[0] = '\0';
	for (i = 0; page->ok && (row = wa_gateway_element(data, i)) != NULL; i++)
		read_row(row, take, argument);
	json_object_put(root);
}

/* An event about the state. */
static void
read_status_event(const char *word, json_object * detail, WaTemplateNews *news)
{
	json_object *other = wa_gateway_member(detail, "other_info");
	json_object *disable = wa_gateway_member(detail, "disable_info");
	char		title[MAX_WORD];
	char		told[MAX_WORD];
	char		reason[MAX_REASON];

	/* a word of the detail's may be another spelling of the event's own */
	if (word[0] == '\0')
	{
		wa_gateway_text(wa_gateway_member(detail, "event"), told, sizeof(told));
		word = told;
	}
	wa_gateway_text(wa_gateway_member(other, "title"), title, sizeof(title));
	if (wa_gateway_same_word(title, "UNPAUSE") || wa_gateway_same_word(title, "REINSTATED"))
	{
		/* there is no word of its own for the end of a pause */
		word = "REINSTATED";
		news->read_anew = true;
	}
	wa_gateway_clean(news->status, sizeof(news->status), word, strlen(word));
	news->standing = wa_gateway_meta_standing(word);
	if (news->standing == WA_TEMPLATE_UNCLEAR)
		news->read_anew = true;
	wa_gateway_text(wa_gateway_member(detail, "reason"), reason, sizeof(reason));
	if (unless_none(reason) != NULL)
		memcpy(news->reason, reason, strlen(reason) + 1);
	wa_gateway_text(wa_gateway_member(disable, "disable_date"), news->until, sizeof(news->until));
}

/*
 * An event about the category.  With the correct one it announces; with the
 * previous one it has happened; with the new one alone likewise.
 */
static void
read_category_event(json_object * detail, WaTemplateNews *news)
{
	bool		announced = wa_gateway_text(wa_gateway_member(detail, "correct_category"),
											news->announced_category,
											sizeof(news->announced_category));

	wa_gateway_text(wa_gateway_member(detail, "new_category"), news->category, sizeof(news->category));
	news->happened = !announced && news->category[0] != '\0';
	news->read_anew = news->category[0] == '\0' && !announced;
}

/* WaGateway's read_template_news. */
bool
wa_gateway_meta_read_template_news(const char *event, const char *detail,
								   WaTemplateNews *news)
{
	WaReply		reply = {.body = detail != NULL ? detail : ""};
	const char *slash = strchr(event, '/');
	const char *word = slash != NULL ? slash + 1 : "";
	size_t		len = slash != NULL ? (size_t) (slash - event) : strlen(event);
	char		field[MAX_WORD];
	json_object *root;

	memset(news, 0, sizeof(*news));
	reply.body_len = strlen(reply.body);
	root = wa_gateway_parse(&reply);
	wa_gateway_clean(field, sizeof(field), event, len);
	if (strcmp(field, "message_template_status_update") == 0)
		read_status_event(word, root, news);
	else if (strcmp(field, "template_category_update") == 0)
		read_category_event(root, news);
	else if (strcmp(field, "template_correct_category_detection") == 0)
	{
		/* an opinion of Meta's, which changes nothing by itself */
		wa_gateway_text(wa_gateway_member(root, "correct_category"),
						news->announced_category, sizeof(news->announced_category));
	}
	else if (strcmp(field, "message_template_quality_update") == 0)
		read_quality(wa_gateway_member(root, "new_quality_score"), news->quality, sizeof(news->quality));
	else if (strcmp(field, "message_template_components_update") == 0)
		news->read_anew = true;
	else
	{
		json_object_put(root);
		return false;
	}
	json_object_put(root);
	return true;
}

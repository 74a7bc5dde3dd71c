/*-------------------------------------------------------------------------
 *
 * meta_submit.c
 *		A template of ours as Meta takes it.
 *
 * POST /{waba_id}/message_templates.  Each variable needs an example, without
 * which reviewers refuse it.  By position the variables are {{1}}, {{2}} and so
 * on in the order in which values are sent, without a gap.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/meta.h"

/* A subcode: there is content for this name in this language. */
#define IN_THIS_LANGUAGE_ALREADY	2388024

/* The body in the making. */
typedef struct Rewriting
{
	const WaTemplateDraft *draft;
	WaBuf		text;
	const char *done;			/* so far the body has been copied */
	unsigned char used[WA_TEMPLATE_MAX_PARAMETERS];
	bool		unknown;		/* a placeholder is no parameter */
} Rewriting;

/* Copy what stands before a placeholder, and the placeholder as Meta has it. */
static void
copy_placeholder(const char *name, size_t len, void *argument)
{
	Rewriting  *r = argument;
	const WaTemplateDraft *draft = r->draft;
	const char *open = name;
	size_t		i;
	char		position[24];

	while (*open != '{')
		open--;
	open--;
	wa_gateway_buf_add(&r->text, r->done, (size_t) (open - r->done));
	r->done = strstr(name + len, "}}") + 2;
	for (i = 0; i < draft->nparameters; i++)
		if (strlen(draft->parameters[i].name) == len &&
			memcmp(draft->parameters[i].name, name, len) == 0)
			break;
	if (i >= draft->nparameters)
	{
		r->unknown = true;
		return;
	}
	r->used[i] = 1;
	snprintf(position, sizeof(position), "%zu", i + 1);
	wa_gateway_buf_str(&r->text, "{{");
	wa_gateway_buf_str(&r->text, draft->named ? draft->parameters[i].name : position);
	wa_gateway_buf_str(&r->text, "}}");
}

/* The examples, as Meta has them in each format. */
static void
add_examples(WaBuf *buf, const WaTemplateDraft *draft)
{
	size_t		i;

	if (draft->nparameters == 0)
		return;
	wa_gateway_buf_str(buf, draft->named ? ",\"example\":{\"body_text_named_params\":[" :
					   ",\"example\":{\"body_text\":[[");
	for (i = 0; i < draft->nparameters; i++)
	{
		if (i > 0)
			wa_gateway_buf_str(buf, ",");
		if (draft->named)
		{
			wa_gateway_buf_str(buf, "{\"param_name\":");
			wa_gateway_buf_json(buf, draft->parameters[i].name);
			wa_gateway_buf_str(buf, ",\"example\":");
		}
		wa_gateway_buf_value(buf, draft->parameters[i].value);
		if (draft->named)
			wa_gateway_buf_str(buf, "}");
	}
	wa_gateway_buf_str(buf, draft->named ? "]}" : "]]}");
}

/* WaGateway's write_template. */
char *
wa_gateway_meta_write_template(const WaTemplateDraft *draft, WaSaidText *err)
{
	Rewriting	r = {.draft = draft,.done = draft->body};
	WaBuf		buf = {0};
	char	   *json;
	size_t		i;

	memset(err, 0, sizeof(*err));
	if (draft->nparameters > WA_TEMPLATE_MAX_PARAMETERS ||
		!wa_text_placeholders(draft->body, copy_placeholder, &r) || r.unknown)
	{
		wa_gateway_buf_free(&r.text);
		wa_gateway_say(err, WA_SAY_TEMPLATE_BODY_NOT_OF_PARAMETERS);
		return NULL;
	}
	wa_gateway_buf_str(&r.text, r.done);
	for (i = 0; i < draft->nparameters; i++)
	{
		const char *name = draft->parameters[i].name;

		if (r.used[i] && !(draft->named && strlen(name) > WA_META_PARAM_NAME))
			continue;
		wa_gateway_buf_free(&r.text);
		if (r.used[i])
			wa_gateway_say(err, WA_SAY_META_PARAMETER_NAME_TOO_LONG, name, WA_NUMBER(WA_META_PARAM_NAME));
		else
			wa_gateway_say(err, WA_SAY_TEMPLATE_PARAMETER_NOT_IN_BODY, name);
		return NULL;
	}

	wa_gateway_buf_str(&buf, "{\"name\":");
	wa_gateway_buf_json(&buf, draft->name);
	wa_gateway_buf_str(&buf, ",\"language\":");
	wa_gateway_buf_json(&buf, draft->language);
	wa_gateway_buf_str(&buf, ",\"category\":");
	wa_gateway_buf_json(&buf, draft->category);
	if (draft->named && draft->nparameters > 0)
		wa_gateway_buf_str(&buf, ",\"parameter_format\":\"NAMED\"");
	wa_gateway_buf_str(&buf, ",\"components\":[{\"type\":\"BODY\",\"text\":");
	if (r.text.failed)
		buf.failed = true;
	else
		wa_gateway_buf_json(&buf, r.text.data != NULL ? r.text.data : "");
	add_examples(&buf, draft);
	wa_gateway_buf_str(&buf, "}]}");
	wa_gateway_buf_free(&r.text);
	json = wa_gateway_buf_take(&buf);
	if (json == NULL)
		wa_gateway_say(err, WA_SAY_OUT_OF_MEMORY);
	return json;
}

/* WaGateway's build_template. */
bool
wa_gateway_meta_build_template(const char *base_url, const WaPair *settings,
							   size_t nsettings, const char *json,
							   WaRequest *req, WaSaidText *err)
{
	WaBuf		path = {0};
	WaBuf		body = {0};

	memset(req, 0, sizeof(*req));
	if (!wa_gateway_meta_account_path(settings, nsettings, &path, err))
		return false;
	wa_gateway_buf_str(&path, "/message_templates");
	wa_gateway_buf_str(&body, json);
	return wa_gateway_meta_finish(req, "POST", base_url, &path, &body, settings,
								  nsettings, err);
}

/*
 * Why Meta makes no such template.  The subcode says more than the code, and
 * what is written for a person more than what is written for a program.
 */
static void
explain(const WaReply *reply, json_object * error, WaTemplateMade *made)
{
	WaSaidText *said = &made->said;
	const WaMetaCode *row = NULL;
	char		details[400];
	char		codes[WA_CODE_SIZE];
	WaSaidText	more;
	WaVerdict	verdict;
	long		code = 0;
	long		subcode = 0;

	if (!wa_gateway_meta_read_code(wa_gateway_member(error, "error_subcode"), &subcode) ||
		!wa_gateway_meta_read_code(wa_gateway_member(error, "code"), &code))
	{
		wa_gateway_meta_judge_error(reply, error, &verdict);
		*said = verdict.said;
		return;
	}
	made->there = subcode == IN_THIS_LANGUAGE_ALREADY;
	row = wa_gateway_meta_code(subcode);
	if (row == NULL)
		row = wa_gateway_meta_code(code);
	if (!wa_gateway_text(wa_gateway_member(error, "error_user_msg"), details, sizeof(details)))
		wa_gateway_text(wa_gateway_member(error, "message"), details, sizeof(details));
	wa_gateway_sentence(codes, sizeof(codes), "%ld/%ld", code, subcode);
	wa_gateway_say(said, WA_SAY_META_SAYS,
				   wa_text_say_plain(row != NULL ? row->sentence : WA_SAY_META_REFUSED_REQUEST_UNKNOWN_ERROR),
				   codes, wa_gateway_details(&more, details));
}

/* WaGateway's read_template. */
void
wa_gateway_meta_read_template(const WaReply *reply, WaTemplateMade *made)
{
	json_object *root = wa_gateway_parse(reply);
	json_object *error = wa_gateway_member(root, "error");
	WaVerdict	verdict;

	memset(made, 0, sizeof(*made));
	if (wa_gateway_is_2xx(reply) && error == NULL &&
		wa_gateway_text(wa_gateway_member(root, "status"), made->status, sizeof(made->status)))
	{
		made->ok = true;
		made->standing = wa_gateway_meta_standing(made->status);
		wa_gateway_text(wa_gateway_member(root, "category"), made->category, sizeof(made->category));
	}
	else if (json_object_is_type(error, json_type_object))
		explain(reply, error, made);
	else
	{
		wa_gateway_judge_status(wa_gateway_meta.name, reply, NULL, &verdict);
		made->said = verdict.said;
	}
	json_object_put(root);
}

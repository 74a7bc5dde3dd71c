/*-------------------------------------------------------------------------
 *
 * request.c
 *		Building requests: growing bytes, JSON and form encoding, checks.
 *
 * What goes into a request comes from rows that people can edit, so nothing
 * is pasted unchecked: values are encoded, settings that land in a header or
 * a path must be plain printable ASCII, and a message names a setting that
 * offends but never shows its value.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"

/* Longer settings are a mistake; Meta's tokens have a few hundred bytes. */
#define MAX_SETTING_BYTES	4096

/* Meta's limit for template names; the other providers have shorter ids. */
#define MAX_TEMPLATE_NAME	512

/* Append len bytes. */
void
wa_gateway_buf_add(WaBuf *buf, const char *bytes, size_t len)
{
	if (buf->failed)
		return;
	if (len >= buf->size - buf->len)
	{
		size_t		size = buf->size > 0 ? buf->size : 256;
		char	   *data;

		while (size - buf->len <= len)
		{
			if (size > (size_t) -1 / 2)
			{
				buf->failed = true;
				return;
			}
			size *= 2;
		}
		data = realloc(buf->data, size);
		if (data == NULL)
		{
			buf->failed = true;
			return;
		}
		buf->data = data;
		buf->size = size;
	}
	memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

/* Append a string as it is. */
void
wa_gateway_buf_str(WaBuf *buf, const char *text)
{
	wa_gateway_buf_add(buf, text, strlen(text));
}

/*
 * Append a string as a JSON string with its quotes.  Characters beyond ASCII
 * stay UTF-8, which RFC 8259 wants between systems.
 */
void
wa_gateway_buf_json(WaBuf *buf, const char *text)
{
	const char *start = text;
	const char *p;

	wa_gateway_buf_add(buf, "\"", 1);
	for (p = text; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;
		char		escape[8];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		wa_gateway_buf_add(buf, start, (size_t) (p - start));
		start = p + 1;
		if (c == '"' || c == '\\')
			snprintf(escape, sizeof(escape), "\\%c", c);
		else if (c == '\n')
			snprintf(escape, sizeof(escape), "\\n");
		else if (c == '\r')
			snprintf(escape, sizeof(escape), "\\r");
		else if (c == '\t')
			snprintf(escape, sizeof(escape), "\\t");
		else
			snprintf(escape, sizeof(escape), "\\u%04x", c);
		wa_gateway_buf_str(buf, escape);
	}
	wa_gateway_buf_add(buf, start, (size_t) (p - start));
	wa_gateway_buf_add(buf, "\"", 1);
}

/*
 * Append a string percent-encoded.  Everything but the unreserved characters
 * of RFC 3986 is encoded, the blank as %20: right both in a form body and in
 * a query.
 */
void
wa_gateway_buf_form(WaBuf *buf, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *start = text;
	const char *p;

	for (p = text; *p != '\0'; p++)
	{
		unsigned char c = (unsigned char) *p;
		char		escape[3];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			(c >= '0' && c <= '9') ||
			c == '-' || c == '.' || c == '_' || c == '~')
			continue;
		wa_gateway_buf_add(buf, start, (size_t) (p - start));
		start = p + 1;
		escape[0] = '%';
		escape[1] = hex[c >> 4];
		escape[2] = hex[c & 0x0f];
		wa_gateway_buf_add(buf, escape, sizeof(escape));
	}
	wa_gateway_buf_add(buf, start, (size_t) (p - start));
}

/*
 * Append a template's parameter as a JSON string, made to fit: what one
 * provider accepts as a parameter, all accept (wa_text_clean_value).
 */
void
wa_gateway_buf_value(WaBuf *buf, const char *value)
{
	char	   *clean = wa_text_clean_value(value);

	if (clean == NULL)
		buf->failed = true;
	else
		wa_gateway_buf_json(buf, clean);
	free(clean);
}

/* The bytes themselves, malloc()ed, and the buffer empty; NULL: no memory. */
char *
wa_gateway_buf_take(WaBuf *buf)
{
	char	   *data = buf->data;

	if (buf->failed)
	{
		wa_gateway_buf_free(buf);
		return NULL;
	}
	memset(buf, 0, sizeof(*buf));
	return data;
}

/*
 * Parameters as the gateways write them, {"1":V,"2":V} with any prefix before
 * the figure; malloc()ed, NULL: no memory.
 */
char *
wa_gateway_numbered_params(const char *prefix, const WaPair *params, size_t nparams)
{
	WaBuf		buf = {0};
	size_t		i;

	wa_gateway_buf_str(&buf, "{");
	for (i = 0; i < nparams; i++)
	{
		char		key[64];

		snprintf(key, sizeof(key), "%s\"%s%zu\":", i > 0 ? "," : "", prefix, i + 1);
		wa_gateway_buf_str(&buf, key);
		wa_gateway_buf_value(&buf, params[i].value);
	}
	wa_gateway_buf_str(&buf, "}");
	return wa_gateway_buf_take(&buf);
}

/* Release a buffer.  It may hold a secret, so it is overwritten first. */
void
wa_gateway_buf_free(WaBuf *buf)
{
	volatile char *p = buf->data;
	size_t		i;

	for (i = 0; i < buf->len; i++)
		p[i] = '\0';
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}

/* A setting's value or, if it is missing or empty, its default (or NULL). */
const char *
wa_gateway_value(const WaGateway *gateway, const WaPair *settings,
				 size_t nsettings, const char *name)
{
	const char *value = wa_gateway_setting(settings, nsettings, name);
	size_t		i;

	if (value != NULL && *value != '\0')
		return value;
	for (i = 0; i < gateway->nsettings; i++)
	{
		if (strcmp(gateway->settings[i].name, name) == 0)
			return gateway->settings[i].default_value;
	}
	return NULL;
}

/* Printable ASCII without blanks, of sensible length: fit for a header. */
static bool
is_plain(const char *value)
{
	const char *p;

	for (p = value; *p != '\0'; p++)
	{
		if (*p < 0x21 || *p > 0x7e)
			return false;
	}
	return p - value <= MAX_SETTING_BYTES;
}

/*
 * Are all required settings there, and fit for a request?  If not, err names
 * the setting, without its value.  Optional ones are the provider file's
 * business: some of them never enter a request.
 */
bool
wa_gateway_check_settings(const WaGateway *gateway,
						  const WaPair *settings, size_t nsettings,
						  WaSaidText *err)
{
	size_t		i;

	for (i = 0; i < gateway->nsettings; i++)
	{
		const WaGatewaySetting *known = &gateway->settings[i];
		const char *value;

		if (!known->required)
			continue;
		value = wa_gateway_value(gateway, settings, nsettings, known->name);
		if (value == NULL)
		{
			wa_gateway_say(err, WA_SAY_PROVIDER_SETTING_MISSING, known->name);
			return false;
		}
		if (!is_plain(value))
		{
			wa_gateway_say(err, WA_SAY_SETTING_MUST_BE_PRINTABLE_ASCII, known->name,
						   WA_NUMBER(MAX_SETTING_BYTES));
			return false;
		}
	}
	return true;
}

/*
 * Is the message complete and sound, as far as that is the same for all
 * providers?  If not, err says what is wrong.
 */
bool
wa_gateway_check_message(const WaGateway *gateway, const WaOutbound *msg,
						 WaSaidText *err)
{
	size_t		digits;
	size_t		chars;
	size_t		i;

	if (msg->form == WA_FORM_NAMED && gateway->max_param_name == 0)
	{
		wa_gateway_say(err, WA_SAY_PARAMETERS_BY_POSITION_ONLY, gateway->name);
		return false;
	}
	digits = msg->number != NULL ? strspn(msg->number, "0123456789") : 0;
	if (wa_text_is_person_id(msg->number))
	{
		if (gateway->id_setting == NULL)
		{
			wa_gateway_say(err, WA_SAY_PROVIDER_TAKES_NO_IDS);
			return false;
		}
	}
	else if (digits == 0 || digits >= WA_NUMBER_SIZE ||
			 msg->number[digits] != '\0' || msg->number[0] == '0')
	{
		wa_gateway_say(err, WA_SAY_NUMBER_MUST_BE_1_DIGITS_COUNTRY, WA_NUMBER(WA_NUMBER_SIZE - 1));
		return false;
	}

	if (msg->form == WA_FORM_TEXT)
	{
		if (msg->body == NULL || msg->body[0] == '\0')
		{
			wa_gateway_say(err, WA_SAY_NO_TEXT);
			return false;
		}
		if (!wa_gateway_utf8_length(msg->body, &chars))
		{
			wa_gateway_say(err, WA_SAY_TEXT_NOT_VALID_UTF_8);
			return false;
		}
		if (chars > gateway->max_text_chars)
		{
			wa_gateway_say(err, WA_SAY_TEXT_HAS_CHARACTERS_BUT_TAKES_AT, WA_NUMBER(chars), gateway->kind,
						   WA_NUMBER(gateway->max_text_chars));
			return false;
		}
		return true;
	}

	if (msg->template_name == NULL || msg->template_name[0] == '\0')
	{
		wa_gateway_say(err, WA_SAY_TEMPLATE_HAS_NO_NAME_OR_ID_AT);
		return false;
	}
	if (!wa_gateway_utf8_length(msg->template_name, &chars) ||
		strlen(msg->template_name) > MAX_TEMPLATE_NAME)
	{
		wa_gateway_say(err, WA_SAY_TEMPLATE_NAME_OR_ID_MUST_BE_VALID, WA_NUMBER(MAX_TEMPLATE_NAME));
		return false;
	}
	for (i = 0; i < msg->nparams; i++)
	{
		const char *name = msg->params[i].name;
		const char *value = msg->params[i].value;

		if (name == NULL || !wa_gateway_utf8_length(name, &chars) ||
			chars == 0)
		{
			wa_gateway_say(err, WA_SAY_TEMPLATE_PARAMETER_HAS_NO_VALID, WA_NUMBER(i + 1));
			return false;
		}
		if (value == NULL)
		{
			wa_gateway_say(err, WA_SAY_TEMPLATE_PARAMETER_HAS_NO_VALUE, name);
			return false;
		}
		if (!wa_gateway_utf8_length(value, &chars))
		{
			wa_gateway_say(err, WA_SAY_TEMPLATE_PARAMETER_NOT_VALID_UTF_8, name);
			return false;
		}
	}
	return true;
}

/* Append "name: value" to the header lines of a request; false: no memory. */
static bool
add_header(WaRequest *req, const char *name, const char *value)
{
	WaBuf		line = {0};
	char	  **headers;

	wa_gateway_buf_str(&line, name);
	wa_gateway_buf_str(&line, ": ");
	wa_gateway_buf_str(&line, value);
	if (line.failed)
	{
		wa_gateway_buf_free(&line);
		return false;
	}
	headers = realloc(req->headers,
					  (req->nheaders + 1) * sizeof(*req->headers));
	if (headers == NULL)
	{
		wa_gateway_buf_free(&line);
		return false;
	}
	req->headers = headers;
	req->headers[req->nheaders++] = line.data;
	return true;
}

/*
 * Is this a base URL we can put a path behind: http or https, printable ASCII,
 * no query and no fragment, which would swallow the path?  If not, err says
 * so.  Whether the host may be reached is wa_gateway_url_allowed()'s question,
 * on the whole URL.
 */
bool
wa_gateway_base_url_ok(const char *url, WaSaidText *err)
{
	if ((strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) &&
		is_plain(url) && strpbrk(url, "?#\\\"<>") == NULL)
		return true;
	wa_gateway_say(err, WA_SAY_BASE_URL_PROVIDER_NOT_PLAIN_HTTP);
	return false;
}

/*
 * Put a request together.  base_url NULL or "" means the provider's own;
 * path begins with a slash and may carry a query.  body is consumed, also on
 * failure; NULL means that the request has none.  content_type and
 * authorization may be NULL.  On failure *req is empty and err says why.
 */
bool
wa_gateway_request(WaRequest *req, const char *method,
				   const WaGateway *gateway, const char *base_url,
				   const char *path, WaBuf *body,
				   const char *content_type, const char *authorization,
				   WaSaidText *err)
{
	WaBuf		url = {0};
	size_t		base_len;
	bool		ok = true;

	memset(req, 0, sizeof(*req));
	if (base_url == NULL || base_url[0] == '\0')
		base_url = gateway->base_url;
	if (!wa_gateway_base_url_ok(base_url, err))
	{
		if (body != NULL)
			wa_gateway_buf_free(body);
		return false;
	}

	base_len = strlen(base_url);
	while (base_len > 0 && base_url[base_len - 1] == '/')
		base_len--;
	wa_gateway_buf_add(&url, base_url, base_len);
	wa_gateway_buf_str(&url, path);

	req->method = method;
	req->usage_header = gateway->usage_header;
	if (body != NULL)
	{
		/* An empty body is still a body: it must not be NULL. */
		wa_gateway_buf_add(body, "", 0);
		ok = !body->failed;
	}
	ok = ok && !url.failed;
	if (ok && content_type != NULL)
		ok = add_header(req, "Content-Type", content_type);
	ok = ok && add_header(req, "Accept", "application/json");
	if (ok && authorization != NULL)
		ok = add_header(req, "Authorization", authorization);
	if (!ok)
	{
		wa_gateway_buf_free(&url);
		if (body != NULL)
			wa_gateway_buf_free(body);
		wa_gateway_request_free(req);
		wa_gateway_say(err, WA_SAY_OUT_OF_MEMORY);
		return false;
	}

	req->url = url.data;
	if (body != NULL)
	{
		req->body = body->data;
		req->body_len = body->len;
		memset(body, 0, sizeof(*body));
	}
	return true;
}

/*-------------------------------------------------------------------------
 *
 * form.c
 *		The body of a webhook: JSON, or a form as PHP's programs write it.
 *
 * A form becomes the object that the same event is as JSON, with strings for
 * values: "data[phone]=62" is {"data": {"phone": "62"}}.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/provider.h"
#include "gateway/reading.h"

/* More than these is no event of ours: then it is no form. */
#define MAX_FIELDS		256
#define MAX_NAME_BYTES	256
#define MAX_LEVELS		8

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char) (c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode len bytes of a form in place; returns the new length. */
static size_t
decode(char *bytes, size_t len)
{
	size_t		used = 0;

	for (size_t i = 0; i < len; i++)
	{
		char		c = bytes[i];

		if (c == '+')
			c = ' ';
		else if (c == '%' && i + 2 < len && hex_value(bytes[i + 1]) >= 0 && hex_value(bytes[i + 2]) >= 0)
		{
			c = (char) (hex_value(bytes[i + 1]) * 16 + hex_value(bytes[i + 2]));
			i += 2;
		}
		bytes[used++] = c;
	}
	return used;
}

/* Put a value under a name such as "data[phone]".  Takes over value. */
static bool
put_field(json_object * root, char *name, json_object * value)
{
	json_object *parent = root;
	int			levels = 0;
	char	   *bracket;
	char	   *end;

	while (value != NULL && (bracket = strchr(name, '[')) != NULL && (end = strchr(bracket, ']')) != NULL)
	{
		json_object *child;

		*bracket = '\0';
		child = wa_gateway_member(parent, name);
		if (!json_object_is_type(child, json_type_object))
		{
			child = json_object_new_object();
			if (child == NULL || json_object_object_add(parent, name, child) != 0)
			{
				json_object_put(child);
				json_object_put(value);
				return false;
			}
		}
		parent = child;
		name = bracket + 1;
		if (++levels > MAX_LEVELS)
		{
			json_object_put(value);
			return false;
		}
		*end = '\0';
		if (name[strlen(name) + 1] == '[')
		{
			/* "a[b][c]": go on with "b[c]" */
			char	   *rest = name + strlen(name);

			memmove(rest, rest + 1, strlen(rest + 1) + 1);
		}
	}
	if (value != NULL && json_object_object_add(parent, name, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

/* A form as an object; NULL: it is none, or *no_memory. */
static json_object *
parse_form(const char *body, size_t len, bool *no_memory)
{
	json_object *root = wa_text_json_room(body, len) ? json_object_new_object() : NULL;
	char	   *copy = malloc(len + 1);
	char	   *end = copy;
	char	   *field;
	char	   *next;
	int			fields = 0;
	bool		good = root != NULL && copy != NULL;

	*no_memory = !good;
	if (good)
	{
		memcpy(copy, body, len);
		end += len;
		*end = '\0';
	}
	for (field = copy; good && field < end; field = next)
	{
		char	   *stop = memchr(field, '&', (size_t) (end - field));
		char	   *equals;
		size_t		name_len;

		stop = stop == NULL ? end : stop;
		next = stop + 1;
		if (stop == field)
			continue;
		equals = memchr(field, '=', (size_t) (stop - field));
		good = equals != NULL && fields++ < MAX_FIELDS;
		if (!good)
			break;
		name_len = decode(field, (size_t) (equals - field));
		good = name_len > 0 && name_len < MAX_NAME_BYTES && memchr(field, '\0', name_len) == NULL;
		if (!good)
			break;
		field[name_len] = '\0';
		equals++;
		good = put_field(root, field, json_object_new_string_len(equals, (int) decode(equals, (size_t) (stop - equals))));
	}
	free(copy);
	if (good && json_object_object_length(root) > 0)
		return root;
	json_object_put(root);
	return NULL;
}

/*
 * The body of a webhook as an object, for json_object_put(); NULL if it is
 * neither JSON nor a form, or *no_memory.
 */
json_object *
wa_gateway_parse_body(const char *body, size_t len, bool *no_memory)
{
	json_object *root = wa_gateway_parse_washed(body, len, no_memory);
	size_t		blanks = 0;

	if (root != NULL || *no_memory)
		return root;
	while (blanks < len && strchr(" \t\r\n", body[blanks]) != NULL && body[blanks] != '\0')
		blanks++;
	if (blanks == len || len > INT32_MAX || strchr("{[\"<\xef", body[blanks]) != NULL ||
		memchr(body, '\0', len) != NULL)
		return NULL;
	while (len > blanks && (body[len - 1] == '\r' || body[len - 1] == '\n'))
		len--;
	return parse_form(body + blanks, len - blanks, no_memory);
}

/*
 * The member of an object that is an object, borrowed.  JSON in a string is
 * taken as what it says, and put in the place of the string.  NULL: it is none,
 * or strings->failed.
 */
json_object *
wa_gateway_object_in(WaStrings *strings, json_object * parent, const char *key)
{
	json_object *value = wa_gateway_member(parent, key);
	bool		no_memory;

	if (json_object_is_type(value, json_type_object))
		return value;
	if (!json_object_is_type(value, json_type_string))
		return NULL;
	value = wa_gateway_parse_washed(json_object_get_string(value),
									(size_t) json_object_get_string_len(value), &no_memory);
	strings->failed = strings->failed || no_memory;
	if (value == NULL || json_object_object_add(parent, key, value) != 0)
	{
		json_object_put(value);
		return NULL;
	}
	return value;
}

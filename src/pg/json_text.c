/*-------------------------------------------------------------------------
 *
 * json_text.c
 *		JSON of our tables, read by json-c.
 *
 * Without memory json-c says the same as of a text that is no JSON, or ends
 * (text/room.c).  A message must not be refused for that: it is an error like
 * any other that passes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/json_text.h"
#include "text/text.h"

/*
 * Is there memory for what is made of this text?  Raises an error if not; NULL
 * needs none.
 */
void
wa_pg_json_room(const char *text)
{
	if (text && !wa_text_json_room(text, strlen(text)))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
}

/*
 * A text as a value, for json_object_put(); NULL if it is NULL, or none.
 */
struct json_object *
wa_pg_json_read(const char *text)
{
	wa_pg_json_room(text);
	return text ? json_tokener_parse(text) : NULL;
}

/*-------------------------------------------------------------------------
 *
 * room.c
 *		Is there memory for what a text is, read as JSON?
 *
 * json-c does not always look whether it was given memory: up to 0.16 its
 * parser puts a member without a name into an object and ends in it, and what
 * it writes ends in the middle, in the newest version as well.  So before it
 * is called we ask for as much as it can need, and give it back: what a
 * process of one thread has just had, it gets again.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "text/text.h"

/* Of each object or array, member and element, at most, with what holds it. */
#define OBJECT_BYTES	1024
#define MEMBER_BYTES	512
#define ELEMENT_BYTES	256

/* Of each byte: as a string, and written with escapes while a buffer grows. */
#define BYTE_BYTES		24

/* A parser, and a few objects of our own. */
#define FIXED_BYTES		65536

/*
 * Can json-c read these len bytes of JSON or of a form, and write what it has
 * read?  False: there is no memory for it.
 */
bool
wa_text_json_room(const char *text, size_t len)
{
	size_t		wanted = FIXED_BYTES;
	void	   *volatile room;	/* or the compiler leaves both calls out */

	for (size_t i = 0; i < len; i++)
	{
		wanted += BYTE_BYTES;
		switch (text[i])
		{
			case '{':
			case '[':
				wanted += OBJECT_BYTES;
				break;
			case ':':
			case '=':
				wanted += MEMBER_BYTES;
				break;
			case ',':
				wanted += ELEMENT_BYTES;
				break;
			default:
				break;
		}
	}
	room = malloc(wanted);
	free(room);
	return room != NULL;
}

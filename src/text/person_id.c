/*-------------------------------------------------------------------------
 *
 * person_id.c
 *		The ids by which Meta knows people who hide their numbers.
 *
 * Since April 2026 a user has one for each business portfolio: a country in
 * two letters, a dot, up to 128 letters and digits ("ID.1349..."); of linked
 * portfolios with another dot in it ("ID.ENT.1349...").
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "text/text.h"

#define UPPER	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* of "ID." */
#define PREFIX_BYTES	3

/*
 * wa_text_is_person_id
 *		Is all of the text such an id?
 *
 * Never a phone number as wa_text_normalize_number() gives it.  NULL is none.
 */
bool
wa_text_is_person_id(const char *text)
{
	size_t		length;

	if (text == NULL || strspn(text, UPPER) != PREFIX_BYTES - 1 || text[PREFIX_BYTES - 1] != '.')
		return false;
	length = strspn(text + PREFIX_BYTES, UPPER "abcdefghijklmnopqrstuvwxyz0123456789.");
	return length > 0 && PREFIX_BYTES + length < WA_RECIPIENT_SIZE && text[PREFIX_BYTES + length] == '\0';
}

/*-------------------------------------------------------------------------
 *
 * numbering.h
 *		The numbering plan, for use inside this folder only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_NUMBERING_H
#define SICANTIK_WA_NUMBERING_H

#include "text/text.h"

/* Shortest and longest Indonesian mobile number, without 0 or 62. */
#define WA_TEXT_NSN_MIN		9
#define WA_TEXT_NSN_MAX		12

/* No number is longer than this many digits, prefixes included. */
#define WA_TEXT_DIAL_MAX	20

/* What a run of digits can be. */
typedef enum WaTextNumberKind
{
	WA_TEXT_NOT_A_NUMBER,
	WA_TEXT_MOBILE,				/* may be on WhatsApp */
	WA_TEXT_LANDLINE			/* or another service, not usable */
} WaTextNumberKind;

extern WaTextNumberKind wa_text_read_number(const char *digits, int n,
											bool plus,
											char out[WA_NUMBER_SIZE]);
extern int	wa_text_country_code_length(const char *s);

#endif							/* SICANTIK_WA_NUMBERING_H */

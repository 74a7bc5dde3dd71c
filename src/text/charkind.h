/*-------------------------------------------------------------------------
 *
 * charkind.h
 *		What a character means in a phone field; inside this folder only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_CHARKIND_H
#define SICANTIK_WA_CHARKIND_H

#include <stdint.h>

typedef enum WaCharKind
{
	WA_CHAR_START,				/* nothing seen yet */
	WA_CHAR_IGNORE,				/* invisible */
	WA_CHAR_DIGIT,
	WA_CHAR_PLUS,
	WA_CHAR_SPACE,
	WA_CHAR_DOT,
	WA_CHAR_DASH,				/* and other marks used inside a number */
	WA_CHAR_UNDERSCORE,
	WA_CHAR_OPEN,
	WA_CHAR_CLOSE,
	WA_CHAR_SLASH,
	WA_CHAR_BREAK,				/* separates numbers for certain */
	WA_CHAR_MASK,				/* stands for digits that are hidden */
	WA_CHAR_AT,
	WA_CHAR_LETTER,
	WA_CHAR_OTHER
} WaCharKind;

extern WaCharKind wa_text_classify_char(uint32_t cp, char *digit);
extern WaCharKind wa_text_peek_char(const char *s, WaCharKind skip);

#endif							/* SICANTIK_WA_CHARKIND_H */

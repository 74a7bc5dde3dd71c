/*-------------------------------------------------------------------------
 *
 * utf8.h
 *		Text from outside: what may be shown of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GATEWAY_UTF8_H
#define SICANTIK_WA_GATEWAY_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "text/say.h"

#if defined(__GNUC__)
#define WA_PRINTF(f, a)	__attribute__((format(printf, f, a)))
#else
#define WA_PRINTF(f, a)
#endif

extern size_t wa_gateway_utf8_next(const char *s, size_t len,
								   unsigned long *code_point);
extern bool wa_gateway_utf8_length(const char *s, size_t *chars);
extern bool wa_gateway_printable(unsigned long code_point);
extern void wa_gateway_clean(char *dst, size_t size,
							 const char *src, size_t len);
extern void wa_gateway_sentence(char *dst, size_t size,
								const char *format,...) WA_PRINTF(3, 4);
extern void wa_gateway_say_cleaned(WaSaidText *text, WaSay key, int n, const void *const *values);
extern const void *wa_gateway_details(WaSaidText *text, const char *details);
extern const void *wa_gateway_or(const char *value, WaSay otherwise);
extern bool wa_gateway_same_word(const char *a, const char *b);

#endif							/* SICANTIK_WA_GATEWAY_UTF8_H */

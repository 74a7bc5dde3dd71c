/*-------------------------------------------------------------------------
 *
 * buf.h
 *		Bytes that grow: the body of a request in the making.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_GATEWAY_BUF_H
#define SICANTIK_WA_GATEWAY_BUF_H

#include "gateway/gateway.h"

/*
 * Bytes that grow.  An allocation that fails sets "failed" and the buffer
 * swallows everything that follows, so that only the end has to be checked.
 */
typedef struct WaBuf
{
	char	   *data;			/* NUL-terminated once something was added */
	size_t		len;
	size_t		size;
	bool		failed;
} WaBuf;

extern void wa_gateway_buf_add(WaBuf *buf, const char *bytes, size_t len);
extern void wa_gateway_buf_str(WaBuf *buf, const char *text);
extern void wa_gateway_buf_json(WaBuf *buf, const char *text);
extern void wa_gateway_buf_form(WaBuf *buf, const char *text);
extern void wa_gateway_buf_value(WaBuf *buf, const char *value);
extern char *wa_gateway_buf_take(WaBuf *buf);
extern char *wa_gateway_numbered_params(const char *prefix,
										const WaPair *params, size_t nparams);
extern void wa_gateway_buf_free(WaBuf *buf);

#endif							/* SICANTIK_WA_GATEWAY_BUF_H */

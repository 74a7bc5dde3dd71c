/*-------------------------------------------------------------------------
 *
 * http_thread.h
 *		The HTTP engine (http.h) in a thread of its own.
 *
 * The same requests and the same answers; what it adds is that the engine works
 * while its owner does something else.  Like the engine it knows nothing of
 * PostgreSQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_HTTP_THREAD_H
#define SICANTIK_WA_HTTP_THREAD_H

#include "deliver/http.h"

typedef struct WaHttpThread WaHttpThread;

/*
 * Called in the engine's thread with each answer, whatever its result, before its
 * owner can take it: to do there what takes time.  It may use nothing of the
 * server, and nothing of what the tag stands for that its owner touches meanwhile.
 */
typedef void (*WaHttpRead) (uint64_t tag, const WaHttpAnswer *answer);

/* All functions are for the owner's thread, the one that has opened it. */
extern WaHttpThread *wa_http_thread_open(const WaHttpOptions *options, WaHttpRead read,
										 char *err, size_t err_size);
extern void wa_http_thread_close(WaHttpThread *self);
extern int	wa_http_thread_fd(const WaHttpThread *self);
extern bool wa_http_thread_submit(WaHttpThread *self, uint64_t tag, WaRequest *req,
								  long timeout_ms, bool may_be_plain, WaSaidText *err);
extern void wa_http_thread_begin(WaHttpThread *self);
extern bool wa_http_thread_next(WaHttpThread *self, WaHttpAnswer *answer);
extern size_t wa_http_thread_in_flight(const WaHttpThread *self);
extern void wa_http_thread_abort_all(WaHttpThread *self);

#endif							/* SICANTIK_WA_HTTP_THREAD_H */

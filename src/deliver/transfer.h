/*-------------------------------------------------------------------------
 *
 * transfer.h
 *		Messages on the wire.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_TRANSFER_H
#define SICANTIK_WA_TRANSFER_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "deliver/deliver.h"
#include "deliver/pacing.h"
#include "gateway/gateway.h"
#include "queue/state.h"

struct WaHttpAnswer;

/*
 * What is on the wire, a message or a probe: its first member.  over() is
 * called once, when the request has ended; interrupted: because we broke it
 * off.  The answer is the caller's.  read(), if there is one, is called before
 * that in the engine's thread, with an answer of the other end; it may use
 * nothing of the server, and over() finds what it has made of it.
 */
typedef struct WaWire
{
	void		(*read) (struct WaWire *wire, const struct WaHttpAnswer *answer);
	void		(*over) (struct WaWire *wire, const struct WaHttpAnswer *answer,
						 bool interrupted);
} WaWire;

/* Room for a shortened answer in the ledger. */
#define WA_RESPONSE_BYTES	2000

/* One message on the wire, or back from it and not yet recorded. */
typedef struct WaTransfer
{
	WaWire		wire;
	struct WaTransfer *next;	/* list of finished ones */
	int64		message_id;
	int			attempt;
	bool		postponed;		/* its row is locked; recorded later */
	WaReason	goes_on;		/* recorded: the message goes on at once, for
								 * this reason; none: it does not */
	bool		tried;			/* and not with this provider for now */
	double		wait_s;			/* back-off that was asked for; < 0: none */
	bool		refuses_all;	/* recorded: the provider refuses everybody so */
	bool		opened;			/* and its circuit was opened for that */
	WaPace	   *pace;
	const WaGateway *gateway;
	WaPair	   *secrets;		/* as sent: the provider's may be others later */
	size_t		nsecrets;
	char	   *template_key;	/* or NULL */
	bool		diverted;		/* to another number than the message's */
	TimestampTz odoo_yes_at;	/* as in WaRoute */
	bool		withheld;		/* claimed, and not wanted any more */
	bool		as_template;
	WaRequest	request;		/* until submitted */
	bool		plain;			/* http to a loopback host is allowed */
	TimestampTz started_at;
	TimestampTz finished_at;
	TimestampTz said_at;		/* told by a webhook: when; else 0 */
	int			http_status;
	WaVerdict	verdict;
	char		response[WA_RESPONSE_BYTES + 1];
} WaTransfer;

extern void wa_deliver_transfer_open(void);
extern bool wa_deliver_transfer_ready(void);
extern void wa_deliver_transfer_close_engine(void);
extern pgsocket wa_deliver_transfer_fd(void);
extern void wa_deliver_transfer_drive(void);
extern int	wa_deliver_transfer_in_flight(void);
extern WaTransfer *wa_deliver_transfer_new(const WaProvider *provider, int64 message_id, int attempt);
extern void wa_deliver_transfer_submit(WaTransfer *transfer, long timeout_ms);
extern bool wa_deliver_transfer_put(WaWire *wire, WaRequest *request, bool plain, long timeout_ms,
									WaSaidText *why);
extern void wa_deliver_transfer_refuse(WaTransfer *transfer, const char *code, WaSaid why);
extern WaTransfer *wa_deliver_transfer_finished(void);
extern bool wa_deliver_transfer_any_finished(void);
extern void wa_deliver_transfer_free(WaTransfer *transfer);
extern void wa_deliver_transfer_abort_all(void);
extern const char *wa_deliver_transfer_library(void);

/* connection_test.c */
extern bool wa_deliver_transfer_build_test(const WaProvider *provider, WaRequest *request,
										   WaSaidText *why);
extern void wa_deliver_transfer_judge_test(const WaGateway *gateway, const WaPair *settings, size_t nsettings,
										   const struct WaHttpAnswer *answer, WaHealth *health);
extern void wa_deliver_transfer_reply(const struct WaHttpAnswer *answer, WaReply *reply);
extern bool wa_deliver_transfer_ask(const WaProvider *provider, WaRequest *request, long timeout_ms,
									WaReadReply read, void *argument, WaSaidText *why);
extern void wa_deliver_transfer_test(const WaProvider *provider, WaHealth *health);

#endif							/* SICANTIK_WA_TRANSFER_H */

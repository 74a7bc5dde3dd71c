/*-------------------------------------------------------------------------
 *
 * withhold.c
 *		One look more, between the claim and the wire.
 *
 * Whether somebody wants messages is asked before the claim, in its
 * transaction, and the commit of that may take a while: its disk, a standby.
 * Who says no meanwhile gets nothing either.  So it is asked once more, when
 * the claim is safe, unless no other transaction has ended since: then nobody
 * can have said anything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"

#include "deliver/send.h"
#include "pg/frame.h"
#include "pg/pg_compat.h"

/* Transactions that had ended when it was asked. */
static uint64 ended = 0;

/*
 * Whether somebody wants messages is going to be asked, for those that are
 * claimed in this transaction.
 */
void
wa_deliver_withhold_begin(void)
{
	ended = wa_transactions_ended();
}

/*
 * Mark those of these claimed messages whose recipient has opted out since he
 * was asked about (withheld).  In no transaction; if the tables cannot be had
 * now, nobody has written to them since.
 */
void
wa_deliver_withhold(WaTransfer **transfers, int n)
{
	WaRoute    *routes;

	/* the one that has claimed them has ended */
	if (n == 0 || wa_transactions_ended() - ended == 1 || !wa_frame_begin("looking for opt-outs"))
		return;
	routes = palloc0(sizeof(WaRoute) * n);
	for (int i = 0; i < n; i++)
	{
		const WaItem *item = wa_deliver_schedule_find(transfers[i]->message_id);

		if (item == NULL || item->despite_opt_out)
			continue;
		routes[i].number = item->number;
		routes[i].template_key = item->template_key;
		routes[i].odoo_yes_at = transfers[i]->odoo_yes_at;
	}
	wa_route_load_own_facts(routes, n);
	for (int i = 0; i < n; i++)
		transfers[i]->withheld = routes[i].refusal != NULL;
	wa_frame_commit(false);
}

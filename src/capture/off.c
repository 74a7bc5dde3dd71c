/*-------------------------------------------------------------------------
 *
 * off.c
 *		Changes that the session does not want recorded
 *		(sicantik_wa.capture = off).
 *
 * The setting is for one transaction, with SET LOCAL.  Set for the session it
 * outlives its purpose: behind a pool that changes clients between two
 * transactions the next one inherits it, and nobody notices that his changes
 * are not seen.  So they are counted like those that capture had to drop, and
 * whoever has it from before his transaction is told.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "capture/capture.h"
#include "pg/pg_compat.h"
#include "sicantik_wa.h"
#include "wake/wake.h"

/* The transaction in which the setting got its value; invalid: in none. */
static LocalTransactionId set_in = InvalidLocalTransactionId;

static bool warned = false;
static uint64 passed_over = 0;	/* changes, in this transaction */

/*
 * The setting has got a value.
 */
void
wa_capture_assign(bool on, void *extra)
{
	set_in = MyProc != NULL && IsTransactionState() ?
		wa_my_local_xid() : InvalidLocalTransactionId;
	if (on)
		warned = false;
}

/*
 * Tell the session, once as long as it lasts, that its changes are not
 * recorded.
 */
void
wa_capture_warn_off(void)
{
	if (warned)
		return;
	warned = true;
	ereport(WARNING,
			(errmsg("sicantik_wa.capture is off in this session"),
			 errdetail("Changes of watched tables are counted, but not recorded, and nobody is notified of them. Behind a connection pool the session will be somebody else's."),
	/* the statement at work is the application's, with citizens' data */
			 errhidestmt(true), errhidecontext(true),
			 errhint("RESET sicantik_wa.capture ends it. SET LOCAL in a transaction ends by itself.")));
}

static void
at_xact_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (passed_over == 0)
				break;
			wa_wake_at_commit();
			if (wa_wake_count_drop(WA_DROP_OFF, passed_over))
			{
				char	   *role = GetUserNameFromId(GetSessionUserId(), true);

				ereport(LOG,
						(errmsg("sicantik_wa did not record changes of a watched table"),
						 errdetail("sicantik_wa.capture is off in a session of role \"%s\".",
								   role ? role : "?"),
						 errhidestmt(true), errhidecontext(true),
						 errhint("If that is not meant, look for it in that session and in the settings of roles and databases; wa_check() shows how many changes it were.")));
			}
			passed_over = 0;
			break;
		case XACT_EVENT_ABORT:
			passed_over = 0;
			break;
		default:
			break;
	}
}

/*
 * Called once per process, when the library is loaded.
 */
void
wa_capture_off_init(void)
{
	RegisterXactCallback(at_xact_event, NULL);
}

/*
 * A change that would have been recorded.  Those of a savepoint that is
 * rolled back count too.
 */
void
wa_capture_pass_over(void)
{
	passed_over++;
	if (set_in != wa_my_local_xid())
		wa_capture_warn_off();
}

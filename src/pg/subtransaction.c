/*-------------------------------------------------------------------------
 *
 * subtransaction.c
 *		Work that may fail without failing what surrounds it.
 *
 * The one place that begins a subtransaction: the order of the steps, and
 * which of memory context, resource owner and error state must be put back,
 * are easily got wrong in one of several copies.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "pg/app_limit.h"
#include "pg/subtransaction.h"

/*
 * Call work(argument) in a subtransaction, in the current memory context.
 * Returns NULL if it ended without an error, whether it is kept (it returned
 * true) or undone (false); else the error, palloc()ed in the current context,
 * with everything undone.  User, settings and SPI are then as they were; what
 * it allocated stays until the context goes.
 *
 * No error is passed on by itself: see wa_pg_is_passing().
 */
ErrorData *
wa_pg_subtransaction(WaSubtransaction work, void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		if (work(argument))
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		/* first: there may be no memory for a copy of the error */
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

/*
 * Is this no fault of the work, but of the moment: a lock, a full disk, being
 * told to end?  Then nothing may be concluded from it: it is raised again
 * (ReThrowError), and everything is tried again later.
 */
bool
wa_pg_is_passing(int sqlerrcode)
{
	int			category = ERRCODE_TO_CATEGORY(sqlerrcode);

	return sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR);
}

/*
 * The same as wa_pg_subtransaction() for work that reads tables of the
 * application's: an error of the moment is raised again, and an error that is
 * returned tells of them.  It may be that one took too long, which counts as
 * locked: see wa_app_limit_raised().
 */
ErrorData *
wa_pg_attempt(WaSubtransaction work, void *argument)
{
	ErrorData  *error = wa_pg_subtransaction(work, argument);

	if (error && !wa_app_limit_raised(error) && wa_pg_is_passing(error->sqlerrcode))
		ReThrowError(error);
	return error;
}

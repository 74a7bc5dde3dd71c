/*-------------------------------------------------------------------------
 *
 * identity.h
 *		Is this the database that may send?
 *
 * Face of src/identity, and the fifth law: never from a copy.  wa_arm() in
 * src/admin writes the stamp (wa.identity, never dumped); wa_identity_check()
 * compares it with what this database is now, and with what Odoo says of it,
 * each time before anything is composed or sent.  Whatever does not fit, or
 * cannot be told, stops it, with a sentence.  identity.c is the judgement,
 * timeline.c tells a failover from a recovery to a point in the past,
 * restored.c sees a base backup that is started, standbys.c keeps
 * wa.identity.synchronous right, by which a promoted standby knows whether it
 * misses a claim.  Begin with identity.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_IDENTITY_H
#define SICANTIK_WA_IDENTITY_H

#include "postgres.h"

#include "access/xlogdefs.h"
#include "datatype/timestamp.h"
#include "pg/said.h"

typedef enum WaMode
{
	WA_MODE_STOPPED,			/* identity does not match, or neutralized */
	WA_MODE_OBSERVE,			/* only messages by hand go out */
	WA_MODE_TEST,				/* everything goes to test_number */
	WA_MODE_LIVE
} WaMode;

/* What holds now.  Strings are palloc()ed in the current context. */
typedef struct WaIdentity
{
	WaMode		mode;
	bool		is_copy;		/* an identity is stamped (or was dumped) and
								 * it is not ours */
	bool		locked;			/* could not be told now; ask again soon */
	bool		unreadable;		/* what Odoo says of it cannot be read */
	WaSaid		why;			/* sentence for people; NULL while it may send */
	char	   *test_number;	/* WA_MODE_TEST */
	char	   *mark;			/* what this database is called in marks on
								 * requests; NULL: not stamped */
	int64		hold_message_id;
	const char *hold_snapshot;	/* text form, or NULL */
	int64		hold_event_id;
	bool		switched;		/* there was a failover, and the queue has not
								 * been treated yet */
	bool		synchronous;	/* the primary waited for its standbys */
	const char *doubt_snapshot; /* events visible in it were there at the last
								 * failover; text form, or NULL */
	TimestampTz doubt_until;	/* when that was, 0: none */
} WaIdentity;

/* What Odoo says of this database. */
typedef struct WaOdooFacts
{
	bool		locked;			/* could not be read now */
	WaSaid		why;			/* it may not be read; or NULL */
	char	   *uuid;			/* or NULL */
	bool		neutralized;
} WaOdooFacts;

/* Both need SPI connected, acting as the database's owner. */
extern PGDLLEXPORT void wa_identity_check(WaIdentity *identity);
extern void wa_identity_read_odoo(WaOdooFacts *facts);

/* timeline.c */
extern bool wa_identity_same_history(TimeLineID stamped, TimeLineID now);

/* restored.c */
extern void wa_identity_restored_init(void);
extern const char *wa_identity_restoration(void);

/* standbys.c */
extern bool wa_identity_standbys_note(void);
extern void wa_identity_standbys_reload(void);
extern PGDLLEXPORT bool wa_identity_standbys_have_commit(void);

#endif							/* SICANTIK_WA_IDENTITY_H */

/*-------------------------------------------------------------------------
 *
 * line.h
 *		How much of what waits is in the worker's memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SICANTIK_WA_LINE_H
#define SICANTIK_WA_LINE_H

#include "postgres.h"

#include "queue/work.h"

struct WaItem;

/* Messages of one priority that may go by the same providers, in order of ids. */
typedef struct WaLine
{
	char	   *only_by;		/* NULL: whichever can take it */
	int			lane;
	int			n;				/* in memory */
	int64		beyond;			/* from this id on they are left in the table;
								 * PG_INT64_MAX: none is */
	bool		stands;			/* its provider cannot be used, when last
								 * looked at */
	int64		moved_us;		/* one of them had a provider (monotonic) */
	struct WaPace *usual;		/* where the last one of them went; NULL: not
								 * known */
	int64		varied_us;		/* one went elsewhere than the one before it
								 * (monotonic); 0: none did */
} WaLine;

extern WaLine *wa_deliver_line_of(const char *only_by, int lane);
extern WaLine **wa_deliver_lines(int *n);
extern int	wa_deliver_line_room(void);
extern void wa_deliver_lines_look(void);
extern void wa_deliver_line_leave(WaLine *line, int64 id);
extern void wa_deliver_line_went(WaLine *line, struct WaPace *pace, int64 now);
extern bool wa_deliver_line_varies(const WaLine *line, int64 now);
extern struct WaPace *wa_deliver_line_guess(const WaLine *line);
extern bool wa_deliver_line_any_left(void);
extern int	wa_deliver_line_wants(const WaLine *line);
extern bool wa_deliver_line_any_wants(void);
extern int	wa_deliver_line_leave_out(struct WaItem **items, int n, int64 now, int64 *again);
extern void wa_deliver_lines_begin_again(void);

#endif							/* SICANTIK_WA_LINE_H */

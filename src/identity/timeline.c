/*-------------------------------------------------------------------------
 *
 * timeline.c
 *		How this server came to its timeline.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/timeline.h"
#include "access/xlog_internal.h"
#include "storage/fd.h"

#include "identity/identity.h"

/*
 * Has this server come from one timeline to the other by failovers alone?
 *
 * The history file names the reason of each switch; a recovery to a point in
 * the past names its target.  Remembered per timeline, since it is asked for
 * every batch.
 */
bool
wa_identity_same_history(TimeLineID stamped, TimeLineID now)
{
	static TimeLineID known_from = 0;
	static TimeLineID known_to = 0;
	static bool known = false;
	char		path[MAXPGPATH];
	char		line[MAXPGPATH];
	FILE	   *file;
	bool		seen = false;
	bool		result = true;

	if (stamped == now)
		return true;
	if (now < stamped)
		return false;
	if (known_from == stamped && known_to == now)
		return known;
	TLHistoryFilePath(path, now);
	file = AllocateFile(path, "r");
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file))
	{
		unsigned int tli;

		if (sscanf(line, "%u", &tli) != 1 || tli < stamped)
			continue;
		seen = true;
		if (strstr(line, "no recovery target specified") == NULL)
			result = false;
	}
	FreeFile(file);
	known_from = stamped;
	known_to = now;
	known = seen && result;
	return known;
}

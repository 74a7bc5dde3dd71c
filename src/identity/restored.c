/*-------------------------------------------------------------------------
 *
 * restored.c
 *		Was this server started from a base backup?
 *
 * A base backup that is started has everything in common with its original:
 * the system identifier, the database's oid, even the timeline where no WAL
 * was archived after it; and a recovery to the end of the archive looks like a
 * failover in the timeline's history.  But its first start is seen, by the
 * postmaster that loads this library: there is a backup_label, or a
 * recovery.signal, and no standby.signal.  (A standby is what its primary is.
 * Since PostgreSQL 15 a running primary never has a backup_label of its own.)
 *
 * The server names that start, by chance, in a file of the data directory, and
 * wa_arm() writes the name into the stamp.  Where both differ, the database
 * was armed before the backup.  Standbys and later backups take the file along.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "identity/identity.h"

/* In the data directory, which is the working directory of every process. */
#define RESTORED_FILE	"sicantik_wa.restored"
#define NAME_BYTES		8
#define NAME_SIZE		(2 * NAME_BYTES + 1)

/* The name of that start; "" if there was none. */
static char restoration[NAME_SIZE] = "";
static bool known = false;

static bool
is_there(const char *path)
{
	return access(path, F_OK) == 0 || errno != ENOENT;
}

/*
 * Write it, whole or not at all.  Before there is shared memory: none of the
 * server's functions that count files.
 */
static bool
write_name(void)
{
	int			fd = BasicOpenFile(RESTORED_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY);
	bool		ok;

	if (fd < 0)
		return false;
	errno = 0;
	ok = write(fd, restoration, strlen(restoration)) == (ssize_t) strlen(restoration);
	if (!ok && errno == 0)
		errno = ENOSPC;
	if (close(fd) != 0)
		ok = false;
	/* it syncs the file before and the directory after */
	return ok && durable_rename(RESTORED_FILE ".new", RESTORED_FILE, LOG) == 0;
}

/*
 * Called once by the postmaster, from _PG_init, where the library is
 * preloaded: does this server begin as a copy?
 */
void
wa_identity_restored_init(void)
{
	unsigned char random[NAME_BYTES];

	if (!process_shared_preload_libraries_in_progress || IsUnderPostmaster || IsBinaryUpgrade)
		return;
	if (is_there(STANDBY_SIGNAL_FILE) || !(is_there(BACKUP_LABEL_FILE) || is_there(RECOVERY_SIGNAL_FILE)))
		return;
	if (!pg_strong_random(random, sizeof(random)))
		memset(random, 0xff, sizeof(random));
	for (int i = 0; i < NAME_BYTES; i++)
		snprintf(restoration + 2 * i, 3, "%02x", random[i]);
	known = true;
	if (write_name())
		ereport(LOG,
				(errmsg("sicantik_wa: this server starts from a base backup, so it sends nothing until wa_arm() is called")));
	else
		ereport(WARNING,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", RESTORED_FILE),
				 errdetail("This server starts from a base backup, and sicantik_wa sends nothing until wa_arm() is called, or it is restarted."),
				 errhint("Set sicantik_wa.enabled to off before it is restarted.")));
}

/*
 * The name of the start from a base backup that this server goes back to, ""
 * if there was none.
 */
const char *
wa_identity_restoration(void)
{
	int			fd;
	ssize_t		n;

	if (known)
		return restoration;
	fd = OpenTransientFile(RESTORED_FILE, O_RDONLY | PG_BINARY);
	if (fd < 0 && errno != ENOENT)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", RESTORED_FILE)));
	if (fd >= 0)
	{
		n = read(fd, restoration, NAME_SIZE - 1);
		if (n < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", RESTORED_FILE)));
		restoration[n] = '\0';
		CloseTransientFile(fd);
	}
	known = true;
	return restoration;
}

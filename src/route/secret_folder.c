/*-------------------------------------------------------------------------
 *
 * secret_folder.c
 *		Whose folder of credential files is this?
 *
 * A database finds its folder by its name, and a name can be had again: whoever
 * may create databases could make one with the name of a folder that was left
 * behind, and send with the credentials in it.  So the first database that
 * reads a credential there leaves a mark, and no other one is served after
 * that.
 *
 * The mark holds the database's oid and a random key from wa.secret.  The oid
 * alone would not do, since CREATE DATABASE ... OID can choose one, and the
 * key alone not either, since a copy of the database has the same.  A standby
 * has both, and so has a database after pg_upgrade; one that was restored from
 * a dump has not, and somebody who may write the folder has to take the mark
 * away, as the message says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "route/providers.h"
#include "route/secret.h"

/* No credential has such a name: see wa_route_secret_file_name_valid(). */
#define MARK_FILE		".database"
#define MARK_BYTES		128

/* The key's row in wa.secret; no provider has this name. */
#define KEY_PROVIDER	""
#define KEY_NAME		"folder"
#define KEY_BYTES		16

/*
 * Make the key of this database, if it has none.  Called when the extension is
 * created.
 */
void
wa_route_make_folder_key(void)
{
	unsigned char random[KEY_BYTES];
	char		key[2 * KEY_BYTES + 1];

	if (wa_route_read_secret(KEY_PROVIDER, KEY_NAME) != NULL)
		return;
	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random bytes")));
	for (int i = 0; i < KEY_BYTES; i++)
		snprintf(key + 2 * i, 3, "%02x", random[i]);
	wa_route_write_secret(KEY_PROVIDER, KEY_NAME, key);
}

/*
 * Write the mark, whole or not at all.  False with errno if that fails; EEXIST
 * if there is one already.
 */
static bool
write_mark(const char *path, const char *mark)
{
	char	   *draft = psprintf("%s.%d", path, MyProcPid);
	int			fd = OpenTransientFilePerm(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | PG_BINARY,
										   S_IRUSR | S_IWUSR);
	size_t		len = strlen(mark);
	bool		ok;
	int			failed;

	if (fd < 0)
		return false;
	errno = 0;
	ok = write(fd, mark, len) == (ssize_t) len && pg_fsync(fd) == 0;
	if (!ok && errno == 0)
		errno = ENOSPC;
	failed = errno;
	if (CloseTransientFile(fd) != 0 && ok)
	{
		ok = false;
		failed = errno;
	}
	if (ok && link(draft, path) != 0)
	{
		ok = false;
		failed = errno;
	}
	unlink(draft);
	errno = failed;
	return ok;
}

/*
 * Read the mark into buffer (MARK_BYTES).  False with errno if that fails.
 */
static bool
read_mark(const char *path, char *buffer)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | PG_BINARY);
	ssize_t		n;
	int			failed;

	if (fd < 0)
		return false;
	n = read(fd, buffer, MARK_BYTES - 1);
	failed = errno;
	CloseTransientFile(fd);
	errno = failed;
	if (n < 0)
		return false;
	while (n > 0 && strchr(" \t\r\n", buffer[n - 1]))
		n--;
	buffer[n] = '\0';
	return true;
}

/*
 * May this database use the credentials in this folder?  If nobody has used
 * them before, it may, and nobody else after it.  If not, *why is a sentence.
 */
bool
wa_route_folder_is_ours(const char *folder, WaSaid *why)
{
	char	   *path = psprintf("%s/%s", folder, MARK_FILE);
	char	   *key = wa_route_read_secret(KEY_PROVIDER, KEY_NAME);
	char	   *ours = psprintf("%u %s", MyDatabaseId, key ? key : "-");
	char	   *written_by_hand = psprintf("%u", MyDatabaseId);
	char		mark[MARK_BYTES];

	if (!read_mark(path, mark))
	{
		if (errno != ENOENT)
		{
			*why = wa_say(WA_SAY_FILE_NAMED_NOT_READ, path, strerror(errno));
			return false;
		}
		/* a standby sends nothing; once promoted it marks its own folder */
		if (RecoveryInProgress())
			return true;
		if (write_mark(path, psprintf("%s\n", ours)))
			return true;
		if (errno != EEXIST || !read_mark(path, mark))
		{
			*why = wa_say(WA_SAY_CREDENTIAL_FOLDER_NOBODYS, folder, MARK_FILE, strerror(errno),
						  WA_NUMBER(MyDatabaseId), path);
			return false;
		}
	}
	if (strcmp(mark, ours) == 0 || strcmp(mark, written_by_hand) == 0)
		return true;
	*why = wa_say(WA_SAY_CREDENTIAL_FOLDER_OF_OTHER, folder, path);
	return false;
}

/*-------------------------------------------------------------------------
 *
 * secret.c
 *		Credentials: the table wa.secret, and files.
 *
 * The table is read and written by heap access only.  Whatever goes through
 * the executor can come out of it again: in a logged plan, in the detail of
 * an error, in statistics.  Nobody has a grant on the table, it has no index
 * and no constraint that could print a row, and it is never dumped.  Nor does
 * anything of it enter a stream of logical decoding, whoever publishes it: a
 * row is inserted without the part of the WAL record that a decoder reads, and
 * with REPLICA IDENTITY NOTHING a deleted row is not logged at all.
 *
 * A file is better still, because its content never stands in a statement.
 * Its name is a row that the database's owner writes, so it is held to one
 * folder per database below a directory that only a superuser can set.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/pg_compat.h"
#include "route/providers.h"
#include "route/secret.h"
#include "sicantik_wa.h"

/* Columns of wa.secret, from 1. */
enum
{
	SECRET_PROVIDER = 1,
	SECRET_NAME,
	SECRET_VALUE,
	SECRET_COLUMNS = SECRET_VALUE
};

/*
 * Open wa.secret, and make sure that it is the table of our install script.
 * Raises an error if not.
 */
static Relation
open_secrets(LOCKMODE lockmode)
{
	Oid			schema = get_namespace_oid("wa", true);
	Oid			relid = InvalidOid;
	Relation	relation;
	TupleDesc	desc;
	bool		ours;

	if (OidIsValid(schema))
		relid = get_relname_relid("secret", schema);
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table wa.secret does not exist"),
				 errhint("The extension sicantik_wa must be created in this database.")));
	relation = table_open(relid, lockmode);
	desc = RelationGetDescr(relation);
	ours = relation->rd_rel->relkind == RELKIND_RELATION &&
		relation->rd_rel->relowner == BOOTSTRAP_SUPERUSERID &&
		desc->natts == SECRET_COLUMNS;
	for (int i = 0; ours && i < SECRET_COLUMNS; i++)
		ours = TupleDescAttr(desc, i)->atttypid == TEXTOID &&
			!TupleDescAttr(desc, i)->attisdropped;
	if (!ours)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table wa.secret is not the one that the extension created")));
	/* who gives every table without a key a replica identity forgets this one */
	if (lockmode != AccessShareLock &&
		relation->rd_rel->relreplident != REPLICA_IDENTITY_NOTHING)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("credentials would enter the streams of logical replication"),
				 errdetail("Table wa.secret has a replica identity."),
				 errhint("As a superuser: ALTER TABLE wa.secret REPLICA IDENTITY NOTHING.")));
	return relation;
}

static bool
column_is(TupleTableSlot *slot, int column, const char *expected)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return !isnull && strcmp(TextDatumGetCString(value), expected) == 0;
}

/*
 * Delete the rows of a provider: those of this name, or all if name is NULL.
 */
static void
delete_rows(Relation relation, const char *provider, const char *name)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = wa_table_beginscan(relation, snapshot);
	TupleTableSlot *slot = table_slot_create(relation, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		if (column_is(slot, SECRET_PROVIDER, provider) &&
			(name == NULL || column_is(slot, SECRET_NAME, name)))
			simple_heap_delete(relation, &slot->tts_tid);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
}

/*
 * Store a credential, or remove it (value NULL).  Part of the current
 * transaction.  Whether the caller may do that is the caller's to check, and
 * so is the value: see wa_route_secret_valid().
 */
void
wa_route_write_secret(const char *provider, const char *name, const char *value)
{
	/* one writer at a time: nothing else keeps a pair from being there twice */
	Relation	relation = open_secrets(ShareRowExclusiveLock);

	PreventCommandIfReadOnly("wa_configure()");
	delete_rows(relation, provider, name);
	if (value != NULL)
	{
		Datum		values[SECRET_COLUMNS];
		bool		nulls[SECRET_COLUMNS] = {false};
		HeapTuple	tuple;

		values[SECRET_PROVIDER - 1] = CStringGetTextDatum(provider);
		values[SECRET_NAME - 1] = CStringGetTextDatum(name);
		values[SECRET_VALUE - 1] = CStringGetTextDatum(value);
		tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
		heap_insert(relation, tuple, GetCurrentCommandId(true),
					HEAP_INSERT_NO_LOGICAL, NULL);
		heap_freetuple(tuple);
	}
	CommandCounterIncrement();
	table_close(relation, NoLock);
}

/*
 * Remove all credentials of a provider: who makes a new one of an old name
 * must not find the old one's.
 */
void
wa_route_forget_secrets(const char *provider)
{
	Relation	relation = open_secrets(ShareRowExclusiveLock);

	PreventCommandIfReadOnly("wa_configure()");
	delete_rows(relation, provider, NULL);
	CommandCounterIncrement();
	table_close(relation, NoLock);
}

/*
 * The stored credential, palloc()ed in the current context, or NULL.  Reads
 * what is committed now, whatever the isolation level of the transaction.
 */
char *
wa_route_read_secret(const char *provider, const char *name)
{
	Relation	relation = open_secrets(AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = wa_table_beginscan(relation, snapshot);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	char	   *result = NULL;

	while (result == NULL &&
		   table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		value;

		if (!column_is(slot, SECRET_PROVIDER, provider) ||
			!column_is(slot, SECRET_NAME, name))
			continue;
		value = slot_getattr(slot, SECRET_VALUE, &isnull);
		if (!isnull)
			result = TextDatumGetCString(value);
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return result;
}

/*
 * Can this be a credential?  It goes into an HTTP header or a form field: no
 * control characters, not empty.  If not, *why is a clause that does not
 * repeat the value.
 */
bool
wa_route_secret_valid(const char *value, WaSaid *why)
{
	if (value[0] == '\0')
		*why = wa_say(WA_SAY_SECRET_EMPTY);
	else if (wa_route_secret_is_mask(value))
		*why = wa_say(WA_SAY_SECRET_ASTERISKS);
	else if (strlen(value) > WA_SECRET_BYTES)
		*why = wa_say(WA_SAY_SECRET_TOO_LONG, WA_NUMBER(WA_SECRET_BYTES));
	else if (value[0] == ' ' || value[strlen(value) - 1] == ' ')
		*why = wa_say(WA_SAY_SECRET_BLANK_AT_END);
	else
	{
		for (const char *p = value; *p; p++)
		{
			if ((unsigned char) *p < ' ' || *p == 0x7f)
			{
				*why = wa_say(WA_SAY_SECRET_CONTROL_CHARACTER);
				return false;
			}
		}
		return true;
	}
	return false;
}

/*
 * A name without any path: letters, digits, '.', '_' and '-', not beginning
 * with a dot.
 */
bool
wa_route_secret_file_name_valid(const char *file)
{
	return file[0] != '\0' && file[0] != '.' && strlen(file) < 256 &&
		file[strspn(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

/*
 * Is this a file for providers of this kind?  Its name says so: it begins with
 * the kind, and '_', '-' or '.' if more follows.  Each kind has hosts of its
 * own, and a row that names another kind's file must not carry that credential
 * to them.
 */
bool
wa_route_secret_file_of_kind(const char *file, const char *kind)
{
	size_t		len = strlen(kind);

	return strncmp(file, kind, len) == 0 && strchr("_-.", file[len]) != NULL;
}

/*
 * Is this what wa_configure() shows in the place of a credential?
 */
bool
wa_route_secret_is_mask(const char *value)
{
	return value[0] != '\0' && value[strspn(value, "*")] == '\0';
}

/*
 * The credential settings of a kind include one that nothing goes without;
 * "token_file" stands for its file.  Static; NULL if there is none.
 */
const char *
wa_route_primary_secret(const WaGateway *gateway)
{
	for (size_t i = 0; i < gateway->nsettings; i++)
		if (gateway->settings[i].secret && gateway->settings[i].required)
			return gateway->settings[i].name;
	return NULL;
}

/* Trim what an editor or "echo" leaves behind. */
static void
trim_end(char *line)
{
	size_t		len = strlen(line);

	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		line[--len] = '\0';
}

/*
 * Read an open file into buffer (WA_SECRET_BYTES + 2 bytes).  Returns false
 * with a clause if it is not what it should be.
 */
static bool
read_file(int fd, char *buffer, WaSaid *why, bool *exposed)
{
	struct stat st;
	size_t		len = 0;

	if (fstat(fd, &st) != 0)
	{
		*why = wa_say(WA_SAY_FILE_NOT_EXAMINED, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode))
	{
		*why = wa_say(WA_SAY_FILE_NOT_REGULAR);
		return false;
	}

	/*
	 * as PostgreSQL wants it of the key of its certificate: root may let us
	 * read
	 */
	*exposed = (st.st_mode & (st.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO)) != 0;
	while (len <= WA_SECRET_BYTES)
	{
		ssize_t		n = read(fd, buffer + len, WA_SECRET_BYTES + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
		{
			*why = wa_say(WA_SAY_FILE_NOT_READ, strerror(errno));
			return false;
		}
		if (n == 0)
			break;
		len += n;
	}
	buffer[len] = '\0';
	if (len > WA_SECRET_BYTES)
	{
		*why = wa_say(WA_SAY_FILE_TOO_LONG, WA_NUMBER(WA_SECRET_BYTES));
		return false;
	}
	if (strlen(buffer) != len)
	{
		*why = wa_say(WA_SAY_FILE_CONTROL_CHARACTER);
		return false;
	}
	return true;
}

/*
 * Several secrets stand one a line in a file, and apart by blanks in a value.
 */
static void
join_lines(char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '\n' || *text == '\r')
			*text = ' ';
}

/*
 * Read a credential of a provider of this kind from a file of this database's
 * folder; several: there may be more than one, a line each.  Returns it palloc()ed, or NULL with *why, a sentence that names the file and never its
 * content.  Raises no error for anything the file system or a row can hold.
 * *exposed: others on the machine may read the file, or write it.
 */
char *
wa_route_try_secret_file(const char *file, const char *kind, bool several, WaSaid *why, bool *exposed)
{
	char	   *database = get_database_name(MyDatabaseId);
	WaSaid		clause = NULL;
	char	   *folder;
	char	   *path;
	char	   *buffer;
	int			fd;
	bool		ok;

	*why = NULL;
	*exposed = false;
	if (!wa_route_secret_file_name_valid(file))
	{
		*why = wa_say(WA_SAY_CREDENTIAL_FILE_NAME_NOT_PLAIN);
		return NULL;
	}
	if (!wa_route_secret_file_of_kind(file, kind))
	{
		*why = wa_say(WA_SAY_CREDENTIAL_FILE_OTHER_KIND, file, kind);
		return NULL;
	}
	if (wa_guc_secrets_directory == NULL || wa_guc_secrets_directory[0] == '\0')
	{
		*why = wa_say(WA_SAY_CREDENTIAL_FOLDER_NOT_SET, file);
		return NULL;
	}
	if (database == NULL || database[0] == '.' || strchr(database, '/'))
	{
		*why = wa_say(WA_SAY_CREDENTIAL_FOLDER_NAME, file);
		return NULL;
	}

	folder = psprintf("%s/%s", wa_guc_secrets_directory, database);
	path = psprintf("%s/%s", folder, file);
	fd = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | PG_BINARY);
	if (fd < 0)
	{
		if (errno == ELOOP)
			*why = wa_say(WA_SAY_CREDENTIAL_FILE_IS_LINK, path);
		else
			*why = wa_say(WA_SAY_CREDENTIAL_FILE_NOT_OPENED, path, strerror(errno));
		return NULL;
	}
	buffer = palloc(WA_SECRET_BYTES + 2);
	ok = read_file(fd, buffer, &clause, exposed);
	CloseTransientFile(fd);
	if (!ok)
		*why = wa_say(WA_SAY_CREDENTIAL_FILE_IS, path, clause);
	else
	{
		trim_end(buffer);
		if (several)
			join_lines(buffer);
		ok = wa_route_secret_valid(buffer, &clause);
		if (ok && !pg_verifymbstr(buffer, strlen(buffer), true))
		{
			ok = false;
			clause = wa_say(WA_SAY_SECRET_NOT_IN_ENCODING);
		}
		if (!ok)
			*why = wa_say(WA_SAY_CREDENTIAL_FILE_CONTENT, path, clause);
	}
	if (ok)
		ok = wa_route_folder_is_ours(folder, why);
	if (ok)
		return buffer;
	explicit_bzero(buffer, WA_SECRET_BYTES + 2);
	pfree(buffer);
	return NULL;
}

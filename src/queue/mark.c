/*-------------------------------------------------------------------------
 *
 * mark.c
 *		Our mark on a request, by which a provider's report finds its attempt.
 *
 * Meta sends it back with what it tells of a message, to every app that hears
 * of its number: two databases may use one number, and their messages have the
 * same ids.  So the mark names the database, as wa_arm() has called it.
 *
 * "swa:1:" database ":" message ":" attempt.  Meta takes 512 characters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "queue/tell.h"

#define BEGINS			"swa:1:"

/* Figures of what follows the database, and the colon between. */
#define LONGEST_REST	30
#define MOST_ATTEMPTS	1000000

/*
 * The mark of an attempt, palloc()ed; database: wa.identity.mark.
 */
char *
wa_queue_mark(const char *database, int64 message, int attempt)
{
	return psprintf(BEGINS "%s:" INT64_FORMAT ":%d", database, message, attempt);
}

/*
 * Read a mark, which may be anything, NULL too.  False: it is none of ours, or
 * of another database than this one (NULL: it has no name).
 */
bool
wa_queue_read_mark(const char *mark, const char *database, int64 *message, int *attempt)
{
	size_t		len;
	char	   *end;
	int64		id;
	int64		number;

	if (mark == NULL || database == NULL || strncmp(mark, BEGINS, strlen(BEGINS)) != 0)
		return false;
	mark += strlen(BEGINS);
	len = strlen(database);
	if (strncmp(mark, database, len) != 0 || mark[len] != ':')
		return false;
	mark += len + 1;
	if (strspn(mark, "0123456789:") != strlen(mark) || strlen(mark) > LONGEST_REST)
		return false;
	id = strtoll(mark, &end, 10);
	if (*end != ':')
		return false;
	number = strtoll(end + 1, &end, 10);
	if (*end != '\0' || id <= 0 || id == PG_INT64_MAX || number <= 0 || number > MOST_ATTEMPTS)
		return false;
	*message = id;
	*attempt = (int) number;
	return true;
}

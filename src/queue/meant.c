/*-------------------------------------------------------------------------
 *
 * meant.c
 *		Digits that may be either of two numbers.
 *
 * 819012345678 is how Indonesians write +62 819-0123-45678 when they leave the
 * zero out, and how the ledger has the Japanese +81 90 1234 5678; Korea, Vietnam
 * and China begin with an 8, too.  Without the plus the first one is meant, as
 * everywhere, unless somebody may have copied the other one from the ledger:
 * then nobody is guessed at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/query.h"
#include "queue/queue.h"
#include "text/text.h"

/* Has a number of these digits been written to, or said something? */
static bool
is_known(const char *number)
{
	static WaStatement look =
		WA_STATEMENT("SELECT EXISTS (SELECT FROM wa.message WHERE number = $1) OR EXISTS (SELECT FROM wa.contact WHERE number = $1)");
	WaArgs		args = {0};
	WaRows		rows;
	bool		known;

	wa_arg_text(&args, number);
	rows = wa_query(&look, &args);
	known = wa_row_bool(rows, 0, 1);
	wa_rows_free(rows);
	return known;
}

/*
 * A person has written "given", which wa_text_normalize_number() reads as
 * "number" (E.164 digits): raise an error if he may mean another one.
 */
void
wa_queue_refuse_ambiguous(const char *given, const char *number)
{
	char		digits[WA_NUMBER_SIZE];
	size_t		len;

	given += strspn(given, " \t\r\n");
	len = strspn(given, "0123456789");

	/*
	 * no number of the ledger's begins with a zero, and most that people
	 * write do
	 */
	if (given[0] == '0' || len >= sizeof(digits) || given[len + strspn(given + len, " \t\r\n")] != '\0')
		return;
	strlcpy(digits, given, len + 1);
	if (strcmp(digits, number) != 0 && is_known(digits))
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
				 errmsg("these digits may be either of two numbers"),
				 errdetail("They are an Indonesian number without its zero, and one of another country that the ledger has."),
				 errhint("Write it with its plus: +62 and the digits, or a plus and the digits.")));
}

/*-------------------------------------------------------------------------
 *
 * look_up.c
 *		The numbers of contacts as they are now.
 *
 * For a message that is tried again: what was wrong may have been its number,
 * and somebody has corrected the contact since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/compose.h"

/*
 * Fill in what is known now of n contacts, whose partner_id is given; equal
 * ones may come more than once.  Strings are palloc()ed in the current
 * context.  Returns false, with nothing filled in, if the table of contacts is
 * locked: nobody waits for it.  SPI connected, the database's owner acting.
 */
bool
wa_look_up_contacts(const char *schema, WaContactNow *contacts, int n)
{
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	WaBatch		batch = {0};
	WaAppTable	table;

	batch.schema = schema;
	for (int i = 0; i < n; i++)
		ids[i] = contacts[i].partner_id;
	if (!wa_people_load_partners(&batch, ids, n))
		return false;

	/* locked by now, or not there: no waiting */
	if (wa_app_open(&table, schema, "res_partner") == WA_APP_LOCKED)
		return false;
	for (int i = 0; i < n; i++)
	{
		const WaRecipient *recipient = wa_people_partner(&batch, ids[i]);

		contacts[i].state = WA_CONTACT_NOT_READ;
		if (table.state != WA_APP_READY || !wa_app_has_column(&table, "id"))
			continue;
		contacts[i].state = WA_CONTACT_GONE;
		if (recipient == NULL)
			continue;
		contacts[i].state = recipient->number ? WA_CONTACT_HAS_NUMBER : WA_CONTACT_NO_NUMBER;
		contacts[i].number = recipient->number;
		contacts[i].source = recipient->number_source;
		contacts[i].tried = recipient->tried;
	}
	return true;
}

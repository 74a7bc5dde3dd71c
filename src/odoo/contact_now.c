/*-------------------------------------------------------------------------
 *
 * contact_now.c
 *		The numbers of contacts as they are now.
 *
 * For a message that is tried again: what was wrong may have been its number,
 * and somebody has corrected the contact since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "odoo/people.h"
#include "pg/app_limit.h"
#include "pg/subtransaction.h"

typedef struct Look
{
	const char *schema;
	WaContactNow *contacts;
	int			n;
	bool		had;			/* false: the table is locked */
} Look;

static bool
look(void *argument)
{
	Look	   *looking = argument;
	int64	   *ids = palloc(sizeof(int64) * Max(looking->n, 1));
	WaOdoo		odoo = {.schema = looking->schema};
	WaAppTable	table;

	for (int i = 0; i < looking->n; i++)
		ids[i] = looking->contacts[i].partner_id;
	if (!wa_odoo_load_partners(&odoo, ids, looking->n))
		return true;

	/* locked by now, or not there: no waiting */
	if (wa_app_open(&table, looking->schema, "res_partner") == WA_APP_LOCKED)
		return true;
	looking->had = true;
	if (table.state != WA_APP_READY || !wa_app_has_column(&table, "id"))
		return true;
	for (int i = 0; i < looking->n; i++)
	{
		WaContactNow *contact = &looking->contacts[i];
		const WaRecipient *recipient = wa_odoo_partner(&odoo, ids[i]);

		contact->state = WA_CONTACT_GONE;
		if (recipient == NULL)
			continue;
		contact->state = recipient->number ? WA_CONTACT_HAS_NUMBER : WA_CONTACT_NO_NUMBER;
		contact->number = recipient->number;
		contact->source = recipient->number_source;
		contact->tried = recipient->tried;
	}
	return true;
}

/*
 * Fill in what is known now of n contacts, whose partner_id is given; equal
 * ones may come more than once.  Strings are palloc()ed in the current
 * context.  Returns false, with nothing filled in, if the table of contacts is
 * locked: nobody waits for it.  SPI connected, the database's owner acting.
 *
 * A table that cannot be read at all leaves the numbers as they were: the
 * sender, who reads it too, says what is wrong with it.
 */
bool
wa_odoo_contacts_now(const char *schema, WaContactNow *contacts, int n)
{
	Look		looking = {schema, contacts, n, false};
	ErrorData  *error;

	for (int i = 0; i < n; i++)
		contacts[i].state = WA_CONTACT_NOT_READ;
	error = wa_pg_attempt(look, &looking);
	if (error == NULL)
		return looking.had;
	/* it takes too long, so it counts as locked */
	if (wa_app_limit_raised(error))
		return false;
	for (int i = 0; i < n; i++)
		contacts[i].state = WA_CONTACT_NOT_READ;
	return true;
}

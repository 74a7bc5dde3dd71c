/*-------------------------------------------------------------------------
 *
 * people.c
 *		Who gets a message: partners, staff, and their numbers.
 *
 * The number is the first usable of whatsapp_number, mobile, phone and
 * phone_sanitized; an Odoo may lack some of them.  Staff are internal users (active,
 * not shared): the followers of a record, the members of a group, which since
 * Odoo 19 holds the members of every group that implies it, the user that a
 * record names, or all of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "odoo/people.h"
#include "pg/grow.h"
#include "text/text.h"

typedef struct Follower
{
	const char *model;
	int64		record_id;
	int64		partner_id;
} Follower;

/* Partners of the internal users of a group; without a name, of all. */
typedef struct StaffGroup
{
	const char *name;
	bool		known;			/* there is such a group */
	int			n;
	int64	   *members;
} StaffGroup;

/* An internal user. */
typedef struct User
{
	int64		id;
	int64		partner_id;
} User;

struct WaPeople
{
	int			npartners;
	WaRecipient *partners;
	uint64		layout;			/* of their versions */
	int			nfollowers;
	Follower   *followers;
	int			ngroups;
	StaffGroup *groups;
	int			nusers;
	User	   *users;
};

/*
 * phone_sanitized comes last and counts only where Odoo has nothing in the
 * fields that it makes it from.  It is libphonenumber's reading of them, which
 * takes "0811-000-123 (2)" for an eleven-digit number: a stranger's, and one
 * that looks right.  Where we read no number in the field itself, nobody is
 * told, and the reason names the field.
 */
enum
{
	C_WHATSAPP, C_MOBILE, C_PHONE, C_SANITIZED, NUMBER_COLUMNS
};

static const char *const number_columns[] = {
	[C_WHATSAPP] = "whatsapp_number",[C_MOBILE] = "mobile",[C_PHONE] = "phone",
	[C_SANITIZED] = "phone_sanitized"
};

static struct WaPeople *
people_of(WaOdoo *odoo)
{
	if (odoo->people == NULL)
		odoo->people = palloc0(sizeof(struct WaPeople));
	return odoo->people;
}

/*
 * Put the first usable number into the recipient, or say what was looked at.
 */
static void
choose_number(WaRecipient *recipient, const WaAppTable *table, char **values)
{
	WaSaid		tried = NULL;
	char		number[WA_NUMBER_SIZE];

	for (int i = 0; i < NUMBER_COLUMNS; i++)
	{
		WaSaid		looked_at;

		if (!wa_app_has_column(table, number_columns[i]))
			continue;
		if (i == C_SANITIZED &&
			!(wa_text_is_nothing(values[C_MOBILE]) && wa_text_is_nothing(values[C_PHONE])))
			continue;
		if (wa_text_is_nothing(values[i]))
			looked_at = wa_say(WA_SAY_COLUMN_EMPTY, number_columns[i]);
		else if (wa_text_normalize_number(values[i], number))
		{
			recipient->number = pstrdup(number);
			recipient->number_source = wa_said_quote(psprintf("res_partner.%s", number_columns[i]));
			return;
		}
		else
			looked_at = wa_say(WA_SAY_COLUMN_NOT_MOBILE, number_columns[i]);
		tried = tried ? wa_say(WA_SAY_AND_THEN, tried, looked_at) : looked_at;
	}
	recipient->tried = tried;
}

/* What a message is made from of a contact. */
static const char *const partner_columns[] = {
	"whatsapp_number", "mobile", "phone", "phone_sanitized", "id", "name", "active"
};

/*
 * Read partners by id, adding to those already known.  Returns false if the
 * table could not be had now.
 */
bool
wa_odoo_load_partners(WaOdoo *odoo, const int64 *ids, int n)
{
	struct WaPeople *people = people_of(odoo);
	WaAppTable	table;
	WaAppRows	rows;

	if (!wa_odoo_open(odoo, &table, "res_partner"))
		return false;
	odoo->no_contacts = table.state != WA_APP_READY;
	if (table.state != WA_APP_READY || n == 0)
		return true;
	wa_app_read_versions(&rows, &table, partner_columns, lengthof(partner_columns), ids, n);
	people->layout = rows.layout;
	WA_ROOM_FOR(people->partners, people->npartners, (int) rows.n);
	for (uint64 r = 0; r < rows.n; r++)
	{
		WaRecipient *recipient = &people->partners[people->npartners];

		if (wa_odoo_partner(odoo, wa_odoo_id(rows.values[r][4])))
			continue;
		memset(recipient, 0, sizeof(*recipient));
		recipient->partner_id = wa_odoo_id(rows.values[r][4]);
		recipient->name = wa_text_is_nothing(rows.values[r][5]) ? NULL : rows.values[r][5];
		if (rows.layout != 0)
			recipient->version = rows.versions[r];
		choose_number(recipient, &table, rows.values[r]);
		if (rows.values[r][6] && !wa_odoo_is_true(rows.values[r][6]))
		{
			/* beside the number, since the route overwrites the note */
			recipient->note = wa_say(WA_SAY_CONTACT_ARCHIVED);
			if (recipient->number)
				recipient->number_source = wa_say(WA_SAY_OF_ARCHIVED_CONTACT, recipient->number_source);
		}
		people->npartners++;
	}
	return true;
}

/*
 * What the versions of these partners go with; 0: they have none.
 */
uint64
wa_odoo_partner_layout(const WaOdoo *odoo)
{
	return odoo->people ? odoo->people->layout : 0;
}

/*
 * Versions of contacts are going to be looked at; wa_app_look_end().  Returns
 * false if the table could not be had now.
 */
bool
wa_odoo_look_at_partners(WaOdoo *odoo, WaAppLook *look)
{
	WaAppTable	table;

	if (!wa_odoo_open(odoo, &table, "res_partner"))
		return false;
	odoo->no_contacts = table.state != WA_APP_READY;
	wa_app_look_begin(look, &table, partner_columns, lengthof(partner_columns));
	return true;
}

/*
 * The partner of this id, or NULL.
 */
WaRecipient *
wa_odoo_partner(WaOdoo *odoo, int64 partner_id)
{
	struct WaPeople *people = people_of(odoo);

	for (int i = 0; i < people->npartners; i++)
		if (people->partners[i].partner_id == partner_id)
			return &people->partners[i];
	return NULL;
}

/* Of these rows of res_users, the internal users. */
static const char *const user_columns[] = {"id", "partner_id", "active", "share"};

static int
internal_users(const WaAppRows *rows, User **list)
{
	int			count = 0;

	*list = palloc(sizeof(User) * Max(rows->n, 1));
	for (uint64 r = 0; r < rows->n; r++)
	{
		char	  **row = rows->values[r];

		if (!wa_odoo_is_true(row[2]) || wa_odoo_is_true(row[3]) || row[1] == NULL)
			continue;
		(*list)[count].id = wa_odoo_id(row[0]);
		(*list)[count++].partner_id = wa_odoo_id(row[1]);
	}
	return count;
}

/* Partner ids of internal users among the rows that match. */
static int
internal_partners(const WaAppTable *users, const char *key, const int64 *ids, int n,
				  int64 **partners)
{
	WaAppRows	rows;
	User	   *list;
	int			count;

	*partners = NULL;
	if (users->state != WA_APP_READY || n == 0)
		return 0;
	wa_app_read_by_id(&rows, users, user_columns, lengthof(user_columns), key, ids, n);
	count = internal_users(&rows, &list);
	*partners = palloc(sizeof(int64) * Max(count, 1));
	for (int i = 0; i < count; i++)
		(*partners)[i] = list[i].partner_id;
	return count;
}

static void
load_followers(struct WaPeople *people, const WaAppTable *table, const WaAppTable *users,
			   const char *model, const int64 *ids, int n)
{
	static const char *const columns[] = {"res_id", "partner_id", "res_model"};
	WaAppRows	rows;
	int64	   *partners;
	int64	   *internal;
	int			npartners = 0;
	int			ninternal;

	if (table->state != WA_APP_READY || n == 0)
		return;
	wa_app_read_by_id(&rows, table, columns, lengthof(columns), "res_id", ids, n);
	partners = palloc(sizeof(int64) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
		if (rows.values[r][2] && strcmp(rows.values[r][2], model) == 0 && rows.values[r][1])
			partners[npartners++] = wa_odoo_id(rows.values[r][1]);
	ninternal = internal_partners(users, "partner_id", partners, npartners, &internal);
	WA_ROOM_FOR(people->followers, people->nfollowers, (int) rows.n);
	for (uint64 r = 0; r < rows.n; r++)
	{
		int64		partner = wa_odoo_id(rows.values[r][1]);

		if (rows.values[r][2] == NULL || strcmp(rows.values[r][2], model) != 0)
			continue;
		for (int i = 0; i < ninternal; i++)
		{
			if (internal[i] != partner)
				continue;
			people->followers[people->nfollowers].model = model;
			people->followers[people->nfollowers].record_id = wa_odoo_id(rows.values[r][0]);
			people->followers[people->nfollowers++].partner_id = partner;
			break;
		}
	}
}

/* The id of the group "module.name", or 0. */
static int64
find_group(const WaAppTable *names, const char *group)
{
	static const char *const columns[] = {"module", "model", "res_id"};
	const char *dot = strchr(group, '.');
	const char *name;
	WaAppRows	rows;

	if (names->state != WA_APP_READY || dot == NULL)
		return 0;
	name = dot + 1;
	wa_app_read_by_text(&rows, names, columns, lengthof(columns), "name", &name, 1);
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];

		if (row[0] && strlen(row[0]) == (size_t) (dot - group) &&
			strncmp(row[0], group, dot - group) == 0 &&
			row[1] && strcmp(row[1], "res.groups") == 0)
			return wa_odoo_id(row[2]);
	}
	return 0;
}

/* Add to the list of groups those that imply one of it, and so on. */
static int
add_implying(const WaAppTable *implied, int64 *groups, int n, int max)
{
	static const char *const columns[] = {"gid"};
	int			done = 0;

	while (implied->state == WA_APP_READY && done < n)
	{
		WaAppRows	rows;
		int			before = n;

		wa_app_read_by_id(&rows, implied, columns, lengthof(columns), "hid",
						  &groups[done], n - done);
		done = before;
		for (uint64 r = 0; r < rows.n && n < max; r++)
		{
			int64		group = wa_odoo_id(rows.values[r][0]);
			bool		known = false;

			for (int i = 0; i < n; i++)
				known = known || groups[i] == group;
			if (!known)
				groups[n++] = group;
		}
	}
	return n;
}

#define MAX_GROUPS	200

/* The partners of a group's internal members; *known: there is such a group. */
static int
read_members(WaAppTable *tables, const WaAppTable *users, const char *group,
			 int64 **members, bool *known)
{
	static const char *const columns[] = {"uid"};
	int64		groups[MAX_GROUPS];
	int			ngroups;
	WaAppRows	rows;
	int64	   *uids;

	*members = NULL;
	groups[0] = find_group(&tables[0], group);
	*known = groups[0] != 0;
	if (groups[0] == 0 || tables[2].state != WA_APP_READY)
		return 0;
	ngroups = add_implying(&tables[1], groups, 1, MAX_GROUPS);
	wa_app_read_by_id(&rows, &tables[2], columns, lengthof(columns), "gid", groups, ngroups);
	uids = palloc(sizeof(int64) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
		uids[r] = wa_odoo_id(rows.values[r][0]);
	return internal_partners(users, "id", uids, (int) rows.n, members);
}

static const StaffGroup *
find_loaded(const struct WaPeople *people, const char *group)
{
	for (int i = 0; i < people->ngroups; i++)
	{
		const char *name = people->groups[i].name;

		if (name == group || (name && group && strcmp(name, group) == 0))
			return &people->groups[i];
	}
	return NULL;
}

/*
 * Read the internal users of a group "module.name", or all if group is NULL;
 * the string must live as long as the odoo.  Returns false if a table could
 * not be had now.
 */
bool
wa_odoo_load_group(WaOdoo *odoo, const char *group)
{
	static const char *const names[] = {
		"ir_model_data", "res_groups_implied_rel", "res_groups_users_rel"
	};
	struct WaPeople *people = people_of(odoo);
	WaAppTable	users;
	WaAppTable	tables[lengthof(names)] = {0};
	StaffGroup	loaded = {0};

	if (find_loaded(people, group))
		return true;
	if (!wa_odoo_open(odoo, &users, "res_users"))
		return false;
	for (size_t i = 0; group && i < lengthof(names); i++)
		if (!wa_odoo_open(odoo, &tables[i], names[i]))
			return false;
	loaded.name = group;
	if (group)
		loaded.n = read_members(tables, &users, group, &loaded.members, &loaded.known);
	else
	{
		WaAppRows	rows;
		User	   *list;

		wa_app_read_by_bool(&rows, &users, user_columns, lengthof(user_columns),
							"active", true);
		loaded.n = internal_users(&rows, &list);
		loaded.members = palloc(sizeof(int64) * Max(loaded.n, 1));
		for (int i = 0; i < loaded.n; i++)
			loaded.members[i] = list[i].partner_id;
	}
	WA_ROOM_FOR(people->groups, people->ngroups, 1);
	people->groups[people->ngroups++] = loaded;
	return wa_odoo_load_partners(odoo, loaded.members, loaded.n);
}

/*
 * Read users by id, adding to those already known.  Returns false if a table
 * could not be had now.
 */
bool
wa_odoo_load_users(WaOdoo *odoo, const int64 *ids, int n)
{
	struct WaPeople *people = people_of(odoo);
	WaAppTable	users;
	WaAppRows	rows;
	User	   *list;
	int64	   *partners;
	int			count;

	if (!wa_odoo_open(odoo, &users, "res_users"))
		return false;
	if (users.state != WA_APP_READY || n == 0)
		return true;
	wa_app_read_by_id(&rows, &users, user_columns, lengthof(user_columns), "id", ids, n);
	count = internal_users(&rows, &list);
	WA_ROOM_FOR(people->users, people->nusers, count);
	partners = palloc(sizeof(int64) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		people->users[people->nusers++] = list[i];
		partners[i] = list[i].partner_id;
	}
	return wa_odoo_load_partners(odoo, partners, count);
}

/*
 * Read the staff that messages about these records go to: internal followers,
 * and the members of "group" if one is named.  Returns false if a table could
 * not be had now.
 */
bool
wa_odoo_load_staff(WaOdoo *odoo, const char *model, const int64 *ids, int n,
				   const char *group)
{
	struct WaPeople *people = people_of(odoo);
	WaAppTable	followers;
	WaAppTable	users;
	int64	   *partners;
	int			before = people->nfollowers;

	if (!wa_odoo_open(odoo, &followers, "mail_followers") ||
		!wa_odoo_open(odoo, &users, "res_users"))
		return false;
	if (group && !wa_odoo_load_group(odoo, group))
		return false;
	load_followers(people, &followers, &users, model, ids, n);
	partners = palloc(sizeof(int64) * Max(people->nfollowers - before, 1));
	for (int i = before; i < people->nfollowers; i++)
		partners[i - before] = people->followers[i].partner_id;
	return wa_odoo_load_partners(odoo, partners, people->nfollowers - before);
}

static List *
add_person(WaOdoo *odoo, List *list, int64 partner_id)
{
	WaRecipient *known = wa_odoo_partner(odoo, partner_id);
	WaRecipient *copy;
	ListCell   *cell;

	if (known == NULL)
		return list;
	foreach(cell, list)
	{
		if (((WaRecipient *) lfirst(cell))->partner_id == partner_id)
			return list;
	}
	copy = palloc(sizeof(WaRecipient));
	*copy = *known;
	copy->is_staff = true;
	return lappend(list, copy);
}

/*
 * The internal users of a group, or all if group is NULL, each person once;
 * wa_odoo_load_group() must have read it.
 */
List *
wa_odoo_group(WaOdoo *odoo, const char *group)
{
	const StaffGroup *loaded = find_loaded(people_of(odoo), group);
	List	   *list = NIL;

	for (int i = 0; loaded && i < loaded->n; i++)
		list = add_person(odoo, list, loaded->members[i]);
	return list;
}

/*
 * Does Odoo know a group of this name?  As for wa_odoo_group().
 */
bool
wa_odoo_group_known(WaOdoo *odoo, const char *group)
{
	const StaffGroup *loaded = find_loaded(people_of(odoo), group);

	return loaded && loaded->known;
}

/*
 * The internal user of this id as a recipient, or NULL if there is none or it
 * is inactive or a portal user.
 */
WaRecipient *
wa_odoo_user(WaOdoo *odoo, int64 user_id)
{
	struct WaPeople *people = people_of(odoo);
	List	   *list = NIL;

	for (int i = 0; i < people->nusers && list == NIL; i++)
		if (people->users[i].id == user_id)
			list = add_person(odoo, list, people->users[i].partner_id);
	return list ? linitial(list) : NULL;
}

/*
 * The staff concerned by one record, each person once.
 */
List *
wa_odoo_staff(WaOdoo *odoo, const char *model, int64 id, const char *group)
{
	struct WaPeople *people = people_of(odoo);
	const StaffGroup *loaded = group ? find_loaded(people, group) : NULL;
	List	   *list = NIL;

	for (int i = 0; i < people->nfollowers; i++)
		if (people->followers[i].record_id == id &&
			strcmp(people->followers[i].model, model) == 0)
			list = add_person(odoo, list, people->followers[i].partner_id);
	for (int i = 0; loaded && i < loaded->n; i++)
		list = add_person(odoo, list, loaded->members[i]);
	return list;
}

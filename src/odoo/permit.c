/*-------------------------------------------------------------------------
 *
 * permit.c
 *		Permits as they are now.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/lsyscache.h"

#include "odoo/permit.h"
#include "text/text.h"

typedef struct Type
{
	int64		id;
	char	   *name;
} Type;

/* The permits of a batch and what goes with them. */
struct WaPermits
{
	int			n;
	WaPermit   *list;			/* in the order of ids */
	uint64		layout;			/* of their versions */
	int			ntypes;
	Type	   *types;			/* in the order of ids */
	int			nlabels;
	char	  **label_values;	/* status */
	char	  **labels;			/* as a citizen reads it */
	uint64		label_facts;	/* all of them, as one number */
};

enum
{
	P_ID, P_REGISTRATION_ID, P_PERMIT_NUMBER, P_APPLICANT_NAME, P_PERMIT_TYPE_ID,
	P_PERMIT_TYPE_NAME, P_PARTNER_ID, P_STATUS, P_ISSUE_DATE, P_EXPIRY_DATE,
	P_RECEIVED_DATE, P_IS_RENEWAL
};

static const char *const permit_columns[] = {
	"id", "registration_id", "permit_number", "applicant_name", "permit_type_id",
	"permit_type_name", "partner_id", "status", "issue_date", "expiry_date",
	"received_date", "is_renewal"
};

/* Our own words for the states that the module is known to have. */
static const struct
{
	const char *status;
	const char *label;
}			own_labels[] =
{
	{"draft", "Draf"},
	{"active", "Aktif"},
	{"expired", "Kedaluwarsa"},
	{"renewed", "Diperpanjang"},
	{"cancelled", "Dibatalkan"},
};

static bool
is_jsonb(const WaAppTable *table, const char *column)
{
	AttrNumber	attnum = get_attnum(table->relid, column);

	return attnum > 0 && get_atttype(table->relid, attnum) == JSONBOID;
}

/* Read these types: those whose name says something. */
static void
load_types(struct WaPermits *permits, const WaAppTable *table, const WaAppTable *translations,
		   const int64 *ids, int n)
{
	static const char *const columns[] = {"id", "name"};
	WaAppRows	rows;
	bool		translated = is_jsonb(table, "name");
	char	  **indonesian = NULL;

	if (table->state != WA_APP_READY || n == 0)
		return;
	wa_app_read_by_id(&rows, table, columns, lengthof(columns), "id", ids, n);
	if (!translated)
		indonesian = wa_odoo_translations(translations, "sicantik.permit.type,name", ids, n);
	permits->types = palloc(sizeof(Type) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
	{
		int64		id = wa_odoo_id(rows.values[r][0]);
		char	   *name = wa_odoo_translated(rows.values[r][1], translated);

		for (int i = 0; i < n && indonesian; i++)
			if (ids[i] == id && indonesian[i])
				name = indonesian[i];
		if (!wa_text_is_nothing(name))
			permits->types[permits->ntypes++] = (Type)
		{
			id, name
		};
	}
	qsort(permits->types, permits->ntypes, sizeof(Type), wa_odoo_by_id);
}

/* What the type of this id is called; NULL: there is no such one. */
static char *
type_name(const struct WaPermits *permits, int64 id)
{
	Type	   *type = permits->ntypes == 0 ? NULL :
		bsearch(&id, permits->types, permits->ntypes, sizeof(Type), wa_odoo_by_id);

	return type ? type->name : NULL;
}

static bool
has_own_label(const char *status)
{
	for (size_t i = 0; i < lengthof(own_labels); i++)
		if (strcmp(own_labels[i].status, status) == 0)
			return true;
	return false;
}

/*
 * Labels of the states: Odoo's, in Indonesian; what it has none for is found
 * among our own when asked for, then English, then the raw value.  A jsonb
 * label says which language it is in.  A plain one may be in any: one that
 * only repeats the raw value is English.
 */
static void
load_labels(WaOdoo *odoo, const WaAppTable *fields, const WaAppTable *selections,
			const WaAppTable *translations)
{
	static const char *const field_columns[] = {"id", "name"};
	static const char *const selection_columns[] = {"value", "name", "id"};
	static const char *const model[] = {"sicantik.permit"};
	struct WaPermits *permits = odoo->permits;
	WaAppRows	rows;
	int64		field = 0;
	int64	   *ids;
	char	  **indonesian = NULL;
	bool		translated;

	if (fields->state != WA_APP_READY || selections->state != WA_APP_READY)
		return;
	wa_app_read_by_text(&rows, fields, field_columns, lengthof(field_columns),
						"model", model, 1);
	for (uint64 r = 0; r < rows.n; r++)
		if (rows.values[r][1] && strcmp(rows.values[r][1], "status") == 0)
			field = wa_odoo_id(rows.values[r][0]);
	if (field == 0)
		return;
	translated = is_jsonb(selections, "name");
	wa_app_read_by_id(&rows, selections, selection_columns, lengthof(selection_columns),
					  "field_id", &field, 1);
	permits->label_values = palloc0(sizeof(char *) * Max(rows.n, 1));
	permits->labels = palloc0(sizeof(char *) * Max(rows.n, 1));
	ids = palloc(sizeof(int64) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
		ids[r] = wa_odoo_id(rows.values[r][2]);
	if (!translated)
		indonesian = wa_odoo_translations(translations, "ir.model.fields.selection,name",
										  ids, rows.n);
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	   *status = rows.values[r][0];
		char	   *name = rows.values[r][1];
		bool		is_indonesian;

		if (status == NULL || name == NULL)
			continue;
		if (translated)
			is_indonesian = strstr(name, "\"id_ID\"") != NULL;
		else
			is_indonesian = indonesian[r] != NULL || pg_strcasecmp(name, status) != 0;
		if (!is_indonesian && has_own_label(status))
			continue;
		permits->label_values[permits->nlabels] = status;
		permits->labels[permits->nlabels++] = indonesian && indonesian[r] ? indonesian[r] :
			wa_odoo_translated(name, translated);
	}
}

/* Read permits; their types have no name yet. */
static void
read_permits(struct WaPermits *permits, const WaAppTable *table, const int64 *ids, int n)
{
	WaAppRows	rows;

	if (n == 0)
		return;
	wa_app_read_versions(&rows, table, permit_columns, lengthof(permit_columns), ids, n);
	permits->list = palloc0(sizeof(WaPermit) * Max(rows.n, 1));
	permits->layout = rows.layout;
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		WaPermit   *p = &permits->list[permits->n++];

		p->id = wa_odoo_id(row[P_ID]);
		p->registration_id = wa_odoo_filled(row[P_REGISTRATION_ID]) ? row[P_REGISTRATION_ID] : NULL;
		p->permit_number = wa_odoo_numbered(row[P_PERMIT_NUMBER]) ? row[P_PERMIT_NUMBER] : NULL;
		p->applicant_name = wa_odoo_filled(row[P_APPLICANT_NAME]) ? row[P_APPLICANT_NAME] : NULL;
		p->permit_type_id = wa_odoo_id(row[P_PERMIT_TYPE_ID]);
		p->permit_type_name = wa_odoo_filled(row[P_PERMIT_TYPE_NAME]) ? row[P_PERMIT_TYPE_NAME] : NULL;
		p->permit_type = p->permit_type_name;
		p->partner_id = wa_odoo_id(row[P_PARTNER_ID]);
		p->status = row[P_STATUS];
		p->issue_date = row[P_ISSUE_DATE];
		p->expiry_date = row[P_EXPIRY_DATE];
		p->received_date = row[P_RECEIVED_DATE];
		p->is_renewal = wa_odoo_is_true(row[P_IS_RENEWAL]);
		if (rows.layout != 0)
			p->version = rows.versions[r];
	}
	qsort(permits->list, permits->n, sizeof(WaPermit), wa_odoo_by_id);
}

/* Those permits, and the words for them and for permits of these types. */
static bool
load(WaOdoo *odoo, const int64 *ids, int n, const int64 *type_ids, int ntypes)
{
	WaAppTable	permit;
	WaAppTable	type;
	WaAppTable	fields;
	WaAppTable	selections;
	WaAppTable	translations;
	struct WaPermits *permits = palloc0(sizeof(struct WaPermits));
	int64	   *types;

	odoo->permits = permits;
	if (!wa_odoo_open(odoo, &permit, "sicantik_permit") ||
		!wa_odoo_open(odoo, &type, "sicantik_permit_type") ||
		!wa_odoo_open(odoo, &fields, "ir_model_fields") ||
		!wa_odoo_open(odoo, &selections, "ir_model_fields_selection") ||
		!wa_odoo_open(odoo, &translations, "ir_translation"))
		return false;
	if (permit.state != WA_APP_READY || n + ntypes == 0)
		return true;

	read_permits(permits, &permit, ids, n);
	types = palloc(sizeof(int64) * (permits->n + ntypes + 1));
	if (ntypes > 0)
		memcpy(types, type_ids, sizeof(int64) * ntypes);
	for (int i = 0; i < permits->n; i++)
		if (permits->list[i].permit_type_id != 0)
			types[ntypes++] = permits->list[i].permit_type_id;
	load_types(permits, &type, &translations, types, ntypes);
	for (int i = 0; i < permits->n; i++)
	{
		char	   *name = type_name(permits, permits->list[i].permit_type_id);

		if (name)
			permits->list[i].permit_type = name;
	}
	load_labels(odoo, &fields, &selections, &translations);
	for (int i = 0; i < permits->nlabels; i++)
		permits->label_facts = wa_odoo_add_fact(wa_odoo_add_fact(permits->label_facts, permits->label_values[i]),
												permits->labels[i]);
	return true;
}

/*
 * Read the permits with these ids, their types and the labels of their states.
 * All tables are locked before the first is read; returns false if one of
 * them could not be had now.
 */
bool
wa_odoo_load_permits(WaOdoo *odoo, const int64 *ids, int n)
{
	return load(odoo, ids, n, NULL, 0);
}

/*
 * The same without permits: these types, 0 among them, and the labels.
 */
bool
wa_odoo_load_permit_words(WaOdoo *odoo, const int64 *type_ids, int n)
{
	return load(odoo, NULL, 0, type_ids, n);
}

/*
 * What the versions of these permits go with; 0: they have none.
 */
uint64
wa_odoo_permit_layout(const WaOdoo *odoo)
{
	return odoo->permits ? odoo->permits->layout : 0;
}

/*
 * Versions of permits are going to be looked at; wa_app_look_end().  Returns
 * false if the table could not be had now.
 */
bool
wa_odoo_look_at_permits(WaOdoo *odoo, WaAppLook *look)
{
	WaAppTable	table;

	if (!wa_odoo_open(odoo, &table, "sicantik_permit"))
		return false;
	wa_app_look_begin(look, &table, permit_columns, lengthof(permit_columns));
	return true;
}

/*
 * The id of its type (0: none), if this version of a permit is there; else -1.
 */
int64
wa_odoo_look_at_permit(WaAppLook *look, const WaAppVersion *version)
{
	return wa_app_look(look, version) ? wa_app_look_id(look, permit_columns[P_PERMIT_TYPE_ID]) : -1;
}

/*
 * The permit of this id as it is now, or NULL if there is none.
 */
WaPermit *
wa_odoo_permit(const WaOdoo *odoo, int64 id)
{
	if (odoo->permits == NULL || odoo->permits->n == 0)
		return NULL;
	return bsearch(&id, odoo->permits->list, odoo->permits->n, sizeof(WaPermit), wa_odoo_by_id);
}

/*
 * All that was read of a permit's own row, as one number.
 */
uint64
wa_odoo_permit_facts(const WaPermit *permit)
{
	const char *const texts[] = {
		permit->registration_id, permit->permit_number, permit->applicant_name,
		permit->permit_type_name, permit->status, permit->issue_date,
		permit->expiry_date, permit->received_date, permit->is_renewal ? "t" : NULL
	};
	uint64		facts = hash_combine64((uint64) permit->id, (uint64) permit->partner_id);

	facts = hash_combine64(facts, (uint64) permit->permit_type_id);
	for (size_t i = 0; i < lengthof(texts); i++)
		facts = wa_odoo_add_fact(facts, texts[i]);
	return facts;
}

/*
 * And the words for a permit of this type that stand elsewhere.
 */
uint64
wa_odoo_permit_words_facts(const WaOdoo *odoo, int64 type_id)
{
	return wa_odoo_add_fact(odoo->permits->label_facts, type_name(odoo->permits, type_id));
}

/*
 * What a citizen reads for a state.
 */
const char *
wa_odoo_status_label(const WaOdoo *odoo, const char *status)
{
	struct WaPermits *permits = odoo->permits;

	if (status == NULL)
		return "";
	for (int i = 0; permits && i < permits->nlabels; i++)
		if (strcmp(permits->label_values[i], status) == 0 && permits->labels[i])
			return permits->labels[i];
	for (size_t i = 0; i < lengthof(own_labels); i++)
		if (strcmp(own_labels[i].status, status) == 0)
			return own_labels[i].label;
	return status;
}

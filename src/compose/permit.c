/*-------------------------------------------------------------------------
 *
 * permit.c
 *		Permits as they are now, and the values that their templates take.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/lsyscache.h"

#include "compose/permit.h"
#include "office/setting.h"
#include "text/text.h"

/* The permits of a batch and what goes with them. */
struct WaPermits
{
	int			n;
	WaPermit   *list;			/* in the order of ids */
	int			nlabels;
	char	  **label_values;	/* status */
	char	  **labels;			/* as a citizen reads it */
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

static int64
as_int8(const char *text)
{
	return text ? strtoll(text, NULL, 10) : 0;
}

static int
by_id(const void *a, const void *b)
{
	int64		left = ((const WaPermit *) a)->id;
	int64		right = ((const WaPermit *) b)->id;

	return left < right ? -1 : left > right ? 1 : 0;
}

static bool
is_jsonb(const WaAppTable *table, const char *column)
{
	AttrNumber	attnum = get_attnum(table->relid, column);

	return attnum > 0 && get_atttype(table->relid, attnum) == JSONBOID;
}

static void
load_types(WaBatch *batch, const WaAppTable *table, const WaAppTable *translations)
{
	static const char *const columns[] = {"id", "name"};
	struct WaPermits *permits = batch->permits;
	int64	   *ids = palloc(sizeof(int64) * Max(permits->n, 1));
	int			n = 0;
	WaAppRows	rows;
	bool		translated = is_jsonb(table, "name");
	char	  **indonesian = NULL;

	for (int i = 0; i < permits->n; i++)
		if (permits->list[i].permit_type_id != 0)
			ids[n++] = permits->list[i].permit_type_id;
	if (table->state != WA_APP_READY || n == 0)
		return;
	wa_app_read_by_id(&rows, table, columns, lengthof(columns), "id", ids, n);
	if (!translated)
		indonesian = wa_compose_translations_read(translations, "sicantik.permit.type,name", ids, n);
	for (uint64 r = 0; r < rows.n; r++)
	{
		int64		id = as_int8(rows.values[r][0]);
		char	   *name = wa_compose_value_translated(rows.values[r][1], translated);

		for (int i = 0; i < n && indonesian; i++)
			if (ids[i] == id && indonesian[i])
				name = indonesian[i];
		for (int i = 0; i < permits->n; i++)
			if (permits->list[i].permit_type_id == id && !wa_text_is_nothing(name))
				permits->list[i].permit_type = name;
	}
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
load_labels(WaBatch *batch, const WaAppTable *fields, const WaAppTable *selections,
			const WaAppTable *translations)
{
	static const char *const field_columns[] = {"id", "name"};
	static const char *const selection_columns[] = {"value", "name", "id"};
	static const char *const model[] = {"sicantik.permit"};
	struct WaPermits *permits = batch->permits;
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
			field = as_int8(rows.values[r][0]);
	if (field == 0)
		return;
	translated = is_jsonb(selections, "name");
	wa_app_read_by_id(&rows, selections, selection_columns, lengthof(selection_columns),
					  "field_id", &field, 1);
	permits->label_values = palloc0(sizeof(char *) * Max(rows.n, 1));
	permits->labels = palloc0(sizeof(char *) * Max(rows.n, 1));
	ids = palloc(sizeof(int64) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
		ids[r] = as_int8(rows.values[r][2]);
	if (!translated)
		indonesian = wa_compose_translations_read(translations, "ir.model.fields.selection,name",
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
			wa_compose_value_translated(name, translated);
	}
}

/*
 * Read the permits with these ids, their types and the labels of their states.
 * All tables are locked before the first is read; returns false if one of
 * them could not be had now.
 */
bool
wa_compose_permits_load(WaBatch *batch, const int64 *ids, int n)
{
	WaAppTable	permit;
	WaAppTable	type;
	WaAppTable	fields;
	WaAppTable	selections;
	WaAppTable	translations;
	WaAppRows	rows;
	struct WaPermits *permits = palloc0(sizeof(struct WaPermits));

	batch->permits = permits;
	wa_app_open(&permit, batch->schema, "sicantik_permit");
	wa_app_open(&type, batch->schema, "sicantik_permit_type");
	wa_app_open(&fields, batch->schema, "ir_model_fields");
	wa_app_open(&selections, batch->schema, "ir_model_fields_selection");
	wa_app_open(&translations, batch->schema, "ir_translation");
	if (wa_compose_add_locked(batch, &permit, "sicantik_permit") ||
		wa_compose_add_locked(batch, &type, "sicantik_permit_type") ||
		wa_compose_add_locked(batch, &fields, "ir_model_fields") ||
		wa_compose_add_locked(batch, &selections, "ir_model_fields_selection") ||
		wa_compose_add_locked(batch, &translations, "ir_translation"))
		return false;
	if (permit.state != WA_APP_READY || n == 0)
		return true;

	wa_app_read_by_id(&rows, &permit, permit_columns, lengthof(permit_columns), "id", ids, n);
	permits->list = palloc0(sizeof(WaPermit) * Max(rows.n, 1));
	for (uint64 r = 0; r < rows.n; r++)
	{
		char	  **row = rows.values[r];
		WaPermit   *p = &permits->list[permits->n++];

		p->id = as_int8(row[P_ID]);
		p->registration_id = wa_text_is_nothing(row[P_REGISTRATION_ID]) ? NULL : row[P_REGISTRATION_ID];
		p->permit_number = wa_compose_numbered(row[P_PERMIT_NUMBER]) ? row[P_PERMIT_NUMBER] : NULL;
		p->applicant_name = wa_text_is_nothing(row[P_APPLICANT_NAME]) ? NULL : row[P_APPLICANT_NAME];
		p->permit_type_id = as_int8(row[P_PERMIT_TYPE_ID]);
		p->permit_type_name = wa_text_is_nothing(row[P_PERMIT_TYPE_NAME]) ? NULL : row[P_PERMIT_TYPE_NAME];
		p->permit_type = p->permit_type_name;
		p->partner_id = as_int8(row[P_PARTNER_ID]);
		p->status = row[P_STATUS];
		p->issue_date = row[P_ISSUE_DATE];
		p->expiry_date = row[P_EXPIRY_DATE];
		p->received_date = row[P_RECEIVED_DATE];
		p->is_renewal = row[P_IS_RENEWAL] && row[P_IS_RENEWAL][0] == 't';
	}
	qsort(permits->list, permits->n, sizeof(WaPermit), by_id);
	load_types(batch, &type, &translations);
	load_labels(batch, &fields, &selections, &translations);
	return true;
}

/*
 * The permit of this id as it is now, or NULL if there is none.
 */
WaPermit *
wa_compose_permit_find(WaBatch *batch, int64 id)
{
	WaPermit	key = {.id = id};

	if (batch->permits == NULL || batch->permits->n == 0)
		return NULL;
	return bsearch(&key, batch->permits->list, batch->permits->n, sizeof(WaPermit), by_id);
}

/*
 * Facts that were read, as one number: these, and a text (NULL: none) to them.
 */
uint64
wa_compose_facts_add(uint64 facts, const char *text)
{
	return hash_combine64(facts, text ? hash_bytes_extended((const unsigned char *) text, strlen(text), 1) : 0);
}

/*
 * All that was read of a permit, as one number.
 */
uint64
wa_compose_permit_facts(const WaBatch *batch, const WaPermit *permit)
{
	const struct WaPermits *permits = batch->permits;
	const char *const texts[] = {
		permit->registration_id, permit->permit_number, permit->applicant_name,
		permit->permit_type_name, permit->permit_type, permit->status, permit->issue_date,
		permit->expiry_date, permit->received_date, permit->is_renewal ? "t" : NULL
	};
	uint64		facts = hash_combine64((uint64) permit->id, (uint64) permit->partner_id);

	for (size_t i = 0; i < lengthof(texts); i++)
		facts = wa_compose_facts_add(facts, texts[i]);
	for (int i = 0; i < permits->nlabels; i++)
		facts = wa_compose_facts_add(wa_compose_facts_add(facts, permits->label_values[i]), permits->labels[i]);
	return facts;
}

/*
 * What a citizen reads for a state.
 */
const char *
wa_compose_permit_status_label(WaBatch *batch, const char *status)
{
	struct WaPermits *permits = batch->permits;

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

/*
 * A setting of the office, read once per batch; NULL if unset.
 */
const char *
wa_compose_office_setting(WaBatch *batch, const char *name)
{
	const WaValue *known = wa_compose_values_find(&batch->office, name);

	if (known)
		return known->value;
	wa_compose_values_add(&batch->office, name, wa_office_get(name));
	return batch->office.list[batch->office.n - 1].value;
}

static void
add_office(WaBatch *batch, WaValues *values, const char *name)
{
	wa_compose_values_add_setting(values, name, wa_compose_office_setting(batch, name), name);
}

static void
add_link(WaBatch *batch, WaValues *values, const char *name)
{
	wa_compose_values_add_setting(values, name,
								  wa_compose_value_link(wa_compose_office_setting(batch, name), values), name);
}

/*
 * What the office alone can tell, whatever the message is about.
 */
void
wa_compose_office_values(WaBatch *batch, WaValues *values)
{
	add_office(batch, values, "link_dashboard");
	add_office(batch, values, "contact_dpmptsp");
	add_office(batch, values, "office_name");
}

static const char *
first_of(const char *a, const char *b)
{
	return !wa_text_is_nothing(a) ? a : !wa_text_is_nothing(b) ? b : "";
}

/*
 * Everything a template about a permit may ask for.  A fact that is empty is
 * "", which reads "-"; what a setting of the office lacks is NULL and names
 * the setting.  recipient may be NULL.
 */
void
wa_compose_permit_values(WaBatch *batch, WaValues *values, const WaPermit *permit,
						 const WaRecipient *recipient)
{
	const char *issue = first_of(wa_compose_value_date(permit->issue_date), NULL);
	const char *expiry = first_of(wa_compose_value_date(permit->expiry_date), NULL);
	const char *number = first_of(permit->permit_number, NULL);
	const char *registration = first_of(permit->registration_id, NULL);
	const char *status = wa_compose_permit_status_label(batch, permit->status);

	wa_compose_values_add(values, "partner_name",
						  first_of(permit->applicant_name, recipient ? recipient->name : NULL));
	wa_compose_values_add(values, "applicant_name", first_of(permit->applicant_name, NULL));
	wa_compose_values_add(values, "nama_pemohon", first_of(permit->applicant_name, NULL));
	wa_compose_values_add(values, "permit_type", first_of(permit->permit_type, permit->permit_type_name));
	wa_compose_values_add(values, "jenis_izin", first_of(permit->permit_type, permit->permit_type_name));
	wa_compose_values_add(values, "permit_number", number);
	wa_compose_values_add(values, "permit_number_new", number);
	wa_compose_values_add(values, "registration_id", registration);
	wa_compose_values_add(values, "pendaftaran_id", registration);
	wa_compose_values_add(values, "id", psprintf(INT64_FORMAT, permit->id));
	wa_compose_values_add(values, "status", status);
	wa_compose_values_add(values, "status_baru", status);
	wa_compose_values_add(values, "issue_date", issue);
	wa_compose_values_add(values, "completion_date", issue);
	wa_compose_values_add(values, "start_date", issue);
	wa_compose_values_add(values, "expiry_date", expiry);
	wa_compose_values_add(values, "received_date", first_of(wa_compose_value_date(permit->received_date), NULL));
	wa_compose_values_add(values, "validity_period",
						  first_of(wa_compose_value_span(permit->issue_date, permit->expiry_date), NULL));
	add_link(batch, values, "download_link");
	add_link(batch, values, "detail_link");
	add_link(batch, values, "renewal_link");
	wa_compose_office_values(batch, values);
}

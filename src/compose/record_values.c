/*-------------------------------------------------------------------------
 *
 * record_values.c
 *		The values that a permit, a document and the office give to a text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compose/record_values.h"
#include "office/setting.h"
#include "text/text.h"

/*
 * A setting of the office, read once per batch; NULL if unset.
 */
static const char *
office_setting(WaBatch *batch, const char *name)
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
	wa_compose_values_add_setting(values, name, office_setting(batch, name), name);
}

static void
add_link(WaBatch *batch, WaValues *values, const char *name)
{
	wa_compose_values_add_setting(values, name,
								  wa_compose_value_link(office_setting(batch, name), values), name);
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
	const char *status = wa_odoo_status_label(&batch->odoo, permit->status);

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

static const char *
number_or(const char *number, const char *otherwise)
{
	if (wa_odoo_numbered(number))
		return number;
	return otherwise ? otherwise : "";
}

/*
 * Everything that a template about a document may ask for: what its permit
 * knows, and its own.  A document without a number of its own goes by its
 * permit's registration.  workflow and recipient may be NULL.
 */
void
wa_compose_document_values(WaBatch *batch, WaValues *values, const WaDocument *document,
						   const WaWorkflow *workflow, const WaRecipient *recipient)
{
	static const WaPermit none = {0};
	const WaPermit *permit = wa_odoo_permit(&batch->odoo, document->permit_id);
	WaValues	fields = {0};
	const char *number;

	if (permit == NULL)
		permit = &none;
	number = number_or(document->document_number, permit->registration_id);
	wa_compose_values_add(values, "document_number", number);
	wa_compose_values_add(values, "document_name", document->name ? document->name : "");
	wa_compose_values_add(values, "permit_number",
						  number_or(permit->permit_number, number_or(document->permit_number, NULL)));
	if (recipient)
	{
		wa_compose_values_add(values, "nama_pejabat", recipient->name ? recipient->name : "");
		wa_compose_values_add(values, "nama_petugas", recipient->name ? recipient->name : "");
	}
	if (workflow)
		wa_compose_values_add(values, "workflow_id", psprintf(INT64_FORMAT, workflow->id));

	/* in a link to a document, {id} is the document's */
	wa_compose_values_add(&fields, "id", psprintf(INT64_FORMAT, document->id));
	wa_compose_values_add(&fields, "registration_id", permit->registration_id);
	for (int i = 0; i < values->n; i++)
		wa_compose_values_add(&fields, values->list[i].name, values->list[i].value);
	wa_compose_values_add_setting(values, "approval_link",
								  wa_compose_value_link(office_setting(batch, "approval_link"), &fields),
								  "approval_link");
	wa_compose_permit_values(batch, values, permit, recipient);
}

/*
 * What is known of a value of a scenario's texts: its own, or one of any
 * permit's that is no citizen's.  NULL: nothing.
 */
const WaOwnValue *
wa_compose_own_value(const WaComposer *composer, const char *name)
{
	static const WaOwnValue of_permits[] = {
		{"permit_number", "permit_number"}, {"permit_number_new", "permit_number"},
		{"expiry_date", "expiry_date"}, {"status_baru", "status_baru"}
	};

	for (const WaOwnValue *own = composer->values; own->name; own++)
		if (strcmp(own->name, name) == 0)
			return own;
	for (size_t i = 0; i < lengthof(of_permits); i++)
		if (strcmp(of_permits[i].name, name) == 0)
			return &of_permits[i];
	return NULL;
}

/*
 * Add the names of all values that the texts of a built-in scenario may take;
 * composer NULL: those of any permit.
 */
void
wa_compose_supplied(const WaComposer *composer, WaValues *names)
{
	static const WaPermit none = {0};
	WaBatch		batch = {0};

	for (const WaOwnValue *own = composer ? composer->values : NULL; own && own->name; own++)
		wa_compose_values_add(names, own->name, NULL);
	wa_compose_values_add(names, "timestamp", NULL);
	wa_compose_permit_values(&batch, names, &none, NULL);
}

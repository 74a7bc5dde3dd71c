/*-------------------------------------------------------------------------
 *
 * supplied.c
 *		Which values the built-in scenarios have for a text.
 *
 * A text that asks for another one cannot be written, and each event becomes a
 * dead letter; so that is said before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "route/provider.h"
#include "text/text.h"

/* What there is for any text about a permit; see compose/record_values.c and draft.c. */
static const char *const permit_values[] = {
	"partner_name", "applicant_name", "nama_pemohon", "permit_type", "jenis_izin", "permit_number",
	"permit_number_new", "registration_id", "pendaftaran_id", "id", "status", "status_baru",
	"issue_date", "completion_date", "start_date", "expiry_date", "received_date", "validity_period",
	"download_link", "detail_link", "renewal_link", "link_dashboard", "contact_dpmptsp", "office_name",
	"timestamp", NULL
};

/* And what else for the texts of these scenarios; see their composers. */
static const struct
{
	const char *scenario;
	const char *values[8];
}			more_values[] = {
	{"status_update", {"status_lama"}},
	{"permit_expiry_warning", {"remaining_days", "days_remaining"}},
	{"reminder", {"jumlah", "waktu_pending"}},
	{"document_pending", {"jumlah", "document_number", "document_name", "nama_pejabat", "nama_petugas",
	"approval_link"}},
	{"approval_required", {"jumlah", "document_number", "document_name", "nama_pejabat", "nama_petugas",
	"workflow_id", "approval_link"}},
};

static bool
is_among(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/*
 * Has this built-in scenario a value of that name?  Of another key: has every
 * one about a permit?
 */
bool
wa_admin_supplied(const char *scenario, const char *name)
{
	if (is_among(permit_values, name))
		return true;
	for (size_t i = 0; i < lengthof(more_values); i++)
		if (strcmp(more_values[i].scenario, scenario) == 0)
			return is_among(more_values[i].values, name);
	return false;
}

typedef struct Look
{
	const char *scenario;
	char	   *lacking;
} Look;

static void
look(const char *name, size_t len, void *arg)
{
	Look	   *looking = arg;
	char	   *asked = pnstrdup(name, len);

	if (!wa_admin_supplied(looking->scenario, asked))
		looking->lacking = looking->lacking ? psprintf("%s, %s", looking->lacking, asked) : asked;
}

/*
 * What the text of this template asks for and the built-in scenario does not
 * have, "a, b", palloc()ed; NULL: nothing.
 */
char *
wa_admin_unsupplied(const char *scenario, const WaTemplate *template)
{
	Look		looking = {scenario, NULL};

	(void) wa_text_placeholders(template->body, look, &looking);
	return looking.lacking;
}

/*-------------------------------------------------------------------------
 *
 * template_examples.c
 *		An example for each parameter of a template.
 *
 * Who examines a template at Meta wants to see what will stand in it, and
 * nobody's personal data: these people and permits do not exist.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/template_draft.h"

static const struct
{
	const char *name;			/* or, with "*" before it, its end */
	const char *example;
}			examples[] = {
	{"partner_name", "Budi Santoso"},
	{"nama_pemohon", "Budi Santoso"},
	{"applicant_name", "Budi Santoso"},
	{"nama_pejabat", "Ibu Siti Aminah"},
	{"permit_type", "Surat Izin Usaha Perdagangan"},
	{"jenis_izin", "Surat Izin Usaha Perdagangan"},
	{"pendaftaran_id", "REG-2026-00123"},
	{"registration_id", "REG-2026-00123"},
	{"jumlah", "3"},
	{"remaining_days", "30"},
	{"status_lama", "Verifikasi Dokumen"},
	{"status_baru", "Menunggu Tanda Tangan"},
	{"timestamp", "12 Januari 2026 09.30"},
	{"waktu_pending", "2 hari"},
	{"validity_period", "5 tahun"},
	{"contact_dpmptsp", "021-5550000"},
	{"*_number", "503/0123/SIUP/2026"},
	{"*_number_new", "503/0456/SIUP/2026"},
	{"*_date", "12 Januari 2026"},
	{"*_link", "https://perizinan.example.go.id/izin/123"},
	{"link_dashboard", "https://perizinan.example.go.id/dokumen"},
	{"*_name", "Budi Santoso"},
};

/* Never NULL; static. */
const char *
wa_admin_template_example(const char *parameter)
{
	size_t		len = strlen(parameter);

	for (size_t i = 0; i < lengthof(examples); i++)
	{
		const char *name = examples[i].name;
		size_t		end = strlen(name + 1);

		if (name[0] == '*' ? len > end && strcmp(parameter + len - end, name + 1) == 0 :
			strcmp(parameter, name) == 0)
			return examples[i].example;
	}
	return "Contoh";
}

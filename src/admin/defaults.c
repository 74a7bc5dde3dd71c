/*-------------------------------------------------------------------------
 *
 * defaults.c
 *		What wa_setup() adds: templates, scenarios, links.
 *
 * They are not rows of the install script, because a dump holds the rows as
 * the office has changed them, and both would collide at the restore.
 *
 * The texts satisfy Meta's rules for UTILITY templates: no variable at the
 * beginning or the end or beside another one, at most 1024 characters, no
 * advertising.  The keys and the order of the parameters are an interface.
 * Names of permit types begin with "Izin" or "Surat Izin" themselves, so the
 * word does not stand before them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/admin.h"
#include "admin/defaults.h"

#define PARAMETERS(list)	list, lengthof(list)

/* What the text ends with where the office has not given its name. */
#define ANY_OFFICE			"DPMPTSP"

static const char *const permit_ready[] = {
	"partner_name", "permit_type", "permit_number", "issue_date",
	"download_link"
};

static const char *const document_pending[] = {
	"jumlah", "jenis_izin", "nama_pemohon", "pendaftaran_id",
	"link_dashboard"
};

static const char *const approval_required[] = {
	"nama_pejabat", "jenis_izin", "nama_pemohon", "permit_number",
	"approval_link"
};

static const char *const status_update[] = {
	"pendaftaran_id", "status_lama", "status_baru", "timestamp",
	"detail_link"
};

static const char *const reminder[] = {
	"jumlah", "jenis_izin", "nama_pemohon", "waktu_pending",
	"link_dashboard"
};

static const char *const permit_expiry_warning[] = {
	"partner_name", "permit_type", "permit_number", "expiry_date",
	"remaining_days", "renewal_link", "contact_dpmptsp"
};

static const char *const permit_renewal_approved[] = {
	"partner_name", "permit_type", "permit_number_new", "start_date",
	"expiry_date", "validity_period", "download_link"
};

const WaDefaultTemplate wa_admin_default_templates[] = {
	{
		"permit_ready", "Izin Selesai Diproses",
		"Yth. {{partner_name}},\n\n"
		"Permohonan {{permit_type}} Saudara telah selesai diproses dengan nomor izin {{permit_number}} "
		"dan diterbitkan pada tanggal {{issue_date}} oleh kantor kami.\n\n"
		"Dokumen izin dapat diunduh melalui tautan {{download_link}} dan agar disimpan dengan baik.\n\n"
		"Terima kasih.",
		PARAMETERS(permit_ready)
	},
	{
		"document_pending", "Dokumen Baru untuk Tandatangan",
		"Yth. Bapak/Ibu petugas,\n\n"
		"Saat ini terdapat {{jumlah}} dokumen yang menunggu tanda tangan. "
		"Dokumen terbaru adalah {{jenis_izin}} atas nama pemohon {{nama_pemohon}} "
		"dengan nomor pendaftaran {{pendaftaran_id}} yang baru diterima.\n\n"
		"Dokumen dapat dilihat melalui dasbor {{link_dashboard}} untuk ditindaklanjuti.\n\n"
		"Terima kasih.",
		PARAMETERS(document_pending)
	},
	{
		"approval_required", "Dokumen Perlu Approval",
		"Yth. {{nama_pejabat}},\n\n"
		"Dokumen {{jenis_izin}} atas nama pemohon {{nama_pemohon}} "
		"dengan nomor izin {{permit_number}} memerlukan persetujuan Bapak/Ibu.\n\n"
		"Dokumen dapat diperiksa melalui tautan {{approval_link}} sebelum persetujuan diberikan.\n\n"
		"Terima kasih.",
		PARAMETERS(approval_required)
	},
	{
		"status_update", "Update Status Perizinan",
		"Yth. Bapak/Ibu,\n\n"
		"Status permohonan izin dengan nomor pendaftaran {{pendaftaran_id}} telah berubah "
		"dari {{status_lama}} menjadi {{status_baru}} pada {{timestamp}} waktu setempat.\n\n"
		"Rincian permohonan dapat dilihat melalui tautan {{detail_link}} setiap saat.\n\n"
		"Terima kasih.",
		PARAMETERS(status_update)
	},
	{
		"reminder", "Reminder Dokumen Pending",
		"Yth. Bapak/Ibu petugas,\n\n"
		"Masih terdapat {{jumlah}} dokumen yang menunggu tindak lanjut Bapak/Ibu. "
		"Dokumen terlama adalah {{jenis_izin}} atas nama pemohon {{nama_pemohon}} "
		"yang telah menunggu selama {{waktu_pending}} sejak diajukan.\n\n"
		"Dokumen dapat dilihat melalui dasbor {{link_dashboard}} untuk ditindaklanjuti.\n\n"
		"Terima kasih.",
		PARAMETERS(reminder)
	},
	{
		"permit_expiry_warning", "Peringatan Masa Berlaku Izin",
		"Yth. {{partner_name}},\n\n"
		"Masa berlaku {{permit_type}} Saudara dengan nomor {{permit_number}} berakhir pada tanggal {{expiry_date}} "
		"atau {{remaining_days}} hari lagi.\n\n"
		"Permohonan perpanjangan dapat diajukan melalui tautan {{renewal_link}} sebelum masa berlaku izin berakhir. "
		"Keterangan lebih lanjut dapat diperoleh di {{contact_dpmptsp}} pada jam pelayanan.\n\n"
		"Terima kasih.",
		PARAMETERS(permit_expiry_warning)
	},
	{
		"permit_renewal_approved", "Perpanjangan Izin Disetujui",
		"Yth. {{partner_name}},\n\n"
		"Perpanjangan {{permit_type}} Saudara telah disetujui dengan nomor izin baru {{permit_number_new}} "
		"yang berlaku mulai tanggal {{start_date}} sampai dengan tanggal {{expiry_date}} "
		"untuk jangka waktu {{validity_period}} sejak tanggal mulai.\n\n"
		"Dokumen izin dapat diunduh melalui tautan {{download_link}} dan agar disimpan dengan baik.\n\n"
		"Terima kasih.",
		PARAMETERS(permit_renewal_approved)
	},
	{NULL}
};

/* The scenarios that have a composer. */
const WaDefaultScenario wa_admin_default_scenarios[] = {
	{"permit_ready", "Izin Selesai Diproses", "sicantik_permit", true,
	"7 days", "resend", "high", true},
	{"permit_renewal_approved", "Perpanjangan Izin Disetujui", "sicantik_permit", true,
	"7 days", "resend", "high", true},
	{"status_update", "Update Status Perizinan", "sicantik_permit", false,
	"2 days", "resend", "normal", true},
	{"document_pending", "Dokumen Baru untuk Tandatangan", "sicantik_document", true,
	"12 hours", "give up", "low", false, true},
	{"approval_required", "Dokumen Perlu Approval", "sicantik_document", true,
	"2 days", "resend", "high", false},
	{"reminder", "Reminder Dokumen Pending", NULL, false,
	"8 hours", "give up", "low", false, true, "10:00", true},
	{"permit_expiry_warning", "Peringatan Masa Berlaku Izin", NULL, false,
	"3 days", "resend", "normal", true, false, "09:00", true},
	{NULL}
};

const WaDefaultLink wa_admin_default_links[] = {
	{"download_link", "/download/{registration_id}"},
	{"detail_link", "/detail/{registration_id}"},
	{"renewal_link", "/renewal/{registration_id}"},
	{"approval_link", "/approval/{document_number}"},
	{"link_dashboard", "/dashboard"},
	{NULL}
};

/*
 * The body with the office's name at its end, palloc()ed.  The name is fixed
 * text: a template must not end with a variable.
 */
char *
wa_admin_default_body(const WaDefaultTemplate *template, const char *office_name)
{
	return psprintf("%s\n%s", template->body,
					office_name && office_name[0] != '\0' &&
					strpbrk(office_name, "{}\n\r\t") == NULL ?
					office_name : ANY_OFFICE);
}

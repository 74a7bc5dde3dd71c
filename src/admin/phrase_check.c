/*-------------------------------------------------------------------------
 *
 * phrase_check.c
 *		What wa_check() says, in Indonesian.
 *
 * Names of Odoo's menus stay English where Odoo's Indonesian translation is
 * not the same in all versions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/phrase.h"

const WaPhrase wa_check_phrases[] = {
	/* what to do next */
	{"preload the library and restart the server", "muat pustaka lewat shared_preload_libraries dan mulai ulang server"},
	{"set sicantik_wa.enabled to on and reload the configuration",
	"ubah sicantik_wa.enabled menjadi on dan muat ulang konfigurasi"},
	{"SELECT wa_arm('%s'), if this database is really the one that is to send",
	"SELECT wa_arm('{1}'), bila memang basis data ini yang harus mengirim"},
	{"SELECT * FROM wa_setup(), when Odoo's tables are there", "SELECT * FROM wa_setup(), bila tabel-tabel Odoo sudah ada"},

	/* library and worker */
	{"not preloaded, so nothing is composed or sent: add to postgresql.conf: shared_preload_libraries = 'sicantik_wa', and restart the server",
	"belum dimuat, jadi tidak ada pesan yang disusun atau dikirim: tambahkan pada postgresql.conf: shared_preload_libraries = 'sicantik_wa', lalu mulai ulang server"},
	{"sicantik_wa.enabled is off: set it to on and reload the configuration",
	"sicantik_wa.enabled bernilai off: ubah menjadi on dan muat ulang konfigurasi"},
	{"this is a standby: ask the primary", "ini server standby: tanyakan pada server utama"},
	{"the launcher does not run: see the server's log",
	"launcher tidak berjalan: lihat log server"},
	{"max_worker_processes may be too low", "max_worker_processes mungkin terlalu kecil"},
	{"the launcher has not seen this database yet", "launcher belum melihat basis data ini"},
	{"it looks every 15 minutes and after every change",
	"launcher memeriksa setiap 15 menit dan setelah setiap perubahan"},
	{"it stays away until %s, after the database was being dropped, renamed or copied, or after errors: see the server's log",
	"worker menyingkir sampai {1}, setelah basis data hendak dihapus, diganti nama atau disalin, atau setelah kesalahan: lihat log server"},
	{"messages are composed, but not sent: the module sicantik_wa_worker could not be loaded",
	"pesan disusun, tetapi tidak dikirim: modul sicantik_wa_worker gagal dimuat"},
	{"install libcurl (Debian: libcurl4) and see the server's log",
	"pasang libcurl (Debian: libcurl4) dan lihat log server"},

	{"this database has waited for a worker since %s: all %s (sicantik_wa.max_workers) serve other databases",
	"basis data ini menunggu worker sejak {1}: semua {2} (sicantik_wa.max_workers) melayani basis data lain"},
	{"the server's log says if one of them makes no progress", "log server menyebutkan bila salah satunya macet"},
	{"the worker (PID %s) has made no progress since %s: see pg_stat_activity, and what hangs on the tables that it reads",
	"worker (PID {1}) macet sejak {2}: lihat pg_stat_activity, dan apa yang terpasang pada tabel yang dibacanya"},

	/* mode and instance */
	{"mode test: everything goes to %s", "mode test: semua pesan dikirim ke <1>"},
	{"nobody", "tidak seorang pun"},
	{"SELECT wa_arm('%s') when that is over", "SELECT wa_arm('{1}') bila sudah selesai"},
	{"mode observe: only messages by hand go out", "mode observe: hanya pesan manual yang dikirim"},
	{"look at wa.message, then SELECT wa_arm('%s')", "periksa wa.message, lalu SELECT wa_arm('{1}')"},
	{"nothing is sent", "tidak ada yang dikirim"},
	{"sicantik_wa.instance is not set, so a physical copy of this server cannot be told apart and would send too: set it in a file outside the data directory, then wa_arm() again",
	"sicantik_wa.instance belum diisi, jadi salinan fisik server ini tidak dapat dibedakan dan akan ikut mengirim: isi dalam berkas di luar direktori data, lalu jalankan wa_arm() lagi"},

	/* tables of Odoo's that raise errors */
	{"%s messages wait until a table of Odoo's can be read: %S",
	"{1} pesan menunggu sampai sebuah tabel Odoo dapat dibaca: <2>"},
	{"could not be looked at: %S; see what hangs on Odoo's tables, such as a policy (row level security)",
	"gagal diperiksa: {1}; periksa apa yang terpasang pada tabel-tabel Odoo, misalnya policy (row level security)"},

	/* providers */
	{"SELECT wa_configure('%s', '...'), or '{\"active\": false}' if it is not wanted",
	"SELECT wa_configure('{1}', '...'), atau '{\"active\": false}' bila tidak diperlukan"},
	{"mend it, then SELECT * FROM wa_test_connection('%s')",
	"perbaiki, lalu SELECT * FROM wa_test_connection('{1}')"},
	{"SELECT wa_resume('%s') when it is to be used again",
	"SELECT wa_resume('{1}') bila akan dipakai lagi"},
	{"its quota is used up: buy more, or wait; it is asked again every 15 minutes",
	"kuotanya habis: beli lagi, atau tunggu; sisa kuota ditanyakan setiap 15 menit"},
	{"mend it: it is tested again %s, or now by SELECT * FROM wa_test_connection('%s')",
	"perbaiki: diuji lagi {1}, atau sekarang dengan SELECT * FROM wa_test_connection('{2}')"},
	{"mend it: it is tested again at %s, or now by SELECT * FROM wa_test_connection('%s')",
	"perbaiki: diuji lagi pukul {1}, atau sekarang dengan SELECT * FROM wa_test_connection('{2}')"},
	{"mend it: it is tested again soon, or now by SELECT * FROM wa_test_connection('%s')",
	"perbaiki: sebentar lagi diuji ulang, atau sekarang dengan SELECT * FROM wa_test_connection('{1}')"},
	{"not configured, so not used", "belum diatur, jadi tidak dipakai"},
	{"in state error", "dalam keadaan error"},
	{"not tested yet: SELECT * FROM wa_test_connection('%s')",
	"belum diuji: SELECT * FROM wa_test_connection('{1}')"},
	{"no provider can be used: configure one with wa_configure() and test it with wa_test_connection()",
	"tidak ada penyedia yang dapat dipakai: atur dengan wa_configure() dan uji dengan wa_test_connection()"},
	{"no provider can be used, since those that could are paused: their messages wait, and expire at the end of their time-to-live",
	"tidak ada penyedia yang dapat dipakai, karena yang siap sedang dihentikan sementara: pesannya menunggu, dan kedaluwarsa pada akhir masa berlakunya"},
	{"%s is the default and takes every message, so %s is not asked, whoever has consented: SELECT wa_configure('%s', '{\"is_default\": false}')",
	"{1} adalah penyedia bawaan dan mengambil setiap pesan, jadi {2} tidak dipakai meskipun orangnya setuju: SELECT wa_configure('{3}', '{\"is_default\": false}')"},

	/* scenarios, templates, tables */
	{"there are none: SELECT * FROM wa_setup()", "belum ada: SELECT * FROM wa_setup()"},
	{"there is no template \"%s\": SELECT * FROM wa_setup() adds the standard ones, wa_set_template() others",
	"tidak ada template \"{1}\": SELECT * FROM wa_setup() menambahkan yang baku, wa_set_template() yang lain"},
	{"template \"%s\" is not active: SELECT wa_set_template('%s', '{\"active\": true}')",
	"template \"{1}\" tidak aktif: SELECT wa_set_template('{2}', '{\"active\": true}')"},
	{"its text needs the setting %s, until then its messages are held: SELECT wa_set('%s', '...')",
	"isinya memerlukan pengaturan {1}, sebelum diisi pesannya ditahan: SELECT wa_set('{2}', '...')"},
	{"no usable provider knows its template \"%s\": SELECT wa_map_template('%s', '...', '{\"name\": \"...\", \"status\": \"approved\"}')",
	"tidak ada penyedia siap pakai yang mengenal template \"{1}\": SELECT wa_map_template('{2}', '...', '{\"name\": \"...\", \"status\": \"approved\"}')"},
	{"its messages wait, since %s is paused: SELECT wa_resume('%s') when it is to be used again",
	"pesannya menunggu, karena {1} dihentikan sementara: SELECT wa_resume('{2}') bila akan dipakai lagi"},
	{"no table is watched: SELECT * FROM wa_setup()",
	"tidak ada tabel yang diamati: SELECT * FROM wa_setup()"},
	{"its triggers are missing, disabled or replaced, so changes are not seen: SELECT * FROM wa_setup(), then see wa_status()",
	"trigger-nya hilang, dimatikan atau diganti, jadi perubahan tidak terlihat: SELECT * FROM wa_setup(), lalu lihat wa_status()"},
	{"there is no such table: SELECT * FROM wa_setup() when it is there again",
	"tabel ini tidak ada: SELECT * FROM wa_setup() bila sudah ada lagi"},
	{"it has no column id of an integer type, so no scenario is told of its changes",
	"tabel ini tidak mempunyai kolom id bertipe bilangan bulat, jadi tidak ada skenario yang mengetahui perubahannya"},

	/* reach */
	{"of %s active permits %s can be notified: %s without partner, %s without number, %s name mismatch, %s opted out or blacklisted",
	"dari {1} izin aktif, {2} dapat diberi tahu: {3} tanpa kontak, {4} tanpa nomor, {5} nama tidak cocok, {6} menolak pesan atau dalam daftar hitam"},
	{"link contacts and correct their numbers in Odoo",
	"hubungkan kontak dan perbaiki nomornya di Odoo"},
	{"linking contacts and correcting their numbers in Odoo makes it more",
	"makin banyak bila kontak dihubungkan dan nomornya diperbaiki di Odoo"},
	{"table %s is locked at the moment", "tabel {1} sedang terkunci"},
	{"there is no table sicantik_permit in the schema of the setting odoo_schema",
	"tidak ada tabel sicantik_permit dalam skema menurut pengaturan odoo_schema"},

	{"there is no table res_partner in the schema of the setting odoo_schema, so nobody can be notified",
	"tidak ada tabel res_partner dalam skema menurut pengaturan odoo_schema, jadi tidak seorang pun dapat diberi tahu"},

	/* the ledger */
	{"%s messages wait for a provider, one of them: %S", "{1} pesan menunggu penyedia, salah satunya: <2>"},
	{"%s, reason %s", "{1}, sebab: {2}"},
	{"the latest: SELECT * FROM wa_why(%s)", "yang terakhir: SELECT * FROM wa_why({1})"},
	{"wa_release() or wa_cancel()", "wa_release() atau wa_cancel()"},
	{"nothing failed in the last 24 hours, nothing is held",
	"tidak ada yang gagal dalam 24 jam terakhir, tidak ada yang ditahan"},
	{"%s events could not be composed, the last with: %S; mend the cause, then SELECT wa_replay(event_id) FROM wa.dead_letter",
	"{1} kejadian gagal disusun, yang terakhir karena: <2>; perbaiki penyebabnya, lalu SELECT wa_replay(event_id) FROM wa.dead_letter"},
	{"%s events were dropped so as not to disturb Odoo: compare the times in wa.capture_gap with Odoo's changes, and send by hand what is missing",
	"{1} kejadian dilewatkan agar Odoo tidak terganggu: bandingkan waktu dalam wa.capture_gap dengan perubahan di Odoo, dan kirim manual yang kurang"},
	{"then DELETE FROM wa.capture_gap", "setelah itu DELETE FROM wa.capture_gap"},
	{"scenario %s failed on %s: %S; mend the cause, then SELECT wa_run_scenario('%s')",
	"skenario {1} gagal pada {2}: <3>; perbaiki penyebabnya, lalu SELECT wa_run_scenario('{4}')"},
	{"%s events have waited for more than 10 minutes: see worker above, and the server's log",
	"{1} kejadian menunggu lebih dari 10 menit: lihat baris worker di atas, dan log server"},

	/* other senders */
	{"module sicantik_whatsapp sends by itself: in Odoo, Settings > General Settings > WhatsApp Notifications, empty \"Default WhatsApp Provider\" and save",
	"modul sicantik_whatsapp mengirim sendiri: di Odoo, Settings > General Settings > WhatsApp Notifications, kosongkan \"Default WhatsApp Provider\" dan simpan"},
	{"then no message leaves, and the synchronisation of permits goes on. Do not uninstall it before its data are taken over",
	"setelah itu tidak ada pesan keluar, dan sinkronisasi izin tetap berjalan. Jangan hapus modul itu sebelum datanya diambil alih"},
	{"module sicantik_notification_automation sends by rules of its own: in Odoo, archive its notification rules and campaigns (list, select all, Action > Archive)",
	"modul sicantik_notification_automation mengirim menurut aturannya sendiri: di Odoo, arsipkan aturan notifikasi dan kampanyenya (daftar, pilih semua, Action > Archive)"},
	{"the synchronisation is not part of it", "sinkronisasi bukan bagian dari modul itu"},
	{"Odoo Enterprise's module whatsapp is installed: it sends what people and automation rules start. In Odoo, Settings > Technical > Automation Rules, archive those that send WhatsApp messages about permits",
	"modul whatsapp dari Odoo Enterprise terpasang: modul itu mengirim yang dimulai orang dan aturan otomatis. Di Odoo, Settings > Technical > Automation Rules, arsipkan yang mengirim pesan WhatsApp tentang izin"},
	{"scheduled action \"%s\" is active: %s. In Odoo (developer mode), Settings > Technical > Scheduled Actions, open it and switch Active off",
	"tindakan terjadwal \"{1}\" aktif: <2>. Di Odoo (mode pengembang), Settings > Technical > Scheduled Actions, buka dan matikan Active"},
	{"leave the other SICANTIK actions, which synchronise, as they are",
	"biarkan tindakan SICANTIK lain, yang menyinkronkan, seperti adanya"},
	{"it sends the expiry warnings, which permit_expiry_warning does here",
	"mengirim peringatan kedaluwarsa, yang di sini dikerjakan permit_expiry_warning"},
	{"it sends the reminders to staff, which reminder does here",
	"mengirim pengingat kepada petugas, yang di sini dikerjakan reminder"},
	{"it sends what sicantik_notification_automation has queued",
	"mengirim isi antrean sicantik_notification_automation"},
	{"it sends the campaigns of sicantik_notification_automation",
	"mengirim kampanye sicantik_notification_automation"},
	{"Odoo's parameter sicantik_whatsapp.default_provider_id is %s, so its dispatcher sends: Settings > General Settings > WhatsApp Notifications, empty \"Default WhatsApp Provider\" and save",
	"parameter Odoo sicantik_whatsapp.default_provider_id bernilai {1}, jadi pengirimnya aktif: Settings > General Settings > WhatsApp Notifications, kosongkan \"Default WhatsApp Provider\" dan simpan"},

	{NULL, NULL}
};

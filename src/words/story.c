/*-------------------------------------------------------------------------
 *
 * story.c
 *		Sentences for people, in Indonesian and English.
 *
 * The office's setting "language" chooses.  {1}, {2}, {3} stand for values, so
 * that each language has its own order; in Indonesian <1> is a value that
 * holds an English phrase of ours, which is translated (phrase.h).  What
 * providers answered is quoted as it is.
 *
 * Citizens' numbers are masked except for the level admin, wherever they stand
 * in a sentence: a provider's answer may repeat them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include <ctype.h>

#include "office/setting.h"
#include "words/phrase.h"
#include "words/story.h"
#include "funcapi.h"
#include "gateway/gateway.h"
#include "pg/call.h"

typedef struct Pair
{
	const char *english;
	const char *indonesian;
} Pair;

static const Pair sentences[WA_SAY_COUNT] = {
	[WA_SAY_MADE_BY_SCENARIO] = {"made by scenario {1} (template {2}), from event {3}",
	"dibuat oleh skenario {1} (template {2}), dari kejadian {3}"},
	[WA_SAY_MADE_BY_HAND] = {"sent by hand by role {1} (template {2})",
	"dikirim manual oleh peran {1} (template {2})"},
	[WA_SAY_TEXT_BY_HAND] = {"free text, sent by hand by role {1}", "teks bebas, dikirim manual oleh peran {1}"},
	[WA_SAY_ABOUT] = {"about {1} {2}", "tentang {1} {2}"},
	[WA_SAY_TO_NUMBER] = {"to number {1}, taken from {2}", "ke nomor {1}, diambil dari <2>"},
	[WA_SAY_TO_PARTNER] = {"to partner {1}", "kepada partner {1}"},
	[WA_SAY_TO_NOBODY] = {"no usable number was found", "tidak ditemukan nomor yang dapat dipakai"},
	[WA_SAY_NUMBER_PURGED] = {"number and text were removed after the retention period",
	"nomor dan isi pesan sudah dihapus setelah masa simpan"},
	[WA_SAY_NOT_BEFORE] = {"waits: not before this time", "menunggu: tidak sebelum waktu ini"},
	[WA_SAY_NOT_AFTER] = {"expires at this time if it is still unsent",
	"kedaluwarsa pada waktu ini bila belum terkirim"},
	[WA_SAY_HELD_UNTIL] = {"stays until somebody decides; if nobody has by this time, it ends, and number and text are removed",
	"tetap ditahan sampai ada yang memutuskan; bila belum ada sampai waktu ini, pesan berakhir dan nomor serta isinya dihapus"},
	[WA_SAY_UNWRITTEN_UNTIL] = {"if the setting is set before this time, the text is written and the message goes by itself; later it is no news any more",
	"bila pengaturan itu diisi sebelum waktu ini, teksnya disusun dan pesan terkirim sendiri; setelah itu bukan kabar baru lagi"},
	[WA_SAY_ADRIFT] = {"nobody carries this out: the message is in no queue (its state was written by hand, or a queue was emptied)",
	"tidak ada yang mengerjakannya: pesan ini tidak ada dalam antrean mana pun (keadaannya ditulis manual, atau antrean dikosongkan)"},
	[WA_SAY_ADRIFT_ADVICE] = {"wa_retry({1}) sends it, wa_cancel({1}) ends it", "wa_retry({1}) mengirimnya, wa_cancel({1}) mengakhirinya"},
	[WA_SAY_NEXT_ATTEMPT] = {"the next attempt: not before this time",
	"percobaan berikutnya: tidak sebelum waktu ini"},
	[WA_SAY_DOUBT_RESEND] = {"if nobody has told by this time whether it arrived: it is sent once more",
	"bila sampai waktu ini belum ada kabar apakah pesan sampai: dikirim sekali lagi"},
	[WA_SAY_DOUBT_HOLD] = {"if nobody has told by this time whether it arrived: it is held, and a person decides",
	"bila sampai waktu ini belum ada kabar apakah pesan sampai: ditahan, dan petugas yang memutuskan"},
	[WA_SAY_DOUBT_END] = {"if nobody has told by this time whether it arrived: it stays so, and is not sent again",
	"bila sampai waktu ini belum ada kabar apakah pesan sampai: dibiarkan, dan tidak dikirim lagi"},
	[WA_SAY_DOUBT_ADVICE] = {"nothing, it goes on by itself; wa_cancel({1}) keeps it from being sent again",
	"tidak ada, berlanjut sendiri; wa_cancel({1}) mencegahnya dikirim lagi"},
	[WA_SAY_PROVIDER_TROUBLE] = {"provider {1} is not used since this time: {2}",
	"penyedia {1} tidak dipakai sejak waktu ini: <2>"},
	[WA_SAY_PROVIDER_TEST] = {"provider {1} is tested again at this time, and used when the test succeeds",
	"penyedia {1} diuji lagi pada waktu ini, dan dipakai bila ujinya berhasil"},
	[WA_SAY_ROUTE] = {"route: {1}", "rute: <1>"},
	[WA_SAY_ATTEMPT] = {"attempt {1} through {2}: {3}", "percobaan {1} lewat {2}: {3}"},
	[WA_SAY_ATTEMPT_ELSEWHERE] = {"attempt {1}, on another server: {2}", "percobaan {1}, di server lain: <2>"},
	[WA_SAY_ANSWER] = {"the provider's answer: {1}", "jawaban penyedia: <1>"},
	[WA_SAY_SENT] = {"accepted by {1}, under the id {2}", "diterima oleh {1}, dengan id {2}"},
	[WA_SAY_SENT_WITHOUT_ID] = {"accepted by {1}, which gave no id", "diterima oleh {1}, yang tidak memberi id"},
	[WA_SAY_DELIVERED] = {"delivered to the phone", "sampai di ponsel"},
	[WA_SAY_READ] = {"read", "dibaca"},
	[WA_SAY_REQUESTED] = {"{2} asked for: {1}; the worker has yet to do it",
	"{2} meminta: {1}; belum dikerjakan oleh worker"},
	[WA_SAY_STATE] = {"state now: {1}", "keadaan sekarang: {1}"},
	[WA_SAY_REASON] = {"because: {1}", "sebab: {1}"},
	[WA_SAY_ADVICE] = {"what one can do: {1}", "yang dapat dilakukan: {1}"},
	[WA_SAY_MESSAGE] = {"message {1}: {2}", "pesan {1}: {2}"},
	[WA_SAY_OUTCOME] = {"no message from event {1}: {2}", "tidak ada pesan dari kejadian {1}: {2}"},
	[WA_SAY_DEAD_LETTER] = {"event {1} could not be composed: {2}. After mending the cause: SELECT wa_replay({1})",
	"kejadian {1} gagal disusun: <2>. Setelah penyebabnya diperbaiki: SELECT wa_replay({1})"},
	[WA_SAY_UNREAD] = {"event {1} of {2} is waiting to be read; if it stays so: SELECT * FROM wa_check()",
	"kejadian {1} pada {2} belum dibaca; bila tetap begitu: SELECT * FROM wa_check()"},
	[WA_SAY_CONSENT_IN] = {"number {1} opted in ({2})", "nomor {1} setuju menerima pesan ({2})"},
	[WA_SAY_CONSENT_OUT] = {"number {1} opted out ({2}): it gets nothing",
	"nomor {1} menolak pesan ({2}): tidak menerima apa pun"},
	[WA_SAY_INBOUND] = {"number {1} wrote to us", "nomor {1} mengirim pesan kepada kita"},
	[WA_SAY_NUMBER_REFUSED] = {"number {1} gets nothing: {2}", "nomor {1} tidak menerima apa pun: <2>"},
	[WA_SAY_PARTNER_REFUSED] = {"contact {1} gets nothing: {2}", "kontak {1} tidak menerima apa pun: <2>"},
	[WA_SAY_FOUND] = {"found in Odoo: {1}", "ditemukan di Odoo: {1}"},
	[WA_SAY_UNSEEN] = {"no change of {1} is recorded: {2}", "tidak ada perubahan {1} yang tercatat: <2>"},
	[WA_SAY_AS_IT_IS] = {"as it is now, scenario {1} says nothing of it: {2}",
	"keadaannya sekarang tidak diberitahukan oleh skenario {1}: <2>"},
	[WA_SAY_WOULD_SAY] = {"as it is now, scenario {1} would say so, had it become so in a change that was recorded; by hand: SELECT wa_send('{2}', ...)",
	"keadaannya sekarang akan diberitahukan oleh skenario {1}, seandainya perubahannya tercatat; manual: SELECT wa_send('{2}', ...)"},
	[WA_SAY_NAMED_CONTACT] = {"contact {1}: {2}; SELECT * FROM wa_history('partner {1}')",
	"kontak {1}: {2}; SELECT * FROM wa_history('partner {1}')"},
	[WA_SAY_NAMED_APPLICANT] = {"permit {1} ({3}), applicant {2}; SELECT * FROM wa_history('permit {1}')",
	"izin {1} ({3}), pemohon {2}; SELECT * FROM wa_history('permit {1}')"},
	[WA_SAY_NAMED_MORE] = {"there are more: give more of the name", "masih ada lagi: tulis nama lebih lengkap"},
	[WA_SAY_NOTHING] = {"nothing is known about \"{1}\"", "tidak ada catatan tentang \"{1}\""},
	[WA_SAY_TEMPLATE_MISSING] = {"there is no template \"{1}\"; there are: {2}",
	"tidak ada template \"{1}\"; yang ada: {2}"},
	[WA_SAY_TEMPLATE_INACTIVE] = {"template \"{1}\" is not active",
	"template \"{1}\" tidak aktif"},
	[WA_SAY_PARTNER_MISSING] = {"there is no partner {1}", "tidak ada partner {1}"},
	[WA_SAY_PERMIT_MISSING] = {"there is no permit {1}", "tidak ada izin {1}"},
	[WA_SAY_NUMBER_CHOSEN] = {"number {1}, the first usable one, from {2}",
	"nomor {1}, yang pertama dapat dipakai, dari <2>"},
	[WA_SAY_NO_NUMBER] = {"no usable number; looked at: {1}",
	"tidak ada nomor yang dapat dipakai; diperiksa: <1>"},
	[WA_SAY_NOTE] = {"note: {1}", "catatan: <1>"},
	[WA_SAY_WINDOW_OPEN] = {"the person wrote within the last 24 hours: the window is open",
	"orang ini menulis dalam 24 jam terakhir: jendela 24 jam terbuka"},
	[WA_SAY_WINDOW_CLOSED] = {"the person did not write within the last 24 hours: the window is closed",
	"orang ini tidak menulis dalam 24 jam terakhir: jendela 24 jam tertutup"},
	[WA_SAY_WINDOW_USED] = {"it would go only because that window is open",
	"hanya dapat dikirim karena jendela itu terbuka"},
	[WA_SAY_TEXT] = {"the text: {1}", "isi pesan: {1}"},
	[WA_SAY_VALUES_MISSING] = {"values are missing: {1}; give them in params, or name a permit_id",
	"nilai belum ada: {1}; berikan dalam params, atau sebut permit_id"},
	[WA_SAY_SETTING_MISSING] = {"values are missing: {1}; the office has not set one: SELECT wa_set('{2}', '...')",
	"nilai belum ada: {1}; kantor belum mengaturnya: SELECT wa_set('{2}', '...')"},
	[WA_SAY_PARAMS] = {"as template {1}, with the parameters {2}", "sebagai template {1}, dengan parameter {2}"},
	[WA_SAY_AS_TEXT] = {"as plain text", "sebagai teks biasa"},
	[WA_SAY_MODE_STOPPED] = {"nothing now: it would be held, since nothing is sent: {1}",
	"sekarang tidak: akan ditahan, karena tidak ada yang dikirim: <1>"},
	[WA_SAY_NOT_SENT] = {"nothing: {1}", "tidak dikirim: {1}"},
	[WA_SAY_WOULD_WAIT] = {"it would wait, until a provider can take it: SELECT * FROM wa_check()",
	"akan menunggu, sampai ada penyedia yang dapat mengirimnya: SELECT * FROM wa_check()"},
	[WA_SAY_MODE_OBSERVE] = {"mode observe: by hand it would be sent; automatic messages are not, before wa_arm()",
	"mode observe: pesan manual akan dikirim; pesan otomatis tidak, sebelum wa_arm()"},
	[WA_SAY_MODE_TEST] = {"mode test: it would go to {1} instead", "mode test: akan dikirim ke {1} sebagai gantinya"},
	[WA_SAY_MODE_LIVE] = {"mode live: it would be sent", "mode live: akan dikirim"},
};

static const struct
{
	const char *state;
	Pair		words;
}			states[] = {
	{"queued", {"waits to be sent", "menunggu dikirim"}},
	{"sending", {"is being sent", "sedang dikirim"}},
	{"sent", {"accepted by the provider", "diterima penyedia"}},
	{"delivered", {"delivered", "sampai"}},
	{"read", {"read", "dibaca"}},
	{"failed", {"failed", "gagal"}},
	{"unknown", {"it is not known whether it arrived", "tidak diketahui apakah sampai"}},
	{"held", {"held back", "ditahan"}},
	{"skipped", {"not sent", "tidak dikirim"}},
	{"cancelled", {"canceled", "dibatalkan"}},
	{"superseded", {"replaced by a newer message", "digantikan pesan yang lebih baru"}},
	{"expired", {"too old to be sent", "terlalu lama untuk dikirim"}},
};

static const struct
{
	const char *reason;
	Pair		words;
	Pair		advice;			/* NULL: that of the state */
}			reasons[] = {
	{"no_number", {"the contact has no usable mobile number", "kontak tidak mempunyai nomor ponsel yang dapat dipakai"},
	{"correct the number of the contact in Odoo, then wa_retry({1})",
	"perbaiki nomor kontak di Odoo, lalu wa_retry({1})"}},
	{"no_recipient", {"the contact does not exist any more", "kontak sudah tidak ada"},
	{"link a contact to the record in Odoo, then send again with wa_send()",
	"hubungkan kontak di Odoo, lalu kirim lagi dengan wa_send()"}},
	{"opted_out", {"the person does not want messages", "orang ini tidak mau menerima pesan"},
	{"nothing, unless the person consents again", "tidak ada, kecuali orang itu setuju lagi"}},
	{"blacklisted", {"the number is on Odoo's blacklist", "nomor ada dalam daftar hitam Odoo"},
	{"take it off Odoo's phone blacklist if the person agrees", "hapus dari daftar hitam Odoo bila orangnya setuju"}},
	{"setting_missing", {"a setting of the office that the text needs is not set", "pengaturan kantor yang diperlukan belum diisi"},
	{"set it with wa_set(): the text is written then, and the message goes by itself",
	"isi dengan wa_set(): setelah itu teksnya disusun dan pesan terkirim sendiri"}},
	{"copy", {"it was there before this copy of the database was armed", "sudah ada sebelum salinan database ini diaktifkan"},
	{"wa_release({1}) or wa_cancel({1})", "wa_release({1}) atau wa_cancel({1})"}},
	{"observe", {"mode observe: only messages by hand go out", "mode observe: hanya pesan manual yang dikirim"},
	{"wa_arm() when the office is ready; send this one with wa_retry({1})", "wa_arm() bila kantor siap; kirim yang ini dengan wa_retry({1})"}},
	{"no_provider", {"no provider can take it now", "belum ada penyedia yang dapat mengirimnya"},
	{"see SELECT * FROM wa_check(); it goes by itself when a provider can be used", "lihat SELECT * FROM wa_check(); terkirim sendiri bila ada penyedia yang siap"}},
	{"facts_unreadable", {"Odoo's table with what must be known before it goes cannot be read", "tabel Odoo yang harus dibaca sebelum pesan dikirim tidak dapat dibaca"},
	{"mend what \"detail\" names; it goes by itself then", "perbaiki yang disebut \"detail\"; terkirim sendiri setelah itu"}},
	{"duplicate", {"a message with the same dedupe_key was there before", "sudah ada pesan dengan dedupe_key yang sama"},
	{"nothing, the other one stands for it; wa_send() with another dedupe_key makes one more",
	"tidak ada, pesan yang lain mewakilinya; wa_send() dengan dedupe_key lain membuat satu lagi"}},
	{"time_to_live", {"its time was over before it could be sent", "waktunya habis sebelum dapat dikirim"},
	{"send again with wa_send() if it is still news", "kirim lagi dengan wa_send() bila masih perlu"}},
	{"retries_exhausted", {"all attempts failed", "semua percobaan gagal"}, {NULL, NULL}},
	{"retry", {"the provider did not take it, for a passing reason", "tidak diterima penyedia karena gangguan sementara"}, {NULL, NULL}},
	{"throttled", {"the provider asked to send more slowly", "penyedia minta pengiriman diperlambat"}, {NULL, NULL}},
	{"released", {"somebody released it", "dilepas oleh seseorang"}, {NULL, NULL}},
	{"retried", {"somebody asked to send it again", "diminta dikirim ulang oleh seseorang"}, {NULL, NULL}},
	{"provider", {"the provider cannot be used", "penyedia tidak dapat dipakai"},
	{"see SELECT * FROM wa_check()", "lihat SELECT * FROM wa_check()"}},
	{"refuses_all", {"the provider refuses everybody for a reason that is not known", "penyedia menolak semua penerima dengan alasan yang tidak dikenal"},
	{"see SELECT * FROM wa_check(); it goes by itself when the provider takes messages again", "lihat SELECT * FROM wa_check(); terkirim sendiri bila penyedia menerima pesan lagi"}},
	{"template", {"the provider refused the template", "penyedia menolak template"},
	{"correct the mapping with wa_map_template(), then wa_retry({1})", "perbaiki pemetaan dengan wa_map_template(), lalu wa_retry({1})"}},
	{"recipient", {"the provider says that this number cannot be reached", "menurut penyedia nomor ini tidak dapat dihubungi"},
	{"correct the number of the contact in Odoo", "perbaiki nomor kontak di Odoo"}},
	{"policy", {"the provider's rules forbid it", "dilarang oleh aturan penyedia"}, {NULL, NULL}},
	{"request", {"the provider could not read the request", "permintaan tidak dapat dibaca penyedia"}, {NULL, NULL}},
	{"no_answer", {"the connection broke before the provider answered", "sambungan putus sebelum penyedia menjawab"}, {NULL, NULL}},
	{"interrupted", {"the server stopped while it was being sent", "server berhenti saat pesan sedang dikirim"}, {NULL, NULL}},
	{"failover", {"another server took over; the former one may have sent it", "server lain mengambil alih; server sebelumnya mungkin sudah mengirimnya"}, {NULL, NULL}},
	{"unreachable", {"the provider could not be reached", "penyedia tidak dapat dihubungi"}, {NULL, NULL}},
	{"repeat", {"it is not known whether it arrived, so it is sent once more", "tidak diketahui apakah sampai, karena itu dikirim sekali lagi"}, {NULL, NULL}},
	{"gave_up", {"it is not known whether it arrived, and it is not sent again", "tidak diketahui apakah sampai, dan tidak dikirim lagi"},
	{"ask the person; if nothing came: wa_retry({1})", "tanyakan kepada orangnya; bila belum sampai: wa_retry({1})"}},
	{"unknown_outcome", {"it is not known whether it arrived; a person decides", "tidak diketahui apakah sampai; petugas yang memutuskan"},
	{"ask the person; wa_release({1}) sends it once more, wa_cancel({1}) does not", "tanyakan kepada orangnya; wa_release({1}) mengirim sekali lagi, wa_cancel({1}) tidak"}},
	{"many_unknown", {"the provider leaves too many messages without an answer", "terlalu banyak pesan yang tidak dijawab penyedia"},
	{"mend the provider first; wa_release({1}) then sends the held ones once more", "perbaiki penyedia dahulu; lalu wa_release({1}) mengirim yang ditahan sekali lagi"}},
	{"cancelled", {"somebody canceled it", "dibatalkan oleh seseorang"}, {NULL, NULL}},
	{"settled", {"the provider told later what became of it", "penyedia kemudian memberi tahu hasilnya"}, {NULL, NULL}},
	{"retention", {"it was held for longer than the retention period", "ditahan lebih lama dari masa simpan"},
	{"number and text are gone; wa_send() makes a new one if it is still wanted",
	"nomor dan isinya sudah dihapus; wa_send() membuat yang baru bila masih perlu"}},
	{"not_news", {"it is no news any more", "bukan kabar baru lagi"},
	{"nothing; if the person is to hear of it all the same: wa_retry({1}); news_days in wa.scenario is the limit",
	"tidak ada; bila orangnya tetap perlu tahu: wa_retry({1}); batasnya news_days di wa.scenario"}},
	{"name_mismatch", {"the contact's name is not the applicant's", "nama kontak bukan nama pemohon"},
	{"link the right contact in Odoo; or wa_release({1}) if it is the same person", "hubungkan kontak yang benar di Odoo; atau wa_release({1}) bila orangnya sama"}},
	{"daily_limit", {"too many messages to this number in one day", "terlalu banyak pesan ke nomor ini dalam satu hari"},
	{"wa_release({1}) or wa_cancel({1}); for staff who need more, raise max_per_day_and_number in wa.scenario",
	"wa_release({1}) atau wa_cancel({1}); bila petugas perlu lebih, naikkan max_per_day_and_number di wa.scenario"}},
	{"outside_hours", {"outside the sending hours of its scenario", "di luar jam kirim skenarionya"}, {NULL, NULL}},
	{"no_longer_true", {"what it says was no longer true when it was to be sent", "isinya tidak berlaku lagi saat akan dikirim"}, {"nothing", "tidak ada"}},
	{"newer_status", {"a newer status update of the same permit replaced it", "digantikan pembaruan status yang lebih baru"}, {"nothing", "tidak ada"}},
	{"replaced", {"a new message took its place", "digantikan pesan baru"}, {"nothing", "tidak ada"}},
	{"bulk", {"too many messages of this scenario at once", "terlalu banyak pesan skenario ini sekaligus"},
	{"look at them, then wa_release({1}) or wa_cancel({1})", "periksa dulu, lalu wa_release({1}) atau wa_cancel({1})"}},
};

static const struct
{
	const char *state;
	Pair		advice;
}			advices[] = {
	{"queued", {"nothing, it goes by itself; wa_cancel({1}) ends it", "tidak ada, terkirim sendiri; wa_cancel({1}) mengakhirinya"}},
	{"sending", {"nothing, the answer of the provider is awaited", "tidak ada, jawaban penyedia sedang ditunggu"}},
	{"skipped", {"nothing; wa_retry({1}) sends it all the same", "tidak ada; wa_retry({1}) tetap mengirimnya"}},
	{"expired", {"send again with wa_send() if it is still news", "kirim lagi dengan wa_send() bila masih perlu"}},
	{"superseded", {"nothing", "tidak ada"}},
	{"failed", {"mend the cause, then wa_retry({1})", "perbaiki penyebabnya, lalu wa_retry({1})"}},
	{"unknown", {"ask the person, or look at the provider's dashboard; wa_retry({1}) sends it again",
	"tanyakan orangnya, atau lihat dasbor penyedia; wa_retry({1}) mengirim lagi"}},
	{"held", {"wa_release({1}) lets it go, wa_cancel({1}) ends it", "wa_release({1}) melepasnya, wa_cancel({1}) mengakhirinya"}},
	{"cancelled", {"wa_retry({1}) sends it after all", "wa_retry({1}) tetap mengirimnya"}},
};

/* What became of one attempt. */
static const struct
{
	const char *outcome;
	Pair		words;
}			outcomes[] = {
	{"accepted", {"accepted", "diterima"}},
	{"retry", {"not accepted for a passing reason", "tidak diterima karena gangguan sementara"}},
	{"throttle", {"not accepted because it came too fast", "tidak diterima karena pengiriman terlalu cepat"}},
	{"provider", {"the provider cannot be used", "penyedia tidak dapat dipakai"}},
	{"template", {"the template cannot be used", "template tidak dapat dipakai"}},
	{"recipient", {"the number cannot be reached", "nomor tidak dapat dihubungi"}},
	{"policy", {"forbidden by the provider's rules", "dilarang aturan penyedia"}},
	{"caller", {"the request was wrong", "permintaan keliru"}},
	{"unknown", {"not known whether it arrived", "tidak diketahui apakah sampai"}},
};

static const struct
{
	const char *action;
	Pair		words;
}			actions[] = {
	{"cancel", {"cancel it", "membatalkannya"}},
	{"retry", {"send it again", "mengirimnya lagi"}},
	{"release", {"let it go", "melepasnya"}},
};

static const char *
pick(const WaStory *story, const Pair *pair)
{
	return story->indonesian ? pair->indonesian : pair->english;
}

/*
 * Begin; caller: the role whose level decides whether numbers are masked.
 */
void
wa_story_begin(WaStory *story, FunctionCallInfo fcinfo, Oid caller)
{
	story->fcinfo = fcinfo;
	story->indonesian = strcmp(wa_office_get("language"), "en") != 0;
	story->full = wa_call_level(caller) >= WA_LEVEL_ADMIN;
	story->time_zone = wa_office_get("time_zone");
	story->rows = 0;
}

/*
 * A sentence with its values; unused ones are NULL.
 */
char *
wa_story_words(const WaStory *story, WaSentence sentence,
			   const char *first, const char *second, const char *third)
{
	const char *given[] = {first, second, third};
	WaPhraseValue values[lengthof(given)];
	StringInfoData words;

	for (size_t i = 0; i < lengthof(given); i++)
	{
		values[i].text = given[i] ? given[i] : "-";
		values[i].len = strlen(values[i].text);
	}
	initStringInfo(&words);
	wa_words_phrase_fill(&words, pick(story, &sentences[sentence]), values, lengthof(values));
	return words.data;
}

/*
 * The text with the middle of every phone number masked, unless the caller may
 * see them: a run of 10 to 15 digits that begins like a mobile number, or what
 * stands in a provider's message id.
 */
char *
wa_story_masked(const WaStory *story, const char *text)
{
	char	   *masked = pstrdup(text);
	char	   *p = masked;

	while (!story->full && *p)
	{
		size_t		len = strspn(p, "0123456789");
		size_t		from;
		size_t		count;
		size_t		id_len = wa_gateway_telling_id(p, &from, &count);

		if (id_len > 0)
		{
			memset(p + from, '*', count);
			len = id_len;
		}
		else if (len >= 10 && len <= 15 &&
				 (p[0] == '0' || p[0] == '6' || p[0] == '8' || (p > masked && p[-1] == '+')))
			memset(p + 4, '*', len - 7);
		p += Max(len, 1);
	}
	return masked;
}

/*
 * Add a row; at 0: no time.  It is told as the office's clock shows it.
 */
void
wa_story_tell(WaStory *story, TimestampTz at, const char *what)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) story->fcinfo->resultinfo;
	Datum		values[2];
	bool		nulls[2] = {at == 0, false};

	values[0] = TimestampGetDatum(wa_office_time_on_wall(at, story->time_zone));
	values[1] = CStringGetTextDatum(wa_story_masked(story, what));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	story->rows++;
}

/*
 * Add a row of advice.  Item and state are for programs too and always the
 * same; what to do (NULL: nothing) is given in English.
 */
void
wa_story_advise(const WaStory *story, const char *item, const char *state, const char *what_to_do)
{
	wa_call_say(story->fcinfo, item, state, what_to_do == NULL ? NULL :
				 wa_story_masked(story, wa_story_phrase(story, what_to_do)));
}

/* A state in words, with its own name. */
const char *
wa_story_state(const WaStory *story, const char *state)
{
	for (size_t i = 0; i < lengthof(states); i++)
		if (strcmp(states[i].state, state) == 0)
			return psprintf("%s (%s)", pick(story, &states[i].words), state);
	return state;
}

/* The outcome of an attempt in words, with its own name. */
const char *
wa_story_outcome(const WaStory *story, const char *outcome)
{
	for (size_t i = 0; i < lengthof(outcomes); i++)
		if (strcmp(outcomes[i].outcome, outcome) == 0)
			return strcmp(pick(story, &outcomes[i].words), outcome) == 0 ? outcome :
				psprintf("%s (%s)", pick(story, &outcomes[i].words), outcome);
	return outcome;
}

/* What somebody asked the worker to do, in words, with its own name. */
const char *
wa_story_action(const WaStory *story, const char *action)
{
	for (size_t i = 0; i < lengthof(actions); i++)
		if (strcmp(actions[i].action, action) == 0)
			return psprintf("%s (%s)", pick(story, &actions[i].words), action);
	return action;
}

/* A sentence that is kept in English, in the language of the story. */
const char *
wa_story_phrase(const WaStory *story, const char *english)
{
	return story->indonesian ? wa_words_phrase_in_indonesian(english) : english;
}

/*
 * Is this a reason code of the ledger's?
 */
bool
wa_story_knows_reason(const char *reason)
{
	for (size_t i = 0; i < lengthof(reasons); i++)
		if (strcmp(reasons[i].reason, reason) == 0)
			return true;
	return false;
}

/* A reason code in words; one that is not known as it is. */
const char *
wa_story_reason(const WaStory *story, const char *reason)
{
	for (size_t i = 0; i < lengthof(reasons); i++)
		if (strcmp(reasons[i].reason, reason) == 0)
			return pick(story, &reasons[i].words);
	return reason;
}

/* Does the sentence begin with these words? */
static bool
begins_with(const char *sentence, const char *words)
{
	return strncmp(sentence, words, strlen(words)) == 0;
}

/* Up to its first colon, what the sentence is about: "mode observe". */
static bool
same_subject(const char *a, const char *b)
{
	const char *colon = strchr(a, ':');

	return colon && strncmp(a, b, colon - a + 1) == 0;
}

/*
 * A reason code and what is known beyond it (each may be NULL, the detail is
 * in the language of the story) as one sentence that says nothing twice.
 */
const char *
wa_story_cause(const WaStory *story, const char *reason, const char *detail, const char *between)
{
	const char *words = reason ? wa_story_reason(story, reason) : NULL;

	if (words == NULL || detail == NULL)
		return words ? words : detail;
	if (begins_with(words, detail))
		return words;
	if (begins_with(detail, words) || same_subject(detail, words))
		return detail;
	return psprintf("%s%s%s", words, between, detail);
}

/* What one can do about this message; NULL: nothing. */
const char *
wa_story_advice(const WaStory *story, int64 message, const char *state, const char *reason)
{
	char	   *id = psprintf(INT64_FORMAT, message);
	WaPhraseValue value = {id, strlen(id)};
	const Pair *advice = NULL;
	StringInfoData words;

	for (size_t i = 0; reason && i < lengthof(reasons) && advice == NULL; i++)
		if (strcmp(reasons[i].reason, reason) == 0 && reasons[i].advice.english)
			advice = &reasons[i].advice;
	for (size_t i = 0; i < lengthof(advices) && advice == NULL; i++)
		if (strcmp(advices[i].state, state) == 0)
			advice = &advices[i].advice;
	if (advice == NULL)
		return NULL;
	initStringInfo(&words);
	wa_words_phrase_fill(&words, pick(story, advice), &value, 1);
	return words.data;
}

"""The add-on's screens in a browser, where a clerk clicks through his jobs: a part of checks.py.

Whatever is done is looked for in two places: on the page, and in the ledger or
at the provider. The pictures lie in browser.PICTURES.
"""

import contextlib
import json

import browser
import odoo_test as lab
import web
from browser import DESKTOP, PHONE

LIST, FORM = ".o_list_view .o_data_row", ".o_form_view"
CARD = ".o_kanban_record:not(.o_kanban_ghost)"      # a row of a phone's list
CARDS = ".o_kanban_view " + CARD
SECRET = "rahasia-webhook"          # of the simulated provider's address
WRONG, RIGHT = "0812-3000-0404", "0812-3000-0405"
# login: name, group, language
USERS = {
    "loket": ("Lestari Loket", "send", "id_ID"),
    "counter": ("Lestari Counter", "send", "en_US"),
    "pimpinan": ("Hadi Pimpinan", "view", "id_ID"),
    "pengelola": ("Bagus Pengelola", "manage", "id_ID"),
    "manager": ("Bagus Manager", "manage", "en_US"),
    "tamu": ("Tanpa Hak", None, "id_ID"),
}
PEOPLE = [                          # name, telephone, permit, what the provider tells of it
    ("Siti Rahmawati", "0812-3000-0101", "503/0101/SIP/2026", "read"),
    ("Ahmad Fauzi", "0812-3000-0102", "503/0102/IMB/2026", "delivered"),
    ("Made Wirawan", "0812-3000-0103", "503/0103/SIUP/2026", "read"),
    ("Yohana Tambunan", "0812-3000-0104", "503/0104/IMB/2026", None),
    ("Joko Prasetyo", WRONG, "503/0404/IMB/2026", None),
    ("Dewi Lestari", None, "503/0401/SIUP/2026", None),
]

SCENARIO = "Izin Selesai Diproses"  # permit_ready, as the database calls it
# What an office may have sent since the first of the month.
MONTH = """
INSERT INTO wa.message (scenario, template_key, number, body, provider, state, reason, created_at, finished_at, attempts)
SELECT k, k, '62813' || to_char(n, 'FM00000000'), 'Yth. Bapak/Ibu', 'fonnte', s,
    CASE s WHEN 'failed' THEN 'recipient' WHEN 'skipped' THEN 'no_number' END, t, t, 1
  FROM generate_series(0, 119) AS n,
    LATERAL (SELECT (ARRAY['permit_ready', 'status_update', 'permit_expiry_warning'])[1 + n % 3] AS k,
        (ARRAY['read', 'delivered', 'read', 'sent', 'delivered', 'read', 'failed', 'read', 'skipped'])[1 + n % 9] AS s,
        least(now(), first + n % days * interval '1 day' + n * interval '3 minutes') AS t
      FROM (SELECT date_trunc('month', now() AT TIME ZONE z) AT TIME ZONE z + interval '9 hours' AS first,
                extract(day FROM now() AT TIME ZONE z)::int AS days FROM (SELECT wa._time_zone() AS z) AS o) AS m) AS q
"""
COUNT = """SELECT count(*) FROM wa.message, (SELECT wa._time_zone() AS z OFFSET 0) AS o
  WHERE date_trunc('month', created_at AT TIME ZONE z) = date_trunc('month', now() AT TIME ZONE z)"""

database = None


def sql(text):
    return lab.sql(text, database)


def message(name):
    """The id of the newest message to somebody."""
    return int(sql("SELECT max(m.id) FROM wa.message AS m JOIN res_partner AS p ON p.id = m.partner_id"
                   " WHERE p.name = '%s'" % name))


def state(identifier):
    return sql("SELECT concat_ws(' ', state, reason) FROM wa.message WHERE id = %d" % identifier)


def sentences(call, language="id"):
    """What the database says, a sentence a row."""
    return [row["what"] for row in lab.rows(
        "SELECT what FROM (SELECT set_config('sicantik_wa.language', '%s', false) OFFSET 0) AS l,"
        " LATERAL %s AS s" % (language, call), database)]


def office():
    """Users of each right, citizens, and what became of their messages."""
    lab.part("An office with its people")
    lab.simulator("config", {"fonnte": {"invalid_targets": [WRONG.replace("-", "").replace("0", "62", 1)]}})
    sql("SELECT wa_configure('fonnte', '{\"webhook_secret\": \"%s\"}'); SELECT wa_test_connection('fonnte')" % SECRET)
    lab.orm("""
Lang = env['res.lang'].with_context(active_test=False).search([('code', '=', 'id_ID')])
env['base.language.install'].create({'lang_ids': [(6, 0, Lang.ids)]}).lang_install()
for login, (name, group, lang) in USERS.items():
    mine = ['base.group_user', 'base.group_partner_manager', *['sicantik_wa.group_%s' % g for g in [group] if g]]
    env['res.users'].create({'name': name, 'login': login, 'password': login + '-rahasia', 'lang': lang,
        'tz': 'Asia/Jakarta', 'odoobot_state': 'disabled', groups: [(6, 0, [env.ref(g).id for g in mine])]})
kinds = {key: env['sicantik.permit.type'].create({'name': name}) for key, name in (
    ('IMB', 'Izin Mendirikan Bangunan'), ('SIUP', 'Surat Izin Usaha Perdagangan'), ('SIP', 'Surat Izin Praktik'))}
for name, phone, number, _told in PEOPLE:
    person = Partner.create({'name': name, 'phone': phone, 'country_id': env.ref('base.id').id, 'lang': 'id_ID'})
    Permit.create({'registration_id': 'REG-' + number[4:8], 'applicant_name': name, 'partner_id': person.id,
        'permit_type_id': kinds[number.split('/')[2]].id, 'status': 'active', 'permit_number': number,
        'issue_date': ISSUED})
""".replace("USERS", repr(USERS)).replace("PEOPLE", repr(PEOPLE)).replace("ISSUED", repr(str(lab.ISSUED))), database)
    lab.settled(database)
    for name, _phone, _number, told in PEOPLE:
        if told:
            tell(message(name), told)
    lab.settled(database)
    lab.wait_for("SELECT count(*) = %d FROM wa.message WHERE state IN ('delivered', 'read')"
                 % sum(1 for person in PEOPLE if person[3]), "the provider tells", database)
    lab.equal(state(message("Joko Prasetyo")), "failed recipient", "a number that the provider does not know")
    lab.equal(state(message("Dewi Lestari")), "skipped no_number", "a citizen without one")


def tell(identifier, status):
    """What Fonnte tells of a message."""
    body = {"device": "62811", "id": sql("SELECT provider_message_id FROM wa.message WHERE id = %d" % identifier),
            "status": status, "state": status}
    sql("SELECT wa_webhook('fonnte', convert_to('%s', 'UTF8'), NULL, '%s')" % (json.dumps(body), SECRET))


@contextlib.contextmanager
def windows(where=None):
    """A server, and what makes a window with somebody logged in; at the end the server's log is clean."""
    zone = "Asia/Jakarta" if where else sql("SELECT wa._time_zone()")
    with web.odoo_server(where or database) as server, browser.chromedriver(zone) as driver:
        def window(login, size=DESKTOP, password=None):
            made = stack.enter_context(browser.Browser(driver.port, server.port, size))
            made.log_in(login, password or login + "-rahasia")
            return made
        with contextlib.ExitStack() as stack:
            yield window
        log = server.said()
        bad = [line for line in log.splitlines() if any(w in line for w in (" ERROR ", " CRITICAL ", "Traceback"))
               and not any(w in line for w in browser.NOT_THE_PAGE)]
        lab.equal(bad, [], "Odoo's log has no error")


def messages(window):
    """Through the menu to the list."""
    window.app("sicantik_wa.menu")
    window.wait_for(LIST if window.size == DESKTOP else CARDS)
    window.at_rest()


def search(window, words):
    window.type(".o_searchview_input", words)
    window.click(".o_searchview_autocomplete .o-dropdown-item, .o_searchview_autocomplete li", words)
    window.wait_for(".o_searchview_facet", words)
    window.at_rest()


def without_the_extension(where):
    with windows(where) as make:
        window = make("admin", password="admin")
        window.refusal()                # no other application is there, so it is the first page
        window.app("sicantik_wa.menu")
        said = window.refusal()
        lab.check("does not have the extension sicantik_wa" in said and "Traceback" not in said,
                  "its menu says so in a sentence", said)
        window.open("/odoo/action-base.action_partner_form", ".o_list_view, .o_kanban_view")
        lab.check("Administrator" in window.page(), "  and Odoo's own pages open", window.page())


# The five jobs

def why_nothing(window):
    lab.part("A clerk finds why a citizen got nothing")
    messages(window)
    search(window, "503/0401/SIUP/2026")
    lab.equal(len(window.seen(LIST)), 1, "the permit's number finds her message")
    window.shot("why-list")
    window.click(LIST + " td[name=number], " + LIST + " td[name=state]")
    window.wait_for(FORM)
    window.at_rest()
    page = window.page()
    told = sentences("wa_why(%d)" % message("Dewi Lestari"))
    lab.equal([what for what in told if "wa_" not in what and plain(what) not in plain(page)], [],
              "the form tells the whole story of wa_why(), in Indonesian")
    lab.check('perbaiki nomor kontak di Odoo, lalu "Kirim ulang"' in page and "wa_retry" not in page,
              "  and names the button in the place of its function", page)
    lab.check("kontak tidak mempunyai nomor ponsel yang dapat dipakai" in page, "  and why nothing was sent", page)
    window.shot("why")


def plain(words):
    return " ".join(words.split())


def corrected_number(window):
    lab.part("A clerk sends again, to a corrected number")
    failed = message("Joko Prasetyo")
    messages(window)
    search(window, "Joko Prasetyo")
    window.click(LIST + " td[name=state]")
    window.wait_for(FORM)
    window.at_rest()
    lab.check("target invalid" in window.page() and "menurut penyedia nomor ini tidak dapat dihubungi" in window.page(),
              "the form says what the provider said", window.page())
    window.shot("failed")
    window.click(".o_field_widget[name=partner_id] a, .o_field_widget[name=partner_id] .o_external_button")
    window.type(".o_field_widget[name=phone] input", RIGHT)
    window.click(".o_form_button_save")
    window.wait_gone(".o_form_button_save")
    window.click(".o_breadcrumb .o_back_button, .breadcrumb-item.o_back_button a")
    before = len(lab.sends())
    window.click("button[name=action_retry]")
    window.wait_for(".o_notification, .modal")
    window.shot("again")
    lab.check(lab.wait_for("SELECT state = 'sent' FROM wa.message WHERE id = %d" % failed, "it is sent", database),
              "pressed once, it is sent")
    lab.equal([e["to"] for e in lab.sends()[before:]], [RIGHT.replace("-", "").replace("0", "62", 1)],
              "  to the corrected number, once")


def by_hand(window):
    lab.part("A clerk sends a text by hand")
    words = "Yth. Ibu Yohana, berkas asli sudah dapat diambil di loket 2. Terima kasih."
    person = sql("SELECT id FROM res_partner WHERE name = 'Yohana Tambunan'")
    window.open("/odoo/res.partner/%s" % person, FORM)
    window.action("Kirim WhatsApp")
    window.wait_for(".modal .o_form_view")
    window.at_rest()
    window.shot("hand-empty")
    window.click(".modal .o_field_widget[name=kind] label", "Teks")
    window.type(".modal .o_field_widget[name=body] textarea", words)
    window.click(".modal .o_field_widget[name=recipient]")
    window.wait_for(".modal .o_field_widget[name=preview]", "Yohana")
    window.at_rest()
    window.shot("hand")
    before = len(lab.sends())
    window.click(".modal button[name=action_send]")
    window.wait_for(".o_notification")
    window.wait_gone(".modal")
    lab.settled(database)
    lab.equal([[e["to"], e["message"]] for e in lab.sends()[before:]], [["6281230000104", words]],
              "pressed once, the provider has it as it was typed")
    messages(window)
    window.shot("list")


def stop_a_scenario(window):
    lab.part("Somebody who may stops a scenario")
    window.app("sicantik_wa.menu", "sicantik_wa.menu_desk")
    window.wait_for(FORM)
    window.at_rest()
    window.shot("desk")
    window.click("button[name=action_arm]")
    window.type(".modal .o_field_widget[name=database_name] input", "bukan_ini")
    window.click(".modal button[name=action_arm]")
    said = window.refusal()
    lab.check("bukan_ini" in said and database in said, "a wrong name for this database is answered with a sentence", said)
    window.click(".modal button[special=cancel], .modal .btn-close")
    window.wait_gone(".modal")
    row = ".o_field_widget[name=scenario_ids] .o_data_row"
    window.wait_for(row, SCENARIO)
    window.click_in(row, SCENARIO, "button[name=action_stop]")
    window.wait_for(".o_notification")
    window.at_rest()
    lab.equal(sql("SELECT active FROM wa.scenario WHERE key = 'permit_ready'"), "f", "it is stopped")
    before = sql("SELECT count(*) FROM wa.message")
    lab.orm("Permit.create({'registration_id': 'REG-0900', 'applicant_name': 'Siti Rahmawati', 'status': 'active',"
            " 'partner_id': Partner.search([('name', '=', 'Siti Rahmawati')]).id, 'permit_number': '503/0900/SIP/2026',"
            " 'permit_type_id': env['sicantik.permit.type'].search([], limit=1).id, 'issue_date': '%s'})" % lab.ISSUED, database)
    lab.settled(database)
    lab.equal(sql("SELECT count(*) FROM wa.message"), before, "  a permit that is ready by then makes no message")
    window.click_in(row, SCENARIO, "button[name=action_start]")
    lab.check(lab.wait_for("SELECT active FROM wa.scenario WHERE key = 'permit_ready'", "started", database),
              "started again, it is on")


def this_month(window):
    lab.part("This month")
    lab.sql(MONTH, database, "postgres")
    messages(window)
    window.click(".o_searchview_dropdown_toggler")
    window.click(".o_filter_menu .o_accordion_toggle", "Tanggal")
    window.click(".o_filter_menu .o_item_option", this_months_name())
    window.wait_for(".o_searchview_facet", this_months_name())
    window.click(".o_searchview_dropdown_toggler")
    window.click(".o_switch_view.o_pivot")
    window.wait_for(".o_pivot_view td.o_pivot_cell_value")
    window.at_rest()
    total = window.texts(".o_pivot_view tbody tr:first-child td.o_pivot_cell_value")[-1]
    lab.equal(total.replace(".", ""), sql(COUNT), "the table counts what the ledger has of this month")
    window.shot("month")
    window.click(".o_switch_view.o_graph")
    window.wait_for(".o_graph_view canvas")
    window.shot("graph")


def this_months_name():
    """As an Indonesian browser calls it."""
    return ("Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember"
            .split()[lab.TODAY.month - 1])


def on_a_phone(window):
    lab.part("On a telephone, in English")
    messages(window)
    cards = window.texts(CARDS)
    lab.check(any("Dewi Lestari" in card and "Not sent" in card and "no usable mobile number" in card for card in cards),
              "each message is a card, with its state and why", cards[-6:])
    window.shot("phone-list")
    window.open("/odoo/action-sicantik_wa.message_action/%d" % message("Dewi Lestari"), FORM)
    lab.check('then "Send again"' in window.page(), "its page says what one can do", window.page())
    window.shot("phone")
    window.open("/odoo/sicantik.permit/%s" % sql("SELECT id FROM sicantik_permit WHERE registration_id = 'REG-0401'"), FORM)
    window.action("WhatsApp messages")
    window.wait_for(".o_field_widget[name=story]", "the contact has no usable mobile number")
    lab.equal(window.overflow(), 0, "the permit's history fits the window")
    window.shot("phone-history")


def desk_on_a_phone(window):
    window.app("sicantik_wa.menu", "sicantik_wa.menu_desk")
    window.wait_for(FORM)
    window.at_rest()
    for button in ("action_pause", "action_stop"):
        right = window.js("return arguments[0].getBoundingClientRect().right", window.wait_for("button[name=%s]" % button))
        lab.check(right <= PHONE[0], "what stops a provider, or a scenario, needs no pushing about", right)
    paused = "paused_at IS NOT NULL FROM wa.provider WHERE name = 'fonnte'"
    window.click_in(CARD, "fonnte", "button[name=action_pause]")
    lab.check(lab.wait_for("SELECT " + paused, "paused", database), "  and a provider is paused")
    window.click_in(CARD, "fonnte", "button[name=action_resume]")
    lab.check(lab.wait_for("SELECT NOT " + paused, "resumed", database), "  and goes on")


def without_rights(window):
    window.click(".o_navbar_apps_menu button")
    window.wait_for(".o_app")
    lab.equal(len(window.seen("[data-menu-xmlid='sicantik_wa.menu']")), 0, "who has none of our rights has no menu of ours")


def jobs(window):
    clerk, manager = window("loket"), window("pengelola")
    for job in (why_nothing, corrected_number, by_hand):
        job(clerk)
    without_rights(window("tamu"))
    on_a_phone(window("counter", PHONE))
    desk_on_a_phone(window("manager", PHONE))
    for job in (stop_a_scenario, this_month):
        job(manager)

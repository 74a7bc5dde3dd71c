"""Moving over from Odoo's own WhatsApp module, and back: parts of checks.py.

The shim is the one of docs/odoo.md, word for word, made into an add-on.
"""

import json
import os
import re

import odoo_test as lab

SHIM = lab.ADDONS + "/sicantik_wa_shim"
RESULT = "sicantik_permits.result"


def make_shim(source):
    """The first Python block of the section on the shim in docs/odoo.md, as an add-on."""
    with open(source + "/docs/odoo.md", encoding="utf-8") as page:
        section = page.read().split("## Odoo's dispatcher as a shim", 1)[1]
    code = re.search(r"```python\n(.*?)```", section, re.S).group(1)
    os.makedirs(SHIM)
    for name, text in (
            ("__init__.py", "from . import models\n"),
            ("models.py", code),
            ("__manifest__.py", repr({
                "name": "Shim", "version": "1.0", "author": "sicantik_wa", "license": "LGPL-3",
                "category": "Hidden", "depends": ["sicantik_whatsapp"]}))):
        with open(SHIM + "/" + name, "w", encoding="utf-8") as file:
            file.write(text)


def call(code):
    """Run code that leaves the dispatcher's answers in "answers"; those."""
    lab.orm("import json\ndispatcher = env['sicantik.whatsapp.dispatcher']\n"
            "budi = permit('REG-001')\n" + code +
            "\nenv['ir.config_parameter'].set_param('%s', json.dumps(answers))\n" % RESULT)
    return json.loads(lab.sql("SELECT value FROM ir_config_parameter WHERE key = '%s'" % RESULT))


def accepted(answer):
    return (answer["success"] is True and answer["error"] is None
            and isinstance(answer["wa_message"], int))


def refused(answer, pattern):
    return (answer["success"] is False and answer["message_id"] is None
            and re.search(pattern, answer["error"] or "") is not None)


def old_module():
    lab.part("Odoo's own WhatsApp module is there as well")
    make_shim(lab.SOURCE)
    lab.must(lab.ODOO + ["-d", lab.PRODUCTION, "-i", "sicantik_whatsapp", "--stop-after-init",
                         "--no-http", "--log-level=warn"], "odoo")
    lab.orm("""
Provider = env['sicantik.whatsapp.provider']
fonnte = Provider.create({'name': 'Fonnte lama', 'provider_type': 'fonnte', 'fonnte_token': 'lama'})
Provider.create({'name': 'Watzap', 'provider_type': 'watzap', 'sequence': 30,
                 'watzap_api_key': 'kunci', 'watzap_device_id': '62811'})
env['ir.config_parameter'].set_param('sicantik_whatsapp.default_provider_id', fonnte.id)
Master = env['sicantik.whatsapp.template.master']
Master.create({'template_key': 'undangan', 'name': 'Undangan', 'parameter_list': '["partner_name"]',
               'body_preview': 'Yth. {{partner_name}}, kami mengundang Bapak/Ibu.',
               'fonnte_template_id': 'FT-7', 'fonnte_status': 'configured'})
Master.create({'template_key': 'permit_reminder', 'name': 'Peringatan',
               'parameter_list': '["partner_name", "days_remaining"]',
               'body_preview': 'Yth. {{partner_name}}, sisa {{days_remaining}} hari.',
               'meta_template_name': 'peringatan', 'meta_status': 'approved'})
env['ir.cron'].create({'name': 'SICANTIK: Check Expiring Permits', 'state': 'code',
    'model_id': env['ir.model'].search([('model', '=', 'sicantik.permit')]).id,
    'interval_type': 'days', 'code': 'pass'})
""")
    senders = [row["what_to_do"] for row in lab.rows(
        "SELECT what_to_do FROM wa_check() WHERE item = 'other sender'")]
    for word, what in (("sicantik_whatsapp", "the module"),
                       ("SICANTIK: Check Expiring Permits", "its scheduled action"),
                       ("default_provider_id", "its default provider")):
        lab.check(any(word in (sender or "") for sender in senders),
                  "wa_check() names %s as a sender" % what, senders)
    lab.equal(lab.sql("SELECT string_agg(item || ' ' || action, ', ' ORDER BY item COLLATE \"C\") FROM wa_import_odoo()"
                      " WHERE item ~ '^(provider|template|mapping|default)'"),
              "mapping permit_expiry_warning of meta taken, mapping undangan of fonnte taken,"
              " provider fonnte kept, provider watzap taken, template permit_reminder taken,"
              " template undangan taken", "wa_import_odoo() takes over what the ORM has written")
    lab.orm("env['ir.cron'].search([('name', '=', 'SICANTIK: Check Expiring Permits')])"
            ".write({'active': False})\n"
            "env['ir.config_parameter'].set_param('sicantik_whatsapp.default_provider_id', False)")
    lab.equal(lab.sql("SELECT count(*) FROM wa_check() WHERE item = 'other sender'"
                      " AND what_to_do ~ 'Expiring|default_provider'"),
              "0", "switched off as it says, they are named no more")


def shim():
    lab.part("The old dispatcher hands over (the shim of docs/odoo.md)")
    lab.must(lab.ODOO + ["-d", lab.PRODUCTION, "-i", "sicantik_wa_shim", "--stop-after-init",
                         "--no-http", "--log-level=warn"], "odoo")
    number = "6281200000001"
    kind = "Izin Mendirikan Bangunan"
    old_date = "01-02-2026 03:04"
    with lab.Expect(
            (number, lab.text("permit_ready", name="Budi", type=kind, number="503/001/2026",
                              issued=lab.day(lab.ISSUED), reg="REG-001"),
             "send_template_message('permit_ready')"),
            (number, lab.text("status_update", reg="REG-001", old="-", new="Aktif", time=old_date),
             "  'status_update' with the old names of values"),
            (number, lab.text("permit_expiry_warning", name="Budi", type=kind, number="503/001/2026",
                              end="31-12-2026", days="7", reg="REG-001").replace(
                                  "0263\\-555001", "0263\\-1"),
             "  'permit_reminder', an old key"),
            (number, "Berkas diterima", "send_text_message()"),
            (number, lab.text("status_update", reg="REG-001", old="Kedaluwarsa", new="Aktif",
                              time=lab.TIME),
             "what Odoo wrote around a refused message is committed, and told")):
        answers = call("""
values = {'partner_name': 'Budi', 'permit_number': '503/001/2026',
          'permit_type': 'Izin Mendirikan Bangunan', 'status': 'Active', 'res_model': False}
target = (budi.partner_id.id, values, budi.id)
answers = [dispatcher.send_template_message('permit_ready', *target)]
values = {'partner_name': 'Budi', 'permit_number': 'REG-001', 'new_status': 'Aktif',
          'update_date': '01-02-2026 03:04'}
answers.append(dispatcher.send_template_message(
    template_key='status_update', partner_id=budi.partner_id.id, context_values=values,
    permit_id=budi.id))
values = {'partner_name': 'Budi', 'permit_number': '503/001/2026', 'permit_type': None,
          'expiry_date': '31-12-2026', 'days_remaining': 7, 'contact_info': '0263-1',
          'renewal_link': 'https://izin.example.go.id/renewal/REG-001'}
values['permit_type'] = 'Izin Mendirikan Bangunan'
answers.append(dispatcher.send_template_message('permit_reminder', budi.partner_id.id, values, budi.id))
answers.append(dispatcher.send_text_message(budi.partner_id.id, 'Berkas diterima'))
budi.write({'status': 'active'})
answers.append(dispatcher.send_template_message('tidak_ada', budi.partner_id.id, {}))
answers.append(dispatcher.send_template_message('permit_ready', 999999999, {}))
answers.append(dispatcher.send_text_message(budi.partner_id.id, 'x', 'tidak_ada'))
budi.write({'applicant_name': 'Budi Santoso'})
""")
    lab.check(all(accepted(answer) for answer in answers[:4]),
              "each answers with the old dictionary: accepted", answers[:4])
    lab.check(refused(answers[4], 'template "tidak_ada" does not exist')
              and refused(answers[5], "partner 999999999 does not exist")
              and refused(answers[6], 'provider "tidak_ada" does not exist'),
              "what is refused answers with the old dictionary and the reason", answers[4:])
    result = json.loads(lab.sql("SELECT wa_result(%d)" % answers[0]["wa_message"]))
    lab.check(result["success"] is True and result["provider"] == "fonnte" and result["message_id"],
              "wa_result() tells later what became of it", result)
    before = lab.sql("SELECT count(*) FROM wa.message")
    lab.orm("""
env['sicantik.whatsapp.dispatcher'].send_text_message(permit('REG-001').partner_id.id, 'nothing')
env.cr.rollback()
""")
    lab.equal(lab.sql("SELECT count(*) FROM wa.message"), before,
              "rolled back by Odoo, it has not happened")


def way_back():
    lab.part("The way back")
    lab.orm("env['ir.module.module'].search([('name', '=', 'sicantik_wa_shim')])"
            ".button_immediate_uninstall()")
    ledger = lab.sql("SELECT count(*) FROM wa.message")
    lab.sql("SELECT wa_disarm(); SELECT FROM wa_teardown();")
    before = len(lab.sends())
    answers = call("""
budi.write({'status': 'cancelled'})
try:
    answers = dispatcher.send_text_message(budi.partner_id.id, 'x')
except Exception as error:
    answers = str(error)
""")
    lab.check("the old dispatcher would send" in str(answers), "the old dispatcher is back", answers)
    lab.equal(lab.triggers(lab.PRODUCTION), "0", "no trigger is left")
    lab.equal((lab.sql("SELECT count(*) FROM wa.message"), len(lab.sends())), (ledger, before),
              "a change makes no message, the ledger stays")
    lab.sql("SELECT FROM wa_setup(); SELECT wa_arm('%s')" % lab.PRODUCTION)

"""Moving over from Odoo's own WhatsApp module, and back: parts of checks.py."""

import json
import re

import odoo_test as lab

RESULT = "sicantik_permits.result"


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
            and re.search("(?i)" + pattern, answer["error"] or "") is not None)


def old_module():
    lab.part("Odoo's own WhatsApp module is there as well")
    module("-i", "sicantik_whatsapp")
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


def module(option, name="sicantik_wa"):
    lab.must(lab.ODOO + ["-d", lab.PRODUCTION, option, name, "--stop-after-init", "--no-http",
                         "--log-level=warn"], "odoo")


def handed_over():
    lab.part("The old dispatcher hands over; its module came after the add-on")
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
    outside()


def outside():
    """What users may call, and a database that has no extension (any more)."""
    answers = call("""
try:
    from odoo.service.model import call_kw
except ImportError:
    from odoo.api import call_kw            # before 18
def by(login, *arguments, method='send_text_message', **named):
    user = env['res.users'].search([('login', '=', login)])
    try:
        return call_kw(dispatcher.with_user(user.id), method, [[], *arguments], named)
    except Exception as error:
        return str(error)
rina = env['res.users'].search([('login', '=', 'rina')])
answers = [by('rina', budi.partner_id.id, 'x'),
           dispatcher.with_user(rina.id).send_text_message(budi.partner_id.id, 'x')]
rina.write({groups: [(4, env.ref('sicantik_wa.group_send').id)]})
answers.append(by('rina', budi.partner_id.id, message='x'))
for model, field in (('sicantik_permits.model_sicantik_permit', 'registration_id'), ('base.model_res_partner', 'name')):
    env['ir.rule'].create({'name': 'not for rina', 'model_id': env.ref(model).id, 'domain_force':
        "[('%s', '!=', '%s')] if user.login == 'rina' else [(1, '=', 1)]" % (field, {'name': 'Siti Aminah'}.get(field, 'REG-001'))})
values = {'old_status': 'Draf', 'new_status': 'Aktif'}
answers += [by('rina', 'status_update', budi.partner_id.id, values, permit_id=budi.id, method='send_template_message'),
            by('rina', permit('REG-002').partner_id.id, 'x'), by('rina', budi.partner_id.id, 'x')]
env.cr.execute("DROP EXTENSION sicantik_wa CASCADE")
try:
    answers.append(dispatcher.send_text_message(budi.partner_id.id, 'x'))
except Exception as error:
    answers.append(str(error))
env.cr.rollback()
""")
    lab.check("WhatsApp: send" in str(answers[0]) and accepted(answers[1]) and accepted(answers[2]),
              "a user may call it with the right to send, Odoo's code always", answers)
    lab.check(all("not for you to see" in str(answer) for answer in answers[3:5]) and accepted(answers[5]),
              "  of a contact and a permit that he may read", answers[3:6])
    lab.check("the old dispatcher would send" in str(answers[6]),
              "without the extension the old one goes on", answers[6])


def way_back():
    lab.part("The way back")
    lab.orm("env['ir.module.module'].search([('name', '=', 'sicantik_wa')])"
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
    module("-i")
    module("-u", "sicantik_whatsapp")
    with lab.Expect(("6281200000001", "Kembali", "installed where the old module is, and that upgraded, it hands over")):
        answers = call("answers = dispatcher.send_text_message(budi.partner_id.id, 'Kembali')")
    lab.check(accepted(answers), "  and answers so", answers)

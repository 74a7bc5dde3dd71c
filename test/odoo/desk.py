"""The add-on's actions, its dialog for sending, and its desk: parts of checks.py.

Everything is called as a user of Odoo would have it called, by the methods
behind the buttons; what comes of it is looked at in the ledger and at the
provider.
"""

import json

from odoo_test import (
    check, equal, Expect, must, NoGood, ODOO, orm, part, PRELUDE, PRODUCTION, rows, settled, sql, TOKEN, wait_for)

# Names in the code that the shell runs, beyond PRELUDE.
HELP = """
import json
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form
def of(login, model):
    return env(user=env['res.users'].with_context(active_test=False).search([('login', '=', login)]).id)[model]
def tried(method, *arguments):
    try:
        with env.cr.savepoint():
            return 'done: %s' % (method(*arguments),)
    except (AccessError, UserError) as error:
        return '%s: %s' % (type(error).__name__, error)
def dialog(login, record):
    return Form(of(login, 'sicantik.wa.send').with_context(active_model=record._name, active_id=record.id))
def told(action):
    return action['params']['message']
def answer(value):
    print('answer ' + json.dumps(value, default=str))
"""


def ask(code, commit=True, options=(), database=PRODUCTION):
    """Run code in `odoo shell`; what it gave to answer()."""
    end = "\nenv.cr.commit()\n" if commit else "\nenv.cr.rollback()\n"
    output = must(ODOO + ["shell", "-d", database, "--no-http", "--log-level=warn", *options], "odoo",
                  stdin=PRELUDE + HELP + code + end)
    lines = [line for line in output.splitlines() if line.startswith("answer ")]
    if not lines:
        raise NoGood("odoo shell gave no answer:\n" + output[-4000:])
    return json.loads(lines[-1][len("answer "):]), output


def users():
    orm("""
for login, group in (('lihat', 'view'), ('kirim', 'send'), ('atur', 'manage')):
    env['res.users'].create({'name': login, 'login': login, groups: [(6, 0, [
        env.ref('base.group_user').id, env.ref('sicantik_wa.group_' + group).id])]})
env['ir.rule'].create({'name': 'secret permits', 'model_id': env.ref('sicantik_permits.model_sicantik_permit').id,
    'groups': [(6, 0, [env.ref('sicantik_wa.group_view').id])],
    'domain_force': "[('applicant_name', '!=', 'Rahasia')]"})
country = env.ref('base.id').id
siti = Partner.create({'name': 'Siti Aminah', 'phone': '0817-0000-0001', 'country_id': country})
Permit.create({'registration_id': 'REG-D1', 'applicant_name': 'Siti Aminah', 'partner_id': siti.id, 'status': 'draft'})
Permit.create({'registration_id': 'REG-D2', 'applicant_name': 'Rahasia', 'partner_id': siti.id, 'status': 'draft'})
Permit.create({'registration_id': 'REG-D3', 'applicant_name': 'Tanpa Kontak', 'status': 'draft'})
""")
    settled(PRODUCTION)


def sending():
    part("The add-on: Send WhatsApp")
    seen, _output = ask("""
form = dialog('kirim', permit('REG-D1'))
first = [form.recipient, form.preview]
form.template = 'permit_ready'
second = form.preview
form.kind = 'text'
empty = form.preview
form.body = 'Berkas <b>Ibu</b> kurang satu.'
third = form.preview
form.number = '0817 0000 0099'
answer([first, second, empty, third, form.preview, told(form.save().action_send())])
""", commit=False)
    first, template, empty, by_text, by_number, sent = seen
    check(first[0] == "Siti Aminah · REG-D1" and "Choose a template" in first[1],
          "it opens on a permit, says to whom, and asks for a template", first)
    check(all(word in template for word in ("fonnte", "Siti Aminah", "/download/REG-D1", "mode live")),
          "it shows by which provider, how it reads, and whether it would go", template)
    check("The text is empty" in empty, "an empty text is a sentence", empty)
    check("&lt;b&gt;Ibu&lt;/b&gt;" in by_text, "a text is shown as it is, whatever is in it", by_text)
    check("628" in by_text and "***" in by_text and "6281700000001" not in by_text,
          "  and the contact's number, masked for who may not manage", by_text)
    check("0001" not in by_number, "  and a number given by hand instead of it", by_number)
    check("goes out in a moment" in sent, "it says that it goes", sent)

    with Expect(("6281700000099", "Berkas Ibu kurang satu[.]", "a text goes to a number given by hand;"
                 " what was rolled back, before, does not"),
                ("6281700000001", r"Yth[.] Siti Aminah,(?s:.*)/download/REG-D1(?s:.*)", "a template goes about the permit")):
        ask("""
form = dialog('kirim', permit('REG-D1'))
form.kind = 'text'
form.body = 'Berkas Ibu kurang satu.'
form.number = '0817 0000 0099'
form.save().action_send()
form = dialog('kirim', permit('REG-D1'))
form.template = 'permit_ready'
form.save().action_send()
answer(env['sicantik.wa.send'].search_count([]))
""")
    equal(rows("SELECT number, res_model, template_key FROM wa.message WHERE number ~ '^62817' ORDER BY id"),
          [{"number": "6281700000099", "res_model": "sicantik.permit", "template_key": None},
           {"number": "6281700000001", "res_model": "sicantik.permit", "template_key": "permit_ready"}],
          "the ledger has both, and which permit it was about")
    equal(sql("SELECT count(*) FROM sicantik_wa_send"), "0", "Odoo keeps nothing of what was typed")

    with Expect(("6281700000001", r"(?s:.*)terdapat 3 dokumen(?s:.*)SIUP(?s:.*)", "what was typed is in the text")):
        seen, _output = ask("""
form = dialog('kirim', permit('REG-D1').partner_id)
form.template = 'document_pending'
missing = form.preview
for number, (name, value) in enumerate([('jumlah', '3'), ('jenis_izin', 'SIUP'), ('nama_pemohon', 'Siti'), ('pendaftaran_id', 'REG-D1')]):
    with form.value_ids.edit(number) as line:
        assert line.name == name
        line.value = value
full = form.preview
form.save().action_send()
answer([missing, full])
""")
    check("jumlah" in seen[0] and "mode live" not in seen[0], "what is missing is named", seen[0])
    check("mode live" in seen[1], "  until it is typed", seen[1])

    seen, _output = ask("""
hidden = permit('REG-D2')
bare = permit('REG-D3')
Send = of('kirim', 'sicantik.wa.send')
def made(record, **values):
    wizard = Send.create(dict({'res_model': record._name, 'res_id': record.id, 'kind': 'text', 'body': 'x'}, **values))
    return tried(wizard.action_send)
answer([
    tried(lambda: dialog('lihat', permit('REG-D1'))),
    tried(lambda: of('lihat', 'sicantik.wa.send').create({})),
    tried(lambda: dialog('kirim', hidden)),
    made(hidden),
    made(hidden, number='0817 0000 0099'),
    made(bare),
    made(env['res.users'].browse(1)),
    made(permit('REG-D1'), number='12'),
    made(permit('REG-D1'), body=''),
    made(permit('REG-D1'), kind='template'),
    tried(lambda: Send.create({'res_model': 'res.partner', 'res_id': 2000000000, 'kind': 'text', 'body': 'x'}).action_send()),
    tried(lambda: of('public', 'sicantik.wa.send').fields_get(['template'])['template']['selection']),
])
""")
    for got, want in zip(seen, [
            "AccessError: ", "AccessError: ", "AccessError: This record is not there",
            "AccessError: This record is not there", "AccessError: This record is not there",
            "UserError: This permit has no contact yet", "UserError: Open a contact or a permit first",
            'UserError: "12" cannot be a mobile number', "UserError: The text is empty", "UserError: Choose a template",
            "AccessError: This record is not there", "done: []"]):
        check(got.startswith(want), "refused: " + want, got)


def actions():
    part("The add-on: cancel, send again, release")
    sql("SELECT wa_send_text('0817 0000 0033', 'c')")
    settled(PRODUCTION)
    sql("SELECT wa_pause('fonnte'), wa_send_text('0817 0000 0031', 'a'), wa_send_text('0817 0000 0032', 'b')")
    seen, _output = ask("""
Message = of('atur', 'sicantik.wa.message')
three = Message.search([('number', 'in', ['6281700000031', '6281700000032', '6281700000033'])])
answer([len(three), three.action_cancel()['params']])
""")
    check(seen[0] == 3 and "2 of 3" in seen[1]["message"] and "its state is sent" in seen[1]["message"]
          and seen[1]["type"] == "warning" and "Nothing" not in seen[1]["message"], "many are cancelled at once, and what is left alone is told", seen)
    check(wait_for("SELECT count(*) = 2 FROM wa.message WHERE number ~ '^628170000003' AND state = 'cancelled'", "cancelled"),
          "the worker has cancelled them")
    sql("SELECT wa_resume('fonnte')")
    with Expect(("6281700000032", "b", "one that was cancelled is sent again")):
        ask("""
answer(told(of('atur', 'sicantik.wa.message').search([('number', '=', '6281700000032')]).action_retry()))
""")

    # what is too much at once is held, but for the first
    sql("""SELECT wa_set_scenario('status_update', '{"max_per_transaction": 1}')""")
    with Expect(("6281700000040", "(?s:.*)REG-H0(?s:.*)", "of three at once one is sent")):
        orm("""
for number in (0, 1, 2):
    Permit.create({'registration_id': 'REG-H%d' % number, 'applicant_name': 'Hana %d' % number, 'status': 'draft',
        'partner_id': Partner.create({'name': 'Hana %d' % number, 'phone': '0817-0000-004%d' % number,
                                      'country_id': env.ref('base.id').id}).id})
env.cr.commit()
Permit.search([('registration_id', 'like', 'REG-H')]).write({'status': 'cancelled'})
""")
    check(wait_for("SELECT count(*) = 2 FROM wa.message WHERE number ~ '^628170000004' AND state = 'held'", "held"),
          "  two are held")
    with Expect(("6281700000041", "(?s:.*)REG-H1(?s:.*)", "released by a manager"), ("6281700000042", "(?s:.*)REG-H2(?s:.*)", "released too")):
        seen, _output = ask("""
held = [('state', '=', 'held')]
answer([tried(of('lihat', 'sicantik.wa.message').search(held).action_release),
        tried(of('lihat', 'sicantik.wa.message').search(held).action_cancel),
        tried(of('kirim', 'sicantik.wa.message').search(held).action_release),
        tried(of('kirim', 'sicantik.wa.message').browse(2000000000).action_cancel),
        told(of('atur', 'sicantik.wa.message').search(held).action_release())])
""")
    sql("""SELECT wa_set_scenario('status_update', '{"max_per_transaction": null}')""")
    check(all(got.startswith("AccessError: This needs the right") for got in seen[:3]), "whoever lacks the right is told so", seen)
    check(seen[3].startswith("AccessError: One of these messages is not there"), "what nobody can see nobody cancels", seen[3])
    check("2 of 2" in seen[4], "  and who has it, how many", seen[4])


    # what is about a permit that Odoo hides is not theirs, whoever else may
    sql("SELECT wa_pause('fonnte'), wa_send('permit_ready', (SELECT partner_id FROM sicantik_permit WHERE registration_id = 'REG-D2'),"
        " permit_id => (SELECT id FROM sicantik_permit WHERE registration_id = 'REG-D2'))")
    seen, _output = ask("""
env.cr.execute("SELECT max(id) FROM wa.message")
hidden = env.cr.fetchone()[0]
answer([tried(getattr(of(login, 'sicantik.wa.message').browse(hidden), method)) for login, method in (
    ('kirim', 'action_cancel'), ('kirim', 'action_retry'), ('atur', 'action_release'), ('kirim', 'action_send_once_more'))])
""")
    check(all(got.startswith("AccessError: One of these messages is not there") for got in seen),
          "a message about a permit that a user cannot read is not his to cancel", seen)
    equal(sql("SELECT state FROM wa.message ORDER BY id DESC LIMIT 1"), "queued", "  and it is not")
    sql("SELECT wa_cancel(max(id)), wa_resume('fonnte') FROM wa.message")
    settled(PRODUCTION)

    with Expect(("6281700000055", "(?s:.*)/download/REG-D1(?s:.*)", "a message goes once more, to a corrected number"),
                ("6281700000056", "Berkas Ibu kurang satu[.]", "a text too")):
        seen, _output = ask("""
def once_more(number, domain):
    action = of('kirim', 'sicantik.wa.message').search(domain, limit=1).action_send_once_more()
    form = Form(of('kirim', action['res_model']).with_context(active_model='x', active_id=1, **action['context']))
    form.number = number
    return tried(form.save().action_send)
answer([once_more('0817 0000 0055', [('template_key', '=', 'permit_ready'), ('number', 'like', '%001'), ('state', '=', 'sent')]),
        once_more('0817 0000 0056', [('template_key', '=', False), ('body', 'like', 'kurang satu')])])
""")
    check(all("goes out in a moment" in got for got in seen), "  as it says", seen)
    seen, _output = ask("""
hidden = permit('REG-D2')
env['sicantik.wa.send'].create({'res_model': hidden._name, 'res_id': hidden.id, 'kind': 'text', 'body': 'Tentang REG-D2',
                                'number': '0817 0000 0057'}).action_send()
found = [('body', '=', 'Tentang REG-D2')]
history = env['sicantik.wa.history'].create({'res_model': hidden._name, 'res_id': hidden.id})
once_more = env['sicantik.wa.message'].search(found).action_send_once_more()['context']
answer([of('lihat', 'sicantik.wa.message').search(found).ids, env['sicantik.wa.message'].search_count(found),
        '6281700000057' in history.story, once_more.get('default_res_model'),
        of('atur', 'sicantik.wa.setting').browse(1).write({'name': 'office_name'}),
        of('atur', 'sicantik.wa.setting').browse(1).value])
""", commit=False)
    equal(seen[:4], [[], 1, True, 'sicantik.permit'],
          "a text about a permit to whatever number is in its history, and not for who may not read that permit")
    check(seen[5], "a setting of which no value is written keeps it", seen)

    seen, _output = ask("""
answer([[action['name'] for action in of(login, 'ir.actions.actions').get_bindings(model).get('action', []) if 'WhatsApp' in action['name']]
        for model in ('res.partner', 'sicantik.permit', 'sicantik.document', 'res.company')
        for login in ('kirim', 'lihat')])
""")
    both, one = ["Send WhatsApp", "WhatsApp messages"], ["WhatsApp messages"]
    equal([sorted(names) for names in seen], [both, one, both, one, both, one, [], []],
          "contacts, permits and documents have the actions, for who may")


def desk():
    part("The add-on: settings and desk")
    seen, output = ask("""
desk = of('atur', 'sicantik.wa.desk').browse(of('atur', 'sicantik.wa.desk').open_desk()['res_id'])
fonnte = desk.provider_ids.filtered(lambda provider: provider.name == 'fonnte')
def state():
    env.invalidate_all()
    return [fonnte.state, fonnte.is_default, int(fonnte.quota_left) > 0]
meta = desk.provider_ids.filtered(lambda provider: provider.name == 'meta')
answer({
    'mode': desk.mode, 'checks': desk.checks, 'first': state(),
    'test': told(fonnte.action_test()), 'bad': meta.action_test()['params'], 'pause': told(fonnte.action_pause()),
    'again': told(fonnte.action_pause()), 'paused': state(), 'resume': told(fonnte.action_resume()),
    'default': told(meta.action_default()), 'other': state(), 'back': told(fonnte.action_default()), 'last': state(),
    'fields': sorted(name for model in ('desk', 'provider', 'setting', 'arm') for name in env['sicantik.wa.' + model]._fields
                     if 'token' in name or 'secret' in name),
})
""", options=["--log-level=debug_sql"])
    equal(seen["mode"], "live", "it shows the mode")
    check('text-bg-success">ok<' in seen["checks"] and 'text-bg-warning">warning<' in seen["checks"],
          "what wa_check() finds, with traffic lights", seen["checks"][:500])
    equal(seen["first"], ["configured", True, True], "a provider with state, default, quota")
    check("The connection works" in seen["test"], "a connection is tested", seen["test"])
    check(seen["bad"]["type"] == "warning" and "does not work" in seen["bad"]["message"] and "allowed" in seen["bad"]["message"],
          "  and one that does not work says why", seen["bad"])
    check("paused already" in seen["again"], "paused twice it says what the database says", seen["again"])
    equal([seen["paused"][0], seen["last"]], ["paused", ["configured", True, True]], "paused, resumed, another default and back")
    equal(seen["other"][1], False, "  one default only")
    check("wa_test_connection" in output and TOKEN not in output,
          "no credential is in Odoo's log, with all its statements in it")
    equal(seen["fields"], [], "  and there is no field for one")

    seen, _output = ask("""
desk = of('atur', 'sicantik.wa.desk').browse(1)
row = {setting.name: setting for setting in desk.setting_ids}
def typed(name, value):
    return tried(desk.write, {'setting_ids': [[1, row[name].id, {'value': value}]]})
answer([typed('contact_dpmptsp', '0263-555002'), row['contact_dpmptsp'].value, typed('download_link', 'http://localhost/'),
        typed('alert_number', '12'), typed('contact_dpmptsp', False), row['contact_dpmptsp'].value, typed('contact_dpmptsp', '0263-555001'),
        tried(desk.action_test_mode)])
""")
    equal([seen[0], seen[1], seen[4], seen[5]], ["done: True", "0263-555002", "done: True", False], "a setting is typed, and reset")
    check(seen[2].startswith("UserError: ") and "telephone" in seen[2] and "mobile number" in seen[3],
          "what does not suit it is a sentence", seen)
    check(seen[7].startswith("UserError: ") and "test_number" in seen[7], "mode test says what it needs first", seen[7])
    equal(sql("SELECT value FROM wa.setting WHERE name = 'contact_dpmptsp'"), "0263-555001", "  it is in the database")

    ask("""
scenario = of('atur', 'sicantik.wa.scenario').search([('key', '=', 'status_update')])
scenario.action_stop()
env.cr.commit()
permit('REG-D1').write({'status': 'cancelled'})
answer(1)
""")
    settled(PRODUCTION)
    equal(sql("SELECT count(*) FROM wa.message WHERE scenario = 'status_update' AND body ~ 'REG-D1'"), "0",
          "a scenario that is stopped makes no message")
    with Expect(("6281700000001", "(?s:.*)REG-D1(?s:.*)", "started again it does")):
        ask("""
of('atur', 'sicantik.wa.scenario').search([('key', '=', 'status_update')]).action_start()
env.cr.commit()
permit('REG-D1').write({'status': 'renewed'})
answer(1)
""")

    seen, _output = ask("""
Arm = of('atur', 'sicantik.wa.arm')
def mode():
    env.cr.execute("SELECT value FROM wa.setting_view WHERE name = 'mode'")
    return env.cr.fetchone()[0]
disarmed = Arm.browse(of('atur', 'sicantik.wa.desk').browse(1).action_disarm()['res_id']).answer
result = [disarmed, mode(), tried(Arm.create({'database_name': 'another'}).action_arm), tried(Arm.create({}).action_arm), mode()]
wizard = Arm.create({'database_name': ' %s '})
wizard.action_arm()
answer(result + [wizard.answer, mode()])
""" % PRODUCTION)
    check(seen[0].startswith("mode observe") and seen[1] == "observe", "disarmed, with what the database answers", seen)
    check('"another" does not match' in seen[2] and seen[3].startswith("UserError: ") and seen[4] == "observe",
          "another database's name does not arm it, nor does none", seen)
    check("sends now (mode live)" in seen[5] and seen[6] == "live", "its own name does", seen)

    seen, _output = ask("""
def denied(login):
    models = [of(login, 'sicantik.wa.' + name) for name in ('desk', 'provider', 'scenario', 'setting', 'arm')]
    return [tried(model.search, []) for model in models] + [
        tried(models[0].open_desk), tried(models[0].browse(1).action_disarm), tried(models[0].browse(1).action_test_mode),
        tried(models[0].browse(1).write, {'setting_ids': [[1, 1, {'value': 'x'}]]}),
        tried(models[1].browse(of('atur', 'sicantik.wa.provider').search([], limit=1).id).action_pause),
        tried(models[2].browse(of('atur', 'sicantik.wa.scenario').search([], limit=1).id).action_stop),
        tried(models[3].browse(1).write, {'value': 'x'})]
answer([denied('lihat'), denied('kirim')])
""")
    check(all(got.startswith("AccessError: ") for got in seen[0] + seen[1]), "who only views or sends gets nothing of it", seen)
    sql("""SELECT wa_configure('meta', '{"state": "draft"}')""")


def characters():
    part("The add-on: characters that the database does not take")
    seen, _output = ask("""
to = {'res_model': 'res.partner', 'res_id': permit('REG-D1').partner_id.id, 'kind': 'text'}
answer([[str(of('kirim', 'sicantik.wa.send').new(dict(to, body='a' + odd)).preview),
         tried(of('lihat', 'sicantik.wa.message').search, [('about', 'ilike', 'a' + odd)]),
         tried(of('atur', 'sicantik.wa.setting').search([('name', '=', 'office_name')]).write, {'value': 'a' + odd})]
        for odd in (chr(0), chr(0xd800))])
""", commit=False)
    check(all("cannot be stored" in got for several in seen for got in several), "a sentence says so", seen)


def others():
    part("The add-on: the dialogs of somebody else")
    seen, _output = ask("""
to = {'res_model': 'res.partner', 'res_id': permit('REG-D1').partner_id.id}
def asked(owner, login):
    send = of(owner, 'sicantik.wa.send').create(dict(to, kind='text', body='x', value_ids=[(0, 0, {'name': 'a', 'value': 'b'})]))
    history = of(owner, 'sicantik.wa.history').create(to)
    arm = of(owner, 'sicantik.wa.arm').create({})
    env.invalidate_all()
    mine = lambda one: of(login, one._name).browse(one.id)
    return [tried(mine(send).read, ['body']), tried(mine(send.value_ids).read, ['value']), tried(mine(history).read, ['story']),
            tried(mine(arm).action_disarm), tried(mine(send).write, {'body': 'y'}), tried(mine(send).action_send)]
answer([asked('atur', 'kepala'), asked('atur', 'atur')])
""", commit=False)
    check(all(got.startswith("AccessError: ") for got in seen[0]), "whatever they are asked for, they are refused", seen[0])
    check(all(got.startswith("done: ") for got in seen[1]), "  one's own are not", seen[1])


def without():
    part("The add-on's dialogs where the extension is not")
    seen, _output = ask("""
message = of('atur', 'sicantik.wa.message').search([], limit=1)
wizard = of('atur', 'sicantik.wa.send').create({'res_model': 'res.partner', 'res_id': 1, 'kind': 'text', 'body': 'x'})
type(env['sicantik.wa.database'])._trouble = lambda self: 'There is none.'
answer([[len(of('atur', 'sicantik.wa.' + name).search([])) for name in ('provider', 'scenario', 'setting')],
        [tried(call) for call in (
            of('atur', 'sicantik.wa.desk').open_desk, lambda: of('atur', 'sicantik.wa.desk').browse(1).mode,
            of('atur', 'sicantik.wa.desk').browse(1).action_disarm, of('atur', 'sicantik.wa.arm').create({}).action_arm,
            lambda: dialog('atur', permit('REG-D1')), wizard.action_send, message.action_cancel)]])
""", commit=False)
    equal(seen, [[0, 0, 0], ["UserError: There is none."] * 7], "each says the same sentence, and no page breaks")


def indonesian():
    part("The add-on in Indonesian")
    seen, _output = ask("""
env['res.lang']._activate_lang('id_ID')
env['ir.module.module'].search([('name', '=', 'sicantik_wa')])._update_translations(['id_ID'])
env.cr.commit()
env = env(context={'lang': 'id_ID'})        # as the page of such a user asks
form = dialog('kirim', permit('REG-D1'))
asked = form.preview
form.kind = 'text'
form.body = 'Halo'
Desk = of('atur', 'sicantik.wa.desk')
Send = of('kirim', 'sicantik.wa.send')
answer([asked, form.preview, Send.fields_get(['number'])['number']['string'], Desk.get_view(False, 'form')['arch'],
        Desk.browse(1).name, tried(Send.create({'res_model': 'x'}).action_send),
        dict(Desk.env['sicantik.wa.setting'].fields_get(['name'])['name']['selection'])['office_name']])
""")
    check("Pilih templat." in seen[0] and "isi pesan: Halo" in seen[1] and seen[2] == "Nomor lain", "the dialog", seen[:3])
    check("Hentikan pesan otomatis" in seen[3] and "Token tidak diketik di sini" in seen[3] and "Stop automatic" not in seen[3],
          "the desk's page", seen[3])
    equal(seen[4:], ["Pengaturan dan kendali", "UserError: Buka dahulu sebuah kontak atau izin.", "Nama kantor"], "names and errors")


PARTS = (users, sending, actions, desk, characters, others, without, indonesian)

"""The add-on's ledger, as users of different rights see it: parts of checks.py."""

import re

import desk
from odoo_test import check, equal, manager, must, ODOO, orm, part, PRODUCTION, sql

GONE = "odoo_gone"


def install():
    part("The add-on")
    output = must(ODOO + ["-d", PRODUCTION, "-i", "sicantik_wa", "--stop-after-init", "--no-http"],
                  "odoo")
    check(not re.search(r" (WARNING|ERROR|CRITICAL) \S+ odoo\.(addons|modules|models|tools\.convert)", output),
          "it installs, and Odoo has nothing to say of it", output[-2000:])
    equal(sql("SELECT count(*) FROM pg_class WHERE relname = 'sicantik_wa_message'"), "0",
          "  the ledger is no table and no view")


# Who may read what: "loket" works for one company and may not read two permits,
# "satu" manages in one company, "kepala" in both, "luar" has no right of ours.
USERS = """
pusat = env.company
cabang = env['res.company'].create({'name': 'Cabang'})
for login, group, companies in (('loket', 'view', pusat), ('satu', 'manage', pusat),
                                ('kepala', 'manage', pusat | cabang), ('luar', None, pusat)):
    env['res.users'].create({'name': login, 'login': login, 'company_id': pusat.id,
        'company_ids': [(6, 0, companies.ids)], groups: [(6, 0, [env.ref('base.group_user').id,
        env.ref('base.group_allow_export').id] + ([env.ref('sicantik_wa.group_' + group).id] if group else []))]})
# of nobody's group: those of groups add to each other
env['ir.rule'].create({'name': 'not for the counter', 'model_id': env.ref('sicantik_permits.model_sicantik_permit').id,
    'domain_force': "[('registration_id', 'not in', ['REG-003', 'REG-301'])] if user.login == 'loket' else []"})
permit('REG-002').partner_id.company_id = cabang        # with his permit, of the other company
gone = permit('REG-111')
person = gone.partner_id
gone.unlink()
person.unlink()
# what was said of one who is another contact now is not lost
twice = permit('REG-110').partner_id
env['base.partner.merge.automatic.wizard'].create({})._merge(
    (twice | permit('REG-109').partner_id).ids, permit('REG-109').partner_id)
"""
OTHERS = """SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM wa.message AS m WHERE %s"""
OF_OTHERS = """m.partner_id IN (SELECT partner_id FROM sicantik_permit WHERE registration_id = 'REG-002')
    OR m.res_model = 'sicantik.permit' AND m.res_id IN (SELECT id FROM sicantik_permit WHERE registration_id IN ('REG-003', 'REG-301'))
    OR m.res_model = 'sicantik.document' AND m.res_id IN (SELECT d.id FROM sicantik_document AS d JOIN sicantik_permit AS p
        ON p.id = d.permit_id WHERE p.registration_id = 'REG-301')
    OR m.number = '6281300000111'"""

# Each way by which somebody may ask for messages that are not for him.
WAYS = """
from odoo.service.model import call_kw
def call(method, *arguments, **options):
    return tried(call_kw, of('loket', MODEL), method, list(arguments), options)
MODEL = 'sicantik.wa.message'
domain = [('id', 'in', HIDDEN)]
history = of('loket', 'sicantik.wa.history').create({'res_model': 'sicantik.permit', 'res_id': permit('REG-003').id})
answer({
    'search': call('search', domain),
    'all of them': [one for one in of('loket', MODEL).search([]).ids if one in HIDDEN],
    'search_count': call('search_count', domain),
    'search_read': call('search_read', domain, ['number', 'body']),
    'web_search_read': call('web_search_read', domain, {'number': {}, 'story': {}}),
    'read': call('read', HIDDEN, ['number', 'body']),
    'read the story': call('read', HIDDEN, ['story']),
    'web_read': call('web_read', HIDDEN, {'story': {}}),
    'formatted_read_group': call('formatted_read_group', domain, ['state'], ['__count']),
    'read_progress_bar': call('read_progress_bar', domain, 'state', {'field': 'state', 'colors': {'sent': 'x'}}),
    'name_search': call('name_search', '', domain),
    'by the number': call('search', ['&', *domain, ('about', 'ilike', '0812-0000-0002')]),
    'by the permit': call('search', ['&', *domain, ('about', 'ilike', 'REG-003')]),
    'export_data': call('export_data', HIDDEN, ['number', 'body', 'story']),
    'copy_data': call('copy_data', HIDDEN),
    'the record': call('open_record', HIDDEN[:1]),
    'cancel': call('action_cancel', HIDDEN),
    'retry': call('action_retry', HIDDEN),
    'history': tried(lambda: history.story),
    'history opened': tried(of('loket', 'sicantik.wa.history').open_of, of('loket', 'sicantik.permit').browse(permit('REG-003').id)),
})
"""
NOTHING = re.compile(r"done: (\[\]|0|.*, \{\}\)|\[(\{'id': \d+, 'story': False\}(, )?)+\]|\{'length': 0, 'records': \[\]\}|\[\{'__extra_domain': \[\], '__count': 0\}\])$"
                     r"|(AccessError|MissingError|UserError): ")


def rights():
    part("The add-on's ledger: who may read what")
    orm(USERS)
    hidden = "[%s]" % sql(OTHERS % OF_OTHERS)
    check(len(hidden.split(",")) >= 5, "there are messages that the counter may not read", hidden)
    for way, came in desk.ask(WAYS.replace("HIDDEN", hidden), commit=False)[0].items():
        check(came == [] or isinstance(came, str) and NOTHING.match(came), "  nor does by " + way, came)
    seen, _ = desk.ask("""
M = 'sicantik.wa.message'
answer({login: of(login, M).search([]).ids for login in ('loket', 'satu', 'kepala')})
""", commit=False)
    equal(sorted(seen["kepala"]), sorted(map(int, sql(OTHERS % "true").split(","))),
          "who manages in all companies sees every one, also of what Odoo does not have any more")
    equal(sorted(seen["satu"]), sorted(map(int, sql(OTHERS % """
        m.partner_id NOT IN (SELECT partner_id FROM sicantik_permit WHERE registration_id = 'REG-002')
        AND m.number <> '6281300000111'""").split(","))), "who manages in one, those of that one")
    equal(sorted(seen["loket"]), sorted(map(int, sql(OTHERS % ("NOT (%s)" % OF_OTHERS)).split(","))),
          "who may view, those whose records he may read; one of a contact that was merged, too")


def masks():
    mine = sql("SELECT min(id) FROM wa.message WHERE number = '6281200000001'")
    seen, _ = desk.ask("""
env['res.lang']._activate_lang('id_ID')
M = 'sicantik.wa.message'
def shown(login, **context):
    env.invalidate_all()
    one = of(login, M).with_context(**context).browse(MINE)
    return [one.number, one.read(['number'])[0]['number'], one.export_data(['number'])['datas'][0][0],
            of(login, M)._read_group([('id', '=', MINE)], ['number'])[0][0], one.story]
answer([shown('loket'), shown('kepala'), shown('loket', lang='id_ID')[-1],
        of('loket', M).search([('number', '=', '6281200000001')]).ids,
        of('loket', M).search([('about', 'ilike', '0812-0000-0001')]).ids,
        of('loket', M).search([('about', 'not ilike', '0812-0000-0001'), ('id', '=', MINE)]).ids,
        [of('loket', M).search([('about', 'ilike', what), ('id', '=', MINE)]).ids
         for what in ('REG-001', '503/001', 'budi')],
        tried(of('luar', M).search, []), tried(of('luar', 'sicantik.wa.history').open_of, permit('REG-001')),
        [env.ref('sicantik_wa.menu').id in of(login, 'ir.ui.menu')._visible_menu_ids() for login in ('luar', 'loket')]])
""".replace("MINE", mine), commit=False)
    counter, head, indonesian, by_number, about, not_about, by_others, stranger, history, menus = seen
    check(all("81200000001" not in text and "001" in text for text in counter), "numbers are masked by whatever way", counter)
    check(all("6281200000001" in text for text in head), "  but not for who manages", head)
    check("made by scenario permit_ready" in counter[-1] and "dibuat oleh skenario permit_ready" in indonesian,
          "the story is told in the user's language", indonesian)
    check(by_number == [] and int(mine) in about and not_about == [],
          "a masked number is not found by what it hides; who knows the number may look for it", seen[3:6])
    equal(by_others, [[int(mine)]] * 3, "  by registration, permit number and name, too")
    check(stranger.startswith("AccessError") and history.startswith("AccessError"),
          "who has no right of ours is refused", (stranger, history))
    equal(menus, [False, True], "  and sees no menu")


def histories():
    seen, _ = desk.ask("""
from lxml import etree
def story(login, record):
    action = of(login, 'sicantik.wa.history').open_of(of(login, record._name).browse(record.id))
    return of(login, 'sicantik.wa.history').browse(action['res_id']).story
first, third = permit('REG-001'), permit('REG-003')
document = env['sicantik.document'].search([('document_number', '=', 'DOC-1')])
bound = [env[name].get_views([(False, 'list'), (False, 'form')], {'toolbar': True})['views']
         for name in ('res.partner', 'sicantik.permit', 'sicantik.document')]
answer([story('loket', first), story('loket', third.partner_id), story('kepala', third.partner_id),
        story('kepala', document), story('loket', first.partner_id),
        [[action['name'] for action in views[kind]['toolbar'].get('action', [])] for views in bound for kind in ('list', 'form')],
        of('loket', 'sicantik.permit').get_view(view_type='form')['arch'].count('fa-whatsapp'),
        of('luar', 'sicantik.permit').get_view(view_type='form')['arch'].count('fa-whatsapp'),
        len(of('loket', 'sicantik.wa.message').search(of('loket', 'sicantik.wa.history').open_of(
            of('loket', 'sicantik.permit').browse([first.id, permit('REG-010').id]))['domain']))])
""")
    permit_, hidden, whole, document, contact, bound, button, no_button, several = seen
    check("no message from event" in permit_ and "permit_ready says more" in permit_ and "6281200000001" not in permit_,
          "the history of a permit has events that made no message, and why", permit_)
    check("A part of what belongs" in hidden and "REG-003" not in hidden and "status_update" not in hidden,
          "that of a contact leaves out what belongs to a permit that he may not read", hidden)
    check("status_update" in whole and "A part" not in whole, "  and has it for who may", whole)
    check("message" in document and "document_pending" in document, "a document has one", document)
    check("permit_ready" in contact and "A part" not in contact, "a contact, too", contact)
    check(all("WhatsApp messages" in names for names in bound), "each has the action, in list and form", bound)
    equal([button, no_button], [1, 0], "the permit's form has the button, for who may view")
    check(several >= 3, "several at once are a list", several)


def missing():
    part("The add-on where the extension is gone")
    manager("exp_duplicate_database", PRODUCTION, GONE)
    for statement, words in (("ALTER DATABASE %s OWNER TO postgres" % GONE, "does not belong to Odoo's role"),
                             ("ALTER DATABASE %s OWNER TO odoo;"
                              " UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'sicantik_wa'" % GONE, "has version 1.0 here"),
                             ("DROP EXTENSION sicantik_wa CASCADE", "does not have the extension")):
        sql(statement, GONE, "postgres")
        came, _ = desk.ask("""
M = of('kepala', 'sicantik.wa.message')
first = permit('REG-001')
answer([tried(M.open_ledger), tried(M.web_search_read, [], {'number': {}}), tried(M._read_group, [], ['state']),
    tried(of('kepala', 'sicantik.wa.history').open_of, first), tried(M.search_count, []),
    tried(first.write, {'applicant_name': 'Budi'}), tried(first.partner_id.write, {'name': 'Budi'}),
    tried(lambda: bool(of('loket', 'sicantik.permit').get_view(view_type='form'))),
    tried(lambda: len(of('loket', 'res.partner').web_search_read([], {'name': {}}, limit=1)['records']))])
""", commit=False, database=GONE)
        check(all(came_.startswith("UserError") and words in came_ and "\n" not in came_ for came_ in came[:5]),
              "the menu says in one sentence: " + words, came)
        equal(came[5:], ["done: True", "done: True", "done: True", "done: 1"], "  and nothing else in Odoo breaks")
    must(ODOO + ["-d", GONE, "-u", "sicantik_wa", "--stop-after-init", "--no-http", "--log-level=warn"], "odoo")
    orm("env['ir.module.module'].search([('name', '=', 'sicantik_wa')]).button_immediate_uninstall()", GONE)
    equal(sql("SELECT count(*) FROM ir_model_data WHERE module = 'sicantik_wa'", GONE), "0",
          "it can be upgraded and uninstalled there")
    manager("exp_drop", GONE)


def newest_first(database):
    """Of a long ledger; called where one is made."""
    plan, _ = desk.ask("""
query = of('admin', 'sicantik.wa.message')._search([], limit=80, order='id desc')
env.cr.execute('EXPLAIN ' + env.cr.mogrify(query.select()).decode())
answer([line for line, in env.cr.fetchall()])
""", commit=False, database=database)
    check(any("Index Scan Backward using message_pkey" in line for line in plan)
          and not any("Seq Scan on message" in line for line in plan), "the newest are read by the index, and no others", plan)


PARTS = (rights, masks, histories, missing)

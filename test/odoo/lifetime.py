"""The add-on comes, is upgraded and goes, and its ledger becomes long: a part of checks.py.

What it leaves behind is seen by comparing everything that the catalogue of
PostgreSQL and the records of Odoo's own kind (ir_*, groups) hold.
"""

import re
import statistics
import threading
import urllib.error
import urllib.request

import ledger
import odoo_test as lab
import web

ADDON = "sicantik_wa"
BARE = "odoo_bare"                  # a database without the extension
LIFE = "odoo_life"                  # a copy of the one with it, from before the add-on came
BARE_OPTIONS = ["--without-demo=all"] if lab.SERIES < 19 else []
MODEL = "sicantik.wa.message"
MESSAGES = 100000
CONTACTS, LEDGER_ACTION = "base.action_partner_form", ADDON + ".message_action"
OPENINGS = 7                        # how often each list is opened, in turns

# Whatever has a name in the database. Generated names of TOAST tables hold an oid.
CATALOGUE = """
    SELECT 'relation ' || n.nspname || '.' || c.relname || ' ' || c.relkind::text || ' ' || c.relowner::regrole::text
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_(toast|temp)'
    UNION ALL
    SELECT 'column ' || a.attrelid::regclass || '.' || a.attname || ' ' || a.atttypid::regtype
      FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE NOT a.attisdropped AND a.attnum > 0 AND n.nspname !~ '^pg_(toast|temp)'
    UNION ALL
    SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
     WHERE conrelid <> 0
    UNION ALL
    SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function ' || oid::regprocedure FROM pg_proc
    UNION ALL
    SELECT 'type ' || oid::regtype FROM pg_type WHERE typrelid = 0 AND typelem = 0
    UNION ALL
    SELECT 'extension ' || extname || ' ' || extversion FROM pg_extension"""

# Tables in which Odoo keeps what modules bring; not what it makes by itself as it runs
# (bundles of pages, logs, progress), nor the users that the test makes.
KEPT = """
    SELECT c.relname FROM pg_class AS c
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
       AND (c.relname ~ '^(ir_|res_groups|mail_message_subtype|mail_template)'
            OR c.relname ~ '_rel$')
       AND c.relname !~ '^ir_(attachment|logging|profile|cron_progress|cron_trigger|sequence)'
       AND c.relname !~ '^res_(company_users|groups_users|lang_install)_rel$'
     ORDER BY c.relname"""


def snapshot(database):
    """Everything that has a name, and every record that a module may have brought."""
    found = {row["what"] for row in lab.rows("SELECT what FROM (%s) AS t(what)" % CATALOGUE, database)}
    tables = [row["relname"] for row in lab.rows(KEPT, database)]
    # which Odoo 14 makes only when its module is upgraded
    found = {what for what in found if "mail_message_subtype_id_index" not in what}
    query = " UNION ALL ".join(
        "SELECT '%(t)s ' || coalesce(r ->> 'id', r::text) || ' '"
        " || coalesce(r ->> 'complete_name', r ->> 'key', r -> 'name' ->> 'en_US', r ->> 'name', '') AS what"
        " FROM \"%(t)s\" AS t, to_jsonb(t) AS r" % {"t": table} for table in tables)
    return found | {row["what"] for row in lab.rows(query, database)}


def compare(before, after, what):
    lab.equal(sorted(after - before)[:20], [], what + ": nothing is left behind")
    lab.equal(sorted(before - after)[:20], [], "  and nothing is missing")


def odoo(database, *options):
    """One run of Odoo that ends by itself; its output, in which there is no warning of ours."""
    output = lab.must(lab.ODOO + ["-d", database, *options, "--stop-after-init", "--no-http",
                                  "--log-level=warn"], "odoo")
    bad = [line for line in output.splitlines() if " ERROR " in line or " CRITICAL " in line
           or (" WARNING " in line and ADDON in line)]
    lab.equal(bad, [], "  and Odoo reports nothing amiss")
    return output


def uninstall(database):
    lab.must(lab.ODOO + ["shell", "-d", database, "--no-http", "--log-level=warn"], "odoo", stdin="""
env['ir.module.module'].search([('name', '=', '%s')]).button_immediate_uninstall()
env.cr.commit()
""" % ADDON)
    lab.equal(state(database), "uninstalled", "it can be uninstalled")


def state(database):
    return lab.sql("SELECT state FROM ir_module_module WHERE name = '%s'" % ADDON, database)


# A long ledger

MANY = """
INSERT INTO res_partner (name, complete_name, type, phone, active, is_company, partner_share, color, message_bounce,
    create_uid, write_uid, create_date, write_date)
SELECT 'Warga ' || n, 'Warga ' || n, 'contact', '0852' || to_char(n, 'FM00000000'), true, false, true, 0, 0,
    1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' FROM generate_series(1, {many}) AS n;
INSERT INTO sicantik_permit (permit_type_id, partner_id, registration_id, applicant_name, permit_number, status,
    issue_date, is_renewal, create_uid, write_uid, create_date, write_date)
SELECT (SELECT min(id) FROM sicantik_permit_type), p.id, 'MANY-' || p.id, p.name, 'MANY/' || p.id || '/2026', 'draft',
    current_date, false, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
  FROM res_partner AS p WHERE p.phone ~ '^0852';
"""
LEDGER = """
INSERT INTO wa.message (scenario, template_key, partner_id, number, number_source, params, body, res_model, res_id,
    provider, state, reason, created_at, sent_at, delivered_at, read_at, finished_at, attempts)
SELECT (ARRAY['permit_ready', 'status_update', 'permit_expiry_warning'])[1 + n % 3], 'permit_ready', partner_id,
    '62852' || to_char(n, 'FM00000000'), 'phone', jsonb_build_object('permit_number', permit_number,
    'pendaftaran_id', registration_id, 'partner_name', applicant_name), 'Yth. ' || applicant_name || ', izin Saudara '
    || permit_number || ' telah selesai. Dokumen izin dapat diunduh melalui tautan kami.', 'sicantik.permit', id,
    'fonnte', s, CASE s WHEN 'failed' THEN 'recipient' WHEN 'skipped' THEN 'no_number' END, t,
    CASE WHEN s IN ('sent', 'delivered', 'read') THEN t END, CASE WHEN s IN ('delivered', 'read') THEN t END,
    CASE s WHEN 'read' THEN t END, t, 1
  FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM sicantik_permit WHERE registration_id ~ '^MANY-') AS p,
    LATERAL (SELECT (ARRAY['sent', 'delivered', 'read', 'read', 'failed', 'skipped'])[1 + n % 6] AS s,
             now() - n * interval '7 minutes' AS t) AS q;
"""
# An action of Odoo's, as a click on its menu does it: until the rows are on the page, in milliseconds
OPEN = """
const [action, done] = arguments;
const began = performance.now();
odoo.__WOWL_DEBUG__.root.env.services.action.doAction(action, {clearBreadcrumbs: true}).then(() => {
    const look = () => document.querySelectorAll(".o_data_row").length >= 80
        ? done(performance.now() - began) : requestAnimationFrame(look);
    look();
}, (error) => done(String(error)));
"""


def long_ledger(window):
    """It is as quickly there as Odoo's own list of contacts, for somebody who is no administrator."""
    lab.part("A ledger of %d messages" % MESSAGES)
    lab.sql(MANY.format(many=MESSAGES), LIFE)
    lab.sql(LEDGER, LIFE, "postgres")
    lab.sql("VACUUM ANALYZE res_partner, sicantik_permit, wa.message", LIFE, "postgres")
    took = openings(window, (CONTACTS, LEDGER_ACTION))
    seen = ", ".join("%s %.0f ms" % each for each in took.items())
    lab.check(took[LEDGER_ACTION] < 1000, "its list opens in under a second", seen)
    lab.check(took[LEDGER_ACTION] < 2 * took[CONTACTS], "  in at most twice the time of as many contacts", seen)
    print("        " + seen)
    ledger.newest_first(LIFE)


def openings(window, actions):
    """How long each action takes to show its list: the median, opened in turns."""
    times = {action: [] for action in actions}
    for turn in range(OPENINGS + 1):
        for action in actions:
            took = window.driver.execute_async_script(OPEN, action)
            if not isinstance(took, (int, float)):
                raise web.Unseen(took)
            if turn:                # the first one fetches the view
                times[action].append(took)
    return {action: statistics.median(taken) for action, taken in times.items()}


def terms():
    """Every term that Odoo exports of the module has an Indonesian one in id.po, and no other is there."""
    import polib

    lab.part("The add-on speaks Indonesian")
    pot = lab.must(lab.ODOO + ["i18n", "export", "-d", LIFE, "-l", "pot", "-o", "-", ADDON], "odoo")
    exported = {entry.msgid for entry in polib.pofile(pot[pot.index("# Translation"):])}
    page = polib.pofile(lab.SOURCE + "/odoo/%s/i18n/id.po" % ADDON)
    said = {entry.msgid for entry in page if entry.msgstr}
    lab.check(len(exported) > 50, "Odoo exports the module's terms", len(exported))
    lab.equal(sorted(exported - said), [], "  each has an Indonesian one")
    lab.equal(sorted({entry.msgid for entry in page} - exported), [], "  and none is left that nothing says")
    holes = re.compile(r"%\(\w+\)s|%[sd]|<[^>]+>|\{\w*\}|wa_\w+\(")
    lab.equal([e.msgid for e in page if sorted(holes.findall(e.msgid)) != sorted(holes.findall(e.msgstr))], [],
              "  with the same values")


def without_the_extension():
    lab.part("The add-on where the extension is not")
    odoo(BARE, "-i", "web", *BARE_OPTIONS)
    before = snapshot(BARE)
    odoo(BARE, "-i", ADDON)
    lab.equal(state(BARE), "installed", "it can be installed")
    if lab.SERIES >= 17:
        import screens

        screens.without_the_extension(BARE)
    odoo(BARE, "-u", ADDON)
    uninstall(BARE)
    compare(before, snapshot(BARE), "  uninstalled")
    lab.manager("exp_drop", BARE)


class Traffic:
    """While the block lasts, permits change, and where a server has a port a provider tells something there."""

    def __init__(self, database, port):
        self.database, self.port = database, port
        self.changes, self.answers, self.trouble = 0, set(), []
        self.over = threading.Event()

    def __enter__(self):
        acts = (self.change, self.tell) if self.port else (self.change,)
        self.threads = [threading.Thread(target=self.go_on, args=(act,)) for act in acts]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def go_on(self, act):
        while not self.over.is_set():
            try:
                act()
                self.over.wait(0.05)    # as busy as an office never is, and no more
            except Exception as error:
                self.trouble.append(error)
                return

    def change(self):
        self.changes += 1
        lab.sql("""
            WITH p AS (INSERT INTO res_partner (name, %(complete)s, phone, active, color, message_bounce,
                create_date, write_date) VALUES ('Warga %(n)d', 'Warga %(n)d', '0815-0000-%(n)04d', true, 0, 0, now(), now())
                RETURNING id, name)
            INSERT INTO sicantik_permit (registration_id, applicant_name, partner_id, permit_type_id, status,
                permit_number, issue_date, create_date, write_date)
            SELECT 'LIFE-%(n)d', p.name, p.id, (SELECT min(id) FROM sicantik_permit_type), 'active',
                'LIFE/%(n)d/2026', '%(day)s', now(), now() FROM p""" % {"n": self.changes, "day": lab.ISSUED,
                               "complete": "complete_name" if lab.SERIES >= 17 else "display_name"}, self.database)

    def tell(self):
        request = urllib.request.Request(
            "http://127.0.0.1:%d/sicantik_wa/webhook/fonnte?db=%s" % (self.port, self.database),
            b'{"id": "1", "status": "sent"}', {"Content-Type": "application/json"})
        try:
            with web.OPENER.open(request, timeout=30) as answer:
                self.answers.add(answer.status)
        except urllib.error.HTTPError as error:
            self.answers.add(error.code)


def before_the_add_on():
    """The copy; to be called before the add-on is installed for the first time."""
    lab.manager("exp_duplicate_database", lab.PRODUCTION, LIFE)
    lab.sql("SELECT wa_arm('%s')" % LIFE, LIFE)


def with_the_extension():
    lab.part("The add-on comes, is upgraded, and goes in the middle of traffic")
    lab.orm("""
env['ir.module.module'].update_list()
env.ref('base.user_admin').password = 'admin-rahasia'
env['sicantik.permit.type'].create({'name': 'Izin Mendirikan Bangunan'})
""", LIFE)
    before = snapshot(LIFE)
    odoo(LIFE, "-i", ADDON)
    lab.equal(state(LIFE), "installed", "it is installed where the extension is")
    with_it = snapshot(LIFE)
    odoo(LIFE, "-u", "all")
    compare(with_it, snapshot(LIFE), "-u all")
    if lab.SERIES >= 17:
        looked_at()
    traffic = gone_in_traffic() if lab.SERIES >= 17 else gone_without_server()
    lab.equal(traffic.trouble, [], "uninstalled meanwhile: no change and no word of a provider met an error")
    lab.equal(state(LIFE), "uninstalled", "  and it is gone")
    lab.settled(LIFE)
    lab.equal(lab.sql("SELECT count(*), count(DISTINCT number), string_agg(DISTINCT state, ', ') FROM wa.message"
                      " WHERE number ~ '^628150000'", LIFE),
              "%(n)d|%(n)d|sent" % {"n": traffic.changes}, "  each of the changes was told, once")
    compare(before, snapshot(LIFE), "uninstalled")
    lab.manager("exp_drop", LIFE)


def looked_at():
    """What is for Odoo with screens."""
    import screens                      # with what no older Debian has

    screens.database = LIFE
    terms()
    screens.office()
    with screens.windows() as window:
        screens.jobs(window)
        long_ledger(window("loket"))


def gone_in_traffic():
    """An administrator uninstalls it at a server that has much to do."""
    with web.odoo_server(LIFE) as server:
        admin = web.Session(server.port, LIFE, "admin", "admin-rahasia")
        lab.check("records" in admin.call(MODEL, "web_search_read", [], {"state": {}}), "an administrator reads the ledger")
        with Traffic(LIFE, server.port) as traffic:
            web.wait(lambda: traffic.changes > 5 and traffic.answers, "traffic flows")
            module = lab.sql("SELECT id FROM ir_module_module WHERE name = '%s'" % ADDON, LIFE)
            admin.call("ir.module.module", "button_immediate_uninstall", [int(module)])
            told = traffic.changes
            web.wait(lambda: traffic.changes > told + 5, "traffic goes on")
        logged = server.said()
        lab.check("Traceback" not in logged, "no traceback in Odoo's log",
                  logged[max(0, logged.find("Traceback") - 500):][:3000])
        lab.equal([a for a in traffic.answers if a >= 500], [], "no webhook met an error")
    return traffic


def gone_without_server():
    with Traffic(LIFE, None) as traffic:
        uninstall(LIFE)
        told = traffic.changes
        web.wait(lambda: traffic.changes > told + 5, "traffic goes on")
    return traffic


def restored(database):
    """To be called when Odoo has restored a backup of a database with the add-on."""
    lab.equal(state(database), "installed", "the add-on is there")
    odoo(database, "-u", ADDON)

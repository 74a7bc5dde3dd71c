"""The add-on comes, is upgraded and goes: a part of checks.py.

What it leaves behind is seen by comparing everything that the catalogue of
PostgreSQL and the records of Odoo's own kind (ir_*, groups) hold.
"""

import threading
import urllib.error
import urllib.request

import odoo_test as lab
import web

ADDON = "sicantik_wa"
BARE = "odoo_bare"                  # a database without the extension
LIFE = "odoo_life"                  # a copy of the one with it, from before the add-on came
BARE_OPTIONS = ["--without-demo=all"] if lab.SERIES < 19 else []
MODEL = "sicantik.wa.message"

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
# (bundles of pages, logs, progress), nor when a scheduled action ran.
KEPT = """
    SELECT c.relname FROM pg_class AS c
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
       AND (c.relname ~ '^(ir_|res_groups|res_users_settings|mail_message_subtype|mail_template)'
            OR c.relname ~ '_rel$')
       AND c.relname !~ '^ir_(attachment|logging|profile|cron_progress|cron_trigger|sequence)'
     ORDER BY c.relname"""


def snapshot(database):
    """Everything that has a name, and every record that a module may have brought."""
    found = {row["what"] for row in lab.rows("SELECT what FROM (%s) AS t(what)" % CATALOGUE, database)}
    tables = [row["relname"] for row in lab.rows(KEPT, database)]
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


# The parts of the test

def without_the_extension():
    lab.part("The add-on where the extension is not")
    odoo(BARE, "-i", "web", *BARE_OPTIONS)
    before = snapshot(BARE)
    odoo(BARE, "-i", ADDON)
    lab.equal(state(BARE), "installed", "it can be installed")
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
            WITH p AS (INSERT INTO res_partner (name, complete_name, phone, active, color, message_bounce,
                create_date, write_date) VALUES ('Warga %(n)d', 'Warga %(n)d', '0815-0000-%(n)04d', true, 0, 0, now(), now())
                RETURNING id, name)
            INSERT INTO sicantik_permit (registration_id, applicant_name, partner_id, permit_type_id, status,
                permit_number, issue_date, create_date, write_date)
            SELECT 'LIFE-%(n)d', p.name, p.id, (SELECT min(id) FROM sicantik_permit_type), 'active',
                'LIFE/%(n)d/2026', '%(day)s', now(), now() FROM p""" % {"n": self.changes, "day": lab.ISSUED}, self.database)

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
    traffic = gone_in_traffic() if lab.SERIES >= 17 else gone_without_server()
    lab.equal(traffic.trouble, [], "uninstalled meanwhile: no change and no word of a provider met an error")
    lab.equal(state(LIFE), "uninstalled", "  and it is gone")
    lab.settled(LIFE)
    lab.equal(lab.sql("SELECT count(*), count(DISTINCT number), string_agg(DISTINCT state, ', ') FROM wa.message"
                      " WHERE number ~ '^628150000'", LIFE),
              "%(n)d|%(n)d|sent" % {"n": traffic.changes}, "  each of the changes was told, once")
    compare(before, snapshot(LIFE), "uninstalled")
    lab.manager("exp_drop", LIFE)


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

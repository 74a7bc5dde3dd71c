#!/usr/bin/python3
"""The extension with the real Odoo: run.sh starts this, in its Debian folder.

    checks.py SERIES POSTGRESQL [ODOO-FOLDER]

Starts PostgreSQL (as postgres) and the providers' simulator, makes a database
with Odoo (as odoo), and looks at what arrives at the provider when Odoo's ORM
writes, and what a copy, a backup or a module upgrade of Odoo's does to it.
What odoo/sicantik_wa does is looked at in modules of their own.

Prints a line for each check and at last "N passed, N failed".
"""

import datetime
import os
import re
import sys
import threading
import time
import traceback

import desk
import dispatcher
import ledger
import lifetime
import odoo_test
from odoo_test import (
    ADDONS, AHEAD, check, configure, day, equal, Expect, ISSUED, LOG, make_odoo, manager, must,
    NoGood, ODOO, ODOO_HOME, OFFICE, orm, part, PRODUCTION, rows, run, sends, SERIES, settled,
    simulator, sql, start_postgres, start_simulator, stop, text, TIME, TODAY, triggers, wait_for)
import webhooks

WRITES_DURING_UPGRADE = 150


# The checks

def install():
    part("Installing, as role odoo")
    sql("CREATE EXTENSION sicantik_wa")
    found = rows("SELECT * FROM wa_setup()")
    equal(sorted(r["item"] for r in found if r["action"] == "attached"),
          ["table public.sicantik_document", "table public.sicantik_permit",
           "table public.signature_workflow"], "wa_setup() finds Odoo's three tables")
    sql("SELECT wa_set('office_name', '%s'), wa_set('time_zone', (SELECT name FROM pg_timezone_names"
        " WHERE utc_offset = interval '%d hours' AND name ~ '^(Africa|America|Asia|Atlantic|Europe|Pacific)/[A-Za-z_]+$'"
        " ORDER BY name LIMIT 1)),"
        " wa_set('download_link', 'https://izin.example.go.id/download/{registration_id}'),"
        " wa_set('detail_link', 'https://izin.example.go.id/detail/{registration_id}'),"
        " wa_set('renewal_link', 'https://izin.example.go.id/renewal/{registration_id}'),"
        " wa_set('approval_link', 'https://izin.example.go.id/approval/{document_number}'),"
        " wa_set('link_dashboard', 'https://izin.example.go.id/dashboard'),"
        " wa_set('contact_dpmptsp', '0263-555001');"
        "SELECT FROM wa_setup();" % (OFFICE, AHEAD))
    # more changes an hour than an office has, and on any day of the week
    sql("UPDATE wa.scenario SET max_per_hour = NULL, weekdays = NULL")
    configure(PRODUCTION)
    sql("SELECT wa_arm('%s')" % PRODUCTION)
    check(sql("SELECT value FROM wa.setting WHERE name = 'mode'") == "live",
          "wa_arm() makes it live")


def by_the_orm():
    part("What the ORM writes")
    orm("""
kind = env['sicantik.permit.type'].create({'name': 'Izin Mendirikan Bangunan'})
env['res.users'].create({'name': 'Rina Petugas', 'login': 'rina',
    groups: [(4, env.ref('base.group_user').id)]}).partner_id.phone = '0812-9000-0001'
people = Partner.create([
    {'name': name, 'phone': phone, 'country_id': env.ref('base.id').id}
    for name, phone in (('Budi Santoso', '0812-0000-0001'), ('Siti Aminah', '0812-0000-0002'),
                        ('Agus Salim', '0812-0000-0003'))])
Permit.create([{'registration_id': 'REG-%03d' % (n + 1), 'applicant_name': p.name,
    'partner_id': p.id, 'permit_type_id': kind.id, 'status': 'draft'}
    for n, p in enumerate(people)])
""")
    with Expect(("6281200000001", text("permit_ready", name="Budi Santoso",
                 type="Izin Mendirikan Bangunan", number="503/001/2026", issued=day(ISSUED),
                 reg="REG-001"), "write() of status and number: permit_ready")):
        orm("permit('REG-001').write({'status': 'active', 'permit_number': '503/001/2026',"
            " 'issue_date': '%s'})" % ISSUED)

    with Expect(("6281200000002", text("permit_ready", name="Siti Aminah",
                 type="Izin Mendirikan Bangunan", number="503/002/2026", issued=day(ISSUED),
                 reg="REG-002"),
                 "write() of one after the other, flushed between, one transaction: permit_ready")):
        orm("""
p = permit('REG-002')
p.write({'permit_number': '503/002/2026', 'issue_date': '%s'})
flush()
p.write({'status': 'active'})
""" % ISSUED)

    with Expect(("6281200000003", text("permit_ready", name="Agus Salim",
                 type="Izin Mendirikan Bangunan", number="503/010/2026", issued=day(ISSUED),
                 reg="REG-010"), "create() of an active permit: permit_ready")):
        orm("Permit.create({'registration_id': 'REG-010', 'applicant_name': 'Agus Salim',"
            " 'partner_id': permit('REG-003').partner_id.id, 'issue_date': '%s',"
            " 'permit_type_id': permit('REG-003').permit_type_id.id,"
            " 'status': 'active', 'permit_number': '503/010/2026'})" % ISSUED)

    update = dict(reg="REG-003", old="Draf", new="Dibatalkan", time=TIME)
    with Expect(("6281200000003", text("status_update", **update),
                 "write() of the status: status_update to the applicant"),
                ("6281290000001", text("status_update", **update),
                 "  and to the internal user who follows")):
        orm("""
p = permit('REG-003')
p.message_subscribe(env['res.users'].search([('login', '=', 'rina')]).partner_id.ids)
p.write({'status': 'cancelled'})
""")

    with Expect(("6281200000001", text("status_update", reg="REG-001", old="Aktif",
                 new="Kedaluwarsa", time=TIME),
                 "savepoint and transaction rolled back, a-b-a, same value: only what was committed")):
        orm("""
p = permit('REG-002')
try:
    with env.cr.savepoint():
        p.write({'status': 'cancelled'})
        flush()
        raise ValueError
except ValueError:
    pass
p.write({'status': 'cancelled'})
flush()
p.write({'status': 'active'})
env.cr.commit()
p.write({'status': 'expired'})
flush()
env.cr.rollback()
p.write({'status': 'active', 'notes': 'the same'})
permit('REG-001').write({'status': 'expired'})
""")

    with Expect(*[("62813000001%02d" % n, text(
            "permit_ready", name="Pemohon %d" % n, type="Izin Mendirikan Bangunan",
            number="503/1%02d/2026" % n, issued=day(ISSUED), reg="REG-1%02d" % n),
            "create() of 12 in one call: permit_ready to applicant %d" % n)
            for n in range(12)]):
        orm("""
people = Partner.create([{'name': 'Pemohon %d' % n, 'phone': '0813-0000-01%02d' % n,
                          'country_id': env.ref('base.id').id} for n in range(12)])
Permit.create([{'registration_id': 'REG-1%02d' % n, 'applicant_name': p.name,
    'partner_id': p.id, 'permit_type_id': permit('REG-001').permit_type_id.id,
    'permit_number': '503/1%02d/2026' % n, 'issue_date': ISSUED}
    for n, p in enumerate(people)])
""".replace("ISSUED", repr(str(ISSUED))))


def the_other_five():
    kind = "Izin Mendirikan Bangunan"
    expiry = ISSUED.replace(year=ISSUED.year + 2, day=min(ISSUED.day, 28))
    start = expiry.replace(year=ISSUED.year)
    with Expect(("6281200000002", text("permit_renewal_approved", name="Siti Aminah", type=kind,
                 number="503/301/2026", start=day(start), end=day(expiry), span="2 tahun",
                 reg="REG-301"), "create() of an active renewal: permit_renewal_approved")):
        orm("""
Permit.create({'registration_id': 'REG-301', 'applicant_name': 'Siti Aminah',
    'partner_id': permit('REG-002').partner_id.id, 'issue_date': '%s', 'expiry_date': '%s',
    'permit_type_id': permit('REG-002').permit_type_id.id, 'is_renewal': True,
    'permit_number': '503/301/2026'})
""" % (start, expiry))

    pending = text("document_pending", count="1", type=kind, name="Siti Aminah", reg="REG-301")
    with Expect(("6281290000001", pending, "write() of a document's state: document_pending to the staff"),
                ("6281290000002", pending, "  each of them")):
        orm("""
env['res.users'].create({'name': 'Hasan Kepala', 'login': 'hasan',
    groups: [(4, env.ref('base.group_user').id)]}).partner_id.phone = '0812-9000-0002'
Document = env['sicantik.document']
d = Document.create({'name': 'SK', 'document_number': 'DOC-1', 'permit_id': permit('REG-301').id})
d.write({'state': 'uploaded'})
flush()
d.write({'state': 'pending_signature'})
""")

    with Expect(("6281290000002", text("approval_required", official="Hasan Kepala", type=kind,
                 name="Siti Aminah", number="503/301/2026", document="DOC-2"),
                 "create() of the workflow, write() of the state: approval_required to its approver")):
        orm("""
d = env['sicantik.document'].create({'name': 'SK', 'document_number': 'DOC-2',
    'permit_id': permit('REG-301').id, 'requires_approval': True, 'state': 'uploaded'})
env['signature.workflow'].create({'document_id': d.id,
    'approver_id': env['res.users'].search([('login', '=', 'hasan')]).id})
d.write({'state': 'pending_signature'})
""")

    # asked for 50 hours ago; create_date is not the ORM's to change
    sql("UPDATE signature_workflow SET create_date = (now() - interval '50 hours') AT TIME ZONE 'UTC'")
    with Expect(("6281290000002", text("reminder", count="1", type=kind, name="Siti Aminah",
                 waited="2 hari"), "wa_run_scenario('reminder') tells the responsible person")):
        sql("SELECT wa_run_scenario('reminder')")

    equal(sql("SELECT wa_run_scenario('permit_expiry_warning')"), "0",
          "the first permit_expiry_warning only takes the baseline")
    end = TODAY + datetime.timedelta(days=30)
    with Expect(("6281200000003", text("permit_expiry_warning", name="Agus Salim", type=kind,
                 number="503/302/2024", end=day(end), days="30", reg="REG-302"),
                 "create() of an old permit that expires in 30 days: permit_expiry_warning, once")):
        orm("""
Permit.create({'registration_id': 'REG-302', 'applicant_name': 'Agus Salim',
    'partner_id': permit('REG-003').partner_id.id, 'issue_date': '%s', 'expiry_date': '%s',
    'permit_type_id': permit('REG-003').permit_type_id.id, 'permit_number': '503/302/2024'})
""" % (end.replace(year=end.year - 2, day=min(end.day, 28)), end))
        settled(PRODUCTION)
        sql("SELECT wa_run_scenario('permit_expiry_warning'), wa_run_scenario('permit_expiry_warning')")


def cancel(registration, database=PRODUCTION):
    orm("permit('%s').write({'status': 'cancelled'})" % registration, database)


def canceled(n, what):
    return ("62813000001%02d" % n, text("status_update", reg="REG-1%02d" % n, old="Aktif",
            new="Dibatalkan", time=TIME), what)


def silent(database, registration, what):
    """Odoo writes in a copy: composed there, held, not sent."""
    before = len(sends())
    cancel(registration, database)
    held = wait_for("SELECT count(*) = 1 FROM wa.message WHERE scenario = 'status_update'"
                    " AND state = 'held' AND reason = 'copy' AND params ->> 'pendaftaran_id' = '%s'"
                    % registration, "held in " + database, database)
    check(held, what + ": a change is composed and held")
    equal(len(sends()), before, what + ": nothing is sent")


def backup_and_restore():
    part("Odoo's backup and restore")
    waiting = sql("SELECT wa_send_text('0812-0000-0009', 'later', send_at => now() + interval '1 hour')")
    manager("backup", PRODUCTION, ODOO_HOME + "/backup.zip")
    ledger = sql("SELECT count(*), max(id) FROM wa.message")
    manager("restore", "odoo_restored", ODOO_HOME + "/backup.zip", "False")
    equal(sql("SELECT count(*), max(id) FROM wa.message", "odoo_restored"), ledger,
          "the restored ledger is complete")
    equal(triggers("odoo_restored"), triggers(PRODUCTION), "the triggers are there")
    lifetime.restored("odoo_restored")
    equal(sql("SELECT count(*) FROM ir_config_parameter WHERE key = 'database.uuid'"
              " AND value = '%s'" % sql("SELECT value FROM ir_config_parameter"
                                        " WHERE key = 'database.uuid'"), "odoo_restored"),
          "1", "it calls itself the same database (moved, not copied)")
    silent("odoo_restored", "REG-100", "restored")
    check("sent" not in sql("SELECT state FROM wa.message WHERE id = " + waiting, "odoo_restored"),
          "restored: what was waiting is not sent")
    with Expect(canceled(0, "the original goes on")):
        cancel("REG-100")
    sql("SELECT wa_cancel(%s)" % waiting)


def duplicate_and_drop():
    part("Odoo's duplicate, neutralize and drop")
    manager("exp_duplicate_database", PRODUCTION, "odoo_copy")
    silent("odoo_copy", "REG-101", "duplicate")
    with Expect(canceled(1, "the original goes on")):
        cancel("REG-101")
    sql("SELECT wa_arm('odoo_copy')", "odoo_copy")
    with Expect(canceled(2, "a duplicate that a person armed sends"), database="odoo_copy"):
        cancel("REG-102", "odoo_copy")
    if SERIES >= 16:                # Odoo has it since then
        must(ODOO + ["neutralize", "-d", "odoo_copy"], "odoo")
        before = len(sends())
        cancel("REG-103", "odoo_copy")
        check(wait_for("SELECT count(*) = 1 FROM wa.message WHERE state = 'held'"
                       " AND params ->> 'pendaftaran_id' = 'REG-103'", "held", "odoo_copy"),
              "neutralized, it stops: a change is composed and held")
        equal(len(sends()), before, "neutralized: nothing is sent")
    manager("exp_drop", "odoo_copy")
    equal(sql("SELECT count(*) FROM pg_database WHERE datname = 'odoo_copy'", "postgres"), "0",
          "Odoo drops it, worker or not")
    with Expect(canceled(3, "the original goes on")):
        cancel("REG-103")


def rename():
    part("Odoo's rename")
    manager("exp_rename", PRODUCTION, "odoo_moved")
    with Expect(canceled(4, "renamed, it goes on sending"), database="odoo_moved"):
        cancel("REG-104", "odoo_moved")
    manager("exp_rename", "odoo_moved", PRODUCTION)


def upgrade():
    part("A module upgrade while changes and messages go on")
    orm("""
people = Partner.create([{'name': 'Warga %%d' %% n, 'phone': '0814-0000-1%%03d' %% n,
                          'country_id': env.ref('base.id').id} for n in range(%(n)d)])
Permit.create([{'registration_id': 'REG-U%%03d' %% n, 'applicant_name': p.name,
    'partner_id': p.id, 'status': 'draft'} for n, p in enumerate(people)])
""" % {"n": WRITES_DURING_UPGRADE})
    with Expect(canceled(5, "renamed back, set up again and armed, it goes on sending")):
        cancel("REG-105")
    result = []
    thread = threading.Thread(target=lambda: result.append(run(
        ODOO + ["-d", PRODUCTION, "-u", "sicantik_permits", "--stop-after-init", "--no-http",
                "--log-level=warn"], "odoo", more={"SICANTIK_RETYPED": "1"})))
    before = len(sends())
    thread.start()
    written = 0
    locked = False
    while thread.is_alive() and written < WRITES_DURING_UPGRADE:
        # the last ones while Odoo changes the table: they wait for it
        locked = locked or sql("SELECT count(*) > 0 FROM pg_locks WHERE granted AND mode ="
                               " 'AccessExclusiveLock' AND relation = 'sicantik_permit'::regclass") == "t"
        if not locked and written >= WRITES_DURING_UPGRADE - 5:
            continue
        sql("UPDATE sicantik_permit SET status = 'cancelled' WHERE registration_id = 'REG-U%03d'"
            % written)
        written += 1
        simulator("wait?count=%d&timeout=1" % (before + written))
    thread.join()
    status, output = result[0]
    equal(status, 0, "the upgrade succeeds")
    check(" ERROR " not in output and " CRITICAL " not in output, "  and Odoo reports no error",
          output[-2000:])
    equal(sql("SELECT string_agg(table_name || '.' || column_name || ' ' || data_type, ', '"
              " ORDER BY table_name, column_name) FROM information_schema.columns WHERE (table_name, column_name) IN"
              " (('sicantik_permit', 'permit_number'), ('sicantik_permit_type', 'name'),"
              "  ('sicantik_permit', 'inspector_note'))"),
          "sicantik_permit.inspector_note character varying, sicantik_permit.permit_number text,"
          " sicantik_permit_type.name " + ("jsonb" if SERIES >= 16 else "character varying"),
          "columns have other types now, one is new")
    settled(PRODUCTION)
    check(sql("SELECT value::int > 0 FROM ir_config_parameter"
              " WHERE key = 'sicantik_permits.waited_for'") == "t" and written >= 5,
          "changes were made meanwhile, also while the table was locked", written)
    equal(sorted(e["to"] for e in sends()[before:]),
          ["628140000%04d" % (1000 + n) for n in range(written)],
          "each of the %d changes made meanwhile was told, once" % written)
    equal(triggers(PRODUCTION), "3", "the triggers are there")
    equal(sql("SELECT count(*) FROM wa.capture_gap"), "0", "no change was missed")
    with Expect(("6281200000001", text("permit_ready", name="Budi Santoso",
                 type="Izin Mendirikan Bangunan", number="503/201/2026", issued=day(ISSUED),
                 reg="REG-201"), "permit_ready with the new types")):
        orm("Permit.create({'registration_id': 'REG-201', 'applicant_name': 'Budi Santoso',"
            " 'partner_id': permit('REG-001').partner_id.id, 'issue_date': '%s',"
            " 'permit_type_id': permit('REG-001').permit_type_id.id,"
            " 'status': 'active', 'permit_number': '503/201/2026'})" % ISSUED,
            more={"SICANTIK_RETYPED": "1"})
    with Expect(("6281200000001", text("permit_ready", name="Budi Santoso", type="Izin Gedung",
                 number="503/202/2026", issued=day(ISSUED), reg="REG-202"),
                 "a type's name in Indonesian"),
                ("6281300000106", text("status_update", reg="REG-106", old="Aktif", new="Dicabut",
                                       time=TIME), "a label in Indonesian")):
        orm("""
env['res.lang']._activate_lang('id_ID')
kind = permit('REG-001').permit_type_id
kind.with_context(lang='id_ID').name = 'Izin Gedung'
env['ir.model.fields.selection'].search([
    ('field_id.model', '=', 'sicantik.permit'), ('field_id.name', '=', 'status'),
    ('value', '=', 'cancelled')]).with_context(lang='id_ID').name = 'Dicabut'
env.cr.commit()
permit('REG-106').write({'status': 'cancelled'})
Permit.create({'registration_id': 'REG-202', 'applicant_name': 'Budi Santoso',
    'partner_id': permit('REG-001').partner_id.id, 'issue_date': '%s', 'permit_type_id': kind.id,
    'status': 'active', 'permit_number': '503/202/2026'})
""" % ISSUED, more={"SICANTIK_RETYPED": "1"})


def at_the_end():
    part("At the end")
    for database in (PRODUCTION, "odoo_restored"):
        equal(sql("SELECT count(*) FROM wa.dead_letter", database), "0",
              "no dead letter in " + database)
    with open(LOG, encoding="utf-8", errors="replace") as log:
        bad = [line for line in log if re.search(
            r"PANIC|terminated by signal|Assert|TRAP:", line)]
    check(not bad, "no process of the server crashed", bad[:5])


def main():
    began = time.monotonic()
    try:
        print("Starting PostgreSQL and the simulator, making an Odoo %d database ..." % SERIES,
              flush=True)
        os.mkdir(ADDONS)
        start_simulator()
        start_postgres()
        make_odoo()
        screens = (*ledger.PARTS, *desk.PARTS) if SERIES >= 17 else ()
        for step in (lifetime.without_the_extension, install, lifetime.before_the_add_on, ledger.install,
                     by_the_orm, the_other_five, *screens, backup_and_restore, duplicate_and_drop, rename,
                     webhooks.webhooks, webhooks.databases, dispatcher.old_module, dispatcher.handed_over,
                     dispatcher.way_back, upgrade, lifetime.with_the_extension, at_the_end):
            step()
    except Exception as error:      # the rest cannot be judged: a failure
        if not isinstance(error, NoGood):
            traceback.print_exc()
        check(False, "went through to the end", error)
    finally:
        stop()
    print("\n%.0f s\n%d passed, %d failed"
          % (time.monotonic() - began, odoo_test.passed, odoo_test.failed))
    return 1 if odoo_test.failed or not odoo_test.passed else 0


if __name__ == "__main__":
    sys.exit(main())

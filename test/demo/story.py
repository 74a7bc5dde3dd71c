#!/usr/bin/env python3
"""The demonstration itself: run.sh starts it, see there.

    story.py BIN_DIRECTORY WORK_DIRECTORY DEMO_DIRECTORY

Each chapter shows what a DBA types and what comes of it, and checks it: the
first thing that is not as it should be ends the story with exit status 1.
Nothing waits for time to pass, only for conditions.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.parse
import urllib.request

BIN, WORK, DEMO = sys.argv[1:4]
DATABASE = "odoo_prod"
LIMIT_S = 30                    # the longest wait for one condition
TOKENS = {                      # what the simulator knows by default
    "fonnte_token": "FONNTEDEMOTOKEN",
    "watzap_key": "WATZAPDEMOKEY",
    "watzap_number": "WATZAPDEMONUMBER",
    "meta_token": "EAADEMOMETATOKEN",
}
KEEP = bool(os.environ.get("KEEP"))     # leave server and providers running
BEGAN = time.monotonic()
SIMULATOR = None
ENDPOINT = None                 # the program of docs/webhook/
PORT = 0

# How it looks

TTY = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" \
    and "NO_COLOR" not in os.environ
WIDTH = max(72, min(100, shutil.get_terminal_size((96, 24)).columns))
chapters = 0
checks = 0


def paint(text, code):
    return "\033[%sm%s\033[0m" % (code, text) if TTY else text


def say(line=""):
    print(line, flush=True)


def chapter(title):
    global chapters
    chapters += 1
    head = " %d  %s " % (chapters, title)
    at = "%4.0f s" % (time.monotonic() - BEGAN)
    say()
    say(paint("━━" + head + "━" * (WIDTH - len(head) - len(at) - 3) + at, "1;36"))


def tell(text):
    say()
    for line in textwrap.wrap(" ".join(text.split()), WIDTH - 2):
        say("  " + line)


def statement(sql, user="odoo", database=DATABASE):
    prompt = "%s%s " % (database, "=#" if user == "postgres" else "=>")
    say()
    for i, line in enumerate(textwrap.dedent(sql).strip().split("\n")):
        say("  " + paint(prompt if i == 0 else " " * len(prompt), "2")
            + paint(line, "1"))


def indented(text, mark="  "):
    for line in text.rstrip("\n").split("\n"):
        pieces = textwrap.wrap(line, WIDTH - 4, subsequent_indent="    ",
                               break_long_words=False,
                               break_on_hyphens=False) or [""]
        for piece in pieces:
            colour = None
            if piece.startswith("ERROR"):
                colour = "31"
            elif piece.startswith(("HINT", "WARNING")):
                colour = "33"
            say(mark + (paint(piece, colour) if colour else piece))


def as_text(value):
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def cut(text, limit):
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit - 4] + " ..."


def record(pairs):
    """name: value, wrapped."""
    wide = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        lines = textwrap.wrap(as_text(value),
                              WIDTH - wide - 6, break_on_hyphens=False) or [""]
        for i, line in enumerate(lines):
            say("    " + paint((name if i == 0 else "").rjust(wide), "2")
                + "  " + line)


def table(rows):
    """Rows as columns; the last one is wrapped."""
    if not rows:
        return
    names = list(rows[0])
    cells = [["" if r[n] is None else str(r[n]) for n in names] for r in rows]
    wide = [max(len(line[i]) for line in [names] + cells)
            for i in range(len(names))]
    last = max(16, WIDTH - 4 - sum(w + 2 for w in wide[:-1]))
    say("    " + paint("  ".join(n.ljust(w) for n, w in zip(names, wide)).rstrip(), "2"))
    for line in cells:
        pieces = textwrap.wrap(line[-1], last, break_on_hyphens=False) or [""]
        for i, piece in enumerate(pieces):
            front = [c if i == 0 else "" for c in line[:-1]]
            say("    " + "  ".join([c.ljust(w) for c, w in zip(front, wide)]
                                   + [piece]).rstrip())


def bubble(number, text):
    """A message as the citizen reads it."""
    inside = 66
    lines = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, inside, break_long_words=True,
                               break_on_hyphens=False) or [""]
    title = " WhatsApp, +%s " % number
    say()
    say("    " + paint("╭─" + title + "─" * (inside + 1 - len(title)) + "╮", "32"))
    for line in lines:
        say("    " + paint("│ ", "32") + line.ljust(inside) + paint(" │", "32"))
    say("    " + paint("╰" + "─" * (inside + 2) + "╯", "32"))


class Failed(Exception):
    """Something expected did not happen."""


def check(truth, what):
    global checks
    if not truth:
        raise Failed(what)
    checks += 1
    say("  " + paint("✓ ", "32") + what)


# What it acts on

def psql(sql, user="odoo", database=DATABASE, options=()):
    """Runs statements; returns (exit status, everything psql printed)."""
    done = subprocess.run(
        [os.path.join(BIN, "psql"), "-X", "-v", "ON_ERROR_STOP=1",
         "-P", "pager=off", *options,
         "-d", "host=%s user=%s dbname=%s" % (WORK, user, database)],
        input=sql, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", timeout=120, check=False)
    return done.returncode, done.stdout


def run(sql, user="odoo", database=DATABASE):
    """Statements that must succeed; returns what psql printed."""
    status, output = psql(sql, user, database)
    if status != 0:
        raise Failed("%s\n%s" % (sql, output))
    return output


def rows(sql, user="odoo", database=DATABASE):
    """The rows of a query, as a list of dictionaries."""
    status, output = psql(
        "SET client_min_messages = error;"
        "SELECT coalesce(json_agg(q), '[]') FROM (%s) AS q"
        % sql.strip().rstrip(";"), user, database, ("-q", "-A", "-t"))
    if status != 0:
        raise Failed("%s\n%s" % (sql, output))
    return json.loads(output)


def one(sql, user="odoo", database=DATABASE):
    found = rows(sql, user, database)
    return found[0] if found else None


def shown(sql, user="odoo", database=DATABASE):
    """Show a statement and what psql answers; it must succeed."""
    statement(sql, user, database)
    output = run(sql, user, database)
    if output.strip():
        indented(output.rstrip(), "    ")
    return output


def wait_for(sql, what):
    """Wait until a query answers true."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if one("SELECT (%s) AS yes" % sql)["yes"]:
            return
        time.sleep(0.02)
    raise Failed("waited %d s in vain: %s" % (LIMIT_S, what))


def simulator(name, value=None):
    """One call of the simulator's control endpoint."""
    request = urllib.request.Request(
        "http://127.0.0.1:%d/_control/%s" % (PORT, name),
        data=None if value is None else json.dumps(value).encode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=LIMIT_S) as answer:
        return json.loads(answer.read())


def sends(**wanted):
    """Requests to send, of the simulator's journal."""
    return [e for e in simulator("journal?endpoint=send")
            if all(e[k] == v for k, v in wanted.items())]


def last_message(condition="true"):
    return one("SELECT * FROM wa.message WHERE %s ORDER BY id DESC LIMIT 1"
               % condition)


def settled(condition, state):
    """Wait until the newest such message has this state; returns it."""
    wait_for("SELECT state = '%s' FROM wa.message WHERE %s ORDER BY id DESC"
             " LIMIT 1" % (state, condition),
             "a message with %s becomes %s; it is %s"
             % (condition, state, last_message(condition)))
    return last_message(condition)


def ledger(message):
    """The story of one message as the ledger tells it."""
    record([("message", message["id"]), ("scenario", message["scenario"] or "by hand"),
            ("to", "%s (%s)" % (message["number"], message["number_source"])),
            ("state", message["state"]), ("reason", message["reason"]),
            ("detail", message["detail"]), ("route", message["route"]),
            ("provider's id", message["provider_message_id"])])
    attempts = rows("SELECT attempt, provider, http_status AS http, outcome,"
                    " response FROM wa.attempt WHERE message_id = %d"
                    " ORDER BY attempt" % message["id"])
    if attempts:
        say("    " + paint("wa.attempt", "2"))
        table(attempts)
    return attempts


def on_the_wire(entry):
    """A request as the provider got it, and its answer."""
    say()
    say("    " + paint("%s  %s" % (entry["method"], entry["path"]), "1"))
    if entry["provider"] == "fonnte":
        fields = urllib.parse.parse_qsl(entry["body"], keep_blank_values=True)
    else:
        body = json.loads(entry["body"])
        fields = [(k, v if isinstance(v, str) else json.dumps(v))
                  for k, v in body.items() if k != "template"]
        template = body.get("template")
        if template:
            fields.append(("template", "%s (%s)" % (template["name"],
                                                    template["language"]["code"])))
            for part in template.get("components", []):
                for i, p in enumerate(part["parameters"], 1):
                    fields.append(("{{%s}}" % p.get("parameter_name", i), p["text"]))
    record([(name, cut(value, 62)) for name, value in fields])
    say("    " + paint("its answer: HTTP %s" % entry["answer_status"], "1")
        + "  " + cut(entry["answer_body"], WIDTH - 28))


# The machinery

def progress(text):
    print("  %-58s" % text, end="", flush=True)
    return time.monotonic()


def done(since):
    say(paint("ok", "32") + "  %.1f s" % (time.monotonic() - since))


def start_simulator():
    global PORT, SIMULATOR
    folder = os.path.join(WORK, "simulator")
    os.mkdir(folder)
    SIMULATOR = subprocess.Popen(
        [sys.executable, "-u", os.path.join(DEMO, "simulator", "simulator.py"),
         "--port", "0", "--state-dir", folder] + (["--stay"] if KEEP else []),
        stdout=subprocess.PIPE, encoding="ascii", start_new_session=True)
    with open(os.path.join(WORK, "simulator.pid"), "w", encoding="ascii") as file:
        file.write("%d\n" % SIMULATOR.pid)
    line = SIMULATOR.stdout.readline()
    if not line.startswith("ready "):
        raise Failed("the simulator did not start")
    PORT = int(line.split("http=")[1].split()[0])


def start_server():
    data = os.path.join(WORK, "data")
    secrets = os.path.join(WORK, "secrets", DATABASE)
    subprocess.run([os.path.join(BIN, "initdb"), "-D", data, "-U", "postgres",
                    "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
                    "--no-instructions"],
                   stdout=subprocess.DEVNULL, check=True)
    hosts = ", ".join("%s=127.0.0.1:%d" % (kind, PORT)
                      for kind in ("meta", "fonnte", "watzap"))
    with open(os.path.join(data, "postgresql.conf"), "a", encoding="utf-8") as conf:
        conf.write("\n".join([
            "shared_preload_libraries = 'sicantik_wa'",
            "sicantik_wa.allowed_hosts = '%s'" % hosts,
            "sicantik_wa.secrets_directory = '%s/secrets'" % WORK,
            "listen_addresses = ''", "unix_socket_directories = '%s'" % WORK,
            "unix_socket_permissions = 0700", "fsync = off",
            "log_statement = 'all'", "timezone = 'Asia/Jakarta'"]) + "\n")
    os.makedirs(secrets, mode=0o700)
    for name, value in TOKENS.items():
        path = os.path.join(secrets, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w",
                  encoding="ascii") as file:
            file.write(value + "\n")
    subprocess.run([os.path.join(BIN, "pg_ctl"), "-D", data, "-w", "-t", "60",
                    "-l", os.path.join(WORK, "log"), "start"],
                   stdout=subprocess.DEVNULL, check=True)


def stop_server():
    data = os.path.join(WORK, "data")
    if os.path.exists(os.path.join(data, "postmaster.pid")):
        subprocess.run([os.path.join(BIN, "pg_ctl"), "-D", data, "-m", "immediate",
                        "-w", "stop"], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)


def load_odoo():
    run("CREATE ROLE odoo LOGIN; CREATE DATABASE %s OWNER odoo TEMPLATE template0;"
        % DATABASE, "postgres", "postgres")
    with open(os.path.join(DEMO, "fixture.sql"), encoding="utf-8") as file:
        run(file.read())
    # four more applications, as SICANTIK's synchronisation inserts them
    run("""
    INSERT INTO sicantik_permit (id, permit_type_id, partner_id, registration_id,
        applicant_name, permit_type_name, status, issue_date, expiry_date, received_date)
    SELECT p.id, p.type, p.partner, 'REG-2026-' || p.id, n.name, t.name, 'draft',
        current_date, current_date + 730, current_date - 9
      FROM (VALUES (101, 1, 18), (102, 2, 11), (103, 3, 12), (104, 2, 16), (105, 1, 13))
        AS p (id, type, partner)
      JOIN res_partner AS n ON n.id = p.partner
      JOIN sicantik_permit_type AS t ON t.id = p.type;
    """)


def prepare():
    say(paint("  sicantik_wa", "1") + ": a permit changes in Odoo, the citizen's WhatsApp rings.")
    say("  All of this happens in a temporary folder; no message leaves this machine.")
    say()
    since = progress("three providers, simulated: Meta, Fonnte, Watzap")
    start_simulator()
    done(since)
    since = progress("a new PostgreSQL server, %s" % subprocess.run(
        [os.path.join(BIN, "postgres"), "-V"], stdout=subprocess.PIPE,
        encoding="utf-8", check=True).stdout.split()[2])
    start_server()
    done(since)
    since = progress("a database as Odoo makes it, with SICANTIK's permits")
    load_odoo()
    done(since)


# The story

def set_up():
    chapter("The DBA sets it up")
    tell("""No superuser is needed: the extension is trusted, and odoo, an ordinary
         role, owns the database.""")
    output = shown("CREATE EXTENSION sicantik_wa;")
    check("wa_setup()" in output, "the extension is there and names the next step")

    statement("SELECT * FROM wa_setup();")
    found = rows("SELECT * FROM wa_setup()")
    short = [r for r in found if r["item"].startswith(("mode", "scenario", "provider", "table", "library"))]
    table(short)
    say("    " + paint("... and %d more rows: templates, links" % (len(found) - len(short)), "2"))
    check(sum(r["action"] == "attached" for r in found) == 3, "triggers are on Odoo's three tables")
    again = rows("SELECT * FROM wa_setup()")
    check(not any(r["action"] in ("attached", "added", "changed") for r in again),
          "called again, it finds everything in place")


def providers():
    chapter("Three providers, credentials in files")
    tell("""A token in a statement would end up in a log. The files lie in a folder that
         only the server can read; each statement names a file. (The pause of 8 s between
         messages, which protects an office's number from being banned by WhatsApp, is
         switched off here to save time.)""")
    url = "http://127.0.0.1:%d" % PORT
    hurry = '"min_gap": 0, "gap_jitter": 0'
    for name, settings, path in (
            ("fonnte", '"token_file": "fonnte_token", %s' % hurry, ""),
            ("watzap", '"token_file": "watzap_key", "number_key_file": "watzap_number",\n'
                       '    %s' % hurry, "/v1"),
            ("meta", '"token_file": "meta_token", "phone_number_id": "106540352242922",\n'
                     '    "waba_id": "102290129340398", "recipient_gap": 0', "")):
        sql = ("SELECT wa_configure('%s', '{\"base_url\": \"%s%s\",\n    %s}');"
               % (name, url, path, settings))
        statement(sql)
        run(sql)
        statement("SELECT * FROM wa_test_connection('%s');" % name)
        found = one("SELECT ok, state, detail FROM wa_test_connection('%s')" % name)
        detail = found["detail"]
        record([("ok", found["ok"]), ("state", found["state"]),
                ("detail", ", ".join("%s %s" % (k, detail[k]) for k in list(detail)[:5]))])
        check(found["ok"] and found["state"] == "configured", "%s can be used" % name)

    tell("""Scenarios send between 07:00 and 20:00 in the office's time zone, and hold what
         is too much at once or too much for one number. A demonstration runs at any
         hour, so both are switched off here.""")
    sql = ("UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL,\n"
           "    max_per_transaction = NULL, max_per_hour = NULL, max_per_day_and_number = NULL;")
    statement(sql)
    run(sql)

    tell("""Meta delivers approved templates only, by their name at Meta. Gateways get the
         text itself.""")
    for key in ("permit_ready", "status_update"):
        sql = "SELECT wa_map_template('%s', 'meta', '{\"name\": \"%s\"}');" % (key, key)
        statement(sql)
        run(sql)
    check(one("SELECT count(*) AS n FROM wa.template_mapping WHERE status = 'configured'")["n"] == 2,
          "two templates are mapped")
    run("SELECT wa_set('office_name', 'DPMPTSP Kabupaten Contoh');"
        "SELECT * FROM wa_setup();")


def observe():
    chapter("Observe: what would be sent")
    tell("""After wa_setup() nothing goes out by itself. Odoo finishes a permit, and the
         ledger shows what the citizen would have got.""")
    shown("UPDATE sicantik_permit SET status = 'active', permit_number = '503/0101/IMB/2026'\n"
          " WHERE id = 101;")
    message = settled("res_id = 101", "skipped")
    ledger(message)
    bubble(message["number"], message["body"])
    check(message["reason"] == "observe", "composed, routed, shown")
    check(not sends(), "no provider has heard of it")


def arm():
    chapter("Arm it")
    tell("One has to name the database, so that nobody arms a copy by mistake.")
    statement("SELECT wa_arm('odoo_test');")
    status, output = psql("SELECT wa_arm('odoo_test');")
    indented(output, "    ")
    check(status != 0 and "HINT" in output, "the wrong name is refused")
    shown("SELECT wa_arm('%s');" % DATABASE)
    check(one("SELECT value FROM wa_status() WHERE item = 'mode'")["value"] == "live", "mode live")


def ready():
    chapter("A permit is ready: through the gateway")
    tell("Siti has not opted in to WhatsApp messages through Meta. Where would hers go?")
    sql = "SELECT * FROM wa_determine_provider(11, 'permit_ready');"
    statement(sql)
    route = one(sql)
    record(list(route.items()))
    check(route["provider"] == "fonnte", "the first usable gateway, with the reason")

    tell("Odoo writes as before. This is all that it notices:")
    sql = ("UPDATE sicantik_permit SET status = 'active', permit_number = '503/0102/SIUP/2026'\n"
           " WHERE id = 102;")
    statement(sql)
    indented(run("\\timing on\n" + sql), "    ")
    message = settled("res_id = 102", "sent")
    bubble(message["number"], message["body"])
    entry = sends(to=message["number"], provider="fonnte", accepted=True)
    check(len(entry) == 1, "Fonnte got it, once:")
    on_the_wire(entry[0])
    tell("And the ledger:")
    attempts = ledger(message)
    check(len(attempts) == 1 and attempts[0]["outcome"] == "accepted"
          and message["provider_message_id"], "sent, with the provider's own id")
    times = one("SELECT round(extract(epoch FROM a.started_at - e.at) * 1000)::int AS ms"
                " FROM wa.attempt AS a JOIN wa.message AS m ON m.id = a.message_id"
                " JOIN wa.event AS e ON e.id = m.event_id WHERE m.id = %d" % message["id"])
    say("    " + paint("from the UPDATE to the wire: %s ms" % times["ms"], "2"))


def official():
    chapter("An opted-in citizen: through Meta, as a template")
    run("UPDATE sicantik_permit SET issue_date = current_date WHERE id = 1")
    shown("UPDATE sicantik_permit SET permit_number = '503/0001/IMB/2026', status = 'active'\n"
          " WHERE id = 1;")
    message = settled("res_id = 1 AND partner_id = 10", "sent")
    entry = sends(to=message["number"], provider="meta", accepted=True)
    check(message["provider"] == "meta" and len(entry) == 1, "Meta got the template with its parameters in order:")
    on_the_wire(entry[0])
    check(message["scenario"] == "permit_ready"
          and one("SELECT count(*) AS n FROM wa.message WHERE res_id = 1 AND partner_id = 10")["n"] == 1,
          "one message about one click: \"ready\" says more than \"status changed\"")
    skipped = one("SELECT scenario, outcome, detail FROM wa.event_outcome WHERE record_id = 1")
    record(list(skipped.items()))


def status_update():
    chapter("A status changes: applicant and staff")
    tell("Budi's other permit expires. The clerk who follows it in Odoo hears of it too.")
    shown("UPDATE sicantik_permit SET status = 'expired' WHERE id = 2;")
    wait_for("SELECT count(*) = 2 AND bool_and(state = 'sent') FROM wa.message WHERE res_id = 2",
             "two status updates are sent")
    found = rows("SELECT m.id, m.number, p.name, m.provider, m.state,"
                 " m.params ->> 'status_lama' || ' -> ' || (m.params ->> 'status_baru') AS change"
                 " FROM wa.message AS m JOIN res_partner AS p ON p.id = m.partner_id"
                 " WHERE m.res_id = 2 ORDER BY m.id")
    table(found)
    message = last_message("res_id = 2 AND partner_id = 10")
    bubble(message["number"], message["body"])
    check({r["name"] for r in found} == {"Budi Santoso", "Petugas Contoh"}
          and "Aktif menjadi Kedaluwarsa" in message["body"],
          "both got it, in the office's words and the office's time")


def opted_out():
    chapter("Who wants nothing gets nothing")
    tell("Joko has opted out in Odoo.")
    before = len(sends())
    shown("UPDATE sicantik_permit SET status = 'active', permit_number = '503/0103/IPP/2026'\n"
          " WHERE id = 103;")
    message = settled("res_id = 103", "skipped")
    ledger(message)
    check(message["reason"] == "opted_out" and len(sends()) == before,
          "skipped, with the reason; no provider was asked")
    output = shown("SELECT wa_send_text(12, 'Halo');")
    check("WARNING" in output and last_message()["state"] == "skipped",
          "a message by hand is skipped too, and the sender hears of it")


def by_hand():
    chapter("By hand")
    tell("Anyone with the right can send. What is not given comes from the permit.")
    sql = "SELECT wa_send('permit_ready', 18, permit_id => 5);"
    output = shown(sql)
    number = int([w for w in output.split() if w.isdigit()][0])
    settled("id = %d" % number, "sent")
    sql = "SELECT wa_result(%d);" % number
    statement(sql)
    result = one(sql)["wa_result"]
    record(list(result.items()))
    check(result["success"], "sent by hand")

    tell("A test message tells its own story:")
    sql = "CALL wa_try('0812-3456-7890', 'watzap');"
    output = shown(sql)
    check("result: sent" in output, "the test message has arrived at Watzap")


def refused():
    chapter("What is refused, and what to do instead")
    before = one("SELECT count(*) AS n FROM wa.message")["n"]
    for sql in ("SELECT wa_send('permit_redy', 11);",
                "SELECT wa_send('permit_ready', 81234567890);",
                "SELECT wa_send('permit_ready', '11');",
                "SELECT wa_send('permit_ready', '0628-20123', '{}');",
                "SELECT wa_send('permit_ready', 11, '{\"permit_number\": \"503/9\"}');",
                "SELECT wa_send('permit_ready', 11, '{\"permitnumber\": \"503/9\"}');",
                "SELECT wa_send('permit_ready', 11, '[1, 2]');",
                "SELECT wa_send_text(11, 'Halo', provider => 'twilio');",
                "SELECT wa_send_text(11, repeat('x', 5000));",
                "SELECT wa_configure('fonnte', '{\"tokn\": \"x\"}');",
                "SELECT wa_set('time_zone', 'Asia/Medan');"):
        statement(sql)
        status, output = psql(sql)
        indented(output, "    ")
        if status == 0:
            raise Failed("this was not refused: %s" % sql)
    check(one("SELECT count(*) AS n FROM wa.message")["n"] == before, "nothing half-done remains")


def rolled_back():
    chapter("What is rolled back is not sent")
    before = len(sends())
    shown("BEGIN;\n"
          "UPDATE sicantik_permit SET status = 'active', permit_number = '503/0105/IMB/2026'\n"
          " WHERE id = 105;\n"
          "SELECT wa_send_text('0812-7777-7777', 'Izin Anda sudah selesai.');\n"
          "ROLLBACK;")
    tell("A message that is committed afterwards goes out; nothing went before it.")
    output = shown("SELECT wa_send_text('0812-8888-8888', 'Pesan sesudahnya.');")
    settled("id = %d" % int([w for w in output.split() if w.isdigit()][0]), "sent")
    fresh = sends()[before:]
    check([e["to"] for e in fresh] == ["6281288888888"]
          and one("SELECT count(*) AS n FROM wa.message WHERE res_id = 105")["n"] == 0,
          "the transaction that was rolled back has left no trace")


def provider_down():
    chapter("A provider fails: the next one takes over")
    tell("A person wants to know when a provider is in trouble:")
    shown("SELECT wa_set('alert_number', '0812-9000-0001');")
    tell("The phone that Fonnte uses goes offline. A permit for Siti changes:")
    simulator("config", {"fonnte": {"connected": False}})
    shown("UPDATE sicantik_permit SET status = 'cancelled' WHERE id = 102;")
    message = settled("res_id = 102 AND scenario = 'status_update'", "sent")
    attempts = ledger(message)
    check([(a["provider"], a["outcome"]) for a in attempts]
          == [("fonnte", "provider"), ("watzap", "accepted")],
          "refused by Fonnte, delivered by Watzap, both on record")
    alert = settled("number = '6281290000001'", "sent")
    bubble(alert["number"], alert["body"])
    check(alert["provider"] == "watzap", "the person was told, through Watzap")
    simulator("config", {"fonnte": {"connected": True}})
    tell("""The phone is back. The worker tests the connection by itself, first after half a
         minute, then less often; here somebody does not want to wait:""")
    statement("SELECT ok, state FROM wa_test_connection('fonnte');")
    found = one("SELECT ok, state FROM wa_test_connection('fonnte')")
    record(list(found.items()))
    check(found["ok"], "Fonnte can be used again")
    output = shown("SELECT wa_send_text('0812-5555-0101', 'Layanan sudah pulih.');")
    message = settled("id = %d" % int([w for w in output.split() if w.isdigit()][0]), "sent")
    check(message["provider"] == "fonnte", "and the next message goes by it")


def no_answer():
    chapter("No answer comes: repeated once, and on record")
    tell("""The line breaks while Fonnte has the message. It may have taken it, so nobody
         else gets it now; for ten minutes (here one second) Fonnte may still tell.
         Then the scenario's policy is carried out: a permit notice goes out once more.""")
    shown("SELECT wa_set('unknown_wait', '1 s');")
    simulator("fault", {"provider": "fonnte", "kind": "cut_after_read", "accepted": False})
    shown("UPDATE sicantik_permit SET status = 'renewed' WHERE id = 102;")
    message = settled("res_id = 102 AND scenario = 'status_update'", "sent")
    attempts = ledger(message)
    check([(a["provider"], a["outcome"]) for a in attempts]
          == [("fonnte", "unknown"), ("fonnte", "accepted")] and message["repeats"] == 1,
          "in doubt, repeated once by the same provider, both on record")
    sql = "SELECT what FROM wa_why(%d)" % message["id"]
    statement(sql + ";")
    for row in rows(sql):
        indented(row["what"], "    ")


def copied():
    chapter("A copy stays silent")
    tell("""Somebody duplicates the database to try something out, with everything in it.
         (The worker of the original steps aside for ten seconds: the server could not
         copy a database with a session in it.)""")
    copy = DATABASE + "_copy"
    before = len(sends())
    shown("CREATE DATABASE %s TEMPLATE %s OWNER odoo;" % (copy, DATABASE), "postgres")
    shown("UPDATE sicantik_permit SET status = 'expired' WHERE id = 3;", database=copy)
    end = time.monotonic() + LIMIT_S
    found = None
    while not found and time.monotonic() < end:
        found = rows("SELECT id, scenario, state, reason, detail FROM wa.message"
                     " WHERE res_id = 3", database=copy)
        time.sleep(0.02)
    table(found)
    sql = "SELECT * FROM wa_status() WHERE item IN ('mode', 'next')"
    statement(sql + ";", database=copy)
    record([(r["item"], r["value"] + (": " + r["detail"] if r["detail"] else ""))
            for r in rows(sql, database=copy)])
    check(found and found[0]["state"] == "held" and len(sends()) == before,
          "composed, held, not sent")


def start_endpoint():
    """The endpoint of docs/webhook/, as a role that may do nothing else."""
    global ENDPOINT
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(os.path.join(WORK, "endpoint.log"), "w", encoding="utf-8") as log:
        ENDPOINT = subprocess.Popen(
            [sys.executable, "-B", os.path.join(DEMO, "webhook.py")], stdout=log, stderr=log,
            start_new_session=True,
            env=dict(os.environ, PGHOST=WORK, PGDATABASE=DATABASE, PGUSER="endpoint", WEBHOOK_PORT=str(port)))
    with open(os.path.join(WORK, "endpoint.pid"), "w", encoding="ascii") as file:
        file.write("%d\n" % ENDPOINT.pid)
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        with socket.socket() as there:
            if there.connect_ex(("127.0.0.1", port)) == 0:
                return port
        time.sleep(0.02)
    raise Failed("the endpoint did not start")


def ticks():
    chapter("The ticks turn: delivered, read, a reply, STOP")
    tell("""What becomes of a message the providers tell by webhooks. The endpoint is a small
         program (docs/webhook/); its role may hand over what they tell, and nothing else.""")
    run("CREATE ROLE endpoint LOGIN", "postgres")
    sql = "SELECT wa_grant('endpoint', 'webhook');"
    shown(sql)
    run("SELECT wa_configure('meta', '{\"app_secret\": \"%s\"}')" % simulator("config")["meta"]["webhook_secret"])
    simulator("config", {"meta": {"webhook_url": "http://127.0.0.1:%d/meta" % start_endpoint(),
                                  "webhook_statuses": ["sent", "delivered", "read"],
                                  "open_windows": "any"}})
    shown("UPDATE sicantik_permit SET status = 'expired' WHERE id = 1;")
    message = settled("res_id = 1 AND scenario = 'status_update' AND partner_id = 10", "read")
    record([(name, message[name]) for name in ("state", "sent_at", "delivered_at", "read_at")]
           + [("pricing", json.dumps(message["pricing"]))])
    check(message["delivered_at"] and message["read_at"], "delivered and read, as Meta says")

    tell("He answers. It is kept, with the message that he answers:")
    simulator("webhook", {"provider": "meta", "from": message["number"], "name": "Budi", "text": "Terima kasih",
                          "context": message["provider_message_id"]})
    wait_for("SELECT EXISTS (SELECT FROM wa.inbound)", "an inbound message")
    sql = "SELECT number, kind, text, message_id FROM wa.inbound"
    statement(sql + ";")
    table(rows(sql))
    check(one(sql)["message_id"] == message["id"], "a reply to message %d" % message["id"])

    tell("Now he has had enough, and just then something waits for him:")
    shown("SELECT wa_pause();")
    run("UPDATE sicantik_permit SET status = 'renewed' WHERE id = 1")
    settled("res_id = 1 AND partner_id = 10", "queued")
    simulator("webhook", {"provider": "meta", "from": message["number"], "name": "Budi", "text": "Stop!"})
    wait_for("SELECT opted_out_at IS NOT NULL FROM wa.contact WHERE number = '%s'" % message["number"], "the opt-out")
    shown("SELECT wa_resume(NULL);")
    waited = settled("res_id = 1 AND partner_id = 10", "skipped")
    ledger(waited)
    check(waited["reason"] == "opted_out", "what waited does not go")
    answer = settled("number = '%s' AND res_id IS NULL" % message["number"], "read")
    bubble(answer["number"], answer["body"])
    check(answer["provider"] == "meta", "he is told that he was heard, by the way that he wrote")


def at_a_glance():
    chapter("The state at a glance")
    statement("SELECT * FROM wa_status();")
    table(rows("SELECT * FROM wa_status()"))

    tell("And, counted at the other end:")
    sent = rows("SELECT provider, count(*) AS n FROM wa.message"
                " WHERE state IN ('sent', 'delivered', 'read')"
                " GROUP BY provider ORDER BY provider")
    taken = {p: len(sends(provider=p, accepted=True)) for p in ("fonnte", "meta", "watzap")}
    table([{"provider": r["provider"], "sent, says the ledger": r["n"],
            "accepted, says the provider": taken[r["provider"]]} for r in sent])
    check({r["provider"]: r["n"] for r in sent} == taken, "nothing lost, nothing twice")
    with open(os.path.join(WORK, "log"), encoding="utf-8", errors="replace") as file:
        log = file.read()
    check("wa_configure" in log and not any(t in log for t in TOKENS.values()),
          "no credential in the server's log, although it logs every statement")


def tell_all():
    for part in (set_up, providers, observe, arm, ready, official, status_update,
                 opted_out, by_hand, refused, rolled_back, provider_down,
                 no_answer, copied, ticks, at_a_glance):
        part()
    say()
    say(paint("  %d checks passed in %.0f s." % (checks, time.monotonic() - BEGAN), "1;32")
        + "  docs/operating.md tells how to do this on a real server.")


def leave_running():
    """Say how to go on with what is there, and how to end it."""
    end = os.path.join(os.path.dirname(WORK), "stop")
    psql_line = "%s -h %s -U odoo %s" % (os.path.join(BIN, "psql"), WORK, DATABASE)
    say()
    say("  The server and the simulated providers go on. To play with them:")
    say("    " + paint(psql_line, "1"))
    say("  What the providers got:  %s" % os.path.join(WORK, "simulator", "journal.jsonl"))
    say("  To end them and remove everything:")
    say("    " + paint("sh %s" % end, "1"))


def stop(number, frame):
    raise SystemExit(128 + number)


def main():
    kept = False
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        prepare()
        tell_all()
        kept = KEEP
        if kept:
            leave_running()
        return 0
    except BrokenPipeError:
        # nobody looks any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Failed, subprocess.SubprocessError, OSError) as error:
        say()
        say(paint("  ✗ this did not happen: %s" % error, "1;31"))
        log = os.path.join(WORK, "log")
        if os.path.exists(log):
            say("  The end of the server's log:")
            with open(log, encoding="utf-8", errors="replace") as file:
                lines = [n for n in file if "LOG:  statement: " not in n]
            for line in lines[-25:]:
                say("    " + line.rstrip())
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if not kept:
            stop_server()
            for process in (ENDPOINT, SIMULATOR):
                if process:
                    process.terminate()
                    process.wait()


if __name__ == "__main__":
    sys.exit(main())

"""What the checks with the real Odoo share: what is seen on the screen, what is
acted on, and the machinery.  checks.py and its modules import this.

From the arguments of checks.py: the series of Odoo, the major version of
PostgreSQL, and where Odoo has a folder of its own, that folder; it has the
same /test.
"""

import contextlib
import datetime
import json
import os
import re
import subprocess
import sys
import time
import urllib.request

SOURCE = "/test/src"
SERIES = int(sys.argv[1])
PG_BIN = "/usr/lib/postgresql/%s/bin" % sys.argv[2]
ODOO_FOLDER = sys.argv[3] if len(sys.argv) > 3 else None
PG_DATA = "/test/postgres/data"
SOCKETS = "/test/postgres"
LOG = "/test/postgres/log"
ODOO_HOME = "/test/odoo"
ADDONS = "/test/addons"             # what tests make
ODOO = ["/usr/bin/python3", "-B", SOURCE + "/test/odoo/odoo_command.py"]
ODOO_CONF = ODOO_HOME + "/odoo.conf"
PRODUCTION = "odoo_prod"
TOKEN = "FONNTEDEMOTOKEN"           # what the simulator knows by default
LIMIT_S = 60                        # the longest wait for one condition
ODOO_LIMIT_S = 600                  # the longest run of one Odoo command

passed = failed = 0
port = 0
simulator_process = None


# What is seen on the screen

class NoGood(Exception):
    """Something that later checks need did not happen."""


def check(truth, what, seen=None):
    global passed, failed
    if truth:
        passed += 1
        print("ok      " + what, flush=True)
    else:
        failed += 1
        print("NOT OK  " + what, flush=True)
        if seen is not None:
            print("        seen: %s" % (seen,), flush=True)
    return bool(truth)


def equal(seen, expected, what):
    return check(seen == expected, what,
                 "%r\n        expected: %r" % (seen, expected))


def part(title):
    print("\n%s" % title, flush=True)


# What it acts on

def as_user(command, user, more=None):
    """The command, and the options with which a process of that user runs it."""
    environment = {"PATH": "/test/bin:/usr/sbin:/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
                   "HOME": "/test/" + user, "PGHOST": SOCKETS, "ODOO_RC": ODOO_CONF}
    environment.update(more or {})
    if ODOO_FOLDER and user == "odoo":      # a user of that folder
        identity = {}
        command = ["chroot", "--userspec=odoo:odoo", ODOO_FOLDER, *command]
    else:
        identity = {"user": user, "group": user, "extra_groups": []}
    return command, dict(identity, cwd="/", env=environment)


def run(command, user, stdin="", limit=ODOO_LIMIT_S, more=None):
    """Run a command as a user; returns (exit status, all its output)."""
    command, options = as_user(command, user, more)
    done = subprocess.run(
        command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", timeout=limit, check=False, **options)
    return done.returncode, done.stdout


def must(command, user, **options):
    status, output = run(command, user, **options)
    if status != 0:
        raise NoGood("%s\n%s" % (" ".join(command), output[-4000:]))
    return output


def sql(text, database=PRODUCTION, user="odoo"):
    """Run statements as a role; what psql prints, unaligned."""
    role = ["-U", user]
    return must([PG_BIN + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                 "-d", database, *role], "postgres", stdin=text,
                more={"PGOPTIONS": "-c client_min_messages=warning"}).strip()


@contextlib.contextmanager
def session(text, database=PRODUCTION):
    """A session that has run statements, and goes on while the block runs."""
    command, options = as_user([PG_BIN + "/psql", "-X", "-q", "-A", "-t", "-d", database, "-U", "odoo"], "postgres")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", **options) as psql:
        psql.stdin.write(text + "\n\\echo done\n")
        psql.stdin.flush()
        if psql.stdout.readline() != "done\n":
            raise NoGood("a session could not: " + text)
        yield
        psql.stdin.close()


def rows(query, database=PRODUCTION):
    return json.loads(sql("SELECT coalesce(json_agg(q), '[]') FROM (%s) AS q" % query,
                          database))


def wait_for(query, what, database=PRODUCTION):
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        if sql("SELECT (%s)" % query, database) == "t":
            return True
        time.sleep(0.05)            # between two looks at the condition
    ledger = rows("SELECT id, scenario, number, state, reason, detail, route FROM wa.message"
                  " ORDER BY id DESC LIMIT 5", database)
    print("        in vain: %s\n        newest messages: %s\n        dead letters: %s"
          % (what, json.dumps(ledger, indent=1),
             sql("SELECT error FROM wa.dead_letter", database)))
    return False


def must_become(condition, what):
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise NoGood("in vain: " + what)
        time.sleep(0.05)            # between two looks at the condition


def orm(code, database=PRODUCTION, **options):
    """Run code in `odoo shell` and commit."""
    output = must(ODOO + ["shell", "-d", database, "--no-http", "--log-level=warn"], "odoo",
                  stdin=PRELUDE + code + "\nenv.cr.commit()\nprint('com' + 'mitted')\n",
                  **options)
    if not re.search(r"^committed$", output, re.M):
        raise NoGood("odoo shell did not finish:\n" + output[-4000:])


# Names in the code that the shell runs.
PRELUDE = """
Permit = env['sicantik.permit']
Partner = env['res.partner']
flush = getattr(env, 'flush_all', None) or Permit.flush         # Odoo 16 and later; before
groups = 'group_ids' if 'group_ids' in env['res.users']._fields else 'groups_id'
def permit(number):
    return Permit.search([('registration_id', '=', number)]).ensure_one()
"""


def manager(*arguments, **options):
    """A function of Odoo's database manager."""
    return must(ODOO + ["manager", *arguments], "odoo", **options)


def simulator(name, wish=None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open("http://127.0.0.1:%d/_control/%s" % (port, name),
                     json.dumps(wish).encode() if wish else None, timeout=LIMIT_S + 30) as answer:
        return json.loads(answer.read())


def sends():
    return simulator("journal?endpoint=send")


class Expect:
    """The requests that a block brings about: all of them, and their texts.

    Silence is proved by what comes after it: nothing else may have come
    before the message that was expected, and the database has nothing left.
    """

    def __init__(self, *messages, database=PRODUCTION):
        self.messages = messages
        self.database = database

    def __enter__(self):
        self.before = len(sends())
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            return False
        want = self.before + len(self.messages)
        simulator("wait?count=%d&timeout=%d" % (want, LIMIT_S))
        settled(self.database)
        came = sends()[self.before:]
        for number, pattern, what in self.messages:
            fits = [e for e in came if e["to"] == number and e["accepted"]
                    and re.fullmatch(pattern, e["message"] or "")]
            check(len(fits) == 1, what, json.dumps(
                [[e["to"], e["message"]] for e in came], ensure_ascii=False))
        equal(len(came), len(self.messages), "  and nobody is told anything else")
        if len(came) != len(self.messages):
            print("        " + json.dumps([[e["to"], e["message"]] for e in came],
                                          ensure_ascii=False))
        return False


def settled(database):
    """Wait until every event is read and no message is on its way."""
    return wait_for(
        "NOT EXISTS (SELECT FROM wa.event AS e WHERE NOT EXISTS"
        "  (SELECT FROM wa.read_position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot)))"
        " AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending')"
        "  AND coalesce(due_at, now()) < now() + interval '1 minute')",
        "everything is sent", database)


def text(scenario, **values):
    """A pattern for the message: the template that was installed, filled."""
    body = re.escape(TEXTS[scenario])
    for name, value in values.items():
        body = body.replace(re.escape("{{%s}}" % name),
                            TIME if value is TIME else re.escape(value))
    if "\\{\\{" in body:
        raise NoGood("a value of %s is missing: %s" % (scenario, body))
    return body


TIME = r"\d\d-\d\d-20\d\d \d\d:\d\d"
OFFICE = "DPMPTSP Kabupaten Contoh"
# The office lies where it is noon now: no message waits for the morning.
AHEAD = 12 - datetime.datetime.now(datetime.timezone.utc).hour
TODAY = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=AHEAD)).date()
ISSUED = TODAY - datetime.timedelta(days=1)


def day(date):
    return date.strftime("%d-%m-%Y")


TEXTS = {
    "permit_ready":
        "Yth. {{name}},\n\nPermohonan {{type}} Saudara telah selesai diproses dengan nomor"
        " izin {{number}} dan diterbitkan pada tanggal {{issued}} oleh kantor kami.\n\n"
        "Dokumen izin dapat diunduh melalui tautan https://izin.example.go.id/download/{{reg}}"
        " dan agar disimpan dengan baik.\n\nTerima kasih.\n" + OFFICE,
    "status_update":
        "Yth. Bapak/Ibu,\n\nStatus permohonan izin dengan nomor pendaftaran {{reg}} telah"
        " berubah dari {{old}} menjadi {{new}} pada {{time}} waktu setempat.\n\nRincian"
        " permohonan dapat dilihat melalui tautan https://izin.example.go.id/detail/{{reg}}"
        " setiap saat.\n\nTerima kasih.\n" + OFFICE,
    "permit_renewal_approved":
        "Yth. {{name}},\n\nPerpanjangan {{type}} Saudara telah disetujui dengan nomor izin baru"
        " {{number}} yang berlaku mulai tanggal {{start}} sampai dengan tanggal {{end}} untuk"
        " jangka waktu {{span}} sejak tanggal mulai.\n\nDokumen izin dapat diunduh melalui"
        " tautan https://izin.example.go.id/download/{{reg}} dan agar disimpan dengan baik."
        "\n\nTerima kasih.\n" + OFFICE,
    "document_pending":
        "Yth. Bapak/Ibu petugas,\n\nSaat ini terdapat {{count}} dokumen yang menunggu tanda"
        " tangan. Dokumen terbaru adalah {{type}} atas nama pemohon {{name}} dengan nomor"
        " pendaftaran {{reg}} yang baru diterima.\n\nDokumen dapat dilihat melalui dasbor"
        " https://izin.example.go.id/dashboard untuk ditindaklanjuti.\n\nTerima kasih.\n" + OFFICE,
    "approval_required":
        "Yth. {{official}},\n\nDokumen {{type}} atas nama pemohon {{name}} dengan nomor izin"
        " {{number}} memerlukan persetujuan Bapak/Ibu.\n\nDokumen dapat diperiksa melalui tautan"
        " https://izin.example.go.id/approval/{{document}} sebelum persetujuan diberikan."
        "\n\nTerima kasih.\n" + OFFICE,
    "reminder":
        "Yth. Bapak/Ibu petugas,\n\nMasih terdapat {{count}} dokumen yang menunggu tindak lanjut"
        " Bapak/Ibu. Dokumen terlama adalah {{type}} atas nama pemohon {{name}} yang telah"
        " menunggu selama {{waited}} sejak diajukan.\n\nDokumen dapat dilihat melalui dasbor"
        " https://izin.example.go.id/dashboard untuk ditindaklanjuti.\n\nTerima kasih.\n" + OFFICE,
    "permit_expiry_warning":
        "Yth. {{name}},\n\nMasa berlaku {{type}} Saudara dengan nomor {{number}} berakhir pada"
        " tanggal {{end}} atau {{days}} hari lagi.\n\nPermohonan perpanjangan dapat diajukan"
        " melalui tautan https://izin.example.go.id/renewal/{{reg}} sebelum masa berlaku izin"
        " berakhir. Keterangan lebih lanjut dapat diperoleh di 0263-555001 pada jam pelayanan."
        "\n\nTerima kasih.\n" + OFFICE,
}


# The machinery

def start_simulator():
    global port, simulator_process
    os.mkdir("/test/simulator")
    simulator_process = subprocess.Popen(
        [sys.executable, "-u", SOURCE + "/test/simulator/simulator.py",
         "--port", "0", "--state-dir", "/test/simulator"],
        stdout=subprocess.PIPE, encoding="ascii")
    line = simulator_process.stdout.readline()
    if not line.startswith("ready "):
        raise NoGood("the simulator did not start")
    port = int(line.split("http=")[1].split()[0])


def start_postgres():
    must([PG_BIN + "/initdb", "-D", PG_DATA, "-U", "postgres", "-A", "trust", "-E", "UTF8",
          "--locale=C.UTF-8", "--no-sync", "--no-instructions"], "postgres")
    with open(PG_DATA + "/postgresql.conf", "a", encoding="utf-8") as conf:
        conf.write("\n".join([
            "shared_preload_libraries = 'sicantik_wa'",
            "sicantik_wa.allowed_hosts = 'fonnte=127.0.0.1:%d'" % port,
            "listen_addresses = ''", "unix_socket_directories = '%s'" % SOCKETS,
            "fsync = off", "timezone = 'UTC'"]) + "\n")
    # its children would keep a pipe of ours open
    must(["/bin/sh", "-c", "exec %s/pg_ctl -D %s -w -t 60 -l %s start >/dev/null"
          % (PG_BIN, PG_DATA, LOG)], "postgres")
    sql("CREATE ROLE odoo LOGIN CREATEDB", "postgres", "postgres")


def stop():
    if os.path.exists(PG_DATA + "/postmaster.pid"):
        run([PG_BIN + "/pg_ctl", "-D", PG_DATA, "-m", "immediate", "-w", "stop"], "postgres")
    if simulator_process:
        simulator_process.terminate()
        simulator_process.wait()


def make_odoo():
    with open(ODOO_CONF, "w", encoding="utf-8") as conf:
        conf.write("\n".join([
            "[options]", "db_host = " + SOCKETS, "db_user = odoo", "list_db = True",
            "addons_path = /usr/lib/python3/dist-packages/odoo/addons,%s/odoo,%s/test/odoo/addon,%s"
            % (SOURCE, SOURCE, ADDONS),
            "data_dir = %s/data" % ODOO_HOME, "max_cron_threads = 0"]) + "\n")
    # later ones have no demonstration data unless asked for
    bare = ["--without-demo=all"] if SERIES < 19 else []
    must(ODOO + ["-d", PRODUCTION, "-i", "sicantik_permits", "--stop-after-init", "--no-http",
                 "--log-level=warn", *bare], "odoo")


def configure(database):
    sql("""SELECT wa_configure('fonnte', '{"base_url": "http://127.0.0.1:%d", "token": "%s",
        "is_default": true, "min_gap": 0, "gap_jitter": 0}')""" % (port, TOKEN), database)
    equal(sql("SELECT ok, state FROM wa_test_connection('fonnte')", database),
          "t|configured", "the provider can be used by " + database)


def triggers(database):
    return sql("SELECT count(*) FROM pg_trigger WHERE tgname ~ '^00_sicantik_wa'", database)

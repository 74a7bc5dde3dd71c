"""What the scripts beside this one have in common: providers that are simulated,
servers, and an office's database in them.

Whatever runs ends with the name space that run.sh has made.  Nothing here waits
for time to pass, only for conditions.
"""

import collections
import json
import os
import subprocess
import sys
import time
import urllib.request

import psycopg2

SRC = "/test-src"
BIN = "/usr/lib/postgresql/15/bin/"
FOLDER = os.environ["HOME"]
LIMIT_S = 120
# every event read, every message where it stays
AT_REST = """SELECT NOT EXISTS (SELECT FROM wa.event AS e WHERE NOT EXISTS
        (SELECT FROM wa.read_position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot)))
    AND NOT EXISTS (SELECT FROM wa.message WHERE state IN ('queued', 'sending') AND due_at IS NULL
        OR due_at < now() + interval '1 hour') AND NOT EXISTS (SELECT FROM wa.request)"""


class Failed(Exception):
    """Something that was expected did not happen."""


def check(truth, what):
    if not truth:
        raise Failed(what)
    print("ok", what, flush=True)


def equal(got, wanted, what):
    if got != wanted:
        raise Failed("%s: got %r, wanted %r" % (what, got, wanted))
    print("ok", what, flush=True)


def wait_until(what, truth, seconds=LIMIT_S):
    """truth: a function; an error of the database's counts as not yet."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = truth()
            if last:
                return last
        except psycopg2.Error as error:
            last = error
        time.sleep(0.1)
    raise Failed("waited in vain: %s (%s)" % (what, last))


def run(*command, **options):
    """A command that must succeed; returns what it printed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding="utf-8", check=False, **options)
    if done.returncode != 0:
        raise Failed("%s: %s" % (" ".join(command), "\n".join(done.stdout.split("\n")[-25:])))
    return done.stdout


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


class Simulator:
    """The providers, who alone know who was told what."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-B", SRC + "/test/simulator/simulator.py", "--state-dir", FOLDER + "/simulator"],
            stdout=subprocess.PIPE, encoding="ascii")
        line = self.process.stdout.readline()
        self.port = int(line.split("http=")[1].split()[0])
        self.control("config", {"fonnte": {"quota": 1000000}})

    def control(self, name, value=None):
        request = urllib.request.Request("http://127.0.0.1:%d/_control/%s" % (self.port, name),
                                         data=None if value is None else json.dumps(value).encode())
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return json.loads(answer.read())

    def accepted(self):
        """Messages that were taken, by number."""
        return collections.Counter(e["to"] for e in self.control("journal?endpoint=send&accepted=true"))

    def sends(self):
        return len(self.control("journal?endpoint=send"))

    def settings(self):
        """What goes into a server's configuration."""
        return "sicantik_wa.allowed_hosts = '%s'\n" % ", ".join(
            "%s=127.0.0.1:%d" % (kind, self.port) for kind in ("meta", "fonnte", "watzap"))


class Server:
    def __init__(self, name, port, host=None):
        self.name = name
        self.port = port
        self.host = host or FOLDER
        self.data = os.path.join(FOLDER, name)

    def initdb(self, *conf):
        run(BIN + "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
            "--no-sync")
        self.configure("shared_preload_libraries = 'sicantik_wa'", "max_worker_processes = 16",
                       "unix_socket_directories = '%s'" % FOLDER, "listen_addresses = ''",
                       "sicantik_wa.worker_idle_timeout = 3600", *conf)

    def configure(self, *lines):
        with open(self.data + "/postgresql.conf", "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def ctl(self, *words):
        run(BIN + "pg_ctl", "-D", self.data, "-w", "-t", "120", "-l", self.log_path(), *words)

    def log_path(self):
        return FOLDER + "/" + self.name + ".log"

    def log(self):
        with open(self.log_path(), encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self):
        self.ctl("-o", "-p %d" % self.port, "start")

    def stop(self, mode="fast"):
        self.ctl("-m", mode, "stop")

    def connect(self, user="odoo", database="odoo", port=None):
        connection = psycopg2.connect(host=self.host, port=port or self.port, user=user, dbname=database,
                                      connect_timeout=10)
        connection.autocommit = True
        return connection

    def rows(self, sql, *values, user="odoo", database="odoo"):
        connection = self.connect(user, database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def one(self, sql, *values, **whose):
        """The first column of the first row, or None."""
        found = self.rows(sql, *values, **whose)
        return found[0][0] if found else None

    def wait(self, what, sql, *values, **whose):
        return wait_until("%s: %s" % (self.name, what), lambda: self.one(sql, *values, **whose))

    def set(self, **settings):
        for name, value in settings.items():
            self.rows("ALTER SYSTEM SET %s = %s" % (name.replace("__", "."), value), user="postgres",
                      database="postgres")
        self.rows("SELECT pg_reload_conf()", user="postgres", database="postgres")

    def workers(self):
        return self.one("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sicantik_wa%'",
                        user="postgres", database="postgres")

    def states(self, *numbers):
        """State and reason of each of these numbers' messages, of the newest one."""
        return [" ".join(filter(None, (self.rows("SELECT state, reason FROM wa.message WHERE number = %s"
                                                 " ORDER BY id DESC LIMIT 1", n) or [("-", None)])[0]))
                for n in numbers]

    def say(self, number, text="Halo"):
        return self.one("SELECT wa_send_text(%s, %s)", number, text)

    def psql(self, path, *words, user="odoo", database="odoo"):
        run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-p", str(self.port), "-U", user, "-d",
            database, *words, "-f", path)


def open_office(server, simulator, permits=200):
    """The office's database, armed, without pauses between messages."""
    server.rows("CREATE ROLE odoo LOGIN", user="postgres", database="postgres")
    server.rows("CREATE DATABASE odoo OWNER odoo TEMPLATE template0", user="postgres", database="postgres")
    server.psql(SRC + "/test/odoo/fixture.sql")
    server.psql(SRC + "/test/odoo/fixture_many.sql", "-v", "permits=%d" % permits)
    server.rows("CREATE EXTENSION sicantik_wa")
    server.rows("SELECT * FROM wa_setup()")
    for name, value in (("language", "en"), ("office_name", "DPMPTSP"), ("unknown_wait", "1 s"),
                        ("download_link", "https://contoh.go.id/{registration_id}"),
                        ("detail_link", "https://contoh.go.id/{registration_id}")):
        server.rows("SELECT wa_set(%s, %s)", name, value)
    server.rows("SELECT wa_configure('fonnte', %s)", json.dumps(
        {"base_url": "http://127.0.0.1:%d" % simulator.port, "token": simulator.control("config")["fonnte"]["tokens"][0],
         "min_gap": 0, "gap_jitter": 0}))
    server.rows("UPDATE wa.provider SET recipient_gap = '0', max_in_flight = 20, daily_cap = NULL, rate_per_second = NULL")
    server.rows("UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL, max_per_transaction = NULL,"
                " max_per_hour = NULL, max_per_day_and_number = NULL")
    if not server.one("SELECT ok FROM wa_test_connection('fonnte')"):
        raise Failed("the simulated provider cannot be used")
    server.rows("SELECT wa_arm('odoo')")


def many(n):
    """The number of fixture_many.sql's n-th applicant."""
    return "62852%08d" % n


def change(server, n):
    """One permit becomes ready: its applicant is to be told.  Returns his number."""
    server.rows("UPDATE sicantik_permit SET status = 'active', permit_number = '503/' || id, issue_date = current_date"
                " WHERE partner_id = (SELECT id FROM res_partner WHERE phone_sanitized = %s)", "+" + many(n))
    return many(n)


def story(function):
    """Run it; what did not happen is told, with the ends of the servers' logs."""
    try:
        function()
    except (Failed, subprocess.SubprocessError, OSError, psycopg2.Error) as error:
        print("not ok", error, flush=True)
        for name in sorted(os.listdir(FOLDER)):
            if name.endswith(".log"):
                with open(os.path.join(FOLDER, name), encoding="utf-8", errors="replace") as file:
                    lines = file.read().split("\n")[-20:]
                print("%s:\n  %s" % (name, "\n  ".join(lines)))
        sys.exit(1)

"""Odoo's web server, and a session at it: for parts of checks.py.

Whatever listens, listens on the loopback alone.
"""

import contextlib
import http.cookiejar
import json
import os
import socket
import subprocess
import time
import urllib.request

from odoo_test import LIMIT_S, NoGood, ODOO, ODOO_CONF, SOCKETS

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Unseen(NoGood):
    """What was waited for does not come, or comes with an error."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(condition, what, limit=LIMIT_S):
    """What the condition gives as soon as it gives something; "what" may be called for."""
    end = time.monotonic() + limit
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > end:
            raise Unseen(what() if callable(what) else what)
        time.sleep(0.05)            # between two looks at the condition


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Process:
    """A program of a user's that serves at a port, as long as the block lasts."""

    def __init__(self, command, user, log, environment=None):
        self.port = free_port()
        self.log = log
        self.command = [word.replace("PORT", str(self.port)) for word in command]
        self.user = user
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "LANG": "C.UTF-8", **(environment or {})}

    def __enter__(self):
        group = "nogroup" if self.user == "nobody" else self.user
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", user=self.user,
                group=group, extra_groups=[], env=self.environment, start_new_session=True)
        wait(lambda: listens(self.port) or self.process.poll() is not None,
             "%s does not listen" % self.command[0])
        if self.process.poll() is not None:
            raise Unseen("%s ended:\n%s" % (self.command[0], self.said()[-3000:]))
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 15)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()


def odoo_server(database, *more):
    """Odoo for one database; its log is that of this run alone."""
    return Process(
        ODOO + ["server", "-d", database, "--db-filter", "^%s$" % database, "--http-port", "PORT",
                "--http-interface", "127.0.0.1", "--workers", "0", "--log-level=info", *more],
        "odoo", "/test/server.log", {"HOME": "/test/odoo", "PGHOST": SOCKETS, "ODOO_RC": ODOO_CONF})


class Session:
    """Somebody logged in, who calls what the pages call."""

    def __init__(self, port, database, login, password):
        self.site = "http://127.0.0.1:%d" % port
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        if not self.post("/web/session/authenticate", db=database, login=login, password=password).get("uid"):
            raise Unseen("%s cannot log in" % login)

    def post(self, path, **params):
        request = urllib.request.Request(
            self.site + path, json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode(),
            {"Content-Type": "application/json"})
        with self.opener.open(request, timeout=LIMIT_S) as answer:
            body = json.load(answer)
        if "error" in body:
            raise Unseen(body["error"]["data"]["message"])
        return body["result"]

    def call(self, model, method, *args, **kwargs):
        return self.post("/web/dataset/call_kw/%s/%s" % (model, method), model=model, method=method,
                         args=list(args), kwargs=kwargs)

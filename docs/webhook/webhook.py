#!/usr/bin/python3
"""What Meta, Fonnte and Watzap tell, handed to wa_webhook(): docs/webhooks.md.

Behind a web server that holds the certificate (nginx.conf beside this file).
Where the database is, libpq's variables say (PGDATABASE, PGHOST, PGUSER, ...).
For the providers only 200 counts: whatever else they get, they send it again.
"""
import http.server
import os
import sys
import urllib.parse

import psycopg2

MAX_BODY = 3 * 1024 * 1024      # Meta's limit, 3 MB
STATUS = {"28000": 403, "42501": 403, "42704": 404, "0A000": 404}  # else 503
kept = None                     # the connection to the database


def ask(statement, values):
    """Run it on the connection that is kept, or if that is dead on a new one."""
    global kept
    was_kept = kept is not None and not kept.closed
    try:
        if not was_kept:
            kept = psycopg2.connect(application_name="webhook", connect_timeout=5,
                                    options="-c statement_timeout=20s")
            kept.autocommit = True
        with kept.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone()[0]
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        if was_kept and kept.closed:
            return ask(statement, values)
        raise


class Webhook(http.server.BaseHTTPRequestHandler):
    timeout = 30

    def do_GET(self):           # Meta verifies the address
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.answer("SELECT wa_webhook_verify(%s, %s, %s, %s)", lambda secret: [
            query.get("hub." + name) for name in ("mode", "verify_token", "challenge")])

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or -1)
        if not 0 <= length <= MAX_BODY:
            return self.finish_with(413 if length > MAX_BODY else 411)
        body = self.rfile.read(length)
        if len(body) < length:
            return self.finish_with(400)
        self.answer("SELECT wa_webhook(%s, %s, %s, %s)::text", lambda secret: [
            psycopg2.Binary(body), self.headers.get("X-Hub-Signature-256"), secret or None])

    def answer(self, statement, values):
        path = urllib.parse.urlsplit(self.path).path        # /PROVIDER or /PROVIDER/SECRET
        provider, secret = (list(map(urllib.parse.unquote, path.split("/"))) + ["", ""])[1:3]
        try:
            self.finish_with(200, ask(statement, [provider] + values(secret)))
        except psycopg2.Error as error:
            self.finish_with(STATUS.get(error.pgcode, 503), why=error.diag.message_primary or str(error))
        except ValueError:      # a NUL in the address
            self.finish_with(404)

    def finish_with(self, status, text="", why=""):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())
        if status != 200:       # without the address: it may hold a secret
            print(self.command, status, " ".join(why.split()), file=sys.stderr, flush=True)

    def log_message(self, *words):
        """Nothing: see finish_with()."""


if __name__ == "__main__":
    http.server.HTTPServer(("127.0.0.1", int(os.environ.get("WEBHOOK_PORT", "8070"))), Webhook).serve_forever()

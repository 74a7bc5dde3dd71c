"""What providers tell, handed to wa_webhook(): /sicantik_wa/webhook/PROVIDER[/SECRET].

The addresses, the answers, and which database it is: docs/webhooks.md. For the
providers only 200 counts: whatever else they get, they send it again. So 200
is answered when the database has committed, and what goes wrong is one line in
the log, in which nothing of the body or the address stands.
"""

import contextlib
import logging
import re

import psycopg2
from werkzeug.exceptions import HTTPException

from odoo import http, sql_db

_logger = logging.getLogger(__name__)

PATH = '/sicantik_wa/webhook/'
MAX_BODY = 3 * 1024 * 1024      # Meta's limit, 3 MB
STATUS = {'28000': 403, '42501': 403, '42704': 404, '0A000': 404}   # else 503
# Nobody waits long in one of Odoo's few workers, and a database that has the
# add-on no more does not answer.
ASK = ("SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '5s';"
       ' SELECT %s FROM public.ir_module_module'
       " WHERE name = 'sicantik_wa' AND state IN ('installed', 'to upgrade')")


class Refused(Exception):
    """With the status to answer."""


class Discreet(logging.Filter):
    """Odoo logs the address of each request, and what stands behind the name
    of the provider is its secret, or Meta's token."""

    behind = re.compile('(%s[^/?\\s"]*)[/?][^\\s"]*' % PATH)

    def filter(self, record):
        message = record.getMessage()
        if PATH in message:
            record.msg, record.args = self.behind.sub(r'\1/...', message), ()
        return True


for logger in ('werkzeug', 'longpolling'):      # the second one: the port of the chat
    logging.getLogger(logger).addFilter(Discreet())


def find_database(request):
    """The one that the address names, of those that Odoo's dbfilter lets this
    host see; else the one that Odoo has found."""
    name = request.httprequest.args.get('db')
    if name and name != request.db and name not in http.db_list(True):
        raise Refused(404)
    if not name and not request.db:
        _logger.warning('WhatsApp webhook: several databases, and the address names none (?db=NAME)')
        raise Refused(503)
    return name or request.db


def read_body(httprequest):
    """The bytes as they came, which a signature is of."""
    length = httprequest.content_length
    if length is None or 'Transfer-Encoding' in httprequest.headers:
        raise Refused(411)
    if length > MAX_BODY:
        raise Refused(413)
    try:
        body = httprequest.get_data()
    except (OSError, HTTPException):    # too slow, or gone
        raise Refused(400)
    if len(body) != length:
        raise Refused(400)
    return body


def ask(database, function, values):
    """What a function of the database says, committed."""
    with contextlib.closing(sql_db.db_connect(database).cursor()) as cr:
        # not Odoo's snapshot, and not its execute(), which writes to the log
        cr._cnx.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED)
        cr._obj.execute(ASK % function, values)
        row = cr._obj.fetchone()
        cr.commit()
    if row is None:
        raise Refused(404)
    return row[0]


def handle(request, provider, secret=None):
    """(status, text) for one request, whatever is in it."""
    httprequest = request.httprequest
    try:
        database = find_database(request)
        if httprequest.method == 'POST':
            body = read_body(httprequest)
            return 200, ask(database, 'wa_webhook(%s, %s, %s, %s)::text', (
                provider, psycopg2.Binary(body), httprequest.headers.get('X-Hub-Signature-256'), secret))
        if httprequest.method not in ('GET', 'HEAD'):
            return 405, ''              # OPTIONS, which Odoo lets through
        return 200, ask(database, 'wa_webhook_verify(%s, %s, %s, %s)', (provider, *(
            httprequest.args.get('hub.' + name) for name in ('mode', 'verify_token', 'challenge'))))
    except Refused as refused:
        return refused.args[0], ''
    except ValueError:                  # a NUL in the address
        return 404, ''
    except psycopg2.Error as error:
        status = STATUS.get(error.pgcode, 503)
        if status == 503 or error.pgcode == '42501':    # else a stranger, of whom the database tells
            _logger.warning('WhatsApp webhook answered with %d: %s %s', status, error.pgcode or '',
                            ' '.join((error.diag.message_primary or str(error)).split()))
        return status, ''


def respond(request, provider, secret=None):
    status, text = handle(request, provider, secret)
    return http.Response(text, status=status, content_type='text/plain; charset=utf-8',
                         headers={'X-Content-Type-Options': 'nosniff'})

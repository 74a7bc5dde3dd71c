"""How a request comes to webhook.respond(), with its body unread.

Odoo reads the body itself before it calls anybody, and a signature is of the
bytes. From 16 on a kind of route may have a dispatcher of its own; before, the
kind of request is chosen by the content type alone, and JSON that is none of
Odoo's ends in a traceback.
"""

import time

import psycopg2

from odoo import http, models
from odoo.http import request
from odoo.service import db

from .. import series
from . import webhook

if series.DISPATCHERS:
    KIND = 'sicantik_wa'

    class Dispatcher(http.Dispatcher):
        routing_type = KIND

        @classmethod
        def is_compatible_with(cls, request):
            return True

        def dispatch(self, endpoint, args):
            self.request.params = dict(args)
            return endpoint(**args)

        def handle_error(self, exc):
            return http.HttpDispatcher(self.request).handle_error(exc)
else:
    KIND = 'http'

    class Request(http.HttpRequest):
        def __init__(self, httprequest):
            http.WebRequest.__init__(self, httprequest)
            self.params = {}

        def dispatch(self):
            return self.endpoint(**self.endpoint_arguments)

    choose = http.Root.get_request

    def get_request(self, httprequest):
        ours = httprequest.path.startswith(webhook.PATH)
        return Request(httprequest) if ours else choose(self, httprequest)

    http.Root.get_request = get_request

    class IrHttp(models.AbstractModel):
        _inherit = 'ir.http'

        @classmethod
        def _dispatch(cls):
            """The first request of a process, which made it load this file, was
            taken for one of Odoo's: a form is read, and will be sent again."""
            first = request._get_current_object()
            if first.httprequest.path.startswith(webhook.PATH):
                first.__class__ = Request
            return super()._dispatch()


LIST_S = 5
all_of_odoo = http.db_list
listed = (float('-inf'), [])


def db_list(force=False, *where, **named):
    """Odoo wants the names of all databases for each request that has no
    session, and makes a new connection for it, which takes longer than all the
    rest. Ours remember the names. "where": the request, from 16 on its host.
    """
    global listed
    of = next(iter([*where, *named.values()]), None)
    path = of.path if hasattr(of, 'path') else request.httprequest.path if request else ''
    if not path.startswith(webhook.PATH):
        return all_of_odoo(force, *where, **named)
    if listed[0] < time.monotonic() - LIST_S:
        try:
            listed = (time.monotonic(), db.list_dbs(True))
        except psycopg2.OperationalError:
            return []
    return http.db_filter(listed[1], *where, **named)


http.db_list = db_list


class Webhook(http.Controller):
    @http.route([webhook.PATH + '<string:provider>', webhook.PATH + '<string:provider>/<string:secret>'],
                type=KIND, auth='none', methods=['GET', 'POST'], csrf=False, save_session=False)
    def webhook(self, provider, secret=None):
        return webhook.respond(request, provider, secret)

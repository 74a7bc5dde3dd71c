"""The dispatcher of sicantik_whatsapp hands over to the database.

Where that module is installed, without depending on it: when Odoo has made its
models, the class that it has made of the dispatcher gets methods of ours in
front of its own. A database without the extension keeps those.
"""

import functools
import inspect
import json

import psycopg2

from odoo import models

from .database import AGAIN

OLD = 'sicantik.whatsapp.dispatcher'
# the old keys and names of values, where the database's differ
KEYS = {
    'permit_reminder': 'permit_expiry_warning',
    'renewal_approved': 'permit_renewal_approved',
}
NAMES = {
    'new_status': 'status_baru', 'old_status': 'status_lama', 'update_date': 'timestamp',
    'days_remaining': 'remaining_days', 'new_expiry_date': 'expiry_date',
    'contact_info': 'contact_dpmptsp',
}
# what a user may name only if he may read it
ABOUT = {'partner_id': 'res.partner', 'permit_id': 'sicantik.permit'}
# what the template takes of the values given; the permit and the office give the rest
SEND = """
    SELECT wa_send(%s, %s::bigint,
        (SELECT jsonb_object_agg(v.key, v.value) FROM jsonb_each(%s::jsonb) AS v, wa.template AS t
          WHERE t.key = %s AND v.key = ANY (t.parameters)),
        permit_id => %s::bigint)"""
SEND_TEXT = 'SELECT wa_send_text(%s::bigint, %s, provider => %s)'


class HandedOver:
    """A method in front of an old one. Python code calls it of a record, and
    goes on as it was; what Odoo lets users call it takes from the class."""

    def __init__(self, owner, name):
        self.owner, self.name = owner, name

    def __get__(self, record, owner=None):
        if record is not None:
            return functools.partial(self.call, record)

        old = getattr(super(self.owner, self.owner), self.name)

        @functools.wraps(old)
        def called_by_user(record, *args, **kwargs):
            database = record.env['sicantik.wa.database']
            database._require('send')
            given = inspect.signature(old).bind(record, *args, **kwargs).arguments
            for name, model in ABOUT.items():
                if given.get(name) and model in record.env:
                    database._must_read(record.env[model].browse(given[name]))
            return self.call(record, *args, **kwargs)
        return called_by_user

    def call(self, record, *args, **kwargs):
        record.env.cr.execute("SELECT 1 FROM pg_extension WHERE extname = 'sicantik_wa'")
        if record.env.cr.rowcount:
            return getattr(record.env['sicantik.wa.dispatcher'], '_' + self.name)(*args, **kwargs)
        return getattr(super(self.owner, record), self.name)(*args, **kwargs)


class Dispatcher(models.AbstractModel):
    _name = 'sicantik.wa.dispatcher'
    _description = 'Hands over what the old dispatcher is asked to send'

    def _register_hook(self):
        super()._register_hook()
        if OLD in self.env:
            old = type(self.env[OLD])
            for name in ('send_template_message', 'send_text_message'):
                setattr(old, name, HandedOver(old, name))

    def _send_template_message(self, template_key, partner_id, context_values, permit_id=None):
        key = KEYS.get(template_key, template_key)
        values = {'status_lama': ''}    # the old callers never knew it; empty reads "-"
        for name, value in context_values.items():
            empty = value is None or value is False
            values[NAMES.get(name, name)] = '' if empty else str(value)
        return self._wa(SEND, (key, partner_id, json.dumps(values), key, permit_id or None))

    def _send_text_message(self, partner_id, message, provider_type=None):
        return self._wa(SEND_TEXT, (partner_id, message, provider_type))

    def _wa(self, statement, arguments):
        cr = self.env.cr
        flush = getattr(self.env, 'flush_all', None) or self.flush  # 16 and later; before
        flush()                         # Odoo's own errors stay Odoo's
        try:
            with cr.savepoint():        # what is refused must not spoil Odoo's transaction
                cr.execute(statement, arguments, log_exceptions=False)
                message = cr.fetchone()[0]
                cr.execute('SELECT wa_result(%s)', (message,))
                result = cr.fetchone()[0]
        except psycopg2.Error as error:
            if error.pgcode in AGAIN:
                raise
            return {'success': False, 'provider': None, 'message_id': None,
                    'error': self.env['sicantik.wa.database']._sentences(error)}
        return dict(result, success=result['success'] is not False, wa_message=message)

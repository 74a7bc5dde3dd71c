"""The ledger: a model without a table or a view in the database."""

from odoo import fields, models


class Message(models.Model):
    _name = 'sicantik.wa.message'
    _description = 'WhatsApp message'
    _auto = False
    _order = 'id desc'
    _rec_name = 'number'

    number = fields.Char(readonly=True)
    state = fields.Char(readonly=True)

    @property
    def _table_query(self):
        if self.env['sicantik.wa.database']._trouble():
            return "SELECT NULL::int AS id, NULL::text AS number, NULL::text AS state WHERE false"
        return "SELECT m.id, m.number, m.state FROM wa.message_view AS m"

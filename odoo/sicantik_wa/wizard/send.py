"""Send WhatsApp by hand: to a contact, or about a permit.

The database composes, chooses and refuses, and says before what it would do.
What is asked here, whenever something is shown or sent, is whether this user
may send, and may read the record.
"""

import json

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import UserError

MODELS = ('res.partner', 'sicantik.permit', 'sicantik.document')


class Send(models.TransientModel):
    _name = 'sicantik.wa.send'
    _description = 'Send WhatsApp'

    res_model = fields.Char()
    res_id = fields.Integer()
    recipient = fields.Char("To", compute='_compute_recipient')
    number = fields.Char("Another number", help="Leave it empty to use the number of the contact.")
    kind = fields.Selection([('template', "Template"), ('text', "Text")], "What", default='template', required=True)
    template = fields.Selection('_templates')
    body = fields.Text("Text")
    value_ids = fields.One2many('sicantik.wa.send.value', 'send_id', "Values")
    preview = fields.Html(compute='_compute_preview', sanitize=False)

    @api.model
    def open_for(self, record):
        return self._open(record._name, record.id)

    @api.model
    def _open(self, model, record, **defaults):
        """What opens the dialog for a record."""
        defaults.update(res_model=model, res_id=record)
        return {'type': 'ir.actions.act_window', 'name': _("Send WhatsApp"), 'res_model': self._name,
                'view_mode': 'form', 'views': [(False, 'form')], 'target': 'new',
                'context': {'default_' + name: value for name, value in defaults.items() if value}}

    @api.model
    def _templates(self):
        database = self.env['sicantik.wa.database']
        if database._trouble() or not database._level():
            return []
        return [(row['key'], row['name']) for row in
                database._run("SELECT key, name FROM wa.template_view WHERE active ORDER BY key")]

    @api.model
    def default_get(self, names):
        database = self.env['sicantik.wa.database']
        database._require('send')
        database._run("SELECT")         # says it where there are no functions
        values = super().default_get(names)
        if not values.get('res_model'):
            context = self.env.context
            values.update(res_model=context.get('active_model'), res_id=context.get('active_id'))
        return values

    def _subject(self):
        """The contact and the permit, if there are any."""
        self.env['sicantik.wa.database']._require('send')
        if self.res_model not in MODELS or self.res_model not in self.env:
            raise UserError(_("Open a contact or a permit first."))
        record = self._readable(self.env[self.res_model].browse(self.res_id))
        if self.res_model == 'res.partner':
            return record, self.env['res.partner']
        permit = self._readable(record.permit_id) if self.res_model == 'sicantik.document' else record
        return self._readable(permit.partner_id), permit

    def _readable(self, record):
        self.env['sicantik.wa.database']._must_read(record)
        return record

    @api.depends('res_model', 'res_id')
    def _compute_recipient(self):
        for wizard in self:
            partner, permit = wizard._subject()
            to = partner.display_name if partner else _("no contact yet")
            wizard.recipient = "%s · %s" % (to, permit.display_name) if permit else to

    @api.onchange('template')
    def _onchange_template(self):
        parameters = self.env['sicantik.wa.database']._run(
            "SELECT unnest(parameters) AS name FROM wa.template_view WHERE key = %s", [self.template or ''])
        self.value_ids = [(5, 0, 0)] + [(0, 0, parameter) for parameter in parameters]

    def _call(self, function):
        """A call of wa_send() or wa_explain(), or of the same for a text."""
        partner, permit = self._subject()
        number = (self.number or '').strip()
        if not number and not partner:
            raise UserError(_("This permit has no contact yet: link one to it, or give a number."))
        to, its_type = (number, 'text') if number else (partner.id, 'bigint')
        if self.kind == 'text':
            about = [permit.id or None] if function == 'wa_send' else []    # by which it is told who may read it
            return ("%s_text(%%s::%s, %%s%s)" % (function, its_type, ", permit_id => %s::bigint" if about else ""),
                    [to, self.body or '', *about])
        if not self.template:
            raise UserError(_("Choose a template."))
        values = {line.name: line.value for line in self.value_ids if line.value}
        return ("%s(%%s, %%s::%s, %%s::jsonb, permit_id => %%s::bigint)" % (function, its_type),
                [self.template, to, json.dumps(values), permit.id or None])

    @api.depends('res_model', 'res_id', 'number', 'kind', 'template', 'body', 'value_ids.name', 'value_ids.value')
    def _compute_preview(self):
        for wizard in self:
            try:
                call, values = wizard._call('wa_explain')
                lines = [row['what'] for row in wizard.env['sicantik.wa.database']._run("SELECT what FROM " + call, values)]
            except UserError as error:
                lines = [str(error)]
            wizard.preview = Markup('').join(
                Markup('<p style="white-space: pre-wrap" class="mb-1 %s">%s</p>')
                % ('fw-bold' if line is lines[-1] else '', line) for line in lines)

    def action_send(self):
        self.ensure_one()
        call, values = self._call('wa_send')
        database = self.env['sicantik.wa.database']
        rows, said = database._ask("SELECT %s AS message" % call, values)
        self.unlink()       # what was typed is in the ledger now; pressed twice it is sent once
        return database._tell(
            _("Send WhatsApp"), said or [_("Message %s goes out in a moment.", rows[0]['message'])],
            good=not said, then='ir.actions.act_window_close')


class Value(models.TransientModel):
    _name = 'sicantik.wa.send.value'
    _description = 'Value for a template'

    send_id = fields.Many2one('sicantik.wa.send', required=True, ondelete='cascade')
    name = fields.Char(required=True)
    value = fields.Char("Value (empty: of the permit, the contact or the office)")

"""On permits, documents and contacts: what was sent about them, and why nothing was."""

from lxml import etree
from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from .. import series

# What wa_history() calls them; in whose fields the others are found.
KINDS = {'res.partner': 'partner', 'sicantik.permit': 'permit', 'sicantik.document': 'document'}
ACTION = 'sicantik_wa.history_%s'
SEND = 'sicantik_wa.send_%s'
ACTIONS = [
    (ACTION, "WhatsApp messages", 'list,form', 'view', "env['sicantik.wa.history'].open_of(records)"),
    (SEND, "Send WhatsApp", 'form', 'send', "env['sicantik.wa.send'].open_for(record)"),
]
NEWEST = 50


class History(models.TransientModel):
    _name = 'sicantik.wa.history'
    _description = 'WhatsApp messages of a record'

    res_model = fields.Char(readonly=True)
    res_id = fields.Integer(readonly=True)
    story = fields.Html(compute='_compute_story', sanitize=False)

    def _compute_display_name(self):
        for history in self:
            known = history.res_model in KINDS and history.res_model in self.env
            history.display_name = self.env[history.res_model].browse(history.res_id).display_name if known else False

    @api.model
    def _bind(self):
        """The actions on each of the models that this database has."""
        Action = self.env['ir.actions.server']
        groups = 'group_ids' if 'group_ids' in Action._fields else 'groups_id'
        for model, kind in KINDS.items() if series.SCREENS else ():
            # the database's: at an upgrade those of later modules are not loaded yet
            its = self.env['ir.model'].search([('model', '=', model)])
            for name, label, views, group, code in ACTIONS if its else ():
                Action._load_records([{'xml_id': name % kind, 'noupdate': False, 'values': {
                    'name': label, 'state': 'code', 'code': 'action = ' + code, 'model_id': its.id,
                    'binding_model_id': its.id, 'binding_view_types': views,
                    groups: [(6, 0, self.env.ref('sicantik_wa.group_' + group).ids)]}}])

    @api.model
    def open_of(self, records):
        """The history of a record, the list of several."""
        self.env['sicantik.wa.database']._require('view')
        self.env['sicantik.wa.database']._must_be_there()
        self._require_record(records)
        if len(records) == 1:
            history = self.create({'res_model': records._name, 'res_id': records.id})
            return {'type': 'ir.actions.act_window', 'name': _("WhatsApp messages"), 'res_model': self._name,
                    'res_id': history.id, 'view_mode': 'form', 'views': [(False, 'form')], 'target': 'current'}
        return self._list(records._name, records.ids)

    def send(self):
        return self.env['sicantik.wa.send']._open(self.res_model, self.res_id)

    def open_messages(self):
        self.ensure_one()
        return self._list(self.res_model, [self.res_id])

    def _list(self, model, ids):
        action = self.env['sicantik.wa.message'].open_ledger()
        return dict(action, context={}, domain=self._domain(model, ids))

    def _domain(self, model, ids):
        if model == 'res.partner':
            return [('partner_id', 'in', ids)]
        return [('res_model', '=', model), ('res_id', 'in', ids)]

    def _compute_story(self):
        for history in self:
            history.story = history._told() if history.res_model in KINDS and history.res_id else False

    def _told(self):
        """wa_history() of the record where the user may read all that is in
        it; else the messages that he may read."""
        database = self.env['sicantik.wa.database']
        database._require('view')
        record = self.env[self.res_model].browse(self.res_id)
        self._require_record(record)
        if self._reads_all(record):
            return database._story("SELECT * FROM wa_history(%s)", ('%s %d' % (KINDS[record._name], record.id),))
        messages = self.env['sicantik.wa.message'].search(self._domain(record._name, record.ids), limit=NEWEST)
        return Markup('<p>%s</p>%s') % (
            _("A part of what belongs to this may not be read by you: here are the messages that you may read."),
            Markup().join(message.story for message in messages))

    @api.model
    def _require_record(self, records):
        if records.with_context(active_test=False).search_count([('id', 'in', records.ids)]) < len(records):
            raise UserError(_("This record is not there, or you may not read it."))

    def _reads_all(self, record):
        """Whether he may read what wa_history() goes through: permits and
        others of the contact, documents of the permits, and the messages."""
        env = self.with_context(active_test=False).env
        Message, found = env['sicantik.wa.message'], {record._name: record.sudo()}
        for _alias, model, *_rest in Message._about():
            if record._name == 'res.partner' and 'partner_id' in model._fields:
                found[model._name] = model.sudo().search([('partner_id', '=', record.id)])
        if found.get('sicantik.permit') and 'sicantik.document' in env:
            found['sicantik.document'] = env['sicantik.document'].sudo().search([('permit_id', 'in', found['sicantik.permit'].ids)])
        for model, records in found.items():
            if env[model].search_count([('id', 'in', records.ids)]) < len(records):
                return False
            domain = self._domain(model, records.ids)
            if Message.search_count(domain) < Message.sudo().search_count(domain):
                return False
        return True


class Base(models.AbstractModel):
    _inherit = 'base'

    @api.model
    def _get_view(self, view_id=None, view_type='form', **options):
        """The button on the permit's form, whoever made that: it is in no view
        that an upgrade of it would have to get along with."""
        arch, view = super()._get_view(view_id, view_type, **options)
        if view_type == 'form' and self._name == 'sicantik.permit':
            self._add_history_button(arch)
        return arch, view

    def _add_history_button(self, arch):
        action = self.env.ref(ACTION % KINDS[self._name], raise_if_not_found=False)
        if not action:
            return
        box = arch.find('.//div[@name="button_box"]')
        if box is None:
            box = etree.Element('div', {'name': 'button_box', 'class': 'oe_button_box'})
            sheet = arch.find('.//sheet')
            (arch if sheet is None else sheet).insert(0, box)
        etree.SubElement(box, 'button', {
            'name': str(action.id), 'type': 'action', 'string': "WhatsApp", 'class': 'oe_stat_button',
            'icon': 'fa-whatsapp', 'groups': 'sicantik_wa.group_view'})

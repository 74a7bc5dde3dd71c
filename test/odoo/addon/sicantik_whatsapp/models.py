"""What other code of SICANTIK sees of its WhatsApp module.

The tables have the columns of the real ones, as far as they configure
something.  The dispatcher sends nothing: whoever reaches it was not handed
over to the database.
"""

from odoo import fields, models
from odoo.exceptions import UserError

GATEWAY_STATUS = [('not_configured', 'Not configured'), ('configured', 'Configured')]
META_STATUS = GATEWAY_STATUS + [('approved', 'Approved'), ('rejected', 'Rejected')]


class Provider(models.Model):
    _name = 'sicantik.whatsapp.provider'
    _description = 'WhatsApp provider'

    name = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    provider_type = fields.Selection(
        [('meta', 'Meta'), ('watzap', 'Watzap'), ('fonnte', 'Fonnte')], required=True)
    is_default = fields.Boolean()
    watzap_base_url = fields.Char(default='https://api.watzap.id/v1')
    watzap_api_key = fields.Char()
    watzap_device_id = fields.Char()
    fonnte_api_url = fields.Char(default='https://api.fonnte.com')
    fonnte_token = fields.Char()
    fonnte_device = fields.Char()


class TemplateMaster(models.Model):
    _name = 'sicantik.whatsapp.template.master'
    _description = 'WhatsApp template'
    _rec_name = 'template_key'

    template_key = fields.Char(required=True)
    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    body_preview = fields.Text(required=True)
    parameter_list = fields.Text(required=True, default='[]')
    language = fields.Selection([('id', 'Indonesian'), ('en', 'English')], default='id')
    meta_template_name = fields.Char()
    meta_status = fields.Selection(META_STATUS, default='not_configured')
    watzap_template_id = fields.Char()
    watzap_template_name = fields.Char()
    watzap_status = fields.Selection(GATEWAY_STATUS, default='not_configured')
    fonnte_template_id = fields.Char()
    fonnte_template_name = fields.Char()
    fonnte_status = fields.Selection(GATEWAY_STATUS, default='not_configured')


class Dispatcher(models.AbstractModel):
    _name = 'sicantik.whatsapp.dispatcher'
    _description = 'WhatsApp dispatcher'

    def send_template_message(self, template_key, partner_id, context_values, permit_id=None):
        raise UserError('the old dispatcher would send %s' % template_key)

    def send_text_message(self, partner_id, message, provider_type=None):
        raise UserError('the old dispatcher would send a text')

"""The models of SICANTIK that sicantik_wa listens to.

With SICANTIK_RETYPED in the environment they are those of the module's next
version: a watched column and one that messages are made of have other types,
one column is new and one is gone.
"""

import os

from odoo import api, fields, models

RETYPED = bool(os.environ.get('SICANTIK_RETYPED'))


class PermitType(models.Model):
    _name = 'sicantik.permit.type'
    _description = 'Permit type'

    # varchar; translated: jsonb
    name = fields.Char(required=True, translate=RETYPED)
    active = fields.Boolean(default=True)


class Permit(models.Model):
    _name = 'sicantik.permit'
    _description = 'Permit'
    _inherit = ['mail.thread']
    _rec_name = 'registration_id'

    registration_id = fields.Char(required=True, index=True)
    # varchar; Text: text
    permit_number = (fields.Text if RETYPED else fields.Char)(tracking=True)
    applicant_name = fields.Char(required=True)
    permit_type_id = fields.Many2one('sicantik.permit.type')
    permit_type_name = fields.Char()
    partner_id = fields.Many2one('res.partner')
    status = fields.Selection([
        ('draft', 'Draft'),
        ('active', 'Active'),
        ('expired', 'Expired'),
        ('renewed', 'Renewed'),
        ('cancelled', 'Cancelled'),
    ], default='active', required=True, tracking=True)
    issue_date = fields.Date()
    expiry_date = fields.Date()
    received_date = fields.Date()
    days_until_expiry = fields.Integer(compute='_compute_days', store=True)
    is_renewal = fields.Boolean()
    if RETYPED:
        inspector_note = fields.Char()
    else:
        notes = fields.Text()

    if RETYPED:
        def init(self):
            """Go on when somebody waits for the table, which this transaction
            has locked to change its columns; a parameter says whether."""
            self.env.cr.execute("""
                DO $$
                BEGIN
                    FOR n IN 1 .. 3000 LOOP
                        EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted
                            AND relation = 'sicantik_permit'::regclass);
                        PERFORM pg_sleep(0.01);
                    END LOOP;
                END $$;
                SELECT count(*) FROM pg_locks
                 WHERE NOT granted AND relation = 'sicantik_permit'::regclass""")
            self.env['ir.config_parameter'].set_param(
                'sicantik_permits.waited_for', self.env.cr.fetchone()[0])

    @api.depends('expiry_date')
    def _compute_days(self):
        today = fields.Date.today()
        for permit in self:
            permit.days_until_expiry = \
                (permit.expiry_date - today).days if permit.expiry_date else 0


class Document(models.Model):
    _name = 'sicantik.document'
    _description = 'Permit document'
    _inherit = ['mail.thread']
    _rec_name = 'document_number'

    document_number = fields.Char(required=True, default='New')
    name = fields.Char(required=True)
    permit_id = fields.Many2one('sicantik.permit', required=True, ondelete='restrict')
    permit_number = (fields.Text if RETYPED else fields.Char)(
        related='permit_id.permit_number', store=True)
    permit_type_id = fields.Many2one(related='permit_id.permit_type_id', store=True)
    state = fields.Selection([
        ('draft', 'Draft'),
        ('uploaded', 'Diunggah'),
        ('pending_signature', 'Menunggu Tanda Tangan'),
        ('signed', 'Ditandatangani'),
        ('verified', 'Terverifikasi'),
        ('rejected', 'Ditolak'),
        ('cancelled', 'Dibatalkan'),
    ], default='draft', required=True, tracking=True)
    requires_approval = fields.Boolean()
    signer_id = fields.Many2one('res.users')
    uploaded_by = fields.Many2one('res.users', default=lambda self: self.env.user)
    upload_date = fields.Datetime(default=fields.Datetime.now)


class SignatureWorkflow(models.Model):
    _name = 'signature.workflow'
    _description = 'Signature workflow'

    document_id = fields.Many2one('sicantik.document', required=True, ondelete='cascade')
    approver_id = fields.Many2one('res.users')
    state = fields.Selection([
        ('pending', 'Pending'),
        ('approved', 'Approved'),
        ('rejected', 'Rejected'),
    ], default='pending', required=True)


class Partner(models.Model):
    _inherit = 'res.partner'

    whatsapp_number = fields.Char()
    whatsapp_opt_in = fields.Boolean()
    whatsapp_opt_in_date = fields.Datetime()

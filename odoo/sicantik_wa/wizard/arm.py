"""Arming and disarming: who lets this database send types its name by hand."""

from odoo import _, fields, models


class Arm(models.TransientModel):
    _name = 'sicantik.wa.arm'
    _description = 'Let this database send'

    database_name = fields.Char("Name of this database")
    answer = fields.Text(readonly=True)     # of the database, when it is done

    def action_arm(self):
        return self._ask("SELECT wa_arm(%s)", [(self.database_name or '').strip()])

    def action_disarm(self):
        return self._ask("SELECT wa_disarm()")

    def _ask(self, statement, values=()):
        database = self.env['sicantik.wa.database']
        database._require('manage')
        self.ensure_one()
        rows, said = database._ask(statement, values)
        self.answer = '\n'.join([*rows[0].values(), *said])
        return self._open(self.id)

    def _open(self, wizard=False):
        return {'type': 'ir.actions.act_window', 'name': _("Automatic messages"), 'res_model': self._name,
                'res_id': wizard, 'view_mode': 'form', 'views': [(False, 'form')], 'target': 'new'}

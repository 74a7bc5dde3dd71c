"""Settings and desk: what can be set, what is wrong, and what to do about it.

Everything is read when it is shown, and written by the database's functions;
Odoo keeps nothing of it.  Only the group "manage" has access, and each method
asks for it.
"""

import json

from markupsafe import Markup

from odoo import _, api, fields, models

# The office's settings as a person says them; those that nobody sets by hand
# (mode) are not among them.
SETTINGS = [
    ('office_name', "Name of the office"),
    ('contact_dpmptsp', "Contact that citizens are told"),
    ('time_zone', "Time zone (empty: Asia/Jakarta)"),
    ('language', "Language of explanations: id or en (empty: id)"),
    ('download_link', "Link to download a permit"),
    ('detail_link', "Link to the details of a request"),
    ('renewal_link', "Link to renew a permit"),
    ('approval_link', "Link to approve a document"),
    ('link_dashboard', "Link to the staff's dashboard"),
    ('alert_number', "Number that is told when a provider is in trouble"),
    ('test_number', "Number that gets every message in mode test"),
    ('staff_group', "Odoo group that is told of each status (module.name)"),
    ('opt_out_words', "Words that mean: no messages any more"),
    ('opt_in_words', "Words that mean: messages again"),
    ('confirm_opt_out', "Confirm a STOP: on or off (empty: on)"),
    ('opt_out_text', "What is answered to a STOP"),
    ('opt_in_by_inbound', "Who writes to us has agreed: on or off (empty: off)"),
    ('marketing_stop_stops_all', "Who wants no marketing gets nothing: on or off (empty: off)"),
    ('invite_interval', "Invite the same number again after (empty: 90 days)"),
    ('invite_text', "Text of an invitation"),
    ('write_back', "Write what people say into their contact: on or off (empty: off)"),
    ('inbound', "What people write: keep, or notify (empty: keep)"),
    ('unknown_wait', "Wait for the word of a provider (empty: 10 min)"),
    ('retention', "Keep numbers and texts (empty: 90 days)"),
    ('feedback_retention', "Keep what providers told (empty: 30 days)"),
    ('odoo_schema', "Schema of Odoo's tables (empty: public)"),
]
# A row's number, from its name: the same as long as it has that name.
NUMBER = "('x' || left(md5(%s), 12))::bit(48)::bigint AS id"
LIGHTS = {'ok': 'success', 'warning': 'warning', 'error': 'danger'}


class Row(models.AbstractModel):
    """One thing that the desk shows, from a public view."""
    _name = 'sicantik.wa.row'
    _description = 'WhatsApp: row of the desk'
    _auto = False
    _rows = None            # the statement that has them

    @property
    def _table_query(self):
        if self.env['sicantik.wa.database']._trouble():
            return "SELECT %s WHERE false" % ', '.join(
                'NULL::%s AS %s' % (field.column_type[1], name)
                for name, field in self._fields.items() if field.store and field.column_type)
        return self._rows

    def _manage(self, statement, *values):
        self.env['sicantik.wa.database']._require('manage')
        self.ensure_one()
        return self.env['sicantik.wa.database']._ask(statement, values)

    def _tell(self, sentences, good=True):
        return self.env['sicantik.wa.database']._tell(self.display_name, sentences, good)


class Provider(models.Model):
    _name = 'sicantik.wa.provider'
    _inherit = 'sicantik.wa.row'
    _description = 'WhatsApp: provider'
    _auto = False
    _log_access = False
    _order = 'sequence, name'
    _rows = """
        SELECT %s, name, sequence, is_default, quota_left::text AS quota_left, last_error,
               CASE WHEN NOT active THEN 'off' WHEN paused_at IS NOT NULL THEN 'paused' ELSE state END AS state,
               tested_at AT TIME ZONE 'UTC' AS tested_at, last_error_at AT TIME ZONE 'UTC' AS last_error_at
          FROM wa.provider_view""" % (NUMBER % 'name')

    name = fields.Char("Provider")
    sequence = fields.Integer()
    state = fields.Selection([
        ('draft', "Not tested"), ('configured', "Ready"), ('error', "Error"), ('paused', "Paused"), ('off', "Switched off")])
    is_default = fields.Boolean("Default")
    quota_left = fields.Char("Quota left")     # empty: it tells nothing
    tested_at = fields.Datetime("Tested")
    last_error = fields.Char("Last error")
    last_error_at = fields.Datetime("Error at")

    def action_test(self):
        rows, _said = self._manage(
            "SELECT ok, coalesce(detail ->> 'reason', (SELECT string_agg(key || ': ' || value, ', ')"
            " FROM jsonb_each_text(detail))) AS told FROM wa_test_connection(%s)", self.name)
        works = rows[0]['ok']
        return self._tell([_("The connection works:") if works else _("The connection does not work:"), rows[0]['told']], works)

    def action_pause(self):
        _rows, said = self._manage("SELECT wa_pause(%s)", self.name)
        return self._tell(said or [_("Nothing goes by it until it is resumed.")])

    def action_resume(self):
        _rows, said = self._manage("SELECT wa_resume(%s)", self.name)
        return self._tell(said or [_("It is used again.")], not said)

    def action_default(self):
        _rows, said = self._manage("SELECT wa_configure(%s, %s)", self.name, json.dumps({'is_default': True}))
        return self._tell([_("It is the default provider now."), *said], not said)


class Scenario(models.Model):
    _name = 'sicantik.wa.scenario'
    _inherit = 'sicantik.wa.row'
    _description = 'WhatsApp: scenario'
    _auto = False
    _log_access = False
    _order = 'name'
    _rows = """
        SELECT %s, key, name, active AS is_on, muted_until AT TIME ZONE 'UTC' AS muted_until,
               to_char(hours_from, 'HH24:MI') || ' - ' || to_char(hours_to, 'HH24:MI') AS hours
          FROM wa.scenario_view""" % (NUMBER % 'key')

    key = fields.Char()
    name = fields.Char("Scenario")
    is_on = fields.Boolean("On")
    hours = fields.Char("Sent between")
    muted_until = fields.Datetime("Muted until")

    def action_start(self):
        return self._switch(True, _("It makes messages from now on."))

    def action_stop(self):
        return self._switch(False, _("It makes no messages from now on."))

    def _switch(self, on, told):
        _rows, said = self._manage("SELECT wa_set_scenario(%s, %s)", self.key, json.dumps({'active': on}))
        return self._tell([told, *said])


class Setting(models.Model):
    _name = 'sicantik.wa.setting'
    _inherit = 'sicantik.wa.row'
    _description = 'WhatsApp: setting of the office'
    _auto = False
    _log_access = False
    _rows = "SELECT n.id, n.name, s.value FROM (VALUES %s) AS n (id, name) LEFT JOIN wa.setting_view AS s ON s.name = n.name" % (
        ', '.join("(%d, '%s')" % (n, name) for n, (name, _label) in enumerate(SETTINGS, 1)))

    name = fields.Selection(SETTINGS, "Setting", readonly=True)
    value = fields.Char()

    def write(self, values):
        for setting in self if 'value' in values else ():
            setting._manage("SELECT wa_set(%s, %s)", setting.name, values['value'] or None)
        self.invalidate_recordset()
        return True


class Desk(models.Model):
    _name = 'sicantik.wa.desk'
    _description = 'WhatsApp: settings and desk'
    _auto = False
    _log_access = False
    _table_query = "SELECT 1 AS id"

    name = fields.Char(compute='_compute_status')
    mode = fields.Char(compute='_compute_status')
    next = fields.Char("To do next", compute='_compute_status')
    provider_ids = fields.Many2many('sicantik.wa.provider', compute='_compute_rows')
    scenario_ids = fields.Many2many('sicantik.wa.scenario', compute='_compute_rows')
    setting_ids = fields.Many2many('sicantik.wa.setting', compute='_compute_rows', readonly=False)
    checks = fields.Html(compute='_compute_checks', sanitize=False)

    def _compute_status(self):
        status = {row['item']: ' – '.join(filter(None, (row['value'], row['detail'])))
                  for row in self.env['sicantik.wa.database']._run("SELECT item, value, detail FROM wa_status()")}
        for desk in self:
            desk.name = _("Settings and desk")
            desk.mode = status.get('mode')
            desk.next = status.get('next')

    def _compute_rows(self):
        for desk in self:
            for name in ('provider', 'scenario', 'setting'):
                desk[name + '_ids'] = self.env['sicantik.wa.' + name].search([])

    def _compute_checks(self):
        """The worst first."""
        found = self.env['sicantik.wa.database']._run(
            "SELECT item, state, coalesce(what_to_do, '') AS what FROM wa_check() WITH ORDINALITY"
            " ORDER BY array_position('{error,warning,ok}', state), ordinality")
        for desk in self:
            desk.checks = Markup('<table class="table table-sm text-break">%s</table>') % Markup('').join(
                Markup('<tr><td><span class="badge text-bg-%s">%s</span></td><td><div>%s</div><div>%s</div></td></tr>')
                % (LIGHTS.get(row['state'], 'secondary'), row['state'], row['item'], row['what']) for row in found)

    def write(self, values):
        """The page keeps nothing: what was typed into a row is for that row."""
        for command in values.get('setting_ids') or ():
            if command[0] == 1:
                self.env['sicantik.wa.setting'].browse(command[1]).write(command[2])
        return True

    @api.model
    def open_desk(self):
        database = self.env['sicantik.wa.database']
        database._require('manage')
        database._run("SELECT")         # says it where there are no functions
        return {'type': 'ir.actions.act_window', 'name': _("Settings and desk"), 'res_model': self._name,
                'res_id': 1, 'view_mode': 'form', 'views': [(False, 'form')]}

    def action_arm(self):
        self.env['sicantik.wa.database']._require('manage')
        return self.env['sicantik.wa.arm']._open()

    def action_disarm(self):
        return self.env['sicantik.wa.arm'].create({}).action_disarm()

    def action_test_mode(self):
        database = self.env['sicantik.wa.database']
        database._require('manage')
        rows, said = database._ask("SELECT wa_set('mode', 'test')")
        return database._tell(_("Mode"), [*rows[0].values(), *said])

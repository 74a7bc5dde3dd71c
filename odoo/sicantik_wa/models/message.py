"""The ledger: a model without a table or a view in the database.

Its rows are those of wa.message, as far as the user may read in Odoo what they
are about, with numbers masked as the database masks them.  That is the model's
only source, so it holds whatever way Odoo, or somebody by RPC, comes to it.
"""

from markupsafe import Markup

from odoo import _, api, fields, models

from .. import series

STATES = [
    ('queued', "Waits to be sent"), ('sending', "Is being sent"), ('sent', "Taken by the provider"),
    ('delivered', "Delivered"), ('read', "Read"), ('failed', "Failed"),
    ('unknown', "Not known whether it arrived"), ('held', "Held back"), ('skipped', "Not sent"),
    ('cancelled', "Cancelled"), ('superseded', "Replaced by a newer one"), ('expired', "Too old to be sent"),
]
# Field: what it is in SQL.
COLUMNS = {
    'id': "m.id",
    'number': "m.number",
    'partner_id': "contact.id",
    'contact': "contact.name",
    'scenario': "coalesce(scenario.name, m.scenario)",
    'scenario_key': "m.scenario",
    'template_key': "m.template_key",
    'provider': "coalesce(m.provider, m.wanted_provider)",
    'state': "m.state",
    'reason': "wa._cause(m.reason, NULL, NULL, '%(language)s')",
    'why': "wa._cause(m.reason, m.detail, m.detail_said, '%(language)s')",
    'body': "m.body",
    'day': "(m.created_at AT TIME ZONE (SELECT wa._time_zone()))::date",
    'created_by': "m.created_by",
    'attempts': "m.attempts",
    'res_model': "m.res_model",
    'res_id': "m.res_id",
}
TIMES = ('created_at', 'sent_at', 'delivered_at', 'read_at', 'finished_at', 'due_at', 'expires_at')
MASKED = ('why', 'body')
# Of the permit, where this Odoo has it.
PERMIT = ('registration_id', 'permit_number')
TICKS = {'sent': "✓", 'delivered': "✓✓", 'read': "✓✓"}


class Message(models.Model):
    _name = 'sicantik.wa.message'
    _description = 'WhatsApp message'
    _auto = False
    _order = 'id desc'
    _rec_name = 'number'

    number = fields.Char(readonly=True)
    partner_id = fields.Many2one('res.partner', "Contact's record", readonly=True)
    contact = fields.Char(readonly=True)
    scenario = fields.Char(readonly=True, help="What it was made by; nothing: it was sent by hand.")
    scenario_key = fields.Char(readonly=True)
    template_key = fields.Char("Template", readonly=True)
    provider = fields.Char(readonly=True)
    state = fields.Selection(STATES, readonly=True)
    reason = fields.Char(readonly=True)
    why = fields.Char("Explanation", readonly=True)
    body = fields.Text("Text", readonly=True)
    day = fields.Date(readonly=True, help="In the office's time zone.")
    created_by = fields.Char("Sent by hand by", readonly=True)
    attempts = fields.Integer(readonly=True)
    res_model = fields.Char("Kind of record", readonly=True)
    res_id = fields.Many2oneReference("Record", model_field='res_model', readonly=True)
    registration_id = fields.Char("Registration", readonly=True)
    permit_number = fields.Char("Permit number", readonly=True)
    created_at = fields.Datetime("Made", readonly=True)
    sent_at = fields.Datetime("Sent", readonly=True)
    delivered_at = fields.Datetime("Delivered", readonly=True)
    read_at = fields.Datetime("Read", readonly=True)
    finished_at = fields.Datetime("Ended", readonly=True)
    due_at = fields.Datetime("Not before", readonly=True)
    expires_at = fields.Datetime("Not after", readonly=True)
    ticks = fields.Char("", compute='_compute_ticks')
    now = fields.Html(compute='_compute_story', sanitize=False)
    story = fields.Html(compute='_compute_story', sanitize=False)
    about = fields.Char("Number, permit or name", search='_search_about', store=False)

    @property
    def _table_query(self):
        if self.env['sicantik.wa.database']._trouble():
            names = [name for name, field in self._fields.items() if field.store and name != 'id']
            return "SELECT NULL::bigint AS id, %s WHERE false" % ', '.join(
                'NULL::%s AS %s' % (self._fields[name].column_type[1], name) for name in names)
        database, permit = self.env['sicantik.wa.database'], self._permit()
        columns = {name: sql % {'language': database._language()} for name, sql in COLUMNS.items()}
        if database._level() != 'admin':
            columns.update((name, "wa._masked(%s, 'view')" % columns[name]) for name in MASKED)
            columns['number'] = "substr(wa._masked('+' || m.number, 'view'), 2)"
        columns.update((name, "m.%s AT TIME ZONE 'UTC'" % name) for name in TIMES)
        about = list(self._about())
        permits = [alias for alias, model, *rest in about if model._name == 'sicantik.permit']
        columns.update((name, "coalesce(%s)" % ', '.join("%s.%s" % (alias, name) for alias in permits)
                        if name in permit else "NULL::text") for name in PERMIT)
        return "SELECT %s FROM wa.message AS m %s %s WHERE %s" % (
            ', '.join('%s AS %s' % (sql, name) for name, sql in columns.items()),
            "LEFT JOIN wa.scenario AS scenario ON scenario.key = m.scenario", ' '.join(self._joins(about)), self._gate(about))

    def _permit(self):
        """Those fields of permits that are columns."""
        known = self.env['sicantik.permit']._fields if 'sicantik.permit' in self.env else {}
        return [name for name in PERMIT if name in known and known[name].store]

    # Who may read which

    def _about(self):
        """(alias, model, how it is joined, names of the model) for each model
        that messages may be about, the contacts, and permits of documents."""
        self.env.cr.execute("SELECT DISTINCT unnest(ARRAY[watch, split_part(watch, '.', 2)]) FROM wa.scenario")
        watched = {row[0] for row in self.env.cr.fetchall()} | {'sicantik_permit', 'sicantik_document', 'signature_workflow'}
        found = {model._table: name for name, model in self.env.registry.items() if model._auto and not model._abstract}
        for table in sorted(watched & set(found)):
            names = ', '.join("'%s'" % name for name in (found[table], table, 'public.' + table))
            yield ('about_' + table, self.env[found[table]],
                   "about_%s.id = m.res_id AND m.res_model IN (%s)" % (table, names), names)
        if {'sicantik_permit', 'sicantik_document'} <= set(found):
            yield 'its_permit', self.env['sicantik.permit'], "its_permit.id = about_sicantik_document.permit_id", None
        yield 'contact', self.env['res.partner'], "contact.id = m.partner_id", None

    def _joins(self, about):
        """The records, each with whether the user may read it."""
        for alias, model, condition, names in about:
            yield 'LEFT JOIN (SELECT "%s".*, %s AS may_read FROM "%s") AS %s ON %s' % (
                model._table, "true" if self.env.su else series.readable(model), model._table, alias, condition)

    def _gate(self, about):
        """A condition: what the user may read in Odoo.

        A message is seen where its record or its contact can be read, and
        neither of them is there and cannot.  One about what Odoo does not have
        any more is for who may manage and works for all companies.
        """
        if self.env.su:
            return "true"
        hidden = ["%s.may_read IS FALSE" % alias for alias, *rest in about]
        if not self._sees_gone():
            known = ', '.join(names for *rest, names in about if names) or "''"
            shown = ["%s.may_read" % alias for alias, *rest in about] + ["m.res_id IS NULL AND m.partner_id IS NULL"]
            hidden += ["m.res_id IS NOT NULL AND coalesce(m.res_model, '') NOT IN (%s)" % known,
                       "(%s) IS NOT TRUE" % ' OR '.join(shown)]
        # one condition, of which the planner expects that it holds often enough to begin with the newest
        return "CASE WHEN %s THEN false ELSE true END" % ' OR '.join(hidden)

    def _sees_gone(self):
        companies = self.env['res.company'].sudo().search_count([])
        return self.env['sicantik.wa.database']._level() == 'admin' and len(self.env.user.company_ids) == companies

    def _readable(self):
        """Those of these messages that the user may read."""
        return self.search([('id', 'in', self.ids)])

    @api.model
    def _search(self, *args, **kwargs):
        self.env['sicantik.wa.database']._must_be_there()
        return super()._search(*args, **kwargs)

    def _search_about(self, operator, value):
        """By a number in any spelling, a permit's, or a contact's name."""
        if operator.startswith(('not', '!', '<>')):
            return [('id', 'not in', self.search(self._search_about('ilike', value)).ids)]
        if not isinstance(value, str):          # several, any of which will do
            values = list(value) if hasattr(value, '__iter__') else [value]
            return ['|'] * (len(values) - 1) + [part for one in values for part in self._found(one)] or [('id', '=', False)]
        return self._found(value)

    def _found(self, value):
        database = self.env['sicantik.wa.database']
        text = str(value or '').strip()
        number = database._value("SELECT wa_normalize_number(%s)", (text,))
        if number:
            # whoever knows the number may look for it, as with wa_history()
            found = [row['id'] for row in database._run("SELECT id FROM wa.message WHERE number = %s", (number,))]
            if found:
                return [('id', 'in', found)]
        return ['|', '|', '|', ('number', 'ilike', text), ('registration_id', 'ilike', text),
                ('permit_number', 'ilike', text), ('contact', 'ilike', text)]

    # What is shown of one

    @api.depends('state')
    def _compute_ticks(self):
        for message in self:
            message.ticks = TICKS.get(message.state, "")

    @api.depends('contact', 'number')
    def _compute_display_name(self):
        for message in self:
            message.display_name = message.contact or message.number or _("Message %s", message.id)

    def _compute_story(self):
        """All of wa_why(), and the end of it alone: the state, why, and what one can do."""
        database = self.env['sicantik.wa.database']
        readable = self._readable()
        for message in self:
            rows = database._run("SELECT * FROM wa_why(%s)", (message.id,)) if message in readable else []
            last = [n for n, row in enumerate(rows) if row['what'].endswith('(%s)' % message.state)][-1:]
            message.now = Markup('<br/>').join(database._in_odoo(row['what']) for row in rows[last[0]:]) if last else False
            message.story = database._told(rows) if rows else False

    def open_record(self):
        self.ensure_one()
        return {'type': 'ir.actions.act_window', 'res_model': self.res_model, 'res_id': self.res_id,
                'views': [(False, 'form')]} if self.res_model in self.env else False

    @api.model
    def open_ledger(self):
        """The menu: the list, or a sentence why there is none."""
        self.env['sicantik.wa.database']._must_be_there()
        return self.env['ir.actions.act_window']._for_xml_id('sicantik_wa.message_action')

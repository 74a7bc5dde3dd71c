"""The one way to the database's functions."""

import re

import psycopg2
from markupsafe import Markup

from odoo import _, api, models
from odoo.exceptions import AccessError, UserError

from .. import series

VERSION = '1.1'                 # of the extension that this add-on is of
# Odoo tries the whole request again
AGAIN = ('40001', '40P01')
# Odoo is one role for everybody: the database masks and refuses as for the user
FOR_USER = "SELECT set_config('sicantik_wa.level', %s, true), set_config('sicantik_wa.language', %s, true)"
FOR_ANYBODY = "SET LOCAL sicantik_wa.level TO DEFAULT; SET LOCAL sicantik_wa.language TO DEFAULT"

FUNCTION = re.compile(r"(?:SELECT (?:\* FROM )?)?wa_(retry|cancel|release|send|check|set|arm)\([^()]*\)")


class Database(models.AbstractModel):
    _name = 'sicantik.wa.database'
    _description = 'WhatsApp: functions of the database'

    @api.model
    def _load_screens(self, names):
        series.load_screens(self.env, names)

    @api.model
    def _trouble(self):
        """A sentence where the functions cannot be used, else None."""
        self.env.cr.execute("""
            SELECT extversion, pg_has_role(datdba, 'USAGE'), current_user FROM pg_extension, pg_database
             WHERE extname = 'sicantik_wa' AND datname = current_database()""")
        found = self.env.cr.fetchone()
        if not found:
            return _("This database does not have the extension sicantik_wa: CREATE EXTENSION sicantik_wa makes it,"
                     " SELECT * FROM wa_setup() sets it up.")
        if found[0] != VERSION:
            return _("The extension sicantik_wa has version %(there)s here, this add-on is made for %(here)s:"
                     " ALTER EXTENSION sicantik_wa UPDATE, or install the add-on that belongs to it.",
                     there=found[0], here=VERSION)
        if not found[1]:
            return _("This database does not belong to Odoo's role: ALTER DATABASE %(database)s OWNER TO %(role)s"
                     " lets Odoo read the messages.", database=self.env.cr.dbname, role=found[2])
        return None

    @api.model
    def _must_be_there(self):
        trouble = self._trouble()
        if trouble:
            raise UserError(trouble)

    @api.model
    def _language(self):
        """That of the user, of the two in which the database tells."""
        lang = self.env.context.get('lang') or self.env.user.lang or ''
        return 'id' if lang.startswith('id') else 'en'

    @api.model
    def _level(self):
        """What the user may do, as wa_grant() names it; None: nothing."""
        for group, level in (('manage', 'admin'), ('send', 'send'), ('view', 'view')):
            if self.env.user.has_group('sicantik_wa.group_' + group):
                return level
        return None

    @api.model
    def _require(self, group):
        """Whoever calls a method from outside must be of the group himself."""
        if not self.env.user.has_group('sicantik_wa.group_' + group):
            raise AccessError(_("This needs the right \"WhatsApp: %s\".", group))

    @api.model
    def _must_read(self, records):
        """Whoever names records from outside must be one who may read them."""
        if records and records.with_context(active_test=False).search_count([('id', 'in', records.ids)]) < len(records):
            raise AccessError(_("This record is not there, or not for you to see."))

    @api.model
    def _run(self, statement, values=()):
        """The rows of a statement, as dictionaries.

        In Odoo's own transaction, in the user's language and with his level;
        an error is a sentence (UserError), and spoils nothing of Odoo's.
        """
        self._must_be_there()
        cr = self.env.cr
        cr.flush()
        try:
            # one that flushes empties Odoo's cache after an error: a record
            # that is not saved yet would lose what was typed into it
            with cr.savepoint(flush=False):
                cr.execute(FOR_USER, (self._level() or 'none', self._language()), log_exceptions=False)
                # log_exceptions: the values may be a citizen's, or a credential
                cr.execute(statement, values, log_exceptions=False)
                rows = cr.dictfetchall() if cr.description else []
                cr.execute(FOR_ANYBODY)
                return rows
        except psycopg2.Error as error:
            if error.pgcode in AGAIN:
                raise
            raise UserError(self._sentences(error)) from None
        except ValueError:              # of the driver: a NUL, half of a character
            raise UserError(_("There are characters in this that cannot be stored. Type it anew.")) from None

    @api.model
    def _value(self, statement, values=()):
        """The only value of the only row; None without a row."""
        return next((value for row in self._run(statement, values) for value in row.values()), None)

    @api.model
    def _story(self, statement, values=()):
        return self._told(self._run(statement, values))

    @api.model
    def _told(self, rows):
        """Rows of (at, what), in the office's time, as they are read."""
        return Markup('<table class="table table-sm table-borderless text-break">%s</table>') % Markup().join(
            Markup('<tr><td class="text-muted" style="width: min(11em, 25vw)">%s</td><td>%s</td></tr>') % (
                row['at'].strftime('%d-%m-%Y %H:%M:%S') if row['at'] else '', self._in_odoo(row['what'])) for row in rows)

    @api.model
    def _in_odoo(self, what):
        """A sentence, with the button where it names the function that this calls."""
        desk = _("Settings and desk")
        button = {'retry': _("Send again"), 'cancel': _("Cancel"), 'release': _("Release"), 'send': _("Send WhatsApp"),
                  'check': desk, 'set': desk, 'arm': desk}
        return FUNCTION.sub(lambda found: '"%s"' % button[found[1]], what)

    @staticmethod
    def _sentences(error):
        diag = error.diag
        parts = (diag.message_primary or str(error), diag.message_detail, diag.message_hint)
        return '\n'.join(part[:1].upper() + part[1:] for part in parts if part)

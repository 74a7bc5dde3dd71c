"""What people do with messages: cancel, send again, let go."""

import re

from odoo import _, models
from odoo.exceptions import AccessError

# Of many answers so many are shown.
SHOWN = 5


class Message(models.Model):
    _inherit = 'sicantik.wa.message'

    def action_cancel(self):
        return self._wish('send', _("Cancel"), "SELECT wa_cancel(%s)")

    def action_retry(self):
        return self._wish('send', _("Send again"), "SELECT wa_retry(%s)")

    def action_release(self):
        return self._wish('manage', _("Release"), "SELECT wa_release(%s)")

    def _wish(self, group, title, statement):
        """Ask for each of these, and show what is answered: the worker carries
        it out when Odoo's transaction has committed."""
        database = self.env['sicantik.wa.database']
        database._require(group)
        self._require_visible()
        taken, said = 0, []
        for message in self:
            rows, told = database._ask(statement, [message.id])
            taken += sum(rows[0].values())
            said += told
        asked = (_("%(taken)s of %(all)s messages: done in a moment.", taken=taken, all=len(self)) if taken
                 else _("Nothing is done."))
        return database._tell(title, [asked, *said[:SHOWN]], good=taken == len(self))

    def _require_visible(self):
        """The ids come from outside: with what a user may not see he does nothing."""
        if len(self._readable()) < len(self):
            raise AccessError(_("One of these messages is not there, or not for you to see."))

    def action_send_once_more(self):
        """The same as a new message, to be looked at first: to a corrected number, say."""
        self.ensure_one()
        self.env['sicantik.wa.database']._require('send')
        self._require_visible()
        of_permit = self.res_model == 'sicantik.permit'
        # a text in which a number is masked for this user is not the text
        masked = re.search(r'[\d+]\W{0,3}\*\W*\d', self.body or '')
        return self.env['sicantik.wa.send']._open(
            *(('sicantik.permit', self.res_id) if of_permit else ('res.partner', self.partner_id.id)),
            kind='template' if self.template_key else 'text', template=self.template_key,
            body=not self.template_key and not masked and self.body)

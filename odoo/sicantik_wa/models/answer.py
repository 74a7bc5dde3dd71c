"""What the database's functions answer, shown to whoever asked."""

import re

from odoo import api, models


class Database(models.AbstractModel):
    _inherit = 'sicantik.wa.database'

    @api.model
    def _ask(self, statement, values=()):
        """As _run(), with what was told beside the rows: notices and warnings,
        which is how a function says that it did nothing, and why."""
        notices = self.env.cr._cnx.notices
        del notices[:]
        rows = self._run(statement, values)
        return rows, [self._notice(notice) for notice in notices]

    @staticmethod
    def _notice(notice):
        """'NOTICE:  a\\nDETAIL:  b\\n' is 'A. b'"""
        parts = [re.sub(r'^[A-Z]+:\s+', '', line).strip() for line in notice.splitlines()]
        text = ' '.join(part if part.endswith('.') else part + '.' for part in parts if part)
        return text[:1].upper() + text[1:]

    @api.model
    def _tell(self, title, sentences, good=True, then='soft_reload'):
        """What shows this to the user, and the page as it is by then."""
        following = {'type': 'ir.actions.client', 'tag': then} if then == 'soft_reload' else {'type': then}
        return {
            'type': 'ir.actions.client', 'tag': 'display_notification',
            'params': {
                'title': title, 'message': ' '.join(filter(None, sentences)),
                'type': 'success' if good else 'warning', 'sticky': not good, 'next': following,
            },
        }

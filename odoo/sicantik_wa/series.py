"""What differs between the series of Odoo, and nowhere else."""

import io

from lxml import etree

from odoo.exceptions import AccessError
from odoo.modules.module import get_module_path
from odoo.release import version_info
from odoo.tools.convert import convert_xml_import

SERIES = version_info[0]
SCREENS = SERIES >= 17          # before, there is the webhook and the dispatcher
DISPATCHERS = SERIES >= 16       # of requests, by the type of their route
MODULE = 'sicantik_wa'


class Screen(io.BytesIO):
    """A file of screens as this series has it."""

    def __init__(self, path):
        tree = etree.parse(path)
        if SERIES < 18:         # a list is a "tree" there
            for node in tree.iter('list'):
                node.tag = 'tree'
            for node in tree.iter('t'):
                if node.get('t-name') == 'card':
                    node.set('t-name', 'kanban-box')
            for node in tree.iter('field'):
                if node.get('mode'):
                    node.set('mode', node.get('mode').replace('list', 'tree'))
                if node.get('name') == 'view_mode':
                    node.text = node.text.replace('list', 'tree')
        super().__init__(etree.tostring(tree, encoding='utf-8'))
        self.name = path


def load_screens(env, names):
    """Load files of views, actions and menus, as the manifest would."""
    for name in names if SCREENS else ():
        path = '%s/screens/%s.xml' % (get_module_path(MODULE), name)
        convert_xml_import(env, MODULE, Screen(path), {}, 'update')


def readable(model):
    """A condition in SQL on rows of the model's table: the user may read it."""
    table = model._table
    try:
        query = model.with_context(active_test=False)._search([])
    except AccessError:
        return "false"
    select = query.select()
    code, values = select if isinstance(select, tuple) else (select.code, select.params)
    # it becomes a part of a statement that has values itself
    code = model.env.cr.mogrify(code, tuple(values)).decode().replace('%', '%%')
    plain = 'SELECT "%s"."id" FROM "%s"' % (table, table)
    if code == plain:
        return "true"
    if code.startswith(plain + ' WHERE '):
        return "coalesce(%s, false)" % code[len(plain + ' WHERE '):]
    return '"%s".id IN (%s)' % (table, code)

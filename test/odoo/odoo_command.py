#!/usr/bin/python3
"""Odoo's command line, also for a Python that is newer than this Odoo.

    odoo_command.py COMMAND ...                      what odoo itself takes
    odoo_command.py manager FUNCTION [ARGUMENT]...   a function of Odoo's database
                                                     manager: odoo.service.db

Each repair applies only where it is needed.
"""

import ast
import contextlib
import dis
import sys

from odoo.tools import config, misc, safe_eval


def repair_ordered_set():
    """weakref.WeakSet calls the copy() of its container since Python 3.14."""
    known = getattr(misc, 'OrderedSet', None)
    if known is not None and not hasattr(known, 'copy'):
        # of its dictionary, in one go: meanwhile references go away
        known.copy = lambda self: type(self)(self._map.copy())


def repair_safe_eval():
    """Harmless byte codes that this Python's compiler makes of the
    expressions in Odoo's own data, and Odoo does not know yet."""
    harmless = ('JUMP_BACKWARD_NO_INTERRUPT', 'LOAD_COMMON_CONSTANT',
                'LOAD_FAST_BORROW', 'LOAD_FAST_BORROW_LOAD_FAST_BORROW',
                'LOAD_SMALL_INT', 'LOAD_SPECIAL', 'NOT_TAKEN', 'POP_ITER')
    codes = {dis.opmap[name] for name in harmless if name in dis.opmap}
    for allowed in ('_CONST_OPCODES', '_EXPR_OPCODES', '_SAFE_OPCODES'):
        getattr(safe_eval, allowed).update(codes)


def manager(function, *arguments):
    """What the pages of the database manager call."""
    import odoo.modules.registry        # noqa: F401, as the server does
    from odoo import api
    from odoo.service import db

    # what a request has, up to Odoo 14
    manage = getattr(api.Environment, 'manage', contextlib.nullcontext)
    with manage():
        call(db, function, *arguments)


def call(db, function, *arguments):
    """The function, with what it cannot take from a command line made here."""
    if function == 'backup':
        name, path = arguments
        with open(path, 'wb') as stream:
            db.dump_db(name, stream, 'zip')
    elif function == 'restore':
        name, path, copy = arguments
        db.restore_db(name, path, copy=ast.literal_eval(copy))
    else:
        getattr(db, function)(*arguments)


repair_ordered_set()
repair_safe_eval()
if sys.argv[1:2] == ['manager']:
    config.parse_config(['--no-http', '--log-level=warn'])
    manager(*sys.argv[2:])
else:
    import odoo.cli
    sys.argv[0] = __file__      # which Odoo starts again for its other processes
    odoo.cli.main()

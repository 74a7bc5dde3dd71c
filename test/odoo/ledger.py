"""The add-on's ledger, as users of different rights see it: parts of checks.py."""

import re

from odoo_test import check, equal, must, ODOO, part, PRODUCTION, sql


def install():
    part("The add-on")
    output = must(ODOO + ["-d", PRODUCTION, "-i", "sicantik_wa", "--stop-after-init", "--no-http"],
                  "odoo")
    check(not re.search(r" (WARNING|ERROR|CRITICAL) \S+ odoo\.(addons|modules|models|tools\.convert)", output),
          "it installs, and Odoo has nothing to say of it", output[-2000:])
    equal(sql("SELECT count(*) FROM pg_depend AS d, pg_extension AS e WHERE e.extname = 'sicantik_wa'"
              " AND d.refobjid IN (SELECT oid FROM pg_class WHERE relnamespace = 'wa'::regnamespace)"
              " AND d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT oid FROM pg_constraint"
              "  WHERE contype = 'f' AND confrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'wa'::regnamespace))"),
          "0", "  with no foreign key to schema wa")

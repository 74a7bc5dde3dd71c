# pgbouncer.sh: PgBouncer in transaction mode before many clients as Odoo's are.

. "$here/lib/machine.sh"

prepare() { machine_prepare pgbouncer; }

check() { machine_check pooled; }

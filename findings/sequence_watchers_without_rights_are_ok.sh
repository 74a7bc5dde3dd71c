#!/bin/bash
#
# check_pgactivity 2.6 and check_postgres 2.25.0 (Debian 12) with PostgreSQL 15: the check
# for sequences that come to their end is OK if the role that asks has no rights on them,
# even where not one number is left and Odoo can insert nothing any more.
#
# One would expect CRITICAL, or UNKNOWN if the role may not look.  check_pgactivity's
# documentation (sequences_exhausted) says "Check all sequences" and, of the rights that
# are needed, "unprivileged role able to log in all databases"; check_postgres's names
# none.  But PostgreSQL tells the last value of a sequence only to who may use or read it,
# and pg_monitor, the role that is made for watching, is none of these.  To others it is
# NULL.  check_pgactivity takes that for a sequence that was never used, and leaves it
# out; check_postgres takes it for the beginning, and says "0% (calls left=2147483646)".
#
# The rows that Odoo makes have an id of four bytes, from a sequence that gives a number
# away with each insert that fails, too.  An office that watches it as it was told to, with a
# role of its own that is member of pg_monitor, sees a green light until the day when no
# permit and no message can be saved.
#
# Give that role pg_read_all_data, which reads everything, or for each schema
# GRANT SELECT ON ALL SEQUENCES, and the same by ALTER DEFAULT PRIVILEGES FOR ROLE odoo
# for those to come.  Where check_postgres says 0%, believe neither.
#
# Seen: one table with a serial id whose last number is taken, watched as superuser, as
# its owner, as a member of pg_monitor, and with the right.  Fails if that changes.  Needs
# Debian 12 with its package postgresql-15 (any minor release), perl, and apt's lists; the
# server listens on a socket in its folder only.
#
set -euo pipefail

packages='check-pgactivity=2.6-2 check-postgres=2.25.0-5'
dir=$(mktemp -d)
bin=/usr/lib/postgresql/15/bin

as_user()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups "$@"
	else
		"$@"
	fi
}

finish()
{
	as_user "$bin/pg_ctl" -D "$dir/data/main" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

cd "$dir"
mkdir download data
# shellcheck disable=SC2086
(cd download && apt-get -qq download $packages 2>/dev/null) || { echo "$packages: cannot be had here"; exit 1; }
for deb in download/*.deb; do dpkg-deb -x "$deb" .; done
chmod 755 "$dir"
[ "$(id -u)" != 0 ] || chown postgres: data

unset PGPORT PGSERVICE PGOPTIONS
export PGUSER=office PGHOST="$dir/data" PGDATABASE=odoo_prod PATH="$bin:$PATH"
as_user "$bin/initdb" -D data/main -U office -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
cat >> data/main/postgresql.conf <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$dir/data'
	fsync = off
CONF
as_user "$bin/pg_ctl" -D data/main -l data/log -w start >/dev/null
psql -qX -d postgres -c 'CREATE ROLE odoo LOGIN' -c 'CREATE ROLE watcher LOGIN IN ROLE pg_monitor' \
	-c 'CREATE DATABASE odoo_prod OWNER odoo'
psql -qXAt -U odoo -c 'CREATE SCHEMA licence' -c 'CREATE TABLE licence.permit (id serial PRIMARY KEY, name text)' \
	-c "SELECT setval('licence.permit_id_seq', 2147483647)" >/dev/null
echo "$packages, $(postgres --version)"

# both ROLE: what each says first, and its exit status
both()
{
	local code=0 said
	said=$(perl usr/lib/nagios/plugins/check_pgactivity --service=sequences_exhausted --host="$dir/data" --username="$1" \
		--dbname=postgres --warning=80% --critical=90% --status-file="$dir/state.$1" 2>/dev/null) || code=$?
	echo "check_pgactivity as $1: $code $(echo "$said" | sed -n '1 s/^[A-Z_]* \([A-Z]*\).*/\1/p')"
	code=0
	said=$(perl usr/bin/check_postgres --action=sequence --host="$dir/data" --dbuser="$1" \
		--dbname=odoo_prod --warning=80% --critical=90% 2>/dev/null) || code=$?
	echo "check_postgres as $1: $code $(echo "$said" | sed -n '1 s/^[A-Z_]* \([A-Z]*\):.*permit_id_seq=\([0-9]*%\) (calls left=\([0-9]*\)).*/\1, \2 used, \3 left/p')"
}

answer="Odoo: $(psql -qX -U odoo -c "INSERT INTO licence.permit (name) VALUES ('x')" 2>&1 || true)
$(both office)
$(both odoo)
$(both watcher)
$(psql -qX -d postgres -c 'GRANT pg_read_all_data TO watcher')with the right to read:
$(both watcher)"
echo "$answer"
[ "$answer" = 'Odoo: ERROR:  nextval: reached maximum value of sequence "permit_id_seq" (2147483647)
check_pgactivity as office: 2 CRITICAL
check_postgres as office: 2 CRITICAL, 100% used, 0 left
check_pgactivity as odoo: 2 CRITICAL
check_postgres as odoo: 2 CRITICAL, 100% used, 0 left
check_pgactivity as watcher: 0 OK
check_postgres as watcher: 0 OK, 0% used, 2147483646 left
with the right to read:
check_pgactivity as watcher: 2 CRITICAL
check_postgres as watcher: 2 CRITICAL, 100% used, 0 left' ]

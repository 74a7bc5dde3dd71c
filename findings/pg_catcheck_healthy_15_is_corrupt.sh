#!/bin/bash
#
# pg_catcheck 1.3.0 (Debian 12, package postgresql-15-pg-catcheck) with PostgreSQL 15:
# a healthy database in which somebody has said CREATE PUBLICATION ... FOR TABLES IN
# SCHEMA, or a server in which somebody has said GRANT SET ON PARAMETER, has
# "inconsistencies", and the exit status is 1.
#
# One would expect "0 inconsistencies": its documentation says that it works with a
# server of 8.4 or higher, the package is made for 15, and to the rest of what 15 can
# do it says nothing.  But it has a list of the catalogs that there are, and those two
# are missing, pg_publication_namespace and pg_parameter_acl, both new in 15.  What
# depends on their rows is reported as "invalid classid: not a system catalog OID".
# It could say that it does not know the catalog; instead it says what its
# documentation calls a problem in the structure of the catalogs, and a way out that
# is named there is to delete the rows.
#
# An office that looks for damage before an upgrade or after a crash puts the upgrade off,
# or restores an older backup, for nothing; or gets used to it and passes over real damage.
# A role that imports data needs such a grant (SET ON PARAMETER session_replication_role),
# and as it belongs to the whole server, each of its databases is called damaged, an empty
# one as well.  A publication of a schema is how a second server for reports gets its tables.
#
# Who deletes the reported row makes the damage: DROP ROLE, which had refused, succeeds and
# leaves a grant to nobody.  Before believing it, ask "SELECT 6243::regclass" (or 6237) with
# the number of the report: a name that begins with pg_ is a catalog, and no damage.
#
# Seen: an empty database, then with each of the two, then without; and that
# both go through pg_dumpall and a restore.  Fails if that changes.  Needs Debian 12 with
# its package postgresql-15 (any minor release) and apt's lists; the server listens on a
# socket in its folder only.
#
set -euo pipefail

package=postgresql-15-pg-catcheck=1.3.0-5
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
(cd download && apt-get -qq download "$package" 2>/dev/null) || { echo "$package cannot be had here"; exit 1; }
dpkg-deb -x download/*.deb .
chmod 755 "$dir"
[ "$(id -u)" != 0 ] || chown postgres: data

unset PGPORT PGSERVICE PGOPTIONS
export PGUSER=office PGHOST="$dir/data" PGDATABASE=permits
as_user "$bin/initdb" -D data/main -U office -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
cat >> data/main/postgresql.conf <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$dir/data'
	wal_level = logical
	fsync = off
CONF
as_user "$bin/pg_ctl" -D data/main -l data/log -w start >/dev/null
"$bin/psql" -qX -d postgres -c 'CREATE DATABASE permits'
"$bin/psql" -qX -c 'CREATE TABLE permit (id int PRIMARY KEY)' -c 'CREATE ROLE importer'
echo "$package, $("$bin/postgres" --version)"

# check WHAT [DATABASE]: which classids, the summary, the exit status
check()
{
	local code=0
	usr/lib/postgresql/15/bin/pg_catcheck "${2:-permits}" >out 2>&1 || code=$?
	echo "$1: exit $code, $(sed -n 's/^progress: done (\([0-9]* inconsistencies\).*/\1/p' out)$(
		sed -n 's/^notice: \(pg_[a-z]*\) row has invalid classid "\([0-9]*\)": not a system catalog OID$/\1 \2/p' out |
			sort | uniq -c | sed 's/^ */, /' | tr -d '\n')"
}

sql()
{
	"$bin/psql" -qXAt -v ON_ERROR_STOP=1 "$@"
}

answer="$(check 'as it is')
$(sql -c 'CREATE PUBLICATION copy FOR TABLE permit')$(check 'publication of a table')
$(sql -c 'CREATE PUBLICATION reports FOR TABLES IN SCHEMA public')$(check 'publication of a schema')
$(sql -c 'DROP PUBLICATION reports')$(check 'without it')
$(sql -c 'GRANT SET ON PARAMETER session_replication_role TO importer')$(check 'grant on a parameter')
$(check 'another database, empty' template1)
$(sql -c 'REVOKE SET ON PARAMETER session_replication_role FROM importer')$(check 'without it')
6237 and 6243 are $(sql -F ' and ' -c 'SELECT 6237::regclass, 6243::regclass')"
echo "$answer"
[ "$answer" = 'as it is: exit 0, 0 inconsistencies
publication of a table: exit 0, 0 inconsistencies
publication of a schema: exit 1, 2 inconsistencies, 2 pg_depend 6237
without it: exit 0, 0 inconsistencies
grant on a parameter: exit 1, 1 inconsistencies, 1 pg_shdepend 6243
another database, empty: exit 1, 1 inconsistencies, 1 pg_shdepend 6243
without it: exit 0, 0 inconsistencies
6237 and 6243 are pg_publication_namespace and pg_parameter_acl' ]

# and nothing is wrong with them: both go through a dump into another database
sql -c 'CREATE PUBLICATION reports FOR TABLES IN SCHEMA public' -c 'GRANT SET ON PARAMETER session_replication_role TO importer'
"$bin/pg_dumpall" >dump.sql
"$bin/psql" -qX -d postgres -c 'DROP DATABASE permits' -c 'REVOKE SET ON PARAMETER session_replication_role FROM importer'
"$bin/psql" -qX -d postgres -f dump.sql >/dev/null 2>&1
answer="after dump and restore: $(sql -c "SELECT string_agg(pubname || ' of ' || coalesce(n.nspname, 'a table'), ', ' ORDER BY pubname)
	FROM pg_publication p LEFT JOIN pg_publication_namespace s ON s.pnpubid = p.oid LEFT JOIN pg_namespace n ON n.oid = s.pnnspid"),
the role may set it: $(sql -c "SELECT has_parameter_privilege('importer', 'session_replication_role', 'SET')")"
echo "$answer"
[ "$answer" = 'after dump and restore: copy of a table, reports of public,
the role may set it: t' ]

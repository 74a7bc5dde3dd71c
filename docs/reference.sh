#!/bin/bash
#
# reference.sh: writes the parts of docs/reference.md anew that come from the
# comments in the database, and from the catalogue of words (make reference).
#
# docs/reference.sql prints them, on a server of our own that is gone
# afterwards; what stands outside the marks in docs/reference.md stays as it is.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$top/test/install-packages.sh"
work=$(mktemp -d /tmp/wa_reference.XXXXXX)
bin=
finish()
{
	[ -z "$bin" ] || as_postgres "$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT

# PostgreSQL does not run as root
as_postgres()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid postgres --regid postgres --clear-groups env HOME="$work" "$@"
	else
		"$@"
	fi
}

bin=$("$top/test/private-pg.sh" "$work/build")
mkdir "$work/data"
[ "$(id -u)" != 0 ] || chown postgres "$work" "$work/data"
as_postgres "$bin/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null
as_postgres "$bin/pg_ctl" -D "$work/data" -l "$work/log" -w \
	-o "-c listen_addresses='' -c unix_socket_directories='$work' -c fsync=off" start >/dev/null
export PGHOST=$work PGUSER=postgres PGDATABASE=postgres
"$bin/psql" -Xqc 'SET client_min_messages = warning' -c 'CREATE EXTENSION sicantik_wa'
"$bin/psql" -XAtq -f "$top/docs/reference.sql" > "$work/parts"
perl "$top/docs/words.pl" >> "$work/parts"

awk '
	/^<!-- begin / { part = $3; sub(/:$/, "", part) }
	NR == FNR { text[part] = text[part] $0 "\n"; next }
	/^<!-- begin / { printf "%s", text[part]; inside = 1 }
	!inside { print }
	/^<!-- end / { inside = 0 }' "$work/parts" "$top/docs/reference.md" > "$work/reference.md"
cat "$work/reference.md" > "$top/docs/reference.md"

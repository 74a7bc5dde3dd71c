#!/bin/bash
#
# run.sh: see sicantik_wa work (make demo).
#
#	test/demo/run.sh [BIN_DIRECTORY]
#
# BIN_DIRECTORY is the bin directory of a PostgreSQL in which the extension is
# installed; without it one is made, which leaves the system's PostgreSQL
# alone.  Everything happens in a temporary folder, which is removed, and as an
# unprivileged user, because PostgreSQL refuses to run as root.
#
# Environment: KEEP=1 leaves the server and the simulated providers running
# after the story, with all that it made, and says how to get there and how to
# end them.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/sicantik_wa_demo.XXXXXX")
chmod 755 "$work"
teller=

clean_up()
{
	local status=$?

	trap - EXIT INT TERM HUP
	if [ -n "$teller" ] && kill -0 "$teller" 2>/dev/null; then
		# it stops the server and the simulator
		kill -TERM "$teller" 2>/dev/null || true
		wait "$teller" || true
	fi
	if [ -z "${KEEP:-}" ] || [ "$status" -ne 0 ]; then
		rm -rf "$work"
	fi
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

as_user=()
if [ "$(id -u)" = 0 ]; then
	# the account that Debian's PostgreSQL runs as, else one that owns nothing
	user=nobody
	id postgres >/dev/null 2>&1 && user=postgres
	as_user=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
fi

if [ $# -ge 1 ]; then
	bin=$1
else
	"$top/test/install-packages.sh" "$work/headers"
	echo "Building the extension into a PostgreSQL of its own ..."
	bin=$(UNPACKED=$work/headers "$top/test/private-pg.sh" "$work/build" | tail -n 1)
	echo
fi
if [ ! -x "$bin/postgres" ]; then
	echo "run.sh: there is no PostgreSQL in $bin" >&2
	exit 1
fi

# The checkout may lie where that user cannot read.
mkdir "$work/demo"
cp -R "$top/test/odoo/fixture.sql" "$top/test/simulator" "$top/test/demo/story.py" "$top/docs/webhook/webhook.py" "$work/demo/"
mkdir -m 700 "$work/run"
if [ ${#as_user[@]} -gt 0 ]; then
	chown "$user" "$work/run"
	chmod -R a+rX "$work/demo"
fi

# Debian's own Python: one in somebody's home may be out of reach.
python=/usr/bin/python3
[ -x "$python" ] || python=python3

cd "$work"
# In the background, so that a signal is answered at once.
env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE -u PGSERVICE -u PGOPTIONS KEEP="${KEEP:-}" HOME="$work/run" \
	"${as_user[@]}" "$python" "$work/demo/story.py" "$bin" "$work/run" "$work/demo" </dev/null &
teller=$!
status=0
wait "$teller" || status=$?
teller=
if [ -n "${KEEP:-}" ] && [ "$status" -eq 0 ]; then
	cat >"$work/stop" <<-END
		#!/bin/sh
		# ends what make demo KEEP=1 has left running, and removes it
		kill $(cat "$work/run/simulator.pid" "$work/run/endpoint.pid")
		${as_user[*]} $bin/pg_ctl -D $work/run/data -m fast -w stop && rm -rf $work
	END
fi
exit "$status"

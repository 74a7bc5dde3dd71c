#!/bin/bash
#
# run.sh: the README's five minutes, followed to the letter (make test-readme).
#
#	test/readme/run.sh [SUITE ...]		bookworm and trixie, unless given
#
# For each suite of Debian a bare folder is made, with make in it and nothing
# else; there "make demo" is run first, as a newcomer does, and then every
# block of the section "Five minutes to the first message", in order, as it
# stands.  At the end the simulated provider must have got the messages that
# the section promises.
#
# The bare folders are kept in $README_ROOT (by default in the user's cache)
# for the next run, which works in a copy.  Needs root, debootstrap and a
# Debian archive; processes and mounts end with the script.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/test/debian_folder.sh"

# blocks: the code of that section; its SQL is handed to psql as a person would
blocks()
{
	awk '
		/^## / { there = /^## Five minutes to the first message/ }
		!there { next }
		/^```sh$/ { kind = "sh"; next }
		/^```sql$/ { kind = "sql"; print "su postgres -c \"psql -v ON_ERROR_STOP=1 odoo_prod\" <<\"END_OF_SQL\""; next }
		/^```/ { if (kind == "sql") print "END_OF_SQL"; kind = ""; next }
		kind != "" { print }' "$top/README.md"
}

# wait_for WHAT COMMAND ...: until it succeeds, for a minute at most
wait_for()
{
	local end=$((SECONDS + 60))

	until "${@:2}"; do
		[ "$SECONDS" -lt "$end" ] || die "$suite: waited in vain for $1"
		read -r -t 0.2 <> <(:) || true
	done
}

follow()
{
	local folder=$1 before

	before=$(du -sxm "$folder/usr" | cut -f 1)
	echo "$suite: make demo"
	quietly "$suite: make demo" within "$folder" root make -C /root/sicantik_wa demo
	echo "$suite: passed; it has installed $(($(du -sxm "$folder/usr" | cut -f 1) - before)) MB"
	{
		echo 'set -e; cd /root/sicantik_wa'
		blocks
	} >"$folder/root/five-minutes.sh"
	echo "$suite: five minutes"
	quietly "$suite: the five minutes" within "$folder" root bash /root/five-minutes.sh
	# the test message, and the change after wa_arm()
	wait_for 'two messages at the provider' accepted "$folder" 2
	within "$folder" root su postgres -c \
		"psql -X -At -d odoo_prod -c \"SELECT scenario, state, reason FROM wa.message ORDER BY id\""
	[ "$(within "$folder" root su postgres -c \
		"psql -X -At -d odoo_prod -c \"SELECT state || ',' || reason FROM wa.message WHERE scenario = 'permit_ready'\"")" = skipped,observe ] ||
		die "$suite: the permit that was ready in mode observe is not skipped/observe"
	echo "$suite: passed"
}

# accepted FOLDER N: has the provider taken at least so many?
accepted()
{
	[ "$(grep '"endpoint": *"send"' "$1/tmp/simulator/journal.jsonl" | grep -c '"accepted": *true' || true)" -ge "$2" ]
}

[ "$(id -u)" = 0 ] || die "chroot needs root"
root=${README_ROOT:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sicantik_wa/readme}
mkdir -p "$root"
root=$(cd "$root" && pwd -P)

if [ "${1:-}" = in-suite ]; then
	suite=$2
	furnish "$root/$suite" "$suite" make
	umount "$root/$suite/dev/shm" "$root/$suite/proc"
	work=$root/$suite.work
	as_machine "$root/$suite" "$work"
	sources "$work/root/sicantik_wa"
	follow "$work"
	exit
fi

one_run "$root" 'rm -rf --one-file-system "$root"/*.work'
passed=0
[ $# -gt 0 ] || set -- bookworm trixie
for suite; do
	run_stage "$0" in-suite "$suite"
	passed=$((passed + 1))
done
echo "$passed passed, 0 failed"

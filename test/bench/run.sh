#!/bin/bash
#
# run.sh: the figures (make bench).
#
#	capture		an UPDATE of many rows of a table with Odoo's own columns,
#				indexes and foreign keys, without and with our triggers; single
#				rows by pgbench
#	latency		from a change to its request's arrival at a local HTTP server,
#				alone and beside 1,000 messages a second
#	drain		messages per second to that server, from the COMMIT of one UPDATE
#				to the last recorded result, with a durable ledger, pacing switched
#				off; alone, while another session holds an old snapshot, and to a
#				provider that answers in 300 ms
#	isolation	what a provider that hangs, is dead, or whose name cannot be looked
#				up costs another one
#	instructions	how many instructions a message takes (valgrind, which other
#				machines can be compared by)
#	feedback	what 1,000 webhooks a second cost, one status each
#	backlog		the rate while other messages wait, or lie in the ledger
#	volume		bytes per message
#	databases	from a change to the wire, in one of many databases
#	mass		much at once: a transaction of 100,000 changes, a daily run over a million
#				permits, 100,000 held messages that one call releases
#	peers		what Debian packages to make something out of a change
#	bare		messages to bare numbers, with and without an index of the contacts' numbers
#				(its contacts stay, so it is the last)
#
# Each stage is a file of that name here, with the targets of its figures.  The
# build of commit $OLD is built from this repository's history and measured beside
# this one, with alternating rounds.  Ratios within one run mean something; absolute
# times depend on the machine.
#
# Exits non-zero if a floor is missed: 0.85 of a target.
#
# Environment: STAGES (all of the above but instructions, which take four minutes
# and are the same wherever they are counted, and mass, which takes some minutes), PERMITS (10000), ROUNDS (3), BUILDS (a
# folder to keep the builds in: the old one is not made again), BIN (the programs of a
# PostgreSQL that this build is installed in, instead of building it), CURVES (the folder of the
# pictures, test/bench).
#
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
permits=${PERMITS:-10000}
rounds=${ROUNDS:-3}
stages=${STAGES:-latency drain isolation feedback backlog volume databases capture peers bare}
curves=${CURVES:-$here}
old=92881ee
work=$(mktemp -d /tmp/sicantik_wa_bench.XXXXXX)
chmod 755 "$work"
bin_old=
# shellcheck source=lib.sh
. "$here/lib.sh"
catch_signals
for stage in $stages; do
	[ -f "$here/$stage.sh" ] || { echo "no such stage: $stage" >&2; exit 2; }
done

"$checkout/test/install-packages.sh"
keep=${BUILDS:-$work}
say "building"
if [ -n "${BIN:-}" ]; then
	bin_new=$BIN
else
	run "$checkout/test/private-pg.sh" "$keep/new" > "$work/bin"
	bin_new=$(cat "$work/bin")
fi
if [ -x "$keep/old/bin" ]; then
	bin_old=$(readlink "$keep/old/bin")
elif git -C "$checkout" cat-file -e "$old^{commit}" 2>/dev/null; then
	mkdir -p "$work/old-source"
	git -C "$checkout" archive "$old" | tar -C "$work/old-source" -xf -
	run "$work/old-source/test/private-pg.sh" "$keep/old" > "$work/bin"
	bin_old=$(cat "$work/bin")
	ln -sfn "$bin_old" "$keep/old/bin"
else
	echo "   $old is not in the history here: nothing is compared with it"
fi

gcc -shared -fPIC -O2 -o "$work/slow_dns.so" "$checkout/test/unit/slow_dns.c" -ldl
start_simulator fast
start_simulator slow -d 300
background python3 -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1024)
print(s.getsockname()[1], flush=True); time.sleep(3600)' > "$work/hang.out"
until [ -s "$work/hang.out" ]; do kill -0 "$last"; done
port_hang=$(cat "$work/hang.out")

for each in $(builds); do
	path=bin_$each
	start_cluster "$each" "${!path}"
	load "$each"
	spare_log 200
done
use new

: > "$work/table"
for stage in $stages; do
	use new
	# shellcheck source=/dev/null
	. "$here/$stage.sh"
	began=$SECONDS
	"stage_$stage"
	printf '   -- %s: %s s\n' "$stage" $((SECONDS - began))
done

for file in "$work"/curve.*; do
	[ -e "$file" ] || continue
	name=${file##*.}
	awk -f "$here/curve.awk" -v name="$name" "$file" > "$curves/$name.svg"
	echo "   drew $curves/$name.svg"
done

say "result (PostgreSQL $("$bin/pg_config" --version | awk '{print $2}'), $(nproc) cores, $SECONDS s)"
awk -F'|' 'BEGIN { printf "  %-52s %-44s %-12s %s\n", "figure", "value", "target", "" }
	{ printf "  %-52s %-44s %-12s %s\n", $1, $2, $3, $4 }' "$work/table"
! grep -q 'MISSED$' "$work/table"

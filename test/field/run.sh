#!/bin/bash
#
# run.sh: what a cluster goes through in its life, with the tools that do it
# (make test-field).
#
#	test/field/run.sh [NAME ...]		all of them, unless given
#
# Each NAME.sh here has two functions: prepare, with network, which furnishes folders
# with a Debian below $root; and check, with the loopback only, which does the work in
# there and says "ok WHAT" (lib.sh) of each thing that it has seen to hold.  It ends
# with an error at the first that does not.
#
# The folders are kept in $FIELD_ROOT (by default in the user's cache) for the next run.
# Needs root, debootstrap and a Debian archive; processes and mounts end with the script.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$top/test/field
. "$top/test/debian_folder.sh"

names=()
for file in "$here"/*.sh; do
	name=$(basename "$file" .sh)
	case $name in run | lib) ;; *) names+=("$name") ;; esac
done

[ "$(id -u)" = 0 ] || die "chroot needs root"
root=${FIELD_ROOT:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sicantik_wa/field}
mkdir -p "$root"
root=$(cd "$root" && pwd -P)
case ${1:-} in
	in-prepare | in-check)
		step=${1#in-} name=$2
		. "$here/lib.sh"
		. "$here/$name.sh"
		[ "$step" != check ] || ip link set lo up
		"$step"
		exit
		;;
esac

for name in "$@"; do
	[[ " ${names[*]} " == *" $name "* ]] || die "what is $name?  (${names[*]})"
done
[ $# -eq 0 ] || names=("$@")

one_run "$root"
passed=0 failed=0
for name in "${names[@]}"; do
	echo "== $name ($SECONDS s)"
	log=$root/$name.log
	if run_stage "$0" in-prepare "$name" && run_stage --net "$0" in-check "$name" > >(tee "$log") 2>&1; then
		:
	else
		failed=$((failed + 1))
		echo "$name: FAILED"
	fi
	wait
	[ ! -e "$log" ] || passed=$((passed + $(grep -c '^ok ' "$log" || true)))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

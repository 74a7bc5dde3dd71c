#!/bin/bash
#
# run.sh: all tests with each PostgreSQL that Debian has (make test-matrix).
#
#	test/matrix/run.sh [SUITE ...] [-- PART ...]
#
# bookworm has PostgreSQL 15, trixie 17, sid 18 and experimental 19; 16 is in Ubuntu's noble
# only.  Each comes with compilers, libcurl and json-c of its own.  For each a folder is made with
# debootstrap, in $MATRIX_ROOT (by default in the user's cache), and kept for the
# next run; test/run.sh runs in there, with these parts of it (all; how C files are
# formatted differs between versions, so that is looked at in bookworm only), and
# without a network but the loopback.  A table at the end says what was tested with what.
# Needs root; processes and mounts end with the script.  Half an hour.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/test/debian_folder.sh"

major_of()
{
	case $1 in
		bookworm) echo 15 ;;
		noble) echo 16 ;;
		trixie) echo 17 ;;
		sid) echo 18 ;;
		experimental) echo 19 ;;
		*) die "what is $1?  (bookworm, noble, trixie, sid, experimental)" ;;
	esac
}

# Stage 1, with network: the folder, the sources in it, what the tests need.
prepare()
{
	local server="postgresql-$major postgresql-server-dev-$major" valid=true

	# the rest is sid's
	[ "$suite" = experimental ] && furnish "$root" sid make tzdata && umount "$root/dev/shm" "$root/proc"
	# shellcheck disable=SC2086
	furnish "$root" "$suite" make tzdata $server
	eval "$(apt-config shell valid Acquire::Check-Valid-Until)"
	echo "Acquire::Check-Valid-Until \"$valid\";" >"$root/etc/apt/apt.conf.d/91test"
	rm -rf "$root/src"
	sources "$root/src"
	chmod -R a+rX "$root/src"
	quietly "$suite: packages" within "$root" root env "PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config" \
		/src/test/install-packages.sh
}

# Stage 2, without.
check()
{
	mounts "$root"
	ip link set lo up
	within "$root" root env "PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config" \
		/src/test/run.sh "$@" </dev/null >"$root.log" 2>&1
}

# version PACKAGE ...: of the first one that is installed
version()
{
	chroot "$root" dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$@" 2>/dev/null |
		sed -n 's/^installed \([0-9]*:\)\{0,1\}\([0-9.]*[a-z0-9]*\).*/\2/p' | head -n 1
}

# One line of the table.
row()
{
	local compiler

	compiler=$(chroot "$root" sh -c 'gcc -dumpversion; clang -dumpversion' | tr '\n' ' ')
	# shellcheck disable=SC2086
	printf '%-13s %-8s %-4s %-8s %-10s %-7s %s\n' "$suite" "$(version "postgresql-$major")" $compiler \
		"$(version libcurl4t64 libcurl4)" "$(version libjson-c5)" "$(tail -n 1 "$root.log")"
}

[ "$(id -u)" = 0 ] || die "chroot needs root"
base=${MATRIX_ROOT:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sicantik_wa/matrix}
mkdir -p "$base"
base=$(cd "$base" && pwd -P)
case ${1:-} in
	in-prepare | in-check)
		step=${1#in-} suite=$2
		root=$base/$suite major=$(major_of "$suite")
		shift 2
		"$step" "$@"
		exit
		;;
esac

suites=() parts=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	major_of "$1" >/dev/null
	suites+=("$1")
	shift
done
[ $# -eq 0 ] || shift
parts=("$@")
all=(build unit fuzz simulator regress isolation tap)
[ ${#suites[@]} -gt 0 ] || suites=(bookworm noble trixie sid experimental)

one_run "$base"
passed=0 failed=0 table=()
for suite in "${suites[@]}"; do
	root=$base/$suite major=$(major_of "$suite")
	echo "$suite: PostgreSQL $major ..."
	run_stage "$0" in-prepare "$suite"
	now=("${parts[@]}")
	if [ ${#now[@]} -eq 0 ]; then
		now=("${all[@]}")
		[ "$suite" != bookworm ] || now+=(format)
	fi
	if run_stage --net "$0" in-check "$suite" "${now[@]}"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		grep -E '^not ok|^ *(logs and data are|[^ ].* failed$)|Failed test|FAILED' "$root.log" | tail -n 20 || true
		echo "$suite: all of it is in $root.log"
	fi
	table+=("$(row)")
	echo "${table[-1]}"
done
printf '\n%-13s %-8s %-4s %-8s %-10s %-7s %s\n' suite server gcc clang libcurl json-c result
printf '%s\n' "${table[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

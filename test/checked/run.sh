#!/bin/bash
#
# run.sh: all tests with a PostgreSQL that checks itself, and some of them with one
# whose every access to memory is checked (make test-cassert, make test-valgrind).
#
#	test/checked/run.sh cassert [PART ...]		parts of test/run.sh: regress, isolation,
#												tap, unless given; TAP_FILES as there
#	test/checked/run.sh discard					a smaller run in which no cache of the
#												server's outlives what may invalidate it
#	test/checked/run.sh valgrind [FILE ...]		pg_regress and files of test/t
#	test/checked/run.sh static [TOOL ...]		test/static/run.sh, with the tools of this Debian
#	test/checked/run.sh growth					100,000 messages, and what they leave in memory
#
# The server is Debian's source package of PostgreSQL, built with assertions and with
# what lets valgrind know a chunk of palloc() from the next: freed memory is
# overwritten, and bounds are looked at, without valgrind, too.  Its suppressions are
# those of the same source (src/tools/valgrind.supp); none of ours was needed.
#
# Everything happens in a folder with a Debian of its own, in $CHECKED_ROOT (by default
# in the user's cache), which is kept for the next run.  Needs root, debootstrap and a
# Debian archive with sources; processes and mounts end with the script.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/test/debian_folder.sh"
suite=bookworm major=15

# What under valgrind runs: twenty to fifty times as slow, so each of these is there
# for a part of the code that the others do not reach.
valgrind_files=(040_delivery 050_scenarios 053_explain 055_own_scenario 070_fallback 111_feedback 112_endpoint 127_forget)

configure=(--prefix=/opt/checked --enable-cassert --enable-debug --with-openssl --with-icu --with-lz4
	--without-llvm --without-perl --without-python --with-system-tzdata=/usr/share/zoneinfo)
build_flags=(CFLAGS='-O1 -fno-omit-frame-pointer' CPPFLAGS=-DUSE_VALGRIND)

# Stage 1, with network: the folder, the server, the sources, what the tests need.
prepare()
{
	local valid=true packages built=$root/opt/checked/.complete

	packages=(make tzdata postgresql-$major postgresql-server-dev-$major gcc)
	if [ "$1" = static ]; then
		packages+=(cppcheck clang-tidy libcurl4-openssl-dev libjson-c-dev)
	else
		packages+=(bison flex pkg-config dpkg-dev libreadline-dev zlib1g-dev libssl-dev libicu-dev liblz4-dev valgrind libc6-dbg)
	fi
	furnish "$root" $suite "${packages[@]}"
	eval "$(apt-config shell valid Acquire::Check-Valid-Until)"
	echo "Acquire::Check-Valid-Until \"$valid\";" >"$root/etc/apt/apt.conf.d/91test"
	if [ "$1" != static ] && [ "$(cat "$built" 2>/dev/null)" != "${configure[*]} ${build_flags[*]}" ]; then
		echo "Building PostgreSQL with assertions ..."
		sed 's/^deb /deb-src /' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/source.list"
		quietly "apt-get update" within "$root" root apt-get -q update
		rm -rf "$root/opt/checked" "$root/opt/source"
		mkdir -p "$root/opt/source"
		# shellcheck disable=SC2016
		quietly "apt-get source" within "$root" root sh -c \
			'cd /opt/source && apt-get -q -o APT::Sandbox::User=root source "$1" && mv "$1"-*/ postgresql' sh postgresql-$major
		# shellcheck disable=SC2016
		quietly "build of PostgreSQL" within "$root" root sh -ec 'cd /opt/source/postgresql
			jobs=$1 flags=$2 cpp=$3; shift 3
			./configure -q "$@" "$flags" "$cpp"
			make -s -j "$jobs" world-bin
			make -s install-world-bin
			cp src/tools/valgrind.supp /opt/checked/' sh "$(nproc)" "${build_flags[@]}" "${configure[@]}"
		rm -rf "$root/opt/source"
		echo "${configure[*]} ${build_flags[*]}" >"$built"
	fi
	rm -rf "$root/src"
	sources "$root/src"
	chmod -R a+rX "$root/src"
	[ "$1" = static ] || quietly packages within "$root" root env PG_CONFIG=/opt/checked/bin/pg_config /src/test/install-packages.sh
}

# in_folder SERVER [NAME=VALUE ...] PART ...: test/run.sh there
in_folder()
{
	local server=$1

	shift
	within "$root" root env "PG_CONFIG=$server/bin/pg_config" "$@" </dev/null
}

# Stage 2, without network.
check()
{
	local what=$1 parts

	shift
	mounts "$root"
	ip link set lo up
	case $what in
		cassert)
			parts=("$@")
			[ $# -gt 0 ] || parts=(regress isolation tap)
			in_folder /opt/checked ${TAP_FILES:+"TAP_FILES=$TAP_FILES"} /src/test/run.sh "${parts[@]}"
			;;
		discard)
			in_folder /opt/checked TAP_FILES=test/checked/discard.pl PG_TEST_TIMEOUT_DEFAULT=1800 /src/test/run.sh tap
			;;
		static)
			within "$root" root env PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config /src/test/static/run.sh "$@"
			;;
		growth)
			in_folder /usr/lib/postgresql/$major "TAP_FILES=test/checked/growth.pl" /src/test/run.sh tap
			;;
		valgrind)
			under_valgrind "$@"
			;;
	esac
}

# wrapped PLACE COMMAND: the same server at another place, whose postmaster is started
# by this line of shell; what runs once and tells of the server (-V, --boot) is not.
wrapped()
{
	local wrapper=$root$1/bin/postgres

	rm -rf "${root:?}$1"
	cp -a "$root/opt/checked" "$root$1"
	mv "$wrapper" "$wrapper.real"
	printf '#!/bin/sh\ncase $1 in\n\t-V | --*) exec "$0.real" "$@" ;;\nesac\n%s\n' "$2" >"$wrapper"
	chmod 755 "$wrapper"
}

# tap_files NAME ...: as TAP_FILES names them
tap_files()
{
	local name

	for name in "$@"; do
		echo "test/t/${name%.pl}.pl"
	done
}

under_valgrind()
{
	local to=/opt/valgrind status=0

	# shellcheck disable=SC2016
	wrapped $to 'exec valgrind -q --leak-check=no --num-callers=30 --error-limit=no --gen-suppressions=all \
	--suppressions=/opt/checked/valgrind.supp --log-file=/valgrind/%p.log "$0.real" "$@" -c sicantik_wa.request_timeout=300s'
	rm -rf "$root/valgrind"
	mkdir -m 1777 "$root/valgrind"
	[ $# -gt 0 ] || set -- "${valgrind_files[@]}"
	# shellcheck disable=SC2086
	in_folder $to "TAP_FILES=$(tap_files "$@" | tr '\n' ' ')" JOBS=2 PG_TEST_TIMEOUT_DEFAULT=1800 \
		/src/test/run.sh ${VALGRIND_PARTS:-regress tap} || status=$?
	judge || status=1
	return "$status"
}

# judge: what valgrind has said
judge()
{
	local logs n

	# killed ones leave half of a line
	logs=$(find "$root/valgrind" -name '*.log' | wc -l)
	n=$(cat "$root"/valgrind/*.log | grep -c '^==[0-9]*== [A-Z]' || true)
	[ "$n" -eq 0 ] || cat "$root"/valgrind/*.log
	echo "$logs processes under valgrind, $n lines of errors"
	[ "$n" -eq 0 ] && [ "$logs" -gt 0 ]
}

[ "$(id -u)" = 0 ] || die "chroot needs root"
base=${CHECKED_ROOT:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sicantik_wa/checked}
mkdir -p "$base"
base=$(cd "$base" && pwd -P)
root=$base/$suite
case ${1:-} in
	in-prepare | in-check)
		step=${1#in-}
		shift
		"$step" "$@"
		exit
		;;
	cassert | discard | valgrind | growth | static) ;;
	*) die "what is '${1:-}'?  (cassert, discard, valgrind, growth, static)" ;;
esac
one_run "$base"
run_stage "$0" in-prepare "$1"
run_stage --net "$0" in-check "$@"

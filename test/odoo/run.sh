#!/bin/bash
#
# run.sh: the extension with the real Odoo 19 on PostgreSQL 18 (make test-odoo).
#
#	test/odoo/run.sh [--clean]
#
# Debian has that pair in sid only, so the test makes itself a folder with
# Debian sid, $ODOO_ROOT (by default in the user's cache, 2 GB), and works in
# there with chroot.  The folder is kept for the next run; --clean makes a new
# one.  Packages come from wherever this machine's own apt gets them.
#
# Everything runs in name spaces of its own: no process and no mount outlives
# this script, however it ends, and while the test runs there is no network
# but its own loopback.  Needs root, and debootstrap.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
root=${ODOO_ROOT:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sicantik_wa/odoo-19}
packages="odoo-19 postgresql-18 postgresql-server-dev-18 build-essential
	libcurl4-openssl-dev libjson-c-dev python3-phonenumbers iproute2
	ca-certificates tzdata"

die()
{
	echo "test/odoo/run.sh: $*" >&2
	exit 1
}

# quietly WHAT COMMAND ...: the last lines of its output only if it fails.
quietly()
{
	local what=$1 log

	shift
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 25 "$log" >&2
		rm -f "$log"
		die "$what failed"
	fi
	rm -f "$log"
}

# within USER COMMAND ...: in the folder, with nothing of our environment.
within()
{
	local user=$1 home

	shift
	case $user in
		root) home=/root ;;
		*) home=/test/$user ;;
	esac
	chroot --userspec="$user:$user" "$root" /usr/bin/env -i HOME="$home" \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@"
}

mounts()
{
	mount -t proc proc "$root/proc"
	mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
}

# The archive that this machine uses, as apt knows it.
mirror()
{
	apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sort -u |
		grep -v security | head -n 1
}

# Stage 1, with network: the folder and its packages.
prepare()
{
	local uri package missing="" valid=true

	if [ ! -e "$root/.complete" ]; then
		[ -z "$(ls -A "$root" 2>/dev/null)" ] ||
			die "$root is there and not complete: --clean makes it anew"
		command -v debootstrap >/dev/null || die "debootstrap is missing"
		uri=$(mirror)
		[ -n "$uri" ] || die "apt knows no archive"
		echo "Making a Debian sid in $root ..."
		mkdir -p "$root"
		quietly debootstrap debootstrap --variant=minbase sid "$root" "$uri"
		# no service starts by itself, no documents
		printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
		chmod 755 "$root/usr/sbin/policy-rc.d"
		printf 'APT::Install-Recommends "false";\n' >"$root/etc/apt/apt.conf.d/90test"
		printf 'path-exclude=/usr/share/%s/*\n' doc man locale \
			>"$root/etc/dpkg/dpkg.cfg.d/90test"
		mkdir -p "$root/etc/postgresql-common"
		echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
		touch "$root/.complete"
	fi
	mounts
	for package in $packages; do
		within root dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null |
			grep -q '^ii' || missing="$missing $package"
	done
	if [ -n "$missing" ]; then
		uri=$(mirror)
		[ -n "$uri" ] || die "apt knows no archive"
		echo "Installing$missing ..."
		echo "deb $uri sid main" >"$root/etc/apt/sources.list"
		cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
		# an archive that stands still is no error where this machine says so
		eval "$(apt-config shell valid Acquire::Check-Valid-Until)"
		quietly "apt-get update" within root \
			apt-get -q -o "Acquire::Check-Valid-Until=$valid" update
		# shellcheck disable=SC2086
		quietly "apt-get install" within root apt-get -q -y install $missing
		within root apt-get clean
	fi
}

# Stage 2, without network: build, install, and the checks.
check()
{
	mounts
	ip link set lo up
	rm -rf "$root/test"
	mkdir -p "$root/test/src"
	tar -C "$top" --exclude=.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
		--exclude=tmp_check --exclude=results -cf - . |
		tar -C "$root/test/src" --no-same-owner -xf -
	chmod -R a+rX "$root/test"
	echo "Building the extension there ..."
	quietly "the build" within root make -s -j 2 -C /test/src with_llvm=no install
	within root install -d -m 755 -o odoo -g odoo /test/odoo
	within root install -d -m 755 -o postgres -g postgres /test/postgres
	within root /usr/bin/python3 -B /test/src/test/odoo/checks.py </dev/null
}

case ${1:-} in
	in-prepare) prepare; exit ;;
	in-check) check; exit ;;
	--clean) clean=1 ;;
	'') clean= ;;
	*) die "what is $1?  (--clean)" ;;
esac

[ "$(id -u)" = 0 ] || die "chroot needs root"
mkdir -p "$root"
root=$(cd "$root" && pwd -P)
export ODOO_ROOT=$root

# One run at a time in a folder.
exec 9>"$root.lock"
flock -n 9 || die "another run works in $root"

# A folder that is not ours is not removed.
if [ -n "$clean" ] && [ -n "$(ls -A "$root")" ]; then
	[ -e "$root/.complete" ] || [ -d "$root/debootstrap" ] ||
		die "$root was not made by this script: not removed"
	rm -rf --one-file-system "$root"
fi

# The kernel ends every process of a name space with its first one, and takes
# the mounts away; --kill-child does it if this script is killed.
stage=
trap '[ -z "$stage" ] || kill -KILL "$stage" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
run_stage()
{
	unshare --mount --pid --fork --kill-child "$@" 9>&- &
	stage=$!
	wait "$stage"
	stage=
}
run_stage "$0" in-prepare
run_stage --net "$0" in-check

# debian_folder.sh: folders with a Debian in them, to work in with chroot; for
# scripts of bash that begin with set -euo pipefail, run as root and make name
# spaces of their own, in which the mounts are.  To be read with ".".

die()
{
	echo "$0: $*" >&2
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

# within FOLDER USER COMMAND ...: in a folder, with nothing of our environment.
within()
{
	local folder=$1 user=$2 home

	shift 2
	case $user in
		root) home=/root ;;
		*) home=/test/$user ;;
	esac
	chroot --userspec="$user:$user" "$folder" /usr/bin/env -i HOME="$home" \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@"
}

mounts()
{
	mount -t proc proc "$1/proc"
	mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
}

# mirror [SUITE]: the archive that this machine uses, as apt knows it.
mirror()
{
	[ "${1:-}" != noble ] || { echo http://archive.ubuntu.com/ubuntu/; return; }
	apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sort -u |
		grep -v security | head -n 1
}

# The keys of Ubuntu's archive, in folder $1: Debian has them in a package, in its later
# releases only.
ubuntu_keys()
{
	local deb=ubuntu-keyring_2023.11.28.1-0.2_all.deb

	mkdir -p "$1"
	quietly "download of $deb" /usr/lib/apt/apt-helper download-file \
		"$(mirror)pool/main/u/ubuntu-keyring/$deb" "$1/$deb" \
		SHA256:b2e7ed48431bf9e7978ae810bbdaf253093570d6e3f864e575b7c13554b81174
	dpkg -x "$1/$deb" "$1"
}

# furnish FOLDER SUITE PACKAGE ...: make the folder, install what is missing.
# Debian experimental is on top of sid; noble is Ubuntu's.  SUITE may be several,
# with commas: what the first has not comes from the others.
furnish()
{
	local folder=$1 suite=$2 uri package missing="" valid=true from="" how=() script=() parts=main keys more other

	shift 2
	case $suite in
		experimental)
			suite=sid
			from="src:postgresql-19 src:postgresql-common"
			;;
		noble)
			parts="main universe"
			keys=$folder.keys
			how=(--keyring="$keys/usr/share/keyrings/ubuntu-archive-keyring.gpg")
			script=(/usr/share/debootstrap/scripts/gutsy)
			;;
	esac
	more=$suite,
	more=${more#*,} suite=${suite%%,*}
	if [ ! -e "$folder/.complete" ]; then
		[ -z "$(ls -A "$folder" 2>/dev/null)" ] ||
			die "$folder is there and not complete: --clean makes it anew"
		command -v debootstrap >/dev/null || die "debootstrap is missing"
		uri=$(mirror "$suite")
		[ -n "$uri" ] || die "apt knows no archive"
		echo "Making a Debian $suite in $folder ..."
		mkdir -p "$folder"
		[ ${#how[@]} -eq 0 ] || ubuntu_keys "$keys"
		quietly debootstrap debootstrap --variant=minbase --components="${parts// /,}" "${how[@]}" \
			"$suite" "$folder" "$uri" "${script[@]}"
		[ ${#how[@]} -eq 0 ] || rm -r "$keys"
		# no service starts by itself, no documents
		printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
		chmod 755 "$folder/usr/sbin/policy-rc.d"
		printf 'APT::Install-Recommends "false";\n' >"$folder/etc/apt/apt.conf.d/90test"
		printf 'path-exclude=/usr/share/%s/*\n' doc man locale \
			>"$folder/etc/dpkg/dpkg.cfg.d/90test"
		mkdir -p "$folder/etc/postgresql-common"
		echo 'create_main_cluster = false' >"$folder/etc/postgresql-common/createcluster.conf"
		touch "$folder/.complete"
	fi
	mounts "$folder"
	for package in "$@"; do
		within "$folder" root dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null |
			grep -q '^ii' || missing="$missing $package"
	done
	if [ -n "$missing" ]; then
		uri=$(mirror "$suite")
		[ -n "$uri" ] || die "apt knows no archive"
		echo "Installing$missing ..."
		{
			echo "deb $uri $suite $parts"
			[ -z "$from" ] || echo "deb $uri experimental main"
			for other in ${more//,/ }; do
				echo "deb $uri $other main"
			done
		} >"$folder/etc/apt/sources.list"
		# the rest of it may be half of something that comes to sid later
		[ -z "$from" ] || printf 'Package: %s\nPin: release a=experimental\nPin-Priority: 600\n' "$from" \
			>"$folder/etc/apt/preferences.d/test"
		cp -L /etc/resolv.conf "$folder/etc/resolv.conf" 2>/dev/null || true
		# an archive that stands still is no error where this machine says so
		eval "$(apt-config shell valid Acquire::Check-Valid-Until)"
		quietly "apt-get update" within "$folder" root \
			apt-get -q -o "Acquire::Check-Valid-Until=$valid" update
		# shellcheck disable=SC2086
		quietly "apt-get install" within "$folder" root apt-get -q -y install $missing
		within "$folder" root apt-get clean
	fi
}

# one_run FOLDER [COMMAND ...]: one at a time works in there; the stage that runs ends
# with this script, and then COMMAND is called.
one_run()
{
	exec 9>"$1.lock"
	flock -n 9 || die "another run works in $1"
	stage=
	trap '[ -z "$stage" ] || kill -KILL "$stage" 2>/dev/null || true; '"${*:2}" EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# run_stage [--net] COMMAND ...: in name spaces of its own.  The kernel ends every
# process of one with its first, and takes the mounts away; --kill-child does it if
# this script is killed.
run_stage()
{
	local status=0

	unshare --mount --pid --fork --kill-child "$@" 9>&- &
	stage=$!
	wait "$stage" || status=$?
	stage=
	return "$status"
}

# as_machine FOLDER NEW: a copy to work in that is as a machine is: services start, a
# cluster is made, recommended packages come.  With network.
as_machine()
{
	local valid=

	rm -rf --one-file-system "$2"
	cp -a "$1" "$2"
	rm -f "$2/usr/sbin/policy-rc.d" "$2/etc/apt/apt.conf.d/90test" "$2/etc/postgresql-common/createcluster.conf"
	eval "$(apt-config shell valid Acquire::Check-Valid-Until)"
	[ -z "$valid" ] || echo "Acquire::Check-Valid-Until \"$valid\";" >"$2/etc/apt/apt.conf.d/90test"
	mounts "$2"
	cp -L /etc/resolv.conf "$2/etc/resolv.conf" 2>/dev/null || true
}

# sources FOLDER: the tree at $top without what was built.
sources()
{
	mkdir -p "$1"
	tar -C "$top" --exclude=.git --exclude=./deb --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
		--exclude=tmp_check --exclude=results -cf - . | tar -C "$1" --no-same-owner -xf -
}

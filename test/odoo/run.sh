#!/bin/bash
#
# run.sh: the extension with a real Odoo (make test-odoo).
#
#	test/odoo/run.sh [19 | 14] [--clean]
#
# The test makes itself folders with Debian, $ODOO_ROOT (by default in the
# user's cache), and works in there with chroot.  They are kept for the next
# run; --clean makes new ones.  Packages come from wherever this machine's own
# apt gets them.
#
# Odoo 19 is in Debian sid, and PostgreSQL 18 beside it: one folder, 2 GB.
# Odoo 14 is in Debian bullseye, whose PostgreSQL 13 is too old for the
# extension: PostgreSQL 15 gets a second folder, with Debian bookworm, as it
# would get a second machine; 2.5 GB together.  Odoo reaches the server through
# its socket, and calls that server's pg_dump and psql, as it has to: an older
# pg_dump refuses a newer server.
#
# Everything runs in name spaces of its own: no process and no mount outlives
# this script, however it ends, and while the test runs there is no network
# but its own loopback.  Needs root, and debootstrap.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

. "$top/test/debian_folder.sh"

# Stage 1, with network: the folders and their packages.
prepare()
{
	local odoo="odoo-$series python3-phonenumbers ca-certificates tzdata" \
		server="postgresql-$major postgresql-server-dev-$major build-essential
			libcurl4-openssl-dev libjson-c-dev python3"

	# who looks at the add-on's screens
	[ "$series" = 14 ] ||
		odoo="$odoo chromium chromium-driver python3-selenium fonts-dejavu-core"
	# shellcheck disable=SC2086
	if [ "$root" = "$server_root" ]; then
		furnish "$root" "$suite" $odoo $server
	else
		furnish "$root" "$suite" $odoo
		furnish "$server_root" bookworm $server tzdata
	fi
}

# Odoo's folder as /odoo of the server's, with the same /test; and there the
# server's programs, which run with the libraries of their own Debian.
join_folders()
{
	local odoo="$server_root/odoo" program

	mkdir -p "$odoo" "$root/test" "$root/postgresql" "$server_root/test/bin"
	mount --bind "$root" "$odoo"
	mounts "$odoo"
	mount --bind "$server_root/test" "$odoo/test"
	mount --bind "$server_root" "$odoo/postgresql"
	for program in pg_dump psql; do
		cat >"$server_root/test/bin/$program" <<-END
			#!/bin/sh
			for loader in /postgresql/lib/*/ld-linux*.so.*; do :; done
			exec "\$loader" --library-path "\${loader%/*}" \\
				/postgresql/usr/lib/postgresql/$major/bin/$program "\$@"
		END
		chmod 755 "$server_root/test/bin/$program"
	done
}

# Stage 2, without network: build, install, and the checks.
check()
{
	local inner=""

	mounts "$server_root"
	ip link set lo up
	rm -rf "$server_root/test"
	sources "$server_root/test/src"
	chmod -R a+rX "$server_root/test"
	echo "Building the extension with PostgreSQL $major ..."
	quietly "the build" within "$server_root" root make -s -j 2 -C /test/src with_llvm=no \
		"PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config" install
	if [ "$root" != "$server_root" ]; then
		join_folders
		inner=/odoo
	fi
	within "$server_root$inner" root install -d -m 755 -o odoo -g odoo /test/odoo
	within "$server_root" root install -d -m 755 -o postgres -g postgres /test/postgres
	within "$server_root" root /usr/bin/python3 -B /test/src/test/odoo/checks.py \
		"$series" "$major" $inner </dev/null
}

step=all series=19 clean=
for argument; do
	case $argument in
		in-prepare | in-check) step=${argument#in-} ;;
		14 | 19) series=$argument ;;
		--clean) clean=1 ;;
		*) die "what is $argument?  (14, 19, --clean)" ;;
	esac
done
root=${ODOO_ROOT:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sicantik_wa/odoo-$series}

[ "$(id -u)" = 0 ] || die "chroot needs root"
mkdir -p "$root"
root=$(cd "$root" && pwd -P)
export ODOO_ROOT=$root
case $series in
	14) suite=bullseye major=15 server_root=$root-postgresql ;;
	19) suite=sid major=18 server_root=$root ;;
esac
case $step in
	prepare) prepare; exit ;;
	check) check; exit ;;
esac

one_run "$root"

# A folder that is not ours is not removed.
if [ -n "$clean" ]; then
	for folder in "$root" "$server_root"; do
		[ -n "$(ls -A "$folder" 2>/dev/null)" ] || continue
		[ -e "$folder/.complete" ] || [ -d "$folder/debootstrap" ] ||
			die "$folder was not made by this script: not removed"
		rm -rf --one-file-system "$folder"
	done
fi

run_stage "$0" in-prepare "$series"
run_stage --net "$0" in-check "$series"

#!/bin/bash
#
# run.sh: the Debian packages and the container's steps, on bare systems (make test-deb).
#
#	test/deb/run.sh [SUITE ...]		bookworm, unless given
#
# For each suite of Debian: make deb in a folder that has what building needs; then
# in a bare one the package is installed, enabled, used, and removed, and nothing
# is left of it.  The package's own tests (debian/tests) run where it was built.
# The steps of container/Dockerfile are done in bare folders with the suite's
# PostgreSQL, one for each of its stages; where docker is at hand, build it as well.
#
# The folders are kept in $DEB_ROOT (by default in the user's cache) for the next
# run, which works in copies.  Needs root, debootstrap and a Debian archive;
# processes and mounts end with the script.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/test/debian_folder.sh"

passed=0
ok() { passed=$((passed + 1)); echo "ok   $suite: $*"; }

# copy FOLDER NAME: a machine to work in; it is in $work
copy()
{
	work=$root/$2.work
	as_machine "$root/$1" "$work"
}

psql_in() { within "$work" root su postgres -c "psql -X -q -At -v ON_ERROR_STOP=1 -d $1"; }

# use: a permit changes, and the ledger says what would have been sent
use()
{
	local end=$((SECONDS + 60))

	psql_in postgres <<<"CREATE ROLE odoo LOGIN; CREATE DATABASE odoo_prod OWNER odoo ENCODING UTF8 TEMPLATE template0"
	(echo 'SET ROLE odoo;'; cat "$top/test/odoo/fixture.sql") | psql_in odoo_prod >/dev/null
	psql_in odoo_prod >/dev/null 2>&1 <<<"CREATE EXTENSION sicantik_wa; SELECT * FROM wa_setup();"
	psql_in odoo_prod <<<"UPDATE sicantik_permit SET status = 'active', permit_number = '503/1', issue_date = current_date WHERE id = 1"
	until [ "$(psql_in odoo_prod <<<"SELECT state FROM wa.message WHERE scenario = 'permit_ready'")" = skipped ]; do
		[ "$SECONDS" -lt "$end" ] || die "$suite: waited in vain for the ledger"
		read -r -t 0.2 <> <(:) || true
	done
}

# the package where nothing is, from its installation to its removal
package()
{
	local deb=$1 major=$2 left

	copy bare package
	cp "$deb" "$work/root/"
	quietly "$suite: apt-get update" within "$work" root apt-get -q update
	quietly "$suite: installing the package" within "$work" root apt-get -q -y install "/root/$(basename "$deb")"
	ok "the package is installed on a bare system"
	echo "shared_preload_libraries = 'sicantik_wa'" >"$work/etc/postgresql/$major/main/conf.d/sicantik_wa.conf"
	quietly "$suite: restart" within "$work" root pg_ctlcluster "$major" main restart
	use
	ok "it is enabled, and a permit's change is in the ledger"
	psql_in odoo_prod >/dev/null 2>&1 <<<"SELECT * FROM wa_teardown(); DROP EXTENSION sicantik_wa"
	rm "$work/etc/postgresql/$major/main/conf.d/sicantik_wa.conf"
	quietly "$suite: restart" within "$work" root pg_ctlcluster "$major" main restart
	quietly "$suite: removing the package" within "$work" root apt-get -q -y purge "postgresql-$major-sicantik-wa"
	left=$(find "$work" -xdev -path "$work/root" -prune -o -name '*sicantik*' -print | grep -v '/var/lib/dpkg\|/var/log' || true)
	[ -z "$left" ] || die "$suite: left behind: $left"
	[ "$(psql_in odoo_prod <<<"SELECT count(*) FROM sicantik_permit WHERE permit_number = '503/1'")" = 1 ] ||
		die "$suite: the server does not work without the package"
	ok "it is removed, nothing is left of it, and the server works"
	quietly "$suite: stop" within "$work" root pg_ctlcluster "$major" main stop
}

# debian/tests, where the package was built
package_tests()
{
	local deb=$1

	copy build tests
	sources "$work/root/sicantik_wa"
	cp "$deb" "$work/root/"
	quietly "$suite: installing the package" within "$work" root dpkg -i "/root/$(basename "$deb")"
	cp -a "$work/root/sicantik_wa" "$work/test"
	within "$work" root chown -R postgres: /test
	within "$work" root sh -c 'cd /test && DEB_PG_SUPPORTED_VERSIONS=installed pg_buildext updatecontrol'
	quietly "$suite: the package's tests" within "$work" root su postgres -c \
		'cd /test && AUTOPKGTEST_TMP=/tmp debian/tests/installcheck'
	ok "its own tests pass"
}

# container MAJOR: the Dockerfile's steps, each stage in a folder of its own
container()
{
	local major=$1 version word rest line="" stage=0 source

	while IFS= read -r rest || [ -n "$rest" ]; do
		case $rest in '#'* | '') continue ;; esac
		line=$line$rest
		case $line in *\\) line=${line%\\}; continue ;; esac
		word=${line%% *} rest=${line#* } line=""
		case $word in
			ARG) ;;
			FROM)
				stage=$((stage + 1))
				copy bare "container-$stage"
				quietly "$suite: apt-get update" within "$work" root apt-get -q update
				quietly "$suite: the server" within "$work" root apt-get -q -y install "postgresql-$major"
				version=$(within "$work" root dpkg-query -W -f '${Version}' "postgresql-$major")
				;;
			RUN)
				quietly "$suite: container: $rest" within "$work" root env PG_MAJOR="$major" PG_VERSION="$version" sh -c "$rest"
				;;
			COPY)
				case $rest in
					'. /src') sources "$work/src" ;;
					'--from=build /out/ /') cp -a "$root/container-1.work/out/." "$work/" ;;
					*) die "what is COPY $rest?" ;;
				esac
				;;
			*) die "what is $word in container/Dockerfile?" ;;
		esac
	done <"$top/container/Dockerfile"
	echo "shared_preload_libraries = 'sicantik_wa'" >"$work/etc/postgresql/$major/main/conf.d/sicantik_wa.conf"
	quietly "$suite: restart" within "$work" root pg_ctlcluster "$major" main restart
	use
	ok "the steps of container/Dockerfile make a server that works"
	quietly "$suite: stop" within "$work" root pg_ctlcluster "$major" main stop
}

check_suite()
{
	local major deb

	mkdir -p "$root"
	furnish "$root/bare" "$suite"
	umount "$root/bare/dev/shm" "$root/bare/proc"
	furnish "$root/build" "$suite" build-essential debhelper lintian libcurl4-openssl-dev libjson-c-dev \
		postgresql-server-dev-all postgresql ca-certificates tzdata
	umount "$root/build/dev/shm" "$root/build/proc"

	copy build deb
	sources "$work/root/sicantik_wa"
	quietly "$suite: make deb" within "$work" root make -C /root/sicantik_wa deb
	for deb in "$work"/root/sicantik_wa/deb/postgresql-*-sicantik-wa_*.deb; do
		major=${deb##*/postgresql-}
		major=${major%%-*}
	done
	ok "make deb: $(basename "$deb"), without a word of lintian's"
	cp "$deb" "$root/"
	deb=$root/$(basename "$deb")
	package "$deb" "$major"
	package_tests "$deb"
	container "$major"
	echo "$passed" >"$root/passed"
}

[ "$(id -u)" = 0 ] || die "chroot needs root"
base=${DEB_ROOT:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sicantik_wa/deb}
mkdir -p "$base"
base=$(cd "$base" && pwd -P)

if [ "${1:-}" = in-suite ]; then
	suite=$2
	root=$base/$suite
	check_suite
	exit
fi

one_run "$base" 'rm -rf --one-file-system "$base"/*/*.work'
total=0
[ $# -gt 0 ] || set -- bookworm
for suite; do
	run_stage "$0" in-suite "$suite"
	total=$((total + $(cat "$base/$suite/passed")))
done
echo "$total passed, 0 failed"

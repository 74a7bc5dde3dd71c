#!/bin/bash
#
# install-packages.sh [UNPACKED]: what building and testing needs, on Debian.
#
# With UNPACKED, a folder, only what building needs: no clang for the tests, and
# none for PostgreSQL's headers either, whose package depends on it (some 700 MB).
# Where they are not installed, they are unpacked into that folder, for
# private-pg.sh.
#
# Installs only what is missing, and only as root; anybody else is told what
# to install.  An installed PostgreSQL is used whatever its version, an
# existing cluster is left alone, and none is made: Debian's packages would
# create and start a cluster "main" with the first server.
#
# Environment: PG_CONFIG, the pg_config of a PostgreSQL that did not come from
# a package; then no PostgreSQL is installed.
#
set -eu

if ! command -v apt-get >/dev/null; then
	echo "No apt-get here: make sure yourself that there are gcc, clang (with its sanitizers)," >&2
	echo "PostgreSQL 15 to 19 with its headers, libcurl and json-c with theirs, libqrencode," >&2
	echo "perl with IPC::Run, python3 with psycopg2, and openssl." >&2
	exit 0
fi

headers=${1:-}

# a|b: one of them is enough
packages=(
	gcc make libc6-dev python3 python3-psycopg2
	'libcurl4-openssl-dev|libcurl4-gnutls-dev|libcurl4-nss-dev' libjson-c-dev libqrencode4
)
if [ -n "$headers" ]; then
	packages+=(libpq-dev)
else
	packages+=(clang libclang-rt-dev perl libipc-run-perl openssl ca-certificates procps valgrind)
fi

installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

any_installed()
{
	local name

	for name in ${1//|/ }; do
		if installed "$name"; then
			return 0
		fi
	done
	return 1
}

# Major version of the newest server that is installed from packages.
server_version()
{
	local postgres

	for postgres in /usr/lib/postgresql/*/bin/postgres; do
		if [ -x "$postgres" ]; then
			echo "$postgres" | cut -d / -f 5
		fi
	done | sort -n | tail -n 1
}

missing=()
for package in "${packages[@]}"; do
	any_installed "$package" || missing+=("${package%%|*}")
done

# The formatter comes with the headers of newer servers.
if [ -z "$headers" ] && ! command -v pg_bsd_indent /usr/lib/postgresql/*/bin/pg_bsd_indent >/dev/null; then
	missing+=(pg-bsd-indent)
fi

server=
development=
if [ -z "${PG_CONFIG:-}" ]; then
	server=$(server_version)
	if [ -z "$server" ]; then
		missing+=(postgresql)
	fi
	if [ -z "$server" ] || ! installed "postgresql-server-dev-$server"; then
		development=yes
		[ -n "$headers" ] || [ -z "$server" ] || missing+=("postgresql-server-dev-$server")
	fi
fi

if [ ${#missing[@]} -eq 0 ] && { [ -z "$headers" ] || [ -z "$development" ]; }; then
	exit 0
fi
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" -ne 0 ]; then
	echo "Missing packages; as root: apt-get install ${missing[*]}" >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
install=(apt-get install -y -q --no-install-recommends)

# quietly COMMAND ...: for the demo, packages are no news unless they fail
quietly()
{
	local log

	if [ -z "$headers" ]; then
		"$@"
		return
	fi
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1; then
		tail -n 25 "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}

echo "Installing: ${missing[*]:-headers of PostgreSQL, in a folder of their own}"
if [ "$(id -u)" -eq 0 ]; then
	quietly apt-get update -q
fi

# Releases in which these come with the compiler, or the server, have no such package.
for package in libclang-rt-dev pg-bsd-indent; do
	if [ -z "$headers" ] && ! apt-cache show $package >/dev/null 2>&1; then
		missing=("${missing[@]/#$package/}")
	fi
done

if [ -z "$server" ] && [ -z "${PG_CONFIG:-}" ]; then
	server=$(apt-cache depends postgresql | sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
	[ -n "$headers" ] || missing+=("postgresql-server-dev-$server")

	# No cluster with the first server; the setting ends with this script.
	quietly "${install[@]}" postgresql-common
	conf=/etc/postgresql-common/createcluster.conf
	cp -p $conf $conf.sicantik_wa
	trap 'mv -f $conf.sicantik_wa $conf' EXIT
	echo 'create_main_cluster = false' >>$conf
fi

# shellcheck disable=SC2068 # an empty word is to vanish
[ ${#missing[@]} -eq 0 ] || quietly "${install[@]}" ${missing[@]}

# Headers of the very version that the server has; if the archive has a newer
# one only, that one: modules built with it run with every minor version.
if [ -n "$headers" ] && [ -n "$development" ]; then
	mkdir -p "$headers"
	cd "$headers"
	package=postgresql-server-dev-$server
	version=$(dpkg-query -W -f '${Version}' "postgresql-$server")
	quietly apt-get download -q -o APT::Sandbox::User=root "$package=$version" ||
		quietly apt-get download -q -o APT::Sandbox::User=root "$package"
	dpkg -x "$package"_*.deb .
	rm -f "$package"_*.deb
fi

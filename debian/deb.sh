#!/bin/bash
#
# deb.sh [FOLDER]: Debian packages (make deb), one for each PostgreSQL whose
# development files are installed.
#
# Builds in a copy, so that this folder stays as it is, and puts the packages into
# FOLDER (deb/).  As root it installs what is missing; anybody else is told.  The
# packages are checked by lintian, without which nothing is built.
#
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
into=${1:-$top/deb}
missing=()

for package in build-essential debhelper lintian libcurl4-openssl-dev libjson-c-dev postgresql-server-dev-all; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "Missing packages; as root: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	apt-get update -q
	# no cluster is made for a server that comes along
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
tar -C "$top" --exclude=./.git --exclude=./deb --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
	--exclude=./results --exclude=./tmp_check --exclude=./output_iso --exclude=./regression.* --exclude='./sicantik_wa--*.sql' \
	-cf - . | tar -C "$work/source" --no-same-owner -xf -
cd "$work/source"

export DEB_PG_SUPPORTED_VERSIONS=installed
pg_buildext updatecontrol
dpkg-buildpackage --build=binary --unsigned-changes
mkdir -p "$into"
lintian --fail-on error,warning ../*.changes
cp ../*.deb "$into"
for package in ../*.deb; do
	case $package in
		*-dbgsym_*) ;;
		*) echo "$into/${package#../}" ;;
	esac
done

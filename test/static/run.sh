#!/bin/bash
#
# run.sh: what compilers and tools say of the C files that run nothing of them.
#
#	test/static/run.sh [TOOL ...]		fanalyzer cppcheck tidy; all of them, unless given
#
# gcc's -fanalyzer, cppcheck (postgres.cfg beside this file tells it of the server) and
# clang-tidy (.clang-tidy at the top says which checks, and why not the others).  All are
# silent, or this fails.  Where one is wrong the code says so more plainly, or the line
# has a comment with the reason.  Each version of a tool sees other things, so
# make test-static runs this in a Debian folder (../checked/run.sh).
#
# Environment: PG_CONFIG.
#
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ $# -gt 0 ] || set -- fanalyzer cppcheck tidy
pg_config=${PG_CONFIG:-pg_config}
flags=(-D_GNU_SOURCE -Isrc '-DWA_VERSION="1"' '-DWA_BUILD="1"' '-DWA_SQL_BUILD="1"' '-DWA_SOURCE_BUILD="1"')
server=("-I$("$pg_config" --includedir-server)" "-I$("$pg_config" --pkgincludedir)/internal" "-I$("$pg_config" --includedir)")
sources=(src/*.c src/*/*.c)
said=$(mktemp)
trap 'rm -f "$said"' EXIT

each() { printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -I{} "$@" || true; }

fanalyzer()
{
	# one that has been looked at stands still while its compiler does: -O1
	each gcc -fanalyzer -O1 -fwrapv -fno-strict-aliasing -std=gnu11 "${flags[@]}" "${server[@]}" -c -o /dev/null {} 2>&1
}

cppcheck_all()
{
	cppcheck -q -j "$(nproc)" --library=test/static/postgres.cfg --enable=warning,performance,portability --inline-suppr \
		--std=c11 --template='{file}:{line}: {severity}: {message} [{id}]' "${flags[@]}" src 2>&1
}

tidy()
{
	each clang-tidy --quiet {} -- -std=gnu11 "${flags[@]}" "${server[@]}" 2>/dev/null
}

failed=0
for tool in "$@"; do
	what=$tool
	[ "$tool" != cppcheck ] || what=cppcheck_all
	"$what" >"$said"
	n=$(grep -cE '(warning|error|style|portability|performance): ' "$said" || true)
	echo "$tool: ${#sources[@]} files, $n remarks"
	if [ "$n" -gt 0 ]; then
		cat "$said"
		failed=1
	fi
done
exit "$failed"

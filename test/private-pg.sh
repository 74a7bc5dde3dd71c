#!/bin/bash
#
# private-pg.sh DIRECTORY: build the checkout, install it into a PostgreSQL of
# our own, and print that PostgreSQL's bin directory (nothing else goes to
# standard output).
#
#	DIRECTORY/pg	a copy of the installed PostgreSQL; PostgreSQL finds its
#				files by the place of its programs, so a copy can be
#				anywhere and nothing is installed into the system
#	DIRECTORY/src	a copy of the checkout, built with gcc, warnings as errors
#
# Everything there belongs to the user that may run PostgreSQL, which refuses
# to run as root: the caller, or postgres if the caller is root.  Called again,
# it builds the checkout as it is then.
#
# Environment: PG_CONFIG, the pg_config of the PostgreSQL to use; default is
# the newest one that has headers.  UNPACKED, a folder in which its headers were
# unpacked (install-packages.sh), where they are not installed.
#
set -euo pipefail

if [ $# -ne 1 ]; then
	echo "usage: $0 DIRECTORY" >&2
	exit 2
fi
checkout=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
directory=$(cd "$1" && pwd)

# place PATH: where this part of PostgreSQL lies
place()
{
	if [ -e "$1" ] || [ -z "${UNPACKED:-}" ]; then
		echo "$1"
	else
		echo "$UNPACKED$1"
	fi
}

if [ -z "${PG_CONFIG:-}" ]; then
	for candidate in $(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -t / -k 5 -n -r) \
		"$(command -v pg_config || true)"; do
		if [ -x "$(dirname "$candidate")/postgres" ] && [ -f "$(place "$("$candidate" --pgxs)")" ]; then
			PG_CONFIG=$candidate
			break
		fi
	done
fi
if [ -z "${PG_CONFIG:-}" ]; then
	echo "no PostgreSQL with headers found; see test/install-packages.sh" >&2
	exit 1
fi

# Same places below pg/ as below /: the way from one to another stays as it is.
pg=$directory/pg
bin=$pg$("$PG_CONFIG" --bindir)
if [ ! -d "$bin" ]; then
	for what in bindir pkglibdir sharedir; do
		from=$("$PG_CONFIG" --$what)
		if [ ! -d "$pg$from" ]; then
			mkdir -p "$pg$(dirname "$from")"
			cp -a "$from" "$pg$from"
		fi
	done
	# pgxs and the like may stand beside the modules
	pgxs=$("$PG_CONFIG" --pgxs)
	pgxs=${pgxs%/pgxs/src/*}/pgxs
	if [ ! -d "$pg$pgxs" ]; then
		mkdir -p "$pg$(dirname "$pgxs")"
		cp -a "$(place "$pgxs")" "$pg$pgxs"
	fi
	# The server's headers lie below the client's: put together from two places
	# they need a folder of their own.
	from=$("$PG_CONFIG" --includedir)
	if [ ! -e "$("$PG_CONFIG" --includedir-server)" ]; then
		mkdir -p "$pg$from"
		cp -a "$from/." "$pg$from"
	fi
	# read only: the system's own will do
	for what in includedir includedir-server libdir; do
		from=$("$PG_CONFIG" --$what)
		if [ ! -e "$pg$from" ]; then
			mkdir -p "$pg$(dirname "$from")"
			ln -s "$(place "$from")" "$pg$from"
		fi
	done
	rm -f "$pg$("$PG_CONFIG" --pkglibdir)"/sicantik_wa*.so \
		"$pg$("$PG_CONFIG" --sharedir)"/extension/sicantik_wa*
fi

# What somebody built in the checkout stays out.
rm -rf "$directory/src"
mkdir -p "$directory/src"
tar -C "$checkout" -cf - --exclude=./.git --exclude='*.o' --exclude='*.bc' --exclude='*.so' \
	--exclude='./sicantik_wa--*.sql' --exclude=__pycache__ --exclude=./results --exclude=./output_iso \
	--exclude=./tmp_check . |
	tar -C "$directory/src" --no-same-owner -xf -

# tell_progress FILES: what make does, as tenths of the files that are to be
# compiled; what the compiler says is told as it is.
tell_progress()
{
	awk -v files="$1" '
		/^gcc .* -c / {
			n++
			if (int(10 * n / files) > tenths)
			{
				tenths = int(10 * n / files)
				printf "  %3d %% of %d files\n", 10 * tenths, files
				fflush()
			}
			next
		}
		/^(gcc|cat|make.*directory) / { next }
		{ print }'
}

make -j "$(nproc)" -C "$directory/src" PG_CONFIG="$bin/pg_config" CC=gcc with_llvm=no \
	WA_CFLAGS=-Werror all 2>&1 | tell_progress "$(find "$directory/src/src" -name '*.c' | wc -l)" >&2
make -s -C "$directory/src" PG_CONFIG="$bin/pg_config" CC=gcc with_llvm=no \
	WA_CFLAGS=-Werror install >&2

chmod 755 "$directory"
if [ "$(id -u)" -eq 0 ]; then
	chown -R --no-dereference postgres: "$directory"
fi
echo "$bin"

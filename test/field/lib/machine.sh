# machine.sh: one Debian bookworm (PostgreSQL 15) for several of the scripts in the
# folder above, with the extension built and installed in it; to be read with ".".

machine=$root/bookworm

# machine_prepare PACKAGE ...: with network; what the scripts need besides
machine_prepare()
{
	furnish "$machine" bookworm make gcc libc6-dev libcurl4-openssl-dev libjson-c-dev ca-certificates \
		postgresql-15 postgresql-server-dev-15 procps python3 python3-psycopg2 "$@"
	rm -rf "$machine/new"
	sources "$machine/new"
	chmod -R a+rX "$machine/new"
	if [ "$(sums "$machine/new")" != "$(cat "$machine/.built" 2>/dev/null)" ]; then
		rm -rf "$machine/src" "$machine/.built"
		mv "$machine/new" "$machine/src"
		sums "$machine/src" >"$machine/sums"
		# no clang: nothing of it is needed
		quietly "building" within "$machine" root make -s -j2 -C /src with_llvm=no WA_CFLAGS=-Werror
		quietly "installing" within "$machine" root make -s -C /src with_llvm=no install
		mv "$machine/sums" "$machine/.built"
	fi
	rm -rf "$machine/test-src"
	mkdir "$machine/test-src"
	tar -C "$top" -cf - test | tar -C "$machine/test-src" --no-same-owner -xf -
	chmod -R a+rX "$machine/test-src"
}

# sums FOLDER: of all that is built from
sums() { (cd "$1" && find src Makefile sicantik_wa.control -type f -print0 | sort -z | xargs -0 sha256sum); }

# machine_check NAME [ARGUMENT ...]: NAME.py beside this file, as postgres, in a folder of its own
machine_check()
{
	mounts "$machine"
	rm -rf "$machine/test"
	install -d -m 755 -o "$(owner)" "$machine/test" "$machine/test/postgres"
	within "$machine" postgres python3 -B "/test-src/test/field/lib/$1.py" "${@:2}"
	# what runs there yet ends with the name space, and the next one begins with the rest
	rm -rf "$machine/test" 2>/dev/null || true
}

owner() { within "$machine" root id -u postgres; }

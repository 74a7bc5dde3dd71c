# maintenance.sh: what rewrites tables, at each table of schema wa and each of Odoo's that is
# watched or read, under traffic; then an audit of what was committed, the ledger and what the
# provider took.  All of it is test/t/087_traffic.pl, which uses what a server has; here are
# servers that have it.  $MAINTENANCE_SECONDS: how long each tool.

. "$here/lib/majors.sh"

tools=(postgresql-{15,17,18}-repack postgresql-{17,18}-squeeze)

prepare()
{
	furnish_majors
	umount "$folder/dev/shm" "$folder/proc"
	furnish "$folder" sid,trixie,bookworm libipc-run-perl python3-psycopg2 procps "${tools[@]}"
}

check()
{
	local major log pgxs

	mounts "$folder"
	for major in "${majors[@]}"; do
		rm -rf --one-file-system "${folder:?}$work"
		mkdir -p "$folder$work"
		chroot "$folder" chown postgres: "$work"
		log=$root/maintenance-$major.log
		pgxs=/usr/lib/postgresql/$major/lib/pgxs
		run env -C /test/src PATH="/usr/lib/postgresql/$major/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
			MAINTENANCE_SECONDS="${MAINTENANCE_SECONDS:-10}" TESTDIR="$work" TESTDATADIR="$work/data" \
			TESTLOGDIR="$work/log" TMPDIR="$work" PG_REGRESS="$pgxs/src/test/regress/pg_regress" \
			PERL5LIB="$pgxs/src/test/perl:/test/src/test/perl" prove -v test/t/087_traffic.pl >"$log" 2>&1 </dev/null ||
			{ grep -E '^(not ok|#)' "$log" | head -n 40; die "PostgreSQL $major: all of it is in $log"; }
		sed -n "s/^ok [0-9]* - /ok $major: /p" "$log"
	done
}

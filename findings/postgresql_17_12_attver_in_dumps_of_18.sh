#!/bin/sh
#
# PostgreSQL 17.12 (Debian 13) writes an option of its own, pg_attver, into
# pg_attribute.attoptions of every column of a new table.  pg_dump 18.6 (Debian sid)
# does not know it and dumps it, and 18.6, for which such a dump is made, does not take it.
#
# The documentation says to make the dump for a new major version with that version's
# pg_dump, and pg_upgrade does so itself: it refuses the cluster in the middle, with a
# message about an option that nobody has set.  pg_dump of 17.12 leaves the option out.
# So, until the newer pg_dump leaves it out as well: dump with 17's own pg_dump.
#
# Seen: one table, two columns; dumped with each, restored into both.  Fails if that
# changes.  Takes some minutes.  Needs root, debootstrap, and a Debian archive that has
# trixie and sid with these versions ($ARCHIVE); the servers listen on no address.
#
set -eu

archive=${ARCHIVE:-http://deb.debian.org/debian}
old=17.12-0+deb13u1
new=18.6-3
dir=$(mktemp -d)
chmod 755 "$dir"

finish()
{
	umount "$dir/dev/shm" "$dir/proc" 2>/dev/null || true
	rm -rf --one-file-system "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

debootstrap --variant=minbase sid "$dir" "$archive" >"$dir.log" 2>&1 || { tail -n 5 "$dir.log"; exit 1; }
rm -f "$dir.log"
mount -t proc proc "$dir/proc"
mount -t tmpfs -o mode=1777 tmpfs "$dir/dev/shm"
printf 'deb %s sid main\ndeb %s trixie main\n' "$archive" "$archive" >"$dir/etc/apt/sources.list"
cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
chmod 755 "$dir/usr/sbin/policy-rc.d"
mkdir -p "$dir/etc/postgresql-common"
echo 'create_main_cluster = false' >"$dir/etc/postgresql-common/createcluster.conf"

in_there() { chroot "$dir" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
as_user() { in_there setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
of() { major=$1 program=$2; shift 2; as_user "/usr/lib/postgresql/$major/bin/$program" "$@"; }

in_there apt-get -q -o Acquire::Check-Valid-Until=false update >/dev/null
in_there apt-get -q -y --no-install-recommends install "postgresql-17=$old" "postgresql-18=$new" >/dev/null 2>&1 ||
	{ echo "postgresql-17 $old and postgresql-18 $new cannot be had here"; exit 1; }

as_user mkdir /tmp/data
for major in 17 18; do
	of $major initdb -D /tmp/data/$major -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
	of $major pg_ctl -D /tmp/data/$major -l /tmp/data/$major.log -w \
		-o "-k /tmp/data -p 54$major -c listen_addresses=" start >/dev/null
	of $major psql -XqAt -h /tmp/data -p 54$major postgres -c 'SHOW server_version'
done
of 17 psql -Xq -h /tmp/data -p 5417 postgres -c 'CREATE TABLE permit (id integer, holder text)'

# the number itself is another one each time
of 17 psql -XAt -h /tmp/data -p 5417 postgres -c "SELECT attname, regexp_replace(attoptions::text, '[0-9]+', 'N')
	FROM pg_attribute WHERE attrelid = 'permit'::regclass AND attnum > 0 ORDER BY attnum" | tee "$dir/tmp/said"
for by in 17 18; do
	of $by pg_dump -h /tmp/data -p 5417 postgres >"$dir/tmp/dump"
	for into in 17 18; do
		of $into dropdb -h /tmp/data -p 54$into --if-exists restored 2>/dev/null
		of $into createdb -h /tmp/data -p 54$into restored
		of $into psql -Xq -h /tmp/data -p 54$into restored <"$dir/tmp/dump" >/dev/null 2>"$dir/tmp/errors"
		echo "dumped by $by, restored into $into: $(grep -c 'ERROR: .*unrecognized parameter "pg_attver"' "$dir/tmp/errors") errors"
	done
done | tee -a "$dir/tmp/said"
for major in 17 18; do
	of $major pg_ctl -D /tmp/data/$major -m immediate stop >/dev/null
done

cat >"$dir/tmp/expected" <<'END'
id|{pg_attver=N}
holder|{pg_attver=N}
dumped by 17, restored into 17: 0 errors
dumped by 17, restored into 18: 0 errors
dumped by 18, restored into 17: 0 errors
dumped by 18, restored into 18: 2 errors
END
cmp "$dir/tmp/said" "$dir/tmp/expected"

#!/bin/sh
#
# pg_upgradecluster (postgresql-common 293, Debian sid) takes the configuration of the
# old cluster along, and pg_hba.conf, pg_ident.conf, environment and the hooks, but not
# the files in conf.d, which Debian's own postgresql.conf includes.
#
# What is set there is lost without a word: the command succeeds, and the new cluster
# runs with defaults.  An extension whose library is preloaded by a file in conf.d, as
# its instructions say and packages do, is there and does nothing.
#
# Seen: a setting in postgresql.conf and one in conf.d/preload.conf, before and after.
# Fails if that changes.  Takes some minutes.  Needs root, debootstrap, and a Debian
# archive that has trixie and sid with these versions ($ARCHIVE).
#
set -eu

archive=${ARCHIVE:-http://deb.debian.org/debian}
common=293
old=17.12-0+deb13u1
new=18.6-3
dir=$(mktemp -d)
chmod 755 "$dir"

finish()
{
	# the servers run in there
	for at in /proc/[0-9]*; do
		[ "$(readlink "$at/root" 2>/dev/null)" != "$dir" ] || kill -QUIT "${at#/proc/}" 2>/dev/null || true
	done
	while mountpoint -q "$dir/dev/shm" && ! umount "$dir/dev/shm" 2>/dev/null; do sleep 1; done
	umount "$dir/proc" 2>/dev/null || true
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

in_there() { chroot "$dir" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
ask() { in_there setpriv --reuid=postgres --regid=postgres --init-groups psql --cluster "$1/main" -XAqt -c 'SHOW work_mem' -c 'SHOW shared_preload_libraries' | tr '\n' ' '; }

in_there apt-get -q -o Acquire::Check-Valid-Until=false update >/dev/null
in_there apt-get -q -y --no-install-recommends install "postgresql-common=$common" >/dev/null 2>&1 ||
	{ echo "postgresql-common $common cannot be had here"; exit 1; }
printf "create_main_cluster = false\nadd_include_dir = 'conf.d'\n" >"$dir/etc/postgresql-common/createcluster.conf"
in_there apt-get -q -y --no-install-recommends install "postgresql-17=$old" "postgresql-18=$new" >/dev/null 2>&1 ||
	{ echo "postgresql-17 $old and postgresql-18 $new cannot be had here"; exit 1; }

in_there pg_createcluster --locale C.UTF-8 17 main >/dev/null
conf=$dir/etc/postgresql/17/main
grep "^include_dir" "$conf/postgresql.conf"
echo "work_mem = '7MB'" >>"$conf/postgresql.conf"
echo "shared_preload_libraries = 'auto_explain'" >"$conf/conf.d/preload.conf"
in_there pg_ctlcluster 17 main start
echo "17: $(ask 17)" | tee "$dir/tmp/said"
in_there pg_upgradecluster -v 18 17 main >"$dir/tmp/upgrade" 2>&1 && echo "pg_upgradecluster succeeds" | tee -a "$dir/tmp/said"
echo "lines of it that name conf.d: $(grep -c 'conf\.d' "$dir/tmp/upgrade" || true)" | tee -a "$dir/tmp/said"
echo "18: $(ask 18)" | tee -a "$dir/tmp/said"
echo "18 conf.d: $(ls "$dir/etc/postgresql/18/main/conf.d" | tr '\n' ' ')" | tee -a "$dir/tmp/said"

cat >"$dir/tmp/expected" <<'END'
17: 7MB auto_explain 
pg_upgradecluster succeeds
lines of it that name conf.d: 0
18: 7MB  
18 conf.d: 
END
cmp "$dir/tmp/said" "$dir/tmp/expected"

#!/bin/bash
#
# pgpool-II 4.3.5 (Debian 12) with memory_cache_enabled: what a timestamptz is in
# one session's time zone is given to the sessions of another one.  "How many
# messages of 30 November", asked in Jakarta, is answered as it was in UTC before:
# 17 for 24; the day of the first is the 29th.
#
# One would expect that such answers are not cached: "SELECTs including TIMESTAMP
# WITH TIMEZONE", says its documentation (In Memory Query Cache), are not, since
# SET TimeZone changes them.  But a statement is judged by what is written in it: a
# literal of that type is found, a column of that type is not.
#
# The official container of PostgreSQL is in UTC, and so is each session that does
# not say otherwise.  Who reads the same tables as the same role in Asia/Jakarta,
# Makassar or Jayapura (a report, a letter, a daily count), with a statement that
# was asked in UTC before, gets dates that are a day early for whatever happened
# before seven, eight or nine in the morning; after the next write to the table it
# may be the other way round.  Begin such statements with /*NO QUERY CACHE*/, name
# the tables in cache_unsafe_memqcache_table_list, or say AT TIME ZONE
# 'Asia/Jakarta' in them.
#
# Fails if that changes.  Needs Debian 12 with its package postgresql-15 (any minor
# release) and apt's lists; PostgreSQL listens on a socket in its folder, pgpool on
# 127.0.0.1.
#
set -euo pipefail

package=pgpool2=4.3.5-1+deb12u1
libraries='libpgpool2 libmemcached11 libhashkit2'
port=$((20000 + $$ % 20000))
dir=$(mktemp -d)
bin=/usr/lib/postgresql/15/bin
pool=

as_user()
{
	if [ "$(id -u)" = 0 ]; then
		exec setpriv --reuid=postgres --regid=postgres --init-groups "$@"
	else
		exec "$@"
	fi
}

finish()
{
	if [ -n "$pool" ]; then
		kill -INT "$pool" 2>/dev/null || true
		wait "$pool" || true
	fi
	(as_user "$bin/pg_ctl" -D "$dir/data/main" -m immediate stop) >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

cd "$dir"
mkdir -p download data/oid
# shellcheck disable=SC2086
(cd download && apt-get -qq download $package $libraries 2>/dev/null) || { echo "$package cannot be had here"; exit 1; }
for deb in download/*.deb; do dpkg-deb -x "$deb" .; done
chmod 755 "$dir"

unset PGPORT PGSERVICE PGOPTIONS PGTZ
export PGUSER=office PGDATABASE=postgres
cat > data/pgpool.conf <<CONF
backend_clustering_mode = 'raw'
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir/data'
pcp_listen_addresses = '127.0.0.1'
pcp_port = $((port + 1))
pcp_socket_dir = '$dir/data'
pid_file_name = '$dir/data/pgpool.pid'
logdir = '$dir/data'
work_dir = '$dir/data'
backend_hostname0 = '$dir/data'
backend_port0 = 5432
backend_flag0 = 'DISALLOW_TO_FAILOVER'
num_init_children = 4
health_check_period = 0
sr_check_period = 0
memory_cache_enabled = on
memqcache_total_size = 8MB
memqcache_max_num_cache = 1000
memqcache_oiddir = '$dir/data/oid'
CONF
touch data/pcp.conf data/pool_hba.conf
[ "$(id -u)" != 0 ] || chown -R postgres: data
(as_user "$bin/initdb" -D data/main -U office -A trust -E UTF8 --locale=C.UTF-8) >/dev/null
cat >> data/main/postgresql.conf <<CONF
	listen_addresses = ''
	unix_socket_directories = '$dir/data'
	timezone = 'UTC'
	fsync = off
CONF
(as_user "$bin/pg_ctl" -D data/main -l data/log -w start) >/dev/null
direct=("$bin/psql" -qXAt -v ON_ERROR_STOP=1 -h "$dir/data" -p 5432)
pooled=("$bin/psql" -qXAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$port")

# one message in each hour of 30 November in Jakarta
"${direct[@]}" <<'SQL'
CREATE TABLE message (id int, sent timestamptz);
INSERT INTO message SELECT i, '2026-11-30 00:30+07'::timestamptz + i * interval '1 hour' FROM generate_series(0, 23) i;
SQL

(LD_LIBRARY_PATH=$(echo "$dir"/usr/lib/*-linux-gnu); export LD_LIBRARY_PATH
	as_user usr/sbin/pgpool -n -f data/pgpool.conf -F data/pcp.conf -a data/pool_hba.conf) >data/pgpool.log 2>&1 &
pool=$!
for _ in $(seq 60); do
	if "${pooled[@]}" -c 'SELECT 1' >/dev/null 2>&1; then break; fi
	sleep 0.5
done
echo "$package, $("$bin/postgres" --version)"

count="SELECT count(*) FROM message WHERE sent::date = '2026-11-30'"
first="SELECT sent::date FROM message WHERE id = 0"
literal="SELECT count(*) FROM message WHERE sent >= timestamptz '2026-11-30'"
ask() { "${pooled[@]}" -c "SET TimeZone = '$1'" -c "$2"; }

answer="count, UTC: $(ask UTC "$count")
count, Asia/Jakarta: $(ask Asia/Jakarta "$count")
the same without pgpool: $("${direct[@]}" -c "SET TimeZone = 'Asia/Jakarta'" -c "$count")
the same with NO QUERY CACHE: $(ask Asia/Jakarta "/*NO QUERY CACHE*/ $count")
day of the first, UTC: $(ask UTC "$first")
day of the first, Asia/Jakarta: $(ask Asia/Jakarta "$first")
type named, UTC: $(ask UTC "$literal")
type named, Asia/Jakarta: $(ask Asia/Jakarta "$literal")"
ask UTC 'UPDATE message SET id = id WHERE id = 0'
answer="$answer
after a write, Asia/Jakarta: $(ask Asia/Jakarta "$count")
after a write, UTC: $(ask UTC "$count")"
echo "$answer"
[ "$answer" = 'count, UTC: 17
count, Asia/Jakarta: 17
the same without pgpool: 24
the same with NO QUERY CACHE: 24
day of the first, UTC: 2026-11-29
day of the first, Asia/Jakarta: 2026-11-29
type named, UTC: 17
type named, Asia/Jakarta: 24
after a write, Asia/Jakarta: 24
after a write, UTC: 24' ]

#!/bin/bash
#
# orafce 4.1.1 (Debian 12) with PostgreSQL 15: plvdate.bizdays_between(), "the number
# of business days between two dates", counts a holiday that is a Monday as a working
# day, leaves a Friday out if the Saturday behind it is a holiday, and leaves the last
# day out if the day after it is a holiday.
#
# One would expect the days for which plvdate.isbizday() is true, and that
# add_bizdays(), with the same holidays, goes to the same day.  Those two are right.
# But bizdays_between() looks up the holiday of the next day together with the weekday
# of this one (ora_diff_bizdays in plvdate.c), so a Monday is looked up as a Sunday and
# passed over as weekend.  Without holidays, or with holidays in the middle of the week
# and of the period, nothing is to be seen.
#
# A licensing office answers for deadlines in working days ("14 hari kerja").  In 2026
# Hari Lahir Pancasila (1 June) and Hari Kemerdekaan (17 August) are Mondays, and Idul
# Fitri (21 March) is a Saturday: a permit that was in time counts as late, one that
# was late as in time, and the deadline that the citizen was told, made by
# add_bizdays(), is another one than the report counts to.  Count with isbizday():
# SELECT count(*) FROM generate_series(a, b, '1 day') d WHERE plvdate.isbizday(d::date).
#
# Seen: periods with one holiday each, given for one year or for every year, both ends
# counted, which is the default; Easter, which is on by default, is off.  Fails if that
# changes.  Needs Debian 12 with its package postgresql-15 (any minor release) and apt's
# lists; the server listens on a socket in its folder only.
#
set -euo pipefail

package=postgresql-15-orafce=4.1.1-1
dir=$(mktemp -d)
bin=$dir/usr/lib/postgresql/15/bin

as_user()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups "$@"
	else
		"$@"
	fi
}

finish()
{
	as_user "$bin/pg_ctl" -D "$dir/data/main" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

cd "$dir"
mkdir -p usr/lib/postgresql usr/share/postgresql download data
cp -a /usr/lib/postgresql/15 usr/lib/postgresql/
cp -a /usr/share/postgresql/15 usr/share/postgresql/
(cd download && apt-get -qq download "$package" 2>/dev/null) || { echo "$package cannot be had here"; exit 1; }
dpkg-deb -x download/*.deb .
chmod 755 "$dir"
[ "$(id -u)" != 0 ] || chown postgres: data

unset PGPORT PGSERVICE PGOPTIONS
export PGUSER=office PGHOST="$dir/data" PGDATABASE=postgres
as_user "$bin/initdb" -D data/main -U office -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
cat >> data/main/postgresql.conf <<-CONF
	listen_addresses = ''
	unix_socket_directories = '$dir/data'
	fsync = off
CONF
as_user "$bin/pg_ctl" -D data/main -l data/log -w start >/dev/null
"$bin/psql" -qXAt -c 'CREATE EXTENSION orafce' 2>/dev/null
echo "$package, $("$bin/postgres" --version)"

# count DAY EVERY_YEAR FROM TO: with that holiday alone
count()
{
	"$bin/psql" -qXAt -v ON_ERROR_STOP=1 -v day="$1" -v every="$2" -v from="$3" -v to="$4" <<-'SQL' | sed '/^|*$/d'
		SELECT plvdate.unuse_easter(), plvdate.unuse_great_friday();
		SELECT plvdate.set_nonbizday(:'day'::date, :'every'::boolean);
		SELECT to_char(:'day'::date, 'Dy DD Mon') || ' in ' || to_char(:'from'::date, 'Dy DD Mon') || ' to ' ||
		       to_char(:'to'::date, 'Dy DD Mon') || ': ' ||
		       (SELECT count(*) FROM generate_series(:'from'::date, :'to'::date, '1 day') d WHERE plvdate.isbizday(d::date)) ||
		       ' by isbizday, ' || plvdate.bizdays_between(:'from', :'to') || ' by bizdays_between';
	SQL
}

answer="$(count 2026-05-14 false 2026-05-11 2026-05-15)
$(count 2026-08-17 false 2026-08-14 2026-08-18)
$(count 2026-08-17 true 2026-08-14 2026-08-18)
$(count 2026-06-01 false 2026-06-01 2026-06-30)
$(count 2026-03-21 false 2026-03-16 2026-03-25)
$(count 2026-01-01 true 2025-12-29 2025-12-31)
17 August is a working day: $("$bin/psql" -qXAt -c "SELECT plvdate.set_nonbizday('2026-08-17'::date)" \
	-c "SELECT plvdate.isbizday('2026-08-17')" | tail -n 1)
one working day after 14 August: $("$bin/psql" -qXAt -c "SELECT plvdate.set_nonbizday('2026-08-17'::date)" \
	-c "SELECT plvdate.add_bizdays('2026-08-14', 1)" | tail -n 1)"
echo "$answer"
[ "$answer" = 'Thu 14 May in Mon 11 May to Fri 15 May: 4 by isbizday, 4 by bizdays_between
Mon 17 Aug in Fri 14 Aug to Tue 18 Aug: 2 by isbizday, 3 by bizdays_between
Mon 17 Aug in Fri 14 Aug to Tue 18 Aug: 2 by isbizday, 3 by bizdays_between
Mon 01 Jun in Mon 01 Jun to Tue 30 Jun: 21 by isbizday, 22 by bizdays_between
Sat 21 Mar in Mon 16 Mar to Wed 25 Mar: 8 by isbizday, 7 by bizdays_between
Thu 01 Jan in Mon 29 Dec to Wed 31 Dec: 3 by isbizday, 2 by bizdays_between
17 August is a working day: f
one working day after 14 August: 2026-08-18' ]

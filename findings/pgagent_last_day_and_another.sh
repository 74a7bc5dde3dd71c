#!/bin/bash
#
# pgAgent 4.2.2 (Debian 12, pgAdmin's scheduler of jobs) with PostgreSQL 15: a job for
# the 15th and for the "last day" of the month is never carried out on the last day.
#
# One would expect both.  Its documentation (pgAdmin, pgAgent Schedules) says that a
# schedule is carried out at each date that is ticked, and that Last Day matches the
# last day of the month, whether that is the 28th, 29th, 30th or 31st.  It does if
# nothing else is ticked.  With another day beside it pga_next_schedule() does come to
# the last day, and then asks whether it may run then: the day itself is not ticked,
# and last days count only where the list of days is exactly "last day" and no other.
# So it goes on to the next month, and no error, no log and no missed run is to be seen:
# the run was never planned.
#
# Two more of the same function.  What is planned at 16:20 for 08:00 and 08:30 begins at
# 08:30: if it has to go on to another hour, it looks for a minute from the present one
# upwards first, and starts at the beginning only if there is none.  That happens where a
# job is made or altered after the last hour of its day, and each day if it takes that
# long.  And a job for the 30th fails on 30 January: the next one would be on
# "2-30", and the statement with which pgAgent plans the next run is an error, as is
# that of who makes a job for the 31st in the middle of April.
#
# An office lets such jobs look for permits that expire, make the recapitulation of the
# half month, and remove what is too old: with "15 and last day" each second one is not
# made.  A job may have several schedules: make one for the last day alone, one for each
# minute, and take the last day for 29, 30 and 31.
#
# Seen: jobs and schedules as pgAdmin writes them, in the year 2040, where the next run is
# planned by pgAgent's own triggers; after each run the start is put to a minute after it,
# since pgAgent plans from a minute after the present.  The program itself, which only
# carries out what is planned, does not run.  Fails if that changes.  Needs Debian 12 with
# its package postgresql-15 (any minor release) and apt's lists; the server listens on a
# socket in its folder only.
#
set -euo pipefail

package=pgagent=4.2.2-2
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
	timezone = 'Asia/Jakarta'
	fsync = off
CONF
as_user "$bin/pg_ctl" -D data/main -l data/log -w start >/dev/null
"$bin/psql" -qXAt -v ON_ERROR_STOP=1 >/dev/null <<-'SQL'
	CREATE EXTENSION pgagent;

	-- the list of flags as pgAgent keeps it: of "size", those that are ticked, counted from "first"
	CREATE FUNCTION ticked(size int, first int, VARIADIC chosen int[]) RETURNS boolean[] LANGUAGE sql AS
		$$ SELECT array_agg(i + first - 1 = ANY (chosen) ORDER BY i) FROM generate_series(1, size) i $$;

	-- a job with one schedule for each list of month days (32: last day), from a start
	CREATE FUNCTION job(start timestamptz, hours int[], minutes int[], VARIADIC days text[]) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE
		id int;
		d text;
	BEGIN
		INSERT INTO pgagent.pga_job (jobjclid, jobname) VALUES (1, 'recapitulation') RETURNING jobid INTO id;
		FOREACH d IN ARRAY days LOOP
			INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscstart, jscminutes, jschours, jscmonthdays)
			VALUES (id, d, start, ticked(60, 0, VARIADIC minutes), ticked(24, 0, VARIADIC hours),
			        ticked(32, 1, VARIADIC string_to_array(d, ',')::int[]));
		END LOOP;
		RETURN id;
	END $$;

	-- the next runs, each planned when the one before has ended
	CREATE FUNCTION runs(id int, many int) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		next timestamptz;
		answer text := '';
	BEGIN
		FOR i IN 1 .. many LOOP
			SELECT jobnextrun INTO next FROM pgagent.pga_job WHERE jobid = id;
			answer := answer || to_char(next, ' DD Mon HH24:MI,');
			IF i < many THEN
				UPDATE pgagent.pga_schedule SET jscstart = next + interval '1 minute' WHERE jscjobid = id;
			END IF;
		END LOOP;
		RETURN rtrim(answer, ',');
	END $$;
SQL
echo "$package, $("$bin/postgres" --version)"

ask()
{
	{ "$bin/psql" -qXAt -c "$1" 2>&1 || true; } | sed -n '1 { s/^ERROR:  /error: /; p }'
}

answer="last day alone:$(ask "SELECT runs(job('2040-01-01', '{7}', '{0}', '32'), 4)")
15 alone:$(ask "SELECT runs(job('2040-01-01', '{7}', '{0}', '15'), 4)")
15 and last day:$(ask "SELECT runs(job('2040-01-01', '{7}', '{0}', '15,32'), 4)")
the same as two schedules:$(ask "SELECT runs(job('2040-01-01', '{7}', '{0}', '15', '32'), 4)")
1 and last day:$(ask "SELECT runs(job('2040-01-02', '{7}', '{0}', '1,32'), 4)")
08:00 and 08:30, planned at 16:45:$(ask "SELECT runs(job('2040-01-01 16:45', '{8}', '{0,30}', '1,2,3,4,5'), 3)")
08:00 and 08:30, planned at 16:20:$(ask "SELECT runs(job('2040-01-01 16:20', '{8}', '{0,30}', '1,2,3,4,5'), 3)")
30:$(ask "SELECT runs(job('2040-01-01', '{7}', '{0}', '30'), 1)")
30, and the next: $(ask "SELECT runs(job('2040-01-01', '{7}', '{0}', '30'), 2)")
31, planned on 15 April: $(ask "SELECT runs(job('2040-04-15', '{7}', '{0}', '31'), 1)")"
echo "$answer"
[ "$answer" = 'last day alone: 31 Jan 07:00, 29 Feb 07:00, 31 Mar 07:00, 30 Apr 07:00
15 alone: 15 Jan 07:00, 15 Feb 07:00, 15 Mar 07:00, 15 Apr 07:00
15 and last day: 15 Jan 07:00, 15 Feb 07:00, 15 Mar 07:00, 15 Apr 07:00
the same as two schedules: 15 Jan 07:00, 31 Jan 07:00, 15 Feb 07:00, 29 Feb 07:00
1 and last day: 01 Feb 07:00, 01 Mar 07:00, 01 Apr 07:00, 01 May 07:00
08:00 and 08:30, planned at 16:45: 02 Jan 08:00, 02 Jan 08:30, 03 Jan 08:00
08:00 and 08:30, planned at 16:20: 02 Jan 08:30, 03 Jan 08:00, 03 Jan 08:30
30: 30 Jan 07:00
30, and the next: error: date/time field value out of range: "2040-2-30 7:0"
31, planned on 15 April: error: date/time field value out of range: "2040-4-31 7:0"' ]

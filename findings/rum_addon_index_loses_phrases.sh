#!/bin/bash
#
# rum 1.3.13 (Debian 12) with PostgreSQL 15: with the operator class for words and a date
# together, rum_tsvector_addon_ops, a phrase with a choice or a NOT in it finds less than
# without the index: "(izin | pajak) <-> reklame" finds nothing at all.
#
# One would expect that an index changes how long it takes and not what is found.  The same
# query is right with GIN, with rum_tsvector_ops, and if it is put as "izin <-> reklame |
# pajak <-> reklame".  In place of the positions of words this class keeps the date, so it
# cannot tell a phrase and has to look at the row itself, as it does, and is right, for a
# phrase of plain words.  Its documentation explains how it sorts by date, and names fast
# phrases as what RUM is for; it does not say that some are not to be asked for.  The other
# such class, rum_tsvector_hash_addon_ops, is the same.
#
# It is the index for "permits with these words, the newest first".  Who looks through such a
# list, or picks from it those that are to be told of a new rule, gets none, or some of
# them, and no error; in a test with few rows, where the table is read as a whole, all are
# there.  Such a phrase need not be typed: phraseto_tsquery() makes it where a dictionary
# knows two forms of a word.
#
# Put the choice outside the phrase, or use rum_tsvector_ops or GIN, and let the answer be sorted.
#
# Seen: 20,000 permits, of which 600 are about reklame.  Fails if that changes.
# Needs Debian 12 with its package postgresql-15 (any minor release) and apt's lists; the
# server listens on a socket in its folder only.
#
set -euo pipefail

package=postgresql-15-rum=1.3.13-1+deb12u1
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

run() { "$bin/psql" -qXAt -v ON_ERROR_STOP=1 "$@"; }

run <<'SQL'
CREATE EXTENSION rum;
CREATE TABLE permit (id int, issued timestamp, words tsvector);
INSERT INTO permit
SELECT i, timestamp '2026-01-01' + i * interval '10 minutes', to_tsvector('simple', CASE i % 100
	WHEN 0 THEN 'izin reklame'
	WHEN 1 THEN 'pajak reklame'
	WHEN 2 THEN 'pajak reklame tanpa izin'
	ELSE 'surat keterangan nomor ' || i END)
  FROM generate_series(0, 19999) i;
ANALYZE permit;
SQL
echo "$package, $("$bin/postgres" --version)"

ask() { run -c "SELECT count(*) FROM permit WHERE words @@ '$1'::tsquery"; }
uses()
{
	run -c "EXPLAIN (COSTS OFF) SELECT FROM permit WHERE words @@ '$1'::tsquery" | grep -o 'Index Scan\|Seq Scan'
}
choice='(izin | pajak) <-> reklame'
apart='izin <-> reklame | pajak <-> reklame'
other='!izin <-> reklame'
all() { echo "choice $(ask "$choice"), put apart $(ask "$apart"), NOT $(ask "$other")"; }
newest()
{
	run -c "SELECT count(*) FROM (SELECT FROM permit WHERE words @@ '$1'::tsquery
		ORDER BY issued <=> '2026-12-31' LIMIT 5) newest"
}

answer="no index: $(all)"
for index in 'gin (words)' 'rum (words rum_tsvector_ops)' \
	"rum (words rum_tsvector_addon_ops, issued) WITH (attach = 'issued', to = 'words')" \
	"rum (words rum_tsvector_hash_addon_ops, issued) WITH (attach = 'issued', to = 'words')"; do
	run -c "CREATE INDEX by_words ON permit USING $index" -c 'ANALYZE permit'
	answer="$answer
${index%%[,)]*}) ($(uses "$choice")): $(all)"
	case $index in
	*addon*) answer="$answer, newest 5: $(newest "$choice"), put apart $(newest "$apart")" ;;
	esac
	run -c 'DROP INDEX by_words'
done
echo "$answer"
[ "$answer" = 'no index: choice 600, put apart 600, NOT 400
gin (words) (Index Scan): choice 600, put apart 600, NOT 400
rum (words rum_tsvector_ops) (Index Scan): choice 600, put apart 600, NOT 400
rum (words rum_tsvector_addon_ops) (Index Scan): choice 0, put apart 600, NOT 200, newest 5: 0, put apart 5
rum (words rum_tsvector_hash_addon_ops) (Index Scan): choice 0, put apart 600, NOT 200, newest 5: 0, put apart 5' ]

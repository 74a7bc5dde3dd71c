# majors.sh: PostgreSQL 15, 17, 18 and 19 beside each other in one folder, with the
# extension in each, and an office in a database of one; for the scripts in the folder
# above, which read it with ".".
#
# Everything below happens in there: $folder on the outside, / for what runs in it.

majors=(15 17 18 19)
folder=$root/majors
work=/test/work					# made anew by begin
declare -A major_of port_of		# of a server, by its name

# furnish_majors: with network
furnish_majors()
{
	local major step built file key needs=(make gcc libc6-dev libcurl4-openssl-dev libjson-c-dev python3 ca-certificates tzdata)

	# 19 in a second step: experimental may be in the middle of another transition
	furnish "$folder" sid,trixie,bookworm "${needs[@]}" postgresql-15 postgresql-17 postgresql-18
	headers 15 17 18
	umount "$folder/dev/shm" "$folder/proc"
	furnish "$folder" experimental postgresql-19
	headers 19
	rm -rf "$folder/test/src"
	sources "$folder/test/src"
	key=$(cd "$folder/test/src" && find Makefile src sicantik_wa.control -type f -print0 | sort -z | xargs -0 cat | sha256sum)
	for major in "${majors[@]}"; do
		built=$folder/test/build/$major
		[ "$(cat "$built.key" 2>/dev/null)" != "$key $(server_version "$major")" ] || continue
		echo "Building for PostgreSQL $major ..."
		# what make has made and need not make again stays
		[ ! -d "$built" ] || (cd "$built" && find . -name '*.[ch]' -o -name '*.def' -o -name '*.sql') | while read -r file; do
			[ -e "$folder/test/src/$file" ] || rm "$built/$file"
		done
		mkdir -p "$built"
		tar -C "$folder/test/src" -cf - . | tar -C "$built" --no-same-owner -xf -
		for step in all install; do
			quietly "build for PostgreSQL $major" within "$folder" root make -s -j2 -C "/test/build/$major" \
				PG_CONFIG="/usr/lib/postgresql/$major/bin/pg_config" with_llvm=no WA_CFLAGS=-Werror "$step"
		done
		echo "$key $(server_version "$major")" >"$built.key"
	done
	chmod -R a+rX "$folder/test"
}

server_version()
{
	# shellcheck disable=SC2016 # for dpkg-query
	within "$folder" root dpkg-query -W -f '${Version}' "postgresql-$1"
}

# headers MAJOR ...: those of the server; their package would bring a compiler of its
# own for each major version, so it is unpacked and not installed
headers()
{
	local major version

	for major; do
		version=$(server_version "$major")
		[ "$(cat "$folder/test/headers-$major" 2>/dev/null)" != "$version" ] || continue
		quietly "headers of PostgreSQL $major" within "$folder" root sh -c "cd /tmp && rm -f postgresql-server-dev-*.deb
			get='apt-get -q -o APT::Sandbox::User=root download postgresql-server-dev-$major'
			\$get=$version || \$get"
		dpkg -x "$folder/tmp/postgresql-server-dev-${major}_"*.deb "$folder"
		rm -f "$folder/tmp/postgresql-server-dev-"*.deb
		mkdir -p "$folder/test"
		echo "$version" >"$folder/test/headers-$major"
	done
}

# run COMMAND ...: in there, as the user that PostgreSQL runs as
run() { within "$folder" postgres "$@"; }

# tool MAJOR PROGRAM ...: of that PostgreSQL
tool()
{
	local major=$1 program=$2

	shift 2
	run "/usr/lib/postgresql/$major/bin/$program" "$@"
}

# begin: an empty $work, and the simulated providers in it
begin()
{
	local end=$((SECONDS + 60))

	mounts "$folder"
	rm -rf --one-file-system "${folder:?}$work"
	mkdir -p "$folder$work/socket" "$folder$work/simulator" "$folder$work/secrets"
	chmod 700 "$folder$work/secrets"
	chroot "$folder" chown -R postgres: "$work"
	run python3 -u /test/src/test/simulator/simulator.py --port 8085 --state-dir "$work/simulator" \
		--port-file "$work/simulator/ready" >"$folder$work/simulator/out" 2>&1 </dev/null &
	until [ -s "$folder$work/simulator/ready" ]; do
		[ "$SECONDS" -lt "$end" ] || die "the simulator does not start"
		read -r -t 0.1 <> <(:) || true
	done
}

# simulator NAME [JSON]: a call of its control endpoint
simulator()
{
	run python3 -c 'import sys, urllib.request as r
print(r.urlopen("http://127.0.0.1:8085/_control/" + sys.argv[1], sys.argv[2].encode() if len(sys.argv) > 2 else None, 60).read().decode())' "$@"
}

# sent [NUMBER ...]: how often a provider got something for these numbers, or at all
sent()
{
	run python3 -c 'import json, sys
wanted = sys.argv[2:]
print(sum(1 for e in map(json.loads, open(sys.argv[1])) if e["endpoint"] == "send" and (not wanted or e["to"] in wanted)))' \
		"$work/simulator/journal.jsonl" "$@"
}

# sent_each NUMBER ...: how often each, in one line
sent_each()
{
	run python3 -c 'import collections, json, sys
n = collections.Counter(e["to"] for e in map(json.loads, open(sys.argv[1])) if e["endpoint"] == "send")
print(*(n[number] for number in sys.argv[2:]))' "$work/simulator/journal.jsonl" "$@"
}

# server NAME MAJOR PORT [OPTION OF INITDB ...]: made, not started
server()
{
	local name=$1 major=$2 port=$3

	shift 3
	quietly "initdb $major" tool "$major" initdb -D "$work/$name" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync "$@"
	configured "$name" "$major" "$port"
}

# configured NAME MAJOR PORT [INSTANCE]: a data directory becomes a server of ours
configured()
{
	major_of[$1]=$2 port_of[$1]=$3
	cat >>"$folder$work/$1/postgresql.conf" <<-END
		shared_preload_libraries = 'sicantik_wa'
		sicantik_wa.allowed_hosts = 'fonnte=127.0.0.1:8085,watzap=127.0.0.1:8085,meta=127.0.0.1:8085'
		sicantik_wa.secrets_directory = '$work/secrets'
		sicantik_wa.instance = '${4:-dpmptsp-1}'
		port = $3
		listen_addresses = ''
		unix_socket_directories = '$work/socket'
		wal_level = logical
		max_worker_processes = 16
		fsync = off
		timezone = 'Asia/Jakarta'
	END
}

# setting NAME LINE: one more
setting() { echo "$2" >>"$folder$work/$1/postgresql.conf"; }

start()
{
	quietly "$1: start" tool "${major_of[$1]}" pg_ctl -D "$work/$1" -l "$work/$1.log" -w start ||
		{ tail -n 20 "$folder$work/$1.log"; return 1; }
}

reload() { quietly "$1: reload" tool "${major_of[$1]}" pg_ctl -D "$work/$1" reload; }

stop() { quietly "$1: stop" tool "${major_of[$1]}" pg_ctl -D "$work/$1" -m fast -w stop; }

# on NAME DATABASE [USER]: the statements of standard input, answers bare
on()
{
	tool 19 psql -X -q -At -v ON_ERROR_STOP=1 "host=$work/socket port=${port_of[$1]} dbname=$2 user=${3:-postgres}"
}

# ask NAME DATABASE SQL [USER]
ask() { on "$1" "$2" "${4:-postgres}" <<<"$3"; }

# loaded NAME DATABASE FILE [USER]: a file of test/odoo
loaded() { on "$1" "$2" "${4:-odoo}" <"$top/test/odoo/$3" >/dev/null; }

# switch NAME on|off: may its workers run; when it is done nobody works
switch()
{
	setting "$1" "sicantik_wa.enabled = $2"
	reload "$1"
	[ "$2" = on ] || wait_until "$1: no worker" ask "$1" postgres \
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'sicantik_wa worker%')"
}

# The office: a database as Odoo makes it, two providers, one with its credentials in
# the database and one in files, settings, a holiday, a level, armed.
office()
{
	local name=$1 database=$2 secrets=$folder$work/secrets/$2

	ask "$name" postgres "CREATE ROLE odoo LOGIN CREATEDB; CREATE ROLE reporting LOGIN;"
	ask "$name" postgres "CREATE DATABASE $database OWNER odoo TEMPLATE template0"
	loaded "$name" "$database" fixture.sql
	loaded "$name" "$database" fixture_many.sql
	mkdir "$secrets"
	echo WATZAPDEMOKEY >"$secrets/watzap_key"
	echo WATZAPDEMONUMBER >"$secrets/watzap_number"
	chmod 700 "$secrets"
	chmod 600 "$secrets"/*
	chroot "$folder" chown -R postgres: "$work/secrets"
	on "$name" "$database" odoo >/dev/null 2>&1 <<-END
		CREATE EXTENSION sicantik_wa;
		SELECT wa_set('office_name', 'DPMPTSP Kabupaten Contoh');
		SELECT wa_set('contact_dpmptsp', '0370-123456');
		SELECT wa_set('language', 'en');
		SELECT * FROM wa_setup();
		SELECT wa_configure('fonnte', '{"base_url": "http://127.0.0.1:8085", "token": "FONNTEDEMOTOKEN", "min_gap": 0, "gap_jitter": 0}');
		SELECT wa_configure('watzap', '{"base_url": "http://127.0.0.1:8085/v1", "token_file": "watzap_key",
			"number_key_file": "watzap_number", "min_gap": 0, "gap_jitter": 0}');
		UPDATE wa.provider SET daily_cap = NULL, recipient_gap = '0';
		UPDATE wa.scenario SET hours_from = NULL, hours_to = NULL, weekdays = NULL, max_per_transaction = 4;
		SELECT wa_set_holidays('{"2030-01-01": "Tahun Baru"}');
		SELECT wa_grant('reporting', 'view');
		SELECT * FROM wa_test_connection('fonnte');
		SELECT * FROM wa_test_connection('watzap');
		SELECT wa_arm('$database');
	END
}

# permits N: that many drafts that nobody has used yet, as a list; of whom: number_of
permits_used=0
permits()
{
	permits=$(ask "$1" "$2" "SELECT string_agg(id::text, ',') FROM (SELECT id FROM sicantik_permit
		WHERE registration_id LIKE 'MANY-%' ORDER BY id OFFSET $permits_used LIMIT $3) AS p")
	numbers=$(ask "$1" "$2" "SELECT string_agg(wa_normalize_number(c.phone), ' ' ORDER BY p.id) FROM sicantik_permit AS p
		JOIN res_partner AS c ON c.id = p.partner_id WHERE p.id IN ($permits)")
	permits_used=$((permits_used + $3))
}

# issue NAME DATABASE: the permits in $permits, in one transaction, as Odoo
issue()
{
	ask "$1" "$2" "UPDATE sicantik_permit SET status = 'active', permit_number = '503/' || id, issue_date = current_date
		WHERE id IN ($permits)" odoo
}

# read_all NAME DATABASE: is everything read that was recorded, and nothing on its way
read_all()
{
	ask "$1" "$2" "SELECT NOT EXISTS (SELECT FROM wa.event AS e WHERE NOT EXISTS
			(SELECT FROM wa.read_position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot)))
		AND NOT EXISTS (SELECT FROM wa.ready) AND NOT EXISTS (SELECT FROM wa.request)
		AND NOT EXISTS (SELECT FROM wa.message WHERE state = 'sending' OR state = 'queued' AND due_at IS NULL)"
}

# ended NAME DATABASE: the messages of which nothing is to come any more, or only by
# a person, as an array
ended()
{
	ask "$1" "$2" "SELECT '{' || string_agg(id::text, ',' ORDER BY id) || '}' FROM wa.message
		WHERE finished_at IS NOT NULL OR state = 'held' AND reason <> 'copy'"
}

# rows_of NAME DATABASE IDS: these messages with their attempts, as a digest
rows_of()
{
	ask "$1" "$2" "SELECT count(*), md5(string_agg(t, E'\\n' ORDER BY t COLLATE \"C\")) FROM (
		SELECT m::text FROM wa.message AS m WHERE id = ANY ('$3')
		UNION ALL SELECT a::text FROM wa.attempt AS a WHERE message_id = ANY ('$3')) AS r (t)"
}

# errors NAME DATABASE: what wa_check() calls so
errors() { ask "$1" "$2" "SELECT item, what_to_do FROM wa_check() WHERE state = 'error'" odoo; }

# fill NAME DATABASE: all that a cluster may have when it is stopped, without a worker
# at the end.  Numbers that are to hear something yet: $waiting; that are not: $quiet.
fill()
{
	local name=$1 database=$2 hand

	hand=62811$(printf '%06d' "$permits_used")

	# sent, cancelled, skipped for want of a number
	permits "$name" "$database" 4
	ask "$name" "$database" "UPDATE sicantik_permit SET partner_id = 14 WHERE id = ${permits##*,}" odoo
	issue "$name" "$database"
	ask "$name" "$database" "SELECT wa_cancel(wa_send_text('${hand}1', 'Yth. petugas, ini batal.', send_at => now() + '1 hour'))" odoo >/dev/null
	wait_until "$name: sent" read_all "$name" "$database"
	quiet="$numbers ${hand}1"
	# shellcheck disable=SC2086
	[ "$(sent_each $numbers)" = "1 1 1 0" ] || die "$name: not sent: $(sent_each $numbers)"

	# held, too many at once; what passes of them has gone
	permits "$name" "$database" 6
	issue "$name" "$database"
	wait_until "$name: held" ask "$name" "$database" "SELECT count(*) = 2 FROM wa.message WHERE res_id IN ($permits) AND state = 'held'"
	wait_until "$name: sent" read_all "$name" "$database"
	quiet="$quiet $numbers"

	# in doubt: the provider has it, and did not answer
	simulator fault "{\"kind\": \"cut_after_read\", \"match\": {\"number\": \"${hand}2\"}, \"times\": 1}" >/dev/null
	ask "$name" "$database" "SELECT wa_send_text('${hand}2', 'Yth. petugas, ini tanpa jawaban.')" odoo >/dev/null
	wait_until "$name: in doubt" ask "$name" "$database" \
		"SELECT state = 'unknown' AND due_at IS NOT NULL FROM wa.message WHERE number = '${hand}2'"
	quiet="$quiet ${hand}2"

	# due later
	ask "$name" "$database" "SELECT wa_send_text('${hand}3', 'Yth. petugas, ini untuk besok lusa.', send_at => now() + '2 days')" odoo >/dev/null
	quiet="$quiet ${hand}3"

	# queued: made while the office paused
	ask "$name" "$database" "SELECT wa_pause()" odoo >/dev/null
	permits "$name" "$database" 2
	issue "$name" "$database"
	wait_until "$name: queued" ask "$name" "$database" "SELECT count(*) = 2 FROM wa.message WHERE res_id IN ($permits) AND state = 'queued'"
	waiting=$numbers
	switch "$name" off
	ask "$name" "$database" "SET client_min_messages = warning; SELECT wa_resume(); SELECT wa_send_text('${hand}4', 'Yth. petugas, ini menunggu.')" odoo >/dev/null
	waiting="$waiting ${hand}4"

	# unread: a change and its undoing, one that is rolled back, three that stand: $unread_permits
	permits "$name" "$database" 1
	on "$name" "$database" odoo <<-END
		BEGIN;
		UPDATE sicantik_permit SET status = 'active', permit_number = '503/' || id, issue_date = current_date WHERE id IN ($permits);
		ROLLBACK;
	END
	quiet="$quiet $numbers"
	permits "$name" "$database" 3
	issue "$name" "$database"
	unread_permits=$permits
	waiting="$waiting $numbers"
}

# content NAME DATABASE [CONDITION]: all rows of schema wa (or of its tables c for which
# the condition holds), and where its sequences are, as one line for each
content()
{
	local query

	query=$(ask "$1" "$2" "SELECT string_agg(CASE WHEN c.relkind = 'S'
			THEN format('SELECT %L, last_value, is_called::text FROM %s', c.oid::regclass, c.oid::regclass)
			ELSE format('SELECT %L, count(*), md5(string_agg(t::text, E''\\n'' ORDER BY t::text COLLATE \"C\")) FROM ONLY %s AS t',
				c.oid::regclass, c.oid::regclass) END, ' UNION ALL ' ORDER BY c.relname)
		FROM pg_class AS c WHERE c.relnamespace = 'wa'::regnamespace AND c.relkind IN ('r', 'S') AND ${3:-true}")
	ask "$1" "$2" "$query ORDER BY 1"
}

# same FILE FILE WHAT: two such, or the lines in which they differ
same()
{
	diff "$1" "$2" >&2 || die "$3"
	ok "$3"
}

# status NAME DATABASE ITEM
status() { ask "$1" "$2" "SELECT concat_ws(': ', value, detail) FROM wa_status() WHERE item = '$3'" odoo; }

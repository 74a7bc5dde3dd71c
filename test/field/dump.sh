# dump.sh: pg_dump and pg_restore between all major versions of PostgreSQL, to newer
# and to older ones, with all that an office may have at that moment, as Odoo's role
# does it, and what docs/operating.md says of it.

. "$here/lib/majors.sh"

prepare() { furnish_majors; }

# What of schema wa is in a dump, but for events; the unread ones of them; and some of Odoo's.
dumped="EXISTS (SELECT FROM pg_extension AS e WHERE extname = 'sicantik_wa' AND c.oid = ANY (extconfig)) AND c.relname NOT IN ('event', 'event_aside')"
unread="SELECT count(*), md5(string_agg(e::text, E'\n' ORDER BY e.id)) FROM wa.event AS e WHERE NOT EXISTS
	(SELECT FROM wa.read_position AS p WHERE pg_visible_in_snapshot(e.xact, p.snapshot))"
odoo="SELECT md5(string_agg(p::text, E'\n' ORDER BY p.id)) FROM sicantik_permit AS p
	UNION ALL SELECT md5(string_agg(p::text, E'\n' ORDER BY p.id)) FROM res_partner AS p"

all_of()
{
	content "$1" "$2" "$dumped"
	ask "$1" "$2" "$unread"
	ask "$1" "$2" "$odoo"
}

# copied FROM TO: the database of one server is restored on another, as odoo_from_FROM;
# both tools are the newer server's, as PostgreSQL recommends
copied()
{
	local from=$1 to=$2 newer file=$work/dump
	local target="host=$work/socket port=${port_of[pg$2]} user=odoo dbname=odoo_from_$1"

	newer=$((from > to ? from : to))
	# 17.12 has an option in each column of each table that others may not know yet
	[ "$(ask "pg$from" postgres "SELECT EXISTS (SELECT FROM pg_attribute WHERE attoptions::text LIKE '%pg_attver=%')")" = f ] || newer=$from
	ask "pg$to" postgres "CREATE DATABASE odoo_from_$from TEMPLATE template0" odoo
	quietly "pg_dump $newer of $from" tool "$newer" pg_dump -Fc --no-owner -f "$file" \
		"host=$work/socket port=${port_of[pg$from]} user=odoo dbname=odoo_$from"
	if [ "$from" -ge 17 ] && [ "$to" -lt 17 ]; then
		# what it does not know
		quietly "pg_restore $newer" tool "$newer" pg_restore --no-owner -f "$file.sql" "$file"
		sed -i '/^SET transaction_timeout = 0;$/d' "$folder$file.sql"
		quietly "restore $from on $to" tool "$to" psql -X -q -1 -v ON_ERROR_STOP=1 -f "$file.sql" "$target"
	else
		quietly "restore $from on $to" tool "$((newer > to ? newer : to))" pg_restore --no-owner -1 -d "$target" "$file"
	fi
	all_of "pg$to" "odoo_from_$from" >"$folder$work/copy.content"
	same "$folder$work/$from.content" "$folder$work/copy.content" \
		"$from to $to: Odoo's rows, configuration, ledger and unread changes are the same"
	is "$(ask "pg$to" "odoo_from_$from" "SELECT (SELECT count(*) FROM wa.secret WHERE provider <> ''), (SELECT count(*) FROM wa.ready),
		(SELECT count(*) FROM wa.identity), (SELECT count(*) FROM pg_trigger WHERE tgfoid = 'wa.capture'::regproc AND tgenabled = 'O')")" \
		"0|0|0|3" "$from to $to: no credential, no work, no stamp, and the triggers are on"
}

# stopped FROM TO: such a copy while its server works
stopped()
{
	local from=$1 node=pg$2 database=odoo_from_$1 what="$1 to $2"

	wait_until "$what: all is read" ask "$node" "$database" "SELECT (SELECT count(*) FROM wa.event) = 0"
	is "$(ask "$node" "$database" "SELECT count(*) FROM wa.message WHERE res_id IN (${changed[$from]}) AND state = 'held' AND reason = 'copy'")" 3 \
		"$what: what was not read is composed and held"
	[[ "$(status "$node" "$database" mode)" == "stopped: this database was restored from a backup"* ]] || die "$what: $(status "$node" "$database" mode)"
	[[ "$(errors "$node" "$database")" == *"mode|this database was restored from a backup; wa_arm() lets it send"* ]] ||
		die "$what: $(errors "$node" "$database")"
	ok "$what: it is stopped, wa_status() and wa_check() say why and what to do"
}

# production FROM TO: such a copy becomes the one that sends
production()
{
	local from=$1 to=$2 node=pg$2 database=odoo_from_$1 what="$1 to $2" number sends again

	# shellcheck disable=SC2086
	sends=$(sent_each ${waits[$from]})
	# the folder as it was, with the mark of the former database
	cp -a "$folder$work/secrets/odoo_$from" "$folder$work/secrets/$database"
	ask "$node" "$database" "SELECT wa_configure('fonnte', '{\"token\": \"FONNTEDEMOTOKEN\"}')" odoo >/dev/null 2>&1
	[[ "$(ask "$node" "$database" "SELECT detail FROM wa_test_connection('watzap')" odoo 2>&1)" == *"was marked by another database"* ]] ||
		die "$what: $(ask "$node" "$database" "SELECT detail FROM wa_test_connection('watzap')" odoo 2>&1)"
	rm "$folder$work/secrets/$database/.database"
	is "$(ask "$node" "$database" "SELECT ok FROM wa_test_connection('fonnte') UNION ALL SELECT ok FROM wa_test_connection('watzap')")" "$(printf 't\nt')" \
		"$what: credentials are there again, when the mark of the former database is away"
	ask "$node" "$database" "SELECT wa_arm('$database')" odoo >/dev/null 2>&1
	wait_until "$what: what waited is held" ask "$node" "$database" "SELECT hold_message_id = 0 FROM wa.identity"
	# shellcheck disable=SC2086
	is "$(sent_each ${waits[$from]})" "$sends" "$what: armed, it sends nothing of before"
	ask "$node" "$database" "SELECT wa_release(reason => 'copy')" odoo >/dev/null
	wait_until "$what: all is sent" read_all "$node" "$database"
	# shellcheck disable=SC2086
	again=$(sent_each ${waits[$from]})
	is "$again" "$(sed 's/1/2/g' <<<"$sends")" "$what: released by a person, what waited in the copy goes"
	is "$(ask "$node" "$database" "SELECT count(*) FROM wa.message WHERE state = 'queued' AND send_at > now()")" 1 \
		"$what: what is for the day after tomorrow waits for it"
	permits_used=900
	permits "$node" "$database" 1
	# a number of its own, since all offices here have the same citizens
	number=62813000000$to
	ask "$node" "$database" "UPDATE res_partner SET phone = '+$number', phone_sanitized = '+$number'
		WHERE id = (SELECT partner_id FROM sicantik_permit WHERE id = $permits)" odoo
	issue "$node" "$database"
	wait_until "$what: all is sent" read_all "$node" "$database"
	is "$(sent_each "$number")" 1 "$what: a permit changes, and the citizen is told"
	is "$(errors "$node" "$database")" "" "$what: wa_check() finds nothing that is wrong"
}

declare -A waits changed

check()
{
	local from to before

	begin
	for from in "${majors[@]}"; do
		server "pg$from" "$from" "54$from"
		start "pg$from"
		office "pg$from" "odoo_$from"
		fill "pg$from" "odoo_$from"
		waits[$from]=$waiting changed[$from]=$unread_permits
		all_of "pg$from" "odoo_$from" >"$folder$work/$from.content"
	done
	for from in "${majors[@]}"; do
		for to in "${majors[@]}"; do
			[ "$from" -eq "$to" ] || copied "$from" "$to"
		done
	done

	# the originals go on, the copies do not
	for to in "${majors[@]}"; do
		switch "pg$to" on
	done
	for to in "${majors[@]}"; do
		wait_until "$to: all is sent" read_all "pg$to" "odoo_$to"
		# shellcheck disable=SC2086
		is "$(sent_each ${waits[$to]})" "1 1 1 1 1 1" "$to: what waited in the original goes once"
	done
	before=$(sent)
	for from in "${majors[@]}"; do
		for to in "${majors[@]}"; do
			[ "$from" -eq "$to" ] || stopped "$from" "$to"
		done
	done
	is "$(sent)" "$before" "no copy has sent anything"
	production 15 19
	production 19 15
	for to in "${majors[@]}"; do
		stop "pg$to"
	done
}

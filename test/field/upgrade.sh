# upgrade.sh: pg_upgrade from each major version of PostgreSQL to the next, with all
# that an office may have at that moment, and what docs/operating.md says of it.

. "$here/lib/majors.sh"

prepare() { furnish_majors; }

# transfer OLD NEW OPTION ...: pg_upgrade, with the extension preloaded in both
transfer()
{
	local old=$1 new=$2

	shift 2
	quietly "pg_upgrade" run env -C "$work" "/usr/lib/postgresql/${major_of[$new]}/bin/pg_upgrade" \
		-b "/usr/lib/postgresql/${major_of[$old]}/bin" -B "/usr/lib/postgresql/${major_of[$new]}/bin" \
		-d "$work/$old" -D "$work/$new" -U postgres "$@"
}

# step OLD NEW OPTION ...: from one server, which is filled before, to the next one
step()
{
	local old=$1 new=$2 what="${major_of[$1]} to ${major_of[$2]}" before quiet_before ids rows held number

	shift 2
	what="$what${1:+ with $1}"
	fill "$old" odoo_prod
	content "$old" odoo_prod >"$folder$work/$old.content"
	ids=$(ended "$old" odoo_prod)
	rows=$(rows_of "$old" odoo_prod "$ids")
	held=$(ask "$old" odoo_prod "SELECT count(*) FROM wa.message WHERE state = 'held'")
	before=$(sent)
	quiet_before=$(sent_each $quiet)
	stop "$old"
	checksums "$old" "$new"
	transfer "$old" "$new" "$@"

	# as it has arrived
	setting "$new" "sicantik_wa.enabled = off"
	start "$new"
	content "$new" odoo_prod >"$folder$work/$new.content"
	same "$folder$work/$old.content" "$folder$work/$new.content" \
		"$what: configuration, credentials, queue, ledger and unread changes are the same, byte for byte"

	# not armed yet
	switch "$new" on
	wait_until "all is read" read_all "$new" odoo_prod
	[[ "$(status "$new" odoo_prod mode)" == "stopped: "*"(or before pg_upgrade)"* ]] || die "$what: $(status "$new" odoo_prod mode)"
	[[ "$(status "$new" odoo_prod next)" == "SELECT wa_arm('odoo_prod')"* ]] || die "$what: $(status "$new" odoo_prod next)"
	[[ "$(errors "$new" odoo_prod)" == "mode|this database may not send: "* ]] || die "$what: $(errors "$new" odoo_prod)"
	ok "$what: it is stopped, wa_status() and wa_check() say why and what to do"
	number=62812$(printf '%06d' "$permits_used")0
	is "$(ask "$new" odoo_prod "SELECT wa_send_text('$number', 'Yth. petugas, ini terlalu awal.') > 0" odoo)" t "$what: by hand it may be queued"
	wait_until "all is read" read_all "$new" odoo_prod
	is "$(ask "$new" odoo_prod "SELECT count(*) FROM wa.message WHERE state = 'held'")" $((held + $(wc -w <<<"$waiting") + 1)) \
		"$what: what waited, was not read yet, or is sent by hand, is held"
	is "$(sent)" "$before" "$what: and nothing is sent"
	[[ "$(ask "$new" odoo_prod "SELECT * FROM wa_status()" reporting 2>&1)" == *'the level "view"'* ]] || die "$what: a level is in force"

	# as docs/operating.md says
	ask "$new" odoo_prod "SELECT wa_arm('odoo_prod')" odoo >/dev/null 2>&1
	wait_until "what waited is held" ask "$new" odoo_prod "SELECT hold_message_id = 0 FROM wa.identity"
	wait_until "all is read" read_all "$new" odoo_prod
	is "$(sent)" "$before" "$what: armed, it sends nothing of before"
	ask "$new" odoo_prod "SELECT wa_release(reason => 'copy')" odoo >/dev/null
	waiting="$waiting $number"
	wait_until "all is sent" read_all "$new" odoo_prod
	# shellcheck disable=SC2086
	is "$(sent_each $waiting)" "$(sed 's/[0-9]\+/1/g' <<<"$waiting")" "$what: released, each of what waited and what was not read goes once"
	# shellcheck disable=SC2086
	is "$(sent_each $quiet)" "$quiet_before" "$what: and nothing else"
	is "$(rows_of "$new" odoo_prod "$ids")" "$rows" "$what: what had ended, or was held for another reason, is as it was"
	is "$(ask "$new" odoo_prod "SELECT count(*) FROM wa.message AS m JOIN wa.due AS d ON d.message_id = m.id
		WHERE state = 'queued' AND d.due_at = send_at AND send_at > now()")" "$((++later))" "$what: what is for the day after tomorrow waits for it"
	is "$(ask "$new" odoo_prod "SELECT string_agg(DISTINCT concat_ws(' ', state, reason, attempts, repeats), ', ') FROM wa.message
		WHERE body LIKE '%tanpa jawaban%'")" "unknown copy 1 0" "$what: what was in doubt is not repeated"
	is "$(ask "$new" odoo_prod "SELECT count(*) FROM wa_status()" reporting)" "$(ask "$new" odoo_prod "SELECT count(*) FROM wa_status()")" \
		"$what: levels are in force again"
	is "$(ask "$new" odoo_prod "SELECT ok FROM wa_test_connection('fonnte') UNION ALL SELECT ok FROM wa_test_connection('watzap')")" "$(printf 't\nt')" \
		"$what: credentials of the database and in files are good"
	is "$(ask "$new" odoo_prod "SELECT (SELECT sum(messages) FROM wa.figures) = (SELECT count(*) FROM wa.message)")" t "$what: so are the figures"
	is "$(ask "$new" odoo_prod "SELECT extowner::regrole FROM pg_extension WHERE extname = 'sicantik_wa'")" postgres \
		"$what: the extension belongs to who ran pg_upgrade"
	is "$(errors "$new" odoo_prod)" "" "$what: wa_check() finds nothing that is wrong"
}

# checksums OLD NEW: have them in the old cluster, too, where the new one is made with them
checksums()
{
	[ "${major_of[$1]}" -lt 18 ] && [ "${major_of[$2]}" -ge 18 ] || return 0
	! (transfer "$1" "$2" --check) 2>"$folder$work/refused" || die "checksums differ, and pg_upgrade does not mind"
	grep -q "data checksums" "$folder$work/refused" || die "$(cat "$folder$work/refused")"
	quietly pg_checksums tool "${major_of[$1]}" pg_checksums --enable -D "$work/$1"
	ok "${major_of[$1]} to ${major_of[$2]}: pg_upgrade asks for checksums, pg_checksums --enable makes them"
}

# debian: the same from 15 to 17 with Debian's own tool, which leaves conf.d behind
debian()
{
	local conf=main/conf.d/sicantik_wa.conf what="pg_upgradecluster"

	# as where nobody has changed it
	grep -q add_include_dir "$folder/etc/postgresql-common/createcluster.conf" ||
		echo "add_include_dir = 'conf.d'" >>"$folder/etc/postgresql-common/createcluster.conf"
	rm -rf "$folder"/etc/postgresql/1[57] "$folder"/var/lib/postgresql/1[57]
	quietly pg_createcluster within "$folder" root pg_createcluster 15 main -p 5425 --socketdir="$work/socket" -- -A trust --no-sync
	cat >"$folder/etc/postgresql/15/$conf" <<-END
		shared_preload_libraries = 'sicantik_wa'
		sicantik_wa.allowed_hosts = 'fonnte=127.0.0.1:8085,watzap=127.0.0.1:8085'
		sicantik_wa.secrets_directory = '$work/secrets'
		fsync = off
	END
	sed -i 's/peer$/trust/' "$folder/etc/postgresql/15/main/pg_hba.conf"
	quietly "$what: start" within "$folder" root pg_ctlcluster 15 main start
	port_of[debian]=5425
	permits_used=100
	office debian odoo_debian
	permits debian odoo_debian 2
	issue debian odoo_debian
	wait_until "$what: sent" read_all debian odoo_debian
	ask debian odoo_debian "SELECT wa_pause()" odoo >/dev/null
	permits debian odoo_debian 2
	issue debian odoo_debian
	wait_until "$what: queued" ask debian odoo_debian "SELECT count(*) = 2 FROM wa.message WHERE state = 'queued'"
	quietly "$what" within "$folder" root pg_upgradecluster -m upgrade -v 17 15 main
	is "$(ask debian postgres "SELECT current_setting('server_version_num')::int / 10000")" 17 "$what: 15 to 17"
	[[ "$(errors debian odoo_debian)" == "library|not preloaded"* ]] || die "$what: $(errors debian odoo_debian)"
	ok "$what: conf.d stays behind, and wa_check() says that the library is not preloaded"
	cp -a "$folder/etc/postgresql/15/$conf" "$folder/etc/postgresql/17/$conf"
	quietly "$what: restart" within "$folder" root pg_ctlcluster 17 main restart
	[[ "$(status debian odoo_debian mode)" == "stopped: "*"(or before pg_upgrade)"* ]] || die "$what: $(status debian odoo_debian mode)"
	ask debian odoo_debian "SELECT wa_arm('odoo_debian')" odoo >/dev/null 2>&1
	ask debian odoo_debian "SELECT wa_resume()" odoo >/dev/null 2>&1
	wait_until "$what: held" ask debian odoo_debian "SELECT hold_message_id = 0 FROM wa.identity"
	# shellcheck disable=SC2086
	is "$(sent_each $numbers)" "0 0" "$what: armed, it sends nothing of before"
	ask debian odoo_debian "SELECT wa_release(reason => 'copy')" odoo >/dev/null
	wait_until "$what: sent" read_all debian odoo_debian
	# shellcheck disable=SC2086
	is "$(sent_each $numbers)" "1 1" "$what: released, each goes once"
	quietly "$what: stop" within "$folder" root pg_ctlcluster 17 main stop
}

check()
{
	local later=0

	begin
	server pg15 15 5415
	start pg15
	office pg15 odoo_prod
	server pg17 17 5417
	step pg15 pg17
	server pg18 18 5418
	step pg17 pg18 --link
	server pg19 19 5419
	step pg18 pg19 --swap

	permits pg19 odoo_prod 1
	issue pg19 odoo_prod
	wait_until "a first message" read_all pg19 odoo_prod
	is "$(sent_each "$numbers")" 1 "19: a permit changes, and the citizen is told"
	tool 19 vacuumdb -q -h "$work/socket" -p 5419 -U postgres --all --analyze
	is "$(ask pg19 odoo_prod "SELECT count(*) FROM pg_statistic WHERE starelid = 'wa.secret'::regclass")" 0 "19: no statistics of credentials"
	stop pg19
	debian
}

# replication.sh: logical replication of an office's database, between major versions of
# PostgreSQL: of Odoo's tables to a hub, of everything to a server that takes over, and a
# standby that pg_createsubscriber makes a subscriber.

. "$here/lib/majors.sh"

prepare() { furnish_majors; }

# caught_up NAME SUBSCRIPTION: has everything that this publisher has written gone there
caught_up()
{
	ask "$1" postgres "SELECT count(*) = 1 AND bool_and(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication WHERE application_name = '$2'"
}

# copied NAME DATABASE: are all tables of its subscriptions there
copied() { ask "$1" "$2" "SELECT count(*) > 0 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel"; }

# no_error NAME WHAT: no subscription of this server has met one
no_error() { is "$(ask "$1" postgres "SELECT sum(value::bigint) FROM pg_stat_subscription_stats AS s, jsonb_each_text(to_jsonb(s))
	WHERE key LIKE '%error_count'")" 0 "$2"; }

# cure NAME DATABASE: what wa_check() says of a publication, to the letter
cure()
{
	local advice

	advice=$(ask "$1" "$2" "SELECT what_to_do FROM wa_check() WHERE item = 'publication'" odoo)
	advice=${advice#*among them: }
	ask "$1" "$2" "${advice%; then on each subscriber*}"
	is "$(ask "$1" "$2" "SELECT count(*) FROM wa_check() WHERE item = 'publication'" odoo)" 0 \
		"$1: what wa_check() says of the publication is done, and it is content"
}

# told NAME DATABASE WHAT: a permit changes there, and the citizen is told once; then
# nothing is left to do
told()
{
	permits "$1" "$2" 1
	issue "$1" "$2"
	wait_until "$3: sent" read_all "$1" "$2"
	is "$(sent_each "$numbers")" 1 "$3: a permit changes, and the citizen is told once"
}

# hub FROM TO: Odoo's tables alone, to a server on which the extension is at home, too,
# in the same database, with a provider, and armed: the worst case
hub()
{
	local from=$1 to=$2 office=office$1 what="$1 to $2" connection

	connection="host=$work/socket port=${port_of[$office]} user=postgres dbname=odoo_$from"
	server "hub$to" "$to" "55$to"
	start "hub$to"
	office "hub$to" "hub_$to"
	ask "$office" "odoo_$from" "CREATE PUBLICATION everything FOR ALL TABLES"
	is "$(ask "$office" "odoo_$from" "SELECT state FROM wa_check() WHERE item = 'publication'" odoo)" warning "$what: wa_check() warns of a publication of all tables"
	[[ "$(ask "$office" "odoo_$from" "SELECT * FROM wa_setup()" odoo 2>&1)" == *'publication "everything" publishes the tables of this extension'* ]] ||
		die "$what: wa_setup() does not mind"
	ok "$what: wa_setup() refuses while there is one"
	cure "$office" "odoo_$from"
	ask "hub$to" "hub_$to" "DO \$\$ BEGIN EXECUTE (SELECT 'TRUNCATE ' || string_agg(oid::regclass::text, ', ') FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'); END \$\$"
	ask "hub$to" "hub_$to" "CREATE SUBSCRIPTION hub CONNECTION '$connection' PUBLICATION everything" 2>/dev/null
	wait_until "$what: copied" copied "hub$to" "hub_$to"
	told "$office" "odoo_$from" "$what"
	wait_until "$what: caught up" caught_up "$office" hub
	is "$(ask "hub$to" "hub_$to" "SELECT status FROM sicantik_permit WHERE id = $permits")" active "$what: the change is on the hub"
	wait_until "$what: at rest" read_all "hub$to" "hub_$to"
	is "$(ask "hub$to" "hub_$to" "SELECT (SELECT count(*) FROM wa.event), (SELECT count(*) FROM wa.message)")" "0|0" "$what: which makes nothing of it"
	[[ "$(ask "hub$to" "hub_$to" "SELECT string_agg(DISTINCT what_to_do, ' ') FROM wa_check() WHERE what_to_do LIKE '%fires no trigger%'" odoo)" == *"subscription hub writes into it"* ]] ||
		die "$what: $(ask "hub$to" "hub_$to" "SELECT * FROM wa_check() WHERE state <> 'ok'" odoo)"
	ok "$what: and its wa_check() says so"
	no_error "hub$to" "$what: without an error"
	ask "hub$to" "hub_$to" "DROP SUBSCRIPTION hub" 2>/dev/null
	ask "$office" "odoo_$from" "DROP PUBLICATION everything"
	stop "hub$to"
}

# takes_over OFFICE DATABASE SUBSCRIPTION HUB DATABASE WHAT: the office's server is lost
# with all that it may have, and the subscriber of everything is to go on
takes_over()
{
	local office=$1 database=$2 subscription=$3 hub=$4 there=$5 what=$6 before quiet_before later

	fill "$office" "$database"
	later=$(ask "$office" "$database" "SELECT count(*) FROM wa.message WHERE state = 'queued' AND send_at > now()")
	wait_until "$what: caught up" caught_up "$office" "$subscription"
	no_error "$hub" "$what: it is replicated without an error"
	[[ "$(status "$hub" "$there" mode)" == *"are filled by subscription \"$subscription\""* ]] || die "$what: $(status "$hub" "$there" mode)"
	[[ "$(ask "$hub" "$there" "SELECT wa_send_text('0812-0000-0020', 'Yth. petugas, ini percobaan.')" odoo 2>&1)" == *"are filled by subscription"* ]] ||
		die "$what: one may write there"
	ok "$what: the subscriber does nothing, and says why"
	before=$(sent)
	# shellcheck disable=SC2086
	quiet_before=$(sent_each $quiet)
	stop "$office"
	ask "$hub" "$there" "ALTER SUBSCRIPTION $subscription DISABLE; ALTER SUBSCRIPTION $subscription SET (slot_name = NONE);
		DROP SUBSCRIPTION $subscription"
	ask "$hub" "$there" "SELECT wa_arm('$there')" odoo >/dev/null 2>&1
	setting "$hub" "sicantik_wa.enabled = on"
	reload "$hub"
	wait_until "$what: held" ask "$hub" "$there" "SELECT hold_message_id = 0 FROM wa.identity"
	wait_until "$what: all is read" read_all "$hub" "$there"
	is "$(sent)" "$before" "$what: armed, it sends nothing of before"
	is "$(ask "$hub" "$there" "SELECT count(*) FROM wa.message WHERE reason = 'copy' AND state = 'held'")" $(($(wc -w <<<"$waiting") + later)) \
		"$what: what waited, or was not read, is held"
	ask "$hub" "$there" "SELECT wa_release(reason => 'copy')" odoo >/dev/null
	wait_until "$what: all is sent" read_all "$hub" "$there"
	# shellcheck disable=SC2086
	is "$(sent_each $waiting)" "$(sed 's/[0-9]\+/1/g' <<<"$waiting")" "$what: released, each goes once"
	# shellcheck disable=SC2086
	is "$(sent_each $quiet)" "$quiet_before" "$what: and nothing else"
	told "$hub" "$there" "$what"
	is "$(errors "$hub" "$there")" "" "$what: wa_check() finds nothing that is wrong"
	stop "$hub"
}

# everything FROM TO: all tables, ours too
everything()
{
	local from=$1 to=$2 office=office$1 hub=everything$2 database=odoo_$1 there=everything_$1 connection

	connection="host=$work/socket port=${port_of[$office]} user=postgres dbname=$database"
	server "$hub" "$to" "56$to"
	start "$hub"
	ask "$hub" postgres "CREATE ROLE odoo LOGIN CREATEDB; CREATE ROLE reporting LOGIN;"
	ask "$hub" postgres "CREATE DATABASE $there OWNER odoo TEMPLATE template0"
	quietly "pg_dump" tool "$to" pg_dump --schema-only --no-publications -f "$work/schema.sql" "$connection"
	quietly "its schema" tool "$to" psql -X -q -v ON_ERROR_STOP=1 -f "$work/schema.sql" \
		"host=$work/socket port=${port_of[$hub]} user=postgres dbname=$there"
	ask "$office" "$database" "CREATE PUBLICATION everything FOR ALL TABLES"
	ask "$hub" "$there" "CREATE SUBSCRIPTION everything CONNECTION '$connection' PUBLICATION everything" 2>/dev/null
	wait_until "$from to $to: copied" copied "$hub" "$there"
	cp -a "$folder$work/secrets/$database" "$folder$work/secrets/$there"
	rm -f "$folder$work/secrets/$there/.database"
	takes_over "$office" "$database" everything "$hub" "$there" "$from to $to, everything"
}

# created MAJOR: a standby, which pg_createsubscriber makes a subscriber of everything
created()
{
	local major=$1 office=office$1 database=odoo_$1 hub=standby$1 what="pg_createsubscriber of $1" before subscription

	fill "$office" "$database"
	quietly "$what: pg_basebackup" tool "$major" pg_basebackup -R -c fast -D "$work/$hub" -h "$work/socket" -p "${port_of[$office]}" -U postgres
	major_of[$hub]=$major port_of[$hub]=57$major
	setting "$hub" "port = ${port_of[$hub]}"
	setting "$hub" "sicantik_wa.enabled = on"
	start "$hub"
	wait_until "$what: the standby has everything" caught_up "$office" walreceiver
	stop "$hub"
	before=$(sent)
	quietly "$what" tool "$major" pg_createsubscriber -D "$work/$hub" -s "$work/socket" -p "${port_of[$hub]}" \
		-P "host=$work/socket port=${port_of[$office]} user=postgres" -d "$database"
	start "$hub"
	subscription=$(ask "$hub" "$database" "SELECT subname FROM pg_subscription")
	is "$(sent)" "$before" "$what: nobody is told meanwhile"
	switch "$office" on
	wait_until "$what: all is sent" read_all "$office" "$database"
	# shellcheck disable=SC2086
	is "$(sent_each $waiting)" "$(sed 's/[0-9]\+/1/g' <<<"$waiting")" "$what: the office goes on, and each goes once"
	wait_until "$what: caught up" caught_up "$office" "$subscription"
	content "$office" "$database" "c.relkind = 'r'" >"$folder$work/office.content"
	content "$hub" "$database" "c.relkind = 'r'" >"$folder$work/hub.content"
	same "$folder$work/office.content" "$folder$work/hub.content" "$what: the subscriber has the same rows, and has added none"
	if [ "$major" -eq 17 ]; then
		# it is to have Odoo's tables only
		cure "$office" "$database"
		ask "$hub" "$database" "ALTER SUBSCRIPTION \"$subscription\" REFRESH PUBLICATION"
		told "$office" "$database" "$what, of Odoo's tables alone"
		wait_until "$what: caught up" caught_up "$office" "$subscription"
		is "$(ask "$hub" "$database" "SELECT status FROM sicantik_permit WHERE id = $permits")" active "$what: the change is on the hub"
		wait_until "$what: at rest" read_all "$hub" "$database"
		[[ "$(status "$hub" "$database" mode)" == "stopped: "*"another cluster"* ]] || die "$what: $(status "$hub" "$database" mode)"
		ok "$what: and the copy there is stopped"
		is "$(sent_each "$numbers")" 1 "$what: nobody is told twice"
		no_error "$hub" "$what: without an error"
		stop "$hub"
		stop "$office"
	else
		takes_over "$office" "$database" "$subscription" "$hub" "$database" "$what"
	fi
}

check()
{
	local major

	begin
	for major in "${majors[@]}"; do
		server "office$major" "$major" "54$major"
		start "office$major"
		office "office$major" "odoo_$major"
	done
	hub 15 18
	hub 19 15
	everything 15 18
	created 17
	created 18
	created 19
}

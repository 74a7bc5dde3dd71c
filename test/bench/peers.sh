# peers.sh: what Debian packages to make something out of a change, beside us.
#
#	plpgsql		a trigger that writes what changed into a table, and a consumer that
#				takes 100 rows at a time, FOR UPDATE SKIP LOCKED
#	pgq			its trigger logtriga, and a consumer that takes batches; its ticker
#				is called once a second as its daemon does by default
#	pg_cron		how long after its time work begins
#	least		triggers in C that do the least (least.c): what of all these figures
#				is the server's own
#
# They capture and hand on; none of them sends, so there are no rates of messages
# here: the consumers only take their rows.  A package that is missing is installed
# if this runs as root, else it is left out with a word.

package()	# NAME EXTENSION: is it there, in the server of this build?
{
	local version share lib
	version=$("$bin/pg_config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
	share=$("$bin/pg_config" --sharedir)
	lib=$("$bin/pg_config" --pkglibdir)
	if ! dpkg-query -W -f '${db:Status-Status}' "postgresql-$version-$1" 2>/dev/null | grep -qx installed; then
		if [ "$(id -u)" != 0 ]; then
			echo "   postgresql-$version-$1 is not installed: left out"
			return 1
		fi
		apt-get install -y --no-install-recommends "postgresql-$version-$1" >"$work/apt" 2>&1 || {
			echo "   postgresql-$version-$1 cannot be had: left out"
			return 1
		}
	fi
	# our PostgreSQL is a copy, made before
	cp -a /usr/share/postgresql/"$version"/extension/"$2"* "$share/extension/"
	cp -a /usr/lib/postgresql/"$version"/lib/"$2"* "$lib/"
}

# peer_capture NAME: the UPDATE of the stage "capture" with the peer's trigger and
# without
peer_capture()
{
	local i what
	for ((i = 0; i < rounds * 3; i++)); do
		for what in DISABLE ENABLE; do
			q -c "ALTER TABLE sicantik_permit $what TRIGGER peer"
			time_update "status = 'active', permit_number = 'N-' || id" >> "$work/peer.$1.$what"
		done
	done
	note "capture by $1" "$(calculate %.3f "$(median < "$work/peer.$1.ENABLE") / $(median < "$work/peer.$1.DISABLE")") times"
}

# changes for a peer to take
change_for_peer()
{
	q -c "UPDATE sicantik_permit SET permit_number = '$RANDOM-' || id WHERE registration_id LIKE 'MANY-%'"
}

peer_plpgsql()
{
	q <<'SQL'
CREATE TABLE peer_queue (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), record bigint, was jsonb, is_now jsonb);
CREATE FUNCTION peer_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF (OLD.status, OLD.permit_number, OLD.partner_id, OLD.is_renewal) IS DISTINCT FROM (NEW.status, NEW.permit_number, NEW.partner_id, NEW.is_renewal) THEN
		INSERT INTO peer_queue (record, was, is_now) VALUES (NEW.id,
			jsonb_build_object('status', OLD.status, 'permit_number', OLD.permit_number, 'partner_id', OLD.partner_id, 'is_renewal', OLD.is_renewal),
			jsonb_build_object('status', NEW.status, 'permit_number', NEW.permit_number, 'partner_id', NEW.partner_id, 'is_renewal', NEW.is_renewal));
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER peer AFTER UPDATE ON sicantik_permit FOR EACH ROW EXECUTE FUNCTION peer_note();
SQL
	peer_capture plpgsql
	change_for_peer
	echo "DELETE FROM peer_queue WHERE id IN (SELECT id FROM peer_queue ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED);" > "$work/take.sql"
	"$bin/pgbench" -n -f "$work/take.sql" -c 2 -t $((permits / 200)) 2>/dev/null |
		awk '/^tps/ { printf "%.0f\n", $3 * 100 }' > "$work/some"
	note "rows taken from plpgsql's table, nothing sent" "$(cat "$work/some") a second, 100 a transaction"
	q -c "DROP TRIGGER peer ON sicantik_permit"
}

peer_pgq()
{
	package pgq3 pgq || return 0
	q -U postgres -c "CREATE EXTENSION pgq" -c "GRANT pgq_admin TO odoo" >/dev/null 2>&1 ||
		{ echo "   pgq cannot be created: left out"; return 0; }
	q >/dev/null <<'SQL'
SELECT pgq.create_queue('peer');
SELECT pgq.register_consumer('peer', 'bench');
SELECT pgq.ticker('peer');
CREATE TRIGGER peer AFTER UPDATE ON sicantik_permit FOR EACH ROW EXECUTE FUNCTION pgq.logutriga('peer');
SQL
	peer_capture pgq
	change_for_peer
	# a tick ends a batch
	q -c "SELECT pgq.force_tick('peer')" -c "SELECT pgq.ticker('peer')" >/dev/null
	q <<'SQL' > "$work/some"
CREATE FUNCTION peer_take() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz = clock_timestamp();
	batch bigint;
	n bigint = 0;
BEGIN
	LOOP
		batch = pgq.next_batch('peer', 'bench');
		EXIT WHEN batch IS NULL;
		n = n + (SELECT count(*) FROM pgq.get_batch_events(batch));
		PERFORM pgq.finish_batch(batch);
	END LOOP;
	RETURN round(n / extract(epoch FROM clock_timestamp() - start));
END $$;
SELECT peer_take();
SQL
	note "rows taken from pgq, nothing sent" "$(tail -n 1 "$work/some") a second, in batches"
	q -c "DROP TRIGGER peer ON sicantik_permit"
}

peers_least()
{
	local each lowest commit= turn="status = CASE status WHEN 'draft' THEN 'active' ELSE 'draft' END"
	local -A words=([nothing]="an empty trigger in C" [row]="one that adds a row without an index")
	gcc -shared -fPIC -O2 -I "$("$bin/pg_config" --includedir-server)" -o "$work/least.so" "$here/least.c"
	q -c "CREATE TABLE least (xact bigint, block bigint)"
	for each in nothing row; do
		q -U postgres -c "CREATE FUNCTION least_$each() RETURNS trigger LANGUAGE c AS '$work/least', 'least_$each'"
		q -c "CREATE TRIGGER peer AFTER UPDATE ON sicantik_permit FOR EACH ROW EXECUTE FUNCTION least_$each()"
		peer_capture "${words[$each]}"
		q -c "DROP TRIGGER peer ON sicantik_permit"
	done
	unwatched_tables
	lowest=$(q -c "SELECT min(id) FROM sicantik_permit WHERE registration_id LIKE 'MANY-%'")
	for each in nothing row; do
		q -c "CREATE TRIGGER peer AFTER UPDATE ON sicantik_permit FOR EACH ROW EXECUTE FUNCTION least_$each()"
		single "least_$each" "$turn"
		loss "least_$each" "single rows by pgbench, ${words[$each]}"
		q -c "DROP TRIGGER peer ON sicantik_permit"
	done
	q -c "SET client_min_messages = error" -c "DROP SCHEMA bare, again CASCADE" -c "DROP TABLE least"
}

peer_cron()
{
	local data=$work/cron
	package cron pg_cron || return 0
	bin_cron=$bin
	start_cluster cron "$bin" pg_cron
	use cron
	# its jobs connect by TCP otherwise, which is closed here
	q -U postgres -d postgres -c "ALTER SYSTEM SET cron.use_background_workers = on"
	as_postgres "$bin/pg_ctl" -D "$work/cron/data" -l "$work/cron/log" -m fast -w restart >/dev/null
	q -U postgres -d postgres >/dev/null <<'SQL'
CREATE EXTENSION pg_cron;
CREATE TABLE due (at timestamptz);
SQL
	# its shortest interval is a minute in this version: the work that is due when
	# a minute begins
	q -U postgres -d postgres -c "SELECT cron.schedule('* * * * *', 'INSERT INTO due VALUES (clock_timestamp())')" >/dev/null
	for ((i = 0; i < 700; i++)); do
		[ "$(q -U postgres -d postgres -c "SELECT count(*) FROM due")" = 0 ] || break
		q -U postgres -d postgres -c "SELECT pg_sleep(0.1)" >/dev/null
	done
	note "pg_cron, begins after the minute" "$(q -U postgres -d postgres -c "SELECT round(1000 * extract(epoch FROM min(at) - date_trunc('minute', min(at)))) FROM due") ms; a change waits up to 60 s"
	use new
}

stage_peers()
{
	say "peers: what Debian packages"
	. "$here/capture.sh"
	# ours do not run beside theirs
	triggers DISABLE
	peer_plpgsql
	peer_pgq
	peers_least
	triggers ENABLE
	peer_cron
	apt-cache policy 'postgresql-*-pgmq' 2>/dev/null | grep -q . || echo "   pgmq is not packaged here: left out"
}

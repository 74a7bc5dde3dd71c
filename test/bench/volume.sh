# volume.sh: what a message takes on the disk and in memory.

# bytes of the ledger: tables, their indexes
ledger_bytes()
{
	q -F ' ' -c "SELECT sum(pg_table_size(c.oid)), sum(pg_indexes_size(c.oid)) FROM pg_class AS c
		WHERE relnamespace = 'wa'::regnamespace AND relkind = 'r'"
}

stage_volume()
{
	local i table index table0 index0 start wal second pid memory each
	say "volume: 5 drains of $permits messages, autovacuum on"
	for each in $(builds); do
		use "$each"
		q -U postgres -c "VACUUM" -c "CHECKPOINT"
		read -r table0 index0 < <(ledger_bytes)
		for ((i = 1; i <= 5; i++)); do
			start=$(q -c "SELECT pg_current_wal_insert_lsn()")
			drain >/dev/null
			q -c "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$start') / $permits" >> "$work/wal.$each"
			read -r table index < <(ledger_bytes)
			point volume "$each build" "$((i * permits))" "$(((table + index - table0 - index0) / 1000000))"
			[ "$i" != 2 ] || second=$((table + index - table0 - index0))
		done
		q -U postgres -c "VACUUM"
		read -r table index < <(ledger_bytes)
		note "bytes per message, $each build" "$(((table - table0) / (5 * permits))) table, $(((index - index0) / (5 * permits))) index, $(median < "$work/wal.$each" | cut -d. -f1) WAL"
		# the first rounds take room that is used again
		[ "$each" != new ] || figure "growth of rounds 3 to 5 by that of 1 and 2, each" "$(calculate %.2f "($table + $index - $table0 - $index0 - $second) / 3 / ($second / 2)")" "<= 1.1"
	done
	use new
	pid=$(q -c "SELECT pid FROM pg_stat_activity WHERE datname = 'odoo' AND backend_type LIKE '%sicantik%' AND backend_type NOT LIKE '%launcher%' LIMIT 1")
	if [ -n "$pid" ] && [ -r "/proc/$pid/status" ]; then
		memory=$(awk '/^RssAnon/ { printf "%.0f", $2 / 1024 }' "/proc/$pid/status")
		figure "private memory of the worker" "$memory MB" "<= 64"
	fi
}

# drain.sh: messages per second, and what others do to it.

# compare_drain NAME: alternating rounds of all builds
compare_drain()
{
	local i each
	for ((i = 0; i < rounds; i++)); do
		for each in $(builds); do
			use "$each"
			drain >> "$work/drain.$1.$each"
			printf '   %s, %s build: %s messages/s\n' "$1" "$each" "$(tail -n 1 "$work/drain.$1.$each")"
		done
	done
	use new
	rate=$(median < "$work/drain.$1.new")
	if [ -n "$bin_old" ]; then
		figure "drain, $1" "$(calculate %.2f "$rate / $(median < "$work/drain.$1.old")") times the old build ($rate to $(median < "$work/drain.$1.old")/s)" ">= 2.0"
	else
		note "drain, $1" "$rate messages/s"
	fi
}

# hold BUILD: a session that holds a snapshot
hold()
{
	use "$1"
	background "$bin/psql" -XqAt -c "BEGIN ISOLATION LEVEL REPEATABLE READ" -c "SELECT count(*) FROM res_partner" \
		-c "SELECT pg_sleep(900)" >/dev/null 2>&1
	until [ "$(q -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(900)%' AND backend_xmin IS NOT NULL")" -ge 1 ]; do :; done
}

# let_go BUILD: ends that session; its backend would not hear of the end of psql
# before it has slept
let_go()
{
	use "$1"
	q -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(900)%'" >/dev/null
	until [ "$(q -c "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(900)%'")" = 0 ]; do :; done
}

stage_drain()
{
	local each i
	say "drain: $permits messages, $rounds rounds"
	for each in $(builds); do warm "$each"; done
	compare_drain alone
	say "drain while another session holds an old snapshot"
	for each in $(builds); do hold "$each"; done
	compare_drain "old snapshot held"
	# each round left its dead rows behind, which nothing may take away
	for each in $(builds); do
		i=0
		while read -r rate; do
			point snapshot "$each" "$((++i * permits))" "$rate"
		done < "$work/drain.old snapshot held.$each"
	done
	for each in $(builds); do let_go "$each"; done
	use new

	say "drain to a provider that answers in 300 ms"
	q >/dev/null 2>&1 <<SQL
$(provider slow fonnte "http://127.0.0.1:$port_slow" ', "max_in_flight": 1000')
SQL
	# so many that the first and the last 300 ms hardly count
	local mark
	mark=$(top)
	send_text 20000 slow slow
	wait_sent "id > $mark" 20000
	figure "a provider that answers in 300 ms" "$(rate_of "$mark" "body = 'slow'") messages/s" ">= 3000"
}

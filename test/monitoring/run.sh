#!/bin/bash
#
# run.sh: what docs/monitoring has, with the real things: Prometheus and its
# exporter for PostgreSQL, and check_postgres, as Debian packages them (make
# test-monitoring; as root, which installs them).
#
# A throw-away PostgreSQL, an exporter and a Prometheus on loopback: what is
# scraped is what SQL says, promtool takes metrics and rules, the rules fire when
# there is something to fire about and stop when it is mended.  Prints one line
# for each check, and "N passed, N failed" at the end.
#
set -euo pipefail

cd "$(dirname "$0")/../.."
work=$(mktemp -d /tmp/wa_monitoring.XXXXXX)
chmod 755 "$work"
passed=0
failed=0
pids=()

end()
{
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
	[ -z "${bin:-}" ] || as_user "$bin/pg_ctl" -D "$work/data" -m immediate -w stop >/dev/null 2>&1 || true
	[ -z "${policy:-}" ] || rm -f "$policy"
	rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

as_user()
{
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups "$@"
	else
		"$@"
	fi
}

# is WHAT EXPECTED GOT
is()
{
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
		passed=$((passed + 1))
	else
		echo "not ok - $1: expected '$2', got '$3'"
		failed=$((failed + 1))
	fi
}

# becomes WHAT EXPECTED COMMAND ...: within half a minute
becomes()
{
	local got i

	for ((i = 0; i < 300; i++)); do
		got=$("${@:3}" 2>/dev/null) || true
		[ "$got" != "$2" ] || break
		sleep 0.1
	done
	is "$1" "$2" "$got"
}

test/install-packages.sh
missing=()
for package in prometheus prometheus-postgres-exporter check-postgres; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' $package 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
	# none of them is to run as a service
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		policy=/usr/sbin/policy-rc.d	# which end() removes
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >"$work/apt.log" 2>&1 ||
		{ tail -n 20 "$work/apt.log" >&2; exit 1; }
fi

bin=$(test/private-pg.sh "$work")
as_user "$bin/initdb" -D "$work/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 >/dev/null
free_port()
{
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
pg_port=$(free_port)
as_user tee -a "$work/data/postgresql.conf" >/dev/null <<-CONF
	listen_addresses = '127.0.0.1'
	port = $pg_port
	unix_socket_directories = ''
	fsync = off
	shared_preload_libraries = 'sicantik_wa'
CONF
as_user "$bin/pg_ctl" -D "$work/data" -l "$work/server.log" -w start >/dev/null 2>&1 || { cat "$work/server.log" >&2; exit 1; }

export PGHOST=127.0.0.1 PGPORT=$pg_port PGUSER=postgres
sql()
{
	"$bin/psql" -XAtq -v ON_ERROR_STOP=1 -d odoo -c "$1"
}
"$bin/createdb" odoo
"$bin/psql" -Xq -d odoo -f test/odoo/fixture.sql >/dev/null 2>&1
sql 'CREATE EXTENSION sicantik_wa' 2>/dev/null
sql "SELECT count(*) FROM wa_setup()" >/dev/null
sql "CREATE ROLE monitor LOGIN; SELECT wa_grant('monitor', 'view')" >/dev/null
sql "INSERT INTO wa.message (scenario, provider, state, sent_at) SELECT 'permit_ready', 'meta', 'sent', now() FROM generate_series(1, 3)"
sql "INSERT INTO wa.message (provider, state) VALUES ('fonnte', 'held')"

# ---- what promtool says ----

is 'promtool takes wa_metrics()' 0 "$(sql 'SELECT wa_metrics()' | promtool check metrics >"$work/promtool" 2>&1; echo $?)"
is 'promtool takes the rules' 0 "$(promtool check rules docs/monitoring/sicantik_wa.rules.yml >"$work/promtool" 2>&1; echo $?)"

is 'each rule fires when it is to, and not else' 0 "$(promtool test rules test/monitoring/rules_test.yml >"$work/promtool" 2>&1; echo $?)"
! grep -q FAILED "$work/promtool" || cat "$work/promtool"

# ---- the exporter ----

exporter_port=$(free_port)
DATA_SOURCE_NAME="postgresql://monitor@127.0.0.1:$pg_port/odoo?sslmode=disable" prometheus-postgres-exporter \
	--web.listen-address="127.0.0.1:$exporter_port" --disable-default-metrics \
	--extend.query-path=docs/monitoring/postgres_exporter.yml >"$work/exporter.log" 2>&1 &
pids+=($!)
scraped()
{
	python3 - "$exporter_port" "$1" <<-'PYTHON'
		import re, sys, urllib.request
		text = urllib.request.urlopen('http://127.0.0.1:%s/metrics' % sys.argv[1]).read().decode()
		lines = [re.sub(r'server="[^"]*",?', '', line).replace(',}', '}').replace('{}', '') for line in text.splitlines()]
		print('\n'.join(line for line in lines if line.startswith('sicantik_wa_') and sys.argv[2] in line))
	PYTHON
}
becomes 'the exporter scrapes what was sent' 'sicantik_wa_today_sent{provider="meta",scenario="permit_ready"} 3' \
	scraped 'sicantik_wa_today_sent{provider="meta"'
# all that both have
differences()
{
	diff <(sql 'SELECT wa_metrics()' | grep '^sicantik_wa_' | grep -v '^sicantik_wa_worker' | sed -E 's/\{((provider|version)="[^"]*"),((kind|mode)="[^"]*")\}/{\3,\1}/' | sort) \
		<(scraped sicantik_wa_ | grep -v '^sicantik_wa_worker' | sort) || true
}
is 'as wa_metrics() says, all of it' '' "$(differences)"
# these count on: their names and labels, and the buckets of what there was not
worker_names()
{
	grep '^sicantik_wa_worker' | sed 's/ [^ ]*$//' | sort
}
is 'and what workers have done, by the same names' "$(sql 'SELECT wa_metrics()' | worker_names)" "$(scraped sicantik_wa_worker | worker_names)"

# ---- Prometheus ----

prometheus_port=$(free_port)
sed 's/^\( *for:\).*/\1 0s/' docs/monitoring/sicantik_wa.rules.yml >"$work/rules.yml"
cat >"$work/prometheus.yml" <<-YAML
	global: {scrape_interval: 1s, evaluation_interval: 1s}
	rule_files: [rules.yml]
	scrape_configs:
	  - job_name: odoo
	    static_configs: [{targets: ["127.0.0.1:$exporter_port"]}]
YAML
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
	--web.listen-address="127.0.0.1:$prometheus_port" >"$work/prometheus.log" 2>&1 &
pids+=($!)
firing()
{
	python3 - "$prometheus_port" "$1" <<-'PYTHON'
		import json, sys, urllib.request
		alerts = json.load(urllib.request.urlopen('http://127.0.0.1:%s/api/v1/alerts' % sys.argv[1]))['data']['alerts']
		print(' '.join(sorted({a['labels']['alertname'] for a in alerts if a['state'] == 'firing' and a['labels']['alertname'] in sys.argv[2].split()})))
	PYTHON
}
becomes 'no provider can be used: rules fire' 'SicantikWaError SicantikWaNoProvider' firing 'SicantikWaError SicantikWaNoProvider'
becomes 'none about a circuit' '' firing SicantikWaCircuitOpen
sql "UPDATE wa.provider SET state = 'error' WHERE name = 'meta'"
becomes 'a circuit opens' SicantikWaCircuitOpen firing SicantikWaCircuitOpen
sql "UPDATE wa.provider SET state = 'configured', active = true WHERE name IN ('meta', 'fonnte')"
becomes 'what is mended fires no more' '' firing 'SicantikWaNoProvider SicantikWaCircuitOpen'
sql "INSERT INTO wa.attempt (message_id, attempt, provider, started_at, outcome) SELECT 1, g, 'fonnte', now(), 'unknown' FROM generate_series(1, 30) AS g"
becomes 'many unknown outcomes' SicantikWaUnknownOutcomes firing SicantikWaUnknownOutcomes
sql "INSERT INTO wa.dead_letter (event_id, relation, record_id, columns, new, event_at, error) VALUES (1, 'public.sicantik_permit', 1, '{}', '{}', now(), 'x')"
becomes 'a dead letter' SicantikWaDeadLetters firing SicantikWaDeadLetters
sql "DELETE FROM wa.dead_letter"
becomes 'which is seen to' '' firing SicantikWaDeadLetters
kill "${pids[0]}"
becomes 'nothing is scraped any more' SicantikWaMissing firing SicantikWaMissing

# ---- check_postgres ----

check()
{
	check_postgres --action=custom_query --valtype=integer --dbuser=monitor --dbname=odoo --host=127.0.0.1 --port="$pg_port" \
		--query="SELECT count(*) AS result FROM wa_check() WHERE state = '$1'" --critical=1 --warning=1 >"$work/check" 2>&1
	echo $?
}
is 'check_postgres finds errors' 2 "$(check error)"
is 'and none of a kind that there is not' 0 "$(check none)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

"""See ../patroni.sh."""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request

import psycopg2

from machine import (AT_REST, BIN, FOLDER, Failed, Server, Simulator, check, equal, many, open_office, story,
                     wait_until, write)

PORTS = {"one": 5501, "two": 5502}
API = {"one": 8001, "two": 8002}


def api(node, path, value=None, method=None):
    """Patroni's own interface; what it says, whatever status it gives."""
    request = urllib.request.Request("http://127.0.0.1:%d/%s" % (API[node], path), method=method,
                                     data=None if value is None else json.dumps(value).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        text = error.read().decode()
    except OSError:
        return {}
    try:
        return json.loads(text)
    except ValueError:
        return {"said": text}


class Node(Server):
    def __init__(self, name, simulator):
        super().__init__(name, PORTS[name], "127.0.0.1")
        self.process = None
        self.file = FOLDER + "/" + name + ".yml"
        parameters = {"shared_preload_libraries": "sicantik_wa", "unix_socket_directories": FOLDER, "fsync": "off",
                      "sicantik_wa.worker_idle_timeout": 3600, "sicantik_wa.request_timeout": "5s",
                      "wal_keep_size": "512MB", "max_worker_processes": 16, "logging_collector": "off",
                      "sicantik_wa.allowed_hosts": simulator.settings().split("'")[1]}
        # YAML is at least JSON
        write(self.file, json.dumps({
            "scope": "office", "name": name, "log": {"level": "INFO"},
            "restapi": {"listen": "127.0.0.1:%d" % API[name], "connect_address": "127.0.0.1:%d" % API[name]},
            "etcd3": {"host": "127.0.0.1:2379"},
            "bootstrap": {
                "dcs": {"ttl": 20, "loop_wait": 1, "retry_timeout": 3, "maximum_lag_on_failover": 1048576,
                        "synchronous_mode": True,
                        "postgresql": {"use_pg_rewind": True, "parameters": parameters}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "no-sync"]},
            "postgresql": {
                "listen": "127.0.0.1:%d" % self.port, "connect_address": "127.0.0.1:%d" % self.port,
                "data_dir": self.data, "bin_dir": BIN, "pgpass": FOLDER + "/" + name + ".pgpass",
                "authentication": {"superuser": {"username": "postgres", "password": "x"},
                                   "replication": {"username": "replicator", "password": "x"}},
                "pg_hba": ["local all all trust", "host all all 127.0.0.1/32 trust",
                           "host replication all 127.0.0.1/32 trust"]}}))

    def patroni(self):
        with open(self.log_path(), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(["patroni", self.file], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def signal(self, what):
        """All of it: Patroni first, which else would start the server again."""
        with open(self.data + "/postmaster.pid", encoding="ascii") as file:
            postmaster = int(file.readline())
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(postmaster)], stdout=subprocess.PIPE,
                                  encoding="ascii", check=False).stdout.split()
        for pid in [self.process.pid, postmaster] + [int(c) for c in children]:
            try:
                os.kill(pid, what)
            except ProcessLookupError:
                pass

    def kill(self):
        """The power is cut."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def role(self):
        said = api(self.name, "patroni")
        return said.get("role") if said.get("state") == "running" else None


class Traffic(threading.Thread):
    """As Odoo does: one small transaction after the other, on whichever server is the primary."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.ports = ",".join(str(n.port) for n in nodes)
        self.hosts = ",".join("127.0.0.1" for _ in nodes)
        self.number = 0
        self.committed = set()      # the client has heard so
        self.maybe = set()          # the connection went away at the COMMIT
        self.over = threading.Event()

    def run(self):
        connection = None
        while not self.over.is_set():
            self.number += 1
            hand = self.number % 2 == 0
            number = "62853%08d" % self.number if hand else many(self.number)
            at_commit = False
            try:
                if connection is None:
                    connection = psycopg2.connect(host=self.hosts, port=self.ports, user="odoo", dbname="odoo",
                                                  target_session_attrs="read-write", connect_timeout=5)
                with connection.cursor() as cursor:
                    if hand:
                        cursor.execute("SELECT wa_send_text(%s, 'Halo')", (number,))
                    else:
                        cursor.execute("UPDATE sicantik_permit SET status = 'active', permit_number = '503/' || id,"
                                       " issue_date = current_date WHERE partner_id ="
                                       " (SELECT id FROM res_partner WHERE phone_sanitized = %s)", ("+" + number,))
                    cursor.execute("INSERT INTO committed VALUES (%s)", (number,))
                at_commit = True
                connection.commit()
                self.committed.add(number)
            except psycopg2.Error:
                if at_commit:
                    self.maybe.add(number)
                if connection is not None:
                    connection.close()
                connection = None
                self.over.wait(0.1)
            self.over.wait(0.01)

    def end(self):
        self.over.set()
        self.join()


def leader(nodes, but=None):
    def there():
        found = [n for n in nodes if n is not but and n.process and n.role() in ("master", "primary")]
        return found[0] if found and not found[0].one("SELECT pg_is_in_recovery()") else None
    return wait_until("a primary", there)


def follows(primary, standby, synchronous):
    """The other one streams; Patroni has it as the synchronous one, or not."""
    wait_until("%s follows %s" % (standby.name, primary.name), lambda: primary.one(
        "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
        " AND sync_state = %s", standby.name, "sync" if synchronous else "async", user="postgres",
        database="postgres"))
    if synchronous:
        wait_until("Patroni knows it", lambda: api(standby.name, "patroni").get("sync_standby"))


def audit(primary, simulator, numbers, acknowledged, lossless, what):
    """Three lists: what was committed, the ledger, what the providers took."""
    primary.wait("at rest", AT_REST)
    there = {r[0] for r in primary.rows("SELECT number FROM committed")}
    ledger = {}
    for number, *rest in primary.rows(
            "SELECT number, state, repeats, reason, (SELECT count(*) FROM wa.attempt AS a WHERE a.message_id = m.id"
            " AND a.outcome = 'unknown') FROM wa.message AS m"):
        ledger.setdefault(number, []).append(rest)
    taken = simulator.accepted()
    lost = sorted(acknowledged - there)
    if lossless:
        equal(lost, [], what + ": all %d transactions that were committed are there" % len(acknowledged))
    else:
        print("   %s: %d of %d committed transactions are lost" % (what, len(lost), len(acknowledged)))
    there &= numbers
    equal(sorted(n for n in there if len(ledger.get(n, [])) != 1), [], what + ": each of them has one message")
    equal(sorted((n, ledger[n]) for n in there if ledger[n][0][0] != "sent"), [], what + ": which was sent")
    equal(sorted(n for n in there if not taken[n]), [], what + ": the provider has it")
    twice = sorted(n for n in there if taken[n] > 1)
    equal([n for n in twice if taken[n] > 1 + ledger[n][0][1] or ledger[n][0][3] == 0], [],
          what + ": whoever was told twice (%d), the ledger knows: in doubt, then repeated" % len(twice))
    phantoms = sorted(n for n in numbers if taken[n] and n not in there)
    if lossless:
        equal(phantoms, [], what + ": nobody was told of what was not committed")
    else:
        equal(sorted(set(phantoms) - set(lost)), [], what + ": nobody was told of what was never committed")
    return twice, lost


def one_sender(primary, standby, what):
    check(primary.workers() > 0, what + ": the new primary, %s, sends" % primary.name)
    equal(standby.workers(), 0, what + ": nothing of sicantik_wa runs on the standby, %s" % standby.name)


def tell():
    simulator = Simulator()
    with open(FOLDER + "/etcd.log", "w", encoding="utf-8") as log:
        subprocess.Popen(["etcd", "--data-dir", FOLDER + "/etcd", "--listen-client-urls", "http://127.0.0.1:2379",
                          "--advertise-client-urls", "http://127.0.0.1:2379", "--listen-peer-urls",
                          "http://127.0.0.1:2380", "--unsafe-no-fsync"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    nodes = [Node("one", simulator), Node("two", simulator)]
    one, two = nodes
    one.patroni()
    wait_until("the first node", lambda: one.role() in ("master", "primary"))
    two.patroni()
    follows(one, two, True)
    check(True, "two nodes, the second one synchronous")
    open_office(one, simulator, 20000)
    one.rows("CREATE TABLE committed (number text PRIMARY KEY)")
    simulator.control("fault", {"provider": "fonnte", "kind": "delay", "delay_ms": 100, "times": None})
    traffic = Traffic(nodes)
    traffic.start()

    def sent_more(n, since=None):
        since = simulator.sends() if since is None else since
        wait_until("messages go out", lambda: simulator.sends() >= since + n)

    def seen():
        return traffic.number, set(traffic.committed)

    sent_more(40)
    one.wait("it is known that the standby misses nothing", "SELECT synchronous FROM wa.identity")
    check(True, "traffic; wa.identity.synchronous")

    # 1. switchover
    print("  ", api("one", "switchover", {"leader": "one", "candidate": "two"}), flush=True)
    primary = leader(nodes, one)
    follows(primary, one, True)
    sent_more(40)
    one_sender(primary, one, "switchover")
    equal(primary.one("SELECT value FROM wa_status() WHERE item = 'mode'"), "live", "switchover: it is live, nobody had to do anything")
    equal(primary.one("SELECT count(*) FROM wa.attempt WHERE provider_code = 'failover'"), 0,
          "switchover: nothing that waited is in doubt")

    # 2. the primary loses its power
    two.kill()
    started = time.monotonic()
    primary = leader(nodes, two)
    print("   the other one is the primary after %.0f s" % (time.monotonic() - started), flush=True)
    sent_more(40)
    equal(primary.one("SELECT count(*) FROM wa.attempt WHERE provider_code = 'failover'"), 0,
          "failover, synchronous: nothing that waited is in doubt, only what was on the wire")
    two.patroni()
    follows(primary, two, True)
    check("running pg_rewind" in two.log(), "the former primary comes back with pg_rewind")
    one_sender(primary, two, "failover, synchronous")
    traffic.end()
    audit(primary, simulator, traffic.committed | traffic.maybe, traffic.committed, True, "switchover and failover, synchronous")

    # 3. it stands still, and wakes up when the other one has taken over
    before = Traffic(nodes)
    before.number = 4000
    before.start()
    sent_more(40)
    primary.wait("it is known that the standby misses nothing", "SELECT synchronous FROM wa.identity")
    sent_more(20)
    primary.signal(signal.SIGSTOP)
    before.over.set()           # it may hang until its server wakes up
    frozen, primary = primary, leader(nodes, primary)
    after = Traffic(nodes)
    after.number = 6000
    after.start()
    sent_more(40)
    frozen.signal(signal.SIGCONT)
    sent_more(20)
    follows(primary, frozen, True)
    before.join()
    after.end()
    one_sender(primary, frozen, "a primary that stood still")
    audit(primary, simulator, before.committed | before.maybe | after.committed | after.maybe,
          before.committed | after.committed, True, "a primary that stood still, synchronous")

    # 4. power is lost, when commits do not wait for the standby
    api("one", "config", {"synchronous_mode": False}, "PATCH")
    standby = [n for n in nodes if n is not primary][0]
    follows(primary, standby, False)
    again = Traffic(nodes)
    again.number = 10000
    again.start()
    sent_more(20)
    primary.wait("it is known that commits do not wait", "SELECT NOT synchronous FROM wa.identity")
    sent_more(20)
    # the standby falls behind: what is committed, and sent, from now on it does not get
    os.kill(primary.one("SELECT pid FROM pg_stat_replication", user="postgres", database="postgres"), signal.SIGSTOP)
    behind = len(again.committed)
    wait_until("it is behind", lambda: len(again.committed) > behind + 20)
    sent_more(20)
    last = primary.one("SELECT max(id) FROM wa.message")
    primary.kill()
    former, primary = primary, leader(nodes, primary)
    sent_more(20)
    former.patroni()
    follows(primary, former, False)
    one_sender(primary, former, "failover, asynchronous")
    again.end()
    check(primary.one("SELECT max(id) > %s + 900000 AND count(*) FILTER (WHERE id > %s AND id < %s + 900000) < 50"
                      " FROM wa.message", last, last, last),
          "failover, asynchronous: message ids jump, so that none is given twice")
    check(primary.log().count("sicantik_wa goes on after a failover") >= 1, "failover, asynchronous: the log tells it")
    _, lost = audit(primary, simulator, again.committed | again.maybe, again.committed, False, "failover, asynchronous")
    check(lost, "failover, asynchronous: what the standby did not have is lost, Odoo's changes with it")


story(tell)

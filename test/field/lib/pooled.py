"""See ../pgbouncer.sh."""

import random
import threading

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from machine import (AT_REST, BIN, FOLDER, Server, Simulator, change, check, equal, many, open_office, run, story,
                     wait_until, write)

POOL_PORT = 6432
CLIENTS = 12
EACH = 20


class Client(threading.Thread):
    """One of Odoo's: REPEATABLE READ, savepoints, what cannot be serialized is done again."""

    def __init__(self, pool, database, first):
        super().__init__(daemon=True)
        self.pool = pool
        self.database = database
        self.numbers = range(first, first + EACH)
        self.dice = random.Random(first)
        self.told = set()
        self.not_told = set()
        self.error = None

    def run(self):
        try:
            connection = self.pool.connect(database=self.database)
            connection.autocommit = False
            connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ)
            for n in self.numbers:
                while not self.one_of_them(connection, n):
                    pass
            connection.close()
        except BaseException as error:  # told by whoever waits for this thread
            self.error = error

    def one_of_them(self, connection, n):
        number = many(n)
        hand = "62853%08d" % n
        how = self.dice.choice(("commit", "commit", "commit", "rollback", "savepoint", "quiet"))
        with connection.cursor() as cursor:
            try:
                if how == "quiet":
                    cursor.execute("SET LOCAL sicantik_wa.capture = off; SET LOCAL sicantik_wa.level = 'view'")
                cursor.execute("SAVEPOINT odoo")
                cursor.execute("UPDATE sicantik_permit SET status = 'active', permit_number = '503/' || id,"
                               " issue_date = current_date WHERE partner_id ="
                               " (SELECT id FROM res_partner WHERE phone_sanitized = %s)", ("+" + number,))
                if how == "savepoint":
                    cursor.execute("ROLLBACK TO odoo")
                if how != "quiet":
                    cursor.execute("SELECT wa_send_text(%s, 'Halo')", (hand,))
                # what one has prepared goes with his transaction, or the next one would find it
                cursor.execute("PREPARE mine AS SELECT $1::int; EXECUTE mine (1); DEALLOCATE mine")
                cursor.execute("SELECT lastval()") if how == "commit" else None
            except psycopg2.errors.SerializationFailure:
                connection.rollback()
                return False
        if how == "rollback":
            connection.rollback()
        else:
            try:
                connection.commit()
            except psycopg2.errors.SerializationFailure:
                connection.rollback()
                return False
        (self.told if how == "commit" else self.not_told).add(number)
        (self.told if how in ("commit", "savepoint") else self.not_told).add(hand)
        return True


def refused(server, sql, *values, **whose):
    try:
        server.rows(sql, *values, **whose)
    except psycopg2.errors.InsufficientPrivilege:
        return True
    return False


def traffic(main, pool, simulator, database, first, what):
    clients = [Client(pool, database, first + i * EACH) for i in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
        if client.error:
            raise client.error
    told = set().union(*(c.told for c in clients))
    not_told = set().union(*(c.not_told for c in clients))
    main.wait("at rest", AT_REST)
    taken = simulator.accepted()
    equal(sorted(n for n in told if taken[n] != 1), [],
          "%s: %d clients, %d who are to be told, each is told once" % (what, CLIENTS, len(told)))
    equal(sorted(n for n in not_told if taken[n]), [], what + ": %d others are not (rolled back, capture = off)" % len(not_told))
    equal(sorted(r[0] for r in main.rows("SELECT number FROM wa.message WHERE number = ANY (%s) AND state <> 'sent'", list(told))),
          [], what + ": and so says the ledger")


def settings_stay_at_home(main, pool, database, what):
    """One server connection for all: what one client sets, the next one has not."""
    first, second = pool.connect(database=database), pool.connect(database=database)
    first.autocommit = False
    with first.cursor() as a, second.cursor() as b:
        a.execute("SELECT pg_backend_pid()")
        pid = a.fetchone()[0]
        a.execute("SET LOCAL sicantik_wa.capture = off; SET LOCAL sicantik_wa.level = 'none'; SET LOCAL sicantik_wa.language = 'id'")
        first.commit()
        b.execute("SELECT pg_backend_pid()")
        equal(b.fetchone()[0], pid, what + ": both clients have the same server connection")
        b.execute("SELECT current_setting('sicantik_wa.capture'), current_setting('sicantik_wa.level'),"
                  " current_setting('sicantik_wa.language')")
        equal(b.fetchone(), ("on", "admin", "office"), what + ": SET LOCAL of one client is not the other's")
        b.execute("SELECT count(*) FROM wa_check()")
        a.execute("SET LOCAL ROLE reporting")
        a.execute("SELECT current_user, (SELECT count(*) > 0 FROM wa_status())")
        equal(a.fetchone(), ("reporting", True), what + ": SET LOCAL ROLE to a role of level view, which sees")
        try:
            a.execute("SELECT wa_send_text('6281200000001', 'Halo')")
            check(False, what + ": and may not send")
        except psycopg2.errors.InsufficientPrivilege:
            check(True, what + ": and may not send")
        first.rollback()
        b.execute("SELECT current_user, wa_send_text('6281200000002', 'Halo') IS NOT NULL")
        equal(b.fetchone(), ("odoo", True), what + ": the next client is odoo again, and may")
    first.close()
    second.close()


def tell():
    simulator = Simulator()
    main = Server("main", 5501)
    main.initdb(simulator.settings(), "max_connections = 60")
    main.start()
    open_office(main, simulator, 2000)
    for role, level in (("reporting", "view"), ("frontdesk", "send"), ("endpoint", "webhook")):
        main.rows("CREATE ROLE %s LOGIN" % role, user="postgres")
        main.rows("SELECT wa_grant(%s, %s)", role, level)
    main.rows("GRANT reporting TO odoo", user="postgres")
    backend = "host=%s port=%d dbname=odoo" % (FOLDER, main.port)
    write(FOLDER + "/users.txt", "".join('"%s" ""\n' % u for u in ("odoo", "reporting", "frontdesk", "endpoint", "stranger")))
    main.rows("CREATE ROLE stranger LOGIN", user="postgres")
    write(FOLDER + "/pgbouncer.ini", "\n".join([
        "[databases]",
        "odoo = %s pool_size=4" % backend,
        "odoo_one = %s pool_size=1" % backend,
        "[pgbouncer]", "listen_addr =", "listen_port = %d" % POOL_PORT, "unix_socket_dir = " + FOLDER,
        "auth_type = trust", "auth_file = %s/users.txt" % FOLDER, "pool_mode = transaction", "max_client_conn = 200",
        "ignore_startup_parameters = extra_float_digits", "admin_users = odoo",
        "logfile = %s/pgbouncer.log" % FOLDER, "pidfile = %s/pgbouncer.pid" % FOLDER]) + "\n")
    run("/usr/sbin/pgbouncer", "-d", FOLDER + "/pgbouncer.ini")
    pool = Server("pool", POOL_PORT)
    wait_until("PgBouncer", lambda: pool.one("SELECT true"))

    traffic(main, pool, simulator, "odoo", 1, "4 connections for 12 clients")
    settings_stay_at_home(main, pool, "odoo_one", "one connection")
    equal(main.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid IN"
                   " (SELECT pid FROM pg_stat_activity WHERE usename = 'odoo' AND backend_type = 'client backend')"), 0,
          "no lock of a session is left in them")
    equal(main.one("SELECT count(*) FROM pg_class WHERE relpersistence = 't'"), 0, "nor a temporary table")

    # what the handbook warns of: a plain SET stays, until the connection is reset
    gaps = "SELECT coalesce(sum(dropped), 0) FROM wa.capture_gap WHERE reason = 'off'"
    pool.rows("SET sicantik_wa.capture = off", database="odoo_one")
    number = many(500)
    pool.rows("UPDATE sicantik_permit SET status = 'active', permit_number = '503/500', issue_date = current_date"
              " WHERE partner_id = (SELECT id FROM res_partner WHERE phone_sanitized = %s)", "+" + number, database="odoo_one")
    main.wait("it is counted", "SELECT EXISTS (SELECT FROM wa_check() WHERE state <> 'ok' AND item LIKE 'capture%%' AND %s)", True)
    main.wait("at rest", AT_REST)
    equal(simulator.accepted()[number], 0, "a plain SET stays with the connection: the next client's change is not recorded")
    check(main.rows("SELECT * FROM wa.capture_gap WHERE reason = 'off'"), "and wa.capture_gap and wa_check() tell of it")

    # server_reset_query_always: DISCARD ALL behind each transaction
    for line in ("SET server_reset_query = 'DISCARD ALL'", "SET server_reset_query_always = 1", "RECONNECT"):
        pool.rows(line, database="pgbouncer")
    pool.rows("SET sicantik_wa.capture = off; SET sicantik_wa.level = 'none'", database="odoo_one")
    number = many(501)
    pool.rows("UPDATE sicantik_permit SET status = 'active', permit_number = '503/501', issue_date = current_date"
              " WHERE partner_id = (SELECT id FROM res_partner WHERE phone_sanitized = %s)", "+" + number, database="odoo_one")
    wait_until("told", lambda: simulator.accepted()[number])
    check(True, "with server_reset_query_always (DISCARD ALL) it does not")
    traffic(main, pool, simulator, "odoo", 601, "DISCARD ALL behind each transaction")
    settings_stay_at_home(main, pool, "odoo_one", "one connection, DISCARD ALL")

    # the protocol's own prepared statements, as drivers send them
    write(FOLDER + "/extended.sql", "\\set n random(10000000, 99999999)\n"
          "SELECT wa_send_text('62857' || :n::text, 'Halo');\n")
    run(BIN + "pgbench", "-n", "-M", "extended", "-c", "8", "-t", "10", "-h", FOLDER, "-p", str(POOL_PORT), "-U", "odoo",
        "-f", FOLDER + "/extended.sql", "odoo")
    main.wait("at rest", AT_REST)
    equal(main.one("SELECT count(*) FROM wa.message WHERE number LIKE '62857%' AND state = 'sent'"), 80,
          "extended protocol: each call is one message")
    equal(sorted(n for n, c in simulator.accepted().items() if n.startswith("62857") and c != 1), [], "and each is told once")

    # who is cut off in the middle has said nothing
    connection = pool.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("SELECT wa_send_text('6281200000009', 'Halo')")
    connection.close()
    main.wait("it is gone", "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE state LIKE 'idle in transaction%')")
    main.wait("at rest", AT_REST)
    equal(simulator.accepted()["6281200000009"], 0, "a client that is cut off in its transaction tells nobody")

    # rights are those of the role that has come, whoever had the connection before
    equal(pool.one("SELECT count(*) > 0 FROM wa_status()", user="reporting"), True, "level view reads")
    check(refused(pool, "SELECT wa_send_text('6281200000003', 'Halo')", user="reporting"), "and does not send")
    number = "6281200000004"
    pool.one("SELECT wa_send_text(%s, 'Halo')", number, user="frontdesk")
    wait_until("told", lambda: simulator.accepted()[number])
    check(refused(pool, "SELECT wa_set('office_name', 'X')", user="frontdesk"), "level send sends, and sets nothing")
    check(refused(pool, "SELECT * FROM wa_status()", user="stranger"), "who has no level is refused")
    check(refused(pool, "SELECT wa_send_text('6281200000003', 'Halo')", user="endpoint"), "level webhook does not send")

    # what a provider tells
    meta = simulator.control("config")["meta"]
    main.rows("SELECT wa_configure('meta', pg_catalog.jsonb_build_object('base_url', %s::text, 'api_version', 'v26.0',"
              " 'phone_number_id', %s::text, 'waba_id', %s::text, 'access_token', %s::text, 'app_secret', %s::text))",
              "http://127.0.0.1:%d" % simulator.port, meta["phone_number_id"], meta["waba_id"], meta["tokens"][0],
              meta["webhook_secret"])
    for n in range(20):
        simulator.control("webhook", {"provider": "meta", "from": "62858%08d" % n, "name": "Warga", "text": "STOP"})
    bodies = simulator.control("webhooks")
    threads = []
    for body in bodies:
        def call(body=body):
            pool.rows("SELECT wa_webhook(%s, decode(%s, 'hex'), %s, %s)", body["provider"], body["body_hex"],
                      body["signature"], body["secret"], user="endpoint")
        threads.append(threading.Thread(target=call))
        threads[-1].start()
    for thread in threads:
        thread.join()
    main.wait("it is applied", "SELECT count(*) = 20 FROM wa.contact WHERE number LIKE '62858%%' AND opted_out_at IS NOT NULL AND %s", True)
    check(True, "wa_webhook() through it: 20 people said STOP, 20 are heard")
    try:
        pool.rows("SELECT wa_webhook('meta', decode(%s, 'hex'), %s, NULL)", bodies[0]["body_hex"], "sha256=" + "0" * 64, user="endpoint")
        check(False, "a wrong signature is refused")
    except psycopg2.errors.InvalidAuthorizationSpecification:
        check(True, "a wrong signature is refused")
    main.stop()


story(tell)

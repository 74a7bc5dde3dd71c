"""See ../backup.sh."""

import os
import shutil

from machine import (AT_REST, BIN, FOLDER, Server, Simulator, change, check, equal, many, open_office, run, story,
                     wait_until, write)

REPOSITORY = FOLDER + "/pgbackrest"
BARMAN = FOLDER + "/barman"
FROM_BACKUP = "stopped: this database may not send: its server was started from a base backup after it was armed;" \
    " wa_arm() lets it send"
FROM_THE_PAST = "stopped: this database may not send: it was recovered to a point in the past after it was armed;" \
    " wa_arm() lets it send"


def pgbackrest(*words):
    return run("pgbackrest", "--config=%s/pgbackrest.conf" % FOLDER, "--stanza=office", *words)


def barman(*words):
    return run("barman", "-c", FOLDER + "/barman.conf", *words)


def furnish(main):
    write(FOLDER + "/pgbackrest.conf", "\n".join([
        "[global]", "repo1-path=" + REPOSITORY, "log-path=" + FOLDER, "lock-path=%s/lock" % FOLDER,
        "spool-path=%s/spool" % FOLDER, "start-fast=y", "log-level-console=warn", "log-level-file=off",
        "[office]", "pg1-path=" + main.data, "pg1-port=%d" % main.port, "pg1-socket-path=" + FOLDER]) + "\n")
    os.mkdir(REPOSITORY)
    conninfo = "host=%s port=%d user=postgres dbname=postgres" % (FOLDER, main.port)
    write(FOLDER + "/barman.conf", "\n".join([
        "[barman]", "barman_user = postgres", "barman_home = " + BARMAN, "log_file = %s/barman.log" % FOLDER,
        "[office]", "description = office", "conninfo = " + conninfo, "streaming_conninfo = " + conninfo,
        "backup_method = postgres", "archiver = on", "path_prefix = " + BIN,
        "immediate_checkpoint = true"]) + "\n")
    os.makedirs(BARMAN + "/office/incoming")


def status(server):
    return server.one("SELECT concat_ws(': ', value, detail) FROM wa_status() WHERE item = 'mode'")


def archive(main):
    """All of its WAL so far is with both."""
    name = main.one("SELECT pg_walfile_name(pg_switch_wal())", user="postgres", database="postgres")
    main.wait("WAL is archived", "SELECT last_archived_wal >= %s FROM pg_stat_archiver", name, user="postgres",
              database="postgres")
    barman("archive-wal", "office")


def stopped(copy, simulator, why, held, what):
    """A restored copy: it says why, holds what waited and what is new, and tells nobody."""
    before = simulator.accepted()
    copy.wait("restored", "SELECT NOT pg_is_in_recovery()", user="postgres", database="postgres")
    new = [change(copy, 150), "6281211110150"]
    copy.say(new[1])
    copy.wait("at rest", AT_REST)
    equal(status(copy), why, what + ": it is stopped, wa_status() says why")
    equal(copy.states(*held), ["held copy"] * len(held), what + ": what waited is held, reason copy")
    equal(copy.states(*new), ["held copy"] * 2, what + ": what is new, too, by hand or not")
    check(copy.one("SELECT state <> 'ok' AND what_to_do LIKE '%%wa_arm(%%' FROM wa_check() WHERE item = %s", "mode"),
          what + ": wa_check() says so, and what to do")
    equal(simulator.accepted(), before, what + ": nobody is told anything by it")
    return new


def tell():
    simulator = Simulator()
    main = Server("main", 5501)
    furnish(main)
    main.initdb("archive_mode = on", "wal_level = replica", "sicantik_wa.request_timeout = 300s", simulator.settings(),
                "archive_command = 'pgbackrest --config=%s/pgbackrest.conf --stanza=office archive-push %%p"
                " && cp %%p %s/office/incoming/%%f'" % (FOLDER, BARMAN))
    main.start()
    pgbackrest("stanza-create")
    open_office(main, simulator)

    told = [change(main, 1), "6281211110001"]
    main.say(told[1])
    for number in told:
        wait_until("told before the backup", lambda: simulator.accepted()[number])
    main.rows("SELECT wa_pause()")
    waited_long = "6281211110002"
    main.say(waited_long)
    pgbackrest("--type=full", "backup")
    barman("switch-wal", "--archive", "--archive-timeout=60", "office")
    barman("backup", "--wait", "office")
    check(len(barman("list-backup", "office").strip().split("\n")) == 1 and "full backup" in pgbackrest("info"),
          "pgBackRest and Barman have a backup, of a database with a message that waits")

    # after the backup: something waits, of two kinds, when somebody looks at the clock
    waiting = [change(main, 2), "6281211110003"]
    main.say(waiting[1])
    main.rows("SELECT wa_send_text('6281211110004', 'Besok', send_at => now() + interval '1 day')")
    main.wait("it waits", "SELECT count(*) = 1 FROM wa.message WHERE number = %s", waiting[0])
    main.set(sicantik_wa__enabled="off")
    main.wait("no worker", "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'sicantik_wa worker'")
    waiting += [change(main, 3)]
    equal(main.one("SELECT count(*) FROM wa.message WHERE number = %s", many(3)), 0, "a change is not read yet")
    moment = main.one("SELECT clock_timestamp()::text")
    waiting += [waited_long]

    # and goes out afterwards; of one the answer does not come
    main.rows("SELECT wa_resume(NULL)")
    on_the_wire = "6281211110005"
    simulator.control("fault", {"provider": "fonnte", "kind": "hold", "match": {"number": on_the_wire}})
    main.set(sicantik_wa__enabled="on")
    for number in waiting:
        wait_until("told after that moment", lambda: simulator.accepted()[number])
    main.say(on_the_wire)
    wait_until("on the wire", lambda: simulator.accepted()[on_the_wire])
    main.rows("SELECT wa_pause()")
    last = [change(main, 4), "6281211110006"]
    main.say(last[1])
    main.wait("the last ones wait", "SELECT count(*) = 2 FROM wa.message WHERE number IN (%s, %s)", *last)
    archive(main)

    copies = []
    for tool in "pgBackRest", "Barman":
        for point in (moment, None):
            what = "%s, to %s, the original goes on" % (tool, "a moment" if point else "the latest")
            copy = Server("%s_%s" % (tool.lower(), "moment" if point else "latest"), 5510 + len(copies))
            if tool == "pgBackRest":
                pgbackrest("--pg1-path=" + copy.data, "--archive-mode=off",
                           *(["--type=time", "--target=" + point, "--target-action=promote"] if point else []),
                           "restore")
            else:
                barman("recover", *(["--target-time", point, "--target-action", "promote"] if point else []),
                       "office", "latest", copy.data)
                copy.configure("archive_mode = off")
            os.chmod(copy.data, 0o700)
            copy.start()
            stopped(copy, simulator, FROM_THE_PAST if point else FROM_BACKUP, waiting if point else last, what)
            equal(copy.states("6281211110004"), ["queued"], what + ": what is due tomorrow waits for its time")
            if not point:
                equal(copy.states(on_the_wire), ["unknown copy"], what + ": of what was on the wire it says that it is not known")
            copy.stop()
            copies.append(copy)
    main.rows("SELECT wa_resume(NULL)")
    for number in last:
        wait_until("the original goes on", lambda: simulator.accepted()[number])
    simulator.control("release", {})
    main.wait("at rest", AT_REST)
    everybody = told + waiting + last + [on_the_wire]
    equal([simulator.accepted()[n] for n in everybody], [1] * len(everybody),
          "the original has told everybody once, whatever its copies did")
    equal(main.states(*everybody), ["sent"] * len(everybody), "and knows it")

    # the original is gone: one of its copies is armed
    main.stop("immediate")
    shutil.rmtree(main.data)
    for copy in copies:
        what = copy.name.replace("_", ", ") + ", the original is gone"
        before = simulator.accepted()
        copy.start()
        copy.wait("started again", "SELECT NOT pg_is_in_recovery()", user="postgres", database="postgres")
        copy.wait("at rest", AT_REST)
        check(status(copy).startswith("stopped: "), what + ": started again it is stopped still")
        equal(copy.one("SELECT wa_arm('odoo')") is not None, True, what + ": wa_arm()")
        copy.rows("SELECT wa_resume(NULL)")     # its original was paused then
        new = ["62812222%05d" % (copy.port * 10 + 1), change(copy, copy.port - 5400)]
        copy.say(new[0])
        for number in new:
            wait_until("what is new goes", lambda: simulator.accepted()[number] > before[number])
        copy.wait("at rest", AT_REST)
        equal(status(copy), "live", what + ": it is live, and what is new goes out")
        equal({n: c - before[n] for n, c in simulator.accepted().items() if c > before[n]}, {n: 1 for n in new},
              what + ": and nothing else, nobody is told again")
        equal(copy.states(*(waiting if "moment" in copy.name else last)), ["held copy"] * (4 if "moment" in copy.name else 2),
              what + ": what waited is held until somebody has looked")
        released = waiting[1] if "moment" in copy.name else last[1]
        copy.rows("SELECT wa_release(id) FROM wa.message WHERE number = %s AND state = 'held'", released)
        wait_until("released", lambda: simulator.accepted()[released] > before[released])
        copy.wait("at rest", AT_REST)
        equal(copy.states(released), ["sent"], what + ": wa_release() sends what a person lets go")
        copy.rows("SELECT wa_cancel(reason => 'copy')")
        copy.wait("cancelled", "SELECT NOT EXISTS (SELECT FROM wa.message WHERE state = 'held')")
        copy.stop()


story(tell)

#!/usr/bin/env python3
"""A simulator of Meta's WhatsApp Cloud API, Fonnte and Watzap.id.

    python3 simulator.py --port 0 --state-dir DIR

It listens on loopback only, prints one line "ready http=PORT tls=PORT ..."
when it can be used, writes DIR/journal.jsonl, and ends on SIGTERM or when
the process that started it is gone.  Steering: see control.py.
"""

import argparse
import asyncio
import os
import signal
import sys

# The folder may belong to somebody else than the user who runs this.
sys.dont_write_bytecode = True

import tls                          # noqa: E402
from server import Server           # noqa: E402

PARENT_CHECK_S = 0.25


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0,
                        help="HTTP port; 0 takes a free one")
    parser.add_argument("--state-dir", required=True,
                        help="folder for journal and certificates")
    parser.add_argument("--tls-port", type=int,
                        help="also HTTPS, certificate of DIR/ca.pem")
    parser.add_argument("--bad-tls-port", type=int,
                        help="HTTPS whose certificate has another name")
    parser.add_argument("--bad-ca-port", type=int,
                        help="HTTPS whose certificate has another issuer")
    parser.add_argument("--port-file",
                        help="write the ready line to this file as well")
    parser.add_argument("--brief", action="store_true",
                        help="journal.tsv instead, see journal.py")
    parser.add_argument("--stay", action="store_true",
                        help="go on when the starting process ends")
    return parser.parse_args()


async def open_listeners(server, wanted):
    """Returns the ready line."""
    folder = wanted.state_dir
    ports = {"http": await server.listen(wanted.port), "tls": 0}
    authority = None
    if wanted.tls_port is not None or wanted.bad_tls_port is not None:
        authority = tls.Authority(folder, "ca")
    if wanted.tls_port is not None:
        ports["tls"] = await server.listen(
            wanted.tls_port, authority.context("server", tls.RIGHT_NAMES))
    if wanted.bad_tls_port is not None:
        ports["bad_tls"] = await server.listen(
            wanted.bad_tls_port,
            authority.context("wrong_name", tls.WRONG_NAMES))
    if wanted.bad_ca_port is not None:
        stranger = tls.Authority(folder, "other_ca")
        ports["bad_ca"] = await server.listen(
            wanted.bad_ca_port,
            stranger.context("stranger", tls.RIGHT_NAMES))
    return "ready " + " ".join("%s=%d" % pair for pair in ports.items())


async def run(wanted, parent):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def check_parent():
        if os.getppid() != parent:
            stop.set()
        else:
            loop.call_later(PARENT_CHECK_S, check_parent)

    server = Server(os.path.join(
        wanted.state_dir, "journal.tsv" if wanted.brief else "journal.jsonl"),
        wanted.brief)
    line = await open_listeners(server, wanted)
    if wanted.port_file:
        draft = wanted.port_file + ".new"
        with open(draft, "w", encoding="ascii") as file:
            file.write(line + "\n")
        os.replace(draft, wanted.port_file)
    print(line, flush=True)
    if not wanted.stay:
        check_parent()
    await stop.wait()
    await server.stop()


def main():
    parent = os.getppid()       # before anything that takes time
    wanted = arguments()
    os.makedirs(wanted.state_dir, exist_ok=True)
    asyncio.run(run(wanted, parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""A TLS server in front of a plain one, for the tests of the HTTP engine.

usage: tls_relay.py CERTIFICATE KEY PORT

Prints the port of 127.0.0.1 on which it listens and passes everything on to
PORT, both ways, until its input ends.  The byte 0x1e in what the plain server
says is taken out and ends a TLS record there.
"""

import select
import socket
import ssl
import sys
import threading


def relay(client, server):
    """Pass on until either end is over.  One thread: a TLS session is not for two."""
    waiting = bytearray()  # for the server, who may not read
    while True:
        readable = [server]
        if len(waiting) < 65536:
            readable.append(client)
        timeout = 0 if client in readable and client.pending() else None
        ready, writable, _ = select.select(readable, [server] if waiting else [], [], timeout)
        if client in ready or timeout == 0:
            data = client.recv(65536)
            if not data:
                return
            waiting += data
        if writable:
            del waiting[:server.send(waiting)]
        if server in ready:
            data = server.recv(65536)
            for record in data.split(b"\x1e"):
                if record:
                    client.sendall(record)
            if not data:
                # the end is said as a well-behaved server says it
                client.settimeout(1)
                client.unwrap()
                return


def connection(context, raw, port):
    server = None
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(raw, server_side=True) as client:
            server = socket.create_connection(("127.0.0.1", port))
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setblocking(False)
            relay(client, server)
    except (OSError, ValueError):
        pass
    finally:
        raw.close()
        if server is not None:
            server.close()


def serve(context, listener, port):
    while True:
        raw, _ = listener.accept()
        threading.Thread(target=connection, args=(context, raw, port), daemon=True).start()


def main():
    certificate, key, port = sys.argv[1:4]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if len(sys.argv) > 4:
        context.maximum_version = ssl.TLSVersion[sys.argv[4]]
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(context, listener, int(port)), daemon=True).start()
    sys.stdin.read()


main()

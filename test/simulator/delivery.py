"""Putting an answer on the wire, properly or as a fault demands."""

import asyncio
import socket
import struct


async def send(reader, writer, reply, close, fault=None):
    """Send the answer (None: there is none).

    Returns whether the connection may serve another request.  Whatever the
    client does meanwhile ends the connection quietly: a fault that cuts is
    meant to meet clients that give up.
    """
    kind = fault.kind if fault else None
    if kind in ("cut_before_read", "cut_after_read"):
        cut(writer, fault.settings["rst"])
        return False
    if fault and fault.delay_ms > 0:
        await asyncio.sleep(fault.delay_ms / 1000)
    if kind == "hang":
        await until_closed(reader)
        return False
    if fault and fault.held and not fault.released.is_set():
        if not await released_or_closed(reader, fault):
            return False
    if kind == "half_head":
        head = reply.head(close)
        await push(writer, head[:len(head) // 2])
        cut(writer, fault.settings["rst"])
        return False
    if kind == "truncated":
        kept = fault.settings["bytes"]
        if kept is None:
            kept = len(reply.body) // 2
        await push(writer, reply.head(close) + reply.body[:kept])
        cut(writer, fault.settings["rst"])
        return False
    if kind == "overrun":
        await push(writer, reply.encode(close)
                   + fault.settings["extra"].encode("utf-8"))
    elif kind == "drip":
        for byte in reply.encode(close):
            await push(writer, bytes([byte]))
            await asyncio.sleep(fault.settings["ms"] / 1000)
    else:
        await push(writer, reply.encode(close))
    return not close and kind != "close_after"


async def push(writer, data):
    writer.write(data)
    await writer.drain()


def cut(writer, rst):
    """End the connection: with a RST segment, or with FIN."""
    if rst:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()


async def until_closed(reader):
    while await reader.read(65536):
        pass


async def released_or_closed(reader, fault):
    """True once the answer may go, False if the client left first.

    A client that sends its next request before it has the answer is none
    that we serve: what it sends here is lost.
    """
    gone = asyncio.ensure_future(until_closed(reader))
    free = asyncio.ensure_future(fault.released.wait())
    try:
        done, _ = await asyncio.wait({gone, free},
                                     return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        free.cancel()
        await asyncio.gather(gone, free, return_exceptions=True)
    return free in done and gone not in done

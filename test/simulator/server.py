"""Connections: keep-alive HTTP/1.1, from bytes to provider and back."""

import asyncio
import itertools

import delivery
import faults as faulty
import wire
from control import Control
from faults import Faults, View
from fonnte import Fonnte
from journal import Journal
from meta import Meta
from watzap import Watzap
from webhooks import Webhooks
from world import Answer, World

# What a client may cause by leaving at any moment.
GONE = (ConnectionError, asyncio.IncompleteReadError, BrokenPipeError,
        TimeoutError, OSError)


class Server:
    """All listeners share one world, one journal and one list of faults."""

    def __init__(self, journal_path, brief=False):
        self.world = World()
        self.faults = Faults()
        self.journal = Journal(journal_path, brief)
        self.providers = [Meta(self.world), Fonnte(self.world),
                          Watzap(self.world)]
        self.webhooks = Webhooks(self.world)
        self.listeners = []
        self.connections = {}
        self.numbers = itertools.count(1)
        self.control = Control(self.world, self.faults, self.journal,
                               self.connections, self.webhooks)

    async def listen(self, port, context=None):
        """Listen on loopback; returns the port (of use where port is 0)."""
        async def connected(reader, writer):
            await self.serve(reader, writer, context is not None)

        listener = await asyncio.start_server(
            connected, "127.0.0.1", port, ssl=context, backlog=1024,
            limit=wire.MAX_HEAD)
        self.listeners.append(listener)
        return listener.sockets[0].getsockname()[1]

    async def stop(self):
        """End every connection at once and close the journal."""
        for listener in self.listeners:
            listener.close()
        tasks = list(self.connections.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.webhooks.stop()
        self.journal.close()

    async def serve(self, reader, writer, tls):
        number = next(self.numbers)
        self.connections[number] = asyncio.current_task()
        served = 0
        try:
            while await self.serve_one(reader, writer, number, served, tls):
                served += 1
        except wire.BadRequest as bad:
            await self.refuse(reader, writer, bad, number, served, tls)
        except GONE:
            pass
        except asyncio.CancelledError:
            pass
        finally:
            del self.connections[number]
            writer.close()

    async def refuse(self, reader, writer, bad, connection, served, tls):
        """Bytes that are no request get an answer and a journal line too."""
        reply = wire.Reply(bad.status, bad.text.encode(), "text/plain")
        stub = wire.Request("-", "-", "-", [])
        answer = Answer("malformed", reply)
        self.journal.append(stub, connection, served + 1, tls, None, answer,
                            reply, False, None)
        try:
            await delivery.send(reader, writer, reply, True)
        except GONE:
            pass

    async def serve_one(self, reader, writer, connection, served, tls):
        """One request; returns whether the connection goes on."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise wire.BadRequest(400, "head too large") from None
        request = wire.parse_head(head)
        if request.path.startswith("/_control/"):
            await self.read_body(reader, writer, request)
            reply = await self.control.answer(request)
            return await delivery.send(reader, writer, reply,
                                       request.wants_close())
        provider = self.provider_of(request.path)
        name = provider.name if provider else None
        fault = self.faults.early(View(name, endpoint_of(request.path),
                                       served > 0, tls))
        if fault:
            answer = Answer(endpoint_of(request.path), None)
            self.journal.append(request, connection, served + 1, tls, name,
                                answer, None, False, fault)
            return await delivery.send(reader, writer, None, True, fault)
        await self.read_body(reader, writer, request)
        return await self.treat(reader, writer, request, provider,
                                connection, served, tls)

    async def treat(self, reader, writer, request, provider, connection,
                    served, tls):
        """Provider's answer, then a fault's change of it, journal, wire."""
        name = provider.name if provider else None
        if provider:
            answer = provider.answer(request)
        else:
            answer = Answer("other", wire.Reply.of_html(404, "404 Not Found"))
        fault = self.faults.late(View(name, answer.endpoint, served > 0, tls,
                                      answer.to, request.text()))
        reply, accepted = answer.reply, answer.accepted
        if fault:
            reply = faulty.reshape(fault, name, reply)
            accepted = accepted and fault.acts
        if accepted:
            provider.settle(answer)
            self.webhooks.accepted(name, answer)
        self.journal.append(request, connection, served + 1, tls, name,
                            answer, reply, accepted, fault)
        return await delivery.send(reader, writer, reply,
                                   request.wants_close(), fault)

    async def read_body(self, reader, writer, request):
        length = wire.body_length(request)
        if (request.header("expect") or "").lower() == "100-continue":
            await delivery.push(writer, b"HTTP/1.1 100 Continue\r\n\r\n")
        if length:
            request.body = await reader.readexactly(length)

    def provider_of(self, path):
        for provider in self.providers:
            if provider.claims(path):
                return provider
        return None


def endpoint_of(path):
    """The endpoint as far as the path alone tells it (body not read yet)."""
    last = path.rstrip("/").rsplit("/", 1)[-1]
    return "send" if last in ("messages", "marketing_messages", "send") \
        or last.startswith("send_") else "test"

"""The journal: every request to a provider, as one JSON line.

A line is on disk (flushed) before the answer leaves, so that a test which
has seen the effect of an answer also finds its request in the file, and a
request whose answer never comes is there as well.

A run that goes on for hours wants it brief: one line of BRIEF, with tabs, for
each request to send, and nothing that is kept in memory.
"""

import asyncio
import json
import time

MAX_ANSWER_TEXT = 4096
FILTERS = ("provider", "endpoint", "accepted", "to", "fault", "fault_id",
           "template", "since", "connection")
BRIEF = ("time", "provider", "to", "message_id", "accepted", "fault")


class Journal:
    """Append-only; the file is the truth, the list saves re-reading it."""

    def __init__(self, path, brief=False):
        self.brief = brief
        self.file = open(path, "a", encoding="utf-8")
        self.entries = []
        self.waiters = []

    def append(self, request, connection, number, tls, provider, answer,
               reply, accepted, fault):
        """Write one line.  reply is None where no answer will be sent."""
        entry = {
            "seq": len(self.entries) + 1,
            "time": time.time(),
            "connection": connection,
            "request": number,
            "tls": tls,
            "provider": provider,
            "endpoint": answer.endpoint if answer else None,
            "method": request.method,
            "path": request.target,
            "headers": joined(request.headers),
            "body": request.text(),
            "to": answer.to if answer else None,
            "message": answer.message if answer else None,
            "template": answer.template if answer else None,
            "params": answer.params if answer else None,
            "message_id": answer.message_id if answer and accepted else None,
            "answer_status": reply.status if reply else None,
            "answer_body": shortened(reply.body) if reply else None,
            "accepted": accepted,
            "fault": fault.kind if fault else None,
            "fault_id": fault.id if fault else None,
        }
        if self.brief:
            if entry["endpoint"] == "send":
                self.file.write("\t".join(plain(entry[name])
                                          for name in BRIEF) + "\n")
                self.file.flush()
            return entry
        self.file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.file.flush()
        self.entries.append(entry)
        for waiter in list(self.waiters):
            waiter.look(entry)
        return entry

    def select(self, query):
        return [e for e in self.entries if matches(e, query)]

    async def wait(self, query, count, timeout):
        """Until count entries match, or timeout seconds are over.

        Returns the number of matching entries then.
        """
        waiter = Waiter(query, count, len(self.select(query)))
        if waiter.done():
            return waiter.seen
        self.waiters.append(waiter)
        try:
            await asyncio.wait_for(waiter.event.wait(), timeout)
        except asyncio.TimeoutError:
            pass
        finally:
            self.waiters.remove(waiter)
        return waiter.seen

    def close(self):
        self.file.close()


class Waiter:
    def __init__(self, query, wanted, seen):
        self.query = query
        self.wanted = wanted
        self.seen = seen
        self.event = asyncio.Event()

    def done(self):
        return self.seen >= self.wanted

    def look(self, entry):
        if matches(entry, self.query):
            self.seen += 1
        if self.done():
            self.event.set()


def matches(entry, query):
    """Does an entry fit a query string's filters (all of them texts)?"""
    for name, wanted in query.items():
        if name == "since":
            if entry["seq"] <= int(wanted):
                return False
        elif name == "accepted":
            if entry["accepted"] != (wanted in ("1", "true")):
                return False
        elif str(entry[name]) != wanted:
            return False
    return True


def plain(value):
    """A value as COPY takes it."""
    return "\\N" if value is None else str(value)


def joined(headers):
    made = {}
    for name, value in headers:
        made[name] = made[name] + ", " + value if name in made else value
    return made


def shortened(body):
    text = body[:MAX_ANSWER_TEXT].decode("utf-8", "backslashreplace")
    if len(body) > MAX_ANSWER_TEXT:
        text += "... (%d bytes)" % len(body)
    return text

"""The control endpoint: how a test steers and watches the simulator.

GET  /_control/config            the present configuration
POST /_control/config            change it: {"fonnte": {"connected": false}}
GET  /_control/fault             the faults and how often each has struck
POST /_control/fault             add one; answers {"id": N}
POST /_control/clear             drop all faults (held answers go out)
POST /_control/release           {"id": N} or {}: held answers go out
POST /_control/reset             defaults again, no faults (journal stays)
GET  /_control/journal?filter    entries; filters are columns, and since=SEQ
GET  /_control/wait?count=N&timeout=S&filter
                                 answers once N send-requests are there
GET  /_control/connections       open connections from clients
"""

import json

import journal
from wire import Reply, parse_json_object
from world import ConfigError

MAX_WAIT_S = 600.0


class Control:
    def __init__(self, world, faults, book, connections):
        self.world = world
        self.faults = faults
        self.book = book
        self.connections = connections

    async def answer(self, request):
        name = request.path[len("/_control/"):]
        try:
            if request.method == "GET":
                made = await self.get(name, dict(request.query))
            elif request.method == "POST":
                made = self.post(name, request)
            else:
                made = None
        except (ConfigError, ValueError, TypeError, AttributeError,
                KeyError) as error:
            return Reply.of_json(400, {"error": str(error)})
        if made is None:
            return Reply.of_json(404, {"error": "no such control"})
        return Reply(200, json.dumps(made).encode())

    async def get(self, name, query):
        if name == "config":
            return self.world.settings
        if name == "fault":
            return [f.describe() for f in self.faults.list]
        if name == "connections":
            return {"open": len(self.connections)}
        if name == "journal":
            return self.book.select(checked(query))
        if name == "wait":
            count = int(query.pop("count", "1"))
            timeout = min(float(query.pop("timeout", "60")), MAX_WAIT_S)
            query.setdefault("endpoint", "send")
            if query["endpoint"] == "any":
                del query["endpoint"]
            seen = await self.book.wait(checked(query), count, timeout)
            return {"count": seen, "reached": seen >= count}
        return None

    def post(self, name, request):
        value = {}
        if request.body:
            value = parse_json_object(request)
            if value is None:
                raise ConfigError("the body is no JSON object")
        if name == "config":
            self.world.change(value)
            return self.world.settings
        if name == "fault":
            return {"id": self.faults.add(value).id}
        if name == "clear":
            self.faults.clear()
            return {}
        if name == "release":
            return {"released": self.faults.release(value.get("id"))}
        if name == "reset":
            self.faults.clear()
            self.world.reset()
            return {}
        return None


def checked(query):
    for name in query:
        if name not in journal.FILTERS:
            raise ConfigError("unknown filter: %s" % name)
    if "since" in query:
        int(query["since"])
    return query

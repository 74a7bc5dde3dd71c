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
POST /_control/webhook           tell something: {"provider": "meta",
                                 "from": "628...", "text": "STOP"} or
                                 {"kind": "status", "message_id": ...}
GET  /_control/webhooks?since=SEQ&shuffle=SEED&copies=N&batch=N
                                 what was told, as bodies to be played
GET  /_control/told              the same as updates, and how their posts
                                 were answered
GET  /_control/idle?timeout=S    answers once nothing is being told
"""

import json

import journal
from wire import Reply, parse_json_object
from world import ConfigError

MAX_WAIT_S = 600.0


class Control:
    def __init__(self, world, faults, book, connections, webhooks):
        self.world = world
        self.faults = faults
        self.book = book
        self.connections = connections
        self.webhooks = webhooks

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
        if name == "webhooks":
            return self.webhooks.bodies(query)
        if name == "told":
            return self.webhooks.entries
        if name == "idle":
            timeout = min(float(query.get("timeout", "60")), MAX_WAIT_S)
            return {"left": await self.webhooks.idle(timeout)}
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
        if name == "webhook":
            return self.webhooks.tell(value)
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

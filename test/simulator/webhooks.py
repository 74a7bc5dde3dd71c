"""What the providers tell by webhooks: of accepted messages, and of people.

Nothing is told until a test wants it: "webhook_statuses" of a provider names
what is told of each message that it accepts, in this order, and POST
/_control/webhook tells of anything else.

Where "webhook_url" is set, each update is posted there, again and again until
it is answered by 200, like the real ones do (Fonnte and Meta; of Watzap nobody
knows).  Either way it is kept, and GET /_control/webhooks gives it as bodies
with all that wa_webhook() takes, so that a test without a web server can play
them itself: in their order or shuffled, several times, many in one body.
"""

import asyncio
import hashlib
import hmac
import json
import random
import time
import urllib.parse

from world import ConfigError, digits

JSON_TYPE = "application/json"
FONNTE_QUEUE = ("pending", "waiting", "processing", "invalid", "expired",
                "url unreachable")


class Webhooks:
    """The updates in the order in which they came about."""

    def __init__(self, world):
        self.world = world
        self.entries = []
        self.tasks = set()
        self.turn = asyncio.Lock()
        self.random = random.Random(4711)

    def accepted(self, provider, answer):
        """A message was accepted: tell what the configuration wants told."""
        settings = self.world[provider]
        for status in settings.get("webhook_statuses", []):
            self.put(provider, status_update(settings, provider, {
                "status": status, "message_id": answer.message_id,
                "to": answer.to, "callback": answer.callback}))

    def tell(self, wish):
        """What POST /_control/webhook wants; returns the entries."""
        provider = wish.get("provider")
        if provider not in ("meta", "fonnte", "watzap"):
            raise ConfigError("unknown provider: %s" % provider)
        settings = self.world[provider]
        kind = wish.get("kind", "inbound")
        if kind == "raw":
            update = wish["update"]
        elif kind == "status":
            update = status_update(settings, provider, wish)
        elif kind == "inbound":
            update = inbound_update(settings, provider, wish)
        elif kind == "device" and provider == "fonnte":
            update = {"device": settings["device"], "status": wish["status"],
                      "timestamp": int(time.time()),
                      "reason": wish.get("reason", "")}
        else:
            raise ConfigError("unknown kind: %s" % kind)
        return [shown(self.put(provider, update))]

    def put(self, provider, update):
        entry = {"seq": len(self.entries) + 1, "provider": provider,
                 "update": update, "answers": []}
        self.entries.append(entry)
        if self.world[provider]["webhook_url"]:
            task = asyncio.ensure_future(self.deliver(entry))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        return entry

    def bodies(self, query):
        """The updates after "since" as bodies.

        shuffle=SEED mixes them, copies=N tells each N times, batch=N puts up
        to N updates of Meta's into one body.
        """
        since = int(query.pop("since", "0"))
        copies = int(query.pop("copies", "1"))
        batch = int(query.pop("batch", "1"))
        seed = query.pop("shuffle", None)
        if query:
            raise ConfigError("unknown filter: %s" % sorted(query)[0])
        wanted = [e for e in self.entries if e["seq"] > since] * copies
        if seed is not None:
            random.Random(int(seed)).shuffle(wanted)
        made = []
        group = []
        for entry in wanted + [None]:
            if group and (entry is None or len(group) == batch
                          or group[0]["provider"] != "meta"
                          or entry["provider"] != "meta"):
                made.append(self.body(group))
                group = []
            group.append(entry)
        return made

    def body(self, entries):
        """One body with these updates, and what goes with it."""
        provider = entries[0]["provider"]
        settings = self.world[provider]
        updates = [e["update"] for e in entries]
        if provider == "meta":
            value = {"object": "whatsapp_business_account", "entry": [
                {"id": settings["waba_id"], "time": int(time.time()),
                 "changes": updates}]}
        else:
            value = updates[0]
        data = value.encode() if isinstance(value, str) else json.dumps(
            value, separators=(",", ":")).encode()
        secret = settings["webhook_secret"]
        return {"provider": provider, "body": data.decode(),
                "body_hex": data.hex(), "seqs": [e["seq"] for e in entries],
                "signature": signature(secret, data)
                if provider == "meta" else None,
                "secret": None if provider == "meta" else secret}

    async def deliver(self, entry):
        """Post one update until it is taken, or was told often enough."""
        settings = self.world[entry["provider"]]
        delay = settings["webhook_delay_ms"] / 1000
        if settings["webhook_shuffle"]:
            await asyncio.sleep(delay * self.random.random())
            await self.repeat(entry, settings)
            return
        await asyncio.sleep(delay)
        async with self.turn:           # one after the other
            await self.repeat(entry, settings)

    async def repeat(self, entry, settings):
        pause = settings["webhook_repeat_ms"] / 1000
        for _ in range(settings["webhook_copies"]):
            for _ in range(1 + settings["webhook_repeats"]):
                status = await post(settings["webhook_url"],
                                    self.body([entry]))
                entry["answers"].append(status)
                if status == 200:
                    break
                await asyncio.sleep(pause)
                if entry["provider"] == "meta":
                    pause *= 2          # Meta: with falling frequency

    async def idle(self, timeout):
        """Wait until nothing is being told; returns how many still are."""
        if self.tasks:
            await asyncio.wait(set(self.tasks), timeout=timeout)
        return len(self.tasks)

    async def stop(self):
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def shown(entry):
    return dict(entry, answers=list(entry["answers"]))


def signature(secret, data):
    return "sha256=" + hmac.new(secret.encode(), data,
                                hashlib.sha256).hexdigest()


async def post(url, body):
    """Returns the status, or 0 where there was none."""
    parts = urllib.parse.urlsplit(url)
    data = bytes.fromhex(body["body_hex"])
    lines = ["POST %s HTTP/1.1" % (parts.path or "/"),
             "Host: " + parts.netloc, "Content-Type: " + JSON_TYPE,
             "Content-Length: %d" % len(data), "Connection: close"]
    if body["signature"]:
        lines.append("X-Hub-Signature-256: " + body["signature"])
    writer = None
    try:
        reader, writer = await asyncio.open_connection(parts.hostname,
                                                       parts.port or 80)
        writer.write("\r\n".join(lines + ["", ""]).encode() + data)
        await writer.drain()
        words = (await reader.readline()).split()
        return int(words[1])
    except (OSError, ValueError, IndexError):
        return 0
    finally:
        if writer is not None:
            writer.close()


# --- what the updates look like ---------------------------------------------


def change(settings, value):
    """One change of Meta's field "messages"."""
    return {"field": "messages", "value": dict({
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": digits(settings["display_phone_number"]),
            "phone_number_id": settings["phone_number_id"]}}, **value)}


def status_update(settings, provider, wish):
    """What became of a message: status, message_id, to, callback, code."""
    status = wish["status"]
    now = int(wish.get("timestamp", time.time()))
    if provider == "meta":
        return meta_status(settings, wish, status, now)
    if provider == "watzap":
        raise ConfigError("Watzap tells no statuses")
    made = {"device": settings["device"], "timestamp": now}
    pair = wish.get("stateid") or "3EB0%s" % wish["message_id"]
    if status in FONNTE_QUEUE:
        return dict(made, id=wish["message_id"], status=status)
    if status == "sent":
        return dict(made, id=wish["message_id"], stateid=pair, status="sent",
                    state="")
    if status == "failed":
        return dict(made, id=wish["message_id"], stateid=pair, status="sent",
                    state="failed")
    return dict(made, stateid=pair, state=status)


def meta_status(settings, wish, status, now):
    made = {"id": wish["message_id"], "status": status,
            "timestamp": str(now)}
    to = wish.get("to", "")
    user = wish.get("user_id", "")
    if "." in to:               # it went to an id; the number is hidden
        to, user = "", to
    else:
        made["recipient_id"] = to
    if wish.get("callback"):
        made["biz_opaque_callback_data"] = wish["callback"]
    if status in ("sent", "delivered"):
        made["pricing"] = {"billable": True, "pricing_model": "PMP",
                           "type": "regular", "category": "utility"}
    if status != "failed":
        contact = {"wa_id": to} if to else {}
        if user:
            made["recipient_user_id"] = contact["user_id"] = user
        return change(settings, {"contacts": [contact], "statuses": [made]})
    code = wish.get("code", settings["webhook_error"])
    made["errors"] = [{
        "code": code, "title": "Message undeliverable",
        "message": "Message undeliverable",
        "error_data": {"details": wish.get("details", "Told by the test.")},
        "href": "/documentation/business-messaging/whatsapp/support/"}]
    return change(settings, {"statuses": [made]})


def inbound_update(settings, provider, wish):
    """Somebody writes: from, text, name, user_id, context, timestamp, id."""
    now = int(wish.get("timestamp", time.time()))
    sender = wish.get("from", "")
    text = wish.get("text", "")
    name = wish.get("name", "Budi")
    key = wish.get("id") or hashlib.sha256(
        ("%s %s %d %s" % (provider, sender, now, text)).encode()).hexdigest()
    if provider == "fonnte":
        return {"device": settings["device"], "sender": sender,
                "message": text, "text": "", "member": wish.get("member", ""),
                "name": name, "location": "", "pollname": "", "choices": "",
                "timestamp": now, "inboxid": wish.get("inboxid", 0)}
    if provider == "watzap":
        return {"type": "incoming_chat", "data": {
            "chat_id": sender, "message_id": key[:20].upper(), "name": name,
            "profile_picture": "", "timestamp": now, "message_body": text,
            "message_ack": "PENDING", "has_media": False, "media_mime": "",
            "media_name": "", "location_attached": {"lat": None, "lng": None},
            "is_forwading": False, "is_from_me": wish.get("own", False)}}
    contact = {"profile": {"name": name}}
    made = {"id": wish.get("id") or "wamid." + key[:32], "type": "text",
            "timestamp": str(now), "text": {"body": text}}
    if sender:
        contact["wa_id"] = made["from"] = sender
    if wish.get("user_id"):
        contact["user_id"] = made["from_user_id"] = wish["user_id"]
    if wish.get("context"):
        made["context"] = {"from": digits(settings["display_phone_number"]),
                           "id": wish["context"]}
    return change(settings, {"contacts": [contact], "messages": [made]})

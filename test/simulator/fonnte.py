"""Fonnte: a gateway on a linked device.

It refuses with HTTP 200 and {"status": false, "reason": ...}; an accepted
message is only queued ("process": "pending").
"""

import itertools
import json
import re

from wire import Reply, parse_form, parse_json_object
from world import Answer, digits

PATHS = {"/send": "send", "/device": "test", "/validate": "other",
         "/status": "other", "/get-devices": "other", "/qr": "other",
         "/add-device": "other", "/update-device": "other",
         "/delete-device": "other", "/disconnect": "other",
         "/reset-message": "other"}

SEND_FIELDS = {"target", "message", "countryCode", "delay", "schedule",
               "typing", "duration", "preview", "connectOnly", "inboxid",
               "url", "filename", "file", "location", "choices", "select",
               "pollname", "followup", "data", "sequence"}
BOOLEANS = ("typing", "preview", "connectOnly", "sequence")
NUMBERS = ("schedule", "duration", "inboxid", "followup")
MAX_MESSAGE = 60000


class Refused(Exception):
    """A refusal with Fonnte's own wording."""


class Fonnte:
    name = "fonnte"

    def __init__(self, world):
        self.world = world
        self.message_ids = itertools.count(80367170)
        self.request_ids = itertools.count(2937124)

    @staticmethod
    def claims(path):
        return (path.rstrip("/") or "/") in PATHS

    def answer(self, request):
        path = request.path.rstrip("/")
        answer = Answer(PATHS[path], None)
        if request.method != "POST":
            answer.reply = Reply.of_html(405, "405 Method Not Allowed")
            return answer
        http_status = 200
        try:
            token = request.header("authorization")
            if path == "/send":
                note(request, answer)
            if path == "/status":
                raise Refused("this API is deprecated, use webhook update "
                              "message status instead")
            if token not in self.world["fonnte"]["tokens"]:
                http_status = self.world["fonnte"]["auth_http_status"]
                raise Refused("token invalid")
            if path == "/send":
                made = self.send(request, answer)
                answer.accepted = True
            elif path == "/device":
                made = self.device()
            elif path == "/validate":
                made = self.validate(request)
            else:
                raise Refused("input invalid")
        except Refused as no:
            made = self.refusal(str(no))
        answer.reply = Reply.of_json(http_status, made)
        return answer

    def settle(self, answer):
        """A queued message costs one of the quota per target."""
        targets = answer.to.count(",") + 1
        self.world["fonnte"]["quota"] -= targets
        self.world["fonnte"]["messages"] += targets

    def refusal(self, reason):
        return {"reason": reason, "requestid": next(self.request_ids),
                "status": False}

    def device(self):
        settings = self.world["fonnte"]
        return {"device": settings["device"],
                "device_status": "connect" if settings["connected"]
                else "disconnect",
                "expired": settings["expired"],
                "messages": settings["messages"],
                "name": settings["name"], "package": settings["package"],
                "quota": str(settings["quota"]), "status": True}

    def validate(self, request):
        fields = dict(parse_form(request) or [])
        if not fields.get("target"):
            raise Refused("target required")
        numbers = [self.target(t, fields.get("countryCode", "62"))
                   for t in fields["target"].split(",")]
        missing = self.world["fonnte"]["not_registered"]
        return {"registered": [n for n in numbers if n not in missing],
                "not_registered": [n for n in numbers if n in missing],
                "status": True}

    def send(self, request, answer):
        settings = self.world["fonnte"]
        fields = send_fields(request, settings["accept_json"])
        if "data" in fields:
            try:
                json.loads(fields["data"])
            except ValueError:
                raise Refused("JSON format invalid") from None
            raise Refused("input invalid")  # one recipient per call only
        if not fields.get("target"):
            raise Refused("invalid/empty body value")
        if not fields.get("message") and "url" not in fields \
                and "file" not in fields:
            raise Refused("invalid/empty body value")
        check_fields(fields)
        country = fields.get("countryCode", "62")
        targets = [self.target(t, country)
                   for t in fields["target"].split(",")]
        answer.to = ",".join(targets)
        answer.message = substituted(fields.get("message", ""),
                                     fields["target"].split(",")[0])
        if not settings["connected"] \
                and fields.get("connectOnly", "true") == "true":
            raise Refused("request invalid on disconnected device")
        if settings["quota"] < len(targets):
            raise Refused("insufficient quota")
        ids = [str(next(self.message_ids)) for _ in targets]
        answer.message_id = ids[0]
        return {"detail": "success! message in queue", "id": ids,
                "process": "pending", "requestid": next(self.request_ids),
                "status": True, "target": targets}

    def target(self, text, country):
        """One target as Fonnte resolves it, without its |values."""
        number = text.split("|")[0].strip()
        if re.match(r"^[0-9-]+@g\.us$", number):
            return number
        if country != "0":
            number = digits(number)
            if number.startswith("0"):
                number = country + number[1:]
        if not re.match(r"^[1-9][0-9]{8,14}$", number):
            raise Refused("target invalid")
        if number in self.world["fonnte"]["invalid_targets"]:
            raise Refused("target invalid")
        return number


def note(request, answer):
    """Fill the journal's columns even for a request that is refused."""
    fields = dict(parse_form(request) or [])
    if not fields:
        fields = parse_json_object(request) or {}
    if isinstance(fields.get("target"), str):
        answer.to = digits(fields["target"].split("|")[0])
    if isinstance(fields.get("message"), str):
        answer.message = fields["message"]


def send_fields(request, accept_json):
    """The form as a dict; Fonnte answers one reason for all that it cannot
    read, JSON included."""
    pairs = parse_form(request)
    if pairs is None and accept_json \
            and request.content_type() == "application/json":
        value = parse_json_object(request)
        pairs = None if value is None else [
            (k, {True: "true", False: "false"}[v] if isinstance(v, bool)
             else v) for k, v in value.items()]
        if pairs and not all(isinstance(v, str) for k, v in pairs
                             if k not in NUMBERS):
            pairs = None
        pairs = pairs and [(k, str(v)) for k, v in pairs]
    if not pairs:
        raise Refused("invalid/empty body value")
    fields = dict(pairs)
    if len(fields) != len(pairs) or set(fields) - SEND_FIELDS:
        raise Refused("input invalid")
    return fields


def check_fields(fields):
    for name in BOOLEANS:
        if fields.get(name, "true") not in ("true", "false"):
            raise Refused("input invalid")
    for name in NUMBERS:
        if not re.match(r"^[0-9]+$", fields.get(name, "0")):
            raise Refused("input invalid")
    if not re.match(r"^[0-9]{1,3}$", fields.get("countryCode", "62")):
        raise Refused("input invalid")
    if not re.match(r"^[0-9]+(-[0-9]+)?$", fields.get("delay", "0")):
        raise Refused("input invalid")
    if len(fields.get("message", "")) > MAX_MESSAGE:
        raise Refused("input invalid")
    if "url" in fields and not re.match(r"^https?://[^ ]+$", fields["url"]):
        raise Refused("url invalid")


def substituted(message, target):
    """Fonnte's own variables: target|first|second fills {name}, {var1}."""
    values = target.split("|")[1:]
    for number, value in enumerate(values):
        name = "{name}" if number == 0 else "{var%d}" % number
        message = message.replace(name, value)
    return message

"""Faults: what goes wrong, for which request, how often.

A fault is asked for with POST /_control/fault and waits in a list; the first
one that fits a request is used.  There are two sorts: those that make the
provider refuse (the message is not taken) and those of the way back (the
provider may well have taken the message, the client does not hear it).
"accepted" in a fault overrides which of the two happened.
"""

import asyncio
import itertools

import meta_errors
from wire import Reply
from world import DEFAULTS, ConfigError, digits

# kind -> (settings with defaults, does the provider act on the request?)
KINDS = {
    # the provider refuses
    "status": ({"status": 500, "body": "", "headers": {},
                "content_type": "application/json"}, False),
    "meta_error": ({"code": None, "details": "simulated", "subcode": None,
                    "http_status": None, "is_transient": None}, False),
    "fonnte_reason": ({"reason": None, "http_status": 200}, False),
    "watzap_status": ({"status": None, "message": "simulated",
                       "http_status": 200}, False),
    "too_many": ({"retry_after": None}, False),
    "redirect": ({"location": "http://127.0.0.1:9/elsewhere",
                  "status": 302}, False),
    # the connection breaks
    "cut_before_read": ({"rst": True}, False),
    "cut_after_read": ({"rst": False}, True),
    "half_head": ({"rst": False}, True),
    "truncated": ({"bytes": None, "rst": False}, True),
    "close_after": ({}, True),
    # the answer is late
    "delay": ({}, True),
    "hold": ({}, True),
    "hang": ({}, True),
    "drip": ({"ms": 1}, True),
    # the answer is rubbish
    "garbage": ({}, True),
    "invalid_utf8": ({}, True),
    "nul": ({}, True),
    "empty": ({}, True),
    "huge": ({"megabytes": 10}, True),
    "overrun": ({"extra": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
                True),
}

COMMON = {"provider", "kind", "match", "times", "accepted", "delay_ms",
          "held"}
MATCHES = {"number", "nth", "reused", "endpoint", "contains", "tls"}


class Fault:
    """One fault.  times None: for ever."""

    def __init__(self, number, spec):
        if not isinstance(spec, dict) or spec.get("kind") not in KINDS:
            raise ConfigError("unknown kind of fault")
        self.id = number
        self.kind = spec["kind"]
        defaults, acts = KINDS[self.kind]
        # "delay" spells its one setting "ms" or "delay_ms"
        unknown = set(spec) - COMMON - set(defaults) \
            - ({"ms"} if self.kind == "delay" else set())
        if unknown:
            raise ConfigError("fault %s has no setting %s"
                              % (self.kind, sorted(unknown)[0]))
        self.settings = {k: spec.get(k, v) for k, v in defaults.items()}
        for name, value in self.settings.items():
            if value is None and name in ("code", "reason") \
                    or self.kind == "watzap_status" and value is None:
                raise ConfigError("fault %s needs %s" % (self.kind, name))
        self.match = spec.get("match", {})
        if set(self.match) - MATCHES:
            raise ConfigError("unknown match: %s"
                              % sorted(set(self.match) - MATCHES)[0])
        if self.kind == "cut_before_read" \
                and {"number", "contains"} & set(self.match):
            raise ConfigError("cut_before_read cannot look into the body")
        self.provider = spec.get("provider")
        if self.provider is not None and self.provider not in DEFAULTS:
            raise ConfigError("unknown provider: %s" % self.provider)
        self.times = spec.get("times", 1)
        self.acts = spec.get("accepted", acts)
        self.delay_ms = spec.get("delay_ms", 0)
        if self.kind == "delay":
            self.delay_ms = spec.get("ms", self.delay_ms)
        # whatever the answer is, it waits until it is released
        self.held = self.kind == "hold" or bool(spec.get("held"))
        self.matched = 0
        self.fired = 0
        self.released = asyncio.Event()

    def fits(self, view):
        """Everything but nth and times."""
        if self.provider is not None and self.provider != view.provider:
            return False
        endpoint = self.match.get("endpoint", "send")
        if endpoint not in ("any", view.endpoint):
            return False
        for name in ("reused", "tls"):
            if name in self.match and self.match[name] != getattr(view, name):
                return False
        if "number" in self.match \
                and digits(self.match["number"]) != digits(view.to or ""):
            return False
        return self.match.get("contains", "") in (view.text or "")

    def take(self, view):
        """Does it strike this request?  Counts if so."""
        if self.times is not None and self.fired >= self.times:
            return False
        if not self.fits(view):
            return False
        self.matched += 1
        if self.matched < self.match.get("nth", 1):
            return False
        self.fired += 1
        return True

    def describe(self):
        return {"id": self.id, "kind": self.kind, "provider": self.provider,
                "match": self.match, "times": self.times,
                "fired": self.fired}


class View:
    """What a fault may look at.  to and text are None before the body."""

    def __init__(self, provider, endpoint, reused, tls, to=None, text=None):
        self.provider = provider
        self.endpoint = endpoint
        self.reused = reused
        self.tls = tls
        self.to = to
        self.text = text


class Faults:
    def __init__(self):
        self.list = []
        self.numbers = itertools.count(1)

    def add(self, spec):
        fault = Fault(next(self.numbers), spec)
        self.list.append(fault)
        return fault

    def clear(self):
        self.release(None)
        self.list = []

    def release(self, number):
        """Let held answers go, and hold no more: one fault's, or all."""
        count = 0
        for fault in self.list:
            if fault.held and number in (None, fault.id):
                fault.times = fault.fired
                fault.released.set()
                count += 1
        return count

    def early(self, view):
        """The fault that cuts before the body is read, or None."""
        return self.first(view, True)

    def late(self, view):
        """The fault for a request that was read completely, or None."""
        return self.first(view, False)

    def first(self, view, early):
        for fault in self.list:
            if (fault.kind == "cut_before_read") == early \
                    and fault.take(view):
                return fault
        return None


def reshape(fault, provider, reply):
    """The provider's reply as the fault wants it; None: nothing is sent."""
    want = fault.settings
    if fault.kind in ("cut_before_read", "cut_after_read", "hang"):
        return None
    if fault.kind == "status":
        return Reply(want["status"], want["body"].encode("utf-8"),
                     want["content_type"], want["headers"].items())
    if fault.kind == "meta_error":
        return meta_errors.reply(want["code"], want["details"],
                                 want["http_status"],
                                 subcode=want["subcode"],
                                 transient=want["is_transient"])
    if fault.kind == "fonnte_reason":
        return Reply.of_json(want["http_status"], {
            "reason": want["reason"], "requestid": 331477110,
            "status": False})
    if fault.kind == "watzap_status":
        return Reply.of_json(want["http_status"], {
            "status": want["status"], "message": want["message"],
            "ack": "error"})
    if fault.kind == "too_many":
        if provider == "meta":
            made = meta_errors.reply(130429, "Cloud API message throughput "
                                     "has been reached.")
        else:
            made = Reply.of_html(429, "429 Too Many Requests")
        if want["retry_after"] is not None:
            made.headers.append(("Retry-After", str(want["retry_after"])))
        return made
    if fault.kind == "redirect":
        made = Reply.of_html(want["status"], "302 Found")
        made.headers.append(("Location", want["location"]))
        return made
    return rubbish(fault, reply)


def rubbish(fault, reply):
    """A reply of the right status with a wrong body."""
    body = reply.body
    if fault.kind == "garbage":
        body = b'<html><body>upstream said: {"status":tru'
    elif fault.kind == "invalid_utf8":
        body = b'{"status":true,"detail":"\xff\xfe\xc3(","id":["\xc0\xaf"]}'
    elif fault.kind == "nul":
        body = b'{"status":true,"detail":"a\0b","id":["1\0002"]}\0'
    elif fault.kind == "empty":
        body = b""
    elif fault.kind == "huge":
        size = int(fault.settings["megabytes"] * 1024 * 1024)
        body = b'{"filler":"' + b"x" * size + b'"}'
    return Reply(reply.status, body, reply.content_type, reply.headers)

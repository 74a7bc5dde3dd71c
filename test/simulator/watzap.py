"""Watzap.id: the keys travel in the body, refusals come with HTTP 200.

The answer to a send holds no message id.  There is no template endpoint:
paths of the old template mode get what any unknown path gets, and a
template id in send_message is an unknown field.
"""

import re

from wire import Reply, parse_json_object
from world import Answer, digits

PATHS = {"/v1/send_message": "send", "/v1/send_image_url": "send",
         "/v1/send_file_url": "send", "/v1/checking_key": "test",
         "/v1/validate_number": "other"}

# path -> (required fields, optional fields) besides api_key
FIELDS = {
    "/v1/send_message": ({"number_key", "phone_no", "message"},
                         {"wait_until_send"}),
    "/v1/send_image_url": ({"number_key", "phone_no", "url", "message",
                            "separate_caption"}, {"wait_until_send"}),
    "/v1/send_file_url": ({"number_key", "phone_no", "url"},
                          {"wait_until_send"}),
    "/v1/checking_key": (set(), set()),
    "/v1/validate_number": ({"number_key", "phone_no"}, set()),
}

ACK_OK = "successfully"
MAX_MESSAGE = 65536


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
        self.message = message


class Watzap:
    name = "watzap"

    def __init__(self, world):
        self.world = world

    @staticmethod
    def claims(path):
        return path.startswith("/v1/")

    def answer(self, request):
        path = request.path.rstrip("/")
        if path not in PATHS:
            sending = "send" in path.lower()
            return Answer("send" if sending else "other",
                          Reply.of_html(404, "404 Not Found"))
        answer = Answer(PATHS[path], None)
        if request.method != "POST":
            answer.reply = Reply.of_html(405, "405 Method Not Allowed")
            return answer
        http_status = 200
        try:
            made = self.call(path, request, answer)
            answer.accepted = answer.endpoint == "send"
        except Refused as no:
            http_status = self.world["watzap"]["refusal_http_status"]
            made = refusal(no.status, no.message)
        answer.reply = Reply.of_json(http_status, made)
        return answer

    def settle(self, answer):
        """Nothing to count: limits are unknown."""

    def call(self, path, request, answer):
        settings = self.world["watzap"]
        if request.content_type() != "application/json":
            raise Refused("1005", "Content-Type must be application/json")
        body = parse_json_object(request)
        if body is None:
            raise Refused("1005", "Request body is not valid JSON")
        if isinstance(body.get("phone_no"), str):
            answer.to = digits(body["phone_no"])
        if isinstance(body.get("message"), str):
            answer.message = body["message"]
        if body.get("api_key") not in settings["api_keys"]:
            raise Refused("1002", "Invalid API Key")
        required, optional = FIELDS[path]
        if "number_key" in required \
                and body.get("number_key") not in settings["number_keys"]:
            raise Refused("1003", "Invalid Number Key")
        for name in sorted(required):
            if body.get(name) in (None, ""):
                raise Refused("1005", "%s is required" % name)
        for name, value in body.items():
            if name not in required | optional | {"api_key"}:
                raise Refused("1005", "%s is not a known field" % name)
            if not isinstance(value, str) and name != "separate_caption":
                raise Refused("1005", "%s must be a string" % name)
        if path == "/v1/checking_key":
            return self.key()
        if body.get("wait_until_send", "1") != "1":
            raise Refused("1005", "wait_until_send must be 1")
        if len(body.get("message", "")) > MAX_MESSAGE:
            raise Refused("1005", "message is too long")
        if not re.match(r"^[1-9][0-9]{8,14}$", body["phone_no"]):
            raise Refused("1005", "phone_no is not valid")
        if not settings["connected"]:
            raise Refused("1004", "Access denied, WhatsApp is not paired")
        known = answer.to not in settings["not_on_whatsapp"]
        if path == "/v1/validate_number":
            if not known:
                raise Refused("1006", "Invalid WhatsApp Number")
            return {"status": "200", "message": "Valid WhatsApp Number",
                    "ack": ACK_OK}
        if not known:
            raise Refused("1006", "Invalid WhatsApp Number")
        return {"status": "200", "message": "Successfully", "ack": ACK_OK}

    def key(self):
        settings = self.world["watzap"]
        licenses = [{
            "id": str(4711 + number), "key": key, "plan": "Professional",
            "active_from": "2024-11-18 00:00:00",
            "active_until": settings["active_until"],
            "limit_message_per_day": settings["limit_message_per_day"],
            "expires_on": settings["active_until"], "limit_domain": 0,
            "wa_number": settings["wa_number"],
            "is_connected": settings["connected"],
        } for number, key in enumerate(settings["number_keys"])]
        return {"status": True, "message": "Successfully",
                "data": {"id": "815", "name": "DPMPTSP Kabupaten Contoh",
                         "email": "dpmptsp@example.com",
                         "expires_on": settings["active_until"],
                         "plan": "Professional",
                         "total_legacy_licenses": len(licenses),
                         "licenses_key": licenses}}


def refusal(status, message):
    return {"status": status, "message": message, "ack": "error"}

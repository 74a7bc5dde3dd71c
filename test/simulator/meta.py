"""The WhatsApp Cloud API: sending, and the calls that test a connection.

Checks come in the order in which Meta's answers suggest that it makes them:
path, token, object, shape of the request, template, parameters, recipient.
"""

import base64
import json
import re
import secrets
import time

import meta_errors
import meta_templates
import wire
from meta_errors import Refused
from world import Answer, digits

PATH = re.compile(r"^/(v[0-9]+\.[0-9]+)/([0-9A-Za-z_]+)(?:/([a-z_]+))?/?$")

# Ids of people who hide their numbers.
PERSON = re.compile(r"^[A-Z]{2}\.[0-9A-Za-z.]{1,128}$")

# Meta: unknown keys are refused with code 100.
MESSAGE_KEYS = {"messaging_product", "recipient_type", "to", "recipient",
                "type",
                "template", "text", "context", "biz_opaque_callback_data",
                "recipient_identity_key_hash", "image", "document", "video",
                "audio"}
MEDIA_TYPES = {"image", "document", "video", "audio"}
MAX_CALLBACK = 512
MAX_TEXT = 4096
MAX_LONE_PARAMETER = 32768
MAX_FILLED_BODY = 1024


class Meta:
    """One sending number.  Keeps only what rate limits need."""

    name = "meta"

    def __init__(self, world):
        self.world = world
        self.last_to = {}
        self.recent = []

    @staticmethod
    def claims(path):
        return bool(PATH.match(path)) or bool(
            re.match(r"^/v[0-9]+\.[0-9]+(/|$)", path))

    def answer(self, request):
        """Request -> Answer; never raises for what a client may send."""
        settings = self.world["meta"]
        found = PATH.match(request.path)
        sending = bool(found) and found.group(3) in ("messages",
                                                     "marketing_messages")
        answer = Answer("send" if sending else "test", None)
        headers = [("facebook-api-version", found.group(1) if found
                    else settings["versions"][-1]),
                   ("x-fb-trace-id", meta_errors.trace_id()),
                   ("x-fb-request-id", meta_errors.trace_id())]
        if settings["usage"] is not None:
            headers.append(("x-business-use-case-usage",
                            json.dumps(settings["usage"])))
        try:
            if not found or found.group(1) not in settings["versions"]:
                raise Refused(2500, message="Unknown path components: "
                              + request.path)
            self.check_token(request)
            if sending:
                result = self.send(request, found.group(2), answer)
            elif request.method == "POST" \
                    and found.group(2) == settings["waba_id"] \
                    and found.group(3) == "message_templates":
                result = meta_templates.create(settings, request)
            else:
                result = self.look(request, found.group(2), found.group(3))
            answer.reply = wire.Reply.of_json(
                200, result, headers, "application/json; charset=UTF-8")
            answer.accepted = sending
        except Refused as no:
            answer.reply = meta_errors.reply(no.code, no.details,
                                             headers=headers, **no.rest)
        return answer

    def settle(self, answer):
        """The message was taken: remember it for the rate limits."""
        now = time.monotonic()
        self.last_to[answer.to] = now
        self.recent = [t for t in self.recent if t > now - 1] + [now]

    def check_token(self, request):
        settings = self.world["meta"]
        value = request.header("authorization")
        if value is None and "access_token" not in request.query:
            raise Refused(104)
        token = request.query.get("access_token")
        if value is not None:
            scheme, _, token = value.partition(" ")
            if scheme != "Bearer":
                raise Refused(190, message="Invalid OAuth access token - "
                              "Cannot parse access token")
        if token in settings["expired_tokens"]:
            raise Refused(190, subcode=463, message="Error validating access "
                          "token: Session has expired")
        if token not in settings["tokens"]:
            raise Refused(190, message="Invalid OAuth access token - "
                          "Cannot parse access token")

    # --- sending -----------------------------------------------------------

    def send(self, request, node, answer):
        settings = self.world["meta"]
        if request.method != "POST":
            raise Refused(100, message="Unsupported get request.",
                          kind="GraphMethodException", subcode=33)
        if node != settings["phone_number_id"]:
            raise Refused(803, message="(#803) Some of the aliases you "
                          "requested do not exist: " + node)
        if request.content_type() != "application/json":
            raise Refused(100, message="(#100) The parameter "
                          "messaging_product is required.")
        message = wire.parse_json_object(request)
        if message is None:
            raise Refused(100, message="(#100) The parameter "
                          "messaging_product is required.")
        note(message, answer, settings)
        only_keys(message, MESSAGE_KEYS, "message")
        if message.get("messaging_product") != "whatsapp":
            raise Refused(100, message="(#100) The parameter "
                          "messaging_product is required.")
        if message.get("recipient_type", "individual") != "individual":
            raise Refused(100, "recipient_type must be individual")
        number, contact = recipient(message, settings)
        answer.to = number
        kind = message.get("type", "text")
        if not isinstance(kind, str):
            raise Refused(100, "type must be a string")
        status = None
        if kind == "template":
            status = self.check_template(message, answer)
        elif kind == "text":
            check_text(message)
        elif kind in MEDIA_TYPES:
            check_media(message, kind)
        else:
            raise Refused(131051, "Message type is not currently supported")
        callback = message.get("biz_opaque_callback_data", "")
        if not isinstance(callback, str) or len(callback) > MAX_CALLBACK:
            raise Refused(100, "biz_opaque_callback_data is not valid")
        self.check_recipient(number, kind)
        identifier = message_id(number)
        answer.message_id = identifier
        answer.callback = callback
        made = {"id": identifier}
        if status is not None:
            made["message_status"] = status
        return {"messaging_product": "whatsapp",
                "contacts": [contact],
                "messages": [made]}

    def check_recipient(self, number, kind):
        settings = self.world["meta"]
        now = time.monotonic()
        if number == digits(settings["display_phone_number"]):
            raise Refused(131021, "Recipient phone number cannot be the "
                          "same as the sender phone number")
        if number in settings["not_on_whatsapp"]:
            raise Refused(131026, "Message Undeliverable.")
        if number in settings["opted_out"]:
            raise Refused(131050, "User has chosen to stop marketing "
                          "messages from this business")
        if kind != "template" and settings["open_windows"] != "any" \
                and number not in settings["open_windows"]:
            raise Refused(131047, "Message failed to send because more than "
                          "24 hours have passed since the customer last "
                          "replied to this number.")
        if settings["per_second"] > 0 and len(
                [t for t in self.recent if t > now - 1]) \
                >= settings["per_second"]:
            raise Refused(130429, "Cloud API message throughput has been "
                          "reached.")
        if number in self.last_to and settings["pair_gap_ms"] > 0 \
                and (now - self.last_to[number]) * 1000 \
                < settings["pair_gap_ms"]:
            raise Refused(131056, "Too many messages sent from this phone "
                          "number to the same phone number in a short "
                          "period of time")

    def check_template(self, message, answer):
        """Returns the message_status that a good template answers with."""
        settings = self.world["meta"]
        wanted = message.get("template")
        if not isinstance(wanted, dict):
            raise Refused(131008, "template is missing")
        only_keys(wanted, {"name", "language", "components", "namespace"},
                  "template")
        name = wanted.get("name")
        if not isinstance(name, str) or name == "":
            raise Refused(131008, "template name is missing")
        language = wanted.get("language")
        if not isinstance(language, dict):
            raise Refused(131008, "template language is missing")
        only_keys(language, {"code", "policy"}, "language")
        if language.get("policy", "deterministic") != "deterministic":
            raise Refused(100, "language policy must be deterministic")
        code = language.get("code")
        if not isinstance(code, str) or code == "":
            raise Refused(131008, "template language code is missing")
        made = settings["templates"].get(name)
        if made is None or code not in made["language"]:
            raise Refused(132001, "template name (%s) does not exist in %s"
                          % (name, code))
        if made["status"] == "PAUSED":
            raise Refused(132015, "Template is paused due to low quality")
        if made["status"] == "DISABLED":
            raise Refused(132016, "Template is disabled")
        if made["status"] != "APPROVED":
            raise Refused(132001, "template name (%s) is not approved in %s"
                          % (name, code))
        check_components(wanted.get("components", []), made,
                         settings["bad_text_code"])
        return made["message_status"]

    # --- status calls --------------------------------------------------------

    def look(self, request, node, edge):
        settings = self.world["meta"]
        if request.method != "GET":
            raise Refused(100, message="Unsupported %s request."
                          % request.method.lower(),
                          kind="GraphMethodException", subcode=33)
        if node == "debug_token" and edge is None:
            return self.debug_token(request)
        if node == settings["waba_id"] and edge == "message_templates":
            return meta_templates.listing(settings, request)
        if edge is not None:
            raise Refused(2500, message="Unknown path components: /" + edge)
        if node == settings["phone_number_id"]:
            known = {"id": node,
                     "display_phone_number": settings["display_phone_number"],
                     "verified_name": settings["verified_name"],
                     "quality_rating": settings["quality_rating"],
                     "code_verification_status": "VERIFIED",
                     "name_status": "APPROVED",
                     "platform_type": "CLOUD_API",
                     "whatsapp_business_manager_messaging_limit":
                         "TIER_2K"}
            kind, first = "WhatsAppBusinessPhoneNumber", 4
        elif node == settings["waba_id"]:
            known = {"id": node, "name": settings["verified_name"],
                     "timezone_id": "66", "message_template_namespace":
                         "5b3a5a1c_0000_4000_8000_000000000001",
                     "account_review_status": "APPROVED",
                     "business_verification_status": "verified"}
            kind, first = "WhatsAppBusinessAccount", 4
        else:
            raise Refused(803, message="(#803) Some of the aliases you "
                          "requested do not exist: " + node)
        known["health_status"] = self.health(node)
        wanted = request.query.get("fields")
        names = wanted.split(",") if wanted else list(known)[:first]
        for name in names:
            if name not in known:
                raise Refused(100, message="(#100) Tried accessing "
                              "nonexisting field (%s) on node type (%s)"
                              % (name, kind))
        made = {name: known[name] for name in names}
        made["id"] = node
        return made

    def health(self, node):
        state = self.world["meta"]["can_send_message"]
        entity = {"entity_type": "PHONE_NUMBER", "id": node,
                  "can_send_message": state}
        if state != "AVAILABLE":
            entity["errors"] = [{
                "error_code": 141006,
                "error_description": "There is an error with the payment "
                                     "method.",
                "possible_solution": "Check the payment settings."}]
        return {"can_send_message": state, "entities": [entity]}

    def debug_token(self, request):
        settings = self.world["meta"]
        token = request.query.get("input_token", "")
        good = token in settings["tokens"]
        data = {"app_id": "138483919580948", "type": "SYSTEM_USER",
                "is_valid": good, "expires_at": 0,
                "scopes": ["whatsapp_business_management",
                           "whatsapp_business_messaging"] if good else []}
        if not good:
            data["error"] = {"code": 190, "message":
                             "The access token could not be decrypted"}
        return {"data": data}


def note(message, answer, settings):
    """Fill the journal's columns from whatever shape the message has."""
    def inside(value, key):
        return value.get(key) if isinstance(value, dict) else None

    if isinstance(message.get("to"), str):
        answer.to = dialled(message["to"], settings)
    elif isinstance(message.get("recipient"), str):
        answer.to = message["recipient"]
    answer.message = inside(message.get("text"), "body")
    answer.template = inside(message.get("template"), "name")
    components = inside(message.get("template"), "components")
    if not isinstance(components, list):
        return
    for component in components:
        if inside(component, "type") == "body":
            parameters = inside(component, "parameters")
            if isinstance(parameters, list):
                answer.params = [
                    [inside(p, "parameter_name"), inside(p, "text")]
                    if inside(p, "parameter_name") is not None
                    else inside(p, "text") for p in parameters]


def only_keys(value, known, where):
    for key in value:
        if key not in known:
            raise Refused(100, message='(#100) Unexpected key "%s" on param '
                          '"%s".' % (key, where))


def dialled(to, settings):
    """The number that "to" means: Meta's page for sending and what its
    clients report contradict each other where there is no "+"."""
    if settings["bare_numbers"] == "local" and not to.startswith("+"):
        return settings["display_phone_number"][1:3] + digits(to)
    return digits(to)


def recipient(message, settings):
    """The digits that are called, and what the answer says of them; Meta
    itself tolerates punctuation.  Without "to" an id may stand in
    "recipient": then nothing tells the number."""
    to = message.get("to")
    user = message.get("recipient")
    if not to and user is not None:
        if not isinstance(user, str) or not PERSON.match(user):
            raise Refused(131009, "Parameter value is not valid: recipient")
        return user, {"input": user, "user_id": user}
    if to is None or to == "":
        raise Refused(100, message="(#100) The parameter to is required.")
    if not isinstance(to, str):
        raise Refused(100, "Param to must be a string")
    if not re.match(r"^\+?[0-9 ().-]+$", to) \
            or not 8 <= len(digits(to)) <= 15 \
            or digits(to).startswith("0"):
        raise Refused(131009, "Parameter value is not valid: to")
    number = dialled(to, settings)
    return number, {"input": to, "wa_id": number}


def check_text(message):
    text = message.get("text")
    if not isinstance(text, dict):
        raise Refused(100, message="(#100) The parameter text is required.")
    only_keys(text, {"body", "preview_url"}, "text")
    body = text.get("body")
    if not isinstance(body, str) or body == "":
        raise Refused(100, message="(#100) The parameter text['body'] is "
                      "required.")
    if len(body) > MAX_TEXT:
        raise Refused(100, message="(#100) Param text['body'] must be at "
                      "most %d characters long." % MAX_TEXT)
    if not isinstance(text.get("preview_url", False), bool):
        raise Refused(100, "preview_url must be a boolean")


def check_media(message, kind):
    media = message.get(kind)
    if not isinstance(media, dict):
        raise Refused(131008, "%s is missing" % kind)
    only_keys(media, {"id", "link", "caption", "filename"}, kind)
    if ("id" in media) == ("link" in media):
        raise Refused(131008, "either id or link is required")
    link = media.get("link", "https://")
    if not isinstance(link, str) or not re.match(r"^https?://", link):
        raise Refused(131053, "Media upload error: the link is not valid")


def check_components(components, made, bad_text_code):
    """Compare the request's components with the approved template."""
    if not isinstance(components, list):
        raise Refused(100, "Param template['components'] must be an array")
    parts = {"header": [], "body": [], "button": []}
    for component in components:
        if not isinstance(component, dict):
            raise Refused(100, "each component must be an object")
        only_keys(component, {"type", "parameters", "sub_type", "index"},
                  "components")
        kind = component.get("type")
        if kind not in parts:
            raise Refused(100, "unknown component type")
        parameters = component.get("parameters", [])
        if not isinstance(parameters, list) or not all(
                isinstance(p, dict) for p in parameters):
            raise Refused(100, "parameters must be an array of objects")
        parts[kind].append((component, parameters))
    if len(parts["header"]) > 1 or len(parts["body"]) > 1:
        raise Refused(100, "a component is given twice")
    body = parts["body"][0][1] if parts["body"] else []
    if len(body) != made["count"]:
        raise Refused(132000, "body: number of localizable_params (%d) does "
                      "not match the expected number of params (%d)"
                      % (len(body), made["count"]))
    check_header(parts["header"], made)
    if len(parts["button"]) != made["url_buttons"]:
        raise Refused(132000, "buttons: number of localizable_params (%d) "
                      "does not match the expected number of params (%d)"
                      % (len(parts["button"]), made["url_buttons"]))
    for component, parameters in parts["button"]:
        if component.get("sub_type") != "url" or len(parameters) != 1 \
                or not re.match(r"^[0-9]$", str(component.get("index"))):
            raise Refused(132012, "button: format mismatch")
        check_value(parameters[0], {"type", "text"}, bad_text_code)
    keys = {"type", "text"}
    if made["parameter_format"] == "NAMED":
        keys.add("parameter_name")
    for parameter in body:
        if made["parameter_format"] != "NAMED" \
                and "parameter_name" in parameter:
            raise Refused(132012, "body: the template has positional "
                          "parameters")
        check_value(parameter, keys, bad_text_code)
    if made["parameter_format"] == "NAMED":
        given = [p.get("parameter_name") for p in body]
        if sorted(map(str, given)) != sorted(made["parameters"]):
            raise Refused(132012, "body: Parameter name is missing or does "
                          "not match the template")
    check_length(body, alone=len(components) == 1)


def check_header(given, made):
    wanted = made["header"]
    if bool(given) != (wanted is not None):
        raise Refused(132012, "header: Format mismatch, expected %s, "
                      "received %s" % (wanted or "NONE",
                                       "PARAMETERS" if given else "NONE"))
    if not given:
        return
    parameters = given[0][1]
    if len(parameters) != 1:
        raise Refused(132000, "header: number of localizable_params (%d) "
                      "does not match the expected number of params (1)"
                      % len(parameters))
    kind = parameters[0].get("type")
    if kind != wanted:
        raise Refused(132012, "header: Format mismatch, expected %s, "
                      "received %s" % (wanted.upper(), str(kind).upper()))
    if kind != "text":
        check_media(parameters[0], kind)


def check_value(parameter, keys, bad_text_code):
    """One text parameter: present, not empty, on one line."""
    only_keys(parameter, keys, "parameters")
    if parameter.get("type") != "text":
        raise Refused(132012, "body: Format mismatch, expected TEXT")
    text = parameter.get("text")
    if text is None or text == "":
        raise Refused(131008, "Parameter of type text is missing text value")
    if not isinstance(text, str):
        raise Refused(100, "Param text must be a string")
    if re.search(r"[\r\n\t]| {5}", text):
        raise Refused(bad_text_code, "Param text cannot have new-line/tab "
                      "characters or more than 4 consecutive spaces")


def check_length(body, alone):
    lengths = [len(p["text"]) for p in body]
    if alone:
        too_long = any(n > MAX_LONE_PARAMETER for n in lengths)
    else:
        too_long = sum(lengths) > MAX_FILLED_BODY
    if too_long:
        raise Refused(132005, "body: Translated text too long")


def message_id(number):
    """A wamid like Meta's: base64 over a tag, the number and random hex."""
    raw = (b"\x1c\x18" + bytes([len(number)]) + number.encode()
           + b"\x15\x02\x00\x11\x18\x12"
           + secrets.token_hex(9).upper().encode() + b"\x00")
    return "wamid." + base64.b64encode(raw).decode()

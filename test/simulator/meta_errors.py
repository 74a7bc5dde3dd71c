"""Error answers of the WhatsApp Cloud API.

The codes, their wording in short and the HTTP status are those of Meta's
error code page (read 2026); where that page names no status, the one that
an older reading had, else 400.  Clients should branch on the code alone.
"""

import secrets
import string

from wire import Reply

CODES = {
    0: (401, "AuthException"),
    1: (400, "API Unknown"),
    2: (503, "API Service"),
    3: (403, "API Method"),
    4: (429, "API Too Many Calls"),
    10: (403, "Permission Denied"),
    17: (429, "User request limit reached"),
    33: (404, "Parameter value is not valid"),
    100: (400, "Invalid parameter"),
    104: (401, "An access token is required to request this resource."),
    190: (401, "Access token has expired"),
    200: (403, "API Permission"),
    368: (403, "Temporarily blocked for policies violations"),
    803: (404, "Some of the aliases you requested do not exist"),
    2500: (400, "Unknown path components"),
    80007: (429, "Rate limit issues"),
    80008: (429, "There have been too many calls to this WhatsApp Business "
                 "account"),
    130403: (403, "User is blocked by the business"),
    130429: (429, "Rate limit hit"),
    130472: (400, "User's number is part of an experiment"),
    130497: (403, "Business account is restricted from messaging users in "
                  "this country"),
    131000: (500, "Something went wrong"),
    131005: (403, "Access denied"),
    131008: (400, "Required parameter is missing"),
    131009: (400, "Parameter value is not valid"),
    131016: (503, "Service unavailable"),
    131021: (400, "Recipient cannot be sender"),
    131026: (400, "Message undeliverable"),
    131030: (400, "Recipient phone number not in allowed list"),
    131031: (403, "Account has been locked"),
    131037: (400, "Display name approval needed before message can be sent"),
    131042: (402, "Business eligibility payment issue"),
    131044: (400, "Payment issue for calling"),
    131045: (400, "Incorrect certificate"),
    131047: (429, "Re-engagement message"),
    131048: (429, "Spam rate limit hit"),
    131049: (429, "Meta chose not to deliver"),
    131050: (400, "User stopped marketing messages"),
    131051: (400, "Unsupported message type"),
    131052: (400, "Media download error"),
    131053: (400, "Media upload error"),
    131055: (400, "Method not allowed"),
    131056: (429, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: (503, "Account in maintenance mode"),
    131062: (400, "Business-scoped user id recipient not supported"),
    131063: (400, "Marketing templates disabled for Cloud API"),
    131064: (429, "Template classification limit hit"),
    131070: (400, "Another responder owns the conversation"),
    132000: (400, "Number of parameters does not match the expected number "
                  "of params"),
    132001: (400, "Template name does not exist in the translation"),
    132005: (400, "Translated text too long"),
    132007: (400, "Template format character policy violated"),
    132008: (400, "Parameter value invalid"),
    132012: (400, "Parameter format does not match format in the created "
                  "template"),
    132015: (400, "Template is paused"),
    132016: (400, "Template is disabled"),
    132018: (400, "Template parameter validation failed"),
    132068: (400, "Flow is blocked"),
    132069: (400, "Flow is throttled"),
    133000: (500, "Incomplete deregistration"),
    133004: (503, "Server temporarily unavailable"),
    133005: (400, "Two step verification PIN mismatch"),
    133006: (400, "Phone number re-verification needed"),
    133008: (400, "Too many two step verification PIN guesses"),
    133009: (400, "Two step verification PIN guessed too fast"),
    133010: (400, "Phone number not registered"),
    133015: (400, "Please wait a few minutes before attempting to register"),
    133016: (400, "Account register deregister rate limit exceeded"),
    134011: (400, "WhatsApp payments terms of service not accepted"),
    134100: (400, "Only marketing messages are supported"),
    134101: (400, "Template is still syncing"),
    134102: (400, "Template is not available for use"),
    135000: (400, "Generic user error"),
    137000: (400, "Recipient identity key hash mismatch"),
    2494100: (503, "Phone number in maintenance mode"),
}

TRANSIENT = {1, 2, 4, 17, 80007, 130429, 131000, 131016, 131056, 131057,
             133004, 134101, 2494100}


class Refused(Exception):
    """A request that Meta answers with an error object."""

    def __init__(self, code, details=None, **rest):
        super().__init__(code)
        self.code = code
        self.details = details
        self.rest = rest


ALPHABET = string.ascii_letters + string.digits + "_-"


def trace_id():
    return "A" + "".join(secrets.choice(ALPHABET) for _ in range(22))


def body(code, details=None, subcode=None, kind="OAuthException",
         message=None, transient=None, user=None):
    """The error object as Meta documents it; user: title and words.

    details goes to error_data.details; without it error_data is left out,
    as in the Graph API's own errors (tokens, paths, unknown ids).
    """
    title = CODES.get(code, (400, "Unknown error"))[1]
    error = {"message": message or "(#%d) %s" % (code, title),
             "type": kind, "code": code}
    if details is not None:
        error["error_data"] = {"messaging_product": "whatsapp",
                               "details": details}
    if subcode is not None:
        error["error_subcode"] = subcode
    if user is not None:
        error["error_user_title"], error["error_user_msg"] = user
    if transient is None and code in TRANSIENT:
        transient = True
    if transient is not None:
        error["is_transient"] = transient
    error["fbtrace_id"] = trace_id()
    return {"error": error}


def reply(code, details=None, http_status=None, headers=(), **rest):
    status = http_status or CODES.get(code, (400, ""))[0]
    return Reply.of_json(status, body(code, details, **rest), headers,
                         "application/json; charset=UTF-8")

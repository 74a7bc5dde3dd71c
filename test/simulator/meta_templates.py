"""An account's templates at Meta: the list, and making one.

As with the Graph API, a list has the fields that are asked for and a few by
default; a page ends where paging.next is missing.
"""

import re
import urllib.parse

import wire
from meta_errors import Refused
from world import digits, template

DEFAULT_FIELDS = ["name", "status", "category", "language", "id"]
FIRST_ID = 594425479261596
CATEGORIES = ("UTILITY", "MARKETING", "AUTHENTICATION")
CREATION_KEYS = {"name", "language", "category", "components",
                 "parameter_format", "allow_category_change",
                 "message_send_ttl_seconds"}


def components(made):
    parts = []
    if made["header"] == "text":
        parts.append({"type": "HEADER", "format": "TEXT", "text": "Izin {{1}}"})
    elif made["header"]:
        parts.append({"type": "HEADER", "format": made["header"].upper()})
    parts.append({"type": "BODY", "text": made["body"]})
    if made["url_buttons"]:
        parts.append({"type": "BUTTONS", "buttons": [
            {"type": "URL", "text": "Buka", "url": "https://x.go.id/{{1}}"}
        ] * made["url_buttons"]})
    return parts


def rows_of(settings):
    rows = []
    for name, made in sorted(settings["templates"].items()):
        for language in made["language"]:
            row = {"id": str(FIRST_ID + len(rows)), "name": name,
                   "language": language, "status": made["status"],
                   "category": made["category"],
                   "parameter_format": made["parameter_format"],
                   "components": components(made),
                   "quality_score": {"score": made["quality"]},
                   "rejected_reason": made["rejected_reason"]}
            if made["correct_category"] is not None:
                row["correct_category"] = made["correct_category"]
            rows.append(row)
    return rows


def listing(settings, request):
    rows = rows_of(settings)
    for key in ("name", "status", "language", "category"):
        if key in request.query:
            rows = [r for r in rows if r[key] == request.query[key]]
    wanted = request.query.get("fields")
    fields = wanted.split(",") if wanted else DEFAULT_FIELDS
    known = {"id", "name", "language", "status", "category", "components",
             "parameter_format", "quality_score", "rejected_reason",
             "correct_category", "previous_category", "sub_category"}
    for field in fields:
        if field not in known:
            raise Refused(100, message="(#100) Tried accessing nonexisting "
                          "field (%s) on node type "
                          "(WhatsAppMessageTemplate)" % field)
    rows = [{k: r[k] for k in ["id"] + fields if k in r} for r in rows]
    start = int(digits(request.query.get("after", "0")) or 0)
    limit = int(digits(request.query.get("limit", "25")) or 25)
    if settings["template_page"] > 0:
        limit = min(limit, settings["template_page"])
    paging = {"cursors": {"before": str(start), "after": str(start + limit)}}
    if start + limit < len(rows):
        query = dict(request.query, after=str(start + limit))
        paging["next"] = "https://graph.facebook.com%s?%s" % (
            request.path, urllib.parse.urlencode(query))
    return {"data": rows[start:start + limit], "paging": paging}


def invalid(subcode, title, words):
    return Refused(100, message="Invalid parameter", subcode=subcode,
                   user=(title, words))


def create(settings, request):
    wish = wire.parse_json_object(request)
    if wish is None or not isinstance(wish.get("name"), str) \
            or not re.fullmatch("[a-z0-9_]{1,512}", wish["name"]) \
            or not isinstance(wish.get("language"), str) \
            or wish.get("category") not in CATEGORIES \
            or set(wish) - CREATION_KEYS:
        raise Refused(100, message="(#100) Invalid parameter")
    body = [p for p in wish.get("components", []) if p.get("type") == "BODY"]
    if len(body) != 1 or not isinstance(body[0].get("text"), str):
        raise Refused(100, message="(#100) Invalid parameter")
    text = body[0]["text"]
    names = list(dict.fromkeys(re.findall(r"{{([a-z0-9_]+)}}", text)))
    named = wish.get("parameter_format", "POSITIONAL") == "NAMED"
    if re.match(r"\s*{{", text) or re.search(r"}}\s*$", text):
        raise invalid(2388299, "Leading or trailing params", "Variables "
                      "can't be at the start or end of the template.")
    if not named and sorted(map(int, names)) != list(range(1, len(names) + 1)):
        raise invalid(2388072, "Invalid body", "Variables must be numbered "
                      "from 1 without a gap.")
    example = body[0].get("example", {})
    if named:
        given = [p.get("param_name")
                 for p in example.get("body_text_named_params", [])]
        missing = sorted(given) != sorted(names)
    else:
        given = example.get("body_text", [[]])[0]
        missing = len(given) != len(names) or not all(given)
    if missing:
        raise invalid(2388043, "Missing sample", "Add sample text for the "
                      "variables of the body.")
    there = settings["templates"].get(wish["name"])
    if there is not None and wish["language"] in there["language"]:
        raise invalid(2388024, "Content in this language already exists",
                      "There is already content for this template in this "
                      "language.")
    made = template({"parameter_format": "NAMED" if named else "POSITIONAL",
                     "parameters": names if named else None,
                     "count": len(names), "body": text,
                     "language": wish["language"],
                     "status": settings["new_template_status"],
                     "category": settings["new_template_category"]
                     or wish["category"]})
    settings["templates"][wish["name"]] = made
    return {"id": str(FIRST_ID - 1), "status": made["status"],
            "category": made["category"]}

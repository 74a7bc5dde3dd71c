"""HTTP/1.1 as bytes: reading a request, writing down an answer.

Nothing here knows a provider.  The parser is strict on purpose: a client
that only works with a forgiving server should fail in a test and not in
front of a provider's proxy.
"""

import email.utils
import json
import re
import urllib.parse

MAX_HEAD = 64 * 1024
MAX_BODY = 32 * 1024 * 1024

PHRASES = {
    100: "Continue", 200: "OK", 302: "Found", 400: "Bad Request",
    401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    411: "Length Required", 413: "Content Too Large",
    415: "Unsupported Media Type", 429: "Too Many Requests",
    500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}

TOKEN = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")


class BadRequest(Exception):
    """The bytes are no acceptable HTTP request; the connection must close."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status
        self.text = text


class Request:
    """One request.  Header names are lower case, in the order received."""

    def __init__(self, method, target, version, headers):
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.body = b""
        parts = urllib.parse.urlsplit(target)
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(
            parts.query, keep_blank_values=True))

    def header(self, name):
        """The first value of a header, or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def content_type(self):
        """The media type in lower case without its parameters, or ''."""
        value = self.header("content-type") or ""
        return value.split(";")[0].strip().lower()

    def text(self):
        """The body as text; bytes that are not UTF-8 show as \\xNN."""
        return self.body.decode("utf-8", "backslashreplace")

    def wants_close(self):
        connection = (self.header("connection") or "").lower()
        if self.version == "HTTP/1.0":
            return "keep-alive" not in connection
        return "close" in connection


class Reply:
    """An answer before it becomes bytes."""

    def __init__(self, status, body=b"", content_type="application/json",
                 headers=()):
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = list(headers)

    @classmethod
    def of_json(cls, status, value, headers=(),
                content_type="application/json"):
        text = json.dumps(value, separators=(",", ":"))
        return cls(status, text.encode(), content_type, headers)

    @classmethod
    def of_html(cls, status, title):
        text = ("<!DOCTYPE html><html><head><title>%s</title></head>"
                "<body><h1>%s</h1></body></html>" % (title, title))
        return cls(status, text.encode(), "text/html; charset=UTF-8")

    def head(self, close, length=None):
        """The head as bytes; length overrides the true Content-Length."""
        lines = ["HTTP/1.1 %d %s" % (self.status,
                                     PHRASES.get(self.status, "Unknown")),
                 "Date: " + email.utils.formatdate(usegmt=True),
                 "Content-Type: " + self.content_type,
                 "Content-Length: %d" % (len(self.body) if length is None
                                         else length)]
        lines += ["%s: %s" % pair for pair in self.headers]
        if close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def encode(self, close):
        return self.head(close) + self.body


def parse_head(head):
    """Bytes up to and including the empty line -> Request (without body)."""
    try:
        lines = head.decode("latin-1").split("\r\n")[:-2]
        method, target, version = lines[0].split(" ")
    except ValueError:
        raise BadRequest(400, "malformed request line") from None
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(400, "unknown protocol version")
    if not TOKEN.match(method) or not target.startswith("/"):
        raise BadRequest(400, "malformed request line")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not TOKEN.match(name) or "\n" in value \
                or "\r" in value or "\0" in value:
            raise BadRequest(400, "malformed header line")
        headers.append((name.lower(), value.strip()))
    request = Request(method, target, version, headers)
    if version == "HTTP/1.1" and request.header("host") is None:
        raise BadRequest(400, "no Host header")
    return request


def body_length(request):
    """How many bytes of body follow; refuses what is ambiguous."""
    if request.header("transfer-encoding") is not None:
        raise BadRequest(411, "chunked requests are not accepted")
    lengths = [v for k, v in request.headers if k == "content-length"]
    if not lengths:
        if request.method == "POST":
            raise BadRequest(411, "no Content-Length")
        return 0
    if len(set(lengths)) > 1 or not re.match(r"^[0-9]{1,12}$", lengths[0]):
        raise BadRequest(400, "bad Content-Length")
    length = int(lengths[0])
    if length > MAX_BODY:
        raise BadRequest(413, "body too large")
    return length


def parse_form(request):
    """A POST form -> list of (name, value), or None if it is none.

    urlencoded and multipart/form-data; a value that is not UTF-8 makes the
    whole form unreadable, as it does for the PHP frameworks behind real
    gateways.
    """
    kind = request.content_type()
    try:
        if kind == "application/x-www-form-urlencoded":
            text = request.body.decode("ascii")
            return urllib.parse.parse_qsl(text, keep_blank_values=True,
                                          strict_parsing=bool(text),
                                          errors="strict")
        if kind == "multipart/form-data":
            return parse_multipart(request)
    except (UnicodeDecodeError, ValueError):
        return None
    return None


def parse_multipart(request):
    found = re.search(r'boundary="?([^";]+)"?',
                      request.header("content-type") or "")
    if not found:
        return None
    mark = b"--" + found.group(1).encode("latin-1")
    fields = []
    for part in request.body.split(mark)[1:]:
        if part.startswith(b"--"):
            return fields
        head, gap, value = part.partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        if not gap or not name or not value.endswith(b"\r\n"):
            return None
        fields.append((name.group(1).decode(), value[:-2].decode()))
    return None


def parse_json_object(request):
    """A JSON body -> dict, or None.  A repeated key makes it unreadable."""
    def unique(pairs):
        keys = [k for k, _ in pairs]
        if len(set(keys)) != len(keys):
            raise ValueError("repeated key")
        return dict(pairs)

    try:
        value = json.loads(request.body.decode("utf-8"),
                           object_pairs_hook=unique)
    except (UnicodeDecodeError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None

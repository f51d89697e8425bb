"""The head of an answer: its status line and headers, read strictly.

What two readers could read differently is how one answer is hidden in another, so nothing here is lenient:
lines end in CR LF, a line is not folded, a name touches its colon, there is one length or one coding, and
HTTP/1.0 has no coding. Two expressions do the reading; the headers themselves are taken apart only if asked
for. (RFC 9112 sections 2 to 6, RFC 9110 section 5.)
"""

from __future__ import annotations

import re

MOST_BYTES = 64 * 1024
"""The longest head that is read."""
# groups are repeated without `+` behind: Python before 3.11.5 loses its way in possessive groups
_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_TEXT = rb"[\t -~\x80-\xff]*+"
_LINE = rb"\r\n" + _NAME + rb":" + _TEXT
_HEAD = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: " + _TEXT + rb")?(?:" + _LINE + rb"){0,256}\r\n\r\n")
_FRAMING = re.compile(
    rb"\n(content-length|transfer-encoding|connection|content-encoding):([^\r]*)", re.IGNORECASE
)
_BEGINNING = b"HTTP/1."
_ODD = re.compile(rb"\0|(?<!\r)\n|\r(?!\n|\Z)")
_LONGEST_LENGTH = 18  # digits


class NotHTTPError(Exception):
    """What came is no HTTP/1.1; the message says what is wrong with it, in our words alone."""


class Head:
    """A head that was read."""

    __slots__ = ("_raw", "chunked", "closes", "coding", "end", "length", "status")

    def __init__(self, raw: bytes, end: int, status: int) -> None:
        self._raw = raw
        self.end = end
        """Where the body begins in what was read."""
        self.status = status
        self.length: int | None = None
        """What content-length says, in bytes."""
        self.chunked = False
        self.coding = ""
        """The content-encoding, as it was written."""
        self.closes = False
        """Whether the connection ends with this answer."""

    def headers(self) -> dict[str, str]:
        """The headers, names in lower case; those of one name are joined by commas."""
        raw = self._raw[self._raw.index(b"\r\n") + 2 : self.end - 4]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        found: dict[str, str] = {}
        for line in text.split("\r\n") if text else ():
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip(" \t")
            found[name] = f"{found[name]}, {value}" if name in found else value
        return found


def head_in(data: bytes) -> Head | None:
    """The head at the beginning of `data`; None while it is not whole. NotHTTPError."""
    match = _HEAD.match(data)
    if match is None:
        _check_unfinished(data)
        return None
    end = match.end()
    if end > MOST_BYTES:
        raise NotHTTPError("its head is too long")
    head = Head(data, end, int(match[2]))
    old = head.closes = match[1] == b"0"
    for name, value in _FRAMING.findall(data, 0, end):
        _note(head, name.lower(), value.strip(b" \t"))
    if head.chunked and (old or head.length is not None):
        raise NotHTTPError("it says in two ways how long it is")
    return head


def _note(head: Head, name: bytes, value: bytes) -> None:
    if name == b"content-length":
        if head.length is not None:
            raise NotHTTPError("it has more than one content-length")
        if not value.isdigit() or len(value) > _LONGEST_LENGTH:
            raise NotHTTPError("its content-length is no number")
        head.length = int(value)
    elif name == b"transfer-encoding":
        if head.chunked or value.lower() != b"chunked":
            raise NotHTTPError("its transfer-encoding is not just chunked")
        head.chunked = True
    elif name == b"connection":
        if b"close" in [word.strip() for word in value.lower().split(b",")]:
            head.closes = True
    else:
        head.coding = f"{head.coding}, {value.decode('latin-1')}" if head.coding else value.decode("latin-1")


def _check_unfinished(data: bytes) -> None:
    """Refuse at once what can no longer become a head, rather than wait for more of it."""
    if not data.startswith(_BEGINNING[: len(data)]):
        raise NotHTTPError("it does not begin with an HTTP/1 status line")
    if b"\r\n\r\n" in data:
        raise NotHTTPError("its head has a line that is none")
    if len(data) > MOST_BYTES:
        raise NotHTTPError("its head is too long")
    if _ODD.search(data):
        raise NotHTTPError("its head has a line that does not end in CR LF")

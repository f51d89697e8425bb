"""Server-sent events, and JSON line by line, out of bytes however they are cut; no socket, no clock.

Events follow the event stream format of the HTML standard (9.2.6), with two departures that model servers
need: an event left unfinished at the end of the bytes is still given by `close()`, since several servers end
with `data: [DONE]` and no blank line; and bytes that are no UTF-8 are an error instead of being replaced,
since an answer with holes in it should not pass for a good one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

BOM = b"\xef\xbb\xbf"
EVENT_LIMIT = 16 * 1024 * 1024
"""Bytes that one event may hold unless the caller says otherwise; audio comes in large ones."""


class FrameError(ValueError):
    """The bytes are no event stream: an event or a line is too long, or is not UTF-8."""


class SSEEvent(NamedTuple):
    """One event that carries data."""

    data: str
    """Its `data` lines, joined by line feeds."""
    event: str = ""
    """Its type; empty where the stream names none, which stands for `message`."""
    id: str = ""
    """The last event id that the stream has set."""
    retry: int | None = None
    """Milliseconds to wait before reconnecting, where this event says so."""


class JSONLinesDecoder:
    """Cuts a byte stream into lines that hold one JSON value each. `limit` bounds the bytes of one line.

    Lines end with a line feed, before which a carriage return may stand; blank ones are passed over.
    """

    def __init__(self, *, limit: int = EVENT_LIMIT) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []  # the unfinished line, joined only once it ends
        self._size = 0
        self._first_line = True

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes. Raises FrameError; `lines` gives those before it too."""
        return list(self.lines(data))

    def lines(self, data: bytes) -> Iterator[str]:
        """Yield the lines that `data` completes, up to the place of a FrameError.

        The iterator is to be run to its end before more bytes are fed.
        """
        *ends, unfinished = data.split(b"\n")
        for end in ends:
            self._add(end)
            if text := self._line():
                yield text
        if unfinished:
            self._add(unfinished)

    def close(self) -> list[str]:
        """The line that the bytes ended in the middle of, if there is one."""
        text = self._line()
        return [text] if text else []

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise FrameError(f"one line is longer than {self._limit} bytes")
        self._pieces.append(piece)

    def _line(self) -> str:
        line = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._first_line and line:
            self._first_line = False
            line = line.removeprefix(BOM)
        return decoded(line.strip())


class SSEDecoder:
    """Cuts a byte stream into events. `limit` bounds the bytes of one event."""

    def __init__(self, *, limit: int = EVENT_LIMIT) -> None:
        self.ignored = ""
        """The last line that was no field of the format: what a server wrote when it forgot the format."""
        self._limit = limit
        self._pieces: list[bytes] = []  # the unfinished line, joined only once it ends
        self._size = 0  # bytes of the unfinished event, its unfinished line included
        self._after_cr = False
        self._first_line = True
        self._data: list[bytes] = []
        self._event = ""
        self._id = ""
        self._retry: int | None = None

    def feed(self, data: bytes) -> list[SSEEvent]:
        """The events that `data` completes. Raises FrameError; `events` gives those before it too."""
        return list(self.events(data))

    def events(self, data: bytes) -> Iterator[SSEEvent]:
        """Yield the events that `data` completes, up to the place of a FrameError.

        The iterator is to be run to its end before more bytes are fed.
        """
        for event in self.split(data):
            yield self._event_of(event)

    def split(self, data: bytes) -> Iterable[bytes | SSEEvent]:
        """The same, where an event that has neither a type nor a time to wait comes as the bytes of its data.

        Most streams hold nothing but such events of one line each, which are cut out many at a time.
        """
        if self._data or self._event or self._after_cr or self._retry is not None:
            return self._events(data)
        if self._pieces and b"\n\n" in data:
            data = b"".join((*self._pieces, data))
            self._pieces.clear()
            self._size = 0
        end = data.rfind(b"\n\n")
        if end < 0 or data[:6] != b"data: " or len(data) > self._limit or b"\r" in data:
            return self._events(data)  # also where the stream begins with a byte order mark
        events = data[6:end].split(b"\n\ndata: ")
        if data.count(b"\n") != 2 * len(events):  # comments, other fields, data of several lines
            return self._events(data)
        self._first_line = False
        if rest := data[end + 2 :]:
            self._pieces.append(rest)
            self._size = len(rest)
        return events

    def _events(self, data: bytes) -> Iterator[bytes | SSEEvent]:
        if self._after_cr and data[:1] == b"\n":  # the other half of a CRLF that was cut in two
            self._after_cr = False
            data = data[1:]
        if not data:
            return
        self._after_cr = data.endswith(b"\r")
        lines = data.splitlines()
        unfinished = None if data.endswith((b"\n", b"\r")) else lines.pop()
        for line in lines:
            if self._pieces:
                line = b"".join((*self._pieces, line))
                self._size -= sum(map(len, self._pieces))
                self._pieces.clear()
            if line:
                self._line(line)
            elif (event := self._finish()) is not None:
                yield event
        if unfinished:
            self._pieces.append(unfinished)
            self._grow(len(unfinished))

    def close(self) -> list[SSEEvent]:
        """The event that the bytes ended in the middle of, if there is one."""
        if self._pieces:
            line = b"".join(self._pieces)
            self._size -= len(line)
            self._pieces.clear()
            self._line(line)
        event = self._finish()
        return [] if event is None else [self._event_of(event)]

    def _line(self, line: bytes) -> None:
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(BOM)
        if line.startswith(b"data:"):  # nearly every line is one
            self._grow(len(line))
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not name:
            return  # a comment, such as a keep-alive
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = decoded(value)
        elif name == b"id":
            if b"\0" not in value:
                self._id = decoded(value)
        elif name == b"retry":
            self._retry = int(value) if value.isdigit() and len(value) < 10 else self._retry
        else:
            self.ignored = line[:4096].decode("utf-8", "replace")

    def _event_of(self, event: bytes | SSEEvent) -> SSEEvent:
        return SSEEvent(decoded(event), id=self._id) if isinstance(event, bytes) else event

    def _finish(self) -> bytes | SSEEvent | None:
        lines, event, retry = self._data, self._event, self._retry
        self._first_line = False
        self._data, self._event, self._retry, self._size = [], "", None, 0
        if not lines:
            return None
        data = lines[0] if len(lines) == 1 else b"\n".join(lines)
        return SSEEvent(decoded(data), event, self._id, retry) if event or retry is not None else data

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise FrameError(f"one event is longer than {self._limit} bytes")


def decoded(value: bytes) -> str:
    """The bytes as text. Raises FrameError."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FrameError(f"the stream is not UTF-8: {error.reason} at byte {error.start}") from None

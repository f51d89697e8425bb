"""Answers on OpenAI's wire as bytes, whole and streamed, for servers that spoil them."""

from __future__ import annotations

import json
from typing import Any

from raw_server import FIN, Step

EVENTS = b"text/event-stream"
USAGE = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
DONE = b"data: [DONE]\n\n"
END = b"0\r\n\r\n"
"""The end of a body in chunks."""


def http(status: int, body: bytes = b"", *lines: bytes, kind: bytes = b"application/json") -> bytes:
    """A whole answer, its length told."""
    head = b"HTTP/1.1 %d Status\r\n" % status
    head += b"".join(line + b"\r\n" for line in (b"content-type: " + kind, *lines))
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def body(text: str | None = "Hello", **changes: Any) -> bytes:
    """The JSON of a whole answer; a change to None leaves a field out."""
    message = {"role": "assistant", "content": text}
    value: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    value |= changes
    return dumped({name: field for name, field in value.items() if field is not None})


def whole(text: str | None = "Hello", **changes: Any) -> bytes:
    """A whole answer under HTTP 200."""
    return http(200, body(text, **changes))


def error(message: str = "No.", **fields: Any) -> bytes:
    """The JSON of an error."""
    return dumped({"error": {"message": message, **fields}})


def event(value: Any) -> bytes:
    """One event; bytes are its data as they stand."""
    return b"data: " + (value if isinstance(value, bytes) else dumped(value)) + b"\n\n"


def chunk(**changes: Any) -> dict[str, Any]:
    """The JSON of one piece of an answer."""
    return {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [],
        **changes,
    }


def delta(finish: str | None = None, index: Any = 0, **fields: Any) -> bytes:
    """An event in which a choice goes on."""
    return event(chunk(choices=[{"index": index, "delta": fields, "finish_reason": finish}]))


def says(text: str) -> bytes:
    return delta(content=text)


ROLE = delta(role="assistant", content="")
STOP = delta("stop")
COUNT = event(chunk(usage=USAGE))
HEL, LO = says("Hel"), says("lo")
ALL = (ROLE, HEL, LO, STOP, COUNT, DONE)
"""The events of a whole streamed answer."""


def opened(*lines: bytes, kind: bytes = EVENTS) -> bytes:
    """The head of a stream in chunks."""
    head = b"".join(line + b"\r\n" for line in (b"content-type: " + kind, *lines))
    return b"HTTP/1.1 200 OK\r\n" + head + b"transfer-encoding: chunked\r\n\r\n"


def piece(data: bytes) -> bytes:
    """A chunk of a body in chunks."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(*events: bytes) -> tuple[Step, ...]:
    """A stream that ends properly as far as HTTP goes."""
    return (opened(), *map(piece, events), END)


def broken(*events: bytes, by: str = FIN) -> tuple[Step, ...]:
    """A stream whose connection ends after these events."""
    return (opened(), *map(piece, events), by)

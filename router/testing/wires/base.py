"""What a simulated wire has to know, and how a reply becomes an answer on any of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..answers import Answer
from ..script import Reply

Json = dict[str, Any]
CREATED = 1767225600
"""A fixed moment (2026-01-01), so that the same script gives the same bytes."""
_WORD = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a wire sees it."""

    path: str
    """Without its query."""
    query: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: Json


class Wire(Protocol):
    """One wire of the simulator's."""

    name: str
    stream_type: str
    """The content type of a stream."""
    request_id_header: str
    wrong_key_status: int

    def model(self, asked: Asked) -> str:
        """The model asked for."""
        ...

    def streams(self, asked: Asked) -> bool:
        """Whether a stream is asked for."""
        ...

    def last_words(self, asked: Asked) -> str:
        """The text of the user's last message, which an unscripted model repeats."""
        ...

    def refused(self, asked: Asked) -> tuple[int, Any] | None:
        """Status and body for a request that the provider never takes; None: it takes this one."""
        ...

    def whole(self, asked: Asked, reply: Reply, number: int) -> Json:
        """The body of a whole answer; `number` counts the requests and makes its ids."""
        ...

    def events(self, asked: Asked, reply: Reply, number: int) -> Iterator[bytes]:
        """The events of a streamed answer, each framed."""
        ...

    def error_events(self, asked: Asked, reply: Reply) -> Iterator[bytes]:
        """What stands in a stream that fails after it began."""
        ...

    def broken_event(self) -> bytes:
        """An event that cannot be read."""
        ...

    def error(self, status: int, error: str | Mapping[str, Any] | None) -> Any:
        """The body of an error; `error` is its message, or fields to put over the wire's own."""
        ...

    def models(self, names: list[str]) -> Any:
        """The list of models."""
        ...


class NamedInBody:
    """What the wires have in common whose requests name the model and ask for a stream in their bodies."""

    def model(self, asked: Asked) -> str:
        """The model asked for."""
        return str(asked.body.get("model") or "")

    def streams(self, asked: Asked) -> bool:
        """Whether a stream is asked for."""
        return asked.body.get("stream") is True


def render(wire: Wire, asked: Asked, reply: Reply, number: int) -> Answer:
    """The answer that a reply stands for on this wire, the scripted faults among its events."""
    stream = wire.streams(asked)
    kind = wire.stream_type if stream and reply.status < 400 else "application/json"
    if reply.body is not None:
        return Answer(reply.status, (reply.body,), kind, reply.headers)
    if reply.status >= 400:
        return Answer(reply.status, (dump(wire.error(reply.status, reply.error)),), headers=reply.headers)
    if not stream:
        return Answer(reply.status, (_body(wire, asked, reply, number),), headers=reply.headers)
    parts = tuple(_events(wire, asked, reply, number))
    return Answer(reply.status, parts, kind, reply.headers, stream=True)


def _body(wire: Wire, asked: Asked, reply: Reply, number: int) -> bytes:
    if reply.error_in_200:
        return dump(wire.error(500, _inner(reply)))
    body = dump(wire.whole(asked, reply, number))
    return body if reply.malformed_event is None else body[: len(body) // 2]


def _events(wire: Wire, asked: Asked, reply: Reply, number: int) -> Iterator[bytes]:
    if reply.error_in_200:
        yield from wire.error_events(asked, reply)
        return
    for index, event in enumerate(wire.events(asked, reply, number)):
        if index == reply.error_event_after:
            yield from wire.error_events(asked, reply)
            return
        yield wire.broken_event() if index == reply.malformed_event else event


def _inner(reply: Reply) -> str | Mapping[str, Any] | None:
    return reply.error if isinstance(reply.error_in_200, bool) else reply.error_in_200


def dump(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sse(value: Any, event: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + dump(value) + b"\n\n"


def pieces(text: str | None) -> list[str]:
    """A text as a stream gives it: word by word."""
    return _WORD.findall(text or "")


def fragments(text: str, size: int = 6) -> list[str]:
    """The JSON of a call's arguments as a stream gives it."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def arguments(text: str) -> Json:
    """A scripted call's arguments as an object; what is none stands under `arguments`."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"arguments": text}


def words(text: str | None) -> int:
    """Words of a text; the simulator counts each as one token."""
    return len(text.split()) if text else 0


def texts(value: Any) -> Iterator[str]:
    """Every text that stands under `text`, `content` or `output` in a request, for counting its words."""
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str):
                if key in {"text", "content", "output", "instructions", "system", "thinking"}:
                    yield item
            else:
                yield from texts(item)


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of one exchange, foretold from its words."""

    prompt: int
    completion: int
    """Reasoning included."""
    reasoning: int


def counts(asked: Asked, reply: Reply, *, thinks: bool = True) -> Counts:
    """The tokens of one answer: a word is a token, and a call is one more than its arguments' words."""
    prompt = sum(words(text) for text in texts(asked.body))
    reasoning = words(reply.reasoning) if thinks else 0
    visible = words(reply.content) + words(reply.refusal)
    visible += sum(1 + words(call.arguments_text) for call in reply.calls)
    return Counts(max(prompt, 1), visible + reasoning, reasoning)

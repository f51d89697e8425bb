"""Events of a stream that differ from the one before in nothing but the next piece of text.

Nearly every event of a streamed answer is such a repeat: the same bytes around another piece. A pattern is
taken from one event that was read with all care, and proven by parsing it with another piece in the same
place. Bytes that fit the pattern then hold the same fields, so that nothing but the piece itself is parsed;
their chunk is that of the first event with the new piece in it. Some hosts hide how long a piece is behind
random text in `obfuscation`, which is a second place that may differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json

from ..chat import ChatChunk, ChunkChoice, Delta, Record
from ..chat.making import stamp
from ..chat.record import SCALARS

PADDING = "obfuscation"
"""Random text that only hides the length of what was said."""
_REASONING = ("reasoning_content", "reasoning", "thinking")
_SECOND = ("native_reasoning", "native_thinking")
"""Thinking that came beside other thinking; the same text twice would have been left out."""
_PROBE = "~another piece~"
Repeat = Callable[[bytes], ChatChunk | None]
"""Gives the chunk of an event's data that fits a pattern; None for data that does not."""
_Found = tuple[Callable[[str], ChatChunk], str]


def _repeat(head: bytes, tail: bytes, make: Callable[[str], ChatChunk]) -> Repeat:
    start, stop = len(head) - 1, 1 - len(tail)  # a piece is parsed with the quotes around it

    def repeat(data: bytes) -> ChatChunk | None:
        if not (data.startswith(head) and data.endswith(tail)):
            return None
        try:
            text = from_json(data[start:stop], cache_strings="none")
        except ValueError:
            return None
        return make(text) if text and type(text) is str else None

    return repeat


def _padded(parts: list[bytes], padded_first: bool, make: Callable[[str], ChatChunk]) -> Repeat:
    head, middle, tail = parts
    start, stop = len(head) - 1, 1 - len(tail)

    def repeat(data: bytes) -> ChatChunk | None:
        if not (data.startswith(head) and data.endswith(tail)):
            return None
        before, _, after = data[start:stop].partition(middle)
        try:
            text = from_json(before + b'"', cache_strings="none")
            padding = from_json(b'"' + after, cache_strings="none")
        except ValueError:
            return None
        if padded_first:
            text, padding = padding, text
        return make(text) if text and type(text) is str and type(padding) is str else None

    return repeat


def repeat_of(data: bytes, chunk: ChatChunk) -> Repeat | None:
    """The pattern of an event, given its data and the chunk that it was read as; None where there is none.

    Reading that event again must give the same chunk: it has changed nothing for the ones after it.
    """
    found = _maker(chunk)
    if found is None:
        return None
    make, text = found
    payload = from_json(data)
    holder = _holder(payload, text)
    if holder is None:
        return None
    fields, name = holder
    fields[name] = _PROBE
    padding = payload.get(PADDING)
    if padding is None:
        spots = [(_spot(data, text), _PROBE)]
    elif type(padding) is str:
        payload[PADDING] = PADDING
        spots = sorted([(_spot(data, text), _PROBE), (_spot(data, padding), PADDING)])
    else:
        return None
    parts, probe, begin = [], b"", 0
    for (start, stop), piece in spots:
        if start < 0:
            return None
        parts.append(data[begin:start])
        probe += data[begin:start] + piece.encode()
        begin = stop
    parts.append(data[begin:])
    try:
        proven = from_json(probe + data[begin:]) == payload
    except ValueError:
        return None
    if not proven:
        return None
    if len(parts) == 2:
        return _repeat(parts[0], parts[1], make)
    return _padded(parts, spots[0][1] is PADDING, make)


def _spot(data: bytes, text: str) -> tuple[int, int]:
    """Where a text stands within its quotes; before the data's begin if it cannot be told."""
    for literal in (json.dumps(text, ensure_ascii=False), json.dumps(text)):
        written = literal.encode()
        if data.count(written) == 1:
            start = data.index(written)
            return start + 1, start + len(written) - 1
    return -1, -1


def _holder(payload: Any, text: str) -> tuple[dict[str, Any], str] | None:
    """The object that holds the event's piece of text, and under which name."""
    try:
        (choice,) = payload["choices"]
        delta = choice["delta"]
        if delta.get("content") == text:
            return delta, "content"
        for name in _REASONING:
            if delta.get(name) == text:
                return delta, name
        (call,) = delta["tool_calls"]
        function = call["function"]
        return (function, "arguments") if function["arguments"] == text else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _maker(chunk: ChatChunk) -> _Found | None:
    """What makes a chunk like this one of another text, and its own text.

    None unless the chunk is one choice with one piece of text, its other known fields words and numbers.
    """
    if len(chunk.choices) != 1 or not _scalars(chunk, "choices"):
        return None
    choice = chunk.choices[0]
    delta = choice.delta
    if choice.finish_reason is not None or not _scalars(choice, "delta"):
        return None
    told = [name for name, value in delta.__dict__.items() if value and name != "role"]
    if told == ["tool_calls"]:
        return _calling(chunk, choice, delta)
    if told not in (["content"], ["reasoning"]) or not _scalars(delta):
        return None
    name = told[0]
    return _saying(chunk, choice, delta, name), delta.__dict__[name]


def _scalars(record: Record, but: str = "") -> bool:
    """Whether a record's known fields hold words and numbers, and its thinking came under one name."""
    if any(type(value) not in SCALARS for name, value in record.__dict__.items() if name != but):
        return False
    return not any(name.startswith(_SECOND) for name in record.__pydantic_extra__ or ())


def _saying(chunk: ChatChunk, choice: ChunkChoice, delta: Delta, name: str) -> Callable[[Any], ChatChunk]:
    around, one, said = stamp(chunk, "choices"), stamp(choice, "delta"), stamp(delta, name)
    return lambda piece: around([one(said(piece))])


def _calling(chunk: ChatChunk, choice: ChunkChoice, delta: Delta) -> _Found | None:
    """The same for one piece of the arguments of one call that has begun before."""
    calls = delta.tool_calls or []
    function = calls[0].function if len(calls) == 1 else None
    if function is None or not function.arguments or function.name is not None or calls[0].id is not None:
        return None
    if not (_scalars(delta, "tool_calls") and _scalars(calls[0], "function") and _scalars(function)):
        return None
    around = _saying(chunk, choice, delta, "tool_calls")
    call, called = stamp(calls[0], "function"), stamp(function, "arguments")
    return lambda piece: around([call(called(piece))]), function.arguments

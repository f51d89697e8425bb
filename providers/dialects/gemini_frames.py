"""The bytes of a streamed answer: server-sent events, with a bare JSON error between or after them.

Without `alt=sse` the answer is one JSON array; google-genai 3.4.0 (_api_client.py) shows the bare form.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..dialect import Target
from ..framing import SSEDecoder, SSEEvent
from .envelope import loaded
from .reading import Frame


class GeminiFrames:
    """Server-sent events, until a line begins that can only be JSON: from there on all is one text."""

    def __init__(self, target: Target) -> None:
        self._events = SSEDecoder(limit=target.max_response_bytes)
        self._line = bytearray()
        self._bare: bytearray | None = None

    @property
    def stray(self) -> str:
        """What came that was no frame, for messages."""
        return self._bare.decode("utf-8", "replace") if self._bare else self._events.ignored

    def frames(self, data: bytes) -> Iterator[Frame]:
        """Yield the events that `data` completes."""
        if self._bare is not None:
            self._bare += data
            return
        self._line += data
        cut = self._line.rfind(b"\n") + 1
        for line in bytes(self._line[:cut]).splitlines(keepends=True):
            if self._bare is None and _is_json(line):
                self._bare = bytearray()
            if self._bare is None:
                yield from _apart(self._events.events(line))
            else:
                self._bare += line
        del self._line[:cut]
        if self._bare is not None:
            self._bare += self._line
            self._line.clear()

    def close(self) -> Iterator[Frame]:
        """Yield what the bytes ended in the middle of, if it can be read."""
        if self._bare is None and _is_json(bytes(self._line)):
            self._bare = self._line
        elif self._bare is None:
            yield from _apart(self._events.events(bytes(self._line)))
        for frame in _apart(self._events.close()):
            if frame.data.startswith("[DONE]") or loaded(frame.data) is not None:
                yield frame
        text = self._bare.decode("utf-8", "replace") if self._bare else ""
        value = loaded(text)
        if value is not None:
            yield Frame("", json.dumps(value[0] if isinstance(value, list) and value else value))


def _apart(events: Iterable[SSEEvent]) -> Iterator[Frame]:
    """Events with an answer on each line, from servers that leave out the empty lines, one by one."""
    for event in events:
        lines = event.data.split("\n") if "\n" in event.data else []
        if lines and all(loaded(line) is not None for line in lines):
            yield from (Frame(event.event, line) for line in lines)
        else:
            yield Frame(event.event, event.data)


def _is_json(line: bytes) -> bool:
    """Whether a line can be no field of an event stream, since an object or a list begins there."""
    return line.lstrip()[:1] in (b"{", b"[")


def answers_in(text: str) -> list[Any] | None:
    """The whole elements of a JSON array that may have been cut; None where the text is no array."""
    if not text.startswith("["):
        return None
    decoder, place = json.JSONDecoder(), 1
    found: list[Any] = []
    while True:
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return found
        found.append(value)

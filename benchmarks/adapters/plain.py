"""What the raw clients share: the request, and the plainest decoding that is right for it."""

from __future__ import annotations

import json
from typing import Any

from .. import payloads

PATH = "/chat/completions"


def body(*, stream: bool = False) -> dict[str, Any]:
    """The request as a program would write it, anew for every call."""
    asked = {"model": payloads.MODEL, "messages": payloads.MESSAGES, **payloads.SAMPLING}
    return {**asked, "stream": True} if stream else asked


def refused(status: int) -> bool:
    """Whether another provider should be asked."""
    return status == 429 or status >= 500


def text_of(answer: bytes) -> str:
    """The text of a whole answer."""
    text: str = json.loads(answer)["choices"][0]["message"]["content"]
    return text


def has_text(data: str | bytes) -> bool:
    """Whether the data of an event is a piece of text."""
    if data in ("[DONE]", b"[DONE]"):
        return False
    choices = json.loads(data)["choices"]
    return bool(choices and choices[0]["delta"].get("content"))


class Events:
    """Cuts server-sent events, of one data line each, out of a stream of bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def texts_in(self, data: bytes) -> int:
        """How many of the events that this piece completes are pieces of text."""
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        return sum(has_text(event[6:]) for event in whole if event.startswith(b"data: "))

"""What is asked and what is answered: fixed, of ordinary size, made of plain Python.

The answer is about 1.2 kB of JSON as OpenAI's API writes it; a stream is EVENTS pieces of text between the
events that begin and end one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MODEL = "gpt-4o-mini"
EVENTS = 300
"""Pieces of text in a stream."""
_SENTENCES = (
    "A set of points lets a train leave one track for another, and a dispatcher decides which one is free. "
    "Where the line ahead is blocked the next one is tried, until the train arrives or the day is over. "
)
TEXT = (_SENTENCES * 3)[:440].strip()
"""The text of a whole answer."""
MESSAGES: list[dict[str, str]] = [
    {"role": "system", "content": "You answer in one short paragraph, plainly and without a list."},
    {"role": "user", "content": "How does a dispatcher choose a track when two are blocked? " * 5},
]
"""The conversation that is sent in every call."""
SAMPLING: dict[str, Any] = {"temperature": 0.2, "max_tokens": 256}
"""The settings that are sent in every call."""

_BEGINNING: dict[str, Any] = {"id": "chatcmpl-C4kq9Zr2Yt7Wm1Xs8Vb5Nd3LgHf6", "created": 1760000000}
_USAGE: dict[str, Any] = {
    "prompt_tokens": 82,
    "completion_tokens": 96,
    "total_tokens": 178,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
_ENDING: dict[str, Any] = {"service_tier": "default", "system_fingerprint": "fp_5c1d77a0e2"}


def completion() -> bytes:
    """The body of a whole answer."""
    message: dict[str, Any] = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return json.dumps(
        {
            **_BEGINNING,
            "object": "chat.completion",
            "model": MODEL,
            "choices": [choice],
            "usage": _USAGE,
            **_ENDING,
        },
        indent=2,
    ).encode()


def refusal(status: int) -> bytes:
    """The body of an error."""
    kind, code = ("requests", "rate_limit_exceeded") if status == 429 else ("server_error", "internal_error")
    said = "Too many requests of this kind, or too little to answer them with. Try again."
    return json.dumps({"error": {"message": said, "type": kind, "param": None, "code": code}}).encode()


def events() -> Iterator[bytes]:
    """The server-sent events of a stream, each as it is written."""
    words = TEXT.split(" ")
    yield _event({"role": "assistant", "content": "", "refusal": None})
    for index in range(EVENTS):
        yield _event({"content": " " + words[index % len(words)]})
    yield _event({}, finish="stop")
    yield _written({**_chunk(), "choices": [], "usage": _USAGE})
    yield b"data: [DONE]\n\n"


def _event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _written({**_chunk(), "choices": [choice], "usage": None})


def _chunk() -> dict[str, Any]:
    return {**_BEGINNING, "object": "chat.completion.chunk", "model": MODEL, **_ENDING}


def _written(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"

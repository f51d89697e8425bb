"""Guesses at token counts, for what no provider counted: a stream cut short, a call not made yet.

Four UTF-8 bytes to a token, and a few for each message: near enough for English and code, high for other
scripts. Whatever is computed from a guess says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from turnout.providers.chat import ChatCompletion, ChatResponse, TextPart, Usage

from .health.calibration import Calibration

BYTES_PER_TOKEN = 4
"""Of UTF-8, as everything here is estimated."""
_PER_MESSAGE = 4  # role and separators, as chat templates write them
_PER_ATTACHMENT = 800  # an image or a file of unknown size; a guess in the middle of what hosts count
_MOST_PER_TOKEN = 12  # characters besides white space that a token stands for at the most, on average
_LONG_WORD = 64  # nobody writes longer words; what is longer may be a line of dashes
_RUN = re.compile(r"(.)\1{12,}", re.DOTALL)


def prompt_tokens(request: ChatCompletion) -> int:
    """About how many tokens a request's prompt has, tools included."""
    size = 0
    asked = request.__dict__  # at once, as below: each attribute of a model is as dear to read as all of them
    messages = asked["messages"]
    tokens = _PER_MESSAGE * len(messages)
    for message in messages:
        said = message.__dict__
        content = said["content"]
        if type(content) is str:
            size += len(content) if content.isascii() else _size(content)
        elif content:
            for part in content:
                text = getattr(part, "text", None)
                if isinstance(text, str):
                    size += _size(text)
                else:
                    tokens += _PER_ATTACHMENT
        if said["reasoning"]:
            size += _size(said["reasoning"])
        if said["tool_calls"]:
            size += _json_size(message.wire()["tool_calls"])
    if asked["tools"]:
        size += _json_size(request.wire()["tools"])
    return tokens - -size // BYTES_PER_TOKEN


def answer_limit(request: ChatCompletion, overrides: Mapping[str, Any]) -> int | None:
    """The most tokens that all choices of an answer may have together, as a target is asked; None: any."""
    most = request.max_output_tokens
    if overrides:
        for name in ("max_tokens", "max_completion_tokens"):
            if name in overrides:
                most = overrides[name]
    return None if most is None else most * (request.n or 1)


def learn_from(request: ChatCompletion, usage: Usage, calibration: Calibration) -> None:
    """Learn from what a target counted for a request, where that is worth the trouble of estimating it.

    Prompts with anything but text teach nothing: what a picture counts as differs more than words do.
    """
    counted = usage.prompt_tokens
    if calibration.wants(counted) and is_text(request):
        calibration.observe(prompt_tokens(request), counted)


def is_text(request: ChatCompletion) -> bool:
    """Whether there is nothing but text in a request's messages."""
    return all(
        type(message.content) is not list or all(type(part) is TextPart for part in message.content)
        for message in request.messages
    )


def least_prompt_tokens(request: ChatCompletion) -> int:
    """A count of tokens that a request's prompt has at the very least, for deciding that it cannot fit.

    Only the text of the messages counts. Two bounds, the higher one holds: a word, which is text between
    white space, is one token or more to every tokenizer in use; and a token stands for twelve characters or
    fewer besides white space, where prose and code have two to five: twelve is a long word that is a single
    token. A run of one character repeated, such as a ruled line, is cut short first, since it may be one too.
    """
    words = characters = 0
    for text in _prompt_texts(request):
        pieces = text.split()
        words += len(pieces)
        characters += sum(map(len, pieces))
        if max(map(len, pieces), default=0) > _LONG_WORD:
            characters -= sum(_repeated(piece) for piece in pieces if len(piece) > _LONG_WORD)
    return max(words, characters // _MOST_PER_TOKEN)


def _prompt_texts(request: ChatCompletion) -> Iterable[str]:
    for message in request.messages:
        if isinstance(message.content, str):
            yield message.content
        else:
            yield from (part.text for part in message.content or () if isinstance(part, TextPart))


def _repeated(piece: str) -> int:
    """How many characters of a piece only repeat the one before them, from the thirteenth on."""
    return sum(run.end() - run.start() - _MOST_PER_TOKEN for run in _RUN.finditer(piece))


def usage_of(request: ChatCompletion, response: ChatResponse) -> Usage:
    """About what an answer took that broke off before the provider counted."""
    said = sum(map(_size, _texts(response)))
    return Usage(prompt_tokens=prompt_tokens(request), completion_tokens=_tokens(said))


def _texts(response: ChatResponse) -> Iterable[str]:
    for choice in response.choices:
        message = choice.message
        yield message.content or ""
        yield message.reasoning or ""
        yield message.refusal or ""
        for call in message.tool_calls or ():
            yield json.dumps(call.wire(), ensure_ascii=False)


def _json_size(value: Any) -> int:
    return _size(json.dumps(value, ensure_ascii=False)) if value else 0


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)

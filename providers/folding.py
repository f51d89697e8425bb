"""Chunks into one answer, and an answer into chunks: the one place that knows how a stream adds up.

Text, reasoning, refusals, tool arguments, sound and transcripts are joined; lists grow; usage, ids and all
else keep the last value that is not null, objects key by key. Fields that the contract does not know stay
where they came: on the answer, the choice, the message, the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .chat import (
    Annotation,
    AudioAnswer,
    ChatChunk,
    ChatResponse,
    Choice,
    ChunkChoice,
    CustomCall,
    CustomCallDelta,
    Delta,
    FunctionCall,
    FunctionCallDelta,
    Logprobs,
    Record,
    ResponseMessage,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)

_IN_EVERY_CHUNK = frozenset({"id", "object", "created", "model", "choices", "usage"})
_PADDING = frozenset({"obfuscation"})
"""Random text that only hides the length of what was said."""
_JOINED_DETAILS = frozenset({"text", "summary", "data"})
"""Fields of a reasoning detail that come in pieces."""


class Fold:
    """Adds up the chunks of one answer. What has come so far can be had at any time."""

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._created = 0
        self._usage: Usage | None = None
        self._rest: dict[str, Any] = {}
        self._choices: dict[int, _ChoiceFold] = {}

    def add(self, chunk: ChatChunk) -> None:
        """Take in the next chunk."""
        self._id = self._id or chunk.id
        self._model = self._model or chunk.model
        self._created = self._created or chunk.created
        if chunk.usage is not None:
            self._usage = chunk.usage
        for name in chunk.model_fields_set - _IN_EVERY_CHUNK:
            _keep(self._rest, name, getattr(chunk, name))
        for choice in chunk.choices:
            index = choice.index
            if index not in self._choices:
                self._choices[index] = _ChoiceFold()
            self._choices[index].add(choice)

    def response(self) -> ChatResponse:
        """The answer as far as it has come, an empty one before the first chunk."""
        rest = {name: value for name, value in self._rest.items() if name not in _PADDING}
        return ChatResponse(
            id=self._id,
            model=self._model,
            created=self._created,
            usage=self._usage,
            choices=[self._choices[index].choice(index) for index in sorted(self._choices)],
            **rest,
        )


def fold(chunks: Iterable[ChatChunk]) -> ChatResponse:
    """The answer that these chunks add up to."""
    folding = Fold()
    for chunk in chunks:
        folding.add(chunk)
    return folding.response()


def unfold(response: ChatResponse) -> Iterator[ChatChunk]:
    """The answer as a stream: who speaks, what is said, why it ended, and what it took.

    `fold(unfold(response))` gives the response back, provided its choices have indexes of their own, in
    order, and none of its unknown fields bears the name that a chunk has for another thing (`index` on a tool
    call, `delta` on a choice).
    """
    same = {"id": response.id, "created": response.created, "model": response.model}
    about = {
        name: getattr(response, name) for name in response.model_fields_set - _IN_EVERY_CHUNK if name != "trace"
    }
    said = [(choice, choice.message) for choice in response.choices]
    starts = [ChunkChoice(index=choice.index, delta=Delta(role=message.role)) for choice, message in said]
    yield ChatChunk(**same, **about, trace=response.trace, choices=starts)
    for choice, message in said:
        yield ChatChunk(**same, choices=[ChunkChoice(index=choice.index, delta=_delta(message))])
    for choice in response.choices:
        yield ChatChunk(**same, choices=[_end(choice)])
    if response.usage is not None:
        yield ChatChunk(**same, usage=response.usage)

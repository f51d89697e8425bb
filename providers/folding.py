"""Chunks into one answer: the one place that knows how a stream adds up.

Text, reasoning, refusals, tool arguments, sound and transcripts are joined; lists grow; usage, ids and all
else keep the last value that is not null, objects key by key. Fields that the contract does not know stay
where they came: on the answer, the choice, the message, the call. A chunk with `reset` voids all before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from .chat import (
    Annotation,
    AudioAnswer,
    ChatChunk,
    ChatResponse,
    Choice,
    ChunkChoice,
    CustomCall,
    Delta,
    FunctionCall,
    Logprobs,
    Record,
    ResponseMessage,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from .chat.making import record_of

# The fields that a fold adds up itself; what else is set is kept as it is.
CHUNK_OWN = frozenset({"id", "object", "created", "model", "choices", "usage", "reset"})
_CHOICE_OWN = frozenset({"index", "delta", "finish_reason", "logprobs"})
_DELTA_OWN = frozenset(Delta.model_fields)
_PLAIN_DELTA = frozenset({"role", "content", "reasoning"})
CALL_OWN = frozenset(ToolCallDelta.model_fields)
_CALLED_OWN = frozenset({"name", "arguments", "input"})
_AUDIO_OWN = frozenset(AudioAnswer.model_fields)
_LOGPROBS_OWN = frozenset(Logprobs.model_fields)

# What a chunk says about the answer as such, which most chunks repeat.
_about = itemgetter(
    "id", "created", "model", "system_fingerprint", "service_tier", "provider", "metadata",
    "responseStatus", "cost", "trace", "reset",
)  # fmt: skip

_PADDING = frozenset({"obfuscation"})
"""Random text that only hides the length of what was said."""
_JOINED_DETAILS = frozenset({"text", "summary", "data"})
"""Fields of a reasoning detail that come in pieces."""


class Fold:
    """Adds up the chunks of one answer. What has come so far can be had at any time."""

    __slots__ = ("_about", "_choices", "_created", "_id", "_model", "_rest", "_usage")

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._created = 0
        self._usage: Usage | None = None
        self._rest: dict[str, Any] = {}
        self._choices: dict[int, _ChoiceFold] = {}
        self._about: tuple[Any, ...] = ()

    def add(self, chunk: ChatChunk) -> None:
        """Take in the next chunk."""
        values = chunk.__dict__
        if values["usage"] is not None:
            self._usage = values["usage"]
        about = _about(values)
        if about != self._about or chunk.__pydantic_extra__:  # most chunks say what the one before said
            self._about = about
            self._take_up(chunk)
        for choice in values["choices"]:
            values = choice.__dict__
            folding = self._choices.get(values["index"])
            if folding is None:
                folding = self._choices[values["index"]] = _ChoiceFold()
            folding.add_delta(values["delta"])
            if values["finish_reason"] is not None or values["logprobs"] is not None:
                folding.add_end(choice)
            if choice.__pydantic_extra__:
                keep(folding.rest, choice, _CHOICE_OWN)

    def _take_up(self, chunk: ChatChunk) -> None:
        """What a chunk says about the answer as such."""
        if chunk.reset:
            self._id, self._model, self._created, self._usage = "", "", 0, None
            self._rest, self._choices = {}, {}
        self._id = self._id or chunk.id
        self._model = self._model or chunk.model
        self._created = self._created or chunk.created
        keep(self._rest, chunk, CHUNK_OWN)

    def response(self) -> ChatResponse:
        """The answer as far as it has come, an empty one before the first chunk."""
        rest = {name: value for name, value in self._rest.items() if name not in _PADDING}
        return record_of(
            ChatResponse,
            {
                "id": self._id,
                "model": self._model,
                "created": self._created,
                "usage": self._usage,
                "choices": [self._choices[index].choice(index) for index in sorted(self._choices)],
                **rest,
            },
        )


def fold(chunks: Iterable[ChatChunk]) -> ChatResponse:
    """The answer that these chunks add up to."""
    folding = Fold()
    for chunk in chunks:
        folding.add(chunk)
    return folding.response()


def _joined(pieces: list[str]) -> str | None:
    """Text in pieces; None before the first piece, which may be empty."""
    return "".join(pieces) if pieces else None


class _CallFold:
    """One tool call, or the old form of one."""

    __slots__ = ("custom", "function", "id", "rest", "type")

    def __init__(self) -> None:
        self.id = ""
        self.type = ""
        self.function: _CalledFold | None = None
        self.custom: _CalledFold | None = None
        self.rest: dict[str, Any] = {}

    def add(self, delta: ToolCallDelta) -> None:
        values = delta.__dict__
        self.id = self.id or values["id"] or ""
        self.type = self.type or values["type"] or ""
        if (function := values["function"]) is not None:
            if self.function is None:
                self.function = _CalledFold()
            self.function.add(function, function.name, function.arguments)
        if (custom := values["custom"]) is not None:
            if self.custom is None:
                self.custom = _CalledFold()
            self.custom.add(custom, custom.name, custom.input)
        if delta.__pydantic_extra__:
            keep(self.rest, delta, CALL_OWN)

    def starts_another(self, delta: ToolCallDelta) -> bool:
        """Whether `delta` begins a new call although it bears this one's index, as some servers count."""
        called = delta.function or delta.custom
        return bool(self.id and delta.id and delta.id != self.id and called and called.name)

    def call(self) -> ToolCall:
        fields = {
            "id": self.id,
            "type": self.type or "function",
            "function": self.function.function() if self.function else None,
            "custom": self.custom.custom() if self.custom else None,
            **self.rest,
        }
        return record_of(ToolCall, fields)


class _CalledFold:
    """What a call calls, and with what."""

    __slots__ = ("given", "name", "rest")

    def __init__(self) -> None:
        self.name = ""
        self.given: list[str] = []
        self.rest: dict[str, Any] = {}

    def add(self, delta: Record, name: str | None, given: str | None) -> None:
        if name and name != self.name:  # some servers repeat the whole name with every piece
            self.name += name
        if given:
            self.given.append(given)
        if delta.__pydantic_extra__:
            keep(self.rest, delta, _CALLED_OWN)

    def function(self) -> FunctionCall:
        return record_of(FunctionCall, {"name": self.name, "arguments": "".join(self.given), **self.rest})

    def custom(self) -> CustomCall:
        return record_of(CustomCall, {"name": self.name, "input": "".join(self.given), **self.rest})


class _AudioFold:
    """Sound and what is said in it."""

    __slots__ = ("data", "expires_at", "id", "rest", "transcript")

    def __init__(self) -> None:
        self.id: str | None = None
        self.expires_at: int | None = None
        self.data: list[str] = []
        self.transcript: list[str] = []
        self.rest: dict[str, Any] = {}

    def add(self, piece: AudioAnswer) -> None:
        self.id = self.id if piece.id is None else piece.id
        self.expires_at = self.expires_at if piece.expires_at is None else piece.expires_at
        if piece.data is not None:
            self.data.append(piece.data)
        if piece.transcript is not None:
            self.transcript.append(piece.transcript)
        keep(self.rest, piece, _AUDIO_OWN)

    def answer(self) -> AudioAnswer:
        return AudioAnswer(
            id=self.id,
            expires_at=self.expires_at,
            data=_joined(self.data),
            transcript=_joined(self.transcript),
            **self.rest,
        )


class _LogprobsFold:
    __slots__ = ("content", "refusal", "rest")

    def __init__(self) -> None:
        self.content: list[TokenLogprob] | None = None
        self.refusal: list[TokenLogprob] | None = None
        self.rest: dict[str, Any] = {}

    def add(self, piece: Logprobs) -> None:
        self.content = _longer(self.content, piece.content)
        self.refusal = _longer(self.refusal, piece.refusal)
        keep(self.rest, piece, _LOGPROBS_OWN)

    def logprobs(self) -> Logprobs:
        return Logprobs(content=self.content, refusal=self.refusal, **self.rest)


class _ChoiceFold:
    """One choice and its message."""

    __slots__ = (
        "annotations",
        "at",
        "audio",
        "calls",
        "content",
        "details",
        "finish_reason",
        "function_call",
        "logprobs",
        "message_rest",
        "reasoning",
        "refusal",
        "rest",
        "role",
    )

    def __init__(self) -> None:
        self.role = ""
        self.content: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.details: list[dict[str, Any]] | None = None
        self.annotations: list[Annotation] | None = None
        self.calls: list[_CallFold] | None = None
        self.at: dict[int, _CallFold] = {}
        self.function_call: _CalledFold | None = None
        self.audio: _AudioFold | None = None
        self.logprobs: _LogprobsFold | None = None
        self.finish_reason: str | None = None
        self.message_rest: dict[str, Any] = {}
        self.rest: dict[str, Any] = {}

    def add_delta(self, delta: Delta) -> None:
        values = delta.__dict__
        if (piece := values["content"]) is not None:
            self.content.append(piece)
        if (piece := values["reasoning"]) is not None:
            self.reasoning.append(piece)
        if not self.role:
            self.role = values["role"] or ""
        told = delta.__pydantic_fields_set__
        if told <= _PLAIN_DELTA:
            return
        if values["tool_calls"] is not None:
            self.add_calls(values["tool_calls"])
            if len(told) == 1:
                return
        if delta.refusal is not None:
            self.refusal.append(delta.refusal)
        self.annotations = _longer(self.annotations, delta.annotations)
        if delta.reasoning_details is not None:
            self.details = _with_details(self.details or [], delta.reasoning_details)
        if delta.function_call is not None:
            called = delta.function_call
            self.function_call = self.function_call or _CalledFold()
            self.function_call.add(called, called.name, called.arguments)
        if delta.audio is not None:
            self.audio = self.audio or _AudioFold()
            self.audio.add(delta.audio)
        if delta.__pydantic_extra__:
            keep(self.message_rest, delta, _DELTA_OWN)

    def add_end(self, choice: ChunkChoice) -> None:
        if choice.finish_reason is not None:
            self.finish_reason = choice.finish_reason
        if choice.logprobs is not None:
            self.logprobs = self.logprobs or _LogprobsFold()
            self.logprobs.add(choice.logprobs)

    def add_calls(self, deltas: list[ToolCallDelta]) -> None:
        if self.calls is None:
            self.calls = []
        for delta in deltas:
            call = self.at.get(delta.index)
            if call is None or (delta.id and call.starts_another(delta)):
                call = self.at[delta.index] = _CallFold()
                self.calls.append(call)
            call.add(delta)

    def choice(self, index: int) -> Choice:
        fields = {
            "index": index,
            "finish_reason": self.finish_reason,
            "logprobs": self.logprobs.logprobs() if self.logprobs else None,
            **self.rest,
            "message": self.message(),
        }
        return record_of(Choice, fields)

    def message(self) -> ResponseMessage:
        fields = {
            "role": self.role or "assistant",
            "content": _joined(self.content),
            "refusal": _joined(self.refusal),
            "reasoning": _joined(self.reasoning),
            "reasoning_details": self.details and [dict(detail) for detail in self.details],
            "annotations": self.annotations and [*self.annotations],
            "audio": self.audio.answer() if self.audio else None,
            "tool_calls": None if self.calls is None else [call.call() for call in self.calls],
            "function_call": self.function_call.function() if self.function_call else None,
            **self.message_rest,
        }
        return record_of(ResponseMessage, fields)


def keep(kept: dict[str, Any], record: Record, own: frozenset[str]) -> None:
    """Keep what the fold of `record` does not add up itself; null never replaces a value."""
    told = record.__pydantic_fields_set__
    if told <= own:
        return
    given = {**record.__dict__, **(record.__pydantic_extra__ or {})}
    for name in given:
        if name in own or name not in told:
            continue
        value, before = given[name], kept.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            kept[name] = {**before, **value}
        elif value is not None or name not in kept:
            kept[name] = value


def _longer(have: list[Any] | None, new: list[Any] | None) -> list[Any] | None:
    return have if new is None else [*(have or ()), *new]


def _with_details(have: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Details grown by a delta's; a piece with the type and index of an earlier one continues it."""
    earlier = {(detail.get("type"), detail["index"]): detail for detail in have if _numbered(detail)}
    for piece in new:
        known = earlier.get((piece.get("type"), piece["index"])) if _numbered(piece) else None
        if known is None:
            have.append(dict(piece))
            continue
        for name, value in piece.items():
            if name in _JOINED_DETAILS and isinstance(value, str) and isinstance(known.get(name), str):
                known[name] += value
            elif value is not None:
                known[name] = value
    return have


def _numbered(detail: dict[str, Any]) -> bool:
    return isinstance(detail.get("index"), int)

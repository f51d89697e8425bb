"""Answers of Cohere's Chat API v2, whole or event by event.

A stream opens with `message-start`; then come content blocks (`content-start`, `-delta`, `-end`), the plan in
front of tool calls (`tool-plan-delta`), the calls (`tool-call-start`, `-delta`, `-end`) and citations, and it
ends with `message-end`, which may report an error. What a whole answer gives in lists, an event gives as one
object. Thinking and plan both become reasoning; blocks of either are also kept as they came, since Cohere
takes them back.

Sources: cohere 7.3.1 response and event types; recorded answers in public test suites, 2026-11-21.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..chat import ChatChunk, ChatCompletion
from ..dialect import Target
from ..errors import ProviderError
from .chunks import ChunkWriter
from .cohere_citations import logprobs, remarks, usage
from .cohere_encoding import WIRE
from .cohere_messages import PLAN
from .cohere_tools import answering, names_of
from .draft import Json
from .envelope import made_identity, malformed
from .error_reading import error_in
from .keeping import keep
from .openai_choices import ShapeError
from .reading import interrupted

FINISH = {
    "COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls", "ERROR_TOXIC": "content_filter",
}  # fmt: skip
"""Cohere's finish reasons in the contract's words; two are of older models."""
FAILED = {
    "ERROR": "the generation failed, says the provider",
    "TIMEOUT": "the generation took too long, says the provider",
}
"""Finish reasons that report a failure, and what to say where the provider gives no message."""

_BODY = frozenset({"id", "message", "finish_reason", "usage", "logprobs", "meta"})
_MESSAGE = frozenset({"role", "content", PLAN, "tool_calls", "citations"})
_EVENT = frozenset({"type", "id", "index", "delta", "logprobs"})
_END = frozenset({"finish_reason", "usage", "error"})
_CALL = frozenset({"id", "type", "function", "index"})
_TAKEN = frozenset(ChatChunk.model_fields) | {"custom", "function", "name", "identity", "arguments", "choice"}
_SPOKEN = ("text", "thinking")


@dataclass(slots=True)
class _Block:
    """A content block."""

    index: Any
    """The provider's number of it."""
    kind: str
    offset: int
    """Length of the joined text before it."""
    text: str = ""
    rest: Json | None = None
    """The block as it came, for kinds that are not known."""


@dataclass(slots=True)
class _Call:
    """A tool call that is being written."""

    index: Any
    number: int | None
    """Its number in the choice; None for the call that is the answer itself."""
    held: str | None = ""
    """Arguments that may still turn out to be `null`; None once they are passed on as they come."""


class CohereReader:
    """Turns one answer into chunks."""

    def __init__(self, request: ChatCompletion, target: Target) -> None:
        self._target = target
        self._writer = ChunkWriter(target)
        self._blocks: list[_Block] = []
        self._calls: list[_Call] = []
        self._plan = ""
        self._length = 0
        self._done = False
        self._answer = answering(request)
        self._names = {said: name for name, said in names_of(request).items()}

    @property
    def done(self) -> bool:
        """Whether the terminal event has come."""
        return self._done

    def whole(self, payload: Json) -> Iterator[ChatChunk]:
        """The chunks of a whole answer."""
        message = payload.get("message")
        if message is None and payload.get("finish_reason") is None:
            raise malformed(self._target, "the answer has neither a message nor a finish_reason")
        yield self._opened(payload)
        yield from self._message(message)
        told = logprobs(payload.get("logprobs"))
        if told is not None:
            chunk = self._writer.delta()
            chunk.choices[0].logprobs = told
            yield chunk
        ending = {**payload, "usage": payload.get("usage") or payload.get("meta")}
        yield from self._ended(ending, _extras(payload, _BODY))

    def read(self, event: str, payload: Any) -> Iterator[ChatChunk]:
        """The chunks of one event; one that is not known is kept on a chunk of its own."""
        kind = payload.get("type") or event
        delta = _object(payload.get("delta"))
        message = _object(delta.get("message"))
        index = payload.get("index")
        match kind:
            case "message-start":
                yield self._opened(payload)
                yield from self._message(message)
                yield from self._more(_extras(payload, _EVENT))
            case "content-start" | "content-delta":
                yield from self._content(index, _one(message.get("content")), payload.get("logprobs"))
            case "tool-plan-delta":
                yield from self._planned(message.get(PLAN))
            case "tool-call-start":
                for call in _several(message.get("tool_calls")):
                    yield from self._called(index, call)
            case "tool-call-delta" if self._calls:
                for call in _several(message.get("tool_calls")):
                    yield from self._argued(index, _object(call.get("function")).get("arguments"))
            case "tool-call-end" if self._calls:
                yield from self._called_out(self._call(index))
            case "citation-start":
                for citation in _several(message.get("citations") or payload.get("citation")):
                    yield from self._cited(citation)
            case "message-end":
                self._done = True
                known = _EVENT | _END  # some servers put the end's fields beside the delta
                extras = {**_extras(payload, known), **_extras(delta, _END)}
                yield from self._ended({**payload, **delta}, extras)
            case "content-end" | "citation-end":
                pass
            case _:
                name = f"{WIRE}_{str(kind or 'event').replace('-', '_')}"
                yield self._writer.chunk(**{name: payload})

    def end(self) -> Iterator[ChatChunk]:
        """The stream has stopped without `message-end`."""
        raise interrupted(self._target, "the stream ended before its message-end")

    def _opened(self, payload: Json) -> ChatChunk:
        self._writer.open(payload.get("id") or made_identity())
        return self._writer.delta()

    def _more(self, extras: Json) -> Iterator[ChatChunk]:
        if extras:
            yield self._writer.chunk(**extras)

    def _message(self, message: Any) -> Iterator[ChatChunk]:
        """What a message holds, in the order in which a stream would give it."""
        if not isinstance(message, dict):
            if message is None:
                return
            raise ShapeError("message is no object")
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else _several(content)
        for index, block in enumerate(blocks):
            yield from self._content(index, block, None)
        yield from self._planned(message.get(PLAN))
        for index, call in enumerate(_several(message.get("tool_calls"))):
            yield from self._called(index, call)
            yield from self._called_out(self._calls[-1])
        for citation in _several(message.get("citations")):
            yield from self._cited(citation)
        extras = _extras(message, _MESSAGE)
        if extras:
            yield self._writer.delta(cohere_message=extras)

    def _content(self, index: Any, content: Json, likelihoods: Any) -> Iterator[ChatChunk]:
        """A piece of a block, or a whole one; a piece may come without its block having been announced."""
        kind = content.get("type") or next((word for word in _SPOKEN if content.get(word) is not None), None)
        told = logprobs(likelihoods)
        if kind is None:
            kind = self._blocks[-1].kind if self._blocks else "text"
        block = self._block(index, kind)
        piece = content.get(kind)
        if kind not in _SPOKEN:
            block.rest = _joined(block.rest or {}, content)
        elif isinstance(piece, str) and piece:
            block.text += piece
            if kind == "text":
                self._length += len(piece)
                yield self._writer.text(piece, logprobs=told)
                return
            yield self._writer.reasoning(piece)
        if told is not None:
            chunk = self._writer.delta()
            chunk.choices[0].logprobs = told
            yield chunk

    def _block(self, index: Any, kind: str) -> _Block:
        """The block that a piece belongs to, which is the last one unless its number or kind is another."""
        last = self._blocks[-1] if self._blocks else None
        if last is not None and last.kind == kind and (index is None or last.index == index):
            return last
        block = _Block(index, kind, self._length)
        self._blocks.append(block)
        return block

    def _planned(self, piece: Any) -> Iterator[ChatChunk]:
        if isinstance(piece, str) and piece:
            self._plan += piece
            yield self._writer.reasoning(piece)

    def _called(self, index: Any, call: Json) -> Iterator[ChatChunk]:
        """The beginning of a call, or all of it."""
        function = _object(call.get("function"))
        name = _text(function.get("name"))
        if self._answer and name == self._answer:
            self._calls.append(_Call(index, None))
        else:
            known = self._names.get(name, name)
            number, chunk = self._writer.begin_call(known, call.get("id"), **_extras(call, _CALL))
            self._calls.append(_Call(index, number))
            yield chunk
        yield from self._argued(index, function.get("arguments"))

    def _call(self, index: Any) -> _Call:
        """The last call of that number, or the last of all where none has it."""
        return next((call for call in reversed(self._calls) if call.index == index), self._calls[-1])

    def _argued(self, index: Any, piece: Any) -> Iterator[ChatChunk]:
        """A piece of a call's arguments; `null`, which stands for none at all, is held back."""
        call, text = self._call(index), _text(piece)
        if call.held is None:
            yield from self._pass(call, text)
            return
        call.held += text
        if not "null".startswith(call.held.strip()):
            text, call.held = call.held, None
            yield from self._pass(call, text)

    def _called_out(self, call: _Call) -> Iterator[ChatChunk]:
        """The end of a call; one without arguments gets an empty object."""
        if call.held is not None:
            text = "{}" if call.held.strip() in {"", "null"} else call.held
            call.held = None
            yield from self._pass(call, text)

    def _pass(self, call: _Call, text: str) -> Iterator[ChatChunk]:
        if not text:
            return
        if call.number is None:
            self._length += len(text)
            yield self._writer.text(text)
        else:
            yield self._writer.arguments(call.number, text)

    def _cited(self, citation: Json) -> Iterator[ChatChunk]:
        texts = [block for block in self._blocks if block.kind == "text"]
        place = citation.get("content_index")
        offset = next((block.offset for block in texts if place is not None and block.index == place), None)
        if offset is None:
            offset = texts[0].offset if texts else 0
        for annotation in remarks(citation, offset):
            yield self._writer.delta(annotations=[annotation])

    def _ended(self, ending: Json, extras: Json) -> Iterator[ChatChunk]:
        """The end: why, how many tokens, what must be given back and whatever else was said."""
        for call in self._calls:
            yield from self._called_out(call)
        told = usage(ending.get("usage"))
        word = ending.get("finish_reason")
        failure = self._failure(word, ending.get("error"))
        if failure is not None:
            failure.usage = told
            raise failure
        if any(block.kind == "text" for block in self._blocks) and not self._length:
            yield self._writer.text("")
        strange = [block.rest for block in self._blocks if block.rest]
        if strange:
            yield self._writer.delta(cohere_content=strange)
        for detail in self._details():
            yield self._writer.detail(detail)
        native = _text(word)
        yield self._writer.finish(self._reason(native), native or None)
        yield self._writer.usage(told, **extras)

    def _reason(self, word: str) -> str:
        reason = FINISH.get(word.upper(), word)
        if not reason:
            return "tool_calls" if self._writer.calls else "stop"
        answered = any(call.number is None for call in self._calls)
        return "stop" if reason == "tool_calls" and answered and not self._writer.calls else reason

    def _failure(self, word: Any, message: Any) -> ProviderError | None:
        name = _text(word).upper()
        if not message and name not in FAILED:
            return None
        text = message if isinstance(message, str) and message else FAILED.get(name, "the generation failed")
        return error_in({"error": {"message": text, "code": name or "ERROR"}}, self._target)

    def _details(self) -> Iterator[Json]:
        """Thinking and plan as they came; texts too, where their places beside thinking would be lost."""
        texts = sum(block.kind == "text" for block in self._blocks)
        thinks = any(block.kind == "thinking" and block.text for block in self._blocks)
        for place, block in enumerate(self._blocks):
            if block.text and (block.kind == "thinking" or (block.kind == "text" and thinks and texts > 1)):
                kept = {"type": block.kind, block.kind: block.text}
                yield keep(self._target, WIRE, block.kind, place, kept)
        if self._plan:
            yield keep(self._target, WIRE, PLAN, len(self._blocks), {PLAN: self._plan})


def _object(value: Any) -> Json:
    """An object, empty where there is none."""
    return value if isinstance(value, dict) else {}


def _several(value: Any) -> list[Json]:
    """Objects, whether there is a list of them, one, or none."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def _one(value: Any) -> Json:
    """The object, or the first of several."""
    return next(iter(_several(value)), {})


def _text(value: Any) -> str:
    """A text; what is none is written as JSON, and nothing as nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _joined(have: Json, more: Json) -> Json:
    """A block grown by a piece: texts are added up, all else is replaced."""
    grown = {
        name: have[name] + value
        for name, value in more.items()
        if name != "type" and isinstance(value, str) and isinstance(have.get(name), str)
    }
    return {**have, **more, **grown}


def _extras(payload: Json, known: frozenset[str]) -> Json:
    """The fields that are not known; names that mean something else in the contract get `native_`."""
    return {
        f"native_{name}" if name in _TAKEN else name: value
        for name, value in payload.items()
        if name not in known and value is not None
    }

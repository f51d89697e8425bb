"""Ollama's answers: every line of a stream is a whole JSON object, and a whole answer is such a line alone.

Sources: ollama's api/types.go (`ChatResponse`, `Metrics`) and server/routes.go (`streamResponse`,
`writeChatResponse`), commit fb307609 of August 2026.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from ..chat import ChatChunk, ChatResponse, Delta, Logprobs
from ..dialect import Target
from ..folding import fold
from ..framing import BOM, JSONLinesDecoder
from ..thinking_tags import ThinkTagSplitter
from .chunks import ChunkWriter, count, token_usage
from .draft import Json
from .envelope import identity, kind, loaded, made_identity
from .error_reading import finish_error
from .openai_choices import FINISH, FINISH_ERRORS, ShapeError
from .reading import Frame, StreamDecoder, decode_whole, interrupted

HOUSEKEEPING = frozenset({"load", "unload"})
"""Reasons that tell of the model in memory and not of an answer, which may still follow."""

_COUNTERS = ("prompt_eval_count", "eval_count")
_KNOWN = frozenset({"id", "model", "created_at", "message", "done", "done_reason", "logprobs", *_COUNTERS})
_MESSAGE = frozenset({"role", "content", "thinking", "reasoning", "reasoning_content", "tool_calls"})
_CALL = frozenset({"id", "type", "function", "index", "custom"})
_CALLED = frozenset({"index", "name", "arguments"})
_OURS = frozenset({*ChatChunk.model_fields, *ChatResponse.model_fields, *Delta.model_fields})
_THINKING = ("thinking", "reasoning", "reasoning_content")


class JSONLinesFrames:
    """A stream of JSON lines; see `reading.Frames`."""

    def __init__(self, target: Target) -> None:
        self._decoder = JSONLinesDecoder(limit=target.max_response_bytes)
        self._stray = ""

    @property
    def stray(self) -> str:
        """What the bytes ended in that is no JSON."""
        return self._stray

    def frames(self, data: bytes) -> Iterator[Frame]:
        """Yield the lines that `data` completes."""
        for line in self._decoder.lines(data):
            yield Frame("", line)

    def close(self) -> Iterator[Frame]:
        """Yield the unfinished line, if it holds whole JSON."""
        for line in self._decoder.close():
            if loaded(line) is None:
                self._stray = line
            else:
                yield Frame("", line)


class OllamaReader:
    """Turns the lines of one answer into chunks; see `reading.Reader`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._writer = ChunkWriter(target)
        self._splitter = ThinkTagSplitter() if target.preset.think_tags else None
        self._around: Json = {}  # what the lines say besides
        self._last: Json | None = None  # a line that ends the answer unless more comes
        self._done = False

    @property
    def done(self) -> bool:
        """Whether the line has come that ends the answer."""
        return self._done

    def read(self, event: str, payload: Any) -> Iterator[ChatChunk]:  # noqa: ARG002
        """Yield the chunks of one line."""
        self._open(payload)
        message = payload.get("message") or {}
        if not isinstance(message, dict):
            raise ShapeError(f"message is {kind(message)}, not an object")
        yield from _with_logprobs(list(self._message(message)), payload.get("logprobs"), self._writer)
        if payload.get("done") is not True:
            if news := self._news(payload):
                yield self._writer.chunk(**news)
        elif payload.get("done_reason") in HOUSEKEEPING:
            self._last = payload
        else:
            yield from self.finish(payload)

    def end(self) -> Iterator[ChatChunk]:
        """Yield the end that was put off, or raise StreamInterruptedError."""
        if self._last is None:
            raise interrupted(self._target, "the stream ended before its last line, the one with done: true")
        yield from self.finish(self._last)

    def finish(self, payload: Json, **rest: Any) -> Iterator[ChatChunk]:
        """Yield why the answer ended, and what it took."""
        self._done = True
        yield from self._flush()
        word = payload.get("done_reason") or None
        if word is not None and not isinstance(word, str):
            raise ShapeError(f"done_reason is {kind(word)}, not text")
        if word in FINISH_ERRORS:
            raise finish_error(word, self._target)
        reason = FINISH.get(word or "stop", "stop")
        if reason == "stop" and self._writer.calls:  # the wire has no word of its own for calls
            reason = "tool_calls"
        yield self._writer.finish(reason, word, **rest)
        # a count of 0 is left out, as is that of a prompt which older servers found in their cache
        prompt, said = (count(payload, name) for name in _COUNTERS)
        usage = None if prompt is None and said is None else token_usage(prompt or 0, said or 0)
        yield self._writer.usage(usage, **self._news(payload))

    def _open(self, payload: Json) -> None:
        writer = self._writer
        if not writer.id:
            writer.open(_identity(payload), seconds(payload.get("created_at")), payload.get("model"))

    def _message(self, message: Json) -> Iterator[ChatChunk]:
        thought = next((text for name in _THINKING if (text := _text(message, name))), "")
        content = _text(message, "content")
        if thought:
            yield from self._flush()  # the server tells thinking apart itself; tags are the model's own
            yield self._writer.reasoning(thought)
        if content:
            yield from self._content(content)
        others = {name: value for name, value in message.items() if name not in _MESSAGE and value}
        if others:
            yield self._writer.delta(**_apart(others))
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise ShapeError(f"message.tool_calls is {kind(calls)}, not a list")
        for call in calls:
            yield self._call(call)

    def _content(self, text: str) -> Iterator[ChatChunk]:
        reasoning = ""
        if self._splitter is not None:
            reasoning, text = self._splitter.feed(text)
        if reasoning:
            yield self._writer.reasoning(reasoning)
        if text:
            yield self._writer.text(text)

    def _flush(self) -> Iterator[ChatChunk]:
        """Yield the text that was held back because it might have been a tag; later tags are text."""
        if self._splitter is None:
            return
        reasoning, text = self._splitter.close()
        self._splitter = None
        if reasoning:
            yield self._writer.reasoning(reasoning)
        if text:
            yield self._writer.text(text)

    def _call(self, call: Any) -> ChatChunk:
        """A call, which always comes whole."""
        if not isinstance(call, dict):
            raise ShapeError(f"message.tool_calls holds {kind(call)}, not a call")
        function = call.get("function")
        if not isinstance(function, dict):
            raise ShapeError(f"message.tool_calls.function is {kind(function)}, not an object")
        rest = {name: value for name, value in call.items() if name not in _CALL}
        rest |= {name: value for name, value in function.items() if name not in _CALLED}
        arguments = function.get("arguments")
        written = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
        _, chunk = self._writer.begin_call(
            _text(function, "name"), identity(call), written.strip() or "{}", **rest
        )
        return chunk

    def _news(self, payload: Json) -> Json:
        """The fields around the answer that no earlier line has said the same."""
        fields = {name: value for name, value in payload.items() if name not in _KNOWN and value is not None}
        news = {name: value for name, value in fields.items() if self._around.get(name) != value}
        self._around |= news
        return _apart(news)


def decoder(target: Target) -> StreamDecoder:
    """A fresh decoder for one streamed answer."""
    return StreamDecoder(target, JSONLinesFrames(target), OllamaReader(target))


def decode(body: bytes, target: Target) -> ChatResponse:
    """A whole answer, or one that was streamed although nobody asked, as the server does by default."""
    first, _, rest = body.removeprefix(BOM).strip().partition(b"\n")
    if rest and isinstance(loaded(first.decode("utf-8", "replace")), dict):
        return fold(_streamed(body, target))
    return decode_whole(body, target, lambda payload: _whole(payload, target))


def _streamed(body: bytes, target: Target) -> Iterator[ChatChunk]:
    lines = decoder(target)
    yield from lines.feed(body)
    yield from lines.close()


def _whole(payload: Json, target: Target) -> Iterator[ChatChunk]:
    reader = OllamaReader(target)
    yield from reader.read("", payload)
    if payload.get("done") is True:
        if not reader.done:
            yield from reader.end()
    else:
        yield from reader.finish(payload, finish_reason_inferred=True)


def _with_logprobs(chunks: list[ChatChunk], given: Any, writer: ChunkWriter) -> Iterator[ChatChunk]:
    """The chunks of a line, with the probabilities of its tokens on the first of them."""
    if given:
        chunks = chunks or [writer.delta()]
        chunks[0].choices[0].logprobs = Logprobs.model_validate({"content": given})
    yield from chunks


def _apart(fields: Json) -> Json:
    """Unknown fields under names that are not the contract's, and that a model may have."""
    return {
        f"native_{name}" if (plain := name.lstrip("_")) in _OURS else plain or "native": value
        for name, value in fields.items()
    }


def _identity(payload: Json) -> str:
    """The answer's id: one made of its moment, so that the same answer has the same one."""
    moment = payload.get("created_at")
    if not (isinstance(moment, str) and moment):
        return identity(payload) or made_identity()
    seed = f"{payload.get('model')}/{moment}"
    return identity(payload) or f"chatcmpl-{sha256(seed.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _text(source: Json, name: str) -> str:
    """The text under a name, empty where it is missing; text parts of a list are joined."""
    value = source.get(name)
    if isinstance(value, list):
        value = "".join(
            str(part.get("text") or "") if isinstance(part, dict) else str(part) for part in value
        )
    if value is None or isinstance(value, str):
        return value or ""
    raise ShapeError(f"{name} is {kind(value)}, not text")


def seconds(value: Any) -> int:
    """The Unix seconds of an RFC 3339 date, or of a number of them; 0 where it is neither."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if 0 < value < 1e15 else 0
    try:
        date = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return 0
    return max(0, int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()))

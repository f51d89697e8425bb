"""Converse's answers as chunks: the events of a stream, and the blocks of a whole answer as the same events.

Source: botocore 1.44.5, shapes `ConverseResponse` and `ConverseStreamOutput`, and recorded answers, read
2026-11-21. A stream ends with `messageStop` and then `metadata`, though nobody promises their order. Text and
thinking begin with their first delta, without a start of their own; `p` is padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..chat import ChatChunk, ChatCompletion
from ..dialect import Target
from ..errors import ProviderError
from .bedrock_messages import WIRE
from .bedrock_reading import Block, fields_of, joined, usage_of
from .chunks import ChunkWriter
from .draft import Json
from .envelope import malformed
from .error_reading import finish_error
from .keeping import keep
from .reading import interrupted
from .tooling import answer_tool, format_of

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
}
"""The wire's words for why the model stopped -> the contract's."""
FAILED = frozenset({"malformed_model_output", "malformed_tool_use"})
"""Stop reasons that report what the model wrote as unusable."""
PADDING = "p"
"""A field of random text on every event, which hides the length of what is said."""
_TAKEN = frozenset({"usage", "serviceTier", PADDING})
_ANSWERS = "additionalModelResponseFields"
_STOP = frozenset({"stopReason", PADDING})


class ConverseReader:
    """Turns the events of one answer into chunks."""

    def __init__(self, request: ChatCompletion, target: Target) -> None:
        self._target = target
        self._writer = ChunkWriter(target)
        self._flags = target.preset.flags_of(target.model)
        self._answer = answer_tool(request) if format_of(request) is not None else None
        self._answered = False
        self._blocks: dict[int, Block] = {}
        self._texts: list[tuple[int, str]] = []
        self._kept = 0
        self._length = 0  # characters of the answer's text
        self._images: list[Json] = []
        self._own: Json = {}
        self._stopped = self._counted = False
        self._failure: ProviderError | None = None

    @property
    def done(self) -> bool:
        """Whether both the end of the message and its usage have come."""
        return self._stopped and self._counted

    def read(self, event: str, payload: Any) -> Iterator[ChatChunk]:
        """Yield the chunks of one event; one of an unknown kind is kept under `native_events`."""
        match event:
            case "messageStart":
                yield self._writer.delta()
            case "contentBlockStart":
                yield from self._start(payload)
            case "contentBlockDelta":
                yield from self._delta(payload)
            case "contentBlockStop":
                yield from self._end_block(_index(payload))
            case "messageStop":
                yield from self._stop(payload)
            case "metadata":
                yield from self._metadata(payload)
            case "initial-response":
                return
            case _:
                known = {name: value for name, value in payload.items() if name != PADDING}
                yield self._writer.chunk(native_events={event or "event": known})

    def end(self) -> Iterator[ChatChunk]:
        """Raise where the message did not come to its end; its usage may be missing."""
        if self._failure is not None:
            raise self._failure
        if not self._stopped:
            raise interrupted(self._target, "the stream ended before messageStop")
        yield from ()

    def _start(self, payload: Json) -> Iterator[ChatChunk]:
        index, start = _index(payload), fields_of(payload.get("start"))
        block = self._blocks[index] = Block(index)
        for name, value in start.items():
            if name == "toolUse" and value.get("type") != "server_tool_use":
                yield from self._begin_call(block, value)
            elif value is not None:
                block.kind = name
                block.start = value

    def _begin_call(self, block: Block, call: Json) -> Iterator[ChatChunk]:
        name = call.get("name") or ""
        if self._answer is not None and name == self._answer:
            block.kind, self._answered = "answer", True
            return
        block.kind = "call"
        block.number, chunk = self._writer.begin_call(name, call.get("toolUseId"))
        yield chunk

    def _delta(self, payload: Json) -> Iterator[ChatChunk]:
        index = _index(payload)
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = Block(index)
        for name, value in fields_of(payload.get("delta")).items():
            if value is None:
                continue
            match name:
                case "text":
                    block.kind = block.kind or "text"
                    yield from self._text(block, value)
                case "reasoningContent":
                    block.kind = "reasoning"
                    yield from self._thought(block, value)
                case "toolUse":
                    yield from self._input(block, value)
                case "citation":
                    block.citations.append(value)
                case _:
                    block.take(name, value)

    def _text(self, block: Block, piece: str) -> Iterator[ChatChunk]:
        if piece:
            block.pieces.append(piece)
            self._length += len(piece)
            yield self._writer.text(piece)

    def _thought(self, block: Block, value: Json) -> Iterator[ChatChunk]:
        said = {**fields_of(value.get("reasoningText")), **value}
        if said.get("text"):
            block.pieces.append(said["text"])
            yield self._writer.reasoning(said["text"])
        block.signature += said.get("signature") or ""
        if said.get("redactedContent"):
            block.redacted.append(said["redactedContent"])

    def _input(self, block: Block, value: Json) -> Iterator[ChatChunk]:
        piece = joined(value.get("input"))
        if not block.kind:  # its start has not come
            yield from self._begin_call(block, value)
        if not piece:
            return
        block.pieces.append(piece)
        if block.kind == "call":
            yield self._writer.arguments(block.number, piece)
        elif block.kind == "answer":
            self._length += len(piece)
            yield self._writer.text(piece)

    def _end_block(self, index: int) -> Iterator[ChatChunk]:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block.kind == "call" and not block.pieces:
            yield self._writer.arguments(block.number, "{}")
        elif block.kind == "text":
            self._texts.append((index, block.text))
            yield from self._cite(block)
        elif block.kind == "image":
            self._images.append(block.whole())
        elif (kind := block.kept(self._flags)) is not None:
            self._kept += 1
            yield self._writer.detail(keep(self._target, WIRE, kind, index, block.whole()))

    def _cite(self, block: Block) -> Iterator[ChatChunk]:
        """The pages and documents that a stretch of the text goes back to."""
        for citation in block.citations:
            location = fields_of(citation.get("location"))
            url = fields_of(location.get("web")).get("url") or citation.get("source")
            start = self._length - len(block.text)
            yield self._writer.annotation(
                url, citation.get("title"), start, self._length, bedrock_citation=citation
            )

    def _stop(self, payload: Json) -> Iterator[ChatChunk]:
        for index in sorted(self._blocks):
            yield from self._end_block(index)
        if self._kept and len(self._texts) > 1:  # their places among the kept blocks are to be found again
            for index, text in self._texts:
                if text:
                    yield self._writer.detail(keep(self._target, WIRE, "text", index, {"text": text}))
        if self._images:
            yield self._writer.delta(images=self._images)
        self._stopped = True
        self._own = fields_of(payload.get(_ANSWERS))
        rest = {
            name: value for name, value in payload.items() if name not in _STOP and value not in (None, "")
        }
        word = payload.get("stopReason")
        if word in FAILED:
            self._failure = finish_error(word, self._target)
            if self._counted:
                raise self._failure
            return
        stop = self._own.get("stop_sequence")
        about: Json = {"stop_sequence": stop} if isinstance(stop, str) else {}
        yield self._writer.finish(self._reason(word), word if isinstance(word, str) else None, **about)
        if rest:
            yield self._writer.chunk(**_named(rest))

    def _reason(self, word: Any) -> str:
        if word == "tool_use" or not isinstance(word, str):
            return "tool_calls" if self._writer.calls else "stop"
        return FINISH.get(word, "stop")

    def _metadata(self, payload: Json) -> Iterator[ChatChunk]:
        self._counted = True
        usage = usage_of(payload.get("usage"), self._own)
        if self._failure is not None:
            self._failure.usage = usage
            raise self._failure
        tier = payload.get("serviceTier")
        rest = {name: value for name, value in payload.items() if name not in _TAKEN and value is not None}
        if isinstance(tier, dict) and isinstance(tier.get("type"), str):
            rest["service_tier"] = tier["type"]
        yield self._writer.usage(usage, **_named(rest))


def _index(payload: Json) -> int:
    index = payload.get("contentBlockIndex")
    return index if isinstance(index, int) else 0


def _named(fields: Json) -> Json:
    """Fields of the wire's under names that mean nothing else on a chunk."""
    ours = ChatChunk.model_fields.keys() - {"service_tier"}
    return {f"native_{name}" if name in ours else name: value for name, value in fields.items()}


def events_of_whole(payload: Json, target: Target) -> Iterator[tuple[str, Json]]:
    """The events that a stream of the same answer would have; MalformedResponseError where it is none."""
    output = payload.get("output")
    if not isinstance(output, dict):
        raise malformed(target, "the answer has no output")
    message = fields_of(output.get("message"))
    yield "messageStart", {"role": "assistant"}
    for index, block in enumerate(message.get("content") or ()):
        for event, said in _events_of_block(block):
            yield event, {"contentBlockIndex": index, **said}
        yield "contentBlockStop", {"contentBlockIndex": index}
    stop = {name: payload[name] for name in ("stopReason", _ANSWERS) if payload.get(name) is not None}
    yield "messageStop", stop
    yield (
        "metadata",
        {name: value for name, value in payload.items() if name not in ("output", "stopReason", _ANSWERS)},
    )


def _events_of_block(block: Json) -> Iterator[tuple[str, Json]]:
    for name, value in block.items():
        if value is None:
            continue
        match name:
            case "text" | "reasoningContent":
                yield "contentBlockDelta", {"delta": {name: value}}
            case "toolUse":
                yield "contentBlockStart", {"start": {name: {**value, "input": None}}}
                yield "contentBlockDelta", {"delta": {name: {"input": joined(value.get("input"))}}}
            case "toolResult":
                start = {key: item for key, item in value.items() if key != "content"}
                yield "contentBlockStart", {"start": {name: start}}
                yield "contentBlockDelta", {"delta": {name: value.get("content")}}
            case "citationsContent":
                for piece in value.get("content") or ():
                    yield "contentBlockDelta", {"delta": {"text": piece.get("text")}}
                for citation in value.get("citations") or ():
                    yield "contentBlockDelta", {"delta": {"citation": citation}}
            case _:
                yield "contentBlockStart", {"start": {name: value}}


def chunks_of_whole(payload: Json, request: ChatCompletion, target: Target) -> Iterator[ChatChunk]:
    """The chunks that a whole answer folds out of."""
    reader = ConverseReader(request, target)
    for event, said in events_of_whole(payload, target):
        yield from reader.read(event, said)
    yield from reader.end()

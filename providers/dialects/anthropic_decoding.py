"""Anthropic's answers as chunks: the events of a stream, and a whole message as the events it stands for.

Source: response and event types of anthropic 2.12; Claude docs on streaming, stop reasons and citations, read
2026-11-21.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..chat import ChatChunk, ChatCompletion, Usage
from ..dialect import Target
from .anthropic_blocks import Blocks
from .chunks import ChunkWriter, count, token_usage
from .draft import Json
from .envelope import empty, malformed
from .reading import interrupted
from .tooling import answer_tool, format_of

STOPS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""The provider's words for why an answer ended -> the contract's; unknown ones are taken for `stop`."""

_TIERS = {"standard": "default"}
_MESSAGE = frozenset({"id", "type", "role", "model", "content", "usage", "object", "created", "choices"})
_TAKEN = frozenset(ChatChunk.model_fields)
_ENDING = frozenset({"stop_reason", "stop_sequence", "stop_details"})


class MessagesReader:
    """Reads the events of one answer."""

    def __init__(self, request: ChatCompletion, target: Target) -> None:
        self._target = target
        self._writer = ChunkWriter(target)
        self._blocks = Blocks(target, self._writer, answer_tool(request) if format_of(request) else "")
        self._ending: Json = {}
        self._usage: Json = {}
        self._rest: Json = {}
        self._last = -1
        self._begun = False
        self._done = False

    @property
    def done(self) -> bool:
        """Whether `message_stop` has come."""
        return self._done

    def read(self, event: str, payload: Any) -> Iterator[ChatChunk]:
        """Yield the chunks of one event; of unknown ones, a chunk that holds them as they came."""
        kind = payload.get("type") or event
        match kind:
            case "ping":
                return
            case "message_start":
                self._begin(_object(payload.get("message")))
            case "content_block_start":
                self._last = _index(payload, self._last + 1)
                yield from self._blocks.begin(self._last, _object(payload.get("content_block")))
            case "content_block_delta":
                yield from self._blocks.add(_index(payload, self._last), _object(payload.get("delta")))
            case "content_block_stop":
                yield from self._blocks.end(_index(payload, self._last))
            case "message_delta":
                self._take(_object(payload.get("delta")))
                self._count(payload.get("usage"))
                self._remember({key: payload[key] for key in payload.keys() - {"type", "delta", "usage"}})
            case "message_stop":
                self._done = True
                yield from self.finish()
            case _:
                yield self._writer.chunk(native_events={str(kind): payload})
                return
        self._begun = True

    def end(self) -> Iterator[ChatChunk]:
        """The bytes have ended without `message_stop`."""
        if not self._begun:
            raise empty(self._target, "the stream ended before the answer began")
        raise interrupted(self._target, "the stream ended before message_stop")

    def finish(self) -> Iterator[ChatChunk]:
        """The last chunks: what has to be given back, why the answer ended, and what it took."""
        yield from self._blocks.finish()
        word = self._ending.get("stop_reason")
        rest = {key: self._ending[key] for key in ("stop_sequence", "stop_details") if self._ending.get(key)}
        called = "tool_calls" if self._writer.calls else "stop"
        reason = STOPS.get(str(word), "stop") if word else called
        if reason == "tool_calls":  # a call that stood for the answer is none
            reason = called
        yield self._writer.finish(reason, word if isinstance(word, str) else None, **rest)
        fields = {f"native_{key}" if key in _TAKEN else key: value for key, value in self._rest.items()}
        tier = self._usage.get("service_tier")
        if isinstance(tier, str):
            fields["service_tier"] = _TIERS.get(tier, tier)
        yield self._writer.usage(usage_of(self._usage), **fields)

    def _begin(self, message: Json) -> None:
        self._writer.open(message.get("id"), None, message.get("model"))
        self._take({key: message[key] for key in message.keys() - _MESSAGE})
        self._count(message.get("usage"))

    def _take(self, fields: Json) -> None:
        """Note how the answer ends, and what else is said of it as a whole."""
        self._ending.update({key: fields[key] for key in fields.keys() & _ENDING if fields[key] is not None})
        self._remember({key: fields[key] for key in fields.keys() - _ENDING})

    def _remember(self, fields: Json) -> None:
        self._rest.update({key: value for key, value in fields.items() if value is not None})

    def _count(self, usage: Any) -> None:
        """Take up counts: those of later events are running totals, and replace the earlier ones."""
        self._usage.update({key: value for key, value in _object(usage).items() if value is not None})


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _index(payload: Json, otherwise: int) -> int:
    index = payload.get("index")
    return index if isinstance(index, int) else otherwise


def usage_of(raw: Json) -> Usage | None:
    """The counts in the contract's meaning: here cached prompt tokens are counted apart from the others."""
    if not raw:
        return None
    read, written = count(raw, "cache_read_input_tokens"), count(raw, "cache_creation_input_tokens")
    split = [count(raw, "cache_creation", f"ephemeral_{span}_input_tokens") for span in ("5m", "1h")]
    if written is None and any(tokens is not None for tokens in split):
        written = sum(tokens or 0 for tokens in split)
    return token_usage(
        (count(raw, "input_tokens") or 0) + (read or 0) + (written or 0),
        count(raw, "output_tokens") or 0,
        cached=read,
        cache_write=written,
        reasoning=count(raw, "output_tokens_details", "thinking_tokens"),
        rest=raw,
    )


def chunks_of_message(message: Json, request: ChatCompletion, target: Target) -> Iterator[ChatChunk]:
    """A whole message as the chunks that its stream would have given."""
    content = message.get("content")
    if not isinstance(content, list) and "stop_reason" not in message:
        raise malformed(target, "the answer is no message; check that base_url serves the Messages API")
    reader = MessagesReader(request, target)
    yield from reader.read("", {"type": "message_start", "message": message})
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    for index, block in enumerate(content or ()):
        yield from reader.read("", {"type": "content_block_start", "index": index, "content_block": block})
        yield from reader.read("", {"type": "content_block_stop", "index": index})
    yield from reader.read("", {"type": "message_stop"})

"""One content block of an answer as it comes together, and the counts at the end."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import Any

from ..chat import Usage
from .bedrock_messages import OTHER, SERVER_TOOL, THOUGHT
from .chunks import count, token_usage
from .draft import Json


@dataclass(slots=True)
class Block:
    """A block under way."""

    index: int
    kind: str = ""
    """`text`, `reasoning`, `call`, `answer` (a call that stands for the text), or the wire's own word."""
    start: Any = None
    """What a block of the wire's own kind began with."""
    number: int = 0
    """Which tool call it is."""
    pieces: list[str] = field(default_factory=list)
    """Text, thinking or JSON as it came."""
    signature: str = ""
    redacted: list[str] = field(default_factory=list)
    """Base64 pieces of thinking that nobody may read."""
    citations: list[Json] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    """Further deltas of a block of the wire's own kind."""

    @property
    def text(self) -> str:
        """All pieces joined."""
        return "".join(self.pieces)

    def take(self, name: str, value: Any) -> None:
        """A delta of the wire's own kind."""
        self.kind = self.kind or name
        if isinstance(value, list):
            self.items += value
        else:
            self.items.append(value)

    def kept(self, flags: frozenset[str]) -> str | None:
        """The kind under which the block is kept for the next request; None where it need not be."""
        if self.kind == "reasoning":
            given_back = self.signature or self.redacted or ("replay_plain" in flags and self.pieces)
            return THOUGHT if given_back else None
        if self.kind in ("toolUse", "toolResult"):
            return SERVER_TOOL
        return None if self.kind in ("", "call", "answer") else OTHER

    def whole(self) -> Json:
        """The block as a whole answer has it."""
        match self.kind:
            case "reasoning" if self.redacted:
                return {"reasoningContent": {"redactedContent": _packed(self.redacted)}}
            case "reasoning":
                said = {"text": self.text} | ({"signature": self.signature} if self.signature else {})
                return {"reasoningContent": {"reasoningText": said}}
            case "toolUse":
                own = {name: value for name, value in self.start.items() if name != "input"}
                return {"toolUse": {**own, "input": _object(self.text)}}
            case "toolResult":
                return {"toolResult": {**(self.start or {}), "content": self.items}}
            case "image":
                image: Json = dict(self.start or {})
                for item in self.items:
                    image.update(item)
                return {"image": image}
        return {self.kind: self.start} | ({"deltas": self.items} if self.items else {})


def _packed(pieces: list[str]) -> str:
    """Pieces of base64 as one; they were encoded one by one."""
    if len(pieces) == 1:
        return pieces[0]
    return b64encode(b"".join(map(b64decode, pieces))).decode()


def _object(text: str) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def fields_of(value: Any) -> Json:
    """An object's fields; none where it is no object, as where a provider writes an empty text for it."""
    return value if isinstance(value, dict) else {}


def joined(value: Any) -> str:
    """The arguments of a call as text, whether they came as text or as an object."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def usage_of(counts: Any, own: Json) -> Usage | None:
    """Token counts in the contract's meaning; `own` holds the model's own fields of the answer.

    The wire's input leaves out what was read from or written to the cache, for every family; its output
    includes thinking, which only Claude counts by itself.
    """
    if not isinstance(counts, dict):
        return None
    cached = _first(counts, "cacheReadInputTokens", "cacheReadInputTokenCount")
    written = _first(counts, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    return token_usage(
        (count(counts, "inputTokens") or 0) + (cached or 0) + (written or 0),
        count(counts, "outputTokens") or 0,
        cached=cached,
        cache_write=written,
        reasoning=count(own, "usage", "output_tokens_details", "thinking_tokens"),
        rest=counts,
    )


def _first(counts: Json, *names: str) -> int | None:
    return next((found for name in names if (found := count(counts, name)) is not None), None)

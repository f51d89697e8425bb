"""One content block of an answer while it comes: its pieces put together, and the chunks that they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..chat import Annotation, ChatChunk
from ..dialect import Target
from .anthropic_messages import SERVER, THOUGHT, WIRE
from .anthropic_tools import text_of_input
from .chunks import ChunkWriter
from .draft import Json
from .envelope import loaded
from .keeping import keep

_JOINED = frozenset({"text", "thinking", "signature", "content"})
"""Fields of a delta that continue the block's; others replace them."""
_CALL = frozenset(
    {"type", "id", "name", "input", "index", "function", "custom", "identity", "arguments", "choice"}
)
_LINKS = {"web_search_result_location": "url", "search_result_location": "source"}
"""Citations that name where the reader can look -> the field that does."""


@dataclass(slots=True)
class Block:
    """A block as far as it has come."""

    index: int
    """Its place among all blocks of the answer."""
    body: Json
    """Its fields, the deltas joined to them."""
    start: int = 0
    """Characters of the answer's text before it."""
    number: int | None = None
    """Its number among the tool calls; None where it is none."""
    is_answer: bool = False
    """Whether it is the call that stands for the answer itself."""
    input: list[str] = field(default_factory=list)
    """Pieces of the JSON of its input."""

    @property
    def kind(self) -> str:
        """The provider's word for it."""
        return str(self.body.get("type"))


class Blocks:
    """The blocks of one answer; `answer` names the tool whose call stands for the answer, if any does."""

    def __init__(self, target: Target, writer: ChunkWriter, answer: str) -> None:
        self._target = target
        self._writer = writer
        self._answer = answer
        self._open: dict[int, Block] = {}
        self._texts: list[Block] = []
        self._length = 0
        self._kept = 0

    def begin(self, index: int, body: Json) -> Iterator[ChatChunk]:
        """A new block, with whatever it brings at once."""
        yield from self.end(index)  # some hosts give all blocks the same number
        block = self._open[index] = Block(index, dict(body), self._length)
        match block.kind:
            case "text":
                self._texts.append(block)
                yield from self._say(body.get("text"))
            case "thinking":
                yield from self._think(body.get("thinking"))
            case "tool_use" if body.get("name") == self._answer and self._answer:
                block.is_answer = True
            case "tool_use":
                rest = {key: body[key] for key in body.keys() - _CALL if body[key] is not None}
                name = str(body.get("name") or "")
                block.number, chunk = self._writer.begin_call(name, body.get("id"), **rest)
                yield chunk
            case _:
                pass

    def add(self, index: int, delta: Json) -> Iterator[ChatChunk]:
        """A piece of a block; one whose beginning never came is begun by it."""
        kind = delta.get("type")
        if index not in self._open:
            first = {"text_delta": "text", "thinking_delta": "thinking"}.get(str(kind))
            if first is None:
                yield self._writer.chunk(native_events={str(kind): delta})
                return
            yield from self.begin(index, {"type": first})
        block = self._open[index]
        if kind == "input_json_delta":
            yield from self._input(block, delta.get("partial_json"))
            return
        if kind == "citations_delta":
            block.body["citations"] = [*(block.body.get("citations") or ()), delta.get("citation")]
            return
        for name, value in delta.items():
            if name == "type" or value is None:
                continue
            before = block.body.get(name)
            joined = name in _JOINED and isinstance(value, str) and isinstance(before, str)
            block.body[name] = before + value if joined else value
        if kind == "text_delta":
            yield from self._say(delta.get("text"))
        elif kind == "thinking_delta":
            yield from self._think(delta.get("thinking"))

    def end(self, index: int) -> Iterator[ChatChunk]:
        """The block is complete: what it cites, what its call takes, and what has to be given back."""
        block = self._open.pop(index, None)
        if block is None:
            return
        match block.kind:
            case "text":
                yield from self._cite(block)
            case "thinking":
                if block.body.get("signature"):
                    yield self._keep(block, THOUGHT)
            case "redacted_thinking":
                yield self._keep(block, THOUGHT)
            case "tool_use":
                if not block.input:
                    yield from self._input(block, text_of_input(block.body.get("input")))
            case _:
                if block.input:
                    given = "".join(block.input)
                    value = loaded(given)
                    block.body["input"] = given if value is None else value
                if "type" in block.body:
                    yield self._keep(block, SERVER)

    def finish(self) -> Iterator[ChatChunk]:
        """The answer is complete: blocks left open end, and texts are kept where their places matter."""
        for index in list(self._open):
            yield from self.end(index)
        cited = any(block.body.get("citations") for block in self._texts)
        if cited or (self._kept and len(self._texts) > 1):
            for block in self._texts:
                if not block.body.get(
                    "citations"
                ):  # whole answers have null or none where streams say nothing
                    block.body.pop("citations", None)
                if block.body.get("text"):
                    yield self._keep(block, "text")

    def _say(self, text: Any) -> Iterator[ChatChunk]:
        if isinstance(text, str) and text:
            self._length += len(text)
            yield self._writer.text(text)

    def _think(self, text: Any) -> Iterator[ChatChunk]:
        if isinstance(text, str) and text:
            yield self._writer.reasoning(text)

    def _input(self, block: Block, piece: Any) -> Iterator[ChatChunk]:
        if not isinstance(piece, str) or not piece:
            return
        block.input.append(piece)
        if block.is_answer:
            yield from self._say(piece)
        elif block.number is not None:
            yield self._writer.arguments(block.number, piece)

    def _keep(self, block: Block, kind: str) -> ChatChunk:
        self._kept += 1
        return self._writer.detail(keep(self._target, WIRE, kind, block.index, block.body))

    def _cite(self, block: Block) -> Iterator[ChatChunk]:
        """Annotations: a citation covers the whole block, since the provider gives no narrower place."""
        for citation in block.body.get("citations") or ():
            if not isinstance(citation, dict):
                continue
            link = citation.get(_LINKS.get(str(citation.get("type")), "url"))
            title = citation.get("title")
            if isinstance(link, str):
                yield self._writer.annotation(
                    link,
                    title if isinstance(title, str) else None,
                    block.start,
                    self._length,
                    citation=citation,
                )
            else:
                place = {"start_index": block.start, "end_index": self._length}
                note = Annotation.model_validate({**citation, **place, "url_citation": None})
                yield self._writer.delta(annotations=[note])

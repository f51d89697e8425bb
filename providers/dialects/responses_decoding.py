"""What a Responses host answers, as chunks: the events of its stream, or a whole body as if it were one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..chat import Annotation, ChatChunk, Logprobs
from ..dialect import Target
from ..errors import ProviderError
from .chunks import ChunkWriter
from .draft import Json
from .envelope import malformed
from .error_reading import error_in
from .openai_choices import ShapeError
from .reading import interrupted
from .responses_items import (
    BETWEEN,
    Item,
    arguments_of,
    citation,
    is_text,
    notes_of,
    parts_of,
    refusal_in,
    rest_of,
    texts_of,
    thoughts_of,
    words,
)
from .responses_replay import CALLS, details_of, is_other, unique_id
from .responses_usage import more_of, usage_of

_KIND_OF = {
    "output_text": "message", "refusal": "message", "reasoning_text": "reasoning",
    "reasoning_summary_text": "reasoning", "reasoning_summary": "reasoning", "reasoning": "reasoning",
    "function_call_arguments": "function_call", "custom_tool_call_input": "custom_tool_call",
}  # fmt: skip
"""What an event is about -> the type of the item it belongs to."""
_ENDINGS = {"completed", "incomplete", "failed", "cancelled", "done"}
_RUNNING = {"queued", "in_progress"}


class ResponsesReader:
    """Turns the events of one answer into chunks; see `reading.Reader`."""

    def __init__(self, target: Target) -> None:
        self.done = False
        """Whether the terminal event has come."""
        self._target = target
        self._writer = ChunkWriter(target)
        self._items: list[Item] = []
        self._said = 0  # characters of text
        self._thought = False
        self._strays: list[Json] = []  # parts and items that the contract has no place for

    def read(self, event: str, payload: Json) -> Iterator[ChatChunk]:
        """Yield the chunks of one event; those that only tell of progress yield nothing."""
        kind = words(payload.get("type")) or event
        subject, _, step = kind.removeprefix("response.").rpartition(".")
        if kind == "response" or payload.get("object") == "response":
            yield from self.whole(payload)
        elif not subject:
            yield from self._about_all(step, payload.get("response"))
        elif subject in _KIND_OF and step in {"delta", "done"}:
            yield from self._about_item(subject, step, payload)
        elif kind == "response.output_item.added":
            yield from self._added(payload)
        elif kind == "response.output_item.done":
            yield from self._item_done(payload)
        elif kind == "response.output_text.annotation.added":
            yield from self._annotation(payload)

    def end(self) -> Iterator[ChatChunk]:
        """The bytes have ended without a terminal event: StreamInterruptedError."""
        raise interrupted(self._target, "the stream ended before response.completed")

    def whole(self, body: Json) -> Iterator[ChatChunk]:
        """The chunks of a whole answer."""
        if not isinstance(body.get("output"), list) and "status" not in body:
            raise ShapeError("output is missing; the answer is none of the Responses API")
        if body.get("status") in _RUNNING:
            raise malformed(self._target, f"the answer is not finished: its status is {body['status']}")
        yield from self._opened(body)
        yield from self._ended("completed", body)

    # -- the response as such

    def _about_all(self, step: str, response: Any) -> Iterator[ChatChunk]:
        response = response if isinstance(response, dict) else {}
        if step in _ENDINGS:
            if not self._writer.id:
                yield from self._opened(response)
            yield from self._ended("completed" if step == "done" else step, response)
        elif step == "created" or response:
            yield from self._opened(response)

    def _opened(self, response: Json) -> Iterator[ChatChunk]:
        known = bool(self._writer.id)
        self._writer.open(response.get("id"), response.get("created_at"), response.get("model"))
        if not known:
            yield self._writer.delta()

    def _ended(self, step: str, response: Json) -> Iterator[ChatChunk]:
        """The end of the answer: what has not been said, what must come back, why it ended, what it took."""
        self.done = True
        status = words(response.get("status"))
        if status in {"", *_RUNNING} or step != "completed":
            status = step
        if status in {"failed", "cancelled"}:
            raise self._failure(status, response)
        yield from self._settled(response)
        items = [item.whole for item in self._items if item.whole is not None]
        if status == "incomplete":
            reason = self._incomplete(response)
            ending = "content_filter" if reason == "content_filter" else "length"
            yield from self._kept([])
            yield self._writer.finish(ending, reason)
        else:
            yield from self._kept(items)
            yield self._writer.finish("tool_calls" if self._writer.calls else "stop", status)
        yield self._writer.usage(usage_of(response, self._target), **more_of(response))

    @staticmethod
    def _incomplete(response: Json) -> str:
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return reason if isinstance(reason, str) and reason else "incomplete"

    def _failure(self, status: str, response: Json) -> ProviderError:
        found = error_in(response, self._target) if response.get("error") else None
        said = {"error": {"message": f"the response is {status}", "code": f"response_{status}"}}
        return found or error_in(said, self._target) or malformed(self._target, f"the response is {status}")

    def _settled(self, response: Json) -> Iterator[ChatChunk]:
        """What the items at the end hold that the stream has not told."""
        output = response.get("output")
        left = list(self._items)
        for place, whole in enumerate(output if isinstance(output, list) else ()):
            if not isinstance(whole, dict):
                continue
            kind = words(whole.get("type")) or "message"
            alike = [item for item in left if item.kind == kind]
            same = [item for item in alike if item.id and item.id == whole.get("id")]
            item = next(iter(same or alike), None)
            if item is None:
                item = self._new(kind, place, whole)
            else:
                left.remove(item)
            yield from self._complete(item, whole)
        if not self._items and (text := words(response.get("output_text"))):
            yield from self._text(self._new("message", 0, {}), text, 0)

    def _kept(self, items: list[Json]) -> Iterator[ChatChunk]:
        """What rides along with the message, and what the contract has no place for."""
        fields: dict[str, Any] = {}
        details = details_of(items, self._target)
        strays = [*self._strays, *(item.whole for item in self._items if item.whole and is_other(item.whole))]
        if details:
            fields["reasoning_details"] = details
        if strays:
            fields["output_items"] = strays
        if fields:
            yield self._writer.delta(**fields)

    # -- items

    def _new(self, kind: str, place: Any, item: Json) -> Item:
        made = Item(kind, place if type(place) is int else None, words(item.get("id")))
        self._items.append(made)
        if all(one.place is not None for one in self._items):
            self._items.sort(key=lambda one: one.place or 0)
        return made

    def _find(self, payload: Json, kind: str) -> Item:
        """The item that an event belongs to; one that was not announced is made."""
        place, identity = payload.get("output_index"), payload.get("item_id")
        alike = [item for item in reversed(self._items) if item.kind == kind]
        found = [item for item in alike if place is not None and item.place == place]
        if not found and place is None:
            found = [item for item in alike if item.id == identity] or [one for one in alike if not one.done]
        return found[0] if found else self._new(kind, place, {"id": identity})

    def _added(self, payload: Json) -> Iterator[ChatChunk]:
        item = payload.get("item")
        if not isinstance(item, dict):
            return
        made = self._new(words(item.get("type")), payload.get("output_index"), item)
        if made.kind in CALLS:
            yield from self._begin(made, item)

    def _item_done(self, payload: Json) -> Iterator[ChatChunk]:
        whole = payload.get("item")
        if isinstance(whole, dict):
            item = self._find({"item_id": whole.get("id"), **payload}, words(whole.get("type")))
            yield from self._complete(item, whole)

    def _complete(self, item: Item, whole: Json) -> Iterator[ChatChunk]:
        """Say what has not been said of an item, now that all of it is known."""
        item.whole = item.whole or whole
        item.done = True
        if item.kind in CALLS:
            yield from self._begin(item, whole)
            yield from self._arguments(item, rest_of(item.given, arguments_of(whole)))
        elif item.kind == "reasoning":
            yield from self._complete_thoughts(item, whole)
        elif item.kind == "message":
            yield from self._complete_message(item, whole)

    def _complete_thoughts(self, item: Item, whole: Json) -> Iterator[ChatChunk]:
        told = thoughts_of(whole)
        source = item.source or next((name for name, text in told.items() if text), "content")
        yield from self._think(item, source, rest_of(item.thoughts, told[source]), item.part)

    def _complete_message(self, item: Item, whole: Json) -> Iterator[ChatChunk]:
        fresh = not item.text
        for place, (part, text) in enumerate(zip(parts_of(whole), texts_of(whole), strict=True)):
            if fresh and text:
                yield from self._text(item, text, place, part.get("logprobs"))
            elif not (is_text(part) or part.get("type") == "refusal") and not self._seen(part):
                self._strays.append(part)
        rest = rest_of(item.text, "".join(texts_of(whole)))
        if rest:
            yield from self._text(item, rest, max(item.starts, default=0))
        refusal = rest_of(item.refusal, refusal_in(whole))
        if refusal:
            item.refusal += refusal
            yield self._writer.delta(refusal=refusal)
        yield from self._complete_notes(item, whole)

    def _seen(self, part: Json) -> bool:
        return any(part is stray or part == stray for stray in self._strays)

    def _complete_notes(self, item: Item, whole: Json) -> Iterator[ChatChunk]:
        lengths = [len(text) for text in texts_of(whole)]
        for number, (place, note) in enumerate(notes_of(whole)):
            if number >= item.notes:
                yield self._note(item, note, sum(lengths[:place]))

    # -- pieces of items

    def _about_item(self, subject: str, step: str, payload: Json) -> Iterator[ChatChunk]:
        """A piece of an item, or all of one of its parts where no piece of it came."""
        item = self._find(payload, _KIND_OF[subject])
        piece = words(payload.get("delta"))
        match subject:
            case "output_text":
                place = payload.get("content_index")
                place = place if type(place) is int else 0
                if step == "done":
                    told = words(payload.get("text"))
                    piece = "" if place in item.starts or item.text.endswith(told) else told
                yield from self._text(item, piece, place, payload.get("logprobs") if piece else None)
            case "refusal":
                if step == "done":
                    piece = rest_of(item.refusal, words(payload.get("refusal")))
                if piece:
                    item.refusal += piece
                    yield self._writer.delta(refusal=piece)
            case "function_call_arguments" | "custom_tool_call_input":
                if step == "done":
                    yield from self._begin(item, payload)
                    piece = rest_of(item.given, words(payload.get("arguments") or payload.get("input")))
                yield from self._arguments(item, piece)
            case _ if step == "delta":
                source = "summary" if "summary" in subject else "content"
                yield from self._think(item, source, piece, payload.get("summary_index"))

    def _text(self, item: Item, piece: str, place: int, logprobs: Any = None) -> Iterator[ChatChunk]:
        if item.base is None:
            item.base = self._said
        if not piece:
            return
        item.starts.setdefault(place, len(item.text))
        item.text += piece
        self._said += len(piece)
        likely = Logprobs(content=logprobs) if isinstance(logprobs, list) and logprobs else None
        yield self._writer.text(piece, logprobs=likely)

    def _think(self, item: Item, source: str, piece: str, part: Any) -> Iterator[ChatChunk]:
        """A piece of the thinking; an item that tells it twice is taken at its first word."""
        item.source = item.source or (source if piece else "")
        if not piece or item.source != source:
            return
        before = ""
        if not item.thoughts:
            before = BETWEEN if self._thought else ""
        elif source == "summary" and part != item.part:
            before = BETWEEN
            item.thoughts += before
        item.part = part
        item.thoughts += piece
        self._thought = True
        yield self._writer.reasoning(before + piece)

    def _begin(self, item: Item, told: Json) -> Iterator[ChatChunk]:
        """The first piece of a call, once its name is known."""
        item.name = item.name or words(told.get("name"))
        if item.number is not None or not item.name:
            return
        identity = words(told.get("call_id")) or words(told.get("id")) or item.id
        if identity and "restarting_call_ids" in self._target.preset.flags_of(self._target.model):
            identity = unique_id(identity, self._writer.id)
        item.number, chunk = self._writer.begin_call(item.name, identity, custom=item.custom)
        yield chunk
        if item.given:
            yield self._writer.arguments(item.number, item.given, custom=item.custom)

    def _arguments(self, item: Item, piece: str) -> Iterator[ChatChunk]:
        item.given += piece
        if piece and item.number is not None:
            yield self._writer.arguments(item.number, piece, custom=item.custom)

    def _annotation(self, payload: Json) -> Iterator[ChatChunk]:
        note, place = payload.get("annotation"), payload.get("content_index")
        if isinstance(note, dict):
            item = self._find(payload, "message")
            yield self._note(item, note, item.starts.get(place if type(place) is int else 0, 0))

    def _note(self, item: Item, note: Json, start: int) -> ChatChunk:
        item.notes += 1
        annotation = Annotation.model_validate(citation(note, (item.base or 0) + start))
        return self._writer.delta(annotations=[annotation])

"""One candidate of an answer: its parts become text, thinking, calls, sound, and blocks to give back."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..chat import AudioAnswer, ChatChunk, ChunkChoice
from ..dialect import Target
from .chunks import ChunkWriter
from .draft import Json
from .gemini_arguments import PartialArguments
from .gemini_contents import WIRE
from .gemini_reports import annotations_of, logprobs_of
from .keeping import keep

_TAKEN = frozenset({"content", "index", "finishReason", "logprobsResult", "citationMetadata"})
_OURS = frozenset(ChunkChoice.model_fields) | {"message"}
_PLAIN = frozenset({"text", "thought"})


@dataclass(slots=True)
class _Run:
    """Text that stands in one place: unsigned pieces in a row, or one part that has more to it."""

    place: int
    part: Json = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _OpenCall:
    """A call whose arguments still come."""

    number: int
    part: Json
    place: int
    call_id: str
    arguments: PartialArguments = field(default_factory=PartialArguments)


class Candidate:
    """Reads one candidate; `stand_in` is the tool whose call stands for an answer in JSON."""

    def __init__(self, writer: ChunkWriter, target: Target, index: int, stand_in: str) -> None:
        self.index = index
        self.finish: str | None = None
        """Why it stopped, in the provider's word."""
        self.calls = 0
        self.extras: Json = {}
        """What it says besides, by the provider's names."""
        self._writer = writer
        self._target = target
        self._stand_in = stand_in
        self._runs: list[_Run] = []
        self._places = 0
        self._kept = 0
        self._open: _OpenCall | None = None
        self._citations: Json = {}
        self._images: list[Json] = []
        self._sound = b""
        self._starts: dict[int, tuple[int, str]] = {}
        self._length = 0

    @property
    def said(self) -> str:
        """All text so far."""
        return "".join(piece for run in self._runs for piece in run.pieces)

    def read(self, candidate: Json) -> Iterator[ChatChunk]:
        """Yield the chunks of what is new."""
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for number, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict):
                yield from self._part(part, number)
        logprobs = logprobs_of(candidate.get("logprobsResult"))
        if logprobs is not None:
            chunk = self._writer.delta(self.index)
            chunk.choices[0].logprobs = logprobs
            yield chunk
        finish = candidate.get("finishReason")
        if isinstance(finish, str) and finish and finish != "FINISH_REASON_UNSPECIFIED":
            self.finish = finish
        citations = candidate.get("citationMetadata")
        for name, value in citations.items() if isinstance(citations, dict) else ():
            have = self._citations.get(name)
            more = isinstance(value, list) and isinstance(have, list)
            self._citations[name] = [*(have or ()), *value] if more else value
        self._keep_extras(candidate)

    def rest(self) -> Iterator[ChatChunk]:
        """Yield what only the end tells: a call that was cut, sound, sources, the order of signed text."""
        yield from self._close_call()
        if self._sound:
            yield self._audio(b64encode(self._sound).decode())
        found = annotations_of(
            self.extras.get("groundingMetadata") or {}, self._citations, self.said, self._starts
        )
        if found:
            yield self._writer.delta(self.index, annotations=found)
        if any(run.part for run in self._runs) or (self._kept and len(self._runs) > 1):
            for run in self._runs:
                text = "".join(run.pieces)
                kind = "text" if text else "part"
                yield self._detail(kind, run.place, run.part or {"text": text})

    def _keep_extras(self, candidate: Json) -> None:
        for name, value in candidate.items():
            if name in _TAKEN or value is None:
                continue
            name = f"native_{name}" if name in _OURS else name
            have = self.extras.get(name)
            if isinstance(have, dict) and isinstance(value, dict):
                value = {**have, **{key: inner for key, inner in value.items() if inner}}
            self.extras[name] = value

    def _part(self, part: Json, number: int) -> Iterator[ChatChunk]:
        call, text, blob = part.get("functionCall"), part.get("text"), part.get("inlineData")
        thought = part.get("thought") is True
        more = any(value is not None for key, value in part.items() if key not in _PLAIN)
        if isinstance(call, dict):
            yield from self._call(call, part)
        elif isinstance(text, str) and thought:
            if text:
                yield self._writer.reasoning(text, self.index)
            if more:
                yield self._detail("thought", self._place(), part)
        elif isinstance(text, str):
            yield from self._text(text, part if more else {}, number)
        elif isinstance(blob, dict) and not thought:
            yield from self._media(blob, part)
        elif more:
            yield self._detail("part", self._place(), part)

    def _text(self, text: str, part: Json, number: int = -1) -> Iterator[ChatChunk]:
        last = self._runs[-1] if self._runs else None
        if part or last is None or last.part or last.place != self._places - 1:
            if not (text or part):
                return
            last = _Run(self._place(), part)
            self._runs.append(last)
        last.pieces.append(text)
        begin, before = self._starts.get(number, (self._length, ""))
        self._starts[number] = (begin, before + text)
        self._length += len(text)
        if text:
            yield self._writer.text(text, self.index)

    def _call(self, call: Json, part: Json) -> Iterator[ChatChunk]:
        """A call as a whole, or the next piece of one whose arguments are streamed."""
        name, identity = call.get("name"), call.get("id")
        pieces = call.get("partialArgs")
        pieces = pieces if isinstance(pieces, list) else []
        goes_on = call.get("willContinue") is True
        if name and name == self._stand_in:
            yield from self._text(_json_text(call.get("args")), {})
            return
        other = self._open is not None and identity and identity != self._open.part["functionCall"].get("id")
        if self._open is None or other or (name and not pieces):
            yield from self._close_call()
            if not name and not pieces and not call.get("args") and not identity:
                return  # the last word on a call that is complete
            arguments = "" if goes_on or pieces else _json_text(call.get("args"))
            made, chunk = self._writer.begin_call(str(name or ""), identity, arguments, self.index)
            self.calls += 1
            yield chunk
            call_id = (chunk.choices[0].delta.tool_calls or [])[0].id or ""
            self._open = _OpenCall(made, part, self._place(), call_id)
        if part.get("thoughtSignature"):
            self._open.part = {**self._open.part, "thoughtSignature": part["thoughtSignature"]}
        for piece in pieces:
            self._open.arguments.add(piece)
        if not goes_on:
            yield from self._close_call()

    def _close_call(self) -> Iterator[ChatChunk]:
        """Give the arguments that came in pieces; keep a call that has a signature or an id of its own."""
        one, self._open = self._open, None
        if one is None:
            return
        call = one.part["functionCall"]
        part = one.part
        if call.get("willContinue") is True or call.get("partialArgs"):
            args = {**(call.get("args") or {}), **one.arguments.value}
            yield self._writer.arguments(one.number, _json_text(args), self.index)
            whole = {key: call[key] for key in ("id", "name") if call.get(key)}
            part = {**one.part, "functionCall": {**whole, "args": args}}
        if call.get("id") or part.keys() > {"functionCall"}:
            self._kept += 1
            yield self._detail("call", one.place, {"call_id": one.call_id, "part": part})

    def _media(self, blob: Json, part: Json) -> Iterator[ChatChunk]:
        """Sound is the answer as sound; anything else stands under `images` and is given back as it came."""
        kind, data = str(blob.get("mimeType") or ""), blob.get("data")
        if kind.startswith("audio/") and isinstance(data, str):
            yield from self._hear(data, kind)
            return
        if isinstance(data, str):
            image = {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
            self._images.append(image)
            yield self._writer.delta(self.index, images=list(self._images))
        self._kept += 1
        yield self._detail("part", self._place(), part)

    def _hear(self, data: str, kind: str) -> Iterator[ChatChunk]:
        """Sound in pieces whose base64 can be joined: three bytes to four letters, the rest held back."""
        try:
            sound = self._sound + b64decode(data)
        except ValueError:
            sound = self._sound
        cut = len(sound) - len(sound) % 3
        self._sound = sound[cut:]
        if cut:
            yield self._audio(b64encode(sound[:cut]).decode(), kind)

    def _audio(self, data: str, kind: str = "") -> ChatChunk:
        named = {"mime_type": kind} if kind else {}
        return self._writer.delta(self.index, audio=AudioAnswer.model_validate({"data": data, **named}))

    def _place(self) -> int:
        self._places += 1
        return self._places - 1

    def _detail(self, kind: str, place: int, block: Json) -> ChatChunk:
        return self._writer.detail(keep(self._target, WIRE, kind, place, block), self.index)


def _json_text(args: Any) -> str:
    return args if isinstance(args, str) else json.dumps({} if args is None else args, ensure_ascii=False)

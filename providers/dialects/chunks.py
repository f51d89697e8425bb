"""Chunks of one answer, written by the events of any wire; a whole answer is what they fold to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from ..chat import (
    Annotation,
    ChatChunk,
    ChunkChoice,
    CompletionTokensDetails,
    CustomCallDelta,
    Delta,
    FunctionCallDelta,
    Logprobs,
    PromptTokensDetails,
    ToolCallDelta,
    Usage,
)
from ..chat.making import record_of, stamp
from ..dialect import Target
from .draft import Json

NATIVE = "native_"
"""Stands before the name of a field that is the provider's own, and means something to it alone."""


_KNOWN = frozenset(ChatChunk.model_fields)
_ENDING = frozenset(ChunkChoice.model_fields)
_TEXTS = frozenset({"role", "content", "reasoning", "refusal"})


class ChunkWriter:
    """Writes the chunks of one answer: the same id, time and model on each, a number for each tool call."""

    def __init__(self, target: Target) -> None:
        self.id = ""
        self.created = 0
        self.model = target.model
        self.calls = 0
        """Tool calls begun, over all choices."""
        self._target = target
        self._numbers: dict[int, int] = {}
        self._spoken: set[int] = set()
        self._stamps: dict[tuple[str, int], tuple[object, Callable[[str], ChatChunk]]] = {}

    def open(self, identity: Any = None, created: Any = None, model: Any = None) -> None:
        """Take up what the provider says of the answer as such, where it says it."""
        if isinstance(identity, str | int) and identity:
            self.id = str(identity)
        if isinstance(created, int | float) and not isinstance(created, bool) and 0 < created < 1e15:
            self.created = int(created)
        if isinstance(model, str) and model:
            self.model = model

    def chunk(self, choices: list[ChunkChoice] | None = None, **fields: Any) -> ChatChunk:
        """A chunk of these choices; further fields, known to the contract or not, go on the chunk itself."""
        told = {
            "id": self.id,
            "created": self.created,
            "model": self.model,
            "provider": self._target.provider,
            "choices": choices or [],
            **fields,
        }
        if self.id.isascii() and self.model.isascii() and _passed(fields):
            return record_of(ChatChunk, told)
        return ChatChunk.model_validate(told)

    def delta(self, choice: int = 0, **fields: Any) -> ChatChunk:
        """What is new in one choice; the first of each says who speaks."""
        if choice not in self._spoken:
            self._spoken.add(choice)
            fields = {"role": "assistant", **fields}
        for name, value in fields.items():
            if name not in _TEXTS or not is_text(value):
                return self._said(choice, Delta(**fields))
        return self._said(choice, record_of(Delta, fields))

    def _said(self, choice: int, delta: Delta, **rest: Any) -> ChatChunk:
        return self.chunk([record_of(ChunkChoice, {"index": choice, "delta": delta, **rest})])

    def text(self, piece: str, choice: int = 0, *, logprobs: Logprobs | None = None) -> ChatChunk:
        """A piece of the text."""
        chunk = self._piece("content", piece, choice)
        if logprobs is not None:
            chunk.choices[0].logprobs = logprobs
        return chunk

    def reasoning(self, piece: str, choice: int = 0) -> ChatChunk:
        """A piece of the thinking."""
        return self._piece("reasoning", piece, choice)

    def _piece(self, name: str, piece: str, choice: int) -> ChatChunk:
        """One more chunk like the last of its kind, if there was one under the same id."""
        known = self._stamps.get((name, choice))
        about = (self.id, self.created, self.model)
        if known is not None and known[0] == about and is_text(piece):
            return known[1](piece)
        first = choice not in self._spoken
        chunk = self.delta(choice, **{name: piece})
        if not first:
            one = chunk.choices[0]
            around, said, words = stamp(chunk, "choices"), stamp(one, "delta"), stamp(one.delta, name)
            self._stamps[name, choice] = about, lambda text: around([said(words(text))])
        return chunk

    def detail(self, detail: Json, choice: int = 0) -> ChatChunk:
        """A block that has to be given back as it is; see `keeping.keep`."""
        return self.delta(choice, reasoning_details=[detail])

    def annotation(self, url: str | None, title: str | None, start: int, end: int, **rest: Any) -> ChatChunk:
        """A page cited for a stretch of the text; `rest` holds what else the provider says of it."""
        citation = {"url": url or "", "title": title or "", "start_index": start, "end_index": end}
        annotation = Annotation.model_validate({"type": "url_citation", "url_citation": citation, **rest})
        return self.delta(annotations=[annotation])

    def begin_call(
        self,
        name: str,
        identity: Any = None,
        arguments: str = "",
        choice: int = 0,
        *,
        custom: bool = False,
        **rest: Any,
    ) -> tuple[int, ChatChunk]:
        """A tool call's number in its choice, and its first piece; an id is made if need be.

        `custom` makes it a call of a tool that takes free text. `rest` holds the provider's own fields of the
        call, which are kept with `native_` before their names, so that no other provider is sent them.
        """
        number = self._numbers.get(choice, 0)
        self._numbers[choice] = number + 1
        self.calls += 1
        known = isinstance(identity, str) and identity
        call = ToolCallDelta(
            index=number,
            id=identity if known else self.made_id(choice, number),
            type="custom" if custom else "function",
            function=None if custom else FunctionCallDelta(name=name, arguments=arguments),
            custom=CustomCallDelta(name=name, input=arguments) if custom else None,
            **{f"{NATIVE}{field}": value for field, value in rest.items()},
        )
        return number, self._calling(choice, call)

    def made_id(self, choice: int, number: int) -> str:
        """An id for a call that came without one: the same answer gives the same ids."""
        return f"call_{sha256(f'{self.id}/{choice}/{number}'.encode()).hexdigest()[:24]}"

    def arguments(self, number: int, piece: str, choice: int = 0, *, custom: bool = False) -> ChatChunk:
        """A further piece of a call's arguments, or of a `custom` call's text."""
        if custom:
            call = ToolCallDelta(index=number, custom=CustomCallDelta(input=piece))
        elif not is_text(piece):
            call = ToolCallDelta(index=number, function=FunctionCallDelta(arguments=piece))
        else:
            function = record_of(FunctionCallDelta, {"arguments": piece})
            call = record_of(ToolCallDelta, {"index": number, "function": function})
        return self._calling(choice, call)

    def _calling(self, choice: int, call: ToolCallDelta) -> ChatChunk:
        told = (
            {"tool_calls": [call]} if choice in self._spoken else {"role": "assistant", "tool_calls": [call]}
        )
        self._spoken.add(choice)
        return self._said(choice, record_of(Delta, told))

    def finish(self, reason: str, native: str | None = None, choice: int = 0, **rest: Any) -> ChatChunk:
        """The end of a choice; the provider's own word stays beside the contract's where it is another."""
        if native is not None and native != reason:
            rest["native_finish_reason"] = native
        said = record_of(Delta, {} if choice in self._spoken else {"role": "assistant"})
        self._spoken.add(choice)
        if is_text(reason) and _ENDING.isdisjoint(rest):
            return self._said(choice, said, finish_reason=reason, **rest)
        return self.chunk([ChunkChoice(index=choice, delta=said, finish_reason=reason, **rest)])

    def usage(self, usage: Usage | None, **fields: Any) -> ChatChunk:
        """The last chunk: what the answer took, and what the provider says besides."""
        return self.chunk(usage=usage, **fields)


def token_usage(
    prompt: int,
    completion: int,
    *,
    cached: int | None = None,
    cache_write: int | None = None,
    reasoning: int | None = None,
    audio_in: int | None = None,
    audio_out: int | None = None,
    rest: Mapping[str, Any] | None = None,
) -> Usage:
    """Counts in the contract's one meaning: `prompt` with all cached tokens, `completion` with all thinking.

    `rest` holds the provider's own counts, which are kept under the names it gave them.
    """
    heard = {"cached_tokens": cached, "cache_write_tokens": cache_write, "audio_tokens": audio_in}
    said = {"reasoning_tokens": reasoning, "audio_tokens": audio_out}
    known = Usage.model_fields
    return record_of(
        Usage,
        {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": record_of(PromptTokensDetails, heard) if _any(heard) else None,
            "completion_tokens_details": record_of(CompletionTokensDetails, said) if _any(said) else None,
            **{
                name: value for name, value in (rest or {}).items() if name not in known and value is not None
            },
        },
    )


def _passed(fields: Mapping[str, Any]) -> bool:
    """Whether a chunk's further fields are a Usage, and such as are kept as they come."""
    return all(
        name not in _KNOWN or (name == "usage" and (value is None or type(value) is Usage))
        for name, value in fields.items()
    )


def is_text(value: Any) -> bool:
    """Whether a value is text, and whole Unicode: JSON can hold half a surrogate pair, answers may not."""
    if type(value) is not str:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _any(details: Mapping[str, int | None]) -> bool:
    return any(value is not None for value in details.values())


def count(source: Any, *path: str) -> int | None:
    """A count at a path of nested objects; None where it is missing or no number of tokens."""
    for name in path:
        source = source.get(name) if isinstance(source, dict) else None
    if isinstance(source, bool) or not isinstance(source, int | float) or not 0 <= source <= 2**53:
        return None
    return int(source)

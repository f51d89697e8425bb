"""Chunks of one answer, written by the events of any wire; a whole answer is what they fold to."""

from __future__ import annotations

from collections.abc import Mapping
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
from ..dialect import Target
from .draft import Json

NATIVE = "native_"
"""Stands before the name of a field that is the provider's own, and means something to it alone."""


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
        return ChatChunk(
            id=self.id,
            created=self.created,
            model=self.model,
            provider=self._target.provider,
            choices=choices or [],
            **fields,
        )

    def delta(self, choice: int = 0, **fields: Any) -> ChatChunk:
        """What is new in one choice; the first of each says who speaks."""
        if choice not in self._spoken:
            self._spoken.add(choice)
            fields = {"role": "assistant", **fields}
        return self.chunk([ChunkChoice(index=choice, delta=Delta(**fields))])

    def text(self, piece: str, choice: int = 0, *, logprobs: Logprobs | None = None) -> ChatChunk:
        """A piece of the text."""
        chunk = self.delta(choice, content=piece)
        if logprobs is not None:
            chunk.choices[0].logprobs = logprobs
        return chunk

    def reasoning(self, piece: str, choice: int = 0) -> ChatChunk:
        """A piece of the thinking."""
        return self.delta(choice, reasoning=piece)

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
        return number, self.delta(choice, tool_calls=[call])

    def made_id(self, choice: int, number: int) -> str:
        """An id for a call that came without one: the same answer gives the same ids."""
        return f"call_{sha256(f'{self.id}/{choice}/{number}'.encode()).hexdigest()[:24]}"

    def arguments(self, number: int, piece: str, choice: int = 0, *, custom: bool = False) -> ChatChunk:
        """A further piece of a call's arguments, or of a `custom` call's text."""
        if custom:
            call = ToolCallDelta(index=number, custom=CustomCallDelta(input=piece))
        else:
            call = ToolCallDelta(index=number, function=FunctionCallDelta(arguments=piece))
        return self.delta(choice, tool_calls=[call])

    def finish(self, reason: str, native: str | None = None, choice: int = 0, **rest: Any) -> ChatChunk:
        """The end of a choice; the provider's own word stays beside the contract's where it is another."""
        if native is not None and native != reason:
            rest["native_finish_reason"] = native
        said = Delta() if choice in self._spoken else Delta(role="assistant")
        self._spoken.add(choice)
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
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=PromptTokensDetails(**heard) if _any(heard) else None,
        completion_tokens_details=CompletionTokensDetails(**said) if _any(said) else None,
        **{name: value for name, value in (rest or {}).items() if name not in known and value is not None},
    )


def _any(details: Mapping[str, int | None]) -> bool:
    return any(value is not None for value in details.values())


def count(source: Any, *path: str) -> int | None:
    """A count at a path of nested objects; None where it is missing or no number of tokens."""
    for name in path:
        source = source.get(name) if isinstance(source, dict) else None
    if isinstance(source, bool) or not isinstance(source, int | float) or not 0 <= source <= 2**53:
        return None
    return int(source)

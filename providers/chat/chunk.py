"""One piece of a streamed answer; reading one is the hottest path there is, so these models stay plain."""

from typing import Annotated, Any, ClassVar, Literal

from .record import Count, NullAsEmptyList, NullAsEmptyObject, Record, always
from .response import Annotation, AudioAnswer, Envelope, Logprobs


class FunctionCallDelta(Record):
    """A piece of a call's function."""

    name: str | None = None
    """The function's name, once."""
    arguments: str | None = None
    """The next piece of the arguments' JSON text."""


class CustomCallDelta(Record):
    """A piece of a free-text call."""

    name: str | None = None
    """The tool's name, once."""
    input: str | None = None
    """The next piece of the input."""


class ToolCallDelta(Record):
    """A piece of a tool call; pieces with the same index belong together."""

    index: Count = 0
    """Which call of the answer it belongs to, from 0."""
    id: str | None = None
    """The call's id, with its first piece."""
    type: str | None = None
    """The kind of call, with its first piece."""
    function: FunctionCallDelta | None = None
    """What is new of the function."""
    custom: CustomCallDelta | None = None
    """What is new of a free-text call."""


class Delta(Record):
    """What is new in one choice."""

    role: str | None = None
    """Who speaks, with the first piece."""
    content: str | None = None
    """The next piece of text."""
    refusal: str | None = None
    """The next piece of a refusal."""
    reasoning: str | None = None
    """The next piece of what the model thinks."""
    reasoning_details: list[dict[str, Any]] | None = None
    """Further pieces of signed or encrypted thinking."""
    tool_calls: list[ToolCallDelta] | None = None
    """Pieces of tool calls."""
    function_call: FunctionCallDelta | None = None
    """A piece of the old form of a tool call."""
    annotations: list[Annotation] | None = None
    """Further remarks on the text."""
    audio: AudioAnswer | None = None
    """The next piece of sound and of its transcript."""

    @property
    def is_semantic(self) -> bool:
        """Whether something of the answer itself is in here, not just the role or empty text."""
        return bool(
            self.content
            or self.reasoning
            or self.tool_calls
            or self.refusal
            or self.reasoning_details
            or self.audio
            or self.annotations
            or self.function_call
        )


class ChunkChoice(Record):
    """What is new in one of the answers."""

    always_written: ClassVar[frozenset[str]] = frozenset({"finish_reason"})

    index: Count = 0
    """Which answer it is, from 0."""
    delta: Annotated[Delta, NullAsEmptyObject] = Delta.model_construct()
    """What is new."""
    finish_reason: str | None = None
    """Why the model stopped; null until it has."""
    logprobs: Logprobs | None = None
    """How likely the tokens of this piece were, where that was asked for."""


class ChatChunk(Envelope):
    """One piece of a streamed answer."""

    object: Annotated[Literal["chat.completion.chunk"], always("chat.completion.chunk")] = (
        "chat.completion.chunk"
    )
    """What this is; providers' other words for it are not kept."""
    choices: Annotated[list[ChunkChoice], NullAsEmptyList] = []
    """What is new, choice by choice; empty on a chunk of usage or of the provider's own news."""
    reset: bool | None = None
    """True where all chunks before this one are void, since the answer broke off and begins anew after it."""

    @property
    def text(self) -> str:
        """New text of the first choice (index 0), empty where there is none."""
        return _first(self.choices).content or ""

    @property
    def reasoning(self) -> str:
        """New thinking of the first choice (index 0), empty where there is none."""
        return _first(self.choices).reasoning or ""

    @property
    def finish_reason(self) -> str | None:
        """Why a choice stopped, if one did with this chunk."""
        return next((choice.finish_reason for choice in self.choices if choice.finish_reason), None)

    @property
    def is_semantic(self) -> bool:
        """Whether the chunk carries something of the answer: words, logprobs or an end."""
        for choice in self.choices:
            delta = choice.delta
            if delta.content or choice.finish_reason or delta.is_semantic or _has_tokens(choice.logprobs):
                return True
        return False


def _first(choices: list[ChunkChoice]) -> Delta:
    """What the choice with index 0 says."""
    for choice in choices:
        if choice.index == 0:
            return choice.delta
    return Delta()


def _has_tokens(logprobs: Logprobs | None) -> bool:
    return logprobs is not None and bool(logprobs.content or logprobs.refusal)

"""A whole answer. Reading is tolerant: null lists, unknown words and unknown fields never stop it."""

from typing import Annotated, Any, ClassVar, Literal

from .message import AudioReference, Message
from .record import (
    Count,
    Logarithm,
    NullAsEmptyList,
    NullAsEmptyObject,
    Record,
    Seconds,
    SecondsOrNull,
    Texts,
    Words,
    always,
    word_or,
)
from .tools import FunctionCall, ToolCall
from .usage import Cost, Usage


class URLCitation(Record):
    """A web page that a stretch of the answer rests on."""

    start_index: int | None = None
    """Index of the stretch's first character."""
    end_index: int | None = None
    """Index of the stretch's last character."""
    title: str | None = None
    """The page's title."""
    url: str | None = None
    """The page's address."""


class Annotation(Record):
    """A remark on a stretch of the answer."""

    type: Annotated[str, word_or("url_citation")] = "url_citation"
    """The kind of remark; `url_citation` is the one that is known."""
    url_citation: URLCitation | None = None
    """The page cited."""


class AudioAnswer(Record):
    """The answer as sound."""

    id: str | None = None
    """What a later message refers to it by."""
    data: str | None = None
    """The sound, base64 encoded, in the format that was asked for."""
    expires_at: SecondsOrNull = None
    """Until when the provider keeps it, in Unix seconds."""
    transcript: str | None = None
    """What is said, as text."""


class TopLogprob(Record):
    """One of the likeliest tokens at a place."""

    always_written: ClassVar[frozenset[str]] = frozenset({"bytes"})

    token: Words = ""
    """The token."""
    bytes: list[int] | None = None
    """Its UTF-8 bytes, for tokens that hold only part of a character."""
    logprob: Logarithm = -9999.0
    """Natural logarithm of its probability."""


class TokenLogprob(TopLogprob):
    """A token of the answer, and how likely it was."""

    top_logprobs: Annotated[list[TopLogprob], NullAsEmptyList] = []
    """The likeliest tokens at this place, as many as were asked for."""


class Logprobs(Record):
    """How likely each token of an answer was."""

    always_written: ClassVar[frozenset[str]] = frozenset({"content", "refusal"})

    content: list[TokenLogprob] | None = None
    """Tokens of the text."""
    refusal: list[TokenLogprob] | None = None
    """Tokens of the refusal."""


class ResponseMessage(Record):
    """What the model said."""

    always_written: ClassVar[frozenset[str]] = frozenset({"content", "refusal"})

    role: Annotated[str, word_or("assistant")] = "assistant"
    """Always the assistant."""
    content: str | None = None
    """The text."""
    refusal: str | None = None
    """What the model said instead of answering."""
    reasoning: str | None = None
    """What the model thought, whatever the provider calls it."""
    reasoning_details: list[dict[str, Any]] | None = None
    """Signed or encrypted thinking, to be given back to the same provider word for word."""
    annotations: list[Annotation] | None = None
    """Remarks on the text, such as web pages cited."""
    audio: AudioAnswer | None = None
    """The answer as sound, where that was asked for."""
    tool_calls: list[ToolCall] | None = None
    """The calls the model wants made."""
    function_call: FunctionCall | None = None
    """The old form of `tool_calls`."""

    def as_message(self) -> Message:
        """The message that carries this answer into the next request of the conversation.

        Annotations and unknown fields describe the answer and stay behind.
        """
        audio = AudioReference(id=self.audio.id) if self.audio and self.audio.id else None
        silent = self.tool_calls or self.function_call or self.refusal or audio
        return Message(
            role="assistant",
            content=self.content if silent else self.content or "",
            tool_calls=self.tool_calls or None,
            function_call=self.function_call,
            refusal=self.refusal,
            audio=audio,
            reasoning=self.reasoning,
            reasoning_details=self.reasoning_details,
        )


class Choice(Record):
    """One of the answers that were asked for."""

    always_written: ClassVar[frozenset[str]] = frozenset({"finish_reason", "logprobs"})

    index: Count = 0
    """Its place, from 0."""
    finish_reason: str | None = None
    """Why the model stopped: stop, length, tool_calls, content_filter, or a word of the provider's own."""
    logprobs: Logprobs | None = None
    """How likely each token was, where that was asked for."""
    message: Annotated[ResponseMessage, NullAsEmptyObject] = ResponseMessage.model_construct()
    """What was said."""


class ResponseError(Record):
    """One thing wrong with a request."""

    errorCode: str | None = None  # noqa: N815  # the wire's spelling
    """A word for what is wrong."""
    fieldName: str | None = None  # noqa: N815
    """The field it is about."""
    message: str | None = None
    """The same in a sentence."""
    meta: dict[str, str] | None = None
    """More about it."""


class ResponseStatus(Record):
    """An error as ServiceStack clients expect it; null on success."""

    errorCode: str | None = None  # noqa: N815
    """A word for what went wrong."""
    message: str | None = None
    """The same in a sentence."""
    stackTrace: str | None = None  # noqa: N815
    """Never filled."""
    errors: list[ResponseError] | None = None
    """What is wrong, field by field."""
    meta: dict[str, str] | None = None
    """More about it."""


class Envelope(Record):
    """What a whole answer and each chunk of a streamed one say about the answer as such."""

    extensions: ClassVar[frozenset[str]] = frozenset({"cost", "trace"})

    id: Words = ""
    """The provider's id of the answer; one for all chunks of a stream."""
    created: Seconds = 0
    """When the answer was made, in Unix seconds."""
    model: Words = ""
    """The model that answered, as the provider names it."""
    usage: Usage | None = None
    """Tokens that the answer took; in a stream it comes with the last chunk."""
    system_fingerprint: str | None = None
    """The provider's word for the configuration that answered."""
    service_tier: str | None = None
    """How the request was served, such as `default`, `flex` or `priority`."""
    provider: str | None = None
    """The configured name of the provider that answered."""
    metadata: Texts | None = None
    """The request's metadata, given back."""
    responseStatus: ResponseStatus | None = None  # noqa: N815
    """The error, for clients that look for it here; null on success."""
    cost: Cost | None = None
    """What the answer cost; written only where extensions are asked for."""
    trace: Any = None
    """How the call was routed; written only where extensions are asked for."""


class ChatResponse(Envelope):
    """A whole answer."""

    object: Annotated[Literal["chat.completion"], always("chat.completion")] = "chat.completion"
    """What this is; providers' other words for it are not kept."""
    choices: Annotated[list[Choice], NullAsEmptyList] = []
    """The answers, one unless the request's `n` asked for more."""

    @property
    def message(self) -> ResponseMessage:
        """What the first choice says; an empty message where there is no choice."""
        choices = self.choices
        return choices[0].message if choices else ResponseMessage()

    @property
    def text(self) -> str:
        """The first choice's text, empty where there is none."""
        return self.message.content or ""

    @property
    def reasoning(self) -> str | None:
        """What the model thought before the first choice."""
        return self.message.reasoning

    @property
    def refusal(self) -> str | None:
        """What the first choice says instead of answering."""
        return self.message.refusal

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The first choice's calls, empty where there are none."""
        return self.message.tool_calls or []

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice stopped."""
        choices = self.choices
        return choices[0].finish_reason if choices else None

"""The normalized request: what a caller asks for, whichever provider answers."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from ..errors import RequestError
from .checks import check, is_simple
from .legacy import modernize
from .message import Message
from .parts import ContentPart
from .problems import request_error
from .record import Flag, FrozenRecord, Number, Whole
from .response import ResponseMessage
from .simple import simple_request
from .tools import FunctionDefinition, FunctionName, Tool, ToolChoice


class AudioOutput(FrozenRecord):
    """How a spoken answer should sound."""

    format: Literal["wav", "mp3", "flac", "opus", "pcm16", "aac"]
    """How the sound is encoded."""
    voice: str
    """The provider's name of the voice."""


class Prediction(FrozenRecord):
    """What the answer will largely look like, so that it comes faster."""

    type: Literal["content"] = "content"
    """Always `content`."""
    content: str | list[ContentPart]
    """The expected text."""


class StreamOptions(FrozenRecord):
    """How to stream."""

    include_usage: Flag | None = None
    """Whether the caller wants to see a last chunk with the usage."""


class JSONSchemaFormat(FrozenRecord):
    """The schema that an answer must follow."""

    name: str = Field(min_length=1)
    """What to call the format."""
    description: str | None = None
    """What the format is for, for the model to read."""
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    """The JSON Schema."""
    strict: Flag | None = None
    """Whether the answer must follow the schema to the letter."""


class ResponseFormat(FrozenRecord):
    """The form of the answer. The spelling {"response_format": "json_object"} is taken too."""

    type: Literal["text", "json_object", "json_schema"]
    """Plain text, any JSON object, or JSON after a schema."""
    json_schema: JSONSchemaFormat | None = None
    """The schema; required where `type` says so."""

    @model_validator(mode="before")
    @classmethod
    def _nested_spelling(cls, value: object) -> object:
        if isinstance(value, Mapping) and "type" not in value and "response_format" in value:
            rest = {key: item for key, item in value.items() if key != "response_format"}
            return {"type": value["response_format"], **rest}
        return value


def _replayed(value: object) -> object:
    """Answers put back into the conversation as they came, turned into messages."""
    if isinstance(value, (list, tuple)):
        for item in value:
            if type(item) is not dict and isinstance(item, ResponseMessage):
                return [each.as_message() if isinstance(each, ResponseMessage) else each for each in value]
    return value


Bias = Annotated[Number, Field(ge=-100, le=100)] | Annotated[Whole, Field(ge=-100, le=100)]
MetadataKey = Annotated[str, Field(max_length=64)]
MetadataValue = Annotated[str, Field(max_length=512)]


class ChatCompletion(FrozenRecord):
    """A request for a chat completion.

    `parse()` is the way in for anything that comes from outside: it raises a `RequestError` with the path of
    what is wrong, where the constructor raises pydantic's `ValidationError`. Fields that are not in the
    contract are kept and sent to providers that take them. The deprecated `functions`, `function_call` and
    messages of role `function` are turned into tools, tool choices and tool messages.
    """

    messages: Annotated[list[Message], BeforeValidator(_replayed)] = Field(min_length=1)
    """The conversation so far, oldest first."""
    model: str = Field(min_length=1)
    """Who is to answer: a route, an alias, or `provider/model`."""
    audio: AudioOutput | None = None
    """How a spoken answer should sound; required where `modalities` has `audio`."""
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    """Makes tokens less likely the more often they came before; negative values do the reverse."""
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    """Makes tokens less likely once they came before; negative values do the reverse."""
    logit_bias: dict[Annotated[str, Field(coerce_numbers_to_str=True)], Bias] | None = None
    """Token id to a nudge, up to 100 for the token or down to -100 against it."""
    logprobs: Flag | None = None
    """Whether to tell how likely each token of the answer was."""
    top_logprobs: Annotated[Whole, Field(ge=0, le=20)] | None = None
    """How many of the likeliest tokens to tell at each place; needs `logprobs`."""
    max_completion_tokens: Annotated[Whole, Field(ge=1)] | None = None
    """The most tokens the answer may take, reasoning included."""
    max_tokens: Annotated[Whole, Field(ge=1)] | None = None
    """The older name of `max_completion_tokens`; where both are given they must be equal."""
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)] | None = None
    """The caller's own labels, given back with the answer."""
    modalities: list[Literal["text", "audio"]] | None = None
    """The forms the answer may take."""
    n: Annotated[Whole, Field(ge=1)] | None = None
    """How many answers to make; each is paid for."""
    parallel_tool_calls: Flag | None = None
    """Whether the model may call several tools at once."""
    prediction: Prediction | None = None
    """Text that the answer will largely repeat, so that it comes faster."""
    prompt_cache_key: str | None = None
    """Tells the provider's prompt cache which requests are alike."""
    reasoning_effort: str | None = None
    """How hard to think: none, minimal, low, medium, high or xhigh; other words are passed on."""
    enable_thinking: Flag | None = None
    """Whether to think before answering, with the same meaning for every provider."""
    thinking_budget: Annotated[Whole, Field(ge=0)] | None = None
    """The most tokens to think with."""
    response_format: ResponseFormat | None = None
    """The form of the answer."""
    safety_identifier: str | None = None
    """A stable, anonymous id of the person asking, for the provider's abuse checks."""
    user: str | None = None
    """The older name of `safety_identifier`."""
    seed: Whole | None = None
    """Asks for the same answer to the same request, as far as the provider can."""
    service_tier: str | None = None
    """How the provider should serve it: auto, default, flex, priority, scale …"""
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    """Where to stop: one text or up to four; the answer ends before them."""
    store: Flag | None = None
    """Whether the provider may keep the answer for its own products."""
    stream: Flag | None = None
    """Whether the answer is wanted piece by piece."""
    stream_options: StreamOptions | None = None
    """How to stream; only where `stream` is true."""
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    """How freely to choose among likely tokens; 0 takes the likeliest."""
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    """Chooses only among the likeliest tokens that together have this probability."""
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    """What the model may call."""
    tool_choice: ToolChoice | None = None
    """Whether the model may, must or must not call, or what it must call."""
    functions: Annotated[list[FunctionDefinition], Field(max_length=128)] | None = None
    """The deprecated form of `tools`, turned into that."""
    function_call: Literal["none", "auto"] | FunctionName | None = None
    """The deprecated form of `tool_choice`, turned into that."""
    verbosity: Literal["low", "medium", "high"] | None = None
    """How long-winded the answer should be."""
    web_search_options: dict[str, Any] | None = None
    """How the provider's own web search should work."""

    @classmethod
    def parse(cls, value: "Mapping[str, Any] | ChatCompletion") -> "ChatCompletion":
        """The checked request; `RequestError` names the first field that breaks the contract."""
        if type(value) is dict:
            simple = simple_request(cls, value)
            if simple is not None:
                return simple
        elif isinstance(value, ChatCompletion):
            return value
        elif not isinstance(value, Mapping):
            raise RequestError("The request must be an object with model and messages.")
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise request_error(error, value) from None

    @model_validator(mode="after")
    def _contract(self) -> "ChatCompletion":
        if not is_simple(self):
            modernize(self)
            check(self)
        return self

    @property
    def max_output_tokens(self) -> int | None:
        """The most tokens the answer may take, whichever spelling said so."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

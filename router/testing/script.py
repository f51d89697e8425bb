"""What a simulated provider answers: replies, the scripts they stand in, and their YAML form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from turnout.config.durations import parse_duration
from turnout.config.errors import ConfigError, Problem

QuirksName = Literal[
    "openai",
    "qwen",
    "groq",
    "llama-cpp",
    "vllm",
    "ollama",
    "deepseek",
    "mistral",
    "xai",
    "openrouter",
    "minimax",
]
"""The hosts whose departures from OpenAI's wire the simulator knows."""

_Seconds = Annotated[float, BeforeValidator(parse_duration)]
_Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ScriptedCall(_Strict):
    """One tool call that the simulated model makes.

    OpenAI's own nesting (`{"id": …, "type": "function", "function": {…}}`) is taken too.
    """

    name: str
    """The function's name."""
    arguments: str | Mapping[str, Any] = "{}"
    """A mapping is sent as JSON text; a string is sent as it stands, valid JSON or not."""
    id: str | None = None
    """None: the simulator makes one in the host's style."""

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and isinstance(value.get("function"), Mapping):
            return {**value["function"], **{key: value[key] for key in ("id",) if key in value}}
        return value

    @property
    def arguments_text(self) -> str:
        """The arguments as they travel."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


class Reply(_Strict):
    """One answer of a simulated model: what it says, and what goes wrong on the way.

    An *event* is one server-sent event of a streamed answer, comments not counted; a whole answer has
    none, so `cut_after_events`, `end_after_events` and `stall_after_events` take effect before its body.
    """

    text: str | None = "Hello"
    """The content; left out of an answer that only calls tools, unless it was given."""
    reasoning: str | None = None
    """Sent unless the request switches thinking off, under the name that the host gives it."""
    refusal: str | None = None
    """OpenAI's `refusal` beside the content."""
    tool_calls: Sequence[ScriptedCall | Mapping[str, Any]] = ()
    """Read back as a tuple of ScriptedCall."""
    finish_reason: str | None = "stop"
    """`tool_calls` if there are calls and none was given; None: the answer never says why it ended."""
    status: Annotated[int, Field(ge=200, le=599)] = 200
    """HTTP status; from 400 on the answer is an error in the host's envelope."""
    headers: Mapping[str, str] = {}
    """Added to the simulator's own; a name that is there already is replaced."""
    error: str | Mapping[str, Any] | None = None
    """A message, or OpenAI's error fields (message, type, param, code and any others); None: by status."""
    body: bytes | None = None
    """Sent as the whole body, instead of anything the simulator would write."""
    latency: _Seconds = 0.0
    """Seconds before the status line."""
    drip: Annotated[int, Field(ge=1)] | None = None
    """Bytes per write; None: one write per event, or one for a whole answer."""
    drip_delay: _Seconds = 0.0
    """Seconds between two writes."""
    hang_up: bool = False
    """After `latency` the connection closes without any answer."""
    cut_at_byte: _Count | None = None
    """The connection dies after that many bytes of the body."""
    cut_after_events: _Count | None = None
    """The connection dies after that many events."""
    end_after_events: _Count | None = None
    """The body ends properly after that many events, though the answer is not complete."""
    stall_after_events: _Count | None = None
    """Nothing more comes after that many events, and the connection stays open until the client leaves."""
    malformed_event: _Count | None = None
    """That event, counted from 0, holds broken JSON; a whole answer's body does for any number."""
    usage: Mapping[str, Any] | Literal["missing"] | None = None
    """Sent instead of the counted usage; `missing`: no usage at all."""
    error_in_200: bool | str | Mapping[str, Any] | None = None
    """HTTP 200 whose body, or first event, is an error; True: the one in `error`."""
    error_event_after: _Count | None = None
    """After that many events the stream reports `error` (else a server error) and ends."""
    goes_on: Literal["never", "rest", "echo"] = "never"
    """Where the request's last message is the assistant's, and the text begins with it: `never` says all of
    the text nevertheless, as a new answer; `rest` goes on with it; `echo` does so and repeats the beginning.
    The last two do not think."""
    quirks: QuirksName | None = None
    """The host to answer like; None: the simulator's."""

    @field_validator("tool_calls", mode="after")
    @classmethod
    def _typed_calls(cls, value: Sequence[ScriptedCall | Mapping[str, Any]]) -> tuple[ScriptedCall, ...]:
        return tuple(ScriptedCall.model_validate(call) for call in value)

    @model_validator(mode="after")
    def _error_is_sent(self) -> Self:
        if (
            self.error is not None
            and self.status < 400
            and not self.error_in_200
            and self.error_event_after is None
        ):
            raise ValueError("error needs a status from 400 on, error_in_200 or error_event_after to be sent")
        return self

    @property
    def calls(self) -> tuple[ScriptedCall, ...]:
        """The tool calls, all of one type."""
        return tuple(ScriptedCall.model_validate(call) for call in self.tool_calls)

    @property
    def content(self) -> str | None:
        """The text that is sent."""
        return None if self.calls and "text" not in self.model_fields_set else self.text

    @property
    def ending(self) -> str | None:
        """The finish reason that is sent, before the host's own spelling."""
        return (
            "tool_calls"
            if self.calls and "finish_reason" not in self.model_fields_set
            else self.finish_reason
        )


class Script(_Strict):
    """The replies of one model, in order."""

    replies: Annotated[Sequence[Reply], Field(min_length=1)]
    """The n-th request gets the n-th reply."""
    then: Literal["last", "first"] = "last"
    """Afterwards the last one repeats, or all begin again from the first."""

    @classmethod
    def of(cls, value: Script | Sequence[Reply]) -> Script:
        """A script as it is, or one made of a list of replies."""
        return value if isinstance(value, Script) else cls(replies=tuple(value))

    def reply(self, number: int) -> Reply:
        """The reply to the request `number`, counted from 0."""
        if self.then == "first":
            return self.replies[number % len(self.replies)]
        return self.replies[min(number, len(self.replies) - 1)]


def load_script(path: str | Path) -> dict[str, Script]:
    """Scripts by model name out of a YAML or JSON file; ConfigError lists everything that is wrong in it.

    The file maps a model's name to a list of replies, or to `{replies: […], then: first}`. Durations may be
    written like `250ms`.
    """
    file = str(path)
    try:
        value = yaml.safe_load(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            [Problem(f"cannot be read ({error.strerror}); name an existing YAML file", file)]
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(f"is not YAML: {error}", file)]) from error
    if not isinstance(value, Mapping):
        raise ConfigError([Problem("must map each model's name to its replies", file)])
    scripts: dict[str, Script] = {}
    problems: list[Problem] = []
    for model, script in value.items():
        try:
            scripts[str(model)] = Script.model_validate(
                {"replies": script} if isinstance(script, list) else script
            )
        except ValidationError as error:
            problems += _problems(file, str(model), error)
    if problems:
        raise ConfigError(problems)
    return scripts


def _problems(file: str, model: str, error: ValidationError) -> Iterable[Problem]:
    for fault in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in (model, *fault["loc"]))
        yield Problem(f"{place}: {fault['msg']}", file)


def demo_scripts() -> dict[str, Script]:
    """Models that show a router at work without any account: two that fail, and one with a story to tell."""
    return {
        "rate-limited": Script(
            replies=[
                Reply(
                    status=429,
                    headers={"Retry-After": "1"},
                    error={
                        "message": "Rate limit reached for requests. Please try again in 1s.",
                        "type": "requests",
                        "code": "rate_limit_exceeded",
                    },
                )
            ]
        ),
        "cut-short": Script(replies=[Reply(text=_STORY, cut_after_events=1)]),
        "story": Script(replies=[Reply(text=_STORY, reasoning=_PLOT, drip_delay=0.02)]),
    }


_PLOT = "A short tale about trains would fit. It should end well."
_STORY = (
    "The last train of the evening stood at the junction, and its signal stayed red. "
    "The signalman did not sigh. He walked down the track, threw the lever of the old turnout, "
    "and sent the train along the river line instead. It arrived four minutes late, "
    "and the passengers agreed that they had never seen the moon so close to the water."
)

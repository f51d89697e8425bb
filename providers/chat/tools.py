"""Tools that a model may call, and the calls it makes."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from .record import Flag, FrozenRecord, Words, word_or


class FunctionDefinition(FrozenRecord):
    """A function that the model may ask to have called."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]*$", min_length=1, max_length=64)
    """What the model calls it by: letters, digits, underscores and dashes."""
    description: str | None = None
    """What it does and when to use it, for the model to read."""
    parameters: dict[str, Any] | None = None
    """JSON Schema of its arguments; none where it takes no arguments."""
    strict: Flag | None = None
    """Whether the arguments must follow the schema to the letter."""


class Tool(FrozenRecord):
    """Something the model may use; a tool that is not a function is kept as given."""

    type: str = "function"
    """`function`, or the provider's own kind of tool."""
    function: FunctionDefinition | None = None
    """The function; required where `type` says so."""


class FunctionName(FrozenRecord):
    """A function by its name."""

    name: str = Field(min_length=1)
    """The name."""


class NamedToolChoice(FrozenRecord):
    """Makes the model call one tool; other kinds of choice, such as `allowed_tools`, are kept as given."""

    type: str = "function"
    """`function`, or the provider's own kind of choice."""
    function: FunctionName | None = None
    """The function to call; required where `type` says so."""


ToolChoice = Literal["none", "auto", "required"] | NamedToolChoice
"""Whether and what the model must call."""


def _json_text(value: object) -> object:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, Mapping) else value


class FunctionCall(FrozenRecord):
    """The function a model wants called.

    A bare string is taken too: the function's name, or a whole call written as JSON.
    """

    name: Words = ""
    """The function's name."""
    arguments: Annotated[str, BeforeValidator(_json_text)] = ""
    """Its arguments, a JSON object as text; models make mistakes, so check. An object is turned into text."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("{"):
            try:
                call = json.loads(value)
            except ValueError:
                call = None
            if isinstance(call, dict) and isinstance(call.get("name"), str):
                return call
        return {"name": value, "arguments": "{}"}


class CustomCall(FrozenRecord):
    """A call of a tool that takes free text."""

    name: Words = ""
    """The tool's name."""
    input: Words = ""
    """What the model hands to it."""


class ToolCall(FrozenRecord):
    """One call that a model wants made, to be answered by a tool message with the same id."""

    id: Words = ""
    """What the answer refers to; required in a request."""
    type: Annotated[str, word_or("function")] = "function"
    """`function` or `custom`."""
    function: FunctionCall | None = None
    """The function and its arguments."""
    custom: CustomCall | None = None
    """The free-text tool and its input, where `type` is `custom`."""

    @property
    def name(self) -> str:
        """The name of the tool that is called."""
        called = self.function or self.custom
        return called.name if called else ""

    @property
    def arguments(self) -> str:
        """What the tool is called with: a function's arguments as JSON text, or a custom tool's input."""
        if self.function:
            return self.function.arguments
        return self.custom.input if self.custom else ""

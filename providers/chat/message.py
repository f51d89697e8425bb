"""The messages of a conversation."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from .parts import ContentPart, TextPart
from .record import FrozenRecord
from .tools import FunctionCall, ToolCall

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
"""Who speaks. `function` is the old word for `tool`; a request turns it into that."""

Content = str | Sequence[ContentPart | dict[str, Any]]
"""What a message constructor takes: text, or parts, given as objects or as plain dicts."""


class AudioReference(FrozenRecord):
    """An earlier spoken answer of the model."""

    id: str
    """The answer's audio id."""


class Message(FrozenRecord):
    """One message of a conversation."""

    always_written: ClassVar[frozenset[str]] = frozenset({"content"})

    role: Role
    """Who speaks."""
    content: str | list[ContentPart] | None = None
    """What is said; null only for an assistant that called a tool, refused or spoke."""
    name: str | None = None
    """Tells apart several who share a role."""
    tool_calls: list[ToolCall] | None = None
    """The calls an assistant made."""
    tool_call_id: str | None = None
    """Which earlier call a tool message answers."""
    refusal: str | None = None
    """What an assistant said instead of answering."""
    audio: AudioReference | None = None
    """An assistant's earlier spoken answer."""
    function_call: FunctionCall | None = None
    """The old form of `tool_calls`; a request turns it into that."""
    reasoning: str | None = None
    """What an assistant thought, for providers that want it back."""
    reasoning_details: list[dict[str, Any]] | None = None
    """Signed or encrypted thinking, which only the provider it came from gets back, word for word."""

    @classmethod
    def system(cls, content: Content, **fields: Any) -> "Message":
        """Standing instructions."""
        return cls(role="system", content=content, **fields)  # type: ignore[arg-type]  # pydantic reads dicts

    @classmethod
    def developer(cls, content: Content, **fields: Any) -> "Message":
        """Standing instructions, as reasoning models call them."""
        return cls(role="developer", content=content, **fields)  # type: ignore[arg-type]

    @classmethod
    def user(cls, content: Content, **fields: Any) -> "Message":
        """What the person says."""
        return cls(role="user", content=content, **fields)  # type: ignore[arg-type]

    @classmethod
    def assistant(cls, content: Content | None = None, **fields: Any) -> "Message":
        """What the model said; without content it needs tool_calls, a refusal or audio."""
        return cls(role="assistant", content=content, **fields)  # type: ignore[arg-type]

    @classmethod
    def tool(cls, call_id: str, content: Content, **fields: Any) -> "Message":
        """The result of the call with that id."""
        return cls(role="tool", tool_call_id=call_id, content=content, **fields)  # type: ignore[arg-type]

    @property
    def text(self) -> str:
        """All text of the message joined, without images, sound and files."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content if isinstance(part, TextPart))
        return self.content or ""

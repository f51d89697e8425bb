"""What all parts of the settings share: frozen models that refuse unknown keys, and the words for errors."""

from collections.abc import Callable
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict

Kind = Literal[
    "authentication", "permission", "not_found", "invalid_request", "context_window", "content_policy",
    "rate_limit", "quota", "timeout", "overloaded", "server", "connection", "malformed", "interrupted",
    "empty", "refusal", "truncated", "invalid_json", "rejected", "unsupported",
]  # fmt: skip
"""The class of an error, as the word that YAML, logs and the ledger use."""

RETRY_ON: tuple[Kind, ...] = ("rate_limit", "overloaded", "server", "connection", "timeout")
FALLBACK_ON: tuple[Kind, ...] = (
    "rate_limit", "quota", "overloaded", "server", "connection", "timeout", "malformed", "interrupted",
    "empty", "context_window", "authentication", "permission", "not_found", "unsupported",
)  # fmt: skip

OnUnsupported = Literal["refuse", "drop", "warn"]
"""What to do with a hint that a target cannot express: refuse the target, or send without it."""
OnInterrupt = Literal["raise", "restart", "continue"]
"""What to do with a stream that breaks after its first word: tell the caller, begin again at the next target,
or have the next target go on from what has come."""


class Section(BaseModel):
    """A frozen part of the settings; a key it does not know is an error, and no error shows a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


S = TypeVar("S", bound=Section)


def unsaid(section: type[S]) -> Callable[[], S]:
    """What makes a section of which nothing is said; with nothing to check, its schema need not be built."""
    return section.model_construct

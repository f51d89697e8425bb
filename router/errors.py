"""A call's own errors: what is raised when every target was tried, or when the time was up.

Which error a failed call raises:

- a kind that is not in the route's `fallback_on`: the provider's own typed error;
- only one target was tried: the provider's own typed error;
- time up: `DeadlineExceededError`;
- anything else: `AllTargetsFailedError`.

All of them carry `attempts`, and `__cause__` is the provider's last error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from turnout.config.errors import TurnoutError

if TYPE_CHECKING:
    from turnout.providers.chat import ChatResponse
    from turnout.providers.errors import ProviderError, UnsupportedError

    from .accounting import Attempt


class CallError(TurnoutError):
    """A call came to nothing; `attempts` tells everything that was tried."""

    def __init__(self, message: str, attempts: Sequence[Attempt] = ()) -> None:
        self.message = message
        self.attempts = tuple(attempts)
        super().__init__(message)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {_line(attempt)}" for attempt in self.attempts)])


class AllTargetsFailedError(CallError):
    """Every target of the plan was tried and none answered; `errors` holds their errors in order."""

    def __init__(
        self, attempts: Sequence[Attempt], errors: Sequence[ProviderError | UnsupportedError] = ()
    ) -> None:
        self.errors = tuple(errors)
        super().__init__("No target of the route answered. Each attempt, in order:", attempts)


class DeadlineExceededError(CallError):
    """The call's deadline passed; `partial` holds what a stream had brought until then."""

    partial: ChatResponse | None = None

    def __init__(self, attempts: Sequence[Attempt], *, deadline: float | None = None) -> None:
        limit = "its deadline" if deadline is None else f"its deadline of {deadline:g} s"
        super().__init__(
            f"The call took longer than {limit}. Raise the deadline, or name faster targets.", attempts
        )


class StreamStateError(TurnoutError):
    """A ChatStream was used outside `async with`, entered twice, or read by two tasks at once."""


def _line(attempt: Attempt) -> str:
    error = attempt.error
    if error is None:
        return f"{attempt.number}. {attempt.target}: {attempt.outcome} after {attempt.seconds:.2f} s"
    status = f" {error.status}" if error.status is not None else ""
    what = f"{error.kind}{status} after {attempt.seconds:.2f} s: {error.message}"
    return f"{attempt.number}. {attempt.target}: {what}"

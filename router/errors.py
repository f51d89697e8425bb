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

from turnout.config.errors import ConfigError, TurnoutError

if TYPE_CHECKING:
    from turnout.providers.chat import ChatResponse
    from turnout.providers.errors import ProviderError, UnsupportedError

    from .accounting import Attempt

    _AttemptsError = ProviderError | UnsupportedError


class FunctionError(ConfigError):
    """A function that the settings name broke, or gave what it may not give; `__cause__` is its own error.

    `response` is the answer that it should have judged, whole and paid for, where it was asked about one;
    `attempts` tells what was tried until then.
    """

    def __init__(self, problem: str, *, response: ChatResponse | None = None) -> None:
        self.response = response
        self.attempts: tuple[Attempt, ...] = ()
        super().__init__(problem)


class CallError(TurnoutError):
    """A call came to nothing; `attempts` tells what was tried, `errors` what each of it that failed met."""

    def __init__(
        self, message: str, attempts: Sequence[Attempt] = (), errors: Sequence[_AttemptsError] = ()
    ) -> None:
        self.message = message
        self.attempts = tuple(attempts)
        self.errors = tuple(errors)
        super().__init__(message)

    @property
    def response(self) -> ChatResponse | None:
        """The last answer that came and was not taken for what it said; None where there was none."""
        answers = (getattr(error, "response", None) for error in reversed(self.errors))
        return next((answer for answer in answers if answer is not None), None)

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {_line(attempt)}" for attempt in self.attempts)])


class AllTargetsFailedError(CallError):
    """Every target of the plan was tried and none answered; `errors` holds their errors in order."""

    def __init__(self, attempts: Sequence[Attempt], errors: Sequence[_AttemptsError] = ()) -> None:
        super().__init__("No target of the route answered. Each attempt, in order:", attempts, errors)


class DeadlineExceededError(CallError):
    """The call's deadline passed; `partial` holds what a stream had brought until then."""

    partial: ChatResponse | None = None

    def __init__(
        self,
        attempts: Sequence[Attempt],
        *,
        deadline: float | None = None,
        errors: Sequence[_AttemptsError] = (),
    ) -> None:
        limit = "its deadline" if deadline is None else f"its deadline of {deadline:g} s"
        super().__init__(
            f"The call took longer than {limit}. Raise the deadline, or name faster targets.",
            attempts,
            errors,
        )


class BudgetExceededError(CallError):
    """Every target that the call could go to would cost more than it may; nothing was sent."""


class StreamStateError(TurnoutError):
    """A ChatStream was used outside `async with`, entered twice, or read by two tasks at once."""


class RouterClosedError(TurnoutError):
    """The router is closed, or about to be: it takes no further calls, and this one could not be finished."""

    def __init__(self) -> None:
        super().__init__("The router is closed. Make the call before `aclose`, or enter the router again.")


def _line(attempt: Attempt) -> str:
    error = attempt.error
    if error is None:
        return f"{attempt.number}. {attempt.target}: {attempt.outcome} after {attempt.seconds:.2f} s"
    status = f" {error.status}" if error.status is not None else ""
    what = f"{error.kind}{status} after {attempt.seconds:.2f} s: {error.message}"
    return f"{attempt.number}. {attempt.target}: {what}"

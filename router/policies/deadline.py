"""The layer that gives a call its end: once the time is up, one error says so, and what was tried.

The time itself is kept where the waiting is done, around each single wait, so that no cancel scope is open
while the caller's own code runs.
"""

from __future__ import annotations

from turnout.providers.errors import ProviderError

from ..clock import Clock
from ..errors import AllTargetsFailedError, DeadlineExceededError
from ..pipeline import DEADLINE, Call, Handler, Layer, Reply
from ..rejecting import REJECTED


def deadline(clock: Clock) -> Layer:
    """Raise DeadlineExceededError for whatever failed because the call's time was up."""

    def layer(inner: Handler) -> Handler:
        async def with_deadline(call: Call) -> Reply:
            try:
                return await inner(call)
            except (ProviderError, AllTargetsFailedError) as error:
                if not _is_due(error, call, clock):
                    raise
                attempts, errors = call.trace().attempts, call.journal.errors
                raise DeadlineExceededError(attempts, deadline=call.deadline, errors=errors) from error

        return with_deadline

    return layer


def _is_due(error: ProviderError | AllTargetsFailedError, call: Call, clock: Clock) -> bool:
    if isinstance(error, ProviderError):
        return error.code == DEADLINE or (error.code == REJECTED and clock.monotonic() >= call.ends_at)
    return clock.monotonic() >= call.ends_at

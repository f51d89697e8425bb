"""What a policy raises that turns an attempt away before anything is sent."""

from __future__ import annotations

from turnout.config.sections import Kind
from turnout.providers.errors import ProviderError

REJECTED = "rejected"
"""`code` of the error of an attempt that was turned away."""


class TargetRejectedError(ProviderError):
    """A policy of this router let an attempt not pass: an open breaker, a rate limit, a key that is refused.

    Nothing was sent. `kind` is that of the cause, `retry_after` says in how many seconds the target is open
    to attempts again, as far as that is known.
    """

    advice = "Wait for retry_after, or add another target to the route."

    def __init__(self, message: str, *, kind: Kind, retry_after: float | None = None) -> None:
        super().__init__(message, code=REJECTED, retry_after=retry_after)
        self.kind = kind

"""The layer that knows how many attempts a target has in flight, and how fast it is.

It counts an attempt from here on until its answer has ended, whatever else becomes of it, and tells the
target's latency how long that took. Who was turned away before anything was sent says nothing of the
target, nor do failures that are the request's own.
"""

from __future__ import annotations

from turnout.config.sections import Kind
from turnout.providers.errors import AttemptTimeoutError, ProviderError

from ..clock import Clock
from ..health.in_flight import Guard
from ..health.latency import Latency
from ..health.standing import Standing
from ..pipeline import Call, Handler, Layer, Reply
from ..rejecting import TargetRejectedError

_OF_THE_REQUEST: frozenset[Kind] = frozenset(
    (
        "invalid_request", "context_window", "content_policy", "refusal", "truncated", "invalid_json",
        "rejected", "unsupported",
    )
)  # fmt: skip
_FEW = 8  # tokens; of a shorter answer no pace can be told


def measure(clock: Clock) -> Layer:
    """Count the attempts of each target, and time them."""

    def layer(inner: Handler) -> Handler:
        async def measured(call: Call) -> Reply:
            standing = call.target.standing
            if standing is None:
                return await inner(call)
            attempt = _Measured(standing, clock, whole=not call.streaming)
            try:
                reply = await inner(call)
            except BaseException as error:
                attempt.broken(error)
                raise
            if reply.end is None:
                reply.when_ended(attempt.ended)
            else:
                attempt.ended(reply)
            return reply

        return measured

    return layer


class _Measured(Guard):
    """One attempt, counted and timed."""

    __slots__ = ("_began", "_clock", "_latency", "_whole")

    def __init__(self, standing: Standing, clock: Clock, *, whole: bool) -> None:
        super().__init__(standing.in_flight)
        self._latency: Latency = standing.latency
        self._clock = clock
        self._whole = whole
        self._began = clock.monotonic()

    def ended(self, reply: Reply) -> None:
        """Its answer has ended, in whatever way."""
        self.leave()
        now = self._clock.monotonic()
        if reply.end == "failed":
            self._latency.failed(now, now - self._began)
        elif self._whole:
            if reply.end == "completed":
                self._latency.observe_whole(now, now - self._began)
        elif reply.first_token_at is not None:
            first = reply.first_token_at
            self._latency.observe(now, first - self._began, _pace(reply, now - first))

    def broken(self, error: BaseException) -> None:
        """It came to nothing before its answer began."""
        self.leave()
        now = self._clock.monotonic()
        seconds = now - self._began
        if isinstance(error, ProviderError):
            if isinstance(error, AttemptTimeoutError):
                self._latency.outlasted(now, seconds, whole=self._whole)
            elif not isinstance(error, TargetRejectedError) and error.kind not in _OF_THE_REQUEST:
                self._latency.failed(now, seconds)
        elif not isinstance(error, Exception):
            self._latency.outlasted(now, seconds, whole=self._whole)


def _pace(reply: Reply, seconds: float) -> float | None:
    """Seconds for each token after the first; None where nobody counted them, or they are few."""
    usage = reply.usage
    if reply.end != "completed" or usage is None or usage.completion_tokens is None:
        return None
    tokens = usage.completion_tokens
    return seconds / (tokens - 1) if tokens >= _FEW else None

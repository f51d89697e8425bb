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
            whole = not call.streaming
            began = clock.monotonic()
            guard = standing.in_flight.enter()
            try:
                reply = await inner(call)
            except BaseException as error:
                guard.leave()
                _broken(standing.latency, error, clock.monotonic(), began, whole=whole)
                raise
            if reply.end is None:
                reply.when_ended(_Going(guard, standing.latency, clock, began, whole=whole).ended)
            else:
                guard.leave()
                _ended(standing.latency, reply, clock.monotonic(), began, whole=whole)
            return reply

        return measured

    return layer


class _Going:
    """An attempt whose answer has begun, and goes on."""

    __slots__ = ("_began", "_clock", "_guard", "_latency", "_whole")

    def __init__(self, guard: Guard, latency: Latency, clock: Clock, began: float, *, whole: bool) -> None:
        self._guard = guard
        self._latency = latency
        self._clock = clock
        self._began = began
        self._whole = whole

    def ended(self, reply: Reply) -> None:
        """Its answer has ended, in whatever way."""
        self._guard.leave()
        _ended(self._latency, reply, self._clock.monotonic(), self._began, whole=self._whole)


def _ended(latency: Latency, reply: Reply, now: float, began: float, *, whole: bool) -> None:
    """An answer that had begun has ended."""
    if reply.end == "failed":
        latency.failed(now, now - began)
    elif whole:
        if reply.end == "completed":
            latency.observe_whole(now, now - began)
    elif reply.first_token_at is not None:
        first = reply.first_token_at
        latency.observe(now, first - began, _pace(reply, now - first))


def _broken(latency: Latency, error: BaseException, now: float, began: float, *, whole: bool) -> None:
    """An attempt came to nothing before its answer began."""
    seconds = now - began
    if isinstance(error, ProviderError):
        if isinstance(error, AttemptTimeoutError):
            latency.outlasted(now, seconds, whole=whole)
        elif not isinstance(error, TargetRejectedError) and error.kind not in _OF_THE_REQUEST:
            latency.failed(now, seconds)
    elif not isinstance(error, Exception):
        latency.outlasted(now, seconds, whole=whole)


def _pace(reply: Reply, seconds: float) -> float | None:
    """Seconds for each token after the first; None where nobody counted them, or they are few."""
    usage = reply.usage
    if reply.end != "completed" or usage is None or usage.completion_tokens is None:
        return None
    tokens = usage.completion_tokens
    return seconds / (tokens - 1) if tokens >= _FEW else None

"""When an attempt has to be where.

Four limits bound an attempt, each counted from the start of the attempt or, for `idle`, from the last piece:
`connect`, `first_token` (for a whole answer: until all of it is there), `idle`, and `attempt`. Two more come
from the call: its deadline, and, as long as further targets are to come and the answer has not begun, the
attempt's share of what is left of it. With k targets to come the share is 2/(k+2): two thirds before the
last but one, half with two to come, so that a silent server cannot eat the time of those behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import anyio

from turnout.providers.errors import AttemptTimeoutError

from .clock import Clock
from .pipeline import DEADLINE, SHARE, Call

T = TypeVar("T")


class _Limit(NamedTuple):
    """A point in time, on the clock's monotonic time, and what it is."""

    ends_at: float
    code: str
    seconds: float


_LATE = {
    DEADLINE: "the call's deadline of {:g} s passed.",
    SHARE: "no answer within the attempt's share of the deadline, {:.3g} s, with targets still to come.",
    "attempt_timeout": "the attempt took longer than {:g} s.",
    "first_token_timeout": "no answer began within {:g} s.",
    "idle_timeout": "nothing came for {:g} s.",
}


class Limits:
    """When an attempt has to be where, and what is said if it is not."""

    def __init__(self, call: Call, clock: Clock) -> None:
        timeouts = call.target.target.timeouts
        self.clock = clock
        self.started = clock.monotonic()
        self._idle = timeouts.idle
        lasting = [_Limit(call.ends_at, DEADLINE, call.deadline)]
        if timeouts.attempt is not None:
            lasting.append(self._from_start("attempt_timeout", timeouts.attempt))
        uncommitted = list(lasting)
        coming = min(call.later, call.attempts_left)
        if coming:
            left = call.ends_at - self.started
            uncommitted.append(self._from_start(SHARE, left * 2 / (coming + 2)))
        first = self._from_start("first_token_timeout", timeouts.first_token)
        self._committed, self._uncommitted = min(lasting), min(uncommitted)
        self._first = min(first, self._uncommitted)

    def _from_start(self, code: str, seconds: float) -> _Limit:
        return _Limit(self.started + seconds, code, seconds)

    async def run(self, step: Callable[[], Awaitable[T]]) -> T:
        """Wait for a step before the answer has begun."""
        return await self._bounded(step, self._first)

    async def next(self, step: Callable[[], Awaitable[T]], *, committed: bool) -> T:
        """Wait for a further piece; no share of the deadline counts once `committed`."""
        limit = self._committed if committed else self._uncommitted
        idle = _Limit(self.clock.monotonic() + self._idle, "idle_timeout", self._idle)
        return await self._bounded(step, min(limit, idle))

    async def _bounded(self, step: Callable[[], Awaitable[T]], limit: _Limit) -> T:
        left = limit.ends_at - self.clock.monotonic()
        if left > 0:
            with anyio.move_on_after(left):
                return await step()
        raise AttemptTimeoutError(_LATE[limit.code].format(limit.seconds), code=limit.code)

"""When an attempt has to be where.

Four limits bound an attempt, each counted from the start of the attempt or, for `idle`, from the last piece:
`connect`, `first_token` (for a whole answer: until all of it is there), `idle`, and `attempt`. Two more come
from the call: its deadline, and, as long as further targets are to come and the answer has not begun, the
attempt's share of what is left of it. With k targets to come the share is 2/(k+2): two thirds before the
last but one, half with two to come, so that a silent server cannot eat the time of those behind it.

All that is computed for a call that goes well is the earliest point in time; which limit it is, is found out
only when it is reached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from math import inf
from typing import NamedTuple, TypeVar

import anyio

from turnout.providers.errors import AttemptTimeoutError, ConnectionFailedError
from turnout.providers.timekeeping import Scoped, Timekeeper

from .clock import Clock
from .errors import RouterClosedError
from .pipeline import DEADLINE, SHARE, Call
from .recalling import RecalledError, waiting

T = TypeVar("T")
CLOSED = "router_closed"
"""`code` of the error of a stream that was under way when the router was closed."""


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

    __slots__ = (
        "_attempt", "_call", "_coming", "_committed_end", "_first_token", "_idle", "_last",
        "_uncommitted_end", "_why_cut", "clock", "keeper", "started",
    )  # fmt: skip

    def __init__(self, call: Call, clock: Clock) -> None:
        timeouts = call.target.target.timeouts.__dict__
        self.clock = clock
        self.started = started = self._last = clock.monotonic()
        self._call = call
        self._first_token: float = timeouts["first_token"]
        self._attempt: float | None = timeouts["attempt"]
        self._idle: float = timeouts["idle"]
        ends_at = call.ends_at
        if self._attempt is not None:
            ends_at = min(ends_at, started + self._attempt)
        self._committed_end = self._uncommitted_end = ends_at
        later = call.later
        self._coming = min(later, call.attempts_left) if later else 0
        if self._coming:
            self._uncommitted_end = min(ends_at, started + share_of(call.ends_at - started, self._coming))
        self._why_cut: type[RouterClosedError | RecalledError] | None = None
        self.keeper: Timekeeper | None = None
        """Keeps the time, once there is a connection."""
        if call.recall is not None:
            call.recall.waits(self)

    def until_begun(self) -> AbstractContextManager[object]:
        """Around the wait for an answer to begin.

        AttemptTimeoutError where its time is past already. Who gets TimeUpError raises what `late` gives.
        """
        return self.within(self._left_to_begin())

    def late(self) -> BaseException:
        """What to raise once the answer has not begun in time."""
        if self._why_cut is not None:
            return self._why_cut()
        return _late([*self._uncommitted(), self._from_start("first_token_timeout", self._first_token)])

    async def run(self, step: Callable[[], Awaitable[T]]) -> T:
        """Wait for a step before the answer has begun."""
        with waiting(self._call.recall), anyio.move_on_after(self._left_to_begin()):
            return await step()
        raise self.late()

    def until_next(self, *, committed: bool, at_most: float = inf) -> AbstractContextManager[object]:
        """Around the wait for a further piece, of so many seconds at most; no share of the deadline counts
        once `committed`.

        AttemptTimeoutError where its time is past already. Who gets TimeUpError raises what `nothing_came`
        gives.
        """
        self._last = now = self.clock.monotonic()
        end = self._committed_end if committed else self._uncommitted_end
        left = min(end - now, self._idle)
        if left <= 0:
            raise self.nothing_came(committed=committed)
        return self.within(left if left < at_most else at_most)

    def within(self, seconds: float) -> AbstractContextManager[object]:
        """Around a wait of so many seconds; TimeUpError."""
        keeper = self.keeper
        if keeper is None:
            keeper = self.keeper = Scoped()
        return keeper.within(seconds)

    def nothing_came(self, *, committed: bool) -> BaseException:
        """What to raise once a further piece has not come in time."""
        if self._why_cut is not None:
            return self.closed() if committed else self._why_cut()
        limits = self._committed() if committed else self._uncommitted()
        return _late([*limits, _Limit(self._last + self._idle, "idle_timeout", self._idle)])

    def cut(self) -> bool:
        """End the attempt's waiting, that which goes on and any that would follow; whether one goes on."""
        return self._cut(RouterClosedError)

    def recall(self) -> None:
        """See `recalling.Wait`."""
        self._cut(RecalledError)

    @staticmethod
    def closed() -> ConnectionFailedError:
        """Why an answer that had begun broke off, once the attempt was cut."""
        return ConnectionFailedError("the router was closed before the answer was complete.", code=CLOSED)

    def _cut(self, why: type[RouterClosedError | RecalledError]) -> bool:
        self._why_cut = why
        self._first_token = self._idle = float("-inf")  # so that nothing has to be asked where all goes well
        return self.keeper is not None and self.keeper.cut()

    def _left_to_begin(self) -> float:
        left = min(self._uncommitted_end, self.started + self._first_token) - self.clock.monotonic()
        if left <= 0:
            raise self.late()
        return left

    def _committed(self) -> list[_Limit]:
        limits = [_Limit(self._call.ends_at, DEADLINE, self._call.deadline)]
        if self._attempt is not None:
            limits.append(self._from_start("attempt_timeout", self._attempt))
        return limits

    def _uncommitted(self) -> list[_Limit]:
        limits = self._committed()
        if self._coming:
            limits.append(self._from_start(SHARE, self._share()))
        return limits

    def _share(self) -> float:
        return share_of(self._call.ends_at - self.started, self._coming)

    def _from_start(self, code: str, seconds: float) -> _Limit:
        return _Limit(self.started + seconds, code, seconds)


def share_of(left: float, later: int) -> float:
    """Seconds of what is left of a deadline that one attempt may use, with so many targets to come."""
    return left * 2 / (later + 2)


def _late(limits: list[_Limit]) -> AttemptTimeoutError:
    """The error for the limit that came first."""
    first = min(limits)
    return AttemptTimeoutError(_LATE[first.code].format(first.seconds), code=first.code)

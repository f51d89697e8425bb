"""Who is next: turns for attempts that run beside each other, and lines of those that wait for an allowance.

Both serve in the order of asking, and nobody overtakes: whoever comes while others wait waits behind them.
A wait that is cancelled leaves nothing behind, and what was just handed to it goes on to the next.
"""

from __future__ import annotations

from collections import deque

import anyio

from ..clock import Clock


class Turns:
    """At most so many attempts at a time; others wait, first come, first served."""

    __slots__ = ("_taken", "_waiting", "max_wait", "places")

    def __init__(self, places: int, max_wait: float | None = None) -> None:
        self.places = places
        self.max_wait = max_wait
        """Seconds after which a wait is given up; None: as long as the call has time."""
        self._taken = 0
        self._waiting: deque[_Waiter] = deque()

    @property
    def taken(self) -> int:
        """Attempts that run just now."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Attempts that wait for their turn."""
        return len(self._waiting)

    def at_once(self) -> bool:
        """Take a turn, where there is one and nobody waits for it; whether that was so.

        Whoever has taken a turn calls `over` once.
        """
        if self._taken >= self.places:  # as long as anybody waits, all are taken: `over` hands them on
            return False
        self._taken += 1
        return True

    async def take(self) -> None:
        """Wait for a turn and take it; one that is cancelled while it waits has none."""
        if self.at_once():
            return
        waiter = _Waiter()
        self._waiting.append(waiter)
        try:
            await waiter.called.wait()
        except BaseException:
            if waiter.called.is_set():
                self.over()
            else:
                self._waiting.remove(waiter)
            raise

    def over(self) -> None:
        """Hand a turn that is over to whoever has waited longest."""
        if self._waiting:
            self._waiting.popleft().called.set()
        else:
            self._taken -= 1


class _Waiter:
    """One who waits for a turn."""

    __slots__ = ("called",)

    def __init__(self) -> None:
        self.called = anyio.Event()


class Line:
    """Those who wait for an allowance, in order; only the first of them looks whether there is enough."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        self.places: deque[Place] = deque()
        """Those who wait, in order."""

    def __len__(self) -> int:
        return len(self.places)

    def join(self) -> Place:
        """The last place in the line; whoever has it leaves it again by `leave`."""
        place = Place(self)
        self.places.append(place)
        return place

    def nudge(self) -> None:
        """Have the first look again, since something has changed."""
        if self.places:
            self.places[0].event.set()


class Place:
    """A place in a line."""

    __slots__ = ("_line", "event")

    def __init__(self, line: Line) -> None:
        self._line = line
        self.event = anyio.Event()
        """Set once it is worth looking: the place became the first, or something changed."""

    async def first(self) -> None:
        """Wait until nobody is before this place."""
        while self._line.places[0] is not self:
            await self.event.wait()
            self.event = anyio.Event()

    async def pause(self, seconds: float, clock: Clock) -> None:
        """Wait so long on the clock, or until there is a reason to look again."""
        async with anyio.create_task_group() as tasks:

            async def sleep() -> None:
                await clock.sleep(seconds)
                self.event.set()

            tasks.start_soon(sleep)
            await self.event.wait()
            tasks.cancel_scope.cancel()
        self.event = anyio.Event()

    def leave(self) -> None:
        """Give the place up; whoever is now the first gets to know."""
        self._line.places.remove(self)
        self._line.nudge()

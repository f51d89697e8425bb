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

    def at_once(self) -> Turn | None:
        """A turn, where there is one and nobody waits for it."""
        if self._taken >= self.places or self._waiting:
            return None
        self._taken += 1
        return Turn(self)

    async def take(self) -> Turn:
        """A turn, waited for; one that is cancelled while it waits holds none."""
        turn = self.at_once()
        if turn is not None:
            return turn
        waiter = _Waiter()
        self._waiting.append(waiter)
        try:
            await waiter.called.wait()
        except BaseException:
            if waiter.called.is_set():
                self._next()
            else:
                self._waiting.remove(waiter)
            raise
        return Turn(self)

    def _next(self) -> None:
        """Hand a turn that is over to whoever has waited longest."""
        if self._waiting:
            self._waiting.popleft().called.set()
        else:
            self._taken -= 1


class Turn:
    """A place among the attempts that run."""

    __slots__ = ("_turns",)

    def __init__(self, turns: Turns) -> None:
        self._turns: Turns | None = turns

    def over(self) -> None:
        """Make room for the next; does nothing the second time."""
        turns, self._turns = self._turns, None
        if turns is not None:
            turns._next()


class _Waiter:
    """One who waits for a turn."""

    __slots__ = ("called",)

    def __init__(self) -> None:
        self.called = anyio.Event()


class Line:
    """Those who wait for an allowance, in order; only the first of them looks whether there is enough."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: deque[Place] = deque()

    def __len__(self) -> int:
        return len(self._places)

    def join(self) -> Place:
        """The last place in the line; whoever has it leaves it again by `leave`."""
        place = Place(self)
        self._places.append(place)
        return place

    def nudge(self) -> None:
        """Have the first look again, since something has changed."""
        if self._places:
            self._places[0].event.set()


class Place:
    """A place in a line."""

    __slots__ = ("_line", "event")

    def __init__(self, line: Line) -> None:
        self._line = line
        self.event = anyio.Event()
        """Set once it is worth looking: the place became the first, or something changed."""

    async def first(self) -> None:
        """Wait until nobody is before this place."""
        while self._line._places[0] is not self:
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
        self._line._places.remove(self)
        self._line.nudge()

"""An allowance of so much in any minute, counted exactly to the slot and never in our favour."""

from __future__ import annotations

from collections import deque

_SLOTS = 120  # parts that a period is counted in; half a second of a minute


class Slot:
    """What was taken within one part of the period."""

    __slots__ = ("amount", "ends_at", "live")

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        """When the last of it leaves the window."""
        self.amount = 0
        self.live = True
        """Whether it still counts."""


class Window:
    """At most `limit` in any `period` seconds.

    That is the narrowest reading of "so much a minute": whoever keeps to it passes a bucket that refills
    steadily, a count that starts anew with each minute, and one that slides. What was taken counts until
    the slot that it fell into has left the window as a whole.
    """

    __slots__ = ("_slots", "_width", "limit", "period", "used")

    def __init__(self, limit: int, period: float = 60.0) -> None:
        self.limit = limit
        self.period = period
        """Seconds."""
        self.used = 0
        """What counts just now."""
        self._slots: deque[Slot] = deque()
        self._width = period / _SLOTS

    def wait(self, now: float, amount: int) -> float:
        """Seconds until so much may be taken; 0 where it may now. More than all of it counts as all of it."""
        self._forget(now)
        excess = self.used + min(amount, self.limit) - self.limit
        if excess <= 0:
            return 0.0
        for slot in self._slots:
            excess -= slot.amount
            if excess <= 0:
                return slot.ends_at - now
        return self.period

    def take(self, now: float, amount: int) -> Slot:
        """Take so much, whether or not there is so much."""
        slots = self._slots
        if slots and now < slots[-1].ends_at - self.period:
            slot = slots[-1]
        else:
            self._forget(now)  # seldom enough, and nobody may have had to wait for a long time
            slot = Slot((now // self._width + 1) * self._width + self.period)
            slots.append(slot)
        slot.amount += amount
        self.used += amount
        return slot

    def correct(self, now: float, slot: Slot, by: int) -> None:
        """Take more than was thought, or give back what was not needed."""
        if by > 0:
            self.take(now, by)  # it was used later than the rest, so it counts for longer
        elif slot.live:
            slot.amount += by
            self.used += by

    def _forget(self, now: float) -> None:
        """Give back what has left the window."""
        slots = self._slots
        while slots and slots[0].ends_at <= now:
            slot = slots.popleft()
            slot.live = False
            self.used -= slot.amount

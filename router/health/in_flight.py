"""How many attempts a target has to answer just now."""

from __future__ import annotations


class InFlight:
    """The count of one target, which only its guards change."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0
        """Attempts that have begun and not ended."""

    def enter(self) -> Guard:
        """Count one more, until the guard is left."""
        return Guard(self)


class Guard:
    """One attempt in flight."""

    __slots__ = ("_in_flight",)

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight: InFlight | None = in_flight
        in_flight.count += 1

    def leave(self) -> None:
        """Count it no more; does nothing the second time."""
        in_flight, self._in_flight = self._in_flight, None
        if in_flight is not None:
            in_flight.count -= 1

"""How many attempts a target has to answer just now."""

from __future__ import annotations


class InFlight:
    """The count of one target; whoever adds an attempt to it takes it off again once it has ended."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0
        """Attempts that have begun and not ended."""

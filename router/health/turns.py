"""How many attempts run at a time, and who is next."""

from __future__ import annotations

from typing import Protocol


class Turn(Protocol):
    """A place among the attempts that run."""

    def over(self) -> None:
        """Make room for the next; called once."""
        ...


class Turns:
    """At most so many attempts at a time; others wait, first come, first served."""

    def __init__(self, places: int) -> None:
        self.places = places

    async def take(self) -> Turn:
        """A place, waited for; one that is cancelled while it waits holds none."""
        raise NotImplementedError

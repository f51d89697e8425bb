"""A gate: closed for as long as a server asked to be left alone."""

from __future__ import annotations


class Gate:
    """Closed until a point in time, on the clock's monotonic time."""

    __slots__ = ("opens_at",)

    def __init__(self) -> None:
        self.opens_at = 0.0
        """When it opens; a time that is past means that it is open."""

    def close_until(self, moment: float) -> None:
        """Stay closed until then, or longer where that was said already."""
        self.opens_at = max(self.opens_at, moment)

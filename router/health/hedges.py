"""What share of a target's calls may be hedged after a time that the router has learned itself.

A time within which 95 of 100 answers begin is passed by one in twenty. Where it is passed far more often,
the target has become slower as a whole and the time is out of date: it is learned anew only from answers
that are waited for, and a second request for most calls would double what they cost.
"""

from __future__ import annotations

SHARE = 0.1
"""Hedges for each call."""
_MOST = 5.0  # hedges that can be saved up, so that stalls may come in a row


class HedgeShare:
    """The hedges that one target has left."""

    __slots__ = ("_left", "calls")

    def __init__(self) -> None:
        self._left = 1.0
        self.calls = 0
        """Calls that have begun at the target since somebody asked; whoever makes one counts it here."""

    def has_one(self) -> bool:
        """Whether one more call may be hedged."""
        self._left = min(self._left + self.calls * SHARE, _MOST)
        self.calls = 0
        return self._left >= 1.0

    def take(self) -> None:
        """One more call is hedged."""
        self._left -= 1.0

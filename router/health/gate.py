"""A gate: closed for as long as a server asked to be left alone."""

from __future__ import annotations

from turnout.config.sections import Kind

_BASE = 0.25  # seconds to wait after a rate limit that names no wait, doubled each time…
_CAP = 60.0  # …up to this
_LONGEST = 3600.0  # seconds for which a named wait is believed; afterwards an attempt finds out what holds


class Gate:
    """Closed until a point in time, on the clock's monotonic time."""

    __slots__ = ("_closed_at", "kind", "opens_at", "strikes")

    def __init__(self) -> None:
        self.opens_at = 0.0
        """When it opens; a time that is past means that it is open."""
        self.kind: Kind = "rate_limit"
        """The kind of error that closed it last."""
        self.strikes = 0
        """Rate limits in a row that named no wait."""
        self._closed_at = float("-inf")

    def close_until(self, moment: float) -> None:
        """Stay closed until then, or longer where that was said already."""
        self.opens_at = max(self.opens_at, moment)

    def limited(
        self, now: float, *, began: float, retry_after: float | None, kind: Kind = "rate_limit"
    ) -> None:
        """An attempt that began at `began` was told to come back later.

        Without `retry_after` the gate closes for a quarter of a second, and for twice as long each further
        time. Attempts that were under way when it last closed are no further time: they tell the same again.
        """
        if retry_after is None:
            if began < self._closed_at:
                return
            self.strikes += 1
            wait = min(_BASE * 2.0 ** min(self.strikes - 1, 16), _CAP)
        else:
            wait = min(max(retry_after, 0.0), _LONGEST)
        self._closed_at = now
        self.kind = kind
        self.close_until(now + wait)

    def answered(self, began: float) -> None:
        """An attempt that began at `began` was not told so; one from before it closed proves nothing."""
        if began >= self._closed_at:
            self.strikes = 0

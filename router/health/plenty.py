"""What may be done without a closer look, as long as half or more of every allowance is left.

Looking at each allowance, when an attempt begins and again when it is heard of, would cost more than all else
that limits do. While there is plenty, two numbers tell whether an attempt may begin and two whether plenty is
left after it; its headers are only compared with what is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from .told import PLENTY, Sums, Told


class Plenty:
    """How far plenty reaches, as long as nothing changes of what was told, and more is only heard of."""

    __slots__ = ("_headers", "_known", "_most_requests", "_most_tokens", "requests", "tokens")

    def __init__(
        self, told: Mapping[str, Told], left: Mapping[str, float], heard: Sums, headers: int
    ) -> None:
        self.requests = inf
        """Those that may be under way at the same time: half of each allowance is there for them."""
        self.tokens = inf
        """The same, of prompts and answers together."""
        self._most_requests = self._most_tokens = inf  # that may be heard of before less than half is left
        for name, one in told.items():
            half = one.limit * PLENTY
            spare = left[name] - half
            if one.unit == "requests":
                self.requests = min(self.requests, half)
                self._most_requests = min(self._most_requests, heard[0] + spare)
            else:
                self.tokens = min(self.tokens, half)
                self._most_tokens = min(self._most_tokens, heard[4] + spare)
        # what a header has to tell of at the least, before that is subtracted which was heard of
        self._known = [(name, one.place, left[name] + heard[one.place]) for name, one in told.items()]
        self._headers = headers

    def lasts(self, heard: Sums, headers: Mapping[str, str]) -> bool:
        """Whether plenty is left once so much was heard of, and headers tell of no less than is known.

        Where there are more of them than there were, one may tell something new.
        """
        if heard[0] > self._most_requests or heard[4] > self._most_tokens or len(headers) != self._headers:
            return False
        try:
            for name, place, known in self._known:
                if not known - heard[place] <= float(headers[name]):  # which may be no number
                    return False
        except (KeyError, ValueError):
            return False
        return True

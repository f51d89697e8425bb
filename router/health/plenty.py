"""What may be done without a closer look, as long as half or more of every allowance is left.

Looking at each allowance, when an attempt begins and again when it is heard of, would cost more than all else
that limits do. While there is plenty, two numbers tell whether an attempt may begin, and the headers of its
answer are only compared with what is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Self

from .told import Sums, Told

_HALF = 0.5
_Known = tuple[str, int, float, float]  # header, place, half of it, and what is left before `Sums` are taken


class Plenty:
    """Half or more is left of each allowance, and that is known of as long as it `lasts`."""

    __slots__ = ("_headers", "_known", "requests", "tokens")

    def __init__(self, requests: float, tokens: float, known: list[_Known], headers: int) -> None:
        self.requests = requests
        """Those that may be under way at the same time: half of each allowance is there for them."""
        self.tokens = tokens
        """The same, of prompts and answers together."""
        self._known = known
        self._headers = headers

    @classmethod
    def found(cls, told: Mapping[str, Told], heard: Sums, subtracted: Sums, headers: int) -> Self | None:
        """Plenty, where there is. Of what was `heard` of, so much is `subtracted` from what was told."""
        requests = tokens = inf
        known = []
        for name, one in told.items():
            place, half = one.place, one.limit * _HALF
            left = one.left + subtracted[place]
            if left - heard[place] < half:
                return None
            if place == 0:
                if half < requests:
                    requests = half
            elif half < tokens:
                tokens = half
            known.append((name, place, half, left))
        return cls(requests, tokens, known, headers)

    def lasts(self, heard: Sums, headers: Mapping[str, str]) -> bool:
        """Whether plenty is left once so much was heard of, and headers tell of no less than is known.

        Where there are more of them than there were, one may tell something new.
        """
        if len(headers) != self._headers:
            return False
        try:
            for name, place, half, left in self._known:
                if not half <= left - heard[place] <= float(headers[name]):
                    return False
        except (KeyError, ValueError):
            return False
        return True

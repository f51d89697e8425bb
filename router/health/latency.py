"""How fast a target has been of late."""

from __future__ import annotations


class Latency:
    """Moving averages and the usual worst of one target."""

    def observe(self, now: float, first_token: float, per_token: float | None) -> None:
        """Take note of an answer: seconds to its first word, and for each token after that."""
        raise NotImplementedError

    def first_token(self, now: float) -> float | None:
        """Seconds to the first word, by a moving average that remembers peaks; None: nothing is known."""
        raise NotImplementedError

    def per_token(self, now: float) -> float | None:
        """Seconds for each token after the first; None: nothing is known."""
        raise NotImplementedError

    def p95(self) -> float | None:
        """Seconds within which 95 of 100 recent answers began; None where there were too few."""
        raise NotImplementedError

"""How far our estimates of a prompt's tokens are from what a target counts."""

from __future__ import annotations


class Calibration:
    """One target's ratio of counted to estimated tokens, learned from its answers."""

    __slots__ = ("factor",)

    def __init__(self) -> None:
        self.factor = 1.0
        """What an estimate is multiplied with."""

    def observe(self, estimated: int, counted: int) -> None:
        """Learn from one answer."""
        raise NotImplementedError

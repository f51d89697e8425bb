"""What a strategy is told of a pool at one moment, as plain data that can be written down and read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple, Self

EXPECTED_TOKENS = 256
"""How long an answer is taken to be for telling fast targets from slow ones, unless it may not be."""


class Candidate(NamedTuple):
    """A member of a pool, as it stands at that moment."""

    name: str
    """`provider/model` of its first target; no two members of a pool have the same name."""
    weight: int = 1
    """Its share beside the others'; nothing goes to a member that has 0."""
    in_flight: int = 0
    """Attempts that it has to answer just now."""
    first_token: float | None = None
    """Seconds until its answers begin, of late; all of them, where they come whole. None: not known."""
    per_token: float | None = None
    """Seconds for each token after that; None: not known, or the answer comes whole."""
    cost: Decimal | None = None
    """US dollars that this call would cost by estimate; None: not known, or the strategy does not ask."""
    wait: float = 0.0
    """Seconds until its breaker and its gate let an attempt through; 0: they do now."""


class Snapshot(NamedTuple):
    """All that a strategy decides by, besides chance."""

    candidates: tuple[Candidate, ...]
    """The members, as they are listed. Those that have to wait are never among others: a strategy is asked
    for their order by itself."""
    turn: int = 0
    """How many calls the pool has placed before this one."""
    key: str | None = None
    """A digest of what `by` names; None where the request has none, or the strategy does not ask."""
    tokens: int = EXPECTED_TOKENS
    """How long the answer is taken to be."""
    max_price: Decimal | None = None
    """US dollars that a call may cost."""

    def told(self) -> dict[str, Any]:
        """The same as plain JSON, for `read`; it holds nothing of what the request says."""
        candidates = [{**one._asdict(), "cost": _text(one.cost)} for one in self.candidates]
        return {**self._asdict(), "candidates": candidates, "max_price": _text(self.max_price)}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """What `told` gave."""
        candidates = tuple(Candidate(**{**one, "cost": _decimal(one["cost"])}) for one in told["candidates"])
        return cls(**{**told, "candidates": candidates, "max_price": _decimal(told["max_price"])})


Strategy = Callable[[Snapshot, Random], Sequence[int]]
"""Gives the order in which the candidates are tried, by their places in the snapshot; who is left out gets
nothing. It decides by the snapshot and by this chance alone, so the same two give the same order again."""


def replay(decide: Strategy, told: Mapping[str, Any], seed: int) -> list[int]:
    """The order that a strategy gave, from the snapshot and the seed of a `pool.ordered` event."""
    return list(decide(Snapshot.read(told), Random(seed)))


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

"""Strategies of pools: pure functions of a snapshot and of chance, which give the order of the members.

The seven of our own, by the names that settings use, and the form that one of your own has: a function that
takes a `Snapshot` and a `random.Random` and gives the places of the candidates in the order in which they
are to be tried. `weight: 0` takes a member out before any strategy is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .loads import least_busy, least_cost, least_latency
from .shares import ordered, round_robin, sticky, weighted
from .snapshot import Candidate, Snapshot, Strategy, replay

__all__ = [
    "BUILT_IN",
    "Candidate",
    "Named",
    "Snapshot",
    "Strategy",
    "least_busy",
    "least_cost",
    "least_latency",
    "ordered",
    "replay",
    "round_robin",
    "sticky",
    "weighted",
]


class Named(NamedTuple):
    """A strategy, and what of a snapshot it reads, so that nothing else is worked out for it."""

    name: str
    """As the settings name it."""
    decide: Strategy
    reads_speed: bool = False
    """Whether it reads how fast candidates are."""
    reads_cost: bool = False
    """Whether it reads what they would cost."""
    reads_key: bool = False
    """Whether it reads what the call holds on to."""

    @classmethod
    def own(cls, name: str, decide: Strategy) -> Named:
        """A strategy of the user's, which may read everything."""
        return cls(name, decide, True, True, True)


BUILT_IN: Mapping[str, Named] = MappingProxyType(
    {
        named.name: named
        for named in (
            Named("ordered", ordered),
            Named("weighted", weighted),
            Named("round_robin", round_robin),
            Named("least_latency", least_latency, reads_speed=True),
            Named("least_busy", least_busy),
            Named("least_cost", least_cost, reads_cost=True),
            Named("sticky", sticky, reads_key=True),
        )
    }
)
"""The strategies that need no path, by name."""

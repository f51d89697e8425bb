"""Strategies and what they are told, in motion: minutes of calls in which members slow down and recover."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

import pytest

from turnout.health.in_flight import Guard, InFlight
from turnout.health.latency import Latency
from turnout.strategies import BUILT_IN, Candidate, Snapshot

Seconds = Callable[[float], float]
"""How long a member takes for a call that begins at a time."""


class World:
    """A pool of members whose speed is known, and calls that arrive by chance."""

    def __init__(self, strategy: str, members: list[Seconds], *, rate: float, seed: int = 1) -> None:
        self.decide = BUILT_IN[strategy].decide
        self.members = members
        self.rate = rate
        self.random = Random(seed)
        self.latency = [Latency() for _ in members]
        self.in_flight = [InFlight() for _ in members]
        self.ends: list[tuple[float, int, int, float, Guard]] = []
        self.now = 0.0
        self.calls = 0

    def run(self, until: float) -> Counter[int]:
        """How many calls each member got until then."""
        placed: Counter[int] = Counter()
        while self.now < until:
            self.now += self.random.expovariate(self.rate)
            while self.ends and self.ends[0][0] <= self.now:
                ended, _, member, took, guard = heappop(self.ends)
                guard.leave()
                self.latency[member].observe_whole(ended, took)
            first = self.decide(self.snapshot(), self.random)[0]
            placed[first] += 1
            self.calls += 1
            took = self.members[first](self.now) * self.random.uniform(0.8, 1.2)
            guard = self.in_flight[first].enter()
            heappush(self.ends, (self.now + took, self.calls, first, took, guard))
        return placed

    def snapshot(self) -> Snapshot:
        return Snapshot(
            tuple(
                Candidate(str(place), 1, self.in_flight[place].count, self.latency[place].whole(self.now))
                for place in range(len(self.members))
            ),
            turn=self.calls,
        )


def always(seconds: float) -> Seconds:
    return lambda now: seconds


def slow_between(begin: float, end: float, seconds: float, otherwise: float) -> Seconds:
    return lambda now: seconds if begin <= now < end else otherwise


@pytest.mark.parametrize("rate", [1.0, 20.0])
def test_the_slow_member_gets_little_and_is_still_heard_of(rate: float) -> None:
    world = World("least_latency", [always(2.0), always(0.3)], rate=rate)

    placed = world.run(1_200 / rate)

    assert 0 < placed[0] / placed.total() < 0.2


def test_a_member_that_slows_down_loses_its_calls_and_gets_them_back() -> None:
    world = World("least_latency", [slow_between(60, 120, 8.0, 0.3), always(0.5)], rate=5)

    before = world.run(60)
    world.run(65)  # what it takes to notice
    during = world.run(120)
    world.run(210)  # what it takes to forget
    after = world.run(300)

    shares = [placed[0] / placed.total() for placed in (before, during, after)]
    assert shares[0] > 0.5
    assert shares[1] < 0.15
    assert shares[2] > 0.5


def test_with_many_members_the_fast_ones_share_the_crowd() -> None:
    seconds = [0.2, 0.2, 0.2, 2.0, 2.0]
    world = World("least_latency", [always(each) for each in seconds], rate=25)

    placed = world.run(80)

    fast = [placed[place] / placed.total() for place in range(3)]
    assert sum(fast) > 0.8
    assert max(fast) < 2 * min(fast)


def test_the_least_busy_gets_calls_in_proportion_to_its_speed() -> None:
    world = World("least_busy", [always(0.5), always(1.5)], rate=40)

    placed = world.run(60)

    assert placed[0] / placed[1] == pytest.approx(3, rel=0.25)

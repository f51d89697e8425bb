"""When a target's silence is unusual, and how many of its calls may be hedged."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.health.hedges import SHARE, HedgeShare
from turnout.health.latency import Latency

STALL = 2.0


@given(hedges=st.lists(st.booleans(), max_size=300))
def test_no_more_than_the_share_is_hedged(hedges: list[bool]) -> None:
    share, taken = HedgeShare(), 0
    for wanted in hedges:
        share.calls += 1
        if wanted and share.has_one():
            share.take()
            taken += 1
    assert taken <= len(hedges) * SHARE + 1


def test_a_quiet_time_does_not_save_up_for_ever() -> None:
    share = HedgeShare()
    for _ in range(10_000):
        share.calls += 1
    for _ in range(5):
        assert share.has_one()
        share.take()
    assert not share.has_one()


def test_silence_is_unusual_only_once_twenty_answers_are_known() -> None:
    latency = Latency()
    for number in range(20):
        assert latency.streams.silence is None
        latency.observe(number, 0.1 + number / 100, None)
    assert latency.streams.silence == latency.streams.p95 == pytest.approx(0.28)
    assert latency.wholes.silence is None


def test_where_stalls_are_many_the_median_tells() -> None:
    latency = Latency()
    for number in range(40):
        latency.observe_whole(number, STALL if number % 8 == 0 else 0.1)
    assert latency.wholes.p95 == STALL
    assert latency.wholes.silence == pytest.approx(0.5)


def hedged_calls(stalls: float, seed: int, calls: int = 1000) -> tuple[float, float]:
    """The 99th percentile of calls with a hedge, in seconds, and the hedges for each call."""
    random, latency, share = Random(seed), Latency(), HedgeShare()
    took, hedges = [], 0

    def draw() -> float:
        return STALL if random.random() < stalls else 0.02 + min(random.expovariate(1 / 0.012), 0.04)

    for number in range(calls):
        share.calls += 1
        after, first = latency.streams.silence, draw()
        if after is not None and first > after and share.has_one():
            share.take()
            hedges += 1
            second = after + draw()
            if second < first:
                latency.streams.add(after)
                took.append(second)
                continue
        latency.observe(number / 50, first, None)
        took.append(first)
    return sorted(took)[calls * 99 // 100], hedges / calls


def test_the_time_stays_where_it_is_useful() -> None:
    """Losers count as if they had answered just then: the time neither sinks nor grows into the stalls."""
    for stalls in (0.01, 0.03, 0.05):
        found = [hedged_calls(stalls, seed) for seed in range(10)]
        assert sorted(p99 for p99, _ in found)[5] < 0.2
        assert max(hedges for _, hedges in found) < 0.1

"""How fast a target is taken to be: averages that remember peaks and forget in time, and a percentile."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.health.in_flight import InFlight
from turnout.health.latency import Average, Latency, Recent

samples = st.lists(
    st.tuples(st.floats(min_value=0, max_value=120), st.floats(min_value=0, max_value=100)), min_size=1
)


def test_nothing_is_known_at_first() -> None:
    latency = Latency()

    assert latency.first_token(5) is None
    assert latency.per_token(5) is None
    assert latency.whole(5) is None
    assert latency.streams.p95 is None
    assert latency.wholes.p95 is None


def test_a_peak_counts_at_once_and_is_lived_down() -> None:
    average = Average()
    average.add(0, 0.5)
    average.add(1, 4.0)
    assert average.value(1) == 4.0

    for second in range(2, 12):
        average.add(second, 0.5)
    settled = average.value(11)
    assert settled is not None
    assert 0.5 < settled < 1.8
    for second in range(12, 60):
        average.add(second, 0.5)
    assert average.value(59) == pytest.approx(0.5, abs=0.02)


def test_what_is_not_heard_of_is_forgotten() -> None:
    average = Average()
    average.add(0, 8.0)

    assert average.value(60) == pytest.approx(8 / math.e)
    assert (average.value(600) or 0) < 0.001


def test_the_pace_of_tokens_has_no_peaks() -> None:
    latency = Latency()
    latency.observe(0, 0.1, 0.02)
    latency.observe(1, 0.1, 0.2)

    pace = latency.per_token(1)
    assert pace is not None
    assert 0.02 < pace < 0.05


@given(samples)
def test_an_average_stays_between_nothing_and_the_largest_sample(
    given_samples: list[tuple[float, float]],
) -> None:
    for average in (Average(), Average(peaks=False)):
        now = 0.0
        for passed, sample in given_samples:
            now += passed
            average.add(now, sample)
            value = average.value(now)
            assert value is not None
            assert 0 <= value <= max(one for _, one in given_samples)
        assert (average.value(now + 1) or 0) <= (average.value(now) or 0)


@given(samples)
def test_right_after_a_sample_the_average_is_no_less_than_it(
    given_samples: list[tuple[float, float]],
) -> None:
    average, now = Average(), 0.0
    for passed, sample in given_samples:
        now += passed
        average.add(now, sample)
        assert (average.value(now) or 0) >= sample * (1 - 1e-9)


def test_streams_and_whole_answers_are_apart() -> None:
    latency = Latency()
    for _ in range(20):
        latency.observe(0, 0.2, None)
        latency.observe_whole(0, 5.0)

    assert (latency.first_token(0), latency.whole(0)) == (0.2, 5.0)
    assert (latency.streams.p95, latency.wholes.p95) == (0.2, 5.0)
    assert latency.per_token(0) is None


def test_who_gave_up_waiting_knows_that_it_takes_at_least_so_long() -> None:
    latency = Latency()
    latency.observe(0, 1.0, None)
    latency.outlasted(0, 0.5)
    assert latency.first_token(0) == 1.0

    latency.outlasted(0, 3.0)
    assert latency.first_token(0) == 3.0
    assert latency.whole(0) is None

    latency.outlasted(0, 7.0, whole=True)
    assert latency.whole(0) == 7.0


def test_failures_in_a_row_make_a_target_slower_and_slower_up_to_a_bound() -> None:
    latency = Latency()
    seen = []
    for second in range(7):
        latency.failed(second / 1000, 0.001)
        seen.append(latency.first_token(second / 1000))

    assert seen == pytest.approx([1, 2, 4, 8, 15, 15, 15], rel=0.001)
    latency.failed(1, 40.0)
    assert latency.whole(1) == 40.0


def test_the_percentile_needs_twenty_answers() -> None:
    recent = Recent()
    for number in range(19):
        recent.add(number)
    assert recent.p95 is None

    recent.add(19)
    assert recent.p95 == 18


def sorted_out(samples: int) -> int:
    """Of how many samples the percentile is that was sorted out last."""
    known, following = 20, 30
    while following <= samples:
        known, following = following, following + min(following // 2, 32)
    return known


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=20, max_size=300))
def test_the_percentile_is_that_of_the_recent_answers(given_samples: list[float]) -> None:
    recent = Recent()
    for sample in given_samples:
        recent.add(sample)

    p95 = recent.p95

    latest = given_samples[: sorted_out(len(given_samples))][-128:]
    assert p95 in latest
    assert sum(sample <= p95 for sample in latest) >= 0.95 * len(latest)
    assert sum(sample >= p95 for sample in latest) >= 0.05 * len(latest)


def test_the_percentile_follows_within_a_few_answers() -> None:
    recent = Recent()
    for _ in range(30):
        recent.add(1.0)
    assert recent.p95 == 1.0
    for _ in range(128):
        recent.add(2.0)

    assert recent.p95 == 2.0


@given(st.lists(st.sampled_from(["enter", "leave", "again"]), max_size=40))
def test_what_is_in_flight_is_the_number_of_guards_that_were_not_left(steps: list[str]) -> None:
    in_flight = InFlight()
    inside, left = [], []
    for step in steps:
        if step == "enter":
            inside.append(in_flight.enter())
        elif step == "leave" and inside:
            left.append(inside.pop())
            left[-1].leave()
        elif left:
            left[-1].leave()
        assert in_flight.count == len(inside)

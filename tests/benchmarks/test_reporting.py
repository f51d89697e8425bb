"""What is said about results: medians, ratios within a round, tables, verdicts."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.reporting import (
    Results,
    comparison,
    figure,
    fraction,
    slope,
    slowdowns,
    table,
    thousandths,
    verdict,
)


def row(number: int, peer: str, phase: str = "calls:1", **figures: Any) -> dict[str, Any]:
    return {"round": number, "peer": peer, "phase": phase, **figures}


ROWS = [
    row(0, "ours", cpu_us=30.0),
    row(0, "theirs", cpu_us=100.0),
    row(1, "ours", cpu_us=90.0),
    row(1, "theirs", cpu_us=300.0),
    row(2, "ours", cpu_us=50.0),
    {"phase": "machine", "cpu": "of some kind"},
]


def test_a_figure_is_the_median_over_rounds() -> None:
    results = Results(ROWS)
    assert results.value("ours", "calls:1", "cpu_us") == 50.0
    assert results.rounds("ours", "calls:1") == 3


def test_what_was_disturbed_least_is_the_least_of_all_rounds() -> None:
    assert Results(ROWS).least("ours", "calls:1", "cpu_us") == 30.0


def test_what_was_not_measured_is_none() -> None:
    results = Results(ROWS)
    assert results.least("ours", "calls:1", "rate") is None
    assert results.value("ours", "calls:64", "cpu_us") is None
    assert results.value("ours", "calls:1", "rate") is None
    assert results.ratio("ours", "nobody", "calls:1", "cpu_us") is None
    assert results.worst("ours", "nobody", ["calls:1"], "cpu_us") is None


def test_a_ratio_is_of_the_same_round_so_that_a_busy_machine_cancels_out() -> None:
    assert Results(ROWS).ratio("ours", "theirs", "calls:1", "cpu_us") == pytest.approx(0.3)


def test_the_worst_ratio_over_phases() -> None:
    rates = [
        row(0, "ours", "calls:16", rate=800.0),
        row(0, "theirs", "calls:16", rate=1000.0),
        row(0, "ours", "calls:64", rate=500.0),
        row(0, "theirs", "calls:64", rate=1000.0),
    ]
    results = Results(rates)
    assert results.worst("ours", "theirs", ["calls:16", "calls:64"], "rate") == 0.5


def test_a_ratio_that_is_missing_hides_no_worst_case() -> None:
    rates = [
        row(0, "ours", "calls:16", rate=800.0),
        row(0, "theirs", "calls:16", rate=1000.0),
        row(0, "theirs", "calls:64", rate=1000.0),
        row(0, "ours", "calls:64", error="stalled"),
    ]
    assert Results(rates).worst("ours", "theirs", ["calls:16", "calls:64"], "rate") is None
    assert Results(rates).worst("theirs", "ours", ["calls:16", "calls:64"], "rate") == 1.25


def test_evenness_is_the_least_in_the_greatest_and_needs_all_of_them() -> None:
    results = Results([row(0, "ours", "calls:16", rate=90.0), row(0, "ours", "calls:64", rate=100.0)])
    assert results.evenness("ours", ["calls:16", "calls:64"], "rate") == 0.9
    assert results.evenness("ours", ["calls:16", "calls:64", "calls:256"], "rate") is None


def test_an_error_is_kept_and_is_no_figure() -> None:
    results = Results([row(0, "ours", error="stalled: 3 calls in 10 s"), row(1, "ours", error="another")])
    assert results.error("ours", "calls:1") == "stalled: 3 calls in 10 s"
    assert results.errors() == {("ours", "calls:1"): "stalled: 3 calls in 10 s"}
    assert results.rounds("ours", "calls:1") == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (0.123, "0.12"),
        (3.14159, "3.14"),
        (31.4159, "31.4"),
        (314.159, "314"),
        (31415.9, "31,416"),
        (16.0, "16"),
    ],
)
def test_a_number_has_as_many_digits_as_it_deserves(value: float | None, said: str) -> None:
    assert figure(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "-"), (1.5, "1.50"), (1 / 12, "1/12"), (0.04, "1/25"), (0.3, "1/3.3")]
)
def test_a_small_ratio_is_one_part_of_so_many(value: float | None, said: str) -> None:
    assert fraction(value) == said


def test_a_table() -> None:
    assert table(["", "µs"], [["ours", "30"], ["theirs", "100"]]) == (
        "|  | µs |\n| --- | --: |\n| ours | 30 |\n| theirs | 100 |\n"
    )


def test_a_verdict() -> None:
    assert verdict(0.39, 0.40) == "met"
    assert verdict(0.41, 0.40) == "**missed**"
    assert verdict(0.6, 0.55, at_least=True) == "met"
    assert verdict(0.5, 0.55, at_least=True) == "**missed**"
    assert verdict(None, 1.0) == "not measured"


def test_slowdowns_are_beyond_the_tolerance_and_known() -> None:
    stored = {"call": 0.40, "chunk": 0.50}
    assert slowdowns(stored, {"call": 0.45, "chunk": 0.60, "new": 9.0}, 0.15) == ["chunk"]


def test_a_comparison_marks_what_is_slower() -> None:
    lines = comparison(
        {"call": 0.40, "chunk": 0.50}, {"call": 0.40, "chunk": 0.60, "new": 0.1}, 0.15
    ).splitlines()
    assert lines[1].split() == ["call", "0.40", "0.40", "+0", "%"]
    assert lines[2].split() == ["chunk", "0.50", "0.60", "+20", "%", "slower"]
    assert lines[3].split() == ["new", "-", "0.10", "new"]


def test_what_one_more_call_costs_leaves_out_the_beginning() -> None:
    assert slope([(200, 1_000_000 + 200 * 50), (1200, 1_000_000 + 1200 * 50)]) == pytest.approx(50)


def test_thousandths_have_three_places() -> None:
    assert [thousandths(value) for value in (0.0709, 0.07, None)] == ["0.071", "0.070", "-"]

"""Strategies are pure functions: the order of a pool's members out of a snapshot, and of chance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.settings import STRATEGIES, PoolNode
from turnout.strategies import (
    BUILT_IN,
    Candidate,
    Snapshot,
    least_busy,
    least_cost,
    least_latency,
    ordered,
    replay,
    round_robin,
    sticky,
    weighted,
)

seconds = st.none() | st.floats(min_value=0, max_value=1e3)
amounts = st.none() | st.decimals(min_value=0, max_value=10, places=6)


@st.composite
def snapshots(draw: st.DrawFn, max_price: bool = False) -> Snapshot:
    """Any snapshot of up to seven members, some of them drained."""
    size = draw(st.integers(1, 7))
    candidates = tuple(
        Candidate(
            name=f"p/{number}",
            weight=draw(st.integers(0, 9)),
            in_flight=draw(st.integers(0, 40)),
            first_token=draw(seconds),
            per_token=draw(seconds),
            cost=draw(amounts),
            wait=draw(st.sampled_from([0.0, 1.5])),
        )
        for number in range(size)
    )
    return Snapshot(
        candidates,
        turn=draw(st.integers(0, 10**6)),
        key=draw(st.none() | st.text(alphabet="0123456789abcdef", min_size=16, max_size=16)),
        tokens=draw(st.integers(1, 256)),
        max_price=draw(st.decimals(min_value=0, max_value=10, places=2)) if max_price else None,
    )


def members(*weights: int, **facts: Sequence[Any]) -> tuple[Candidate, ...]:
    """Members `p/0`, `p/1` and so on with these weights, and further facts by column."""
    return tuple(
        Candidate(f"p/{number}", weight, **{name: column[number] for name, column in facts.items()})
        for number, weight in enumerate(weights)
    )


def alive(snapshot: Snapshot) -> list[int]:
    return [place for place, one in enumerate(snapshot.candidates) if one.weight]


def test_settings_know_the_same_names() -> None:
    assert tuple(BUILT_IN) == STRATEGIES
    assert PoolNode.model_fields["strategy"].default in BUILT_IN
    assert get_args(PoolNode.model_fields["by"].annotation) == ("user", "session", "prompt")


@pytest.mark.parametrize("name", BUILT_IN)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_every_strategy_orders_all_members_that_are_not_drained(
    name: str, data: st.DataObject, seed: int
) -> None:
    snapshot = data.draw(snapshots())

    order = BUILT_IN[name].decide(snapshot, Random(seed))

    assert sorted(order) == alive(snapshot)


@pytest.mark.parametrize("name", BUILT_IN)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_decision_can_be_replayed_from_what_was_written_down(
    name: str, data: st.DataObject, seed: int
) -> None:
    snapshot = data.draw(snapshots(max_price=True))
    decide = BUILT_IN[name].decide

    order = list(decide(snapshot, Random(seed)))
    told = json.loads(json.dumps(snapshot.told()))

    assert Snapshot.read(told) == snapshot
    assert replay(decide, told, seed) == order


@pytest.mark.parametrize("name", BUILT_IN)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_strategy_reads_nothing_but_what_it_says(name: str, data: st.DataObject, seed: int) -> None:
    """So what it does not read need not be worked out."""
    snapshot = data.draw(snapshots())
    named = BUILT_IN[name]

    def blank(one: Candidate) -> Candidate:
        one = one if named.reads_speed else one._replace(first_token=None, per_token=None)
        return one if named.reads_cost else one._replace(cost=None)

    key = snapshot.key if named.reads_key else None
    less = snapshot._replace(candidates=tuple(map(blank, snapshot.candidates)), key=key)

    assert named.decide(less, Random(seed)) == named.decide(snapshot, Random(seed))


def test_ordered_keeps_the_order_of_the_settings() -> None:
    assert ordered(Snapshot(members(1, 0, 1, 1)), Random(1)) == [0, 2, 3]


def test_weighted_gives_each_its_share_of_first_and_of_later_places() -> None:
    random = Random(7)
    snapshot = Snapshot(members(6, 3, 1, 0))
    orders = [tuple(weighted(snapshot, random)) for _ in range(6_000)]

    first = Counter(order[0] for order in orders)
    second = Counter(order[1] for order in orders if order[0] == 0)

    assert [first[place] / 6_000 for place in range(3)] == pytest.approx([0.6, 0.3, 0.1], abs=0.025)
    assert second[1] / second.total() == pytest.approx(0.75, abs=0.025)
    assert not first[3]


@given(st.integers(1, 7), st.integers(0, 10**6))
def test_round_robin_gives_everybody_the_same_number_of_turns(size: int, turn: int) -> None:
    orders = [
        round_robin(Snapshot(members(*[1] * size), turn=turn + more), Random(0)) for more in range(3 * size)
    ]

    assert set(Counter(order[0] for order in orders).values()) == {3}
    for order, following in pairwise(orders):
        assert following == [*order[1:], order[0]]


def test_without_anybody_there_is_no_order() -> None:
    for named in BUILT_IN.values():
        assert list(named.decide(Snapshot(members(0, 0), key="k"), Random(1))) == []


# sticky


keys = [f"{number:016x}" for number in range(1_500)]


def homes(candidates: tuple[Candidate, ...]) -> dict[str, str]:
    """Which member each key is placed at."""
    random = Random(1)
    return {key: candidates[sticky(Snapshot(candidates, key=key), random)[0]].name for key in keys}


@given(snapshots(), st.integers(0, 99), st.integers(0, 99))
def test_sticky_needs_no_chance_and_no_order_of_the_settings(
    snapshot: Snapshot, seed: int, other: int
) -> None:
    snapshot = snapshot._replace(key="0123456789abcdef")
    turned = snapshot._replace(candidates=snapshot.candidates[::-1])

    names = [snapshot.candidates[place].name for place in sticky(snapshot, Random(seed))]

    assert names == [turned.candidates[place].name for place in sticky(turned, Random(other))]


def test_sticky_follows_the_weights() -> None:
    shares = Counter(homes(members(5, 3, 2, 0)).values())

    assert [shares[f"p/{place}"] / len(keys) for place in range(3)] == pytest.approx(
        [0.5, 0.3, 0.2], abs=0.03
    )
    assert shares["p/3"] == 0


@pytest.mark.parametrize("leaving", range(4))
def test_a_member_that_leaves_moves_its_own_keys_only(leaving: int) -> None:
    everybody = members(2, 1, 1, 3)
    before = homes(everybody)
    after = homes(tuple(one for place, one in enumerate(everybody) if place != leaving))

    moved = {key for key in keys if before[key] != after[key]}

    assert moved == {key for key in keys if before[key] == f"p/{leaving}"}


def test_the_second_place_of_a_key_is_where_it_goes_when_the_first_leaves() -> None:
    everybody = members(2, 1, 1, 3)
    for key in keys[:200]:
        first, second, *_ = sticky(Snapshot(everybody, key=key), Random(1))
        rest = tuple(one for place, one in enumerate(everybody) if place != first)
        place = sticky(Snapshot(rest, key=key), Random(1))[0]
        assert rest[place] == everybody[second]


def test_a_heavier_weight_only_draws_keys_towards_itself() -> None:
    before, after = homes(members(1, 1, 1)), homes(members(1, 1, 2))

    assert all(after[key] == "p/2" for key in keys if before[key] != after[key])


def test_a_key_is_passed_on_from_a_member_that_has_far_more_than_its_share() -> None:
    def home(*in_flight: int) -> int:
        return sticky(Snapshot(members(1, 1, 1, in_flight=in_flight), key=keys[0]), Random(1))[0]

    own = home(0, 0, 0)
    others = [place for place in range(3) if place != own]

    def busy(here: int, there: int) -> int:
        return home(*(here if place == own else there for place in range(3)))

    assert busy(7, 0) == own  # few are borne by anybody
    assert busy(12, 10) == own
    assert busy(20, 10) in others
    assert busy(8, 0) in others


@given(st.lists(st.integers(0, 300), min_size=2, max_size=6), st.integers(0, 2**32))
def test_nobody_gets_a_key_who_has_a_quarter_more_than_a_fair_share(in_flight: list[int], key: int) -> None:
    candidates = members(*[1] * len(in_flight), in_flight=in_flight)

    first = sticky(Snapshot(candidates, key=f"{key:016x}"), Random(1))[0]

    fair = (sum(in_flight) + 1) / len(in_flight)
    assert in_flight[first] < max(8, 1.25 * fair)


def test_calls_without_a_key_are_placed_by_weight() -> None:
    random = Random(3)
    first = Counter(sticky(Snapshot(members(3, 1)), random)[0] for _ in range(4_000))

    assert first[0] / 4_000 == pytest.approx(0.75, abs=0.04)


# by how members fare


def test_least_latency_takes_the_faster_of_two() -> None:
    pair = members(1, 1, first_token=[0.2, 0.1], per_token=[0.01, 0.01])

    assert {least_latency(Snapshot(pair), Random(seed))[0] for seed in range(50)} == {1}


def test_the_pace_of_tokens_counts_as_well() -> None:
    pair = members(1, 1, first_token=[0.1, 0.5], per_token=[0.02, 0.001])

    assert least_latency(Snapshot(pair, tokens=256), Random(1)) == [1, 0]
    assert least_latency(Snapshot(pair, tokens=5), Random(1)) == [0, 1]


def test_the_fastest_of_many_is_not_run_down() -> None:
    """The slowest is never first, the fastest only where it was drawn: two times in five."""
    five = members(*[1] * 5, first_token=[0.1, 0.2, 0.3, 0.4, 0.5])
    random = Random(5)
    first = Counter(least_latency(Snapshot(five), random)[0] for _ in range(5_000))

    assert [first[place] / 5_000 for place in range(5)] == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0], abs=0.02)


def test_behind_the_first_the_fastest_comes_next() -> None:
    five = members(*[1] * 5, first_token=[0.5, 0.1, 0.4, 0.2, 0.3])
    fastest = [1, 3, 4, 2, 0]
    for seed in range(30):
        first, *rest = least_latency(Snapshot(five), Random(seed))
        assert rest == [place for place in fastest if place != first]


def test_what_is_in_flight_slows_a_member_down() -> None:
    pair = members(1, 1, first_token=[0.1, 0.25], in_flight=[2, 0])

    assert least_latency(Snapshot(pair), Random(1)) == [1, 0]


def test_who_is_not_known_is_tried_while_it_is_idle() -> None:
    idle = members(1, 1, first_token=[0.1, None], in_flight=[0, 0])
    busy = members(1, 1, first_token=[0.1, None], in_flight=[0, 1])
    strangers = members(1, 1, in_flight=[3, 1])

    assert least_latency(Snapshot(idle), Random(1)) == [1, 0]
    assert least_latency(Snapshot(busy), Random(1)) == [0, 1]
    assert least_latency(Snapshot(strangers), Random(1)) == [1, 0]


def test_least_busy_counts_by_weight_and_lets_chance_decide_among_equals() -> None:
    busy = Snapshot(members(1, 1, 2, in_flight=[3, 2, 6]))
    idle = Snapshot(members(1, 1, 1))

    assert least_busy(busy, Random(1)) == [1, 2, 0]
    assert {least_busy(idle, Random(seed))[0] for seed in range(40)} == {0, 1, 2}


def test_least_cost_takes_the_cheapest_and_whose_price_nobody_knows_last() -> None:
    prices = [Decimal("0.3"), None, Decimal("0.1"), Decimal("0.3")]

    assert least_cost(Snapshot(members(1, 1, 1, 1, cost=prices)), Random(1)) == [2, 0, 3, 1]


@given(snapshots(max_price=True), st.integers(0, 99))
def test_nobody_is_tried_who_may_cost_more_than_the_highest_price(snapshot: Snapshot, seed: int) -> None:
    most = snapshot.max_price
    assert most is not None

    order = least_cost(snapshot, Random(seed))

    costs = [snapshot.candidates[place].cost for place in order]
    assert all(cost is not None and cost <= most for cost in costs)
    affordable = [
        one for one in snapshot.candidates if one.weight and one.cost is not None and one.cost <= most
    ]
    assert len(order) == len(affordable)

"""Which key is next and which are left alone, by examples and against a model of it."""

from __future__ import annotations

from collections import Counter
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from turnout.config.sections import Kind
from turnout.health.gate import Gate
from turnout.health.keys import Isolation, Key, KeyRing, Use

REFUSED: tuple[Kind, ...] = ("authentication", "quota")


def ring(*weights: int, shared: list[Isolation] | None = None) -> KeyRing:
    """A ring of keys with these weights."""
    isolations = shared or [Isolation() for _ in weights]
    return KeyRing(
        Key(place, weight, isolation=isolation, isolation_here=Isolation(), gate=Gate())
        for place, (weight, isolation) in enumerate(zip(weights, isolations, strict=True), 1)
    )


def taken(keys: KeyRing, now: float, *, but: int = 0, forced: bool = False) -> Use:
    use = keys.take(now, but=but, forced=forced)
    assert use is not None
    return use


def refuse(keys: KeyRing, place: int, now: float, kind: Kind, wait: float | None = None) -> None:
    """Have the key at a place refused, whoever's turn it is."""
    others = sum(1 << index for index in range(len(keys.keys)) if index != place - 1)
    taken(keys, now, but=others, forced=True).refused(now, now, kind, wait)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 4))
def test_turns_go_by_weight(weights: list[int], rounds: int) -> None:
    keys = ring(*weights)
    counted = Counter(taken(keys, 0.0).key.place for _ in range(sum(weights) * rounds))
    assert counted == {place: weight * rounds for place, weight in enumerate(weights, 1)}


def test_turns_are_spread_evenly() -> None:
    keys = ring(3, 1)
    assert [taken(keys, 0.0).key.place for _ in range(8)] == [1, 1, 2, 1, 1, 1, 2, 1]


def test_turns_of_long_rounds_go_by_weight_too() -> None:
    keys = ring(1_000_000, 999_999, 1)
    assert [taken(keys, 0.0).key.place for _ in range(6)] == [1, 2] * 3


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(1, 3))
def test_turns_of_a_key_that_is_left_alone_go_to_the_others_by_weight(
    weights: list[int], rounds: int
) -> None:
    keys = ring(*weights)
    refuse(keys, 1, 0.0, "quota")
    others = sum(weights[1:])
    counted = Counter(taken(keys, 0.0).key.place for _ in range(sum(weights) * others * rounds))
    assert counted == {
        place: weight * sum(weights) * rounds for place, weight in enumerate(weights, 1) if place > 1
    }


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_key_is_left_alone_for_longer_each_time(kind: Kind) -> None:
    keys, now, pauses = ring(1, 1), 0.0, []
    for _ in range(9):
        refuse(keys, 1, now, kind)
        assert [taken(keys, now).key.place for _ in range(3)] == [2, 2, 2]
        pauses.append(keys.keys[0].waits(now))
        now += pauses[-1]
        assert keys.keys[0].waits(now) == 0
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_once_it_is_accepted_the_pauses_begin_anew() -> None:
    keys = ring(1, 1)
    refuse(keys, 1, 0.0, "authentication")
    refuse(keys, 1, 60.0, "authentication")
    taken(keys, 180.0, but=0b10).accepted(180.0)
    assert keys.keys[0].waits(180.0) == 0
    refuse(keys, 1, 200.0, "quota")
    assert keys.keys[0].waits(200.0) == 60


def test_one_attempt_at_a_time_tries_a_refused_key_again() -> None:
    keys = ring(1, 1)
    refuse(keys, 1, 0.0, "authentication")
    trial = taken(keys, 60.0, but=0b10)
    assert keys.take(60.0, but=0b10) is None
    assert keys.keys[0].waits(60.0) == 1

    trial.released()
    trial = taken(keys, 61.0, but=0b10)
    trial.accepted(61.0)
    assert taken(keys, 61.0, but=0b10).key.place == 1
    assert taken(keys, 61.0, but=0b10).key.place == 1


def test_a_key_at_its_limit_waits_for_as_long_as_the_server_says() -> None:
    keys = ring(1, 1)
    refuse(keys, 2, 10.0, "rate_limit", 7.0)
    assert [taken(keys, 16.9).key.place for _ in range(2)] == [1, 1]
    assert {taken(keys, 17.0).key.place for _ in range(2)} == {1, 2}


def test_a_quota_that_names_a_later_time_is_believed_for_an_hour() -> None:
    keys = ring(1, 1)
    refuse(keys, 1, 0.0, "quota", 1000.0)
    assert keys.keys[0].waits(0.0) == 1000
    refuse(keys, 2, 0.0, "quota", 1e9)
    assert keys.keys[1].waits(0.0) == 3600


def test_attempts_that_were_under_way_together_are_one_refusal() -> None:
    keys = ring(1, 1)
    together = [taken(keys, 0.0, but=0b10) for _ in range(5)]
    for late, use in enumerate(together, 1):
        use.refused(float(late), 0.0, "authentication", None)
    assert keys.keys[0].isolation.strikes == 1
    assert keys.keys[0].waits(5.0) == 56


def test_an_attempt_from_before_a_refusal_does_not_undo_it() -> None:
    keys = ring(1, 1)
    early = taken(keys, 0.0, but=0b10)
    refuse(keys, 1, 5.0, "authentication")
    early.accepted(0.0)
    assert keys.keys[0].waits(5.0) == 60


def test_a_refusal_holds_for_all_models_unless_it_is_about_one() -> None:
    shared = [Isolation(), Isolation()]
    here, there = ring(1, 1, shared=shared), ring(1, 1, shared=shared)
    refuse(here, 1, 0.0, "permission")
    refuse(here, 2, 0.0, "rate_limit", 30.0)
    assert [here.waits(0.0), there.waits(0.0)] == [30, 0]
    refuse(here, 2, 0.0, "authentication")
    assert [key.waits(0.0) for key in there.keys] == [0, 60]
    assert (here.keys[0].why(0.0), here.keys[1].why(0.0)) == ("permission", "authentication")


def test_the_last_hope_is_the_key_that_may_be_used_first() -> None:
    keys = ring(1, 1, 1)
    refuse(keys, 1, 0.0, "authentication")
    refuse(keys, 2, 0.0, "rate_limit", 5.0)
    refuse(keys, 3, 0.0, "quota")
    assert keys.take(0.0) is None
    assert keys.soonest(0.0).place == 2
    assert taken(keys, 0.0, forced=True).key.place == 2
    assert keys.take(0.0, but=0b111, forced=True) is None


class Rings(RuleBasedStateMachine):
    """Two models that share three keys, and attempts that end in any order and any way."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.uses: list[tuple[float, Use, list[Isolation]]] = []

    @initialize(weights=st.lists(st.integers(1, 4), min_size=3, max_size=3))
    def make(self, weights: list[int]) -> None:
        self.shared = [Isolation() for _ in weights]
        self.rings = [ring(*weights, shared=self.shared) for _ in range(2)]

    @rule(seconds=st.sampled_from([0.5, 1.0, 30.0, 60.0, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(model=st.integers(0, 1), but=st.integers(0, 7), forced=st.booleans())
    def begin(self, model: int, but: int, forced: bool) -> None:
        keys = self.rings[model]
        left = [index for index in range(3) if not but >> index & 1]
        free = [index for index in left if keys.keys[index].waits(self.now) == 0]
        soonest = min((keys.keys[index].waits(self.now) for index in left), default=0.0)
        busy = [one for one in self.isolations() if one.trying]
        use = keys.take(self.now, but=but, forced=forced)
        if use is None:
            assert not free
            assert not (forced and left)
            return
        if free:
            assert use.index in free
        else:
            assert forced
            assert soonest > 0
        tries = [one for one in self.isolations() if one.trying and one not in busy]
        self.uses.append((self.now, use, tries))

    @precondition(lambda self: self.uses)
    @rule(data=st.data(), wait=st.sampled_from([None, 0.0, 2.0, 90.0]))
    def end(self, data: st.DataObject, wait: float | None) -> None:
        began, use, tries = self.uses.pop(data.draw(st.integers(0, len(self.uses) - 1)))
        before = use.key.waits(self.now)
        how = data.draw(
            st.sampled_from(["accepted", "released", "authentication", "quota", "permission", "rate_limit"])
        )
        strikes = [one.strikes for one in self.isolations()]
        if how == "accepted":
            use.accepted(began)
            assert use.key.waits(self.now) <= before
        elif how == "released":
            use.released()
            assert [one.strikes for one in self.isolations()] == strikes
        else:
            kind = cast("Kind", how)
            use.refused(self.now, began, kind, wait)
            grown = sum(one.strikes for one in self.isolations()) - sum(strikes)
            assert grown in ((0,) if how == "rate_limit" else (0, 1))
            if wait != 0.0:
                assert use.key.waits(self.now) > 0 or grown == 0
        assert not any(one.trying for one in tries)

    @invariant()
    def nobody_tries_twice_and_every_trial_is_in_somebodys_hands(self) -> None:
        held = Counter(id(one) for _, _, tries in self.uses for one in tries)
        assert all(count == 1 for count in held.values())
        if hasattr(self, "rings"):
            assert {id(one) for one in self.isolations() if one.trying} == set(held)

    def isolations(self) -> list[Isolation]:
        here = [key.isolation_here for keys in self.rings for key in keys.keys]
        return [*self.shared, *here]


TestRings = Rings.TestCase

"""A breaker by examples, and against a model of it that keeps a plain list of all that happened."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from turnout.config.policies import Breaker as BreakerSettings
from turnout.health.breaker import Breaker, Permit

RANDOM = Random(1)


class Drawn(Random):
    """A generator that draws what it is told."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def random(self) -> float:
        return self.number


def let_through(breaker: Breaker, now: float, *, forced: bool = False) -> Permit:
    permit = breaker.admit(now, RANDOM, forced=forced)
    assert permit is not None
    return permit


def opened(now: float = 0.0, **said: object) -> Breaker:
    """A breaker that has opened just now."""
    breaker = Breaker(BreakerSettings.model_validate({"failures": 1, "ramp": 0, **said}))
    let_through(breaker, now).failed(now)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(BreakerSettings(failures=3))
    for outcome in ("failed", "failed", "succeeded", "failed", "released", "failed"):
        getattr(let_through(breaker, 0.0), outcome)(0.0)
        assert breaker.state(0.0) == "closed"

    let_through(breaker, 0.0).failed(0.0)

    assert breaker.state(0.0) == "open"
    assert breaker.admit(9.9, RANDOM) is None
    assert breaker.waits(4.0) == 6.0


@pytest.mark.parametrize(("good", "opens"), [(15, True), (16, False)])
def test_it_opens_at_a_share_of_failures_too(good: int, opens: bool) -> None:
    breaker = Breaker(BreakerSettings(failures=99, ratio=0.25, calls=20))
    for _ in range(good):
        let_through(breaker, 0.0).succeeded(0.0)
    for _ in range(5):
        let_through(breaker, 1.0).failed(1.0)

    assert (breaker.state(1.0) == "open") is opens


def test_what_was_longer_ago_than_the_window_does_not_count() -> None:
    breaker = Breaker(BreakerSettings(failures=99, ratio=0.5, calls=4, window=30))
    for _ in range(3):
        let_through(breaker, 0.0).failed(0.0)
    let_through(breaker, 33.0).failed(33.0)
    assert breaker.state(33.0) == "closed"

    for _ in range(3):
        let_through(breaker, 62.0).failed(62.0)
    assert breaker.state(62.0) == "open"


def test_an_attempt_is_forgotten_a_tenth_of_the_window_late_at_most() -> None:
    breaker = Breaker(BreakerSettings(failures=99, ratio=1, calls=4, window=30))
    for moment in (0.0, 0.0, 32.9, 33.1):
        let_through(breaker, moment).failed(moment)
    assert breaker.state(33.1) == "closed"


def test_exactly_one_attempt_tries_whether_it_is_there_again() -> None:
    breaker = opened()
    assert breaker.waits(10.0) == 0
    assert breaker.state(10.0) == "half-open"

    probe = let_through(breaker, 10.0)
    assert probe.tries
    assert breaker.admit(10.0, RANDOM) is None
    assert breaker.waits(10.0) > 0

    probe.succeeded(11.0)
    assert breaker.state(11.0) == "closed"
    assert not let_through(breaker, 11.0).tries


def test_a_probe_that_is_given_up_leaves_its_place_to_the_next() -> None:
    breaker = opened()
    let_through(breaker, 10.0).released(10.5)

    let_through(breaker, 10.5).succeeded(11.0)
    assert breaker.state(11.0) == "closed"


def test_the_pause_doubles_with_each_probe_that_fails_and_begins_anew_after_a_success() -> None:
    breaker, now, pauses = opened(pause=10, longest_pause=35), 0.0, []
    for _ in range(4):
        pauses.append(breaker.waits(now))
        now += pauses[-1]
        let_through(breaker, now).failed(now)
    assert pauses == [10, 20, 35, 35]

    now += breaker.waits(now)
    let_through(breaker, now).succeeded(now)
    let_through(breaker, now).failed(now)
    assert breaker.waits(now) == 10


def test_a_pause_longer_than_the_longest_is_kept() -> None:
    assert opened(pause=300, longest_pause=120).waits(0.0) == 300


def test_a_stream_that_has_begun_lets_others_pass_and_counts_once_it_ends() -> None:
    breaker = opened()
    probe = let_through(breaker, 10.0)
    probe.began(11.0)
    assert let_through(breaker, 11.0)

    probe.failed(12.0)

    assert breaker.state(12.0) == "open"
    assert breaker.waits(12.0) == 20, "a probe that failed"
    assert (breaker.openings, breaker.recoveries) == (2, 1)


@pytest.mark.parametrize("end", ["succeeded", "released"])
def test_a_stream_that_closed_it_and_went_well_is_forgotten(end: str) -> None:
    breaker = opened()
    probe = let_through(breaker, 10.0)
    probe.began(11.0)
    getattr(probe, end)(12.0)

    let_through(breaker, 13.0).failed(13.0)
    assert breaker.waits(13.0) == 10


def test_traffic_grows_back_evenly_after_a_recovery() -> None:
    breaker = opened(ramp=20)
    let_through(breaker, 10.0).succeeded(10.0)

    for now, share in [(10.0, 0.1), (15.0, 0.325), (20.0, 0.55), (25.0, 0.775), (29.9, 0.9955)]:
        assert breaker.admit(now, Drawn(share - 0.001))
        assert breaker.admit(now, Drawn(share + 0.001)) is None
    assert breaker.admit(30.0, Drawn(0.9999))
    assert breaker.waits(10.0) == 0
    assert breaker.admit(10.0, Drawn(0.9999), forced=True)


def test_a_last_hope_passes_an_open_breaker_and_may_close_it() -> None:
    breaker = opened()
    let_through(breaker, 1.0, forced=True).failed(2.0)
    assert breaker.waits(2.0) == 8, "that it fails is known"

    late = let_through(breaker, 3.0, forced=True)
    let_through(breaker, 3.0, forced=True).succeeded(4.0)
    assert breaker.state(4.0) == "closed"

    let_through(breaker, 5.0).failed(5.0)
    late.succeeded(6.0)
    assert breaker.state(6.0) == "open", "it began before the breaker opened again"


def test_what_began_before_it_opened_says_nothing_of_now() -> None:
    breaker = Breaker(BreakerSettings(failures=2, ramp=0))
    early = [let_through(breaker, 0.0) for _ in range(4)]
    early.pop().failed(1.0)
    early.pop().failed(1.0)
    early.pop().succeeded(2.0)
    assert breaker.waits(2.0) == 9

    let_through(breaker, 11.0).succeeded(11.0)
    let_through(breaker, 12.0).failed(12.0)
    early.pop().failed(12.0)
    assert breaker.state(12.0) == "closed"


def test_a_late_success_from_before_it_opened_does_not_make_up_for_new_failures() -> None:
    breaker = Breaker(BreakerSettings(failures=2, ramp=0))
    early = [let_through(breaker, 0.0) for _ in range(3)]
    early.pop().failed(1.0)
    early.pop().failed(1.0)
    let_through(breaker, 11.0).succeeded(11.0)

    let_through(breaker, 12.0).failed(12.0)
    early.pop().succeeded(12.0)
    let_through(breaker, 12.0).failed(12.0)
    assert breaker.state(12.0) == "open"


def test_a_stream_that_closed_it_and_breaks_after_it_opened_again_changes_nothing() -> None:
    breaker = opened()
    probe = let_through(breaker, 10.0)
    probe.began(10.0)
    let_through(breaker, 11.0).failed(11.0)
    probe.failed(12.0)
    assert (breaker.openings, breaker.waits(12.0)) == (2, 9)


def test_a_last_hope_that_began_before_the_probe_failed_changes_nothing() -> None:
    breaker = opened()
    probe = let_through(breaker, 10.0)
    hope = let_through(breaker, 10.0, forced=True)
    probe.failed(11.0)
    hope.succeeded(12.0)
    assert breaker.waits(12.0) == 19


class Attempt:
    """One attempt as the model sees it: what it was let through as, in which closed or open spell."""

    def __init__(self, permit: Permit, role: str, spell: int) -> None:
        self.permit = permit
        self.role = role
        self.spell = spell


class BreakerModel(RuleBasedStateMachine):
    """A breaker and a plain model of it hear the same; they agree on every attempt that asks."""

    attempts = Bundle("attempts")

    def __init__(self) -> None:
        super().__init__()
        self.said = BreakerSettings(
            failures=3, ratio=0.5, calls=4, window=10, pause=4, longest_pause=20, ramp=8
        )
        self.breaker = Breaker(self.said)
        self.now = 100.0
        self.closed = True
        self.spell = 0  # counts how often it opened and closed
        self.until = 0.0
        self.failed_probes = 0
        self.probe: Attempt | None = None
        self.begun: Attempt | None = None
        self.ramp_from: float | None = None
        self.row = 0
        self.log: list[tuple[float, bool]] = []
        self.under_way: list[Attempt] = []

    @rule(seconds=st.sampled_from([0.0, 0.3, 0.9, 1.0, 2.0, 4.0, 9.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=attempts, forced=st.booleans(), chance=st.floats(0, 1, exclude_max=True))
    def ask(self, forced: bool, chance: float) -> Attempt | None:
        permit = self.breaker.admit(self.now, Drawn(chance), forced=forced)
        if self.closed:
            role = "ordinary"
            admitted = forced or chance < self.share()
        elif self.now >= self.until and self.probe is None:
            role, admitted = "probe", True
        else:
            role, admitted = "forced", forced
        assert (permit is not None) == admitted
        if permit is None:
            return None
        assert permit.tries == (role != "ordinary")
        attempt = Attempt(permit, role, self.spell)
        self.under_way.append(attempt)
        if role == "probe":
            self.probe = attempt
        return attempt

    def share(self) -> float:
        if self.ramp_from is None or self.now >= self.ramp_from + self.said.ramp:
            return 1.0
        return 0.1 + 0.9 * (self.now - self.ramp_from) / self.said.ramp

    @rule(attempt=attempts)
    def begin(self, attempt: Attempt | None) -> None:
        if attempt is None or attempt not in self.under_way:
            return
        attempt.permit.began(self.now)
        if self.probe is attempt:
            self.recover()
            self.begun = attempt

    @rule(attempt=consumes(attempts))
    def give_up(self, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        self.under_way.remove(attempt)
        attempt.permit.released(self.now)
        if self.probe is attempt:
            self.probe = None
        self.settle(attempt)

    @rule(attempt=consumes(attempts))
    def succeed(self, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        self.under_way.remove(attempt)
        attempt.permit.succeeded(self.now)
        if self.probe is attempt:
            self.recover()
            self.failed_probes = 0
        elif attempt.role == "forced" and attempt.spell == self.spell:
            self.recover()
        elif attempt.role == "ordinary" and attempt.spell == self.spell:
            self.row = 0
            self.log.append((self.now, True))
        self.settle(attempt)

    def settle(self, attempt: Attempt) -> None:
        if self.begun is attempt:
            self.begun = None
            self.failed_probes = 0

    @rule(attempt=consumes(attempts))
    def fail(self, attempt: Attempt | None) -> None:
        if attempt is None:
            return
        self.under_way.remove(attempt)
        attempt.permit.failed(self.now)
        if attempt in (self.probe, self.begun):
            self.open(self.failed_probes + 1)
        elif attempt.role == "ordinary" and attempt.spell == self.spell:
            self.row += 1
            self.log.append((self.now, False))
            # attempts may be forgotten up to a tenth of the window late, so either may be right
            verdicts = {self.too_many(self.now - self.said.window * late) for late in (1.0, 1.1)}
            verdicts |= {self.too_many(moment) for moment, _ in self.log if 10 <= self.now - moment <= 11}
            has_opened = self.breaker.state(self.now) == "open"
            assert has_opened in verdicts
            if has_opened:
                self.open(0)

    def too_many(self, since: float) -> bool:
        counted = [good for moment, good in self.log if moment >= since]
        share = counted.count(False) / max(len(counted), 1)
        return self.row >= self.said.failures or (
            len(counted) >= self.said.calls and share >= self.said.ratio
        )

    def open(self, failed_probes: int) -> None:
        self.closed = False
        self.spell += 1
        self.failed_probes = failed_probes
        self.until = self.now + min(self.said.pause * 2**failed_probes, self.said.longest_pause)
        self.probe = self.begun = None

    def recover(self) -> None:
        self.closed = True
        self.spell += 1
        self.probe = self.begun = None
        self.ramp_from = self.now
        self.row = 0
        self.log = []

    @invariant()
    def they_agree(self) -> None:
        now, breaker = self.now, self.breaker
        if self.closed:
            assert breaker.state(now) == "closed"
            assert breaker.waits(now) == 0
        else:
            assert breaker.state(now) == ("open" if now < self.until else "half-open")
            assert (breaker.waits(now) == 0) == (now >= self.until and self.probe is None)
            assert self.probe is not None or breaker.waits(now) == max(self.until - now, 0)

    @invariant()
    def no_open_spell_has_two_probes(self) -> None:
        spells = [attempt.spell for attempt in self.under_way if attempt.role == "probe"]
        assert len(spells) == len(set(spells))


TestBreakerModel = BreakerModel.TestCase
TestBreakerModel.settings = settings(max_examples=80, stateful_step_count=60)

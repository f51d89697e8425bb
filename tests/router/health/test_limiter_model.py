"""The limiter against a provider that enforces its allowance: whatever happens between, nothing overshoots.

The provider is the simulator's own: it lets requests in one by one, some time after they were sent, and its
headers come back some time after that, in any order. Attempts are left at any point on the way, once
anything was heard: before that nobody can know what the provider has left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from turnout.config.policies import Limits
from turnout.health.limiter import Limiter, Reservation
from turnout.health.listener import SCOUTS
from turnout.testing.allowance import Allowance, Till

MANY = st.integers(1, 60)
WHICH = st.integers(0, 1000)


@dataclass(eq=False)
class Attempt:
    """An attempt under way."""

    reservation: Reservation
    started: float
    prompt: int
    answer: int
    headers: dict[str, str]


class OneProvider(RuleBasedStateMachine):
    """One model of a provider with an allowance of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.sent: list[Attempt] = []
        self.let_in: list[Attempt] = []
        self.begun: list[Attempt] = []
        self.times: list[tuple[float, int]] = []
        self.heard = False

    @initialize(
        requests=st.integers(SCOUTS, 40),
        tokens=st.integers(80 * SCOUTS, 3000),
        refill=st.sampled_from(["continuous", "window"]),
        told=st.booleans(),
        adaptive=st.booleans(),
    )
    def begin(self, requests: int, tokens: int, refill: Any, told: bool, adaptive: bool) -> None:
        """A provider, and a limiter that learns of its allowance or is told of it."""
        self.numbers = (requests, tokens) if told or not adaptive else (10**9, 10**9)
        said = dict(zip(("requests_per_minute", "tokens_per_minute"), self.numbers, strict=True))
        self.limiter = Limiter(Limits.model_validate({**said, "adaptive": adaptive}))
        self.till = Till(Allowance(requests, tokens, refill=refill))

    @rule(count=MANY, prompt=st.integers(1, 40), answer=st.integers(0, 40), more=st.integers(0, 20))
    def send(self, count: int, prompt: int, answer: int, more: int) -> None:
        """As many attempts begin as may; each takes at most what was reserved for it."""
        for _ in range(count):
            wanted = Reservation(self.limiter, prompt, answer + more)
            seconds = 0.0 if wanted.take_at_once(self.now) else wanted.take(self.now)
            if seconds:
                assert 0 < seconds >= wanted.soonest(self.now)
                wanted.release(self.now)  # it holds nothing that could come back
                wanted.settle(self.now, 9, 9)
                return
            self.sent.append(Attempt(wanted, self.now, prompt, answer, {}))

    @rule(count=MANY, which=WHICH)
    def arrive(self, count: int, which: int) -> None:
        """Requests reach the provider, which lets them in."""
        for one in taken(self.sent, count, which):
            if self.limiter.settings.adaptive:
                verdict = self.till.judge({}, one.prompt + one.answer, self.now)
                assert verdict.refused is None
                one.headers = dict(verdict.headers)
            self.let_in.append(one)
            self.times.append((one.started, one.prompt + one.answer))

    @rule(count=MANY, which=WHICH)
    def hear(self, count: int, which: int) -> None:
        """The headers of answers come."""
        for one in taken(self.let_in, count, which):
            one.reservation.heard(self.now, one.headers)
            self.heard = True
            self.begun.append(one)

    @rule(count=MANY, which=WHICH)
    def answer(self, count: int, which: int) -> None:
        """Answers come as a whole."""
        for one in taken(self.let_in, count, which):
            for _ in range(2):  # the second time it holds nothing
                one.reservation.answered(self.now, one.headers, None, one.prompt, one.answer)
            self.heard = True

    @rule(count=MANY, which=WHICH, known=st.booleans())
    def end(self, count: int, which: int, known: bool) -> None:
        """Answers are at their end; some tell what they took."""
        for one in taken(self.begun, count, which):
            one.reservation.settle(self.now, *((one.prompt, one.answer) if known else ()))

    @precondition(lambda self: self.heard)
    @rule(count=st.integers(1, 5), which=WHICH, known=st.booleans())
    def leave(self, count: int, which: int, known: bool) -> None:
        """Attempts are left, or fail, after the provider let them in and before anything is heard."""
        for one in taken(self.let_in, count, which):
            one.reservation.settle(self.now, *((one.prompt, one.answer) if known else ()))

    @rule(count=MANY, which=WHICH)
    def give_up(self, count: int, which: int) -> None:
        """Attempts end before they were sent; what comes after their end counts for nothing."""
        for one in taken(self.sent, count, which):
            one.reservation.release(self.now)
            one.reservation.release(self.now)
            one.reservation.settle(self.now, 9, 9)

    @rule(seconds=st.one_of(st.floats(0.001, 2.0), st.floats(0, 70.0)))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @precondition(lambda self: not self.sent + self.let_in + self.begun)
    @rule()
    def wait_as_told(self) -> None:
        """Whoever waits as long as the limiter says finds room, where nobody else is under way."""
        for _ in range(12):
            wanted = Reservation(self.limiter, 30, 30)
            seconds = 0.0 if wanted.take_at_once(self.now) else wanted.take(self.now)
            if not seconds:
                wanted.release(self.now)
                return
            self.now += max(seconds, 0.001)
        raise AssertionError(f"no room at {self.now} s")

    @invariant()
    def holds_what_is_under_way(self) -> None:
        """What is reserved is that of those under way, and nobody else's."""
        if hasattr(self, "limiter"):
            unheard, everyone = self.sent + self.let_in, self.sent + self.let_in + self.begun
            prompts = [one.reservation.prompt for one in everyone]
            answers = [one.reservation.answer for one in everyone]
            assert self.limiter.window.held == sum(prompts) + sum(answers)
            if self.limiter.listener is not None:
                assert self.limiter.listener.ahead == (
                    len(unheard),
                    sum(one.reservation.prompt for one in unheard),
                    sum(answers),
                )

    @invariant()
    def keeps_to_the_users_numbers(self) -> None:
        """In no minute more was asked for than the user allows, however long it was on its way."""
        if hasattr(self, "numbers"):
            recent = [tokens for moment, tokens in self.times if moment > self.now - 60]
            requests, tokens = self.numbers
            assert len(recent) <= requests
            assert sum(recent) <= tokens


def taken(attempts: list[Attempt], count: int, which: int) -> list[Attempt]:
    """So many of the attempts, from some place on; they are in the list no more."""
    return [attempts.pop(which % len(attempts)) for _ in range(min(count, len(attempts)))]


TestOneProvider = OneProvider.TestCase

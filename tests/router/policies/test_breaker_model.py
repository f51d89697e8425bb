"""The layer under everything that can befall an attempt, cancellation at each of its awaits included.

No event loop runs here: a call's coroutine is stepped by hand, so that hypothesis decides at which await each
of many calls stands, what it hears there, and which of them is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from turnout import ChatCompletion, ManualClock, Message, ProviderError
from turnout.accounting import Ledger
from turnout.config.loading import parse_settings
from turnout.config.policies import Breaker as BreakerSettings
from turnout.events import Events
from turnout.health.breaker import Breaker, Permit
from turnout.health.standing import Standing
from turnout.pipeline import Call, Handler, Journal
from turnout.planning import Plan
from turnout.policies.account import Books
from turnout.policies.breaker import breaker
from turnout.promises import plans_of
from turnout.providers.errors import BY_KIND, UnsupportedError
from turnout.rejecting import TargetRejectedError

Outcome = Callable[[Call], Any]


class Cancelled(BaseException):
    """What an event loop throws into a task that is to end."""


class Turn:
    """An await at which a stepped coroutine stands; what it is sent there is what comes of it."""

    def __await__(self) -> Generator[None, Any, Any]:
        return (yield)


class SteppedClock(ManualClock):
    """A clock whose sleepers stand still until they are stepped."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await Turn()


class WatchedPermit:
    """A permit that writes down what it is told."""

    def __init__(self, permit: Permit, spell: tuple[int, int]) -> None:
        self.permit = permit
        self.spell = spell
        """How often the breaker had opened and closed by then."""
        self.tries = permit.tries
        self.breaker = permit.breaker
        self.verdicts: list[str] = []

    def began(self, now: float) -> None:
        assert not self.verdicts
        self.permit.began(now)

    def succeeded(self, now: float) -> None:
        self.verdicts.append("succeeded")
        self.permit.succeeded(now)

    def failed(self, now: float) -> None:
        self.verdicts.append("failed")
        self.permit.failed(now)

    def released(self, now: float) -> None:
        self.verdicts.append("released")
        self.permit.released(now)


class WatchedBreaker(Breaker):
    """A breaker that keeps every permit it gives."""

    def __init__(self, said: BreakerSettings) -> None:
        super().__init__(said)
        self.permits: list[WatchedPermit] = []

    def admit(self, now: float, random: Random, *, forced: bool = False) -> Any:
        permit = super().admit(now, random, forced=forced)
        if permit is None:
            return None
        watched = WatchedPermit(permit, (self.openings, self.recoveries))
        self.permits.append(watched)
        return watched


class Answer:
    """A reply as the layer sees it."""

    def __init__(self, end: str | None) -> None:
        self.end = end
        self.error: ProviderError | None = None
        self.listeners: list[Callable[[Any], None]] = []

    def when_ended(self, listener: Callable[[Any], None]) -> None:
        self.listeners.append(listener)

    def conclude(self, end: str, error: ProviderError | None = None) -> None:
        self.end, self.error = end, error
        for listener in self.listeners:
            listener(self)


class Flight:
    """One call on its way through the layer."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], call: Call) -> None:
        self.coroutine = coroutine
        self.call = call
        self.permit: WatchedPermit | None = None
        self.answer: Answer | None = None
        self.expected: str | None = None
        """The verdict that has to come of it."""


ANSWERS: Mapping[str, str] = {"bad": "invalid_request", "limited": "rate_limit", "refused": "authentication"}
FAILURES: Mapping[str, str] = {"broken": "server", "silent": "timeout", "full": "overloaded"}
ENDINGS = {
    **dict.fromkeys(ANSWERS, "succeeded"),
    **dict.fromkeys(FAILURES, "failed"),
    "whole": "succeeded",
    "unsent": "released",
    "rejected": "released",
    "unsupported": "released",
    "odd": "released",
}
"""What a handler below does, and the verdict that belongs to it."""


def planned() -> Plan:
    config = {
        "providers": {"a": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "breaker": True}},
        "routes": {"r": ["a/m"]},
    }
    [plan] = plans_of(parse_settings(config, env={}), {})
    return plan


PLAN = planned()
REQUEST = ChatCompletion(model="r", messages=[Message.user("Hi")])


async def inner(call: Call) -> Any:
    """A handler that does what it is told while it is awaited."""
    what = await Turn()
    if what not in ("unsent", "rejected", "unsupported"):
        call.journal.sent += 1
    if what in ("stream", "whole"):
        return Answer("completed" if what == "whole" else None)
    if what == "odd":
        raise ZeroDivisionError
    if what == "unsupported":
        raise UnsupportedError("No.", field="audio")
    if what == "rejected":
        raise TargetRejectedError("it is full.", kind="rate_limit", retry_after=1.0)
    kind = {**ANSWERS, **FAILURES, "unsent": "server"}[what]
    wait = 2.0 if what == "full" else None
    raise BY_KIND[kind]("No.", status=400 if what in ANSWERS else None, retry_after=wait)  # type: ignore[index]


class LayerModel(RuleBasedStateMachine):
    """Many calls pass one layer at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SteppedClock()
        self.books = Books(Ledger(), self.clock, Events())
        said = BreakerSettings(failures=2, pause=3, longest_pause=12, ramp=4)
        self.breaker = WatchedBreaker(said)
        self.standing = Standing(name="a/m", breaker=self.breaker)
        self.handler: Handler = breaker(self.books, Random(1))(inner)
        self.target = PLAN.targets[0]
        object.__setattr__(self.target, "standing", self.standing)
        self.at_gate: list[Flight] = []
        self.below: list[Flight] = []
        self.streaming: list[Flight] = []
        self.over: list[Flight] = []
        self.turned_away = 0

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 12.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(forced=st.booleans(), deadline=st.sampled_from([1.0, 100.0]))
    def call(self, forced: bool, deadline: float) -> None:
        now = self.clock.monotonic()
        call = Call(
            REQUEST, False, PLAN, self.target, "c", deadline, now + deadline, journal=Journal(), forced=forced
        )
        flight = Flight(self.handler(call), call)  # type: ignore[arg-type]
        self.step(flight, None)

    def step(self, flight: Flight, what: str | None) -> None:
        """Let a call go on from where it stands to its next await, or to its end."""
        asked = len(self.breaker.permits)
        slept = len(self.clock.sleeps)
        now = self.clock.monotonic()
        closed = self.standing.gate.opens_at > now
        try:
            flight.coroutine.send(what)
        except StopIteration as stop:
            flight.answer = stop.value
        except (ProviderError, UnsupportedError, ZeroDivisionError) as error:
            if flight.permit is None:  # it was turned away by this layer itself
                assert isinstance(error, TargetRejectedError)
                assert not flight.call.forced
                assert error.retry_after is not None
                assert flight.call.journal.attempts[-1].outcome == "rejected"
                assert closed or error.kind == "overloaded"
                self.turned_away += 1
                return
        else:
            if len(self.clock.sleeps) > slept:
                assert flight.call.forced
                self.at_gate.append(flight)
                return
            [flight.permit] = self.breaker.permits[asked:]
            assert not closed or (flight.call.forced and flight.call.ends_at <= self.standing.gate.opens_at)
            self.below.append(flight)
            return
        if what == "stream":
            self.streaming.append(flight)
        else:
            flight.expected = ENDINGS[str(what)]
            self.over.append(flight)

    @precondition(lambda self: self.at_gate)
    @rule(data=st.data())
    def the_gate_opens_for_one(self, data: st.DataObject) -> None:
        flight = self.at_gate.pop(data.draw(st.integers(0, len(self.at_gate) - 1)))
        self.clock.advance(data.draw(st.sampled_from([0.0, 1.0, 60.0])))
        self.step(flight, None)

    @precondition(lambda self: self.below)
    @rule(data=st.data(), what=st.sampled_from([*ENDINGS, "stream", "stream"]))
    def something_comes_of_one(self, data: st.DataObject, what: str) -> None:
        self.step(self.below.pop(data.draw(st.integers(0, len(self.below) - 1))), what)

    @precondition(lambda self: self.below or self.at_gate)
    @rule(data=st.data())
    def one_is_cancelled(self, data: st.DataObject) -> None:
        flight = data.draw(st.sampled_from([*self.below, *self.at_gate]))
        (self.below if flight in self.below else self.at_gate).remove(flight)
        try:
            flight.coroutine.throw(Cancelled())
        except Cancelled:
            pass
        else:
            raise AssertionError("a cancelled call must end")
        if flight.permit is not None:
            flight.expected = "released"
            self.over.append(flight)

    @precondition(lambda self: self.streaming)
    @rule(data=st.data(), end=st.sampled_from(["completed", "failed", "cancelled"]))
    def a_stream_ends(self, data: st.DataObject, end: str) -> None:
        flight = self.streaming.pop(data.draw(st.integers(0, len(self.streaming) - 1)))
        assert flight.answer is not None
        flight.answer.conclude(end, BY_KIND["interrupted"]("It broke off.") if end == "failed" else None)
        flight.expected = {"completed": "succeeded", "failed": "failed", "cancelled": "released"}[end]
        self.over.append(flight)

    @invariant()
    def every_permit_has_one_verdict_as_soon_as_its_attempt_is_over_and_none_before(self) -> None:
        for flight in self.over:
            assert flight.permit is not None
            assert flight.permit.verdicts == [flight.expected]
        open_ones = [flight.permit for flight in (*self.below, *self.streaming)]
        assert all(permit is not None and not permit.verdicts for permit in open_ones)
        assert len(self.breaker.permits) == len(self.over) + len(open_ones)

    @invariant()
    def no_pause_is_followed_by_two_probes_at_a_time(self) -> None:
        permits = [flight.permit for flight in self.below if flight.permit is not None]
        probes = [permit.spell for permit in permits if type(permit.permit).__name__ == "_Probe"]
        assert len(probes) == len(set(probes))

    def teardown(self) -> None:
        """When all calls are cancelled and all streams left, nothing is held, and a probe may go at once."""
        for flight in (*self.below, *self.at_gate):
            try:
                flight.coroutine.throw(Cancelled())
            except Cancelled:
                flight.expected = "released"
        for flight in self.streaming:
            assert flight.answer is not None
            flight.answer.conclude("cancelled")
        assert all(len(permit.verdicts) == 1 for permit in self.breaker.permits)
        self.clock.advance(100)
        assert self.standing.waits(self.clock.monotonic()) == 0
        assert self.books.ledger.total.attempts == self.turned_away


TestLayerModel = LayerModel.TestCase
TestLayerModel.settings = settings(max_examples=60, stateful_step_count=50)

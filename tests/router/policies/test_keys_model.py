"""Many calls at once through the layer that chooses keys, each ending or called off wherever it waits."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from turnout import ChatCompletion, ManualClock, Router
from turnout.config.sections import Kind
from turnout.health.keys import OF_THE_KEY
from turnout.pipeline import Call, Reply
from turnout.policies.account import Books
from turnout.policies.keys import keys
from turnout.providers.errors import BY_KIND, ProviderError
from turnout.rejecting import TargetRejectedError

KEYS = ("sk-one", "sk-two", "sk-three")
ENDS: tuple[Kind | None, ...] = (None, *sorted(OF_THE_KEY), "server")


class CalledOff(BaseException):
    """Stands for an event loop's cancellation."""


class Attempt:
    """Waits until it is told how it ends; `key` is the one it bears."""

    def __init__(self, call: Call) -> None:
        assert call.target.target.api_key is not None
        self.call = call
        self.key = call.target.target.api_key.get_secret_value()
        call.journal.sent += 1

    def __await__(self) -> Generator[Attempt, Kind | None, Any]:
        kind = yield self
        if kind is not None:
            raise BY_KIND[kind]("as told", retry_after=3.0 if kind == "rate_limit" else None)
        return self


async def inner(call: Call) -> Reply:
    answer: Reply = await Attempt(call)
    return answer


class Layer(RuleBasedStateMachine):
    """Calls that wait, in any number, and a clock that only moves when told."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        provider = {"dialect": "openai", "base_url": "https://llm.example/v1", "api_keys": KEYS}
        settings = {"providers": {"p": provider}, "routes": {"r": {"chain": ["p/x"], "max_attempts": 9}}}
        self.router = Router(settings, env={}, clock=self.clock)
        self.books = Books(self.router.ledger, self.clock, self.router._events)
        self.handler = keys(self.books)(inner)
        self.plan = self.router._snapshot.planner.plan("r")
        standing = self.plan.targets[0].standing
        assert standing is not None
        assert standing.keys is not None
        self.ring = standing.keys
        self.waiting: list[tuple[Coroutine[Any, Any, Reply], Attempt, list[str]]] = []

    def free(self) -> list[str]:
        """Keys that may be used now."""
        now = self.clock.monotonic()
        return [KEYS[key.place - 1] for key in self.ring.keys if key.waits(now) == 0]

    @rule(forced=st.booleans())
    def begin(self, forced: bool) -> None:
        free = self.free()
        request = ChatCompletion.parse({"model": "r", "messages": [{"role": "user", "content": "Hello"}]})
        ends_at = self.clock.monotonic() + 60
        call = Call(request, False, self.plan, self.plan.targets[0], "id", 60.0, ends_at, forced=forced)
        running: Any = self.handler(call)
        try:
            attempt = running.send(None)
        except TargetRejectedError as error:
            assert not free
            assert not forced
            assert error.retry_after
            assert call.journal.attempts[0].outcome == "rejected"
            return
        assert free == [] or attempt.key in free
        assert free or forced
        self.waiting.append((running, attempt, [attempt.key]))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), kind=st.sampled_from(ENDS))
    def end(self, data: st.DataObject, kind: Kind | None) -> None:
        place = data.draw(st.integers(0, len(self.waiting) - 1))
        running, attempt, used = self.waiting.pop(place)
        free_before = set(self.free())
        try:
            following = running.send(kind)
        except StopIteration as stop:
            assert kind is None
            assert stop.value is attempt
            assert attempt.call.target is self.plan.targets[0]
        except ProviderError as error:
            assert attempt.call.target is self.plan.targets[0]
            assert kind is not None
            if kind in OF_THE_KEY:
                assert not set(self.free()) - set(used)
            assert error.kind in (kind, "rate_limit", "authentication", "quota", "permission")
            if error.kind == "rate_limit":
                assert error.retry_after == self.ring.waits(self.clock.monotonic())
        else:
            assert kind in OF_THE_KEY
            assert following.key not in used
            assert following.key in free_before | set(KEYS) - {attempt.key}
            self.waiting.append((running, following, [*used, following.key]))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def call_off(self, data: st.DataObject) -> None:
        running, attempt, _ = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        known: Any = running
        try:
            known.throw(CalledOff())
        except CalledOff:
            assert attempt.call.target is self.plan.targets[0]
            return
        raise AssertionError

    @rule(seconds=st.sampled_from([1.0, 3.0, 60.0, 900.0]))
    def time_passes(self, seconds: float) -> None:
        # calls that wait for longer than their deadline are no concern of this layer
        if not self.waiting or seconds < 60:
            self.clock.advance(seconds)

    @invariant()
    def nobody_who_has_gone_holds_a_trial(self) -> None:
        trials = [
            KEYS[key.place - 1] for key in self.ring.keys if key.isolation.trying or key.isolation_here.trying
        ]
        bearing = [attempt.key for _, attempt, _ in self.waiting]
        assert all(key in bearing for key in trials)

    def teardown(self) -> None:
        while self.waiting:
            running, _, _ = self.waiting.pop()
            running.close()
        assert not any(key.isolation.trying or key.isolation_here.trying for key in self.ring.keys)


TestLayer = Layer.TestCase

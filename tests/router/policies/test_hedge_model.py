"""Whatever a chain's targets do and whenever the caller leaves, a hedged call keeps to its rules.

The targets are made up: each answers, fails or turns away after some time of a clock that jumps. What a call
without a hedge would have come to is found by making it, and a hedge may only better that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from virtual_time import VirtualClock, run_virtually

from turnout import BadRequestError, InternalServerError, TurnoutError
from turnout.config.loading import parse_settings
from turnout.config.policies import Hedge
from turnout.config.prices import PriceBook
from turnout.events import Events
from turnout.health.board import Board
from turnout.pipeline import Call, Handler, Journal, Reply, stack
from turnout.planning import Plan, Planner
from turnout.policies.fallback import fallback
from turnout.policies.hedge import hedge
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects import dialect
from turnout.providers.targets import resolve
from turnout.recalling import waiting
from turnout.rejecting import TargetRejectedError

REQUEST = ChatCompletion.parse({"model": "r", "messages": [{"role": "user", "content": "Hi"}]})
PROVIDER = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
MOST = 5  # targets


@dataclass
class Does:
    """What a target does with every attempt."""

    seconds: int
    how: str
    """answers, fails, refuses (a failure after which no route goes on)"""
    closed: int = 0
    """Seconds for which it turns every attempt away."""


@dataclass
class World:
    """Made-up targets, and what was asked of them."""

    targets: dict[str, Does]
    hedged: bool
    after: float
    tokens: int
    """What the retry budget still has."""
    in_flight: list[str] = field(default_factory=list)
    begun: list[tuple[str, float]] = field(default_factory=list)
    open: list[Answer] = field(default_factory=list)
    taken: int = 0

    def take(self, _now: float) -> bool:
        """A retry budget's `take`."""
        if self.tokens <= self.taken:
            return False
        self.taken += 1
        return True

    async def attempt(self, call: Call) -> Reply:
        """The innermost handler."""
        name, now = call.target.name, anyio.current_time()
        does = self.targets[name]
        if now < does.closed and not call.forced:
            raise TargetRejectedError("closed", kind="overloaded", retry_after=does.closed - now)
        assert call.attempts_left > 0
        assert name not in [begun for begun, _ in self.begun], "a target was tried twice"
        assert len(self.in_flight) < (2 if self.hedged else 1)
        call.journal.sent += 1
        self.begun.append((name, now))
        self.in_flight.append(name)
        try:
            with waiting(call.recall):
                await anyio.sleep(does.seconds)
        finally:
            self.in_flight.remove(name)
        if does.how == "answers":
            return cast("Reply", Answer(self, call))
        error = (InternalServerError if does.how == "fails" else BadRequestError)(does.how)
        error.provider, error.model = call.target.target.provider, call.target.target.model
        call.journal.errors.append(error)
        raise error


class Answer:
    """An answer that has begun, as far as a hedge knows it."""

    def __init__(self, world: World, call: Call) -> None:
        self.target = call.target
        self._world = world
        world.open.append(self)

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self._world.open.remove(self)


def plan_of(names: list[str], world: World, most: int) -> Plan:
    hedging = {"hedge": {"after": world.after}} if world.hedged else {}
    route = {"chain": names, "max_attempts": most, **hedging}
    settings = parse_settings({"providers": {"a": PROVIDER}, "routes": {"r": route}}, env={})

    def find(provider: str, model: str) -> Any:
        target = resolve(provider, settings.providers[provider], model, env={})
        return target, dialect(target.preset.dialect)

    plan = Planner(settings, find, PriceBook.seed(), Board()).plan("r")
    for planned in plan.targets:
        if planned.standing is not None:
            planned.standing.gate.close_until(world.targets[planned.name].closed)
            budget: Any = world
            planned.standing.retry_budget = budget
    return plan


def handler_of(world: World) -> Handler:
    clock, events = VirtualClock(), Events(None)
    layers = [fallback(clock, events), *([hedge(clock, events)] if world.hedged else [])]
    return stack(world.attempt, layers)


def come_to(world: World, most: int, leaves: float | None, backend: str) -> tuple[str, float]:
    """How a call ends, and when; checks what has to hold for each call."""
    plan = plan_of(list(world.targets), world, most)

    async def program() -> tuple[str, float]:
        tasks = len(anyio.get_running_tasks())
        targets = plan.targets
        call = Call(
            REQUEST, True, plan, targets[0], "id", 1e9, 1e9,
            later=len(targets) - 1, ahead=targets[1:], journal=Journal(),
        )  # fmt: skip
        result, reply = "left", None
        with anyio.move_on_after(float("inf") if leaves is None else leaves):
            try:
                reply = await handler_of(world)(call)
                result = "answers"
            except TurnoutError as error:
                result = getattr(error, "message", None) or "all failed"
        over = anyio.current_time()
        assert len(anyio.get_running_tasks()) == tasks
        assert world.in_flight == []
        assert world.open == ([] if reply is None else [reply])
        assert call.journal.sent <= most
        await anyio.sleep(1000)
        assert call.journal.sent == len(world.begun)  # nothing is begun later on
        return result, over

    return run_virtually(program, backend)


does = st.builds(
    Does,
    seconds=st.integers(0, 9),
    how=st.sampled_from(["answers", "answers", "fails", "fails", "refuses"]),
    closed=st.sampled_from([0, 0, 0, 3, 30]),
)
chains = st.lists(does, min_size=2, max_size=MOST)
moments = st.integers(0, 20).map(lambda seconds: seconds + 0.5)
"""When the caller leaves: never in the very moment in which something else happens."""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(chain=chains, after=st.integers(0, 6), tokens=st.integers(0, 1), leaves=st.none() | moments)
@example([Does(5, "fails"), Does(9, "answers"), Does(0, "refuses")], 1, 1, None)
@example([Does(5, "fails"), Does(3, "fails", closed=3), Does(0, "fails")], 1, 1, None)
@example([Does(5, "answers"), Does(4, "answers")], 1, 1, None)
@example([Does(0, "answers"), Does(0, "answers")], 0, 1, None)
def test_a_hedge_only_makes_it_better(
    backend: str, chain: list[Does], after: int, tokens: int, leaves: float | None
) -> None:
    targets = {f"a/m{number}": one for number, one in enumerate(chain)}
    hedged, plain = World(targets, True, after, tokens), World(targets, False, after, tokens)
    how, over = come_to(hedged, 20, leaves, backend)
    usual, usually = come_to(plain, 20, leaves, backend)

    if usual == "answers":
        assert how == "answers"
        assert over <= usually
    if how != "left" and over < after:
        assert hedged.begun == plain.begun
    assert hedged.taken <= tokens
    if not hedged.taken:
        assert (how, over, hedged.begun) == (usual, usually, plain.begun)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(chain=chains, after=st.integers(0, 6), most=st.integers(1, 4), leaves=st.none() | moments)
def test_no_attempt_too_many(
    backend: str, chain: list[Does], after: int, most: int, leaves: float | None
) -> None:
    targets = {f"a/m{number}": one for number, one in enumerate(chain)}
    world = World(targets, True, after, 1)
    come_to(world, most, leaves, backend)
    assert len(world.begun) <= most


def test_the_default_waits_for_20_answers() -> None:
    assert Hedge().after == "p95"

"""What a hedge at the percentile learns: how long targets are silent, and how many calls they had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from turnout import InternalServerError, ManualClock
from turnout.config.policies import Hedge
from turnout.events import Events
from turnout.health.standing import Standing
from turnout.pipeline import Journal
from turnout.policies.hedge import hedge

pytestmark = pytest.mark.anyio

ENOUGH = 20
"""Answers before there is a percentile."""


class Bench:
    """The layer around a handler whose attempts begin a second after the call, to answer in two and end in
    three more."""

    def __init__(self, *, tries: int = 1, pooled: bool = False, ahead: bool = False) -> None:
        self.clock = ManualClock()
        self.standing = Standing("a/m")
        self.target = SimpleNamespace(name="a/m", standing=self.standing)
        self._tries = tries
        self._plan = SimpleNamespace(hedge=Hedge(), pooled=pooled)
        self._ahead = (self.target,) if ahead else ()
        self._layer = hedge(self.clock, Events(None))

    async def run(self, *, streaming: bool, end: str | None = None, fails: bool = False) -> Any:
        journal = Journal(self.clock.monotonic())

        async def inner(_: Any) -> Any:
            for _ in range(self._tries):
                self.clock.advance(1.0)
                journal.begun += 1
            if fails:
                raise InternalServerError("down")
            began = self.clock.monotonic()
            self.clock.advance(2.0)
            first = self.clock.monotonic()
            if not streaming:
                self.clock.advance(3.0)
            return SimpleNamespace(target=self.target, began_at=began, first_token_at=first, end=end)

        call: Any = SimpleNamespace(
            plan=self._plan, target=self.target, streaming=streaming, ahead=self._ahead, journal=journal
        )
        return await self._layer(inner)(call)

    async def often(self, **said: Any) -> None:
        for _ in range(ENOUGH):
            await self.run(**said)

    @property
    def known(self) -> tuple[float | None, float | None]:
        """The percentiles of streams and of whole answers."""
        return self.standing.latency.streams.p95, self.standing.latency.wholes.p95


async def test_a_stream_is_silent_from_the_beginning_of_the_call_until_its_first_word() -> None:
    bench = Bench()
    await bench.often(streaming=True)
    assert bench.known == (pytest.approx(3.0), None)


async def test_an_answer_that_comes_whole_is_silent_until_all_of_it_is_there() -> None:
    bench = Bench()
    await bench.often(streaming=False, end="completed")
    assert bench.known == (None, pytest.approx(6.0))


async def test_a_target_is_not_to_blame_for_the_tries_before_it() -> None:
    bench = Bench(tries=2)
    await bench.often(streaming=True)
    await bench.often(streaming=False, end="completed")
    assert bench.known == (pytest.approx(2.0), pytest.approx(5.0))


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_a_whole_answer_that_was_none_says_nothing(end: str) -> None:
    bench = Bench()
    await bench.often(streaming=False, end=end)
    assert bench.known == (None, None)


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_failure_says_nothing(streaming: bool) -> None:
    bench = Bench()
    for _ in range(ENOUGH):
        with pytest.raises(InternalServerError):
            await bench.run(streaming=streaming, fails=True)
    assert bench.known == (None, None)


async def test_what_a_pool_sends_is_timed_by_the_pool() -> None:
    bench = Bench(pooled=True)
    await bench.often(streaming=True)
    assert bench.known == (None, None)


async def test_only_calls_that_could_be_hedged_add_to_the_share() -> None:
    alone, chained = Bench(), Bench(ahead=True)
    await alone.often(streaming=True)
    for _ in range(ENOUGH - 1):
        await chained.run(streaming=True)
    assert (alone.standing.hedges.calls, chained.standing.hedges.calls) == (0, ENOUGH - 1)

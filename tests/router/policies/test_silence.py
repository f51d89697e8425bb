"""How long a target is silent before it answers: what a hedge at the percentile goes by, in a chain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from turnout import InternalServerError, ManualClock
from turnout.health.standing import Standing
from turnout.policies.silence import silence

pytestmark = pytest.mark.anyio

ENOUGH = 20
"""Answers before there is a percentile."""


class Bench:
    """The layer around a handler whose answers begin after a second and are there after three."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.standing = Standing("a/m")

    async def run(self, *, streaming: bool, end: str | None = None, fails: bool = False) -> Any:
        async def inner(_: Any) -> Any:
            self.clock.advance(1.0)
            if fails:
                raise InternalServerError("down")
            begun = self.clock.monotonic()
            if not streaming:
                self.clock.advance(2.0)
            return SimpleNamespace(first_token_at=begun, end=end)

        call: Any = SimpleNamespace(target=SimpleNamespace(standing=self.standing), streaming=streaming)
        return await silence(self.clock)(inner)(call)

    async def often(self, **said: Any) -> None:
        for _ in range(ENOUGH):
            await self.run(**said)


async def test_a_stream_is_silent_until_its_first_word() -> None:
    bench = Bench()

    await bench.often(streaming=True)

    assert bench.standing.latency.p95() == pytest.approx(1.0)
    assert bench.standing.latency.p95(whole=True) is None


async def test_an_answer_that_comes_whole_is_silent_until_all_of_it_is_there() -> None:
    bench = Bench()

    await bench.often(streaming=False, end="completed")

    assert bench.standing.latency.p95(whole=True) == pytest.approx(3.0)
    assert bench.standing.latency.p95() is None


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_a_whole_answer_that_was_none_says_nothing(end: str) -> None:
    bench = Bench()

    await bench.often(streaming=False, end=end)

    assert bench.standing.latency.p95(whole=True) is None


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_failure_says_nothing(streaming: bool) -> None:
    bench = Bench()

    for _ in range(ENOUGH):
        with pytest.raises(InternalServerError):
            await bench.run(streaming=streaming, fails=True)

    assert bench.standing.latency.p95(whole=not streaming) is None


async def test_nothing_is_in_flight_and_no_average_is_kept_for_which_only_pools_ask() -> None:
    bench = Bench()

    await bench.often(streaming=True)

    assert bench.standing.in_flight.count == 0
    assert bench.standing.latency.first_token(bench.clock.monotonic()) is None

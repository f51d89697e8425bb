"""What a target has in flight, and how fast it is: counted and timed once for each attempt."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout import (
    AttemptTimeoutError,
    BadRequestError,
    InternalServerError,
    ManualClock,
    RateLimitError,
    Router,
)
from turnout.health.standing import Standing
from turnout.pipeline import Handler
from turnout.policies.measure import measure
from turnout.providers.chat import Usage
from turnout.rejecting import TargetRejectedError
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Gone = Callable[[Simulator], Any]
Conversation = list[dict[str, Any]]


class Answer:
    """A reply that ends when it is told to."""

    def __init__(self, clock: ManualClock, end: str | None = None, tokens: int | None = None) -> None:
        self.first_token_at = clock.monotonic()
        self.end = end
        self.usage = None if tokens is None else Usage(prompt_tokens=1, completion_tokens=tokens)
        self.listeners: list[Callable[[Any], None]] = []

    def when_ended(self, listener: Callable[[Any], None]) -> None:
        self.listeners.append(listener)

    def conclude(self, end: str) -> None:
        self.end = end
        for listener in self.listeners:
            listener(self)


class Bench:
    """The layer around a handler that takes a second and then gives, or raises, what it is told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.standing = Standing("a/m")

    def handler(self, outcome: Any) -> Handler:
        async def inner(call: Any) -> Any:
            assert self.standing.in_flight.count == 1
            self.clock.advance(1.0)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome() if callable(outcome) else outcome

        return measure(self.clock)(inner)

    async def run(self, outcome: Any, *, streaming: bool = True, standing: bool = True) -> Any:
        target = SimpleNamespace(standing=self.standing if standing else None)
        call: Any = SimpleNamespace(target=target, streaming=streaming)
        return await self.handler(outcome)(call)


async def test_a_stream_is_in_flight_until_it_ends_and_timed_by_its_words() -> None:
    bench = Bench()

    answer = await bench.run(lambda: Answer(bench.clock, tokens=21))
    assert bench.standing.in_flight.count == 1
    bench.clock.advance(4.0)
    answer.conclude("completed")

    now, latency = bench.clock.monotonic(), bench.standing.latency
    assert bench.standing.in_flight.count == 0
    assert latency.first_token(now) == pytest.approx(1.0)
    assert latency.per_token(now) == pytest.approx(0.2)
    assert latency.whole(now) is None


async def test_an_answer_that_came_whole_is_timed_as_one() -> None:
    bench = Bench()

    await bench.run(lambda: Answer(bench.clock, "completed", tokens=21), streaming=False)

    now, latency = bench.clock.monotonic(), bench.standing.latency
    assert bench.standing.in_flight.count == 0
    assert latency.whole(now) == pytest.approx(1.0)
    assert latency.first_token(now) is None


@pytest.mark.parametrize(("end", "tokens"), [("cancelled", 21), ("completed", 3), ("completed", None)])
async def test_no_pace_is_told_of_an_answer_that_is_short_or_was_left(end: str, tokens: int | None) -> None:
    bench = Bench()

    answer = await bench.run(lambda: Answer(bench.clock, tokens=tokens))
    bench.clock.advance(1.0)
    answer.conclude(end)

    assert bench.standing.latency.first_token(bench.clock.monotonic()) is not None
    assert bench.standing.latency.per_token(bench.clock.monotonic()) is None


async def test_a_whole_answer_that_was_left_says_nothing() -> None:
    bench = Bench()

    await bench.run(lambda: Answer(bench.clock, "cancelled"), streaming=False)

    assert bench.standing.latency.whole(bench.clock.monotonic()) is None


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (InternalServerError("down"), 1.0),
        (RateLimitError("slow down"), 1.0),
        (AttemptTimeoutError("late"), 1.0),
        (BadRequestError("no"), None),
        (TargetRejectedError("open", kind="server"), None),
        (LookupError("ours"), None),
    ],
)
async def test_failures_of_the_target_make_it_slow_and_those_of_the_request_do_not(
    error: Exception, seconds: float | None
) -> None:
    bench = Bench()

    with pytest.raises(type(error)):
        await bench.run(error)

    found = bench.standing.latency.first_token(bench.clock.monotonic())
    assert found == (None if seconds is None else pytest.approx(seconds))
    assert bench.standing.in_flight.count == 0


async def test_a_stream_that_breaks_is_a_failure() -> None:
    bench = Bench()

    answer = await bench.run(lambda: Answer(bench.clock))
    bench.clock.advance(5.0)
    answer.conclude("failed")

    assert bench.standing.latency.first_token(bench.clock.monotonic()) == pytest.approx(6.0)


async def test_who_is_left_waiting_is_known_to_take_that_long(anyio_backend: str) -> None:
    bench = Bench()

    async def never(call: Any) -> Any:
        bench.clock.advance(3.0)
        await anyio.sleep_forever()

    call: Any = SimpleNamespace(target=SimpleNamespace(standing=bench.standing), streaming=False)
    with anyio.move_on_after(0.01):
        await measure(bench.clock)(never)(call)

    assert bench.standing.in_flight.count == 0
    assert bench.standing.latency.whole(bench.clock.monotonic()) == pytest.approx(3.0)


async def test_a_target_without_a_standing_is_let_through() -> None:
    bench = Bench()

    async def inner(call: Any) -> Any:
        return "reply"

    call: Any = SimpleNamespace(target=SimpleNamespace(standing=None), streaming=False)
    reply: Any = await measure(bench.clock)(inner)(call)
    assert reply == "reply"


ends = st.sampled_from(["completed", "failed", "cancelled", "raised", "rejected", "left", "whole"])


@given(st.lists(st.tuples(ends, st.integers(0, 9)), max_size=25))
def test_whatever_becomes_of_attempts_what_is_in_flight_is_what_has_not_ended(
    attempts: list[tuple[str, int]],
) -> None:
    """Each ends after some others have begun, or never within the test."""

    async def run() -> None:
        clock, standing = ManualClock(), Standing("a/m")
        open_ones: list[tuple[int, str, Answer]] = []
        for number, (end, later) in enumerate(attempts):

            async def inner(call: Any, end: str = end) -> Any:
                if end == "raised":
                    raise InternalServerError("down")
                if end == "rejected":
                    raise TargetRejectedError("open", kind="server")
                if end == "left":
                    await anyio.sleep_forever()
                return Answer(clock, "completed" if end == "whole" else None)

            call: Any = SimpleNamespace(target=SimpleNamespace(standing=standing), streaming=True)
            with anyio.CancelScope() as scope:
                if end == "left":
                    scope.cancel()
                try:
                    answer: Any = await measure(clock)(inner)(call)
                except (InternalServerError, TargetRejectedError):
                    pass
                else:
                    if answer.end is None:
                        open_ones.append((number + later, end, answer))
            for due, how, one in open_ones[:]:
                if due <= number:
                    open_ones.remove((due, how, one))
                    one.conclude(how)
            assert standing.in_flight.count == len(open_ones)

    anyio.run(run)


# with a real wire


async def test_cancelled_calls_and_streams_that_are_left_are_in_flight_no_more(
    make_router: MakeRouter, hello: Conversation, gone: Gone
) -> None:
    slow = [Reply(text="one two three four five", latency=0.02, drip_delay=0.02)]
    routes = {"r": [{"pool": ["a/x", "b/y"], "strategy": "least_busy"}]}
    async with Simulator({"x": slow, "y": slow}) as simulator:
        async with make_router(simulator, routes) as router:
            standings = [planned.standing for planned in router._snapshot.planner.plan("r").targets]

            def counts() -> list[int]:
                return [standing.in_flight.count for standing in standings if standing is not None]

            async def call(number: int) -> None:
                with anyio.move_on_after(0.005 * (number % 12)):
                    if number % 2:
                        await router.complete(model="r", messages=hello)
                    else:
                        async with router.stream(model="r", messages=hello) as stream:
                            async for _ in stream:
                                if number % 3 == 0:
                                    break

            seen = []
            async with anyio.create_task_group() as tasks:
                for number in range(36):
                    tasks.start_soon(call, number)
                    seen.append(counts())
                    await anyio.sleep(0.002)

            assert max(map(max, seen)) >= 2
            assert all(abs(first - second) <= 6 for first, second in seen)
            assert counts() == [0, 0]

"""Closing a router: who may finish, who is refused, and what becomes of those who take too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from turnout import ManualClock, Router, RouterClosedError, StreamInterruptedError, TurnoutError
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

Conversation = list[dict[str, Any]]
WORDS = Reply(text="one two three four", latency=0.05, drip_delay=0.03)
SILENT = Reply(latency=30)
STALLS = Reply(text="one two three four", stall_after_events=3)
SOON = 3.0  # seconds within which a cut is felt, on a machine that is busy


def routing(simulator: Simulator, *targets: str, **more: Any) -> Router:
    """A router with one route to models of the simulator."""
    options = more.pop("options", {})
    settings = {
        "providers": {"a": {"dialect": "openai", "base_url": simulator.url}},
        "routes": {"r": [f"a/{model}" for model in targets or ("x",)]},
        "defaults": {"retry": {"attempts": 1}},
        **more,
    }
    return Router(settings, env={}, **options)


async def asked(simulator: Simulator, times: int = 1) -> None:
    """Wait until so many requests have come."""
    with anyio.fail_after(10):
        while len(simulator.requests) < times:
            await anyio.sleep(0.001)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.001)


class Calls:
    """Calls that run beside the test, and what came of each."""

    def __init__(self, router: Router, hello: Conversation) -> None:
        self._router = router
        self._hello = hello
        self.ended: dict[str, Any] = {}

    async def complete(self, name: str, **options: Any) -> None:
        await self._ending(name, self._complete(**options))

    async def stream(self, name: str) -> None:
        await self._ending(name, self._stream())

    async def _complete(self, **options: Any) -> Any:
        return (await self._router.complete(model="r", messages=self._hello, **options)).text

    async def _stream(self) -> Any:
        async with self._router.stream(model="r", messages=self._hello) as stream:
            return "".join([chunk.text or "" async for chunk in stream])

    async def _ending(self, name: str, call: Awaitable[Any]) -> None:
        try:
            self.ended[name] = await call
        except TurnoutError as error:
            self.ended[name] = error


async def test_leaving_waits_for_those_in_flight(hello: Conversation) -> None:
    async with Simulator({"x": [WORDS]}) as simulator, anyio.create_task_group() as group:
        async with routing(simulator) as router:
            calls = Calls(router, hello)
            group.start_soon(calls.complete, "whole")
            group.start_soon(calls.stream, "stream")
            await asked(simulator, 2)
        assert calls.ended == dict.fromkeys(("whole", "stream"), "one two three four")
        assert [attempt.outcome for attempt in router.ledger] == ["ok", "ok"]
        assert not any(request.disconnected for request in simulator.requests)


async def test_leaving_takes_no_time_where_nobody_is_inside(hello: Conversation) -> None:
    async with Simulator() as simulator:
        async with routing(simulator) as router:
            await router.complete(model="r", messages=hello)
            async with router.stream(model="r", messages=hello) as left_early:
                await anext(left_early)
            begun = time.monotonic()
        assert time.monotonic() - begun < SOON


async def test_while_it_closes_nobody_new_is_let_in(hello: Conversation) -> None:
    async with Simulator({"x": [WORDS]}) as simulator, anyio.create_task_group() as group:
        async with routing(simulator) as router:
            calls = Calls(router, hello)
            made_before = router.stream(model="r", messages=hello)
            group.start_soon(calls.complete, "first")
            await asked(simulator)
            group.start_soon(router.aclose)
            await until(lambda: router._doors._closing)
            for refused in (
                router.complete(model="r", messages=hello),
                router.stream(model="r", messages=hello).__aenter__(),
                made_before.__aenter__(),
                router.models("a"),
            ):
                with pytest.raises(RouterClosedError, match="The router is closed"):
                    await refused
        assert calls.ended == {"first": "one two three four"}
        assert len(simulator.requests) == 1
        assert len(router.ledger) == 1


@pytest.mark.parametrize("reply", [SILENT, STALLS], ids=["silent", "stalls"])
@pytest.mark.parametrize("folded", [False, True], ids=["whole", "folded"])
async def test_who_takes_too_long_is_told_and_disconnected(
    hello: Conversation, reply: Reply, folded: bool
) -> None:
    async with Simulator({"x": [reply]}) as simulator, anyio.create_task_group() as group:
        async with routing(simulator, "x", "y", drain="50ms") as router:
            calls = Calls(router, hello)
            for name in ("one", "two"):
                group.start_soon(lambda name: calls.complete(name, stream=folded), name)
            await asked(simulator, 2)
            begun = time.monotonic()
        assert time.monotonic() - begun < SOON
        await until(lambda: len(calls.ended) == 2)
        assert [type(error) for error in calls.ended.values()] == [RouterClosedError] * 2
        assert [attempt.outcome for attempt in router.ledger] == ["cancelled"] * 2
        await until(lambda: all(request.disconnected for request in simulator.requests))
        assert {request.model for request in simulator.requests} == {"x"}


async def test_a_stream_that_is_being_read_breaks_off(hello: Conversation) -> None:
    async with Simulator({"x": [STALLS]}) as simulator, anyio.create_task_group() as group:
        async with routing(simulator, drain=0.05) as router:
            calls = Calls(router, hello)
            group.start_soon(calls.stream, "read")
            await until(lambda: router._doors._attempts and any(router._doors._attempts.values()))
            await anyio.sleep(0.02)
        await until(lambda: calls.ended)
        error = calls.ended["read"]
        assert isinstance(error, StreamInterruptedError)
        assert (error.code, error.partial and error.partial.text) == ("router_closed", "one two")
        [attempt] = router.ledger
        assert (attempt.outcome, attempt.error and attempt.error.code) == ("failed", "router_closed")
        await until(lambda: simulator.requests[0].disconnected)


@pytest.mark.parametrize("goes_on", ["raise", "restart", "continue"])
async def test_a_stream_that_lies_unread_is_ended_for_its_reader(hello: Conversation, goes_on: str) -> None:
    defaults = {"on_interrupt": goes_on, "hedge": {"after": "1s"}}
    async with (
        Simulator({"x": [STALLS]}) as simulator,
        routing(simulator, "x", "y", defaults=defaults) as router,
    ):
        async with router.stream(model="r", messages=hello) as stream:
            assert (await anext(stream)).text is not None
            await router.aclose(drain=0)
            # closed and written down, although nobody has read on yet
            await until(lambda: simulator.requests[0].disconnected)
            assert [attempt.outcome for attempt in router.ledger] == ["failed"]
            with pytest.raises(StreamInterruptedError, match="the router was closed") as caught:
                async for _ in stream:
                    pass
        assert stream.state == "interrupted"
        assert caught.value.code == "router_closed"
        assert caught.value.partial is not None
        assert len(router.ledger) == len(simulator.requests) == 1


async def test_a_stream_that_has_come_whole_may_be_read_to_its_end(hello: Conversation) -> None:
    async with Simulator({"x": [Reply(text="one two three four")]}) as simulator:
        for reads_on in (True, False):
            async with routing(simulator) as router:
                async with router.stream(model="r", messages=hello) as stream:
                    text = (await anext(stream)).text or ""
                    reply: Any = stream._reply
                    while reply._goes_on():  # what has not come yet, comes now
                        text += "".join(chunk.text or "" for chunk in iter(reply.at_hand, None))
                        await reply._read()
                    await router.aclose(drain=0)
                    if reads_on:
                        text += "".join([chunk.text or "" async for chunk in stream])
            outcome = "ok" if reads_on else "cancelled"
            assert [attempt.outcome for attempt in router.ledger] == [outcome]
            assert router._doors.inside == 0
            assert text == "one two three four" or not reads_on


async def test_a_stream_that_has_not_begun_is_not_begun_elsewhere(hello: Conversation) -> None:
    async with Simulator({"x": [SILENT]}) as simulator, anyio.create_task_group() as group:
        async with routing(simulator, "x", "y", drain=0) as router:
            calls = Calls(router, hello)
            group.start_soon(calls.stream, "stream")
            await asked(simulator)
        await until(lambda: calls.ended)
        assert isinstance(calls.ended["stream"], RouterClosedError)
        assert len(simulator.requests) == 1


class _Waiting(ManualClock):
    """A clock whose sleeps last until they are ended."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeping = anyio.Event()
        self.over = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.sleeping.set()
        await self.over.wait()


async def test_a_call_that_waits_for_a_retry_sends_nothing_any_more(hello: Conversation) -> None:
    clock = _Waiting()
    again = {"retry": {"attempts": 2}}
    async with Simulator({"x": [Reply(status=500)]}) as simulator, anyio.create_task_group() as group:
        async with routing(simulator, defaults=again, options={"clock": clock}) as router:
            calls = Calls(router, hello)
            group.start_soon(calls.complete, "one")
            await clock.sleeping.wait()
            await router.aclose(drain=0)
            clock.over.set()
        await until(lambda: calls.ended)
        assert isinstance(calls.ended["one"], RouterClosedError)
        assert len(simulator.requests) == 1


async def test_a_closing_that_is_called_off_closes_at_once(hello: Conversation) -> None:
    async with Simulator({"x": [SILENT]}) as simulator, anyio.create_task_group() as group:
        router = routing(simulator)
        calls = Calls(router, hello)
        group.start_soon(calls.complete, "one")
        await asked(simulator)
        begun = time.monotonic()
        with anyio.move_on_after(0.02) as scope:
            await router.aclose(drain=30)
        assert scope.cancelled_caught
        assert time.monotonic() - begun < SOON
        await until(lambda: calls.ended)
        assert isinstance(calls.ended["one"], RouterClosedError)


async def test_two_may_close_it_and_the_less_patient_one_has_its_way(hello: Conversation) -> None:
    async with Simulator({"x": [SILENT]}) as simulator, anyio.create_task_group() as group:
        async with routing(simulator) as router:
            calls = Calls(router, hello)
            group.start_soon(calls.complete, "one")
            await asked(simulator)
            begun = time.monotonic()
            async with anyio.create_task_group() as closing:
                closing.start_soon(lambda: router.aclose(drain=30))
                closing.start_soon(lambda: router.aclose(drain=0.02))
        assert time.monotonic() - begun < SOON
        await until(lambda: calls.ended)


async def test_it_opens_again(hello: Conversation) -> None:
    async with Simulator() as simulator:
        router = routing(simulator)
        for _ in range(2):
            async with router:
                assert (await router.complete(model="r", messages=hello)).text == "Hello"
            with pytest.raises(RouterClosedError):
                await router.complete(model="r", messages=hello)
        assert router._doors.inside == 0


@pytest.mark.parametrize("outcome", ["fine", "failed", "left", "cancelled", "refused"])
async def test_everybody_who_came_in_goes_out_again(hello: Conversation, outcome: str) -> None:
    replies = {"failed": Reply(status=500), "cancelled": SILENT}
    async with Simulator({"x": [replies.get(outcome, WORDS)]}) as simulator, routing(simulator) as router:
        with anyio.move_on_after(0.1 if outcome == "cancelled" else 5):
            if outcome == "left":
                async with router.stream(model="r", messages=hello) as stream:
                    await anext(stream)
            else:
                question: Any = "no list" if outcome == "refused" else hello
                for ask in (router.complete, router.stream):
                    try:
                        call = ask(model="r", messages=question)
                        if isinstance(call, Awaitable):
                            await call
                        else:
                            async with call as stream:
                                async for _ in stream:
                                    pass
                    except TurnoutError:
                        assert outcome in ("failed", "refused")
        assert router._doors.inside == 0
        assert router._doors._attempts == {}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_sync_router_waits_for_its_threads(hello: Conversation, backend: str) -> None:
    answers: list[str | None] = []
    with Simulator({"x": [WORDS]}).serving() as simulator:
        with routing(simulator).sync(backend=backend) as router:

            def call() -> None:
                answers.append(router.complete(model="r", messages=hello).text)

            threads = [threading.Thread(target=call) for _ in range(3)]
            for thread in threads:
                thread.start()
            while len(simulator.requests) < 3:
                time.sleep(0.001)
        for thread in threads:
            thread.join()
    assert answers == ["one two three four"] * 3


@pytest.mark.parametrize("given", ["1500ms", 1.5, 0])
def test_the_settings_say_how_long(given: Any) -> None:
    router = Router({"drain": given}, env={})
    assert router.settings.drain == (0 if given == 0 else 1.5)
    assert Router({}, env={}).settings.drain == 10

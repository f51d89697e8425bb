"""The blocking router: the same calls without an event loop of one's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from turnout import InternalServerError, Router, StreamStateError
from turnout.testing import Reply, Simulator

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_calls_streams_and_lists_work_without_an_event_loop(
    make_router: MakeRouter, hello: Conversation, backend: str
) -> None:
    with Simulator({"m": [Reply(text="Good day to you")]}).serving() as simulator:
        with make_router(simulator, {"r": ["a/m"]}).sync(backend=backend) as router:
            reply = router.complete(model="r", messages=hello, tags={"job": "7"})
            with router.stream(model="r", messages=hello) as stream:
                texts = [chunk.text for chunk in stream]
            told = router.explain(model="r", messages=hello)
            models = router.models("a")

    assert reply.text == "".join(texts) == stream.response.text == "Good day to you"
    assert (stream.state, len(stream.trace.attempts)) == ("completed", 1)
    assert router.ledger.total.calls == 2
    assert told.steps[0].target == "a/m"
    assert [model.id for model in models.data] == ["m"]


def test_errors_come_through_as_they_are(make_router: MakeRouter, hello: Conversation) -> None:
    with Simulator({"m": [Reply(status=500)]}).serving() as simulator:
        with make_router(simulator, {}).sync() as router:
            with pytest.raises(InternalServerError):
                router.complete(model="a/m", messages=hello)
            with pytest.raises(InternalServerError):
                router.stream(model="a/m", messages=hello).__enter__()


def test_a_stream_may_be_left_early(make_router: MakeRouter, hello: Conversation) -> None:
    with Simulator({"m": [Reply(text="one two three four", drip_delay=0.05)]}).serving() as simulator:
        with make_router(simulator, {"r": ["a/m"]}).sync() as router:
            with router.stream(model="r", messages=hello) as stream:
                assert next(iter(stream)) is not None
            assert stream.state == "cancelled"
            assert [attempt.outcome for attempt in router.ledger] == ["cancelled"]


def test_threads_may_share_one(make_router: MakeRouter, hello: Conversation) -> None:
    with Simulator().serving() as simulator, make_router(simulator, {"r": ["a/m"]}).sync() as router:
        with ThreadPoolExecutor(8) as pool:
            calls = [pool.submit(router.complete, model="r", messages=hello) for _ in range(24)]
            assert [call.result().text for call in calls] == ["Hello"] * 24


def test_it_is_used_inside_its_context_and_leaves_no_thread(
    make_router: MakeRouter, hello: Conversation
) -> None:
    before = threading.active_count()
    with Simulator().serving() as simulator:
        router = make_router(simulator, {"r": ["a/m"]}).sync()
        with pytest.raises(StreamStateError, match="inside"):
            router.complete(model="r", messages=hello)
        with router, pytest.raises(StreamStateError, match="already"):
            router.__enter__()

    assert threading.active_count() <= before

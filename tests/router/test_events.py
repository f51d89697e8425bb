"""What is logged, where it goes, and what can never be in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from turnout import AllTargetsFailedError, Router, StreamInterruptedError
from turnout.events import EVENTS, FIELDS, Events
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]
PAGE = (Path(__file__).parents[2] / "docs/events.md").read_text("utf-8")


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    """Every event that an application which has configured structlog sees."""
    with structlog.testing.capture_logs() as events:
        yield events
    structlog.reset_defaults()


def rows(first: str) -> dict[str, tuple[str, ...]]:
    """A table of the page by its first column, without the ticks."""
    table = PAGE.partition(f"| {first} |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in table]
    return {row[0].strip("`"): tuple(row[1:]) for row in cells}


def test_the_page_and_the_table_agree() -> None:
    told = {
        event.name: (
            logging.getLevelName(event.level).lower(),
            ", ".join(f"`{name}`" for name in event.fields),
            event.meaning,
        )
        for event in EVENTS.values()
    }

    assert rows("Event") == told
    assert rows("Field") == {name: (meaning,) for name, meaning in FIELDS.items()}
    assert {name for event in EVENTS.values() for name in event.fields} == set(FIELDS)


async def test_a_call_with_trouble_tells_its_story(
    make_router: MakeRouter, hello: Conversation, heard: list[Any]
) -> None:
    scripts = {"x": [Reply(status=500)], "y": [Reply(text="Fine")]}
    options = {"logger": structlog.get_logger()}
    async with Simulator(scripts) as simulator:
        async with make_router(simulator, {"r": ["a/x", "b/y"]}, options=options) as router:
            reply = await router.complete(model="r", messages=hello)

    assert [event["event"] for event in heard] == [
        "call.started",
        "attempt.failed",
        "retry.waiting",
        "attempt.failed",
        "fallback.taken",
        "attempt.finished",
        "call.finished",
    ]
    assert {event["call_id"] for event in heard} == {reply.trace.call_id}
    failed, waiting, taken, finished = heard[1], heard[2], heard[4], heard[6]
    assert (failed["kind"], failed["status"], failed["target"]) == ("server", 500, "a/x")
    assert 0 <= waiting["wait"] <= 0.001
    assert (taken["next_target"], taken["log_level"]) == ("b/y", "info")
    assert (finished["attempts"], finished["target"]) == (3, "b/y")


async def test_a_call_without_a_deadline_tells_how_long_it_took(
    make_router: MakeRouter, hello: Conversation, heard: list[Any]
) -> None:
    async with Simulator() as simulator:
        options = {"logger": structlog.get_logger()}
        async with make_router(simulator, {"r": ["a/x"]}, options=options) as router:
            await router.complete(model="r", messages=hello, deadline=float("inf"))

    assert 0 < heard[-1]["seconds"] < 10


async def test_no_event_holds_more_than_its_fields(
    make_router: MakeRouter, hello: Conversation, heard: list[Any]
) -> None:
    scripts = {"x": [Reply(status=401)], "y": [Reply(text="one two three", cut_after_events=2)]}
    options = {"logger": structlog.get_logger()}
    async with Simulator(scripts) as simulator:
        async with make_router(simulator, {"r": ["a/x"], "s": ["a/y"]}, options=options) as router:
            with pytest.raises(Exception, match="401"):
                await router.complete(model="r", messages=hello)
            with pytest.raises(StreamInterruptedError):
                async with router.stream(model="s", messages=hello) as stream:
                    async for _ in stream:
                        pass

    assert [event["event"] for event in heard].count("call.failed") == 2
    for event in heard:
        assert set(event) - {"event", "log_level"} <= set(EVENTS[event["event"]].fields)
    assert "sk-test" not in repr(heard)
    assert "Hello" not in repr(heard)


async def test_skipped_targets_and_failed_calls_are_told(hello: Conversation, heard: list[Any]) -> None:
    async with Simulator({"m": [Reply(status=500)]}) as simulator:
        provider = {"dialect": "openai", "base_url": simulator.url}
        settings = {
            "providers": {"plain": {**provider, "quirks": {"unsupported": ["stop"]}}, "full": provider},
            "routes": {"r": ["plain/m", "full/m"]},
            "defaults": {"retry": {"attempts": 1}},
        }
        async with Router(settings, logger=structlog.get_logger()) as router:
            with pytest.raises(AllTargetsFailedError):
                await router.complete(model="r", messages=hello, stop="x")

    by_name = {event["event"]: event for event in heard}
    assert by_name["target.skipped"]["field"] == "stop"
    assert by_name["call.failed"]["kind"] == "server"


def test_without_structlog_set_up_events_go_to_the_standard_logger(caplog: pytest.LogCaptureFixture) -> None:
    structlog.reset_defaults()
    events = Events()
    with caplog.at_level(logging.INFO, logger="turnout"):
        events.emit("retry.waiting", lambda: {"call_id": "c", "target": "a/m", "wait": 0.5, "secret": "s"})
        events.emit("call.started", lambda: {"call_id": "too quiet to hear"})

    [record] = caplog.records
    assert record.getMessage() == "retry.waiting call_id=c target=a/m wait=0.5"
    assert record.__dict__["turnout"] == {"call_id": "c", "target": "a/m", "wait": 0.5}


def test_what_nobody_listens_to_costs_nothing() -> None:
    structlog.reset_defaults()

    def costly() -> dict[str, Any]:
        raise AssertionError

    Events().emit("call.started", costly)
    quiet = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    Events(quiet).emit("call.failed", costly)


def test_an_application_that_has_configured_structlog_gets_the_events_there() -> None:
    heard: list[Any] = []

    def hear(_logger: Any, method: str, event: Any) -> Any:
        heard.append((method, dict(event)))
        raise structlog.DropEvent

    structlog.configure(processors=[hear])
    try:
        Events().emit("call.started", lambda: {"call_id": "c", "route": "r"})
    finally:
        structlog.reset_defaults()

    assert heard == [("debug", {"call_id": "c", "route": "r", "event": "call.started"})]

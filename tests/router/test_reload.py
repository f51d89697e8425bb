"""Other settings for a running router: what changes at once, what stays, and what a mistake leaves alone."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from keyed_simulator import KeyedSimulator

from turnout import ConfigError, ManualClock, RequestError, Router, RouterClosedError
from turnout.config.settings import Settings
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

Conversation = list[dict[str, Any]]
BREAKER = {"failures": 1, "pause": "10s", "ramp": 0}


def settings(simulator: Simulator, *models: str, **provider: Any) -> dict[str, Any]:
    """One provider `a`, and a route `r` to models of it."""
    said = {"dialect": "openai", "base_url": simulator.url, **provider}
    return {
        "providers": {"a": said},
        "routes": {"r": [f"a/{model}" for model in models]},
        "defaults": {"retry": {"attempts": 1}},
    }


def standing_of(router: Router, target: str) -> Any:
    """What the router knows of a target just now."""
    return router._snapshot.planner.plan(target).targets[0].standing


def parts_of(router: Router) -> dict[Any, int]:
    """Everything that is kept for all targets, by name, told apart by identity."""
    return {name: id(part) for name, (_, part) in router._snapshot.board._parts.items()}


async def test_later_calls_go_by_the_new_settings(hello: Conversation) -> None:
    async with Simulator({"x": [Reply(text="old")], "y": [Reply(text="new")]}) as simulator:
        async with Router(settings(simulator, "x"), env={}) as router:
            assert (await router.complete(model="r", messages=hello)).text == "old"
            await router.reload(settings(simulator, "y"))
            assert (await router.complete(model="r", messages=hello)).text == "new"
            await router.reload(Settings(providers=router.settings.providers))
            with pytest.raises(RequestError, match="no route"):
                await router.complete(model="r", messages=hello)
            assert len(router.ledger) == 2


async def test_what_is_in_flight_finishes_as_it_began(hello: Conversation) -> None:
    slow = Reply(text="one two three four", latency=0.1, drip_delay=0.02)
    answers: dict[str, str] = {}
    async with Simulator({"x": [slow]}) as old, Simulator({"y": [Reply(text="new")]}) as new:
        async with Router(settings(old, "x"), env={}) as router:

            async def complete() -> None:
                answers["complete"] = (await router.complete(model="r", messages=hello)).text or ""

            async def stream() -> None:
                async with router.stream(model="r", messages=hello) as stream:
                    answers["stream"] = "".join([chunk.text or "" async for chunk in stream])

            async with router.stream(model="r", messages=hello) as begun:
                before = (await anext(begun)).text or ""
                async with anyio.create_task_group() as group:
                    group.start_soon(complete)
                    group.start_soon(stream)
                    while len(old.requests) < 3:
                        await anyio.sleep(0.001)
                    await router.reload(settings(new, "y"))
                    assert (await router.complete(model="r", messages=hello)).text == "new"
                    assert answers == {}
                answers["begun"] = before + "".join([chunk.text or "" async for chunk in begun])
            made_before_and_entered_now = router.stream(model="r", messages=hello)
            async with made_before_and_entered_now as stream_of_new:
                assert [chunk.text async for chunk in stream_of_new if chunk.text] == ["new"]

    assert answers == dict.fromkeys(("complete", "stream", "begun"), "one two three four")
    assert (len(old.requests), len(new.requests)) == (3, 2)


async def test_calls_never_see_half_of_a_reload(hello: Conversation) -> None:
    """Each of the two settings has a route that the other has not, and a provider at another place."""
    seen: list[str] = []
    async with (
        Simulator({"x": [Reply(text="old")]}) as old,
        Simulator({"y": [Reply(text="new")]}) as new,
        Router(settings(old, "x"), env={}) as router,
    ):

        async def calling() -> None:
            while len(seen) < 100:
                seen.append((await router.complete(model="r", messages=hello)).text or "")

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(calling)
            for number in range(10):
                await anyio.sleep(0.005)
                await router.reload(settings(new, "y") if number % 2 == 0 else settings(old, "x"))

        assert {request.model for request in old.requests} == {"x"}
        assert {request.model for request in new.requests} == {"y"}
    assert set(seen) == {"old", "new"}


async def test_nothing_is_left_of_calls_that_saw_reloads(hello: Conversation) -> None:
    """Calls and streams, some of them cancelled, while the settings change beneath them all the time."""
    ended: list[str] = []

    def pooled(*keys: str, **more: Any) -> dict[str, Any]:
        said = settings(simulator, "x", breaker=True, limits={"concurrency": 4}, api_keys=keys, **more)
        pool = {"pool": ["a/x", "a/y", "a/z"], "strategy": "least_busy"}
        return {**said, "routes": {"r": {"chain": [pool]}}}

    async with KeyedSimulator({"one": [Reply(text="a b c", drip_delay=0.002)], "two": ()}) as simulator:
        async with Router(pooled("one", "two", "bad"), env={}) as router:
            boards = [router._snapshot.board]

            async def calling(number: int) -> None:
                with anyio.move_on_after(0.02 if number % 5 == 0 else 5) as scope:
                    if number % 2:
                        await router.complete(model="r", messages=hello)
                    else:
                        async with router.stream(model="r", messages=hello) as stream:
                            async for _ in stream:
                                pass
                ended.append("cancelled" if scope.cancelled_caught else "fine")

            async with anyio.create_task_group() as group:
                for number in range(80):
                    group.start_soon(calling, number)
                for number in range(8):
                    await anyio.sleep(0.01)
                    header = {"headers": {"x-number": str(number // 2)}}
                    await router.reload(pooled("two", *(["one"] if number % 2 else ["bad"]), **header))
                    boards.append(router._snapshot.board)

            assert len(ended) == 80
            assert ended.count("fine") >= 64
            assert router._doors.inside == 0
            parts = [part for board in boards for _, part in board._parts.values()]
            standings: list[Any] = [part for part in parts if hasattr(part, "in_flight")]
            assert {standing.in_flight.count for standing in standings} == {0}
            trials = [part.trying for part in parts if hasattr(part, "trying")]
            assert trials
            assert not any(trials)
            assert len({id(standing.turns) for standing in standings}) == 5
            assert {(one.turns.taken, one.turns.waiting) for one in standings} == {(0, 0)}


async def test_the_file_is_read_again_and_the_environment_too(hello: Conversation, tmp_path: Path) -> None:
    file = tmp_path / "turnout.yaml"
    env = {"HOUSE_KEY": "first"}
    async with KeyedSimulator({"first": (), "second": ()}) as simulator:
        said = settings(simulator, "x", api_key="${HOUSE_KEY}")
        file.write_text(yaml.safe_dump(said))
        async with Router.from_yaml(file, env=env) as router:
            await router.complete(model="r", messages=hello)
            env["HOUSE_KEY"] = "second"
            file.write_text(yaml.safe_dump({**said, "routes": {"r": ["a/y"]}}))
            await router.reload()
            await router.complete(model="r", messages=hello)

    assert [
        (request.model, key) for request, key in zip(simulator.requests, simulator.used, strict=True)
    ] == [
        ("x", "first"),
        ("y", "second"),
    ]


@pytest.mark.parametrize(
    "mistake",
    [
        "routes: {r: [a/x",
        "routes: {r: [b/x]}",
        "providers: {a: {preset: openai, limits: {requests_per_minute: 7}}}\nroutes: {r: [a/x]}",
        "providers: {a: {preset: openai, quirks: {nonsense: 1}, api_key: k}}\nroutes: {r: [a/x]}",
        None,
    ],
    ids=["no YAML", "an unknown provider", "a key that is missing", "an unknown quirk", "no file"],
)
async def test_a_mistake_leaves_everything_as_it_was(
    hello: Conversation, tmp_path: Path, mistake: str | None
) -> None:
    file = tmp_path / "turnout.yaml"
    async with Simulator() as simulator:
        said = settings(simulator, "x", breaker=BREAKER, limits={"concurrency": 3})
        file.write_text(yaml.safe_dump(said))
        async with Router.from_yaml(file, env={}) as router:
            await router.complete(model="r", messages=hello)
            snapshot, parts, before = router._snapshot, parts_of(router), router.settings
            if mistake is None:
                file.unlink()
            else:
                file.write_text(mistake)
            with pytest.raises(ConfigError) as caught:
                await router.reload()
            assert caught.value.problems
            assert router._snapshot is snapshot
            assert router.settings is before
            assert parts_of(router) == parts
            assert (await router.complete(model="r", messages=hello)).text == "Hello"
            # what is planned only now shares its turns with what was planned before
            assert standing_of(router, "a/z").turns is standing_of(router, "r").turns


async def test_state_is_kept_where_the_provider_stays_as_it_was(hello: Conversation) -> None:
    async with Simulator({"x": [Reply(status=500)]}) as simulator:
        said = settings(simulator, "x", "y", breaker=BREAKER, limits={"concurrency": 3})
        async with Router(said, env={}, clock=ManualClock()) as router:
            await router.complete(model="r", messages=hello)
            known: Any = standing_of(router, "r")
            assert known.waits(0.0) == 10

            other = {"dialect": "openai", "base_url": simulator.url}
            more = {**said, "providers": {**said["providers"], "b": other}, "routes": {"q": ["b/z", "a/x"]}}
            await router.reload({**more, "defaults": {"deadline": "30s"}})
            kept: object = router._snapshot.planner.plan("q").targets[1].standing
            assert id(kept) == id(known)

            changed = {
                **said,
                "providers": {"a": {**said["providers"]["a"], "headers": {"x-team": "search"}}},
            }
            await router.reload(changed)
            fresh: Any = standing_of(router, "r")
            assert id(fresh) != id(known)
            assert fresh.breaker is not known.breaker
            assert fresh.turns is not known.turns
            assert fresh.waits(0.0) == 0


async def test_nothing_is_kept_of_a_provider_that_is_gone() -> None:
    async with Simulator() as simulator:
        said = settings(simulator, "x", breaker=True)
        router = Router(said, env={})
        await router.reload({"providers": {"b": said["providers"]["a"]}, "routes": {"r": ["b/x"]}})
        assert {name[1] for name in parts_of(router)} == {"b"}


async def test_a_key_that_is_added_or_taken_out_leaves_the_others_as_they_are(hello: Conversation) -> None:
    def keys(*given: str) -> dict[str, Any]:
        return settings(simulator, "x", breaker=BREAKER, api_keys=given)

    async with KeyedSimulator({"second": (), "third": ()}) as simulator:
        async with Router(keys("first", "second"), env={}) as router:
            await router.complete(model="r", messages=hello)
            known = standing_of(router, "r")
            await router.reload(keys("first", "second", "third"))
            for _ in range(4):
                await router.complete(model="r", messages=hello)
            assert "first" not in simulator.used[1:]
            assert standing_of(router, "r").breaker is known.breaker
            assert standing_of(router, "r").in_flight is known.in_flight

            await router.reload(keys("third"))
            await router.complete(model="r", messages=hello)
            assert standing_of(router, "r").keys is None
            assert simulator.used[-1] == "third"

            simulator.give("first")
            await router.reload(settings(simulator, "x", api_keys=["first", "third"]))
            for _ in range(2):
                await router.complete(model="r", messages=hello)

    # a provider without the breaker is set up otherwise in all but its keys, and so begins afresh
    assert sorted(simulator.used[-2:]) == ["first", "third"]


async def test_a_later_reload_stays_where_an_earlier_one_takes_longer(hello: Conversation) -> None:
    async with Simulator() as simulator, Router(settings(simulator, "x"), env={}) as router:
        may_go_on = threading.Event()

        def slowly() -> Settings:
            may_go_on.wait(5)
            return Settings.model_validate(settings(simulator, "slow"))

        router._reader = slowly
        async with anyio.create_task_group() as group:
            group.start_soon(router.reload)
            await anyio.sleep(0.02)
            await router.reload(settings(simulator, "quick"))
            may_go_on.set()
        await router.complete(model="r", messages=hello)

    assert [request.model for request in simulator.requests] == ["quick"]


async def test_without_a_file_the_settings_must_be_given() -> None:
    async with Simulator() as simulator, Router(settings(simulator, "x"), env={}) as router:
        with pytest.raises(ConfigError, match="reload needs the settings"):
            await router.reload()


async def test_tokens_are_kept_where_their_function_is_the_same(hello: Conversation) -> None:
    asked: list[str] = []

    def token() -> tuple[str, float]:
        asked.append("once")
        return "a-token", 3600.0

    async with Simulator() as simulator:
        said = settings(simulator, "x")
        async with Router(said, env={}, tokens={"a": token}) as router:
            await router.complete(model="r", messages=hello)
            await router.reload(settings(simulator, "y"))
            await router.complete(model="r", messages=hello)
            assert asked == ["once"]
            # a function whose provider is gone is no mistake
            await router.reload({"providers": {"b": said["providers"]["a"]}, "routes": {"r": ["b/x"]}})
            await router.complete(model="r", messages=hello)

    assert [request.headers.get("authorization") for request in simulator.requests] == [
        "Bearer a-token",
        "Bearer a-token",
        None,
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_sync_router_reloads_too(hello: Conversation, tmp_path: Path, backend: str) -> None:
    file = tmp_path / "turnout.yaml"
    with Simulator().serving() as simulator:
        file.write_text(yaml.safe_dump(settings(simulator, "x")))
        with Router.from_yaml(file, env={}).sync(backend=backend) as router:
            router.complete(model="r", messages=hello)
            file.write_text(yaml.safe_dump(settings(simulator, "y")))
            router.reload()
            router.complete(model="r", messages=hello)
            router.reload(settings(simulator, "z"))
            router.complete(model="r", messages=hello)
            assert router.settings.routes["r"].chain[0].target == "a/z"  # type: ignore[union-attr]
            file.write_text("routes: nothing")
            with pytest.raises(ConfigError, match=r"turnout.yaml:1"):
                router.reload()
        assert [request.model for request in simulator.requests] == ["x", "y", "z"]


async def test_a_router_that_is_closed_may_reload_and_open_again(hello: Conversation) -> None:
    async with Simulator() as simulator:
        router = Router(settings(simulator, "x"), env={})
        async with router:
            pass
        await router.reload(settings(simulator, "y"))
        with pytest.raises(RouterClosedError):
            await router.complete(model="r", messages=hello)
        async with router:
            await router.complete(model="r", messages=hello)
        assert [request.model for request in simulator.requests] == ["y"]

"""Short-lived tokens: asked for when they are needed, once, and again before they end."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from turnout import (
    AuthenticationError,
    ConfigError,
    DeadlineExceededError,
    ManualClock,
    Router,
)
from turnout.config.settings import Settings
from turnout.providers.auth import auth_headers
from turnout.providers.catalogue import catalogue
from turnout.providers.dialect import Target
from turnout.testing import Reply, Simulator
from turnout.tokens import Tokens
from turnout.wire import within

pytestmark = pytest.mark.anyio

HELLO = [{"role": "user", "content": "Hello"}]
HOUR = 3600.0


class Office:
    """Gives away tokens that are numbered, and counts how often it is asked."""

    def __init__(self, *lasts: Any) -> None:
        self.asked = 0
        self.threads: list[bool] = []
        self._lasts = lasts

    @property
    def current(self) -> str:
        return f"token-{self.asked}"

    def __call__(self) -> Any:
        self.asked += 1
        self.threads.append(threading.current_thread() is threading.main_thread())
        return (self.current, *self._lasts) if self._lasts else self.current

    async def later(self) -> Any:
        await anyio.sleep(0.01)
        return self()


def routing(simulator: Simulator, function: Any, clock: ManualClock | None = None, **provider: Any) -> Router:
    settings: dict[str, Any] = {
        "providers": {
            "vertex": {"dialect": "openai", "base_url": simulator.url, **provider},
            "plain": {"dialect": "openai", "base_url": simulator.url, "api_key": "sk-plain"},
        },
        "routes": {"r": ["vertex/m", "plain/n"]},
        "defaults": {"retry": {"base": "1ms"}},
    }
    return Router(settings, env={}, clock=clock, tokens={"vertex": function})


def shown(simulator: Simulator) -> list[str]:
    """What each request brought for a key."""
    return [request.headers.get("authorization", "") for request in simulator.requests]


async def ask(router: Router, model: str = "vertex/m", **options: Any) -> str:
    return (await router.complete(model=model, messages=HELLO, **options)).text


async def test_a_token_travels_as_bearer_and_is_asked_for_once() -> None:
    office = Office(HOUR)
    async with Simulator() as simulator, routing(simulator, office) as router:
        assert office.asked == 0  # nobody has called yet
        for _ in range(3):
            await ask(router)
        await ask(router, "plain/m")
        async with router.stream(model="vertex/m", messages=HELLO) as stream:
            assert "".join([chunk.text async for chunk in stream]) == "Hello"
    assert shown(simulator) == ["Bearer token-1"] * 3 + ["Bearer sk-plain", "Bearer token-1"]
    assert office.asked == 1


@pytest.mark.parametrize("preset", ["azure", "gemini", "llama-cpp"])
async def test_it_travels_so_however_the_host_takes_its_keys(preset: str) -> None:
    async with Simulator() as simulator:
        provider = {"preset": preset, "base_url": simulator.url, "dialect": "openai"}
        router = Router({"providers": {"p": provider}}, env={}, tokens={"p": Office(HOUR)})
        async with router:
            await ask(router, "p/m")
    [request] = simulator.requests
    assert request.headers["authorization"] == "Bearer token-1"
    assert not {"api-key", "x-api-key", "x-goog-api-key"} & set(request.headers)


LIVES: dict[str, tuple[Any, float]] = {
    "an hour": ((HOUR,), HOUR - 60),
    "whole seconds": ((600,), 540),
    "short": ((100,), 90),
    "until a date": ((datetime(2026, 1, 1, 1, tzinfo=UTC),), HOUR - 60),
    "until a date elsewhere": ((datetime.fromisoformat("2026-01-01T02:00:00+01:00"),), HOUR - 60),
    "until a date without a zone": ((datetime(2026, 1, 1, 1),), HOUR - 60),  # as some libraries give it
    "nobody tells": ((), 60),
    "for ever": ((float("inf"),), 9e8),
}


@pytest.mark.parametrize("case", LIVES)
async def test_a_token_is_kept_until_shortly_before_its_end(case: str) -> None:
    lasts, kept = LIVES[case]
    office, clock = Office(*lasts), ManualClock()
    async with Simulator() as simulator, routing(simulator, office, clock) as router:
        await ask(router)
        clock.advance(kept - 0.001)
        await ask(router)
        assert office.asked == 1
        clock.advance(0.002)
        if case.startswith("until"):
            with pytest.raises(AuthenticationError):
                clock.advance(HOUR)
                await ask(router)
        elif case != "for ever":
            await ask(router)
    assert shown(simulator)[:2] == ["Bearer token-1"] * 2
    assert office.asked == (1 if case == "for ever" else 2)


def async_object(office: Office) -> Any:
    class Asked:
        async def __call__(self) -> Any:
            return await office.later()

    return Asked()


def awaitable(office: Office) -> Any:
    return lambda: office.later()


KINDS: dict[str, Callable[[Office], Any]] = {
    "sync": lambda office: office,
    "async": lambda office: office.later,
    "partial": lambda office: partial(office.later),
    "object": async_object,
    "awaitable": awaitable,
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_function_may_be_sync_or_async(kind: str) -> None:
    office = Office(HOUR)
    async with Simulator(api_key="token-1") as simulator, routing(simulator, KINDS[kind](office)) as router:
        assert await ask(router) == "Hello"
    assert office.threads == [kind != "sync"]  # only what may block has a thread of its own


async def test_a_token_may_be_wrapped_already() -> None:
    async with Simulator(api_key="abc") as simulator:
        async with routing(simulator, lambda: (SecretStr(" abc\n"), HOUR)) as router:
            await ask(router)
    assert shown(simulator) == ["Bearer abc"]


async def test_many_calls_at_once_ask_once() -> None:
    office = Office(HOUR)
    async with Simulator() as simulator, routing(simulator, office.later) as router:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask, router)
    assert office.asked == 1
    assert shown(simulator) == ["Bearer token-1"] * 20


async def test_a_token_that_the_provider_refuses_is_not_used_again() -> None:
    office = Office(HOUR)
    async with Simulator(api_key="token-1") as simulator, routing(simulator, office) as router:
        await ask(router)
        simulator._api_key = "token-2"  # the old one was taken back
        with pytest.raises(AuthenticationError) as caught:
            await ask(router)
        await ask(router)
        await ask(router)
    assert shown(simulator) == ["Bearer token-1"] * 2 + ["Bearer token-2"] * 2
    assert (caught.value.provider, caught.value.status) == ("vertex", 401)
    assert "token-1" not in str(caught.value)


async def test_only_a_refused_key_is_forgotten() -> None:
    office = Office(HOUR)
    busy = [Reply(status=403), Reply(status=429), Reply(text="Fine")]
    async with Simulator({"m": busy}) as simulator, routing(simulator, office) as router:
        await ask(router, "r")
        assert await ask(router) == "Fine"
    assert office.asked == 1


async def test_other_providers_are_left_alone() -> None:
    office = Office(HOUR)
    async with Simulator({"m": [Reply(status=401)]}) as simulator, routing(simulator, office) as router:
        with pytest.raises(AuthenticationError):
            await ask(router, "plain/m")
    assert office.asked == 0


async def test_a_target_on_its_hosts_other_wire_takes_it_as_bearer_too() -> None:
    settings = Settings.model_validate({"providers": {"p": {"preset": "azure"}}})
    row = catalogue()["azure"]
    assert row.auth == "api-key"
    target = Target(provider="p", model="m", preset=row, base_url="http://127.0.0.1:9")
    bearing = await Tokens(settings, {"p": Office(HOUR)}, ManualClock()).bearing(target, within(1))
    assert auth_headers(bearing) == {"authorization": "Bearer token-1"}


async def test_a_late_refusal_does_not_take_the_new_token_with_it() -> None:
    office = Office(HOUR)
    late = [Reply(status=401, latency=0.2), Reply(status=401), Reply(text="Fine")]
    async with Simulator({"m": late}) as simulator, routing(simulator, office) as router:

        async def fail() -> None:
            with pytest.raises(AuthenticationError):
                await ask(router)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)  # its refusal comes last
            with anyio.fail_after(2):
                while not simulator.requests:
                    await anyio.sleep(0.005)
            await fail()
            assert await ask(router) == "Fine"
        assert await ask(router) == "Fine"
    assert office.asked == 2


BROKEN: dict[str, tuple[Any, str]] = {
    "nothing": (lambda: None, "gave no token"),
    "empty": (lambda: "", "gave no token"),
    "bytes": (lambda: b"abc", "gave no token"),
    "three things": (lambda: ("abc", 1, 2), "gave no token"),
    "two words": (lambda: "s3cret s3cret", "with a space"),
    "no seconds": (lambda: ("s3cret", "soon"), "did not tell how long"),
    "true": (lambda: ("s3cret", True), "did not tell how long"),
    "not a number": (lambda: ("s3cret", float("nan")), "did not tell how long"),
    "ended": (lambda: ("s3cret", 0), "ended already"),
    "long ended": (lambda: ("s3cret", datetime.now(UTC) - timedelta(days=1)), "ended already"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_what_is_no_token_is_told(case: str) -> None:
    function, words = BROKEN[case]
    async with Simulator() as simulator, routing(simulator, function) as router:
        with pytest.raises(AuthenticationError, match=words) as caught:
            await ask(router)
    told = "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in told.replace('"s3cret', "")  # this file's own lines may be quoted
    assert simulator.requests == []


async def test_a_function_that_fails_is_named_and_its_words_are_cleaned() -> None:
    def login() -> str:
        raise RuntimeError("denied:\n  api_key=sk-live-0123456789abcdef0123 is not known. ")

    async with Simulator() as simulator, routing(simulator, login) as router:
        reply = await router.complete(model="r", messages=HELLO)
        with pytest.raises(AuthenticationError) as caught:
            await ask(router)

    failed, answered = reply.trace.attempts
    assert answered.target == "plain/n"
    assert failed.error is not None
    assert (failed.error.kind, failed.outcome, failed.cost.amount) == ("authentication", "failed", 0)
    assert (caught.value.provider, caught.value.model, caught.value.code) == ("vertex", "m", "no_token")
    assert "login failed: RuntimeError: denied:" in str(caught.value)
    assert "Check the function" in str(caught.value)
    assert "0123456789abcdef" not in "".join(traceback.format_exception(caught.value))


async def test_those_who_wait_share_the_failure_and_the_next_call_asks_anew() -> None:
    asked = 0

    async def fail() -> str:
        nonlocal asked
        asked += 1
        await anyio.sleep(0.05)
        if asked == 1:
            raise RuntimeError
        return "abc"

    failures: list[AuthenticationError] = []

    async def call(router: Router) -> None:
        with pytest.raises(AuthenticationError, match="RuntimeError") as caught:
            await ask(router)
        failures.append(caught.value)

    async with Simulator() as simulator, routing(simulator, fail) as router:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call, router)
        assert asked == 1
        assert len({id(failure) for failure in failures}) == 5
        assert await ask(router) == "Hello"


@pytest.mark.parametrize("blocking", [False, True])
async def test_whoever_gives_up_leaves_nothing_locked(blocking: bool) -> None:
    asked = 0
    release = threading.Event()

    def blocked() -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            release.wait(5)
        return f"token-{asked}"

    async def slow() -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            await anyio.sleep_forever()
        return f"token-{asked}"

    answers: list[str] = []

    async def wait(router: Router) -> None:
        answers.append(await ask(router))

    async with Simulator(api_key="token-2") as simulator:
        async with routing(simulator, blocked if blocking else slow) as router:
            with anyio.fail_after(3):
                async with anyio.create_task_group() as waiting:
                    with anyio.move_on_after(0.1):
                        async with anyio.create_task_group() as tasks:
                            tasks.start_soon(ask, router)  # asks
                            await anyio.sleep(0.02)
                            tasks.start_soon(ask, router)  # waits, and gives up too
                            waiting.start_soon(wait, router)  # waits, and asks anew
    release.set()
    assert (answers, asked) == (["Hello"], 2)
    assert shown(simulator) == ["Bearer token-2"]


async def test_a_function_that_never_answers_is_bounded_by_the_attempts_limits() -> None:
    async with Simulator() as simulator:
        async with routing(simulator, anyio.sleep_forever, timeouts={"first_token": "50ms"}) as router:
            reply = await router.complete(model="r", messages=HELLO)
            with pytest.raises(DeadlineExceededError):
                await router.complete(model="vertex/m", messages=HELLO, deadline=0.02)
            with pytest.raises(AuthenticationError, match="no token within"):
                await router.models("vertex")
    assert reply.provider == "plain"
    assert reply.trace.attempts[0].error is not None
    assert "gave no token within the attempt's time limits" in reply.trace.attempts[0].error.message


async def test_lists_of_models_are_asked_for_with_it_too() -> None:
    office = Office(HOUR)
    async with Simulator({"m": [Reply()]}, api_key="token-2") as simulator:
        async with routing(simulator, office) as router:
            with pytest.raises(AuthenticationError):
                await router.models("vertex")
            assert [model.id for model in (await router.models("vertex")).data] == ["m"]
    assert shown(simulator) == ["Bearer token-1", "Bearer token-2"]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of the user's own."""
    (tmp_path / "house_tokens.py").write_text(
        "def vertex():\n    return 'from-file', 600\n\n\n"
        "class Azure:\n    @staticmethod\n    async def token():\n        return 'from-class'\n\n\n"
        "number = 7\n"
    )
    (tmp_path / "house_broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("house_tokens", "house_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return "house_tokens"


@pytest.mark.parametrize(("path", "key"), [("vertex", "from-file"), ("Azure.token", "from-class")])
async def test_settings_may_name_the_function(module: str, path: str, key: str) -> None:
    async with Simulator(api_key=key) as simulator:
        provider = {"preset": "openai", "base_url": simulator.url, "token_from": f"{module}:{path}"}
        async with Router({"providers": {"p": provider}, "routes": {"r": ["p/m"]}}, env={}) as router:
            assert await ask(router, "r") == "Hello"
            assert router.explain(model="r", messages=HELLO).steps[0].payload["model"] == "m"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("house_nowhere:vertex", "No module named 'house_nowhere'; is the folder of house_nowhere"),
        ("house_tokens:azure", "the module house_tokens has no azure"),
        ("house_tokens:Azure.key", "has no Azure.key"),
        ("house_tokens:number", "is no function"),
        ("house_broken:vertex", "failed with ZeroDivisionError"),
    ],
)
def test_a_function_that_is_not_there_is_told_when_the_router_is_made(
    module: str, path: str, words: str
) -> None:
    provider = {"preset": "openai", "token_from": path}
    with pytest.raises(ConfigError, match=f"provider p: token_from: {path}") as caught:
        Router({"providers": {"p": provider}}, env={})
    assert words in str(caught.value)


def test_tokens_are_for_providers_that_there_are() -> None:
    settings = {"providers": {"vertex": {"preset": "openai"}}}
    with pytest.raises(ConfigError, match="no provider 'vertx'; did you mean 'vertex'"):
        Router(settings, env={}, tokens={"vertx": Office()})
    given: Any = {"vertex": "abc"}
    with pytest.raises(ConfigError, match="give a function for the provider 'vertex'"):
        Router(settings, env={}, tokens=given)


def test_one_router_serves_one_loop_after_another() -> None:
    office, clock = Office(HOUR), ManualClock()

    async def once(router: Router, simulator: Simulator) -> None:
        async with router:
            await ask(router)

    with Simulator().serving() as simulator:
        router = routing(simulator, office.later, clock)
        for backend in ("asyncio", "trio", "asyncio"):
            anyio.run(once, router, simulator, backend=backend)
            clock.advance(HOUR)
    assert office.asked == 3


def test_a_router_without_tokens_knows_nothing_of_them() -> None:
    router = Router({"providers": {"p": {"dialect": "openai", "base_url": "http://127.0.0.1:9"}}}, env={})
    assert router._snapshot.wire._tokens is None

"""A drill: the chains of real settings, called while their providers misbehave, on loopback and without keys.

Every provider is replaced by a simulator of its own that speaks the provider's wire; everything else is the
user's: routes, timeouts, retries, breakers, limits, prices. What comes of it is what their callers would see.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal
from urllib.parse import urlsplit

import anyio
from pydantic import SecretStr

from turnout.config.errors import ConfigError, TurnoutError
from turnout.config.settings import ProviderSettings, Settings
from turnout.providers.targets import resolve

from ..accounting import Attempt
from ..core import Router
from ..errors import CallError
from .script import Reply, Script
from .server import Simulator

Trouble = Literal["down", "slow", "flaky", "limited", "refusing", "cutting"]
"""`down`: nobody listens. `slow`: every answer is late. `flaky`: some requests fail. `limited`: every request
meets a rate limit. `refusing`: the key is not accepted. `cutting`: answers break off after their first words.
"""
AMOUNTS: Mapping[Trouble, float] = {"slow": 5.0, "flaky": 0.3, "limited": 5.0}
"""What is meant where no amount is given: seconds, a share of the requests, seconds to wait."""

_ANSWER = "The signal is green and the line is clear; the train may pass the junction at full speed."
_ROUND = 100  # replies of a script before they begin again
_LATENCY = 0.05  # seconds that a healthy provider takes
_BREAKS = ("hang up", "500", "503", "cut")
_NO_KEYS = {
    "AWS_ACCESS_KEY_ID": "drill", "AWS_SECRET_ACCESS_KEY": "drill", "AWS_REGION": "eu-central-1"
}  # fmt: skip
_PROMPT = [{"role": "user", "content": "May the train pass the junction?"}]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a provider in a drill."""

    provider: str
    """The configured name."""
    trouble: Trouble
    amount: float = 0.0
    """Seconds for `slow` and `limited`, a share from 0 to 1 for `flaky`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call of a drill, as its caller saw it."""

    route: str
    began: float
    """Seconds since the drill began."""
    seconds: float
    """Until the whole answer was there, or the error."""
    first: float | None
    """Seconds until the first words of a stream."""
    error: str | None
    """The class of the error; None: answered."""
    target: str | None
    """`provider/model` that answered."""
    cost: Decimal | None
    """US dollars of all its attempts, as far as they are known."""
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a drill."""

    outcomes: tuple[Outcome, ...]
    """All calls, in the order in which they ended."""
    seconds: float
    """How long it took."""

    def of_route(self, route: str) -> list[Outcome]:
        """The calls to one route."""
        return [outcome for outcome in self.outcomes if outcome.route == route]


async def drill(
    settings: Settings,
    faults: Sequence[Fault],
    *,
    routes: Sequence[str] = (),
    calls: int = 60,
    at_once: int = 10,
    streaming: bool = False,
    seed: int = 0,
) -> Report:
    """Call every route (or those named) `calls` times, `at_once` at a time, with these faults.

    ConfigError where a fault or a route names something that the settings do not have.
    """
    named = list(routes) or list(settings.routes)
    _check(settings, faults, named)
    async with AsyncExitStack() as stack:
        providers = {}
        for name, provider in settings.providers.items():
            troubles = [fault for fault in faults if fault.provider == name]
            scripts = _scripts(settings, name, troubles, Random(f"{seed}{name}"))
            providers[name] = await _replaced(stack, name, provider, scripts, troubles)
        # what a simulator says is made up, and nothing for functions of the user's own to judge
        asked = {name: route.model_copy(update={"reject": ()}) for name, route in settings.routes.items()}
        rigged = settings.model_copy(update={"providers": providers, "routes": asked})
        router = await stack.enter_async_context(Router(rigged, env=_NO_KEYS, seed=seed))
        work = [route for _ in range(calls) for route in named]
        begun = time.monotonic()
        outcomes: list[Outcome] = []

        async def caller() -> None:
            while work:
                outcomes.append(await _call(router, work.pop(), begun, streaming))

        async with anyio.create_task_group() as tasks:
            for _ in range(at_once):
                tasks.start_soon(caller)
        return Report(tuple(outcomes), time.monotonic() - begun)


def _check(settings: Settings, faults: Sequence[Fault], routes: Sequence[str]) -> None:
    for fault in faults:
        if fault.provider not in settings.providers:
            raise ConfigError(
                f"no provider is called {fault.provider!r}; name one of {', '.join(settings.providers)}"
            )
    for route in routes:
        if route not in settings.routes:
            raise ConfigError(f"no route is called {route!r}; name one of {', '.join(settings.routes)}")
    if not routes:
        raise ConfigError("there is no route to call; add one under routes")


def _scripts(settings: Settings, provider: str, faults: list[Fault], random: Random) -> dict[str, Script]:
    """What each of a provider's models answers that the routes name."""
    named = _targets([route.model_dump(mode="json") for route in settings.routes.values()])
    models = sorted({name.partition("/")[2] for name in named if name.partition("/")[0] == provider})
    return {
        model: Script(replies=[_reply(faults, random) for _ in range(_ROUND)], then="first")
        for model in models
    }


def _targets(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        target = value.get("target")
        if isinstance(target, str):
            yield target
        for item in value.values():
            yield from _targets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _targets(item)


async def _replaced(
    stack: AsyncExitStack,
    name: str,
    provider: ProviderSettings,
    scripts: Mapping[str, Script],
    faults: list[Fault],
) -> ProviderSettings:
    """The provider's settings, aimed at a simulator that behaves as the faults say."""
    known = {"api_key": SecretStr("drill"), "token_from": None}
    bare = provider.model_copy(update=known)
    if any(fault.trouble == "down" for fault in faults):
        root = stack.enter_context(_nobody())
    else:
        key = "another" if any(fault.trouble == "refusing" for fault in faults) else None
        root = (await stack.enter_async_context(Simulator(scripts, api_key=key))).root
    return bare.model_copy(update={"base_url": root + _path(name, bare)})


def _path(name: str, provider: ProviderSettings) -> str:
    """Where the provider's API begins on its host."""
    try:
        target = resolve(name, provider, "any", env=_NO_KEYS)
    except ConfigError:  # an option of the address is missing, which matters to the real host only
        return "/v1"
    return urlsplit(target.base_url).path


def _reply(faults: list[Fault], random: Random) -> Reply:
    """One answer; the first fault that strikes decides, and slowness comes on top."""
    latency = _LATENCY + sum(fault.amount for fault in faults if fault.trouble == "slow")
    for fault in faults:
        if fault.trouble == "limited":
            wait = {"retry-after": f"{fault.amount:g}"}
            return Reply(status=429, headers=wait, latency=latency)
        if fault.trouble == "cutting":
            return Reply(text=_ANSWER, cut_after_events=3, latency=latency)
        if fault.trouble == "flaky" and random.random() < fault.amount:
            return _broken(random.choice(_BREAKS), latency)
    return Reply(text=_ANSWER, latency=latency, drip_delay=0.002)


def _broken(how: str, latency: float) -> Reply:
    if how == "hang up":
        return Reply(hang_up=True, latency=latency)
    if how == "cut":
        return Reply(text=_ANSWER, cut_after_events=1, latency=latency)
    return Reply(status=int(how), latency=latency)


@contextmanager
def _nobody() -> Iterator[str]:
    """An address on which connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def _call(router: Router, route: str, begun: float, streaming: bool) -> Outcome:
    start = time.monotonic()
    first: float | None = None
    error: str | None = None
    target: str | None = None
    cost: Decimal | None = None
    attempts: tuple[Attempt, ...] = ()
    try:
        if streaming:
            async with router.stream(model=route, messages=_PROMPT) as stream:
                first = time.monotonic() - start
                attempts = stream.trace.attempts
                async for _ in stream:
                    pass
            response = stream.response
        else:
            response = await router.complete(model=route, messages=_PROMPT)
        attempts, cost = response.trace.attempts, response.trace.cost.amount
        target = next(attempt.target for attempt in reversed(attempts) if attempt.outcome == "ok")
    except TurnoutError as failure:
        error = getattr(failure, "kind", None) or type(failure).__name__
        told = failure.attempts if isinstance(failure, CallError) else getattr(failure, "attempts", ())
        attempts = tuple(told) or attempts
        known = [one.cost.amount for one in attempts if one.cost.amount is not None]
        cost = sum(known, Decimal(0)) if known else None
    return Outcome(route, start - begun, time.monotonic() - start, first, error, target, cost, attempts)

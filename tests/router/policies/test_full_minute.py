"""600 requests and 60,000 tokens a minute, used up and not overshot, on a clock that takes no time.

The simulator's own count lets requests in and refuses them; only the network between is left out, in whose
place every request and every answer is some tenths of a second on its way. The network is there in
`tests/benchmarks/test_allowance.py`, and in `make bench-allowance`, for a real minute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from types import TracebackType
from typing import Any, Self

import anyio
import pytest
from virtual_time import VirtualClock, run_virtually

from benchmarks.allowance import CALLERS, REQUESTS, TOKENS, Case, Load, cases
from turnout import Router
from turnout.testing import Allowance, Reply
from turnout.testing.allowance import Till, tokens_of
from turnout.testing.answers import answer, json_answer
from turnout.testing.quirks import quirks

CASES = [case for case in cases() if case.scarce == ("tokens" if case.refill == "continuous" else "both")]


class Provider:
    """A transport to a provider that is far away and keeps an allowance."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.random = Random(1)
        self.row = quirks("openai")

    def send(self, request: Any, **_: Any) -> Exchange:
        """One request."""
        return Exchange(self, json.loads(request.body))

    def prepare(self) -> None:
        """There is nothing to do."""

    async def aclose(self) -> None:
        """There is nothing to do."""


class Exchange:
    """A request on its way, and its answer."""

    def __init__(self, provider: Provider, body: dict[str, Any]) -> None:
        self._provider = provider
        self._body = body
        self._pieces: list[bytes] = []
        self.status = 200
        self.headers: Mapping[str, str] = {}

    async def __aenter__(self) -> Self:
        provider, body = self._provider, self._body
        await anyio.sleep(provider.random.uniform(0.01, 0.3))
        reply, row = Reply(text=body["messages"][-1]["content"]), provider.row
        verdict = provider.till.judge({}, tokens_of(body, reply, row), anyio.current_time())
        await anyio.sleep(provider.random.uniform(0.01, 0.3))
        told = json_answer(429, {}) if verdict.refused else answer(body, reply, row, 1)
        self.status = told.status
        self.headers = {"content-type": told.content_type, **verdict.headers}
        self._pieces = [*told.parts][::-1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pieces.clear()

    async def read(self) -> bytes:
        """The next piece."""
        if len(self._pieces) % 16 == 0:
            await anyio.sleep(0.1)
        return self._pieces.pop() if self._pieces else b""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.refill}-{case.told}-{case.scarce}")
def test_a_minute_is_used_and_not_overshot(backend: str, case: Case) -> None:
    till = Till(Allowance(REQUESTS, TOKENS, refill=case.refill))
    limits = {"requests_per_minute": REQUESTS, "tokens_per_minute": TOKENS} if case.told else {}

    async def program() -> dict[str, float]:
        provider = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "limits": limits}
        settings = {"providers": {"a": provider}, "defaults": {"deadline": 1000}}
        transport: Any = Provider(till)
        async with Router(settings, env={}, clock=VirtualClock(), transport=transport) as router:
            load = Load(router, case, Random(1))
            with anyio.move_on_after(60):
                async with anyio.create_task_group() as tasks:
                    for caller in range(CALLERS):
                        tasks.start_soon(load.ask, bool(caller % 2), 1.0)
        if case.told:
            return {"requests": till.total("requests") / REQUESTS, "tokens": till.total("tokens") / TOKENS}
        now = anyio.current_time()
        return {"requests": till.used("requests", now), "tokens": till.used("tokens", now)}

    used = run_virtually(program, backend)

    assert till.refused == 0
    assert max(used.values()) >= 0.95, used
    assert max(used.values()) <= 1

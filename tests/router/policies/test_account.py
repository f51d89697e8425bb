"""One line in the ledger for each attempt, whatever becomes of it, with what is known of its cost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest

from turnout import ProviderError, Router
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


@pytest.mark.parametrize(
    ("reply", "amount", "basis"),
    [
        (Reply(usage=USAGE), Decimal("0.0012"), "priced"),
        (Reply(usage="missing"), None, "unknown"),
        (Reply(status=429), Decimal(0), "priced"),
        (Reply(status=400, error={"message": "No.", "code": "content_filter"}), None, "unknown"),
        (Reply(status=500), None, "unknown"),
        (Reply(hang_up=True), None, "unknown"),
        (Reply(body=b"no json"), None, "unknown"),
    ],
    ids=["counted", "not counted", "refused", "filtered", "failed", "hung up", "malformed"],
)
async def test_a_cost_is_known_or_unknown_and_never_guessed_to_be_nothing(
    make_router: MakeRouter, hello: Conversation, reply: Reply, amount: Decimal | None, basis: str
) -> None:
    once = {"retry": {"attempts": 1}}
    async with Simulator({"m": [reply]}) as simulator:
        async with make_router(simulator, {"r": ["a/m"]}, defaults=once) as router:
            try:
                await router.complete(model="r", messages=hello)
            except ProviderError as error:
                assert len(error.attempts) == 1

    [attempt] = router.ledger
    assert (attempt.cost.amount, attempt.cost.basis) == (amount, basis)
    assert router.ledger.total.unknown_cost_attempts == (amount is None)


async def test_a_local_server_costs_nothing(hello: Conversation) -> None:
    async with Simulator({"m": [Reply(usage="missing")]}) as simulator:
        settings = {"providers": {"local": {"preset": "llama-cpp", "base_url": simulator.url}}}
        async with Router(settings, env={}) as router:
            reply = await router.complete(model="local/m", messages=hello)

    assert reply.cost is not None
    assert (reply.cost.amount, reply.cost.price) == (0, "local = 0")


async def test_the_hosts_own_figure_wins(hello: Conversation) -> None:
    usage = {**USAGE, "cost": 0.0345}
    async with Simulator({"m": [Reply(usage=usage)]}) as simulator:
        provider = {"preset": "openrouter", "base_url": simulator.url, "api_key": "sk-0123456789"}
        prices = {"open/*": {"input": 1, "output": 1}}
        async with Router({"providers": {"open": provider}, "prices": prices}, env={}) as router:
            reply = await router.complete(model="open/m", messages=hello)

    assert reply.cost is not None
    assert (reply.cost.amount, reply.cost.basis) == (Decimal("0.0345"), "reported")


async def test_attempts_are_numbered_within_their_call(make_router: MakeRouter, hello: Conversation) -> None:
    async with Simulator({"x": [Reply(status=500)]}) as simulator:
        async with make_router(simulator, {"r": ["a/x", "b/y"]}) as router:
            for _ in range(2):
                await router.complete(model="r", messages=hello)

    assert [attempt.number for attempt in router.ledger] == [1, 2, 3, 1, 2, 3]
    assert len({attempt.call_id for attempt in router.ledger}) == 2
    assert router.ledger.total.calls == 2


async def test_calls_at_the_same_time_keep_their_own_lines(make_router: MakeRouter) -> None:
    async def one(router: Router, job: str) -> None:
        await router.complete(model="r", messages=[{"role": "user", "content": job}], tags={"job": job})

    async with Simulator() as simulator, make_router(simulator, {"r": ["a/m"]}) as router:
        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(one, router, str(number))

    assert {row.group["tag:job"]: row.calls for row in router.ledger.summary(by=["tag:job"])} == {
        str(number): 1 for number in range(10)
    }

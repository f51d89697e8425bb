"""A target whose window cannot hold a prompt is passed by, as soon as its answers have told how it counts."""

from __future__ import annotations

from typing import Any

import pytest

from turnout import ContextWindowError, Router
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

WINDOW = 4000


def settings(simulator: Simulator, **route: Any) -> dict[str, Any]:
    provider = {"dialect": "openai", "base_url": simulator.url, "api_key": "sk-test-0123456789abcdef"}
    small = {**provider, "models": {"*": {"context_window": WINDOW}}}
    return {
        "providers": {"small": small, "large": provider},
        "routes": {"r": {"chain": ["small/m"], "context_window": ["large/m"], **route}},
    }


def counted(words: int) -> Reply:
    """The answer of a model whose tokenizer makes more of a short word than the half token we estimate."""
    prompt = round(1.8 * words)
    usage = {"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1}
    return Reply(text="Yes", usage=usage)


COUNTS = counted(1000)


def words(count: int) -> list[dict[str, str]]:
    """A prompt of so many short words."""
    return [{"role": "user", "content": "a " * count}]


async def test_a_prompt_that_cannot_fit_goes_where_it_can() -> None:
    script = [counted(3000), *[COUNTS] * 8, counted(1500), counted(3000)]
    async with Simulator({"m": script}) as simulator:
        async with Router(settings(simulator), env={}) as router:
            unknown = await router.complete(model="r", messages=words(3000))
            assert [one.target for one in unknown.trace.attempts] == ["small/m"]  # sent; nobody knows better

            for _ in range(8):
                await router.complete(model="r", messages=words(1000))

            fits = await router.complete(model="r", messages=words(1500))
            assert [one.outcome for one in fits.trace.attempts] == ["ok"]
            longer = await router.complete(model="r", messages=words(3000))
            assert [(one.target, one.outcome) for one in longer.trace.attempts] == [
                ("small/m", "skipped"),
                ("large/m", "ok"),
            ]
            assert "about " in str(longer.trace.attempts[0].error)
            cut = await router.complete(model="r", messages=words(3000), truncation="auto")
            assert [one.target for one in cut.trace.attempts] == ["small/m"]


async def test_where_nothing_is_larger_the_error_says_why() -> None:
    async with Simulator({"m": [COUNTS]}) as simulator:
        async with Router(settings(simulator, context_window=[]), env={}) as router:
            for _ in range(8):
                await router.complete(model="r", messages=words(1000))
            asked = len(simulator.requests)
            with pytest.raises(ContextWindowError, match=r"about \d+ tokens .* window holds 4000"):
                await router.complete(model="r", messages=words(3000))
            assert len(simulator.requests) == asked


async def test_what_was_learned_is_used_for_estimates_of_cost() -> None:
    async with Simulator({"m": [COUNTS]}) as simulator:
        priced = {**settings(simulator), "prices": {"small/*": {"input": 1, "output": 0}}}
        async with Router(priced, env={}) as router:
            before = router.explain(model="r", messages=words(1000), max_tokens=1)
            for _ in range(8):
                await router.complete(model="r", messages=words(1000))
            after = router.explain(model="r", messages=words(1000), max_tokens=1)

    assert before.steps[0].cost is not None
    assert after.steps[0].cost is not None
    assert float(after.steps[0].cost / before.steps[0].cost) == pytest.approx(1800 / 504, rel=0.01)

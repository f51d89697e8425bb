"""What docs/limits.md shows does work, and what it says is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from turnout import Router
from turnout.config.loading import parse_settings
from turnout.config.settings import Settings
from turnout.health.limiter import Reservation
from turnout.health.listener import SCOUTS
from turnout.providers.catalogue import catalogue
from turnout.testing import Simulator

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text("utf-8")
KEYS = {"OPENAI_API_KEY": "sk-simulated", "GROQ_API_KEY": "sk-simulated"}
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
NUMBERS = {8: "eight"}


def settings() -> Settings:
    found: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    return parse_settings(found[0], env=KEYS, presets=catalogue().keys())


def test_each_target_has_the_limits_that_the_page_gives_it() -> None:
    plan = Router(settings(), env=KEYS)._snapshot.planner.plan("assistant")
    openai, groq, local = [planned.standing for planned in plan.targets]
    assert openai is not None
    assert groq is not None
    assert local is not None

    assert openai.limiter is not None
    assert openai.limiter.settings.requests_per_minute == 600
    assert openai.limiter.settings.tokens_per_minute == 60_000
    assert openai.turns is not None
    assert (openai.turns.places, openai.turns.max_wait) == (20, 5.0)
    assert groq.limiter is not None
    assert groq.limiter.settings.adaptive
    assert groq.turns is None
    assert local.turns is not None
    assert local.turns.places == 2
    assert f"{NUMBERS[SCOUTS]} attempts go ahead" in PAGE


@pytest.mark.anyio
async def test_a_call_that_finds_no_room_goes_on() -> None:
    given = settings()
    async with Simulator() as simulator:
        providers = {
            name: provider.model_copy(update={"base_url": simulator.url})
            for name, provider in given.providers.items()
        }
        router = Router(given.model_copy(update={"providers": providers}), env=KEYS)
        async with router:
            limits = router._snapshot.planner.plan("assistant").targets[0].standing
            assert limits is not None
            assert limits.limiter is not None
            now = router._clock.monotonic()
            all_of_it = Reservation(limits.limiter, 60_000)
            assert all_of_it.take_at_once(now) or not all_of_it.take(now)
            all_of_it.settle(now)
            with anyio.fail_after(3):
                reply = await router.complete(model="assistant", messages=HELLO)

    assert reply.provider == "groq"
    assert [(one.provider, one.outcome) for one in reply.trace.attempts] == [
        ("openai", "rejected"),
        ("groq", "ok"),
    ]

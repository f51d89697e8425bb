"""What docs/limits.md and docs/hedging.md show can be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from turnout import Router
from turnout.config.loading import parse_settings
from turnout.health.limiter import SCOUTS
from turnout.providers.catalogue import catalogue

DOCS = Path(__file__).parents[2] / "docs"
KEYS = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY"), "simulated")


def router(page: str) -> Router:
    (block,) = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    return Router(parse_settings(block, env=KEYS, presets=catalogue().keys()), env=KEYS)


@pytest.mark.parametrize("page", ["limits.md", "hedging.md"])
def test_the_settings_can_be_used(page: str) -> None:
    made = router(page)
    for route in made.settings.routes:
        assert made.explain(model=route, messages=[{"role": "user", "content": "Hello"}]).steps


def test_the_limits_of_the_page_are_kept_where_they_are_named() -> None:
    limits = {name: provider.limits for name, provider in router("limits.md").settings.providers.items()}
    openai, groq, local = limits["openai"], limits["groq"], limits["local"]
    assert openai is not None and groq is not None and local is not None  # noqa: PT018
    assert (openai.requests_per_minute, openai.tokens_per_minute, openai.max_wait) == (600, 60_000, 5)
    assert (groq.per, groq.adaptive, local.concurrency) == ("model", True, 2)


def test_scouts_are_as_many_as_the_page_says() -> None:
    words = {8: "eight"}
    assert f"{words[SCOUTS]} attempts go ahead" in (DOCS / "limits.md").read_text("utf-8")


def test_a_route_may_go_without_the_hedge_of_the_defaults() -> None:
    made = router("hedging.md")
    hedge = made.settings.routes["assistant"].hedge
    assert hedge is not None
    assert hedge.after == 0.8
    batch = made.settings.routes["batch"].hedge
    assert batch is not None
    assert not batch.enabled

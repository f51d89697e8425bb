"""What docs/fallback.md shows does work."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import turnout
from turnout import Router
from turnout.config.loading import parse_settings
from turnout.config.sections import FALLBACK_ON, RETRY_ON
from turnout.meaning import KINDS
from turnout.providers.catalogue import catalogue
from turnout.providers.errors import BY_KIND
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "fallback.md").read_text("utf-8")
KEYS = {"OPENAI_API_KEY": "simulated", "ANTHROPIC_API_KEY": "simulated"}
QUESTION = [{"role": "user", "content": "Where is Oslo?"}]


def blocks(language: str) -> list[str]:
    """The page's blocks of code."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as running:
        yield running


@pytest.fixture
def router(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Router:
    """The router of the page, with its providers on the simulator."""
    (tmp_path / "house_checks.py").write_text(blocks("python")[0])
    monkeypatch.syspath_prepend(tmp_path)
    settings = parse_settings(blocks("yaml")[0], env=KEYS, presets=catalogue().keys())
    providers = {
        name: provider.model_copy(
            update={"base_url": simulator.root if name == "anthropic" else simulator.url}
        )
        for name, provider in settings.providers.items()
    }
    return Router(settings.model_copy(update={"providers": providers}), env=KEYS, seed=1)


async def test_the_chain_of_the_page_goes_from_answer_to_answer(router: Router, simulator: Simulator) -> None:
    simulator.script("qwen3-8b", Reply(text="In Norway."))
    simulator.script("gpt-5-mini", Reply(text="", finish_reason="content_filter"))
    simulator.script("claude-sonnet-5", Reply(text="In Norway, says my source."))
    async with router:
        reply = await router.complete(model="extractor", messages=QUESTION)

    kinds = [attempt.error and attempt.error.kind for attempt in reply.trace.attempts]
    assert kinds == ["rejected", "content_policy", None]
    assert reply.text == "In Norway, says my source."
    assert reply.trace.attempts[0].error.message == (
        "house_checks:names_no_source rejects the answer: it names no source"
    )


async def test_the_last_answer_is_used(router: Router, simulator: Simulator) -> None:
    for model in ("qwen3-8b", "gpt-5-mini", "claude-haiku-4-5"):
        simulator.script(model, Reply(text=f"{model} has no idea."))
    names: dict[str, Any] = {}
    exec(blocks("python")[1], names)
    async with router:
        reply = await names["best_effort"](router, QUESTION)

    assert reply.text == "claude-haiku-4-5 has no idea."
    assert (reply.provider, len(reply.trace.attempts), reply.cost.basis) == ("anthropic", 3, "priced")


def test_every_kind_is_in_the_table_with_its_error() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \|$", PAGE, re.MULTILINE)
    assert {kind for kind, _ in rows} == KINDS
    for kind, error in rows:
        assert BY_KIND[kind] is getattr(turnout, error)


def test_only_empty_answers_count_unless_something_is_said() -> None:
    assert KINDS & {*FALLBACK_ON, *RETRY_ON} == {"empty"}

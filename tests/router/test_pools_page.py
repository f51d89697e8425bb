"""What docs/pools.md shows does work."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from turnout import Router
from turnout.config.loading import parse_settings
from turnout.config.settings import STRATEGIES
from turnout.foreseeing import UNSAID
from turnout.providers.catalogue import catalogue
from turnout.strategies import BUILT_IN, Candidate, Snapshot, replay

PAGE = (Path(__file__).parents[2] / "docs" / "pools.md").read_text("utf-8")
KEYS = dict.fromkeys(
    ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "DEEPSEEK_API_KEY"), "sk-simulated"
)
HELLO = [{"role": "user", "content": "Hello"}]


def block(language: str) -> str:
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found[0]


def targets(router: Router, route: str, **fields: Any) -> list[str]:
    explanation = router.explain(model=route, messages=HELLO, **fields)
    return [step.target for step in explanation.steps]


def test_the_settings_can_be_used() -> None:
    router = Router(parse_settings(block("yaml"), env=KEYS, presets=catalogue().keys()), env=KEYS)

    assert targets(router, "assistant") == [
        "openai/gpt-5-mini",
        "groq/openai/gpt-oss-120b",
        "local/qwen3-8b",
    ]
    assert targets(router, "chat") == ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5"]
    assert targets(router, "batch") == ["openai/gpt-5-mini", "deepseek/deepseek-chat", "local/qwen3-8b"]


def test_the_table_names_every_strategy() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(STRATEGIES)


def test_every_field_of_a_snapshot_is_named() -> None:
    told = PAGE.partition("A candidate has")[2].partition("A function that")[0]

    assert re.findall(r"`(\w+)`", told) == [*Candidate._fields, *Snapshot._fields[1:]]


def test_the_assumed_length_of_an_answer_is_the_one_that_is_told() -> None:
    assert f"or {UNSAID:,} tokens" in PAGE


def test_the_function_gives_an_order_and_can_be_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "house_pools.py").write_text(block("python"))
    monkeypatch.syspath_prepend(tmp_path)
    path = re.findall(r"`strategy: ([\w.:]+)`", PAGE)[0]
    settings = block("yaml").replace("strategy: weighted", f"strategy: {path}")
    router = Router(parse_settings(settings, env=KEYS, presets=catalogue().keys()), env=KEYS)
    [step, _] = router._snapshot.planner.plan("assistant").steps
    decide = step.strategy.decide  # type: ignore[union-attr]
    snapshot = Snapshot((Candidate("p/busy", in_flight=21), Candidate("p/idle")))

    assert (path, decide(snapshot, Random(1))) == (step.strategy.name, [1])  # type: ignore[union-attr]
    assert replay(decide, snapshot.told(), 1) == [1]
    assert path not in BUILT_IN

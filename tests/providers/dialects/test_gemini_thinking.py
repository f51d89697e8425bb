"""How each generation of models is told to think."""

from __future__ import annotations

from typing import Any

import pytest
from gemini_requests import NEW, OLD, Fields, sent

from turnout.providers.errors import UnsupportedError


def thinking(model: str, **fields: Any) -> tuple[Any, list[str]]:
    """What is said of thinking, and what had to change."""
    body, changes = sent(model, **fields)
    return body.get("generationConfig", {}).get("thinkingConfig"), changes


SHOWN: Fields = {"includeThoughts": True}
OFF: Fields = {"enable_thinking": False}
ON: Fields = {"enable_thinking": True}


def effort(word: str) -> Fields:
    return {"reasoning_effort": word}


def budget(tokens: int) -> Fields:
    return {"thinking_budget": tokens}


PRO, LITE, LEVELS, FIRST = (
    "gemini-2.5-pro",
    "gemini-2.5-flash-lite",
    "gemini-3-flash-preview",
    "gemini-3-pro-preview",
)


@pytest.mark.parametrize(
    ("model", "fields", "config", "changes"),
    [
        ("gemini-2.0-flash", {}, None, []),
        ("gemini-2.0-flash", OFF, None, []),
        ("gemini-2.0-flash", effort("low"), None, ["reasoning_effort dropped"]),
        ("gemma-3-27b-it", budget(9), None, ["thinking_budget dropped"]),
        (PRO, {}, SHOWN, []),
        (PRO, ON, {"thinkingBudget": -1, **SHOWN}, []),
        (PRO, effort("max"), {"thinkingBudget": 32768, **SHOWN}, ["reasoning_effort emulated"]),
        (OLD, OFF, {"thinkingBudget": 0}, []),
        (OLD, budget(2048), {"thinkingBudget": 2048, **SHOWN}, []),
        (OLD, budget(99999), {"thinkingBudget": 24576, **SHOWN}, ["thinking_budget clamped"]),
        (OLD, effort("medium"), {"thinkingBudget": 8192, **SHOWN}, ["reasoning_effort emulated"]),
        (OLD, effort("utmost"), {"thinkingBudget": -1, **SHOWN}, ["reasoning_effort emulated"]),
        (LITE, {}, None, []),
        (LITE, budget(9), {"thinkingBudget": 512, **SHOWN}, ["thinking_budget clamped"]),
        ("gemini-2.5-flash-image", ON, None, ["enable_thinking dropped"]),
        (LEVELS, {}, SHOWN, []),
        (LEVELS, effort("minimal"), {"thinkingLevel": "MINIMAL", **SHOWN}, []),
        (LEVELS, OFF, {"thinkingLevel": "MINIMAL"}, ["enable_thinking emulated"]),
        (FIRST, effort("medium"), {"thinkingLevel": "HIGH", **SHOWN}, ["reasoning_effort clamped"]),
        (NEW, ON, SHOWN, []),
        (NEW, effort("high"), {"thinkingLevel": "HIGH", **SHOWN}, []),
        (NEW, effort("xhigh"), {"thinkingLevel": "HIGH", **SHOWN}, ["reasoning_effort clamped"]),
        (NEW, effort("minimal"), {"thinkingLevel": "LOW", **SHOWN}, ["reasoning_effort clamped"]),
        (NEW, effort("utmost"), {"thinkingLevel": "HIGH", **SHOWN}, ["reasoning_effort clamped"]),
        (NEW, budget(3000), {"thinkingLevel": "LOW", **SHOWN}, ["thinking_budget emulated"]),
        ("gemini-3-pro-image-preview", {}, None, []),
        ("gemini-9-of-tomorrow", effort("low"), {"thinkingLevel": "LOW", **SHOWN}, []),
    ],
)
def test_each_generation(model: str, fields: Fields, config: Any, changes: list[str]) -> None:
    assert thinking(model, **fields) == (config, changes)


@pytest.mark.parametrize("model", [PRO, NEW, "gemini-3-pro-image-preview"])
def test_some_models_cannot_stop(model: str) -> None:
    with pytest.raises(UnsupportedError):
        thinking(model, **OFF)
    assert len(thinking(model, drop=True, **OFF)[1]) == 1


def test_the_wires_own_words_win() -> None:
    own = {"thinkingConfig": {"thinkingLevel": "LOW"}}
    config, changes = thinking(NEW, reasoning_effort="high", generationConfig=own)
    assert config == {"thinkingLevel": "LOW", **SHOWN}
    assert changes == ["reasoning_effort dropped"]
    assert thinking(NEW, thinkingConfig={"includeThoughts": False})[0] == {"includeThoughts": False}

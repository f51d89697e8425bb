"""The examples load as they are, and cost what they say."""

from __future__ import annotations

import pytest

from turnout.config.examples import example_path, names
from turnout.config.loading import load_settings
from turnout.config.settings import TargetNode

KEYS = {"DASHSCOPE_API_KEY": "sk-sample", "DEEPSEEK_API_KEY": "sk-sample", "OPENAI_API_KEY": "sk-sample"}
PRESETS = ("openai", "dashscope", "deepseek", "llama-cpp", "ollama")


@pytest.mark.parametrize("name", names())
def test_every_example_loads(name: str) -> None:
    settings = load_settings(example_path(name), env=KEYS, presets=PRESETS)
    assert settings.routes


def test_the_offline_example_needs_nothing_at_all() -> None:
    settings = load_settings(example_path("offline"), env={}, presets=())
    targets = [node.target for node in settings.routes["assistant"].chain if isinstance(node, TargetNode)]
    assert targets == ["flaky/rate-limited", "broken/cut-short", "steady/story"]
    assert {name: provider.base_url for name, provider in settings.providers.items()} == {
        "flaky": "http://127.0.0.1:8899/v1",
        "broken": "http://127.0.0.1:8899",
        "steady": "http://127.0.0.1:8899",
    }
    assert all(f"{name}/*" in settings.prices for name in settings.providers)


def test_the_offline_example_follows_the_simulator() -> None:
    settings = load_settings(example_path("offline.yaml"), env={"TURNOUT_SIMULATOR": "http://127.0.0.1:1"})
    assert settings.providers["flaky"].base_url == "http://127.0.0.1:1/v1"
    assert settings.providers["steady"].base_url == "http://127.0.0.1:1"


def test_an_unknown_example_names_the_known_ones() -> None:
    with pytest.raises(
        FileNotFoundError, match=r"'nope'; choose one of hosted\.yaml, local\.yaml, offline\.yaml"
    ):
        example_path("nope")
    assert names() == ("hosted.yaml", "local.yaml", "offline.yaml", "thinking.yaml")

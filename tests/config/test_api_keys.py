"""`api_keys`, as it may be written and as it may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from turnout.config.errors import ConfigError
from turnout.config.loading import parse_settings
from turnout.config.settings import KeyNode, ProviderSettings

PRESETS = ("openai",)


def provider(text: str, **env: str) -> ProviderSettings:
    """A provider written in YAML."""
    settings = parse_settings(f"providers:\n  openai: {text}\n", env=env, presets=PRESETS)
    return settings.providers["openai"]


def in_use(text: str, **env: str) -> dict[int, tuple[str, int]]:
    """The keys in use, by their places, with their weights."""
    nodes = provider(text, **env).keys_in_use
    return {place: (node.key.get_secret_value(), node.weight) for place, node in nodes.items()}


def test_a_key_is_a_word_or_a_key_with_a_weight() -> None:
    assert in_use('{api_keys: ["${A}", {key: "${B}", weight: 3}, "007"]}', A="one", B="two") == {
        1: ("one", 1),
        2: ("two", 3),
        3: ("007", 1),
    }
    made = ProviderSettings.model_validate({"api_keys": [SecretStr("one"), KeyNode(key=SecretStr("two"))]})
    assert list(made.keys_in_use) == [1, 2]


def test_weights_come_from_the_environment_too() -> None:
    assert in_use('{api_keys: [one, {key: two, weight: "${W}"}]}', W="5")[2] == ("two", 5)


def test_empty_keys_and_weights_of_0_are_not_in_use() -> None:
    assert in_use('{api_keys: ["${A:-}", {key: two, weight: 0}, three]}') == {3: ("three", 1)}
    assert in_use('{api_keys: ["${A:-}"]}') == {}
    assert in_use("{api_keys: []}") == {}
    assert provider("{api_key: one, api_keys: []}").api_key is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{api_key: one, api_keys: [two]}", "api_key and api_keys exclude each other"),
        ("{api_keys: [one], token_from: 'a:b'}", "api_keys and token_from exclude each other"),
        ("{api_keys: [one, two, one]}", "api_keys: keys 1 and 3 are the same"),
        ("{api_keys: [{key: one, weight: 0}, {key: two, weight: 0}]}", "the weight of every key is 0"),
        ("{api_keys: [{key: one, wieght: 2}]}", "unknown key 'wieght' in providers.openai.api_keys[0]; did"),
        ("{api_keys: [{weight: 2}]}", "providers.openai.api_keys[0] needs 'key'"),
        ("{api_keys: one}", "a list is expected here"),
        ("{api_keys: [{key: one, weight: -1}]}", "this must be at least 0"),
        ("{api_keys: [one, 123456]}", "api_keys[1]: text is expected here; put quotes around it"),
        ("{api_keys: ['sk one-secret']}", "the key holds a space"),
    ],
)
def test_mistakes_are_told_in_their_place_and_without_the_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        provider(text)
    [problem] = caught.value.problems
    assert message in problem.message
    assert problem.line == 2
    assert "one-secret" not in str(caught.value)


def test_no_repr_shows_a_key() -> None:
    said: Any = provider("{api_keys: [sk-123456, {key: sk-1234567, weight: 2}]}")
    assert "123456" not in repr(said) + repr(said.keys_in_use) + said.model_dump_json()

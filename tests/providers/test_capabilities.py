"""What models can take: rows of data, what a user adds to them, and what both together say of a model."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from turnout.config.errors import ConfigError
from turnout.config.loading import parse_settings
from turnout.config.settings import MODEL_KEYS, ProviderSettings
from turnout.providers.catalogue import Capabilities, CapabilityRule, Preset, Thinking, catalogue
from turnout.providers.chat import ChatCompletion
from turnout.providers.choosing import as_twin
from turnout.providers.dialect import Target
from turnout.providers.dialects import dialect
from turnout.providers.model_rows import KNOWN, with_models
from turnout.providers.targets import preset_of, resolve

ROWS = catalogue()
FILE = yaml.safe_load(files("turnout.providers").joinpath("capabilities.yaml").read_text("utf-8"))
NAMED = {name for name in FILE if not name.startswith(".")}
ABILITIES = ("images", "audio", "files", "tools", "forced_tools", "json_schema")


def known(preset: str, model: str) -> dict[str, Any]:
    """What the catalogue says of a model, without what it does not say."""
    return ROWS[preset].capabilities_of(model).model_dump(exclude_none=True)


def row_with(models: dict[str, Any], preset: str = "openai-compatible", **settings: Any) -> Preset:
    return preset_of(
        "house", ProviderSettings.model_validate({"preset": preset, "models": models, **settings})
    )


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_rule_names_lower_case_models_and_says_something(name: str) -> None:
    assert name in ROWS
    for rule in ROWS[name].capabilities:
        assert rule.models
        assert all(pattern == pattern.lower() for pattern in rule.models)
        assert rule.model_dump(exclude_none=True, exclude={"models"})
        assert not any("[^" in pattern for pattern in rule.models)  # fnmatch negates with [!


@pytest.mark.parametrize("name", sorted(ROWS))
def test_sizes_are_plausible(name: str) -> None:
    for rule in ROWS[name].capabilities:
        assert rule.context_window is None or 4_000 <= rule.context_window <= 11_000_000
        assert rule.output_limit is None or 1_000 <= rule.output_limit <= 1_100_000


@pytest.mark.parametrize("name", sorted(NAMED - {"azure"}))
@pytest.mark.parametrize(
    "model",
    ["gpt-9-mini", "qwen9-max", "deepseek-v9", "glm-9", "kimi-k9", "minimax-m9", "grok-9", "x/llama-9"],
)
def test_nothing_is_denied_to_families_still_to_come(name: str, model: str) -> None:
    said = known(name, model)
    assert not any(said.get(ability) is False for ability in ABILITIES)
    assert "context_window" not in said


def test_nothing_is_denied_to_a_deployment_whose_name_says_little() -> None:
    for model in ("gpt-4", "gpt-35-turbo", "o3-mini", "our-model"):
        assert False not in [known("azure", model).get(ability) for ability in ABILITIES]
        assert "context_window" not in known("azure", model)
    assert known("azure-deployment", "gpt-4o")["images"]


@pytest.mark.parametrize(
    ("target", "takes", "takes_not", "window"),
    [
        ("openai/gpt-5-mini", "images files tools json_schema", "audio thinking_off", 400_000),
        ("openai/gpt-5-mini-2025-08-07", "images files tools json_schema", "audio", 400_000),
        ("openai/gpt-5.6-luna", "images tools thinking_off", "audio", 1_050_000),
        ("openai/gpt-5-chat-latest", "images", "tools", 128_000),
        ("openai/gpt-6.2-sol", "images tools", "audio", 1_050_000),
        ("openai/gpt-4o", "images files json_schema", "audio", 128_000),
        ("openai/gpt-4o-2024-05-13", "images", "json_schema", 128_000),
        ("openai/gpt-4o-audio-preview", "audio tools", "", 128_000),
        ("openai/gpt-3.5-turbo", "tools", "images json_schema", 16_385),
        ("openai/o3-mini", "tools", "images", 200_000),
        ("dashscope/qwen-plus", "tools", "images audio", 1_000_000),
        ("qwen/qwen3.7-plus", "images tools", "audio", 1_000_000),
        ("dashscope-cn/qwen3-vl-plus", "images", "audio", 262_144),
        ("dashscope/qwen3-omni-flash", "images audio", "", None),
        ("dashscope/qwen3-235b-a22b", "tools", "images", None),
        ("deepseek/deepseek-v4-pro", "tools", "images json_schema", 1_000_000),
        ("deepseek/deepseek-flash", "images tools", "", 1_000_000),
        ("zai/glm-5.3", "tools", "images", 1_048_576),
        ("zai/glm-5.3-flash", "images tools", "", 1_048_576),
        ("glm/glm-4.5v", "images", "", None),
        ("moonshot/kimi-k2-thinking", "tools", "images thinking_off", 262_144),
        ("kimi/kimi-k2.6", "images tools", "audio", 262_144),
        ("minimax/MiniMax-M2.7", "tools", "images", 204_800),
        ("mistral/mistral-large-latest", "images tools", "audio", 262_144),
        ("groq/llama-3.3-70b-versatile", "tools", "images json_schema", 131_072),
        ("groq/openai/gpt-oss-120b", "tools json_schema", "images", 131_072),
        ("groq/meta-llama/llama-4-scout-17b-16e-instruct", "images json_schema", "", 131_072),
        ("xai/grok-4.5", "images files tools", "", 500_000),
        ("xai/grok-code-fast-1", "tools", "images", 256_000),
        ("openrouter/anthropic/claude-opus-4.8", "images files tools", "audio", 1_000_000),
        ("openrouter/google/gemini-2.5-flash", "images audio files", "", 1_048_576),
        ("openrouter/openai/gpt-oss-120b:free", "", "images audio", None),
        ("openrouter/qwen/qwen3-vl-8b-instruct", "images", "", None),
        ("together/Qwen/Qwen3-235B-A22B-Instruct-2507-tput", "", "images", None),
        ("fireworks/accounts/fireworks/models/glm-4p7", "", "images", None),
        ("vllm/Qwen/Qwen3-8B", "", "images", None),
        ("ollama/qwen3:8b", "", "images", None),
    ],
)
def test_what_is_known_of_models_that_people_use(
    target: str, takes: str, takes_not: str, window: int | None
) -> None:
    preset, _, model = target.partition("/")
    said = known(preset, model)
    assert {name: said.get(name) for name in takes.split()} == dict.fromkeys(takes.split(), True)
    assert {name: said.get(name) for name in takes_not.split()} == dict.fromkeys(takes_not.split(), False)
    assert said.get("context_window") == window


def test_field_by_field_the_first_rule_that_says_something_counts() -> None:
    rules = [
        {"models": ["big-*"], "images": False},
        {"models": ["*"], "images": True, "tools": True, "context_window": 1000},
    ]
    row = Preset(name="x", title="x", source="x", base_url="", capabilities=rules)  # type: ignore[arg-type]  # pydantic reads dicts
    assert row.capabilities_of("BIG-1") == Capabilities(images=False, tools=True, context_window=1000)
    assert row.capabilities_of("org/big-1").images is False
    assert row.capabilities_of("small").images is True


# What a user says of models


def test_the_words_for_a_model_are_those_of_the_rows() -> None:
    assert set(MODEL_KEYS) == set(KNOWN)


def test_a_provider_without_models_keeps_the_row_itself() -> None:
    assert with_models("x", ROWS["openai"], {}) is ROWS["openai"]


def test_a_family_of_tomorrow_is_a_few_lines_of_settings() -> None:
    row = row_with(
        {
            "qwen9-*": {
                "thinking": {"style": "enable_thinking", "budget": "thinking_budget", "default_on": True},
                "images": False,
                "context_window": 131072,
                "unsupported": ["seed"],
                "flags": ["swift"],
            }
        }
    )
    target = Target("house", "Qwen9-Max", row, "http://127.0.0.1:9")
    request = ChatCompletion.parse(
        {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "seed": 1, "enable_thinking": False}
    )

    wire = dialect("openai").encode(request, target)

    assert b'"enable_thinking":false' in wire.body
    assert [(change.field, change.action) for change in wire.adaptations] == [("seed", "dropped")]
    assert row.flags_of("qwen9-max") == {"swift"}
    assert row.capabilities_of("qwen9-max") == Capabilities(
        images=False, thinking_off=True, context_window=131072
    )
    assert row.capabilities_of("qwen8-max") == ROWS["openai-compatible"].capabilities_of("qwen8-max")
    assert row.thinking_of("qwen8-max") == ROWS["openai-compatible"].thinking


def test_the_users_word_wins_over_the_catalogue_and_its_first_pattern_over_the_next() -> None:
    models = {"GPT-5-mini": {"images": False}, "gpt-5*": {"images": True, "output_limit": 1000}}
    row = row_with(models, "openai")
    assert row.capabilities_of("gpt-5-mini").images is False
    assert row.capabilities_of("gpt-5-mini").output_limit == 1000
    assert row.capabilities_of("gpt-5-mini").tools is True  # as the catalogue says
    assert row.capabilities_of("gpt-5").images is True


def test_thinking_without_a_style_changes_single_words() -> None:
    row = row_with({"gpt-5.1-x*": {"thinking": {"efforts": ["low", "high"]}}}, "openai")
    changed, original = row.thinking_of("gpt-5.1-x1"), ROWS["openai"].thinking_of("gpt-5.1-x1")
    assert changed.efforts == ("low", "high")
    assert changed.model_dump(exclude={"efforts"}) == original.model_dump(exclude={"efforts"})
    alone = row_with({"gpt-5.1-x*": {"thinking": {"style": "none"}}}, "openai")
    assert alone.thinking_of("gpt-5.1-x1") == Thinking(style="none")


def test_field_rules_add_to_those_of_the_row_and_can_take_flags_away() -> None:
    row = with_models(
        "house",
        ROWS["anthropic"].model_copy(
            update={"model_rules": with_models("x", ROWS["openai"], {"*": {"flags": ["a", "b"]}}).model_rules}
        ),
        {"new-*": {"flags": ["-a", "c"], "rename": {"user": "who"}, "system_role": "user"}},
    )
    assert row.flags_of("new-1") == {"b", "c"}
    assert row.flags_of("old-1") == {"a", "b"}
    assert row.rules_of("new-1")[-1].rename == {"user": "who"}


def test_models_and_quirks_go_together() -> None:
    row = row_with({"a*": {"tools": False}}, quirks={"replay": "always"})
    assert (row.replay, row.capabilities_of("a1").tools) == ("always", False)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"a*": {"imges": True}}, r"house: models\.a\*: unknown key 'imges'; did you mean 'images'\?"),
        ({"a*": {"xyz": True}}, r"unknown key 'xyz'; it takes thinking, audio, "),
        ({"a*": {"images": "perhaps"}}, r"models\.a\*\.images: Input should be a valid boolean"),
        ({"a*": {"context_window": "big"}}, r"models\.a\*\.context_window: Input should be a valid int"),
        ({"a*": {"thinking": "deep"}}, r"models\.a\*\.thinking: write a mapping"),
        ({"a*": {"thinking": {"stile": "none"}}}, r"thinking\.stile: .*; did you mean 'style'\?"),
        ({"a*": {"system_role": "boss"}}, r"models\.a\*\.system_role: Input should be 'any'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_with_its_place(models: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        row_with(models)


def test_a_models_rules_reach_the_target() -> None:
    settings = ProviderSettings.model_validate({"api_key": "k", "models": {"gpt-9*": {"audio": True}}})
    target = resolve("openai", settings, "gpt-9", env={})
    assert target.preset.capabilities_of(target.model).audio is True


def test_what_a_user_knows_of_a_model_holds_on_its_hosts_other_wire_too() -> None:
    thinking = {"style": "effort", "efforts": ["low", "high"], "excludes": ["tools", "stop"]}
    row = row_with({"gpt-9": {"thinking": thinking, "images": False}}, "openai")
    twin = as_twin(Target("openai", "gpt-9", row, "https://api.openai.com/v1"), "responses").preset
    assert twin.capabilities_of("gpt-9").images is False
    assert twin.thinking_of("gpt-9").efforts == ("low", "high")
    assert twin.thinking_of("gpt-9").effort_field == "reasoning.effort"
    assert twin.thinking_of("gpt-9").excludes == ("stop",)
    for model in ("gpt-5-mini", "gpt-5.6-luna"):  # and nothing changes for the others
        assert twin.thinking_of(model) == ROWS["openai-responses"].thinking_of(model)
        assert twin.capabilities_of(model) == ROWS["openai-responses"].capabilities_of(model)


def test_rules_are_told_apart_by_place_and_compared_by_what_they_say() -> None:
    one, same = (CapabilityRule(models=("a",), images=True) for _ in range(2))
    assert one == same
    assert hash(one) == hash(one)


# The page


PAGE = (Path(__file__).parents[2] / "docs/models.md").read_text("utf-8")


def test_the_page_names_every_word() -> None:
    table = PAGE.partition("| key | what it says |")[2].partition("\n\n")[0]
    first_cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {word for cell in first_cells for word in re.findall(r"`(\w+)`", cell)}
    assert named == set(KNOWN)


def test_the_pages_example_is_what_it_says() -> None:
    [block] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    settings = parse_settings(block, env={}, presets=ROWS)
    house = preset_of("house", settings.providers["house"])
    said = house.capabilities_of("Qwen9-Large")
    assert (said.images, said.json_schema, said.context_window) == (False, True, 131072)
    assert (said.thinking_off, house.thinking_of("qwen9-large").budget) == (True, "thinking_budget")
    openai = preset_of("openai", settings.providers["openai"])
    assert (openai.capabilities_of("gpt-5-mini").images, openai.capabilities_of("gpt-5").images) == (
        False,
        True,
    )

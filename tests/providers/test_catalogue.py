"""The rows are data: complete, sourced, and naming only what exists."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from turnout.config.sections import Kind
from turnout.providers.catalogue import ModelRule, Preset, ThinkingRule, catalogue, matches, rows
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects import dialect
from turnout.providers.dialects.hooks import ENCODE_HOOKS

ROWS = catalogue()
HOSTS = [
    "openai",
    "azure",
    "azure-deployment",
    "dashscope",
    "dashscope-cn",
    "dashscope-us",
    "deepseek",
    "zai",
    "moonshot",
    "minimax",
    "mistral",
    "groq",
    "xai",
    "openrouter",
    "together",
    "fireworks",
    "cerebras",
    "sambanova",
    "nvidia",
    "perplexity",
    "huggingface",
    "llama-cpp",
    "vllm",
    "sglang",
    "ollama",
    "lm-studio",
    "tgi",
    "transformers",
    "openai-compatible",
    "qwen",
    "glm",
    "kimi",
]


@pytest.fixture(params=ROWS)
def row(request: pytest.FixtureRequest) -> Preset:
    return ROWS[request.param]


@pytest.mark.parametrize("name", HOSTS)
def test_every_host_is_there(name: str) -> None:
    assert ROWS[name].title


def test_aliases_are_other_names_for_the_same_row() -> None:
    assert ROWS["qwen"] == ROWS["dashscope"]
    assert ROWS["glm"] == ROWS["zai"]
    assert ROWS["kimi"] == ROWS["moonshot"]


def test_a_row_says_where_its_facts_were_read_and_when(row: Preset) -> None:
    assert row.source.endswith("2026-11-21")


def test_a_row_says_where_the_host_is(row: Preset) -> None:
    assert row.base_url.startswith(("https://", "{endpoint}")) or row.local or row.name == "openai-compatible"
    assert not row.base_url.endswith("/")


def test_a_hosted_row_names_the_variable_of_its_key(row: Preset) -> None:
    assert row.key_env or not row.key_required
    assert all(name.isupper() for name in (*row.key_env, *row.token_env))


def test_hooks_and_dialects_exist(row: Preset) -> None:
    assert set(row.encode_hooks) <= ENCODE_HOOKS.keys()
    assert dialect(row.dialect).name == row.dialect


def test_every_hook_is_used_by_a_row() -> None:
    assert {name for row in ROWS.values() for name in row.encode_hooks} == ENCODE_HOOKS.keys()


def test_errors_are_told_in_known_kinds(row: Preset) -> None:
    kinds = {*row.errors.values(), *row.error_texts.values(), *row.statuses.values()}
    assert kinds <= set(get_args(Kind))


def test_renamed_fields_are_fields_of_the_contract(row: Preset) -> None:
    assert set(row.rename) <= ChatCompletion.model_fields.keys()


def test_efforts_stand_in_order_and_aliases_lead_to_them(row: Preset) -> None:
    ranks = ["minimal", "low", "medium", "high", "xhigh", "max"]
    for thinking in (row.thinking, *(rule.thinking for rule in row.thinking_rules)):
        known = [ranks.index(word) for word in thinking.efforts if word in ranks]
        assert known == sorted(known)
        assert set(thinking.aliases.values()) <= set(thinking.efforts)
        assert not (thinking.style == "none" and thinking.efforts)


def test_patterns_are_lower_case_since_models_are_compared_so(row: Preset) -> None:
    rules: list[ThinkingRule | ModelRule] = [*row.thinking_rules, *row.model_rules]
    patterns = [name for rule in rules for name in rule.models]
    assert patterns == [pattern.lower() for pattern in patterns]


@pytest.mark.parametrize(
    ("model", "pattern", "fits"),
    [
        ("gpt-5-mini", "gpt-5-*", True),
        ("GPT-5-Mini", "gpt-5-*", True),
        ("openai/gpt-oss-20b", "gpt-oss*", True),
        ("gpt-5.1", "gpt-5-*", False),
        ("o3", "o[1-9]", True),
        ("ollama", "o[1-9]", False),
    ],
)
def test_a_model_fits_a_pattern_with_or_without_its_publisher(model: str, pattern: str, fits: bool) -> None:
    assert matches(model, [pattern]) is fits


@pytest.mark.parametrize(
    ("model", "on"),
    [
        ("qwen-plus-2025-04-28", False),
        ("qwen3-max", False),
        ("qwen3.6-plus", True),
        ("qwen3-next-80b-a3b-thinking", True),
        ("qwen3-14b", True),
        ("qwen-max", False),
        ("deepseek-v4", None),
    ],
)
def test_what_qwen_models_do_when_nothing_is_said(model: str, on: bool | None) -> None:
    assert ROWS["dashscope"].thinking_of(model).default_on is on


def small(**fields: Any) -> dict[str, Any]:
    return {"title": "T", "source": "S", "base_url": "https://t.example", **fields}


def test_a_row_may_start_from_an_earlier_one_and_lists_flatten() -> None:
    shared = ["store", "metadata"]
    made = rows(
        {
            ".shared": {},
            "one": small(unsupported=[shared, "seed"]),
            "two": {"extends": "one", "title": "Two"},
            "three": {"alias": "two"},
        }
    )
    assert set(made) == {"one", "two", "three"}
    assert made["two"].unsupported == ("store", "metadata", "seed")
    assert (made["two"].title, made["two"].base_url) == ("Two", "https://t.example")
    assert made["three"].name == "two"


@pytest.mark.parametrize("wrong", [{"unsuported": []}, {"unsupported": "store"}, {"auth": "basic"}])
def test_a_misspelt_row_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rows({"one": small(**wrong)})["one"]

"""Requests that end with the beginning of the answer: who takes them, and how each host is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.config.settings import ProviderSettings
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target, WireRequest
from turnout.providers.dialects import dialect
from turnout.providers.dialects.prefilling import CONTINUES, obstacle, prefill_of
from turnout.providers.errors import UnsupportedError
from turnout.providers.targets import resolve

_KEYS = (
    "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "DEEPSEEK_API_KEY", "MOONSHOT_API_KEY", "DASHSCOPE_API_KEY",
    "GROQ_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "OPENROUTER_API_KEY", "COHERE_API_KEY", "GOOGLE_OAUTH_ACCESS_TOKEN",
)  # fmt: skip
_OPTIONS = {"AWS_REGION": "eu-central-1", "GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "l"}
ENVIRONMENT = dict.fromkeys(_KEYS, "k") | _OPTIONS
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def target(name: str, **settings: Any) -> Target:
    provider, model = name.split("/", 1)
    given = ProviderSettings.model_validate({"preset": provider, **settings})
    return resolve(provider, given, model, env=ENVIRONMENT)


def request(**fields: Any) -> ChatCompletion:
    messages = [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "Once upon a"}]
    return ChatCompletion.parse({"model": "r", "messages": messages, "stream": True, **fields})


def wire(name: str, *, tokens: int = 3, settings: dict[str, Any] | None = None, **fields: Any) -> WireRequest:
    aim = target(name, **(settings or {}))
    asked = request(**fields, **{CONTINUES: tokens})
    return dialect(aim.preset.dialect).encode(asked, aim)


def body(name: str, **fields: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(wire(name, **fields).body)
    assert CONTINUES not in read
    return read


GIVEN = {"role": "assistant", "content": "Once upon a"}


@pytest.mark.parametrize(
    ("name", "message", "said"),
    [
        ("mistral/mistral-large-latest", {**GIVEN, "prefix": True}, {}),
        ("deepseek/deepseek-v4-pro", {**GIVEN, "prefix": True}, {"thinking": {"type": "disabled"}}),
        ("moonshot/kimi-k2.6", {**GIVEN, "partial": True}, {"thinking": {"type": "disabled"}}),
        ("moonshot/moonshot-v1-32k", {**GIVEN, "partial": True}, {}),
        ("dashscope/qwen3-max", {**GIVEN, "partial": True}, {}),
        ("dashscope/qwen3.6-plus", {**GIVEN, "partial": True}, {"enable_thinking": False}),
        ("groq/llama-3.3-70b-versatile", GIVEN, {}),
        ("groq/qwen3-32b", GIVEN, {"reasoning_effort": "none"}),
        ("ollama/llama3.1:8b", GIVEN, {}),
        ("ollama-native/llama3.1:8b", GIVEN, {}),
        ("ollama-native/qwen3:8b", GIVEN, {"think": False}),
        *(
            (
                f"{host}/some-model",
                GIVEN,
                {"continue_final_message": True, "add_generation_prompt": False},
            )
            for host in ("vllm", "sglang", "llama-cpp")
        ),
        ("anthropic/claude-haiku-4-5", GIVEN, {}),
        ("anthropic/claude-3-5-haiku-latest", GIVEN, {}),
        ("vertex-anthropic/claude-sonnet-4-5@20250929", GIVEN, {}),
        (
            "bedrock/eu.anthropic.claude-sonnet-4-20250514-v1:0",
            {"role": "assistant", "content": [{"text": "Once upon a"}]},
            {},
        ),
    ],
)
def test_each_host_is_told_in_its_own_way(name: str, message: dict[str, Any], said: dict[str, Any]) -> None:
    payload = body(name)
    assert payload["messages"][-1] == message
    told = {key: payload.get(key) for key in ("continue_final_message", "add_generation_prompt", *said)}
    assert {key: value for key, value in told.items() if value is not None} == said


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-5-mini",
        "gemini/gemini-2.5-flash",
        "cohere/command-a-03-2025",
        "openrouter/anthropic/claude-sonnet-4-5",
        "openai-responses/gpt-5-mini",
        "anthropic/claude-opus-4-6",
        "anthropic/claude-sonnet-5",
        "anthropic/claude-of-tomorrow",
        "bedrock/anthropic.claude-sonnet-4-6-v1:0",
        "bedrock/amazon.nova-pro-v1:0",
        "mistral/magistral-medium-latest",
        "deepseek/deepseek-reasoner",
        "moonshot/kimi-k3",
        "moonshot/kimi-k2-thinking",
        "dashscope/qwq-plus",
        "dashscope/qwen3-235b-a22b-thinking-2507",
        "groq/openai/gpt-oss-120b",
        "vllm/openai/gpt-oss-20b",
        "ollama-native/gpt-oss:20b",
        "vllm-responses/some-model",
    ],
)
def test_who_is_not_known_to_go_on_is_not_asked(name: str) -> None:
    assert prefill_of(target(name)) is None
    for way in ("refuse", "drop"):
        with pytest.raises(UnsupportedError) as caught:
            aim = target(name).settling(way)
            dialect(aim.preset.dialect).encode(request(**{CONTINUES: 3}), aim)
        assert caught.value.field == "messages"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"n": 2}, "n"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "x", "format": "wav"}}, "modalities"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
    ],
)
def test_what_no_model_goes_on_with(fields: dict[str, Any], field: str) -> None:
    found = obstacle(request(**fields), target("vllm/some-model"))
    assert found is not None
    assert found[0] == field


def test_tools_beside_it_are_for_hosts_that_are_known_to_take_them() -> None:
    with_tools = request(tools=[TOOL])
    assert obstacle(with_tools, target("vllm/some-model")) is None
    assert obstacle(with_tools, target("anthropic/claude-haiku-4-5")) is None
    found = obstacle(with_tools, target("mistral/mistral-large-latest"))
    assert found is not None
    assert found[0] == "tools"
    assert obstacle(request(tools=[TOOL], tool_choice="none"), target("mistral/mistral-large-latest")) is None
    assert obstacle(request(response_format={"type": "text"}, n=1), target("vllm/some-model")) is None


def test_deepseek_takes_it_at_another_address() -> None:
    assert wire("deepseek/deepseek-v4-pro").url == "https://api.deepseek.com/beta/chat/completions"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_what_was_said_already_counts_against_the_limit(name: str) -> None:
    assert body("vllm/m", tokens=30, **{name: 100})["max_tokens"] == 70
    assert body("vllm/m", tokens=300, **{name: 100})["max_tokens"] == 1
    assert body("anthropic/claude-haiku-4-5", tokens=30, **{name: 100})["max_tokens"] == 70


def test_nobody_thinks_in_the_middle_of_an_answer() -> None:
    asked = wire("vllm/m", reasoning_effort="high")
    assert json.loads(asked.body)["chat_template_kwargs"] == {"enable_thinking": False}
    assert [(one.field, one.action) for one in asked.adaptations] == [("reasoning_effort", "dropped")]
    claude = wire("anthropic/claude-haiku-4-5", thinking_budget=2048)
    assert "budget_tokens" not in claude.body.decode()
    settings = {"quirks": {"thinking": {"style": "none"}}}
    silent = body("vllm/m", settings=settings, enable_thinking=True)
    assert not {"enable_thinking", "chat_template_kwargs"} & silent.keys()


def test_a_user_can_say_so_of_a_host_of_his_own() -> None:
    house: dict[str, Any] = {"preset": None, "dialect": "openai", "base_url": "http://house/v1"}
    known = {"models": {"good-*": {"prefill": True}}}
    assert prefill_of(target("house/good-1", **house, **known)) is None  # in which way, nobody has said
    house["quirks"] = {"prefill": {"way": "prefix", "tools": False}}
    assert prefill_of(target("house/bad-1", **house, **known)) is None
    payload = body("house/good-1", settings={**house, **known})
    assert payload["messages"][-1] == {**GIVEN, "prefix": True}


def test_a_last_word_of_the_assistants_is_sent_as_before_where_nobody_asks() -> None:
    aim = target("mistral/mistral-large-latest")
    payload = json.loads(dialect("openai").encode(request(), aim).body)
    assert payload["messages"][-1] == GIVEN

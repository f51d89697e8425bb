"""Which requests have to go to the second wire of a host, and what the target then is."""

from __future__ import annotations

from typing import Any

import pytest
from mixed_requests import SOUND, target_of

from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatCompletion
from turnout.providers.choosing import as_twin, twin_for
from turnout.providers.errors import RequestError

TOOLS: dict[str, Any] = {"tools": [{"type": "function", "function": {"name": "now"}}]}
CUSTOM: dict[str, Any] = {"tools": [{"type": "custom", "custom": {"name": "sql"}}]}
Fields = dict[str, Any]


def chosen(model: str, preset: str = "openai", quirks: Fields | None = None, **fields: Any) -> str | None:
    """The wire of the twin that has to carry a request."""
    given = {"model": "x", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return twin_for(ChatCompletion.parse(given), target_of(preset, model, quirks=quirks or {}))


@pytest.mark.parametrize("preset", ["openai", "azure"])
@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("gpt-5.5", TOOLS),
        ("gpt-5.5", {**TOOLS, "tool_choice": "none"}),
        ("gpt-5.5", {"functions": [{"name": "now"}]}),
        ("gpt-5.4", {**TOOLS, "reasoning_effort": "low"}),
        ("gpt-5.4-mini", {**TOOLS, "enable_thinking": True}),
        ("gpt-6-sol", {**TOOLS, "thinking_budget": 3000}),
        ("gpt-6-astra", {**TOOLS, "reasoning_effort": "none"}),  # which it cannot do
        ("gpt-6.1-sol", TOOLS),
        ("gpt-6-sol", {"reasoning_effort": "max"}),
        ("gpt-5.5", {**TOOLS, "stop": "a"}),  # which Chat does not take from this model either
        ("gpt-5.5", {"reasoning": {"summary": "auto"}}),
        ("gpt-5.5", {"include": ["web_search_call.results"]}),
    ],
)
def test_what_chat_cannot_say_goes_to_responses(preset: str, model: str, fields: Fields) -> None:
    assert chosen(model, preset, **fields) == "responses"


@pytest.mark.parametrize(
    "model",
    [
        "o1-pro", "o3-pro-2025", "gpt-5-pro", "gpt-5.2-pro", "gpt-5.4-pro", "o3-deep-research", "gpt-5-codex",
        "gpt-5.1-codex-max", "gpt-5.3-codex", "codex-mini-latest", "gpt-daybreak-1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("fields", [{}, {"stop": "a"}, {"n": 2}])
def test_models_without_a_chat_route_always_go_there(model: str, fields: Fields) -> None:
    assert chosen(model, **fields) == "responses"


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("gpt-5.5", {}),
        ("gpt-5.5", {"tools": []}),
        ("gpt-5.5", {**TOOLS, "reasoning_effort": "none"}),
        ("gpt-5.5", {**TOOLS, "enable_thinking": False}),
        ("gpt-5.5", {**TOOLS, "n": 2}),
        ("gpt-5.5", {**TOOLS, "messages": [{"role": "user", "content": [SOUND]}]}),
        ("gpt-5.5", CUSTOM),
        ("gpt-5.5", {"reasoning_effort": "high"}),
        ("gpt-5.5", {"reasoning_effort": "max"}),
        ("gpt-5.4", TOOLS),
        ("gpt-5.2", {**TOOLS, "reasoning_effort": "low"}),
        ("gpt-5-mini", TOOLS),
        ("o3", {**TOOLS, "reasoning_effort": "high"}),
        ("gpt-4o", TOOLS),
        ("gpt-4o", {**TOOLS, "stop": "a", "logit_bias": {"5": 1}}),
        ("gpt-audio", {"modalities": ["text", "audio"], "audio": {"format": "wav", "voice": "v"}}),
        ("gpt-5-search-api", {"web_search_options": {}}),
    ],
)
def test_all_else_stays_on_chat(model: str, fields: Fields) -> None:
    assert chosen(model, **fields) is None


@pytest.mark.parametrize(
    "preset", ["openai-compatible", "azure-deployment", "openai-responses", "openrouter"]
)
def test_hosts_without_a_twin_are_left_alone(preset: str) -> None:
    settings: Fields = {"options": {"endpoint": "https://e.example"}} if "azure" in preset else {}
    request = ChatCompletion.parse({"model": "x", "messages": [{"role": "user", "content": "Hi"}], **TOOLS})
    assert twin_for(request, target_of(preset, "gpt-5.5", **settings)) is None


def test_a_provider_can_be_kept_to_its_first_wire() -> None:
    assert chosen("gpt-5.5", quirks={"twins": {}}, **TOOLS) is None


def test_a_conversation_with_kept_reasoning_goes_on_where_it_began() -> None:
    def spoken(**where: str) -> Fields:
        detail = {"type": "responses.reasoning", "provider": "p", "model": "gpt-5.5", "index": 0, "block": {}}
        answer = {"role": "assistant", "content": "Hm", "reasoning_details": [{**detail, **where}]}
        return {"messages": [{"role": "user", "content": "Hi"}, answer, {"role": "user", "content": "Go"}]}

    assert chosen("gpt-5.5", **spoken()) == "responses"
    for foreign in ({"provider": "q"}, {"model": "gpt-5.4"}, {"type": "anthropic.thinking"}):
        assert chosen("gpt-5.5", **spoken(**foreign)) is None


def test_contradictions_are_told() -> None:
    with pytest.raises(RequestError, match="give one of them"):
        chosen("gpt-5.5", **TOOLS, reasoning_effort="none", enable_thinking=True)


def test_the_twin_is_the_same_target_on_another_row() -> None:
    target = target_of("openai", "gpt-5.5")
    twin = as_twin(target, "responses")
    assert twin.preset == catalogue()["openai-responses"]
    assert (twin.base_url, twin.provider, twin.model) == (target.base_url, "p", "gpt-5.5")


def test_what_a_provider_says_of_its_host_holds_on_both_wires() -> None:
    quirks = {"auth": "bearer", "errors": {"busy": "overloaded"}, "statuses": {599: "overloaded"}}
    twin = as_twin(target_of("azure", "gpt-5.5", quirks=quirks), "responses").preset
    assert (twin.dialect, twin.auth, twin.errors, twin.statuses) == (
        "responses",
        "bearer",
        {"busy": "overloaded"},
        {599: "overloaded"},
    )


def test_a_deployment_of_any_name_can_be_described() -> None:
    thinking = {"efforts": ["low", "high"], "default_on": True, "excludes": ["temperature", "tools"]}
    quirks = {"thinking": thinking}
    assert chosen("prod", "azure", **TOOLS) is None
    assert chosen("prod", "azure", quirks, **TOOLS) == "responses"
    control = as_twin(target_of("azure", "prod", quirks=quirks), "responses").preset.thinking_of("prod")
    assert (control.effort_field, control.efforts) == ("reasoning.effort", ("low", "high"))
    assert control.excludes == ("temperature",)
    named = as_twin(target_of("openai", "prod", quirks={"thinking": {"default_on": True}}), "responses")
    assert named.preset.thinking_of("prod").effort_field == "reasoning.effort"


def test_what_a_user_knows_of_a_family_holds_on_both_wires() -> None:
    models = {
        "prod*": {
            "thinking": {
                "style": "effort",
                "efforts": ["low", "high"],
                "default_on": True,
                "excludes": ["tools"],
            },
            "images": False,
            "flags": ["-reasoning_summary"],
        }
    }
    target = target_of("azure", "prod-1", models=models)
    request = ChatCompletion.parse({"model": "x", "messages": [{"role": "user", "content": "Hi"}], **TOOLS})
    assert twin_for(request, target) == "responses"
    twin = as_twin(target, "responses").preset
    control = twin.thinking_of("prod-1")
    assert (control.effort_field, control.efforts, control.excludes) == (
        "reasoning.effort",
        ("low", "high"),
        (),
    )
    assert twin.capabilities_of("prod-1").images is False
    assert "reasoning_summary" not in twin.flags_of("prod-1")
    assert "reasoning_summary" in twin.flags_of("gpt-5.5")


def test_a_user_may_name_the_wire_of_a_deployment() -> None:
    target = target_of("azure", "prod", models={"prod": {"dialect": "responses"}})
    request = ChatCompletion.parse({"model": "x", "messages": [{"role": "user", "content": "Hi"}]})
    assert twin_for(request, target) == "responses"
    assert as_twin(target, "responses").preset == catalogue()["azure-responses"]


def test_rules_of_ones_own_are_not_the_twins() -> None:
    target = target_of("openai", "gpt-5.5", quirks={"model_rules": [{"models": ["*"], "flags": ["x"]}]})
    assert as_twin(target, "responses").preset == catalogue()["openai-responses"]

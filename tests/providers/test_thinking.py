"""One intent, in the words of every host: each row of the catalogue against all a caller may ask for."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.settings import ProviderSettings
from turnout.providers.catalogue import Thinking, catalogue
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target
from turnout.providers.dialects.openai import OpenAIDialect
from turnout.providers.errors import RequestError, UnsupportedError
from turnout.providers.targets import resolve
from turnout.providers.thinking import RANKS, Intent, compile_thinking, fold_effort, thinking_intent

Fields = dict[str, Any]

REFUSED = None
EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")


class Row(NamedTuple):
    """What one host's wire says for one model."""

    preset: str
    model: str
    off: Fields | None
    """For thinking off; None: refused, since the model always thinks or has no switch."""
    on: Fields
    """For plain on."""
    words: str
    """The effort sent for minimal, low, medium, high, xhigh, max, and for a budget of 2048 tokens.

    `-` sends none, a number is sent as the budget.
    """
    budget: str = "thinking_budget"
    """Dotted path of the budget."""
    effort: str = "reasoning_effort"
    """Dotted path of the effort."""
    beside: Fields | None = None
    """What stands beside an effort or a budget; the same as plain on where not given."""

    def expected(self, number: int) -> Fields:
        word = self.words.split()[number]
        fields: Fields = json.loads(json.dumps(self.on if self.beside is None else self.beside))
        if word != "-":
            path, value = (self.budget, int(word)) if word.isdigit() else (self.effort, word)
            *parents, last = path.split(".")
            place = fields
            for key in parents:
                place = place.setdefault(key, {})
            place[last] = value
        return fields


NONE, MEDIUM, NOTHING = {"reasoning_effort": "none"}, {"reasoning_effort": "medium"}, "- - - - - - -"
OSS = "low low medium high high high low"
XHIGH = "low low medium high xhigh xhigh low"
SWITCH_OFF, SWITCH_ON = {"enable_thinking": False}, {"enable_thinking": True}
AS_BUDGET = "1024 4096 16384 - - - 2048"
DISABLED, ENABLED = {"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}
THREE = "low low high high high max low"
TEMPLATE_OFF = {"chat_template_kwargs": {"enable_thinking": False}}
TEMPLATE_ON = {"chat_template_kwargs": {"enable_thinking": True}}
BOTH_OFF = {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
BOTH_ON = {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}}
REASONING_OFF, REASONING_ON = {"reasoning": {"enabled": False}}, {"reasoning": {"enabled": True}}
ALL = "minimal low medium high xhigh max low"

ROWS = [
    Row("openai", "gpt-4o", {}, {}, NOTHING),
    Row("openai", "o3", REFUSED, {}, OSS),
    Row("openai", "gpt-5-mini", REFUSED, {}, "minimal low medium high high high low"),
    Row("openai", "gpt-5.1", NONE, MEDIUM, OSS, beside={}),
    Row("openai", "gpt-5.2", NONE, MEDIUM, XHIGH, beside={}),
    Row("openai", "gpt-5.4-mini", NONE, MEDIUM, XHIGH, beside={}),
    Row("openai", "gpt-5.5", NONE, {}, XHIGH),
    Row("openai", "gpt-5.6-mini", NONE, {}, XHIGH),
    Row("openai", "gpt-6-sol", NONE, {}, XHIGH),
    Row("openai", "gpt-6-astra", REFUSED, {}, XHIGH),
    Row("openai", "gpt-6.1-sol", REFUSED, {}, XHIGH),
    Row("openai", "gpt-5-search-api", REFUSED, {}, NOTHING),
    Row("azure", "our-deployment", NONE, {}, "minimal low medium high xhigh xhigh low"),
    Row("azure", "gpt-4.1", {}, {}, NOTHING),
    Row("azure", "gpt-5-nano", REFUSED, {}, "minimal low medium high high high low"),
    Row("azure-deployment", "gpt-5.1", NONE, MEDIUM, OSS, beside={}),
    Row("dashscope", "qwen-plus", SWITCH_OFF, SWITCH_ON, AS_BUDGET),
    Row("dashscope", "qwen3.7-plus", SWITCH_OFF, SWITCH_ON, AS_BUDGET),
    Row("dashscope", "qwen3.8-max", SWITCH_OFF, SWITCH_ON, "low low medium xhigh xhigh xhigh 2048"),
    Row("dashscope", "qwq-plus", REFUSED, {}, AS_BUDGET),
    Row("dashscope", "qwen3-235b-a22b-thinking-2507", REFUSED, {}, AS_BUDGET),
    Row("dashscope", "qwen3-235b-a22b-instruct-2507", {}, {}, NOTHING),
    Row("dashscope", "qwen3-8b", SWITCH_OFF, SWITCH_ON, AS_BUDGET),
    Row("dashscope-cn", "qwen-turbo", SWITCH_OFF, SWITCH_ON, AS_BUDGET),
    Row("dashscope-us", "qwen-flash", SWITCH_OFF, SWITCH_ON, AS_BUDGET),
    Row("dashscope-hk", "qwen3-max", SWITCH_OFF, SWITCH_ON, AS_BUDGET),
    Row("deepseek", "deepseek-v4-pro", DISABLED, ENABLED, THREE),
    Row("deepseek", "deepseek-chat", DISABLED, ENABLED, THREE),
    Row("zai", "glm-5.3", REFUSED, ENABLED, THREE),
    Row("zai", "glm-5.2", DISABLED, ENABLED, THREE),
    Row("zai", "glm-4.7", DISABLED, ENABLED, NOTHING),
    Row("zai", "glm-4-flash", {}, {}, NOTHING),
    Row("zai-cn", "glm-5.2", DISABLED, ENABLED, THREE),
    Row("moonshot", "kimi-k3", REFUSED, {}, THREE),
    Row("moonshot", "kimi-k2.7-code", REFUSED, {}, NOTHING),
    Row("moonshot", "kimi-k2.6", DISABLED, ENABLED, NOTHING),
    Row("moonshot", "moonshot-v1-8k", {}, {}, NOTHING),
    Row("moonshot-cn", "kimi-k2.5", DISABLED, ENABLED, NOTHING),
    Row("minimax", "MiniMax-M3", DISABLED, {"thinking": {"type": "adaptive"}}, NOTHING),
    Row("minimax", "MiniMax-M3.1-Flash", REFUSED, {}, "low low medium high xhigh max low"),
    Row("minimax", "MiniMax-M2.5", REFUSED, {}, NOTHING),
    Row("minimax-cn", "MiniMax-M3", DISABLED, {"thinking": {"type": "adaptive"}}, NOTHING),
    Row("mistral", "mistral-medium-latest", NONE, {"reasoning_effort": "high"}, "high " * 7),
    Row("mistral", "magistral-small", REFUSED, {}, NOTHING),
    Row("groq", "qwen/qwen3-32b", NONE, {"reasoning_effort": "default"}, "default " * 7),
    Row("groq", "qwen/qwen3.8-27b", NONE, {"reasoning_effort": "default"}, OSS, beside={}),
    Row("groq", "openai/gpt-oss-120b", REFUSED, {}, OSS),
    Row("groq", "llama-3.3-70b-versatile", {}, {}, NOTHING),
    Row("xai", "grok-4.3", NONE, {}, OSS),
    Row("xai", "grok-4.5", REFUSED, {}, OSS),
    Row("xai", "grok-4.7", REFUSED, {}, XHIGH),
    Row("xai", "grok-4.20-reasoning", REFUSED, {}, NOTHING),
    Row("xai", "grok-4.20-non-reasoning", {}, {}, NOTHING),
    Row("openrouter", "a/b", REASONING_OFF, REASONING_ON, "minimal low medium high xhigh max 2048",
        effort="reasoning.effort", budget="reasoning.max_tokens", beside={}),
    Row("together", "Qwen/Qwen3.5-9B", REASONING_OFF, REASONING_ON, OSS),
    Row("together", "deepseek-ai/DeepSeek-V4-Pro", REASONING_OFF, REASONING_ON,
        "high high high high high max high"),
    Row("together", "openai/gpt-oss-20b", REFUSED, {}, OSS),
    Row("together", "zai-org/GLM-5.3", REFUSED, {}, "low low medium high xhigh max low"),
    Row("fireworks", "accounts/fireworks/models/qwen3-8b", NONE, MEDIUM, "low low medium high high high 2048",
        budget="reasoning_effort", beside={}),
    Row("fireworks", "accounts/fireworks/models/gpt-oss-20b", REFUSED, {}, OSS),
    Row("cerebras", "qwen-3-32b", NONE, MEDIUM, OSS, beside={}),
    Row("cerebras", "gpt-oss-120b", REFUSED, {}, OSS),
    Row("sambanova", "DeepSeek-V3.1", TEMPLATE_OFF, TEMPLATE_ON, NOTHING),
    Row("sambanova", "gpt-oss-120b", REFUSED, {}, OSS),
    Row("nvidia", "nvidia/nemotron-3", BOTH_OFF, BOTH_ON, AS_BUDGET, budget="nvext.max_thinking_tokens"),
    Row("perplexity", "sonar", {}, {}, NOTHING),
    Row("perplexity", "sonar-reasoning-pro", REFUSED, {}, NOTHING),
    Row("perplexity", "sonar-deep-research", REFUSED, {}, "minimal low medium high high high low"),
    Row("huggingface", "org/model:fastest", REFUSED, {}, OSS),
    Row("llama-cpp", "qwen3", TEMPLATE_OFF, TEMPLATE_ON, ALL),
    Row("vllm", "Qwen/Qwen3-8B", TEMPLATE_OFF, TEMPLATE_ON, "minimal low medium high xhigh max 2048",
        budget="thinking_token_budget"),
    Row("vllm", "openai/gpt-oss-20b", REFUSED, {}, OSS),
    Row("sglang", "qwen3", BOTH_OFF, BOTH_ON, ALL),
    Row("ollama", "qwen3.5", NONE, {}, "low low medium high max max low"),
    Row("ollama", "gpt-oss:20b", REFUSED, {}, OSS),
    Row("lm-studio", "qwen3", NONE, MEDIUM, XHIGH, beside={}),
    Row("tgi", "tgi", REFUSED, {}, NOTHING),
    Row("transformers", "qwen3", TEMPLATE_OFF, TEMPLATE_ON, NOTHING),
    Row("openai-compatible", "house", NONE, MEDIUM, ALL, beside={}),
]  # fmt: skip


def target(preset: str, model: str, **changes: Any) -> Target:
    settings = ProviderSettings(preset=preset, base_url="https://host.example/v1", api_key="key")  # type: ignore[arg-type]
    made = resolve("provider", settings, model, env={})
    return Target(**{name: getattr(made, name) for name in made.__slots__} | changes)


def request(**fields: Any) -> ChatCompletion:
    return ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields})


def thinking_fields(row: Row, **asked: Any) -> Fields:
    """What asking for thinking adds to the payload of a plain request."""
    to = target(row.preset, row.model)
    plain = json.loads(OpenAIDialect().encode(request(stream=True), to).body)
    payload = json.loads(OpenAIDialect().encode(request(stream=True, **asked), to).body)
    assert plain.items() <= payload.items()
    return {name: value for name, value in payload.items() if name not in plain}


def names(row: Row) -> str:
    return f"{row.preset}-{row.model}"


def test_the_table_has_every_host() -> None:
    of_this_wire = {row.name for row in catalogue().values() if row.dialect == "openai"}
    assert {row.preset for row in ROWS} == of_this_wire


@pytest.mark.parametrize("row", ROWS, ids=names)
@pytest.mark.parametrize(
    "asked", [{"enable_thinking": False}, {"reasoning_effort": "none"}, {"thinking_budget": 0}], ids=str
)
def test_off(row: Row, asked: Fields) -> None:
    if row.off is not REFUSED:
        assert thinking_fields(row, **asked) == row.off
        return
    with pytest.raises(UnsupportedError, match="cannot stop thinking; choose another model") as refused:
        thinking_fields(row, **asked)
    assert refused.value.field == next(iter(asked))
    assert refused.value.model == row.model


@pytest.mark.parametrize("row", ROWS, ids=names)
def test_on(row: Row) -> None:
    assert thinking_fields(row, enable_thinking=True) == row.on


@pytest.mark.parametrize("row", ROWS, ids=names)
@pytest.mark.parametrize("number", range(len(EFFORTS)), ids=EFFORTS)
def test_effort(row: Row, number: int) -> None:
    assert thinking_fields(row, reasoning_effort=EFFORTS[number]) == row.expected(number)


@pytest.mark.parametrize("row", ROWS, ids=names)
def test_budget(row: Row) -> None:
    assert thinking_fields(row, thinking_budget=2048) == row.expected(len(EFFORTS))


@pytest.mark.parametrize("row", ROWS, ids=names)
def test_nothing_asked_sends_nothing_and_a_change_is_always_reported(row: Row) -> None:
    to = target(row.preset, row.model)
    assert not OpenAIDialect().encode(request(stream=True), to).adaptations
    everything: list[Fields] = [{"thinking_budget": 2048}, *({"reasoning_effort": word} for word in EFFORTS)]
    for asked in everything:
        wire = OpenAIDialect().encode(request(stream=True, **asked), to)
        said = {*asked.values()} & {value for value in leaves(json.loads(wire.body)) if value != "Hi"}
        assert bool(said) != bool(wire.adaptations)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("row", [row for row in ROWS if row.off is REFUSED], ids=names)
def test_off_that_cannot_be_is_the_lowest_effort_where_dropping_is_allowed(row: Row) -> None:
    to = target(row.preset, row.model, on_unsupported="drop")
    wire = OpenAIDialect().encode(request(stream=True, enable_thinking=False), to)
    (adaptation,) = wire.adaptations
    efforts = to.preset.thinking_of(row.model).efforts
    assert adaptation.field == "enable_thinking"
    assert adaptation.action == ("clamped" if efforts else "dropped")
    assert json.loads(wire.body).get("reasoning_effort") == (efforts[0] if efforts else None)


@pytest.mark.parametrize(
    ("asked", "intent"),
    [
        ({}, Intent()),
        ({"enable_thinking": True}, Intent("on")),
        ({"enable_thinking": False}, Intent("off")),
        ({"reasoning_effort": "none"}, Intent("off", source="reasoning_effort")),
        ({"thinking_budget": 0}, Intent("off", source="thinking_budget")),
        ({"reasoning_effort": "low"}, Intent("effort", "low", source="reasoning_effort")),
        ({"enable_thinking": True, "reasoning_effort": "low"},
         Intent("effort", "low", source="reasoning_effort")),
        ({"thinking_budget": 9}, Intent("budget", None, 9, "thinking_budget")),
        ({"thinking_budget": 9, "reasoning_effort": "low"}, Intent("budget", "low", 9, "thinking_budget")),
        ({"enable_thinking": False, "thinking_budget": 0, "reasoning_effort": "none"}, Intent("off")),
    ],
    ids=str,
)  # fmt: skip
def test_three_fields_have_one_meaning(asked: Fields, intent: Intent) -> None:
    assert thinking_intent(request(**asked)) == intent


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"enable_thinking": False, "reasoning_effort": "low"}, "reasoning_effort"),
        ({"enable_thinking": False, "thinking_budget": 1}, "thinking_budget"),
        ({"enable_thinking": True, "reasoning_effort": "none"}, "reasoning_effort"),
        ({"enable_thinking": True, "thinking_budget": 0}, "thinking_budget"),
        ({"reasoning_effort": "none", "thinking_budget": 1}, "thinking_budget"),
        ({"reasoning_effort": "low", "thinking_budget": 0}, "reasoning_effort"),
    ],
    ids=str,
)
def test_contradictions_are_refused(asked: Fields, field: str) -> None:
    with pytest.raises(RequestError, match="give one of them") as error:
        thinking_intent(request(**asked))
    assert error.value.field == field


def test_a_budget_goes_before_an_effort_where_the_wire_has_one() -> None:
    wire = OpenAIDialect().encode(
        request(thinking_budget=512, reasoning_effort="high"), target("openrouter", "a/b")
    )
    assert json.loads(wire.body)["reasoning"] == {"max_tokens": 512}
    assert [(a.field, a.action) for a in wire.adaptations] == [("reasoning_effort", "dropped")]


def test_an_effort_goes_before_a_budget_that_the_wire_cannot_say() -> None:
    wire = OpenAIDialect().encode(
        request(thinking_budget=512, reasoning_effort="high"), target("openai", "o3")
    )
    assert json.loads(wire.body)["reasoning_effort"] == "high"
    assert [(a.field, a.action) for a in wire.adaptations] == [("thinking_budget", "dropped")]


@pytest.mark.parametrize(
    ("budget", "effort"),
    [(1, "minimal"), (1024, "minimal"), (1025, "low"), (4096, "low"), (4097, "medium"), (16384, "medium"),
     (16385, "high"), (10**6, "high")],
)  # fmt: skip
def test_a_budget_stands_for_an_effort(budget: int, effort: str) -> None:
    payload = json.loads(OpenAIDialect().encode(request(thinking_budget=budget), target("sglang", "m")).body)
    assert payload["reasoning_effort"] == effort


def test_words_nobody_ranks_pass_through_where_efforts_are_known() -> None:
    assert fold_effort("heroic", Thinking(style="effort", efforts=("low", "high"))) == "heroic"
    assert fold_effort("ultra", catalogue()["deepseek"].thinking) == "max"
    assert fold_effort("heroic", catalogue()["groq"].thinking_of("qwen/qwen3-32b")) == "default"


@given(
    st.sets(st.sampled_from(RANKS[1:]), min_size=1).map(lambda words: sorted(words, key=RANKS.index)),
    st.sampled_from(RANKS[1:]),
)
def test_folding_finds_the_nearest_and_never_turns_round(efforts: list[str], asked: str) -> None:
    thinking = Thinking(style="effort", efforts=tuple(efforts))
    found = fold_effort(asked, thinking)
    assert found in efforts
    distance = abs(RANKS.index(found) - RANKS.index(asked))
    assert all(abs(RANKS.index(word) - RANKS.index(asked)) >= distance for word in efforts)
    stronger = [fold_effort(word, thinking) for word in RANKS[RANKS.index(asked) :]]
    assert [RANKS.index(word) for word in stronger] == sorted(RANKS.index(word) for word in stronger)


FLAG = Thinking(style="flag", switch_field="think", effort_field="think", efforts=("low", "high"))


@pytest.mark.parametrize(
    ("intent", "thinking", "fields"),
    [
        (Intent("off"), FLAG, {"think": False}),
        (Intent("on"), FLAG, {"think": True}),
        (Intent("effort", "high"), FLAG, {"think": "high"}),
        (Intent("budget", None, 2048), FLAG, {"think": "low"}),
        (Intent("effort", "high"), Thinking(style="flag", switch_field="a.think"), {"a.think": True}),
        (Intent("on"), FLAG.model_copy(update={"on_word": ""}), {}),
    ],
    ids=str,
)
def test_a_flag_says_on_and_off_and_an_effort_may_stand_in_its_place(
    intent: Intent, thinking: Thinking, fields: Fields
) -> None:
    assert compile_thinking(intent, thinking).fields == fields


def test_a_model_that_cannot_think_says_so() -> None:
    compiled = compile_thinking(Intent("on"), Thinking(style="none", default_on=False), model="p/m")
    assert (compiled.active, compiled.fields) == (False, {})
    assert [a.reason for a in compiled.adaptations] == ["p/m does not think"]

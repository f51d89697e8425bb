"""From a normalized request to the bytes of each host: what is sent, refused, dropped, and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnout.config.sections import OnUnsupported
from turnout.config.settings import ProviderSettings
from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatCompletion, Record
from turnout.providers.dialect import Target, WireRequest
from turnout.providers.dialects import dialect
from turnout.providers.dialects.openai_encoding import encode
from turnout.providers.errors import RequestError, UnsupportedError
from turnout.providers.targets import resolve
from turnout.providers.thinking import thinking_intent

Fields = dict[str, Any]
Records = Callable[[type[Record]], st.SearchStrategy[Any]]

TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
USER = {"role": "user", "content": "Hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
CALLED: list[Fields] = [
    USER,
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "9"},
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
NAMED = {"type": "function", "function": {"name": "now"}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}


def target(preset: str, model: str = "m", on_unsupported: OnUnsupported = "refuse", **options: Any) -> Target:
    fields = {"preset": preset, "base_url": "https://h.example/v1", "api_key": "key", **options}
    made = resolve("p", ProviderSettings.model_validate(fields), model, env={})
    return Target(
        **{name: getattr(made, name) for name in made.__slots__} | {"on_unsupported": on_unsupported}
    )


def sent(to: Target, **fields: Any) -> tuple[Fields, dict[str, str]]:
    """The payload, and what was changed: field -> action."""
    request = ChatCompletion.parse({"model": "route", "messages": [USER], **fields})
    wire = encode(request, to)
    return json.loads(wire.body), {change.field: change.action for change in wire.adaptations}


def messages(to: Target, *given: Any, **fields: Any) -> tuple[list[Fields], dict[str, str]]:
    payload, changes = sent(to, messages=list(given), **fields)
    return payload["messages"], changes


# What is sent as it came


def test_a_plain_request() -> None:
    wire = encode(
        ChatCompletion.parse({"model": "route", "messages": [{"role": "user", "content": "Grüße"}]}),
        target("openai", "gpt-4o"),
    )
    assert wire.method == "POST"
    assert wire.url == "https://h.example/v1/chat/completions"
    assert wire.body == '{"model":"gpt-4o","messages":[{"role":"user","content":"Grüße"}]}'.encode()
    assert wire.headers["authorization"] == "Bearer key"
    assert (wire.stream, wire.adaptations) == (False, ())


def test_unknown_fields_pass_where_the_host_takes_them() -> None:
    payload, changes = sent(target("vllm"), top_k=5, vllm_xargs={"a": [1, None]}, stop_token_ids=None)
    assert (payload["top_k"], payload["vllm_xargs"]) == (5, {"a": [1, None]})
    assert "stop_token_ids" not in payload
    assert changes == {}


def test_an_unknown_server_gets_everything() -> None:
    given = {"store": True, "verbosity": "low", "n": 2, "logit_bias": {"5": 1}, "new_field": 1}
    payload, changes = sent(target("openai-compatible"), **given)
    assert given.items() <= payload.items()
    assert changes == {}


def test_half_a_surrogate_pair_stays_escaped() -> None:
    wire = encode(
        ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "\ud83d"}]}),
        target("vllm"),
    )
    assert json.loads(wire.body)["messages"][0]["content"] == "\ud83d"


def test_the_routers_own_words_are_never_sent() -> None:
    payload, changes = sent(target("openai-compatible"), tags={"team": "x"}, trace="t", cost=1)
    assert set(payload) == {"model", "messages"}
    assert changes == {"tags": "dropped", "trace": "dropped", "cost": "dropped"}


def test_the_dialect_speaks_both_ways() -> None:
    openai, to = dialect("openai"), target("openai", "gpt-4o")
    request = ChatCompletion.parse({"model": "m", "messages": [USER], "stream": True})
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    body = json.dumps(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    )
    assert openai.decode(body.encode(), request, to).text == "Hi"
    event = {"id": "1", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    stream = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()
    assert "".join(chunk.text or "" for chunk in openai.decoder(request, to).feed(stream)) == "Hi"
    assert openai.error(429, {}, b"{}", to).kind == "rate_limit"


# Streams


def test_a_stream_always_asks_for_usage() -> None:
    wire = encode(
        ChatCompletion.parse({"model": "m", "messages": [USER], "stream": True}), target("openai", "gpt-4o")
    )
    payload = json.loads(wire.body)
    assert (payload["stream"], payload["stream_options"]) == (True, {"include_usage": True})
    assert wire.stream
    assert wire.headers["accept"] == "text/event-stream"


def test_stream_options_of_the_caller_stay_and_usage_is_asked_for_all_the_same() -> None:
    options = {"include_usage": False, "include_obfuscation": False}
    payload, _ = sent(target("openai", "gpt-4o"), stream=True, stream_options=options)
    assert payload["stream_options"] == {"include_usage": True, "include_obfuscation": False}


def test_hosts_that_tell_usage_by_themselves_get_no_stream_options() -> None:
    options = {"include_usage": True, "include_obfuscation": False}
    payload, changes = sent(target("mistral"), stream=True, stream_options=options)
    assert "stream_options" not in payload
    assert changes == {"stream_options.include_obfuscation": "dropped"}


def test_a_whole_answer_says_nothing_about_streaming() -> None:
    payload, _ = sent(target("openai", "gpt-4o"), stream=False)
    assert "stream" not in payload


@pytest.mark.parametrize(
    ("model", "fields", "streams"),
    [
        ("qwen-plus", {}, False),
        ("qwen-plus", {"enable_thinking": False}, False),
        ("qwen-plus", {"enable_thinking": True}, True),
        ("qwen-plus", {"thinking_budget": 9}, True),
        ("qwen3-8b", {}, True),
        ("qwen3-8b", {"enable_thinking": False}, False),
        ("qwq-plus", {}, True),
        ("qwen3.7-plus", {"enable_thinking": True}, False),
        ("qwen3-8b-instruct", {}, False),
    ],
)
def test_what_thinks_only_in_streams_is_streamed(model: str, fields: Fields, streams: bool) -> None:
    payload, changes = sent(target("dashscope", model), **fields)
    assert payload.get("stream", False) is streams
    assert changes == ({"stream": "emulated"} if streams else {})


# Names and limits


@pytest.mark.parametrize(
    ("preset", "field"),
    [("openai", "max_completion_tokens"), ("deepseek", "max_tokens"), ("ollama", "max_tokens"),
     ("moonshot", "max_completion_tokens"), ("mistral", "max_tokens")],
)  # fmt: skip
@pytest.mark.parametrize("given", ["max_tokens", "max_completion_tokens"])
def test_the_limit_of_tokens_under_the_hosts_name(preset: str, field: str, given: str) -> None:
    payload, changes = sent(target(preset), **{given: 9})
    assert {name: payload[name] for name in payload if "tokens" in name} == {field: 9}
    assert changes == ({} if field == given else {given: "renamed"})


def test_both_spellings_of_the_limit_become_one() -> None:
    payload, changes = sent(target("deepseek"), max_tokens=9, max_completion_tokens=9)
    assert (payload["max_tokens"], "max_completion_tokens" in payload, changes) == (9, False, {})


def test_renamed_fields() -> None:
    payload, changes = sent(target("mistral"), seed=3)
    assert (payload["random_seed"], changes) == (3, {"seed": "renamed"})
    payload, changes = sent(target("zai"), user="u")
    assert (payload["user_id"], changes) == ("u", {"user": "renamed"})


def test_the_wires_own_name_wins_where_the_caller_gave_both() -> None:
    payload, changes = sent(target("mistral"), seed=3, random_seed=4)
    assert (payload["random_seed"], changes) == (4, {"seed": "dropped"})


def test_a_rename_for_some_models_only() -> None:
    rules = [{"models": ["old-*"], "rename": {"stop": "stop_sequences"}}]
    to = target("vllm", "old-1", quirks={"model_rules": rules})
    assert sent(to, stop="x")[0]["stop_sequences"] == "x"


def test_values_out_of_the_hosts_range_are_clamped() -> None:
    assert sent(target("minimax"), temperature=1.5)[0]["temperature"] == 1.0
    payload, changes = sent(target("minimax"), temperature=0)
    assert (payload["temperature"], changes) == (0.01, {"temperature": "clamped"})
    assert sent(target("minimax"), temperature=0.5)[1] == {}


def test_service_tiers_of_another_host_are_dropped() -> None:
    assert sent(target("groq"), service_tier="flex")[0]["service_tier"] == "flex"
    payload, changes = sent(target("groq"), service_tier="scale")
    assert ("service_tier" in payload, changes) == (False, {"service_tier": "dropped"})


# What a wire cannot say


@pytest.mark.parametrize(
    ("preset", "fields", "field"),
    [
        ("perplexity", {"tools": [TOOL]}, "tools"),
        ("groq", {"n": 2}, "n"),
        ("groq", {"logprobs": True, "top_logprobs": 2}, "logprobs"),
        ("kimi", {"n": 2}, "n"),
        ("ollama", {"n": 3}, "n"),
        ("minimax", {"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ("minimax", {"response_format": {"type": "json_object"}}, "response_format"),
        ("deepseek", {"response_format": SCHEMA}, "response_format"),
        ("deepseek", {"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools[0]"),
        ("deepseek", {"modalities": ["text", "audio"], "audio": {"format": "wav", "voice": "v"}}, "audio"),
        ("zai", {"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ("lm-studio", {"tools": [TOOL], "tool_choice": NAMED}, "tool_choice"),
        ("openai", {"stop": "x"}, "stop"),
        ("ollama", {"messages": [{"role": "user", "content": [IMAGE]}]},
         "messages[0].content[0].image_url.url"),
        ("groq", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
         "messages[0].content[0]"),
    ],
)  # fmt: skip
def test_what_shapes_the_answer_is_refused_or_dropped_as_the_user_chose(
    preset: str, fields: Fields, field: str
) -> None:
    model = {"openai": "gpt-5-mini", "kimi": "kimi-k3"}.get(preset, "m")
    with pytest.raises(
        UnsupportedError, match="choose another target or set on_unsupported to drop"
    ) as refused:
        sent(target(preset, model), **fields)
    assert (refused.value.field, refused.value.provider, refused.value.model) == (field, "p", model)
    for choice in ("drop", "warn"):
        _, changes = sent(target(preset, model, choice), **fields)
        assert changes[field] in {"dropped", "clamped"}


@pytest.mark.parametrize(
    "hint",
    [{"store": True}, {"metadata": {"a": "b"}}, {"service_tier": "flex"}, {"verbosity": "low"},
     {"prompt_cache_key": "k"}, {"safety_identifier": "s"},
     {"prediction": {"type": "content", "content": "x"}},
     {"web_search_options": {}}, {"logit_bias": {"1": 2}}, {"user": "u"}],
    ids=lambda hint: next(iter(hint)),
)  # fmt: skip
def test_hints_are_dropped_and_told(hint: Fields) -> None:
    (name,) = hint
    payload, changes = sent(target("dashscope", "qwen-plus"), **hint)
    assert (name in payload, changes) == (False, {name: "dropped"})


@pytest.mark.parametrize(
    "fields",
    [{"n": 1}, {"logprobs": False}, {"tools": [TOOL], "tool_choice": "auto"}, {"modalities": ["text"]},
     {"response_format": {"type": "text"}}, {"tools": [TOOL], "parallel_tool_calls": True}],
    ids=str,
)  # fmt: skip
def test_what_says_no_more_than_the_default_is_never_refused(fields: Fields) -> None:
    payload, changes = sent(target("ollama"), **fields)
    assert set(payload) == {"model", "messages", *({"tools"} & set(fields))} | (
        {"response_format"} & set(fields)
    ) | ({"logprobs"} & set(fields))
    assert set(changes.values()) <= {"dropped"}


def test_a_whitelist_drops_what_is_not_on_it() -> None:
    payload, changes = sent(target("mistral"), user="u", chat_template_kwargs={"a": 1}, top_k=4)
    assert set(payload) == {"model", "messages", "top_k"}
    assert changes == {"user": "dropped", "chat_template_kwargs": "dropped"}


def test_a_models_whitelist_goes_before_the_rows() -> None:
    payload, changes = sent(
        target("openai", "gpt-5-search-api"), temperature=1, web_search_options={}, stream=True
    )
    assert set(payload) == {"model", "messages", "web_search_options", "stream", "stream_options"}
    assert changes == {"temperature": "dropped"}


# Models that think


def test_sampling_is_not_taken_while_the_model_thinks() -> None:
    fields = {"temperature": 0.2, "top_p": 0.5}
    payload, changes = sent(target("openai", "gpt-5-mini"), **fields)
    assert (set(payload) & set(fields), changes) == (set(), {"temperature": "dropped", "top_p": "dropped"})
    assert fields.items() <= sent(target("openai", "gpt-5.1"), **fields)[0].items()
    payload, changes = sent(target("openai", "gpt-5.1"), reasoning_effort="low", **fields)
    assert changes == {"temperature": "dropped", "top_p": "dropped"}
    assert fields.items() <= sent(target("openai", "gpt-4o"), **fields)[0].items()


def test_logprobs_shape_the_answer_and_are_refused_while_the_model_thinks() -> None:
    assert sent(target("openai", "gpt-5.1"), logprobs=True)[0]["logprobs"] is True
    with pytest.raises(UnsupportedError, match="not taken while the model thinks"):
        sent(target("openai", "gpt-5.1"), logprobs=True, reasoning_effort="low")


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-6-sol", "gpt-5.6-mini"])
def test_tools_switch_thinking_off_where_the_model_takes_no_other(model: str) -> None:
    payload, changes = sent(target("openai", model), tools=[TOOL])
    assert (payload["reasoning_effort"], changes) == ("none", {"reasoning_effort": "clamped"})
    payload, changes = sent(target("openai", model), tools=[TOOL], enable_thinking=False)
    assert (payload["reasoning_effort"], changes) == ("none", {})


def test_tools_with_thinking_that_was_asked_for_are_refused() -> None:
    with pytest.raises(
        UnsupportedError, match="takes function tools only while it does not think"
    ) as refused:
        sent(target("openai", "gpt-5.4"), tools=[TOOL], reasoning_effort="low")
    assert refused.value.field == "tools"
    payload, changes = sent(target("openai", "gpt-5.4", "drop"), tools=[TOOL], reasoning_effort="low")
    assert (payload["reasoning_effort"], changes) == ("none", {"reasoning_effort": "clamped"})


def test_tools_that_a_model_can_never_take_are_refused_or_dropped() -> None:
    fields = {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False}
    with pytest.raises(UnsupportedError):
        sent(target("openai", "gpt-6-astra"), **fields)
    payload, changes = sent(target("openai", "gpt-6-astra", "drop"), **fields)
    assert set(payload) == {"model", "messages"}
    assert changes == {"tools": "dropped", "parallel_tool_calls": "dropped"}


def test_custom_tools_think_along() -> None:
    tools = [{"type": "custom", "custom": {"name": "c"}}]
    assert sent(target("openai", "gpt-5.5"), tools=tools)[0]["tools"] == tools


def test_the_callers_own_words_for_thinking_stay_and_a_clash_is_told() -> None:
    payload, changes = sent(
        target("llama-cpp"), enable_thinking=True, chat_template_kwargs={"enable_thinking": False, "x": 1}
    )
    assert payload["chat_template_kwargs"] == {"enable_thinking": False, "x": 1}
    assert changes == {"enable_thinking": "dropped", "stream": "emulated"}
    payload, changes = sent(target("deepseek"), enable_thinking=True, thinking="deep")
    assert (payload["thinking"], changes) == ("deep", {"enable_thinking": "dropped"})
    payload, changes = sent(target("moonshot", "kimi-k2.6"), enable_thinking=True, thinking={"keep": "all"})
    assert (payload["thinking"], changes) == ({"keep": "all", "type": "enabled"}, {})


def test_rows_that_always_send_a_field_leave_the_callers_own() -> None:
    assert sent(target("minimax"))[0]["reasoning_split"] is True
    assert sent(target("minimax"), reasoning_split=False)[0]["reasoning_split"] is False
    assert sent(target("fireworks"))[0]["context_length_exceeded_behavior"] == "error"


def test_a_host_that_would_finish_what_nobody_waits_for_is_asked_for_a_stream() -> None:
    payload, changes = sent(target("llama-cpp"))
    assert (payload["stream"], payload["stream_options"]) == (True, {"include_usage": True})
    assert changes == {"stream": "emulated"}
    assert sent(target("llama-cpp"), stream=True)[1] == {}


def test_files_by_address_are_refused_where_the_wire_takes_none() -> None:
    held = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}
    away = {"type": "file", "file": {"file_data": "HTTPS://x.example/a.pdf"}}
    for word in ("messages.image_url.remote", "messages.file.remote"):
        to = target("vllm", quirks={"unsupported": [word]})
        assert messages(to, {"role": "user", "content": [held]})[0][0]["content"] == [held]
        with pytest.raises(UnsupportedError, match=r"content\[0\]\.file\.file_data"):
            messages(to, {"role": "user", "content": [away]})
    assert messages(target("openrouter"), {"role": "user", "content": [away]})[0][0]["content"] == [away]


def test_contradictions_never_reach_the_wire() -> None:
    with pytest.raises(RequestError, match="give one of them"):
        sent(target("openai"), enable_thinking=False, reasoning_effort="high")


# Tools and formats


def test_no_tools_are_no_field() -> None:
    payload, changes = sent(target("openai", "gpt-4o"), tools=[], tool_choice="auto")
    assert (set(payload), changes) == ({"model", "messages"}, {})
    assert sent(target("openai", "gpt-4o"), tools=[], tool_choice="required")[1] == {"tool_choice": "dropped"}


def test_a_choice_of_no_tool_is_sent_as_no_tools_where_it_cannot_be_said() -> None:
    assert sent(target("openai", "gpt-4o"), tools=[TOOL], tool_choice="none")[0]["tool_choice"] == "none"
    payload, changes = sent(target("ollama"), tools=[TOOL], tool_choice="none")
    assert (set(payload), changes) == ({"model", "messages"}, {"tool_choice": "emulated"})


def test_strict_schemas_are_stripped_where_they_are_not_taken() -> None:
    tool = {"type": "function", "function": {"name": "f", "strict": True}}
    payload, changes = sent(target("xai", "grok-4.5"), tools=[tool])
    assert payload["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert changes == {"tools[0].function.strict": "dropped"}


def test_one_tool_of_several_is_dropped() -> None:
    tools = [{"type": "custom", "custom": {"name": "c"}}, TOOL]
    payload, changes = sent(target("groq", on_unsupported="drop"), tools=tools, tool_choice="required")
    assert (payload["tools"], payload["tool_choice"], changes) == (
        [TOOL],
        "required",
        {"tools[0]": "dropped"},
    )


def test_formats_that_stand_in_for_one_another() -> None:
    payload, changes = sent(target("lm-studio"), response_format={"type": "json_object"})
    assert payload["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert changes == {"response_format": "emulated"}
    payload, changes = sent(target("deepseek", on_unsupported="drop"), response_format=SCHEMA)
    assert (payload["response_format"], changes) == ({"type": "json_object"}, {"response_format": "clamped"})
    quirks = {"unsupported": ["response_format.json_schema", "response_format.json_object"]}
    payload, changes = sent(target("vllm", on_unsupported="drop", quirks=quirks), response_format=SCHEMA)
    assert ("response_format" in payload, changes) == (False, {"response_format": "dropped"})


# Messages


def test_developer_is_system_where_the_wire_knows_no_other() -> None:
    developer = {"role": "developer", "content": "Be brief."}
    assert messages(target("openai", "gpt-4o"), developer, USER) == ([developer, USER], {})
    made, changes = messages(target("mistral"), developer, USER)
    assert (made[0]["role"], changes) == ("system", {"messages[0].role": "renamed"})


def test_qwq_takes_no_system_message() -> None:
    made, changes = messages(
        target("dashscope", "qwq-plus"), {"role": "system", "content": "Be brief."}, USER
    )
    assert (made[0]["role"], changes["messages[0].role"]) == ("user", "renamed")


def test_names_are_dropped_where_they_are_not_taken() -> None:
    named: Fields = {**USER, "name": "ann"}
    assert messages(target("vllm"), named)[0] == [named]
    for preset in ("groq", "xai", "mistral"):
        assert messages(target(preset), named) == ([USER], {"messages[0].name": "dropped"})
    tool: Fields = {**CALLED[2], "name": "now"}
    assert messages(target("openai", "gpt-4o"), *CALLED[:2], tool)[1] == {"messages[2].name": "dropped"}
    assert messages(target("mistral"), *CALLED[:2], tool)[0][2]["name"] == "now"


def test_content_of_a_message_that_only_calls() -> None:
    assert "content" not in messages(target("groq"), *CALLED)[0][1]
    assert messages(target("deepseek"), *CALLED)[0][1]["content"] == ""


def test_empty_lists_of_calls_are_no_field() -> None:
    made, _ = messages(target("vllm"), USER, {"role": "assistant", "content": "Hi", "tool_calls": []})
    assert made[1] == {"role": "assistant", "content": "Hi"}


def test_cache_marks_go_only_where_they_are_taken() -> None:
    part = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    tool = {**TOOL, "cache_control": {"type": "ephemeral"}}
    user = {"role": "user", "content": [part]}
    for preset in ("dashscope", "openrouter"):
        payload, changes = sent(target(preset), messages=[user], tools=[tool])
        assert (payload["messages"], payload["tools"], changes) == ([user], [tool], {})
    payload, changes = sent(target("vllm"), messages=[user], tools=[tool])
    assert (payload["messages"][0]["content"], payload["tools"]) == ([{"type": "text", "text": "a"}], [TOOL])
    assert changes == {"messages[0].content[0].cache_control": "dropped", "tools[0].cache_control": "dropped"}


def test_refusals_become_text_where_the_wire_knows_none() -> None:
    refused = {"role": "assistant", "refusal": "No."}
    part = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    both = {"role": "assistant", "content": "Well", "refusal": "No."}
    assert messages(target("openai", "gpt-4o"), refused, part, USER)[0][:2] == [refused, part]
    made, changes = messages(target("deepseek"), refused, part, both, USER)
    assert made[:3] == [
        {"role": "assistant", "content": "No."},
        {"role": "assistant", "content": [{"type": "text", "text": "No."}]},
        {"role": "assistant", "content": "Well"},
    ]
    assert changes == {
        "messages[0].refusal": "emulated", "messages[1].content[0]": "emulated",
        "messages[2].refusal": "dropped",
    }  # fmt: skip


def test_an_earlier_spoken_answer_is_dropped_where_nothing_is_spoken() -> None:
    spoken = {"role": "assistant", "audio": {"id": "a1"}}
    assert messages(target("openai", "gpt-4o-audio"), spoken, USER)[0][0] == spoken
    made, changes = messages(target("vllm"), spoken, USER)
    assert (made[0], changes) == ({"role": "assistant", "content": ""}, {"messages[0].audio": "dropped"})
    made, _ = messages(target("vllm"), {**spoken, "content": "Hi"}, USER)
    assert made[0] == {"role": "assistant", "content": "Hi"}


def test_calls_of_custom_tools_become_function_calls_where_only_those_are_known() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT 'é'"}}
    history = [
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": ""},
    ]
    assert messages(target("openai", "gpt-4o"), *history)[0][1]["tool_calls"] == [call]
    made, changes = messages(target("vllm"), *history)
    (written,) = made[1]["tool_calls"]
    assert written["function"] == {"name": "sql", "arguments": '{"input": "SELECT \'é\'"}'}
    assert (written["type"], "custom" in written) == ("function", False)
    assert changes == {"messages[1].tool_calls[0]": "emulated"}


def test_images_by_address_and_as_data() -> None:
    data = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    assert messages(target("ollama"), {"role": "user", "content": [data]})[0][0]["content"] == [data]
    made, changes = messages(target("ollama", on_unsupported="drop"), {"role": "user", "content": [IMAGE]})
    assert (made[0]["content"], set(changes.values())) == ("", {"dropped"})


def test_parts_nobody_knows_pass() -> None:
    part = {"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}}
    assert messages(target("groq"), {"role": "user", "content": [part]})[0][0]["content"] == [part]


def test_a_whitelist_of_message_fields() -> None:
    made, changes = messages(
        target("mistral"), {**USER, "mood": "good"}, {"role": "assistant", "content": "x", "prefix": True}
    )
    assert made == [USER, {"role": "assistant", "content": "x", "prefix": True}]
    assert changes == {"messages[0].mood": "dropped"}


# Earlier reasoning

THOUGHT = {"role": "assistant", "content": "Hi", "reasoning": "Hmm."}
THOUGHT_CALL = {"role": "assistant", "tool_calls": [CALL], "reasoning": "Look it up."}
ANSWER = CALLED[2]


@pytest.mark.parametrize(
    ("preset", "model", "field"),
    [("vllm", "qwen3", "reasoning"), ("sglang", "qwen3", "reasoning_content"),
     ("ollama", "qwen3", "reasoning"),
     ("llama-cpp", "qwen3", "reasoning_content"), ("dashscope", "qwen3.7-plus", "reasoning_content"),
     ("groq", "openai/gpt-oss-20b", "reasoning"), ("zai", "glm-5", "reasoning_content")],
)  # fmt: skip
def test_reasoning_goes_back_under_the_hosts_name(preset: str, model: str, field: str) -> None:
    made, changes = messages(target(preset, model), USER, THOUGHT, USER, stream=True)
    assert (made[1], changes) == ({"role": "assistant", "content": "Hi", field: "Hmm."}, {})


@pytest.mark.parametrize(
    ("preset", "model"), [("openai", "gpt-5.1"), ("xai", "grok-4.5"), ("groq", "llama-3.3"), ("mistral", "m")]
)
def test_reasoning_is_left_out_where_nobody_wants_it(preset: str, model: str) -> None:
    made, changes = messages(target(preset, model), USER, THOUGHT, USER)
    assert made[1] == {"role": "assistant", "content": "Hi"}
    assert changes == {"messages[1].reasoning": "dropped"}


@pytest.mark.parametrize(
    ("preset", "model", "blank"), [("deepseek", "deepseek-v4", ""), ("kimi", "kimi-k3", " ")]
)
def test_beside_tool_calls_reasoning_must_stand_even_if_empty(preset: str, model: str, blank: str) -> None:
    made, changes = messages(target(preset, model), USER, THOUGHT_CALL, ANSWER, THOUGHT, USER)
    assert made[1]["reasoning_content"] == "Look it up."
    assert "reasoning_content" not in made[3]
    assert changes == {"messages[3].reasoning": "dropped"}
    made, changes = messages(target(preset, model), *CALLED)
    assert (made[1]["reasoning_content"], changes) == (blank, {})


def test_without_thinking_no_reasoning_is_due() -> None:
    made, changes = messages(target("deepseek"), USER, THOUGHT_CALL, ANSWER, enable_thinking=False)
    assert ("reasoning_content" in made[1], changes) == (False, {"messages[1].reasoning": "dropped"})


def test_reasoning_content_of_other_clients_is_read_too() -> None:
    made, _ = messages(
        target("vllm"), USER, {"role": "assistant", "content": "Hi", "reasoning_content": "Hmm."}, USER
    )
    assert made[1]["reasoning"] == "Hmm."


def test_signed_reasoning_goes_home_and_nowhere_else() -> None:
    own = {"type": "reasoning.text", "text": "Hmm.", "signature": "s", "provider": "p"}
    foreign = {"type": "thinking", "signature": "z", "provider": "anthropic"}
    history = [USER, {**THOUGHT, "reasoning_details": [own, foreign]}, USER]
    made, changes = messages(target("openrouter"), *history)
    assert made[1]["reasoning_details"] == [{"type": "reasoning.text", "text": "Hmm.", "signature": "s"}]
    assert changes == {"messages[1].reasoning_details": "dropped"}
    made, changes = messages(target("vllm"), *history)
    assert made[1] == {"role": "assistant", "content": "Hi", "reasoning": "Hmm."}
    assert "signature" not in json.dumps(messages(target("openai", "gpt-4o"), *history)[0])


def test_plain_reasoning_becomes_a_detail_where_only_those_are_taken() -> None:
    made, _ = messages(target("minimax", "MiniMax-M3"), USER, THOUGHT, USER)
    assert made[1]["reasoning_details"] == [{"type": "reasoning.text", "text": "Hmm."}]
    made, _ = messages(target("minimax", "MiniMax-M3"), USER, {"role": "assistant", "content": "Hi"}, USER)
    assert "reasoning_details" not in made[1]


def test_mistral_gets_its_thinking_back_as_the_first_parts_of_the_content() -> None:
    chunk = {"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}], "signature": "s"}
    signed = {**THOUGHT, "reasoning_details": [{**chunk, "provider": "p"}]}
    made, changes = messages(target("mistral", "mistral-medium"), USER, signed, USER)
    assert (made[1]["content"], changes) == ([chunk, {"type": "text", "text": "Hi"}], {})
    made, _ = messages(target("mistral", "magistral-small"), USER, THOUGHT, USER)
    assert made[1]["content"][0] == {"type": "thinking", "thinking": [{"type": "text", "text": "Hmm."}]}
    parts = {**THOUGHT, "content": [{"type": "text", "text": "Hi"}]}
    made, _ = messages(target("mistral", "magistral-small"), USER, parts, USER)
    assert [part["type"] for part in made[1]["content"]] == ["thinking", "text"]
    made, _ = messages(
        target("mistral", "magistral-small"), USER, {**THOUGHT_CALL, "reasoning": None}, ANSWER
    )
    assert made[1]["content"] == ""


# Whatever is asked, wherever it goes

HOSTS = sorted({row.name for row in catalogue().values()})
MODELS = [
    "m",
    "gpt-5.5",
    "gpt-oss-20b",
    "qwen3-8b",
    "kimi-k3",
    "glm-5.3",
    "grok-4.3",
    "deepseek-v4-pro",
    "o3",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_request_is_sent_whole_or_its_changes_are_told(data: st.DataObject, records: Records) -> None:
    request = data.draw(records(ChatCompletion))
    to = target(data.draw(st.sampled_from(HOSTS)), data.draw(st.sampled_from(MODELS)), "drop")
    try:
        thinking_intent(request)
    except RequestError:
        with pytest.raises(RequestError, match="give one of them"):
            encode(request, to)
        return
    wire = encode(request, to)
    payload = json.loads(wire.body)
    assert payload["model"] == to.model
    assert payload.get("stream", False) is wire.stream
    assert encode(request, to) == wire
    leaked = {"enable_thinking", "thinking_budget"} & set(payload)
    assert not leaked or to.preset.thinking.style == "enable_thinking"
    told = {change.field.partition(".")[0].partition("[")[0] for change in wire.adaptations}
    silent = {"stream", "stream_options", "tools", "enable_thinking", "reasoning_effort", "thinking_budget"}
    given_fields = {name for name, value in request.wire().items() if value not in (None, [])}
    aliases = (
        {"max_tokens", "max_completion_tokens"}
        if {"max_tokens", "max_completion_tokens"} & set(payload)
        else set()
    )
    if request.logprobs is False:
        silent.add("logprobs")  # where it is a number, none is the same
    lost = given_fields - set(payload) - told - silent - aliases
    assert lost <= {"tool_choice", "parallel_tool_calls", "top_logprobs"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_refusing_never_drops_what_shapes_the_answer(data: st.DataObject, records: Records) -> None:
    request = data.draw(records(ChatCompletion))
    to = target(data.draw(st.sampled_from(HOSTS)), data.draw(st.sampled_from(MODELS)))
    try:
        wire: WireRequest | None = encode(request, to)
    except (RequestError, UnsupportedError):
        return
    assert wire is not None
    payload = json.loads(wire.body)
    for name in ("n", "stop", "logprobs", "response_format", "modalities", "audio"):
        value = request.wire().get(name)
        default: tuple[Any, ...] = (None, 1, False, [], {"type": "text"}, ["text"])
        assert name in payload or value in default

"""What is written on the Responses wire: every field, its portability, and thinking model by model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mixed_requests import FILE, FILE_URL, IMAGE, REMOTE, SOUND, UPLOAD, target_of

from turnout.config.sections import OnUnsupported
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import WireRequest
from turnout.providers.dialects import dialect
from turnout.providers.errors import MalformedResponseError, UnsupportedError

RESPONSES = dialect("responses")
HI: dict[str, Any] = {"role": "user", "content": "Hi"}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
CUSTOM = {"type": "custom", "custom": {"name": "sql", "description": "d"}}
Fields = dict[str, Any]


def wire(
    model: str, preset: str = "openai-responses", policy: OnUnsupported = "refuse", **fields: Any
) -> WireRequest:
    request = ChatCompletion.parse({"model": "x", "messages": [HI], **fields})
    return RESPONSES.encode(request, target_of(preset, model, on_unsupported=policy))


def sent(
    model: str, preset: str = "openai-responses", policy: OnUnsupported = "refuse", **fields: Any
) -> tuple[Fields, dict[str, str]]:
    """The body, and what was changed by field."""
    made = wire(model, preset, policy, **fields)
    return json.loads(made.body), {one.field: one.action for one in made.adaptations}


def test_nothing_stays_at_the_provider_unless_it_is_asked_to() -> None:
    assert sent("gpt-4o")[0] == {"model": "gpt-4o", "store": False, "input": [HI]}
    assert sent("gpt-4o", store=True)[0]["store"] is True
    body, changes = sent("x/y", "openrouter-responses", store=True)
    assert (body["store"], changes) == (False, {"store": "dropped"})


def test_urls() -> None:
    assert wire("gpt-4o").url == "https://host.example/responses"
    dated = target_of("azure-responses-dated", "prod")
    assert dict(dated.query) == {"api-version": "2025-03-01-preview"}


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.4}, {"top_p": 0.5}, {"metadata": {"a": "b"}}, {"service_tier": "flex"},
        {"prompt_cache_key": "k"}, {"safety_identifier": "s"}, {"user": "u"}, {"max_tool_calls": 3},
        {"prompt_cache_options": {"ttl": "12h"}}, {"moderation": {"model": "m"}}, {"include": ["a.b"]},
    ],
)  # fmt: skip
def test_fields_of_the_same_name(fields: Fields) -> None:
    body, changes = sent("gpt-4.1", **fields)
    assert fields.items() <= body.items()
    assert changes == {}


def test_limits_below_sixteen_tokens_are_raised() -> None:
    body, changes = sent("gpt-4o", max_tokens=3)
    assert (body["max_output_tokens"], changes) == (16, {"max_completion_tokens": "clamped"})
    assert sent("gpt-4o", max_completion_tokens=300)[0]["max_output_tokens"] == 300
    assert sent("m", "vllm-responses", max_tokens=3)[0]["max_output_tokens"] == 3


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"stop": "a"}, "stop"),
        ({"n": 2}, "n"),
        ({"modalities": ["text", "audio"], "audio": {"format": "wav", "voice": "v"}}, "audio"),
        ({"messages": [{"role": "user", "content": [SOUND]}]}, "messages[0].content[0]"),
    ],
)
def test_what_shapes_the_answer_and_cannot_be_said_is_refused(fields: Fields, name: str) -> None:
    with pytest.raises(UnsupportedError):
        sent("gpt-4.1", **fields)
    changes = sent("gpt-4.1", policy="drop", **fields)[1]
    assert changes[name] == "dropped"


def test_what_only_hints_is_dropped_and_told() -> None:
    hints: Fields = {"seed": 7, "presence_penalty": 0.1, "frequency_penalty": 0.1, "logit_bias": {"5": 1}}
    hints |= {"prediction": {"type": "content", "content": "x"}, "previous_response_id": "resp_1", "top_k": 4}
    body, changes = sent("gpt-4.1", **hints)
    assert body == {"model": "gpt-4.1", "store": False, "input": [HI]}
    assert changes == dict.fromkeys(hints, "dropped")
    assert sent("gpt-4.1", n=1, modalities=["text"], response_format={"type": "text"})[1] == {}


def test_an_open_server_takes_its_own_samplers() -> None:
    body, changes = sent("m", "vllm-responses", seed=7, stop=["a"], top_k=4)
    assert (body["seed"], body["stop"], body["top_k"], changes) == (7, ["a"], 4, {})


# -- messages


def test_instructions_and_roles_keep_their_places() -> None:
    later = {"role": "developer", "content": "Now in French."}
    messages = [{"role": "system", "content": "A"}, {"role": "developer", "content": "B"}, HI, later]
    body, changes = sent("gpt-4.1", messages=messages)
    assert (body["instructions"], body["input"], changes) == ("A\n\nB", [HI, later], {})
    body, changes = sent("m", "vllm-responses", messages=messages)
    assert body["input"][-1] == {**later, "role": "system"}
    assert changes == {"messages[3].role": "renamed"}


def test_names_and_cache_marks_are_dropped_and_told() -> None:
    marked = {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    messages = [{"role": "user", "name": "ann", "content": [marked]}]
    body, changes = sent("gpt-4.1", messages=messages)
    assert body["input"] == [{"role": "user", "content": "Look"}]
    assert changes == {"messages[0].name": "dropped", "messages[0].content[0].cache_control": "dropped"}


def test_newer_models_take_cache_marks() -> None:
    marked = {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    own = {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}
    messages = [{"role": "system", "content": [marked]}, {"role": "user", "content": [own]}]
    body, changes = sent("gpt-5.6-sol", messages=messages)
    assert [item["content"][0]["prompt_cache_breakpoint"] for item in body["input"]] == [
        {"mode": "explicit"},
        {"mode": "explicit", "ttl": "12h"},
    ]
    assert changes == {"messages[0].content[0].cache_control.ttl": "dropped"}


def test_images_and_files() -> None:
    link = {"type": "file", "file": {"file_url": "https://x.example/a.pdf"}}
    native = {"type": "input_image", "file_id": "file-2", "detail": "auto"}
    text = {"type": "text", "text": "Look"}
    messages = [{"role": "user", "content": [text, IMAGE, REMOTE, FILE, FILE_URL, UPLOAD, link, native]}]
    body, changes = sent("gpt-4.1", messages=messages)
    parts = body["input"][0]["content"]
    assert changes == {}
    assert parts[0] == {"type": "input_text", "text": "Look"}
    assert parts[1]["image_url"].startswith("data:image/png;base64,")
    assert [part.get("detail") for part in parts[1:3]] == ["low", "auto"]
    assert (parts[3]["filename"], parts[4]["filename"]) == ("paper.pdf", "file.pdf")
    assert parts[3]["file_data"] == parts[4]["file_data"]
    assert parts[5:] == [
        {"type": "input_file", "file_id": "file-1"},
        {"type": "input_file", "file_url": "https://x.example/a.pdf"},
        native,
    ]


@pytest.mark.parametrize("part", [IMAGE, REMOTE, FILE, {"type": "video_url", "video_url": {}}])
def test_parts_that_a_host_cannot_take(part: Fields) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]
    with pytest.raises(UnsupportedError, match=r"messages\[0\]\.content\[1\]"):
        sent("deepseek-v4", "deepseek-responses", messages=messages)
    dropped = sent("deepseek-v4", "deepseek-responses", "drop", messages=messages)[0]
    assert dropped["input"] == [{"role": "user", "content": "Look"}]


def test_cached_texts_of_the_wires_own_kind_are_dropped_too() -> None:
    part = {"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}
    changes = sent("gpt-5", messages=[{"role": "user", "content": [part]}])[1]
    assert changes == {"messages[0].content[0].prompt_cache_breakpoint": "dropped"}


def test_a_file_by_its_address() -> None:
    part = {"type": "file", "file": {"file_data": "https://x.example/a.pdf"}}
    assert sent("gpt-4o", messages=[{"role": "user", "content": [part]}])[0]["input"][0]["content"] == [
        {"type": "input_file", "file_url": "https://x.example/a.pdf"}
    ]


def test_a_file_without_anything_in_it_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="neither"):
        sent(
            "gpt-4o",
            messages=[{"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf"}}]}],
        )


def test_remote_images_where_only_data_is_taken() -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "Look"}, REMOTE]}]
    with pytest.raises(UnsupportedError, match="data URLs"):
        sent("m", "ollama-responses", messages=messages)


def test_an_empty_conversation_still_has_an_item() -> None:
    assert sent("gpt-4o", messages=[{"role": "user", "content": ""}])[0]["input"] == [
        {"role": "user", "content": ""}
    ]


def test_refusals_are_said_again() -> None:
    spoken = [{"type": "text", "text": "Hm"}, {"type": "refusal", "refusal": "No."}]
    messages = [HI, {"role": "assistant", "content": spoken}, {"role": "assistant", "refusal": "No!"}]
    body, changes = sent("gpt-4o", messages=messages)
    assert body["input"][1:] == [
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hm"}, {"type": "refusal", "refusal": "No."}],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No!"}]},
    ]
    assert changes == {}
    body, changes = sent("m", "vllm-responses", messages=messages)
    assert [item["content"] for item in body["input"]] == ["Hi", "HmNo.", "No!"]
    assert set(changes.values()) == {"emulated"}


def test_an_assistants_parts() -> None:
    marked = {"type": "text", "text": "One", "cache_control": {"type": "ephemeral"}}
    with pytest.raises(UnsupportedError, match="image_url"):
        sent("gpt-4o", messages=[HI, {"role": "assistant", "content": [marked, IMAGE]}])
    body, changes = sent("gpt-4o", messages=[HI, {"role": "assistant", "content": [marked]}])
    assert body["input"][1] == {"role": "assistant", "content": "One"}
    assert changes == {"messages[1].content[0].cache_control": "dropped"}


def called(*ids: str, **fields: Any) -> Fields:
    calls = [{"id": name, "type": "function", "function": {"name": "now", "arguments": ""}} for name in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls, **fields}


def result(name: str, content: Any = "9", **fields: Any) -> Fields:
    return {"role": "tool", "tool_call_id": name, "content": content, **fields}


def test_calls_and_results() -> None:
    messages = [
        HI,
        called("call_1"),
        result("call_1", [{"type": "text", "text": "Look"}, IMAGE], is_error=True),
    ]
    body, changes = sent("gpt-4o", messages=messages)
    assert body["input"][1] == {
        "type": "function_call",
        "call_id": "call_1",
        "name": "now",
        "arguments": "{}",
    }
    assert [part["type"] for part in body["input"][2]["output"]] == ["input_text", "input_image"]
    assert changes == {"messages[2].is_error": "dropped"}
    with pytest.raises(UnsupportedError, match="text only"):
        sent("m", "llama-cpp-responses", messages=messages)
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    body, _ = sent("m", "llama-cpp-responses", messages=[*messages[:2], result("call_1", texts)])
    assert body["input"][2]["output"] == "a\nb"


def test_long_and_repeated_call_ids_are_fitted_on_both_sides() -> None:
    long = "x" * 80
    messages = [
        HI,
        called(long, "call_0"),
        result("call_0"),
        result(long),
        called("call_0"),
        result("call_0", ""),
    ]
    body, _ = sent("gpt-4o", messages=messages)
    ids = [item["call_id"] for item in body["input"][1:]]
    assert ids[:2] == ids[2:4]
    assert ids[4] == ids[5]
    assert len({ids[0], ids[1], ids[4]}) == 3
    assert max(map(len, ids)) <= 64
    assert body["input"][-1]["output"] == ""


def test_a_host_that_counts_calls_from_zero_gets_its_own_ids_back() -> None:
    messages = [HI, called("call_0-0123abcd"), result("call_0-0123abcd"), called("call_0-89abcdef")]
    body, _ = sent("openai.gpt-5.5", "bedrock-mantle", messages=messages)
    assert [item["call_id"] for item in body["input"][1:]] == ["call_0"] * 4


def test_custom_calls_and_their_results() -> None:
    call = {"id": "call_7", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    messages = [HI, {"role": "assistant", "content": None, "tool_calls": [call]}, result("call_7")]
    assert sent("gpt-5", messages=messages)[0]["input"][1:] == [
        {"type": "custom_tool_call", "call_id": "call_7", "name": "sql", "input": "select 1"},
        {"type": "custom_tool_call_output", "call_id": "call_7", "output": "9"},
    ]
    body, changes = sent("m", "llama-cpp-responses", messages=messages)
    assert [item.get("type") for item in body["input"][1:]] == ["function_call", "function_call_output"]
    assert body["input"][1]["arguments"] == '{"input": "select 1"}'
    assert changes == {"messages[1].tool_calls[0]": "emulated", "stream": "emulated"}


# -- tools


def test_tools_are_flat_and_not_strict_unless_asked() -> None:
    strict = {"type": "function", "function": {"name": "f", "strict": True, "description": "d"}}
    marked = {**TOOL, "cache_control": {"type": "ephemeral"}}
    body, changes = sent("gpt-4o", tools=[marked, strict])
    assert body["tools"] == [
        {"type": "function", "name": "now", "parameters": {"type": "object"}, "strict": False},
        {
            "type": "function",
            "name": "f",
            "description": "d",
            "parameters": {"type": "object", "properties": {}},
            "strict": True,
        },
    ]
    assert changes == {"tools[0].cache_control": "dropped"}
    body, changes = sent("m", "ollama-responses", tools=[strict])
    assert ("strict" in body["tools"][0], changes) == (False, {"tools[0].function.strict": "dropped"})


def test_custom_tools_and_the_hosts_own() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a/"}}
    given = {"type": "custom", "custom": {"name": "g", "format": grammar}}
    own = {"type": "web_search", "cache_control": {"type": "ephemeral"}}
    body, changes = sent("gpt-5", tools=[CUSTOM, given, own])
    assert body["tools"] == [
        {"type": "custom", "name": "sql", "description": "d"},
        {
            "type": "custom",
            "name": "g",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"},
        },
        {"type": "web_search"},
    ]
    assert changes == {"tools[2].cache_control": "dropped"}
    for tool in (CUSTOM, own):
        with pytest.raises(UnsupportedError, match="functions"):
            sent("m", "llama-cpp-responses", tools=[tool])


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "now"}}, {"type": "function", "name": "now"}),
        ({"type": "custom", "custom": {"name": "sql"}}, {"type": "custom", "name": "sql"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOL]}},
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "now"}]},
        ),
        ({"type": "web_search"}, {"type": "web_search"}),
    ],
)
def test_choices(choice: Any, written: Any) -> None:
    body, changes = sent("gpt-5", tools=[TOOL, CUSTOM], tool_choice=choice, parallel_tool_calls=False)
    assert (body["tool_choice"], body["parallel_tool_calls"], changes) == (written, False, {})


def test_choices_without_tools_are_dropped() -> None:
    assert sent("gpt-5", tools=[], tool_choice="none")[1] == {}
    body, changes = sent("gpt-5", tools=[], tool_choice="required")
    assert ("tools" in body, changes) == (False, {"tool_choice": "dropped"})


def test_choices_that_a_host_does_not_know() -> None:
    body, changes = sent("m", "ollama-responses", tools=[TOOL], tool_choice="none", parallel_tool_calls=False)
    assert ("tools" in body, changes) == (False, {"tool_choice": "emulated"})
    body, changes = sent("m", "ollama-responses", tools=[TOOL], parallel_tool_calls=False)
    assert changes == {"parallel_tool_calls": "dropped"}
    with pytest.raises(UnsupportedError, match="required"):
        sent("m", "ollama-responses", tools=[TOOL], tool_choice="required")


def test_deepseek_forces_tools_only_without_thinking() -> None:
    body, changes = sent("deepseek-v4", "deepseek-responses", tools=[TOOL], tool_choice="required")
    assert (body["reasoning"], body["tool_choice"]) == ({"effort": "none"}, "required")
    assert changes == {"reasoning_effort": "clamped"}
    fields: Fields = {"tools": [TOOL], "tool_choice": "required", "reasoning_effort": "high"}
    with pytest.raises(UnsupportedError, match="forced"):
        sent("deepseek-v4", "deepseek-responses", **fields)
    assert "tool_choice" not in sent("deepseek-v4", "deepseek-responses", "drop", **fields)[0]


def test_a_custom_tool_in_this_wires_own_words() -> None:
    flat = {"type": "custom", "name": "sql"}
    assert sent("gpt-5", tools=[flat])[0]["tools"] == [flat]


def test_tools_and_formats_that_go_where_the_user_chose_to_drop() -> None:
    body, changes = sent("m", "llama-cpp-responses", "drop", tools=[CUSTOM], tool_choice="auto", stream=True)
    assert ("tools" in body, changes) == (False, {"tools[0]": "dropped"})
    wanted = {"type": "json_object"}
    target = target_of("openai-responses", "m", quirks={"unsupported": ["response_format"]})
    request = ChatCompletion.parse({"model": "x", "messages": [HI], "response_format": wanted})
    assert [one.field for one in RESPONSES.encode(request, target).adaptations] == ["response_format"]


def test_only_a_choice_that_forces_a_call_is_at_odds_with_thinking() -> None:
    for mode in ("auto", "required"):
        choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [TOOL]}}
        body, changes = sent("deepseek-v4", "deepseek-responses", tools=[TOOL], tool_choice=choice)
        assert body["tool_choice"]["mode"] == mode
        assert bool(changes) == (mode == "required")


def test_remote_images_go_where_the_user_chose_to_drop() -> None:
    parts = [{"type": "text", "text": "Look"}, REMOTE]
    body, changes = sent("m", "ollama-responses", "drop", messages=[{"role": "user", "content": parts}])
    assert body["input"] == [{"role": "user", "content": "Look"}]
    assert changes["messages[0].content[1]"] == "dropped"


def test_a_file_without_anything_goes_where_the_user_chose_to_drop() -> None:
    parts = [{"type": "text", "text": "Look"}, {"type": "file", "file": {"filename": "a.pdf"}}]
    body, _ = sent("gpt-4o", policy="drop", messages=[{"role": "user", "content": parts}])
    assert body["input"] == [{"role": "user", "content": "Look"}]


def test_web_search_becomes_a_tool() -> None:
    place = {"type": "approximate", "approximate": {"city": "Oslo"}}
    options = {"search_context_size": "low", "user_location": place}
    assert sent("gpt-5", web_search_options=options)[0]["tools"] == [
        {
            "type": "web_search",
            "search_context_size": "low",
            "user_location": {"type": "approximate", "city": "Oslo"},
        }
    ]
    assert sent("m", "vllm-responses", web_search_options={})[1] == {"web_search_options": "dropped"}


# -- formats and log probabilities


def test_json_is_asked_for_in_a_message_where_nobody_did() -> None:
    body, changes = sent("gpt-4o", response_format={"type": "json_object"})
    assert body["input"][0]["role"] == "system"
    assert "JSON" in body["input"][0]["content"]
    assert changes == {"response_format": "emulated"}
    parts = [{"type": "text", "text": "as json"}, {"type": "text", "text": "please"}]
    body, changes = sent(
        "gpt-4o", messages=[{"role": "user", "content": parts}], response_format={"type": "json_object"}
    )
    assert (len(body["input"]), changes) == (1, {})


def test_formats_that_a_host_does_not_know() -> None:
    with pytest.raises(UnsupportedError, match="json_object"):
        sent("m", "ollama-responses", response_format={"type": "json_object"})


def test_log_probabilities_are_asked_for_under_include() -> None:
    body, changes = sent("gpt-4o", logprobs=True, top_logprobs=2, include=["x"])
    assert (body["top_logprobs"], body["include"]) == (2, ["x", "message.output_text.logprobs"])
    assert changes == {}
    assert "top_logprobs" not in sent("gpt-4o", logprobs=True)[0]
    with pytest.raises(UnsupportedError, match="logprobs"):
        sent("gpt-5.5", logprobs=True)
    body, changes = sent("gpt-5.5", policy="drop", logprobs=True, top_logprobs=2)
    assert ("top_logprobs" in body, changes) == (False, {"logprobs": "dropped"})


# -- thinking


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("gpt-4o", "- - - - -"),
        ("gpt-5-chat-latest", "- - - - -"),
        ("o3", "! low low high high"),
        ("o3-pro", "! low low high high"),
        ("o4-mini-deep-research", "! medium medium medium medium"),
        ("gpt-5-mini", "! minimal low high high"),
        ("gpt-5-codex", "! low low high high"),
        ("gpt-5-pro", "! high high high high"),
        ("gpt-5.1", "none low low high high"),
        ("gpt-5.1-codex-max", "! low low high xhigh"),
        ("gpt-5.2-chat-latest", "! medium medium medium medium"),
        ("gpt-5.2-pro", "! medium medium high xhigh"),
        ("gpt-5.4-mini", "none low low high xhigh"),
        ("gpt-5.5", "none low low high xhigh"),
        ("gpt-5.6-sol", "none low low high max"),
        ("gpt-6-astra", "! low low high max"),
        ("gpt-6.1-sol", "! low low high max"),
        ("gpt-6-sol", "none low low high max"),
    ],
)
def test_efforts_model_by_model(model: str, efforts: str) -> None:
    words = ("none", "minimal", "low", "high", "max")
    for word, wanted in zip(words, efforts.split(), strict=True):
        if wanted == "!":
            with pytest.raises(UnsupportedError, match="cannot stop thinking"):
                sent(model, reasoning_effort=word)
            continue
        reasoning = sent(model, reasoning_effort=word)[0].get("reasoning", {})
        assert reasoning.get("effort", "-") == wanted, word


def test_encrypted_reasoning_is_asked_for_where_a_model_thinks() -> None:
    assert sent("gpt-5.5")[0]["include"] == ["reasoning.encrypted_content"]
    for model, effort in (("gpt-5.5", "none"), ("gpt-5.4", None), ("gpt-4o", None)):
        assert "include" not in sent(model, reasoning_effort=effort)[0]
    assert "include" not in sent("deepseek-v4", "deepseek-responses")[0]


def test_a_summary_is_asked_for_with_the_thinking_and_can_be_left_out() -> None:
    assert "reasoning" not in sent("gpt-5.5")[0]
    for fields in ({"enable_thinking": True}, {"reasoning_effort": "low"}, {"thinking_budget": 2048}):
        assert sent("gpt-5.5", **fields)[0]["reasoning"]["summary"] == "auto"
    assert "reasoning" not in sent("gpt-5.5", enable_thinking=True, reasoning={"summary": None})[0]
    assert sent("gpt-5.5", reasoning_effort="low", reasoning={"context": "all_turns"})[0]["reasoning"] == {
        "effort": "low",
        "summary": "auto",
        "context": "all_turns",
    }
    assert sent("o1-pro", reasoning_effort="low")[0]["reasoning"] == {"effort": "low"}
    quiet = target_of("openai-responses", "gpt-5.5", models={"*": {"flags": ["-reasoning_summary"]}})
    request = ChatCompletion.parse({"model": "x", "messages": [HI], "reasoning_effort": "low"})
    assert json.loads(RESPONSES.encode(request, quiet).body)["reasoning"] == {"effort": "low"}


def test_samplers_go_only_without_thinking() -> None:
    body, changes = sent("gpt-5.5", temperature=0.5, top_p=0.5)
    assert (body.keys() & {"temperature", "top_p"}, changes) == (
        set(),
        {"temperature": "dropped", "top_p": "dropped"},
    )
    body, changes = sent("gpt-5.5", temperature=0.5, reasoning_effort="none")
    assert (body["temperature"], body["reasoning"], changes) == (0.5, {"effort": "none"}, {})


def test_hosts_have_their_own_words_for_fields() -> None:
    body, changes = sent("openai.gpt-5.5", "bedrock-mantle", service_tier="flex")
    assert ("service_tier" in body, changes) == (False, {"service_tier": "dropped"})
    body, changes = sent("deepseek-v4", "deepseek-responses", reasoning_effort="medium", verbosity="low")
    assert (body["reasoning"], changes) == (
        {"effort": "high"},
        {"reasoning_effort": "clamped", "verbosity": "dropped"},
    )
    body, _ = sent("openai/gpt-5", "openrouter-responses", thinking_budget=3000, provider={"order": ["a"]})
    assert body["reasoning"] == {"max_tokens": 3000, "summary": "auto"}
    assert body["provider"] == {"order": ["a"]}


def test_streams_tell_usage_unasked() -> None:
    options = {"include_usage": True, "include_obfuscation": False, "tomorrow": 1}
    made = wire("gpt-4o", stream=True, stream_options=options)
    body = json.loads(made.body)
    assert (body["stream"], body["stream_options"]) == (True, {"include_obfuscation": False})
    assert [one.field for one in made.adaptations] == ["stream_options.tomorrow"]
    assert made.stream


def test_the_list_of_models() -> None:
    target = target_of("openai-responses", "")
    assert RESPONSES.models_request(target).url.endswith("/models")
    assert RESPONSES.models(b'{"data": [{"id": "gpt-5.5"}]}', target).data[0].id == "gpt-5.5"
    with pytest.raises(MalformedResponseError):
        RESPONSES.models(b"[]", target)

"""How a request becomes Ollama's own, field by field, and what its answers and models become."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import CALL, FUNCTION, IMAGE, PIXEL, REMOTE, SOUND, target_of

from turnout.config.sections import OnUnsupported
from turnout.config.settings import ProviderSettings
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target, WireRequest
from turnout.providers.dialects.ollama import OllamaDialect
from turnout.providers.errors import MalformedResponseError, UnsupportedError
from turnout.providers.folding import fold
from turnout.providers.targets import preset_of, resolve

Fields = dict[str, Any]
OLLAMA = OllamaDialect()
TOOL: Fields = {"type": "function", "function": FUNCTION}
HI: list[Fields] = [{"role": "user", "content": "Hi"}]


def target(
    model: str = "qwen3:8b", preset: str = "ollama-native", unsupported: OnUnsupported = "refuse"
) -> Target:
    return target_of(preset, model, on_unsupported=unsupported)


def encoded(to: Target | None = None, **fields: Any) -> WireRequest:
    request = ChatCompletion.parse({"model": "m", "messages": HI, **fields})
    return OLLAMA.encode(request, to or target())


def payload(to: Target | None = None, **fields: Any) -> Fields:
    body: Fields = json.loads(encoded(to, **fields).body)
    return body


def message(*content: Fields, role: str = "user", to: Target | None = None, **fields: Any) -> Fields:
    """One message as it is sent."""
    (sent,) = payload(to, messages=[{"role": role, "content": list(content), **fields}])["messages"]
    assert isinstance(sent, dict)
    return sent


def changes(wire: WireRequest) -> list[tuple[str, str]]:
    return [(one.field, one.action) for one in wire.adaptations]


def test_where_it_goes() -> None:
    here = resolve("p", ProviderSettings(preset="ollama-native"), "m", env={"OLLAMA_API_KEY": "secret"})
    wire = encoded(here)
    assert (wire.method, wire.url) == ("POST", "http://127.0.0.1:11434/api/chat")
    assert "authorization" not in {name.lower() for name in wire.headers}
    cloud = resolve("p", ProviderSettings(preset="ollama-cloud"), "m", env={"OLLAMA_API_KEY": "secret"})
    assert encoded(cloud).url == "https://ollama.com/api/chat"
    assert "Bearer secret" in encoded(cloud).headers.values()


def test_the_openai_row_names_its_twin() -> None:
    settings = ProviderSettings(preset="ollama", dialect="ollama")
    assert preset_of("p", settings).name == "ollama-native"


def test_whether_to_stream_is_always_said() -> None:
    assert payload()["stream"] is False
    assert payload(stream=True)["stream"] is True
    assert encoded(stream=True, stream_options={"include_usage": True}).adaptations == ()


def test_text_parts_are_one_text_and_images_stand_beside_it() -> None:
    sent = message({"type": "text", "text": "Look"}, IMAGE, {"type": "text", "text": "closely"})
    assert sent == {"role": "user", "content": "Look\n\nclosely", "images": [PIXEL]}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    assert message(image) == {"role": "user", "content": "", "images": [PIXEL]}
    assert changes(encoded(messages=[{"role": "user", "content": [IMAGE]}])) == [
        ("messages[0].content[0].image_url.detail", "dropped")
    ]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (REMOTE, "messages[0].content[0].image_url.url"),
        (SOUND, "messages[0].content[0]"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "messages[0].content[0].file"),
        (
            {"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}},
            "messages[0].content[0].file",
        ),
        ({"type": "video_url", "video_url": {}}, "messages[0].content[0]"),
    ],
    ids=["remote image", "sound", "upload", "text that is not UTF-8", "unknown"],
)
def test_what_the_wire_cannot_carry_is_refused_or_dropped(part: Fields, field: str) -> None:
    with pytest.raises(UnsupportedError, match=r"choose another target|give a data URL") as refused:
        message(part)
    assert refused.value.field == field
    told = encoded(target(unsupported="drop"), messages=[{"role": "user", "content": [part]}])
    assert changes(told) == [(field, "dropped")]
    assert json.loads(told.body)["messages"] == [{"role": "user", "content": ""}]


def test_a_text_file_stands_in_the_message() -> None:
    note = {"type": "file", "file": {"file_data": "data:text/plain;base64,SGVsbG8=", "filename": "note.txt"}}
    unnamed = {"type": "file", "file": {"file_data": "data:text/plain;base64,SGVsbG8="}}
    assert message(note, unnamed)["content"] == "note.txt:\nHello\n\nHello"
    assert changes(encoded(messages=[{"role": "user", "content": [note]}])) == [
        ("messages[0].content[0].file", "emulated")
    ]


def test_a_conversation_of_nothing_is_no_wish_to_load_the_model() -> None:
    assert payload(messages=[{"role": "user", "content": ""}])["messages"] == [
        {"role": "user", "content": ""}
    ]


def test_thinking_is_given_back_only_to_models_that_think() -> None:
    spoken = [{"role": "assistant", "content": "A", "reasoning": "Why"}, *HI]
    assert payload(messages=spoken)["messages"][0] == {"role": "assistant", "content": "A", "thinking": "Why"}
    silent = encoded(target("llama3.2"), messages=spoken)
    assert json.loads(silent.body)["messages"][0] == {"role": "assistant", "content": "A"}
    assert changes(silent) == [("messages[0].reasoning", "dropped")]


def test_calls_have_objects_for_arguments_and_results_name_their_function() -> None:
    odd = {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "tomorrow"}, "note": 1}
    custom = {"id": "c3", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    wire = encoded(
        messages=[
            {"role": "assistant", "content": None, "tool_calls": [CALL, odd, custom]},
            {"role": "tool", "tool_call_id": "c3", "content": [{"type": "text", "text": "1"}, IMAGE]},
            {"role": "tool", "tool_call_id": "call_1", "content": ""},
        ]
    )
    asked, first, second, third = json.loads(wire.body)["messages"]
    assert [call["function"]["arguments"] for call in asked["tool_calls"]] == [
        {"zone": "CET"},
        {"arguments": "tomorrow"},
        {"input": "select 1"},
    ]
    assert first == {"role": "tool", "content": "", "tool_name": "now", "tool_call_id": "call_1"}
    assert second["content"].startswith("No result")
    assert third == {
        "role": "tool",
        "content": "1",
        "images": [PIXEL],
        "tool_name": "sql",
        "tool_call_id": "c3",
    }
    assert set(changes(wire)) == {
        ("messages[0].tool_calls[1]", "emulated"),
        ("messages[0].tool_calls[1].note", "dropped"),
        ("messages[0].tool_calls[1].function.arguments", "emulated"),
        ("messages[0].tool_calls[2]", "emulated"),
        ("messages[1].content[1].image_url.detail", "dropped"),
    }


def test_signed_reasoning_of_others_stays_behind() -> None:
    kept = {"type": "anthropic.thinking", "provider": "a", "model": "b", "index": 0, "block": {"secret": 1}}
    spoken = [{"role": "assistant", "content": "A", "reasoning_details": [kept]}, *HI]
    wire = encoded(messages=spoken)
    assert b"secret" not in wire.body
    assert changes(wire) == [("messages[0].reasoning_details", "dropped")]


def test_cache_marks_are_reported() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    wire = encoded(
        messages=[{"role": "user", "content": [{"type": "text", "text": "x", **mark}]}],
        tools=[{"type": "function", "function": {**FUNCTION, "strict": True}, **mark}],
    )
    assert changes(wire) == [
        ("messages[0].content[0].cache_control", "dropped"),
        ("tools[0].cache_control", "dropped"),
        ("tools[0].function.strict", "dropped"),
    ]


def test_functions_are_sent_with_schemas_that_the_server_can_read() -> None:
    assert payload(tools=[TOOL])["tools"] == [TOOL]
    bare, odd = {"name": "f"}, {"name": "g", "parameters": {"properties": {"any": True}, "$defs": {}}}
    sent = payload(tools=[{"type": "function", "function": one} for one in (bare, odd)])["tools"]
    assert [tool["function"]["parameters"] for tool in sent] == [
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"any": {}}, "$defs": {}},
    ]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "now"}}])
def test_a_choice_that_forces_a_call_is_refused(choice: Any) -> None:
    with pytest.raises(UnsupportedError) as refused:
        encoded(tools=[TOOL], tool_choice=choice)
    assert refused.value.field == "tool_choice"
    told = encoded(target(unsupported="drop"), tools=[TOOL], tool_choice=choice)
    assert changes(told) == [("tool_choice", "dropped")]
    assert json.loads(told.body)["tools"] == [TOOL]


def test_no_tools_are_sent_where_none_may_be_called() -> None:
    wire = encoded(tools=[TOOL], tool_choice="none")
    assert "tools" not in json.loads(wire.body)
    assert changes(wire) == [("tool_choice", "emulated")]


def test_custom_tools_are_refused_and_single_calls_cannot_be_asked_for() -> None:
    with pytest.raises(UnsupportedError) as refused:
        encoded(tools=[{"type": "custom", "custom": {"name": "sql"}}])
    assert refused.value.field == "tools[0]"
    wire = encoded(tools=[TOOL], tool_choice="auto", parallel_tool_calls=False)
    assert changes(wire) == [("parallel_tool_calls", "dropped")]


def test_options_under_the_wires_names_the_requests_own_first() -> None:
    wire = encoded(max_tokens=5, num_predict=9, temperature=0, repetition_penalty=1.2, options={"num_ctx": 1})
    assert json.loads(wire.body)["options"] == {
        "num_predict": 9,
        "temperature": 0,
        "repeat_penalty": 1.2,
        "num_ctx": 1,
    }
    assert changes(wire) == [("max_tokens", "dropped"), ("repetition_penalty", "renamed")]
    again = encoded(repetition_penalty=1.2, repeat_penalty=1.3, top_k=4, options={"top_k": 4})
    assert json.loads(again.body)["options"] == {"repeat_penalty": 1.3, "top_k": 4}
    assert changes(again) == [("repetition_penalty", "dropped")]
    assert changes(encoded(options=[1])) == [("options", "dropped")]
    assert "options" not in payload(options=[1])


def test_the_wires_own_fields_pass_and_win() -> None:
    sent = payload(keep_alive=-1, truncate=False, shift=False)
    assert (sent["keep_alive"], sent["truncate"], sent["shift"]) == (-1, False, False)
    wire = encoded(think="low", enable_thinking=False, format="json", response_format={
        "type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}})  # fmt: skip
    assert (json.loads(wire.body)["think"], json.loads(wire.body)["format"]) == ("low", "json")
    assert changes(wire) == [("response_format", "dropped"), ("enable_thinking", "dropped")]


def test_probabilities_are_asked_for_at_the_top() -> None:
    sent = payload(logprobs=True, top_logprobs=2)
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 2)
    assert "top_logprobs" not in payload(logprobs=True)
    assert "logprobs" not in payload(logprobs=False)


def test_what_is_left_over_is_refused_or_reported() -> None:
    with pytest.raises(UnsupportedError) as refused:
        encoded(n=2)
    assert refused.value.field == "n"
    assert changes(encoded(user="u", logit_bias={"1": 2}, n=1, store=False)) == [
        ("logit_bias", "dropped"),
        ("user", "dropped"),
    ]


@pytest.mark.parametrize(
    ("model", "asked", "think"),
    [
        ("qwen3:8b", {}, None),
        ("qwen3:8b", {"enable_thinking": True}, True),
        ("qwen3:8b", {"enable_thinking": False}, False),
        ("qwen3:8b", {"reasoning_effort": "high"}, True),
        ("hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M", {"reasoning_effort": "none"}, False),
        ("qwen3:4b-thinking-2507", {"enable_thinking": True}, True),
        ("deepseek-r1:32b", {"thinking_budget": 100}, True),
        ("magistral", {"enable_thinking": False}, False),
        ("gpt-oss:20b", {"enable_thinking": True}, None),
        ("gpt-oss:120b-cloud", {"reasoning_effort": "xhigh"}, "high"),
        ("house/own-model", {}, None),
        ("house/own-model", {"enable_thinking": True}, True),
        ("house/own-model", {"enable_thinking": False}, False),
        ("house/own-model", {"reasoning_effort": "max"}, "max"),
        ("house/own-model", {"reasoning_effort": "xhigh"}, "max"),
        ("house/own-model", {"reasoning_effort": "minimal"}, "low"),
        ("llama3.2:1b", {"enable_thinking": True}, None),
        ("llama3.2:1b", {"enable_thinking": False}, None),
        ("qwen3-coder:30b", {"reasoning_effort": "low"}, None),
        ("qwen3:30b-a3b-instruct-2507-q4_K_M", {"enable_thinking": True}, None),
    ],
)  # fmt: skip
def test_how_each_family_is_told_to_think(model: str, asked: Fields, think: bool | str | None) -> None:
    assert payload(target(model), **asked).get("think") == think


@pytest.mark.parametrize("model", ["gpt-oss:20b", "qwen3:4b-thinking-2507"])
def test_models_that_cannot_stop_thinking_refuse_to(model: str) -> None:
    with pytest.raises(UnsupportedError, match="cannot stop thinking"):
        payload(target(model), enable_thinking=False)
    told = payload(target(model, unsupported="drop"), enable_thinking=False)
    assert told.get("think") == ("low" if "oss" in model else None)


def test_the_list_of_models() -> None:
    body = {
        "models": [
            {"name": "a:latest", "model": "a:latest", "modified_at": "2026-01-01T00:00:00+01:00", "size": 5},
            {"name": "b", "details": {"family": "llama"}, "object": "x"},
        ]
    }
    assert OLLAMA.models_request(target()).url == "https://host.example/api/tags"
    first, second = OLLAMA.models(json.dumps(body).encode(), target()).data
    assert (first.id, first.created, (first.model_extra or {})["size"]) == ("a:latest", 1767222000, 5)
    assert (second.id, second.created, second.object) == ("b", None, "model")
    for wrong in (b"{}", b'{"models": [1]}', b'{"models": [{}]}', b"<html>"):
        with pytest.raises(MalformedResponseError):
            OLLAMA.models(wrong, target())


def test_an_answer_without_a_moment_gets_an_id_all_the_same() -> None:
    body = json.dumps({"message": {"content": "x"}, "done": True}).encode()
    request = ChatCompletion.parse({"model": "m", "messages": HI})
    one, other = (OLLAMA.decode(body, request, target()) for _ in range(2))
    assert one.id.startswith("chatcmpl-")
    assert one.id != other.id
    assert one.created == 0


def test_a_moment_may_be_a_number() -> None:
    body = json.dumps({"created_at": 1767225600.5, "id": "x-1", "message": {"content": "x"}, "done": True})
    request = ChatCompletion.parse({"model": "m", "messages": HI})
    response = OLLAMA.decode(body.encode(), request, target())
    assert (response.id, response.created) == ("x-1", 1767225600)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=5)
PLAIN = WORDS.filter(lambda text: "<" not in text)
CALLS = st.fixed_dictionaries(
    {
        "function": st.fixed_dictionaries(
            {
                "name": WORDS,
                "arguments": st.dictionaries(WORDS, st.integers() | WORDS | st.none(), max_size=2),
            }
        )
    },
    optional={"id": WORDS},
)
LINES = st.fixed_dictionaries(
    {},
    optional={"content": PLAIN, "thinking": WORDS, "tool_calls": st.lists(CALLS, max_size=2)},
)


@given(
    st.lists(LINES, max_size=5),
    st.sampled_from(["stop", "length", None]),
    st.fixed_dictionaries(
        {}, optional={"prompt_eval_count": st.integers(0, 9), "eval_count": st.integers(0, 9)}
    ),
    st.lists(st.integers(0, 4000), max_size=5),
)
def test_a_stream_however_it_is_cut_is_the_whole_answer(
    lines: list[Fields], reason: str | None, counters: Fields, places: list[int]
) -> None:
    around = {"model": "m", "created_at": "2026-01-01T00:00:00.5Z"}
    last = {**around, "message": {"role": "assistant", "content": ""}, "done": True, **counters}
    last |= {"done_reason": reason} if reason else {}
    sent = [{**around, "message": {"role": "assistant", **line}, "done": False} for line in lines]
    joined: Fields = {
        "role": "assistant",
        "content": "".join(line.get("content", "") for line in lines),
        "thinking": "".join(line.get("thinking", "") for line in lines),
        "tool_calls": [call for line in lines for call in line.get("tool_calls", ())],
    }
    wire = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in [*sent, last]).encode()
    cuts = sorted({min(place, len(wire)) for place in places})
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]

    request = ChatCompletion.parse({"model": "m", "messages": HI})
    decoder = OLLAMA.decoder(request, target())
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    assert decoder.done
    assert list(decoder.close()) == []

    whole = OLLAMA.decode(json.dumps({**last, "message": joined}).encode(), request, target())
    assert fold(chunks).wire() == whole.wire()
    assert (whole.choices[0].message.content or "") == joined["content"]
    assert (whole.choices[0].message.reasoning or "") == joined["thinking"]
    assert len(whole.choices[0].message.tool_calls or ()) == len(joined["tool_calls"])

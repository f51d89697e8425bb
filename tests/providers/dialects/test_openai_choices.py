"""The odd habits of hosts inside one choice: names of reasoning, parts, tool calls, held-back tags."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from turnout.providers.catalogue import catalogue
from turnout.providers.dialect import Target
from turnout.providers.dialects.openai_choices import FINISH, ChoiceReader, ToolCallReader

Json = dict[str, Any]


def reader(preset: str = "openai-compatible") -> ChoiceReader:
    target = Target("house", "m", catalogue()[preset], "https://llm.example/v1", SecretStr("sk-test-123456"))
    return ChoiceReader(target, 0, "seed")


def whole(message: Json, preset: str = "openai-compatible", **choice: Any) -> Json:
    choice = {"finish_reason": "stop", **choice, "message": message}
    reader(preset).message(choice, message)
    return choice


def deltas(*pieces: Json, finish: str | None = "stop", preset: str = "openai-compatible") -> list[Json]:
    """The pieces as read, the last one with the finish reason."""
    one = reader(preset)
    for number, piece in enumerate(pieces, 1):
        one.delta({"finish_reason": finish if number == len(pieces) else None}, piece)
    return list(pieces)


def calls(*fragments: Json) -> list[list[Json]]:
    """Fragments of tool calls, one delta each, joined by the index they were given."""
    one = ToolCallReader("seed", "tool_calls")
    joined: list[list[Json]] = []
    for fragment in fragments:
        for read in one.fragments(fragment.get("several", [fragment])):
            if read["index"] == len(joined):
                joined.append([])
            joined[read["index"]].append(read)
    return joined


def arguments(joined: list[list[Json]]) -> list[str]:
    return ["".join(read.get("function", {}).get("arguments", "") for read in call) for call in joined]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_has_many_names(name: str) -> None:
    message = whole({"content": "Hi", name: "greet"})["message"]
    assert message == {"role": "assistant", "content": "Hi", "reasoning": "greet"}


def test_a_second_and_different_reasoning_is_kept_beside_the_first() -> None:
    message = whole({"content": "Hi", "reasoning_content": "one", "reasoning": "two", "thinking": "one"})[
        "message"
    ]
    assert (message["reasoning"], message["native_reasoning"]) == ("one", "two")


def test_empty_reasoning_is_none() -> None:
    message = whole({"content": "Hi", "reasoning": "", "reasoning_content": None, "reasoning_details": []})[
        "message"
    ]
    assert message == {"role": "assistant", "content": "Hi"}


def test_details_say_whose_they_are_and_keep_what_they_said() -> None:
    details = [
        {"type": "reasoning.summary", "summary": "sum"},
        {"text": "mary", "provider": "other"},
        {"data": "x"},
    ]
    message = whole({"content": None, "reasoning_details": details})["message"]
    assert message["reasoning"] == "summary"
    assert [detail["provider"] for detail in message["reasoning_details"]] == ["house", "other", "house"]


def test_signed_thinking_parts_are_kept_as_details() -> None:
    part = {"type": "thinking", "thinking": "why", "signature": "c2ln"}
    message = whole({"content": [part, "because"]}, "mistral")["message"]
    assert message["reasoning"] == "why"
    assert message["content"] == "because"
    assert message["reasoning_details"] == [{**part, "provider": "house"}]


def test_thinking_alone_is_no_text() -> None:
    message = whole(
        {"content": [{"type": "thinking", "thinking": ["a", {"type": "text", "text": "b"}, {}, 5]}]}
    )["message"]
    assert message == {"role": "assistant", "content": None, "reasoning": "ab"}


def test_text_held_back_for_a_tag_comes_at_the_end() -> None:
    first, last = deltas({"content": "<thi"}, {"content": ""})
    assert first["content"] == ""
    assert last["content"] == "<thi"
    assert whole({"content": " <th"})["message"]["content"] == " <th"


def test_a_host_that_tells_reasoning_apart_has_no_tags() -> None:
    first, second, third = deltas(
        {"content": "<"}, {"reasoning": "hm"}, {"content": "<think>is a tag</think>"}
    )
    assert first["content"] == ""
    assert second == {"content": "<", "reasoning": "hm"}
    assert third["content"] == "<think>is a tag</think>"


def test_tags_stay_text_where_the_host_writes_none() -> None:
    assert whole({"content": "<think>a</think>b"}, "openai")["message"]["content"] == "<think>a</think>b"


def test_an_empty_role_is_none() -> None:
    (delta,) = deltas({"role": "", "content": "Hi"})
    assert delta == {"content": "Hi"}


@pytest.mark.parametrize(("word", "reason"), FINISH.items())
def test_finish_reasons_are_folded_and_the_hosts_word_kept(word: str, reason: str) -> None:
    choice = whole({"content": "Hi"}, finish_reason=word)
    assert choice["finish_reason"] == reason
    assert choice.get("native_finish_reason", reason) == word


def test_a_finish_reason_that_nobody_knows_stays() -> None:
    assert whole({"content": "Hi"}, finish_reason="repetition")["finish_reason"] == "repetition"


@pytest.mark.parametrize("word", ["", None])
def test_a_whole_answer_without_a_reason_says_so(word: str | None) -> None:
    choice = whole({"content": "Hi"}, finish_reason=word)
    assert (choice["finish_reason"], choice["finish_reason_inferred"]) == ("stop", True)
    called = {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}
    assert whole(called, finish_reason=word)["finish_reason"] == "tool_calls"


def test_a_length_stays_a_length_with_tool_calls() -> None:
    called = {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{"}}]}
    assert whole(called, finish_reason="length")["finish_reason"] == "length"


def test_whole_calls_get_what_is_missing() -> None:
    made, null, number, plain = whole(
        {
            "tool_calls": [
                {"function": {"name": "f", "arguments": None}},
                {"id": "null", "function": {"arguments": ["x"]}},
                {"id": 7, "type": None, "function": "g"},
                {
                    "id": "c",
                    "type": "custom",
                    "function": None,
                    "custom": {"name": "h", "input": "i"},
                    "index": 3,
                },
            ]
        }
    )["message"]["tool_calls"]
    assert made["function"] == {"name": "f", "arguments": ""}
    assert null["function"] == {"name": "", "arguments": '["x"]'}
    assert made["id"] != null["id"]
    assert made["id"].startswith("call_")
    assert number == {"id": "7", "type": "function", "function": {"name": "g", "arguments": ""}}
    assert plain == {"id": "c", "type": "custom", "custom": {"name": "h", "input": "i"}}


def test_fragments_without_an_index_follow_their_id() -> None:
    joined = calls(
        {"id": "a", "function": {"name": "f", "arguments": "1"}},
        {"id": "b", "function": {"name": "g", "arguments": "3"}},
        {"id": "a", "function": {"arguments": "2"}},
        {"function": {"arguments": "4"}},
    )
    assert arguments(joined) == ["12", "34"]
    assert [[read.get("id") for read in call] for call in joined] == [["a", None], ["b", None]]


def test_fragments_without_index_and_id_follow_their_place() -> None:
    joined = calls(
        {
            "several": [
                {"function": {"name": "f", "arguments": "1"}},
                {"function": {"name": "g", "arguments": "3"}},
            ]
        },
        {"several": [{"function": {"arguments": "2"}}, {"function": {"arguments": "4"}}]},
    )
    assert arguments(joined) == ["12", "34"]


def test_fragments_follow_the_hosts_index_even_if_it_begins_at_five() -> None:
    joined = calls(
        {"index": 5, "id": "a", "function": {"name": "f", "arguments": "1"}},
        {"index": 9, "id": "b", "function": {"name": "g", "arguments": "3"}},
        {"index": 5, "function": {"arguments": "2"}},
        {"index": 9, "id": "b", "type": "function", "function": {"name": "g", "arguments": "4"}},
    )
    assert arguments(joined) == ["12", "34"]
    assert "name" not in joined[1][1]["function"]


def test_an_index_used_again_with_another_id_and_name_begins_a_call() -> None:
    joined = calls(
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "1"}},
        {"index": 0, "id": "b", "function": {"name": "g", "arguments": "2"}},
        {"index": 0, "function": {"arguments": "3"}},
        {"index": 0, "id": "late-id", "function": {"arguments": "4"}},
    )
    assert arguments(joined) == ["1", "234"]


def test_a_first_fragment_with_nothing_in_it_is_a_call_all_the_same() -> None:
    assert arguments(calls({}, {"function": {"arguments": "{}"}})) == ["{}"]

"""Whatever conversation the contract allows becomes turns that every wire can write."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.draft import Draft
from turnout.providers.dialects.keeping import keep
from turnout.providers.dialects.turns import (
    UNANSWERED,
    Turn,
    custom_arguments,
    leading_system,
    take_turns,
)
from turnout.providers.dialects.writing import begin

TARGET = target_of("cohere", "m")
Messages = list[dict[str, Any]]


def turned(messages: Messages, **options: Any) -> tuple[list[Turn], Draft]:
    request = ChatCompletion.parse({"model": "m", "messages": messages})
    draft = begin(request, TARGET)
    return take_turns(draft, "cohere", **options), draft


def told(draft: Draft) -> dict[str, str]:
    return {one.field: one.action for one in draft.adaptations}


def call(identity: str = "c", name: str = "now", arguments: str = "{}") -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **fields}


def result(identity: str = "c", content: Any = "9", **fields: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": content, **fields}


HI: dict[str, Any] = {"role": "user", "content": "Hi"}


def test_roles_and_texts() -> None:
    turns, draft = turned(
        [{"role": "developer", "content": "A"}, HI, {"role": "assistant", "content": "B"}, HI]
    )
    assert [(turn.role, turn.text, turn.path) for turn in turns] == [
        ("system", "A", "messages[0]"), ("user", "Hi", "messages[1]"),
        ("assistant", "B", "messages[2]"), ("user", "Hi", "messages[3]"),
    ]  # fmt: skip
    assert turns[0].parts == [{"type": "text", "text": "A", "path": "messages[0].content"}]
    assert not draft.adaptations
    assert "messages" not in draft.payload


def test_neighbours_of_a_role_are_one_turn_unless_told_otherwise() -> None:
    messages = [HI, {"role": "user", "content": [{"type": "text", "text": " there"}]}]
    assert [turn.text for turn in turned(messages)[0]] == ["Hi there"]
    assert [turn.text for turn in turned(messages, merge=False)[0]] == ["Hi", " there"]


def test_results_follow_their_calls_in_the_calls_order() -> None:
    turns, draft = turned([HI, calling(call("a"), call("b")), result("b", "2"), result("a", "1"), HI])
    assert [turn.role for turn in turns] == ["user", "assistant", "results", "user"]
    assert [(one.call.id, one.text) for one in turns[2].results] == [("a", "1"), ("b", "2")]
    assert not draft.adaptations


def test_a_late_result_is_moved() -> None:
    turns, draft = turned([HI, calling(call()), HI, result(), HI])
    assert [turn.role for turn in turns] == ["user", "assistant", "results", "user"]
    assert turns[2].results[0].text == "9"
    assert told(draft) == {"messages[3]": "emulated"}


def test_a_call_without_a_result_gets_a_note_and_two_results_become_one() -> None:
    turns, draft = turned([HI, calling(call("a"), call("b")), result("a", "1"), result("a", "2")])
    first, second = turns[2].results
    assert (first.text, first.is_error) == ("12", False)
    assert (second.text, second.is_error) == (UNANSWERED, True)
    assert told(draft) == {"messages[3]": "emulated", "messages[1].tool_calls[1]": "emulated"}


def test_ids_that_come_again_belong_to_the_latest_call() -> None:
    turns, _ = turned([HI, calling(call()), result("c", "1"), HI, calling(call()), result("c", "2")])
    assert [one.results[0].text for one in turns if one.role == "results"] == ["1", "2"]


def test_an_error_is_marked() -> None:
    turns, _ = turned([HI, calling(call()), result(is_error=True)])
    assert turns[2].results[0].is_error


def test_empty_texts_are_gone() -> None:
    turns, _ = turned([{"role": "system", "content": " \n"}, HI, calling(call()), result("c", "")])
    assert [turn.role for turn in turns] == ["user", "assistant", "results"]
    assert turns[2].results[0].parts == []


def test_what_only_some_wires_know_becomes_text_or_is_told() -> None:
    refusal = {"type": "refusal", "refusal": "No. "}
    turns, draft = turned([
        {**HI, "name": "ann"},
        {"role": "assistant", "content": [refusal], "refusal": "Never.", "audio": {"id": "a"}},
    ])  # fmt: skip
    assert turns[1].text == "No. Never."
    assert told(draft) == {
        "messages[0].name": "dropped", "messages[1].content[0]": "emulated",
        "messages[1].audio": "dropped", "messages[1].refusal": "emulated",
    }  # fmt: skip


@pytest.mark.parametrize(("takes", "dropped"), [(True, {}), (False, {"messages[1].reasoning": "dropped"})])
def test_plain_reasoning(takes: bool, dropped: dict[str, str]) -> None:
    said = {"role": "assistant", "content": "4", "reasoning": "two and two"}
    turns, draft = turned([HI, said], reasoning=takes)
    assert turns[1].reasoning == "two and two"
    assert told(draft) == dropped


def test_reasoning_without_a_word_beside_it_is_told() -> None:
    turns, draft = turned([HI, {"role": "assistant", "content": "", "reasoning": "hm"}, HI], reasoning=True)
    assert [turn.role for turn in turns] == ["user"]
    assert told(draft) == {"messages[1].reasoning": "dropped"}


def test_kept_blocks_come_home_alone() -> None:
    own = keep(TARGET, "cohere", "thinking", 0, {"type": "thinking", "thinking": "x"})
    foreign = {**own, "provider": "another"}
    said = {"role": "assistant", "content": "4", "reasoning": "x", "reasoning_details": [own, foreign]}
    turns, draft = turned([HI, said, {"role": "assistant", "content": "5"}])
    assert [one.kind for one in turns[1].kept] == ["thinking"]
    assert len(turns) == 3  # a turn with kept blocks stays by itself
    assert told(draft) == {"messages[1].reasoning_details": "dropped"}


def test_marks_for_caches_move_to_the_last_part() -> None:
    turns, _ = turned([{**HI, "cache_control": {"type": "ephemeral"}}])
    assert turns[0].parts[-1]["cache_control"] == {"type": "ephemeral"}


def test_custom_calls() -> None:
    custom = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}, "more": 1}
    turns, _ = turned([HI, calling(custom), result()])
    (made,) = turns[1].calls
    assert (made.name, made.arguments, made.custom, made.rest) == ("sql", "select 1", True, {"more": 1})
    assert custom_arguments(made) == '{"input": "select 1"}'


def test_leading_instructions() -> None:
    turns, _ = turned([{"role": "system", "content": "A"}, HI, {"role": "system", "content": "B"}])
    assert [part["text"] for part in leading_system(turns)] == ["A"]
    assert [turn.role for turn in turns] == ["user", "system"]


texts = st.sampled_from(["", " ", "one", "two", "three"])


@st.composite
def conversations(draw: st.DrawFn) -> Messages:
    """Any order of messages that the contract takes: results late, missing, twice; ids that come again."""
    messages: Messages = []
    known: list[str] = []
    for _ in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(["system", "user", "assistant", "calls", "tool"]))
        if kind == "calls":
            ids = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
            messages.append(calling(*map(call, ids), content=draw(st.none() | texts)))
            known += ids
        elif kind == "tool" and known:
            messages.append(result(draw(st.sampled_from(known)), draw(texts)))
        elif kind != "tool":
            parts = draw(
                texts | st.lists(st.builds(lambda text: {"type": "text", "text": text}, texts), min_size=1)
            )
            messages.append({"role": kind, "content": parts})
    return messages or [HI]


def said_by(message: dict[str, Any]) -> list[str]:
    content = message.get("content") or []
    said = [content] if isinstance(content, str) else [part["text"] for part in content]
    return [text for text in said if text.strip()]


@given(conversations())
def test_any_conversation(messages: Messages) -> None:
    turns, _ = turned(messages)
    for turn, after in zip_longest(turns, turns[1:]):
        assert all(part["text"].strip() for part in turn.parts)
        assert turn.parts or turn.calls or turn.results
        if turn.calls:
            assert after is not None
            assert [one.call for one in after.results] == turn.calls
        assert (turn.role == "results") == bool(turn.results)
        assert after is None or after.role != turn.role
        assert after is None or (after.role == "results") == bool(turn.calls)
    for role in ("system", "user", "assistant"):
        given = [text for message in messages if message["role"] == role for text in said_by(message)]
        assert given == [part["text"] for turn in turns if turn.role == role for part in turn.parts]
    answered = [part["text"] for turn in turns for one in turn.results for part in one.parts]
    given = [text for message in messages if message["role"] == "tool" for text in said_by(message)]
    assert sorted(given) == sorted(text for text in answered if text != UNANSWERED)

"""Conversations that began elsewhere, as OpenAI-compatible hosts get them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import target_of

from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target
from turnout.providers.dialects.openai import OpenAIDialect
from turnout.providers.dialects.turns import UNANSWERED

Fields = dict[str, Any]
OPENAI = OpenAIDialect()
USER: Fields = {"role": "user", "content": "Hi"}
HOSTS = [row.name for row in catalogue().values() if row.dialect == "openai"]
SECRET = "c2lnbmVkIGFuZCBzZWFsZWQ="
KEPT = {"type": "anthropic.thinking", "index": 0, "block": {"type": "thinking", "signature": SECRET}}


def call(identity: str) -> Fields:
    return {"id": identity, "type": "function", "function": {"name": "now", "arguments": "{}"}}


def calling(*ids: str, **fields: Any) -> Fields:
    return {"role": "assistant", "content": None, "tool_calls": [call(one) for one in ids], **fields}


def result(identity: str, content: Any = "9") -> Fields:
    return {"role": "tool", "tool_call_id": identity, "content": content}


def sent(to: Target, *messages: Fields, **fields: Any) -> tuple[list[Fields], list[tuple[str, str]]]:
    """The messages on the wire, and what had to change."""
    request = ChatCompletion.parse({"model": "m", "messages": list(messages), **fields})
    wire = OPENAI.encode(request, to)
    return json.loads(wire.body)["messages"], [(one.field, one.action) for one in wire.adaptations]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "origin",
    [
        {"provider": "elsewhere", "model": "m"},
        {"provider": "p", "model": "another"},
        {"provider": "p", "model": "m"},
        {},
    ],
    ids=["another provider", "another model", "another wire of this provider", "untold"],
)
def test_blocks_that_another_wire_kept_never_leak(host: str, origin: Fields) -> None:
    history = [USER, {"role": "assistant", "content": "A", "reasoning_details": [{**KEPT, **origin}]}, USER]
    messages, changes = sent(target_of(host, "m"), *history)
    assert SECRET not in json.dumps(messages)
    assert ("messages[1].reasoning_details", "dropped") in changes


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ({"provider": "p", "model": "a/b"}, True),
        ({"provider": "p"}, True),
        ({}, True),
        ({"provider": "p", "model": "a/c"}, False),
        ({"provider": "q", "model": "a/b"}, False),
    ],
    ids=str,
)
def test_signed_reasoning_goes_home_to_its_model_alone(origin: Fields, own: bool) -> None:
    detail = {"type": "reasoning.text", "text": "Hm", "signature": SECRET}
    spoken = {"role": "assistant", "content": "A", "reasoning_details": [{**detail, **origin}]}
    messages, changes = sent(target_of("openrouter", "a/b"), USER, spoken, USER)
    assert messages[1].get("reasoning_details") == ([detail] if own else None)
    assert bool(changes) is not own


def test_an_answers_signed_reasoning_names_its_provider_and_model() -> None:
    detail = {"type": "reasoning.encrypted", "data": SECRET, "index": 0}
    message = {"role": "assistant", "content": "A", "reasoning_details": [detail]}
    body = json.dumps({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}).encode()
    here = target_of("openrouter", "a/b")
    answer = OPENAI.decode(body, ChatCompletion.parse({"model": "m", "messages": [USER]}), here)
    kept = answer.choices[0].message.reasoning_details
    assert kept == [{**detail, "provider": "p", "model": "a/b"}]

    history = [USER, answer.choices[0].message.as_message().wire(), USER]
    assert sent(here, *history)[0][1]["reasoning_details"] == [detail]
    there, changes = sent(target_of("openrouter", "a/c"), *history)
    assert "reasoning_details" not in there[1]
    assert changes == [("messages[1].reasoning_details", "dropped")]


@pytest.mark.parametrize(
    ("host", "model", "blank"), [("deepseek", "deepseek-v4-pro", ""), ("moonshot", "kimi-k3", " ")]
)
def test_hosts_that_demand_reasoning_beside_calls_get_what_there_is(
    host: str, model: str, blank: str
) -> None:
    to = target_of(host, model)
    signed = {"reasoning": "Look it up", "reasoning_details": [{**KEPT, "provider": "q", "model": "n"}]}
    messages, changes = sent(to, USER, calling("c1", **signed), result("c1"), USER)
    assert messages[1]["reasoning_content"] == "Look it up"
    assert changes == [("messages[1].reasoning_details", "dropped")]
    messages, changes = sent(to, USER, calling("c1"), result("c1"), USER)
    assert messages[1]["reasoning_content"] == blank
    assert changes == []


def test_what_a_call_means_to_its_origin_stays_behind() -> None:
    made = {**call("c1"), "native_caller": {"type": "direct"}}
    history = [USER, {"role": "assistant", "content": None, "tool_calls": [made]}, result("c1")]
    messages, changes = sent(target_of("openai", "gpt-4o"), *history)
    assert messages[1]["tool_calls"] == [call("c1")]
    assert ("messages[1].tool_calls[0].native_caller", "dropped") in changes


def test_a_call_without_a_result_gets_a_note() -> None:
    messages, changes = sent(target_of("groq", "m"), USER, calling("c1", "c2"), result("c2"), USER)
    assert messages[2:] == [result("c2"), result("c1", UNANSWERED), USER]
    assert changes == [("messages[1].tool_calls[0]", "emulated")]
    messages, changes = sent(target_of("groq", "m"), USER, calling("c1"))
    assert messages[2:] == [result("c1", UNANSWERED)]
    assert changes == [("messages[1].tool_calls[0]", "emulated")]


def test_a_result_that_comes_late_is_moved_to_its_call() -> None:
    later = {"role": "user", "content": "Wait"}
    messages, changes = sent(
        target_of("groq", "m"), USER, calling("c1", "c2"), result("c1"), later, result("c2")
    )
    assert messages[2:] == [result("c1"), result("c2"), later]
    assert changes == [("messages[4]", "emulated")]


def test_a_second_result_is_joined_to_the_first() -> None:
    messages, changes = sent(
        target_of("groq", "m"),
        USER,
        calling("c1"),
        result("c1", "one"),
        result("c1", "two"),
        result("c1", ""),
    )
    assert messages[2:] == [result("c1", "one\ntwo")]
    assert changes == [("messages[3]", "emulated"), ("messages[4]", "emulated")]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages, _ = sent(target_of("openai", "m"), USER, calling("c"), result("c", "one"), result("c", [image]))
    assert messages[2:] == [result("c", [{"type": "text", "text": "one"}, image])]


def test_the_same_id_in_every_answer_is_no_riddle() -> None:
    history = [USER, calling("c"), result("c", "one"), calling("c"), result("c", "two"), USER]
    messages, changes = sent(target_of("groq", "m"), *history)
    assert [message.get("content") for message in messages] == ["Hi", None, "one", None, "two", "Hi"]
    assert changes == []


def test_what_is_in_order_stays_as_it_is() -> None:
    history = [USER, calling("c1", "c2", content="One moment"), result("c2"), result("c1"), USER]
    assert sent(target_of("groq", "m"), *history) == (history, [])


def test_mistral_gets_its_own_ids_for_calls_from_elsewhere() -> None:
    history = [USER, calling("toolu_01A09q90qw90lq917835lq9", "tooluse_-x"), result("tooluse_-x"), USER]
    messages, changes = sent(target_of("mistral", "m"), *history)
    ids = [one["id"] for one in messages[1]["tool_calls"]]
    assert all(re.fullmatch("[A-Za-z0-9]{9}", one) for one in ids)
    assert [one["tool_call_id"] for one in messages[2:4]] == [ids[1], ids[0]]
    assert [one["role"] for one in messages[4:]] == ["assistant", "user"]
    assert ("messages[1].tool_calls[0].id", "renamed") in changes


@pytest.mark.parametrize("host", ["openai", "azure", "openrouter"])
def test_openai_gets_ids_that_are_not_too_long(host: str) -> None:
    long, fit = "call_" + "9" * 60, "c" * 40
    messages, changes = sent(target_of(host, "m"), USER, calling(long, fit), result(long), result(fit))
    first, second = (one["id"] for one in messages[1]["tool_calls"])
    assert re.fullmatch("call_[0-9a-f]{24}", first)
    assert [one["tool_call_id"] for one in messages[2:]] == [first, second] == [first, fit]
    assert changes == [("messages[1].tool_calls[0].id", "renamed"), ("messages[2].tool_call_id", "renamed")]


IDS = st.sampled_from(["a", "b", "c"])
SPOKEN = st.one_of(
    st.just(USER),
    st.lists(IDS, min_size=1, max_size=2, unique=True).map(lambda ids: calling(*ids)),
    IDS.map(result),
)


@given(st.lists(SPOKEN, max_size=9), st.sampled_from(["groq", "mistral", "deepseek", "openai"]))
def test_every_call_is_followed_by_its_results_whatever_the_order_was(
    history: list[Fields], host: str
) -> None:
    known: set[str] = set()
    allowed = [USER]
    for message in history:
        known |= {one["id"] for one in message.get("tool_calls", ())}
        if message["role"] != "tool" or message["tool_call_id"] in known:
            allowed.append(message)
    messages, _ = sent(target_of(host, "m"), *allowed)
    due: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            due.remove(message["tool_call_id"])
            continue
        assert due == []
        due = [one["id"] for one in message.get("tool_calls", ())]
    assert due == []
    answers = [one["content"] for one in messages if one["role"] == "tool" and one["content"] != UNANSWERED]
    given_results = sum(message["role"] == "tool" for message in allowed)
    assert sum(len(text.split("\n")) for text in answers) == given_results

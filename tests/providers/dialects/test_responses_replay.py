"""An answer goes back complete, in its order and with its ids, or without all that would be refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mixed_requests import target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects import dialect

RESPONSES = dialect("responses")
Fields = dict[str, Any]
HI: Fields = {"role": "user", "content": "Hi"}
REASONING: Fields = {
    "id": "rs_1",
    "type": "reasoning",
    "status": "completed",
    "summary": [{"type": "summary_text", "text": "Plan"}],
    "encrypted_content": "gAAAA1",
}
MESSAGE: Fields = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "phase": "commentary",
    "content": [{"type": "output_text", "text": "Checking.", "annotations": [], "logprobs": []}],
}
CALL: Fields = {
    "id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "now",
    "arguments": '{"a":1}', "namespace": "clock",
}  # fmt: skip
SEARCH: Fields = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search"},
}
CUSTOM: Fields = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "sql", "input": "x"}
REFUSAL: Fields = {**MESSAGE, "content": [{"type": "refusal", "refusal": "No."}]}


def answered(*output: Fields, preset: str = "openai-responses", status: str = "completed") -> Fields:
    """The message that an answer of these items becomes in the next request."""
    body = {"id": "resp_1", "status": status, "output": list(output)}
    request = ChatCompletion.parse({"model": "x", "messages": [HI]})
    response = RESPONSES.decode(json.dumps(body).encode(), request, target_of(preset, "gpt-5.5"))
    return response.choices[0].message.as_message().wire()


def replayed(
    *messages: Fields, preset: str = "openai-responses", model: str = "gpt-5.5"
) -> tuple[list[Fields], list[str]]:
    """The items after the first, without the results of calls, and what was reported."""
    calls = [call["id"] for message in messages for call in message.get("tool_calls") or ()]
    results = [{"role": "tool", "tool_call_id": name, "content": "9"} for name in calls]
    request = ChatCompletion.parse({"model": "x", "messages": [HI, *messages, *results, HI]})
    wire = RESPONSES.encode(request, target_of(preset, model))
    items = [item for item in json.loads(wire.body)["input"] if not item.get("type", "").endswith("_output")]
    return items[1:-1], [one.field for one in wire.adaptations]


def test_a_whole_answer_goes_back_word_for_word() -> None:
    items, changes = replayed(answered(REASONING, SEARCH, MESSAGE, CALL, CUSTOM))
    reasoning = {name: value for name, value in REASONING.items() if name != "status"}
    message = {**MESSAGE, "content": [{"type": "output_text", "text": "Checking.", "annotations": []}]}
    call = {name: value for name, value in CALL.items() if name != "status"}
    assert items == [reasoning, SEARCH, message, call, CUSTOM]
    assert changes == []


def test_plain_answers_hold_nothing_to_give_back() -> None:
    message = {name: value for name, value in MESSAGE.items() if name != "phase"}
    call = {name: value for name, value in CALL.items() if name != "namespace"}
    answer = answered({**REASONING, "encrypted_content": None}, message, call)
    assert "reasoning_details" not in answer
    items, changes = replayed(answer)
    assert items == [
        {"role": "assistant", "content": "Checking."},
        {"type": "function_call", "call_id": "call_1", "name": "now", "arguments": '{"a":1}'},
    ]
    assert changes == ["messages[1].reasoning"]


def test_phases_and_namespaces_stay_where_there_was_no_reasoning() -> None:
    final = {
        **MESSAGE,
        "id": "msg_2",
        "phase": "final_answer",
        "content": [{"type": "output_text", "text": "9"}],
    }
    assert replayed(answered(MESSAGE, CALL, final, REFUSAL | {"content": []}))[0] == [
        {"role": "assistant", "content": "Checking.", "phase": "commentary"},
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "now",
            "arguments": '{"a":1}',
            "namespace": "clock",
        },
        {"role": "assistant", "content": "9", "phase": "final_answer"},
    ]
    assert replayed(answered(REFUSAL))[0] == [{"role": "assistant", "content": "No.", "phase": "commentary"}]


def test_a_refusal_goes_back_with_its_reasoning() -> None:
    items, changes = replayed(answered(REASONING, REFUSAL))
    assert (items[1]["content"], changes) == ([{"type": "refusal", "refusal": "No."}], [])


def test_reasoning_that_led_to_nothing_stays_behind() -> None:
    items, changes = replayed(answered(MESSAGE, REASONING))
    assert items == [{"role": "assistant", "content": "Checking.", "phase": "commentary"}]
    assert changes == ["messages[1].reasoning_details"]


def test_an_answer_that_was_cut_keeps_nothing() -> None:
    answer = answered(REASONING, MESSAGE, status="incomplete")
    assert "reasoning_details" not in answer
    assert replayed(answer)[0] == [{"role": "assistant", "content": "Checking."}]


@pytest.mark.parametrize(
    "change",
    [
        {"content": "Something else."},
        {"refusal": "No!"},
        {
            "tool_calls": [
                {"id": "call_9", "type": "function", "function": {"name": "now", "arguments": "{}"}}
            ]
        },
        {"tool_calls": None},
    ],
)
def test_a_message_that_was_changed_goes_without_ids(change: Fields) -> None:
    items, changes = replayed({**answered(REASONING, MESSAGE, CALL), **change})
    assert not any(item.get("id") or item.get("type") == "reasoning" for item in items)
    assert changes == ["messages[1].reasoning_details"]


def test_an_answer_of_which_a_part_is_gone_goes_without_ids() -> None:
    answer = answered(REASONING, SEARCH, MESSAGE)
    del answer["reasoning_details"][1]
    items, changes = replayed(answer)
    assert items == [{"role": "assistant", "content": "Checking.", "phase": "commentary"}]
    assert changes == ["messages[1].reasoning_details"]


def test_another_model_gets_none_of_it() -> None:
    items, changes = replayed(answered(REASONING, MESSAGE, CALL), model="gpt-5.4")
    assert items[0] == {"role": "assistant", "content": "Checking."}
    assert changes == ["messages[1].reasoning_details", "messages[1].reasoning"]


def test_azure_wants_no_status_on_what_it_gets_back() -> None:
    items, _ = replayed(answered(REASONING, MESSAGE, preset="azure-responses"), preset="azure-responses")
    assert [("status" in item, "id" in item) for item in items] == [(False, True), (False, True)]


def test_plain_reasoning_never_goes_to_openai() -> None:
    thought = {**REASONING, "content": [{"type": "reasoning_text", "text": "Hm"}]}
    assert "content" not in replayed(answered(thought, MESSAGE))[0][0]


def test_plain_reasoning_goes_back_to_open_hosts() -> None:
    thought = {
        "id": "0f",
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hm"}],
    }
    preset = "deepseek-responses"
    items, changes = replayed(answered(thought, MESSAGE, preset=preset), preset=preset)
    assert (items[0], items[1]["id"], changes) == (thought, "msg_1", [])
    plain = {name: value for name, value in MESSAGE.items() if name != "phase"}
    items, changes = replayed(answered(thought, plain, preset=preset), preset=preset)
    assert items[0]["content"] == thought["content"]
    assert (items[0]["id"][:3], changes) == ("rs_", [])


def test_reasoning_is_only_given_back_beside_calls_where_a_host_wants_it_so() -> None:
    spoken = {"role": "assistant", "content": "Hm", "reasoning": "Let me see"}
    target = target_of("deepseek-responses", "m", quirks={"replay": "tool_calls"})
    request = ChatCompletion.parse({"model": "x", "messages": [HI, spoken, HI]})
    wire = RESPONSES.encode(request, target)
    assert len(json.loads(wire.body)["input"]) == 3
    assert [one.field for one in wire.adaptations] == ["messages[1].reasoning"]

"""Answers are read as they come."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from turnout.providers.chat import ChatChunk, ChatResponse, Cost, Delta, Logprobs, Model, ModelList, Usage

ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "m-2",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
}


def test_openais_answer_is_written_as_it_was_read() -> None:
    assert ChatResponse.model_validate(ANSWER).wire() == ANSWER


def test_the_first_choice_is_at_hand() -> None:
    answer = ChatResponse.model_validate(ANSWER)
    assert (answer.text, answer.finish_reason, answer.reasoning, answer.refusal, answer.tool_calls) == (
        "Hello", "stop", None, None, [],
    )  # fmt: skip
    assert answer.usage is not None
    assert answer.usage.total == answer.usage.total_tokens == 10


def test_an_answer_may_be_empty() -> None:
    answer = ChatResponse.model_validate(
        {"id": None, "model": None, "created": None, "choices": None, "usage": None}
    )
    assert (answer.id, answer.model, answer.created, answer.choices, answer.usage) == ("", "", 0, [], None)
    assert (answer.text, answer.finish_reason, answer.tool_calls) == ("", None, [])


@pytest.mark.parametrize(
    "strange",
    [
        {"object": "text_completion"},
        {"object": None},
        {"created": 1700000000.25},
        {"metadata": {"a": 1, "b": None}},
        {"choices": [{}]},
        {"choices": [{"index": None, "message": None, "finish_reason": "because", "logprobs": None}]},
        {"choices": [{"message": {"role": None, "tool_calls": None, "annotations": None, "audio": None}}]},
        {"choices": [{"message": {"tool_calls": [{"id": None, "type": None, "function": None}]}}]},
        {"choices": [{"message": {"tool_calls": [{"function": {"name": None, "arguments": None}}]}}]},
        {"choices": [{"message": {"annotations": [{"type": None}, {"type": "file", "file": {}}]}}]},
        {"choices": [{"message": {"audio": {"expires_at": 1.5}}}]},
        {"choices": [{"logprobs": {"content": [{"token": None, "logprob": None, "top_logprobs": None}]}}]},
        {"choices": [{"logprobs": {"content": [{"token": "a", "logprob": float("-inf")}]}}]},
        {
            "usage": {
                "prompt_tokens": None,
                "completion_tokens": 3.0,
                "cost": 0.25,
                "prompt_tokens_details": None,
            }
        },
    ],
    ids=json.dumps,
)
def test_strange_answers_are_read(strange: dict[str, Any]) -> None:
    answer = ChatResponse.model_validate({**ANSWER, **strange})
    written = answer.wire()
    json.dumps(written, allow_nan=False)
    assert ChatResponse.model_validate(written) == answer


@pytest.mark.parametrize(
    "wrong", [{"choices": "none"}, {"metadata": 5}, {"usage": [1]}, {"created": "today"}]
)
def test_what_is_no_answer_is_not_read(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChatResponse.model_validate({**ANSWER, **wrong})


def test_unknown_fields_stay_where_they_were() -> None:
    raw = json.loads(json.dumps(ANSWER))
    raw["x_groq"] = {"id": "req"}
    raw["choices"][0]["content_filter_results"] = {"hate": {"filtered": False}}
    raw["choices"][0]["message"]["mood"] = None
    raw["usage"]["queue_time"] = 0.5
    assert ChatResponse.model_validate(raw).wire() == raw


def test_a_missing_total_is_the_sum() -> None:
    assert Usage(prompt_tokens=3, completion_tokens=4).total_tokens == 7
    assert Usage(prompt_tokens=3, completion_tokens=4, total_tokens=9).total == 9


class Route(BaseModel):
    """Stands for what a router may attach."""

    name: str


def test_cost_and_trace_are_written_only_when_asked_for() -> None:
    answer = ChatResponse.model_validate(ANSWER)
    answer.cost = Cost(amount=Decimal("0.00000125"), basis="priced", price="m-2 as of 2026-01-01")
    answer.trace = Route(name="assistant")
    answer.provider = "openai"
    assert answer.wire() == {**ANSWER, "provider": "openai"}
    assert answer.wire(extensions=True) == {
        **ANSWER,
        "provider": "openai",
        "cost": {
            "amount": "0.00000125",
            "currency": "USD",
            "basis": "priced",
            "price": "m-2 as of 2026-01-01",
        },
        "trace": {"name": "assistant"},
    }


def test_an_unknown_cost_is_not_zero() -> None:
    assert Cost().amount is None
    assert Cost().basis == "unknown"


def test_values_that_are_not_json_are_left_to_the_encoder() -> None:
    answer = ChatResponse.model_validate({**ANSWER, "trace": {"at": (1, Ellipsis)}})
    assert answer.wire(extensions=True)["trace"] == {"at": [1, Ellipsis]}


def test_models_are_listed() -> None:
    listed = {"object": "list", "data": [{"id": "a/b", "object": "model", "created": 1, "owned_by": "me"}]}
    assert ModelList.model_validate(listed).wire() == listed
    assert ModelList.model_validate({"data": None}).wire() == {"object": "list", "data": []}
    assert Model.model_validate({"id": "m", "created": None, "context_length": 8192}).wire() == {
        "id": "m",
        "object": "model",
        "context_length": 8192,
    }


def chunk(**fields: Any) -> ChatChunk:
    return ChatChunk.model_validate({"id": "c", "created": 1, "model": "m", **fields})


@pytest.mark.parametrize(
    ("delta", "semantic"),
    [
        ({}, False),
        (None, False),
        ({"role": "assistant", "content": ""}, False),
        ({"tool_calls": []}, False),
        ({"content": "H"}, True),
        ({"reasoning": "hm"}, True),
        ({"refusal": "no"}, True),
        ({"reasoning_details": [{"type": "reasoning.encrypted"}]}, True),
        ({"tool_calls": [{"index": 0}]}, True),
        ({"function_call": {"name": "look"}}, True),
        ({"annotations": [{}]}, True),
        ({"audio": {"id": "a"}}, True),
    ],
)
def test_a_chunk_knows_whether_it_says_something(delta: Any, semantic: bool) -> None:
    assert chunk(choices=[{"index": 0, "delta": delta}]).is_semantic is semantic


def test_an_end_and_logprobs_say_something_too() -> None:
    assert chunk(choices=[{"delta": {}, "finish_reason": "stop"}]).is_semantic
    assert chunk(choices=[{"delta": {}, "logprobs": {"content": [{"token": "a"}]}}]).is_semantic
    assert not chunk(choices=[{"delta": {}, "logprobs": Logprobs()}]).is_semantic
    assert not chunk(choices=None, usage={"prompt_tokens": 1}).is_semantic


def test_what_is_new_is_at_hand() -> None:
    both = chunk(
        choices=[
            {"index": 1, "delta": {"content": "B"}, "finish_reason": "length"},
            {"index": 0, "delta": {"content": "A", "reasoning": "R"}},
        ]
    )
    assert (both.text, both.reasoning, both.finish_reason) == ("A", "R", "length")
    assert (chunk().text, chunk().reasoning, chunk().finish_reason) == ("", "", None)


def test_a_chunk_is_written_in_openais_shape() -> None:
    written = chunk(choices=[{"index": 0, "delta": Delta(content="Hi")}], object="strange").wire()
    assert written == {
        "id": "c",
        "created": 1,
        "model": "m",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}],
    }

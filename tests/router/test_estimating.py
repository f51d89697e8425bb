"""Guesses at token counts: never far off, and everything that costs tokens is in them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from turnout import ChatCompletion, ChatResponse
from turnout.estimating import prompt_tokens, usage_of


def request_with(**fields: Any) -> ChatCompletion:
    messages = fields.pop("messages", [{"role": "user", "content": "Hello"}])
    return ChatCompletion.parse({"model": "m", "messages": messages, **fields})


def test_four_bytes_make_a_token_and_each_message_a_few_more() -> None:
    assert prompt_tokens(request_with()) == 4 + 2
    assert prompt_tokens(request_with(messages=[{"role": "user", "content": "x" * 400}] * 2)) == 8 + 200


def test_tools_calls_and_pictures_count() -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    plain = prompt_tokens(request_with())

    assert prompt_tokens(request_with(tools=[tool])) > plain + 10
    parts = [{"type": "text", "text": "Hello"}, picture]
    assert prompt_tokens(request_with(messages=[{"role": "user", "content": parts}])) == plain + 800
    asked = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning": "Hm"},
        {"role": "tool", "tool_call_id": "1", "content": ""},
    ]
    assert prompt_tokens(request_with(messages=asked)) > plain + 20


def test_an_answer_counts_whatever_it_says() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    message = {"role": "assistant", "content": "x" * 40, "reasoning": "y" * 40, "tool_calls": [call]}
    response = ChatResponse.model_validate({"choices": [{"index": 0, "message": message}]})

    usage = usage_of(request_with(), response)

    assert usage.completion_tokens > 30
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@given(st.text(min_size=1))
def test_any_text_has_tokens(text: str) -> None:
    tokens = prompt_tokens(request_with(messages=[{"role": "user", "content": text}]))

    assert 4 < tokens <= 4 + len(text.encode("utf-8", "surrogatepass"))

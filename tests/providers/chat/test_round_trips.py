"""Whatever a record holds, writing it and reading it again gives the same record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnout.providers import chat
from turnout.providers.chat import ChatCompletion, ChatResponse, Record

Records = Callable[[type[Record]], st.SearchStrategy[Any]]
MODELS: list[type[Record]] = [
    model
    for name in chat.__all__
    if isinstance(model := getattr(chat, name), type) and issubclass(model, Record) and model is not Record
]
quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@quick
@given(data=st.data())
def test_what_is_written_reads_back_the_same(
    model: type[Record], records: Records, data: st.DataObject
) -> None:
    record = data.draw(records(model))
    wire = json.loads(json.dumps(record.wire(extensions=True), allow_nan=False))
    assert model.model_validate(wire) == record
    assert model.model_validate(wire).wire(extensions=True) == wire


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@quick
@given(data=st.data())
def test_what_is_written_belongs_to_nobody_else(
    model: type[Record], records: Records, data: st.DataObject
) -> None:
    record = data.draw(records(model))
    before = json.dumps(record.wire(extensions=True))
    spoil(record.wire(extensions=True))
    assert json.dumps(record.wire(extensions=True)) == before


def spoil(value: Any) -> None:
    """Change everything that can be changed."""
    if isinstance(value, dict):
        for item in value.values():
            spoil(item)
        value["spoilt"] = True
    elif isinstance(value, list):
        for item in value:
            spoil(item)
        value.append("spoilt")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_parsed_request_is_stable(records: Records, data: st.DataObject) -> None:
    request = data.draw(records(ChatCompletion))
    again = ChatCompletion.parse(request.wire())
    assert again == request
    assert again.wire() == request.wire()
    assert ChatCompletion.parse(request) is request


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_answer_goes_into_the_next_request(records: Records, data: st.DataObject) -> None:
    response = data.draw(records(ChatResponse))
    message = response.message.as_message()
    assert message.content == response.message.content or message.content == ""
    assert (message.tool_calls or []) == response.tool_calls
    assert message.reasoning_details == response.message.reasoning_details

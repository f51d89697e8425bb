"""Records made without validation are the ones that validation makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnout.providers.chat import (
    ChatChunk,
    ChatResponse,
    Choice,
    ChunkChoice,
    CompletionTokensDetails,
    CustomCall,
    CustomCallDelta,
    Delta,
    FunctionCall,
    FunctionCallDelta,
    PromptTokensDetails,
    Record,
    ResponseMessage,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from turnout.providers.chat.making import blank, record_of, stamp

Records = Callable[[type[Record]], st.SearchStrategy[Any]]
MADE = [
    ChatChunk, ChatResponse, Choice, ChunkChoice, CompletionTokensDetails, CustomCall, CustomCallDelta, Delta,
    FunctionCall, FunctionCallDelta, PromptTokensDetails, ResponseMessage, ToolCall, ToolCallDelta, Usage,
]  # fmt: skip


def state(record: Record) -> list[Any]:
    """All that a record holds, in its order."""
    return [
        type(record), list(record.__dict__.items()), record.model_fields_set, record.model_extra,
        record.__pydantic_private__, record.wire(extensions=True),
    ]  # fmt: skip


@pytest.mark.parametrize("model", MADE)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_record_of_valid_values_is_the_validated_one(
    records: Records, model: type[Record], data: st.DataObject
) -> None:
    validated = data.draw(records(model))
    given_fields = {name: getattr(validated, name) for name in validated.model_fields_set}
    assert state(record_of(model, given_fields)) == state(validated)


@pytest.mark.parametrize("model", MADE)
def test_unset_fields_have_their_defaults(model: type[Record]) -> None:
    assert not model.wire_names  # a field's name in Python is its name on the wire
    assert list(blank(model).items()) == list(model().__dict__.items())
    assert not any(field.is_required() or field.default_factory for field in model.model_fields.values())


def test_a_stamp_makes_records_that_share_nothing_that_can_change() -> None:
    def delta(content: str) -> Delta:
        return Delta.model_validate({"role": "assistant", "content": content, "x": 1})

    make = stamp(delta("a"), "content")
    one, other = make("b"), make("c")
    assert state(one) == state(delta("b"))
    one.refusal = "no"
    one.x = 2  # type: ignore[attr-defined]
    one.y = 3  # type: ignore[attr-defined]
    assert state(other) == state(delta("c"))
    assert state(make("d")) == state(delta("d"))


def test_a_record_made_this_way_can_be_copied_dumped_and_changed() -> None:
    made = record_of(Usage, {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "x": "y"})
    assert made.model_copy(update={"total_tokens": 4}).total == 4
    assert made.model_dump(exclude_unset=True) == made.wire()
    assert Usage.model_validate_json(made.model_dump_json()) == made
    made.z = 1  # type: ignore[attr-defined]
    assert made.model_extra == {"x": "y", "z": 1}

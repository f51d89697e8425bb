"""An answer into chunks, for callers who want a stream of what came whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .chat import (
    ChatChunk,
    ChatResponse,
    Choice,
    ChunkChoice,
    CustomCall,
    CustomCallDelta,
    Delta,
    FunctionCall,
    FunctionCallDelta,
    ResponseMessage,
    ToolCall,
    ToolCallDelta,
)
from .folding import CALL_OWN, CHUNK_OWN, keep


def unfold(response: ChatResponse) -> Iterator[ChatChunk]:
    """The answer as a stream: who speaks, what is said, why it ended, and what it took.

    `fold(unfold(response))` gives the response back, provided that its choices have indexes of their own, in
    order, and that none of its unknown fields bears the name that a chunk has for another thing (`index` on
    a tool call, `delta` on a choice).
    """
    same: dict[str, Any] = {"id": response.id, "created": response.created, "model": response.model}
    about: dict[str, Any] = {}
    keep(about, response, CHUNK_OWN)
    yield ChatChunk(
        **same,
        **about,
        choices=[
            ChunkChoice(index=choice.index, delta=Delta(role=choice.message.role))
            for choice in response.choices
        ],
    )
    for choice in response.choices:
        yield ChatChunk(**same, choices=[ChunkChoice(index=choice.index, delta=_delta(choice.message))])
    for choice in response.choices:
        yield ChatChunk(**same, choices=[_end(choice)])
    if response.usage is not None:
        yield ChatChunk(**same, usage=response.usage)


def _delta(message: ResponseMessage) -> Delta:
    given: dict[str, Any] = {}
    keep(given, message, frozenset({"role", "tool_calls", "function_call"}))
    if message.function_call is not None:
        given["function_call"] = _function(message.function_call)
    if message.tool_calls is not None:
        given["tool_calls"] = [_call(index, call) for index, call in enumerate(message.tool_calls)]
    return Delta(**given)


def _call(index: int, call: ToolCall) -> ToolCallDelta:
    given: dict[str, Any] = {}
    keep(given, call, CALL_OWN)
    return ToolCallDelta(
        index=index,
        id=call.id,
        type=call.type,
        function=_function(call.function) if call.function else None,
        custom=_custom(call.custom) if call.custom else None,
        **given,
    )


def _function(call: FunctionCall) -> FunctionCallDelta:
    return FunctionCallDelta(name=call.name, arguments=call.arguments, **(call.model_extra or {}))


def _custom(call: CustomCall) -> CustomCallDelta:
    return CustomCallDelta(name=call.name, input=call.input, **(call.model_extra or {}))


def _end(choice: Choice) -> ChunkChoice:
    given: dict[str, Any] = {}
    keep(given, choice, frozenset({"index", "message", "delta"}))
    return ChunkChoice(index=choice.index, **given)

"""Turns the deprecated function calling into tools: `functions`, `function_call` and role `function`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from .message import Message
from .tools import FunctionCall, FunctionName, NamedToolChoice, Tool, ToolCall

if TYPE_CHECKING:
    from .request import ChatCompletion


def modernize(request: ChatCompletion) -> None:
    """Rewrite the deprecated fields of a request in the making; do nothing where there are none."""
    changes: dict[str, Any] = {}
    if request.functions is not None:
        _refuse_both(request.tools, "functions", "tools")
        changes["tools"] = [Tool(function=function) for function in request.functions]
    if request.function_call is not None:
        _refuse_both(request.tool_choice, "function_call", "tool_choice")
        changes["tool_choice"] = _choice(request.function_call)
    if any(message.role == "function" or message.function_call for message in request.messages):
        changes["messages"] = _Conversation(request.messages).messages
    if changes:
        # The request is frozen for everyone else; here it is still being made.
        request.__dict__.update(changes, functions=None, function_call=None)
        request.model_fields_set.difference_update({"functions", "function_call"})
        request.model_fields_set.update(changes)


def broken(field: str, sentence: str) -> PydanticCustomError:
    """The error of a rule that pydantic's types cannot say, with the path of the field it is about."""
    return PydanticCustomError("contract", "{sentence}", {"field": field, "sentence": sentence})


def _refuse_both(modern: object, old: str, new: str) -> None:
    if modern is not None:
        raise broken(old, f"Give either {new} or the deprecated {old}, not both.")


def _choice(call: str | FunctionName) -> Any:
    return NamedToolChoice(function=call) if isinstance(call, FunctionName) else call


class _Conversation:
    """Gives each call that had no id an id of its own, and each function message the id it answers."""

    def __init__(self, messages: list[Message]) -> None:
        self._taken = {call.id for message in messages for call in message.tool_calls or ()}
        self._open: list[ToolCall] = []
        self.messages = [self._modern(place, message) for place, message in enumerate(messages)]

    def _modern(self, place: int, message: Message) -> Message:
        if message.role == "function":
            return self._answer(place, message)
        if message.function_call:
            message = self._call(place, message, message.function_call)
        self._open.extend(message.tool_calls or ())
        if message.role == "tool":
            self._open = [call for call in self._open if call.id != message.tool_call_id]
        return message

    def _call(self, place: int, message: Message, called: FunctionCall) -> Message:
        if message.role != "assistant":
            raise broken(f"messages[{place}].function_call", "Only an assistant message may have this.")
        calls = list(message.tool_calls or ())
        if called not in [call.function for call in calls]:
            calls.append(ToolCall(id=self._fresh(place), function=called))
        return message.model_copy(update={"tool_calls": calls, "function_call": None})

    def _answer(self, place: int, message: Message) -> Message:
        if not message.name:
            raise broken(f"messages[{place}].name", "A function message must name the function it answers.")
        call = next((call for call in self._open if call.name == message.name), None)
        if call is None:
            raise broken(f"messages[{place}].name", "No earlier message calls a function of this name.")
        self._open.remove(call)
        content = "" if message.content is None else message.content
        return message.model_copy(update={"role": "tool", "tool_call_id": call.id, "content": content})

    def _fresh(self, place: int) -> str:
        name = f"call_{place}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

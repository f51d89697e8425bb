"""One choice of an OpenAI-compatible answer, whole or in pieces, brought to the contract's shape.

A message and a delta hold the same fields, and hosts bend both in the same ways: content as a list of parts,
reasoning under several names, tool calls without an index or with an object for arguments, finish reasons
of their own. The readers here change the parsed JSON in place, keep what they do not know, and raise
ShapeError where a field cannot be what it claims.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ..dialect import Target
from ..errors import ProviderError
from ..thinking_tags import OPEN, ThinkTagSplitter
from .error_reading import error_in, finish_error

FINISH: Mapping[str, str] = {
    "stop": "stop", "eos": "stop", "eos_token": "stop", "stop_sequence": "stop", "end_turn": "stop",
    "length": "length", "max_tokens": "length", "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls", "tool_use": "tool_calls", "function_call": "tool_calls",
    "content_filter": "content_filter", "sensitive": "content_filter", "refusal": "content_filter",
}  # fmt: skip
"""The hosts' finish reasons in the contract's words; one that is not listed here stays as it is."""

FINISH_ERRORS = frozenset({"error", "network_error", "insufficient_system_resource", "abort", "aborted"})
"""Finish reasons that report a failure of the host."""

_REASONING = ("reasoning_content", "reasoning", "thinking")


class ShapeError(ValueError):
    """A field of the answer that cannot be read; the message begins with its path."""


class ChoiceReader:
    """Reads one choice. `seed` makes the ids of tool calls that come without one: same answer, same ids."""

    def __init__(self, target: Target, index: int, seed: str) -> None:
        self.finished = False
        """Whether its finish reason has come."""
        self.failure: ProviderError | None = None
        """The error that the choice itself reports."""
        self._target = target
        self._index = index
        self._seed = seed
        self._splitter = ThinkTagSplitter() if target.preset.think_tags else None
        self._calls: ToolCallReader | None = None

    @property
    def _path(self) -> str:
        return f"choices[{self._index}]"

    @property
    def plain(self) -> bool:
        """Whether text goes through as it comes, with no tags left to look for."""
        return self._splitter is None

    def delta(self, choice: dict[str, Any], delta: dict[str, Any]) -> None:
        """Bring one piece of the choice to the contract's shape."""
        self._part(delta)
        calls = self._take_calls(delta)
        if calls:
            delta["tool_calls"] = self._caller().fragments(calls)
        self._finish(choice)
        if self.finished:
            self.flush(delta)

    def message(self, choice: dict[str, Any], message: dict[str, Any]) -> None:
        """Bring the whole choice to the contract's shape."""
        content = message.get("content")
        if type(content) is str and OPEN not in content:
            self._splitter = None
        self._part(message)
        self.flush(message)
        calls = self._take_calls(message)
        if calls:
            message["tool_calls"] = self._caller().whole(calls)
        message["role"] = "assistant"
        message.setdefault("content", None)
        self._finish(choice)
        if not self.finished:
            self.infer_finish(choice)

    def flush(self, part: dict[str, Any]) -> bool:
        """Add the text still held back to `part`; whether there was any."""
        if self._splitter is None:
            return False
        reasoning, content = self._splitter.close()
        self._splitter = None
        if reasoning:
            part["reasoning"] = part.get("reasoning", "") + reasoning
        if content:
            part["content"] = (part.get("content") or "") + content
        return bool(reasoning or content)

    def infer_finish(self, choice: dict[str, Any]) -> None:
        """Finish a choice whose host ended the answer but gave no reason; an extra field says so."""
        self.finished = True
        choice["finish_reason"] = "tool_calls" if self._calls else "stop"
        choice["finish_reason_inferred"] = True

    def _part(self, part: dict[str, Any]) -> None:
        content = part.get("content")
        if content is not None and type(content) is not str:
            content = self._parts(part, content)
        reasoning = self._reasoning(part)
        if reasoning:
            part["reasoning"] = reasoning
            if self._splitter is not None:  # the host tells reasoning apart itself; tags are the model's own
                held = self._splitter.close().content
                self._splitter = None
                if held:
                    part["content"] = content = held + (content or "")
        elif self._splitter is not None and content:
            reasoning, part["content"] = self._splitter.feed(content)
            if reasoning:
                part["reasoning"] = reasoning
            if self._splitter.settled:
                self._splitter = None
        if "role" in part and not part["role"]:
            del part["role"]
        sound = part.get("audio")
        if isinstance(sound, dict) and not any(sound.values()):
            del part["audio"]

    def _parts(self, part: dict[str, Any], content: Any) -> str:
        """Content that is a list of parts: Mistral's thinking, and plain text parts of several servers."""
        if not isinstance(content, list):
            raise ShapeError(f"{self._path}.content is {type(content).__name__}, not text")
        texts: list[str] = []
        thoughts: list[str] = []
        others: list[Any] = []
        for item in content:
            kind = item.get("type") if isinstance(item, dict) else None
            if isinstance(item, str):
                texts.append(item)
            elif kind == "text" and isinstance(item.get("text"), str):
                texts.append(item["text"])
            elif kind == "thinking":
                thoughts.append(_thinking_text(item.get("thinking")))
                if item.keys() - {"type", "thinking", "closed"}:  # signed: it must go back as it came
                    part["reasoning_details"] = [*(part.get("reasoning_details") or ()), item]
            elif isinstance(item, dict):
                others.append(item)
            else:
                raise ShapeError(f"{self._path}.content holds {type(item).__name__}, not a part")
        if thoughts and not part.get("thinking"):
            part["thinking"] = "".join(thoughts)
        if others:
            part["content_parts"] = others
        text = "".join(texts)
        part["content"] = text if texts or not (thoughts or others) else None
        return text

    def _reasoning(self, part: dict[str, Any]) -> str:
        """The reasoning text under whatever name it came; a second, different text stays as an extra."""
        text = ""
        for name in _REASONING:
            if name in part:
                value = part.pop(name)
                if not value or value == text:
                    continue
                if not isinstance(value, str):
                    raise ShapeError(f"{self._path}.{name} is {type(value).__name__}, not text")
                if text:
                    part[f"native_{name}"] = value
                else:
                    text = value
        if "reasoning_details" in part:
            detailed = self._details(part)
            text = text or detailed
        return text

    def _details(self, part: dict[str, Any]) -> str:
        details = part.pop("reasoning_details")
        if not details:
            return ""
        if not isinstance(details, list) or not all(isinstance(detail, dict) for detail in details):
            raise ShapeError(f"{self._path}.reasoning_details is not a list of objects")
        for detail in details:
            detail.setdefault("provider", self._target.provider)
            detail.setdefault("model", self._target.model)
        part["reasoning_details"] = details
        texts = (detail.get("text") or detail.get("summary") for detail in details)
        return "".join(text for text in texts if isinstance(text, str))

    def _caller(self) -> ToolCallReader:
        if self._calls is None:
            self._calls = ToolCallReader(f"{self._seed}/{self._index}", f"{self._path}.tool_calls")
        return self._calls

    def _take_calls(self, part: dict[str, Any]) -> list[Any]:
        calls = part.pop("tool_calls", None) or []
        call = part.pop("function_call", None)
        if not isinstance(calls, list):
            raise ShapeError(f"{self._path}.tool_calls is {type(calls).__name__}, not a list")
        if isinstance(call, dict) and not any(call.values()):
            call = None  # some hosts write every field there is, empty
        if call and not calls:  # the deprecated form; the contract answers it as a tool call
            calls = [{"index": 0, "type": "function", "function": call}]
        return calls

    def _finish(self, choice: dict[str, Any]) -> None:
        word = choice.get("finish_reason")
        if choice.get("error"):
            self.failure = error_in({"error": choice["error"]}, self._target)
        if not word:
            choice["finish_reason"] = None
            return
        if not isinstance(word, str):
            raise ShapeError(f"{self._path}.finish_reason is {type(word).__name__}, not text")
        if word in FINISH_ERRORS:
            self.failure = self.failure or finish_error(word, self._target)
            choice["finish_reason"] = None
            return
        reason = FINISH.get(word, word)
        if reason == "stop" and self._calls:
            reason = "tool_calls"
        if reason != word:
            choice["finish_reason"] = reason
            choice.setdefault("native_finish_reason", word)
        self.finished = True


class ToolCallReader:
    """Gives every fragment of a tool call the index of the call it belongs to."""

    def __init__(self, seed: str, path: str) -> None:
        self._seed = seed
        self._path = path
        self._calls: list[tuple[str, str]] = []  # id and name of each call, by its index
        self._wire: dict[int, int] = {}  # the host's index -> ours

    def whole(self, calls: list[Any]) -> list[dict[str, Any]]:
        """The calls of a whole message, each with an id."""
        result = []
        for call in calls:
            fields = self._fields(call)
            fields.pop("index", None)
            fields["id"] = self._open(_id(fields), fields)
            fields.setdefault("type", "function")
            if "function" in fields:
                fields["function"].setdefault("name", "")
                fields["function"].setdefault("arguments", "")
            result.append(fields)
        return result

    def fragments(self, calls: list[Any]) -> list[dict[str, Any]]:
        """The fragments of one delta; id, type and name come with the first of each call only."""
        return [self._fragment(self._fields(call), place, len(calls)) for place, call in enumerate(calls)]

    def _fragment(self, fields: dict[str, Any], place: int, count: int) -> dict[str, Any]:
        wire, identity = fields.get("index"), _id(fields)
        name = (fields.get("function") or {}).get("name") or ""
        index = self._index(wire, identity, name, place, count)
        if index is None:
            index = len(self._calls)
            fields["id"] = self._open(identity, fields)
            fields.setdefault("type", "function")
            if wire is not None:
                self._wire[wire] = index
        else:
            fields.pop("id", None)
            fields.pop("type", None)
            if name == self._calls[index][1]:  # some hosts repeat it with every fragment
                (fields.get("function") or {}).pop("name", None)
        fields["index"] = index
        return fields

    def _index(self, wire: int | None, identity: str, name: str, place: int, count: int) -> int | None:
        """The call that a fragment continues; None if it begins one."""
        if wire is not None:
            known = self._wire.get(wire)
            another = known is not None and identity and name and identity != self._calls[known][0]
            return None if another else known  # some hosts give every call the index 0
        if identity:
            return next((i for i, (other, _) in enumerate(self._calls) if other == identity), None)
        if name or not self._calls:
            return None
        return place if count > 1 and place < len(self._calls) else len(self._calls) - 1

    def _open(self, identity: str, fields: Mapping[str, Any]) -> str:
        identity = identity or f"call_{sha256(f'{self._seed}/{len(self._calls)}'.encode()).hexdigest()[:24]}"
        self._calls.append((identity, (fields.get("function") or {}).get("name") or ""))
        return identity

    def _fields(self, call: Any) -> dict[str, Any]:
        if not isinstance(call, dict):
            raise ShapeError(f"{self._path} holds {type(call).__name__}, not a call")
        index = call.get("index")
        if index is None:
            call.pop("index", None)
        elif type(index) is not int or index < 0:
            raise ShapeError(f"{self._path}.index is no place in a list")
        if not call.get("type"):
            call.pop("type", None)
        function = call.get("function")
        if isinstance(function, str):
            call["function"] = {"name": function}
        elif isinstance(function, dict):
            self._function(function)
        elif function is None:
            call.pop("function", None)
        else:
            raise ShapeError(f"{self._path}.function is {type(function).__name__}, not an object")
        return call

    def _function(self, function: dict[str, Any]) -> None:
        name, arguments = function.get("name"), function.get("arguments")
        if not name:
            function.pop("name", None)
        elif not isinstance(name, str):
            raise ShapeError(f"{self._path}.function.name is {type(name).__name__}, not text")
        if arguments is None:
            function.pop("arguments", None)
        elif isinstance(arguments, dict | list):
            function["arguments"] = json.dumps(arguments, ensure_ascii=False)
        elif not isinstance(arguments, str):
            raise ShapeError(f"{self._path}.function.arguments is {type(arguments).__name__}, not JSON text")


def _id(call: Mapping[str, Any]) -> str:
    """A call's id; empty where it has none, which Mistral writes as the text `null`."""
    value = call.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value != "null" else ""


def _thinking_text(value: Any) -> str:
    """Mistral's thinking: a text, or a list of text parts (other parts refer to sources, not to thoughts)."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))

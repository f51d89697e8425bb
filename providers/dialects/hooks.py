"""What no row of the catalogue can say: named functions that rows list under `encode_hooks`.

Each takes the draft of a request after the row's data has been applied, and before fields get the wire's own
names, and changes its payload in place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from .draft import Draft, Json

EncodeHook = Callable[[Draft], None]

_SHORT_ID = re.compile(r"[A-Za-z0-9]{9}")
BRIEF = 40
"""The most characters of a tool call id that every host takes but those with a form of their own."""
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def brief_tool_ids(draft: Draft) -> None:
    """OpenAI takes tool call ids of at most 40 characters: longer ones are hashed, always the same way."""
    for holder, key, path in _tool_ids(draft.payload["messages"]):
        name = str(holder[key])
        if len(name) > BRIEF:
            holder[key] = f"call_{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
            draft.report(path, "renamed", f"tool call ids have at most {BRIEF} characters here")


def short_tool_ids(draft: Draft) -> None:
    """Mistral takes tool call ids of nine letters and digits: others are hashed, the same way every time."""
    for holder, key, path in _tool_ids(draft.payload["messages"]):
        name = str(holder[key])
        if not _SHORT_ID.fullmatch(name):
            holder[key] = short_id(name)
            draft.report(path, "renamed", "tool call ids have nine letters and digits here")


def short_id(name: str) -> str:
    """Nine letters and digits that stand for a tool call id."""
    number = int.from_bytes(sha256(name.encode("utf-8", "surrogatepass")).digest())
    digits = []
    for _ in range(9):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)


def _tool_ids(messages: list[Json]) -> Iterator[tuple[Json, str, str]]:
    for place, message in enumerate(messages):
        for number, call in enumerate(message.get("tool_calls") or ()):
            yield call, "id", f"messages[{place}].tool_calls[{number}].id"
        if "tool_call_id" in message:
            yield message, "tool_call_id", f"messages[{place}].tool_call_id"


def assistant_after_tool(draft: Draft) -> None:
    """Mistral refuses a user message right after a tool message: a short assistant message goes between."""
    ordered: list[Json] = []
    for place, message in enumerate(draft.payload["messages"]):
        if message["role"] == "user" and ordered and ordered[-1]["role"] == "tool":
            ordered.append({"role": "assistant", "content": "Noted."})
            draft.report(
                f"messages[{place}]",
                "emulated",
                "a user message may not follow a tool message; one stands between",
            )
        ordered.append(message)
    draft.payload["messages"] = ordered


def mistral_parts(draft: Draft) -> None:
    """Mistral's content parts: sound is a bare string, a file is only known by its id."""
    for place, message in enumerate(draft.payload["messages"]):
        if isinstance(message.get("content"), list):
            path = f"messages[{place}].content"
            parts = [
                _mistral_part(part, f"{path}[{at}]", draft) for at, part in enumerate(message["content"])
            ]
            message["content"] = [part for part in parts if part is not None] or ""
    prediction = draft.payload.get("prediction")
    if prediction and isinstance(prediction["content"], list):
        prediction["content"] = "".join(part.get("text", "") for part in prediction["content"])


def _mistral_part(part: Json, path: str, draft: Draft) -> Json | None:
    match part["type"]:
        case "input_audio" if isinstance(part["input_audio"], dict):
            return {"type": "input_audio", "input_audio": part["input_audio"]["data"]}
        case "file" if isinstance(part["file"], dict):
            file_id = part["file"].get("file_id")
            if file_id is None:
                draft.refuse(f"{path}.file", "files are taken by file_id only")
                return None
            return {"type": "file", "file_id": file_id}
        case _:
            return part


def mistral_tools(draft: Draft) -> None:
    """Mistral wants the parameters of every function and the schema of every json_schema."""
    empty: Mapping[str, Any] = {"type": "object", "properties": {}}
    for tool in draft.payload.get("tools") or ():
        if "function" in tool:
            tool["function"].setdefault("parameters", dict(empty))
    schema = (draft.payload.get("response_format") or {}).get("json_schema")
    if schema is not None:
        schema.setdefault("schema", {"type": "object"})


def stream_tool_arguments(draft: Draft) -> None:
    """Z.ai streams the arguments of tool calls only where `tool_stream` asks for it."""
    if draft.stream and draft.payload.get("tools"):
        draft.put("tool_stream", value=True)


def one_reasoning_format(draft: Draft) -> None:
    """Groq takes `reasoning_format` or `include_reasoning`, never both: the caller's goes before ours."""
    ours = draft.thinking.send.get("reasoning_format")
    if "include_reasoning" in draft.payload and draft.payload.get("reasoning_format") == ours:
        draft.payload.pop("reasoning_format", None)


def schema_alone(draft: Draft) -> None:
    """Groq's json_schema works neither in streams nor beside tools."""
    if (draft.payload.get("response_format") or {}).get("type") != "json_schema":
        return
    if draft.stream or draft.payload.get("tools"):
        draft.refuse("response_format", "json_schema goes neither with streaming nor with tools here")
        draft.payload.pop("response_format")


def integer_logprobs(draft: Draft) -> None:
    """Together's `logprobs` is the number of likeliest tokens to tell."""
    wanted = draft.payload.pop("logprobs", None)
    most = draft.payload.pop("top_logprobs", 0)
    if wanted:
        draft.payload["logprobs"] = max(most, 1)


ENCODE_HOOKS: Mapping[str, EncodeHook] = MappingProxyType({
    hook.__name__: hook
    for hook in (
        brief_tool_ids, short_tool_ids, assistant_after_tool, mistral_parts, mistral_tools,
        stream_tool_arguments, one_reasoning_format, schema_alone, integer_logprobs,
    )
})  # fmt: skip
"""Every hook by its name in the catalogue."""

HOOKED: Mapping[str, frozenset[str]] = MappingProxyType({
    "brief_tool_ids": frozenset(),
    "short_tool_ids": frozenset({"tool_calls"}),
    "assistant_after_tool": frozenset({"tool_calls"}),
    "mistral_parts": frozenset({"prediction"}),
    "mistral_tools": frozenset({"tools", "response_format"}),
    "stream_tool_arguments": frozenset({"tools"}),
    "one_reasoning_format": frozenset(),
    "schema_alone": frozenset({"response_format"}),
    "integer_logprobs": frozenset({"logprobs", "top_logprobs"}),
})  # fmt: skip
"""The fields of requests and messages that each hook changes or depends on, besides unknown ones and content
parts that are no text. Where none of them is in a request, and ids are `BRIEF`, a hook has nothing to do."""

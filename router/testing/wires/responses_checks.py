"""The requests that OpenAI's Responses refuse, in the words in which they do.

Sources: recorded exchanges and public bug reports on orphaned items, ids and encrypted content, 2026-11-21.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from .base import Json

Refusal = tuple[int, Json]
"""An HTTP status, and the error's fields."""
FIELDS = frozenset(
    {
        "background", "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata",
        "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier",
        "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs",
        "top_p", "truncation", "user", "access_programs", "image",
    }
)  # fmt: skip
"""What a request may say."""
_PREFIXES = {"function_call": "fc", "message": "msg", "reasoning": "rs", "custom_tool_call": "ctc"}
_OUTPUTS = {"function_call": "function call", "custom_tool_call": "custom tool call"}
_LONGEST_ID = 64
_LEAST_TOKENS = 16


def sealed(text: str) -> str:
    """A stand-in for encrypted reasoning, which only the simulator makes and which shows any change."""
    packed = urlsafe_b64encode(text.encode()).decode()
    return f"gAAAA{_seal(packed)}{packed}"


def _seal(packed: str) -> str:
    return sha256(f"turnout/{packed}".encode()).hexdigest()[:32]


def opened(blob: str) -> str | None:
    """The reasoning in a blob; None where it was not made here, or was changed."""
    seal, packed = blob[5:37], blob[37:]
    if not blob.startswith("gAAAA") or seal != _seal(packed):
        return None
    return urlsafe_b64decode(packed).decode()


def refusal(body: Json) -> Refusal | None:
    """Why a request is refused; None: it is taken."""
    return next(_faults(body), None)


def _fault(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> Refusal:
    return status, {"message": message, "type": "invalid_request_error", "param": param, "code": code}


def _faults(body: Json) -> Iterator[Refusal]:
    for name in body:
        if name not in FIELDS:
            yield _fault(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if not isinstance(body.get("model"), str):
        yield _fault("Missing required parameter: 'model'.", "model", "missing_required_parameter")
    items = body.get("input")
    if not items or not isinstance(items, list | str):
        yield _fault("Missing required parameter: 'input'.", "input", "missing_required_parameter")
        return
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    yield from _field_faults(body, items)
    for place, item in enumerate(items):
        yield from _item_faults(item, f"input[{place}]")
    yield from _pairing_faults(items)
    yield from _reasoning_faults(items, stored=body.get("store", True) is not False)


def _field_faults(body: Json, items: list[Json]) -> Iterator[Refusal]:
    limit = body.get("max_output_tokens")
    if isinstance(limit, int) and limit < _LEAST_TOKENS:
        text = (
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got "
            f"{limit} instead."
        )
        yield _fault(text, "max_output_tokens", "integer_below_min_value")
    for place, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") in {"function", "custom"} and not tool.get("name"):
            name = f"tools[{place}].name"
            yield _fault(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_object" and "json" not in " ".join(_spoken(items)).lower():
        text = (
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'."
        )
        yield _fault(text, "input")


def _spoken(items: list[Json]) -> Iterator[str]:
    for item in items:
        content = item.get("content")
        for part in [content] if isinstance(content, str) else content or ():
            yield part if isinstance(part, str) else str(part.get("text") or "")


def _item_faults(item: Json, path: str) -> Iterator[Refusal]:
    kind, identity, call_id = str(item.get("type") or "message"), item.get("id"), item.get("call_id")
    prefix = _PREFIXES.get(kind)
    if identity is not None and prefix and not str(identity).startswith(prefix):
        text = f"Invalid '{path}.id': '{identity}'. Expected an ID that begins with '{prefix}'."
        yield _fault(text, f"{path}.id", "invalid_value")
    if isinstance(call_id, str) and len(call_id) > _LONGEST_ID:
        text = (
            f"Invalid '{path}.call_id': string too long. Expected a string with maximum length 64, but got a "
            f"string with length {len(call_id)} instead."
        )
        yield _fault(text, f"{path}.call_id", "string_above_max_length")
    if item.get("status", "") is None:
        yield _fault(f"Invalid type for '{path}.status'.", f"{path}.status", "invalid_type")
    if kind == "message" and isinstance(item.get("content"), list):
        yield from _part_faults(item, path)


def _part_faults(item: Json, path: str) -> Iterator[Refusal]:
    spoken = item.get("role") == "assistant"
    for place, part in enumerate(item["content"]):
        kind, where = str(part.get("type")), f"{path}.content[{place}]"
        if spoken and kind not in {"output_text", "refusal"}:
            text = f"Invalid value: '{kind}'. Supported values are: 'output_text' and 'refusal'."
            yield _fault(text, where, "invalid_value")
        elif not spoken and not kind.startswith("input_"):
            known = "'input_text', 'input_image', and 'input_file'"
            text = f"Invalid value: '{kind}'. Supported values are: {known}."
            yield _fault(text, where, "invalid_value")


def _pairing_faults(items: list[Json]) -> Iterator[Refusal]:
    called: list[Any] = []
    for item in items:
        kind, call_id = str(item.get("type")), item.get("call_id")
        if kind in _OUTPUTS:
            called.append(call_id)
        elif kind.removesuffix("_output") in _OUTPUTS and call_id not in called:
            name = _OUTPUTS[kind.removesuffix("_output")]
            yield _fault(f"No tool call found for {name} output with call_id {call_id}.", "input")
        elif kind.removesuffix("_output") in _OUTPUTS:
            called.remove(call_id)
    for call_id in called:
        yield _fault(f"No tool output found for function call {call_id}.", "input")


def _reasoning_faults(items: list[Json], *, stored: bool) -> Iterator[Refusal]:
    """Reasoning without what it led to, what it led to without the reasoning, and blobs from elsewhere."""
    seen: set[str] = set()
    for place, item in enumerate(items):
        kind, identity = item.get("type"), str(item.get("id") or "")
        if kind != "reasoning":
            mark = identity.partition("_")[2].partition("_")[0]
            needed = f"rs_{mark.removesuffix('r')}"
            if mark.endswith("r") and needed not in seen:
                text = (
                    f"Item '{identity}' of type '{kind}' was provided without its required 'reasoning' item: "
                    f"'{needed}'."
                )
                yield _fault(text, "input")
            continue
        seen.add(identity)
        blob = item.get("encrypted_content")
        if blob is None and not stored:
            text = (
                f"Item with id '{identity}' not found. Items are not persisted when `store` is set to false. "
                "Try again with `store` set to true, or remove this item from your input."
            )
            yield _fault(text, "input", status=404)
        elif blob is not None and opened(str(blob)) is None:
            text = (
                f"The encrypted content {str(blob)[:4]}...{str(blob)[-4:]} could not be verified. Reason: "
                "Encrypted content could not be decrypted or parsed."
            )
            yield _fault(text, None, "invalid_encrypted_content")
        following = items[place + 1] if place + 1 < len(items) else {}
        if not _produced(following):
            text = f"Item '{identity}' of type 'reasoning' was provided without its required following item."
            yield _fault(text, "input")


def _produced(item: Json) -> bool:
    """Whether an item is what a model may put behind its reasoning; plain text without an id is not."""
    kind = item.get("type")
    if kind in {"function_call", "custom_tool_call", "reasoning"}:
        return True
    return bool(item.get("id")) and not str(kind).endswith("_output")

"""OpenAI's Responses: a flat list of items, encrypted reasoning, and many kinds of events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from ..faults import envelope
from ..quirks import quirks
from ..script import Reply, ScriptedCall
from .base import CREATED, Asked, Json, NamedInBody, counts, fragments, pieces, sse
from .responses_checks import refusal, sealed

_STATUS = {"length": "max_output_tokens", "content_filter": "content_filter"}
_FAILED = {"message": "The model failed.", "type": "server_error", "param": None, "code": "server_error"}


class ResponsesWire(NamedInBody):
    """The simulator's side of the Responses wire; see `base.Wire`."""

    name = "responses"
    stream_type = "text/event-stream; charset=utf-8"
    request_id_header = "x-request-id"
    wrong_key_status = 401

    def last_words(self, asked: Asked) -> str:
        """The text of the user's last message."""
        given = asked.body.get("input")
        if isinstance(given, str):
            return given
        said = [item for item in given or () if item.get("role") == "user"]
        content = said[-1].get("content") if said else ""
        if isinstance(content, str):
            return content
        return " ".join(str(part.get("text") or "") for part in content or ()).strip()

    def refused(self, asked: Asked) -> tuple[int, Any] | None:
        """Status and body for a request that OpenAI never takes; None: it takes this one."""
        found = refusal(asked.body)
        return None if found is None else (found[0], self.error(*found))

    def whole(self, asked: Asked, reply: Reply, number: int) -> Json:
        """The body of a whole answer."""
        items = _items(asked, reply, number)
        return _response(asked, number, _status(reply), items, reply) | {"usage": _usage(asked, reply)}

    def events(self, asked: Asked, reply: Reply, number: int) -> Iterator[bytes]:
        """The events of a streamed answer, numbered from 0."""
        for place, event in enumerate(_events(asked, reply, number)):
            numbered = {"type": event["type"], "sequence_number": place, **event}
            yield sse(numbered, event["type"])

    def error_events(self, asked: Asked, reply: Reply) -> Iterator[bytes]:  # noqa: ARG002 - the protocol's
        """An error in the middle of a stream, nested as OpenAI sends it."""
        inner = None if isinstance(reply.error_in_200, bool) else reply.error_in_200
        told = inner or reply.error
        said = {"message": told} if isinstance(told, str) else dict(told or {})
        yield sse({"type": "error", "sequence_number": 1, "error": {**_FAILED, **said}}, "error")

    def broken_event(self) -> bytes:
        """An event that cannot be read."""
        return b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","del\n\n'

    def error(self, status: int, error: str | Mapping[str, Any] | None) -> Any:
        """The body of an error, in the envelope of Chat Completions."""
        return envelope(status, error, quirks("openai"))

    def models(self, names: list[str]) -> Any:
        """The list of models."""
        rows = [
            {"id": name, "object": "model", "created": CREATED, "owned_by": "simulator"} for name in names
        ]
        return {"object": "list", "data": rows}


def _thinks(asked: Asked) -> bool:
    return (asked.body.get("reasoning") or {}).get("effort") != "none"


def _status(reply: Reply) -> str | None:
    if reply.ending is None:
        return None
    return "incomplete" if reply.ending in _STATUS else "completed"


def _response(asked: Asked, number: int, status: str | None, items: list[Json], reply: Reply) -> Json:
    """The response as such, with the request echoed as OpenAI does."""
    body = asked.body
    reason = _STATUS.get(str(reply.ending)) if status == "incomplete" else None
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body["model"],
        "output": items,
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, **(body.get("text") or {})},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "metadata": body.get("metadata") or {},
    }


def _usage(asked: Asked, reply: Reply) -> Json | None:
    if reply.usage == "missing":
        return None
    if reply.usage is not None:
        return dict(reply.usage)
    told = counts(asked, reply, thinks=_thinks(asked))
    return {
        "input_tokens": told.prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": told.completion,
        "output_tokens_details": {"reasoning_tokens": told.reasoning},
        "total_tokens": told.prompt + told.completion,
    }


def _items(asked: Asked, reply: Reply, number: int) -> list[Json]:
    """Reasoning, message and calls, in the order in which OpenAI's models give them."""
    items: list[Json] = []
    thought = bool(reply.reasoning) and _thinks(asked)
    mark = f"{number}r" if thought else str(number)  # ids tell whether reasoning belongs to them
    if thought:
        items.append(_reasoning(asked, reply.reasoning or "", number))
    parts: list[Json] = []
    if reply.content:
        parts.append({"type": "output_text", "text": reply.content, "annotations": [], "logprobs": []})
    if reply.refusal:
        parts.append({"type": "refusal", "refusal": reply.refusal})
    status = "incomplete" if reply.ending in _STATUS else "completed"
    if parts:
        message = {
            "id": f"msg_{mark}",
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": parts,
        }
        phase = "commentary" if reply.calls else "final_answer"
        items.append(message | ({"phase": phase} if thought else {}))
    customs = {tool.get("name") for tool in asked.body.get("tools") or () if tool.get("type") == "custom"}
    items += [
        _call(call, f"{mark}_{place}", status, custom=call.name in customs)
        for place, call in enumerate(reply.calls)
    ]
    return items


def _reasoning(asked: Asked, text: str, number: int) -> Json:
    """A reasoning item: a summary and the encrypted whole, each only where it was asked for."""
    shown = bool((asked.body.get("reasoning") or {}).get("summary"))
    item: Json = {
        "id": f"rs_{number}",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}] if shown else [],
    }
    if "reasoning.encrypted_content" in (asked.body.get("include") or ()):
        item["encrypted_content"] = sealed(text)
    return item


def _call(call: ScriptedCall, mark: str, status: str, *, custom: bool) -> Json:
    identity = call.id or f"call_{sha256(mark.encode()).hexdigest()[:24]}"
    item: Json = {
        "id": f"{'ctc' if custom else 'fc'}_{mark}",
        "status": status,
        "call_id": identity,
        "name": call.name,
    }
    if custom:
        return item | {"type": "custom_tool_call", "input": call.arguments_text}
    return item | {"type": "function_call", "arguments": call.arguments_text}


def _events(asked: Asked, reply: Reply, number: int) -> Iterator[Json]:
    open_ = _response(asked, number, "in_progress", [], reply)
    yield {"type": "response.created", "response": open_}
    yield {"type": "response.in_progress", "response": open_}
    items = _items(asked, reply, number)
    for place, item in enumerate(items):
        yield {"type": "response.output_item.added", "output_index": place, "item": _skeleton(item)}
        yield from _inside(item, {"item_id": item["id"], "output_index": place})
        yield {"type": "response.output_item.done", "output_index": place, "item": item}
    status = _status(reply)
    if status is not None:
        response = _response(asked, number, status, items, reply) | {"usage": _usage(asked, reply)}
        yield {"type": f"response.{status}", "response": response}


def _skeleton(item: Json) -> Json:
    """An item as it is announced; its encrypted content is not whole yet."""
    match item["type"]:
        case "reasoning":
            sealed_ = item.get("encrypted_content")
            return item | {"summary": []} | ({"encrypted_content": sealed_[:12]} if sealed_ else {})
        case "message":
            return item | {"status": "in_progress", "content": []}
        case "function_call":
            return item | {"status": "in_progress", "arguments": ""}
        case _:
            return item | {"status": "in_progress", "input": ""}


def _inside(item: Json, where: Json) -> Iterator[Json]:
    """What comes between an item's beginning and its end."""
    match item["type"]:
        case "reasoning":
            for part in item["summary"]:
                yield from _summary(part, {**where, "summary_index": 0})
        case "message":
            for place, part in enumerate(item["content"]):
                yield from _part(part, {**where, "content_index": place})
        case "function_call":
            for piece in fragments(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
            done = {"type": "response.function_call_arguments.done", **where, "name": item["name"]}
            yield done | {"arguments": item["arguments"]}
        case _:
            for piece in fragments(item["input"]):
                yield {"type": "response.custom_tool_call_input.delta", **where, "delta": piece}
            yield {"type": "response.custom_tool_call_input.done", **where, "input": item["input"]}


def _summary(part: Json, where: Json) -> Iterator[Json]:
    event = "response.reasoning_summary"
    yield {"type": f"{event}_part.added", **where, "part": part | {"text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": f"{event}_text.delta", **where, "delta": piece}
    yield {"type": f"{event}_text.done", **where, "text": part["text"]}
    yield {"type": f"{event}_part.done", **where, "part": part}


def _part(part: Json, where: Json) -> Iterator[Json]:
    refused = part["type"] == "refusal"
    field, event = ("refusal", "refusal") if refused else ("text", "output_text")
    logprobs: Json = {} if refused else {"logprobs": []}
    yield {"type": "response.content_part.added", **where, "part": part | {field: ""}}
    for piece in pieces(part[field]):
        yield {"type": f"response.{event}.delta", **where, "delta": piece, **logprobs}
    yield {"type": f"response.{event}.done", **where, field: part[field], **logprobs}
    yield {"type": "response.content_part.done", **where, "part": part}


WIRE = ResponsesWire()

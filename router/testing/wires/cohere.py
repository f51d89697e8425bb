"""Cohere's Chat API v2 as the simulator speaks it.

Models that think send thinking blocks, unless the request switches thinking off; the others have a plan where
they call tools, and no thinking besides. Documents are cited. Requests are refused in the words of Cohere's
page on errors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ..script import Reply, ScriptedCall
from .base import Asked, Json, NamedInBody, counts, fragments, pieces, sse

_PLAIN_MODELS = (
    "command-a-[0-9]*", "command-a-vision*", "command-a-translate*", "command-r*", "command",
    "command-light*", "*aya-*", "north-small-translate*",
)  # fmt: skip
_FINISH = {
    "stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL", "content_filter": "ERROR_TOXIC",
}  # fmt: skip
_MESSAGES = {
    400: "invalid request: the request cannot be understood.",
    401: "invalid api token",
    404: "model not found, make sure the correct model ID was used and that you have access to the model.",
    429: "You are using a Trial key, which is limited to 20 API calls / minute.",
    498: "the request holds a word that is not allowed.",
    499: "request cancelled by user",
    500: "internal server error, this has been reported to our developers.",
    503: "service unavailable",
    504: "the request took too long",
}
_BOUNDS = {
    "temperature": (0, 1), "p": (0.01, 0.99), "k": (0, 500), "frequency_penalty": (0, 1),
    "presence_penalty": (0, 1),
}  # fmt: skip
_TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class CohereWire(NamedInBody):
    """Cohere's wire."""

    name = "cohere"
    stream_type = "text/event-stream"
    request_id_header = "x-debug-trace-id"
    wrong_key_status = 401

    def last_words(self, asked: Asked) -> str:
        """The text of the user's last message."""
        for message in reversed(_dicts(asked.body.get("messages"))):
            if message.get("role") == "user":
                return _said(message)
        return ""

    def refused(self, asked: Asked) -> tuple[int, Any] | None:
        """Cohere's 400 for a request that it never takes."""
        message = next(_complaints(asked.body), None)
        return None if message is None else (400, self.error(400, message))

    def whole(self, asked: Asked, reply: Reply, number: int) -> Json:
        """The body of a whole answer."""
        message: Json = {"role": "assistant"}
        blocks = list(_blocks(asked, reply))
        if blocks:
            message["content"] = [{"type": kind, kind: text} for kind, text in blocks]
        if plan := _plan(asked, reply):
            message["tool_plan"] = plan
        if reply.calls:
            message["tool_calls"] = [_call(call, number, at) for at, call in enumerate(reply.calls)]
        if citation := _citation(asked, reply, len(blocks) - 1):
            message["citations"] = [citation]
        answer = {"id": f"co-{number}", "message": message, **_ending(asked, reply)}
        if asked.body.get("logprobs") and reply.content:
            answer["logprobs"] = [_likelihood(word) for word in pieces(reply.content)]
        return answer

    def events(self, asked: Asked, reply: Reply, number: int) -> Iterator[bytes]:
        """The events of a streamed answer."""
        opening: Json = {
            "role": "assistant",
            "content": [],
            "tool_plan": "",
            "tool_calls": [],
            "citations": [],
        }
        yield _event("message-start", opening, id=f"co-{number}")
        last = -1
        for last, (kind, text) in enumerate(_blocks(asked, reply)):
            yield _event("content-start", {"content": {"type": kind, kind: ""}}, index=last)
            for word in pieces(text):
                told = (
                    {"logprobs": _likelihood(word)} if asked.body.get("logprobs") and kind == "text" else {}
                )
                yield _event("content-delta", {"content": {kind: word}}, index=last, **told)
            yield _event("content-end", index=last)
        for word in pieces(_plan(asked, reply)):
            yield _event("tool-plan-delta", {"tool_plan": word})
        for at, call in enumerate(reply.calls):
            begun = _call(call, number, at)
            arguments, begun["function"]["arguments"] = begun["function"]["arguments"], ""
            yield _event("tool-call-start", {"tool_calls": begun}, index=at)
            for piece in fragments(arguments):
                yield _event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}}, index=at)
            yield _event("tool-call-end", index=at)
        if citation := _citation(asked, reply, last):
            yield _event("citation-start", {"citations": citation}, index=0)
            yield _event("citation-end", index=0)
        yield sse({"type": "message-end", "delta": _ending(asked, reply)}, "message-end")
        yield b"data: [DONE]\n\n"

    def error_events(self, asked: Asked, reply: Reply) -> Iterator[bytes]:  # noqa: ARG002 - the protocol's
        """An end that reports an error."""
        inside = reply.error_in_200
        told = reply.error if inside is None or isinstance(inside, bool) else inside
        message = self.error(500, told)["message"]
        yield sse(
            {"type": "message-end", "delta": {"error": message, "finish_reason": "ERROR"}}, "message-end"
        )
        yield b"data: [DONE]\n\n"

    def broken_event(self) -> bytes:
        """An event that breaks off."""
        return b'event: content-delta\ndata: {"type": "content-delta", "index"\n\n'

    def error(self, status: int, error: str | Mapping[str, Any] | None) -> Json:
        """The body of an error: an id and a message."""
        body: Json = {"id": f"error-{status}", "message": _MESSAGES.get(status, f"HTTP {status}")}
        if isinstance(error, Mapping):
            return body | dict(error)
        return body if error is None else body | {"message": error}

    def models(self, names: list[str]) -> Json:
        """The list of chat models."""
        return {
            "models": [
                {
                    "name": name,
                    "endpoints": ["chat"],
                    "finetuned": False,
                    "is_deprecated": False,
                    "context_length": 128000.0,
                    "features": ["tools"] if _plain(name) else ["tools", "reasoning"],
                    "default_endpoints": [],
                }
                for name in names
            ],
            "next_page_token": "",
        }


WIRE = CohereWire()
"""The wire, for the simulator to find."""


def _plain(model: str) -> bool:
    """Whether a model does not think."""
    return any(fnmatchcase(model.lower(), pattern) for pattern in _PLAIN_MODELS)


def _dicts(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _said(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(str(block.get("text") or "") for block in _dicts(content))


def _event(kind: str, message: Json | None = None, **fields: Any) -> bytes:
    event: Json = {"type": kind, **fields}
    if message is not None:
        event["delta"] = {"message": message}
    return sse(event, kind)


def _thinks(asked: Asked) -> bool:
    switch = asked.body.get("thinking")
    off = isinstance(switch, dict) and switch.get("type") == "disabled"
    return not off and not _plain(str(asked.body.get("model")))


def _blocks(asked: Asked, reply: Reply) -> Iterator[tuple[str, str]]:
    """Kind and text of the content blocks."""
    if reply.reasoning and _thinks(asked):
        yield "thinking", reply.reasoning
    text = f"{reply.content or ''}{reply.refusal or ''}"  # a refusal is text like any other here
    if text or not reply.calls:
        yield "text", text


def _plan(asked: Asked, reply: Reply) -> str:
    """What a model that does not think says of the tools it is about to call."""
    plain = _plain(str(asked.body.get("model")))
    return reply.reasoning or "" if plain and reply.calls else ""


def _call(call: ScriptedCall, number: int, at: int) -> Json:
    made = f"{call.name}_{hashlib.sha256(f'{number}.{at}'.encode()).hexdigest()[:12]}"
    function = {"name": call.name, "arguments": call.arguments_text}
    return {"id": call.id or made, "type": "function", "function": function}


def _citation(asked: Asked, reply: Reply, block: int) -> Json | None:
    """The first document is cited for the first word."""
    documents, words = asked.body.get("documents"), pieces(reply.content)
    if not documents or not words:
        return None
    first = documents[0]
    data = first.get("data") if isinstance(first, dict) else {"text": first}
    identity = first.get("id", "doc:0") if isinstance(first, dict) else "doc:0"
    source = {"type": "document", "id": identity, "document": {"id": identity, **_fields(data)}}
    return {
        "start": 0,
        "end": len(words[0]),
        "text": words[0],
        "sources": [source],
        "content_index": block,
        "type": "TEXT_CONTENT",
    }


def _fields(data: Any) -> Json:
    return data if isinstance(data, dict) else {"text": str(data)}


def _likelihood(word: str) -> Json:
    return {"text": word, "token_ids": [len(word)], "logprobs": [-0.25]}


def _ending(asked: Asked, reply: Reply) -> Json:
    """Why the answer ended, and what it took."""
    ending: Json = {}
    if reply.ending is not None:
        ending["finish_reason"] = _FINISH.get(reply.ending, reply.ending)
    if reply.usage == "missing":
        return ending
    if isinstance(reply.usage, Mapping):
        return {**ending, "usage": dict(reply.usage)}
    told = counts(asked, reply, thinks=_thinks(asked) or bool(_plan(asked, reply)))
    ending["usage"] = {
        "billed_units": {"input_tokens": told.prompt, "output_tokens": told.completion},
        "tokens": {"input_tokens": float(told.prompt), "output_tokens": float(told.completion)},
        "cached_tokens": 0,
    }
    return ending


def _complaints(body: Json) -> Iterator[str]:
    """What Cohere has against a request, the first complaint first."""
    if not body.get("model"):
        yield "a model parameter is required for this endpoint."
    messages = _dicts(body.get("messages"))
    if not any(message.get("role") in {"user", "tool"} for message in messages):
        yield "invalid request: message must be at least 1 token long or tool results must be specified."
    yield from _about_messages(messages)
    yield from _about_tools(body)
    for name, (least, most) in _BOUNDS.items():
        if body.get(name) is not None and not least <= body[name] <= most:
            yield f"invalid request: {name} must be between {least} and {most} inclusive."
    if body.get("frequency_penalty") and body.get("presence_penalty"):
        yield "invalid request: cannot specify both frequency_penalty and presence_penalty."
    if len(body.get("stop_sequences") or ()) > 5:
        yield "invalid request: at most 5 stop sequences may be given."
    if body.get("documents") == []:
        yield "invalid request: list of documents must not be empty"
    if body.get("thinking") and _plain(str(body.get("model"))):
        yield "invalid request: thinking is not supported for this model."
    form = body.get("response_format")
    if form and form.get("type") == "json_object" and (body.get("documents") or body.get("tools")):
        yield "invalid request: response_format is not supported with RAG."
    if form and form.get("json_schema", {}).get("type", "object") != "object":
        yield "schema must be an object"


def _about_messages(messages: list[Json]) -> Iterator[str]:
    called: set[str] = set()
    for place, message in enumerate(messages):
        role, calls = message.get("role"), _dicts(message.get("tool_calls"))
        if role == "system" and place:
            yield "system turn must be the first in the list"
        if not (message.get("content") or calls):
            yield "message must not be empty in a turn"
        if role == "tool":
            before = messages[place - 1].get("role") if place else None
            if not message.get("tool_call_id"):
                yield "tool call id must be provided with tool message"
            elif message["tool_call_id"] not in called or before not in {"assistant", "tool"}:
                yield "tool call id not found in previous tool calls"
        for call in calls:
            if call.get("type") != "function":
                yield "tool call must be of type function"
            if call.get("id") in called:
                yield "cannot have duplicate tool ids"
            called.add(str(call.get("id")))


def _about_tools(body: Json) -> Iterator[str]:
    tools = _dicts(body.get("tools"))
    if body.get("tool_choice") is not None and not tools:
        yield "invalid request: tool_choice needs tools."
    for number, tool in enumerate(tools):
        function = tool.get("function") or {}
        if not _TOOL_NAME.fullmatch(str(function.get("name"))):
            yield (
                "invalid request: tool names can only contain certain characters (A-Za-z0-9_) and can't "
                f"begin with a digit (provided name: '{function.get('name')}')."
            )
        if not isinstance(function.get("parameters"), dict):
            yield f"invalid request: tool at index {number} has no parameters"

"""Ollama's own wire: `/api/chat` with JSON line by line, and `/api/tags`.

Sources: ollama's server/routes.go and api/types.go, commit fb307609 of August 2026.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from ..script import Reply
from .base import Asked, Json, arguments, counts, dump, pieces

_LEVELS = ("low", "medium", "high", "max")
_MESSAGES = {
    400: "invalid request", 401: "unauthorized", 403: "ollama cloud is disabled: remote model is unavailable",
    404: "model 'm' not found", 429: "you have reached your hourly usage limit",
    503: "server busy, please try again.  maximum pending requests exceeded",
}  # fmt: skip


class OllamaWire:
    """A server of Ollama's."""

    name = "ollama"
    stream_type = "application/x-ndjson"
    request_id_header = "x-request-id"
    wrong_key_status = 401

    def model(self, asked: Asked) -> str:
        """The model asked for."""
        return str(asked.body.get("model") or "")

    def streams(self, asked: Asked) -> bool:
        """Whether a stream is asked for, which it is where nothing is said."""
        return asked.body.get("stream") is not False

    def last_words(self, asked: Asked) -> str:
        """The text of the user's last message."""
        said = [str(one.get("content") or "") for one in asked.body["messages"] if one.get("role") == "user"]
        return said[-1] if said else ""

    def refused(self, asked: Asked) -> tuple[int, Json] | None:
        """The server's own complaints about a request that it cannot read."""
        if not self.model(asked):
            return 400, self.error(400, "model is required")
        complaint = next(_complaints(asked.body), None)
        return None if complaint is None else (400, self.error(400, complaint))

    def whole(self, asked: Asked, reply: Reply, number: int) -> Json:
        """The body of a whole answer."""
        if not asked.body["messages"]:
            return _line(asked, number, {"content": ""}) | {"done": True, "done_reason": "load"}
        message: Json = {"content": _content(reply)}
        if _thinks(asked) and reply.reasoning:
            message["thinking"] = reply.reasoning
        if reply.calls:
            message["tool_calls"] = _calls(reply, number)
        return _line(asked, number, message) | _end(asked, reply)

    def events(self, asked: Asked, reply: Reply, number: int) -> Iterator[bytes]:
        """One line for each word of the thinking and of the text, one for the calls, and the last one."""
        lines: list[Json] = []
        if _thinks(asked):
            lines += [{"content": "", "thinking": word} for word in pieces(reply.reasoning)]
        lines += [{"content": word} for word in pieces(_content(reply))]
        if reply.calls:
            lines.append({"content": "", "tool_calls": _calls(reply, number)})
        for message in lines:
            yield dump(_line(asked, number, message) | {"done": False}) + b"\n"
        if reply.ending is not None:
            yield dump(_line(asked, number, {"content": ""}) | _end(asked, reply)) + b"\n"

    def error_events(self, asked: Asked, reply: Reply) -> Iterator[bytes]:  # noqa: ARG002
        """The line that stands in a stream that fails."""
        error = reply.error or "an error was encountered while running the model"
        yield dump(self.error(500, error)) + b"\n"

    def broken_event(self) -> bytes:
        """A line that cannot be read."""
        return b'{"model":"m","message":{"role":"assistant","con\n'

    def error(self, status: int, error: str | Mapping[str, Any] | None) -> Json:
        """An error's body: a text alone."""
        if isinstance(error, Mapping):
            error = str(error.get("message") or "")
        return {"error": error or _MESSAGES.get(status, "internal error")}

    def models(self, names: list[str]) -> Json:
        """The models on the server."""
        details = {"format": "gguf", "family": "sim", "parameter_size": "1M", "quantization_level": "Q4_0"}
        return {
            "models": [
                {
                    "name": name,
                    "model": name,
                    "modified_at": "2026-01-01T00:00:00Z",
                    "size": 1000000,
                    "digest": hashlib.sha256(name.encode()).hexdigest(),
                    "details": details,
                }
                for name in names
            ]
        }


def _complaints(body: Json) -> Iterator[str]:
    """What the server says of fields that its JSON decoder does not take."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        yield "json: cannot unmarshal into Go struct field ChatRequest.messages of type []api.Message"
        return
    for message in messages:
        yield from _about_message(message)
    think = body.get("think")
    if isinstance(think, str) and think not in _LEVELS:
        yield f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, or false)'
    if not 0 <= (body.get("top_logprobs") or 0) <= 20:
        yield "top_logprobs must be between 0 and 20"
    wanted = body.get("format")
    if not (wanted in (None, "", "json") or isinstance(wanted, dict)):
        yield f'invalid format: "{wanted}"; expected "json" or a valid JSON Schema object'


def _about_message(message: Json) -> Iterator[str]:
    if not isinstance(message.get("content", ""), str):
        yield "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string"
    for image in message.get("images") or ():
        try:
            b64decode(image, validate=True)
        except ValueError:
            yield "illegal base64 data at input byte 4"
    for call in message.get("tool_calls") or ():
        if not isinstance(call["function"].get("arguments", {}), dict):
            yield "json: cannot unmarshal string into Go struct field ToolCallFunction.arguments of type map"


def _thinks(asked: Asked) -> bool:
    """Whether the model shows its thinking; gpt-oss does so whatever is said."""
    return asked.body.get("think") is not False or "gpt-oss" in str(asked.body.get("model"))


def _content(reply: Reply) -> str:
    return (reply.content or "") + (reply.refusal or "")


def _line(asked: Asked, number: int, message: Json) -> Json:
    return {
        "model": asked.body["model"],
        "created_at": f"2026-01-01T00:00:00.{number:09d}Z",
        "message": {"role": "assistant", **message},
    }


def _calls(reply: Reply, number: int) -> list[Json]:
    calls = []
    for index, call in enumerate(reply.calls):
        digest = hashlib.sha256(f"{number}.{index}".encode()).hexdigest()
        function = {"index": index, "name": call.name, "arguments": arguments(call.arguments_text)}
        calls.append({"id": call.id or f"call_{digest[:8]}", "function": function})
    return calls


def _end(asked: Asked, reply: Reply) -> Json:
    """What the last line says: there is no word for calls, and a count of 0 is left out."""
    if reply.ending is None:
        return {"done": False}
    reason = reply.ending if reply.ending in {"length", "load", "unload"} else "stop"
    end: Json = {"done": True, "done_reason": reason, "total_duration": 9000000, "load_duration": 1000000}
    if reply.usage == "missing":
        return end
    if reply.usage is not None:
        return {**end, **reply.usage}
    counted = counts(asked, reply, thinks=_thinks(asked))
    used = {"prompt_eval_count": counted.prompt, "eval_count": counted.completion}
    return end | {name: value for name, value in used.items() if value}


WIRE = OllamaWire()

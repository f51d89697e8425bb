"""Renders a reply as the bytes a host would send: one body, or the events of a stream."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .counting import choice_count, timings_of, usage_of
from .faults import envelope, error_in_200, scripted_fault
from .quirks import Quirks, ReasoningStyle, reasoning_style, thinking_off
from .script import Reply, ScriptedCall

# A fixed moment (2026-01-01), so that the same script gives the same bytes.
_CREATED = 1767225600
_WORD = re.compile(r"\s*\S+|\s+")
_FRAGMENT = 6
_BROKEN = b'{"choices": [{"index": 0, "delta": {"con'

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer before it is cut, dripped or delayed."""

    status: int
    parts: tuple[bytes, ...]
    """The body; the events of a stream one by one."""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: bool = False
    preamble: bytes = b""
    """Comments that come before the first event, and count as none."""


def json_answer(status: int, body: Any) -> Answer:
    """An answer that is one JSON document."""
    return Answer(status, (_dump(body),))


def answer(request: Mapping[str, Any], reply: Reply, row: Quirks, number: int) -> Answer:
    """The answer that a reply stands for; `number` counts the requests and makes its ids."""
    stream = request.get("stream") is True
    if reply.body is not None:
        kind = "text/event-stream" if stream and reply.status < 400 else "application/json"
        return Answer(reply.status, (reply.body,), kind, reply.headers)
    if reply.status >= 400:
        status, body = scripted_fault(reply, row)
        return Answer(status, (_dump(body),), headers=reply.headers)
    writer = _Writer(request, reply, row, number)
    if not stream:
        return Answer(reply.status, (writer.body(),), headers=reply.headers)
    return Answer(
        reply.status,
        tuple(writer.stream()),
        "text/event-stream",
        reply.headers,
        stream=True,
        preamble=row.comment or b"",
    )


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


class _Writer:
    """Writes one answer in one host's way."""

    def __init__(self, request: Mapping[str, Any], reply: Reply, row: Quirks, number: int) -> None:
        self.request = request
        self.reply = reply
        self.row = row
        self.number = number
        style = reasoning_style(request, row)
        self.style: ReasoningStyle | None = style if reply.reasoning else None
        # A host that only hides its thoughts has spent the tokens all the same.
        self.usage = usage_of(request, reply, row, thinks=not thinking_off(request, row))
        options = request.get("stream_options")
        asked = isinstance(options, Mapping) and options.get("include_usage") is True
        self.stream_usage = self.usage if asked or row.usage_always else None

    def body(self) -> bytes:
        """A whole answer."""
        if self.reply.malformed_event is not None:
            return self.row.leading + _BROKEN
        if self.reply.error_in_200:
            return self.row.leading + _dump(error_in_200(self.reply, self.row))
        choices = [self._choice(index) for index in range(choice_count(self.request))]
        answer = self._head("chat.completion") | {"choices": choices}
        if self.usage is not None:
            answer["usage"] = self.usage
        if self.row.timings:
            answer["timings"] = timings_of(self.usage)
        if self.row.x_groq:
            answer["x_groq"] = {"id": f"req_{self.number}"}
        if self.row.base_resp:
            answer["base_resp"] = {"status_code": 0, "status_msg": ""}
        return self.row.leading + _dump(answer)

    def stream(self) -> Iterator[bytes]:
        """The events of a streamed answer, the scripted faults among them."""
        if self.reply.error_in_200:
            yield _event(_dump(error_in_200(self.reply, self.row)))
            return
        for index, data in enumerate([*map(_dump, self._chunks()), b"[DONE]"]):
            if index == self.reply.error_event_after:
                yield from self._error_event()
                return
            yield _event(_BROKEN if index == self.reply.malformed_event else data)

    def _error_event(self) -> Iterator[bytes]:
        body = envelope(502 if self.row.native_finish_reason else 500, self.reply.error, self.row)
        if self.row.native_finish_reason:
            failed = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
            body = self._head("chat.completion.chunk") | body | {"choices": [failed]}
        elif self.row.x_groq:
            body |= {"x_groq": {"id": f"req_{self.number}", "error": body["error"]["message"]}}
        elif self.row.envelope == "flat":
            body = {"error": body}
        yield _event(_dump(body))
        if self.row.error_then_done:
            yield _event(b"[DONE]")

    def _head(self, kind: str) -> Json:
        head = {
            "id": f"chatcmpl-{self.number}",
            "object": kind,
            "created": _CREATED,
            "model": self.request["model"],
        }
        return head | dict(self.row.extra)

    def _finish(self) -> Json:
        reason = self.reply.ending
        wire = self.row.tool_finish if reason == "tool_calls" else reason
        return {"finish_reason": wire} | (
            {"native_finish_reason": reason} if self.row.native_finish_reason else {}
        )

    def _call(self, index: int, call: ScriptedCall) -> Json:
        return {
            "id": call.id or _call_id(self.row, self.number, index),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments_text},
        }

    def _choice(self, index: int) -> Json:
        content = self.row.silent_content if self.reply.content is None else self.reply.content
        message: Json = {"role": "assistant", "content": content}
        if self.style is not None and self.reply.reasoning is not None:
            _add_reasoning(message, self.reply.reasoning, self.style)
        if self.reply.refusal is not None:
            message["refusal"] = self.reply.refusal
        if self.reply.calls:
            message["tool_calls"] = [self._call(number, call) for number, call in enumerate(self.reply.calls)]
        return {"index": index, "message": message, "logprobs": None} | self._finish()

    def _chunks(self) -> Iterator[Json]:
        choices = range(choice_count(self.request))
        role: Json = {"role": "assistant", "content": None if self.row.timings else ""}
        for number, delta in enumerate([role, *self._deltas()]):
            for index in choices:
                chunk = self._chunk(
                    [{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}]
                )
                first = number == 0 and index == 0 and self.row.x_groq
                yield chunk | ({"x_groq": {"id": f"req_{self.number}"}} if first else {})
        if self.reply.ending is not None:
            for index in choices:
                yield self._last_chunk(index, last=index == choices[-1])
        if self.stream_usage is not None and self.row.stream_usage == "own_chunk":
            chunk = self._chunk([]) | {"usage": self.stream_usage}
            yield chunk | ({"timings": timings_of(self.usage)} if self.row.timings else {})

    def _chunk(self, choices: list[Json]) -> Json:
        return self._head("chat.completion.chunk") | {"choices": choices}

    def _last_chunk(self, index: int, *, last: bool) -> Json:
        chunk = self._chunk([{"index": index, "delta": {}, "logprobs": None} | self._finish()])
        if not last:
            return chunk
        if self.row.stream_usage == "finish_chunk" and self.stream_usage is not None:
            chunk["usage"] = self.stream_usage
        if self.row.x_groq and self.usage is not None:
            chunk["x_groq"] = {"id": f"req_{self.number}", "usage": self.usage}
        if self.row.timings and self.stream_usage is None:
            chunk["timings"] = timings_of(self.usage)
        if self.row.base_resp:
            chunk["base_resp"] = {"status_code": 0, "status_msg": ""}
        return chunk

    def _deltas(self) -> Iterator[Json]:
        if self.style is not None and self.reply.reasoning is not None:
            yield from _reasoning_deltas(self.reply.reasoning, self.style)
        for word in _WORD.findall(self.reply.content or ""):
            yield {"content": word}
        for word in _WORD.findall(self.reply.refusal or ""):
            yield {"refusal": word}
        for index, call in enumerate(self.reply.calls):
            opening = self._call(index, call)
            arguments = opening["function"]["arguments"]
            opening["function"] = {"name": call.name, "arguments": ""}
            yield {"tool_calls": [{"index": index, **opening}]}
            for start in range(0, len(arguments), _FRAGMENT):
                piece = arguments[start : start + _FRAGMENT]
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _call_id(row: Quirks, number: int, index: int) -> str:
    digest = hashlib.sha256(f"{number}.{index}".encode()).hexdigest()
    match row.tool_call_id:
        case "letters":
            return digest[:32]
        case "nine":
            return digest[:9]
        case _:
            return f"call_{digest[:24]}"


def _add_reasoning(message: Json, text: str, style: ReasoningStyle) -> None:
    match style:
        case "think_tags":
            message["content"] = f"<think>\n{text}\n</think>\n\n{message['content'] or ''}"
        case "thinking_parts":
            content = message["content"]
            message["content"] = [
                _thinking_part(text),
                *([{"type": "text", "text": content}] if content else []),
            ]
        case "reasoning_details":
            message.update(_detailed(text))
        case "split_details":
            message.update(_split(text))
        case _:
            message[style] = text


def _reasoning_deltas(text: str, style: ReasoningStyle) -> Iterator[Json]:
    words = _WORD.findall(text)
    match style:
        case "think_tags":
            for piece in ("<think>", "\n", *words, "\n", "</think>", "\n\n"):
                yield {"content": piece}
        case "thinking_parts":
            for word in words:
                yield {"content": [_thinking_part(word)]}
        case "reasoning_details":
            for word in words:
                yield {"content": "", **_detailed(word)}
        case "split_details":
            for word in words:
                yield {"content": "", **_split(word)}
        case _:
            for word in words:
                yield {style: word}


def _thinking_part(text: str) -> Json:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def _detailed(text: str) -> Json:
    return {"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "text": text, "index": 0}]}


def _split(text: str) -> Json:
    return {"reasoning_content": text, "reasoning_details": [{"text": text}]}

"""Converse as the simulator speaks it: binary streams, signed thinking, and errors named by their exceptions.

Source: botocore 1.44.5's model of the service and recorded exchanges, read 2026-11-21. The real service names
an error in a header; the simulator does it in the body's `__type`, which Amazon's clients read as well.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from turnout.providers.event_stream import Message, encode, string

from ..script import Reply
from .base import Asked, Json, arguments, counts, dump, fragments, pieces
from .bedrock_checks import faults

_EXCEPTIONS = {
    400: "ValidationException", 401: "UnrecognizedClientException", 403: "AccessDeniedException",
    404: "ResourceNotFoundException", 408: "ModelTimeoutException", 424: "ModelErrorException",
    429: "ThrottlingException", 503: "ServiceUnavailableException",
}  # fmt: skip
_MESSAGES = {
    401: "The security token included in the request is invalid.",
    403: "You don't have access to the model with the specified model ID.",
    404: "Could not resolve the foundation model from the provided model identifier.",
    429: "Too many requests, please wait before trying again.",
    503: "Bedrock is unable to process your request.",
}
_FINISH = {
    "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use",
    "content_filter": "guardrail_intervened",
}  # fmt: skip
_PATH = re.compile(r"/model/([^/]+)/converse(?:-stream)?$")
_SILENT = frozenset({"disabled", "between_tools", "none"})


def signature(model: str, thinking: str) -> str:
    """What the simulator signs its thinking with; altered thinking does not fit it any more."""
    return b64encode(hashlib.sha256(f"{model}/{thinking}".encode()).digest()).decode()


class BedrockWire:
    """Amazon's wire."""

    name = "bedrock"
    stream_type = "application/vnd.amazon.eventstream"
    request_id_header = "x-amzn-requestid"
    wrong_key_status = 403

    def model(self, asked: Asked) -> str:
        """The model asked for."""
        match = _PATH.search(asked.path)
        return unquote(match[1]) if match else ""

    def streams(self, asked: Asked) -> bool:
        """Whether a stream is asked for."""
        return asked.path.endswith("/converse-stream")

    def last_words(self, asked: Asked) -> str:
        """The text of the user's last message."""
        for message in reversed(asked.body["messages"]):
            if message["role"] == "user":
                return " ".join(block["text"] for block in message["content"] if "text" in block)
        return ""

    def refused(self, asked: Asked) -> tuple[int, Any] | None:
        """The 400 that the service answers to a request against its rules; None: it takes this one."""
        model = self.model(asked)
        text = next(faults(asked.body, model, lambda thinking: signature(model, thinking)), None)
        return None if text is None else (400, self.error(400, text))

    def whole(self, asked: Asked, reply: Reply, number: int) -> Json:
        """The body of a whole answer."""
        content = [block for block, _ in self._blocks(asked, reply, number)]
        return {
            "output": {"message": {"role": "assistant", "content": content}},
            **_ending(reply),
            **_metadata(asked, reply),
        }

    def events(self, asked: Asked, reply: Reply, number: int) -> Iterator[bytes]:
        """The events of a streamed answer."""
        yield event("messageStart", {"role": "assistant"})
        for index, (block, deltas) in enumerate(self._blocks(asked, reply, number)):
            place = {"contentBlockIndex": index}
            if "toolUse" in block:
                called = {name: value for name, value in block["toolUse"].items() if name != "input"}
                yield event("contentBlockStart", {**place, "start": {"toolUse": called}})
            for delta in deltas:
                yield event("contentBlockDelta", {**place, "delta": delta})
            yield event("contentBlockStop", place)
        yield event("messageStop", _ending(reply))
        yield event("metadata", _metadata(asked, reply))

    def error_events(self, asked: Asked, reply: Reply) -> Iterator[bytes]:  # noqa: ARG002 - the protocol's
        """The exception of a stream that fails after it began."""
        inner = reply.error if isinstance(reply.error_in_200, bool) else reply.error_in_200
        said = self.error(500, inner or reply.error)
        name = str(said.pop("__type"))
        yield message("exception", name[:1].lower() + name[1:], said)

    def broken_event(self) -> bytes:
        """A message whose sum does not fit it."""
        whole = event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "?"}})
        return whole[:-1] + bytes([whole[-1] ^ 1])

    def error(self, status: int, error: str | Mapping[str, Any] | None) -> Any:
        """The body of an error; `type` among its fields names another exception."""
        said = {"message": error} if isinstance(error, str) else dict(error or {})
        name = said.pop("type", None) or _EXCEPTIONS.get(
            status, "InternalServerException" if status >= 500 else "ValidationException"
        )
        return {"__type": name, "message": _MESSAGES.get(status, "The request could not be served."), **said}

    def models(self, names: list[str]) -> Any:
        """The list of models."""
        rows = [
            {
                "modelId": name, "modelName": name, "providerName": name.rpartition(".")[0] or "Simulator",
                "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{name}",
                "inputModalities": ["TEXT"], "outputModalities": ["TEXT"], "responseStreamingSupported": True,
                "inferenceTypesSupported": ["ON_DEMAND"], "modelLifecycle": {"status": "ACTIVE"},
            }
            for name in names
        ]  # fmt: skip
        return {"modelSummaries": rows}

    def _blocks(self, asked: Asked, reply: Reply, number: int) -> Iterator[tuple[Json, list[Json]]]:
        """The blocks of an answer, and the deltas that each comes in."""
        if reply.reasoning and _thinks(asked):
            yield _thought(self.model(asked), reply.reasoning)
        text = (reply.content or "") + (reply.refusal or "")
        if text or not reply.calls:
            yield {"text": text}, [{"text": piece} for piece in pieces(text)]
        for place, call in enumerate(reply.calls):
            identity = call.id or f"tooluse_{number}_{place}"
            said = arguments(call.arguments_text)
            block = {"toolUse": {"toolUseId": identity, "name": call.name, "input": said}}
            yield block, [{"toolUse": {"input": piece}} for piece in fragments(dump(said).decode())]


WIRE = BedrockWire()
"""The wire as the simulator takes it."""


def event(name: str, payload: Json) -> bytes:
    """One event of a stream."""
    return message("event", name, payload)


def message(kind: str, name: str, payload: Json) -> bytes:
    """One binary message: an `event` or an `exception` of that name."""
    headers = {
        f":{kind}-type": string(name),
        ":content-type": string("application/json"),
        ":message-type": string(kind),
    }
    return encode(Message(headers, dump(payload)))


def _thought(model: str, text: str) -> tuple[Json, list[Json]]:
    """Thinking, which only Claude signs."""
    said = {"text": text}
    deltas: list[Json] = [{"reasoningContent": {"text": piece}} for piece in pieces(text)]
    if "anthropic." in model:
        said["signature"] = signature(model, text)
        deltas.append({"reasoningContent": {"signature": said["signature"]}})
    return {"reasoningContent": {"reasoningText": said}}, deltas


def _thinks(asked: Asked) -> bool:
    own = asked.body.get("additionalModelRequestFields") or {}
    words = [
        (own.get("thinking") or {}).get("type"),
        (own.get("reasoningConfig") or {}).get("type"),
        (own.get("reasoning") or {}).get("effort"),
        own.get("reasoning_effort"),
        own.get("reasoning_config"),
    ]
    return _SILENT.isdisjoint(word for word in words if isinstance(word, str))


def _ending(reply: Reply) -> Json:
    word = _FINISH.get(reply.ending or "", reply.ending)
    return {} if word is None else {"stopReason": word}


def _metadata(asked: Asked, reply: Reply) -> Json:
    metrics = {"metrics": {"latencyMs": 1}}
    if reply.usage == "missing":
        return metrics
    if isinstance(reply.usage, Mapping):
        return {**metrics, "usage": dict(reply.usage)}
    told = counts(asked, reply, thinks=_thinks(asked))
    total = told.prompt + told.completion
    usage = {"inputTokens": told.prompt, "outputTokens": told.completion, "totalTokens": total}
    return {**metrics, "usage": usage}

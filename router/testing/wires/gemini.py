"""Google's generateContent, as the Gemini API answers it.

The refusals are those of the real service, in its own words where they are known: Google's pages and issue
threads of several projects, read 2026-11-21.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from ..script import Reply, ScriptedCall
from .base import Asked, Json, arguments, counts, dump, pieces, sse
from .gemini_refusals import generation, refusal, settings_of

_PATH = re.compile(r"/models/([^/]+):(?:generate|streamGenerate)Content$")
_FINISH = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}  # fmt: skip


def signature_of(call: Mapping[str, Any]) -> str:
    """The signature of a function call; another call has another one."""
    seal = json.dumps([call.get("name"), call.get("args") or {}], sort_keys=True)
    return b64encode(sha256(seal.encode()).hexdigest()[:24].encode()).decode()


class GeminiWire:
    """One of the simulator's wires."""

    name = "gemini"
    stream_type = "text/event-stream"
    request_id_header = "x-request-id"
    wrong_key_status = 400

    def model(self, asked: Asked) -> str:
        """The model asked for."""
        found = _PATH.search(asked.path)
        return unquote(found[1]) if found else ""

    def streams(self, asked: Asked) -> bool:
        """Whether a stream is asked for."""
        return asked.path.endswith(":streamGenerateContent")

    def last_words(self, asked: Asked) -> str:
        """The text of the user's last message, which an unscripted model repeats."""
        for content in reversed(asked.body.get("contents") or []):
            words = "".join(part.get("text") or "" for part in content.get("parts") or ())
            if content.get("role") != "model" and words:
                return words
        return ""

    def refused(self, asked: Asked) -> tuple[int, Any] | None:
        """Status and body for a request that the service never takes."""
        message = refusal(asked.body, self.model(asked), signature_of)
        return None if message is None else (400, self.error(400, message))

    def whole(self, asked: Asked, reply: Reply, number: int) -> Json:
        """The body of a whole answer."""
        parts = [*_thoughts(asked, [reply.reasoning or ""]), *_texts([_words(reply)])]
        parts += self._calls(asked, reply, number)
        return self._answer(asked, reply, number, parts, last=True)

    def events(self, asked: Asked, reply: Reply, number: int) -> Iterator[bytes]:
        """The events of a streamed answer: of an array, where no event stream is asked for."""
        said = [*_thoughts(asked, pieces(reply.reasoning)), *_texts(pieces(_words(reply)))]
        said += self._calls(asked, reply, number)
        answers = [self._answer(asked, reply, number, [part], last=False) for part in said]
        if reply.ending is not None or not answers:
            answers.append(self._answer(asked, reply, number, [{"text": ""}], last=True))
        for place, answer in enumerate(answers):
            if "alt=sse" in asked.query:
                yield sse(answer)
            else:
                yield (
                    (b"[" if place == 0 else b",\n") + dump(answer) + (b"]" if answer is answers[-1] else b"")
                )

    def error_events(self, asked: Asked, reply: Reply) -> Iterator[bytes]:  # noqa: ARG002 - one form for all
        """What stands in a stream that fails after it began."""
        yield sse(self.error(503 if reply.error is None else 500, reply.error))

    def broken_event(self) -> bytes:
        """An event that cannot be read."""
        return b'data: {"candidates": [{"content": {"par\r\n\r\n'

    def error(self, status: int, error: str | Mapping[str, Any] | None) -> Any:
        """The body of an error; a wrong key is a bad request here, with a reason."""
        code = 400 if status == 401 else status
        message = error if isinstance(error, str) else f"The simulated service answers {status}."
        body: Json = {"code": code, "message": message, "status": _STATUSES.get(code, "UNKNOWN")}
        if status == 401:
            kind = "type.googleapis.com/google.rpc.ErrorInfo"
            body["details"] = [
                {"@type": kind, "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
            ]
        return {"error": body | (dict(error) if isinstance(error, Mapping) else {})}

    def models(self, names: list[str]) -> Any:
        """The list of models."""
        methods = ["generateContent", "countTokens"]
        return {
            "models": [{"name": f"models/{name}", "supportedGenerationMethods": methods} for name in names]
        }

    def _calls(self, asked: Asked, reply: Reply, number: int) -> list[Json]:
        """The calls; the first is signed by the models that sign."""
        parts: list[Json] = []
        for place, call in enumerate(reply.calls):
            part: Json = {"functionCall": _call(call, number, place)}
            if place == 0 and generation(self.model(asked)) >= 3:
                part["thoughtSignature"] = signature_of(part["functionCall"])
            parts.append(part)
        return parts

    def _answer(self, asked: Asked, reply: Reply, number: int, parts: list[Json], *, last: bool) -> Json:
        candidates = []
        for index in range(settings_of(asked.body).get("candidateCount") or 1):
            candidate: Json = {"content": {"role": "model", "parts": parts}, "index": index}
            if last and reply.ending is not None:
                candidate["finishReason"] = _FINISH.get(reply.ending, reply.ending)
            candidates.append(candidate)
        usage = _usage(asked, reply, last=last)
        head: Json = {"candidates": candidates} | ({"usageMetadata": usage} if usage else {})
        return head | {"modelVersion": self.model(asked), "responseId": f"answer-{number}"}


def _call(call: ScriptedCall, number: int, place: int) -> Json:
    identity = call.id or f"fc-{number}-{place}"
    return {"id": identity, "name": call.name, "args": arguments(call.arguments_text)}


def _words(reply: Reply) -> str:
    return (reply.content or "") + (reply.refusal or "")


def _texts(words: list[str]) -> list[Json]:
    return [{"text": word} for word in words if word]


def _thoughts(asked: Asked, words: list[str]) -> list[Json]:
    """Summaries of the thoughts, for those who ask for them."""
    thinking = settings_of(asked.body).get("thinkingConfig") or {}
    if not thinking.get("includeThoughts") or not _thinks(asked):
        return []
    return [{"text": word, "thought": True} for word in words if word]


def _thinks(asked: Asked) -> bool:
    return (settings_of(asked.body).get("thinkingConfig") or {}).get("thinkingBudget") != 0


def _usage(asked: Asked, reply: Reply, *, last: bool) -> Json | None:
    """The counts so far: the prompt at first, everything at the end, thoughts beside the answer's tokens."""
    if reply.usage == "missing":
        return None
    if reply.usage is not None:
        return dict(reply.usage) if last else None
    counted = counts(asked, reply, thinks=_thinks(asked))
    if not last:
        return {"promptTokenCount": counted.prompt, "totalTokenCount": counted.prompt}
    usage = {
        "promptTokenCount": counted.prompt,
        "candidatesTokenCount": counted.completion - counted.reasoning,
        "totalTokenCount": counted.prompt + counted.completion,
    }
    return usage | ({"thoughtsTokenCount": counted.reasoning} if counted.reasoning else {})


WIRE = GeminiWire()

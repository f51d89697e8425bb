"""Answers of generateContent, whole or streamed, as chunks.

Every event of a stream is a whole answer that holds only what is new; nothing marks the last one but a
`finishReason`, which some models write on every event. So the end is the end of the bytes, and what may
change until then (why the model stopped, the counts, the sources) is told there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..chat import ChatChunk, ChatCompletion, ChatResponse
from ..dialect import Target
from ..errors import BY_KIND, ProviderError
from ..folding import fold
from .chunks import ChunkWriter
from .draft import Json
from .envelope import empty, made_identity
from .gemini_candidates import Candidate
from .gemini_frames import GeminiFrames, answers_in
from .gemini_reports import merged_usage, seconds, usage_of
from .gemini_tools import emulated_answer
from .reading import StreamDecoder, check_error, decode_whole, guarded, interrupted

LENGTH = frozenset({"MAX_TOKENS", "CONTINUATION"})
FILTERED = frozenset(
    {
        "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR", "ESCALATION",
    }
)  # fmt: skip
BROKEN = frozenset(
    {
        "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE",
        "MISSING_THOUGHT_SIGNATURE",
    }
)  # fmt: skip
"""Reasons that report a fault of the model's: an error where nothing was said, else `stop`."""

_TAKEN = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId", "createTime"})
_OURS = frozenset(ChatChunk.model_fields)


class GeminiReader:
    """Reads the events of one answer; `whole` tells that there is one alone, which needs no finish reason."""

    def __init__(self, request: ChatCompletion, target: Target, *, whole: bool = False) -> None:
        self._target = target
        self._whole = whole
        self._writer = ChunkWriter(target)
        self._stand_in = emulated_answer(request, target)
        self._candidates: dict[int, Candidate] = {}
        self._counts: Json = {}
        self._block: Json = {}
        self._rest: Json = {}

    @property
    def done(self) -> bool:
        """Never before the bytes end: no event says that it is the last."""
        return False

    def read(self, event: str, payload: Any) -> Iterator[ChatChunk]:  # noqa: ARG002 - events have no types
        """Yield the chunks of one event."""
        inner = payload.get("response")
        if isinstance(inner, dict) and "candidates" not in payload:
            payload = {**payload, **inner, "response": None}  # as Google's assistants for programmers wrap it
        self._open(payload)
        self._counts = merged_usage(self._counts, payload.get("usageMetadata"))
        feedback = payload.get("promptFeedback")
        if isinstance(feedback, dict):
            self._block = {**self._block, **feedback}
        news = {name: value for name, value in _extras(payload).items() if self._rest.get(name) != value}
        if news:
            self._rest.update(news)
            yield self._writer.chunk(**news)
        candidates = payload.get("candidates")
        for place, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
            if isinstance(candidate, dict):
                yield from self._at(candidate, place).read(candidate)

    def end(self) -> Iterator[ChatChunk]:
        """Tell why each candidate stopped, and what it took; raise where it has not stopped."""
        usage = usage_of(self._counts)
        blocked = self._block.get("blockReason")
        if not self._candidates and not blocked:
            raise self._failure(empty(self._target, "the answer has no candidates"))
        finished = all(candidate.finish for candidate in self._candidates.values())
        if not (self._whole or finished or blocked):
            if usage is not None:
                yield self._writer.usage(usage)
            raise self._failure(interrupted(self._target, "the stream ended before the model had finished"))
        self._check()
        for candidate in self._candidates.values():
            yield from candidate.rest()
        for candidate in self._candidates.values():
            native = candidate.finish or (str(blocked) if blocked else None)
            reason = "content_filter" if blocked and not candidate.finish else _reason(candidate)
            yield self._writer.finish(reason, native, candidate.index, **candidate.extras)
        if not self._candidates:
            yield self._writer.finish("content_filter", str(blocked))
        if usage is not None:
            yield self._writer.usage(usage)

    def _at(self, candidate: Json, place: int) -> Candidate:
        index = candidate.get("index")
        index = index if isinstance(index, int) and not isinstance(index, bool) and index >= 0 else place
        if index not in self._candidates:
            self._candidates[index] = Candidate(self._writer, self._target, index, self._stand_in)
        return self._candidates[index]

    def _open(self, payload: Json) -> None:
        """Take up id, time and model; an answer without an id gets one, and keeps it."""
        if not self._writer.id:
            self._writer.open(payload.get("responseId"))
            if not self._writer.id:
                self._writer.open(made_identity())
        self._writer.open(None, seconds(payload.get("createTime")), payload.get("modelVersion"))

    def _check(self) -> None:
        """Raise the error that a model's fault is where it left nothing."""
        candidates = self._candidates.values()
        fault = next((one for one in candidates if one.finish in BROKEN), None)
        if fault is None or any(one.said or one.calls for one in candidates):
            return
        own = fault.finish != "MISSING_THOUGHT_SIGNATURE"
        about = fault.extras.get("finishMessage")
        detail = f": {about}" if isinstance(about, str) and about else ""
        raise self._failure(
            BY_KIND["server" if own else "invalid_request"](
                f"the model broke off with {fault.finish}{detail[:400]}",
                provider=self._target.provider,
                model=self._target.model,
                code=fault.finish,
                model_output=own,
            )
        )

    def _failure(self, error: ProviderError) -> ProviderError:
        error.usage = usage_of(self._counts)
        return error


def _extras(payload: Json) -> Json:
    """What an event says that the contract has no name for."""
    return {
        f"native_{name}" if name in _OURS else name: value
        for name, value in payload.items()
        if name not in _TAKEN and value is not None
    }


def _reason(candidate: Candidate) -> str:
    """The contract's word; one that Google adds tomorrow is a plain end."""
    if candidate.finish in LENGTH:
        return "length"
    if candidate.finish in FILTERED:
        return "content_filter"
    return "tool_calls" if candidate.calls else "stop"


def stream_decoder(request: ChatCompletion, target: Target) -> StreamDecoder:
    """A decoder for one streamed answer."""
    return StreamDecoder(
        target,
        GeminiFrames(target),
        GeminiReader(request, target),
        whole=lambda body: decode(body, request, target),
    )


def decode(body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
    """The answer in a body: one object, or the array that a stream without `alt=sse` is."""
    text = body.decode("utf-8-sig", "replace").lstrip() if body.lstrip()[:1] == b"[" else ""
    answers = answers_in(text)
    if answers and len(body) <= target.max_response_bytes:
        return fold(guarded(_of_array(answers, request, target), target))

    def chunks(payload: Json) -> Iterator[ChatChunk]:
        reader = GeminiReader(request, target, whole=True)
        yield from reader.read("", payload)
        yield from reader.end()

    return decode_whole(body, target, chunks, lambda: stream_decoder(request, target))


def _of_array(answers: list[Any], request: ChatCompletion, target: Target) -> Iterator[ChatChunk]:
    reader = GeminiReader(request, target)
    for answer in answers:
        check_error(answer, target)
        yield from reader.read("", answer)
    yield from reader.end()

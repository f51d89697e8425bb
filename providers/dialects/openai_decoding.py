"""Answers on OpenAI's wire, whole or streamed, as the contract's models.

Both ways go through the same readers, so that folding a stream gives what the whole body would have given.
A stream is complete once every choice has its finish reason. `[DONE]` alone completes one too, since a few
hosts never give a reason; the choice then carries `finish_reason_inferred`. Everything else that ends a
stream is an error at its place, after the chunks before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

from pydantic import ValidationError

from ..chat import ChatChunk, ChatCompletion, ChatResponse
from ..dialect import Target
from ..errors import ProviderError
from ..folding import Fold
from ..framing import BOM, FrameError, decoded
from ..thinking_tags import OPEN
from .envelope import (
    created,
    empty,
    fold_usage,
    identity,
    kind,
    load,
    loaded,
    made_identity,
    malformed,
    misshapen,
    own_fields,
    reason,
    strict,
    text,
)
from .error_reading import clean, error_in, page, quote
from .openai_choices import ChoiceReader, ShapeError
from .openai_usage import UsageError
from .reading import Frame, FrameDecoder, SSEFrames, interrupted
from .repeats import PADDING, Repeat, repeat_of

_SUSPECT = frozenset({"error", "x_groq", "base_resp", "detail", "message"})
"""Fields that an event with an error in it may have; most events have none of them."""
_PATTERNS = 4
"""How many patterns of a stream's events may go without a single repeat before no more are made."""
_SPOKEN = frozenset({"role", "content", "refusal", "annotations"})
_ENDS = ("stop", "length", "content_filter")
_EVENT_STREAM = (b"data:", b"event:", b"id:", b"retry:", b":")


def _suspicious(payload: dict[str, Any]) -> bool:
    return not _SUSPECT.isdisjoint(payload) or payload.get("object") == "error"


def decode_body(body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
    """The answer in a whole body.

    A body that is an event stream, from a server that streams unasked, is folded. Raises a ProviderError
    for an error that came under HTTP 200, EmptyResponseError for an answer without choices and
    MalformedResponseError for anything that is no answer.
    """
    if len(body) > target.max_response_bytes:
        raise malformed(target, f"the answer is longer than {target.max_response_bytes} bytes")
    payload = _strictly(body)
    if payload is None:
        head = body.removeprefix(BOM).lstrip()
        if not head:
            raise empty(target, "the answer's body is empty")
        if head.startswith(_EVENT_STREAM):
            return _folded(body, request, target)
        payload = _payload(body, target)
    choices = _choices(_answer(payload, target), target)
    try:
        _envelope(payload, target)
        for place, choice in enumerate(choices):
            _whole_choice(choice, place, payload["id"], target)
        if len(choices) > 1 and len({choice["index"] for choice in choices}) < len(choices):
            # some hosts number them all 0
            for place, choice in enumerate(choices):
                choice["index"] = place
        payload["object"] = "chat.completion"
        if request.metadata and not payload.get("metadata"):
            payload["metadata"] = dict(request.metadata)
        return ChatResponse.model_validate(payload)
    except (ShapeError, UsageError, ValidationError) as error:
        raise misshapen(target, error) from None


class OpenAIDecoder(FrameDecoder):
    """Decodes one streamed answer; feed it bytes as they come, then close it.

    A server that answers a request for a stream with one whole JSON body is understood as well.
    """

    def __init__(self, request: ChatCompletion, target: Target) -> None:
        frames = SSEFrames(target)
        super().__init__(target, frames, lambda body: decode_body(body, request, target))
        self._sse = frames.decoder
        self._semantic = False
        self._failure: ProviderError | None = None
        self._id = ""
        self._created = 0
        self._model = ""
        self._waiting: list[dict[str, Any]] = []  # chunks that came before the answer had an id
        self._readers: dict[int, ChoiceReader] = {}
        self._repeat: Repeat | None = None
        self._patterns = 0  # made since the last one that was of any use

    def feed(self, data: bytes) -> Iterator[ChatChunk]:
        """Yield the chunks that `data` completes; raise a ProviderError where the wire reports one."""
        if self._done or not (data := self._taken(data)):
            return
        try:
            repeat = self._repeat
            for event in self._sse.split(data):
                if repeat is not None and isinstance(event, bytes) and (chunk := repeat(event)) is not None:
                    self._patterns = 0
                    yield chunk
                    continue
                self._repeat = None  # any other event may change how the ones after it are read
                yield from self._read(event) if isinstance(event, bytes) else self._frame(event)
                if self._done:
                    return
                repeat = self._repeat
        except FrameError as error:
            raise malformed(self._target, str(error)) from None

    def _read(self, data: bytes) -> Iterable[ChatChunk]:
        """The chunks of an event that is nothing but data."""
        try:
            payload = strict(data)
        except ValueError:
            return self._frame(Frame("", decoded(data)))
        self._events += 1
        begun = type(payload) is dict and self._id and not (self._waiting or _suspicious(payload))
        choices = payload.get("choices") if begun else None
        if type(choices) is not list:
            return self._event("", payload)
        chunk = self._chunk(payload, choices)
        if self._failure is not None:
            return self._failing(chunk, self._failure)
        if len(choices) == 1 and self._patterns < _PATTERNS:
            self._patterns += 1
            if self._readers[choices[0]["index"]].plain or chunk.choices[0].delta.content is None:
                self._repeat = repeat_of(data, chunk)
        return (chunk,)

    def _event(self, event: str, payload: Any) -> Iterator[ChatChunk]:
        if type(payload) is not dict or event == "error" or _suspicious(payload):
            failure = error_in(payload, self._target, event=event)
            if not isinstance(payload, dict):
                raise failure or malformed(self._target, f"an event is {kind(payload)}, not an object")
            if failure is not None:
                yield from self._before(payload)
                self._fail(failure)
        yield from self._chunks(payload)

    def _before(self, payload: dict[str, Any]) -> Iterator[ChatChunk]:
        """What an event still says besides its error, if that can be read."""
        payload.pop("error", None)
        if payload.get("choices"):
            with suppress(ProviderError):
                for chunk in self._chunks(payload):
                    if chunk.is_semantic:
                        yield chunk

    def _fail(self, failure: ProviderError) -> NoReturn:
        self._done = True
        raise failure

    def _chunks(self, payload: dict[str, Any]) -> Iterator[ChatChunk]:
        choices = payload.get("choices")
        if choices is None:
            choices = payload["choices"] = []
        if not isinstance(choices, list):
            raise malformed(self._target, f"choices is {kind(choices)}, not a list")
        if not self._id:
            self._id = identity(payload)
            if not self._id and not choices:  # Azure reports on the prompt before the answer has begun
                self._waiting.append(payload)
                return
            self._id = self._id or made_identity()
        chunk = self._chunk(payload, choices)
        while self._waiting:
            yield self._chunk(self._waiting.pop(0), [])
        if self._failure is None:
            yield chunk
        else:
            yield from self._failing(chunk, self._failure)

    def _failing(self, chunk: ChatChunk, failure: ProviderError) -> Iterator[ChatChunk]:
        """The last chunk, if there is something in it, then the error it came with."""
        if chunk.is_semantic:
            yield chunk
        self._fail(failure)

    def _chunk(self, payload: dict[str, Any], choices: list[Any]) -> ChatChunk:
        """The chunk of one event."""
        try:
            for place, choice in enumerate(choices):
                self._choice(choice, place)
            if not self._created:
                self._created = created(payload)
            if not self._model:
                self._model = text(payload, "model") or self._target.model
            own_fields(payload, self._target)
            fold_usage(payload, self._target)
            payload.pop(PADDING, None)
            payload["object"] = "chat.completion.chunk"
            payload["id"], payload["created"], payload["model"] = self._id, self._created, self._model
            chunk = ChatChunk.model_validate(payload)
        except (ShapeError, UsageError, ValidationError) as error:
            raise misshapen(self._target, error) from None
        if not self._semantic:
            self._semantic = chunk.is_semantic
        return chunk

    def _choice(self, choice: Any, place: int) -> None:
        if not isinstance(choice, dict):
            raise ShapeError(f"choices[{place}] is {kind(choice)}, not an object")
        index = _index(choice, place)
        reader = self._readers.get(index)
        fresh = reader is None
        if reader is None:
            reader = self._readers[index] = ChoiceReader(self._target, index, self._id)
        delta, message = choice.get("delta"), choice.pop("message", None)
        if delta is None:  # some hosts send one chunk with the whole message; others repeat it with each
            delta = choice["delta"] = message if fresh and isinstance(message, dict) else {}
        if not isinstance(delta, dict):
            raise ShapeError(f"choices[{place}].delta is {kind(delta)}, not an object")
        reader.delta(choice, delta)
        self._failure = self._failure or reader.failure

    def _ended(self, *, told: bool) -> Iterator[ChatChunk]:
        unfinished = {index: reader for index, reader in self._readers.items() if not reader.finished}
        if self._readers and not unfinished:
            return
        choices: list[dict[str, Any]] = []
        for index, reader in unfinished.items():
            choice: dict[str, Any] = {"index": index, "delta": {}, "finish_reason": None}
            self._semantic = reader.flush(choice["delta"]) or self._semantic
            choices.append(choice)
        if told and self._semantic:
            for choice in choices:
                unfinished[choice["index"]].infer_finish(choice)
            yield self._chunk({"choices": choices}, [])
            return
        if any(choice["delta"] for choice in choices):
            yield self._chunk({"choices": choices}, [])
        self._broken(told)

    def _broken(self, told: bool) -> NoReturn:
        target = self._target
        if not self._events and self._frames.stray:
            raise self._nothing()
        if told or not self._events:
            message = "the stream ended without text, reasoning, tool call or finish_reason"
            raise empty(target, message)
        if (stray := loaded(self._frames.stray)) and (failure := error_in(stray, target)):
            raise failure
        raise interrupted(target, "the stream ended before its finish_reason")


def _strictly(body: bytes) -> Any:
    """The value in a body, as nearly all of them are; None for one that takes another look."""
    try:
        return strict(body)
    except ValueError:
        return None


def _payload(body: bytes, target: Target) -> Any:
    """The value in a body; MalformedResponseError where it is no JSON."""
    try:
        return load(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise malformed(
            target, f"the answer is not JSON ({reason(error)}){quote(page(body), target)}"
        ) from None


def _answer(payload: Any, target: Target) -> dict[str, Any]:
    """The object in a body that is an answer, not an error."""
    ordinary = type(payload) is dict and not _suspicious(payload)
    if not ordinary and (failure := error_in(payload, target)) is not None:
        raise failure
    if not isinstance(payload, dict):
        raise malformed(target, f"the answer is {kind(payload)}, not an object")
    return payload


def _choices(payload: dict[str, Any], target: Target) -> list[Any]:
    choices = payload.get("choices")
    if not isinstance(choices, list):
        fields = clean(", ".join(map(str, payload)), target, limit=120)
        found = (
            f"choices is {kind(choices)}" if choices is not None else f"choices is missing among: {fields}"
        )
        raise malformed(target, found)
    if not choices:
        raise empty(target, "the answer has no choices")
    return choices


def _index(choice: dict[str, Any], place: int) -> int:
    """The choice's index, which is its place in the list where it has none of its own."""
    index = choice.get("index")
    if index is None:
        index = choice["index"] = place
    if type(index) is not int or index < 0:
        raise ShapeError(f"choices[{place}].index is no place in a list")
    return index


def _whole_choice(choice: Any, place: int, seed: str, target: Target) -> None:
    if not isinstance(choice, dict):
        raise ShapeError(f"choices[{place}] is {kind(choice)}, not an object")
    message = choice.get("message")
    if message is None and choice.get("finish_reason") == "content_filter":
        message = choice["message"] = {}  # Azure's filter leaves nothing but its verdict
    if not isinstance(message, dict):
        raise ShapeError(f"choices[{place}].message is {kind(message)}, not an object")
    _index(choice, place)
    if _is_speech(choice, message):
        message["role"] = "assistant"
        return
    reader = ChoiceReader(target, place, seed)
    reader.message(choice, message)
    if reader.failure is not None:
        raise reader.failure


def _is_speech(choice: dict[str, Any], message: dict[str, Any]) -> bool:
    """Whether a choice is plain text that has ended, all of it in the contract's shape already."""
    content = message.get("content")
    return (
        type(content) is str
        and OPEN not in content
        and message.keys() <= _SPOKEN
        and choice.get("finish_reason") in _ENDS
        and not choice.get("error")
    )


def _envelope(payload: dict[str, Any], target: Target) -> None:
    """Bring the fields around the choices to the contract's shape."""
    payload["id"] = identity(payload) or made_identity()
    payload["created"] = created(payload)
    payload["model"] = text(payload, "model") or target.model
    own_fields(payload, target)
    fold_usage(payload, target)


def _folded(body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
    decoder, fold = OpenAIDecoder(request, target), Fold()
    for chunk in decoder.feed(body):
        fold.add(chunk)
    for chunk in decoder.close():
        fold.add(chunk)
    return fold.response()

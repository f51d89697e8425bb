"""Answers on OpenAI's wire, whole or streamed, as the contract's models.

Both ways go through the same readers, so that folding a stream gives what the whole body would have given.
A stream is complete once every choice has its finish reason. `[DONE]` alone completes one too, since a few
hosts never give a reason; the choice then carries `finish_reason_inferred`. Everything else that ends a
stream is an error at its place, after the chunks before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NoReturn
from uuid import uuid4

from pydantic import ValidationError

from ..chat import ChatChunk, ChatCompletion, ChatResponse, Cost
from ..dialect import Target
from ..errors import EmptyResponseError, MalformedResponseError, ProviderError, StreamInterruptedError
from ..folding import Fold, unfold
from ..framing import BOM, FrameError, SSEDecoder, SSEEvent
from .openai_choices import ChoiceReader, ShapeError
from .openai_errors import classify, clean, error_in
from .openai_usage import UsageError, usage_fields

DONE = "[DONE]"
_EVENT_STREAM = (b"data:", b"event:", b"id:", b"retry:", b":")


def decode_body(body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
    """The answer in a whole body.

    A body that is an event stream, from a server that streams unasked, is folded. Raises a ProviderError
    for an error that came under HTTP 200, EmptyResponseError for an answer without choices and
    MalformedResponseError for anything that is no answer.
    """
    if len(body) > target.max_response_bytes:
        raise _malformed(target, f"the answer is longer than {target.max_response_bytes} bytes")
    head = body.removeprefix(BOM).lstrip()
    if not head:
        raise EmptyResponseError("the answer's body is empty", provider=target.provider, model=target.model)
    if head.startswith(_EVENT_STREAM):
        return _folded(body, request, target)
    payload = _payload(body, target)
    choices = _choices(payload, target)
    try:
        _envelope(payload, target)
        for place, choice in enumerate(choices):
            _whole_choice(choice, place, payload["id"], target)
        payload["object"] = "chat.completion"
        if request.metadata and not payload.get("metadata"):
            payload["metadata"] = dict(request.metadata)
        return ChatResponse.model_validate(payload)
    except (ShapeError, UsageError, ValidationError) as error:
        raise _misshapen(target, error) from None


class OpenAIDecoder:
    """Decodes one streamed answer; feed it bytes as they come, then close it.

    A server that answers a request for a stream with one whole JSON body is understood as well.
    """

    def __init__(self, request: ChatCompletion, target: Target) -> None:
        self._request = request
        self._target = target
        self._sse = SSEDecoder(limit=target.max_response_bytes)
        self._size = 0
        self._opening = b""  # what came before the first byte that tells an event stream from a body
        self._body: list[bytes] | None = None  # pieces of a whole body
        self._decided = False
        self._done = False
        self._events = 0
        self._semantic = False
        self._id = ""
        self._created = 0
        self._model = ""
        self._waiting: list[dict[str, Any]] = []  # chunks that came before the answer had an id
        self._readers: dict[int, ChoiceReader] = {}

    def feed(self, data: bytes) -> Iterator[ChatChunk]:
        """Yield the chunks that `data` completes; raise a ProviderError where the wire reports one."""
        if self._done:
            return
        self._size += len(data)
        if self._size > self._target.max_response_bytes:
            raise _malformed(self._target, f"the stream is longer than {self._target.max_response_bytes} bytes")
        if not self._decided:
            data = self._decide(data)
        if self._body is not None:
            self._body.append(data)
            return
        try:
            for event in self._sse.events(data):
                yield from self._event(event)
                if self._done:
                    return
        except FrameError as error:
            raise _malformed(self._target, str(error)) from None

    def close(self) -> Iterator[ChatChunk]:
        """Yield what is left at the end of the bytes; raise StreamInterruptedError if no terminal event came."""
        if self._done:
            return
        if self._body is not None:
            self._done = True
            yield from unfold(decode_body(b"".join(self._body), self._request, self._target))
            return
        try:
            events = self._sse.close()
        except FrameError:
            events = []  # the bytes end within a character: that is a cut, not a mistake
        for event in events:
            if event.data.startswith(DONE) or _loaded(event.data) is not None:
                yield from self._event(event)
        if not self._done:
            yield from self._end()

    def _decide(self, data: bytes) -> bytes:
        """Tell an event stream from a whole body by its first byte; the bytes to go on with."""
        data = self._opening + data
        head = data.removeprefix(BOM).lstrip()
        if not head or (len(data) < len(BOM) and BOM.startswith(data)):
            self._opening = data
            return b""
        self._opening = b""
        self._decided = True
        if head[:1] not in b"dier:":  # no field of the format begins like this
            self._body = []
        return data

    def _event(self, event: SSEEvent) -> Iterator[ChatChunk]:
        data = event.data
        if data.startswith(DONE):
            self._done = True
            yield from self._end()
            return
        if not data or data.isspace():
            return
        self._events += 1
        try:
            payload = _JSON.decode(data)
        except (ValueError, RecursionError) as error:
            if event.event == "error" and (failure := error_in(data, self._target, event="error")):
                raise failure from None
            reason = f"an event is not JSON ({_reason(error)}): {clean(data, self._target, limit=120)}"
            raise _malformed(self._target, reason) from None
        failure = error_in(payload, self._target, event=event.event)
        if not isinstance(payload, dict):
            raise failure or _malformed(self._target, f"an event is {_kind(payload)}, not an object")
        if failure is not None:
            yield from self._before(failure, payload)
            self._fail(failure)
        yield from self._chunks(payload)

    def _before(self, failure: ProviderError, payload: dict[str, Any]) -> Iterator[ChatChunk]:
        """What an event still says besides its error."""
        payload.pop("error", None)
        if not payload.get("choices"):
            return
        try:
            for chunk in self._chunks(payload):
                if chunk.is_semantic:
                    yield chunk
        except ProviderError as second:
            if not isinstance(second, MalformedResponseError):
                failure = second if failure.status is None else failure
            self._fail(failure)

    def _fail(self, failure: ProviderError) -> NoReturn:
        self._done = True
        raise failure

    def _chunks(self, payload: dict[str, Any]) -> Iterator[ChatChunk]:
        choices = payload.get("choices")
        if choices is None:
            choices = payload["choices"] = []
        if not isinstance(choices, list):
            raise _malformed(self._target, f"choices is {_kind(choices)}, not a list")
        if not self._id:
            self._id = _id(payload)
            if not self._id and not choices:  # Azure reports on the prompt before the answer has begun
                self._waiting.append(payload)
                return
            self._id = self._id or _made_id()
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._created, self._model = _created(payload), _text(payload, "model")
            for earlier in waiting:
                yield self._chunk(earlier, [])
        chunk = self._chunk(payload, choices)
        failure = next((reader.failure for reader in self._readers.values() if reader.failure), None)
        if failure is None:
            yield chunk
            return
        if chunk.is_semantic:
            yield chunk
        self._fail(failure)

    def _chunk(self, payload: dict[str, Any], choices: list[Any]) -> ChatChunk:
        try:
            for place, choice in enumerate(choices):
                self._choice(choice, place)
            if not self._created:
                self._created = _created(payload)
            if not self._model:
                self._model = _text(payload, "model") or self._target.model
            _usage(payload, self._target)
            _own_provider(payload, self._target)
            payload.pop("obfuscation", None)
            payload["object"] = "chat.completion.chunk"
            payload["id"], payload["created"], payload["model"] = self._id, self._created, self._model
            chunk = ChatChunk.model_validate(payload)
        except (ShapeError, UsageError, ValidationError) as error:
            raise _misshapen(self._target, error) from None
        self._semantic = self._semantic or chunk.is_semantic
        return chunk

    def _choice(self, choice: Any, place: int) -> None:
        if not isinstance(choice, dict):
            raise ShapeError(f"choices[{place}] is {_kind(choice)}, not an object")
        index = choice.get("index")
        if index is None:
            index = choice["index"] = place
        elif type(index) is not int or index < 0:
            raise ShapeError(f"choices[{place}].index is no place in a list")
        reader = self._readers.get(index)
        fresh = reader is None
        if reader is None:
            reader = self._readers[index] = ChoiceReader(self._target, index, self._id)
        delta, message = choice.get("delta"), choice.pop("message", None)
        if delta is None:  # some hosts send one chunk with the whole message; others repeat it with each
            delta = choice["delta"] = message if fresh and isinstance(message, dict) else {}
        if not isinstance(delta, dict):
            raise ShapeError(f"choices[{place}].delta is {_kind(delta)}, not an object")
        reader.delta(choice, delta)

    def _end(self) -> Iterator[ChatChunk]:
        """The end of the answer, whether the host said so or the bytes just stopped."""
        said_done, self._done = self._done, True
        unfinished = {index: reader for index, reader in self._readers.items() if not reader.finished}
        if self._readers and not unfinished:
            yield from self._late()
            return
        choices: list[dict[str, Any]] = []
        for index, reader in unfinished.items():
            choice: dict[str, Any] = {"index": index, "delta": {}, "finish_reason": None}
            self._semantic = reader.flush(choice["delta"]) or self._semantic
            choices.append(choice)
        if said_done and self._semantic:
            yield from self._late()
            for choice in choices:
                unfinished[choice["index"]].infer_finish(choice)
            yield self._chunk({"choices": choices}, [])
            return
        if any(choice["delta"] for choice in choices):
            yield self._chunk({"choices": choices}, [])
        self._broken(said_done)

    def _late(self) -> Iterator[ChatChunk]:
        """Chunks that waited for an id in vain."""
        waiting, self._waiting = self._waiting, []
        for payload in waiting:
            yield self._chunk(payload, [])

    def _broken(self, said_done: bool) -> NoReturn:
        target = self._target
        if not self._events and self._sse.ignored:
            raise self._stray()
        if said_done or not self._events:
            message = "the stream ended without text, reasoning, tool call or finish_reason"
            raise EmptyResponseError(message, provider=target.provider, model=target.model)
        if (stray := _loaded(self._sse.ignored)) and (failure := error_in(stray, target)):
            raise failure
        message = "the stream ended before its finish_reason"
        raise StreamInterruptedError(message, provider=target.provider, model=target.model)

    def _stray(self) -> ProviderError:
        """The error behind a stream of lines that are no events."""
        line = self._sse.ignored
        if failure := error_in(_loaded(line), self._target):
            return failure
        return _malformed(self._target, f"no event stream: {clean(line, self._target, limit=200)}")


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)


def _payload(body: bytes, target: Target) -> dict[str, Any]:
    """The object in a body that is an answer."""
    try:
        payload = _JSON.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # classify knows how to quote a web page or a text; here only its message is wanted
        quoted = clean(classify(502, {}, body, target).message, target, limit=200)
        raise _malformed(target, f"the answer is not JSON ({_reason(error)}): {quoted}") from None
    failure = error_in(payload, target)
    if failure is not None:
        raise failure
    if not isinstance(payload, dict):
        raise _malformed(target, f"the answer is {_kind(payload)}, not an object")
    return payload


def _choices(payload: dict[str, Any], target: Target) -> list[Any]:
    choices = payload.get("choices")
    if not isinstance(choices, list):
        fields = clean(", ".join(map(str, payload)), target, limit=120)
        found = f"choices is {_kind(choices)}" if choices is not None else f"choices is missing among: {fields}"
        raise _malformed(target, found)
    if not choices:
        raise EmptyResponseError("the answer has no choices", provider=target.provider, model=target.model)
    return choices


def _whole_choice(choice: Any, place: int, seed: str, target: Target) -> None:
    if not isinstance(choice, dict):
        raise ShapeError(f"choices[{place}] is {_kind(choice)}, not an object")
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ShapeError(f"choices[{place}].message is {_kind(message)}, not an object")
    if choice.get("index") is None:
        choice["index"] = place
    reader = ChoiceReader(target, place, seed)
    reader.message(choice, message)
    if reader.failure is not None:
        raise reader.failure


def _envelope(payload: dict[str, Any], target: Target) -> None:
    """Bring the fields around the choices to the contract's shape."""
    payload["id"] = _id(payload) or _made_id()
    payload["created"] = _created(payload)
    payload["model"] = _text(payload, "model") or target.model
    _usage(payload, target)
    _own_provider(payload, target)


def _usage(payload: dict[str, Any], target: Target) -> None:
    usage = usage_fields(payload, target)
    payload["usage"] = usage
    if usage is not None and (reported := usage.get("reported_cost")):
        payload["cost"] = Cost(amount=Decimal(reported), basis="reported")


def _own_provider(payload: dict[str, Any], target: Target) -> None:
    """`provider` is the configured name; a router's word for the host behind it moves aside."""
    behind = payload.get("provider")
    if behind is not None:
        payload["upstream_provider"] = behind
    payload["provider"] = target.provider


def _id(payload: dict[str, Any]) -> str:
    value = payload.get("id")
    return str(value) if isinstance(value, str | int) and value else ""


def _made_id() -> str:
    return f"chatcmpl-{uuid4().hex}"


def _created(payload: dict[str, Any]) -> int:
    value = payload.get("created")
    if value is None or value == "":
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e15:
        raise ShapeError("created is no time in Unix seconds")
    return int(value)


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ShapeError(f"{name} is {_kind(value)}, not text")
    return value


def _folded(body: bytes, request: ChatCompletion, target: Target) -> ChatResponse:
    decoder, fold = OpenAIDecoder(request, target), Fold()
    for chunk in decoder.feed(body):
        fold.add(chunk)
    for chunk in decoder.close():
        fold.add(chunk)
    return fold.response()


def _loaded(text: str) -> Any:
    try:
        return _JSON.decode(text)
    except (ValueError, RecursionError):
        return None


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return str(error).partition(";")[0][:120]


def _malformed(target: Target, message: str) -> MalformedResponseError:
    return MalformedResponseError(message, provider=target.provider, model=target.model)


def _misshapen(target: Target, error: ShapeError | UsageError | ValidationError) -> MalformedResponseError:
    """Which field is wrong and how, without quoting the answer."""
    if not isinstance(error, ValidationError):
        return _malformed(target, str(error))
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]).lstrip(".")
    return _malformed(target, f"{path}: {first['msg']}")

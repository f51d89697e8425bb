"""How the bytes of any answer are taken apart: frames into events, events into chunks, chunks into an answer.

A dialect brings a reader, which turns one event after another into chunks. Size limits, JSON, errors that
come under HTTP 200, servers that answer whole where a stream was asked for, and streams that stop too soon
are the same for all of them and are dealt with here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from ..chat import ChatChunk, ChatResponse, ModelList
from ..dialect import Target
from ..errors import MalformedResponseError, ProviderError, StreamInterruptedError
from ..folding import fold
from ..framing import BOM, FrameError, SSEDecoder, SSEEvent
from ..unfolding import unfold
from .draft import Json
from .envelope import empty, kind, load, loaded, malformed, misshapen, reason, strict
from .error_reading import error_in, page, quote
from .openai_choices import ShapeError
from .openai_usage import UsageError

DONE = "[DONE]"
"""What many servers end a stream with."""
_SUSPECT = frozenset({"error", "detail", "message"})
_EVENT_STREAM = (b"data:", b"event:", b"id:", b"retry:", b":")


class Frame(NamedTuple):
    """One message of a stream."""

    event: str
    """Its type, where the framing names one."""
    data: str
    """Its JSON text."""


class Frames(Protocol):
    """Cuts bytes into frames, however they come; FrameError where they are none."""

    def frames(self, data: bytes) -> Iterator[Frame | SSEEvent]:
        """Yield the frames that `data` completes."""
        ...

    def close(self) -> Iterator[Frame | SSEEvent]:
        """Yield the frame that the bytes ended in the middle of, if it can be read."""
        ...

    @property
    def stray(self) -> str:
        """What came that was no frame, for messages."""
        ...


class Reader(Protocol):
    """Turns the events of one answer into chunks."""

    @property
    def done(self) -> bool:
        """Whether the terminal event has come."""
        ...

    def read(self, event: str, payload: Any) -> Iterator[ChatChunk]:
        """Yield the chunks of one event, an object; events it does not know yield nothing or are kept."""
        ...

    def end(self) -> Iterator[ChatChunk]:
        """The bytes have ended without a terminal event: yield what is left if that may be, else raise."""
        ...


class SSEFrames:
    """Server-sent events."""

    def __init__(self, target: Target) -> None:
        self.decoder = SSEDecoder(limit=target.max_response_bytes)
        """Cuts the bytes into events."""

    @property
    def stray(self) -> str:
        """The last line that was no field of the format."""
        return self.decoder.ignored

    def frames(self, data: bytes) -> Iterator[SSEEvent]:
        """Yield the events that `data` completes."""
        return self.decoder.events(data)

    def close(self) -> Iterator[SSEEvent]:
        """Yield the unfinished event, if it holds whole JSON."""
        for event in self.decoder.close():
            if event.data.startswith(DONE) or loaded(event.data) is not None:
                yield event


class FrameDecoder(ABC):
    """Decodes one streamed answer, up to its events; see `dialect.Decoder`.

    `whole` decodes a body, for a server that answers whole although a stream was asked for; None where the
    framing cannot be told from a body.
    """

    def __init__(
        self, target: Target, frames: Frames, whole: Callable[[bytes], ChatResponse] | None = None
    ) -> None:
        self._target = target
        self._frames = frames
        self._whole = whole
        self._limit = target.max_response_bytes
        self._size = 0
        self._opening = b""
        self._body: list[bytes] | None = None
        self._decided = whole is None
        self._events = 0
        self._done = False

    @property
    def done(self) -> bool:
        """Whether the terminal event has come; what follows it says nothing."""
        return self._done

    def feed(self, data: bytes) -> Iterator[ChatChunk]:
        """Yield the chunks that `data` completes; raise a ProviderError where the wire reports one."""
        if self._done or not (data := self._taken(data)):
            return
        try:
            for frame in self._frames.frames(data):
                yield from self._frame(frame)
                if self._done:
                    return
        except FrameError as error:
            raise malformed(self._target, str(error)) from None

    def close(self) -> Iterator[ChatChunk]:
        """Yield what is left; raise StreamInterruptedError if no terminal event came."""
        if self._done:
            return
        if self._body is not None and self._whole is not None:
            self._done = True
            yield from unfold(self._whole(b"".join(self._body)))
            return
        try:
            for frame in self._frames.close():
                yield from self._frame(frame)
                if self._done:
                    return
        except FrameError:
            pass  # the bytes end within a frame: that is a cut, not a mistake
        self._done = True
        yield from self._ended(told=False)

    @abstractmethod
    def _event(self, event: str, payload: Any) -> Iterator[ChatChunk]:
        """The chunks of one event, whose JSON may be anything; sets `_done` with the terminal one."""
        ...

    @abstractmethod
    def _ended(self, *, told: bool) -> Iterator[ChatChunk]:
        """What the end of the stream leaves to say; `told` where `[DONE]` said that it is one."""
        ...

    def _taken(self, data: bytes) -> bytes:
        """The bytes that belong to events, once it is clear that there are events."""
        self._size += len(data)
        if self._size > self._limit:
            raise malformed(self._target, f"the stream is longer than {self._limit} bytes")
        if not self._decided:
            data = self._decide(data)
        if self._body is not None:
            self._body.append(data)
            return b""
        return data

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

    def _frame(self, frame: Frame | SSEEvent) -> Iterator[ChatChunk]:
        data = frame.data
        if not data or data.isspace():
            return
        if data.startswith(DONE):
            self._done = True
            yield from self._ended(told=True)
            return
        self._events += 1
        try:
            payload = load(data)
        except (ValueError, RecursionError) as error:
            if frame.event == "error" and (failure := error_in(data, self._target, event="error")):
                raise failure from None
            message = f"an event is not JSON ({reason(error)}){quote(data, self._target)}"
            raise malformed(self._target, message) from None
        yield from self._event(frame.event, payload)

    def _nothing(self) -> ProviderError:
        """The error of a stream without a single event."""
        line = self._frames.stray
        if not line:
            return empty(self._target, "the stream ended before its first event")
        failure = error_in(loaded(line), self._target)
        return failure or malformed(self._target, f"the answer is no event stream{quote(line, self._target)}")


class StreamDecoder(FrameDecoder):
    """Decodes one streamed answer with a dialect's reader of events."""

    def __init__(
        self,
        target: Target,
        frames: Frames,
        reader: Reader,
        whole: Callable[[bytes], ChatResponse] | None = None,
    ) -> None:
        super().__init__(target, frames, whole)
        self._reader = reader

    def _event(self, event: str, payload: Any) -> Iterator[ChatChunk]:
        check_error(payload, self._target, event=event)
        yield from guarded(self._reader.read(event, payload), self._target)
        self._done = self._reader.done

    def _ended(self, *, told: bool) -> Iterator[ChatChunk]:
        if not (told or self._events):
            raise self._nothing()
        if not self._reader.done:
            yield from guarded(self._reader.end(), self._target)


def check_error(payload: Any, target: Target, *, event: str = "") -> None:
    """Raise the error that an event or a body of HTTP 200 holds; MalformedResponseError for no object."""
    if type(payload) is not dict:
        failure = error_in(payload, target, event=event)
        raise failure or malformed(target, f"an event is {kind(payload)}, not an object")
    if event == "error" or payload.get("type") == "error" or not _SUSPECT.isdisjoint(payload):
        inside = "error" if event == "error" or payload.get("type") == "error" else ""
        failure = error_in(payload, target, event=inside)
        if failure is not None:
            raise failure


def guarded(chunks: Iterator[ChatChunk], target: Target) -> Iterator[ChatChunk]:
    """The chunks, with a MalformedResponseError for whatever shape a reader could not make sense of."""
    try:
        yield from chunks
    except (ShapeError, UsageError, ValidationError) as error:
        raise misshapen(target, error) from None
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        # a reader takes the shapes that the wire promises; which of them was broken, the trace below tells
        raise malformed(target, f"an event has an unknown shape ({type(error).__name__})") from error


def decode_whole(
    body: bytes,
    target: Target,
    chunks: Callable[[Json], Iterator[ChatChunk]],
    streamed: Callable[[], StreamDecoder] | None = None,
) -> ChatResponse:
    """The answer in a whole body: what the chunks of its JSON fold to.

    `streamed` makes a decoder for a server that streams although nobody asked. Raises a ProviderError for
    an error that came under HTTP 200, EmptyResponseError, MalformedResponseError.
    """
    if len(body) > target.max_response_bytes:
        raise malformed(target, f"the answer is longer than {target.max_response_bytes} bytes")
    head = body.removeprefix(BOM).lstrip()
    if not head:
        raise empty(target, "the answer's body is empty")
    if streamed is not None and head.startswith(_EVENT_STREAM):
        return _folded(streamed(), body)
    payload = parsed(body, target)
    check_error(payload, target)
    return fold(guarded(chunks(payload), target))


def parsed(body: bytes, target: Target) -> Any:
    """The value in a body of JSON; MalformedResponseError where it is none."""
    with suppress(ValueError):
        return strict(body)
    try:
        return load(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        message = f"the answer is not JSON ({reason(error)}){quote(page(body), target)}"
        raise malformed(target, message) from None


def _folded(decoder: StreamDecoder, body: bytes) -> ChatResponse:
    def chunks() -> Iterator[ChatChunk]:
        yield from decoder.feed(body)
        yield from decoder.close()

    return fold(chunks())


def interrupted(target: Target, message: str) -> StreamInterruptedError:
    """The error of a stream that stopped before its terminal event."""
    return StreamInterruptedError(message, provider=target.provider, model=target.model)


def listed(body: bytes, target: Target, key: str) -> list[Json]:
    """The objects of a list of models; MalformedResponseError where there is none."""
    value = parsed(body, target)
    rows = value.get(key) if isinstance(value, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise MalformedResponseError(
            "the answer is no list of models", provider=target.provider, model=target.model or None
        )
    return rows


def model_list(body: bytes, target: Target) -> ModelList:
    """A list of models in OpenAI's shape; MalformedResponseError where it is none."""
    try:
        return ModelList.model_validate_json(body)
    except ValidationError:
        raise malformed(target, "the answer is no list of models") from None

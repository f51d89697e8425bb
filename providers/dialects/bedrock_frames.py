"""Converse's streams as frames: binary messages in, events with their JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from ..chat import ChatChunk, ChatResponse
from ..dialect import Target
from ..event_stream import Message, MessageDecoder
from ..framing import BOM
from ..unfolding import unfold
from .draft import Json
from .envelope import loaded, malformed
from .reading import Frame, Reader, StreamDecoder


class EventFrames:
    """Cuts the bytes of a binary event stream into frames."""

    stray = ""
    """Nothing can stand between messages."""

    def __init__(self, target: Target) -> None:
        self._decoder = MessageDecoder(limit=target.max_response_bytes)

    def frames(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes; FrameError where the bytes are damaged."""
        for message in self._decoder.messages(data):
            yield frame(message)

    def close(self) -> Iterator[Frame]:
        """Nothing: half a message cannot be read."""
        yield from ()


def frame(message: Message) -> Frame:
    """A message's event and its JSON; an exception becomes the event `error`, its name in `type`."""
    kind = message.text(":message-type")
    text = message.payload.decode("utf-8", "replace")
    if kind == "error":
        said: Json = {"type": message.text(":error-code"), "message": message.text(":error-message")}
        return Frame("error", json.dumps(said))
    if kind == "exception":
        return Frame("error", json.dumps(exception(loaded(text), text, message.text(":exception-type"))))
    return Frame(message.text(":event-type"), text)


def exception(payload: object, text: str, name: str) -> Json:
    """An exception as the object that errors are read from; `text` is what came where that was no object."""
    said = payload if isinstance(payload, dict) else {"message": text}
    message = said.get("message") or said.get("Message") or ""
    original = said.get("originalMessage")
    if isinstance(original, str) and original and original not in str(message):
        message = f"{message}: {original}" if message else original
    return {"message": message, "type": name or said.get("__type") or said.get("code")}


class BedrockDecoder:
    """Decodes one streamed answer; see `dialect.Decoder`.

    A proxy that answers with one whole JSON body is understood as well, by its first byte.
    """

    def __init__(self, target: Target, reader: Reader, whole: Callable[[bytes], ChatResponse]) -> None:
        self._stream = StreamDecoder(target, EventFrames(target), reader)
        self._whole = whole
        self._limit = target.max_response_bytes
        self._target = target
        self._body: bytearray | None = None
        self._opening = b""
        self._decided = False

    @property
    def done(self) -> bool:
        """Whether both the end of the message and its usage have come."""
        return self._stream.done

    def feed(self, data: bytes) -> Iterator[ChatChunk]:
        """Yield the chunks that `data` completes; raise a ProviderError where the wire reports one."""
        if not self._decided:
            data = self._decide(data)
        if self._body is None:
            yield from self._stream.feed(data)
            return
        self._body += data
        if len(self._body) > self._limit:
            raise malformed(self._target, f"the answer is longer than {self._limit} bytes")

    def close(self) -> Iterator[ChatChunk]:
        """Yield what is left; raise StreamInterruptedError if the message did not come to its end."""
        if self._body is None:
            yield from self._stream.close()
            return
        body, self._body = bytes(self._body), None
        yield from unfold(self._whole(body))

    def _decide(self, data: bytes) -> bytes:
        """Tell a binary stream from a body of JSON; the bytes to go on with."""
        data = self._opening + data
        head = data.removeprefix(BOM).lstrip()
        if data and not head:
            self._opening = data
            return b""
        self._opening = b""
        self._decided = bool(data)
        if head.startswith((b"{", b"[")):
            self._body = bytearray()
        return data

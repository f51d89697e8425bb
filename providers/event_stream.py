"""Amazon's binary event stream: messages out of bytes and bytes out of messages; no socket, no clock.

A message (`application/vnd.amazon.eventstream`) is a prelude of twelve bytes (its length, the length of its
headers, a CRC-32 of both), typed headers, a payload, and a CRC-32 of all that. Integers are big-endian.
Layout and limits as in botocore 1.44's `eventstream.py`, read 2026-11-21. Every check fails as soon as the
bytes for it are there, so that a length that was garbled on the way is never waited for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple
from zlib import crc32

from .framing import FrameError

HEADERS_LIMIT = 128 * 1024
"""Bytes of headers that one message may have."""
PAYLOAD_LIMIT = 24 * 1024 * 1024
"""Bytes of payload that one message may have."""
_PRELUDE = struct.Struct(">II")
_CRC = struct.Struct(">I")
_HEAD = _PRELUDE.size + _CRC.size
_LEAST = _HEAD + _CRC.size
_NAME_LIMIT = 0xFF
_VALUE_LIMIT = 0xFFFF


class HeaderType(IntEnum):
    """What a header's value is, as the number that stands before it."""

    TRUE = 0
    FALSE = 1
    INT8 = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    """Milliseconds since 1970."""
    UUID = 9
    """Sixteen bytes."""


_INTEGERS: Mapping[HeaderType, struct.Struct] = {
    HeaderType.INT8: struct.Struct(">b"),
    HeaderType.INT16: struct.Struct(">h"),
    HeaderType.INT32: struct.Struct(">i"),
    HeaderType.INT64: struct.Struct(">q"),
    HeaderType.TIMESTAMP: struct.Struct(">q"),
}
_LENGTH = struct.Struct(">H")
_UUID = 16


class Header(NamedTuple):
    """A typed value of a header."""

    type: HeaderType
    value: bool | int | bytes | str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream."""

    headers: Mapping[str, Header] = field(default_factory=dict)
    payload: bytes = b""

    def text(self, name: str) -> str:
        """The value of a header that is a string; empty where it is missing or of another type."""
        value = self.headers[name].value if name in self.headers else ""
        return value if isinstance(value, str) else ""


def string(value: str) -> Header:
    """A header that is a string, as nearly all are."""
    return Header(HeaderType.STRING, value)


def encode(message: Message) -> bytes:
    """The bytes of a message; ValueError where a name, a value or the whole is too long for the format."""
    headers = b"".join(_encoded(name, header) for name, header in message.headers.items())
    if len(headers) > HEADERS_LIMIT or len(message.payload) > PAYLOAD_LIMIT:
        raise ValueError("the message is larger than the event stream format allows")
    prelude = _PRELUDE.pack(_LEAST + len(headers) + len(message.payload), len(headers))
    whole = b"".join((prelude, _CRC.pack(crc32(prelude)), headers, message.payload))
    return whole + _CRC.pack(crc32(whole))


def _encoded(name: str, header: Header) -> bytes:
    spelled = name.encode()
    if not 0 < len(spelled) <= _NAME_LIMIT:
        raise ValueError(f"a header's name has 1 to {_NAME_LIMIT} bytes")
    return bytes((len(spelled),)) + spelled + bytes((header.type,)) + _encoded_value(header)


def _encoded_value(header: Header) -> bytes:
    kind, value = header
    if kind in (HeaderType.TRUE, HeaderType.FALSE):
        return b""
    if isinstance(value, int):
        try:
            return _INTEGERS[kind].pack(value)
        except (KeyError, struct.error):
            raise ValueError(f"{value} does not fit a header of type {kind.name}") from None
    data = value.encode() if isinstance(value, str) else value
    if kind is HeaderType.UUID and len(data) == _UUID:
        return data
    if kind not in (HeaderType.BYTES, HeaderType.STRING) or len(data) > _VALUE_LIMIT:
        raise ValueError(f"{len(data)} bytes do not fit a header of type {kind.name}")
    return _LENGTH.pack(len(data)) + data


class MessageDecoder:
    """Cuts a byte stream into messages, however it comes. `limit` bounds the bytes of one message."""

    def __init__(self, *, limit: int = HEADERS_LIMIT + PAYLOAD_LIMIT + _LEAST) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._length = 0  # of the message under way, once its prelude has been checked

    @property
    def pending(self) -> int:
        """Bytes of a message that is not complete."""
        return len(self._buffer)

    def messages(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that `data` completes, up to the place of a FrameError.

        The iterator is to be run to its end before more bytes are fed.
        """
        self._buffer += data
        start = 0
        try:
            while (end := self._end(start)) is not None:
                whole = bytes(memoryview(self._buffer)[start:end])
                start, self._length = end, 0
                yield _decoded(whole)
        finally:
            del self._buffer[:start]

    def _end(self, start: int) -> int | None:
        """Where the message at `start` ends; None as long as it is not complete."""
        here = len(self._buffer) - start
        if not self._length:
            if here < _HEAD:
                return None
            self._length = self._checked_length(start)
        return start + self._length if here >= self._length else None

    def _checked_length(self, start: int) -> int:
        length, headers = _PRELUDE.unpack_from(self._buffer, start)
        (told,) = _CRC.unpack_from(self._buffer, start + _PRELUDE.size)
        if told != crc32(memoryview(self._buffer)[start : start + _PRELUDE.size]):
            raise FrameError(
                "the checksum of a message's prelude is wrong: no event stream, or a damaged one"
            )
        if headers > HEADERS_LIMIT or length - headers - _LEAST > PAYLOAD_LIMIT or length > self._limit:
            raise FrameError(f"one message is {length} bytes long, more than may be")
        if length < headers + _LEAST:
            raise FrameError("a message's headers are longer than the message")
        return int(length)


def _decoded(whole: bytes) -> Message:
    (told,) = _CRC.unpack_from(whole, len(whole) - _CRC.size)
    if told != crc32(memoryview(whole)[: -_CRC.size]):
        raise FrameError("the checksum of a message is wrong: it was damaged on the way")
    end = _HEAD + _PRELUDE.unpack_from(whole)[1]
    headers: dict[str, Header] = {}
    reader = _HeaderReader(whole[_HEAD:end])
    while reader.left:
        name, header = reader.header()
        if name in headers:
            raise FrameError(f"the header {name[:40]!r} comes twice in one message")
        headers[name] = header
    return Message(headers, whole[end : -_CRC.size])


class _HeaderReader:
    """Reads the headers of one message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def header(self) -> tuple[str, Header]:
        name = self._text(self._take(self._take(1)[0]))
        number = self._take(1)[0]
        try:
            kind = HeaderType(number)
        except ValueError:
            raise FrameError(f"a header is of the unknown type {number}") from None
        return name, Header(kind, self._value(kind))

    def _value(self, kind: HeaderType) -> bool | int | bytes | str:
        if kind in (HeaderType.TRUE, HeaderType.FALSE):
            return kind is HeaderType.TRUE
        if kind in _INTEGERS:
            shape = _INTEGERS[kind]
            return int(shape.unpack(self._take(shape.size))[0])
        if kind is HeaderType.UUID:
            return self._take(_UUID)
        data = self._take(_LENGTH.unpack(self._take(_LENGTH.size))[0])
        return self._text(data) if kind is HeaderType.STRING else data

    def _take(self, size: int) -> bytes:
        if size > self.left:
            raise FrameError("a header reaches beyond the headers of its message")
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    @staticmethod
    def _text(data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise FrameError("a header is not UTF-8") from None

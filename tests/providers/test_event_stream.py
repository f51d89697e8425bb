"""Amazon's binary messages: the same bytes as botocore's, however they are cut, and none that is damaged."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.providers.event_stream import Header, HeaderType, Message, MessageDecoder, encode, string
from turnout.providers.framing import FrameError

EVENT = bytes.fromhex(
    "0000009400000057b4ab9aee0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a636f6e74656e74"
    "2d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070005"
    "6576656e747b22636f6e74656e74426c6f636b496e646578223a302c2264656c7461223a7b2274657874223a224869227d7d1f944657"
)
EXCEPTION = bytes.fromhex(
    "0000008800000061de0175f40f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e0d3a63"
    "6f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d7479706507000965786365"
    "7074696f6e7b226d657373616765223a22736c6f7720646f776e227d832ee072"
)
EMPTY = bytes.fromhex("000000100000000005c248eb7d98c8ff")
HEADERS: st.SearchStrategy[Header] = st.one_of(
    st.booleans().map(lambda value: Header(HeaderType.TRUE if value else HeaderType.FALSE, value)),
    st.integers(-(2**7), 2**7 - 1).map(lambda value: Header(HeaderType.INT8, value)),
    st.integers(-(2**15), 2**15 - 1).map(lambda value: Header(HeaderType.INT16, value)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: Header(HeaderType.INT32, value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: Header(HeaderType.INT64, value)),
    st.integers(0, 2**42).map(lambda value: Header(HeaderType.TIMESTAMP, value)),
    st.binary(max_size=40).map(lambda value: Header(HeaderType.BYTES, value)),
    st.text(max_size=40).map(string),
    st.binary(min_size=16, max_size=16).map(lambda value: Header(HeaderType.UUID, value)),
)
NAMES = st.text(min_size=1, max_size=20)
MESSAGES = st.builds(Message, st.dictionaries(NAMES, HEADERS, max_size=5), st.binary(max_size=80))


def decoded(*pieces: bytes, limit: int | None = None) -> list[Message]:
    decoder = MessageDecoder() if limit is None else MessageDecoder(limit=limit)
    return [message for piece in pieces for message in decoder.messages(piece)]


def by_hand(headers: bytes, payload: bytes = b"") -> bytes:
    """A message of any header bytes, with sums that are right."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return whole + struct.pack(">I", crc32(whole))


def test_a_delta_of_a_stream() -> None:
    [message] = decoded(EVENT)
    assert message.text(":event-type") == "contentBlockDelta"
    assert message.text(":message-type") == "event"
    assert message.payload == b'{"contentBlockIndex":0,"delta":{"text":"Hi"}}'
    assert encode(message) == EVENT


def test_an_exception_and_a_message_of_nothing() -> None:
    exception, nothing = decoded(EXCEPTION + EMPTY)
    assert exception.text(":exception-type") == "throttlingException"
    assert nothing == Message()
    assert encode(exception) + encode(nothing) == EXCEPTION + EMPTY
    assert nothing.text(":event-type") == ""


def test_a_header_that_is_no_text_reads_as_none() -> None:
    assert Message({"n": Header(HeaderType.INT8, 3)}).text("n") == ""


@given(st.lists(MESSAGES, min_size=1, max_size=4))
@settings(max_examples=150)
def test_botocore_reads_what_is_written_and_both_read_the_same(messages: list[Message]) -> None:
    data = b"".join(map(encode, messages))
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    theirs = [(found.headers, found.payload) for found in buffer]
    plain = [
        ({name: header.value for name, header in message.headers.items()}, message.payload)
        for message in messages
    ]
    assert theirs == plain
    assert decoded(data) == messages


@given(st.lists(MESSAGES, min_size=1, max_size=3), st.data())
def test_every_cut_gives_the_same_messages(messages: list[Message], data: st.DataObject) -> None:
    stream = b"".join(map(encode, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decoded(*pieces) == messages


def test_a_message_byte_by_byte_and_what_is_left_of_one() -> None:
    decoder = MessageDecoder()
    for byte in EVENT[:-1]:
        assert [*decoder.messages(bytes([byte]))] == []
    assert decoder.pending == len(EVENT) - 1
    assert len([*decoder.messages(EVENT[-1:] + EMPTY[:5])]) == 1
    assert decoder.pending == 5


@pytest.mark.parametrize("whole", [EVENT, EXCEPTION, EMPTY], ids=["event", "exception", "empty"])
def test_any_flipped_byte_is_refused(whole: bytes) -> None:
    for place in range(len(whole)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[place] ^= flip
            with pytest.raises(FrameError):
                decoded(bytes(damaged))


def test_a_web_page_is_no_event_stream() -> None:
    with pytest.raises(FrameError, match="no event stream"):
        decoded(b"<!doctype html>")


def test_the_messages_before_a_damaged_one_are_given() -> None:
    found = []
    with pytest.raises(FrameError):
        for message in MessageDecoder().messages(EVENT + EVENT[:-1] + b"\0"):
            found.append(message)  # noqa: PERF402 - what came before the error counts
    assert len(found) == 1


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        (b"\x01a\x00\x01a\x01", "twice"),
        (b"\x01a\x0a", "unknown type 10"),
        (b"\x05a", "beyond the headers"),
        (b"\x01a\x07\x00\x09x", "beyond the headers"),
        (b"\x01a\x04\x00", "beyond the headers"),
        (b"\x01a\x07\x00\x01\xff", "not UTF-8"),
    ],
)
def test_headers_that_make_no_sense(headers: bytes, says: str) -> None:
    with pytest.raises(FrameError, match=says):
        decoded(by_hand(headers))


def test_lengths_beyond_the_limits_are_refused_at_once() -> None:
    def prelude(total: int, headers: int) -> bytes:
        start = struct.pack(">II", total, headers)
        return start + struct.pack(">I", crc32(start))

    for total, headers in ((16 + 2**17 + 1, 2**17 + 1), (17 + 24 * 2**20, 0), (2**31, 0)):
        with pytest.raises(FrameError, match="more than may be"):
            decoded(prelude(total, headers))
    with pytest.raises(FrameError, match="longer than the message"):
        decoded(prelude(15, 0))
    with pytest.raises(FrameError, match="148 bytes long"):
        decoded(EVENT[:12], limit=100)


@pytest.mark.parametrize(
    "message",
    [
        Message({"": string("x")}),
        Message({"n" * 256: string("x")}),
        Message({"n": string("x" * 65536)}),
        Message({"n": Header(HeaderType.INT8, 200)}),
        Message({"n": Header(HeaderType.STRING, 2)}),
        Message({"n": Header(HeaderType.UUID, b"short")}),
        Message({}, bytes(24 * 1024 * 1024 + 1)),
    ],
    ids=["no name", "long name", "long text", "large number", "wrong type", "short uuid", "large payload"],
)
def test_what_does_not_fit_the_format_is_not_written(message: Message) -> None:
    with pytest.raises(ValueError, match=r"header|larger"):
        encode(message)

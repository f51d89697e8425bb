"""However an answer's bytes come, they are read the same, and nothing but a ProviderError comes of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mixed_requests import target_of

from turnout.providers.chat import ChatChunk
from turnout.providers.dialects.chunks import ChunkWriter
from turnout.providers.dialects.openai_choices import ShapeError
from turnout.providers.dialects.reading import SSEFrames, StreamDecoder, decode_whole, interrupted, listed
from turnout.providers.errors import ProviderError
from turnout.providers.folding import fold

TARGET = target_of("cohere", "m")
SMALL = dataclasses.replace(TARGET, max_response_bytes=40)


class Words:
    """The reader of a wire whose events are words, and `end`."""

    def __init__(self) -> None:
        self._writer = ChunkWriter(TARGET)
        self.done = False

    def read(self, event: str, payload: Any) -> Iterator[ChatChunk]:
        if payload.get("odd"):
            raise ShapeError("it is odd")
        if payload.get("end"):
            self.done = True
            yield self._writer.finish("stop")
        else:
            yield self._writer.text(payload["word"].upper())

    def end(self) -> Iterator[ChatChunk]:
        raise interrupted(TARGET, "no end")


def words(payload: Any) -> Iterator[ChatChunk]:
    reader = Words()
    for word in payload["words"]:
        yield from reader.read("", {"word": word})
    yield from reader.read("", {"end": True})


def decoder(target: Any = TARGET, *, whole: bool = True) -> StreamDecoder:
    def body(data: bytes) -> Any:
        return decode_whole(data, target, words)

    return StreamDecoder(target, SSEFrames(target), Words(), whole=body if whole else None)


def read(*pieces: bytes, target: Any = TARGET) -> str:
    reading = decoder(target)
    chunks = [chunk for piece in pieces for chunk in reading.feed(piece)] + list(reading.close())
    assert reading.done
    return fold(chunks).text


def failure(*pieces: bytes, target: Any = TARGET) -> str:
    with pytest.raises(ProviderError) as caught:
        read(*pieces, target=target)
    return f"{caught.value.kind}: {caught.value.message}"


def event(**payload: Any) -> bytes:
    return f"data: {json.dumps(payload)}\n\n".encode()


END = event(end=True)


def test_a_stream() -> None:
    assert read(event(word="a"), event(word="b") + END) == "AB"
    assert read(b"\xef\xbb\xbf", b"\n: hello\n\n", event(word="a"), END, b"data: nonsense\n\n") == "A"


def test_after_the_end_nothing_counts() -> None:
    reading = decoder()
    assert len(list(reading.feed(END + event(odd=True)))) == 1
    assert not list(reading.feed(event(odd=True)))
    assert not list(reading.close())


def test_a_last_event_without_its_blank_line_counts() -> None:
    assert read(event(word="a"), END.rstrip()) == "A"


def test_a_server_that_answers_whole() -> None:
    body = json.dumps({"words": ["a", "b"]}).encode()
    assert read(*(body[at : at + 1] for at in range(len(body)))) == "AB"


def test_a_server_that_streams_unasked() -> None:
    assert decode_whole(event(word="a") + END, TARGET, words, streamed=decoder).text == "A"


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([], "empty"),
        ([b"\n\n"], "empty"),
        ([event(word="a")], "interrupted: no end"),
        ([event(word="a"), b"data: [DONE]\n\n"], "interrupted: no end"),
        ([event(word="a"), b'data: {"word'], "interrupted: no end"),
        ([b"data: {\n\n"], "malformed: an event is not JSON"),
        ([b"data: [1]\n\n"], "malformed: an event is a list"),
        ([b'data: {"word": NaN}\n\n'], "malformed"),
        ([event(odd=True)], "malformed: it is odd"),
        ([event(word=1)], "malformed: an event has an unknown shape"),
        ([event(message="out of order")], "server: out of order"),
        ([event(error={"message": "too many", "code": "overloaded"})], "overloaded: too many"),
        ([b"event: error\ndata: gone\n\n"], "server: gone"),
        ([b"<html><title>Bad gateway</title>"], "malformed"),
        ([b"nonsense"], "malformed"),
        ([b"invalid key"], "malformed"),
        ([b"[" * 5000], "malformed"),
    ],
)
def test_what_goes_wrong(pieces: list[bytes], kind: str) -> None:
    assert failure(*pieces).startswith(kind)


def test_sizes_are_limited() -> None:
    assert "longer than 40 bytes" in failure(event(word="a" * 50), target=SMALL)
    with pytest.raises(ProviderError, match="longer than 40 bytes"):
        decode_whole(b" " * 41, SMALL, words)


@pytest.mark.parametrize(
    "body", [b"", b" \n", b"\xff", b"{", b"7", b'{"error": "x"}', b'{"words": 5}', b"{}"]
)
def test_bodies_that_are_none(body: bytes) -> None:
    with pytest.raises(ProviderError):
        decode_whole(body, TARGET, words)


def test_lists_of_models() -> None:
    assert listed(b'{"models": [{"a": 1}]}', TARGET, "models") == [{"a": 1}]
    for body in (b"[]", b"{}", b'{"models": [1]}', b"", b"<html>"):
        with pytest.raises(ProviderError):
            listed(body, TARGET, "models")


PIECES = [
    b"data:",
    b"event: error\n",
    b"{",
    b"}",
    b"\n\n",
    b"[DONE]",
    b'"word":',
    b'"a"',
    b'{"end":1}',
    b"\xff",
    b"[" * 2000,
]


@given(st.lists(st.binary(max_size=8) | st.sampled_from(PIECES), max_size=12), st.booleans())
@example([b'data: {"word": 1' + b"0" * 5000 + b"}\n\n"], True)
def test_nothing_but_a_provider_error(pieces: list[bytes], whole: bool) -> None:
    reading = decoder(whole=whole)
    with suppress(ProviderError):
        for piece in pieces:
            list(reading.feed(piece))
        list(reading.close())
    with suppress(ProviderError):
        decode_whole(b"".join(pieces), TARGET, words, streamed=decoder)


@given(st.lists(st.text(max_size=4), max_size=4), st.data())
def test_any_cut_reads_the_same(said: list[str], data: st.DataObject) -> None:
    stream = b"".join(event(word=word) for word in said) + END
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=4)))
    parts = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert (
        read(*parts)
        == "".join(said).upper()
        == decode_whole(json.dumps({"words": said}).encode(), TARGET, words).text
    )

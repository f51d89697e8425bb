"""Server-sent events and JSON lines come out the same however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.providers.framing import FrameError, JSONLinesDecoder, SSEDecoder, SSEEvent

STREAM = (
    ": welcome\n\n"
    "data: {\"text\":\"naïve 日本 🚂\"}\n\n"
    "event: error\ndata: first\ndata: second\nid: 7\nretry: 1500\n\n"
    "data:no space\n\n"
    "data:  two spaces\n\n"
    "data\n\n"
    "id: lonely\n\n"
    "unknown: line\n\n"
    "data: [DONE]\n\n"
)  # fmt: skip
EVENTS = [
    SSEEvent('{"text":"naïve 日本 🚂"}'),
    SSEEvent("first\nsecond", event="error", id="7", retry=1500),
    SSEEvent("no space", id="7"),
    SSEEvent(" two spaces", id="7"),
    SSEEvent("", id="7"),
    SSEEvent("[DONE]", id="lonely"),
]


def decoded(*pieces: bytes, limit: int = 1 << 20) -> list[SSEEvent]:
    decoder = SSEDecoder(limit=limit)
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_every_cut_gives_the_same_events(ending: str, bom: bytes) -> None:
    wire = bom + STREAM.replace("\n", ending).encode()
    assert decoded(wire) == EVENTS
    assert decoded(*(wire[i : i + 1] for i in range(len(wire)))) == EVENTS
    for cut in range(len(wire) + 1):
        assert decoded(wire[:cut], wire[cut:]) == EVENTS


@given(st.data())
def test_random_events_survive_random_cuts(data: st.DataObject) -> None:
    line = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=12)
    texts = data.draw(st.lists(st.lists(line, min_size=1, max_size=3), max_size=5))
    ending = data.draw(st.sampled_from(["\n", "\r", "\r\n"]))
    wire = "".join("".join(f"data: {one}{ending}" for one in text) + ending for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert [event.data for event in decoded(*pieces)] == ["\n".join(text) for text in texts]


def test_an_event_that_the_bytes_end_in_is_still_given() -> None:
    assert decoded(b"data: [DONE]") == [SSEEvent("[DONE]")]
    assert decoded(b"data: [DONE]\n") == [SSEEvent("[DONE]")]


def test_nothing_comes_of_nothing() -> None:
    assert decoded() == []
    assert decoded(b"", b"\n\n\n", b": ping\n\n", b"") == []


def test_an_event_may_not_grow_without_end() -> None:
    decoder = SSEDecoder(limit=100)
    assert decoder.feed(b"data: " + b"x" * 80 + b"\n\n") != []
    with pytest.raises(FrameError, match="longer than 100 bytes"):
        decoder.feed(b"data: " + b"x" * 200)
    with pytest.raises(FrameError, match="longer than 100 bytes"):
        decoded(*[b"data: " + b"x" * 30 + b"\n"] * 4, limit=100)


def test_small_events_do_not_add_up_to_a_long_one() -> None:
    wire = b"data: 0123456789\n\n" * 50
    assert len(decoded(*(wire[i : i + 7] for i in range(0, len(wire), 7)), limit=40)) == 50


def test_bytes_that_are_not_utf8_are_an_error_after_the_events_before_them() -> None:
    decoder = SSEDecoder()
    events = decoder.events(b"data: good\n\ndata: \xff\n\n")
    assert next(events) == SSEEvent("good")
    with pytest.raises(FrameError, match="not UTF-8"):
        next(events)


def test_absurd_ids_and_retries_are_passed_over() -> None:
    assert decoded(b"id: a\0b\nretry: soon\nretry: 99999999999999\ndata: x\n\n") == [SSEEvent("x")]


def test_the_last_line_that_is_no_field_is_remembered() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"Internal Server Error\n\n") == []
    assert decoder.ignored == "Internal Server Error"


LINES = ['{"text":"naïve 日本 🚂"}', '{"a": 1}', "[]", '{"last":true}']


def lines(*pieces: bytes, limit: int = 1 << 20) -> list[str]:
    decoder = JSONLinesDecoder(limit=limit)
    return [line for piece in pieces for line in decoder.feed(piece)] + decoder.close()


@pytest.mark.parametrize("ending", ["\n", "\r\n", " \n\n\r\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n\n"])
@pytest.mark.parametrize("closed", [True, False])
def test_every_cut_gives_the_same_lines(ending: str, start: bytes, closed: bool) -> None:
    wire = start + (ending.join(LINES) + (ending if closed else "")).encode()
    assert lines(wire) == LINES
    assert lines(*(wire[i : i + 1] for i in range(len(wire)))) == LINES
    for cut in range(len(wire) + 1):
        assert lines(wire[:cut], wire[cut:]) == LINES


@given(st.data())
def test_random_lines_survive_random_cuts(data: st.DataObject) -> None:
    text = st.text(st.characters(categories=["L", "N", "P", "So"]), min_size=1, max_size=12)
    texts = data.draw(st.lists(text, max_size=6))
    ending = st.sampled_from(["\n", "\r\n"])
    wire = "".join(one + data.draw(ending) for one in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert lines(*pieces) == texts


def test_no_lines_come_of_nothing() -> None:
    assert lines() == []
    assert lines(b"", b"\n", b"\r\n  \n", b"  ") == []


def test_a_line_may_not_grow_without_end() -> None:
    assert lines(*[b"0123456789\n"] * 50, limit=10) == ["0123456789"] * 50
    with pytest.raises(FrameError, match="one line is longer than 10 bytes"):
        lines(b"012345", b"67890", limit=10)
    with pytest.raises(FrameError, match="one line is longer than 10 bytes"):
        lines(b"01234567890\n", limit=10)


def test_a_line_that_is_not_utf8_is_an_error_after_the_lines_before_it() -> None:
    found = JSONLinesDecoder().lines(b'{"good":1}\n\xff\n')
    assert next(found) == '{"good":1}'
    with pytest.raises(FrameError, match="not UTF-8"):
        next(found)
    with pytest.raises(FrameError, match="not UTF-8"):
        lines("é".encode()[:1])


FIELDS = st.sampled_from(
    [
        "data: a",
        "data: b",
        "data:c",
        "data",
        "data: ",
        ": note",
        "event: x",
        "id: 7",
        "retry: 5",
        "odd",
        "",
        "",
    ]
)


@given(
    lines=st.lists(FIELDS, max_size=12),
    ending=st.sampled_from(["\n", "\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 90), max_size=3).map(sorted),
)
def test_events_cut_out_many_at_a_time_are_those_of_single_bytes(
    lines: list[str], ending: str, cuts: list[int]
) -> None:
    wire = "".join(line + ending for line in lines).encode()
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]

    assert decoded(*pieces) == decoded(*(wire[place : place + 1] for place in range(len(wire))))


def test_plain_events_come_as_bytes_and_others_whole() -> None:
    plain, other = b'data: {"a":1}\n\ndata: b\n\n', b"event: x\ndata: c\n\nretry: 5\ndata: f\n\n"
    typed, waiting = SSEEvent("c", event="x"), SSEEvent("f", retry=5)
    decoder = SSEDecoder()
    assert decoder.split(plain) == [b'{"a":1}', b"b"]
    assert list(decoder.split(other + b": note\n\ndata: d\ndata: e\n\n")) == [typed, waiting, b"d\ne"]
    assert decoder.split(b"data: g\n\ndata: h\n\ndata") == [b"g", b"h"]
    assert decoder.split(b": i\n\ndata: j\n\n") == [b"i", b"j"]
    assert list(SSEDecoder().split(b"\xef\xbb\xbf" + plain)) == [b'{"a":1}', b"b"]


def test_the_limit_holds_where_many_events_come_at_once() -> None:
    events = SSEDecoder(limit=8).events(b"data: a\n\ndata: bb\n\ndata: ccc\n\ndata: d\n\n")
    assert [next(events).data, next(events).data] == ["a", "bb"]
    with pytest.raises(FrameError, match="longer than 8 bytes"):
        next(events)

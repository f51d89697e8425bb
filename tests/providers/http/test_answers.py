"""Answers as they are read, judged by h11: what is well formed comes out the same however it is cut, and
whatever the fast road takes, h11 takes too and reads alike."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scripted_connection import Outcome, outcome_of

from turnout.providers.errors import ConnectionFailedError, MalformedResponseError

NAMES = st.sampled_from(["server", "X-Request-ID", "retry-after", "x-a", "Set-Cookie", "x~!#$%&'*+.^_`|b"])
VALUES = st.text(st.sampled_from('abc 123,;="\t\xe4/:'), max_size=12).map(lambda text: text.encode("latin-1"))
LINES = st.lists(st.tuples(NAMES, VALUES), max_size=4)
STATUSES = st.sampled_from([200, 200, 200, 204, 304, 404, 429, 500, 599])
REASONS = st.sampled_from([b"", b" ", b" OK", b" Too Many Requests", b" \xe4 \t"])
EXTENSIONS = st.sampled_from([b"", b"", b"", b";a", b';a=1;b="c d"', b" ", b"\t"])


def written(lines: list[tuple[str, bytes]]) -> bytes:
    return b"".join(b"%b:%b\r\n" % (name.encode(), value) for name, value in lines)


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    """A body in chunks, with all that may stand between them."""
    data = b""
    for chunk in draw(st.lists(st.binary(min_size=1, max_size=40), max_size=5)):
        size = draw(st.sampled_from(["%x", "%X", "%03x"])) % len(chunk)
        data += size.encode() + draw(EXTENSIONS) + b"\r\n" + chunk + b"\r\n"
    return data + b"0" + draw(EXTENSIONS) + b"\r\n" + written(draw(LINES)) + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """The bytes of an answer, ended by the connection's end or not."""
    interim = draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2))
    data = b"".join(b"HTTP/1.1 %d X\r\n%b\r\n" % (status, written(draw(LINES))) for status in interim)
    lines, body = draw(LINES), draw(st.binary(max_size=80))
    framing = draw(st.sampled_from(["length", "length", "chunked", "chunked", "close"]))
    if framing == "length":
        lines.insert(draw(st.integers(0, len(lines))), ("Content-Length", b"%d" % len(body)))
    elif framing == "chunked":
        lines.insert(draw(st.integers(0, len(lines))), ("transfer-Encoding", b" Chunked "))
        body = draw(chunked())
    if draw(st.booleans()):
        lines.append(
            ("connection", draw(st.sampled_from([b"close", b"keep-alive", b"x, CLOSE", b"upgrade"])))
        )
    status = draw(STATUSES)
    if status in (204, 304):
        body = b""
    head = b"HTTP/1.1 %d%b\r\n%b\r\n" % (status, draw(REASONS), written(lines))
    return data + head + body


@dataclass
class Read:
    """What h11 makes of an answer."""

    status: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    whole: bool = False
    broken: bool = False
    reusable: bool = False


def by_h11(data: bytes) -> Read:
    found = Read()
    oracle = h11.Connection(h11.CLIENT)
    oracle.send(h11.Request(method="POST", target="/", headers=[("host", "a"), ("content-length", "0")]))
    oracle.send(h11.EndOfMessage())
    try:
        for piece in (data, b""):
            oracle.receive_data(piece)
            while (event := oracle.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                match event:
                    case h11.Response():
                        found.status, found.headers = event.status_code, tuple(event.headers)
                    case h11.Data():
                        found.body += event.data
                    case h11.EndOfMessage():
                        found.whole = True
                        found.reusable = oracle.their_state is h11.DONE and not oracle.trailing_data[0]
                if found.whole or isinstance(event, h11.ConnectionClosed):
                    return found
    except h11.RemoteProtocolError:
        found.broken = True
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The pieces between these places; none is empty, which would be an end."""
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


def agree(ours: Outcome, oracle: Read) -> None:
    assert (ours.status, ours.body) == (oracle.status, oracle.body)
    joined: dict[str, list[str]] = {}
    for name, value in oracle.headers:
        joined.setdefault(name.decode(), []).append(value.decode("latin-1"))
    assert ours.headers is not None
    for headers in (ours.headers, joined):
        headers.pop("transfer-encoding", None)  # h11 writes its value in lower case
    assert ours.headers == {name: ", ".join(values) for name, values in joined.items()}


@given(answers(), st.lists(st.integers(0, 400), max_size=8))
@example(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab", list(range(40)))
@example(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nb: c\r\n\r\n", list(range(80)))
def test_well_formed_answers_are_read_as_h11_reads_them(data: bytes, places: list[int]) -> None:
    ours, oracle = outcome_of(cut(data, places)), by_h11(data)

    assert oracle.whole
    assert not oracle.broken
    assert ours.error is None
    agree(ours, oracle)
    assert ours.kept <= oracle.reusable
    told = {name for name, _ in oracle.headers} & {b"content-length", b"transfer-encoding"}
    if oracle.reusable and told and oracle.status not in (204, 304):
        assert ours.kept


ODD = st.sampled_from(
    [b"", b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"-", b"x", b"0", b"5"]
)


@given(answers(), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), ODD), min_size=1, max_size=3))
def test_what_is_damaged_is_refused_or_read_as_h11_reads_it(
    data: bytes, damages: list[tuple[int, int, bytes]]
) -> None:
    for place, removed, added in damages:
        at = place % (len(data) + 1)
        data = data[:at] + added + data[at + removed :]
    ours = outcome_of([data] if data else [])

    if ours.error is None:
        oracle = by_h11(data)
        assert oracle.whole
        agree(ours, oracle)
        assert ours.kept <= oracle.reusable
    else:
        assert isinstance(ours.error, MalformedResponseError | ConnectionFailedError)
        assert not ours.kept


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_garbage_is_a_typed_error(data: bytes, places: list[int]) -> None:
    ours = outcome_of(cut(data, places))
    assert isinstance(ours.error, MalformedResponseError | ConnectionFailedError)
    assert not ours.kept


@given(answers(), st.integers(0, 400))
def test_an_answer_cut_short_is_never_taken_for_whole(data: bytes, place: int) -> None:
    short = data[: place % len(data)]
    ours = outcome_of([short] if short else [])

    assert (ours.error is None) == by_h11(short).whole


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (OK + b"x: " + b"y" * 70_000 + b"\r\n\r\n", "head is too long"),
        (OK + b"x: " + b"y" * 70_000, "head is too long"),
        (OK + b"x: y\r\n" * 300 + b"\r\n", "a line that is none"),
        (OK + b"transfer-encoding: chunked\r\n\r\n1" + b";" * 5000, "line that is too long"),
        (OK + b"transfer-encoding: chunked\r\n\r\n0\r\nx: " + b"y" * 17_000, "line that is too long"),
        (OK + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 11_000, "trailers are too long"),
        (OK + b"transfer-encoding: chunked\r\n\r\n0\r\nno header\r\n\r\n", "trailers have a line"),
        (b"HTTP/1.1 100 Go on\r\n\r\n" * 40 + OK + b"content-length: 0\r\n\r\n", "comes to the point"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "changes protocols"),
        (OK + b"content-length: 1\n", "CR LF"),
    ],
)
def test_what_goes_on_for_ever_is_refused(data: bytes, words: str) -> None:
    for pieces in ([data], cut(data, list(range(0, len(data), 999)))):
        found = outcome_of(pieces)
        assert isinstance(found.error, MalformedResponseError)
        assert words in found.error.message


def test_a_head_request_is_answered_by_a_head_alone() -> None:
    found = outcome_of([OK + b"content-length: 100\r\n\r\n"], method="HEAD")
    assert (found.status, found.body, found.error, found.kept) == (200, b"", None, True)


def test_bytes_after_an_answer_end_its_connection() -> None:
    for answer in (OK + b"content-length: 1\r\n\r\na", OK + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"):
        assert outcome_of([answer]).kept
        assert not outcome_of([answer + b"junk"]).kept
        assert outcome_of([answer + b"junk"]).error is None


def test_a_head_that_comes_byte_by_byte_costs_little() -> None:
    data = OK + b"x: " + b"y" * 60_000 + b"\r\ncontent-length: 1\r\n\r\na"
    begun = time.process_time()
    found = outcome_of([data[at : at + 1] for at in range(len(data))])
    assert (found.body, found.error) == (b"a", None)
    assert time.process_time() - begun < 3  # a tenth of that; looking at all of it every time takes minutes

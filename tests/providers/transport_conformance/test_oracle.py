"""Random answers, cut anywhere, against h11's own reading of the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import FIN, Peer, says
from roads import Road, Seen, exchange, meeting

pytestmark = pytest.mark.anyio

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12)
INTERIM = ["", "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Hints\r\nlink: a\r\n\r\n"]
FRAMING = {"content-length", "transfer-encoding", "connection", "content-encoding", "keep-alive"}


@dataclass(frozen=True)
class Written:
    """An answer on the wire, and where the writes are cut."""

    data: bytes
    ends: bool
    """Whether its end is the connection's."""
    cuts: tuple[int, ...]

    @property
    def writes(self) -> list[bytes]:
        places = sorted({0, len(self.data), *(cut % (len(self.data) + 1) for cut in self.cuts)})
        return [self.data[begin:end] for begin, end in pairwise(places)]


def oracle(written: Written) -> Seen:
    """What h11 reads; `status` is None if it refuses."""
    client, seen = h11.Connection(h11.CLIENT), Seen()
    client.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(written.data)
    client.receive_data(b"")
    try:
        while not isinstance(event := client.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
            if isinstance(event, h11.Response):
                seen.status, seen.headers = event.status_code, {}
                for name, value in event.headers:
                    key = name.decode()
                    before = [seen.headers[key]] if key in seen.headers else []
                    seen.headers[key] = ", ".join([*before, value.decode("latin-1")])
            elif isinstance(event, h11.Data):
                seen.body += event.data
    except h11.RemoteProtocolError:
        return Seen()
    return seen


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """A body in chunks of any sizes, however their sizes are spelled."""
    data, at = b"", 0
    while at < len(body):
        size = draw(st.integers(1, len(body) - at))
        spelled = draw(st.sampled_from(["%x", "%X", "%04x"])) % size
        extension = draw(st.sampled_from(["", ";a", ";a=1", ';a="b c"']))
        data += f"{spelled}{extension}\r\n".encode() + body[at : at + size] + b"\r\n"
        at += size
    trailers = draw(st.sampled_from(["", "x-check: 1\r\n", "x-check: 1\r\nx-more:\r\n"]))
    return data + f"{draw(st.sampled_from(['0', '000']))}\r\n{trailers}\r\n".encode()


@st.composite
def answers(draw: st.DrawFn) -> Written:
    status = draw(st.sampled_from([200, 200, 200, 201, 204, 304, 400, 429, 500, 599]))
    body = b"" if status in (204, 304) else draw(st.binary(max_size=60))
    how = draw(st.sampled_from(["length", "chunked", "close"])) if body else "length"
    given = draw(st.lists(st.tuples(TOKENS.filter(lambda name: name not in FRAMING), VALUES), max_size=4))
    pad = draw(st.sampled_from(["", " ", "\t ", "  "]))
    lines = [f"{name}:{pad}{value}{pad}\r\n" for name, value in given]
    if how == "length" and status != 204:
        lines.insert(draw(st.integers(0, len(lines))), f"Content-Length:{pad}{len(body)}\r\n")
    elif how == "chunked":
        lines.insert(draw(st.integers(0, len(lines))), f"Transfer-Encoding:{pad}chunked\r\n")
        body = draw(chunked(body))
    interim = draw(
        st.sampled_from(["", "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 E\r\nlink: a\r\n\r\n"])
    )
    reason = draw(st.sampled_from(["OK", "", "Not at all"]))
    head = f"{interim}HTTP/1.1 {status} {reason}\r\n{''.join(lines)}\r\n"
    cuts = draw(st.lists(st.integers(0, 10_000), max_size=4))
    return Written(head.encode() + body, how == "close", tuple(cuts))


@given(written=st.lists(answers(), min_size=1, max_size=6))
@settings(max_examples=20)
async def test_a_right_answer_is_read_as_h11_reads_it(road: Road, written: list[Written]) -> None:
    """Several over one road, so that none leaves anything to the next."""
    left = list(written)

    async def script(peer: Peer) -> None:
        ends = False
        while not ends:
            await peer.request()
            answer = left.pop(0)
            ends = answer.ends
            for data in answer.writes:
                await peer.send(data)
        peer.finish()
        await peer.gone()

    async with meeting(road, script) as (server, carrier):
        for answer in written:
            expected, seen = oracle(answer), await exchange(carrier, server.url)
            assert expected.status is not None
            assert (seen.status, seen.body, seen.error) == (expected.status, expected.body, None)
            assert seen.headers == expected.headers
        assert server.accepted <= 1 + sum(answer.ends for answer in written)


@st.composite
def damaged(draw: st.DrawFn) -> Written:
    """An answer in which a few bytes were changed, lost or added."""
    written = draw(answers())
    data = bytearray(written.data)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(data) - 1))
        odd = draw(st.sampled_from([*b"\r\n\0 \t:;,0159aA-+", 0x80, 0xFF]).map(lambda byte: bytes([byte])))
        data[at : at + draw(st.integers(0, 1))] = draw(st.sampled_from([b"", odd]))
        if not data:
            data += b"x"
    return Written(bytes(data), ends=True, cuts=written.cuts)


@given(written=damaged())
@settings(max_examples=60)
async def test_what_is_taken_for_an_answer_h11_takes_for_the_same(road: Road, written: Written) -> None:
    """A road may be stricter than h11, but never reads anything else out of the same bytes."""
    async with meeting(road, says(*written.writes, FIN)) as (server, carrier):
        seen = await exchange(carrier, server.url)
    expected = oracle(written)
    if seen.error is None:
        assert (seen.status, seen.body) == (expected.status, expected.body)
    else:
        assert seen.error.kind in ("connection", "malformed")
        assert expected.body.startswith(seen.body) or expected.status is None

"""Bodies that are packed, too large, too slow, or come to a reader who does not read."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import anyio.lowlevel
import pytest
from known_differences import unable
from raw_server import FIN, RST, SILENCE, Pause, Peer, Step, says
from roads import Answer, Failure, Outcome, Road, asking, exchange, meeting
from wire_cases import CHUNKED, END, HELLO, OK, singly, sized

pytestmark = pytest.mark.anyio

TEXT = b"All is well. " * 1000
GZIP, ZLIB = gzip.compress(TEXT, mtime=0), zlib.compress(TEXT)
LIMIT = 10_000


def packed(coding: bytes, body: bytes, *, length: int | None = None) -> bytes:
    return sized(len(body) if length is None else length, b"content-encoding: " + coding) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


BROKEN = Failure("malformed", "content-encoding is broken", got=b"")
PACKED: dict[str, tuple[bytes, Outcome]] = {
    "gzip": (packed(b"gzip", GZIP), Answer(TEXT)),
    "x-gzip": (packed(b"X-GZip", GZIP), Answer(TEXT)),
    "deflate": (packed(b"deflate", ZLIB), Answer(TEXT)),
    "identity": (packed(b"identity", TEXT), Answer(TEXT)),
    "an empty name": (packed(b"", TEXT), Answer(TEXT)),
    "gzip in chunks of a byte": (
        CHUNKED[:-2] + b"content-encoding: gzip\r\n\r\n"
        + b"".join(chunk(GZIP[n : n + 1]) for n in range(len(GZIP))) + END,
        Answer(TEXT),
    ),
    "gzip that is none": (packed(b"gzip", b"not packed at all"), BROKEN),
    "deflate that is none": (packed(b"deflate", b"not packed at all"), BROKEN),
    "gzip with a broken middle": (packed(b"gzip", GZIP[:10] + b"\xff" * 20 + GZIP[30:]), BROKEN),
    "a coding nobody asked for": (
        packed(b"br", b"abc"), Failure("malformed", "'br', which was not asked for", got=None)
    ),
    "two codings": (packed(b"gzip, gzip", GZIP), Failure("malformed", "which was not asked for", got=None)),
}  # fmt: skip


@pytest.mark.parametrize("case", PACKED)
async def test_packed_bodies_are_unpacked_or_refused(road: Road, case: str) -> None:
    answer, outcome = PACKED[case]
    async with meeting(road, says(answer)) as (server, carrier):
        (await exchange(carrier, server.url)).check(outcome)


@pytest.mark.parametrize("ending", [FIN, RST])
async def test_a_packed_body_that_is_cut_is_cut(road: Road, ending: str) -> None:
    noise = bytes(range(256)) * 4
    whole = gzip.compress(noise, mtime=0)
    steps = (packed(b"gzip", whole[:-200], length=len(whole)), Pause(0.002), ending)
    async with meeting(road, says(*steps)) as (server, carrier):
        seen = await exchange(carrier, server.url)
    assert seen.error is not None
    assert seen.error.kind == "connection"
    assert noise.startswith(seen.body)


async def test_pieces_of_a_packed_stream_come_as_they_are_sent(road: Road) -> None:
    """A packed stream of events is no use if it comes only at its end."""
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    rest = packer.compress(b"data: 2\n\n") + packer.flush()
    go_on = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED[:-2] + b"content-encoding: gzip\r\n\r\n" + chunk(first))
        await go_on.wait()
        await peer.send(chunk(rest) + END)

    async with meeting(road, script) as (server, carrier):
        async with carrier.send(asking(server.url), connect_timeout=5) as response:
            with anyio.fail_after(2):
                assert await response.read() == b"data: 1\n\n"
                go_on.set()
                assert await response.read() == b"data: 2\n\n"
                assert await response.read() == b""


async def test_events_come_as_they_are_sent(road: Road) -> None:
    turn = anyio.Event()

    async def script(peer: Peer) -> None:
        nonlocal turn
        await peer.request()
        await peer.send(CHUNKED)
        for number in range(20):
            await peer.send(chunk(b"data: %d\n\n" % number))
            await turn.wait()
            turn = anyio.Event()
        await peer.send(END)

    async with meeting(road, script) as (server, carrier):
        async with carrier.send(asking(server.url), connect_timeout=5) as response:
            with anyio.fail_after(2):
                for number in range(20):
                    assert await response.read() == b"data: %d\n\n" % number
                    turn.set()
                assert await response.read() == b""


TOO_LARGE = "larger than 10000 bytes"
SIZES: dict[str, tuple[tuple[Step, ...], Outcome]] = {
    "a length at the limit": ((sized(LIMIT), b"x" * LIMIT), Answer(b"x" * LIMIT)),
    "a length beyond it": ((sized(LIMIT + 1),), Failure("malformed", TOO_LARGE, "too_large", None)),
    "chunks at the limit": ((CHUNKED, chunk(b"x" * LIMIT), END), Answer(b"x" * LIMIT)),
    "chunks beyond it": (
        (CHUNKED, chunk(b"x" * LIMIT), Pause(0.005), chunk(b"y"), SILENCE),
        Failure("malformed", TOO_LARGE, "too_large", b"x" * LIMIT),
    ),
    "no end beyond it": (
        (OK + b"\r\n", b"x" * LIMIT, Pause(0.005), b"y", SILENCE),
        Failure("malformed", TOO_LARGE, "too_large", b"x" * LIMIT),
    ),
    "packed beyond it": (
        (packed(b"gzip", gzip.compress(b"x" * 1_000_000)), SILENCE),
        Failure("malformed", TOO_LARGE, "too_large", b""),
    ),
}


@pytest.mark.parametrize("case", SIZES)
async def test_no_more_than_the_limit_is_taken(road: Road, case: str) -> None:
    steps, outcome = SIZES[case]
    async with meeting(road, says(*steps)) as (server, carrier):
        (await exchange(carrier, server.url, max_bytes=LIMIT)).check(outcome)


async def test_a_reader_who_does_not_read_stops_the_server(road: Road) -> None:
    total, piece = 50_000_000, bytes(100_000)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(sized(total))
        for _ in range(total // len(piece)):
            await peer.send(piece)

    async with meeting(road, script) as (server, carrier):
        tracemalloc.start()
        try:
            async with carrier.send(asking(server.url), connect_timeout=5) as response:
                [peer] = server.peers
                sent = -1
                while peer.sent > sent:  # until nothing moves any more
                    sent = peer.sent
                    await anyio.sleep(0.05)
                assert sent < 20_000_000  # what the system's own buffers hold
                assert tracemalloc.get_traced_memory()[0] < 2_000_000
                tracemalloc.stop()
                got = 0
                while data := await response.read():
                    got += len(data)
                assert got == total
        finally:
            tracemalloc.stop()


async def test_a_server_that_does_not_read_stops_the_writer_and_gets_it_all_in_the_end(road: Road) -> None:
    read_on = anyio.Event()

    async def script(peer: Peer) -> None:
        await read_on.wait()
        await peer.request()
        await peer.send(sized(2) + b"ok")

    async with meeting(road, script) as (server, carrier):
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                seen = await exchange(carrier, asking(server.url, body=b"x" * 20_000_000))
                assert (seen.body, seen.error) == (b"ok", None)

            tasks.start_soon(call)
            await anyio.sleep(0.05)
            read_on.set()
        assert len(server.requests[0].partition(b"\r\n\r\n")[2]) == 20_000_000


async def test_an_answer_that_comes_before_all_was_sent_is_taken(road: Road) -> None:
    """A server may refuse a large request on its first bytes and hang up."""

    async def script(peer: Peer) -> None:
        await peer.receive()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        peer.finish()
        await peer.gone()

    async with meeting(road, script) as (server, carrier):
        seen = await exchange(carrier, asking(server.url, body=b"x" * 3_000_000))
        assert (seen.status, seen.body, seen.error) == (413, b"{}", None)


async def test_a_head_may_come_as_slowly_as_it_likes(road: Road) -> None:
    """How long that may take is the router's business: its limits cancel the wait."""
    slow = tuple(step for byte in singly(sized(5) + b"hello") for step in (byte, Pause(0.001)))
    async with meeting(road, says(*slow)) as (server, carrier):
        (await exchange(carrier, server.url)).check(Answer(b"hello"))


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (OK, b"x-more: " + b"y" * 1000 + b"\r\n"),
        (OK + b"x-long: ", b"y" * 1000),
        (b"HTTP/1.1 200 ", b"O" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40),
        (CHUNKED + HELLO + b"5;", b"x" * 1000),
        (CHUNKED + HELLO + b"0\r\n", b"x-more: " + b"y" * 1000 + b"\r\n"),
    ],
    ids=["headers", "one header", "a reason", "interim answers", "a chunk's extension", "trailers"],
)
async def test_what_never_ends_is_ended(road: Road, road_name: str, begin: bytes, again: bytes) -> None:
    if not begin and unable(road_name, "interim answers end"):
        return

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(begin)
        while peer.sent < 20_000_000:
            await peer.send(again)
            await anyio.lowlevel.checkpoint()
        raise AssertionError("all of it was taken")

    async with meeting(road, script) as (server, carrier):
        seen = await exchange(carrier, server.url)
        assert seen.error is not None
        assert seen.error.kind in ("malformed", "connection")
        with anyio.fail_after(2):
            await server.peers[0].gone()


@pytest.mark.parametrize("lines", [300, 5000])
async def test_more_headers_than_anyone_sends_are_taken_or_refused(road: Road, lines: int) -> None:
    head = sized(5, *(b"x-%d: %d" % (n, n) for n in range(lines)))
    async with meeting(road, says(head + b"hello")) as (server, carrier):
        seen = await exchange(carrier, server.url)
        if seen.error is None:
            assert (seen.body, len(seen.headers or {})) == (b"hello", lines + 1)
        else:
            assert seen.error.kind in ("malformed", "connection")

"""Faults of the connection and of HTTP itself: nothing there, hung up, silent, garbage, wrong lengths."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator

import pytest
from answer_bytes import END, body, http, opened, piece, whole
from fault_matrix import FINE, Fault, expected, outcome
from raw_server import FIN, RST, SILENCE, Pause, Peer, by_connection, says, take

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
QUICK = {"first_token": "10ms"}
GONE = f"2x a connection unknown; {FINE}"
ONCE_MORE = "a connection unknown; a ok 2+1"
BROKEN = f"a malformed 200 unknown; {FINE}"
MALFORMED = f"a malformed unknown; {FINE}"
LATE = f"2x a timeout/first_token_timeout unknown; {FINE}"
HELLO = "a ok 2+1"
BOMB = gzip.compress(b" " * 1_000_000)


def sized(length: int | str, data: bytes = b"", *lines: bytes) -> bytes:
    head = OK + b"".join(line + b"\r\n" for line in lines)
    return head + f"content-length: {length}\r\n\r\n".encode() + data


def packed(data: bytes) -> bytes:
    return sized(len(data), data, b"content-encoding: gzip")


async def stale(peer: Peer) -> None:
    """Answer once, and hang up as the next request comes: a connection kept alive for too long."""
    if peer.number:
        await says(whole())(peer)
    await peer.request()
    await take(peer, (http(500, b"{}"),))
    await peer.request()
    peer.reset()


async def without_tls(peer: Peer) -> None:
    """Refuse TLS's greeting in the words of HTTP."""
    await peer.receive()
    await take(peer, (b"HTTP/1.1 400 Bad Request\r\n\r\n", FIN))


async def dripping(peer: Peer) -> None:
    """A header that goes on byte by byte and never ends."""
    await peer.request()
    await peer.send(OK + b"x-slow: ")
    while True:
        await take(peer, (b"y", Pause(0.005)))


async def endless(peer: Peer) -> None:
    """A body that never ends."""
    await peer.request()
    await peer.send(OK + b"transfer-encoding: chunked\r\n\r\n")
    while True:
        await peer.send(piece(b" " * 8192))


async def interim_forever(peer: Peer) -> None:
    """Answers before the answer, without end."""
    await peer.request()
    for _ in range(200):
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
    await peer.gone()


FAULTS = {
    "refused": Fault(
        None, f"2x a connection/connect_failed free; {FINE}", requests=0, tells="no connection to the server"
    ),
    "FIN before anything": Fault((FIN,), GONE, tells="hung up before its answer was complete"),
    "reset before anything": Fault((RST,), GONE, tells="the connection broke"),
    "FIN within the status line": Fault((b"HTTP/1.1 20", FIN), GONE),
    "FIN within the headers": Fault((OK, FIN), GONE),
    "reset within the headers": Fault((OK + b"x-more: ", RST), GONE),
    "FIN after the headers": Fault((sized(200), FIN), GONE),
    "reset after the headers": Fault((sized(200), RST), GONE),
    "FIN in the middle of a body": Fault((sized(400, body()[:60]), FIN), GONE),
    "reset in the middle of a body": Fault((sized(400, body()[:60]), RST), GONE),
    "FIN once, then well": Fault(by_connection(says(FIN), says(whole())), ONCE_MORE),
    "no answer": Fault((SILENCE,), LATE, limits=QUICK, tells="no answer began within 0.01 s"),
    "silence after the headers": Fault((sized(200), SILENCE), LATE, limits=QUICK),
    "silence at byte 60 of a body": Fault((sized(400, body()[:60]), SILENCE), LATE, limits=QUICK),
    "headers that drip without end": Fault(dripping, LATE, limits=QUICK),
    "an attempt's limit": Fault(
        (SILENCE,), f"2x a timeout/attempt_timeout unknown; {FINE}", limits={"attempt": "10ms"}
    ),
    "slow headers, but in time": Fault((Pause(0.01), whole()), HELLO),
    "headers byte by byte": Fault(
        tuple(whole()[at : at + 1] for at in range(len(whole()))), HELLO
    ),
    "a connection kept alive for too long": Fault(
        stale, "a server 500 unknown; a ok 2+1", requests=3
    ),
    "close after the answer": Fault((whole(), FIN), HELLO),
    "reset after the answer": Fault((whole(), RST), HELLO),
    "connection: close": Fault(
        (sized(len(body()), body(), b"connection: close"), FIN), HELLO
    ),
    "HTTP/1.0 and no length": Fault((b"HTTP/1.0 200 OK\r\n\r\n" + body(), FIN), HELLO),
    "a second answer behind the first": Fault((whole() + whole("again"),), HELLO),
    "interim answers first": Fault(
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + whole(),),
        HELLO,
    ),
    "nothing but interim answers": Fault(interim_forever, MALFORMED, tells="never comes to the point"),
    "101 that changes protocols": Fault(
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n", SILENCE), MALFORMED
    ),
    "a server without TLS": Fault(
        without_tls, f"2x a connection/connect_failed free; {FINE}", scheme="https", requests=0
    ),
    "another protocol": Fault((b"SSH-2.0-OpenSSH_9.9\r\n\r\n", SILENCE), MALFORMED, tells="not proper HTTP"),
    "HTTP/2 unasked": Fault((b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64\r\n\r\n", SILENCE), MALFORMED),
    "a status that is no number": Fault((b"HTTP/1.1 OK 200\r\n\r\n", SILENCE), MALFORMED),
    "a header without a colon": Fault((OK + b"nonsense\r\n\r\n", SILENCE), MALFORMED),
    "a huge header": Fault((OK + b"x-huge: " + b"y" * 400_000 + b"\r\n\r\n", SILENCE), MALFORMED),
    "a length that is too long": Fault((sized(len(body()) + 10, body()), FIN), GONE),
    "a length that is too short": Fault((sized(20, body()), FIN), MALFORMED, tells="not JSON"),
    "a length that is no number": Fault((sized("-5", body()), SILENCE), MALFORMED),
    "two lengths": Fault((sized(5, body(), b"content-length: 10"), SILENCE), MALFORMED),
    "a length and chunks": Fault(
        (OK + b"content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n" + piece(body()) + END, SILENCE),
        MALFORMED,
    ),
    "a chunk's size that is garbage": Fault((opened() + b"zz\r\n", SILENCE), BROKEN),
    "a chunk longer than its size": Fault((opened() + b"3\r\nabcdef\r\n0\r\n\r\n", SILENCE), BROKEN),
    "chunks cut within one": Fault((opened() + b"ffff\r\n" + body(), FIN), GONE),
    "chunks without their end": Fault((opened(kind=b"application/json") + piece(body()), FIN), GONE),
    "gzip": Fault((packed(gzip.compress(body())),), HELLO),
    "gzip that is broken": Fault((packed(b"\x1f\x8b garbage"),), BROKEN, tells="content-encoding is broken"),
    "gzip cut short": Fault((packed(gzip.compress(body())[:-20]),), MALFORMED),
    "gzip that grows beyond the limit": Fault(
        (packed(BOMB),), f"a malformed/too_large 200 unknown; {FINE}", tells="larger than 65536 bytes"
    ),
    "a coding that nobody asked for": Fault(
        (sized(4, b"\0\1\2\3", b"content-encoding: br"),), BROKEN, tells="was not asked for"
    ),
    "a length beyond the limit": Fault((sized(10**9), SILENCE), f"a malformed/too_large 200 unknown; {FINE}"),
    "a body without end": Fault(endless, f"a malformed/too_large 200 unknown; {FINE}"),
    "deadline, with a target to come": Fault(
        (SILENCE,), f"a timeout/deadline_share unknown; {FINE}", deadline="400ms",
        alone="",  # which takes all of it, and is tested elsewhere
    ),
}  # fmt: skip


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
@pytest.mark.parametrize("name", FAULTS)
async def test_fault(name: str, streaming: bool) -> None:
    fault = FAULTS[name]
    assert await outcome(fault, streaming=streaming) == expected(fault, streaming=streaming)


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a server whose queue is full, so that the system leaves a greeting unanswered."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
async def test_nobody_answers_the_greeting(deaf: int, streaming: bool) -> None:
    fault = Fault(deaf, f"2x a timeout/connect_timeout free; {FINE}", limits={"connect": "10ms"}, requests=0)
    assert await outcome(fault, streaming=streaming) == expected(fault, streaming=streaming)

"""What an exchange may have to wait for: a server that lets it, by what is waited for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from raw_server import SILENCE, Peer, Script, says
from wire_cases import CHUNKED, HELLO, OK, sized

FINE = sized(5) + b"hello"
"""An answer that needs no waiting."""


async def nothing(peer: Peer) -> None:
    """Accept, and never read a byte."""
    await anyio.sleep_forever()


WAITS: dict[str, tuple[Script, bytes]] = {
    "for room to write": (nothing, b"x" * 20_000_000),
    "for the head": (says(SILENCE), b"{}"),
    "for the rest of the head": (says(OK, SILENCE), b"{}"),
    "for what comes after a 100": (says(b"HTTP/1.1 100 Continue\r\n\r\n", SILENCE), b"{}"),
    "for the body": (says(sized(5), SILENCE), b"{}"),
    "for the rest of the body": (says(sized(9) + b"hello", SILENCE), b"{}"),
    "for a chunk": (says(CHUNKED + HELLO, SILENCE), b"{}"),
    "for the rest of a chunk": (says(CHUNKED + b"9\r\nhello", SILENCE), b"{}"),
    "for the last chunk's end": (says(CHUNKED + HELLO + b"0\r\n", SILENCE), b"{}"),
    "for the server to close": (says(OK + b"\r\nhello", SILENCE), b"{}"),
}
"""The server's script, and the body of the request."""


@contextmanager
def deaf() -> Iterator[str]:
    """The address of a server whose queue is full, so that connecting to it takes for ever."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as server,
        socket.socket() as one,
        socket.socket() as two,
    ):
        for filler in (one, two):
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"

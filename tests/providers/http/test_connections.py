"""Sockets and TLS by themselves: what is there, what fits, what is left over."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import anyio
import anyio.lowlevel
import pytest
from scripted_connection import Scripted

from turnout.providers.http.connection import Plain, Secured

pytestmark = pytest.mark.anyio


@pytest.fixture
def pair() -> Iterator[tuple[Plain, socket.socket]]:
    """A connection and its other end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield Plain(ours), theirs
    ours.close()
    theirs.close()


async def test_what_is_there_is_seen_at_once(pair: tuple[Plain, socket.socket]) -> None:
    connection, theirs = pair
    theirs.send(b"a")
    assert await connection.receive() == b"a"
    assert connection.received() is None
    assert connection.is_quiet()
    theirs.send(b"b")
    assert not connection.is_quiet()
    assert connection.received() == b"b"
    theirs.close()
    assert not connection.is_quiet()
    assert await connection.receive() == b""
    connection.close()
    assert not connection.is_quiet()


async def test_what_does_not_fit_is_sent_later(pair: tuple[Plain, socket.socket]) -> None:
    connection, theirs = pair
    theirs.setblocking(False)
    data = bytes(range(256)) * 8192
    left = connection.write(data)
    assert 0 < len(left) < len(data)
    assert connection.write(b"more") == b"more"
    got = b""

    async def read() -> None:
        nonlocal got
        while len(got) < len(data):
            await anyio.wait_readable(theirs)
            got += theirs.recv(65536)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await connection.flush(left)
    assert got == data


async def test_a_full_buffer_is_followed_by_the_next_and_other_tasks_have_their_turn(
    pair: tuple[Plain, socket.socket],
) -> None:
    connection, theirs = pair
    theirs.send(b"x" * 65536)
    assert len(await connection.receive()) == 65536

    async def later() -> None:
        await anyio.sleep(0.005)
        theirs.send(b"y")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(later)
        assert await connection.receive() == b"y"

    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        for _ in range(100):
            theirs.send(b"z" * 65536)
            assert len(await connection.receive()) == 65536
        tasks.cancel_scope.cancel()
    assert turns >= 10


async def test_what_tls_has_to_say_for_itself_goes_out_before_waiting() -> None:
    inner = Scripted([])
    connection = Secured(inner, ssl.create_default_context(), "a.test")
    connection._outgoing.write(b"new keys")
    assert await connection.receive() == b""
    assert inner.sent == b"new keys"


async def test_the_end_of_the_line_is_the_end_of_tls_on_it() -> None:
    inner = Scripted([b"", ConnectionResetError(104, "Connection reset by peer")])
    connection = Secured(inner, ssl.create_default_context(), "a.test")
    inner.quiet = False
    assert not connection.is_quiet()
    assert not connection.is_quiet()
    connection.close()
    assert inner.closed

"""Sockets that asyncio watches: the same bytes as any other, and nothing read that nobody waits for."""

from __future__ import annotations

import asyncio  # noqa: TID251 - what is tested stands on asyncio alone
import gc
import socket
from collections.abc import Iterator
from time import monotonic

import anyio
import anyio.lowlevel
import pytest

from turnout.providers.http.watched import Watched
from turnout.providers.timekeeping import TimeUpError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Nothing else has such connections."""
    return "asyncio"


@pytest.fixture
def pair() -> Iterator[tuple[Watched, socket.socket]]:
    """A connection and its other end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection = Watched(ours)
    yield connection, theirs
    connection.close()
    theirs.close()


def watched(connection: Watched) -> bool:
    return connection._loop is not None


async def test_it_stays_registered_from_one_wait_to_the_next(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair
    for word in (b"one", b"two", b"three"):
        asyncio.get_running_loop().call_later(0.001, theirs.send, word)
        assert await connection.receive() == word
        assert watched(connection)
        await anyio.sleep(0.005)
        assert connection.is_quiet()


async def test_what_nobody_waits_for_stays_in_the_socket(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair
    theirs.send(b"first")
    assert await connection.receive() == b"first"
    theirs.send(b"later")
    await anyio.sleep(0.01)
    assert not watched(connection)
    assert not connection.is_quiet()
    assert theirs.send(b"and more") == 8
    assert await connection.receive() == b"laterand more"


async def test_bytes_that_came_as_their_reader_was_cancelled_are_there_for_the_next(
    pair: tuple[Watched, socket.socket],
) -> None:
    connection, theirs = pair
    reader = asyncio.ensure_future(connection.receive())
    await anyio.sleep(0.001)
    theirs.send(b"late")
    connection.readable()  # as the loop would
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert not connection.is_quiet()
    assert connection.received() == b"late"
    assert connection.received() is None


async def test_what_a_cancelled_reader_left_is_read_first(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair
    reader = asyncio.ensure_future(connection.receive())
    await anyio.sleep(0.001)
    theirs.send(b"a")
    connection.readable()
    reader.cancel()
    await asyncio.wait([reader])
    theirs.send(b"b")
    assert [await connection.receive(), await connection.receive()] == [b"a", b"b"]


async def test_the_end_and_an_error_are_told_to_the_reader(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair
    asyncio.get_running_loop().call_later(0.001, theirs.close)
    assert await connection.receive() == b""

    class Broken:
        def fileno(self) -> int:
            return -1

        def recv(self, _size: int) -> bytes:
            raise ConnectionResetError(104, "Connection reset by peer")

        def close(self) -> None: ...

    reader = asyncio.ensure_future(connection.receive())
    await anyio.lowlevel.checkpoint()
    connection._socket, kept = Broken(), connection._socket  # type: ignore[assignment]  # all it asks of one
    connection.readable()
    with pytest.raises(ConnectionResetError):
        await reader
    connection._socket = kept


async def test_a_call_in_vain_changes_nothing(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair
    reader = asyncio.ensure_future(connection.receive())
    await anyio.lowlevel.checkpoint()
    connection.readable()  # nothing is there
    theirs.send(b"x")
    assert await reader == b"x"


def test_an_idle_connection_serves_the_next_loop(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair

    async def exchange() -> bytes:
        theirs.send(b"answer")
        return await connection.receive()

    assert asyncio.run(exchange()) == b"answer"
    assert connection.is_quiet()
    assert asyncio.run(exchange()) == b"answer"


async def test_the_loop_does_not_keep_alive_what_nobody_holds() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection = Watched(ours)
    theirs.send(b"x")
    assert await connection.receive() == b"x"
    number = ours.fileno()
    del connection
    gc.collect()
    ours.close()
    theirs.close()
    assert not asyncio.get_running_loop().remove_reader(number)


async def test_a_wait_ends_with_its_time(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair
    begun = monotonic()
    with pytest.raises(TimeUpError):
        await connection.receive(0.02)
    assert 0.019 < monotonic() - begun < 0.5
    theirs.send(b"after all")
    assert await connection.receive(1) == b"after all"


async def test_an_alarm_that_rings_early_is_set_anew(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair
    theirs.send(b"soon")
    assert await connection.receive(0.01) == b"soon"  # its alarm stays
    asyncio.get_running_loop().call_later(0.03, theirs.send, b"later")
    assert await connection.receive(0.5) == b"later"
    begun = monotonic()
    with pytest.raises(TimeUpError):
        await connection.receive(0.02)
    assert 0.019 < monotonic() - begun < 0.3


async def test_one_alarm_serves_for_many_waits(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair
    theirs.send(b"x")
    await connection.receive(10)
    alarm = connection._alarm
    for _ in range(3):
        theirs.send(b"x")
        await connection.receive(10)
    assert connection._alarm is alarm is not None
    connection.close()
    assert alarm.cancelled()


async def test_a_wait_may_be_cut_short_if_it_has_a_time(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair
    assert not connection.cut()
    asyncio.get_running_loop().call_later(0.01, connection.cut)
    with pytest.raises(TimeUpError):
        await connection.receive(10)
    assert not connection.cut()
    theirs.send(b"x")
    assert await connection.receive() == b"x"


async def test_bytes_that_come_before_the_cut_is_seen_stay_in_the_socket(
    pair: tuple[Watched, socket.socket],
) -> None:
    connection, theirs = pair
    reader = asyncio.ensure_future(connection.receive(10))
    await anyio.lowlevel.checkpoint()
    assert connection.cut()
    theirs.send(b"x")
    connection.readable()
    with pytest.raises(TimeUpError):
        await reader
    assert await connection.receive() == b"x"


def test_an_alarm_ends_with_its_loop(pair: tuple[Watched, socket.socket]) -> None:
    connection, theirs = pair

    async def exchange() -> bytes:
        theirs.send(b"answer")
        return await connection.receive(0.05)

    async def silence() -> None:
        with pytest.raises(TimeUpError):
            await connection.receive(0.05)

    assert asyncio.run(exchange()) == b"answer"
    asyncio.run(silence())

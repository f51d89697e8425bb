"""The simulator's side of a connection: crowds at the door, clients that reset, clients that do not read."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from turnout.testing.listening import Line, Listener

pytestmark = pytest.mark.anyio

Handle = Callable[[Line], Coroutine[Any, Any, None]]


@asynccontextmanager
async def listening(handle: Handle) -> AsyncIterator[int]:
    """The port where every connection is handled so."""
    listener = Listener("127.0.0.1", 0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, handle, tasks)
            yield listener.port
            tasks.cancel_scope.cancel()
    finally:
        listener.close()


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(3):
        while not holds():
            await anyio.sleep(0.001)


async def test_a_crowd_is_let_in_at_once() -> None:
    inside: list[Line] = []

    async def handle(line: Line) -> None:
        inside.append(line)

    async with listening(handle) as port:
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        await until(lambda: len(inside) == 200)
        for client, line in zip(clients, inside, strict=True):
            client.close()
            line.close()


async def test_a_client_that_leaves_and_one_that_resets() -> None:
    ends: list[str] = []

    async def handle(line: Line) -> None:
        try:
            while await line.receive():
                pass
        except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
            ends.append(type(error).__name__)
        line.close()

    async with listening(handle) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.send(b"hello")
        await until(lambda: len(ends) == 1)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await until(lambda: len(ends) == 2)
    assert ends == ["EndOfStream", "BrokenResourceError"]


async def test_a_client_that_reads_late_gets_all_of_it() -> None:
    whole = b"x" * 20_000_000  # more than the system holds for somebody who does not read
    sent = anyio.Event()

    async def handle(line: Line) -> None:
        await line.send(whole)
        sent.set()
        line.close()

    got = 0
    async with listening(handle) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            await anyio.sleep(0.01)
            assert not sent.is_set()
            client.setblocking(False)
            while True:
                await anyio.wait_readable(client)
                if not (data := client.recv(1 << 20)):
                    break
                got += len(data)
    assert got == len(whole)


async def test_writing_to_a_client_that_is_gone() -> None:
    gone, ends = anyio.Event(), []

    async def handle(line: Line) -> None:
        await gone.wait()
        try:
            while True:
                await line.send(b"x" * 65536)
                await anyio.lowlevel.checkpoint()
        except anyio.BrokenResourceError:
            ends.append("broken")
        line.close()

    async with listening(handle) as port:
        socket.create_connection(("127.0.0.1", port)).close()
        gone.set()
        await until(lambda: bool(ends))


async def test_an_address_that_is_taken() -> None:
    first = Listener("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        Listener("127.0.0.1", first.port)
    first.close()

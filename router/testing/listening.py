"""Where the simulator listens: it takes as many connections at once as have come.

anyio's own listener takes one connection in several turns of the event loop. In a program with hundreds of
busy tasks a crowd of new connections would wait for seconds to be let in, and count as silence.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import anyio
from anyio.abc import TaskGroup

_PIECE = 65536
_WAITING = 1024  # connections that the system keeps while nobody takes them


class Line:
    """One accepted connection: bytes in, bytes out."""

    def __init__(self, accepted: socket.socket) -> None:
        self._socket = accepted

    async def receive(self) -> bytes:
        """Some bytes; anyio.EndOfStream at their end, BrokenResourceError where the connection broke."""
        while True:
            await anyio.wait_readable(self._socket)
            try:
                data = self._socket.recv(_PIECE)
            except BlockingIOError:
                continue
            except OSError as error:
                raise anyio.BrokenResourceError from error
            if not data:
                raise anyio.EndOfStream
            return data

    async def send(self, data: bytes) -> None:
        """Write all of it; BrokenResourceError where the connection broke."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
            except OSError as error:
                raise anyio.BrokenResourceError from error

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


class Listener:
    """A bound socket; OSError where the address cannot be had."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=_WAITING)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        """The port, where any free one was asked for too."""

    async def serve(self, handle: Callable[[Line], Coroutine[Any, Any, None]], tasks: TaskGroup) -> None:
        """Start a task for every connection, until cancelled."""
        while True:
            await anyio.wait_readable(self._socket)
            with suppress(BlockingIOError):
                while True:
                    with suppress(ConnectionError):  # it came and went
                        accepted, _ = self._socket.accept()
                        accepted.setblocking(False)
                        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        tasks.start_soon(handle, Line(accepted))

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

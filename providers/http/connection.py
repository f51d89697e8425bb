"""Connections: a socket of the operating system, and TLS over one.

Nothing is registered with an event loop but while a task waits, so an idle connection belongs to no loop and
may serve the next one; nothing is read ahead, so a reader who stops stops the server. Waiting is anyio's;
asyncio has a cheaper way, in `watched`.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Protocol

import anyio

from ..timekeeping import TimeUpError

MOST = 64 * 1024  # bytes taken off a socket at once
IN_A_ROW = 8  # times that a socket is read without letting other tasks run


class Connection(Protocol):
    """Bytes to a server and back. Errors are OSError, of which ssl.SSLError is one."""

    idle_since: float
    """When it was last put aside, by the pool's clock."""

    def write(self, data: bytes) -> bytes | memoryview:
        """Send what can be sent at once; what is left is for `flush`."""
        ...

    async def flush(self, data: bytes | memoryview) -> None:
        """Send what `write` left."""
        ...

    async def receive(self, within: float = inf) -> bytes:
        """Some bytes, none at the end; TimeUpError if nothing comes within so many seconds."""
        ...

    def cut(self) -> bool:
        """Have a `receive` that has a time and goes on raise TimeUpError now; whether one does."""
        ...

    def received(self) -> bytes | None:
        """What is there without waiting; None if nothing is, no bytes at the end."""
        ...

    def is_quiet(self) -> bool:
        """Whether the server has neither hung up nor said anything since it was last read."""
        ...

    def close(self) -> None:
        """Let go of it, at once."""
        ...


class Plain:
    """A connected, non-blocking socket."""

    __slots__ = ("_fd", "_row", "_scope", "_socket", "idle_since")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._fd = connected.fileno()
        self._row = 0  # how often more is likely to be there already
        self._scope: anyio.CancelScope | None = None  # around a wait that has a time
        self.idle_since = 0.0

    def write(self, data: bytes) -> bytes | memoryview:
        """See `Connection.write`."""
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return data
        return b"" if sent == len(data) else memoryview(data)[sent:]

    async def flush(self, data: bytes | memoryview) -> None:
        """See `Connection.flush`."""
        while data:
            await anyio.wait_writable(self._fd)
            with suppress(BlockingIOError, InterruptedError):
                data = memoryview(data)[self._socket.send(data) :]

    async def receive(self, within: float = inf) -> bytes:
        """See `Connection.receive`."""
        if within == inf:
            return await self._received()
        try:
            with anyio.move_on_after(within) as self._scope:
                return await self._received()
        finally:
            self._scope = None
        raise TimeUpError

    def cut(self) -> bool:
        """See `Connection.cut`."""
        if self._scope is None:
            return False
        self._scope.cancel()
        return True

    async def _received(self) -> bytes:
        while True:
            row = self._row
            if row:  # a full buffer was read, so the next is likely there
                self._row = row - 1
            else:
                await anyio.wait_readable(self._fd)
            try:
                data = self._socket.recv(MOST)
            except (BlockingIOError, InterruptedError):
                self._row = 0
                continue
            if len(data) < MOST:
                self._row = 0
            elif not row:
                self._row = IN_A_ROW
            return data

    def received(self) -> bytes | None:
        """See `Connection.received`."""
        try:
            return self._socket.recv(MOST)
        except (BlockingIOError, InterruptedError):
            return None

    def is_quiet(self) -> bool:
        """See `Connection.is_quiet`."""
        self._row = 0
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """See `Connection.close`."""
        self._socket.close()


class Secured:
    """TLS over another connection, TLS of its own perhaps."""

    __slots__ = ("_incoming", "_inner", "_outgoing", "_tls", "idle_since")

    def __init__(self, inner: Connection, context: ssl.SSLContext, name: str) -> None:
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.idle_since = 0.0

    async def shake_hands(self) -> None:
        """Agree with the server on keys, and check that it is who it says."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._send_pending()
            except ssl.SSLError:
                with suppress(OSError):  # the server may be told why, if that takes no time
                    self._inner.write(self._outgoing.read())
                raise
            else:
                return await self._send_pending()
            if not (data := await self._inner.receive()):
                raise ConnectionAbortedError  # with no words of its own
            self._incoming.write(data)

    def write(self, data: bytes) -> bytes | memoryview:
        """See `Connection.write`."""
        self._tls.write(data)
        return self._inner.write(self._outgoing.read())

    async def flush(self, data: bytes | memoryview) -> None:
        """See `Connection.flush`."""
        await self._inner.flush(data)

    async def receive(self, within: float = inf) -> bytes:
        """See `Connection.receive`."""
        ends_at = monotonic() + within
        while True:
            if self._incoming.pending and (found := self._opened()) is not None:
                return found
            if self._outgoing.pending:  # TLS's own answers, such as to new keys
                await self._send_pending()
            if not (data := await self._inner.receive(ends_at - monotonic())):
                return b""  # that TLS was not ended properly shows nowhere else either
            self._incoming.write(data)

    def cut(self) -> bool:
        """See `Connection.cut`."""
        return self._inner.cut()

    def received(self) -> bytes | None:
        """See `Connection.received`."""
        data = self._inner.received()
        if data == b"":
            return data
        if data is not None:
            self._incoming.write(data)
        return self._opened()

    def is_quiet(self) -> bool:
        """See `Connection.is_quiet`: tickets for a next session are no noise."""
        try:
            if not self._incoming.pending and self._inner.is_quiet():
                return True
            return self.received() is None
        except OSError:
            return False

    def close(self) -> None:
        """See `Connection.close`: the server is told, if that takes no time."""
        with suppress(OSError):
            self._tls.unwrap()
        with suppress(OSError):
            self._inner.write(self._outgoing.read())
        self._inner.close()

    def _opened(self) -> bytes | None:
        """The next bytes that can be read of what has come, none at the end; None if more must come first."""
        try:
            return self._tls.read(MOST)
        except ssl.SSLWantReadError:
            return None

    async def _send_pending(self) -> None:
        if self._outgoing.pending and (left := self._inner.write(self._outgoing.read())):
            await self._inner.flush(left)

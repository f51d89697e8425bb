"""A server on bare sockets that does to each connection what a script says, byte by byte.

It writes exactly those bytes, pauses, closes (FIN) or resets, and keeps what it got. Leaving the context
cancels the scripts and then waits until the client has let go of every connection that is still open: a
transport that leaves one behind fails there.
"""

from __future__ import annotations

import gc
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio

_LINGER_ZERO = struct.pack("ii", 1, 0)
_AT_ONCE = 0.3  # seconds after which the garbage collector has to help
_LET_GO = 3.0  # seconds a client has to close what it no longer needs
_PIECE = 65536


class GoneError(Exception):
    """The client closed or reset its side."""


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.number = number
        """From 0, in the order of being accepted."""
        self.got = bytearray()
        """Every byte the client sent, TLS undone."""
        self.sent = 0
        """Bytes the system took from us."""
        self.requests: list[bytes] = []
        self.taken = 0
        """Steps of the script that were taken, or begun where they wait for the client to leave."""
        self.server_name: str | None = None
        """What the client asked for in its TLS greeting."""
        self.reset_by_client = False
        self._sock = sock
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._unread = bytearray()

    @property
    def open(self) -> bool:
        return self._sock.fileno() != -1

    async def handshake(self, context: ssl.SSLContext) -> None:
        """Become a TLS server; ssl.SSLError where the client refuses."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        await self._pumped(self._tls.do_handshake)

    async def receive(self) -> bytes:
        """The next bytes; GoneError at their end."""
        try:
            if self._tls is None:
                data = await self._raw_receive()
            else:
                data = await self._pumped(lambda: self._tls.read(_PIECE) if self._tls else b"")
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            data = b""
        if not data:
            raise GoneError
        self.got += data
        return data

    async def request(self) -> bytes:
        """One whole request, head and body; GoneError where none comes."""
        while (end := self._unread.find(b"\r\n\r\n")) < 0:
            self._unread += await self.receive()
        length = 0
        for line in bytes(self._unread[:end]).split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        whole = end + 4 + length
        while len(self._unread) < whole:
            self._unread += await self.receive()
        request = bytes(self._unread[:whole])
        del self._unread[:whole]
        self.requests.append(request)
        return request

    async def send(self, data: bytes) -> None:
        """Write; GoneError where the client no longer listens."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        await self._raw_send(data)

    async def gone(self) -> None:
        """Wait until the client closes its side."""
        with suppress(GoneError):
            while True:
                await self.receive()

    async def say_goodbye(self) -> None:
        """Send TLS's own goodbye (close_notify), without waiting for the other's."""
        if self._tls is not None:
            with suppress(ssl.SSLError):
                self._tls.unwrap()
            await self._raw_send(self._outgoing.read())

    def finish(self) -> None:
        """Send FIN; the client may still send."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Send RST and forget the connection."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.close()

    def close(self) -> None:
        self._sock.close()

    async def _pumped(self, step: Callable[[], bytes | None]) -> bytes:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._raw_send(self._outgoing.read())
                data = await self._raw_receive()
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                with suppress(GoneError):
                    await self._raw_send(self._outgoing.read())  # the alert
                raise
            else:
                await self._raw_send(self._outgoing.read())
                return result or b""

    async def _raw_receive(self) -> bytes:
        while True:
            try:
                return self._sock.recv(_PIECE)
            except BlockingIOError:
                await anyio.wait_readable(self._sock)
            except OSError:
                self.reset_by_client = True
                raise GoneError from None

    async def _raw_send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                taken = self._sock.send(view)
            except BlockingIOError:
                await anyio.wait_writable(self._sock)
            except OSError:
                raise GoneError from None
            else:
                self.sent += taken
                view = view[taken:]


Script = Callable[[Peer], Awaitable[None]]


@dataclass(frozen=True)
class Pause:
    """Seconds of silence."""

    seconds: float


FIN, RST, SILENCE = "fin", "rst", "silence"
Step = bytes | Pause | str
"""Bytes to write, a pause, FIN, RST, or silence until the client leaves."""


def says(*steps: Step) -> Script:
    """Read a request and take the steps, again and again until one of them ends the connection."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            if await take(peer, steps):
                return

    return script


def by_turns(*turns: Sequence[Step]) -> Script:
    """Read a request and take one turn's steps; the last turn is repeated."""

    async def script(peer: Peer) -> None:
        left = list(turns)
        while True:
            await peer.request()
            if await take(peer, left.pop(0) if len(left) > 1 else left[0]):
                return

    return script


def by_connection(*scripts: Script) -> Script:
    """Treat the first connection so, the second so; the last script is repeated."""

    async def script(peer: Peer) -> None:
        await scripts[min(peer.number, len(scripts) - 1)](peer)

    return script


def over_tls(context: ssl.SSLContext, script: Script) -> Script:
    """Shake hands first; a handshake that fails ends the connection."""

    async def wrapped(peer: Peer) -> None:
        def asked(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
            peer.server_name = name

        context.sni_callback = asked
        with suppress(ssl.SSLError):
            await peer.handshake(context)
            await script(peer)

    return wrapped


async def take(peer: Peer, steps: Sequence[Step]) -> bool:
    """Take the steps; whether the connection has ended with them."""
    for step in steps:
        if isinstance(step, bytes):
            await peer.send(step)
        elif isinstance(step, Pause):
            await anyio.sleep(step.seconds)
        elif step == RST:
            peer.reset()
        elif step == FIN:
            peer.finish()
        peer.taken += 1
        if isinstance(step, str):
            if peer.open:
                await peer.gone()
            return True
    return False


@dataclass
class RawServer:
    """A running server."""

    port: int
    host: str = "127.0.0.1"
    scheme: str = "http"
    peers: list[Peer] = field(default_factory=list)
    """Every connection that was accepted, open or not."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def accepted(self) -> int:
        return len(self.peers)

    @property
    def open(self) -> int:
        return sum(peer.open for peer in self.peers)

    @property
    def requests(self) -> list[bytes]:
        return [request for peer in self.peers for request in peer.requests]

    async def until(self, holds: Callable[[RawServer], bool]) -> None:
        """Wait until something is so."""
        with anyio.fail_after(_LET_GO):
            while not holds(self):
                await anyio.sleep(0.001)


@asynccontextmanager
async def raw_server(
    script: Script, *, host: str = "127.0.0.1", scheme: str = "http"
) -> AsyncIterator[RawServer]:
    """A server that treats every connection by the script."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=1024) as listener:
        listener.setblocking(False)
        server = RawServer(listener.getsockname()[1], host, scheme)

        async def converse(peer: Peer) -> None:
            try:
                with suppress(GoneError):
                    await script(peer)
                peer.close()
            except anyio.get_cancelled_exc_class():
                raise  # still open: leaving the server looks whether the client lets go
            except BaseException:
                peer.close()
                raise

        async def accept() -> None:
            while True:
                await anyio.wait_readable(listener)
                with suppress(BlockingIOError, ConnectionError):
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    server.peers.append(Peer(sock, len(server.peers)))
                    tasks.start_soon(converse, server.peers[-1])

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(accept)
                yield server
                tasks.cancel_scope.cancel()
            with anyio.move_on_after(_AT_ONCE) as scope:
                await _let_go(server.peers)
            if scope.cancelled_caught:
                gc.collect()  # closes what only it can close, which warns
                with anyio.fail_after(_LET_GO):
                    await _let_go(server.peers)
        finally:
            for peer in server.peers:
                peer.close()


async def _let_go(peers: Sequence[Peer]) -> None:
    """Wait for the client's FIN or RST on every open connection, whatever it still sends before."""
    for peer in peers:
        if peer.open:
            peer.finish()
            with suppress(GoneError):
                while await peer._raw_receive():
                    pass

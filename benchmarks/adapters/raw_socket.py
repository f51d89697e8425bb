"""A bare asyncio protocol that trusts the server in everything: no client, but the limit of one."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from . import Client, Task, plain


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport: Any = transport
        self.pieces: list[bytes] = []
        self.arrival: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Keep what came, and wake who waits for it."""
        self.pieces.append(data)
        if self.arrival is not None and not self.arrival.done():
            self.arrival.set_result(None)

    async def more(self) -> bytes:
        """What came by now, at least a byte."""
        if not self.pieces:
            self.arrival = asyncio.get_running_loop().create_future()
            await self.arrival
        data = b"".join(self.pieces)
        self.pieces.clear()
        return data


class Socket:
    """Just enough HTTP for the stand-in."""

    def __init__(self, task: Task) -> None:
        self._address = urlsplit(task.url)
        self._context = ssl.create_default_context() if self._address.scheme == "https" else None
        self._idle: list[Connection] = []
        self._first = self._head(task.url, task.key)
        self._second = self._head(task.backup, task.key) if task.backup else b""

    @staticmethod
    def _head(url: str, key: str) -> bytes:
        """The lines before a body, but for its length."""
        address = urlsplit(url)
        return (
            f"POST {address.path}{plain.PATH} HTTP/1.1\r\nhost: {address.netloc}\r\n"
            f"authorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: "
        ).encode()

    async def _ask(self, head: bytes, *, stream: bool = False) -> Connection:
        if self._idle:
            connection = self._idle.pop()
        else:
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, self._address.hostname or "", self._address.port or 443, ssl=self._context
            )
        body = json.dumps(plain.body(stream=stream)).encode()
        connection.transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        return connection

    async def _whole(self, head: bytes) -> tuple[int, bytes]:
        connection = await self._ask(head)
        data = await connection.more()
        while (begin := data.find(b"\r\n\r\n") + 4) < 4:
            data += await connection.more()
        at = data.index(b"content-length: ", 0, begin) + 16
        length = int(data[at : data.index(b"\r", at)])
        while len(data) < begin + length:
            data += await connection.more()
        self._idle.append(connection)
        return int(data[9:12]), data[begin:]

    async def complete(self) -> str:
        """See Client."""
        status, answer = await self._whole(self._first)
        if self._second and plain.refused(status):
            status, answer = await self._whole(self._second)
        if status != 200:
            raise ConnectionError(f"the answer was {status}")
        return plain.text_of(answer)

    async def stream(self) -> int:
        """See Client."""
        connection = await self._ask(self._first, stream=True)
        data = await connection.more()
        while (at := data.find(b"\r\n\r\n") + 4) < 4:
            data += await connection.more()
        texts, events = 0, plain.Events()
        while True:
            size, parts = -1, []
            while (line := data.find(b"\r\n", at)) >= 0:
                size = int(data[at:line], 16)
                end = line + size + 4
                if not size or len(data) < end:
                    break
                parts.append(data[line + 2 : end - 2])
                at = end
            texts += events.texts_in(b"".join(parts))
            if not size and data.endswith(b"\r\n\r\n"):
                break
            data, at = data[at:] + await connection.more(), 0
        self._idle.append(connection)
        return texts

    async def close(self) -> None:
        """See Client."""
        for connection in self._idle:
            connection.transport.close()


async def connect(task: Task) -> Client:
    """A client for a task."""
    return Socket(task)

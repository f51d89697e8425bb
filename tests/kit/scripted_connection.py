"""The fast road over a connection that says what a test wrote: no socket, so that many cuts are quick."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

import anyio

from turnout.providers.dialect import WireRequest
from turnout.providers.errors import ProviderError
from turnout.providers.http import FastTransport
from turnout.providers.http.connection import Connection
from turnout.providers.http.request import Place

Step = bytes | OSError
"""What comes off the connection; no bytes are its end."""


class Scripted:
    """A connection that gives these pieces."""

    def __init__(self, steps: Iterable[Step], *, refuses: OSError | None = None) -> None:
        self.idle_since = 0.0
        self.steps = deque(steps)
        self.sent = b""
        self.quiet = True
        self.closed = False
        self.refuses = refuses
        """What sending fails with."""

    def write(self, data: bytes) -> bytes | memoryview:
        if self.refuses is not None:
            raise self.refuses
        self.sent += data
        return b""

    async def flush(self, data: bytes | memoryview) -> None:
        raise NotImplementedError

    async def receive(self, within: float = inf) -> bytes:
        step = self.steps.popleft() if self.steps else b""
        if isinstance(step, OSError):
            raise step
        return step

    def cut(self) -> bool:
        return False

    def received(self) -> bytes | None:
        if not self.steps:
            return None
        step = self.steps.popleft()
        if isinstance(step, OSError):
            raise step
        return step

    def is_quiet(self) -> bool:
        return self.quiet

    def close(self) -> None:
        self.closed = True


class ScriptedTransport(FastTransport):
    """Connects to one script after another."""

    def __init__(self, *connections: Scripted) -> None:
        self.clock = 0.0
        super().__init__(now=lambda: self.clock)
        self.coming = deque(connections)

    async def connect(self, place: Place) -> Connection:
        return self.coming.popleft()


@dataclass
class Outcome:
    """What came of one exchange."""

    status: int = 0
    headers: dict[str, str] | None = None
    body: bytes = b""
    error: ProviderError | None = None
    kept: bool = False
    """Whether the connection could serve again."""


def request(method: str = "POST", body: bytes = b"{}") -> WireRequest:
    return WireRequest(method, "http://example.test/v1", {}, body)


async def exchanged(carrier: FastTransport, asked: WireRequest, max_bytes: int | None = None) -> Outcome:
    """One exchange, read to its end."""
    found = Outcome()
    try:
        async with carrier.send(asked, connect_timeout=1, max_bytes=max_bytes) as response:
            found.status, found.headers = response.status, dict(response.headers)
            while piece := await response.read():
                found.body += piece
    except ProviderError as error:
        found.error = error
    return found


def outcome_of(steps: Iterable[Step], *, method: str = "POST", max_bytes: int | None = None) -> Outcome:
    """What comes of an exchange over a fresh connection that says this."""
    connection = Scripted(steps)

    async def run() -> Outcome:
        return await exchanged(ScriptedTransport(connection), request(method), max_bytes)

    found = anyio.run(run)
    found.kept = not connection.closed
    return found

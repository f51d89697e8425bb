"""The roads to the network that ship, and how one exchange over them is watched and judged."""

from __future__ import annotations

import importlib
import os
import re
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
from raw_server import RawServer, Script, raw_server

from turnout.config.sections import Kind
from turnout.providers.dialect import WireRequest
from turnout.providers.errors import ProviderError
from turnout.providers.transport import HttpxTransport, Transport, WireResponse

Road = Callable[[], Transport]
_PATIENCE = 5.0  # seconds after which a case hangs


def _found() -> dict[str, Road]:
    roads: dict[str, Road] = {"httpx": HttpxTransport}
    if find_spec("turnout.providers.http") is not None:
        fast: Any = importlib.import_module("turnout.providers.http")
        if hasattr(fast, "FastTransport"):
            roads["fast"] = fast.FastTransport
    return roads


ROADS = _found()
"""Every road that ships, by name."""


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    body: bytes = b""
    status: int = 200


@dataclass(frozen=True)
class Failure:
    """A typed error: its kind, its code, and what its message must say."""

    kind: Kind
    says: str
    """A pattern found in the message."""
    code: str | None = None
    got: bytes | None = None
    """The bytes of the body that came before it; None: the head was not even taken."""


Outcome = Answer | Failure


@dataclass
class Seen:
    """What an exchange came to."""

    status: int | None = None
    headers: dict[str, str] | None = None
    body: bytes = b""
    error: ProviderError | None = None

    def check(self, expected: Outcome) -> None:
        if isinstance(expected, Answer):
            assert self.error is None, f"failed: {self.error!r}"
            assert (self.status, self.body) == (expected.status, expected.body)
            return
        assert self.error is not None, f"succeeded: {self.status} {self.body[:80]!r}"
        assert (self.error.kind, self.error.code) == (expected.kind, expected.code), repr(self.error)
        assert re.search(expected.says, self.error.message), self.error.message
        assert (None if self.status is None else self.body) == expected.got


def asking(
    url: str, *, method: str = "POST", body: bytes = b"{}", address: str | None = None, **headers: str
) -> WireRequest:
    return WireRequest(method, f"{url}/v1/chat/completions", headers, body, address=address)


async def exchange(
    carrier: Transport,
    request: WireRequest | str,
    *,
    connect_timeout: float | None = 5,
    max_bytes: int | None = None,
    patience: float = _PATIENCE,
) -> Seen:
    """One exchange, read to its end; TimeoutError if that takes longer than `patience` seconds."""
    seen = Seen()
    asked = asking(request) if isinstance(request, str) else request
    try:
        with anyio.fail_after(patience):
            async with carrier.send(asked, connect_timeout=connect_timeout, max_bytes=max_bytes) as response:
                seen.status, seen.headers = response.status, dict(response.headers)
                while piece := await response.read():
                    seen.body += piece
                assert await response.read() == b""
    except ProviderError as error:
        seen.error = error
    return seen


async def read_all(response: WireResponse) -> bytes:
    return b"".join([piece async for piece in response.chunks()])


@asynccontextmanager
async def over(road: Road) -> AsyncIterator[Transport]:
    """A transport of that road; once it is closed, this process holds no socket more than before."""
    before = sockets()
    carrier = road()
    carrier.prepare()
    assert sockets() == before  # preparing opens no connection
    try:
        yield carrier
    finally:
        with anyio.CancelScope(shield=True):
            await carrier.aclose()


@asynccontextmanager
async def meeting(
    road: Road, script: Script, *, host: str = "127.0.0.1", scheme: str = "http"
) -> AsyncIterator[tuple[RawServer, Transport]]:
    """A server with a script and a transport; afterwards neither holds a connection."""
    before = sockets()
    async with raw_server(script, host=host, scheme=scheme) as server:
        async with over(road) as carrier:
            yield server, carrier
    with anyio.move_on_after(1):  # a server further out may still be closing
        while sockets() > before:
            await anyio.sleep(0.001)
    assert sockets() <= before


def sockets() -> int:
    """How many sockets this process holds."""
    count = 0
    for descriptor in Path("/proc/self/fd").glob("*"):
        try:
            count += stat.S_ISSOCK(os.fstat(int(descriptor.name)).st_mode)
        except OSError:  # the descriptor that lists the folder itself
            continue
    return count

"""The road that is taken unless told otherwise: HTTP/1.1 over sockets of our own.

What it does not speak, a SOCKS proxy, it leaves to httpx.
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from anyio.lowlevel import checkpoint

from ..dialect import WireRequest
from ..transport import HttpxTransport, Transport, WireResponse
from .connecting import connect
from .connection import Connection
from .exchange import Exchange
from .proxies import Proxies
from .request import Heads, Place

_log = logging.getLogger("turnout")


class FastTransport:
    """Carries requests over HTTP/1.1, on whatever event loop runs.

    `max_connections` bounds how many requests one origin gets at once; who comes first is served first.
    `now` is the clock by which idle connections age, in seconds. Proxies and certificates are the
    environment's, as it is when the first request is sent.
    """

    def __init__(
        self,
        *,
        user_agent: str = "turnout",
        max_connections: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.now = now
        """The clock."""
        self._user_agent = user_agent
        self._max_connections = max_connections
        self._heads: Heads | None = None
        self._context: ssl.SSLContext | None = None
        self._socks = False
        self._httpx: HttpxTransport | None = None

    @property
    def heads(self) -> Heads:
        """What the requests begin with, and the connections they go over."""
        return self._heads or self._prepared()

    def send(
        self, request: WireRequest, *, connect_timeout: float | None, max_bytes: int | None = None
    ) -> AbstractAsyncContextManager[WireResponse]:
        """Send a request; see `Transport.send`."""
        if self._heads is None:
            self._prepared()
        if self._socks and (other := self._other_road(request)) is not None:
            return other.send(request, connect_timeout=connect_timeout, max_bytes=max_bytes)
        return Exchange(self, request, connect_timeout, max_bytes)

    def prepare(self) -> None:
        """Read what the environment says about proxies and certificates."""
        if self._heads is None:
            self._prepared()
        if self._context is None:
            self._context = _trusting()

    async def aclose(self) -> None:
        """Close what is idle; what is still in use is closed when it is left. Sending again opens again."""
        heads, self._heads = self._heads, None
        if heads is not None:
            heads.close()
            await checkpoint()  # let the servers see it
        self._context = None
        other, self._httpx = self._httpx, None
        if other is not None:
            await other.aclose()

    async def connect(self, place: Place) -> Connection:
        """A new connection for an exchange."""
        if self._context is None:
            self._context = _trusting()
        return await connect(place, self._context)

    def _prepared(self) -> Heads:
        proxies = Proxies.from_environment()
        self._socks = any(not proxy.speaks_http for proxy in proxies.by_scheme.values())
        self._heads = Heads(proxies, self.now, self._user_agent, self._max_connections)
        return self._heads

    def _other_road(self, request: WireRequest) -> Transport | None:
        """The road for a request whose proxy does not speak HTTP."""
        proxy = self.heads.place_of(request).proxy
        if proxy is None or proxy.speaks_http:
            return None
        if self._httpx is None:
            _log.info("requests go through httpx, since the environment names a %s proxy", proxy.scheme)
            self._httpx = HttpxTransport(user_agent=self._user_agent)
        return self._httpx


def default_transport(client: Any = None, *, user_agent: str = "turnout") -> Transport:
    """The transport for a client that was given, or the fast one."""
    if client is not None:
        return HttpxTransport(client, user_agent=user_agent)
    return FastTransport(user_agent=user_agent)


def _trusting() -> ssl.SSLContext:
    """TLS as httpx sets it up: the certificates are those the environment names, or certifi's."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and folder:
        context = ssl.create_default_context(capath=folder)
    else:
        if not file:
            import certifi  # only where it is needed

            file = certifi.where()
        context = ssl.create_default_context(cafile=file)
    context.set_alpn_protocols(["http/1.1"])
    return context

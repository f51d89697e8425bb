"""The seam to the network, and the road over it that httpx offers.

A `WireRequest` goes out, and status, headers and an async stream of body bytes come back; leaving the
context closes the socket. Nothing here retries, redirects, follows cookies or reads text. Only this module
may say *connection*: what we broke ourselves (a header that cannot be sent, a URL that is none) is a
ConfigError, which no policy retries.

A request that names an IP address (`WireRequest.address`) goes to that very address, under the name in its
URL: Host header, SNI and the certificate's check are the name's. It travels by a client of its own, which
knows no proxy and no header of anybody's, and its connection serves no second request: a connection is only
as good as the name it was checked for, while a pool knows it by its address.

Behind the protocol stands httpx or anything with its `AsyncClient` interface (httpx2). Errors are told apart
by the names of their classes, which both share. httpx itself is imported when the first request is sent.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import anyio

from turnout.config.errors import TurnoutError

from .carrying import (
    HUNG_UP,
    NEVER_CONNECTED,
    NEVER_SENT,
    NOT_REACHED,
    PROXY_REFUSED,
    READ_BROKE,
    TOO_LARGE,
    WRITE_BROKE,
    Intake,
    bad_header,
    bad_url,
    failed,
    not_in_time,
)
from .dialect import WireRequest

__all__ = ["NEVER_CONNECTED", "NEVER_SENT", "TOO_LARGE", "HttpxTransport", "Transport", "WireResponse"]

_CLOSING = 2.0  # seconds that closing a connection may take before it is given up


class WireResponse(Protocol):
    """The answer to one request, its body still on the way."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        ...

    async def read(self) -> bytes:
        """The next piece of the body as it comes, content-encoding undone; empty at its end.

        ConnectionFailedError if the server hangs up, MalformedResponseError beyond the size limit.
        """
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The pieces of the body one after another, as `read` gives them."""
        ...


class Transport(Protocol):
    """Carries requests."""

    def send(
        self, request: WireRequest, *, connect_timeout: float | None, max_bytes: int | None = None
    ) -> AbstractAsyncContextManager[WireResponse]:
        """Send a request; entering waits for status and headers, leaving closes the answer, read or not.

        `connect_timeout` is in seconds, `max_bytes` bounds the decoded body; None: no limit.
        What it gives may be a `Timekeeper` as well, which spares the router a cancel scope around each wait.
        ConnectionFailedError, AttemptTimeoutError, MalformedResponseError.
        """
        ...

    def prepare(self) -> None:
        """Do now what would otherwise cost the first request time; opens no connection."""
        ...

    async def aclose(self) -> None:
        """Let go of all connections."""
        ...


class HttpxTransport:
    """Carries requests with httpx.

    `client` is any object with the interface of httpx's AsyncClient; it stays its owner's and is never
    closed here. Without one, a client is made at the first request and closed by `aclose`.
    """

    def __init__(self, client: Any = None, *, user_agent: str = "turnout") -> None:
        self._client = client
        self._owned = client is None
        self._pinned: Any = None  # carries what names its address
        self._user_agent = user_agent

    @asynccontextmanager
    async def send(
        self, request: WireRequest, *, connect_timeout: float | None, max_bytes: int | None = None
    ) -> AsyncIterator[WireResponse]:
        """Send a request; see `Transport.send`."""
        async with AsyncExitStack() as stack:
            response = _HttpxResponse(await self._open(request, connect_timeout), max_bytes)
            stack.push_async_callback(response.aclose)
            response.check_head()
            yield response

    def prepare(self) -> None:
        """Make the client: importing httpx and reading the certificates takes a tenth of a second."""
        if self._client is None:
            self._client = _make_client()

    async def aclose(self) -> None:
        """Close the client, if it was made here; sending again makes a new one."""
        pinned, self._pinned = self._pinned, None
        if pinned is not None:
            await pinned.aclose()
        if self._owned and self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    def _carrier(self, request: WireRequest) -> Any:
        """The client that carries a request."""
        if request.address is None:
            self.prepare()
            return self._client
        if self._pinned is None:
            self._pinned = _make_pinned_client()
        return self._pinned

    async def _open(self, request: WireRequest, connect_timeout: float | None) -> Any:
        client = self._carrier(request)
        trouble: TurnoutError
        try:
            url, headers, extensions = _addressed(request)
            # a plain tuple (connect, read, write, pool) is understood by every client of this interface
            built = client.build_request(
                request.method,
                url,
                headers={
                    "user-agent": self._user_agent,
                    "accept-encoding": "identity",
                    **{name.lower(): value for name, value in request.headers.items()},
                    **headers,
                },
                content=request.body,
                timeout=(connect_timeout, None, None, connect_timeout),
                **extensions,
            )
            return await client.send(built, stream=True, follow_redirects=False)
        except Exception as error:
            found = _mapped(error, connect_timeout)
            if found is None:
                raise
            trouble = found
        # raised outside the handler: the client's own message may quote a header, the key included
        raise trouble


class _HttpxResponse:
    """An httpx response whose body is read piece by piece."""

    def __init__(self, response: Any, max_bytes: int | None) -> None:
        self._response = response
        # raw, since an error while httpx unpacks would leave its inner generators half-way
        self._pieces: Any = response.aiter_raw()
        self._max_bytes = max_bytes
        self._ended = False
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = {
            str(name).lower(): str(value) for name, value in response.headers.items()
        }

    def check_head(self) -> None:
        """Refuse at once what its content-length says is too large, or its content-encoding unreadable."""
        self._intake = Intake(self.status, self.headers.get("content-encoding", ""), self._max_bytes)
        announced = self.headers.get("content-length", "")
        if announced.isascii() and announced.isdecimal():
            self._intake.check_length(int(announced))

    async def read(self) -> bytes:
        """The next piece; empty at the end."""
        trouble: TurnoutError
        try:
            async for raw in self._pieces:
                if piece := self._intake.take(bytes(raw)):
                    return piece
            self._ended = True
        except TurnoutError:
            raise
        except Exception as error:
            found = _mapped(error, None)
            if found is None:
                raise
            trouble = found
        else:
            return b""
        raise trouble

    async def chunks(self) -> AsyncIterator[bytes]:
        """The pieces one after another."""
        while piece := await self.read():
            yield piece

    async def aclose(self) -> None:
        """Close the answer, whatever state it is in, and finish httpx's nested generators."""
        with anyio.move_on_after(_CLOSING, shield=True):
            await self._response.aclose()
            if not self._ended:
                # a generator left in the middle would be finished by the garbage collector, outside any
                # task, which trio reports; one more read on the closed stream ends all of them here
                with suppress(Exception):
                    while True:  # what was already buffered still comes before the end
                        await anext(self._pieces)
            await self._pieces.aclose()


def _make_client() -> Any:
    httpx = importlib.import_module("httpx")  # here, so that importing turnout stays cheap
    return httpx.AsyncClient(
        follow_redirects=False,
        cookies=_no_cookies(),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0),
    )


def _no_cookies() -> Any:
    """A jar that takes none."""
    from http.cookiejar import CookieJar, DefaultCookiePolicy  # here, for the same reason

    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=()))


def _make_pinned_client() -> Any:
    httpx = importlib.import_module("httpx")
    return httpx.AsyncClient(
        follow_redirects=False,
        cookies=_no_cookies(),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        trust_env=False,  # a proxy would choose the address itself
        verify=httpx.create_ssl_context(),  # the certificates that the environment names hold all the same
    )


def _addressed(request: WireRequest) -> tuple[str, dict[str, str], dict[str, Any]]:
    """URL, further headers and further options that send a request to its address, under its name."""
    if request.address is None:
        return request.url, {}, {}
    parts = urlsplit(request.url)
    name, port = parts.hostname or "", "" if parts.port is None else f":{parts.port}"
    host = f"[{request.address}]" if ":" in request.address else request.address
    headers = {"host": f"[{name}]{port}" if ":" in name else f"{name}{port}", "connection": "close"}
    # a host that is an address itself has no name to ask for
    named = not _is_address(name)
    extensions = {"extensions": {"sni_hostname": name}} if named and parts.scheme == "https" else {}
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, parts.query, "")), headers, extensions


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _mapped(error: Exception, connect_timeout: float | None) -> TurnoutError | None:
    """Our error for one of the client's; None for what is not about the network.

    The client's text is never quoted: it may hold a header's value.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & {"ConnectTimeout", "PoolTimeout"}:
        return not_in_time(connect_timeout)
    if names & {"InvalidURL", "UnsupportedProtocol"}:
        return bad_url()
    if names & {"LocalProtocolError", "UnicodeEncodeError"}:
        return bad_header()
    if "TransportError" in names:
        what = _WHAT.get(type(error).__name__, "the connection failed")
        return failed(what, error, code=NEVER_SENT if "ConnectError" in names else None)
    return None


_WHAT = {
    "ConnectError": NOT_REACHED,
    "ReadError": READ_BROKE,
    "WriteError": WRITE_BROKE,
    "RemoteProtocolError": HUNG_UP,
    "ProxyError": PROXY_REFUSED,
}

"""How a request is written, and where it goes: the bytes before its body are made once and kept.

A head is found again by its method, URL and headers. Nothing of a request's body is kept, and what is kept
is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from ..carrying import bad_header, bad_url
from ..dialect import WireRequest
from .pool import Pool
from .proxies import Proxies, Proxy, basic

MOST_HEADS = 256
"""Heads that are kept; beyond it all are forgotten, since they are made again in microseconds."""
MOST_URL = 64 * 1024
"""The longest URL that is asked; servers take less."""
PORTS = {"http": 80, "https": 443}
"""The schemes that can be asked, and their ports."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]++")
_VALUE = re.compile(r"(?:[!-~]++(?:[ \t]++[!-~]++)*)?")
_HOST = re.compile(r"[!$&'()*+,;=._~%0-9A-Za-z-]++|[0-9A-Fa-f:.]++(?:%[._~0-9A-Za-z-]++)?")
_ODD = re.compile(r"[\0-\x1f\x7f]")
_IN_PATH = "!$%&'()*+,-./:;=@[\\]^_|~"
_IN_QUERY = _IN_PATH + "?`{}"
_BODILESS = ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE")  # no length is told where there is no body


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads."""

    scheme: str
    host: str
    """The name in ASCII, or an address without brackets."""
    port: int
    target: str
    """What the request line says."""
    authority: str
    """What the header `host` says."""
    authorization: str | None = field(repr=False)
    """From a user and password in the URL."""
    proxy: Proxy | None = None
    address: str | None = None
    """The address to connect to in place of the host's own."""

    @property
    def is_forwarded(self) -> bool:
        """Whether the proxy itself is asked, rather than only asked to connect."""
        return self.proxy is not None and self.scheme == "http"

    @property
    def origin(self) -> tuple[object, ...]:
        """What places must have in common to share connections."""
        return (
            (self.scheme, self.proxy)
            if self.is_forwarded
            else (self.scheme, self.host, self.port, self.proxy)
        )


def place_of(url: str, proxies: Proxies, address: str | None = None) -> Place:
    """Where a URL leads; ConfigError if it is none."""
    if len(url) > MOST_URL or _ODD.search(url):
        raise bad_url()
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        raise bad_url() from None
    if parts.scheme not in PORTS or not _HOST.fullmatch(host):
        raise bad_url()
    shown = f"[{host.partition('%')[0]}]" if ":" in host else host
    authority = shown if port in (None, PORTS[parts.scheme]) else f"{shown}:{port}"
    where = port or PORTS[parts.scheme]
    target = quote(parts.path, safe=_IN_PATH) or "/"
    if parts.query:
        target += "?" + quote(parts.query, safe=_IN_QUERY)
    proxy = None if address else proxies.proxy_for(parts.scheme, host, where)
    if proxy is not None and parts.scheme == "http":
        target = f"http://{authority}{target}"
    told = None if parts.username is None else basic(parts.username, parts.password or "")
    return Place(parts.scheme, host, where, target, authority, told, proxy, address)


class Head:
    """The bytes before a body, and where they go."""

    __slots__ = ("_declared", "_given", "_lines", "_no_length", "closes", "is_head", "place", "pool")

    def __init__(self, request: WireRequest, place: Place, pool: Pool, user_agent: str) -> None:
        self.place = place
        self.pool = pool
        self._given = dict(request.headers)
        headers = _headers_of(self._given, place, user_agent)
        self._declared = headers.pop("content-length", None)
        self.closes = "close" in headers["connection"].lower()
        """Whether the connection ends with the answer because we said so."""
        self.is_head = request.method == "HEAD"
        """Whether the answer has no body whatever its head says."""
        self._no_length = request.method in _BODILESS
        if not _TOKEN.fullmatch(request.method):
            raise bad_header()
        lines = [f"{request.method} {place.target} HTTP/1.1\r\n"]
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
                raise bad_header()
            lines.append(f"{name}: {value}\r\n")
        self._lines = "".join(lines).encode("ascii")

    def suits(self, headers: Mapping[str, str]) -> bool:
        """Whether it was made from these headers."""
        return self._given == headers

    def before(self, body: bytes) -> bytes:
        """The whole request. ConfigError if a header told another length."""
        length = len(body)
        if self._declared is not None and self._declared != str(length):
            raise bad_header()
        if not length and self._no_length:
            return self._lines + b"\r\n"
        return b"%bcontent-length: %d\r\n\r\n%b" % (self._lines, length, body)


class Heads:
    """The heads that one transport has made. `now` is the clock of its pools, `most` bounds each of them."""

    def __init__(self, proxies: Proxies, now: Callable[[], float], user_agent: str, most: int | None) -> None:
        self._proxies = proxies
        self._now = now
        self._user_agent = user_agent
        self._most = most
        self._heads: dict[tuple[str, ...], Head] = {}
        self._pools: dict[tuple[object, ...], Pool] = {}

    def head_of(self, request: WireRequest) -> Head:
        """The head of a request; ConfigError if it cannot be sent."""
        headers = request.headers
        if request.address is not None:  # it has a connection of its own, which is no use to others
            place = place_of(request.url, self._proxies, request.address)
            return Head(request, place, Pool(self._now), self._user_agent)
        key = (request.method, request.url, *headers.values())
        head = self._heads.get(key)
        if head is None or not head.suits(headers):
            head = self._made(request)
            if len(self._heads) >= MOST_HEADS:
                self._forget()
            self._heads[key] = head
        return head

    def place_of(self, request: WireRequest) -> Place:
        """Where a request goes; ConfigError if its URL is none."""
        return place_of(request.url, self._proxies, request.address)

    def close(self) -> None:
        """Close what is idle."""
        for pool in self._pools.values():
            pool.close()

    def _made(self, request: WireRequest) -> Head:
        place = place_of(request.url, self._proxies)
        pool = self._pools.get(place.origin)
        if pool is None:
            pool = Pool(self._now, self._most)
        head = Head(request, place, pool, self._user_agent)
        self._pools[place.origin] = pool
        return head

    def _forget(self) -> None:
        self._heads.clear()
        self._pools = {origin: pool for origin, pool in self._pools.items() if not pool.idle}


def _headers_of(given: Mapping[str, str], place: Place, user_agent: str) -> dict[str, str]:
    """All headers but the length, names in lower case; ConfigError."""
    headers = {
        "host": place.authority,
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "keep-alive",
        "user-agent": user_agent,
        **{name.lower(): value for name, value in given.items()},
    }
    if place.authorization is not None:
        headers["authorization"] = place.authorization
    if place.address is not None:  # a connection is only as good as the name it was checked for
        headers["host"], headers["connection"] = place.authority, "close"
    if place.proxy is not None and place.is_forwarded and place.proxy.authorization is not None:
        headers["proxy-authorization"] = place.proxy.authorization
    if "transfer-encoding" in headers:  # the length is told instead
        raise bad_header()
    return headers

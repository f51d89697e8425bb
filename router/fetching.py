"""Fetching images and files from the public internet, for wires that take none by address.

A request's addresses come from whoever wrote it, so nothing here trusts them. Only http and https are spoken,
on ports 80, 443 and from 1024 on. A name is looked up once, every address it has must be public
(`addresses.py`), and the connection goes to the very address that was checked. Redirects are followed three
times at most, each checked like the first, and never from https to http. No header goes along but what HTTP
needs: no key, no cookie. What comes back must be an image, a document or sound, and not too large.

Each address is fetched once in a call, whatever comes of it: retries and further targets share it.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import SOCK_STREAM
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import anyio

from turnout.config.errors import TurnoutError
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target, WireRequest
from turnout.providers.errors import AttemptTimeoutError, ProviderError, UnsupportedError
from turnout.providers.transport import NEVER_CONNECTED, NEVER_SENT, TOO_LARGE, Transport, WireResponse

from .addresses import is_public
from .inlining import Encode, RemotePart, inlined, parts_to_fetch, told
from .pipeline import DEADLINE, Journal, RunLimited

Address = IPv4Address | IPv6Address

_AT_ONCE = 4  # items of one call that are fetched side by side
_MOST_ADDRESSES = 4  # addresses of one name that are tried one after another
_MOST_REDIRECTS = 3
_ALL_TOGETHER = 5  # times the limit for one item: the limit for all items of a call
_PORTS = (80, 443)
_FREE_PORTS = 1024  # from here on no mail, name or login service listens
_REDIRECTS = (301, 302, 303, 307, 308)
_ACCEPT = "image/*, application/pdf, audio/*, */*;q=0.1"
_UNTOLD = ("", "application/octet-stream", "binary/octet-stream")
_FITTING = {"image_url": ("image/",), "file": ("image/", "audio/", "application/pdf")}
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_SPELLED = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"), (0, b"\xff\xd8\xff", "image/jpeg"), (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"), (4, b"ftypavif", "image/avif"), (4, b"ftypheic", "image/heic"),
    (0, b"%PDF-", "application/pdf"), (8, b"WAVE", "audio/wav"), (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"), (0, b"fLaC", "audio/flac"),
)  # fmt: skip
"""Offset, first bytes, media type."""


class _RefusedError(Exception):
    """An address that is not fetched, or whose bytes are not taken; its text says why, and no address."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came from one address."""

    type: str
    """The media type, as the bytes tell it, or else the server."""
    size: int
    """Bytes."""
    url: str = field(repr=False)
    """All of it as a data URL."""

    def __str__(self) -> str:
        return f"{self.size} bytes of {self.type}"


class Shelf:
    """What one call has fetched."""

    __slots__ = ("found", "lock", "size")

    def __init__(self) -> None:
        self.found: dict[tuple[str, int], Fetched | str] = {}
        """By address and size limit; text says why there is nothing."""
        self.size = 0
        """Bytes of all of it."""
        self.lock = anyio.Lock()
        """Held while something is fetched, so that attempts side by side do not fetch twice."""


class _Place(NamedTuple):
    """An address taken apart and found fit to be asked."""

    scheme: str
    host: str
    port: int
    url: str


class Fetcher:
    """Writes requests for wires that need the bytes of images and files.

    `allowed` decides to which IP addresses connections may go.
    """

    def __init__(self, transport: Transport, *, allowed: Callable[[Address], bool] = is_public) -> None:
        self._transport = transport
        self._allowed = allowed

    async def written(
        self, request: ChatCompletion, target: Target, encode: Encode, journal: Journal, run: RunLimited
    ) -> WireRequest:
        """The HTTP request for a target that may have media fetched.

        UnsupportedError where the target cannot say the request anyway, in which case nothing is fetched, or
        where something cannot be had; AttemptTimeoutError when the call's deadline passes.
        """
        remote = parts_to_fetch(request, target, encode)
        if not remote:
            return encode(request)
        shelf = journal.shelf = journal.shelf or Shelf()
        try:
            await run(lambda: self._fill(shelf, remote, target))
        except AttemptTimeoutError as error:
            if error.code == DEADLINE:
                raise
            _note_lateness(shelf, remote, target)
        media = _usable(remote, shelf, target)
        wire = encode(inlined(request, {part: item.url for part, item in media.items()}))
        return told(wire, {part: f"fetched and inlined: {item}" for part, item in media.items()})

    async def _fill(self, shelf: Shelf, remote: list[RemotePart], target: Target) -> None:
        """Put on the shelf what is missing; nothing more once one item cannot be had."""
        limit = target.max_media_bytes
        slots = anyio.Semaphore(_AT_ONCE)

        async def fetch(url: str) -> None:
            async with slots:
                found = await self._found(url, target)
                if isinstance(found, Fetched):
                    shelf.size += found.size
                    if shelf.size > _ALL_TOGETHER * limit:
                        found = f"all images and files together are larger than {_ALL_TOGETHER * limit} bytes"
                shelf.found[url, limit] = found
                if isinstance(found, str):
                    tasks.cancel_scope.cancel()

        async with shelf.lock:
            wanted = dict.fromkeys(part.url for part in remote)
            known = [shelf.found.get((url, limit)) for url in wanted]
            if any(isinstance(item, str) for item in known):
                return
            async with anyio.create_task_group() as tasks:
                for url, item in zip(wanted, known, strict=True):
                    if item is None:
                        tasks.start_soon(fetch, url)

    async def _found(self, url: str, target: Target) -> Fetched | str:
        try:
            return await self._fetched(url, target)
        except _RefusedError as refused:
            return str(refused)
        except ProviderError as error:
            if error.code == TOO_LARGE:
                return f"it is larger than {target.max_media_bytes} bytes, the provider's max_media_bytes"
            return error.message.rstrip(".")
        except TurnoutError:
            return "its address cannot be asked"

    async def _fetched(self, url: str, target: Target) -> Fetched:
        place = _place(url)
        for _ in range(_MOST_REDIRECTS + 1):
            async with self._asked(place, target) as response:
                if response.status not in _REDIRECTS:
                    return await _taken(response)
                following = _place(response.headers.get("location", ""), after=place.url)
            if place.scheme == "https" and following.scheme == "http":
                raise _RefusedError("it redirects from https to http")
            place = following
        raise _RefusedError(f"it redirects more than {_MOST_REDIRECTS} times")

    @asynccontextmanager
    async def _asked(self, place: _Place, target: Target) -> AsyncIterator[WireResponse]:
        """The answer from the first of the host's addresses that can be reached."""
        addresses = await self._addresses(place)
        async with AsyncExitStack() as stack:
            for number, address in enumerate(addresses, 1):
                wire = WireRequest("GET", place.url, {"accept": _ACCEPT}, b"", address=str(address))
                sending = self._transport.send(
                    wire, connect_timeout=target.timeouts.connect, max_bytes=target.max_media_bytes
                )
                try:
                    response = await stack.enter_async_context(sending)
                    break
                except ProviderError as error:
                    if error.code not in (NEVER_SENT, NEVER_CONNECTED) or number == len(addresses):
                        raise
            yield response

    async def _addresses(self, place: _Place) -> list[Address]:
        """The addresses of a host, all of them allowed."""
        try:
            found = await anyio.getaddrinfo(place.host, place.port, type=SOCK_STREAM)
        except (OSError, ValueError):
            raise _RefusedError("its host is not known") from None
        addresses = list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise _RefusedError("its host is not on the public internet")
        return addresses[:_MOST_ADDRESSES]


def _place(url: str, *, after: str = "") -> _Place:
    """Take an address apart; it is written anew from its parts, so that nobody can read it otherwise.

    `after` is the address whose server redirected to this one.
    """
    if any(letter <= " " or letter in "\\\x7f" for letter in url):
        raise _RefusedError("its address holds a space, a backslash or a control character")
    try:
        parts = urlsplit(urljoin(after, url))
        port = parts.port
        host = parts.hostname or ""
        host = (host if host.isascii() else host.encode("idna").decode()).removesuffix(".")
    except ValueError:
        raise _RefusedError("its address is no URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise _RefusedError("only http and https addresses are fetched")
    if parts.username is not None or parts.password is not None:
        raise _RefusedError("its address holds a user or a password")
    standard = 443 if parts.scheme == "https" else 80
    if port is not None and port not in _PORTS and port < _FREE_PORTS:
        raise _RefusedError(f"port {port} is not one that files are served from")
    shown = f"[{host}]" if ":" in host else host
    where = shown if port in (None, standard) else f"{shown}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return _Place(parts.scheme, host, port or standard, f"{parts.scheme}://{where}{parts.path or '/'}{query}")


async def _taken(response: WireResponse) -> Fetched:
    """The body of an answer, if it is something that a model may be shown."""
    if response.status != 200:
        raise _RefusedError(f"its server answered with status {response.status}")
    said = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said not in _UNTOLD and not (said.startswith(_FITTING["file"]) and _TYPE.fullmatch(said)):
        raise _RefusedError(f"it is {said[:40]!r}, no image, document or sound")
    pieces = [piece async for piece in response.chunks()]
    data = b"".join(pieces)
    if not data:
        raise _RefusedError("it is empty")
    kind = _sniffed(data) or _SPELLED.get(said, said)
    if kind in _UNTOLD:
        raise _RefusedError("neither its server nor its first bytes tell what it is")
    return Fetched(kind, len(data), f"data:{kind};base64,{b64encode(data).decode()}")


def _sniffed(data: bytes) -> str:
    """The media type that the first bytes tell; empty where they tell none."""
    return next((kind for at, start, kind in _SIGNATURES if data.startswith(start, at)), "")


def _note_lateness(shelf: Shelf, remote: Iterable[RemotePart], target: Target) -> None:
    for part in remote:
        shelf.found.setdefault(
            (part.url, target.max_media_bytes), "it was not there within the attempt's time limits"
        )


def _usable(remote: list[RemotePart], shelf: Shelf, target: Target) -> dict[RemotePart, Fetched]:
    """What was fetched for each part; UnsupportedError where something could not be had, or does not fit."""
    usable: dict[RemotePart, Fetched] = {}
    for part in remote:
        item = shelf.found.get((part.url, target.max_media_bytes))
        if isinstance(item, Fetched) and not item.type.startswith(_FITTING[part.kind]):
            item = f"it is {item.type} and no image; send it as a file part"
        if isinstance(item, Fetched):
            usable[part] = item
        elif item is not None:  # nothing at all: it was given up when another could not be had
            raise UnsupportedError(
                f"{target}: {part.path}: what {_host(part.url)} holds could not be fetched: {item}; "
                "send a data URL, or choose a target that takes addresses",
                field=part.path,
                provider=target.provider,
                model=target.model,
            )
    return usable


def _host(url: str) -> str:
    """The host alone, for a message: the rest of an address may be signed, and so a secret."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return host[:80] if host and host.isprintable() else "the address"

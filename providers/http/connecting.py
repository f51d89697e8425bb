"""Making a connection: to one of a host's addresses, through a proxy perhaps, secured if the URL says so.

A host's addresses are tried one after another, the two kinds of them in turn, the next one when the one
before has failed or has said nothing for a quarter of a second; the first that answers serves (RFC 8305).
"""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import suppress
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Any, TypeAlias

import anyio
from sniffio import current_async_library

from ..carrying import HUNG_UP, NEVER_SENT, NOT_REACHED, PROXY_REFUSED, READ_BROKE, failed
from .connection import Connection, Plain, Secured
from .head import MOST_BYTES, Head, NotHTTPError, head_in
from .refusing import not_http
from .request import Place

_NEXT_AFTER = 0.25  # seconds until the next address is tried, too

Address: TypeAlias = tuple[socket.AddressFamily, Any]


async def connect(place: Place, context: ssl.SSLContext) -> Connection:
    """A connection over which a place can be asked.

    ConnectionFailedError; MalformedResponseError if a proxy does not speak HTTP.
    """
    proxy = place.proxy
    if proxy is None:
        connection = await _reached(place.address or place.host, place.port)
        return await _secured(connection, place.host, context) if place.scheme == "https" else connection
    connection = await _reached(proxy.host, proxy.port)
    if proxy.scheme == "https":
        connection = await _secured(connection, proxy.host, context)
    if place.is_forwarded:
        return connection
    try:
        await _tunnel(connection, place)
    except BaseException:
        connection.close()
        raise
    return await _secured(connection, place.host, context)


async def _reached(host: str, port: int) -> Connection:
    try:
        connected = await _first_of(await _addresses(host, port))
    except OSError as error:
        raise failed(NOT_REACHED, error, code=NEVER_SENT) from None
    return _held(connected)


def _held(connected: socket.socket) -> Connection:
    """The connection in the way that suits whatever runs the tasks."""
    if current_async_library() != "asyncio":
        return Plain(connected)
    from .watched import Watched  # here: programs on trio need not import asyncio

    return Watched(connected)


async def _secured(connection: Connection, name: str, context: ssl.SSLContext) -> Connection:
    """The connection with TLS over it; it is closed if that fails."""
    try:
        secured = Secured(connection, context, name)
        await secured.shake_hands()
    except (OSError, ValueError) as error:
        connection.close()
        raise failed(NOT_REACHED, error, code=NEVER_SENT) from None
    except BaseException:
        connection.close()
        raise
    return secured


async def _tunnel(connection: Connection, place: Place) -> None:
    """Have the proxy connect to a place."""
    proxy = place.proxy
    shown = f"[{place.host}]" if ":" in place.host else place.host
    where = f"{shown}:{place.port}"
    secret = None if proxy is None else proxy.authorization
    told = "" if secret is None else f"proxy-authorization: {secret}\r\n"
    asked = f"CONNECT {where} HTTP/1.1\r\nhost: {where}\r\n{told}\r\n".encode("ascii")
    try:
        if left := connection.write(asked):
            await connection.flush(left)
        head = await _answer(connection)
    except OSError as error:
        raise failed(READ_BROKE, error) from None
    except NotHTTPError as error:
        raise not_http(error) from None
    if not 200 <= head.status < 300:
        raise failed(f"{PROXY_REFUSED} with status {head.status}")


async def _answer(connection: Connection) -> Head:
    """The proxy's answer."""
    data = b""
    while True:
        head = head_in(data) if data else None
        if head is not None and head.status >= 200:
            if len(data) > head.end and head.status < 300:
                raise NotHTTPError("a proxy speaks where the server's turn is")
            return head
        if head is not None:
            data = data[head.end :]
        elif more := await connection.receive():
            data += more
        else:
            raise failed(HUNG_UP)
        if len(data) > 2 * MOST_BYTES:
            raise NotHTTPError("its head is too long")


async def _addresses(host: str, port: int) -> list[Address]:
    """The addresses of a host, the two kinds in turn."""
    with suppress(ValueError):
        version = ip_address(host).version
        if "%" not in host:
            return [(socket.AF_INET, (host, port)) if version == 4 else (socket.AF_INET6, (host, port, 0, 0))]
    found: list[Address] = [
        (socket.AddressFamily(family), where)
        for family, _, _, _, where in await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]
    first = found[0][0] if found else None
    ours = [address for address in found if address[0] == first]
    others = [address for address in found if address[0] != first]
    return [address for address in chain(*zip_longest(ours, others)) if address is not None]


async def _first_of(addresses: list[Address]) -> socket.socket:
    """A socket connected to the first address that answers."""
    if len(addresses) == 1:
        return await _connected(addresses[0])
    won: list[socket.socket] = []
    errors: list[OSError] = []

    async def attempt(address: Address, over: anyio.Event) -> None:
        try:
            connected = await _connected(address)
        except OSError as error:
            errors.append(error)
            over.set()
            return
        if won:  # another was as quick
            connected.close()
        won.append(connected)
        attempts.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as attempts:
            for address in addresses:
                over = anyio.Event()
                attempts.start_soon(attempt, address, over)
                with anyio.move_on_after(_NEXT_AFTER):
                    await over.wait()
    except BaseException:
        for connected in won:
            connected.close()
        raise
    if won:
        return won[0]
    raise errors[0] if errors else OSError


async def _connected(address: Address) -> socket.socket:
    family, where = address
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # an answer may take minutes
        try:
            connecting.connect(where)
        except BlockingIOError:
            await anyio.wait_writable(connecting)
            if number := connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, os.strerror(number)) from None
    except BaseException:
        connecting.close()
        raise
    return connecting

"""Making connections on real sockets: addresses, TLS, proxies, and being called off on the way."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSListener, TLSStream
from file_server import certificate_for, response, serving

from turnout.providers.dialect import WireRequest
from turnout.providers.errors import (
    AttemptTimeoutError,
    ConnectionFailedError,
    MalformedResponseError,
    ProviderError,
)
from turnout.providers.http import FastTransport, connecting
from turnout.providers.transport import NEVER_CONNECTED, NEVER_SENT, HttpxTransport

pytestmark = pytest.mark.anyio
_LEFT = (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError, ssl.SSLError)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ssl.SSLContext:
    """No proxy of the machine's own; gives a server's TLS for localhost, which is trusted."""
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)
    context, trusted = certificate_for("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    return context


@asynccontextmanager
async def transport() -> AsyncIterator[FastTransport]:
    carrier = FastTransport()
    try:
        yield carrier
    finally:
        await carrier.aclose()


async def get(carrier: FastTransport, url: str, *, timeout: float | None = 5, size: int = 0) -> bytes:
    asked = WireRequest("POST" if size else "GET", url, {}, b"x" * size + b"." * bool(size))
    async with carrier.send(asked, connect_timeout=timeout) as answer:
        return b"".join([piece async for piece in answer.chunks()])


class ProxyServer:
    """A proxy that connects wherever it is asked to, and remembers what it was asked."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.url = ""

    async def connected(self, stream: ByteStream) -> None:
        async with stream:
            with suppress(*_LEFT):
                await self._serve(stream)

    async def _serve(self, stream: ByteStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive()
        self.asked.append(head)
        method, target = head.split(b" ")[:2]
        await stream.send(self.answer) if method == b"CONNECT" else None
        if method != b"CONNECT":
            await stream.send(response(b"through the proxy"))
        elif self.answer.startswith(b"HTTP/1.1 200"):
            async with await anyio.connect_tcp("127.0.0.1", int(target.rpartition(b":")[2])) as server:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._pour, stream, server)
                    await self._pour(server, stream)

    async def _pour(self, source: Any, sink: Any) -> None:
        with suppress(*_LEFT):
            while True:  # no iterator, which would be left half-way
                await sink.send(await source.receive())
        with suppress(*_LEFT):
            await sink.send_eof() if isinstance(sink, SocketStream) else await sink.aclose()


@asynccontextmanager
async def proxy(tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[ProxyServer]:
    server = ProxyServer(**options)
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = plain.extra(SocketAttribute.local_port)
    listener = plain if tls is None else TLSListener(plain, tls, standard_compatible=False)
    server.url = f"http://me:secret@127.0.0.1:{port}" if tls is None else f"https://localhost:{port}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.connected)
        yield server
        tasks.cancel_scope.cancel()


async def test_a_proxy_is_asked_for_plain_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy() as server, transport() as carrier:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        assert await get(carrier, "http://nobody.invalid/x") == b"through the proxy"
    assert server.asked[0].startswith(b"GET http://nobody.invalid/x HTTP/1.1\r\nhost: nobody.invalid\r\n")
    assert b"proxy-authorization: Basic bWU6c2VjcmV0\r\n" in server.asked[0]


async def test_a_proxy_connects_to_secured_ones_and_hears_nothing(
    monkeypatch: pytest.MonkeyPatch, environment: ssl.SSLContext
) -> None:
    async with serving({"/x": response(b"ok")}, tls=environment) as files:
        async with proxy() as server, transport() as carrier:
            monkeypatch.setenv("HTTPS_PROXY", server.url)
            assert await get(carrier, f"https://localhost:{files.port}/x") == b"ok"
    assert server.asked[0].startswith(f"CONNECT localhost:{files.port} HTTP/1.1\r\nhost: localhost".encode())
    assert b"proxy-authorization: Basic bWU6c2VjcmV0\r\n" in server.asked[0]
    assert len(server.asked) == 1
    assert "proxy-authorization" not in files.asked[0][1]


async def test_the_way_to_a_proxy_may_be_secured_itself(
    monkeypatch: pytest.MonkeyPatch, environment: ssl.SSLContext
) -> None:
    async with serving({"/x": response(b"ok" * 50_000)}, tls=environment) as files:
        async with proxy(environment) as server, transport() as carrier:
            monkeypatch.setenv("HTTPS_PROXY", server.url)
            assert await get(carrier, f"https://localhost:{files.port}/x") == b"ok" * 50_000
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            b"HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n",
            ConnectionFailedError,
            "refused the connection with",
        ),
        (b"", ConnectionFailedError, "hung up"),
        (b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 502 No\r\n\r\n", ConnectionFailedError, "status 502"),
        (b"SSH-2.0", MalformedResponseError, "not proper HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\njunk", MalformedResponseError, "where the server's turn is"),
    ],
)
async def test_a_proxy_that_does_not_connect(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, error: type[ProviderError], words: str
) -> None:
    async with proxy(answer=answer) as server, transport() as carrier:
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        with pytest.raises(error, match=words):
            await get(carrier, "https://localhost:9/x")


async def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy() as server:
        pass
    monkeypatch.setenv("ALL_PROXY", server.url)
    async with transport() as carrier:
        for url in ("http://a.invalid", "https://a.invalid"):
            with pytest.raises(ConnectionFailedError, match="no connection to the server") as caught:
                await get(carrier, url)
            assert caught.value.code == NEVER_SENT
            assert "secret" not in repr(caught.value)


async def test_what_goes_through_socks_goes_through_httpx_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "turnout")
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    async with serving({"/x": response(b"ok")}) as files, transport() as carrier:
        assert await get(carrier, f"{files.url}/x") == b"ok"
        assert caplog.messages == []
        taken = [
            carrier.send(WireRequest("GET", "https://a.test", {}, b""), connect_timeout=1) for _ in range(2)
        ]
        assert [type(sending) for sending in taken] == [
            type(HttpxTransport().send(WireRequest("GET", "", {}, b""), connect_timeout=1))
        ] * 2
        assert caplog.messages == ["requests go through httpx, since the environment names a socks5 proxy"]


async def test_a_large_request_and_a_large_answer_take_their_time(environment: ssl.SSLContext) -> None:
    async def counts(stream: ByteStream) -> None:
        await anyio.sleep(0.02)  # so that nothing more fits
        while not (await stream.receive()).endswith(b"."):
            pass
        await stream.send(response(b"y" * 3_000_000))

    for tls in (None, environment):
        async with serving({"/x": counts}, tls=tls) as files, transport() as carrier:
            url = files.url.replace("127.0.0.1", "localhost")
            assert await get(carrier, f"{url}/x", size=3_000_000) == b"y" * 3_000_000


async def test_a_secured_connection_serves_again_and_is_dropped_once_its_server_has_ended_it(
    environment: ssl.SSLContext,
) -> None:
    served: list[int] = []

    async def thrice(stream: ByteStream) -> None:
        for number in range(3):
            if number:
                await stream.receive()
            served.append(number)
            await stream.send(response(b"ok"))

    async with serving({"/x": thrice}, tls=environment) as files, transport() as carrier:
        for _ in range(4):
            assert await get(carrier, f"https://localhost:{files.port}/x") == b"ok"
            await anyio.sleep(0.01)
    assert served == [0, 1, 2, 0]


async def test_what_a_secured_server_says_unasked_ends_its_connection(environment: ssl.SSLContext) -> None:
    connections: list[ByteStream] = []

    async def talks(stream: ByteStream) -> None:
        connections.append(stream)
        await stream.send(response(b"ok"))
        await anyio.sleep(0.01)
        await stream.send(b"junk")
        await stream.receive()

    async with serving({"/x": talks}, tls=environment) as files, transport() as carrier:
        for _ in range(2):
            assert await get(carrier, f"https://localhost:{files.port}/x") == b"ok"
            await anyio.sleep(0.03)
    assert len(connections) == 2


async def test_a_secured_server_that_ends_in_the_middle(environment: ssl.SSLContext) -> None:
    async def half(stream: ByteStream) -> None:
        await stream.send(response(b"ok")[:-1])
        assert isinstance(stream, TLSStream)
        await stream.unwrap()

    async with serving({"/x": half}, tls=environment) as files, transport() as carrier:
        with pytest.raises(ConnectionFailedError, match="hung up"):
            await get(carrier, f"https://localhost:{files.port}/x")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Plain HTTP here\r\n\r\n", b""])
async def test_no_tls_where_tls_was_asked_for(answer: bytes) -> None:
    async def plain(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks, transport() as carrier:
        tasks.start_soon(listener.serve, plain)
        with pytest.raises(ConnectionFailedError, match="no connection to the server") as caught:
            await get(carrier, f"https://localhost:{listener.extra(SocketAttribute.local_port)}/x")
        assert caught.value.code == NEVER_SENT
        tasks.cancel_scope.cancel()


async def test_certificates_come_from_a_folder_or_from_certifi(
    monkeypatch: pytest.MonkeyPatch, environment: ssl.SSLContext, tmp_path: Path
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with serving({"/x": response(b"ok")}, tls=environment) as files:
        for folder in (None, str(tmp_path)):
            if folder:
                monkeypatch.setenv("SSL_CERT_DIR", folder)
            async with transport() as carrier:
                carrier.prepare()
                with pytest.raises(ConnectionFailedError, match=r"self.signed"):
                    await get(carrier, f"https://localhost:{files.port}/x")


async def test_the_second_address_serves_where_the_first_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def addresses(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        kinds = (("127.0.0.2", socket.AF_INET), ("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6))
        return [(family, socket.SOCK_STREAM, 0, "", (address, port)) for address, family in kinds]

    monkeypatch.setattr(anyio, "getaddrinfo", addresses)
    async with serving({"/x": response(b"ok")}) as files, transport() as carrier:
        assert await get(carrier, f"http://many.test:{files.port}/x") == b"ok"
    assert asked == ["many.test"]


async def test_a_silent_address_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address takes connections but says nothing; the next one is tried beside it."""
    tried: list[str] = []
    left: list[socket.socket] = []
    connected = connecting._connected

    async def silent_at_first(address: Any) -> socket.socket:
        tried.append(address[1][0])
        if address[1][0] == "127.0.0.9":
            await anyio.sleep_forever()
        found = await connected(address)
        left.append(found)
        return found

    monkeypatch.setattr(connecting, "_NEXT_AFTER", 0.02)
    monkeypatch.setattr(connecting, "_connected", silent_at_first)
    async with serving({}) as files:
        port = int(files.port)
        with anyio.fail_after(2):
            found = await connecting._first_of(
                [(socket.AF_INET, (address, port)) for address in ("127.0.0.9", "127.0.0.1", "127.0.0.3")]
            )
        found.close()
        with anyio.move_on_after(0.05) as scope:  # called off while nothing answers
            await connecting._first_of([(socket.AF_INET, ("127.0.0.9", port))] * 2)
        assert scope.cancelled_caught
    assert tried[:2] == ["127.0.0.9", "127.0.0.1"]
    assert all(one.fileno() == -1 for one in left)


async def test_of_two_that_answer_at_once_one_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []

    async def both(_: Any) -> socket.socket:
        await anyio.lowlevel.checkpoint()
        ours = socket.socket()
        made.append(ours)
        return ours

    monkeypatch.setattr(connecting, "_NEXT_AFTER", 0)
    monkeypatch.setattr(connecting, "_connected", both)
    found = await connecting._first_of([(socket.AF_INET, ("127.0.0.1", 9))] * 5)
    assert [one for one in made if one.fileno() != -1] == [found]
    found.close()


async def test_addresses_that_all_fail_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving({}) as files:
        port = int(files.port)
    with pytest.raises(OSError) as caught:
        await connecting._first_of(
            [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET, ("127.0.0.2", port))]
        )
    assert caught.value.errno == errno.ECONNREFUSED
    with pytest.raises(OSError):
        await connecting._first_of([])

    async def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(anyio, "getaddrinfo", unknown)
    async with transport() as carrier:
        with pytest.raises(ConnectionFailedError, match=r"\(Name or service not known\)") as refused:
            await get(carrier, "http://nobody.invalid/")
        assert refused.value.code == NEVER_SENT


async def test_connecting_has_its_time_and_may_be_called_off(environment: ssl.SSLContext) -> None:
    async def silent(stream: SocketStream) -> None:
        async with stream:
            with suppress(*_LEFT):
                while True:
                    await stream.receive()
        closed.set()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    url = f"https://localhost:{listener.extra(SocketAttribute.local_port)}/x"
    async with listener, anyio.create_task_group() as tasks, transport() as carrier:
        closed = anyio.Event()
        tasks.start_soon(listener.serve, silent)
        with pytest.raises(AttemptTimeoutError, match=r"within 0\.05 s") as caught:
            await get(carrier, url, timeout=0.05)
        assert caught.value.code == NEVER_CONNECTED
        await closed.wait()
        closed = anyio.Event()
        with anyio.move_on_after(0.05):
            await get(carrier, url, timeout=None)
        await closed.wait()
        tasks.cancel_scope.cancel()


def test_one_transport_serves_one_loop_after_another() -> None:
    async def serve(carrier: FastTransport) -> bytes:
        async with serving({"/x": response(b"ok")}) as files:
            return await get(carrier, f"{files.url}/x")

    carrier = FastTransport()
    for backend in ("asyncio", "trio", "asyncio"):
        assert anyio.run(serve, carrier, backend=backend) == b"ok"
    anyio.run(carrier.aclose)


async def test_preparing_twice_changes_nothing_and_opens_nothing() -> None:
    async with transport() as carrier:
        carrier.prepare()
        heads = carrier.heads
        carrier.prepare()
        assert carrier.heads is heads

"""The seam to the network, against real sockets: what comes through, what is refused, what is never said."""

from __future__ import annotations

import gc
import gzip
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from file_server import Files, certificate_for, response, serving

from turnout.config.errors import ConfigError
from turnout.providers.dialect import WireRequest
from turnout.providers.errors import (
    AttemptTimeoutError,
    ConnectionFailedError,
    MalformedResponseError,
    ProviderError,
)
from turnout.providers.http import FastTransport
from turnout.providers.transport import NEVER_CONNECTED, NEVER_SENT, HttpxTransport, Transport

pytestmark = pytest.mark.anyio

Answer = Callable[[SocketStream], Awaitable[None]]
Opening = Callable[[], AbstractAsyncContextManager[Transport]]
Fetching = Callable[..., Awaitable[tuple[int, bytes]]]


async def request_of(stream: SocketStream) -> bytes:
    """One whole request, in however many packets it comes."""
    data = b""
    while not data.endswith(b"\r\n\r\n{}"):
        data += await stream.receive()
    return data


def saying(*pieces: bytes) -> Answer:
    """A server that reads one request, writes the pieces and hangs up."""

    async def answer(stream: SocketStream) -> None:
        await request_of(stream)
        for piece in pieces:
            await stream.send(piece)

    return answer


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """A server on loopback that treats each connection the same; gives its URL."""

    async def connected(stream: SocketStream) -> None:
        async with stream:
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
                await answer(stream)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, connected)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


def post(url: str, **headers: str) -> WireRequest:
    return WireRequest("POST", f"{url}/v1/chat/completions", headers, b"{}")


@pytest.fixture(params=[HttpxTransport, FastTransport], ids=["httpx", "fast"])
def transport(request: pytest.FixtureRequest) -> Opening:
    """Opens a transport of each road that ships."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Transport]:
        carrier = request.param()
        carrier.prepare()
        try:
            yield carrier
        finally:
            await carrier.aclose()

    return opening


@pytest.fixture
def fetch(transport: Opening) -> Fetching:
    """Status and body of one exchange."""

    async def fetching(url: str, *, max_bytes: int | None = None, **headers: str) -> tuple[int, bytes]:
        async with transport() as carrier:
            async with carrier.send(post(url, **headers), connect_timeout=5, max_bytes=max_bytes) as response:
                return response.status, b"".join([piece async for piece in response.chunks()])

    return fetching


async def test_bytes_come_as_they_are_with_lower_case_headers(transport: Opening) -> None:
    head = b"HTTP/1.1 503 Busy\r\nX-Request-ID: 7\r\ncontent-length: 6\r\n\r\n"
    async with server(saying(head, b"abc", b"def")) as url, transport() as carrier:
        async with carrier.send(post(url), connect_timeout=5) as response:
            assert (response.status, response.headers["x-request-id"]) == (503, "7")
            pieces = []
            while piece := await response.read():
                pieces.append(piece)
            assert await response.read() == b""

    assert b"".join(pieces) == b"abcdef"


async def test_the_request_goes_out_as_it_was_written(fetch: Fetching) -> None:
    seen: list[bytes] = []

    async def listen(stream: SocketStream) -> None:
        seen.append(await request_of(stream))
        await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async with server(listen) as url:
        headers: dict[str, Any] = {"Authorization": "Bearer k", "Content-Type": "application/json"}
        await fetch(url, **headers)

    head, _, body = seen[0].lower().partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"post /v1/chat/completions http/1.1"
    assert {b"authorization: bearer k", b"accept-encoding: identity", b"user-agent: turnout"} <= set(lines)
    assert body == b"{}"


async def test_redirects_are_not_followed_and_cookies_not_kept(transport: Opening) -> None:
    requests: list[bytes] = []

    async def redirect(stream: SocketStream) -> None:
        while True:
            requests.append(await request_of(stream))
            await stream.send(
                b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: id=1\r\ncontent-length: 0\r\n\r\n"
            )

    async with server(redirect) as url, transport() as carrier:
        for _ in range(2):
            async with carrier.send(post(url), connect_timeout=5) as response:
                assert response.status == 302
                await response.read()

    assert len(requests) == 2
    assert b"cookie" not in requests[1].lower()


async def test_a_compressed_body_is_unpacked_and_its_size_counted_unpacked(fetch: Fetching) -> None:
    packed = gzip.compress(b"x" * 100_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with server(saying(head, packed)) as url:
        assert await fetch(url) == (200, b"x" * 100_000)
        with pytest.raises(MalformedResponseError, match="larger than 50000 bytes"):
            await fetch(url, max_bytes=50_000)


async def test_a_bomb_is_defused(fetch: Fetching) -> None:
    packed = gzip.compress(b"0" * (200 * 1024 * 1024))
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    tracemalloc.start()
    try:
        async with server(saying(head, packed)) as url:
            with pytest.raises(MalformedResponseError, match="larger than 1000000 bytes"):
                await fetch(url, max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all(fetch: Fetching) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (200 * 1024 * 1024)
    async with server(saying(head)) as url:
        with pytest.raises(MalformedResponseError, match="max_response_bytes"):
            await fetch(url, max_bytes=1024)


@pytest.mark.parametrize(
    ("pieces", "error", "words"),
    [
        ((), ConnectionFailedError, "hung up"),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",), ConnectionFailedError, "hung up"),
        ((b"SSH-2.0-OpenSSH\r\n\r\n",), ProviderError, "hung up|not proper HTTP"),
        (
            (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",),
            MalformedResponseError,
            "content-encoding is broken",
        ),
        (
            (b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 3\r\n\r\nabc",),
            MalformedResponseError,
            "'br', which was not asked for",
        ),
    ],
    ids=["nothing", "half a body", "no HTTP", "no gzip", "brotli"],
)
async def test_what_breaks_on_the_way_has_a_type(
    fetch: Fetching, pieces: tuple[bytes, ...], error: type[ProviderError], words: str
) -> None:
    async with server(saying(*pieces)) as url:
        with pytest.raises(error, match=words):
            await fetch(url)


async def test_a_server_that_is_not_there_was_never_sent_anything(fetch: Fetching) -> None:
    async with server(saying()) as url:
        pass
    with pytest.raises(ConnectionFailedError, match="no connection to the server") as caught:
        await fetch(url)
    assert caught.value.code == NEVER_SENT


async def test_waiting_for_a_connection_has_its_own_limit(transport: Opening) -> None:
    async def slow_tls(stream: SocketStream) -> None:
        await anyio.sleep_forever()

    async with server(slow_tls) as url, transport() as carrier:
        with pytest.raises(AttemptTimeoutError, match=r"within 0\.1 s") as caught:
            async with carrier.send(post(url.replace("http:", "https:")), connect_timeout=0.1):
                raise AssertionError
    assert caught.value.code == NEVER_CONNECTED


@pytest.mark.parametrize("key", ["Bearer sk-secret\nx: y", "Bearer sk-secret-\u2013"])
async def test_a_header_that_cannot_be_sent_is_our_own_mistake_and_is_not_repeated(
    fetch: Fetching, key: str
) -> None:
    async with server(saying()) as url:
        with pytest.raises(ConfigError, match="header") as caught:
            await fetch(url, authorization=key)

    assert "sk-secret" not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://[::1", "no url"])
async def test_a_url_that_is_none_is_our_own_mistake(fetch: Fetching, url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        await fetch(url)


async def test_an_error_of_the_program_itself_is_not_dressed_up() -> None:
    class Broken:
        def build_request(self, *_: object, **__: object) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with HttpxTransport(Broken()).send(post("http://127.0.0.1:9"), connect_timeout=1):
            raise AssertionError


@pytest.mark.parametrize("pieces_read", [0, 1])
async def test_leaving_early_closes_the_socket_and_leaks_nothing(
    transport: Opening, pieces_read: int
) -> None:
    closed = anyio.Event()

    async def endless(stream: SocketStream) -> None:
        await request_of(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        try:
            while True:
                await stream.send(b"data: {}\n\n")
                await anyio.sleep(0.005)
        finally:
            closed.set()

    async with server(endless) as url, transport() as carrier:
        async with carrier.send(post(url), connect_timeout=5) as response:
            for _ in range(pieces_read):
                assert await response.read()
        with anyio.fail_after(2):
            await closed.wait()
    gc.collect()  # a generator left half-way would warn here, and warnings are errors


async def test_cancelling_a_read_closes_the_socket_and_leaks_nothing(transport: Opening) -> None:
    gone = anyio.Event()

    async def silent(stream: SocketStream) -> None:
        await request_of(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            await stream.receive()
        finally:
            gone.set()

    async with server(silent) as url, transport() as carrier:
        with anyio.move_on_after(0.1) as scope:
            async with carrier.send(post(url), connect_timeout=5) as response:
                await response.read()
        assert scope.cancelled_caught
        with anyio.fail_after(2):
            await gone.wait()
    gc.collect()


async def test_closing_twice_is_fine_and_sending_again_opens_again(transport: Opening) -> None:
    answer = saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    async with server(answer) as url, transport() as carrier:
        for _ in range(2):
            async with carrier.send(post(url), connect_timeout=5) as response:
                assert await response.read() == b"ok"
            await carrier.aclose()
        await carrier.aclose()


def pinned(files: Files, host: str, address: str = "127.0.0.1") -> WireRequest:
    url = f"{files.url.partition(':')[0]}://{host}:{files.port}/it"
    return WireRequest("GET", url, {"accept": "*/*"}, b"", address=address)


async def body_of(carrier: Transport, request: WireRequest) -> bytes:
    async with carrier.send(request, connect_timeout=5) as response:
        return b"".join([piece async for piece in response.chunks()])


async def test_a_request_goes_to_the_address_it_names_under_its_hosts_own_name(transport: Opening) -> None:
    async with serving({"/it": response(b"ok")}) as files, transport() as carrier:
        assert await body_of(carrier, pinned(files, "nobody.invalid")) == b"ok"
        assert await body_of(carrier, pinned(files, "[2001:db8::1]")) == b"ok"

    assert [headers["host"] for _, headers in files.asked] == [
        f"nobody.invalid:{files.port}",
        f"[2001:db8::1]:{files.port}",
    ]


async def test_an_address_of_the_longer_kind_will_do(transport: Opening) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with serving({"/it": response(b"ok")}, host="::1") as files, transport() as carrier:
        assert await body_of(carrier, pinned(files, "nobody.invalid", "::1")) == b"ok"


async def test_the_certificate_must_bear_the_hosts_name_and_not_the_address(
    transport: Opening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str | None] = []
    tls, trusted = certificate_for("images.example", tmp_path)
    tls.sni_callback = lambda _, name, __: names.append(name)
    async with serving({"/it": response(b"ok")}, tls=tls) as files, transport() as carrier:
        with pytest.raises(ConnectionFailedError, match=r"self.signed"):  # nobody has vouched for it
            await body_of(carrier, pinned(files, "images.example"))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with serving({"/it": response(b"ok")}, tls=tls) as files, transport() as carrier:
        assert await body_of(carrier, pinned(files, "images.example")) == b"ok"
        for other in ("other.example", "127.0.0.1"):
            with pytest.raises(ConnectionFailedError, match=r"mismatch|not valid for") as caught:
                await body_of(carrier, pinned(files, other))
            assert caught.value.code == NEVER_SENT

    assert names == ["images.example", "images.example", "other.example", None]
    assert len(files.asked) == 1


async def test_a_host_that_is_an_address_is_checked_as_one(
    transport: Opening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, trusted = certificate_for("127.0.0.1", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with serving({"/it": response(b"ok")}, tls=tls) as files, transport() as carrier:
        assert await body_of(carrier, pinned(files, "127.0.0.1")) == b"ok"


async def test_nothing_of_a_given_client_travels_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    headers = {"authorization": "Bearer sk-secret", "cookie": "id=1"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        carrier = HttpxTransport(client)
        async with serving({"/it": response(b"ok", set_cookie="id=2")}) as files:
            for _ in range(2):
                assert await body_of(carrier, pinned(files, "nobody.invalid")) == b"ok"
        await carrier.aclose()
        assert not client.is_closed

    assert len(files.asked) == 2
    for _, sent in files.asked:
        assert set(sent) == {"host", "accept", "accept-encoding", "connection", "user-agent"}


async def test_its_connection_serves_no_other_name(transport: Opening) -> None:
    connections: list[object] = []

    async def keeps_open(stream: ByteStream) -> None:
        connections.append(stream)
        await stream.send(response(b"ok"))
        await stream.receive()

    async with serving({"/it": keeps_open}) as files, transport() as carrier:
        for name in ("a.example", "b.example"):
            assert await body_of(carrier, pinned(files, name)) == b"ok"
    assert len(connections) == 2

"""Getting there: names, addresses, servers that are not there or are deaf, calls that name an address."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from known_differences import unable
from raw_server import SILENCE, raw_server, says
from roads import Answer, Failure, Road, asking, exchange, meeting, over
from wire_cases import sized

from turnout.config.errors import ConfigError
from turnout.providers.dialect import WireRequest
from turnout.providers.transport import NEVER_CONNECTED, NEVER_SENT

pytestmark = pytest.mark.anyio

FINE = sized(5) + b"hello"


@pytest.fixture
def six() -> str:
    """The loopback of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    return "::1"


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a server whose queue is full, so that the system leaves a greeting unanswered."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield listener.getsockname()[1]
        for filler in fillers:
            filler.close()


async def test_nobody_listens(road: Road, road_name: str) -> None:
    async with raw_server(says(FINE)) as gone:
        pass
    async with over(road) as carrier:
        seen = await exchange(carrier, gone.url)
    seen.check(Failure("connection", "no connection to the server", NEVER_SENT))
    assert unable(road_name, "why nobody was reached") or "(Connection refused)" in str(seen.error)


async def test_nobody_has_the_name(road: Road) -> None:
    async with over(road) as carrier:
        seen = await exchange(carrier, "http://nobody.invalid")
    seen.check(Failure("connection", "no connection to the server", NEVER_SENT))


async def test_nobody_answers_the_greeting(road: Road, deaf: int) -> None:
    async with over(road) as carrier:
        seen = await exchange(carrier, f"http://127.0.0.1:{deaf}", connect_timeout=0.1)
    seen.check(Failure("timeout", r"no connection to the server within 0\.1 s", NEVER_CONNECTED))


async def test_the_limit_on_connecting_is_none_on_answering(road: Road) -> None:
    async with meeting(road, says(SILENCE)) as (server, carrier):
        with pytest.raises(TimeoutError):
            await exchange(carrier, asking(server.url), connect_timeout=0.1, patience=0.3)
        await server.until(lambda server: server.open == 0)


async def test_an_address_of_the_longer_kind(road: Road, six: str) -> None:
    async with meeting(road, says(FINE), host=six) as (server, carrier):
        (await exchange(carrier, server.url)).check(Answer(b"hello"))
        assert f"host: [::1]:{server.port}".encode() in server.requests[0].lower()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_name_with_two_addresses_of_which_one_answers(road: Road, six: str, host: str) -> None:
    async with meeting(road, says(FINE), host=host) as (server, carrier):
        if {info[4][0] for info in socket.getaddrinfo("localhost", 1)} >= {"127.0.0.1", "::1"}:
            (await exchange(carrier, f"http://localhost:{server.port}")).check(Answer(b"hello"))


async def test_a_pinned_call_goes_to_its_address_under_its_name(road: Road) -> None:
    async with meeting(road, says(FINE)) as (server, carrier):
        for name, host in (("nobody.invalid", "nobody.invalid"), ("[2001:db8::1]", "[2001:db8::1]")):
            request = asking(f"http://{name}:{server.port}", address="127.0.0.1")
            (await exchange(carrier, request)).check(Answer(b"hello"))
            assert f"host: {host}:{server.port}".encode() in server.requests[-1].lower()
        assert server.accepted == 2  # a connection is only as good as the name it was made for
        await server.until(lambda server: server.open == 0)


async def test_a_pinned_call_may_name_an_address_of_the_longer_kind(road: Road, six: str) -> None:
    async with meeting(road, says(FINE), host=six) as (server, carrier):
        request = asking(f"http://nobody.invalid:{server.port}", address=six)
        (await exchange(carrier, request)).check(Answer(b"hello"))


async def test_a_pinned_call_takes_no_idle_connection_and_leaves_none(road: Road) -> None:
    async with meeting(road, says(FINE)) as (server, carrier):
        for address in (None, "127.0.0.1", None):
            (await exchange(carrier, asking(server.url, address=address))).check(Answer(b"hello"))
        assert [len(peer.requests) for peer in server.peers] == [2, 1]


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "http://[::1", "no url", "http://", "http://127.0.0.1:99999"]
)
async def test_a_url_that_is_none_is_our_own_mistake(road: Road, road_name: str, url: str) -> None:
    if unable(road_name, "a port beyond 65535 is a ConfigError") and "99999" in url:
        return
    async with over(road) as carrier:
        with pytest.raises(ConfigError, match="base_url"):
            await exchange(carrier, url)


BAD_VALUES = ["sk-secret\r\nx: y", "sk-secret\nx: y", "sk-secret\rx", "sk-secret\0", "sk-secret-\u2013"]


@pytest.mark.parametrize("value", BAD_VALUES)
async def test_a_header_that_cannot_be_sent_is_our_own_mistake(road: Road, value: str) -> None:
    async with meeting(road, says(FINE)) as (server, carrier):
        with pytest.raises(ConfigError, match="header") as caught:
            await exchange(carrier, asking(server.url, authorization=value))
        chain = (caught.value, caught.value.__cause__, caught.value.__context__)
        assert "sk-secret" not in "".join(repr(error) for error in chain)
        assert server.requests == []
        (await exchange(carrier, server.url)).check(Answer(b"hello"))


async def test_a_header_name_that_cannot_be_sent_is_our_own_mistake(road: Road) -> None:
    async with meeting(road, says(FINE)) as (server, carrier):
        for name in ("x one", "x:one", "x\r\none", ""):
            with pytest.raises(ConfigError, match="header"):
                await exchange(carrier, WireRequest("POST", server.url, {name: "1"}, b"{}"))
        assert server.requests == []


async def test_a_request_line_cannot_be_smuggled(road: Road) -> None:
    async with meeting(road, says(FINE)) as (server, carrier):
        try:
            await exchange(carrier, f"{server.url}/a b\r\nx: y?q=1 2#f")
        except ConfigError:
            assert server.requests == []
        else:
            [request] = server.requests
            first, *lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
            assert first.count(b" ") == 2
            assert not any(line.lower().startswith(b"x:") for line in lines)


async def test_the_request_goes_out_as_it_was_written(road: Road) -> None:
    async with meeting(road, says(FINE)) as (server, carrier):
        headers = {"Authorization": "Bearer k", "Content-Type": "application/json", "User-Agent": "mine"}
        request = asking(f"{server.url}/a%20b", body=b'{"a": 1}', **headers)
        (await exchange(carrier, request)).check(Answer(b"hello"))
        (await exchange(carrier, asking(f"{server.url}/?q=%2F&r=a+b", method="GET", body=b""))).check(
            Answer(b"hello")
        )

    first, second = server.requests
    head, _, body = first.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    assert (line, body) == ("POST /a%20b/v1/chat/completions HTTP/1.1", b'{"a": 1}')
    assert sorted(field.lower() for field in fields) == sorted(
        {
            f"host: 127.0.0.1:{server.port}",
            "accept: */*",
            "accept-encoding: identity",
            "connection: keep-alive",
            "user-agent: mine",
            "authorization: bearer k",
            "content-type: application/json",
            "content-length: 8",
        }
    )
    assert second.startswith(b"GET /?q=%2F&r=a+b/v1/chat/completions HTTP/1.1\r\n")
    assert b"content-length" not in second.lower()

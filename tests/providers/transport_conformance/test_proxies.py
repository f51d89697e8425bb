"""Proxies from the environment: plain ones, tunnels, refusals, and whom they do not concern."""

from __future__ import annotations

import base64

import pytest
from authority import Authority
from known_differences import unable
from raw_server import FIN, RST, SILENCE, Pause, Peer, Script, Step, over_tls, raw_server, says, take
from roads import Answer, Failure, Outcome, Road, asking, exchange, meeting
from wire_cases import sized

from turnout.config.errors import ConfigError
from turnout.providers.transport import NEVER_CONNECTED, NEVER_SENT

pytestmark = pytest.mark.anyio

FINE = sized(5) + b"hello"
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
PLAIN, SECURE = "http://nobody.invalid:8080", "https://nobody.invalid"


def lines_of(request: bytes) -> list[str]:
    head = request.partition(b"\r\n\r\n")[0].decode("ascii")
    first, *lines = head.split("\r\n")
    return [first, *(line.lower() for line in lines)]


def tunnel(authority: Authority, *opening: Step, inside: Script | None = None) -> Script:
    """A proxy that takes these steps on CONNECT, and what is found behind it."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if not await take(peer, opening or (OPENED,)):
            await over_tls(authority.server("nobody.invalid"), inside or says(FINE))(peer)

    return script


@pytest.fixture(params=["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def for_plain(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_plain_call_is_handed_to_the_proxy_whole(
    road: Road, monkeypatch: pytest.MonkeyPatch, for_plain: str
) -> None:
    async with raw_server(says(FINE)) as proxy:
        monkeypatch.setenv(for_plain, f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        async with meeting(road, says(FINE)) as (_, carrier):
            for _ in range(3):
                (await exchange(carrier, asking(PLAIN, authorization="Bearer k"))).check(Answer(b"hello"))
            await carrier.aclose()

    assert proxy.accepted == 1
    first, *lines = lines_of(proxy.requests[0])
    assert first == "POST http://nobody.invalid:8080/v1/chat/completions HTTP/1.1"
    told = base64.b64encode(b"me:p@ss").decode().lower()
    assert {
        f"proxy-authorization: basic {told}",
        "host: nobody.invalid:8080",
        "authorization: bearer k",
    } <= set(lines)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_secured_call_goes_through_a_tunnel_of_which_the_proxy_learns_nothing(
    road: Road, authority: Authority, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with raw_server(tunnel(authority)) as proxy:
        monkeypatch.setenv(name, f"http://me:pass@127.0.0.1:{proxy.port}")
        async with meeting(road, says(FINE)) as (direct, carrier):
            for _ in range(3):
                seen = await exchange(carrier, asking(SECURE, authorization="Bearer sk-secret"))
                seen.check(Answer(b"hello"))
            await carrier.aclose()
            assert direct.accepted == 0

    assert proxy.accepted == 1
    asked, *inner = proxy.requests
    assert lines_of(asked)[0] == "CONNECT nobody.invalid:443 HTTP/1.1"
    assert b"sk-secret" not in asked
    assert b"proxy-authorization" in asked.lower()
    assert [lines_of(request)[0] for request in inner] == ["POST /v1/chat/completions HTTP/1.1"] * 3
    assert b"proxy-authorization" not in b"".join(inner).lower()
    assert proxy.peers[0].server_name == "nobody.invalid"


async def test_a_proxy_may_be_spoken_to_in_tls(
    road: Road, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(over_tls(authority.server("localhost"), says(FINE))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"https://localhost:{proxy.port}")
        async with meeting(road, says(FINE)) as (_, carrier):
            (await exchange(carrier, PLAIN)).check(Answer(b"hello"))
            await carrier.aclose()
    assert lines_of(proxy.requests[0])[0].startswith("POST http://nobody.invalid:8080/")


TUNNELS: dict[str, tuple[tuple[Step, ...], Outcome]] = {
    "interim first": ((b"HTTP/1.1 100 Continue\r\n\r\n" + OPENED,), Answer(b"hello")),
    "with headers": ((OPENED[:-2] + b"via: x\r\n\r\n",), Answer(b"hello")),
    "in pieces": ((OPENED[:9], Pause(0.002), OPENED[9:]), Answer(b"hello")),
    "in HTTP/1.0": ((b"HTTP/1.0 200 OK\r\n\r\n",), Answer(b"hello")),
    "refused": (
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno", FIN),
        Failure("connection", "the proxy refused the connection"),
    ),
    "wants a password": (
        (b"HTTP/1.1 407 Who Are You\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n", SILENCE),
        Failure("connection", "the proxy refused the connection"),
    ),
    "cannot reach it": (
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", FIN),
        Failure("connection", "the proxy refused the connection"),
    ),
    "sends elsewhere": (
        (b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.invalid\r\ncontent-length: 0\r\n\r\n", SILENCE),
        Failure("connection", "the proxy refused the connection"),
    ),
    "cut": ((FIN,), Failure("connection", "hung up")),
    "cut in its answer": ((OPENED[:20], FIN), Failure("connection", "hung up")),
    "reset": ((RST,), Failure("connection", "broke|reset")),
    "garbage": ((b"SSH-2.0\r\n\r\n", FIN), Failure("malformed", "HTTP")),
    "cut once open": ((OPENED, FIN), Failure("connection", "no connection to the server", NEVER_SENT)),
    "reset once open": ((OPENED, Pause(0.01), RST),
                        Failure("connection", "no connection to the server", NEVER_SENT)),
}  # fmt: skip


@pytest.mark.parametrize("case", TUNNELS)
async def test_what_a_proxy_says_to_connect(
    road: Road, road_name: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    steps, outcome = TUNNELS[case]
    if unable(road_name, f"a tunnel: {case}"):
        outcome = Failure("connection", "hung up")
    async with raw_server(tunnel(authority, *steps)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:sk-secret@127.0.0.1:{proxy.port}")
        async with meeting(road, says(FINE)) as (_, carrier):
            seen = await exchange(carrier, SECURE)
            seen.check(outcome)
            assert "secret" not in repr(seen.error)
            assert proxy.accepted == 1
            await carrier.aclose()


async def test_behind_a_tunnel_the_server_must_be_who_it_says(
    road: Road, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(tunnel(authority)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with meeting(road, says(FINE)) as (_, carrier):
            seen = await exchange(carrier, "https://somebody.invalid")
            seen.check(Failure("connection", "mismatch|not valid for", NEVER_SENT))
            await carrier.aclose()


async def test_a_proxy_that_is_not_there_was_never_sent_anything(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(says(FINE)) as gone:
        pass
    for name, url in (("HTTP_PROXY", PLAIN), ("HTTPS_PROXY", SECURE)):
        monkeypatch.setenv(name, f"http://127.0.0.1:{gone.port}")
        async with meeting(road, says(FINE)) as (_, carrier):
            (await exchange(carrier, url)).check(Failure("connection", "no connection", NEVER_SENT))


async def test_a_proxy_that_never_answers_ends_with_the_limit_on_connecting(
    road: Road, road_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(Peer.gone) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with meeting(road, says(FINE)) as (_, carrier):
            if unable(road_name, "the limit on connecting covers a tunnel"):
                with pytest.raises(TimeoutError):
                    await exchange(carrier, SECURE, connect_timeout=0.1, patience=0.3)
            else:
                seen = await exchange(carrier, SECURE, connect_timeout=0.05)
                seen.check(Failure("timeout", r"within 0\.05 s", NEVER_CONNECTED))
            await proxy.until(lambda proxy: proxy.open == 0)
            await carrier.aclose()


@pytest.mark.parametrize(
    "spared", ["127.0.0.1", "*", "elsewhere.example, 127.0.0.1", "127.0.0.1:{port}", "http://127.0.0.1"]
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
async def test_some_hosts_are_spared(
    road: Road, road_name: str, monkeypatch: pytest.MonkeyPatch, name: str, spared: str
) -> None:
    if unable(road_name, f"NO_PROXY={spared}"):
        return
    async with raw_server(says(FINE)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with raw_server(says(FINE)) as direct:
            monkeypatch.setenv(name, spared.format(port=direct.port))
            async with meeting(road, says(FINE)) as (_, carrier):
                (await exchange(carrier, direct.url)).check(Answer(b"hello"))
                await carrier.aclose()
            assert (proxy.accepted, direct.accepted) == (0, 1)


@pytest.mark.parametrize("spared", ["", "elsewhere.example", "example.com,27.0.0.1"])
async def test_others_are_not(road: Road, monkeypatch: pytest.MonkeyPatch, spared: str) -> None:
    monkeypatch.setenv("NO_PROXY", spared)
    async with raw_server(says(FINE)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with meeting(road, says(FINE)) as (direct, carrier):
            (await exchange(carrier, direct.url)).check(Answer(b"hello"))
            await carrier.aclose()
            assert (proxy.accepted, direct.accepted) == (1, 0)


async def test_a_pinned_call_knows_no_proxy(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with meeting(road, says(FINE)) as (server, carrier):
        request = asking(f"http://nobody.invalid:{server.port}", address="127.0.0.1")
        (await exchange(carrier, request)).check(Answer(b"hello"))


async def test_a_proxy_that_is_no_url_is_our_own_mistake(
    road: Road, road_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(Exception) as caught:
        async with meeting(road, says(FINE)) as (_, carrier):
            await exchange(carrier, PLAIN)
    if not unable(road_name, "a proxy that is no URL is a ConfigError"):
        assert caught.group_contains(ConfigError)

"""TLS: who the server has to be, and every way in which it can fail or be cut."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from authority import Authority
from raw_server import FIN, RST, Pause, Peer, Script, over_tls, says, take
from roads import Answer, Failure, Outcome, Road, asking, exchange, meeting
from wire_cases import CHUNKED, END, HELLO, OK, singly, sized

from turnout.providers.transport import NEVER_CONNECTED, NEVER_SENT

pytestmark = pytest.mark.anyio

FINE = sized(5) + b"hello"
BYE = "bye"


def saying(*steps: bytes | Pause | str) -> Script:
    """Like `says`; the step BYE sends TLS's own goodbye."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            for step in steps:
                if step == BYE:
                    await peer.say_goodbye()
                elif await take(peer, [step]):
                    return

    return script


async def call(road: Road, script: Script, outcome: Outcome, *, host: str = "localhost") -> None:
    async with meeting(road, script, scheme="https") as (server, carrier):
        (await exchange(carrier, f"https://{host}:{server.port}")).check(outcome)


ANSWERS: dict[str, tuple[tuple[bytes | Pause | str, ...], Outcome]] = {
    "length": ((FINE,), Answer(b"hello")),
    "byte by byte": (singly(FINE), Answer(b"hello")),
    "chunked": ((CHUNKED + HELLO + END,), Answer(b"hello")),
    "a megabyte": ((sized(1_000_000), b"x" * 1_000_000), Answer(b"x" * 1_000_000)),
    "until close, with a goodbye": ((OK + b"\r\nhello", BYE, FIN), Answer(b"hello")),
    "nothing, with a goodbye": ((BYE, FIN), Failure("connection", "hung up")),
    "half a head, with a goodbye": ((OK, BYE, FIN), Failure("connection", "hung up")),
    "half a head, cut": ((OK, FIN), Failure("connection", "hung up")),
    "half a body, with a goodbye": ((sized(9) + b"hello", BYE, FIN),
                                    Failure("connection", "hung up", got=b"hello")),
    "half a body, cut": ((sized(9) + b"hello", Pause(0.002), FIN),
                         Failure("connection", "hung up", got=b"hello")),
    "half a body, reset": ((sized(9) + b"hello", Pause(0.002), RST),
                           Failure("connection", "broke|reset", got=b"hello")),
    "half a chunk, cut": ((CHUNKED + b"9\r\nhello", Pause(0.002), FIN),
                          Failure("connection", "hung up", got=b"hello")),
    "no last chunk, cut": ((CHUNKED + HELLO, Pause(0.002), FIN),
                           Failure("connection", "hung up", got=b"hello")),
    "all of the chunks, then cut": ((CHUNKED + HELLO + END, FIN), Answer(b"hello")),
    "all of the length, then cut": ((FINE, FIN), Answer(b"hello")),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
async def test_answers_over_tls(road: Road, authority: Authority, case: str) -> None:
    steps, outcome = ANSWERS[case]
    await call(road, over_tls(authority.server("localhost"), saying(*steps)), outcome)


async def test_an_end_without_goodbye_is_taken_for_one(road: Road, authority: Authority) -> None:
    """Where nothing but the connection's end tells the answer's, many servers leave out TLS's goodbye.

    That something was cut off shows in what the bytes say: every dialect has a terminal event or is JSON.
    """
    script = over_tls(authority.server("localhost"), saying(OK + b"\r\nhello", FIN))
    await call(road, script, Answer(b"hello"))


def refused(says: str) -> Failure:
    return Failure("connection", says, NEVER_SENT)


async def test_the_name_must_be_the_servers(road: Road, authority: Authority) -> None:
    script = over_tls(authority.server("elsewhere.example"), says(FINE))
    await call(road, script, refused("mismatch|not valid for"))


async def test_the_address_must_be_the_servers(road: Road, authority: Authority) -> None:
    script = over_tls(authority.server("localhost"), says(FINE))
    await call(road, script, refused("mismatch|not valid for"), host="127.0.0.1")


async def test_the_certificate_must_not_have_expired(road: Road, authority: Authority) -> None:
    await call(road, over_tls(authority.server("localhost", expired=True), says(FINE)), refused("expired"))


async def test_somebody_must_vouch_for_it(road: Road, authority: Authority) -> None:
    script = over_tls(authority.server("localhost", self_signed=True), says(FINE))
    await call(road, script, refused("self.signed"))


async def test_somebody_we_know_must_vouch_for_it(road: Road, tmp_path: Path) -> None:
    script = over_tls(Authority(tmp_path).server("localhost"), says(FINE))
    await call(road, script, refused("unable to get local issuer|certificate signature failure"))


async def test_nothing_is_sent_to_a_server_that_is_not_trusted(road: Road, authority: Authority) -> None:
    script = over_tls(authority.server("localhost", self_signed=True), says(FINE))
    async with meeting(road, script, scheme="https") as (server, carrier):
        request = asking(f"https://localhost:{server.port}", authorization="Bearer sk-secret")
        seen = await exchange(carrier, request)
        assert "sk-secret" not in repr(seen.error)
        assert (server.accepted, server.requests) == (1, [])


HANDSHAKES: dict[str, tuple[bytes | str, ...]] = {
    "plain HTTP": (b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nuse http", FIN),
    "garbage": (bytes(range(1, 200)), FIN),
    "an alert": (b"\x15\x03\x03\x00\x02\x02\x28", FIN),
    "nothing": (FIN,),
    "a reset": (RST,),
    "half a record": (b"\x16\x03\x03\x00\x7a\x02\x00", FIN),
}


@pytest.mark.parametrize("case", HANDSHAKES)
async def test_what_shakes_no_hands_was_never_sent_anything(road: Road, case: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.receive()
        await take(peer, HANDSHAKES[case])

    await call(road, script, refused("no connection to the server"))


async def test_a_handshake_that_hangs_ends_with_the_limit_on_connecting(road: Road) -> None:
    async with meeting(road, Peer.gone, scheme="https") as (server, carrier):
        seen = await exchange(carrier, server.url, connect_timeout=0.05)
        seen.check(Failure("timeout", r"within 0\.05 s", NEVER_CONNECTED))
        await server.until(lambda server: server.open == 0)


async def test_the_server_hears_the_name_but_no_address(road: Road, authority: Authority) -> None:
    for host, heard in (("localhost", "localhost"), ("127.0.0.1", None)):
        script = over_tls(authority.server(host), says(FINE))
        async with meeting(road, script, scheme="https") as (server, carrier):
            (await exchange(carrier, f"https://{host}:{server.port}")).check(Answer(b"hello"))
            assert [peer.server_name for peer in server.peers] == [heard]


async def test_a_pinned_call_goes_under_its_name(road: Road, authority: Authority) -> None:
    script = over_tls(authority.server("images.example"), says(FINE))
    async with meeting(road, script, scheme="https") as (server, carrier):
        url = f"https://images.example:{server.port}"
        (await exchange(carrier, asking(url, address="127.0.0.1"))).check(Answer(b"hello"))
        (await exchange(carrier, asking(server.url, address="127.0.0.1"))).check(
            refused("mismatch|not valid")
        )
        assert server.peers[0].server_name == "images.example"
        assert f"host: images.example:{server.port}".encode() in server.requests[0].lower()


async def test_one_handshake_serves_many_calls(road: Road, authority: Authority) -> None:
    """The tickets that a server sends after the handshake are no noise on an idle connection."""
    script = over_tls(authority.server("localhost"), says(FINE))
    async with meeting(road, script, scheme="https") as (server, carrier):
        for _ in range(10):
            (await exchange(carrier, f"https://localhost:{server.port}")).check(Answer(b"hello"))
        assert (server.accepted, len(server.requests)) == (1, 10)


async def test_an_idle_connection_that_said_goodbye_is_not_asked_again(
    road: Road, authority: Authority
) -> None:
    script = over_tls(authority.server("localhost"), saying(FINE, BYE, FIN))
    async with meeting(road, script, scheme="https") as (server, carrier):
        for number in range(3):
            (await exchange(carrier, f"https://localhost:{server.port}")).check(Answer(b"hello"))
            assert server.accepted == number + 1
            await server.until(lambda server: len(server.requests) == server.accepted)


async def test_large_both_ways(road: Road, authority: Authority) -> None:
    body = bytes(range(256)) * 8000
    script = over_tls(authority.server("localhost"), says(sized(len(body)), body))
    async with meeting(road, script, scheme="https") as (server, carrier):
        url = f"https://localhost:{server.port}"
        for _ in range(2):
            (await exchange(carrier, asking(url, body=body))).check(Answer(body))
        assert {request.partition(b"\r\n\r\n")[2] for request in server.requests} == {body}


async def test_a_reader_who_does_not_read_stops_the_server(road: Road, authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(sized(50_000_000))
        for _ in range(500):
            await peer.send(bytes(100_000))

    async with meeting(road, over_tls(authority.server("localhost"), script), scheme="https") as (
        server,
        carrier,
    ):
        request = asking(f"https://localhost:{server.port}")
        async with carrier.send(request, connect_timeout=5) as response:
            assert await response.read()
            sent = -1
            while server.peers[0].sent > sent:  # until nothing moves any more
                sent = server.peers[0].sent
                await anyio.sleep(0.05)
            assert sent < 20_000_000

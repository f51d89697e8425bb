"""Connections that serve many calls: when they do, when they must not, and what happens at the edge."""

from __future__ import annotations

import gc

import anyio
import pytest
from known_differences import unable
from raw_server import (
    FIN,
    RST,
    SILENCE,
    GoneError,
    Pause,
    Peer,
    Script,
    Step,
    by_connection,
    by_turns,
    raw_server,
    says,
)
from roads import Answer, Road, asking, exchange, meeting
from wire_cases import CHUNKED, END, HELLO, OK, sized

pytestmark = pytest.mark.anyio

FINE = sized(5) + b"hello"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"

REUSED = {
    "length": FINE,
    "no bytes": sized(0),
    "chunked": CHUNKED + HELLO + END,
    "trailers": CHUNKED + HELLO + b"0\r\nx-checksum: 1\r\n\r\n",
    "interim first": INTERIM + FINE,
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n",
    "an error": b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}",
    "keep-alive said": sized(5, b"connection: keep-alive", b"keep-alive: timeout=60") + b"hello",
}
NOT_REUSED = {
    "connection close": (sized(5, b"connection: close") + b"hello", SILENCE),
    "connection close among others": (sized(5, b"connection: x-one, Close") + b"hello", SILENCE),
    "connection close on a second line": (sized(5, b"connection: x", b"connection: close") + b"hello",
                                          SILENCE),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", SILENCE),
    "until close": (OK + b"\r\nhello", FIN),
    "close after the answer": (FINE, FIN),
    "reset after the answer": (FINE, RST),
}  # fmt: skip
UNANNOUNCED = ("close after the answer", "reset after the answer")
"""Nobody looks at an idle connection until it is needed again."""


@pytest.mark.parametrize("case", REUSED)
async def test_one_connection_serves_calls_one_after_another(road: Road, case: str) -> None:
    async with meeting(road, says(REUSED[case])) as (server, carrier):
        seen = [await exchange(carrier, server.url) for _ in range(20)]
        assert {(one.status, one.body, one.error) for one in seen} == {
            (seen[0].status, seen[0].body, None),
        }
        assert (server.accepted, len(server.requests)) == (1, 20)


@pytest.mark.parametrize("case", NOT_REUSED)
async def test_a_connection_that_ends_serves_no_second_call(road: Road, case: str) -> None:
    async with meeting(road, says(*NOT_REUSED[case])) as (server, carrier):
        for number in range(3):
            (await exchange(carrier, server.url)).check(Answer(b"hello"))
            if case not in UNANNOUNCED:
                await server.until(lambda server: server.open == 0)  # the client lets go without being asked
            await server.until(lambda server: server.open <= 1)
            assert server.accepted == number + 1


async def test_each_origin_has_its_own(road: Road) -> None:
    async with meeting(road, says(FINE)) as (one, carrier):
        async with raw_server(says(FINE)) as other:
            for _ in range(3):
                for server in (one, other):
                    (await exchange(carrier, server.url)).check(Answer(b"hello"))
            assert (one.accepted, other.accepted) == (1, 1)
            await carrier.aclose()


async def test_a_name_and_its_address_share_nothing(road: Road) -> None:
    async with meeting(road, says(FINE)) as (server, carrier):
        for host in ("127.0.0.1", "localhost"):
            await exchange(carrier, f"http://{host}:{server.port}")
        assert server.accepted == 2


async def test_forgetting_to_read_the_end_costs_at_most_the_connection(road: Road) -> None:
    """All of the body was there, but the caller left without asking whether more comes."""
    async with meeting(road, says(FINE)) as (server, carrier):
        for _ in range(3):
            async with carrier.send(asking(server.url), connect_timeout=5) as response:
                assert await response.read() == b"hello"
        (await exchange(carrier, server.url)).check(Answer(b"hello"))
        assert server.accepted <= 4


STIRS = FINE, Pause(0.005)
IDLE: dict[str, tuple[Step, ...]] = {
    "closes": (FINE, FIN),
    "closes a little later": (*STIRS, FIN),
    "resets": (*STIRS, RST),
    "says something": (*STIRS, b"junk", SILENCE),
    "gives an answer nobody asked for": (*STIRS, sized(6) + b"poison", SILENCE),
    "says 408 and closes": (*STIRS, b"HTTP/1.1 408 Too Slow\r\ncontent-length: 0\r\n\r\n", FIN),
}


@pytest.mark.parametrize("case", IDLE)
async def test_a_server_that_stirs_while_idle_is_not_asked_again_there(road: Road, case: str) -> None:
    async with meeting(road, says(*IDLE[case])) as (server, carrier):
        for _ in range(3):
            (await exchange(carrier, server.url)).check(Answer(b"hello"))
            await server.until(lambda server: server.peers[-1].taken == len(IDLE[case]))
        assert (server.accepted, len(server.requests)) == (3, 3)


JUNK = {
    "junk": (FINE + b"junk", b"hello"),
    "an answer": (FINE + sized(6) + b"poison", b"hello"),
    "junk after chunks": (CHUNKED + HELLO + END + b"junk", b"hello"),
    "line ends": (FINE + b"\r\n\r\n", b"hello"),
    "a body after 204": (b"HTTP/1.1 204 No Content\r\n\r\npoison", b""),
    "a body after 304": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\npoison", b""),
}


@pytest.mark.parametrize("case", JUNK)
async def test_what_comes_after_an_answer_is_never_the_next_one(
    road: Road, road_name: str, case: str
) -> None:
    """In one write with the answer, so that it is there before anybody could look."""
    data, body = JUNK[case]
    async with meeting(road, by_connection(says(data, SILENCE), says(FINE))) as (server, carrier):
        first = await exchange(carrier, server.url)
        assert (first.body, first.error) == (body, None)
        with anyio.move_on_after(0.2):
            second = await exchange(carrier, server.url)
        if unable(road_name, f"after an answer: {case}"):
            assert server.accepted == 1
        else:
            second.check(Answer(b"hello"))
            assert server.accepted == 2


def dies(how: str, *, after: bytes = b"") -> Script:
    """Serve one call; on the next request of the connection write a few bytes and end."""
    return by_turns((FINE,), (after, how) if after else (how,))


@pytest.mark.parametrize("how", [FIN, RST])
async def test_a_reused_connection_that_dies_without_an_answer_is_replaced_once(
    road: Road, road_name: str, how: str
) -> None:
    async with meeting(road, by_connection(dies(how), says(FINE))) as (server, carrier):
        (await exchange(carrier, server.url)).check(Answer(b"hello"))
        seen = await exchange(carrier, server.url)
        if unable(road_name, "a stale connection is replaced"):
            assert seen.error is not None
            assert (seen.error.kind, server.accepted) == ("connection", 1)
        else:
            seen.check(Answer(b"hello"))
            assert [len(peer.requests) for peer in server.peers] == [2, 1]
            assert server.peers[0].requests[1] == server.peers[1].requests[0]


@pytest.mark.parametrize("how", [FIN, RST])
async def test_it_is_never_replaced_twice(road: Road, how: str) -> None:
    """Many idle connections, each of which dies when it is used: one is tried, then a fresh one."""
    ready = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number < 5:
            if peer.number == 4:
                ready.set()
            await ready.wait()
            await peer.send(FINE)
            await peer.request()
        if how == RST:
            peer.reset()

    async with meeting(road, script) as (server, carrier):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(exchange, carrier, server.url)
        asked = len(server.requests)
        assert (server.accepted, asked) == (5, 5)
        seen = await exchange(carrier, server.url)
        assert seen.error is not None
        assert seen.error.kind == "connection"
        assert len(server.requests) - asked <= 2
        assert server.accepted <= 6


@pytest.mark.parametrize("how", [FIN, RST])
@pytest.mark.parametrize("after", [b"H", OK, INTERIM, sized(9), sized(9) + b"hello"])
async def test_nothing_is_sent_again_once_a_byte_was_answered(road: Road, how: str, after: bytes) -> None:
    async with meeting(road, by_connection(dies(how, after=after), says(FINE))) as (server, carrier):
        (await exchange(carrier, server.url)).check(Answer(b"hello"))
        seen = await exchange(carrier, server.url)
        assert seen.error is not None
        assert seen.error.kind == "connection"
        assert (server.accepted, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("how", [FIN, RST])
async def test_a_fresh_connection_that_dies_is_not_replaced(road: Road, how: str) -> None:
    """A request may have been acted on; only a connection that was idle is known to die by itself."""
    async with meeting(road, says(how)) as (server, carrier):
        seen = await exchange(carrier, server.url)
        assert seen.error is not None
        assert seen.error.kind == "connection"
        assert (server.accepted, len(server.requests)) == (1, 1)


@pytest.mark.filterwarnings("ignore:Async generator 'httpx._content:ResourceWarning")  # see the table
async def test_a_server_that_closes_just_as_we_send(road: Road, road_name: str) -> None:
    """FIN and request cross on the way, again and again, at every moment."""

    async def script(peer: Peer) -> None:
        for _ in range(2):
            await peer.request()
            await peer.send(FINE)
            await anyio.sleep(0.0002 * (peer.number % 8))
        peer.close()  # whatever is on its way meets a closed door

    failed = 0
    async with meeting(road, script) as (server, carrier):
        for _ in range(60):
            seen = await exchange(carrier, server.url)
            if seen.error is None:
                assert seen.body == b"hello"
            else:
                assert seen.error.kind == "connection"
                failed += 1
        assert server.accepted >= 10
    assert failed == 0 or unable(road_name, "a stale connection is replaced")
    gc.collect()  # here, where what it may say is known


async def test_an_idle_connection_closed_on_one_side_is_let_go(road: Road) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(FINE)
        peer.finish()  # the client's side stays open until it looks
        try:
            await peer.request()
        except GoneError:
            return
        raise AssertionError("a request was sent to a server that has said it will not answer")

    async with meeting(road, script) as (server, carrier):
        for _ in range(3):
            (await exchange(carrier, server.url)).check(Answer(b"hello"))
            await anyio.sleep(0.01)
        assert server.accepted == 3


async def test_closing_the_road_closes_idle_connections_and_it_opens_again(road: Road) -> None:
    async with meeting(road, says(FINE)) as (server, carrier):
        for number in range(3):
            (await exchange(carrier, server.url)).check(Answer(b"hello"))
            assert server.accepted == number + 1
            await carrier.aclose()
            await server.until(lambda server: server.open == 0)

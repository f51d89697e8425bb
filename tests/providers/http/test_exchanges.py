"""What becomes of a request when its connection fails; nothing that may have counted is done twice."""

from __future__ import annotations

import gc
import gzip
from math import inf

import anyio
import pytest
from scripted_connection import Outcome, Scripted, ScriptedTransport, Step, exchanged, request

from turnout.config.errors import ConfigError
from turnout.providers.dialect import WireRequest
from turnout.providers.errors import AttemptTimeoutError, ConnectionFailedError, MalformedResponseError
from turnout.providers.http import FastTransport, default_transport
from turnout.providers.http.pool import Pool
from turnout.providers.transport import NEVER_CONNECTED, TOO_LARGE, HttpxTransport

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
RESET = ConnectionResetError(104, "Connection reset by peer")


async def twice(carrier: ScriptedTransport, *, later: float = 0.0) -> tuple[Outcome, Outcome]:
    first = await exchanged(carrier, request())
    carrier.clock += later
    return first, await exchanged(carrier, request())


@pytest.mark.parametrize("ending", [b"", RESET], ids=["hung up", "reset"])
async def test_a_connection_that_had_ended_unseen_costs_nothing(ending: bytes | OSError) -> None:
    stale, fresh = Scripted([OK, ending]), Scripted([OK])
    first, second = await twice(ScriptedTransport(stale, fresh))

    assert (first.body, second.body, second.error) == (b"ok", b"ok", None)
    assert stale.sent == fresh.sent * 2
    assert stale.closed
    assert not fresh.closed


async def test_a_request_that_could_not_be_written_goes_out_over_another() -> None:
    stale, fresh = Scripted([OK]), Scripted([OK])
    carrier = ScriptedTransport(stale, fresh)
    await exchanged(carrier, request())
    stale.refuses = BrokenPipeError(32, "Broken pipe")
    assert (await exchanged(carrier, request())).body == b"ok"
    assert not fresh.closed


async def test_nothing_is_sent_a_second_time_over_a_second_connection() -> None:
    first, second = await twice(ScriptedTransport(Scripted([OK, RESET]), Scripted([RESET]), Scripted([OK])))
    assert first.error is None
    assert isinstance(second.error, ConnectionFailedError)
    assert "broke while the answer was read (Connection reset by peer)" in second.error.message


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
async def test_nothing_is_sent_again_once_a_byte_was_answered(begun: bytes) -> None:
    _, second = await twice(ScriptedTransport(Scripted([OK, begun, b""]), Scripted([OK])))
    assert isinstance(second.error, ConnectionFailedError)


async def test_nothing_is_sent_again_after_a_while_for_the_server_may_have_acted() -> None:
    class Slow(Scripted):
        async def receive(self, within: float = inf) -> bytes:
            if len(self.steps) == 1:
                carrier.clock += 6
            return await super().receive(within)

    carrier = ScriptedTransport(Slow([OK, b""]), Scripted([OK]))
    _, second = await twice(carrier)
    assert isinstance(second.error, ConnectionFailedError)
    assert "hung up" in second.error.message
    assert len(carrier.coming) == 1


async def test_a_first_connection_that_fails_is_a_failure() -> None:
    carrier = ScriptedTransport(Scripted([RESET]), Scripted([OK]))
    assert isinstance((await exchanged(carrier, request())).error, ConnectionFailedError)


async def test_a_connection_that_is_not_quiet_is_not_used() -> None:
    noisy, fresh = Scripted([OK]), Scripted([OK])
    carrier = ScriptedTransport(noisy, fresh)
    await exchanged(carrier, request())
    noisy.quiet = False
    assert (await exchanged(carrier, request())).body == b"ok"
    assert noisy.closed


async def test_a_server_that_refuses_before_all_was_sent_is_heard() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"
    broken = BrokenPipeError(32, "Broken pipe")
    refusing = Scripted([refusal], refuses=broken)
    heard = await exchanged(ScriptedTransport(refusing), request())
    assert (heard.status, heard.body, refusing.closed) == (413, b"no", True)

    silent = await exchanged(ScriptedTransport(Scripted([], refuses=broken)), request())
    assert silent.error is not None
    assert "while the request was sent (Broken pipe)" in silent.error.message


async def test_what_breaks_in_the_body_comes_after_what_came_before_it() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nnone\r\n"
    cases: list[tuple[list[Step], str]] = [
        ([chunked], "a chunk's size is none"),
        ([chunked[:-6], RESET], "broke while the answer was read"),
        ([chunked[:-6]], "hung up"),
    ]
    for steps, words in cases:
        carrier = ScriptedTransport(Scripted(steps))
        async with carrier.send(request(), connect_timeout=1) as response:
            assert await response.read() == b"hello"
            for _ in range(2):  # and stays so
                with pytest.raises((ConnectionFailedError, MalformedResponseError), match=words):
                    await response.read()


async def test_an_answer_is_not_read_after_it_was_left() -> None:
    for steps, whole in (([OK], True), ([OK[:-1], b"k"], False)):
        carrier = ScriptedTransport(Scripted(steps))
        async with carrier.send(request(), connect_timeout=1) as response:
            pass
        if whole:
            assert await response.read() == b"ok"
        else:
            assert await response.read() == b"o"
            with pytest.raises(ConnectionFailedError, match="closed before it was read"):
                await response.read()


async def test_an_answer_that_is_dropped_closes_its_connection_and_gives_up_its_turn() -> None:
    connection = Scripted([OK[:-1]])
    carrier = ScriptedTransport(connection)
    response = await carrier.send(request(), connect_timeout=1).__aenter__()
    assert response.status == 200
    del response
    gc.collect()
    assert connection.closed


async def test_a_packed_answer_is_unpacked_and_counted() -> None:
    packed = gzip.compress(b"x" * 1000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    for steps in ([head + packed], [head, packed], [head + packed[:9], packed[9:]]):
        found = await exchanged(ScriptedTransport(Scripted(steps)), request(), 1000)
        assert (found.body, found.error) == (b"x" * 1000, None)
        found = await exchanged(ScriptedTransport(Scripted(steps)), request(), 999)
        assert found.error is not None
        assert found.error.code == TOO_LARGE
    empty = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n"
    assert (await exchanged(ScriptedTransport(Scripted([empty])), request())).body == b""


async def test_a_body_without_a_length_is_counted_too() -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 11
    assert (await exchanged(ScriptedTransport(Scripted([data])), request(), 11)).error is None
    found = await exchanged(ScriptedTransport(Scripted([data])), request(), 10)
    assert isinstance(found.error, MalformedResponseError)


async def test_waiting_for_a_turn_ends_with_the_time_for_connecting() -> None:
    class Limited(ScriptedTransport):
        def __init__(self, *connections: Scripted) -> None:
            super().__init__(*connections)
            self._max_connections = 1

    carrier = Limited(Scripted([OK[:-1], b"k"]), Scripted([OK]))
    async with carrier.send(request(), connect_timeout=1) as response:
        with pytest.raises(AttemptTimeoutError, match=r"within 0\.01 s") as caught:
            async with carrier.send(request(), connect_timeout=0.01):
                raise AssertionError
        assert caught.value.code == NEVER_CONNECTED
        assert [piece async for piece in response.chunks()] == [b"o", b"k"]
    assert (await exchanged(carrier, request())).error is None


async def test_calls_may_queue_for_a_connection() -> None:
    class Limited(ScriptedTransport):
        def __init__(self, *connections: Scripted) -> None:
            super().__init__(*connections)
            self._max_connections = 2

    carrier = Limited(Scripted([OK] * 20), Scripted([OK] * 20))
    found: list[Outcome] = []

    async def ask() -> None:
        found.append(await exchanged(carrier, request()))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert [one.body for one in found] == [b"ok"] * 20


async def test_a_request_that_cannot_be_sent_takes_no_turn() -> None:
    carrier = ScriptedTransport()
    with pytest.raises(ConfigError):
        async with carrier.send(WireRequest("POST", "nowhere", {}, b""), connect_timeout=1):
            raise AssertionError


async def test_closing_keeps_nothing_not_even_what_is_given_back_later() -> None:
    idle, busy = Scripted([OK]), Scripted([OK[:-1], b"k"])
    carrier = ScriptedTransport(idle, busy)
    await exchanged(carrier, request())
    idle.quiet = False  # so that the next needs another
    async with carrier.send(request(), connect_timeout=1) as response:
        await carrier.aclose()
        assert idle.closed
        assert b"".join([piece async for piece in response.chunks()]) == b"ok"
    assert busy.closed
    await carrier.aclose()


def test_the_road_is_the_fast_one_unless_a_client_is_given() -> None:
    assert isinstance(default_transport(), FastTransport)
    assert isinstance(default_transport(object()), HttpxTransport)


def test_a_pool_that_holds_something_is_not_forgotten() -> None:
    carrier = ScriptedTransport()
    pool: Pool = carrier.heads.head_of(request()).pool
    pool.begin_turn()
    for number in range(600):
        carrier.heads.head_of(WireRequest("POST", f"http://a{number}.test", {}, b""))
    assert carrier.heads.head_of(request()).pool is pool

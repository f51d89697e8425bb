"""What a server writes comes out whole or as a typed error: right answers, cut ones, garbage, smuggling."""

from __future__ import annotations

import anyio.lowlevel
import pytest
from known_differences import DIFFERENCES, expected
from raw_server import FIN, RST, SILENCE, Peer, says
from roads import Failure, Road, asking, exchange, meeting
from wire_cases import ALL, CHUNKED, CUT, END, GARBAGE, HELLO, SMUGGLING, VALID, sized

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("case", ALL)
async def test_it_comes_out_as_it_should(road: Road, road_name: str, case: str) -> None:
    """And whatever was wrong with an answer, nothing of it reaches the next call."""
    steps, outcome = ALL[case][0], expected(road_name, case)
    if isinstance(outcome, Failure) and steps[-1] not in (FIN, RST):
        steps = (*steps, b"junk", SILENCE)
    async with meeting(road, says(*steps)) as (server, carrier):
        (await exchange(carrier, server.url)).check(outcome)
        assert len(server.requests) == 1  # nothing here is sent twice
        if isinstance(outcome, Failure):
            (await exchange(carrier, server.url)).check(outcome)
            assert (server.accepted, len(server.requests)) == (2, 2)


async def test_the_table_of_differences_names_cases_that_exist_and_differ() -> None:
    for differences in DIFFERENCES.values():
        for case, difference in differences.items():
            assert difference.outcome != ALL[case][1], case
            assert difference.because


async def test_there_is_enough_of_everything() -> None:
    assert (len(VALID), len(CUT), len(GARBAGE), len(SMUGGLING)) >= (40, 39, 16, 30)


async def test_a_head_request_has_no_body_whatever_its_length_says(road: Road) -> None:
    async with meeting(road, says(sized(100))) as (server, carrier):
        for _ in range(2):
            seen = await exchange(carrier, asking(server.url, method="HEAD", body=b""))
            assert (seen.status, seen.body, seen.error) == (200, b"", None)
        assert server.accepted == 1


@pytest.mark.parametrize(
    "answer",
    [sized(5) + b"hello", CHUNKED + HELLO + END, CHUNKED + HELLO + b"0\r\nx-checksum: 1\r\n\r\n"],
    ids=["length", "chunked", "trailers"],
)
@pytest.mark.parametrize(
    "interim", [b"", b"HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n"], ids=["", "interim"]
)
async def test_cut_in_two_anywhere_it_is_the_same(road: Road, answer: bytes, interim: bytes) -> None:
    """One connection carries all of the cuts, so that no byte may be left over either."""
    whole = interim + answer
    cut = 0

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(whole[:cut])
            await anyio.lowlevel.checkpoint()
            await peer.send(whole[cut:])

    async with meeting(road, script) as (server, carrier):
        for cut in range(1, len(whole)):
            seen = await exchange(carrier, server.url)
            assert (seen.status, seen.body, seen.error) == (200, b"hello", None), cut
        assert server.accepted == 1


async def test_headers_come_with_lower_case_names_and_trimmed_values(road: Road) -> None:
    head = sized(0, b"X-Request-ID: \t 7 ", b"x-empty:", b"Retry-After-MS:1", b"x-far: \xe4")
    async with meeting(road, says(head)) as (server, carrier):
        headers = (await exchange(carrier, server.url)).headers or {}
    assert {name: headers[name] for name in ("x-request-id", "x-empty", "retry-after-ms", "x-far")} == {
        "x-request-id": "7",
        "x-empty": "",
        "retry-after-ms": "1",
        "x-far": "\xe4",
    }


async def test_headers_of_one_name_are_joined(road: Road) -> None:
    async with meeting(road, says(sized(0, b"x-limit: a", b"X-Limit: b"))) as (server, carrier):
        assert ((await exchange(carrier, server.url)).headers or {})["x-limit"] == "a, b"


async def test_a_trailer_is_no_header(road: Road) -> None:
    """A header that comes after the body was not there to be acted on."""
    async with meeting(road, says(CHUNKED + HELLO + b"0\r\nretry-after: 9\r\n\r\n")) as (server, carrier):
        assert "retry-after" not in ((await exchange(carrier, server.url)).headers or {})


async def test_headers_of_an_interim_answer_are_not_the_answers(road: Road) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\n"
    async with meeting(road, says(interim + sized(0))) as (server, carrier):
        assert "x-early" not in ((await exchange(carrier, server.url)).headers or {})


async def test_a_switch_of_protocols_nobody_asked_for_is_no_answer(road: Road) -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    async with meeting(road, says(switching, FIN)) as (server, carrier):
        seen = await exchange(carrier, server.url)
        assert seen.status == 101 or seen.error is not None
        await exchange(carrier, server.url)
        assert server.accepted == 2

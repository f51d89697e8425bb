"""What a reply can make go wrong, down to the byte."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.testing import Reply, Simulator
from turnout.testing.answers import Answer
from turnout.testing.http import delivery

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5, verify=False) as client:
        yield client


class Seen:
    """What a client got of one answer, and the error that it ended with."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: httpx.Headers = httpx.Headers()
        self.writes: list[bytes] = []
        self.error: httpx.HTTPError | None = None

    @property
    def events(self) -> list[Any]:
        """The events' data; parsed where it is JSON."""
        lines = b"".join(self.writes).decode().split("\n\n")
        datas = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return [_parsed(data) for data in datas]


def _parsed(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data


async def see(client: httpx.AsyncClient, reply: Reply, *, stream: bool = True) -> Seen:
    seen = Seen()
    body = {"model": "m", "messages": [], "stream": stream}
    async with Simulator({"m": [reply]}) as simulator:
        try:
            async with client.stream("POST", f"{simulator.url}/chat/completions", json=body) as response:
                seen.status = response.status_code
                seen.headers = response.headers
                async for piece in response.aiter_raw():
                    seen.writes.append(piece)
        except httpx.HTTPError as error:
            seen.error = error
    return seen


async def test_latency_delays_the_head(client: httpx.AsyncClient) -> None:
    started = time.monotonic()
    assert (await see(client, Reply(latency=0.2))).status == 200
    assert time.monotonic() - started >= 0.2


async def test_drip_sets_the_size_of_writes_and_their_delay(client: httpx.AsyncClient) -> None:
    started = time.monotonic()
    seen = await see(client, Reply(text="hi", drip=100, drip_delay=0.01))
    assert len(seen.writes) > 5
    assert all(len(piece) <= 100 for piece in seen.writes)
    assert seen.events[-1] == "[DONE]"
    assert time.monotonic() - started >= 0.05


async def test_drip_can_cut_through_characters(client: httpx.AsyncClient) -> None:
    seen = await see(client, Reply(text="🙂é", drip=1))
    assert "🙂é" in [event["choices"][0]["delta"].get("content") for event in seen.events[:-1]]


async def test_without_drip_the_delay_stands_between_events(client: httpx.AsyncClient) -> None:
    started = time.monotonic()
    seen = await see(client, Reply(text="a b", drip_delay=0.05))
    assert len(seen.events) == 5
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("stream", [True, False])
async def test_it_can_hang_up_without_a_word(client: httpx.AsyncClient, stream: bool) -> None:
    seen = await see(client, Reply(hang_up=True), stream=stream)
    assert seen.status == 0
    assert isinstance(seen.error, httpx.RemoteProtocolError)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_connection_can_die_at_a_byte(client: httpx.AsyncClient, stream: bool) -> None:
    seen = await see(client, Reply(cut_at_byte=20), stream=stream)
    assert seen.status == 200
    assert len(b"".join(seen.writes)) == 20
    assert isinstance(seen.error, httpx.RemoteProtocolError)


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_the_connection_can_die_after_events(client: httpx.AsyncClient, count: int) -> None:
    seen = await see(client, Reply(text="one two three", cut_after_events=count))
    assert len(seen.events) == count
    assert isinstance(seen.error, httpx.RemoteProtocolError)


async def test_a_whole_answer_dies_before_its_body(client: httpx.AsyncClient) -> None:
    seen = await see(client, Reply(cut_after_events=1), stream=False)
    assert seen.writes == []
    assert isinstance(seen.error, httpx.RemoteProtocolError)


async def test_a_stream_can_end_politely_but_too_early(client: httpx.AsyncClient) -> None:
    seen = await see(client, Reply(text="one two", end_after_events=2))
    assert seen.error is None
    assert len(seen.events) == 2
    empty = await see(client, Reply(end_after_events=0), stream=False)
    assert (empty.status, empty.writes, empty.error) == (200, [], None)


async def test_a_stream_can_finish_without_saying_why(client: httpx.AsyncClient) -> None:
    seen = await see(client, Reply(finish_reason=None))
    assert seen.events[-1] == "[DONE]"
    assert {event["choices"][0]["finish_reason"] for event in seen.events[:-1]} == {None}


async def test_a_stream_can_stall(client: httpx.AsyncClient) -> None:
    client.timeout = httpx.Timeout(0.2)
    seen = await see(client, Reply(stall_after_events=2))
    assert len(seen.events) == 2
    assert isinstance(seen.error, httpx.ReadTimeout)


async def test_one_event_can_be_broken_json(client: httpx.AsyncClient) -> None:
    seen = await see(client, Reply(text="a b", malformed_event=1))
    assert isinstance(seen.events[1], str)
    assert isinstance(seen.events[2], dict)
    whole = await see(client, Reply(malformed_event=0), stream=False)
    assert whole.status == 200
    assert isinstance(_parsed(b"".join(whole.writes).decode()), str)


@pytest.mark.parametrize("stream", [True, False])
async def test_statuses_from_400_on_are_errors(client: httpx.AsyncClient, stream: bool) -> None:
    seen = await see(client, Reply(status=429, headers={"Retry-After": "2"}), stream=stream)
    assert seen.status == 429
    assert seen.headers["retry-after"] == "2"
    assert json.loads(seen.writes[0]) == {
        "error": {
            "message": "Rate limit reached for requests.",
            "type": "requests",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        ("too long", "too long", "invalid_value"),
        ({"message": "too long", "code": "context_length_exceeded"}, "too long", "context_length_exceeded"),
        (None, "The request is not valid.", "invalid_value"),
    ],
)
async def test_errors_can_be_worded(client: httpx.AsyncClient, error: Any, message: str, code: str) -> None:
    seen = await see(client, Reply(status=400, error=error), stream=False)
    body = json.loads(seen.writes[0])["error"]
    assert (body["message"], body["code"]) == (message, code)


async def test_an_unassigned_status_may_be_sent(client: httpx.AsyncClient) -> None:
    assert (await see(client, Reply(status=599), stream=False)).status == 599


async def test_a_raw_body_goes_out_as_it_is(client: httpx.AsyncClient) -> None:
    page = Reply(status=502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"})
    seen = await see(client, page)
    assert (seen.status, seen.writes, seen.headers["content-type"]) == (
        502,
        [b"<html>bad gateway</html>"],
        "text/html",
    )
    events = await see(client, Reply(body=b"data: [DONE]\r\n\r\n"))
    assert events.headers["content-type"] == "text/event-stream"
    assert (await see(client, Reply(body=b""), stream=False)).writes == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(error_in_200=True), "The server had an error while processing the request."),
        (Reply(error_in_200=True, error="flagged"), "flagged"),
        (Reply(error_in_200="flagged"), "flagged"),
        (Reply(error_in_200={"message": "flagged"}), "flagged"),
    ],
)
async def test_an_error_may_come_with_200(
    client: httpx.AsyncClient, reply: Reply, message: str, stream: bool
) -> None:
    seen = await see(client, reply, stream=stream)
    assert seen.status == 200
    body = seen.events[0] if stream else json.loads(seen.writes[0])
    assert body["error"]["message"] == message
    assert len(seen.events) == (1 if stream else 0)


async def test_a_stream_may_report_an_error_midway(client: httpx.AsyncClient) -> None:
    seen = await see(client, Reply(text="a b c", error="out of memory", error_event_after=2))
    assert len(seen.events) == 3
    assert seen.events[-1]["error"]["message"] == "out of memory"
    assert seen.error is None


@given(
    parts=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6),
    drip=st.none() | st.integers(1, 50),
    cut=st.none() | st.integers(0, 150),
)
def test_however_it_drips_the_bytes_are_the_same(
    parts: list[bytes], drip: int | None, cut: int | None
) -> None:
    plan = delivery(Answer(200, tuple(parts), stream=True), Reply(drip=drip, cut_at_byte=cut))
    assert b"".join(plan.writes) == b"".join(parts)[:cut]
    assert plan.ending == ("complete" if cut is None else "cut")
    assert all(plan.writes)
    if drip is not None:
        assert all(len(write) <= drip for write in plan.writes)


def test_the_first_limit_wins() -> None:
    answer = Answer(200, (b"a", b"b", b"c"), stream=True, preamble=b":")
    plan = delivery(answer, Reply(end_after_events=2, stall_after_events=1))
    assert (plan.writes, plan.ending, plan.length) == ((b":", b"a"), "stall", None)


async def test_many_clients_each_get_their_own_fault() -> None:
    replies = [Reply(status=500), Reply(text="fine"), Reply(hang_up=True)]
    seen: list[int] = []
    async with httpx.AsyncClient(verify=False) as client, Simulator({"m": replies}) as simulator:

        async def one() -> None:
            try:
                body = {"model": "m", "messages": []}
                response = await client.post(f"{simulator.url}/chat/completions", json=body)
                seen.append(response.status_code)
            except httpx.RemoteProtocolError:
                seen.append(0)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one)
    assert sorted(seen) == [0, 200, 500]

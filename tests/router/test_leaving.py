"""However a call ends, its connection is closed and its attempts are written down by the time it is over."""

from __future__ import annotations

import gc
from types import TracebackType
from typing import Any

import anyio
import pytest

from turnout import ChatResponse, DeadlineExceededError, Router, StreamInterruptedError
from turnout.finishing import _with
from turnout.providers.dialect import WireRequest
from turnout.providers.http import default_transport
from turnout.providers.transport import WireResponse
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

Conversation = list[dict[str, Any]]
SLOW = Reply(text="one two three four", latency=0.02, drip_delay=0.02)


class Watched:
    """A transport that counts the answers that it has given and that were left."""

    def __init__(self) -> None:
        self._inner = default_transport()
        self.opened = 0
        self.closed = 0

    def send(
        self, request: WireRequest, *, connect_timeout: float | None, max_bytes: int | None = None
    ) -> _Watching:
        return _Watching(
            self, self._inner.send(request, connect_timeout=connect_timeout, max_bytes=max_bytes)
        )

    def prepare(self) -> None:
        self._inner.prepare()

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Watching:
    def __init__(self, transport: Watched, sending: Any) -> None:
        self._transport = transport
        self._sending = sending

    async def __aenter__(self) -> WireResponse:
        response: WireResponse = await self._sending.__aenter__()
        self._transport.opened += 1
        return response

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._transport.closed += 1
        await self._sending.__aexit__(exc_type, exc, traceback)


def routing(simulator: Simulator, transport: Any, **options: Any) -> Router:
    provider = {"dialect": "openai", "base_url": simulator.url}
    settings = {
        "providers": {"a": provider},
        "routes": {"r": ["a/x", "a/y"]},
        "defaults": {"retry": {"attempts": 2, "base": "1ms"}},
    }
    return Router(settings, env={}, transport=transport, **options)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "folded"])
async def test_a_whole_answer_comes_without_its_connection(hello: Conversation, stream: bool) -> None:
    transport = Watched()
    async with Simulator({"x": [Reply(status=500)]}) as simulator, routing(simulator, transport) as router:
        await router.complete(model="r", messages=hello, stream=stream)

        assert transport.opened == transport.closed == 3
    assert [attempt.outcome for attempt in router.ledger] == ["failed", "failed", "ok"]


@pytest.mark.parametrize("read", [0, 1, 100])
async def test_a_stream_is_closed_when_it_is_left(hello: Conversation, read: int) -> None:
    transport = Watched()
    async with Simulator() as simulator, routing(simulator, transport) as router:
        async with router.stream(model="r", messages=hello) as stream:
            for _ in range(read):
                await stream.receive()
            assert (transport.opened, transport.closed) == (1, 0)

        assert (transport.opened, transport.closed) == (1, 1)
    assert [attempt.outcome for attempt in router.ledger] == ["ok" if read == 100 else "cancelled"]
    assert stream.response.cost == router.ledger.attempts()[0].cost


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
@pytest.mark.parametrize("milliseconds", [0, 1, 5, 15, 25, 35, 50, 70])
async def test_a_call_cancelled_at_any_moment_leaves_nothing(
    hello: Conversation, milliseconds: int, streaming: bool
) -> None:
    transport = Watched()
    async with Simulator({"x": [SLOW]}) as simulator, routing(simulator, transport) as router:
        with anyio.move_on_after(milliseconds / 1000):
            if streaming:
                async with router.stream(model="r", messages=hello) as stream:
                    async for _ in stream:
                        pass
            else:
                await router.complete(model="r", messages=hello, stream=True)

        assert transport.opened == transport.closed
    assert len(router.ledger) == 1
    [attempt] = router.ledger
    assert attempt.outcome in ("ok", "cancelled")


async def test_an_answer_that_comes_too_late_is_left(hello: Conversation) -> None:
    transport = Watched()
    late = {"x": [Reply(text="x" * 400, drip=1, drip_delay=0.01)], "y": [Reply(latency=5)]}
    async with Simulator(late) as simulator, routing(simulator, transport) as router:
        with pytest.raises(DeadlineExceededError):
            await router.complete(model="a/x", messages=hello, deadline=0.1)
        with pytest.raises(DeadlineExceededError):
            await router.complete(model="a/y", messages=hello, deadline=0.1)

        assert transport.opened == transport.closed == 1


class _Breaking:
    """A logger with a fault of its own."""

    def log(self, _level: int, event: str, **_fields: Any) -> None:
        if event.endswith("finished"):
            raise ZeroDivisionError


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
async def test_a_logger_that_breaks_leaves_no_connection_open(hello: Conversation, streaming: bool) -> None:
    transport = Watched()
    async with Simulator() as simulator, routing(simulator, transport, logger=_Breaking()) as router:
        with pytest.raises(ZeroDivisionError):
            if streaming:
                async with router.stream(model="r", messages=hello) as stream:
                    async for _ in stream:
                        pass
            else:
                await router.complete(model="r", messages=hello)

        assert transport.opened == transport.closed == 1
    assert len(router.ledger) == 1


class _Constant:
    """A transport that always has the same answer, at once."""

    status = 200
    headers: dict[str, str] = {}

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._left = [b"", body]

    def send(self, _request: WireRequest, **_limits: Any) -> _Constant:
        return _Constant(self._body)

    async def __aenter__(self) -> _Constant:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        pass

    async def read(self) -> bytes:
        return self._left.pop()

    def prepare(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


async def test_a_call_that_goes_well_leaves_no_work_for_the_garbage_collector(hello: Conversation) -> None:
    answer = ChatResponse.model_validate({"choices": [{"message": {"content": "Fine"}}]})
    transport: Any = _Constant(answer.model_dump_json(exclude_none=True).encode())
    async with Simulator() as simulator, routing(simulator, transport) as router:
        await router.complete(model="r", messages=hello)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                await router.complete(model="r", messages=hello)
            found = gc.collect()
        finally:
            gc.enable()

    assert found < 20


async def test_a_fault_among_pieces_that_came_together_breaks_the_stream_in_its_place(
    hello: Conversation,
) -> None:
    pieces = [
        b'data: {"choices": [{"index": 0, "delta": {"content": "%s"}}]}' % word for word in (b"a", b"b")
    ]
    fault = b'data: {"error": {"message": "Gone.", "code": 500}}'
    transport: Any = _Constant(b"\n\n".join([*pieces, fault, b""]))
    async with Simulator() as simulator, routing(simulator, transport) as router:
        async with router.stream(model="r", messages=hello) as stream:
            assert [await stream.receive() is not None for _ in pieces] == [True, True]
            with pytest.raises(StreamInterruptedError) as caught:
                await anext(stream)
            assert await stream.receive() is None

    assert (stream.state, caught.value.partial and caught.value.partial.text) == ("interrupted", "ab")
    assert [attempt.outcome for attempt in router.ledger] == ["failed"]


def test_setting_fields_together_is_setting_them_one_by_one() -> None:
    known = {"provider": "a", "model": "m", "metadata": {"team": "search"}}
    said = {"id": "x", "choices": [{"message": {"content": "Fine"}}]}
    together, one_by_one = ChatResponse.model_validate(said), ChatResponse.model_validate(said)
    for name, value in known.items():
        setattr(one_by_one, name, value)

    assert _with(together, dict(known)) is together
    assert together == one_by_one
    assert together.model_fields_set == one_by_one.model_fields_set
    assert together.wire() == one_by_one.wire()

"""The layer that keeps to limits: what is held, for how long, and that it is let go however a call ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import VirtualClock, run_virtually

from turnout import ChatCompletion, ChatResponse, DeadlineExceededError, Message, ProviderError, Router
from turnout.accounting import Ledger
from turnout.errors import AllTargetsFailedError
from turnout.events import Events
from turnout.pipeline import Call
from turnout.policies.account import Books
from turnout.policies.limits import limits
from turnout.providers.chat import Usage
from turnout.providers.errors import (
    BadRequestError,
    ConnectionFailedError,
    InternalServerError,
    RateLimitError,
    StreamInterruptedError,
    UnsupportedError,
)
from turnout.providers.transport import NEVER_CONNECTED
from turnout.rejecting import TargetRejectedError
from turnout.testing import Simulator

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
Handler = Callable[[Call], Awaitable[Any]]


class Answer:
    """An answer that ends when it is told to."""

    def __init__(self, usage: Usage | None = None, end: str | None = "completed", **headers: str) -> None:
        self.usage = usage
        self.end = end
        self.error: ProviderError | None = None
        self.headers: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
        self.response = ChatResponse.model_validate(
            {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 400}}]}
        )
        self._listeners: list[Callable[[Any], None]] = []

    def when_ended(self, listener: Callable[[Any], None]) -> None:
        self._listeners.append(listener)

    def conclude(self, end: str, usage: Usage | None = None, error: ProviderError | None = None) -> None:
        self.end, self.usage, self.error = end, usage or self.usage, error
        for listener in self._listeners:
            listener(self)


class Target:
    """One target with limits, and calls of it through the layer."""

    def __init__(self, later: int = 0, **said: Any) -> None:
        provider = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "limits": said}
        config = {"providers": {"a": provider}, "routes": {"r": ["a/m", "a/n", "a/o"]}}
        self.plan = Router(config, env={})._snapshot.planner.plan("r")
        self.clock = VirtualClock()
        self.books = Books(Ledger(), self.clock, Events())
        self.standing = self.plan.targets[0].standing
        assert self.standing is not None
        self.later = later
        self.layer = limits(self.books)

    def call(self, deadline: float = 100.0, words: int = 1, forced: bool = False, **fields: Any) -> Call:
        return Call(
            request=ChatCompletion(model="r", messages=[Message.user("word " * words)], **fields),
            streaming=False,
            plan=self.plan,
            target=self.plan.targets[0],
            id="c",
            deadline=deadline,
            ends_at=self.clock.monotonic() + deadline,
            later=self.later,
            forced=forced,
        )

    async def ask(self, handler: Handler, **options: Any) -> Any:
        return await self.layer(handler)(self.call(**options))

    def used(self) -> tuple[int, int]:
        """Requests and tokens that count just now."""
        limiter = self.standing.limiter if self.standing else None
        assert limiter is not None
        limiter.window.wait(self.clock.monotonic(), 1)
        return limiter.window.requests, limiter.window.tokens

    def is_free(self) -> bool:
        """Whether nothing is held for anybody."""
        standing = self.standing
        assert standing is not None
        limiter, turns = standing.limiter, standing.turns
        if limiter is not None:
            ahead = () if limiter.listener is None else limiter.listener.ahead
            if any((limiter.window.held, *ahead, len(limiter.line))):
                return False
        return turns is None or (turns.taken, turns.waiting) == (0, 0)


def answering(answer: Answer, seconds: float = 0.0) -> Handler:
    async def handler(call: Call) -> Any:
        call.journal.sent += 1
        await anyio.sleep(seconds)
        return answer

    return handler


def failing(error: Exception, *, sent: bool = True) -> Handler:
    async def handler(call: Call) -> Any:
        call.journal.sent += sent
        raise error

    return handler


BOTH = {"requests_per_minute": 3, "tokens_per_minute": 1000}


@BACKENDS
def test_what_the_provider_counted_is_what_counts(backend: str) -> None:
    async def program() -> None:
        target = Target(**BOTH)
        reply = Answer(Usage(prompt_tokens=30, completion_tokens=12))
        assert await target.ask(answering(reply), max_tokens=500) is reply
        assert target.used() == (1, 42)
        assert target.is_free()

    run_virtually(program, backend)


@BACKENDS
@pytest.mark.parametrize(
    ("ending", "usage", "tokens"),
    [
        ("completed", Usage(prompt_tokens=9, completion_tokens=1), 10),
        ("completed", None, 7 + 500),  # nobody told, so the estimate stands
        ("cancelled", None, 7 + 100),  # what came until then
        ("failed", None, 7 + 100),
        ("failed", Usage(prompt_tokens=9, completion_tokens=4), 13),
    ],
)
def test_a_stream_settles_at_its_end(backend: str, ending: str, usage: Usage | None, tokens: int) -> None:
    async def program() -> None:
        target = Target(**BOTH, concurrency=1)
        reply = Answer(end=None)
        await target.ask(answering(reply), max_tokens=500)
        assert target.used() == (1, 507)
        assert not target.is_free()

        reply.conclude(ending, usage, StreamInterruptedError("it broke") if ending == "failed" else None)

        assert target.used() == (1, tokens)
        assert target.is_free()

    run_virtually(program, backend)


@BACKENDS
@pytest.mark.parametrize(
    ("error", "sent", "used"),
    [
        (InternalServerError("down", status=500), True, (1, 507)),
        (BadRequestError("no", status=400), True, (1, 0)),
        (RateLimitError("slow down", status=429), True, (1, 0)),
        (ConnectionFailedError("refused", code=NEVER_CONNECTED), True, (0, 0)),
        (ConnectionFailedError("reset"), True, (1, 507)),
        (UnsupportedError("no such field", field="n"), False, (0, 0)),
        (TargetRejectedError("no key is left", kind="authentication"), False, (0, 0)),
        (RuntimeError("broken"), False, (0, 0)),
        (RuntimeError("broken"), True, (1, 507)),
    ],
    ids=lambda value: getattr(value, "code", None) or type(value).__name__,
)
def test_failures_settle_with_what_is_known(
    backend: str, error: Exception, sent: bool, used: tuple[int, int]
) -> None:
    async def program() -> None:
        target = Target(**BOTH, concurrency=1)
        with pytest.raises(type(error)):
            await target.ask(failing(error, sent=sent), max_tokens=500)
        assert target.used() == used
        assert target.is_free()

    run_virtually(program, backend)


@BACKENDS
def test_a_failure_that_told_its_usage_settles_with_that(backend: str) -> None:
    async def program() -> None:
        target = Target(**BOTH)
        error = InternalServerError("down", status=500)
        error.usage = Usage(prompt_tokens=5, completion_tokens=6)
        with pytest.raises(InternalServerError):
            await target.ask(failing(error))
        assert target.used() == (1, 11)

    run_virtually(program, backend)


@BACKENDS
def test_who_finds_no_room_waits_until_there_is(backend: str) -> None:
    async def program() -> None:
        target = Target(requests_per_minute=2, adaptive=False)
        for _ in range(2):
            await target.ask(answering(Answer()))
        await target.ask(answering(Answer()))
        assert 60.0 <= target.clock.monotonic() <= 60.6
        assert target.is_free()

    run_virtually(program, backend)


@BACKENDS
def test_what_others_did_not_need_is_not_waited_for(backend: str) -> None:
    async def program() -> None:
        target = Target(tokens_per_minute=1000, adaptive=False)
        short = Answer(Usage(prompt_tokens=5, completion_tokens=5))
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(lambda: target.ask(answering(short, seconds=2), max_tokens=900))
        assert target.clock.monotonic() == pytest.approx(6)
        assert target.used() == (3, 30)

    run_virtually(program, backend)


@BACKENDS
@pytest.mark.parametrize(
    ("said", "later", "deadline"),
    [({"max_wait": "5s"}, 0, 100.0), ({}, 0, 20.0), ({}, 1, 80.0), ({"max_wait": "5s"}, 2, 300.0)],
)
def test_who_would_wait_too_long_goes_on_at_once(
    backend: str, said: dict[str, Any], later: int, deadline: float
) -> None:
    async def program() -> None:
        target = Target(later=later, requests_per_minute=1, adaptive=False, **said)
        await target.ask(answering(Answer()))
        with pytest.raises(TargetRejectedError, match="nothing was sent") as caught:
            await target.ask(answering(Answer()), deadline=deadline)
        assert target.clock.monotonic() == 0
        assert caught.value.kind == "rate_limit"
        assert caught.value.retry_after == pytest.approx(60.5)
        assert [attempt.outcome for attempt in target.books.ledger.attempts()] == ["rejected"]
        assert target.is_free()

    run_virtually(program, backend)


@BACKENDS
def test_a_last_hope_waits_as_long_as_the_call_may(backend: str) -> None:
    async def program() -> None:
        target = Target(requests_per_minute=1, adaptive=False, max_wait="5s")
        await target.ask(answering(Answer()))
        await target.ask(answering(Answer()), forced=True)
        assert target.clock.monotonic() == pytest.approx(60.5)

    run_virtually(program, backend)


@BACKENDS
def test_turns_are_waited_for_no_longer_than_said(backend: str) -> None:
    async def program() -> None:
        target = Target(concurrency=1, max_wait="5s", adaptive=False)
        assert target.standing is not None
        assert target.standing.limiter is None
        first = Answer(end=None)
        await target.ask(answering(first))
        with pytest.raises(TargetRejectedError, match="as many attempts are under way") as caught:
            await target.ask(answering(Answer()))
        assert target.clock.monotonic() == pytest.approx(5)
        assert caught.value.retry_after is None
        first.conclude("completed")
        await target.ask(answering(Answer()))
        assert target.is_free()

    run_virtually(program, backend)


@BACKENDS
def test_those_who_wait_are_served_in_order(backend: str) -> None:
    served: list[int] = []

    async def program() -> None:
        target = Target(tokens_per_minute=600, adaptive=False)

        async def ask(number: int, most: int) -> None:
            await anyio.sleep(number)
            await target.ask(answering(Answer()), max_tokens=most, deadline=1000)
            served.append(number)

        async with anyio.create_task_group() as tasks:
            for number, most in enumerate([500, 500, 5, 500, 5]):
                tasks.start_soon(ask, number, most)
        assert target.is_free()

    run_virtually(program, backend)
    assert served == [0, 1, 2, 3, 4]  # the small ones would have fitted in before


@BACKENDS
def test_only_scouts_go_before_anything_was_heard(backend: str) -> None:
    most = 0

    async def program() -> None:
        target = Target()
        running = 0

        async def handler(call: Call) -> Any:
            nonlocal running, most
            call.journal.sent += 1
            running += 1
            most = max(most, running)
            await anyio.sleep(1 if running <= 8 else 0.1)
            running -= 1
            return Answer(x_ratelimit_remaining_requests="50", x_ratelimit_limit_requests="60")

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(lambda: target.ask(handler))
                if not running:
                    await anyio.lowlevel.checkpoint()
        assert target.clock.monotonic() < 2.5
        assert target.is_free()

    run_virtually(program, backend)
    assert 8 <= most <= 20


@BACKENDS
def test_after_a_refusal_nobody_asks_before_its_time(backend: str) -> None:
    async def program() -> None:
        target = Target()
        with pytest.raises(RateLimitError):
            await target.ask(failing(RateLimitError("slow down", status=429, retry_after=7.0)))
        await target.ask(answering(Answer()))
        assert target.clock.monotonic() == pytest.approx(7)

    run_virtually(program, backend)


@BACKENDS
@given(data=st.data())
def test_whoever_leaves_anywhere_leaves_nothing(backend: str, data: st.DataObject) -> None:
    tenths = st.integers(0, 30).map(lambda number: number / 10)
    visits = data.draw(st.lists(st.tuples(tenths, tenths, tenths, st.booleans()), min_size=1, max_size=10))
    concurrency = data.draw(st.none() | st.integers(1, 3))
    adaptive = data.draw(st.booleans())

    async def program() -> None:
        target = Target(
            requests_per_minute=4, tokens_per_minute=100, concurrency=concurrency, adaptive=adaptive
        )

        async def visit(comes: float, takes: float, patience: float, streams: bool) -> None:
            await anyio.sleep(comes)
            with anyio.move_on_after(patience):
                reply = Answer(end=None) if streams else Answer(Usage(prompt_tokens=7, completion_tokens=3))
                try:
                    got = await target.ask(answering(reply, takes), max_tokens=40, deadline=1.0)
                except TargetRejectedError:
                    return
                if streams:
                    try:
                        await anyio.sleep(takes)
                    finally:
                        got.conclude("cancelled")
            requests, _ = target.used()
            assert requests <= 4

        async with anyio.create_task_group() as tasks:
            for one in visits:
                tasks.start_soon(visit, *one)
        assert target.is_free()

    run_virtually(program, backend)


@BACKENDS
@pytest.mark.parametrize("seconds", [0.0, 1.0, 30.0, 61.0])
def test_a_call_can_be_cancelled_at_every_step(backend: str, seconds: float) -> None:
    """One waits for its turn, for its allowance, or for its answer; it leaves after so many steps."""

    async def leave_after(steps: int) -> bool:
        target = Target(tokens_per_minute=600, concurrency=2)
        first, served = Answer(end=None), []

        async def ask(name: str, scope: anyio.CancelScope) -> None:
            with scope:
                await target.ask(answering(Answer(), seconds=2), max_tokens=400, deadline=1000)
                served.append(name)

        await target.ask(answering(first), max_tokens=400)
        async with anyio.create_task_group() as tasks:
            leaving, others = anyio.CancelScope(), [anyio.CancelScope() for _ in range(2)]
            tasks.start_soon(ask, "leaving", leaving)
            for number, scope in enumerate(others):
                tasks.start_soon(ask, str(number), scope)
            await anyio.sleep(seconds)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            leaving.cancel()
            await anyio.sleep(1)
            first.conclude("completed")
        assert target.is_free()
        assert {"0", "1"} <= set(served)
        return "leaving" in served

    async def program() -> None:
        for steps in range(12):
            await leave_after(steps)

    run_virtually(program, backend)


@pytest.mark.anyio
async def test_a_call_goes_on_to_the_next_target_or_ends_in_time() -> None:
    async with Simulator() as one, Simulator() as two:
        limited = {"limits": {"requests_per_minute": 1, "max_wait": "1s"}}
        key = {"dialect": "openai", "api_key": "sk-test-0123456789abcdef"}
        settings = {
            "providers": {"a": {**key, **limited, "base_url": one.url}, "b": {**key, "base_url": two.url}},
            "routes": {"both": ["a/m", "b/m"], "one": ["a/m"]},
        }
        async with Router(settings, env={}) as router:
            messages = [{"role": "user", "content": "Hello"}]
            told = [(await router.complete(model="both", messages=messages)).provider for _ in range(2)]
            assert told == ["a", "b"]
            with pytest.raises((TargetRejectedError, AllTargetsFailedError, DeadlineExceededError)) as caught:
                await router.complete(model="one", messages=messages, deadline=0.2)
            attempts: Any = getattr(caught.value, "attempts", ())
            assert {attempt.outcome for attempt in attempts} == {"rejected"}
            assert len(one.requests) == 1

"""One fault at provider `a`, and what has to come of it: every attempt, what the caller gets, every sum.

A fault says what the server of `a` does to each request. It is met twice: by a call of the route `a`, then
`b`, where `b` is well, and by a call of `a` alone. What is expected is written attempt by attempt:

    2x a server 500 unknown; b ok 2+1

means two attempts at `a` that failed with the kind `server` and status 500, at a cost nobody knows, and one
at `b` that was answered for 2 prompt tokens and 1 completion token, priced. `free` is a known cost of nothing,
`~7` an estimated cost of 7 millionths of a dollar. A code of our own stands behind the kind, as in
`timeout/idle_timeout`; `rejected:` and `skipped:` stand before it.

Time stands still but for the network's own limits, so no backoff is waited for; waits that servers ask for
are added up.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import anyio
from raw_server import RawServer, Script, Step, raw_server, says

from turnout import AllTargetsFailedError, Router
from turnout.accounting import Attempt, Trace
from turnout.clock import ManualClock, SystemClock
from turnout.config.errors import TurnoutError
from turnout.providers.errors import BY_KIND, ProviderError, StreamInterruptedError
from turnout.testing import Reply, Simulator

FINE = "b ok 2+1"
"""What `b` answers to every call."""
KEY = "sk-test-0123456789abcdef"
PRICES = {"a": (1, 2), "b": (10, 20)}
"""Dollars for a million tokens, prompt and completion."""
_OURS = {
    "deadline", "deadline_share", "attempt_timeout", "first_token_timeout", "idle_timeout", "connect_failed",
    "connect_timeout", "too_large",
}  # fmt: skip
_LINE = re.compile(r"(?:(\d+)x )?(.+)")


@dataclass(frozen=True)
class Fault:
    """What a server does, and what has to come of it."""

    does: Sequence[Step] | Script | Reply | Sequence[Reply] | int | None
    """Steps to take on each request, a script for each connection, or replies; a port; None: nobody listens."""
    attempts: str
    """What the call of the route tries."""
    streamed: str | None = None
    """The same where the caller reads a stream, if that differs."""
    text: str = "Fine"
    """What the caller reads, be it cut short."""
    streamed_text: str | None = None
    tells: str = ""
    """A pattern of what the error says where there is no `b`."""
    asks: bool | None = None
    """Whether `a` is asked for a stream; None: as the caller wants the answer."""
    waits: float = 0.0
    """Seconds for which the route's call waits between its tries of `a`."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """The target's timeouts."""
    most: int = 64 * 1024
    """Bytes of an answer that are taken."""
    requests: int | None = None
    """Requests that come in at `a`; None: as many as there are attempts at it."""
    deadline: str = ""
    """The call's deadline, on the system's own clock."""
    raises: type[TurnoutError] | None = None
    """What is raised in the end, where the last attempt's error does not say."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request."""

    def lines(self, *, streaming: bool) -> list[str]:
        """Every attempt of the route's call."""
        told = self.attempts if self.streamed is None or not streaming else self.streamed
        found: list[str] = []
        for piece in told.split("; "):
            match = _LINE.fullmatch(piece)
            assert match is not None
            found += [match[2]] * int(match[1] or 1)
        return found

    def reads(self, *, streaming: bool) -> str:
        """The text that the caller reads."""
        return self.text if self.streamed_text is None or not streaming else self.streamed_text


@dataclass
class Seen:
    """How a call ended."""

    text: str
    error: Exception | None
    attempts: tuple[Attempt, ...]
    router: Router
    waited: float


async def check(fault: Fault, *, streaming: bool) -> None:
    """Meet a fault on the way to `b`, and alone."""
    lines = fault.lines(streaming=streaming)
    async with served(fault) as (url, requests):
        async with Simulator({"m": [Reply(text="Fine")]}) as well:
            seen = await call(fault, "r", url, well.url, streaming=streaming)
            _check_call(fault, seen, lines, streaming=streaming)
            at_b = sum(line.startswith("b ") for line in lines)
            assert len(well.requests) == at_b
        assert seen.waited == fault.waits
        tried = sum(line.startswith("a ") for line in lines)
        assert requests() == (tried if fault.requests is None else fault.requests)
    async with served(fault) as (url, _):
        alone = await call(fault, "a/m", url, url, streaming=streaming)
        _check_call(
            fault, alone, [line for line in lines if line.startswith("a ")], streaming=streaming, alone=True
        )


@asynccontextmanager
async def served(fault: Fault) -> AsyncIterator[tuple[str, Any]]:
    """The base URL of a server that does as the fault says, and the count of requests it got."""
    does = fault.does
    if isinstance(does, Reply):
        does = [does]
    async with AsyncExitStack() as stack:
        if does is None:
            async with raw_server(says()) as gone:
                pass
            yield f"{gone.url}/v1", lambda: 0
        elif isinstance(does, int):
            yield f"http://127.0.0.1:{does}/v1", lambda: 0
        elif not callable(does) and does and isinstance(does[0], Reply):
            simulator = await stack.enter_async_context(Simulator({"m": does}))  # type: ignore[dict-item]
            yield simulator.url, lambda: len(simulator.requests)
        else:
            script: Any = does if callable(does) else says(*does)  # type: ignore[arg-type]
            server: RawServer = await stack.enter_async_context(raw_server(script))
            yield f"{server.url}/v1", lambda: len(server.requests)


async def call(fault: Fault, model: str, url: str, well: str, *, streaming: bool) -> Seen:
    """Ask once, and tell how it ended."""
    clock = SystemClock() if fault.deadline else ManualClock()
    router = Router(settings_for(fault, url, well), env={}, clock=clock, seed=1)
    fields: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    fields |= fault.request
    text, error, trace = "", None, Trace()
    try:
        with anyio.fail_after(10):
            if streaming:
                stream = router.stream(**fields)
                try:
                    async with stream:
                        async for chunk in stream:
                            text += chunk.text
                        assert stream.response.text == text
                finally:
                    trace = stream.trace
            else:
                asked = {} if fault.asks is None else {"stream": fault.asks}
                reply = await router.complete(**fields, **asked)
                text, trace = reply.text, reply.trace
    except TurnoutError as caught:
        error = caught
        trace = Trace(attempts=getattr(caught, "attempts", ()))
    finally:
        await router.aclose()
    waited = sum(clock.sleeps) if isinstance(clock, ManualClock) else 0.0
    return Seen(text, error, trace.attempts, router, waited)


def settings_for(fault: Fault, url: str, well: str) -> dict[str, Any]:
    """Settings whose retries wait for nothing that no server asks for."""
    provider = {"dialect": "openai", "api_key": KEY}
    first = {**provider, "base_url": url, "max_response_bytes": fault.most, "timeouts": dict(fault.limits)}
    return {
        "providers": {"a": first, "b": {**provider, "base_url": well}},
        "routes": {"r": ["a/m", "b/m"]},
        "defaults": {
            "retry": {"base": 0, "rate_limit_base": 0},
            **({"deadline": fault.deadline} if fault.deadline else {}),
        },
        "prices": {f"{name}/*": {"input": row[0], "output": row[1]} for name, row in PRICES.items()},
    }


def line_of(attempt: Attempt) -> str:
    """An attempt as it is written in a table."""
    error = attempt.error
    if error is None:
        how = attempt.outcome
    else:
        how = f"{error.kind}/{error.code}" if error.code in _OURS else error.kind
        how = how if attempt.outcome == "failed" else f"{attempt.outcome}:{how}"
        how += "" if error.status is None else f" {error.status}"
    return f"{attempt.provider} {how} {_cost_of(attempt)}"


def _cost_of(attempt: Attempt) -> str:
    cost, usage = attempt.cost, attempt.usage
    if usage is None:
        if cost.basis == "estimated" and cost.amount is not None:
            return f"~{(cost.amount * 1_000_000).normalize():f}"
        return "free" if (cost.basis, cost.amount) == ("priced", 0) else f"{cost.basis}"
    counted = f"{usage.prompt_tokens}+{usage.completion_tokens}"
    if (cost.basis, cost.amount) == ("priced", _amount(attempt.provider, counted)):
        return counted
    return f"{counted} for {cost.amount} {cost.basis}"


def _amount(provider: str, told: str) -> Decimal | None:
    """US dollars of what a table says an attempt cost; None: nobody knows."""
    if told == "unknown":
        return None
    if told == "free":
        return Decimal(0)
    if told.startswith("~"):
        return Decimal(told[1:]) / 1_000_000
    prompt, completion = map(int, told.split("+"))
    return Decimal(prompt * PRICES[provider][0] + completion * PRICES[provider][1]) / 1_000_000


def _check_call(
    fault: Fault, seen: Seen, lines: list[str], *, streaming: bool, alone: bool = False
) -> None:
    assert [line_of(attempt) for attempt in seen.attempts] == lines
    _check_ledger(seen.router, lines)
    last = lines[-1].split()
    if last[1] == "ok":
        assert seen.error is None, seen.error
        assert seen.text == (fault.reads(streaming=streaming) if last[0] == "a" or not alone else "Fine")
        return
    error = seen.error
    assert error is not None
    assert KEY[3:] not in str(error)
    if fault.raises is not None:
        assert type(error) is fault.raises
    elif len({line[0] for line in lines}) > 1:
        assert type(error) is AllTargetsFailedError
    else:
        assert type(error) is BY_KIND[last[1].partition("/")[0]]  # type: ignore[index]
        assert isinstance(error, ProviderError)
        assert (error.provider, error.model) == (last[0], "m")
    if isinstance(error, StreamInterruptedError) and streaming:
        assert seen.text == fault.reads(streaming=True)
        assert (error.partial.text if error.partial else "") == seen.text
    if alone and fault.tells:
        assert re.search(fault.tells, str(error)), str(error)


def _check_ledger(router: Router, lines: list[str]) -> None:
    """The sums are those of the attempts, to the token and to the last digit."""
    total = router.ledger.total
    known = [(line[0], line.split()[-1]) for line in lines]
    counted = [tuple(map(int, told.split("+"))) for _, told in known if "+" in told]
    amounts = [_amount(*one) for one in known]
    assert (total.calls, total.attempts) == (1, len(lines))
    assert total.usage.prompt == sum(prompt for prompt, _ in counted)
    assert total.usage.completion == sum(completion for _, completion in counted)
    assert total.unknown_cost_attempts == amounts.count(None)
    assert total.estimated_cost_attempts == sum(told.startswith("~") for _, told in known)
    if amounts.count(None) == len(amounts):
        assert total.cost is None
    else:
        assert total.cost == sum(amount for amount in amounts if amount is not None)

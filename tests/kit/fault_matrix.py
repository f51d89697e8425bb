"""One fault at provider `a`, and what has to come of it: every attempt, what the caller gets, every sum.

A fault says what the server of `a` does to each request. It is met twice: by a call of the route `a`, then
`b`, where `b` is well, and, if that went on to `b`, by a call of `a` alone. What is expected is written
attempt by attempt:

    2x a server 500 unknown; b ok 2+1

means two attempts at `a` that failed with the kind `server` and status 500, at a cost nobody knows, and one
at `b` that was answered for 2 prompt tokens and 1 completion token, priced. `free` is a known cost of
nothing, `~7` an estimated cost of 7 millionths of a dollar. A code of our own stands behind the kind, as in
`timeout/idle_timeout`; `rejected:` and `skipped:` stand before it.

Time stands still but for the network's own limits, so no backoff is waited for; waits that servers ask for
are added up.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import anyio
from raw_server import Script, Step, raw_server, says

from turnout import AllTargetsFailedError, DeadlineExceededError, Router
from turnout.accounting import Attempt
from turnout.clock import ManualClock, SystemClock
from turnout.config.errors import TurnoutError
from turnout.providers.errors import BY_KIND, StreamInterruptedError
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
    """Steps to take on each request, a script for each connection, replies, a port; None: nobody listens."""
    attempts: str
    """What the call of the route tries."""
    streamed: str | None = None
    """The same where the caller reads a stream, if that differs."""
    alone: str | None = None
    """What the call of `a` alone tries; None: what the route's call tries there; empty: there is none."""
    text: str | None = None
    """What the caller reads, be it cut short; None: Fine where `b` answers, and Hello where `a` does."""
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
    scheme: str = "http"
    """What `a` is believed to speak."""
    deadline: str = ""
    """The call's deadline, on the system's own clock."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of all routes."""

    def lines(self, *, streaming: bool) -> list[str]:
        """Every attempt of the route's call."""
        return _expanded(self.attempts if self.streamed is None or not streaming else self.streamed)

    def reads(self, provider: str, *, streaming: bool) -> str:
        """The text that the caller reads."""
        if provider == "b":
            return "Fine"
        told = self.text if self.streamed_text is None or not streaming else self.streamed_text
        return "Hello" if told is None else told


def _expanded(told: str) -> list[str]:
    found: list[str] = []
    for piece in told.split("; "):
        match = _LINE.fullmatch(piece)
        assert match is not None
        found += [match[2]] * int(match[1] or 1)
    return found


async def outcome(fault: Fault, *, streaming: bool) -> dict[str, Any]:
    """What comes of a fault on the way to `b`, and alone, in the form that `expected` gives."""
    async with Simulator({"m": [Reply(text="Fine")]}) as well:
        async with served(fault) as (url, requests):
            routed = await call(fault, "r", url, well.url, streaming=streaming)
            routed["requests"] = (requests(), len(well.requests))
        said = routed.pop("says")
        assert KEY[3:] not in said
        seen = {"routed": routed}
        if fault.alone != "" and not _ends_at_a(routed["attempts"]):
            async with served(fault) as (url, _):
                alone = seen["alone"] = await call(fault, "a/m", url, well.url, streaming=streaming)
            said = alone.pop("says")
            assert KEY[3:] not in said
    return {**seen, "tells": fault.tells if re.search(fault.tells, said) else said}


def expected(fault: Fault, *, streaming: bool) -> dict[str, Any]:
    """What has to come of a fault."""
    lines = fault.lines(streaming=streaming)
    at_a = [line for line in lines if line[0] == "a"]
    requests = len(at_a) if fault.requests is None else fault.requests
    routed = _foretold(fault, lines, streaming=streaming)
    routed |= {"waited": fault.waits, "requests": (requests, len(lines) - len(at_a))}
    foretold = {"routed": routed}
    if fault.alone != "" and not _ends_at_a(lines):
        alone = at_a if fault.alone is None else _expanded(fault.alone)
        foretold["alone"] = _foretold(fault, alone, streaming=streaming) | {"waited": fault.waits}
    return {**foretold, "tells": fault.tells}


def _ends_at_a(lines: Sequence[str]) -> bool:
    """Whether a call is over at `a`, so that it would go the same way without `b`."""
    return bool(lines) and lines[-1].startswith("a ")


def _foretold(fault: Fault, lines: list[str], *, streaming: bool) -> dict[str, Any]:
    provider, how, *_ = lines[-1].split()
    text, raised = fault.reads(provider, streaming=streaming), None
    kind = how.partition("/")[0].partition(":")[2] or how.partition("/")[0]
    if how != "ok":
        if how.endswith("/deadline"):
            raised = DeadlineExceededError.__name__
        elif len({line[0] for line in lines}) > 1:
            raised = AllTargetsFailedError.__name__
        else:
            raised = BY_KIND[kind].__name__  # type: ignore[index]
        text = text if streaming and kind == "interrupted" else ""
    return {"attempts": lines, "reads": text, "raises": raised, "sums": _sums_of(lines)}


def _sums_of(lines: list[str]) -> dict[str, Any]:
    """What the ledger has to hold after these attempts."""
    known = [(line[0], line.split()[-1]) for line in lines]
    counted = [tuple(map(int, told.split("+"))) for _, told in known if "+" in told]
    amounts = [_amount(*one) for one in known]
    costs = [amount for amount in amounts if amount is not None]
    return {
        "calls": 1,
        "attempts": len(lines),
        "tokens": (sum(prompt for prompt, _ in counted), sum(completion for _, completion in counted)),
        "cost": sum(costs) if costs else None,
        "unknown": amounts.count(None),
        "estimated": sum(told.startswith("~") for _, told in known),
    }


@asynccontextmanager
async def served(fault: Fault) -> AsyncIterator[tuple[str, Callable[[], int]]]:
    """The base URL of a server that does as the fault says, and the count of requests it got."""
    does = [fault.does] if isinstance(fault.does, Reply) else fault.does
    if does is None:
        async with raw_server(says()) as gone:
            pass
        yield f"{gone.url}/v1", lambda: 0
    elif isinstance(does, int):
        yield f"http://127.0.0.1:{does}/v1", lambda: 0
    elif callable(does):
        async with raw_server(does) as server:
            yield f"{server.url}/v1", lambda: len(server.requests)
    elif replies := [one for one in does if isinstance(one, Reply)]:
        async with Simulator({"m": replies}) as simulator:
            yield simulator.url, lambda: len(simulator.requests)
    else:
        async with raw_server(says(*(one for one in does if not isinstance(one, Reply)))) as server:
            yield f"{server.url}/v1", lambda: len(server.requests)


async def call(fault: Fault, model: str, url: str, well: str, *, streaming: bool) -> dict[str, Any]:
    """Ask once, and tell how it ended."""
    clock = SystemClock() if fault.deadline else ManualClock()
    router = Router(settings_for(fault, url, well), env={}, clock=clock, seed=1)
    fields: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    seen: dict[str, Any] = {"attempts": (), "reads": "", "raises": None}
    said = ""
    try:
        with anyio.fail_after(10):
            if streaming:
                async with router.stream(**fields) as stream:
                    async for chunk in stream:
                        seen["reads"] = "" if chunk.reset else seen["reads"] + chunk.text
                response = stream.response
            else:
                if fault.asks is not None:
                    fields["stream"] = fault.asks
                response = await router.complete(**fields)
        seen |= {"reads": response.text if response.text == seen["reads"] or not streaming else "?"}
        seen["attempts"] = [line_of(attempt) for attempt in response.trace.attempts] if response.trace else []
    except TurnoutError as error:
        seen["attempts"] = [line_of(attempt) for attempt in getattr(error, "attempts", ())]
        seen["raises"], said = type(error).__name__, str(error)
        if isinstance(error, StreamInterruptedError) and streaming:
            assert error.partial is None or error.partial.text == seen["reads"]
    finally:
        await router.aclose()
    total = router.ledger.total
    seen["sums"] = {
        "calls": total.calls,
        "attempts": total.attempts,
        "tokens": (total.usage.prompt, total.usage.completion),
        "cost": total.cost,
        "unknown": total.unknown_cost_attempts,
        "estimated": total.estimated_cost_attempts,
    }
    seen["waited"] = sum(clock.sleeps) if isinstance(clock, ManualClock) else 0.0
    return seen | {"says": said}


def settings_for(fault: Fault, url: str, well: str) -> dict[str, Any]:
    """Settings whose retries wait for nothing that no server asks for."""
    provider = {"dialect": "openai", "api_key": KEY}
    first = {
        **provider,
        "base_url": url.replace("http", fault.scheme, 1),
        "max_response_bytes": fault.most,
        "timeouts": dict(fault.limits),
    }
    return {
        "providers": {"a": first, "b": {**provider, "base_url": well}},
        "routes": {"r": ["a/m", "b/m"]},
        "defaults": {
            "retry": {"base": 0, "rate_limit_base": 0},
            **({"deadline": fault.deadline} if fault.deadline else {}),
            **fault.defaults,
        },
        "prices": {f"{name}/*": {"input": row[0], "output": row[1]} for name, row in PRICES.items()},
    }


def line_of(attempt: Attempt) -> str:
    """An attempt as it is written in a table."""
    error = attempt.error
    how: str = attempt.outcome
    if error is not None:
        how = f"{error.kind}/{error.code}" if error.code in _OURS else error.kind
        how = how if attempt.outcome == "failed" else f"{attempt.outcome}:{how}"
        how += "" if error.status is None else f" {error.status}"
    return f"{attempt.provider} {how} {_cost_of(attempt)}"


def _cost_of(attempt: Attempt) -> str:
    cost, usage = attempt.cost, attempt.usage
    if usage is None:
        if cost.basis == "estimated" and cost.amount is not None:
            return f"~{(cost.amount * 1_000_000).normalize():f}"
        return "free" if cost.basis == "priced" and cost.amount == 0 else cost.basis
    counted = f"{usage.prompt_tokens}+{usage.completion_tokens}"
    if cost.basis == "priced" and cost.amount == _amount(attempt.provider, counted):
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

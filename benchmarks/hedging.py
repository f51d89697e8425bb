"""What a hedge does for the slowest answers: `python -m benchmarks.hedging`, or `make bench-hedging`.

Two simulated providers in a process of their own begin their streams after some tens of milliseconds, but
for 5 % of them, drawn by chance, which stall for 2 seconds. The same calls are made without a hedge, with one
after a fixed time, and with one at the first provider's own 95th percentile. Both providers stall alike, so
a hedge may meet a stall too.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from turnout import Router
from turnout.testing import Reply, Script
from turnout.testing.server import serve

from . import sections

STALL = 2.0
"""Seconds of a stall."""
STALLS = 0.05
"""The share of answers that stall."""
IN_FLIGHT = 4
PAGE = "benchmarks-policies.md"
CASES: dict[str, Mapping[str, Any]] = {
    "without a hedge": {},
    "hedge: {after: 200ms}": {"hedge": {"after": "200ms"}},
    "hedge: {after: p95}": {"hedge": {"after": "p95"}},
    "hedge: {after: p95}, and a retry budget": {
        "hedge": {"after": "p95"}, "budget": True,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of one case."""

    case: str
    calls: int
    p50: float
    """Seconds to the first token within which half of the streams began."""
    p95: float
    p99: float
    worst: float
    extra: float
    """Requests beyond one for each call, as a share of the calls."""


def replies(count: int, seed: int) -> Script:
    """Answers of a provider that stalls now and then: 20 to 60 ms, or 2 s."""
    random = Random(seed)
    drawn = [
        Reply(
            text="All is well, and has been for a while.",
            latency=STALL if random.random() < STALLS else 0.02 + min(random.expovariate(1 / 0.012), 0.04),
        )
        for _ in range(count)
    ]
    return Script(replies=drawn, then="first")


@asynccontextmanager
async def providers(seed: int) -> AsyncIterator[str]:
    """The URL of the simulated providers, which run in a process of their own."""
    command = [sys.executable, "-m", "benchmarks.hedging", "--serve", str(seed)]
    async with await anyio.open_process(command, stderr=None) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 200)
        try:
            yield line.decode()
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def measure(case: str, calls: int, seed: int) -> Outcome:
    """Make the calls of one case."""
    said = dict(CASES[case])
    defaults = {"retry_budget": True} if said.pop("budget", False) else {}
    async with providers(seed) as url:
        provider = {"dialect": "openai", "base_url": url, "api_key": "key"}
        settings: dict[str, Any] = {
            "providers": {"a": provider, "b": provider},
            "routes": {"r": {"chain": ["a/x", "b/y"], **said}},
            "defaults": {**defaults, "retry": {"attempts": 1}},
        }
        async with Router(settings, env={}, seed=seed) as router:
            load = _Load(router, calls)
            async with anyio.create_task_group() as tasks:
                for _ in range(IN_FLIGHT):
                    tasks.start_soon(load.ask)
            sent = router.ledger.total.attempts
    ordered = sorted(load.seconds)
    p50, p95, p99 = (ordered[int(share * len(ordered))] for share in (0.5, 0.95, 0.99))
    return Outcome(case, calls, p50, p95, p99, ordered[-1], sent / calls - 1)


class _Load:
    """Callers that share some calls."""

    def __init__(self, router: Router, calls: int) -> None:
        self._router = router
        self._left = calls
        self.seconds: list[float] = []

    async def ask(self) -> None:
        """Call as long as calls are left."""
        while self._left > 0:
            self._left -= 1
            begun = anyio.current_time()
            body = {"model": "r", "messages": [{"role": "user", "content": "Hello"}]}
            async with self._router.stream(body) as stream:
                self.seconds.append(anyio.current_time() - begun)
                async for _ in stream:
                    pass


def page(outcomes: list[Outcome]) -> str:
    """The section of the page."""
    plain = outcomes[0]
    rows = [
        [
            f"`{one.case}`" if one is not plain else one.case,
            *(f"{seconds * 1000:,.0f}" for seconds in (one.p50, one.p95, one.p99, one.worst)),
            "" if one is plain else f"{one.p99 / plain.p99 - 1:+.0%}",
            f"{one.extra:.1%}",
        ]
        for one in outcomes
    ]
    headings = ["ms to the first token", "p50", "p95", "p99", "worst", "p99 against none", "extra requests"]
    told = (
        f"{plain.calls:,} streams a row, {IN_FLIGHT} at a time; {STALLS:.0%} of them stall for {STALL:g} s."
    )
    return "\n\n".join(
        [
            f"{sections.measured_on()} {told}",
            sections.table(headings, rows),
        ]
    )


async def serving(seed: int) -> None:
    """Serve both providers until the process is told to end; the first line that is written is the URL."""
    scripts = {"x": replies(2000, seed), "y": replies(2000, seed + 1)}
    await serve(port=0, scripts=scripts, on_ready=lambda simulator: print(simulator.url, flush=True))


def main() -> None:
    """Measure, show, and write the page's section if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", default="asyncio")
    parser.add_argument("--page", action="store_true", help=f"write the section of docs/{PAGE}")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.serve is not None:
        anyio.run(serving, said.serve)
        return
    outcomes = []
    for case in CASES:
        outcomes.append(anyio.run(measure, case, said.calls, said.seed, backend=said.engine))
        print(json.dumps(asdict(outcomes[-1])), flush=True)
    text = page(outcomes)
    print(text)
    if said.page:
        sections.put(PAGE, "hedging", text)


if __name__ == "__main__":
    main()

"""How much of an allowance is used, and how often it is overshot: `make bench-allowance`.

The simulator enforces 600 requests and 60,000 tokens a minute, as a bucket that refills steadily or as a
count that begins anew each minute. More callers than it can serve ask without pause, every other one for a
stream, each with a prompt of its own length and no limit on the answer. The router is told the same numbers,
or nothing at all, so that it has to learn them from the headers.

`used` is the share of all that the provider had to give in that time, of requests or of tokens, whichever is
nearer to its end. A bucket that was full at first has given twice its size after a minute; numbers of the
user's own are kept in any sixty seconds, so there `used` is the share of those.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from random import Random
from typing import Any, Literal

import anyio

from turnout import Router
from turnout.errors import AllTargetsFailedError
from turnout.rejecting import TargetRejectedError
from turnout.testing import Allowance, Simulator

from . import sections

REQUESTS, TOKENS = 600, 60_000
PAGE = "benchmarks-policies.md"
CALLERS = 64
WORDS: dict[str, tuple[int, int]] = {"requests": (5, 35), "tokens": (20, 180), "both": (10, 90)}
"""What runs out first -> how many words the prompts have; the answers repeat them."""

Refill = Literal["continuous", "window"]


@dataclass(frozen=True)
class Case:
    """One way to have an allowance."""

    refill: Refill
    told: bool
    """Whether the router is told the numbers; else it learns them."""
    scarce: str
    """What runs out first."""


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    case: Case
    seconds: float
    requests: int
    """Requests that were let in."""
    tokens: int
    used: float
    """The share of what there was, from 0 to 1."""
    refused: int
    """Answers with status 429."""
    longest_wait: float
    """The longest that a caller was kept waiting, in the allowance's own seconds."""


class QuickClock:
    """A clock that runs `pace` times as fast as the machine's."""

    def __init__(self, pace: float) -> None:
        self._pace = pace

    def monotonic(self) -> float:
        """Its own seconds."""
        return time.monotonic() * self._pace

    def now(self) -> datetime:
        """The machine's time of day."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many of its seconds."""
        await anyio.sleep(seconds / self._pace)


def cases() -> Iterator[Case]:
    """All of them."""
    for refill in ("continuous", "window"):
        for told in (True, False):
            for scarce in WORDS:
                yield Case(refill, told, scarce)


async def measure(
    case: Case, *, seconds: float = 60.0, pace: float = 1.0, size: float = 1.0, seed: int = 1
) -> Outcome:
    """Ask for as much as can be had in so many seconds of the allowance's time.

    `size` makes the allowance smaller, for machines that are too slow for all of it at this `pace`.
    """
    requests, tokens = int(REQUESTS * size), int(TOKENS * size)
    allowance = Allowance(requests, tokens, refill=case.refill, pace=pace)
    limits = {"requests_per_minute": requests, "tokens_per_minute": tokens} if case.told else {}
    async with Simulator(allowance=allowance) as simulator:
        provider = {"dialect": "openai", "base_url": simulator.url, "api_key": "key", "limits": limits}
        settings: dict[str, Any] = {
            "providers": {"a": provider},
            "defaults": {"deadline": 1000, "timeouts": {"first_token": 1000}, "retry": {"attempts": 1}},
        }
        async with Router(settings, env={}, clock=QuickClock(pace), seed=seed) as router:
            till = simulator.till
            assert till is not None  # noqa: S101 - it was given an allowance
            load = Load(router, case, Random(seed))
            with anyio.move_on_after(seconds / pace):
                async with anyio.create_task_group() as tasks:
                    for caller in range(CALLERS):
                        tasks.start_soon(load.ask, bool(caller % 2), pace)
            now = anyio.current_time()
            used = {unit: till.used(unit, now * pace) for unit in ("requests", "tokens")}
            total = till.total
            if case.told:
                minutes = seconds / 60.0
                used = {
                    "requests": total("requests") / (requests * minutes),
                    "tokens": total("tokens") / (tokens * minutes),
                }
    return Outcome(
        case=case,
        seconds=seconds,
        requests=total("requests"),
        tokens=total("tokens"),
        used=round(max(used.values()), 4),
        refused=till.refused,
        longest_wait=round(load.longest, 2),
    )


class Load:
    """Callers that never have enough."""

    def __init__(self, router: Router, case: Case, random: Random) -> None:
        self._router = router
        self._least, self._most = WORDS[case.scarce]
        self._random = random
        self._numbers = count()
        self.longest = 0.0

    async def ask(self, streaming: bool, pace: float) -> None:
        """Ask again and again."""
        while True:
            words = self._random.randint(self._least, self._most)
            text = " ".join(self._random.choice(_VOCABULARY) for _ in range(words))
            request = {"model": "a/m", "messages": [{"role": "user", "content": text}]}
            began = time.monotonic()
            try:
                if streaming:
                    async with self._router.stream(request) as stream:
                        async for _ in stream:
                            pass
                else:
                    await self._router.complete(request)
            except (TargetRejectedError, AllTargetsFailedError):
                await anyio.sleep(0.1 / pace)
            self.longest = max(self.longest, (time.monotonic() - began) * pace)


_VOCABULARY = (
    "a be see tree house window elephant under tomorrow of to the and unbelievable".split()  # noqa: SIM905
)


def report(outcomes: list[Outcome]) -> str:
    """A table of them."""
    rows = [
        [
            f"{one.case.refill}, {'configured' if one.case.told else 'learned'}, {one.case.scarce}",
            f"{one.requests:,}",
            f"{one.tokens:,}",
            f"{one.used:.1%}",
            str(one.refused),
            f"{one.longest_wait:.1f} s",
        ]
        for one in outcomes
    ]
    return sections.table(
        ["refill, numbers, scarce", "requests", "tokens", "used", "refused", "longest wait"], rows
    )


async def _all(seconds: float, pace: float, chosen: list[Case]) -> list[Outcome]:
    """Every case; those of one sort of refill at the same time, so that the machine is not what is scarce."""
    found: dict[Case, Outcome] = {}

    async def one(case: Case) -> None:
        found[case] = await measure(case, seconds=seconds, pace=pace)

    for refill in ("continuous", "window"):
        async with anyio.create_task_group() as tasks:
            for case in chosen:
                if case.refill == refill:
                    tasks.start_soon(one, case)
    return [found[case] for case in chosen]


def main() -> None:
    """Run all cases side by side, for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pace", type=float, default=1.0, help="how many seconds pass in one")
    parser.add_argument("--only", choices=("continuous", "window"))
    parser.add_argument("--page", action="store_true", help=f"write the section of docs/{PAGE}")
    arguments = parser.parse_args()
    chosen = [case for case in cases() if arguments.only in (None, case.refill)]
    outcomes = anyio.run(partial(_all, arguments.seconds, arguments.pace, chosen))
    text = report(outcomes)
    print(text)
    if arguments.page:
        sections.put(PAGE, "allowance", f"{sections.measured_on()}\n\n{text}")


if __name__ == "__main__":
    main()

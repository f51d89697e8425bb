"""What the provider allows is used, and nothing beyond: a part of 600 requests and 60,000 tokens a minute.

`make bench-allowance` does the same with all of it, for a real minute. How much is used depends here on the
machine, which has to make a minute's calls in three seconds; `tests/router/policies/test_full_minute.py` has
a clock that waits for it.
"""

from __future__ import annotations

import anyio
import pytest

from benchmarks.allowance import Case, Outcome, measure, report

CASES = [
    (Case("continuous", told=True, scarce="requests"), 0.1),
    (Case("continuous", told=False, scarce="tokens"), 0.3),
    (Case("window", told=True, scarce="tokens"), 0.3),
    (Case("window", told=False, scarce="both"), 0.2),
]
"""With the part of the allowance; the fewer tokens there are, the more of them the last request leaves."""


@pytest.mark.anyio
async def test_the_allowance_is_used_and_not_overshot() -> None:
    found: list[Outcome] = []

    async def one(case: Case, size: float) -> None:
        found.append(await measure(case, pace=20.0, size=size))

    async with anyio.create_task_group() as tasks:
        for case, size in CASES:
            tasks.start_soon(one, case, size)

    table = report(found)
    assert [outcome.refused for outcome in found] == [0] * len(CASES), table
    assert min(outcome.used for outcome in found) >= 0.25, table

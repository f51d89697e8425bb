"""The first thing a newcomer runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import Result

Run = Callable[..., Result]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_demo_falls_back_twice_and_tells_a_story(run: Run, backend: str) -> None:
    result = run("demo", "--plain", "--backend", backend)
    assert result.exit_code == 0
    assert "flaky/rate-limited: rate_limit 429" in result.stdout
    assert "broken/cut-short: connection" in result.stdout
    assert "A short tale about trains would fit." in result.stdout
    assert "never seen the moon so close to the water" in result.stdout

    lines = result.stdout.splitlines()
    heading = next(number for number, line in enumerate(lines) if line.split()[:2] == ["#", "target"])
    table = [line.split() for line in lines[heading + 1 : heading + 4]]
    assert [(row[1], row[2]) for row in table] == [
        ("flaky/rate-limited", "failed"),
        ("broken/cut-short", "failed"),
        ("steady/story", "ok"),
    ]
    assert "3 attempts" in lines[heading + 4]
    assert "cost $" in lines[heading + 4]


def test_the_demo_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "turnout", "demo"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout  # a pipe gets no colour, without being asked

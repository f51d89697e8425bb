"""A chain against a simulated provider, and a way to run the command line on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from turnout.cli.app import cli
from turnout.testing import Simulator

Run = Callable[..., Result]

CHAIN = """\
providers:
  sim: {{dialect: openai, base_url: "{url}", api_key: sk-very-secret}}
defaults:
  retry: {{attempts: 1}}
routes:
  assistant: [sim/first, sim/second]
prices:
  sim/second: {{input: 1.00, output: 4.00}}
"""


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A provider that echoes until a test scripts it."""
    with Simulator().serving() as running:
        yield running


@pytest.fixture
def chain(tmp_path: Path, simulator: Simulator) -> Path:
    """A configuration of two targets on the simulator."""
    path = tmp_path / "turnout.yaml"
    path.write_text(CHAIN.format(url=simulator.url))
    return path


@pytest.fixture
def run() -> Run:
    """The command line in this process; nothing it prints may hold the key, nor a traceback."""

    def invoke(*args: str | Path, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin)
        if not isinstance(result.exception, SystemExit | None):
            raise result.exception
        assert "very-secret" not in result.output
        assert "Traceback" not in result.output
        return result

    return invoke

"""A bad day, played through with somebody's own chains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

CHAIN = """\
providers:
  openai: {}
  anthropic: {}
  azure: {preset: azure, options: {endpoint: "https://house.openai.azure.com"}}
  bedrock: {}
  house: {dialect: openai, base_url: "https://llm.example/deep/v1", api_key: sk-very-secret}
routes:
  assistant:
    chain: [openai/gpt-5-mini, anthropic/claude-sonnet-5, house/small]
    retry: {attempts: 1}
  single: {chain: [house/small], retry: {attempts: 1}}
  clouds: [bedrock/us.anthropic.claude-sonnet-5-v1:0, azure/gpt-5]
prices:
  house/*: {input: 1.00, output: 1.00}
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A configuration of providers that nobody here has keys for."""
    path = tmp_path / "turnout.yaml"
    path.write_text(CHAIN)
    return path


def row(result: Result, name: str) -> list[str]:
    return next(line.split() for line in result.stdout.splitlines() if line.split()[:1] == [name])


def drilled(run: Run, chain: Path, *args: str) -> Result:
    result = run("drill", "-c", chain, "--plain", "--calls", "6", "--at-once", "3", *args)
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_provider_that_is_down_costs_an_attempt_and_no_call(run: Run, chain: Path, backend: str) -> None:
    result = drilled(run, chain, "--route", "assistant", "--down", "openai", "--backend", backend)
    assert row(result, "assistant")[1:5] == ["6", "100.0", "%", "2.00"]
    assert row(result, "openai/gpt-5-mini")[-2:] == ["6", "failed"]
    assert row(result, "anthropic/claude-sonnet-5")[-2:] == ["6", "ok"]
    assert "house/small" not in result.stdout


def test_every_kind_of_provider_is_replaced_and_needs_no_key(run: Run, chain: Path) -> None:
    result = drilled(run, chain, "--refusing", "bedrock", "--stream")
    assert row(result, "single")[2:4] == row(result, "clouds")[2:4] == ["100.0", "%"]
    assert row(result, "azure/gpt-5")[-2:] == ["6", "ok"]
    assert row(result, "bedrock/us.anthropic.claude-sonnet-5-v1:0")[-2:] == ["6", "failed"]


def test_what_nobody_can_answer_is_told_by_kind(run: Run, chain: Path) -> None:
    result = drilled(run, chain, "--route", "single", "--limited", "house=1s")
    assert row(result, "single")[2:4] == ["0.0", "%"]
    assert "6 rate_limit" in result.stdout


def test_a_slow_provider_shows_in_the_seconds(run: Run, chain: Path) -> None:
    result = drilled(run, chain, "--route", "single", "--slow", "house=0.4s")
    assert float(row(result, "single")[6]) >= 0.4
    assert "$0.0" in result.stdout


def test_a_broken_stream_is_what_its_caller_sees(run: Run, chain: Path) -> None:
    assert (
        "6 interrupted" in drilled(run, chain, "--route", "single", "--cutting", "house", "--stream").stdout
    )


def test_chance_is_the_same_for_the_same_seed(run: Run, chain: Path) -> None:
    args = ("--route", "single", "--flaky", "house=50%", "--calls", "20")
    first, again = (drilled(run, chain, *args, "--seed", "3") for _ in range(2))
    assert row(first, "single")[2] == row(again, "single")[2] not in ("0.0", "100.0")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--down", "openia"), 3, "no provider is called 'openia'"),
        (("--route", "asistant"), 3, "no route is called 'asistant'"),
        (("--down", "openai=3s"), 2, "--down takes a provider and nothing more"),
        (("--flaky", "openai=300%"), 2, "'300%' is no share"),
        (("--slow", "openai=soon"), 2, "is not a duration"),
    ],
)
def test_a_mistake_in_the_words_is_told(
    run: Run, chain: Path, args: tuple[str, ...], code: int, words: str
) -> None:
    result = run("drill", "-c", chain, *args)
    assert (result.exit_code, words in result.stderr) == (code, True)


def test_without_any_trouble_it_says_how_to_make_some(run: Run, chain: Path) -> None:
    assert "No provider is in trouble" in drilled(run, chain, "--route", "single").stdout


def test_without_any_route_there_is_nothing_to_call(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("providers: {openai: {}}")
    result = run("drill", "-c", tmp_path / "empty.yaml")
    assert (result.exit_code, "no route to call" in result.stderr) == (3, True)

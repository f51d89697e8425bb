"""What the README shows is run, against the simulator.

The README's first YAML block is its `turnout.yaml`; here all of its providers live on the simulator. Python
blocks run in a folder that holds this file, with `router` made from it where they await something on their
first level. Functions called `test_…` are run too.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from click.testing import CliRunner

from turnout import Router
from turnout.cli.app import cli
from turnout.config.loading import parse_settings
from turnout.config.sections import FALLBACK_ON, RETRY_ON, Kind
from turnout.providers.catalogue import catalogue
from turnout.testing import Simulator

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
KEYS = dict.fromkeys(
    (
        "OPENAI_API_KEY",
        "QWEN_KEY",
        "DASHSCOPE_API_KEY",
        "DEEPSEEK_API_KEY",
        "OPENROUTER_API_KEY",
        "ANTHROPIC_API_KEY",
        "GEMINI_API_KEY",
    ),
    "sk-simulated",
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def rows(table_after: str) -> list[list[str]]:
    """The cells of the table behind a piece of text, without its heading."""
    table = README.partition(table_after)[2].lstrip("\n").partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator().serving() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simulator: Simulator) -> Path:
    """A folder with the README's turnout.yaml, its providers on the simulator, and their keys set."""
    settings = yaml.safe_load(blocks("yaml")[0])
    for name, provider in settings["providers"].items():
        provider["base_url"] = simulator.root if name == "anthropic" else simulator.url
    (tmp_path / "turnout.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(tmp_path)
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    return tmp_path


@pytest.mark.parametrize("code", blocks("python"))
def test_python(code: str, home: Path, simulator: Simulator, turnout_simulator: Simulator) -> None:
    names: dict[str, Any] = {"__name__": "readme"}
    compiled = compile(code, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if compiled.co_flags & inspect.CO_COROUTINE:
        anyio.run(_await, compiled, names)
    else:
        exec(compiled, names)
    for name, example in names.items():
        if name.startswith("test_"):
            example(turnout_simulator)
    assert simulator.requests or turnout_simulator.requests


async def _await(compiled: Any, names: dict[str, Any]) -> None:
    async with Router.from_yaml("turnout.yaml") as router:
        await eval(compiled, names | {"router": router})


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml(text: str) -> None:
    settings = parse_settings(text, env=KEYS, presets=catalogue().keys())
    router = Router(settings, env=KEYS)
    for route in settings.routes:
        assert router.explain(model=route, messages=[{"role": "user", "content": "Hello"}]).steps


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines()])
def test_shell(line: str, home: Path) -> None:
    program, *arguments = re.findall(r'"[^"]*"|\S+', line.partition("#")[0])
    if program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert set(arguments) <= set(targets)
        return
    assert program == "turnout"
    result = CliRunner().invoke(cli, [argument.strip('"') for argument in arguments])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("row", rows("<!-- thinking -->"))
def test_thinking(row: list[str]) -> None:
    target = row[0].strip("`")
    provider = target.partition("/")[0]
    router = Router({"providers": {provider: {}}}, env=KEYS)
    said: list[dict[str, Any]] = [
        {"enable_thinking": False},
        {"reasoning_effort": "high"},
        {"thinking_budget": 4096},
    ]
    question = [{"role": "user", "content": "Hello"}]
    plain = router.explain(model=target, messages=question).steps[0].payload
    for cell, fields in zip(row[1:], said, strict=True):
        (step,) = router.explain(model=target, messages=question, **fields).steps
        if cell == "refused":
            assert step.skipped
            continue
        words = yaml.safe_load("{" + cell.strip("`") + "}")
        streaming = ("stream", "stream_options")
        shown = {
            key: value
            for key, value in step.payload.items()
            if plain.get(key) != value and key not in streaming
        }
        assert shown == words


def test_kinds() -> None:
    again, on, raised, taken = (
        set(re.findall(r"`(\w+)`", row[0])) for row in rows("`retry.on` and `fallback_on`.\n")
    )
    kinds = set(Kind.__args__)  # type: ignore[attr-defined]
    assert again == set(RETRY_ON)
    assert again | on == set(FALLBACK_ON)
    assert raised | taken == kinds - set(FALLBACK_ON)
    assert not raised & taken


def test_links_and_extras() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link
    for extra in re.findall(r"turnout\[(\w+)\]", README):
        assert f"\n{extra} = [" in pyproject

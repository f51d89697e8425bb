"""What docs/testing.md shows does work."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest

from turnout.testing import Reply, Script, load_script

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_first_example_runs(backend: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[0], str(PAGE), "exec"), names)
    example: Callable[[], Coroutine[Any, Any, None]] = names["test_a_rate_limit_falls_back"]
    anyio.run(example, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_example_in_other_wire_formats_runs(backend: str) -> None:
    names: dict[str, Any] = {}
    first, *others = blocks("python")
    code = next(block for block in others if "test_a_fallback_crosses_wire_formats" in block)
    exec(compile(f"{first}\n{code}", str(PAGE), "exec"), names)
    example: Callable[[], Coroutine[Any, Any, None]] = names["test_a_fallback_crosses_wire_formats"]
    anyio.run(example, backend=backend)


def test_the_example_script_loads(tmp_path: Path) -> None:
    path = tmp_path / "replies.yaml"
    path.write_text(blocks("yaml")[0])
    scripts = load_script(path)
    assert scripts["flaky"].reply(0).latency == 0.25
    assert scripts["steady"].then == "first"


def test_every_field_is_told() -> None:
    page = PAGE.read_text("utf-8")
    missing = [name for model in (Reply, Script) for name in model.model_fields if name not in page]
    assert missing == []

"""Imports point one way, and each outside library has its place: the contracts of pyproject.toml hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder that holds `turnout` as one tree, the way a wheel does; import-linter reads folders."""
    tree = tmp_path / "turnout"
    tree.mkdir()
    for entry in (ROOT / "router").iterdir():
        if entry.name != "__pycache__":
            (tree / entry.name).symlink_to(entry)
    for part in ("providers", "config"):
        (tree / part).symlink_to(ROOT / part)
    return tmp_path


def test_every_import_contract_is_kept(package: Path) -> None:
    program = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    result = subprocess.run(
        [sys.executable, "-c", program, "--config", str(ROOT / "pyproject.toml"), "--no-cache"],
        env={**os.environ, "PYTHONPATH": str(package)},
        cwd=package,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout

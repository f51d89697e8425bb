"""Virtual environments of the peers: made on demand, one each, so that none disturbs another.

They hold no pip of their own: the running interpreter's installs into them, and what is in them is what a
user's default install would bring. turnout is installed from a copy of the working tree, as a wheel.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .peers import ENVIRONMENTS, SELF

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / "benchmarks" / ".venvs"
PACKAGED = ("pyproject.toml", "README.md", "LICENSE", "router", "providers", "config")
"""What a wheel of turnout is built from."""
LONGEST = 600.0
"""Seconds that one installation may take."""


class InstallError(Exception):
    """An environment could not be made; its text says why in one line."""


def python_of(name: str) -> Path:
    """The interpreter of an environment."""
    return VENVS / name / "bin" / "python"


def site_packages(name: str) -> Path:
    """Where an environment's distributions lie."""
    return next((VENVS / name / "lib").glob("python*/site-packages"))


def make(names: Iterable[str]) -> dict[str, str]:
    """Make what is missing or outdated of some environments; gives those that cannot be made, and why."""
    missing = {}
    for name in names:
        try:
            _make(name)
        except InstallError as error:
            missing[name] = str(error)
    return missing


def _make(name: str) -> None:
    needs = ENVIRONMENTS[name]
    stamp = VENVS / name / "made-of"
    others = "\n".join([sys.version, *(need for need in needs if need != SELF)])
    tree = _tree_hash() if SELF in needs else ""
    made = stamp.read_text("utf-8") if stamp.is_file() else ""
    if made == f"{others}\n{tree}":
        return
    print(f"    preparing {name}: {', '.join(needs) or 'nothing but Python'}", flush=True)
    if SELF in needs or made.rpartition("\n")[0] != others:
        shutil.rmtree(VENVS / name, ignore_errors=True)
        _run([sys.executable, "-m", "venv", "--without-pip", str(VENVS / name)])
    with tempfile.TemporaryDirectory(prefix="turnout-bench-") as folder:
        wanted = [str(_copied(Path(folder))) if need == SELF else need for need in needs]
        if wanted:
            pip = [sys.executable, "-m", "pip", "--python", str(python_of(name)), "install", "--quiet"]
            _run([*pip, "--disable-pip-version-check", *wanted])
    stamp.write_text(f"{others}\n{tree}", "utf-8")


def _run(command: list[str]) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"not done after {LONGEST:.0f} s") from error
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        told = [line for line in lines if line.lower().startswith("error")] or lines or ["no reason given"]
        raise InstallError(told[-1].strip()[:200])


def _files() -> list[Path]:
    """The files of a wheel of turnout, in a fixed order."""
    found = []
    for name in PACKAGED:
        path = ROOT / name
        found += [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sorted(file for file in found if "__pycache__" not in file.parts)


def _tree_hash() -> str:
    digest = hashlib.sha256()
    for file in _files():
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _copied(folder: Path) -> Path:
    """A copy of the sources: building in the tree itself would pack what an earlier build left there."""
    for file in _files():
        target = folder / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    return folder

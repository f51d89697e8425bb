"""What a default install weighs, and how long a program takes until it is ready for its first call."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from typing import Any

from .environments import python_of, site_packages
from .peers import Peer
from .upstream import pin

TIMES = 7
"""How often each import is timed, in fresh interpreters that take turns."""
LONGEST = 30.0
"""Seconds that one import may take."""


def weighed(environment: str) -> dict[str, Any]:
    """Size without compiled bytecode, number of distributions, and the version of each."""
    site = site_packages(environment)
    files = [file for file in site.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    found = [folder.name.removesuffix(".dist-info").split("-") for folder in site.glob("*.dist-info")]
    return {
        "size_mib": sum(file.stat().st_size for file in files) / 2**20,
        "distributions": len(found),
        "versions": {name.replace("_", "-").lower(): version for name, version in found},
    }


def imports(peers: list[Peer], core: int | None, ends: float) -> dict[str, dict[str, float]]:
    """What each peer's import takes beyond a bare interpreter, in milliseconds by the clock and of CPU time.

    The least of all turns, as others' work only ever adds. `ends` is when no further turn is begun, on the
    monotonic clock; there are at least two.
    """
    programs = {
        "": ("bare", "pass"),
        **{peer.name: (peer.environment, peer.ready) for peer in peers if peer.ready},
    }
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for turn in range(TIMES + 1):
        if turn > 2 and time.monotonic() > ends:
            break
        for name, (environment, program) in [*programs.items()]:
            try:
                times = _run(environment, program, core)
            except subprocess.SubprocessError as error:
                print(f"    {name} cannot be imported: {error}", flush=True)
                del programs[name], took[name]
                continue
            if turn:  # the first one may write bytecode
                took[name].append(times)
    clock, processor = (
        {name: min(one[at] for one in times) for name, times in took.items()} for at in (0, 1)
    )
    return {
        name: {"import_ms": clock[name] - clock[""], "import_cpu_ms": processor[name] - processor[""]}
        for name in programs
        if name
    }


def _run(environment: str, program: str, core: int | None) -> tuple[float, float]:
    """One fresh interpreter: milliseconds by the clock, and of CPU time."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [str(python_of(environment)), "-c", program],
        cwd=python_of(environment).parent,
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONDONTWRITEBYTECODE": ""},
        preexec_fn=lambda: pin(core),
        capture_output=True,
        timeout=LONGEST,
        check=True,
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1e3, processor * 1e3

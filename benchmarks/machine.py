"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import date
from pathlib import Path
from typing import Any


def described() -> dict[str, Any]:
    """CPU, cores, memory, system, Python and the day."""
    return {
        "date": date.today().isoformat(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def load() -> float:
    """How many processes want to run, as an average of the last minute; 0 where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def cores() -> tuple[int | None, int | None]:
    """The core for the client and the one for the upstream; None where a process cannot be kept on one."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def counts_instructions() -> bool:
    """Whether `perf stat` can count the instructions of a process here."""
    try:
        result = subprocess.run(
            ["perf", "stat", "-x", ",", "-e", "instructions:u", "true"],  # noqa: S607  wherever it is installed
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0 and result.stderr.split(",")[0].strip().isdigit()


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    if file.is_file():
        for line in file.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError):
        return None

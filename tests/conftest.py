"""Every async test runs on asyncio and on trio."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# where a merge hangs on it the examples are always the same ones; on a laptop every run tries others
settings.register_profile(
    "turnout",
    max_examples=50,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("turnout")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The engine a test runs on."""
    return str(request.param)


def open_sockets() -> set[str]:
    """The sockets this process holds, by inode; empty where the system does not tell."""
    found = set()
    for descriptor in Path("/proc/self/fd").glob("*"):
        try:
            name = str(descriptor.readlink())
        except OSError:  # the descriptor that lists the folder itself
            continue
        if name.startswith("socket:"):
            found.add(name)
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After the whole suite, no thread and no socket is left behind."""
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    gc.collect()
    # anyio and trio keep idle worker threads for a few seconds; they are daemons and end by themselves
    left = [thread for thread in set(threading.enumerate()) - threads if not thread.daemon]
    assert left == []
    assert open_sockets() - sockets == set()


@pytest.fixture(autouse=True)
def structlog_is_as_before() -> Iterator[None]:
    """structlog is not left configured, as its own `capture_logs` does: the router would write to stdout."""
    yield
    structlog = sys.modules.get("structlog")
    if structlog is not None and structlog.is_configured():
        structlog.reset_defaults()

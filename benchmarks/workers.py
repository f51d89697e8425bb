"""Peers' processes: each goes through a phase when it is told to, and stands still otherwise."""

from __future__ import annotations

import json
import queue
import subprocess
from pathlib import Path
from threading import Thread
from typing import Any, Self

from . import environments
from .peers import Peer

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
"""Variables that no worker sees, since everything is on loopback."""
STARTING = 60.0
"""Seconds that a worker may take until it is ready."""


class Worker:
    """One peer's process."""

    def __init__(
        self, peer: Peer, given: dict[str, Any], environment: dict[str, str], python: Path | None = None
    ) -> None:
        self.peer = peer
        self._python = python or environments.python_of(peer.environment)
        self._given = json.dumps({"peer": peer.name, "adapter": peer.adapter, "engine": peer.engine, **given})
        self._environment = environment
        self._longest = 3 * given["patience"] + 10

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _start(self) -> None:
        """Start the process, and wait until it has imported what it needs: that would disturb the others."""
        self._lines: queue.Queue[str] = queue.Queue()
        self._process = subprocess.Popen(
            [str(self._python), "-m", "benchmarks.worker", self._given],
            cwd=environments.ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        Thread(target=self._listen, args=(self._process, self._lines), daemon=True).start()
        self.phase("ready", STARTING)

    def restart(self) -> None:
        """Begin anew, in another process."""
        self.__exit__()
        self._start()

    def phase(self, name: str, longest: float | None = None) -> dict[str, Any]:
        """What is found in a phase, or an `error`."""
        row = {"peer": self.peer.name, "phase": name}
        if self._process.stdin is None or self._process.poll() is not None:
            return {**row, "error": "its process has ended"}
        try:
            self._process.stdin.write(name + "\n")
            self._process.stdin.flush()
            found: dict[str, Any] = json.loads(self._lines.get(timeout=longest or self._longest))
        except (BrokenPipeError, queue.Empty):
            self._process.kill()
            return {**row, "error": "no result; its process was ended"}
        return found

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        for line in process.stdout or ():
            if line.startswith('{"peer"'):
                lines.put(line)

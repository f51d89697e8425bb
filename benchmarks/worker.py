"""Takes one client through some phases, in that client's own environment; a JSON line for each.

    python -m benchmarks.worker '{"peer": …, "adapter": …, "engine": …, "roots": {…}, "core": …,
                                  "seconds": …, "patience": …}'

Reads phases from standard input, one a line: KIND:IN_FLIGHT with the kinds of KINDS, which take `seconds`;
`memory`; `count:KIND:CALLS`, which makes so many calls and measures nothing; `ready`, which does nothing.
Between two phases it stands still, so that workers can take turns.

Calls are made in a closed loop: so many tasks, each of which makes a call and then the next. Before the
clock starts, every connection is open and has carried a call. What takes longer than `patience` seconds is
cancelled and told as stalled.
"""

from __future__ import annotations

import gc
import http.client
import importlib
import json
import os
import resource
import statistics
import sys
import time
from array import array
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from . import payloads
from .adapters import Client, Task
from .engines import Engine, engine
from .upstream import many_files, pin

Call = Callable[[], Awaitable[Any]]
"""Makes one call, or takes in one stream."""


class Kind(NamedTuple):
    """A kind of phase."""

    scheme: str
    """The upstream's port: http or https."""
    answer: str
    """The first part of the path that is asked."""
    streaming: bool = False
    """Whether a stream is asked for."""
    backup: str | None = None
    """The first part of the path that is asked when the other one refuses."""


KINDS = {
    "calls": Kind("http", "ok"),
    "stream": Kind("http", "burst", streaming=True),
    "paced": Kind("http", "paced", streaming=True),
    "failover": Kind("http", "e429", backup="ok"),
    "tls-calls": Kind("https", "ok"),
    "tls-stream": Kind("https", "burst", streaming=True),
}
LATE = 4.0
"""Seconds after which a slow client's phase ends with fewer calls than tasks."""
TURN, TURNS = 100, 10
"""Calls whose processor time is taken down together, so that those can be found that were not disturbed, and
how many such turns are too few for that."""
FEW, MANY, WIDTH = 5_000, 20_000, 16
"""Calls before memory is measured first, those after that, and how many are in flight meanwhile."""


class MeasuringError(Exception):
    """A client did not do what was asked."""


def task_of(name: str, roots: dict[str, str]) -> Task:
    """What a client is to do in a kind of phase."""
    kind = KINDS[name]
    if kind.scheme not in roots:
        raise MeasuringError("no certificate, so no TLS")
    root = roots[kind.scheme]
    return Task(f"{root}/{kind.answer}/v1", backup=f"{root}/{kind.backup}/v1" if kind.backup else None)


class Worker:
    """One client on its way through its phases."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.roots: dict[str, str] = given["roots"]
        self.seconds: float = given["seconds"]
        self.patience: float = given["patience"]
        self.engine: Engine = engine(given["engine"])
        self.peer: str = given["peer"]
        self.connect: Callable[[Task], Awaitable[Client]] = importlib.import_module(
            f"benchmarks.adapters.{given['adapter']}"
        ).connect

    async def run(self) -> None:
        """Every phase that is asked for; one that fails is told and does not end the others."""
        for line in sys.stdin:
            phase = line.strip()
            gc.collect()
            try:
                found = await self.answer(phase)
            except Exception as error:  # noqa: BLE001  whatever a client raises belongs into its results
                found = {"error": f"{type(error).__name__}: {error}"[:300]}
            print(json.dumps({"peer": self.peer, "phase": phase, **found}), flush=True)

    async def answer(self, phase: str) -> dict[str, Any]:
        """What is found in a phase: open a client, try it, measure, close."""
        kind, _, rest = phase.partition(":")
        if kind == "ready":
            return {}
        if kind == "memory":
            return await self.memory()
        counted, kind = kind == "count", rest.split(":")[0] if kind == "count" else kind
        client = await self.connect(task_of(kind, self.roots))
        streaming = KINDS[kind].streaming
        try:
            call = client.stream if streaming else client.complete
            wanted: Any = payloads.EVENTS if streaming else payloads.TEXT
            if (got := await call()) != wanted:
                raise MeasuringError(f"the answer was {str(got)[:80]!r}")
            if counted:
                for _ in range(int(rest.split(":")[1])):
                    await call()
                return {}
            found = await self.measured(call, int(rest))
        finally:
            await client.close()
        if streaming:
            found["cpu_us"] /= payloads.EVENTS
            found["undisturbed_us"] /= payloads.EVENTS
            found["rate"] *= payloads.EVENTS
        return found

    async def measured(self, call: Call, width: int) -> dict[str, Any]:
        """What calls cost with so many in flight."""
        loop = Loop(call, width, self.seconds, self.asked)
        await self.engine.together(loop.task, width, self.patience)
        if not loop.wall:
            raise MeasuringError(f"stalled: {loop.done} calls in {self.patience:.0f} s")
        took, calls = sorted(loop.took), len(loop.took)
        return {
            "calls": calls,
            "cpu_us": loop.processor / calls * 1e6,
            "undisturbed_us": loop.undisturbed() * 1e6,
            "rate": calls / loop.wall,
            "p50_us": statistics.median(took) * 1e6,
            "p99_us": took[min(calls - 1, int(calls * 0.99))] * 1e6,
            "requests_per_call": loop.requests / calls,
        }

    async def memory(self) -> dict[str, Any]:
        """How much memory calls take, and how much more later ones do; fewer calls where time runs out."""
        client = await self.connect(Task(url=f"{self.roots['http']}/ok/v1"))
        try:
            first = await self.some_calls(client, FEW)
            gc.collect()
            before = resident()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
                2**20 if sys.platform == "darwin" else 1024
            )
            later = await self.some_calls(client, MANY)
            gc.collect()
            growth = (resident() - before) * 1024 / max(later, 1) * 1000
        finally:
            await client.close()
        return {"calls": first, "later_calls": later, "peak_mib": peak, "growth_kib_per_1000": growth}

    async def some_calls(self, client: Client, calls: int) -> int:
        """Make calls, and give how many were made in the time that there is."""
        made, ends = 0, time.perf_counter() + self.patience

        async def task() -> None:
            nonlocal made
            while made < calls and time.perf_counter() < ends:
                made += 1
                await client.complete()

        await self.engine.together(task, WIDTH, self.patience * 1.5)
        return made

    def asked(self) -> int:
        """How many requests the upstream has seen by now."""
        connection = http.client.HTTPConnection(self.roots["http"].removeprefix("http://"), timeout=10)
        connection.request("GET", "/count")
        count = int(connection.getresponse().read())
        connection.close()
        return count


class Loop:
    """Calls without a pause, some of which are measured, while as many are in flight before and after.

    The clock starts when as many calls are done as there are tasks, and some time has gone by. It stops when
    `seconds` are over and as many more are done; after LATE seconds a tenth of that is enough. Nothing is
    kept of an answer but how long it took.
    """

    def __init__(self, call: Call, width: int, seconds: float, asked: Callable[[], int]) -> None:
        self._call = call
        self._width = width
        self._seconds = seconds
        self._asked = asked
        self._warm = time.perf_counter() + 0.2 * seconds
        self._ends = 0.0
        self._over = False
        self.done = 0
        self.took = array("d")
        self._turns = array("d")  # the processor's clock at the end of every so many calls
        self.requests = 0
        self.wall = self.processor = 0.0

    async def task(self) -> None:
        """One of the tasks that share these calls."""
        while not self._over:
            begun = time.perf_counter()
            await self._call()
            now = time.perf_counter()
            self.done += 1
            if self._over:
                return
            if self._ends:
                self.took.append(now - begun)
                if not len(self.took) % TURN:
                    self._turns.append(time.process_time())
                enough = self._width if now < self._late else self._width / 10
                if now >= self._ends and len(self.took) >= enough:
                    self._finish()
            elif now >= self._warm and self.done >= self._width:
                self._begin()

    def _begin(self) -> None:
        self._requests_before = self._asked()
        self._begun, self._processor = time.perf_counter(), time.process_time()
        self._ends, self._late = self._begun + self._seconds, self._begun + LATE

    def undisturbed(self) -> float:
        """Processor seconds of a call in the tenth of all turns that other programs disturbed least."""
        if len(self._turns) <= TURNS:
            return self.processor / len(self.took)
        each = sorted(after - before for before, after in pairwise(self._turns))
        return each[len(each) // 10] / TURN

    def _finish(self) -> None:
        self.wall = time.perf_counter() - self._begun
        self.processor = time.process_time() - self._processor
        self.requests = self._asked() - self._requests_before
        self._over = True


def resident() -> float:
    """The memory this process holds now, in MiB; not a number where the system does not tell."""
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        return float("nan")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(given: dict[str, Any]) -> None:
    """Run one worker."""
    many_files()
    pin(given["core"])
    worker = Worker(given)
    worker.engine.run(worker.run)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

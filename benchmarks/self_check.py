"""turnout against raw httpx and its own past: `python -m benchmarks.self_check`, or `make bench-self`.

Both run in the project's own environment and take turns of a tenth of a second. What is compared is the
ratio of their costs, which moves far less from machine to machine than the costs do: instructions where
`perf stat` can count them, else processor time. A ratio that is more than TOLERANCE worse than the one in
baseline.json ends the check with 1; `--update` stores what was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from . import machine, upstream
from .environments import ROOT
from .peers import Peer
from .reporting import Results, comparison, slope, slowdowns
from .workers import PROXIES, Worker

BASELINE = Path(__file__).resolve().parent / "baseline.json"
TOLERANCE = 0.15
PYTHON = Path(sys.executable)
COUNTING = ("perf", "stat", "-x", ",", "-e", "instructions:u")
"""What counts a program's own instructions, and writes them as comma-separated values."""
COUNTS = (200, 1200)
"""Calls (or, by a tenth, streams) made while instructions are counted; the difference is what they cost."""


class Pair(NamedTuple):
    """Two costs to be compared."""

    name: str
    """What the ratio is called."""
    ours: str
    """turnout's worker."""
    phase: str
    """The phase both go through."""
    theirs: str = "httpx"
    """The worker to compare with."""


PAIRS = (
    Pair("call", "turnout", "calls:1"),
    Pair("call, 16 in flight", "turnout", "calls:16"),
    Pair("chunk", "turnout", "stream:1"),
    Pair("failover", "turnout", "failover:1"),
    Pair("router's share: call", "turnout-alone", "calls:1"),
    Pair("router's share: chunk", "turnout-alone", "stream:1"),
    Pair("call on trio", "turnout-trio", "calls:1", "httpx-trio"),
)
WORKERS = (
    Peer("turnout", "", "turnout_router", "bare"),
    Peer("turnout-alone", "", "turnout_alone", "bare"),
    Peer("httpx", "", "raw_httpx", "bare"),
    Peer("turnout-trio", "", "turnout_router", "bare", "trio"),
    Peer("httpx-trio", "", "raw_httpx", "bare", "trio"),
)


def pairs_in(unit: str) -> list[Pair]:
    """What is compared: instructions are counted for calls that are made one at a time."""
    return [pair for pair in PAIRS if unit == "cpu" or pair.phase.endswith(":1")]


def steps(unit: str) -> Iterator[tuple[str, str]]:
    """Each worker and phase once, those to be compared side by side."""
    seen = set()
    for pair in pairs_in(unit):
        for step in ((pair.ours, pair.phase), (pair.theirs, pair.phase)):
            if step not in seen:
                seen.add(step)
                yield step


def ratios(results: Results, unit: str) -> dict[str, float]:
    """The ratio of each pair; RuntimeError if one could not be measured."""
    found = {}
    for pair in pairs_in(unit):
        ratio = results.ratio(pair.ours, pair.theirs, pair.phase, "cpu_us")
        if ratio is None:
            reason = results.error(pair.ours, pair.phase) or results.error(pair.theirs, pair.phase)
            raise RuntimeError(f"{pair.name}: {reason or 'not measured'}")
        found[pair.name] = round(ratio, 4)
    return found


def timed(roots: dict[str, str], rounds: int, seconds: float) -> Results:
    """Processor time, in rounds that take turns."""
    core, _ = machine.cores()
    given = {"roots": roots, "core": core, "seconds": 0.1, "patience": 10.0}
    rows: list[dict[str, Any]] = []
    ends = time.monotonic() + seconds
    with ExitStack() as stack:
        workers = {
            peer.name: stack.enter_context(Worker(peer, given, environment(), PYTHON)) for peer in WORKERS
        }
        for number in range(rounds):
            if number >= 3 and time.monotonic() > ends:
                break
            turn = [*steps("cpu")]
            for name, phase in turn if not number % 2 else turn[::-1]:
                rows.append({"round": number, **workers[name].phase(phase)})
    return Results(rows)


def counted(roots: dict[str, str]) -> Results:
    """Instructions, which need no rounds."""
    rows = []
    for name, phase in steps("instructions"):
        peer = next(peer for peer in WORKERS if peer.name == name)
        kind = phase.split(":")[0]
        streaming = kind == "stream"
        runs = [number // 10 if streaming else number for number in COUNTS]
        cost = slope([(number, instructions(peer, f"count:{kind}:{number}", roots)) for number in runs])
        rows.append({"round": 0, "peer": name, "phase": phase, "cpu_us": cost})
    return Results(rows)


def instructions(peer: Peer, phase: str, roots: dict[str, str]) -> float:
    """How many instructions a worker takes for one phase and its own beginning."""
    core, _ = machine.cores()
    given: dict[str, Any] = {
        "peer": peer.name,
        "adapter": peer.adapter,
        "engine": peer.engine,
        "roots": roots,
        "core": core,
    }
    given |= {"seconds": 0.0, "patience": 30.0}
    with tempfile.NamedTemporaryFile("r", prefix="turnout-bench-") as told:
        result = subprocess.run(
            [*COUNTING, "-o", told.name, str(PYTHON), "-m", "benchmarks.worker", json.dumps(given)],
            cwd=ROOT,
            env={**environment(), "PYTHONHASHSEED": "0"},
            input=phase + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        if '"error"' in result.stdout:
            raise RuntimeError(f"{peer.name}, {phase}: {result.stdout.strip()[-300:]}")
        lines = [line for line in told.read().splitlines() if "instructions" in line]
    return float(lines[0].split(",")[0])


def environment() -> dict[str, str]:
    """The variables that a worker sees."""
    return {name: value for name, value in os.environ.items() if name not in PROXIES}


def main() -> int:
    """Measure, compare, and say so; 1 if something got slower."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="store what is measured in baseline.json")
    parser.add_argument("--rounds", type=int, default=25, help="rounds at most (default %(default)s)")
    parser.add_argument("--secs", type=float, default=80.0, help="for all rounds (default %(default)s)")
    options = parser.parse_args()
    unit = "instructions" if machine.counts_instructions() else "cpu"
    measure: Callable[[dict[str, str]], Results] = (
        counted if unit == "instructions" else lambda roots: timed(roots, options.rounds, options.secs)
    )
    with upstream.running(machine.cores()[1]) as roots:
        measured = ratios(measure(roots), unit)
    stored = json.loads(BASELINE.read_text("utf-8")) if BASELINE.is_file() else {}
    print(f"turnout's cost ÷ raw httpx's, in {unit}; a router's share is of httpx's whole call or chunk")
    print(comparison(stored.get(unit, {}), measured, TOLERANCE))
    if options.update:
        made = {**stored, unit: measured, f"{unit} measured on": machine.described()}
        BASELINE.write_text(json.dumps(made, indent=2) + "\n", "utf-8")
        print(f"stored in {BASELINE.relative_to(ROOT)}")
        return 0
    if worse := slowdowns(stored.get(unit, {}), measured, TOLERANCE):
        print(f"slower by more than {TOLERANCE:.0%}: {', '.join(worse)}")
        print("where that is meant, store it: make bench-self UPDATE=1")
        return 1
    if unit not in stored:
        print(f"nothing is stored for {unit} yet; make bench-self UPDATE=1 stores these")
    return 0


if __name__ == "__main__":
    sys.exit(main())

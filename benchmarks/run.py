"""The whole comparison: `python -m benchmarks.run`, or `make bench`.

In a round every phase is gone through by all peers in turn before the next phase begins, so that what is
compared was measured within a second or two. Results are JSON lines in benchmarks/results/, and the page and
the plot are made from them. Rounds stop when their time is over.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from . import environments, installs, machine, page, upstream
from .peers import ALL_PHASES, CALLS, PEERS, Peer
from .workers import PROXIES, Worker

RESULTS = Path(__file__).resolve().parent / "results"
PATIENCE = 15.0
"""Seconds that one phase may take before its calls are cancelled."""
RESERVE = 270.0
"""Seconds of a run that are kept for crowds, memory, import and size."""
CROWDS = 6
"""Rounds of calls in flight that the fastest go through besides, since a moment's noise is much there."""
FASTEST = ("socket", "aiohttp", "turnout", "turnout-alone", "nothing")
LONGER = 4.0
"""How many times as long as others the phases of these rounds are."""
QUICK = "socket,aiohttp,turnout,turnout-alone,nothing,httpx-sniffio,httpx"
"""Who takes part in a quick look."""


class Run:
    """One run over some peers and phases."""

    def __init__(self, options: argparse.Namespace, file: TextIO) -> None:
        names = options.peers.split(",") if options.peers else [peer.name for peer in PEERS]
        self.peers = [peer for peer in PEERS if peer.name in names]
        self.phases = options.phases.split(",") if options.phases else [*ALL_PHASES]
        self.options = options
        self.file = file
        self.client_core, self.server_core = machine.cores()
        self.ends = 0.0

    def go(self) -> None:
        """Prepare, measure, tell."""
        print("==> environments of the peers", flush=True)
        missing = environments.make(
            sorted({"bare", "certificates", *(peer.environment for peer in self.peers)})
        )
        self.peers = [peer for peer in self.peers if self.installed(peer, missing)]
        self.ends = time.monotonic() + 60 * self.options.minutes
        self.tell({"phase": "machine", **machine.described(), "load": machine.load()})
        with self.served("certificates" not in missing) as (roots, authority):
            given = {"roots": roots, "core": self.client_core}
            self.rounds(given, authority)
            if not self.options.rounds_only:
                self.crowds(given)
                self.memory(given)
        if not self.options.rounds_only:
            self.installs()

    def tell(self, row: dict[str, Any]) -> None:
        """Keep one result."""
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()

    def installed(self, peer: Peer, missing: dict[str, str]) -> bool:
        """Whether a peer takes part; why not, if not."""
        if peer.environment not in missing:
            return True
        print(f"    {peer.name} is left out: {missing[peer.environment]}", flush=True)
        self.tell({"phase": "install", "peer": peer.name, "error": missing[peer.environment]})
        return False

    @contextmanager
    def served(self, encrypted: bool) -> Iterator[tuple[dict[str, str], Path | None]]:
        """The upstream, and the file of the authority that signed its certificate."""
        with tempfile.TemporaryDirectory(prefix="turnout-bench-") as name:
            folder = Path(name)
            files = None
            if encrypted:
                python = str(environments.python_of("certificates"))
                subprocess.run([python, "-m", "trustme", "--quiet", "--dir", name], check=True, timeout=60)
                files = (folder / "server.pem", folder / "server.key")
            with upstream.running(self.server_core, files) as roots:
                yield roots, folder / "client.pem" if encrypted else None

    def environment(self, authority: Path | None) -> dict[str, str]:
        """The variables that a worker sees."""
        kept = {name: value for name, value in os.environ.items() if name not in PROXIES}
        return {**kept, "OPENAI_API_KEY": "none", **({"SSL_CERT_FILE": str(authority)} if authority else {})}

    def rounds(self, given: dict[str, Any], authority: Path | None) -> None:
        """Rounds, as many as are asked for and there is time for."""
        given = {**given, "seconds": self.options.secs, "patience": PATIENCE}
        ends = self.ends - (0 if self.options.rounds_only else RESERVE)
        with ExitStack() as stack:
            environment = self.environment(authority)
            able = [peer for peer in self.peers if peer.phases]
            workers = [stack.enter_context(Worker(peer, given, environment)) for peer in able]
            for number in range(self.options.rounds):
                if time.monotonic() > ends:
                    break
                print(f"==> round {number + 1}, load {machine.load():.1f}", flush=True)
                self.tell({"phase": "load", "load": machine.load()})
                self.one_round(number, workers, ends)

    def crowds(self, given: dict[str, Any]) -> None:
        """The fastest once more, with many calls in flight and for longer."""
        print("==> crowds", flush=True)
        given = {**given, "seconds": self.options.secs * LONGER, "patience": PATIENCE}
        with ExitStack() as stack:
            environment = self.environment(None)
            able = [peer for peer in self.peers if peer.name in FASTEST]
            workers = [stack.enter_context(Worker(peer, given, environment)) for peer in able]
            for number in range(CROWDS):
                if time.monotonic() > self.ends - RESERVE * 0.6:
                    break
                self.tell({"phase": "load", "load": machine.load()})
                self.one_round(self.options.rounds + number, workers, self.ends, CALLS)

    def one_round(
        self, number: int, workers: list[Worker], ends: float, phases: Sequence[str] | None = None
    ) -> None:
        """Every phase, by every peer that goes through it."""
        for phase in self.phases if phases is None else phases:
            turn = [worker for worker in workers if worker.peer.goes_through(phase, number)]
            for worker in turn if not number % 2 else turn[::-1]:
                if time.monotonic() > ends:
                    return
                row = worker.phase(phase)
                self.result(number, row)
                if "error" in row:  # what it left behind must not disturb what it does next
                    worker.restart()

    def result(self, number: int, row: dict[str, Any]) -> None:
        """Keep a result, and say what went wrong."""
        self.tell({"round": number, **row})
        if "error" in row:
            print(f"    {row['peer']} {row['phase']}: {row['error'][:120]}", flush=True)

    def memory(self, given: dict[str, Any]) -> None:
        """Each peer in a fresh process that does nothing but calls."""
        print("==> memory", flush=True)
        for peer in self.peers:
            if peer.memory and time.monotonic() < self.ends - RESERVE / 3:
                given = {**given, "seconds": 0.0, "patience": peer.memory}
                with Worker(peer, given, self.environment(None)) as worker:
                    self.result(0, worker.phase("memory"))

    def installs(self) -> None:
        """Import and size."""
        print("==> import and size", flush=True)
        took = installs.imports(self.peers, self.client_core, self.ends)
        for peer in self.peers:
            if peer.name in took:
                row = {"phase": "install", "peer": peer.name, **took[peer.name]}
                self.tell({**row, **installs.weighed(peer.environment)})


def options_of() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="rounds at most (default %(default)s)")
    parser.add_argument(
        "--secs", type=float, default=0.15, help="seconds a phase takes (default %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="for all of it, but environments (default %(default)s)"
    )
    parser.add_argument("--peers", help="some of: " + ",".join(peer.name for peer in PEERS))
    parser.add_argument("--phases", help="some of: " + ",".join(ALL_PHASES))
    parser.add_argument("--rounds-only", action="store_true", help="without memory, import and size")
    parser.add_argument("--no-page", action="store_true", help="print the tables instead of writing the page")
    parser.add_argument("--quick", action="store_true", help="raw clients and turnout, three rounds, no page")
    parser.add_argument(
        "--out", type=Path, help="the file of results (default: benchmarks/results/<time>.jsonl)"
    )
    options = parser.parse_args()
    if options.quick:
        options.peers = options.peers or QUICK
        options.phases = options.phases or "calls:1,calls:64,stream:1,failover:1"
        options.rounds, options.minutes, options.rounds_only, options.no_page = 5, 1.0, True, True
    return options


def main() -> None:
    """Run, and make the page."""
    options = options_of()
    out: Path = options.out or RESULTS / time.strftime("%Y-%m-%d-%H%M%S.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with out.open("w", encoding="utf-8") as file:
        Run(options, file).go()
    print(f"==> {time.monotonic() - begun:.0f} s; results in {out}", flush=True)
    page.make(out, write=not options.no_page)


if __name__ == "__main__":
    main()

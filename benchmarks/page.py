"""The page and the plot of a run: `python -m benchmarks.page RESULTS.jsonl`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .environments import ROOT
from .peers import CALLS, FLIGHTS, PEERS, Peer
from .plotting import drawn
from .reporting import Results, figure, fraction, table, thousandths, verdict

PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks.svg"
US = "turnout"


@dataclass(frozen=True)
class Goal:
    """A target, and how it is read from results."""

    what: str
    limit: float
    found: Callable[[Results], float | None]
    at_least: bool = False
    wish: str = ""
    shown: Callable[[float | None], str] = figure

    def line(self, results: Results) -> list[str]:
        """Its line of the table."""
        measured = self.found(results)
        word = "at least" if self.at_least else "at most"
        target = f"{word} {self.shown(self.limit)}" + (f" (aim: {self.wish})" if self.wish else "")
        return [
            self.what,
            target,
            self.shown(measured),
            verdict(measured, self.limit, at_least=self.at_least),
        ]


def cost(other: str, phase: str, peer: str = US) -> Callable[[Results], float | None]:
    """The CPU time of one peer in another's."""
    return lambda results: results.ratio(peer, other, phase, "cpu_us")


def pace(other: str) -> Callable[[Results], float | None]:
    """The rate in another's, where it is worst."""
    return lambda results: results.worst(US, other, FLIGHTS, "rate")


def own(phase: str, key: str, peer: str = US) -> Callable[[Results], float | None]:
    """A figure as it is."""
    return lambda results: results.value(peer, phase, key)


def share(results: Results) -> float | None:
    """Microseconds of a call that are the router's own, where nothing else disturbs it.

    Both figures are the least that any round found, for what shares the machine's caches only ever adds.
    """
    alone, nothing = (
        results.least(peer, "calls:1", "undisturbed_us") for peer in ("turnout-alone", "nothing")
    )
    return None if alone is None or nothing is None else alone - nothing


GOALS = (
    Goal("CPU per call ÷ raw httpx", 0.40, cost("httpx", "calls:1"), wish="0.30"),
    Goal("CPU per call ÷ raw httpx with sniffio", 0.40, cost("httpx-sniffio", "calls:1"), wish="0.30"),
    Goal("CPU per call ÷ litellm Router", 1 / 12, cost("litellm", "calls:1"), shown=fraction),
    Goal(
        "the router's own share of a call, µs",
        45,
        share,
        wish="30",
    ),
    Goal(
        "a call of the router over nothing ÷ a raw httpx call (45 µs where that takes 634)",
        45 / 634,
        cost("httpx", "calls:1", "turnout-alone"),
        shown=thousandths,
    ),
    Goal(
        "calls/s at 16, 64, 256, 1,000 in flight: least ÷ greatest",
        0.80,
        lambda results: results.evenness(US, FLIGHTS, "rate"),
        at_least=True,
    ),
    Goal(
        "the same, by CPU time per call",
        0.80,
        lambda results: results.evenness(US, FLIGHTS, "cpu_us"),
        at_least=True,
    ),
    Goal("calls/s ÷ raw aiohttp, worst of the four", 0.55, pace("aiohttp"), at_least=True, wish="0.75"),
    Goal(
        "the same, by CPU time per call",
        0.55,
        lambda results: results.worst("aiohttp", US, FLIGHTS, "cpu_us"),
        at_least=True,
        wish="0.75",
    ),
    Goal("calls/s ÷ litellm Router, worst of the four", 15, pace("litellm"), at_least=True),
    Goal("CPU per chunk ÷ raw httpx", 0.60, cost("httpx", "stream:1"), wish="0.45"),
    Goal("CPU per chunk ÷ litellm Router", 1 / 30, cost("litellm", "stream:1"), shown=fraction),
    Goal("CPU per failover ÷ two raw httpx posts", 0.45, cost("httpx", "failover:1")),
    Goal("CPU per failover ÷ litellm Router", 1 / 20, cost("litellm", "failover:1"), shown=fraction),
    Goal("on trio: CPU per call ÷ raw httpx on trio", 1.0, cost("httpx-trio", "calls:1", "turnout-trio")),
    Goal("peak memory after 5,000 calls, MiB", 50, own("memory", "peak_mib")),
    Goal("memory growth per 1,000 calls, KiB", 30, own("memory", "growth_kib_per_1000")),
    Goal("import beyond bare Python, ms of CPU time", 150, own("install", "import_cpu_ms")),
    Goal(
        "the same ÷ the import of httpx (150 ms where that takes 51)",
        150 / 51,
        lambda results: results.ratio(US, "httpx", "install", "import_cpu_ms"),
    ),
    Goal("default install, MiB", 20, own("install", "size_mib")),
    Goal("default install, distributions", 22, own("install", "distributions")),
)


class Column(NamedTuple):
    """A column of a table."""

    title: str
    phase: str
    key: str


class Section(NamedTuple):
    """A table and what is said before it; `against` adds the first column's ratio to a peer's."""

    words: str
    columns: tuple[Column, ...]
    against: str = ""
    engine: str = "asyncio"


SECTIONS = (
    Section(
        "## Calls\n\nCPU µs for a call, one at a time, and beside raw httpx; then calls per second.",
        (
            Column("CPU µs", "calls:1", "cpu_us"),
            Column("calls/s: 16 in flight", "calls:16", "rate"),
            *(Column(f"{int(phase.split(':')[1]):,}", phase, "rate") for phase in FLIGHTS[1:]),
        ),
        against="httpx",
    ),
    Section(
        "CPU µs per call, by calls in flight.",
        tuple(Column(f"{int(phase.split(':')[1]):,}", phase, "cpu_us") for phase in CALLS),
    ),
    Section(
        "## Streams\n\n300 chunks of text. In one burst: the most a client can take in. Paced: 16 streams at"
        "\nonce, with a chunk in each about every millisecond, as tokens come.",
        (
            Column("CPU µs per chunk", "stream:1", "cpu_us"),
            Column("chunks/s", "stream:1", "rate"),
            Column("paced: CPU µs per chunk", "paced:16", "cpu_us"),
        ),
        against="httpx",
    ),
    Section(
        "## Failover\n\nThe first address answers 429, then the second one answers. Raw clients and the"
        " openai SDK do it\nby hand, since they have no failover of their own.",
        (
            Column("CPU µs", "failover:1", "cpu_us"),
            Column("median µs", "failover:1", "p50_us"),
            Column("requests per call", "failover:1", "requests_per_call"),
        ),
        against="httpx",
    ),
    Section(
        "## TLS\n\nOver open connections: what is measured is encryption, not handshakes.",
        (
            Column("CPU µs per call", "tls-calls:1", "cpu_us"),
            Column("64 in flight: CPU µs", "tls-calls:64", "cpu_us"),
            Column("calls/s", "tls-calls:64", "rate"),
            Column("CPU µs per chunk", "tls-stream:1", "cpu_us"),
        ),
        against="httpx",
    ),
    Section(
        "## On trio\n\nBeside raw httpx on trio.",
        (
            Column("CPU µs per call", "calls:1", "cpu_us"),
            Column("16 in flight", "calls:16", "cpu_us"),
            Column("64", "calls:64", "cpu_us"),
            Column("calls/s at 64", "calls:64", "rate"),
            Column("CPU µs per chunk", "stream:1", "cpu_us"),
            Column("per failover", "failover:1", "cpu_us"),
        ),
        against="httpx-trio",
        engine="trio",
    ),
    Section(
        "## Memory\n\nOf a process that does nothing but calls, 16 in flight: its peak after the first"
        " 5,000, and the\ngrowth over the 20,000 after those; fewer where a client did not get through them"
        " in time.",
        (
            Column("peak MiB", "memory", "peak_mib"),
            Column("growth per 1,000 calls, KiB", "memory", "growth_kib_per_1000"),
            Column("calls", "memory", "calls"),
            Column("and after those", "memory", "later_calls"),
        ),
    ),
    Section(
        "## Import and size\n\nImport: what a program imports before its first call, beyond a bare"
        " interpreter, bytecode at\nhand; for turnout also with a router made. Size: a default install"
        " (any-llm and pydantic-ai: with\nOpenAI's part alone), without bytecode.",
        (
            Column("import: CPU ms", "install", "import_cpu_ms"),
            Column("ms by the clock", "install", "import_ms"),
            Column("MiB", "install", "size_mib"),
            Column("distributions", "install", "distributions"),
        ),
    ),
)
AGAIN = """## Do it again

```sh
make bench        # 10 minutes: an environment for each peer, the measurement, and this page
make bench-quick  # a look in a minute, without a page
make bench-self   # turnout against raw httpx and against its own stored ratios, for reviews
```

What is measured how, and how to add a client: [benchmarks/README.md](../benchmarks/README.md).
"""


class Page:
    """The page of one run."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.results = Results(rows)
        self.machine = next(row for row in rows if row["phase"] == "machine")
        self.loads = [row["load"] for row in rows if "load" in row]
        self.versions = {
            row["peer"]: row["versions"] for row in rows if row["phase"] == "install" and "versions" in row
        }
        seen = {row["peer"] for row in rows if "peer" in row}
        self.peers = [peer for peer in PEERS if peer.name in seen]

    def cell(self, peer: Peer, column: Column) -> str:
        """One figure of a peer, or why there is none."""
        value = self.results.value(peer.name, column.phase, column.key)
        if value is not None:
            return figure(value)
        error = self.results.error(peer.name, column.phase)
        if error is None:
            return "-"
        return "stalls" if "stalled" in error or "no result" in error else "fails"

    def section(self, section: Section) -> str:
        """A heading, some words, and a line for each peer that has any of the figures."""
        lines = []
        for peer in self.peers:
            cells = [self.cell(peer, column) for column in section.columns]
            if peer.engine != section.engine or not peer.listed or set(cells) <= {"-", "fails"}:
                continue
            if section.against:
                first = section.columns[0]
                cells.insert(1, figure(self.results.ratio(peer.name, section.against, *first[1:])))
            lines.append([peer.title, *cells])
        if not lines:
            return ""
        head = ["", *(column.title for column in section.columns)]
        if section.against:
            head.insert(2, "÷ httpx")
        return "\n".join(part for part in (section.words, "", table(head, lines)))

    def text(self) -> str:
        """The whole page."""
        sections = map(self.section, SECTIONS)
        parts = [self.beginning(), self.targets(), *sections, self.troubles(), AGAIN]
        return "\n".join(part for part in parts if part)

    def beginning(self) -> str:
        """What this is, and what it was measured on."""
        machine = self.machine
        call, chunk = (
            figure(self.results.value("turnout-alone", phase, "cpu_us")) for phase in ("calls:1", "stream:1")
        )
        nothing = figure(self.results.least("nothing", "calls:1", "undisturbed_us"))
        rounds = self.results.rounds(US, "calls:1")
        load = " to ".join(f"{value:.1f}" for value in (min(self.loads), max(self.loads)))
        return f"""# Benchmarks

turnout beside other clients of the same API, on loopback: what one call, one chunk and one failover cost, and
what happens as calls pile up. Measured on {machine["date"]}; made by `make bench`, not by hand.

![CPU time per call and per chunk, and calls per second by calls in flight](benchmarks.svg)

- **Machine:** {machine["cpu"]}, {machine["cores"]} cores, {machine["memory_gib"]} GiB, {machine["system"]},
  {machine["python"]}. The client has one core, the upstream another. Load average: {load}.
- **Versions:** {self.versions_told()}.
- **turnout** is `router.complete` and `router.stream` with typed answers and chunks, as installed: a chain of
  two targets, deadline, retry and accounting on. Raw clients do the least that is right: post, `json.loads`.
- **The router alone**, over a transport that sends nothing: {call} µs per call, {chunk} µs per chunk
  (each chunk read by itself; in a burst many are read at once, which is cheaper). Its own share of a call is
  {figure(share(self.results))} µs: what the least disturbed calls of all rounds took, less the {nothing} µs
  that the loop and that transport take by themselves.
- **CPU figures are the ones to trust**: processor time of the client's process, which other programs disturb
  less. Calls per second, chunks per second and medians of latency are by the clock; where the load average
  says that the machine had other work, they are low for everybody. Ratios are of figures from the same round,
  seconds apart. Figures and ratios are medians over up to {rounds} rounds; slow peers have one for some
  phases.
"""

    def versions_told(self) -> str:
        """The version of each peer's own distribution."""
        named = {
            "turnout": "turnout",
            "httpx": "httpx",
            "httpx2": "httpx2",
            "aiohttp": "aiohttp",
            "openai": "openai",
            "litellm": "litellm",
            "any-llm": "any-llm-sdk",
            "pydantic-ai": "pydantic-ai-slim",
        }
        found = [
            f"{distribution} {self.versions[peer][distribution]}"
            for peer, distribution in named.items()
            if distribution in self.versions.get(peer, {})
        ]
        return ", ".join(found) or "not read in this run"

    def targets(self, *, measured: bool = False) -> str:
        """What was aimed at, and what was measured."""
        lines = [goal.line(self.results) for goal in GOALS]
        if measured:
            lines = [line for line in lines if line[-1] != "not measured"]
        return "## Targets\n\n" + table(["", "target", "measured", ""], lines)

    def troubles(self) -> str:
        """What could not be measured, and why."""
        found = [
            f"- {peer}, `{phase}`: {' '.join(error.split())[:160]}"
            for (peer, phase), error in self.results.errors().items()
        ]
        return (
            "## What could not be measured\n\n"
            + ("\n".join(found) or "Nothing: every phase gave a result.")
            + "\n"
        )


def make(results: Path, *, write: bool = True) -> None:
    """Write the page and the plot of a run, or print the page."""
    rows = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
    page = Page(rows)
    if not write:
        parts = [page.targets(measured=True), *map(page.section, SECTIONS), page.troubles()]
        print("\n".join(part for part in parts if part))
        return
    PAGE.write_text(page.text(), "utf-8")
    PLOT.write_text(drawn(page.results, page.peers, str(page.machine["date"])), "utf-8")
    print(f"==> {PAGE.relative_to(ROOT)} and {PLOT.relative_to(ROOT)} are written", flush=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]))

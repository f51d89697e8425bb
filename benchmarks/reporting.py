"""Medians, ratios and tables of results: pure functions over rows, no files and no clocks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


class Results:
    """The rows of one run, and what can be said about them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by_round: dict[tuple[str, str], dict[int, Row]] = {}
        self._errors: dict[tuple[str, str], str] = {}
        for row in rows:
            if "peer" not in row:
                continue
            place = (row["peer"], row["phase"])
            if "error" in row:
                self._errors.setdefault(place, row["error"])
            else:
                self._by_round.setdefault(place, {})[row.get("round", 0)] = row

    def value(self, peer: str, phase: str, key: str) -> float | None:
        """The median of a figure over the rounds that have it; None if none has."""
        found = [row[key] for row in self._by_round.get((peer, phase), {}).values() if key in row]
        return statistics.median(found) if found else None

    def least(self, peer: str, phase: str, key: str) -> float | None:
        """The least of a figure over the rounds that have it; None if none has."""
        found = [row[key] for row in self._by_round.get((peer, phase), {}).values() if key in row]
        return min(found, default=None)

    def rounds(self, peer: str, phase: str) -> int:
        """How many rounds gave a result."""
        return len(self._by_round.get((peer, phase), {}))

    def error(self, peer: str, phase: str) -> str | None:
        """What went wrong first, if anything did."""
        return self._errors.get((peer, phase))

    def errors(self) -> Mapping[tuple[str, str], str]:
        """What went wrong first, by peer and phase."""
        return self._errors

    def ratio(self, peer: str, other: str, phase: str, key: str) -> float | None:
        """The median over the rounds of one peer's figure in another's of the same round; None if none."""
        mine, theirs = (self._by_round.get((name, phase), {}) for name in (peer, other))
        found = [
            mine[number][key] / theirs[number][key]
            for number in mine
            if number in theirs and theirs[number][key]
        ]
        return statistics.median(found) if found else None

    def worst(self, peer: str, other: str, phases: Sequence[str], key: str) -> float | None:
        """The least of the ratios over the phases that the other one got through.

        None if one of those is not known, or there are none.
        """
        compared = [phase for phase in phases if self.error(other, phase) is None]
        found = [self.ratio(peer, other, phase, key) for phase in compared]
        known = [ratio for ratio in found if ratio is not None]
        return min(known) if known and len(known) == len(found) else None

    def evenness(self, peer: str, phases: Sequence[str], key: str) -> float | None:
        """The least of some figures in the greatest: 1 where they are all the same."""
        found = [value for phase in phases if (value := self.value(peer, phase, key)) is not None]
        return min(found) / max(found) if len(found) == len(phases) and found else None


def figure(value: float | None, unit: str = "") -> str:
    """A number with as many digits as it deserves; a dash for none."""
    if value is None or math.isnan(value):
        return "-"
    size = abs(value)
    digits = 0 if size >= 100 or value == round(value) else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}{unit}"


def fraction(value: float | None) -> str:
    """A small ratio as one part of so many, which is how one says it."""
    if value is None or math.isnan(value):
        return "-"
    return "1/" + f"{1 / value:.1f}".removesuffix(".0") if 0 < value < 1 else f"{value:.2f}"


def thousandths(value: float | None) -> str:
    """A small ratio with three places; a dash for none."""
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is words, the others numbers."""
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines)) + "\n"


def verdict(measured: float | None, limit: float, *, at_least: bool = False) -> str:
    """Whether a measured figure keeps to its target."""
    if measured is None or math.isnan(measured):
        return "not measured"
    kept = measured >= limit if at_least else measured <= limit
    return "met" if kept else "**missed**"


def slowdowns(stored: Mapping[str, float], measured: Mapping[str, float], tolerance: float) -> list[str]:
    """The names of the ratios that are worse than the stored ones by more than `tolerance` (0.15: 15 %)."""
    return [
        name for name, ratio in measured.items() if name in stored and ratio > stored[name] * (1 + tolerance)
    ]


def comparison(stored: Mapping[str, float], measured: Mapping[str, float], tolerance: float) -> str:
    """Measured beside stored ratios, as a table for a terminal."""
    worse = slowdowns(stored, measured, tolerance)
    lines = [f"{'':24}{'stored':>9}{'measured':>10}{'change':>9}"]
    for name, ratio in measured.items():
        before = stored.get(name)
        change = "new" if before is None else f"{(ratio / before - 1) * 100:+.0f} %"
        mark = "  slower" if name in worse else ""
        lines.append(f"{name:24}{figure(before):>9}{figure(ratio):>10}{change:>9}{mark}")
    return "\n".join(lines)


def slope(counts: Sequence[tuple[int, float]]) -> float:
    """What one more call costs, from the totals of runs with different numbers of calls (least squares)."""
    calls = [float(number) for number, _ in counts]
    return statistics.linear_regression(calls, [total for _, total in counts]).slope

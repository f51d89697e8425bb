"""The plot, an SVG drawn by hand: bars for CPU time, lines for calls per second, both by powers of ten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from .peers import CALLS, Peer
from .reporting import Results, figure

WIDTH, ROW, TOP = 920, 22, 64
LEFT, BAR = 190, 200
"""Where bars begin, and how long the longest one is."""
OURS, OTHERS, INK, FAINT, PAPER = "#c2410c", "#94a3b8", "#1e293b", "#e2e8f0", "#ffffff"
FONT = 'font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12"'
LINES = (
    "#0f766e",
    "#1d4ed8",
    "#7c3aed",
    "#64748b",
    "#b45309",
    "#be185d",
    "#475569",
    "#0891b2",
    "#4d7c0f",
    "#9f1239",
)


def drawn(results: Results, peers: Sequence[Peer], day: str) -> str:
    """The whole plot."""
    shown = [peer for peer in peers if peer.engine == "asyncio" and peer.listed and peer.phases]
    height = TOP + ROW * len(shown) + 30
    lower = 380
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height + lower}" {FONT}>',
        f"<title>turnout beside other clients, {escape(day)}</title>",
        f'<rect width="{WIDTH}" height="{height + lower}" fill="{PAPER}"/>',
        *_bars(results, shown, "calls:1", "CPU µs per call", 0),
        *_bars(results, shown, "stream:1", "CPU µs per streamed chunk", WIDTH // 2),
        *_lines(results, shown, height, lower),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _text(x: float, y: float, said: str, anchor: str = "start", fill: str = INK, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}"{extra}>{escape(said)}</text>'


def _named(peer: Peer) -> str:
    return peer.title.replace("*", "").removesuffix(" (the limit)")


def _bars(results: Results, peers: Sequence[Peer], phase: str, title: str, x: int) -> list[str]:
    values = {peer.name: results.value(peer.name, phase, "cpu_us") for peer in peers}
    known = [value for value in values.values() if value]
    parts = [_text(x + 16, 30, title, extra=' font-size="15" font-weight="600"')]
    parts.append(_text(x + 16, 48, "log scale, less is better", fill="#64748b"))
    if not known:
        return parts
    low, high = math.log10(min(known)) - 0.3, math.log10(max(known))
    for number, peer in enumerate(sorted(peers, key=lambda peer: values[peer.name] or math.inf)):
        y = TOP + ROW * number
        value = values[peer.name]
        ours = peer.name == "turnout"
        weight = ' font-weight="600"' if ours else ""
        parts.append(_text(x + LEFT - 8, y + 14, _named(peer), "end", OURS if ours else INK, weight))
        if value:
            length = BAR * (math.log10(value) - low) / (high - low)
            fill = OURS if ours else OTHERS
            parts.append(
                f'<rect x="{x + LEFT}" y="{y + 3}" width="{length:.1f}" height="15" rx="2" fill="{fill}"/>'
            )
            parts.append(_text(x + LEFT + length + 6, y + 15, figure(value), extra=weight))
    return parts


def _lines(results: Results, peers: Sequence[Peer], top: int, height: int) -> list[str]:
    """Calls per second by calls in flight; names at the right ends, moved apart where they would touch."""
    phases = CALLS[1:]
    paths = {peer.name: [results.value(peer.name, phase, "rate") for phase in phases] for peer in peers}
    known = [value for path in paths.values() for value in path if value]
    parts = [
        _text(16, top + 20, "Calls per second, by calls in flight", extra=' font-size="15" font-weight="600"')
    ]
    parts.append(
        _text(16, top + 38, "log scale, more is better; a line ends where a client stalls", fill="#64748b")
    )
    if not known:
        return parts
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    left, right, above, below = 80, 650, top + 56, top + height - 40

    def place(value: float) -> float:
        return below - (below - above) * (math.log10(value) - low) / (high - low)

    for power in range(low, high + 1):
        y = place(10**power)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{FAINT}"/>')
        parts.append(_text(left - 8, y + 4, f"{10**power:,}", "end", "#64748b"))
    xs = [left + 30 + (right - left - 60) * index / (len(phases) - 1) for index in range(len(phases))]
    for x, phase in zip(xs, phases, strict=True):
        parts.append(_text(x, below + 20, f"{int(phase.split(':')[1]):,}", "middle", "#64748b"))
    ends = []
    for number, peer in enumerate(peers):
        points = [(x, place(value)) for x, value in zip(xs, paths[peer.name], strict=True) if value]
        if not points:
            continue
        ours = peer.name == "turnout"
        color = OURS if ours else LINES[number % len(LINES)]
        drawn_points = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        thick = 3.5 if ours else 1.6
        parts.append(
            f'<polyline points="{drawn_points}" fill="none" stroke="{color}" stroke-width="{thick}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{thick}" fill="{color}"/>' for x, y in points]
        ends.append((points[-1], _named(peer), color, ours))
    return parts + _names(ends, right, below)


def _names(ends: list[tuple[tuple[float, float], str, str, bool]], right: float, below: float) -> list[str]:
    """The names of lines, from the top down, no two closer than a line of text."""
    parts = []
    floor = -math.inf
    room = [14.0 * number for number in range(len(ends))][::-1]
    for (point, name, color, ours), rest in zip(sorted(ends, key=lambda end: end[0][1]), room, strict=True):
        y = min(max(point[1], floor + 14), below - rest)
        floor = y
        weight = ' font-weight="600"' if ours else ""
        parts.append(
            f'<line x1="{point[0] + 4:.1f}" y1="{point[1]:.1f}" x2="{right + 4}" y2="{y:.1f}" '
            f'stroke="{color}" stroke-width="0.6" stroke-dasharray="2 3"/>'
        )
        parts.append(_text(right + 8, y + 4, name, fill=color, extra=weight))
    return parts

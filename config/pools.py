"""What is wrong with pools that no single value can show: weights that count for nothing, words out of place.

Works on the settings as written, like `checking`; what has the wrong shape is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .findings import Finding, Path
from .scalars import resolved

_WEIGHING = ("weighted", "sticky", "least_busy")
"""Strategies that go by weights; for the others a member either takes part or does not."""
_WORDS = {
    "by": ("sticky", "by says what sticky holds on to"),
    "max_price": ("least_cost", "max_price is for least_cost"),
}
"""Keys that a single strategy reads, and what to say of them anywhere else."""


def check_pools(nodes: object, path: Path, detour: str | None = None) -> Iterator[Finding]:
    """Everything wrong with the pools in a list of nodes; `detour` names the list where it is a branch."""
    for at, node in _mappings(nodes, path):
        if "weight" in node:
            message = "a weight counts among the members of a pool only; leave it out, or put a pool around"
            yield Finding((*at, "weight"), message, at_key=True)
        yield from _inside(node, at, detour)


def may_leave_out(pool: Mapping[str, object]) -> bool:
    """Whether a pool's strategy may leave out members, which a later step can then still reach."""
    strategy = pool.get("strategy")
    return pool.get("max_price") is not None or (isinstance(strategy, str) and ":" in strategy)


def is_drained(node: object) -> bool:
    """Whether a member of a pool gets no calls."""
    weight = resolved(node.get("weight")) if isinstance(node, Mapping) else None
    return weight == 0 and not isinstance(weight, bool)


def _inside(node: Mapping[str, object], at: Path, detour: str | None) -> Iterator[Finding]:
    if "pool" in node:
        yield from _check_pool(node, at, detour)
        for inner, member in _mappings(node.get("pool"), (*at, "pool")):
            yield from _inside(member, inner, detour)
    else:
        yield from check_pools(node.get("chain"), (*at, "chain"), detour)


def _check_pool(pool: Mapping[str, object], at: Path, detour: str | None) -> Iterator[Finding]:
    strategy = pool.get("strategy", "ordered")
    members = pool.get("pool")
    if not isinstance(strategy, str) or not isinstance(members, (list, tuple)):
        return
    if members and all(map(is_drained, members)):
        yield Finding((*at, "pool"), "every member has the weight 0, so no call could go anywhere; raise one")
    if detour is not None and strategy != "ordered":
        message = f"under {detour} targets are tried as they are listed; leave the strategy out"
        yield Finding((*at, "strategy"), message, at_key=True)
    if ":" in strategy:
        return
    for key, (reader, words) in _WORDS.items():
        if key in pool and strategy != reader:
            yield Finding((*at, key), f"{words}; write strategy: {reader}, or leave {key} out", at_key=True)
    if strategy not in _WEIGHING:
        for inner, member in _mappings(members, (*at, "pool")):
            if resolved(member.get("weight")) not in (None, 0, 1):
                message = (
                    f"{strategy} knows no weight but 0; write strategy: weighted, or leave the weight out"
                )
                yield Finding((*inner, "weight"), message, at_key=True)


def _mappings(nodes: object, path: Path) -> Iterator[tuple[Path, Mapping[str, object]]]:
    for index, node in enumerate(nodes if isinstance(nodes, (list, tuple)) else ()):
        if isinstance(node, Mapping):
            yield (*path, index), node

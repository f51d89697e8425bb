"""Every attempt written down, and what they took together.

Memory is bounded, sums are not: a ledger keeps the last attempts whole (10 000 unless told otherwise) and,
beside them, running sums for every combination of provider, model, target, route, outcome, day and tags that
occurred. Combinations are bounded too: once there are `max_groups` of them, attempts with a new combination
are summed with their tags put together as `(other)`, and once there are twice as many, with everything put
together as `(other)`. So the totals are always exact, and every grouping always adds up to them.

Recording takes constant time. A ledger belongs to one event loop, as its router does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from typing import NamedTuple

from turnout.providers.errors import RequestError

from .attempt import Attempt, Outcome
from .buckets import Buckets
from .pricing import add_exactly

OTHER = "(other)"
"""The value that stands for all combinations beyond the bound."""
DIMENSIONS = ("provider", "model", "target", "route", "outcome", "day")
"""What `summary` groups by, besides `tag:<name>`."""


class _Key(NamedTuple):
    """A combination that has its own running sums."""

    provider: str
    model: str
    target: str
    route: str | None
    outcome: str
    day: str
    tags: tuple[tuple[str, str], ...] | None  # None: various, put together

    def value(self, dimension: str) -> str | None:
        name = dimension.removeprefix("tag:")
        if name == dimension:
            value: str | None = getattr(self, dimension)
            return value
        return OTHER if self.tags is None else dict(self.tags).get(name)


_REST = _Key(OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, None)


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Sums over the attempts of one group."""

    group: Mapping[str, str | None] = field(default_factory=dict)
    """What the attempts have in common, by dimension; None: they have no route or no such tag."""
    calls: int = 0
    """Calls whose first attempt is in this group, so that groups add up to the total."""
    attempts: int = 0
    """Everything that was written down, skipped targets too."""
    unknown_cost_attempts: int = 0
    """Attempts that were sent and whose cost nobody told; `cost` leaves them out."""
    estimated_cost_attempts: int = 0
    """Attempts whose part of `cost` rests on guessed token counts."""
    cost: Decimal | None = None
    """US dollars, the exact sum of the known costs; None where none is known."""
    usage: Buckets = field(default_factory=Buckets)
    """Tokens by kind."""
    seconds: float = 0.0
    """Time spent in the attempts, counted for each even where they overlap."""

    def __add__(self, other: SummaryRow) -> SummaryRow:
        return SummaryRow(
            group=self.group,
            calls=self.calls + other.calls,
            attempts=self.attempts + other.attempts,
            unknown_cost_attempts=self.unknown_cost_attempts + other.unknown_cost_attempts,
            estimated_cost_attempts=self.estimated_cost_attempts + other.estimated_cost_attempts,
            cost=_known_sum(self.cost, other.cost),
            usage=self.usage + other.usage,
            seconds=self.seconds + other.seconds,
        )


class Ledger:
    """What all attempts of a router took.

    `keep` is how many attempts stay readable whole, `max_groups` how many combinations are told apart with
    their tags.
    """

    def __init__(self, *, keep: int = 10_000, max_groups: int = 10_000) -> None:
        self._kept: deque[Attempt] = deque(maxlen=keep)
        self._max_groups = max_groups
        self._sums: dict[_Key, SummaryRow] = {}
        self._total = SummaryRow()

    def record(self, attempt: Attempt) -> None:
        """Write down one attempt; constant time."""
        row = _row(attempt)
        self._kept.append(attempt)
        self._total = self._total + row
        key = self._key(attempt)
        known = self._sums.get(key)
        self._sums[key] = row if known is None else known + row

    @property
    def total(self) -> SummaryRow:
        """Sums over everything ever recorded, exact after attempts were let go too."""
        return self._total

    def attempts(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        target: str | None = None,
        route: str | None = None,
        outcome: Outcome | None = None,
        call_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[Attempt]:
        """The kept attempts, oldest first, that match all that is given."""
        wanted = {
            name: value
            for name, value in (
                ("provider", provider),
                ("model", model),
                ("target", target),
                ("route", route),
                ("outcome", outcome),
                ("call_id", call_id),
            )
            if value is not None
        }
        labels = (tags or {}).items()
        return [
            attempt
            for attempt in self._kept
            if all(getattr(attempt, name) == value for name, value in wanted.items())
            and labels <= attempt.tags.items()
        ]

    def summary(self, by: str | Sequence[str] = ()) -> list[SummaryRow]:
        """Sums over everything ever recorded, by any of `DIMENSIONS` and `tag:<name>`.

        Days are UTC dates. The dearest group comes first. RequestError for a word that is no dimension.
        """
        dimensions = (by,) if isinstance(by, str) else tuple(by)
        for dimension in dimensions:
            if dimension not in DIMENSIONS and not dimension.startswith("tag:"):
                raise RequestError(
                    f"cannot group by {dimension!r}; use any of {', '.join(DIMENSIONS)} or tag:<name>",
                    field="by",
                )
        groups: dict[tuple[str | None, ...], SummaryRow] = {}
        for key, row in self._sums.items():
            values = tuple(key.value(dimension) for dimension in dimensions)
            empty = SummaryRow(group=dict(zip(dimensions, values, strict=True)))
            groups[values] = groups.get(values, empty) + row
        return sorted(groups.values(), key=_dearest_first)

    def __len__(self) -> int:
        """How many attempts are kept whole; `total.attempts` counts all."""
        return len(self._kept)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(tuple(self._kept))

    def _key(self, attempt: Attempt) -> _Key:
        day = attempt.started_at.astimezone(UTC).date().isoformat()
        facts = (attempt.provider, attempt.model, attempt.target, attempt.route, attempt.outcome, day)
        full = _Key(*facts, tuple(sorted(attempt.tags.items())))
        if full in self._sums or len(self._sums) < self._max_groups:
            return full
        untagged = _Key(*facts, None)
        if untagged in self._sums or len(self._sums) < 2 * self._max_groups:
            return untagged
        return _REST


def _row(attempt: Attempt) -> SummaryRow:
    return SummaryRow(
        calls=int(attempt.number == 1),
        attempts=1,
        unknown_cost_attempts=int(attempt.cost_unknown),
        estimated_cost_attempts=int(attempt.cost.basis == "estimated"),
        cost=attempt.cost.amount,
        usage=Buckets() if attempt.usage is None else Buckets.of(attempt.usage),
        seconds=attempt.seconds,
    )


def _known_sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return other if one is None else one
    return add_exactly((one, other))


def _dearest_first(row: SummaryRow) -> tuple[Decimal, int, tuple[str, ...]]:
    cost = Decimal(-1) if row.cost is None else row.cost
    return (-cost, -row.attempts, tuple(value or "" for value in row.group.values()))

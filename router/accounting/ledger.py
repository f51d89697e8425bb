"""Every attempt written down, and what they took together.

Memory is bounded, sums are not: a ledger keeps the last attempts whole (1 000 unless told otherwise) and,
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
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any, NamedTuple

from turnout.providers.errors import RequestError

from .attempt import SENT, Attempt, Outcome
from .buckets import Buckets, Counts, cut
from .pricing import add_exactly, exactly

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


_Plain = tuple[str, str, str, str | None, str, str, tuple[tuple[str, str], ...]]
"""The same without names, which is found in a dictionary just as well and made in a third of the time."""
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


class _Sums:
    """Running sums, which grow in place; `row` shows them."""

    __slots__ = (
        "attempts", "audio_input", "audio_output", "cache_write", "cache_write_1h", "cached", "calls", "cost",
        "estimated", "input", "output", "reasoning", "seconds", "unknown",
    )  # fmt: skip

    def __init__(self) -> None:
        self.calls = self.attempts = self.unknown = self.estimated = 0
        self.input = self.cached = self.cache_write = self.cache_write_1h = self.audio_input = 0
        self.output = self.reasoning = self.audio_output = 0
        self.seconds = 0.0
        self.cost: Decimal | None = None

    def add(self, fields: Mapping[str, Any], tokens: Counts | None, exact: Context) -> None:
        """Take in the fields of one attempt, and its tokens."""
        self.attempts += 1
        if fields["number"] == 1:
            self.calls += 1
        self.seconds += fields["seconds"]
        cost = fields["cost"].__dict__
        amount = cost["amount"]
        if amount is not None:
            self.cost = amount if self.cost is None else exact.add(self.cost, amount)
        elif fields["outcome"] in SENT:
            self.unknown += 1
        if cost["basis"] == "estimated":
            self.estimated += 1
        if tokens is None:
            return
        plain, cached, written, written_1h, heard, said, thought, spoken = tokens
        self.input += plain
        self.output += said
        self.cached += cached
        self.reasoning += thought
        if written or written_1h:
            self.cache_write += written
            self.cache_write_1h += written_1h
        if heard or spoken:
            self.audio_input += heard
            self.audio_output += spoken

    def row(self) -> SummaryRow:
        """The sums as they are now."""
        return SummaryRow(
            calls=self.calls,
            attempts=self.attempts,
            unknown_cost_attempts=self.unknown,
            estimated_cost_attempts=self.estimated,
            cost=self.cost,
            usage=Buckets(
                self.input,
                self.cached,
                self.cache_write,
                self.cache_write_1h,
                self.audio_input,
                self.output,
                self.reasoning,
                self.audio_output,
            ),
            seconds=self.seconds,
        )


class Ledger:
    """What all attempts of a router took.

    `keep` is how many attempts stay readable whole, `max_groups` how many combinations are told apart with
    their tags.
    """

    def __init__(self, *, keep: int = 1_000, max_groups: int = 10_000) -> None:
        self._kept: deque[Attempt] = deque(maxlen=keep)
        self._max_groups = max_groups
        self._sums: dict[_Key | _Plain, _Sums] = {}
        self._exact = exactly()
        self._day: tuple[int, str] = (0, "")  # the last day that was seen, as a number and as it is written

    def record(self, attempt: Attempt) -> None:
        """Write down one attempt; constant time."""
        self._kept.append(attempt)
        fields = attempt.__dict__  # at once: every other way to a field of a model is ten times as long
        usage, tags = fields["usage"], fields["tags"]
        key = (
            fields["provider"],
            fields["model"],
            fields["target"],
            fields["route"],
            fields["outcome"],
            self._day_of(fields["started_at"]),
            tuple(sorted(tags.items())) if tags else (),
        )
        sums = self._sums.get(key) or self._new_sums(_Key(*key))
        sums.add(fields, None if usage is None else cut(usage), self._exact)

    @property
    def total(self) -> SummaryRow:
        """Sums over everything ever recorded, exact after attempts were let go too.

        They are added up when they are asked for, which takes as long as there are combinations.
        """
        return next(iter(self.summary()), SummaryRow())

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
        for key, sums in self._sums.items():
            values = tuple(_Key._make(key).value(dimension) for dimension in dimensions)
            empty = SummaryRow(group=dict(zip(dimensions, values, strict=True)))
            groups[values] = groups.get(values, empty) + sums.row()
        return sorted(groups.values(), key=_dearest_first)

    def __len__(self) -> int:
        """How many attempts are kept whole; `total.attempts` counts all."""
        return len(self._kept)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(tuple(self._kept))

    def _new_sums(self, full: _Key) -> _Sums:
        """The sums for a combination that has none of its own yet, which it may have to share."""
        untagged = full._replace(tags=None)
        if len(self._sums) < self._max_groups:
            key = full
        elif untagged in self._sums or len(self._sums) < 2 * self._max_groups:
            key = untagged
        else:
            key = _REST
        return self._sums.setdefault(key, _Sums())

    def _day_of(self, moment: datetime) -> str:
        """The UTC date, which is written only once a day."""
        if moment.tzinfo is not UTC:
            moment = moment.astimezone(UTC)
        number = moment.toordinal()
        if number != self._day[0]:
            self._day = (number, moment.date().isoformat())
        return self._day[1]


def _known_sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return other if one is None else one
    return add_exactly((one, other))


def _dearest_first(row: SummaryRow) -> tuple[Decimal, int, tuple[str, ...]]:
    cost = Decimal(-1) if row.cost is None else row.cost
    return (-cost, -row.attempts, tuple(value or "" for value in row.group.values()))

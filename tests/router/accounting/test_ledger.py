"""However it is grouped, a ledger adds up to the same total, and does so after it let go of attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.accounting import OUTCOMES, Attempt, Buckets, Ledger, SummaryRow
from turnout.providers.chat import Cost, Usage
from turnout.providers.errors import RequestError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def attempt(target: str = "qwen/plus", **facts: Any) -> Attempt:
    """An attempt with what the test is about."""
    provider, _, model = target.partition("/")
    base = {"target": target, "provider": provider, "model": model, "outcome": "ok", "started_at": NOON}
    return Attempt.model_validate(base | facts)


def priced(amount: str) -> Cost:
    return Cost(amount=Decimal(amount), basis="priced", price="row")


def tokens(prompt: int, completion: int) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def test_two_calls_one_of_which_fell_back() -> None:
    ledger = Ledger()
    ledger.record(attempt("openai/mini", outcome="failed", call_id="1", seconds=0.5))
    ledger.record(attempt(cost=priced("0.02"), usage=tokens(10, 5), call_id="1", number=2))
    ledger.record(attempt(cost=priced("0.01"), usage=tokens(20, 1), call_id="2", seconds=1.5))

    assert ledger.total == SummaryRow(
        calls=2,
        attempts=3,
        unknown_cost_attempts=1,
        cost=Decimal("0.03"),
        usage=Buckets(input=30, output=6),
        seconds=2.0,
    )
    dear, unknown = ledger.summary(by=["provider", "model"])
    assert dear.group == {"provider": "qwen", "model": "plus"}
    assert (dear.calls, dear.attempts, dear.cost) == (1, 2, Decimal("0.03"))
    assert unknown.group == {"provider": "openai", "model": "mini"}
    assert (unknown.calls, unknown.cost, unknown.unknown_cost_attempts) == (1, None, 1)


def test_an_empty_ledger_knows_no_cost_rather_than_none_spent() -> None:
    assert Ledger().total.cost is None
    assert Ledger().summary(by="provider") == []


def test_estimates_are_counted_apart() -> None:
    ledger = Ledger()
    ledger.record(attempt(cost=Cost(amount=Decimal(1), basis="estimated", price="row")))
    ledger.record(attempt(cost=priced("2")))
    assert (ledger.total.cost, ledger.total.estimated_cost_attempts) == (Decimal(3), 1)


def test_tokens_of_every_kind_are_added_up() -> None:
    usage = Buckets(
        input=1,
        cached=2,
        cache_write=3,
        cache_write_1h=4,
        audio_input=5,
        output=6,
        reasoning=7,
        audio_output=8,
    )
    ledger = Ledger()
    for _ in range(2):
        ledger.record(attempt(usage=usage.usage()))
    assert ledger.total.usage == usage + usage


def test_tags_group_and_a_missing_tag_is_none() -> None:
    ledger = Ledger()
    ledger.record(attempt(tags={"team": "search", "user": "7"}, cost=priced("2")))
    ledger.record(attempt(tags={"team": "search"}, cost=priced("1")))
    ledger.record(attempt())
    groups = [(row.group["tag:team"], row.cost) for row in ledger.summary(by="tag:team")]
    assert groups == [("search", Decimal(3)), (None, None)]


def test_a_tag_may_be_called_like_a_dimension() -> None:
    ledger = Ledger()
    ledger.record(attempt(tags={"provider": "mine"}))
    (row,) = ledger.summary(by=["provider", "tag:provider"])
    assert row.group == {"provider": "qwen", "tag:provider": "mine"}


def test_days_are_utc() -> None:
    ledger = Ledger()
    tokyo = timezone(timedelta(hours=9))
    ledger.record(attempt(started_at=datetime(2026, 11, 22, 3, tzinfo=tokyo)))
    assert [row.group["day"] for row in ledger.summary(by="day")] == ["2026-11-21"]


def test_grouping_by_nothing_is_the_total() -> None:
    ledger = Ledger()
    ledger.record(attempt(cost=priced("2")))
    assert ledger.summary() == [ledger.total]


@pytest.mark.parametrize("word", ["prvider", "tags", "", "tag"])
def test_an_unknown_dimension_is_refused_with_the_words_there_are(word: str) -> None:
    with pytest.raises(RequestError, match="provider, model, target, route, outcome, day or tag:<name>"):
        Ledger().summary(by=[word])


def test_attempts_can_be_looked_up() -> None:
    ledger = Ledger()
    first = attempt("a/x", route="fast", call_id="1", tags={"team": "search"})
    second = attempt("a/y", outcome="failed", call_id="1", number=2)
    ledger.record(first)
    ledger.record(second)
    assert list(ledger) == ledger.attempts() == ledger.attempts(provider="a", call_id="1") == [first, second]
    assert (
        ledger.attempts(model="x")
        == ledger.attempts(target="a/x")
        == ledger.attempts(route="fast")
        == [first]
    )
    assert ledger.attempts(tags={"team": "search"}) == [first]
    assert ledger.attempts(outcome="failed") == [second]
    assert ledger.attempts(provider="b") == []


def test_old_attempts_are_let_go_but_stay_in_the_sums() -> None:
    ledger = Ledger(keep=2)
    for number in range(5):
        ledger.record(attempt(cost=priced("0.1"), call_id=str(number)))
    assert len(ledger) == 2
    assert [one.call_id for one in ledger.attempts()] == ["3", "4"]
    assert (ledger.total.attempts, ledger.total.cost) == (5, Decimal("0.5"))
    assert ledger.summary(by="target")[0].attempts == 5


def test_endless_tags_and_models_do_not_fill_the_memory() -> None:
    ledger = Ledger(keep=1, max_groups=3)
    for number in range(20):
        ledger.record(attempt(tags={"user": str(number)}, cost=priced("1")))
    assert {row.group["tag:user"]: row.cost for row in ledger.summary(by="tag:user")} == {
        "(other)": Decimal(17),
        "0": Decimal(1),
        "1": Decimal(1),
        "2": Decimal(1),
    }
    assert [row.group["model"] for row in ledger.summary(by="model")] == [
        "plus"
    ]  # only tags are put together

    for number in range(20):
        ledger.record(attempt(f"qwen/m{number}", cost=priced("1")))
    models = {row.group["model"]: row.attempts for row in ledger.summary(by="model")}
    assert models == {"plus": 20, "m0": 1, "m1": 1, "(other)": 18}
    assert ledger.total.cost == Decimal(40)


words = st.sampled_from(["a", "b", "c"])
attempts = st.builds(
    attempt,
    st.builds("{}/{}".format, words, words),
    outcome=st.sampled_from(OUTCOMES),
    route=st.none() | words,
    tags=st.dictionaries(st.sampled_from(["team", "user"]), words),
    started_at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3), timezones=st.just(UTC)),
    number=st.integers(1, 3),
    usage=st.none() | st.builds(tokens, st.integers(0, 10**6), st.integers(0, 10**6)),
    cost=st.just(Cost(amount=None, basis="unknown", price=None))
    | st.decimals(0, 100, places=30).map(lambda amount: Cost(amount=amount, basis="priced", price="row")),
    seconds=st.integers(0, 100),
)
dimensions = st.sampled_from(
    ["provider", "model", "target", "route", "outcome", "day", "tag:team", "tag:user", "tag:no"]
)


@given(st.lists(attempts, max_size=30), st.lists(dimensions, unique=True), st.integers(1, 8))
def test_every_grouping_adds_up_to_the_total(records: list[Attempt], by: list[str], max_groups: int) -> None:
    ledger = Ledger(keep=3, max_groups=max_groups)
    for record in records:
        ledger.record(record)
    rows = ledger.summary(by=by)
    assert sum(rows, SummaryRow()) == ledger.total
    assert ledger.total.attempts == len(records)
    assert len({tuple(row.group.items()) for row in rows}) == len(rows)

"""Tables and amounts, as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from turnout.accounting import Attempt, Trace
from turnout.cli.report import totals
from turnout.cli.screen import Screen, duration, harmless, money
from turnout.providers.chat import Cost


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (Decimal(0), "$0"),
        (Decimal("0E-10"), "$0"),
        (Decimal("0.5"), "$0.50"),
        (Decimal("12.340000"), "$12.34"),
        (Decimal("0.000001230"), "$0.00000123"),
        (Decimal("1E+3"), "$1000"),
    ],
)
def test_money_shows_every_digit_that_counts(amount: Decimal | None, text: str) -> None:
    assert money(amount) == text


def test_no_time_is_a_dash() -> None:
    assert (duration(None), duration(1.005), duration(2)) == ("-", "1.00", "2.00")


def test_control_characters_are_taken_out_but_lines_and_tabs_stay() -> None:
    assert harmless("a\x1b]0;title\x07b\r\n\tc\x9bd") == "a]0;titleb\n\tcd"


def test_a_plain_table_is_aligned_and_keeps_a_row_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(plain=True).table(["name", "n"], [["a", "1"], ["long\nname", "100"]], numbers=["n"])
    assert capsys.readouterr().out == "name         n\na            1\nlong name  100\n"


def test_a_terminal_gets_boxes_and_styles(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    screen = Screen()
    screen.table(["name", "n"], [["[bold]a", "1"]], numbers=["n"])
    screen.line("done", "green")
    out = capsys.readouterr().out
    assert "┃" in out
    assert "[bold]a" in out  # what a model says is text, not markup
    assert "\x1b[32mdone" in out


def test_a_table_may_be_empty(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table(["name"], [])
    assert capsys.readouterr().out == "name\n"


def test_totals_say_what_they_leave_out() -> None:
    def attempt(cost: Cost) -> Attempt:
        return Attempt(
            target="a/m",
            provider="a",
            model="m",
            outcome="failed",
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            seconds=1.5,
            cost=cost,
        )

    known = attempt(Cost(amount=Decimal("0.5"), basis="reported"))
    unknown = attempt(Cost(amount=None, basis="unknown"))
    assert totals(Trace(attempts=(unknown,))) == "1 attempt, tokens unknown, cost unknown, 1.50 s"
    assert totals(Trace(attempts=(known, unknown))) == (
        "2 attempts, tokens unknown, cost $0.50 (reported; without 1 attempt of unknown cost), 1.50 s"
    )
    assert "without 2 attempts of unknown cost" in totals(Trace(attempts=(known, unknown, unknown)))

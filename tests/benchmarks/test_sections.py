"""Sections of a page are written anew, and the rest of it stays."""

from __future__ import annotations

import pytest

from benchmarks import hedging, policies, sections, upstream

PAGE = "# Title\n\n<!-- one -->\nold\n<!-- /one -->\n\nmiddle\n\n<!-- two -->\n<!-- /two -->\n"


def test_a_section_is_replaced_where_it_stands() -> None:
    page = sections.replaced(PAGE, "one", "\nnew \\1\n")
    assert page == PAGE.replace("old", "new \\1")
    assert sections.replaced(page, "two", "more").endswith("<!-- two -->\nmore\n<!-- /two -->\n")


def test_a_page_without_the_section_is_not_written() -> None:
    with pytest.raises(ValueError, match="<!-- three -->"):
        sections.replaced(PAGE, "three", "new")


def test_the_pages_of_both_benchmarks_have_their_sections() -> None:
    for page, section in ((hedging.PAGE, "hedging"), (policies.PAGE, "policies")):
        text = (sections.DOCS / page).read_text("utf-8")
        assert sections.replaced(text, section, "new") != text


def test_a_table_has_its_numbers_on_the_right() -> None:
    assert sections.table(["what", "how much"], [["this", "1"]]) == (
        "| what | how much |\n| --- | --: |\n| this | 1 |"
    )


def test_outcomes_are_told_against_the_calls_without_a_hedge() -> None:
    plain = hedging.Outcome("without a hedge", 1000, 0.04, 2.0, 2.0, 2.01, 0.0)
    hedged = hedging.Outcome("hedge: {after: p95}", 1000, 0.04, 0.1, 0.2, 2.01, 0.055)
    text = hedging.page([plain, hedged])
    assert "| without a hedge | 40 | 2,000 | 2,000 | 2,010 |  | 0.0% |" in text
    assert "| `hedge: {after: p95}` | 40 | 100 | 200 | 2,010 | -90% | 5.5% |" in text


def test_about_one_answer_in_twenty_stalls() -> None:
    replies = hedging.replies(2000, seed=1).replies
    stalls = sum(reply.latency == hedging.STALL for reply in replies)
    assert 70 <= stalls <= 130
    assert all(0.02 <= reply.latency <= 0.06 for reply in replies if reply.latency != hedging.STALL)


@pytest.mark.anyio
async def test_every_setting_makes_a_router_that_answers(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "CALLS", 3)
    with upstream.running(None) as roots:
        found = await policies.measure(1, roots["http"])
    assert found.keys() == {*policies.SETTINGS, "httpx"}
    assert found["none"] > 0
    assert found["httpx"] > 0
    text = policies.page({anyio_backend: found})
    assert f"| **without policies** | {found['none']:.1f} |" in text
    assert "0.050 of it" in text

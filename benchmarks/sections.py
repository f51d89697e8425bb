"""Parts of a page in docs/ that a benchmark writes anew, the rest of the page staying as it is."""

from __future__ import annotations

import re
from pathlib import Path

from . import machine

DOCS = Path(__file__).resolve().parent.parent / "docs"


def put(page: str, section: str, text: str) -> None:
    """Replace a section, which stands between two comments that name it; ValueError where there is none."""
    path = DOCS / page
    path.write_text(replaced(path.read_text("utf-8"), section, text), "utf-8")


def replaced(page: str, section: str, text: str) -> str:
    """The page with another text in a section; ValueError where it has no such section."""
    begin, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page has no section {section!r}; write {begin} and {end} where it is to stand")
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n{text.strip()}\n{end}", page)


def measured_on() -> str:
    """When, and on what."""
    known = machine.described()
    return (
        f"Measured on {known['date']}: {known['cpu']}, {known['cores']} cores, {known['python']}, "
        f"load average {machine.load():.1f}."
    )


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    rule = ["---", *["--:"] * (len(headings) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (headings, rule, *rows))

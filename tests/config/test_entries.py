"""Files that come with turnout say the same entry by entry as they do when they are read at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from turnout.config import prices
from turnout.config.entries import Entries, NamedEntries
from turnout.providers import catalogue

ROWS = Path(catalogue.__file__).parent
PRICES = Path(prices.__file__).with_name("prices.yaml")
SMALL = """# about this file
.shared: &shared [a, b]
.more: &more {b: *shared}   # with an alias of its own

one: {list: *more}
# between two entries
two:
  deep: &deep
    text: "at the * of it"
three: *deep
"""


def whole_of(file: Path) -> Any:
    return yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)


@pytest.mark.parametrize("name", [*catalogue.FILES, "capabilities.yaml"])
def test_every_entry_of_a_mapping_is_what_the_whole_file_says(name: str) -> None:
    whole = whole_of(ROWS / name)
    entries = NamedEntries(ROWS / name)

    assert list(entries) == list(whole)
    assert dict(entries) == whole


def test_every_group_of_prices_is_what_the_whole_file_says() -> None:
    whole = whole_of(PRICES)
    entries = Entries(PRICES)

    assert [entries.parsed(place)[-1] for place in range(len(entries.texts))] == whole


def test_an_entry_brings_what_its_aliases_stand_for_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, "utf-8")

    entries = NamedEntries(file)
    assert dict(entries) == yaml.safe_load(SMALL)
    assert len(entries) == 5
    assert "four" not in entries
    assert Entries(file).parsed(2).keys() == {".shared", ".more", "one"}

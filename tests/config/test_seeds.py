"""The tables that come with turnout say what people wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from seeds import ROOT, SEEDS

from turnout.config.seeds import Seed, written


@pytest.mark.parametrize("name", SEEDS)
def test_a_table_says_what_its_yaml_says(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == written(SEEDS[name]()), "run `make seeds`"


@pytest.mark.parametrize("name", SEEDS)
def test_every_line_is_read_for_itself(name: str) -> None:
    entries = SEEDS[name]()
    assert written(Seed(ROOT / name)) == written(entries)


def test_entries_are_found_by_name(tmp_path: Path) -> None:
    file = tmp_path / "seed.json"
    file.write_text(written({"a/b": {"c": ['": ', 1]}, "d": "é,"}), "utf-8")

    seed = Seed(file)
    assert dict(seed) == {"a/b": {"c": ['": ', 1]}, "d": "é,"}
    assert len(seed) == 2
    assert "e" not in seed
    with pytest.raises(KeyError):
        seed["e"]

"""What comes with turnout as tables, in the form in which it is read: JSON, with one entry on each line.

People write these tables as YAML, and `make seeds` writes them anew as JSON. To parse all that YAML would be
most of what a router does before its first call. Of the JSON, only those lines are parsed that are asked for,
and a program whose settings are no YAML needs no YAML parser at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class Seed(Mapping[str, Any]):
    """The entries of a file by name; each is parsed anew when it is asked for."""

    def __init__(self, file: Path) -> None:
        lines = file.read_text("utf-8").splitlines()[1:-1]  # without the braces around all of it
        self._texts = {name[1:]: text for name, _, text in (line.partition('": ') for line in lines)}

    def __getitem__(self, name: str) -> Any:
        return json.loads(self._texts[name].removesuffix(","))

    def __contains__(self, name: object) -> bool:
        return name in self._texts

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def written(entries: Mapping[str, Any]) -> str:
    """The text of a file with these entries, whose names are plain words."""
    lines = (f'"{name}": {json.dumps(entry, ensure_ascii=False)}' for name, entry in entries.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"

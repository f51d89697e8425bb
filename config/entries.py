"""YAML files that come with turnout, read entry by entry.

A router needs a few rows of the catalogue and of the prices. To parse all of them takes longer than all else
that it does before its first call, so only the entries that are asked for are parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_BEGINNING = re.compile(r"^(?=[^\s#])", re.MULTILINE)
_ANCHOR = re.compile(r"&(\w+)")
_ALIAS = re.compile(r"\*(\w+)")


class Entries:
    """The entries on the outermost level of a file, each parsed when it is asked for."""

    def __init__(self, file: Path) -> None:
        text = file.read_text("utf-8")
        self.texts = [entry for entry in _BEGINNING.split(text) if not entry.startswith("#")]
        """Each begins where a line is not indented."""
        self._homes = {
            anchor: place for place, entry in enumerate(self.texts) for anchor in _ANCHOR.findall(entry)
        }

    def parsed(self, place: int) -> Any:
        """What one entry says, in a mapping or a list that may hold others before it."""
        import yaml  # here: who needs no entry needs no parser

        needed, ahead = set(), [place]
        while ahead:
            place = ahead.pop()
            if place not in needed:
                needed.add(place)
                ahead += [
                    self._homes[name] for name in _ALIAS.findall(self.texts[place]) if name in self._homes
                ]
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times faster
        return yaml.load("".join(self.texts[place] for place in sorted(needed)), Loader=loader)  # noqa: S506


class NamedEntries(Mapping[str, Any]):
    """The entries of a file that holds one mapping, by name; each is parsed anew when it is asked for."""

    def __init__(self, file: Path) -> None:
        self._entries = Entries(file)
        self._places = {text.partition(":")[0]: place for place, text in enumerate(self._entries.texts)}

    def __getitem__(self, name: str) -> Any:
        return self._entries.parsed(self._places[name])[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

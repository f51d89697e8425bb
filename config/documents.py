"""What a settings file says, and where it says it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .errors import Problem
from .findings import Path


class Place(NamedTuple):
    """A position in a file; line and column count from 1."""

    file: str | None
    line: int
    column: int

    def problem(self, message: str) -> Problem:
        """A problem that stands here."""
        return Problem(message, self.file, self.line, self.column)


class Document:
    """What a file says, and where it says it."""

    __slots__ = ("broken", "keys", "problems", "value", "values")

    def __init__(self, value: object = None, problems: Iterable[Problem] = ()) -> None:
        self.value = value
        self.keys: dict[Path, Place] = {}
        """Where the key at the end of each path stands."""
        self.values: dict[Path, Place] = {}
        """Where the value at each path begins."""
        self.problems: list[Problem] = list(problems)
        self.broken: set[Path] = set()
        """Paths whose value could not be read, so that nothing more is said about them."""

    def place(self, path: Path, *, key: bool = False) -> Place | None:
        """Where `path` stands, or the nearest thing around it."""
        if key and path in self.keys:
            return self.keys[path]
        for length in range(len(path), -1, -1):
            if path[:length] in self.values:
                return self.values[path[:length]]
        return None

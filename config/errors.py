"""The root of every turnout error, and the error of a configuration that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass


class TurnoutError(Exception):
    """Every exception that turnout raises on purpose derives from this class."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration, and where it stands.

    `line` and `column` count from 1; both are None where no file was read.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        if self.file is None:
            return self.message
        place = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.message}"


class ConfigError(TurnoutError):
    """The configuration cannot be used; `problems` lists everything found in one pass."""

    def __init__(self, problems: str | list[Problem]) -> None:
        self.problems = [Problem(problems)] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

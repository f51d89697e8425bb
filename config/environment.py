"""`${NAME}` and `${NAME:-default}` inside values; `$${` stands for the text `${` itself.

As in a shell, the default also stands in for a variable that is set but empty. No message ever holds what a
variable contains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .scalars import Substituted
from .suggestions import did_you_mean

_REFERENCE = re.compile(
    r"(?P<escape>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{"
)
_NEAR = 12
"""Environments are large; a variable is suggested only among those of about the same length."""


class Fault(NamedTuple):
    """One reference that cannot be filled in."""

    message: str
    ordinal: int
    """Which `${` of the text it is, counting from 0 and counting escaped ones."""


def has_reference(text: str) -> bool:
    """Whether substitution would look into this text at all."""
    return "${" in text


def substitute(text: str, env: Mapping[str, str], *, literal: bool = False) -> tuple[str, list[Fault]]:
    """`text` with its variables filled in, and what was wrong with them; other text comes back as it is."""
    if not has_reference(text):
        return text, []
    faults: list[Fault] = []

    def fill(match: re.Match[str]) -> str:
        if match["escape"]:
            return "${"
        message = _fault(match, env)
        if message is not None:
            faults.append(Fault(message, text.count("${", 0, match.start())))
            return ""
        found = env.get(match["name"], "")
        return found if match["default"] is None else found or match["default"]

    return Substituted(_REFERENCE.sub(fill, text), text, literal=literal), faults


def _fault(match: re.Match[str], env: Mapping[str, str]) -> str | None:
    """Why this reference cannot be filled in; None where it can."""
    name, default = match["name"], match["default"]
    if name is None:
        return "this '${' is no variable: write ${NAME} or ${NAME:-default}, or $${ for the text itself"
    if default is not None:
        return (
            f"the default of ${{{name}}} holds another variable; a default is plain text"
            if "${" in default
            else None
        )
    if name in env:
        return None
    near = did_you_mean(name, (other for other in env if abs(len(other) - len(name)) <= _NEAR))
    advice = f"set it, or give a default as in ${{{name}:-default}}{near}"
    return f"the environment variable {name} is not set: {advice}"

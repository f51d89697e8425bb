"""What is wrong at which path of the settings, before anybody knows the line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Path = tuple[str | int, ...]
"""Where a value stands: keys of mappings and indexes of lists, from the top."""


class Finding(NamedTuple):
    """One thing wrong, by its path in the settings as the user wrote them."""

    path: Path
    message: str
    at_key: bool = False
    """Whether the key at the end of `path` is at fault, rather than its value."""


def spell(path: Path) -> str:
    """A path in words: `routes.assistant.chain[0].target`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def written_path(value: Any, path: Path) -> Path:
    """`path` of the full form as it stands in what the user wrote, where shorthands leave steps out.

    It ends at the last step that exists, so a missing key gives the mapping that lacks it.
    """
    written: list[str | int] = []
    for step in path:
        if isinstance(value, (list, tuple)) and step == "chain":
            continue  # a bare list is shorthand for its chain
        if not _has(value, step):
            break
        value = value[step]
        written.append(step)
    return tuple(written)


def value_at(value: Any, path: Path) -> object:
    """What stands at `path`, or None where nothing does."""
    for step in path:
        if not _has(value, step):
            return None
        value = value[step]
    return value


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, (list, tuple)) and isinstance(step, int) and step < len(value)

"""Arguments of a function call that come piece by piece, as Vertex streams them on request.

Each piece names a place (`$.items[0].name`) and brings a value, or a further part of a text. Source:
`PartialArg` of google-genai 3.4.0 types.py.
"""

from __future__ import annotations

import re
from typing import Any

from .draft import Json

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")
_MOST = 4096
"""Elements that a list may grow to at once; a greater index is no sound one."""


class PartialArguments:
    """The arguments of one call as far as they have come."""

    def __init__(self) -> None:
        self.value: Json = {}
        self._open: set[str] = set()

    def add(self, piece: Any) -> None:
        """Take in a piece; one without a place or a value says nothing."""
        path = piece.get("jsonPath") if isinstance(piece, dict) else None
        if not isinstance(path, str):
            return
        steps = [
            int(number) if number else name or single or double
            for name, number, single, double in _STEP.findall(path)
        ]
        value = _value_of(piece)
        if not steps or value is _NOTHING:
            return
        if path in self._open and isinstance(value, str):
            before = _at(self.value, steps)
            value = before + value if isinstance(before, str) else value
        _put(self.value, steps, value)
        (self._open.add if piece.get("willContinue") else self._open.discard)(path)


_NOTHING = object()


def _value_of(piece: Json) -> Any:
    for name in ("stringValue", "numberValue", "boolValue"):
        if piece.get(name) is not None:
            value = piece[name]
            whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
            return int(value) if whole else value
    return None if "nullValue" in piece else _NOTHING


def _at(place: Any, steps: list[Any]) -> Any:
    for step in steps:
        if isinstance(step, int):
            place = place[step] if isinstance(place, list) and step < len(place) else None
        else:
            place = place.get(step) if isinstance(place, dict) else None
    return place


def _put(place: Any, steps: list[Any], value: Any) -> None:
    """Set a value at a place, making the objects and lists on the way; a clash of shapes is left alone."""
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        if isinstance(step, int):
            if not isinstance(place, list) or step > _MOST:
                return
            place.extend([None] * (step + 1 - len(place)))
        elif not isinstance(place, dict):
            return
        if after is None:
            place[step] = value
            return
        have = _at(place, [step])
        if not isinstance(have, dict | list):
            have = place[step] = [] if isinstance(after, int) else {}
        place = have

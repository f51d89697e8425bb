"""One item of a Responses answer, as far as it has come, and what of it has not been said yet.

A stream tells an item up to three times: in pieces, in `done` events, and in the response at the end. Some
hosts leave one or two of them out, so each telling only adds what the earlier ones did not say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .draft import Json

BETWEEN = "\n\n"
"""Stands between the parts of a summary, and between the thoughts of two items."""


@dataclass(slots=True, eq=False)
class Item:
    """One output item while it comes."""

    kind: str
    """Its type on the wire."""
    place: int | None = None
    """Its number in the output, where the host tells."""
    id: str = ""
    text: str = ""
    """What has been said of its text."""
    refusal: str = ""
    """What has been said of its refusal."""
    thoughts: str = ""
    """What has been said of its thinking."""
    source: str = ""
    """Where its thinking comes from: `summary` or `content`."""
    part: int | None = None
    """The part of its summary that was told last."""
    given: str = ""
    """The arguments of its call as far as they came."""
    number: int | None = None
    """Its number among the calls, once it has begun."""
    name: str = ""
    base: int | None = None
    """Length of the answer's text before its own."""
    starts: dict[int, int] = field(default_factory=dict)
    """Where its parts' texts begin in its own, by their index."""
    notes: int = 0
    """Annotations told."""
    whole: Json | None = None
    """The item as the host completed it."""
    done: bool = False

    @property
    def custom(self) -> bool:
        """Whether it calls a tool that takes free text."""
        return self.kind == "custom_tool_call"


def rest_of(said: str, whole: str) -> str:
    """What is missing of a text; nothing where what was said is no beginning of it."""
    return whole[len(said) :] if whole.startswith(said) else ""


def parts_of(item: Json, name: str = "content") -> list[Json]:
    """The parts of an item; plain text stands for one part, and what is none is left out."""
    parts = item.get(name)
    if isinstance(parts, str):
        return [{"type": "output_text", "text": parts}] if parts else []
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def words(value: Any) -> str:
    """Text where it is text, else nothing."""
    return value if isinstance(value, str) else ""


def texts_of(item: Json) -> list[str]:
    """The text of each part of a message, empty for parts that hold none."""
    return [words(part.get("text")) if is_text(part) else "" for part in parts_of(item)]


def is_text(part: Json) -> bool:
    """Whether a part of a message is plain text."""
    return part.get("type") in {"output_text", "text", None}


def refusal_in(item: Json) -> str:
    """The refusal in a message."""
    return "".join(words(part.get("refusal")) for part in parts_of(item) if part.get("type") == "refusal")


def thoughts_of(item: Json) -> dict[str, str]:
    """The thinking of an item by its source, the better one first."""
    content = "".join(words(part.get("text")) for part in parts_of(item))
    summary = BETWEEN.join(filter(None, (words(part.get("text")) for part in parts_of(item, "summary"))))
    return {"content": content, "summary": summary}


def arguments_of(item: Json) -> str:
    """What a call is made with: JSON text, or the free text of a custom tool."""
    value = item.get("input") if item.get("type") == "custom_tool_call" else item.get("arguments")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return words(value)


def notes_of(item: Json) -> Iterator[tuple[int, Json]]:
    """The annotations of a message, each with the number of its part."""
    for place, part in enumerate(parts_of(item)):
        notes = part.get("annotations")
        for note in notes if isinstance(notes, list) else ():
            if isinstance(note, dict):
                yield place, note


def citation(note: Json, offset: int) -> Json:
    """An annotation in the contract's nesting, its indexes counted from the beginning of all text."""
    if note.get("type") != "url_citation":
        return note
    nested = note.get("url_citation")
    flat = nested if isinstance(nested, dict) else note
    names = ("url", "title", "start_index", "end_index")
    told = {name: flat.get(name) for name in names if flat.get(name) is not None}
    for name in ("start_index", "end_index"):
        index = told.get(name)
        if isinstance(index, int):
            told[name] = index + offset
    rest = {key: value for key, value in note.items() if key not in {*names, "type", "url_citation"}}
    return {"type": "url_citation", "url_citation": told, **rest}

"""One document out of a file and the files it includes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

from .documents import Document, Place
from .errors import Problem
from .findings import Path
from .scalars import Substituted
from .yaml_nodes import read_yaml

_MERGED = ("providers", "routes", "prices")
"""Sections that several files may fill; `defaults` stand in one file only."""


def read_file(path: str | FilePath, *, env: Mapping[str, str]) -> Document:
    """The file at `path` with everything it includes; whatever is wrong is in the document's `problems`."""
    document = Document()
    text = _text(str(path), document, None)
    return document if text is None else read_text(text, file=str(path), env=env)


def read_text(text: str, *, file: str | None, env: Mapping[str, str]) -> Document:
    """`text` as if it stood in `file`, with everything it includes."""
    document = read_yaml(text, file=file, env=env)
    trail = [] if file is None else [FilePath(file).resolve()]
    _include(document, file, env, trail, set(trail))
    return document


def _include(
    into: Document, file: str | None, env: Mapping[str, str], trail: list[FilePath], read: set[FilePath]
) -> None:
    if not isinstance(into.value, Mapping) or "include" not in into.value:
        return
    given = into.value["include"]
    into.value = {key: value for key, value in into.value.items() if key != "include"}
    for path, name in _names(given, into):
        place = into.place(path)
        if file is None:
            into.problems.append(_at(place, "include needs a file to be relative to; load this from a file"))
            return
        _include_one(into, str(FilePath(file).parent / name), place, env, trail, read)


def _names(given: object, document: Document) -> list[tuple[Path, str]]:
    items: list[tuple[Path, object]] = [(("include",), given)]
    if isinstance(given, list):
        items = [(("include", index), item) for index, item in enumerate(given)]
    names: list[tuple[Path, str]] = []
    for path, item in items:
        if isinstance(item, Substituted):
            message = "include takes plain names of files; variables are not filled in here"
            document.problems.append(_at(document.place(path), message))
        elif isinstance(item, str) and item:
            names.append((path, item))
        else:
            message = "include takes the name of a file, or a list of them"
            document.problems.append(_at(document.place(path), message))
    return names


def _include_one(
    into: Document,
    file: str,
    place: Place | None,
    env: Mapping[str, str],
    trail: list[FilePath],
    read: set[FilePath],
) -> None:
    real = FilePath(file).resolve()
    if real in trail:
        circle = " → ".join(item.name for item in [*trail[trail.index(real) :], real])
        into.problems.append(_at(place, f"files include each other in a circle: {circle}"))
        return
    if real in read:
        return  # two files may both include a third; it says the same to both
    read.add(real)
    text = _text(file, into, place)
    if text is None:
        return
    document = read_yaml(text, file=file, env=env)
    _include(document, file, env, [*trail, real], read)
    _merge(into, document)


def _text(file: str, document: Document, place: Place | None) -> str | None:
    """The file's text; None, with a problem noted, where it cannot be read."""
    try:
        return FilePath(file).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        message = f"{file} is not UTF-8 text; save it as UTF-8"
    except OSError as error:
        message = f"cannot read {file}: {error.strerror}; check the path and its permissions"
    document.problems.append(Problem(message) if place is None else place.problem(message))
    return None


def _at(place: Place | None, message: str) -> Problem:
    return Problem(message) if place is None else place.problem(message)


def _merge(into: Document, other: Document) -> None:
    """Add what an included file says; a name that is taken already is refused."""
    into.problems += other.problems
    if other.value is None:
        return
    if not isinstance(other.value, Mapping) or not isinstance(into.value, dict):
        into.problems.append(
            _at(other.values.get(()), "an included file holds a mapping, like the file itself")
        )
        return
    refused: list[Path] = []
    for key, value in other.value.items():
        mine = into.value.get(key)
        if mine is None:
            into.value[key] = value
        elif key in _MERGED and isinstance(mine, dict) and isinstance(value, Mapping):
            refused += [(key, name) for name in value if name in mine]
            into.value[key] = {**value, **mine}
        elif value is not None:
            refused.append((key,))
    for path in refused:
        first = into.place(path, key=True)
        message = (
            f"{'.'.join(map(str, path))} is already defined in {first.file}:{first.line}"
            if first
            else "twice"
        )
        into.problems.append(_at(other.place(path, key=True), message + "; keep one of them"))
    _adopt(into, other, refused)


def _adopt(into: Document, other: Document, refused: list[Path]) -> None:
    """Take over the places of everything that was taken over."""
    for mine, theirs in ((into.keys, other.keys), (into.values, other.values)):
        for path, place in theirs.items():
            if path[:1] not in refused and path[:2] not in refused:
                mine.setdefault(path, place)
    into.broken |= {path for path in other.broken if path[:1] not in refused and path[:2] not in refused}

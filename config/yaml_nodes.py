"""YAML text → plain values, with the line and column of every key and value.

Read by the core schema of YAML 1.2, so `on:` and `no` are text. Keys are always text as written. Anchors,
aliases and `<<` merges work; what they expand to is bounded. Duplicate keys, tags other than YAML's own and
several documents in one file are refused. Variables are filled in on the way (see `environment`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from .documents import Document, Place
from .environment import has_reference, substitute
from .errors import Problem
from .findings import Path
from .scalars import plain_scalar

_PLAIN = "turnout:plain"
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_CORE + name for name in ("int", "float", "bool", "null"))
_COLLECTION_TAGS = frozenset(_CORE + name for name in ("map", "seq"))
_MOST_NODES = 20_000
"""Values after aliases are expanded; a file that holds more is an accident or an attack."""
_MOST_DEPTH = 100


def read_yaml(text: str, *, file: str | None, env: Mapping[str, str]) -> Document:
    """Read one YAML document; whatever is wrong with it is in its `problems`."""
    try:
        node = _compose(text)
    except yaml.MarkedYAMLError as error:
        return Document(problems=[_syntax_problem(error, file)])
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(file, before.count("\n") + 1, error.position - before.rfind("\n"))
        return Document(problems=[place.problem("a control character has no place in YAML")])
    except RecursionError:
        return Document(problems=[Place(file, 1, 1).problem("the file is nested too deeply to be settings")])
    builder = _Builder(text, file, env)
    builder.read(node)
    return builder.document


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with one change: it does not guess the type of an unquoted word."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode and implicit[0]:
            return _PLAIN
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]


def _compose(text: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _syntax_problem(error: yaml.MarkedYAMLError, file: str | None) -> Problem:
    mark = error.problem_mark or error.context_mark
    if error.context_mark and "end of stream" in (error.problem or ""):
        mark = error.context_mark  # what was never closed, rather than the end of the file
    message = "this is not YAML: " + ", ".join(filter(None, (error.context, error.problem)))
    if mark is None:
        return Problem(message, file)
    return Place(file, mark.line + 1, mark.column + 1).problem(message)


class _TooManyNodesError(Exception):
    """The document expands beyond its bound."""


class _Builder:
    """Turns composed nodes into a Document."""

    def __init__(self, text: str, file: str | None, env: Mapping[str, str]) -> None:
        self.document = Document()
        self._text = text
        self._file = file
        self._env = env
        self._left = _MOST_NODES
        self._open: set[int] = set()
        """Nodes that are being read right now; an alias to one of them would never end."""

    def read(self, node: yaml.Node | None) -> None:
        """Read the whole document."""
        if node is None:
            self.document.values[()] = Place(self._file, 1, 1)
            return
        try:
            self.document.value = self._value(node, ())
        except _TooManyNodesError:
            message = f"aliases expand this file to more than {_MOST_NODES} values; that is no settings file"
            self.document.problems.append(self._place(node.start_mark).problem(message))

    def _place(self, mark: yaml.Mark) -> Place:
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _refuse(self, node: yaml.Node, path: Path, message: str) -> object:
        self.document.problems.append(self._place(node.start_mark).problem(message))
        self.document.broken.add(path)
        return None

    def _refuse_key(self, key: yaml.Node) -> None:
        message = "a key is a word, not a list or a mapping"
        self.document.problems.append(self._place(key.start_mark).problem(message))

    def _value(self, node: yaml.Node, path: Path) -> object:
        self._spend()
        self.document.values[path] = self._place(node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node.tag not in _COLLECTION_TAGS:
            return self._refuse(node, path, f"the tag {_tag(node)} means nothing here; leave it out")
        if id(node) in self._open:
            return self._refuse(node, path, "this alias stands inside the very value it repeats")
        if len(path) >= _MOST_DEPTH:
            return self._refuse(node, path, "this is nested too deeply to be settings")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._mapping(node.value, path)
        finally:
            self._open.remove(id(node))

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _TooManyNodesError

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        literal = node.tag == _CORE + "str" and node.style is None  # written as !!str word
        if node.tag not in _SCALAR_TAGS and node.tag not in (_PLAIN, _CORE + "str"):
            return self._refuse(node, path, f"the tag {_tag(node)} means nothing here; leave it out")
        if has_reference(node.value):
            text, faults = substitute(node.value, self._env, literal=literal or self._says_text(node))
            for fault in faults:
                self.document.problems.append(self._reference(node, fault.ordinal).problem(fault.message))
                self.document.broken.add(path)
            return text
        return node.value if node.tag == _CORE + "str" else plain_scalar(node.value)

    def _says_text(self, node: yaml.ScalarNode) -> bool:
        """Whether a quoted scalar carries an explicit `!!str`, which its node no longer tells."""
        return self._text[node.start_mark.index :].startswith("!!str")

    def _reference(self, node: yaml.ScalarNode, ordinal: int) -> Place:
        """Where the n-th `${` of a scalar stands, also inside quotes and blocks."""
        start, end = node.start_mark.index, node.end_mark.index
        source = self._text[start:end]
        if source.count("${") != node.value.count("${"):
            return self._place(node.start_mark)  # spelled with escapes; the scalar's own place is near enough
        index = start - 2
        for _ in range(ordinal + 1):
            index = self._text.index("${", index + 2)
        line_start = max(self._text.rfind("\n", 0, index), self._text.rfind("\r", 0, index)) + 1
        before = self._text[start:index]
        line = node.start_mark.line + before.replace("\r\n", "\n").replace("\r", "\n").count("\n")
        return Place(self._file, line + 1, index - line_start + 1)

    def _mapping(self, pairs: list[tuple[yaml.Node, yaml.Node]], path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        merged: list[tuple[yaml.ScalarNode, yaml.Node]] = []
        for key, item in pairs:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse_key(key)
            elif key.tag == _PLAIN and key.value == "<<":
                merged += self._merged(item, path)
            elif key.value in found:
                first = self.document.keys[*path, key.value]
                message = f"the key {key.value!r} stands twice; it is already on line {first.line}"
                self.document.problems.append(self._place(key.start_mark).problem(message))
            else:
                found[key.value] = self._pair(key, item, path)
        for key, item in merged:
            if key.value not in found:
                found[key.value] = self._pair(key, item, path)
        return found

    def _pair(self, key: yaml.ScalarNode, item: yaml.Node, path: Path) -> object:
        below = (*path, key.value)
        self.document.keys[below] = self._place(key.start_mark)
        if has_reference(key.value):
            message = "variables are filled in inside values only, never in a key"
            self.document.problems.append(self._place(key.start_mark).problem(message))
        return self._value(item, below)

    def _merged(self, node: yaml.Node, path: Path) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """The pairs that a `<<` brings in, nearest first; the mapping's own keys win over them."""
        self._spend()
        if isinstance(node, yaml.SequenceNode) and id(node) not in self._open:
            self._open.add(id(node))
            pairs = [pair for item in node.value for pair in self._merged(item, path)]
            self._open.remove(id(node))
            return pairs
        if not isinstance(node, yaml.MappingNode) or id(node) in self._open:
            self._refuse(node, path, "<< takes an alias of another mapping, or a list of them")
            return []
        self._open.add(id(node))
        own: list[tuple[yaml.ScalarNode, yaml.Node]] = []
        inherited: list[tuple[yaml.ScalarNode, yaml.Node]] = []
        for key, item in node.value:
            self._spend()
            if not isinstance(key, yaml.ScalarNode):
                self._refuse_key(key)
            elif key.tag == _PLAIN and key.value == "<<":
                inherited += self._merged(item, path)
            else:
                own.append((key, item))
        self._open.remove(id(node))
        return own + inherited


def _tag(node: yaml.Node) -> str:
    return str(node.tag).replace(_CORE, "!!")
